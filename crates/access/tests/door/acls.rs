//! Owners and ACLs of objects: whose are read before a decision, and what they change.

use std::sync::Arc;

use access::{DecisionInput, NoObserver, Resolved, authorize, policy_label};
use iam::{Bucket, BucketAcl, BucketPolicy, Caller, Change, Snapshot};
use ids::{AccessControlList, AccountId, AclGrant, AclGroup, AclPermission, Ownership, PublicAccessBlock};
use policy::Context;
use s3::{ExistingObject, Operation, Requirement, Routing, Target};

use crate::world::{ACCOUNT, World, head};

const OTHER: &str = "444455556666";

/// The bucket `bkt` of Alice's account.
fn snapshot(ownership: Option<Ownership>, ignores_public_acls: bool) -> Snapshot {
    let block = PublicAccessBlock { ignore_public_acls: ignores_public_acls, ..Default::default() };
    let bucket =
        Bucket { ownership_controls: ownership, public_access_block: Some(block), ..Bucket::new("bkt", ACCOUNT, 0) };
    World::new().snapshot.apply([Change::Bucket("bkt".into(), Some(Arc::new(bucket)))])
}

fn operation(method: &str, target: &str, copies: bool) -> Operation {
    let mut head = head(method, target);
    if copies {
        head.headers.insert("x-amz-copy-source", "bkt/source".parse().unwrap());
    }
    head.headers.insert("x-amz-acl", "private".parse().unwrap());
    match s3::route(&head, None).unwrap() {
        Routing::S3(operation) => operation,
        other => panic!("{other:?}"),
    }
}

/// Where the bucket's owner owns everything nothing is read, so that no request costs more than before.
#[test]
fn whose_owner_and_acl_are_read() {
    for (method, target, copies, want) in [
        ("GET", "/bkt/k", false, vec!["bkt/k"]),
        ("HEAD", "/bkt/k", false, vec!["bkt/k"]),
        ("GET", "/bkt/k?versionId=v", false, vec!["bkt/k@v"]),
        ("GET", "/bkt/k?acl", false, vec!["bkt/k"]),
        ("PUT", "/bkt/k?acl", false, vec!["bkt/k"]),
        // A new object has no ACL yet.
        ("PUT", "/bkt/k", false, vec![]),
        ("POST", "/bkt/k?uploads", false, vec![]),
        ("PUT", "/bkt/k", true, vec!["bkt/source"]),
        ("DELETE", "/bkt/k", false, vec![]),
        ("GET", "/bkt/k?tagging", false, vec![]),
        ("GET", "/bkt", false, vec![]),
        ("GET", "/elsewhere/k", false, vec![]),
    ] {
        for ownership in [None, Some(Ownership::BucketOwnerEnforced), Some(Ownership::ObjectWriter)] {
            let snapshot = snapshot(ownership, false);
            let caller = Caller::of(snapshot.user("alice").unwrap());
            let world =
                DecisionInput { caller: &caller, snapshot: &snapshot, context: &Context::new(), observer: &NoObserver };
            let asked = Resolved::from(operation(method, target, copies)).asks_for_acl_of(world);
            let asked: Vec<String> = asked
                .iter()
                .map(|object| match &object.version_id {
                    Some(version) => format!("{}/{}@{version}", object.bucket, object.key),
                    None => format!("{}/{}", object.bucket, object.key),
                })
                .collect();
            let want = if ownership == Some(Ownership::ObjectWriter) { want.clone() } else { vec![] };
            assert_eq!(asked, want, "{method} {target} {ownership:?}");
        }
    }
}

/// What was read counts as the ownership says at the moment of the decision.
#[test]
fn what_was_read_decides() {
    let public = AclGrant::to_group(AclGroup::AllUsers, AclPermission::Read);
    let list = AccessControlList { grants: vec![public] };
    let account = |number: &str| number.parse::<AccountId>().unwrap();
    for (ownership, ignores, owner, who, allowed) in [
        (Ownership::ObjectWriter, false, ACCOUNT, "bob", true),
        (Ownership::BucketOwnerPreferred, false, OTHER, "bob", true),
        (Ownership::BucketOwnerEnforced, false, ACCOUNT, "bob", false),
        (Ownership::ObjectWriter, true, ACCOUNT, "bob", false),
        (Ownership::ObjectWriter, true, OTHER, "alice", false),
    ] {
        let snapshot = snapshot(Some(ownership), ignores);
        let caller = Caller::of(snapshot.user(who).unwrap());
        let world =
            DecisionInput { caller: &caller, snapshot: &snapshot, context: &Context::new(), observer: &NoObserver };
        let mut resolved = Resolved::from(operation("GET", "/bkt/k", false));
        let object = ExistingObject { owner: account(owner), acl: list.clone() };
        for target in resolved.asks_for_acl_of(world) {
            resolved.set_object(&target, &object);
        }
        assert_eq!(authorize(resolved, world).is_ok(), allowed, "{ownership:?} {ignores} {owner} {who}");
    }
}

/// A bucket policy gives away what belongs to the bucket's owner, and denies what belongs to others too.
#[test]
fn a_bucket_policy_gives_away_no_object_of_another_account() {
    for (owner, effect, allowed) in [(ACCOUNT, "Allow", true), (OTHER, "Allow", false), (OTHER, "Deny", false)] {
        let statement =
            format!(r#"{{"Effect":"{effect}","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::bkt/*"}}"#);
        let text = format!(r#"{{"Version":"2012-10-17","Statement":[{statement}]}}"#);
        let policy = Some(BucketPolicy::read("bkt", text.as_bytes(), None, None));
        let ownership_controls = Some(Ownership::ObjectWriter);
        let bucket = Bucket { policy, ownership_controls, ..Bucket::new("bkt", ACCOUNT, 0) };
        let snapshot = World::new().snapshot.apply([Change::Bucket("bkt".into(), Some(Arc::new(bucket)))]);
        let caller = Caller::of(snapshot.user("alice").unwrap());
        let context = Context::new();
        let input = DecisionInput { caller: &caller, snapshot: &snapshot, context: &context, observer: &NoObserver };
        let mut resolved = Resolved::from(operation("GET", "/bkt/k", false));
        let object = ExistingObject { owner: owner.parse().unwrap(), acl: AccessControlList::default() };
        for target in resolved.asks_for_acl_of(input) {
            resolved.set_object(&target, &object);
        }
        assert_eq!(authorize(resolved, input).is_ok(), allowed, "{owner} {effect}");
    }
}

/// What is read of one object counts for its permissions alone.
#[test]
fn the_acl_of_an_object_counts_for_it_alone() {
    let public = AclGrant::to_group(AclGroup::AllUsers, AclPermission::FullControl);
    let object = ExistingObject { owner: ACCOUNT.parse().unwrap(), acl: AccessControlList { grants: vec![public] } };
    let snapshot = snapshot(Some(Ownership::ObjectWriter), false);
    let caller = Caller::of(snapshot.user("bob").unwrap());
    let input = DecisionInput { caller: &caller, snapshot: &snapshot, context: &Context::new(), observer: &NoObserver };
    for (method, path, bucket, key, version, allowed) in [
        ("GET", "/bkt/k", "bkt", "k", None, true),
        ("GET", "/bkt/k", "other", "k", None, false),
        ("GET", "/bkt/k", "bkt", "other", None, false),
        ("GET", "/bkt/k", "bkt", "k", Some("v"), false),
        ("GET", "/bkt/k?versionId=v", "bkt", "k", Some("v"), true),
        ("GET", "/bkt/k?acl", "bkt", "k", None, true),
        ("PUT", "/bkt/k?acl", "bkt", "k", None, true),
        // Who may read an object may not replace it, nor delete it, nor read its tags.
        ("PUT", "/bkt/k", "bkt", "k", None, false),
        ("DELETE", "/bkt/k", "bkt", "k", None, false),
        ("GET", "/bkt/k?tagging", "bkt", "k", None, false),
    ] {
        let mut resolved = Resolved::from(operation(method, path, false));
        let version_id = version.map(|version: &str| version.parse().unwrap());
        let target = Target { bucket: bucket.parse().unwrap(), key: key.parse().unwrap(), version_id };
        resolved.set_object(&target, &object);
        assert_eq!(authorize(resolved, input).is_ok(), allowed, "{method} {path}, {bucket}/{key} {version:?}");
    }
}

#[test]
fn what_the_acl_of_a_bucket_gives() {
    use AclPermission::{Read, ReadAcp, Write, WriteAcp};
    for (method, path, gives) in [
        ("GET", "/bkt", Some(Read)),
        ("GET", "/bkt?acl", Some(ReadAcp)),
        ("PUT", "/bkt?acl", Some(WriteAcp)),
        // Who may write an object may say who else may read it.
        ("PUT", "/bkt/k", Some(Write)),
        ("GET", "/bkt/k", None),
        ("PUT", "/bkt/k?acl", None),
        ("DELETE", "/bkt/k", None),
        ("DELETE", "/bkt", None),
    ] {
        for permission in [Read, Write, ReadAcp, WriteAcp] {
            for ownership in [Ownership::ObjectWriter, Ownership::BucketOwnerEnforced] {
                let list =
                    Arc::new(AccessControlList { grants: vec![AclGrant::to_group(AclGroup::AllUsers, permission)] });
                let acl = Some(BucketAcl { text: "".into(), list });
                let bucket = Bucket { acl, ownership_controls: Some(ownership), ..Bucket::new("bkt", ACCOUNT, 0) };
                let snapshot = World::new().snapshot.apply([Change::Bucket("bkt".into(), Some(Arc::new(bucket)))]);
                let caller = Caller::of(snapshot.user("bob").unwrap());
                let context = Context::new();
                let input =
                    DecisionInput { caller: &caller, snapshot: &snapshot, context: &context, observer: &NoObserver };
                let answer = authorize(Resolved::from(operation(method, path, false)), input);
                let want = ownership == Ownership::ObjectWriter && gives == Some(permission);
                assert_eq!(answer.is_ok(), want, "{method} {path} {permission:?} {ownership:?}");
                let decided = answer.map(|permit| policy_label(permit.decision())).unwrap_or("acl");
                assert_eq!(decided, "acl");
            }
        }
    }
}

/// Each object is asked for once, whatever the number of permissions about it.
#[test]
fn an_object_is_read_once() {
    struct Several;
    impl s3::Needs for Several {
        fn permissions(&self) -> Vec<Requirement> {
            let get = |key: &str| {
                Requirement::on_object("s3:GetObject", &"bkt".parse().unwrap(), &key.parse().unwrap(), None)
            };
            vec![get("k"), get("other"), get("k")]
        }
    }
    let snapshot = snapshot(Some(Ownership::ObjectWriter), false);
    let caller = Caller::of(snapshot.user("alice").unwrap());
    let input = DecisionInput { caller: &caller, snapshot: &snapshot, context: &Context::new(), observer: &NoObserver };
    let asked = Resolved::from(Several).asks_for_acl_of(input);
    assert_eq!(asked.iter().map(|target| target.key.as_str()).collect::<Vec<_>>(), ["k", "other"]);
}
