use std::fmt::{Display, Write};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// The namespace of S3's documents.
pub const S3_NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";

/// What `encoding-type=url` leaves as it is: letters, digits, `-`, `_`, `.`, `*` and `/`.
const URL_ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'*').remove(b'/');

/// How a listing writes keys: `encoding-type=url`, the only encoding there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EncodingType {
    /// Keys and prefixes are percent-encoded, with `/` left as it is.
    Url,
}

impl EncodingType {
    /// The value as it stands in the request and in the answer.
    pub fn as_str(self) -> &'static str {
        "url"
    }

    /// A key as a listing with this encoding shows it.
    pub fn encode(this: Option<Self>, key: &str) -> String {
        match this {
            Some(Self::Url) => utf8_percent_encode(key, URL_ENCODED).to_string(),
            None => key.to_owned(),
        }
    }
}

/// Writes a document the way S3 prints it: no white space between elements, everything escaped.
#[derive(Debug, Default)]
pub struct XmlWriter {
    text: String,
}

impl XmlWriter {
    /// A document that begins with the XML declaration.
    pub fn document() -> Self {
        Self { text: String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n") }
    }

    /// `<name>`.
    pub fn open(&mut self, name: &str) {
        self.text.push('<');
        self.text.push_str(name);
        self.text.push('>');
    }

    /// `<name xmlns="http://s3.amazonaws.com/doc/2006-03-01/">`.
    pub fn open_root(&mut self, name: &str) {
        self.open_with(name, &[("xmlns", S3_NAMESPACE)]);
    }

    /// `<name attribute="value" ...>`.
    pub fn open_with(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.text.push('<');
        self.text.push_str(name);
        for (attribute, value) in attributes {
            self.text.push(' ');
            self.text.push_str(attribute);
            self.text.push_str("=\"");
            self.escape(value);
            self.text.push('"');
        }
        self.text.push('>');
    }

    /// `</name>`.
    pub fn close(&mut self, name: &str) {
        self.text.push_str("</");
        self.text.push_str(name);
        self.text.push('>');
    }

    /// `<name>value</name>`, or `<name/>` for an empty value.
    pub fn text(&mut self, name: &str, value: &str) {
        if value.is_empty() {
            self.text.push('<');
            self.text.push_str(name);
            self.text.push_str("/>");
            return;
        }
        self.open(name);
        self.escape(value);
        self.close(name);
    }

    /// Escaped text inside the element that is open.
    pub fn content(&mut self, value: &str) {
        self.escape(value);
    }

    /// `<ETag>"tag"</ETag>`, in quotes, which are escaped as S3 does.
    pub fn etag(&mut self, tag: &str) {
        self.text("ETag", &format!("\"{}\"", tag.trim_matches('"')));
    }

    /// `<name>value</name>` for a number or a boolean.
    pub fn value(&mut self, name: &str, value: impl Display) {
        self.open(name);
        // Writing to a String does not fail.
        let _ = write!(self.text, "{value}");
        self.close(name);
    }

    /// `<name>value</name>` when there is a value, nothing otherwise.
    pub fn optional(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.text(name, value);
        }
    }

    /// The document.
    pub fn finish(self) -> String {
        self.text
    }

    /// Control characters become references, as S3 prints them: a parser of XML 1.0 may refuse those, which is what
    /// `encoding-type=url` is for, but nothing is lost or mistaken.
    fn escape(&mut self, value: &str) {
        // Nearly all text is copied as it stands.
        if value.bytes().all(|byte| matches!(byte, b' '..=b'~') && !matches!(byte, b'&' | b'<' | b'>' | b'"')) {
            self.text.push_str(value);
            return;
        }
        for character in value.chars() {
            match character {
                '&' => self.text.push_str("&amp;"),
                '<' => self.text.push_str("&lt;"),
                '>' => self.text.push_str("&gt;"),
                '"' => self.text.push_str("&quot;"),
                '\n' | '\t' => self.text.push(character),
                '\r' => self.text.push_str("&#13;"),
                '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}' => {
                    let _ = write!(self.text, "&#x{:x};", u32::from(character));
                }
                _ => self.text.push(character),
            }
        }
    }
}
