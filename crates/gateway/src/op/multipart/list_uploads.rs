//! ListMultipartUploads.

use crate::body::ObjectBody;
use crate::op::{Call, Run};
use access::Permit;
use bucket::object;
use bucket::uploads::{MultipartUpload, UploadsPage, UploadsQuery};
use s3::S3Error;
use s3::op::{ListMultipartUploads, ListMultipartUploadsOutput, UploadSummary};

use super::{initiator_of, owner_of};
use crate::errors;
use crate::op::answer::{self, Answer};

/// The unfinished uploads of a bucket, by key and upload id.
impl Run for ListMultipartUploads {
    async fn run(call: &Call<'_>, permit: Permit<Self>, _body: ObjectBody) -> Answer {
        let request = permit.into_operation();
        call.existing_bucket()?;
        let UploadsPage { uploads, common_prefixes, is_truncated, next_key_marker, next_upload_id_marker } =
            page(call, &request).await?;
        let uploads = uploads.iter().map(|upload| summary(call, upload)).collect();
        let output = ListMultipartUploadsOutput {
            request,
            uploads,
            common_prefixes,
            is_truncated,
            next_key_marker,
            next_upload_id_marker,
        };
        answer::document(output.to_xml())
    }
}

async fn page(call: &Call<'_>, request: &ListMultipartUploads) -> Result<UploadsPage, S3Error> {
    let max_uploads = usize::try_from(request.list.page_entries()).unwrap_or(usize::MAX);
    if max_uploads == 0 || !request.list.prefix.can_match() {
        return Ok(UploadsPage::default());
    }
    let query = UploadsQuery {
        prefix: request.list.prefix.as_str(),
        delimiter: request.list.delimiter.as_deref(),
        key_marker: &request.key_marker,
        upload_id_marker: &request.upload_id_marker,
        max_uploads,
    };
    call.objects(&request.bucket).list_uploads(&query).await.map_err(errors::from_filer)
}

fn summary(call: &Call<'_>, upload: &MultipartUpload) -> UploadSummary {
    UploadSummary {
        key: upload.key().to_owned(),
        upload_id: upload.id().to_owned(),
        initiator: initiator_of(call, upload),
        owner: owner_of(call, upload),
        storage_class: object::storage_class(&upload.entry).to_owned(),
        initiated: upload.entry.attributes().crtime,
        checksum: upload.checksum(),
    }
}
