//! `kelpgate sessions`: ends sessions, and lists those that were ended. Both ask a gateway, because only its answer says that every
//! gateway refuses the sessions.

use clap::{Args, Subcommand};

use crate::api::Gateway;

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
    let answer = gateway.query("iam", action, given).await?;
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    if answer.status.is_success() { Ok(text) } else { Err(format!("{}: {text}", answer.status)) }
}
