//! The files of one gateway's uploads.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use super::claim::{self, Board};
use super::{HEARTBEAT, Intent, LIST_CHUNKS, ROOT, WALK_MARK};
use crate::entry::Attributes;
use crate::seaweedfs::metrics::Call;
use crate::seaweedfs::rpc::Replay;
use crate::seaweedfs::{Shared, found, transact, wire};
use crate::{Entry, Filer, FilerError, ListOptions, Mutation, Transaction};

/// How many entries one request asks for.
pub(super) const PAGE: usize = 1000;

/// The directory of one gateway.
pub(super) struct Files<'a> {
    shared: &'a Shared,
    directory: String,
}

/// The files of one upload, as they were found.
#[derive(Debug, Default, Clone, PartialEq)]
pub(super) struct Found {
    /// The directory of the bucket, from the intent; `None` without an intent.
    pub(super) bucket: Option<String>,
    /// The seconds since 1970 at which the gateway made the intent, by its clock.
    pub(super) made_s: i64,
    pub(super) is_committed: bool,
    pub(super) is_claimed: bool,
    /// The addresses of the chunks.
    pub(super) chunks: Vec<String>,
    /// The names of the lists.
    pub(super) lists: Vec<String>,
}

/// What the directory of a gateway contains.
#[derive(Debug, Default)]
pub(super) struct Gateway {
    /// The content of its heartbeat, and the seconds since 1970 at which it was written, by its clock.
    pub(super) heartbeat: (Vec<u8>, i64),
    /// Its uploads, by their ids.
    pub(super) uploads: BTreeMap<String, Found>,
}

pub(super) fn list_name(id: &str, number: usize) -> String {
    claim::name(id, &format!("chunks-{number}"))
}

impl<'a> Files<'a> {
    pub(super) fn own(shared: &'a Shared) -> Self {
        Self::of(shared, &shared.journal.gateway)
    }

    pub(super) fn of(shared: &'a Shared, gateway: &str) -> Self {
        Files { shared, directory: format!("{ROOT}/{gateway}") }
    }

    /// Records chunks of which the first `recorded` are recorded: writes the lists that change, and the intent before the first of
    /// them.
    ///
    /// # Errors
    ///
    /// Those of the filer. The lists, and the intent, may have been written.
    pub(super) async fn record(&self, intent: &Intent, chunks: &[String], recorded: usize) -> Result<(), FilerError> {
        let first = recorded / LIST_CHUNKS;
        let lists = chunks.chunks(LIST_CHUNKS).enumerate().skip(first);
        let lists =
            lists.map(|(number, list)| self.put_of(list_name(&intent.id, number), list.join("\n").into_bytes()));
        let name = claim::name(&intent.id, claim::INTENT);
        let begins = (recorded == 0).then(|| self.put_of(name, intent.bucket.clone().into_bytes()));
        self.transact(&intent.id, begins.into_iter().chain(lists).collect()).await
    }

    pub(super) async fn put_file(&self, name: String, content: Vec<u8>) -> Result<(), FilerError> {
        let steps = vec![self.put_of(name.clone(), content)];
        self.transact(id_of(&name), steps).await
    }

    /// Removes the directory if there are no uploads in it.
    pub(super) async fn remove_directory(&self) -> Result<(), FilerError> {
        let name = self.directory.rsplit('/').next().unwrap_or_default().to_owned();
        let directory = Mutation::Delete { directory: ROOT.to_owned(), name, delete_data: false, recursive: false };
        let files = [HEARTBEAT, WALK_MARK].map(|name| self.removal_of(name.to_owned()));
        self.transact("", files.into_iter().chain([directory]).collect()).await
    }

    fn put_of(&self, name: String, content: Vec<u8>) -> Mutation {
        let seconds = now_s();
        let attributes = Attributes {
            file_size: content.len() as u64,
            mtime: seconds,
            crtime: seconds,
            file_mode: 0o600,
            ..Attributes::default()
        };
        let entry = Entry { name, content, attributes: Some(attributes), ..Entry::default() };
        Mutation::Put { directory: self.directory.clone(), entry: Box::new(entry) }
    }

    fn removal_of(&self, name: String) -> Mutation {
        Mutation::Delete { directory: self.directory.clone(), name, delete_data: false, recursive: false }
    }

    /// Sent to any filer, not forwarded to the owner of the path, which may be frozen. No lock is needed: files are only created,
    /// overwritten or removed, and the order of the steps decides (see [`claim`]). Carried out at most once: a repeated intent could
    /// appear after the first was removed.
    async fn transact(&self, id: &str, mutations: Vec<Mutation>) -> Result<(), FilerError> {
        let lock_key = format!("{}/{id}", self.directory);
        transact::run_anywhere(self.shared, Transaction { lock_key, mutations, ..Transaction::default() }).await
    }
}

impl Board for Files<'_> {
    async fn put(&self, name: String) -> Result<(), FilerError> {
        self.put_file(name, Vec::new()).await
    }

    async fn has(&self, name: String) -> Result<bool, FilerError> {
        let path = format!("{}/{name}", self.directory);
        let request = wire::LookupDirectoryEntryRequest { directory: self.directory.clone(), name };
        let answer = self.shared.filers.unary(Call::LookupDirectoryEntry, &request, Replay::Safe).await;
        Ok(found(&path, answer)?.is_some())
    }

    async fn remove(&self, names: Vec<String>) -> Result<(), FilerError> {
        let id = names.first().map(|name| id_of(name).to_owned()).unwrap_or_default();
        self.transact(&id, names.into_iter().map(|name| self.removal_of(name)).collect()).await
    }
}

impl Gateway {
    fn take(&mut self, entry: Entry) {
        let written_s = entry.attributes().mtime;
        if entry.name == HEARTBEAT {
            self.heartbeat = (entry.content, written_s);
            return;
        }
        let Some((id, end)) = entry.name.split_once('.') else { return };
        let upload = self.uploads.entry(id.to_owned()).or_default();
        match end {
            claim::INTENT => {
                upload.bucket = Some(String::from_utf8_lossy(&entry.content).into_owned());
                upload.made_s = written_s;
            }
            claim::COMMIT => upload.is_committed = true,
            claim::CLAIM => upload.is_claimed = true,
            _ => {
                let text = String::from_utf8_lossy(&entry.content).into_owned();
                upload.chunks.extend(text.lines().map(str::to_owned));
                upload.lists.push(entry.name);
            }
        }
    }
}

/// The names of the directories of all gateways.
pub(super) async fn gateways(filer: &dyn Filer) -> Result<Vec<String>, FilerError> {
    let mut names = Vec::new();
    let take = |entry: Entry| names.extend(entry.is_directory.then_some(entry.name));
    for_each(filer, ROOT, take).await?;
    Ok(names)
}

/// Everything in the directory of a gateway.
pub(super) async fn read(filer: &dyn Filer, gateway: &str) -> Result<Gateway, FilerError> {
    let mut found = Gateway::default();
    for_each(filer, &format!("{ROOT}/{gateway}"), |entry| found.take(entry)).await?;
    Ok(found)
}

/// Takes every entry of a directory, page by page.
async fn for_each(filer: &dyn Filer, directory: &str, mut take: impl FnMut(Entry) + Send) -> Result<(), FilerError> {
    let mut start_from = String::new();
    loop {
        let options = ListOptions { start_from, limit: PAGE, ..ListOptions::default() };
        let page = filer.list(directory, options).await?;
        start_from = page.last().map(|entry| entry.name.clone()).unwrap_or_default();
        let is_last = page.len() < PAGE;
        page.into_iter().for_each(&mut take);
        if is_last {
            return Ok(());
        }
    }
}

fn id_of(name: &str) -> &str {
    name.split('.').next().unwrap_or_default()
}

pub(super) fn now_s() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
