use std::borrow::Cow;

use http::request::Parts;

use crate::query::QueryString;
use crate::{S3Error, S3ErrorCode};

/// The head of a request as the operations read it, with a decoded query and headers looked up by name.
///
/// A presigned URL may carry `x-amz-*` headers as parameters, because its signature covers the query. There they count
/// as headers, except checksums: AWS ignores those, and SDKs put the checksum of an empty body there.
pub(crate) struct Request<'a> {
    pub(crate) head: &'a Parts,
    pub(crate) query: Cow<'a, QueryString>,
    presigned: bool,
    /// Whether a query parameter counts as a header.
    has_hoisted: bool,
}

impl<'a> Request<'a> {
    pub(crate) fn new(head: &'a Parts) -> Result<Self, S3Error> {
        Ok(Self::with_query(head, Cow::Owned(QueryString::parse(head.uri.query())?)))
    }

    /// A request whose query string was parsed before.
    pub(crate) fn with_query(head: &'a Parts, query: Cow<'a, QueryString>) -> Self {
        let presigned = query.has("X-Amz-Signature")
            && query.has("X-Amz-SignedHeaders")
            && !query.has("AWSAccessKeyId")
            && !head.headers.contains_key("authorization");
        let has_hoisted = presigned && query.iter().any(|(name, _)| can_be_hoisted(name));
        Self { head, query, presigned, has_hoisted }
    }

    /// The value of a parameter.
    pub(crate) fn param(&self, name: &str) -> Option<&str> {
        self.query.get(name)
    }

    pub(crate) fn owned_param(&self, name: &str) -> Option<String> {
        self.param(name).map(str::to_owned)
    }

    /// The trimmed value of a header that may occur once. `name` is in lower case.
    pub(crate) fn header(&self, name: &str) -> Result<Option<Cow<'_, str>>, S3Error> {
        let mut values = self.head.headers.get_all(name).iter();
        let first = values.next();
        if values.next().is_some() {
            return Err(S3Error::invalid_argument(name, "", "The header occurs more than once: send it once"));
        }
        let hoisted = self.hoisted(name);
        match (first, hoisted) {
            (Some(_), Some(value)) => {
                Err(S3Error::invalid_argument(name, value, "The header is also a query parameter: send one of the two"))
            }
            (None, hoisted) => Ok(hoisted.map(Cow::Borrowed)),
            (Some(value), None) => Ok(Some(Cow::Borrowed(utf8(name, value)?))),
        }
    }

    pub(crate) fn owned_header(&self, name: &str) -> Result<Option<String>, S3Error> {
        Ok(self.header(name)?.map(Cow::into_owned))
    }

    /// The values of a header that may occur more than once, joined by commas.
    pub(crate) fn joined_header(&self, name: &str) -> Result<Option<String>, S3Error> {
        let mut joined: Option<String> = None;
        for value in self.head.headers.get_all(name) {
            let value = utf8(name, value)?;
            match &mut joined {
                Some(text) => {
                    text.push(',');
                    text.push_str(value);
                }
                None => joined = Some(value.to_owned()),
            }
        }
        Ok(joined.or_else(|| self.hoisted(name).map(str::to_owned)))
    }

    pub(crate) fn has_header(&self, name: &str) -> bool {
        self.head.headers.contains_key(name) || self.hoisted(name).is_some()
    }

    /// Whether the signature covers a header that is sent. A presigned URL covers only the headers that it names:
    /// anyone who sends it may add others. Every other signature covers the hash of the body, which is a line of the
    /// signed text.
    pub(crate) fn signs_header(&self, name: &str) -> bool {
        let named = |list: &str| list.split(';').any(|signed| signed.eq_ignore_ascii_case(name));
        !self.presigned || self.param("X-Amz-SignedHeaders").is_some_and(named)
    }

    /// The names of all headers that begin with `prefix`, in lower case, each once.
    pub(crate) fn header_names(&self, prefix: &str) -> Vec<String> {
        let mut names: Vec<String> = self
            .head
            .headers
            .keys()
            .map(|name| name.as_str())
            .filter(|n| n.starts_with(prefix))
            .map(str::to_owned)
            .collect();
        if self.has_hoisted {
            let hoisted = self.query.iter().map(|(name, _)| name.to_ascii_lowercase());
            names.extend(hoisted.filter(|name| name.starts_with(prefix) && can_be_hoisted(name)));
        }
        names.sort();
        names.dedup();
        names
    }

    /// A header that is `true` or `false`. If absent, it counts as `false`.
    pub(crate) fn flag(&self, name: &'static str) -> Result<bool, S3Error> {
        match self.header(name)?.as_deref() {
            None => Ok(false),
            Some(value) if value.eq_ignore_ascii_case("true") => Ok(true),
            Some(value) if value.eq_ignore_ascii_case("false") => Ok(false),
            Some(value) => Err(S3Error::invalid_argument(name, value, "The value must be `true` or `false`")),
        }
    }

    /// A parameter that is a whole number in `0..=2147483647`. The error has S3's message.
    pub(crate) fn number(&self, name: &'static str) -> Result<Option<u32>, S3Error> {
        let Some(text) = self.param(name).filter(|text| !text.is_empty()) else { return Ok(None) };
        let number = text.parse::<u32>().ok().filter(|number| *number <= i32::MAX as u32);
        number.map(Some).ok_or_else(|| {
            let message = format!("Argument {name} must be an integer between 0 and 2147483647");
            S3Error::invalid_argument(name, text, message)
        })
    }

    /// A header that is a number of bytes.
    pub(crate) fn length(&self, name: &'static str) -> Result<Option<u64>, S3Error> {
        self.digits(name, "The value must be a number of bytes")
    }

    /// A header that counts something.
    pub(crate) fn count(&self, name: &'static str) -> Result<Option<u64>, S3Error> {
        self.digits(name, "The value must be a whole number")
    }

    fn digits(&self, name: &'static str, message: &'static str) -> Result<Option<u64>, S3Error> {
        let Some(text) = self.header(name)? else { return Ok(None) };
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        match text.parse().ok().filter(|_| digits) {
            Some(number) => Ok(Some(number)),
            None => Err(S3Error::invalid_argument(name, &*text, message)),
        }
    }

    fn hoisted(&self, name: &str) -> Option<&str> {
        if !self.has_hoisted || !can_be_hoisted(name) {
            return None;
        }
        self.query.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

/// Whether a parameter counts as a header, ignoring case. Parameters of the signature do not; those of checksums are ignored.
fn can_be_hoisted(name: &str) -> bool {
    const SIGNATURE: &[&str] = &[
        "x-amz-algorithm",
        "x-amz-content-sha256",
        "x-amz-credential",
        "x-amz-date",
        "x-amz-expires",
        "x-amz-security-token",
        "x-amz-signature",
        "x-amz-signedheaders",
    ];
    let begins = |with: &str| name.get(..with.len()).is_some_and(|part| part.eq_ignore_ascii_case(with));
    let is = |known: &&str| known.eq_ignore_ascii_case(name);
    begins("x-amz-") && !SIGNATURE.iter().any(is) && !begins("x-amz-checksum-") && !is(&"x-amz-sdk-checksum-algorithm")
}

fn utf8<'v>(name: &str, value: &'v http::HeaderValue) -> Result<&'v str, S3Error> {
    std::str::from_utf8(value.as_bytes()).map(str::trim).map_err(|_| {
        S3Error::with_message(S3ErrorCode::InvalidArgument, "The header is not UTF-8").field("ArgumentName", name)
    })
}
