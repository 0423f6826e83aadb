//! PostObject: an upload by a browser's form. Its policy was verified at the door.

use access::Permit;
use http::{StatusCode, header};
use s3::op::{PostForm, PostObject, PostObjectOutput, PostSuccess};

use super::Call;
use super::answer::{self, Answer};
use super::new_entry::location;
use super::put_object;
use crate::body::ObjectBody;

/// Stores the file of a form and answers in the way that the form asks for.
pub async fn post_object(call: &Call<'_>, permit: Permit<PostObject>, form: PostForm, body: ObjectBody) -> Answer {
    let success = form.success();
    let put = form.into_put(permit.into_operation().bucket)?;
    let (bucket, key) = (put.bucket.clone(), put.key.clone());
    let stored = put_object::put(call, put, body).await?;
    let location = location(&bucket, &key);
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
