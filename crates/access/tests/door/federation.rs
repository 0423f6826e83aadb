//! Sessions of users of identity providers: they end with their provider, and their claims are keys of the provider alone.

use std::sync::Arc;

use access::{Authenticated, CLAIM_BASED_ROLE, request_context};
use iam::{Change, IdentityProvider, OidcProvider, ProviderRights, Settings, Snapshot};
use s3::S3Error;
use sigv4::PayloadHash;
use sts::{FederatedUser, NewSession};

use crate::world::{ACCOUNT, World, head, new_session, now, policy, said, seconds, session, session_keys};

const ISSUER: &str = "https://idp.example/realm/";
const ARN: &str = "arn:aws:iam::111122223333:oidc-provider/idp.example/realm";
const ALLOW: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}"#;

/// The provider as the IAM API stores it.
fn provider(account: &str, created_s: i64) -> Change {
    let arn = ARN.replace(ACCOUNT, account);
    let url = ISSUER.trim_end_matches('/').to_owned();
    let record =
        OidcProvider { arn: arn.clone(), url, account: account.to_owned(), created_s, ..OidcProvider::default() };
    Change::OidcProvider(OidcProvider::file_stem(&arn), Some(Ok(record)))
}

/// A session that was made five minutes ago.
fn new() -> NewSession<'static> {
    let user = FederatedUser { provider: ARN, issuer: ISSUER, subject: "user-1", audience: "app" };
    NewSession { federated: Some(user), ..new_session() }
}

fn answer(world: &World, new: &NewSession<'_>) -> Result<Authenticated, S3Error> {
    let client = session(&session_keys(0, &[]), new);
    world.authenticate(&client.sign(head("GET", "/bkt/k"), PayloadHash::EMPTY))
}

fn with(changes: impl IntoIterator<Item = Change>) -> World {
    let world = World::new();
    let snapshot = world.snapshot.apply(changes);
    World { snapshot, ..world }
}

#[test]
fn a_session_ends_with_its_provider() {
    let made_s = seconds(-300).as_second();
    let stem = OidcProvider::file_stem(ARN);
    for (what, changes, want) in [
        ("the provider is there", vec![provider(ACCOUNT, made_s - 1)], "work HeaderV4"),
        ("made in the same second", vec![provider(ACCOUNT, made_s)], "work HeaderV4"),
        ("no provider has its issuer", vec![], "InvalidToken 400"),
        ("deleted", vec![provider(ACCOUNT, 0), Change::OidcProvider(stem, None)], "InvalidToken 400"),
        ("made again later", vec![provider(ACCOUNT, made_s + 1)], "InvalidToken 400"),
        ("of another account", vec![provider("444455556666", 0)], "InvalidToken 400"),
    ] {
        assert_eq!(said(&answer(&with(changes), &new())), want, "{what}");
    }
    assert_eq!(said(&answer(&with([]), &new_session())), "work HeaderV4", "other sessions need none");
}

#[test]
fn what_the_session_says_of_its_user() {
    let world = with([provider(ACCOUNT, 0)]);
    let authenticated = answer(&world, &new()).unwrap();
    let context = request_context(&head("GET", "/bkt/k"), &authenticated, &world.snapshot, "us-east-1", now());
    for (key, want) in [
        ("aws:FederatedProvider", Some(ARN)),
        ("idp.example/realm:sub", Some("user-1")),
        ("idp.example/realm:aud", Some("app")),
        ("aws:PrincipalType", Some("AssumedRole")),
        ("aws:username", None),
    ] {
        let values = context.get(key).map(|values| values.join(","));
        assert_eq!(values.as_deref(), want, "{key}");
    }
}

/// A gateway whose configuration has the provider, with these rights for users who name no role.
fn configured(rights: ProviderRights) -> World {
    let settings = with([]).snapshot.settings().clone();
    let provider = IdentityProvider {
        name: "corp".to_owned(),
        arn: ARN.to_owned(),
        account: ACCOUNT.parse().unwrap(),
        issuer: ISSUER.to_owned(),
        client_ids: vec!["app".to_owned()],
        created_s: 0,
        keys: iam::KeySource::default(),
        rights,
        source_identity_claim: String::new(),
        session_name_claim: String::new(),
        allowed_tag_keys: None,
    };
    let settings = Settings { identity_providers: vec![Arc::new(provider)], ..settings };
    let identities = iam_formats::identities::parse(r#"{"identities":[]}"#, &|_| None).unwrap();
    World { snapshot: Snapshot::new(settings, &identities), ..World::new() }
}

#[test]
fn a_claim_names_policies_as_they_are_now() {
    let names = ["read".to_owned(), "unknown".to_owned()];
    let new = NewSession { role_arn: CLAIM_BASED_ROLE, role_id: None, policy_names: &names, ..new() };
    let claim = || configured(ProviderRights::PolicyClaim("policy".to_owned()));
    let count = |world: &World| answer(world, &new).map(|authenticated| authenticated.caller.policies.len());
    let mut world = claim();
    assert_eq!(count(&world).unwrap(), 0, "names without a policy give nothing");
    world.snapshot = world.snapshot.apply([policy("read", ALLOW), policy("other", ALLOW)]);
    assert_eq!(count(&world).unwrap(), 1);
    // The configuration decides whether a token may name policies, not the session.
    for (what, world) in [
        ("the provider maps nothing", configured(ProviderRights::None)),
        ("a provider of the IAM API", with([provider(ACCOUNT, 0)])),
        ("no provider", with([])),
    ] {
        assert_eq!(said(&answer(&world, &new)), "InvalidToken 400", "{what}");
    }
    let unfederated = NewSession { federated: None, ..new.clone() };
    assert_eq!(said(&answer(&claim(), &unfederated)), "InvalidToken 400", "without a provider");
}
