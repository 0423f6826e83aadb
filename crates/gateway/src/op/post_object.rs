//! PostObject: an upload by a browser's form. Its policy has already been verified.

use access::Permit;
use http::{StatusCode, header};
use s3::op::{PostObject, PostObjectOutput, PostSuccess};
use s3::{S3Error, S3ErrorCode, Target};

use super::answer::{self, Answer};
use super::put_object;
use super::{Call, Run};
use crate::body::ObjectBody;

/// Stores the file of a form and answers as the form requests.
impl Run for PostObject {
    async fn run(call: &Call<'_>, permit: Permit<Self>, body: ObjectBody) -> Answer {
        let PostObject { form, put, .. } = permit.into_operation();
        // The form has already been read.
        let put = *put.ok_or_else(|| S3Error::new(S3ErrorCode::InternalError))?;
        let success = form.success();
        let Target { bucket, key, .. } = put.target.clone();
        let stored = put_object::put(call, put, body).await?;
        let location = call.location(&bucket, &key);
        let output = PostObjectOutput { location: location.clone(), bucket, key, etag: stored.etag.clone() };
        let mut response = match &success {
            PostSuccess::Redirect(_) => answer::empty(StatusCode::SEE_OTHER)?,
            PostSuccess::Ok => answer::empty(StatusCode::OK)?,
            PostSuccess::NoContent => answer::empty(StatusCode::NO_CONTENT)?,
            PostSuccess::Created => answer::document(output.to_xml())?,
        };
        if success == PostSuccess::Created {
            *response.status_mut() = StatusCode::CREATED;
        }
        let location = match &success {
            PostSuccess::Redirect(url) => output.redirect_to(url),
            _ => location,
        };
        let headers = response.headers_mut();
        answer::set(headers, header::LOCATION, &location);
        stored.set_headers(headers);
        Ok(response)
    }
}
