//! What tools print.

/// Prints a line to the standard output. Unlike `println!` it does not panic if its reader is gone: a command such as
/// `iam import` finishes its work, whatever becomes of its report.
macro_rules! say {
    ($($text:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stdout().lock(), $($text)*);
    }};
}
