//! Logs go to the standard error: one line each, or JSON with `KELPGATE_LOG_FORMAT=json`.
//!
//! Each refusal is a line, and a system call for each would be a large part of the cost of a refusal. So lines below
//! warning are buffered for a moment and written together. Warnings and errors are written at once, together with what
//! is buffered.
//!
//! Clients choose much of what is logged: keys, names, headers. So every line passes through `Line::write`, which
//! escapes everything that could begin another line or control a terminal. A value that could be read as two fields is
//! quoted (`fields`).

mod fields;

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use audit::is_control;
use tracing::{Level, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::util::SubscriberInitExt;

/// How long a line may stay in the buffer.
const WAIT: Duration = Duration::from_millis(100);
/// How many bytes may be in the buffer.
const KEPT_BYTES: usize = 32 << 10;

static KEPT: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// Replaces the filter.
type Change = Box<dyn Fn(EnvFilter) + Send + Sync>;

/// How the log was started.
struct Started {
    verbosity: u8,
    /// Whether `KELPGATE_LOG` says what is shown.
    is_given: bool,
    change: Change,
}

static STARTED: OnceLock<Started> = OnceLock::new();

/// Starts the log. `KELPGATE_LOG` holds a filter such as `info,audit=debug`; `-v` raises the level if it is absent.
///
/// Errors: `KELPGATE_LOG` or `KELPGATE_LOG_FORMAT` has a value that means nothing. A log that says less than its
/// operator asked for would be noticed too late.
pub fn start(verbosity: u8) -> Result<(), String> {
    let wanted = variable("KELPGATE_LOG")?;
    let filter = match &wanted {
        Some(wanted) => filter_of(wanted).map_err(|why| format!("KELPGATE_LOG={why}"))?,
        None => of_verbosity(verbosity),
    };
    let json = match variable("KELPGATE_LOG_FORMAT")?.as_deref() {
        None | Some("text") => false,
        Some("json") => true,
        Some(other) => return Err(format!("KELPGATE_LOG_FORMAT=`{other}` is unknown; use `text` or `json`")),
    };
    let colors = !json && io::stderr().is_terminal();
    let (subscriber, change) = subscriber(filter, json, Lines { colors, keep });
    subscriber.init();
    let _ = STARTED.set(Started { verbosity, is_given: wanted.is_some(), change });
    std::thread::spawn(|| {
        loop {
            std::thread::sleep(WAIT);
            flush();
        }
    });
    Ok(())
}

/// An environment variable; empty counts as absent.
fn variable(name: &str) -> Result<Option<String>, String> {
    match std::env::var(name) {
        Ok(value) => Ok(Some(value).filter(|value| !value.is_empty())),
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(std::env::VarError::NotUnicode(_)) => Err(format!("{name} is not valid UTF-8")),
    }
}

/// Checks a filter of the configuration; `None` for what the command line asks for. Calling the result uses it. `KELPGATE_LOG` counts more.
pub fn filter(wanted: Option<&str>) -> Result<Box<dyn FnOnce() + Send>, String> {
    let checked = wanted.map(filter_of).transpose().map_err(|why| format!("kelpgate.log={why}"))?;
    Ok(Box::new(move || {
        if let Some(started) = STARTED.get().filter(|started| !started.is_given) {
            (started.change)(checked.unwrap_or_else(|| of_verbosity(started.verbosity)));
        }
    }))
}

fn of_verbosity(verbosity: u8) -> EnvFilter {
    let level = match verbosity {
        0 => "info",
        1 => "debug",
        _ => "trace",
    };
    EnvFilter::new(format!("{level},h2=info,hyper=info,hyper_util=info,tonic=info,tower=info,rustls=info"))
}

/// A filter is a list of levels and of `target=level`. A single word that is not a level would be taken as a target of
/// which everything is logged, and silence everything else.
fn filter_of(wanted: &str) -> Result<EnvFilter, String> {
    let mistake = |why: &str| format!("`{wanted}`: {why}; use for example `info` or `info,audit=debug`");
    let levels = ["off", "error", "warn", "info", "debug", "trace"];
    for part in wanted.split(',') {
        let level = part.rsplit_once('=').map_or(part, |(_, level)| level);
        if !levels.contains(&level.to_ascii_lowercase().as_str()) {
            return Err(mistake(&format!("`{level}` is not a level ({})", levels.join(", "))));
        }
    }
    EnvFilter::try_new(wanted).map_err(|error| mistake(&error.to_string()))
}

fn subscriber(filter: EnvFilter, json: bool, lines: Lines) -> (Box<dyn Subscriber + Send + Sync>, Change) {
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(lines);
    match json {
        true => {
            let log = log.json().with_filter_reloading();
            let handle = log.reload_handle();
            (Box::new(log.finish()), Box::new(move |filter| drop(handle.reload(filter))))
        }
        false => {
            let log = log.with_ansi(false).fmt_fields(fields::Text).with_filter_reloading();
            let handle = log.reload_handle();
            (Box::new(log.finish()), Box::new(move |filter| drop(handle.reload(filter))))
        }
    }
}

/// Writes what is buffered. Called before the program ends.
pub fn flush() {
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    if !kept.is_empty() {
        // There is nowhere to report that the log cannot be written.
        let _ = io::stderr().lock().write_all(&kept);
        kept.clear();
    }
}

/// Buffers a line, which comes in pieces; `at_once` also writes the buffer.
fn keep(line: &[&[u8]], at_once: bool) {
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    line.iter().for_each(|piece| kept.extend_from_slice(piece));
    let full = kept.len() >= KEPT_BYTES;
    drop(kept);
    if full || at_once {
        flush();
    }
}

#[derive(Clone, Copy)]
struct Lines {
    colors: bool,
    keep: fn(&[&[u8]], bool),
}

/// The writer of one line, which arrives in one piece.
struct Line {
    lines: Lines,
    level: Level,
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line { lines: *self, level: Level::ERROR }
    }

    fn make_writer_for(&'a self, metadata: &tracing::Metadata<'_>) -> Line {
        Line { lines: *self, level: *metadata.level() }
    }
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        // Colours are added last: the formatter's own could not be distinguished from a client's.
        let (color, plain) = match self.level {
            Level::ERROR if self.lines.colors => ("\x1b[31m", "\x1b[0m"),
            Level::WARN if self.lines.colors => ("\x1b[33m", "\x1b[0m"),
            _ => ("", ""),
        };
        let mut line = String::new();
        let text = match is_plain(text) {
            true => text,
            false => {
                escape(&String::from_utf8_lossy(text), &mut line);
                line.as_bytes()
            }
        };
        let pieces = [color.as_bytes(), text, plain.as_bytes(), b"\n"];
        (self.lines.keep)(&pieces, self.level <= Level::WARN);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Whether a line has nothing to escape: most are plain ASCII. Without an early exit, the compiler checks many bytes at once.
fn is_plain(line: &[u8]) -> bool {
    line.iter().fold(true, |is_plain, byte| is_plain & matches!(byte, b' '..=b'~'))
}

/// Writes characters that end a line, control a terminal or change the direction of reading as `\u001b`, which is also
/// valid in JSON.
fn escape(text: &str, out: &mut String) {
    let mut rest = text;
    while let Some(at) = rest.find(is_control) {
        let (before, after) = rest.split_at(at);
        out.push_str(before);
        let mut characters = after.chars();
        if let Some(control) = characters.next() {
            // Writing to a `String` cannot fail.
            let _ = write!(out, "\\u{:04x}", u32::from(control));
        }
        rest = characters.as_str();
    }
    out.push_str(rest);
}

#[cfg(test)]
mod tests;
