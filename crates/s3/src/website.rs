//! Static websites: the configuration of a bucket, and what a page's address becomes.

use http::StatusCode;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use xml::{Element, XmlWriter, parse};

use crate::query::decode;
use crate::{S3Error, S3ErrorCode, document};

/// The most routing rules. Source: S3 User Guide, "Configuring advanced conditional redirects".
const RULES_MAX: usize = 50;
/// The longest host, key or prefix, in bytes.
const BYTES_MAX: usize = 1024;
/// The longest value of `x-amz-website-redirect-location`, in bytes. Source: S3 User Guide.
const LOCATION_BYTES_MAX: usize = 2048;
/// The characters that the path of an address leaves unencoded.
const PATH_ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');

/// What a bucket's website does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WebsiteConfiguration {
    /// Every address is redirected to another host.
    RedirectAllRequestsTo(Redirect),
    /// Objects are pages.
    Pages(Pages),
}

/// A website of objects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pages {
    /// The suffix of an address that ends in `/`, such as `index.html`.
    pub index_suffix: String,
    /// The object that is sent with an error.
    pub error_key: Option<String>,
    /// The rules, in order: the first that matches counts.
    pub rules: Vec<RoutingRule>,
}

/// When an address is redirected, and to where. Without a condition, always.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoutingRule {
    /// How the key begins.
    pub key_prefix: Option<String>,
    /// The error that there would be otherwise: 400 to 599.
    pub error: Option<u16>,
    /// To where.
    pub redirect: Redirect,
}

/// The parts of an address that change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Redirect {
    /// `http` or `https`.
    pub protocol: Option<String>,
    /// Host, with its port.
    pub host: Option<String>,
    /// What replaces the prefix of the rule in the key.
    pub replace_prefix: Option<String>,
    /// What replaces the key.
    pub replace_key: Option<String>,
    /// 301 by default.
    pub status: Option<u16>,
}

impl WebsiteConfiguration {
    /// Reads a `WebsiteConfiguration` document. Fails with `MalformedXML`, `InvalidRequest` or `InvalidArgument`. Values
    /// with control characters are refused, because they become headers.
    pub fn from_xml(body: &[u8]) -> Result<Self, S3Error> {
        let root = parse(body, "WebsiteConfiguration")?;
        root.only(&["RedirectAllRequestsTo", "IndexDocument", "ErrorDocument", "RoutingRules"])?;
        if let Some(all) = root.one("RedirectAllRequestsTo")? {
            if root.children.len() > 1 {
                return Err(malformed("`RedirectAllRequestsTo` excludes every other element"));
            }
            all.only(&["HostName", "Protocol"])?;
            let host = Some(host(all.required("HostName")?)?);
            return Ok(Self::RedirectAllRequestsTo(Redirect { host, protocol: protocol(all)?, ..Redirect::default() }));
        }
        let index = root.one("IndexDocument")?.ok_or_else(|| malformed("`IndexDocument` is missing"))?;
        index.only(&["Suffix"])?;
        let rules = root.one("RoutingRules")?.map(rules).transpose()?.unwrap_or_default();
        let error = root.one("ErrorDocument")?;
        let error_key = error.map(|error| error.only(&["Key"]).map(|()| error)).transpose()?;
        let error_key = error_key.map(|error| non_empty("ErrorDocument", error.required("Key")?)).transpose()?;
        Ok(Self::Pages(Pages { index_suffix: suffix(index.required("Suffix")?)?, error_key, rules }))
    }

    /// The document.
    pub fn to_xml(&self) -> String {
        let mut xml = document::begin("WebsiteConfiguration");
        match self {
            Self::RedirectAllRequestsTo(redirect) => {
                xml.open("RedirectAllRequestsTo");
                xml.optional("HostName", redirect.host.as_deref());
                xml.optional("Protocol", redirect.protocol.as_deref());
                xml.close("RedirectAllRequestsTo");
            }
            Self::Pages(pages) => pages.write(&mut xml),
        }
        xml.close("WebsiteConfiguration");
        xml.finish()
    }
}

impl Pages {
    fn write(&self, xml: &mut XmlWriter) {
        xml.element("IndexDocument", |xml| {
            xml.text("Suffix", &self.index_suffix);
        });
        if let Some(key) = &self.error_key {
            xml.element("ErrorDocument", |xml| {
                xml.text("Key", key);
            });
        }
        if !self.rules.is_empty() {
            xml.element("RoutingRules", |xml| self.rules.iter().for_each(|rule| rule.write(xml)));
        }
    }

    /// The first rule for a key and an error, or for a key before anything is known of it.
    pub fn rule(&self, key: &str, error: Option<StatusCode>) -> Option<&RoutingRule> {
        let error = error.map(|status| status.as_u16());
        let fits = |rule: &&RoutingRule| {
            rule.error == error && rule.key_prefix.as_ref().is_none_or(|prefix| key.starts_with(&**prefix))
        };
        self.rules.iter().find(fits)
    }
}

impl RoutingRule {
    fn from_element(element: &Element) -> Result<Self, S3Error> {
        element.only(&["Condition", "Redirect"])?;
        let condition = element.one("Condition")?;
        let (key_prefix, error) = condition.map(read_condition).transpose()?.unwrap_or_default();
        let redirect = element.one("Redirect")?.ok_or_else(|| malformed("a `RoutingRule` needs a `Redirect`"))?;
        Ok(Self { key_prefix, error, redirect: Redirect::from_element(redirect)? })
    }

    fn write(&self, xml: &mut XmlWriter) {
        xml.open("RoutingRule");
        if self.key_prefix.is_some() || self.error.is_some() {
            xml.open("Condition");
            xml.optional("KeyPrefixEquals", self.key_prefix.as_deref());
            xml.optional("HttpErrorCodeReturnedEquals", self.error.map(|code| code.to_string()).as_deref());
            xml.close("Condition");
        }
        xml.open("Redirect");
        let redirect = &self.redirect;
        xml.optional("Protocol", redirect.protocol.as_deref());
        xml.optional("HostName", redirect.host.as_deref());
        xml.optional("ReplaceKeyPrefixWith", redirect.replace_prefix.as_deref());
        xml.optional("ReplaceKeyWith", redirect.replace_key.as_deref());
        xml.optional("HttpRedirectCode", redirect.status.map(|code| code.to_string()).as_deref());
        xml.close("Redirect");
        xml.close("RoutingRule");
    }

    /// The address to which a key is redirected. `own` are protocol and host of the request.
    pub fn location(&self, key: &str, own: (&str, &str)) -> String {
        let rest = key.strip_prefix(self.key_prefix.as_deref().unwrap_or("")).unwrap_or(key);
        let to = &self.redirect;
        let path = match (&to.replace_key, &to.replace_prefix) {
            (Some(key), _) => key.clone(),
            (None, Some(prefix)) => format!("{prefix}{}", encoded(rest)),
            (None, None) => encoded(key),
        };
        to.address(&path, own)
    }

    /// The status of the answer.
    pub fn status(&self) -> StatusCode {
        self.redirect.status.and_then(|code| StatusCode::from_u16(code).ok()).unwrap_or(StatusCode::MOVED_PERMANENTLY)
    }
}

impl Redirect {
    fn from_element(element: &Element) -> Result<Self, S3Error> {
        element.only(&["Protocol", "HostName", "ReplaceKeyPrefixWith", "ReplaceKeyWith", "HttpRedirectCode"])?;
        let text = |name| element.child_text(name)?.map(|text| printable(name, text)).transpose();
        let redirect = Self {
            protocol: protocol(element)?,
            host: element.child_text("HostName")?.map(host).transpose()?,
            replace_prefix: text("ReplaceKeyPrefixWith")?,
            replace_key: text("ReplaceKeyWith")?,
            status: number(element, "HttpRedirectCode", 301, 308)?,
        };
        if redirect.replace_prefix.is_some() && redirect.replace_key.is_some() {
            let message = "You can only define ReplaceKeyPrefixWith or ReplaceKeyWith, not both";
            return Err(S3Error::with_message(S3ErrorCode::InvalidRequest, message));
        }
        if redirect == Self::default() {
            return Err(malformed("a `Redirect` needs an element"));
        }
        Ok(redirect)
    }

    /// The address with this path, without its first slash. `own` are protocol and host of the request.
    pub fn address(&self, path: &str, own: (&str, &str)) -> String {
        let protocol = self.protocol.as_deref().unwrap_or(own.0);
        let host = self.host.as_deref().unwrap_or(own.1);
        format!("{protocol}://{host}/{path}")
    }
}

/// A key as the path of an address has it.
pub fn encoded(key: &str) -> String {
    utf8_percent_encode(key, PATH_ENCODED).to_string()
}

/// The key that a path names; empty for `/`.
pub fn key_of_path(path: &str) -> Result<String, S3Error> {
    decode(path.strip_prefix('/').ok_or_else(|| S3Error::new(S3ErrorCode::InvalidURI))?)
}

/// Checks a value of `x-amz-website-redirect-location`: an address, or a path in the same website.
pub fn check_redirect_location(location: &str) -> Result<(), S3Error> {
    let begins = ["/", "http://", "https://"].into_iter().any(|start| location.starts_with(start));
    if begins && location.len() <= LOCATION_BYTES_MAX && !location.chars().any(char::is_control) {
        return Ok(());
    }
    let message =
        "The website redirect location must begin with '/', 'http://' or 'https://' and have at most 2048 bytes";
    Err(S3Error::with_message(S3ErrorCode::InvalidRedirectLocation, message))
}

/// The page that is sent with an error if the website has none of its own.
pub fn error_page(error: &S3Error, key: &str, request_id: &str) -> String {
    let status = error.status();
    let title = format!("{} {}", status.as_u16(), status.canonical_reason().unwrap_or("Error"));
    let mut xml = XmlWriter::fragment();
    xml.element("html", |xml| {
        xml.element("head", |xml| {
            xml.text("title", &title);
        });
        xml.element("body", |xml| {
            xml.text("h1", &title);
            xml.element("ul", |xml| {
                for (name, value) in [
                    ("Code", error.code.as_str()),
                    ("Message", error.message()),
                    ("Key", key),
                    ("RequestId", request_id),
                ] {
                    xml.text("li", &format!("{name}: {value}"));
                }
            });
        });
    });
    xml.finish()
}

fn rules(element: &Element) -> Result<Vec<RoutingRule>, S3Error> {
    element.only(&["RoutingRule"])?;
    let rules: Vec<_> = element.all("RoutingRule").map(RoutingRule::from_element).collect::<Result<_, _>>()?;
    if rules.is_empty() || rules.len() > RULES_MAX {
        let message = format!("{} routing rules provided, 1 to {RULES_MAX} are allowed", rules.len());
        return Err(S3Error::with_message(S3ErrorCode::InvalidRequest, message));
    }
    Ok(rules)
}

fn read_condition(element: &Element) -> Result<(Option<String>, Option<u16>), S3Error> {
    element.only(&["KeyPrefixEquals", "HttpErrorCodeReturnedEquals"])?;
    let prefix = element.child_text("KeyPrefixEquals")?.map(|text| bounded("KeyPrefixEquals", text)).transpose()?;
    let error = number(element, "HttpErrorCodeReturnedEquals", 400, 599)?;
    if prefix.is_none() && error.is_none() {
        return Err(malformed("a `Condition` needs an element"));
    }
    Ok((prefix, error))
}

fn number(element: &Element, name: &'static str, least: u16, most: u16) -> Result<Option<u16>, S3Error> {
    let Some(text) = element.child_text(name)? else { return Ok(None) };
    let number = text.trim().parse().ok().filter(|number| (least..=most).contains(number));
    let message = format!("The provided HTTP code is not valid. Valid codes are {least} to {most}");
    number.map(Some).ok_or_else(|| S3Error::invalid_argument(name, text, message))
}

fn protocol(element: &Element) -> Result<Option<String>, S3Error> {
    match element.child_text("Protocol")?.map(str::trim) {
        None | Some("") => Ok(None),
        Some(protocol @ ("http" | "https")) => Ok(Some(protocol.to_owned())),
        Some(other) => {
            let message = "Invalid protocol, protocol can be http or https. If not defined the protocol will be selected automatically.";
            Err(S3Error::with_message(S3ErrorCode::InvalidRequest, message).field("Protocol", other))
        }
    }
}

fn host(text: &str) -> Result<String, S3Error> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b':' | b'_' | b'[' | b']');
    let text = text.trim();
    if text.is_empty() || text.len() > BYTES_MAX || !text.bytes().all(fits) {
        return Err(S3Error::invalid_argument("HostName", text, "A host has letters, digits, `.`, `-` and a port"));
    }
    Ok(text.to_owned())
}

fn suffix(text: &str) -> Result<String, S3Error> {
    if text.contains('/') {
        return Err(S3Error::invalid_argument("IndexDocument", text, "The IndexDocument Suffix is not well formed"));
    }
    non_empty("IndexDocument", text)
}

fn non_empty(name: &'static str, text: &str) -> Result<String, S3Error> {
    if text.is_empty() {
        return Err(S3Error::invalid_argument(name, text, "The value must not be empty"));
    }
    bounded(name, text)
}

fn bounded(name: &'static str, text: &str) -> Result<String, S3Error> {
    if text.len() > BYTES_MAX || text.chars().any(char::is_control) {
        return Err(S3Error::invalid_argument(name, text, "At most 1024 bytes, without control characters"));
    }
    Ok(text.to_owned())
}

/// Text that becomes a part of an address as it is.
fn printable(name: &'static str, text: &str) -> Result<String, S3Error> {
    if text.len() > BYTES_MAX || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(S3Error::invalid_argument(name, text, "At most 1024 printable ASCII characters, as in a URL"));
    }
    Ok(text.to_owned())
}

fn malformed(reason: &str) -> S3Error {
    S3Error::malformed_xml(reason)
}
