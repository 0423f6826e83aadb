//! The documents of requests and answers, byte for byte.

use s3::op::*;
use s3::{Checksum, ChecksumAlgorithm, ChecksumType, EncodingType, Operation, Routing, S3Error, S3ErrorCode, TagSet};

use crate::support::{THEN, XMLNS, body, operation};

fn owner() -> Owner {
    Owner { id: String::from("75aa"), display_name: String::from("me & you") }
}

#[test]
fn list_buckets() {
    let output = ListBucketsOutput {
        owner: owner(),
        buckets: vec![BucketSummary { name: String::from("bkt"), creation_date: THEN, region: None }],
        prefix: None,
        continuation_token: None,
    };
    assert_eq!(
        body(&output.to_xml()),
        format!(
            "<ListAllMyBucketsResult {XMLNS}><Owner><ID>75aa</ID><DisplayName>me &amp; you</DisplayName></Owner><Buckets><Bucket>\
             <Name>bkt</Name><CreationDate>2009-10-12T17:50:30.000Z</CreationDate></Bucket></Buckets></ListAllMyBucketsResult>"
        )
    );
}

fn summary(key: &str) -> ObjectSummary {
    ObjectSummary {
        key: key.to_owned(),
        last_modified: THEN,
        etag: String::from("abc"),
        checksum: Some((ChecksumAlgorithm::Crc64Nvme, ChecksumType::FullObject)),
        size: 5,
        storage_class: String::from("STANDARD"),
        owner: None,
    }
}

#[test]
fn list_objects_version_1() {
    let Ok(Operation::ListObjects(request)) = operation("GET /bkt?prefix=a%26&delimiter=/&max-keys=2000") else {
        panic!("no listing")
    };
    let mut output = ListObjectsOutput {
        request,
        contents: vec![summary("a&\r\u{1}")],
        common_prefixes: vec![String::from("a&b/")],
        next_marker: Some(String::from("a&b/")),
    };
    assert_eq!(
        body(&output.to_xml()),
        format!(
            "<ListBucketResult {XMLNS}><Name>bkt</Name><Prefix>a&amp;</Prefix><Marker/><NextMarker>a&amp;b/</NextMarker>\
             <MaxKeys>1000</MaxKeys><Delimiter>/</Delimiter><IsTruncated>true</IsTruncated><Contents><Key>a&amp;&#13;&#x1;</Key>\
             <LastModified>2009-10-12T17:50:30.000Z</LastModified><ETag>&quot;abc&quot;</ETag>\
             <ChecksumAlgorithm>CRC64NVME</ChecksumAlgorithm><ChecksumType>FULL_OBJECT</ChecksumType><Size>5</Size>\
             <StorageClass>STANDARD</StorageClass></Contents><CommonPrefixes><Prefix>a&amp;b/</Prefix></CommonPrefixes>\
             </ListBucketResult>"
        )
    );
    // Without a delimiter there is no NextMarker where the page ends at its last key: clients use that.
    output.request.list.delimiter = None;
    output.next_marker = Some(String::from("a&\r\u{1}"));
    assert!(!output.to_xml().contains("NextMarker"));
    output.request.list.encoding_type = Some(EncodingType::Url);
    let encoded = output.to_xml();
    assert!(encoded.contains("<Key>a%26%0D%01</Key>"), "{encoded}");
    assert!(encoded.contains("<EncodingType>url</EncodingType>"), "{encoded}");
}

#[test]
fn list_objects_version_2() {
    let Ok(Operation::ListObjectsV2(request)) =
        operation("GET /bkt?list-type=2&continuation-token=t%3D&start-after=s&max-keys=1&encoding-type=url")
    else {
        panic!("no listing")
    };
    let output = ListObjectsV2Output {
        request,
        contents: vec![ObjectSummary { owner: Some(owner()), checksum: None, ..summary("x y/\u{20ac}+") }],
        common_prefixes: Vec::new(),
        next_continuation_token: Some(String::from("n")),
    };
    assert_eq!(
        body(&output.to_xml()),
        format!(
            "<ListBucketResult {XMLNS}><Name>bkt</Name><Prefix/><ContinuationToken>t=</ContinuationToken>\
             <NextContinuationToken>n</NextContinuationToken><StartAfter>s</StartAfter><KeyCount>1</KeyCount><MaxKeys>1</MaxKeys>\
             <EncodingType>url</EncodingType><IsTruncated>true</IsTruncated><Contents><Key>x%20y/%E2%82%AC%2B</Key>\
             <LastModified>2009-10-12T17:50:30.000Z</LastModified><ETag>&quot;abc&quot;</ETag><Size>5</Size>\
             <Owner><ID>75aa</ID><DisplayName>me &amp; you</DisplayName></Owner><StorageClass>STANDARD</StorageClass></Contents>\
             </ListBucketResult>"
        )
    );
}

#[test]
fn answers_of_multipart_uploads() {
    let sum = Checksum { algorithm: ChecksumAlgorithm::Crc32, value: String::from("AAAAAA==") };
    let created = CreateMultipartUploadOutput {
        bucket: "bkt".parse().unwrap(),
        key: "a<b".parse().unwrap(),
        upload_id: String::from("u"),
    };
    assert_eq!(
        body(&created.to_xml()),
        format!(
            "<InitiateMultipartUploadResult {XMLNS}><Bucket>bkt</Bucket><Key>a&lt;b</Key><UploadId>u</UploadId>\
             </InitiateMultipartUploadResult>"
        )
    );
    let completed = CompleteMultipartUploadOutput {
        location: String::from("http://h/bkt/k"),
        bucket: "bkt".parse().unwrap(),
        key: "k".parse().unwrap(),
        etag: String::from("\"e-2\""),
        checksum: Some((sum.clone(), ChecksumType::Composite)),
    };
    assert_eq!(
        body(&completed.to_xml()),
        format!(
            "<CompleteMultipartUploadResult {XMLNS}><Location>http://h/bkt/k</Location><Bucket>bkt</Bucket><Key>k</Key>\
             <ETag>&quot;e-2&quot;</ETag><ChecksumCRC32>AAAAAA==</ChecksumCRC32><ChecksumType>COMPOSITE</ChecksumType>\
             </CompleteMultipartUploadResult>"
        )
    );
    let copied = CopyResult { etag: String::from("e"), last_modified: THEN, checksum: None };
    for (document, root) in [(copied.to_xml(), "CopyObjectResult"), (copied.to_part_xml(), "CopyPartResult")] {
        assert_eq!(
            body(&document),
            format!(
                "<{root} {XMLNS}><LastModified>2009-10-12T17:50:30.000Z</LastModified><ETag>&quot;e&quot;</ETag></{root}>"
            )
        );
    }
    let Ok(Operation::ListParts(request)) = operation("GET /bkt/k?uploadId=u&max-parts=1") else {
        panic!("no listing")
    };
    let parts = ListPartsOutput {
        request,
        parts: vec![PartSummary {
            part_number: 2,
            last_modified: THEN,
            etag: String::from("p"),
            size: 7,
            checksum: Some(sum.clone()),
        }],
        is_truncated: true,
        initiator: owner(),
        owner: owner(),
        storage_class: String::from("STANDARD"),
        checksum: Some((ChecksumAlgorithm::Crc32, ChecksumType::Composite)),
    }
    .to_xml();
    for piece in [
        "<PartNumberMarker>0</PartNumberMarker><NextPartNumberMarker>2</NextPartNumberMarker><MaxParts>1</MaxParts><IsTruncated>true</IsTruncated>",
        "<Part><PartNumber>2</PartNumber><LastModified>2009-10-12T17:50:30.000Z</LastModified><ETag>&quot;p&quot;</ETag><Size>7</Size><ChecksumCRC32>AAAAAA==</ChecksumCRC32></Part>",
        "<Initiator><ID>75aa</ID>",
    ] {
        assert!(parts.contains(piece), "{piece} in {parts}");
    }
    let Ok(Operation::ListMultipartUploads(request)) = operation("GET /bkt?uploads&key-marker=a") else {
        panic!("no listing")
    };
    let uploads = ListMultipartUploadsOutput {
        request,
        uploads: vec![UploadSummary {
            key: String::from("k"),
            upload_id: String::from("u"),
            initiator: owner(),
            owner: owner(),
            storage_class: String::from("STANDARD"),
            initiated: THEN,
            checksum: None,
        }],
        common_prefixes: vec![],
        is_truncated: false,
        next_key_marker: None,
        next_upload_id_marker: None,
    }
    .to_xml();
    for piece in [
        "<Bucket>bkt</Bucket><KeyMarker>a</KeyMarker><UploadIdMarker/><Prefix/><MaxUploads>1000</MaxUploads><IsTruncated>false</IsTruncated>",
        "<Upload><Key>k</Key><UploadId>u</UploadId><Initiator>",
        "<Initiated>2009-10-12T17:50:30.000Z</Initiated></Upload>",
    ] {
        assert!(uploads.contains(piece), "{piece} in {uploads}");
    }
}

#[test]
fn small_answers() {
    assert_eq!(
        body(&location_to_xml("eu-west-1")),
        format!("<LocationConstraint {XMLNS}>eu-west-1</LocationConstraint>")
    );
    assert_eq!(body(&location_to_xml("us-east-1")), format!("<LocationConstraint {XMLNS}></LocationConstraint>"));
    assert_eq!(
        body(&policy_status_to_xml(true)),
        format!("<PolicyStatus {XMLNS}><IsPublic>true</IsPublic></PolicyStatus>")
    );
    let attributes = GetObjectAttributesOutput {
        etag: Some(String::from("\"e\"")),
        checksum: None,
        parts: Some(ObjectAttributesParts { total_parts: 3, max_parts: 1000, ..ObjectAttributesParts::default() }),
        storage_class: Some(String::from("STANDARD")),
        object_size: Some(9),
    };
    assert_eq!(
        body(&attributes.to_xml()),
        format!(
            "<GetObjectAttributesResponse {XMLNS}><ETag>e</ETag><ObjectParts><IsTruncated>false</IsTruncated><MaxParts>1000</MaxParts>\
             <NextPartNumberMarker>0</NextPartNumberMarker><PartNumberMarker>0</PartNumberMarker><PartsCount>3</PartsCount></ObjectParts>\
             <StorageClass>STANDARD</StorageClass><ObjectSize>9</ObjectSize></GetObjectAttributesResponse>"
        )
    );
}

#[test]
fn errors() {
    let error = S3Error::new(S3ErrorCode::NoSuchKey).field("Key", "a<b").about("/bkt/a<b");
    assert_eq!(
        body(&error.to_xml("R", "H")),
        "<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message><Key>a&lt;b</Key>\
         <Resource>/bkt/a&lt;b</Resource><RequestId>R</RequestId><HostId>H</HostId></Error>"
    );
    for (code, status) in [
        (S3ErrorCode::AccessDenied, 403),
        (S3ErrorCode::NotModified, 304),
        (S3ErrorCode::PreconditionFailed, 412),
        (S3ErrorCode::InvalidRange, 416),
        (S3ErrorCode::NotImplemented, 501),
        (S3ErrorCode::SlowDown, 503),
        (S3ErrorCode::BucketAlreadyOwnedByYou, 409),
        (S3ErrorCode::ExistingObjectIsDirectory, 409),
        (S3ErrorCode::MissingContentLength, 411),
        (S3ErrorCode::ExpiredToken, 400),
    ] {
        assert_eq!(code.status().as_u16(), status, "{code}");
    }
    for code in S3ErrorCode::ALL {
        assert!(code.status().as_u16() >= 304 && !code.message().is_empty(), "{code}");
        assert!(code.as_str().bytes().all(|byte| byte.is_ascii_alphanumeric()), "{code}");
    }
}

#[test]
fn delete_requests() {
    let read = |xml: &str| DeleteRequest::from_xml(xml.as_bytes());
    let request = read(&format!(
        "<?xml version=\"1.0\"?><Delete {XMLNS}><Quiet>true</Quiet><Object><Key>a&amp;b&#10;</Key></Object>\
         <Object><Key>{}</Key><VersionId>v1</VersionId><ETag>\"e\"</ETag></Object></Delete>",
        "k".repeat(1025)
    ))
    .unwrap();
    assert!(request.quiet);
    assert_eq!(request.objects[0].key.as_ref().unwrap().as_str(), "a&b\n");
    // An invalid key is an error only for this key.
    assert_eq!(request.objects[1].key.as_ref().unwrap_err().code, S3ErrorCode::KeyTooLongError);
    assert_eq!(request.objects[1].version_id.as_ref().unwrap().as_str(), "v1");
    assert_eq!(request.objects[1].etag.as_deref(), Some("e"));

    let object = "<Object><Key>a</Key></Object>";
    for (xml, code) in [
        (format!("<Delete>{}</Delete>", object.repeat(1000)), None),
        (format!("<Delete>{}</Delete>", object.repeat(1001)), Some(S3ErrorCode::MalformedXML)),
        (String::from("<Delete></Delete>"), Some(S3ErrorCode::MalformedXML)),
        (String::from(""), Some(S3ErrorCode::MalformedXML)),
        (String::from("<Delete>"), Some(S3ErrorCode::MalformedXML)),
        (format!("<Delete>{object}</Delete><Delete/>"), Some(S3ErrorCode::MalformedXML)),
        (format!("<Delete>{object}</Delete>x"), Some(S3ErrorCode::MalformedXML)),
        (format!("<Tagging>{object}</Tagging>"), Some(S3ErrorCode::MalformedXML)),
        (format!("<Delete>{object}<Sneaky/></Delete>"), Some(S3ErrorCode::MalformedXML)),
        (String::from("<Delete><Object><Key>a</Key><Key>b</Key></Object></Delete>"), Some(S3ErrorCode::MalformedXML)),
        (String::from("<Delete><Object><VersionId>v</VersionId></Object></Delete>"), Some(S3ErrorCode::MalformedXML)),
        (String::from("<Delete><Object><Key></Key></Object></Delete>"), Some(S3ErrorCode::UserKeyMustBeSpecified)),
        (
            String::from("<Delete><Object><Key>a</Key><Size>1</Size></Object></Delete>"),
            Some(S3ErrorCode::NotImplemented),
        ),
        (format!("<!DOCTYPE d [<!ENTITY x \"y\">]><Delete>{object}</Delete>"), Some(S3ErrorCode::MalformedXML)),
        (String::from("<Delete><Object><Key>&x;</Key></Object></Delete>"), Some(S3ErrorCode::MalformedXML)),
        (format!("{}{}", "<a>".repeat(40), "</a>".repeat(40)), Some(S3ErrorCode::MalformedXML)),
    ] {
        assert_eq!(read(&xml).err().map(|error| error.code), code, "{}", xml.get(..60).unwrap_or(&xml));
    }
    assert!(DeleteRequest::from_xml(b"<Delete>\xff</Delete>").is_err());

    let deleted = |key: &str, error| DeletedObject {
        key: key.to_owned(),
        version_id: None,
        delete_marker_version_id: None,
        error,
    };
    let mut output = DeleteObjectsOutput {
        objects: vec![deleted("a", None), deleted("b", Some(S3Error::new(S3ErrorCode::AccessDenied)))],
        quiet: false,
    };
    let error = "<Error><Key>b</Key><Code>AccessDenied</Code><Message>Access Denied</Message></Error>";
    assert_eq!(
        body(&output.to_xml()),
        format!("<DeleteResult {XMLNS}><Deleted><Key>a</Key></Deleted>{error}</DeleteResult>")
    );
    output.quiet = true;
    assert_eq!(body(&output.to_xml()), format!("<DeleteResult {XMLNS}>{error}</DeleteResult>"));
}

#[test]
fn lists_of_completed_parts() {
    let read = |xml: &str| CompletedPart::list_from_xml(xml.as_bytes());
    let part = |number: &str| format!("<Part><PartNumber>{number}</PartNumber><ETag>&quot;e&quot;</ETag></Part>");
    let list = |parts: &str| format!("<CompleteMultipartUpload {XMLNS}>{parts}</CompleteMultipartUpload>");
    let parts = read(&list(
        "<Part><ETag>\"e\"</ETag><PartNumber> 1 </PartNumber><ChecksumCRC32>AAAAAA==</ChecksumCRC32></Part>",
    ))
    .unwrap();
    assert_eq!((parts[0].part_number, parts[0].etag.as_str()), (1, "e"));
    assert_eq!(parts[0].checksum.as_ref().unwrap().algorithm, ChecksumAlgorithm::Crc32);
    let twice = read(&list(&(part("1") + &part("1").replace(";e&", ";f&") + &part("2")))).unwrap();
    let twice: Vec<_> = twice.iter().map(|part| (part.part_number, part.etag.as_str())).collect();
    assert_eq!(twice, [(1, "f"), (2, "e")], "the later one counts");
    for (parts, code) in [
        (part("1") + &part("3"), None),
        (part("3") + &part("1"), Some(S3ErrorCode::InvalidPartOrder)),
        (part("1") + &part("1"), None),
        (part("0"), Some(S3ErrorCode::InvalidArgument)),
        (part("10001"), Some(S3ErrorCode::InvalidArgument)),
        (part("x"), Some(S3ErrorCode::InvalidArgument)),
        (String::new(), Some(S3ErrorCode::MalformedXML)),
        (String::from("<Part><PartNumber>1</PartNumber></Part>"), Some(S3ErrorCode::MalformedXML)),
    ] {
        assert_eq!(read(&list(&parts)).err().map(|error| error.code), code, "{parts}");
    }
}

#[test]
fn tags() {
    let xml = format!(
        "<Tagging {XMLNS}><TagSet><Tag><Key>a</Key><Value>1</Value></Tag><Tag><Key>Stra\u{df}e</Key><Value></Value></Tag></TagSet></Tagging>"
    );
    let tags = TagSet::from_xml(xml.as_bytes(), 10).unwrap();
    assert_eq!(tags.iter().collect::<Vec<_>>(), [("a", "1"), ("Stra\u{df}e", "")]);
    assert_eq!(TagSet::from_xml(tags.to_xml().as_bytes(), 10).unwrap(), tags);
    let tag = |key: &str, value: &str| format!("<Tag><Key>{key}</Key><Value>{value}</Value></Tag>");
    let many = |count: usize| (0..count).map(|number| tag(&number.to_string(), "v")).collect::<String>();
    for (set, most, code) in [
        (String::new(), 10, None),
        (many(10), 10, None),
        (many(11), 10, Some(S3ErrorCode::InvalidTag)),
        (many(50), 50, None),
        (tag("a", "1") + &tag("a", "2"), 10, Some(S3ErrorCode::InvalidTag)),
        (tag("A", "1") + &tag("a", "2"), 10, None),
        (tag("", "1"), 10, Some(S3ErrorCode::InvalidTag)),
        (tag(&"k".repeat(129), "1"), 10, Some(S3ErrorCode::InvalidTag)),
        (tag("k", &"v".repeat(257)), 10, Some(S3ErrorCode::InvalidTag)),
        (tag("AWS:k", "v"), 10, Some(S3ErrorCode::InvalidTag)),
        (tag("k*", "v"), 10, Some(S3ErrorCode::InvalidTag)),
        (tag("k", "\u{1F980}"), 10, Some(S3ErrorCode::InvalidTag)),
        (tag("k", "caf\u{e9} \u{6771}\u{4eac} \u{0967}"), 10, None),
        (String::from("<Tag><Key>a</Key></Tag>"), 10, Some(S3ErrorCode::MalformedXML)),
        (String::from("<Other/>"), 10, Some(S3ErrorCode::MalformedXML)),
    ] {
        let xml = format!("<Tagging><TagSet>{set}</TagSet></Tagging>");
        assert_eq!(TagSet::from_xml(xml.as_bytes(), most).err().map(|error| error.code), code, "{set}");
    }
}

#[test]
fn create_bucket_configurations() {
    let read = |xml: &str| CreateBucketConfiguration::from_xml(xml.as_bytes());
    assert_eq!(read("").unwrap(), CreateBucketConfiguration::default());
    let location = read(&format!(
        "<CreateBucketConfiguration {XMLNS}><LocationConstraint>eu-west-1</LocationConstraint></CreateBucketConfiguration>"
    ));
    assert_eq!(location.unwrap().location_constraint.as_deref(), Some("eu-west-1"));
    for (xml, code) in [
        ("<CreateBucketConfiguration/>", None),
        ("<CreateBucketConfiguration><Bucket/></CreateBucketConfiguration>", Some(S3ErrorCode::NotImplemented)),
        ("<CreateBucketConfiguration><Region/></CreateBucketConfiguration>", Some(S3ErrorCode::MalformedXML)),
        ("garbage", Some(S3ErrorCode::MalformedXML)),
    ] {
        assert_eq!(read(xml).err().map(|error| error.code), code, "{xml}");
    }
}

/// A form field is accepted if the same value in a header is, and results in the same object.
#[test]
fn form_fields_pass_the_checks_of_headers() {
    let form = |field: &str, value: &str| {
        let fields = vec![("key".to_owned(), "k".to_owned()), (field.to_owned(), value.to_owned())];
        let put = PostForm::new(fields, "")?.to_put("bkt".parse().unwrap())?;
        Ok::<_, S3Error>((put.object, put.checksums))
    };
    let header = |name: &str, value: &str| {
        let (head, ()) = http::Request::put("/bkt/k").header(name, value).body(()).unwrap().into_parts();
        match s3::route(&head, None).map_err(|error| S3Error { resource: None, ..error })? {
            Routing::S3(Operation::PutObject(put)) => Ok::<_, S3Error>((put.object, put.checksums)),
            other => panic!("{other:?}"),
        }
    };
    let long = "v".repeat(2049);
    for (name, value) in [
        ("Content-MD5", "1B2M2Y8AsgTpgAmY7PhCfg=="),
        ("content-md5", "1B2M2Y8AsgTpgAmY7PhCfg"),
        ("content-md5", ""),
        ("x-amz-checksum-crc32", "AAAAAA=="),
        ("x-amz-checksum-CRC32", "AAAAAA"),
        ("x-amz-checksum-sha256", "AAAAAA=="),
        ("x-amz-checksum-md4", "AAAAAA=="),
        ("x-amz-sdk-checksum-algorithm", "crc64nvme"),
        ("x-amz-sdk-checksum-algorithm", "MD4"),
        ("Content-Type", " text/plain "),
        ("content-encoding", "aws-chunked, gzip"),
        ("content-disposition", "attachment; filename=\"\u{e9}\""),
        ("cache-control", "no-cache"),
        ("expires", "never"),
        ("x-amz-meta-a", " padded "),
        ("x-amz-meta-a", "a\tb"),
        ("x-amz-meta-a", ""),
        ("X-Amz-Meta-Long", long.as_str()),
        ("x-amz-storage-class", "STANDARD_IA"),
        ("x-amz-storage-class", "standard"),
        ("x-amz-acl", "everyone"),
        ("x-amz-acl", "private"),
        ("x-amz-grant-read", "id=x"),
        ("x-amz-grant-all", "id=x"),
        ("x-amz-tagging", "a=1&b=2"),
        ("x-amz-tagging", "a=1&a=2"),
        ("x-amz-object-lock-mode", "GOVERNANCE"),
        ("x-amz-object-lock-legal-hold", "on"),
        ("x-amz-server-side-encryption", "AES256"),
        ("x-amz-server-side-encryption-customer-key", "secret"),
        ("x-amz-website-redirect-location", "/other"),
    ] {
        assert_eq!(form(name, value), header(name, value), "{name}: {value:?}");
    }
    // A value that a header cannot carry is refused.
    for (name, value) in [
        ("x-amz-meta-a", "1\r\nx-amz-meta-b: 2"),
        ("x-amz-meta-a", "1\n"),
        ("x-amz-meta-a", "\u{0}"),
        ("x-amz-meta-a", "\u{7f}"),
        ("x-amz-meta-a b", "1"),
        ("x-amz-meta-\u{e9}", "1"),
        ("x-amz-meta-a\r\n", "1"),
        ("content-type", "text/plain\r\nset-cookie: a"),
        ("x-amz-website-redirect-location", "/a\r\n"),
        ("acl", "private\n"),
    ] {
        assert_eq!(form(name, value).unwrap_err().code, S3ErrorCode::InvalidArgument, "{name:?}: {value:?}");
    }
    assert_eq!(form("acl", "private"), header("x-amz-acl", "private"));
}

#[test]
fn the_name_of_the_file_is_inserted_into_the_key_once() {
    let key = |key: &str, file: &str| {
        let form = PostForm::new(vec![("key".to_owned(), key.to_owned())], file)?;
        // The policy is checked against the fields, which contain the final key.
        assert_eq!(form.get("key"), form.key().ok().as_ref().map(|key| key.as_str()));
        form.key().map(|key| key.as_str().to_owned())
    };
    assert_eq!(key("up/${filename}", "a/b.txt").unwrap(), "up/b.txt");
    assert_eq!(key("${filename}", "a${filename}").unwrap(), "a${filename}");
    let error = key(&"${filename}".repeat(1000), &"x".repeat(3000)).unwrap_err();
    assert_eq!(error.code, S3ErrorCode::KeyTooLongError);
}

#[test]
fn forms() {
    let form = |fields: &[(&str, &str)], file: &str| {
        PostForm::new(fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(), file)
    };
    let put = |fields: &[(&str, &str)], file: &str| form(fields, file)?.to_put("bkt".parse().unwrap());
    let made =
        put(&[("Key", "up/${filename}"), ("X-Amz-Meta-A", "1"), ("Content-Type", "text/plain")], "C:\\dir\\a.txt");
    let made = made.unwrap();
    assert_eq!(made.target.key.as_str(), "up/a.txt");
    assert_eq!(made.object.metadata, [(String::from("a"), String::from("1"))]);
    assert_eq!(made.object.content.content_type.as_deref(), Some("text/plain"));
    for (fields, file, code) in [
        (&[("key", "k"), ("bucket", "bkt")][..], "", None),
        (&[("key", "k"), ("bucket", "other")], "", Some(S3ErrorCode::InvalidPolicyDocument)),
        (&[], "", Some(S3ErrorCode::InvalidArgument)),
        (&[("key", "")], "", Some(S3ErrorCode::InvalidArgument)),
        (&[("key", "k"), ("Key", "l")], "", Some(S3ErrorCode::InvalidArgument)),
        (&[("key", "a\0k")], "", Some(S3ErrorCode::InvalidArgument)),
        (&[("key", "${filename}")], "a\0", Some(S3ErrorCode::InvalidArgument)),
        (&[("key", "k"), ("acl", "everyone")], "", Some(S3ErrorCode::InvalidArgument)),
        (&[("key", "k"), ("tagging", "<no")], "", Some(S3ErrorCode::MalformedXML)),
    ] {
        assert_eq!(put(fields, file).err().map(|error| error.code), code, "{fields:?}");
    }
    for (fields, success) in [
        (&[("success_action_status", "201")][..], PostSuccess::Created),
        (&[("success_action_status", "200")], PostSuccess::Ok),
        (&[("success_action_status", "500")], PostSuccess::NoContent),
        (
            &[("success_action_redirect", "https://a.test/x?y")],
            PostSuccess::Redirect(String::from("https://a.test/x?y")),
        ),
        (&[("success_action_redirect", "javascript:alert(1)")], PostSuccess::NoContent),
        (&[("success_action_redirect", "https://a.test/\r\nset-cookie: x")], PostSuccess::NoContent),
    ] {
        assert_eq!(form(fields, "").unwrap().success(), success, "{fields:?}");
    }
    let output = PostObjectOutput {
        location: String::from("http://h/bkt/k"),
        bucket: "bkt".parse().unwrap(),
        key: "a b".parse().unwrap(),
        etag: String::from("e"),
    };
    assert_eq!(output.redirect_to("https://a.test/?x=1"), "https://a.test/?x=1&bucket=bkt&key=a%20b&etag=%22e%22");
    assert!(
        output.to_xml().contains("<PostResponse><Location>http://h/bkt/k</Location><Bucket>bkt</Bucket><Key>a b</Key>")
    );
}
