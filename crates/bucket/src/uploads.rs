//! Unfinished multipart uploads: found, listed and added to.

use std::collections::BTreeMap;

use filer::{Condition, Entry, FilerError, ListOptions, Mutation, Transaction};
use ids::{ChecksumAlgorithm, ChecksumType, ObjectKey};

use crate::multipart::{age, part_number_of};
use crate::objects::Objects;
use crate::rules::{self, BucketError};
use crate::writer::Writer;
use crate::{attributes, names, object};

/// The most entries requested at once.
const PAGE: usize = 1000;

/// The highest part number but one, and how the names of the files of the last one begin.
const FOUR_DIGITS: u32 = 9999;
const LAST_PART: &str = "10000_";

/// An upload that is neither completed nor aborted.
#[derive(Debug, Clone, PartialEq)]
pub struct MultipartUpload {
    /// The path of its directory.
    path: String,
    /// Its directory, which holds what the object will get.
    pub entry: Entry,
}

/// Files of an upload: of each part number, the newest one.
pub(crate) type Parts = BTreeMap<u32, Entry>;

impl MultipartUpload {
    /// An entry in the directory of uploads; `None` if it is not an upload.
    pub fn new(uploads_path: &str, entry: Entry) -> Option<Self> {
        let is_upload = entry.is_directory && entry.extended_text(attributes::UPLOAD_KEY).is_some();
        is_upload.then(|| Self { path: format!("{uploads_path}/{}", entry.name), entry })
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Its id.
    pub fn id(&self) -> &str {
        object::split_path(&self.path).1
    }

    /// The key that the object will have.
    pub fn key(&self) -> &str {
        self.entry.extended_text(attributes::UPLOAD_KEY).unwrap_or_default()
    }

    /// Whether the caller with this id may add parts to the upload and complete it. Uploads of `weed s3` and of older gateways have
    /// no initiator: every caller who may write the object can continue them.
    pub fn may_be_continued_by(&self, id: Option<&str>) -> bool {
        is_begun_by(&self.entry, id).unwrap_or(true)
    }

    /// The ARN of who began it, if it says so.
    pub fn initiator_arn(&self) -> Option<&str> {
        self.entry.extended_text(attributes::INITIATOR_ARN)
    }

    /// Whether it was aborted, and an interruption left it.
    pub fn is_aborted(&self) -> bool {
        self.entry.extended_text(attributes::ABORTED) == Some("true")
    }

    /// The condition that an upload was not aborted.
    pub(crate) fn is_not_aborted() -> Condition {
        Condition::AttributeIsNot { name: attributes::ABORTED.to_owned(), value: "true".to_owned() }
    }

    /// The checksum with which it was begun.
    pub fn checksum(&self) -> Option<(ChecksumAlgorithm, ChecksumType)> {
        let algorithm = self.entry.extended_text(attributes::CHECKSUM_ALGORITHM)?;
        let algorithm = ChecksumAlgorithm::from_header(algorithm)?;
        let kind = self.entry.extended_text(attributes::CHECKSUM_TYPE).and_then(ChecksumType::from_name);
        Some((algorithm, kind.unwrap_or(algorithm.default_type())))
    }
}

/// Whether the caller with this id began the upload that has or made this entry; `None` if it does not say who began it.
pub fn is_begun_by(entry: &Entry, id: Option<&str>) -> Option<bool> {
    let begun_by = entry.extended.get(attributes::INITIATOR_ID)?;
    Some(id.is_some_and(|id| id.as_bytes() == begun_by))
}

impl Objects<'_> {
    fn uploads_path(&self) -> String {
        format!("{}/{}", self.directory.path(), names::UPLOADS)
    }

    /// The upload with this id for this key. An id that belongs to another key is not found.
    pub async fn upload(&self, key: &ObjectKey, upload_id: &str) -> Result<Option<MultipartUpload>, BucketError> {
        let uploads_path = self.uploads_path();
        let found = self.filer().lookup(&format!("{uploads_path}/{upload_id}/")).await?;
        let upload = found.and_then(|entry| MultipartUpload::new(&uploads_path, entry));
        let Some(upload) = upload.filter(|upload| upload.key() == key.as_str()) else { return Ok(None) };
        rules::may_read(&upload.entry)?;
        Ok(Some(upload))
    }

    /// The newest file of each part number above `after`, at most `max_parts`, and whether there are more.
    pub async fn list_parts(
        &self,
        upload: &MultipartUpload,
        after: u32,
        max_parts: usize,
    ) -> Result<(Vec<(u32, Entry)>, bool), FilerError> {
        let above = self.parts_above(upload, after, max_parts).await?;
        let is_truncated = above.len() > max_parts;
        let mut page = Vec::with_capacity(above.len().min(max_parts));
        for (number, mut newest) in above.into_iter().take(max_parts) {
            if !object::etag_needs_no_chunks(&newest) {
                let path = format!("{}/{}", upload.path, newest.name);
                newest = self.filer().lookup(&path).await?.unwrap_or(newest);
            }
            page.push((number, newest));
        }
        Ok((page, is_truncated))
    }

    /// The newest files of at least one more than `max_parts` part numbers above `after`, if there are as many.
    async fn parts_above(&self, upload: &MultipartUpload, after: u32, max_parts: usize) -> Result<Parts, FilerError> {
        let mut parts = Parts::new();
        // The name of part 10000 sorts before that of part 1000: it comes by itself, in the end.
        if after < FOUR_DIGITS {
            self.add_parts_above(upload, after, max_parts, &mut parts).await?;
        }
        if parts.len() <= max_parts && after <= FOUR_DIGITS {
            let options =
                ListOptions { prefix: LAST_PART.to_owned(), limit: PAGE, omit_chunks: true, ..ListOptions::default() };
            add_parts(&mut parts, self.filer().list(&upload.path, options).await?.into_iter());
        }
        Ok(parts)
    }

    async fn add_parts_above(
        &self,
        upload: &MultipartUpload,
        after: u32,
        max_parts: usize,
        parts: &mut Parts,
    ) -> Result<(), FilerError> {
        let limit = (max_parts + 2).clamp(2, PAGE);
        let mut start_from = format!("{:04}", after.saturating_add(1));
        loop {
            let options = ListOptions { start_from, limit, omit_chunks: true, ..ListOptions::default() };
            let entries = self.filer().list(&upload.path, options).await?;
            let (is_last, last) = (entries.len() < limit, entries.last().map(|entry| entry.name.clone()));
            add_parts(parts, entries.into_iter().filter(|entry| !entry.name.starts_with(LAST_PART)));
            // A number may have more files behind the last one that was read.
            match last.filter(|_| !is_last && parts.len() <= max_parts + 1) {
                Some(last) => start_from = last,
                None => return Ok(()),
            }
        }
    }

    /// One page of the unfinished uploads. The filer sorts them by the hash of their keys, so a page needs all of them
    /// to be read. No more of them are kept than the page shows.
    pub async fn list_uploads(&self, query: &UploadsQuery<'_>) -> Result<UploadsPage, FilerError> {
        let mut first = FirstRows { query: *query, rows: BTreeMap::new() };
        self.for_each_upload(|upload| first.add(upload)).await?;
        Ok(first.into_page())
    }

    pub(crate) async fn all_uploads(&self) -> Result<Vec<MultipartUpload>, FilerError> {
        let mut all = Vec::new();
        self.for_each_upload(|upload| all.push(upload)).await?;
        Ok(all)
    }

    async fn for_each_upload(&self, mut take: impl FnMut(MultipartUpload)) -> Result<(), FilerError> {
        let (uploads_path, mut start_from) = (self.uploads_path(), String::new());
        loop {
            let options = ListOptions { start_from, limit: PAGE, omit_chunks: true, ..ListOptions::default() };
            let entries = self.filer().list(&uploads_path, options).await?;
            let last = entries.last().filter(|_| entries.len() >= PAGE).map(|last| last.name.clone());
            entries.into_iter().filter_map(|entry| MultipartUpload::new(&uploads_path, entry)).for_each(&mut take);
            match last {
                Some(last) => start_from = last,
                None => return Ok(()),
            }
        }
    }

    /// The object of a key, if this upload made it.
    pub async fn made_by(&self, key: &ObjectKey, upload_id: &str) -> Result<Option<Entry>, FilerError> {
        let object = self.current(key).await?;
        Ok(object.filter(|entry| entry.extended_text(attributes::UPLOAD_ID) == Some(upload_id)))
    }

    /// Whether this upload made the object of a key, or one of its versions.
    pub(crate) async fn has_made(&self, key: &ObjectKey, upload_id: &str) -> Result<bool, FilerError> {
        if self.made_by(key, upload_id).await?.is_some() {
            return Ok(true);
        }
        if !self.keeps_versions_of(key) {
            return Ok(false);
        }
        let versions = self.list_directory(&self.versions_path(key)).await?;
        Ok(versions.iter().any(|entry| entry.extended_text(attributes::UPLOAD_ID) == Some(upload_id)))
    }

    async fn list_directory(&self, path: &str) -> Result<Vec<Entry>, FilerError> {
        let mut entries: Vec<Entry> = Vec::new();
        loop {
            let start_from = entries.last().map(|last| last.name.clone()).unwrap_or_default();
            let options = ListOptions { start_from, limit: PAGE, omit_chunks: true, ..ListOptions::default() };
            let page = self.filer().list(path, options).await?;
            let is_last = page.len() < PAGE;
            entries.extend(page);
            if is_last {
                return Ok(entries);
            }
        }
    }
}

fn add_parts(parts: &mut Parts, entries: impl Iterator<Item = Entry>) {
    for entry in entries.filter(|entry| !entry.is_directory) {
        if let Some(number) = part_number_of(&entry.name) {
            keep_newest(parts, number, entry);
        }
    }
}

/// Keeps a file if it is the newest one of its part number. A number may have any number of files.
pub(crate) fn keep_newest(parts: &mut Parts, number: u32, file: Entry) {
    if parts.get(&number).is_none_or(|known| age(known) <= age(&file)) {
        parts.insert(number, file);
    }
}

impl Writer<'_> {
    /// Begins an upload with the entry that [`Stamp::upload`](crate::new_entry::Stamp::upload) gives.
    pub async fn begin_upload(&self, key: &ObjectKey, entry: Entry) -> Result<(), FilerError> {
        let directory = self.objects.uploads_path();
        let path = format!("{directory}/{}", entry.name);
        let lock_key = self.objects.path(key);
        let mutations = vec![Mutation::Put { directory, entry: Box::new(entry) }];
        let transaction = Transaction { lock_key, mutations, ..Transaction::default() };
        self.transact_beside_objects(&path, transaction).await
    }

    /// Adds a part's file to an upload, under the same lock as its completion. Fails with `PreconditionFailed` if the
    /// upload no longer exists or was aborted; the part's data is then freed.
    pub async fn put_part(&self, key: &ObjectKey, upload: &MultipartUpload, part: Entry) -> Result<(), FilerError> {
        let chunks = part.chunks.clone();
        let path = format!("{}/{}", upload.path, part.name);
        let put = Transaction {
            lock_key: self.objects.path(key),
            conditions: vec![Condition::Exists, MultipartUpload::is_not_aborted()],
            condition_key: Some(upload.path.clone()),
            mutations: vec![Mutation::Put { directory: upload.path.clone(), entry: Box::new(part) }],
            ..Transaction::default()
        };
        let done = self.transact_beside_objects(&path, put).await;
        if let Err(error) = &done {
            self.free_if_not_stored(error, chunks).await;
        }
        done
    }
}

/// The parameters of a listing of uploads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct UploadsQuery<'q> {
    /// Only keys that begin with this.
    pub prefix: &'q str,
    /// Keys that contain it after the prefix are grouped.
    pub delimiter: Option<&'q str>,
    /// Continue after this key or common prefix; empty for the beginning.
    pub key_marker: &'q str,
    /// Continue after this upload of the key; empty for after all of them.
    pub upload_id_marker: &'q str,
    /// The most uploads and common prefixes on the page.
    pub max_uploads: usize,
}

/// A page of a listing of uploads.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct UploadsPage {
    /// By key and id.
    pub uploads: Vec<MultipartUpload>,
    /// Keys grouped by the delimiter.
    pub common_prefixes: Vec<String>,
    /// Whether there is more.
    pub is_truncated: bool,
    /// The last key or common prefix of the page, if there is more.
    pub next_key_marker: Option<String>,
    /// The last upload of the page, if there is more and the page does not end with a common prefix.
    pub next_upload_id_marker: Option<String>,
}

impl UploadsQuery<'_> {
    /// The page of all uploads that this asks for.
    pub fn page_of(&self, all: Vec<MultipartUpload>) -> UploadsPage {
        let mut first = FirstRows { query: *self, rows: BTreeMap::new() };
        all.into_iter().for_each(|upload| first.add(upload));
        first.into_page()
    }

    fn includes(&self, upload: &MultipartUpload) -> bool {
        let (key, marker) = (upload.key(), self.key_marker);
        let is_behind = marker.is_empty()
            || key > marker
            || (key == marker && !self.upload_id_marker.is_empty() && upload.id() > self.upload_id_marker);
        // A page may have ended with a common prefix. All keys with it have been listed then.
        let was_listed = !marker.is_empty() && self.group_of(key).is_some_and(|group| group == marker);
        is_behind && !was_listed && key.starts_with(self.prefix)
    }

    /// The common prefix of a key.
    fn group_of<'k>(&self, key: &'k str) -> Option<&'k str> {
        let delimiter = self.delimiter?;
        let at = key.get(self.prefix.len()..)?.find(delimiter)?;
        key.get(..self.prefix.len() + at + delimiter.len())
    }
}

/// The first rows of a listing, among those that were added: at most one more than its page shows.
struct FirstRows<'q> {
    query: UploadsQuery<'q>,
    /// By key and id. A common prefix has no upload, and stands where all keys with it would.
    rows: BTreeMap<(String, String), Option<MultipartUpload>>,
}

impl FirstRows<'_> {
    fn add(&mut self, upload: MultipartUpload) {
        if !self.query.includes(&upload) {
            return;
        }
        let (row, upload) = match self.query.group_of(upload.key()) {
            Some(group) => ((group.to_owned(), String::new()), None),
            None => ((upload.key().to_owned(), upload.id().to_owned()), Some(upload)),
        };
        self.rows.insert(row, upload);
        if self.rows.len() > self.query.max_uploads.saturating_add(1) {
            self.rows.pop_last();
        }
    }

    fn into_page(self) -> UploadsPage {
        let max_uploads = self.query.max_uploads;
        let mut page = UploadsPage { is_truncated: self.rows.len() > max_uploads, ..UploadsPage::default() };
        for ((key, id), upload) in self.rows.into_iter().take(max_uploads) {
            if page.is_truncated {
                page.next_upload_id_marker = upload.is_some().then_some(id);
                page.next_key_marker = Some(key.clone());
            }
            match upload {
                Some(upload) => page.uploads.push(upload),
                None => page.common_prefixes.push(key),
            }
        }
        page
    }
}
