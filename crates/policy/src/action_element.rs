//! `Action` and `NotAction`. Case is ignored; `*` and `?` match any characters, including the colon.

use crate::action::{Action, ActionSet, RequestAction};
use crate::grammar::ActionElement;

#[derive(Clone, Debug)]
pub(crate) struct ActionTest {
    /// The known actions that the statement covers. For a NotAction these are all actions that its list does not cover.
    known: ActionSet,
    not: bool,
    /// The patterns, for actions that are not in the table.
    patterns: Box<[Box<str>]>,
}

impl ActionTest {
    pub fn new(element: &ActionElement) -> Self {
        let mut known = ActionSet::default();
        for pattern in &element.patterns {
            known = known.union(actions_of(pattern));
        }
        let known = if element.not { known.complement() } else { known };
        let patterns = element.patterns.iter().map(|pattern| pattern.as_str().into()).collect();
        Self { known, not: element.not, patterns }
    }

    pub fn is_not(&self) -> bool {
        self.not
    }

    pub fn patterns(&self) -> impl Iterator<Item = &str> {
        self.patterns.iter().map(|pattern| &**pattern)
    }

    pub fn known(&self) -> &ActionSet {
        &self.known
    }

    pub fn matches(&self, action: RequestAction<'_>) -> bool {
        match action {
            RequestAction::Known(action) => self.known.contains(action),
            RequestAction::Other(name) => self.patterns.iter().any(|pattern| action_matches(pattern, name)) != self.not,
        }
    }
}

/// The known actions that a pattern covers.
pub(crate) fn actions_of(pattern: &str) -> ActionSet {
    let mut set = ActionSet::default();
    match pattern.find(['*', '?']) {
        None => Action::named(pattern).into_iter().for_each(|action| set.insert(action)),
        Some(at) => {
            let prefix = pattern.get(..at).unwrap_or_default();
            let is_prefix = pattern.get(at..) == Some("*");
            for action in Action::with_prefix(prefix) {
                if is_prefix || action_matches(pattern, action.as_str()) {
                    set.insert(action);
                }
            }
        }
    }
    set
}

/// Whether an action pattern covers a name.
pub(crate) fn action_matches(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    let (mut p, mut n) = (0, 0);
    // The position of the last star, and how much of the name it has matched.
    let mut star: Option<(usize, usize)> = None;
    while let Some(character) = name.get(n) {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(wanted) if *wanted == b'?' || wanted.eq_ignore_ascii_case(character) => {
                p += 1;
                n += 1;
            }
            _ => {
                // Go back to the star and let it match one more character.
                let Some((at, taken)) = star else { return false };
                (p, n) = (at, taken + 1);
            }
        }
    }
    pattern.get(p..).unwrap_or_default().iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_cover_names() {
        for (pattern, name, want) in [
            ("s3:GetObject", "S3:getobject", true),
            ("s3:GetObject", "s3:GetObjectVersion", false),
            ("s3:Get*", "s3:GetObject", true),
            ("s3:*Object", "s3:GetObject", true),
            ("s3:*Object", "s3:GetObjectAcl", false),
            ("s3:Get??ject", "s3:GetObject", true),
            ("s3:Get?ject", "s3:GetObject", false),
            ("*", "ec2:RunInstances", true),
            ("s3:*", "s3express:CreateSession", false),
            ("s3*", "s3express:CreateSession", true),
            ("*:Get*", "s3:GetObject", true),
            ("s3:.*", "s3:GetObject", false),
            ("", "", true),
            ("**", "", true),
            ("a*a*a*b", "aaaaaaaaaaaa", false),
        ] {
            assert_eq!(action_matches(pattern, name), want, "{pattern} {name}");
        }
    }

    #[test]
    fn known_actions_are_those_that_match() {
        for pattern in [
            "*",
            "s3:*",
            "S3:GET*",
            "s3:Get*Acl",
            "s3:?etObject",
            "*Tag*",
            "iam:*",
            "sts:assumerole",
            "s3:Nope",
            "?",
            "s3:GetObject*n",
        ] {
            let set = actions_of(pattern);
            for action in Action::all() {
                assert_eq!(set.contains(action), action_matches(pattern, action.as_str()), "{pattern} {action}");
            }
        }
    }
}
