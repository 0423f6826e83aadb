//! What commands print, by one rule: a write that fails is an error, because a result that was cut off may look complete. It is not
//! an error if the reader has gone away, as in `| head`: the reader has seen enough.

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::OnceLock;

/// Why nothing more can be printed.
static LOST: OnceLock<io::Error> = OnceLock::new();

/// Prints a line to the standard output. A command such as `iam import` finishes its work even if its report is lost.
macro_rules! say {
    ($($text:tt)*) => {
        _ = $crate::output::print(format!("{}\n", format_args!($($text)*)).as_bytes())
    };
}

/// Prints bytes. False if the output is lost: a command that does nothing but print may stop.
pub fn print(bytes: &[u8]) -> bool {
    if is_lost() {
        return false;
    }
    let mut output = io::stdout().lock();
    match output.write_all(bytes).and_then(|()| output.flush()) {
        Ok(()) => true,
        Err(error) => {
            _ = LOST.set(error);
            false
        }
    }
}

/// Whether nothing that is printed arrives any more.
pub fn is_lost() -> bool {
    LOST.get().is_some()
}

/// The status of a command, now that all is printed.
pub fn status(of_command: ExitCode) -> ExitCode {
    match LOST.get() {
        Some(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            eprintln!("kelpgate: the output cannot be written: {error}");
            ExitCode::FAILURE
        }
        _ => of_command,
    }
}
