//! ListObjects, versions 1 and 2.

use access::Permit;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use filer::Entry;
use ids::BucketName;
use s3::S3Error;
use s3::op::{ListObjects, ListObjectsOutput, ListObjectsV2, ListObjectsV2Output, ListQuery, ObjectSummary, Owner};

use super::answer::{self, Answer};
use super::{Call, Run};
use crate::body::ObjectBody;
use crate::errors;
use bucket::listing::{After, Item, Page};
use bucket::object;

/// Version 1: a page begins after a key.
impl Run for ListObjects {
    async fn run(call: &Call<'_>, permit: Permit<Self>, _body: ObjectBody) -> Answer {
        let request = permit.into_operation();
        let after = after_text(&request.marker, &request.list);
        let page = page(call, &request.bucket, &request.list, after).await?;
        let next_marker = page.next.as_ref().map(|next| next.text().to_owned());
        let (contents, common_prefixes) = split(call, page, true);
        answer::document(ListObjectsOutput { request, contents, common_prefixes, next_marker }.to_xml())
    }
}

/// Version 2: a page begins at a token.
impl Run for ListObjectsV2 {
    async fn run(call: &Call<'_>, permit: Permit<Self>, _body: ObjectBody) -> Answer {
        let request = permit.into_operation();
        let token = request.continuation_token.as_ref().filter(|token| !token.is_empty());
        let after = match (token, &request.start_after) {
            (Some(token), _) => read_token(token)?,
            (None, Some(key)) => after_text(key, &request.list),
            (None, None) => After::Beginning,
        };
        let page = page(call, &request.bucket, &request.list, after).await?;
        let next_continuation_token = page.next.as_ref().map(write_token);
        let (contents, common_prefixes) = split(call, page, request.fetch_owner);
        answer::document(ListObjectsV2Output { request, contents, common_prefixes, next_continuation_token }.to_xml())
    }
}

pub(super) async fn page(
    call: &Call<'_>,
    bucket: &BucketName,
    list: &ListQuery,
    after: After,
) -> Result<Page, S3Error> {
    call.existing_bucket()?;
    if !list.prefix.can_match() {
        return Ok(Page::default());
    }
    let delimiter = list.delimiter.as_deref().unwrap_or("");
    let page = call.objects(bucket).list(list.prefix.as_str(), delimiter, after, list.page_entries() as usize).await;
    page.map_err(errors::from_filer)
}

/// The key after which to continue. If it ends where the delimiter first occurs, it was a common prefix on the previous page.
pub(super) fn after_text(text: &str, list: &ListQuery) -> After {
    let rest = text.strip_prefix(list.prefix.as_str()).unwrap_or("");
    match list.delimiter.as_deref().and_then(|delimiter| rest.split_once(delimiter)) {
        _ if text.is_empty() => After::Beginning,
        Some((_, "")) => After::Prefix(text.to_owned()),
        _ => After::Key(text.to_owned()),
    }
}

fn write_token(after: &After) -> String {
    let (kind, text) = match after {
        After::Beginning => ('k', ""),
        After::Key(key) => ('k', key.as_str()),
        After::Prefix(prefix) => ('p', prefix.as_str()),
        After::Version(key, _) => ('k', key.as_str()),
    };
    URL_SAFE_NO_PAD.encode(format!("{kind}{text}"))
}

fn read_token(token: &str) -> Result<After, S3Error> {
    let text = URL_SAFE_NO_PAD.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    match text.as_deref().and_then(|text| text.split_at_checked(1)) {
        Some(("k", key)) => Ok(After::Key(key.to_owned())),
        Some(("p", prefix)) => Ok(After::Prefix(prefix.to_owned())),
        _ => {
            Err(S3Error::invalid_argument("continuation-token", token, "The continuation token provided is incorrect"))
        }
    }
}

pub(super) fn split(call: &Call<'_>, page: Page, with_owner: bool) -> (Vec<ObjectSummary>, Vec<String>) {
    let (mut contents, mut prefixes) = (Vec::with_capacity(page.items.len()), Vec::new());
    for item in page.items {
        match item {
            Item::Object(key, entry) => contents.push(summary(key, &entry, with_owner)),
            Item::CommonPrefix(prefix) => prefixes.push(prefix),
            Item::Version(version) => contents.push(summary(version.key, &version.entry, with_owner)),
        }
    }
    show_owners(call, contents.iter_mut());
    (contents, prefixes)
}

/// Replaces stored owner ids by what S3 shows. Objects next to each other mostly have the same owner.
pub(super) fn show_owners<'s>(call: &Call<'_>, contents: impl Iterator<Item = &'s mut ObjectSummary>) {
    let mut last: Option<(String, Owner)> = None;
    for owner in contents.filter_map(|object| object.owner.as_mut()) {
        let stored = std::mem::take(&mut owner.id);
        let (_, shown) = match last.take() {
            Some(known) if known.0 == stored => last.insert(known),
            _ => {
                let shown = call.shown_owner(&stored);
                last.insert((stored, shown))
            }
        };
        owner.clone_from(shown);
    }
}

/// One line of a listing.
pub fn summary(key: String, entry: &Entry, with_owner: bool) -> ObjectSummary {
    let owner = |id: &str| Owner { id: id.to_owned(), ..Owner::default() };
    let checksum = object::checksum(entry).map(|(algorithm, _)| (algorithm, object::checksum_type(entry)));
    ObjectSummary {
        key,
        last_modified: entry.attributes().mtime,
        etag: entry.etag(),
        checksum,
        size: entry.content_bytes(),
        storage_class: object::storage_class(entry).to_owned(),
        owner: with_owner.then(|| owner(object::owner(entry).unwrap_or_default())),
    }
}
