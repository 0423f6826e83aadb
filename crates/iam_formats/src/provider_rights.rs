//! What an identity provider gives to callers that name no role.

use iam::{IdentityProvider, KeySource, ProviderRights, RoleMapping, RoleRule};
use ids::AccountId;
use json::{JsonError, Node};

use crate::unknown_settings::refuse_unknown;

/// A provider whose users show no tokens. Its ARN and account are set once the account is known.
pub(crate) fn without_tokens(issuer: String, name: String, rights: ProviderRights) -> IdentityProvider {
    IdentityProvider {
        issuer,
        client_ids: Vec::new(),
        created_s: 0,
        keys: KeySource::default(),
        rights,
        source_identity_claim: String::new(),
        session_name_claim: String::new(),
        allowed_tag_keys: None,
        arn: String::new(),
        account: AccountId::DEFAULT,
        name,
    }
}

/// Exactly one source of rights for callers that name no role.
pub(crate) fn rights(
    node: &Node<'_>,
    policy_claim: String,
    mapping: Option<Node<'_>>,
) -> Result<ProviderRights, JsonError> {
    let mapping = mapping.map(|node| role_mapping(&node)).transpose()?;
    match (mapping, policy_claim.is_empty()) {
        (Some(_), false) => Err(node.error("keep one of `policyClaim` and `roleMapping`: one source gives rights")),
        (Some(mapping), true) => Ok(ProviderRights::Roles(mapping)),
        (None, false) => Ok(ProviderRights::PolicyClaim(policy_claim)),
        (None, true) => Ok(ProviderRights::None),
    }
}

/// The rules by which the claims of a user name a role.
pub(crate) fn role_mapping(node: &Node<'_>) -> Result<RoleMapping, JsonError> {
    let mut object = node.object()?;
    let mut rules = Vec::new();
    for node in object.array(&["rules"])? {
        let mut rule = node.object()?;
        let read = RoleRule {
            claim: rule.string(&["claim"])?,
            value: rule.string(&["value"])?,
            role: rule.string(&["role"])?,
        };
        if let Some(condition) = rule.take("condition")
            && !condition.string()?.is_empty()
        {
            return Err(
                condition.error("conditions of rules are not supported; use conditions of the role's trust policy")
            );
        }
        refuse_unknown(rule)?;
        if read.claim.is_empty() || read.value.is_empty() || read.role.is_empty() {
            return Err(node.error("a rule needs a `claim`, a `value` and a `role`"));
        }
        rules.push(read);
    }
    let default_role = Some(object.string(&["defaultRole"])?).filter(|role| !role.is_empty());
    refuse_unknown(object)?;
    Ok(RoleMapping { rules, default_role })
}
