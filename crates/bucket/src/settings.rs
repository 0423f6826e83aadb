//! What the entry of a bucket's directory says of the bucket.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::hash::BuildHasher;

use filer::Entry;
use ids::{BucketLife, DefaultRetention, Ownership, PublicAccessBlock, RetentionMode, RetentionPeriod, Versioning};
use rustc_hash::FxBuildHasher;

use crate::attributes;

/// Bytes that are not valid UTF-8 become an unknown value, never an absent one.
fn text<'e>(entry: &'e Entry, name: &str) -> Option<Cow<'e, str>> {
    entry.extended.get(name).map(|bytes| String::from_utf8_lossy(bytes))
}

/// The owner id: an account number, or a name; empty if there is no owner.
pub fn owner(entry: &Entry) -> Cow<'_, str> {
    text(entry, attributes::OWNER).unwrap_or_default()
}

/// The name of the identity that made the bucket; may be empty.
pub fn creator(entry: &Entry) -> Cow<'_, str> {
    text(entry, attributes::CREATOR).unwrap_or_default()
}

/// The id of this creation of the bucket, and how far its deletion has got.
pub fn life(entry: &Entry) -> BucketLife {
    BucketLife::read(text(entry, attributes::LIFE).as_deref(), entry.attributes().crtime)
}

/// Whether a client created the bucket. A filer also creates directories for what is written below them; those have no attributes.
pub fn was_created(entry: &Entry) -> bool {
    !entry.extended.is_empty()
}

/// Who owns objects, if ownership controls are stored.
pub fn ownership(entry: &Entry) -> Option<Ownership> {
    text(entry, attributes::OWNERSHIP).filter(|stored| !stored.is_empty()).map(|stored| Ownership::read(&stored))
}

/// What the bucket does against public access, if anything is configured.
pub fn public_access_block(entry: &Entry) -> Option<PublicAccessBlock> {
    text(entry, attributes::PUBLIC_ACCESS_BLOCK).map(|stored| PublicAccessBlock::read(&stored))
}

/// Whether versions are kept.
pub fn versioning(entry: &Entry) -> Versioning {
    Versioning::read(text(entry, attributes::VERSIONING).as_deref())
}

/// Whether object lock is enabled. Once enabled, it stays enabled.
pub fn has_object_lock(entry: &Entry) -> bool {
    entry.extended.get(attributes::LOCK_ENABLED).is_some_and(|value| !value.is_empty())
}

/// The default retention, if object lock has one.
pub fn default_retention(entry: &Entry) -> Option<DefaultRetention> {
    let number = |name| text(entry, name).and_then(|digits| digits.parse().ok()).unwrap_or(0);
    let mode = text(entry, attributes::DEFAULT_LOCK_MODE).filter(|mode| !mode.is_empty())?;
    let period = match (number(attributes::DEFAULT_LOCK_DAYS), number(attributes::DEFAULT_LOCK_YEARS)) {
        (0, years) => RetentionPeriod::Years(years),
        // S3 knows only one of the two. Where both are stored, the longest reading protects.
        (days, years) => RetentionPeriod::Days(days.saturating_add(RetentionPeriod::Years(years).days())),
    };
    Some(DefaultRetention { mode: RetentionMode::read(&mode), period })
}

/// The ACL, which [`crate::acl::read`] reads.
pub fn acl(entry: &Entry) -> Option<Cow<'_, str>> {
    text(entry, attributes::ACL)
}

/// The lifecycle configuration, XML.
pub fn lifecycle(entry: &Entry) -> Option<Cow<'_, str>> {
    text(entry, attributes::LIFECYCLE)
}

/// The configurations that only Kelpgate keeps, by name.
pub fn configurations(entry: &Entry) -> impl Iterator<Item = (&str, Cow<'_, str>)> {
    let named = entry.extended.iter().map(|(name, bytes)| (name.strip_prefix(attributes::CONFIGURATION_PREFIX), bytes));
    named.filter_map(|(name, bytes)| Some((name?, String::from_utf8_lossy(bytes))))
}

/// The bucket policy, JSON.
pub fn policy(entry: &Entry) -> Option<&[u8]> {
    entry.extended.get(attributes::POLICY).map(Vec::as_slice).filter(|bytes| !bytes.is_empty())
}

/// Whom the principals of the policy named when it was put.
pub fn policy_ids(entry: &Entry) -> Option<&[u8]> {
    entry.extended.get(attributes::POLICY_IDS).map(Vec::as_slice)
}

/// A change of an entry's attributes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AttributePatch {
    /// The attributes to set.
    pub set: BTreeMap<String, Vec<u8>>,
    /// The names of those to remove.
    pub remove: Vec<String>,
}

impl AttributePatch {
    /// Also sets an attribute, or removes it.
    fn with(mut self, name: &str, value: Option<impl Into<Vec<u8>>>) -> Self {
        match value {
            Some(value) => drop(self.set.insert(name.to_owned(), value.into())),
            None => self.remove.push(name.to_owned()),
        }
        self
    }
}

/// Replaces the ownership controls, or removes them.
pub fn ownership_patch(ownership: Option<Ownership>) -> AttributePatch {
    AttributePatch::default().with(attributes::OWNERSHIP, ownership.map(Ownership::as_str))
}

/// Replaces the ACL with its stored form.
pub fn acl_patch(acl: String) -> AttributePatch {
    AttributePatch::default().with(attributes::ACL, Some(acl))
}

/// Replaces the public access block, or removes it.
pub fn public_access_block_patch(block: Option<PublicAccessBlock>) -> AttributePatch {
    AttributePatch::default().with(attributes::PUBLIC_ACCESS_BLOCK, block.map(PublicAccessBlock::to_text))
}

/// Replaces one of the [`configurations`], or removes it.
pub fn configuration_patch(name: &str, document: Option<String>) -> AttributePatch {
    AttributePatch::default().with(&format!("{}{name}", attributes::CONFIGURATION_PREFIX), document)
}

/// Replaces a policy and its ids, or removes them.
pub fn policy_patch(policy: Option<&str>, ids: Option<Vec<u8>>) -> AttributePatch {
    AttributePatch::default().with(attributes::POLICY, policy).with(attributes::POLICY_IDS, ids)
}

/// Sets the state of versioning, `Enabled` or `Suspended`.
pub fn versioning_patch(status: &str) -> AttributePatch {
    AttributePatch::default().with(attributes::VERSIONING, Some(status))
}

/// Enables object lock with this default retention; without one, new objects are not retained by default.
pub fn object_lock_patch(default: Option<DefaultRetention>) -> AttributePatch {
    let (days, years) = match default.map(|default| default.period) {
        Some(RetentionPeriod::Days(days)) => (Some(days), None),
        Some(RetentionPeriod::Years(years)) => (None, Some(years)),
        None => (None, None),
    };
    AttributePatch::default()
        .with(attributes::LOCK_ENABLED, Some("Enabled"))
        .with(attributes::DEFAULT_LOCK_MODE, default.map(|default| default.mode.as_str()))
        .with(attributes::DEFAULT_LOCK_DAYS, days.map(|days| days.to_string()))
        .with(attributes::DEFAULT_LOCK_YEARS, years.map(|years| years.to_string()))
}

/// A hash of what an entry says: the same for the same attributes and content, within one process.
pub fn version(entry: &Entry) -> u64 {
    FxBuildHasher.hash_one((&entry.extended, &entry.content))
}

#[cfg(test)]
mod tests {
    use filer::Attributes;
    use ids::Stage;

    use super::*;
    use crate::attributes::{CREATOR, LIFE, LOCK_ENABLED, OWNER, VERSIONING};

    fn entry(pairs: &[(&str, &[u8])]) -> Entry {
        let extended = pairs.iter().map(|(name, value)| ((*name).to_owned(), value.to_vec())).collect();
        Entry { extended, attributes: Some(Attributes { crtime: 7, ..Attributes::default() }), ..Entry::default() }
    }

    #[test]
    fn versioning_that_cannot_be_read_is_not_off() {
        for (pairs, want) in [
            (&[][..], Versioning::Off),
            (&[(VERSIONING, &b"Suspended"[..])], Versioning::Suspended),
            (&[(VERSIONING, b"Sideways")], Versioning::Unknown),
            (&[(VERSIONING, b"\xff")], Versioning::Unknown),
        ] {
            assert_eq!(versioning(&entry(pairs)), want, "{pairs:?}");
        }
    }

    #[test]
    fn what_limits_access_is_read_as_it_was_set() {
        for ownership in [None, Some(Ownership::BucketOwnerEnforced), Some(Ownership::ObjectWriter)] {
            for block in [None, Some(PublicAccessBlock::default()), Some(PublicAccessBlock::ALL)] {
                let (mut patch, other) = (ownership_patch(ownership), public_access_block_patch(block));
                patch.set.extend(other.set);
                assert_eq!(patch.set.len() + patch.remove.len() + other.remove.len(), 2);
                let entry = Entry { extended: patch.set, ..Entry::default() };
                assert_eq!((super::ownership(&entry), public_access_block(&entry)), (ownership, block));
            }
        }
        let odd = entry(&[(attributes::OWNERSHIP, b"\xff"), (attributes::PUBLIC_ACCESS_BLOCK, b"\xff")]);
        let want = (Some(Ownership::BucketOwnerEnforced), Some(PublicAccessBlock::ALL));
        assert_eq!((ownership(&odd), public_access_block(&odd)), want);
    }

    #[test]
    fn configurations_are_read_as_they_were_kept() {
        let patch = configuration_patch("metrics/a", Some("<a/>".into()));
        assert_eq!((patch.set.len(), patch.remove.len()), (1, 0));
        let mut kept = Entry { extended: patch.set, ..Entry::default() };
        kept.extended.insert(OWNER.into(), b"al".to_vec());
        kept.extended.insert("kelpgate-configuration-website".into(), b"\xff".to_vec());
        let found: Vec<_> = configurations(&kept).collect();
        assert_eq!(found, [("metrics/a", "<a/>".into()), ("website", "\u{fffd}".into())]);
        let remove = vec!["kelpgate-configuration-website".to_owned()];
        assert_eq!(configuration_patch("website", None), AttributePatch { remove, ..AttributePatch::default() });
    }

    #[test]
    fn locks_are_read() {
        let locked = entry(&[
            (LOCK_ENABLED, b"Enabled"),
            (attributes::DEFAULT_LOCK_MODE, b"GOVERNANCE"),
            (attributes::DEFAULT_LOCK_DAYS, b"3"),
        ]);
        assert!(has_object_lock(&locked));
        let want = DefaultRetention { mode: RetentionMode::Governance, period: RetentionPeriod::Days(3) };
        assert_eq!(default_retention(&locked), Some(want));
        // What S3 does not know is the stricter one.
        let odd = entry(&[
            (attributes::DEFAULT_LOCK_MODE, b"governance"),
            (attributes::DEFAULT_LOCK_DAYS, b"3"),
            (attributes::DEFAULT_LOCK_YEARS, b"1"),
        ]);
        let want = DefaultRetention { mode: RetentionMode::Compliance, period: RetentionPeriod::Days(368) };
        assert_eq!(default_retention(&odd), Some(want));
        assert!(!has_object_lock(&entry(&[(LOCK_ENABLED, b"")])));
        assert_eq!(default_retention(&entry(&[(attributes::DEFAULT_LOCK_DAYS, b"3")])), None);
    }

    #[test]
    fn a_directory_that_the_filer_made_has_no_maker() {
        for (pairs, id, made) in [
            (&[][..], "made-7", false),
            (&[(OWNER, &b"al"[..])], "made-7", true),
            // `s3.bucket.create` of `weed shell`, with `-owner` or `-withLock`.
            (&[(CREATOR, b"al")], "made-7", true),
            (&[(VERSIONING, b"Enabled")], "made-7", true),
            (&[(LIFE, b"1")], "1", true),
            (&[(LIFE, b"1.deleting.2")], "1", true),
        ] {
            let entry = entry(pairs);
            assert_eq!((&*life(&entry).id, was_created(&entry)), (id, made), "{pairs:?}");
        }
        assert_eq!(life(&entry(&[(LIFE, b"1.deleting.2")])).stage, Stage::Announced("2".into()));
    }

    #[test]
    fn a_policy_and_its_ids_change_together() {
        let names = [attributes::POLICY.to_owned(), attributes::POLICY_IDS.to_owned()];
        let [policy, ids] = &names;
        for (put, set, removed) in [
            ((None, None), vec![], vec![policy, ids]),
            ((Some("{}"), None), vec![policy], vec![ids]),
            ((Some("{}"), Some(b"x".to_vec())), vec![ids, policy], vec![]),
        ] {
            let patch = policy_patch(put.0, put.1);
            assert_eq!((patch.set.keys().collect(), patch.remove.iter().collect()), (set, removed));
        }
    }

    #[test]
    fn another_state_is_another_version() {
        let one = entry(&[(OWNER, b"al")]);
        assert_eq!(version(&one), version(&one.clone()));
        assert_ne!(version(&one), version(&entry(&[(OWNER, b"bo")])));
        assert_ne!(version(&one), version(&Entry { content: vec![1], ..one.clone() }));
    }
}
