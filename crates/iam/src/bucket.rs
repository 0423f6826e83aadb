//! What the data plane needs to know of a bucket, read once per change. Which attribute of its entry says what: the crate `bucket`.

use std::collections::BTreeMap;
use std::sync::Arc;

use ids::{AccessControlList, AccountId, BucketLife, DefaultRetention, Ownership, PublicAccessBlock, Versioning};
use policy::{CompiledPolicy, Policy, PolicyKind, PrincipalIds};

use crate::policy_ids;

/// How old a directory that no one created must be to count as a bucket, in seconds.
const MADE_BY_ITSELF_S: i64 = 10;

/// The name of the configuration that says that the requester pays.
pub const REQUEST_PAYMENT: &str = "requestPayment";

/// The name of the configuration of its website.
pub const WEBSITE: &str = "website";

/// A bucket, as known without calling the filer.
#[derive(Debug, Clone)]
pub struct Bucket {
    /// Its name.
    pub name: Arc<str>,
    /// The stored owner id: an account number, or a name; empty if there is none.
    pub owner: Arc<str>,
    /// The account of the owner id. If the owner id is not an account number, the Snapshot sets its own default.
    pub account: AccountId,
    /// The name of the identity that created it; may be empty.
    pub creator: Arc<str>,
    /// Seconds since 1970.
    pub created_s: i64,
    /// The id of this creation of the bucket, and how far its deletion has got.
    pub life: BucketLife,
    /// Whether someone created it. A filer also makes directories for what is written below them, but these have no
    /// owner.
    pub was_created: bool,
    /// The bucket policy.
    pub policy: Option<BucketPolicy>,
    /// The ACL, if one is stored.
    pub acl: Option<BucketAcl>,
    /// Who owns objects, if ownership controls are stored.
    pub ownership_controls: Option<Ownership>,
    /// What it does against public access, if anything is configured.
    pub public_access_block: Option<PublicAccessBlock>,
    /// What its account does against public access. The Snapshot sets it.
    pub account_block: PublicAccessBlock,
    /// Whether versions are kept.
    pub versioning: Versioning,
    /// Whether object lock is enabled. Once enabled, it stays enabled.
    pub object_lock: bool,
    /// The default retention, if object lock has one.
    pub default_retention: Option<DefaultRetention>,
    /// Tags, CORS and default encryption as stored: a message that the crate `bucket` reads.
    pub metadata: Arc<[u8]>,
    /// The lifecycle configuration as stored (XML).
    pub lifecycle: Option<Arc<str>>,
    /// The configurations that only Kelpgate keeps, by name, such as `website` or `metrics/ID`.
    pub configurations: BTreeMap<Box<str>, Arc<str>>,
    /// Tells two states of its entry apart: `bucket::settings::version`.
    pub version: u64,
}

/// A stored access control list.
#[derive(Debug, Clone)]
pub struct BucketAcl {
    /// The text as stored.
    pub text: Arc<str>,
    /// What it grants: nothing if the text cannot be read.
    pub list: Arc<AccessControlList>,
}

/// A stored bucket policy.
#[derive(Debug, Clone)]
pub struct BucketPolicy {
    /// The text as stored.
    pub text: Arc<str>,
    /// The ids of its principals when it was put. Empty for a policy that `weed s3` wrote.
    pub ids: Arc<PrincipalIds>,
    /// Its index, which denies everything if the text cannot be read.
    pub compiled: Arc<CompiledPolicy>,
    /// Whether it grants something to everyone.
    pub is_public: bool,
}

impl Bucket {
    /// A bucket of which nothing but this is stored. `owner` may be empty.
    pub fn new(name: &str, owner: &str, created_s: i64) -> Self {
        Self {
            name: name.into(),
            owner: owner.into(),
            account: AccountId::from_owner(owner),
            creator: "".into(),
            created_s,
            life: BucketLife::read(None, created_s),
            was_created: !owner.is_empty(),
            policy: None,
            acl: None,
            ownership_controls: None,
            public_access_block: None,
            account_block: PublicAccessBlock::default(),
            versioning: Versioning::default(),
            object_lock: false,
            default_retention: None,
            metadata: [].into(),
            lifecycle: None,
            configurations: BTreeMap::new(),
            version: 0,
        }
    }

    /// Whether the bucket exists now. It does not if its deletion is decided, or if the filer has only just made the
    /// directory for a write that met a deletion: that write removes it again.
    pub fn is_there(&self, now_s: i64) -> bool {
        !self.life.is_deleted() && (self.was_created || now_s.saturating_sub(self.created_s) >= MADE_BY_ITSELF_S)
    }

    /// Whether callers of other accounts pay for requests, so that only callers who are known are let in. What cannot be
    /// read lets no others in.
    pub fn requester_pays(&self) -> bool {
        self.configurations.contains_key(REQUEST_PAYMENT)
    }

    /// Who owns objects. Without ownership controls, ACLs do not count.
    pub fn ownership(&self) -> Ownership {
        self.ownership_controls.unwrap_or_default()
    }

    /// The ACL as far as it counts: where the bucket's owner owns everything, no ACL does, and `IgnorePublicAcls` ignores
    /// public ones.
    pub fn acl_that_counts(&self) -> Option<&AccessControlList> {
        self.counts(self.acl.as_ref().map(|acl| &*acl.list)?)
    }

    /// The same for the ACL of one of its objects.
    pub fn counts<'a>(&self, acl: &'a AccessControlList) -> Option<&'a AccessControlList> {
        let ignored = self.public_access_block().ignore_public_acls && acl.is_public();
        (self.ownership().has_acls() && !ignored).then_some(acl)
    }

    /// What is done against public access: the most restrictive of bucket and account.
    pub fn public_access_block(&self) -> PublicAccessBlock {
        self.public_access_block.unwrap_or_default().and_also(self.account_block)
    }

    /// The bucket's account, if only its identities may use the bucket: the policy is public, and
    /// `RestrictPublicBuckets` is on.
    pub fn restricted_to(&self) -> Option<AccountId> {
        let is_public = self.policy.as_ref().is_some_and(|policy| policy.is_public);
        (is_public && self.public_access_block().restrict_public_buckets).then_some(self.account)
    }

    /// The compiled bucket policy.
    pub fn compiled_policy(&self) -> Option<&CompiledPolicy> {
        self.policy.as_ref().map(|policy| &*policy.compiled)
    }
}

impl BucketPolicy {
    /// From the text that is stored, and the ids beside it ([`crate::stored_policy_ids`]). `previous` is the policy as known before:
    /// an unchanged one is not compiled again.
    pub fn read(bucket: &str, text: &[u8], ids: Option<&[u8]>, previous: Option<&Self>) -> Self {
        let ids = policy_ids::read(ids, text);
        let is_known = |known: &&Self| known.text.as_bytes() == text && ids.as_ref() == Ok(&*known.ids);
        if let Some(known) = previous.filter(is_known) {
            return known.clone();
        }
        // With replacement characters, a policy would apply to different keys from those it names.
        let parsed = match std::str::from_utf8(text) {
            Ok(text) => Policy::parse_stored(PolicyKind::Bucket, text).map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        let read = parsed.and_then(|policy| Ok((policy, ids?)));
        let (compiled, is_public, ids) = match read {
            Ok((policy, ids)) => (policy.compile_with_ids(&ids), policy.is_public(), ids),
            Err(error) => {
                let reason = format!("the stored policy of bucket `{bucket}` cannot be read: {error}");
                (CompiledPolicy::unreadable(reason), false, PrincipalIds::new())
            }
        };
        let text = String::from_utf8_lossy(text).into();
        Self { text, ids: Arc::new(ids), compiled: Arc::new(compiled), is_public }
    }
}

#[cfg(test)]
mod tests {
    use ids::Stage;

    use super::*;

    #[test]
    fn owners_are_accounts() {
        assert_eq!(Bucket::new("b1x", "111122223333", 7).account.as_str(), "111122223333");
        assert_eq!(Bucket::new("b1x", "root", 7).account, AccountId::DEFAULT);
    }

    #[test]
    fn a_directory_that_the_filer_just_made_is_not_a_bucket() {
        let made_by_filer = Bucket::new("b1x", "", 7);
        let made = Bucket::new("b1x", "al", 7);
        let at = |stage| Bucket { life: made.life.at(stage), ..made.clone() };
        for (bucket, now_s, want) in [
            (&made_by_filer, 8, false),
            (&made_by_filer, 16, false),
            (&made_by_filer, 17, true),
            (&made, 8, true),
            (&at(Stage::Announced("2".into())), 8, true),
            (&at(Stage::Deleted { since_s: 7, mark: "2".into() }), 100, false),
        ] {
            assert_eq!(bucket.is_there(now_s), want, "{bucket:?} {now_s}");
        }
    }

    #[test]
    fn a_policy_that_cannot_be_read_is_kept_and_denies() {
        let policy = BucketPolicy::read("b1x", b"{not json", None, None);
        assert!(policy.compiled.unreadable_reason().is_some_and(|reason| reason.contains("b1x")), "{policy:?}");
        let again = BucketPolicy::read("b1x", b"{not json", None, Some(&policy));
        assert!(Arc::ptr_eq(&again.compiled, &policy.compiled));
    }

    #[test]
    fn a_policy_that_is_not_utf_8_denies() {
        let statement = br#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b1x/"#;
        for (key, readable) in [(&b"\xc3\xa9"[..], true), (b"\xe9", false)] {
            let text = [&statement[..], key, br#""}}"#].concat();
            let policy = BucketPolicy::read("b1x", &text, None, None);
            assert_eq!(policy.compiled.unreadable_reason().is_none(), readable, "{policy:?}");
            assert_eq!(policy.is_public, readable, "{policy:?}");
        }
    }
}
