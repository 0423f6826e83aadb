//! Restates an identity policy for SeaweedFS's evaluators, which know less of the policy language and ignore what they
//! do not know.
//!
//! The restated policy never allows more than the original. An Allow that they would not understand is left out. A Deny
//! that they would not understand loses the part in question, and so denies more. A single document that SeaweedFS
//! cannot read stops it from loading all others, so this writes only forms that it certainly reads. What it understands
//! was measured on 4.48, with and without `-iam.config`, which select different evaluators.

use std::borrow::Cow;
use std::collections::BTreeMap;

use ids::Network;
use serde::Serialize;

use crate::action_element::actions_of;
use crate::context::Context;
use crate::grammar::{Comparison, Condition, Effect, Statement};
use crate::pattern::Pattern;
use crate::policy::Policy;
use crate::template::Special;

/// A policy restated for SeaweedFS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyForSeaweedFs {
    /// The document.
    pub text: String,
    /// Whether it means exactly the same as the original.
    pub is_exact: bool,
}

/// The only variable whose value both evaluators know.
const VARIABLE: &str = "${aws:username}";
/// The keys that both know, spelled as they expect them, and whether their values are addresses.
const KEYS: [(&str, bool); 3] = [("aws:SourceIp", true), ("aws:username", false), ("s3:prefix", false)];

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Document<'a> {
    version: &'static str,
    statement: Vec<Plain<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Plain<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<&'a str>,
    effect: &'static str,
    action: Vec<Cow<'a, str>>,
    resource: Vec<&'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    condition: Conditions<'a>,
}

type Conditions<'a> = BTreeMap<&'static str, BTreeMap<&'static str, &'a [String]>>;

impl Policy {
    /// Restates the policy for SeaweedFS.
    pub fn for_seaweedfs(&self) -> PolicyForSeaweedFs {
        let variables = self.document().version.has_variables();
        let (mut statement, mut is_exact) = (Vec::new(), true);
        for (plain, exact) in self.document().statements.iter().map(|statement| restated(statement, variables)) {
            statement.extend(plain);
            is_exact &= exact;
        }
        if statement.is_empty() {
            // Without any policy the user would regain the legacy actions that a policy replaces.
            let action = vec![Cow::Borrowed("kelpgate:Nothing")];
            statement.push(Plain { action, ..denial() });
        }
        PolicyForSeaweedFs { text: text(statement), is_exact }
    }
}

impl PolicyForSeaweedFs {
    /// Replaces a policy that cannot be read. It denies everything.
    pub fn unreadable() -> Self {
        Self { text: text(vec![denial()]), is_exact: false }
    }
}

fn denial() -> Plain<'static> {
    let action = vec![Cow::Borrowed("*")];
    Plain { sid: None, effect: "Deny", action, resource: vec!["*"], condition: Conditions::new() }
}

fn text(statement: Vec<Plain<'_>>) -> String {
    // Serialising our plain data (strings, maps with string keys) cannot fail.
    serde_json::to_string(&Document { version: "2012-10-17", statement }).unwrap_or_default()
}

/// What remains of a statement, and whether that is all of it.
fn restated(statement: &Statement, variables: bool) -> (Option<Plain<'_>>, bool) {
    let action = actions(statement);
    let resource = resources(statement, variables);
    let (condition, all_conditions) = conditions(&statement.conditions);
    let is_exact = statement.principal.is_none() && action.is_some() && resource.is_some() && all_conditions;
    let sid = statement.sid.as_deref().filter(|sid| !sid.is_empty());
    let everything = denial();
    let (action, resource) = (action.unwrap_or(everything.action), resource.unwrap_or(everything.resource));
    let effect = match statement.effect {
        Effect::Allow if !is_exact => return (None, false),
        Effect::Allow => "Allow",
        Effect::Deny => "Deny",
    };
    (Some(Plain { sid, effect, action, resource, condition }), is_exact)
}

/// SeaweedFS does not know NotAction, and one of its evaluators is case-sensitive: `s3:getobject` is not
/// `s3:GetObject`.
fn actions(statement: &Statement) -> Option<Vec<Cow<'_, str>>> {
    if statement.action.not || statement.action.patterns.is_empty() {
        return None;
    }
    let mut actions = Vec::new();
    for pattern in &statement.action.patterns {
        let known = actions_of(pattern);
        if known.iter().all(|action| is_spelled(pattern, action.as_str())) {
            actions.push(Cow::Borrowed(pattern.as_str()));
        } else {
            actions.extend(known.iter().map(|action| Cow::Borrowed(action.as_str())));
        }
    }
    Some(actions)
}

/// Whether a pattern covers a name, case-sensitively.
fn is_spelled(pattern: &str, name: &str) -> bool {
    Pattern::parse(pattern, Special { wildcards: true, variables: false }).matches(name, &Context::new()).is_yes()
}

/// SeaweedFS does not know NotResource, and names IAM's own resources differently from Kelpgate.
fn resources(statement: &Statement, variables: bool) -> Option<Vec<&str>> {
    let resource = statement.resource.as_ref().filter(|resource| !resource.not && !resource.patterns.is_empty())?;
    let plain = |pattern: &str| {
        let rest = if variables { pattern.replace(VARIABLE, "") } else { pattern.to_owned() };
        pattern == "*" || (rest.starts_with("arn:aws:s3:::") && !rest.contains("${"))
    };
    let all = resource.patterns.iter().all(|pattern| plain(pattern));
    all.then(|| resource.patterns.iter().map(String::as_str).collect())
}

/// The conditions that SeaweedFS evaluates as Kelpgate does, and whether those are all.
fn conditions(conditions: &[Condition]) -> (Conditions<'_>, bool) {
    let (mut understood, mut all) = (Conditions::new(), true);
    for condition in conditions {
        match plain_condition(condition) {
            Some((operator, key)) if !understood.get(operator).is_some_and(|keys| keys.contains_key(key)) => {
                understood.entry(operator).or_default().insert(key, &condition.values);
            }
            _ => all = false,
        }
    }
    (understood, all)
}

fn plain_condition(condition: &Condition) -> Option<(&'static str, &'static str)> {
    use Comparison::{IpAddress, NotIpAddress, StringEquals, StringLike, StringNotEquals, StringNotLike};
    let operator = condition.operator;
    let (key, is_address) = KEYS.into_iter().find(|(key, _)| key.eq_ignore_ascii_case(&condition.key))?;
    let is_plain: fn(&String) -> bool = match operator.comparison {
        StringLike | StringNotLike if !is_address => |value| !value.contains("${"),
        // Without wildcards: SeaweedFS's versions differ in whether they are plain text here.
        StringEquals | StringNotEquals if !is_address => |value| !value.contains(['$', '*', '?']),
        IpAddress | NotIpAddress if is_address => |value| value.parse::<Network>().is_ok(),
        _ => return None,
    };
    let is_bare = operator.set.is_none() && !operator.if_exists && !condition.values.is_empty();
    (is_bare && condition.values.iter().all(is_plain)).then(|| (operator.comparison.name(), key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy_kind::PolicyKind;

    const NOTHING: &str = r#"{"Effect":"Deny","Action":["kelpgate:Nothing"],"Resource":["*"]}"#;

    fn document(statements: &str) -> String {
        format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#)
    }

    fn restated(text: &str) -> PolicyForSeaweedFs {
        Policy::parse_stored(PolicyKind::Identity, text).unwrap().for_seaweedfs()
    }

    #[test]
    fn what_seaweedfs_understands_is_unchanged() {
        for statements in [
            r#"{"Sid":"A","Effect":"Allow","Action":["s3:GetObject"],"Resource":["arn:aws:s3:::b/*"]}"#,
            r#"{"Effect":"Deny","Action":["*"],"Resource":["*"]}"#,
            r#"{"Effect":"Deny","Action":["s3:Get*","iam:*"],"Resource":["arn:aws:s3:::b/${aws:username}/?"]}"#,
            r#"{"Effect":"Allow","Action":["s3:*"],"Resource":["*"],"Condition":{"IpAddress":{"aws:SourceIp":["10.0.0.0/8"]},"StringNotLike":{"s3:prefix":["a*"]}}}"#,
            r#"{"Effect":"Allow","Action":["s3:*"],"Resource":["*"]},{"Effect":"Deny","Action":["s3:*"],"Resource":["arn:aws:s3:::b"]}"#,
        ] {
            let text = document(statements);
            assert_eq!(restated(&text), PolicyForSeaweedFs { text: text.clone(), is_exact: true });
        }
    }

    #[test]
    fn spelling_is_corrected() {
        for (given, want) in [
            (
                r#"{"Effect":"Deny","Action":"S3:getobject","Resource":"*"}"#,
                r#"{"Effect":"Deny","Action":["s3:GetObject"],"Resource":["*"]}"#,
            ),
            (
                r#"{"Effect":"Deny","Action":"s3:getobjectt*","Resource":"*"}"#,
                r#"{"Effect":"Deny","Action":["s3:GetObjectTagging","s3:GetObjectTorrent"],"Resource":["*"]}"#,
            ),
            (
                r#"{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"StringEquals":{"AWS:UserName":"al"}}}"#,
                r#"{"Effect":"Allow","Action":["s3:*"],"Resource":["*"],"Condition":{"StringEquals":{"aws:username":["al"]}}}"#,
            ),
        ] {
            assert_eq!(restated(&document(given)), PolicyForSeaweedFs { text: document(want), is_exact: true });
        }
    }

    #[test]
    fn what_seaweedfs_does_not_understand_allows_nothing_and_denies_more() {
        // What follows $EFFECT in a statement, and what remains of its Deny. Nothing remains of its Allow.
        let all = r#""Action":["*"],"Resource":["*"]"#;
        let get = r#""Action":["s3:GetObject"],"Resource":["*"]"#;
        for (rest, denial) in [
            (r#""NotAction":"s3:GetObject","Resource":"*""#, all),
            (r#""Action":"s3:GetObject","NotResource":"arn:aws:s3:::b/*""#, get),
            (r#""Action":"s3:GetObject""#, get),
            (r#""Action":"s3:GetObject","Resource":["arn:aws:s3:::b","arn:aws:iam::000000000000:user/al"]"#, get),
            (r#""Action":"s3:GetObject","Resource":"arn:aws:s3:::b/${aws:PrincipalTag/t}""#, get),
            (r#""Action":"s3:GetObject","Resource":"arn:aws:s3:::b/${aws:username, 'x'}""#, get),
            (r#""Action":"s3:GetObject","Resource":"*","Principal":"*""#, get),
            (r#""Action":"s3:GetObject","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"false"}}"#, get),
            (
                r#""Action":"s3:GetObject","Resource":"*","Condition":{"StringEqualsIfExists":{"aws:username":"al"}}"#,
                get,
            ),
            (
                r#""Action":"s3:GetObject","Resource":"*","Condition":{"ForAnyValue:StringEquals":{"aws:username":"al"}}"#,
                get,
            ),
            (r#""Action":"s3:GetObject","Resource":"*","Condition":{"StringEquals":{"aws:username":"a*"}}"#, get),
            (
                r#""Action":"s3:GetObject","Resource":"*","Condition":{"StringLike":{"aws:username":"${s3:prefix}"}}"#,
                get,
            ),
            (r#""Action":"s3:GetObject","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"ten"}}"#, get),
            (r#""Action":"s3:GetObject","Resource":"*","Condition":{"StringLike":{"aws:SourceIp":"10.*"}}"#, get),
            (r#""Action":"s3:GetObject","Resource":"*","Condition":{"StringLike":{"aws:UserAgent":"x"}}"#, get),
        ] {
            let statement = |effect: &str| document(&format!(r#"{{"Effect":"{effect}",{rest}}}"#));
            let want = PolicyForSeaweedFs { text: document(NOTHING), is_exact: false };
            assert_eq!(restated(&statement("Allow")), want, "{rest}");
            let want =
                PolicyForSeaweedFs { text: document(&format!(r#"{{"Effect":"Deny",{denial}}}"#)), is_exact: false };
            assert_eq!(restated(&statement("Deny")), want, "{rest}");
        }
        // Conditions that SeaweedFS understands still limit a Deny, even next to one that it does not understand.
        let two = r#""Condition":{"IpAddress":{"aws:SourceIp":["10.0.0.0/8"]},"Null":{"s3:prefix":"true"}}"#;
        let one = r#""Condition":{"IpAddress":{"aws:SourceIp":["10.0.0.0/8"]}}"#;
        let deny = |condition| document(&format!(r#"{{"Effect":"Deny",{get},{condition}}}"#));
        assert_eq!(restated(&deny(two)), PolicyForSeaweedFs { text: deny(one), is_exact: false });
        // Other statements of the policy remain, and in old documents `${` is plain text.
        let allow = r#"{"Effect":"Allow","Action":["s3:GetObject"],"Resource":["*"]}"#;
        let given = format!(r#"{allow},{{"Effect":"Allow","NotAction":"s3:GetObject","Resource":"*"}}"#);
        assert_eq!(restated(&document(&given)).text, document(allow));
        let old = r#"{"Version":"2008-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::b/${aws:username}"}}"#;
        assert_eq!(restated(old).text, document(NOTHING));
        assert_eq!(PolicyForSeaweedFs::unreadable().text, document(&format!(r#"{{"Effect":"Deny",{all}}}"#)));
    }
}
