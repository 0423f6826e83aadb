use std::collections::BTreeSet;

use crate::compiled::CompiledPolicy;
use crate::error::PolicyError;
use crate::fault::{Fault, Rule};
use crate::grammar::{Document, PrincipalKind};
use crate::policy_kind::PolicyKind;
use crate::principal::Principal;
use crate::principal_element::{Named, PrincipalIds};
use crate::public;
use crate::rules;
use crate::statement::Statement;

/// A parsed and checked document.
#[derive(Clone, Debug)]
pub struct Policy {
    kind: PolicyKind,
    document: Document,
}

impl Policy {
    /// Parses and checks a document, as the API that stores this kind does.
    pub fn parse(kind: PolicyKind, text: &str) -> Result<Self, PolicyError> {
        Self::parse_sized(kind, text, kind.size_max())
    }

    /// Like [`Policy::parse`], with a different size limit: the inline policies of a user, group or role share 2,048,
    /// 5,120 or 10,240 characters, and an account can have a higher quota.
    pub fn parse_sized(kind: PolicyKind, text: &str, size_max: usize) -> Result<Self, PolicyError> {
        Self::checked(kind, None, text, size_max).map_err(|fault| fault.refuse(kind))
    }

    /// Parses and checks the policy of this bucket. Every resource has to belong to it.
    pub fn parse_bucket(bucket: &str, text: &str) -> Result<Self, PolicyError> {
        let kind = PolicyKind::Bucket;
        Self::checked(kind, Some(bucket), text, kind.size_max()).map_err(|fault| fault.refuse(kind))
    }

    /// Parses a document that is already in force. It has to follow the grammar, so that its meaning is certain, but
    /// the rules for new documents (sizes, versions, known actions, fitting resources) do not apply.
    pub fn parse_stored(kind: PolicyKind, text: &str) -> Result<Self, PolicyError> {
        let document = Document::parse(text).map_err(|fault| fault.refuse(kind))?;
        Ok(Self { kind, document })
    }

    fn checked(kind: PolicyKind, bucket: Option<&str>, text: &str, size_max: usize) -> Result<Self, Fault> {
        let size = kind.size_of(text);
        if size > size_max {
            return Err(Fault::new(
                Rule::Size(size_max),
                "",
                format!("the document has {size}; split it, or shorten it with wildcards"),
            ));
        }
        // S3 means the first byte literally. Stored documents keep the white space that they have.
        if kind == PolicyKind::Bucket && text.starts_with(char::is_whitespace) {
            return Err(Fault::new(Rule::FirstByte, "line 1 column 1", "remove the white space before it"));
        }
        let document = Document::parse(text)?;
        rules::check(kind, bucket, &document)?;
        Ok(Self { kind, document })
    }

    /// What the document is for.
    pub fn kind(&self) -> PolicyKind {
        self.kind
    }

    pub(crate) fn document(&self) -> &Document {
        &self.document
    }

    /// The index of this policy.
    pub fn compile(&self) -> CompiledPolicy {
        self.compile_with_ids(&PrincipalIds::new())
    }

    /// The index of this policy. Principals listed in `ids` are bound to their unique id: the policy follows a renamed
    /// user and does not apply to a later user of the same name.
    pub fn compile_with_ids(&self, ids: &PrincipalIds) -> CompiledPolicy {
        CompiledPolicy::new(&self.document, self.kind, ids)
    }

    /// The ARNs of `Principal` and `NotPrincipal` that name a user, a role or a role session, as they are written, with
    /// what they name. The session is empty if the ARN names a role.
    pub fn named_principals(&self) -> impl Iterator<Item = (&str, Principal)> {
        let elements = self.document.statements.iter().filter_map(|statement| statement.principal.as_ref());
        let names = elements.flat_map(|element| &element.names).filter(|name| name.kind == PrincipalKind::Aws);
        names.filter_map(|name| Some((name.name.as_str(), Named::new(name).principal()?)))
    }

    /// The condition keys that the policy tests or that its variables name, each once, as GetContextKeysForCustomPolicy
    /// returns them.
    pub fn context_keys(&self) -> Vec<String> {
        let compiled = self.compile();
        let mut seen = BTreeSet::new();
        let spelled = self
            .document
            .statements
            .iter()
            .flat_map(|statement| &statement.conditions)
            .map(|condition| condition.key.as_str());
        let in_variables = compiled.statements().iter().flat_map(Statement::keys);
        let keys = spelled.chain(in_variables);
        keys.filter(|key| seen.insert(key.to_ascii_lowercase())).map(str::to_owned).collect()
    }

    /// The [`Policy::context_keys`] that no request can have: keys of `aws:`, `s3:`, `iam:` or `sts:` that do not
    /// exist, and names that are not keys. A condition on one of them is evaluated like one on any absent key.
    pub fn unknown_keys(&self) -> Vec<String> {
        self.context_keys().into_iter().filter(|key| !rules::is_known_key(key)).collect()
    }

    /// What an ARN in a policy names, if it is a user, a role or a role session; see [`Policy::named_principals`].
    pub fn principal_of(arn: &str) -> Option<Principal> {
        Named::aws(arn)?.principal()
    }

    /// Whether the policy grants public access, as GetBucketPolicyStatus and BlockPublicPolicy define it.
    pub fn is_public(&self) -> bool {
        public::is_public(&self.document)
    }
}
