//! Operations that are known by name: each needs its permission, and each refusal names it. Some configurations are kept.

use s3::op::Outcome;
use s3::{Configurations, KnownOperation, Operation, S3ErrorCode};

use crate::support::{body, check, error_text, needs, operation, refusal, root};

/// The answer: the document's content without its root, or the error.
fn answer(text: &str) -> String {
    match operation(text) {
        Ok(Operation::Unsupported(op)) => match op.answer(None, &Configurations::new()) {
            Ok(Outcome::Document(document)) => body(&document).to_owned(),
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
        match op.answer(None, &Configurations::new()) {
            Ok(Outcome::NotSet) => {
                assert_eq!(known.method, "DELETE", "{known:?}");
                deleted += 1;
                let stored = op.answer(Some("<Stored/>"), &Configurations::new());
                assert!(op.is_kept() || stored.unwrap_err().code == S3ErrorCode::NotImplemented, "{known:?}");
            }
            Ok(_) => assert_eq!(known.method, "GET", "{known:?}"),
            Err(error) if error.code == S3ErrorCode::NotImplemented => {
                refused += 1;
                let want =
                    format!("The operation {} is not supported by this gateway yet; nothing was changed", known.name);
                assert_eq!(error.message(), want);
            }
            Err(error) if op.is_kept() && known.method == "PUT" => {
                assert_eq!(error.code, S3ErrorCode::MissingRequestBodyError, "{known:?}");
            }
            Err(error) => assert_eq!((known.method, error.status().as_u16()), ("GET", 404), "{known:?}"),
        }
    }
    assert!(refused > 15 && deleted > 8, "{refused}, {deleted}");
}

/// What a write with this body is answered, in a bucket that has stored something.
fn written(request: &str, stored: Option<&str>, body: &str) -> String {
    let Ok(Operation::Unsupported(mut op)) = operation(request) else { panic!("{request}") };
    let limit = Operation::from(op.clone()).body_limit();
    assert_eq!(limit, Some(64 << 10), "{request}");
    let read = s3::S3Operation::read_body(&mut op, body.as_bytes());
    match read.and_then(|()| op.answer(stored, &Configurations::new())) {
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

/// What a write with this body keeps, beside these configurations, or its error.
fn kept(request: &str, body: &str, others: &Configurations) -> String {
    let Ok(Operation::Unsupported(mut op)) = operation(request) else { panic!("{request}") };
    match s3::S3Operation::read_body(&mut op, body.as_bytes()).and_then(|()| op.answer(None, others)) {
        Ok(Outcome::Keep(name, document)) => format!("{name} {}", self::body(&document)),
        other => error_text(&other.unwrap_err()),
    }
}

#[test]
fn a_document_is_kept_whole_or_refused() {
    let filter = "<Filter><And><Prefix>a &amp; b</Prefix><Tag><Key>k</Key><Value>v</Value></Tag><Tag><Key>l</Key><Value/>\
                  </Tag></And></Filter>";
    let metrics =
        |id: &str, filter: &str| format!("<MetricsConfiguration><Id>{id}</Id>{filter}</MetricsConfiguration>");
    let analysis = |inside: &str| {
        format!(
            "<AnalyticsConfiguration><Id>i</Id><StorageClassAnalysis>{inside}</StorageClassAnalysis></AnalyticsConfiguration>"
        )
    };
    let tiers = |tiers: &str| {
        format!(
            "<IntelligentTieringConfiguration><Id>i</Id><Status>Enabled</Status>{tiers}</IntelligentTieringConfiguration>"
        )
    };
    let tier =
        |days: &str, tier: &str| format!("<Tiering><Days>{days}</Days><AccessTier>{tier}</AccessTier></Tiering>");
    let two = tiers(&(tier("90", "ARCHIVE_ACCESS") + &tier("730", "DEEP_ARCHIVE_ACCESS")));
    let accelerate = |status: &str| format!("<AccelerateConfiguration>{status}</AccelerateConfiguration>");
    let on = accelerate("<Status>Enabled</Status>");
    let none = Configurations::new();
    let unanalysed = "<AnalyticsConfiguration><Id>i</Id><StorageClassAnalysis/></AnalyticsConfiguration>".to_owned();
    for (request, document, name) in [
        ("PUT /bkt?accelerate", on.clone(), "accelerate"),
        ("PUT /bkt?accelerate&id=i", on, "accelerate"),
        ("PUT /bkt?metrics&id=i", metrics("i", filter), "metrics/i"),
        ("PUT /bkt?metrics&id=i", metrics("i", ""), "metrics/i"),
        ("PUT /bkt?analytics&id=i", unanalysed, "analytics/i"),
        ("PUT /bkt?intelligent-tiering&id=i", two, "intelligent-tiering/i"),
    ] {
        let (element, rest) = document[1..].split_once('>').unwrap();
        let whole = root(element, rest.strip_suffix(&format!("</{element}>")).unwrap());
        assert_eq!(kept(request, &document, &none), format!("{name} {whole}"), "{request}");
    }
    let and = "<Filter><Prefix>p</Prefix><Tag><Key>k</Key><Value>v</Value></Tag></Filter>";
    for (request, body, want) in [
        ("PUT /bkt?accelerate", accelerate("<Status>On</Status>"), "MalformedXML"),
        ("PUT /bkt?accelerate", accelerate(""), "MalformedXML"),
        ("PUT /bkt?accelerate", accelerate("<Status>Enabled</Status><Status>Enabled</Status>"), "MalformedXML"),
        ("PUT /bkt?accelerate", accelerate("<Status>Enabled<b/></Status>"), "MalformedXML"),
        ("PUT /bkt?accelerate", accelerate("<Status a='b'>Enabled</Status>"), "MalformedXML"),
        ("PUT /bkt?accelerate", accelerate("x<Status>Enabled</Status>"), "MalformedXML"),
        ("PUT /bkt?accelerate", metrics("i", ""), "MalformedXML"),
        ("PUT /bkt?metrics&id=i", String::new(), "MalformedXML"),
        ("PUT /bkt?metrics&id=j", metrics("i", ""), "InvalidArgument"),
        ("PUT /bkt?metrics&id=a/b", metrics("a/b", ""), "InvalidArgument"),
        ("PUT /bkt?metrics&id=", metrics("", ""), "InvalidArgument"),
        ("PUT /bkt?metrics&id=i", metrics("i", "<New/>"), "MalformedXML"),
        ("PUT /bkt?metrics&id=i", metrics("i", and), "MalformedXML"),
        ("PUT /bkt?metrics&id=i", metrics("i", "<Filter><AccessPointArn>a</AccessPointArn></Filter>"), "MalformedXML"),
        ("PUT /bkt?metrics&id=i", metrics("i", "<Filter><Tag><Key>k</Key></Tag></Filter>"), "MalformedXML"),
        ("PUT /bkt?analytics&id=i", analysis("<DataExport/>"), "NotImplemented"),
        ("PUT /bkt?intelligent-tiering&id=i", tiers(""), "MalformedXML"),
        ("PUT /bkt?intelligent-tiering&id=i", tiers(&tier("89", "ARCHIVE_ACCESS")), "MalformedXML"),
        ("PUT /bkt?intelligent-tiering&id=i", tiers(&tier("90", "ARCHIVE")), "MalformedXML"),
    ] {
        let got = kept(request, &body, &none);
        assert_eq!(got.split(':').next(), Some(want), "{request} {body}: {got}");
    }
    // Every gateway holds them in memory.
    let full = Configurations::from([("metrics/i".into(), "x".repeat(300 << 10).into())]);
    assert!(kept("PUT /bkt?metrics&id=i", &metrics("i", ""), &full).starts_with("metrics/i "));
    assert!(kept("PUT /bkt?metrics&id=j", &metrics("j", ""), &full).starts_with("TooManyConfigurations"));
}

#[test]
fn what_is_kept_is_given_back() {
    let document = |id: &str| root("MetricsConfiguration", &format!("<Id>{id}</Id>"));
    let kept: Configurations =
        ["a", "b"].map(|id| (format!("metrics/{id}").into(), document(id).into())).into_iter().collect();
    let answer = |request: &str| {
        let Ok(Operation::Unsupported(op)) = operation(request) else { panic!("{request}") };
        op.answer(None, &kept)
    };
    assert_eq!(answer("GET /bkt?metrics&id=b"), Ok(Outcome::Document(document("b"))));
    assert_eq!(answer("GET /bkt?metrics&id=c").unwrap_err().code, S3ErrorCode::NoSuchConfiguration);
    assert_eq!(answer("DELETE /bkt?metrics&id=a"), Ok(Outcome::Forget("metrics/a".into())));
    assert_eq!(answer("DELETE /bkt?metrics&id=c"), Ok(Outcome::NotSet));
    assert_eq!(answer("DELETE /bkt?analytics&id=a"), Ok(Outcome::NotSet));
    let Ok(Outcome::Document(list)) = answer("GET /bkt?metrics") else { panic!() };
    let both = "<MetricsConfiguration><Id>a</Id></MetricsConfiguration><MetricsConfiguration><Id>b</Id></MetricsConfiguration>";
    assert!(list.contains(both), "{list}");
    let unreadable = Configurations::from([("accelerate".into(), "?".into())]);
    let Ok(Operation::Unsupported(op)) = operation("GET /bkt?accelerate") else { panic!() };
    assert_eq!(op.answer(None, &unreadable).unwrap_err().code, S3ErrorCode::InternalError);
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
