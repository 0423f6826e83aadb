//! CreatePolicy, GetPolicy, ListPolicies, DeletePolicy; Create, Get, List and Delete of versions, SetDefaultPolicyVersion.
//!
//! The default version is the policy's document, which SeaweedFS reads too. The other versions are stored with it.

use std::sync::Arc;

use ids::AccountId;
use policy::PolicyKind;
use xml::XmlWriter;

use super::policy_document::checked_document;
use super::{Answer, Command, IamError, Outcome, Request, grant, read, revoke, tags};
use crate::answer::{date, encoded, fragment};
use iam::{Change, DocumentKey, ManagedPolicy, PolicyPlace, PolicyRecord, PolicyVersion, Snapshot, unique_id::new_id};

pub(super) const COMMANDS: &[Command] = &[
    grant("CreatePolicy", |r, _| Ok(vec![DocumentKey::Policy(r.name("PolicyName", 128)?)]), create_policy)
        .making()
        .tagging("iam:TagPolicy"),
    read("GetPolicy", get_policy),
    read("ListPolicies", list_policies),
    revoke("DeletePolicy", documents, delete_policy),
    revoke("CreatePolicyVersion", documents, create_policy_version),
    read("GetPolicyVersion", get_policy_version),
    read("ListPolicyVersions", list_policy_versions),
    revoke("SetDefaultPolicyVersion", documents, set_default_policy_version),
    revoke("DeletePolicyVersion", documents, delete_policy_version),
];

/// AWS's quota of versions per policy, including the default one.
pub(super) const VERSIONS_MAX: usize = 5;

pub(super) fn documents(request: &Request<'_>, state: &Snapshot) -> Result<Vec<DocumentKey>, IamError> {
    let document = document(request.policy_name(state)?, state);
    let refusal = || IamError::new("AccessDenied", 403, "Policies of AWS cannot be changed or deleted");
    Ok(vec![document.ok_or_else(refusal)?])
}

/// The document of a policy; `None` for a policy of AWS, which has none.
pub(super) fn document(name: Arc<str>, state: &Snapshot) -> Option<DocumentKey> {
    let is_aws_managed = state.policy(&name).is_some_and(|policy| policy.is_aws_managed());
    (!is_aws_managed).then_some(DocumentKey::Policy(name))
}

/// The policy that `PolicyArn` names.
pub(super) fn find<'a>(request: &Request<'_>, state: &'a Snapshot) -> Result<&'a Arc<ManagedPolicy>, IamError> {
    named(request, state, "PolicyArn")
}

/// The policy whose ARN is in a parameter.
pub(super) fn named<'a>(
    request: &Request<'_>,
    state: &'a Snapshot,
    parameter: &str,
) -> Result<&'a Arc<ManagedPolicy>, IamError> {
    let name = request.policy_name_in(parameter, state)?;
    let usable = |policy: &&Arc<ManagedPolicy>| policy.account.is_none_or(|account| account == request.caller.account);
    state.policy(&name).filter(usable).ok_or_else(|| {
        let arn = request.params.get(parameter).unwrap_or_default();
        IamError::no_such_entity(format!("Policy {arn} does not exist or is not attachable."))
    })
}

/// The changes that give a policy this record in all its places.
///
/// Fails with `UnmodifiableEntity` while its places contradict each other, because it is unknown which text is meant.
pub(super) fn rewrite(
    policy: &ManagedPolicy,
    record: &PolicyRecord,
    places: &[PolicyPlace],
) -> Result<Vec<Change>, IamError> {
    if record.text.is_empty() {
        let message = format!("The policy {} cannot be read; delete it, or create a version", policy.name);
        return Err(IamError::unmodifiable(message));
    }
    Ok(places.iter().map(|place| Change::Policy(policy.name.clone(), *place, Some(Ok(record.clone())))).collect())
}

fn create_policy(request: &Request<'_>, state: &Snapshot) -> Answer {
    let name = request.name("PolicyName", 128)?;
    if state.is_taken(&DocumentKey::Policy(name.clone())) {
        return Err(IamError::exists(format!(
            "A policy called {name} already exists. Duplicate names are not allowed."
        )));
    }
    if state.is_held(&name) {
        // Holders that still have the name attached would get the new policy unintentionally.
        let message = format!("A policy called {name} was deleted while it is still attached; detach it first");
        return Err(IamError::delete_conflict(message));
    }
    let record = PolicyRecord {
        id: new_id("ANPA", request.random),
        created_s: request.now_s,
        updated_s: request.now_s,
        path: request.params.path("Path")?,
        description: request.description()?.unwrap_or_default(),
        account: request.stored_account(state),
        version: 1,
        version_created_s: request.now_s,
        tags: request.params.tags()?,
        ..PolicyRecord::default()
    };
    let text = checked_document(request, PolicyKind::Identity, "PolicyDocument")?;
    let changes = vec![Change::Policy(name.clone(), PolicyPlace::Api, Some(Ok(PolicyRecord { text, ..record })))];
    let next = state.apply(changes.iter().cloned());
    let result = next.policy(&name).map(|policy| {
        let mut xml = fragment();
        xml.element("Policy", |xml| {
            describe(xml, &next, policy, request.caller.account);
            tags::describe(xml, policy.tags());
        });
        xml.finish()
    });
    Ok(Outcome { changes, result })
}

fn get_policy(request: &Request<'_>, state: &Snapshot) -> Answer {
    let policy = find(request, state)?;
    let mut xml = fragment();
    xml.element("Policy", |xml| describe_with_description(xml, state, policy, request.caller.account));
    Ok(Outcome::answer(xml.finish()))
}

fn list_policies(request: &Request<'_>, state: &Snapshot) -> Answer {
    let prefix = request.params.path_prefix()?;
    let one_of = |parameter: &str, values: [&str; 3]| match request.params.get(parameter) {
        Some(value) if !values.contains(&value) => {
            Err(IamError::validation(format!("The specified value for {parameter} is invalid: {value}")))
        }
        value => Ok(value.unwrap_or_default().to_owned()),
    };
    let scope = one_of("Scope", ["All", "AWS", "Local"])?;
    let usage = one_of("PolicyUsageFilter", ["PermissionsPolicy", "PermissionsBoundary", ""])?;
    let only_attached = request.flag("OnlyAttached")?;
    let of_account = state.policies().filter(|policy| policy.account == Some(request.caller.account) && scope != "AWS");
    let of_aws = state.aws_managed_policies().filter(|_| scope != "Local");
    let mut all: Vec<&Arc<ManagedPolicy>> = of_account.chain(of_aws).collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    let policies = all.into_iter().filter(|policy| policy.path().starts_with(prefix));
    let account = request.caller.account;
    let used = |name: &str| match usage.as_str() {
        "PermissionsPolicy" => state.attachment_count(name, account) > 0,
        "PermissionsBoundary" => state.boundary_count(name, account) > 0,
        _ => true,
    };
    let policies = policies.filter(|policy| !only_attached || state.attachment_count(&policy.name, account) > 0);
    let policies = policies.filter(|policy| used(&policy.name)).map(|policy| (&*policy.name, policy));
    request.page("Policies", policies, |xml, policy| describe(xml, state, policy, account)).map(Outcome::answer)
}

fn delete_policy(request: &Request<'_>, state: &Snapshot) -> Answer {
    let policy = find(request, state)?;
    if state.is_held(&policy.name) {
        return Err(IamError::delete_conflict("Cannot delete a policy attached to entities."));
    }
    if !policy.record.versions.is_empty() {
        return Err(IamError::delete_conflict(
            "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. \
             The default version is deleted with the policy.",
        ));
    }
    let places = places_to_change(policy)?.into_iter();
    Ok(Outcome::of(places.map(|place| Change::Policy(policy.name.clone(), place, None)).collect()))
}

/// All places of the policy. Fails if one of them is a file that only its owner edits.
pub(super) fn places_to_change(policy: &ManagedPolicy) -> Result<Vec<PolicyPlace>, IamError> {
    let fixed = policy.places.keys().find(|place| matches!(place, PolicyPlace::Identities | PolicyPlace::Weed));
    if let Some(place) = fixed {
        let (name, place) = (&policy.name, place.describe());
        return Err(IamError::unmodifiable(format!("The policy {name} is defined by {place}; change it there")));
    }
    Ok(policy.places.keys().copied().collect())
}

fn create_policy_version(request: &Request<'_>, state: &Snapshot) -> Answer {
    let policy = find(request, state)?;
    let text = checked_document(request, PolicyKind::Identity, "PolicyDocument")?;
    let places = places_to_change(policy)?;
    if policy.record.versions.len() + 1 >= VERSIONS_MAX {
        return Err(IamError::limit(format!(
            "A managed policy can have up to {VERSIONS_MAX} versions. Before you create a new version, you must delete an existing version."
        )));
    }
    let becomes_default = request.flag("SetAsDefault")?;
    let number = policy.record.versions_given.max(default_version(&policy.record)) + 1;
    let new = PolicyVersion { text, created_s: request.now_s };
    let mut record = PolicyRecord { versions_given: number, updated_s: request.now_s, ..policy.record.clone() };
    record.versions.insert(number, new.clone());
    let record = if becomes_default { with_default(policy, record, number)? } else { record };
    let mut xml = fragment();
    xml.element("PolicyVersion", |xml| {
        describe_version(xml, number, default_version(&record) == number, new.created_s);
    });
    Ok(Outcome { changes: rewrite(policy, &record, &places)?, result: Some(xml.finish()) })
}

/// The policy after a version has become the default one. The old default version is kept.
fn with_default(policy: &ManagedPolicy, mut record: PolicyRecord, number: i64) -> Result<PolicyRecord, IamError> {
    let new = record.versions.remove(&number).ok_or_else(|| no_such_version(policy, number))?;
    if !policy.text.is_empty() {
        let old = PolicyVersion { text: policy.text.clone(), created_s: default_created_s(&policy.record) };
        record.versions.insert(default_version(&policy.record), old);
    }
    record.versions_given = record.versions_given.max(default_version(&policy.record));
    (record.version, record.version_created_s) = (number, new.created_s);
    Ok(PolicyRecord { text: new.text, ..record })
}

fn set_default_policy_version(request: &Request<'_>, state: &Snapshot) -> Answer {
    let policy = find(request, state)?;
    let (number, places) = (wanted_version(request, policy)?, places_to_change(policy)?);
    if number == default_version(&policy.record) {
        return Ok(Outcome::default());
    }
    let record = with_default(policy, policy.record.clone(), number)?;
    Ok(Outcome::of(rewrite(policy, &record, &places)?))
}

fn delete_policy_version(request: &Request<'_>, state: &Snapshot) -> Answer {
    let policy = find(request, state)?;
    let (number, places) = (wanted_version(request, policy)?, places_to_change(policy)?);
    if number == default_version(&policy.record) {
        return Err(IamError::delete_conflict("Cannot delete the default version of a policy."));
    }
    let mut record = policy.record.clone();
    record.versions.remove(&number);
    record.versions_given = record.versions_given.max(number);
    Ok(Outcome::of(rewrite(policy, &record, &places)?))
}

fn get_policy_version(request: &Request<'_>, state: &Snapshot) -> Answer {
    let policy = find(request, state)?;
    let number = wanted_version(request, policy)?;
    let current = (&policy.text, default_created_s(&policy.record));
    let other = policy.record.versions.get(&number);
    let (text, created_s) = other.map_or(current, |version| (&version.text, version.created_s));
    let mut xml = fragment();
    xml.element("PolicyVersion", |xml| {
        xml.text("Document", &encoded(text));
        describe_version(xml, number, other.is_none(), created_s);
    });
    Ok(Outcome::answer(xml.finish()))
}

fn list_policy_versions(request: &Request<'_>, state: &Snapshot) -> Answer {
    let versions = versions(find(request, state)?);
    // Pages need ascending names.
    let names: Vec<String> = versions.iter().map(|(number, ..)| format!("{:019}", i64::MAX - number)).collect();
    let versions = names.iter().map(String::as_str).zip(versions.iter());
    let write =
        |xml: &mut XmlWriter, version: &(i64, bool, i64)| describe_version(xml, version.0, version.1, version.2);
    request.page("Versions", versions, write).map(Outcome::answer)
}

/// For each version its number, whether it is the default one, and its creation time; the newest first.
fn versions(policy: &ManagedPolicy) -> Vec<(i64, bool, i64)> {
    let others = policy.record.versions.iter().map(|(number, version)| (*number, false, version.created_s));
    let current = (default_version(&policy.record), true, default_created_s(&policy.record));
    let mut versions: Vec<_> = others.chain([current]).collect();
    versions.sort_unstable_by(|a, b| b.cmp(a));
    versions
}

/// The number of the existing version that `VersionId` names.
fn wanted_version(request: &Request<'_>, policy: &ManagedPolicy) -> Result<i64, IamError> {
    let wanted = request.params.required("VersionId")?;
    let number = wanted.strip_prefix('v').and_then(|number| number.parse::<i64>().ok());
    let number = number.filter(|number| *number > 0 && format!("v{number}") == wanted);
    let number = number.ok_or_else(|| IamError::validation("VersionId is not valid: it is v1, v2 and so on"))?;
    if number != default_version(&policy.record) && !policy.record.versions.contains_key(&number) {
        return Err(no_such_version(policy, number));
    }
    Ok(number)
}

fn no_such_version(policy: &ManagedPolicy, number: i64) -> IamError {
    IamError::no_such_entity(format!("Policy {} version v{number} does not exist or is not attachable.", policy.arn))
}

fn default_version(policy: &PolicyRecord) -> i64 {
    policy.version.max(1)
}

fn default_created_s(policy: &PolicyRecord) -> i64 {
    if policy.version_created_s == 0 { policy.created_s } else { policy.version_created_s }
}

fn describe_version(xml: &mut XmlWriter, number: i64, is_default: bool, created_s: i64) {
    xml.text("VersionId", &format!("v{number}")).text("IsDefaultVersion", if is_default { "true" } else { "false" });
    xml.text("CreateDate", &date(created_s));
}

/// The policy with its description, the text of its versions, and whether only the owner of a file can change it.
pub(super) fn describe_with_versions(
    xml: &mut XmlWriter,
    state: &Snapshot,
    policy: &ManagedPolicy,
    account: AccountId,
) {
    describe_with_description(xml, state, policy, account);
    if places_to_change(policy).is_err() {
        xml.text("DefinedBy", "File");
    }
    xml.element("PolicyVersionList", |xml| {
        for (number, is_default, created_s) in versions(policy) {
            xml.element("member", |xml| {
                xml.text(
                    "Document",
                    &encoded(policy.record.versions.get(&number).map_or(&policy.text, |kept| &kept.text)),
                );
                describe_version(xml, number, is_default, created_s);
            });
        }
    });
}

fn describe_with_description(xml: &mut XmlWriter, state: &Snapshot, policy: &ManagedPolicy, account: AccountId) {
    describe(xml, state, policy, account);
    if !policy.record.description.is_empty() {
        xml.text("Description", &policy.record.description);
    }
    tags::describe(xml, policy.tags());
}

/// The policy, with how many holders it has in the account that asks.
fn describe(xml: &mut XmlWriter, state: &Snapshot, policy: &ManagedPolicy, account: AccountId) {
    let record = &policy.record;
    xml.text("PolicyName", policy.shown_name()).text("PolicyId", &policy.id).text("Arn", &policy.arn);
    xml.text("Path", policy.path()).text("DefaultVersionId", &format!("v{}", default_version(record)));
    xml.text("AttachmentCount", &state.attachment_count(&policy.name, account).to_string());
    xml.text("PermissionsBoundaryUsageCount", &state.boundary_count(&policy.name, account).to_string());
    xml.text("IsAttachable", "true");
    xml.text("CreateDate", &date(record.created_s)).text("UpdateDate", &date(record.updated_s.max(record.created_s)));
}
