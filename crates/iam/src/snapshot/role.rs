//! Roles as AssumeRole and the requests of their sessions need them.

use std::sync::Arc;

use ids::AccountId;
use policy::CompiledPolicy;

use super::compiled::Compiled;
use super::user::PolicySource;
use crate::change::RolePlace;
use crate::documents::RoleDocument;
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
    /// Who may assume it; denies everybody if it cannot be read.
    pub trust: Arc<CompiledPolicy>,
    /// What its sessions may do.
    pub policies: Arc<[Arc<CompiledPolicy>]>,
    /// Where each of `policies` comes from.
    pub sources: Arc<[PolicySource]>,
    /// Its permissions boundary.
    pub boundary: Option<Arc<CompiledPolicy>>,
    /// The longest session in seconds.
    pub max_session_s: i64,
    /// Where its document lives.
    pub place: RolePlace,
    /// The stored document.
    pub document: Arc<RoleDocument>,
}

impl Role {
    /// A role without its policies, which the Snapshot fills in.
    pub(super) fn of(document: Arc<RoleDocument>, place: RolePlace, account: AccountId, texts: &mut Compiled) -> Self {
        let account = document.arn.split(':').nth(4).and_then(|field| field.parse().ok()).unwrap_or(account);
        let path = path_of(&document);
        let what = format!("the trust policy of role `{}`", document.name);
        let trust = texts.trust(&document.trust_policy, ids_of_trust(&document), &what);
        Self {
            arn: format!("arn:aws:iam::{account}:role{path}{}", document.name).into(),
            name: document.name.as_str().into(),
            id: unique_id("AROA", &document.facts.id, &document.name),
            account,
            path: path.into(),
            trust,
            policies: Arc::from([]),
            sources: Arc::from([]),
            boundary: None,
            max_session_s: document.max_session_s.unwrap_or(3600),
            place,
            document,
        }
    }

    /// Whether an ARN names this role: its own, the one of its document, or weed's default forms.
    pub(super) fn answers_to(&self, arn: &str) -> bool {
        let without_account = |prefix: &str| arn.strip_prefix(prefix).is_some_and(|rest| *rest == *self.name);
        *arn == *self.arn
            || (!self.document.arn.is_empty() && arn == self.document.arn)
            || without_account("arn:aws:iam::role/")
            || without_account("arn:aws:iam:::role/")
    }
}

/// The path that Kelpgate stored, else the one in the document's ARN.
fn path_of(document: &RoleDocument) -> String {
    if !document.facts.path.is_empty() {
        return document.facts.path.clone();
    }
    let resource = document.arn.split_once("role/").map(|(_, resource)| resource);
    match resource.and_then(|resource| resource.rsplit_once('/')) {
        Some((path, _)) => format!("/{path}/"),
        None => "/".to_owned(),
    }
}
