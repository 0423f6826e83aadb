/// What a document is for. Each kind has its own rules about what it may contain.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum PolicyKind {
    /// Attached to a user, a group or a role, or managed: CreatePolicy, PutUserPolicy and so on.
    Identity,
    /// A bucket's policy: PutBucketPolicy.
    Bucket,
    /// Who may assume a role: CreateRole, UpdateAssumeRolePolicy.
    Trust,
    /// Passed to AssumeRole, GetFederationToken and so on.
    Session,
    /// A permissions boundary.
    Boundary,
}

impl PolicyKind {
    /// The size of the largest document that the API accepts: in bytes for a bucket policy, in characters for a session
    /// policy, and in characters other than white space for the rest. Sources: S3 User Guide, "Bucket policies"; IAM
    /// User Guide, "IAM and STS quotas".
    pub fn size_max(self) -> usize {
        match self {
            Self::Identity | Self::Boundary => 6_144,
            Self::Bucket => 20_480,
            Self::Trust | Self::Session => 2_048,
        }
    }

    pub(crate) fn size_of(self, text: &str) -> usize {
        match self {
            Self::Bucket => text.len(),
            Self::Session => text.chars().count(),
            Self::Identity | Self::Boundary | Self::Trust => text.chars().filter(|c| !c.is_whitespace()).count(),
        }
    }
}
