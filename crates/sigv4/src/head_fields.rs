//! What signatures read from a head: headers and parameters that may be given once.

use std::borrow::Cow;

use http::request::Parts;
use ids::query_pairs;
use percent_encoding::percent_decode_str;

use crate::SigError;

/// The value of a header that may appear at most once.
pub(crate) fn single<'a>(head: &'a Parts, name: &str) -> Result<Option<&'a str>, SigError> {
    let mut values = head.headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => {
            let text = value.to_str().map_err(|_| SigError::HeaderMalformed(format!("{name} is not ASCII").into()))?;
            Ok(Some(text.trim()))
        }
        _ => Err(SigError::HeaderMalformed(format!("{name} must be given once").into())),
    }
}

/// The query parameters that concern signatures, each at most once.
#[derive(Default)]
pub(crate) struct QueryParams<'a> {
    pub(crate) algorithm: Option<Cow<'a, str>>,
    pub(crate) credential: Option<Cow<'a, str>>,
    pub(crate) date: Option<Cow<'a, str>>,
    pub(crate) expires: Option<Cow<'a, str>>,
    pub(crate) signed_headers: Option<Cow<'a, str>>,
    pub(crate) signature: Option<Cow<'a, str>>,
    pub(crate) security_token: Option<Cow<'a, str>>,
    pub(crate) content_sha256: Option<Cow<'a, str>>,
    pub(crate) v2_access_key_id: Option<Cow<'a, str>>,
    pub(crate) v2_expires: Option<Cow<'a, str>>,
    pub(crate) v2_signature: Option<Cow<'a, str>>,
    pub(crate) v2_security_token: Option<Cow<'a, str>>,
}

impl<'a> QueryParams<'a> {
    pub(crate) fn collect(query: &'a str) -> Result<Self, SigError> {
        let mut found = Self::default();
        for (name, value) in query_pairs(query) {
            let name = if name.contains('%') { percent_decode_str(name).decode_utf8_lossy() } else { name.into() };
            let slot = match name.as_ref() {
                "X-Amz-Algorithm" => &mut found.algorithm,
                "X-Amz-Credential" => &mut found.credential,
                "X-Amz-Date" => &mut found.date,
                "X-Amz-Expires" => &mut found.expires,
                "X-Amz-SignedHeaders" => &mut found.signed_headers,
                "X-Amz-Signature" => &mut found.signature,
                "X-Amz-Security-Token" => &mut found.security_token,
                "X-Amz-Content-Sha256" => &mut found.content_sha256,
                "AWSAccessKeyId" => &mut found.v2_access_key_id,
                "Expires" => &mut found.v2_expires,
                "Signature" => &mut found.v2_signature,
                "x-amz-security-token" => &mut found.v2_security_token,
                _ => continue,
            };
            let value = match value.contains('%') {
                true => percent_decode_str(value).decode_utf8(),
                false => Ok(value.into()),
            };
            let value = value.map_err(|_| SigError::QueryMalformed(format!("{name} is not UTF-8").into()))?;
            if slot.replace(value).is_some() {
                return Err(SigError::QueryMalformed(format!("{name} must be given once").into()));
            }
        }
        Ok(found)
    }

    pub(crate) fn is_v4(&self) -> bool {
        [&self.algorithm, &self.credential, &self.signature, &self.signed_headers].iter().any(|slot| slot.is_some())
    }

    pub(crate) fn is_v2(&self) -> bool {
        self.v2_access_key_id.is_some() || self.v2_signature.is_some()
    }
}
