//! Access control lists: what is stored is shown, and nothing is set yet.

use access::Permit;
use s3::S3Error;
use s3::op::{GetBucketAcl, GetObjectAcl, Grant, PutBucketAcl, PutObjectAcl, acl_to_xml};

use super::answer::{self, Answer};
use super::{Call, Run};
use crate::body::ObjectBody;
use crate::object::attribute;

impl Run for GetBucketAcl {
    async fn run(call: &Call<'_>, _permit: Permit<Self>, _body: ObjectBody) -> Answer {
        let bucket = call.existing_bucket()?;
        answer::document(acl_to_xml(&bucket.owner, &stored_grants(bucket.acl.as_deref())))
    }
}

impl Run for GetObjectAcl {
    async fn run(call: &Call<'_>, permit: Permit<Self>, _body: ObjectBody) -> Answer {
        let bucket = call.existing_bucket()?;
        let entry = call.current_object(&permit.operation().target).await?;
        let owner = entry.extended_text(attribute::OWNER).unwrap_or(&bucket.owner);
        answer::document(acl_to_xml(owner, &stored_grants(entry.extended_text(attribute::ACL))))
    }
}

impl Run for PutBucketAcl {
    async fn run(call: &Call<'_>, _permit: Permit<Self>, _body: ObjectBody) -> Answer {
        call.existing_bucket()?;
        Err(S3Error::unsupported_operation("PutBucketAcl"))
    }
}

impl Run for PutObjectAcl {
    async fn run(call: &Call<'_>, _permit: Permit<Self>, _body: ObjectBody) -> Answer {
        call.existing_bucket()?;
        Err(S3Error::unsupported_operation("PutObjectAcl"))
    }
}

/// One grant as SeaweedFS stores it.
#[derive(serde::Deserialize)]
#[serde(rename_all = "PascalCase")]
struct StoredGrant {
    grantee: StoredGrantee,
    #[serde(default)]
    permission: Option<String>,
}

#[derive(serde::Deserialize)]
struct StoredGrantee {
    #[serde(rename = "ID", default)]
    id: Option<String>,
    #[serde(rename = "DisplayName", default)]
    display_name: Option<String>,
    #[serde(rename = "URI", default)]
    uri: Option<String>,
    #[serde(rename = "Type", default)]
    kind: Option<String>,
}

/// The stored grants; none where none are stored, or they cannot be read.
fn stored_grants(stored: Option<&str>) -> Vec<Grant> {
    let stored: Vec<StoredGrant> = stored.and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default();
    let shown = stored.into_iter().map(|StoredGrant { grantee, permission }| Grant {
        kind: grantee.kind.unwrap_or_else(|| "CanonicalUser".to_owned()),
        id: grantee.id,
        display_name: grantee.display_name,
        uri: grantee.uri,
        permission: permission.unwrap_or_default(),
    });
    shown.collect()
}
