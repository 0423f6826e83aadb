//! The change feed: one `SubscribeLocalMetadata` stream per filer.
//!
//! The aggregated `SubscribeMetadata` stops for half a minute when a peer filer dies, so that each filer is asked for its own
//! changes. Heartbeats are asked for: without them an idle stream shows no life, and not even the head of the answer comes.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use futures_util::{future, stream};
use tonic::Streaming;

use super::Shared;
use super::metrics::Call;
use super::rpc::Node;
use super::wire::{
    LookupDirectoryEntryRequest, LookupDirectoryEntryResponse, SubscribeMetadataRequest, SubscribeMetadataResponse,
};
use crate::{Change, Entry, Feed, FeedFilter, FeedItem, FilerError};

/// A prefix that no path has: with an empty one the filer would send everything.
const NO_PATH: &str = "/\u{1}";

/// Who we are towards filers: a stream with the same id and a newer epoch replaces the older one.
pub(super) struct Identity {
    client: AtomicI32,
    epoch: AtomicI32,
}

impl Default for Identity {
    fn default() -> Self {
        Identity { client: AtomicI32::new(rand::random::<i32>() & i32::MAX), epoch: AtomicI32::new(0) }
    }
}

/// One feed per filer of the ring. All of them or none: whoever misses the changes of one filer must not believe to know them all.
pub(super) async fn open_all(shared: &Arc<Shared>, filter: FeedFilter) -> Result<Vec<(String, Feed)>, FilerError> {
    let members = shared.members().await;
    let opened = members.iter().map(|address| async {
        let node = shared.ring.node(&shared.filers, address)?;
        Ok((address.to_string(), open(shared, &node, filter.clone()).await?))
    });
    future::try_join_all(opened).await
}

/// The feed of one filer. Its beginning is a moment of the filer's own clock that has passed when this returns.
async fn open(shared: &Arc<Shared>, node: &Node, filter: FeedFilter) -> Result<Feed, FilerError> {
    let since_ns = clock(shared, node).await?;
    let (path_prefix, path_prefixes) = match filter.prefixes.split_first() {
        Some((first, rest)) => (first.clone(), rest.to_vec()),
        None => (NO_PATH.to_owned(), Vec::new()),
    };
    // Several streams of one process must not replace each other: each has an id of its own.
    let client_id = shared.feeds.client.fetch_add(1, Ordering::Relaxed) & i32::MAX;
    let request = SubscribeMetadataRequest {
        client_name: "kelpgate".to_owned(),
        path_prefix,
        path_prefixes,
        directories: filter.directories.clone(),
        since_ns,
        client_id,
        client_epoch: shared.feeds.epoch.fetch_add(1, Ordering::Relaxed) + 1,
        client_supports_batching: true,
        client_supports_idle_heartbeat: true,
        signature: 0,
    };
    let stream: Streaming<SubscribeMetadataResponse> =
        shared.filers.open(node, Call::SubscribeLocalMetadata, request).await?;
    let filer = node.address.to_string();
    let silence = shared.options.feed_silence;
    let reader = Reader { stream, filter, filer, silence, ready: VecDeque::new(), position_ns: since_ns, ended: false };
    Ok(Box::pin(stream::unfold(reader, |mut reader| async move {
        let item = reader.next().await?;
        Some((item, reader))
    })))
}

/// The filer's clock: a lookup tells it. Ours may be ahead, and would miss changes.
async fn clock(shared: &Arc<Shared>, node: &Node) -> Result<i64, FilerError> {
    let request = LookupDirectoryEntryRequest { directory: "/".to_owned(), name: String::new() };
    let answer: LookupDirectoryEntryResponse =
        shared.filers.unary_on(node, Call::LookupDirectoryEntry, request).await?;
    match answer.log_ts_ns {
        0 => Err(FilerError::Other("the filer does not tell its clock; SeaweedFS 4.48 or later is needed".to_owned())),
        log_ts_ns => Ok(log_ts_ns),
    }
}

struct Reader {
    stream: Streaming<SubscribeMetadataResponse>,
    filter: FeedFilter,
    filer: String,
    silence: Duration,
    ready: VecDeque<FeedItem>,
    /// Everything up to here was delivered.
    position_ns: i64,
    ended: bool,
}

impl Reader {
    async fn next(&mut self) -> Option<Result<FeedItem, FilerError>> {
        loop {
            if let Some(item) = self.ready.pop_front() {
                return Some(Ok(item));
            }
            if self.ended {
                return None;
            }
            match tokio::time::timeout(self.silence, self.stream.message()).await {
                Ok(Ok(Some(message))) => self.take(message),
                Ok(Ok(None)) => return self.end("ended the change feed".to_owned()),
                Ok(Err(status)) => return self.end(format!("broke off the change feed: {}", status.message())),
                Err(_) => return self.end(format!("was silent for {:.0} s", self.silence.as_secs_f32())),
            }
        }
    }

    fn end(&mut self, what: String) -> Option<Result<FeedItem, FilerError>> {
        self.ended = true;
        Some(Err(FilerError::Unavailable(format!("filer {} {what}", self.filer))))
    }

    fn take(&mut self, mut message: SubscribeMetadataResponse) {
        let batched = std::mem::take(&mut message.events);
        for message in std::iter::once(message).chain(batched) {
            let ts_ns = message.ts_ns;
            match change(message) {
                Some(change) if wanted(&self.filter, &change) => self.ready.push_back(FeedItem::Change(change)),
                // A marker of the position, or a change that the filer sent without being asked for it.
                _ if ts_ns > self.position_ns => self.ready.push_back(FeedItem::Heartbeat { ts_ns }),
                _ => {}
            }
            self.position_ns = self.position_ns.max(ts_ns);
        }
    }
}

fn change(message: SubscribeMetadataResponse) -> Option<Change> {
    let notification = message.event_notification?;
    let (old, new) = (notification.old_entry, notification.new_entry);
    if old.is_none() && new.is_none() {
        return None;
    }
    let moved = new.is_some() && notification.new_parent_path != message.directory;
    Some(Change {
        new_directory: if moved { notification.new_parent_path } else { String::new() },
        directory: message.directory,
        old,
        new,
        ts_ns: message.ts_ns,
    })
}

fn wanted(filter: &FeedFilter, change: &Change) -> bool {
    let new_directory = if change.new_directory.is_empty() { &change.directory } else { &change.new_directory };
    let matches = |directory: &str, entry: &Option<Box<Entry>>| {
        entry.as_ref().is_some_and(|entry| {
            let path = format!("{}/{}", directory.trim_end_matches('/'), entry.name);
            filter.directories.iter().any(|wanted| wanted == directory)
                || filter.prefixes.iter().any(|prefix| path.starts_with(prefix.as_str()))
        })
    };
    matches(&change.directory, &change.old) || matches(new_directory, &change.new)
}
