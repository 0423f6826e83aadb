//! Seeding: creates what `-iam.config` defines on the filer, once.
//!
//! `<base>/seeded.json` records the hash of what was written under each name. A document that has been deleted since
//! stays deleted. A document that is unchanged is updated if the file changes. A document that was changed on the filer
//! is kept, with a warning.

use std::collections::BTreeMap;

use filer::{Entry, Mutation};
use iam::{Change, DocumentKey, PolicyPlace, PolicyRecord, RolePlace};
use iam_formats::{DocumentStore, Facts, IamConfig};
use md5::{Digest, Md5};
use serde_json::Value;

use crate::commit::{ReadDocuments, now_s};
use crate::document::{to_entry, to_text};
use crate::error::StoreError;
use crate::filer_store::FilerStore;
use crate::layout::SEEDED;

/// What seeding did, for the log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seeded {
    /// Documents created.
    pub created: Vec<String>,
    /// Documents updated to the current content of the file.
    pub updated: Vec<String>,
    /// Documents that stay as they are although the file differs, each with the reason.
    pub kept: Vec<String>,
}

/// One definition of the file.
struct Definition {
    /// `role `R``, for messages.
    what: String,
    /// Its name in `seeded.json`.
    name: String,
    key: DocumentKey,
    hash: String,
    /// Makes the change that writes it, from what is stored.
    change: Box<dyn Fn(&ReadDocuments) -> Change + Send + Sync>,
}

/// The record at `<base>/seeded.json`: name to hash.
type Record = BTreeMap<String, String>;

/// How often to try a document that others write at the same time.
const ATTEMPTS: usize = 20;

impl FilerStore {
    /// Writes the roles and policies of the file to their stores, if these are on the filer.
    pub async fn seed(&self, config: &IamConfig) -> Result<Seeded, StoreError> {
        let mut done = Seeded::default();
        if let Some(base) = self.layout.role_base() {
            let roles = config.roles.iter().map(role_definition).collect::<Vec<_>>();
            self.seed_into(base, &roles, &mut done).await?;
        }
        if matches!(config.policy_store, DocumentStore::Filer { .. }) {
            let base = self.layout.policy_base().map_or_else(|| "/etc/iam/policies".to_owned(), str::to_owned);
            let prefixed = self.layout.policy_base().is_some();
            let policies = config.policies.iter().map(|(name, text)| policy_definition(name, text, prefixed));
            let policies: Vec<_> = policies.collect();
            // SeaweedFS reads every file in its own directory as a policy, so the record is next to the roles' base
            // instead.
            let record_base = if prefixed { base } else { "/seaweedfs/iam/policies".to_owned() };
            self.seed_into(&record_base, &policies, &mut done).await?;
        }
        Ok(done)
    }

    async fn seed_into(&self, base: &str, definitions: &[Definition], done: &mut Seeded) -> Result<(), StoreError> {
        if definitions.is_empty() {
            return Ok(());
        }
        let (record, _) = self.record(base).await?;
        let mut news = Record::new();
        for definition in definitions {
            let recorded = record.get(&definition.name).map(String::as_str);
            if self.seed_one(definition, recorded, done).await? {
                news.insert(definition.name.clone(), definition.hash.clone());
            }
        }
        news.retain(|name, hash| record.get(name) != Some(hash));
        self.remember(base, &news).await
    }

    /// Updates one document to what the file says, if that is allowed. True if the record should say so.
    async fn seed_one(
        &self,
        definition: &Definition,
        recorded: Option<&str>,
        done: &mut Seeded,
    ) -> Result<bool, StoreError> {
        let what = &definition.what;
        for _ in 0..ATTEMPTS {
            let fresh = self.read(std::slice::from_ref(&definition.key)).await?;
            let stored = fresh.changes.iter().find_map(hash_of);
            let exists = fresh.changes.iter().any(exists);
            let news = match (exists, recorded, stored) {
                (true, _, Some(stored)) if stored == definition.hash => return Ok(true),
                (false, None, _) => &mut done.created,
                (false, Some(_), _) => {
                    done.kept.push(format!(
                        "{what} was deleted from the filer and stays deleted; recreate it with the IAM API"
                    ));
                    return Ok(false);
                }
                (true, Some(recorded), Some(stored)) if stored == recorded => &mut done.updated,
                (true, ..) => {
                    done.kept.push(format!(
                        "{what} was changed on the filer and stays as it is; the file defines it differently: remove it from the file, or delete the stored one to take the file's"
                    ));
                    return Ok(false);
                }
            };
            let change = (definition.change)(&fresh);
            match self.commit(&fresh, &[change]).await {
                Ok(_) => {
                    news.push(what.clone());
                    return Ok(true);
                }
                Err(StoreError::Conflict(_)) => tokio::task::yield_now().await,
                Err(error) => return Err(error),
            }
        }
        Err(StoreError::Conflict(what.clone()))
    }

    async fn record(&self, base: &str) -> Result<(Record, Option<Entry>), StoreError> {
        let path = format!("{base}/{SEEDED}");
        let Some(entry) = self.lookup(&path).await? else { return Ok((Record::new(), None)) };
        let content = self.content(&path, &entry).await?;
        let record = content.ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let record = record.ok_or(StoreError::NoPlace(path, "this record of seeding cannot be read; remove it"))?;
        Ok((record, Some(entry)))
    }

    /// Adds to the record, even if other gateways add to it at the same time.
    async fn remember(&self, base: &str, news: &Record) -> Result<(), StoreError> {
        if news.is_empty() {
            return Ok(());
        }
        let path = format!("{base}/{SEEDED}");
        for _ in 0..ATTEMPTS {
            let (mut record, old) = self.record(base).await?;
            record.extend(news.clone());
            let text = serde_json::to_string_pretty(&record).unwrap_or_default();
            let entry = to_entry(SEEDED, &text, &Facts::default(), old.as_ref(), now_s(), rand::random());
            let put = Mutation::Put { directory: base.to_owned(), entry: Box::new(entry) };
            match self.swap(&path, old.as_ref(), put).await {
                Err(StoreError::Conflict(_)) => tokio::task::yield_now().await,
                other => return other,
            }
        }
        Err(StoreError::Conflict(path))
    }
}

fn role_definition(role: &iam::RoleRecord) -> Definition {
    let what = format!("role `{}`", role.name);
    let name: std::sync::Arc<str> = role.name.as_str().into();
    let document = role.clone();
    let change = Change::Role(name.clone(), RolePlace::Base, Some(Ok(document.clone())));
    Definition {
        hash: hash_of(&change).unwrap_or_default(),
        name: role.name.clone(),
        key: DocumentKey::Role(name.clone()),
        what,
        change: Box::new(move |_| Change::Role(name.clone(), RolePlace::Base, Some(Ok(document.clone())))),
    }
}

/// If `prefixed`, the policy is stored as `policy_<name>.json`, the name used for seeding, unless SeaweedFS's
/// `<name>.json` exists.
fn policy_definition(name: &str, text: &str, prefixed: bool) -> Definition {
    let what = format!("policy `{name}`");
    let name: std::sync::Arc<str> = name.into();
    let policy = PolicyRecord::of_text(text);
    let change = Change::Policy(name.clone(), PolicyPlace::Base, Some(Ok(policy.clone())));
    Definition {
        hash: hash_of(&change).unwrap_or_default(),
        name: name.to_string(),
        key: DocumentKey::Policy(name.clone()),
        what,
        change: Box::new(move |fresh| {
            let stored = fresh.changes.iter().find_map(|change| match change {
                Change::Policy(_, place, Some(_)) => Some(*place),
                _ => None,
            });
            let new = if prefixed { PolicyPlace::BasePrefixed } else { PolicyPlace::Api };
            Change::Policy(name.clone(), stored.unwrap_or(new), Some(Ok(policy.clone())))
        }),
    }
}

fn exists(change: &Change) -> bool {
    !matches!(change, Change::Policy(_, _, None) | Change::Role(_, _, None))
}

/// The hash of a document's content. It does not depend on white space, on the order of keys, or on whether lists with
/// one item are written without brackets, as SeaweedFS does.
fn hash_of(change: &Change) -> Option<String> {
    let (text, _) = to_text(change)?;
    let value = canonical(serde_json::from_str(&text).ok()?);
    Some(hex::encode(Md5::digest(value.to_string().as_bytes())))
}

fn canonical(value: Value) -> Value {
    match value {
        Value::Array(mut list) if list.len() == 1 => canonical(list.remove(0)),
        Value::Array(list) => Value::Array(list.into_iter().map(canonical).collect()),
        Value::Object(map) => Value::Object(map.into_iter().map(|(key, value)| (key, canonical(value))).collect()),
        Value::String(text) => match serde_json::from_str::<Value>(&text) {
            // A document inside a document, such as the trust policy of a role.
            Ok(inner @ Value::Object(_)) => canonical(inner),
            _ => Value::String(text),
        },
        other => other,
    }
}
