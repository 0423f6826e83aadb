//! Session tokens: any text, and one of ours with a byte changed.
//!
//! The input is a place and a byte, then a text. Nobody makes a token without the key, and no change of one goes unnoticed.
#![no_main]

use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use sts::{NewSession, SessionHolder, SessionKeys, SigningKey};

fuzz_target!(|input: (u16, u8, &str)| {
    let (place, byte, text) = input;
    let Ok(current) = SigningKey::from_bytes(&[b'k'; 32]) else { return };
    let (issuer, account_id) = ("seaweedfs-sts".to_owned(), ids::AccountId::DEFAULT);
    let keys = SessionKeys { current, older: Vec::new(), issuer, account_id };
    let now = Timestamp::UNIX_EPOCH;
    assert!(sts::verify(&keys, text, now).is_err(), "a token without a key");
    let made = sts::mint(
        &keys,
        &NewSession {
            role_arn: "arn:aws:iam::000000000000:role/app",
            role_id: Some("AROAAPP"),
            held_by: SessionHolder::Role,
            session_name: text,
            principal_arn: "arn:aws:sts::000000000000:assumed-role/app/work",
            session_policy: Some(text),
            session_policy_arns: &[],
            policy_names: &[],
            duration_s: 900,
            issued_at: now,
            session_id: [7; 16],
            request_context: serde_json::Map::new(),
            tags: &[(text.to_owned(), text.to_owned())],
            transitive_tag_keys: &[],
            source_identity: None,
            revision: None,
            federated: None,
            origins: &[],
            mfa_at_s: None,
        },
    );
    // Longer ones than any head holds are refused as such.
    if made.token.len() > 60 << 10 {
        return;
    }
    let verified = sts::verify(&keys, &made.token, now).expect("what was made is accepted");
    assert_eq!(verified.claims.snam, text);
    assert_eq!(verified.secret.expose(), made.secret.expose());
    let mut changed = made.token.clone().into_bytes();
    let place = usize::from(place) % changed.len();
    if let Some(known) = changed.get_mut(place).filter(|known| **known != byte) {
        *known = byte;
        if let Ok(changed) = String::from_utf8(changed) {
            assert!(sts::verify(&keys, &changed, now).is_err(), "{changed} was {}", made.token);
        }
    }
});
