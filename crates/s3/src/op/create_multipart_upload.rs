use ids::{BucketName, ObjectKey};

use crate::checksum::{self, ChecksumAlgorithm, ChecksumType};
use crate::condition_keys::ConditionKeys;
use crate::document;
use crate::object_headers::ObjectHeaders;
use crate::request::Request;
use crate::requirement::{Requirement, write_object};
use crate::routed::{Route, Routed};
use crate::s3_operation::S3Operation;
use crate::target::{Addressed, Target};
use crate::{S3Error, S3ErrorCode};

/// `POST /bucket/key?uploads`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateMultipartUpload {
    /// The object.
    pub target: Target,
    /// What the object gets when the upload is completed.
    pub object: Box<ObjectHeaders>,
    /// `x-amz-checksum-algorithm`.
    pub checksum_algorithm: Option<ChecksumAlgorithm>,
    /// `x-amz-checksum-type`, or the default of the algorithm; absent without an algorithm.
    pub checksum_type: Option<ChecksumType>,
}

/// SHA checksums cannot cover the full object, and CRC-64 cannot be composite.
fn check_type(
    algorithm: Option<ChecksumAlgorithm>,
    wanted: Option<ChecksumType>,
) -> Result<Option<ChecksumType>, S3Error> {
    let Some(algorithm) = algorithm else {
        return match wanted {
            None => Ok(None),
            Some(_) => Err(S3Error::with_message(
                S3ErrorCode::InvalidRequest,
                "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.",
            )),
        };
    };
    let wanted = wanted.unwrap_or_else(|| algorithm.default_type());
    if !algorithm.supports(wanted) {
        return Err(S3Error::with_message(
            S3ErrorCode::InvalidRequest,
            format!(
                "The {} checksum type cannot be used with the {} checksum algorithm.",
                wanted.as_str(),
                algorithm.as_str().to_ascii_lowercase()
            ),
        ));
    }
    Ok(Some(wanted))
}

/// The answer to CreateMultipartUpload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateMultipartUploadOutput {
    /// The bucket.
    pub bucket: BucketName,
    /// The key.
    pub key: ObjectKey,
    /// The new upload.
    pub upload_id: String,
}

impl CreateMultipartUploadOutput {
    /// The document of the answer.
    pub fn to_xml(&self) -> String {
        let mut xml = document::begin("InitiateMultipartUploadResult");
        xml.text("Bucket", self.bucket.as_str());
        xml.text("Key", self.key.as_str());
        xml.text("UploadId", &self.upload_id);
        xml.close("InitiateMultipartUploadResult");
        xml.finish()
    }
}

impl Routed for CreateMultipartUpload {
    type On = Target;
    const ROUTE: Route = Route::sub("POST", "uploads");

    fn parse(request: &Request<'_>, target: Target) -> Result<Self, S3Error> {
        let checksum_algorithm = checksum::named(request, "x-amz-checksum-algorithm")?;
        let checksum_type = checksum::checksum_type(request)?;
        Ok(Self {
            target,
            object: Box::new(ObjectHeaders::parse(request)?),
            checksum_algorithm,
            checksum_type: check_type(checksum_algorithm, checksum_type)?,
        })
    }
}

impl S3Operation for CreateMultipartUpload {
    fn addressed(&self) -> Addressed<'_> {
        (&self.target).into()
    }

    fn needs(&self) -> Vec<Requirement> {
        write_object(&self.target, &self.object)
    }

    fn set_condition_keys(&self, keys: &mut ConditionKeys<'_>) -> Result<(), S3Error> {
        keys.creates_object(false);
        keys.object(&self.object);
        Ok(())
    }

    fn makes_missing_bucket(&self) -> bool {
        true
    }
}
