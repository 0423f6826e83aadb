//! How uploads end, if it is asked for several times at the same moment: every order of the calls to the filer, and what a crash
//! leaves.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use std::collections::BTreeSet;
use std::future::{pending, poll_fn};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use async_trait::async_trait;
use bucket::attributes::{INITIATOR_ID, RESERVED_UNTIL};
use bucket::completion::{ListedPart, ObjectOfParts, assemble};
use bucket::description::Description;
use bucket::upload_end::AbortOutcome;
use bucket::uploads::MultipartUpload;
use bucket::writer::Writer;
use filer::{
    BytesIn, BytesOut, Condition, Entry, Feed, FeedFilter, FileChunk, Filer, FilerConfiguration, FilerError,
    ListOptions, Mutation, Transaction, WriteTarget, Written,
};
use ids::Versioning;
use support::{World, entry_of, etag, initiator, key, outcome, stamp, written};

/// The chunk of the part that becomes the object, and of another one.
const DATA: &str = "1,data";
const LATE_DATA: &str = "2,late";

/// A filer that lets others have their turn before each call, and notes which chunks were freed.
struct Turns {
    inner: Arc<dyn Filer>,
    freed: Mutex<BTreeSet<String>>,
    /// Whether it dies after the first step of a transaction with several steps, as a filer of SeaweedFS may.
    dies: AtomicBool,
    is_dead: AtomicBool,
}

async fn turn() {
    let mut has_waited = false;
    poll_fn(|context| {
        context.waker().wake_by_ref();
        if std::mem::replace(&mut has_waited, true) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

/// Runs a call to its end, without a turn for others.
fn at_once<T>(call: impl Future<Output = T>) -> T {
    let (mut call, mut context) = (pin!(call), Context::from_waker(Waker::noop()));
    loop {
        if let Poll::Ready(done) = call.as_mut().poll(&mut context) {
            return done;
        }
    }
}

impl Turns {
    fn chunks_at(&self, path: &str) -> Vec<String> {
        let mut entries = at_once(self.inner.list(path, ListOptions { limit: 100, ..ListOptions::default() })).unwrap();
        entries.extend(at_once(self.inner.lookup(path)).unwrap());
        entries.into_iter().flat_map(|entry| entry.chunks).map(|chunk| chunk.file_id).collect()
    }

    /// The chunks that a transaction frees. A file that a step removes without its data has none when a later step removes its directory.
    fn freed_by_all(&self, steps: &[Mutation]) -> Vec<String> {
        let mut freed: Vec<String> = steps.iter().flat_map(|step| self.freed_by(step)).collect();
        for step in steps {
            if let Mutation::Delete { directory, name, delete_data: false, .. } = step {
                let kept = self.chunks_at(&format!("{directory}/{name}"));
                freed.retain(|id| !kept.contains(id));
            }
        }
        freed
    }

    /// The chunks that a step frees.
    fn freed_by(&self, step: &Mutation) -> Vec<String> {
        match step {
            Mutation::Delete { directory, name, delete_data: true, .. } => {
                self.chunks_at(&format!("{directory}/{name}"))
            }
            Mutation::Put { directory, entry } if !entry.is_directory => {
                let mut replaced = self.chunks_at(&format!("{directory}/{}", entry.name));
                replaced.retain(|id| entry.chunks.iter().all(|kept| kept.file_id != *id));
                replaced
            }
            _ => Vec::new(),
        }
    }
}

#[async_trait]
impl Filer for Turns {
    async fn configuration(&self) -> Result<FilerConfiguration, FilerError> {
        self.inner.configuration().await
    }
    async fn lookup(&self, path: &str) -> Result<Option<Entry>, FilerError> {
        turn().await;
        at_once(self.inner.lookup(path))
    }
    async fn list(&self, directory: &str, options: ListOptions) -> Result<Vec<Entry>, FilerError> {
        turn().await;
        at_once(self.inner.list(directory, options))
    }
    async fn transact(&self, mut transaction: Transaction) -> Result<(), FilerError> {
        turn().await;
        let dies = self.dies.load(Ordering::Relaxed) && transaction.mutations.len() > 1;
        transaction.mutations.truncate(if dies { 1 } else { usize::MAX });
        let freed = self.freed_by_all(&transaction.mutations);
        at_once(self.inner.transact(transaction))?;
        self.freed.lock().unwrap().extend(freed);
        if dies {
            self.is_dead.store(true, Ordering::Relaxed);
            pending::<()>().await;
        }
        Ok(())
    }
    async fn delete_chunks(&self, chunks: Vec<FileChunk>) {
        self.freed.lock().unwrap().extend(chunks.into_iter().map(|chunk| chunk.file_id));
    }
    async fn resolve_chunks(&self, chunks: &[FileChunk]) -> Result<Vec<FileChunk>, FilerError> {
        self.inner.resolve_chunks(chunks).await
    }
    async fn write(&self, target: &WriteTarget, body: BytesIn<'_>) -> Result<Written, FilerError> {
        self.inner.write(target, body).await
    }
    async fn read(&self, entry: &Entry, from: u64, length: u64) -> Result<BytesOut, FilerError> {
        self.inner.read(entry, from, length).await
    }
    async fn delete_collection(&self, collection: &str) -> Result<(), FilerError> {
        self.inner.delete_collection(collection).await
    }
    async fn members(&self) -> Result<Vec<String>, FilerError> {
        self.inner.members().await
    }
    async fn put_through(&self, filer: &str, directory: &str, entry: Entry) -> Result<(), FilerError> {
        self.inner.put_through(filer, directory, entry).await
    }
    async fn lookup_through(&self, filer: &str, path: &str) -> Result<Option<Entry>, FilerError> {
        self.inner.lookup_through(filer, path).await
    }
    async fn subscribe(&self, filter: FeedFilter) -> Result<Vec<(String, Feed)>, FilerError> {
        self.inner.subscribe(filter).await
    }
}

/// A part whose data is one chunk.
fn part(number: u32, chunk: &str) -> Entry {
    let chunk = FileChunk { file_id: chunk.to_owned(), size: 5, ..FileChunk::default() };
    stamp().part(number, &Written { chunks: vec![chunk], bytes: 5, ..written(9) }, None)
}

/// An upload of `a` with one part, and the object that it becomes.
struct Begun {
    world: World,
    turns: Arc<Turns>,
    versioning: Versioning,
    upload: MultipartUpload,
    object: ObjectOfParts,
}

impl Begun {
    async fn new(versioning: Versioning) -> Self {
        let mut world = World::memory_with_bucket().await;
        let turns = Arc::new(Turns {
            inner: world.filer.clone(),
            freed: Mutex::default(),
            dies: AtomicBool::new(false),
            is_dead: AtomicBool::new(false),
        });
        world.filer = turns.clone();
        let (upload, object) = begin(&world, &writer(&world, versioning)).await;
        Self { world, turns, versioning, upload, object }
    }

    /// One of several requests at the same moment, and what it answers.
    async fn act(&self, act: Act) -> &'static str {
        let (writer, a) = (writer(&self.world, self.versioning), key("a"));
        match act {
            Act::Complete => outcome(&writer.complete(&a, &self.upload, self.object.clone(), Vec::new()).await),
            Act::CompleteIfAbsent => {
                let conditions = vec![Condition::NotExists];
                outcome(&writer.complete(&a, &self.upload, self.object.clone(), conditions).await)
            }
            Act::Abort => match writer.objects.abort(&a, &self.upload).await.unwrap() {
                AbortOutcome::Aborted => "aborted",
                AbortOutcome::NoSuchUpload => "no such upload",
                AbortOutcome::BeingCompleted => "being completed",
            },
            Act::Part => outcome(&writer.put_part(&a, &self.upload, part(2, LATE_DATA)).await),
            Act::Put => outcome(&writer.put(&a, entry_of(&a, 1), Vec::new()).await),
            Act::Delete => match writer.objects.current(&a).await.unwrap() {
                Some(seen) => writer.delete(&a, &seen).await.map_or("not deleted", |()| "deleted"),
                None => "none",
            },
        }
    }

    fn freed(&self) -> BTreeSet<String> {
        self.turns.freed.lock().unwrap().clone()
    }

    /// Lets the reservation run out.
    async fn expire(&self) {
        let (directory, name) = ("/buckets/b/.uploads".to_owned(), "id".to_owned());
        let set = [(RESERVED_UNTIL.to_owned(), b"1000".to_vec())].into();
        self.world.run(vec![Mutation::Patch { directory, name, set, remove: Vec::new(), content: None }]).await;
    }

    /// Aborts what is left, at last.
    async fn abort_in_the_end(&self) -> &'static str {
        self.turns.dies.store(false, Ordering::Relaxed);
        match self.act(Act::Abort).await {
            "being completed" => {
                self.expire().await;
                self.act(Act::Abort).await
            }
            done => done,
        }
    }

    /// Whether the upload has made an object. No object names what was freed.
    async fn has_made_a_whole_object(&self, case: &str) -> bool {
        let mut chunks = BTreeSet::new();
        for path in self.world.below("/buckets/b").await.iter().filter(|path| !path.starts_with(".uploads")) {
            let entry = self.world.filer.lookup(&format!("/buckets/b/{}", path.trim_end_matches('/'))).await.unwrap();
            chunks.extend(entry.unwrap().chunks.into_iter().map(|chunk| chunk.file_id));
        }
        let freed = self.freed();
        assert!(chunks.is_disjoint(&freed), "{case}: objects name {chunks:?}, freed are {freed:?}");
        chunks.contains(DATA)
    }

    async fn is_left(&self) -> bool {
        writer(&self.world, self.versioning).objects.upload(&key("a"), "id").await.unwrap().is_some()
    }
}

fn writer(world: &World, versioning: Versioning) -> Writer<'_> {
    world.writer_of_versions(versioning, 1_790_000_000_000_000_000)
}

async fn begin(world: &World, writer: &Writer<'_>) -> (MultipartUpload, ObjectOfParts) {
    let a = key("a");
    writer.begin_upload(&a, stamp().upload("id", &a, initiator(), Description::default(), None)).await.unwrap();
    let upload = writer.objects.upload(&a, "id").await.unwrap().unwrap();
    let chunk = if world.name == "memory" { part(1, DATA) } else { stamp().part(1, &written(9), None) };
    writer.put_part(&a, &upload, chunk).await.unwrap();
    let nine = etag(9);
    let listed = [ListedPart { number: 1, etag: &nine, checksum: None }];
    let parts = writer.objects.candidates(&upload, &listed).await.unwrap().choose().unwrap();
    let object = stamp().assembled(&a, &upload, assemble(&parts).unwrap(), None);
    (upload, object)
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Act {
    Complete,
    CompleteIfAbsent,
    Abort,
    Part,
    Put,
    Delete,
}

/// One of all orders: who goes on at each step, and of how many.
#[derive(Default)]
struct Order {
    choices: Vec<(usize, usize)>,
    at: usize,
}

impl Order {
    fn choose(&mut self, among: usize) -> usize {
        if self.at == self.choices.len() {
            self.choices.push((0, among));
        }
        self.at += 1;
        self.choices[self.at - 1].0
    }

    fn next(&mut self) -> bool {
        self.at = 0;
        while let Some((choice, among)) = self.choices.pop() {
            if choice + 1 < among {
                self.choices.push((choice + 1, among));
                return true;
            }
        }
        false
    }
}

type Running<'a> = Pin<Box<dyn Future<Output = &'static str> + 'a>>;

/// Carries requests out in one order. Who does not answer because the filer died has the answer "".
fn play(begun: &Begun, acts: &[Act], order: &mut Order) -> Vec<&'static str> {
    let mut running: Vec<(usize, Running<'_>)> = Vec::new();
    for (index, act) in acts.iter().enumerate() {
        running.push((index, Box::pin(begun.act(*act))));
    }
    let mut answers = vec![""; acts.len()];
    while !running.is_empty() {
        let chosen = order.choose(running.len());
        let (index, act) = &mut running[chosen];
        let has_died = || begun.turns.is_dead.swap(false, Ordering::Relaxed);
        match act.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(answer) => answers[*index] = answer,
            Poll::Pending if has_died() => begun.turns.dies.store(false, Ordering::Relaxed),
            Poll::Pending => continue,
        }
        drop(running.remove(chosen));
    }
    answers
}

#[tokio::test]
async fn requests_at_the_same_moment() {
    use Act::{Abort, Complete, CompleteIfAbsent, Delete, Part, Put};
    use Versioning::{Enabled, Off, Suspended};
    for (versioning, acts) in [
        (Off, &[Complete, Abort][..]),
        (Off, &[CompleteIfAbsent, Abort]),
        (Enabled, &[Complete, Abort]),
        (Enabled, &[CompleteIfAbsent, Abort]),
        (Suspended, &[Complete, Abort]),
        (Suspended, &[CompleteIfAbsent, Abort]),
        (Off, &[Abort, Abort, Complete]),
        (Off, &[Abort, Abort, CompleteIfAbsent]),
        (Off, &[Complete, CompleteIfAbsent, Abort]),
        (Off, &[CompleteIfAbsent, CompleteIfAbsent, Abort]),
        (Off, &[Part, Abort, Abort]),
        (Off, &[Part, CompleteIfAbsent, Abort]),
        (Off, &[Part, Complete]),
        (Enabled, &[Part, Complete]),
        (Suspended, &[Part, CompleteIfAbsent]),
        (Off, &[Put, CompleteIfAbsent, Abort]),
        (Off, &[Complete, CompleteIfAbsent, Delete]),
        (Off, &[CompleteIfAbsent, CompleteIfAbsent, Delete]),
    ] {
        let (mut order, mut orders) = (Order::default(), 0);
        loop {
            let begun = Begun::new(versioning).await;
            let answers = play(&begun, acts, &mut order);
            let case = format!("{versioning:?} {acts:?} {:?}: {answers:?}", order.choices);
            check(&begun, acts, &answers, &case).await;
            orders += 1;
            if !order.next() {
                break;
            }
        }
        assert!(orders > 5, "{versioning:?} {acts:?}: only {orders} orders");
    }
}

async fn check(begun: &Begun, acts: &[Act], answers: &[&str], case: &str) {
    let completes = |act: &Act| matches!(act, Act::Complete | Act::CompleteIfAbsent);
    let answered = acts.iter().zip(answers).filter(|(act, answer)| completes(act) && **answer == "ok").count();
    let aborted = answers.iter().filter(|answer| **answer == "aborted").count();
    assert!(answered + aborted <= 1, "{case}: two ends");
    let is_made = begun.has_made_a_whole_object(case).await;
    if acts.contains(&Act::Delete) {
        return;
    }
    let may_be_replaced = acts.contains(&Act::Put);
    assert!(answered == 1 || !is_made, "{case}: an object that no one was told of");
    assert!(answered == 0 || is_made || may_be_replaced, "{case}: no object");
    let is_left = begun.is_left().await;
    assert_eq!(is_left, answered + aborted == 0, "{case}");
    if is_left {
        assert_eq!(begun.act(Act::Abort).await, "aborted", "{case}: nothing reserves it any more");
    }
    let (freed, has_part) = (begun.freed(), acts.contains(&Act::Part));
    assert_eq!(freed.contains(DATA), !is_made && (answered == 0 || may_be_replaced), "{case}");
    assert!(!has_part || freed.contains(LATE_DATA), "{case}: {freed:?}");
}

/// A gateway may be killed between any two calls, and a filer between two steps of a transaction.
#[tokio::test]
async fn an_interrupted_completion() {
    for versioning in [Versioning::Off, Versioning::Enabled, Versioning::Suspended] {
        for act in [Act::Complete, Act::CompleteIfAbsent] {
            for calls in 0..20 {
                let begun = Begun::new(versioning).await;
                let mut completion = Box::pin(begun.act(act));
                let mut poll = || completion.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready();
                let is_done = (0..calls).any(|_| poll());
                drop(completion);
                let case = format!("{versioning:?} {act:?}, {calls} calls");
                let want = if is_done { "no such upload" } else { "aborted" };
                assert_eq!(begun.abort_in_the_end().await, want, "{case}");
                assert_eq!(begun.has_made_a_whole_object(&case).await, is_done, "{case}");
                assert!(!begun.is_left().await, "{case}");
            }
            let (mut order, mut deaths) = (Order::default(), 0);
            loop {
                let begun = Begun::new(versioning).await;
                begun.turns.dies.store(true, Ordering::Relaxed);
                let answers = play(&begun, &[act, Act::Abort], &mut order);
                let case = format!("{versioning:?} {act:?} {:?}: {answers:?}", order.choices);
                begun.abort_in_the_end().await;
                let is_made = begun.has_made_a_whole_object(&case).await;
                assert_eq!(is_made, answers[1] != "aborted", "{case}");
                assert!(!begun.is_left().await, "{case}");
                deaths += usize::from(answers[0].is_empty());
                if !order.next() {
                    break;
                }
            }
            assert!(deaths > 0, "{versioning:?} {act:?}");
        }
    }
}

/// The second transaction of a conditional completion is late, because its filer was frozen. By then the reservation has run out.
#[tokio::test]
async fn a_late_completion_has_its_data() {
    let begun = Begun::new(Versioning::Off).await;
    let mut completion = Box::pin(begun.act(Act::CompleteIfAbsent));
    let mut poll = || completion.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(poll().is_pending() && poll().is_pending());
    assert_eq!(begun.act(Act::Abort).await, "being completed");
    assert_eq!(begun.act(Act::Complete).await, "precondition");
    begun.expire().await;
    assert_eq!(begun.act(Act::Abort).await, "aborted");
    assert_eq!(begun.freed(), BTreeSet::new());
    assert_eq!(poll(), Poll::Ready("ok"));
    assert!(begun.has_made_a_whole_object("late").await);
}

#[tokio::test]
async fn an_aborted_upload_is_not_completed() {
    for conditions in [vec![], vec![Condition::NotExists]] {
        for world in World::both_with_bucket().await {
            let (writer, a, case) = (world.writer(), key("a"), format!("{}: {conditions:?}", world.name));
            let (upload, object) = begin(&world, &writer).await;
            assert_eq!(writer.objects.abort(&a, &upload).await.unwrap(), AbortOutcome::Aborted, "{case}");
            let late = writer.complete(&a, &upload, object, conditions.clone()).await;
            assert_eq!(outcome(&late), "precondition", "{case}");
            assert_eq!(writer.objects.current(&a).await.unwrap(), None, "{case}");
        }
    }
}

/// Nothing that an upload says of its end comes to the object.
#[test]
fn the_object_does_not_get_the_reservations_of_its_upload() {
    let mut begun = stamp().upload("id", &key("a"), initiator(), Description::default(), None);
    begun.extended.insert(RESERVED_UNTIL.to_owned(), b"1000".to_vec());
    let upload = MultipartUpload::new("/u", begun).unwrap();
    let entry = stamp().assembled(&key("a"), &upload, assemble(&[part(1, DATA)]).unwrap(), None).entry;
    let ours: Vec<_> = entry.extended.keys().filter(|name| name.starts_with("x-seaweedfs-kelpgate-")).collect();
    assert_eq!(ours, [INITIATOR_ID]);
}
