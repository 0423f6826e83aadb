//! Reads IAM state and bucket facts from the filer: either everything, or what one event of the feed says.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use filer::{Entry, FeedFilter, Filer, FilerError, ListOptions};
use futures_util::{StreamExt, TryStreamExt};
use iam::{Change, Snapshot};

use crate::document::{LARGEST, absent, bucket_of, fingerprint, to_change};
use crate::error::StoreError;
use crate::layout::{Document, Layout};
use crate::secrets::SecretKeys;

const PAGE: usize = 1000;
/// The file in which old SeaweedFS versions kept everything.
const LEGACY: &str = "/etc/iam/identity.json";
/// How many directories of inline policies, and documents with content in chunks, are read at the same time.
const AT_ONCE: usize = 32;

/// IAM state on a filer.
#[derive(Clone)]
pub struct FilerStore {
    pub(crate) filer: Arc<dyn Filer>,
    pub(crate) layout: Arc<Layout>,
    pub(crate) secrets: Option<Arc<SecretKeys>>,
}

/// The known documents and their versions. With it, listing again reads only what differs.
#[derive(Debug, Default)]
pub struct Index {
    marks: HashMap<Document, u64>,
    digest: u64,
}

impl Index {
    /// The same number on every gateway that knows the same documents, regardless of the order in which it learned of
    /// them.
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

/// What an event of the feed means for IAM state.
#[derive(Debug)]
pub enum EventEffect {
    /// These facts, in order; none if the event does not concern our documents.
    Changes(Vec<Change>),
    /// A directory of documents went away or moved: list again.
    Relist,
}

impl FilerStore {
    /// A store on this filer.
    pub fn new(filer: Arc<dyn Filer>, layout: Layout) -> Self {
        Self { filer, layout: Arc::new(layout), secrets: None }
    }

    /// Gives the store keys: it then opens sealed secrets, and seals every secret that it writes.
    #[must_use]
    pub fn with_secrets(self, keys: Option<SecretKeys>) -> Self {
        Self { secrets: keys.map(Arc::new), ..self }
    }

    /// The fact that a stored document states, with its secrets opened.
    pub(crate) fn stated(&self, document: &Document, entry: &Entry, content: Result<&[u8], String>) -> Change {
        let change = to_change(document, entry, content);
        match &self.secrets {
            Some(keys) => keys.open(change),
            None => change,
        }
    }

    /// The fact that an entry states; `None` if its content is in chunks, which events and listings may leave out.
    fn here(&self, document: &Document, entry: &Entry, known: Option<&Snapshot>) -> Option<Change> {
        if let Document::Bucket(name) = document {
            let previous = known.and_then(|snapshot| snapshot.bucket(name)).map(|bucket| &**bucket);
            return Some(Change::Bucket(name.clone(), Some(Arc::new(bucket_of(entry, previous)))));
        }
        let is_here = !entry.content.is_empty() || entry.attributes().file_size == 0;
        is_here.then(|| self.stated(document, entry, Ok(&entry.content)))
    }

    /// The changes of the filer that concern this store.
    pub fn filter(&self) -> FeedFilter {
        self.layout.filter()
    }

    /// Where things are.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Lists everything, passes on what differs from `index`, and updates `index`. With an empty index everything
    /// differs. `changes` gets it page by page, so a large state is never in memory twice.
    ///
    /// Fails if the filer does not answer. Then `index` is unchanged, and what `changes` has got is incomplete and must
    /// not be used.
    pub async fn list<E>(&self, index: &mut Index, known: Option<&Snapshot>, changes: &mut E) -> Result<(), StoreError>
    where
        E: Extend<Change> + Send,
    {
        let mut listing = Listing { store: self, index, known, found: Index::default(), changes };
        for directory in self.layout.directories() {
            listing.walk(&directory).await?;
        }
        for directory in self.layout.inline_directories() {
            listing.walk_holders(&directory).await?;
        }
        if let Some((directory, name)) = self.layout.place(&Document::WeedPolicies) {
            let shared = self.lookup(&format!("{directory}/{name}")).await?;
            listing.take(&directory, shared.into_iter().collect()).await?;
        }
        if self.lookup(LEGACY).await?.is_some() {
            tracing::warn!(
                "`{LEGACY}` is there, the single file of old SeaweedFS versions, and is not read: start weed s3 4.48 once, \
                 which splits it"
            );
        }
        listing.walk(self.layout.buckets_root()).await?;
        let Listing { found, changes, .. } = listing;
        changes.extend(index.marks.keys().filter(|document| !found.marks.contains_key(*document)).map(absent));
        // Only now, when nothing can fail any more: the index must not contain what the caller does not get.
        *index = found;
        Ok(())
    }

    /// What an event of the feed says. An event that repeats what `index` contains is not new.
    pub async fn read_event(
        &self,
        event: &filer::Change,
        index: &mut Index,
        known: Option<&Snapshot>,
    ) -> Result<EventEffect, StoreError> {
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
                return Ok(EventEffect::Relist);
            }
        }
        // First what can fail, then the index, because it must not contain what the caller does not get.
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
        Ok(EventEffect::Changes(changes))
    }

    /// The document of an entry, with its mark and the fact that it states, unless that is already known.
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
        if let Some(change) = self.here(document, entry, known) {
            return Ok(change);
        }
        let path = format!("{directory}/{}", entry.name);
        let Some(entry) = self.lookup(&path).await? else { return Ok(absent(document)) };
        let content = self.content(&path, &entry).await?;
        Ok(self.stated(document, &entry, content.as_deref().map_err(Clone::clone)))
    }

    /// The bytes of a document: inline as SeaweedFS writes them, or in chunks if someone uploaded a file. If the
    /// content is damaged or too large, the document is unreadable. If the filer does not answer, it is an error.
    pub(crate) async fn content(&self, path: &str, entry: &Entry) -> Result<Result<Vec<u8>, String>, StoreError> {
        let bytes = entry.content_bytes();
        if bytes > LARGEST {
            return Ok(Err(format!("it has {bytes} bytes, which is too large for an IAM document")));
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

    /// Everything in a directory.
    pub(crate) async fn children(&self, directory: &str) -> Result<Vec<Entry>, StoreError> {
        let mut found = Vec::new();
        let mut pages = self.pages(directory);
        while let Some(page) = pages.next().await? {
            found.extend(page);
        }
        Ok(found)
    }

    fn pages<'a>(&'a self, directory: &'a str) -> Pages<'a> {
        Pages { store: self, directory, after: Some(String::new()) }
    }
}

/// Lists a directory, page by page.
struct Pages<'a> {
    store: &'a FilerStore,
    directory: &'a str,
    /// The last name of the previous page; `None` after the last page.
    after: Option<String>,
}

impl Pages<'_> {
    async fn next(&mut self) -> Result<Option<Vec<Entry>>, StoreError> {
        let Some(start_from) = self.after.take() else { return Ok(None) };
        let options = ListOptions { start_from, limit: PAGE, ..ListOptions::default() };
        let page = self.store.filer.list(self.directory, options).await;
        let page = page.map_err(|error| StoreError::Filer { path: self.directory.to_owned(), error })?;
        self.after = page.last().filter(|_| page.len() >= PAGE).map(|entry| entry.name.clone());
        Ok(Some(page))
    }
}

/// A listing in progress.
struct Listing<'a, E> {
    store: &'a FilerStore,
    index: &'a Index,
    known: Option<&'a Snapshot>,
    found: Index,
    changes: &'a mut E,
}

impl<E: Extend<Change> + Send> Listing<'_, E> {
    async fn walk(&mut self, directory: &str) -> Result<(), StoreError> {
        let mut pages = self.store.pages(directory);
        let mut page = pages.next().await?;
        while let Some(current) = page {
            // The filer prepares the next page while this one is being read.
            let (next, taken) = futures_util::future::join(pages.next(), self.take(directory, current)).await;
            taken?;
            page = next?;
        }
        Ok(())
    }

    /// Lists a directory whose subdirectories hold the documents.
    async fn walk_holders(&mut self, directory: &str) -> Result<(), StoreError> {
        let store = self.store;
        let mut pages = store.pages(directory);
        while let Some(page) = pages.next().await? {
            let holders = page.into_iter().filter(|entry| entry.is_directory);
            let holders = holders.map(|entry| format!("{directory}/{}", entry.name));
            let listings = futures_util::stream::iter(holders).map(|holder| async move {
                let mut files = Vec::new();
                let mut pages = store.pages(&holder);
                while let Some(page) = pages.next().await? {
                    files.extend(page);
                }
                Ok((holder, files))
            });
            let mut listings = listings.buffered(AT_ONCE);
            while let Some((holder, files)) = listings.try_next().await? {
                self.take(&holder, files).await?;
            }
        }
        Ok(())
    }

    async fn take(&mut self, directory: &str, entries: Vec<Entry>) -> Result<(), StoreError> {
        let mut elsewhere: Vec<(Document, Entry)> = Vec::new();
        for entry in entries {
            let Some(document) = self.store.layout.classify(directory, &entry.name) else { continue };
            let is_bucket = matches!(document, Document::Bucket(_));
            if entry.is_directory != is_bucket {
                continue;
            }
            let mark = fingerprint(&entry);
            self.found.insert(document.clone(), mark);
            if self.index.knows(&document, mark) {
                continue;
            }
            match self.store.here(&document, &entry, self.known) {
                Some(change) => self.changes.extend([change]),
                None => elsewhere.push((document, entry)),
            }
        }
        let (store, known) = (self.store, self.known);
        let reads: Vec<_> =
            elsewhere.iter().map(|(document, entry)| store.change(document, directory, entry, known)).collect();
        self.changes.extend(futures_util::stream::iter(reads).buffered(AT_ONCE).try_collect::<Vec<_>>().await?);
        Ok(())
    }
}
