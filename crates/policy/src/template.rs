//! Policy variables: `${aws:username}`, `${aws:PrincipalTag/team, 'none'}`, and the literals `${*}`, `${?}`, `${$}`.

use crate::context::{Context, KeyName};

/// A variable: the condition key that it stands for, and its default.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Variable {
    pub key: KeyName,
    pub default: Option<Box<str>>,
}

impl Variable {
    /// Its value in a request. Multivalued keys have none (IAM User Guide, "Policy variables").
    pub fn resolve<'a>(&'a self, context: &'a Context) -> Option<&'a str> {
        match context.lookup(&self.key) {
            Some(found) => found.single(),
            None => self.default.as_deref(),
        }
    }
}

/// A piece of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    Text(String),
    /// `?`
    One,
    /// `*`
    Many,
    Variable(Variable),
}

/// What has a special meaning in a text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Special {
    pub wildcards: bool,
    pub variables: bool,
}

/// Splits a text into tokens. What only looks like a variable stays as it is.
pub(crate) fn tokens(text: &str, special: Special) -> Vec<Token> {
    let mut all = Tokens(Vec::new());
    let mut rest = text;
    while let Some(at) = rest.find(|c| (special.wildcards && matches!(c, '*' | '?')) || (special.variables && c == '$'))
    {
        let (before, from) = rest.split_at(at);
        all.text(before);
        if let Some(after) = from.strip_prefix('*') {
            all.many();
            rest = after;
        } else if let Some(after) = from.strip_prefix('?') {
            all.0.push(Token::One);
            rest = after;
        } else if let Some((token, after)) = variable(from) {
            match token {
                Token::Text(text) => all.text(&text),
                token => all.0.push(token),
            }
            rest = after;
        } else {
            all.text("$");
            rest = from.get(1..).unwrap_or_default();
        }
    }
    all.text(rest);
    all.0
}

struct Tokens(Vec<Token>);

impl Tokens {
    fn text(&mut self, text: &str) {
        match self.0.last_mut() {
            _ if text.is_empty() => {}
            Some(Token::Text(last)) => last.push_str(text),
            _ => self.0.push(Token::Text(text.to_owned())),
        }
    }

    /// `**` means the same as `*`.
    fn many(&mut self) {
        if self.0.last() != Some(&Token::Many) {
            self.0.push(Token::Many);
        }
    }
}

/// The variable at the beginning of a text, and what follows it.
fn variable(text: &str) -> Option<(Token, &str)> {
    let inner = text.strip_prefix("${")?;
    for literal in ["*", "?", "$"] {
        if let Some(after) = inner.strip_prefix(literal).and_then(|rest| rest.strip_prefix('}')) {
            return Some((Token::Text(literal.to_owned()), after));
        }
    }
    // Stop at a character that no key contains: otherwise each `${` of a text with many would be read to the end of the
    // text.
    let end = inner.find([',', '}', '$', '{', '*', '?', '\''])?;
    let (key, rest) = inner.split_at(end);
    let key = key.trim();
    if key.is_empty() || !rest.starts_with([',', '}']) {
        return None;
    }
    let key = KeyName::new(key);
    if let Some(after) = rest.strip_prefix('}') {
        return Some((Token::Variable(Variable { key, default: None }), after));
    }
    let quoted = rest.strip_prefix(',')?.trim_start().strip_prefix('\'')?;
    let (default, after) = quoted.split_once('\'')?;
    let after = after.trim_start().strip_prefix('}')?;
    Some((Token::Variable(Variable { key, default: Some(default.into()) }), after))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(text: &str, special: Special) -> String {
        let show = |token: Token| match token {
            Token::Text(text) => format!("{text:?}"),
            Token::One => "ONE".to_owned(),
            Token::Many => "MANY".to_owned(),
            Token::Variable(Variable { key, default }) => format!("{}={default:?}", key.as_str()),
        };
        tokens(text, special).into_iter().map(show).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn texts_are_split() {
        let all = Special { wildcards: true, variables: true };
        for (text, want) in [
            ("", ""),
            ("a**b?", "\"a\" MANY \"b\" ONE"),
            ("x/${aws:UserName}/*", "\"x/\" aws:username=None \"/\" MANY"),
            ("${a:b, 'c d'}e", "a:b=Some(\"c d\") \"e\""),
            ("${a:b,'*'}", "a:b=Some(\"*\")"),
            ("1${*}2${?}3${$}", "\"1*2?3$\""),
            ("${", "\"${\""),
            ("${}", "\"${}\""),
            ("$x${a", "\"$x${a\""),
            ("${a:b, c}", "\"${a:b, c}\""),
            ("${a:b, 'c}", "\"${a:b, 'c}\""),
            ("${${a:b}}", "\"${\" a:b=None \"}\""),
            ("é*ü", "\"é\" MANY \"ü\""),
        ] {
            assert_eq!(show(text, all), want, "{text}");
        }
        assert_eq!(show("${aws:username}*", Special { wildcards: true, variables: false }), "\"${aws:username}\" MANY");
        assert_eq!(
            show("${aws:username}*${*}", Special { wildcards: false, variables: true }),
            "aws:username=None \"**\""
        );
    }
}
