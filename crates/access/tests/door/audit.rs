//! What auditors are left: who, by which statement of which policy.

#![expect(clippy::disallowed_types, reason = "an observer in a test remembers what it is told")]

use std::sync::{Arc, Mutex};

use access::{
    AuditedCaller, AuditedDecision, AuditedSession, DecisionInput, DecisionObserver, authorize, check, could_act,
};
use iam::{Bucket, BucketPolicy, Caller, CallerSession, Change, Settings, Snapshot};
use iam_formats::identities;
use policy::{CompiledPolicy, Context, Decision, Policy, PolicyKind};
use s3::{Needs, Requirement};

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
    could_act(&[need("s3:GetObjectAcl", "a")], input).unwrap_err();
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
            issued_s: 7,
            source_identity: Some("alice@example.com".into()),
            federation: None,
            has_mfa: false,
        }
    );
    let anonymous = Caller { principal: policy::Principal::Anonymous, ..alice };
    assert_eq!(AuditedCaller::of(&anonymous), AuditedCaller::default());
}
