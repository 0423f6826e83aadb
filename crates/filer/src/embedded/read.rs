//! Reads content: runs of chunks in order. The next piece is read while the last one is being sent.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use redb::{Database, ReadableDatabase};
use tokio::task::JoinHandle;

use super::Shared;
use super::blocks::{BLOCK_BYTES, Broken, DataFile};
use super::chunk::{ChunkId, Held};
use super::tables::SMALL;
use crate::entry::Entry;
use crate::filer::{BytesOut, FilerError};
use crate::visible;

/// How many bytes are read at once, and how many are checked before the first of them leaves. A reader holds at most
/// three such pieces in memory.
const PIECE_BYTES: u64 = 512 << 10;
/// The content of holes.
static ZEROS: [u8; 64 << 10] = [0; 64 << 10];

/// What remains to be sent.
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

/// Opens `from .. from + length` of an entry's content. The first pieces are read and checked before this returns, so that
/// missing or corrupt data is reported while the reader can still get an error.
pub(super) async fn read(shared: &Arc<Shared>, entry: &Entry, from: u64, length: u64) -> Result<BytesOut, FilerError> {
    let sources = plan(entry, from, length)?;
    let ids = sources.iter().filter_map(|source| if let Source::Chunk { id, .. } = source { Some(*id) } else { None });
    let held = shared.chunks.hold(ids.collect());
    let mut reader = Reader { shared: shared.clone(), sources, open: None, next: None, _held: held };
    reader.start();
    let first = reader.first_pieces().await?;
    let stream = futures_util::stream::unfold((first, Some(reader)), |(mut first, reader)| async move {
        let mut reader = reader?;
        if let Some(piece) = first.pop_front() {
            return Some((Ok(piece), (first, Some(reader))));
        }
        match reader.piece().await {
            Ok(piece) => piece.map(|piece| (Ok(piece), (first, Some(reader)))),
            Err(error) => Some((Err(error), (first, None))),
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

type Opened = (ChunkId, Arc<DataFile>);

/// A piece that is being read.
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
    /// Pieces of [`PIECE_BYTES`] together, or all that there are.
    async fn first_pieces(&mut self) -> Result<VecDeque<Bytes>, FilerError> {
        let (mut pieces, mut bytes) = (VecDeque::new(), 0);
        while bytes < PIECE_BYTES
            && let Some(piece) = self.piece().await?
        {
            bytes += piece.len() as u64;
            pieces.push_back(piece);
        }
        Ok(pieces)
    }

    /// Waits for the piece that is being read, and begins to read the next one. `None` at the end.
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
                    // Pieces end where blocks do: no block is read twice.
                    let taken = bytes.min(PIECE_BYTES - at % BLOCK_BYTES);
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

/// The bytes of a small chunk. It is in memory until its entry is committed, then in the database. Looking in this
/// order finds it even if it moves in between, because it never moves back.
fn read_small(shared: &Shared, id: ChunkId, at: u64, bytes: u64) -> Result<Bytes, FilerError> {
    let content = match shared.chunks.small(id) {
        Some(content) => Some(content),
        None => shared.store.read(|database| stored_small(database, id))?,
    };
    let content = content.ok_or_else(|| Broken::Missing.error(id, Path::new("")))?;
    if at.saturating_add(bytes) > content.len() as u64 {
        return Err(FilerError::Damaged(id.file_id(), format!("it has only {} bytes", content.len())));
    }
    Ok(content.slice(at as usize..(at + bytes) as usize))
}

fn stored_small(database: &Database, id: ChunkId) -> Result<Option<Bytes>, redb::Error> {
    let small = database.begin_read()?.open_table(SMALL)?;
    Ok(small.get(id.0)?.map(|content| Bytes::copy_from_slice(content.value())))
}

fn read_file(
    shared: &Shared,
    id: ChunkId,
    open: Option<Opened>,
    at: u64,
    bytes: u64,
) -> Result<(Bytes, Opened), FilerError> {
    let path = shared.data_file(id);
    let broken = |broken: Broken| shared.broken(id, &path, &broken);
    let file = match open {
        Some((_, file)) => file,
        None => Arc::new(DataFile::open(&path, id, shared.has_sums(id)).map_err(broken)?),
    };
    let piece = file.read(at, bytes).map_err(broken)?;
    Ok((piece, (id, file)))
}
