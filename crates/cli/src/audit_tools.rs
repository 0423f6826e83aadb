//! `kelpgate audit` and `kelpgate why`: search the files of an audit log, check them, explain a refusal.

use std::net::IpAddr;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use audit::chain;
use audit::query::{self, Query};
use audit::verify::verify;
use bytes::Bytes;
use clap::{Args, Subcommand};
use http::{Method, StatusCode};
use jiff::Timestamp;
use serde_json::Value;
use transfer::tree::error_of;

use crate::api::{Gateway, encoded};
use crate::arguments::Place;
use crate::output;

#[derive(Subcommand)]
pub enum AuditCommand {
    /// Checks that no record and no file of a log was edited, cut off, removed or moved.
    Verify(Box<Verify>),
    /// Prints the events of a log that match.
    Query(Box<Search>),
}

#[derive(Args)]
#[command(mut_arg("filer", |filer| filer.help("Comma-separated filers, `host:port` or `host:port.grpcPort`; none by default")))]
pub struct Verify {
    /// The log: the path of its sink.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// The public key of the log; FILE.key.pub by default. Keep a copy where the log is not.
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
    /// With `-filer` or `-dir`, the last digest that the gateway kept there must be in the log.
    #[command(flatten)]
    pub place: Place,
}

#[derive(Args)]
pub struct Search {
    /// The log: the path of its sink.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Only what was refused.
    #[arg(long)]
    pub denied: bool,
    /// Only this caller: an ARN, the end of one such as `user/alice` or `alice`, an access key id, or `anonymous`.
    #[arg(long, value_name = "WHO")]
    pub principal: Option<String>,
    /// Only this bucket.
    #[arg(long, value_name = "NAME")]
    pub bucket: Option<String>,
    /// Only keys that begin so.
    #[arg(long, value_name = "TEXT")]
    pub prefix: Option<String>,
    /// Only this operation: `GetObject`, `iam:CreateUser`, `Delete*`, `iam:*`.
    #[arg(long, value_name = "NAME", value_parser = operation)]
    pub operation: Option<String>,
    /// Only this client address.
    #[arg(long, value_name = "ADDRESS")]
    pub client: Option<IpAddr>,
    /// Only this request: the id of the request or of its decision.
    #[arg(long, value_name = "ID", value_parser = decision_id)]
    pub request: Option<String>,
    /// Not before this time: 2026-01-31T12:00:00Z, 2026-01-31, or 90d, 12h, 30m ago.
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Before this time.
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// Print the events as they are in the file, instead of one line about each.
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
pub struct Why {
    /// The `DecisionId` of the answer, or the request's id: 16 hexadecimal digits.
    #[arg(value_name = "DECISION-ID", value_parser = decision_id)]
    pub id: String,
    /// The audit log to look in if the gateway does not remember: the path of its sink.
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    #[command(flatten)]
    pub gateway: Gateway,
}

fn decision_id(text: &str) -> Result<String, String> {
    match text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        true => Ok(text.to_ascii_uppercase()),
        false => Err("copy the 16 hexadecimal digits of `DecisionId` or `RequestId` from the answer".to_owned()),
    }
}

fn operation(text: &str) -> Result<String, String> {
    let (service, name) = text.split_once(':').map_or((None, text), |(service, name)| (Some(service), name));
    let is_service = |service: &str| ["s3", "iam", "sts"].iter().any(|known| known.eq_ignore_ascii_case(service));
    let letters = name.strip_suffix('*').unwrap_or(name);
    let is_name = !name.is_empty() && letters.bytes().all(|byte| byte.is_ascii_alphanumeric());
    match is_name && service.is_none_or(is_service) {
        true => Ok(text.to_owned()),
        false => {
            Err("write the name of an operation, or its beginning and `*`: GetObject, iam:CreateUser, Delete*"
                .to_owned())
        }
    }
}

/// Runs one of them. False if the log was changed.
pub async fn run(command: AuditCommand) -> Result<bool, String> {
    match command {
        AuditCommand::Verify(asked) => check(&asked).await,
        AuditCommand::Query(asked) => search(&asked).map(|()| true),
    }
}

async fn check(asked: &Verify) -> Result<bool, String> {
    audit::existing(&asked.file)?;
    let path = asked.key.clone().unwrap_or_else(|| PathBuf::from(format!("{}.key.pub", asked.file.display())));
    let key = std::fs::read_to_string(&path)
        .map_err(|error| format!("the public key `{}` cannot be read: {error}; name it with -key", path.display()))?;
    if !chain::is_public_key(key.trim()) {
        return Err(format!(
            "`{}` is not the public key of an audit log; name the file that ends with `.key.pub` with -key",
            path.display()
        ));
    }
    let first = verify(&asked.file, key.trim(), None)?;
    let anchor = match (&first.head, asked.place.filer.is_some() || asked.place.dir.is_some()) {
        (Some(head), true) => Some(anchor(&asked.place, &chain::read(head, key.trim())?.log).await?),
        _ => None,
    };
    let found = verify(&asked.file, key.trim(), anchor.as_deref())?;
    for problem in &found.problems {
        say!("problem: {problem}");
    }
    say!("{} files, {} records", found.files, found.records);
    if found.found > 0 {
        say!("{} records were found after a crash: the log does not show who wrote them", found.found);
    }
    if found.uncovered > 0 {
        say!("{} records at the end have no digest yet", found.uncovered);
    }
    if anchor.is_none() {
        say!("not compared with the digest on the filer: add -filer or -dir to find out whether the end was cut off");
    }
    say!("{}", if found.problems.is_empty() { "the log is as it was written" } else { "the log was changed" });
    Ok(found.problems.is_empty())
}

async fn anchor(place: &Place, log: &str) -> Result<String, String> {
    let path = format!("{}/{log}", audit::ANCHORS);
    let filer = place.open().await?;
    let found = filer.lookup(&path).await.map_err(|error| format!("`{path}` cannot be read: {error}"))?;
    let entry =
        found.ok_or_else(|| format!("the filer has no digest of this log at `{path}`; is it the right filer?"))?;
    String::from_utf8(entry.content).map_err(|_| format!("`{path}` is not text"))
}

fn search(asked: &Search) -> Result<(), String> {
    let now = Timestamp::now();
    let time = |flag: &str, text: &Option<String>| {
        text.as_deref().map(|text| query::time(text, now)).transpose().map_err(|error| format!("-{flag}: {error}"))
    };
    let query = Query {
        denied: asked.denied,
        principal: asked.principal.clone(),
        bucket: asked.bucket.clone(),
        prefix: asked.prefix.clone(),
        operation: asked.operation.clone(),
        client: asked.client,
        request_id: asked.request.clone(),
        since: time("since", &asked.since)?,
        until: time("until", &asked.until)?,
    };
    if let (Some(since), Some(until)) = (query.since, query.until)
        && since >= until
    {
        return Err(format!("-since ({since}) is not before -until ({until}), so nothing is between them"));
    }
    let print = |line: &str, event: &Value| {
        match asked.json {
            true => say!("{line}"),
            false => say!("{}", query::summary(event)),
        }
        if output::is_lost() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let unreadable = query::search(&asked.file, &query, print)?;
    if unreadable > 0 {
        eprintln!("kelpgate: {unreadable} lines are not CloudTrail events");
    }
    Ok(())
}

/// `kelpgate why`. False if nobody remembers the decision.
pub async fn why(asked: Why) -> Result<bool, String> {
    let remembered = recall(&asked).await;
    let mut events: Vec<Value> = Vec::new();
    if let Ok(Some(lines)) = &remembered {
        events.extend(lines.lines().filter_map(|line| serde_json::from_str(line).ok()));
    }
    if let (true, Some(file)) = (events.is_empty(), &asked.file) {
        events = of_file(file, &asked.id)?;
    }
    if !events.is_empty() {
        say!("{}", query::explain(&events).trim_end());
        return Ok(true);
    }
    let endpoint = &asked.gateway.endpoint;
    match remembered {
        Err(error) => eprintln!("kelpgate: {error}"),
        Ok(_) => eprintln!("kelpgate: {endpoint} does not remember a refusal {}", asked.id),
    }
    match &asked.file {
        None => eprintln!("name an audit log with -file to search it"),
        Some(file) => eprintln!("`{}` has no event with this id", file.display()),
    }
    Ok(false)
}

fn of_file(file: &Path, id: &str) -> Result<Vec<Value>, String> {
    let query = Query { request_id: Some(id.to_owned()), ..Query::default() };
    let mut events = Vec::new();
    query::search(file, &query, |_, event| {
        events.push(event.clone());
        ControlFlow::Continue(())
    })?;
    Ok(events)
}

/// Asks the gateway. `None` if it does not remember.
async fn recall(asked: &Why) -> Result<Option<String>, String> {
    let path = format!("/status?decision={}", encoded(&asked.id));
    let answer = asked.gateway.s3(&Method::GET, &path, Bytes::new()).await?;
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    match answer.status {
        StatusCode::OK => Ok(Some(text)),
        StatusCode::NOT_FOUND => Ok(None),
        status => {
            let (code, message) = error_of(&answer.body).unwrap_or_else(|| (status.to_string(), text));
            Err(format!("{} refused to explain it: {code}: {message}", asked.gateway.endpoint))
        }
    }
}
