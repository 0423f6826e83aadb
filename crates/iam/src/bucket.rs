//! What the data plane needs to know of a bucket: the attributes of its directory entry (SEAWEEDFS 4.48), read once per change.

use std::collections::BTreeMap;
use std::hash::BuildHasher;
use std::sync::Arc;

use ids::AccountId;
use policy::{CompiledPolicy, Policy, PolicyKind, PrincipalIds};
use prost::Message;
use rustc_hash::FxBuildHasher;

use crate::bucket_life::{BucketLife, LIFE};
use crate::policy_ids;

/// The owner's account id.
pub const OWNER: &str = "Seaweed-X-Amz-Owner";
/// The name of the identity that made the bucket.
pub const CREATOR: &str = "s3-identity-id";
/// Grants, as JSON.
pub const ACL: &str = "Seaweed-X-Amz-Acl";
/// Object ownership.
pub const OWNERSHIP: &str = "Seaweed-X-Amz-Ownership";
/// `Enabled` or `Suspended`.
pub const VERSIONING: &str = "Seaweed-X-Amz-Versioning";
/// The bucket policy, as JSON.
pub const POLICY: &str = "s3-bucket-policy";
/// Ours: whom the principals of the policy named when it was put, by their unique ids.
pub const POLICY_IDS: &str = "kelpgate-bucket-policy-ids";
/// The lifecycle configuration, as XML.
pub const LIFECYCLE: &str = "s3-bucket-lifecycle-configuration-xml";
/// `Enabled`.
pub const OBJECT_LOCK: &str = "Seaweed-X-Amz-Object-Lock-Enabled";

/// How old a directory that nobody made must be to count as a bucket, in seconds.
const MADE_BY_ITSELF_S: i64 = 10;

/// A bucket, without any call to the filer.
#[derive(Debug, Clone)]
pub struct Bucket {
    /// Its name.
    pub name: Arc<str>,
    /// The owner id as stored: an account number, or a name; empty when nobody is named.
    pub owner: Arc<str>,
    /// The account that the owner id stands for; for an owner that is no account number the Snapshot puts its own default.
    pub account: AccountId,
    /// The name of the identity that made it; may be empty.
    pub creator: Arc<str>,
    /// Seconds since 1970.
    pub created_s: i64,
    /// Which making of the bucket it is, and how far its deletion has come.
    pub life: BucketLife,
    /// Somebody made it: a filer makes directories for what is written below them, and names no owner.
    pub has_maker: bool,
    /// The bucket policy.
    pub policy: Option<BucketPolicy>,
    /// The ACL as stored (JSON array of grants).
    pub acl: Option<Arc<str>>,
    /// Who owns objects.
    pub ownership: Ownership,
    /// Whether versions are kept.
    pub versioning: Versioning,
    /// Object lock was enabled when the bucket was made.
    pub object_lock: bool,
    /// The default retention, if object lock has one.
    pub default_retention: Option<DefaultRetention>,
    /// Tags, CORS and default encryption; an error when the stored message cannot be read.
    pub metadata: Result<BucketMetadata, Arc<str>>,
    /// The lifecycle configuration as stored (XML).
    pub lifecycle: Option<Arc<str>>,
    /// Bytes; negative while disabled; 0 for none.
    pub quota: i64,
    /// Tells two states of its entry apart: [`Bucket::version_of`].
    pub version: u64,
}

/// A stored bucket policy.
#[derive(Debug, Clone)]
pub struct BucketPolicy {
    /// The text as stored.
    pub text: Arc<str>,
    /// Whom its principals named when it was put. Empty for a policy that weed wrote.
    pub ids: Arc<PrincipalIds>,
    /// Its index; it denies everything if the text cannot be read.
    pub compiled: Arc<CompiledPolicy>,
    /// It grants something to everybody.
    pub is_public: bool,
}

/// `Seaweed-X-Amz-Ownership`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Ownership {
    /// ACLs do not count; also when nothing is stored.
    #[default]
    BucketOwnerEnforced,
    /// The bucket's owner owns objects uploaded with `bucket-owner-full-control`.
    BucketOwnerPreferred,
    /// The uploader owns the object.
    ObjectWriter,
}

/// `Seaweed-X-Amz-Versioning`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Versioning {
    /// Never enabled.
    #[default]
    Off,
    /// Each write makes a version.
    Enabled,
    /// Writes make the null version; old ones stay.
    Suspended,
    /// A value that nobody knows: treat it as enabled, refuse what is not supported.
    Unknown,
}

/// Object lock's default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DefaultRetention {
    /// `GOVERNANCE` or `COMPLIANCE`.
    pub mode: Arc<str>,
    /// Days, or 0.
    pub days: u32,
    /// Years, or 0.
    pub years: u32,
}

/// The message in the content of a bucket's entry (`s3_pb.BucketMetadata`).
#[derive(Clone, PartialEq, Message)]
pub struct BucketMetadata {
    /// The bucket's tags.
    #[prost(btree_map = "string, string", tag = "1")]
    pub tags: BTreeMap<String, String>,
    /// CORS.
    #[prost(message, optional, tag = "2")]
    pub cors: Option<CorsConfiguration>,
    /// Default encryption.
    #[prost(message, optional, tag = "3")]
    pub encryption: Option<EncryptionConfiguration>,
}

/// CORS rules, in order.
#[derive(Clone, PartialEq, Message)]
pub struct CorsConfiguration {
    /// The first one that matches counts.
    #[prost(message, repeated, tag = "1")]
    pub rules: Vec<CorsRule>,
}

/// One CORS rule.
#[derive(Clone, PartialEq, Message)]
pub struct CorsRule {
    /// Request headers, with `*`.
    #[prost(string, repeated, tag = "1")]
    pub allowed_headers: Vec<String>,
    /// Methods.
    #[prost(string, repeated, tag = "2")]
    pub allowed_methods: Vec<String>,
    /// Origins, with `*`.
    #[prost(string, repeated, tag = "3")]
    pub allowed_origins: Vec<String>,
    /// Response headers that scripts may read.
    #[prost(string, repeated, tag = "4")]
    pub expose_headers: Vec<String>,
    /// How long a preflight may be kept, in seconds.
    #[prost(int32, tag = "5")]
    pub max_age_seconds: i32,
    /// The rule's name.
    #[prost(string, tag = "6")]
    pub id: String,
}

/// Default encryption.
#[derive(Clone, PartialEq, Message)]
pub struct EncryptionConfiguration {
    /// `AES256` or `aws:kms`.
    #[prost(string, tag = "1")]
    pub sse_algorithm: String,
    /// The key, for `aws:kms`.
    #[prost(string, tag = "2")]
    pub kms_key_id: String,
    /// Bucket keys.
    #[prost(bool, tag = "3")]
    pub bucket_key_enabled: bool,
}

impl Bucket {
    /// Reads a bucket from what its directory entry holds. `previous` is the bucket as known before: an unchanged policy is
    /// not compiled again.
    pub fn read(
        name: &str,
        extended: &BTreeMap<String, Vec<u8>>,
        content: &[u8],
        created_s: i64,
        quota: i64,
        previous: Option<&Bucket>,
    ) -> Self {
        let text = |key: &str| extended.get(key).map(|bytes| String::from_utf8_lossy(bytes));
        let owner = text(OWNER).unwrap_or_default();
        let ownership = match text(OWNERSHIP).as_deref() {
            Some("BucketOwnerPreferred") => Ownership::BucketOwnerPreferred,
            Some("ObjectWriter") => Ownership::ObjectWriter,
            _ => Ownership::BucketOwnerEnforced,
        };
        let versioning = match text(VERSIONING).as_deref() {
            None | Some("") => Versioning::Off,
            Some("Enabled") => Versioning::Enabled,
            Some("Suspended") => Versioning::Suspended,
            Some(_) => Versioning::Unknown,
        };
        let policy = extended.get(POLICY).filter(|bytes| !bytes.is_empty());
        Self {
            name: name.into(),
            account: AccountId::from_owner(&owner),
            owner: owner.into(),
            creator: text(CREATOR).unwrap_or_default().into(),
            created_s,
            life: BucketLife::read(text(LIFE).as_deref(), created_s),
            has_maker: extended.contains_key(LIFE) || extended.contains_key(OWNER),
            policy: policy
                .map(|bytes| bucket_policy(name, bytes, policy_ids::read(extended.get(POLICY_IDS), bytes), previous)),
            acl: text(ACL).map(Into::into),
            ownership,
            versioning,
            object_lock: extended.get(OBJECT_LOCK).is_some_and(|value| !value.is_empty()),
            default_retention: default_retention(extended),
            metadata: BucketMetadata::decode(content)
                .map_err(|error| format!("the metadata of bucket `{name}` cannot be read: {error}").into()),
            lifecycle: text(LIFECYCLE).map(Into::into),
            quota,
            version: Self::version_of(extended, content),
        }
    }

    /// A hash of what an entry holds: the same for the same attributes and content, within one process.
    pub fn version_of(extended: &BTreeMap<String, Vec<u8>>, content: &[u8]) -> u64 {
        FxBuildHasher.hash_one((extended, content))
    }

    /// Whether there is such a bucket at this moment. Not if its deletion is decided, and not if the filer made the directory just
    /// now for a write that met a deletion: that write takes it away again.
    pub fn is_there(&self, now_s: i64) -> bool {
        !self.life.is_deleted() && (self.has_maker || now_s.saturating_sub(self.created_s) >= MADE_BY_ITSELF_S)
    }

    /// Versioning is or was enabled: there may be versions, and a write would have to make one.
    pub fn keeps_versions(&self) -> bool {
        self.versioning != Versioning::Off
    }

    /// The compiled bucket policy.
    pub fn compiled_policy(&self) -> Option<&CompiledPolicy> {
        self.policy.as_ref().map(|policy| &*policy.compiled)
    }

    /// The CORS rules; none if there are none or they cannot be read.
    pub fn cors_rules(&self) -> &[CorsRule] {
        self.metadata.as_ref().ok().and_then(|metadata| metadata.cors.as_ref()).map_or(&[], |cors| &cors.rules)
    }

    /// The tags; none if there are none or they cannot be read.
    pub fn tags(&self) -> Option<&BTreeMap<String, String>> {
        self.metadata.as_ref().ok().map(|metadata| &metadata.tags)
    }
}

fn bucket_policy(
    name: &str,
    bytes: &[u8],
    ids: Result<PrincipalIds, String>,
    previous: Option<&Bucket>,
) -> BucketPolicy {
    let is_known = |known: &&BucketPolicy| known.text.as_bytes() == bytes && ids.as_ref() == Ok(&*known.ids);
    if let Some(known) = previous.and_then(|bucket| bucket.policy.as_ref()).filter(is_known) {
        return known.clone();
    }
    // With replacement characters a policy would be about other keys than those it names.
    let parsed = match std::str::from_utf8(bytes) {
        Ok(text) => Policy::parse_stored(PolicyKind::Bucket, text).map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    let text = String::from_utf8_lossy(bytes);
    let read = parsed.and_then(|policy| Ok((policy, ids?)));
    let (compiled, is_public, ids) = match read {
        Ok((policy, ids)) => (policy.compile_with_ids(&ids), policy.is_public(), ids),
        Err(error) => {
            let reason = format!("the stored policy of bucket `{name}` cannot be read: {error}");
            (CompiledPolicy::unreadable(reason), false, PrincipalIds::new())
        }
    };
    BucketPolicy { text: text.into(), ids: Arc::new(ids), compiled: Arc::new(compiled), is_public }
}

fn default_retention(extended: &BTreeMap<String, Vec<u8>>) -> Option<DefaultRetention> {
    let text = |key: &str| extended.get(key).map(|bytes| String::from_utf8_lossy(bytes));
    let number = |key: &str| text(key).and_then(|digits| digits.parse().ok()).unwrap_or(0);
    let mode = text("Lock-Default-Mode").filter(|mode| !mode.is_empty())?;
    Some(DefaultRetention { mode: mode.into(), days: number("Lock-Default-Days"), years: number("Lock-Default-Years") })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(pairs: &[(&str, &str)], content: &[u8]) -> Bucket {
        let extended = pairs.iter().map(|(key, value)| ((*key).to_owned(), value.as_bytes().to_vec())).collect();
        Bucket::read("b1x", &extended, content, 7, 0, None)
    }

    #[test]
    fn attributes_become_facts() {
        let found = bucket(&[(OWNER, "111122223333"), (CREATOR, "al"), (VERSIONING, "Suspended")], &[]);
        assert_eq!(
            (found.account.as_str(), &*found.creator, found.versioning),
            ("111122223333", "al", Versioning::Suspended)
        );
        assert_eq!(bucket(&[(OWNER, "root")], &[]).account, AccountId::DEFAULT);
        assert_eq!(bucket(&[(VERSIONING, "Sideways")], &[]).versioning, Versioning::Unknown);
        assert!(bucket(&[(OBJECT_LOCK, "Enabled")], &[]).object_lock);
        let retention =
            bucket(&[("Lock-Default-Mode", "GOVERNANCE"), ("Lock-Default-Days", "3")], &[]).default_retention;
        assert_eq!(retention, Some(DefaultRetention { mode: "GOVERNANCE".into(), days: 3, years: 0 }));
    }

    #[test]
    fn a_directory_that_the_filer_made_just_now_is_no_bucket() {
        let decided = "1.deleted.7.2";
        for (pairs, now_s, want) in [
            (&[][..], 8, false),
            (&[], 16, false),
            (&[], 17, true),
            (&[(OWNER, "al")], 8, true),
            (&[(LIFE, "1")], 8, true),
            (&[(LIFE, "1.deleting.2")], 8, true),
            (&[(LIFE, decided), (OWNER, "al")], 100, false),
        ] {
            assert_eq!(bucket(pairs, &[]).is_there(now_s), want, "{pairs:?} {now_s}");
        }
    }

    #[test]
    fn the_content_of_weed_is_read() {
        let found = bucket(&[], &[0x1a, 0x08, 0x0a, 0x06, 0x41, 0x45, 0x53, 0x32, 0x35, 0x36]);
        assert_eq!(found.metadata.unwrap().encryption.unwrap().sse_algorithm, "AES256");
        assert!(bucket(&[], &[0xff]).metadata.is_err());
    }

    #[test]
    fn a_policy_that_cannot_be_read_is_kept_and_denies() {
        let found = bucket(&[(POLICY, "{not json")], &[]);
        let policy = found.policy.clone().unwrap();
        assert!(policy.compiled.unreadable_reason().is_some_and(|reason| reason.contains("b1x")), "{policy:?}");
        let extended = [(POLICY.to_owned(), b"{not json".to_vec())].into();
        let again = Bucket::read("b1x", &extended, &[], 7, 0, Some(&found));
        assert!(Arc::ptr_eq(&again.policy.unwrap().compiled, &policy.compiled));
    }

    #[test]
    fn a_policy_that_is_not_utf_8_denies() {
        let statement = br#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b1x/"#;
        for (key, readable) in [(&b"\xc3\xa9"[..], true), (b"\xe9", false)] {
            let text = [&statement[..], key, br#""}}"#].concat();
            let found = Bucket::read("b1x", &[(POLICY.to_owned(), text)].into(), &[], 7, 0, None);
            let policy = found.policy.unwrap();
            assert_eq!(policy.compiled.unreadable_reason().is_none(), readable, "{policy:?}");
            assert_eq!(policy.is_public, readable, "{policy:?}");
        }
    }
}
