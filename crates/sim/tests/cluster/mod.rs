//! Filers in memory over one store, each with its own streams. They are slow, killed and cut off at random, from one
//! seed.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use filer::{
    BytesIn, BytesOut, Change, Condition, Entry, Feed, FeedFilter, FeedItem, FileChunk, Filer, FilerConfiguration,
    FilerError, ListOptions, Mutation, Transaction, WriteTarget, Written,
};
use futures_util::stream;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};

/// The store and the filers.
pub struct Cluster {
    inner: Mutex<Inner>,
    /// Whether the conditions of transactions are checked.
    pub compare_and_swap: bool,
    /// Whether listings show what is stored, and not only what the streams have delivered.
    pub relist: bool,
}

struct Inner {
    random: StdRng,
    entries: BTreeMap<String, Entry>,
    filers: Vec<Process>,
    cut: BTreeMap<(usize, usize), bool>,
    ts_ns: i64,
    began: Instant,
    written: Vec<Write>,
}

#[derive(Default)]
struct Process {
    up: bool,
    streams: Vec<Stream>,
}

struct Stream {
    filter: FeedFilter,
    sender: mpsc::UnboundedSender<(Instant, FeedItem)>,
    alive: Arc<AtomicBool>,
    last: Instant,
}

/// A write: when, through which filer, and to which path.
pub type Write = (Duration, usize, String);

/// The filers as one gateway reaches them.
pub struct Client {
    cluster: Arc<Cluster>,
    gateway: usize,
    /// What the streams have delivered since the first listing, for a gateway that does not list again.
    told: Arc<Mutex<Option<BTreeMap<String, Entry>>>>,
}

impl Cluster {
    pub fn new(seed: u64, filers: usize, compare_and_swap: bool, relist: bool) -> Arc<Self> {
        let inner = Inner {
            random: StdRng::seed_from_u64(seed),
            entries: BTreeMap::new(),
            filers: (0..filers).map(|_| Process { up: true, streams: Vec::new() }).collect(),
            cut: BTreeMap::new(),
            ts_ns: 0,
            began: Instant::now(),
            written: Vec::new(),
        };
        Arc::new(Self { inner: Mutex::new(inner), compare_and_swap, relist })
    }

    pub fn client(self: &Arc<Self>, gateway: usize) -> Arc<Client> {
        Arc::new(Client { cluster: self.clone(), gateway, told: Arc::default() })
    }

    /// Kills the filer. What its streams have not delivered is lost.
    pub fn kill(&self, filer: usize) {
        let process = &mut self.inner().filers[filer];
        process.up = false;
        for stream in process.streams.drain(..) {
            stream.alive.store(false, Ordering::SeqCst);
        }
    }

    pub fn run(&self, filer: usize) {
        self.inner().filers[filer].up = true;
    }

    /// Cuts a gateway off from a filer, or reconnects it.
    pub fn cut(&self, gateway: usize, filer: usize, cut: bool) {
        self.inner().cut.insert((gateway, filer), cut);
    }

    /// All writes, in order.
    pub fn written(&self) -> Vec<Write> {
        self.inner().written.clone()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    fn is_cut(&self, gateway: usize, filer: usize) -> bool {
        self.inner().cut.get(&(gateway, filer)).copied().unwrap_or_default()
    }
}

impl Inner {
    fn delay(&mut self) -> Duration {
        let slow = self.random.random_ratio(1, 30);
        Duration::from_micros(self.random.random_range(0..if slow { 400_000 } else { 8_000 }))
    }

    fn put(&mut self, filer: usize, directory: &str, entry: Entry) {
        let mut parent = directory;
        while let Some((above, name)) = parent.rsplit_once('/').filter(|_| !self.entries.contains_key(parent)) {
            let made = Entry { name: name.to_owned(), is_directory: true, ..Entry::default() };
            self.entries.insert(parent.to_owned(), made);
            parent = above;
        }
        let old = self.entries.insert(format!("{directory}/{}", entry.name), entry.clone());
        self.tell(filer, directory, old, Some(entry));
    }

    fn remove(&mut self, filer: usize, directory: &str, name: &str) {
        let path = format!("{directory}/{name}");
        self.entries.retain(|known, _| !known.starts_with(&format!("{path}/")));
        if let Some(old) = self.entries.remove(&path) {
            self.tell(filer, directory, Some(old), None);
        }
    }

    fn tell(&mut self, filer: usize, directory: &str, old: Option<Entry>, new: Option<Entry>) {
        self.ts_ns += 1_000;
        let name = new.as_ref().or(old.as_ref()).map(|entry| entry.name.clone()).unwrap_or_default();
        let path = format!("{directory}/{name}");
        self.written.push((self.began.elapsed(), filer, path.clone()));
        let change = Change {
            directory: directory.to_owned(),
            old: old.map(Box::new),
            new: new.map(Box::new),
            new_directory: String::new(),
            ts_ns: self.ts_ns,
        };
        for place in 0..self.filers[filer].streams.len() {
            let delay = self.delay();
            let stream = &mut self.filers[filer].streams[place];
            let wanted = stream.filter.prefixes.iter().any(|prefix| path.starts_with(prefix))
                || stream.filter.directories.iter().any(|wanted| wanted == directory);
            if wanted {
                stream.last = stream.last.max(Instant::now() + delay);
                let _ = stream.sender.send((stream.last, FeedItem::Change(change.clone())));
            }
        }
    }
}

fn holds(condition: &Condition, entry: Option<&Entry>) -> bool {
    match (condition, entry) {
        (Condition::NotExists, entry) => entry.is_none(),
        (Condition::Exists | Condition::EtagMatches(_), None) => false,
        (Condition::EtagMatches(etags), Some(entry)) => etags.contains(&entry.etag()),
        (Condition::EtagDiffers(etags), Some(entry)) => !etags.contains(&entry.etag()),
        (Condition::UnmodifiedSince(since), Some(entry)) => entry.attributes().mtime <= *since,
        (Condition::ModifiedSince(since), Some(entry)) => entry.attributes().mtime > *since,
        (_, None) | (Condition::Exists, Some(_)) => true,
        // Only versions of objects are locked, and there are none here.
        (Condition::AttributeIsNot { .. } | Condition::TimeHasCome { .. }, Some(_)) => true,
    }
}

fn name_of(filer: usize) -> String {
    format!("filer{filer}:8888")
}

fn unavailable() -> FilerError {
    FilerError::Unavailable("it is down or cannot be reached".to_owned())
}

impl Client {
    async fn pause(&self) {
        let delay = self.cluster.inner().delay();
        sleep(delay).await;
    }

    async fn through(&self, filer: usize) -> Result<usize, FilerError> {
        self.pause().await;
        if self.cluster.is_cut(self.gateway, filer) {
            sleep(Duration::from_millis(300)).await;
            return Err(unavailable());
        }
        if self.cluster.inner().filers[filer].up { Ok(filer) } else { Err(unavailable()) }
    }

    async fn any(&self) -> Result<usize, FilerError> {
        let filers = self.cluster.inner().filers.len();
        let first = self.cluster.inner().random.random_range(0..filers);
        for place in 0..filers {
            if let Ok(filer) = self.through((first + place) % filers).await {
                return Ok(filer);
            }
        }
        Err(unavailable())
    }

    fn named(&self, name: &str) -> Result<usize, FilerError> {
        let filers = self.cluster.inner().filers.len();
        (0..filers).find(|filer| name_of(*filer) == name).ok_or_else(unavailable)
    }

    fn entries<T>(&self, read: impl Fn(&BTreeMap<String, Entry>) -> T) -> T {
        let inner = self.cluster.inner();
        if self.cluster.relist {
            return read(&inner.entries);
        }
        read(self.told.lock().unwrap().get_or_insert_with(|| inner.entries.clone()))
    }
}

#[async_trait]
impl Filer for Client {
    async fn configuration(&self) -> Result<FilerConfiguration, FilerError> {
        self.any().await?;
        Ok(FilerConfiguration {
            buckets_root: "/buckets".to_owned(),
            chunk_bytes: 1 << 22,
            cipher: false,
            filer_group: String::new(),
            signature: 7,
            version: "simulated".to_owned(),
            files_beside_directories: false,
            holds_every_name: false,
            checks_required: false,
        })
    }

    async fn lookup(&self, path: &str) -> Result<Option<Entry>, FilerError> {
        self.any().await?;
        Ok(self.cluster.inner().entries.get(path).cloned())
    }

    async fn list(&self, directory: &str, options: ListOptions) -> Result<Vec<Entry>, FilerError> {
        self.any().await?;
        let below = format!("{directory}/");
        let is_after = |name: &str| name > &*options.start_from || (options.inclusive && name == options.start_from);
        Ok(self.entries(|entries| {
            let children = entries.range(below.clone()..).take_while(|(path, _)| path.starts_with(&below));
            let direct = children.filter(|(path, _)| path.len() > below.len() && !path[below.len()..].contains('/'));
            let wanted = direct
                .map(|(_, entry)| entry)
                .filter(|entry| entry.name.starts_with(&options.prefix) && is_after(&entry.name));
            wanted.take(options.limit).cloned().collect()
        }))
    }

    async fn transact(&self, transaction: Transaction) -> Result<(), FilerError> {
        let filer = self.any().await?;
        {
            let mut inner = self.cluster.inner();
            let key = transaction.condition_key.as_ref().unwrap_or(&transaction.lock_key);
            let entry = inner.entries.get(key);
            if self.cluster.compare_and_swap && !transaction.conditions.iter().all(|one| holds(one, entry)) {
                return Err(FilerError::PreconditionFailed);
            }
            for mutation in transaction.mutations {
                match mutation {
                    Mutation::Put { directory, entry } => inner.put(filer, &directory, *entry),
                    Mutation::Delete { directory, name, .. } => inner.remove(filer, &directory, &name),
                    Mutation::Patch { directory, name, set, remove, content } => {
                        let Some(mut entry) = inner.entries.get(&format!("{directory}/{name}")).cloned() else {
                            continue;
                        };
                        entry.extended.extend(set);
                        entry.extended.retain(|known, _| !remove.contains(known));
                        entry.content = content.unwrap_or(entry.content);
                        inner.put(filer, &directory, entry);
                    }
                    // Only objects have versions, and there are none here.
                    Mutation::Note(_) => {}
                }
            }
        }
        self.pause().await;
        Ok(())
    }

    async fn write(&self, _: &WriteTarget, _: BytesIn<'_>) -> Result<Written, FilerError> {
        Err(unavailable())
    }

    async fn read(&self, _: &Entry, _: u64, _: u64) -> Result<BytesOut, FilerError> {
        Err(unavailable())
    }

    async fn resolve_chunks(&self, chunks: &[FileChunk]) -> Result<Vec<FileChunk>, FilerError> {
        Ok(chunks.to_vec())
    }

    async fn delete_chunks(&self, _: Vec<FileChunk>) {}

    async fn delete_collection(&self, _: &str) -> Result<(), FilerError> {
        Ok(())
    }

    async fn members(&self) -> Result<Vec<String>, FilerError> {
        self.pause().await;
        let inner = self.cluster.inner();
        Ok((0..inner.filers.len()).filter(|filer| inner.filers[*filer].up).map(name_of).collect())
    }

    async fn put_through(&self, filer: &str, directory: &str, entry: Entry) -> Result<(), FilerError> {
        let filer = self.through(self.named(filer)?).await?;
        self.cluster.inner().put(filer, directory, entry);
        self.pause().await;
        Ok(())
    }

    async fn list_through(&self, filer: &str, directory: &str, options: ListOptions) -> Result<Vec<Entry>, FilerError> {
        self.through(self.named(filer)?).await?;
        self.list(directory, options).await
    }

    async fn lookup_through(&self, filer: &str, path: &str) -> Result<Option<Entry>, FilerError> {
        self.through(self.named(filer)?).await?;
        Ok(self.cluster.inner().entries.get(path).cloned())
    }

    async fn subscribe(&self, filter: FeedFilter) -> Result<Vec<(String, Feed)>, FilerError> {
        let mut feeds: Vec<(String, Feed)> = Vec::new();
        for name in self.members().await? {
            let Ok(filer) = self.through(self.named(&name)?).await else { continue };
            let (sender, receiver) = mpsc::unbounded_channel();
            let alive = Arc::new(AtomicBool::new(true));
            let (filter, last) = (filter.clone(), Instant::now());
            self.cluster.inner().filers[filer].streams.push(Stream { filter, sender, alive: alive.clone(), last });
            let (cluster, gateway, told) = (self.cluster.clone(), self.gateway, self.told.clone());
            let state = Some((receiver, alive));
            let feed = stream::unfold(state, move |state| {
                let (cluster, told) = (cluster.clone(), told.clone());
                async move {
                    let (mut receiver, alive) = state?;
                    let next = receiver.recv().await;
                    if let Some((at, _)) = &next {
                        sleep_until(*at).await;
                    }
                    while cluster.is_cut(gateway, filer) && alive.load(Ordering::SeqCst) {
                        sleep(Duration::from_millis(10)).await;
                    }
                    let Some((_, item)) = next.filter(|_| alive.load(Ordering::SeqCst)) else {
                        return Some((Err(unavailable()), None));
                    };
                    if let (FeedItem::Change(change), Some(told)) = (&item, &mut *told.lock().unwrap()) {
                        let entry = change.new.as_ref().or(change.old.as_ref());
                        let path = format!("{}/{}", change.directory, entry.map_or("", |entry| &entry.name));
                        match &change.new {
                            Some(new) => told.insert(path, (**new).clone()),
                            None => told.remove(&path),
                        };
                    }
                    Some((Ok(item), Some((receiver, alive))))
                }
            });
            feeds.push((name, Box::pin(feed)));
        }
        if feeds.is_empty() {
            return Err(unavailable());
        }
        Ok(feeds)
    }
}
