//! GetObjectTagging, PutObjectTagging and DeleteObjectTagging. One attribute of the entry holds one tag.

use access::Permit;
use filer::{Condition, FilerError, Mutation, Transaction};
use http::StatusCode;
use s3::op::{DeleteObjectTagging, GetObjectTagging, PutObjectTagging};
use s3::{S3Error, TagSet, Target};

use super::answer::{self, Answer};
use super::new_entry::{conflict, require_writable, still, tag_attributes};
use super::{Call, Run};
use crate::body::ObjectBody;
use crate::errors;
use crate::object::{self, attribute};

/// How often a change of tags looks again when the object changes under its hands.
const ATTEMPTS: usize = 8;

/// The tags of an object.
impl Run for GetObjectTagging {
    async fn run(call: &Call<'_>, permit: Permit<Self>, _body: ObjectBody) -> Answer {
        let input = permit.into_operation();
        let entry = call.current_object(&input.target).await?;
        // Every stored tag is shown, even if there are more than a request may set.
        let tags = TagSet::new(object::tags(&entry).into_iter().collect(), usize::MAX)?;
        answer::document(tags.to_xml())
    }
}

/// Replaces the tags of an object.
impl Run for PutObjectTagging {
    async fn run(call: &Call<'_>, permit: Permit<Self>, _body: ObjectBody) -> Answer {
        let input = permit.into_operation();
        replace(call, &input.target, Some(&input.tags)).await?;
        answer::empty(StatusCode::OK)
    }
}

/// Removes the tags of an object.
impl Run for DeleteObjectTagging {
    async fn run(call: &Call<'_>, permit: Permit<Self>, _body: ObjectBody) -> Answer {
        let input = permit.into_operation();
        replace(call, &input.target, None).await?;
        answer::empty(StatusCode::NO_CONTENT)
    }
}

async fn replace(call: &Call<'_>, target: &Target, tags: Option<&TagSet>) -> Result<(), S3Error> {
    let bucket = call.existing_bucket()?;
    let Target { bucket: bucket_name, key, version_id } = target;
    answer::refuse_version(version_id.as_ref(), bucket.keeps_versions())?;
    require_writable(bucket)?;
    let path = call.object_path(bucket_name, key);
    let (directory, name, condition_key) = call.step_names(&path, key);
    let set = tag_attributes(tags);
    for _ in 0..ATTEMPTS {
        let entry = call.object(bucket_name, key).await?;
        let is_old = |name: &&String| name.starts_with(attribute::TAG_PREFIX) && !set.contains_key(*name);
        let transaction = Transaction {
            lock_key: path.clone(),
            conditions: vec![still(&entry).unwrap_or(Condition::Exists)],
            condition_key: condition_key.clone(),
            mutations: vec![Mutation::Patch {
                directory: directory.clone(),
                name: name.clone(),
                set: set.clone(),
                remove: entry.extended.keys().filter(is_old).cloned().collect(),
                content: None,
            }],
            ..Transaction::default()
        };
        match call.write_below(&path, transaction).await {
            Err(FilerError::PreconditionFailed) => {}
            done => return done.map_err(errors::from_filer),
        }
    }
    Err(conflict())
}
