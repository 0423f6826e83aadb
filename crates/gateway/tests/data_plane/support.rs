//! A gateway on an embedded filer in its own directory, and clients that sign nothing or as one of its users.

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use access::{AuditRecord, AuditedRequest};
use arc_swap::{ArcSwap, ArcSwapOption};
use async_trait::async_trait;
use bucket::attributes::{self, LIFE};
use bytes::Bytes;
use filer::seaweedfs::{FilerAddress, Options, SeaweedFiler, Security};
use filer::{Attributes, EmbeddedFiler, Entry, FeedFilter, FeedItem, Filer, Mutation, Transaction};
use futures_util::StreamExt;
use gateway::{
    Auditor, Gateway, Metrics, QueryApi, QueryCall, QueryService, RecordWritten, ResponseBody, Settings, StatusDetail,
    StatusPages, UploadLimits, accept,
};
use http::request::Parts;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use iam::{Change, Snapshot};
use iam_formats::identities;
use ids::AccountId;
use sigv4::{ChunkSigner, PayloadHash};
use testkit::signing::Client as Signer;
use testkit::weed::{ClusterOptions, WeedCluster};

/// A gateway through which anyone may read and write.
pub struct World {
    pub filer: Arc<dyn Filer>,
    pub address: String,
    pub gateway: Arc<Gateway>,
    pub auditor: Arc<Keeper>,
    client: Client<HttpConnector, Full<Bytes>>,
    _directory: Option<tempfile::TempDir>,
}

/// Keeps all audit records, or cannot.
#[derive(Default)]
pub struct Keeper {
    records: Mutex<Vec<AuditRecord<'static>>>,
    pub is_full: AtomicBool,
    pub loses: AtomicBool,
}

impl Keeper {
    /// The records since the last call.
    pub fn records(&self) -> Vec<AuditRecord<'static>> {
        std::mem::take(&mut self.records.lock().unwrap())
    }
}

impl Auditor for Keeper {
    fn takes_all(&self) -> bool {
        true
    }

    fn ready(&self) -> Result<(), String> {
        if self.is_full.load(Ordering::Relaxed) { Err("the audit log is full".to_owned()) } else { Ok(()) }
    }

    fn take(&self, record: &AuditRecord) -> Option<RecordWritten> {
        self.records.lock().unwrap().push(owned(record));
        let loses = self.loses.load(Ordering::Relaxed);
        Some(Box::pin(async move { if loses { Err("its audit record is lost".to_owned()) } else { Ok(()) } }))
    }

    fn recall(&self, request_id: &str, reader: Option<AccountId>) -> Option<String> {
        Some(format!("{request_id} for {}", reader.map_or("the operator".to_owned(), |account| account.to_string())))
    }
}

/// A record with a copy of what it borrows.
fn owned(record: &AuditRecord) -> AuditRecord<'static> {
    let own = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
    let record = record.clone();
    let request = AuditedRequest {
        path: own(record.request.path),
        host: own(record.request.host),
        user_agent: own(record.request.user_agent),
        referer: own(record.request.referer),
        ..record.request
    };
    AuditRecord { request, ..record }
}

/// A complete answer.
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

    /// The text of the first element with this name.
    pub fn element(&self, name: &str) -> String {
        let elements = self.elements(name);
        elements.into_iter().next().unwrap_or_default()
    }

    /// The texts of all elements with this name.
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

    /// The text of the body; empty if it is none.
    pub fn text_if_any(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap_or("")
    }
}

/// User, request line, headers, body and outcome.
pub type Row<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], &'a str, &'a str);

/// The client of a user.
pub fn signer(user: &str) -> Signer {
    let key = format!("AK{}", user.to_uppercase());
    Signer::new(&key, &format!("{key} secret"), jiff::Timestamp::now())
}

/// A presigned request of `admin` whose body is held back. It is permitted by then.
pub struct HeldBack(tokio::net::TcpStream);

impl HeldBack {
    pub async fn begin(world: &World, line: &str, body_bytes: usize) -> HeldBack {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let mut stream = tokio::net::TcpStream::connect(&world.address).await.unwrap();
        let Parts { method, uri, .. } = signer("admin").presign(world.head(line, &[]), 60);
        let headers = format!("Content-Length: {body_bytes}\r\nExpect: 100-continue\r\nConnection: close");
        let head = format!("{method} {uri} HTTP/1.1\r\nHost: {}\r\n{headers}\r\n\r\n", world.address);
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = vec![0; 25];
        stream.read_exact(&mut answer).await.unwrap();
        assert!(answer.starts_with(b"HTTP/1.1 100"), "{line}: {}", String::from_utf8_lossy(&answer));
        HeldBack(stream)
    }

    /// Sends the body. Returns the answer.
    pub async fn go_on(mut self, body: &[u8]) -> String {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        self.0.write_all(body).await.unwrap();
        let mut answer = String::new();
        self.0.read_to_string(&mut answer).await.unwrap();
        answer
    }
}

/// A real SeaweedFS cluster and its filer. It ends with the first value.
pub async fn seaweedfs() -> (WeedCluster, Arc<SeaweedFiler>) {
    let started = tokio::task::spawn_blocking(|| WeedCluster::start(ClusterOptions::default())).await.unwrap();
    let cluster = started.unwrap_or_else(|error| panic!("{error}"));
    let security = Security::load(Some(cluster.directory()), &|_| None).unwrap();
    let options = Options::new(FilerAddress::parse_list(&cluster.filers()).unwrap(), security);
    (cluster, Arc::new(SeaweedFiler::connect(options)))
}

/// Claims of a table, so that all rows that fail are shown.
#[derive(Default)]
pub struct Claims(Vec<String>);

impl Claims {
    pub fn claim<T: PartialEq<U> + std::fmt::Debug, U: std::fmt::Debug>(&mut self, row: &str, got: T, want: U) {
        if got != want {
            self.0.push(format!("{row}\n   got {got:?}\n  want {want:?}"));
        }
    }

    pub fn end(self) {
        assert!(self.0.is_empty(), "{} rows:\n{}", self.0.len(), self.0.join("\n"));
    }
}

/// Says what reaches the control plane.
struct Echo;

#[async_trait]
impl QueryApi for Echo {
    async fn answer(&self, call: QueryCall) -> Response<ResponseBody> {
        let action = call.parameters.get("Action").unwrap_or_default();
        Response::new(ResponseBody::full(format!("{} {action}", call.caller.name)))
    }

    async fn change(&self, call: QueryCall) -> Result<(), s3::S3Error> {
        let asked: Vec<String> = call.parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
        Err(s3::S3Error::with_message(s3::S3ErrorCode::NotImplemented, asked.join(" ")))
    }

    async fn bearer_session(&self, _token: &str, _call: QueryCall) -> Result<String, s3::S3Error> {
        Err(s3::S3Error::not_implemented("The authorization type Bearer"))
    }

    fn label(&self, action: &str) -> Option<&'static str> {
        (action == "ListUsers").then_some("iam:ListUsers")
    }

    fn refuse(&self, service: QueryService, code: &str, _: StatusCode, message: &str, _: &str) -> Bytes {
        let error =
            format!("<Error><Code>{code}</Code><Service>{service:?}</Service><Message>{message}</Message></Error>");
        Bytes::from(error)
    }
}

/// A fence for which these gateways lag behind when something changes.
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
    async fn reach(&self, _floor: &str) -> Result<(), gateway::FloorError> {
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

impl StatusPages for Echo {
    fn status(&self, detail: StatusDetail) -> String {
        format!("{{\"detail\":\"{detail:?}\"}}")
    }

    fn readiness(&self) -> Result<&'static str, String> {
        Ok("ready")
    }
}

/// Everyone may do everything, and `admin` may begin uploads too.
const IDENTITIES: &str = r#"{"identities":[
    {"name":"anonymous","actions":["Admin","Read","Write","List","Tagging","ReadAcp","WriteAcp"]},
    {"name":"admin","credentials":[{"accessKey":"AKADMIN","secretKey":"AKADMIN secret"}],"actions":["Admin"]}]}"#;

/// Users whose secret is the id of their key and ` secret`. `admin` owns the buckets that belong to no one else, and `other` is the
/// administrator of another account. `222222222222` is a user of the account of `admin` with a name like an account's.
const USERS: &str = r#"{"identities":[
    {"name":"admin","credentials":[{"accessKey":"AKADMIN","secretKey":"AKADMIN secret"}],"actions":["Admin"]},
    {"name":"reader","credentials":[{"accessKey":"AKREADER","secretKey":"AKREADER secret"}],"actions":["Read:plain"]},
    {"name":"writer","credentials":[{"accessKey":"AKWRITER","secretKey":"AKWRITER secret"}],"actions":["Write:plain"]},
    {"name":"other","account":{"id":"111122223333"},
     "credentials":[{"accessKey":"AKOTHER","secretKey":"AKOTHER secret"}],"actions":["Admin"]},
    {"name":"222222222222","credentials":[{"accessKey":"AK222222222222","secretKey":"AK222222222222 secret"}],"actions":["Admin"]},
    {"name":"nobody","credentials":[{"accessKey":"AKNOBODY","secretKey":"AKNOBODY secret"}],"actions":[]}]}"#;

/// The policy of the bucket `shared`: everyone may do everything, but no one may touch `private`.
const SHARED: &str = r#"{"Version":"2012-10-17","Statement":[
    {"Sid":"All","Effect":"Allow","Principal":"*","Action":"s3:*","Resource":["arn:aws:s3:::shared","arn:aws:s3:::shared/*"]},
    {"Sid":"NotThis","Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::shared/private*"}]}"#;

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
    Change::Bucket(entry.name.as_str().into(), Some(Arc::new(store::bucket_of(entry, None))))
}

/// Follows changes of the buckets, as the control plane does.
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

/// A new directory, in memory where the machine has one there: nothing in it outlives its test.
fn directory() -> tempfile::TempDir {
    let memory = std::path::Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory).unwrap() } else { tempfile::tempdir().unwrap() }
}

pub fn settings() -> Settings {
    Settings {
        addressing: access::Addressing::default(),
        region: "us-east-1".to_owned(),
        allowed_origins: Vec::new(),
        allow_delete_bucket_not_empty: false,
        auto_create_bucket: false,
        website_domains: s3::HostRules::new(["website.test"]),
        new_buckets: ids::NewBuckets::default(),
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
        let directory = directory();
        let filer = EmbeddedFiler::open(directory.path()).unwrap();
        World { _directory: Some(directory), ..World::over(Arc::new(filer)).await }
    }

    /// The same with another filer.
    pub async fn over(filer: Arc<dyn Filer>) -> World {
        World::of(filer, Arc::new(Behind::default())).await
    }

    /// The same with another gateway that does not receive changes.
    pub async fn beside_a_deaf_gateway() -> World {
        let directory = directory();
        let filer = EmbeddedFiler::open(directory.path()).unwrap();
        World {
            _directory: Some(directory),
            ..World::of(Arc::new(filer), Arc::new(Behind(vec!["other:8333".to_owned()]))).await
        }
    }

    /// A gateway where everyone may only read.
    pub async fn read_only() -> World {
        let directory = directory();
        let filer = EmbeddedFiler::open(directory.path()).unwrap();
        let identities = r#"{"identities":[{"name":"anonymous","actions":["Read","List"]}]}"#;
        let world = World::with(Arc::new(filer), Arc::new(Behind::default()), identities).await;
        World { _directory: Some(directory), ..world }
    }

    /// A gateway with these users, and no anonymous one.
    pub async fn with_users() -> World {
        World::with_users_and(settings()).await
    }

    /// The same with other settings.
    pub async fn with_users_and(settings: Settings) -> World {
        let directory = directory();
        let filer = EmbeddedFiler::open(directory.path()).unwrap();
        let world = World::built(Arc::new(filer), Arc::new(Behind::default()), USERS, settings, true).await;
        World { _directory: Some(directory), ..world }
    }

    /// A gateway with users, behind this fence.
    pub async fn behind(fence: Arc<dyn gateway::Fence>) -> World {
        let directory = directory();
        let filer = EmbeddedFiler::open(directory.path()).unwrap();
        let world = World::with(Arc::new(filer), fence, USERS).await;
        World { _directory: Some(directory), ..world }
    }

    /// The same, and the gateway follows changes of the buckets.
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
        let identities = identities::parse(identities, &|_| None).unwrap();
        let buckets = [
            bucket("plain", &[(attributes::OWNER, "alice")]),
            bucket("other", &[(attributes::OWNER, "alice")]),
            bucket("versioned", &[(attributes::VERSIONING, "Enabled")]),
            bucket("suspended", &[(attributes::VERSIONING, "Suspended")]),
            bucket("locked", &[(attributes::LOCK_ENABLED, "Enabled")]),
            bucket("shared", &[(attributes::OWNER, "alice"), (attributes::POLICY, SHARED)]),
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
        let auditor = Arc::new(Keeper::default());
        let gateway = Arc::new(Gateway {
            settings,
            filer_configuration: filer.configuration().await.unwrap(),
            filer: Arc::clone(&filer),
            snapshot,
            authenticator: access::Authenticator::new(String::new(), access::SignatureV2::Off, None),
            fence,
            query_api: Arc::new(Echo),
            status: Arc::new(Echo),
            metrics: Arc::new(Metrics::default()),
            upload_limits: UploadLimits::default(),
            connections: Arc::default(),
            rate_limits: ArcSwap::default(),
            tracer: traces::Tracer::default(),
            auditor: Arc::clone(&auditor) as gateway::SharedAuditor,
            signature_limit: gateway::SignatureLimit::default(),
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let limits = accept::Limits {
            idle: Duration::from_secs(10),
            connections: accept::CONNECTIONS_MAX,
            drain: Duration::from_secs(1),
        };
        tokio::spawn(accept::serve(listener, None, Arc::clone(&gateway), limits, std::future::pending()));
        let client = Client::builder(TokioExecutor::new()).build_http();
        World { filer, address, gateway, client, auditor, _directory: None }
    }

    /// Sends only these bytes, and reads the head of the answer and what arrives with it.
    pub async fn send_raw(&self, bytes: &[u8]) -> String {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let mut connection = tokio::net::TcpStream::connect(&self.address).await.unwrap();
        connection.write_all(bytes).await.unwrap();
        let mut answer = vec![0; 4096];
        let read = connection.read(&mut answer).await.unwrap();
        String::from_utf8_lossy(&answer[..read]).into_owned()
    }

    /// Sends only these bytes, ends the stream, and reads the answer, if there is one.
    pub async fn send_half(&self, bytes: &[u8]) -> String {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let mut connection = tokio::net::TcpStream::connect(&self.address).await.unwrap();
        connection.write_all(bytes).await.unwrap();
        connection.shutdown().await.unwrap();
        let mut answer = Vec::new();
        let _ = connection.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Sends a request: `PUT /plain/a`.
    pub async fn send(&self, line: &str, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Reply {
        self.deliver(self.head(line, headers), body.into()).await
    }

    /// The same, signed as one of the users; unsigned for the user ``.
    pub async fn send_as(&self, user: &str, line: &str, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Reply {
        let (head, body) = (self.head(line, headers), body.into());
        if user.is_empty() {
            return self.deliver(head, body).await;
        }
        let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &body);
        let payload = PayloadHash::Sha256(hash.as_ref().try_into().unwrap());
        self.deliver(signer(user).sign(head, payload), body).await
    }

    /// The same as `admin`, without headers and body.
    pub async fn ask_admin(&self, line: &str) -> Reply {
        self.send_as("admin", line, &[], "").await
    }

    /// The same with an aws-chunked body, which `frame` makes.
    pub async fn send_chunked(
        &self,
        line: &str,
        headers: &[(&str, &str)],
        payload: PayloadHash,
        frame: impl FnOnce(ChunkSigner) -> Vec<u8>,
    ) -> Reply {
        let (head, chunks) = signer("admin").sign_chunked(self.head(line, headers), payload);
        self.deliver(head, frame(chunks).into()).await
    }

    /// The head of a request to this gateway.
    pub fn head(&self, line: &str, headers: &[(&str, &str)]) -> Parts {
        let (method, path) = line.split_once(' ').unwrap();
        let mut request = Request::builder().method(method.parse::<Method>().unwrap()).uri(path);
        for (name, value) in [("host", self.address.as_str())].iter().chain(headers) {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    /// Sends a head as it is, and returns when the head of the answer is there.
    pub async fn begin(&self, mut head: Parts, body: Bytes) -> Response<Incoming> {
        head.uri = format!("http://{}{}", self.address, head.uri).parse().unwrap();
        self.client.request(Request::from_parts(head, Full::new(body))).await.unwrap()
    }

    /// Sends a head as it is.
    pub async fn deliver(&self, head: Parts, body: Bytes) -> Reply {
        let (head, body) = self.begin(head, body).await.into_parts();
        Reply { status: head.status, headers: head.headers, body: body.collect().await.unwrap().to_bytes() }
    }

    /// Sends requests in order, each as a user, and compares their outcomes. Shows all rows that fail.
    pub async fn check(&self, rows: &[Row<'_>]) {
        let mut claims = Claims::default();
        for (user, line, headers, body, want) in rows {
            let reply = self.send_as(user, line, headers, (*body).to_owned()).await;
            claims.claim(&format!("{user} {line} {headers:?}\n  {}", reply.text_if_any()), &*reply.outcome(), *want);
        }
        claims.end();
    }

    /// The same without headers and body.
    pub async fn ask(&self, line: &str) -> Reply {
        self.send(line, &[], "").await
    }

    /// Stores an object and expects success.
    pub async fn put(&self, path: &str, body: impl Into<Bytes>) -> Reply {
        let reply = self.send(&format!("PUT {path}"), &[], body).await;
        assert_eq!(reply.outcome(), "200 ", "PUT {path}: {}", reply.text());
        reply
    }

    /// The entry at a path below the buckets.
    pub async fn entry(&self, path: &str) -> Option<Entry> {
        self.filer.lookup(&format!("/buckets/{path}")).await.unwrap()
    }

    /// Sets attributes of an entry directly on the filer.
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
