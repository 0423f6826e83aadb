//! IAM's XML.

use jiff::Timestamp;

const NAMESPACE: &str = "https://iam.amazonaws.com/doc/2010-05-08/";

/// Elements, one after the other; text is escaped.
#[derive(Default)]
pub(super) struct Xml(String);

impl Xml {
    pub(super) fn new() -> Self {
        Self::default()
    }

    pub(super) fn text(&mut self, name: &str, text: &str) -> &mut Self {
        self.element(name, |xml| escape(text, &mut xml.0))
    }

    /// Text on its own.
    pub(super) fn push(&mut self, text: &str) {
        escape(text, &mut self.0);
    }

    /// Elements that were written on their own.
    pub(super) fn append(&mut self, elements: Self) {
        self.0.push_str(&elements.0);
    }

    pub(super) fn element(&mut self, name: &str, inside: impl FnOnce(&mut Self)) -> &mut Self {
        self.0.push('<');
        self.0.push_str(name);
        self.0.push('>');
        inside(self);
        self.0.push_str("</");
        self.0.push_str(name);
        self.0.push('>');
        self
    }

    /// Seconds since 1970 as `2026-01-31T12:00:00Z`.
    pub(super) fn date(&mut self, name: &str, seconds: i64) -> &mut Self {
        self.text(name, &Timestamp::from_second(seconds).unwrap_or(Timestamp::UNIX_EPOCH).to_string())
    }

    /// A policy document, percent-encoded as IAM answers it.
    pub(super) fn document(&mut self, name: &str, document: &str) -> &mut Self {
        self.text(name, &percent_encode(document))
    }

    pub(super) fn finish(self) -> String {
        self.0
    }
}

pub(super) fn response(action: &str, result: Option<&str>, request_id: &str) -> String {
    let mut inside = Xml::new();
    if let Some(result) = result {
        inside.element(&format!("{action}Result"), |xml| xml.0.push_str(result));
    }
    inside.element("ResponseMetadata", |xml| {
        xml.text("RequestId", request_id);
    });
    let inside = inside.finish();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{action}Response xmlns=\"{NAMESPACE}\">{inside}</{action}Response>"
    )
}

fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            // Not allowed in XML 1.0 at all.
            '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            '\r' => out.push_str("&#13;"),
            _ => out.push(c),
        }
    }
}

/// RFC 3986: everything but letters, digits and `-._~`.
fn percent_encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped_and_documents_encoded() {
        let mut xml = Xml::new();
        xml.text("a", "<&\u{1}>").document("d", "{\"é\"}").date("t", 0);
        assert_eq!(xml.finish(), "<a>&lt;&amp;\u{fffd}&gt;</a><d>%7B%22%C3%A9%22%7D</d><t>1970-01-01T00:00:00Z</t>");
    }
}
