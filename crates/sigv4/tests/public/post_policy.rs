use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use sigv4::post_policy::{PostClaim, PostPolicy};

use crate::tools::{World, code, head, target};

type Fields = Vec<(String, String)>;

fn table() -> (World, Vec<(String, Option<String>, Fields)>) {
    let table: Value = serde_json::from_str(include_str!("signed_by_boto3.json")).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let posts = table["posts"].as_array().unwrap().iter().map(|post| {
        let fields = post["fields"].as_array().unwrap().iter().map(|pair| (text(&pair[0]), text(&pair[1]))).collect();
        (text(&post["name"]), post["token"].as_str().map(str::to_owned), fields)
    });
    let now = Timestamp::from_second(table["now"].as_i64().unwrap()).unwrap();
    (World::new(now, table["secret"].as_str().unwrap()), posts.collect())
}

/// Everything a gateway does with a form before the file.
fn check(world: &World, fields: &Fields, bucket: &str) -> String {
    let claim = match PostClaim::of(fields) {
        Ok(Some(claim)) => claim,
        Ok(None) => return "anonymous".to_owned(),
        Err(error) => return error.code().to_owned(),
    };
    let head = head("POST", "/", &[]);
    let result = claim
        .verify(&world.secret, &world.expect(&target(&head, None)))
        .and_then(|()| PostPolicy::parse(&claim.policy))
        .and_then(|policy| policy.check(fields, bucket, world.now));
    code(result)
}

#[test]
fn forms_of_boto3() {
    let (world, posts) = table();
    assert_eq!(posts.len(), 3);
    for (name, token, fields) in &posts {
        assert_eq!(check(&world, fields, "bucket"), "OK", "{name}");
        assert_eq!(&PostClaim::of(fields).unwrap().unwrap().session_token, token, "{name}");
        let changed = |change: &dyn Fn(&mut Fields)| {
            let mut fields = fields.clone();
            change(&mut fields);
            check(&world, &fields, "bucket")
        };
        assert_eq!(check(&world, fields, "other"), "AccessDenied", "{name}: another bucket in the URL");
        for (what, change, want) in [
            (
                "a bucket in the form that differs",
                &(|f: &mut Fields| f.push(("bucket".into(), "other".into()))) as &dyn Fn(&mut Fields),
                "AccessDenied",
            ),
            ("the same bucket in the form", &|f| f.push(("Bucket".into(), "bucket".into())), "OK"),
            ("another prefix", &|f| set(f, "key", "down/x"), "AccessDenied"),
            ("another ACL", &|f| set(f, "acl", "public-read"), "AccessDenied"),
            ("an additional field", &|f| f.push(("x-amz-meta-a".into(), "b".into())), "AccessDenied"),
            ("an additional tagging field", &|f| f.push(("tagging".into(), "b".into())), "AccessDenied"),
            ("an additional ignored field", &|f| f.push(("x-ignore-a".into(), "b".into())), "OK"),
            ("the key twice", &|f| f.push(("KEY".into(), "up/y".into())), "AccessDenied"),
            ("no ACL", &|f| f.retain(|(name, _)| name != "acl"), "AccessDenied"),
            ("a list of content types", &|f| set(f, "Content-Type", "text/a, text/b"), "OK"),
            (
                "a list of content types, one of them not allowed",
                &|f| set(f, "Content-Type", "text/a, image/b"),
                "AccessDenied",
            ),
            ("names in another case", &|f| f.iter_mut().for_each(|(name, _)| *name = name.to_uppercase()), "OK"),
            ("the policy twice", &|f| f.push(("Policy".into(), "e30=".into())), "InvalidArgument"),
            ("no policy", &|f| f.retain(|(name, _)| name != "policy"), "InvalidArgument"),
            ("no signature", &|f| f.retain(|(name, _)| !name.ends_with("signature")), "InvalidArgument"),
            ("another policy", &|f| set(f, "policy", "e30="), "SignatureDoesNotMatch"),
            ("no credentials at all", &|f| f.retain(|(name, _)| name == "key" || name == "Content-Type"), "anonymous"),
        ] {
            assert_eq!(changed(change), want, "{name}: {what}");
        }
        let late = World { now: world.now + SignedDuration::from_mins(61), ..table().0 };
        assert_eq!(check(&late, fields, "bucket"), "AccessDenied", "{name}: expired");
    }
}

fn set(fields: &mut Fields, name: &str, value: &str) {
    fields.iter_mut().filter(|(field, _)| field == name).for_each(|(_, old)| *old = value.to_owned());
}

#[test]
fn v4_fields_are_checked_as_in_other_forms() {
    let (world, posts) = table();
    for (field, value, want) in [
        ("x-amz-algorithm", "AWS4-HMAC-SHA1", "AuthorizationQueryParametersError"),
        ("x-amz-credential", "AKIDEXAMPLE/20260304/mars/s3/aws4_request", "AuthorizationQueryParametersError"),
        ("x-amz-credential", "AKIDEXAMPLE/20260304/us-east-1/foo/aws4_request", "AuthorizationQueryParametersError"),
        ("x-amz-credential", "AKIDEXAMPLE/20260305/us-east-1/s3/aws4_request", "AuthorizationQueryParametersError"),
        ("x-amz-date", "20260305T050607Z", "AuthorizationQueryParametersError"),
        ("x-amz-date", "now", "AccessDenied"),
        ("x-amz-signature", "00", "SignatureDoesNotMatch"),
    ] {
        let mut fields = posts[0].2.clone();
        set(&mut fields, field, value);
        assert_eq!(check(&world, &fields, "bucket"), want, "{field} = {value}");
    }
    for (days, want) in [(-1, "AccessDenied"), (8, "AccessDenied")] {
        let world = World { now: world.now + SignedDuration::from_hours(24 * days), ..table().0 };
        assert_eq!(check(&world, &posts[0].2, "bucket"), want, "{days} days later");
    }
}

#[test]
fn malformed_policies_are_refused() {
    let far = "2099-01-01T00:00:00Z";
    let wrap = |condition: Value| json!({"expiration": far, "conditions": [condition]});
    for (policy, good) in [
        (json!({"expiration": far, "conditions": []}), true),
        (wrap(json!({"key": "a"})), true),
        (wrap(json!(["EQ", "$Key", "a"])), true),
        (wrap(json!(["content-length-range", "1", 2])), true),
        (json!({"expiration": "2099-01-01T00:00:00.000Z", "conditions": []}), true),
        (json!({"expiration": "tomorrow", "conditions": []}), false),
        (json!({"expiration": "2099-01-01 00:00:00Z", "conditions": []}), false),
        (json!({"expiration": "2099-01-01 00:00:00.5+00:00", "conditions": []}), false),
        (json!({"expiration": "2099-01-01T00:00:00+02:00", "conditions": []}), false),
        (json!({"expiration": 4_070_908_800_u64, "conditions": []}), false),
        (json!({"conditions": []}), false),
        (json!({"expiration": far}), false),
        (json!({"expiration": far, "conditions": {}}), false),
        (json!({"expiration": far, "conditions": [], "Conditions": []}), false),
        (json!([]), false),
        (wrap(json!({})), false),
        (wrap(json!({"key": 1})), false),
        (wrap(json!("key")), false),
        (wrap(json!(["eq", "key", "a"])), false),
        (wrap(json!(["eq", "$key"])), false),
        (wrap(json!(["eq", "$key", "a", "b"])), false),
        (wrap(json!(["ends-with", "$key", "a"])), false),
        (wrap(json!(["content-length-range", -1, 2])), false),
        (wrap(json!(["content-length-range", "a", 2])), false),
    ] {
        assert_eq!(PostPolicy::parse(&STANDARD.encode(policy.to_string())).is_ok(), good, "{policy}");
    }
    for text in ["", "*", "e30", &"A".repeat(100_000)] {
        assert_eq!(code(PostPolicy::parse(text)), "InvalidPolicyDocument");
    }
}

#[test]
fn lengths() {
    let policy = |ranges: Value| {
        let conditions: Vec<Value> =
            ranges.as_array().unwrap().iter().map(|r| json!(["content-length-range", r[0], r[1]])).collect();
        let text = json!({"expiration": "2099-01-01T00:00:00Z", "conditions": conditions}).to_string();
        PostPolicy::parse(&STANDARD.encode(text)).unwrap()
    };
    for (ranges, bytes, want) in [
        (json!([]), u64::MAX, true),
        (json!([[1, 10]]), 0, false),
        (json!([[1, 10]]), 1, true),
        (json!([[1, 10]]), 10, true),
        (json!([[1, 10]]), 11, false),
        (json!([[1, 10], [5, 20]]), 4, false),
        (json!([[1, 10], [5, 20]]), 11, false),
        (json!([[1, 10], [15, 20]]), 12, false),
    ] {
        let policy = policy(ranges.clone());
        let fits = policy.content_length_range().is_none_or(|range| range.contains(&bytes));
        assert_eq!(fits, want, "{ranges} {bytes}");
    }
}
