//! What Kelpgate does not have: answered as AWS does where nothing is configured, or refused by name.

use access::Permit;
use s3::op::Unsupported;

use super::answer::{self, Answer};
use super::{Call, Run};
use crate::body::ObjectBody;

impl Run for Unsupported {
    async fn run(call: &Call<'_>, permit: Permit<Self>, _body: ObjectBody) -> Answer {
        call.existing_bucket()?;
        answer::document(permit.operation().answer()?)
    }
}
