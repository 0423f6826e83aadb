//! Where the statements of a document are in its text.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use serde_json::value::RawValue;

/// A position in a text. Lines and columns count from 1; columns count characters.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The character in it.
    pub column: usize,
}

/// Where each statement of a document begins and ends, in order: at its `{`, and after its `}`. Empty for a text that
/// is not a policy.
pub fn statement_spans(text: &str) -> Vec<Range<Position>> {
    // The names are JSON strings and may contain escapes.
    let Ok(members) = serde_json::from_str::<BTreeMap<Cow<'_, str>, &RawValue>>(text) else { return Vec::new() };
    let Some(statement) = members.get("Statement") else { return Vec::new() };
    let statements = match serde_json::from_str::<Vec<&RawValue>>(statement.get()) {
        Ok(statements) => statements,
        Err(_) => vec![*statement],
    };
    // The statements follow one another, so the text is read only once.
    let (mut at, mut here) = (0, Position { line: 1, column: 1 });
    let mut advance = |to: usize| {
        here = here.behind(text.get(at..to)?);
        at = to;
        Some(here)
    };
    let mut span = |statement: &&RawValue| {
        // A raw value borrows from the text it was read from.
        let start = (statement.get().as_ptr() as usize).checked_sub(text.as_ptr() as usize)?;
        Some(advance(start)?..advance(start + statement.get().len())?)
    };
    statements.iter().filter_map(&mut span).collect()
}

impl Position {
    /// The position after a piece of text that begins here.
    fn behind(self, piece: &str) -> Self {
        let line = self.line + piece.bytes().filter(|byte| *byte == b'\n').count();
        let last = piece.rsplit('\n').next().unwrap_or_default().chars().count();
        Self { line, column: if line == self.line { self.column + last } else { last + 1 } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_reaches_from_brace_to_brace() {
        let at = |line, column| Position { line, column };
        for (text, want) in [
            (r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow"}]}"#, vec![at(1, 38)..at(1, 56)]),
            ("{\"Statement\":\n  {\"Sid\":\"\u{e9}\"}}", vec![at(2, 3)..at(2, 14)]),
            (r#"{"St\u0061tement":[{},{}]}"#, vec![at(1, 20)..at(1, 22), at(1, 23)..at(1, 25)]),
            ("{}", vec![]),
            ("junk", vec![]),
        ] {
            assert_eq!(statement_spans(text), want, "{text}");
        }
    }
}
