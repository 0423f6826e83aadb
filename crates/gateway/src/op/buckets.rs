//! ListBuckets, CreateBucket, HeadBucket, GetBucketLocation.

use crate::body::ObjectBody;
use access::{DecisionInput, Permit};
use bucket::new_entry::NewBucket;
use filer::FilerError;
use http::StatusCode;
use http::header::{HeaderName, LOCATION};
use ids::{AccountId, BucketLife, BucketName, PublicAccessBlock};
use s3::op::{
    BucketSummary, CreateBucket, GetBucketLocation, HeadBucket, ListBuckets, ListBucketsOutput, location_to_xml,
};
use s3::{AclOwners, Requirement, S3Error, S3ErrorCode};

use super::acl::NewAcl;
use super::answer::{self, Answer};
use super::public_access_block::blocked;
use super::{Call, Run};
use crate::errors;

/// The buckets of the caller's account. A caller with the permission from a policy sees all of them, a holder of legacy
/// actions sees those that the actions name.
impl Run for ListBuckets {
    async fn run(call: &Call<'_>, permit: Permit<Self>, _body: ObjectBody) -> Answer {
        let by_legacy_actions = call.has_legacy_actions_alone(&Requirement::list_all_my_buckets());
        let is_shown = |bucket: &str| {
            !by_legacy_actions || call.caller.policies.iter().any(|policy| policy.legacy_names(bucket) == Some(true))
        };
        let input = permit.into_operation();
        let prefix = input.prefix.as_deref().unwrap_or("");
        let after = input.continuation_token.as_deref().unwrap_or("");
        let region = call.gateway.settings.region_name();
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
                region: paged.then(|| region.to_owned()),
            })
            .collect();
        let is_truncated = buckets.len() > most;
        buckets.truncate(most);
        let continuation_token = buckets.last().filter(|_| is_truncated).map(|last| last.name.clone());
        let owner = call.shown_account(call.caller.account);
        answer::document(ListBucketsOutput { owner, buckets, prefix: input.prefix, continuation_token }.to_xml())
    }
}

/// Creates a bucket that belongs to the caller. If two gateways create the same one at once, one of them succeeds.
impl Run for CreateBucket {
    async fn run(call: &Call<'_>, permit: Permit<Self>, _body: ObjectBody) -> Answer {
        let input = permit.operation();
        let configuration = &input.configuration;
        let region = call.gateway.settings.region.as_str();
        if let Some(wanted) = configuration.location_constraint.as_deref()
            && !region.is_empty()
            && current_name(wanted) != region
        {
            let message =
                format!("The {wanted} location constraint is incompatible for the region of this endpoint, {region}");
            return Err(S3Error::with_message(S3ErrorCode::IllegalLocationConstraintException, message));
        }
        if let Some(existing) = call.bucket.as_deref() {
            exists_already(call, existing)?;
            return made(&input.bucket);
        }
        let behind = call.make_bucket(&permit).await?;
        let mut response = made(&input.bucket)?;
        if !behind.is_empty() {
            answer::set(response.headers_mut(), HeaderName::from_static(s3::NOT_ENFORCED), &behind.join(", "));
        }
        Ok(response)
    }
}

/// The name of today for a region. `EU` is what Ireland was called first.
/// Source: S3 API Reference, `CreateBucketConfiguration`.
fn current_name(region: &str) -> &str {
    if region == "EU" { "eu-west-1" } else { region }
}

/// Names that S3 reserves, and those of this endpoint's own pages.
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

fn made(bucket: &BucketName) -> Answer {
    let mut response = answer::empty(StatusCode::OK)?;
    answer::set(response.headers_mut(), LOCATION, &format!("/{bucket}"));
    Ok(response)
}

/// In us-east-1, creating one's own bucket again succeeds and changes nothing.
/// Source: S3 API Reference, `CreateBucket`, `BucketAlreadyOwnedByYou`.
fn exists_already(call: &Call<'_>, bucket: &iam::Bucket) -> Result<(), S3Error> {
    let code = match (bucket.account == call.caller.account, call.gateway.settings.region_name()) {
        (true, "us-east-1") => return Ok(()),
        (true, _) => S3ErrorCode::BucketAlreadyOwnedByYou,
        (false, _) => S3ErrorCode::BucketAlreadyExists,
    };
    Err(S3Error::new(code).field("BucketName", &*bucket.name))
}

impl Call<'_> {
    /// Whether only policies made of legacy actions give the caller this permission.
    fn has_legacy_actions_alone(&self, need: &Requirement) -> bool {
        let policies = self.caller.policies.iter().zip(&*self.caller.sources);
        let others = policies.filter(|(policy, _)| policy.legacy_names("").is_none());
        let (policies, sources): (Vec<_>, Vec<_>) = others.map(|(one, source)| (one.clone(), source.clone())).unzip();
        if policies.len() == self.caller.policies.len() {
            return false;
        }
        let caller = iam::Caller { policies: policies.into(), sources: sources.into(), ..self.caller.clone() };
        !access::decide(need, DecisionInput { caller: &caller, ..self.decision_input() }).is_allow()
    }

    /// The owner id of the buckets that the caller creates: a name, as in SeaweedFS, or the caller's account. A name that stands for
    /// another account, as one of twelve digits does, is never the owner.
    fn owner_id(&self) -> String {
        let is_role = self.caller.session.as_ref().is_some_and(|session| session.is_of_role());
        let is_own = |owner: &str| self.snapshot.account_of_owner(owner) == self.caller.account;
        match self.snapshot.user(&self.caller.name).filter(|user| !is_role && is_own(&user.owner_id)) {
            Some(user) => user.owner_id.to_string(),
            None => self.caller.account.to_string(),
        }
    }

    /// Owner and ACL of a new bucket. Fails if the bucket could not have the ACL that is asked for.
    fn new_bucket_acl(&self, input: &CreateBucket) -> Result<NewAcl, S3Error> {
        let (owner, settings) = (self.owner_id(), &self.gateway.settings.new_buckets);
        let account = self.caller.account;
        let list = input.acl.list(AclOwners { owner: account, bucket_owner: None })?;
        let list = list.filter(|list| !list.is_private(account));
        let ownership = input.object_ownership.or(settings.object_ownership).unwrap_or_default();
        let of_account = self.snapshot.account_block(account.as_str());
        let blocks_public_acls =
            settings.block_public_access || of_account.is_some_and(|stored| stored.block.block_public_acls);
        match &list {
            Some(_) if !ownership.has_acls() => return Err(S3ErrorCode::InvalidBucketAclWithObjectOwnership.into()),
            Some(list) if list.is_public() && blocks_public_acls => {
                return Err(blocked("public ACLs", "BlockPublicAcls"));
            }
            _ => {}
        }
        let id_of = |to: AccountId| if to == account { owner.clone() } else { to.to_string() };
        let acl = list.map(|list| bucket::acl::write(&list, id_of));
        Ok(NewAcl { owner, acl })
    }

    /// Writes the entry of a new bucket and waits until every gateway knows it. Returns the gateways that may not.
    /// Refuses reserved names.
    pub async fn make_bucket(&self, permit: &Permit<CreateBucket>) -> Result<Vec<String>, S3Error> {
        let input = permit.operation();
        let CreateBucket { bucket, configuration, .. } = input;
        refuse_reserved(bucket)?;
        let life = BucketLife::new(rand::random());
        let tags = configuration.tags.iter().map(|(key, value)| (key.into(), value.into())).collect();
        let settings = &self.gateway.settings.new_buckets;
        let made = NewBucket {
            name: bucket.as_str(),
            life: &life,
            creator: &self.caller.name,
            ownership: Some(input.object_ownership.or(settings.object_ownership).unwrap_or_default()),
            public_access_block: settings.block_public_access.then_some(PublicAccessBlock::ALL),
            tags,
            has_object_lock: permit.operation().object_lock_enabled,
        };
        let entry = self.stamp_of(self.new_bucket_acl(input)?).bucket(made);
        let directory = self.directory(bucket);
        let change = self.gateway.fence.before_change();
        let mut made = directory.create(entry.clone()).await;
        if matches!(made, Err(FilerError::PreconditionFailed)) && self.finish_abandoned(bucket).await? {
            made = directory.create(entry).await;
        }
        match made {
            Ok(()) => {}
            Err(FilerError::PreconditionFailed) => {
                let conflict = "Another request is creating or deleting the bucket at the same time. Try again.";
                return Err(S3Error::with_message(S3ErrorCode::OperationAborted, conflict));
            }
            Err(error) => return Err(errors::from_filer(error)),
        }
        self.gateway.wait_until_known(change, bucket, |bucket| bucket.is_some_and(|bucket| bucket.life == life)).await
    }
}

/// Whether the bucket exists. The permission has already been decided.
impl Run for HeadBucket {
    async fn run(call: &Call<'_>, _permit: Permit<Self>, _body: ObjectBody) -> Answer {
        call.existing_bucket()?;
        answer::empty(StatusCode::OK)
    }
}

/// The bucket's region.
impl Run for GetBucketLocation {
    async fn run(call: &Call<'_>, _permit: Permit<Self>, _body: ObjectBody) -> Answer {
        call.existing_bucket()?;
        answer::document(location_to_xml(call.gateway.settings.region_name()))
    }
}
