//! What the corpus does not cover: who decided, the gateway's own cross-account rule, unreadable policies, mentions.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::sync::Arc;

use policy::{
    Action, CompiledPolicy, Context, CrossAccount, Decision, Policy, PolicyKind, PolicySet, PolicyType, Principal,
    Request, RequestAction, decide, decide_trust, explain,
};

const ALICE: &str = "arn:aws:iam::111122223333:user/alice";
const DAVE: &str = "arn:aws:iam::444455556666:user/dave";

fn compiled(kind: PolicyKind, statements: &str) -> CompiledPolicy {
    let text = format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#);
    Policy::parse_stored(kind, &text).unwrap_or_else(|error| panic!("{error}: {text}")).compile()
}

#[derive(Default)]
struct World {
    identity: Vec<Arc<CompiledPolicy>>,
    resource: Option<CompiledPolicy>,
    session: Option<CompiledPolicy>,
    boundary: Option<CompiledPolicy>,
    cross_account: CrossAccount,
}

impl World {
    fn set(&self) -> PolicySet<'_> {
        PolicySet {
            identity: &self.identity,
            resource: self.resource.as_ref(),
            session: self.session.as_ref(),
            boundary: self.boundary.as_ref(),
            cross_account: self.cross_account,
            ..PolicySet::default()
        }
    }

    fn ask(&self, principal: &str, action: &str, resource: &str) -> Decision {
        let principal: Principal = principal.parse().unwrap();
        let context = Context::new();
        decide(&self.set(), &request(&principal, action, resource, &context))
    }
}

fn request<'a>(principal: &'a Principal, action: &str, resource: &'a str, context: &'a Context) -> Request<'a> {
    Request {
        principal,
        principal_id: None,
        principal_canonical_id: None,
        action: Action::named(action).unwrap().into(),
        resource,
        resource_account: "111122223333".parse().unwrap(),
        context,
    }
}

/// `Allow identity[1].0`, `ExplicitDeny session.2`, `ImplicitDeny Resource` and so on.
fn show(decision: Decision) -> String {
    let policy = |policy| match policy {
        PolicyType::Identity(place) => format!("identity[{place}]"),
        other => format!("{other:?}").to_lowercase(),
    };
    match decision {
        Decision::Allow { by } => format!("Allow {}.{}", policy(by.policy), by.statement),
        Decision::ExplicitDeny { by } => format!("ExplicitDeny {}.{}", policy(by.policy), by.statement),
        Decision::ImplicitDeny { missing } => format!("ImplicitDeny {}", policy(missing)),
    }
}

fn allow(tail: &str) -> String {
    format!(r#"{{"Effect":"Allow",{tail}}}"#)
}

fn deny(tail: &str) -> String {
    format!(r#"{{"Effect":"Deny",{tail}}}"#)
}

const ALL: &str = r#""Action":"*","Resource":"*""#;
const OTHER: &str = r#""Action":"ec2:*","Resource":"*""#;
const OBJECT: &str = "arn:aws:s3:::b/k";

fn to(principal: &str, tail: &str) -> String {
    allow(&format!(r#""Principal":{principal},{tail}"#))
}

#[test]
fn the_first_statement_that_decides_is_named() {
    let mut world = World::default();
    assert_eq!(show(world.ask(ALICE, "s3:GetObject", OBJECT)), "ImplicitDeny identity[0]");
    assert_eq!(show(world.ask("anonymous", "s3:GetObject", OBJECT)), "ImplicitDeny resource");
    assert_eq!(show(world.ask("arn:aws:iam::111122223333:root", "s3:GetObject", OBJECT)), "Allow root.0");
    assert_eq!(show(world.ask(ALICE, "sts:GetCallerIdentity", "*")), "Allow notneeded.0");
    world.identity = vec![
        Arc::new(compiled(PolicyKind::Identity, &allow(OTHER))),
        Arc::new(compiled(PolicyKind::Identity, &[allow(OTHER), allow(ALL), allow(ALL)].join(","))),
    ];
    assert_eq!(show(world.ask(ALICE, "s3:GetObject", OBJECT)), "Allow identity[1].1");
    world.boundary = Some(compiled(PolicyKind::Boundary, &allow(OTHER)));
    assert_eq!(show(world.ask(ALICE, "s3:GetObject", OBJECT)), "ImplicitDeny boundary");
    world.boundary = None;
    world.session = Some(compiled(PolicyKind::Session, &allow(OTHER)));
    assert_eq!(show(world.ask(ALICE, "s3:GetObject", OBJECT)), "ImplicitDeny session");
    world.boundary = Some(compiled(PolicyKind::Boundary, &[allow(OTHER), deny(ALL)].join(",")));
    assert_eq!(show(world.ask(ALICE, "s3:GetObject", OBJECT)), "ExplicitDeny boundary.1");
    world.session = Some(compiled(PolicyKind::Session, &deny(ALL)));
    assert_eq!(show(world.ask(ALICE, "s3:GetObject", OBJECT)), "ExplicitDeny session.0");
    let bucket = [to("\"*\"", ALL), deny(&format!(r#""Principal":"*",{ALL}"#))].join(",");
    world.resource = Some(compiled(PolicyKind::Bucket, &bucket));
    assert_eq!(show(world.ask(ALICE, "s3:GetObject", OBJECT)), "ExplicitDeny resource.1");
    world.identity.push(Arc::new(compiled(PolicyKind::Identity, &deny(ALL))));
    assert_eq!(show(world.ask(ALICE, "s3:GetObject", OBJECT)), "ExplicitDeny identity[2].0");
}

#[test]
fn sids_are_told() {
    let policy = compiled(PolicyKind::Identity, &[allow(ALL), allow(&format!(r#""Sid":"Second",{ALL}"#))].join(","));
    assert_eq!(
        (policy.sid(0), policy.sid(1), policy.sid(2), policy.len(), policy.is_empty()),
        (None, Some("Second"), None, 2, false)
    );
}

/// DESIGN: a grant to a user, a session, a role or `*` suffices alone, one to an account needs the identity's allow.
#[test]
fn across_accounts() {
    let session = "arn:aws:sts::444455556666:assumed-role/app/s1";
    for (principal, grant, identity_allows, want_gateway, want_aws) in [
        (
            DAVE,
            r#"{"AWS":"arn:aws:iam::444455556666:user/dave"}"#,
            false,
            "Allow resource.0",
            "ImplicitDeny identity[0]",
        ),
        (DAVE, r#"{"AWS":"arn:aws:iam::444455556666:user/dave"}"#, true, "Allow resource.0", "Allow resource.0"),
        (DAVE, "\"*\"", false, "Allow resource.0", "ImplicitDeny identity[0]"),
        (DAVE, r#"{"AWS":"444455556666"}"#, false, "ImplicitDeny identity[0]", "ImplicitDeny identity[0]"),
        (DAVE, r#"{"AWS":"444455556666"}"#, true, "Allow resource.0", "Allow resource.0"),
        (DAVE, r#"{"AWS":"111122223333"}"#, true, "ImplicitDeny resource", "ImplicitDeny resource"),
        (
            session,
            r#"{"AWS":"arn:aws:sts::444455556666:assumed-role/app/s1"}"#,
            false,
            "Allow resource.0",
            "ImplicitDeny identity[0]",
        ),
        (
            session,
            r#"{"AWS":"arn:aws:iam::444455556666:role/x/app"}"#,
            false,
            "Allow resource.0",
            "ImplicitDeny identity[0]",
        ),
        ("arn:aws:iam::444455556666:root", r#"{"AWS":"444455556666"}"#, false, "Allow resource.0", "Allow resource.0"),
        (
            "arn:aws:iam::444455556666:root",
            r#"{"AWS":"111122223333"}"#,
            false,
            "ImplicitDeny resource",
            "ImplicitDeny resource",
        ),
    ] {
        let mut world = World { resource: Some(compiled(PolicyKind::Bucket, &to(grant, ALL))), ..World::default() };
        if identity_allows {
            world.identity = vec![Arc::new(compiled(PolicyKind::Identity, &allow(ALL)))];
        }
        for (rule, want) in [(CrossAccount::ResourcePolicy, want_gateway), (CrossAccount::Both, want_aws)] {
            world.cross_account = rule;
            assert_eq!(
                show(world.ask(principal, "s3:GetObject", OBJECT)),
                want,
                "{principal} {grant} {identity_allows} {rule:?}"
            );
        }
        // Session policy and boundary always limit.
        world.cross_account = CrossAccount::ResourcePolicy;
        world.session = Some(compiled(PolicyKind::Session, &allow(OTHER)));
        assert!(!world.ask(principal, "s3:GetObject", OBJECT).is_allow(), "{principal} {grant}");
        world.session = None;
        world.boundary = Some(compiled(PolicyKind::Boundary, &allow(OTHER)));
        assert!(!world.ask(principal, "s3:GetObject", OBJECT).is_allow(), "{principal} {grant}");
    }
}

#[test]
fn an_unreadable_policy_denies_everyone_it_applies_to() {
    let mut world = World { identity: vec![Arc::new(compiled(PolicyKind::Identity, &allow(ALL)))], ..World::default() };
    world.identity.push(Arc::new(CompiledPolicy::unreadable("line 1 column 2: it is not JSON".to_owned())));
    assert_eq!(show(world.ask(ALICE, "s3:GetObject", OBJECT)), "ExplicitDeny identity[1].0");
    assert_eq!(world.identity[1].unreadable_reason(), Some("line 1 column 2: it is not JSON"));
    assert_eq!((world.identity[1].is_empty(), world.identity[0].is_empty()), (true, false));
    let (principal, context) = (ALICE.parse().unwrap(), Context::new());
    let told = explain(&world.set(), &request(&principal, "s3:GetObject", OBJECT, &context));
    assert!(told.summary.contains("line 1 column 2: it is not JSON"), "{}", told.summary);
    world.identity.clear();
    world.resource = Some(CompiledPolicy::unreadable("x".to_owned()));
    let root = "arn:aws:iam::111122223333:root";
    assert_eq!(show(world.ask("anonymous", "s3:GetObject", OBJECT)), "ExplicitDeny resource.0");
    assert_eq!(show(world.ask(root, "s3:GetObject", OBJECT)), "ExplicitDeny resource.0");
    assert_eq!(show(world.ask(root, "s3:DeleteBucketPolicy", "arn:aws:s3:::b")), "Allow root.0");
}

/// S3 User Guide: the owner's root user can always read, replace and delete the bucket policy.
#[test]
fn owners_do_not_lock_themselves_out() {
    let world = World {
        resource: Some(compiled(PolicyKind::Bucket, &deny(&format!(r#""Principal":"*",{ALL}"#)))),
        ..World::default()
    };
    let (root, other) = ("arn:aws:iam::111122223333:root", "arn:aws:iam::444455556666:root");
    for (principal, action, want) in [
        (root, "s3:GetBucketPolicy", true),
        (root, "s3:PutBucketPolicy", true),
        (root, "s3:DeleteBucketPolicy", true),
        (root, "s3:DeleteBucket", false),
        (ALICE, "s3:DeleteBucketPolicy", false),
        (other, "s3:DeleteBucketPolicy", false),
    ] {
        assert_eq!(world.ask(principal, action, "arn:aws:s3:::b").is_allow(), want, "{principal} {action}");
    }
}

/// The session of a user has the user's ARN, so that a grant to the user alone would pass its policy by. So does being root.
#[test]
fn the_policy_of_an_own_session_limits_every_grant() {
    let root = "arn:aws:iam::111122223333:root";
    let get = allow(r#""Action":"s3:GetObject","Resource":"*""#);
    let put = allow(r#""Action":"s3:PutObject","Resource":"*""#);
    let grants = to(&format!(r#"{{"AWS":"{ALICE}"}}"#), r#""Action":"s3:*","Resource":"arn:aws:s3:::b/*""#);
    let everyone = to("\"*\"", r#""Action":"s3:*","Resource":"arn:aws:s3:::b/*""#);
    let own = |statements: &str| compiled(PolicyKind::Session, statements).of_own_session();
    let identity = || vec![Arc::new(compiled(PolicyKind::Identity, &allow(r#""Action":"s3:*","Resource":"*""#)))];
    for (what, principal, resource, session, want) in [
        ("granted to the user", ALICE, Some(&grants), Some(own(&put)), "ImplicitDeny session"),
        ("granted to everyone", ALICE, Some(&everyone), Some(own(&put)), "ImplicitDeny session"),
        ("its own policies", ALICE, None, Some(own(&put)), "ImplicitDeny session"),
        ("root", root, None, Some(own(&put)), "ImplicitDeny session"),
        ("granted to the user", ALICE, Some(&grants), Some(own(&get)), "Allow resource.0"),
        ("its own policies", ALICE, None, Some(own(&get)), "Allow identity[0].0"),
        ("root", root, None, Some(own(&get)), "Allow root.0"),
        ("denied", root, None, Some(own(&deny(r#""Action":"s3:*","Resource":"*""#))), "ExplicitDeny session.0"),
        ("without a policy", ALICE, Some(&grants), None, "Allow resource.0"),
        ("of a role", ALICE, Some(&grants), Some(compiled(PolicyKind::Session, &put)), "Allow resource.0"),
    ] {
        let resource = resource.map(|statement| compiled(PolicyKind::Bucket, statement));
        let world = World { identity: identity(), resource, session, ..World::default() };
        assert_eq!(show(world.ask(principal, "s3:GetObject", "arn:aws:s3:::b/k")), want, "{what}");
    }
}

#[test]
fn only_trusted_principals_assume_a_role() {
    let role = "arn:aws:iam::111122223333:role/app";
    let assume = r#""Action":"sts:AssumeRole""#;
    let identity = r#""Action":"sts:AssumeRole","Resource":"arn:aws:iam::111122223333:role/app""#;
    for (principal, trusted, identity_allows, want) in [
        (ALICE, r#"{"AWS":"arn:aws:iam::111122223333:user/alice"}"#, false, "Allow resource.0"),
        (ALICE, r#"{"AWS":"111122223333"}"#, false, "ImplicitDeny identity[0]"),
        (ALICE, r#"{"AWS":"111122223333"}"#, true, "Allow identity[0].0"),
        (ALICE, r#"{"AWS":"444455556666"}"#, true, "ImplicitDeny resource"),
        (DAVE, r#"{"AWS":"arn:aws:iam::444455556666:user/dave"}"#, true, "Allow resource.0"),
        ("anonymous", "\"*\"", false, "ImplicitDeny resource"),
        ("ec2.amazonaws.com", r#"{"Service":"ec2.amazonaws.com"}"#, false, "Allow resource.0"),
        ("ec2.amazonaws.com", r#"{"AWS":"*"}"#, false, "ImplicitDeny resource"),
    ] {
        let mut world = World { cross_account: CrossAccount::Both, ..World::default() };
        if identity_allows {
            world.identity = vec![Arc::new(compiled(PolicyKind::Identity, &allow(identity)))];
        }
        let trust = compiled(PolicyKind::Trust, &to(trusted, assume));
        let (principal, context) = (principal.parse().unwrap(), Context::new());
        let decision = decide_trust(&trust, &world.set(), &request(&principal, "sts:AssumeRole", role, &context));
        assert_eq!(show(decision), want, "{principal} {trusted} {identity_allows}");
    }
}

#[test]
fn a_provider_is_trusted_by_any_of_its_names() {
    let arn = "arn:aws:iam::111122223333:oidc-provider/idp.example";
    let provider = Principal::Federated { provider: arn.to_owned(), aliases: vec!["corp".to_owned()] };
    let (role, action) = ("arn:aws:iam::111122223333:role/app", r#""Action":"sts:AssumeRoleWithWebIdentity""#);
    let federated = |name: &str| format!(r#"{{"Federated":"{name}"}}"#);
    let deny = |name: &str| format!(r#"{{"Effect":"Deny","Principal":{},{action}}}"#, federated(name));
    let trusts = |name: &str| to(&federated(name), action);
    for (statements, want) in [
        (trusts(arn), "Allow resource.0"),
        (trusts("corp"), "Allow resource.0"),
        (trusts("Corp"), "ImplicitDeny resource"),
        (trusts("cor"), "ImplicitDeny resource"),
        (trusts("arn:aws:iam::444455556666:oidc-provider/idp.example"), "ImplicitDeny resource"),
        (to(r#"{"AWS":"*"}"#, action), "ImplicitDeny resource"),
        // A Deny under one name is not passed over by an Allow under the other.
        (format!("{},{}", trusts(arn), deny("corp")), "ExplicitDeny resource.1"),
        (format!("{},{}", trusts("corp"), deny(arn)), "ExplicitDeny resource.1"),
    ] {
        let trust = compiled(PolicyKind::Trust, &statements);
        let (world, context) = (World::default(), Context::new());
        let asked = request(&provider, "sts:AssumeRoleWithWebIdentity", role, &context);
        assert_eq!(show(decide_trust(&trust, &world.set(), &asked)), want, "{statements}");
    }
}

#[test]
fn a_role_session_is_named_by_its_role_and_path() {
    let grant = |name: &str| {
        compiled(PolicyKind::Bucket, &to(&format!(r#"{{"AWS":"arn:aws:iam::111122223333:role/{name}"}}"#), ALL))
    };
    for (role_path, named, want) in [
        ("", "app", true),
        ("", "team/app", true),
        ("/", "app", true),
        ("/", "team/app", false),
        ("/team/", "team/app", true),
        ("/team/", "app", false),
        ("", "xapp", false),
    ] {
        let world = World { resource: Some(grant(named)), ..World::default() };
        let principal = Principal::AssumedRole {
            account: "111122223333".parse().unwrap(),
            role: "app".to_owned(),
            role_path: role_path.to_owned(),
            session: "s".to_owned(),
        };
        let context = Context::new();
        let decision = decide(&world.set(), &request(&principal, "s3:GetObject", OBJECT, &context));
        assert_eq!(decision.is_allow(), want, "`{role_path}` {named}");
    }
}

/// Two tags whose keys differ only in case are one key with two values.
#[test]
fn an_allow_needs_every_value_of_a_key_and_a_deny_one() {
    for (condition, values, allowed, denied) in [
        (r#""StringEquals":{"s3:RequestObjectTag/team":"blue"}"#, ["blue", "blue"], true, true),
        (r#""StringEquals":{"s3:RequestObjectTag/team":"blue"}"#, ["blue", "red"], false, true),
        (r#""StringEquals":{"s3:RequestObjectTag/team":"blue"}"#, ["red", "blue"], false, true),
        (r#""StringEquals":{"s3:RequestObjectTag/team":["blue","red"]}"#, ["blue", "red"], true, true),
        (r#""StringEqualsIfExists":{"s3:RequestObjectTag/TEAM":"blue"}"#, ["blue", "red"], false, true),
        (r#""StringNotEquals":{"s3:RequestObjectTag/team":"blue"}"#, ["blue", "red"], false, true),
        (r#""StringNotEquals":{"s3:RequestObjectTag/team":"blue"}"#, ["red", "green"], true, true),
        (r#""StringLike":{"s3:RequestObjectTag/team":"b*"}"#, ["black", "red"], false, true),
        (r#""ForAnyValue:StringEquals":{"s3:RequestObjectTag/team":"blue"}"#, ["blue", "red"], false, true),
        (r#""ForAllValues:StringEquals":{"s3:RequestObjectTag/team":"blue"}"#, ["blue", "red"], false, true),
        (r#""Null":{"s3:RequestObjectTag/team":"false"}"#, ["blue", "red"], true, true),
        (r#""Null":{"s3:RequestObjectTag/team":"true"}"#, ["blue", "red"], false, false),
        (r#""StringEquals":{"s3:RequestObjectTag/team":"green"}"#, ["blue", "red"], false, false),
    ] {
        let mut context = Context::new();
        context.add("s3:RequestObjectTag/Team", values[0]);
        context.add("s3:RequestObjectTag/team", values[1]);
        let principal: Principal = ALICE.parse().unwrap();
        let request = request(&principal, "s3:PutObject", OBJECT, &context);
        let rest = format!(r#""Action":"s3:PutObject","Resource":"*","Condition":{{{condition}}}"#);
        let identity = |statement: &str| World {
            identity: vec![Arc::new(compiled(PolicyKind::Identity, statement))],
            ..World::default()
        };
        assert_eq!(
            decide(&identity(&allow(&rest)).set(), &request).is_allow(),
            allowed,
            "Allow {condition} {values:?}"
        );
        let decision = decide(&identity(&deny(&rest)).set(), &request);
        assert_eq!(matches!(decision, Decision::ExplicitDeny { .. }), denied, "Deny {condition} {values:?}");
    }
}

/// AWS's documentation writes the copy source with and without a leading slash.
#[test]
fn the_source_of_a_copy_matches_with_and_without_a_slash() {
    for (condition, source, want) in [
        (r#""StringLike":{"s3:x-amz-copy-source":"src/public/*"}"#, "/src/public/a", true),
        (r#""StringLike":{"s3:x-amz-copy-source":"/src/public/*"}"#, "/src/public/a", true),
        (r#""StringLike":{"s3:x-amz-copy-source":"/src/public/*"}"#, "src/public/a", true),
        (r#""StringLike":{"s3:x-amz-copy-source":"src/public/*"}"#, "/src/private/a", false),
        (r#""StringLike":{"s3:x-amz-copy-source":"src/public/*"}"#, "/x/src/public/a", false),
        (r#""StringEquals":{"S3:X-Amz-Copy-Source":"src/a"}"#, "/src/a", true),
        (r#""StringNotEquals":{"s3:x-amz-copy-source":"src/a"}"#, "/src/a", false),
        (r#""StringNotLike":{"s3:x-amz-copy-source":"src/*"}"#, "/src/a", false),
        (r#""StringLike":{"s3:prefix":"src/*"}"#, "/src/a", false),
    ] {
        let mut context = Context::new();
        context.set("s3:x-amz-copy-source", source);
        context.set("s3:prefix", source);
        let principal: Principal = ALICE.parse().unwrap();
        let request = request(&principal, "s3:PutObject", OBJECT, &context);
        let statement = allow(&format!(r#""Action":"s3:PutObject","Resource":"*","Condition":{{{condition}}}"#));
        let policy = compiled(PolicyKind::Identity, &statement);
        let world = World { identity: vec![Arc::new(policy)], ..World::default() };
        assert_eq!(decide(&world.set(), &request).is_allow(), want, "{condition} {source}");
    }
}

#[test]
fn mentions_are_of_statements_that_could_apply() {
    let tag = r#""Condition":{"StringEquals":{"s3:ExistingObjectTag/env":"prod"}}"#;
    for (statement, action, resource, want) in [
        (
            allow(&format!(r#""Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*",{tag}"#)),
            "s3:GetObject",
            OBJECT,
            true,
        ),
        (deny(&format!(r#""Action":"s3:Get*","Resource":"*",{tag}"#)), "s3:GetObject", OBJECT, true),
        (
            allow(&format!(r#""Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*",{tag}"#)),
            "s3:PutObject",
            OBJECT,
            false,
        ),
        (
            allow(&format!(r#""Action":"s3:GetObject","Resource":"arn:aws:s3:::c/*",{tag}"#)),
            "s3:GetObject",
            OBJECT,
            false,
        ),
        (
            allow(&format!(r#""Action":"s3:GetObject","NotResource":"arn:aws:s3:::c/*",{tag}"#)),
            "s3:GetObject",
            OBJECT,
            true,
        ),
        (
            allow(&format!(r#""Action":"s3:GetObject","Resource":"arn:aws:s3:::b/${{aws:username}}/*",{tag}"#)),
            "s3:GetObject",
            OBJECT,
            true,
        ),
        (
            allow(r#""Action":"s3:GetObject","Resource":"arn:aws:s3:::b/${s3:ExistingObjectTag/owner}""#),
            "s3:GetObject",
            OBJECT,
            true,
        ),
        (
            allow(
                r#""Action":"s3:GetObject","Resource":"*","Condition":{"StringLike":{"aws:username":"${S3:ExistingObjectTag/owner}"}}"#,
            ),
            "s3:GetObject",
            OBJECT,
            true,
        ),
        (
            allow(
                r#""Action":"s3:GetObject","Resource":"*","Condition":{"StringLike":{"s3:RequestObjectTag/env":"x"}}"#,
            ),
            "s3:GetObject",
            OBJECT,
            false,
        ),
    ] {
        let policy = compiled(PolicyKind::Identity, &statement);
        assert_eq!(
            policy.mentions(Action::named(action).unwrap(), resource, "s3:existingobjecttag/"),
            want,
            "{statement}"
        );
    }
}

/// Many statements in one place, many globs on one prefix: the index separates them by action and by literal.
#[test]
fn crowded_places_answer_like_sparse_ones() {
    let mut statements = Vec::new();
    for i in 0..200 {
        let action = ["s3:GetObject", "s3:PutObject", "s3:ListBucket", "ec2:Run*", "s3:*Acl"][i % 5];
        statements.push(allow(&format!(r#""Sid":"same{i}","Action":"{action}","Resource":"arn:aws:s3:::b/same""#)));
        statements.push(allow(&format!(r#""Sid":"glob{i}","Action":"{action}","Resource":"arn:aws:s3:::b/*w{i}x*""#)));
    }
    let policy = compiled(PolicyKind::Identity, &statements.join(","));
    let world = World { identity: vec![Arc::new(policy)], ..World::default() };
    for (action, resource, sid) in [
        ("s3:GetObject", "arn:aws:s3:::b/same", Some("same0")),
        ("s3:PutObject", "arn:aws:s3:::b/same", Some("same1")),
        ("s3:PutObjectAcl", "arn:aws:s3:::b/same", Some("same4")),
        ("s3:DeleteObject", "arn:aws:s3:::b/same", None),
        ("s3:GetObject", "arn:aws:s3:::b/samey", None),
        ("s3:GetObject", "arn:aws:s3:::b/aw195xb", Some("glob195")),
        ("s3:GetObject", "arn:aws:s3:::b/aw196xb", None),
        ("s3:PutObject", "arn:aws:s3:::b/w196xw191x", Some("glob191")),
        ("s3:GetObject", "arn:aws:s3:::c/aw195xb", None),
    ] {
        let decision = world.ask(ALICE, action, resource);
        let by = match decision {
            Decision::Allow { by } => world.identity[0].sid(by.statement),
            _ => None,
        };
        assert_eq!(by, sid, "{action} {resource}");
    }
}

/// A Deny with NotPrincipal spares only the principals that it lists; an account stands only for its root.
#[test]
fn not_principal_spares_only_listed_principals() {
    const ACCOUNT: &str = "arn:aws:iam::111122223333:root";
    const ROLE: &str = "arn:aws:iam::111122223333:role/team/app";
    const SESSION: &str = "arn:aws:sts::111122223333:assumed-role/app/s1";
    const OTHER_SESSION: &str = "arn:aws:sts::111122223333:assumed-role/app/s2";
    const FEDERATED: &str = "arn:aws:sts::111122223333:federated-user/alice";
    const SERVICE: &str = "logging.s3.amazonaws.com";
    let aws = |names: &[&str]| format!(r#"{{"AWS":{}}}"#, serde_json::to_string(names).unwrap());
    let canonical = format!(r#"{{"CanonicalUser":"{}"}}"#, "0".repeat(64));
    for (listed, spared, hit) in [
        (aws(&[ALICE]), &[ALICE][..], &[ACCOUNT, SESSION, FEDERATED, DAVE, "anonymous", SERVICE][..]),
        (aws(&[ALICE, ACCOUNT]), &[ALICE, ACCOUNT], &["arn:aws:iam::111122223333:user/bob", SESSION, FEDERATED]),
        (aws(&["111122223333"]), &[ACCOUNT], &[ALICE, SESSION, FEDERATED, "arn:aws:iam::444455556666:root"]),
        (aws(&[ROLE]), &[], &[SESSION, OTHER_SESSION, ACCOUNT, ALICE]),
        (aws(&[SESSION, ACCOUNT]), &[ACCOUNT], &[SESSION, OTHER_SESSION]),
        (aws(&[ROLE, SESSION]), &[SESSION], &[OTHER_SESSION, ACCOUNT, ALICE]),
        (aws(&["arn:aws:iam::111122223333:role/other", SESSION]), &[], &[SESSION]),
        (aws(&[FEDERATED]), &[FEDERATED], &[ALICE, ACCOUNT]),
        (aws(&["arn:aws-cn:iam::111122223333:user/alice"]), &[], &[ALICE]),
        (aws(&["*"]), &[ALICE, SESSION, FEDERATED, "anonymous"], &[SERVICE]),
        (r#""*""#.to_owned(), &[ALICE, SESSION, ACCOUNT, "anonymous", SERVICE], &[]),
        (format!(r#"{{"Service":"{SERVICE}"}}"#), &[SERVICE], &[ALICE, ACCOUNT, "anonymous"]),
        (canonical, &[], &[ALICE, SESSION]),
    ] {
        let statement = format!(r#"{{"Effect":"Deny","NotPrincipal":{listed},"Action":"s3:*","Resource":"*"}}"#);
        let world = World { resource: Some(compiled(PolicyKind::Bucket, &statement)), ..World::default() };
        let bounded = World {
            resource: Some(compiled(PolicyKind::Bucket, &statement)),
            boundary: Some(compiled(PolicyKind::Identity, &allow(r#""Action":"s3:*","Resource":"*""#))),
            ..World::default()
        };
        let is_denied = |world: &World, who: &str| {
            matches!(world.ask(who, "s3:GetObject", "arn:aws:s3:::b/k"), Decision::ExplicitDeny { .. })
        };
        for who in spared {
            assert!(!is_denied(&world, who), "{listed} spares {who}");
            assert!(is_denied(&bounded, who), "{listed} applies to {who} with a boundary");
        }
        for who in hit {
            assert!(is_denied(&world, who), "{listed} hits {who}");
        }
    }
}

/// Whoever calls GetFederationToken chooses the session's name: that of another user must give nothing of that user's.
#[test]
fn a_federated_user_is_of_its_maker_whatever_its_name() {
    let granted = |maker: &str, principal: &str| {
        let statement =
            format!(r#"{{"Effect":"Allow","Principal":{{"AWS":"{principal}"}},"Action":"s3:*","Resource":"*"}}"#);
        let resource = compiled(PolicyKind::Bucket, &statement);
        let session = compiled(PolicyKind::Session, &allow(r#""Action":"s3:*","Resource":"*""#));
        let policies = PolicySet { resource: Some(&resource), session: Some(&session), ..PolicySet::default() };
        let account = "111122223333".parse().unwrap();
        let principal = Principal::FederatedUser { account, name: "bob".to_owned(), user: maker.to_owned() };
        let context = Context::new();
        let request = Request {
            principal: &principal,
            principal_id: None,
            principal_canonical_id: None,
            action: RequestAction::named("s3:GetObject"),
            resource: "arn:aws:s3:::b/k",
            resource_account: account,
            context: &context,
        };
        decide(&policies, &request).is_allow()
    };
    let user = |name: &str| format!("arn:aws:iam::111122223333:user{name}");
    for (maker, principal, want) in [
        ("/alice", user("/alice"), true),
        ("/alice", user("/bob"), false),
        ("/team/alice", user("/team/alice"), true),
        ("/team/alice", user("/alice"), false),
        // Of root, and of an ARN alone.
        ("/", user("/bob"), false),
        ("bob", user("/team/bob"), true),
        ("/alice", "arn:aws:sts::111122223333:federated-user/bob".to_owned(), true),
        ("/alice", "arn:aws:sts::111122223333:federated-user/alice".to_owned(), false),
    ] {
        assert_eq!(granted(maker, &principal), want, "{principal} of {maker}");
    }
}

/// Policies and callers of another partition share only numbers and names with ours.
#[test]
fn a_name_in_another_partition_is_a_different_principal() {
    let session = "arn:aws:sts::111122223333:assumed-role/app/s1";
    for (name, caller) in [
        ("arn:P:iam::111122223333:user/alice", ALICE),
        ("arn:P:iam::111122223333:role/app", session),
        ("arn:P:sts::111122223333:assumed-role/app/s1", session),
        ("arn:P:sts::111122223333:federated-user/alice", "arn:aws:sts::111122223333:federated-user/alice"),
        ("arn:P:iam::111122223333:root", ALICE),
    ] {
        for (partition, same) in [("aws", true), ("aws-cn", false), ("aws-us-gov", false), ("aws-iso", false)] {
            let name = name.replace(":P:", &format!(":{partition}:"));
            let statement =
                format!(r#"{{"Effect":"Deny","Principal":{{"AWS":"{name}"}},"Action":"s3:*","Resource":"*"}}"#);
            let world = World { resource: Some(compiled(PolicyKind::Bucket, &statement)), ..World::default() };
            let decision = world.ask(caller, "s3:GetObject", "arn:aws:s3:::b/k");
            assert_eq!(matches!(decision, Decision::ExplicitDeny { .. }), same, "{name}");
        }
    }
    assert!("arn:aws-cn:iam::111122223333:user/alice".parse::<Principal>().is_err());
}
