//! DeleteObject and DeleteObjects.

use s3::op::{DeleteObjectsOutput, DeletedObject};
use s3::{Needs, S3Error, S3ErrorCode};

use crate::support::{also_needs, body, check, code, first_needs, input, keys, needs, operation, refusal, root};

#[test]
fn one_object() {
    check(
        &[
            ("DELETE /bkt/k", "s3:DeleteObject bkt/k"),
            ("DELETE /bkt/k?versionId=null", "s3:DeleteObjectVersion bkt/k@null"),
            (
                "DELETE /bkt/k?versionId=v1\nx-amz-bypass-governance-retention: true",
                "s3:DeleteObjectVersion bkt/k@v1; s3:BypassGovernanceRetention bkt/k@v1",
            ),
            ("DELETE /bkt/k\nx-amz-bypass-governance-retention: false", "s3:DeleteObject bkt/k"),
        ],
        needs,
    );
    check(
        &[
            ("DELETE /bkt/k", ""),
            ("DELETE /bkt/k\nif-match: \"e\"", "CompareEntityTag s3:GetObject bkt/k"),
            ("DELETE /bkt/k\nif-match: *", ""),
        ],
        also_needs,
    );
    check(
        &[
            ("DELETE /bkt/k", ""),
            ("DELETE /bkt/k?versionId=v1", "s3:VersionId=v1"),
            ("DELETE /bkt/k\nif-match: \"e\"", "s3:if-match=\"e\""),
        ],
        keys,
    );
    let not =
        |what: &str| format!("NotImplemented: {what} is not supported by this gateway: send the request without it");
    check(
        &[
            ("DELETE /bkt/k\nif-none-match: *", &*not("If-None-Match on a delete")),
            ("DELETE /bkt/k\nx-amz-if-match-size: 1", &not("The header x-amz-if-match-size")),
            (
                "DELETE /bkt/k\nx-amz-if-match-last-modified-time: x",
                &not("The header x-amz-if-match-last-modified-time"),
            ),
            (
                "DELETE /bkt/k\nx-amz-bypass-governance-retention: 1",
                "InvalidArgument: The value must be `true` or `false` \
                 [ArgumentName=x-amz-bypass-governance-retention] [ArgumentValue=1]",
            ),
            (
                "DELETE /bkt/k?versionId=a/b",
                "InvalidArgument: Invalid version id specified [ArgumentName=versionId] [ArgumentValue=a/b]",
            ),
        ],
        refusal,
    );
    assert_eq!(input!(DeleteObject, "DELETE /bkt/k\nx-amz-mfa: serial 123").mfa.as_deref(), Some("serial 123"));
}

fn many(objects: &str) -> String {
    format!("POST /bkt?delete\n\n<Delete>{objects}</Delete>")
}

/// Each key is decided on its own, so the request itself needs nothing once the body is read.
#[test]
fn permissions_of_many() {
    let text = many("<Object><Key>a</Key></Object>");
    check(&[(&text, "")], needs);
    let any = "s3:DeleteObject bkt/*; s3:DeleteObjectVersion bkt/*";
    check(&[("POST /bkt?delete", any), (&text, any)], first_needs);
    check(&[("POST /bkt?delete\nif-match: \"e\"", "")], keys);
    for (headers, object, want) in [
        ("", "<Key>a</Key>", "s3:DeleteObject bkt/a"),
        ("", "<Key>a</Key><VersionId>v</VersionId>", "s3:DeleteObjectVersion bkt/a"),
        ("", "<Key>a</Key><VersionId> </VersionId>", "s3:DeleteObject bkt/a"),
        ("", "<Key>a</Key><ETag>\"e\"</ETag>", "s3:DeleteObject bkt/a s3:GetObject bkt/a"),
        ("", "<Key>a</Key><ETag>*</ETag>", "s3:DeleteObject bkt/a"),
        (
            "\nx-amz-bypass-governance-retention: true",
            "<Key>a</Key>",
            "s3:DeleteObject bkt/a s3:BypassGovernanceRetention bkt/a",
        ),
    ] {
        let deletes = input!(
            DeleteObjects,
            &many(&format!("<Object>{object}</Object>")).replacen("\n\n", &format!("{headers}\n\n"), 1)
        );
        let object = &deletes.request.objects[0];
        let delete = deletes.delete_at(object.key.clone().unwrap(), object);
        let needs: Vec<String> =
            delete.permissions().iter().map(|need| format!("{} {}", need.action, &need.resource[13..])).collect();
        assert_eq!(needs.join(" "), want, "{object:?}");
    }
}

#[test]
fn bodies_of_many() {
    let a = "<Object><Key>a</Key></Object>";
    let bad = "MalformedXML";
    check(
        &[
            (many(a), ""),
            (many(&format!("<Quiet>true</Quiet>{a}")), ""),
            (many(&format!("{a}<Quiet> false </Quiet>")), ""),
            (many(&format!("<Quiet>yes</Quiet>{a}")), bad),
            (many(&format!("<Quiet/>{a}")), bad),
            (many(&format!("<Quiet>true</Quiet><Quiet>true</Quiet>{a}")), bad),
            (many(""), bad),
            (many("<Quiet>true</Quiet>"), bad),
            (many("<Object/>"), bad),
            (many("<Object><Key/></Object>"), "UserKeyMustBeSpecified"),
            (many("<Object><Key>a</Key><Key>a</Key></Object>"), bad),
            (many("<Object><Key>a</Key><ETag>e</ETag><ETag>f</ETag></Object>"), bad),
            (many("<Object><Key>a</Key><VersionId>v</VersionId><VersionId>w</VersionId></Object>"), bad),
            (many("<Object><Key>a</Key><VersionId>../v</VersionId></Object>"), "InvalidArgument"),
            (many("<Object><Key>a</Key><LastModifiedTime>x</LastModifiedTime></Object>"), "NotImplemented"),
            (many("<Object><Key>a</Key><Other/></Object>"), bad),
            ("POST /bkt?delete\n\n<Deletes/>".to_owned(), bad),
            ("POST /bkt?delete\n\n".to_owned(), bad),
        ],
        code,
    );
    let malformed =
        "MalformedXML: The XML you provided was not well-formed or did not validate against our published schema";
    check(
        &[
            (many(&a.repeat(1001)), &*format!("{malformed}: 1001 objects; 1 to 1000 are allowed")),
            (many("<Objects/>"), &format!("{malformed}: `Delete` has an element `Objects`; expected Object, Quiet")),
        ],
        refusal,
    );
    // A key keeps its white space; a bad key spoils only itself.
    let long = "k".repeat(1025);
    let deletes =
        input!(DeleteObjects, &many(&format!("<Object><Key> a\n</Key></Object><Object><Key>{long}</Key></Object>")));
    let keys: Vec<_> = deletes.request.objects.iter().map(|object| object.key.clone().map_err(|e| e.code)).collect();
    assert_eq!(keys, [Ok(" a\n".parse().unwrap()), Err(S3ErrorCode::KeyTooLongError)]);
    assert_eq!(deletes.request.objects[1].key_text, long);
    assert_eq!(operation("POST /bkt?delete").unwrap().body_limit(), Some(2 << 20));
}

#[test]
fn answers_of_many() {
    let object = |key: &str, version: Option<&str>, marker: Option<&str>, error| DeletedObject {
        key: key.to_owned(),
        version_id: version.map(str::to_owned),
        delete_marker_version_id: marker.map(str::to_owned),
        error,
    };
    let denied = Some(S3Error::new(S3ErrorCode::AccessDenied));
    for (object, want) in [
        (object("a<", None, None, None), "<Deleted><Key>a&lt;</Key></Deleted>"),
        (object("a", Some("v"), None, None), "<Deleted><Key>a</Key><VersionId>v</VersionId></Deleted>"),
        (
            object("a", None, Some("m"), None),
            "<Deleted><Key>a</Key><DeleteMarker>true</DeleteMarker><DeleteMarkerVersionId>m</DeleteMarkerVersionId></Deleted>",
        ),
        (
            object("a", Some("v"), None, denied),
            "<Error><Key>a</Key><VersionId>v</VersionId><Code>AccessDenied</Code><Message>Access Denied</Message></Error>",
        ),
    ] {
        for quiet in [false, true] {
            let shown = if quiet && object.error.is_none() { "" } else { want };
            let document = DeleteObjectsOutput { objects: vec![object.clone()], quiet }.to_xml();
            assert_eq!(body(&document), root("DeleteResult", shown));
        }
    }
}
