//! What is allowed, what is refused, and what a refusal says: each kind of deny by each kind of policy.

#![expect(clippy::disallowed_types, reason = "an observer of a test remembers what it is told")]

use std::sync::{Arc, Mutex};

use access::{
    Authenticated, DecisionObserver, NoObserver, Permit, Permitted, Refusal, Resolved, asks_for_tags_of, authorize,
};
use access::{check, context_of, could_be_allowed, decide, outcome_label, policy_label, request_context};
use iam::{Bucket, BucketPolicy, Change, RolePlace, RoleRecord, Settings, Snapshot, UserRecord};
use iam_formats::{Facts, StoredDocument};
use policy::{Context, Decision};
use s3::{Operation, Requirement, Routing, Target};
use sigv4::PayloadHash;
use sts::NewSession;

use crate::world::{ACCOUNT, World, client, head, new_session, now, policy, session, session_keys};

const OTHER_ACCOUNT: &str = "444455556666";
/// Root, and the identity whose policies are those of unsigned requests.
const IDENTITIES: &str = r#"{"identities": [
    {"name": "root", "account": {"id": "111122223333"}, "actions": ["Admin"],
     "credentials": [{"accessKey": "AKROOT", "secretKey": "AKROOT secret"}]},
    {"name": "anonymous", "policyNames": ["of-anonymous"]}]}"#;
/// The same without the second.
const ROOT_ALONE: &str = r#"{"identities": [
    {"name": "root", "account": {"id": "111122223333"}, "actions": ["Admin"],
     "credentials": [{"accessKey": "AKROOT", "secretKey": "AKROOT secret"}]}]}"#;

/// The policies that apply, each named by a key of [`text`]; an empty key stands for no policy.
type Policies = [&'static str; 4];

/// A policy with one statement.
fn text(word: &str, is_of_bucket: bool) -> String {
    let statement = match word {
        "allow" => r#""Effect":"Allow","Action":"s3:*""#,
        "deny" => r#""Effect":"Deny","Action":"s3:*""#,
        "allow another" => r#""Effect":"Allow","Action":"s3:PutObject""#,
        "deny another" => r#""Effect":"Deny","Action":"s3:PutObject""#,
        "allow elsewhere" => {
            r#""Effect":"Allow","Action":"s3:*","Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}"#
        }
        "ask for tags" => {
            r#""Effect":"Deny","Action":"s3:*","Condition":{"StringEquals":{"s3:ExistingObjectTag/secret":"yes"}}"#
        }
        "broken" => return "{".to_owned(),
        other => panic!("{other}"),
    };
    let rest = match is_of_bucket {
        true => r#""Principal":"*","Resource":["arn:aws:s3:::bkt","arn:aws:s3:::bkt/*"]"#,
        false => r#""Resource":"*""#,
    };
    format!(r#"{{"Version":"2012-10-17","Statement":[{{"Sid":"Hidden",{statement},{rest}}}]}}"#)
}

/// Alice and Bob, a role, a bucket of Alice's account, with these policies of the identity, the bucket, (the session) and the boundary.
fn world([identity, bucket, _, boundary]: Policies) -> World {
    let bound = || (!boundary.is_empty()).then(|| "limit".to_owned());
    let attached = if identity.is_empty() { "" } else { r#""identity""# };
    let user = |name: &str, key: &str, account: &str| {
        let json = format!(
            r#"{{"name":"{name}","account":{{"id":"{account}"}},"policyNames":[{attached}],
                "credentials":[{{"accessKey":"{key}","secretKey":"{key} secret"}}]}}"#
        );
        let user = UserRecord::parse(&json, Facts::default()).unwrap();
        Change::User(name.into(), Some(Ok(UserRecord { boundary: bound(), ..user })))
    };
    let attached_policies = (!identity.is_empty()).then(|| "identity".to_owned()).into_iter().collect();
    let (id, path, bounded) = ("AROAAPP".to_owned(), "/team/".to_owned(), bound());
    let role =
        RoleRecord { name: "app".to_owned(), attached_policies, id, path, boundary: bounded, ..RoleRecord::default() };
    let role = Change::Role("app".into(), RolePlace::Base, Some(Ok(role)));
    let mut changes = vec![
        user("alice", "AKALICE", ACCOUNT),
        user("bob", "AKBOB", OTHER_ACCOUNT),
        role,
        bucket_with(bucket, ACCOUNT),
    ];
    for (name, word) in [("identity", identity), ("limit", boundary)].into_iter().filter(|(_, word)| !word.is_empty()) {
        changes.push(policy(name, &text(word, false)));
    }
    let mut world = World::with_identities(ROOT_ALONE);
    world.snapshot = world.snapshot.apply(changes);
    world
}

fn bucket_with(word: &str, owner: &str) -> Change {
    let policy = (!word.is_empty()).then(|| BucketPolicy::read("bkt", text(word, true).as_bytes(), None, None));
    Change::Bucket("bkt".into(), Some(Arc::new(Bucket { policy, ..Bucket::new("bkt", owner, 0) })))
}

fn known(world: &World, who: &str, session_policy: &str) -> Authenticated {
    let session_policy = (!session_policy.is_empty()).then(|| text(session_policy, false));
    let client = match who {
        "nobody" => return world.authenticate(&head("GET", "/bkt/k")).unwrap(),
        "alice" => client("AKALICE"),
        "bob" => client("AKBOB"),
        "root" => client("AKROOT"),
        "session" => {
            session(&session_keys(0, &[]), &NewSession { session_policy: session_policy.as_deref(), ..new_session() })
        }
        other => panic!("{other}"),
    };
    world.authenticate(&client.sign(head("GET", "/bkt/k"), PayloadHash::EMPTY)).unwrap()
}

/// Puts a question in the world of one caller.
fn asking<T>(snapshot: &Snapshot, known: &Authenticated, question: impl FnOnce(access::DecisionInput<'_>) -> T) -> T {
    let context = request_context(&head("GET", "/bkt/k"), known, snapshot, "us-east-1", now()).unwrap();
    question(access::DecisionInput { caller: &known.caller, snapshot, context: &context, observer: &NoObserver })
}

fn operation(method: &str, target: &str) -> Operation {
    let Routing::S3(operation) = s3::route(&head(method, target), None).unwrap() else { panic!("{target}") };
    operation
}

/// GetObject of this caller.
fn get(who: &str, policies: Policies) -> Result<Permit<Operation>, Box<Refusal>> {
    let world = world(policies);
    asking(&world.snapshot, &known(&world, who, policies[2]), |world| {
        authorize(Resolved::from(operation("GET", "/bkt/k")), world)
    })
}

const ALICE: &str = "User: arn:aws:iam::111122223333:user/alice";
const BOB: &str = "User: arn:aws:iam::444455556666:user/bob";
const ROOT: &str = "User: arn:aws:iam::111122223333:root";
const WORK: &str = "User: arn:aws:sts::111122223333:assumed-role/app/work";
const NOBODY: &str = "The anonymous caller";

#[test]
fn what_a_refusal_says() {
    const GET: &str = "is not authorized to perform: s3:GetObject on resource: \"arn:aws:s3:::bkt/k\"";
    for (who, name, policies, want) in [
        (
            "alice",
            ALICE,
            ["", "", "", ""],
            "implicit_deny: because no identity-based policy allows the s3:GetObject action",
        ),
        (
            "alice",
            ALICE,
            ["allow another", "", "", ""],
            "implicit_deny: because no identity-based policy allows the s3:GetObject action",
        ),
        (
            "alice",
            ALICE,
            ["allow elsewhere", "", "", ""],
            "implicit_deny: because no identity-based policy allows the s3:GetObject action",
        ),
        ("alice", ALICE, ["allow", "", "", ""], "allow by identity"),
        ("alice", ALICE, ["", "allow", "", ""], "allow by resource"),
        ("alice", ALICE, ["allow", "deny another", "", ""], "allow by identity"),
        ("alice", ALICE, ["allow", "", "", "allow"], "allow by identity"),
        ("alice", ALICE, ["deny", "allow", "", ""], "explicit_deny: with an explicit deny in an identity-based policy"),
        ("alice", ALICE, ["allow", "deny", "", ""], "explicit_deny: with an explicit deny in a resource-based policy"),
        (
            "alice",
            ALICE,
            ["allow", "allow", "", "deny"],
            "explicit_deny: with an explicit deny in a permissions boundary",
        ),
        (
            "alice",
            ALICE,
            ["allow", "", "", "allow another"],
            "implicit_deny: because no permissions boundary allows the s3:GetObject action",
        ),
        (
            "session",
            WORK,
            ["", "", "", ""],
            "implicit_deny: because no identity-based policy allows the s3:GetObject action",
        ),
        ("session", WORK, ["allow", "", "", ""], "allow by identity"),
        ("session", WORK, ["allow", "", "allow", ""], "allow by identity"),
        (
            "session",
            WORK,
            ["allow", "", "allow another", ""],
            "implicit_deny: because no session policy allows the s3:GetObject action",
        ),
        ("session", WORK, ["allow", "", "deny", ""], "explicit_deny: with an explicit deny in a session policy"),
        (
            "session",
            WORK,
            ["allow", "deny", "allow", ""],
            "explicit_deny: with an explicit deny in a resource-based policy",
        ),
        (
            "session",
            WORK,
            ["allow", "", "allow", "deny"],
            "explicit_deny: with an explicit deny in a permissions boundary",
        ),
        (
            "bob",
            BOB,
            ["allow", "", "", ""],
            "implicit_deny: because no resource-based policy allows the s3:GetObject action",
        ),
        ("bob", BOB, ["", "allow", "", ""], "allow by resource"),
        ("bob", BOB, ["deny", "allow", "", ""], "explicit_deny: with an explicit deny in an identity-based policy"),
        (
            "bob",
            BOB,
            ["", "allow", "", "allow another"],
            "implicit_deny: because no permissions boundary allows the s3:GetObject action",
        ),
        (
            "nobody",
            NOBODY,
            ["allow", "", "", ""],
            "implicit_deny: because no resource-based policy allows the s3:GetObject action",
        ),
        ("nobody", NOBODY, ["", "allow", "", ""], "allow by resource"),
        (
            "nobody",
            NOBODY,
            ["", "allow another", "", ""],
            "implicit_deny: because no resource-based policy allows the s3:GetObject action",
        ),
        ("nobody", NOBODY, ["", "deny", "", ""], "explicit_deny: with an explicit deny in a resource-based policy"),
        ("root", ROOT, ["", "", "", ""], "allow by root"),
        ("root", ROOT, ["", "deny", "", ""], "explicit_deny: with an explicit deny in a resource-based policy"),
    ] {
        let answer = match get(who, policies) {
            Ok(permit) => format!("{} by {}", outcome_label(permit.decision()), policy_label(permit.decision())),
            Err(refusal) => {
                let error = refusal.to_error("D1");
                assert_eq!((error.code.as_str(), error.status().as_u16()), ("AccessDenied", 403));
                assert_eq!(error.fields, [("DecisionId", "D1".to_owned())]);
                assert_eq!(refusal.unreadable, None);
                let reason =
                    error.message().strip_prefix(&format!("{name} {GET} ")).unwrap_or_else(|| panic!("{error}"));
                format!("{}: {reason}", outcome_label(&refusal.decision))
            }
        };
        assert_eq!(answer, want, "{who} {policies:?}");
    }
}

#[test]
fn policies_that_cannot_be_read_deny_and_say_so() {
    for (who, policies, label, part) in [
        ("alice", ["broken", "allow", "", ""], "identity", "policy `identity`"),
        ("alice", ["allow", "broken", "", ""], "resource", "policy of bucket `bkt`"),
        ("alice", ["allow", "", "", "broken"], "boundary", "policy `limit`"),
        ("session", ["broken", "", "allow", ""], "identity", "policy `identity`"),
        ("session", ["allow", "", "broken", ""], "session", "session policy"),
        ("session", ["allow", "", "allow", "broken"], "boundary", "policy `limit`"),
        ("bob", ["allow", "broken", "", ""], "resource", "policy of bucket `bkt`"),
        ("nobody", ["", "broken", "", ""], "resource", "policy of bucket `bkt`"),
        ("root", ["", "broken", "", ""], "resource", "policy of bucket `bkt`"),
    ] {
        let refusal = get(who, policies).unwrap_err();
        let decided = (outcome_label(&refusal.decision), policy_label(&refusal.decision));
        assert_eq!(decided, ("explicit_deny", label), "{who} {policies:?}");
        let reason = refusal.unreadable.clone().unwrap();
        assert!(reason.contains(part), "{who} {policies:?}: {reason}");
        let message = refusal.to_error("D1").message().to_owned();
        assert!(message.ends_with(&format!("on resource: \"arn:aws:s3:::bkt/k\" because {reason}")), "{message}");
    }
}

/// Who is refused learns who it is, what it asked for, and the kind of policy: no policy's name, statement or text, and nobody's account.
#[test]
fn a_refusal_names_no_more_than_it_should() {
    for word in ["", "deny", "allow another", "deny another"] {
        for who in ["alice", "bob", "session", "nobody"] {
            for policies in
                [["allow", word, "", ""], [word, "", "", ""], ["allow", "allow", "", word], ["allow", "", word, ""]]
            {
                let Err(refusal) = get(who, policies) else { continue };
                let error = refusal.to_error("D1");
                let (message, own) = (error.message(), if who == "bob" { OTHER_ACCOUNT } else { ACCOUNT });
                for hidden in ["Hidden", "identity`", "limit", "AKALICE", ACCOUNT, OTHER_ACCOUNT] {
                    let is_known = who != "nobody" && hidden == own;
                    assert!(is_known || !message.contains(hidden), "{who} {policies:?} learns {hidden}: {message}");
                }
                assert_eq!((error.resource, error.fields.len()), (None, 1));
            }
        }
    }
}

/// What unsigned requests may do: what the bucket gives to everybody, and what the identity `anonymous` has, unless either denies.
#[test]
fn nobody_has_the_bucket_and_the_identity_anonymous() {
    for (identity, bucket, want, could) in [
        ("", "", "implicit_deny by resource", false),
        ("allow", "", "allow by identity", true),
        ("allow another", "", "implicit_deny by resource", false),
        ("allow another", "allow", "allow by resource", true),
        ("allow elsewhere", "", "implicit_deny by resource", true),
        ("allow", "deny", "explicit_deny by resource", true),
        ("deny", "allow", "explicit_deny by identity", true),
        ("deny", "", "explicit_deny by identity", false),
        ("broken", "allow", "explicit_deny by identity", true),
    ] {
        for owner in [ACCOUNT, OTHER_ACCOUNT] {
            let identities = if identity.is_empty() { ROOT_ALONE } else { IDENTITIES };
            let mut world = World::with_identities(identities);
            let identity = (!identity.is_empty()).then(|| policy("of-anonymous", &text(identity, false)));
            world.snapshot = world.snapshot.apply(identity.into_iter().chain([bucket_with(bucket, owner)]));
            let known = known(&world, "nobody", "");
            let need = Requirement::on_resource("s3:GetObject", "arn:aws:s3:::bkt/k".to_owned());
            let decision = asking(&world.snapshot, &known, |world| decide(&need, world));
            let answer = format!("{} by {}", outcome_label(&decision), policy_label(&decision));
            assert_eq!(answer, want, "{bucket} of {owner}");
            // No policy gives the first of them, so the second alone answers.
            let any_of = [Requirement::on_resource("iam:GetUser", "*".to_owned()), need];
            let answer = asking(&world.snapshot, &known, |world| could_be_allowed(&any_of, world)).is_ok();
            assert_eq!(answer, could, "{want}, {bucket} of {owner}: before a body is read");
        }
    }
}

#[test]
fn a_gateway_without_identities_says_how_to_add_one() {
    for (identities, want) in [(r#"{"identities": []}"#, true), (ROOT_ALONE, false)] {
        let world = World::with_identities(identities);
        let known = known(&world, "nobody", "");
        let refusal = asking(&world.snapshot, &known, |world| authorize(Resolved::from(operation("GET", "/")), world));
        let message = refusal.unwrap_err().to_error("D1").message().to_owned();
        assert_eq!(message.contains(". This gateway has no identities"), want, "{message}");
        assert_eq!(message.ends_with("the s3:ListAllMyBuckets action"), !want, "{message}");
    }
}

/// `policy.defaultEffect: "Allow"` opens what no policy speaks of, to those who signed, for S3 alone.
#[test]
fn the_default_effect() {
    for (who, policies, action, want) in [
        ("alice", ["", "", "", ""], "s3:GetObject", "allow by none"),
        ("bob", ["", "", "", ""], "s3:GetObject", "allow by none"),
        ("session", ["", "", "", ""], "s3:GetObject", "allow by none"),
        ("alice", ["", "", "", "allow"], "s3:GetObject", "allow by none"),
        ("alice", ["allow", "", "", ""], "s3:GetObject", "allow by identity"),
        ("nobody", ["", "", "", ""], "s3:GetObject", "implicit_deny by resource"),
        ("alice", ["", "", "", ""], "iam:GetUser", "implicit_deny by identity"),
        ("alice", ["", "", "", ""], "sts:AssumeRole", "implicit_deny by identity"),
        ("alice", ["deny", "", "", ""], "s3:GetObject", "explicit_deny by identity"),
        ("alice", ["", "deny", "", ""], "s3:GetObject", "explicit_deny by resource"),
        ("alice", ["allow", "", "", "allow another"], "s3:GetObject", "implicit_deny by boundary"),
        ("session", ["allow", "", "allow another", ""], "s3:GetObject", "implicit_deny by session"),
    ] {
        let world = world(policies);
        let settings = Settings { default_effect_allow: true, ..world.snapshot.settings().clone() };
        let known = known(&world, who, policies[2]);
        let snapshot = open(settings, policies);
        let need = Requirement::on_resource(action, "arn:aws:s3:::bkt/k".to_owned());
        let decision = asking(&snapshot, &known, |world| decide(&need, world));
        assert_eq!(
            format!("{} by {}", outcome_label(&decision), policy_label(&decision)),
            want,
            "{who} {policies:?} {action}"
        );
        let could = asking(&snapshot, &known, |world| could_be_allowed(&[need], world));
        assert!(could.is_ok() || !decision.is_allow(), "{who} {policies:?} {action}");
        assert!(could.is_ok() || who == "nobody", "{who} {policies:?} {action}");
    }
}

/// The bucket and its policy where this holds for all requests.
fn open(settings: Settings, [_, bucket, ..]: Policies) -> Snapshot {
    Snapshot::new(settings, &iam::Identities::default()).apply([bucket_with(bucket, ACCOUNT)])
}

/// Before a body is read: nobody is refused who could be allowed, and who could not is refused as he would be afterwards.
#[test]
fn who_could_be_allowed() {
    for (who, policies, want) in [
        ("alice", ["", "", "", ""], "implicit_deny: s3:DeleteObject"),
        ("alice", ["allow another", "", "", ""], "implicit_deny: s3:DeleteObject"),
        ("alice", ["allow", "", "", ""], "ok"),
        ("alice", ["allow elsewhere", "", "", ""], "ok"),
        ("alice", ["", "allow elsewhere", "", ""], "ok"),
        ("alice", ["deny", "", "", ""], "explicit_deny: s3:DeleteObject"),
        ("bob", ["", "", "", ""], "implicit_deny: s3:DeleteObject"),
        ("bob", ["", "allow", "", ""], "ok"),
        ("session", ["allow", "", "", ""], "ok"),
        ("session", ["", "", "allow", ""], "implicit_deny: s3:DeleteObject"),
        ("root", ["", "", "", ""], "ok"),
        ("nobody", ["allow", "", "", ""], "implicit_deny: s3:DeleteObject"),
        ("nobody", ["", "allow elsewhere", "", ""], "ok"),
        ("nobody", ["", "allow another", "", ""], "implicit_deny: s3:DeleteObject"),
    ] {
        let world = world(policies);
        let known = known(&world, who, policies[2]);
        let all = |action| Requirement::on_bucket(action, &"bkt".parse().unwrap());
        let any_of = [all("s3:DeleteObject"), all("s3:DeleteObjectVersion")];
        let answer = match asking(&world.snapshot, &known, |world| could_be_allowed(&any_of, world)) {
            Ok(()) => "ok".to_owned(),
            Err(refusal) => format!("{}: {}", outcome_label(&refusal.decision), refusal.action),
        };
        assert_eq!(answer, want, "{who} {policies:?}");
        // The second alone suffices.
        let second = [all("iam:GetUser"), all("s3:DeleteObjectVersion")];
        let could = asking(&world.snapshot, &known, |world| could_be_allowed(&second, world)).is_ok();
        assert_eq!(could, want == "ok", "{who} {policies:?}");
        assert!(asking(&world.snapshot, &known, |world| could_be_allowed(&[], world)).is_ok(), "nothing is needed");
    }
}

#[test]
fn every_permission_is_needed() {
    const COPY: &str = "/bkt/k";
    let copy = || {
        let head = crate::world::with(head("PUT", COPY), "x-amz-copy-source", "/bkt/from");
        let Routing::S3(operation) = s3::route(&head, None).unwrap() else { panic!("no copy") };
        operation
    };
    for (policies, want) in [
        (["allow", "", "", ""], Ok(())),
        // Reading is asked for first, then writing.
        (["allow another", "", "", ""], Err("s3:GetObject arn:aws:s3:::bkt/from")),
        (["allow", "deny another", "", ""], Err("s3:PutObject arn:aws:s3:::bkt/k")),
    ] {
        let world = world(policies);
        let known = known(&world, "alice", "");
        let answer = asking(&world.snapshot, &known, |world| authorize(Resolved::from(copy()), world));
        let refused = answer.as_ref().err().map(|refusal| format!("{} {}", refusal.action, refusal.resource));
        assert_eq!(refused.as_deref(), want.err(), "{policies:?}");
        for need in s3::Needs::permissions(&copy()) {
            let alone = asking(&world.snapshot, &known, |world| check(&need, world));
            let is_refused = want.err() == Some(&format!("{} {}", need.action, need.resource));
            assert!(!is_refused || alone.is_err(), "{policies:?} {need:?}");
            assert!(answer.is_err() || alone.is_ok(), "{policies:?} {need:?}");
        }
    }
}

#[test]
fn a_permit_stays_with_its_operation() {
    let permit = get("alice", ["allow", "", "", ""]).unwrap();
    assert_eq!(permit.operation().name(), "GetObject");
    let decision = *permit.decision();
    let Permitted::GetObject(permit) = Permitted::from(permit) else { panic!("another operation") };
    assert_eq!((permit.operation().target.key.as_str(), *permit.decision()), ("k", decision));
    assert_eq!(Operation::from(permit.into_operation()), operation("GET", "/bkt/k"));
    let world = world(["allow", "", "", ""]);
    let known = known(&world, "alice", "");
    for (method, target) in [("PUT", "/bkt?publicAccessBlock"), ("DELETE", "/bkt"), ("GET", "/bkt/k?acl")] {
        let permit =
            asking(&world.snapshot, &known, |world| authorize(Resolved::from(operation(method, target)), world));
        let name = operation(method, target).name();
        let permitted = Permitted::from(permit.unwrap());
        let found = format!("{permitted:?}");
        let is_listed = matches!(permitted, Permitted::Unsupported(_));
        assert!(found.starts_with(name) || is_listed, "{name}: {found}");
    }
}

#[test]
fn an_operation_that_needs_nothing_itself_is_permitted_to_everybody() {
    struct Nothing;
    impl s3::Needs for Nothing {
        fn permissions(&self) -> Vec<Requirement> {
            Vec::new()
        }
    }
    let world = world(["deny", "deny", "", ""]);
    for who in ["alice", "bob", "nobody"] {
        let permit =
            asking(&world.snapshot, &known(&world, who, ""), |world| authorize(Resolved::from(Nothing), world));
        assert_eq!(policy_label(permit.unwrap().decision()), "none", "{who}");
    }
}

#[derive(Default)]
struct Seen(Mutex<Vec<String>>);

impl DecisionObserver for Seen {
    fn observe(&self, action: &str, decide: &mut dyn FnMut() -> Decision) {
        let decision = decide();
        self.0.lock().unwrap().push(format!("{action} {}", outcome_label(&decision)));
    }
}

#[test]
fn each_decision_is_observed() {
    for (word, want) in [
        ("allow", "s3:GetObject allow"),
        ("deny", "s3:GetObject explicit_deny"),
        ("allow another", "s3:GetObject implicit_deny"),
    ] {
        let world = world([word, "", "", ""]);
        let known = known(&world, "alice", "");
        let seen = Seen::default();
        let answer = asking(&world.snapshot, &known, |world| {
            authorize(Resolved::from(operation("GET", "/bkt/k")), access::DecisionInput { observer: &seen, ..world })
        });
        assert_eq!(answer.is_ok(), word == "allow");
        assert_eq!(*seen.0.lock().unwrap(), [want]);
    }
}

/// Tags are read from the filer before the decision, so only where some policy that applies asks for them.
#[test]
fn who_asks_for_the_tags_of_an_object() {
    const TAGS: &str = "ask for tags";
    for (who, policies, target, want) in [
        ("alice", ["allow", "", "", ""], "/bkt/k", false),
        ("alice", [TAGS, "", "", ""], "/bkt/k", true),
        ("alice", ["allow", TAGS, "", ""], "/bkt/k", true),
        ("alice", ["allow", "", "", TAGS], "/bkt/k", true),
        ("session", ["allow", "", TAGS, ""], "/bkt/k", true),
        ("session", ["allow", "", "allow", ""], "/bkt/k", false),
        ("bob", ["", TAGS, "", ""], "/bkt/k", true),
        ("bob", ["", TAGS, "", ""], "/bkt/k?versionId=v1", true),
        ("nobody", ["", TAGS, "", ""], "/bkt/k", true),
        ("nobody", [TAGS, "", "", ""], "/bkt/k", false),
        ("alice", ["allow", TAGS, "", ""], "/other/k", false),
        ("alice", [TAGS, "", "", ""], "/other/k", true),
        // A bucket has no such tags, and these actions no such key.
        ("alice", [TAGS, "", "", ""], "/bkt", false),
        ("alice", [TAGS, "", "", ""], "/bkt?acl", false),
        ("alice", [TAGS, "", "", ""], "/bkt/k?uploadId=u", false),
    ] {
        let world = world(policies);
        let known = known(&world, who, policies[2]);
        let operation = operation("GET", target);
        let needs = s3::Needs::permissions(&operation);
        let asked = asking(&world.snapshot, &known, |world| Resolved::from(operation).asks_for_tags_of(world));
        let alone =
            asking(&world.snapshot, &known, |world| needs.iter().find_map(|need| asks_for_tags_of(need, world)));
        let version =
            |object: &Target| object.version_id.as_ref().map(|id| format!("?versionId={id}")).unwrap_or_default();
        let named = asked.iter().map(|object| format!("/{}/{}{}", object.bucket, object.key, version(object)));
        let named: Vec<String> = named.collect();
        assert_eq!(named, if want { vec![target.to_owned()] } else { Vec::new() }, "{who} {policies:?}");
        assert_eq!(alone, asked.first().cloned(), "{who} {policies:?}");
    }
}

#[test]
fn the_tags_of_an_object_decide_about_it_alone() {
    let world = world(["allow", "ask for tags", "", ""]);
    let known = known(&world, "alice", "");
    for (bucket, key, version, value, want) in [
        ("bkt", "k", None, "yes", "explicit_deny"),
        ("bkt", "k", None, "no", "allow"),
        ("bkt", "k", Some("v1"), "yes", "allow"),
        ("bkt", "other", None, "yes", "allow"),
        ("other", "k", None, "yes", "allow"),
    ] {
        let answer = asking(&world.snapshot, &known, |world| {
            let mut resolved = Resolved::from(operation("GET", "/bkt/k"));
            let tags = [("secret".to_owned(), value.to_owned())];
            let version_id = version.map(|id: &str| id.parse().unwrap());
            let object = Target { bucket: bucket.parse().unwrap(), key: key.parse().unwrap(), version_id };
            resolved.set_tags(&object, &tags);
            authorize(resolved, world)
        });
        let decision = answer.map_or_else(|refusal| refusal.decision, |permit| *permit.decision());
        assert_eq!(outcome_label(&decision), want, "{bucket}/{key} {version:?} {value}");
    }
    let twice = asking(&world.snapshot, &known, |world| {
        let head = crate::world::with(head("PUT", "/bkt/k"), "x-amz-tagging", "a=b");
        let Routing::S3(operation) = s3::route(&head, None).unwrap() else { panic!("no upload") };
        let needs = s3::Needs::permissions(&operation).len();
        (needs, Resolved::from(operation).asks_for_tags_of(world).len())
    });
    assert_eq!(twice, (2, 1), "asked for once");
}

#[test]
fn the_account_of_a_resource() {
    let world = world(["allow", "", "", ""]);
    for (who, resource, want) in [
        ("bob", "arn:aws:s3:::bkt/k", ACCOUNT),
        ("bob", "arn:aws:s3:::bkt", ACCOUNT),
        // A bucket that does not exist would be created in the caller's account.
        ("bob", "arn:aws:s3:::missing/k", OTHER_ACCOUNT),
        ("alice", "arn:aws:s3:::missing", ACCOUNT),
        ("bob", "*", OTHER_ACCOUNT),
        ("bob", "bkt", OTHER_ACCOUNT),
        ("nobody", "arn:aws:s3:::bkt/k", ACCOUNT),
    ] {
        let need = Requirement::on_resource("s3:GetObject", resource.to_owned());
        let context = asking(&world.snapshot, &known(&world, who, ""), |world| context_of(&need, world).into_owned());
        for key in ["aws:ResourceAccount", "s3:ResourceAccount"] {
            assert_eq!(context.get(key), Some(&[want.to_owned()][..]), "{who} {resource} {key}");
        }
    }
    // A key that the action lacks is not there, however it came.
    let mut sent = Context::new();
    sent.set("s3:prefix", "p");
    sent.set("s3:VersionId", "v");
    // The request is about one bucket; each permission about its own.
    sent.set("aws:ResourceAccount", OTHER_ACCOUNT);
    let known = known(&world, "alice", "");
    let need = Requirement::on_resource("s3:GetObject", "arn:aws:s3:::bkt/k".to_owned());
    let context = asking(&world.snapshot, &known, |world| {
        context_of(&need, access::DecisionInput { context: &sent, ..world }).into_owned()
    });
    assert_eq!((context.get("s3:prefix"), context.get("s3:VersionId")), (None, None));
    assert_eq!(context.get("aws:ResourceAccount"), Some(&[ACCOUNT.to_owned()][..]));
}
