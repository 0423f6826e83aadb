//! What the head of a request says about its body.

use access::Authenticated;
use s3::{Operation, S3Error, S3ErrorCode};
use sigv4::{BodyCheck, ChunkedDecoder};

use super::{ExpectedBody, ObjectBody, Source};
use crate::gateway::Gateway;
use crate::request_scope::RequestScope;

impl Gateway {
    /// The body, and everything in the head that it is compared with.
    pub(crate) fn body(
        &self,
        scope: &RequestScope<'_>,
        authenticated: &Authenticated,
        operation: &Operation,
        incoming: Source,
    ) -> Result<ObjectBody, S3Error> {
        let decoder = ChunkedDecoder::of(scope.head, authenticated.payload, authenticated.seed.clone())
            .map_err(access::from_signature)?;
        let promised = operation.checksums().map(ExpectedBody::of).transpose()?;
        let plain = decoder.is_none();
        let length = operation.upload();
        let expected = ExpectedBody {
            sha256: plain.then(|| BodyCheck::new(authenticated.payload)),
            decoder: decoder.map(Box::new),
            length: length.and_then(|length| if plain { length.on_the_wire } else { length.decoded }),
            ..promised.unwrap_or_default()
        };
        let limit = self.settings.max_body_bytes;
        if expected.length.is_some_and(|length| length > limit) {
            let error = S3Error::new(S3ErrorCode::EntityTooLarge);
            return Err(error.field("MaxSizeAllowed", limit.to_string()));
        }
        Ok(ObjectBody::new(incoming, expected, limit, self.settings.body_patience))
    }
}
