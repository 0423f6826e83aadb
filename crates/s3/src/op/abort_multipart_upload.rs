use super::multipart::upload_id;
use crate::S3Error;
use crate::request::Request;
use crate::requirement::Requirement;
use crate::routed::{Route, Routed};
use crate::s3_operation::S3Operation;
use crate::target::{Addressed, Target};
use crate::version_id::UploadId;

/// `DELETE /bucket/key?uploadId=`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AbortMultipartUpload {
    /// The object.
    pub target: Target,
    /// The upload.
    pub upload_id: UploadId,
}

impl Routed for AbortMultipartUpload {
    type On = Target;
    const ROUTE: Route = Route::sub("DELETE", "uploadId");

    fn parse(request: &Request<'_>, target: Target) -> Result<Self, S3Error> {
        if request.has_header("x-amz-if-match-initiated-time") {
            return Err(S3Error::not_implemented("The header x-amz-if-match-initiated-time"));
        }
        Ok(Self { target, upload_id: upload_id(request)? })
    }
}

impl S3Operation for AbortMultipartUpload {
    fn addressed(&self) -> Addressed<'_> {
        (&self.target).into()
    }

    fn needs(&self) -> Vec<Requirement> {
        vec![self.target.need("s3:AbortMultipartUpload")]
    }
}
