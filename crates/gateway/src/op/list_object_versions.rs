//! ListObjectVersions.

use access::Permit;
use bucket::listing::{After, Item, Page};
use bucket::object;
use s3::op::{ListObjectVersions, ListObjectVersionsOutput, ListedVersion};

use super::answer::{self, Answer};
use super::list_objects::{after_text, show_owners, summary};
use super::{Call, Run};
use crate::body::ObjectBody;
use crate::errors;

/// Lists all versions and delete markers. In a bucket that keeps no versions, each object is its version `null`.
impl Run for ListObjectVersions {
    async fn run(call: &Call<'_>, permit: Permit<Self>, _body: ObjectBody) -> Answer {
        call.existing_bucket()?;
        let request = permit.into_operation();
        let list = &request.list;
        let after = match &request.version_id_marker {
            Some(id) => After::Version(request.key_marker.clone(), id.to_string()),
            None => after_text(&request.key_marker, list),
        };
        let delimiter = list.delimiter.as_deref().unwrap_or("");
        let page = if list.prefix.can_match() {
            let objects = call.objects(&request.bucket);
            let page = objects.list_versions(list.prefix.as_str(), delimiter, after, list.page_entries() as usize);
            page.await.map_err(errors::from_filer)?
        } else {
            Page::default()
        };
        answer::document(output(call, request, page).to_xml())
    }
}

fn output(call: &Call<'_>, request: ListObjectVersions, page: Page) -> ListObjectVersionsOutput {
    let (next_key_marker, next_version_id_marker) = match page.next {
        Some(After::Version(key, id)) => (Some(key), Some(id)),
        next => (next.map(|next| next.text().to_owned()), None),
    };
    let (mut versions, mut common_prefixes) = (Vec::with_capacity(page.items.len()), Vec::new());
    for item in page.items {
        match item {
            Item::Version(version) => versions.push(ListedVersion {
                is_delete_marker: object::is_delete_marker(&version.entry),
                summary: summary(version.key, &version.entry, true),
                version_id: version.id,
                is_latest: version.is_latest,
            }),
            Item::CommonPrefix(prefix) => common_prefixes.push(prefix),
            Item::Object(..) => {}
        }
    }
    show_owners(call, versions.iter_mut().map(|version| &mut version.summary));
    ListObjectVersionsOutput {
        request,
        versions,
        common_prefixes,
        is_truncated: next_key_marker.is_some(),
        next_key_marker,
        next_version_id_marker,
    }
}
