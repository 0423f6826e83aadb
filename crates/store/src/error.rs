use filer::FilerError;

/// Why IAM state could not be read or written.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// Somebody else changed the document first. Read again and try again.
    #[error("`{0}` was changed by somebody else at the same moment")]
    Conflict(String),
    /// The filer did not do it.
    #[error("IAM state at `{path}`: {error}")]
    Filer {
        /// The document or directory.
        path: String,
        /// What the filer said.
        error: FilerError,
    },
    /// A command wants to write what it did not read: a mistake of the program, not of the caller.
    #[error("`{0}` would be written without having been read")]
    Unseen(String),
    /// A secret could not be encrypted, so nothing was written.
    #[error("a secret key could not be encrypted; nothing was written")]
    NotSealed,
    /// The document would be larger than one that is read again.
    #[error("`{0}` would have {1} bytes, more than any document of IAM; nothing was written")]
    TooLarge(String, usize),
    /// The document cannot be written: its name has no place in the store.
    #[error("`{0}` cannot be stored: {1}")]
    NoPlace(String, &'static str),
}

impl StoreError {
    /// Trying again later may help.
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Filer { error: FilerError::Unavailable(_) | FilerError::NotAgreed, .. })
    }
}
