//! A filer that misbehaves on demand, to test the layers above it: calls are late, never end, or fail.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;

use crate::entry::{Entry, FileChunk};
use crate::filer::{
    Below, BytesIn, BytesOut, Feed, FeedFilter, Filer, FilerConfiguration, FilerError, ListOptions, Transaction,
    WriteTarget, Written,
};

/// The calls of [`Filer`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Call {
    /// [`Filer::configuration`]
    Configuration,
    /// [`Filer::lookup`], [`Filer::lookup_for`] and [`Filer::lookup_with_first_file`]
    Lookup,
    /// [`Filer::list`]
    List,
    /// [`Filer::transact`]
    Transact,
    /// [`Filer::write`]
    Write,
    /// [`Filer::read`]
    Read,
    /// [`Filer::resolve_chunks`]
    ResolveChunks,
    /// [`Filer::delete_chunks`]
    DeleteChunks,
    /// [`Filer::delete_collection`]
    DeleteCollection,
    /// [`Filer::members`]
    Members,
    /// [`Filer::put_through`]
    PutThrough,
    /// [`Filer::lookup_through`]
    LookupThrough,
    /// [`Filer::subscribe`]
    Subscribe,
}

impl Call {
    /// All calls.
    pub const ALL: [Call; 13] = [
        Call::Configuration,
        Call::Lookup,
        Call::List,
        Call::Transact,
        Call::Write,
        Call::Read,
        Call::ResolveChunks,
        Call::DeleteChunks,
        Call::DeleteCollection,
        Call::Members,
        Call::PutThrough,
        Call::LookupThrough,
        Call::Subscribe,
    ];
}

/// What happens to a call.
#[derive(Debug, Clone)]
pub enum Fault {
    /// It begins this much later.
    Delay(Duration),
    /// It does not begin until the fault is removed.
    Hang,
    /// It fails without doing anything. `delete_chunks` cannot fail: it then does nothing.
    Fail(FilerError),
    /// It is carried out, but its answer is lost: the caller gets this error.
    LoseAnswer(FilerError),
    /// It is carried out, but its answer does not come until the fault is removed.
    HoldAnswer,
    /// It behaves this many more times, then has this fault.
    After(u64, Box<Fault>),
}

/// Faults by call.
type Faults = HashMap<Call, Fault>;

/// A filer in front of another one. It misbehaves as it is told.
pub struct FaultyFiler {
    inner: Arc<dyn Filer>,
    faults: watch::Sender<Faults>,
    counts: Mutex<HashMap<Call, u64>>,
    /// How many entries listings have returned.
    listed: AtomicU64,
    /// Whether transactions lose their conditions.
    unconditional: AtomicBool,
    /// Whether [`Filer::below`] has no answer.
    lists_directories: AtomicBool,
}

impl FaultyFiler {
    /// A filer that behaves until told otherwise.
    pub fn new(inner: Arc<dyn Filer>) -> FaultyFiler {
        FaultyFiler {
            inner,
            faults: watch::Sender::new(Faults::new()),
            counts: Mutex::default(),
            listed: AtomicU64::new(0),
            unconditional: AtomicBool::new(false),
            lists_directories: AtomicBool::new(false),
        }
    }

    /// From now on the conditions of transactions are ignored, as by a store without compare-and-swap.
    pub fn ignore_conditions(&self) {
        self.unconditional.store(true, Ordering::Relaxed);
    }

    /// From now on only single directories can be listed, as on SeaweedFS.
    pub fn list_only_directories(&self) {
        self.lists_directories.store(true, Ordering::Relaxed);
    }

    /// Makes a call misbehave from now on.
    pub fn set(&self, call: Call, fault: Fault) {
        self.faults.send_modify(|faults| {
            faults.insert(call, fault);
        });
    }

    /// Makes all calls misbehave from now on.
    pub fn set_all(&self, fault: &Fault) {
        self.faults.send_modify(|faults| faults.extend(Call::ALL.map(|call| (call, fault.clone()))));
    }

    /// Makes all calls behave again. Hanging calls continue.
    pub fn clear(&self) {
        self.faults.send_modify(Faults::clear);
    }

    /// How often a call has been made so far, whatever its result.
    pub fn calls(&self, call: Call) -> u64 {
        self.counts().get(&call).copied().unwrap_or(0)
    }

    /// How many calls have been made so far in total.
    pub fn all_calls(&self) -> u64 {
        self.counts().values().sum()
    }

    /// How many entries listings have returned so far in total.
    pub fn listed_entries(&self) -> u64 {
        self.listed.load(Ordering::Relaxed)
    }

    fn has_listed(&self, count: usize) {
        self.listed.fetch_add(count as u64, Ordering::Relaxed);
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<Call, u64>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The fault that applies to a call now. Counts down a [`Fault::After`].
    fn due(&self, call: Call) -> Option<Fault> {
        let mut due = None;
        self.faults.send_if_modified(|faults| {
            due = match faults.get_mut(&call) {
                Some(Fault::After(0, then)) => Some((**then).clone()),
                Some(Fault::After(more, _)) => {
                    *more -= 1;
                    None
                }
                fault => fault.map(|fault| fault.clone()),
            };
            false
        });
        due
    }

    /// Waits as the fault of a call says. Returns what becomes of the answer.
    async fn suffer(&self, call: Call) -> Result<Answer, FilerError> {
        *self.counts().entry(call).or_default() += 1;
        let mut faults = self.faults.subscribe();
        loop {
            faults.mark_unchanged();
            let fault = self.due(call);
            match fault {
                None | Some(Fault::After(..)) => return Ok(Answer::Comes),
                Some(Fault::Delay(delay)) => {
                    tokio::time::sleep(delay).await;
                    return Ok(Answer::Comes);
                }
                Some(Fault::Fail(error)) => return Err(error),
                Some(Fault::LoseAnswer(error)) => return Ok(Answer::Lost(error)),
                Some(Fault::HoldAnswer) => return Ok(Answer::Held(faults)),
                // The sender lives as long as `self`.
                Some(Fault::Hang) => _ = faults.changed().await,
            }
        }
    }
}

/// What becomes of the answer of a call that is carried out.
enum Answer {
    Comes,
    Lost(FilerError),
    /// It comes once the faults change.
    Held(watch::Receiver<Faults>),
}

impl Answer {
    async fn deliver<T>(self, answer: Result<T, FilerError>) -> Result<T, FilerError> {
        match self {
            Answer::Comes => answer,
            Answer::Lost(error) => Err(error),
            Answer::Held(mut faults) => {
                let _ = faults.changed().await;
                answer
            }
        }
    }
}

#[async_trait]
impl Filer for FaultyFiler {
    async fn configuration(&self) -> Result<FilerConfiguration, FilerError> {
        let coming = self.suffer(Call::Configuration).await?;
        coming.deliver(self.inner.configuration().await).await
    }

    async fn lookup(&self, path: &str) -> Result<Option<Entry>, FilerError> {
        let coming = self.suffer(Call::Lookup).await?;
        coming.deliver(self.inner.lookup(path).await).await
    }

    async fn lookup_for(&self, path: &str, attributes: &[&str]) -> Result<Option<Entry>, FilerError> {
        let coming = self.suffer(Call::Lookup).await?;
        coming.deliver(self.inner.lookup_for(path, attributes).await).await
    }

    async fn lookup_with_first_file(
        &self,
        directory: &str,
        attributes: &[&str],
    ) -> Result<(Option<Entry>, Option<Entry>), FilerError> {
        let coming = self.suffer(Call::Lookup).await?;
        coming.deliver(self.inner.lookup_with_first_file(directory, attributes).await).await
    }

    async fn list(&self, directory: &str, options: ListOptions) -> Result<Vec<Entry>, FilerError> {
        let coming = self.suffer(Call::List).await?;
        let listed = self.inner.list(directory, options).await;
        self.has_listed(listed.as_ref().map_or(0, Vec::len));
        coming.deliver(listed).await
    }

    async fn below(&self, directory: &str, limit: usize) -> Result<Option<Below>, FilerError> {
        if self.lists_directories.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let coming = self.suffer(Call::List).await?;
        let below = self.inner.below(directory, limit).await;
        let entries = below.as_ref().ok().and_then(Option::as_ref).map_or(0, |below| below.entries.len());
        self.has_listed(entries);
        coming.deliver(below).await
    }

    async fn transact(&self, mut transaction: Transaction) -> Result<(), FilerError> {
        let coming = self.suffer(Call::Transact).await?;
        if self.unconditional.load(Ordering::Relaxed) {
            transaction.conditions.clear();
        }
        coming.deliver(self.inner.transact(transaction).await).await
    }

    fn guard_by(&self, guards: Arc<dyn crate::Guards>) {
        self.inner.guard_by(guards);
    }

    async fn accepts(&self, path: &str) -> Result<(), FilerError> {
        self.inner.accepts(path).await
    }

    async fn write(&self, target: &WriteTarget, body: BytesIn<'_>) -> Result<Written, FilerError> {
        let coming = self.suffer(Call::Write).await?;
        coming.deliver(self.inner.write(target, body).await).await
    }

    async fn read(&self, entry: &Entry, from: u64, length: u64) -> Result<BytesOut, FilerError> {
        let coming = self.suffer(Call::Read).await?;
        coming.deliver(self.inner.read(entry, from, length).await).await
    }

    async fn resolve_chunks(&self, chunks: &[FileChunk]) -> Result<Vec<FileChunk>, FilerError> {
        let coming = self.suffer(Call::ResolveChunks).await?;
        coming.deliver(self.inner.resolve_chunks(chunks).await).await
    }

    async fn delete_chunks(&self, chunks: Vec<FileChunk>) {
        if self.suffer(Call::DeleteChunks).await.is_ok() {
            self.inner.delete_chunks(chunks).await;
        }
    }

    async fn delete_collection(&self, collection: &str) -> Result<(), FilerError> {
        let coming = self.suffer(Call::DeleteCollection).await?;
        coming.deliver(self.inner.delete_collection(collection).await).await
    }

    async fn members(&self) -> Result<Vec<String>, FilerError> {
        let coming = self.suffer(Call::Members).await?;
        coming.deliver(self.inner.members().await).await
    }

    async fn put_through(&self, filer: &str, directory: &str, entry: Entry) -> Result<(), FilerError> {
        let coming = self.suffer(Call::PutThrough).await?;
        coming.deliver(self.inner.put_through(filer, directory, entry).await).await
    }

    async fn lookup_through(&self, filer: &str, path: &str) -> Result<Option<Entry>, FilerError> {
        let coming = self.suffer(Call::LookupThrough).await?;
        coming.deliver(self.inner.lookup_through(filer, path).await).await
    }

    async fn list_through(&self, filer: &str, directory: &str, options: ListOptions) -> Result<Vec<Entry>, FilerError> {
        let coming = self.suffer(Call::List).await?;
        coming.deliver(self.inner.list_through(filer, directory, options).await).await
    }

    fn avoid(&self, filer: &str) {
        self.inner.avoid(filer);
    }

    async fn subscribe(&self, filter: FeedFilter) -> Result<Vec<(String, Feed)>, FilerError> {
        let coming = self.suffer(Call::Subscribe).await?;
        coming.deliver(self.inner.subscribe(filter).await).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::EmbeddedFiler;
    use crate::filer::{Condition, Mutation};

    fn put(name: &str) -> Transaction {
        let entry = Box::new(Entry { name: name.to_owned(), ..Entry::default() });
        Transaction { mutations: vec![Mutation::Put { directory: "/d".to_owned(), entry }], ..Transaction::default() }
    }

    #[tokio::test]
    async fn calls_misbehave_as_told() {
        let directory = tempfile::tempdir().unwrap();
        let filer = FaultyFiler::new(Arc::new(EmbeddedFiler::open(directory.path()).unwrap()));
        let down = FilerError::Unavailable("down".to_owned());
        let short = Duration::from_millis(50);

        filer.set(Call::Lookup, Fault::Fail(down.clone()));
        assert!(matches!(filer.lookup("/d/a").await, Err(FilerError::Unavailable(_))));
        assert!(filer.list("/d", ListOptions { limit: 1, ..ListOptions::default() }).await.is_ok());

        filer.set(Call::Transact, Fault::LoseAnswer(down.clone()));
        assert!(filer.transact(put("a")).await.is_err());
        filer.clear();
        assert!(filer.lookup("/d/a").await.unwrap().is_some(), "it was carried out all the same");

        filer.set_all(&Fault::Hang);
        assert!(tokio::time::timeout(short, filer.lookup("/d/a")).await.is_err(), "hangs");
        let (looked_up, ()) = tokio::join!(filer.lookup("/d/a"), async {
            tokio::time::sleep(short).await;
            filer.clear();
        });
        assert!(looked_up.unwrap().is_some(), "continues when the fault is removed");

        filer.set(Call::Lookup, Fault::Delay(short));
        let begun = tokio::time::Instant::now();
        filer.lookup("/d/a").await.unwrap();
        assert!(begun.elapsed() >= short);
        assert_eq!((filer.calls(Call::Lookup), filer.calls(Call::Transact), filer.all_calls()), (5, 1, 7));

        filer.set(Call::Transact, Fault::HoldAnswer);
        let (held, ()) = tokio::join!(filer.transact(put("held")), async {
            while filer.lookup("/d/held").await.unwrap().is_none() {}
            filer.clear();
        });
        assert!(held.is_ok(), "it was carried out before its answer came");

        filer.set(Call::Lookup, Fault::After(2, Box::new(Fault::Fail(down))));
        for good in [true, true, false, false] {
            assert_eq!(filer.lookup("/d/a").await.is_ok(), good);
        }
        filer.clear();

        let again = || Transaction { lock_key: "/d/a".to_owned(), conditions: vec![Condition::NotExists], ..put("a") };
        assert!(matches!(filer.transact(again()).await, Err(FilerError::PreconditionFailed)));
        filer.ignore_conditions();
        assert!(filer.transact(again()).await.is_ok());
    }
}
