//! Reading content: runs of chunks in order, the next piece read while the last one is being sent.

use std::collections::VecDeque;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::Bytes;
use redb::ReadableDatabase;
use tokio::task::JoinHandle;

use super::Shared;
use super::chunk::{ChunkId, Held};
use super::tables::SMALL;
use crate::entry::Entry;
use crate::filer::{BytesOut, FilerError};
use crate::visible;

/// Bytes read at once. A reader holds two of these in memory at most.
const PIECE_BYTES: u64 = 512 << 10;
/// What holes are made of.
static ZEROS: [u8; 64 << 10] = [0; 64 << 10];

/// What is still to be sent.
enum Source {
    Zeros(u64),
    Inline(Bytes),
    /// Bytes of a chunk from an offset.
    Chunk {
        id: ChunkId,
        at: u64,
        bytes: u64,
    },
}

/// Opens `from .. from + length` of an entry's content. The first piece is read before this returns, so that missing data is
/// an error while the reader can still be told.
pub(super) async fn read(shared: &Arc<Shared>, entry: &Entry, from: u64, length: u64) -> Result<BytesOut, FilerError> {
    let sources = plan(entry, from, length)?;
    let ids = sources.iter().filter_map(|source| if let Source::Chunk { id, .. } = source { Some(*id) } else { None });
    let held = shared.chunks.hold(ids.collect());
    let mut reader = Reader { shared: shared.clone(), sources, open: None, next: None, _held: held };
    reader.start();
    let first = reader.piece().await?;
    let stream = futures_util::stream::unfold((first, Some(reader)), |(first, reader)| async move {
        let mut reader = reader?;
        if let Some(first) = first {
            return Some((Ok(first), (None, Some(reader))));
        }
        match reader.piece().await {
            Ok(piece) => piece.map(|piece| (Ok(piece), (None, Some(reader)))),
            Err(error) => Some((Err(error), (None, None))),
        }
    });
    Ok(Box::pin(stream))
}

fn plan(entry: &Entry, from: u64, length: u64) -> Result<VecDeque<Source>, FilerError> {
    if entry.chunks.iter().any(|chunk| chunk.sse_type != 0) {
        return Err(FilerError::Encrypted);
    }
    let to = from.saturating_add(length);
    let mut sources = VecDeque::new();
    if !entry.content.is_empty() {
        let bytes = entry.content.len() as u64;
        let (begin, end) = (from.min(bytes), to.min(bytes));
        if let Some(content) = entry.content.get(begin as usize..end as usize) {
            sources.push_back(Source::Inline(Bytes::copy_from_slice(content)));
        }
        sources.push_back(Source::Zeros((to - from) - (end - begin)));
        return Ok(sources);
    }
    for run in visible::runs(&entry.chunks, from, to) {
        let bytes = run.to - run.from;
        sources.push_back(match run.chunk.and_then(|index| entry.chunks.get(index)) {
            None => Source::Zeros(bytes),
            Some(chunk) => Source::Chunk { id: ChunkId::of(chunk)?, at: run.from - chunk.offset.max(0) as u64, bytes },
        });
    }
    Ok(sources)
}

type Opened = (ChunkId, Arc<File>);

/// A piece that is on its way.
enum Next {
    Ready(Result<Bytes, FilerError>),
    Running(JoinHandle<Result<(Bytes, Opened), FilerError>>),
}

struct Reader {
    shared: Arc<Shared>,
    sources: VecDeque<Source>,
    /// The file that was read last.
    open: Option<Opened>,
    next: Option<Next>,
    _held: Held,
}

impl Reader {
    /// The piece that is on its way, and sends for the one after it; `None` at the end.
    async fn piece(&mut self) -> Result<Option<Bytes>, FilerError> {
        let piece = match self.next.take() {
            None => return Ok(None),
            Some(Next::Ready(bytes)) => bytes?,
            Some(Next::Running(running)) => {
                let stopped = |error| FilerError::Other(format!("reading was stopped: {error}"));
                let (bytes, open) = running.await.map_err(stopped)??;
                self.open = Some(open);
                bytes
            }
        };
        self.start();
        Ok(Some(piece))
    }

    fn start(&mut self) {
        while self.next.is_none() {
            let Some(source) = self.sources.pop_front() else { return };
            match source {
                Source::Zeros(0) => {}
                Source::Zeros(bytes) => {
                    let taken = bytes.min(ZEROS.len() as u64);
                    self.sources.push_front(Source::Zeros(bytes - taken));
                    self.next = Some(Next::Ready(Ok(Bytes::from_static(&ZEROS).slice(..taken as usize))));
                }
                Source::Inline(bytes) if bytes.is_empty() => {}
                Source::Inline(bytes) => self.next = Some(Next::Ready(Ok(bytes))),
                Source::Chunk { id, at, bytes } => {
                    let taken = bytes.min(PIECE_BYTES);
                    if taken < bytes {
                        self.sources.push_front(Source::Chunk { id, at: at + taken, bytes: bytes - taken });
                    }
                    self.next = Some(self.read_chunk(id, at, taken));
                }
            }
        }
    }

    fn read_chunk(&mut self, id: ChunkId, at: u64, bytes: u64) -> Next {
        if id.is_small() {
            return Next::Ready(read_small(&self.shared, id, at, bytes));
        }
        let open = self.open.take().filter(|(open, _)| *open == id);
        let shared = self.shared.clone();
        Next::Running(tokio::task::spawn_blocking(move || read_file(&shared, id, open, at, bytes)))
    }
}

/// In memory until its entry is committed, then in the database. In this order: a chunk moves from one to the other, never
/// back, so it is found even if it moves in between.
fn read_small(shared: &Shared, id: ChunkId, at: u64, bytes: u64) -> Result<Bytes, FilerError> {
    let content = match shared.chunks.small(id) {
        Some(content) => Some(content),
        None => stored_small(shared, id).map_err(super::unreadable)?,
    };
    let content = content.ok_or_else(|| missing(id))?;
    if at.saturating_add(bytes) > content.len() as u64 {
        return Err(FilerError::Damaged(id.file_id(), format!("it has only {} bytes", content.len())));
    }
    Ok(content.slice(at as usize..(at + bytes) as usize))
}

fn stored_small(shared: &Shared, id: ChunkId) -> Result<Option<Bytes>, redb::Error> {
    let small = shared.database.begin_read()?.open_table(SMALL)?;
    Ok(small.get(id.0)?.map(|content| Bytes::copy_from_slice(content.value())))
}

fn read_file(
    shared: &Shared,
    id: ChunkId,
    open: Option<Opened>,
    at: u64,
    bytes: u64,
) -> Result<(Bytes, Opened), FilerError> {
    let damaged = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => missing(id),
        _ => FilerError::Damaged(id.file_id(), error.to_string()),
    };
    let file = match open {
        Some((_, file)) => file,
        None => Arc::new(File::open(shared.data_file(id)).map_err(damaged)?),
    };
    let mut piece = vec![0; bytes as usize];
    file.read_exact_at(&mut piece, at).map_err(damaged)?;
    Ok((Bytes::from(piece), (id, file)))
}

fn missing(id: ChunkId) -> FilerError {
    FilerError::Damaged(id.file_id(), "it is not there; it may have been replaced a moment ago".to_owned())
}
