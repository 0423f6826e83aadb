//! ListObjectVersions where nothing keeps versions: every object is its own version `null`, as S3 answers it.

use access::Permit;
use s3::S3Error;
use s3::op::{ListObjectVersions, ListObjectVersionsOutput};

use super::answer::{self, Answer};
use super::list_objects::{after_text, page, split};
use super::{Call, Run};
use crate::body::ObjectBody;

/// Lists keys as versions. A bucket that keeps versions is refused until they are supported.
impl Run for ListObjectVersions {
    async fn run(call: &Call<'_>, permit: Permit<Self>, _body: ObjectBody) -> Answer {
        if call.existing_bucket()?.keeps_versions() {
            return Err(S3Error::not_implemented("Listing the versions of a bucket with versioning"));
        }
        let request = permit.into_operation();
        let page = page(call, &request.bucket, &request.list, after_text(&request.key_marker, &request.list)).await?;
        let last = page.items.last().filter(|_| page.is_truncated);
        let next_key_marker = last.map(|item| item.text().to_owned());
        let is_truncated = page.is_truncated;
        let (versions, common_prefixes) = split(page, true);
        let output = ListObjectVersionsOutput { request, versions, common_prefixes, is_truncated, next_key_marker };
        answer::document(output.to_xml())
    }
}
