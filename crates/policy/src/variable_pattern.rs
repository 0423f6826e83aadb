//! Patterns with variables, whose values are known only when a request comes.

use std::fmt;

use memchr::memmem;
use smallvec::SmallVec;

use crate::context::Context;
use crate::places;
use crate::template::{Token, Variable};

/// The part of a pattern that follows its prefix, if it has variables: sections separated by stars. The values of
/// variables are literal text: a star in a user's name matches only a star.
#[derive(Clone, Debug)]
pub(crate) struct Template {
    sections: Box<[Box<[Piece]>]>,
    variables: Box<[Variable]>,
}

#[derive(Clone, Debug)]
enum Piece {
    Text(Box<str>),
    One,
    /// The value of the variable at this index.
    Value(usize),
}

type ValuesOf<'a> = SmallVec<[&'a str; 8]>;

impl Template {
    pub fn new(tokens: &[Token]) -> Self {
        let mut variables = Vec::new();
        let mut piece = |token: &Token| match token {
            Token::Text(text) => Piece::Text(text.as_str().into()),
            Token::Variable(variable) => {
                variables.push(variable.clone());
                Piece::Value(variables.len() - 1)
            }
            Token::One | Token::Many => Piece::One,
        };
        let sections = tokens
            .split(|token| *token == Token::Many)
            .map(|section| section.iter().map(&mut piece).collect())
            .collect();
        Self { sections, variables: variables.into() }
    }

    /// The variables that it uses.
    pub fn variables(&self) -> &[Variable] {
        &self.variables
    }

    /// What it is made of, with the values filled in. `None` for a variable without a value, and for a `?`.
    pub fn parts<'a>(&'a self, context: &'a Context) -> impl Iterator<Item = Option<&'a str>> {
        self.sections.iter().flatten().map(|piece| match piece {
            Piece::Text(part) => Some(&**part),
            Piece::Value(variable) => self.variables.get(*variable)?.resolve(context),
            Piece::One => None,
        })
    }

    /// The steps for each byte of a text. In a section with `?` each piece may be compared at each position.
    pub fn steps(&self) -> usize {
        let of = |piece: &Piece| match piece {
            Piece::Text(text) => 8 + text.len(),
            Piece::Value(_) => 8,
            Piece::One => 1,
        };
        self.sections.iter().map(|section| 16 + section.iter().map(of).sum::<usize>()).sum()
    }

    /// Whether it covers the whole text. `None` if a variable has no value.
    pub fn matches(&self, text: &str, context: &Context) -> Option<bool> {
        let values =
            self.variables.iter().map(|variable| variable.resolve(context)).collect::<Option<ValuesOf<'_>>>()?;
        Some(self.matches_filled(text, &values).is_some())
    }

    fn matches_filled<'v>(&'v self, text: &str, values: &ValuesOf<'v>) -> Option<()> {
        let (head, after_star) = self.sections.split_first()?;
        let rest = strip_start(head, text, values)?;
        let Some((last, middle)) = after_star.split_last() else { return rest.is_empty().then_some(()) };
        let rest = strip_end(last, rest, values)?;
        middle.iter().try_fold(rest, |rest, section| skip_past(section, rest, values)).map(|_| ())
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, section) in self.sections.iter().enumerate() {
            f.write_str(if i == 0 { "" } else { "*" })?;
            for piece in section {
                match piece {
                    Piece::Text(text) => f.write_str(text)?,
                    Piece::One => f.write_str("?")?,
                    Piece::Value(place) => match self.variables.get(*place) {
                        Some(Variable { key, default: Some(default) }) => {
                            write!(f, "${{{}, '{default}'}}", key.as_str())?
                        }
                        Some(Variable { key, default: None }) => write!(f, "${{{}}}", key.as_str())?,
                        None => {}
                    },
                }
            }
        }
        Ok(())
    }
}

fn literal<'v>(piece: &'v Piece, values: &ValuesOf<'v>) -> Option<&'v str> {
    match piece {
        Piece::Text(text) => Some(text),
        Piece::Value(place) => values.get(*place).copied(),
        Piece::One => None,
    }
}

fn strip_start<'a, 'v>(section: &'v [Piece], text: &'a str, values: &ValuesOf<'v>) -> Option<&'a str> {
    section.iter().try_fold(text, |rest, piece| match literal(piece, values) {
        Some(part) => rest.strip_prefix(part),
        None => drop_many(rest, 1),
    })
}

fn strip_end<'a, 'v>(section: &'v [Piece], text: &'a str, values: &ValuesOf<'v>) -> Option<&'a str> {
    section.iter().rev().try_fold(text, |rest, piece| match literal(piece, values) {
        Some(part) => rest.strip_suffix(part),
        None => {
            let mut characters = rest.chars();
            characters.next_back().map(|_| characters.as_str())
        }
    })
}

/// The text after the leftmost occurrence of the section. The `?` at its beginning and end are counted, because they fit wherever
/// there are characters.
fn skip_past<'a, 'v>(section: &'v [Piece], text: &'a str, values: &ValuesOf<'v>) -> Option<&'a str> {
    let is_one = |piece: &&Piece| matches!(piece, Piece::One);
    let before = section.iter().take_while(is_one).count();
    let section = section.get(before..)?;
    let after = section.iter().rev().take_while(is_one).count();
    let section = section.get(..section.len().checked_sub(after)?)?;
    let text = drop_many(text, before)?;
    let rest = match section.iter().any(|piece| is_one(&piece)) {
        true => skip_past_wild(section, text, values),
        false => skip_past_literal(section, text, values),
    };
    drop_many(rest?, after)
}

fn skip_past_literal<'a, 'v>(section: &'v [Piece], text: &'a str, values: &ValuesOf<'v>) -> Option<&'a str> {
    let mut run: SmallVec<[u8; 1024]> = SmallVec::new();
    for part in section.iter().filter_map(|piece| literal(piece, values)) {
        if run.len() + part.len() > text.len() {
            return None;
        }
        run.extend_from_slice(part.as_bytes());
    }
    let at = memmem::find(text.as_bytes(), &run)?;
    text.get(at + run.len()..)
}

/// For a section with `?` between its parts. A value may be half as long as the text, so the section is not compared as a whole at
/// each place of the text.
fn skip_past_wild<'a, 'v>(section: &'v [Piece], text: &'a str, values: &ValuesOf<'v>) -> Option<&'a str> {
    let mut run: Vec<Option<char>> = Vec::new();
    for piece in section {
        match literal(piece, values) {
            // A character has at most four bytes.
            Some(part) if run.len() + part.len() / 4 > text.len() => return None,
            Some(part) => run.extend(part.chars().map(Some)),
            None => run.push(None),
        }
    }
    let start = places::leftmost(&run, &text.chars().collect::<Vec<_>>())?;
    drop_many(text, start + run.len())
}

fn drop_many(text: &str, count: usize) -> Option<&str> {
    match count.checked_sub(1) {
        None => Some(text),
        Some(last) => text.char_indices().nth(last).and_then(|(at, last)| text.get(at + last.len_utf8()..)),
    }
}
