//! Tags, retention and legal holds of objects, and the attributes of one.

use ids::{DefaultRetention, LegalHold, Retention, RetentionMode, RetentionPeriod};
use s3::op::*;
use s3::{Checksum, ChecksumAlgorithm, ChecksumType, OBJECT_TAGS_MAX, TagSet};

use crate::support::{THEN, also_needs, body, check, code, error_text, input, keys, needs, operation, refusal, root};

#[test]
fn permissions() {
    check(
        &[
            ("GET /bkt/k?tagging", "s3:GetObjectTagging bkt/k"),
            ("GET /bkt/k?tagging&versionId=v", "s3:GetObjectVersionTagging bkt/k@v"),
            ("PUT /bkt/k?tagging", "s3:PutObjectTagging bkt/k"),
            ("PUT /bkt/k?tagging&versionId=v", "s3:PutObjectVersionTagging bkt/k@v"),
            ("DELETE /bkt/k?tagging", "s3:DeleteObjectTagging bkt/k"),
            ("DELETE /bkt/k?tagging&versionId=v", "s3:DeleteObjectVersionTagging bkt/k@v"),
            ("GET /bkt/k?acl", "s3:GetObjectAcl bkt/k"),
            ("GET /bkt/k?acl&versionId=v", "s3:GetObjectVersionAcl bkt/k@v"),
            ("PUT /bkt/k?acl", "s3:PutObjectAcl bkt/k"),
            ("PUT /bkt/k?acl&versionId=v", "s3:PutObjectVersionAcl bkt/k@v"),
            // Locks have no permission of their own for versions.
            ("GET /bkt/k?retention&versionId=v", "s3:GetObjectRetention bkt/k@v"),
            ("PUT /bkt/k?retention&versionId=v", "s3:PutObjectRetention bkt/k@v"),
            (
                "PUT /bkt/k?retention\nx-amz-bypass-governance-retention: true",
                "s3:PutObjectRetention bkt/k; s3:BypassGovernanceRetention bkt/k",
            ),
            ("GET /bkt/k?legal-hold", "s3:GetObjectLegalHold bkt/k"),
            ("PUT /bkt/k?legal-hold", "s3:PutObjectLegalHold bkt/k"),
            (
                "GET /bkt/k?attributes\nx-amz-object-attributes: ETag",
                "s3:GetObject bkt/k; s3:GetObjectAttributes bkt/k",
            ),
            (
                "GET /bkt/k?attributes&versionId=v\nx-amz-object-attributes: ETag",
                "s3:GetObjectVersion bkt/k@v; s3:GetObjectVersionAttributes bkt/k@v",
            ),
        ],
        needs,
    );
    check(
        &[
            ("GET /bkt/k?attributes\nx-amz-object-attributes: ETag", "TellMissingKey s3:ListBucket bkt"),
            ("GET /bkt/k?tagging", ""),
        ],
        also_needs,
    );
}

#[test]
fn condition_keys() {
    let retention = |inside: &str| format!("PUT /bkt/k?retention\n\n<Retention>{inside}</Retention>");
    check(
        &[
            (
                "PUT /bkt/k?tagging\n\n<Tagging><TagSet><Tag><Key>a</Key><Value>1</Value></Tag></TagSet></Tagging>"
                    .to_owned(),
                "s3:RequestObjectTag/a=1; s3:RequestObjectTagKeys=a",
            ),
            // The key is there, with no value: `ForAllValues` and `Null` can tell.
            ("PUT /bkt/k?tagging\n\n<Tagging><TagSet/></Tagging>".to_owned(), "s3:RequestObjectTagKeys="),
            (
                retention("<Mode>GOVERNANCE</Mode><RetainUntilDate>2009-10-14T17:50:30Z</RetainUntilDate>"),
                "s3:object-lock-mode=GOVERNANCE; s3:object-lock-remaining-retention-days=2; \
                 s3:object-lock-retain-until-date=2009-10-14T17:50:30Z",
            ),
            (retention(""), ""),
            (
                "PUT /bkt/k?legal-hold\n\n<LegalHold><Status>ON</Status></LegalHold>".to_owned(),
                "s3:object-lock-legal-hold=ON",
            ),
            ("GET /bkt/k?retention&versionId=v".to_owned(), "s3:VersionId=v"),
        ],
        keys,
    );
}

#[test]
fn bodies_of_locks() {
    let retention = |inside: &str| format!("PUT /bkt/k?retention\n\n<Retention>{inside}</Retention>");
    let hold = |inside: &str| format!("PUT /bkt/k?legal-hold\n\n<LegalHold>{inside}</LegalHold>");
    let (mode, date) = ("<Mode>COMPLIANCE</Mode>", "<RetainUntilDate>2030-01-01T00:00:00Z</RetainUntilDate>");
    let bad = "MalformedXML";
    check(
        &[
            (retention(&format!("{mode}{date}")), ""),
            (retention(&format!("{date}{mode}")), ""),
            (retention(""), ""),
            (retention("<Mode/><RetainUntilDate/>"), ""),
            (retention(mode), bad),
            (retention(date), bad),
            (retention(&format!("<Mode>compliance</Mode>{date}")), bad),
            (retention(&format!("{mode}<RetainUntilDate>soon</RetainUntilDate>")), bad),
            (retention(&format!("{mode}<RetainUntilDate>Tue, 01 Jan 2030 00:00:00 GMT</RetainUntilDate>")), bad),
            (retention(&format!("{mode}<RetainUntilDate>2030-01-01</RetainUntilDate>")), bad),
            (retention(&format!("{mode}{mode}{date}")), bad),
            (retention(&format!("{mode}{date}<Days>1</Days>")), bad),
            ("PUT /bkt/k?retention\n\n".to_owned(), bad),
            ("PUT /bkt/k?retention\n\n<LegalHold/>".to_owned(), bad),
            (hold("<Status>ON</Status>"), ""),
            (hold("<Status> OFF </Status>"), ""),
            (hold("<Status>on</Status>"), bad),
            (hold(""), bad),
            (hold("<Status>ON</Status><Status>OFF</Status>"), bad),
            (hold("<Status>ON</Status><More/>"), bad),
        ],
        code,
    );
    let input = input!(
        PutObjectRetention,
        &retention("<Mode> GOVERNANCE </Mode><RetainUntilDate>\n2030-01-01T00:00:00Z </RetainUntilDate>")
    );
    let requested = input.retention.unwrap();
    let want = Retention { mode: RetentionMode::Governance, until_s: 1_893_456_000 };
    assert_eq!((requested.retention, &*requested.retain_until_date), (want, "2030-01-01T00:00:00Z"));
    assert_eq!(input!(PutObjectLegalHold, &hold("<Status>OFF</Status>")).status, Some(LegalHold::Off));
    assert_eq!(input!(PutObjectLegalHold, "PUT /bkt/k?legal-hold").status, None);
}

#[test]
fn answers_about_locks() {
    let until = "<Mode>GOVERNANCE</Mode><RetainUntilDate>2009-10-12T17:50:30.000Z</RetainUntilDate>";
    let configuration =
        |rule: &str| root("ObjectLockConfiguration", &format!("<ObjectLockEnabled>Enabled</ObjectLockEnabled>{rule}"));
    let rule =
        |period: &str| format!("<Rule><DefaultRetention><Mode>COMPLIANCE</Mode>{period}</DefaultRetention></Rule>");
    let default = |period| Some(DefaultRetention { mode: RetentionMode::Compliance, period });
    for (document, want) in [
        (retention_to_xml(Retention { mode: RetentionMode::Governance, until_s: THEN }), root("Retention", until)),
        (legal_hold_to_xml(LegalHold::Off), root("LegalHold", "<Status>OFF</Status>")),
        (object_lock_to_xml(None), configuration("")),
        (object_lock_to_xml(default(RetentionPeriod::Days(30))), configuration(&rule("<Days>30</Days>"))),
        (object_lock_to_xml(default(RetentionPeriod::Years(2))), configuration(&rule("<Years>2</Years>"))),
    ] {
        assert_eq!(body(&document), want);
    }
}

/// Keys have 1 to 128 characters, values up to 256, of letters, digits, spaces and `_.:/=+-@` (S3 User Guide,
/// "Object tagging").
#[test]
fn tags() {
    let accents = "\u{e9}".repeat(128);
    let set = |key: &str, value: &str| TagSet::new(vec![(key.to_owned(), value.to_owned())], OBJECT_TAGS_MAX);
    for (key, value, why) in [
        ("k", "", None),
        ("a b_.:/=+-@9", "a b_.:/=+-@9", None),
        (&*accents, &*accents, None),
        ("k", &"v".repeat(256), None),
        ("aw", "aws:x", None),
        ("awsx", "v", None),
        ("", "v", Some("The TagKey you have provided is invalid")),
        (&"k".repeat(129), "v", Some("The TagKey you have provided is invalid")),
        (&format!("{accents}x"), "v", Some("The TagKey you have provided is invalid")),
        ("k,", "v", Some("The TagKey you have provided is invalid")),
        ("k\n", "v", Some("The TagKey you have provided is invalid")),
        ("k\u{85}", "v", Some("The TagKey you have provided is invalid")),
        ("k", &"v".repeat(257), Some("The TagValue you have provided is invalid")),
        ("k", "a&b", Some("The TagValue you have provided is invalid")),
        ("k", "\t", Some("The TagValue you have provided is invalid")),
        ("aws:k", "v", Some("System tags cannot be added/updated by requester")),
        ("AwS:k", "v", Some("System tags cannot be added/updated by requester")),
    ] {
        let got = set(key, value).err().map(|error| error_text(&error));
        let want = why.map(|why| format!("InvalidTag: {why} [TagKey={key}] [TagValue={value}]"));
        assert_eq!(got, want, "{key:?}: {value:?}");
    }
    let many = |count: usize, most| TagSet::new((0..count).map(|n| (n.to_string(), String::new())).collect(), most);
    for (count, most, why) in [
        (10, 10, None),
        (11, 10, Some("InvalidTag: Object tags cannot be greater than 10")),
        (50, 50, None),
        (51, 50, Some("InvalidTag: Bucket tags cannot be greater than 50")),
    ] {
        assert_eq!(many(count, most).err().map(|error| error_text(&error)).as_deref(), why);
    }
    let twice = TagSet::new(vec![("k".to_owned(), "1".to_owned()), ("k".to_owned(), "2".to_owned())], 10);
    let why = "InvalidTag: Cannot provide multiple Tags with the same key [TagKey=k]";
    assert_eq!(error_text(&twice.unwrap_err()), why);
    let two = many(2, 10).unwrap();
    assert_eq!((two.len(), two.is_empty(), TagSet::default().is_empty()), (2, false, true));
    let pair = |key: &str| format!("<Tag><Key>{key}</Key><Value/></Tag>");
    assert_eq!(body(&two.to_xml()), root("Tagging", &format!("<TagSet>{}{}</TagSet>", pair("0"), pair("1"))));
}

#[test]
fn tags_in_a_header() {
    for (header, want) in [
        ("", &[][..]),
        ("a=1", &[("a", "1")]),
        ("a=1&b", &[("a", "1"), ("b", "")]),
        ("&a=1&&", &[("a", "1")]),
        ("a+b=c%20d%2B", &[("a b", "c d+")]),
        ("a=b=c", &[("a", "b=c")]),
        ("%C3%A9=\u{e9}", &[("\u{e9}", "\u{e9}")]),
    ] {
        let got = TagSet::from_header(header).expect(header);
        assert_eq!(got.iter().collect::<Vec<_>>(), want, "{header}");
    }
    let header = "InvalidArgument: The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters \
        without tag name duplicates. [ArgumentName=x-amz-tagging]";
    for (value, want) in [
        ("a=1&a=2", format!("{header} [ArgumentValue=a=1&a=2]")),
        ("a=1&%61=2", format!("{header} [ArgumentValue=a=1&%61=2]")),
        ("a=%ff", format!("{header} [ArgumentValue=a=%ff]")),
        ("=1", "InvalidTag: The TagKey you have provided is invalid [TagKey=] [TagValue=1]".to_owned()),
    ] {
        assert_eq!(error_text(&TagSet::from_header(value).unwrap_err()), want);
    }
}

#[test]
fn bodies_of_tags() {
    let put = |inside: &str| format!("PUT /bkt/k?tagging\n\n<Tagging>{inside}</Tagging>");
    let tag = "<Tag><Key>a</Key><Value>1</Value></Tag>";
    check(
        &[
            (put(&format!("<TagSet>{tag}</TagSet>")), ""),
            (put("<TagSet/>"), ""),
            (put(""), "MalformedXML"),
            (put(tag), "MalformedXML"),
            (put(&format!("<TagSet>{tag}</TagSet><TagSet/>")), "MalformedXML"),
            (put("<TagSet><Tag><Key>a</Key></Tag></TagSet>"), "MalformedXML"),
            (put("<TagSet><Tag><Value>a</Value></Tag></TagSet>"), "MalformedXML"),
            (put("<TagSet><Tag><Key>a</Key><Value/><Value/></Tag></TagSet>"), "MalformedXML"),
            (put("<TagSet><Tag><Key>a</Key><Value/><Note/></Tag></TagSet>"), "MalformedXML"),
            (put(&format!("<TagSet>{tag}{tag}</TagSet>")), "InvalidTag"),
            ("PUT /bkt?tagging\n\n<TagSet/>".to_owned(), "MalformedXML"),
        ],
        code,
    );
    // A bucket may have more tags than an object.
    let eleven: String = (0..11).map(|n| format!("<Tag><Key>{n}</Key><Value/></Tag>")).collect();
    let eleven = format!("<Tagging><TagSet>{eleven}</TagSet></Tagging>");
    check(
        &[(format!("PUT /bkt?tagging\n\n{eleven}"), ""), (format!("PUT /bkt/k?tagging\n\n{eleven}"), "InvalidTag")],
        code,
    );
}

#[test]
fn attributes() {
    let get = |headers: &str| format!("GET /bkt/k?attributes\n{headers}");
    let all = input!(
        GetObjectAttributes,
        &get("x-amz-object-attributes: ETag, Checksum,,ObjectParts\nx-amz-object-attributes: StorageClass,ObjectSize")
    );
    use ObjectAttribute::{Checksum as Sum, ETag, ObjectParts, ObjectSize, StorageClass};
    assert_eq!(all.attributes, [ETag, Sum, ObjectParts, StorageClass, ObjectSize]);
    let one = input!(GetObjectAttributes, &get("x-amz-object-attributes: ETag"));
    assert!(one.wants(ETag) && !one.wants(Sum) && !one.wants(ObjectSize));
    for (headers, max_parts, marker) in [
        ("", 1000, 0),
        ("\nx-amz-max-parts: 0\nx-amz-part-number-marker: 7", 0, 7),
        ("\nx-amz-max-parts: 1001\nx-amz-part-number-marker: 4294967296", 1000, u32::MAX),
    ] {
        let got = input!(GetObjectAttributes, &get(&format!("x-amz-object-attributes: ETag{headers}")));
        assert_eq!((got.max_parts, got.part_number_marker), (max_parts, marker), "{headers}");
    }
    let missing = "InvalidRequest: The x-amz-object-attributes header specifying the attributes to be retrieved is either missing or empty";
    check(
        &[
            (get("x-a: b"), missing),
            (get("x-amz-object-attributes: ,"), missing),
            (
                get("x-amz-object-attributes: ETag,Size"),
                "InvalidArgument: Invalid attribute name specified. [ArgumentName=x-amz-object-attributes] [ArgumentValue=Size]",
            ),
            (
                get("x-amz-object-attributes: ETag\nx-amz-max-parts: all"),
                "InvalidArgument: The value must be a whole number [ArgumentName=x-amz-max-parts] [ArgumentValue=all]",
            ),
        ],
        refusal,
    );
    assert_eq!(operation(&get("x-amz-object-attributes: ETag")).unwrap().name(), "GetObjectAttributes");
}

#[test]
fn answers_about_attributes() {
    let sum = |value: &str| Checksum { algorithm: ChecksumAlgorithm::Crc32C, value: value.to_owned() };
    let part = |part_number, checksum| ObjectAttributesPart { part_number, size: 5, checksum };
    let parts = ObjectAttributesParts {
        total_parts: 9,
        part_number_marker: 2,
        max_parts: 2,
        is_truncated: true,
        parts: vec![part(3, Some(sum("p"))), part(4, None)],
    };
    let none = GetObjectAttributesOutput::default();
    for (output, want) in [
        (none.clone(), ""),
        (GetObjectAttributesOutput { etag: Some("\"e\"".to_owned()), ..none.clone() }, "<ETag>e</ETag>"),
        (
            GetObjectAttributesOutput { checksum: Some((sum("c-2"), ChecksumType::Composite)), ..none.clone() },
            "<Checksum><ChecksumCRC32C>c-2</ChecksumCRC32C><ChecksumType>COMPOSITE</ChecksumType></Checksum>",
        ),
        (
            GetObjectAttributesOutput { parts: Some(parts), object_size: Some(0), ..none.clone() },
            "<ObjectParts><IsTruncated>true</IsTruncated><MaxParts>2</MaxParts><NextPartNumberMarker>4</NextPartNumberMarker>\
             <PartNumberMarker>2</PartNumberMarker><Part><PartNumber>3</PartNumber><Size>5</Size><ChecksumCRC32C>p</ChecksumCRC32C></Part>\
             <Part><PartNumber>4</PartNumber><Size>5</Size></Part><PartsCount>9</PartsCount></ObjectParts><ObjectSize>0</ObjectSize>",
        ),
        (
            GetObjectAttributesOutput { storage_class: Some("GLACIER".to_owned()), ..none.clone() },
            "<StorageClass>GLACIER</StorageClass>",
        ),
    ] {
        assert_eq!(body(&output.to_xml()), root("GetObjectAttributesResponse", want));
    }
}
