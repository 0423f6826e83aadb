//! Access control lists in the one decision, compared with a naive evaluator that knows no indexes and no shortcuts.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::sync::Arc;

use ids::{AccountId, AclGrant, AclGroup, AclPermission, Grantee};
use policy::{
    Acl, AclSubject, Action, CompiledPolicy, Context, CrossAccount, Decision, Policy, PolicyKind, PolicySet,
    PolicyType, Principal, Request, could_allow, decide,
};
use proptest::prelude::*;
use proptest::sample::select;

const OWNER: &str = "111122223333";
const OTHER: &str = "444455556666";

fn account(number: &str) -> AccountId {
    number.parse().unwrap()
}

/// A policy that says one thing about everything.
fn policy(kind: PolicyKind, word: &str) -> Option<CompiledPolicy> {
    let who = |principal: &str| format!(r#""Effect":"Allow","Principal":{principal}"#);
    let (effect, action) = match word {
        "" => return None,
        "allow" if kind == PolicyKind::Bucket => (who("\"*\""), "*"),
        "allow account" => (who(&format!(r#"{{"AWS":["{OWNER}","{OTHER}"]}}"#)), "*"),
        "deny" if kind == PolicyKind::Bucket => (r#""Effect":"Deny","Principal":"*""#.to_owned(), "*"),
        "allow" => (r#""Effect":"Allow""#.to_owned(), "*"),
        "deny" => (r#""Effect":"Deny""#.to_owned(), "*"),
        "silent" => (r#""Effect":"Allow""#.to_owned(), "s3:CreateBucket"),
        other => panic!("{other}"),
    };
    let text = format!(r#"{{"Version":"2012-10-17","Statement":{{{effect},"Action":"{action}","Resource":"*"}}}}"#);
    Some(Policy::parse_stored(kind, &text).unwrap().compile())
}

#[derive(Debug, Clone)]
struct World {
    principal: &'static str,
    action: &'static str,
    identity: &'static str,
    resource: &'static str,
    boundary: &'static str,
    session: &'static str,
    grants: Vec<AclGrant>,
    of: AclSubject,
    is_foreign: bool,
    is_restricted: bool,
    both: bool,
}

impl World {
    /// The account that owns the object or bucket.
    fn resource_account(&self) -> &'static str {
        if self.is_foreign { OTHER } else { OWNER }
    }

    fn with_policies<T>(&self, question: impl Fn(&PolicySet<'_>, &Request<'_>) -> T) -> T {
        let identity: Vec<_> = policy(PolicyKind::Identity, self.identity).into_iter().map(Arc::new).collect();
        let [boundary, session] = [(PolicyKind::Boundary, self.boundary), (PolicyKind::Session, self.session)]
            .map(|(kind, word)| policy(kind, word));
        let resource = policy(PolicyKind::Bucket, self.resource);
        let policies = PolicySet {
            identity: &identity,
            resource: resource.as_ref(),
            session: session.as_ref(),
            boundary: boundary.as_ref(),
            cross_account: if self.both { CrossAccount::Both } else { CrossAccount::ResourcePolicy },
            acl: Some(Acl { grants: &self.grants, of: self.of }),
            is_foreign: self.is_foreign,
            restricted_to: self.is_restricted.then(|| account(OWNER)),
        };
        let request = Request {
            principal: &self.principal.parse().unwrap(),
            principal_id: None,
            principal_canonical_id: None,
            action: Action::named(self.action).unwrap().into(),
            resource: "arn:aws:s3:::b/k",
            resource_account: account(self.resource_account()),
            context: &Context::new(),
        };
        question(&policies, &request)
    }

    fn decide(&self) -> Decision {
        self.with_policies(decide)
    }

    /// What the caller needs to be granted, from AWS's table, one row a line.
    fn wanted(&self) -> &'static str {
        match (self.of, self.action) {
            (AclSubject::Bucket, "s3:ListBucket" | "s3:ListBucketVersions" | "s3:ListBucketMultipartUploads") => "READ",
            (AclSubject::Bucket | AclSubject::BucketOfNewObject, "s3:PutObject") => "WRITE",
            (AclSubject::BucketOfNewObject, "s3:PutObjectAcl") => "WRITE",
            (AclSubject::Bucket, "s3:GetBucketAcl") => "READ_ACP",
            (AclSubject::Bucket, "s3:PutBucketAcl") => "WRITE_ACP",
            (AclSubject::Object, "s3:GetObject" | "s3:GetObjectVersion") => "READ",
            (AclSubject::Object, "s3:GetObjectAcl" | "s3:GetObjectVersionAcl") => "READ_ACP",
            (AclSubject::Object, "s3:PutObjectAcl" | "s3:PutObjectVersionAcl") => "WRITE_ACP",
            _ => "nothing",
        }
    }

    /// The same decision, written down as the pages say it.
    fn naive(&self) -> bool {
        let caller: Principal = self.principal.parse().unwrap();
        let of = caller.account();
        let is_granted = |to: &dyn Fn(&Grantee) -> bool| {
            let covers = |grant: &AclGrant| ["FULL_CONTROL", self.wanted()].contains(&grant.permission.as_str());
            self.wanted() != "nothing" && self.grants.iter().any(|grant| covers(grant) && to(&grant.grantee))
        };
        let by_group = is_granted(&|to| match to {
            Grantee::Group(AclGroup::AllUsers) => true,
            Grantee::Group(AclGroup::AuthenticatedUsers) => of.is_some(),
            _ => false,
        });
        let by_account = is_granted(&|to| of.is_some_and(|of| *to == Grantee::Account(of)));
        let has_policies = of.is_some();
        let denies = [self.boundary, self.session, self.resource].contains(&"deny");
        if denies || has_policies && self.identity == "deny" {
            return false;
        }
        if self.is_restricted && of != Some(account(OWNER)) {
            return false;
        }
        let everyone = self.resource == "allow" && !self.is_foreign;
        let accounts = self.resource == "allow account" && !self.is_foreign;
        let Some(of) = of else { return everyone || by_group };
        let is_root = self.principal.ends_with(":root");
        let identity = self.identity == "allow";
        let limited = [self.boundary, self.session].contains(&"silent");
        if of == account(self.resource_account()) {
            return everyone || is_root || !limited && (identity || by_group);
        }
        let chosen = identity || is_root;
        let granted = (everyone || by_group) && (chosen || !self.both) || (accounts || by_account) && chosen;
        granted && !limited
    }
}

fn grant() -> impl Strategy<Value = AclGrant> {
    let groups = [AclGroup::AllUsers, AclGroup::AuthenticatedUsers, AclGroup::LogDelivery].map(Grantee::Group);
    let accounts = [OWNER, OTHER, "999999999999"].map(|number| Grantee::Account(account(number)));
    let unknown = [Grantee::Unknown("alice".into())];
    let grantees: Vec<Grantee> = groups.into_iter().chain(accounts).chain(unknown).collect();
    (select(grantees), select(AclPermission::ALL.to_vec()))
        .prop_map(|(grantee, permission)| AclGrant { grantee, permission })
}

fn world() -> impl Strategy<Value = World> {
    let principals = vec![
        "anonymous",
        "arn:aws:iam::111122223333:root",
        "arn:aws:iam::111122223333:user/a",
        "arn:aws:iam::444455556666:root",
        "arn:aws:iam::444455556666:user/b",
        "arn:aws:sts::444455556666:assumed-role/app/s",
    ];
    let actions = vec![
        "s3:ListBucket",
        "s3:ListBucketVersions",
        "s3:ListBucketMultipartUploads",
        "s3:PutObject",
        "s3:GetBucketAcl",
        "s3:PutBucketAcl",
        "s3:GetObject",
        "s3:GetObjectVersion",
        "s3:GetObjectAcl",
        "s3:GetObjectVersionAcl",
        "s3:PutObjectAcl",
        "s3:PutObjectVersionAcl",
        "s3:DeleteObject",
        "s3:PutBucketCORS",
        "s3:GetObjectTagging",
    ];
    let subjects = vec![AclSubject::Bucket, AclSubject::BucketOfNewObject, AclSubject::Object];
    let words = || select(vec!["", "", "allow", "silent", "deny"]);
    let resource = select(vec!["", "", "", "allow", "allow account", "deny"]);
    (
        (select(principals), select(actions), words(), resource, words(), words()),
        (
            prop::collection::vec(grant(), 0..4),
            select(subjects),
            any::<bool>(),
            prop::bool::weighted(0.2),
            any::<bool>(),
        ),
    )
        .prop_map(
            |(
                (principal, action, identity, resource, boundary, session),
                (grants, of, foreign, is_restricted, both),
            )| World {
                principal,
                action,
                identity,
                resource,
                // Nobody without an account has a boundary or a session.
                boundary: if principal == "anonymous" { "" } else { boundary },
                session: if principal == "anonymous" { "" } else { session },
                grants,
                of,
                is_foreign: foreign && of == AclSubject::Object,
                is_restricted,
                both,
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn acls_are_decided_as_a_naive_evaluator_decides(world in world()) {
        let decision = world.decide();
        prop_assert_eq!(decision.is_allow(), world.naive(), "{:?}", decision);
        // Whoever is refused before the body is read would have been refused afterwards.
        prop_assert!(!decision.is_allow() || world.with_policies(could_allow));
        if let Decision::Allow { by } = decision && by.policy == PolicyType::Acl {
            prop_assert!((by.statement as usize) < world.grants.len());
        }
    }
}

/// Every Deny, by every kind of policy, wins over every grant.
#[test]
fn no_grant_lifts_a_deny() {
    let grants = vec![
        AclGrant::to_group(AclGroup::AllUsers, AclPermission::FullControl),
        AclGrant::to_account(account(OTHER), AclPermission::FullControl),
    ];
    let open = World {
        principal: "arn:aws:iam::444455556666:user/b",
        action: "s3:GetObject",
        identity: "allow",
        resource: "allow",
        boundary: "allow",
        session: "allow",
        grants,
        of: AclSubject::Object,
        is_foreign: false,
        is_restricted: false,
        both: false,
    };
    assert!(open.decide().is_allow());
    for (world, want) in [
        (World { identity: "deny", ..open.clone() }, PolicyType::Identity(0)),
        (World { resource: "deny", ..open.clone() }, PolicyType::Resource),
        (World { boundary: "deny", ..open.clone() }, PolicyType::Boundary),
        (World { session: "deny", ..open.clone() }, PolicyType::Session),
        (
            World { resource: "deny", principal: "anonymous", boundary: "", session: "", ..open.clone() },
            PolicyType::Resource,
        ),
        (World { resource: "deny", is_foreign: true, action: "s3:PutObjectAcl", ..open.clone() }, PolicyType::Resource),
    ] {
        let decision = world.decide();
        assert!(matches!(decision, Decision::ExplicitDeny { by } if by.policy == want), "{world:?} {decision:?}");
    }
    // Limits are no denials, but no grant gets around them.
    for (world, want) in [
        (World { boundary: "silent", ..open.clone() }, PolicyType::Boundary),
        (World { session: "silent", ..open.clone() }, PolicyType::Session),
        (World { is_restricted: true, ..open }, PolicyType::PublicAccessBlock),
    ] {
        let decision = world.decide();
        assert_eq!(decision, Decision::ImplicitDeny { missing: want }, "{world:?}");
    }
}

#[test]
fn a_grant_that_decides_is_named() {
    let world = World {
        principal: "anonymous",
        action: "s3:ListBucket",
        identity: "",
        resource: "",
        boundary: "",
        session: "",
        grants: vec![
            AclGrant::to_account(account(OWNER), AclPermission::FullControl),
            AclGrant::to_group(AclGroup::AllUsers, AclPermission::Read),
        ],
        of: AclSubject::Bucket,
        is_foreign: false,
        is_restricted: false,
        both: false,
    };
    let told = world.with_policies(|policies, request| policy::explain(policies, request).summary);
    assert_eq!(told, "allowed by grant 1 of the ACL");
}
