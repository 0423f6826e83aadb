//! Who is let in by which signature, and what the others are told.

use std::sync::Arc;

use access::{Authenticated, Authenticator, Services, SignatureV2};
use http::request::Parts;
use iam::{TlsVersion, Use};
use s3::S3Error;
use sigv4::{EMPTY_SHA256, PayloadHash};
use testkit::signing::Client;

use crate::world::{IP, World, client, head, new_session, now, said, seconds, session, session_keys, with};

const POLICY: &str = r#"{"expiration": "2026-12-01T00:00:00Z", "conditions": []}"#;
/// Lists the same keys with the same permission as without it.
const UNCOVERED: [&str; 1] = ["list-type"];
const WAYS: [&str; 6] = ["HeaderV4", "PresignedV4", "HeaderV2", "PresignedV2", "PostV4", "PostV2"];

fn get() -> Parts {
    head("GET", "/bkt/k")
}

/// Signs in one of the [`WAYS`], and knocks.
fn knock(world: &World, client: &Client, way: &str) -> Result<Authenticated, S3Error> {
    match way {
        "HeaderV4" => world.authenticate(&client.sign(get(), PayloadHash::EMPTY)),
        "PresignedV4" => world.authenticate(&client.presign(get(), 60)),
        "HeaderV2" => world.authenticate(&client.sign_v2(get())),
        "PresignedV2" => world.authenticate(&client.presign_v2(get(), 60)),
        "PostV4" => world.authenticate_form(&client.form(POLICY)),
        "PostV2" => world.authenticate_form(&client.form_v2(POLICY)),
        other => panic!("{other}"),
    }
}

/// Alice, whose clock is off by so many seconds.
fn at(seconds_from_now: i64) -> Client {
    Client { time: seconds(seconds_from_now), ..client("AKALICE") }
}

fn in_region(region: &str) -> Client {
    Client { region: region.to_owned(), ..client("AKALICE") }
}

fn for_service(service: &str) -> Client {
    Client { service: service.to_owned(), ..client("AKALICE") }
}

fn field<'a>(answer: &'a Result<Authenticated, S3Error>, name: &str) -> Option<&'a str> {
    let fields = answer.as_ref().err()?.fields.iter();
    fields.filter(|(known, _)| *known == name).map(|(_, value)| value.as_str()).next()
}

#[test]
fn each_way_of_signing() {
    let alice = client("AKALICE");
    let form = with(head("POST", "/bkt"), "content-type", "Multipart/Form-Data; boundary=x");
    let world = World::new();
    for (what, head, want) in [
        ("V4 in the header", alice.sign(get(), PayloadHash::EMPTY), "alice HeaderV4"),
        ("V4 in the URL", alice.presign(get(), 60), "alice PresignedV4"),
        ("V2 in the header", alice.sign_v2(get()), "alice HeaderV2"),
        ("V2 in the URL", alice.presign_v2(get(), 60), "alice PresignedV2"),
        ("no signature", get(), "anonymous Anonymous"),
        ("a form, which brings its own", form, "anonymous Anonymous"),
        ("a token of OAuth", with(get(), "authorization", "Bearer abc"), "NotImplemented 501"),
        ("another scheme", with(get(), "authorization", "Basic YTpi"), "InvalidArgument 400"),
        ("half a header", with(get(), "authorization", "AWS4-HMAC-SHA256"), "AuthorizationHeaderMalformed 400"),
        ("two signatures", alice.presign(alice.sign_v2(get()), 60), "InvalidArgument 400"),
        ("half of a URL", head("GET", "/bkt/k?X-Amz-Signature=00"), "AuthorizationQueryParametersError 400"),
        ("a value that is not a hash", with(get(), "x-amz-content-sha256", "abc"), "InvalidArgument 400"),
    ] {
        assert_eq!(said(&world.authenticate(&head)), want, "{what}");
    }
}

#[test]
fn each_key_in_each_way() {
    let world = World::new();
    for (key, secret, want) in [
        ("AKALICE", "AKALICE secret", "alice"),
        ("AKBOB", "AKBOB secret", "bob"),
        ("AKSERVICE", "AKSERVICE secret", "alice"),
        ("AKENDING", "AKENDING secret", "alice"),
        ("AKALICE", "akalice secret", "SignatureDoesNotMatch 403"),
        ("AKALICE", "AKBOB secret", "SignatureDoesNotMatch 403"),
        ("AKNOBODY", "AKALICE secret", "InvalidAccessKeyId 403"),
        ("akalice", "AKALICE secret", "InvalidAccessKeyId 403"),
        ("AKOLD", "AKOLD secret", "InvalidAccessKeyId 403"),
        ("AKGONE", "AKGONE secret", "InvalidAccessKeyId 403"),
        ("AKPAUSED", "AKPAUSED secret", "InvalidAccessKeyId 403"),
        ("AKENDED", "AKENDED secret", "AccessDenied 403"),
    ] {
        for way in WAYS {
            let answer = knock(&world, &Client::new(key, secret, now()), way);
            let want = if answer.is_ok() { format!("{want} {way}") } else { want.to_owned() };
            assert_eq!(said(&answer), want, "{key} with `{secret}`, {way}");
        }
    }
}

#[test]
fn what_is_said_of_a_key() {
    const UNKNOWN: &str = "The AWS Access Key Id you provided does not exist in our records.";
    let known = World::new();
    let empty = World::with_identities(r#"{"identities": []}"#);
    for (world, key, begin, end, names_key) in [
        (&known, "AKNOBODY", UNKNOWN, ".", true),
        (&known, "AKOLD", UNKNOWN, ": the access key is inactive", false),
        (&known, "AKGONE", UNKNOWN, ": the user of the access key is disabled", false),
        (&known, "AKENDED", "the access key has expired", "", false),
        (&empty, "AKALICE", "This gateway has no identities yet", "AWS_SECRET_ACCESS_KEY set", true),
    ] {
        for way in WAYS {
            let answer = knock(world, &client(key), way);
            let message = answer.as_ref().unwrap_err().message();
            assert!(message.starts_with(begin) && message.ends_with(end), "{key} {way}: {message}");
            assert_eq!(field(&answer, "AWSAccessKeyId"), names_key.then_some(key), "{way}");
        }
    }
}

#[test]
fn the_region_of_a_signature() {
    for (gateways, signed, secret, want, told) in [
        ("us-east-1", "us-east-1", "AKALICE secret", "alice HeaderV4", None),
        ("us-east-1", "eu-west-1", "AKALICE secret", "AuthorizationHeaderMalformed 400", Some("us-east-1")),
        ("us-east-1", "eu-west-1", "wrong", "AuthorizationHeaderMalformed 400", Some("us-east-1")),
        // The region is no secret, and no answer to another mistake.
        ("us-east-1", "us-east-1", "wrong", "SignatureDoesNotMatch 403", None),
        ("", "eu-west-1", "AKALICE secret", "alice HeaderV4", None),
        ("", "eu-west-1", "wrong", "SignatureDoesNotMatch 403", None),
    ] {
        let mut world = World::new();
        world.door.region = gateways.to_owned();
        let client = Client { region: signed.to_owned(), ..Client::new("AKALICE", secret, now()) };
        let answer = knock(&world, &client, "HeaderV4");
        assert_eq!(said(&answer), want, "{signed} at {gateways}");
        assert_eq!(field(&answer, "Region"), told, "{signed} at {gateways}");
    }
    let answer = knock(&World::new(), &in_region("eu-west-1"), "PresignedV4");
    assert_eq!(said(&answer), "AuthorizationQueryParametersError 400");
    assert_eq!(field(&answer, "Region"), Some("us-east-1"));
    assert_eq!(said(&knock(&World::new(), &in_region("eu-west-1"), "PostV4")), "AuthorizationQueryParametersError 400");
}

#[test]
fn the_region_of_a_signature_for_iam_and_sts() {
    for (service, services, gateways, signed, want) in [
        ("iam", Services::Query, "eu-west-1", "eu-west-1", "alice HeaderV4"),
        ("iam", Services::Query, "eu-west-1", "us-east-1", "alice HeaderV4"),
        ("sts", Services::Query, "eu-west-1", "us-east-1", "alice HeaderV4"),
        ("sts", Services::Query, "eu-west-1", "", "alice HeaderV4"),
        ("sts", Services::Query, "eu-west-1", "us-west-2", "AuthorizationHeaderMalformed 400"),
        ("s3", Services::S3, "eu-west-1", "us-east-1", "AuthorizationHeaderMalformed 400"),
        ("s3", Services::S3, "eu-west-1", "", "AuthorizationHeaderMalformed 400"),
        ("s3", Services::S3, "", "", "AuthorizationHeaderMalformed 400"),
        ("sts", Services::S3, "eu-west-1", "us-east-1", "AuthorizationHeaderMalformed 400"),
    ] {
        let mut world = World { services, ..World::new() };
        world.door.region = gateways.to_owned();
        let client = Client { service: service.to_owned(), ..in_region(signed) };
        assert_eq!(said(&knock(&world, &client, "HeaderV4")), want, "{service} in `{signed}` at `{gateways}`");
    }
}

#[test]
fn the_service_of_a_signature() {
    use Services::{Query, S3};
    for (services, signed, want) in [
        (S3, "s3", "alice HeaderV4"),
        (S3, "iam", "AuthorizationHeaderMalformed 400"),
        (S3, "sts", "AuthorizationHeaderMalformed 400"),
        (Query, "iam", "alice HeaderV4"),
        (Query, "sts", "alice HeaderV4"),
        (Query, "s3", "AuthorizationHeaderMalformed 400"),
        (Query, "ec2", "AuthorizationHeaderMalformed 400"),
    ] {
        let world = World { services, ..World::new() };
        let answer = knock(&world, &for_service(signed), "HeaderV4");
        assert_eq!(said(&answer), want, "{signed} at {services:?}");
        if let Ok(known) = answer {
            assert_eq!(known.service, signed);
        }
    }
}

#[test]
fn query_apis_bind_the_body() {
    let other = [7; 32];
    for (signed, body, want) in [
        (PayloadHash::EMPTY, EMPTY_SHA256, "alice HeaderV4"),
        (PayloadHash::Absent, EMPTY_SHA256, "alice HeaderV4"),
        (PayloadHash::Sha256(other), other, "alice HeaderV4"),
        (PayloadHash::EMPTY, other, "XAmzContentSHA256Mismatch 400"),
        (PayloadHash::Absent, other, "SignatureDoesNotMatch 403"),
        (PayloadHash::Unsigned, EMPTY_SHA256, "InvalidArgument 400"),
        (PayloadHash::StreamingSigned, EMPTY_SHA256, "InvalidArgument 400"),
    ] {
        let world = World { services: Services::Query, body_sha256: Some(body), ..World::new() };
        let answer = world.authenticate(&for_service("iam").sign(head("POST", "/"), signed));
        assert_eq!(said(&answer), want, "{signed:?}, body {body:?}");
    }
    let world = World { services: Services::Query, ..World::new() };
    for way in ["HeaderV2", "PresignedV2"] {
        assert_eq!(said(&knock(&world, &client("AKALICE"), way)), "InvalidRequest 400", "{way} binds no body");
    }
}

#[test]
fn the_time_of_a_signature() {
    const SKEWED: &str = "RequestTimeTooSkewed 403";
    const DENIED: &str = "AccessDenied 403";
    let world = World::new();
    for (way, seconds, want) in [
        ("HeaderV4", -900, "alice HeaderV4"),
        ("HeaderV4", -901, SKEWED),
        ("HeaderV4", 900, "alice HeaderV4"),
        ("HeaderV4", 901, SKEWED),
        ("HeaderV2", -900, "alice HeaderV2"),
        ("HeaderV2", -901, SKEWED),
        ("HeaderV2", 901, SKEWED),
        ("PresignedV4", -60, "alice PresignedV4"),
        ("PresignedV4", -61, DENIED),
        ("PresignedV4", 900, "alice PresignedV4"),
        ("PresignedV4", 901, DENIED),
        ("PresignedV2", -60, "alice PresignedV2"),
        ("PresignedV2", -61, DENIED),
        ("PostV4", 900, "alice PostV4"),
        ("PostV4", 901, DENIED),
        ("PostV4", -604_800, "alice PostV4"),
        ("PostV4", -604_801, DENIED),
    ] {
        assert_eq!(said(&knock(&world, &at(seconds), way)), want, "{way} at {seconds} s");
    }
    for (expires_s, v4, v2) in [
        (604_800, "alice PresignedV4", "alice PresignedV2"),
        (604_801, "AuthorizationQueryParametersError 400", "alice PresignedV2"),
        (605_700, "AuthorizationQueryParametersError 400", "alice PresignedV2"),
        (605_701, "AuthorizationQueryParametersError 400", "AuthorizationQueryParametersError 400"),
    ] {
        let alice = client("AKALICE");
        let presigned = alice.presign(get(), u32::try_from(expires_s).unwrap());
        assert_eq!(said(&world.authenticate(&presigned)), v4, "V4 for {expires_s} s");
        // V2 names the end alone; a clock that is off counts towards it.
        assert_eq!(said(&world.authenticate(&alice.presign_v2(get(), expires_s))), v2, "V2 for {expires_s} s");
    }
}

#[test]
fn where_v2_is_accepted() {
    for (setting, refused, remedy) in [
        ("off", &["HeaderV2", "PresignedV2", "PostV2"][..], ""),
        ("false", &["HeaderV2", "PresignedV2", "PostV2"], ""),
        ("presigned", &["HeaderV2"], "-sigV2=on"),
        ("on", &[], ""),
        ("true", &[], ""),
    ] {
        let setting: SignatureV2 = setting.parse().unwrap();
        let world = World { door: Authenticator::new("us-east-1".to_owned(), setting, None), ..World::new() };
        for way in WAYS {
            let is_refused = refused.contains(&way);
            let answer = knock(&world, &client("AKALICE"), way);
            let want = if is_refused { "InvalidRequest 400".to_owned() } else { format!("alice {way}") };
            assert_eq!(said(&answer), want, "{setting}");
            // Who has no key is told the same: nothing of the key is looked at.
            let want = if is_refused { "InvalidRequest 400" } else { "InvalidAccessKeyId 403" };
            assert_eq!(said(&knock(&world, &client("AKNOBODY"), way)), want, "{setting}");
            if let Err(error) = answer {
                // s3cmd compares the text, and then signs with V4.
                let text =
                    "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.";
                assert_eq!(error.message(), text);
                let (name, advice) = &error.fields[0];
                assert!(*name == "Advice" && advice.contains("s3v4"), "{advice}");
                let remedy = if remedy.is_empty() && way != "HeaderV2" { "-sigV2=presigned" } else { "-sigV2=on" };
                assert!(advice.ends_with(remedy), "{way}: {advice}");
            }
        }
    }
    for setting in ["off", "presigned", "on"] {
        assert_eq!(setting.parse::<SignatureV2>().unwrap().to_string(), setting);
    }
    assert_eq!(SignatureV2::default(), SignatureV2::Presigned);
    assert!("yes".parse::<SignatureV2>().is_err());
}

/// Anyone can add parameters to a presigned URL. V2 covers only those in its list, so each that leads to another operation must be in it.
#[test]
fn v2_covers_every_parameter_that_leads_to_another_operation() {
    let world = World::new();
    let signed = client("AKALICE").presign_v2(get(), 60);
    let mut names: Vec<&str> = s3::KnownOperation::all().filter_map(|known| known.sub_resource).collect();
    names.retain(|name| !UNCOVERED.contains(name));
    names.extend(["versionId", "partNumber", "x-amz-copy-source"]);
    for name in names {
        let mut head = signed.clone();
        head.uri = format!("{}&{name}=1", signed.uri).parse().unwrap();
        assert_eq!(said(&world.authenticate(&head)), "SignatureDoesNotMatch 403", "{name}");
    }
    let mut head = signed.clone();
    head.uri = format!("{}&unheard=1", signed.uri).parse().unwrap();
    assert_eq!(said(&world.authenticate(&head)), "alice PresignedV2");
}

#[test]
fn what_the_body_is_held_to() {
    use PayloadHash::{Absent, Sha256, StreamingSigned, StreamingSignedTrailer, StreamingUnsignedTrailer, Unsigned};
    let world = World::new();
    let alice = client("AKALICE");
    let put = || head("PUT", "/bkt/k");
    let hash = |head: Parts, value: &str| with(head, "x-amz-content-sha256", value);
    let chunked = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";
    for (what, head, payload, has_seed) in [
        ("a hash", alice.sign(put(), Sha256([7; 32])), Sha256([7; 32]), false),
        ("unsigned", alice.sign(put(), Unsigned), Unsigned, false),
        ("no header: an empty body", alice.sign(put(), Absent), PayloadHash::EMPTY, false),
        ("signed chunks", alice.sign(put(), StreamingSigned), StreamingSigned, true),
        ("signed chunks and trailer", alice.sign(put(), StreamingSignedTrailer), StreamingSignedTrailer, true),
        ("unsigned chunks", alice.sign(put(), StreamingUnsignedTrailer), StreamingUnsignedTrailer, false),
        ("V4 in the URL", alice.presign(put(), 60), Unsigned, false),
        ("V2", alice.sign_v2(put()), Absent, false),
        ("V2 with a signed header", alice.sign_v2(hash(put(), chunked)), StreamingUnsignedTrailer, false),
        ("nobody", put(), Absent, false),
        ("nobody, in chunks", hash(put(), chunked), StreamingUnsignedTrailer, false),
    ] {
        let known = world.authenticate(&head).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!((known.payload, known.seed.is_some()), (payload, has_seed), "{what}");
    }
    let two = alice.sign_v2(hash(put(), "abc"));
    assert_eq!(said(&world.authenticate(&two)), "InvalidArgument 400");
}

#[test]
fn what_is_known_of_who_came() {
    let world = World::new();
    for (way, signed_at, service) in [
        ("HeaderV4", Some(now()), "s3"),
        ("PresignedV4", Some(now()), "s3"),
        ("PostV4", Some(now()), ""),
        ("HeaderV2", None, "s3"),
        ("PresignedV2", None, "s3"),
        ("PostV2", None, ""),
    ] {
        let known = knock(&world, &client("AKBOB"), way).unwrap();
        assert_eq!((known.signed_at, known.service.as_str()), (signed_at, service), "{way}");
        let caller = known.caller;
        assert_eq!(caller.access_key_id.unwrap().as_str(), "AKBOB");
        assert_eq!((&*caller.arn, caller.account.as_str()), ("arn:aws:iam::444455556666:user/bob", "444455556666"));
        assert!(!caller.is_root && caller.session.is_none());
        assert_eq!(caller.connection.source_ip, Some(IP.parse().unwrap()), "{way}");
    }
}

#[test]
fn the_connection_that_somebody_came_by() {
    let work = session(&session_keys(0, &[]), &new_session());
    for (tls, secure_transport) in [(None, false), (Some(TlsVersion::V1_2), true), (Some(TlsVersion::V1_3), true)] {
        let world = World { tls, ..World::new() };
        for way in WAYS {
            for client in [&client("AKALICE"), &work] {
                let caller = knock(&world, client, way).unwrap().caller;
                assert_eq!(
                    (caller.connection.secure_transport, caller.connection.tls_version),
                    (secure_transport, tls),
                    "{way}"
                );
            }
        }
        let nobody = world.authenticate(&get()).unwrap().caller;
        assert_eq!((nobody.connection.secure_transport, nobody.connection.tls_version), (secure_transport, tls));
    }
}

#[test]
fn nobody_has_what_the_identity_anonymous_has() {
    const OPEN: &str = r#"{"identities": [{"name": "anonymous", "actions": ["Read:bkt"]}]}"#;
    const CLOSED: &str = r#"{"identities": [{"name": "anonymous", "disabled": true, "actions": ["Read:bkt"]}]}"#;
    for (identities, policies) in [(OPEN, 1), (CLOSED, 0), (r#"{"identities": []}"#, 0)] {
        let world = World::with_identities(identities);
        let nobody = world.authenticate(&get()).unwrap();
        let of_a_form = world.authenticate_form(&[("key".to_owned(), "k".to_owned())]).unwrap();
        for known in [nobody, of_a_form] {
            assert_eq!(said(&Ok(known.clone())), "anonymous Anonymous");
            assert_eq!((known.signed_at, known.service.as_str()), (None, ""));
            let caller = known.caller;
            assert!(caller.is_anonymous() && caller.access_key_id.is_none() && caller.boundary.is_none());
            assert_eq!((&*caller.arn, &*caller.user_id), ("", "anonymous"));
            assert_eq!(caller.policies.len(), policies, "{identities}");
            assert_eq!(caller.connection.source_ip, Some(IP.parse().unwrap()));
        }
    }
}

/// The last use of a key, as GetAccessKeyLastUsed tells it.
fn last_use(world: &World, key: &str) -> Option<(i64, String, String)> {
    let used = world.door.uses().peek();
    used.of(key).map(|Use { at_s, service, region, .. }| (*at_s, service.to_string(), region.to_string()))
}

#[test]
fn a_right_signature_is_a_use_of_its_key() {
    let minute = now().as_second();
    let used = |service: &str, region: &str| Some((minute, service.to_owned(), region.to_owned()));
    for (way, want) in [
        ("HeaderV4", used("s3", "eu-west-1")),
        ("PresignedV4", used("s3", "eu-west-1")),
        // V2 names no region, and the form's is not kept: it is the gateway's, or the first one that AWS had.
        ("HeaderV2", used("s3", "us-east-1")),
        ("PresignedV2", used("s3", "us-east-1")),
        ("PostV4", used("s3", "us-east-1")),
        ("PostV2", used("s3", "us-east-1")),
    ] {
        let mut world = World::new();
        world.door.region.clear();
        assert_eq!(last_use(&world, "AKALICE"), None);
        let wrong = Client { region: "eu-west-1".to_owned(), ..Client::new("AKALICE", "wrong", now()) };
        knock(&world, &wrong, way).unwrap_err();
        assert_eq!(last_use(&world, "AKALICE"), None, "{way}: a wrong signature is no use");
        knock(&world, &in_region("eu-west-1"), way).unwrap();
        assert_eq!(last_use(&world, "AKALICE"), want, "{way}");
    }
    let mut world = World::new();
    world.door.region = "eu-north-1".to_owned();
    knock(&world, &client("AKALICE"), "HeaderV2").unwrap();
    assert_eq!(last_use(&world, "AKALICE"), used("s3", "eu-north-1"));
    let world = World { services: Services::Query, ..World::new() };
    knock(&world, &for_service("sts"), "HeaderV4").unwrap();
    assert_eq!(last_use(&world, "AKALICE"), used("sts", "us-east-1"));
    world.authenticate(&get()).unwrap();
    assert_eq!(world.door.uses().peek().len(), 1, "nobody has no key");
    assert!(Arc::ptr_eq(&world.door.uses(), &world.door.uses()));
}
