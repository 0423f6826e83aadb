//! Running gateways: whether they answer, and whether they were started with the same keys and files.

use std::collections::BTreeSet;

use filer::{Filer, ListOptions};
use serde_json::Value;

use super::report::Report;
use crate::http_client;

/// Where the gateways of a cluster write their heartbeats.
const HEARTBEATS: &str = "/seaweedfs/kelpgate/gateways";

/// A gateway to ask.
pub struct Gateway {
    url: String,
    /// Whether the caller named it. Others are known from their heartbeats, which outlive them for a while.
    is_named: bool,
}

impl Gateway {
    /// A gateway that the caller named.
    pub fn named(url: &str) -> Self {
        Self { url: url.trim_end_matches('/').to_owned(), is_named: true }
    }
}

/// What a gateway says about itself.
struct Status {
    url: String,
    version: String,
    ready: bool,
    problems: u64,
    /// Reads that found corrupt data, and findings of scrubbing.
    corrupt: u64,
    filers: Option<String>,
    signing_key: Option<String>,
    /// Further keys whose sessions it accepts.
    accepted_keys: Vec<String>,
    configuration: Option<String>,
    signature_v2: Option<String>,
}

/// The gateways that are alive according to their heartbeat documents, in addition to those that were named.
pub async fn of_heartbeats(filer: &dyn Filer, named: &[Gateway], report: &mut Report) -> Vec<Gateway> {
    let listed = filer.list(HEARTBEATS, ListOptions { limit: 1000, ..ListOptions::default() }).await;
    let entries = match listed {
        Ok(entries) => entries,
        Err(error) => {
            let next = "try again; without them only the gateways of -endpoint are compared";
            report.warning(format!("the heartbeats of gateways under {HEARTBEATS} cannot be read: {error}"), next);
            return Vec::new();
        }
    };
    let mut urls = BTreeSet::new();
    for entry in entries.iter().filter(|entry| !entry.is_directory) {
        match address(&entry.content) {
            Ok(address) => urls.extend(address.map(|address| format!("http://{address}"))),
            Err(why) => report.warning(
                format!("the heartbeat `{HEARTBEATS}/{}` {why}", entry.name),
                "remove the file if no gateway of a newer version writes it",
            ),
        }
    }
    // It is the same gateway whatever the scheme.
    let host = |url: &str| url.split_once("://").map_or(url, |(_, host)| host).to_owned();
    urls.retain(|url| !named.iter().any(|known| host(&known.url) == host(url)));
    urls.into_iter().map(|url| Gateway { url, is_named: false }).collect()
}

/// The `host:port` of a live gateway; `None` for one that has signed off or has no address.
fn address(content: &[u8]) -> Result<Option<String>, &'static str> {
    let value: Value = serde_json::from_slice(content).map_err(|_| "is not JSON")?;
    let gateway = value.get("gateway").and_then(Value::as_str).ok_or("names no gateway")?;
    let is_closed = value.get("closed").and_then(Value::as_bool) == Some(true);
    let has_port = gateway.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
    Ok((!is_closed && has_port).then(|| gateway.to_owned()))
}

/// Asks each gateway, and compares what they say.
pub async fn check(gateways: &[Gateway], report: &mut Report) {
    let mut found = Vec::new();
    for Gateway { url, is_named } in gateways {
        match http_client::get(&format!("{url}/status")).await {
            Err(error) if *is_named => {
                report.error(format!("gateway {url} does not answer: {error}"), "start it, or correct the address");
            }
            Err(error) => report.warning(
                format!("gateway {url} has left a heartbeat on the filer and does not answer: {error}"),
                "nothing, if it was stopped a while ago (the document goes after an hour) or if this machine cannot reach it; where it \
                 speaks TLS, name it with -endpoint=https://...",
            ),
            Ok(answer) => match read(url, &answer.body) {
                Some(status) => {
                    one(&status, report);
                    report.clock(&format!("gateway {url}"), answer.ahead_s);
                    found.push(status);
                }
                None => report.error(
                    format!("{url}/status answered {}, so this is not a Kelpgate gateway", answer.status),
                    "give the address of the gateway itself, not of a load balancer with pages of its own; weed s3 has no status to compare",
                ),
            },
        }
    }
    compare(&found, report);
}

fn read(url: &str, body: &[u8]) -> Option<Status> {
    let value: Value = serde_json::from_slice(body).ok()?;
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let configuration = value.get("configuration");
    let of_configuration = |name: &str| configuration.and_then(|found| found.get(name)).and_then(text);
    let corrupt = ["/storage/corruptDataReads", "/storage/corruptDatabaseReads", "/storage/scrub/findings"];
    let number = |pointer: &str| value.pointer(pointer).and_then(Value::as_u64).unwrap_or_default();
    Some(Status {
        url: url.to_owned(),
        version: value.get("version").and_then(text)?,
        ready: value.get("ready").and_then(Value::as_bool)?,
        problems: number("/iam/problems"),
        corrupt: corrupt.into_iter().map(number).sum(),
        filers: of_configuration("filersFingerprint"),
        signing_key: of_configuration("signingKeyFingerprint"),
        accepted_keys: texts(configuration.and_then(|found| found.get("acceptedKeyFingerprints"))),
        configuration: of_configuration("fingerprint"),
        signature_v2: of_configuration("signatureV2"),
    })
}

fn texts(list: Option<&Value>) -> Vec<String> {
    let items = list.and_then(Value::as_array).into_iter().flatten();
    items.filter_map(Value::as_str).map(str::to_owned).collect()
}

impl Status {
    /// Whether each of the two gateways accepts the sessions that the other one makes.
    fn accepts_sessions_of(&self, other: &Self) -> bool {
        let accepts = |one: &Self, key: &Option<String>| {
            one.signing_key == *key || key.as_ref().is_some_and(|key| one.accepted_keys.contains(key))
        };
        accepts(self, &other.signing_key) && accepts(other, &self.signing_key)
    }
}

fn one(status: &Status, report: &mut Report) {
    let (url, version) = (&status.url, &status.version);
    if status.ready {
        report.ok(format!("gateway {url} answers: Kelpgate {version}"));
    } else {
        report.error(
            format!("gateway {url} is not ready: it has not loaded the access rules and answers 503"),
            "see its log, and whether its filers answer",
        );
    }
    if let Some(accepted) = &status.signature_v2 {
        let what = match accepted.as_str() {
            "off" => "refuses signature V2",
            "presigned" => "accepts signature V2 in presigned URLs and forms",
            _ => "accepts signature V2 in all requests of S3",
        };
        report.ok(format!("gateway {url} {what} (-sigV2={accepted})"));
    }
    if status.problems > 0 {
        report.warning(
            format!("gateway {url} counts {} documents that cannot be read or contradict each other", status.problems),
            "name a filer with -filer to see which; its log lists them as well",
        );
    }
    if status.corrupt > 0 {
        report.error(
            format!("gateway {url} has found corrupt data {} times", status.corrupt),
            "see its log for the objects; stop it, and `kelpgate scrub -dir=DIR` lists everything that is corrupt",
        );
    }
    if let (Some(key), false) = (&status.signing_key, status.accepted_keys.is_empty()) {
        let accepted = status.accepted_keys.join(", ");
        report.ok(format!("gateway {url} signs sessions with the key {key} and also accepts those of {accepted}"));
    }
    if status.signing_key.is_none() {
        report.warning(
            format!("gateway {url} has no signing key, so AssumeRole and session tokens are refused"),
            "set sts.signingKey in -iam.config, the same on every gateway: openssl rand -base64 32",
        );
    }
}

/// Whether all of them say the same: each is compared with the first.
fn compare(found: &[Status], report: &mut Report) {
    let Some((first, others)) = found.split_first().filter(|(_, others)| !others.is_empty()) else { return };
    let differing = |same: &dyn Fn(&Status) -> bool| {
        let urls: Vec<&str> = others.iter().filter(|other| !same(other)).map(|other| other.url.as_str()).collect();
        (!urls.is_empty()).then(|| format!("{} and {}", first.url, urls.join(", ")))
    };
    match differing(&|other| other.version == first.version) {
        None => report.ok(format!("all gateways are of version {}", first.version)),
        Some(who) => report.warning(
            format!("gateways are of different versions: {who}"),
            "finish the rolling update; configurations are compared between gateways of one version",
        ),
    }
    let keys = differing(&|other| other.signing_key == first.signing_key);
    let strangers = differing(&|other| other.accepts_sessions_of(first));
    match &keys {
        Some(who) if strangers.is_none() => report.warning(
            format!("gateways sign sessions with different keys, which all of them accept: {who}"),
            "finish replacing sts.signingKey: the old one stays in sts.signingKeys until its last session has ended",
        ),
        None => report.ok("all gateways sign sessions with the same key"),
        Some(who) => report.error(
            format!("gateways sign sessions with different keys: {who}; a session of one is refused by the other"),
            "give every gateway the same sts.signingKey (or jwt.filer_signing.key) and restart them",
        ),
    }
    let same = |other: &Status| other.version != first.version || other.configuration == first.configuration;
    match differing(&same) {
        _ if keys.is_some() => {} // the fingerprint depends on the key
        None => report.ok("all gateways have the same configuration"),
        Some(who) => report.error(
            format!("gateways have different configurations: {who}"),
            "start them with the same -config, -iam.config and flags (-region, -domainName, -externalUrl, -sigV2, -iam.readOnly, ...), and \
             send SIGHUP where the identities file was changed",
        ),
    }
    if let Some(who) = differing(&|other| other.filers == first.filers) {
        report.warning(
            format!("gateways name different filers: {who}"),
            "give every gateway the same -filer list, so that they follow the same changes",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heartbeats_are_read_defensively() {
        for (content, want) in [
            (r#"{"gateway":"10.0.0.1:8333","boot_id":"x"}"#, Ok(Some("10.0.0.1:8333"))),
            (r#"{"gateway":"10.0.0.1:8333","closed":true}"#, Ok(None)),
            (r#"{"gateway":"nowhere"}"#, Ok(None)),
            (r#"{"gateway":7}"#, Err("names no gateway")),
            ("[]", Err("names no gateway")),
            ("\u{0}", Err("is not JSON")),
        ] {
            let got = address(content.as_bytes());
            assert_eq!(got.as_ref().map(Option::as_deref), want.as_ref().map(|want| *want), "{content}");
        }
    }

    #[test]
    fn what_gateways_must_share() {
        let status = |version: &str, key: &str, configuration: &str| {
            let text = format!(
                r#"{{"version":"{version}","ready":true,"filers":["a"],"configuration":{{"fingerprint":"{configuration}",
                "signingKeyFingerprint":"{key}"}}}}"#
            );
            read("u", text.as_bytes())
        };
        let fine = |found: Vec<Option<Status>>| {
            let mut report = Report::default();
            compare(&found.into_iter().flatten().collect::<Vec<_>>(), &mut report);
            report.finish()
        };
        let first = || status("1", "k", "c");
        for (others, want, what) in [
            (vec![], true, "alone"),
            (vec![status("1", "k", "c")], true, "the same"),
            (vec![status("1", "k", "c"), status("1", "x", "c")], false, "another key"),
            (vec![status("1", "k", "x")], false, "another configuration"),
            (vec![status("2", "k", "x")], true, "another version is not compared"),
        ] {
            let all = std::iter::once(first()).chain(others).collect();
            assert_eq!(fine(all), Ok(want), "{what}");
        }
        let rotating = |key: &str, accepted: &str| {
            let text = format!(
                r#"{{"version":"1","ready":true,"filers":["a"],"configuration":{{"fingerprint":"{key}",
                "signingKeyFingerprint":"{key}","acceptedKeyFingerprints":["{accepted}"]}}}}"#
            );
            read("u", text.as_bytes())
        };
        assert_eq!(fine(vec![rotating("old", "new"), rotating("new", "old")]), Ok(true), "a rotation");
        assert_eq!(fine(vec![rotating("old", "x"), rotating("new", "old")]), Ok(false), "the first step left out");
        assert!(read("u", b"<html>").is_none() && read("u", br#"{"Version":"4.48"}"#).is_none());
    }
}
