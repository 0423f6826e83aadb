//! Configurations that a bucket keeps and gives back whole, though nothing here acts on them: their effect on AWS is on speed
//! or cost, and no client sees it. What a document may contain is checked, so that nothing is dropped.

use std::collections::BTreeMap;
use std::sync::Arc;

use xml::{Element, XmlWriter};

use crate::document;
use crate::{S3Error, S3ErrorCode};

/// The configurations of a bucket, by name: the sub-resource, with `/` and the id if there may be several.
pub type Configurations = BTreeMap<Box<str>, Arc<str>>;

/// The most characters of an id. Source: S3 API Reference, `PutBucketAnalyticsConfiguration`.
const ID_CHARACTERS_MAX: usize = 64;

/// The most bytes that the configurations of one bucket have together. Every gateway holds them in memory.
pub const KEPT_BYTES_MAX: usize = 256 << 10;

/// A kind of configuration: the name of its document, and what the document may contain.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) root: &'static str,
    content: Content,
}

/// What an element may contain.
#[derive(Debug, PartialEq, Eq)]
enum Content {
    /// Text.
    Text,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A number of these.
    Number(u32, u32),
    /// Elements.
    Elements(&'static [Part]),
    /// At most one of these elements.
    OneOf(&'static [Part]),
    /// What has an effect that clients would miss.
    NotImplemented,
}

/// An element inside another one.
#[derive(Debug, PartialEq, Eq)]
struct Part {
    name: &'static str,
    times: Times,
    content: Content,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Times {
    Once,
    AtMostOnce,
    Any,
    AtLeastOnce,
}

const fn part(name: &'static str, times: Times, content: Content) -> Part {
    Part { name, times, content }
}

const ID: Part = part("Id", Times::Once, Content::Text);
const PREFIX: Part = part("Prefix", Times::AtMostOnce, Content::Text);
const TAG: Content =
    Content::Elements(&[part("Key", Times::Once, Content::Text), part("Value", Times::Once, Content::Text)]);
const AND: Content = Content::Elements(&[PREFIX, part("Tag", Times::Any, TAG)]);
const FILTER: Part = part(
    "Filter",
    Times::AtMostOnce,
    Content::OneOf(&[PREFIX, part("Tag", Times::AtMostOnce, TAG), part("And", Times::AtMostOnce, AND)]),
);

/// Source: S3 API Reference, `PutBucketAccelerateConfiguration`.
pub(crate) static ACCELERATE: Kept = Kept {
    root: "AccelerateConfiguration",
    content: Content::Elements(&[part("Status", Times::Once, Content::Word(&["Enabled", "Suspended"]))]),
};

/// Source: S3 API Reference, `PutBucketAnalyticsConfiguration`. An export is a file in a bucket, which clients would miss.
pub(crate) static ANALYTICS: Kept = Kept {
    root: "AnalyticsConfiguration",
    content: Content::Elements(&[
        ID,
        FILTER,
        part(
            "StorageClassAnalysis",
            Times::Once,
            Content::Elements(&[part("DataExport", Times::AtMostOnce, Content::NotImplemented)]),
        ),
    ]),
};

/// Source: S3 API Reference, `PutBucketIntelligentTieringConfiguration`.
pub(crate) static INTELLIGENT_TIERING: Kept = Kept {
    root: "IntelligentTieringConfiguration",
    content: Content::Elements(&[
        ID,
        FILTER,
        part("Status", Times::Once, Content::Word(&["Enabled", "Disabled"])),
        part(
            "Tiering",
            Times::AtLeastOnce,
            Content::Elements(&[
                part("Days", Times::Once, Content::Number(90, 730)),
                part("AccessTier", Times::Once, Content::Word(&["ARCHIVE_ACCESS", "DEEP_ARCHIVE_ACCESS"])),
            ]),
        ),
    ]),
};

/// Source: S3 API Reference, `PutBucketMetricsConfiguration`. There are no access points that a filter could name.
pub(crate) static METRICS: Kept = Kept { root: "MetricsConfiguration", content: Content::Elements(&[ID, FILTER]) };

impl Kept {
    /// The document as it is kept. Fails with `MalformedXML`, with `NotImplemented` for what clients would miss, or with
    /// `InvalidArgument` if the document has another id than the request.
    pub(crate) fn read(&self, body: &[u8], id: Option<&str>) -> Result<String, S3Error> {
        let root = xml::parse(body, self.root)?;
        check(&root, &self.content)?;
        if let Some(id) = id {
            check_id(id)?;
            if root.required("Id")? != id {
                return Err(S3Error::invalid_argument(
                    "id",
                    id,
                    "The id in the document must be the one in the request",
                ));
            }
        }
        let mut xml = document::begin(self.root);
        root.children.iter().for_each(|child| write(child, &mut xml));
        xml.close(self.root);
        Ok(xml.finish())
    }
}

/// An id becomes part of a name under which the filer keeps something.
fn check_id(id: &str) -> Result<(), S3Error> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if !id.is_empty() && id.len() <= ID_CHARACTERS_MAX && id.bytes().all(fits) {
        return Ok(());
    }
    let message = "An id has 1 to 64 of the characters a-z, A-Z, 0-9, -, _ and .";
    Err(S3Error::invalid_argument("id", id, message))
}

/// The elements of a list's answer, without the declarations of their documents.
pub(crate) fn write_all<'a>(documents: impl Iterator<Item = &'a str>, root: &str, xml: &mut XmlWriter) {
    // What cannot be read is left out of the list; reading it alone says so.
    for element in documents.filter_map(|document| xml::parse(document.as_bytes(), root).ok()) {
        write(&element, xml);
    }
}

fn check(element: &Element, content: &Content) -> Result<(), S3Error> {
    let text = element.text.trim();
    let no_children = || Ok(element.only(&[])?);
    let wrong = |what: std::fmt::Arguments<'_>| Err(S3Error::malformed_xml(format_args!("`{}` {what}", element.name)));
    if !element.attributes.is_empty() {
        return wrong(format_args!("has attributes"));
    }
    match content {
        Content::Text => no_children(),
        Content::Word(words) if words.contains(&text) => no_children(),
        Content::Word(words) => wrong(format_args!("must be one of {}", words.join(", "))),
        Content::Number(least, most) => match text.parse::<u32>() {
            Ok(number) if (*least..=*most).contains(&number) => no_children(),
            _ => wrong(format_args!("must be a number from {least} to {most}")),
        },
        Content::NotImplemented => Err(S3Error::not_implemented(format_args!("The element `{}`", element.name))),
        Content::OneOf(_) if element.children.len() > 1 => wrong(format_args!("has more than one element")),
        Content::Elements(_) | Content::OneOf(_) if !text.is_empty() => wrong(format_args!("has text")),
        Content::Elements(parts) | Content::OneOf(parts) => check_parts(element, parts),
    }
}

fn check_parts(element: &Element, parts: &[Part]) -> Result<(), S3Error> {
    element.only(&parts.iter().map(|part| part.name).collect::<Vec<_>>())?;
    for part in parts {
        match part.times {
            Times::Once => drop(element.required(part.name)?),
            Times::AtMostOnce => drop(element.one(part.name)?),
            Times::AtLeastOnce if element.all(part.name).next().is_none() => drop(element.required(part.name)?),
            Times::AtLeastOnce | Times::Any => {}
        }
        element.all(part.name).try_for_each(|child| check(child, &part.content))?;
    }
    Ok(())
}

fn write(element: &Element, xml: &mut XmlWriter) {
    if element.children.is_empty() {
        xml.text(&element.name, &element.text);
        return;
    }
    xml.open(&element.name);
    element.children.iter().for_each(|child| write(child, xml));
    xml.close(&element.name);
}

/// The error for a configuration that is kept but cannot be read.
pub(crate) fn unreadable(name: &str) -> S3Error {
    let message = format!("The configuration `{name}` that the bucket has stored cannot be read; put it again");
    S3Error::with_message(S3ErrorCode::InternalError, message)
}
