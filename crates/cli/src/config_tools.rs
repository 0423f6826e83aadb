//! `kelpgate config`: whether a gateway would start with these files, and what it would make of them.

mod show;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use filer::seaweedfs::{FilerAddress, Security};
use iam::Identities;
use ids::SecretAccessKey;
use server::configuration::{
    Configuration, NO_SESSION_KEY, check_credential_store, security, session_key_of, trusted_proxies_of_security,
};
use server::quotas;

use crate::arguments::{S3, Server};
use crate::go_flags::ExpandedArguments;
use crate::logging;

#[derive(Subcommand)]
pub enum ConfigCommand {
    /// Reads the files as a gateway would, and says what is wrong with each. Nothing is started or changed.
    Check(Check),
    /// Prints each setting that a gateway with this command line would have, and where it comes from. Secrets are not shown.
    Show {
        /// The command line of the gateway: `server` or `s3`, and its flags.
        #[command(subcommand)]
        gateway: ShownGateway,
    },
}

#[derive(Subcommand)]
pub enum ShownGateway {
    /// As `kelpgate server` with these flags.
    Server(Box<Server>),
    /// As `kelpgate s3` with these flags.
    S3(Box<S3>),
}

#[derive(Args)]
pub struct Check {
    /// The identities file.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The IAM file.
    #[arg(long = "iam.config", value_name = "FILE")]
    pub iam_config: Option<PathBuf>,
    /// The filers of the gateway, comma separated: the IAM file must name no other.
    #[arg(long, default_value = "", value_name = "HOSTS")]
    pub filer: String,
    /// Directory of `security.toml`, searched before the usual places.
    #[arg(long = "config_dir", value_name = "DIR")]
    pub config_dir: Option<PathBuf>,
    /// The file that sends the audit log to fluentd.
    #[arg(long = "auditLogConfig", value_name = "FILE")]
    pub audit_log_config: Option<PathBuf>,
}

/// Runs it. False if a gateway would not start.
pub fn run(command: ConfigCommand, given: &ExpandedArguments) -> Result<bool, String> {
    match command {
        ConfigCommand::Check(asked) => check(&asked),
        ConfigCommand::Show { gateway } => show::show(&gateway, given).map(|()| true),
    }
}

fn check(asked: &Check) -> Result<bool, String> {
    let Findings { errors, warnings } = findings(asked);
    for error in &errors {
        say!("error: {error}");
    }
    for warning in &warnings {
        say!("warning: {warning}");
    }
    if errors.is_empty() {
        say!("a gateway starts with these files");
    }
    Ok(errors.is_empty())
}

/// What stops a start, and what the operator should know.
struct Findings {
    errors: Vec<String>,
    warnings: Vec<String>,
}

fn findings(asked: &Check) -> Findings {
    let mut warnings = Vec::new();
    let security = security(asked.config_dir.as_deref());
    let checked = [
        ("-filer", FilerAddress::parse_list(&asked.filer).map(|_| ()).map_err(|error| error.to_string())),
        ("files", files(asked, security.as_ref().unwrap_or(&Security::default()), &mut warnings)),
        ("security.toml", of_security(&security)),
        ("credential.toml", check_credential_store(asked.config_dir.as_deref())),
    ];
    let wrong = checked.into_iter().filter_map(|(what, checked)| Some(format!("{what}: {}", checked.err()?)));
    Findings { errors: wrong.collect(), warnings }
}

/// Reads the files. `warnings` gets what is ignored, what cannot have been meant, and what the files ask of the command line, which
/// is not known here.
fn files(asked: &Check, security: &Security, warnings: &mut Vec<String>) -> Result<(), String> {
    let filers: Vec<String> = asked.filer.split(',').filter(|filer| !filer.is_empty()).map(str::to_owned).collect();
    let (config, iam_config) = (asked.config.as_deref(), asked.iam_config.as_deref());
    let configuration = Configuration::read_silently(config, iam_config, &filers)?;
    warnings.extend(configuration.warnings(config, iam_config));
    warnings.extend(Configuration::oversights(config, iam_config));
    configuration.check_opening(asked.audit_log_config.as_deref())?;
    session_keys(&configuration, security, filers.is_empty(), warnings)?;
    logging::filter(configuration.iam.kelpgate.log.as_deref()).map(|_| ())?;
    configuration.trusted_proxies(&[])?;
    if let Some(authorities) = &configuration.iam.client_authorities {
        std::fs::metadata(authorities).map_err(|error| format!("clientCaCert: `{authorities}`: {error}"))?;
        warnings.push(
            "the provider of type `certificate` needs TLS on the gateway itself: start it with -cert.file and -key.file, let \
             clients connect to it without a proxy that opens TLS, and show their certificates"
                .to_owned(),
        );
    }
    match quotas::check_on_seaweedfs(&configuration.iam.kelpgate.quotas) {
        Err(why) if filers.is_empty() => warnings.push(format!("{why}; `kelpgate s3` does not start with it")),
        checked => checked?,
    }
    identities(configuration.identities, filers.is_empty(), warnings)
}

/// Sessions may be signed with the key of `security.toml`, and `kelpgate server` makes its own.
fn session_keys(
    configuration: &Configuration,
    security: &Security,
    maybe_server: bool,
    warnings: &mut Vec<String>,
) -> Result<(), String> {
    let (keys, passed_over) = configuration.iam.session_keys(session_key_of(security).as_slice())?;
    warnings.extend(passed_over);
    match keys {
        Some(_) => {}
        None if maybe_server => warnings.push(
            "there is no sts.signingKey: `kelpgate s3` refuses AssumeRole and session tokens; `kelpgate server` makes a key of its own"
                .to_owned(),
        ),
        None => warnings.push(NO_SESSION_KEY.to_owned()),
    }
    Ok(())
}

/// Adds the identity that a gateway adds to those of the file. Without `-filer`, the gateway may be one that makes its own root.
fn identities(mut identities: Identities, maybe_server: bool, warnings: &mut Vec<String>) -> Result<(), String> {
    if !maybe_server {
        return Configuration::add_environment_admin(&mut identities);
    }
    if let Err(why) = identities.add_root("(root)", SecretAccessKey::new(String::new())) {
        warnings.push(format!("{why}; as it is, `kelpgate server` does not start, and `kelpgate s3` does"));
    }
    Ok(())
}

fn of_security(security: &Result<Security, String>) -> Result<(), String> {
    let listed = trusted_proxies_of_security(security.as_ref().map_err(String::clone)?.source.as_deref())?;
    Configuration::read(None, None, &[])?.trusted_proxies(&listed).map(|_| ())
}
