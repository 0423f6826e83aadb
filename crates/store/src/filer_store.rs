//! Reading IAM state and bucket facts from the filer: all of it, or what one event of the feed says.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use filer::{Entry, FeedFilter, Filer, FilerError, ListOptions};
use futures_util::{StreamExt, TryStreamExt};
use iam::{Change, Snapshot};

use crate::document::{LARGEST, absent, bucket, fingerprint, to_change};
use crate::error::StoreError;
use crate::layout::{Document, Layout};
use crate::secrets::SecretKeys;

const PAGE: usize = 1000;
/// Where old versions kept everything.
const LEGACY: &str = "/etc/iam/identity.json";
/// Directories of inline policies, and documents whose content is in chunks, are read so many at a time.
const AT_ONCE: usize = 32;

/// IAM state on a filer.
#[derive(Clone)]
pub struct FilerStore {
    pub(crate) filer: Arc<dyn Filer>,
    pub(crate) layout: Arc<Layout>,
    pub(crate) secrets: Option<Arc<SecretKeys>>,
}

/// Which documents are known, and as what: whoever lists again reads only what differs.
#[derive(Debug, Default)]
pub struct Index {
    marks: HashMap<Document, u64>,
    digest: u64,
}

impl Index {
    /// The same number on every gateway that knows the same documents, in whatever order it learnt of them.
    pub fn digest(&self) -> u64 {
        self.digest
    }

    fn knows(&self, document: &Document, mark: u64) -> bool {
        self.marks.get(document) == Some(&mark)
    }

    fn insert(&mut self, document: Document, mark: u64) {
        self.remove(&document);
        self.digest ^= mixed(&document, mark);
        self.marks.insert(document, mark);
    }

    fn remove(&mut self, document: &Document) -> bool {
        let known = self.marks.remove(document);
        self.digest ^= known.map_or(0, |mark| mixed(document, mark));
        known.is_some()
    }
}

fn mixed(document: &Document, mark: u64) -> u64 {
    let mut hasher = DefaultHasher::new();
    (document, mark).hash(&mut hasher);
    hasher.finish()
}

/// What an event means.
#[derive(Debug)]
pub enum Noticed {
    /// These facts, in order; none if the event is about nothing of ours.
    Changes(Vec<Change>),
    /// A directory of documents went away or moved: list again.
    Relist,
}

impl FilerStore {
    /// A store on this filer.
    pub fn new(filer: Arc<dyn Filer>, layout: Layout) -> Self {
        Self { filer, layout: Arc::new(layout), secrets: None }
    }

    /// The store with keys: it opens sealed secrets, and seals every secret that it writes.
    #[must_use]
    pub fn with_secrets(self, keys: Option<SecretKeys>) -> Self {
        Self { secrets: keys.map(Arc::new), ..self }
    }

    /// The fact that a stored document states, its secrets opened.
    pub(crate) fn stated(&self, document: &Document, entry: &Entry, content: Result<&[u8], String>) -> Change {
        let change = to_change(document, entry, content);
        match &self.secrets {
            Some(keys) => keys.open(change),
            None => change,
        }
    }

    /// Which changes of the filer matter.
    pub fn filter(&self) -> FeedFilter {
        self.layout.filter()
    }

    /// Where things are.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Lists everything and answers what differs from `index`, which then knows it. With an empty index that is everything.
    pub async fn list(&self, index: &mut Index, known: Option<&Snapshot>) -> Result<Vec<Change>, StoreError> {
        let mut found: Vec<(String, Entry)> = Vec::new();
        for directory in self.layout.directories() {
            self.files(&directory, &mut found).await?;
        }
        for directory in self.layout.inline_directories() {
            let holders = self.children(&directory).await?.into_iter().filter(|entry| entry.is_directory);
            let holders = holders.map(|entry| format!("{directory}/{}", entry.name));
            let listings = futures_util::stream::iter(holders).map(|holder| async move {
                let mut files = Vec::new();
                self.files(&holder, &mut files).await.map(|()| files)
            });
            for files in listings.buffered(AT_ONCE).try_collect::<Vec<_>>().await? {
                found.extend(files);
            }
        }
        if let Some((directory, name)) = self.layout.place(&Document::WeedPolicies) {
            let path = format!("{directory}/{name}");
            found.extend(self.lookup(&path).await?.map(|entry| (directory, entry)));
        }
        if self.lookup(LEGACY).await?.is_some() {
            tracing::warn!(
                "`{LEGACY}` is there, the single file of old SeaweedFS versions, and is not read: start weed s3 4.48 once, \
                 which splits it"
            );
        }
        let root = self.layout.buckets_root().to_owned();
        let buckets = self.children(&root).await?.into_iter().filter(|entry| entry.is_directory);
        found.extend(buckets.map(|entry| (root.clone(), entry)));
        self.differences(found, index, known).await
    }

    async fn differences(
        &self,
        found: Vec<(String, Entry)>,
        index: &mut Index,
        known: Option<&Snapshot>,
    ) -> Result<Vec<Change>, StoreError> {
        let mut seen: HashMap<Document, u64> = HashMap::with_capacity(found.len());
        let mut new: Vec<(Document, String, Entry)> = Vec::new();
        for (directory, entry) in found {
            let Some(document) = self.layout.classify(&directory, &entry.name) else { continue };
            let mark = fingerprint(&entry);
            if !index.knows(&document, mark) {
                new.push((document.clone(), directory, entry));
            }
            seen.insert(document, mark);
        }
        let reads: Vec<_> =
            new.iter().map(|(document, directory, entry)| self.change(document, directory, entry, known)).collect();
        let read: Vec<Change> = futures_util::stream::iter(reads).buffered(AT_ONCE).try_collect().await?;
        let gone = index.marks.keys().filter(|document| !seen.contains_key(*document)).map(absent);
        let changes = gone.chain(read).collect();
        // Only now, when nothing can fail any more: the index never knows what the caller does not get.
        *index = Index::default();
        for (document, mark) in seen {
            index.insert(document, mark);
        }
        Ok(changes)
    }

    /// What an event of the feed says. Events that repeat what `index` knows are nothing new.
    pub async fn notice(
        &self,
        event: &filer::Change,
        index: &mut Index,
        known: Option<&Snapshot>,
    ) -> Result<Noticed, StoreError> {
        let new_directory = if event.new_directory.is_empty() { &event.directory } else { &event.new_directory };
        let moved = event.old.as_ref().filter(|old| {
            event.new.as_ref().is_none_or(|new| new.name != old.name || *new_directory != event.directory)
        });
        let lost = |directory: &str, entry: &Entry| {
            entry.is_directory && self.layout.holds_documents(&format!("{directory}/{}", entry.name))
        };
        if let Some(old) = moved {
            let arrives = event.new.as_ref().is_some_and(|new| lost(new_directory, new));
            if arrives || lost(&event.directory, old) {
                return Ok(Noticed::Relist);
            }
        }
        // First what can fail, then the index, which must not know what the caller does not get.
        let arrived = match &event.new {
            Some(new) => self.arrived(new_directory, new, index, known).await?,
            None => None,
        };
        let mut changes = Vec::new();
        let left = moved.and_then(|old| self.layout.classify(&event.directory, &old.name));
        if let Some(document) = left.filter(|document| index.remove(document)) {
            changes.push(absent(&document));
        }
        if let Some((document, mark, change)) = arrived {
            index.insert(document, mark);
            changes.push(change);
        }
        Ok(Noticed::Changes(changes))
    }

    /// The document that an entry is, with its mark and what it states, unless that is known already.
    async fn arrived(
        &self,
        directory: &str,
        entry: &Entry,
        index: &Index,
        known: Option<&Snapshot>,
    ) -> Result<Option<(Document, u64, Change)>, StoreError> {
        let Some(document) = self.layout.classify(directory, &entry.name) else { return Ok(None) };
        let mark = fingerprint(entry);
        let is_bucket = matches!(document, Document::Bucket(_));
        if entry.is_directory != is_bucket || index.knows(&document, mark) {
            return Ok(None);
        }
        let change = self.change(&document, directory, entry, known).await?;
        Ok(Some((document, mark, change)))
    }

    /// The fact that an entry states.
    async fn change(
        &self,
        document: &Document,
        directory: &str,
        entry: &Entry,
        known: Option<&Snapshot>,
    ) -> Result<Change, StoreError> {
        if let Document::Bucket(name) = document {
            let previous = known.and_then(|snapshot| snapshot.bucket(name)).map(|bucket| &**bucket);
            return Ok(Change::Bucket(name.clone(), Some(Arc::new(bucket(entry, previous)))));
        }
        let path = format!("{directory}/{}", entry.name);
        if !entry.content.is_empty() || entry.attributes().file_size == 0 {
            return Ok(self.stated(document, entry, Ok(&entry.content)));
        }
        // The content is in chunks, which an event need not list: the entry itself does.
        let Some(entry) = self.lookup(&path).await? else { return Ok(absent(document)) };
        let content = self.content(&path, &entry).await?;
        Ok(self.stated(document, &entry, content.as_deref().map_err(Clone::clone)))
    }

    /// The bytes of a document: inline as weed writes them, or in chunks where somebody uploaded a file. Content that is damaged or
    /// too large makes the document unreadable; a filer that does not answer is an error.
    pub(crate) async fn content(&self, path: &str, entry: &Entry) -> Result<Result<Vec<u8>, String>, StoreError> {
        let bytes = entry.content_bytes();
        if bytes > LARGEST {
            return Ok(Err(format!("it has {bytes} bytes, more than any document of IAM")));
        }
        if entry.chunks.is_empty() {
            return Ok(Ok(entry.content.clone()));
        }
        let filed = |error| StoreError::Filer { path: path.to_owned(), error };
        let read = async {
            let mut stream = self.filer.read(entry, 0, bytes).await?;
            let mut content = Vec::new();
            while let Some(part) = stream.try_next().await? {
                content.extend_from_slice(&part);
            }
            Ok(content)
        };
        match read.await {
            Ok(content) => Ok(Ok(content)),
            Err(error @ FilerError::Unavailable(_)) => Err(filed(error)),
            Err(error) => Ok(Err(error.to_string())),
        }
    }

    pub(crate) async fn lookup(&self, path: &str) -> Result<Option<Entry>, StoreError> {
        let entry = self.filer.lookup(path).await;
        let entry = entry.map_err(|error| StoreError::Filer { path: path.to_owned(), error })?;
        Ok(entry.filter(|entry| !entry.is_directory))
    }

    async fn files(&self, directory: &str, found: &mut Vec<(String, Entry)>) -> Result<(), StoreError> {
        let files = self.children(directory).await?.into_iter().filter(|entry| !entry.is_directory);
        found.extend(files.map(|entry| (directory.to_owned(), entry)));
        Ok(())
    }

    async fn children(&self, directory: &str) -> Result<Vec<Entry>, StoreError> {
        let mut found: Vec<Entry> = Vec::new();
        loop {
            let start_from = found.last().map(|entry| entry.name.clone()).unwrap_or_default();
            let options = ListOptions { start_from, limit: PAGE, ..ListOptions::default() };
            let page = self.filer.list(directory, options).await;
            let page = page.map_err(|error| StoreError::Filer { path: directory.to_owned(), error })?;
            let last = page.len() < PAGE;
            found.extend(page);
            if last {
                return Ok(found);
            }
        }
    }
}
