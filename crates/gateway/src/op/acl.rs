//! Access control lists: who sets one, where they are allowed, and how they are shown.

use access::{Permit, Refusal};
use bucket::{acl, object, settings};
use bytes::Bytes;
use filer::Entry;
use http::{Response, StatusCode};
use iam::Bucket;
use ids::{AccessControlList, AccountId, Grantee};
use policy::{Action, Decision};
use s3::op::{GetBucketAcl, GetObjectAcl, Owner, PutBucketAcl, PutObjectAcl, acl_to_xml};
use s3::{AclHeaders, AclOwners, ExistingObject, Requirement, S3Error, S3ErrorCode, Target, acl_from_xml};

use super::answer::{self, Answer};
use super::lookup::no_such_key;
use super::public_access_block::blocked;
use super::repeat::{Attempts, is_done};
use super::{Call, Denied, Run};
use crate::body::{ObjectBody, ResponseBody};

impl Run for GetBucketAcl {
    async fn run(call: &Call<'_>, _permit: Permit<Self>, _body: ObjectBody) -> Answer {
        let bucket = call.existing_bucket()?;
        let stored = bucket.acl.as_ref().filter(|_| bucket.ownership().has_acls());
        let list =
            stored.map_or_else(|| AccessControlList::private(bucket.account), |acl| with_owner(bucket, &acl.list));
        call.show(bucket.account, &list)
    }
}

/// Replaces the ACL of a bucket, if its ownership controls allow ACLs.
impl Run for PutBucketAcl {
    /// 100 grants with long names.
    const DOCUMENT_BYTES_MAX: u64 = 64 << 10;

    async fn run(call: &Call<'_>, permit: Permit<Self>, mut body: ObjectBody) -> Answer {
        let document = body.read_all(Self::DOCUMENT_BYTES_MAX).await?;
        let input = permit.into_operation();
        let bucket = call.existing_bucket()?;
        let owners = AclOwners { owner: bucket.account, bucket_owner: None };
        let list = requested(&input.acl, &document, owners)?;
        if may_keep(bucket, owners.owner, &list)? {
            let text = stored(bucket, &bucket.owner, &list, call);
            let shows = |bucket: &Bucket| bucket.acl.as_ref().is_some_and(|acl| *acl.text == *text);
            call.configure(&input.bucket, settings::acl_patch(text.clone()), shows).await?;
        }
        answer::empty(StatusCode::OK)
    }
}

impl Run for GetObjectAcl {
    async fn run(call: &Call<'_>, permit: Permit<Self>, _body: ObjectBody) -> Answer {
        let bucket = call.existing_bucket()?;
        let entry = call.object_at(&permit.operation().target).await?;
        if !bucket.ownership().has_acls() {
            return call.show(bucket.account, &AccessControlList::private(bucket.account));
        }
        let object = call.owner_and_acl(bucket, &entry);
        call.about(&permit.operation().target, &entry, call.show(object.owner, &object.acl)?)
    }
}

/// Replaces the ACL of an object, if the ownership controls of its bucket allow ACLs. It keeps its owner.
impl Run for PutObjectAcl {
    /// 100 grants with long names.
    const DOCUMENT_BYTES_MAX: u64 = 64 << 10;

    async fn run(call: &Call<'_>, mut permit: Permit<Self>, mut body: ObjectBody) -> Answer {
        let document = body.read_all(Self::DOCUMENT_BYTES_MAX).await?;
        let bucket = call.existing_bucket()?;
        let writer = call.writer()?;
        let mut attempts = Attempts::default();
        loop {
            let input = permit.operation();
            let entry = call.object_at(&input.target).await?;
            let owner = call.owner_and_acl(bucket, &entry).owner;
            let owners = AclOwners { owner, bucket_owner: Some(bucket.account) };
            let list = requested(&input.acl, &document, owners)?;
            if !may_keep(bucket, owner, &list)? {
                return answer::empty(StatusCode::OK);
            }
            let text = stored(bucket, object::owner(&entry).unwrap_or(&bucket.owner), &list, call);
            if is_done(writer.set_acl(&input.target.key, &entry, text).await)? {
                return call.about(&input.target, &entry, answer::empty(StatusCode::OK)?);
            }
            permit = attempts.decide_again(call, permit).await?;
        }
    }
}

/// The same list with the owner's account for the name under which SeaweedFS knows the owner.
fn with_owner(bucket: &Bucket, list: &AccessControlList) -> AccessControlList {
    let mut list = list.clone();
    for grant in &mut list.grants {
        if matches!(&grant.grantee, Grantee::Unknown(name) if *name == bucket.owner) {
            grant.grantee = Grantee::Account(bucket.account);
        }
    }
    list
}

/// Whether the ACL of a bucket grants something to anyone but its owner.
pub fn gives_something_away(bucket: &Bucket) -> bool {
    bucket.acl.as_ref().is_some_and(|acl| !with_owner(bucket, &acl.list).is_private(bucket.account))
}

/// The list that a request asks for: in headers or in a document, but not in both.
fn requested(headers: &AclHeaders, document: &Bytes, owners: AclOwners) -> Result<AccessControlList, S3Error> {
    match (headers.list(owners)?, document.trim_ascii().is_empty()) {
        (Some(list), true) => Ok(list),
        (Some(_), false) => Err(S3ErrorCode::UnexpectedContent.into()),
        (None, false) => acl_from_xml(document, owners.owner),
        (None, true) => {
            let message = "Send the ACL in the header x-amz-acl, in headers x-amz-grant-..., or as the body";
            Err(S3Error::with_message(S3ErrorCode::MissingSecurityHeader, message))
        }
    }
}

/// Whether a new list is stored. Where ACLs do not count, the one that says what applies anyway is accepted, and every other
/// one is refused.
fn may_keep(bucket: &Bucket, owner: AccountId, list: &AccessControlList) -> Result<bool, S3Error> {
    let owner = if bucket.ownership().has_acls() { owner } else { bucket.account };
    match (bucket.ownership().has_acls(), list.is_public(), list.is_private(owner)) {
        (false, _, true) => Ok(false),
        (false, _, false) => Err(S3ErrorCode::AccessControlListNotSupported.into()),
        (true, true, _) if bucket.public_access_block().block_public_acls => {
            Err(blocked("public ACLs", "BlockPublicAcls"))
        }
        (true, ..) => Ok(true),
    }
}

/// The stored form of a list. The owners have the ids that are stored with bucket and object, which may be names.
fn stored(bucket: &Bucket, owner: &str, list: &AccessControlList, call: &Call<'_>) -> String {
    let id_of = |account: AccountId| {
        let names = [owner, &*bucket.owner].into_iter().filter(|name| !name.is_empty());
        let known = names.into_iter().find(|name| call.snapshot.account_of_owner(name) == account);
        known.map_or_else(|| account.to_string(), str::to_owned)
    };
    acl::write(list, id_of)
}

/// Owner and ACL of a new object or bucket.
pub struct NewAcl {
    /// The owner id.
    pub owner: String,
    /// The stored form of the ACL; `None` for one that grants nothing to anyone but the owner.
    pub acl: Option<String>,
}

impl Call<'_> {
    /// Owner and ACL of a new object with these headers.
    pub fn new_object_acl(&self, bucket: &Bucket, headers: &AclHeaders) -> Result<NewAcl, S3Error> {
        let uploader = (!self.caller.is_anonymous()).then(|| self.caller.account.as_str());
        let gives = headers.canned.as_deref() == Some("bucket-owner-full-control");
        let owner = bucket::rules::owner_of_new_object(bucket.ownership(), &bucket.owner, uploader, gives);
        let account = self.snapshot.account_of_owner(owner);
        let list = headers.list(AclOwners { owner: account, bucket_owner: Some(bucket.account) })?;
        let kept = match &list {
            Some(list) => may_keep(bucket, account, list)? && !list.is_private(account),
            None => false,
        };
        let acl = list.filter(|_| kept).map(|list| stored(bucket, owner, &list, self));
        Ok(NewAcl { owner: owner.to_owned(), acl })
    }

    /// The account that owns an object, and the object's ACL.
    pub fn owner_and_acl(&self, bucket: &Bucket, entry: &Entry) -> ExistingObject {
        let id = object::owner(entry).filter(|id| !id.is_empty()).unwrap_or(&bucket.owner);
        let owner = self.snapshot.account_of_owner(id);
        let account_of = |name: &str| {
            let is_known = !name.is_empty() && (name == id || name == &*bucket.owner);
            is_known.then(|| self.snapshot.account_of_owner(name))
        };
        let acl = match object::acl(entry) {
            Some(text) => acl::read(text, account_of),
            None => AccessControlList::private(owner),
        };
        ExistingObject { owner, acl }
    }

    /// The same for an object that a decision is about; `None` if it does not exist.
    pub async fn existing_object(&self, target: &Target) -> Result<Option<ExistingObject>, S3Error> {
        let Some(bucket) = self.snapshot.bucket(target.bucket.as_str()) else { return Ok(None) };
        let entry = self.existing_entry(target).await?;
        Ok(entry.map(|entry| self.owner_and_acl(bucket, &entry)))
    }

    /// An object that does not exist has no ACL that could allow anything. A caller that may list the bucket
    /// gets `NoSuchKey` instead of `AccessDenied`.
    pub fn or_missing(&self, refusal: Box<Refusal>, missing: Option<Target>) -> Denied {
        let is_silent = matches!(refusal.decision, Decision::ImplicitDeny { .. });
        let told = missing.filter(|object| {
            let listing = Requirement::to_learn_whether_key_exists(&object.bucket, &object.key);
            is_silent
                && Action::named(&refusal.action).is_some_and(policy::is_of_object_acl)
                && self.check_allowed(&listing).is_ok()
        });
        match told {
            Some(object) => Denied::Failed(no_such_key(&object.key)),
            None => refusal.into(),
        }
    }

    /// An account as S3 shows it: canonical user id and name.
    pub fn shown_account(&self, account: AccountId) -> Owner {
        Owner { id: account.canonical_id(), display_name: self.snapshot.account_name(&account).to_owned() }
    }

    /// The account of a stored owner id, as S3 shows it.
    pub fn shown_owner(&self, owner: &str) -> Owner {
        self.shown_account(self.snapshot.account_of_owner(owner))
    }

    /// The answer with the version that it is about.
    fn about(&self, target: &Target, entry: &Entry, mut response: Response<ResponseBody>) -> Answer {
        self.set_version_id(response.headers_mut(), target, entry);
        Ok(response)
    }

    /// The answer with an ACL.
    fn show(&self, owner: AccountId, list: &AccessControlList) -> Answer {
        answer::document(acl_to_xml(&self.shown_account(owner), list, |account| self.shown_account(account)))
    }
}
