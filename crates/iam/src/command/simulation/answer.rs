//! One evaluation, in AWS's words.

use std::ops::Range;

use policy::{
    Decision, PolicyType, Position, RequestAction, StatementExplanation, considered, decide, decide_trust, missing_keys,
};

use super::super::xml::Xml;
use super::scenario::Scenario;

/// A decision, and what each statement had to do with it.
struct Told {
    decision: Decision,
    statements: Vec<StatementExplanation>,
}

/// Writes an `EvaluationResult`. Where a resource was named it stands below it once more, the keys that were missing
/// too: AWS tells them there, and clients look in both places.
pub(super) fn write(xml: &mut Xml, scenario: &Scenario, action: &str, resource: &str) {
    let policies = scenario.policies();
    let request = policy::Request {
        principal: &scenario.principal,
        principal_id: None,
        principal_canonical_id: None,
        action: RequestAction::named(action),
        resource,
        resource_account: scenario.owner_of(resource),
        context: &scenario.context,
    };
    let trust = policies.resource.filter(|_| scenario.is_trust);
    let decision = match trust {
        Some(trust) => decide_trust(trust, &policies, &request),
        None => decide(&policies, &request),
    };
    let told = Told { decision, statements: considered(&policies, &request) };
    let missing = missing_keys(&policies, &request);
    let missing: Vec<&str> = missing.iter().map(|key| spelled(scenario, key)).collect();
    let decision = match told.decision {
        Decision::Allow { .. } => "allowed",
        Decision::ExplicitDeny { .. } => "explicitDeny",
        Decision::ImplicitDeny { .. } => "implicitDeny",
    };
    xml.text("EvalActionName", action).text("EvalResourceName", resource).text("EvalDecision", decision);
    xml.element("MatchedStatements", |xml| matched(xml, scenario, &told));
    names(xml, "MissingContextValues", &missing);
    let is_cross_account = scenario.principal.account() != Some(request.resource_account);
    let details = is_cross_account && scenario.resource.is_some();
    let write_details = |xml: &mut Xml| {
        if details {
            xml.element("EvalDecisionDetails", |xml| {
                entry(xml, "IAM Policy", verdict(&told, |policy| policy.starts_with("identity")));
                entry(xml, "Resource Policy", verdict(&told, |policy| policy == "resource"));
            });
        }
        if scenario.boundary.is_some() {
            let allowed = allowed_by_boundary(&told);
            xml.element("PermissionsBoundaryDecisionDetail", |xml| {
                xml.text("AllowedByPermissionsBoundary", if allowed { "true" } else { "false" });
            });
        }
    };
    write_details(xml);
    if resource != "*" {
        xml.element("ResourceSpecificResults", |xml| {
            xml.element("member", |xml| {
                xml.text("EvalResourceName", resource).text("EvalResourceDecision", decision);
                xml.element("MatchedStatements", |xml| matched(xml, scenario, &told));
                names(xml, "MissingContextValues", &missing);
                write_details(xml);
            });
        });
    }
}

/// The statements that determine the answer: the denials that apply, else the allows; none where nothing was said.
fn matched(xml: &mut Xml, scenario: &Scenario, told: &Told) {
    let effect = match told.decision {
        Decision::ExplicitDeny { .. } => "Deny",
        Decision::Allow { .. } => "Allow",
        Decision::ImplicitDeny { .. } => return,
    };
    let applies = |statement: &&StatementExplanation| {
        statement.applies && statement.effect == effect && (effect == "Deny" || statement.policy != "boundary")
    };
    let mut is_empty = true;
    for statement in told.statements.iter().filter(applies) {
        let Some(source) = scenario.source(&statement.policy) else { continue };
        let span = usize::try_from(statement.statement).ok().and_then(|place| source.spans.get(place));
        xml.element("member", |xml| describe(xml, &source.id, span));
        is_empty = false;
    }
    // A policy that cannot be read denies without any statement.
    if let (true, Decision::ExplicitDeny { by }) = (is_empty, &told.decision) {
        let source = match by.policy {
            PolicyType::Identity(place) => scenario.identity.get(place),
            PolicyType::Boundary => scenario.boundary.as_ref(),
            _ => scenario.resource.as_ref(),
        };
        source.into_iter().for_each(|source| {
            xml.element("member", |xml| describe(xml, &source.id, None));
        });
    }
}

/// AWS's answers say `IAM Policy` of identity policies, whatever the list of types in the API Reference.
fn describe(xml: &mut Xml, id: &str, span: Option<&Range<Position>>) {
    let kind = if id == "ResourcePolicy" { "Resource Policy" } else { "IAM Policy" };
    xml.text("SourcePolicyId", id).text("SourcePolicyType", kind);
    let Some(span) = span else { return };
    for (name, position) in [("StartPosition", span.start), ("EndPosition", span.end)] {
        xml.element(name, |xml| {
            xml.text("Line", &position.line.to_string()).text("Column", &position.column.to_string());
        });
    }
}

fn verdict(told: &Told, is_of: impl Fn(&str) -> bool) -> &'static str {
    let says = |effect: &str| {
        told.statements
            .iter()
            .any(|statement| statement.applies && statement.effect == effect && is_of(&statement.policy))
    };
    match (says("Deny"), says("Allow")) {
        (true, _) => "explicitDeny",
        (false, true) => "allowed",
        (false, false) => "implicitDeny",
    }
}

/// A boundary that cannot be read has no statements, and so allows nothing.
fn allowed_by_boundary(told: &Told) -> bool {
    verdict(told, |policy| policy == "boundary") == "allowed"
}

fn entry(xml: &mut Xml, key: &str, value: &str) {
    xml.element("entry", |xml| {
        xml.text("key", key).text("value", value);
    });
}

fn names(xml: &mut Xml, name: &str, values: &[&str]) {
    xml.element(name, |xml| {
        for value in values {
            xml.text("member", value);
        }
    });
}

fn spelled<'a>(scenario: &'a Scenario, key: &'a str) -> &'a str {
    scenario.keys.iter().find(|known| known.eq_ignore_ascii_case(key)).map_or(key, |known| known.as_str())
}
