//! CreatePolicy, GetPolicy, ListPolicies, DeletePolicy; versions, of which the current one is kept.

use std::sync::Arc;

use policy::PolicyKind;

use super::inline_policy::checked_document;
use super::xml::Xml;
use super::{Answer, Command, IamError, Outcome, Request, grant, read, revoke};
use crate::change::{Change, DocumentKey, PolicyPlace, PolicyText};
use crate::documents::Facts;
use crate::snapshot::{ManagedPolicy, Snapshot};
use crate::unique_id::new_id;

pub(super) const COMMANDS: &[Command] = &[
    grant("CreatePolicy", |r, _| Ok(vec![DocumentKey::Policy(r.name("PolicyName", 128)?)]), create_policy),
    read("GetPolicy", get_policy),
    read("ListPolicies", list_policies),
    revoke("DeletePolicy", documents, delete_policy),
    revoke("CreatePolicyVersion", documents, create_policy_version),
    read("GetPolicyVersion", get_policy_version),
    read("ListPolicyVersions", list_policy_versions),
];

fn documents(request: &Request<'_>, state: &Snapshot) -> Result<Vec<DocumentKey>, IamError> {
    Ok(vec![DocumentKey::Policy(request.policy_name(state)?)])
}

/// The policy that `PolicyArn` names.
pub(super) fn find<'a>(request: &Request<'_>, state: &'a Snapshot) -> Result<&'a Arc<ManagedPolicy>, IamError> {
    let name = request.policy_name(state)?;
    state
        .policy(&name)
        .filter(|policy| policy.account == request.caller.account)
        .ok_or_else(|| IamError::no_such_entity(format!("Policy {name} does not exist or is not attachable.")))
}

fn create_policy(request: &Request<'_>, state: &Snapshot) -> Answer {
    request.refuse("Tags.member")?;
    let name = request.name("PolicyName", 128)?;
    if state.policy(&name).is_some() {
        return Err(IamError::exists(format!(
            "A policy called {name} already exists. Duplicate names are not allowed."
        )));
    }
    if state.holder_count(&name) > 0 {
        // Whoever kept the name attached would get the new policy without being asked for.
        let message = format!("A policy called {name} was deleted while it is still attached; detach it first");
        return Err(IamError::delete_conflict(message));
    }
    let account = request.caller.account;
    let description = request.params.get("Description").unwrap_or_default();
    if description.chars().count() > 1000 {
        return Err(IamError::validation("The specified value for Description has more than 1000 characters"));
    }
    let facts = Facts {
        id: new_id("ANPA", request.random),
        created_s: request.now_s,
        updated_s: request.now_s,
        path: request.path("Path")?,
        description: description.to_owned(),
        account: if account == state.settings().account { String::new() } else { account.to_string() },
        version: 1,
        ..Facts::default()
    };
    let text = checked_document(request, PolicyKind::Identity, "PolicyDocument")?;
    let changes = vec![Change::Policy(name.clone(), PolicyPlace::Api, Some(Ok(PolicyText { text, facts })))];
    let next = state.apply(changes.iter().cloned());
    let result = next.policy(&name).map(|policy| policy_xml(&next, policy, false));
    Ok(Outcome { changes, result })
}

fn get_policy(request: &Request<'_>, state: &Snapshot) -> Answer {
    let policy = find(request, state)?;
    Ok(Outcome { changes: Vec::new(), result: Some(policy_xml(state, policy, true)) })
}

fn list_policies(request: &Request<'_>, state: &Snapshot) -> Answer {
    let prefix = request.params.get("PathPrefix").unwrap_or("/");
    let only_attached = request.params.get("OnlyAttached") == Some("true");
    let none_of_ours = request.params.get("Scope") == Some("AWS"); // there are no policies of AWS here
    let policies = state.policies().filter(|policy| policy.account == request.caller.account && !none_of_ours);
    let policies = policies.filter(|policy| policy.facts.path_or_root().starts_with(prefix));
    let policies = policies.filter(|policy| !only_attached || state.holder_count(&policy.name) > 0);
    let result = request.page("Policies", policies.map(|policy| (&*policy.name, policy)), |xml, policy| {
        describe(xml, state, policy, false);
    })?;
    Ok(Outcome { changes: Vec::new(), result: Some(result) })
}

fn delete_policy(request: &Request<'_>, state: &Snapshot) -> Answer {
    let policy = find(request, state)?;
    if state.holder_count(&policy.name) > 0 {
        return Err(IamError::delete_conflict("Cannot delete a policy attached to entities."));
    }
    let changes = places_to_change(policy)?.into_iter();
    let changes = changes.map(|place| Change::Policy(policy.name.clone(), place, None)).collect();
    Ok(Outcome { changes, result: None })
}

/// Everywhere the policy stands; an error if one of the places is a file that only its owner edits.
fn places_to_change(policy: &ManagedPolicy) -> Result<Vec<PolicyPlace>, IamError> {
    let fixed = policy.places.keys().find(|place| matches!(place, PolicyPlace::Identities | PolicyPlace::Weed));
    if let Some(place) = fixed {
        let (name, place) = (&policy.name, place.describe());
        return Err(IamError::unmodifiable(format!("The policy {name} is defined by {place}; change it there")));
    }
    Ok(policy.places.keys().copied().collect())
}

fn create_policy_version(request: &Request<'_>, state: &Snapshot) -> Answer {
    if request.params.get("SetAsDefault") != Some("true") {
        return Err(IamError::not_implemented("CreatePolicyVersion without SetAsDefault=true"));
    }
    let policy = find(request, state)?;
    let text = checked_document(request, PolicyKind::Identity, "PolicyDocument")?;
    let version = policy.facts.version.max(1) + 1;
    let facts = Facts { version, updated_s: request.now_s, ..policy.facts.clone() };
    let new = PolicyText { text, facts };
    let change = |place| Change::Policy(policy.name.clone(), place, Some(Ok(new.clone())));
    let changes = places_to_change(policy)?.into_iter().map(change).collect();
    let mut xml = Xml::new();
    xml.element("PolicyVersion", |xml| {
        describe_version(xml, &new.facts);
    });
    Ok(Outcome { changes, result: Some(xml.finish()) })
}

fn get_policy_version(request: &Request<'_>, state: &Snapshot) -> Answer {
    let policy = find(request, state)?;
    let wanted = request.params.required("VersionId")?;
    if wanted != version_id(&policy.facts) {
        let message = format!("Policy {} version {wanted} does not exist or is not attachable.", policy.arn);
        return Err(IamError::no_such_entity(message));
    }
    let mut xml = Xml::new();
    xml.element("PolicyVersion", |xml| {
        xml.document("Document", &policy.text);
        describe_version(xml, &policy.facts);
    });
    Ok(Outcome { changes: Vec::new(), result: Some(xml.finish()) })
}

fn list_policy_versions(request: &Request<'_>, state: &Snapshot) -> Answer {
    let policy = find(request, state)?;
    let result = request.page("Versions", [("v", policy)].into_iter(), |xml, policy| {
        describe_version(xml, &policy.facts);
    })?;
    Ok(Outcome { changes: Vec::new(), result: Some(result) })
}

fn version_id(facts: &Facts) -> String {
    format!("v{}", facts.version.max(1))
}

fn describe_version(xml: &mut Xml, facts: &Facts) {
    xml.text("VersionId", &version_id(facts)).text("IsDefaultVersion", "true");
    xml.date("CreateDate", facts.updated_s.max(facts.created_s));
}

/// The policy with its description and the text of its versions.
pub(super) fn describe_with_versions(xml: &mut Xml, state: &Snapshot, policy: &ManagedPolicy) {
    describe(xml, state, policy, true);
    xml.element("PolicyVersionList", |xml| {
        xml.element("member", |xml| {
            xml.document("Document", &policy.text);
            describe_version(xml, &policy.facts);
        });
    });
}

fn policy_xml(state: &Snapshot, policy: &ManagedPolicy, with_description: bool) -> String {
    let mut xml = Xml::new();
    xml.element("Policy", |xml| describe(xml, state, policy, with_description));
    xml.finish()
}

fn describe(xml: &mut Xml, state: &Snapshot, policy: &ManagedPolicy, with_description: bool) {
    let facts = &policy.facts;
    let attachments = state.holder_count(&policy.name).to_string();
    xml.text("PolicyName", &policy.name).text("PolicyId", &policy.id).text("Arn", &policy.arn);
    xml.text("Path", facts.path_or_root()).text("DefaultVersionId", &version_id(facts));
    xml.text("AttachmentCount", &attachments).text("PermissionsBoundaryUsageCount", "0").text("IsAttachable", "true");
    if with_description && !facts.description.is_empty() {
        xml.text("Description", &facts.description);
    }
    xml.date("CreateDate", facts.created_s).date("UpdateDate", facts.updated_s.max(facts.created_s));
}
