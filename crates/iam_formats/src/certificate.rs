//! The provider of type `certificate`: whose client certificates are accepted, and what their holders get.

use iam::{IdentityProvider, ProviderRights, certificate_issuer};
use json::{JsonError, Node};

use crate::ldap::check_name;
use crate::provider_rights::{rights, without_tokens};
use crate::unknown_settings::refuse_unknown;

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
    let rights = rights(node, object.string(&["policyClaim"])?, mapping)?;
    if matches!(&rights, ProviderRights::PolicyClaim(claim) if claim != "sub") {
        return Err(node.error(
            "`policyClaim` of certificates is `sub`: the policy that is named like the certificate's common name",
        ));
    }
    refuse_unknown(object)?;
    Ok((without_tokens(certificate_issuer(&name), name, rights), authorities))
}
