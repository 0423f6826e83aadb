//! `kelpgate.audit`: where the audit records of requests go. The file alone says it: no API can send the log elsewhere or silence it.

use json::{JsonError, Node, Object};

use crate::unknown_settings::{refuse_unknown, unknown};

/// `kelpgate.audit`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditSettings {
    /// `sinks`.
    pub sinks: Vec<SinkSettings>,
    /// `unknownCallersBytesPerSecond`: how much the records of refused requests of unknown callers may take on average; 16 KiB by
    /// default, 0 for no bound.
    pub unknown_callers_bytes_per_s: u32,
}

impl Default for AuditSettings {
    fn default() -> Self {
        Self { sinks: Vec::new(), unknown_callers_bytes_per_s: UNKNOWN_CALLERS_BYTES_PER_S }
    }
}

/// One of `sinks`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SinkSettings {
    /// `name`: its label in metrics and logs; its type by default. No two sinks share one.
    pub name: String,
    /// `type`, with what only this type has.
    pub kind: SinkKind,
    /// `format`.
    pub format: AuditFormat,
    /// `mode`: `block` means that no request is answered before its record is written. False by default.
    pub blocks: bool,
    /// Which records it takes.
    pub filter: AuditFilter,
}

/// The type of a sink.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SinkKind {
    /// `file`.
    File(FileSettings),
    /// `stdout`.
    StandardOutput,
    /// `webhook`, `fluentd` or `syslog`.
    Network(NetworkSettings),
}

/// What sinks behind a network have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkSettings {
    /// Where to, and how.
    pub protocol: Protocol,
    /// `queueDir`: keeps on the disk what cannot be sent at the moment; `None` keeps it in memory alone.
    pub queue_directory: Option<String>,
    /// `queueBytes`: how much it keeps; 1 GiB by default.
    pub queue_bytes: u64,
}

/// The protocol of a sink behind a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Protocol {
    /// `webhook`.
    Webhook(WebhookSettings),
    /// `fluentd`.
    Fluentd(FluentdSettings),
    /// `syslog`.
    Syslog(SyslogSettings),
}

/// HTTP: a POST for each batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookSettings {
    /// `endpoint`: an `http` or `https` URL.
    pub endpoint: String,
    /// `tokenFile`: the file with the token for `Authorization: Bearer`.
    pub token_file: Option<String>,
    /// The certificates.
    pub tls: TlsSettings,
}

/// Fluentd's forward protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FluentdSettings {
    /// Where it listens.
    pub place: FluentdPlace,
    /// `tag`; `s3.access` by default.
    pub tag: String,
    /// `requestAck`: whether records count as written once fluentd acknowledges them. True by default.
    pub asks_for_ack: bool,
    /// The certificates, with `tls: true`.
    pub tls: Option<TlsSettings>,
}

/// Where fluentd listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FluentdPlace {
    /// `host:port`.
    Address(String),
    /// The path of a Unix socket.
    Socket(String),
}

/// Syslog over TCP or TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyslogSettings {
    /// `address`: `host:port`.
    pub address: String,
    /// The certificates, with `tls: true`.
    pub tls: Option<TlsSettings>,
}

/// The certificates of a connection.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TlsSettings {
    /// `tlsCaCert`: the authorities of the receiver; `None` for those of the machine.
    pub ca_file: Option<String>,
    /// `tlsCert`: the certificate of the gateway.
    pub certificate_file: Option<String>,
    /// `tlsKey`: its key.
    pub key_file: Option<String>,
}

/// What a sink of type `file` has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSettings {
    /// `path`: absolute.
    pub path: String,
    /// `maxBytes`: the size at which the file is rotated; 256 MiB by default.
    pub max_bytes: u64,
    /// `maxFiles`: how many rotated files are kept; 100 by default, 0 for all.
    pub max_files: u64,
    /// `maxAgeDays`: how long they are kept; 0, the default, for ever.
    pub max_age_days: u64,
    /// `sync`: whether records are on the disk, and not only with the kernel, before they count as written. False by default.
    pub sync: bool,
    /// `signingKeyFile`: the key that signs digests; `<path>.key` by default. It is made if there is none.
    pub signing_key_file: String,
}

/// How a record is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AuditFormat {
    /// `cloudtrail`: AWS CloudTrail's JSON.
    #[default]
    CloudTrail,
    /// `minio`: MinIO's audit webhook, version 1.
    MinIo,
    /// `ocsf`: OCSF 1.3, API Activity and Authentication.
    Ocsf,
    /// `s3-access-log`: the line of S3's server access log.
    AccessLog,
    /// `seaweedfs`: the fields that SeaweedFS sends to fluentd.
    SeaweedFs,
}

impl AuditFormat {
    /// The formats and their names.
    pub const NAMES: &[(&str, Self)] = &[
        ("cloudtrail", Self::CloudTrail),
        ("minio", Self::MinIo),
        ("ocsf", Self::Ocsf),
        ("s3-access-log", Self::AccessLog),
        ("seaweedfs", Self::SeaweedFs),
    ];
}

/// Which records a sink takes: those that every list which is not empty admits.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuditFilter {
    /// `operations`, such as `GetObject`, `Delete*` or `iam:*`.
    pub operations: Vec<String>,
    /// `buckets`, with `*` at the end for all that begin so.
    pub buckets: Vec<String>,
    /// `decisions`: `deny` for requests that were refused, `allow` for all others.
    pub decisions: Vec<AuditedOutcome>,
}

/// What was decided about a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuditedOutcome {
    /// No permission was refused.
    Allow,
    /// A permission or a signature was refused.
    Deny,
}

const BYTES_MAX: u64 = 256 << 20;
const FILES_MAX: u64 = 100;
const QUEUE_BYTES: u64 = 1 << 30;
const UNKNOWN_CALLERS_BYTES_PER_S: u32 = 16 << 10;
const TYPES: &str = "`file`, `stdout`, `webhook`, `fluentd` or `syslog`";

impl AuditSettings {
    pub(crate) fn read(node: &Node<'_>) -> Result<Self, JsonError> {
        let mut object = node.object()?;
        let mut settings = Self::default();
        for node in object.array(&["sinks"])? {
            let sink = SinkSettings::read(&node)?;
            if settings.sinks.iter().any(|known| known.name == sink.name) {
                return Err(
                    node.error(format!("two sinks have the name `{}`; give this one another `name`", sink.name))
                );
            }
            settings.sinks.push(sink);
        }
        if let Some(node) = object.take("unknownCallersBytesPerSecond") {
            let number = u32::try_from(node.integer()?);
            settings.unknown_callers_bytes_per_s =
                number.map_err(|_| node.error("write a number of bytes from 0, for no bound, to 4294967295"))?;
        }
        refuse_unknown(object)?;
        Ok(settings)
    }
}

impl SinkSettings {
    fn read(node: &Node<'_>) -> Result<Self, JsonError> {
        let mut object = node.object()?;
        let type_name = object.string(&["type"])?;
        let kind = match type_name.as_str() {
            "file" => SinkKind::File(FileSettings::read(node, &mut object)?),
            "stdout" => SinkKind::StandardOutput,
            "webhook" | "fluentd" | "syslog" => {
                SinkKind::Network(NetworkSettings::read(&type_name, node, &mut object)?)
            }
            "" => return Err(node.error(format!("a sink needs a `type`: {TYPES}"))),
            other => return Err(node.error(format!("`{other}` is not a type of sink; use {TYPES}"))),
        };
        let name = Some(object.string(&["name"])?).filter(|name| !name.is_empty()).unwrap_or(type_name);
        let format = match object.take("format") {
            None => AuditFormat::default(),
            Some(node) => one_of(&node, AuditFormat::NAMES)?,
        };
        let blocks = match object.take("mode") {
            None => false,
            Some(node) => one_of(&node, &[("best-effort", false), ("block", true)])?,
        };
        let is_fluentd = matches!(&kind, SinkKind::Network(NetworkSettings { protocol: Protocol::Fluentd(_), .. }));
        if is_fluentd && format == AuditFormat::AccessLog {
            return Err(node.error("fluentd takes objects, and `s3-access-log` is a line; use another `format`"));
        }
        let filter = AuditFilter::read(&mut object)?;
        refuse_others(object)?;
        Ok(Self { name, kind, format, blocks, filter })
    }
}

/// The settings that only some types of sinks have, and these types.
const OF_TYPES: &[(&str, &[&str])] = &[
    ("`file`", &["path", "maxBytes", "maxFiles", "maxAgeDays", "sync", "signingKeyFile"]),
    ("`webhook`", &["endpoint", "tokenFile"]),
    ("`fluentd`", &["tag", "requestAck"]),
    ("`fluentd` or `syslog`", &["address", "tls"]),
    ("`webhook`, `fluentd` or `syslog`", &["queueDir", "queueBytes", "tlsCaCert", "tlsCert", "tlsKey"]),
];

/// Refuses what is not a setting of this type of sink.
fn refuse_others(object: Object<'_>) -> Result<(), JsonError> {
    let rest = object.rest();
    let Some((key, node)) = rest.iter().find(|(key, _)| !key.starts_with('_')) else { return Ok(()) };
    let types = OF_TYPES.iter().find(|(_, keys)| keys.contains(&key.as_str()));
    Err(types.map_or_else(
        || unknown(node, ""),
        |(types, _)| node.error(format!("`{key}` is a setting of sinks of type {types}; remove it, or correct `type`")),
    ))
}

/// A setting that a sink cannot do without.
fn needed(sink: &Node<'_>, object: &mut Object<'_>, name: &str, example: &str) -> Result<String, JsonError> {
    text(object, name)?.ok_or_else(|| sink.error(format!("this sink needs `{name}`, such as `{example}`")))
}

impl FileSettings {
    fn read(sink: &Node<'_>, object: &mut Object<'_>) -> Result<Self, JsonError> {
        let path = needed(sink, object, "path", "/var/log/kelpgate/audit.log")?;
        if !path.starts_with('/') || path.ends_with('/') || path.contains('\0') {
            return Err(sink.error(format!(
                "`{path}` is not the absolute path of a file; write `path`, such as `/var/log/kelpgate/audit.log`"
            )));
        }
        let number = |object: &mut Object<'_>, name, default| match object.take(name) {
            None => Ok(default),
            Some(node) => {
                u64::try_from(node.integer()?).map_err(|_| node.error("a negative number makes no sense here"))
            }
        };
        let max_bytes = number(object, "maxBytes", BYTES_MAX)?;
        if max_bytes < 1 << 16 {
            return Err(sink.error("`maxBytes` is less than 65536: files this small are rotated all the time"));
        }
        let signing_key_file = object.string(&["signingKeyFile"])?;
        Ok(Self {
            max_bytes,
            max_files: number(object, "maxFiles", FILES_MAX)?,
            max_age_days: number(object, "maxAgeDays", 0)?,
            sync: object.take("sync").map_or(Ok(false), |node| node.boolean())?,
            signing_key_file: if signing_key_file.is_empty() { format!("{path}.key") } else { signing_key_file },
            path,
        })
    }
}

impl NetworkSettings {
    fn read(type_name: &str, sink: &Node<'_>, object: &mut Object<'_>) -> Result<Self, JsonError> {
        let protocol = match type_name {
            "webhook" => {
                let endpoint = needed(sink, object, "endpoint", "https://audit.example/events")?;
                if !endpoint.starts_with("http://") && !endpoint.starts_with("https://") {
                    return Err(sink.error(format!("`{endpoint}` is not an `http` or `https` URL; write `endpoint`")));
                }
                Protocol::Webhook(WebhookSettings {
                    endpoint,
                    token_file: text(object, "tokenFile")?,
                    tls: tls(sink, object)?,
                })
            }
            "fluentd" => Protocol::Fluentd(FluentdSettings {
                place: FluentdPlace::Address(address(sink, object)?),
                tag: text(object, "tag")?.unwrap_or_else(|| WEED_TAG.to_owned()),
                asks_for_ack: object.take("requestAck").map_or(Ok(true), |node| node.boolean())?,
                tls: optional_tls(sink, object)?,
            }),
            _ => Protocol::Syslog(SyslogSettings { address: address(sink, object)?, tls: optional_tls(sink, object)? }),
        };
        let queue_bytes = match object.take("queueBytes") {
            None => QUEUE_BYTES,
            Some(node) => {
                u64::try_from(node.integer()?).map_err(|_| node.error("a negative number makes no sense here"))?
            }
        };
        Ok(Self { protocol, queue_directory: text(object, "queueDir")?, queue_bytes })
    }
}

/// The tag of SeaweedFS's audit log.
const WEED_TAG: &str = "s3.access";

impl SinkSettings {
    /// The sink that `-auditLogConfig` describes: the JSON of SeaweedFS's fluentd client. `environment` is the variable `ENVIRONMENT`,
    /// the prefix of the tag if the file has none.
    ///
    /// Error: the file asks for something that is not supported, or is not JSON.
    pub fn of_weed(config: &str, environment: Option<&str>) -> Result<Self, JsonError> {
        let node = Node::parse(config)?;
        let mut object = node.object()?;
        let host = text(&mut object, "fluent_host")?.unwrap_or_else(|| "127.0.0.1".to_owned());
        let port = object.take("fluent_port").map_or(Ok(24224), |node| node.integer())?;
        let port = if port == 0 { 24224 } else { port };
        let network = text(&mut object, "fluent_network")?.unwrap_or_else(|| "tcp".to_owned());
        let socket = text(&mut object, "fluent_socket_path")?;
        let skips = object.take("tls_insecure_skip_verify");
        if let Some(node) = skips.filter(|node| node.boolean().unwrap_or(true)) {
            return Err(node.error(
                "a receiver whose certificate is not verified is not supported: add its authority to this machine",
            ));
        }
        let (place, tls) = match (network.as_str(), socket) {
            ("tcp", _) => (FluentdPlace::Address(format!("{host}:{port}")), None),
            ("tls", _) => (FluentdPlace::Address(format!("{host}:{port}")), Some(TlsSettings::default())),
            ("unix", Some(path)) => (FluentdPlace::Socket(path), None),
            ("unix", None) => return Err(node.error("`fluent_network` is `unix`, and `fluent_socket_path` is missing")),
            (other, _) => return Err(node.error(format!("`fluent_network` is `{other}`; use `tcp`, `tls` or `unix`"))),
        };
        let prefix =
            text(&mut object, "tag_prefix")?.or_else(|| environment.map(str::to_owned)).filter(|text| !text.is_empty());
        let tag = prefix.map_or(WEED_TAG.to_owned(), |prefix| format!("{prefix}.{WEED_TAG}"));
        let asks_for_ack = object.take("request_ack").map_or(Ok(false), |node| node.boolean())?;
        let protocol = Protocol::Fluentd(FluentdSettings { place, tag, asks_for_ack, tls });
        // The rest is about the client of SeaweedFS: its buffer, its time limits.
        let network = NetworkSettings { protocol, queue_directory: None, queue_bytes: 0 };
        let (kind, format) = (SinkKind::Network(network), AuditFormat::SeaweedFs);
        Ok(Self { name: "auditLogConfig".to_owned(), kind, format, blocks: false, filter: AuditFilter::default() })
    }
}

fn text(object: &mut Object<'_>, name: &str) -> Result<Option<String>, JsonError> {
    Ok(Some(object.string(&[name])?).filter(|text| !text.is_empty()))
}

fn address(sink: &Node<'_>, object: &mut Object<'_>) -> Result<String, JsonError> {
    let address = needed(sink, object, "address", "logs.example:6514")?;
    let port =
        address.rsplit_once(':').filter(|(host, _)| !host.is_empty()).and_then(|(_, port)| port.parse::<u16>().ok());
    match port {
        Some(_) => Ok(address),
        None => Err(sink.error(format!("`{address}` is not `host:port`; write `address`"))),
    }
}

fn optional_tls(sink: &Node<'_>, object: &mut Object<'_>) -> Result<Option<TlsSettings>, JsonError> {
    let is_on = object.take("tls").map_or(Ok(false), |node| node.boolean())?;
    let settings = tls(sink, object)?;
    if !is_on && settings != TlsSettings::default() {
        return Err(sink.error("certificates are given, but TLS is off: add `\"tls\": true`"));
    }
    Ok(is_on.then_some(settings))
}

fn tls(sink: &Node<'_>, object: &mut Object<'_>) -> Result<TlsSettings, JsonError> {
    let settings = TlsSettings {
        ca_file: text(object, "tlsCaCert")?,
        certificate_file: text(object, "tlsCert")?,
        key_file: text(object, "tlsKey")?,
    };
    if settings.certificate_file.is_some() != settings.key_file.is_some() {
        return Err(sink.error("`tlsCert` and `tlsKey` belong together: give both, or none"));
    }
    Ok(settings)
}

impl AuditFilter {
    fn read(object: &mut Object<'_>) -> Result<Self, JsonError> {
        let mut filter = Self::default();
        for (name, list) in [("operations", &mut filter.operations), ("buckets", &mut filter.buckets)] {
            let Some(node) = object.take(name) else { continue };
            *list = node.strings()?;
            let bad = list.iter().find(|pattern| pattern.trim_end_matches('*').contains('*') || pattern.is_empty());
            if let Some(bad) = bad {
                return Err(node.error(format!("`{bad}` is not a pattern: write a name, or its beginning and `*`")));
            }
            if list.is_empty() {
                return Err(node.error("an empty list admits nothing; leave it out to admit all"));
            }
        }
        if let Some(node) = object.take("decisions") {
            let names = [("allow", AuditedOutcome::Allow), ("deny", AuditedOutcome::Deny)];
            for node in node.array()? {
                filter.decisions.push(one_of(&node, &names)?);
            }
        }
        Ok(filter)
    }
}

fn one_of<T: Copy>(node: &Node<'_>, names: &[(&str, T)]) -> Result<T, JsonError> {
    let word = node.string()?;
    names.iter().find(|(name, _)| *name == word).map(|(_, value)| *value).ok_or_else(|| {
        let known: Vec<_> = names.iter().map(|(name, _)| format!("`{name}`")).collect();
        node.error(format!("`{word}` is not one of {}", known.join(", ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<AuditSettings, JsonError> {
        AuditSettings::read(&Node::parse(text)?)
    }

    #[test]
    fn sinks_are_read() {
        let text = r#"{"sinks": [
            {"type": "file", "path": "/var/log/a", "mode": "block", "operations": ["Delete*", "iam:*"], "decisions": ["deny"], "maxBytes": 65536},
            {"type": "stdout", "buckets": ["b"]}]}"#;
        let [file, out] = read(text).unwrap().sinks.try_into().unwrap();
        let settings = FileSettings {
            path: "/var/log/a".into(),
            max_bytes: 65536,
            max_files: 100,
            max_age_days: 0,
            sync: false,
            signing_key_file: "/var/log/a.key".into(),
        };
        assert_eq!((file.name.as_str(), file.kind, file.blocks), ("file", SinkKind::File(settings), true));
        assert_eq!(file.filter.operations, ["Delete*", "iam:*"]);
        assert_eq!(file.filter.decisions, [AuditedOutcome::Deny]);
        assert_eq!((out.kind, out.blocks, out.filter.buckets.len()), (SinkKind::StandardOutput, false, 1));
        assert_eq!(read("{}").unwrap(), AuditSettings::default());
    }

    #[test]
    fn the_file_of_weed_is_read() {
        let of = |text: &str, environment| match SinkSettings::of_weed(text, environment).map(|sink| sink.kind) {
            Ok(SinkKind::Network(NetworkSettings { protocol: Protocol::Fluentd(fluentd), .. })) => {
                format!("{fluentd:?}")
            }
            other => format!("{other:?}"),
        };
        for (text, environment, words) in [
            ("{}", None, &["127.0.0.1:24224", r#"tag: "s3.access""#, "asks_for_ack: false", "tls: None"][..]),
            (
                r#"{"fluent_host":"f","fluent_port":1,"tag_prefix":"p","request_ack":true,"async":true,"buffer_limit":9}"#,
                Some("e"),
                &["f:1", r#"tag: "p.s3.access""#, "asks_for_ack: true"],
            ),
            (r#"{"fluent_network":"unix","fluent_socket_path":"/s"}"#, Some("e"), &["Socket(\"/s\")", "e.s3.access"]),
            (r#"{"fluent_network":"tls"}"#, None, &["tls: Some"]),
            (r#"{"fluent_network":"udp"}"#, None, &["Err", "`udp`"]),
            (r#"{"tls_insecure_skip_verify":true}"#, None, &["Err", "not verified"]),
            ("", None, &["Err"]),
        ] {
            let found = of(text, environment);
            assert!(words.iter().all(|word| found.contains(word)), "{text}: {found}");
        }
    }

    #[test]
    fn mistakes_are_named() {
        for (text, word) in [
            (r#"{"sinks": [{"type": "fil"}]}"#, "`fil`"),
            (r#"{"sinks": [{}]}"#, "`type`"),
            (r#"{"sinks": [{"type": "file"}]}"#, "needs `path`, such as `/var/log"),
            (r#"{"sinks": [{"type": "webhook"}]}"#, "needs `endpoint`"),
            (r#"{"sinks": [{"type": "fluentd"}]}"#, "needs `address`"),
            (r#"{"sinks": [{"type": "fluentd", "address": "h:1", "maxFiles": 1}]}"#, "of sinks of type `file`;"),
            (
                r#"{"sinks": [{"type": "stdout", "tlsCert": "/a"}]}"#,
                "of sinks of type `webhook`, `fluentd` or `syslog`;",
            ),
            (r#"{"sinks": [{"type": "stdout", "colour": 1}]}"#, "unknown key `sinks[0].colour`"),
            (r#"{"sinks": [{"type": "file", "path": "x"}]}"#, "absolute path"),
            (r#"{"sinks": [{"type": "webhook", "endpoint": "x"}]}"#, "`http`"),
            (r#"{"sinks": [{"type": "syslog", "address": "host"}]}"#, "`host:port`"),
            (r#"{"sinks": [{"type": "syslog", "address": "h:1", "tlsCaCert": "/a"}]}"#, "TLS is off"),
            (r#"{"sinks": [{"type": "syslog", "address": "h:1", "tls": true, "tlsCert": "/a"}]}"#, "`tlsKey`"),
            (r#"{"sinks": [{"type": "fluentd", "address": "h:1", "format": "s3-access-log"}]}"#, "another `format`"),
            (r#"{"sinks": [{"type": "file", "path": "audit.log"}]}"#, "`audit.log`"),
            (r#"{"sinks": [{"type": "file", "path": "/a", "maxBytes": 1}]}"#, "maxBytes"),
            (r#"{"sinks": [{"type": "file", "path": "/a", "maxFiles": -1}]}"#, "negative"),
            (r#"{"sinks": [{"type": "stdout", "path": "/a"}]}"#, "path"),
            (r#"{"sinks": [{"type": "stdout", "mode": "blocks"}]}"#, "`block`"),
            (r#"{"sinks": [{"type": "stdout", "format": "xml"}]}"#, "`cloudtrail`"),
            (r#"{"sinks": [{"type": "stdout", "operations": []}]}"#, "empty"),
            (r#"{"sinks": [{"type": "stdout", "buckets": ["a*b"]}]}"#, "`a*b`"),
            (r#"{"sinks": [{"type": "stdout", "decisions": ["denied"]}]}"#, "`deny`"),
            (r#"{"sinks": [{"type": "stdout"}, {"type": "stdout"}]}"#, "two sinks"),
            (r#"{"sink": []}"#, "sink"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(word), "{text}: {error}");
        }
    }
}
