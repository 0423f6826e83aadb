//! The change feed: one `SubscribeLocalMetadata` stream per filer.
//!
//! The aggregated `SubscribeMetadata` stops for half a minute when a peer filer dies, so this subscribes to each
//! filer's own changes. It requests heartbeats: without them an idle stream shows no sign of life, and not even the
//! head of the answer arrives.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::{Duration, Instant};

use futures_util::{future, stream};

use super::Shared;
use super::grpc::Messages;
use super::metrics::Call;
use super::rpc::Node;
use super::wire::{
    LookupDirectoryEntryRequest, LookupDirectoryEntryResponse, SubscribeMetadataRequest, SubscribeMetadataResponse,
};
use crate::{Change, Entry, Feed, FeedFilter, FeedItem, FilerError};

/// A prefix that no path has. With an empty prefix the filer would send everything.
const NO_PATH: &str = "/\u{1}";

/// How we identify ourselves to filers. A stream with the same id and a newer epoch replaces the older one.
pub(super) struct Identity {
    client: AtomicI32,
    epoch: AtomicI32,
}

impl Default for Identity {
    fn default() -> Self {
        Identity { client: AtomicI32::new(rand::random::<i32>() & i32::MAX), epoch: AtomicI32::new(0) }
    }
}

/// How long a filer may take to open its feed. Within this time a filer that hangs must not cost its gateways their
/// leases.
const OPENS_WITHIN: Duration = Duration::from_millis(1500);

/// The same for a filer that was silent.
const SILENT_OPENS_WITHIN: Duration = Duration::from_millis(300);

/// One feed per filer of the ring that opens one soon. Fails if none does.
pub(super) async fn open_all(shared: &Arc<Shared>, filter: FeedFilter) -> Result<Vec<(String, Feed)>, FilerError> {
    let members = shared.members().await;
    let asked = members.iter().map(|address| async {
        let name = address.to_string();
        let node = shared.ring.node(&shared.filers, address)?;
        let begun = Instant::now();
        // The others do not wait long for one that was silent. It may be back, and other gateways may follow it already.
        let is_silent = members.len() > 1 && shared.ring.is_silent(&name);
        let opens_within = if is_silent { SILENT_OPENS_WITHIN } else { OPENS_WITHIN };
        match tokio::time::timeout(opens_within, open(shared, &node, filter.clone())).await {
            Ok(feed) => {
                let feed = feed?;
                shared.ring.set_silent(&name, false);
                Ok((name, feed))
            }
            Err(_) => {
                // Asking its clock and opening the stream use different connections. Either may be the silent one.
                [Call::LookupDirectoryEntry, Call::SubscribeLocalMetadata]
                    .into_iter()
                    .for_each(|call| node.was_silent_since(call, begun));
                Err(FilerError::Unavailable(format!("filer {name} does not open its change feed")))
            }
        }
    });
    let mut failed = FilerError::Unavailable("no filer is configured".to_owned());
    let mut opened = Vec::new();
    for feed in future::join_all(asked).await {
        match feed {
            Ok(feed) => opened.push(feed),
            Err(error) => {
                tracing::debug!(%error, "a change feed is not opened");
                failed = error;
            }
        }
    }
    if opened.is_empty() { Err(failed) } else { Ok(opened) }
}

/// The feed of one filer. It begins at a moment of the filer's own clock that has passed when this returns.
async fn open(shared: &Arc<Shared>, node: &Node, filter: FeedFilter) -> Result<Feed, FilerError> {
    let since_ns = clock(shared, node).await?;
    let (path_prefix, path_prefixes) = match filter.prefixes.split_first() {
        Some((first, rest)) => (first.clone(), rest.to_vec()),
        None => (NO_PATH.to_owned(), Vec::new()),
    };
    let request = || SubscribeMetadataRequest {
        client_name: "kelpgate".to_owned(),
        path_prefix: path_prefix.clone(),
        path_prefixes: path_prefixes.clone(),
        directories: filter.directories.clone(),
        since_ns,
        // Several streams of one process must not replace each other, so each has its own id.
        client_id: shared.feeds.client.fetch_add(1, Ordering::Relaxed) & i32::MAX,
        client_epoch: shared.feeds.epoch.fetch_add(1, Ordering::Relaxed) + 1,
        client_supports_batching: true,
        client_supports_idle_heartbeat: true,
        signature: 0,
    };
    let stream: Messages<SubscribeMetadataResponse> =
        shared.filers.open(node, Call::SubscribeLocalMetadata, request).await?;
    let filer = node.address.to_string();
    let silence = shared.options.feed_silence;
    let reader = Reader { stream, filter, filer, silence, ready: VecDeque::new(), position_ns: since_ns, ended: false };
    Ok(Box::pin(stream::unfold(reader, |mut reader| async move {
        let item = reader.next().await?;
        Some((item, reader))
    })))
}

/// The filer's clock, taken from a lookup. Our own clock may be ahead, and we would miss changes.
async fn clock(shared: &Arc<Shared>, node: &Node) -> Result<i64, FilerError> {
    let request = LookupDirectoryEntryRequest { directory: "/".to_owned(), name: String::new() };
    let answer: LookupDirectoryEntryResponse =
        shared.filers.unary_at_opening(node, Call::LookupDirectoryEntry, request).await?;
    match answer.log_ts_ns {
        0 => {
            Err(FilerError::Other("the filer does not report its clock; SeaweedFS 4.48 or later is needed".to_owned()))
        }
        log_ts_ns => Ok(log_ts_ns),
    }
}

struct Reader {
    stream: Messages<SubscribeMetadataResponse>,
    filter: FeedFilter,
    filer: String,
    silence: Duration,
    ready: VecDeque<FeedItem>,
    /// Everything up to this position has been delivered.
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
                Ok(Err(failure)) => return self.end(format!("broke off the change feed: {failure}")),
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
                // A position marker, or a change that the filter excludes.
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
