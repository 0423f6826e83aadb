//! Writes documents, each by compare-and-swap on what the command has seen of it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use bucket::settings::{self, AttributePatch};
use filer::{Condition, Entry, FilerError, Mutation, Transaction};
use iam::{Change, DocumentKey, PolicyPlace};
use policy::PrincipalIds;

use crate::document::{LARGEST, absent, etag, facts_of, put_facts, put_record, rewritten, to_entry, to_text};
use crate::error::StoreError;
use crate::filer_store::FilerStore;
use crate::layout::Document;

/// Documents, each as it was stored at some moment.
#[derive(Debug, Default)]
pub struct ReadDocuments {
    /// The changes to apply to the Snapshot on which a command runs.
    pub changes: Vec<Change>,
    seen: BTreeMap<Document, Option<Box<Entry>>>,
}

/// One document that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Its path.
    pub path: String,
    /// The MD5 in its entry, which differs with each write; `None` if it was removed.
    pub md5: Option<Vec<u8>>,
}

impl FilerStore {
    /// The documents as they are stored now.
    pub async fn read(&self, keys: &[DocumentKey]) -> Result<ReadDocuments, StoreError> {
        let mut fresh = ReadDocuments::default();
        for document in keys.iter().flat_map(documents) {
            let Some((directory, name)) = self.layout.place(&document) else { continue };
            if fresh.seen.contains_key(&document) {
                continue;
            }
            let path = format!("{directory}/{name}");
            let entry = self.lookup(&path).await?;
            fresh.changes.push(match &entry {
                None => absent(&document),
                Some(entry) => {
                    let content = self.content(&path, entry).await?;
                    self.stated(&document, entry, content.as_deref().map_err(Clone::clone))
                }
            });
            fresh.seen.insert(document, entry.map(Box::new));
        }
        Ok(fresh)
    }

    /// Writes changes in order, each only if its document is still as in `fresh`. After an error, earlier changes stay
    /// written. [`StoreError::Conflict`] means that reading and running the command again may succeed.
    pub async fn commit(&self, fresh: &ReadDocuments, changes: &[Change]) -> Result<Vec<Written>, StoreError> {
        let mut written = Vec::new();
        // What earlier ones of these changes have written: a document may occur twice.
        let mut now: BTreeMap<Document, Option<Entry>> = BTreeMap::new();
        for change in changes {
            let Some(document) = Document::of(change).filter(|document| !matches!(document, Document::Bucket(_)))
            else {
                continue;
            };
            let (directory, name) = self
                .layout
                .place(&document)
                .ok_or_else(|| StoreError::NoPlace(format!("{document:?}"), "this gateway keeps it in memory"))?;
            let path = format!("{directory}/{name}");
            let seen = fresh.seen.get(&document).ok_or_else(|| StoreError::Unseen(path.clone()))?.as_deref();
            let old = now.get(&document).map_or(seen, Option::as_ref);
            if let Some((entry, done)) = self.write(change, &directory, &name, old).await? {
                now.insert(document, entry);
                written.retain(|earlier: &Written| earlier.path != done.path);
                written.push(done);
            }
        }
        Ok(written)
    }

    /// Whether no one has written the documents in `written` between the write and the reading of `fresh`.
    pub fn is_unchanged(&self, fresh: &ReadDocuments, written: &[Written]) -> bool {
        written.iter().all(|write| {
            let mut seen = fresh.seen.iter().filter(|(document, _)| self.is_at(document, &write.path));
            let md5 = |entry: &Entry| entry.attributes().md5.clone();
            seen.any(|(_, entry)| entry.as_deref().map(md5) == write.md5)
        })
    }

    /// Called after a command's writes: whether the users, groups, roles and policies that it has read but not written
    /// still exist. Removes the announcement of their deletion, because the command now relies on them.
    pub async fn confirm_references(&self, fresh: &ReadDocuments, written: &[Written]) -> Result<bool, StoreError> {
        for (document, seen) in &fresh.seen {
            let Some(seen) = seen.as_deref().filter(|_| document.is_entity()) else { continue };
            let Some((directory, name)) = self.layout.place(document) else { continue };
            let path = format!("{directory}/{name}");
            if written.iter().any(|write| write.path == path) {
                continue;
            }
            if !self.confirm(&path, &directory, seen).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Undoes writes, the last one first, except where someone has written since.
    pub async fn undo(&self, fresh: &ReadDocuments, written: &[Written]) -> Result<(), StoreError> {
        for write in written.iter().rev() {
            let place = fresh.seen.iter().find_map(|(document, entry)| {
                let (directory, name) = self.layout.place(document)?;
                (format!("{directory}/{name}") == write.path).then_some((directory, name, entry.as_deref()))
            });
            let Some((directory, name, before)) = place else { continue };
            let now = self.lookup(&write.path).await?;
            if now.as_ref().map(|entry| &entry.attributes().md5) != write.md5.as_ref() {
                continue; // someone has written it since
            }
            let mutation = match before {
                Some(entry) => Mutation::Put { directory, entry: Box::new(rewritten(entry, rand::random())) },
                None => Mutation::Delete { directory, name, delete_data: true, recursive: false },
            };
            match self.swap(&write.path, now.as_ref(), mutation).await {
                Ok(()) | Err(StoreError::Conflict(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn is_at(&self, document: &Document, path: &str) -> bool {
        self.layout.place(document).is_some_and(|(directory, name)| format!("{directory}/{name}") == path)
    }

    /// False if the document is gone or has been replaced by another one with its name. Removes the announcement of a
    /// deletion.
    async fn confirm(&self, path: &str, directory: &str, seen: &Entry) -> Result<bool, StoreError> {
        loop {
            let Some(now) = self.lookup(path).await? else { return Ok(false) };
            // If its facts cannot be read, the document is unreadable, but it exists and denies.
            let Ok(mut facts) = facts_of(&now) else { return Ok(true) };
            if facts_of(seen).is_ok_and(|seen| seen.id != facts.id) {
                return Ok(false);
            }
            if facts.deleting_s == 0 {
                return Ok(true);
            }
            facts.deleting_s = 0;
            let mut entry = rewritten(&now, rand::random());
            put_facts(&mut entry, &facts);
            let put = Mutation::Put { directory: directory.to_owned(), entry: Box::new(entry) };
            match self.swap(path, Some(&now), put).await {
                Err(StoreError::Conflict(_)) => {}
                swapped => return swapped.map(|()| true),
            }
        }
    }

    async fn write(
        &self,
        change: &Change,
        directory: &str,
        name: &str,
        old: Option<&Entry>,
    ) -> Result<Option<(Option<Entry>, Written)>, StoreError> {
        let path = format!("{directory}/{name}");
        let sealed = match &self.secrets {
            Some(keys) => Cow::Owned(keys.seal(change.clone())?),
            None => Cow::Borrowed(change),
        };
        let (mutation, entry) = match to_text(&sealed) {
            Some((text, facts)) => {
                if text.len() as u64 > LARGEST {
                    return Err(StoreError::TooLarge(path, text.len()));
                }
                let mut entry = to_entry(name, &text, &facts, old, now_s(), rand::random());
                put_record(&mut entry, change);
                (Mutation::Put { directory: directory.to_owned(), entry: Box::new(entry.clone()) }, Some(entry))
            }
            None if old.is_none() => return Ok(None),
            None => {
                let (directory, name) = (directory.to_owned(), name.to_owned());
                (Mutation::Delete { directory, name, delete_data: true, recursive: false }, None)
            }
        };
        self.swap(&path, old, mutation).await?;
        let md5 = entry.as_ref().map(|entry| entry.attributes().md5.clone());
        Ok(Some((entry, Written { path, md5 })))
    }

    /// Puts the policy of a bucket, which is one attribute of its entry; leaves the rest of the entry alone. False if
    /// there is no such bucket. `ids` is the result of [`iam::policy_ids`] for the policy.
    pub async fn put_bucket_policy(&self, bucket: &str, policy: &str, ids: &PrincipalIds) -> Result<bool, StoreError> {
        let directory = self.layout.buckets_root().to_owned();
        let path = bucket::object::bucket_path(&directory, bucket);
        let ids = iam::stored_policy_ids(policy, ids);
        let AttributePatch { set, remove } = settings::policy_patch(Some(policy), ids);
        let mutation = Mutation::Patch { directory, name: bucket.to_owned(), set, remove, content: None };
        let (conditions, mutations) = (vec![Condition::Exists], vec![mutation]);
        let transaction = Transaction { lock_key: path.clone(), conditions, mutations, ..Transaction::default() };
        match self.filer.transact(transaction).await {
            Ok(()) => Ok(true),
            Err(FilerError::PreconditionFailed) => Ok(false),
            Err(error) => Err(StoreError::Filer { path, error }),
        }
    }

    /// Applies a mutation if the entry at the path is still `old`.
    pub(crate) async fn swap(&self, path: &str, old: Option<&Entry>, mutation: Mutation) -> Result<(), StoreError> {
        let condition = match old {
            None => Condition::NotExists,
            Some(entry) => match etag(entry) {
                Some(etag) => Condition::EtagMatches(vec![etag]),
                // Only a document that neither SeaweedFS nor Kelpgate wrote has no MD5. The second of its last change
                // is then the best available version. Our write gives it an MD5.
                None => Condition::UnmodifiedSince(entry.attributes().mtime),
            },
        };
        let transaction = Transaction {
            lock_key: self.layout.turns(path),
            conditions: vec![condition],
            condition_key: Some(path.to_owned()),
            mutations: vec![mutation],
            ..Transaction::default()
        };
        match self.filer.transact(transaction).await {
            Ok(()) => Ok(()),
            Err(FilerError::PreconditionFailed) => Err(StoreError::Conflict(path.to_owned())),
            Err(error) => Err(StoreError::Filer { path: path.to_owned(), error }),
        }
    }
}

/// The documents of a key: a policy may be stored in several places.
fn documents(key: &DocumentKey) -> Vec<Document> {
    match key.clone() {
        DocumentKey::User(name) => vec![Document::User(name)],
        DocumentKey::ServiceAccount(id) => vec![Document::ServiceAccount(id)],
        DocumentKey::Group(name) => vec![Document::Group(name)],
        DocumentKey::Role(name) => vec![Document::Role(name)],
        DocumentKey::Policy(name) => [PolicyPlace::Api, PolicyPlace::Base, PolicyPlace::BasePrefixed]
            .map(|place| Document::Policy(name.clone(), place))
            .to_vec(),
        DocumentKey::Inline(holder, policy) => vec![Document::Inline(holder, policy)],
        DocumentKey::WeedPolicies => vec![Document::WeedPolicies],
        DocumentKey::OidcProvider(stem) => vec![Document::OidcProvider(stem)],
        DocumentKey::OidcKeys(stem) => vec![Document::OidcKeys(stem)],
        DocumentKey::MfaDevice(stem) => vec![Document::MfaDevice(stem)],
        DocumentKey::Revocation(stem) => vec![Document::Revocation(stem)],
        DocumentKey::InstanceProfile(name) => vec![Document::InstanceProfile(name)],
        DocumentKey::AccountAlias(account) => vec![Document::AccountAlias(account)],
        DocumentKey::AccountPublicAccessBlock(account) => vec![Document::AccountPublicAccessBlock(account)],
    }
}

/// Seconds since 1970.
pub(crate) fn now_s() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |elapsed| i64::try_from(elapsed.as_secs()).unwrap_or(i64::MAX))
}
