//! Who owns the objects that others write into a bucket.

use access::Permit;
use iam::Ownership;
use s3::op::{GetBucketOwnershipControls, ownership_to_xml};

use super::answer::{self, Answer};
use super::{Call, Run};
use crate::body::ObjectBody;

impl Run for GetBucketOwnershipControls {
    async fn run(call: &Call<'_>, _permit: Permit<Self>, _body: ObjectBody) -> Answer {
        answer::document(ownership_to_xml(match call.existing_bucket()?.ownership {
            Ownership::BucketOwnerEnforced => "BucketOwnerEnforced",
            Ownership::BucketOwnerPreferred => "BucketOwnerPreferred",
            Ownership::ObjectWriter => "ObjectWriter",
        }))
    }
}
