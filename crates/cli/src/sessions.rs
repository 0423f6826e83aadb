//! `kelpgate sessions`: lists sessions, and ends them. A gateway is asked, because only its answer says that every gateway refuses the
//! sessions.

use clap::{ArgGroup, Args, Subcommand};

use crate::api::Gateway;
use crate::iam_tools::remote;
use crate::output;

#[derive(Subcommand)]
pub enum SessionsCommand {
    /// Ends sessions that were issued until now. Returns once every gateway refuses them.
    Revoke(Revoke),
    /// Lists the sessions that were used lately and are not over: id, ARN, user of an identity provider, times, address.
    List(Gateway),
    /// Lists which sessions are revoked.
    Revocations(Gateway),
}

#[derive(Args)]
#[command(group = ArgGroup::new("target").args(["role", "user", "provider", "session"]).required(true))]
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
            say!("revoked: {}", lines(&answer).join("\n"));
        }
        SessionsCommand::List(gateway) => list(&gateway).await?,
        SessionsCommand::Revocations(gateway) => {
            for line in lines(&call(&gateway, "ListSessionRevocations", []).await?) {
                say!("{line}");
            }
        }
    }
    Ok(())
}

/// Prints one line for each session, page by page.
async fn list(gateway: &Gateway) -> Result<(), String> {
    let mut marker = String::new();
    loop {
        let after = Some(("Marker", marker.as_str())).filter(|(_, marker)| !marker.is_empty());
        let answer = call(gateway, "ListSessions", after.into_iter().chain([("MaxItems", "1000")])).await?;
        for part in answer.split("<SessionId>").skip(1).map(|part| format!("<SessionId>{part}")) {
            let [id, arn, subject] = ["SessionId", "Arn", "Subject"].map(|name| field(&part, name));
            let [issued, expires, used, address] =
                ["IssuedAt", "ExpiresAt", "LastUsedDate", "SourceIp"].map(|name| field(&part, name));
            let subject = if subject.is_empty() { "-" } else { &subject };
            say!("{id}\t{arn}\t{subject}\tissued {issued}\tuntil {expires}\tused {used}\tfrom {address}");
        }
        marker = field(&answer, "Marker");
        if marker.is_empty() || output::is_lost() {
            return Ok(());
        }
    }
}

/// The text of an element, whose characters that XML writes in another way stay so.
fn field(part: &str, name: &str) -> String {
    let rest = part.split_once(&format!("<{name}>")).map_or("", |(_, rest)| rest);
    rest.split('<').next().unwrap_or_default().to_owned()
}

/// One line for each revocation of an answer.
fn lines(answer: &str) -> Vec<String> {
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
    let given: Vec<(&str, &str)> = given.into_iter().collect();
    let answer = remote::call_query_api(gateway, "iam", action, &given).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
