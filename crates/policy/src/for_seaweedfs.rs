//! An identity policy restated for SeaweedFS's evaluators, which know less of the language, and pass over what they do not know.
//!
//! What is left of the policy there never allows more than the policy does: an Allow that they would not understand is left out, a Deny
//! that they would not understand loses the part in question and so denies more. One document that SeaweedFS cannot read stops it from
//! loading all others, so only the shapes that it surely reads are written. What it understands was measured on 4.48, with
//! `-iam.config` and without, which are two evaluators.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Serialize;

use crate::action_element::actions_of;
use crate::context::Context;
use crate::grammar::{Comparison, Condition, Effect, Statement};
use crate::pattern::Pattern;
use crate::policy::Policy;
use crate::template::Special;
use crate::value::AddressRange;

/// A policy as SeaweedFS gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restated {
    /// The document.
    pub text: String,
    /// Whether it means the same as the policy.
    pub is_exact: bool,
}

/// The one variable whose value both of them know.
const VARIABLE: &str = "${aws:username}";
/// The keys that they know, spelled as they want them, and whether they are addresses.
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
    /// The policy for SeaweedFS.
    pub fn restated(&self) -> Restated {
        let variables = self.document().version.has_variables();
        let (mut statement, mut is_exact) = (Vec::new(), true);
        for (plain, exact) in self.document().statements.iter().map(|statement| restated(statement, variables)) {
            statement.extend(plain);
            is_exact &= exact;
        }
        if statement.is_empty() {
            // A user without any policy would get back the legacy actions that a policy takes the place of.
            let action = vec![Cow::Borrowed("kelpgate:Nothing")];
            statement.push(Plain { action, ..denial() });
        }
        Restated { text: text(statement), is_exact }
    }
}

impl Restated {
    /// What stands for a policy that cannot be read: it denies everything.
    pub fn unreadable() -> Self {
        Self { text: text(vec![denial()]), is_exact: false }
    }
}

fn denial() -> Plain<'static> {
    let action = vec![Cow::Borrowed("*")];
    Plain { sid: None, effect: "Deny", action, resource: vec!["*"], condition: Conditions::new() }
}

fn text(statement: Vec<Plain<'_>>) -> String {
    // Serialising plain data of ours (strings, maps with text keys) has no failure.
    serde_json::to_string(&Document { version: "2012-10-17", statement }).unwrap_or_default()
}

/// What is left of a statement, and whether that is all of it.
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

/// SeaweedFS does not know NotAction, and one of its evaluators tells `s3:getobject` from `s3:GetObject`.
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

/// Whether a pattern covers a name where case counts.
fn is_spelled(pattern: &str, name: &str) -> bool {
    Pattern::parse(pattern, Special { wildcards: true, variables: false }).matches(name, &Context::new()).is_yes()
}

/// SeaweedFS knows no NotResource, and IAM's own resources not as Kelpgate names them.
fn resources(statement: &Statement, variables: bool) -> Option<Vec<&str>> {
    let resource = statement.resource.as_ref().filter(|resource| !resource.not && !resource.patterns.is_empty())?;
    let plain = |pattern: &str| {
        let rest = if variables { pattern.replace(VARIABLE, "") } else { pattern.to_owned() };
        pattern == "*" || (rest.starts_with("arn:aws:s3:::") && !rest.contains("${"))
    };
    let all = resource.patterns.iter().all(|pattern| plain(pattern));
    all.then(|| resource.patterns.iter().map(String::as_str).collect())
}

/// The conditions that SeaweedFS tests as Kelpgate does, and whether those are all.
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
        // Without wildcards: whether they are plain text here is not the same in all versions.
        StringEquals | StringNotEquals if !is_address => |value| !value.contains(['$', '*', '?']),
        IpAddress | NotIpAddress if is_address => |value| AddressRange::parse(value).is_some(),
        _ => return None,
    };
    let is_bare = operator.set.is_none() && !operator.if_exists && !condition.values.is_empty();
    (is_bare && condition.values.iter().all(is_plain)).then(|| (operator.comparison.name(), key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::PolicyKind;

    const NOTHING: &str = r#"{"Effect":"Deny","Action":["kelpgate:Nothing"],"Resource":["*"]}"#;

    fn document(statements: &str) -> String {
        format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#)
    }

    fn restated(text: &str) -> Restated {
        Policy::parse_stored(PolicyKind::Identity, text).unwrap().restated()
    }

    #[test]
    fn what_is_understood_stays_as_it_is() {
        for statements in [
            r#"{"Sid":"A","Effect":"Allow","Action":["s3:GetObject"],"Resource":["arn:aws:s3:::b/*"]}"#,
            r#"{"Effect":"Deny","Action":["*"],"Resource":["*"]}"#,
            r#"{"Effect":"Deny","Action":["s3:Get*","iam:*"],"Resource":["arn:aws:s3:::b/${aws:username}/?"]}"#,
            r#"{"Effect":"Allow","Action":["s3:*"],"Resource":["*"],"Condition":{"IpAddress":{"aws:SourceIp":["10.0.0.0/8"]},"StringNotLike":{"s3:prefix":["a*"]}}}"#,
            r#"{"Effect":"Allow","Action":["s3:*"],"Resource":["*"]},{"Effect":"Deny","Action":["s3:*"],"Resource":["arn:aws:s3:::b"]}"#,
        ] {
            let text = document(statements);
            assert_eq!(restated(&text), Restated { text: text.clone(), is_exact: true });
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
            assert_eq!(restated(&document(given)), Restated { text: document(want), is_exact: true });
        }
    }

    #[test]
    fn what_is_not_understood_allows_nothing_and_denies_more() {
        // What a statement has in place of $EFFECT, and what is left of its Deny; of its Allow nothing is.
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
            let want = Restated { text: document(NOTHING), is_exact: false };
            assert_eq!(restated(&statement("Allow")), want, "{rest}");
            let want = Restated { text: document(&format!(r#"{{"Effect":"Deny",{denial}}}"#)), is_exact: false };
            assert_eq!(restated(&statement("Deny")), want, "{rest}");
        }
        // Conditions that are understood still limit a Deny, beside one that is not.
        let two = r#""Condition":{"IpAddress":{"aws:SourceIp":["10.0.0.0/8"]},"Null":{"s3:prefix":"true"}}"#;
        let one = r#""Condition":{"IpAddress":{"aws:SourceIp":["10.0.0.0/8"]}}"#;
        let deny = |condition| document(&format!(r#"{{"Effect":"Deny",{get},{condition}}}"#));
        assert_eq!(restated(&deny(two)), Restated { text: deny(one), is_exact: false });
        // Other statements of the policy stay, and in old documents `${` is plain text.
        let allow = r#"{"Effect":"Allow","Action":["s3:GetObject"],"Resource":["*"]}"#;
        let given = format!(r#"{allow},{{"Effect":"Allow","NotAction":"s3:GetObject","Resource":"*"}}"#);
        assert_eq!(restated(&document(&given)).text, document(allow));
        let old = r#"{"Version":"2008-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::b/${aws:username}"}}"#;
        assert_eq!(restated(old).text, document(NOTHING));
        assert_eq!(Restated::unreadable().text, document(&format!(r#"{{"Effect":"Deny",{all}}}"#)));
    }
}
