//! Converts entries of the filer into facts, and facts into entries.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use bucket::settings;
use filer::{Attributes, ETAG_ATTRIBUTE, Entry};
use iam::{
    AccountAlias, AccountPublicAccessBlock, Bucket, BucketAcl, BucketPolicy, Change, GroupRecord, InstanceProfile,
    MfaDevice, OidcProvider, Read, Revocation, RolePlace, RoleRecord, ServiceAccount, Unreadable, UserRecord,
};
use iam_formats::{Facts, StoredDocument, weed_policies};
use md5::{Digest, Md5};

use crate::layout::Document;

/// The largest document that is read, in bytes. No IAM document comes close to it.
pub(crate) const LARGEST: u64 = 4 << 20;

/// The fact that a stored document states. `content` is an error if it could not be fetched or is too large.
pub(crate) fn to_change(document: &Document, entry: &Entry, content: Result<&[u8], String>) -> Change {
    let read = content.and_then(|bytes| std::str::from_utf8(bytes).map_err(|_| "it is not valid UTF-8".to_owned()));
    let facts = facts_of(entry);
    let parsed = read.and_then(|text| Ok((text, facts?)));
    match document {
        Document::User(name) => {
            Change::User(name.clone(), named(parse(parsed), name, |user: &UserRecord| user.name.clone()))
        }
        Document::ServiceAccount(id) => {
            Change::ServiceAccount(id.clone(), named(parse(parsed), id, |account: &ServiceAccount| account.id.clone()))
        }
        Document::Group(name) => {
            Change::Group(name.clone(), named(parse(parsed), name, |group: &GroupRecord| group.name.clone()))
        }
        Document::Role(name) => {
            let read = named(parse(parsed), name, |role: &RoleRecord| role.name.clone());
            Change::Role(name.clone(), RolePlace::Base, read)
        }
        Document::Policy(name, place) => Change::Policy(name.clone(), *place, Some(parse(parsed))),
        Document::Inline(holder, name) => Change::Inline(holder.clone(), name.clone(), Some(parse(parsed))),
        Document::WeedPolicies => {
            let record = entry.extended_text(weed_policies::RECORD);
            let read = |(text, _): (&str, Facts)| weed_policies::parse(text, record).map_err(|error| error.to_string());
            Change::WeedPolicies(Some(parsed.and_then(read).map_err(|why| Unreadable(why.into()))))
        }
        Document::OidcProvider(stem) => {
            let of_arn = |provider: &OidcProvider| OidcProvider::file_stem(&provider.arn);
            Change::OidcProvider(stem.clone(), named(parse(parsed), stem, of_arn))
        }
        Document::OidcKeys(stem) => Change::OidcKeys(stem.clone(), Some(parse(parsed))),
        Document::MfaDevice(stem) => {
            let of_serial = |device: &MfaDevice| MfaDevice::file_stem(&device.serial);
            Change::MfaDevice(stem.clone(), named(parse(parsed), stem, of_serial))
        }
        Document::Revocation(stem) => {
            let of_target = |revocation: &Revocation| Revocation::file_stem(&revocation.target);
            Change::Revocation(stem.clone(), named(parse(parsed), stem, of_target))
        }
        Document::InstanceProfile(name) => {
            let read = named(parse(parsed), name, |profile: &InstanceProfile| profile.name.clone());
            Change::InstanceProfile(name.clone(), read)
        }
        Document::AccountAlias(account) => {
            let read = named(parse(parsed), account, |alias: &AccountAlias| alias.account.clone());
            Change::AccountAlias(account.clone(), read)
        }
        Document::AccountPublicAccessBlock(account) => {
            let read = named(parse(parsed), account, |block: &AccountPublicAccessBlock| block.account.clone());
            Change::AccountPublicAccessBlock(account.clone(), read)
        }
        Document::Bucket(name) => Change::Bucket(name.clone(), Some(Arc::new(bucket_of(entry, None)))),
    }
}

/// The fact that a document does not exist.
pub(crate) fn absent(document: &Document) -> Change {
    match document {
        Document::User(name) => Change::User(name.clone(), None),
        Document::ServiceAccount(id) => Change::ServiceAccount(id.clone(), None),
        Document::Group(name) => Change::Group(name.clone(), None),
        Document::Role(name) => Change::Role(name.clone(), RolePlace::Base, None),
        Document::Policy(name, place) => Change::Policy(name.clone(), *place, None),
        Document::Inline(holder, name) => Change::Inline(holder.clone(), name.clone(), None),
        Document::WeedPolicies => Change::WeedPolicies(None),
        Document::OidcProvider(stem) => Change::OidcProvider(stem.clone(), None),
        Document::OidcKeys(stem) => Change::OidcKeys(stem.clone(), None),
        Document::MfaDevice(stem) => Change::MfaDevice(stem.clone(), None),
        Document::Revocation(stem) => Change::Revocation(stem.clone(), None),
        Document::InstanceProfile(name) => Change::InstanceProfile(name.clone(), None),
        Document::AccountAlias(account) => Change::AccountAlias(account.clone(), None),
        Document::AccountPublicAccessBlock(account) => Change::AccountPublicAccessBlock(account.clone(), None),
        Document::Bucket(name) => Change::Bucket(name.clone(), None),
    }
}

/// A bucket as IAM and the data plane know it. `previous` saves compiling an unchanged policy again.
pub fn bucket_of(entry: &Entry, previous: Option<&Bucket>) -> Bucket {
    let known = previous.and_then(|bucket| bucket.policy.as_ref());
    let read = |text| BucketPolicy::read(&entry.name, text, settings::policy_ids(entry), known);
    Bucket {
        creator: settings::creator(entry).into(),
        life: settings::life(entry),
        was_created: settings::was_created(entry),
        policy: settings::policy(entry).map(read),
        acl: settings::acl(entry).map(|text| bucket_acl(&text)),
        ownership_controls: settings::ownership(entry),
        public_access_block: settings::public_access_block(entry),
        versioning: settings::versioning(entry),
        object_lock: settings::has_object_lock(entry),
        default_retention: settings::default_retention(entry),
        metadata: entry.content.as_slice().into(),
        lifecycle: settings::lifecycle(entry).map(Into::into),
        configurations: settings::configurations(entry).map(|(name, text)| (name.into(), text.into())).collect(),
        version: settings::version(entry),
        ..Bucket::new(&entry.name, &settings::owner(entry), entry.attributes().crtime)
    }
}

/// A name for an account, as SeaweedFS writes it, only ever names the owner, who needs no grant.
fn bucket_acl(text: &str) -> BucketAcl {
    BucketAcl { text: text.into(), list: Arc::new(bucket::acl::read(text, |_| None)) }
}

/// The entity in a document, or why it cannot be read.
fn parse<T: StoredDocument>(parsed: Result<(&str, Facts), String>) -> Read<T> {
    let read = parsed.and_then(|(text, facts)| T::parse(text, facts).map_err(|error| error.to_string()));
    read.map_err(|why| Unreadable(why.into()))
}

/// Refuses a document under the wrong name: otherwise two names would refer to it.
fn named<T, N: AsRef<str>>(read: Read<T>, file: &str, name: impl Fn(&T) -> N) -> Option<Read<T>> {
    let agreed = read.and_then(|entity| {
        let inside = name(&entity);
        let inside = inside.as_ref();
        if inside == file {
            return Ok(entity);
        }
        let why = format!("the file is named `{file}.json` but says `{inside}` inside; rename one of the two");
        Err(Unreadable(why.into()))
    });
    Some(agreed)
}

pub(crate) fn facts_of(entry: &Entry) -> Result<Facts, String> {
    let mut facts = match entry.extended.get(Facts::ATTRIBUTE) {
        None => Facts::default(),
        Some(bytes) => {
            let text = std::str::from_utf8(bytes).map_err(|_| format!("`{}` is not valid UTF-8", Facts::ATTRIBUTE))?;
            Facts::parse(text).map_err(|error| format!("the attribute `{}`: {error}", Facts::ATTRIBUTE))?
        }
    };
    if facts.created_s == 0 {
        facts.created_s = entry.attributes().crtime.max(0);
    }
    Ok(facts)
}

/// What a change writes: the document's text and the facts stored with it; `None` for a removal.
pub(crate) fn to_text(change: &Change) -> Option<(String, Facts)> {
    fn good<T>(read: &Option<Read<T>>) -> Option<&T> {
        read.as_ref()?.as_ref().ok()
    }
    fn of<T: StoredDocument>(read: &Option<Read<T>>) -> Option<(String, Facts)> {
        good(read).map(|stored| (stored.to_text(), stored.facts()))
    }
    match change {
        Change::User(_, read) => of(read),
        Change::ServiceAccount(_, read) => of(read),
        Change::Group(_, read) => of(read),
        Change::Role(_, _, read) => of(read),
        Change::Policy(_, _, read) => of(read),
        Change::Inline(_, _, read) => of(read),
        Change::WeedPolicies(read) => good(read).map(|document| (weed_policies::to_text(document), Facts::default())),
        Change::OidcProvider(_, read) => of(read),
        Change::OidcKeys(_, read) => of(read),
        Change::MfaDevice(_, read) => of(read),
        Change::Revocation(_, read) => of(read),
        Change::InstanceProfile(_, read) => of(read),
        Change::AccountAlias(_, read) => of(read),
        Change::AccountPublicAccessBlock(_, read) => of(read),
        Change::Bucket(..) => None,
    }
}

/// The entry of a document, with the attributes that SeaweedFS gives its own documents. Everything else in the old
/// entry is kept.
///
/// Conditions compare the MD5, so it must differ from write to write, even if a write changes only the facts and not
/// the text. It is therefore computed from the text and a `nonce`. Nothing checks it against the content, not even
/// SeaweedFS.
pub(crate) fn to_entry(name: &str, text: &str, facts: &Facts, old: Option<&Entry>, now_s: i64, nonce: u64) -> Entry {
    let content = text.as_bytes().to_vec();
    let known = old.map(|entry| entry.attributes().clone()).unwrap_or_default();
    let attributes = Attributes {
        file_size: content.len() as u64,
        mtime: now_s,
        crtime: if known.crtime == 0 { now_s } else { known.crtime },
        file_mode: if known.file_mode == 0 { 0o644 } else { known.file_mode },
        md5: version(&content, nonce),
        mtime_ns: 0,
        ..known
    };
    let extended = old.map(|entry| entry.extended.clone()).unwrap_or_default();
    let mut entry =
        Entry { name: name.to_owned(), attributes: Some(attributes), extended, content, ..Entry::default() };
    entry.extended.remove(ETAG_ATTRIBUTE);
    put_facts(&mut entry, facts);
    entry
}

fn version(content: &[u8], nonce: u64) -> Vec<u8> {
    Md5::new().chain_update(content).chain_update(nonce.to_be_bytes()).finalize().to_vec()
}

/// Puts the facts into a document's entry.
pub(crate) fn put_facts(entry: &mut Entry, facts: &Facts) {
    match facts.to_text() {
        Some(text) => entry.extended.insert(Facts::ATTRIBUTE.to_owned(), text.into_bytes()),
        None => entry.extended.remove(Facts::ATTRIBUTE),
    };
}

/// Puts the record of mirrored policies into the entry of SeaweedFS's shared document.
pub(crate) fn put_record(entry: &mut Entry, change: &Change) {
    let Change::WeedPolicies(Some(Ok(document))) = change else { return };
    match weed_policies::record(document) {
        Some(record) => entry.extended.insert(weed_policies::RECORD.to_owned(), record.into_bytes()),
        None => entry.extended.remove(weed_policies::RECORD),
    };
}

/// The same document as if it were written again.
pub(crate) fn rewritten(entry: &Entry, nonce: u64) -> Entry {
    let mut entry = entry.clone();
    let md5 = version(&entry.content, nonce);
    entry.extended.remove(ETAG_ATTRIBUTE);
    entry.attributes.get_or_insert_default().md5 = md5;
    entry
}

/// The ETag that the filer compares: the stored one, or else the MD5. `None` if the entry has neither.
pub(crate) fn etag(entry: &Entry) -> Option<String> {
    if let Some(stored) = entry.extended_text(ETAG_ATTRIBUTE).filter(|etag| !etag.is_empty()) {
        return Some(stored.trim_matches('"').to_owned());
    }
    let md5 = &entry.attributes().md5;
    (!md5.is_empty()).then(|| hex::encode(md5))
}

/// A number that changes with anything on which the fact depends. It never leaves this process.
pub(crate) fn fingerprint(entry: &Entry) -> u64 {
    let mut hasher = DefaultHasher::new();
    let attributes = entry.attributes();
    (&entry.content, &entry.extended, &attributes.md5, attributes.crtime, entry.quota).hash(&mut hasher);
    if !entry.chunks.is_empty() {
        // Content in chunks is not available for hashing. The chunks and the time of the last write represent it.
        (attributes.mtime, attributes.mtime_ns, attributes.file_size).hash(&mut hasher);
        for chunk in &entry.chunks {
            (&chunk.file_id, chunk.modified_ts_ns, &chunk.e_tag).hash(&mut hasher);
        }
    }
    hasher.finish()
}
