use aws_lc_rs::digest;

use crate::{PayloadHash, SigError};

/// Compares a plain body with the signed `x-amz-content-sha256`, as it streams by.
///
/// The caller commits nothing of the body before [`BodyCheck::finish`] succeeds.
#[derive(Clone)]
pub struct BodyCheck(Option<(digest::Context, [u8; 32])>);

impl BodyCheck {
    /// A check for what the signature says about the body. For an unsigned or an aws-chunked body there is nothing to
    /// compare.
    pub fn new(payload: PayloadHash) -> Self {
        match payload {
            PayloadHash::Sha256(expected) => Self(Some((digest::Context::new(&digest::SHA256), expected))),
            _ => Self(None),
        }
    }

    /// Takes the next piece of the body.
    pub fn update(&mut self, piece: &[u8]) {
        if let Some((context, _)) = &mut self.0 {
            context.update(piece);
        }
    }

    /// Ends the body. Fails with `XAmzContentSHA256Mismatch` if it is not the signed one.
    pub fn finish(self) -> Result<(), SigError> {
        let Some((context, expected)) = self.0 else { return Ok(()) };
        if context.finish().as_ref() == expected { Ok(()) } else { Err(SigError::PayloadMismatch) }
    }
}

impl std::fmt::Debug for BodyCheck {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_some() { "BodyCheck(sha256)" } else { "BodyCheck(none)" })
    }
}
