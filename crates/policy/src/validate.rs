use std::cmp::Reverse;
use std::collections::{BTreeSet, HashSet};

use ids::Network;
use serde::Serialize;

use crate::action::{Action, ActionSet};
use crate::action_element::actions_of;
use crate::action_facts::ResourceType;
use crate::fault::Fault;
use crate::grammar::{Comparison, Condition, Document, Effect, PrincipalKind, Statement, nearest};
use crate::policy::Policy;
use crate::policy_kind::PolicyKind;
use crate::public::is_public;
use crate::rules::{fitting, is_known_key, nearest_key};
use crate::template::{Special, Token, tokens};
use crate::value::{Decimal, Instant, decode_binary, parse_bool};

/// How much a finding matters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Severity {
    /// The document is refused, or has no effect as written.
    Error,
    /// It grants more than it seems to.
    SecurityWarning,
    /// It may not do what it seems to say.
    Warning,
    /// It could be written better.
    Suggestion,
}

/// One remark about a document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How much it matters.
    pub severity: Severity,
    /// Where: `Statement[0].Action[1]`.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub advice: String,
}

/// Checks a document as ValidatePolicy does. `bucket` is the bucket of a bucket policy, if it is known. The findings
/// are in the order of the document, except that an error for which it is refused comes first.
pub fn validate(kind: PolicyKind, bucket: Option<&str>, text: &str) -> Vec<Finding> {
    let parsed = match (kind, bucket) {
        (PolicyKind::Bucket, Some(bucket)) => Policy::parse_bucket(bucket, text),
        _ => Policy::parse(kind, text),
    };
    let mut findings = Findings { all: Vec::new() };
    if let Err(error) = parsed {
        let advice = "correct this; otherwise the document is refused".to_owned();
        findings.all.push(Finding {
            severity: Severity::Error,
            path: error.path().to_owned(),
            message: error.to_string(),
            advice,
        });
    }
    if let Ok(document) = Document::parse(text).map_err(|_: Fault| ()) {
        findings.document(kind, &document);
    }
    findings.all
}

/// After this many findings the search for near words stops, because each search compares with every existing name.
const NEAR_WORDS_MAX: usize = 100;
/// How many different sets of actions, the largest of a list, are checked for whether they cover the others.
const COVERING_MAX: usize = 256;

struct Findings {
    all: Vec<Finding>,
}

impl Findings {
    fn push(
        &mut self,
        severity: Severity,
        path: impl Into<String>,
        message: impl Into<String>,
        advice: impl Into<String>,
    ) {
        self.all.push(Finding { severity, path: path.into(), message: message.into(), advice: advice.into() });
    }

    /// The word that a search finds, unless there are too many findings already.
    fn near(&self, search: impl FnOnce() -> Option<&'static str>) -> Option<&'static str> {
        if self.all.len() < NEAR_WORDS_MAX { search() } else { None }
    }

    fn document(&mut self, kind: PolicyKind, document: &Document) {
        if !document.version.has_variables() {
            let message = "the version is 2008-10-17, in which policy variables are plain text";
            self.push(Severity::Warning, "Version", message, "write \"Version\": \"2012-10-17\"");
        }
        if kind == PolicyKind::Bucket && is_public(document) {
            let message = "the policy is public: everyone, including anonymous callers, may do what it allows";
            self.push(
                Severity::SecurityWarning,
                "",
                message,
                "name the principals, or add a condition with fixed values, such as aws:SourceVpc",
            );
        }
        let mut sids = BTreeSet::new();
        for (i, statement) in document.statements.iter().enumerate() {
            let path = document.path(i);
            if let Some(sid) = statement.sid.as_deref()
                && !sids.insert(sid)
                && kind == PolicyKind::Bucket
            {
                let message = format!("the Sid `{sid}` occurs twice, so decisions do not show which statement decided");
                self.push(Severity::Warning, format!("{path}.Sid"), message, "give each statement a Sid of its own");
            }
            self.statement(kind, document, statement, &path);
        }
    }

    fn statement(&mut self, kind: PolicyKind, document: &Document, statement: &Statement, path: &str) {
        self.principal(kind, statement, path);
        self.actions(kind, statement, path);
        self.resources(document, statement, path);
        // A bucket policy with such a statement is refused.
        if kind != PolicyKind::Bucket {
            self.actions_without_resource(statement, path);
        }
        for condition in &statement.conditions {
            self.condition(
                document,
                statement,
                condition,
                &format!("{path}.Condition.{}.{}", condition.operator, condition.key),
            );
        }
    }

    fn principal(&mut self, kind: PolicyKind, statement: &Statement, path: &str) {
        let Some(element) = &statement.principal else { return };
        let allows = statement.effect == Effect::Allow;
        if element.not {
            let message =
                "NotPrincipal exempts only principals listed by their own ARNs, and none with a permissions boundary";
            let advice = "write \"Principal\": \"*\" with a condition ArnNotEquals aws:PrincipalArn";
            self.push(Severity::Warning, format!("{path}.NotPrincipal"), message, advice);
        }
        let everyone = element
            .names
            .iter()
            .find(|name| matches!(name.kind, PrincipalKind::Everyone | PrincipalKind::Aws) && name.name == "*");
        if let (Some(name), PolicyKind::Trust, true) = (everyone, kind, allows && statement.conditions.is_empty()) {
            let message = "anyone of any account may assume the role";
            self.push(Severity::SecurityWarning, &name.path, message, "name the accounts, roles or users that need it");
        }
        let federated = element.names.iter().find(|name| name.kind == PrincipalKind::Federated);
        if let (Some(name), true) = (federated, allows) {
            let tests_audience = statement.conditions.iter().any(|condition| {
                let key = condition.key.to_ascii_lowercase();
                [":aud", ":sub", ":oaud", ":amr"].iter().any(|claim| key.ends_with(claim))
                    || ["saml:", "ldap:", "certificate:", "plugin:"].iter().any(|prefix| key.starts_with(prefix))
            });
            if !tests_audience {
                let message = "everyone known to the identity provider may assume the role";
                self.push(
                    Severity::SecurityWarning,
                    &name.path,
                    message,
                    "add conditions on the provider's `aud` and `sub` claims",
                );
            }
        }
    }

    fn actions(&mut self, kind: PolicyKind, statement: &Statement, path: &str) {
        let element = if statement.action.not { "NotAction" } else { "Action" };
        let covered: Vec<ActionSet> = statement.action.patterns.iter().map(|pattern| actions_of(pattern)).collect();
        let twice = covered_twice(&covered);
        if statement.action.not && statement.effect == Effect::Allow && kind != PolicyKind::Boundary {
            let message = "an Allow with NotAction covers every other action of every service, including future ones";
            self.push(
                Severity::SecurityWarning,
                format!("{path}.NotAction"),
                message,
                "name the actions that are needed",
            );
        }
        for (j, ((pattern, own), twice)) in statement.action.patterns.iter().zip(&covered).zip(twice).enumerate() {
            let path = format!("{path}.{element}[{j}]");
            let vendor = pattern.split(':').next().unwrap_or_default().to_ascii_lowercase();
            let is_ours = ["s3", "iam", "sts"].contains(&vendor.as_str());
            let is_empty = *own == ActionSet::default();
            if is_ours && is_empty {
                let names = Action::all().map(Action::as_str);
                let meant = self.near(|| nearest(pattern, names)).map(|name| format!("write `{name}`"));
                let advice =
                    meant.unwrap_or_else(|| "look the action up in AWS's Service Authorization Reference".to_owned());
                self.push(
                    Severity::Error,
                    path,
                    format!("`{pattern}` does not cover any action of {vendor}, so it matches nothing"),
                    advice,
                );
            } else if statement.effect == Effect::Allow && !statement.action.not && !is_empty && twice {
                self.push(
                    Severity::Suggestion,
                    path,
                    format!("`{pattern}` is covered by another action of the list"),
                    "leave it out",
                );
            }
        }
        let passes_roles =
            statement.effect == Effect::Allow
                && statement.action.patterns.iter().any(|pattern| {
                    pattern == "*" || pattern == "iam:*" || pattern.eq_ignore_ascii_case("iam:PassRole")
                })
                && statement
                    .resource
                    .as_ref()
                    .is_some_and(|resource| resource.patterns.iter().any(|pattern| pattern == "*"));
        if passes_roles && !statement.action.not && kind == PolicyKind::Identity {
            let message = "the holder may pass any role to any service, and so gain the permissions of any role";
            self.push(
                Severity::SecurityWarning,
                format!("{path}.Resource"),
                message,
                "name the roles for iam:PassRole",
            );
        }
    }

    fn resources(&mut self, document: &Document, statement: &Statement, path: &str) {
        let Some(resource) = &statement.resource else { return };
        let element = if resource.not { "NotResource" } else { "Resource" };
        if resource.not && statement.effect == Effect::Allow {
            let message = "an Allow with NotResource covers every other resource, including future ones";
            self.push(
                Severity::SecurityWarning,
                format!("{path}.NotResource"),
                message,
                "name the resources that are needed",
            );
        }
        for (j, pattern) in resource.patterns.iter().enumerate() {
            let path = format!("{path}.{element}[{j}]");
            if pattern.starts_with("arn:") && pattern.split(':').count() < 6 {
                let message = format!("`{pattern}` has fewer than six segments; the missing ones are read as `*`");
                self.push(Severity::Warning, path.clone(), message, "write the ARN in full: arn:aws:s3:::bucket/*");
            }
            self.variables(document, pattern, true, &path);
        }
    }

    /// Reports actions that apply to none of the statement's resources.
    fn actions_without_resource(&mut self, statement: &Statement, path: &str) {
        let Some(resource) = statement.resource.as_ref().filter(|resource| !resource.not) else { return };
        if statement.action.not {
            return;
        }
        let fitting = fitting(&resource.patterns);
        for (j, pattern) in statement.action.patterns.iter().enumerate() {
            let covered = actions_of(pattern);
            if covered == ActionSet::default() || covered.iter().any(|action| fitting.contains(action)) {
                continue;
            }
            let message = format!("`{pattern}` does not apply to any resource of the statement, so it has no effect");
            let advice = match covered.iter().next().map(|action| (action.service(), action.resource_types())) {
                Some(("s3", types)) if types.contains(&ResourceType::S3Object) => "name objects: arn:aws:s3:::bucket/*",
                Some(("s3", types)) if types.contains(&ResourceType::S3Bucket) => {
                    "name the bucket: arn:aws:s3:::bucket"
                }
                Some(("iam", _)) => "name users, roles or the like: arn:aws:iam::000000000000:user/*",
                _ => "name a resource of the action's own type",
            };
            self.push(Severity::Warning, format!("{path}.Action[{j}]"), message, advice);
        }
    }

    /// Reports variables that are not what they look like.
    fn variables(&mut self, document: &Document, text: &str, wildcards: bool, path: &str) {
        if !text.contains("${") {
            return;
        }
        if !document.version.has_variables() {
            let message = format!("`{text}` looks like a policy variable, but in this version it is plain text");
            self.push(Severity::Error, path, message, "write \"Version\": \"2012-10-17\"");
            return;
        }
        for token in tokens(text, Special { wildcards, variables: true }) {
            match token {
                Token::Text(text) if text.contains("${") => {
                    let message = format!("`{text}` is not a policy variable, so it is plain text");
                    self.push(
                        Severity::Error,
                        path,
                        message,
                        "write ${aws:username} or ${aws:PrincipalTag/team, 'none'}",
                    );
                }
                Token::Variable(variable) if !is_known_key(variable.key.as_str()) => {
                    let meant = self.near(|| nearest_key(variable.key.as_str())).map(|key| format!("write ${{{key}}}"));
                    let message = format!(
                        "`{}` is not a condition key, so the variable never has a value",
                        variable.key.as_str()
                    );
                    self.push(
                        Severity::Error,
                        path,
                        message,
                        meant.unwrap_or_else(|| "use a key of AWS's list".to_owned()),
                    );
                }
                _ => {}
            }
        }
    }

    fn condition(&mut self, document: &Document, statement: &Statement, condition: &Condition, path: &str) {
        use Comparison::*;
        let comparison = condition.operator.comparison;
        if !is_known_key(&condition.key) {
            let meant = self.near(|| nearest_key(&condition.key)).map(|key| format!("write `{key}`"));
            let message = format!("`{}` is not a condition key; no request has it", condition.key);
            self.push(Severity::Error, path, message, meant.unwrap_or_else(|| "use a key of AWS's list".to_owned()));
        }
        if is_multivalued(&condition.key) && condition.operator.set.is_none() && comparison != Null {
            let message = format!(
                "`{}` can have several values: without a set operator the condition never matches",
                condition.key
            );
            let advice =
                format!("write ForAnyValue:{comparison} or ForAllValues:{comparison}", comparison = condition.operator);
            self.push(Severity::Error, path, message, advice);
        }
        let for_all = condition.operator.set == Some(crate::grammar::SetQualifier::ForAllValues);
        if for_all && statement.effect == Effect::Allow && !has_null_check(statement, &condition.key) {
            let message = format!("ForAllValues also matches when the request has no `{}`", condition.key);
            self.push(
                Severity::SecurityWarning,
                path,
                message,
                format!("add \"Null\": {{\"{}\": \"false\"}}", condition.key),
            );
        }
        if condition.values.is_empty() {
            self.push(
                Severity::Warning,
                path,
                "the list of values is empty, so nothing equals it",
                "add values, or leave the condition out",
            );
        }
        for value in &condition.values {
            if let Some(expected) = wrong_type(comparison, value) {
                self.push(
                    Severity::Error,
                    path,
                    format!("`{value}` is not {expected}, so it equals nothing"),
                    format!("write {expected}"),
                );
            }
            match comparison {
                StringEquals | StringNotEquals | StringEqualsIgnoreCase | StringNotEqualsIgnoreCase => {
                    if value.contains('*') && !value.contains("${*}") {
                        let message = format!("{} treats the `*` in `{value}` as a plain star", condition.operator);
                        self.push(Severity::Warning, path, message, "use StringLike for wildcards");
                    }
                    self.variables(document, value, false, path);
                }
                StringLike | StringNotLike | ArnEquals | ArnLike | ArnNotEquals | ArnNotLike => {
                    self.variables(document, value, true, path)
                }
                _ => {}
            }
        }
    }
}

/// For each pattern of a list, whether an earlier or a broader one covers it.
fn covered_twice(covered: &[ActionSet]) -> Vec<bool> {
    let mut seen = HashSet::new();
    let again: Vec<bool> = covered.iter().map(|own| !seen.insert(*own)).collect();
    let mut broadest: Vec<ActionSet> = seen.into_iter().collect();
    broadest.sort_by_cached_key(|set| Reverse(set.len()));
    broadest.truncate(COVERING_MAX);
    let broader = |own: &ActionSet| broadest.iter().any(|theirs| theirs != own && theirs.union(*own) == *theirs);
    covered.iter().zip(again).map(|(own, again)| again || broader(own)).collect()
}

fn is_multivalued(key: &str) -> bool {
    const MULTIVALUED: [&str; 9] = [
        "aws:TagKeys",
        "aws:CalledVia",
        "aws:PrincipalOrgPaths",
        "aws:ResourceOrgPaths",
        "aws:SourceOrgPaths",
        "aws:VpceOrgPaths",
        "aws:PrincipalServiceNamesList",
        "s3:RequestObjectTagKeys",
        "sts:TransitiveTagKeys",
    ];
    MULTIVALUED.iter().any(|known| known.eq_ignore_ascii_case(key))
}

fn has_null_check(statement: &Statement, key: &str) -> bool {
    statement.conditions.iter().any(|condition| {
        condition.operator.comparison == Comparison::Null
            && condition.key.eq_ignore_ascii_case(key)
            && condition.values.iter().all(|value| parse_bool(value) == Some(false))
    })
}

/// What a value should be, if it is not that.
pub(crate) fn wrong_type(comparison: Comparison, value: &str) -> Option<&'static str> {
    use Comparison::*;
    let (fits, expected) = match comparison {
        NumericEquals
        | NumericNotEquals
        | NumericLessThan
        | NumericLessThanEquals
        | NumericGreaterThan
        | NumericGreaterThanEquals => (Decimal::parse(value).is_some(), "a number"),
        DateEquals | DateNotEquals | DateLessThan | DateLessThanEquals | DateGreaterThan | DateGreaterThanEquals => {
            (Instant::parse(value).is_some(), "a date like 2026-11-21T10:00:00Z")
        }
        Bool | Null => (parse_bool(value).is_some(), "true or false"),
        BinaryEquals => (decode_binary(value).is_some(), "base-64 text"),
        IpAddress | NotIpAddress => (value.parse::<Network>().is_ok(), "an address or a range like 203.0.113.0/24"),
        _ => (true, ""),
    };
    (!fits).then_some(expected)
}
