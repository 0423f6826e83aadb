//! A gateway over an embedded filer in a directory of its own, and a client that signs nothing.

#![allow(dead_code, reason = "each test program uses its own part")]

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use async_trait::async_trait;
use bytes::Bytes;
use filer::{Attributes, EmbeddedFiler, Entry, FeedFilter, FeedItem, Filer, Mutation, Transaction};
use futures_util::StreamExt;
use gateway::{Gateway, Metrics, QueryApi, QueryCall, ResponseBody, Settings, StatusPages, UploadLimits, accept};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use iam::{Bucket, Change, Identities, LIFE, Snapshot};

/// A gateway that anybody may read and write through.
pub struct World {
    pub filer: Arc<dyn Filer>,
    pub address: String,
    client: Client<HttpConnector, Full<Bytes>>,
    _directory: Option<tempfile::TempDir>,
}

/// An answer, read to its end.
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Reply {
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The text of the first element of this name.
    pub fn element(&self, name: &str) -> String {
        let elements = self.elements(name);
        elements.into_iter().next().unwrap_or_default()
    }

    /// The texts of all elements of this name.
    pub fn elements(&self, name: &str) -> Vec<String> {
        let (open, close) = (format!("<{name}>"), format!("</{name}>"));
        let text = |piece: &str| piece.split(&close).next().unwrap().replace("&quot;", "\"");
        self.text().split(&open).skip(1).map(text).collect()
    }

    /// Status and error code, such as `404 NoSuchKey`; `200 ` without an error.
    pub fn outcome(&self) -> String {
        let is_error = self.text_if_any().contains("<Error><Code>");
        format!("{} {}", self.status.as_u16(), if is_error { self.element("Code") } else { String::new() })
    }

    fn text_if_any(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap_or("")
    }
}

struct NoQueries;

#[async_trait]
impl QueryApi for NoQueries {
    async fn answer(&self, _: QueryCall) -> Response<ResponseBody> {
        Response::new(ResponseBody::Empty)
    }

    fn refuse(&self, _: &str, _: &str, _: StatusCode, _: &str, _: &str) -> Bytes {
        Bytes::new()
    }
}

/// A fence behind which these gateways stay when something changes.
#[derive(Clone, Default)]
struct Behind(Vec<String>);

#[async_trait]
impl gateway::Fence for Behind {
    fn may_decide(&self) -> bool {
        true
    }
    fn revision(&self) -> Arc<String> {
        Arc::default()
    }
    async fn reach(&self, _floor: &str) -> Result<(), gateway::Floor> {
        Ok(())
    }
    fn before_change(&self) -> Box<dyn gateway::Enforcement> {
        Box::new(self.clone())
    }
}

#[async_trait]
impl gateway::Enforcement for Behind {
    async fn everywhere(&self) -> Result<(), Vec<String>> {
        if self.0.is_empty() { Ok(()) } else { Err(self.0.clone()) }
    }
}

impl StatusPages for NoQueries {
    fn status(&self, _addresses: bool) -> String {
        "{}".to_owned()
    }

    fn is_ready(&self) -> bool {
        true
    }
}

const IDENTITIES: &str =
    r#"{"identities":[{"name":"anonymous","actions":["Admin","Read","Write","List","Tagging","ReadAcp","WriteAcp"]}]}"#;

/// The entry of a bucket.
fn bucket(name: &str, extended: &[(&str, &str)]) -> Entry {
    let life = (LIFE.to_owned(), format!("life-of-{name}").into_bytes());
    let given = extended.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()));
    let attributes = Attributes { file_mode: 0o20_000_000_777, ..Attributes::default() };
    Entry {
        name: name.to_owned(),
        is_directory: true,
        attributes: Some(attributes),
        extended: given.chain([life]).collect(),
        ..Entry::default()
    }
}

fn of_bucket(entry: &Entry) -> Change {
    let bucket = Bucket::read(&entry.name, &entry.extended, &entry.content, entry.attributes().crtime, 0, None);
    Change::Bucket(entry.name.as_str().into(), Some(Arc::new(bucket)))
}

/// Follows what becomes of the buckets, as the control plane does.
async fn follow(filer: &dyn Filer, snapshot: gateway::SharedSnapshot) {
    let filter = FeedFilter { directories: vec!["/buckets".to_owned()], ..FeedFilter::default() };
    let (_, mut feed) = filer.subscribe(filter).await.unwrap().pop().unwrap();
    tokio::spawn(async move {
        while let Some(Ok(item)) = feed.next().await {
            let FeedItem::Change(change) = item else { continue };
            let change = match (&change.new, &change.old) {
                (Some(new), _) => of_bucket(new),
                (None, Some(old)) => Change::Bucket(old.name.as_str().into(), None),
                (None, None) => continue,
            };
            let next = snapshot.load_full().unwrap().apply([change]);
            snapshot.store(Some(Arc::new(next)));
        }
    });
}

fn settings() -> Settings {
    Settings {
        addressing: access::Addressing::default(),
        region: "us-east-1".to_owned(),
        allowed_origins: Vec::new(),
        allow_delete_bucket_not_empty: false,
        auto_create_bucket: false,
        object_mode: 0o660,
        uid: 7,
        gid: 8,
        body_patience: Duration::from_secs(10),
        max_body_bytes: 5 << 30,
        metrics_apart: false,
    }
}

impl World {
    /// Buckets: `plain` and `other` (owned by `alice`), `versioned`, `suspended`, `locked`.
    pub async fn start() -> World {
        let directory = tempfile::tempdir().unwrap();
        let filer = EmbeddedFiler::open(directory.path()).unwrap();
        World { _directory: Some(directory), ..World::over(Arc::new(filer)).await }
    }

    /// The same over another filer.
    pub async fn over(filer: Arc<dyn Filer>) -> World {
        World::of(filer, Arc::new(Behind::default())).await
    }

    /// The same where another gateway does not hear of changes.
    pub async fn beside_a_deaf_gateway() -> World {
        let directory = tempfile::tempdir().unwrap();
        let filer = EmbeddedFiler::open(directory.path()).unwrap();
        World {
            _directory: Some(directory),
            ..World::of(Arc::new(filer), Arc::new(Behind(vec!["other:8333".to_owned()]))).await
        }
    }

    /// A gateway where everybody may read, and nothing else.
    pub async fn read_only() -> World {
        let directory = tempfile::tempdir().unwrap();
        let filer = EmbeddedFiler::open(directory.path()).unwrap();
        let identities = r#"{"identities":[{"name":"anonymous","actions":["Read","List"]}]}"#;
        let world = World::with(Arc::new(filer), Arc::new(Behind::default()), identities).await;
        World { _directory: Some(directory), ..world }
    }

    /// The same, and the gateway follows what becomes of the buckets.
    pub async fn following(filer: Arc<dyn Filer>, auto_create_bucket: bool) -> World {
        let settings = Settings { auto_create_bucket, ..settings() };
        World::built(filer, Arc::new(Behind::default()), IDENTITIES, settings, true).await
    }

    async fn of(filer: Arc<dyn Filer>, fence: Arc<dyn gateway::Fence>) -> World {
        World::with(filer, fence, IDENTITIES).await
    }

    async fn with(filer: Arc<dyn Filer>, fence: Arc<dyn gateway::Fence>, identities: &str) -> World {
        World::built(filer, fence, identities, settings(), false).await
    }

    async fn built(
        filer: Arc<dyn Filer>,
        fence: Arc<dyn gateway::Fence>,
        identities: &str,
        settings: Settings,
        follows: bool,
    ) -> World {
        let identities = Identities::parse(identities, &|_| None).unwrap();
        let buckets = [
            bucket("plain", &[(iam::OWNER, "alice")]),
            bucket("other", &[(iam::OWNER, "alice")]),
            bucket("versioned", &[(iam::VERSIONING, "Enabled")]),
            bucket("suspended", &[(iam::VERSIONING, "Suspended")]),
            bucket("locked", &[(iam::OBJECT_LOCK, "Enabled")]),
        ];
        let snapshot = Snapshot::new(iam::Settings::default(), &identities).apply(buckets.iter().map(of_bucket));
        let snapshot = Arc::new(ArcSwapOption::from_pointee(snapshot));
        let put = |entry| Mutation::Put { directory: "/buckets".to_owned(), entry: Box::new(entry) };
        let mutations = buckets.map(put).into();
        filer
            .transact(Transaction { lock_key: "/buckets".to_owned(), mutations, ..Transaction::default() })
            .await
            .unwrap();
        if follows {
            follow(&*filer, Arc::clone(&snapshot)).await;
        }
        let gateway = Gateway {
            settings,
            filer_configuration: filer.configuration().await.unwrap(),
            filer: Arc::clone(&filer),
            snapshot,
            door: access::Door::new(String::new(), false, None),
            fence,
            query_api: Arc::new(NoQueries),
            status: Arc::new(NoQueries),
            metrics: Arc::new(Metrics::default()),
            upload_limits: UploadLimits::default(),
            signature_limit: gateway::SignatureLimit::default(),
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let limits = accept::Limits {
            idle: Duration::from_secs(10),
            connections: accept::CONNECTIONS_MAX,
            drain: Duration::from_secs(1),
        };
        tokio::spawn(accept::serve(listener, None, Arc::new(gateway), limits, std::future::pending()));
        let client = Client::builder(TokioExecutor::new()).build_http();
        World { filer, address, client, _directory: None }
    }

    /// Sends these bytes and nothing more, and reads the head of the answer and what comes with it.
    pub async fn send_raw(&self, bytes: &[u8]) -> String {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let mut connection = tokio::net::TcpStream::connect(&self.address).await.unwrap();
        connection.write_all(bytes).await.unwrap();
        let mut answer = vec![0; 4096];
        let read = connection.read(&mut answer).await.unwrap();
        String::from_utf8_lossy(&answer[..read]).into_owned()
    }

    /// Sends a request: `PUT /plain/a`.
    pub async fn send(&self, line: &str, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Reply {
        let (method, path) = line.split_once(' ').unwrap();
        let mut request =
            Request::builder().method(method.parse::<Method>().unwrap()).uri(format!("http://{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.client.request(request.body(Full::new(body.into())).unwrap()).await.unwrap();
        let (head, body) = response.into_parts();
        Reply { status: head.status, headers: head.headers, body: body.collect().await.unwrap().to_bytes() }
    }

    /// The same without headers and body.
    pub async fn ask(&self, line: &str) -> Reply {
        self.send(line, &[], "").await
    }

    /// Stores an object and expects it to work.
    pub async fn put(&self, path: &str, body: impl Into<Bytes>) -> Reply {
        let reply = self.send(&format!("PUT {path}"), &[], body).await;
        assert_eq!(reply.outcome(), "200 ", "PUT {path}: {}", reply.text());
        reply
    }

    /// The entry at a path below the buckets.
    pub async fn entry(&self, path: &str) -> Option<Entry> {
        self.filer.lookup(&format!("/buckets/{path}")).await.unwrap()
    }

    /// Sets attributes of an entry behind the gateway's back.
    pub async fn patch(&self, directory: &str, name: &str, set: &[(&str, &str)]) {
        self.patch_at(format!("/buckets/{directory}"), name, set).await;
    }

    /// The same for a bucket.
    pub async fn patch_bucket(&self, name: &str, set: &[(&str, &str)]) {
        self.patch_at("/buckets".to_owned(), name, set).await;
    }

    async fn patch_at(&self, directory: String, name: &str, set: &[(&str, &str)]) {
        let set = set.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect();
        let name = name.to_owned();
        let mutations = vec![Mutation::Patch { directory, name, set, remove: Vec::new(), content: None }];
        let transaction = Transaction { lock_key: "/".to_owned(), mutations, ..Transaction::default() };
        self.filer.transact(transaction).await.unwrap();
    }

    /// The keys of a bucket.
    pub async fn keys(&self, bucket: &str) -> Vec<String> {
        self.ask(&format!("GET /{bucket}?list-type=2")).await.elements("Key")
    }
}
