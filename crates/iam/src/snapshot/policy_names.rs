//! What names a managed policy: an ARN, or what the configuration and the claims of tokens say.

use std::sync::Arc;

use ids::AccountId;

use super::Snapshot;
use super::managed_policy::{ManagedPolicy, policy_name_of};

impl Snapshot {
    /// A managed policy by ARN: its own, or SeaweedFS's form without an account (`arn:aws:iam:::policy/P`), which has no path
    /// either. A policy of the same name at another path is another one.
    pub fn policy_by_arn(&self, arn: &str) -> Option<&Arc<ManagedPolicy>> {
        self.policy(policy_name_of(arn)).filter(|policy| {
            let weeds = arn.strip_prefix("arn:aws:iam:::policy/");
            *policy.arn == *arn || (weeds == Some(&*policy.name) && policy.path() == "/")
        })
    }

    /// A managed policy of an account as the configuration and claims name it: by its ARN or, if its path is `/`, by its name.
    /// So permission to create policies below another path gives no rights to users for whom a name is configured.
    pub fn policy_named(&self, text: &str, account: AccountId) -> Option<&Arc<ManagedPolicy>> {
        let policy = self.policy(policy_name_of(text)).filter(|policy| policy.account == Some(account))?;
        names(text, &policy.arn, account).then_some(policy)
    }

    /// Whether the configuration gives the policy with this ARN to users of an identity provider of its account, whether or not
    /// the policy exists.
    pub fn is_given_by_configuration(&self, arn: &str, account: AccountId) -> bool {
        let providers = self.identity_providers().iter().filter(|provider| provider.account == account);
        providers.flat_map(|provider| provider.rights.policies()).any(|text| names(text, arn, account))
    }
}

/// Whether a text of the configuration or of a claim is the ARN of a policy, or its name if its path is `/`.
fn names(text: &str, arn: &str, account: AccountId) -> bool {
    let of_root = arn.strip_prefix("arn:aws:iam::").and_then(|rest| rest.strip_prefix(account.as_str()));
    text == arn || of_root.and_then(|rest| rest.strip_prefix(":policy/")) == Some(text)
}
