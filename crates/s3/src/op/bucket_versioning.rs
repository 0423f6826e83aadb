use ids::BucketName;

use crate::checksum::BodyChecksums;
use crate::document;
use crate::request::Request;
use crate::requirement::Requirement;
use crate::routed::{Route, Routed};
use crate::s3_operation::S3Operation;
use crate::target::Addressed;
use crate::{S3Error, S3ErrorCode};

/// The largest document, in bytes.
const BODY_BYTES_MAX: usize = 16 << 10;

plain_operation! {
    /// `GET /bucket?versioning`.
    GetBucketVersioning { bucket: BucketName }
    route Route::sub("GET", "versioning");
    needs "s3:GetBucketVersioning";
}

/// The answer to GetBucketVersioning: `Enabled` or `Suspended`, or no status for a bucket that never had versions.
pub fn versioning_to_xml(status: Option<&str>) -> String {
    let mut xml = document::begin("VersioningConfiguration");
    xml.optional("Status", status);
    xml.close("VersioningConfiguration");
    xml.finish()
}

/// `PUT /bucket?versioning`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PutBucketVersioning {
    /// The bucket.
    pub bucket: BucketName,
    /// What the body is checked against.
    pub checksums: BodyChecksums,
    /// The status; absent until the body is read.
    pub status: Option<VersioningStatus>,
}

/// What versioning is set to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VersioningStatus {
    /// `Enabled`.
    Enabled,
    /// `Suspended`.
    Suspended,
}

impl VersioningStatus {
    /// S3's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Enabled => "Enabled",
            Self::Suspended => "Suspended",
        }
    }

    fn from_xml(body: &[u8]) -> Result<Self, S3Error> {
        let root = xml::parse(body, "VersioningConfiguration")?;
        root.only(&["Status", "MfaDelete"])?;
        match root.child_text("MfaDelete")?.map(str::trim) {
            None | Some("Disabled") => {}
            Some("Enabled") => return Err(S3Error::not_implemented("MFA delete (MfaDelete)")),
            Some(_) => return Err(S3Error::malformed_xml("`MfaDelete` is Enabled or Disabled")),
        }
        match root.child_text("Status")?.map(str::trim) {
            Some("Enabled") => Ok(Self::Enabled),
            Some("Suspended") => Ok(Self::Suspended),
            Some(_) => Err(S3Error::malformed_xml("`Status` is Enabled or Suspended")),
            None => {
                let message = "The Versioning element must be specified";
                Err(S3Error::with_message(S3ErrorCode::IllegalVersioningConfigurationException, message))
            }
        }
    }
}

impl Routed for PutBucketVersioning {
    type On = BucketName;
    const ROUTE: Route = Route::sub("PUT", "versioning");

    fn parse(request: &Request<'_>, bucket: BucketName) -> Result<Self, S3Error> {
        Ok(Self { bucket, checksums: BodyChecksums::parse(request)?, status: None })
    }
}

impl S3Operation for PutBucketVersioning {
    fn addressed(&self) -> Addressed<'_> {
        (&self.bucket).into()
    }

    fn needs(&self) -> Vec<Requirement> {
        vec![Requirement::on_bucket("s3:PutBucketVersioning", &self.bucket)]
    }

    fn body_limit(&self) -> Option<usize> {
        Some(BODY_BYTES_MAX)
    }

    fn read_body(&mut self, body: &[u8]) -> Result<(), S3Error> {
        self.status = Some(VersioningStatus::from_xml(body)?);
        Ok(())
    }

    fn checksums(&self) -> Option<&BodyChecksums> {
        Some(&self.checksums)
    }
}
