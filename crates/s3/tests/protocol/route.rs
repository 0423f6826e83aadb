//! Which operation a request is, and which requests are refused: one claim per row.

use s3::{HostRules, Operation, Routing, S3Error, route};

use crate::support::head;

fn run(text: &str) -> Result<Routing, S3Error> {
    let head = head(text);
    let rules = HostRules::new(["s3.example.com", "example.com", "objects.test"]);
    let host = head.headers.get("host").map(|host| host.to_str().unwrap());
    route(&head, host.and_then(|host| rules.bucket_of(host)).as_deref())
}

/// `Name bucket/key` or `Code`.
fn outcome(text: &str) -> String {
    match run(text) {
        Ok(Routing::Query(_)) => "Query".to_owned(),
        Ok(Routing::Preflight(preflight)) => {
            format!("CorsPreflight {}", preflight.bucket.map(|b| b.to_string()).unwrap_or_default())
                .trim_end()
                .to_owned()
        }
        Ok(Routing::S3(op)) => {
            let bucket = op.bucket().map(|bucket| bucket.as_str()).unwrap_or_default();
            let key = op.key().map(|key| format!("/{}", key.as_str())).unwrap_or_default();
            format!("{} {bucket}{key}", op.name()).trim_end().to_owned()
        }
        Err(error) => error.code.as_str().to_owned(),
    }
}

fn check(rows: &[(&str, &str)]) {
    for (request, want) in rows {
        assert_eq!(outcome(request), *want, "{request}");
    }
}

#[test]
fn operations_on_the_service() {
    check(&[
        ("GET /", "ListBuckets"),
        ("GET /?x-id=ListBuckets&max-buckets=10", "ListBuckets"),
        ("GET /?max-buckets=0", "InvalidArgument"),
        ("GET /?max-buckets=10001", "InvalidArgument"),
        ("POST /", "Query"),
        ("POST /?Action=ListUsers", "Query"),
        ("GET /?Action=GetCallerIdentity&Version=2011-06-15", "Query"),
        ("GET /?policy", "MethodNotAllowed"),
        ("GET /?unheard", "ListBuckets"),
        ("HEAD /", "MethodNotAllowed"),
        ("PUT /", "MethodNotAllowed"),
        ("DELETE /", "MethodNotAllowed"),
        ("TRACE /", "MethodNotAllowed"),
    ]);
}

#[test]
fn operations_on_a_bucket() {
    check(&[
        ("GET /bkt", "ListObjects bkt"),
        ("GET /bkt/", "ListObjects bkt"),
        ("GET /bkt?prefix=a%2Fb&delimiter=/&marker=x&max-keys=2", "ListObjects bkt"),
        ("GET /bkt?list-type=2&continuation-token=t", "ListObjectsV2 bkt"),
        ("GET /bkt?list-type=1", "InvalidArgument"),
        ("GET /bkt?list-type", "InvalidArgument"),
        ("GET /bkt?max-keys=-1", "InvalidArgument"),
        ("GET /bkt?max-keys=2147483648", "InvalidArgument"),
        ("GET /bkt?max-keys=1x", "InvalidArgument"),
        ("GET /bkt?encoding-type=base64", "InvalidArgument"),
        ("GET /bkt?versions", "ListObjectVersions bkt"),
        ("GET /bkt?uploads", "ListMultipartUploads bkt"),
        ("GET /bkt?location", "GetBucketLocation bkt"),
        ("GET /bkt?tagging", "GetBucketTagging bkt"),
        ("PUT /bkt?tagging", "PutBucketTagging bkt"),
        ("DELETE /bkt?tagging", "DeleteBucketTagging bkt"),
        ("GET /bkt?policy", "GetBucketPolicy bkt"),
        ("PUT /bkt?policy", "PutBucketPolicy bkt"),
        ("DELETE /bkt?policy", "DeleteBucketPolicy bkt"),
        ("GET /bkt?policyStatus", "GetBucketPolicyStatus bkt"),
        ("PUT /bkt?policyStatus", "MethodNotAllowed"),
        ("HEAD /bkt", "HeadBucket bkt"),
        ("HEAD /bkt?acl", "MethodNotAllowed"),
        ("PUT /bkt", "CreateBucket bkt"),
        ("PUT /bkt?", "CreateBucket bkt"),
        ("DELETE /bkt", "DeleteBucket bkt"),
        ("POST /bkt?delete", "DeleteObjects bkt"),
        ("GET /bkt?delete", "MethodNotAllowed"),
        ("POST /bkt\ncontent-type: multipart/form-data; boundary=abc", "PostObject bkt"),
        ("POST /bkt\ncontent-type: multipart/form-data; boundary=\"a b\"", "PostObject bkt"),
        ("POST /bkt\ncontent-type: multipart/form-data", "PreconditionFailed"),
        ("POST /bkt\ncontent-type: application/xml", "PreconditionFailed"),
        ("POST /bkt", "PreconditionFailed"),
        ("PATCH /bkt", "MethodNotAllowed"),
        ("OPTIONS /bkt\norigin: https://a.test\naccess-control-request-method: GET", "CorsPreflight bkt"),
        ("OPTIONS *\norigin: https://a.test\naccess-control-request-method: GET", "CorsPreflight"),
        ("OPTIONS /bkt", "InvalidRequest"),
    ]);
}

#[test]
fn operations_on_an_object() {
    check(&[
        ("GET /bkt/a/b", "GetObject bkt/a/b"),
        ("GET /bkt/a/", "GetObject bkt/a/"),
        ("GET /bkt/k?versionId=v1&partNumber=3&response-content-type=text/plain", "GetObject bkt/k"),
        ("HEAD /bkt/k", "HeadObject bkt/k"),
        ("HEAD /bkt/k?partNumber=1", "HeadObject bkt/k"),
        ("GET /bkt/k?partNumber=0", "InvalidArgument"),
        ("GET /bkt/k?partNumber=10001", "InvalidArgument"),
        ("GET /bkt/k?partNumber=%2B1", "InvalidArgument"),
        ("GET /bkt/k?partNumber=1\nrange: bytes=0-1", "InvalidRequest"),
        ("GET /bkt/k?attributes\nx-amz-object-attributes: ETag,ObjectSize", "GetObjectAttributes bkt/k"),
        ("GET /bkt/k?attributes", "InvalidRequest"),
        ("GET /bkt/k?attributes\nx-amz-object-attributes: Etag", "InvalidArgument"),
        ("PUT /bkt/k", "PutObject bkt/k"),
        ("PUT /bkt/k?x-id=PutObject", "PutObject bkt/k"),
        ("PUT /bkt/k\nx-amz-copy-source: /src/a", "CopyObject bkt/k"),
        ("PUT /bkt/k\nx-amz-copy-source: src/a%2Fb?versionId=v1", "CopyObject bkt/k"),
        ("DELETE /bkt/k", "DeleteObject bkt/k"),
        ("DELETE /bkt/k?versionId=null", "DeleteObject bkt/k"),
        ("GET /bkt/k?tagging", "GetObjectTagging bkt/k"),
        ("PUT /bkt/k?tagging&versionId=v", "PutObjectTagging bkt/k"),
        ("DELETE /bkt/k?tagging", "DeleteObjectTagging bkt/k"),
        ("POST /bkt/k?uploads", "CreateMultipartUpload bkt/k"),
        ("PUT /bkt/k?partNumber=1&uploadId=u", "UploadPart bkt/k"),
        ("PUT /bkt/k?partNumber=1&uploadId=u\nx-amz-copy-source: /src/a", "UploadPartCopy bkt/k"),
        (
            "PUT /bkt/k?partNumber=1&uploadId=u\nx-amz-copy-source: /src/a\nx-amz-copy-source-range: bytes=0-9",
            "UploadPartCopy bkt/k",
        ),
        ("POST /bkt/k?uploadId=u", "CompleteMultipartUpload bkt/k"),
        ("DELETE /bkt/k?uploadId=u", "AbortMultipartUpload bkt/k"),
        ("GET /bkt/k?uploadId=u&max-parts=5&part-number-marker=2", "ListParts bkt/k"),
        ("HEAD /bkt/k?uploadId=u", "MethodNotAllowed"),
        ("POST /bkt/k", "MethodNotAllowed"),
        ("PATCH /bkt/k", "MethodNotAllowed"),
        ("GET /bkt/k?acl", "GetObjectAcl bkt/k"),
        ("PUT /bkt/k?acl&versionId=v", "PutObjectAcl bkt/k"),
        ("GET /bkt/k?retention", "GetObjectRetention bkt/k"),
        ("PUT /bkt/k?legal-hold", "PutObjectLegalHold bkt/k"),
        ("POST /bkt/k?select&select-type=2", "SelectObjectContent bkt/k"),
        ("POST /bkt/k?restore", "RestoreObject bkt/k"),
        ("PUT /bkt/k?renameObject\nx-amz-rename-source: /bkt/old", "RenameObject bkt/k"),
        ("GET /bkt/k?torrent", "GetObjectTorrent bkt/k"),
    ]);
}

#[test]
fn no_sub_resource_falls_through_to_another_operation() {
    check(&[
        // SeaweedFS created a bucket for the first one.
        ("PUT /bkt?website", "PutBucketWebsite bkt"),
        // Neither does one that Kelpgate has never heard of: without a value it may be a new sub-resource.
        ("PUT /bkt?unheard", "NotImplemented"),
        ("PUT /bkt?unheard=", "NotImplemented"),
        ("PUT /bkt?ACL", "NotImplemented"),
        ("DELETE /bkt?unheard", "NotImplemented"),
        ("DELETE /bkt/k?unheard", "NotImplemented"),
        ("POST /bkt/k?unheard&uploads", "NotImplemented"),
        ("PUT /bkt/k?annotation=x", "NotImplemented"),
        ("GET /bkt/k?annotation=x", "NotImplemented"),
        ("GET /bkt?defaultObjectAcl", "NotImplemented"),
        ("GET /bkt?storageClass", "NotImplemented"),
        ("GET /bkt?events=s3:ObjectCreated", "NotImplemented"),
        // Anything else that S3 does not know is ignored.
        ("GET /bkt?unheard", "ListObjects bkt"),
        ("GET /bkt?list-type=2&metadata=true", "ListObjectsV2 bkt"),
        ("GET /bkt?allow-unordered=true", "ListObjects bkt"),
        ("HEAD /bkt?unheard=1", "HeadBucket bkt"),
        ("GET /bkt/k?1700000000", "GetObject bkt/k"),
        ("GET /bkt/k?iefix", "GetObject bkt/k"),
        ("HEAD /bkt/k?download", "HeadObject bkt/k"),
        ("GET /bkt/k?acl&1700000000", "GetObjectAcl bkt/k"),
        ("GET /bkt/k?utm_source=mail", "GetObject bkt/k"),
        ("PUT /bkt/k?upload-session=1", "PutObject bkt/k"),
        ("PUT /bkt/k?tagging&upload-session=1", "PutObjectTagging bkt/k"),
        ("DELETE /bkt/k?unheard=1", "DeleteObject bkt/k"),
        ("PUT /bkt/k?x-mine=1", "PutObject bkt/k"),
        ("GET /bkt?acl&policy", "InvalidArgument"),
        ("GET /bkt?list-type=2&versions", "InvalidArgument"),
        ("PUT /bkt/k?uploadId=u&partNumber=1&tagging", "InvalidArgument"),
        ("DELETE /bkt/k?uploadId=u&tagging", "InvalidArgument"),
        ("PUT /bkt/k?uploadId=u", "InvalidArgument"),
        ("PUT /bkt/k?partNumber=1", "InvalidArgument"),
        ("DELETE /bkt/k?partNumber=1", "InvalidArgument"),
        ("GET /bkt/k?uploadId=u&partNumber=1", "InvalidArgument"),
        ("PUT /bkt/k?versionId=v", "InvalidArgument"),
        ("PUT /bkt/k?uploadId=u&partNumber=1&versionId=v", "InvalidArgument"),
        ("GET /bkt?versionId=v", "InvalidArgument"),
        ("DELETE /bkt?versionId=v", "InvalidArgument"),
        ("POST /bkt/k?select&versionId=v", "InvalidArgument"),
        ("PUT /bkt/k?policy", "MethodNotAllowed"),
        ("GET /bkt?retention", "MethodNotAllowed"),
        ("POST /bkt?acl", "MethodNotAllowed"),
        ("PUT /bkt?analytics", "InvalidArgument"),
        ("PUT /bkt?analytics&id=i", "PutBucketAnalyticsConfiguration bkt"),
        ("GET /bkt?analytics", "ListBucketAnalyticsConfigurations bkt"),
        ("GET /bkt?analytics&id=i", "GetBucketAnalyticsConfiguration bkt"),
        ("PUT /bkt/k?tagging\nx-amz-copy-source: /src/a", "InvalidRequest"),
        ("PUT /bkt/k?acl\nx-amz-copy-source: /src/a", "InvalidRequest"),
    ]);
}

#[test]
fn hostile_paths_are_keys_or_refused() {
    check(&[
        // No segment leads anywhere: it is a part of the key.
        ("GET /bkt/../etc", "GetObject bkt/../etc"),
        ("GET /bkt/a/../../b", "GetObject bkt/a/../../b"),
        ("GET /bkt/%2e%2e/b", "GetObject bkt/../b"),
        ("GET /bkt/a%2F..%2Fb", "GetObject bkt/a/../b"),
        ("GET /bkt/.", "GetObject bkt/."),
        ("GET /bkt//a", "GetObject bkt//a"),
        ("GET /bkt/a//b", "GetObject bkt/a//b"),
        ("GET /bkt/a%00b", "InvalidArgument"),
        ("GET /bkt/.uploads/x", "GetObject bkt/.uploads/x"),
        ("GET /bkt/k.versions/v_1", "GetObject bkt/k.versions/v_1"),
        ("GET /bkt/%ff", "InvalidURI"),
        ("GET /bkt/%c0%ae%c0%ae/x", "InvalidURI"),
        ("GET /bkt/%zz", "InvalidURI"),
        ("GET /bkt/a%", "InvalidURI"),
        ("GET /bkt/a%2", "InvalidURI"),
        ("GET /../bkt", "InvalidBucketName"),
        ("GET //bkt/k", "InvalidBucketName"),
        ("GET /.system/k", "InvalidBucketName"),
        ("GET /b%2Fkt/k", "InvalidBucketName"),
        ("GET /BKT/k", "InvalidBucketName"),
        ("GET /192.168.0.1/k", "InvalidBucketName"),
        // Decoded once, never twice.
        ("GET /bkt/%252e%252e/b", "GetObject bkt/%2e%2e/b"),
        ("GET /bkt/a%20b+c", "GetObject bkt/a b+c"),
        ("GET /bkt/a%0Ab", "GetObject bkt/a\nb"),
        ("GET /bkt/a%5C..%5Cb", "GetObject bkt/a\\..\\b"),
        ("GET /bkt/%E2%82%AC", "GetObject bkt/\u{20ac}"),
    ]);
    let long = format!("GET /bkt/{}", "k".repeat(1025));
    assert_eq!(outcome(&long), "KeyTooLongError");
}

#[test]
fn hostile_parameters_and_headers_are_refused() {
    check(&[
        ("GET /bkt?acl&acl", "InvalidArgument"),
        ("GET /bkt?prefix=a&prefix=b", "InvalidArgument"),
        ("GET /bkt?prefix=%ff", "InvalidURI"),
        ("GET /bkt?prefix=%", "InvalidURI"),
        ("GET /bkt/k?versionId=../../x", "InvalidArgument"),
        ("GET /bkt/k?versionId=", "InvalidArgument"),
        ("GET /bkt/k?uploadId=../x", "NoSuchUpload"),
        ("GET /bkt/k?uploadId=", "NoSuchUpload"),
        ("DELETE /bkt/k?uploadId=.", "NoSuchUpload"),
        ("DELETE /bkt/k?uploadId=a%2Fb", "NoSuchUpload"),
        ("PUT /bkt/k\nx-amz-copy-source: ", "InvalidArgument"),
        ("PUT /bkt/k\nx-amz-copy-source: /", "InvalidArgument"),
        ("PUT /bkt/k\nx-amz-copy-source: src", "InvalidArgument"),
        ("PUT /bkt/k\nx-amz-copy-source: /src/a%00", "InvalidArgument"),
        ("PUT /bkt/k\nx-amz-copy-source: /src/%ff", "InvalidArgument"),
        ("PUT /bkt/k\nx-amz-copy-source: /src/a?versionId=../x", "InvalidArgument"),
        ("PUT /bkt/k\nx-amz-copy-source: /src/a\nx-amz-copy-source: /src/b", "InvalidArgument"),
        (
            "PUT /bkt/k?partNumber=1&uploadId=u\nx-amz-copy-source: /src/a\nx-amz-copy-source-range: bytes=5-",
            "InvalidArgument",
        ),
        ("GET /bkt/k?response-content-type=a%0D%0Ab", "InvalidArgument"),
        ("PUT /bkt/k\ncontent-length: +1", "InvalidArgument"),
        ("PUT /bkt/k\nx-amz-acl: everyone", "InvalidArgument"),
        ("PUT /bkt/k\nx-amz-acl: private\nx-amz-grant-read: id=x", "InvalidRequest"),
        ("PUT /bkt/k\nx-amz-grant-all: id=x", "NotImplemented"),
        ("PUT /bkt/k\nx-amz-storage-class: GOLD", "InvalidStorageClass"),
        ("PUT /bkt/k\nx-amz-tagging: a=1&a=2", "InvalidArgument"),
        ("PUT /bkt/k\nx-amz-tagging: aws:x=1", "InvalidTag"),
        ("PUT /bkt/k\nx-amz-tagging: =1", "InvalidTag"),
        ("PUT /bkt/k\nx-amz-tagging: a=1&b=1&c=1&d=1&e=1&f=1&g=1&h=1&i=1&j=1&k=1", "InvalidTag"),
        ("PUT /bkt/k\nx-amz-object-lock-mode: GOVERNANCE", "InvalidArgument"),
        (
            "PUT /bkt/k\nx-amz-object-lock-mode: SOFT\nx-amz-object-lock-retain-until-date: 2030-01-01T00:00:00Z",
            "InvalidArgument",
        ),
        ("PUT /bkt/k\nx-amz-object-lock-legal-hold: MAYBE", "InvalidArgument"),
        ("PUT /bkt/k\nx-amz-checksum-crc32: AAAA", "InvalidRequest"),
        (
            "PUT /bkt/k\nx-amz-checksum-crc32: AAAAAA==\nx-amz-checksum-sha1: 2jmj7l5rSw0yVb/vlWAYkK/YBwk=",
            "InvalidRequest",
        ),
        ("PUT /bkt/k\nx-amz-checksum-md5: AAAAAA==", "InvalidRequest"),
        ("PUT /bkt/k\nx-amz-checksum-sha224: AAAAAA==", "NotImplemented"),
        ("PUT /bkt/k\nx-amz-trailer: x-amz-meta-a", "InvalidRequest"),
        ("PUT /bkt/k\nx-amz-trailer: x-amz-checksum-crc32\nx-amz-checksum-crc32: AAAAAA==", "InvalidRequest"),
        ("PUT /bkt/k\nx-amz-sdk-checksum-algorithm: SHA224", "InvalidRequest"),
        ("PUT /bkt/k\ncontent-md5: nonsense", "InvalidDigest"),
        ("PUT /bkt/k\nif-match: \"a\"\nif-none-match: *", "NotImplemented"),
        ("PUT /bkt/k\nif-none-match: \"a\"", "NotImplemented"),
        ("PUT /bkt/k\nif-modified-since: Mon, 12 Oct 2009 17:50:30 GMT", "NotImplemented"),
        ("PUT /bkt/k\nx-amz-write-offset-bytes: 5", "NotImplemented"),
        ("DELETE /bkt/k\nx-amz-if-match-size: 5", "NotImplemented"),
        ("DELETE /bkt/k\nx-amz-bypass-governance-retention: yes", "InvalidArgument"),
        ("PUT /bkt/k\nx-amz-metadata-directive: KEEP\nx-amz-copy-source: /src/a", "InvalidArgument"),
        ("POST /bkt/k?uploads\nx-amz-checksum-type: FULL_OBJECT", "InvalidRequest"),
        ("POST /bkt/k?uploads\nx-amz-checksum-algorithm: SHA256\nx-amz-checksum-type: FULL_OBJECT", "InvalidRequest"),
        ("POST /bkt/k?uploads\nx-amz-checksum-algorithm: CRC64NVME\nx-amz-checksum-type: COMPOSITE", "InvalidRequest"),
    ]);
    let large = format!("PUT /bkt/k\nx-amz-meta-a: {}", "v".repeat(2048));
    assert_eq!(outcome(&large), "MetadataTooLarge");
}

#[test]
fn buckets_as_names_of_hosts() {
    check(&[
        ("GET /a/b\nhost: bkt.objects.test", "GetObject bkt/a/b"),
        ("GET /a/b\nhost: bkt.objects.test:8333", "GetObject bkt/a/b"),
        ("GET /a/b\nhost: BKT.Objects.Test", "GetObject bkt/a/b"),
        ("GET /a/b\nhost: bkt.objects.test.", "GetObject bkt/a/b"),
        ("GET /\nhost: bkt.objects.test", "ListObjects bkt"),
        ("GET /\nhost: my.bkt.objects.test", "ListObjects my.bkt"),
        ("GET /bkt/k\nhost: objects.test", "GetObject bkt/k"),
        // Its parent is listed: the host is the endpoint, not a bucket called s3.
        ("GET /bkt/k\nhost: s3.example.com", "GetObject bkt/k"),
        ("GET /k\nhost: bkt.example.com", "GetObject bkt/k"),
        ("GET /bkt/k\nhost: other.test", "GetObject bkt/k"),
        ("GET /bkt/k\nhost: notobjects.test", "GetObject bkt/k"),
        ("GET /bkt/k\nhost: [::1]:8333", "GetObject bkt/k"),
        ("GET /k\nhost: .objects.test", "InvalidBucketName"),
        ("GET /k\nhost: a_b.objects.test", "InvalidBucketName"),
        // The path is the key, whatever it looks like.
        ("GET //a\nhost: bkt.objects.test", "GetObject bkt//a"),
        ("POST /\nhost: bkt.objects.test", "PreconditionFailed"),
    ]);
}

#[test]
fn headers_of_a_presigned_url() {
    let signed = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=s&X-Amz-SignedHeaders=host";
    let rows = [
        (format!("PUT /bkt/k?{signed}&x-amz-copy-source=%2Fsrc%2Fa"), "CopyObject bkt/k"),
        (format!("PUT /bkt/k?{signed}&x-amz-acl=everyone"), "InvalidArgument"),
        // Sent twice: the signature and the operation may have used different values.
        (format!("PUT /bkt/k?{signed}&x-amz-acl=private\nx-amz-acl: private"), "InvalidArgument"),
        // Without a signature that covers the query, a parameter does not count as a header.
        (String::from("PUT /bkt/k?x-amz-copy-source=%2Fsrc%2Fa"), "PutObject bkt/k"),
        (format!("PUT /bkt/k?{signed}&AWSAccessKeyId=a&x-amz-copy-source=%2Fsrc%2Fa"), "PutObject bkt/k"),
        (format!("PUT /bkt/k?{signed}&x-amz-copy-source=%2Fsrc%2Fa\nauthorization: AWS a:b"), "PutObject bkt/k"),
    ];
    for (request, want) in rows {
        assert_eq!(outcome(&request), want, "{request}");
    }
}

#[test]
fn headers_of_a_new_object() {
    let request = "PUT /bkt/k
        content-type: text/plain
        content-encoding: aws-chunked, gzip
        x-amz-meta-Colour: blue
        x-amz-meta-list: a
        x-amz-meta-list: b
        seaweed-x-amz-legal-hold: ON
        x-seaweedfs-principal: admin
        x-amz-tagging: a=1&b=x%20y
        x-amz-decoded-content-length: 5
        content-length: 100
        if-none-match: *
        x-amz-checksum-crc32c: AAAAAA==";
    let Ok(Routing::S3(Operation::PutObject(put))) = run(request) else { panic!("{:?}", run(request)) };
    let pairs = |list: &[(&str, &str)]| {
        list.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect::<Vec<_>>()
    };
    // Internal headers of SeaweedFS never become metadata.
    assert_eq!(put.object.metadata, pairs(&[("colour", "blue"), ("list", "a,b")]));
    assert_eq!(put.object.content.content_encoding.as_deref(), Some("gzip"));
    assert_eq!(put.object.tagging.as_ref().unwrap().iter().collect::<Vec<_>>(), [("a", "1"), ("b", "x y")]);
    assert_eq!(put.length.object_bytes(), Some(5));
    assert_eq!(put.condition, s3::WriteCondition::IfAbsent);
    assert_eq!(put.checksums.wanted(), Some(s3::ChecksumAlgorithm::Crc32C));
    assert!(!put.object.lock.is_requested());
    assert!(put.object.encryption.require_none().is_ok());

    let encrypted = "PUT /bkt/k\nx-amz-server-side-encryption: aws:kms";
    let Ok(Routing::S3(Operation::PutObject(put))) = run(encrypted) else { panic!("{:?}", run(encrypted)) };
    let refused = put.object.encryption.require_none().unwrap_err();
    assert!(refused.message().contains("x-amz-server-side-encryption"), "{refused}");
}

#[test]
fn parameters_of_a_listing() {
    let Ok(Routing::S3(Operation::ListObjectsV2(list))) = run(
        "GET /bkt?list-type=2&prefix=a+b%2F&delimiter=&max-keys=5000&encoding-type=url&start-after=x&fetch-owner=true",
    ) else {
        panic!("no listing")
    };
    assert_eq!(list.list.prefix.as_str(), "a b/");
    assert_eq!(list.list.delimiter, None);
    assert_eq!((list.list.max_keys, list.list.page_entries()), (5000, 1000));
    assert_eq!(list.start_after.as_deref(), Some("x"));
    assert!(list.fetch_owner);
    for (prefix, can_match) in [
        ("", true),
        ("a", true),
        ("a/", true),
        ("a/..b", true),
        ("a/..", true),
        ("..", true),
        ("../", true),
        ("a/../b", true),
        ("/", true),
        ("a//", true),
        ("a\0", false),
    ] {
        assert_eq!(s3::op::KeyPrefix::new(prefix).can_match(), can_match, "{prefix:?}");
    }
}

#[test]
fn errors_name_what_they_are_about() {
    let error = run("PUT /bkt/k?unheard").unwrap_err();
    assert_eq!(error.resource.as_deref(), Some("/bkt/k"));
    assert!(error.message().contains("`unheard`"), "{error}");
    let error = run("GET /bkt?acl&policy").unwrap_err();
    assert_eq!(error.message(), "Conflicting query string parameters: acl, policy");
}

#[test]
fn the_owner_that_a_client_expects() {
    let own = "111122223333";
    for (headers, target, source) in [
        ("", true, true),
        ("\nx-amz-expected-bucket-owner: 111122223333", true, true),
        ("\nx-amz-expected-bucket-owner: 444455556666", false, true),
        ("\nx-amz-source-expected-bucket-owner: 444455556666", true, false),
    ] {
        let expected = s3::ExpectedOwners::parse(&head(&format!("GET /bkt/k{headers}"))).unwrap();
        assert_eq!(expected.check_target(own).is_ok(), target, "{headers}");
        assert_eq!(expected.check_source(own).is_ok(), source, "{headers}");
    }
    for headers in [
        "x-amz-expected-bucket-owner: me",
        "x-amz-expected-bucket-owner: 111122223333\nx-amz-expected-bucket-owner: 444455556666",
    ] {
        assert!(s3::ExpectedOwners::parse(&head(&format!("GET /bkt/k\n{headers}"))).is_err(), "{headers}");
    }
}

/// What the path and the query name is what is decided and run.
#[test]
fn every_operation_says_what_it_addresses() {
    for known in s3::KnownOperation::all() {
        for of_version in [false, true] {
            let Some(head) = testkit::operations::example(&known, of_version) else { continue };
            let Routing::S3(op) = route(&head, None).unwrap() else { panic!("{known:?}") };
            let want = ((known.path_names > 0).then_some("bkt"), (known.path_names > 1).then_some("k"));
            let got = (op.bucket().map(|bucket| bucket.as_str()), op.key().map(|key| key.as_str()));
            assert_eq!(got, want, "{}", known.name);
            assert_eq!(op.version_id().map(|v| v.as_str()), of_version.then_some("v1"), "{}", known.name);
        }
    }
}
