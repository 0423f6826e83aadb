//! Frees data that no entry names.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::{StreamExt, stream};

use super::assign::Place;
use super::volume::VolumeError;
use super::{Shared, chunk, fid, transact};
use crate::entry::{Attributes, FileChunk};
use crate::{Entry, FilerError, Mutation, Transaction};

/// How many deletions run at the same time.
const IN_FLIGHT_MAX: usize = 8;
/// Where an entry is created and removed again so that the filer frees what the gateway is not allowed to free.
const FREED_DIRECTORY: &str = "/seaweedfs/kelpgate/freed";

/// Frees chunks and what their manifests list. Logs what cannot be freed. Returns whether everything was freed.
pub(super) async fn chunks(shared: &Arc<Shared>, chunks: &[FileChunk]) -> bool {
    let mut is_known = true;
    let mut all: BTreeSet<String> = chunks.iter().filter_map(fid::of).collect();
    if chunks.iter().any(|chunk| chunk.is_chunk_manifest) {
        match chunk::resolve(shared, chunks, 0..u64::MAX).await {
            Ok(resolved) => all.extend(resolved.iter().filter_map(fid::of)),
            Err(error) => {
                is_known = false;
                tracing::warn!(%error, "a chunk manifest cannot be read, so the chunks that it lists cannot be freed")
            }
        }
    }
    needles(shared, all.into_iter().collect()).await == 0 && is_known
}

/// Frees needles by address, without what they may list. Returns how many cannot be freed.
pub(super) async fn needles(shared: &Arc<Shared>, file_ids: Vec<String>) -> usize {
    let failures = stream::iter(file_ids)
        .map(|file_id| async move {
            let failed = one(shared, &file_id).await.err()?;
            if let Failed::Other(error) = &failed {
                tracing::warn!(error, file_id, "a chunk cannot be freed");
            }
            Some((file_id, failed))
        })
        .buffer_unordered(IN_FLIGHT_MAX)
        .filter_map(std::future::ready)
        .collect::<Vec<_>>()
        .await;
    let all = failures.len();
    let refused = failures.into_iter().filter(|(_, failed)| matches!(failed, Failed::Unauthorized));
    let refused: Vec<String> = refused.map(|(file_id, _)| file_id).collect();
    if refused.is_empty() {
        return all;
    }
    match through_filer(shared, &refused).await {
        Ok(()) => all - refused.len(),
        Err(error) => {
            tracing::warn!(%error, chunks = refused.len(), "chunks cannot be freed");
            all
        }
    }
}

/// Frees the places of a failed write, with the tokens that came with them. Returns whether all were freed.
pub(super) async fn places(shared: &Arc<Shared>, places: Vec<Place>) -> bool {
    let freed = stream::iter(places).map(|place| async move {
        let freed = shared.volumes.delete(&place.server, &place.upload_id, &place.token).await;
        freed.inspect_err(|error| tracing::warn!(%error, "a chunk of a failed write may not have been freed")).is_ok()
    });
    freed.buffer_unordered(IN_FLIGHT_MAX).fold(true, |all, freed| std::future::ready(all && freed)).await
}

enum Failed {
    /// The volume server requires a token that the gateway cannot make.
    Unauthorized,
    Other(String),
}

async fn one(shared: &Arc<Shared>, file_id: &str) -> Result<(), Failed> {
    let id = fid::parse(file_id).ok_or_else(|| Failed::Other("malformed address".to_owned()))?;
    let mut last = "no volume server holds it".to_owned();
    for refresh in [false, true] {
        let servers = shared.locations.of(&shared.filers, id.volume_id, refresh).await;
        for server in servers.map_err(|error| Failed::Other(error.to_string()))? {
            match shared.volumes.delete(&server, file_id, "").await {
                Ok(()) => return Ok(()),
                Err(error) if error.is_unauthorized() => return Err(Failed::Unauthorized),
                Err(error @ (VolumeError::NotFound(_) | VolumeError::Status(..) | VolumeError::Transport(..))) => {
                    last = error.to_string();
                }
            }
        }
    }
    Err(Failed::Other(last))
}

/// Creates an entry that names the chunks and removes it at once, with its data: the filer has the key that the gateway
/// lacks.
async fn through_filer(shared: &Arc<Shared>, file_ids: &[String]) -> Result<(), FilerError> {
    let name = hex::encode(rand::random::<[u8; 16]>());
    let chunk = |(index, file_id): (usize, &String)| FileChunk {
        file_id: file_id.clone(),
        offset: i64::try_from(index).unwrap_or(0),
        size: 1,
        ..Default::default()
    };
    let entry = Entry {
        name: name.clone(),
        chunks: file_ids.iter().enumerate().map(chunk).collect(),
        attributes: Some(Attributes { file_mode: 0o600, ..Default::default() }),
        ..Default::default()
    };
    let directory = FREED_DIRECTORY.to_owned();
    let transaction = Transaction {
        lock_key: format!("{directory}/{name}"),
        mutations: vec![
            Mutation::Put { directory: directory.clone(), entry: Box::new(entry) },
            Mutation::Delete { directory, name, delete_data: true, recursive: false },
        ],
        ..Default::default()
    };
    transact::run(shared, transaction).await
}
