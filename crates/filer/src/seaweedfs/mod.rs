//! A SeaweedFS cluster as a [`Filer`]: metadata over gRPC from one or more filers, data directly from and to volume
//! servers.

mod address;
mod assign;
mod chunk;
mod connection;
mod delete;
mod feed;
mod fid;
mod grpc;
mod journal;
mod line;
mod locations;
mod metrics;
mod picked;
mod read;
mod ring;
mod rpc;
mod security;
mod slots;
mod tls;
mod transact;
mod volume;
mod wire;
mod write;

use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures_util::future;

use self::metrics::Call;
use self::rpc::{CallError, Filers, Replay, Timeouts};
use self::volume::VolumeClient;
use crate::entry::FileChunk;
use crate::{
    BytesIn, BytesOut, Entry, Feed, FeedFilter, Filer, FilerConfiguration, FilerError, Guards, ListOptions, Mutation,
    Transaction, WriteTarget, Written,
};

pub use address::{AddressError, FilerAddress};
pub use journal::{LeftUploads, Sweeper, Swept, left_uploads};
pub use metrics::{Call as FilerCall, CallCounts, FilerMetrics};
pub use security::{Security, SecurityError, SigningKey};
pub use tls::TlsError;

/// The chunk size in bytes if the filer does not specify one.
const CHUNK_BYTES_FALLBACK: usize = 8 << 20;
/// The largest chunk in bytes, whatever `-maxMB` says, because chunks are held in memory while they are uploaded.
const CHUNK_BYTES_MAX: usize = 32 << 20;
/// How often `wait_until_reachable` logs that it is waiting.
const NOTICE_EVERY: Duration = Duration::from_secs(5);

/// How to reach a cluster.
#[derive(Debug, Clone)]
pub struct Options {
    /// The filers. Calls fail over from one to the next.
    pub filers: Vec<FilerAddress>,
    /// Tokens and certificates.
    pub security: Security,
    /// The data center whose volume servers are preferred; empty for none.
    pub data_center: String,
    /// The time limit of a metadata call, including failover; 5 s by default.
    pub request_timeout: Duration,
    /// The time limit for making a connection; 2 s by default.
    pub connect_timeout: Duration,
    /// How long a volume server may be silent; 10 s by default.
    pub data_timeout: Duration,
    /// How long a change feed may be silent before it is considered broken; 15 s by default. Filers send a heartbeat
    /// every 5 s.
    pub feed_silence: Duration,
    /// Whether to encrypt chunks even if the filer does not ask for it (`-encryptVolumeData`).
    pub encrypt_volume_data: bool,
    /// Whether uploads of several chunks are recorded for other gateways. Then the process has to call
    /// [`heartbeat`](SeaweedFiler::heartbeat) again and again. False by default.
    pub journals_uploads: bool,
}

impl Options {
    /// The default options for these filers.
    pub fn new(filers: Vec<FilerAddress>, security: Security) -> Self {
        Options {
            filers,
            security,
            data_center: String::new(),
            request_timeout: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(2),
            data_timeout: Duration::from_secs(10),
            feed_silence: Duration::from_secs(15),
            encrypt_volume_data: false,
            journals_uploads: false,
        }
    }
}

/// The client of a cluster. Clones share connections and caches.
#[derive(Clone)]
pub struct SeaweedFiler {
    shared: Arc<Shared>,
}

struct Shared {
    filers: Filers,
    volumes: VolumeClient,
    locations: locations::Locations,
    pool: assign::Pool,
    slots: slots::Slots,
    journal: journal::Journal,
    options: Options,
    configuration: RwLock<Option<FilerConfiguration>>,
    feeds: feed::Identity,
    ring: ring::Ring,
    guards: OnceLock<Arc<dyn Guards>>,
    /// The masters, as a filer last listed them.
    masters: RwLock<Vec<String>>,
}

impl SeaweedFiler {
    /// Makes a client. It sends nothing before the first call. Must be called within a tokio runtime.
    pub fn connect(options: Options) -> SeaweedFiler {
        let metrics = Arc::new(FilerMetrics::default());
        let timeouts = Timeouts { call: options.request_timeout, connect: options.connect_timeout };
        let filers = Filers::new(&options.filers, &options.security, timeouts, metrics.clone());
        let volumes = VolumeClient::new(&options.security, options.connect_timeout, options.data_timeout, metrics);
        SeaweedFiler {
            shared: Arc::new(Shared {
                filers,
                volumes,
                locations: locations::Locations::new(&options.data_center),
                pool: assign::Pool::default(),
                slots: slots::Slots::default(),
                journal: journal::Journal::new(options.journals_uploads),
                configuration: RwLock::new(None),
                feeds: feed::Identity::default(),
                ring: ring::Ring::default(),
                guards: OnceLock::new(),
                masters: RwLock::default(),
                options,
            }),
        }
    }

    /// Later calls use the certificates of `security`. What it says besides is not taken over.
    pub fn renew_certificates(&self, security: &Security) -> Result<(), String> {
        let (now, shared) = (&self.shared.options.security, &self.shared);
        if now.has_grpc_tls() != security.has_grpc_tls() || now.https().is_some() != security.https().is_some() {
            return Err("security.toml turns TLS on or off, which takes a restart".to_owned());
        }
        shared.filers.renew(security, &shared.ring.nodes()).map_err(|error| error.to_string())?;
        if security.https().is_some() {
            shared.volumes.renew(security);
        }
        Ok(())
    }

    /// Keeps asking, half a second to 5 s apart, until a filer answers. Logs a line every few seconds.
    pub async fn wait_until_reachable(&self) -> FilerConfiguration {
        let mut pause = Duration::from_millis(250);
        let mut noticed: Option<Instant> = None;
        loop {
            let error = match self.configuration().await {
                Ok(configuration) => return configuration,
                Err(error) => error,
            };
            if noticed.is_none_or(|at| at.elapsed() >= NOTICE_EVERY) {
                noticed = Some(Instant::now());
                tracing::warn!(%error, "no filer answers yet; is `weed filer` running, and does `-filer` name it?");
            }
            pause = (pause * 2).min(Duration::from_secs(5));
            tokio::time::sleep(pause).await;
        }
    }

    /// The filers given to this client.
    pub fn addresses(&self) -> &[FilerAddress] {
        &self.shared.options.filers
    }

    /// Counters of all calls.
    pub fn metrics(&self) -> &FilerMetrics {
        &self.shared.filers.metrics
    }

    /// What the [`Sweeper`] of this client has done.
    pub fn swept(&self) -> Swept {
        self.shared.journal.swept()
    }

    /// Shows other gateways that this process runs. If it does not for their grace, they take its uploads for abandoned.
    ///
    /// # Errors
    ///
    /// Those of the filers.
    pub async fn heartbeat(&self) -> Result<(), FilerError> {
        journal::heartbeat(&self.shared).await
    }

    /// Waits for what ended uploads leave to do: call it before the process ends.
    pub async fn sign_off(&self) {
        journal::sign_off(&self.shared).await;
    }

    /// The processes of one kind (`filer`, `s3`) that the master lists now, as `host:port`; empty while no master
    /// answers.
    pub async fn cluster_nodes(&self, kind: &str) -> Vec<String> {
        let (masters, group) = self.shared.cluster().await;
        let nodes = self.shared.ring.cluster_nodes(&self.shared.filers, &masters, kind, &group).await;
        nodes.iter().map(ToString::to_string).collect()
    }
}

impl Shared {
    /// The directory of the bucket that a path is in, with a slash at the end; `None` for other paths, and until the filer has said
    /// where buckets are.
    fn bucket_directory(&self, path: &str) -> Option<String> {
        let configuration = self.configuration.read().unwrap_or_else(PoisonError::into_inner);
        let root = &configuration.as_ref()?.buckets_root;
        let bucket =
            path.strip_prefix(root)?.strip_prefix('/')?.split('/').next().filter(|bucket| !bucket.is_empty())?;
        Some(format!("{root}/{bucket}/"))
    }

    /// How chunks are made, as the filer last said. Asks the filer if it has not said so yet.
    async fn chunk_rules(&self) -> Result<ChunkRules, FilerError> {
        let rules = |configuration: &FilerConfiguration| ChunkRules {
            bytes: configuration.chunk_bytes,
            cipher: configuration.cipher || self.options.encrypt_volume_data,
        };
        let known = self.configuration.read().unwrap_or_else(PoisonError::into_inner).as_ref().map(rules);
        match known {
            Some(known) => Ok(known),
            None => Ok(rules(&self.ask_configuration().await?)),
        }
    }

    /// The masters and the filer group, as a filer last reported them.
    async fn cluster(&self) -> (Vec<String>, String) {
        let known = || {
            let configuration = self.configuration.read().unwrap_or_else(PoisonError::into_inner);
            let masters = self.masters.read().unwrap_or_else(PoisonError::into_inner).clone();
            configuration.as_ref().map(|configuration| (masters, configuration.filer_group.clone()))
        };
        if known().is_none() {
            // Without an answer no master is known, and the next call asks again.
            let _ = self.ask_configuration().await;
        }
        known().unwrap_or_default()
    }

    async fn members(&self) -> Vec<FilerAddress> {
        let (masters, group) = self.cluster().await;
        self.ring.members(&self.filers, &masters, &group).await
    }

    async fn ask_configuration(&self) -> Result<FilerConfiguration, FilerError> {
        let request = wire::GetFilerConfigurationRequest {};
        let answer: wire::GetFilerConfigurationResponse =
            self.filers.unary(Call::GetFilerConfiguration, &request, Replay::Safe).await?;
        let chunk_bytes = (answer.max_mb as usize).saturating_mul(1 << 20);
        let root = answer.dir_buckets.trim_end_matches('/');
        let configuration = FilerConfiguration {
            buckets_root: if root.is_empty() { "/buckets".to_owned() } else { root.to_owned() },
            chunk_bytes: if chunk_bytes == 0 { CHUNK_BYTES_FALLBACK } else { chunk_bytes.min(CHUNK_BYTES_MAX) },
            cipher: answer.cipher,
            filer_group: answer.filer_group,
            signature: answer.signature,
            version: answer.version,
            files_beside_directories: false,
            holds_every_name: false,
            checks_required: false,
        };
        *self.masters.write().unwrap_or_else(PoisonError::into_inner) = answer.masters;
        *self.configuration.write().unwrap_or_else(PoisonError::into_inner) = Some(configuration.clone());
        Ok(configuration)
    }
}

/// How chunks are made.
#[derive(Clone, Copy)]
struct ChunkRules {
    bytes: usize,
    cipher: bool,
}

/// False for paths with a NUL, which are those of keys that a filer cannot hold. Nothing is asked about them: some of the
/// filer's stores fail at a NUL.
fn is_held(path: &str) -> bool {
    !path.contains('\0')
}

fn require_held(path: &str) -> Result<(), FilerError> {
    if is_held(path) { Ok(()) } else { Err(FilerError::NameNotHeld(path.replace('\0', ""))) }
}

/// A path in the two parts that the filer uses. `/` has the name "".
fn split(path: &str) -> (String, String) {
    match path.trim_end_matches('/').rsplit_once('/') {
        None => ("/".to_owned(), String::new()),
        Some(("", name)) => ("/".to_owned(), name.to_owned()),
        Some((directory, name)) => (directory.to_owned(), name.to_owned()),
    }
}

/// What a lookup found at a path.
fn found(
    path: &str,
    answer: Result<wire::LookupDirectoryEntryResponse, CallError>,
) -> Result<Option<Entry>, FilerError> {
    entry_at(path, answer.map(|answer| answer.entry.map(|entry| *entry)))
}

fn entry_at(path: &str, answer: Result<Option<Entry>, CallError>) -> Result<Option<Entry>, FilerError> {
    match answer {
        // A file is not the directory that `a/` asks for.
        Ok(entry) => Ok(entry.filter(|entry| entry.is_directory || !path.ends_with('/'))),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[async_trait]
impl Filer for SeaweedFiler {
    async fn configuration(&self) -> Result<FilerConfiguration, FilerError> {
        self.shared.ask_configuration().await
    }

    async fn lookup(&self, path: &str) -> Result<Option<Entry>, FilerError> {
        if !is_held(path) {
            return Ok(None);
        }
        let request = lookup_request(path);
        found(path, self.shared.filers.unary(Call::LookupDirectoryEntry, &request, Replay::Safe).await)
    }

    async fn lookup_for(&self, path: &str, attributes: &[&str]) -> Result<Option<Entry>, FilerError> {
        if !is_held(path) {
            return Ok(None);
        }
        let request = lookup_request(path);
        let answer: Result<picked::Answer, _> =
            self.shared.filers.unary(Call::LookupDirectoryEntry, &request, Replay::Safe).await;
        entry_at(path, answer.map(|answer| answer.pick(attributes)))
    }

    /// The calls are polled together, so that the connection sends both in one write.
    async fn lookup_with_first_file(
        &self,
        directory: &str,
        attributes: &[&str],
    ) -> Result<(Option<Entry>, Option<Entry>), FilerError> {
        let path = format!("{directory}/");
        let first = ListOptions { limit: 1, ..ListOptions::default() };
        let (entry, listed) = future::join(self.lookup_for(&path, attributes), self.list(directory, first)).await;
        // A listing that failed costs only a lookup: the caller then asks for the file by its name.
        let first = listed.unwrap_or_default().pop().filter(|entry| !entry.is_directory);
        Ok((entry?, first))
    }

    async fn list(&self, directory: &str, options: ListOptions) -> Result<Vec<Entry>, FilerError> {
        if !is_held(directory) {
            return Ok(Vec::new());
        }
        entries(self.shared.filers.collect(Call::ListEntries, &list_request(directory, options)).await)
    }

    async fn transact(&self, transaction: Transaction) -> Result<(), FilerError> {
        require_held(&transaction.lock_key)?;
        let intents = journal::before_commit(&self.shared, &transaction).await?;
        let (transaction, folded) = write::fold_manifests(&self.shared, transaction).await?;
        let done = transact::run(&self.shared, transaction).await;
        if done.is_ok() {
            intents.iter().for_each(|intent| journal::settle(&self.shared, intent));
        }
        if !folded.is_empty() && done.as_ref().is_err_and(|error| !matches!(error, FilerError::Unavailable(_))) {
            delete::needles(&self.shared, folded).await;
        }
        done
    }

    fn guard_by(&self, guards: Arc<dyn Guards>) {
        // The first guards stay: two views of one cluster must not be mixed.
        let _ = self.shared.guards.set(guards);
    }

    async fn accepts(&self, path: &str) -> Result<(), FilerError> {
        assign::accepts(&self.shared, path).await
    }

    async fn write(&self, target: &WriteTarget, body: BytesIn<'_>) -> Result<Written, FilerError> {
        require_held(&target.path)?;
        write::write(&self.shared, target, body).await
    }

    async fn read(&self, entry: &Entry, from: u64, length: u64) -> Result<BytesOut, FilerError> {
        read::read(&self.shared, entry, from, length).await
    }

    async fn resolve_chunks(&self, chunks: &[FileChunk]) -> Result<Vec<FileChunk>, FilerError> {
        chunk::resolve(&self.shared, chunks, 0..u64::MAX).await
    }

    async fn delete_chunks(&self, chunks: Vec<FileChunk>) {
        if delete::chunks(&self.shared, &chunks).await {
            journal::freed(&self.shared, &chunks);
        }
    }

    async fn delete_collection(&self, collection: &str) -> Result<(), FilerError> {
        self.shared.pool.forget(collection);
        let request = wire::DeleteCollectionRequest { collection: collection.to_owned() };
        let _: wire::DeleteCollectionResponse =
            self.shared.filers.unary(Call::DeleteCollection, &request, Replay::Safe).await?;
        Ok(())
    }

    async fn members(&self) -> Result<Vec<String>, FilerError> {
        Ok(self.shared.members().await.iter().map(ToString::to_string).collect())
    }

    async fn put_through(&self, filer: &str, directory: &str, entry: Entry) -> Result<(), FilerError> {
        let node = self.shared.ring.named(&self.shared.filers, filer)?;
        let lock_key = format!("{directory}/{}", entry.name);
        let mutations = vec![Mutation::Put { directory: directory.to_owned(), entry: Box::new(entry) }];
        transact::run_on(&self.shared, &node, Transaction { lock_key, mutations, ..Transaction::default() }).await
    }

    async fn lookup_through(&self, filer: &str, path: &str) -> Result<Option<Entry>, FilerError> {
        let node = self.shared.ring.named(&self.shared.filers, filer)?;
        let (directory, name) = split(path);
        let request = wire::LookupDirectoryEntryRequest { directory, name };
        let answer = self.shared.filers.unary_on(&node, Call::LookupDirectoryEntry, request).await;
        let found = found(path, answer);
        if found.is_ok() {
            self.shared.ring.set_silent(filer, false);
        }
        found
    }

    async fn list_through(&self, filer: &str, directory: &str, options: ListOptions) -> Result<Vec<Entry>, FilerError> {
        let node = self.shared.ring.named(&self.shared.filers, filer)?;
        let request = list_request(directory, options);
        entries(self.shared.filers.collect_on(&node, Call::ListEntries, request).await)
    }

    fn avoid(&self, filer: &str) {
        self.shared.filers.avoid(filer);
        self.shared.ring.set_silent(filer, true);
    }

    async fn subscribe(&self, filter: FeedFilter) -> Result<Vec<(String, Feed)>, FilerError> {
        feed::open_all(&self.shared, filter).await
    }
}

fn lookup_request(path: &str) -> wire::LookupDirectoryEntryRequest {
    let (directory, name) = split(path);
    wire::LookupDirectoryEntryRequest { directory, name }
}

fn list_request(directory: &str, options: ListOptions) -> wire::ListEntriesRequest {
    let directory = directory.trim_end_matches('/');
    // A filer that begins before the prefix stops at the first name without the prefix, and returns nothing.
    let begins_before = options.start_from < options.prefix;
    wire::ListEntriesRequest {
        directory: if directory.is_empty() { "/".to_owned() } else { directory.to_owned() },
        prefix: options.prefix,
        start_from_file_name: if begins_before { String::new() } else { options.start_from },
        inclusive_start_from: options.inclusive,
        limit: u32::try_from(options.limit.max(1)).unwrap_or(u32::MAX),
        snapshot_ts_ns: 0,
        omit_chunks: options.omit_chunks,
    }
}

fn entries(answers: Result<Vec<wire::ListEntriesResponse>, rpc::CallError>) -> Result<Vec<Entry>, FilerError> {
    match answers {
        Ok(answers) => Ok(answers.into_iter().filter_map(|answer| answer.entry).map(|entry| *entry).collect()),
        Err(error) if error.is_not_found() => Ok(Vec::new()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn paths_in_two_parts() {
        for (path, directory, name) in [
            ("/", "/", ""),
            ("/buckets", "/", "buckets"),
            ("/buckets/", "/", "buckets"),
            ("/buckets/b/a/b", "/buckets/b/a", "b"),
            ("/buckets/b/a/", "/buckets/b", "a"),
        ] {
            assert_eq!(super::split(path), (directory.to_owned(), name.to_owned()), "{path}");
        }
    }
}
