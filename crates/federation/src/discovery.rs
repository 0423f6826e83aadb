//! The keys of a provider: from a file, from their own address, or from where its discovery document says.

use iam::IdentityProvider;
use iam_formats::OidcSettings;
use serde::Deserialize;
use sts::{KEYS_BYTES_MAX, KeysError, ProviderKeys};

use crate::get::{Authorization, GetError, Outbound};

/// The longest discovery document, in bytes.
const DISCOVERY_BYTES_MAX: usize = 64 << 10;

/// Google's tokens are verified by keys at another host of Google's.
const KEYS_ELSEWHERE: [(&str, &str); 1] = [("accounts.google.com", "www.googleapis.com")];

/// The keys of a provider, and what it calls itself.
#[derive(Debug, Clone)]
pub struct Fetched {
    /// The issuer exactly as tokens have it.
    pub issuer: String,
    /// The document of keys.
    pub jwks: String,
    /// The same, read.
    pub keys: ProviderKeys,
}

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// A request failed.
    #[error(transparent)]
    Get(#[from] GetError),
    /// The file with the keys cannot be read.
    #[error("`jwksFile`: `{0}` cannot be read: {1}")]
    File(String, String),
    /// The discovery document says something that cannot be right.
    #[error("the discovery document `{0}` is refused: {1}")]
    Discovery(String, String),
    /// The keys cannot be used.
    #[error("the keys of `{0}` are refused: {1}")]
    Keys(String, KeysError),
}

#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

/// Fetches the keys of a provider.
pub async fn fetch(provider: &IdentityProvider, settings: &OidcSettings) -> Result<Fetched, FetchError> {
    let outbound = outbound(provider, settings);
    let (issuer, place, jwks) = match (&provider.keys.jwks_file, &provider.keys.jwks_uri) {
        (Some(file), _) => {
            let text = std::fs::read_to_string(file);
            let text = text.map_err(|error| FetchError::File(file.clone(), error.to_string()))?;
            (provider.issuer.clone(), file.clone(), text)
        }
        (None, Some(uri)) => (provider.issuer.clone(), uri.clone(), outbound.get(uri, KEYS_BYTES_MAX).await?),
        (None, None) => {
            let Discovery { issuer, jwks_uri } = discover(provider, &outbound).await?;
            let jwks = outbound.get(&jwks_uri, KEYS_BYTES_MAX).await?;
            (issuer, jwks_uri, jwks)
        }
    };
    let keys = ProviderKeys::parse(&jwks).map_err(|error| FetchError::Keys(place, error))?;
    Ok(Fetched { issuer, jwks, keys })
}

fn outbound(provider: &IdentityProvider, settings: &OidcSettings) -> Outbound {
    let is_listed =
        provider.name.is_empty() && settings.private_hosts.iter().any(|host| *host == host_of(&provider.issuer));
    Outbound {
        allows_private_addresses: provider.keys.allows_private_addresses || is_listed,
        ca_file: provider.keys.ca_file.clone().or_else(|| settings.ca_file.clone().filter(|_| is_listed)),
        authorization: provider.keys.bearer_file.clone().map_or(Authorization::None, Authorization::BearerOf),
    }
}

async fn discover(provider: &IdentityProvider, outbound: &Outbound) -> Result<Discovery, FetchError> {
    let issuer = provider.issuer.as_str();
    let url = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
    let refused = |why: String| FetchError::Discovery(url.clone(), why);
    let text = outbound.get(&url, DISCOVERY_BYTES_MAX).await?;
    let found: Discovery = serde_json::from_str(&text).map_err(|error| refused(error.to_string()))?;
    // A provider of the IAM API is stored without the slash that its issuer may have.
    let is_stored = provider.name.is_empty();
    let same = found.issuer == issuer || (is_stored && found.issuer.strip_suffix('/') == Some(issuer));
    if !same {
        return Err(refused(format!("it is that of `{}`, not of `{issuer}`", found.issuer)));
    }
    let (own, theirs) = (host_of(issuer), host_of(&found.jwks_uri));
    if own != theirs && !KEYS_ELSEWHERE.contains(&(own, theirs)) {
        return Err(refused(format!(
            "its keys are at another host, `{theirs}`; if that is right, configure the provider with this `jwksUri`"
        )));
    }
    if issuer.starts_with("https://") && !found.jwks_uri.starts_with("https://") {
        return Err(refused("its keys are not at an https address".to_owned()));
    }
    Ok(found)
}

/// The host of a URL, without its port.
fn host_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split('/').next().unwrap_or_default();
    if authority.starts_with('[') {
        return authority.split_once(']').map_or(authority, |(host, _)| host);
    }
    authority.split(':').next().unwrap_or_default()
}
