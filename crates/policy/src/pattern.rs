//! The one matcher: `*` matches any characters, including line feeds, `?` matches exactly one, everything else matches
//! itself.
//!
//! There is no backtracking. Between two stars a pattern is a fixed run of characters, and the leftmost place where the run
//! occurs is never worse than a later one. So each run is searched for once, from where the previous run ended.

use std::fmt;

use memchr::memmem::Finder;
use smallvec::SmallVec;

use crate::context::Context;
use crate::template::{Special, Token, Variable, tokens};
use crate::variable_pattern::Template;

/// A pattern, ready to be matched against any number of texts.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    /// The text that every match begins with.
    prefix: Box<str>,
    rest: Rest,
}

#[derive(Clone, Debug)]
enum Rest {
    /// Nothing follows the prefix.
    Nothing,
    /// Anything may follow the prefix.
    Anything,
    Glob(Box<Glob>),
    Template(Box<Template>),
}

/// The result of matching a pattern with variables.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Matched {
    Yes,
    No,
    /// A variable has no value: the pattern matches nothing.
    NoValue,
}

impl Matched {
    pub fn is_yes(self) -> bool {
        self == Self::Yes
    }

    pub fn when(condition: bool) -> Self {
        if condition { Self::Yes } else { Self::No }
    }
}

impl Pattern {
    pub fn parse(text: &str, special: Special) -> Self {
        let is_special = |c| (special.wildcards && matches!(c, '*' | '?')) || (special.variables && c == '$');
        // Most patterns are plain text, or plain text followed by a star.
        match text.find(is_special) {
            None => Self { prefix: text.into(), rest: Rest::Nothing },
            Some(at) if text.get(at..) == Some("*") => {
                Self { prefix: text.get(..at).unwrap_or_default().into(), rest: Rest::Anything }
            }
            Some(_) => Self::new(tokens(text, special)),
        }
    }

    pub fn new(tokens: Vec<Token>) -> Self {
        let mut tokens = tokens.into_iter().peekable();
        let prefix = match tokens.next_if(|token| matches!(token, Token::Text(_))) {
            Some(Token::Text(text)) => text,
            _ => String::new(),
        };
        let tokens: Vec<Token> = tokens.collect();
        let rest = match tokens.as_slice() {
            [] => Rest::Nothing,
            [Token::Many] => Rest::Anything,
            tokens if tokens.iter().any(|token| matches!(token, Token::Variable(_))) => {
                Rest::Template(Box::new(Template::new(tokens)))
            }
            tokens => Rest::Glob(Box::new(Glob::new(tokens))),
        };
        Self { prefix: prefix.into(), rest }
    }

    /// The text that every match begins with.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Whether the prefix is the whole pattern.
    pub fn is_exact(&self) -> bool {
        matches!(self.rest, Rest::Nothing)
    }

    /// Whether the pattern is its prefix followed by one star.
    pub fn is_prefix(&self) -> bool {
        matches!(self.rest, Rest::Anything)
    }

    /// The variables that it uses.
    pub fn variables(&self) -> &[Variable] {
        match &self.rest {
            Rest::Template(template) => template.variables(),
            _ => &[],
        }
    }

    /// The longest run of bytes after the prefix that every match contains.
    pub fn longest_literal(&self) -> Option<&[u8]> {
        match &self.rest {
            Rest::Glob(glob) => glob.longest_literal(),
            _ => None,
        }
    }

    /// Whether the pattern covers the whole text.
    pub fn matches(&self, text: &str, context: &Context) -> Matched {
        match text.strip_prefix(&*self.prefix) {
            // A variable without a value must be reported even if the prefix differs: NotResource depends on it.
            None if self.lacks_value(context) => Matched::NoValue,
            None => Matched::No,
            Some(after) => self.matches_after_prefix(after, context),
        }
    }

    /// Like [`Pattern::matches`], for the text that follows the prefix.
    pub fn matches_after_prefix(&self, after: &str, context: &Context) -> Matched {
        match &self.rest {
            Rest::Nothing => Matched::when(after.is_empty()),
            Rest::Anything => Matched::Yes,
            Rest::Glob(glob) => Matched::when(glob.matches(after)),
            Rest::Template(template) => template.matches(after, context).map_or(Matched::NoValue, Matched::when),
        }
    }

    /// Whether a variable of the pattern has no value in this request.
    pub fn lacks_value(&self, context: &Context) -> bool {
        self.variables().iter().any(|variable| variable.resolve(context).is_none())
    }

    /// An upper bound of the steps to match texts with this many bytes in total.
    pub fn work(&self, text_bytes: usize) -> usize {
        let steps = match &self.rest {
            Rest::Nothing | Rest::Anything => 1,
            Rest::Glob(glob) => glob.middle.iter().map(Floating::words).sum::<usize>() + 1,
            Rest::Template(template) => template.steps(),
        };
        text_bytes.saturating_mul(steps)
    }

    /// Whether the pattern, as plain text with its variables filled in, equals this text, ignoring case.
    pub fn equals_ignoring_case(&self, text: &str, context: &Context) -> bool {
        let mut text = text.chars().flat_map(char::to_lowercase);
        let mut same = |part: &str| part.chars().flat_map(char::to_lowercase).all(|c| text.next() == Some(c));
        if !same(&self.prefix) {
            return false;
        }
        let filled = match &self.rest {
            Rest::Nothing => true,
            Rest::Template(template) => template.parts(context).all(|part| part.is_some_and(&mut same)),
            Rest::Anything | Rest::Glob(_) => false,
        };
        filled && text.next().is_none()
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.prefix)?;
        match &self.rest {
            Rest::Nothing => Ok(()),
            Rest::Anything => f.write_str("*"),
            Rest::Glob(glob) => {
                glob.head.fmt(f)?;
                glob.middle.iter().try_for_each(|run| write!(f, "*{run}"))?;
                glob.last.iter().try_for_each(|run| write!(f, "*{run}"))
            }
            Rest::Template(template) => template.fmt(f),
        }
    }
}

impl fmt::Display for Anchored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Wild(run) => run.fmt(f),
        }
    }
}

impl fmt::Display for Floating {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(finder) => f.write_str(&String::from_utf8_lossy(finder.needle())),
            Self::Wild(run) => run.fmt(f),
        }
    }
}

impl fmt::Display for WildRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.characters.iter().try_for_each(|character| write!(f, "{}", character.unwrap_or('?')))
    }
}

/// The part of a pattern that follows its prefix, if it has no variables: runs separated by stars.
#[derive(Clone, Debug)]
struct Glob {
    /// The run at the beginning of the text; empty if a star follows the prefix.
    head: Anchored,
    /// The runs between two stars.
    middle: Box<[Floating]>,
    /// The run after the last star, at the end of the text. `None` if there is no star.
    last: Option<Anchored>,
}

impl Glob {
    fn new(tokens: &[Token]) -> Self {
        let mut runs = tokens.split(|token| *token == Token::Many);
        let head = Anchored::new(runs.next().unwrap_or_default());
        let last = runs.next_back().map(Anchored::new);
        Self { head, middle: runs.map(Floating::new).collect(), last }
    }

    fn matches(&self, text: &str) -> bool {
        let Some(rest) = self.head.strip_start(text) else { return false };
        let Some(last) = &self.last else { return rest.is_empty() };
        let rest = last.strip_end(rest);
        rest.and_then(|rest| self.middle.iter().try_fold(rest, |rest, run| run.skip_past(rest))).is_some()
    }

    fn longest_literal(&self) -> Option<&[u8]> {
        let anchored = std::iter::once(&self.head).chain(&self.last).filter_map(Anchored::longest_literal);
        let floating = self.middle.iter().filter_map(Floating::longest_literal);
        anchored.chain(floating).max_by_key(|literal| literal.len())
    }
}

/// A run of characters at the beginning or end of the text. Some of them may match any character.
#[derive(Clone, Debug)]
enum Anchored {
    Text(Box<str>),
    Wild(Box<WildRun>),
}

impl Anchored {
    fn new(tokens: &[Token]) -> Self {
        match tokens {
            [] => Self::Text(Box::default()),
            [Token::Text(text)] => Self::Text(text.as_str().into()),
            tokens => Self::Wild(Box::new(WildRun::new(tokens))),
        }
    }

    fn strip_start<'a>(&self, text: &'a str) -> Option<&'a str> {
        match self {
            Self::Text(prefix) => text.strip_prefix(&**prefix),
            Self::Wild(run) => run.strip_start(text),
        }
    }

    fn strip_end<'a>(&self, text: &'a str) -> Option<&'a str> {
        match self {
            Self::Text(suffix) => text.strip_suffix(&**suffix),
            Self::Wild(run) => run.strip_end(text),
        }
    }

    fn longest_literal(&self) -> Option<&[u8]> {
        match self {
            Self::Text(text) => Some(text.as_bytes()).filter(|text| !text.is_empty()),
            Self::Wild(run) => run.longest_literal(),
        }
    }
}

/// A run of characters between two stars.
#[derive(Clone, Debug)]
enum Floating {
    Text(Box<Finder<'static>>),
    Wild(Box<WildRun>),
}

impl Floating {
    fn new(tokens: &[Token]) -> Self {
        match tokens {
            [Token::Text(text)] => Self::Text(Box::new(Finder::new(text.as_bytes()).into_owned())),
            tokens => Self::Wild(Box::new(WildRun::new(tokens))),
        }
    }

    /// The text after the leftmost occurrence.
    fn skip_past<'a>(&self, text: &'a str) -> Option<&'a str> {
        match self {
            Self::Text(finder) => text.get(finder.find(text.as_bytes())? + finder.needle().len()..),
            Self::Wild(run) => run.skip_past(text),
        }
    }

    /// How many words are shifted for each character of the text.
    fn words(&self) -> usize {
        match self {
            Self::Text(_) => 1,
            Self::Wild(run) => run.any.len() + 4,
        }
    }

    fn longest_literal(&self) -> Option<&[u8]> {
        match self {
            Self::Text(finder) => Some(finder.needle()),
            Self::Wild(run) => run.longest_literal(),
        }
    }
}

/// A run with `?` in it, searched for by the Shift-And method: one bit for each character of the run; each character of
/// the text shifts all of them.
#[derive(Clone, Debug)]
struct WildRun {
    /// `None` matches any character.
    characters: Box<[Option<char>]>,
    texts: Box<[Box<str>]>,
    /// The mask of a character that is not in `masks`.
    any: Box<[u64]>,
    /// For each character, the positions in the run where it may occur.
    masks: Box<[(char, Box<[u64]>)]>,
}

impl WildRun {
    fn new(tokens: &[Token]) -> Self {
        let mut characters = Vec::new();
        let mut texts = Vec::new();
        for token in tokens {
            match token {
                Token::Text(text) => {
                    characters.extend(text.chars().map(Some));
                    texts.push(text.as_str().into());
                }
                _ => characters.push(None),
            }
        }
        let places = |fits: &dyn Fn(Option<char>) -> bool| {
            let mut mask = vec![0_u64; characters.len().div_ceil(64)];
            for (place, _) in characters.iter().enumerate().filter(|(_, character)| fits(**character)) {
                if let Some(word) = mask.get_mut(place / 64) {
                    *word |= 1 << (place % 64);
                }
            }
            mask.into_boxed_slice()
        };
        let any = places(&|character| character.is_none());
        let mut distinct: Vec<char> = characters.iter().flatten().copied().collect();
        distinct.sort_unstable();
        distinct.dedup();
        let masks =
            distinct.into_iter().map(|c| (c, places(&|character| character.is_none_or(|fixed| fixed == c)))).collect();
        Self { characters: characters.into(), texts: texts.into(), any, masks }
    }

    fn longest_literal(&self) -> Option<&[u8]> {
        self.texts.iter().map(|text| text.as_bytes()).max_by_key(|text| text.len())
    }

    fn strip_start<'a>(&self, text: &'a str) -> Option<&'a str> {
        let mut characters = text.chars();
        let fits =
            self.characters.iter().all(|want| characters.next().is_some_and(|c| want.is_none_or(|want| want == c)));
        fits.then_some(characters.as_str())
    }

    fn strip_end<'a>(&self, text: &'a str) -> Option<&'a str> {
        let mut characters = text.chars();
        let fits = self
            .characters
            .iter()
            .rev()
            .all(|want| characters.next_back().is_some_and(|c| want.is_none_or(|want| want == c)));
        fits.then_some(characters.as_str())
    }

    fn skip_past<'a>(&self, text: &'a str) -> Option<&'a str> {
        if text.len() < self.characters.len() {
            return None;
        }
        match *self.any {
            [any] => self.skip_past_short(any, text),
            _ => self.skip_past_long(text),
        }
    }

    /// The masks of ASCII characters are in a table, which costs less than to search for the mask of each character of a text.
    fn skip_past_short<'a>(&self, any: u64, text: &'a str) -> Option<&'a str> {
        let mut ascii = [any; 128];
        let masks = || self.masks.iter().filter_map(|(character, mask)| Some((*character, *mask.first()?)));
        for (character, mask) in masks() {
            if let Some(place) = ascii.get_mut(character as usize) {
                *place = mask;
            }
        }
        let other = |character| masks().find(|(known, _)| *known == character).map_or(any, |(_, mask)| mask);
        let last = self.characters.len().checked_sub(1)?;
        let mut state = 0_u64;
        let mut characters = text.chars();
        while let Some(character) = characters.next() {
            let mask = ascii.get(character as usize).copied().unwrap_or_else(|| other(character));
            state = (state << 1 | 1) & mask;
            if state >> last & 1 == 1 {
                return Some(characters.as_str());
            }
        }
        None
    }

    fn skip_past_long<'a>(&self, text: &'a str) -> Option<&'a str> {
        let last = self.characters.len().checked_sub(1)?;
        let mut state: SmallVec<[u64; 16]> = SmallVec::from_elem(0, self.any.len());
        let mut characters = text.chars();
        while let Some(character) = characters.next() {
            let mask = self.masks.binary_search_by_key(&character, |(c, _)| *c).ok().and_then(|at| self.masks.get(at));
            let mask = mask.map_or(&self.any, |(_, mask)| mask);
            let mut carry = 1;
            for (word, mask) in state.iter_mut().zip(mask.iter()) {
                let moved = (*word << 1) | carry;
                carry = *word >> 63;
                *word = moved & mask;
            }
            if state.get(last / 64).is_some_and(|word| word >> (last % 64) & 1 == 1) {
                return Some(characters.as_str());
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pattern(text: &str) -> Pattern {
        Pattern::parse(text, Special { wildcards: true, variables: true })
    }

    fn matches(text: &str, value: &str) -> bool {
        pattern(text).matches(value, &Context::new()).is_yes()
    }

    #[test]
    fn wildcards() {
        for (pattern, text, want) in [
            ("a*c", "abc", true),
            ("a*c", "abcd", false),
            ("a*c", "ac", true),
            ("?", "", false),
            ("?", "é", true),
            ("??", "é", false),
            ("*", "", true),
            ("*", "a/b:c\nd", true),
            ("A", "a", false),
            ("", "", true),
            ("", "a", false),
            ("a.c", "abc", false),
            ("a*b*b", "ab", false),
            ("a*b*b", "abb", true),
            ("*ab*ba*", "aba", false),
            ("*ab*ba*", "abba", true),
            ("a?*?b", "axb", false),
            ("a?*?b", "axyb", true),
            ("*?a", "a", false),
            ("*?a", "ba", true),
            ("*a?c*", "xxaabcxx", true),
            ("*é?*", "é", false),
            ("*é?*", "xéy", true),
            ("x?", "xy", true),
            ("x?", "xyz", false),
        ] {
            assert_eq!(matches(pattern, text), want, "`{pattern}` against `{text}`");
        }
    }

    /// The properties that the index uses.
    #[test]
    fn shapes() {
        for (text, prefix, is_exact, is_prefix, literal) in [
            ("", "", true, false, None),
            ("ab", "ab", true, false, None),
            ("ab*", "ab", false, true, None),
            ("*", "", false, true, None),
            ("ab**", "ab", false, true, None),
            ("a*b", "a", false, false, Some("b")),
            ("a*bb*ccc*dd", "a", false, false, Some("ccc")),
            ("a?bbb*cc", "a", false, false, Some("bbb")),
            ("a*?", "a", false, false, None),
            ("a*b?ccc*d", "a", false, false, Some("ccc")),
            ("a*b*c?dd", "a", false, false, Some("dd")),
            ("*ab*", "", false, false, Some("ab")),
            ("a${k:v}bbb", "a", false, false, None),
        ] {
            let pattern = pattern(text);
            let got = (pattern.prefix(), pattern.is_exact(), pattern.is_prefix());
            assert_eq!(got, (prefix, is_exact, is_prefix), "`{text}`");
            assert_eq!(pattern.longest_literal(), literal.map(str::as_bytes), "`{text}`");
        }
    }

    #[test]
    fn values_of_variables_are_literal() {
        let mut context = Context::new();
        context.set("k:star", "a*c");
        context.set("k:q", "?");
        context.set("k:empty", "");
        context.set_many("k:many", ["a".to_owned()]);
        for (text, value, want) in [
            ("${k:star}", "a*c", Matched::Yes),
            ("${k:star}", "abc", Matched::No),
            ("x/${k:star}/*", "x/a*c/", Matched::Yes),
            ("x/*${k:star}*", "x/1a*c2", Matched::Yes),
            ("x/*${k:star}*", "x/1abc2", Matched::No),
            ("*${k:star}*", "a*c", Matched::Yes),
            ("*${k:star}?*", "a*c", Matched::No),
            ("*${k:star}?*", "za*cé", Matched::Yes),
            ("*${k:q}?", "a?b", Matched::Yes),
            ("*${k:q}?", "abc", Matched::No),
            ("*?${k:q}*x", "a?bx", Matched::Yes),
            ("*?${k:q}*x", "?bx", Matched::No),
            ("*?${k:q}?*", "xy?z", Matched::Yes),
            ("${k:empty}a", "a", Matched::Yes),
            ("*${k:empty}*a", "ba", Matched::Yes),
            ("${k:many}", "a", Matched::NoValue),
            ("zz${k:none}", "a", Matched::NoValue),
            ("${k:none, 'a*'}", "a*", Matched::Yes),
            ("${k:none, 'a*'}", "ab", Matched::No),
            ("${k:star}?", "a*cé", Matched::Yes),
        ] {
            assert_eq!(pattern(text).matches(value, &context), want, "`{text}` against `{value}`");
        }
    }

    #[test]
    fn case_is_ignored_only_where_it_should_be() {
        let mut context = Context::new();
        context.set("k:name", "ÄB");
        for (text, value, want) in [
            ("Abc", "aBC", true),
            ("Abc", "aBCd", false),
            ("Abcd", "aBC", false),
            ("x${k:name}y", "XäbY", true),
            ("x${k:none}y", "xy", false),
            ("x${k:none, 'Z'}", "XZ", true),
        ] {
            let pattern = Pattern::parse(text, Special { wildcards: false, variables: true });
            assert_eq!(pattern.equals_ignoring_case(value, &context), want, "`{text}` `{value}`");
        }
    }

    #[test]
    fn patterns_print_as_they_were_written() {
        for text in ["", "*", "a", "a*", "a*b?c*", "?", "a*bb*c", "*b?", "x/${aws:username}/*", "${a:b, 'c'}?"] {
            assert_eq!(pattern(text).to_string(), text);
        }
    }

    /// Values that repeat themselves are the worst: each place of the text looks like a match for long.
    #[test]
    fn long_values_are_found_in_long_texts() {
        let a = |count: usize| "a".repeat(count);
        let mut context = Context::new();
        context.set("k:a", a(40));
        context.set("k:ab", format!("{}b", a(40)));
        context.set("k:e", "\u{e9}".repeat(40));
        for (text, value, want) in [
            ("*?${k:ab}*", a(200), false),
            ("*?${k:ab}*", format!("{}b", a(200)), true),
            ("*?${k:ab}*", format!("{}b", a(40)), false),
            ("*?${k:ab}*", format!("{}b", a(41)), true),
            ("*${k:a}?${k:ab}*", format!("{}b", a(80)), false),
            ("*${k:a}?${k:ab}*", format!("{}b", a(81)), true),
            ("*${k:a}?${k:ab}*c", format!("{}b{}bc", a(80), a(81)), true),
            ("*${k:ab}?${k:ab}*", format!("{0}b{0}b{0}bbb{0}b", a(40)), false),
            ("*${k:ab}?${k:ab}*", format!("{0}b{0}b?{0}b{0}b", a(40)), true),
            ("*??${k:ab}??*c", format!("{}b{}b12c", a(42), a(42)), true),
            ("*??${k:ab}??*", format!("{}b1", a(42)), false),
            ("*??*${k:ab}*", format!("1{}b", a(40)), false),
            ("*??*${k:ab}*", format!("12{}b", a(40)), true),
            ("*${k:ab}??b?*", format!("{0}b{0}bcdbb", a(40)), true),
            ("*${k:e}?${k:a}*", format!("\u{e9}{}x{}", "\u{e9}".repeat(40), a(40)), true),
            ("*${k:e}?${k:a}*", format!("{}{}", "\u{e9}".repeat(41), a(39)), false),
        ] {
            assert_eq!(pattern(text).matches(&value, &context), Matched::when(want), "`{text}` against `{value}`");
        }
    }

    /// Searched for at each place, this takes minutes.
    #[test]
    fn a_value_of_any_length_costs_no_square() {
        let mut context = Context::new();
        context.set("k:v", format!("{}b", "a".repeat(1 << 20)));
        let text = "a".repeat(1 << 21);
        for text_of_pattern in ["*?${k:v}*", "*${k:v}?*", "*a?${k:v}*"] {
            assert_eq!(pattern(text_of_pattern).matches(&text, &context), Matched::No, "{text_of_pattern}");
        }
    }

    #[test]
    fn runs_longer_than_a_word_are_found() {
        let run = "a".repeat(70);
        let (text, almost) = (format!("zz{run}b!"), format!("zz{run}c!"));
        assert!(matches(&format!("*{run}?*"), &text));
        assert!(matches(&format!("*?{run}b*"), &text));
        assert!(!matches(&format!("*?{run}b*"), &almost));
        assert!(!matches(&format!("*{run}a?*"), &text));
    }

    /// Uses the table of all prefixes, regardless of speed.
    fn naive(pattern: &str, text: &str) -> bool {
        let text: Vec<char> = text.chars().collect();
        let mut reached: Vec<bool> = (0..=text.len()).map(|length| length == 0).collect();
        for wanted in pattern.chars() {
            let mut next = vec![false; text.len() + 1];
            for length in 0..=text.len() {
                next[length] = match wanted {
                    '*' => (0..=length).any(|shorter| reached[shorter]),
                    '?' => length > 0 && reached[length - 1],
                    wanted => length > 0 && reached[length - 1] && text[length - 1] == wanted,
                };
            }
            reached = next;
        }
        reached[text.len()]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 8_000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn patterns_match_as_the_naive_matcher_says(glob in "[ab*?é]{0,12}", text in "[abé\n]{0,14}") {
            prop_assert_eq!(matches(&glob, &text), naive(&glob, &text));
        }

        #[test]
        fn templates_match_as_their_values_written_out(glob in "[ab*?V]{0,10}", value in "[ab]{0,3}", text in "[ab]{0,12}") {
            let mut context = Context::new();
            context.set("k:v", value.clone());
            let template = pattern(&glob.replace('V', "${k:v}")).matches(&text, &context).is_yes();
            prop_assert_eq!(template, naive(&glob.replace('V', &value), &text));
        }
    }
}
