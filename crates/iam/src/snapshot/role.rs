//! Roles, as AssumeRole and the requests of their sessions need them.

use std::sync::Arc;

use ids::AccountId;
use policy::CompiledPolicy;

use super::compiled::Compiled;
use super::user::PolicySource;
use crate::change::RolePlace;
use crate::entity::{RoleRecord, Tags};
use crate::policy_ids::ids_of_trust;
use crate::unique_id::unique_id;

/// A role with its compiled policies.
#[derive(Debug, Clone)]
pub struct Role {
    /// Its name.
    pub name: Arc<str>,
    /// `AROA...`.
    pub id: Arc<str>,
    /// `arn:aws:iam::<account>:role/<path><name>`.
    pub arn: Arc<str>,
    /// The account it belongs to.
    pub account: AccountId,
    /// `/` or `/a/b/`.
    pub path: Arc<str>,
    /// Who may assume it. If it cannot be read, no one may.
    pub trust: Arc<CompiledPolicy>,
    /// What its sessions may do.
    pub policies: Arc<[Arc<CompiledPolicy>]>,
    /// Where each of `policies` comes from.
    pub sources: Arc<[PolicySource]>,
    /// Its permissions boundary.
    pub boundary: Option<Arc<CompiledPolicy>>,
    /// The longest session in seconds.
    pub max_session_s: i64,
    /// Where its document is stored.
    pub place: RolePlace,
    /// The stored record.
    pub record: Arc<RoleRecord>,
}

impl Role {
    /// A role without its policies, which the Snapshot fills in.
    pub(super) fn of(record: Arc<RoleRecord>, place: RolePlace, account: AccountId, texts: &mut Compiled) -> Self {
        let account = record.arn.split(':').nth(4).and_then(|field| field.parse().ok()).unwrap_or(account);
        let path = path_of(&record);
        let what = format!("the trust policy of role `{}`", record.name);
        let trust = texts.trust(&record.trust_policy, ids_of_trust(&record), &what);
        Self {
            arn: format!("arn:aws:iam::{account}:role{path}{}", record.name).into(),
            name: record.name.as_str().into(),
            id: unique_id("AROA", &record.id, &record.name),
            account,
            path: path.into(),
            trust,
            policies: Arc::from([]),
            sources: Arc::from([]),
            boundary: None,
            max_session_s: record.max_session_s.unwrap_or(3600),
            place,
            record,
        }
    }

    /// When it was created, seconds since 1970; 0 when unknown.
    pub fn created_s(&self) -> i64 {
        self.record.created_s
    }

    /// Its tags.
    pub fn tags(&self) -> &Tags {
        &self.record.tags
    }

    /// Whether an ARN names this role: its own, the one in its document, or SeaweedFS's default forms.
    pub(super) fn answers_to(&self, arn: &str) -> bool {
        let without_account = |prefix: &str| arn.strip_prefix(prefix).is_some_and(|rest| *rest == *self.name);
        *arn == *self.arn
            || (!self.record.arn.is_empty() && arn == self.record.arn)
            || without_account("arn:aws:iam::role/")
            || without_account("arn:aws:iam:::role/")
    }
}

/// The path that Kelpgate stored, or else the one in the document's ARN.
fn path_of(record: &RoleRecord) -> String {
    if !record.path.is_empty() {
        return record.path.clone();
    }
    let resource = record.arn.split_once("role/").map(|(_, resource)| resource);
    match resource.and_then(|resource| resource.rsplit_once('/')) {
        Some((path, _)) => format!("/{path}/"),
        None => "/".to_owned(),
    }
}
