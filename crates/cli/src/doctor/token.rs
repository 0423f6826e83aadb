//! The steps that a token of an identity provider goes through: which of them fails?

use std::path::Path;
use std::sync::Arc;

use federation::{Fetched, fetch};
use iam::{IdentityProvider, ProviderRights};
use iam_formats::OidcSettings;
use jiff::Timestamp;
use sts::{ExpectedToken, WebIdentity, WebIdentityError, claimed_issuer, verify_web_identity};

use super::report::Report;

/// Checks the token in a file as a gateway would. The token itself is not shown.
pub async fn check(file: &Path, providers: &[Arc<IdentityProvider>], settings: &OidcSettings, report: &mut Report) {
    let shown = file.display();
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) => return report.error(format!("`{shown}` cannot be read: {error}"), "name a file with a token"),
    };
    let token = text.trim();
    let issuer = match claimed_issuer(token) {
        Ok(issuer) => issuer,
        Err(error) => return report.error(format!("`{shown}`: {error}"), next_for(&error)),
    };
    report.ok(format!("`{shown}` is a token that claims to be from `{issuer}`"));
    let with_tokens = || providers.iter().filter(|provider| provider.has_tokens());
    let named: Vec<_> = with_tokens().filter(|provider| same(&provider.issuer, &issuer)).collect();
    if named.is_empty() {
        let known: Vec<&str> = with_tokens().map(|provider| provider.issuer.as_str()).collect();
        let known = if known.is_empty() { "there are none".to_owned() } else { known.join(", ") };
        return report.error(
            format!("no identity provider has the issuer `{issuer}`: {known}"),
            "compare the two letter by letter; name the -iam.config, and the filer or directory of providers of the IAM API",
        );
    }
    for provider in named {
        of_provider(token, provider, settings, report).await;
    }
}

/// Providers of the IAM API are stored without the slash that their issuer may have.
fn same(one: &str, other: &str) -> bool {
    one.strip_suffix('/').unwrap_or(one) == other.strip_suffix('/').unwrap_or(other)
}

async fn of_provider(token: &str, provider: &IdentityProvider, settings: &OidcSettings, report: &mut Report) {
    let fetched = match fetch(provider, settings).await {
        Ok(fetched) => fetched,
        Err(error) => {
            let next = "see docs/federation.md; a provider at a private address has to be allowed to be there";
            return report.error(format!("the keys of `{}` cannot be fetched: {error}", provider.arn), next);
        }
    };
    report.ok(format!("the keys of `{}` can be fetched", provider.arn));
    let Fetched { issuer, keys, .. } = &fetched;
    let expected = ExpectedToken { issuer, client_ids: &provider.client_ids, keys, now: Timestamp::now() };
    match verify_web_identity(token, &expected) {
        Ok(user) => rights(&user, provider, report),
        Err(error) => {
            let accepted = provider.client_ids.join(", ");
            report.error(format!("{error} (accepted are the client ids {accepted})"), next_for(&error));
        }
    }
}

/// What the token gives, as far as that does not depend on the role that a call names.
fn rights(user: &WebIdentity, provider: &IdentityProvider, report: &mut Report) {
    let until = Timestamp::from_second(user.expires_s).unwrap_or(Timestamp::MAX);
    report.ok(format!(
        "it is valid for the client id `{}` until {until}; its subject is `{}`",
        user.audience, user.subject
    ));
    let claims: Vec<&str> = user.claims.iter().map(|(name, _)| name).collect();
    report.ok(format!(
        "trust policies can test its claims, behind `{}:`: {}",
        provider.key_prefix(),
        claims.join(", ")
    ));
    match &provider.rights {
        // The last two are for directories and plugins, which have no tokens of this kind.
        ProviderRights::None | ProviderRights::Policies(_) | ProviderRights::RolePolicy(_) => {
            report.ok("calls with it have to name a role, whose trust policy has to name the provider");
        }
        ProviderRights::PolicyClaim(claim) => match user.claims.get(claim) {
            Some(names) => report.ok(format!("a call without a role gets the policies {}", names.values().join(", "))),
            None => report.warning(
                format!("it has no claim `{claim}`, so a call without a role gets nothing"),
                "let the provider put the claim into tokens, or name a role",
            ),
        },
        ProviderRights::Roles(mapping) => match mapping.role_of(&user.claims) {
            Some(role) => {
                report.ok(format!("a call without a role gets the role `{role}`, if its trust policy allows it"))
            }
            None => report.warning(
                "no rule of roleMapping matches, so a call has to name a role",
                "compare the rules with the claims; set defaultRole to give everyone a role",
            ),
        },
    }
}

fn next_for(error: &WebIdentityError) -> &'static str {
    match error {
        WebIdentityError::Malformed(_) => {
            "let the provider issue a JWT with iss, sub, aud, exp and iat; an opaque access token is not a JWT"
        }
        WebIdentityError::UnknownKey => {
            "get a new token: the provider has replaced its keys, or another realm of it issued this one"
        }
        WebIdentityError::Signature(_) => {
            "get a new token from the provider itself: this one was changed, or another one made it"
        }
        WebIdentityError::Audience => {
            "add the client id of the token to the provider's client ids, or ask for a token for one of them"
        }
        WebIdentityError::Expired(_) => "get a new token",
    }
}
