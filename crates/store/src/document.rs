//! Entries of the filer as facts, and facts as entries.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use filer::{Attributes, Entry};
use iam::{
    AccountAliasDocument, Bucket, Change, Facts, GroupDocument, InstanceProfileDocument, JsonError,
    OidcProviderDocument, PolicyText, Read, RoleDocument, RolePlace, ServiceAccountDocument, Unreadable, UserDocument,
    WeedPolicies,
};
use md5::{Digest, Md5};

use crate::layout::Document;

/// weed's name for an ETag that it stored itself; on a document of IAM it would go stale and hide the MD5.
const STORED_ETAG: &str = "Seaweed-X-Amz-ETag";

/// A document larger than this is not read: nothing of IAM comes near it.
pub(crate) const LARGEST: u64 = 4 << 20;

/// The fact that a stored document states. `content` is an error when it could not be fetched or is too large.
pub(crate) fn to_change(document: &Document, entry: &Entry, content: Result<&[u8], String>) -> Change {
    let read = content.and_then(|bytes| std::str::from_utf8(bytes).map_err(|_| "it is no UTF-8 text".to_owned()));
    let facts = facts_of(entry);
    let parsed = read.and_then(|text| Ok((text, facts?)));
    fn parse<T>(
        parsed: Result<(&str, Facts), String>,
        read: impl FnOnce(&str, Facts) -> Result<T, JsonError>,
    ) -> Option<Read<T>> {
        let parsed = parsed.and_then(|(text, facts)| read(text, facts).map_err(|error| error.to_string()));
        Some(parsed.map_err(|why| Unreadable(why.into())))
    }
    let policy = |text: &str, facts: Facts| Ok(PolicyText { text: text.into(), facts });
    match document {
        Document::User(name) => {
            let read = parse(parsed, UserDocument::parse);
            Change::User(name.clone(), read.map(|read| named(read, name, |user| user.name.clone())))
        }
        Document::ServiceAccount(id) => {
            let read = parse(parsed, ServiceAccountDocument::parse);
            Change::ServiceAccount(id.clone(), read.map(|read| named(read, id, |account| account.id.clone())))
        }
        Document::Group(name) => {
            let read = parse(parsed, GroupDocument::parse);
            Change::Group(name.clone(), read.map(|read| named(read, name, |group| group.name.clone())))
        }
        Document::Role(name) => {
            let read = parse(parsed, RoleDocument::parse);
            Change::Role(name.clone(), RolePlace::Base, read.map(|read| named(read, name, |role| role.name.clone())))
        }
        Document::Policy(name, place) => Change::Policy(name.clone(), *place, parse(parsed, policy)),
        Document::Inline(holder, name) => Change::Inline(holder.clone(), name.clone(), parse(parsed, policy)),
        Document::WeedPolicies => Change::WeedPolicies(parse(parsed, |text, _| {
            let record = entry.extended_text(WeedPolicies::RECORD).unwrap_or_default();
            Ok(WeedPolicies::parse(text)?.with_record(record))
        })),
        Document::OidcProvider(stem) => {
            let read = parse(parsed, OidcProviderDocument::parse);
            let of_arn = |provider: &OidcProviderDocument| OidcProviderDocument::file_stem(&provider.arn);
            Change::OidcProvider(stem.clone(), read.map(|read| named(read, stem, of_arn)))
        }
        Document::InstanceProfile(name) => {
            let read = parse(parsed, |text, _| InstanceProfileDocument::parse(text));
            Change::InstanceProfile(name.clone(), read.map(|read| named(read, name, |profile| profile.name.clone())))
        }
        Document::AccountAlias(account) => {
            let read = parse(parsed, |text, _| AccountAliasDocument::parse(text));
            Change::AccountAlias(account.clone(), read.map(|read| named(read, account, |alias| alias.account.clone())))
        }
        Document::Bucket(name) => Change::Bucket(name.clone(), Some(Arc::new(bucket(entry, None)))),
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
        Document::InstanceProfile(name) => Change::InstanceProfile(name.clone(), None),
        Document::AccountAlias(account) => Change::AccountAlias(account.clone(), None),
        Document::Bucket(name) => Change::Bucket(name.clone(), None),
    }
}

/// A bucket's facts. `previous` saves compiling a policy that did not change.
pub(crate) fn bucket(entry: &Entry, previous: Option<&Bucket>) -> Bucket {
    let created_s = entry.attributes().crtime;
    Bucket::read(&entry.name, &entry.extended, &entry.content, created_s, entry.quota, previous)
}

/// A document under the wrong name would answer to two names.
fn named<T, N: AsRef<str>>(read: Read<T>, file: &str, name: impl Fn(&T) -> N) -> Read<T> {
    let document = read?;
    let inside = name(&document);
    let inside = inside.as_ref();
    if inside == file {
        return Ok(document);
    }
    Err(Unreadable(format!("the file is named `{file}.json` but says `{inside}` inside; rename one of the two").into()))
}

pub(crate) fn facts_of(entry: &Entry) -> Result<Facts, String> {
    let mut facts = match entry.extended.get(Facts::ATTRIBUTE) {
        None => Facts::default(),
        Some(bytes) => {
            let text = std::str::from_utf8(bytes).map_err(|_| format!("`{}` is no UTF-8", Facts::ATTRIBUTE))?;
            Facts::parse(text).map_err(|error| format!("the attribute `{}`: {error}", Facts::ATTRIBUTE))?
        }
    };
    if facts.created_s == 0 {
        facts.created_s = entry.attributes().crtime.max(0);
    }
    Ok(facts)
}

/// What a change writes: the document's text and the facts beside it; `None` for a removal.
pub(crate) fn to_text(change: &Change) -> Option<(String, Facts)> {
    fn good<T>(read: &Option<Read<T>>) -> Option<&T> {
        read.as_ref()?.as_ref().ok()
    }
    match change {
        Change::User(_, read) => good(read).map(|user| (user.to_text(), user.facts.clone())),
        Change::ServiceAccount(_, read) => good(read).map(|account| (account.to_text(), account.facts.clone())),
        Change::Group(_, read) => good(read).map(|group| (group.to_text(), group.facts.clone())),
        Change::Role(_, _, read) => good(read).map(|role| (role.to_text(), role.facts.clone())),
        Change::Policy(_, _, read) | Change::Inline(_, _, read) => {
            good(read).map(|policy| (policy.text.to_string(), policy.facts.clone()))
        }
        Change::WeedPolicies(read) => good(read).map(|document| (document.to_text(), Facts::default())),
        Change::OidcProvider(_, read) => good(read).map(|provider| (provider.to_text(), provider.facts.clone())),
        Change::InstanceProfile(_, read) => good(read).map(|profile| (profile.to_text(), Facts::default())),
        Change::AccountAlias(_, read) => good(read).map(|alias| (alias.to_text(), Facts::default())),
        Change::Bucket(..) => None,
    }
}

/// The entry of a document, with the attributes that weed gives its own; what else the old entry carried is kept.
///
/// Conditions compare the MD5, which must therefore differ from write to write, also between two that leave the text alone and
/// change the facts beside it: it is made of the text and a `nonce`. Nobody checks it against the content, weed included.
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
    entry.extended.remove(STORED_ETAG);
    put_facts(&mut entry, facts);
    entry
}

fn version(content: &[u8], nonce: u64) -> Vec<u8> {
    Md5::new().chain_update(content).chain_update(nonce.to_be_bytes()).finalize().to_vec()
}

/// Puts the facts beside a document's text.
pub(crate) fn put_facts(entry: &mut Entry, facts: &Facts) {
    match facts.to_text() {
        Some(text) => entry.extended.insert(Facts::ATTRIBUTE.to_owned(), text.into_bytes()),
        None => entry.extended.remove(Facts::ATTRIBUTE),
    };
}

/// Puts the record of what was mirrored beside weed's shared document.
pub(crate) fn put_record(entry: &mut Entry, change: &Change) {
    let Change::WeedPolicies(Some(Ok(document))) = change else { return };
    match document.record() {
        Some(record) => entry.extended.insert(WeedPolicies::RECORD.to_owned(), record.into_bytes()),
        None => entry.extended.remove(WeedPolicies::RECORD),
    };
}

/// The same document as one more write of it.
pub(crate) fn rewritten(entry: &Entry, nonce: u64) -> Entry {
    let mut entry = entry.clone();
    let md5 = version(&entry.content, nonce);
    entry.extended.remove(STORED_ETAG);
    entry.attributes.get_or_insert_default().md5 = md5;
    entry
}

/// The ETag that the filer compares: the stored one, else the MD5. `None` when the entry has neither.
pub(crate) fn etag(entry: &Entry) -> Option<String> {
    if let Some(stored) = entry.extended_text(STORED_ETAG).filter(|etag| !etag.is_empty()) {
        return Some(stored.trim_matches('"').to_owned());
    }
    let md5 = &entry.attributes().md5;
    (!md5.is_empty()).then(|| hex::encode(md5))
}

/// A number that differs when anything differs that a fact is made of. It never leaves this process.
pub(crate) fn fingerprint(entry: &Entry) -> u64 {
    let mut hasher = DefaultHasher::new();
    let attributes = entry.attributes();
    (&entry.content, &entry.extended, &attributes.md5, attributes.crtime, entry.quota).hash(&mut hasher);
    if !entry.chunks.is_empty() {
        // Content in chunks is not here to be hashed: the chunks and the time of the last write stand for it.
        (attributes.mtime, attributes.mtime_ns, attributes.file_size).hash(&mut hasher);
        for chunk in &entry.chunks {
            (&chunk.file_id, chunk.modified_ts_ns, &chunk.e_tag).hash(&mut hasher);
        }
    }
    hasher.finish()
}
