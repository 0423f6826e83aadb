//! Patterns for ARNs. Each of the six segments is matched separately, so a star in one segment never reaches into the
//! next. The sixth segment may contain colons.

use std::fmt;

use crate::context::Context;
use crate::pattern::{Matched, Pattern};
use crate::template::{Special, Token, Variable, tokens};

#[derive(Clone, Debug)]
pub(crate) enum ArnPattern {
    /// `*`: any resource, including the `*` of actions that have no resource.
    Any,
    /// The first five segments are plain text, or the pattern is not an ARN: matching everything at once has the same
    /// result.
    Whole(Pattern),
    Segments(Box<[Pattern; 6]>),
}

impl ArnPattern {
    /// Parses a pattern. An ARN with fewer than six segments is completed with `*`, as IAM does.
    pub fn new(text: &str, variables: bool) -> Self {
        let special = Special { wildcards: true, variables };
        let plain = text.find(['*', '?', '$']).map_or(text, |at| text.get(..at).unwrap_or_default());
        if !text.starts_with("arn:") || plain.bytes().filter(|byte| *byte == b':').count() >= 5 {
            let pattern = Pattern::parse(text, special);
            return if pattern.is_prefix() && pattern.prefix().is_empty() { Self::Any } else { Self::Whole(pattern) };
        }
        let segments = split(tokens(text, special));
        let mut segments = segments.into_iter();
        let mut next = || Pattern::new(segments.next().unwrap_or_else(|| vec![Token::Many]));
        Self::Segments(Box::new([next(), next(), next(), next(), next(), next()]))
    }

    pub fn matches(&self, text: &str, context: &Context) -> Matched {
        match self {
            Self::Any => Matched::Yes,
            Self::Whole(pattern) => pattern.matches(text, context),
            Self::Segments(segments) => {
                let mut texts = text.splitn(6, ':');
                let mut all = Matched::Yes;
                for segment in segments.iter() {
                    let matched = match texts.next() {
                        Some(text) => segment.matches(text, context),
                        None if segment.lacks_value(context) => Matched::NoValue,
                        None => Matched::No,
                    };
                    match matched {
                        Matched::NoValue => return Matched::NoValue,
                        Matched::No => all = Matched::No,
                        Matched::Yes => {}
                    }
                }
                all
            }
        }
    }

    pub fn variables(&self) -> impl Iterator<Item = &Variable> {
        let patterns: &[Pattern] = match self {
            Self::Any => &[],
            Self::Whole(pattern) => std::slice::from_ref(pattern),
            Self::Segments(segments) => &segments[..],
        };
        patterns.iter().flat_map(Pattern::variables)
    }
}

impl fmt::Display for ArnPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Whole(pattern) => pattern.fmt(f),
            Self::Segments(segments) => {
                for (i, segment) in segments.iter().enumerate() {
                    write!(f, "{}{segment}", if i == 0 { "" } else { ":" })?;
                }
                Ok(())
            }
        }
    }
}

/// Splits the text at its first five colons. The sixth part may contain more.
fn split(tokens: Vec<Token>) -> Vec<Vec<Token>> {
    let mut segments = vec![Vec::new()];
    for token in tokens {
        let Token::Text(mut text) = token else {
            segments.last_mut().into_iter().for_each(|segment| segment.push(token.clone()));
            continue;
        };
        while segments.len() < 6 {
            let Some((before, after)) = text.split_once(':') else { break };
            let (before, after) = (before.to_owned(), after.to_owned());
            push_text(&mut segments, before);
            segments.push(Vec::new());
            text = after;
        }
        push_text(&mut segments, text);
    }
    segments
}

fn push_text(segments: &mut [Vec<Token>], text: String) {
    if let (Some(segment), false) = (segments.last_mut(), text.is_empty()) {
        segment.push(Token::Text(text));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_matched_separately() {
        let mut context = Context::new();
        context.set("aws:username", "a*c");
        for (pattern, text, want) in [
            ("*", "*", Matched::Yes),
            ("*", "arn:aws:s3:::b", Matched::Yes),
            ("arn:aws:s3:::b/*", "arn:aws:s3:::b/x:y\nz", Matched::Yes),
            ("arn:aws:s3:::b/*", "*", Matched::No),
            ("arn:aws:s3:*:*:b/*", "arn:aws:s3:::b/x", Matched::Yes),
            ("arn:aws:s3:*:b/*", "arn:aws:s3:::b/x", Matched::No),
            ("arn:aws:s3", "arn:aws:s3:::b/x", Matched::Yes),
            ("arn:aws:s3:::", "arn:aws:s3:::b", Matched::No),
            ("arn:aws:*:finance/*", "arn:aws:x:us:1:finance/d", Matched::No),
            ("arn:*:s3:::b", "arn:aws:x:s3:::b", Matched::No),
            ("arn:aws:s3:::${aws:username}", "arn:aws:s3:::a*c", Matched::Yes),
            ("arn:aws:s3:::${aws:username}", "arn:aws:s3:::abc", Matched::No),
            ("arn:aws:s3:::${aws:none}", "arn:aws:s3:::abc", Matched::NoValue),
            ("arn:aws:s3:::x${aws:none}", "arn:aws:s3:::abc", Matched::NoValue),
            ("arn:aws:s3:*:${aws:none}:x", "arn:aws:s3:::abc", Matched::NoValue),
            ("arn:aws:s3:::${aws:none, 'b'}/*", "arn:aws:s3:::b/x", Matched::Yes),
            ("b/*", "arn:aws:s3:::b/x", Matched::No),
        ] {
            assert_eq!(ArnPattern::new(pattern, true).matches(text, &context), want, "`{pattern}` against `{text}`");
        }
        let literal = ArnPattern::new("arn:aws:s3:::${aws:username}", false);
        assert_eq!(literal.matches("arn:aws:s3:::${aws:username}", &context), Matched::Yes);
    }

    #[test]
    fn patterns_print_as_they_were_written() {
        for text in ["*", "arn:aws:s3:::b/*", "arn:aws:s3:*:*:b/${aws:username}?", "arn:aws:*:::*:x"] {
            assert_eq!(ArnPattern::new(text, true).to_string(), text);
        }
        assert_eq!(ArnPattern::new("arn:aws:s?", true).to_string(), "arn:aws:s?:*:*:*");
    }
}
