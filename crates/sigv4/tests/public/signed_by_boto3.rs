//! Requests signed by boto3 verify, and not one byte of them can be changed. `signed_by_boto3.py` made the requests.

use http::request::Parts;
use ids::SecretAccessKey;
use jiff::Timestamp;
use serde_json::Value;
use sigv4::AuthForm;

use crate::tools::{World, claim, target, try_head};

struct Signed {
    name: String,
    form: String,
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    token: Option<String>,
    body_sha256: [u8; 32],
}

impl Signed {
    fn head(&self) -> Result<Parts, http::Error> {
        let headers: Vec<(&str, &str)> =
            self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        try_head(&self.method, &self.target, &headers)
    }
}

fn table() -> (Timestamp, String, Vec<Signed>) {
    let table: Value = serde_json::from_str(include_str!("signed_by_boto3.json")).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let rows = table["requests"].as_array().unwrap().iter().map(|row| {
        let pair = |pair: &Value| (text(&pair[0]), text(&pair[1]));
        let mut body_sha256 = [0; 32];
        hex::decode_to_slice(text(&row["body_sha256"]), &mut body_sha256).unwrap();
        Signed {
            name: text(&row["name"]),
            form: text(&row["form"]),
            method: text(&row["method"]),
            target: text(&row["target"]),
            headers: row["headers"].as_array().unwrap().iter().map(pair).collect(),
            token: row["token"].as_str().map(str::to_owned),
            body_sha256,
        }
    });
    (Timestamp::from_second(table["now"].as_i64().unwrap()).unwrap(), text(&table["secret"]), rows.collect())
}

/// Verifies a request in any form.
fn check(world: &World, row: &Signed) -> Result<(), String> {
    let head = row.head().map_err(|error| error.to_string())?;
    let token = match sigv4::auth_form(&head).map_err(|error| error.to_string())? {
        AuthForm::HeaderV4(claim) | AuthForm::PresignedV4(claim) => {
            let target = target(&head, None);
            let mut expect = world.expect(&target);
            expect.body_sha256 = claim.scope.service.ne("s3").then_some(row.body_sha256);
            sigv4::verify(&head, &claim, &world.secret, &expect, &world.keys).map_err(|error| error.to_string())?;
            claim.session_token
        }
        AuthForm::HeaderV2(claim) | AuthForm::PresignedV2(claim) => {
            let target = target(&head, None);
            sigv4::v2::verify(&head, &claim, &world.secret, world.now, 900, &target)
                .map_err(|error| error.to_string())?;
            claim.session_token
        }
        other => return Err(format!("{other:?}")),
    };
    if token == row.token { Ok(()) } else { Err(format!("token {token:?}")) }
}

#[test]
fn requests_signed_by_boto3_verify() {
    let (now, secret, rows) = table();
    let world = World::new(now, &secret);
    assert!(rows.len() > 60);
    let failed: Vec<_> =
        rows.iter().filter_map(|row| check(&world, row).err().map(|error| (&row.name, error))).collect();
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn the_cache_does_not_keep_a_replaced_secret() {
    let (now, secret, rows) = table();
    let mut world = World::new(now, &secret);
    for row in &rows {
        check(&world, row).unwrap();
    }
    world.secret = SecretAccessKey::new(format!("{secret}x"));
    for row in &rows {
        assert!(check(&world, row).is_err(), "{}", row.name);
    }
}

/// Changes everything that a V4 signature covers: method, target, the values of the signed headers, and the signature
/// itself.
#[test]
fn no_byte_of_a_v4_request_can_be_changed() {
    let (now, secret, rows) = table();
    let world = World::new(now, &secret);
    let mut changes = 0;
    for row in rows.iter().filter(|row| !row.form.starts_with("v2")) {
        let covered = claim(&row.head().unwrap()).unwrap().signed_headers;
        // Not the first byte: a target without its slash is invalid for these methods.
        for position in 1..row.target.len() {
            changes += usize::from(refuses(&world, row, |row| replace(&mut row.target, position), "target", position));
        }
        for (index, (name, value)) in row.headers.iter().enumerate() {
            if !covered.iter().any(|covered| covered.as_str() == name) && name != "x-amz-content-sha256" {
                continue;
            }
            for position in 0..value.len() {
                changes += usize::from(refuses(
                    &world,
                    row,
                    |row| replace(&mut row.headers[index].1, position),
                    name,
                    position,
                ));
            }
        }
        for method in ["GET", "PUT", "POST", "DELETE", "HEAD"].into_iter().filter(|method| *method != row.method) {
            refuses(&world, row, |row| row.method = method.to_owned(), method, 0);
        }
        refuses(
            &world,
            row,
            |row| row.headers.push(("x-amz-copy-source".into(), "/secret/key".into())),
            "added header",
            0,
        );
        refuses(
            &world,
            row,
            |row| row.headers.push(("x-amz-security-token".into(), "stolen".into())),
            "added token",
            0,
        );
        refuses(
            &world,
            row,
            |row| row.target.push_str(if row.target.contains('?') { "&acl" } else { "?acl" }),
            "added query",
            0,
        );
    }
    assert!(changes > 5000, "only {changes} changes were tried");
}

fn replace(text: &mut String, position: usize) {
    let mut bytes = text.clone().into_bytes();
    bytes[position] = if bytes[position] == b'x' { b'y' } else { b'x' };
    *text = String::from_utf8_lossy(&bytes).into_owned();
}

/// True if the changed request is well-formed. It must then be refused.
fn refuses(world: &World, row: &Signed, change: impl Fn(&mut Signed), what: &str, position: usize) -> bool {
    let mut changed = Signed {
        name: row.name.clone(),
        form: row.form.clone(),
        method: row.method.clone(),
        target: row.target.clone(),
        headers: row.headers.clone(),
        token: row.token.clone(),
        body_sha256: row.body_sha256,
    };
    change(&mut changed);
    if changed.head().is_err() {
        return false;
    }
    // The caller checks the token; here the change must already break the signature.
    if let Ok(head) = changed.head() {
        changed.token = claim(&head).ok().and_then(|claim| claim.session_token);
    }
    assert!(
        check(world, &changed).is_err(),
        "{}: {what} changed at {position}: {} {}",
        row.name,
        changed.method,
        changed.target
    );
    true
}
