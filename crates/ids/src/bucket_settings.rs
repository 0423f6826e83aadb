//! What a bucket does with the objects that are written into it.

/// Who owns the objects of a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Ownership {
    /// ACLs do not count. This also applies if nothing is stored.
    #[default]
    BucketOwnerEnforced,
    /// The bucket's owner owns objects uploaded with `bucket-owner-full-control`.
    BucketOwnerPreferred,
    /// The uploader owns the object.
    ObjectWriter,
}

impl Ownership {
    /// From what is stored. Unknown text counts as none: ACLs must not count by mistake.
    pub fn read(stored: &str) -> Self {
        Self::named(stored).unwrap_or_default()
    }

    /// From S3's word for it.
    pub fn named(word: &str) -> Option<Self> {
        [Self::BucketOwnerEnforced, Self::BucketOwnerPreferred, Self::ObjectWriter]
            .into_iter()
            .find(|known| known.as_str() == word)
    }

    /// Whether ACLs count.
    pub fn has_acls(self) -> bool {
        self != Self::BucketOwnerEnforced
    }

    /// S3's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BucketOwnerEnforced => "BucketOwnerEnforced",
            Self::BucketOwnerPreferred => "BucketOwnerPreferred",
            Self::ObjectWriter => "ObjectWriter",
        }
    }
}

/// What a bucket or an account does against public access. Source: S3 API Reference, `PublicAccessBlockConfiguration`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PublicAccessBlock {
    /// Requests that would set a public ACL are refused.
    pub block_public_acls: bool,
    /// The grants of ACLs to everyone do not count.
    pub ignore_public_acls: bool,
    /// A public bucket policy cannot be put.
    pub block_public_policy: bool,
    /// While the bucket policy is public, only identities of the bucket's account may use the bucket.
    pub restrict_public_buckets: bool,
}

impl PublicAccessBlock {
    /// Everything is blocked.
    pub const ALL: Self = Self {
        block_public_acls: true,
        ignore_public_acls: true,
        block_public_policy: true,
        restrict_public_buckets: true,
    };

    /// Both: whatever one of the two blocks.
    #[must_use]
    pub fn and_also(self, other: Self) -> Self {
        Self {
            block_public_acls: self.block_public_acls || other.block_public_acls,
            ignore_public_acls: self.ignore_public_acls || other.ignore_public_acls,
            block_public_policy: self.block_public_policy || other.block_public_policy,
            restrict_public_buckets: self.restrict_public_buckets || other.restrict_public_buckets,
        }
    }

    /// From what is stored. What cannot be read blocks everything.
    pub fn read(stored: &str) -> Self {
        let words: Vec<&str> = stored.split(',').filter(|word| !word.is_empty()).collect();
        let names = Self::ALL.settings().map(|(name, _)| name);
        if words.iter().any(|word| !names.contains(word)) {
            return Self::ALL;
        }
        let [block_public_acls, ignore_public_acls, block_public_policy, restrict_public_buckets] =
            names.map(|name| words.contains(&name));
        Self { block_public_acls, ignore_public_acls, block_public_policy, restrict_public_buckets }
    }

    /// The stored form: the names of the settings that are on.
    pub fn to_text(self) -> String {
        self.settings().into_iter().filter(|(_, on)| *on).map(|(name, _)| name).collect::<Vec<_>>().join(",")
    }

    /// The settings by S3's names, in its order.
    pub fn settings(self) -> [(&'static str, bool); 4] {
        [
            ("BlockPublicAcls", self.block_public_acls),
            ("IgnorePublicAcls", self.ignore_public_acls),
            ("BlockPublicPolicy", self.block_public_policy),
            ("RestrictPublicBuckets", self.restrict_public_buckets),
        ]
    }
}

/// What a new bucket gets if its request does not say: `kelpgate.newBuckets`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NewBuckets {
    /// Who owns objects; `None` stores nothing, and ACLs do not count.
    pub object_ownership: Option<Ownership>,
    /// Whether all public access is blocked.
    pub block_public_access: bool,
}

/// Whether a bucket keeps the versions of its objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Versioning {
    /// Never enabled.
    #[default]
    Off,
    /// Each write makes a version.
    Enabled,
    /// Writes make the null version; old versions stay.
    Suspended,
    /// An unknown value. Treat it as enabled, and refuse what is not supported.
    Unknown,
}

impl Versioning {
    /// From what is stored.
    pub fn read(stored: Option<&str>) -> Self {
        match stored {
            None | Some("") => Self::Off,
            Some("Enabled") => Self::Enabled,
            Some("Suspended") => Self::Suspended,
            Some(_) => Self::Unknown,
        }
    }

    /// S3's word for it; `None` if it was never enabled.
    pub fn status(self) -> Option<&'static str> {
        match self {
            Self::Off => None,
            Self::Enabled | Self::Unknown => Some("Enabled"),
            Self::Suspended => Some("Suspended"),
        }
    }

    /// Whether versioning is or was enabled: there may be versions, and a write would have to make one.
    pub fn keeps_versions(self) -> bool {
        self != Self::Off
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_words_are_read() {
        for (stored, status, keeps) in [
            (None, None, false),
            (Some(""), None, false),
            (Some("Enabled"), Some("Enabled"), true),
            (Some("Suspended"), Some("Suspended"), true),
            (Some("Sideways"), Some("Enabled"), true),
        ] {
            let versioning = Versioning::read(stored);
            assert_eq!((versioning.status(), versioning.keeps_versions()), (status, keeps), "{stored:?}");
        }
        for (stored, want) in [
            ("", "BucketOwnerEnforced"),
            ("BucketOwnerEnforced", "BucketOwnerEnforced"),
            ("BucketOwnerPreferred", "BucketOwnerPreferred"),
            ("ObjectWriter", "ObjectWriter"),
            ("objectwriter", "BucketOwnerEnforced"),
        ] {
            let ownership = Ownership::read(stored);
            assert_eq!((ownership.as_str(), ownership.has_acls()), (want, want != "BucketOwnerEnforced"), "{stored}");
        }
    }

    #[test]
    fn a_public_access_block_is_stored_by_its_names() {
        let acls_alone = PublicAccessBlock { block_public_acls: true, ignore_public_acls: true, ..Default::default() };
        for (block, text) in [
            (PublicAccessBlock::default(), ""),
            (acls_alone, "BlockPublicAcls,IgnorePublicAcls"),
            (PublicAccessBlock::ALL, "BlockPublicAcls,IgnorePublicAcls,BlockPublicPolicy,RestrictPublicBuckets"),
        ] {
            assert_eq!((block.to_text().as_str(), PublicAccessBlock::read(text)), (text, block));
        }
        for unreadable in ["BlockPublicacls", "BlockPublicAcls;IgnorePublicAcls", "\u{fffd}", "BlockPublicAcls, Other"]
        {
            assert_eq!(PublicAccessBlock::read(unreadable), PublicAccessBlock::ALL, "{unreadable}");
        }
    }
}
