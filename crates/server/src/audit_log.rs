//! The audit log as the data plane sees it, the key of its files, and its anchors on the filer.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use access::AuditRecord;
use audit::chain::DigestKey;
use audit::{ANCHORS, Auditing, Head, Prepared};
use filer::{Attributes, Entry, Filer, Mutation, Transaction};
use gateway::{Auditor, RecordWritten};
use iam_formats::{AuditSettings, FileSettings, SinkKind, SinkSettings};
use ids::AccountId;
use tokio::sync::Mutex;

use crate::private_file;
use crate::workers::{Period, RunEnd, RunsOn, Worker};

/// How often the last digests are written to the filer.
const ANCHOR_EVERY: Duration = Duration::from_secs(60);

/// The audit log of this gateway.
pub struct AuditLog(pub Arc<Auditing>);

impl Auditor for AuditLog {
    fn takes_all(&self) -> bool {
        self.0.has_sinks()
    }

    fn ready(&self) -> Result<(), String> {
        self.0.ready()
    }

    fn take(&self, record: &AuditRecord) -> Option<RecordWritten> {
        self.0.take(record).map(|pending| Box::pin(pending.written()) as RecordWritten)
    }

    fn recall(&self, request_id: &str, reader: Option<AccountId>) -> Option<String> {
        self.0.recall(request_id, reader)
    }
}

/// Opens the sinks of `kelpgate.audit`, and that of `-auditLogConfig`.
pub fn start(settings: &AuditSettings, weed_file: Option<&Path>, region: &str) -> Result<Arc<Auditing>, String> {
    let settings = with_weed(settings, weed_file)?;
    if let Some(path) = weed_file {
        tracing::info!("-auditLogConfig: audit records go to the fluentd that `{}` names", path.display());
    }
    Auditing::start(&settings, region, signing_key).map(Arc::new).map_err(in_settings)
}

/// Opens what changed settings need. Nothing changes yet.
pub fn prepare(auditing: &Auditing, settings: &AuditSettings, weed_file: Option<&Path>) -> Result<Prepared, String> {
    auditing.prepare(&with_weed(settings, weed_file)?, signing_key).map_err(in_settings)
}

/// Checks that the sinks can be opened, and makes nothing: no files, no keys, no connections.
pub fn check(settings: &AuditSettings, weed_file: Option<&Path>) -> Result<(), String> {
    with_weed(settings, weed_file)?.sinks.iter().try_for_each(check_sink).map_err(in_settings)
}

fn check_sink(sink: &SinkSettings) -> Result<(), String> {
    audit::check_connection(sink)?;
    match &sink.kind {
        SinkKind::StandardOutput => Ok(()),
        SinkKind::Network(network) => network
            .queue_directory
            .as_ref()
            .map_or(Ok(()), |directory| private_file::check_directory(Path::new(directory))),
        SinkKind::File(file) => {
            private_file::check_writable(Path::new(&file.path))?;
            match stored_key(file)? {
                Some(_) => Ok(()),
                None => private_file::check_writable(Path::new(&file.signing_key_file)),
            }
        }
    }
}

fn with_weed(settings: &AuditSettings, weed_file: Option<&Path>) -> Result<AuditSettings, String> {
    let mut settings = settings.clone();
    settings.sinks.extend(weed_file.map(of_weed).transpose()?);
    Ok(settings)
}

fn in_settings(error: String) -> String {
    format!("kelpgate.audit: {error}")
}

/// The sink that SeaweedFS's own file describes.
pub fn of_weed(path: &Path) -> Result<SinkSettings, String> {
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string());
    let environment = std::env::var("ENVIRONMENT").ok();
    let read =
        text.and_then(|text| SinkSettings::of_weed(&text, environment.as_deref()).map_err(|error| error.to_string()));
    read.map_err(|error| format!("-auditLogConfig: `{}`: {error}", path.display()))
}

/// The key that signs the digests of a file. It is made at the first start, with the public key beside it.
fn signing_key(file: &FileSettings) -> Result<DigestKey, String> {
    if let Some(key) = stored_key(file)? {
        return Ok(key);
    }
    let path = Path::new(&file.signing_key_file);
    let key = DigestKey::generate()?;
    private_file::write(path, &key.to_text())?;
    let public = format!("{}.pub", file.signing_key_file);
    std::fs::write(&public, format!("{}\n", key.public()))
        .map_err(|error| format!("`{public}` cannot be written: {error}"))?;
    Ok(key)
}

fn stored_key(file: &FileSettings) -> Result<Option<DigestKey>, String> {
    let path = Path::new(&file.signing_key_file);
    let text = private_file::read(path)?;
    text.map(|text| DigestKey::parse(&text)).transpose().map_err(|error| format!("`{}`: {error}", path.display()))
}

/// Keeps the last digest of each log on the filer, so that a log whose end was cut off is found out.
pub fn anchors(auditing: &Arc<Auditing>, filer: &Arc<dyn Filer>) -> Worker {
    let (auditing, filer) = (Arc::clone(auditing), Arc::clone(filer));
    let kept = Arc::new(Mutex::new(Vec::new()));
    let anchor = move || {
        let (auditing, filer, kept) = (Arc::clone(&auditing), Arc::clone(&filer), Arc::clone(&kept));
        async move {
            auditing.summarize();
            let mut kept = kept.lock().await;
            let heads = auditing.heads();
            for head in heads.iter().filter(|head| !kept.contains(*head)) {
                keep(&*filer, head).await?;
            }
            *kept = heads;
            Ok(RunEnd::Done)
        }
    };
    Worker::new("audit-anchors", Period::Every(ANCHOR_EVERY), RunsOn::EveryGateway, anchor).runs_at_stop()
}

async fn keep(filer: &dyn Filer, head: &Head) -> Result<(), String> {
    let content = head.line.clone().into_bytes();
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
    let mtime = i64::try_from(now_s).unwrap_or(i64::MAX);
    let attributes =
        Attributes { file_size: content.len() as u64, mtime, crtime: mtime, file_mode: 0o600, ..Attributes::default() };
    let entry = Entry { name: head.log.clone(), attributes: Some(attributes), content, ..Entry::default() };
    let put = Mutation::Put { directory: ANCHORS.to_owned(), entry: Box::new(entry) };
    let lock_key = format!("{ANCHORS}/{}", head.log);
    let written = filer.transact(Transaction { lock_key, mutations: vec![put], ..Transaction::default() }).await;
    written.map_err(|error| format!("the last digest of an audit log could not be kept on the filer: {error}"))
}
