//! Sessions of users of identity providers: they end with their provider, and their claims are keys of the provider alone.

use std::sync::Arc;

use access::{Authenticated, CLAIM_BASED_ROLE, request_context};
use iam::{
    Change, IdentityProvider, OidcProvider, PolicyMapping, PolicyPlace, PolicyRecord, ProviderRights, RolePlace,
    RoleRecord, Settings, Snapshot, directory_issuer, plugin_issuer,
};
use s3::S3Error;
use serde_json::json;
use sigv4::PayloadHash;
use sts::{FederatedUser, NewSession};

use crate::world::{
    ACCOUNT, ROLE_ARN, ROLE_MADE, World, head, new_session, now, policy, role, said, seconds, session, session_keys,
};

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
    let context = request_context(&head("GET", "/bkt/k"), &authenticated, &world.snapshot, "us-east-1", now()).unwrap();
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
    // A bare name means a policy with the path `/`. Policies at other paths give no rights.
    let below = PolicyRecord { path: "/team/".to_owned(), ..PolicyRecord::of_text(ALLOW) };
    world.snapshot = world.snapshot.apply([Change::Policy("unknown".into(), PolicyPlace::Api, Some(Ok(below)))]);
    assert_eq!(count(&world).unwrap(), 1);
    let arn = "arn:aws:iam::111122223333:policy/team/unknown".to_owned();
    let by_arn = NewSession { policy_names: &[arn], ..new.clone() };
    assert_eq!(answer(&world, &by_arn).unwrap().caller.policies.len(), 1);
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

const DN: &str = "uid=carol,ou=people,dc=example,dc=com";
const GROUP: &str = "cn=readers,ou=groups,dc=example,dc=com";

/// A session of Carol's, whom a directory knows, without a role.
fn of_directory(issuer: &str, request_context: serde_json::Value) -> NewSession<'_> {
    let serde_json::Value::Object(request_context) = request_context else { panic!("{request_context}") };
    let federated = Some(FederatedUser { provider: ARN, issuer, subject: DN, audience: "app" });
    NewSession { role_arn: CLAIM_BASED_ROLE, role_id: None, federated, request_context, ..new_session() }
}

/// A gateway with a directory `corp`, of whose users and groups these have policies.
fn with_directory(users: &[(&str, &str)], groups: &[(&str, &str)]) -> World {
    let mapped = |pairs: &[(&str, &str)]| {
        let lists = pairs.iter().map(|(dn, policy)| (dn.to_string(), vec![policy.to_string()]));
        lists.collect()
    };
    let rights = ProviderRights::Policies(PolicyMapping { users: mapped(users), groups: mapped(groups) });
    with_issuer(&directory_issuer("corp"), rights)
}

/// A gateway whose one provider has this issuer.
fn with_issuer(issuer: &str, rights: ProviderRights) -> World {
    let mut world = configured(rights);
    let mut settings = world.snapshot.settings().clone();
    let provider = IdentityProvider { issuer: issuer.to_owned(), ..(*settings.identity_providers[0]).clone() };
    settings.identity_providers = vec![Arc::new(provider)];
    let identities = iam_formats::identities::parse(r#"{"identities":[]}"#, &|_| None).unwrap();
    let changes = [policy("read", ALLOW), policy("write", ALLOW), role("AROAAPP", ROLE_MADE)];
    world.snapshot = Snapshot::new(settings, &identities).apply(changes);
    world
}

#[test]
fn a_user_of_a_directory_has_the_policies_of_its_names() {
    let issuer = directory_issuer("corp");
    let carol = || json!({"ldap:username": "carol", "ldap:groups": [GROUP, 7, "cn=others"]});
    for (what, users, groups, claims, want) in [
        ("her own", &[(DN, "read")][..], &[][..], carol(), Ok(1)),
        ("her group's", &[], &[(GROUP, "read")], carol(), Ok(1)),
        ("both", &[(DN, "read")], &[(GROUP, "write")], carol(), Ok(2)),
        ("another's", &[("uid=dave", "read")], &[("cn=writers", "write")], carol(), Ok(0)),
        ("no group", &[], &[(GROUP, "read")], json!({"ldap:username": "carol"}), Ok(0)),
        (
            "groups that are no list",
            &[],
            &[(GROUP, "read")],
            json!({"ldap:username": "carol", "ldap:groups": GROUP}),
            Ok(0),
        ),
        ("no name", &[(DN, "read")], &[], json!({}), Err("InvalidToken 400")),
        ("a name that is no text", &[(DN, "read")], &[], json!({"ldap:username": 7}), Err("InvalidToken 400")),
    ] {
        let answer = answer(&with_directory(users, groups), &of_directory(&issuer, claims));
        let found = answer.as_ref().map(|known| known.caller.policies.len()).map_err(|_| said(&answer));
        assert_eq!(found.as_ref().map_err(String::as_str), want.as_ref().map_err(|code| *code), "{what}");
        let sources = answer.map(|known| known.caller.sources.len()).unwrap_or_default();
        assert_eq!(sources, want.unwrap_or_default(), "{what}: each has its name");
    }
    // What a token says of a directory counts only from a directory.
    let world = configured(ProviderRights::Policies(PolicyMapping::default()));
    assert_eq!(said(&answer(&world, &of_directory(ISSUER, carol()))), "InvalidToken 400");
}

#[test]
fn what_the_session_says_of_a_user_of_a_directory() {
    let (issuer, head) = (directory_issuer("corp"), head("GET", "/bkt/k"));
    let world = with_directory(&[], &[]);
    for (claims, groups) in [
        (json!({"ldap:username": "carol", "ldap:groups": [GROUP, "cn=others"]}), Some([GROUP, "cn=others"].join(","))),
        (json!({"ldap:username": "carol", "ldap:groups": []}), None),
    ] {
        let known = answer(&world, &of_directory(&issuer, claims)).unwrap();
        let context = request_context(&head, &known, &world.snapshot, "us-east-1", now()).unwrap();
        let of = |key: &str| context.get(key).map(|values| values.join(","));
        for (key, want) in
            [("ldap:user", Some(DN)), ("ldap:username", Some("carol")), ("aws:FederatedProvider", Some(ARN))]
        {
            assert_eq!(of(key).as_deref(), want, "{key}");
        }
        assert_eq!(of("ldap:groups"), groups);
        assert!(of("ldap:aud").is_none() && of("ldap:sub").is_none(), "keys of tokens");
        let federation = known.caller.session.unwrap().federation.unwrap();
        assert_eq!((&*federation.subject, federation.audience.as_deref()), (DN, None));
    }
    let known = answer(
        &configured(ProviderRights::PolicyClaim("policy".to_owned())),
        &NewSession { role_arn: CLAIM_BASED_ROLE, role_id: None, ..new() },
    )
    .unwrap();
    let caller = &known.caller;
    assert_eq!(
        (&*caller.user_id, &*caller.session.as_ref().unwrap().role_arn),
        ("AROASTSCLAIMBASED:work", CLAIM_BASED_ROLE)
    );
    assert!(caller.session.as_ref().unwrap().federation.as_ref().unwrap().directory_user.is_none());
}

/// A role that takes the name of sessions without one would give all of them its tags.
#[test]
fn sessions_without_a_role_have_no_tags_of_a_role() {
    let mut world = configured(ProviderRights::PolicyClaim("policy".to_owned()));
    let record = RoleRecord {
        name: "sts-claim-based".to_owned(),
        trust_policy: ALLOW.to_owned(),
        tags: [("clearance".to_owned(), "high".to_owned())].into_iter().collect(),
        ..RoleRecord::default()
    };
    world.snapshot =
        world.snapshot.apply([Change::Role(record.name.as_str().into(), RolePlace::Base, Some(Ok(record)))]);
    let new = NewSession { role_arn: CLAIM_BASED_ROLE, role_id: None, ..new() };
    let known = answer(&world, &new).unwrap();
    let context = request_context(&head("GET", "/bkt/k"), &known, &world.snapshot, "us-east-1", now()).unwrap();
    assert!(context.get("aws:PrincipalTag/clearance").is_none());
}

/// A plugin's claims become keys behind its own name, and nobody else's claims do.
#[test]
fn what_the_session_says_of_a_user_of_a_plugin() {
    let plugin = plugin_issuer("corp");
    for (issuer, want) in [(&*plugin, [Some("blue"), Some("a,b"), Some("")]), (ISSUER, [None, None, None])] {
        let claims =
            json!({"plugin:team": "blue", "plugin:groups": ["a", 7, "b"], "plugin:age": 7, "other:team": "red"});
        let new = NewSession { role_arn: ROLE_ARN, role_id: Some("AROAAPP"), ..of_directory(issuer, claims) };
        let world = with_issuer(issuer, ProviderRights::None);
        let known = answer(&world, &new).unwrap();
        let context = request_context(&head("GET", "/bkt/k"), &known, &world.snapshot, "us-east-1", now()).unwrap();
        let of = |key: &str| context.get(key).map(|values| values.join(","));
        let found = ["plugin:team", "plugin:groups", "plugin:age"].map(of);
        assert_eq!(found.each_ref().map(Option::as_deref), want, "{issuer}");
        assert_eq!(of("other:team"), None, "{issuer}");
        assert!(!context.is_multivalued("plugin:team"), "{issuer}");
    }
}

/// The configuration of a plugin names the policies of all its users, as they are now.
#[test]
fn the_configuration_names_policies_as_they_are_now() {
    let issuer = plugin_issuer("corp");
    for (names, want) in [(vec![], 0), (vec!["read"], 1), (vec!["read", "write"], 2), (vec!["read", "gone"], 1)] {
        let named = names.iter().map(|name: &&str| name.to_string()).collect();
        let world = with_issuer(&issuer, ProviderRights::RolePolicy(named));
        let known = answer(&world, &of_directory(&issuer, json!({}))).unwrap();
        assert_eq!(known.caller.policies.len(), want, "{names:?}");
    }
}
