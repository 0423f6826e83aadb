//! Who pays for requests to a bucket. There are no bills, but where the requester pays, only callers who are known and agree
//! are let in.

use access::Permit;
use http::StatusCode;
use iam::REQUEST_PAYMENT;
use s3::op::{GetBucketRequestPayment, PutBucketRequestPayment, request_payment_to_xml, requester_pays_from_xml};

use super::answer::{self, Answer};
use super::{Call, Run};
use crate::body::ObjectBody;

impl Run for GetBucketRequestPayment {
    async fn run(call: &Call<'_>, _permit: Permit<Self>, _body: ObjectBody) -> Answer {
        answer::document(request_payment_to_xml(call.existing_bucket()?.requester_pays()))
    }
}

impl Run for PutBucketRequestPayment {
    const DOCUMENT_BYTES_MAX: u64 = 16 << 10;

    async fn run(call: &Call<'_>, _permit: Permit<Self>, mut body: ObjectBody) -> Answer {
        let document = body.read_all(Self::DOCUMENT_BYTES_MAX).await?;
        call.existing_bucket()?;
        let requester_pays = requester_pays_from_xml(&document)?;
        call.store_configuration(REQUEST_PAYMENT, requester_pays.then(|| "Requester".to_owned()), StatusCode::OK).await
    }
}
