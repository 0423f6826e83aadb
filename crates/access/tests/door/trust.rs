//! Who may assume a role, and what auditors are told about it.

#![expect(clippy::disallowed_types, reason = "an observer of a test remembers what it is told")]

use std::sync::{Arc, Mutex};

use access::{AuditedDecision, DecisionInput, DecisionObserver, NoObserver, decide_to_assume, policy_label};
use iam::{Caller, CallerSession, Change, PolicySource, RolePlace, RoleRecord, Settings, Snapshot};
use policy::{Context, CrossAccount, Decision, Policy, PolicyKind};
use s3::Requirement;

use crate::world::{ACCOUNT, World};

const ROLE: &str = "arn:aws:iam::111122223333:role/app";

/// Keeps every decision, by the metrics and by the auditors.
#[derive(Default)]
struct Kept {
    actions: Mutex<Vec<String>>,
    decisions: Mutex<Vec<AuditedDecision>>,
}

impl DecisionObserver for Kept {
    fn observe(&self, action: &str, decide: &mut dyn FnMut() -> Decision) {
        decide();
        self.actions.lock().unwrap().push(action.to_owned());
    }

    fn audit(&self, allowed: bool, decision: &dyn Fn() -> AuditedDecision) {
        let decision = decision();
        assert_eq!(allowed, decision.decision.is_allow());
        self.decisions.lock().unwrap().push(decision);
    }
}

/// What is kept when Alice, with this policy of her own, wants to assume a role with these statements of trust.
fn kept(own: &str, trust: &str) -> String {
    let document = |statements: &str| format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#);
    let mut world = World::new();
    let trust_policy = if trust == "broken" { "{".to_owned() } else { document(trust) };
    let record = RoleRecord { name: "app".to_owned(), trust_policy, ..RoleRecord::default() };
    world.snapshot = world.snapshot.apply([Change::Role("app".into(), RolePlace::Base, Some(Ok(record)))]);
    let compiled = |_| Arc::new(Policy::parse_stored(PolicyKind::Identity, &document(own)).unwrap().compile());
    let policies = Some(own).filter(|own| !own.is_empty()).map(compiled).into_iter().collect();
    let sources = Arc::from([PolicySource::Inline("p".into())]);
    let alice = Caller { policies, sources, ..Caller::of(world.snapshot.user("alice").unwrap()) };
    let (context, kept) = (Context::new(), Kept::default());
    let role = world.snapshot.role("app").filter(|_| trust != "missing").map(|role| &**role);
    let world = access::DecisionInput { caller: &alice, snapshot: &world.snapshot, context: &context, observer: &kept };
    let decision = decide_to_assume(&Requirement::on_resource("sts:AssumeRole", ROLE.to_owned()), role, world);
    assert_eq!(kept.actions.into_inner().unwrap(), ["sts:AssumeRole"], "the metrics count it once");
    let decisions = kept.decisions.into_inner().unwrap();
    let [audited] = decisions.as_slice() else { panic!("{decisions:?}") };
    assert_eq!(audited.decision, decision);
    assert_eq!(audited.resource, ROLE);
    format!("{} of {}", audited.to_string().replace(&format!("sts:AssumeRole {ROLE} "), ""), audited.policy_type())
}

#[test]
fn trust_policy_and_sid_are_named() {
    const ALICE: &str = r#"{"Sid":"Alice","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:user/alice"},"Action":"sts:AssumeRole"}"#;
    const OURS: &str =
        r#"{"Sid":"Ours","Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"sts:AssumeRole"}"#;
    const CLOSED: &str = r#"{"Sid":"Closed","Effect":"Deny","Principal":"*","Action":"sts:AssumeRole"}"#;
    const BOB: &str = r#"{"Sid":"Bob","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:user/bob"},"Action":"sts:AssumeRole"}"#;
    const MAY: &str = r#"{"Sid":"May","Effect":"Allow","Action":"sts:*","Resource":"*"}"#;
    const MUST_NOT: &str = r#"{"Sid":"MustNot","Effect":"Deny","Action":"sts:*","Resource":"*"}"#;
    let both = format!("{ALICE},{CLOSED}");
    for (own, trust, want) in [
        ("", ALICE, "allow by trust policy of role `app`, statement 0 (Alice) of resource"),
        ("", &both, "explicit_deny by trust policy of role `app`, statement 1 (Closed) of resource"),
        ("", BOB, "implicit_deny of resource"),
        ("", OURS, "implicit_deny of identity"),
        (MAY, OURS, "allow by inline policy `p`, statement 0 (May) of identity"),
        (MUST_NOT, ALICE, "explicit_deny by inline policy `p`, statement 0 (MustNot) of identity"),
        (MAY, "broken", "explicit_deny by trust policy of role `app`, statement 0 of resource"),
        (MAY, "missing", "implicit_deny of resource"),
    ] {
        assert_eq!(kept(own, trust), want, "{own} {trust}");
    }
}

/// The limits of a caller hold for roles too, and a role of another account needs both sides if the operator says so.
#[test]
fn what_limits_a_caller_limits_its_roles() {
    const TRUST: &str = r#"{"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"sts:AssumeRole"}"#;
    const NAMED: &str =
        r#"{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:user/alice"},"Action":"sts:AssumeRole"}"#;
    const MAY: &str = r#"{"Effect":"Allow","Action":"sts:*","Resource":"*"}"#;
    const OTHER: &str = r#"{"Effect":"Allow","Action":"s3:*","Resource":"*"}"#;
    let compiled = |statement: &str| {
        let text = format!(r#"{{"Version":"2012-10-17","Statement":[{statement}]}}"#);
        Arc::new(Policy::parse_stored(PolicyKind::Session, &text).unwrap().compile())
    };
    for (what, trust, account, cross_account, own, session, boundary, want) in [
        ("nothing", TRUST, ACCOUNT, CrossAccount::ResourcePolicy, MAY, "", "", "allow"),
        ("a session policy", TRUST, ACCOUNT, CrossAccount::ResourcePolicy, MAY, OTHER, "", "session"),
        ("one that allows", TRUST, ACCOUNT, CrossAccount::ResourcePolicy, MAY, MAY, "", "allow"),
        ("a boundary", TRUST, ACCOUNT, CrossAccount::ResourcePolicy, MAY, "", OTHER, "boundary"),
        ("one that allows", TRUST, ACCOUNT, CrossAccount::ResourcePolicy, MAY, "", MAY, "allow"),
        ("another account", NAMED, "444455556666", CrossAccount::ResourcePolicy, OTHER, "", "", "allow"),
        ("both sides", NAMED, "444455556666", CrossAccount::Both, OTHER, "", "", "identity"),
        ("both sides, and both allow", NAMED, "444455556666", CrossAccount::Both, MAY, "", "", "allow"),
    ] {
        let settings = Settings { cross_account, ..World::new().snapshot.settings().clone() };
        let identities = iam::Identities::default();
        let trust_policy = format!(r#"{{"Version":"2012-10-17","Statement":[{trust}]}}"#);
        let record = RoleRecord {
            name: "app".to_owned(),
            arn: format!("arn:aws:iam::{account}:role/app"),
            trust_policy,
            ..RoleRecord::default()
        };
        let role = Change::Role("app".into(), RolePlace::Base, Some(Ok(record)));
        let snapshot = Snapshot::new(settings, &identities).apply([role]);
        let some = |text: &str| (!text.is_empty()).then(|| compiled(text));
        let session = some(session).map(|policy| CallerSession { policy: Some(policy), ..CallerSession::default() });
        let policies = Arc::from([compiled(own)]);
        let alice = Caller::of(World::new().snapshot.user("alice").unwrap());
        let alice = Caller { policies, session, boundary: some(boundary), ..alice };
        let input =
            DecisionInput { caller: &alice, snapshot: &snapshot, context: &Context::new(), observer: &NoObserver };
        let role = snapshot.role("app").unwrap();
        let decision =
            decide_to_assume(&Requirement::on_resource("sts:AssumeRole", role.arn.to_string()), Some(role), input);
        let told = if decision.is_allow() { "allow" } else { policy_label(&decision) };
        assert_eq!(told, want, "{what}");
    }
}
