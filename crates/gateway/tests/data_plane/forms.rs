//! Uploads by a browser's form.

use crate::support::{Claims, Reply, World, signer};

/// The conditions that cover the fields of the signature.
const SIGNED: &str =
    r#"["starts-with","$x-amz-algorithm",""],["starts-with","$x-amz-credential",""],["starts-with","$x-amz-date",""]"#;
const CRC_OF_HELLO: &str = "NhCmhg==";

type Fields<'a> = &'a [(&'a str, &'a str)];

fn policy(conditions: &str) -> String {
    format!(
        "{{\"expiration\":\"2100-01-01T00:00:00Z\",\"conditions\":[{SIGNED},{{\"bucket\":\"plain\"}}{conditions}]}}"
    )
}

/// The body of a form: its fields, then the file `dir/name.txt`, then what follows it.
fn body(fields: &[(String, String)], file: &str, after: &str) -> String {
    let mut text = String::new();
    for (name, value) in fields {
        text += &format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
    }
    text + &format!(
        "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"dir/name.txt\"\r\n\r\n{file}\r\n--b--\r\n{after}"
    )
}

async fn post(world: &World, body: String) -> Reply {
    world.send("POST /plain", &[("content-type", "multipart/form-data; boundary=b")], body).await
}

/// A form that `user` signs, with these fields, whose policy has these conditions.
async fn signed(world: &World, user: &str, conditions: &str, fields: Fields<'_>, file: &str) -> Reply {
    let mut all = signer(user).form(&policy(conditions));
    all.extend(fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    post(world, body(&all, file, "")).await
}

/// In a form, a field agrees to pay, and the policy covers it.
#[tokio::test]
async fn the_requester_pays() {
    let world = World::with_users().await;
    let payment = "<RequestPaymentConfiguration><Payer>Requester</Payer></RequestPaymentConfiguration>";
    let for_all = r#"{"Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:PutObject","Resource":"arn:aws:s3:::plain/*"}]}"#;
    world
        .check(&[
            ("admin", "PUT /plain?requestPayment", &[], payment, "200 "),
            ("admin", "PUT /plain?policy", &[], for_all, "204 "),
        ])
        .await;
    let (key, payer) = (r#",{"key":"k"}"#, r#",["starts-with","$x-amz-request-payer",""]"#);
    let both = format!("{key}{payer}");
    let mut claims = Claims::default();
    for (user, conditions, fields, want, charged) in [
        ("admin", key, &[("key", "k")][..], "204 ", ""),
        ("other", key, &[("key", "k")], "403 AccessDenied", ""),
        ("other", key, &[("key", "k"), ("x-amz-request-payer", "requester")], "403 AccessDenied", ""),
        ("other", &both, &[("key", "k"), ("x-amz-request-payer", "owner")], "403 AccessDenied", ""),
        ("other", &both, &[("key", "k"), ("x-amz-request-payer", "requester")], "204 ", "requester"),
    ] {
        let reply = signed(&world, user, conditions, fields, "hello").await;
        let got = (&*reply.outcome(), reply.header("x-amz-request-charged"));
        claims.claim(&format!("{user} {fields:?}: {}", reply.text()), got, (want, charged));
    }
    let unsigned =
        [("key", "k"), ("x-amz-request-payer", "requester")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    claims.claim("unsigned", &*post(&world, body(&unsigned, "hello", "")).await.outcome(), "403 AccessDenied");
    claims.end();
}

#[tokio::test]
async fn what_the_policy_and_the_fields_say() {
    let world = World::with_users().await;
    let mut claims = Claims::default();
    let key = r#",{"key":"k"}"#;
    let with = |more: &str| format!("{key},{more}");
    for (user, conditions, fields, want) in [
        ("admin", key.to_owned(), &[("key", "k")][..], "204 "),
        ("writer", key.to_owned(), &[("key", "k")], "204 "),
        ("reader", key.to_owned(), &[("key", "k")], "403 AccessDenied"),
        ("nobody", key.to_owned(), &[("key", "k")], "403 AccessDenied"),
        ("unknown", key.to_owned(), &[("key", "k")], "403 InvalidAccessKeyId"),
        ("admin", key.to_owned(), &[("key", "l")], "403 AccessDenied"),
        ("admin", key.to_owned(), &[], "403 AccessDenied"),
        ("admin", key.to_owned(), &[("key", "k"), ("key", "k")], "400 InvalidArgument"),
        // A field that no condition covers.
        ("admin", key.to_owned(), &[("key", "k"), ("x-amz-meta-a", "1")], "403 AccessDenied"),
        ("admin", with(r#"["starts-with","$x-amz-meta-a",""]"#), &[("key", "k"), ("x-amz-meta-a", "1")], "204 "),
        ("admin", key.to_owned(), &[("key", "k"), ("x-ignore-a", "1")], "204 "),
        ("admin", with(r#"["content-length-range",5,5]"#), &[("key", "k")], "204 "),
        ("admin", with(r#"["content-length-range",0,4]"#), &[("key", "k")], "400 EntityTooLarge"),
        ("admin", with(r#"["content-length-range",6,9]"#), &[("key", "k")], "400 EntityTooSmall"),
        ("admin", with(r#"{"acl":"private"}"#), &[("key", "k"), ("acl", "private")], "204 "),
        (
            "admin",
            with(r#"{"acl":"public-read"}"#),
            &[("key", "k"), ("acl", "public-read")],
            "400 AccessControlListNotSupported",
        ),
        ("admin", with(r#"{"acl":"all"}"#), &[("key", "k"), ("acl", "all")], "400 InvalidArgument"),
        (
            "admin",
            with(r#"["starts-with","$x-amz-checksum-crc32",""]"#),
            &[("key", "k"), ("x-amz-checksum-crc32", CRC_OF_HELLO)],
            "204 ",
        ),
        (
            "admin",
            with(r#"["starts-with","$x-amz-checksum-crc32",""]"#),
            &[("key", "k"), ("x-amz-checksum-crc32", "AAAAAA==")],
            "400 BadDigest",
        ),
        (
            "admin",
            with(r#"["starts-with","$content-md5",""]"#),
            &[("key", "k"), ("Content-MD5", "1B2M2Y8AsgTpgAmY7PhCfg==")],
            "400 BadDigest",
        ),
    ] {
        let reply = signed(&world, user, &conditions, fields, "hello").await;
        claims.claim(&format!("{user} {conditions} {fields:?}: {}", reply.text()), &*reply.outcome(), want);
        let stored = world.entry("plain/k").await.is_some();
        claims.claim(&format!("{user} {conditions} {fields:?}"), stored, want == "204 ");
        world.ask_admin("DELETE /plain/k").await;
    }
    claims.end();
}

#[tokio::test]
async fn answers() {
    let world = World::with_users().await;
    let any = r#",["starts-with","$key",""],["starts-with","$success_action_status",""],["starts-with","$success_action_redirect",""]"#;
    let at = |location: &str| match location.starts_with('/') {
        true => format!("http://{}{location}", world.address),
        false => location.to_owned(),
    };
    let mut claims = Claims::default();
    for (fields, status, location, content) in [
        (&[("success_action_status", "200"), ("success_action_redirect", "")][..], 200, "/plain/up/name.txt", ""),
        (
            &[("success_action_status", "201"), ("success_action_redirect", "")],
            201,
            "/plain/up/name.txt",
            "<Bucket>plain</Bucket><Key>up/name.txt</Key><ETag>&quot;5d41402abc4b2a76b9719d911017c592&quot;</ETag></PostResponse>",
        ),
        (&[("success_action_status", "500"), ("success_action_redirect", "x")], 204, "/plain/up/name.txt", ""),
        (
            &[("success_action_status", ""), ("success_action_redirect", "http://127.0.0.1/done?x=1")],
            303,
            "http://127.0.0.1/done?x=1&bucket=plain&key=up%2Fname%2Etxt&etag=%225d41402abc4b2a76b9719d911017c592%22",
            "",
        ),
    ] {
        let fields = [&[("key", "up/${filename}")], fields].concat();
        let reply = signed(&world, "admin", any, &fields, "hello").await;
        let got = (reply.status.as_u16(), reply.header("location"), reply.header("etag"));
        claims.claim(
            &format!("{fields:?} {}", reply.text()),
            got,
            (status, &*at(location), "\"5d41402abc4b2a76b9719d911017c592\""),
        );
        claims.claim(&format!("{fields:?} {}", reply.text()), reply.text().ends_with(content), true);
    }
    claims.end();
    assert_eq!(world.ask_admin("GET /plain/up/name.txt").await.text(), "hello");
}

#[tokio::test]
async fn forms_that_are_none() {
    let world = World::with_users().await;
    let fields = signer("admin").form(&policy(r#",["starts-with","$key",""]"#));
    let fields = || fields.iter().cloned().chain([("key".to_owned(), "k".to_owned())]).collect::<Vec<_>>();
    let without = |name: &str| fields().into_iter().filter(|(known, _)| known != name).collect::<Vec<_>>();
    let whole = body(&fields(), "hello", "");
    let mut claims = Claims::default();
    for (what, body, want) in [
        ("the form", whole.clone(), "204 "),
        ("what follows is dropped", body(&fields(), "hello", "--b\r\nmore"), "204 "),
        ("nothing", String::new(), "400 MalformedPOSTRequest"),
        ("another boundary", whole.replace("--b\r\n", "--c\r\n"), "400 MalformedPOSTRequest"),
        (
            "no file",
            whole.split("--b\r\nContent-Disposition: form-data; name=\"file\"").next().unwrap().to_owned()
                + "--b--\r\n",
            "400 InvalidArgument",
        ),
        ("no end", whole.replace("\r\n--b--\r\n", ""), "400 MalformedPOSTRequest"),
        (
            "too many fields",
            body(&[fields(), vec![("x-ignore-a".to_owned(), "v".repeat(21_000))]].concat(), "hello", ""),
            "400 MaxPostPreDataLengthExceededError",
        ),
        ("too much behind the file", body(&fields(), "hello", &"x".repeat(21_000)), "400 MalformedPOSTRequest"),
        ("no signature", body(&without("x-amz-signature"), "hello", ""), "400 InvalidArgument"),
        ("no policy", body(&without("policy"), "hello", ""), "400 InvalidArgument"),
    ] {
        let reply = post(&world, body).await;
        claims.claim(&format!("{what}: {}", reply.text()), &*reply.outcome(), want);
        let stored = world.entry("plain/k").await.is_some();
        claims.claim(what, stored, want == "204 ");
        world.ask_admin("DELETE /plain/k").await;
    }
    claims.end();
    let reply = world.send("POST /plain", &[("content-type", "application/x-www-form-urlencoded")], "key=k").await;
    assert_eq!(reply.outcome(), "412 PreconditionFailed");
    // A bucket that is open to all takes a form without a signature.
    let open = [("key".to_owned(), "${filename}".to_owned())];
    let reply = world
        .send("POST /shared", &[("content-type", "multipart/form-data; boundary=b")], body(&open, "hello", ""))
        .await;
    assert_eq!(reply.outcome(), "204 ", "{}", reply.text());
    assert_eq!(world.ask("GET /shared/name.txt").await.text(), "hello");
}
