//! Fields in text: `name=value`, with the value quoted if it could be read as more than one.

use std::fmt::{self, Debug, Write};

use tracing::field::{Field, Visit};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::Writer;

/// Writes the message unchanged, then the fields.
pub(super) struct Text;

impl<'writer> FormatFields<'writer> for Text {
    fn format_fields<R: RecordFields>(&self, mut writer: Writer<'writer>, fields: R) -> fmt::Result {
        let mut line = OfLine { text: String::with_capacity(512), is_first: true };
        fields.record(&mut line);
        writer.write_str(&line.text)
    }
}

struct OfLine {
    text: String,
    is_first: bool,
}

impl OfLine {
    fn field(&mut self, name: &str, write_value: impl FnOnce(&mut String)) {
        if !std::mem::take(&mut self.is_first) {
            self.text.push(' ');
        }
        if name == "message" {
            return write_value(&mut self.text);
        }
        self.text.push_str(name);
        self.text.push('=');
        let begin = self.text.len();
        write_value(&mut self.text);
        if self.text.get(begin..).is_some_and(needs_quotes) {
            let value = self.text.split_off(begin);
            // Writing to a `String` cannot fail.
            let _ = write!(self.text, "{value:?}");
        }
    }
}

/// Whether a value could be read as more than one field.
fn needs_quotes(value: &str) -> bool {
    // Most values are plain ASCII. Without an early exit, the compiler checks many bytes at once.
    let is_simple = |byte| matches!(byte, b'!'..=b'~') & (byte != b'"');
    let is_special = |c: char| c == '"' || c.is_whitespace() || super::is_control(c);
    !value.bytes().fold(true, |all, byte| all & is_simple(byte)) && value.contains(is_special)
}

impl Visit for OfLine {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.field(field.name(), |text| text.push_str(value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.field(field.name(), |text| {
            // What cannot be written is cut off there.
            let _ = write!(text, "{value:?}");
        });
    }
}
