//! CreateMultipartUpload.

use crate::body::ObjectBody;
use crate::op::{Call, Run};
use access::Permit;
use s3::WriteCondition;
use s3::op::{CreateMultipartUpload, CreateMultipartUploadOutput};

use super::initiator::initiator;
use super::put;
use crate::errors;
use crate::op::answer::{self, Answer};
use crate::op::new_entry::{described, require_supported};
use bucket::multipart::upload_id;

/// AWS's words, with its two spaces.
const ANONYMOUS: &str = "Anonymous users cannot initiate multipart uploads.  Please authenticate.";

/// Begins an upload in parts. What the object will get is kept on the upload's directory.
impl Run for CreateMultipartUpload {
    async fn run(call: &Call<'_>, permit: Permit<Self>, _body: ObjectBody) -> Answer {
        let input = permit.into_operation();
        let initiator = initiator(&call.caller).ok_or_else(|| call.refuse(&put(&input.target), ANONYMOUS))?;
        let writer = call.writer_of_new(&input.object)?;
        require_supported(&input.object)?;
        call.check_condition_early(&input.target.bucket, &input.target.key, &WriteCondition::Always).await?;
        let checksum = input.checksum_algorithm.map(|algorithm| {
            let kind = input.checksum_type.unwrap_or(algorithm.default_type());
            (algorithm, kind)
        });
        let upload_id = upload_id(input.target.key.as_str());
        let mut description = described(&input.object);
        description.set_lock(&call.new_lock(&input.target, &input.object.lock)?);
        let entry = writer.stamp.upload(&upload_id, &input.target.key, initiator, description, checksum);
        writer.begin_upload(&input.target.key, entry).await.map_err(errors::from_filer)?;
        let output = CreateMultipartUploadOutput { bucket: input.target.bucket, key: input.target.key, upload_id };
        let mut response = answer::document(output.to_xml())?;
        if let Some((algorithm, kind)) = checksum {
            answer::set_named(response.headers_mut(), "x-amz-checksum-algorithm", algorithm.as_str());
            answer::set_named(response.headers_mut(), "x-amz-checksum-type", kind.as_str());
        }
        Ok(response)
    }
}
