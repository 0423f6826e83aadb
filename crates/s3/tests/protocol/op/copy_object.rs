//! CopyObject: its source, its directives, and the permissions of both sides.

use s3::op::{CopyResult, MetadataDirective};
use s3::{Checksum, ChecksumAlgorithm, CopySource};

use crate::support::{THEN, also_needs, body, check, error_text, input, keys, needs, operation, refusal, root};

#[test]
fn permissions() {
    let copy = |headers: &str| format!("PUT /bkt/k\nx-amz-copy-source: src/a\n{headers}");
    let both = "s3:GetObject src/a; s3:PutObject bkt/k";
    check(
        &[
            (copy("x-a: b"), both),
            (
                "PUT /bkt/k\nx-amz-copy-source: src/a?versionId=v1".to_owned(),
                "s3:GetObjectVersion src/a@v1; s3:PutObject bkt/k",
            ),
            (copy("x-amz-acl: private"), &*format!("{both}; s3:PutObjectAcl bkt/k")),
            (copy("x-amz-tagging: a=1"), &format!("{both}; s3:PutObjectTagging bkt/k")),
            (copy("x-amz-object-lock-legal-hold: ON"), &format!("{both}; s3:PutObjectLegalHold bkt/k")),
        ],
        needs,
    );
    let tags = "CopyTags s3:GetObjectTagging src/a; CopyTags s3:PutObjectTagging bkt/k";
    check(
        &[
            (copy("x-a: b"), tags),
            (copy("x-amz-tagging-directive: COPY"), tags),
            (copy("x-amz-tagging-directive: REPLACE"), ""),
            (copy("if-match: \"e\""), &*format!("CompareEntityTag s3:GetObject bkt/k; {tags}")),
            (copy("if-none-match: *\nx-amz-tagging-directive: REPLACE"), ""),
            (
                "PUT /bkt/k\nx-amz-copy-source: src/a?versionId=v1".to_owned(),
                "CopyTags s3:GetObjectVersionTagging src/a@v1; CopyTags s3:PutObjectTagging bkt/k",
            ),
        ],
        also_needs,
    );
}

#[test]
fn condition_keys() {
    let create = "s3:ObjectCreationOperation=true";
    let source = "s3:x-amz-copy-source=/src/a";
    check(
        &[
            ("PUT /bkt/k\nx-amz-copy-source: src/a", &*format!("{create}; {source}")),
            (
                "PUT /bkt/k\nx-amz-copy-source: /src/a?versionId=v1",
                &format!("{create}; s3:VersionId=v1; {source}?versionId=v1|/src/a"),
            ),
            (
                "PUT /bkt/k\nx-amz-copy-source: src/a\nx-amz-metadata-directive: REPLACE",
                &format!("{create}; {source}; s3:x-amz-metadata-directive=REPLACE"),
            ),
            (
                "PUT /bkt/k\nx-amz-copy-source: src/a\nx-amz-storage-class: GLACIER\nif-none-match: *",
                &format!("s3:if-none-match=*; {create}; {source}; s3:x-amz-storage-class=GLACIER"),
            ),
            // With COPY, the header says nothing about the tags of the object.
            ("PUT /bkt/k\nx-amz-copy-source: src/a\nx-amz-tagging: t=1", &format!("{create}; {source}")),
            (
                "PUT /bkt/k\nx-amz-copy-source: src/a\nx-amz-tagging: t=1\nx-amz-tagging-directive: REPLACE",
                &format!("{create}; s3:RequestObjectTag/t=1; s3:RequestObjectTagKeys=t; {source}"),
            ),
        ],
        keys,
    );
}

#[test]
fn sources() {
    for (header, bucket, key, version) in [
        ("src/a", "src", "a", None),
        ("/src/a/b", "src", "a/b", None),
        ("src/a%20b+c", "src", "a b c", None),
        ("src/a%2Bb", "src", "a+b", None),
        ("src/a%252Bb?versionId=v1", "src", "a%2Bb", Some("v1")),
        ("%2Fsrc%2Fa", "src", "a", None),
        ("src/a%252F", "src", "a%2F", None),
        ("src/a?versionId=v1", "src", "a", Some("v1")),
        ("src/a%3FversionId=v1", "src", "a?versionId=v1", None),
        ("src/a?b", "src", "a?b", None),
        // The last one is the separator.
        ("src/a?versionId=x?versionId=null", "src", "a?versionId=x", Some("null")),
        ("src/a/", "src", "a/", None),
        ("src/a//b", "src", "a//b", None),
        ("src/../a", "src", "../a", None),
    ] {
        let got = CopySource::parse(header).expect(header);
        let version_id = got.version_id.as_ref().map(|version| version.as_str());
        assert_eq!((got.bucket.as_str(), got.key.as_str(), version_id), (bucket, key, version), "{header}");
    }
    let named = |header: &str| format!("[ArgumentName=x-amz-copy-source] [ArgumentValue={header}]");
    for (header, message) in [
        ("src", "Copy Source must mention the source bucket and key: sourcebucket/sourcekey"),
        ("", "Copy Source must mention the source bucket and key: sourcebucket/sourcekey"),
        ("/src", "Copy Source must mention the source bucket and key: sourcebucket/sourcekey"),
        ("src/", "Invalid copy source object key"),
        ("src/a%00", "Invalid copy source object key"),
        ("//a", "Invalid copy source bucket name"),
        ("SRC/a", "Invalid copy source bucket name"),
        ("src/%ff", "Copy Source must be URL-encoded UTF-8"),
        ("src/%2", "Copy Source must be URL-encoded UTF-8"),
    ] {
        let error = CopySource::parse(header).unwrap_err();
        assert_eq!(error_text(&error), format!("InvalidArgument: {message} {}", named(header)));
    }
    check(
        &[
            (
                "PUT /bkt/k\nx-amz-copy-source: src/a?versionId=",
                "InvalidArgument: Invalid version id specified [ArgumentName=versionId] [ArgumentValue=]",
            ),
            (
                "PUT /bkt/k\nx-amz-copy-source: arn:aws:s3:eu-west-1:111122223333:accesspoint/x/object/a",
                "NotImplemented: A copy source that is an ARN is not supported by this gateway: send the request without it",
            ),
        ],
        refusal,
    );
}

#[test]
fn directives() {
    let (copy, replace) = (MetadataDirective::Copy, MetadataDirective::Replace);
    for (headers, want) in [
        ("", (copy, copy)),
        ("\nx-amz-metadata-directive: COPY\nx-amz-tagging-directive: REPLACE", (copy, replace)),
        ("\nx-amz-metadata-directive: REPLACE", (replace, copy)),
    ] {
        let input = input!(CopyObject, &format!("PUT /bkt/k\nx-amz-copy-source: src/a{headers}"));
        assert_eq!((input.metadata_directive, input.tagging_directive), want, "{headers}");
        assert!(input.checksum_algorithm.is_none());
    }
    for name in ["x-amz-metadata-directive", "x-amz-tagging-directive"] {
        for value in ["copy", "", "KEEP"] {
            let want = format!(
                "InvalidArgument: The directive must be COPY or REPLACE [ArgumentName={name}] [ArgumentValue={value}]"
            );
            check(&[(format!("PUT /bkt/k\nx-amz-copy-source: src/a\n{name}: {value}"), &*want)], refusal);
        }
    }
    let sha = input!(CopyObject, "PUT /bkt/k\nx-amz-copy-source: src/a\nx-amz-checksum-algorithm: sha256");
    assert_eq!(sha.checksum_algorithm, Some(ChecksumAlgorithm::Sha256));
    let op = operation("PUT /bkt/k\nx-amz-copy-source: src/a").unwrap();
    assert_eq!((op.copy_source().map(|source| source.key.as_str()), op.makes_missing_bucket()), (Some("a"), true));
}

#[test]
fn answers() {
    let checksum = Some(Checksum { algorithm: ChecksumAlgorithm::Crc32, value: "AAAAAA==".to_owned() });
    let of = |etag: &str, checksum| CopyResult { etag: etag.to_owned(), last_modified: THEN, checksum };
    let start = "<LastModified>2009-10-12T17:50:30.000Z</LastModified><ETag>&quot;e&quot;</ETag>";
    for (copied, content) in [
        (of("e", None), start.to_owned()),
        // The quotes are there once.
        (of("\"e\"", None), start.to_owned()),
        (of("e", checksum), format!("{start}<ChecksumCRC32>AAAAAA==</ChecksumCRC32>")),
    ] {
        assert_eq!(body(&copied.to_xml()), root("CopyObjectResult", &content));
        assert_eq!(body(&copied.to_part_xml()), root("CopyPartResult", &content));
    }
}
