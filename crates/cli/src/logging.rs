//! Logs go to the standard error: one line each, or JSON with `KELPGATE_LOG_FORMAT=json`.
//!
//! A refusal is a line, and a system call for each would be a good part of what a refusal costs. So lines below warning are
//! kept for a moment and written together; warnings and errors take what is kept along at once.

use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tracing::Level;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// How long a line may wait.
const WAIT: Duration = Duration::from_millis(100);
/// How many bytes may wait.
const KEPT_BYTES: usize = 32 << 10;

static KEPT: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// Starts the log. `KELPGATE_LOG` holds a filter such as `info,audit=debug`; `-v` raises the level where it is absent.
pub fn start(verbosity: u8) {
    let level = match verbosity {
        0 => "info",
        1 => "debug",
        _ => "trace",
    };
    let quiet = "h2=info,hyper=info,hyper_util=info,tonic=info,tower=info,rustls=info";
    let filter = EnvFilter::try_from_env("KELPGATE_LOG").unwrap_or_else(|_| EnvFilter::new(format!("{level},{quiet}")));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(Lines);
    if std::env::var("KELPGATE_LOG_FORMAT").is_ok_and(|format| format == "json") {
        log.json().init();
    } else {
        log.with_ansi(std::io::stderr().is_terminal()).init();
    }
    std::thread::spawn(|| {
        loop {
            std::thread::sleep(WAIT);
            flush();
        }
    });
}

/// Writes what is kept. Called before the program ends.
pub fn flush() {
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    if !kept.is_empty() {
        // Nobody could be told that the log cannot be written.
        let _ = io::stderr().lock().write_all(&kept);
        kept.clear();
    }
}

struct Lines;

/// The writer of one line.
struct Line {
    at_once: bool,
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line { at_once: true }
    }

    fn make_writer_for(&'a self, metadata: &tracing::Metadata<'_>) -> Line {
        Line { at_once: *metadata.level() <= Level::WARN }
    }
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend_from_slice(bytes);
        let full = kept.len() >= KEPT_BYTES;
        drop(kept);
        if full || self.at_once {
            flush();
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
