use ids::BucketName;

use crate::S3Error;
use crate::checksum::BodyChecksums;
use crate::condition_keys::ConditionKeys;
use crate::object_headers::AclHeaders;
use crate::operation::{Routed, S3Operation};
use crate::request::Request;
use crate::requirement::Requirement;
use crate::route::Route;
use crate::target::{Addressed, Target};
use crate::xml::XmlWriter;

plain_operation! {
    /// `GET /bucket?acl`.
    GetBucketAcl { bucket: BucketName }
    route Route::sub("GET", "acl");
    needs "s3:GetBucketAcl";
}

/// `PUT /bucket?acl`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PutBucketAcl {
    /// The bucket.
    pub bucket: BucketName,
    /// `x-amz-acl` and `x-amz-grant-*`.
    pub acl: AclHeaders,
    /// What the body is checked against.
    pub checksums: BodyChecksums,
}

impl Routed for PutBucketAcl {
    type On = BucketName;
    const ROUTE: Route = Route::sub("PUT", "acl");

    fn parse(request: &Request<'_>, bucket: BucketName) -> Result<Self, S3Error> {
        Ok(Self { bucket, acl: AclHeaders::parse(request)?, checksums: BodyChecksums::parse(request)? })
    }
}

impl S3Operation for PutBucketAcl {
    fn addressed(&self) -> Addressed<'_> {
        (&self.bucket).into()
    }

    fn needs(&self) -> Vec<Requirement> {
        vec![Requirement::on_bucket("s3:PutBucketAcl", &self.bucket)]
    }

    fn set_condition_keys(&self, keys: &mut ConditionKeys<'_>) -> Result<(), S3Error> {
        keys.acl(&self.acl);
        Ok(())
    }

    fn checksums(&self) -> Option<&BodyChecksums> {
        Some(&self.checksums)
    }
}

plain_operation! {
    /// `GET /bucket/key?acl`.
    GetObjectAcl { target: Target }
    route Route::sub("GET", "acl").of_version();
    needs "s3:GetObjectAcl", "s3:GetObjectVersionAcl";
}

/// `PUT /bucket/key?acl`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PutObjectAcl {
    /// The object.
    pub target: Target,
    /// `x-amz-acl` and `x-amz-grant-*`.
    pub acl: AclHeaders,
    /// What the body is checked against.
    pub checksums: BodyChecksums,
}

impl Routed for PutObjectAcl {
    type On = Target;
    const ROUTE: Route = Route::sub("PUT", "acl").of_version();

    fn parse(request: &Request<'_>, target: Target) -> Result<Self, S3Error> {
        Ok(Self { target, acl: AclHeaders::parse(request)?, checksums: BodyChecksums::parse(request)? })
    }
}

impl S3Operation for PutObjectAcl {
    fn addressed(&self) -> Addressed<'_> {
        (&self.target).into()
    }

    fn needs(&self) -> Vec<Requirement> {
        vec![self.target.need_of_version("s3:PutObjectAcl", "s3:PutObjectVersionAcl")]
    }

    fn set_condition_keys(&self, keys: &mut ConditionKeys<'_>) -> Result<(), S3Error> {
        keys.acl(&self.acl);
        Ok(())
    }

    fn checksums(&self) -> Option<&BodyChecksums> {
        Some(&self.checksums)
    }
}

/// One grant of an access control list, as it is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grant {
    /// `CanonicalUser` or `Group`.
    pub kind: String,
    /// The canonical id of a user.
    pub id: Option<String>,
    /// The name shown with it.
    pub display_name: Option<String>,
    /// The URI of a group.
    pub uri: Option<String>,
    /// For example `FULL_CONTROL`.
    pub permission: String,
}

/// The answer to GetBucketAcl and GetObjectAcl. Without grants, the owner has full control.
pub fn acl_to_xml(owner: &str, grants: &[Grant]) -> String {
    let mut xml = XmlWriter::document();
    xml.open_root("AccessControlPolicy");
    xml.open("Owner");
    xml.text("ID", owner);
    xml.text("DisplayName", owner);
    xml.close("Owner");
    xml.open("AccessControlList");
    if grants.is_empty() {
        let (id, display_name) = (Some(owner.to_owned()), Some(owner.to_owned()));
        let (kind, permission) = ("CanonicalUser".to_owned(), "FULL_CONTROL".to_owned());
        write_grant(&Grant { kind, id, display_name, uri: None, permission }, &mut xml);
    }
    grants.iter().for_each(|grant| write_grant(grant, &mut xml));
    xml.close("AccessControlList");
    xml.close("AccessControlPolicy");
    xml.finish()
}

fn write_grant(grant: &Grant, xml: &mut XmlWriter) {
    xml.open("Grant");
    let namespace = ("xmlns:xsi", "http://www.w3.org/2001/XMLSchema-instance");
    xml.open_with("Grantee", &[namespace, ("xsi:type", &grant.kind)]);
    xml.optional("ID", grant.id.as_deref());
    xml.optional("DisplayName", grant.display_name.as_deref());
    xml.optional("URI", grant.uri.as_deref());
    xml.close("Grantee");
    xml.text("Permission", &grant.permission);
    xml.close("Grant");
}
