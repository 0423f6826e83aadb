//! Cross-origin rules: what is accepted, and what browsers are told.

use s3::S3ErrorCode;
use s3::cors::CorsConfiguration;
use s3::op::CorsPreflight;

fn rule(inside: &str) -> String {
    format!("<CORSConfiguration><CORSRule>{inside}</CORSRule></CORSConfiguration>")
}

fn preflight(origin: &str, method: &str, headers: &[&str]) -> CorsPreflight {
    CorsPreflight {
        bucket: None,
        key: None,
        origin: origin.to_owned(),
        method: method.to_owned(),
        headers: headers.iter().map(|name| (*name).to_owned()).collect(),
    }
}

const GET: &str = "<AllowedMethod>GET</AllowedMethod>";

#[test]
fn configurations_are_read_and_written() {
    let xml = rule(&format!(
        "<ID>one</ID><AllowedOrigin>https://*.a.test</AllowedOrigin><AllowedOrigin>http://b.test</AllowedOrigin>{GET}\
         <AllowedHeader>x-amz-*</AllowedHeader><ExposeHeader>ETag</ExposeHeader><MaxAgeSeconds>60</MaxAgeSeconds>"
    ));
    let read = CorsConfiguration::from_xml(xml.as_bytes()).unwrap();
    assert_eq!(read.rules[0].max_age_seconds, Some(60));
    assert_eq!(CorsConfiguration::from_xml(read.to_xml().as_bytes()).unwrap(), read);
    let origin = "<AllowedOrigin>*</AllowedOrigin>";
    for (inside, code) in [
        (format!("{origin}{GET}"), None),
        (origin.to_owned(), Some(S3ErrorCode::MalformedXML)),
        (GET.to_owned(), Some(S3ErrorCode::MalformedXML)),
        (format!("{origin}<AllowedMethod>PATCH</AllowedMethod>"), Some(S3ErrorCode::InvalidRequest)),
        (format!("{origin}<AllowedMethod>get</AllowedMethod>"), Some(S3ErrorCode::InvalidRequest)),
        (format!("<AllowedOrigin>*.*</AllowedOrigin>{GET}"), Some(S3ErrorCode::InvalidRequest)),
        (format!("{origin}{GET}<ExposeHeader>x-*</ExposeHeader>"), Some(S3ErrorCode::InvalidRequest)),
        (format!("{origin}{GET}<ExposeHeader>a&#13;&#10;b: c</ExposeHeader>"), Some(S3ErrorCode::MalformedXML)),
        (format!("<AllowedOrigin>a&#1;b</AllowedOrigin>{GET}"), Some(S3ErrorCode::MalformedXML)),
        (format!("{origin}{GET}<MaxAgeSeconds>-1</MaxAgeSeconds>"), Some(S3ErrorCode::MalformedXML)),
        (format!("{origin}{GET}<Unheard/>"), Some(S3ErrorCode::MalformedXML)),
        (format!("{origin}{GET}<ID>{}</ID>", "\u{e9}".repeat(255)), None),
        (format!("{origin}{GET}<ID>{}</ID>", "i".repeat(256)), Some(S3ErrorCode::MalformedXML)),
        (format!("{origin}{GET}<ID/>"), None),
        (format!("{origin}{GET}<ID>a</ID><ID>b</ID>"), Some(S3ErrorCode::MalformedXML)),
        (format!("<AllowedOrigin>{}</AllowedOrigin>{GET}", "o".repeat(2048)), None),
        (format!("<AllowedOrigin>{}</AllowedOrigin>{GET}", "o".repeat(2049)), Some(S3ErrorCode::MalformedXML)),
        (format!("<AllowedOrigin/>{GET}"), Some(S3ErrorCode::MalformedXML)),
        (format!("{origin}{GET}<AllowedHeader>*-*</AllowedHeader>"), Some(S3ErrorCode::InvalidRequest)),
        (format!("{origin}{GET}<MaxAgeSeconds>2147483647</MaxAgeSeconds>"), None),
        (format!("{origin}{GET}<MaxAgeSeconds>2147483648</MaxAgeSeconds>"), Some(S3ErrorCode::MalformedXML)),
    ] {
        let got = CorsConfiguration::from_xml(rule(&inside).as_bytes()).err().map(|error| error.code);
        assert_eq!(got, code, "{inside}");
    }
    let many =
        format!("<CORSConfiguration>{}</CORSConfiguration>", format!("<CORSRule>{origin}{GET}</CORSRule>").repeat(101));
    assert!(CorsConfiguration::from_xml(many.as_bytes()).is_err());
}

#[test]
fn preflights() {
    let cors = CorsConfiguration::from_xml(
        rule(&format!(
            "<AllowedOrigin>https://*.a.test</AllowedOrigin><AllowedOrigin>http://b.test</AllowedOrigin>{GET}\
             <AllowedHeader>X-Amz-*</AllowedHeader><MaxAgeSeconds>60</MaxAgeSeconds>"
        ))
        .as_bytes(),
    )
    .unwrap();
    for (origin, method, headers, allowed) in [
        ("https://x.a.test", "GET", &[][..], true),
        ("http://b.test", "GET", &["x-amz-date"], true),
        ("https://a.test", "GET", &[], false),
        ("https://x.a.test.evil", "GET", &[], false),
        ("HTTP://b.test", "GET", &[], false),
        ("http://b.test", "PUT", &[], false),
        ("http://b.test", "get", &[], false),
        ("http://b.test", "GET", &["x-amz-date", "authorization"], false),
        ("https://\r\nx.a.test", "GET", &[], false),
        ("", "GET", &[], false),
    ] {
        let answer = cors.preflight(&preflight(origin, method, headers));
        assert_eq!(answer.is_ok(), allowed, "{origin:?} {method} {headers:?}");
        if let Err(error) = answer {
            assert_eq!(error.status().as_u16(), 403);
        }
    }
    let exact = cors.preflight(&preflight("http://b.test", "GET", &["x-amz-date"])).unwrap();
    assert_eq!(exact.allow_origin, "http://b.test");
    assert!(exact.allow_credentials);
    assert_eq!(exact.allow_headers.as_deref(), Some("x-amz-date"));
    assert!(exact.to_headers().contains(&("access-control-max-age", String::from("60"))));
    assert_eq!(exact.expose_headers, None);
    let exposing = format!(
        "<AllowedOrigin>*</AllowedOrigin>{GET}<ExposeHeader>ETag</ExposeHeader><ExposeHeader>x-a</ExposeHeader>"
    );
    let exposing =
        CorsConfiguration::from_xml(rule(&exposing).as_bytes()).unwrap().actual("http://b.test", "GET").unwrap();
    assert_eq!(
        exposing.to_headers(),
        [
            ("access-control-allow-origin", "*"),
            ("access-control-allow-methods", "GET"),
            ("vary", "Origin, Access-Control-Request-Headers, Access-Control-Request-Method"),
            ("access-control-expose-headers", "ETag, x-a"),
        ]
        .map(|(name, value)| (name, value.to_owned()))
    );
    // An origin that only matches a pattern gets no credentials.
    assert!(!cors.preflight(&preflight("https://x.a.test", "GET", &[])).unwrap().allow_credentials);
}

/// The patterns of a rule have any case, and end where a name ends.
#[test]
fn names_of_headers() {
    for (pattern, name, want) in [
        ("X-Amz-*", "x-amz-date", true),
        ("x-*-DATE", "x-amz-date", true),
        ("x-a*", "x-a", true),
        ("x-ab*", "x-a", false),
        ("x-a*a", "x-a", false),
        ("*", "", true),
        ("*ate", "date", true),
        ("*dates", "date", false),
        ("Date", "date", true),
        ("Dates", "date", false),
        ("x*", "\u{e9}", false),
        ("*x", "\u{e9}", false),
    ] {
        let xml = rule(&format!("<AllowedOrigin>*</AllowedOrigin>{GET}<AllowedHeader>{pattern}</AllowedHeader>"));
        let cors = CorsConfiguration::from_xml(xml.as_bytes()).unwrap();
        assert_eq!(cors.preflight(&preflight("http://b.test", "GET", &[name])).is_ok(), want, "{name} {pattern}");
    }
}

/// One preflight could keep a gateway busy for a second: each name was compared with each pattern.
#[test]
fn names_of_a_preflight_are_bounded() {
    let numbered = |count: usize| (0..count).map(|number| format!("x-{number}")).collect::<Vec<_>>().join(",");
    for (list, want) in [
        ("X-A, x-b,,x-a".to_owned(), Some("x-a, x-b".to_owned())),
        (numbered(100), Some(numbered(100).replace(',', ", "))),
        (numbered(101), None),
        (["a"; 101].join(","), None),
        ("n".repeat(8192), Some("n".repeat(8192))),
        ("n".repeat(8193), None),
    ] {
        let head = http::Request::options("/bucket/key")
            .header("origin", "http://b.test")
            .header("access-control-request-method", "GET")
            .header("access-control-request-headers", &list)
            .body(())
            .unwrap();
        let routed = s3::route(&head.into_parts().0, None);
        let refused = routed.as_ref().err().map(|error| error.code);
        assert_eq!(refused, want.is_none().then_some(S3ErrorCode::InvalidRequest), "{list}");
        let Ok(s3::Routing::Preflight(preflight)) = routed else { continue };
        let answer = CorsConfiguration::of_gateway(["*"]).preflight(&preflight).unwrap();
        assert_eq!(answer.allow_headers, want);
    }
}

#[test]
fn origins_of_the_gateway() {
    let any =
        CorsConfiguration::of_gateway(["*"]).preflight(&preflight("https://x.test", "PUT", &["anything"])).unwrap();
    assert_eq!((any.allow_origin.as_str(), any.allow_credentials), ("*", false));
    let one = CorsConfiguration::of_gateway(["https://a.test"]);
    assert!(one.actual("https://a.test", "GET").is_some());
    assert_eq!(one.actual("https://b.test", "GET"), None);
    assert_eq!(one.actual("https://a.test", "PATCH"), None);
    for none in [&[][..], &["", " "], &["a\r\nb"]] {
        assert_eq!(CorsConfiguration::of_gateway(none.iter().copied()), CorsConfiguration::default(), "{none:?}");
    }
}
