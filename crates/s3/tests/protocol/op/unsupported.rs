//! Operations that are known by name: each needs its permission, and each refusal names it.

use s3::op::Unchanged;
use s3::{KnownOperation, Operation, S3ErrorCode};

use crate::support::{body, check, error_text, needs, operation, refusal, root};

/// The answer: the document's content without its root, or the error.
fn answer(text: &str) -> String {
    match operation(text) {
        Ok(Operation::Unsupported(op)) => match op.answer(None) {
            Ok(Unchanged::Document(document)) => body(&document).to_owned(),
            Ok(other) => panic!("{text}: {other:?}"),
            Err(error) => error_text(&error),
        },
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn reads_answer_as_if_nothing_were_configured() {
    let empty = |name: &str| root(name, "");
    let list = |name: &str| root(name, "<IsTruncated>false</IsTruncated>");
    let none = "NoSuchConfiguration: The specified configuration does not exist. [BucketName=bkt]";
    for (request, want) in [
        ("GET /bkt?abac", root("AbacStatus", "<Status>Disabled</Status>")),
        ("GET /bkt?accelerate", empty("AccelerateConfiguration")),
        ("GET /bkt?logging", empty("BucketLoggingStatus")),
        ("GET /bkt?notification", empty("NotificationConfiguration")),
        ("GET /bkt?analytics", list("ListBucketAnalyticsConfigurationResult")),
        ("GET /bkt?intelligent-tiering", list("ListBucketIntelligentTieringConfigurationsResult")),
        ("GET /bkt?inventory", list("ListInventoryConfigurationsResult")),
        ("GET /bkt?metrics", list("ListMetricsConfigurationsResult")),
        ("GET /bkt?analytics&id=i", none.to_owned()),
        ("GET /bkt?intelligent-tiering&id=i", none.to_owned()),
        ("GET /bkt?inventory&id=i", none.to_owned()),
        ("GET /bkt?metrics&id=i", none.to_owned()),
        (
            "GET /bkt?replication",
            "ReplicationConfigurationNotFoundError: The replication configuration was not found [BucketName=bkt]"
                .to_owned(),
        ),
        (
            "GET /bkt?website",
            "NoSuchWebsiteConfiguration: The specified bucket does not have a website configuration [BucketName=bkt]"
                .to_owned(),
        ),
    ] {
        assert_eq!(answer(request), want, "{request}");
    }
}

/// Nothing that would change something is answered with success.
#[test]
fn everything_else_is_refused_by_name() {
    let (mut refused, mut deleted) = (0, 0);
    for known in KnownOperation::all().filter(|known| known.is_listed) {
        let head = testkit::operations::example(&known, false).unwrap();
        let s3::Routing::S3(Operation::Unsupported(op)) = s3::route(&head, None).unwrap() else { panic!("{known:?}") };
        match op.answer(None) {
            Ok(Unchanged::NotSet) => {
                assert_eq!(known.method, "DELETE", "{known:?}");
                assert_eq!(op.answer(Some("<Stored/>")).unwrap_err().code, S3ErrorCode::NotImplemented, "{known:?}");
                deleted += 1;
            }
            Ok(_) => assert_eq!(known.method, "GET", "{known:?}"),
            Err(error) if error.code == S3ErrorCode::NotImplemented => {
                refused += 1;
                let want =
                    format!("The operation {} is not supported by this gateway yet; nothing was changed", known.name);
                assert_eq!(error.message(), want);
            }
            Err(error) => assert_eq!((known.method, error.status().as_u16()), ("GET", 404), "{known:?}"),
        }
    }
    assert!(refused > 20 && deleted > 9, "{refused}, {deleted}");
}

/// What a write with this body is answered, in a bucket that has stored something.
fn written(request: &str, stored: Option<&str>, body: &str) -> String {
    let Ok(Operation::Unsupported(mut op)) = operation(request) else { panic!("{request}") };
    let limit = Operation::from(op.clone()).body_limit();
    assert_eq!(limit, Some(64 << 10), "{request}");
    let read = s3::S3Operation::read_body(&mut op, body.as_bytes());
    match read.and_then(|()| op.answer(stored)) {
        Ok(answer) => format!("{answer:?}"),
        Err(error) => error.code.as_str().to_owned(),
    }
}

/// A write that states what already holds succeeds, in any order of elements, and no other does.
#[test]
fn writes_that_change_nothing() {
    let ns = "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"";
    let rule = |origins: &str, order: bool| {
        let (method, header) = ("<AllowedMethod>GET</AllowedMethod>", "<AllowedHeader>x</AllowedHeader>");
        let both = if order { format!("{method}{header}") } else { format!("{header}\n {method}") };
        let origins: String = origins.chars().map(|o| format!("<AllowedOrigin>{o}</AllowedOrigin>")).collect();
        format!("<Rule>{origins}{both}</Rule>")
    };
    let rules_of = |rules: &str| format!("<LifecycleConfiguration {ns}>{rules}</LifecycleConfiguration>");
    let two = rules_of(&(rule("ab", true) + &rule("c", true)));
    let stored = Some(two.as_str());
    for (request, stored, body, want) in [
        ("PUT /bkt?logging", None, "<BucketLoggingStatus/>", "Restated"),
        ("PUT /bkt?logging", None, &format!("<BucketLoggingStatus {ns}>\n</BucketLoggingStatus>"), "Restated"),
        ("PUT /bkt?logging", None, "<BucketLoggingStatus><LoggingEnabled/></BucketLoggingStatus>", "NotImplemented"),
        ("PUT /bkt?logging", None, "<BucketLoggingStatus>x</BucketLoggingStatus>", "NotImplemented"),
        ("PUT /bkt?logging", None, "<BucketLoggingStatus a='b'/>", "NotImplemented"),
        ("PUT /bkt?logging", None, "<LoggingStatus/>", "MalformedXML"),
        ("PUT /bkt?logging", None, "", "MalformedXML"),
        ("PUT /bkt?notification", None, "<NotificationConfiguration/>", "Restated"),
        (
            "PUT /bkt?notification",
            None,
            "<NotificationConfiguration><EventBridgeConfiguration/></NotificationConfiguration>",
            "NotImplemented",
        ),
        ("PUT /bkt?abac", None, "<AbacStatus><Status>Disabled</Status></AbacStatus>", "Restated"),
        ("PUT /bkt?abac", None, "<AbacStatus><Status>Enabled</Status></AbacStatus>", "NotImplemented"),
        (
            "PUT /bkt?accelerate",
            None,
            "<AccelerateConfiguration><Status>Suspended</Status></AccelerateConfiguration>",
            "Restated",
        ),
        (
            "PUT /bkt?accelerate",
            None,
            "<AccelerateConfiguration><Status>Enabled</Status></AccelerateConfiguration>",
            "NotImplemented",
        ),
        (
            "PUT /bkt?requestPayment",
            None,
            "<RequestPaymentConfiguration><Payer>BucketOwner</Payer></RequestPaymentConfiguration>",
            "Restated",
        ),
        (
            "PUT /bkt?requestPayment",
            None,
            "<RequestPaymentConfiguration><Payer>BucketOwner</Payer><Payer>BucketOwner</Payer></RequestPaymentConfiguration>",
            "NotImplemented",
        ),
        (
            "PUT /bkt?requestPayment",
            None,
            "<RequestPaymentConfiguration><Payer>Requester</Payer></RequestPaymentConfiguration>",
            "NotImplemented",
        ),
        ("PUT /bkt?lifecycle", stored, &two, "Restated"),
        ("PUT /bkt?lifecycle", stored, &rules_of(&(rule("ab", false) + &rule("c", true))), "Restated"),
        ("PUT /bkt?lifecycle", stored, &rules_of(&(rule("c", true) + &rule("ab", true))), "NotImplemented"),
        ("PUT /bkt?lifecycle", stored, &rules_of(&rule("ab", true)), "NotImplemented"),
        ("PUT /bkt?lifecycle", None, &two, "NotImplemented"),
        ("PUT /bkt?lifecycle", Some("<LifecycleConfiguration/>"), "<LifecycleConfiguration/>", "Restated"),
        ("PUT /bkt?lifecycle", None, "<LifecycleConfiguration/>", "NotImplemented"),
        ("PUT /bkt?lifecycle", Some("unreadable"), "<LifecycleConfiguration/>", "NotImplemented"),
        ("PUT /bkt?encryption", None, "<ServerSideEncryptionConfiguration/>", "NotImplemented"),
    ] {
        assert_eq!(written(request, stored, body), want, "{request} {stored:?} {body}");
    }
}

#[test]
fn permissions() {
    check(
        &[
            ("GET /bkt?accelerate", "s3:GetAccelerateConfiguration bkt"),
            ("PUT /bkt?accelerate", "s3:PutAccelerateConfiguration bkt"),
            ("PUT /bkt?cors", "s3:PutBucketCORS bkt"),
            ("DELETE /bkt?cors", "s3:PutBucketCORS bkt"),
            ("PUT /bkt?encryption", "s3:PutEncryptionConfiguration bkt"),
            ("DELETE /bkt?encryption", "s3:PutEncryptionConfiguration bkt"),
            ("PUT /bkt?lifecycle", "s3:PutLifecycleConfiguration bkt"),
            ("DELETE /bkt?lifecycle", "s3:PutLifecycleConfiguration bkt"),
            ("DELETE /bkt?website", "s3:DeleteBucketWebsite bkt"),
            ("DELETE /bkt?ownershipControls", "s3:PutBucketOwnershipControls bkt"),
            ("DELETE /bkt?publicAccessBlock", "s3:PutBucketPublicAccessBlock bkt"),
            ("DELETE /bkt?replication", "s3:PutReplicationConfiguration bkt"),
            ("DELETE /bkt?inventory&id=i", "s3:PutInventoryConfiguration bkt"),
            ("GET /bkt?inventory", "s3:GetInventoryConfiguration bkt"),
            ("GET /bkt?session", "s3express:CreateSession bkt"),
            ("PUT /bkt/k?renameObject", "s3:PutObject bkt/k"),
            ("POST /bkt/k?select", "s3:GetObject bkt/k"),
            ("POST /bkt/k?restore", "s3:RestoreObject bkt/k"),
            ("POST /bkt/k?restore&versionId=v", "s3:RestoreObject bkt/k@v"),
            ("GET /bkt/k?torrent", "s3:GetObjectTorrent bkt/k"),
            ("GET /bkt/k?torrent&versionId=v", "s3:GetObjectVersionTorrent bkt/k@v"),
        ],
        needs,
    );
    let version =
        "InvalidArgument: This operation does not accept a version-id. [ArgumentName=versionId] [ArgumentValue=v]";
    check(
        &[
            ("PUT /bkt/k?renameObject&versionId=v", version),
            ("POST /bkt/k?select&versionId=v", version),
            (
                "PUT /bkt?metrics",
                "InvalidArgument: PutBucketMetricsConfiguration needs the parameter id [ArgumentName=id] [ArgumentValue=]",
            ),
            (
                "POST /bkt?metrics&id=i",
                "MethodNotAllowed: The specified method is not allowed against this resource. [Method=POST] [ResourceType=METRICS]",
            ),
        ],
        refusal,
    );
}
