//! Reads content: plans the runs and passes each through from its volume server. The next run is requested while one is
//! streaming.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream;
use http::{Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::task::JoinHandle;

use super::chunk::{self, damaged};
use super::{Shared, fid};
use crate::entry::FileChunk;
use crate::visible::{self, Run};
use crate::{BytesOut, Entry, FilerError};

/// How often a run is resumed after its stream broke.
const RESUMES_MAX: u32 = 3;
const ZEROS: &[u8] = &[0; 64 << 10];

pub(super) async fn read(shared: &Arc<Shared>, entry: &Entry, from: u64, length: u64) -> Result<BytesOut, FilerError> {
    if length == 0 {
        return Ok(Box::pin(stream::empty()));
    }
    let to = from.saturating_add(length);
    if entry.chunks.is_empty() && !entry.content.is_empty() {
        return inline(entry, from, to);
    }
    if entry.chunks.is_empty() && entry.remote_entry.as_ref().is_some_and(|remote| remote.remote_size > 0) {
        let what = "it mirrors a remote store and has never been copied here; run `remote.cache` in `weed shell`";
        return Err(FilerError::Damaged(entry.name.clone(), what.to_owned()));
    }
    let resolved;
    let chunks = if entry.chunks.iter().any(|chunk| chunk.is_chunk_manifest) {
        resolved = chunk::resolve(shared, &entry.chunks, from..to).await?;
        &resolved
    } else {
        &entry.chunks
    };
    if chunks.iter().any(|chunk| chunk.sse_type != 0) {
        return Err(FilerError::Encrypted);
    }
    let mut pieces: VecDeque<Piece> =
        visible::runs(chunks, from, to).iter().map(|run| Piece::of(chunks, run)).collect();
    // Open the first run here, so that a failure is an error of this call and not of a stream that has already begun.
    let first = match pieces.pop_front() {
        Some(piece) => piece.open(shared).await?,
        None => Opened::Zeros(0),
    };
    let mut reader = Reader { shared: shared.clone(), pieces, current: first, next: None };
    reader.prefetch();
    Ok(Box::pin(stream::try_unfold(reader, |mut reader| async move {
        Ok(reader.bytes().await?.map(|bytes| (bytes, reader)))
    })))
}

fn inline(entry: &Entry, from: u64, to: u64) -> Result<BytesOut, FilerError> {
    let content = usize::try_from(from).ok().zip(usize::try_from(to).ok());
    let content = content.and_then(|(from, to)| entry.content.get(from..to)).ok_or_else(|| {
        FilerError::Damaged(entry.name.clone(), "its inline content is shorter than its size".to_owned())
    })?;
    let bytes = Bytes::copy_from_slice(content);
    Ok(Box::pin(stream::once(std::future::ready(Ok(bytes)))))
}

/// A run with its chunk.
struct Piece {
    chunk: Option<FileChunk>,
    /// The offset of the run within the chunk.
    from: u64,
    length: u64,
}

/// A run that is being delivered.
enum Opened {
    /// This many zeros remain.
    Zeros(u64),
    /// The rest of a chunk that had to be decoded as a whole.
    Bytes(Bytes),
    /// A chunk that is passed through.
    Stream(Box<Passing>),
}

struct Passing {
    chunk: FileChunk,
    body: Incoming,
    /// The position within the chunk.
    at: u64,
    /// The number of bytes still to come.
    left: u64,
    resumes: u32,
}

impl Piece {
    fn of(chunks: &[FileChunk], run: &Run) -> Piece {
        let chunk = run.chunk.and_then(|index| chunks.get(index)).cloned();
        let from = chunk.as_ref().map_or(0, |chunk| run.from - chunk::place(chunk).start);
        Piece { chunk, from, length: run.to - run.from }
    }

    async fn open(self, shared: &Arc<Shared>) -> Result<Opened, FilerError> {
        let (from, length) = (self.from, self.length);
        let Some(chunk) = self.chunk else {
            return Ok(Opened::Zeros(length));
        };
        if chunk.is_compressed || !chunk.cipher_key.is_empty() {
            let plain = chunk::fetch(shared, &chunk).await?;
            let slice = usize::try_from(from).ok().zip(usize::try_from(from + length).ok());
            let slice = slice.filter(|(_, to)| *to <= plain.len());
            let (from, to) = slice.ok_or_else(|| damaged(&chunk, "is shorter than its entry says"))?;
            return Ok(Opened::Bytes(plain.slice(from..to)));
        }
        let body = pass(shared, &chunk, from, length, false).await?;
        Ok(Opened::Stream(Box::new(Passing { chunk, body, at: from, left: length, resumes: 0 })))
    }
}

/// Requests a part of a plain chunk and checks that the head of the answer announces exactly that part.
async fn pass(
    shared: &Arc<Shared>,
    chunk: &FileChunk,
    from: u64,
    length: u64,
    refresh: bool,
) -> Result<Incoming, FilerError> {
    let whole = from == 0 && length == chunk.size;
    let range = (!whole).then(|| (from, from + length - 1));
    let response: Response<Incoming> = chunk::open(shared, chunk, range, refresh).await?;
    let promised = hyper::body::Body::size_hint(response.body()).exact();
    if !whole && response.status() != StatusCode::PARTIAL_CONTENT {
        return Err(damaged(chunk, "was sent as a whole by a volume server that was asked for a part"));
    }
    match promised {
        Some(promised) if promised != length => {
            Err(damaged(chunk, &format!("has {promised} bytes where its entry says {length}")))
        }
        _ => Ok(response.into_body()),
    }
}

struct Reader {
    shared: Arc<Shared>,
    pieces: VecDeque<Piece>,
    current: Opened,
    next: Option<Ahead>,
}

/// A run that is being opened while the previous one is streaming.
struct Ahead(JoinHandle<Result<Opened, FilerError>>);

impl Drop for Ahead {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Reader {
    /// Opens the run after the current one in the background.
    fn prefetch(&mut self) {
        if self.next.is_none()
            && let Some(piece) = self.pieces.pop_front()
        {
            let shared = self.shared.clone();
            self.next = Some(Ahead(tokio::spawn(async move { piece.open(&shared).await })));
        }
    }

    /// The next bytes, or `None` at the end.
    async fn bytes(&mut self) -> Result<Option<Bytes>, FilerError> {
        loop {
            match &mut self.current {
                Opened::Zeros(0) => {}
                Opened::Zeros(left) => {
                    let zeros = Bytes::from_static(ZEROS);
                    let zeros = zeros.slice(..zeros.len().min(usize::try_from(*left).unwrap_or(usize::MAX)));
                    *left -= zeros.len() as u64;
                    return Ok(Some(zeros));
                }
                Opened::Bytes(bytes) if bytes.is_empty() => {}
                Opened::Bytes(bytes) => return Ok(Some(std::mem::take(bytes))),
                Opened::Stream(passing) if passing.left == 0 => {}
                Opened::Stream(passing) => return passing.bytes(&self.shared).await.map(Some),
            }
            let Some(mut next) = self.next.take() else {
                return Ok(None);
            };
            self.current =
                (&mut next.0).await.map_err(|_| FilerError::Unavailable("a read was interrupted".to_owned()))??;
            self.prefetch();
        }
    }
}

impl Passing {
    async fn bytes(&mut self, shared: &Arc<Shared>) -> Result<Bytes, FilerError> {
        loop {
            let frame = tokio::time::timeout(shared.volumes.timeout(), self.body.frame()).await;
            match frame {
                Ok(Some(Ok(frame))) => {
                    let Ok(data) = frame.into_data() else { continue };
                    if data.is_empty() {
                        continue;
                    }
                    let length = data.len() as u64;
                    self.left = self
                        .left
                        .checked_sub(length)
                        .ok_or_else(|| damaged(&self.chunk, "is longer than its entry says"))?;
                    self.at += length;
                    return Ok(data);
                }
                Ok(None) | Ok(Some(Err(_))) | Err(_) => self.resume(shared).await?,
            }
        }
    }

    /// Resumes a broken stream at the same position, from the first replica that answers.
    async fn resume(&mut self, shared: &Arc<Shared>) -> Result<(), FilerError> {
        self.resumes += 1;
        if self.resumes > RESUMES_MAX {
            let file_id = fid::of(&self.chunk).unwrap_or_default();
            return Err(FilerError::Unavailable(format!(
                "volume servers keep breaking the connection while sending {file_id}"
            )));
        }
        self.body = pass(shared, &self.chunk, self.at, self.left, true).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt;

    use super::*;
    use crate::seaweedfs::volume::tests::canned;
    use crate::seaweedfs::{Options, SeaweedFiler, Security};

    fn answer(status: &str, promised: usize, body: &[u8]) -> Vec<u8> {
        let head = format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {promised}\r\n\r\n");
        [head.as_bytes(), body].concat()
    }

    async fn read_from(answers: Vec<Vec<u8>>) -> Result<Vec<u8>, FilerError> {
        let (server, served) = canned(answers).await;
        let filer = SeaweedFiler::connect(Options::new(Vec::new(), Security::default()));
        filer.shared.locations.tell(3, &[server]);
        let chunk = FileChunk { file_id: "3,01637037d6".to_owned(), size: 1000, ..Default::default() };
        let entry = Entry { chunks: vec![chunk], ..Default::default() };
        let outcome = match read(&filer.shared, &entry, 0, 1000).await {
            Ok(stream) => stream.collect::<Vec<_>>().await.into_iter().collect::<Result<Vec<Bytes>, _>>(),
            Err(error) => Err(error),
        };
        served.abort();
        outcome.map(|pieces| pieces.concat())
    }

    #[tokio::test]
    async fn a_broken_stream_is_resumed_where_it_broke() {
        let data: Vec<u8> = (0..1000_u32).map(|at| (at % 251) as u8).collect();
        let first = answer("200 OK", 1000, &data[..400]);
        let got = read_from(vec![first.clone(), answer("206 Partial Content", 600, &data[400..])]).await;
        assert!(got.unwrap() == data);
        for (what, second) in [
            ("the whole again", answer("200 OK", 1000, &data)),
            ("another length", answer("206 Partial Content", 599, &data[401..])),
        ] {
            let got = read_from(vec![first.clone(), second]).await;
            assert!(matches!(got, Err(FilerError::Damaged(..))), "{what}: {got:?}");
        }
        let got = read_from(vec![answer("200 OK", 999, &data[..999])]).await;
        assert!(matches!(got, Err(FilerError::Damaged(..))), "shorter than the entry: {got:?}");
    }
}
