use crate::action::Action;

/// The index of one policy: immutable, shared in an `Arc` by all requests.
#[derive(Debug, Default)]
pub struct CompiledPolicy {
    unreadable: Option<String>,
}

impl CompiledPolicy {
    /// Translates SeaweedFS's legacy actions (`Read:bucket/prefix*`, `Admin`) of one identity. The second part has one warning
    /// for each entry that is unknown or can match nothing.
    pub fn compile_legacy(_actions: &[String]) -> (Self, Vec<String>) {
        (Self::default(), Vec::new())
    }

    /// A stored policy that does not parse, or is missing: it denies everything that it applies to.
    pub fn unreadable(reason: String) -> Self {
        Self { unreadable: Some(reason) }
    }

    /// Why the policy denies everything, when it was made by [`CompiledPolicy::unreadable`].
    pub fn unreadable_reason(&self) -> Option<&str> {
        self.unreadable.as_deref()
    }

    /// Could a statement that applies to this action and resource test a condition key, or use a variable, whose name begins
    /// with `key_prefix` (ignoring case), like `s3:existingobjecttag/`?
    pub fn mentions(&self, _action: Action, _resource: &str, _key_prefix: &str) -> bool {
        true
    }

    /// The Sid of a statement, by its place in the document; `None` when it has none.
    pub fn sid(&self, _statement: u32) -> Option<&str> {
        None
    }

    /// How many statements there are.
    pub fn len(&self) -> usize {
        0
    }

    /// Whether there is no statement.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
