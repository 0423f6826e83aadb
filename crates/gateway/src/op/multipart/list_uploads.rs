//! ListMultipartUploads.

use crate::body::ObjectBody;
use crate::op::{Call, Run};
use access::Permit;
use filer::{Entry, ListOptions};
use s3::S3Error;
use s3::op::{ListMultipartUploads, ListMultipartUploadsOutput, UploadSummary};

use super::{PAGE, checksum_of_upload, owner_of};
use crate::errors;
use crate::object::{self, attribute};
use crate::op::answer::{self, Answer};

/// The unfinished uploads of a bucket, by key and upload id.
impl Run for ListMultipartUploads {
    async fn run(call: &Call<'_>, permit: Permit<Self>, _body: ObjectBody) -> Answer {
        let input = permit.into_operation();
        call.existing_bucket()?;
        let directory = call.uploads_path(&input.bucket);
        let wanted = input.list.page_entries() > 0 && input.list.prefix.can_match();
        let uploads = if wanted { read_all(call, &directory, &input).await? } else { Vec::new() };
        answer::document(page(input, uploads).to_xml())
    }
}

/// All uploads behind the markers and under the prefix, in order. The filer knows them by the hash of their keys, so that a
/// page cannot be had without reading all.
async fn read_all(
    call: &Call<'_>,
    directory: &str,
    input: &ListMultipartUploads,
) -> Result<Vec<UploadSummary>, S3Error> {
    let mut uploads = Vec::new();
    let mut start_from = String::new();
    loop {
        let options = ListOptions { start_from, limit: PAGE, omit_chunks: true, ..ListOptions::default() };
        let entries = call.filer().list(directory, options).await.map_err(errors::from_filer)?;
        uploads.extend(entries.iter().filter_map(|entry| summary(entry, input)));
        match entries.last() {
            Some(last) if entries.len() >= PAGE => start_from = last.name.clone(),
            _ => break,
        }
    }
    uploads.sort_by(|one, other| (&one.key, &one.upload_id).cmp(&(&other.key, &other.upload_id)));
    Ok(uploads)
}

fn summary(entry: &Entry, input: &ListMultipartUploads) -> Option<UploadSummary> {
    let key = entry.extended_text(attribute::UPLOAD_KEY).filter(|_| entry.is_directory)?;
    let marker = input.key_marker.as_str();
    let is_behind = marker.is_empty()
        || key > marker
        || (key == marker && !input.upload_id_marker.is_empty() && entry.name > input.upload_id_marker);
    // A page may have ended with a common prefix: what it stands for was told.
    let was_told = !marker.is_empty() && group_of(input, key).is_some_and(|group| group == marker);
    if !is_behind || was_told || !key.starts_with(input.list.prefix.as_str()) {
        return None;
    }
    Some(UploadSummary {
        key: key.to_owned(),
        upload_id: entry.name.clone(),
        initiator: owner_of(entry),
        owner: owner_of(entry),
        storage_class: object::storage_class(entry).to_owned(),
        initiated: entry.attributes().crtime,
        checksum: checksum_of_upload(entry),
    })
}

/// The common prefix that a key belongs to.
fn group_of<'k>(input: &ListMultipartUploads, key: &'k str) -> Option<&'k str> {
    let delimiter = input.list.delimiter.as_deref()?;
    let prefix_bytes = input.list.prefix.as_str().len();
    let at = key.get(prefix_bytes..)?.find(delimiter)?;
    key.get(..prefix_bytes + at + delimiter.len())
}

fn page(input: ListMultipartUploads, all: Vec<UploadSummary>) -> ListMultipartUploadsOutput {
    let limit = usize::try_from(input.list.page_entries()).unwrap_or(usize::MAX);
    let (mut uploads, mut common_prefixes): (Vec<UploadSummary>, Vec<String>) = (Vec::new(), Vec::new());
    let (mut next_key, mut next_id) = (None, None);
    let mut is_truncated = false;
    for upload in all {
        let group = group_of(&input, &upload.key).map(str::to_owned);
        if group.is_some() && group.as_ref() == common_prefixes.last() {
            continue;
        }
        if uploads.len() + common_prefixes.len() >= limit {
            is_truncated = true;
            break;
        }
        match group {
            Some(group) => {
                (next_key, next_id) = (Some(group.clone()), None);
                common_prefixes.push(group);
            }
            None => {
                (next_key, next_id) = (Some(upload.key.clone()), Some(upload.upload_id.clone()));
                uploads.push(upload);
            }
        }
    }
    ListMultipartUploadsOutput {
        request: input,
        uploads,
        common_prefixes,
        is_truncated,
        next_key_marker: next_key.filter(|_| is_truncated),
        next_upload_id_marker: next_id.filter(|_| is_truncated),
    }
}
