//! Writing: a body is cut into chunks, each hashed in passing and uploaded while the next one arrives.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use md5::{Digest, Md5};
use prost::Message;

use super::assign::{self, Place};
use super::volume::{Segments, VolumeError};
use super::{Shared, chunk, delete};
use crate::entry::{FileChunk, FileChunkManifest};
use crate::{BytesIn, FilerError, Mutation, Transaction, WriteTarget, Written};

/// Chunks on their way at a time: with 4 MiB chunks a write holds up to 20 MiB.
const IN_FLIGHT_MAX: usize = 4;
/// Places that are tried for one chunk.
const PLACES_MAX: u32 = 3;
/// An entry with more chunks than this has them folded into manifests of as many each.
const MANIFEST_CHUNKS: usize = 10_000;

pub(super) async fn write(
    shared: &Arc<Shared>,
    target: &WriteTarget,
    mut body: BytesIn<'_>,
) -> Result<Written, FilerError> {
    let rules = shared.chunk_rules().await?;
    let writer = Writer { shared, target, cipher: rules.cipher, stored: Stored::new(shared) };
    let mut cutter = Cutter::new(rules.bytes);
    let mut chunks = Vec::new();
    let mut uploads = FuturesUnordered::new();
    let mut arriving = true;
    loop {
        if !arriving && chunks.is_empty() && uploads.is_empty() {
            // All of it fits into one chunk: nothing to do side by side.
            if let Some(last) = cutter.rest() {
                chunks.push(writer.upload(last).await?);
            }
            break;
        }
        if !arriving
            && uploads.len() < IN_FLIGHT_MAX
            && let Some(last) = cutter.rest()
        {
            uploads.push(writer.upload(last));
        }
        if !arriving && uploads.is_empty() {
            break;
        }
        tokio::select! {
            biased;
            Some(uploaded) = uploads.next(), if !uploads.is_empty() => chunks.push(uploaded?),
            piece = body.next(), if arriving && uploads.len() < IN_FLIGHT_MAX => match piece {
                Some(piece) => cutter.push(piece?),
                None => arriving = false,
            },
        }
        while uploads.len() < IN_FLIGHT_MAX
            && let Some(full) = cutter.full()
        {
            uploads.push(writer.upload(full));
        }
    }
    drop(uploads);
    writer.stored.keep();
    chunks.sort_by_key(|chunk| chunk.offset);
    Ok(Written { chunks, bytes: cutter.bytes, md5: cutter.md5() })
}

/// Folds the chunks of entries that have too many into manifests, which the filer itself does only for `CreateEntry`. The
/// addresses of the manifests come along, to free them if the transaction fails.
pub(super) async fn fold_manifests(
    shared: &Arc<Shared>,
    mut transaction: Transaction,
) -> Result<(Transaction, Vec<String>), FilerError> {
    let lock_key = transaction.lock_key.clone();
    let mut made = Vec::new();
    for step in &mut transaction.mutations {
        if let Mutation::Put { entry, .. } = step
            && entry.chunks.len() > MANIFEST_CHUNKS
        {
            let collection = collection_of(shared, &lock_key);
            let target = WriteTarget { path: lock_key.clone(), collection, ..Default::default() };
            let chunks = std::mem::take(&mut entry.chunks);
            let (old, plain): (Vec<_>, Vec<_>) = chunks.into_iter().partition(|chunk| chunk.is_chunk_manifest);
            entry.chunks = fold(shared, &target, plain).await?;
            made.extend(entry.chunks.iter().filter(|chunk| chunk.is_chunk_manifest).map(|chunk| chunk.file_id.clone()));
            entry.chunks.extend(old);
        }
    }
    Ok((transaction, made))
}

/// The collection of a path below the buckets' root, or none.
fn collection_of(shared: &Shared, path: &str) -> String {
    let known = shared.configuration.read().unwrap_or_else(PoisonError::into_inner).clone();
    let Some(configuration) = known else { return String::new() };
    let below = path.strip_prefix(&configuration.buckets_root).and_then(|rest| rest.strip_prefix('/'));
    let bucket = below.and_then(|rest| rest.split('/').next()).unwrap_or_default();
    match (bucket, configuration.filer_group.as_str()) {
        ("", _) | (_, "") => bucket.to_owned(),
        (bucket, group) => format!("{group}_{bucket}"),
    }
}

async fn fold(
    shared: &Arc<Shared>,
    target: &WriteTarget,
    mut chunks: Vec<FileChunk>,
) -> Result<Vec<FileChunk>, FilerError> {
    chunks.sort_by_key(|chunk| chunk.offset);
    let cipher = shared.chunk_rules().await?.cipher;
    let writer = Writer { shared, target, cipher, stored: Stored::new(shared) };
    let mut folded = Vec::new();
    for batch in chunks.chunks(MANIFEST_CHUNKS) {
        if batch.len() < MANIFEST_CHUNKS {
            folded.extend_from_slice(batch);
            continue;
        }
        let start = batch.iter().map(|part| chunk::place(part).start).min().unwrap_or(0);
        let end = batch.iter().map(|part| chunk::place(part).end).max().unwrap_or(0);
        let bytes = Bytes::from(FileChunkManifest { chunks: batch.to_vec() }.encode_to_vec());
        let md5 = Md5::digest(&bytes).into();
        let mut segments = Segments::default();
        segments.push(bytes);
        let mut chunk = writer.upload(Cut { offset: start, segments, md5 }).await?;
        chunk.size = end - start;
        chunk.is_chunk_manifest = true;
        folded.push(chunk);
    }
    writer.stored.keep();
    Ok(folded)
}

/// A chunk's worth of plain bytes.
struct Cut {
    offset: u64,
    segments: Segments,
    md5: [u8; 16],
}

/// Cuts a body into chunks and hashes it: each chunk, and the whole.
struct Cutter {
    chunk_bytes: u64,
    /// Bytes so far.
    bytes: u64,
    whole: Md5,
    /// The hash of the chunk that is being filled; the first chunk's is `whole`.
    chunk: Option<Md5>,
    filling: Segments,
    full: std::collections::VecDeque<Cut>,
}

impl Cutter {
    fn new(chunk_bytes: usize) -> Self {
        Cutter {
            chunk_bytes: chunk_bytes.max(1) as u64,
            bytes: 0,
            whole: Md5::new(),
            chunk: None,
            filling: Segments::default(),
            full: Default::default(),
        }
    }

    fn push(&mut self, mut piece: Bytes) {
        while !piece.is_empty() {
            let room = usize::try_from(self.chunk_bytes - self.filling.len()).unwrap_or(usize::MAX);
            let part = piece.split_to(room.min(piece.len()));
            self.whole.update(&part);
            if let Some(chunk) = &mut self.chunk {
                chunk.update(&part);
            }
            self.bytes += part.len() as u64;
            self.filling.push(part);
            if self.filling.len() == self.chunk_bytes {
                let cut = self.cut();
                self.full.push_back(cut);
            }
        }
    }

    fn cut(&mut self) -> Cut {
        let md5 = self.chunk.replace(Md5::new()).unwrap_or_else(|| self.whole.clone()).finalize().into();
        let segments = std::mem::take(&mut self.filling);
        Cut { offset: self.bytes - segments.len(), segments, md5 }
    }

    /// A full chunk, if there is one.
    fn full(&mut self) -> Option<Cut> {
        self.full.pop_front()
    }

    /// What is left at the end of the body, full or not.
    fn rest(&mut self) -> Option<Cut> {
        self.full.pop_front().or_else(|| (self.filling.len() > 0).then(|| self.cut()))
    }

    fn md5(self) -> [u8; 16] {
        self.whole.finalize().into()
    }
}

struct Writer<'a> {
    shared: &'a Arc<Shared>,
    target: &'a WriteTarget,
    cipher: bool,
    stored: Stored,
}

impl Writer<'_> {
    /// Stores one chunk, at another place if the first does not take it.
    async fn upload(&self, cut: Cut) -> Result<FileChunk, FilerError> {
        let size = cut.segments.len();
        let e_tag = BASE64_STANDARD.encode(cut.md5);
        let (segments, cipher_key) = if self.cipher { encipher(&cut.segments)? } else { (cut.segments, Vec::new()) };
        // The server sees the enciphered bytes, whose MD5 nobody needs.
        let content_md5 = (!self.cipher).then_some(e_tag.as_str());
        let mut last = String::new();
        let begun = Instant::now();
        for attempt in 0..PLACES_MAX {
            let place = match attempt {
                0 => assign::take(self.shared, self.target).await?,
                _ => assign::fresh(self.shared, self.target).await?,
            };
            self.stored.add(&place);
            match self.put(&place, segments.clone(), content_md5).await {
                Ok(()) => {
                    return Ok(FileChunk {
                        file_id: place.file_id,
                        offset: i64::try_from(cut.offset).unwrap_or(i64::MAX),
                        size,
                        modified_ts_ns: now_ns(),
                        e_tag,
                        cipher_key,
                        ..Default::default()
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, attempt, "a chunk could not be stored at its place");
                    self.shared.pool.forget_server(&place.server);
                    self.stored.give_up(&place);
                    last = error.to_string();
                    if begun.elapsed() >= self.shared.volumes.timeout() {
                        break;
                    }
                }
            }
        }
        Err(FilerError::Unavailable(format!("no volume server took a chunk: {last}")))
    }

    async fn put(&self, place: &Place, segments: Segments, content_md5: Option<&str>) -> Result<(), VolumeError> {
        self.shared.volumes.put(&place.server, &place.upload_id, segments, content_md5, &place.token).await
    }
}

/// A fresh key per chunk; stored are nonce, ciphertext, tag.
fn encipher(plain: &Segments) -> Result<(Segments, Vec<u8>), FilerError> {
    let failed = |_| FilerError::Other("this machine's cryptography library cannot encipher a chunk".to_owned());
    let (mut key, mut nonce) = ([0; 32], [0; 12]);
    aws_lc_rs::rand::fill(&mut key).map_err(failed)?;
    aws_lc_rs::rand::fill(&mut nonce).map_err(failed)?;
    let mut sealed = Vec::with_capacity(usize::try_from(plain.len()).unwrap_or(0) + AES_256_GCM.tag_len());
    plain.pieces().for_each(|piece| sealed.extend_from_slice(piece));
    let cipher = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &key).map_err(failed)?);
    cipher.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut sealed).map_err(failed)?;
    let mut segments = Segments::default();
    segments.push(Bytes::copy_from_slice(&nonce));
    segments.push(sealed.into());
    Ok((segments, key.to_vec()))
}

fn now_ns() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

/// The places that this write has used. Unless they are kept they are freed: on an error, and when the caller goes away.
struct Stored {
    shared: Arc<Shared>,
    places: Mutex<Vec<Place>>,
}

impl Stored {
    fn new(shared: &Arc<Shared>) -> Self {
        Stored { shared: shared.clone(), places: Mutex::new(Vec::new()) }
    }

    fn add(&self, place: &Place) {
        self.places.lock().unwrap_or_else(PoisonError::into_inner).push(place.clone());
    }

    /// A place whose upload failed may hold the data all the same.
    fn give_up(&self, place: &Place) {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        places.retain(|known| known.upload_id != place.upload_id);
        drop(places);
        delete::places(&self.shared, vec![place.clone()]);
    }

    fn keep(&self) {
        self.places.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl Drop for Stored {
    fn drop(&mut self) {
        let places = std::mem::take(&mut *self.places.lock().unwrap_or_else(PoisonError::into_inner));
        if !places.is_empty() {
            delete::places(&self.shared, places);
        }
    }
}
