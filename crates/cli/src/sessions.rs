//! `kelpgate sessions`: ends sessions, and lists those that were ended. Both ask a gateway, because only its answer says that every
//! gateway refuses the sessions.

use bytes::Bytes;
use clap::{Args, Subcommand};
use http::{Request, header};
use ids::{AccessKeyId, SecretAccessKey};
use jiff::Timestamp;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use sigv4::{PayloadHash, SigningIdentity};

use crate::http_client;

#[derive(Subcommand)]
pub enum SessionsCommand {
    /// Ends sessions that were issued until now. Returns once every gateway refuses them.
    Revoke(Revoke),
    /// Lists which sessions are revoked.
    List(Gateway),
}

#[derive(Args)]
pub struct Revoke {
    /// The sessions of a role.
    #[arg(long, value_name = "NAME")]
    pub role: Option<String>,
    /// The sessions that a user made, and the sessions made from these.
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// The sessions of an identity provider's users: its ARN or issuer.
    #[arg(long, value_name = "PROVIDER")]
    pub provider: Option<String>,
    /// Only those of this subject of the provider.
    #[arg(long, value_name = "SUBJECT", requires = "provider")]
    pub subject: Option<String>,
    /// One session: its id, as the audit log shows it.
    #[arg(long, value_name = "ID")]
    pub session: Option<String>,
    /// Only those that were issued until this time: 2026-01-31T12:00:00Z.
    #[arg(long = "olderThan", value_name = "TIME")]
    pub older_than: Option<String>,
    #[command(flatten)]
    pub gateway: Gateway,
}

/// The gateway that is asked. The key comes from `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`.
#[derive(Args)]
pub struct Gateway {
    /// The URL of a gateway.
    #[arg(long, env = "AWS_ENDPOINT_URL", default_value = "http://127.0.0.1:8333", value_name = "URL")]
    pub endpoint: String,
    /// The region for which the call is signed.
    #[arg(long, env = "AWS_REGION", default_value = "us-east-1", value_name = "REGION")]
    pub region: String,
}

/// Runs one of them.
pub async fn run(command: SessionsCommand) -> Result<(), String> {
    match command {
        SessionsCommand::Revoke(revoke) => {
            let given = [
                ("RoleName", &revoke.role),
                ("UserName", &revoke.user),
                ("Provider", &revoke.provider),
                ("Subject", &revoke.subject),
                ("SessionId", &revoke.session),
                ("OlderThan", &revoke.older_than),
            ];
            let given = given.iter().filter_map(|(name, value)| Some((*name, value.as_deref()?)));
            let answer = call(&revoke.gateway, "RevokeSessions", given).await?;
            println!("revoked: {}", lines(&answer).join("\n"));
        }
        SessionsCommand::List(gateway) => {
            for line in lines(&call(&gateway, "ListSessionRevocations", []).await?) {
                println!("{line}");
            }
        }
    }
    Ok(())
}

/// One line for each revocation of an answer.
fn lines(answer: &str) -> Vec<String> {
    let field = |part: &str, name: &str| {
        let rest = part.split_once(&format!("<{name}>")).map_or("", |(_, rest)| rest);
        rest.split('<').next().unwrap_or_default().to_owned()
    };
    let revocations = answer.split("<Target>").skip(1).map(|part| format!("<Target>{part}"));
    let line = |part: String| {
        let [target, until, by] = ["Target", "IssuedUntil", "RevokedBy"].map(|name| field(&part, name));
        format!("{target}\tissued until {until}\tby {by}")
    };
    revocations.map(line).collect()
}

async fn call<'a>(
    gateway: &Gateway,
    action: &'a str,
    given: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<String, String> {
    let pairs = [("Action", action), ("Version", "2010-05-08")].into_iter().chain(given);
    let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let pairs: Vec<String> = pairs.map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
    let answer = http_client::send(signed(gateway, pairs.join("&"))?).await?;
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    if answer.status.is_success() { Ok(text) } else { Err(format!("{}: {text}", answer.status)) }
}

fn signed(gateway: &Gateway, body: String) -> Result<Request<Bytes>, String> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let needed = |name: &str| variable(name).ok_or_else(|| format!("set {name}: the call is signed with this key"));
    let access_key_id: AccessKeyId =
        needed("AWS_ACCESS_KEY_ID")?.parse().map_err(|error| format!("AWS_ACCESS_KEY_ID: {error}"))?;
    let secret = SecretAccessKey::new(needed("AWS_SECRET_ACCESS_KEY")?);
    let token = variable("AWS_SESSION_TOKEN");
    let url = format!("{}/", gateway.endpoint.trim_end_matches('/'));
    let uri: http::Uri = url.parse().map_err(|_| format!("-endpoint: `{url}` is not a URL"))?;
    let host = uri.authority().ok_or_else(|| format!("-endpoint: `{url}` names no host"))?.to_string();
    let request = Request::post(uri)
        .header(header::HOST, host)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Bytes::from(body));
    let (mut head, body) = request.map_err(|error| format!("-endpoint: {error}"))?.into_parts();
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &body);
    let digest: [u8; 32] = digest.as_ref().try_into().map_err(|_| "SHA-256 has 32 bytes".to_owned())?;
    let who = SigningIdentity {
        access_key_id: &access_key_id,
        secret: &secret,
        session_token: token.as_deref(),
        time: Timestamp::now(),
        region: &gateway.region,
        service: "iam",
    };
    sigv4::sign_header(&mut head, PayloadHash::Sha256(digest), &who)
        .map_err(|error| format!("the call cannot be signed: {error}"))?;
    Ok(Request::from_parts(head, body))
}
