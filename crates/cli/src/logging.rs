//! Logs go to the standard error: one line each, or JSON with `KELPGATE_LOG_FORMAT=json`.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// Starts the log. `KELPGATE_LOG` holds a filter such as `info,audit=debug`; `-v` raises the level where it is absent.
pub fn start(verbosity: u8) {
    let level = match verbosity {
        0 => "info",
        1 => "debug",
        _ => "trace",
    };
    let quiet = "h2=info,hyper=info,hyper_util=info,tonic=info,tower=info,rustls=info";
    let filter = EnvFilter::try_from_env("KELPGATE_LOG").unwrap_or_else(|_| EnvFilter::new(format!("{level},{quiet}")));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if std::env::var("KELPGATE_LOG_FORMAT").is_ok_and(|format| format == "json") {
        log.json().init();
    } else {
        log.with_ansi(std::io::stderr().is_terminal()).init();
    }
}
