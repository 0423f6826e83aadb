//! Data files with checksums. The content is followed by a trailer: one CRC-32C for each block of the content, then a
//! footer that says whose file it is and how long its content is, with a checksum of the trailer itself.
//!
//! A block is checked each time it is read, before any of its bytes leave. A block is small, so that a range of a few
//! bytes reads little more than it returns.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use bytes::Bytes;
use crc_fast::CrcAlgorithm;

use super::chunk::ChunkId;
use crate::filer::FilerError;

/// Bytes of content under one checksum.
pub(super) const BLOCK_BYTES: u64 = 64 << 10;
/// The beginning of every footer.
const MAGIC: [u8; 8] = *b"kgblock1";
/// Magic, chunk id, bytes of content, checksum of the trailer up to here.
pub(super) const FOOTER_BYTES: u64 = 28;
/// Bytes of a checksum.
const SUM_BYTES: u64 = 4;

/// CRC-32C.
pub(super) fn checksum(bytes: &[u8]) -> u32 {
    crc_fast::checksum(CrcAlgorithm::Crc32Iscsi, bytes) as u32
}

/// The checksums of a file that is being written.
pub(super) struct Sums {
    complete: Vec<u8>,
    block: crc_fast::Digest,
    bytes: u64,
}

impl Sums {
    pub(super) fn new() -> Sums {
        Sums { complete: Vec::new(), block: crc_fast::Digest::new(CrcAlgorithm::Crc32Iscsi), bytes: 0 }
    }

    /// Adds content.
    pub(super) fn add(&mut self, mut content: &[u8]) {
        while !content.is_empty() {
            let room = (BLOCK_BYTES - self.bytes % BLOCK_BYTES) as usize;
            let (taken, rest) = content.split_at(content.len().min(room));
            self.block.update(taken);
            self.bytes += taken.len() as u64;
            if self.bytes.is_multiple_of(BLOCK_BYTES) {
                self.end_block();
            }
            content = rest;
        }
    }

    fn end_block(&mut self) {
        self.complete.extend((self.block.finalize() as u32).to_le_bytes());
        self.block.reset();
    }

    /// What follows the content.
    pub(super) fn trailer(mut self, id: ChunkId) -> Vec<u8> {
        if !self.bytes.is_multiple_of(BLOCK_BYTES) {
            self.end_block();
        }
        let mut trailer = self.complete;
        trailer.extend(MAGIC);
        trailer.extend(id.0.to_le_bytes());
        trailer.extend(self.bytes.to_le_bytes());
        trailer.extend(checksum(&trailer).to_le_bytes());
        trailer
    }
}

/// Why a data file could not be read.
#[derive(Debug)]
pub(super) enum Broken {
    /// It does not exist.
    Missing,
    /// The file system returned an error.
    Io(io::Error),
    /// It is not what was written.
    Changed(String),
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Broken {
        match error.kind() {
            io::ErrorKind::NotFound => Broken::Missing,
            io::ErrorKind::UnexpectedEof => Broken::Changed("it is shorter than it was".to_owned()),
            _ => Broken::Io(error),
        }
    }
}

impl Broken {
    /// The error for the reader of a chunk that is in this file.
    pub(super) fn error(&self, id: ChunkId, path: &Path) -> FilerError {
        let path = path.display();
        let text = match self {
            Broken::Missing => "it does not exist; it may have been replaced a moment ago".to_owned(),
            Broken::Io(error) => format!("`{path}`: {error}"),
            Broken::Changed(why) => format!("`{path}` is corrupt: {why}"),
        };
        FilerError::Damaged(id.file_id(), text)
    }
}

/// Where the bytes of a data file are: in a file, or in memory.
pub(super) trait Stored {
    fn all_bytes(&self) -> io::Result<u64>;
    /// Fills `piece` from an offset; an error if there are fewer bytes.
    fn fill(&self, piece: &mut [u8], at: u64) -> io::Result<()>;
    /// The bytes from an offset; an error if there are fewer.
    fn take(&self, bytes: usize, at: u64) -> io::Result<Vec<u8>> {
        let mut piece = vec![0; bytes];
        self.fill(&mut piece, at)?;
        Ok(piece)
    }
}

impl Stored for File {
    fn all_bytes(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn fill(&self, piece: &mut [u8], at: u64) -> io::Result<()> {
        self.read_exact_at(piece, at)
    }

    /// Reads into memory that was not filled with zeros before: that costs more than the checksums.
    fn take(&self, bytes: usize, at: u64) -> io::Result<Vec<u8>> {
        let mut piece = Vec::with_capacity(bytes);
        while piece.len() < bytes {
            let from = at + piece.len() as u64;
            match rustix::io::pread(self, rustix::buffer::spare_capacity(&mut piece), from) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        piece.truncate(bytes);
        Ok(piece)
    }
}

impl Stored for &[u8] {
    fn all_bytes(&self) -> io::Result<u64> {
        Ok(self.len() as u64)
    }

    fn fill(&self, piece: &mut [u8], at: u64) -> io::Result<()> {
        let rest = usize::try_from(at).ok().and_then(|at| self.get(at..)).unwrap_or_default();
        piece.copy_from_slice(rest.get(..piece.len()).ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

/// A data file that is open for reading.
pub(super) struct DataFile<S = File> {
    file: S,
    /// Bytes of content.
    bytes: u64,
    /// A checksum for each block; `None` for a file of a version that wrote none.
    sums: Option<Vec<u32>>,
}

impl DataFile {
    /// Opens the file of a chunk. Checks the trailer if the file `has_sums`.
    pub(super) fn open(path: &Path, id: ChunkId, has_sums: bool) -> Result<DataFile, Broken> {
        DataFile::of(File::open(path)?, id, has_sums)
    }
}

impl<S: Stored> DataFile<S> {
    /// The file of a chunk. Checks the trailer if the file `has_sums`.
    pub(super) fn of(file: S, id: ChunkId, has_sums: bool) -> Result<DataFile<S>, Broken> {
        let all_bytes = file.all_bytes()?;
        if !has_sums {
            return Ok(DataFile { file, bytes: all_bytes, sums: None });
        }
        let (bytes, sums) = read_trailer(&file, all_bytes, id)?;
        Ok(DataFile { file, bytes, sums: Some(sums) })
    }

    /// Bytes of content.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Bytes of the content from an offset, after checking every block that they touch.
    pub(super) fn read(&self, at: u64, bytes: u64) -> Result<Bytes, Broken> {
        let end = at.saturating_add(bytes);
        if end > self.bytes {
            return Err(Broken::Changed(format!("it has only {} bytes of content", self.bytes)));
        }
        let Some(sums) = &self.sums else {
            return Ok(Bytes::from(self.file.take(bytes as usize, at)?));
        };
        let first = at / BLOCK_BYTES;
        let from = first * BLOCK_BYTES;
        let to = end.next_multiple_of(BLOCK_BYTES).min(self.bytes);
        let blocks = self.file.take((to - from) as usize, from)?;
        for (number, block) in (first..).zip(blocks.chunks(BLOCK_BYTES as usize)) {
            if sums.get(number as usize) != Some(&checksum(block)) {
                let offset = number * BLOCK_BYTES;
                let why = format!("block {number}, at offset {offset}, does not match its checksum");
                return Err(Broken::Changed(why));
            }
        }
        Ok(Bytes::from(blocks).slice((at - from) as usize..(end - from) as usize))
    }
}

/// The bytes of content and the checksums.
fn read_trailer(file: &impl Stored, all_bytes: u64, id: ChunkId) -> Result<(u64, Vec<u32>), Broken> {
    let changed = |why: &str| Broken::Changed(why.to_owned());
    let mut footer = [0; FOOTER_BYTES as usize];
    let footer_at = all_bytes.checked_sub(FOOTER_BYTES).ok_or_else(|| changed("it is shorter than it was"))?;
    file.fill(&mut footer, footer_at)?;
    let [.., c0, c1, c2, c3, c4, c5, c6, c7, _, _, _, _] = footer;
    let bytes = u64::from_le_bytes([c0, c1, c2, c3, c4, c5, c6, c7]);
    let sums_bytes = bytes.div_ceil(BLOCK_BYTES).saturating_mul(SUM_BYTES);
    if bytes.checked_add(sums_bytes) != Some(footer_at) {
        return Err(changed("its trailer does not fit its length"));
    }
    let mut trailer = vec![0; (all_bytes - bytes) as usize];
    file.fill(&mut trailer, bytes)?;
    let (table, _) = trailer.split_at(sums_bytes as usize);
    let expected = [table, &MAGIC, &id.0.to_le_bytes(), &bytes.to_le_bytes()].concat();
    let (found, sum) = trailer.split_at(expected.len());
    if found != expected || sum != checksum(&expected).to_le_bytes() {
        return Err(changed("its trailer does not match its checksum"));
    }
    let (sums, _) = table.as_chunks::<{ SUM_BYTES as usize }>();
    Ok((bytes, sums.iter().map(|sum| u32::from_le_bytes(*sum)).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(bytes: u64) -> Vec<u8> {
        (0..bytes).map(|at| (at * 31 % 251) as u8).collect()
    }

    #[test]
    fn every_changed_bit_is_found() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let id = ChunkId::new(3, 4, false);
        for (bytes, pieces) in [(1, 1), (BLOCK_BYTES - 1, 1000), (BLOCK_BYTES, 7), (3 * BLOCK_BYTES + 5, 1 << 20)] {
            let content = content(bytes);
            let mut sums = Sums::new();
            content.chunks(pieces).for_each(|piece| sums.add(piece));
            let stored = [content.clone(), sums.trailer(id)].concat();
            std::fs::write(&path, &stored).unwrap();
            let file = DataFile::open(&path, id, true).unwrap();
            assert_eq!(file.bytes(), bytes);
            for (at, length) in [(0, bytes), (bytes - 1, 1), (bytes / 2, bytes / 3), (bytes, 0)] {
                let want = &content[at as usize..(at + length) as usize];
                assert_eq!(file.read(at, length).unwrap(), want, "{bytes} bytes from {at}");
            }
            assert!(matches!(file.read(1, bytes), Err(Broken::Changed(_))), "behind the end");
            assert!(matches!(DataFile::open(&path, ChunkId::new(3, 5, false), true), Err(Broken::Changed(_))));

            for number in 0..60 {
                let at = if number < 30 { stored.len() - 1 - number } else { number * 7919 % stored.len() };
                let mut flipped = stored.clone();
                flipped[at] ^= 1 << (number % 8);
                std::fs::write(&path, &flipped).unwrap();
                let read = DataFile::open(&path, id, true).and_then(|file| file.read(0, bytes));
                assert!(matches!(read, Err(Broken::Changed(_))), "{bytes} bytes, bit {number} of byte {at}");
            }
            for length in [0, 1, stored.len() / 2, stored.len() - 1] {
                std::fs::write(&path, &stored[..length]).unwrap();
                let read = DataFile::open(&path, id, true).and_then(|file| file.read(0, bytes));
                assert!(matches!(read, Err(Broken::Changed(_))), "{bytes} bytes, cut to {length}");
            }
        }
    }

    #[test]
    fn a_block_that_is_whole_is_read_beside_a_broken_one() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let id = ChunkId::new(1, 1, false);
        let content = content(3 * BLOCK_BYTES);
        let mut sums = Sums::new();
        sums.add(&content);
        let mut stored = [content, sums.trailer(id)].concat();
        stored[BLOCK_BYTES as usize + 10] ^= 1;
        std::fs::write(&path, &stored).unwrap();
        let file = DataFile::open(&path, id, true).unwrap();
        for (at, bytes, whole) in [
            (0, BLOCK_BYTES, true),
            (0, BLOCK_BYTES + 1, false),
            (BLOCK_BYTES + 11, 1, false),
            (2 * BLOCK_BYTES - 1, 2, false),
            (2 * BLOCK_BYTES, BLOCK_BYTES, true),
        ] {
            assert_eq!(file.read(at, bytes).is_ok(), whole, "{bytes} bytes from {at}");
        }
        let unchecked = DataFile::open(&path, id, false).unwrap();
        assert!(unchecked.read(0, 3 * BLOCK_BYTES).is_ok(), "files of the version before are read as before");
    }
}
