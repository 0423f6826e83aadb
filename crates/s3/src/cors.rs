//! Cross-origin resource sharing: the configuration of a bucket, and what a browser is told.

use xml::{Element, XmlWriter, parse};

use crate::document;
use crate::op::CorsPreflight;
use crate::{S3Error, S3ErrorCode};

/// The most rules of one configuration.
const RULES_MAX: usize = 100;

/// The longest name of a rule. Source: S3 API Reference, `CORSRule`.
const ID_CHARACTERS_MAX: usize = 255;

/// The methods that a rule may allow.
const METHODS: &[&str] = &["GET", "PUT", "HEAD", "POST", "DELETE"];

/// The rules of a bucket, in order: the first that matches decides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CorsConfiguration {
    /// 1 to 100.
    pub rules: Vec<CorsRule>,
}

/// One rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CorsRule {
    /// A name of up to 255 characters.
    pub id: Option<String>,
    /// Origins, each with at most one `*`.
    pub allowed_origins: Vec<String>,
    /// Of `GET`, `PUT`, `HEAD`, `POST`, `DELETE`.
    pub allowed_methods: Vec<String>,
    /// Request headers, each with at most one `*`; case does not matter.
    pub allowed_headers: Vec<String>,
    /// Answer headers that scripts may read.
    pub expose_headers: Vec<String>,
    /// How long a browser may keep the answer.
    pub max_age_seconds: Option<u32>,
}

impl CorsConfiguration {
    /// Reads a `CORSConfiguration` document. Fails with `MalformedXML` or `InvalidRequest`. Values with control
    /// characters are refused, because they would become headers.
    pub fn from_xml(body: &[u8]) -> Result<Self, S3Error> {
        let root = parse(body, "CORSConfiguration")?;
        root.only(&["CORSRule"])?;
        let rules: Vec<CorsRule> = root.all("CORSRule").map(CorsRule::from_element).collect::<Result<_, _>>()?;
        if rules.is_empty() || rules.len() > RULES_MAX {
            return Err(S3Error::malformed_xml(format_args!("{} rules; 1 to {RULES_MAX} are allowed", rules.len())));
        }
        Ok(Self { rules })
    }

    /// The document.
    pub fn to_xml(&self) -> String {
        let mut xml = document::begin("CORSConfiguration");
        for rule in &self.rules {
            rule.write(&mut xml);
        }
        xml.close("CORSConfiguration");
        xml.finish()
    }

    /// The gateway's `-allowedOrigins` as a configuration for buckets that have none: it allows every method and
    /// request header. Origins that are empty or contain control characters are left out. Without any origin, nothing
    /// is allowed.
    pub fn of_gateway<'a>(allowed_origins: impl IntoIterator<Item = &'a str>) -> Self {
        let origins: Vec<String> = allowed_origins
            .into_iter()
            .map(|origin| origin.trim().to_owned())
            .filter(|origin| !origin.is_empty() && !has_control(origin))
            .collect();
        if origins.is_empty() {
            return Self::default();
        }
        let all = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
        Self {
            rules: vec![CorsRule {
                id: None,
                allowed_origins: origins,
                allowed_methods: all(METHODS),
                allowed_headers: all(&["*"]),
                expose_headers: all(&["ETag", "x-amz-request-id", "x-amz-version-id"]),
                max_age_seconds: Some(3600),
            }],
        }
    }

    /// The first rule for an origin and a method.
    pub fn rule(&self, origin: &str, method: &str) -> Option<&CorsRule> {
        self.rules_for(origin, method).next()
    }

    fn rules_for<'a>(&'a self, origin: &str, method: &str) -> impl Iterator<Item = &'a CorsRule> {
        let is_text = !has_control(origin);
        self.rules.iter().filter(move |rule| is_text && rule.allows(origin, method))
    }

    /// The answer to a preflight: its headers, or `AccessForbidden` (403) if no rule allows the request.
    pub fn preflight(&self, request: &CorsPreflight) -> Result<CorsHeaders, S3Error> {
        let allows_headers = |rule: &&CorsRule| request.headers.iter().all(|header| rule.allows_header(header));
        let rule = self
            .rules_for(&request.origin, &request.method)
            .find(allows_headers)
            .ok_or_else(|| {
                S3Error::with_message(
                    S3ErrorCode::AccessForbidden,
                    "CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin, request method / Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the resource's CORS spec.",
                )
                .field("Method", request.method.as_str())
            })?;
        let mut headers = rule.headers(&request.origin);
        headers.allow_headers = (!request.headers.is_empty()).then(|| request.headers.join(", "));
        headers.max_age_seconds = rule.max_age_seconds;
        Ok(headers)
    }

    /// The headers for the answer to an actual request from this origin; `None` if no rule matches.
    pub fn actual(&self, origin: &str, method: &str) -> Option<CorsHeaders> {
        Some(self.rule(origin, method)?.headers(origin))
    }
}

impl CorsRule {
    fn from_element(rule: &Element) -> Result<Self, S3Error> {
        rule.only(&["ID", "AllowedOrigin", "AllowedMethod", "AllowedHeader", "ExposeHeader", "MaxAgeSeconds"])?;
        let list = |name: &str| -> Result<Vec<String>, S3Error> {
            rule.all(name).map(|element| checked_text(name, element.text.trim())).collect()
        };
        let allowed_methods = list("AllowedMethod")?;
        if let Some(other) = allowed_methods.iter().find(|method| !METHODS.contains(&method.as_str())) {
            let message = format!("Found unsupported HTTP method in CORS config. Unsupported method is {other}");
            return Err(S3Error::with_message(S3ErrorCode::InvalidRequest, message));
        }
        let (allowed_origins, allowed_headers) = (list("AllowedOrigin")?, list("AllowedHeader")?);
        for (name, values) in [("AllowedOrigin", &allowed_origins), ("AllowedHeader", &allowed_headers)] {
            if let Some(value) = values.iter().find(|value| value.matches('*').count() > 1) {
                let message = format!("{name} \"{value}\" can not have more than one wildcard.");
                return Err(S3Error::with_message(S3ErrorCode::InvalidRequest, message));
            }
        }
        let expose_headers = list("ExposeHeader")?;
        if let Some(value) = expose_headers.iter().find(|value| value.contains('*')) {
            let message = format!(
                "ExposeHeader \"{value}\" contains wildcard. We currently do not support wildcard for ExposeHeader."
            );
            return Err(S3Error::with_message(S3ErrorCode::InvalidRequest, message));
        }
        if allowed_origins.is_empty() || allowed_methods.is_empty() {
            return Err(S3Error::malformed_xml("a `CORSRule` needs an `AllowedOrigin` and an `AllowedMethod`"));
        }
        let max_age_seconds = match rule.child_text("MaxAgeSeconds")?.map(str::trim) {
            None => None,
            Some(text) => Some(
                text.parse()
                    .ok()
                    .filter(|seconds| *seconds <= i32::MAX as u32)
                    .ok_or_else(|| S3Error::malformed_xml("`MaxAgeSeconds` must be a number of seconds"))?,
            ),
        };
        let id = rule.child_text("ID")?.map(|id| checked_text("ID", id)).transpose()?;
        if id.as_deref().is_some_and(|id| id.chars().count() > ID_CHARACTERS_MAX) {
            return Err(S3Error::malformed_xml(format_args!("`ID` has more than {ID_CHARACTERS_MAX} characters")));
        }
        Ok(Self { id, allowed_origins, allowed_methods, allowed_headers, expose_headers, max_age_seconds })
    }

    fn write(&self, xml: &mut XmlWriter) {
        xml.open("CORSRule");
        xml.optional("ID", self.id.as_deref());
        for (name, values) in [
            ("AllowedOrigin", &self.allowed_origins),
            ("AllowedMethod", &self.allowed_methods),
            ("AllowedHeader", &self.allowed_headers),
            ("ExposeHeader", &self.expose_headers),
        ] {
            for value in values {
                xml.text(name, value);
            }
        }
        if let Some(seconds) = self.max_age_seconds {
            xml.value("MaxAgeSeconds", seconds);
        }
        xml.close("CORSRule");
    }

    fn allows(&self, origin: &str, method: &str) -> bool {
        self.allowed_methods.iter().any(|allowed| allowed == method)
            && self.allowed_origins.iter().any(|allowed| matches_one_star(allowed, origin))
    }

    fn allows_header(&self, header: &str) -> bool {
        self.allowed_headers.iter().any(|allowed| matches_name(allowed, header))
    }

    /// The answer to `*` is `*`, for which a browser sends no credentials. Credentials are allowed only for an origin
    /// that the rule names in full: otherwise every page that matches a pattern could use the user's login.
    fn headers(&self, origin: &str) -> CorsHeaders {
        let is_public = self.allowed_origins.iter().any(|allowed| allowed == "*");
        CorsHeaders {
            allow_origin: if is_public { String::from("*") } else { origin.to_owned() },
            allow_credentials: !is_public && self.allowed_origins.iter().any(|allowed| allowed == origin),
            allow_methods: self.allowed_methods.join(", "),
            allow_headers: None,
            expose_headers: (!self.expose_headers.is_empty()).then(|| self.expose_headers.join(", ")),
            max_age_seconds: None,
        }
    }
}

/// What the browser is told. No value contains control characters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CorsHeaders {
    /// `Access-Control-Allow-Origin`.
    pub allow_origin: String,
    /// `Access-Control-Allow-Credentials: true`; never together with the origin `*`.
    pub allow_credentials: bool,
    /// `Access-Control-Allow-Methods`.
    pub allow_methods: String,
    /// `Access-Control-Allow-Headers`.
    pub allow_headers: Option<String>,
    /// `Access-Control-Expose-Headers`.
    pub expose_headers: Option<String>,
    /// `Access-Control-Max-Age`.
    pub max_age_seconds: Option<u32>,
}

impl CorsHeaders {
    /// The names, in lower case, and values of the headers, including `Vary`, because the answer depends on the origin.
    pub fn to_headers(&self) -> Vec<(&'static str, String)> {
        let mut headers = vec![
            ("access-control-allow-origin", self.allow_origin.clone()),
            ("access-control-allow-methods", self.allow_methods.clone()),
            ("vary", String::from("Origin, Access-Control-Request-Headers, Access-Control-Request-Method")),
        ];
        if self.allow_credentials {
            headers.push(("access-control-allow-credentials", String::from("true")));
        }
        if let Some(value) = &self.allow_headers {
            headers.push(("access-control-allow-headers", value.clone()));
        }
        if let Some(value) = &self.expose_headers {
            headers.push(("access-control-expose-headers", value.clone()));
        }
        if let Some(seconds) = self.max_age_seconds {
            headers.push(("access-control-max-age", seconds.to_string()));
        }
        headers
    }
}

/// Whether a pattern with at most one `*` matches a whole text.
fn matches_one_star(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, end)) => text.len() >= start.len() + end.len() && text.starts_with(start) && text.ends_with(end),
    }
}

/// The same for a name of a header, whose case does not matter. Nothing is copied, because a preflight compares each of its names
/// with each pattern.
fn matches_name(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern.eq_ignore_ascii_case(name),
        Some((start, end)) => {
            let begins = name.get(..start.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(start));
            let rest = name.get(start.len()..).unwrap_or_default();
            let last = rest.len().checked_sub(end.len()).and_then(|at| rest.get(at..));
            begins && last.is_some_and(|last| last.eq_ignore_ascii_case(end))
        }
    }
}

fn checked_text(name: &str, text: &str) -> Result<String, S3Error> {
    if text.is_empty() && name != "ID" {
        return Err(S3Error::malformed_xml(format_args!("`{name}` is empty")));
    }
    if text.len() > 2048 || has_control(text) {
        return Err(S3Error::malformed_xml(format_args!("`{name}` is too long or has control characters")));
    }
    Ok(text.to_owned())
}

fn has_control(text: &str) -> bool {
    text.chars().any(char::is_control)
}
