//! Listings of keys, versions and buckets.

use s3::op::*;
use s3::{ChecksumAlgorithm, ChecksumType, EncodingType};

use crate::support::{THEN, body, check, input, keys, needs, operation, refusal, root};

#[test]
fn permissions_and_condition_keys() {
    check(
        &[
            ("GET /", "s3:ListAllMyBuckets *"),
            ("GET /?prefix=a", "s3:ListAllMyBuckets *"),
            ("GET /bkt", "s3:ListBucket bkt"),
            ("GET /bkt?list-type=2&prefix=a/", "s3:ListBucket bkt"),
            ("GET /bkt?versions", "s3:ListBucketVersions bkt"),
            ("HEAD /bkt", "s3:ListBucket bkt"),
        ],
        needs,
    );
    let all = "prefix=a%2F&delimiter=/&max-keys=7";
    let want = "s3:delimiter=/; s3:max-keys=7; s3:prefix=a/";
    check(
        &[
            (format!("GET /bkt?{all}"), want),
            (format!("GET /bkt?list-type=2&{all}"), want),
            (format!("GET /bkt?versions&{all}"), want),
            ("GET /bkt?list-type=2".to_owned(), ""),
            // An empty prefix was sent, so a policy can see it.
            ("GET /bkt?prefix=".to_owned(), "s3:prefix="),
            ("GET /bkt?list-type=2&prefix=a+b%2Bc".to_owned(), "s3:prefix=a b+c"),
            // As it was sent, even if a page has fewer.
            ("GET /bkt?max-keys=5000".to_owned(), "s3:max-keys=5000"),
            ("HEAD /bkt?prefix=a".to_owned(), ""),
            ("GET /?prefix=a&max-buckets=1".to_owned(), ""),
        ],
        keys,
    );
}

#[test]
fn parameters() {
    let list = |query: &str| input!(ListObjectsV2, &format!("GET /bkt?list-type=2{query}"));
    for (query, max_keys, page) in [
        ("", 1000, 1000),
        ("&max-keys=", 1000, 1000),
        ("&max-keys=0", 0, 0),
        ("&max-keys=999", 999, 999),
        ("&max-keys=1001", 1001, 1000),
        ("&max-keys=2147483647", 2_147_483_647, 1000),
    ] {
        let got = list(query).list;
        assert_eq!((got.max_keys, got.page_entries()), (max_keys, page), "{query}");
    }
    for (query, fetch_owner) in
        [("", false), ("&fetch-owner=true", true), ("&fetch-owner=TRUE", true), ("&fetch-owner=1", false)]
    {
        assert_eq!(list(query).fetch_owner, fetch_owner, "{query}");
    }
    for (query, encoding) in [("", None), ("&encoding-type=", None), ("&encoding-type=url", Some(EncodingType::Url))] {
        assert_eq!(list(query).list.encoding_type, encoding, "{query}");
    }
    assert_eq!(list("&continuation-token=").continuation_token.as_deref(), Some(""), "it is given back");
    let both = list("&continuation-token=t&start-after=s&delimiter=");
    assert_eq!((both.continuation_token.as_deref(), both.start_after.as_deref()), (Some("t"), Some("s")));
    assert_eq!(both.list.delimiter, None);
    assert!(!both.list.optional_attributes);
    let optional = input!(ListObjects, "GET /bkt?marker=m\nx-amz-optional-object-attributes: RestoreStatus");
    assert_eq!((optional.marker.as_str(), optional.list.optional_attributes), ("m", true));
    let long = |bytes: usize| KeyPrefix::new("p".repeat(bytes)).can_match();
    assert!(long(1024) && !long(1025));
    assert!(KeyPrefix::new("a/./").can_match() && !KeyPrefix::new("a\0").can_match());
}

#[test]
fn refused_parameters() {
    let between = "must be an integer between 0 and 2147483647 [ArgumentName=max-keys]";
    check(
        &[
            ("GET /bkt?max-keys=-1", &*format!("InvalidArgument: Argument max-keys {between} [ArgumentValue=-1]")),
            (
                "GET /bkt?list-type=2&max-keys=2147483648",
                &format!("InvalidArgument: Argument max-keys {between} [ArgumentValue=2147483648]"),
            ),
            (
                "GET /bkt?versions&max-keys=a",
                &format!("InvalidArgument: Argument max-keys {between} [ArgumentValue=a]"),
            ),
            (
                "GET /bkt?encoding-type=URL",
                "InvalidArgument: Invalid Encoding Method specified in Request [ArgumentName=encoding-type] [ArgumentValue=URL]",
            ),
            (
                "GET /bkt?list-type=3",
                "InvalidArgument: Invalid List Type specified in Request [ArgumentName=list-type] [ArgumentValue=3]",
            ),
            (
                "GET /?max-buckets=0",
                "InvalidArgument: Argument max-buckets must be an integer between 1 and 10000 \
                 [ArgumentName=max-buckets] [ArgumentValue=0]",
            ),
            (
                "GET /?max-buckets=10001",
                "InvalidArgument: Argument max-buckets must be an integer between 1 and 10000 \
                 [ArgumentName=max-buckets] [ArgumentValue=10001]",
            ),
        ],
        refusal,
    );
    assert_eq!(input!(ListBuckets, "GET /?max-buckets=10000").max_buckets, Some(10_000));
}

fn owner() -> Owner {
    Owner { id: "75aa".to_owned(), display_name: "me".to_owned() }
}

fn summary(key: &str, owner: Option<Owner>) -> ObjectSummary {
    ObjectSummary {
        key: key.to_owned(),
        last_modified: THEN,
        etag: "abc".to_owned(),
        checksum: None,
        size: 0,
        storage_class: "GLACIER".to_owned(),
        owner,
    }
}

/// NextMarker is shown only on a page that has a next one, with a delimiter or if it is not the last key.
#[test]
fn markers_of_version_1() {
    for (query, last, next, shown) in [
        ("delimiter=/", "a", Some("a/"), "<NextMarker>a/</NextMarker>"),
        ("delimiter=/", "a", Some("a"), "<NextMarker>a</NextMarker>"),
        ("delimiter=/", "a", None, ""),
        ("max-keys=1", "a", Some("a"), ""),
        ("max-keys=1", "a", Some("b"), "<NextMarker>b</NextMarker>"),
        ("max-keys=1", "", Some("b"), "<NextMarker>b</NextMarker>"),
        ("delimiter=/&encoding-type=url", "", Some("a b/"), "<NextMarker>a%20b/</NextMarker>"),
    ] {
        let request = input!(ListObjects, &format!("GET /bkt?marker=m&{query}"));
        let output = ListObjectsOutput {
            request,
            contents: [last].iter().filter(|last| !last.is_empty()).map(|last| summary(last, None)).collect(),
            common_prefixes: Vec::new(),
            next_marker: next.map(str::to_owned),
        };
        let document = output.to_xml();
        let (start, rest) = document.split_once("<Marker>m</Marker>").unwrap();
        assert!(start.ends_with("<Name>bkt</Name><Prefix/>"), "{start}");
        assert_eq!(rest.split_once("<MaxKeys>").unwrap().0, shown, "{query}");
        assert!(rest.contains(&format!("<IsTruncated>{}</IsTruncated>", next.is_some())), "{rest}");
    }
}

#[test]
fn keys_of_version_2_are_counted_with_prefixes() {
    let request = input!(ListObjectsV2, "GET /bkt?list-type=2&delimiter=/&encoding-type=url&start-after=a%20b");
    let output = ListObjectsV2Output {
        request,
        contents: vec![summary("a", Some(owner())), summary("b", None)],
        common_prefixes: vec!["c d/".to_owned()],
        next_continuation_token: None,
    };
    let contents = |key: &str, owner: &str| {
        format!(
            "<Contents><Key>{key}</Key><LastModified>2009-10-12T17:50:30.000Z</LastModified><ETag>&quot;abc&quot;</ETag>\
             <Size>0</Size>{owner}<StorageClass>GLACIER</StorageClass></Contents>"
        )
    };
    let owner = "<Owner><ID>75aa</ID><DisplayName>me</DisplayName></Owner>";
    let want = format!(
        "<Name>bkt</Name><Prefix/><StartAfter>a%20b</StartAfter><KeyCount>3</KeyCount><MaxKeys>1000</MaxKeys>\
         <Delimiter>/</Delimiter><EncodingType>url</EncodingType><IsTruncated>false</IsTruncated>{}{}\
         <CommonPrefixes><Prefix>c%20d/</Prefix></CommonPrefixes>",
        contents("a", owner),
        contents("b", "")
    );
    assert_eq!(body(&output.to_xml()), root("ListBucketResult", &want));
}

#[test]
fn versions() {
    let output = |query: &str, next: Option<&str>| ListObjectVersionsOutput {
        request: input!(ListObjectVersions, &format!("GET /bkt?versions{query}")),
        versions: vec![
            listed(summary("a b", Some(owner())), "null", true, false),
            listed(summary("a b", Some(owner())), "v2", false, true),
            listed(summary("c", None), "v1", false, false),
        ],
        common_prefixes: vec!["d/".to_owned()],
        is_truncated: next.is_some(),
        next_key_marker: next.map(str::to_owned),
        next_version_id_marker: next.filter(|next| *next != "p/").map(|_| "v1".to_owned()),
    };
    let content = "<ETag>&quot;abc&quot;</ETag><Size>0</Size><StorageClass>GLACIER</StorageClass>";
    let time = "<LastModified>2009-10-12T17:50:30.000Z</LastModified>";
    let owner = "<Owner><ID>75aa</ID><DisplayName>me</DisplayName></Owner>";
    let tail = |key: &str| {
        format!(
            "<Version><Key>{key}</Key><VersionId>null</VersionId><IsLatest>true</IsLatest>{time}{content}{owner}</Version>\
             <DeleteMarker><Key>{key}</Key><VersionId>v2</VersionId><IsLatest>false</IsLatest>{time}{owner}</DeleteMarker>\
             <Version><Key>c</Key><VersionId>v1</VersionId><IsLatest>false</IsLatest>{time}{content}</Version>\
             <CommonPrefixes><Prefix>d/</Prefix></CommonPrefixes>"
        )
    };
    for (query, next, want) in [
        (
            "",
            None,
            format!(
                "<Name>bkt</Name><Prefix/><KeyMarker/><VersionIdMarker/><MaxKeys>1000</MaxKeys><IsTruncated>false</IsTruncated>{}",
                tail("a b")
            ),
        ),
        (
            "&prefix=p&key-marker=k%20&delimiter=/&max-keys=2&encoding-type=url",
            Some("n m"),
            format!(
                "<Name>bkt</Name><Prefix>p</Prefix><KeyMarker>k%20</KeyMarker><VersionIdMarker/><NextKeyMarker>n%20m</NextKeyMarker>\
                 <NextVersionIdMarker>v1</NextVersionIdMarker><MaxKeys>2</MaxKeys><Delimiter>/</Delimiter>\
                 <EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>{}",
                tail("a%20b")
            ),
        ),
        (
            "&key-marker=k&version-id-marker=v9&delimiter=/",
            Some("p/"),
            format!(
                "<Name>bkt</Name><Prefix/><KeyMarker>k</KeyMarker><VersionIdMarker>v9</VersionIdMarker>\
                 <NextKeyMarker>p/</NextKeyMarker><MaxKeys>1000</MaxKeys><Delimiter>/</Delimiter>\
                 <IsTruncated>true</IsTruncated>{}",
                tail("a b")
            ),
        ),
    ] {
        assert_eq!(body(&output(query, next).to_xml()), root("ListVersionsResult", &want), "{query}");
    }
    for (query, message) in [
        ("&version-id-marker=v1", "A version-id marker cannot be specified without a key marker."),
        ("&key-marker=k&version-id-marker=", "A version-id marker cannot be empty."),
        ("&key-marker=k&version-id-marker=a/b", "Invalid version id specified"),
    ] {
        let error = operation(&format!("GET /bkt?versions{query}")).unwrap_err();
        assert_eq!((error.code.as_str(), error.message()), ("InvalidArgument", message), "{query}");
    }
}

fn listed(summary: ObjectSummary, version_id: &str, is_latest: bool, is_delete_marker: bool) -> ListedVersion {
    ListedVersion { summary, version_id: version_id.to_owned(), is_latest, is_delete_marker }
}

#[test]
fn checksums_of_keys() {
    for (kind, name) in [(ChecksumType::FullObject, "FULL_OBJECT"), (ChecksumType::Composite, "COMPOSITE")] {
        let checksum = Some((ChecksumAlgorithm::Sha1, kind));
        let output = ListObjectsOutput {
            request: input!(ListObjects, "GET /bkt"),
            contents: vec![ObjectSummary { checksum, ..summary("a", None) }],
            common_prefixes: Vec::new(),
            next_marker: None,
        };
        let want =
            format!("<ChecksumAlgorithm>SHA1</ChecksumAlgorithm><ChecksumType>{name}</ChecksumType><Size>0</Size>");
        assert!(output.to_xml().contains(&want), "{}", output.to_xml());
    }
}

/// `encoding-type=url` leaves letters, digits and `-_.*/`.
#[test]
fn encoded_keys() {
    for (key, encoded) in [
        ("aZ09-_.*/", "aZ09-_.*/"),
        ("a b+c~", "a%20b%2Bc%7E"),
        ("%&<>\"'", "%25%26%3C%3E%22%27"),
        ("\u{0}\u{1}\n", "%00%01%0A"),
        ("\u{20ac}", "%E2%82%AC"),
    ] {
        assert_eq!(EncodingType::encode(Some(EncodingType::Url), key), encoded);
        assert_eq!(EncodingType::encode(None, key), key);
    }
    assert_eq!(EncodingType::Url.as_str(), "url");
}

#[test]
fn pages_of_buckets() {
    let request = input!(ListBuckets, "GET /?prefix=b&max-buckets=1&continuation-token=a&bucket-region=eu-west-1");
    assert_eq!(
        (request.prefix.as_deref(), request.continuation_token.as_deref(), request.bucket_region.as_deref()),
        (Some("b"), Some("a"), Some("eu-west-1"))
    );
    let bucket = |name: &str, region: Option<&str>| BucketSummary {
        name: name.to_owned(),
        creation_date: THEN,
        region: region.map(str::to_owned),
    };
    let output = ListBucketsOutput {
        owner: Owner { id: "75aa".to_owned(), display_name: String::new() },
        buckets: vec![bucket("b1", Some("eu-west-1")), bucket("b2", None)],
        prefix: Some("b".to_owned()),
        continuation_token: Some("b2".to_owned()),
    };
    let created = "<CreationDate>2009-10-12T17:50:30.000Z</CreationDate>";
    assert_eq!(
        body(&output.to_xml()),
        root(
            "ListAllMyBucketsResult",
            &format!(
                "<Owner><ID>75aa</ID></Owner><Buckets><Bucket><Name>b1</Name>{created}<BucketRegion>eu-west-1</BucketRegion></Bucket>\
                 <Bucket><Name>b2</Name>{created}</Bucket></Buckets><ContinuationToken>b2</ContinuationToken><Prefix>b</Prefix>"
            )
        )
    );
}
