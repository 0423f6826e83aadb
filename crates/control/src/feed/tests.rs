use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use async_trait::async_trait;
use filer::{
    Attributes, BytesIn, BytesOut, EmbeddedFiler, Feed, FeedFilter, FileChunk, FilerConfiguration, ListOptions,
    Mutation, Transaction, WriteTarget,
};
use iam_formats::{DocumentStore, IamConfig, identities};
use store::Layout;

use super::*;

/// A filer whose feeds end cleanly on request, and that refuses new feeds while it is down.
pub(crate) struct Severable {
    inner: Arc<dyn Filer>,
    cut: channel::Sender<u64>,
    down: AtomicBool,
    /// The path whose lookup gets no answer, and the signal that it was asked for.
    unanswered: std::sync::Mutex<String>,
    asked: Notify,
    /// By how many seconds the filer's clock is behind.
    pub(crate) behind_s: AtomicI64,
    /// How long a listing takes, in milliseconds.
    pub(crate) listing_ms: AtomicU64,
    /// Feeds that are open deliver nothing more from the moment at which this increases.
    pub(crate) deafened: channel::Sender<u64>,
}

impl Severable {
    pub(crate) fn new(inner: Arc<dyn Filer>) -> Arc<Self> {
        let (cut, down) = (channel::Sender::new(0), AtomicBool::new(false));
        Arc::new(Self {
            inner,
            cut,
            down,
            unanswered: Default::default(),
            asked: Notify::new(),
            behind_s: AtomicI64::default(),
            listing_ms: AtomicU64::default(),
            deafened: channel::Sender::new(0),
        })
    }

    /// Ends all feeds.
    pub(crate) fn sever(&self, stay_down: bool) {
        self.down.store(stay_down, Ordering::SeqCst);
        self.cut.send_modify(|cut| *cut += 1);
    }
}

#[async_trait]
impl Filer for Severable {
    async fn configuration(&self) -> Result<FilerConfiguration, FilerError> {
        self.inner.configuration().await
    }
    async fn lookup(&self, path: &str) -> Result<Option<Entry>, FilerError> {
        self.inner.lookup(path).await
    }
    async fn list(&self, directory: &str, options: ListOptions) -> Result<Vec<Entry>, FilerError> {
        let listed = self.inner.list(directory, options).await;
        if directory == "/etc/iam/identities" {
            tokio::time::sleep(Duration::from_millis(self.listing_ms.load(Ordering::SeqCst))).await;
        }
        listed
    }
    async fn transact(&self, transaction: Transaction) -> Result<(), FilerError> {
        self.inner.transact(transaction).await
    }
    async fn write(&self, target: &WriteTarget, body: BytesIn<'_>) -> Result<filer::Written, FilerError> {
        self.inner.write(target, body).await
    }
    async fn read(&self, entry: &Entry, from: u64, length: u64) -> Result<BytesOut, FilerError> {
        self.inner.read(entry, from, length).await
    }
    async fn resolve_chunks(&self, chunks: &[FileChunk]) -> Result<Vec<FileChunk>, FilerError> {
        self.inner.resolve_chunks(chunks).await
    }
    async fn delete_chunks(&self, chunks: Vec<FileChunk>) {
        self.inner.delete_chunks(chunks).await;
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
        if *self.unanswered.lock().unwrap() == path {
            self.asked.notify_one();
            std::future::pending::<()>().await;
        }
        self.inner.lookup_through(filer, path).await
    }
    async fn subscribe(&self, filter: FeedFilter) -> Result<Vec<(String, Feed)>, FilerError> {
        if self.down.load(Ordering::SeqCst) {
            return Err(FilerError::Unavailable("severed".into()));
        }
        let feeds = self.inner.subscribe(filter).await?;
        let behind_ns = self.behind_s.load(Ordering::SeqCst) * 1_000_000_000;
        let until_cut = |(label, feed): (String, Feed)| -> (String, Feed) {
            let (mut cut, mut deafened) = (self.cut.subscribe(), self.deafened.subscribe());
            let feed = feed.take_until(async move { deafened.changed().await.ok() }.boxed());
            let feed = feed.chain(stream::pending());
            let feed = feed.map(move |item| match item {
                Ok(FeedItem::Change(change)) => {
                    Ok(FeedItem::Change(filer::Change { ts_ns: change.ts_ns - behind_ns, ..change }))
                }
                item => item,
            });
            (label, Box::pin(feed.take_until(async move { cut.changed().await.ok() }.boxed())))
        };
        Ok(feeds.into_iter().map(until_cut).collect())
    }
}

pub(crate) struct World {
    pub(crate) filer: Arc<Severable>,
    _directory: tempfile::TempDir,
}

pub(crate) fn config() -> IamConfig {
    IamConfig {
        policy_store: DocumentStore::Filer { base_path: "/seaweedfs/iam/policies".into() },
        role_store: DocumentStore::Filer { base_path: "/seaweedfs/iam/roles".into() },
        ..IamConfig::default()
    }
}

/// The settings of one of several gateways.
pub(crate) fn one_of_several(boot_id: &str) -> FenceConfig {
    let began = std::time::Instant::now();
    FenceConfig {
        cluster: "c".into(),
        gateway: format!("{boot_id}:8333"),
        boot_id: boot_id.into(),
        lease: Duration::from_secs(3),
        renewal: Duration::from_millis(500),
        serves_expired: false,
        about: BTreeMap::new(),
        clock: Arc::new(move || ::fence::Moment(u64::try_from(began.elapsed().as_nanos()).unwrap())),
    }
}

const SOON: Duration = Duration::from_secs(10);

impl World {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let filer = Severable::new(Arc::new(EmbeddedFiler::open(directory.path()).unwrap()));
        Self { filer, _directory: directory }
    }

    pub(crate) fn store(&self) -> FilerStore {
        FilerStore::new(self.filer.clone(), Layout::new(&config(), "/buckets"))
    }

    /// The running follower of one gateway.
    pub(crate) async fn follow(&self, identities: &str) -> Arc<Follower> {
        self.follow_as(identities, |follower| follower).await
    }

    /// The same for one of several gateways.
    pub(crate) async fn follow_as(&self, identities: &str, one_of: impl FnOnce(Follower) -> Follower) -> Arc<Follower> {
        let identities = identities::parse(identities, &|_| None).unwrap();
        let follower = Follower::new(self.filer.clone(), self.store(), &config(), &identities);
        let follower = Arc::new(one_of(follower));
        assert!(follower.current().is_none(), "nothing is served before everything is loaded");
        let running = follower.clone();
        tokio::spawn(async move { running.run().await });
        tokio::time::timeout(SOON, follower.loaded()).await.unwrap();
        follower
    }

    pub(crate) async fn put(&self, path: &str, text: &str) {
        let (directory, name) = path.rsplit_once('/').unwrap();
        let attributes = Attributes { file_size: text.len() as u64, mtime: 1, ..Attributes::default() };
        let content = text.as_bytes().to_vec();
        let entry = Entry { name: name.into(), attributes: Some(attributes), content, ..Entry::default() };
        self.mutate(path, Mutation::Put { directory: directory.into(), entry: Box::new(entry) }).await;
    }

    async fn bucket(&self, name: &str, pairs: &[(&str, &str)]) {
        let extended: BTreeMap<_, _> =
            pairs.iter().map(|(key, value)| ((*key).to_owned(), value.as_bytes().to_vec())).collect();
        let attributes = Some(Attributes { crtime: 7, ..Attributes::default() });
        let entry = Entry { name: name.into(), is_directory: true, attributes, extended, ..Entry::default() };
        self.mutate(
            &format!("/buckets/{name}"),
            Mutation::Put { directory: "/buckets".into(), entry: Box::new(entry) },
        )
        .await;
    }

    async fn delete(&self, path: &str) {
        let (directory, name) = path.rsplit_once('/').unwrap();
        let (directory, name) = (directory.into(), name.into());
        self.mutate(path, Mutation::Delete { directory, name, delete_data: true, recursive: true }).await;
    }

    async fn mutate(&self, path: &str, mutation: Mutation) {
        let transaction = Transaction { lock_key: path.into(), mutations: vec![mutation], ..Transaction::default() };
        self.filer.transact(transaction).await.unwrap();
    }
}

const GET: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b1x/*"}]}"#;

#[tokio::test]
async fn changes_by_hand_take_effect_without_a_restart() {
    let world = World::new();
    world.put("/etc/iam/identities/al.json", r#"{"name":"al","policy_names":["P"]}"#).await;
    world.bucket("b1x", &[("Seaweed-X-Amz-Owner", "al")]).await;
    let follower = world.follow("{}").await;
    let now = follower.current().unwrap();
    assert_eq!((now.counts().users, now.counts().buckets), (1, 1));
    assert!(now.user("al").unwrap().policies[0].unreadable_reason().is_some());

    world
        .put(
            "/etc/iam/policies/P.json",
            r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}"#,
        )
        .await;
    let readable = |state: &Snapshot| state.user("al").unwrap().policies[0].unreadable_reason().is_none();
    assert!(follower.wait_until(readable, SOON).await);

    world.bucket("b1x", &[("s3-bucket-policy", GET)]).await;
    assert!(follower.wait_until(|state| state.bucket("b1x").unwrap().policy.is_some(), SOON).await);
    world.bucket("b2x", &[]).await;
    assert!(follower.wait_until(|state| state.bucket("b2x").is_some(), SOON).await);
    world.delete("/buckets/b2x").await;
    assert!(follower.wait_until(|state| state.bucket("b2x").is_none(), SOON).await);

    world
        .put(
            "/seaweedfs/iam/roles/R.json",
            r#"{"roleName":"R","trustPolicy":{"Version":"2012-10-17","Statement":[]},"attachedPolicies":["P"]}"#,
        )
        .await;
    assert!(follower.wait_until(|state| state.role("R").is_some(), SOON).await);
    world.put("/seaweedfs/iam/inline/users/al/I.json", "{").await;
    assert!(follower.wait_until(|state| state.user("al").unwrap().policies.len() == 2, SOON).await);
    world.put("/etc/iam/groups/g.json", r#"{"name":"g","members":["al"],"policy_names":["P"]}"#).await;
    assert!(follower.wait_until(|state| state.user("al").unwrap().policies.len() == 3, SOON).await);

    // Whole directories at once.
    world.delete("/etc/iam").await;
    assert!(follower.wait_until(|state| state.counts().users + state.counts().groups == 0, SOON).await);
    assert!(follower.metrics().events.get() >= 8);
    assert!(follower.metrics().lag_seconds.get() < 10.0);
}

#[tokio::test]
async fn changes_missed_after_the_clean_end_of_a_stream_are_found() {
    let world = World::new();
    world.put("/etc/iam/identities/al.json", r#"{"name":"al"}"#).await;
    world.put("/etc/iam/identities/bo.json", r#"{"name":"bo"}"#).await;
    let follower = world.follow("{}").await;
    let reloads = follower.metrics().reloads.get();
    world.filer.sever(true);
    world.put("/etc/iam/identities/al.json", r#"{"name":"al","disabled":true}"#).await;
    world.delete("/etc/iam/identities/bo.json").await;
    world.put("/etc/iam/identities/cy.json", r#"{"name":"cy"}"#).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let old = follower.current().unwrap();
    assert!(!old.user("al").unwrap().disabled, "the last Snapshot is used in the meantime");
    world.filer.sever(false);
    let caught_up = |state: &Snapshot| {
        state.user("al").unwrap().disabled && state.user("bo").is_none() && state.user("cy").is_some()
    };
    assert!(follower.wait_until(caught_up, SOON).await);
    assert!(follower.metrics().reloads.get() > reloads);
    // And the new stream is followed.
    world.delete("/etc/iam/identities/cy.json").await;
    assert!(follower.wait_until(|state| state.user("cy").is_none(), SOON).await);
}

#[tokio::test]
async fn a_batch_that_is_interrupted_loses_nothing() {
    let world = World::new();
    let follower = world.follow_as("{}", |follower| follower.fenced(one_of_several("one"))).await;
    "/etc/iam/identities/bo.json".clone_into(&mut world.filer.unanswered.lock().unwrap());
    let user = |name: &str| {
        let content = format!(r#"{{"name":"{name}"}}"#).into_bytes();
        let attributes = Attributes { file_size: content.len() as u64, mtime: 1, ..Attributes::default() };
        let entry = Entry { name: format!("{name}.json"), content, attributes: Some(attributes), ..Entry::default() };
        Mutation::Put { directory: "/etc/iam/identities".into(), entry: Box::new(entry) }
    };
    let mutations = vec![user("al"), user("bo")];
    let both = Transaction { lock_key: "/etc/iam/identities".into(), mutations, ..Transaction::default() };
    world.filer.transact(both).await.unwrap();
    tokio::time::timeout(SOON, world.filer.asked.notified()).await.unwrap();
    assert!(follower.current().unwrap().user("al").is_none(), "the batch is not applied yet");

    // A client waits for a listing.
    tokio::time::sleep(SILENCE_EVERY).await;
    follower.list_wanted.notify_one();
    let has_both = |state: &Snapshot| state.user("al").is_some() && state.user("bo").is_some();
    assert!(follower.wait_until(has_both, SOON).await);
}

#[tokio::test]
async fn a_gateway_that_has_not_loaded_serves_nothing() {
    let world = World::new();
    world.filer.down.store(true, Ordering::SeqCst);
    let follower = Arc::new(Follower::new(
        world.filer.clone(),
        world.store(),
        &config(),
        &identities::parse(r#"{"identities":[{"name":"root","actions":["Admin"]}]}"#, &|_| None).unwrap(),
    ));
    let running = follower.clone();
    tokio::spawn(async move { running.run().await });
    assert!(!follower.wait_until(|_| true, Duration::from_millis(300)).await);
    follower.apply_local(Vec::new()).await;
    assert!(follower.current().is_none());
    world.filer.sever(false);
    tokio::time::timeout(SOON, follower.loaded()).await.unwrap();
    assert!(follower.current().unwrap().user("root").unwrap().is_root);
}

#[tokio::test]
async fn a_writer_sees_its_write_applied() {
    let world = World::new();
    let follower = world.follow("{}").await;
    for round in 0..50 {
        let watch = follower.watch();
        let policy = GET.replace("GetObject", if round % 2 == 0 { "PutObject" } else { "GetObject" });
        world.bucket("b1x", &[("s3-bucket-policy", &policy)]).await;
        let is_written = |entry: Option<&Entry>| {
            entry.is_some_and(|entry| entry.extended_text("s3-bucket-policy") == Some(policy.as_str()))
        };
        assert!(watch.applied_at("/buckets/b1x", is_written, SOON).await);
        assert_eq!(&*follower.current().unwrap().bucket("b1x").unwrap().policy.as_ref().unwrap().text, policy);
    }
    let watch = follower.watch();
    assert!(!watch.applied_at("/buckets/never", |_| true, Duration::from_millis(50)).await);
    // A listing that began after the write includes it too.
    let (found, ()) = tokio::join!(watch.applied_at("/buckets/never", |_| true, SOON), async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        world.filer.sever(false);
    });
    assert!(found);
}

#[tokio::test]
async fn a_stream_that_delivers_nothing_more_is_replaced() {
    let world = World::new();
    let follower = world.follow_as("{}", |follower| follower.fenced(one_of_several("one"))).await;
    let lease = follower.lease();
    let runs = async |wanted: bool| {
        while lease.runs() != wanted {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(SOON, runs(true)).await.unwrap();
    let reconnects = follower.metrics().reconnects.get();
    world.filer.deafened.send_modify(|times| *times += 1);
    // The filer stores what is written, so the stream is to blame. Nothing else tells.
    let is_replaced = async {
        while follower.metrics().reconnects.get() == reconnects {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(SOON, is_replaced).await.unwrap();
    tokio::time::timeout(SOON, runs(true)).await.unwrap();
    world.put("/etc/iam/identities/al.json", r#"{"name":"al"}"#).await;
    assert!(follower.wait_until(|state| state.user("al").is_some(), SOON).await);
}
