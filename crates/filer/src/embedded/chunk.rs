//! Chunks: their ids, the chunks that no entry names yet, and the chunks that are being read.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::entry::FileChunk;
use crate::filer::FilerError;

/// The beginning of every chunk's `file_id`. There are no volumes here.
const PREFIX: &str = "local,";
/// Bits of an id below the start number: a counter and the kind.
const START_SHIFT: u32 = 40;
/// 64 consecutive ids (times the bit for the kind) share a directory, so one body rarely has to sync more than one
/// directory.
const RUN_BITS: u32 = 7;

/// A chunk's id: the number of the start that made it (24 bits), a counter (39 bits), and whether it is small (1 bit).
///
/// Each start is counted in the store before it assigns any id, so no id is ever assigned twice. If no entry names an
/// id of an earlier start, it can only be left over from a write that a crash interrupted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct ChunkId(pub(super) u64);

impl ChunkId {
    /// The chunk with this counter of a start.
    pub(super) fn new(start: u64, counter: u64, small: bool) -> ChunkId {
        ChunkId((start << START_SHIFT) | ((counter << 1) & ((1 << START_SHIFT) - 1)) | u64::from(small))
    }

    /// The id in a chunk of an entry. The entry may come from anywhere.
    pub(super) fn of(chunk: &FileChunk) -> Result<ChunkId, FilerError> {
        let unknown = |why: &str| FilerError::Damaged(chunk.file_id.clone(), why.to_owned());
        if chunk.is_chunk_manifest {
            return Err(unknown("chunk manifests are never written by this filer"));
        }
        let digits = chunk.file_id.strip_prefix(PREFIX).ok_or_else(|| unknown("not a chunk of this filer"))?;
        ChunkId::from_name(digits).ok_or_else(|| unknown("not a chunk of this filer"))
    }

    /// The id with this file name, 16 hexadecimal digits.
    pub(super) fn from_name(name: &str) -> Option<ChunkId> {
        let hexadecimal = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        (name.len() == 16 && name.bytes().all(hexadecimal)).then_some(())?;
        u64::from_str_radix(name, 16).ok().map(ChunkId)
    }

    /// The name of its file.
    pub(super) fn name(self) -> String {
        format!("{:016x}", self.0)
    }

    /// The id as it is written in entries.
    pub(super) fn file_id(self) -> String {
        format!("{PREFIX}{}", self.name())
    }

    /// The number of its file's directory, one of 256.
    pub(super) fn directory(self) -> u8 {
        (self.0 >> RUN_BITS) as u8
    }

    /// The number of the start that made it.
    pub(super) fn start(self) -> u64 {
        self.0 >> START_SHIFT
    }

    /// Whether its bytes are in the table of small chunks, not in a file.
    pub(super) fn is_small(self) -> bool {
        self.0 & 1 == 1
    }
}

/// A written chunk that no entry names yet.
pub(super) struct Unnamed {
    since: Instant,
    /// The content of a small chunk: it becomes durable with the entry that names it.
    pub(super) small: Option<Bytes>,
}

/// What only memory knows about chunks.
#[derive(Default)]
pub(super) struct Chunks {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    unnamed: HashMap<ChunkId, Unnamed>,
    small_bytes: usize,
    readers: HashMap<ChunkId, u32>,
}

impl Chunks {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records that a chunk was written.
    pub(super) fn add(&self, id: ChunkId, small: Option<Bytes>) {
        let mut state = self.state();
        state.small_bytes += small.as_ref().map_or(0, Bytes::len);
        state.unnamed.insert(id, Unnamed { since: Instant::now(), small });
    }

    /// True if this process wrote the chunk and no entry names it yet.
    pub(super) fn is_unnamed(&self, id: ChunkId) -> bool {
        self.state().unnamed.contains_key(&id)
    }

    /// The bytes of a small chunk that no entry names yet.
    pub(super) fn small(&self, id: ChunkId) -> Option<Bytes> {
        self.state().unnamed.get(&id).and_then(|unnamed| unnamed.small.clone())
    }

    /// Records that the chunk has its entry or is dropped. True if it was unnamed.
    pub(super) fn remove(&self, id: ChunkId) -> bool {
        let mut state = self.state();
        let Some(removed) = state.unnamed.remove(&id) else { return false };
        state.small_bytes -= removed.small.as_ref().map_or(0, Bytes::len);
        true
    }

    /// Bytes of small chunks held in memory.
    pub(super) fn small_bytes(&self) -> usize {
        self.state().small_bytes
    }

    /// Chunks that have been unnamed for longer than this. Their writer is gone.
    pub(super) fn forgotten(&self, after: Duration) -> Vec<ChunkId> {
        let state = self.state();
        state.unnamed.iter().filter(|(_, unnamed)| unnamed.since.elapsed() > after).map(|(id, _)| *id).collect()
    }

    /// Keeps the data of chunks until the guard is dropped.
    pub(super) fn hold(self: &Arc<Self>, ids: Vec<ChunkId>) -> Held {
        let mut state = self.state();
        for id in &ids {
            *state.readers.entry(*id).or_default() += 1;
        }
        drop(state);
        Held { chunks: self.clone(), ids }
    }

    /// True while someone reads the chunk.
    pub(super) fn is_held(&self, id: ChunkId) -> bool {
        self.state().readers.contains_key(&id)
    }
}

/// Chunks that are being read; see [`Chunks::hold`].
pub(super) struct Held {
    chunks: Arc<Chunks>,
    ids: Vec<ChunkId>,
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut state = self.chunks.state();
        for id in &self.ids {
            if let Some(readers) = state.readers.get_mut(id) {
                *readers -= 1;
                if *readers == 0 {
                    state.readers.remove(id);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids() {
        for (start, counter, small) in [(1, 0, true), (1, 63, false), (7, 64, false), ((1 << 24) - 1, 1 << 38, true)] {
            let id = ChunkId::new(start, counter, small);
            assert_eq!((id.start(), id.is_small()), (start, small), "{start} {counter}");
            let chunk = FileChunk { file_id: id.file_id(), ..FileChunk::default() };
            assert_eq!(ChunkId::of(&chunk).unwrap(), id);
            assert_eq!(id.directory(), ChunkId::new(start, counter & !63, false).directory());
        }
        for file_id in [
            "",
            "local,",
            "3,0123456789abcdef",
            "local,../../../../../x",
            "local,0123456789ABCDEF",
            "local,+123456789abcdef",
        ] {
            let chunk = FileChunk { file_id: file_id.to_owned(), ..FileChunk::default() };
            assert!(matches!(ChunkId::of(&chunk), Err(FilerError::Damaged(..))), "`{file_id}`");
        }
    }
}
