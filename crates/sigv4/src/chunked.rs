use std::fmt;

use aws_lc_rs::digest;
use bytes::{Buf, Bytes};
use http::header::HeaderName;
use http::request::Parts;
use subtle::ConstantTimeEq;

use crate::auth_form::parse_signature;
use crate::head_fields::single;
use crate::{EMPTY_SHA256, PayloadHash, RequestDate, SigError, SigningKey};

/// The longest chunk header or trailer line, in bytes, without its line end.
const LINE_BYTES_MAX: usize = 4096;
/// The largest chunk, in bytes: as much as one PUT may carry.
const CHUNK_BYTES_MAX: u64 = 5 << 30;
/// The most trailers that are accepted. No SDK sends more than one checksum and perhaps a few others.
const TRAILERS_MAX: usize = 16;

/// The start of a chain of chunk signatures: the key, date and scope of the request, and its signature.
#[derive(Clone)]
pub struct ChunkSeed {
    key: SigningKey,
    date: RequestDate,
    scope: String,
    previous: [u8; 32],
}

impl ChunkSeed {
    pub(crate) fn new(key: SigningKey, date: RequestDate, scope: String, signature: [u8; 32]) -> Self {
        Self { key, date, scope, previous: signature }
    }

    /// The next link of the chain: the signature of a chunk with this digest.
    fn chunk(&self, digest: &[u8]) -> [u8; 32] {
        let Self { date, scope, .. } = self;
        let (previous, empty, data) = (hex::encode(self.previous), hex::encode(EMPTY_SHA256), hex::encode(digest));
        self.key.sign(format!("AWS4-HMAC-SHA256-PAYLOAD\n{date}\n{scope}\n{previous}\n{empty}\n{data}").as_bytes())
    }

    /// The last link of the chain: the signature of the trailer, which is given as canonical lines `name:value\n`.
    fn trailer(&self, lines: &[u8]) -> [u8; 32] {
        let Self { date, scope, .. } = self;
        let (previous, data) = (hex::encode(self.previous), hex::encode(digest::digest(&digest::SHA256, lines)));
        self.key.sign(format!("AWS4-HMAC-SHA256-TRAILER\n{date}\n{scope}\n{previous}\n{data}").as_bytes())
    }
}

impl fmt::Debug for ChunkSeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ChunkSeed({}, {})", self.date, self.scope)
    }
}

/// Which of the three aws-chunked forms a body has.
#[derive(Debug, Clone)]
pub enum ChunkMode {
    /// `STREAMING-AWS4-HMAC-SHA256-PAYLOAD`.
    Signed(ChunkSeed),
    /// `STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER`.
    SignedTrailer(ChunkSeed),
    /// `STREAMING-UNSIGNED-PAYLOAD-TRAILER`.
    UnsignedTrailer,
}

/// The trailer of an aws-chunked body: everything that `x-amz-trailer` announced and nothing else.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trailers(Vec<(HeaderName, String)>);

impl Trailers {
    /// The value of the trailer with this name, in lower case.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(found, _)| *found == name).map(|(_, value)| value)
    }

    /// All trailers, in the order received.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// Removes the framing of an aws-chunked body and checks its signatures.
///
/// The data of a chunk is passed on before the chunk's signature is checked. This is safe only because a wrong
/// signature, length or trailer makes [`ChunkedDecoder::feed`] or [`ChunkedDecoder::finish`] fail. The caller must
/// commit nothing before `finish` succeeds, and must drop the decoder at the first error.
pub struct ChunkedDecoder {
    seed: Option<ChunkSeed>,
    has_trailer: bool,
    awaited: Vec<HeaderName>,
    decoded_length: Option<u64>,
    decoded: u64,
    line: Vec<u8>,
    state: State,
    trailers: Trailers,
    trailer_signed: bool,
}

enum State {
    /// A chunk header line.
    Header,
    /// The data of a chunk, with what is still to be checked at its end.
    Data { left: u64, proof: Option<Proof> },
    /// The line end after the data of a chunk.
    DataEnd,
    /// A line of the trailer, or the empty line that ends it.
    Trailer,
    /// The end: nothing may follow.
    End,
}

struct Proof {
    digest: digest::Context,
    signature: [u8; 32],
}

impl ChunkedDecoder {
    /// A decoder that expects exactly these trailers and, if a length is given, exactly this many bytes of data.
    pub fn new(mode: ChunkMode, trailer_names: &[HeaderName], decoded_length: Option<u64>) -> Self {
        let (seed, has_trailer) = match mode {
            ChunkMode::Signed(seed) => (Some(seed), false),
            ChunkMode::SignedTrailer(seed) => (Some(seed), true),
            ChunkMode::UnsignedTrailer => (None, true),
        };
        Self {
            seed,
            has_trailer,
            awaited: trailer_names.to_vec(),
            decoded_length,
            decoded: 0,
            line: Vec::new(),
            state: State::Header,
            trailers: Trailers::default(),
            trailer_signed: false,
        }
    }

    /// The decoder for a request, from its `x-amz-trailer` and `x-amz-decoded-content-length`; `None` if the body is plain.
    ///
    /// `seed` is [`crate::Verified::seed`]. Without one, a body with signed chunks is refused, because its signatures
    /// cannot be checked.
    pub fn of(head: &Parts, payload: PayloadHash, seed: Option<ChunkSeed>) -> Result<Option<Self>, SigError> {
        let mode = match (payload, seed) {
            (PayloadHash::StreamingSigned, Some(seed)) => ChunkMode::Signed(seed),
            (PayloadHash::StreamingSignedTrailer, Some(seed)) => ChunkMode::SignedTrailer(seed),
            (PayloadHash::StreamingUnsignedTrailer, _) => ChunkMode::UnsignedTrailer,
            (PayloadHash::StreamingSigned | PayloadHash::StreamingSignedTrailer, None) => {
                return Err(SigError::SignatureDoesNotMatch);
            }
            (PayloadHash::Unsigned | PayloadHash::Sha256(_) | PayloadHash::Absent, _) => return Ok(None),
        };
        let length = single(head, "x-amz-decoded-content-length")?.ok_or(SigError::DecodedLength)?;
        if length.is_empty() || !length.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(SigError::DecodedLength);
        }
        let length = length.parse().map_err(|_| SigError::DecodedLength)?;
        Ok(Some(Self::new(mode, &trailer_names(head)?, Some(length))))
    }

    /// Takes the next piece of the body as received, and passes on its data without copying.
    pub fn feed(&mut self, mut input: Bytes, out: &mut impl FnMut(Bytes)) -> Result<(), SigError> {
        while !input.is_empty() {
            if let State::Data { left, proof } = &mut self.state {
                let here = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
                let piece = input.split_to(here);
                *left -= here as u64;
                if let Some(proof) = proof {
                    proof.digest.update(&piece);
                }
                if !piece.is_empty() {
                    out(piece);
                }
                self.end_of_data()?;
                continue;
            }
            if matches!(self.state, State::End) {
                return Err(SigError::IncompleteBody("bytes follow its end"));
            }
            let Some(line) = self.take_line(&mut input)? else { return Ok(()) };
            self.on_line(&line)?;
        }
        Ok(())
    }

    /// Ends the body. Fails unless it is complete, has the announced length, and every signature is valid.
    pub fn finish(self) -> Result<Trailers, SigError> {
        if !matches!(self.state, State::End) {
            return Err(SigError::IncompleteBody("it ends before the end of its last chunk"));
        }
        if self.decoded_length.is_some_and(|length| length != self.decoded) {
            return Err(SigError::IncompleteBody("its length differs from x-amz-decoded-content-length"));
        }
        Ok(self.trailers)
    }

    /// A complete line without its end, or `None` if the rest is still to come.
    fn take_line(&mut self, input: &mut Bytes) -> Result<Option<Vec<u8>>, SigError> {
        let end = memchr::memchr(b'\n', input);
        let piece = input.split_to(end.unwrap_or(input.len()));
        if self.line.len() + piece.len() > LINE_BYTES_MAX + 1 {
            return Err(SigError::IncompleteBody("a line of its framing is longer than 4096 bytes"));
        }
        self.line.extend_from_slice(&piece);
        if end.is_none() {
            return Ok(None);
        }
        input.advance(1);
        let mut line = std::mem::take(&mut self.line);
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        Ok(Some(line))
    }

    fn on_line(&mut self, line: &[u8]) -> Result<(), SigError> {
        match self.state {
            State::Header => self.on_chunk_header(line),
            State::DataEnd if line.is_empty() => {
                self.state = State::Header;
                Ok(())
            }
            State::DataEnd => Err(SigError::IncompleteBody("the data of a chunk is longer than its header says")),
            State::Trailer if line.is_empty() => self.on_end(),
            State::Trailer => self.on_trailer(line),
            State::Data { .. } | State::End => Ok(()),
        }
    }

    fn on_chunk_header(&mut self, line: &[u8]) -> Result<(), SigError> {
        let broken =
            SigError::IncompleteBody("a chunk header does not have the form <hex size>[;chunk-signature=<signature>]");
        let text = std::str::from_utf8(line).map_err(|_| broken.clone())?;
        let (size, signature) = match text.split_once(';') {
            Some((size, extension)) => (size, Some(extension.strip_prefix("chunk-signature=").ok_or(broken.clone())?)),
            None => (text, None),
        };
        if size.is_empty() || size.len() > 16 || !size.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(broken);
        }
        let size = u64::from_str_radix(size, 16).map_err(|_| broken.clone())?;
        if size > CHUNK_BYTES_MAX {
            return Err(SigError::IncompleteBody("a chunk is larger than 5 GiB"));
        }
        self.decoded = self.decoded.saturating_add(size);
        if self.decoded_length.is_some_and(|length| self.decoded > length) {
            return Err(SigError::IncompleteBody("its chunks are longer than x-amz-decoded-content-length"));
        }
        let proof = match (&self.seed, signature) {
            (Some(_), Some(signature)) => {
                let signature = parse_signature(signature).map_err(|_| SigError::SignatureDoesNotMatch)?;
                Some(Proof { digest: digest::Context::new(&digest::SHA256), signature })
            }
            (Some(_), None) => return Err(SigError::SignatureDoesNotMatch),
            (None, None) => None,
            (None, Some(_)) => return Err(SigError::IncompleteBody("a chunk of an unsigned body has a signature")),
        };
        if size > 0 {
            self.state = State::Data { left: size, proof };
            return Ok(());
        }
        self.check_chunk(proof)?;
        self.state = State::Trailer;
        Ok(())
    }

    /// Called when a chunk's data is complete: checks its signature, then expects the line end.
    fn end_of_data(&mut self) -> Result<(), SigError> {
        if !matches!(self.state, State::Data { left: 0, .. }) {
            return Ok(());
        }
        if let State::Data { proof, .. } = std::mem::replace(&mut self.state, State::DataEnd) {
            self.check_chunk(proof)?;
        }
        Ok(())
    }

    fn check_chunk(&mut self, proof: Option<Proof>) -> Result<(), SigError> {
        let (Some(seed), Some(proof)) = (&mut self.seed, proof) else { return Ok(()) };
        let expected = seed.chunk(proof.digest.finish().as_ref());
        if !bool::from(expected.ct_eq(&proof.signature)) {
            return Err(SigError::SignatureDoesNotMatch);
        }
        seed.previous = expected;
        Ok(())
    }

    fn on_trailer(&mut self, line: &[u8]) -> Result<(), SigError> {
        if !self.has_trailer {
            return Err(SigError::MalformedTrailer("this form of x-amz-content-sha256 has no trailer"));
        }
        let text = std::str::from_utf8(line).map_err(|_| SigError::MalformedTrailer("it is not UTF-8"))?;
        let (name, value) =
            text.split_once(':').ok_or(SigError::MalformedTrailer("a line does not have the form name:value"))?;
        let name = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| SigError::MalformedTrailer("a name is not a header name"))?;
        let value = value.trim_matches([' ', '\t']);
        if self.trailer_signed {
            return Err(SigError::MalformedTrailer("lines follow x-amz-trailer-signature"));
        }
        if name == "x-amz-trailer-signature" {
            return self.on_trailer_signature(value);
        }
        let position = self.awaited.iter().position(|awaited| *awaited == name);
        let position =
            position.ok_or(SigError::MalformedTrailer("it has a line that x-amz-trailer does not announce"))?;
        self.awaited.swap_remove(position);
        self.trailers.0.push((name, value.to_owned()));
        Ok(())
    }

    fn on_trailer_signature(&mut self, value: &str) -> Result<(), SigError> {
        let seed = self.seed.as_ref().ok_or(SigError::MalformedTrailer("an unsigned trailer has a signature"))?;
        let signature = parse_signature(value).map_err(|_| SigError::SignatureDoesNotMatch)?;
        if !bool::from(seed.trailer(&canonical_lines(self.trailers.iter())).ct_eq(&signature)) {
            return Err(SigError::SignatureDoesNotMatch);
        }
        self.trailer_signed = true;
        Ok(())
    }

    fn on_end(&mut self) -> Result<(), SigError> {
        if !self.awaited.is_empty() {
            return Err(SigError::MalformedTrailer("a line that x-amz-trailer announces is missing"));
        }
        if self.has_trailer && self.seed.is_some() && !self.trailer_signed {
            return Err(SigError::SignatureDoesNotMatch);
        }
        self.state = State::End;
        Ok(())
    }
}

impl fmt::Debug for ChunkedDecoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ChunkedDecoder({} bytes decoded)", self.decoded)
    }
}

/// The names in `x-amz-trailer`, each once.
fn trailer_names(head: &Parts) -> Result<Vec<HeaderName>, SigError> {
    let mut names: Vec<HeaderName> = Vec::new();
    for value in head.headers.get_all("x-amz-trailer") {
        for name in value.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii).filter(|name| !name.is_empty())
        {
            let name = HeaderName::from_bytes(name)
                .map_err(|_| SigError::MalformedTrailer("x-amz-trailer contains a name that is not a header name"))?;
            if names.contains(&name) || names.len() == TRAILERS_MAX {
                return Err(SigError::MalformedTrailer("x-amz-trailer names a header twice, or too many headers"));
            }
            names.push(name);
        }
    }
    Ok(names)
}

fn canonical_lines<'a>(trailers: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<u8> {
    let mut lines: Vec<String> = trailers.map(|(name, value)| format!("{name}:{value}\n")).collect();
    lines.sort_unstable();
    lines.concat().into_bytes()
}

/// The client's counterpart of [`ChunkedDecoder`]: frames a body as aws-chunked, for tests, benchmarks and tools.
#[derive(Debug, Clone)]
pub struct ChunkSigner {
    seed: Option<ChunkSeed>,
    has_trailer: bool,
}

impl ChunkSigner {
    /// A signer for one body.
    pub fn new(mode: ChunkMode) -> Self {
        match mode {
            ChunkMode::Signed(seed) => Self { seed: Some(seed), has_trailer: false },
            ChunkMode::SignedTrailer(seed) => Self { seed: Some(seed), has_trailer: true },
            ChunkMode::UnsignedTrailer => Self { seed: None, has_trailer: true },
        }
    }

    /// Frames one chunk. It must not be empty, because an empty chunk ends the body.
    pub fn chunk(&mut self, data: &[u8]) -> Vec<u8> {
        let mut out = self.header(data);
        out.extend_from_slice(data);
        out.extend_from_slice(b"\r\n");
        out
    }

    /// The last chunk, followed by the trailer if the form has one.
    pub fn end(mut self, trailers: &[(&str, &str)]) -> Vec<u8> {
        let mut out = self.header(b"");
        if self.has_trailer {
            for (name, value) in trailers {
                out.extend_from_slice(format!("{name}:{value}\r\n").as_bytes());
            }
            if let Some(seed) = &self.seed {
                let signature = hex::encode(seed.trailer(&canonical_lines(trailers.iter().copied())));
                out.extend_from_slice(format!("x-amz-trailer-signature:{signature}\r\n").as_bytes());
            }
        }
        out.extend_from_slice(b"\r\n");
        out
    }

    fn header(&mut self, data: &[u8]) -> Vec<u8> {
        let Some(seed) = &mut self.seed else { return format!("{:x}\r\n", data.len()).into_bytes() };
        seed.previous = seed.chunk(digest::digest(&digest::SHA256, data).as_ref());
        format!("{:x};chunk-signature={}\r\n", data.len(), hex::encode(seed.previous)).into_bytes()
    }
}
