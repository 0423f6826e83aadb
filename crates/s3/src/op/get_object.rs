use crate::S3Error;
use crate::conditional::{IfRange, ReadConditions};
use crate::object_headers::EncryptionHeaders;
use crate::range::ByteRange;
use crate::request::Request;
use crate::requirement::{ConditionalRequirement, Requirement};
use crate::routed::{Route, Routed};
use crate::s3_operation::S3Operation;
use crate::target::{Addressed, Target};

/// `GET /bucket/key`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GetObject {
    /// The object.
    pub target: Target,
    /// `Range`, if it is a single range of bytes.
    pub range: Option<ByteRange>,
    /// `If-Range`: the range counts only if the object is still the one that was meant.
    pub if_range: Option<IfRange>,
    /// `partNumber`, 1 to 10000. Never together with a range.
    pub part_number: Option<u32>,
    /// `If-Match` and similar headers.
    pub conditions: ReadConditions,
    /// `response-*`. The code that knows the caller refuses them for anonymous callers.
    pub overrides: ResponseOverrides,
    /// `x-amz-checksum-mode: ENABLED`.
    pub checksum_mode: bool,
    /// The SSE-C headers, if any were sent.
    pub encryption: EncryptionHeaders,
}

/// `HEAD /bucket/key`: read and decided as the GET of the same object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeadObject(pub GetObject);

/// `response-content-type` and similar parameters, which replace the object's own headers in this answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResponseOverrides {
    /// Header names in lower case, with their values. No value contains control characters.
    pub headers: Vec<(&'static str, String)>,
}

impl ResponseOverrides {
    const PARAMETERS: [(&'static str, &'static str); 6] = [
        ("response-content-type", "content-type"),
        ("response-content-language", "content-language"),
        ("response-expires", "expires"),
        ("response-cache-control", "cache-control"),
        ("response-content-disposition", "content-disposition"),
        ("response-content-encoding", "content-encoding"),
    ];

    fn parse(request: &Request<'_>) -> Result<Self, S3Error> {
        let mut headers = Vec::new();
        for (parameter, header) in Self::PARAMETERS {
            let Some(value) = request.param(parameter) else { continue };
            if value.chars().any(char::is_control) {
                let message = "A response header must not have control characters";
                return Err(S3Error::invalid_argument(parameter, value, message));
            }
            headers.push((header, value.to_owned()));
        }
        Ok(Self { headers })
    }

    /// True without overrides.
    pub fn is_empty(&self) -> bool {
        self.headers.is_empty()
    }
}

impl Routed for GetObject {
    type On = Target;
    const ROUTE: Route = Route::new("GET").of_version().of_part();

    fn parse(request: &Request<'_>, target: Target) -> Result<Self, S3Error> {
        let range = request.joined_header("range")?.as_deref().and_then(ByteRange::parse);
        let part_number = super::multipart::optional_part_number(request)?;
        if range.is_some() && part_number.is_some() {
            let message = "Cannot specify both Range header and partNumber query parameter";
            return Err(S3Error::with_message(crate::S3ErrorCode::InvalidRequest, message));
        }
        Ok(Self {
            target,
            range,
            if_range: request.header("if-range")?.as_deref().map(IfRange::parse),
            part_number,
            conditions: ReadConditions::parse(request)?,
            overrides: ResponseOverrides::parse(request)?,
            checksum_mode: request
                .header("x-amz-checksum-mode")?
                .is_some_and(|mode| mode.eq_ignore_ascii_case("ENABLED")),
            encryption: EncryptionHeaders::parse(request)?,
        })
    }
}

impl S3Operation for GetObject {
    fn addressed(&self) -> Addressed<'_> {
        (&self.target).into()
    }

    fn needs(&self) -> Vec<Requirement> {
        vec![self.target.need_of_version("s3:GetObject", "s3:GetObjectVersion")]
    }

    fn conditional(&self) -> Vec<ConditionalRequirement> {
        ConditionalRequirement::tell_missing_key(&self.target)
    }
}

impl Routed for HeadObject {
    type On = Target;
    const ROUTE: Route = Route::new("HEAD").of_version().of_part();

    fn parse(request: &Request<'_>, target: Target) -> Result<Self, S3Error> {
        GetObject::parse(request, target).map(Self)
    }
}

impl S3Operation for HeadObject {
    fn addressed(&self) -> Addressed<'_> {
        self.0.addressed()
    }

    fn needs(&self) -> Vec<Requirement> {
        self.0.needs()
    }

    fn conditional(&self) -> Vec<ConditionalRequirement> {
        self.0.conditional()
    }
}
