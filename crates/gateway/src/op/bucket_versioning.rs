//! The state of a bucket's versioning.

use access::Permit;
use iam::Versioning;
use s3::op::{GetBucketVersioning, versioning_to_xml};

use super::answer::{self, Answer};
use super::{Call, Run};
use crate::body::ObjectBody;

impl Run for GetBucketVersioning {
    async fn run(call: &Call<'_>, _permit: Permit<Self>, _body: ObjectBody) -> Answer {
        let status = match call.existing_bucket()?.versioning {
            Versioning::Off => None,
            Versioning::Enabled | Versioning::Unknown => Some("Enabled"),
            Versioning::Suspended => Some("Suspended"),
        };
        answer::document(versioning_to_xml(status))
    }
}
