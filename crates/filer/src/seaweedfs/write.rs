//! Writes a body: cuts it into chunks, hashes each as it passes, and uploads it while the next one arrives.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use md5::{Digest, Md5};
use prost::Message;

use super::assign::{self, Place};
use super::journal::{self, Intent};
use super::slots::Slot;
use super::volume::{Segments, VolumeError};
use super::{Shared, chunk, delete};
use crate::entry::{FileChunk, FileChunkManifest};
use crate::{BytesIn, FilerError, Mutation, Transaction, WriteTarget, Written};

/// How many chunks are uploaded at the same time. With 4 MiB chunks a write holds up to 20 MiB.
const IN_FLIGHT_MAX: usize = 4;
/// How many places are tried for one chunk.
const PLACES_MAX: u32 = 3;
/// After this time no further place is tried.
const PLACES_WITHIN: Duration = Duration::from_secs(25);
/// The chunks of an entry with more than this are folded into manifests of this many each.
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
            // Everything fits into one chunk, so there is nothing to do in parallel.
            if let Some(last) = cutter.rest() {
                let slot = shared.slots.wait(last.segments.len()).await?;
                chunks.push(writer.upload(last, slot).await?);
            }
            break;
        }
        if !arriving {
            cutter.end();
        }
        // One chunk waits for room. Further ones are uploaded at the same time only if there is room at once.
        while uploads.len() < IN_FLIGHT_MAX
            && let Some(bytes) = cutter.full_bytes()
        {
            let slot = if uploads.is_empty() { Some(shared.slots.wait(bytes).await?) } else { shared.slots.now(bytes) };
            let Some((slot, full)) = slot.zip(cutter.full()) else { break };
            writer.stored.intent.get_or_init(|| shared.journal.begin(shared, target));
            uploads.push(writer.upload(full, slot));
        }
        if !arriving && uploads.is_empty() {
            break;
        }
        tokio::select! {
            biased;
            Some(uploaded) = uploads.next(), if !uploads.is_empty() => chunks.push(uploaded?),
            // Nothing more is read while a chunk waits.
            piece = body.next(), if arriving && cutter.full_bytes().is_none() => match piece {
                Some(piece) => cutter.push(piece?),
                None => arriving = false,
            },
        }
    }
    drop(uploads);
    writer.stored.keep();
    chunks.sort_by_key(|chunk| chunk.offset);
    Ok(Written { chunks, bytes: cutter.bytes, md5: cutter.md5() })
}

/// Folds the chunks of entries that have too many into manifests, which the filer itself does only for `CreateEntry`.
/// Also returns the addresses of the manifests, to free them if the transaction fails.
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
            entry.chunks = fold(shared, &target, plain).boxed().await?;
            made.extend(entry.chunks.iter().filter(|chunk| chunk.is_chunk_manifest).map(|chunk| chunk.file_id.clone()));
            entry.chunks.extend(old);
        }
    }
    Ok((transaction, made))
}

/// The collection of a path below the buckets' root; empty for other paths.
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
        let slot = shared.slots.wait(segments.len()).await?;
        let mut chunk = writer.upload(Cut { offset: start, segments, md5 }, slot).await?;
        chunk.size = end - start;
        chunk.is_chunk_manifest = true;
        folded.push(chunk);
    }
    writer.stored.keep();
    Ok(folded)
}

/// The plain bytes of one chunk.
struct Cut {
    offset: u64,
    segments: Segments,
    md5: [u8; 16],
}

/// Cuts a body into chunks and hashes it: each chunk, and the whole.
struct Cutter {
    chunk_bytes: u64,
    /// The number of bytes so far.
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

    /// The size of the full chunk that comes next, if there is one.
    fn full_bytes(&self) -> Option<u64> {
        self.full.front().map(|cut| cut.segments.len())
    }

    /// What remains at the end of the body becomes a chunk, full or not.
    fn end(&mut self) {
        if self.filling.len() > 0 {
            let cut = self.cut();
            self.full.push_back(cut);
        }
    }

    /// What remains at the end of the body, full or not.
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
    /// Stores one chunk, in another place if the first one fails.
    async fn upload(&self, cut: Cut, _slot: Slot) -> Result<FileChunk, FilerError> {
        let size = cut.segments.len();
        let e_tag = BASE64_STANDARD.encode(cut.md5);
        let (segments, cipher_key) = if self.cipher { encipher(&cut.segments)? } else { (cut.segments, Vec::new()) };
        // The server sees the encrypted bytes, and their MD5 is not needed.
        let content_md5 = (!self.cipher).then_some(e_tag.as_str());
        let mut last = String::new();
        let begun = Instant::now();
        for attempt in 0..PLACES_MAX {
            let place = match attempt {
                0 => assign::take(self.shared, self.target).await?,
                _ => assign::fresh(self.shared, self.target).boxed().await?,
            };
            self.stored.add(&place);
            let (put, recorded) =
                tokio::join!(self.put(&place, segments.clone(), content_md5), self.stored.record(&place));
            recorded?;
            match put {
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
                    tracing::warn!(%error, attempt, "a chunk could not be stored in its place");
                    self.shared.pool.forget_server(&place.server);
                    self.stored.give_up(&place);
                    last = error.to_string();
                    if begun.elapsed() >= PLACES_WITHIN {
                        break;
                    }
                }
            }
        }
        Err(FilerError::Unavailable(format!("no volume server stored a chunk: {last}")))
    }

    async fn put(&self, place: &Place, segments: Segments, content_md5: Option<&str>) -> Result<(), VolumeError> {
        self.shared.volumes.put(&place.server, &place.upload_id, segments, content_md5, &place.token).await
    }
}

/// Encrypts a chunk with a fresh key. The nonce, the ciphertext and the tag are stored.
fn encipher(plain: &Segments) -> Result<(Segments, Vec<u8>), FilerError> {
    let failed = |_| FilerError::Other("this machine's cryptography library cannot encrypt a chunk".to_owned());
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

/// The places that this write has used. They are freed unless they are kept: on an error, and when the caller goes
/// away.
struct Stored {
    shared: Arc<Shared>,
    places: Mutex<Vec<Place>>,
    /// Where they are recorded, if they are.
    intent: OnceLock<Option<Arc<Intent>>>,
}

impl Stored {
    fn new(shared: &Arc<Shared>) -> Self {
        Stored { shared: shared.clone(), places: Mutex::new(Vec::new()), intent: OnceLock::new() }
    }

    /// Records the place for other gateways.
    async fn record(&self, place: &Place) -> Result<(), FilerError> {
        match self.intent.get() {
            Some(Some(intent)) => intent.add(&self.shared, &place.file_id).await,
            _ => Ok(()),
        }
    }

    fn add(&self, place: &Place) {
        self.places.lock().unwrap_or_else(PoisonError::into_inner).push(place.clone());
    }

    /// Adds a place. It may hold data even if its upload failed.
    fn give_up(&self, place: &Place) {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        places.retain(|known| known.upload_id != place.upload_id);
        drop(places);
        free(&self.shared, vec![place.clone()], None);
    }

    fn keep(mut self) {
        self.places.lock().unwrap_or_else(PoisonError::into_inner).clear();
        if let Some(intent) = self.intent.take().flatten() {
            self.shared.journal.stored(&intent);
        }
    }
}

impl Drop for Stored {
    fn drop(&mut self) {
        let places = std::mem::take(&mut *self.places.lock().unwrap_or_else(PoisonError::into_inner));
        let intent = self.intent.take().flatten();
        if !places.is_empty() || intent.is_some() {
            free(&self.shared, places, intent);
        }
    }
}

/// Frees places in the background. Once they are freed, their record is removed.
fn free(shared: &Arc<Shared>, places: Vec<Place>, intent: Option<Arc<Intent>>) {
    // Without a runtime the process is ending. `volume.fsck` finds what stays behind.
    let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
    let shared = Arc::clone(shared);
    runtime.spawn(async move {
        if delete::places(&shared, places).await
            && let Some(intent) = intent
        {
            journal::settle(&shared, &intent);
        }
    });
}
