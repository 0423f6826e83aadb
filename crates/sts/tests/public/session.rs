use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ids::AccountId;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use sts::{NewSession, SessionHolder, SessionKeys, SigningKey, TokenError, mint, verify};

const KEY: &str = "a2VscGdhdGUtdGVzdC1zaWduaW5nLWtleS0zMmJ5dGU=";
const ISSUED: i64 = 1_795_314_837;

/// A session that SeaweedFS 4.48 made for the key above: AssumeRole with a session policy and 900 seconds.
const WEED_TOKEN: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJzZWF3ZWVkZnMtc3RzIiwic3ViIjoiY2RkYjljZDRkNmJjY2EzZGQ2Y2Y3ZjQ5ZTkwMWEyZGQiLCJleHAiOjE3OTUzMTU3MzcsIm5iZiI6MTc5NTMxNDgzNywiaWF0IjoxNzk1MzE0ODM3LCJqdGkiOiJjZGRiOWNkNGQ2YmNjYTNkZDZjZjdmNDllOTAxYTJkZCIsInNpZCI6ImNkZGI5Y2Q0ZDZiY2NhM2RkNmNmN2Y0OWU5MDFhMmRkIiwic25hbSI6InNlc3MxIiwidHlwIjoic2Vzc2lvbiIsInJvbGUiOiJhcm46YXdzOmlhbTo6cm9sZS9SMSIsImFzc3VtZWQiOiJSMTpzZXNzMSIsInByaW5jaXBhbCI6ImFybjphd3M6c3RzOjowMDAwMDAwMDAwMDA6YXNzdW1lZC1yb2xlL1IxL3Nlc3MxIiwicG9sIjpbIlJPIl0sInNwb2wiOiJ7XCJWZXJzaW9uXCI6XCIyMDEyLTEwLTE3XCIsXCJTdGF0ZW1lbnRcIjpbe1wiRWZmZWN0XCI6XCJBbGxvd1wiLFwiQWN0aW9uXCI6W1wiczM6TGlzdEFsbE15QnVja2V0c1wiXSxcIlJlc291cmNlXCI6W1wiKlwiXX1dfSIsImlkcCI6IiIsImV4dF91aWQiOiIiLCJwcm92X2lzcyI6IiIsImFzc3VtZWRfYXQiOiIyMDI2LTExLTIyVDAyOjMzOjU3LjA5MzIyMzkyMloifQ.7YJg_askx-p6juITM1fKQBfEDXDKhIHTK-LZ7jxY5qI";

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

fn keys(current: &str, older: &[&str]) -> SessionKeys {
    SessionKeys {
        current: SigningKey::from_base64(current).unwrap(),
        older: older.iter().map(|text| SigningKey::from_base64(text).unwrap()).collect(),
        issuer: "seaweedfs-sts".to_owned(),
        account_id: AccountId::DEFAULT,
    }
}

#[test]
fn a_session_of_seaweedfs_is_accepted_with_its_key_and_secret() {
    let session = verify(&keys(KEY, &[]), WEED_TOKEN, at(ISSUED)).unwrap();
    assert_eq!(session.access_key_id.as_str(), "ASIAa8a4e53100100173");
    assert_eq!(session.secret.expose(), "0zdLW5kgQIfJscFnK/ygGyDa2EaZ1YCl6ev58p3MKYM=");
    assert_eq!(session.expiration, at(ISSUED + 900));
    assert_eq!(session.claims.role, "arn:aws:iam::role/R1");
    assert_eq!(session.claims.principal, "arn:aws:sts::000000000000:assumed-role/R1/sess1");
    assert_eq!(session.claims.pol, ["RO"]);
    assert!(session.claims.spol.unwrap().contains("s3:ListAllMyBuckets"));
}

#[test]
fn the_arn_of_a_session() {
    for (role_arn, want) in [
        ("arn:aws:iam::role/R1", "arn:aws:sts::000000000000:assumed-role/R1/sess1"),
        ("arn:aws:iam::111122223333:role/R1", "arn:aws:sts::111122223333:assumed-role/R1/sess1"),
        ("arn:aws:iam::111122223333:role/team/app/R1", "arn:aws:sts::111122223333:assumed-role/R1/sess1"),
    ] {
        assert_eq!(keys(KEY, &[]).assumed_role_arn(role_arn, "sess1"), want);
    }
}

fn new(issued_at: Timestamp) -> NewSession<'static> {
    NewSession {
        role_arn: "arn:aws:iam::role/R1",
        role_id: None,
        held_by: SessionHolder::Role,
        session_name: "sess1",
        principal_arn: "arn:aws:sts::000000000000:assumed-role/R1/sess1",
        session_policy: None,
        session_policy_arns: &[],
        policy_names: &[],
        duration_s: 900,
        issued_at,
        session_id: [0xab; 16],
        request_context: Map::new(),
        tags: &[],
        transitive_tag_keys: &[],
        source_identity: None,
        revision: None,
        federated: None,
        origins: &[],
        mfa_at_s: None,
    }
}

fn payload(token: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap()
}

#[test]
fn a_new_session_has_the_claims_of_seaweedfs() {
    let issued_at: Timestamp = "2026-11-22T02:33:57.093223922Z".parse().unwrap();
    let made = mint(&keys(KEY, &[]), &NewSession { policy_names: &["RO".to_owned()], ..new(issued_at) });
    let mut wanted = payload(WEED_TOKEN);
    wanted.as_object_mut().unwrap().remove("spol");
    for id in ["sub", "jti", "sid"] {
        wanted[id] = "ab".repeat(16).into();
    }
    assert_eq!(payload(&made.token), wanted);
}

#[test]
fn a_minted_session_verifies_until_it_ends() {
    let (tags, transitive) = ([("team".to_owned(), "blue".to_owned())], ["team".to_owned()]);
    let context = json!({"aws:MultiFactorAuthPresent": "false"}).as_object().unwrap().clone();
    let session = NewSession {
        session_policy: Some("{}"),
        request_context: context,
        tags: &tags,
        transitive_tag_keys: &transitive,
        source_identity: Some("alice"),
        revision: Some("7-x"),
        role_id: Some("AROAEXAMPLE"),
        ..new(at(ISSUED))
    };
    let keys = keys(KEY, &[]);
    let made = mint(&keys, &session);
    assert_eq!(made.expiration, at(ISSUED + 900));
    let found = verify(&keys, &made.token, at(ISSUED + 899)).unwrap();
    assert_eq!((&found.access_key_id, found.secret.expose()), (&made.access_key_id, made.secret.expose()));
    assert_eq!(found.claims.req_ctx["aws:PrincipalTag/team"], "blue");
    assert_eq!(found.claims.krev.as_deref(), Some("7-x"));
    assert_eq!(found.claims.krid.as_deref(), Some("AROAEXAMPLE"));
    assert_eq!(found.claims.srcid.as_deref(), Some("alice"));
    assert_eq!(found.claims.ttags, transitive);
    assert_eq!(verify(&keys, &made.token, at(ISSUED + 900)).unwrap_err(), TokenError::Expired(at(ISSUED + 900)));
    assert!(verify(&keys, &made.token, at(ISSUED - 300)).is_ok(), "a gateway whose clock is five minutes behind");
    assert!(verify(&keys, &made.token, at(ISSUED - 301)).is_err());
    let other = mint(&keys, &NewSession { session_id: [1; 16], ..session });
    assert_ne!(other.secret.expose(), made.secret.expose());
    let debug = format!("{made:?}");
    assert!(!debug.contains(made.secret.expose()) && !debug.contains(&made.token), "{debug}");
}

#[test]
fn keys_rotate() {
    let (old, fresh) = (KEY, "ZnJlc2gga2V5IG9mIGF0IGxlYXN0IDE2IGJ5dGVz");
    let token = mint(&keys(old, &[]), &new(at(ISSUED))).token;
    for (current, older, token, good) in [
        (fresh, &[old][..], token.as_str(), true),
        (fresh, &[], &token, false),
        (old, &[fresh], &token, true),
        (fresh, &[old], WEED_TOKEN, true),
        (fresh, &[], WEED_TOKEN, false),
    ] {
        assert_eq!(verify(&keys(current, older), token, at(ISSUED)).is_ok(), good, "{older:?}");
    }
}

fn signed(header: Value, claims: &Value, key: &[u8]) -> String {
    let text = format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(claims.to_string()));
    let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes());
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// Tokens that a holder of the key could make and that are still not sessions.
#[test]
fn signed_tokens_that_are_not_sessions_are_refused() {
    let key = STANDARD.decode(KEY).unwrap();
    let good = payload(WEED_TOKEN);
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        claims
    };
    let without = |name: &str| {
        let mut claims = good.clone();
        claims.as_object_mut().unwrap().remove(name);
        claims
    };
    let hs256 = json!({"alg": "HS256", "typ": "JWT"});
    for (what, header, claims, accepted) in [
        ("unchanged", hs256.clone(), good.clone(), true),
        ("an unknown claim", hs256.clone(), with("future", json!({"a": 1})), true),
        ("null lists, as Go writes them", hs256.clone(), with("pol", Value::Null), true),
        ("alg none", json!({"alg": "none"}), good.clone(), false),
        ("alg HS512", json!({"alg": "HS512"}), good.clone(), false),
        ("alg RS256", json!({"alg": "RS256"}), good.clone(), false),
        ("alg in lower case", json!({"alg": "hs256"}), good.clone(), false),
        ("no alg", json!({}), good.clone(), false),
        ("a critical extension", json!({"alg": "HS256", "crit": ["b64"]}), good.clone(), false),
        ("a key we do not have", json!({"alg": "HS256", "kid": "other"}), good.clone(), false),
        ("another issuer", hs256.clone(), with("iss", json!("seaweedfs-sts2")), false),
        ("no issuer", hs256.clone(), without("iss"), false),
        ("RustFS: no end", hs256.clone(), without("exp"), false),
        ("an end that is a string", hs256.clone(), with("exp", json!("1795315737")), false),
        ("an end out of range", hs256.clone(), with("exp", json!(i64::MAX)), false),
        ("another type", hs256.clone(), with("typ", json!("access")), false),
        ("no type", hs256.clone(), without("typ"), false),
        ("no session id", hs256.clone(), with("sid", json!("")), false),
        ("no role", hs256.clone(), with("role", json!("")), false),
        ("no principal", hs256.clone(), without("principal"), false),
        ("no object", hs256, json!([]), false),
    ] {
        let result = verify(&keys(KEY, &[]), &signed(header, &claims, &key), at(ISSUED));
        assert_eq!(result.is_ok(), accepted, "{what}: {:?}", result.err());
    }
}

#[test]
fn no_byte_of_a_token_can_be_changed() {
    let keys = keys(KEY, &[]);
    for position in 0..WEED_TOKEN.len() {
        let mut bytes = WEED_TOKEN.as_bytes().to_vec();
        bytes[position] = if bytes[position] == b'A' { b'Q' } else { b'A' };
        let changed = String::from_utf8(bytes).unwrap();
        assert!(verify(&keys, &changed, at(ISSUED)).is_err(), "byte {position}");
        assert!(verify(&keys, &WEED_TOKEN[..position], at(ISSUED)).is_err(), "cut at {position}");
    }
    for text in
        ["", ".", "..", "...", "a.b.c", &format!("{WEED_TOKEN}."), &format!("{WEED_TOKEN}="), &"A".repeat(100_000)]
    {
        assert!(verify(&keys, text, at(ISSUED)).is_err(), "{text}");
    }
    let wrong = verify(&SessionKeys { issuer: "other".into(), ..keys }, WEED_TOKEN, at(ISSUED)).unwrap_err();
    assert_eq!((wrong.code(), &wrong), ("InvalidToken", &TokenError::WrongIssuer("other".into())));
}
