//! Who pays for requests to a bucket: always its owner.

use access::Permit;
use s3::op::{GetBucketRequestPayment, request_payment_to_xml};

use super::answer::{self, Answer};
use super::{Call, Run};
use crate::body::ObjectBody;

impl Run for GetBucketRequestPayment {
    async fn run(call: &Call<'_>, _permit: Permit<Self>, _body: ObjectBody) -> Answer {
        call.existing_bucket()?;
        answer::document(request_payment_to_xml())
    }
}
