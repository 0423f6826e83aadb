//! GetObject and HeadObject.

use s3::{ByteRange, IfRange};

use crate::support::{THEN, also_needs, check, input, keys, needs, refusal};

#[test]
fn permissions() {
    check(
        &[
            ("GET /bkt/a/b", "s3:GetObject bkt/a/b"),
            ("HEAD /bkt/a/b", "s3:GetObject bkt/a/b"),
            ("GET /bkt/k?versionId=v1", "s3:GetObjectVersion bkt/k@v1"),
            ("HEAD /bkt/k?versionId=null", "s3:GetObjectVersion bkt/k@null"),
            // A part is read with the permission for the whole.
            ("GET /bkt/k?partNumber=2", "s3:GetObject bkt/k"),
        ],
        needs,
    );
    check(
        &[
            ("GET /bkt/k", "TellMissingKey s3:ListBucket bkt"),
            ("HEAD /bkt/k?versionId=v1", "TellMissingKey s3:ListBucket bkt"),
            ("GET /bkt/k\nif-match: \"e\"", "TellMissingKey s3:ListBucket bkt"),
        ],
        also_needs,
    );
}

#[test]
fn condition_keys() {
    check(
        &[
            ("GET /bkt/k", ""),
            ("GET /bkt/k?versionId=v1", "s3:VersionId=v1"),
            ("HEAD /bkt/k?versionId=v1", "s3:VersionId=v1"),
            ("GET /bkt/k\nx-amz-content-sha256: UNSIGNED-PAYLOAD", "s3:x-amz-content-sha256=UNSIGNED-PAYLOAD"),
            // Anyone who has a presigned URL can add a header that it does not name.
            ("GET /bkt/k?X-Amz-Signature=s&X-Amz-SignedHeaders=host\nx-amz-content-sha256: abc", ""),
            (
                "GET /bkt/k?X-Amz-Signature=s&X-Amz-SignedHeaders=host;X-Amz-Content-Sha256\nx-amz-content-sha256: abc",
                "s3:x-amz-content-sha256=abc",
            ),
            (
                "GET /bkt/k?X-Amz-Signature=s&X-Amz-SignedHeaders=host\nauthorization: AWS4\nx-amz-content-sha256: abc",
                "s3:x-amz-content-sha256=abc",
            ),
            // Conditions of reads are not those of writes.
            ("GET /bkt/k\nif-match: \"e\"\nif-none-match: *", ""),
            ("GET /bkt/k\nx-amz-acl: private\nx-amz-server-side-encryption: AES256", ""),
        ],
        keys,
    );
}

#[test]
fn ranges_and_parts() {
    let read = |text: &str| {
        let read = input!(GetObject, text);
        (read.range, read.part_number)
    };
    for (request, want) in [
        ("GET /bkt/k", (None, None)),
        ("GET /bkt/k\nrange: bytes=0-9", (Some(ByteRange::FromTo(0, 9)), None)),
        ("GET /bkt/k\nrange: bytes=7-", (Some(ByteRange::From(7)), None)),
        ("GET /bkt/k\nrange: bytes=-7", (Some(ByteRange::Last(7)), None)),
        // Several ranges, in one header or in two, are none.
        ("GET /bkt/k\nrange: bytes=0-1,3-4", (None, None)),
        ("GET /bkt/k\nrange: bytes=0-1\nrange: bytes=3-4", (None, None)),
        ("GET /bkt/k?partNumber=1", (None, Some(1))),
        ("GET /bkt/k?partNumber=10000", (None, Some(10_000))),
        ("GET /bkt/k?partNumber=7\nrange: nonsense", (None, Some(7))),
    ] {
        assert_eq!(read(request), want, "{request}");
    }
    let number =
        "InvalidArgument: Part number must be an integer between 1 and 10000, inclusive [ArgumentName=partNumber]";
    check(
        &[
            ("GET /bkt/k?partNumber=0", &*format!("{number} [ArgumentValue=0]")),
            ("GET /bkt/k?partNumber=10001", &format!("{number} [ArgumentValue=10001]")),
            ("HEAD /bkt/k?partNumber=", &format!("{number} [ArgumentValue=]")),
            ("GET /bkt/k?partNumber=-1", &format!("{number} [ArgumentValue=-1]")),
            ("GET /bkt/k?partNumber=99999999999", &format!("{number} [ArgumentValue=99999999999]")),
            (
                "HEAD /bkt/k?partNumber=1\nrange: bytes=0-1",
                "InvalidRequest: Cannot specify both Range header and partNumber query parameter",
            ),
        ],
        refusal,
    );
}

#[test]
fn if_range() {
    let read = |value: &str| input!(GetObject, &format!("GET /bkt/k\nif-range: {value}")).if_range.unwrap();
    for (value, want) in [
        ("\"e\"", IfRange::Tag("e".to_owned())),
        ("e", IfRange::Tag("e".to_owned())),
        ("W/\"e\"", IfRange::Tag("W/\"e".to_owned())),
        ("Mon, 12 Oct 2009 17:50:30 GMT", IfRange::Date(THEN)),
    ] {
        assert_eq!(read(value), want, "{value}");
    }
    for (condition, etag, modified, allowed) in [
        ("\"e\"", "\"e\"", THEN, true),
        ("\"e\"", "e", THEN, true),
        ("\"e\"", "\"f\"", THEN, false),
        // A weak tag says nothing about the bytes (RFC 9110 section 13.1.5).
        ("W/\"e\"", "\"e\"", THEN, false),
        ("*", "\"e\"", THEN, false),
        ("Mon, 12 Oct 2009 17:50:30 GMT", "\"e\"", THEN, true),
        // The date must be the same, not merely as late.
        ("Mon, 12 Oct 2009 17:50:31 GMT", "\"e\"", THEN, false),
        ("Mon, 12 Oct 2009 17:50:29 GMT", "\"e\"", THEN, false),
    ] {
        assert_eq!(read(condition).allows(etag, modified), allowed, "{condition} {etag}");
    }
}

#[test]
fn response_headers_of_the_request() {
    let all = "GET /bkt/k?response-content-type=a%2Fb&response-content-language=de&response-expires=never\
        &response-cache-control=no-store&response-content-disposition=attachment%3B+filename%3D%22x%22&response-content-encoding=gzip";
    let read = input!(GetObject, all);
    assert_eq!(
        read.overrides.headers,
        [
            ("content-type", "a/b"),
            ("content-language", "de"),
            ("expires", "never"),
            ("cache-control", "no-store"),
            ("content-disposition", "attachment; filename=\"x\""),
            ("content-encoding", "gzip"),
        ]
        .map(|(name, value)| (name, value.to_owned()))
    );
    assert!(!read.overrides.is_empty());
    assert!(input!(GetObject, "GET /bkt/k?response-content-typo=a").overrides.is_empty());
    let control = "InvalidArgument: A response header must not have control characters";
    check(
        &[
            (
                "GET /bkt/k?response-expires=a%00",
                &*format!("{control} [ArgumentName=response-expires] [ArgumentValue=a\0]"),
            ),
            (
                "HEAD /bkt/k?response-content-type=a%7f",
                &format!("{control} [ArgumentName=response-content-type] [ArgumentValue=a\u{7f}]"),
            ),
        ],
        refusal,
    );
}

#[test]
fn checksum_mode_and_keys_of_customers() {
    for (headers, checksum_mode, names) in [
        ("", false, &[][..]),
        ("\nx-amz-checksum-mode: ENABLED", true, &[]),
        ("\nx-amz-checksum-mode: enabled", true, &[]),
        ("\nx-amz-checksum-mode: DISABLED", false, &[]),
        (
            "\nx-amz-server-side-encryption-customer-algorithm: AES256\nx-amz-server-side-encryption-customer-key: k",
            false,
            &["x-amz-server-side-encryption-customer-algorithm", "x-amz-server-side-encryption-customer-key"],
        ),
    ] {
        let read = input!(GetObject, &format!("GET /bkt/k{headers}"));
        assert_eq!((read.checksum_mode, &*read.encryption.names), (checksum_mode, &*strings(names)), "{headers}");
        assert_eq!(read.encryption.is_requested(), !names.is_empty(), "{headers}");
    }
    check(
        &[(
            "GET /bkt/k\nx-amz-checksum-mode: ENABLED\nx-amz-checksum-mode: ENABLED",
            "InvalidArgument: The header occurs more than once: send it once [ArgumentName=x-amz-checksum-mode] [ArgumentValue=]",
        )],
        refusal,
    );
}

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}
