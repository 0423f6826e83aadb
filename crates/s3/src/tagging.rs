use percent_encoding::percent_decode_str;
use xml::{Element, XmlWriter, parse};

use crate::document;
use crate::request::Request;
use crate::{S3Error, S3ErrorCode};

/// The most tags that an object may have.
pub const OBJECT_TAGS_MAX: usize = 10;
/// The most tags that a bucket may have.
pub const BUCKET_TAGS_MAX: usize = 50;
/// The largest document of tags, in bytes.
pub(crate) const TAGGING_BYTES_MAX: usize = 128 << 10;

/// Tags: keys of 1 to 128 and values of up to 256 characters, each key once, none of them beginning with `aws:`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TagSet {
    tags: Vec<(String, String)>,
}

impl TagSet {
    /// Checks the tags. Fails with `InvalidTag`, also if there are too many.
    pub fn new(tags: Vec<(String, String)>, most: usize) -> Result<Self, S3Error> {
        if tags.len() > most {
            let what = if most == OBJECT_TAGS_MAX { "Object" } else { "Bucket" };
            let message = format!("{what} tags cannot be greater than {most}");
            return Err(S3Error::with_message(S3ErrorCode::InvalidTag, message));
        }
        for (position, (key, value)) in tags.iter().enumerate() {
            check_tag(key, value)?;
            if tags.iter().take(position).any(|(other, _)| other == key) {
                let message = "Cannot provide multiple Tags with the same key";
                return Err(S3Error::with_message(S3ErrorCode::InvalidTag, message).field("TagKey", key.as_str()));
            }
        }
        Ok(Self { tags })
    }

    /// The tags in the order given.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.tags.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// The number of tags.
    pub fn len(&self) -> usize {
        self.tags.len()
    }

    /// True if there are no tags.
    pub fn is_empty(&self) -> bool {
        self.tags.is_empty()
    }

    /// Reads an `x-amz-tagging` header: `key=value&...`, percent-encoded.
    pub fn from_header(header: &str) -> Result<Self, S3Error> {
        let decode = |text: &str| {
            percent_decode_str(&text.replace('+', " "))
                .decode_utf8()
                .map(String::from)
                .map_err(|_| header_error(header))
        };
        let mut tags = Vec::new();
        for piece in header.split('&').filter(|piece| !piece.is_empty()) {
            let (key, value) = piece.split_once('=').unwrap_or((piece, ""));
            let (key, value) = (decode(key)?, decode(value)?);
            if tags.iter().any(|(other, _)| *other == key) {
                return Err(header_error(header));
            }
            tags.push((key, value));
        }
        Self::new(tags, OBJECT_TAGS_MAX)
    }

    /// Reads a `Tagging` document.
    pub fn from_xml(body: &[u8], most: usize) -> Result<Self, S3Error> {
        let root = parse(body, "Tagging")?;
        root.only(&["TagSet"])?;
        let set = root.one("TagSet")?.ok_or_else(|| S3Error::malformed_xml("`Tagging` needs an element `TagSet`"))?;
        Self::from_element(set, most)
    }

    /// Reads the `Tag` elements inside `set`.
    pub(crate) fn from_element(set: &Element, most: usize) -> Result<Self, S3Error> {
        set.only(&["Tag"])?;
        let mut tags = Vec::new();
        for tag in set.all("Tag") {
            tag.only(&["Key", "Value"])?;
            tags.push((tag.required("Key")?.to_owned(), tag.required("Value")?.to_owned()));
        }
        Self::new(tags, most)
    }

    /// The `Tagging` document of an answer.
    pub fn to_xml(&self) -> String {
        let mut xml = document::begin("Tagging");
        write_tags(&mut xml, "TagSet", self.iter());
        xml.close("Tagging");
        xml.finish()
    }

    pub(crate) fn parse_header(request: &Request<'_>) -> Result<Option<Self>, S3Error> {
        request.header("x-amz-tagging")?.as_deref().map(Self::from_header).transpose()
    }
}

/// Writes the tags as `Tag` elements inside an element with this name.
pub(crate) fn write_tags<'t>(xml: &mut XmlWriter, name: &'static str, tags: impl Iterator<Item = (&'t str, &'t str)>) {
    xml.open(name);
    for (key, value) in tags {
        xml.open("Tag");
        xml.text("Key", key);
        xml.text("Value", value);
        xml.close("Tag");
    }
    xml.close(name);
}

fn check_tag(key: &str, value: &str) -> Result<(), S3Error> {
    let invalid = |message: &'static str| {
        Err(S3Error::with_message(S3ErrorCode::InvalidTag, message).field("TagKey", key).field("TagValue", value))
    };
    if key.is_empty() || key.chars().count() > 128 || !key.chars().all(is_tag_character) {
        return invalid("The TagKey you have provided is invalid");
    }
    if value.chars().count() > 256 || !value.chars().all(is_tag_character) {
        return invalid("The TagValue you have provided is invalid");
    }
    if key.get(..4).is_some_and(|prefix| prefix.eq_ignore_ascii_case("aws:")) {
        return invalid("System tags cannot be added/updated by requester");
    }
    Ok(())
}

/// Letters, digits and spaces of any script and `_.:/=+-@`. Source: S3 User Guide, "Categorizing your objects using tags".
fn is_tag_character(character: char) -> bool {
    let is_space = character.is_whitespace() && !character.is_control();
    character.is_alphanumeric() || is_space || "_.:/=+-@".contains(character)
}

fn header_error(header: &str) -> S3Error {
    S3Error::invalid_argument(
        "x-amz-tagging",
        header,
        "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates.",
    )
}
