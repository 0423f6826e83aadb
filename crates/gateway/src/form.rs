//! The form of a POST upload. Its fields are read during authentication, its file streams.

use access::{AuditedCaller, Authenticated, Services};
use bytes::Bytes;
use futures_util::StreamExt;
use s3::form::{FileReader, FormPart, FormReader};
use s3::op::{PostForm, PostObject};
use s3::{S3Error, S3ErrorCode};
use sigv4::post_policy::PostPolicy;

use crate::body::{ExpectedBody, ObjectBody, Source};
use crate::gateway::Gateway;
use crate::request_facts::RequestFacts;
use crate::request_scope::RequestScope;

/// A form whose policy is verified.
pub(crate) struct Form {
    pub(crate) fields: PostForm,
    pub(crate) authenticated: Authenticated,
    pub(crate) body: ObjectBody,
}

/// A form whose fields are read. Its file follows.
pub(crate) struct Begun {
    incoming: Source,
    reader: FormReader,
    fields: Vec<(String, String)>,
    file_name: String,
}

/// Reads the fields.
pub(crate) async fn begin(gateway: &Gateway, post: &PostObject, mut incoming: Source) -> Result<Begun, S3Error> {
    let mut reader = FormReader::new(&post.boundary);
    // It is only twenty KiB: a client that takes longer than the time allowed for silence in a body is stalling on
    // purpose.
    let read = tokio::time::timeout(gateway.settings.body_patience, fields(&mut incoming, &mut reader)).await;
    let (fields, file_name) = read.map_err(|_| S3Error::new(S3ErrorCode::RequestTimeout))??;
    Ok(Begun { incoming, reader, fields, file_name })
}

/// Finds out who made the policy, and checks the form against it.
pub(crate) fn verify(
    gateway: &Gateway,
    scope: &RequestScope<'_>,
    post: &PostObject,
    Begun { incoming, reader, fields, file_name }: Begun,
    facts: &mut RequestFacts,
) -> Result<Form, S3Error> {
    // The policy is about the fields from which the object is made.
    let form = PostForm::new(fields, &file_name)?;
    let unverified = scope.unverified(Services::S3, None);
    let authenticated =
        gateway.authenticator.authenticate_form(&unverified, &scope.snapshot, form.fields()).map_err(|error| {
            let key = form.get("x-amz-credential").or_else(|| form.get("awsaccesskeyid"));
            let key = key.and_then(|value| value.split('/').next()).unwrap_or_default();
            facts.unauthenticated(key.chars().take(128).collect(), error)
        })?;
    facts.caller = AuditedCaller::of(&authenticated.caller);
    let mut limit = gateway.settings.max_body_bytes;
    let mut least = 0;
    if let Some(policy) = form.get("policy") {
        let policy = PostPolicy::parse(policy).map_err(access::from_signature)?;
        policy.check(form.fields(), post.bucket.as_str(), scope.now).map_err(access::from_signature)?;
        if let Some(range) = policy.content_length_range() {
            limit = limit.min(*range.end());
            least = *range.start();
        }
    }
    let (file, expected) = (file(incoming, reader.into_file()), ExpectedBody::of(&form.checksums()?)?);
    let mut body = ObjectBody::new(file, expected, limit, gateway.settings.body_patience);
    body.require_at_least(least);
    Ok(Form { fields: form, authenticated, body })
}

/// Reads the fields before the file, and the name of the file. The file follows.
async fn fields(source: &mut Source, reader: &mut FormReader) -> Result<(Vec<(String, String)>, String), S3Error> {
    let mut fields = Vec::new();
    loop {
        match reader.part()? {
            Some(FormPart::Field { name, value }) => fields.push((name, value)),
            Some(FormPart::File { name }) => return Ok((fields, name)),
            None => reader.feed(&source.next().await.ok_or_else(FormReader::cut_off)??),
        }
    }
}

fn file(source: Source, reader: FileReader) -> Source {
    Box::pin(futures_util::stream::unfold(Some((source, reader)), |state| async move {
        let (mut source, mut reader) = state?;
        match next_of_file(&mut source, &mut reader).await {
            Ok(piece) => piece.map(|piece| (Ok(piece), Some((source, reader)))),
            Err(error) => Some((Err(error), None)),
        }
    }))
}

async fn next_of_file(source: &mut Source, reader: &mut FileReader) -> Result<Option<Bytes>, S3Error> {
    loop {
        if let Some(piece) = reader.data()? {
            return Ok(Some(piece));
        }
        let Some(piece) = source.next().await else { return reader.finish().map(|()| None) };
        reader.feed(&piece?);
    }
}
