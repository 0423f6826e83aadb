//! What a browser asks before it sends, and calls of the query API.

use s3::{Routing, route};

use crate::support::{error_text, head};

#[test]
fn preflights() {
    let asked = |path: &str, headers: &str| match route(&head(&format!("OPTIONS {path}\n{headers}")), None) {
        Ok(Routing::Preflight(asked)) => asked,
        other => panic!("{path}: {other:?}"),
    };
    let plain = "origin: https://a\naccess-control-request-method: PUT";
    for (path, bucket, key) in
        [("*", None, None), ("/", None, None), ("/bkt", Some("bkt"), None), ("/bkt/a/b", Some("bkt"), Some("a/b"))]
    {
        let got = asked(path, plain);
        let (got_bucket, got_key) = (got.bucket.as_ref().map(|b| b.as_str()), got.key.as_ref().map(|k| k.as_str()));
        assert_eq!((got_bucket, got_key, got.origin.as_str(), got.method.as_str()), (bucket, key, "https://a", "PUT"));
    }
    let all = asked(
        "/bkt",
        &format!("{plain}\naccess-control-request-headers: X-A, x-b ,\naccess-control-request-headers: X-C"),
    );
    assert_eq!(all.headers, ["x-a", "x-b", "x-c"]);
    assert!(asked("/bkt?acl", plain).headers.is_empty());
    for (headers, want) in [
        ("x-a: b", "InvalidRequest: Insufficient information. Origin request header needed."),
        (
            "origin: https://a",
            "InvalidRequest: Insufficient information. Access-Control-Request-Method request header needed.",
        ),
    ] {
        let error = route(&head(&format!("OPTIONS /bkt\n{headers}")), None).unwrap_err();
        assert_eq!(error_text(&error), want);
    }
}

#[test]
fn calls_of_the_query_api() {
    let query = |text: &str| match route(&head(text), None) {
        Ok(Routing::Query(query)) => Some(query),
        _ => None,
    };
    for (request, action) in [
        ("POST /", Some(None)),
        ("POST /?Version=1", Some(None)),
        ("POST /?Action=ListUsers", Some(Some("ListUsers"))),
        ("GET /?Version=1&Action=ListUsers", Some(Some("ListUsers"))),
        ("GET /?action=ListUsers", None),
        ("GET /", None),
        ("PUT /?Action=ListUsers", None),
        ("GET /bkt?Action=ListUsers", None),
    ] {
        assert_eq!(query(request).as_ref().map(|query| query.action()), action, "{request}");
    }
    assert_eq!(query("GET /?Action=A&b=c+d%2B").unwrap().query[1], ("b".to_owned(), "c d+".to_owned()));
}
