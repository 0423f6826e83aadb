//! Stores bodies. Small ones wait in memory for the entry that names them; others become files of one chunk each.
//!
//! A small body (up to 8 KiB) is committed with its entry in the same database transaction. A small PUT then costs the
//! two syncs of a group commit, which all others of the batch share. A file of its own would cost two more syncs (file
//! and directory) per object. Waiting is safe: until its entry is committed, no client has been told that it is stored.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use futures_util::StreamExt;
use md5::{Digest, Md5};
use tokio::task::JoinHandle;

use super::blocks::Sums;
use super::chunk::ChunkId;
use super::reap::Task;
use super::{CHUNK_BYTES, Shared, space};
use crate::entry::FileChunk;
use crate::filer::{BytesIn, FilerError, Written};

/// The largest body that is kept in the database, in bytes.
const SMALL_BYTES: usize = 8 << 10;
/// How many bytes of small bodies may wait in memory for their entries. Beyond this they become files.
const SMALL_WAITING_BYTES: usize = 64 << 20;
/// How many bytes are handed to the disk at once. A body holds at most two such pieces in memory.
const PIECE_BYTES: usize = 1 << 20;

/// Stores a body.
pub(super) async fn write(shared: &Arc<Shared>, mut body: BytesIn<'_>) -> Result<Written, FilerError> {
    let mut piece = Vec::new();
    let mut files: Option<Pipeline> = None;
    while let Some(bytes) = body.next().await {
        let mut rest = bytes?;
        while !rest.is_empty() {
            let taken = rest.split_to(rest.len().min(PIECE_BYTES - piece.len()));
            piece.extend_from_slice(&taken);
            if piece.len() == PIECE_BYTES {
                let files = files.get_or_insert_with(|| Pipeline::new(shared));
                files.push(std::mem::take(&mut piece)).await?;
            }
        }
    }
    match files {
        None if piece.is_empty() => Ok(Written { md5: super::md5_of(&[]), ..Written::default() }),
        None if piece.len() <= SMALL_BYTES && shared.chunks.small_bytes() < SMALL_WAITING_BYTES => {
            Ok(small(shared, piece))
        }
        files => {
            let mut files = files.unwrap_or_else(|| Pipeline::new(shared));
            if !piece.is_empty() {
                files.push(piece).await?;
            }
            files.finish().await
        }
    }
}

fn small(shared: &Shared, piece: Vec<u8>) -> Written {
    let id = shared.next_chunk(true);
    let md5 = super::md5_of(&piece);
    let chunk = chunk_of(id, 0, piece.len() as u64, &md5);
    let bytes = piece.len() as u64;
    shared.chunks.add(id, Some(Bytes::from(piece)));
    Written { chunks: vec![chunk], bytes, md5 }
}

fn chunk_of(id: ChunkId, offset: u64, size: u64, md5: &[u8]) -> FileChunk {
    FileChunk {
        file_id: id.file_id(),
        offset: offset as i64,
        size,
        modified_ts_ns: super::now_ns() as i64,
        e_tag: BASE64.encode(md5),
        ..FileChunk::default()
    }
}

/// Hashes and writes one piece while the next one arrives. The two digests (of the body, and of each chunk) are
/// computed in parallel, so that the limit is the MD5 speed of one core, not half of it.
struct Pipeline {
    shared: Arc<Shared>,
    running: Option<Running>,
    idle: Option<(Md5, Files)>,
}

/// The digest and the files, while a piece is being added to them.
type Running = (JoinHandle<Md5>, JoinHandle<Result<Files, FilerError>>);

impl Pipeline {
    fn new(shared: &Arc<Shared>) -> Pipeline {
        let files = Files { shared: shared.clone(), open: None, chunks: Vec::new(), written: Vec::new(), bytes: 0 };
        Pipeline { shared: shared.clone(), running: None, idle: Some((Md5::new(), files)) }
    }

    async fn settle(&mut self) -> Result<(Md5, Files), FilerError> {
        if let Some((digest, files)) = self.running.take() {
            let digest = digest.await.map_err(stopped)?;
            self.idle = Some((digest, files.await.map_err(stopped)??));
        }
        self.idle.take().ok_or_else(|| FilerError::Other("an earlier piece of the body could not be stored".to_owned()))
    }

    async fn push(&mut self, piece: Vec<u8>) -> Result<(), FilerError> {
        let (mut digest, mut files) = self.settle().await?;
        let piece = Bytes::from(piece);
        let hashed = piece.clone();
        let digest = tokio::task::spawn_blocking(move || {
            digest.update(&hashed);
            digest
        });
        let files = tokio::task::spawn_blocking(move || files.write(&piece).map(|()| files));
        self.running = Some((digest, files));
        Ok(())
    }

    async fn finish(mut self) -> Result<Written, FilerError> {
        let (digest, files) = self.settle().await?;
        let (chunks, ids, bytes) = super::blocking(move || files.finish()).await?;
        for id in ids {
            self.shared.chunks.add(id, None);
        }
        Ok(Written { chunks, bytes, md5: digest.finalize().into() })
    }
}

fn stopped(error: tokio::task::JoinError) -> FilerError {
    FilerError::Other(format!("writing the body was stopped: {error}"))
}

/// The files of one body. If it is dropped before [`Files::finish`], they are removed.
///
/// Files are written under their final names: nothing looks for them until an entry names them, and the next start
/// removes what a crash leaves behind.
struct Files {
    shared: Arc<Shared>,
    open: Option<OpenFile>,
    chunks: Vec<FileChunk>,
    /// Every file that was created.
    written: Vec<ChunkId>,
    bytes: u64,
}

struct OpenFile {
    id: ChunkId,
    file: File,
    path: PathBuf,
    offset: u64,
    bytes: u64,
    digest: Md5,
    sums: Sums,
}

impl Files {
    fn write(&mut self, piece: &[u8]) -> Result<(), FilerError> {
        let mut rest = piece;
        while !rest.is_empty() {
            let mut open = match self.open.take() {
                Some(open) => open,
                None => self.create()?,
            };
            let room = (CHUNK_BYTES as u64 - open.bytes) as usize;
            let (taken, left) = rest.split_at(rest.len().min(room));
            let written = self.shared.space.fault().and_then(|()| open.file.write_all(taken));
            written.map_err(|error| failed(&open.path, &error))?;
            open.digest.update(taken);
            open.sums.add(taken);
            open.bytes += taken.len() as u64;
            self.bytes += taken.len() as u64;
            rest = left;
            if open.bytes == CHUNK_BYTES as u64 {
                self.close(open)?;
            } else {
                self.open = Some(open);
            }
        }
        Ok(())
    }

    fn create(&mut self) -> Result<OpenFile, FilerError> {
        self.shared.space.admit(0)?;
        let id = self.shared.next_chunk(false);
        let path = self.shared.data_file(id);
        self.written.push(id);
        let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        let file = made.map_err(|error| failed(&path, &error))?;
        Ok(OpenFile { id, file, path, offset: self.bytes, bytes: 0, digest: Md5::new(), sums: Sums::new() })
    }

    fn close(&mut self, mut open: OpenFile) -> Result<(), FilerError> {
        let written = open.file.write_all(&open.sums.trailer(open.id)).and_then(|()| open.file.sync_data());
        written.map_err(|error| failed(&open.path, &error))?;
        let md5: [u8; 16] = open.digest.finalize().into();
        self.chunks.push(chunk_of(open.id, open.offset, open.bytes, &md5));
        Ok(())
    }

    /// Syncs the files to disk.
    fn finish(mut self) -> Result<(Vec<FileChunk>, Vec<ChunkId>, u64), FilerError> {
        if let Some(open) = self.open.take() {
            self.close(open)?;
        }
        let mut directories: Vec<u8> = self.written.iter().map(|id| id.directory()).collect();
        directories.dedup();
        for directory in directories {
            let path = self.shared.data_directory(directory);
            File::open(&path).and_then(|directory| directory.sync_all()).map_err(|error| failed(&path, &error))?;
        }
        Ok((std::mem::take(&mut self.chunks), std::mem::take(&mut self.written), self.bytes))
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        if !self.written.is_empty() {
            self.shared.reap(Task::Remove(std::mem::take(&mut self.written)));
        }
    }
}

fn failed(path: &std::path::Path, error: &io::Error) -> FilerError {
    let why = format!("`{}` cannot be written: {error}", path.display());
    if space::is_refusal(error.kind()) { FilerError::Full(why) } else { FilerError::Other(why) }
}
