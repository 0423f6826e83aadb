use std::fmt;

/// Why a document is refused, as the API that refuses it words it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}{}", At(path))]
pub struct PolicyError {
    code: &'static str,
    message: String,
    path: String,
}

struct At<'a>(&'a str);

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, " (at {})", self.0) }
    }
}

impl PolicyError {
    pub(crate) fn new(code: &'static str, message: impl Into<String>, path: impl Into<String>) -> Self {
        Self { code, message: message.into(), path: path.into() }
    }

    /// AWS's error code: `MalformedPolicy` for bucket policies, `MalformedPolicyDocument` for the others, `LimitExceeded` and
    /// `ValidationError` if the document is too long.
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// AWS's message, followed by what to do about it where that helps.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The message with the place, for answers that have the code apart.
    pub fn message_and_path(&self) -> String {
        format!("{}{}", self.message, At(&self.path))
    }

    /// Where the fault is: `Statement[1].Condition.StringEqual`, or `line 3 column 7` for text that is not JSON. Empty
    /// if the fault concerns the whole document.
    pub fn path(&self) -> &str {
        &self.path
    }
}
