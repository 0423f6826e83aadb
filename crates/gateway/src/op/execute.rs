//! From a permit to the operation it is for.

use access::Permit;
use bytes::Bytes;
use s3::op::{CreateBucketConfiguration, DeleteObjects, DeleteRequest, PostForm};
use s3::{BodyFacts, Effect, Operation, Requirement, S3Error, S3ErrorCode, TagSet};

use super::answer::Answer;
use super::{
    Call, bucket_policy, bucket_tagging, buckets, configuration, copy_object, delete_bucket, delete_object,
    delete_objects, get_object, get_object_attributes, list_objects, multipart, object_tagging, post_object,
    put_object,
};
use crate::body::ObjectBody;

/// The most bytes of the part list of CompleteMultipartUpload: 10,000 parts with checksums.
const MAX_PART_LIST_BYTES: u64 = 8 << 20;

/// What an operation reads beside its head.
pub(crate) struct Payload {
    /// What was read out of the body already.
    pub(crate) facts: BodyFacts,
    /// The fields of a form in front of its file.
    pub(crate) form: PostForm,
    /// The rest of the body; the file of a form.
    pub(crate) body: ObjectBody,
}

/// The permissions that must be given before the operation runs. Each key of DeleteObjects is decided on its own later.
pub(crate) fn needs(operation: &Operation, facts: &BodyFacts) -> Vec<Requirement> {
    if matches!(operation, Operation::DeleteObjects(_)) {
        return Vec::new();
    }
    let mut needs = s3::requirements(operation, facts);
    let compares = |conditional: &s3::ConditionalRequirement| conditional.effect == Effect::CompareEntityTag;
    needs.extend(s3::conditional(operation).into_iter().filter(compares).map(|conditional| conditional.requirement));
    needs
}

/// The permissions of which the caller needs one at least, whatever the body says.
pub(crate) fn first_needs(operation: &Operation) -> Vec<Requirement> {
    let mut needs = s3::requirements(operation, &BodyFacts::None);
    needs.truncate(1);
    if let Operation::DeleteObjects(_) = operation {
        let of_version = |need: &Requirement| Requirement { action: "s3:DeleteObjectVersion", ..need.clone() };
        needs.extend(needs.first().map(of_version));
    }
    needs
}

/// Runs an operation that may run.
pub(crate) async fn execute(mut call: Call<'_>, permit: Permit<Operation>, payload: Payload) -> Answer {
    call.make_missing_bucket(permit.operation()).await?;
    let tells = s3::conditional(permit.operation()).into_iter().find(|also| also.effect == Effect::TellMissingKey);
    match (dispatch(&mut call, permit, payload).await, tells) {
        // Who may not list a bucket is not told which keys it lacks.
        (Err(error), Some(tells)) if error.code == S3ErrorCode::NoSuchKey => {
            Err(call.may(&tells.requirement).err().unwrap_or(error))
        }
        (answer, _) => answer,
    }
}

async fn dispatch(call: &mut Call<'_>, permit: Permit<Operation>, payload: Payload) -> Answer {
    let (operation, seal) = permit.split();
    let Payload { facts, form, mut body } = payload;
    match operation {
        Operation::GetObject(op) => get_object::get_object(call, seal.on(op)).await,
        Operation::HeadObject(op) => get_object::head_object(call, seal.on(op)).await,
        Operation::PutObject(op) => put_object::put_object(call, seal.on(op), body).await,
        Operation::CopyObject(op) => copy_object::copy_object(call, seal.on(op)).await,
        Operation::DeleteObject(op) => delete_object::delete_object(call, seal.on(op)).await,
        Operation::DeleteObjects(op) => {
            let request = delete_request(facts);
            delete_many(call, seal.on(op), request).await
        }
        Operation::GetObjectAttributes(op) => get_object_attributes::get_object_attributes(call, seal.on(op)).await,
        Operation::ListObjects(op) => list_objects::list_objects(call, seal.on(op)).await,
        Operation::ListObjectsV2(op) => list_objects::list_objects_v2(call, seal.on(op)).await,
        Operation::ListBuckets(op) => buckets::list_buckets(call, seal.on(op)).await,
        Operation::CreateBucket(op) => buckets::create_bucket(call, seal.on(op), bucket_configuration(facts)).await,
        Operation::HeadBucket(op) => buckets::head_bucket(call, seal.on(op)).await,
        Operation::DeleteBucket(op) => delete_bucket::delete_bucket(call, seal.on(op)).await,
        Operation::GetBucketLocation(op) => buckets::get_bucket_location(call, seal.on(op)).await,
        Operation::GetBucketPolicy(op) => bucket_policy::get_bucket_policy(call, seal.on(op)).await,
        Operation::PutBucketPolicy(op) => {
            let document: Bytes = body.read_all(bucket_policy::MAX_DOCUMENT_BYTES).await?;
            bucket_policy::put_bucket_policy(call, seal.on(op), document).await
        }
        Operation::DeleteBucketPolicy(op) => bucket_policy::delete_bucket_policy(call, seal.on(op)).await,
        Operation::GetBucketPolicyStatus(op) => bucket_policy::get_bucket_policy_status(call, seal.on(op)).await,
        Operation::GetBucketTagging(op) => bucket_tagging::get_bucket_tagging(call, seal.on(op)).await,
        Operation::PutBucketTagging(op) => bucket_tagging::put_bucket_tagging(call, seal.on(op), &tags(facts)).await,
        Operation::DeleteBucketTagging(op) => bucket_tagging::delete_bucket_tagging(call, seal.on(op)).await,
        Operation::GetObjectTagging(op) => object_tagging::get_object_tagging(call, seal.on(op)).await,
        Operation::PutObjectTagging(op) => object_tagging::put_object_tagging(call, seal.on(op), tags(facts)).await,
        Operation::DeleteObjectTagging(op) => object_tagging::delete_object_tagging(call, seal.on(op)).await,
        Operation::CreateMultipartUpload(op) => multipart::create_multipart_upload(call, seal.on(op)).await,
        Operation::UploadPart(op) => multipart::upload_part(call, seal.on(op), body).await,
        Operation::UploadPartCopy(op) => multipart::upload_part_copy(call, seal.on(op)).await,
        Operation::CompleteMultipartUpload(op) => {
            let list = body.read_all(MAX_PART_LIST_BYTES).await?;
            multipart::complete_multipart_upload(call, seal.on(op), list).await
        }
        Operation::AbortMultipartUpload(op) => multipart::abort_multipart_upload(call, seal.on(op)).await,
        Operation::ListParts(op) => multipart::list_parts(call, seal.on(op)).await,
        Operation::ListMultipartUploads(op) => multipart::list_multipart_uploads(call, seal.on(op)).await,
        Operation::Other(op) => configuration::other(call, seal.on(op)).await,
        Operation::PostObject(op) => post_object::post_object(call, seal.on(op), form, body).await,
        Operation::CorsPreflight(_) | Operation::Query(_) => Err(S3Error::new(S3ErrorCode::InternalError)),
    }
}

fn delete_request(facts: BodyFacts) -> DeleteRequest {
    match facts {
        BodyFacts::Delete(request) => request,
        _ => DeleteRequest::default(),
    }
}

fn tags(facts: BodyFacts) -> TagSet {
    match facts {
        BodyFacts::Tags(tags) => tags,
        _ => TagSet::default(),
    }
}

fn bucket_configuration(facts: BodyFacts) -> CreateBucketConfiguration {
    match facts {
        BodyFacts::CreateBucket(configuration) => configuration,
        _ => CreateBucketConfiguration::default(),
    }
}

/// Every key is decided on its own, with its own version and, if policies ask for them, its own tags.
async fn delete_many(call: &mut Call<'_>, permit: Permit<DeleteObjects>, request: DeleteRequest) -> Answer {
    let op = permit.operation();
    let context = call.context.clone();
    let mut decided = Vec::with_capacity(request.objects.len());
    for object in request.objects {
        let Ok(key) = &object.key else {
            // A key that is none has its own error.
            decided.push((object, Ok(())));
            continue;
        };
        let mut needs = s3::delete_identified(op, key, &object);
        call.context = context.clone();
        if let Some(version) = &object.version_id {
            call.context.set("s3:VersionId", version.as_str());
        }
        call.read_object_tags(&mut needs).await?;
        let decision = needs.iter().try_for_each(|need| call.may(need));
        decided.push((object, decision));
    }
    call.context = context;
    delete_objects::delete_objects(call, permit, decided, request.quiet).await
}

impl Call<'_> {
    /// `-autoCreateBucket`: the first write of somebody who may create the bucket creates it.
    async fn make_missing_bucket(&mut self, operation: &Operation) -> Result<(), S3Error> {
        let writes = matches!(
            operation,
            Operation::PutObject(_)
                | Operation::PostObject(_)
                | Operation::CopyObject(_)
                | Operation::CreateMultipartUpload(_)
        );
        let Some(name) = operation.bucket() else { return Ok(()) };
        if !writes || self.bucket.is_some() || !self.gateway.settings.auto_create_bucket {
            return Ok(());
        }
        if self.may(&Requirement::on_bucket("s3:CreateBucket", name)).is_err() {
            return Ok(());
        }
        self.make_bucket(name, None, &TagSet::default()).await?;
        let snapshot = self.gateway.snapshot.load();
        let made = snapshot.as_ref().and_then(|snapshot| snapshot.bucket(name.as_str()));
        self.bucket = made.filter(|bucket| bucket.is_there(self.now.as_second())).cloned();
        Ok(())
    }
}
