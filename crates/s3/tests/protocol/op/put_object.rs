//! PutObject: what its head says about the object, the body and the condition.

use s3::{ChecksumAlgorithm, EntityTags, UploadLength, WriteCondition};

use crate::support::{also_needs, check, code, input, keys, needs, operation, refusal};

#[test]
fn permissions() {
    let retention = "x-amz-object-lock-mode: GOVERNANCE\nx-amz-object-lock-retain-until-date: 2030-01-01T00:00:00Z";
    let all =
        format!("PUT /bkt/k\nx-amz-acl: private\nx-amz-tagging: a=1\n{retention}\nx-amz-object-lock-legal-hold: ON");
    check(
        &[
            ("PUT /bkt/k", "s3:PutObject bkt/k"),
            ("PUT /bkt/k\nx-amz-acl: private", "s3:PutObject bkt/k; s3:PutObjectAcl bkt/k"),
            ("PUT /bkt/k\nx-amz-grant-read: id=x", "s3:PutObject bkt/k; s3:PutObjectAcl bkt/k"),
            ("PUT /bkt/k\nx-amz-tagging: a=1", "s3:PutObject bkt/k; s3:PutObjectTagging bkt/k"),
            // The header is there, though it names no tag.
            ("PUT /bkt/k\nx-amz-tagging: ", "s3:PutObject bkt/k; s3:PutObjectTagging bkt/k"),
            (&format!("PUT /bkt/k\n{retention}"), "s3:PutObject bkt/k; s3:PutObjectRetention bkt/k"),
            ("PUT /bkt/k\nx-amz-object-lock-legal-hold: OFF", "s3:PutObject bkt/k; s3:PutObjectLegalHold bkt/k"),
            ("PUT /bkt/k\nx-amz-server-side-encryption: aws:kms", "s3:PutObject bkt/k"),
            (
                &all,
                "s3:PutObject bkt/k; s3:PutObjectAcl bkt/k; s3:PutObjectTagging bkt/k; s3:PutObjectRetention bkt/k; \
                 s3:PutObjectLegalHold bkt/k",
            ),
        ],
        needs,
    );
    check(
        &[
            ("PUT /bkt/k", ""),
            ("PUT /bkt/k\nif-match: \"e\"", "CompareEntityTag s3:GetObject bkt/k"),
            ("PUT /bkt/k\nif-match: *", ""),
            ("PUT /bkt/k\nif-none-match: *", ""),
        ],
        also_needs,
    );
}

#[test]
fn condition_keys() {
    let create = "s3:ObjectCreationOperation=true";
    let after = |keys: &str| format!("{create}; {keys}");
    check(
        &[
            ("PUT /bkt/k", create),
            ("PUT /bkt/k\nx-amz-acl: private", &*after("s3:x-amz-acl=private")),
            (
                "PUT /bkt/k\nx-amz-grant-read: id=a\nx-amz-grant-write-acp: id=b",
                &after("s3:x-amz-grant-read=id=a; s3:x-amz-grant-write-acp=id=b"),
            ),
            ("PUT /bkt/k\nx-amz-storage-class: GLACIER", &after("s3:x-amz-storage-class=GLACIER")),
            ("PUT /bkt/k\nx-amz-website-redirect-location: /x", &after("s3:x-amz-website-redirect-location=/x")),
            (
                "PUT /bkt/k\nx-amz-server-side-encryption: aws:kms\nx-amz-server-side-encryption-aws-kms-key-id: arn",
                &after("s3:x-amz-server-side-encryption-aws-kms-key-id=arn; s3:x-amz-server-side-encryption=aws:kms"),
            ),
            (
                "PUT /bkt/k\nx-amz-server-side-encryption-customer-algorithm: AES256",
                &after("s3:x-amz-server-side-encryption-customer-algorithm=AES256"),
            ),
            ("PUT /bkt/k\nif-none-match: *", &*format!("s3:if-none-match=*; {create}")),
            ("PUT /bkt/k\nif-match: \"a\"\nif-match: b", &*format!("s3:if-match=\"a\",b; {create}")),
            ("PUT /bkt/k\nx-amz-content-sha256: abc", &after("s3:x-amz-content-sha256=abc")),
        ],
        keys,
    );
    let tagged =
        "s3:ObjectCreationOperation=true; s3:RequestObjectTag/a=1; s3:RequestObjectTag/b=; s3:RequestObjectTagKeys=a|b";
    check(&[("PUT /bkt/k\nx-amz-tagging: a=1&b=", tagged)], keys);
}

/// Days are rounded up; a date in the past is no negative number.
#[test]
fn days_of_retention() {
    for (until, days) in [
        ("2009-10-12T17:50:30Z", "0"),
        ("2009-10-12T17:50:29Z", "0"),
        ("1999-01-01T00:00:00Z", "0"),
        ("2009-10-12T17:50:31Z", "1"),
        ("2009-10-13T17:50:30Z", "1"),
        ("2009-10-13T17:50:31Z", "2"),
        ("2010-10-12T17:50:30Z", "365"),
    ] {
        let text =
            format!("PUT /bkt/k\nx-amz-object-lock-mode: COMPLIANCE\nx-amz-object-lock-retain-until-date: {until}");
        let want = format!(
            "s3:object-lock-mode=COMPLIANCE; s3:object-lock-remaining-retention-days={days}; \
             s3:object-lock-retain-until-date={until}; s3:ObjectCreationOperation=true"
        );
        assert_eq!(keys(&text), want);
    }
    let hold = "s3:object-lock-legal-hold=ON; s3:ObjectCreationOperation=true";
    check(&[("PUT /bkt/k\nx-amz-object-lock-legal-hold: ON", hold)], keys);
}

#[test]
fn conditions() {
    let condition = |headers: &str| input!(PutObject, &format!("PUT /bkt/k\n{headers}")).condition;
    let tags =
        |tags: &[&str]| WriteCondition::IfMatch(EntityTags::OneOf(tags.iter().map(|t| (*t).to_owned()).collect()));
    for (headers, want) in [
        ("x-a: b", WriteCondition::Always),
        ("if-none-match: *", WriteCondition::IfAbsent),
        ("if-match: *", WriteCondition::IfMatch(EntityTags::Any)),
        ("if-match: \"a\", W/\"b\", c,,", tags(&["a", "b", "c"])),
        ("if-match: \"a\"\nif-match: \"b\"", tags(&["a", "b"])),
    ] {
        assert_eq!(condition(headers), want, "{headers}");
    }
    let not =
        |what: &str| format!("NotImplemented: {what} is not supported by this gateway: send the request without it");
    check(
        &[
            ("PUT /bkt/k\nif-none-match: \"a\"", &*not("If-None-Match with an entity tag on a write")),
            ("PUT /bkt/k\nif-none-match: *\nif-none-match: *", &not("If-None-Match with an entity tag on a write")),
            ("PUT /bkt/k\nif-match: a\nif-none-match: *", &not("If-Match together with If-None-Match on a write")),
            ("PUT /bkt/k\nif-modified-since: x", &not("The header if-modified-since on a write")),
            ("PUT /bkt/k\nif-unmodified-since: x", &not("The header if-unmodified-since on a write")),
            ("PUT /bkt/k\nx-amz-write-offset-bytes: 0", &not("Appending (the header x-amz-write-offset-bytes)")),
        ],
        refusal,
    );
}

#[test]
fn lengths() {
    let length = |headers: &str| input!(PutObject, &format!("PUT /bkt/k{headers}")).length;
    for (headers, on_the_wire, decoded, object) in [
        ("", None, None, None),
        ("\ncontent-length: 0", Some(0), None, Some(0)),
        ("\ncontent-length: 18446744073709551615", Some(u64::MAX), None, Some(u64::MAX)),
        ("\ncontent-length: 90\nx-amz-decoded-content-length: 5", Some(90), Some(5), Some(5)),
        ("\nx-amz-decoded-content-length: 5", None, Some(5), Some(5)),
    ] {
        let got = length(headers);
        assert_eq!((got, got.object_bytes()), (UploadLength { on_the_wire, decoded }, object), "{headers}");
    }
    let upload = operation("PUT /bkt/k\ncontent-length: 7").unwrap().upload();
    assert_eq!(upload.and_then(UploadLength::object_bytes), Some(7));
    for value in ["", "-1", "+1", "1.0", "0x10", "18446744073709551616", "1 2"] {
        let want = format!(
            "InvalidArgument: The value must be a number of bytes [ArgumentName=x-amz-decoded-content-length] [ArgumentValue={value}]"
        );
        check(&[(format!("PUT /bkt/k\nx-amz-decoded-content-length: {value}"), &*want)], refusal);
    }
}

#[test]
fn storage_classes() {
    for class in [
        "STANDARD",
        "REDUCED_REDUNDANCY",
        "STANDARD_IA",
        "ONEZONE_IA",
        "INTELLIGENT_TIERING",
        "GLACIER",
        "DEEP_ARCHIVE",
        "OUTPOSTS",
        "GLACIER_IR",
        "SNOW",
        "EXPRESS_ONEZONE",
        "FSX_OPENZFS",
    ] {
        let put = input!(PutObject, &format!("PUT /bkt/k\nx-amz-storage-class: {class}"));
        assert_eq!(put.object.storage_class.as_deref(), Some(class));
    }
    let refused = "InvalidStorageClass: The storage class you specified is not valid";
    check(
        &[
            ("PUT /bkt/k\nx-amz-storage-class: standard", &*format!("{refused} [StorageClassRequested=standard]")),
            ("PUT /bkt/k\nx-amz-storage-class: ", &format!("{refused} [StorageClassRequested=]")),
        ],
        refusal,
    );
}

#[test]
fn metadata() {
    let put = |headers: &str| input!(PutObject, &format!("PUT /bkt/k\n{headers}"));
    let kept = put("content-type: a/b\ncache-control: x\ncache-control: y\ncontent-disposition: inline\n\
         content-language: de\ncontent-language: fr\nexpires: 0\nx-amz-website-redirect-location: /there");
    let content = &kept.object.content;
    let values = [
        &content.content_type,
        &content.cache_control,
        &content.content_disposition,
        &content.content_language,
        &content.expires,
        &content.content_encoding,
    ];
    let want = [Some("a/b"), Some("x,y"), Some("inline"), Some("de,fr"), Some("0"), None];
    assert_eq!(values.map(Option::as_deref), want);
    assert_eq!(kept.object.website_redirect_location.as_deref(), Some("/there"));
    for (headers, encoding) in [
        ("content-encoding: aws-chunked", None),
        ("content-encoding: AWS-Chunked , gzip", Some("gzip")),
        ("content-encoding: gzip\ncontent-encoding: aws-chunked", Some("gzip")),
        ("content-encoding: gzip, br", Some("gzip, br")),
        ("content-encoding: gzip, aws-chunked, br", Some("gzip, br")),
        ("content-encoding: aws-chunked, gzip,  br", Some("gzip,  br")),
        ("content-encoding: aws-chunked,", None),
        ("content-encoding: aws-chunked-like", Some("aws-chunked-like")),
    ] {
        assert_eq!(put(headers).object.content.content_encoding.as_deref(), encoding, "{headers}");
    }
    // Names and values count together, in bytes.
    let sized = |value: usize| format!("PUT /bkt/k\nx-amz-meta-ab: {}\nx-amz-meta-c: 1", "v".repeat(value));
    let too_large = "MetadataTooLarge: Your metadata headers exceed the maximum allowed metadata size. [Size=2049] [MaxSizeAllowed=2048]";
    check(&[(sized(2044), ""), (sized(2045), "MetadataTooLarge")], code);
    check(&[(sized(2045), too_large)], refusal);
}

#[test]
fn access_control_lists() {
    let acl = |headers: &str| input!(PutObject, &format!("PUT /bkt/k\n{headers}")).object.acl;
    for canned in [
        "private",
        "public-read",
        "public-read-write",
        "authenticated-read",
        "aws-exec-read",
        "bucket-owner-read",
        "bucket-owner-full-control",
        "log-delivery-write",
    ] {
        let got = acl(&format!("x-amz-acl: {canned}"));
        assert_eq!((got.canned.as_deref(), got.is_requested()), (Some(canned), true));
    }
    assert!(!acl("x-a: b").is_requested());
    for name in ["full-control", "read", "read-acp", "write", "write-acp"] {
        let got = acl(&format!("x-amz-grant-{name}: id=\"a\""));
        assert_eq!(got.grants, [(format!("x-amz-grant-{name}"), "id=\"a\"".to_owned())]);
        assert!(got.is_requested());
    }
    check(
        &[
            (
                "PUT /bkt/k\nx-amz-acl: everyone",
                "InvalidArgument: The canned ACL is not one of S3's [ArgumentName=x-amz-acl] [ArgumentValue=everyone]",
            ),
            (
                "PUT /bkt/k\nx-amz-acl: private\nx-amz-grant-read: id=a",
                "InvalidRequest: Specifying both Canned ACLs and Header Grants is not allowed",
            ),
            (
                "PUT /bkt/k\nx-amz-grant-everything: id=a",
                "NotImplemented: The header x-amz-grant-everything is not supported by this gateway: send the request without it",
            ),
        ],
        refusal,
    );
}

#[test]
fn object_locks() {
    let date = "x-amz-object-lock-retain-until-date";
    let both = "InvalidArgument: x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied";
    check(
        &[
            ("PUT /bkt/k\nx-amz-object-lock-mode: GOVERNANCE".to_owned(), both),
            (format!("PUT /bkt/k\n{date}: 2030-01-01T00:00:00Z"), both),
            (
                format!("PUT /bkt/k\nx-amz-object-lock-mode: governance\n{date}: 2030-01-01T00:00:00Z"),
                "InvalidArgument: Unknown wormMode directive. [ArgumentName=x-amz-object-lock-mode] [ArgumentValue=governance]",
            ),
            (
                format!("PUT /bkt/k\nx-amz-object-lock-mode: GOVERNANCE\n{date}: soon"),
                "InvalidArgument: The retain until date must be provided in ISO 8601 format \
                 [ArgumentName=x-amz-object-lock-retain-until-date] [ArgumentValue=soon]",
            ),
            (
                format!("PUT /bkt/k\nx-amz-object-lock-mode: GOVERNANCE\n{date}: Tue, 01 Jan 2030 00:00:00 GMT"),
                "InvalidArgument: The retain until date must be provided in ISO 8601 format \
                 [ArgumentName=x-amz-object-lock-retain-until-date] [ArgumentValue=Tue, 01 Jan 2030 00:00:00 GMT]",
            ),
            (
                "PUT /bkt/k\nx-amz-object-lock-legal-hold: on".to_owned(),
                "InvalidArgument: Legal Hold must be either of 'ON' or 'OFF' \
                 [ArgumentName=x-amz-object-lock-legal-hold] [ArgumentValue=on]",
            ),
        ],
        refusal,
    );
    let requested = |headers: &str| input!(PutObject, &format!("PUT /bkt/k\n{headers}")).object.lock.is_requested();
    for (headers, want) in [
        ("x-a: b".to_owned(), false),
        ("x-amz-object-lock-legal-hold: OFF".to_owned(), true),
        (format!("x-amz-object-lock-mode: COMPLIANCE\n{date}: 2030-01-01T00:00:00Z"), true),
    ] {
        assert_eq!(requested(&headers), want, "{headers}");
    }
}

#[test]
fn checksums() {
    let sums = |headers: &str| input!(PutObject, &format!("PUT /bkt/k\n{headers}")).checksums;
    for (header, value, algorithm) in [
        ("crc32", "AAAAAA==", ChecksumAlgorithm::Crc32),
        ("crc32c", "AAAAAA==", ChecksumAlgorithm::Crc32C),
        ("crc64nvme", "AAAAAAAAAAA=", ChecksumAlgorithm::Crc64Nvme),
        ("sha1", "2jmj7l5rSw0yVb/vlWAYkK/YBwk=", ChecksumAlgorithm::Sha1),
        ("sha256", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", ChecksumAlgorithm::Sha256),
    ] {
        let got = sums(&format!("x-amz-checksum-{header}: {value}"));
        let shown = got.value.as_ref().map(|sum| (sum.algorithm, sum.value.as_str()));
        assert_eq!((shown, got.wanted()), (Some((algorithm, value)), Some(algorithm)));
        assert_eq!(sums(&format!("x-amz-trailer: x-amz-checksum-{header}")).wanted(), Some(algorithm));
        assert_eq!(sums(&format!("x-amz-sdk-checksum-algorithm: {header}")).wanted(), Some(algorithm));
        let invalid = format!("InvalidRequest: Value for x-amz-checksum-{header} header is invalid.");
        for wrong in ["", "x", "AAAA", "AAAAAA", "not base 64 at all!"] {
            check(&[(format!("PUT /bkt/k\nx-amz-checksum-{header}: {wrong}"), &*invalid)], refusal);
        }
    }
    assert_eq!(sums("x-a: b").wanted(), None);
    // What is sent with the body decides, then what is announced, then what the SDK meant.
    assert_eq!(
        sums("x-amz-sdk-checksum-algorithm: SHA256\nx-amz-trailer: x-amz-checksum-sha1").wanted(),
        Some(ChecksumAlgorithm::Sha1)
    );
    let several = "InvalidRequest: Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.";
    check(
        &[
            ("PUT /bkt/k\nx-amz-checksum-crc32: AAAAAA==\nx-amz-checksum-crc32c: AAAAAA==", several),
            ("PUT /bkt/k\nx-amz-checksum-crc32: AAAAAA==\nx-amz-trailer: x-amz-checksum-crc32", several),
            (
                "PUT /bkt/k\nx-amz-trailer: x-amz-meta-a",
                "InvalidRequest: The value specified in the x-amz-trailer header is not supported",
            ),
            (
                "PUT /bkt/k\nx-amz-sdk-checksum-algorithm: SHA224",
                "InvalidRequest: The algorithm in x-amz-sdk-checksum-algorithm is not supported. \
                 Valid values are: CRC32, CRC32C, CRC64NVME, SHA1, SHA256, SHA512, MD5, XXHASH64, XXHASH3, XXHASH128",
            ),
            (
                "PUT /bkt/k\nx-amz-checksum-blake3: AAAA",
                "NotImplemented: The header x-amz-checksum-blake3 is not supported by this gateway: send the request without it",
            ),
        ],
        refusal,
    );
    assert_eq!(sums("content-md5: 1B2M2Y8AsgTpgAmY7PhCfg==").content_md5.unwrap()[..2], [0xd4, 0x1d]);
    for wrong in ["", "1B2M2Y8AsgTpgAmY7PhCfg", "AAAA", "d41d8cd98f00b204e9800998ecf8427e"] {
        let want = format!("InvalidDigest: The Content-MD5 you specified was invalid [Content-MD5={wrong}]");
        check(&[(format!("PUT /bkt/k\ncontent-md5: {wrong}"), &*want)], refusal);
    }
}
