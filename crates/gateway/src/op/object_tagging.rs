//! GetObjectTagging, PutObjectTagging and DeleteObjectTagging. Each tag is one attribute of the entry.

use access::Permit;
use http::StatusCode;
use s3::op::{DeleteObjectTagging, GetObjectTagging, PutObjectTagging};
use s3::{Needs, S3Error, TagSet, Target};

use super::answer::{self, Answer};
use super::repeat::{Attempts, is_done};
use super::{Call, Run};
use crate::body::ObjectBody;
use bucket::object;

/// The tags of an object.
impl Run for GetObjectTagging {
    async fn run(call: &Call<'_>, permit: Permit<Self>, _body: ObjectBody) -> Answer {
        let input = permit.into_operation();
        let entry = call.object_at(&input.target).await?;
        // Every stored tag is shown, even if there are more than a request may set.
        let tags = TagSet::new(object::tags(&entry).into_iter().collect(), usize::MAX)?;
        answer::document(tags.to_xml())
    }
}

/// Replaces the tags of an object.
impl Run for PutObjectTagging {
    async fn run(call: &Call<'_>, permit: Permit<Self>, _body: ObjectBody) -> Answer {
        replace(call, permit, |input| (&input.target, Some(&input.tags))).await?;
        answer::empty(StatusCode::OK)
    }
}

/// Removes the tags of an object.
impl Run for DeleteObjectTagging {
    async fn run(call: &Call<'_>, permit: Permit<Self>, _body: ObjectBody) -> Answer {
        replace(call, permit, |input| (&input.target, None)).await?;
        answer::empty(StatusCode::NO_CONTENT)
    }
}

async fn replace<Op: Needs>(
    call: &Call<'_>,
    mut permit: Permit<Op>,
    wanted: impl Fn(&Op) -> (&Target, Option<&TagSet>),
) -> Result<(), S3Error> {
    let writer = call.writer()?;
    let mut attempts = Attempts::default();
    loop {
        let (target, tags) = wanted(permit.operation());
        let entry = call.object_at(target).await?;
        if is_done(writer.set_tags(&target.key, &entry, tags.into_iter().flat_map(TagSet::iter)).await)? {
            return Ok(());
        }
        permit = attempts.decide_again(call, permit).await?;
    }
}
