//! The provider of type `certificate`: whose client certificates are accepted, and what their holders get.

use iam::{IdentityProvider, KeySource, ProviderRights, certificate_issuer};
use ids::AccountId;
use json::{JsonError, Node};

use crate::config::refuse_unknown;
use crate::ldap::check_name;
use crate::providers;

/// Reads the `config` of the provider. The second part of the result is the file with the authorities.
pub(crate) fn read(
    node: &Node<'_>,
    name: String,
    mapping: Option<Node<'_>>,
) -> Result<(IdentityProvider, String), JsonError> {
    check_name(node, &name)?;
    let mut object = node.object()?;
    let authorities = object.string(&["clientCaCert"])?;
    if authorities.is_empty() {
        return Err(node.error("name the file with the authorities of client certificates, `clientCaCert`"));
    }
    let rights = providers::rights(node, object.string(&["policyClaim"])?, mapping)?;
    if matches!(&rights, ProviderRights::PolicyClaim(claim) if claim != "sub") {
        return Err(node.error(
            "`policyClaim` of certificates is `sub`: the policy that is named like the certificate's common name",
        ));
    }
    refuse_unknown(object)?;
    let provider = IdentityProvider {
        issuer: certificate_issuer(&name),
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
    };
    Ok((provider, authorities))
}
