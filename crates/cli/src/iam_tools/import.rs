//! `kelpgate iam import`: first the plan, then one compare-and-swap for each document.

use std::collections::BTreeMap;
use std::io::{Cursor, Read};
use std::path::Path;

use iam::{Change, PolicyPlace, Snapshot};
use iam_formats::{DocumentStore, IamConfig};
use policy::{Policy, PolicyKind};
use serde_json::Value;
use store::{FilerStore, StoreError, credentials};
use transfer::{Bundle, DocumentName, MINIO_FILES, Refused, Secrets, Step, from_json, from_minio, key_of, step};
use zip::ZipArchive;

use super::{ATTEMPTS, passphrase, tree_files};
use crate::arguments::IamImport;
use crate::place;

/// The first bytes of a zip.
const ZIP: &[u8] = b"PK\x03\x04";
/// The directory of MinIO's files.
const ASSETS: &str = "iam-assets";
/// The largest size of a file in an export.
const LARGEST: u64 = 1 << 30;

/// Runs the import; false if something was refused or failed.
pub async fn run(arguments: IamImport) -> Result<bool, String> {
    let configuration = super::configuration(&arguments.place)?;
    let tree = if tree_files::is_tree(&arguments.file) { Some(tree_files::read(&arguments.file)?) } else { None };
    let mut bundle = if tree.is_some() { Bundle::default() } else { read(&arguments.file)? };
    open_secrets(&mut bundle, arguments.passphrase_file.as_deref())?;
    let place = &arguments.place.place;
    let filer = if arguments.dry_run { place.open().await? } else { place.open_or_create().await? };
    let (store, here) = place::read(filer, &configuration).await?;
    if let Some(tree) = tree {
        bundle = tree.bundle(&here);
    }
    bundle.changes = bundle.changes.into_iter().map(|change| placed(change, &configuration.iam, &here)).collect();

    let mut plan = plan(&store, &bundle, &configuration.iam).await?;
    for (bucket, text) in &bundle.bucket_policies {
        plan.bucket_policy(bucket, text, &here);
    }
    plan.print(&bundle);
    let refused = plan.refused.len() + bundle.refused.len();
    if arguments.dry_run {
        say!("dry run: nothing was written");
        return Ok(refused == 0);
    }
    if refused > 0 && !arguments.skip_refused {
        say!("nothing was written; correct what is refused, or import the rest with -skipRefused");
        return Ok(false);
    }
    for change in &plan.writes {
        write(&store, change).await.map_err(|error| {
            format!("{}: {error}; everything before it in the plan was written", DocumentName(change))
        })?;
    }
    let mut written = plan.writes.len();
    let imported = here.apply(plan.writes.iter().cloned());
    for (bucket, text) in &plan.bucket_policies {
        let policy = Policy::parse_stored(PolicyKind::Bucket, text).map_err(|error| error.to_string())?;
        let put = store.put_bucket_policy(bucket, text, &iam::policy_ids(&policy, &imported)).await;
        let put = put.map_err(|error| {
            format!("policy of bucket `{bucket}`: {error}; everything before it in the plan was written")
        })?;
        if put {
            written += 1;
        } else {
            say!("{:<10} policy of bucket `{bucket}`: the bucket was deleted meanwhile", "skipped");
        }
    }
    say!("written: {written}");
    if written > 0 && arguments.place.place.dir.is_none() {
        say!(
            "running gateways follow within moments, and this command does not wait for them. Once a gateway answers the next IAM change, all have followed"
        );
    }
    Ok(refused == 0)
}

/// Reads a file or directory.
fn read(path: &Path) -> Result<Bundle, String> {
    let shown = path.display();
    let problem = |error: &dyn std::fmt::Display| format!("`{shown}` cannot be read: {error}");
    if path.is_dir() {
        let inner = path.join(ASSETS);
        let directory = if inner.is_dir() { inner } else { path.to_owned() };
        let mut files = BTreeMap::new();
        for name in MINIO_FILES {
            match std::fs::read_to_string(directory.join(name)) {
                Ok(text) => _ = files.insert(name.to_owned(), text),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(problem(&error)),
            }
        }
        return of_minio(path, &files);
    }
    let bytes = std::fs::read(path).map_err(|error| problem(&error))?;
    if bytes.starts_with(ZIP) {
        return of_minio(path, &unzip(bytes).map_err(|error| problem(&error))?);
    }
    let text = String::from_utf8(bytes).map_err(|_| problem(&"it is neither text nor a zip"))?;
    from_json(&text, &|name| std::env::var(name).ok()).map_err(|error| format!("`{shown}`: {error}"))
}

/// MinIO's export, of which not every file has to be there.
fn of_minio(path: &Path, files: &BTreeMap<String, String>) -> Result<Bundle, String> {
    let shown = path.display();
    if !MINIO_FILES.iter().any(|name| files.contains_key(*name)) {
        return Err(format!(
            "`{shown}` is neither a tree (it does not contain {}) nor an export of MinIO (it contains none of {})",
            transfer::tree::MARKER,
            MINIO_FILES.join(", ")
        ));
    }
    from_minio(files).map_err(|(file, error)| format!("`{shown}`: {file}: {error}"))
}

/// The JSON files of a zip, by their names without a directory.
fn unzip(bytes: Vec<u8>) -> Result<BTreeMap<String, String>, String> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|error| error.to_string())?;
    let mut files = BTreeMap::new();
    for place in 0..archive.len() {
        let file = archive.by_index(place).map_err(|error| error.to_string())?;
        let path = file.name().map_err(|error| error.to_string())?.into_owned();
        let name = path.rsplit('/').next().unwrap_or_default().to_owned();
        if !file.is_file() || !name.ends_with(".json") {
            continue;
        }
        let mut text = String::new();
        file.take(LARGEST).read_to_string(&mut text).map_err(|error| format!("{name}: {error}"))?;
        files.insert(name, text);
    }
    Ok(files)
}

fn open_secrets(bundle: &mut Bundle, file: Option<&Path>) -> Result<(), String> {
    let Secrets::Sealed { salt, iterations } = &bundle.secrets else { return Ok(()) };
    let key = passphrase::key(&passphrase::read(file)?, salt, *iterations)?;
    let id = key.ids().next().unwrap_or_default().to_owned();
    bundle.changes = std::mem::take(&mut bundle.changes).into_iter().map(|change| key.open(change)).collect();
    let sealed = bundle.changes.iter().flat_map(credentials).filter_map(iam::Credential::sealed_under);
    let (own, others): (Vec<&str>, Vec<&str>) = sealed.partition(|sealed| *sealed == id);
    if !own.is_empty() {
        return Err("some secrets of this export cannot be decrypted: the file was changed".to_owned());
    }
    if !others.is_empty() && bundle.changes.iter().flat_map(credentials).all(|key| key.sealed_under().is_some()) {
        return Err("the passphrase decrypts none of the secrets of this export: it is not the right one".to_owned());
    }
    Ok(())
}

/// The change, adapted to this cluster.
fn placed(change: Change, config: &IamConfig, here: &Snapshot) -> Change {
    match change {
        // Policies from the configuration's directory go to that of this cluster, if it has one.
        Change::Policy(name, PolicyPlace::BasePrefixed, read) if config.policy_store == DocumentStore::Memory => {
            Change::Policy(name, PolicyPlace::Api, read)
        }
        // If the holder has a different id until it is itself written, the policy applies to the holder of the name, so
        // it never applies to no one.
        Change::Inline(holder, name, Some(Ok(mut policy))) => {
            if here.id_of(&holder).is_some_and(|id| **id != *policy.holder_id) {
                policy.holder_id.clear();
            }
            Change::Inline(holder, name, Some(Ok(policy)))
        }
        other => other,
    }
}

/// What will be done.
#[derive(Default)]
struct Plan {
    lines: Vec<(&'static str, String)>,
    writes: Vec<Change>,
    bucket_policies: Vec<(String, String)>,
    refused: Vec<Refused>,
    notes: Vec<String>,
    unchanged: usize,
}

async fn plan(store: &FilerStore, bundle: &Bundle, config: &IamConfig) -> Result<Plan, String> {
    let mut plan = Plan::default();
    for wanted in &bundle.changes {
        let what = DocumentName(wanted).to_string();
        let Some(key) = key_of(wanted) else { continue };
        if matches!(wanted, Change::Role(..)) && config.role_store == DocumentStore::Memory {
            let why =
                "roles live in the memory of each gateway here; set roleStore.storeType to `filer` in -iam.config"
                    .to_owned();
            plan.refused.push(Refused { what, why });
            continue;
        }
        let stored = store.read(&[key]).await.map_err(|error| error.to_string())?;
        let notes = match step(wanted, &stored.changes) {
            Step::Create(_, notes) => {
                plan.lines.push(("create", what.clone()));
                plan.writes.push(wanted.clone());
                notes
            }
            Step::Update(_, parts, notes) => {
                plan.lines.push(("update", format!("{what}: {}", parts.join(", "))));
                plan.writes.push(wanted.clone());
                notes
            }
            Step::Unchanged => {
                plan.lines.push(("unchanged", what));
                plan.unchanged += 1;
                continue;
            }
            Step::Unreadable(why) => {
                let why = format!("what is stored cannot be read: {why}; correct or delete it first");
                plan.refused.push(Refused { what, why });
                continue;
            }
        };
        plan.notes.extend(notes.into_iter().map(|note| format!("{what}: {note}")));
    }
    Ok(plan)
}

impl Plan {
    /// Buckets themselves are not imported. Their policies are applied to the buckets that exist.
    fn bucket_policy(&mut self, bucket: &str, text: &str, here: &Snapshot) {
        let what = format!("policy of bucket `{bucket}`");
        // Other products store the white space that PutBucketPolicy refuses.
        let text = text.trim_start();
        if let Err(error) = Policy::parse_bucket(bucket, text) {
            self.refused.push(Refused { what, why: error.to_string() });
            return;
        }
        let Some(known) = here.bucket(bucket) else {
            let why = "the bucket does not exist here; create it and import again";
            self.lines.push(("skipped", format!("{what}: {why}")));
            return;
        };
        let value = |text: &str| serde_json::from_str::<Value>(text).ok();
        match &known.policy {
            Some(policy) if value(&iam::shown_policy(policy, here)) == value(text) => {
                self.lines.push(("unchanged", what));
                self.unchanged += 1;
                return;
            }
            Some(_) => self.lines.push(("update", what)),
            None => self.lines.push(("create", what)),
        }
        self.bucket_policies.push((bucket.to_owned(), text.to_owned()));
    }

    fn print(&self, bundle: &Bundle) {
        for (word, what) in &self.lines {
            say!("{word:<10} {what}");
        }
        for Refused { what, why } in bundle.refused.iter().chain(&self.refused) {
            say!("{:<10} {what}: {why}", "refused");
        }
        for note in bundle.notes.iter().chain(&self.notes) {
            say!("{:<10} {note}", "note");
        }
        let count = |wanted| self.lines.iter().filter(|(word, _)| *word == wanted).count();
        let refused = self.refused.len() + bundle.refused.len();
        let (create, update) = (count("create"), count("update"));
        say!("plan: {create} to create, {update} to update, {} unchanged, {refused} refused", self.unchanged);
    }
}

/// Writes one document on top of what is stored now.
async fn write(store: &FilerStore, wanted: &Change) -> Result<(), StoreError> {
    let Some(key) = key_of(wanted) else { return Ok(()) };
    let mut conflict = None;
    for _ in 0..ATTEMPTS {
        let fresh = store.read(std::slice::from_ref(&key)).await?;
        let (Step::Create(change, _) | Step::Update(change, ..)) = step(wanted, &fresh.changes) else { return Ok(()) };
        match store.commit(&fresh, &[change]).await {
            Err(error @ StoreError::Conflict(_)) => conflict = Some(error),
            done => return done.map(drop),
        }
    }
    conflict.map_or(Ok(()), Err)
}
