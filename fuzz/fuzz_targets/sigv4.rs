//! The head of a request as authentication reads it, and the body as aws-chunked.
//!
//! The input is the lines of the head (method and target, then `name: value`), an empty line, and the body.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use sigv4::{ChunkMode, ChunkedDecoder, auth_form};

fuzz_target!(|data: &[u8]| {
    let at = data.windows(2).position(|pair| pair == b"\n\n").unwrap_or(data.len());
    let (head, body) = data.split_at(at);
    if let Some(head) = parts(&String::from_utf8_lossy(head)) {
        let _ = auth_form(&head);
    }
    let body = Bytes::copy_from_slice(body.get(2..).unwrap_or_default());
    let whole = decoded(&body, body.len().max(1));
    let pieces = decoded(&body, 1);
    assert_eq!(whole, pieces, "how a body is split into pieces makes no difference");
});

/// The data, if the body is well formed.
fn decoded(body: &Bytes, piece: usize) -> Option<Vec<u8>> {
    let mut decoder = ChunkedDecoder::new(ChunkMode::UnsignedTrailer, &[], None);
    let mut data = Vec::new();
    for from in (0..body.len()).step_by(piece) {
        let part = body.slice(from..(from + piece).min(body.len()));
        decoder.feed(part, &mut |piece: Bytes| data.extend_from_slice(&piece)).ok()?;
    }
    decoder.finish().ok().map(|_| data)
}

fn parts(text: &str) -> Option<http::request::Parts> {
    let mut lines = text.lines();
    let (method, target) = lines.next()?.split_once(' ')?;
    let mut builder = http::Request::builder().method(method).uri(target);
    for line in lines {
        let (name, value) = line.split_once(':')?;
        builder = builder.header(name, value.trim());
    }
    Some(builder.body(()).ok()?.into_parts().0)
}
