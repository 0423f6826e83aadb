//! Reads the IAM state of a running gateway through its APIs, and calls what a plan has.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, StatusCode};
use transfer::tree::{BadAnswer, Call, Found, Tree, error_of};

use crate::api::{Gateway, encoded};
use crate::http_client::Answer;

/// How often a call is repeated that the gateway cannot answer yet.
const ATTEMPTS: usize = 6;
/// The pause before it.
const PAUSE: Duration = Duration::from_secs(1);
/// The entities of a page. A page of large policies stays within the longest answer that is read.
const PAGE: &str = "100";

/// A call that failed.
pub struct Failed {
    /// The code of the error; empty if there was no answer.
    pub code: String,
    /// What it says.
    pub message: String,
}

impl Failed {
    /// Whether someone else has changed the state since the plan was made.
    pub fn is_stale(&self) -> bool {
        let codes = ["NoSuchEntity", "EntityAlreadyExists", "DeleteConflict", "ConcurrentModification", "NoSuchBucket"];
        codes.contains(&self.code.as_str())
    }
}

impl From<Failed> for String {
    fn from(failed: Failed) -> Self {
        if failed.code.is_empty() { failed.message } else { format!("{}: {}", failed.code, failed.message) }
    }
}

/// Everything that a tree can hold, as it is now. With `prune`, also the keys of users that `wanted` lacks.
pub async fn read(gateway: &Gateway, wanted: Option<&Tree>) -> Result<Found, String> {
    let bad = |error: BadAnswer| error.to_string();
    let caller = call_query_api(gateway, "sts", "GetCallerIdentity", &[]).await?;
    let mut found = Found::of_caller(&caller).map_err(bad)?;
    let mut marker = None;
    loop {
        let page = page(gateway, "GetAccountAuthorizationDetails", &[], marker).await?;
        marker = found.add_details(&page).map_err(bad)?;
        if marker.is_none() {
            break;
        }
    }
    loop {
        let page = page(gateway, "ListInstanceProfiles", &[], marker).await?;
        marker = found.add_profiles(&page).map_err(bad)?;
        if marker.is_none() {
            break;
        }
    }
    let list = call_query_api(gateway, "iam", "ListOpenIDConnectProviders", &[]).await?;
    for arn in Found::providers(&list).map_err(bad)? {
        let provider =
            call_query_api(gateway, "iam", "GetOpenIDConnectProvider", &[("OpenIDConnectProviderArn", &arn)]).await?;
        found.add_provider(&provider).map_err(bad)?;
    }
    found.add_alias(&call_query_api(gateway, "iam", "ListAccountAliases", &[]).await?).map_err(bad)?;
    buckets(gateway, &mut found).await?;
    if let Some(wanted) = wanted {
        let users: Vec<String> = wanted.users_to_prune(&found).cloned().collect();
        for user in users {
            keys(gateway, &user, &mut found).await?;
        }
    }
    Ok(found)
}

async fn buckets(gateway: &Gateway, found: &mut Found) -> Result<(), String> {
    let mut after = String::new();
    loop {
        let path = format!("/?max-buckets=1000{after}");
        let answer = s3(gateway, &Method::GET, &path, Bytes::new()).await?;
        match found.add_buckets(&answer.body).map_err(|error| error.to_string())? {
            Some(token) => after = format!("&continuation-token={}", encoded(&token)),
            None => break,
        }
    }
    let buckets: Vec<String> = found.buckets.iter().cloned().collect();
    for bucket in buckets {
        match s3(gateway, &Method::GET, &format!("/{bucket}?policy"), Bytes::new()).await {
            Ok(answer) => {
                found.add_bucket_policy(&bucket, &answer.body).map_err(|error| error.to_string())?;
            }
            Err(Failed { code, .. }) if code == "NoSuchBucketPolicy" => {}
            Err(Failed { code, .. }) if code == "NoSuchBucket" => _ = found.buckets.remove(&bucket),
            Err(failed) => return Err(format!("the policy of bucket `{bucket}`: {}", String::from(failed))),
        }
    }
    Ok(())
}

async fn keys(gateway: &Gateway, user: &str, found: &mut Found) -> Result<(), String> {
    let mut marker = None;
    loop {
        let page = page(gateway, "ListAccessKeys", &[("UserName", user)], marker).await?;
        marker = found.add_access_keys(user, &page).map_err(|error| error.to_string())?;
        if marker.is_none() {
            break;
        }
    }
    loop {
        let page = page(gateway, "ListServiceAccounts", &[("ParentUser", user)], marker).await?;
        marker = found.add_service_accounts(user, &page).map_err(|error| error.to_string())?;
        if marker.is_none() {
            return Ok(());
        }
    }
}

/// Makes a call of a plan.
pub async fn call(gateway: &Gateway, call: &Call) -> Result<(), Failed> {
    match call {
        Call::Iam(action, pairs) => {
            let pairs: Vec<(&str, &str)> = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            call_query_api(gateway, "iam", action, &pairs).await.map(drop)
        }
        Call::PutBucketPolicy(bucket, text) => {
            let body = Bytes::from(text.clone());
            s3(gateway, &Method::PUT, &format!("/{bucket}?policy"), body).await.map(drop)
        }
        Call::DeleteBucketPolicy(bucket) => {
            s3(gateway, &Method::DELETE, &format!("/{bucket}?policy"), Bytes::new()).await.map(drop)
        }
    }
}

pub(super) async fn page(
    gateway: &Gateway,
    action: &str,
    pairs: &[(&str, &str)],
    marker: Option<String>,
) -> Result<Bytes, String> {
    let mut pairs = pairs.to_vec();
    pairs.push(("MaxItems", PAGE));
    if let Some(marker) = &marker {
        pairs.push(("Marker", marker));
    }
    Ok(call_query_api(gateway, "iam", action, &pairs).await?)
}

/// Calls an action of IAM or STS, and retries while the gateway cannot answer yet.
pub async fn call_query_api(
    gateway: &Gateway,
    service: &'static str,
    action: &str,
    pairs: &[(&str, &str)],
) -> Result<Bytes, Failed> {
    let mut attempt = 0;
    loop {
        attempt += 1;
        match checked(gateway.query(service, action, pairs.iter().copied()).await) {
            Err((_, true)) if attempt < ATTEMPTS => tokio::time::sleep(PAUSE).await,
            Err((failed, _)) => return Err(Failed { message: format!("{action}: {}", failed.message), ..failed }),
            Ok(answer) => return Ok(answer.body),
        }
    }
}

async fn s3(gateway: &Gateway, method: &Method, path: &str, body: Bytes) -> Result<Answer, Failed> {
    let mut attempt = 0;
    loop {
        attempt += 1;
        match checked(gateway.s3(method, path, body.clone()).await) {
            Err((_, true)) if attempt < ATTEMPTS => tokio::time::sleep(PAUSE).await,
            Err((failed, _)) => return Err(failed),
            Ok(answer) => return Ok(answer),
        }
    }
}

/// The answer, or the error and whether to make the same call again: the gateway cannot answer now, or the change is
/// made but not yet enforced everywhere.
fn checked(answer: Result<Answer, String>) -> Result<Answer, (Failed, bool)> {
    let answer = answer.map_err(|message| (Failed { code: String::new(), message }, false))?;
    if answer.status.is_success() {
        return Ok(answer);
    }
    let (code, message) = error_of(&answer.body).unwrap_or_else(|| (answer.status.to_string(), String::new()));
    let again = answer.status == StatusCode::SERVICE_UNAVAILABLE || code == "ChangeNotYetEnforced";
    Err((Failed { code, message }, again))
}
