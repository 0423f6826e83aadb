use crate::request::Request;
use crate::{S3Error, S3ErrorCode, time};

/// The entity tags of an `If-Match` or `If-None-Match` header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntityTags {
    /// `*`: any object.
    Any,
    /// The tags without quotes and without `W/`.
    OneOf(Vec<String>),
}

impl EntityTags {
    /// Reads a list of tags. S3 also takes tags without quotes.
    pub fn parse(header: &str) -> Self {
        if header.trim() == "*" {
            return Self::Any;
        }
        let tag = |text: &str| text.trim().trim_start_matches("W/").trim_matches('"').to_owned();
        Self::OneOf(header.split(',').map(tag).filter(|tag| !tag.is_empty()).collect())
    }

    /// True if the header matches an object with this tag (without quotes).
    pub fn matches(&self, etag: &str) -> bool {
        match self {
            Self::Any => true,
            Self::OneOf(tags) => tags.iter().any(|tag| tag == etag.trim_matches('"')),
        }
    }
}

/// `If-Range`: an entity tag, or a date (RFC 9110 section 13.1.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IfRange {
    /// A tag without quotes; weak tags match nothing.
    Tag(String),
    /// Seconds since 1970.
    Date(i64),
}

impl IfRange {
    /// Reads the header. Anything that is not a date is a tag.
    pub fn parse(header: &str) -> Self {
        match time::parse_date(header) {
            Some(date) => Self::Date(date),
            None => Self::Tag(header.trim().trim_matches('"').to_owned()),
        }
    }

    /// Whether the range may be served from an object with this tag, last changed at this time (seconds since 1970).
    pub fn allows(&self, etag: &str, last_modified: i64) -> bool {
        match self {
            Self::Tag(tag) => tag == etag.trim_matches('"'),
            Self::Date(date) => *date == last_modified,
        }
    }
}

/// The conditions of a read, or of a copy on its source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadConditions {
    /// `If-Match`.
    pub if_match: Option<EntityTags>,
    /// `If-None-Match`.
    pub if_none_match: Option<EntityTags>,
    /// `If-Modified-Since`, seconds since 1970. A value that is not a date is ignored (RFC 9110 section 13.1.3).
    pub if_modified_since: Option<i64>,
    /// `If-Unmodified-Since`, seconds since 1970. A value that is not a date is ignored.
    pub if_unmodified_since: Option<i64>,
}

impl ReadConditions {
    pub(crate) fn parse(request: &Request<'_>) -> Result<Self, S3Error> {
        Self::from_headers(request, ["if-match", "if-none-match", "if-modified-since", "if-unmodified-since"])
    }

    pub(crate) fn parse_copy_source(request: &Request<'_>) -> Result<Self, S3Error> {
        Self::from_headers(
            request,
            [
                "x-amz-copy-source-if-match",
                "x-amz-copy-source-if-none-match",
                "x-amz-copy-source-if-modified-since",
                "x-amz-copy-source-if-unmodified-since",
            ],
        )
    }

    fn from_headers(request: &Request<'_>, names: [&'static str; 4]) -> Result<Self, S3Error> {
        let [if_match, if_none_match, if_modified_since, if_unmodified_since] = names;
        Ok(Self {
            if_match: request.joined_header(if_match)?.as_deref().map(EntityTags::parse),
            if_none_match: request.joined_header(if_none_match)?.as_deref().map(EntityTags::parse),
            if_modified_since: request.header(if_modified_since)?.as_deref().and_then(time::parse_date),
            if_unmodified_since: request.header(if_unmodified_since)?.as_deref().and_then(time::parse_date),
        })
    }

    /// Checks whether an existing object may be read. Fails with `NotModified` (304) or `PreconditionFailed` (412).
    ///
    /// `etag` may have quotes, `last_modified` is in seconds since 1970. The order is that of RFC 9110 section 13.2.2:
    /// a date is ignored if the corresponding entity tag was given.
    pub fn check_read(&self, etag: &str, last_modified: i64) -> Result<(), S3Error> {
        self.check_positive(etag, last_modified, ["If-Match", "If-Unmodified-Since"])?;
        if self.is_unchanged(etag, last_modified).is_some() {
            return Err(S3Error::new(S3ErrorCode::NotModified));
        }
        Ok(())
    }

    /// The same for the source of a copy. Every failure is `PreconditionFailed`.
    pub fn check_copy_source(&self, etag: &str, last_modified: i64) -> Result<(), S3Error> {
        self.check_positive(
            etag,
            last_modified,
            ["x-amz-copy-source-If-Match", "x-amz-copy-source-If-Unmodified-Since"],
        )?;
        match self.is_unchanged(etag, last_modified) {
            Some(condition) => Err(precondition_failed(&format!("x-amz-copy-source-{condition}"))),
            None => Ok(()),
        }
    }

    fn check_positive(&self, etag: &str, last_modified: i64, names: [&str; 2]) -> Result<(), S3Error> {
        let [match_name, unmodified_name] = names;
        match (&self.if_match, self.if_unmodified_since) {
            (Some(tags), _) if !tags.matches(etag) => Err(precondition_failed(match_name)),
            (None, Some(since)) if last_modified > since => Err(precondition_failed(unmodified_name)),
            _ => Ok(()),
        }
    }

    fn is_unchanged(&self, etag: &str, last_modified: i64) -> Option<&'static str> {
        match (&self.if_none_match, self.if_modified_since) {
            (Some(tags), _) if tags.matches(etag) => Some("If-None-Match"),
            (None, Some(since)) if last_modified <= since => Some("If-Modified-Since"),
            _ => None,
        }
    }
}

/// The condition of a write or a delete.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum WriteCondition {
    /// None.
    #[default]
    Always,
    /// `If-None-Match: *`: only if the object does not exist.
    IfAbsent,
    /// `If-Match`: only if the object exists and has one of these tags.
    IfMatch(EntityTags),
}

impl WriteCondition {
    pub(crate) fn parse(request: &Request<'_>) -> Result<Self, S3Error> {
        let if_match = request.joined_header("if-match")?;
        let if_none_match = request.joined_header("if-none-match")?;
        for name in ["if-modified-since", "if-unmodified-since"] {
            if request.has_header(name) {
                return Err(S3Error::not_implemented(format_args!("The header {name} on a write")));
            }
        }
        match (if_match, if_none_match) {
            (None, None) => Ok(Self::Always),
            (Some(tags), None) => Ok(Self::IfMatch(EntityTags::parse(&tags))),
            (None, Some(tags)) if tags.trim() == "*" => Ok(Self::IfAbsent),
            (None, Some(_)) => Err(S3Error::not_implemented("If-None-Match with an entity tag on a write")),
            (Some(_), Some(_)) => Err(S3Error::not_implemented("If-Match together with If-None-Match on a write")),
        }
    }

    /// Checks whether the write may proceed. `current` is the tag of the existing object, with or without quotes.
    ///
    /// Fails with `NoSuchKey` (404) if a tag is required and there is no object, otherwise with `PreconditionFailed`
    /// (412). The store must repeat the comparison in the same step as the write: pass on the condition, not only the
    /// result of this check.
    pub fn check(&self, current: Option<&str>) -> Result<(), S3Error> {
        match (self, current) {
            (Self::Always, _) | (Self::IfAbsent, None) => Ok(()),
            (Self::IfAbsent, Some(_)) => Err(precondition_failed("If-None-Match")),
            (Self::IfMatch(_), None) => Err(S3Error::new(S3ErrorCode::NoSuchKey)),
            (Self::IfMatch(tags), Some(etag)) if tags.matches(etag) => Ok(()),
            (Self::IfMatch(_), Some(_)) => Err(precondition_failed("If-Match")),
        }
    }
}

fn precondition_failed(condition: &str) -> S3Error {
    S3Error::new(S3ErrorCode::PreconditionFailed).field("Condition", condition)
}
