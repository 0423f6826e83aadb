//! Any input gets an answer, without a panic.

use http::request::Parts;
use proptest::prelude::*;
use s3::{Needs, Operation, Routing, route, set_condition_keys};

fn fragment() -> impl Strategy<Value = String> {
    prop_oneof![
        proptest::sample::select(vec![
            "bkt",
            "/",
            "..",
            ".",
            "%2e",
            "%2F",
            "%",
            "%00",
            "%ff",
            "?",
            "&",
            "=",
            "acl",
            "policy",
            "uploads",
            "uploadId",
            "partNumber",
            "versionId",
            "list-type",
            "tagging",
            "delete",
            "prefix",
            "max-keys",
            "2",
            "x-amz-acl",
            "X-Amz-Signature=s",
            "X-Amz-SignedHeaders=h",
            "*",
            "+",
            "attributes",
            "id",
            "response-content-type",
        ])
        .prop_map(str::to_owned),
        "[a-zA-Z0-9%+=&?/._~-]{0,12}",
    ]
}

const HEADERS: &[&str] = &[
    "host",
    "range",
    "if-match",
    "if-none-match",
    "if-modified-since",
    "content-length",
    "content-md5",
    "content-type",
    "content-encoding",
    "x-amz-copy-source",
    "x-amz-copy-source-range",
    "x-amz-tagging",
    "x-amz-acl",
    "x-amz-grant-read",
    "x-amz-storage-class",
    "x-amz-meta-a",
    "x-amz-object-lock-mode",
    "x-amz-object-lock-retain-until-date",
    "x-amz-checksum-crc32",
    "x-amz-checksum-type",
    "x-amz-trailer",
    "x-amz-object-attributes",
    "x-amz-max-parts",
    "origin",
    "access-control-request-method",
    "x-amz-bypass-governance-retention",
    "x-amz-content-sha256",
];

fn head() -> impl Strategy<Value = Option<Parts>> {
    let method = proptest::sample::select(vec!["GET", "PUT", "POST", "DELETE", "HEAD", "OPTIONS", "PATCH"]);
    let uri = proptest::collection::vec(fragment(), 0..10).prop_map(|parts| format!("/{}", parts.concat()));
    let value = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..24),
        proptest::sample::select(vec![
            "bytes=0-1",
            "*",
            "\"a\"",
            "/src/k",
            "src/%2e?versionId=v",
            "a=1&b=2",
            "private",
            "2030-01-01T00:00:00Z",
            "AAAAAA==",
            "bkt.example.com",
            "multipart/form-data; boundary=x",
            "Mon, 12 Oct 2009 17:50:30 GMT",
            "18446744073709551616",
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
    ];
    let headers = proptest::collection::vec((proptest::sample::select(HEADERS), value), 0..6);
    (method, uri, headers).prop_map(|(method, uri, headers)| {
        let mut builder = http::Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            builder = builder.header(name, value);
        }
        builder.body(()).ok().map(|request| request.into_parts().0)
    })
}

fn xml() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        proptest::sample::select(vec![
            "<Delete>",
            "</Delete>",
            "<Object>",
            "</Object>",
            "<Key>",
            "</Key>",
            "a",
            "<Tagging>",
            "</Tagging>",
            "<TagSet/>",
            "<TagSet>",
            "</TagSet>",
            "<Tag>",
            "</Tag>",
            "<Value/>",
            "&amp;",
            "&#0;",
            "&#x1F600;",
            "&bad;",
            "<![CDATA[x]]>",
            "<!-- c -->",
            "<?xml?>",
            "<!DOCTYPE a [<!ENTITY b \"c\">]>",
            "<Part>",
            "</Part>",
            "<PartNumber>1</PartNumber>",
            "<ETag>\"e\"</ETag>",
            "<",
            ">",
            "<CompleteMultipartUpload>",
            "</CompleteMultipartUpload>",
            "<CORSConfiguration>",
            "</CORSConfiguration>",
            "<CORSRule>",
            "</CORSRule>",
            "<AllowedOrigin>*</AllowedOrigin>",
            "<AllowedMethod>GET</AllowedMethod>",
            "\u{feff}",
            " xmlns='x'",
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
        proptest::collection::vec(any::<u8>(), 0..8),
    ];
    proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2048, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_head_is_routed_and_judged(head in head(), body in xml(), virtual_host in any::<bool>()) {
        let Some(head) = head else { return Ok(()) };
        match route(&head, virtual_host.then_some("bkt")) {
            Ok(Routing::Preflight(_) | Routing::Query(_)) => {}
            Ok(Routing::S3(mut op)) => {
                prop_assert!(!op.first_needs().is_empty());
                let _ = op.read_body(&body);
                let mut required = op.needs();
                if let Operation::DeleteObjects(deletes) = &op {
                    let keys = deletes.request.objects.iter().filter_map(|object| Some((object.key.clone().ok()?, object)));
                    required.extend(keys.flat_map(|(key, object)| deletes.delete_at(key, object).permissions()));
                } else {
                    prop_assert!(!required.is_empty());
                }
                for one in &required {
                    if let (Some(bucket), Some(key)) = (&one.bucket, &one.key) {
                        prop_assert_eq!(&one.resource, &format!("arn:aws:s3:::{bucket}/{key}"));
                    }
                }
                let mut context = policy::Context::new();
                let _ = set_condition_keys(&op, &head, Some(i64::MAX), &mut context);
                let _ = op.conditional();
            }
            Err(error) => prop_assert!(error.to_xml("r", "h").contains(error.code.as_str())),
        }
    }

    #[test]
    fn any_body_is_read(body in xml()) {
        let _ = s3::op::DeleteRequest::from_xml(&body);
        let _ = s3::op::CompletedPart::list_from_xml(&body);
        let _ = s3::op::CreateBucketConfiguration::from_xml(&body);
        let _ = s3::TagSet::from_xml(&body, 10);
        let _ = s3::cors::CorsConfiguration::from_xml(&body);
    }

    #[test]
    fn any_text_is_a_date_or_none(text in ".{0,40}") {
        let _ = s3::parse_date(&text);
        let _ = s3::ByteRange::parse(&text);
    }

    #[test]
    fn a_moment_reads_back(seconds in 0i64..253_402_300_799) {
        prop_assert_eq!(s3::parse_date(&s3::http_date(seconds)), Some(seconds));
        prop_assert_eq!(s3::parse_date(&s3::iso8601(seconds)), Some(seconds));
    }
}
