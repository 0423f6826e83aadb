//! Owners and ACLs of objects: whose are read before a decision, and what they change.

use std::sync::Arc;

use access::{DecisionInput, NoObserver, Resolved, authorize};
use iam::{Bucket, Caller, Change, Snapshot};
use ids::{AccessControlList, AccountId, AclGrant, AclGroup, AclPermission, Ownership, PublicAccessBlock};
use policy::Context;
use s3::{ExistingObject, Operation, Routing};

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
