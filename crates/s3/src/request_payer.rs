use http::request::Parts;

use crate::op::PostForm;
use crate::request::Request;
use crate::{S3Error, S3ErrorCode};

/// The header that says who pays.
const HEADER: &str = "x-amz-request-payer";

/// Checks a request of someone who has to pay for it: only callers who are known can, and only those who say so.
///
/// In a presigned URL the signature must cover the header: otherwise whoever holds the URL would agree for the signer.
/// Source: S3 User Guide, "Using Requester Pays general purpose buckets". Fails with `AccessDenied`.
pub fn check_request_payer(head: &Parts, is_anonymous: bool) -> Result<(), S3Error> {
    let request = Request::new(head)?;
    let agrees = is_requester(request.header(HEADER)?.as_deref());
    let in_query = request.param(HEADER).is_some();
    require(agrees && !is_anonymous && (in_query || request.signs_header(HEADER)))
}

/// The same for a form, whose field has the name of the header. The policy that is signed names every field of its form.
pub fn check_form_payer(form: &PostForm, is_anonymous: bool) -> Result<(), S3Error> {
    require(is_requester(form.get(HEADER)) && !is_anonymous)
}

fn is_requester(payer: Option<&str>) -> bool {
    payer.is_some_and(|payer| payer.eq_ignore_ascii_case("requester"))
}

fn require(agrees: bool) -> Result<(), S3Error> {
    if agrees {
        return Ok(());
    }
    let message = "Access Denied: in this bucket the requester pays. Sign the request, with the header \
                   x-amz-request-payer: requester.";
    Err(S3Error::with_message(S3ErrorCode::AccessDenied, message))
}
