use ids::AclPermission::{FullControl, Read, ReadAcp, Write, WriteAcp};
use ids::{AccessControlList, AccountId, AclGrant, BucketName, Grantee};
use xml::XmlWriter;

use crate::S3Error;
use crate::checksum::BodyChecksums;
use crate::condition_keys::ConditionKeys;
use crate::document;
use crate::object_headers::AclHeaders;
use crate::op::Owner;
use crate::request::Request;
use crate::requirement::Requirement;
use crate::routed::{Route, Routed};
use crate::s3_operation::S3Operation;
use crate::target::{Addressed, Target};

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

/// The answer to GetBucketAcl and GetObjectAcl, with full control last: S3 promises no order, and some clients expect this
/// one. `owner_of` gives the canonical id and the name of an account.
pub fn acl_to_xml(owner: &Owner, list: &AccessControlList, owner_of: impl Fn(AccountId) -> Owner) -> String {
    let mut xml = document::begin("AccessControlPolicy");
    owner.write("Owner", &mut xml);
    xml.open("AccessControlList");
    for permission in [Read, Write, ReadAcp, WriteAcp, FullControl] {
        let grants = list.grants.iter().filter(|grant| grant.permission == permission);
        grants.for_each(|grant| write_grant(grant, &owner_of, &mut xml));
    }
    xml.close("AccessControlList");
    xml.close("AccessControlPolicy");
    xml.finish()
}

fn write_grant(grant: &AclGrant, owner_of: impl Fn(AccountId) -> Owner, xml: &mut XmlWriter) {
    let (kind, owner, uri) = match &grant.grantee {
        Grantee::Account(account) => ("CanonicalUser", Some(owner_of(*account)), None),
        Grantee::Unknown(id) => ("CanonicalUser", Some(Owner { id: id.to_string(), ..Owner::default() }), None),
        Grantee::Group(group) => ("Group", None, Some(group.uri())),
    };
    xml.open("Grant");
    let namespace = ("xmlns:xsi", "http://www.w3.org/2001/XMLSchema-instance");
    xml.open_with("Grantee", &[namespace, ("xsi:type", kind)]);
    if let Some(owner) = owner {
        owner.write_parts(xml);
    }
    xml.optional("URI", uri);
    xml.close("Grantee");
    xml.text("Permission", grant.permission.as_str());
    xml.close("Grant");
}
