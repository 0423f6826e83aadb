//! What to change so that a request is allowed.

use std::fmt::Write as _;
use std::sync::Arc;

use crate::compiled::CompiledPolicy;
use crate::decide::{Decision, PolicySet, PolicyType};
use crate::explain::{StatementExplanation, all, kind, name};
use crate::grammar::Effect;
use crate::policy::Policy;
use crate::policy_kind::PolicyKind;
use crate::principal::Principal;
use crate::request::Request;

/// The smallest changes that would allow the request: they lift every denial, and make every type of policy that has to
/// allow the request do so.
pub(crate) fn advice(
    decide: fn(&PolicySet<'_>, &Request<'_>) -> Decision,
    policies: &PolicySet<'_>,
    request: &Request<'_>,
    statements: &[StatementExplanation],
) -> Vec<String> {
    let mut advice = Vec::new();
    let mut mended = Mended::new(policies);
    // Each round fixes what the decision named: first the denials, then at most each of the four types of policies.
    for _ in 0..5 {
        match decide(&mended.policies(policies), request) {
            Decision::Allow { .. } => break,
            Decision::ExplicitDeny { .. } => {
                advice.extend(denials(policies, statements));
                mended.without_denials();
            }
            Decision::ImplicitDeny { missing } => {
                advice.extend(missing_allow(missing, policies, request, statements));
                if !mended.with_allow(missing) {
                    break;
                }
            }
        }
    }
    advice
}

/// The policies of a request as they would be after following the advice given so far.
struct Mended {
    identity: Vec<Arc<CompiledPolicy>>,
    resource: Option<Arc<CompiledPolicy>>,
    session: Option<Arc<CompiledPolicy>>,
    boundary: Option<Arc<CompiledPolicy>>,
}

impl Mended {
    fn new(policies: &PolicySet<'_>) -> Self {
        let copy = |policy: &CompiledPolicy| match policy.unreadable_reason() {
            Some(reason) => Arc::new(CompiledPolicy::unreadable(reason.to_owned())),
            None => Arc::new(CompiledPolicy::of(policy.statements().into())),
        };
        Self {
            identity: policies.identity.to_vec(),
            resource: policies.resource.map(copy),
            session: policies.session.map(copy),
            boundary: policies.boundary.map(copy),
        }
    }

    fn policies<'a>(&'a self, policies: &PolicySet<'a>) -> PolicySet<'a> {
        PolicySet {
            identity: &self.identity,
            resource: self.resource.as_deref(),
            session: self.session.as_deref(),
            boundary: self.boundary.as_deref(),
            ..*policies
        }
    }

    /// Removes policies that cannot be read, and every Deny.
    fn without_denials(&mut self) {
        let single = [&mut self.resource, &mut self.session, &mut self.boundary].into_iter().flatten();
        for policy in self.identity.iter_mut().chain(single) {
            let kept = policy.statements().iter().filter(|statement| statement.effect == Effect::Allow);
            *policy = Arc::new(CompiledPolicy::of(kept.cloned().collect()));
        }
    }

    /// Makes this type of policy allow the request; false if that is impossible. No denials are left by now, so a
    /// policy that allows everything has the same effect as the one statement that the advice adds.
    fn with_allow(&mut self, missing: PolicyType) -> bool {
        let everything = |kind, principal: &str| {
            let text = format!(r#"{{"Statement":{{"Effect":"Allow",{principal}"Action":"*","Resource":"*"}}}}"#);
            Policy::parse_stored(kind, &text).ok().map(|policy| Arc::new(policy.compile()))
        };
        let slot = match missing {
            PolicyType::Identity(_) => {
                self.identity.extend(everything(PolicyKind::Identity, ""));
                return true;
            }
            PolicyType::Resource => {
                self.resource = everything(PolicyKind::Bucket, r#""Principal":"*","#);
                return true;
            }
            PolicyType::Session => &mut self.session,
            PolicyType::Boundary => &mut self.boundary,
            PolicyType::Acl | PolicyType::PublicAccessBlock | PolicyType::Root | PolicyType::NotNeeded => return false,
        };
        *slot = everything(PolicyKind::Session, "");
        true
    }
}

fn denials(policies: &PolicySet<'_>, statements: &[StatementExplanation]) -> Vec<String> {
    let denying = statements.iter().filter(|statement| statement.applies && statement.effect == "Deny");
    let denying = denying.map(|statement| {
        format!(
            "no allow can lift statement {} of the policy {}: remove it, or narrow one of {}",
            shown(statement),
            statement.policy,
            elements(statement)
        )
    });
    let unreadable = all(policies).filter(|(_, compiled)| compiled.unreadable_reason().is_some());
    let unreadable = unreadable.map(|(policy, _)| {
        format!("repair or detach the policy {}: `kelpgate policy validate` says what is wrong with it", name(policy))
    });
    denying.chain(unreadable).collect()
}

fn missing_allow(
    missing: PolicyType,
    policies: &PolicySet<'_>,
    request: &Request<'_>,
    statements: &[StatementExplanation],
) -> Vec<String> {
    let of_type = |statement: &&StatementExplanation| match missing {
        PolicyType::Identity(_) => statement.policy.starts_with("identity["),
        other => statement.policy == name(other),
    };
    let failures =
        |statement: &StatementExplanation| statement.elements.iter().filter(|element| !element.matches).count();
    let allows = statements.iter().filter(of_type).filter(|statement| statement.effect == "Allow");
    let nearest = allows.filter(|statement| failures(statement) > 0).min_by_key(|statement| failures(statement));
    let mut advice = Vec::new();
    if let Some(statement) = nearest.filter(|statement| failures(statement) < statement.elements.len()) {
        let mut text =
            format!("statement {} of the policy {} would allow it but for", shown(statement), statement.policy);
        for (i, element) in statement.elements.iter().filter(|element| !element.matches).enumerate() {
            let seen = element.seen_text();
            let comma = if i == 0 { "" } else { "," };
            let _ = write!(
                text,
                "{comma} {} (expected `{}`, the request has {seen})",
                element.element,
                element.expected.join("`, `")
            );
        }
        advice.push(text);
    }
    let federated_without_session =
        matches!(request.principal, Principal::FederatedUser { .. }) && policies.session.is_none();
    advice.push(match missing {
        PolicyType::PublicAccessBlock => {
            "turn RestrictPublicBuckets off, or name in the bucket policy whom it lets in instead of everyone"
                .to_owned()
        }
        PolicyType::Session if federated_without_session => {
            "pass a session policy to GetFederationToken: without one, its session has no permissions".to_owned()
        }
        missing => format!(
            "add to the {} a statement {{\"Effect\": \"Allow\", {}\"Action\": \"{}\", \"Resource\": \"{}\"}}",
            kind(missing),
            if missing == PolicyType::Resource { principal_member(request.principal) } else { String::new() },
            request.action.as_str(),
            request.resource,
        ),
    });
    advice
}

fn principal_member(principal: &Principal) -> String {
    match principal {
        Principal::Anonymous => "\"Principal\": \"*\", ".to_owned(),
        Principal::Service(name) => format!("\"Principal\": {{\"Service\": \"{name}\"}}, "),
        Principal::Federated { provider: name, .. } => format!("\"Principal\": {{\"Federated\": \"{name}\"}}, "),
        principal => format!("\"Principal\": {{\"AWS\": \"{principal}\"}}, "),
    }
}

fn shown(statement: &StatementExplanation) -> String {
    match &statement.sid {
        Some(sid) => format!("{} (`{sid}`)", statement.statement),
        None => statement.statement.to_string(),
    }
}

fn elements(statement: &StatementExplanation) -> String {
    statement.elements.iter().map(|element| element.element.as_str()).collect::<Vec<_>>().join(", ")
}
