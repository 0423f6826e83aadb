//! `kelpgate config show`: the settings of a gateway, each with where it comes from.

use std::path::Path;

use clap::parser::ValueSource;
use clap::{ArgMatches, CommandFactory};
use server::configuration::{Configuration, SECRETS_KEY, security, trusted_proxies_of_security};
use server::settings::Settings;

use super::ShownGateway;
use crate::arguments::Arguments;
use crate::go_flags::ExpandedArguments;

/// Variables of the environment that count, and whether their values are secret.
const VARIABLES: [(&str, bool); 7] = [
    ("AWS_ACCESS_KEY_ID", false),
    ("AWS_SECRET_ACCESS_KEY", true),
    ("KELPGATE_LOG", false),
    ("KELPGATE_LOG_FORMAT", false),
    (SECRETS_KEY, true),
    ("TOKIO_WORKER_THREADS", false),
    ("WEED_S3_TRUSTED_PROXIES_WHITE_LIST", false),
];

/// A line: the setting, its value, where it comes from.
struct Row(String, String, String);

/// Prints all settings. Reads the files as a gateway does, and fails where it would not start.
pub fn show(gateway: &ShownGateway, given: &ExpandedArguments) -> Result<(), String> {
    let (name, settings, filers) = match gateway {
        ShownGateway::Server(server) => ("server", server.settings()?, Vec::new()),
        ShownGateway::S3(s3) => {
            ("s3", s3.settings()?, s3.filer.split(',').filter(|filer| !filer.is_empty()).map(str::to_owned).collect())
        }
    };
    let mut rows = flags(name, given)?;
    rows.extend(variables());
    rows.extend(of_security(settings.config_dir.as_deref())?);
    rows.extend(files(&settings, &filers)?);
    let width =
        |column: fn(&Row) -> &String| rows.iter().map(|row| column(row).chars().count()).max().unwrap_or(0).min(60);
    let (first, second) = (width(|row| &row.0), width(|row| &row.1));
    for Row(setting, value, from) in &rows {
        say!("{setting:first$}  {value:second$}  {from}");
    }
    Ok(())
}

/// The flags, as they were given or by default.
fn flags(name: &str, given: &ExpandedArguments) -> Result<Vec<Row>, String> {
    let mut command = Arguments::command();
    let matches = command.try_get_matches_from_mut(&given.arguments).map_err(|error| error.to_string())?;
    let path = ["config", "show", name];
    let inner = path.iter().try_fold(&matches, |at: &ArgMatches, name| at.subcommand_matches(name));
    let command = path.iter().try_fold(&command, |at, name| at.find_subcommand(name));
    let (Some(matches), Some(command)) = (inner, command) else { return Err(format!("there is no command {name}")) };
    let shown = command.get_arguments().filter(|argument| !argument.is_hide_set() && argument.get_long().is_some());
    let row = |argument: &clap::Arg| {
        let flag = argument.get_long().unwrap_or_default();
        let id = argument.get_id().as_str();
        let values = matches.try_get_raw(id).ok().flatten();
        let values: Vec<String> =
            values.into_iter().flatten().map(|value| value.to_string_lossy().into_owned()).collect();
        let from = match matches.try_contains_id(id).ok().and_then(|_| matches.value_source(id)) {
            Some(ValueSource::CommandLine) => given.origin(flag).unwrap_or_else(|| "command line".to_owned()),
            Some(ValueSource::EnvVariable) => "environment".to_owned(),
            _ => "default".to_owned(),
        };
        let value = values.join(",");
        Row(format!("-{flag}"), if value.is_empty() { "none".to_owned() } else { value }, from)
    };
    Ok(shown.filter(|argument| argument.get_long() != Some("help")).map(row).collect())
}

fn variables() -> Vec<Row> {
    let set = VARIABLES.iter().filter_map(|(name, is_secret)| Some((name, is_secret, std::env::var(name).ok()?)));
    let set = set.filter(|(_, _, value)| !value.is_empty());
    let shown = |is_secret: bool, value: String| if is_secret { "***".to_owned() } else { value };
    set.map(|(name, is_secret, value)| Row((*name).to_owned(), shown(*is_secret, value), "environment".to_owned()))
        .collect()
}

fn of_security(config_dir: Option<&Path>) -> Result<Vec<Row>, String> {
    let security = security(config_dir)?;
    let proxies = trusted_proxies_of_security(security.source.as_deref())?;
    let from = security.source.as_ref().map_or_else(|| "not found".to_owned(), |path| path.display().to_string());
    let key = if security.filer_write.is_some() { "***" } else { "none" };
    let proxies = if proxies.is_empty() { "none".to_owned() } else { proxies.join(", ") };
    Ok(vec![
        Row("security.toml jwt.filer_signing.key".to_owned(), key.to_owned(), from.clone()),
        Row("security.toml s3.trusted_proxies".to_owned(), proxies, from),
    ])
}

fn files(settings: &Settings, filers: &[String]) -> Result<Vec<Row>, String> {
    let Settings { identities_file, iam_file, .. } = settings;
    let mut configuration = Configuration::read(identities_file.as_deref(), iam_file.as_deref(), filers)?;
    configuration.secret_keys()?;
    if filers.is_empty() {
        configuration.keep_in_filer();
    }
    let text = iam_file
        .as_deref()
        .map(std::fs::read_to_string)
        .transpose()
        .map_err(|error| format!("-iam.config: {error}"))?;
    let file = iam_file.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
    let from = |line: Option<usize>| line.map_or_else(|| "default".to_owned(), |line| format!("{file}, line {line}"));
    let settings = configuration.iam.shown(&text.unwrap_or_default()).into_iter();
    let mut rows: Vec<Row> = settings.map(|setting| Row(setting.path, setting.value, from(setting.line))).collect();
    let source = identities_file.as_ref().or(iam_file.as_ref());
    let source = source.map_or_else(|| "no file".to_owned(), |path| path.display().to_string());
    let names: Vec<&str> = configuration.identities.users.iter().map(|user| &*user.name).collect();
    let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    rows.push(Row("identities".to_owned(), names, source));
    Ok(rows)
}
