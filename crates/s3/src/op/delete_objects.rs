use ids::{BucketName, ObjectKey};
use xml::{Element, XmlWriter};

use super::DeleteObject;
use crate::checksum::BodyChecksums;
use crate::conditional::{EntityTags, WriteCondition};
use crate::document;
use crate::request::Request;
use crate::requirement::{Requirement, all_keys};
use crate::routed::{Route, Routed};
use crate::s3_operation::S3Operation;
use crate::target::{Addressed, Target};
use crate::version_id::VersionId;
use crate::{S3Error, S3ErrorCode};

/// The most keys of one request.
pub const DELETE_KEYS_MAX: usize = 1000;

/// `POST /bucket?delete`. Every key is authorized separately.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeleteObjects {
    /// The bucket.
    pub bucket: BucketName,
    /// `x-amz-bypass-governance-retention: true`.
    pub bypass_governance_retention: bool,
    /// `x-amz-mfa`.
    pub mfa: Option<String>,
    /// What the body is checked against.
    pub checksums: BodyChecksums,
    /// What to delete; empty until the body is read.
    pub request: DeleteRequest,
}

/// The body of DeleteObjects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeleteRequest {
    /// What to delete, in order.
    pub objects: Vec<ObjectIdentifier>,
    /// Whether the answer lists only failures.
    pub quiet: bool,
}

/// One object of a DeleteObjects request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectIdentifier {
    /// The key as it was sent.
    pub key_text: String,
    /// The key. An error affects only the answer for this key.
    pub key: Result<ObjectKey, S3Error>,
    /// The version to remove permanently.
    pub version_id: Option<VersionId>,
    /// The tag, without quotes, that the object must have.
    pub etag: Option<String>,
}

impl DeleteRequest {
    /// Reads the body, which has 1 to 1000 objects; otherwise it is `MalformedXML`.
    pub fn from_xml(body: &[u8]) -> Result<Self, S3Error> {
        let root = xml::parse(body, "Delete")?;
        root.only(&["Object", "Quiet"])?;
        let quiet = match root.child_text("Quiet")?.map(str::trim) {
            None | Some("false") => false,
            Some("true") => true,
            Some(_) => return Err(S3Error::malformed_xml("`Quiet` must be true or false")),
        };
        let objects: Vec<_> = root.all("Object").map(ObjectIdentifier::from_element).collect::<Result<_, _>>()?;
        if objects.is_empty() || objects.len() > DELETE_KEYS_MAX {
            return Err(S3Error::malformed_xml(format_args!("{} objects; 1 to 1000 are allowed", objects.len())));
        }
        Ok(Self { objects, quiet })
    }
}

impl ObjectIdentifier {
    /// The condition for deleting the object.
    pub fn condition(&self) -> WriteCondition {
        match &self.etag {
            Some(etag) => WriteCondition::IfMatch(EntityTags::parse(etag)),
            None => WriteCondition::Always,
        }
    }

    fn from_element(object: &Element) -> Result<Self, S3Error> {
        object.only(&["Key", "VersionId", "ETag", "LastModifiedTime", "Size"])?;
        if object.one("LastModifiedTime")?.is_some() || object.one("Size")?.is_some() {
            return Err(S3Error::not_implemented("A delete with the condition LastModifiedTime or Size"));
        }
        let key_text = object.required("Key")?.to_owned();
        if key_text.is_empty() {
            return Err(S3Error::new(S3ErrorCode::UserKeyMustBeSpecified));
        }
        let version = object.child_text("VersionId")?.map(str::trim).filter(|version| !version.is_empty());
        Ok(Self {
            key: crate::target::object_key(&key_text),
            key_text,
            version_id: version.map(str::parse).transpose()?,
            etag: object.child_text("ETag")?.map(|etag| etag.trim().trim_matches('"').to_owned()),
        })
    }
}

/// The result for one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeletedObject {
    /// The key as it was sent.
    pub key: String,
    /// The version as it was sent.
    pub version_id: Option<String>,
    /// The delete marker that was created or removed.
    pub delete_marker_version_id: Option<String>,
    /// Why it was not deleted; `None` if it was deleted or did not exist.
    pub error: Option<S3Error>,
}

/// The answer to DeleteObjects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeleteObjectsOutput {
    /// In the order of the request.
    pub objects: Vec<DeletedObject>,
    /// Whether only failures are listed.
    pub quiet: bool,
}

impl DeleteObjectsOutput {
    /// The document of the answer.
    pub fn to_xml(&self) -> String {
        let mut xml = document::begin("DeleteResult");
        for object in &self.objects {
            match &object.error {
                None if self.quiet => {}
                None => write_deleted(object, &mut xml),
                Some(error) => write_error(object, error, &mut xml),
            }
        }
        xml.close("DeleteResult");
        xml.finish()
    }
}

fn write_deleted(object: &DeletedObject, xml: &mut XmlWriter) {
    xml.open("Deleted");
    xml.text("Key", &object.key);
    xml.optional("VersionId", object.version_id.as_deref());
    if let Some(marker) = &object.delete_marker_version_id {
        xml.value("DeleteMarker", true);
        xml.text("DeleteMarkerVersionId", marker);
    }
    xml.close("Deleted");
}

fn write_error(object: &DeletedObject, error: &S3Error, xml: &mut XmlWriter) {
    xml.open("Error");
    xml.text("Key", &object.key);
    xml.optional("VersionId", object.version_id.as_deref());
    xml.text("Code", error.code.as_str());
    xml.text("Message", error.message());
    xml.close("Error");
}

impl Routed for DeleteObjects {
    type On = BucketName;
    const ROUTE: Route = Route::sub("POST", "delete");

    fn parse(request: &Request<'_>, bucket: BucketName) -> Result<Self, S3Error> {
        Ok(Self {
            bucket,
            bypass_governance_retention: request.flag("x-amz-bypass-governance-retention")?,
            mfa: request.owned_header("x-amz-mfa")?,
            checksums: BodyChecksums::parse(request)?,
            request: DeleteRequest::default(),
        })
    }
}

impl S3Operation for DeleteObjects {
    fn addressed(&self) -> Addressed<'_> {
        (&self.bucket).into()
    }

    fn needs(&self) -> Vec<Requirement> {
        // Each key is decided separately: `delete_at`.
        Vec::new()
    }

    fn first_needs(&self) -> Vec<Requirement> {
        ["s3:DeleteObject", "s3:DeleteObjectVersion"]
            .into_iter()
            .flat_map(|action| all_keys(action, &self.bucket))
            .collect()
    }

    fn body_limit(&self) -> Option<usize> {
        Some(2 << 20)
    }

    fn read_body(&mut self, body: &[u8]) -> Result<(), S3Error> {
        self.request = DeleteRequest::from_xml(body)?;
        Ok(())
    }

    fn checksums(&self) -> Option<&BodyChecksums> {
        Some(&self.checksums)
    }
}

impl DeleteObjects {
    /// The deletion of one of the objects, at the key that its identifier gives.
    pub fn delete_at(&self, key: ObjectKey, object: &ObjectIdentifier) -> DeleteObject {
        DeleteObject {
            target: Target { bucket: self.bucket.clone(), key, version_id: object.version_id.clone() },
            condition: object.condition(),
            bypass_governance_retention: self.bypass_governance_retention,
            mfa: self.mfa.clone(),
        }
    }
}
