use std::fmt::{Display, Write};

/// What stands for a character that XML 1.0 cannot contain, such as U+0001.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Forbidden {
    /// A reference, as in the listings of S3: nothing is lost or misread, but strict parsers refuse the document.
    #[default]
    Reference,
    /// U+FFFD, so that every parser reads the document.
    Replacement,
}

/// Writes elements without white space between them. Names are the caller's; text and attributes are escaped.
#[derive(Debug, Default)]
pub struct XmlWriter {
    text: String,
    forbidden: Forbidden,
}

impl XmlWriter {
    /// A document that begins with the XML declaration.
    pub fn document() -> Self {
        Self { text: String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"), ..Self::default() }
    }

    /// Elements for another document: see [`Self::written`].
    pub fn fragment() -> Self {
        Self::default()
    }

    /// Sets how characters that XML 1.0 forbids are written.
    pub fn forbidden(self, forbidden: Forbidden) -> Self {
        Self { forbidden, ..self }
    }

    /// `<name>`.
    pub fn open(&mut self, name: &str) {
        self.text.push('<');
        self.text.push_str(name);
        self.text.push('>');
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

    /// `<name>...</name>` around what `inside` writes.
    pub fn element(&mut self, name: &str, inside: impl FnOnce(&mut Self)) -> &mut Self {
        self.open(name);
        inside(self);
        self.close(name);
        self
    }

    /// `<name>value</name>`, or `<name/>` for an empty value.
    pub fn text(&mut self, name: &str, value: &str) -> &mut Self {
        if value.is_empty() {
            self.text.push('<');
            self.text.push_str(name);
            self.text.push_str("/>");
            return self;
        }
        self.element(name, |xml| xml.escape(value))
    }

    /// Elements that another writer finished.
    pub fn written(&mut self, elements: &str) {
        self.text.push_str(elements);
    }

    /// Escaped text inside the open element.
    pub fn content(&mut self, value: &str) {
        self.escape(value);
    }

    /// `<name>value</name>` for a number or a boolean.
    pub fn value(&mut self, name: &str, value: impl Display) -> &mut Self {
        self.element(name, |xml| {
            // Writing to a String cannot fail.
            let _ = write!(xml.text, "{value}");
        })
    }

    /// `<name>value</name>` if there is a value, nothing otherwise.
    pub fn optional(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.text(name, value);
        }
    }

    /// The document.
    pub fn finish(self) -> String {
        self.text
    }

    /// Control characters that XML 1.0 allows become references too, as on S3: parsers would turn `\r` into `\n`.
    fn escape(&mut self, value: &str) {
        let mut rest = value;
        loop {
            // Nearly all text is copied unchanged.
            let plain = plain_bytes(rest.as_bytes());
            let (before, after) = rest.split_at(plain);
            self.text.push_str(before);
            let mut characters = after.chars();
            let Some(character) = characters.next() else { return };
            rest = characters.as_str();
            match character {
                '&' => self.text.push_str("&amp;"),
                '<' => self.text.push_str("&lt;"),
                '>' => self.text.push_str("&gt;"),
                '"' => self.text.push_str("&quot;"),
                '\n' | '\t' => self.text.push(character),
                '\r' => self.text.push_str("&#13;"),
                '\u{7f}'..='\u{9f}' => self.reference(character),
                '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => match self.forbidden {
                    Forbidden::Reference => self.reference(character),
                    Forbidden::Replacement => self.text.push('\u{fffd}'),
                },
                _ => self.text.push(character),
            }
        }
    }

    fn reference(&mut self, character: char) {
        // Writing to a String cannot fail.
        let _ = write!(self.text, "&#x{:x};", u32::from(character));
    }
}

/// How many bytes at the beginning are written as they are. Inside a block there is no early exit, so the compiler checks many bytes at
/// once.
fn plain_bytes(text: &[u8]) -> usize {
    let (blocks, _) = text.as_chunks::<32>();
    let has_special = |block: &[u8; 32]| block.iter().fold(false, |any, byte| any | is_special(*byte));
    let plain = blocks.iter().take_while(|block| !has_special(block)).count();
    let rest = text.get(32 * plain..).unwrap_or_default();
    32 * plain + rest.iter().position(|byte| is_special(*byte)).unwrap_or(rest.len())
}

/// Whether a byte has to be looked at on its own. It is written as a list of exceptions, because the compiler vectorizes this form
/// and not its inverse.
fn is_special(byte: u8) -> bool {
    !matches!(byte, b' '..=b'~') | (byte == b'&') | (byte == b'<') | (byte == b'>') | (byte == b'"')
}
