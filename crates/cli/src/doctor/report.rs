//! The doctor's findings, as they are printed.

use std::fmt::Write as _;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Severity {
    Ok,
    Warning,
    Error,
}

/// All findings, in order.
#[derive(Default)]
pub struct Report {
    findings: Vec<(Severity, String, String)>,
}

impl Report {
    /// Something is as it should be.
    pub fn ok(&mut self, what: impl Into<String>) {
        self.findings.push((Severity::Ok, what.into(), String::new()));
    }

    /// Something may be intended. `next` is what to do if it is not.
    pub fn warning(&mut self, what: impl Into<String>, next: impl Into<String>) {
        self.findings.push((Severity::Warning, what.into(), next.into()));
    }

    /// Something is wrong. `next` is what to do.
    pub fn error(&mut self, what: impl Into<String>, next: impl Into<String>) {
        self.findings.push((Severity::Error, what.into(), next.into()));
    }

    /// A clock that differs from this machine's by this many seconds.
    pub fn clock(&mut self, whose: &str, ahead_s: Option<i64>) {
        let next = "synchronise the clocks (chrony, systemd-timesyncd): signatures are refused when client and gateway differ by 15 minutes, \
                    and sessions live by the gateways' clocks";
        let Some(ahead_s) = ahead_s else {
            return self.warning(format!("{whose} does not report its time"), "compare its clock by hand");
        };
        let apart = ahead_s.abs();
        let direction = if ahead_s < 0 { "behind" } else { "ahead of" };
        let what = format!("the clock of {whose} is {apart} s {direction} this machine's");
        match apart {
            0..=2 => self.ok(format!("the clock of {whose} agrees with this machine's")),
            3..=59 => self.warning(what, next),
            _ => self.error(what, next),
        }
    }

    fn count(&self, wanted: Severity) -> usize {
        self.findings.iter().filter(|(severity, ..)| *severity == wanted).count()
    }

    /// The whole text.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for (severity, what, next) in &self.findings {
            let word = match severity {
                Severity::Ok => "ok     ",
                Severity::Warning => "warning",
                Severity::Error => "error  ",
            };
            let _ = writeln!(text, "{word}  {what}");
            if !next.is_empty() {
                let _ = writeln!(text, "         -> {next}");
            }
        }
        let (errors, warnings) = (self.count(Severity::Error), self.count(Severity::Warning));
        let (errors, warnings) = (counted(errors, "error"), counted(warnings, "warning"));
        let _ = writeln!(text, "\n{errors}, {warnings}");
        text
    }

    /// Prints it; false if there is an error.
    pub fn finish(self) -> Result<bool, String> {
        say!("{}", self.text().trim_end());
        Ok(self.count(Severity::Error) == 0)
    }
}

/// `1 error`, `2 errors`.
fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed() {
        let mut report = Report::default();
        report.ok("a");
        report.warning("b", "do this");
        report.error("c", "do that");
        let want =
            "ok       a\nwarning  b\n         -> do this\nerror    c\n         -> do that\n\n1 error, 1 warning\n";
        assert_eq!(report.text(), want);
    }

    #[test]
    fn clocks() {
        for (ahead_s, want) in [
            (Some(0), "ok       the clock of x agrees"),
            (Some(-2), "ok       the clock of x agrees"),
            (Some(3), "warning  the clock of x is 3 s ahead of"),
            (Some(-59), "warning  the clock of x is 59 s behind"),
            (Some(60), "error    the clock of x is 60 s ahead of"),
            (None, "warning  x does not report its time"),
        ] {
            let mut report = Report::default();
            report.clock("x", ahead_s);
            assert!(report.text().starts_with(want), "{ahead_s:?}: {}", report.text());
        }
    }
}
