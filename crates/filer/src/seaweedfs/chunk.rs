//! One chunk: fetches its stored bytes, decrypts and decompresses them, resolves manifests.

use std::io::Read;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use bytes::{Bytes, BytesMut};
use http::Response;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use prost::Message;

use super::volume::VolumeError;
use super::{Shared, fid};
use crate::FilerError;
use crate::entry::{FileChunk, FileChunkManifest};

/// SeaweedFS nests manifests if there are more than 10,000 of them. Deeper nesting than this is a loop.
const MANIFEST_DEPTH_MAX: usize = 6;
/// The largest manifest, in bytes. One of 10,000 chunks has about 1.5 MB.
const MANIFEST_BYTES_MAX: u64 = 64 << 20;
/// The most bytes that encryption and compression may add to a chunk.
const OVERHEAD_MAX: u64 = 1 << 20;
/// How many rounds are made over all replicas, with fresh locations in every round but the first.
const ROUNDS: u32 = 3;
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Resolves the manifests that overlap `wanted`; everything else stays as it is.
pub(super) async fn resolve(
    shared: &Arc<Shared>,
    chunks: &[FileChunk],
    wanted: Range<u64>,
) -> Result<Vec<FileChunk>, FilerError> {
    resolve_below(shared, chunks, wanted, 0).await
}

/// Boxed, because it calls itself.
fn resolve_below<'a>(
    shared: &'a Arc<Shared>,
    chunks: &'a [FileChunk],
    wanted: Range<u64>,
    depth: usize,
) -> Pin<Box<dyn Future<Output = Result<Vec<FileChunk>, FilerError>> + Send + 'a>> {
    Box::pin(async move {
        let mut resolved = Vec::with_capacity(chunks.len());
        for chunk in chunks {
            let place = place(chunk);
            let overlaps = place.start < wanted.end && wanted.start < place.end;
            if !chunk.is_chunk_manifest {
                resolved.push(chunk.clone());
            } else if overlaps {
                if depth >= MANIFEST_DEPTH_MAX {
                    return Err(damaged(chunk, "chunk manifests are nested too deeply"));
                }
                let bytes = fetch(shared, chunk).await?;
                let manifest =
                    FileChunkManifest::decode(bytes).map_err(|_| damaged(chunk, "is not a chunk manifest"))?;
                resolved.extend(resolve_below(shared, &manifest.chunks, wanted.clone(), depth + 1).await?);
            }
        }
        Ok(resolved)
    })
}

/// The plain bytes of a whole chunk.
pub(super) async fn fetch(shared: &Arc<Shared>, chunk: &FileChunk) -> Result<Bytes, FilerError> {
    let mut refresh = false;
    for _ in 0..ROUNDS {
        let response = open(shared, chunk, None, refresh).await?;
        let limit = if chunk.is_chunk_manifest { MANIFEST_BYTES_MAX } else { chunk.size + OVERHEAD_MAX };
        match collect(response, limit, shared.volumes.timeout()).await {
            Ok(Some(stored)) => return decode(chunk, stored),
            Ok(None) => return Err(damaged(chunk, "more bytes are stored than the entry says")),
            // The connection broke: try again, perhaps elsewhere.
            Err(()) => refresh = true,
        }
    }
    Err(FilerError::Unavailable(format!(
        "the volume server keeps breaking the connection while sending {}",
        name(chunk)
    )))
}

/// Begins to read a chunk, or `range` of it (first and last byte), from the first replica that answers.
pub(super) async fn open(
    shared: &Arc<Shared>,
    chunk: &FileChunk,
    range: Option<(u64, u64)>,
    refresh: bool,
) -> Result<Response<Incoming>, FilerError> {
    let file_id = fid::of(chunk).ok_or_else(|| damaged(chunk, "has no address"))?;
    let id = fid::parse(&file_id).ok_or_else(|| damaged(chunk, "has a malformed address"))?;
    let mut last: Option<VolumeError> = None;
    let begun = Instant::now();
    let time = shared.volumes.timeout();
    for round in 0..ROUNDS {
        if round > 0 {
            // A missing chunk is final once fresh locations confirm it, and silence is final when all the time is used
            // up.
            let missing = matches!(last, Some(VolumeError::NotFound(_))) && round > 1;
            if missing || begun.elapsed() >= time {
                break;
            }
            tokio::time::sleep(Duration::from_millis(200) * round).await;
        }
        let servers = shared.locations.of(&shared.filers, id.volume_id, refresh || round > 0).await?;
        // A replica that hangs must leave time for the others.
        let bound = time / u32::try_from(servers.len()).unwrap_or(1).max(1);
        for server in servers {
            match shared.volumes.get(&server, &file_id, range, bound).await {
                Ok(response) => return Ok(response),
                // A replica without the needle proves less than one that does not answer.
                Err(VolumeError::NotFound(_)) if last.is_some() => {}
                Err(error) => last = Some(error),
            }
        }
    }
    Err(match last {
        None => FilerError::Unavailable(format!("no volume server holds volume {}", id.volume_id)),
        Some(VolumeError::NotFound(_)) => damaged(chunk, "is missing on its volume servers"),
        Some(error) if error.is_unauthorized() => FilerError::Other(format!(
            "a volume server requires a token for reading: set its `jwt.signing.read.key` in security.toml ({error})"
        )),
        Some(error) => FilerError::Unavailable(format!("volume server {error}")),
    })
}

/// Collects a body. `Ok(None)` if it is longer than `limit`, `Err` if the connection broke.
async fn collect(response: Response<Incoming>, limit: u64, silence: Duration) -> Result<Option<Bytes>, ()> {
    let mut body = response.into_body();
    let mut collected = BytesMut::new();
    loop {
        match tokio::time::timeout(silence, body.frame()).await {
            Ok(Some(Ok(frame))) => {
                if let Ok(data) = frame.into_data() {
                    if (collected.len() + data.len()) as u64 > limit {
                        return Ok(None);
                    }
                    collected.extend_from_slice(&data);
                }
            }
            Ok(None) => return Ok(Some(collected.freeze())),
            Ok(Some(Err(_))) | Err(_) => return Err(()),
        }
    }
}

/// Decrypts, then decompresses, and checks the length.
fn decode(chunk: &FileChunk, stored: Bytes) -> Result<Bytes, FilerError> {
    let opened = if chunk.cipher_key.is_empty() { stored } else { decipher(chunk, stored)? };
    let right_size = |bytes: &Bytes| chunk.is_chunk_manifest || bytes.len() as u64 == chunk.size;
    // The volume server decompresses what it recognises as gzip. It cannot recognise encrypted data.
    let packed = opened.starts_with(&GZIP_MAGIC)
        && (chunk.is_compressed && (!chunk.cipher_key.is_empty() || chunk.is_chunk_manifest || !right_size(&opened)));
    let plain = if packed { gunzip(chunk, &opened)? } else { opened };
    if right_size(&plain) { Ok(plain) } else { Err(damaged(chunk, "has a different length than its entry says")) }
}

/// AES-256-GCM, stored as nonce, ciphertext, tag.
fn decipher(chunk: &FileChunk, stored: Bytes) -> Result<Bytes, FilerError> {
    let wrong = || damaged(chunk, "cannot be decrypted with the key in its entry");
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &chunk.cipher_key).map_err(|_| wrong())?);
    let (nonce, sealed) = stored.split_at_checked(NONCE_LEN).ok_or_else(wrong)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| wrong())?;
    let mut sealed = sealed.to_vec();
    let length = key.open_in_place(nonce, Aad::empty(), &mut sealed).map_err(|_| wrong())?.len();
    sealed.truncate(length);
    Ok(sealed.into())
}

fn gunzip(chunk: &FileChunk, packed: &[u8]) -> Result<Bytes, FilerError> {
    let limit = if chunk.is_chunk_manifest { MANIFEST_BYTES_MAX } else { chunk.size };
    let mut plain = Vec::new();
    let unpacked = flate2::read::MultiGzDecoder::new(packed).take(limit + 1).read_to_end(&mut plain);
    unpacked.map_err(|_| damaged(chunk, "is not valid gzip"))?;
    Ok(plain.into())
}

/// The bytes of the file that a chunk stands for.
pub(super) fn place(chunk: &FileChunk) -> Range<u64> {
    let start = u64::try_from(chunk.offset).unwrap_or(0);
    start..start.saturating_add(chunk.size)
}

/// The name of a chunk in messages.
pub(super) fn name(chunk: &FileChunk) -> String {
    format!("chunk {}", fid::of(chunk).unwrap_or_default())
}

pub(super) fn damaged(chunk: &FileChunk, what: &str) -> FilerError {
    FilerError::Damaged(name(chunk), what.to_owned())
}
