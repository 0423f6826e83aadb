//! Fields in text: `name=value`, with the value quoted if it could be read as more than one.

use std::fmt::{self, Debug, Write};

use tracing::field::{Field, Visit};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::Writer;

/// Writes the message unchanged, then the fields.
pub(super) struct Text;

impl<'writer> FormatFields<'writer> for Text {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'writer>, fields: R) -> fmt::Result {
        let mut line = OfLine { writer, value: String::new(), is_first: true, result: Ok(()) };
        fields.record(&mut line);
        line.result
    }
}

struct OfLine<'writer> {
    writer: Writer<'writer>,
    /// The current value, before it is known whether it needs quotes.
    value: String,
    is_first: bool,
    result: fmt::Result,
}

impl OfLine<'_> {
    fn field(&mut self, name: &str, value: fmt::Arguments<'_>) -> fmt::Result {
        if !std::mem::take(&mut self.is_first) {
            self.writer.write_char(' ')?;
        }
        if name == "message" {
            return self.writer.write_fmt(value);
        }
        self.value.clear();
        self.value.write_fmt(value)?;
        self.writer.write_str(name)?;
        self.writer.write_char('=')?;
        match needs_quotes(&self.value) {
            true => write!(self.writer, "{:?}", self.value),
            false => self.writer.write_str(&self.value),
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

impl Visit for OfLine<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.result = self.result.and_then(|()| self.field(field.name(), format_args!("{value}")));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.result = self.result.and_then(|()| self.field(field.name(), format_args!("{value:?}")));
    }
}
