use std::fmt;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

/// How deep the elements of a body may be nested. S3's own documents need seven levels.
pub const DEPTH_MAX: usize = 16;

/// The most elements: more than a list of 10,000 parts with all their checksums needs.
const ELEMENTS_MAX: usize = 150_000;

/// Why a body is not the expected document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed(String);

impl Malformed {
    fn new(reason: impl fmt::Display) -> Self {
        Self(reason.to_string())
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Malformed {}

/// An element of a request body: its name without prefix, its text, its children. Attributes other than namespaces are
/// kept, because `xsi:type` of a grantee is one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Element {
    /// The local name.
    pub name: String,
    /// The text between the tags, not trimmed, with entities resolved.
    pub text: String,
    /// The attributes by local name, in order.
    pub attributes: Vec<(String, String)>,
    /// The elements inside, in order.
    pub children: Vec<Element>,
}

impl Element {
    /// The children with this name, in order.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Element> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The one child with this name. Two are an error, because readers would disagree on which one counts.
    pub fn one(&self, name: &str) -> Result<Option<&Element>, Malformed> {
        let mut found = self.children.iter().filter(|child| child.name == name);
        let first = found.next();
        if found.next().is_some() {
            return Err(Malformed::new(format_args!("`{}` has more than one `{name}`", self.name)));
        }
        Ok(first)
    }

    /// The text of the one child with this name, not trimmed.
    pub fn child_text(&self, name: &str) -> Result<Option<&str>, Malformed> {
        Ok(self.one(name)?.map(|child| child.text.as_str()))
    }

    /// The text of the one child with this name, which is required.
    pub fn required(&self, name: &str) -> Result<&str, Malformed> {
        self.child_text(name)?.ok_or_else(|| Malformed::new(format_args!("`{}` needs an element `{name}`", self.name)))
    }

    /// Refuses any child other than these: an unknown element is a setting that would be silently ignored.
    pub fn only(&self, names: &[&str]) -> Result<(), Malformed> {
        match self.children.iter().find(|child| !names.contains(&child.name.as_str())) {
            Some(child) => Err(Malformed::new(format_args!(
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
/// A body that is not well-formed, nests deeper than [`DEPTH_MAX`], or has a document type or another root is refused.
pub fn parse(body: &[u8], root: &str) -> Result<Element, Malformed> {
    let text = std::str::from_utf8(body).map_err(|_| Malformed::new("the body is not UTF-8"))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader::from_str(text);
    let mut tree = Tree::default();
    loop {
        let event = reader
            .read_event()
            .map_err(|error| Malformed::new(format_args!("byte {}: {error}", reader.error_position())))?;
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
            Event::DocType(_) => return Err(Malformed::new("a document type is not allowed")),
            Event::Decl(_) | Event::Comment(_) | Event::PI(_) => {}
            Event::Eof => return tree.finish(root),
        }
    }
}

/// The text of `&name;`: XML's five entities and character references, but nothing that a document could define itself.
fn resolve(name: &str) -> Result<String, Malformed> {
    let character = match name {
        "lt" => Some('<'),
        "gt" => Some('>'),
        "amp" => Some('&'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => name.strip_prefix('#').and_then(|number| {
            let (digits, radix) = number.strip_prefix('x').map_or((number, 10), |digits| (digits, 16));
            // Numbers of Rust may have a sign, those of XML have none.
            let code =
                digits.chars().all(|digit| digit.is_digit(radix)).then(|| u32::from_str_radix(digits, radix).ok());
            code.flatten().and_then(char::from_u32)
        }),
    };
    character.map(String::from).ok_or_else(|| Malformed::new(format_args!("`&{name};` is not an XML character")))
}

#[derive(Default)]
struct Tree {
    open: Vec<Element>,
    root: Option<Element>,
    elements: usize,
}

impl Tree {
    fn start(&mut self, start: &BytesStart<'_>) -> Result<(), Malformed> {
        self.elements += 1;
        if self.open.len() >= DEPTH_MAX || self.elements > ELEMENTS_MAX {
            return Err(Malformed::new("the document is nested too deeply or has too many elements"));
        }
        if self.open.is_empty() && self.root.is_some() {
            return Err(Malformed::new("there is a second root element"));
        }
        let mut element = Element { name: start.local_name().as_ref().to_owned(), ..Element::default() };
        for attribute in start.attributes() {
            let attribute = attribute.map_err(Malformed::new)?;
            let name = attribute.key;
            if name.as_namespace_binding().is_some() {
                continue;
            }
            element.attributes.push((name.local_name().as_ref().to_owned(), attribute.value.into_owned()));
        }
        self.open.push(element);
        Ok(())
    }

    fn end(&mut self) -> Result<(), Malformed> {
        let element = self.open.pop().ok_or_else(|| Malformed::new("an end tag without a start tag"))?;
        match self.open.last_mut() {
            Some(parent) => parent.children.push(element),
            None => self.root = Some(element),
        }
        Ok(())
    }

    fn text(&mut self, content: &str) -> Result<(), Malformed> {
        match self.open.last_mut() {
            Some(element) => element.text.push_str(content),
            None if content.trim().is_empty() => {}
            None => return Err(Malformed::new("there is text outside the root element")),
        }
        Ok(())
    }

    fn finish(self, root: &str) -> Result<Element, Malformed> {
        if let Some(open) = self.open.last() {
            return Err(Malformed::new(format_args!("`{}` is not closed", open.name)));
        }
        match self.root {
            Some(element) if element.name == root => Ok(element),
            Some(element) => {
                Err(Malformed::new(format_args!("the root element is `{}`, expected `{root}`", element.name)))
            }
            None => Err(Malformed::new(format_args!("the body is empty, expected `{root}`"))),
        }
    }
}
