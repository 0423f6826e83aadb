//! GetAccountSummary: the numbers of entities in the caller's account, and the quotas.

use super::{Answer, Command, Outcome, Request, read};
use crate::answer::fragment;
use iam::{ANONYMOUS, Snapshot};

pub(super) const COMMANDS: &[Command] = &[read("GetAccountSummary", get)];

/// What AWS answers for an account with its default quotas. Kelpgate has no such limits; tools that compare the numbers
/// of entities with them need a value.
///
/// Source: IAM User Guide, "IAM and AWS STS quotas"; IAM API Reference, GetAccountSummary.
const QUOTAS_OF_AWS: [(&str, usize); 13] = [
    ("UsersQuota", 5000),
    ("GroupsQuota", 300),
    ("GroupsPerUserQuota", 10),
    ("RolesQuota", 1000),
    ("PoliciesQuota", 1500),
    ("PolicyVersionsInUseQuota", 10_000),
    ("InstanceProfilesQuota", 1000),
    ("UserPolicySizeQuota", 2048),
    ("GroupPolicySizeQuota", 5120),
    ("RolePolicySizeQuota", 10_240),
    ("ServerCertificatesQuota", 20),
    ("SigningCertificatesPerUserQuota", 2),
    ("GlobalEndpointTokenVersion", 1),
];

fn get(request: &Request<'_>, state: &Snapshot) -> Answer {
    let account = request.caller.account;
    let own = |owner: &ids::AccountId| *owner == account;
    let users = state.users().filter(|user| own(&user.account) && !user.is_root && &*user.name != ANONYMOUS).count();
    let root_keys = state.users().filter(|user| own(&user.account) && user.is_root);
    let root_keys: usize = root_keys.map(|user| user.record.credentials.len()).sum();
    let policies = || state.policies().filter(|policy| policy.account.as_ref().is_some_and(own));
    let versions = policies().map(|policy| policy.record.versions.len() + 1).sum();
    let providers = state.oidc_providers();
    let default = state.settings().account;
    let profiles = state.instance_profiles().filter(|profile| profile.account == account.as_str());
    let devices = state.mfa_devices().filter(|device| device.account == account.as_str());
    let devices: Vec<_> = devices.collect();
    let summary = [
        ("Users", users),
        ("Groups", state.groups().filter(|group| own(&group.account)).count()),
        ("Roles", state.roles().filter(|role| own(&role.account)).count()),
        ("Policies", policies().count()),
        ("InstanceProfiles", profiles.count()),
        ("Providers", providers.iter().filter(|provider| own(&provider.account_or(default))).count()),
        ("AccountAccessKeysPresent", usize::from(root_keys > 0)),
        ("AccountPasswordPresent", 0),
        ("AccountMFAEnabled", 0),
        ("AccountSigningCertificatesPresent", 0),
        ("MFADevices", devices.len()),
        ("MFADevicesInUse", devices.iter().filter(|device| !device.user_id.is_empty()).count()),
        ("ServerCertificates", 0),
        ("PolicyVersionsInUse", versions),
        ("AccessKeysPerUserQuota", super::access_key::KEYS_PER_USER),
        ("AttachedPoliciesPerUserQuota", super::attachment::ATTACHED_POLICIES),
        ("AttachedPoliciesPerGroupQuota", super::attachment::ATTACHED_POLICIES),
        ("AttachedPoliciesPerRoleQuota", super::attachment::ATTACHED_POLICIES),
        ("PolicySizeQuota", policy::PolicyKind::Identity.size_max()),
        ("AssumeRolePolicySizeQuota", policy::PolicyKind::Trust.size_max()),
        ("VersionsPerPolicyQuota", super::managed_policy::VERSIONS_MAX),
    ];
    let summary = summary.into_iter().chain(QUOTAS_OF_AWS);
    let mut xml = fragment();
    xml.element("SummaryMap", |xml| {
        for (key, value) in summary {
            xml.element("entry", |xml| {
                xml.text("key", key).text("value", &value.to_string());
            });
        }
    });
    Ok(Outcome { changes: Vec::new(), result: Some(xml.finish()) })
}
