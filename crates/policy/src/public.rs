//! The meaning of "public" (S3 User Guide, "Blocking public access", "The meaning of public").
//!
//! A bucket policy is public unless each of its Allow statements names fixed principals, or applies only for fixed
//! values of a key that says where the request comes from.

use ids::Network;

use crate::grammar::{Comparison, Condition, Document, Effect, PrincipalKind, PrincipalName, SetQualifier, Statement};
use crate::template::{Special, Token, tokens};

/// The keys that, with a fixed value, limit an Allow for everyone to particular callers.
const FIXING_KEYS: [&str; 15] = [
    "aws:sourcearn",
    "aws:sourcevpc",
    "aws:sourcevpce",
    "aws:sourceowner",
    "aws:sourceaccount",
    "aws:sourceorgid",
    "aws:userid",
    "aws:principalarn",
    "aws:principalaccount",
    "aws:principalorgid",
    "aws:principalorgpaths",
    "aws:principalservicename",
    "aws:username",
    "s3:dataaccesspointarn",
    "s3:dataaccesspointaccount",
];

pub(crate) fn is_public(document: &Document) -> bool {
    let variables = document.version.has_variables();
    let everyone = |statement: &Statement| match &statement.principal {
        None => false,
        Some(element) => {
            let is_everyone = |name: &PrincipalName| match name.kind {
                PrincipalKind::Everyone => true,
                PrincipalKind::Aws => name.name == "*",
                // Anyone who can register with the provider: the page's first example of a public policy.
                PrincipalKind::Federated => true,
                PrincipalKind::Service | PrincipalKind::CanonicalUser => false,
            };
            element.not || element.names.iter().any(is_everyone)
        }
    };
    let fixed = |statement: &Statement| statement.conditions.iter().any(|condition| is_fixing(condition, variables));
    document
        .statements
        .iter()
        .any(|statement| statement.effect == Effect::Allow && everyone(statement) && !fixed(statement))
}

/// Whether S3 considers the network as broad as the whole internet: broader than /8 (IPv4) or /32 (IPv6). No private
/// network is. Source: S3 User Guide, "The meaning of public".
fn is_broad(network: &Network) -> bool {
    network.prefix_bits() < if network.is_ipv4() { 8 } else { 32 }
}

fn is_fixing(condition: &Condition, variables: bool) -> bool {
    use Comparison::*;
    let operator = condition.operator;
    if operator.if_exists || operator.set == Some(SetQualifier::ForAllValues) {
        return false;
    }
    let key = condition.key.to_ascii_lowercase();
    if key == "aws:sourceip" {
        let narrow = |value: &String| value.parse().is_ok_and(|network| !is_broad(&network));
        return operator.comparison == IpAddress && condition.values.iter().all(narrow);
    }
    if !FIXING_KEYS.contains(&key.as_str()) {
        return false;
    }
    let wildcards = match operator.comparison {
        StringEquals | StringEqualsIgnoreCase => false,
        StringLike | ArnEquals | ArnLike => true,
        _ => return false,
    };
    let is_plain = |value: &String| {
        // The name of an access point may be a wildcard if the account is fixed.
        let value = match value.rsplit_once(":accesspoint/") {
            Some((account, _)) if key == "s3:dataaccesspointarn" => account,
            _ => value,
        };
        tokens(value, Special { wildcards, variables }).iter().all(|token| matches!(token, Token::Text(_)))
    };
    condition.values.iter().all(is_plain)
}
