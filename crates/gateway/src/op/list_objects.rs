//! ListObjects, versions 1 and 2.

use access::Permit;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use filer::Entry;
use ids::BucketName;
use s3::op::{ListObjects, ListObjectsOutput, ListObjectsV2, ListObjectsV2Output, ListQuery, ObjectSummary, Owner};
use s3::{ChecksumType, S3Error};

use super::answer::{self, Answer};
use super::{Call, Run};
use crate::body::ObjectBody;
use crate::errors;
use crate::listing::{self, After, Item, Page, Query};
use crate::object::{self, attribute};

/// Version 1: pages go on after a key.
impl Run for ListObjects {
    async fn run(call: &Call<'_>, permit: Permit<Self>, _body: ObjectBody) -> Answer {
        let request = permit.into_operation();
        let after = after_text(&request.marker, &request.list);
        let page = page(call, &request.bucket, &request.list, after).await?;
        let next_marker = page.items.last().filter(|_| page.is_truncated).map(|item| match item {
            Item::Object(key, _) => key.clone(),
            Item::CommonPrefix(prefix) => prefix.clone(),
        });
        let is_truncated = page.is_truncated;
        let (contents, common_prefixes) = split(page, true);
        answer::document(ListObjectsOutput { request, contents, common_prefixes, is_truncated, next_marker }.to_xml())
    }
}

/// Version 2: pages go on with a token.
impl Run for ListObjectsV2 {
    async fn run(call: &Call<'_>, permit: Permit<Self>, _body: ObjectBody) -> Answer {
        let request = permit.into_operation();
        let after = match (&request.continuation_token, &request.start_after) {
            (Some(token), _) => read_token(token)?,
            (None, Some(key)) => after_text(key, &request.list),
            (None, None) => After::Beginning,
        };
        let page = page(call, &request.bucket, &request.list, after).await?;
        let next_continuation_token =
            page.items.last().filter(|_| page.is_truncated).map(|item| write_token(&item.after()));
        let (contents, common_prefixes) = split(page, request.fetch_owner);
        answer::document(ListObjectsV2Output { request, contents, common_prefixes, next_continuation_token }.to_xml())
    }
}

pub(super) async fn page(
    call: &Call<'_>,
    bucket: &BucketName,
    list: &ListQuery,
    after: After,
) -> Result<Page, S3Error> {
    let versions = call.existing_bucket()?.keeps_versions();
    if !list.prefix.can_match() {
        return Ok(Page::default());
    }
    let query = Query {
        bucket_path: call.bucket_path(bucket),
        prefix: list.prefix.as_str().to_owned(),
        delimiter: list.delimiter.clone().unwrap_or_default(),
        after,
        max_keys: list.page_entries() as usize,
        versions,
    };
    listing::list(call.filer(), &query).await.map_err(errors::from_filer)
}

/// A key to go on after. One that ends in the delimiter was a common prefix of the page before.
pub(super) fn after_text(text: &str, list: &ListQuery) -> After {
    match list.delimiter.as_deref() {
        _ if text.is_empty() => After::Beginning,
        Some(delimiter) if text.ends_with(delimiter) && text.len() > list.prefix.as_str().len() => {
            After::Prefix(text.to_owned())
        }
        _ => After::Key(text.to_owned()),
    }
}

fn write_token(after: &After) -> String {
    let (kind, text) = match after {
        After::Beginning => ('k', ""),
        After::Key(key) => ('k', key.as_str()),
        After::Prefix(prefix) => ('p', prefix.as_str()),
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

pub(super) fn split(page: Page, with_owner: bool) -> (Vec<ObjectSummary>, Vec<String>) {
    let (mut contents, mut prefixes) = (Vec::with_capacity(page.items.len()), Vec::new());
    for item in page.items {
        match item {
            Item::Object(key, entry) => contents.push(summary(key, &entry, with_owner)),
            Item::CommonPrefix(prefix) => prefixes.push(prefix),
        }
    }
    (contents, prefixes)
}

/// One line of a listing.
pub fn summary(key: String, entry: &Entry, with_owner: bool) -> ObjectSummary {
    let owner = |id: &str| Owner { id: id.to_owned(), display_name: id.to_owned() };
    let checksum = answer::stored_checksum(entry).map(|(algorithm, _)| {
        let composite = answer::stored_checksum_type(entry) == ChecksumType::Composite.as_str();
        (algorithm, if composite { ChecksumType::Composite } else { ChecksumType::FullObject })
    });
    ObjectSummary {
        key,
        last_modified: entry.attributes().mtime,
        etag: entry.etag(),
        checksum,
        size: entry.content_bytes(),
        storage_class: object::storage_class(entry).to_owned(),
        owner: with_owner.then(|| owner(entry.extended_text(attribute::OWNER).unwrap_or_default())),
    }
}
