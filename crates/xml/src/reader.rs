use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use crate::S3Error;

/// How deep the elements of a body may be nested. S3's own documents need seven levels.
pub const MAX_DEPTH: usize = 16;

/// More elements than a list of 10,000 parts with all their checksums needs.
const MAX_ELEMENTS: usize = 150_000;

/// An element of a request body: its name without prefix, its text, its children. Attributes other than namespaces are
/// kept, since `xsi:type` of a grantee is one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Element {
    /// The local name.
    pub name: String,
    /// The text between the tags, entities resolved, not trimmed.
    pub text: String,
    /// The attributes by local name, in order.
    pub attributes: Vec<(String, String)>,
    /// The elements inside, in order.
    pub children: Vec<Element>,
}

impl Element {
    /// The children of this name, in order.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Element> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The one child of this name: `MalformedXML` when there are two, since readers would differ on which one counts.
    pub fn one(&self, name: &str) -> Result<Option<&Element>, S3Error> {
        let mut found = self.children.iter().filter(|child| child.name == name);
        let first = found.next();
        if found.next().is_some() {
            return Err(S3Error::malformed_xml(format_args!("`{}` has more than one `{name}`", self.name)));
        }
        Ok(first)
    }

    /// The text of the one child of this name, not trimmed.
    pub fn child_text(&self, name: &str) -> Result<Option<&str>, S3Error> {
        Ok(self.one(name)?.map(|child| child.text.as_str()))
    }

    /// The text of the one child of this name, which must be there.
    pub fn required(&self, name: &str) -> Result<&str, S3Error> {
        self.child_text(name)?
            .ok_or_else(|| S3Error::malformed_xml(format_args!("`{}` needs an element `{name}`", self.name)))
    }

    /// Refuses a child that is none of these: an unknown element is a wish that would be ignored in silence.
    pub fn only(&self, names: &[&str]) -> Result<(), S3Error> {
        match self.children.iter().find(|child| !names.contains(&child.name.as_str())) {
            Some(child) => Err(S3Error::malformed_xml(format_args!(
                "`{}` has an element `{}`; expected {}",
                self.name,
                child.name,
                names.join(", ")
            ))),
            None => Ok(()),
        }
    }
}

/// Reads a body whose root is `root`.
///
/// Anything that is not well-formed, nests deeper than [`MAX_DEPTH`], has a document type or another root is
/// `MalformedXML` with the reason.
pub fn parse(body: &[u8], root: &str) -> Result<Element, S3Error> {
    let text = std::str::from_utf8(body).map_err(|_| S3Error::malformed_xml("the body is not UTF-8"))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader::from_str(text);
    let mut tree = Tree::default();
    loop {
        let event = reader
            .read_event()
            .map_err(|error| S3Error::malformed_xml(format_args!("byte {}: {error}", reader.error_position())))?;
        match event {
            Event::Start(start) => tree.start(&start)?,
            Event::Empty(start) => {
                tree.start(&start)?;
                tree.end()?;
            }
            Event::End(_) => tree.end()?,
            Event::Text(content) => {
                tree.text(&content.xml10_content())?;
            }
            Event::CData(content) => {
                tree.text(&content.xml10_content())?;
            }
            Event::GeneralRef(reference) => {
                tree.text(&resolve(&reference)?)?;
            }
            Event::DocType(_) => return Err(S3Error::malformed_xml("a document type is not allowed")),
            Event::Decl(_) | Event::Comment(_) | Event::PI(_) => {}
            Event::Eof => return tree.finish(root),
        }
    }
}

/// The text of `&name;`: the five of XML and character references, nothing that a document could define itself.
fn resolve(name: &str) -> Result<String, S3Error> {
    let character = match name {
        "lt" => Some('<'),
        "gt" => Some('>'),
        "amp" => Some('&'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => name.strip_prefix('#').and_then(|number| {
            let code = match number.strip_prefix('x') {
                Some(digits) => u32::from_str_radix(digits, 16).ok(),
                None => number.parse().ok(),
            };
            code.and_then(char::from_u32)
        }),
    };
    character.map(String::from).ok_or_else(|| S3Error::malformed_xml(format_args!("`&{name};` is no character of XML")))
}

#[derive(Default)]
struct Tree {
    open: Vec<Element>,
    root: Option<Element>,
    elements: usize,
}

impl Tree {
    fn start(&mut self, start: &BytesStart<'_>) -> Result<(), S3Error> {
        self.elements += 1;
        if self.open.len() >= MAX_DEPTH || self.elements > MAX_ELEMENTS {
            return Err(S3Error::malformed_xml("the document is nested too deeply or has too many elements"));
        }
        if self.open.is_empty() && self.root.is_some() {
            return Err(S3Error::malformed_xml("there is a second root element"));
        }
        let mut element = Element { name: start.local_name().as_ref().to_owned(), ..Element::default() };
        for attribute in start.attributes() {
            let attribute = attribute.map_err(S3Error::malformed_xml)?;
            let name = attribute.key;
            if name.as_namespace_binding().is_some() {
                continue;
            }
            element.attributes.push((name.local_name().as_ref().to_owned(), attribute.value.into_owned()));
        }
        self.open.push(element);
        Ok(())
    }

    fn end(&mut self) -> Result<(), S3Error> {
        let element = self.open.pop().ok_or_else(|| S3Error::malformed_xml("an end tag without a start tag"))?;
        match self.open.last_mut() {
            Some(parent) => parent.children.push(element),
            None => self.root = Some(element),
        }
        Ok(())
    }

    fn text(&mut self, content: &str) -> Result<(), S3Error> {
        match self.open.last_mut() {
            Some(element) => element.text.push_str(content),
            None if content.trim().is_empty() => {}
            None => return Err(S3Error::malformed_xml("there is text outside the root element")),
        }
        Ok(())
    }

    fn finish(self, root: &str) -> Result<Element, S3Error> {
        if let Some(open) = self.open.last() {
            return Err(S3Error::malformed_xml(format_args!("`{}` is not closed", open.name)));
        }
        match self.root {
            Some(element) if element.name == root => Ok(element),
            Some(element) => {
                Err(S3Error::malformed_xml(format_args!("the root element is `{}`, expected `{root}`", element.name)))
            }
            None => Err(S3Error::malformed_xml(format_args!("the body is empty, expected `{root}`"))),
        }
    }
}
