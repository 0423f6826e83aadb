//! What auditors are left: who, by which statement of which policy.

#![expect(clippy::disallowed_types, reason = "an observer in a test remembers what it is told")]

use std::sync::{Arc, Mutex};

use access::{
    AuditRecord, AuditedCaller, AuditedDecision, AuditedFederation, AuditedMaker, AuditedObject, AuditedRequest,
    AuditedSession, AuditedSignIn, AuditedTarget, DecisionInput, DecisionObserver, authorize, check, could_be_allowed,
};
use iam::{
    Bucket, BucketAcl, BucketPolicy, Caller, CallerSession, Change, Federation, IdentityProvider, OidcProvider,
    Settings, Snapshot,
};
use iam_formats::identities;
use ids::{AccessControlList, AccountId, AclGrant, AclGroup, AclPermission, Ownership};
use policy::{CompiledPolicy, Context, Decision, Origin, Policy, PolicyKind, PolicyType};
use s3::{Needs, Requirement};

const ARN: &str = "arn:aws:iam::000000000000:oidc-provider/idp.example";
const IDENTITIES: &str = r#"{
    "policies": [{"name": "Readers", "document": {"Version": "2012-10-17", "Statement": [
        {"Sid": "Write", "Effect": "Allow", "Action": "s3:PutObject", "Resource": "*"},
        {"Sid": "Read", "Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"},
        {"Effect": "Deny", "Action": "s3:DeleteObject", "Resource": "*"}]}}],
    "identities": [
        {"name": "alice", "policyNames": ["Readers"]},
        {"name": "bob", "actions": ["Read:reef"]}]}"#;
const BUCKET: &str = r#"{"Version": "2012-10-17", "Statement": [
    {"Sid": "NoSecrets", "Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "arn:aws:s3:::reef/secret"}]}"#;
const SESSION: &str = r#"{"Version": "2012-10-17", "Statement": [
    {"Sid": "All", "Effect": "Allow", "Action": "*", "Resource": "*"},
    {"Sid": "NotThis", "Effect": "Deny", "Action": "*", "Resource": "arn:aws:s3:::reef/this"}]}"#;

/// Keeps every decision.
#[derive(Default)]
struct Keeper(Mutex<Vec<AuditedDecision>>);

impl DecisionObserver for Keeper {
    fn observe(&self, _: &str, decide: &mut dyn FnMut() -> Decision) {
        decide();
    }

    fn audit(&self, allowed: bool, decision: &dyn Fn() -> AuditedDecision) {
        let decision = decision();
        assert_eq!(allowed, decision.decision.is_allow());
        self.0.lock().unwrap().push(decision);
    }
}

struct Asks(Vec<Requirement>);

impl Needs for Asks {
    fn permissions(&self) -> Vec<Requirement> {
        self.0.clone()
    }
}

fn need(action: &'static str, key: &str) -> Requirement {
    Requirement::on_resource(action, format!("arn:aws:s3:::reef/{key}"))
}

fn snapshot() -> Snapshot {
    let policy = BucketPolicy::read("reef", BUCKET.as_bytes(), None, None);
    let bucket = Bucket { policy: Some(policy), ..Bucket::new("reef", "", 0) };
    let identities = identities::parse(IDENTITIES, &|_| None).unwrap();
    Snapshot::new(Settings::default(), &identities).apply([Change::Bucket("reef".into(), Some(Arc::new(bucket)))])
}

fn compiled(text: &str) -> Arc<CompiledPolicy> {
    Arc::new(Policy::parse_stored(PolicyKind::Session, text).unwrap().compile())
}

fn in_session(caller: Caller) -> Caller {
    let session = CallerSession {
        id: "sid".into(),
        role_arn: "arn:aws:iam::000000000000:role/R".into(),
        name: "s".into(),
        issued_s: 7,
        expires_s: 8,
        policy: Some(compiled(SESSION)),
        source_identity: Some("alice@example.com".into()),
        ..CallerSession::default()
    };
    Caller { session: Some(session), ..caller }
}

fn audited(snapshot: &Snapshot, caller: &Caller, needs: Vec<Requirement>) -> Vec<String> {
    let observer = Keeper::default();
    let input = DecisionInput { caller, snapshot, context: &Context::new(), observer: &observer };
    let _ = authorize(Asks(needs).into(), input);
    observer.0.into_inner().unwrap().iter().map(ToString::to_string).collect()
}

#[test]
fn a_decision_names_policy_and_statement() {
    let snapshot = snapshot();
    let caller = |name: &str| Caller::of(snapshot.user(name).unwrap());
    let bounded = Caller { boundary: Some(compiled(SESSION)), ..caller("alice") };
    let readers = "attached policy `Readers`";
    let row = |caller: &Caller, action, key: &str, wanted: &str| {
        let wanted = format!("{action} arn:aws:s3:::reef/{key} {wanted}");
        assert_eq!(audited(&snapshot, caller, vec![need(action, key)]), [wanted]);
    };
    row(&caller("alice"), "s3:GetObject", "a", &format!("allow by {readers}, statement 1 (Read)"));
    row(&caller("alice"), "s3:DeleteObject", "a", &format!("explicit_deny by {readers}, statement 2"));
    row(&caller("alice"), "s3:GetObjectAcl", "a", "implicit_deny");
    row(&caller("bob"), "s3:GetObject", "a", "allow by legacy actions, statement 0 (Read:reef)");
    row(&caller("bob"), "s3:GetObject", "secret", "explicit_deny by policy of bucket `reef`, statement 0 (NoSecrets)");
    row(&bounded, "s3:GetObject", "this", "explicit_deny by permissions boundary, statement 1 (NotThis)");
    let session = in_session(caller("alice"));
    row(&session, "s3:GetObject", "this", "explicit_deny by session policy, statement 1 (NotThis)");
}

#[test]
fn what_is_needed_is_audited_up_to_the_first_refusal() {
    let snapshot = snapshot();
    let alice = Caller::of(snapshot.user("alice").unwrap());
    let needs = [("s3:GetObject", "a"), ("s3:DeleteObject", "b"), ("s3:PutObject", "c")];
    let actions: Vec<String> = audited(&snapshot, &alice, needs.map(|(action, key)| need(action, key)).into());
    assert_eq!(actions.len(), 2, "{actions:?}");
    assert!(actions[1].starts_with("s3:DeleteObject arn:aws:s3:::reef/b explicit_deny"), "{actions:?}");

    // A check that only shapes the answer does not refuse the request; one that keeps its body unread does.
    let observer = Keeper::default();
    let input = DecisionInput { caller: &alice, snapshot: &snapshot, context: &Context::new(), observer: &observer };
    check(&need("s3:GetObjectAcl", "a"), input).unwrap_err();
    assert!(observer.0.lock().unwrap().is_empty());
    could_be_allowed(&[need("s3:GetObjectAcl", "a")], input).unwrap_err();
    assert_eq!(observer.0.into_inner().unwrap().len(), 1);
}

#[test]
fn a_caller_is_named_with_its_session() {
    let snapshot = snapshot();
    let alice = Caller::of(snapshot.user("alice").unwrap());
    let user = AuditedCaller::of(&alice);
    assert_eq!((&*user.arn, user.session), ("arn:aws:iam::000000000000:user/alice", None));
    let session = AuditedCaller::of(&in_session(alice.clone())).session.unwrap();
    assert_eq!(
        session,
        AuditedSession {
            id: "sid".into(),
            role_arn: "arn:aws:iam::000000000000:role/R".into(),
            maker: None,
            issued_s: 7,
            source_identity: Some("alice@example.com".into()),
            federation: None,
            has_mfa: false,
        }
    );
    for (user, arn) in [("/team/alice", "user/team/alice"), ("/alice", "user/alice"), ("/", "root")] {
        let session =
            CallerSession { name: "bob".into(), federated_by: Some("AIDA1".into()), ..CallerSession::default() };
        let (account, name, user) = (AccountId::DEFAULT, "bob".to_owned(), user.to_owned());
        let principal = policy::Principal::FederatedUser { account, name, user };
        let bob = AuditedCaller::of(&Caller { principal, session: Some(session), ..alice.clone() });
        let (arn, user_id) = (format!("arn:aws:iam::000000000000:{arn}"), "AIDA1".into());
        let maker = AuditedMaker { arn, user_id, name: "alice".into() };
        assert_eq!((&*bob.name, bob.session.unwrap().maker), ("bob", Some(maker)));
    }
    let anonymous = Caller { principal: policy::Principal::Anonymous, ..alice };
    assert_eq!(AuditedCaller::of(&anonymous), AuditedCaller::default());
}

/// A record about nothing, from nowhere.
fn record() -> AuditRecord<'static> {
    let address = "192.0.2.1".parse().unwrap();
    AuditRecord {
        request_id: String::new(),
        time: jiff::Timestamp::UNIX_EPOCH,
        took: std::time::Duration::ZERO,
        operation: "GetObject",
        caller: AuditedCaller::default(),
        target: AuditedTarget::default(),
        parameters: Vec::new(),
        decisions: Vec::new(),
        objects: Vec::new(),
        revision: 0,
        request: AuditedRequest {
            method: "GET".into(),
            path: "".into(),
            protocol: "HTTP/1.1",
            host: "".into(),
            client: address,
            peer: address,
            tls: None,
            signature: None,
            user_agent: "".into(),
            referer: "".into(),
            bytes_received: None,
        },
        status: 200,
        error: None,
        bytes_sent: None,
    }
}

fn decided(policy: PolicyType) -> AuditedDecision {
    let decision = Decision::ImplicitDeny { missing: policy };
    AuditedDecision {
        action: "s3:GetObject",
        resource: String::new(),
        resource_account: None,
        decision,
        policy: None,
        sid: None,
    }
}

/// Queues of records are bounded by their weight, so what clients choose counts.
#[test]
fn the_weight_of_a_record_grows_with_what_clients_send() {
    let long = "x".repeat(10_000);
    let object = |key: &str| AuditedObject { key: key.to_owned(), version_id: None, error: None };
    let with = |change: &dyn Fn(&mut AuditRecord<'static>)| {
        let mut record = record();
        change(&mut record);
        record.weight_bytes()
    };
    let empty = record().weight_bytes();
    assert!((500..5000).contains(&empty), "{empty}");
    for (what, weight) in [
        ("a path", with(&|record| record.request.path = long.clone().into())),
        ("a user agent", with(&|record| record.request.user_agent = long.clone().into())),
        ("a referer", with(&|record| record.request.referer = long.clone().into())),
        ("a parameter's name", with(&|record| record.parameters = vec![(long.clone(), "abc".to_owned())])),
        ("a parameter's value", with(&|record| record.parameters = vec![("abc".to_owned(), long.clone())])),
        (
            "a resource",
            with(&|record| {
                record.decisions = vec![AuditedDecision { resource: long.clone(), ..decided(PolicyType::Resource) }];
            }),
        ),
        ("a key", with(&|record| record.objects = vec![object(&long)])),
        (
            "all three of the head",
            with(&|record| {
                record.request.path = "x".repeat(4000).into();
                record.request.user_agent = "x".repeat(3000).into();
                record.request.referer = "x".repeat(3000).into();
            }),
        ),
        ("many parameters", with(&|record| record.parameters = vec![(String::new(), String::new()); 250])),
        ("many decisions", with(&|record| record.decisions = vec![decided(PolicyType::Resource); 50])),
        ("many objects", with(&|record| record.objects = vec![object(""); 100])),
    ] {
        assert!((10_000..12_500).contains(&(weight - empty)), "{what}: {weight}");
    }
}

#[test]
fn the_refusals_of_a_record() {
    let allowed = |policy| Decision::Allow { by: Origin { policy, statement: 0 } };
    let mut record = record();
    assert_eq!(record.refusals().count(), 0);
    let allow = AuditedDecision { decision: allowed(PolicyType::Root), ..decided(PolicyType::Root) };
    record.decisions = vec![allow.clone(), decided(PolicyType::Session), allow];
    assert_eq!(record.refusals().map(AuditedDecision::policy_type).collect::<Vec<_>>(), ["session"]);
}

/// What decides without a policy has no statement.
#[test]
fn what_decides_without_a_policy() {
    const ROOT: &str = r#"{"identities": [{"name": "root", "actions": ["Admin"]}]}"#;
    let root = Snapshot::new(Settings::default(), &identities::parse(ROOT, &|_| None).unwrap());
    let public = AclGrant::to_group(AclGroup::AllUsers, AclPermission::Read);
    let list = Arc::new(AccessControlList { grants: vec![public] });
    let acl = Some(BucketAcl { text: "".into(), list });
    let bucket = Bucket { acl, ownership_controls: Some(Ownership::ObjectWriter), ..Bucket::new("reef", "", 0) };
    let listed = snapshot().apply([Change::Bucket("reef".into(), Some(Arc::new(bucket)))]);
    let list = Requirement::on_resource("s3:ListBucket", "arn:aws:s3:::reef".to_owned());
    for (snapshot, who, wanted, statement) in [
        (&root, "root", "s3:ListBucket arn:aws:s3:::reef allow", None),
        (&listed, "alice", "s3:ListBucket arn:aws:s3:::reef allow by ACL, statement 0", Some(0)),
    ] {
        let caller = Caller::of(snapshot.user(who).unwrap());
        let observer = Keeper::default();
        let input = DecisionInput { caller: &caller, snapshot, context: &Context::new(), observer: &observer };
        authorize(Asks(vec![list.clone()]).into(), input).unwrap();
        let audited = observer.0.into_inner().unwrap().remove(0);
        assert_eq!((audited.to_string().as_str(), audited.statement()), (wanted, statement));
        assert_eq!(audited.outcome(), "allow");
    }
}

#[test]
fn the_user_of_a_provider_is_named() {
    let snapshot = snapshot();
    let record = OidcProvider { arn: ARN.to_owned(), url: "https://idp.example".to_owned(), ..OidcProvider::default() };
    let provider = Arc::new(IdentityProvider::of_record(&record, AccountId::DEFAULT));
    let (subject, audience) = ("user-1".into(), None);
    let federation = Federation {
        provider: Arc::clone(&provider),
        subject,
        audience,
        directory_user: None,
        plugin_keys: Arc::new([]),
    };
    let mut caller = in_session(Caller::of(snapshot.user("alice").unwrap()));
    let session = caller.session.as_mut().unwrap();
    session.federation = Some(Arc::new(federation));
    session.mfa_at_s = Some(7);
    let audited = AuditedCaller::of(&caller).session.unwrap();
    let (provider_arn, issuer) = (ARN.to_owned(), "https://idp.example".to_owned());
    let wanted =
        AuditedFederation { provider_arn: provider_arn.clone(), issuer: issuer.clone(), subject: "user-1".into() };
    assert_eq!((audited.federation, audited.has_mfa), (Some(wanted), true));
    for subject in [None, Some("user-1")] {
        let known = AuditedSignIn::at(&provider, subject);
        let subject = subject.map(Into::into);
        assert_eq!(known, AuditedSignIn { provider_arn: provider_arn.clone(), issuer: issuer.clone(), subject });
    }
}
