use filer::FilerError;

/// Why IAM state could not be read or written.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// Another writer changed the document first. Read it and try again.
    #[error("`{0}` was changed by another writer at the same time")]
    Conflict(String),
    /// The filer returned an error.
    #[error("IAM state at `{path}`: {error}")]
    Filer {
        /// The document or directory.
        path: String,
        /// The error.
        error: FilerError,
    },
    /// A command tries to write what it has not read. This is a bug, not a mistake of the caller.
    #[error("`{0}` would be written without having been read")]
    Unseen(String),
    /// A secret could not be encrypted, so nothing was written.
    #[error("a secret key could not be encrypted; nothing was written")]
    NotSealed,
    /// The document would be too large to be read again.
    #[error("`{0}` would have {1} bytes, which is too large for an IAM document; nothing was written")]
    TooLarge(String, usize),
    /// The store has no place for a document with this name.
    #[error("`{0}` cannot be stored: {1}")]
    NoPlace(String, &'static str),
}

impl StoreError {
    /// Whether trying again later may help.
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Filer { error: FilerError::Unavailable(_) | FilerError::NotAgreed, .. })
    }
}
