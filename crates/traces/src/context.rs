//! The context of a trace, as it travels in a header.
//!
//! Source: W3C Trace Context, level 1, section 3.2. `tracestate` is not passed on.

/// The header with the context.
pub const TRACEPARENT: &str = "traceparent";

/// Which trace a request belongs to, and below which span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Context {
    /// The id of the trace; never zero.
    pub trace_id: [u8; 16],
    /// The id of the span; never zero.
    pub span_id: [u8; 8],
    /// Whether the trace is recorded.
    pub sampled: bool,
}

impl Context {
    /// Reads a `traceparent` header. Returns `None` if it is malformed. Ignores fields that later versions append.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let [version] = small_hex(version)?;
        if version == 0xff || version == 0 && parts.next().is_some() {
            return None;
        }
        let (trace_id, span_id, [flags]) = (small_hex(trace)?, small_hex(span)?, small_hex(flags)?);
        let is_valid = trace_id != [0; 16] && span_id != [0; 8];
        is_valid.then_some(Self { trace_id, span_id, sampled: flags & 1 == 1 })
    }

    /// The value of the header.
    pub fn header(&self) -> String {
        let flags = u8::from(self.sampled);
        format!("00-{}-{}-{flags:02x}", hex::encode(self.trace_id), hex::encode(self.span_id))
    }
}

/// Hexadecimal digits, none of them upper case.
fn small_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let is_small = text.bytes().all(|byte| !byte.is_ascii_uppercase());
    (is_small && hex::decode_to_slice(text, &mut bytes).is_ok()).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_as_the_standard_says() {
        let (trace, span) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
        for (text, sampled) in [
            (format!("00-{trace}-{span}-01"), Some(true)),
            (format!("00-{trace}-{span}-00"), Some(false)),
            (format!("00-{trace}-{span}-03"), Some(true)),
            (format!("cc-{trace}-{span}-01-what-the-future-will-be-like"), Some(true)),
            (format!("00-{trace}-{span}-01-extra"), None),
            (format!("ff-{trace}-{span}-01"), None),
            (format!("00-{}-{span}-01", trace.to_uppercase()), None),
            (format!("00-{}-{span}-01", "0".repeat(32)), None),
            (format!("00-{trace}-{}-01", "0".repeat(16)), None),
            (format!("00-{trace}-{span}-1"), None),
            (format!("00-{trace}-{span}"), None),
            (format!("00-{trace}é-{span}-01"), None),
            (String::new(), None),
            ("-".repeat(100_000), None),
        ] {
            let read = Context::parse(&text);
            assert_eq!(read.map(|context| context.sampled), sampled, "{text}");
            if let Some(context) = read {
                assert_eq!(Context::parse(&context.header()), Some(context));
            }
        }
    }
}
