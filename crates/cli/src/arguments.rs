//! The command line.

use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand};

/// An S3 gateway whose access control is the same on every instance at every moment.
#[derive(Parser)]
#[command(name = "kelpgate", version, about, disable_help_subcommand = true)]
pub struct Arguments {
    /// Log more (`-v` debug, `-v=2` and above trace), as in weed.
    #[arg(short = 'v', global = true, num_args = 0..=1, require_equals = true, default_missing_value = "1", default_value_t = 0)]
    pub verbosity: u8,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand)]
pub enum Command {
    /// S3, IAM and STS on one machine, everything kept in one directory.
    Server(Box<Server>),
    /// An S3 gateway in front of a SeaweedFS filer, in place of `weed s3`.
    S3(Box<S3>),
    /// Lists a directory of the filer.
    #[command(name = "filer.ls")]
    FilerLs(FilerPath),
    /// Prints a file of the filer.
    #[command(name = "filer.cat")]
    FilerCat(FilerPath),
    /// Looks for what is wrong with a cluster, a directory or running gateways, and says what to do.
    Doctor(Doctor),
    /// IAM state out of a cluster and into another one, and secrets at rest.
    #[command(subcommand)]
    Iam(IamCommand),
    /// Checks and explains policies.
    #[command(subcommand)]
    Policy(PolicyCommand),
}

/// Flags that `server` and `s3` share.
#[derive(Args)]
pub struct Serving {
    /// Port of S3, IAM and STS.
    #[arg(long, default_value_t = 8333)]
    pub port: u16,
    /// Port for HTTPS beside plain HTTP; without it `-key.file` turns the main port to HTTPS.
    #[arg(long = "port.https", default_value_t = 0)]
    pub port_https: u16,
    /// PEM file of the TLS private key.
    #[arg(long = "key.file", value_name = "FILE")]
    pub key_file: Option<PathBuf>,
    /// PEM file of the TLS certificate chain.
    #[arg(long = "cert.file", value_name = "FILE")]
    pub cert_file: Option<PathBuf>,
    /// PEM file of the authorities that client certificates are checked against.
    #[arg(long = "cacert.file", value_name = "FILE")]
    pub cacert_file: Option<PathBuf>,
    /// Ask clients for a certificate and check it against `-cacert.file`.
    #[arg(long = "tlsVerifyClientCert", action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false)]
    pub tls_verify_client_cert: bool,
    /// Comma separated host names under which buckets are subdomains.
    #[arg(long = "domainName", default_value = "", value_name = "HOSTS")]
    pub domain_name: String,
    /// Comma separated origins for CORS where a bucket has no rules of its own.
    #[arg(long = "allowedOrigins", default_value = "*", value_name = "ORIGINS")]
    pub allowed_origins: String,
    /// Identities file (JSON), read again on SIGHUP.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Advanced IAM file (JSON): sts, roles, policies; also identities where `-config` is not given.
    #[arg(long = "iam.config", value_name = "FILE")]
    pub iam_config: Option<PathBuf>,
    /// The URL that clients use, where a proxy in front hides it: `https://s3.example.com:8443`.
    #[arg(long = "externalUrl", env = "S3_EXTERNAL_URL", default_value = "", value_name = "URL")]
    pub external_url: String,
    /// Seconds after which an idle connection is closed.
    #[arg(long = "idleTimeout", default_value_t = 120, value_name = "SECONDS")]
    pub idle_timeout: u64,
    /// Megabytes of uploads in flight; more wait or get 503. 0 for no limit.
    #[arg(long = "concurrentUploadLimitMB", default_value_t = 0, value_name = "MB")]
    pub concurrent_upload_limit_mb: u64,
    /// Uploads in flight; more get 503. 0 for no limit.
    #[arg(long = "concurrentFileUploadLimit", default_value_t = 0, value_name = "N")]
    pub concurrent_file_upload_limit: u64,
    /// DeleteBucket removes what is in the bucket too (weed's default is true, AWS's answer is BucketNotEmpty).
    #[arg(long = "allowDeleteBucketNotEmpty", action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false)]
    pub allow_delete_bucket_not_empty: bool,
    /// A write of an administrator to a bucket that does not exist creates it.
    #[arg(long = "autoCreateBucket", action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub auto_create_bucket: Option<bool>,
    /// Octal mode of new objects.
    #[arg(long = "defaultFileMode", default_value = "", value_name = "MODE")]
    pub default_file_mode: String,
    /// Accept signatures of version 2, which bind neither time nor all parameters.
    #[arg(long = "sigV2", action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false)]
    pub sig_v2: bool,
    /// Port of a second listener for `/metrics`, which leaves the main port then. 0 for none.
    #[arg(long = "metricsPort", default_value_t = 0)]
    pub metrics_port: u16,
    /// Address of that listener; default is the main one's.
    #[arg(long = "metricsIp", default_value = "")]
    pub metrics_ip: String,
    /// Directory of `security.toml`, searched before the usual places.
    #[arg(long = "config_dir", value_name = "DIR")]
    pub config_dir: Option<PathBuf>,
}

#[derive(Args)]
pub struct Server {
    /// Where everything is kept.
    #[arg(long, value_name = "DIR")]
    pub dir: PathBuf,
    /// Address to listen on.
    #[arg(long = "ip.bind", default_value = "127.0.0.1")]
    pub ip_bind: String,
    /// Region that signatures must be made for; `any` accepts all of them.
    #[arg(long, default_value = "us-east-1")]
    pub region: String,
    /// Replace the root access key and print the new one.
    #[arg(long = "newRootKey", action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false)]
    pub new_root_key: bool,
    /// Refuse IAM changes.
    #[arg(long = "iam.readOnly", action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false)]
    pub iam_read_only: bool,
    #[command(flatten)]
    pub serving: Serving,
}

#[derive(Args)]
pub struct S3 {
    /// Comma separated filers, `host:port` or `host:port.grpcPort`.
    #[arg(long, default_value = "localhost:8888", value_name = "HOSTS")]
    pub filer: String,
    /// Address that the gateway tells others; default is `-ip.bind`.
    #[arg(long, default_value = "")]
    pub ip: String,
    /// Address to listen on; default is all.
    #[arg(long = "ip.bind", default_value = "")]
    pub ip_bind: String,
    /// Region that signatures must be made for; `any` accepts all of them, as weed does.
    #[arg(long, default_value = "us-east-1")]
    pub region: String,
    /// Data centre whose volume servers are preferred.
    #[arg(long = "dataCenter", default_value = "")]
    pub data_center: String,
    /// Serve the IAM query API.
    #[arg(long, action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = true)]
    pub iam: bool,
    /// Refuse IAM changes, as weed does unless told otherwise.
    #[arg(long = "iam.readOnly", action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = true)]
    pub iam_read_only: bool,
    /// Encipher object data on the volume servers.
    #[arg(long = "encryptVolumeData", action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false)]
    pub encrypt_volume_data: bool,
    /// Audit log configuration (JSON); not supported yet, so it stops the start.
    #[arg(long = "auditLogConfig", value_name = "FILE")]
    pub audit_log_config: Option<PathBuf>,
    #[command(flatten)]
    pub serving: Serving,
    #[command(flatten)]
    pub ignored: Ignored,
}

/// Flags of `weed s3` that have no effect here. Nothing that touches security or limits is among them.
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
    /// A remote mount is read through the filer here, so the flag guards nothing.
    #[arg(long = "allowUntrustedRemoteEndpoints", hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub allow_untrusted_remote_endpoints: Option<bool>,
}

impl Ignored {
    /// The flags that were given and do nothing.
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

/// Where a tool works.
#[derive(Args)]
pub struct Place {
    /// Comma separated filers, `host:port` or `host:port.grpcPort`; default is `localhost:8888`.
    #[arg(long, value_name = "HOSTS")]
    pub filer: Option<String>,
    /// A directory of `kelpgate server` that is not running, in place of a filer.
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
    /// Comma separated URLs of running gateways: `http://gateway-1:8333`. Filers are looked at as well if `-filer` names them.
    #[arg(long, value_delimiter = ',', value_name = "URLS", conflicts_with = "dir")]
    pub endpoint: Vec<String>,
    /// The identities file that the gateways were given.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The IAM file that the gateways were given: it says where roles and policies lie.
    #[arg(long = "iam.config", value_name = "FILE")]
    pub iam_config: Option<PathBuf>,
}

#[derive(Subcommand)]
pub enum IamCommand {
    /// Writes all IAM state as one JSON text.
    Export(IamExport),
    /// Reads an export of Kelpgate, an S3ApiConfiguration of SeaweedFS, or MinIO's export, and writes what differs.
    Import(IamImport),
    /// Encrypts the secret keys that are stored, under the first of the keys that the gateways have.
    #[command(name = "encrypt-secrets")]
    EncryptSecrets(IamPlace),
    /// Stores the secret keys as they are again.
    #[command(name = "decrypt-secrets")]
    DecryptSecrets(IamPlace),
}

#[derive(Args)]
pub struct IamPlace {
    #[command(flatten)]
    pub place: Place,
    /// The IAM file that the gateways were given: where roles and policies lie, and the keys of secrets at rest.
    #[arg(long = "iam.config", value_name = "FILE")]
    pub iam_config: Option<PathBuf>,
    /// Not supported: IAM state is read and written on the filer.
    #[arg(long, value_name = "URL", hide = true)]
    pub endpoint: Option<String>,
}

#[derive(Args)]
pub struct IamExport {
    #[command(flatten)]
    pub place: IamPlace,
    /// Where to write it, mode 0600; default is the standard output.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// What becomes of secret keys.
    #[arg(long, value_enum, default_value_t = SecretsMode::None)]
    pub secrets: SecretsMode,
    /// File (mode 0600) of the passphrase for `-secrets=encrypted`; else KELPGATE_EXPORT_PASSPHRASE.
    #[arg(long = "passphraseFile", value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,
    /// The policies of buckets as well. An import puts them on the buckets that there are.
    #[arg(long = "bucketPolicies", action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false)]
    pub bucket_policies: bool,
}

/// What becomes of secret keys in an export.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum SecretsMode {
    /// They are left out.
    None,
    /// They are encrypted under a passphrase.
    Encrypted,
    /// They stand there for whoever reads the file.
    Plain,
}

#[derive(Args)]
pub struct IamImport {
    #[command(flatten)]
    pub place: IamPlace,
    /// The export: a JSON text of Kelpgate or SeaweedFS, or the zip of `mc admin cluster iam export` (or the directory it unpacks to).
    pub file: PathBuf,
    /// Print what would be done, and do nothing.
    #[arg(long = "dryRun", action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false)]
    pub dry_run: bool,
    /// Write what can be taken although something cannot; without it nothing is written then.
    #[arg(long = "skipRefused", action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false)]
    pub skip_refused: bool,
    /// File (mode 0600) of the passphrase of encrypted secrets; else KELPGATE_EXPORT_PASSPHRASE.
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
    /// Tells which permissions a request needs: one JSON row in, one out.
    Actions(Cases),
    /// Tells why a request is allowed or denied, statement by statement, and what would allow it.
    Explain(Explain),
}

#[derive(Args)]
pub struct Explain {
    /// File of JSON rows, `-` for the standard input: one row in, one explanation out.
    #[arg(long, value_name = "FILE", conflicts_with = "file", required_unless_present = "file")]
    pub cases: Option<PathBuf>,
    /// One row (JSON, over as many lines as it likes), explained in words; `-` for the standard input.
    pub file: Option<PathBuf>,
}

#[derive(Args)]
pub struct Cases {
    /// File of JSON rows, `-` for the standard input.
    #[arg(long, value_name = "FILE")]
    pub cases: PathBuf,
}

#[derive(Args)]
pub struct Validate {
    /// File of JSON rows, `-` for the standard input.
    #[arg(long, value_name = "FILE", conflicts_with = "file", required_unless_present = "file")]
    pub cases: Option<PathBuf>,
    /// What the document is for: identity, bucket, trust, session or boundary.
    #[arg(long, default_value = "identity")]
    pub kind: String,
    /// A policy document.
    pub file: Option<PathBuf>,
}
