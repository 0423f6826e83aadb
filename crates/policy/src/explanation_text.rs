//! An explanation in words.

use std::fmt;

use crate::explain::{ElementExplanation, Explanation, StatementExplanation};

/// Writes the answer, then each statement with a line for each of its elements (`+` matches, `-` does not), then the
/// advice.
impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.summary)?;
        self.statements.iter().try_for_each(|statement| writeln!(f, "\n{statement}"))?;
        if !self.advice.is_empty() {
            writeln!(f, "\nTo allow it:")?;
        }
        self.advice.iter().try_for_each(|advice| writeln!(f, "  * {advice}"))
    }
}

impl fmt::Display for StatementExplanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, statement {}", self.policy, self.statement)?;
        if let Some(sid) = &self.sid {
            write!(f, " (`{sid}`)")?;
        }
        write!(f, ", {}: {}", self.effect, if self.applies { "applies" } else { "does not apply" })?;
        self.elements.iter().try_for_each(|element| write!(f, "\n  {element}"))
    }
}

impl ElementExplanation {
    /// What the request has, in words.
    pub(crate) fn seen_text(&self) -> String {
        match self.seen.as_deref() {
            Some([]) => "an empty list".to_owned(),
            Some(seen) => quoted(seen),
            None => "nothing".to_owned(),
        }
    }
}

fn quoted(values: &[String]) -> String {
    format!("`{}`", values.join("`, `"))
}

impl fmt::Display for ElementExplanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = if self.matches { '+' } else { '-' };
        write!(f, "{mark} {}: ", self.element)?;
        match self.expected.as_slice() {
            [] => f.write_str("none")?,
            expected => f.write_str(&quoted(expected))?,
        }
        write!(f, "; the request has {}", self.seen_text())
    }
}
