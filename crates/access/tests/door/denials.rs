//! Every operation of S3, asked for by those who may not and by one who may: made from the table of operations, so that a new one is here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use access::{NoObserver, Refusal, Resolved, authorize, check, could_be_allowed, request_context};
use http::request::Parts;
use iam::{Bucket, Change, UserRecord};
use iam_formats::{Facts, StoredDocument};
use s3::{KnownOperation, Needs, Operation, Requirement, Routing};
use serde_json::json;
use sigv4::PayloadHash;

use crate::condition_keys::{self, OPERATIONS};
use crate::world::{ACCOUNT, World, client, now, policy, with};

const OTHER_ACCOUNT: &str = "444455556666";

/// What an administrator of another account may ask for, as it is about that account and nothing of ours.
const OF_THE_CALLERS_ACCOUNT: [&str; 5] = [
    "ListBuckets",
    "ListDirectoryBuckets",
    "GetAccountPublicAccessBlock",
    "PutAccountPublicAccessBlock",
    "DeleteAccountPublicAccessBlock",
];

/// Permissions that are needed together, and who needs them.
struct Asked {
    name: &'static str,
    head: Parts,
    /// What runs; `None` for permissions that only change an answer.
    operation: Option<Operation>,
    needs: Vec<Requirement>,
    /// Of which one must be possible before a body is read.
    first: Vec<Requirement>,
}

impl Asked {
    fn decide(&self, world: access::DecisionInput<'_>) -> Result<(), Box<Refusal>> {
        match &self.operation {
            Some(operation) => authorize(Resolved::from(operation.clone()), world).map(drop),
            None => self.needs.iter().try_for_each(|need| check(need, world).map(drop)),
        }
    }
}

/// The requests of an operation, its body read: what runs on its own, and what changes the answer.
fn asked(head: &Parts, body: Option<&str>) -> Vec<Asked> {
    let Routing::S3(mut operation) = s3::route(head, None).unwrap() else { panic!("{head:?}") };
    let (name, first) = (operation.name(), operation.first_needs());
    // What is written to a configuration that is not supported changes no permission.
    if operation.body_limit().is_some() && !matches!(operation, Operation::Unsupported(_)) {
        operation.read_body(body.unwrap_or_else(|| panic!("{name} has no body here")).as_bytes()).unwrap();
    }
    let asked = |operation: Option<Operation>, needs: Vec<Requirement>| {
        let head = with(head.clone(), "host", "s3.test");
        Asked { name, head, operation, needs, first: first.clone() }
    };
    let mut all: Vec<Asked> = match &operation {
        Operation::DeleteObjects(deletes) => {
            let objects = deletes.request.objects.iter();
            let each = objects.map(|object| Operation::from(deletes.delete_at(object.key.clone().unwrap(), object)));
            each.map(|one| asked(Some(one.clone()), one.permissions())).collect()
        }
        _ => vec![asked(Some(operation.clone()), operation.permissions())],
    };
    all.extend(operation.conditional().into_iter().map(|also| asked(None, vec![also.requirement])));
    all
}

/// Every operation, with and without a version, and again with all that adds permissions.
fn everything() -> Vec<Asked> {
    let rows: Vec<(Parts, &str)> = OPERATIONS.iter().map(|row| (condition_keys::head(row, None), row.4)).collect();
    let bodies: BTreeMap<&str, &str> = rows
        .iter()
        .filter(|(_, body)| !body.is_empty())
        .map(|(head, body)| (asked(head, Some(body))[0].name, *body))
        .collect();
    let mut all: Vec<Asked> = rows.iter().flat_map(|(head, body)| asked(head, Some(body))).collect();
    for known in KnownOperation::all() {
        for of_version in [false, true] {
            let Some(mut head) = testkit::operations::example(&known, of_version) else { continue };
            head.headers.insert("if-match", "\"e\"".parse().unwrap());
            all.extend(asked(&head, bodies.get(known.name).copied()));
        }
    }
    all
}

/// The one who may (`exact`), one of the same account without any policy, and an administrator of another account.
fn world() -> World {
    let user = |name: &str, account: &str, policies: &str| {
        let json = format!(
            r#"{{"name":"{name}","account":{{"id":"{account}"}},"policyNames":[{policies}],
                "credentials":[{{"accessKey":"AK{name}","secretKey":"AK{name} secret"}}]}}"#
        );
        Change::User(name.into(), Some(Ok(UserRecord::parse(&json, Facts::default()).unwrap())))
    };
    let bucket = |name: &str| Change::Bucket(name.into(), Some(Arc::new(Bucket::new(name, ACCOUNT, 0))));
    let mut world = World::new();
    world.snapshot = world.snapshot.apply([
        user("exact", ACCOUNT, r#""exact""#),
        user("stranger", ACCOUNT, ""),
        user("foreign", OTHER_ACCOUNT, r#""all""#),
        policy("all", &allowing([("*", "*")])),
        bucket("bkt"),
        bucket("src"),
    ]);
    world
}

fn allowing<'a>(permissions: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let statement = |(action, resource)| json!({"Effect": "Allow", "Action": action, "Resource": resource});
    let statements: Vec<_> = permissions.into_iter().map(statement).collect();
    json!({"Version": "2012-10-17", "Statement": statements}).to_string()
}

fn denying((action, resource): (&str, &str)) -> String {
    let all = json!({"Effect": "Allow", "Action": "*", "Resource": "*"});
    let one = json!({"Effect": "Deny", "Action": action, "Resource": resource});
    json!({"Version": "2012-10-17", "Statement": [all, one]}).to_string()
}

/// The answer to a request of this caller, authenticated by the request itself.
fn answer(world: &World, asked: &Asked, who: &str) -> Result<(), Box<Refusal>> {
    with_world(world, asked, who, |world| asked.decide(world))
}

fn with_world<T>(world: &World, asked: &Asked, who: &str, question: impl FnOnce(access::DecisionInput<'_>) -> T) -> T {
    let known = match who {
        "nobody" => world.authenticate(&asked.head),
        who => world.authenticate(&client(&format!("AK{who}")).sign(asked.head.clone(), PayloadHash::Unsigned)),
    };
    let known = known.unwrap_or_else(|error| panic!("{}: {error}", asked.name));
    let mut context = request_context(&asked.head, &known, &world.snapshot, "us-east-1", now()).unwrap();
    if let Some(operation) = &asked.operation {
        s3::set_condition_keys(operation, &asked.head, Some(now().as_second()), &mut context).unwrap();
    }
    question(access::DecisionInput {
        caller: &known.caller,
        snapshot: &world.snapshot,
        context: &context,
        observer: &NoObserver,
    })
}

#[test]
fn every_operation_is_for_whom_its_permissions_are() {
    let mut world = world();
    let without_exact = world.snapshot.clone();
    let (mut seen, mut rows) = (BTreeSet::new(), 0);
    for asked in everything() {
        let name = asked.name;
        let needs: BTreeSet<(&str, &str)> = asked.needs.iter().map(|need| (need.action, &*need.resource)).collect();
        assert!(!needs.is_empty(), "{name} needs no permission");
        for who in ["nobody", "stranger", "foreign"] {
            let refused = answer(&world, &asked, who);
            if who == "foreign" && OF_THE_CALLERS_ACCOUNT.contains(&name) {
                assert!(refused.is_ok(), "{name} by {who}: it stands in the list for nothing");
                continue;
            }
            let refusal = refused.expect_err(&format!("{name} by {who}"));
            assert_eq!(refusal.to_error("D1").status().as_u16(), 403);
            assert!(needs.contains(&(&*refusal.action, &*refusal.resource)), "{name}: {}", refusal.action);
        }
        world.snapshot = without_exact.apply([policy("exact", &allowing(needs.iter().copied()))]);
        answer(&world, &asked, "exact").unwrap_or_else(|refusal| panic!("{name}: {:?}", refusal.to_error("D1")));
        for missing in &needs {
            let rest = needs.iter().copied().filter(|need| need != missing);
            for text in [allowing(rest.chain([("s3:None", "*")])), denying(*missing)] {
                world.snapshot = without_exact.apply([policy("exact", &text)]);
                let refusal = answer(&world, &asked, "exact").expect_err(&format!("{name} without {missing:?}"));
                assert_eq!((&*refusal.action, &*refusal.resource), *missing, "{name}");
                rows += 1;
            }
        }
        world.snapshot = without_exact.clone();
        seen.insert(name);
    }
    let known: BTreeSet<&str> = KnownOperation::all().map(|known| known.name).collect();
    assert_eq!(seen, known, "each operation was asked for");
    assert!(rows > 300, "{rows} permissions");
}

/// Before a body is read, those are refused who cannot pass afterwards, and nobody who can.
#[test]
fn before_a_body_is_read() {
    let mut world = world();
    let without_exact = world.snapshot.clone();
    for asked in everything().into_iter().filter(|asked| asked.operation.is_some()) {
        let could =
            |world: &World, who: &str| with_world(world, &asked, who, |world| could_be_allowed(&asked.first, world));
        for who in ["nobody", "stranger"] {
            assert!(could(&world, who).is_err(), "{} by {who}", asked.name);
        }
        let needs = asked.needs.iter().map(|need| (need.action, &*need.resource));
        world.snapshot = without_exact.apply([policy("exact", &allowing(needs))]);
        assert!(could(&world, "exact").is_ok(), "{}", asked.name);
        world.snapshot = without_exact.clone();
    }
}
