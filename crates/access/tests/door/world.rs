//! One small world that requests come to: users, keys, a role with sessions, and a door.

use std::net::SocketAddr;
use std::sync::Arc;

use access::{Addressing, Authenticated, Authenticator, Services, SignatureV2, UnverifiedRequest};
use http::request::Parts;
use iam::{Change, PolicyPlace, PolicyRecord, RolePlace, RoleRecord, Settings, Snapshot, TlsVersion};
use iam_formats::identities;
use jiff::{SignedDuration, Timestamp};
use s3::S3Error;
use sts::{NewSession, SessionHolder, SessionKeys, SigningKey};
use testkit::signing::Client;

pub const ACCOUNT: &str = "111122223333";
/// The time of the gateway.
pub const NOW: &str = "2026-11-28T20:00:00Z";
/// When the role `app` was made.
pub const ROLE_MADE: &str = "2026-11-01T00:00:00Z";
pub const ROLE_ARN: &str = "arn:aws:iam::111122223333:role/team/app";
/// Where requests come from.
pub const IP: &str = "192.0.2.1";
pub const REVISION: &str = "epoch-7";

/// Secrets are the name of the key and ` secret`.
const IDENTITIES: &str = r#"{
  "identities": [
    {"name": "alice", "account": {"id": "111122223333"}, "credentials": [
      {"accessKey": "AKALICE", "secretKey": "AKALICE secret"},
      {"accessKey": "AKOLD", "secretKey": "AKOLD secret", "status": "Inactive"}]},
    {"name": "bob", "account": {"id": "444455556666"}, "credentials": [{"accessKey": "AKBOB", "secretKey": "AKBOB secret"}]},
    {"name": "gone", "disabled": true, "credentials": [{"accessKey": "AKGONE", "secretKey": "AKGONE secret"}]}],
  "serviceAccounts": [
    {"id": "sa:alice:1", "parentUser": "alice", "credential": {"accessKey": "AKSERVICE", "secretKey": "AKSERVICE secret"}},
    {"id": "sa:alice:2", "parentUser": "alice", "expiration": 1795895999,
     "credential": {"accessKey": "AKENDED", "secretKey": "AKENDED secret"}},
    {"id": "sa:alice:3", "parentUser": "alice", "expiration": 1795896001,
     "credential": {"accessKey": "AKENDING", "secretKey": "AKENDING secret"}},
    {"id": "sa:alice:4", "parentUser": "alice", "disabled": true,
     "credential": {"accessKey": "AKPAUSED", "secretKey": "AKPAUSED secret"}}]}"#;

/// The gateway that requests come to.
pub struct World {
    pub snapshot: Snapshot,
    pub door: Authenticator,
    pub services: Services,
    pub body_sha256: Option<[u8; 32]>,
    pub now: Timestamp,
    /// Of the connection.
    pub tls: Option<TlsVersion>,
}

impl World {
    /// A gateway in us-east-1 that takes V2.
    pub fn new() -> Self {
        Self::with_identities(IDENTITIES)
    }

    pub fn with_identities(identities: &str) -> Self {
        let identities = identities::parse(identities, &|_| None).unwrap();
        let settings = Settings { account: ACCOUNT.parse().unwrap(), ..Settings::default() };
        let snapshot = Snapshot::new(settings, &identities).apply([role("AROAAPP", ROLE_MADE)]);
        let door = Authenticator::new("us-east-1".to_owned(), SignatureV2::On, Some(Arc::new(session_keys(0, &[]))));
        Self { snapshot, door, services: Services::S3, body_sha256: None, now: now(), tls: None }
    }

    /// Who comes in with this head.
    pub fn authenticate(&self, head: &Parts) -> Result<Authenticated, S3Error> {
        self.with_unverified(head, |unverified| self.door.authenticate(unverified, &self.snapshot))
    }

    /// Who comes in with the fields of a form.
    pub fn authenticate_form(&self, fields: &[(String, String)]) -> Result<Authenticated, S3Error> {
        let head = head("POST", "/bkt");
        self.with_unverified(&head, |unverified| self.door.authenticate_form(unverified, &self.snapshot, fields))
    }

    /// Who comes in with the token of a provider, of which this session was made.
    pub fn authenticate_bearer(&self, head: &Parts, session_token: &str) -> Result<Authenticated, S3Error> {
        self.with_unverified(head, |unverified| {
            self.door.authenticate_bearer(unverified, &self.snapshot, session_token)
        })
    }

    fn with_unverified<T>(&self, head: &Parts, then: impl FnOnce(&UnverifiedRequest<'_>) -> T) -> T {
        let peer = SocketAddr::new(IP.parse().unwrap(), 5);
        let target = Addressing::default().target(head, peer, self.tls).unwrap();
        let (services, body_sha256, now) = (self.services, self.body_sha256, self.now);
        let form = sigv4::auth_form(head);
        then(&UnverifiedRequest { head, form: &form, target: &target, now, services, body_sha256 })
    }
}

pub fn now() -> Timestamp {
    NOW.parse().unwrap()
}

/// So many seconds from now.
pub fn seconds(seconds: i64) -> Timestamp {
    now() + SignedDuration::from_secs(seconds)
}

pub fn head(method: &str, target: &str) -> Parts {
    let request = http::Request::builder().method(method).uri(target).header("host", "s3.test").body(());
    request.unwrap().into_parts().0
}

pub fn with(mut head: Parts, name: &'static str, value: &str) -> Parts {
    head.headers.insert(name, value.parse().unwrap());
    head
}

/// A client with a key of the world, by its clock on time.
pub fn client(key: &str) -> Client {
    Client::new(key, &format!("{key} secret"), now())
}

/// Who came in and how, or the code and status of the refusal.
pub fn said(answer: &Result<Authenticated, S3Error>) -> String {
    match answer {
        Ok(known) => format!("{} {:?}", known.caller.name, known.authentication),
        Err(error) => format!("{} {}", error.code, error.status().as_u16()),
    }
}

/// The signing keys of sessions, by number.
pub fn session_keys(current: u8, older: &[u8]) -> SessionKeys {
    let key = |number: u8| SigningKey::from_bytes(&[b'a' + number; 32]).unwrap();
    SessionKeys {
        current: key(current),
        older: older.iter().map(|number| key(*number)).collect(),
        issuer: "seaweedfs-sts".into(),
        account_id: ACCOUNT.parse().unwrap(),
    }
}

/// The role `app` with this id.
pub fn role(id: &str, made: &str) -> Change {
    let created_s = made.parse::<Timestamp>().unwrap().as_second();
    let attached_policies = vec!["of-app".to_owned()];
    let (name, id, path) = ("app".to_owned(), id.to_owned(), "/team/".to_owned());
    let document = RoleRecord { name, id, path, created_s, attached_policies, ..RoleRecord::default() };
    Change::Role("app".into(), RolePlace::Base, Some(Ok(document)))
}

pub fn policy(name: &str, text: &str) -> Change {
    let text = PolicyRecord::of_text(text);
    Change::Policy(name.into(), PolicyPlace::Api, Some(Ok(text)))
}

/// A session of the role `app`, a quarter of an hour long, made five minutes ago.
pub fn new_session() -> NewSession<'static> {
    NewSession {
        role_arn: ROLE_ARN,
        role_id: Some("AROAAPP"),
        held_by: SessionHolder::Role,
        session_name: "work",
        principal_arn: "arn:aws:sts::111122223333:assumed-role/app/work",
        session_policy: None,
        session_policy_arns: &[],
        policy_names: &[],
        duration_s: 900,
        issued_at: seconds(-300),
        session_id: [7; 16],
        request_context: serde_json::Map::new(),
        tags: &[],
        transitive_tag_keys: &[],
        source_identity: None,
        revision: Some(REVISION),
        federated: None,
        origins: &[],
        mfa_at_s: None,
    }
}

/// A client with a session that was made with these keys.
pub fn session(keys: &SessionKeys, new: &NewSession<'_>) -> Client {
    let made = sts::mint(keys, new);
    let client = Client::new(made.access_key_id.as_str(), made.secret.expose(), now());
    Client { session_token: Some(made.token), ..client }
}
