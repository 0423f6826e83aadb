//! The bucket `b` on the embedded filer, or on one in memory where one entry stands for `a` and for the directory of
//! `a/b`, as on SeaweedFS.

#![allow(dead_code, reason = "each test program uses its own part")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bucket::attributes::{LIFE, PREFIX_OBJECT};
use bucket::description::Description;
use bucket::directory::BucketDirectory;
use bucket::multipart::Initiator;
use bucket::new_entry::Stamp;
use bucket::objects::Objects;
use bucket::rules::Refusal;
use bucket::writer::{ObjectLock, Writer};
use filer::{
    BytesIn, BytesOut, Condition, EmbeddedFiler, Entry, Feed, FeedFilter, FileChunk, Filer, FilerConfiguration,
    FilerError, ListOptions, Mutation, Note, Transaction, WriteTarget, Written,
};
use ids::{DefaultRetention, ObjectKey, Versioning};

/// The id of the bucket `b`.
pub const ID: &str = "1";

pub struct World {
    pub name: &'static str,
    pub filer: Arc<dyn Filer>,
    pub memory: Option<Arc<MemoryFiler>>,
    configuration: FilerConfiguration,
    _directory: Option<tempfile::TempDir>,
}

impl World {
    /// One of each kind, without buckets.
    pub async fn both() -> [Self; 2] {
        let directory = tempfile::tempdir().unwrap();
        let embedded: Arc<dyn Filer> = Arc::new(EmbeddedFiler::open(directory.path()).unwrap());
        let memory = Arc::new(MemoryFiler::default());
        let (of_embedded, of_memory) = (embedded.configuration().await.unwrap(), memory.configuration().await.unwrap());
        [
            Self {
                name: "embedded",
                filer: embedded,
                memory: None,
                configuration: of_embedded,
                _directory: Some(directory),
            },
            Self {
                name: "memory",
                filer: memory.clone(),
                memory: Some(memory),
                configuration: of_memory,
                _directory: None,
            },
        ]
    }

    /// The one in memory with the bucket `b`. Whenever it is called, others get their turn once.
    pub async fn memory_with_bucket() -> Self {
        let memory = Arc::new(MemoryFiler::default());
        let configuration = memory.configuration().await.unwrap();
        let world =
            Self { name: "memory", filer: memory.clone(), memory: Some(memory), configuration, _directory: None };
        world.set_life(Some(ID)).await;
        world
    }

    /// The same with the bucket `b`.
    pub async fn both_with_bucket() -> [Self; 2] {
        let worlds = Self::both().await;
        for world in &worlds {
            world.set_life(Some(ID)).await;
        }
        worlds
    }

    /// Whether a key may be called as the directory of another key's versions.
    pub fn holds_every_name(&self) -> bool {
        self.configuration.holds_every_name
    }

    /// Makes the bucket again with this life; `None` removes it.
    pub async fn set_life(&self, life: Option<&str>) {
        let (directory, name) = ("/buckets".to_owned(), "b".to_owned());
        let step = match life {
            Some(life) => {
                let extended = [(LIFE.to_owned(), life.as_bytes().to_vec())].into();
                let entry = Entry { name, is_directory: true, extended, ..Entry::default() };
                Mutation::Put { directory, entry: Box::new(entry) }
            }
            None => Mutation::Delete { directory, name, delete_data: false, recursive: true },
        };
        self.run(vec![step]).await;
    }

    pub async fn run(&self, mutations: Vec<Mutation>) {
        let lock_key = "/buckets/b".to_owned();
        self.filer.transact(Transaction { lock_key, mutations, ..Transaction::default() }).await.unwrap();
    }

    /// Puts an entry below the bucket as another program does.
    pub async fn plant(&self, path: &str, entry: Entry) {
        let path = format!("/buckets/b/{path}");
        let (directory, name) = path.rsplit_once('/').unwrap();
        let entry = Box::new(Entry { name: name.to_owned(), ..entry });
        self.run(vec![Mutation::Put { directory: directory.to_owned(), entry }]).await;
    }

    pub fn directory(&self) -> BucketDirectory<'_> {
        BucketDirectory::new(&*self.filer, &self.configuration, "b")
    }

    pub fn objects(&self, versioning: Versioning) -> Objects<'_> {
        Objects { directory: self.directory(), versioning }
    }

    pub fn try_writer(&self, versioning: Versioning, has_object_lock: bool) -> Result<Writer<'_>, Refusal> {
        let lock = has_object_lock.then(ObjectLock::default);
        Writer::new(self.objects(versioning), lock, ID.into(), stamp(), Box::new(|| true))
    }

    /// Writes versions that may be locked, at this time in seconds since 1970.
    pub fn writer_of_locks(&self, seconds: i64, default: Option<DefaultRetention>) -> Writer<'_> {
        let stamp = Stamp { seconds, ..stamp() };
        let lock = Some(ObjectLock { default });
        Writer::new(self.objects(Versioning::Enabled), lock, ID.into(), stamp, Box::new(|| true)).unwrap()
    }

    /// Writes versions, at this time in ns since 1970.
    pub fn writer_of_versions(&self, versioning: Versioning, now_ns: i64) -> Writer<'_> {
        let (seconds, rest) = (now_ns.div_euclid(1_000_000_000), now_ns.rem_euclid(1_000_000_000));
        let stamp = Stamp { seconds, nanoseconds: i32::try_from(rest).unwrap(), ..stamp() };
        Writer::new(self.objects(versioning), None, ID.into(), stamp, Box::new(|| true)).unwrap()
    }

    /// Knows that the bucket stands.
    pub fn writer(&self) -> Writer<'_> {
        self.try_writer(Versioning::Off, false).unwrap()
    }

    /// Has to ask the filer whether the bucket stands.
    pub fn doubting_writer(&self) -> Writer<'_> {
        Writer::new(self.objects(Versioning::Off), None, ID.into(), stamp(), Box::new(|| false)).unwrap()
    }

    /// What is below a directory; directories end in a slash.
    pub async fn below(&self, path: &str) -> Vec<String> {
        let (mut paths, mut directories) = (Vec::new(), vec![path.to_owned()]);
        while let Some(directory) = directories.pop() {
            let options = ListOptions { limit: 1000, ..ListOptions::default() };
            for entry in self.filer.list(&directory, options).await.unwrap() {
                let found = format!("{directory}/{}", entry.name);
                paths.push(format!("{}{}", &found[path.len() + 1..], if entry.is_directory { "/" } else { "" }));
                directories.extend(entry.is_directory.then_some(found));
            }
        }
        paths.sort();
        paths
    }
}

pub fn stamp() -> Stamp {
    Stamp { seconds: 1000, nanoseconds: 5, object_mode: 0o660, uid: 7, gid: 8, owner: "alice".to_owned(), acl: None }
}

pub fn initiator() -> Initiator {
    Initiator { id: "AIDAX".to_owned(), arn: "arn:aws:iam::000000000000:user/al".to_owned() }
}

/// Now, in seconds since 1970: the filers tell the time themselves.
pub fn now_s() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_secs()).unwrap()
}

pub fn key(text: &str) -> ObjectKey {
    text.parse().unwrap()
}

/// Data of no bytes whose MD5 is this byte, sixteen times.
pub fn written(md5: u8) -> Written {
    Written { md5: [md5; 16], ..Written::default() }
}

/// The entry that a put of the key makes.
pub fn entry_of(key: &ObjectKey, md5: u8) -> Entry {
    stamped(&stamp(), key, md5)
}

/// The same at the time of a writer.
pub fn entry_by(writer: &Writer<'_>, key: &ObjectKey, md5: u8) -> Entry {
    stamped(&writer.stamp, key, md5)
}

fn stamped(stamp: &Stamp, key: &ObjectKey, md5: u8) -> Entry {
    if key.is_directory_marker() {
        return stamp.marker(key, Description::default(), b"");
    }
    stamp.object(key, Description::default(), &written(md5), None)
}

pub fn etag(md5: u8) -> String {
    format!("{md5:02x}").repeat(16)
}

/// What an outcome is called in tables.
pub fn outcome<T>(result: &Result<T, FilerError>) -> &'static str {
    match result {
        Ok(_) => "ok",
        Err(FilerError::PreconditionFailed) => "precondition",
        Err(FilerError::ExistingIsFile(_)) => "is a file",
        Err(FilerError::ExistingIsDirectory(_)) => "is a directory",
        Err(FilerError::Missing(_)) => "no bucket",
        Err(FilerError::Damaged(..)) => "damaged",
        Err(_) => "another error",
    }
}

#[derive(Default)]
pub struct MemoryFiler {
    entries: Mutex<BTreeMap<String, Entry>>,
    /// The chunks that were freed without an entry.
    pub freed: Mutex<Vec<String>>,
    /// The collections that were deleted.
    pub collections: Mutex<Vec<String>>,
}

fn etag_of(entry: &Entry) -> String {
    let is_plain = entry.is_directory && !bucket::object::has_own_etag(entry);
    if is_plain { "d41d8cd98f00b204e9800998ecf8427e-0".to_owned() } else { entry.etag() }
}

fn has(entry: &Entry, name: &str, value: &str) -> bool {
    entry.extended_text(name) == Some(value)
}

fn holds(condition: &Condition, entry: Option<&Entry>) -> bool {
    match (condition, entry) {
        (Condition::AttributeIsNot { .. } | Condition::TimeHasCome { .. }, None) => true,
        (Condition::AttributeIsNot { name, value }, Some(entry)) => !has(entry, name, value),
        (Condition::TimeHasCome { name, only_if }, Some(entry)) => {
            let counts = only_if.as_ref().is_none_or(|(name, value)| has(entry, name, value));
            let time = entry.extended_text(name).filter(|_| counts);
            time.is_none_or(|time| time.parse::<i64>().is_ok_and(|time| time <= now_s()))
        }
        (Condition::NotExists, entry) => entry.is_none(),
        (Condition::EtagMatches(etags), Some(entry)) => etags.contains(&etag_of(entry)),
        (_, entry) => entry.is_some(),
    }
}

type Entries = BTreeMap<String, Entry>;

fn put(entries: &mut Entries, directory: &str, entry: Entry) -> Result<(), FilerError> {
    let path = format!("{directory}/{}", entry.name);
    match entries.get(&path) {
        Some(known) if known.is_directory && !entry.is_directory => return Err(FilerError::ExistingIsDirectory(path)),
        Some(known) if !known.is_directory && entry.is_directory => return Err(FilerError::ExistingIsFile(path)),
        _ => {}
    }
    let mut above = directory;
    while let Some((parent, name)) = above.rsplit_once('/').filter(|(_, name)| !name.is_empty()) {
        let made = Entry { name: name.to_owned(), is_directory: true, ..Entry::default() };
        let parent_entry = entries.entry(above.to_owned()).or_insert(made);
        if !parent_entry.is_directory {
            parent_entry.is_directory = true;
            parent_entry.extended.insert(PREFIX_OBJECT.to_owned(), b"true".to_vec());
        }
        above = parent;
    }
    entries.insert(path, entry);
    Ok(())
}

fn apply(entries: &mut Entries, mutation: Mutation) -> Result<(), FilerError> {
    match mutation {
        Mutation::Put { directory, entry } => put(entries, &directory, *entry)?,
        Mutation::Delete { directory, name, recursive, .. } => {
            let path = format!("{directory}/{name}");
            let below = format!("{path}/");
            if !recursive && entries.keys().any(|path| path.starts_with(&below)) {
                return Err(FilerError::NotEmpty(path));
            }
            entries.retain(|known, _| *known != path && !known.starts_with(&below));
        }
        Mutation::Patch { directory, name, set, remove, content } => {
            if let Some(entry) = entries.get_mut(&format!("{directory}/{name}")) {
                entry.extended.extend(set);
                entry.extended.retain(|known, _| !remove.contains(known));
                entry.content = content.unwrap_or_else(|| std::mem::take(&mut entry.content));
            }
        }
        Mutation::Note(note) => take_note(entries, &note),
    }
    Ok(())
}

fn take_note(entries: &mut Entries, note: &Note) {
    let path = format!("{}/{}", note.directory, note.name);
    let below = format!("{path}/");
    let is_candidate = |path: &str| {
        path.strip_prefix(&below).is_some_and(|name| !name.contains('/') && note.except.as_deref() != Some(name))
    };
    let mut files = entries.iter().filter(|(path, entry)| is_candidate(path) && !entry.is_directory);
    let chosen = if note.last { files.next_back() } else { files.next() }.map(|(_, entry)| entry.clone());
    let Some(directory) = entries.get_mut(&path) else { return };
    let before = note.write(chosen.as_ref(), directory);
    let name = chosen.map(|chosen| chosen.name).unwrap_or_default();
    if let (Some((attribute, value)), Some(before)) = (&note.displaced, before.filter(|before| *before != name))
        && let Some(displaced) = entries.get_mut(&format!("{below}{before}"))
    {
        displaced.extended.insert(attribute.clone(), value.clone());
    }
}

fn unused<T>() -> Result<T, FilerError> {
    Err(FilerError::Other("not in these tests".to_owned()))
}

#[async_trait]
impl Filer for MemoryFiler {
    async fn configuration(&self) -> Result<FilerConfiguration, FilerError> {
        Ok(FilerConfiguration {
            buckets_root: "/buckets".to_owned(),
            chunk_bytes: 1 << 22,
            cipher: false,
            filer_group: "group".to_owned(),
            signature: 7,
            version: "in memory".to_owned(),
            files_beside_directories: false,
            holds_every_name: false,
            checks_required: false,
        })
    }
    async fn lookup(&self, path: &str) -> Result<Option<Entry>, FilerError> {
        // Others get their turn between reading and writing.
        tokio::task::yield_now().await;
        Ok(self.entries.lock().unwrap().get(path.trim_end_matches('/')).cloned())
    }
    async fn lookup_for(&self, path: &str, attributes: &[&str]) -> Result<Option<Entry>, FilerError> {
        let mut found = self.lookup(path).await?;
        if let Some(entry) = &mut found {
            entry.extended.retain(|name, _| attributes.contains(&&**name));
            (entry.chunks, entry.content) = Default::default();
        }
        Ok(found)
    }
    async fn lookup_with_first_file(
        &self,
        directory: &str,
        attributes: &[&str],
    ) -> Result<(Option<Entry>, Option<Entry>), FilerError> {
        let first = self.list(directory, ListOptions { limit: 1, ..ListOptions::default() }).await?.pop();
        let found = self.lookup_for(directory, attributes).await?;
        Ok((found.filter(|entry| entry.is_directory), first.filter(|entry| !entry.is_directory)))
    }
    async fn list(&self, directory: &str, options: ListOptions) -> Result<Vec<Entry>, FilerError> {
        let below = format!("{directory}/");
        let entries = self.entries.lock().unwrap();
        let direct = |path: &str| path.strip_prefix(&below).is_some_and(|name| !name.contains('/'));
        let is_after = |name: &str| name > &*options.start_from || (options.inclusive && name == options.start_from);
        let found = entries
            .iter()
            .filter(|(path, entry)| direct(path) && entry.name.starts_with(&options.prefix) && is_after(&entry.name));
        Ok(found.map(|(_, entry)| entry.clone()).take(options.limit).collect())
    }
    async fn transact(&self, transaction: Transaction) -> Result<(), FilerError> {
        tokio::task::yield_now().await;
        let mut entries = self.entries.lock().unwrap();
        let about = entries.get(transaction.condition_key.as_ref().unwrap_or(&transaction.lock_key));
        if !transaction.conditions.iter().all(|condition| holds(condition, about)) {
            return Err(FilerError::PreconditionFailed);
        }
        transaction.mutations.into_iter().try_for_each(|mutation| apply(&mut entries, mutation))
    }
    async fn write(&self, _: &WriteTarget, _: BytesIn<'_>) -> Result<Written, FilerError> {
        unused()
    }
    async fn read(&self, _: &Entry, _: u64, _: u64) -> Result<BytesOut, FilerError> {
        unused()
    }
    async fn resolve_chunks(&self, chunks: &[FileChunk]) -> Result<Vec<FileChunk>, FilerError> {
        Ok(chunks.iter().map(|chunk| FileChunk { is_chunk_manifest: false, ..chunk.clone() }).collect())
    }
    async fn delete_chunks(&self, chunks: Vec<FileChunk>) {
        self.freed.lock().unwrap().extend(chunks.into_iter().map(|chunk| chunk.file_id));
    }
    async fn delete_collection(&self, collection: &str) -> Result<(), FilerError> {
        self.collections.lock().unwrap().push(collection.to_owned());
        Ok(())
    }
    async fn members(&self) -> Result<Vec<String>, FilerError> {
        unused()
    }
    async fn put_through(&self, _: &str, _: &str, _: Entry) -> Result<(), FilerError> {
        unused()
    }
    async fn lookup_through(&self, _: &str, _: &str) -> Result<Option<Entry>, FilerError> {
        unused()
    }
    async fn subscribe(&self, _: FeedFilter) -> Result<Vec<(String, Feed)>, FilerError> {
        unused()
    }
}
