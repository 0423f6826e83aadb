//! One evaluation, in AWS's terms.

use std::ops::Range;

use policy::{AppliedStatement, Decision, PolicyType, Position, applying, decide, decide_trust, missing_keys};
use xml::XmlWriter;

use super::scenario::Scenario;

/// A decision, and the statements that apply.
struct Told {
    decision: Decision,
    statements: Vec<AppliedStatement>,
}

/// Writes an `EvaluationResult`. If a resource was named, the result is repeated below it, including the missing keys:
/// AWS shows them there, and clients look in both places.
pub(super) fn write(xml: &mut XmlWriter, scenario: &Scenario, action: &str, resource: &str) {
    let policies = scenario.policies();
    let request = scenario.request(action, resource);
    let trust = policies.resource.filter(|_| scenario.is_trust);
    let decision = match trust {
        Some(trust) => decide_trust(trust, &policies, &request),
        None => decide(&policies, &request),
    };
    let told = Told { decision, statements: applying(&policies, &request) };
    let missing = missing_keys(&policies, &request);
    let missing: Vec<&str> = missing.into_iter().map(|key| spelled(scenario, key)).collect();
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
    let write_details = |xml: &mut XmlWriter| {
        if details {
            xml.element("EvalDecisionDetails", |xml| {
                entry(xml, "IAM Policy", verdict(&told, |policy| matches!(policy, PolicyType::Identity(_))));
                entry(xml, "Resource Policy", verdict(&told, |policy| policy == PolicyType::Resource));
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

/// The statements that determine the answer: the denials that apply, or else the allows; empty if none applies.
fn matched(xml: &mut XmlWriter, scenario: &Scenario, told: &Told) {
    let denies = match told.decision {
        Decision::ExplicitDeny { .. } => true,
        Decision::Allow { .. } => false,
        Decision::ImplicitDeny { .. } => return,
    };
    let determines = |statement: &&AppliedStatement| {
        statement.denies == denies && (denies || statement.origin.policy != PolicyType::Boundary)
    };
    let mut is_empty = true;
    for statement in told.statements.iter().filter(determines) {
        let Some(source) = scenario.source(statement.origin.policy) else { continue };
        let span = usize::try_from(statement.origin.statement).ok().and_then(|place| source.spans.get(place));
        xml.element("member", |xml| describe(xml, &source.id, span));
        is_empty = false;
    }
    // A policy that cannot be read denies without any statement.
    if let (true, Decision::ExplicitDeny { by }) = (is_empty, &told.decision) {
        scenario.source(by.policy).into_iter().for_each(|source| {
            xml.element("member", |xml| describe(xml, &source.id, None));
        });
    }
}

/// AWS's answers call identity policies `IAM Policy`, whatever the list of types in the API Reference says.
fn describe(xml: &mut XmlWriter, id: &str, span: Option<&Range<Position>>) {
    let kind = if id == "ResourcePolicy" { "Resource Policy" } else { "IAM Policy" };
    xml.text("SourcePolicyId", id).text("SourcePolicyType", kind);
    let Some(span) = span else { return };
    for (name, position) in [("StartPosition", span.start), ("EndPosition", span.end)] {
        xml.element(name, |xml| {
            xml.text("Line", &position.line.to_string()).text("Column", &position.column.to_string());
        });
    }
}

fn verdict(told: &Told, is_of: impl Fn(PolicyType) -> bool) -> &'static str {
    let says = |denies: bool| {
        told.statements.iter().any(|statement| statement.denies == denies && is_of(statement.origin.policy))
    };
    match (says(true), says(false)) {
        (true, _) => "explicitDeny",
        (false, true) => "allowed",
        (false, false) => "implicitDeny",
    }
}

/// A boundary that cannot be read has no statements, so it allows nothing.
fn allowed_by_boundary(told: &Told) -> bool {
    verdict(told, |policy| policy == PolicyType::Boundary) == "allowed"
}

fn entry(xml: &mut XmlWriter, key: &str, value: &str) {
    xml.element("entry", |xml| {
        xml.text("key", key).text("value", value);
    });
}

fn names(xml: &mut XmlWriter, name: &str, values: &[&str]) {
    xml.element(name, |xml| {
        for value in values {
            xml.text("member", value);
        }
    });
}

fn spelled<'a>(scenario: &'a Scenario, key: &'a str) -> &'a str {
    scenario.keys.get(key).map_or(key, String::as_str)
}
