//! Multipart uploads: begin, upload, copy, list, complete, abort.

use s3::op::*;
use s3::{Checksum, ChecksumAlgorithm, ChecksumType};

use crate::support::{THEN, XMLNS, also_needs, body, check, code, input, keys, needs, operation, refusal, root};

#[test]
fn permissions() {
    check(
        &[
            ("POST /bkt/k?uploads", "s3:PutObject bkt/k"),
            (
                "POST /bkt/k?uploads\nx-amz-acl: private\nx-amz-tagging: a=1",
                "s3:PutObject bkt/k; s3:PutObjectAcl bkt/k; s3:PutObjectTagging bkt/k",
            ),
            ("PUT /bkt/k?uploadId=u&partNumber=1", "s3:PutObject bkt/k"),
            // Tags belong to the upload, not to its parts.
            ("PUT /bkt/k?uploadId=u&partNumber=1\nx-amz-tagging: a=1", "s3:PutObject bkt/k"),
            ("PUT /bkt/k?uploadId=u&partNumber=1\nx-amz-copy-source: src/a", "s3:GetObject src/a; s3:PutObject bkt/k"),
            (
                "PUT /bkt/k?uploadId=u&partNumber=1\nx-amz-copy-source: src/a?versionId=v",
                "s3:GetObjectVersion src/a@v; s3:PutObject bkt/k",
            ),
            ("POST /bkt/k?uploadId=u", "s3:PutObject bkt/k"),
            ("DELETE /bkt/k?uploadId=u", "s3:AbortMultipartUpload bkt/k"),
            ("GET /bkt/k?uploadId=u", "s3:ListMultipartUploadParts bkt/k"),
            ("GET /bkt?uploads", "s3:ListBucketMultipartUploads bkt"),
        ],
        needs,
    );
    check(
        &[
            ("POST /bkt/k?uploadId=u", ""),
            ("POST /bkt/k?uploadId=u\nif-match: \"e\"", "CompareEntityTag s3:GetObject bkt/k"),
            ("POST /bkt/k?uploadId=u\nif-none-match: *", ""),
            ("PUT /bkt/k?uploadId=u&partNumber=1\nif-match: \"e\"", ""),
        ],
        also_needs,
    );
}

#[test]
fn condition_keys() {
    let part = "s3:ObjectCreationOperation=false";
    check(
        &[
            ("POST /bkt/k?uploads", part),
            ("POST /bkt/k?uploads\nx-amz-acl: private", &*format!("{part}; s3:x-amz-acl=private")),
            ("PUT /bkt/k?uploadId=u&partNumber=1", part),
            ("PUT /bkt/k?uploadId=u&partNumber=1\nx-amz-acl: private", part),
            (
                "PUT /bkt/k?uploadId=u&partNumber=1\nx-amz-server-side-encryption-customer-algorithm: AES256",
                &format!("{part}; s3:x-amz-server-side-encryption-customer-algorithm=AES256"),
            ),
            (
                "PUT /bkt/k?uploadId=u&partNumber=1\nx-amz-copy-source: src/a",
                &format!("{part}; s3:x-amz-copy-source=/src/a"),
            ),
            (
                "PUT /bkt/k?uploadId=u&partNumber=1\nx-amz-copy-source: src/a\nx-amz-server-side-encryption: AES256",
                &format!("{part}; s3:x-amz-copy-source=/src/a; s3:x-amz-server-side-encryption=AES256"),
            ),
            ("POST /bkt/k?uploadId=u", "s3:ObjectCreationOperation=true"),
            ("POST /bkt/k?uploadId=u\nif-match: *", "s3:if-match=*; s3:ObjectCreationOperation=true"),
            ("DELETE /bkt/k?uploadId=u", ""),
            ("GET /bkt/k?uploadId=u&max-parts=1", ""),
            // A listing of uploads has no keys of listings on AWS.
            ("GET /bkt?uploads&prefix=a&max-uploads=1", ""),
        ],
        keys,
    );
}

#[test]
fn ids_and_numbers() {
    let part =
        "InvalidArgument: Part number must be an integer between 1 and 10000, inclusive [ArgumentName=partNumber]";
    let upload = "NoSuchUpload: The specified upload does not exist. The upload ID may be invalid, or the upload may have been \
        aborted or completed.";
    check(
        &[
            ("PUT /bkt/k?uploadId=u&partNumber=0", &*format!("{part} [ArgumentValue=0]")),
            ("PUT /bkt/k?uploadId=u&partNumber=10001", &format!("{part} [ArgumentValue=10001]")),
            ("PUT /bkt/k?uploadId=u&partNumber=%201", &format!("{part} [ArgumentValue= 1]")),
            ("PUT /bkt/k?uploadId=u&partNumber=", &format!("{part} [ArgumentValue=]")),
            (
                "PUT /bkt/k?uploadId=u",
                "InvalidArgument: This operation needs the parameter partNumber [ArgumentName=partNumber] [ArgumentValue=]",
            ),
            (
                "PUT /bkt/k?partNumber=1",
                "InvalidArgument: This operation does not accept a part number, or needs an uploadId \
                 [ArgumentName=partNumber] [ArgumentValue=1]",
            ),
            ("PUT /bkt/k?uploadId=a%2Fb&partNumber=1", &format!("{upload} [UploadId=a/b]")),
            ("POST /bkt/k?uploadId=..", &format!("{upload} [UploadId=..]")),
            ("GET /bkt/k?uploadId=a..b", &format!("{upload} [UploadId=a..b]")),
            ("DELETE /bkt/k?uploadId=.a", &format!("{upload} [UploadId=.a]")),
            (
                "DELETE /bkt/k?uploadId=u\nx-amz-if-match-initiated-time: x",
                "NotImplemented: The header x-amz-if-match-initiated-time is not supported by this gateway: send the request without it",
            ),
        ],
        refusal,
    );
    let long = |count: usize| format!("DELETE /bkt/k?uploadId={}", "u".repeat(count));
    check(&[(long(1024), ""), (long(1025), "NoSuchUpload")], code);
    assert_eq!(input!(UploadPart, "PUT /bkt/k?uploadId=A-b_c.9&partNumber=10000").part_number, 10_000);
}

#[test]
fn beginning() {
    let types = |headers: &str| {
        let input = input!(CreateMultipartUpload, &format!("POST /bkt/k?uploads\n{headers}"));
        (input.checksum_algorithm, input.checksum_type)
    };
    let (composite, full) = (Some(ChecksumType::Composite), Some(ChecksumType::FullObject));
    for (algorithm, default, may_be_composite, may_be_full) in [
        ("CRC32", composite, true, true),
        ("CRC32C", composite, true, true),
        ("CRC64NVME", full, false, true),
        ("SHA1", composite, true, false),
        ("SHA256", composite, true, false),
    ] {
        let known = ChecksumAlgorithm::from_name(algorithm);
        let with = format!("x-amz-checksum-algorithm: {algorithm}");
        assert_eq!(types(&with), (known, default), "{algorithm}");
        for (name, kind, may) in [("COMPOSITE", composite, may_be_composite), ("FULL_OBJECT", full, may_be_full)] {
            let with = format!("{with}\nx-amz-checksum-type: {name}");
            if may {
                assert_eq!(types(&with), (known, kind), "{with}");
            } else {
                let want = format!(
                    "InvalidRequest: The {name} checksum type cannot be used with the {} checksum algorithm.",
                    algorithm.to_ascii_lowercase()
                );
                check(&[(format!("POST /bkt/k?uploads\n{with}"), &*want)], refusal);
            }
        }
    }
    assert_eq!(types("x-a: b"), (None, None));
    check(
        &[
            (
                "POST /bkt/k?uploads\nx-amz-checksum-type: COMPOSITE",
                "InvalidRequest: The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.",
            ),
            (
                "POST /bkt/k?uploads\nx-amz-checksum-algorithm: CRC32\nx-amz-checksum-type: full",
                "InvalidRequest: Value for x-amz-checksum-type header is invalid: COMPOSITE or FULL_OBJECT",
            ),
            (
                "POST /bkt/k?uploads\nx-amz-checksum-algorithm: SHA224",
                "InvalidRequest: The algorithm in x-amz-checksum-algorithm is not supported. \
                 Valid values are: CRC32, CRC32C, CRC64NVME, SHA1, SHA256, SHA512, MD5, XXHASH64, XXHASH3, XXHASH128",
            ),
        ],
        refusal,
    );
    for (request, makes) in [
        ("POST /bkt/k?uploads", true),
        ("PUT /bkt/k", true),
        ("PUT /bkt/k?uploadId=u&partNumber=1", false),
        ("POST /bkt/k?uploadId=u", false),
        ("DELETE /bkt/k", false),
        ("GET /bkt/k", false),
        ("PUT /bkt/k?tagging", false),
    ] {
        assert_eq!(operation(request).unwrap().makes_missing_bucket(), makes, "{request}");
    }
}

#[test]
fn copies_of_parts() {
    let range = |value: &str| {
        input!(
            UploadPartCopy,
            &format!("PUT /bkt/k?uploadId=u&partNumber=1\nx-amz-copy-source: src/a\nx-amz-copy-source-range: {value}")
        )
        .source_range
    };
    assert_eq!(range("bytes=0-0"), Some((0, 0)));
    assert_eq!(range("bytes=5-9"), Some((5, 9)));
    for value in ["bytes=5-", "bytes=-5", "bytes=5-4", "0-5", "bytes=0-1,2-3", "", "items=0-1"] {
        let want = format!(
            "InvalidArgument: The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are \
             the zero-based offsets of the first and last bytes to copy [ArgumentName=x-amz-copy-source-range] [ArgumentValue={value}]"
        );
        let request =
            format!("PUT /bkt/k?uploadId=u&partNumber=1\nx-amz-copy-source: src/a\nx-amz-copy-source-range: {value}");
        check(&[(request, &*want)], refusal);
    }
    let op = operation("PUT /bkt/k?uploadId=u&partNumber=1\nx-amz-copy-source: src/a").unwrap();
    assert_eq!(op.copy_source().map(|source| source.bucket.as_str()), Some("src"));
    assert!(op.upload().is_none() && op.checksums().is_none());
    let op = operation("PUT /bkt/k?uploadId=u&partNumber=1\ncontent-length: 7").unwrap();
    assert_eq!(op.upload().and_then(|length| length.object_bytes()), Some(7));
    assert!(op.copy_source().is_none() && op.checksums().is_some());
}

#[test]
fn what_completes_an_upload() {
    let complete = |headers: &str| input!(CompleteMultipartUpload, &format!("POST /bkt/k?uploadId=u\n{headers}"));
    let sum = complete("x-amz-checksum-crc32: AAAAAA==-2\nx-amz-checksum-type: COMPOSITE\nx-amz-mp-object-size: 0");
    assert_eq!(sum.checksum.unwrap().value, "AAAAAA==-2");
    assert_eq!((sum.checksum_type, sum.object_size), (Some(ChecksumType::Composite), Some(0)));
    // The checksum is that of the object; the body has none.
    assert!(sum.body.value.is_none() && sum.body.wanted().is_none());
    let body = complete("content-md5: 1B2M2Y8AsgTpgAmY7PhCfg==\nx-amz-trailer: x-amz-checksum-sha1").body;
    assert_eq!((body.content_md5.is_some(), body.wanted()), (true, Some(ChecksumAlgorithm::Sha1)));
    let invalid = |header: &str| format!("InvalidRequest: Value for {header} header is invalid, or there are several.");
    check(
        &[
            ("POST /bkt/k?uploadId=u\nx-amz-checksum-crc32: AAAA", &*invalid("x-amz-checksum-crc32")),
            ("POST /bkt/k?uploadId=u\nx-amz-checksum-sha1: -2", &invalid("x-amz-checksum-sha1")),
            (
                "POST /bkt/k?uploadId=u\nx-amz-checksum-crc32: AAAAAA==\nx-amz-checksum-crc32c: AAAAAA==",
                &invalid("x-amz-checksum-crc32c"),
            ),
            (
                "POST /bkt/k?uploadId=u\nx-amz-mp-object-size: five",
                "InvalidArgument: The value must be a number of bytes [ArgumentName=x-amz-mp-object-size] [ArgumentValue=five]",
            ),
        ],
        refusal,
    );
}

#[test]
fn lists_of_parts() {
    let list = |parts: &str| format!("<CompleteMultipartUpload {XMLNS}>{parts}</CompleteMultipartUpload>");
    let read = |parts: &str| CompletedPart::list_from_xml(list(parts).as_bytes());
    let part = |inside: &str| format!("<Part><PartNumber>1</PartNumber>{inside}</Part>");
    for (inside, want) in [
        ("<ETag>e</ETag>", "e"),
        ("<ETag>&quot;e&quot;</ETag>", "e"),
        ("<ETag> \"e\" </ETag>", "e"),
        ("<ETag></ETag>", ""),
    ] {
        assert_eq!(read(&part(inside)).unwrap()[0].etag, want, "{inside}");
    }
    let sum = |algorithm: &str, value: &str| format!("<Checksum{algorithm}>{value}</Checksum{algorithm}>");
    for (algorithm, value) in [("CRC32", "AAAAAA=="), ("CRC32C", "AAAAAA=="), ("CRC64NVME", "AAAAAAAAAAA=")] {
        let got = read(&part(&format!("<ETag>e</ETag>{}", sum(algorithm, value)))).unwrap();
        let got = got[0].checksum.as_ref().map(|sum| (sum.algorithm.as_str(), sum.value.as_str()));
        assert_eq!(got, Some((algorithm, value)));
    }
    for (parts, why) in [
        (part(""), "`Part` needs an element `ETag`"),
        (part("<ETag>e</ETag><ETag>e</ETag>"), "`Part` has more than one `ETag`"),
        (part(&format!("<ETag>e</ETag>{}", sum("CRC32", "AAAA"))), "part 1: the checksum is not valid"),
        (
            part(&format!("<ETag>e</ETag>{}{}", sum("CRC32", "AAAAAA=="), sum("CRC32C", "AAAAAA=="))),
            "part 1: the checksum is not valid",
        ),
        ("<Part><ETag>e</ETag></Part>".to_owned(), "`Part` needs an element `PartNumber`"),
        ("<Parts/>".to_owned(), "`CompleteMultipartUpload` has an element `Parts`; expected Part"),
        (String::new(), "You must specify at least one part"),
    ] {
        let error = read(&parts).unwrap_err();
        assert!(error.to_string().starts_with("MalformedXML: ") && error.message().ends_with(why), "{parts}: {error}");
    }
    let numbered = |count: usize| {
        (1..=count).map(|n| format!("<Part><PartNumber>{n}</PartNumber><ETag/></Part>")).collect::<String>()
    };
    assert_eq!(read(&numbered(10_000)).unwrap().len(), 10_000);
}

fn owner(id: &str) -> Owner {
    Owner { id: id.to_owned(), display_name: String::new() }
}

#[test]
fn pages_of_parts() {
    let list = |query: &str| input!(ListParts, &format!("GET /bkt/k?uploadId=u{query}"));
    for (query, max_parts, marker) in [
        ("", 1000, 0),
        ("&max-parts=0", 0, 0),
        ("&max-parts=1001", 1000, 0),
        ("&max-parts=&part-number-marker=", 1000, 0),
        ("&max-parts=2&part-number-marker=2147483647", 2, 2_147_483_647),
    ] {
        let got = list(query);
        assert_eq!((got.max_parts, got.part_number_marker), (max_parts, marker), "{query}");
    }
    let between = |name: &str| format!("InvalidArgument: Argument {name} must be an integer between 0 and 2147483647");
    check(
        &[
            (
                "GET /bkt/k?uploadId=u&max-parts=-1",
                &*format!("{} [ArgumentName=max-parts] [ArgumentValue=-1]", between("max-parts")),
            ),
            (
                "GET /bkt/k?uploadId=u&part-number-marker=2147483648",
                &format!(
                    "{} [ArgumentName=part-number-marker] [ArgumentValue=2147483648]",
                    between("part-number-marker")
                ),
            ),
        ],
        refusal,
    );
    let summary = |part_number, checksum| PartSummary {
        part_number,
        last_modified: THEN,
        etag: "p".to_owned(),
        size: 7,
        checksum,
    };
    let sum = Checksum { algorithm: ChecksumAlgorithm::Sha1, value: "s".to_owned() };
    let output = |request, parts: Vec<PartSummary>, checksum| ListPartsOutput {
        request,
        parts,
        is_truncated: false,
        initiator: owner("i"),
        owner: owner("o"),
        storage_class: "STANDARD".to_owned(),
        checksum,
    };
    let start = "<UploadId>u</UploadId><Initiator><ID>i</ID></Initiator><Owner><ID>o</ID></Owner><StorageClass>STANDARD</StorageClass>\
        <PartNumberMarker>0</PartNumberMarker>";
    // Without a part there is no next marker.
    let empty = output(list(""), Vec::new(), None).to_xml();
    let end = "<MaxParts>1000</MaxParts><IsTruncated>false</IsTruncated>";
    assert_eq!(body(&empty), root("ListPartsResult", &format!("<Bucket>bkt</Bucket><Key>k</Key>{start}{end}")));
    let kind = Some((ChecksumAlgorithm::Sha1, ChecksumType::Composite));
    let request = input!(ListParts, "GET /bkt/a%20b?uploadId=u&encoding-type=url");
    let full = output(request, vec![summary(3, Some(sum)), summary(9, None)], kind).to_xml();
    let part = |number: u32, sum: &str| {
        format!(
            "<Part><PartNumber>{number}</PartNumber><LastModified>2009-10-12T17:50:30.000Z</LastModified>\
             <ETag>&quot;p&quot;</ETag><Size>7</Size>{sum}</Part>"
        )
    };
    let parts = part(3, "<ChecksumSHA1>s</ChecksumSHA1>") + &part(9, "");
    assert_eq!(
        body(&full),
        root(
            "ListPartsResult",
            &format!(
                "<Bucket>bkt</Bucket><EncodingType>url</EncodingType><Key>a%20b</Key>{start}<NextPartNumberMarker>9</NextPartNumberMarker>\
                 {end}<ChecksumAlgorithm>SHA1</ChecksumAlgorithm><ChecksumType>COMPOSITE</ChecksumType>{parts}"
            )
        )
    );
}

#[test]
fn pages_of_uploads() {
    let list = |query: &str| input!(ListMultipartUploads, &format!("GET /bkt?uploads{query}"));
    let request =
        list("&key-marker=a%20b&upload-id-marker=..%2Fx&prefix=a&delimiter=%20&encoding-type=url&max-uploads=7");
    // The marker is only compared, so it may be any text.
    assert_eq!((request.key_marker.as_str(), request.upload_id_marker.as_str()), ("a b", "../x"));
    let upload = UploadSummary {
        key: "a<b".to_owned(),
        upload_id: "u".to_owned(),
        initiator: owner("i"),
        owner: owner("o"),
        storage_class: "GLACIER".to_owned(),
        initiated: THEN,
        checksum: Some((ChecksumAlgorithm::Crc32, ChecksumType::FullObject)),
    };
    let output = ListMultipartUploadsOutput {
        request,
        uploads: vec![upload],
        common_prefixes: vec!["c d".to_owned()],
        is_truncated: true,
        next_key_marker: Some("e f".to_owned()),
        next_upload_id_marker: Some("n".to_owned()),
    };
    assert_eq!(
        body(&output.to_xml()),
        root(
            "ListMultipartUploadsResult",
            "<Bucket>bkt</Bucket><KeyMarker>a%20b</KeyMarker><UploadIdMarker>../x</UploadIdMarker><NextKeyMarker>e%20f</NextKeyMarker>\
             <NextUploadIdMarker>n</NextUploadIdMarker><Delimiter>%20</Delimiter><Prefix>a</Prefix><EncodingType>url</EncodingType>\
             <MaxUploads>7</MaxUploads><IsTruncated>true</IsTruncated><Upload><Key>a%3Cb</Key><UploadId>u</UploadId>\
             <Initiator><ID>i</ID></Initiator><Owner><ID>o</ID></Owner><StorageClass>GLACIER</StorageClass>\
             <Initiated>2009-10-12T17:50:30.000Z</Initiated><ChecksumAlgorithm>CRC32</ChecksumAlgorithm>\
             <ChecksumType>FULL_OBJECT</ChecksumType></Upload><CommonPrefixes><Prefix>c%20d</Prefix></CommonPrefixes>"
        )
    );
    let error = "InvalidArgument: Argument max-uploads must be an integer between 0 and 2147483647 \
        [ArgumentName=max-uploads] [ArgumentValue=x]";
    check(&[("GET /bkt?uploads&max-uploads=x", error)], refusal);
}

#[test]
fn answers() {
    let output = |checksum| CompleteMultipartUploadOutput {
        location: "/bkt/k".to_owned(),
        bucket: "bkt".parse().unwrap(),
        key: "k".parse().unwrap(),
        etag: "e-1".to_owned(),
        checksum,
    };
    let start = "<Location>/bkt/k</Location><Bucket>bkt</Bucket><Key>k</Key><ETag>&quot;e-1&quot;</ETag>";
    assert_eq!(body(&output(None).to_xml()), root("CompleteMultipartUploadResult", start));
    let sum = Checksum { algorithm: ChecksumAlgorithm::Sha256, value: "s-1".to_owned() };
    let with = format!("{start}<ChecksumSHA256>s-1</ChecksumSHA256><ChecksumType>COMPOSITE</ChecksumType>");
    let document = output(Some((sum, ChecksumType::Composite))).to_xml();
    assert_eq!(body(&document), root("CompleteMultipartUploadResult", &with));
}
