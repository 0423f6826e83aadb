use std::collections::BTreeSet;

use serde::Serialize;

use crate::advice::advice;
use crate::arn_pattern::ArnPattern;
use crate::compiled::CompiledPolicy;
use crate::condition::Condition;
use crate::decide::{Decision, Origin, PolicySet, PolicyType, decide, decide_trust};
use crate::grammar::Effect;
use crate::request::Request;
use crate::resource_element::ResourceTest;
use crate::statement::Statement;

/// Why a request is allowed or denied: every statement considered, and the smallest change that would allow the
/// request.
#[derive(Clone, Debug, Serialize)]
pub struct Explanation {
    /// The answer.
    pub decision: Decision,
    /// The answer in a sentence.
    pub summary: String,
    /// Every statement of every policy, in the order of the policies.
    pub statements: Vec<StatementExplanation>,
    /// What to change so that the request is allowed; empty when it is.
    pub advice: Vec<String>,
}

/// How one statement relates to the request.
#[derive(Clone, Debug, Serialize)]
pub struct StatementExplanation {
    /// The type of its policy: `identity[0]`, `resource`, `session` or `boundary`.
    pub policy: String,
    /// Its index in its policy.
    pub statement: u32,
    /// Its Sid.
    pub sid: Option<String>,
    /// `Allow` or `Deny`.
    pub effect: &'static str,
    /// Whether all its elements match.
    pub applies: bool,
    /// Its elements.
    pub elements: Vec<ElementExplanation>,
}

/// Whether one element of a statement matches, and why not.
#[derive(Clone, Debug, Serialize)]
pub struct ElementExplanation {
    /// `Principal`, `Action`, `Resource`, or a condition: `StringLike s3:prefix`.
    pub element: String,
    /// Whether it matches.
    pub matches: bool,
    /// What the policy says.
    pub expected: Vec<String>,
    /// What the request has; `None` if it has nothing.
    pub seen: Option<Vec<String>>,
}

/// A statement all of whose elements match the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AppliedStatement {
    /// Which one.
    pub origin: Origin,
    /// Whether it is a `Deny`.
    pub denies: bool,
}

/// Explains a decision of [`decide`].
pub fn explain(policies: &PolicySet<'_>, request: &Request<'_>) -> Explanation {
    explained(decide, policies, request)
}

/// Explains a decision of [`decide_trust`].
pub fn explain_trust(trust: &CompiledPolicy, policies: &PolicySet<'_>, request: &Request<'_>) -> Explanation {
    let policies = PolicySet { resource: Some(trust), ..*policies };
    explained(decide_by_resource, &policies, request)
}

/// [`decide_trust`] with the trust policy given as the resource policy.
fn decide_by_resource(policies: &PolicySet<'_>, request: &Request<'_>) -> Decision {
    match policies.resource {
        Some(trust) => decide_trust(trust, policies, request),
        None => decide(policies, request),
    }
}

/// The condition keys that the request does not have, but that a statement about this principal, action and resource
/// tests or names in a variable: each once, in lower case.
pub fn missing_keys<'a>(policies: &PolicySet<'a>, request: &Request<'_>) -> Vec<&'a str> {
    let has_boundary = policies.boundary.is_some();
    let concerns = |statement: &&Statement| {
        let has_variables = statement.resource.patterns().iter().any(|pattern| pattern.variables().next().is_some());
        statement.grant(request, has_boundary).is_some()
            && statement.action.matches(request.action)
            && (has_variables || statement.resource_matches(request))
    };
    let mut seen = BTreeSet::new();
    let concerned = all(policies).flat_map(|(_, compiled)| compiled.statements()).filter(concerns);
    let keys = concerned.flat_map(Statement::keys).filter(|key| request.context.get(key).is_none());
    keys.filter(|key| seen.insert(*key)).collect()
}

/// The statements that apply to the request, in the order of the policies.
pub fn applying(policies: &PolicySet<'_>, request: &Request<'_>) -> Vec<AppliedStatement> {
    let has_boundary = policies.boundary.is_some();
    let mut applying = Vec::new();
    for (policy, compiled) in all(policies) {
        let placed = (0_u32..).zip(compiled.statements());
        let applies = placed.filter(|(_, statement)| statement.applies(request, has_boundary));
        applying.extend(applies.map(|(place, statement)| AppliedStatement {
            origin: Origin { policy, statement: place },
            denies: statement.effect == Effect::Deny,
        }));
    }
    applying
}

fn explained(
    decide: fn(&PolicySet<'_>, &Request<'_>) -> Decision,
    policies: &PolicySet<'_>,
    request: &Request<'_>,
) -> Explanation {
    let decision = decide(policies, request);
    let statements = considered(policies, request);
    let summary = summary(&decision, policies);
    let advice = advice(decide, policies, request, &statements);
    Explanation { decision, summary, statements, advice }
}

/// Every statement of every policy, in the order of the policies, and how it relates to the request: an explanation
/// without advice.
fn considered(policies: &PolicySet<'_>, request: &Request<'_>) -> Vec<StatementExplanation> {
    let has_boundary = policies.boundary.is_some();
    let mut statements = Vec::new();
    for (policy, compiled) in all(policies) {
        for (place, statement) in (0_u32..).zip(compiled.statements()) {
            statements.push(statement_explanation(name(policy), place, statement, request, has_boundary));
        }
    }
    statements
}

pub(crate) fn all<'a>(policies: &PolicySet<'a>) -> impl Iterator<Item = (PolicyType, &'a CompiledPolicy)> {
    let identity = policies.identity.iter().enumerate().map(|(place, policy)| (PolicyType::Identity(place), &**policy));
    let resource = policies.resource.map(|policy| (PolicyType::Resource, policy));
    let session = policies.session.map(|policy| (PolicyType::Session, policy));
    let boundary = policies.boundary.map(|policy| (PolicyType::Boundary, policy));
    identity.chain(resource).chain(session).chain(boundary)
}

/// Which policy of a [`PolicySet`].
pub(crate) fn name(policy: PolicyType) -> String {
    match policy {
        PolicyType::Identity(place) => format!("identity[{place}]"),
        single => single.label().to_owned(),
    }
}

fn summary(decision: &Decision, policies: &PolicySet<'_>) -> String {
    let (verb, by) = match decision {
        Decision::Allow { by } => ("allowed", by),
        Decision::ExplicitDeny { by } => ("denied", by),
        Decision::ImplicitDeny { missing: PolicyType::PublicAccessBlock } => {
            return "denied: RestrictPublicBuckets leaves a bucket with a public policy to its own account".to_owned();
        }
        Decision::ImplicitDeny { missing } => {
            return format!("denied: no statement of the {} allows it", kind(*missing));
        }
    };
    match by.policy {
        PolicyType::Root => return "allowed: the root user of the account that owns the resource".to_owned(),
        PolicyType::NotNeeded => return "allowed: the action needs no permission".to_owned(),
        PolicyType::Acl => return format!("allowed by grant {} of the ACL", by.statement),
        _ => {}
    }
    let policy = all(policies).find(|(policy, _)| *policy == by.policy).map(|(_, compiled)| compiled);
    if let Some(reason) = policy.and_then(CompiledPolicy::unreadable_reason) {
        return format!("denied: the policy {} cannot be read, and so denies everything: {reason}", name(by.policy));
    }
    let sid = policy.and_then(|policy| policy.sid(by.statement)).map(|sid| format!(" (`{sid}`)")).unwrap_or_default();
    format!("{verb} by statement {}{sid} of the policy {}", by.statement, name(by.policy))
}

pub(crate) fn kind(policy: PolicyType) -> &'static str {
    match policy {
        PolicyType::Identity(_) => "identity policies",
        PolicyType::Resource => "resource policy",
        other => other.description(),
    }
}

fn statement_explanation(
    policy: String,
    place: u32,
    statement: &Statement,
    request: &Request<'_>,
    has_boundary: bool,
) -> StatementExplanation {
    let mut elements = Vec::new();
    if statement.principal.is_some() || !statement.about_holder {
        elements.push(principal_element(statement, request, has_boundary));
    }
    elements.push(ElementExplanation {
        element: if statement.action.is_not() { "NotAction" } else { "Action" }.to_owned(),
        matches: statement.action.matches(request.action),
        expected: statement.action.patterns().map(str::to_owned).collect(),
        seen: Some(vec![request.action.as_str().to_owned()]),
    });
    elements.push(resource_element(statement, request));
    elements
        .extend(statement.conditions.iter().map(|condition| condition_element(condition, statement.effect, request)));
    StatementExplanation {
        policy,
        statement: place,
        sid: statement.sid.as_deref().map(str::to_owned),
        effect: if statement.effect == Effect::Allow { "Allow" } else { "Deny" },
        applies: elements.iter().all(|element| element.matches),
        elements,
    }
}

fn principal_element(statement: &Statement, request: &Request<'_>, has_boundary: bool) -> ElementExplanation {
    let not = statement.principal.as_ref().is_some_and(|test| test.not);
    ElementExplanation {
        element: if not { "NotPrincipal" } else { "Principal" }.to_owned(),
        matches: statement.grant(request, has_boundary).is_some(),
        expected: statement.principal.iter().flat_map(|test| test.names.iter()).map(ToString::to_string).collect(),
        seen: Some(vec![request.principal.to_string()]),
    }
}

fn resource_element(statement: &Statement, request: &Request<'_>) -> ElementExplanation {
    ElementExplanation {
        element: if matches!(statement.resource, ResourceTest::NotResource(_)) { "NotResource" } else { "Resource" }
            .to_owned(),
        matches: statement.resource_matches(request),
        expected: statement.resource.patterns().iter().map(ArnPattern::to_string).collect(),
        seen: Some(vec![request.resource.to_owned()]),
    }
}

fn condition_element(condition: &Condition, effect: Effect, request: &Request<'_>) -> ElementExplanation {
    ElementExplanation {
        element: format!("{} {}", condition.operator, condition.key.as_str()),
        matches: condition.holds(request.context, effect),
        expected: condition.expected(),
        seen: request.context.get(condition.key.as_str()).map(<[String]>::to_vec),
    }
}
