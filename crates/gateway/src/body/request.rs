//! The body of a request: removes its framing, counts its bytes, and checks everything that was promised about it. A
//! broken promise ends the stream with an error, so that nothing of the body is stored.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use filer::{BodyError, BytesIn, FilerError};
use futures_util::{Stream, StreamExt};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use s3::{BodyChecksums, S3Error, S3ErrorCode};
use sigv4::checksum::{Checksum, Hasher};
use sigv4::{BodyCheck, ChunkedDecoder, SigError};

use crate::errors::{self, from_signature};
use crate::limits::UploadSlot;
use crate::rate_limits::ByteMeter;

/// Raw bytes as they arrive.
pub type Source = Pin<Box<dyn Stream<Item = Result<Bytes, S3Error>> + Send>>;

/// What the head of a request, or its form, says about the body: each of these is checked.
#[derive(Default)]
pub struct ExpectedBody {
    /// Removes aws-chunked framing and checks its signatures. Boxed like the hasher, because every request moves its body a few times.
    pub decoder: Option<Box<ChunkedDecoder>>,
    /// The signed SHA-256, for a plain body.
    pub sha256: Option<BodyCheck>,
    /// The checksum to compute.
    pub checksum: Option<sigv4::checksum::ChecksumAlgorithm>,
    /// The checksum that a header promised.
    pub expected_checksum: Option<Checksum>,
    /// The MD5 that `Content-MD5` promised.
    pub content_md5: Option<[u8; 16]>,
    /// The number of plain bytes that a header promised.
    pub length: Option<u64>,
}

impl ExpectedBody {
    /// What headers, or the fields of a form, say about the bytes themselves.
    pub(crate) fn of(checksums: &BodyChecksums) -> Result<Self, S3Error> {
        let expected = checksums.value.as_ref();
        let parsed = expected.map(|value| Checksum::parse(value.algorithm, &value.value));
        Ok(Self {
            checksum: checksums.wanted(),
            expected_checksum: parsed.transpose().map_err(access::from_signature)?,
            content_md5: checksums.content_md5,
            ..Self::default()
        })
    }
}

/// The body of a request.
pub struct ObjectBody {
    source: Source,
    expected: ExpectedBody,
    hasher: Option<Box<Hasher>>,
    ready: VecDeque<Bytes>,
    received_bytes: u64,
    least_bytes: u64,
    limit_bytes: u64,
    patience: Duration,
    ended: bool,
    failure: Option<S3Error>,
    checksum: Option<Checksum>,
    /// A place among the uploads in progress. It is released with the body.
    place: Option<UploadSlot>,
}

impl ObjectBody {
    /// A body, and what it is compared with. `limit_bytes` is its largest size, `patience` is how long its sender may pause.
    pub fn new(source: Source, expected: ExpectedBody, limit_bytes: u64, patience: Duration) -> Self {
        let hasher = expected.checksum.map(|algorithm| Box::new(Hasher::new(algorithm)));
        Self {
            source,
            expected,
            hasher,
            ready: VecDeque::new(),
            received_bytes: 0,
            least_bytes: 0,
            limit_bytes,
            patience,
            ended: false,
            failure: None,
            checksum: None,
            place: None,
        }
    }

    /// Keeps a place among the uploads in progress for as long as the body exists.
    pub fn hold(&mut self, place: UploadSlot) {
        self.place = Some(place);
    }

    /// Computes a checksum if the request asks for none. Call this before the body is read.
    pub fn compute_checksum(&mut self, algorithm: sigv4::checksum::ChecksumAlgorithm) {
        self.hasher.get_or_insert_with(|| Box::new(Hasher::new(algorithm)));
    }

    /// Makes a body with fewer bytes `EntityTooSmall`.
    pub fn require_at_least(&mut self, bytes: u64) {
        self.least_bytes = bytes;
    }

    /// The bytes, for the filer.
    pub fn stream(&mut self) -> BytesIn<'_> {
        Box::pin(futures_util::stream::unfold(self, |body| async move { Some((body.next().await?, body)) }))
    }

    /// The plain size, if a header promised it.
    pub fn expected_bytes(&self) -> Option<u64> {
        self.expected.length
    }

    /// Plain bytes received so far.
    pub fn received_bytes(&self) -> u64 {
        self.received_bytes
    }

    /// The MD5 that `Content-MD5` promised. The code that stores the body computes the MD5 anyway, and compares it.
    pub fn content_md5(&self) -> Option<[u8; 16]> {
        self.expected.content_md5
    }

    /// The checksum of the whole body, once the stream has ended.
    pub fn checksum(&self) -> Option<&Checksum> {
        self.checksum.as_ref()
    }

    /// The error to answer if storing the body failed: the broken promise if there is one, otherwise the filer's error.
    pub fn explain(&mut self, error: FilerError) -> S3Error {
        match (error, self.failure.take()) {
            (FilerError::Body(_), Some(failure)) => failure,
            (error, _) => errors::from_filer(error),
        }
    }

    /// Reads a whole body that must be small, such as a document. It must arrive within the time that a sender may pause: with a
    /// limit for each pause alone, a slow sender could hold what it has sent for as long as it likes.
    pub async fn read_all(&mut self, limit_bytes: u64) -> Result<Bytes, S3Error> {
        self.receive_all(limit_bytes).await?;
        let mut all = BytesMut::new();
        while let Some(piece) = self.next().await {
            all.extend_from_slice(&piece.map_err(|error| self.explain(error.into()))?);
        }
        if let Some(expected) = self.expected.content_md5 {
            check_md5(expected, md5_of(&all))?;
        }
        Ok(all.freeze())
    }

    /// Waits until the whole body has arrived, and keeps it. It can be read afterwards.
    pub async fn receive_all(&mut self, limit_bytes: u64) -> Result<(), S3Error> {
        self.limit_bytes = limit_bytes;
        let patience = self.patience;
        let whole = async {
            while !self.ended {
                self.receive().await?;
            }
            // It may have arrived with a larger limit.
            self.require_size()
        };
        let received = tokio::time::timeout(patience, whole).await;
        received.map_err(|_| S3Error::new(S3ErrorCode::RequestTimeout))?
    }

    async fn next(&mut self) -> Option<Result<Bytes, BodyError>> {
        loop {
            if let Some(piece) = self.ready.pop_front() {
                return Some(Ok(piece));
            }
            if self.ended {
                return None;
            }
            if let Err(error) = self.receive().await {
                self.ended = true;
                let text = error.code.as_str().to_owned();
                self.failure = Some(error);
                return Some(Err(BodyError(text)));
            }
        }
    }

    async fn receive(&mut self) -> Result<(), S3Error> {
        let received = tokio::time::timeout(self.patience, self.source.next()).await;
        match received.map_err(|_| S3Error::new(S3ErrorCode::RequestTimeout))? {
            Some(raw) => self.take(raw?),
            None => {
                self.ended = true;
                self.verify()
            }
        }
    }

    fn take(&mut self, raw: Bytes) -> Result<(), S3Error> {
        let first_new = self.ready.len();
        match &mut self.expected.decoder {
            Some(decoder) => {
                let ready = &mut self.ready;
                decoder.feed(raw, &mut |piece| ready.push_back(piece)).map_err(from_signature)?;
            }
            None => {
                if let Some(check) = &mut self.expected.sha256 {
                    check.update(&raw);
                }
                self.ready.push_back(raw);
            }
        }
        for piece in self.ready.iter().skip(first_new) {
            self.received_bytes += piece.len() as u64;
            if let Some(hasher) = &mut self.hasher {
                hasher.update(piece);
            }
        }
        self.require_size()
    }

    fn require_size(&self) -> Result<(), S3Error> {
        if self.received_bytes > self.limit_bytes {
            let error = S3Error::new(S3ErrorCode::EntityTooLarge).field("MaxSizeAllowed", self.limit_bytes.to_string());
            return Err(error);
        }
        Ok(())
    }

    fn verify(&mut self) -> Result<(), S3Error> {
        let trailers = match self.expected.decoder.take() {
            Some(decoder) => Some(decoder.finish().map_err(from_signature)?),
            None => None,
        };
        if let Some(check) = self.expected.sha256.take() {
            check.finish().map_err(from_signature)?;
        }
        if self.received_bytes < self.least_bytes {
            return Err(S3Error::new(S3ErrorCode::EntityTooSmall));
        }
        if self.expected.length.is_some_and(|length| length != self.received_bytes) {
            return Err(from_signature(SigError::IncompleteBody("its length differs from the announced one")));
        }
        let computed = self.hasher.take().map(|hasher| hasher.finish());
        if let (Some(expected), Some(computed)) = (&self.expected.expected_checksum, &computed) {
            expected.check(computed).map_err(from_signature)?;
        }
        for (name, value) in trailers.iter().flat_map(|trailers| trailers.iter()) {
            let Some(algorithm) = sigv4::checksum::ChecksumAlgorithm::from_header(name) else { continue };
            let expected = Checksum::parse(algorithm, value).map_err(from_signature)?;
            match &computed {
                Some(computed) if computed.algorithm() == algorithm => {
                    expected.check(computed).map_err(from_signature)?;
                }
                _ => return Err(from_signature(SigError::MalformedTrailer("it was not announced in x-amz-trailer"))),
            }
        }
        self.checksum = computed;
        Ok(())
    }
}

/// The bytes of a connection's body, and whether the client was told to send them. If the connection breaks, the body
/// is incomplete.
///
/// `waits` means that the client sends nothing before it is told to (`Expect: 100-continue`). That happens when the
/// body is first read. The meter counts what is read, even if nobody needs it.
pub(crate) fn source(incoming: Incoming, waits: bool, meter: ByteMeter) -> (Source, Arc<AtomicBool>) {
    let continued = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&continued);
    let is_empty = incoming.is_end_stream();
    let remains = Remains { body: Some(incoming), is_coming: !waits, meter };
    let pieces = futures_util::stream::unfold(remains, move |mut remains| {
        remains.is_coming = true;
        asked.store(!is_empty, Ordering::Relaxed);
        async move {
            let frame = remains.body.as_mut()?.frame().await;
            let piece = match frame {
                None => {
                    drop(remains.body.take());
                    return None;
                }
                Some(Ok(frame)) => {
                    let data = frame.into_data().unwrap_or_default();
                    remains.meter.count(data.len() as u64);
                    Ok(data)
                }
                Some(Err(_)) => {
                    drop(remains.body.take());
                    Err(from_signature(SigError::IncompleteBody("the connection ended before the end of the body")))
                }
            };
            Some((piece, remains))
        }
    });
    (Box::pin(pieces), continued)
}

/// The most bytes of a refused body that are read in order to keep the connection.
const DRAIN_BYTES: usize = 16 << 20;

/// The rest of a body. If it is no longer needed, it is read and discarded in the background: closing a connection with
/// unread bytes would reset it, and the client might never see the answer.
struct Remains {
    body: Option<Incoming>,
    is_coming: bool,
    meter: ByteMeter,
}

impl Drop for Remains {
    fn drop(&mut self) {
        let Some(mut body) = self.body.take().filter(|body| self.is_coming && !body.is_end_stream()) else { return };
        let meter = self.meter.clone();
        tokio::spawn(async move {
            let mut read = 0;
            let drain = async {
                while let Some(Ok(frame)) = body.frame().await {
                    let bytes = frame.data_ref().map_or(0, Bytes::len);
                    meter.count(bytes as u64);
                    read += bytes;
                    if read > DRAIN_BYTES {
                        return;
                    }
                }
            };
            let _ = tokio::time::timeout(Duration::from_secs(5), drain).await;
        });
    }
}

/// Fails with `BadDigest` unless the digests are equal.
pub fn check_md5(expected: [u8; 16], computed: [u8; 16]) -> Result<(), S3Error> {
    if expected == computed { Ok(()) } else { Err(S3Error::new(S3ErrorCode::BadDigest)) }
}

fn md5_of(bytes: &[u8]) -> [u8; 16] {
    use md5::{Digest, Md5};
    Md5::digest(bytes).into()
}
