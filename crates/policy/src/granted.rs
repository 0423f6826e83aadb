//! What a policy grants, pattern by pattern, and which of it nobody used.

use std::collections::BTreeSet;

use crate::action::{Action, ActionSet};
use crate::action_element::{action_matches, actions_of};
use crate::grammar::Effect;
use crate::policy::Policy;

/// One action pattern of an Allow statement that was not used, or not for all of its actions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnusedGrant {
    /// The position of the statement in the document, from 0.
    pub statement: usize,
    /// Its `Sid`.
    pub sid: Option<String>,
    /// The pattern as it is written; of a `NotAction`, all of its patterns, with `NotAction ` before them.
    pub pattern: String,
    /// The actions that were used; empty if none was.
    pub used: Vec<String>,
}

impl Policy {
    /// The patterns of Allow statements that cover more than the actions in `used`. A pattern that covers several actions
    /// and was used for some of them is returned with these; one of a single action that was used is not returned.
    pub fn unused_grants(&self, used: &BTreeSet<String>) -> Vec<UnusedGrant> {
        let mut unused = Vec::new();
        for (statement, written) in self.document().statements.iter().enumerate() {
            if written.effect != Effect::Allow {
                continue;
            }
            let element = &written.action;
            let patterns: Vec<Vec<&str>> = if element.not {
                vec![element.patterns.iter().map(String::as_str).collect()]
            } else {
                element.patterns.iter().map(|pattern| vec![pattern.as_str()]).collect()
            };
            for patterns in patterns {
                let covers = |name: &str| patterns.iter().any(|pattern| action_matches(pattern, name)) != element.not;
                let these: Vec<String> = used.iter().filter(|name| covers(name)).cloned().collect();
                if these.is_empty() || these.len() < known(&patterns, element.not) {
                    let listed = patterns.join(", ");
                    let pattern = if element.not { format!("NotAction {listed}") } else { listed };
                    let sid = written.sid.clone();
                    unused.push(UnusedGrant { statement, sid, pattern, used: these });
                }
            }
        }
        unused
    }
}

/// How many known actions these patterns cover.
fn known(patterns: &[&str], not: bool) -> usize {
    let covered = patterns.iter().fold(ActionSet::default(), |covered, pattern| covered.union(actions_of(pattern)));
    let covered = covered.len() as usize;
    if not { Action::COUNT.saturating_sub(covered) } else { covered }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy_kind::PolicyKind;

    #[test]
    fn patterns_that_cover_more_than_was_used() {
        let text = r#"{"Version": "2012-10-17", "Statement": [
            {"Sid": "Reads", "Effect": "Allow", "Action": ["s3:GetObject", "s3:GetObjectT*"], "Resource": "*"},
            {"Effect": "Deny", "Action": "s3:DeleteObject", "Resource": "*"},
            {"Effect": "Allow", "NotAction": ["iam:*", "s3:Delete*"], "Resource": "*"}]}"#;
        let policy = Policy::parse_stored(PolicyKind::Identity, text).unwrap();
        let not = "2 - NotAction iam:*, s3:Delete*";
        for (used, want) in [
            (&[][..], vec!["0 Reads s3:GetObject", "0 Reads s3:GetObjectT*", not]),
            (&["s3:GetObject"], vec!["0 Reads s3:GetObjectT*", "2 - NotAction iam:*, s3:Delete*: s3:GetObject"]),
            (&["s3:getobject"], vec!["0 Reads s3:GetObjectT*", "2 - NotAction iam:*, s3:Delete*: s3:getobject"]),
            (
                &["s3:GetObjectTagging", "iam:GetUser"],
                vec![
                    "0 Reads s3:GetObject",
                    "0 Reads s3:GetObjectT*: s3:GetObjectTagging",
                    "2 - NotAction iam:*, s3:Delete*: s3:GetObjectTagging",
                ],
            ),
            (&["s3:DeleteObject"], vec!["0 Reads s3:GetObject", "0 Reads s3:GetObjectT*", not]),
        ] {
            let used: BTreeSet<String> = used.iter().map(|name| (*name).to_owned()).collect();
            let told = |grant: UnusedGrant| {
                let sid = grant.sid.as_deref().unwrap_or("-");
                let used = if grant.used.is_empty() { String::new() } else { format!(": {}", grant.used.join(" ")) };
                format!("{} {sid} {}{used}", grant.statement, grant.pattern)
            };
            let found: Vec<String> = policy.unused_grants(&used).into_iter().map(told).collect();
            assert_eq!(found, want, "{used:?}");
        }
    }
}
