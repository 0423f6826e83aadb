//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::LazyLock;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{ArgAction, ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use server::settings::SignatureV2;

use crate::api::{Gateway, default_region};
use crate::audit_tools::{AuditCommand, Why};
use crate::config_tools::ConfigCommand;
use crate::sessions::SessionsCommand;

/// An S3 gateway whose access control is the same on every instance at all times.
#[derive(Parser)]
#[command(
    name = "kelpgate",
    version = VERSION.as_str(),
    about = "An S3 gateway whose access control is the same on every instance at all times"
)]
pub struct Arguments {
    /// Log more (`-v` debug, `-v=2` and above trace), as `weed` does.
    #[arg(short = 'v', global = true, num_args = 0..=1, require_equals = true, default_missing_value = "1", default_value_t = 0)]
    pub verbosity: u8,
    #[command(subcommand)]
    pub command: Command,
}

impl Arguments {
    /// Parses a command line. An empty value is refused: it is most often a variable of the shell that is not set.
    pub fn parse_from(arguments: &[OsString]) -> Result<Self, clap::Error> {
        let mut command = Self::command();
        let matches = command.try_get_matches_from_mut(arguments)?;
        refuse_empty_values(&command, &matches)?;
        Self::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
    }
}

fn refuse_empty_values(command: &clap::Command, matches: &ArgMatches) -> Result<(), clap::Error> {
    for argument in command.get_arguments() {
        let name = argument.get_id().as_str();
        let is_given = matches.value_source(name) == Some(ValueSource::CommandLine);
        let mut values = matches.get_raw(name).into_iter().flatten();
        if is_given && values.any(|value| value.is_empty()) {
            let mut error = clap::Error::new(ErrorKind::InvalidValue).with_cmd(command);
            error.insert(ContextKind::InvalidArg, ContextValue::String(argument.to_string()));
            error.insert(ContextKind::InvalidValue, ContextValue::String(String::new()));
            return Err(error);
        }
    }
    let Some((name, matches)) = matches.subcommand() else { return Ok(()) };
    command.find_subcommand(name).map_or(Ok(()), |command| refuse_empty_values(command, matches))
}

#[derive(Subcommand)]
pub enum Command {
    /// S3, IAM and STS on one machine, with everything kept in one directory.
    Server(Box<Server>),
    /// An S3 gateway in front of a SeaweedFS filer, in place of `weed s3`.
    S3(Box<S3>),
    /// Lists a directory of the filer.
    #[command(name = "filer.ls")]
    FilerLs(FilerPath),
    /// Prints a file of the filer.
    #[command(name = "filer.cat")]
    FilerCat(FilerPath),
    /// Checks a cluster, a directory or running gateways for problems, and says what to do about them.
    Doctor(Doctor),
    /// Reads everything in the directory of a `kelpgate server` that is not running, and reports what is corrupt.
    Scrub(Scrub),
    /// Backs up the directory of a `kelpgate server`, even while it runs.
    Backup(Backup),
    /// Restores the directory of a `kelpgate server` from a backup.
    Restore(Restore),
    /// Makes the metadata database of a `kelpgate server` that is not running as small as possible.
    Compact(Compact),
    /// Checks the files of a gateway before it is started or reloaded, and shows its settings.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Exports, imports and applies IAM state, and encrypts or decrypts secrets at rest.
    #[command(subcommand)]
    Iam(IamCommand),
    /// Lists sessions, ends them early, and lists revocations.
    #[command(subcommand)]
    Sessions(SessionsCommand),
    /// Searches the files of an audit log, and checks that nobody changed them.
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Explains why a request was refused, given the `DecisionId` of its answer.
    Why(Why),
    /// Checks and explains policies.
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// Prints the version.
    Version,
    /// Writes man pages and shell completions to a directory; `scripts/release` needs them.
    #[command(hide = true)]
    Manual(Manual),
}

/// `0.2.0`, and the commit where a release was made: `0.2.0 (0123456789ab)`.
pub static VERSION: LazyLock<String> = LazyLock::new(|| match option_env!("KELPGATE_COMMIT") {
    Some(commit) => format!("{} ({commit})", env!("CARGO_PKG_VERSION")),
    None => env!("CARGO_PKG_VERSION").to_owned(),
});

#[derive(Args)]
pub struct Manual {
    /// Directory to write to.
    pub directory: PathBuf,
}

/// Flags that `server` and `s3` share.
#[derive(Args)]
pub struct Serving {
    /// Port of S3, IAM and STS.
    #[arg(long, default_value_t = 8333)]
    pub port: u16,
    /// Port for HTTPS in addition to plain HTTP; without it, `-key.file` makes the main port HTTPS.
    #[arg(long = "port.https", default_value_t = 0)]
    pub port_https: u16,
    /// PEM file of the TLS private key. Several, separated by commas: one for each certificate.
    #[arg(long = "key.file", value_name = "FILE")]
    pub key_file: Option<String>,
    /// PEM file of the TLS certificate chain. Several, separated by commas: clients get the one for the name they ask
    /// for (SNI).
    #[arg(long = "cert.file", value_name = "FILE")]
    pub cert_file: Option<String>,
    /// PEM file of the authorities that client certificates are checked against.
    #[arg(long = "cacert.file", value_name = "FILE")]
    pub cacert_file: Option<PathBuf>,
    /// Require clients to have a certificate from an authority in `-cacert.file`.
    #[arg(long = "tlsVerifyClientCert", action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false)]
    pub tls_verify_client_cert: bool,
    /// Comma-separated host names whose subdomains are buckets.
    #[arg(long = "domainName", default_value = "", value_name = "HOSTS")]
    pub domain_name: String,
    /// Comma-separated CORS origins for buckets without rules of their own.
    #[arg(long = "allowedOrigins", default_value = "*", value_name = "ORIGINS")]
    pub allowed_origins: String,
    /// Identities file (JSON), read again on SIGHUP.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Advanced IAM file (JSON): sts, roles, policies; also identities if `-config` is not given.
    #[arg(long = "iam.config", value_name = "FILE")]
    pub iam_config: Option<PathBuf>,
    /// The URL that clients use, if a proxy in front hides it: `https://s3.example.com:8443`.
    #[arg(long = "externalUrl", env = "S3_EXTERNAL_URL", default_value = "", value_name = "URL")]
    pub external_url: String,
    /// Seconds after which an idle connection is closed.
    #[arg(long = "idleTimeout", default_value_t = 120, value_name = "SECONDS")]
    pub idle_timeout: u64,
    /// Megabytes of uploads in progress; further uploads get 503. 0 for no limit.
    #[arg(long = "concurrentUploadLimitMB", default_value_t = 0, value_name = "MB")]
    pub concurrent_upload_limit_mb: u64,
    /// Number of uploads in progress; further uploads get 503. 0 for no limit.
    #[arg(long = "concurrentFileUploadLimit", default_value_t = 0, value_name = "N")]
    pub concurrent_file_upload_limit: u64,
    /// DeleteBucket also removes the objects in the bucket (true by default in `weed s3`; AWS answers BucketNotEmpty).
    #[arg(long = "allowDeleteBucketNotEmpty", action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false)]
    pub allow_delete_bucket_not_empty: bool,
    /// A write to a bucket that does not exist creates it if the caller has `s3:CreateBucket`; default is true for `s3`, false for `server`.
    #[arg(long = "autoCreateBucket", action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub auto_create_bucket: Option<bool>,
    /// Octal mode of new objects.
    #[arg(long = "defaultFileMode", default_value = "", value_name = "MODE")]
    pub default_file_mode: String,
    /// Accept signature V2: `off`, `presigned` for presigned URLs and forms, or `on` for all requests. V2 does not cover all parameters.
    #[arg(long = "sigV2", num_args = 0..=1, require_equals = true, default_missing_value = "on", default_value_t, value_name = "WHERE")]
    pub sig_v2: SignatureV2,
    /// Port of a second listener for the status pages; the main port then no longer serves `/metrics`. 0 for none.
    #[arg(long = "metricsPort", default_value_t = 0)]
    pub metrics_port: u16,
    /// Address of the listener of `-metricsPort`; default is that of the main listener.
    #[arg(long = "metricsIp", default_value = "")]
    pub metrics_ip: String,
    /// Directory of `security.toml`, searched before the usual places.
    #[arg(long = "config_dir", value_name = "DIR")]
    pub config_dir: Option<PathBuf>,
}

#[derive(Args)]
pub struct Server {
    /// Directory of all data.
    #[arg(long, value_name = "DIR")]
    pub dir: PathBuf,
    /// Address to listen on.
    #[arg(long = "ip.bind", default_value = "127.0.0.1")]
    pub ip_bind: String,
    /// Region for which requests must be signed; `any` accepts all regions.
    #[arg(long, default_value = "us-east-1")]
    pub region: String,
    /// Replace the root access key and print the new one.
    #[arg(long = "newRootKey", action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false)]
    pub new_root_key: bool,
    /// Refuse IAM changes.
    #[arg(long = "iam.readOnly", action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false)]
    pub iam_read_only: bool,
    /// Megabytes per second that the server reads in the background to find corrupt data, once a week; 0 for never.
    #[arg(long = "scrubMBPerSecond", default_value_t = 8, value_name = "MB")]
    pub scrub_mb_per_second: u64,
    #[command(flatten)]
    pub serving: Serving,
}

#[derive(Args)]
pub struct S3 {
    /// Comma separated filers, `host:port` or `host:port.grpcPort`.
    #[arg(long, default_value = "localhost:8888", value_name = "HOSTS")]
    pub filer: String,
    /// Address under which `/status` and `doctor` show the gateway; default is `-ip.bind`.
    #[arg(long, default_value = "")]
    pub ip: String,
    /// Address to listen on; default is all.
    #[arg(long = "ip.bind", default_value = "")]
    pub ip_bind: String,
    /// Region for which requests must be signed; `any` accepts all regions, as `weed s3` does.
    #[arg(long, default_value = "us-east-1")]
    pub region: String,
    /// Data centre whose volume servers are preferred.
    #[arg(long = "dataCenter", default_value = "")]
    pub data_center: String,
    /// Serve the IAM query API.
    #[arg(long, action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = true)]
    pub iam: bool,
    /// Refuse IAM changes, as `weed s3` does by default.
    #[arg(long = "iam.readOnly", action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = true)]
    pub iam_read_only: bool,
    /// Encrypt object data on the volume servers.
    #[arg(long = "encryptVolumeData", action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false)]
    pub encrypt_volume_data: bool,
    /// SeaweedFS's file (JSON) that sends the audit log to fluentd.
    #[arg(long = "auditLogConfig", value_name = "FILE")]
    pub audit_log_config: Option<PathBuf>,
    #[command(flatten)]
    pub serving: Serving,
    #[command(flatten)]
    pub ignored: Ignored,
}

/// Flags of `weed s3` that have no effect here. None of them affects security or limits.
#[derive(Args)]
pub struct Ignored {
    #[arg(long = "port.grpc", hide = true)]
    pub port_grpc: Option<u16>,
    #[arg(long = "port.iceberg", hide = true)]
    pub port_iceberg: Option<u16>,
    #[arg(long = "port.lance", hide = true)]
    pub port_lance: Option<u16>,
    #[arg(long = "iceberg.credentialRole", hide = true)]
    pub iceberg_credential_role: Option<String>,
    #[arg(long = "iceberg.credentialDurationSeconds", hide = true)]
    pub iceberg_credential_duration_seconds: Option<u64>,
    #[arg(long = "allowEmptyFolder", hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub allow_empty_folder: Option<bool>,
    #[arg(long = "localFilerSocket", hide = true)]
    pub local_filer_socket: Option<String>,
    #[arg(long = "localSocket", hide = true)]
    pub local_socket: Option<String>,
    #[arg(long = "cacheCapacityMB", hide = true)]
    pub cache_capacity_mb: Option<u64>,
    #[arg(long = "readerCacheSizeMB", hide = true)]
    pub reader_cache_size_mb: Option<u64>,
    #[arg(long = "debug", hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub debug: Option<bool>,
    #[arg(long = "debug.port", hide = true)]
    pub debug_port: Option<u16>,
    /// A remote mount is read through the filer here, so the flag has nothing to guard.
    #[arg(long = "allowUntrustedRemoteEndpoints", hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub allow_untrusted_remote_endpoints: Option<bool>,
}

impl Ignored {
    /// The flags that were given but have no effect.
    pub fn given(&self) -> Vec<&'static str> {
        [
            (self.port_grpc.is_some_and(|port| port != 0), "port.grpc"),
            (self.port_iceberg.is_some_and(|port| port != 0), "port.iceberg"),
            (self.port_lance.is_some_and(|port| port != 0), "port.lance"),
            (self.iceberg_credential_role.is_some(), "iceberg.credentialRole"),
            (self.iceberg_credential_duration_seconds.is_some(), "iceberg.credentialDurationSeconds"),
            (self.allow_empty_folder.is_some(), "allowEmptyFolder"),
            (self.local_filer_socket.is_some(), "localFilerSocket"),
            (self.local_socket.is_some(), "localSocket"),
            (self.cache_capacity_mb.is_some(), "cacheCapacityMB"),
            (self.reader_cache_size_mb.is_some(), "readerCacheSizeMB"),
            (self.debug.is_some(), "debug"),
            (self.debug_port.is_some(), "debug.port"),
            (self.allow_untrusted_remote_endpoints.is_some(), "allowUntrustedRemoteEndpoints"),
        ]
        .into_iter()
        .filter_map(|(given, name)| given.then_some(name))
        .collect()
    }
}

/// What a tool works on.
#[derive(Args)]
pub struct Place {
    /// Comma-separated filers, `host:port` or `host:port.grpcPort`; default is `localhost:8888`.
    #[arg(long, value_name = "HOSTS")]
    pub filer: Option<String>,
    /// Directory of a `kelpgate server` that is not running, instead of a filer.
    #[arg(long, value_name = "DIR", conflicts_with = "filer")]
    pub dir: Option<PathBuf>,
    /// Directory of `security.toml`, searched before the usual places.
    #[arg(long = "config_dir", value_name = "DIR")]
    pub config_dir: Option<PathBuf>,
}

#[derive(Args)]
pub struct Doctor {
    #[command(flatten)]
    pub place: Place,
    /// Comma-separated URLs of running gateways: `http://gateway-1:8333`. Filers are checked as well if `-filer` names
    /// them.
    #[arg(long, value_delimiter = ',', value_name = "URLS", conflicts_with = "dir")]
    pub endpoint: Vec<String>,
    /// The identities file that the gateways were given.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The IAM file that the gateways were given: it says where roles and policies are stored.
    #[arg(long = "iam.config", value_name = "FILE")]
    pub iam_config: Option<PathBuf>,
    /// Checks only the identity provider's token in this file, step by step.
    #[arg(long, value_name = "FILE", conflicts_with = "endpoint")]
    pub token: Option<PathBuf>,
}

#[derive(Args)]
pub struct Compact {
    /// Directory of a `kelpgate server` that is not running.
    #[arg(long, value_name = "DIR")]
    pub dir: PathBuf,
}

#[derive(Args)]
pub struct Backup {
    /// Directory of a `kelpgate server`.
    #[arg(long, value_name = "DIR")]
    pub dir: PathBuf,
    /// Directory of backups, or `s3://BUCKET/PREFIX`. Everything that it already has is not copied again.
    #[arg(long, value_name = "BACKUP")]
    pub to: String,
    #[command(flatten)]
    pub at: BackupPlace,
    /// Keep this many of the newest backups, and remove older ones; 0 keeps all.
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub keep: usize,
}

/// The S3 of `s3://BUCKET/PREFIX`. The key comes from `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and
/// `AWS_SESSION_TOKEN`, the region from `AWS_REGION` or `AWS_DEFAULT_REGION`.
#[derive(Args)]
pub struct BackupPlace {
    /// The URL of the S3 service that has the bucket. Default is `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL`, or AWS
    /// itself.
    #[arg(long, value_name = "URL")]
    pub endpoint: Option<String>,
}

#[derive(Args)]
pub struct Restore {
    /// Directory of backups, or `s3://BUCKET/PREFIX`.
    #[arg(long, value_name = "BACKUP")]
    pub from: String,
    #[command(flatten)]
    pub at: BackupPlace,
    /// The backup to restore; default is the newest one.
    #[arg(long, value_name = "NAME")]
    pub snapshot: Option<String>,
    /// Directory to create. If it exists, it must be empty.
    #[arg(long, value_name = "DIR", required_unless_present = "verify", required_if_eq("verify", "false"))]
    pub dir: Option<PathBuf>,
    /// Restore nothing: compare everything in the backup with its checksums.
    #[arg(long, action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false)]
    pub verify: bool,
}

#[derive(Args)]
pub struct Scrub {
    /// Directory of a `kelpgate server` that is not running.
    #[arg(long, value_name = "DIR")]
    pub dir: PathBuf,
    /// Megabytes to read per second; 0 for no limit.
    #[arg(long = "mbPerSecond", default_value_t = 0, value_name = "MB")]
    pub mb_per_second: u64,
}

#[derive(Subcommand)]
pub enum IamCommand {
    /// Writes all IAM state as one JSON text, or as a tree of files.
    Export(IamExport),
    /// Makes the IAM state of a running gateway match a tree of files: prints the plan, then carries it out.
    Apply(IamApply),
    /// Compares the IAM state of a running gateway with a tree of files. The exit code is 2 if they differ.
    Diff(IamDiff),
    /// Reads a tree or an export of Kelpgate, an S3ApiConfiguration of SeaweedFS, or MinIO's export, and writes the differences.
    Import(IamImport),
    /// Lists access keys and roles that nobody has used for a while.
    Unused(IamUnused),
    /// Encrypts the stored secret keys with the first of the gateways' keys.
    #[command(name = "encrypt-secrets")]
    EncryptSecrets(IamPlace),
    /// Stores the secret keys in plain text again.
    #[command(name = "decrypt-secrets")]
    DecryptSecrets(IamPlace),
}

#[derive(Args)]
pub struct IamDiff {
    /// The tree: a directory, or one JSON file.
    #[arg(value_name = "DIR|FILE")]
    pub tree: PathBuf,
    /// Delete entities that the tree lacks (users, groups, roles, policies ...), of the kinds that it has.
    #[arg(long, action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false)]
    pub prune: bool,
    #[command(flatten)]
    pub gateway: Gateway,
}

#[derive(Args)]
pub struct IamUnused {
    /// Not used since this time: 90d, 12h, 30m ago, or 2026-01-31T12:00:00Z.
    #[arg(long, default_value = "90d", value_name = "TIME")]
    pub since: String,
    /// Also print what policies allow but nobody has used, according to this audit log (the path of a file sink). Once
    /// for each gateway.
    #[arg(long = "log", value_name = "FILE")]
    pub logs: Vec<PathBuf>,
    #[command(flatten)]
    pub gateway: Gateway,
}

#[derive(Args)]
pub struct IamApply {
    #[command(flatten)]
    pub what: IamDiff,
    /// Do nothing unless the plan has this id, which `iam diff` prints.
    #[arg(long, value_name = "ID")]
    pub plan: Option<String>,
}

#[derive(Args)]
pub struct IamPlace {
    #[command(flatten)]
    pub place: Place,
    /// The IAM file that the gateways were given: where roles and policies are stored, and the keys for secrets at
    /// rest.
    #[arg(long = "iam.config", value_name = "FILE")]
    pub iam_config: Option<PathBuf>,
    /// URL of a running gateway, only with `-tree`; everything else is read and written on the filer.
    #[arg(long, value_name = "URL", hide = true, conflicts_with_all = ["filer", "dir", "config_dir", "iam_config"])]
    pub endpoint: Option<String>,
}

#[derive(Args)]
#[command(mut_arg("endpoint", |endpoint| endpoint.hide(false)))]
pub struct IamExport {
    #[command(flatten)]
    pub place: IamPlace,
    /// File to write, with mode 0600; default is the standard output.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Directory to write as a tree of readable files, without keys or secrets. With `-endpoint` it is read from a running gateway.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["out", "secrets", "passphrase_file", "bucket_policies"])]
    pub tree: Option<PathBuf>,
    /// The region for which calls to `-endpoint` are signed; default is `AWS_REGION`, `AWS_DEFAULT_REGION`, or `us-east-1`.
    #[arg(long, default_value_t = default_region(), hide_default_value = true, value_name = "REGION")]
    pub region: String,
    /// What to do with secret keys.
    #[arg(long, value_enum, default_value_t = SecretsMode::None)]
    pub secrets: SecretsMode,
    /// File (mode 0600) with the passphrase for `-secrets=encrypted`; default is KELPGATE_EXPORT_PASSPHRASE.
    #[arg(long = "passphraseFile", value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,
    /// Include bucket policies. An import applies them to the buckets that exist.
    #[arg(long = "bucketPolicies", action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false)]
    pub bucket_policies: bool,
}

/// What happens to secret keys in an export.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum SecretsMode {
    /// They are left out.
    None,
    /// They are encrypted under a passphrase.
    Encrypted,
    /// They are in plain text: anyone who reads the file can use them.
    Plain,
}

#[derive(Args)]
pub struct IamImport {
    #[command(flatten)]
    pub place: IamPlace,
    /// The export: a JSON text of Kelpgate or SeaweedFS, or the zip of `mc admin cluster iam export` (or the directory it unpacks to).
    pub file: PathBuf,
    /// Print what would be done, without doing it.
    #[arg(long = "dryRun", action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false)]
    pub dry_run: bool,
    /// Import the rest if something is refused. Without this flag, nothing is written in that case.
    #[arg(long = "skipRefused", action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false)]
    pub skip_refused: bool,
    /// File (mode 0600) with the passphrase of encrypted secrets; default is KELPGATE_EXPORT_PASSPHRASE.
    #[arg(long = "passphraseFile", value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,
}

#[derive(Args)]
pub struct FilerPath {
    #[command(flatten)]
    pub place: Place,
    /// Path on the filer; filer.ls without one lists the root.
    pub path: Option<String>,
}

#[derive(Subcommand)]
pub enum PolicyCommand {
    /// Decides recorded requests: one JSON row in, one out.
    Simulate(Cases),
    /// Checks policy documents.
    Validate(Validate),
    /// Shows which permissions a request needs: one JSON row in, one out.
    Actions(Cases),
    /// Explains why a request is allowed or denied, statement by statement, and what would allow it.
    Explain(Explain),
}

#[derive(Args)]
#[command(
    override_usage = "kelpgate policy explain [OPTIONS] <FILE>\n       kelpgate policy explain [OPTIONS] -cases <FILE>"
)]
pub struct Explain {
    /// File of JSON rows, `-` for the standard input: one row in, one explanation out.
    #[arg(long, value_name = "FILE", conflicts_with = "file", required_unless_present = "file")]
    pub cases: Option<PathBuf>,
    /// File with one row (JSON, on any number of lines), explained in words; `-` for the standard input.
    pub file: Option<PathBuf>,
}

#[derive(Args)]
pub struct Cases {
    /// File of JSON rows, `-` for the standard input.
    #[arg(long, value_name = "FILE")]
    pub cases: PathBuf,
}

#[derive(Args)]
#[command(
    override_usage = "kelpgate policy validate [OPTIONS] <FILE>\n       kelpgate policy validate [OPTIONS] -cases <FILE>"
)]
pub struct Validate {
    /// File of JSON rows, `-` for the standard input.
    #[arg(long, value_name = "FILE", conflicts_with = "file", required_unless_present = "file")]
    pub cases: Option<PathBuf>,
    /// What the document is for: identity, bucket, trust, session or boundary.
    #[arg(long, default_value = "identity")]
    pub kind: String,
    /// A policy document; `-` for the standard input.
    pub file: Option<PathBuf>,
}
