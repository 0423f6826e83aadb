//! ListBuckets, CreateBucket, HeadBucket, GetBucketLocation.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::body::ObjectBody;
use access::{Permit, World};
use filer::{Attributes, Condition, Entry, FilerError, Mutation, Transaction};
use http::StatusCode;
use http::header::{HeaderName, LOCATION};
use iam::{BucketLife, LIFE};
use ids::BucketName;
use prost::Message;
use s3::op::{
    BucketSummary, CreateBucket, GetBucketLocation, HeadBucket, ListBuckets, ListBucketsOutput, Owner, location_to_xml,
};
use s3::{Requirement, S3Error, S3ErrorCode};

use super::answer::{self, Answer};
use super::{Call, Run};
use crate::errors;
use crate::fence::NOT_ENFORCED;
use crate::object::{self, attribute};

/// The buckets of the caller's account: all of them for who has the permission by a policy, for holders of legacy actions those
/// that these name.
impl Run for ListBuckets {
    async fn run(call: &Call<'_>, permit: Permit<Self>, _body: ObjectBody) -> Answer {
        let by_legacy_actions = call.has_legacy_actions_alone(&Requirement::list_all_my_buckets());
        let is_shown = |bucket: &str| {
            !by_legacy_actions || call.caller.policies.iter().any(|policy| policy.legacy_names(bucket) == Some(true))
        };
        let input = permit.into_operation();
        let prefix = input.prefix.as_deref().unwrap_or("");
        let after = input.continuation_token.as_deref().unwrap_or("");
        let region = call.gateway.settings.region.as_str();
        let other_region = input.bucket_region.as_deref().is_some_and(|wanted| wanted != region);
        let paged = input.max_buckets.is_some();
        let most = input.max_buckets.map_or(usize::MAX, |most| most as usize);
        let mine = call.snapshot.buckets().filter(|bucket| {
            bucket.is_there(call.now.as_second())
                && bucket.account == call.caller.account
                && bucket.name.starts_with(prefix)
                && &*bucket.name > after
                && !other_region
                && is_shown(&bucket.name)
        });
        let mut buckets: Vec<BucketSummary> = mine
            .take(most.saturating_add(1))
            .map(|bucket| BucketSummary {
                name: bucket.name.to_string(),
                creation_date: bucket.created_s,
                region: (paged && !region.is_empty()).then(|| region.to_owned()),
            })
            .collect();
        let is_truncated = buckets.len() > most;
        buckets.truncate(most);
        let continuation_token = buckets.last().filter(|_| is_truncated).map(|last| last.name.clone());
        let owner = call.owner();
        answer::document(ListBucketsOutput { owner, buckets, prefix: input.prefix, continuation_token }.to_xml())
    }
}

/// Makes a bucket that belongs to the caller. Two gateways that make the same one at once: one of them succeeds.
impl Run for CreateBucket {
    async fn run(call: &Call<'_>, permit: Permit<Self>, _body: ObjectBody) -> Answer {
        let input = permit.operation();
        let configuration = &input.configuration;
        input.acl.require_supported()?;
        if input.object_lock_enabled {
            return Err(S3Error::not_implemented("A bucket with object lock (x-amz-bucket-object-lock-enabled)"));
        }
        let region = call.gateway.settings.region.as_str();
        if let Some(wanted) = configuration.location_constraint.as_deref()
            && !region.is_empty()
            && wanted != region
        {
            let message =
                format!("The {wanted} location constraint is incompatible for the region of this endpoint, {region}");
            return Err(S3Error::with_message(S3ErrorCode::IllegalLocationConstraintException, message));
        }
        if let Some(existing) = call.bucket.as_deref() {
            return Err(exists_already(call, existing));
        }
        refuse_reserved(&input.bucket)?;
        let behind = call.make_bucket(&permit).await?;
        let mut response = answer::empty(StatusCode::OK)?;
        if !behind.is_empty() {
            answer::set(response.headers_mut(), HeaderName::from_static(NOT_ENFORCED), &behind.join(", "));
        }
        answer::set(response.headers_mut(), LOCATION, &format!("/{}", input.bucket));
        Ok(response)
    }
}

/// Names that S3 keeps for itself, and those of this endpoint's own pages.
fn refuse_reserved(bucket: &BucketName) -> Result<(), S3Error> {
    let name = bucket.as_str();
    let of_s3 = ["xn--", "sthree-", "amzn-s3-demo-"].iter().any(|prefix| name.starts_with(prefix))
        || ["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"].iter().any(|suffix| name.ends_with(suffix));
    let of_pages = crate::pages::NAMES.contains(&name);
    if of_s3 || of_pages {
        let message = "The name is reserved, by S3 or for a page of this endpoint: choose another one";
        let error = S3Error::with_message(S3ErrorCode::InvalidBucketName, message);
        return Err(error.field("BucketName", name));
    }
    Ok(())
}

fn exists_already(call: &Call<'_>, bucket: &iam::Bucket) -> S3Error {
    let code = if bucket.account == call.caller.account {
        S3ErrorCode::BucketAlreadyOwnedByYou
    } else {
        S3ErrorCode::BucketAlreadyExists
    };
    S3Error::new(code).field("BucketName", &*bucket.name)
}

impl Call<'_> {
    /// Whether none of the caller's policies but those made of legacy actions gives a permission that it has.
    fn has_legacy_actions_alone(&self, need: &Requirement) -> bool {
        let policies = self.caller.policies.iter();
        let others: Arc<[_]> = policies.filter(|policy| policy.legacy_names("").is_none()).cloned().collect();
        if others.len() == self.caller.policies.len() {
            return false;
        }
        let caller = iam::Caller { policies: others, ..self.caller.clone() };
        !access::decide(need, World { caller: &caller, ..self.world() }).is_allow()
    }

    /// The caller as the owner of what it makes: the owner id of SeaweedFS (an account id, or a name) and the name.
    pub fn owner(&self) -> Owner {
        match self.snapshot.user(&self.caller.name).filter(|_| self.caller.session.is_none()) {
            Some(user) => Owner { id: user.owner_id.to_string(), display_name: user.display_name.to_string() },
            None => Owner { id: self.caller.account.to_string(), display_name: self.caller.name.to_string() },
        }
    }

    /// Writes the entry of a new bucket and waits until every gateway knows it; answers those that may not.
    pub async fn make_bucket(&self, permit: &Permit<CreateBucket>) -> Result<Vec<String>, S3Error> {
        let CreateBucket { bucket, object_ownership: ownership, configuration, .. } = permit.operation();
        let tags = &configuration.tags;
        let life = BucketLife::new(rand::random());
        let mut extended = BTreeMap::from([
            (LIFE.to_owned(), life.to_text().into_bytes()),
            (attribute::OWNER.to_owned(), self.owner().id.into_bytes()),
            (attribute::IDENTITY_ID.to_owned(), self.caller.name.as_bytes().to_vec()),
        ]);
        if let Some(ownership) = ownership {
            extended.insert(attribute::OWNERSHIP.to_owned(), ownership.as_bytes().to_vec());
        }
        let tags: BTreeMap<String, String> = tags.iter().map(|(key, value)| (key.into(), value.into())).collect();
        let metadata = iam::BucketMetadata { tags, ..iam::BucketMetadata::default() };
        let entry = Entry {
            name: bucket.to_string(),
            is_directory: true,
            attributes: Some(Attributes {
                mtime: self.now.as_second(),
                crtime: self.now.as_second(),
                file_mode: object::DIRECTORY_MODE,
                uid: self.gateway.settings.uid,
                gid: self.gateway.settings.gid,
                ..Attributes::default()
            }),
            extended,
            content: metadata.encode_to_vec(),
            ..Entry::default()
        };
        let transaction = Transaction {
            lock_key: self.bucket_path(bucket),
            conditions: vec![Condition::NotExists],
            mutations: vec![Mutation::Put { directory: self.buckets_root().to_owned(), entry: Box::new(entry) }],
            ..Transaction::default()
        };
        let change = self.gateway.fence.before_change();
        let mut made = self.filer().transact(transaction.clone()).await;
        if matches!(made, Err(FilerError::PreconditionFailed)) && self.finish_abandoned(bucket).await? {
            made = self.filer().transact(transaction).await;
        }
        match made {
            Ok(()) => {}
            Err(FilerError::PreconditionFailed) => {
                let conflict = "Another request makes or deletes the bucket at the same time. Try again.";
                return Err(S3Error::with_message(S3ErrorCode::OperationAborted, conflict));
            }
            Err(error) => return Err(errors::from_filer(error)),
        }
        self.gateway.known(change, bucket, |bucket| bucket.is_some_and(|bucket| bucket.life == life)).await
    }
}

/// Whether the bucket is there; the permission was decided before.
impl Run for HeadBucket {
    async fn run(call: &Call<'_>, _permit: Permit<Self>, _body: ObjectBody) -> Answer {
        call.existing_bucket()?;
        let mut response = answer::empty(StatusCode::OK)?;
        let region = call.gateway.settings.region_name();
        answer::set(response.headers_mut(), HeaderName::from_static("x-amz-bucket-region"), region);
        Ok(response)
    }
}

/// The bucket's region.
impl Run for GetBucketLocation {
    async fn run(call: &Call<'_>, _permit: Permit<Self>, _body: ObjectBody) -> Answer {
        call.existing_bucket()?;
        answer::document(location_to_xml(call.gateway.settings.region_name()))
    }
}
