#![expect(clippy::disallowed_types, reason = "making RSA keys takes long, so all tests share theirs")]

use std::sync::LazyLock;

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize, PublicKeyComponents};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA512,
    RsaEncoding,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde_json::{Value, json};
use sts::{
    Claim, ExpectedToken, KEYS_BYTES_MAX, KeysError, ProviderKeys, WebIdentity, WebIdentityError, claimed_issuer,
    verify_web_identity,
};

const NOW: i64 = 1_795_314_837;
const ISSUER: &str = "https://idp.example.com/realm";

static RSA: LazyLock<RsaKeyPair> = LazyLock::new(|| RsaKeyPair::generate(KeySize::Rsa2048).unwrap());
static EC: LazyLock<EcdsaKeyPair> = LazyLock::new(|| EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap());
static ED: LazyLock<Ed25519KeyPair> = LazyLock::new(|| Ed25519KeyPair::generate().unwrap());

#[expect(clippy::disallowed_methods, reason = "signing needs randomness; verifying, which is tested, does not")]
fn random() -> SystemRandom {
    SystemRandom::new()
}

fn base64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn rsa_jwk(more: &Value) -> Value {
    let parts = PublicKeyComponents::<Vec<u8>>::from(RSA.public_key());
    with(json!({"kty": "RSA", "kid": "rsa", "n": base64(parts.n), "e": base64(parts.e)}), more)
}

fn ec_jwk(more: &Value) -> Value {
    let point = EC.public_key().as_ref();
    with(json!({"kty": "EC", "kid": "ec", "crv": "P-256", "x": base64(&point[1..33]), "y": base64(&point[33..])}), more)
}

fn ed_jwk(more: &Value) -> Value {
    with(json!({"kty": "OKP", "kid": "ed", "crv": "Ed25519", "x": base64(ED.public_key())}), more)
}

/// The object with these members too; `null` removes one.
fn with(mut object: Value, more: &Value) -> Value {
    for (name, value) in more.as_object().unwrap() {
        match value {
            Value::Null => object.as_object_mut().unwrap().remove(name),
            value => object.as_object_mut().unwrap().insert(name.clone(), value.clone()),
        };
    }
    object
}

fn jwks(keys: &[Value]) -> String {
    json!({ "keys": keys }).to_string()
}

fn all_keys() -> ProviderKeys {
    ProviderKeys::parse(&jwks(&[rsa_jwk(&json!({})), ec_jwk(&json!({})), ed_jwk(&json!({}))])).unwrap()
}

fn rsa_sign(encoding: &'static dyn RsaEncoding, message: &[u8]) -> Vec<u8> {
    let mut signature = vec![0; RSA.public_modulus_len()];
    RSA.sign(encoding, &random(), message, &mut signature).unwrap();
    signature
}

/// How a test token is signed, whatever its header says.
#[derive(Clone, Copy, Debug)]
enum By {
    Rs256,
    Rs512,
    Es256,
    EdDsa,
    /// HMAC with the public key as secret.
    Public,
    Nobody,
}

fn token_of(header: &Value, claims: &str, by: By) -> String {
    let signed = format!("{}.{}", base64(header.to_string()), base64(claims));
    let message = signed.as_bytes();
    let signature = match by {
        By::Rs256 => rsa_sign(&RSA_PKCS1_SHA256, message),
        By::Rs512 => rsa_sign(&RSA_PKCS1_SHA512, message),
        By::Es256 => EC.sign(&random(), message).unwrap().as_ref().to_vec(),
        By::EdDsa => ED.sign(message).as_ref().to_vec(),
        By::Public => {
            let secret = jwks(&[rsa_jwk(&json!({}))]);
            hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), message).as_ref().to_vec()
        }
        By::Nobody => Vec::new(),
    };
    format!("{signed}.{}", base64(signature))
}

fn claims(more: &Value) -> Value {
    let usual = json!({"iss": ISSUER, "sub": "user-1", "aud": "app", "exp": NOW + 600, "iat": NOW - 10});
    with(usual, more)
}

fn token(header: &Value, more: &Value, by: By) -> String {
    token_of(header, &claims(more).to_string(), by)
}

fn verify(keys: &ProviderKeys, token: &str) -> Result<WebIdentity, WebIdentityError> {
    let client_ids = ["app".to_owned(), "web".to_owned()];
    let now = Timestamp::from_second(NOW).unwrap();
    verify_web_identity(token, &ExpectedToken { issuer: ISSUER, client_ids: &client_ids, keys, now })
}

fn rs256() -> Value {
    json!({"alg": "RS256", "kid": "rsa", "typ": "JWT"})
}

#[test]
fn tokens_are_accepted_by_the_algorithm_of_their_key() {
    for (header, by) in [
        (rs256(), By::Rs256),
        (json!({"alg": "RS256", "kid": "rsa", "typ": "at+jwt"}), By::Rs256),
        (json!({"alg": "ES256", "kid": "ec"}), By::Es256),
        (json!({"alg": "EdDSA", "kid": "ed"}), By::EdDsa),
    ] {
        let identity = verify(&all_keys(), &token(&header, &json!({}), by)).unwrap();
        assert_eq!(
            (&*identity.subject, &*identity.audience, identity.expires_s),
            ("user-1", "app", NOW + 600),
            "{by:?}"
        );
    }
    let only = ProviderKeys::parse(&jwks(&[rsa_jwk(&json!({"kid": null}))])).unwrap();
    assert!(
        verify(&only, &token(&json!({"alg": "RS256"}), &json!({}), By::Rs256)).is_ok(),
        "a single key needs no name"
    );
    let rs512 = ProviderKeys::parse(&jwks(&[rsa_jwk(&json!({"alg": "RS512"}))])).unwrap();
    assert!(verify(&rs512, &token(&json!({"alg": "RS512", "kid": "rsa"}), &json!({}), By::Rs512)).is_ok());
}

#[test]
fn a_token_does_not_choose_how_it_is_verified() {
    let embedded = json!({"alg": "EdDSA", "kid": "other", "jwk": ed_jwk(&json!({"kid": "other"}))});
    let linked =
        json!({"alg": "RS256", "kid": "other", "jku": "https://evil.example/keys", "x5u": "https://evil.example"});
    for (what, header, by) in [
        ("no algorithm", json!({"alg": "none", "kid": "rsa"}), By::Nobody),
        ("no algorithm, in capitals", json!({"alg": "NONE", "kid": "rsa"}), By::Nobody),
        ("no algorithm and no key", json!({"alg": "none"}), By::Nobody),
        ("the public key as a secret", json!({"alg": "HS256", "kid": "rsa"}), By::Public),
        ("the public key as a secret, by its own algorithm", rs256(), By::Public),
        ("another algorithm of the same key", json!({"alg": "RS512", "kid": "rsa"}), By::Rs512),
        ("the key's algorithm, but another one signed", rs256(), By::Rs512),
        ("the algorithm of another key", json!({"alg": "ES256", "kid": "rsa"}), By::Es256),
        ("with a space", json!({"alg": " RS256", "kid": "rsa"}), By::Rs256),
        ("in small letters", json!({"alg": "rs256", "kid": "rsa"}), By::Rs256),
        ("an empty signature", rs256(), By::Nobody),
        ("no name among several keys", json!({"alg": "RS256"}), By::Rs256),
        ("its own key", embedded, By::EdDsa),
        ("an address of keys", linked, By::Rs256),
        ("a name in another case", json!({"alg": "RS256", "kid": "RSA"}), By::Rs256),
        ("a critical extension", json!({"alg": "RS256", "kid": "rsa", "crit": ["exp"]}), By::Rs256),
        ("an empty list of critical extensions", json!({"alg": "RS256", "kid": "rsa", "crit": []}), By::Rs256),
        ("claims that are not encoded", json!({"alg": "RS256", "kid": "rsa", "b64": false}), By::Rs256),
        ("an algorithm that is no text", json!({"alg": ["RS256"], "kid": "rsa"}), By::Rs256),
        ("a header that is no object", json!(["RS256"]), By::Rs256),
    ] {
        assert!(verify(&all_keys(), &token(&header, &json!({}), by)).is_err(), "{what}");
    }
}

#[test]
fn an_unknown_key_is_told_from_a_wrong_signature() {
    let unknown = token(&json!({"alg": "RS256", "kid": "new"}), &json!({}), By::Rs256);
    assert_eq!(verify(&all_keys(), &unknown), Err(WebIdentityError::UnknownKey));
    let forged = token(&rs256(), &json!({}), By::Rs256).replacen('e', "f", 1);
    assert_ne!(verify(&all_keys(), &forged), Err(WebIdentityError::UnknownKey));
}

#[test]
fn what_a_claim_must_say() {
    use WebIdentityError::{Audience, Expired};
    let end = |seconds| Err(Expired(Timestamp::from_second(seconds).unwrap()));
    let bad = || Err(WebIdentityError::Malformed(""));
    let long = "x".repeat(20_000);
    for (what, more, wanted) in [
        ("as usual", json!({}), Ok("app")),
        ("expired", json!({"exp": NOW - 60}), end(NOW - 60)),
        ("within the leeway", json!({"exp": NOW - 59}), Ok("app")),
        ("an end as a fraction", json!({"exp": 1_795_314_999.5}), Ok("app")),
        ("an end as text", json!({"exp": (NOW + 600).to_string()}), bad()),
        ("no end", json!({"exp": null}), bad()),
        ("the end 0", json!({"exp": 0}), end(0)),
        ("no time of issue", json!({"iat": null}), bad()),
        ("a time of issue as text", json!({"iat": "yesterday"}), bad()),
        ("from the future", json!({"iat": NOW + 61}), bad()),
        ("not valid yet", json!({"nbf": NOW + 61}), bad()),
        ("a start as text", json!({"nbf": "0"}), bad()),
        ("a start within the leeway", json!({"nbf": NOW + 60}), Ok("app")),
        ("no subject", json!({"sub": null}), bad()),
        ("an empty subject", json!({"sub": ""}), bad()),
        ("a subject that is a number", json!({"sub": 7}), bad()),
        ("another issuer", json!({"iss": "https://idp.example.com"}), bad()),
        ("an issuer that begins alike", json!({"iss": "https://idp.example.com/realm@evil.example"}), bad()),
        ("an issuer with a slash", json!({"iss": "https://idp.example.com/realm/"}), bad()),
        ("an issuer in capitals", json!({"iss": "https://IDP.example.com/realm"}), bad()),
        ("an issuer in a list", json!({"iss": [ISSUER]}), bad()),
        ("no issuer", json!({"iss": null}), bad()),
        ("another audience", json!({"aud": "other"}), Err(Audience)),
        ("no audience", json!({"aud": null}), Err(Audience)),
        ("an empty list of audiences", json!({"aud": []}), Err(Audience)),
        ("one of several audiences", json!({"aud": ["account", "web"]}), Ok("web")),
        ("an audience that begins alike", json!({"aud": "app2"}), Err(Audience)),
        ("an audience that is a number", json!({"aud": 7}), bad()),
        ("a list with a number", json!({"aud": ["app", 7]}), bad()),
        ("issued to a client", json!({"aud": "account", "azp": "app"}), Ok("app")),
        ("issued to a client alone", json!({"aud": null, "azp": "web"}), Ok("web")),
        ("issued to another client", json!({"aud": "account", "azp": "other"}), Err(Audience)),
        ("issued to a list", json!({"azp": ["app"]}), bad()),
        ("names that differ in case only", json!({"SUB": "admin"}), bad()),
        ("a nested name like a plain one", json!({"a": {"b": "1"}, "a.b": "2"}), bad()),
        ("nested too deeply", json!({"a": {"b": {"c": {"d": {"e": {"f": {"g": {"h": {"i": 1}}}}}}}}}), bad()),
        ("huge", json!({"x": long}), bad()),
    ] {
        let seen = verify(&all_keys(), &token(&rs256(), &more, By::Rs256)).map(|identity| identity.audience);
        let seen = match &seen {
            Ok(audience) => Ok(audience.as_str()),
            Err(WebIdentityError::Malformed(_)) => bad(),
            Err(error) => Err(error.clone()),
        };
        assert_eq!(seen, wanted, "{what}");
    }
}

#[test]
fn names_that_occur_twice_are_refused() {
    let usual = claims(&json!({})).to_string();
    for twice in [r#","sub":"admin"}"#, r#","exp":9999999999}"#, r#","x":{"a":1,"a":2}}"#] {
        let text = format!("{}{twice}", usual.strip_suffix('}').unwrap());
        let refused = verify(&all_keys(), &token_of(&rs256(), &text, By::Rs256));
        assert!(matches!(refused, Err(WebIdentityError::Malformed(_))), "{twice}");
    }
    assert!(verify(&all_keys(), &token_of(&rs256(), "[]", By::Rs256)).is_err());
}

#[test]
fn without_client_ids_every_token_is_refused() {
    let (keys, now) = (all_keys(), Timestamp::from_second(NOW).unwrap());
    let token = token(&rs256(), &json!({"aud": ""}), By::Rs256);
    let expected = ExpectedToken { issuer: ISSUER, client_ids: &[], keys: &keys, now };
    assert_eq!(verify_web_identity(&token, &expected), Err(WebIdentityError::Audience));
}

#[test]
fn the_shape_of_a_token() {
    let good = token(&rs256(), &json!({}), By::Rs256);
    let parts: Vec<&str> = good.split('.').collect();
    for wrong in [
        String::new(),
        "a.b".to_owned(),
        parts[..2].join("."),
        format!("{good}.{}", parts[2]),
        format!("{good}.a.b"),
        format!("{good}="),
        format!("{good}\n"),
        good.replace('.', ".."),
        "ä.ö.ü".to_owned(),
    ] {
        assert!(matches!(verify(&all_keys(), &wrong), Err(WebIdentityError::Malformed(_))), "{wrong}");
    }
    assert_eq!(claimed_issuer(&good).unwrap(), ISSUER);
    for wrong in ["", "a.b.c", "e30.e30.", "e30.bnVsbA."] {
        assert!(claimed_issuer(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn claims_are_found_by_their_path() {
    let more = json!({
        "realm_access": {"roles": ["admin", "user"]}, "resource_access": {"my.app": {"roles": ["x"]}},
        "kubernetes.io": {"namespace": "ns", "serviceaccount": {"name": "default"}}, "email_verified": true, "level": 3,
        "urn:zitadel:iam:org:project:roles": {"admin": {"1": "org"}}, "nothing": null, "mixed": ["a", 1, {"b": 2}],
        "aws:MultiFactorAuthPresent": "true",
    });
    let identity = verify(&all_keys(), &token(&rs256(), &more, By::Rs256)).unwrap();
    let many = |values: &[&str]| Some(Claim::Many(values.iter().map(|value| (*value).to_owned()).collect()));
    let one = |value: &str| Some(Claim::One(value.to_owned()));
    for (name, wanted) in [
        ("realm_access.roles", many(&["admin", "user"])),
        ("resource_access.my.app.roles", many(&["x"])),
        ("kubernetes.io.serviceaccount.name", one("default")),
        ("kubernetes.io", many(&["namespace", "serviceaccount"])),
        ("urn:zitadel:iam:org:project:roles", many(&["admin"])),
        ("email_verified", one("true")),
        ("level", one("3")),
        ("mixed", many(&["a", "1"])),
        ("nothing", None),
        ("aws:MultiFactorAuthPresent", one("true")),
    ] {
        assert_eq!(identity.claims.get(name), wanted.as_ref(), "{name}");
    }
    assert_eq!(identity.claims.text("realm_access.roles"), None);
}

#[test]
fn keys_that_cannot_verify_are_passed_over() {
    for (what, key) in [
        ("for encryption", rsa_jwk(&json!({"use": "enc"}))),
        ("for signing alone", rsa_jwk(&json!({"key_ops": ["sign"]}))),
        ("a private key", rsa_jwk(&json!({"d": "AQAB"}))),
        ("a secret", json!({"kty": "oct", "k": "AQAB", "alg": "HS256"})),
        ("an RSA key for HS256", rsa_jwk(&json!({"alg": "HS256"}))),
        ("an RSA key for none", rsa_jwk(&json!({"alg": "none"}))),
        ("a short modulus", rsa_jwk(&json!({"n": "AQAB"}))),
        ("no modulus", rsa_jwk(&json!({"n": null}))),
        ("another curve", ec_jwk(&json!({"crv": "secp256k1"}))),
        ("the algorithm of another curve", ec_jwk(&json!({"alg": "ES384"}))),
        ("a short coordinate", ec_jwk(&json!({"x": "AQAB"}))),
        ("no point of the curve", ec_jwk(&json!({"x": "A".repeat(43), "y": "A".repeat(43)}))),
        ("half a key", ed_jwk(&json!({"x": "A".repeat(22)}))),
        ("an exponent of nothing", rsa_jwk(&json!({"e": ""}))),
        ("a curve for key exchange", ed_jwk(&json!({"crv": "X25519"}))),
        ("no text", json!(7)),
    ] {
        assert!(matches!(ProviderKeys::parse(&jwks(std::slice::from_ref(&key))), Err(KeysError::NoKey(_))), "{what}");
        let beside = ProviderKeys::parse(&jwks(&[key, ed_jwk(&json!({"use": "sig"}))])).unwrap();
        assert_eq!((beside.len(), beside.passed_over().len(), beside.is_empty()), (1, 1, false), "{what}");
    }
    for wrong in ["", "{}", "[]", r#"{"keys":{}}"#, "<html>"] {
        assert!(matches!(ProviderKeys::parse(wrong), Err(KeysError::Malformed(_))), "{wrong}");
    }
    let long = format!("{}{}", jwks(&[ed_jwk(&json!({}))]), " ".repeat(KEYS_BYTES_MAX));
    assert!(matches!(ProviderKeys::parse(&long), Err(KeysError::Malformed(_))));
}
