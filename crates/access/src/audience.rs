//! Which account may read a record, and what of it. The gateway's own account reads all of every record.

use ids::AccountId;
use policy::{Decision, PolicyType};

use crate::audit::{AuditRecord, AuditedDecision};

impl AuditRecord<'_> {
    /// The account that may read the record: the caller's. Anonymous requests may be read by the account that owns all they are
    /// about.
    pub fn reader(&self) -> Option<AccountId> {
        self.caller.account.or_else(|| {
            let owner = self.decisions.first()?.resource_account;
            owner.filter(|_| self.decisions.iter().all(|decided| decided.resource_account == owner))
        })
    }

    /// The record without what belongs to other accounts than the reader's; `None` if that is all of it.
    pub fn for_reader(&self) -> Option<Self> {
        let reader = self.reader()?;
        let is_own = |decided: &AuditedDecision| decided.resource_account.is_none_or(|owner| owner == reader);
        if self.caller.account.is_some() && self.decisions.iter().all(is_own) {
            return None;
        }
        let role = self.parameters.iter().find(|(name, _)| name == "RoleArn").map_or("*", |(_, arn)| arn);
        let decisions: Vec<_> =
            self.decisions.iter().map(|decided| decided.told_to(reader, self.caller.account, role)).collect();
        (decisions != self.decisions).then(|| Self { decisions, ..self.clone() })
    }
}

impl AuditedDecision {
    /// What an account learns of it. Of another account's role it does not learn whether there is one; `named_role` is what the call
    /// says of it.
    fn told_to(&self, reader: AccountId, caller: Option<AccountId>, named_role: &str) -> Self {
        let mut told = self.clone();
        if self.policy_account(caller) != Some(reader) {
            (told.policy, told.sid) = (None, None);
        }
        let is_role = self.resource.starts_with("arn:aws:iam:");
        if is_role && self.resource_account.is_some_and(|owner| owner != reader) {
            named_role.clone_into(&mut told.resource);
            if !self.decision.is_allow() {
                told.decision = Decision::ImplicitDeny { missing: PolicyType::Resource };
            }
        }
        told
    }

    /// The account of the policy that decided, or that would have had to allow.
    fn policy_account(&self, caller: Option<AccountId>) -> Option<AccountId> {
        match self.decision {
            Decision::Allow { by } | Decision::ExplicitDeny { by } => match by.policy {
                PolicyType::Resource | PolicyType::Acl | PolicyType::PublicAccessBlock => self.resource_account,
                _ => caller,
            },
            Decision::ImplicitDeny { .. } => caller,
        }
    }
}
