//! Refusals with their paths and nearest words, findings, and the meaning of "public".

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use policy::{Policy, PolicyKind, Severity, validate};

fn refused(kind: PolicyKind, text: &str) -> policy::PolicyError {
    match Policy::parse(kind, text) {
        Ok(_) => panic!("{text} was accepted"),
        Err(error) => error,
    }
}

#[test]
fn refusals_say_where_the_fault_is_and_what_was_probably_meant() {
    for (members, path, hint) in [
        (
            r#""Effect":"Allow","Action":"s3:*","Resource":"*","Conditions":{}"#,
            "Statement[0].Conditions",
            "did you mean `Condition`?",
        ),
        (r#""Effect":"allow","Action":"s3:*","Resource":"*""#, "Statement[0].Effect", "did you mean `Allow`?"),
        (
            r#""Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"StringEqual":{"aws:username":"a"}}"#,
            "Statement[0].Condition.StringEqual",
            "did you mean `StringEquals`?",
        ),
        (
            r#""Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"StringEquals":{"a:b":["x",null]}}"#,
            "Statement[0].Condition.StringEquals.a:b[1]",
            "not null",
        ),
        (
            r#""Effect":"Allow","Action":["s3:*",1],"Resource":"*""#,
            "Statement[0].Action[1]",
            "expected a string, not a number",
        ),
        (r#""Effect":"Allow","Action":"s3:*","Action":"s3:*","Resource":"*""#, "Statement[0].Action", "occurs twice"),
        (
            r#""Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"Bool":{"a:b":"true"},"Bool":{"a:c":"true"}}"#,
            "Statement[0].Condition.Bool",
            "occurs twice",
        ),
        (
            r#""Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"Bool":{"a:b":"true","a:b":"false"}}"#,
            "Statement[0].Condition.Bool.a:b",
            "occurs twice",
        ),
        (r#""Effect":"Allow","Action":"GetObject","Resource":"*""#, "Statement[0].Action[0]", "write `s3:GetObject`"),
        (r#""Effect":"Allow","Action":"s3:*","Resource":"b/*""#, "Statement[0].Resource[0]", "arn:aws:s3:::bucket/*"),
        (
            r#""Effect":"Allow","Action":"s3:*","Resource":["*","arn:error:s3:::b"]"#,
            "Statement[0].Resource[1]",
            r#"Partition "error" is not valid for resource "arn:error:s3:::b"."#,
        ),
        (
            r#""Effect":"Allow","Action":"s3:*","Resource":"ARN:aws:s3:::b""#,
            "Statement[0].Resource[0]",
            r#"Resource ARN:aws:s3:::b must be in ARN format or "*"."#,
        ),
        (r#""Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"*""#, "Statement[0].Principal", "attached to"),
        (r#""Effect":"Allow","Action":"s3:*""#, "Statement[0].Resource", "must contain resources"),
        (r#""Effect":"Allow","Action":"s3:*","Resource":"*","NotResource":"*""#, "Statement[0].NotResource", "either"),
    ] {
        let error =
            refused(PolicyKind::Identity, &format!(r#"{{"Version":"2012-10-17","Statement":[{{{members}}}]}}"#));
        assert_eq!((error.code(), error.path()), ("MalformedPolicyDocument", path), "{error}");
        assert!(error.message().contains(hint), "{error}");
    }
    for (kind, text, code, path, message) in [
        (
            PolicyKind::Identity,
            "{\n\"Version\" 1}",
            "MalformedPolicyDocument",
            "line 2 column 11",
            "Syntax errors in policy.",
        ),
        (
            PolicyKind::Bucket,
            "{\n\"Version\" 1}",
            "MalformedPolicy",
            "line 2 column 11",
            "This policy contains invalid Json",
        ),
        (PolicyKind::Bucket, "[]", "MalformedPolicy", "line 1 column 1", "the first byte must be '{'"),
        (PolicyKind::Bucket, r#"{"Statment":[]}"#, "MalformedPolicy", "", "did you mean `Statement`?"),
        (
            PolicyKind::Identity,
            r#"{"Version":"2012-10-18","Statement":[]}"#,
            "MalformedPolicyDocument",
            "Version",
            "did you mean `2012-10-17`?",
        ),
    ] {
        let error = refused(kind, text);
        assert_eq!((error.code(), error.path()), (code, path), "{error}");
        assert!(error.message().contains(message), "{error}");
    }
}

/// Each message begins with AWS's own words.
#[test]
fn each_api_refuses_in_its_own_words() {
    use PolicyKind::{Bucket, Identity, Session, Trust};
    let to_all = r#""Effect":"Allow","Principal":"*""#;
    for (kind, statement, words) in [
        (
            Identity,
            r#""Effect":"Allow","Action":"s3:Get:Object","Resource":"*""#,
            "Actions/Condition can contain only one colon.",
        ),
        (
            Identity,
            r#""Effect":"Allow","Action":"GetObject","Resource":"*""#,
            "Actions/Conditions must be prefaced by a vendor",
        ),
        (Identity, r#""Effect":"Allow","Action":"s_3:GetObject","Resource":"*""#, "Vendor s_3 is not valid"),
        (Identity, r#""Effect":"Allow","Action":"s3:*","Resource":"b""#, "Resource b must be in ARN format or \"*\"."),
        (Identity, r#""Effect":"Allow","Action":[],"Resource":"*""#, "Policy statement must contain actions."),
        (Identity, r#""Effect":"Allow","Action":"s3:*","Resource":[]"#, "Policy statement must contain resources."),
        (
            Identity,
            r#""Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"*""#,
            "Policy document should not specify a principal.",
        ),
        (Identity, r#""Effect":"allow","Action":"s3:*","Resource":"*""#, "The policy failed legacy parsing"),
        (Identity, r#""Effect":"Permit","Action":"s3:*","Resource":"*""#, "Syntax errors in policy."),
        (
            Identity,
            r#""Sid":"a b","Effect":"Allow","Action":"s3:*","Resource":"*""#,
            "Statement IDs (SID) must be alpha-numeric.",
        ),
        (
            Identity,
            r#""Sid":"A","Effect":"Allow","Action":"s3:*","Resource":"*"},{"Sid":"A","Effect":"Deny","Action":"s3:*","Resource":"*""#,
            "Statement IDs (SID) in a single policy must be unique.",
        ),
        (
            Session,
            r#""Sid":"a-b","Effect":"Allow","Action":"s3:*","Resource":"*""#,
            "Statement IDs (SID) must be alpha-numeric.",
        ),
        (Session, r#""Effect":"Allow","Action":"s3:*""#, "Policy statement must contain resources."),
        (Trust, r#""Effect":"Allow","Action":"sts:AssumeRole""#, "Missing required field Principal"),
        (
            Trust,
            r#""Effect":"Allow","NotPrincipal":{"AWS":"111122223333"},"Action":"sts:AssumeRole""#,
            "Has prohibited field NotPrincipal.",
        ),
        (
            Trust,
            r#""Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:role/*"},"Action":"sts:AssumeRole""#,
            r#"Invalid principal in policy: "AWS":"arn:aws:iam::111122223333:role/*""#,
        ),
        (
            Trust,
            r#""Effect":"Allow","Principal":{"Service":"s3"},"Action":"sts:AssumeRole""#,
            r#"Invalid principal in policy: "Service":"s3""#,
        ),
        (
            Trust,
            r#""Effect":"Allow","Principal":{"Federated":"x"},"Action":"sts:AssumeRole""#,
            r#"Invalid principal in policy: "Federated":"x""#,
        ),
        (
            Trust,
            r#""Effect":"Allow","Principal":{"CanonicalUser":"x"},"Action":"sts:AssumeRole""#,
            r#"Invalid principal in policy: "CanonicalUser":"x""#,
        ),
        (
            Trust,
            r#""Effect":"Allow","Principal":"*","Action":"sts:AssumeRole","Resource":"*""#,
            "Has prohibited field Resource.",
        ),
        (
            Trust,
            r#""Effect":"Allow","Principal":"*","Action":"sts:AssumeRole","NotResource":"*""#,
            "Has prohibited field NotResource.",
        ),
        (
            Trust,
            r#""Effect":"Allow","Principal":"*","Action":"*""#,
            "AssumeRole policy may only specify STS AssumeRole actions.",
        ),
        (
            Trust,
            r#""Effect":"Allow","Principal":"*","Action":["sts:AssumeRole","sts:GetFederationToken"]"#,
            "AssumeRole policy may only specify STS AssumeRole actions.",
        ),
        (
            Trust,
            r#""Effect":"Allow","Principal":"*","NotAction":"sts:AssumeRole""#,
            "AssumeRole policy may only specify STS AssumeRole actions.",
        ),
        (
            Trust,
            r#""Sid":"a.b","Effect":"Allow","Principal":"*","Action":"sts:AssumeRole""#,
            "Statement IDs (SID) must be alpha-numeric.",
        ),
        (Trust, r#""Effect":"Allow","Principal":"*""#, "Policy statement must contain actions."),
        (Bucket, r#""Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::b""#, "Missing required field Principal"),
        (Bucket, r#""Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::b""#, "Missing required field Effect"),
        (
            Bucket,
            r#""Effect":"Allow","NotPrincipal":"*","Action":"s3:*","Resource":"arn:aws:s3:::b""#,
            "Allow with NotPrincipal is not allowed.",
        ),
        (Bucket, &format!(r#"{to_all},"Resource":"arn:aws:s3:::b""#), "Missing required field Action"),
        (Bucket, &format!(r#"{to_all},"Action":"s3:*""#), "Missing required field Resource"),
        (
            Bucket,
            r#""Effect":"Permit","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::b""#,
            "Invalid effect: Permit",
        ),
        (
            Bucket,
            &format!(r#"{to_all},"Action":"s3:*","Resource":"arn:aws:s3:::b","Conditions":{{}}"#),
            "Unknown field Conditions",
        ),
        (
            Bucket,
            &format!(
                r#"{to_all},"Action":"s3:*","Resource":"arn:aws:s3:::b","Condition":{{"StringEqual":{{"aws:username":"a"}}}}"#
            ),
            "Invalid Condition type : StringEqual",
        ),
        (
            Bucket,
            &format!(
                r#"{to_all},"Action":"s3:*","Resource":"arn:aws:s3:::b","Condition":{{"StringEquals":{{"aws:nope":"a"}}}}"#
            ),
            "Policy has an invalid condition key",
        ),
        (
            Bucket,
            &format!(
                r#"{to_all},"Action":"s3:*","Resource":"arn:aws:s3:::b","Condition":{{"Bool":{{"aws:SecureTransport":"x"}}}}"#
            ),
            "Policy has an invalid condition value",
        ),
        (
            Bucket,
            &format!(
                r#"{to_all},"Action":"s3:*","Resource":"arn:aws:s3:::b","Condition":{{"NotIpAddress":{{"aws:SourceIp":"300.1.1.1/40"}}}}"#
            ),
            "Invalid IP address in Conditions",
        ),
    ] {
        let error = refused(kind, &format!(r#"{{"Version":"2012-10-17","Statement":[{{{statement}}}]}}"#));
        assert!(error.message().starts_with(words), "{kind:?} {statement}: {error}");
    }
    let text = r#"{"Version":"x","Statement":[]}"#;
    for (kind, words) in [
        (Identity, "Syntax errors in policy."),
        (Bucket, "The policy must contain a valid version string"),
        (Trust, "The policy must contain a valid version string"),
    ] {
        assert!(refused(kind, text).message().starts_with(words), "{kind:?}");
    }
    let empty = r#"{"Version":"2012-10-17","Statement":[]}"#;
    assert!(refused(Bucket, empty).message().starts_with("Could not parse the policy: Statement is empty!"));
    assert!(refused(Trust, "{").message().starts_with("This policy contains invalid Json"));
    assert!(refused(Trust, "[]").message().starts_with("This policy contains invalid Json"));
    // AWS's message does not mention the underscore, but AWS accepts it. S3 accepts any text.
    for (kind, statement) in [
        (Identity, r#""Sid":"a_1","Effect":"Allow","Action":"s3:*","Resource":"*""#),
        (
            Identity,
            r#""Sid":"","Effect":"Allow","Action":"s3:*","Resource":"*"},{"Sid":"","Effect":"Allow","Action":"s3:*","Resource":"*""#,
        ),
        (Bucket, r#""Sid":"to all","Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::b""#),
    ] {
        let text = format!(r#"{{"Version":"2012-10-17","Statement":[{{{statement}}}]}}"#);
        assert!(Policy::parse(kind, &text).is_ok(), "{text}");
    }
}

#[test]
fn bucket_policies_name_only_their_own_bucket() {
    let text = |principal: &str, action: &str, resource: &str, condition: &str| {
        format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{principal},"Action":{action},"Resource":{resource}{condition}}}]}}"#
        )
    };
    let own = r#"["arn:aws:s3:::b","arn:aws:s3:::b/*"]"#;
    for (principal, action, resource, condition, want) in [
        ("\"*\"", r#""s3:*""#, own, "", None),
        ("\"*\"", r#""s3:*""#, r#""arn:aws:s3:::b*""#, "", None),
        ("\"*\"", r#""s3:*""#, r#""arn:aws:s3:::bb/*""#, "", Some("Policy has invalid resource")),
        ("\"*\"", r#""s3:*""#, r#""arn:aws:s3:::*""#, "", Some("Policy has invalid resource")),
        ("\"*\"", r#""s3:*""#, r#""*""#, "", Some("Policy has invalid resource")),
        (
            "\"*\"",
            r#""s3:GetObject""#,
            r#""arn:aws:s3:::b""#,
            "",
            Some("Action does not apply to any resource(s) in statement"),
        ),
        (
            "\"*\"",
            r#""s3:ListBucket""#,
            r#""arn:aws:s3:::b/*""#,
            "",
            Some("Action does not apply to any resource(s) in statement"),
        ),
        ("\"*\"", r#""s3:GetObjects""#, own, "", Some("did you mean `s3:GetObject`?")),
        ("\"*\"", r#""iam:*""#, own, "", Some("Policy has invalid action")),
        ("\"*\"", r#""s3:ListBucket""#, own, r#","Condition":{"StringLike":{"s3:prefix":"a/*"}}"#, None),
        (
            "\"*\"",
            r#"["s3:ListBucket","s3:GetObject"]"#,
            own,
            r#","Condition":{"StringLike":{"s3:prefix":"a/*"}}"#,
            Some("Conditions do not apply to combination of actions and resources in statement"),
        ),
        (
            "\"*\"",
            r#""s3:ListBucket""#,
            own,
            r#","Condition":{"StringLike":{"s3:prefx":"a/*"}}"#,
            Some("did you mean `s3:prefix`?"),
        ),
        (
            "\"*\"",
            r#""s3:GetObject""#,
            own,
            r#","Condition":{"Bool":{"aws:SecureTransport":"yes"}}"#,
            Some("`yes` is not true or false"),
        ),
        ("\"*\"", r#""s3:GetObject""#, own, r#","Condition":{"StringEquals":{"s3:ExistingObjectTag/a":"b"}}"#, None),
        (r#"{"AWS":"arn:aws:iam:::user/u"}"#, r#""s3:*""#, own, "", Some("Invalid principal in policy")),
        (r#"{"AWS":"AIDAEXAMPLE"}"#, r#""s3:*""#, own, "", Some("Invalid principal in policy")),
        (r#"{"Aws":"111122223333"}"#, r#""s3:*""#, own, "", Some("did you mean `AWS`?")),
        (r#"{"Service":"*"}"#, r#""s3:*""#, own, "", Some("logging.s3.amazonaws.com")),
        (
            r#"{"AWS":"arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity E1ABC"}"#,
            r#""s3:*""#,
            own,
            "",
            None,
        ),
        (
            r#"{"AWS":"arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity *"}"#,
            r#""s3:*""#,
            own,
            "",
            Some("Invalid principal in policy"),
        ),
        (
            r#"{"AWS":"arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity "}"#,
            r#""s3:*""#,
            own,
            "",
            Some("Invalid principal in policy"),
        ),
    ] {
        let text = text(principal, action, resource, condition);
        match (Policy::parse_bucket("b", &text), want) {
            (Ok(_), None) => {}
            (Err(error), Some(want)) if error.code() == "MalformedPolicy" && error.message().contains(want) => {}
            (got, _) => panic!("{text}: {want:?} is expected, not {got:?}"),
        }
    }
    // Without the bucket's name, all resources have to name the same bucket.
    assert!(Policy::parse(PolicyKind::Bucket, &text("\"*\"", r#""s3:*""#, own, "")).is_ok());
    assert!(
        Policy::parse(PolicyKind::Bucket, &text("\"*\"", r#""s3:*""#, r#"["arn:aws:s3:::b","arn:aws:s3:::c"]"#, ""))
            .is_err()
    );
}

#[test]
fn principals_that_a_policy_may_name() {
    for (kind, name, want) in [
        ("AWS", "*", true),
        ("AWS", "111122223333", true),
        ("AWS", "arn:aws:iam::111122223333:root", true),
        ("AWS", "arn:aws:iam::111122223333:user/alice", true),
        ("AWS", "arn:aws:iam::111122223333:user/a/b/alice", true),
        ("AWS", "arn:aws:iam::111122223333:role/a/app", true),
        ("AWS", "arn:aws-cn:iam::111122223333:role/app", false),
        ("AWS", "arn:aws:sts::111122223333:assumed-role/app/s1", true),
        ("AWS", "arn:aws:sts::111122223333:federated-user/bob", true),
        ("AWS", "", false),
        ("AWS", "alice", false),
        ("AWS", "11112222333", false),
        ("AWS", "1111222233334", false),
        ("AWS", "11112222333x", false),
        ("AWS", "arx:aws:iam::111122223333:root", false),
        ("AWS", "arn:gcp:iam::111122223333:root", false),
        ("AWS", "arn:aws:iam:us-east-1:111122223333:root", false),
        ("AWS", "arn:aws:iam::1111:root", false),
        ("AWS", "arn:aws:iam:::root", false),
        ("AWS", "arn:aws:iam::111122223333:rooted", false),
        ("AWS", "arn:aws:iam::111122223333:root/", false),
        ("AWS", "arn:aws:iam::111122223333:root/x", false),
        ("AWS", "arn:aws:sts::111122223333:root", false),
        ("AWS", "arn:aws:iam::111122223333:user", false),
        ("AWS", "arn:aws:iam::111122223333:user/", false),
        ("AWS", "arn:aws:iam::111122223333:user/a/", false),
        ("AWS", "arn:aws:iam::111122223333:user/al*", false),
        ("AWS", "arn:aws:iam::111122223333:user/al?ce", false),
        ("AWS", "arn:aws:iam::111122223333:role", false),
        ("AWS", "arn:aws:iam::111122223333:role/", false),
        ("AWS", "arn:aws:iam::111122223333:role/a/", false),
        ("AWS", "arn:aws:iam::111122223333:group/g", false),
        ("AWS", "arn:aws:sts::111122223333:user/alice", false),
        ("AWS", "arn:aws:sts::111122223333:assumed-role/app", false),
        ("AWS", "arn:aws:sts::111122223333:assumed-role/app/", false),
        ("AWS", "arn:aws:sts::111122223333:assumed-role//s1", false),
        ("AWS", "arn:aws:sts::111122223333:assumed-role/a/app/s1", false),
        ("AWS", "arn:aws:iam::111122223333:assumed-role/app/s1", false),
        ("AWS", "arn:aws:sts::111122223333:federated-user/", false),
        ("AWS", "arn:aws:iam::111122223333:federated-user/bob", false),
        ("Service", "logging.s3.amazonaws.com", true),
        ("Service", "logging", false),
        ("Service", "*.amazonaws.com", false),
        ("Service", "s?.amazonaws.com", false),
        ("Service", "s3 .amazonaws.com", false),
        ("Federated", "accounts.google.com", true),
        ("Federated", "arn:aws:iam::111122223333:oidc-provider/idp.example.com", true),
        ("Federated", "arn:aws:iam::111122223333:saml-provider/corp", true),
        ("Federated", "arn:aws:iam::111122223333:oidc-provider/localhost:8080/auth", true),
        ("Federated", "arn:aws:iam::111122223333:oidc-provider/*", false),
        ("Federated", "arn:aws:iam::111122223333:saml-provider/*", false),
        ("Federated", "arx:aws:iam::111122223333:saml-provider/corp", false),
        ("Federated", "arn:aws:iam::111122223333:provider/corp", false),
        ("Federated", "google", false),
        ("CanonicalUser", "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be", true),
        ("CanonicalUser", "79A59DF900B949E55D96A1E698FBACEDFD6E09D98EACF8F8D5218E7CD47EF2BE", true),
        ("CanonicalUser", "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2b", false),
        ("CanonicalUser", "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2bg", false),
    ] {
        let text = format!(
            r#"{{"Statement":{{"Effect":"Deny","Principal":{{"{kind}":"{name}"}},"Action":"s3:*","Resource":"arn:aws:s3:::b/*"}}}}"#
        );
        assert_eq!(Policy::parse_bucket("b", &text).is_ok(), want, "{kind} `{name}`");
    }
}

#[test]
fn sizes_are_bounded() {
    let padded = |spaces: usize, letters: usize| {
        let sid = "x".repeat(letters);
        format!(
            r#"{{"Version":"2012-10-17",{}"Statement":[{{"Sid":"{sid}","Effect":"Allow","Action":"s3:*","Resource":"*"}}]}}"#,
            " ".repeat(spaces)
        )
    };
    let bare = padded(0, 0).len();
    assert!(Policy::parse(PolicyKind::Identity, &padded(10_000, 6_144 - bare)).is_ok());
    assert_eq!(refused(PolicyKind::Identity, &padded(0, 6_145 - bare)).code(), "LimitExceeded");
    assert!(Policy::parse_sized(PolicyKind::Identity, &padded(0, 6_145 - bare), 10_240).is_ok());
    assert!(Policy::parse(PolicyKind::Session, &padded(0, 2_048 - bare)).is_ok());
    assert_eq!(refused(PolicyKind::Session, &padded(1, 2_048 - bare)).code(), "ValidationError");
    assert_eq!(refused(PolicyKind::Bucket, &padded(20_481 - bare, 0)).code(), "MalformedPolicy");
    assert!(Policy::parse_stored(PolicyKind::Identity, &padded(0, 100_000)).is_ok());
    for (kind, words) in [
        (PolicyKind::Identity, "Cannot exceed quota for PolicySize: 6144"),
        (PolicyKind::Trust, "Cannot exceed quota for ACLSizePerRole: 2048"),
        (PolicyKind::Session, "1 validation error detected: Value at 'policy' failed to satisfy constraint"),
        (PolicyKind::Bucket, "The policy is larger than the 20480 bytes allowed"),
    ] {
        let error = refused(kind, &padded(0, 30_000));
        assert!(error.message().starts_with(words), "{kind:?}: {error}");
    }
}

#[test]
fn stored_documents_need_only_the_grammar() {
    for (kind, text, want) in [
        (PolicyKind::Identity, r#"{"Statement":{"Effect":"Allow","Action":"s3:Nope","Resource":"x"}}"#, true),
        (PolicyKind::Bucket, r#"{"Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}"#, true),
        (
            PolicyKind::Bucket,
            r#"{"Statement":{"Effect":"Allow","Principal":"","Action":"s3:*","Resource":"*"}}"#,
            false,
        ),
        (
            PolicyKind::Bucket,
            r#"{"Statement":{"Effect":"Allow","Principal":[],"Action":"s3:*","Resource":"*"}}"#,
            false,
        ),
        (
            PolicyKind::Identity,
            r#"{"Version":"2020-01-01","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}"#,
            false,
        ),
        (
            PolicyKind::Identity,
            r#"{"Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"Like":{"a:b":"c"}}}}"#,
            false,
        ),
    ] {
        assert_eq!(Policy::parse_stored(kind, text).is_ok(), want, "{text}");
    }
}

#[test]
fn findings() {
    let identity = |members: &str| format!(r#"{{"Version":"2012-10-17","Statement":[{{{members}}}]}}"#);
    use PolicyKind::*;
    use Severity::*;
    let fixed = r#""Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*""#;
    for (kind, text, want) in [
        (Identity, identity(fixed), vec![]),
        (Identity, identity(r#""Effect":"Allow","Action":"s3:GetObjct","Resource":"*""#), vec![(Error, "Statement[0].Action[0]", "write `s3:GetObject`")]),
        (
            Identity,
            identity(r#""Effect":"Allow","Action":["s3:Get*","s3:GetObject"],"Resource":"*""#),
            vec![(Suggestion, "Statement[0].Action[1]", "leave it out")],
        ),
        (
            Identity,
            identity(r#""Effect":"Allow","NotAction":"iam:*","Resource":"*""#),
            vec![(SecurityWarning, "Statement[0].NotAction", "name the actions")],
        ),
        (
            Identity,
            identity(r#""Effect":"Allow","Action":"s3:GetObject","NotResource":"arn:aws:s3:::b/*""#),
            vec![(SecurityWarning, "Statement[0].NotResource", "name the resources")],
        ),
        (Identity, identity(r#""Effect":"Allow","Action":"iam:PassRole","Resource":"*""#), vec![(SecurityWarning, "Statement[0].Resource", "iam:PassRole")]),
        (
            Identity,
            identity(&format!(r#"{fixed},"Condition":{{"StringEquals":{{"aws:username":"a*"}}}}"#)),
            vec![(Warning, "Statement[0].Condition.StringEquals.aws:username", "StringLike")],
        ),
        (
            Identity,
            identity(&format!(r#"{fixed},"Condition":{{"StringLike":{{"aws:TagKeys":"a*"}}}}"#)),
            vec![(Error, "Statement[0].Condition.StringLike.aws:TagKeys", "ForAnyValue:StringLike")],
        ),
        (
            Identity,
            identity(&format!(r#"{fixed},"Condition":{{"ForAllValues:StringLike":{{"aws:TagKeys":"a*"}}}}"#)),
            vec![(SecurityWarning, "Statement[0].Condition.ForAllValues:StringLike.aws:TagKeys", "Null")],
        ),
        (
            Identity,
            identity(&format!(r#"{fixed},"Condition":{{"ForAllValues:StringLike":{{"aws:TagKeys":"a*"}},"Null":{{"aws:tagkeys":"false"}}}}"#)),
            vec![],
        ),
        (
            Identity,
            identity(&format!(r#"{fixed},"Condition":{{"NumericEquals":{{"s3:max-keys":"many"}}}}"#)),
            vec![(Error, "Statement[0].Condition.NumericEquals.s3:max-keys", "a number")],
        ),
        (
            Identity,
            identity(&format!(r#"{fixed},"Condition":{{"StringEquals":{{"aws:usrname":"a"}}}}"#)),
            vec![(Error, "Statement[0].Condition.StringEquals.aws:usrname", "write `aws:username`")],
        ),
        (
            Identity,
            identity(r#""Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/${aws:usrname}/*""#),
            vec![(Error, "Statement[0].Resource[0]", "${aws:username}")],
        ),
        (
            Identity,
            identity(r#""Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/${aws:username""#),
            vec![(Error, "Statement[0].Resource[0]", "${aws:username}")],
        ),
        (
            Trust,
            r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole"}}"#.to_owned(),
            vec![(SecurityWarning, "Statement.Principal", "name the accounts")],
        ),
        (
            Trust,
            r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Federated":"accounts.google.com"},"Action":"sts:AssumeRoleWithWebIdentity"}}"#
                .to_owned(),
            vec![(SecurityWarning, "Statement.Principal.Federated", "`aud`")],
        ),
        (
            Bucket,
            r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}}"#.to_owned(),
            vec![(SecurityWarning, "", "name the principals")],
        ),
        (
            Bucket,
            r#"{"Statement":{"Effect":"Deny","NotPrincipal":{"AWS":"111122223333"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::b/${aws:username}"}}"#
                .to_owned(),
            vec![(Warning, "Version", "2012-10-17"), (Warning, "Statement.NotPrincipal", "ArnNotEquals"), (Error, "Statement.Resource[0]", "2012-10-17")],
        ),
        (Bucket, "{".to_owned(), vec![(Error, "line 1 column 1", "correct this")]),
        (
            Identity,
            identity(r#""Effect":"Allow","Action":["s3:GetObject","s3:getobject"],"Resource":"*""#),
            vec![(Suggestion, "Statement[0].Action[1]", "leave it out")],
        ),
        (
            Identity,
            identity(r#""Effect":"Allow","Action":["s3:GetObject","s3:*"],"Resource":"*""#),
            vec![(Suggestion, "Statement[0].Action[0]", "leave it out")],
        ),
        (Identity, identity(r#""Effect":"Deny","Action":["s3:GetObject","s3:*"],"Resource":"*""#), vec![]),
        (
            Identity,
            identity(r#""Effect":"Allow","Action":["s3:ListBucket","s3:GetObject","s3:Put*"],"Resource":"arn:aws:s3:::reef""#),
            vec![(Warning, "Statement[0].Action[1]", "arn:aws:s3:::bucket/*")],
        ),
        (
            Session,
            identity(r#""Effect":"Deny","Action":"s3:ListBucket","Resource":"arn:aws:s3:::reef/*""#),
            vec![(Warning, "Statement[0].Action[0]", "name the bucket")],
        ),
        (
            Identity,
            identity(r#""Effect":"Allow","Action":["iam:GetUser","s3:List*"],"Resource":"arn:aws:s3:::reef""#),
            vec![(Warning, "Statement[0].Action[0]", "arn:aws:iam::")],
        ),
        (Identity, identity(r#""Effect":"Allow","Action":"s3:ListBucket","Resource":["arn:aws:s3:::b*/x","arn:aws:s3:::c/x"]"#), vec![]),
        (Identity, identity(r#""Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::${aws:username}""#), vec![]),
        (Identity, identity(r#""Effect":"Allow","Action":["s3:ListAllMyBuckets","iam:ListUsers"],"Resource":"arn:aws:s3:::*""#), vec![]),
        (Identity, identity(r#""Effect":"Allow","Action":["s3:GetObject","iam:GetUser"],"Resource":["arn:aws:s3:::b/*","arn:aws:iam::111122223333:user/*"]"#), vec![]),
        (Identity, identity(r#""Effect":"Allow","Action":"sts:AssumeRole","Resource":"arn:aws:iam::000000000000:role/r""#), vec![]),
        (
            Identity,
            identity(r#""Effect":"Allow","NotAction":["s3:GetObject","s3:*"],"Resource":"*""#),
            vec![(SecurityWarning, "Statement[0].NotAction", "name the actions")],
        ),
        (Identity, identity(r#""Effect":"Allow","Action":["ec2:Run*","ec2:*"],"Resource":"*""#), vec![]),
        (Identity, identity(r#""Effect":"Allow","Action":"sts:Nope","Resource":"*""#), vec![(Error, "Statement[0].Action[0]", "")]),
        (Boundary, identity(r#""Effect":"Allow","NotAction":"iam:*","Resource":"*""#), vec![]),
        (Identity, identity(r#""Effect":"Deny","NotAction":"iam:*","Resource":"*""#), vec![]),
        (Identity, identity(r#""Effect":"Deny","Action":"s3:GetObject","NotResource":"arn:aws:s3:::b/*""#), vec![]),
        (Identity, identity(r#""Effect":"Allow","Action":"*","Resource":"*""#), vec![(SecurityWarning, "Statement[0].Resource", "iam:PassRole")]),
        (Identity, identity(r#""Effect":"Allow","Action":"iam:*","Resource":"*""#), vec![(SecurityWarning, "Statement[0].Resource", "iam:PassRole")]),
        (Boundary, identity(r#""Effect":"Allow","Action":"*","Resource":"*""#), vec![]),
        (Identity, identity(r#""Effect":"Deny","Action":"iam:PassRole","Resource":"*""#), vec![]),
        (Identity, identity(r#""Effect":"Allow","Action":"iam:PassRole","Resource":"arn:aws:iam::111122223333:role/a""#), vec![]),
        (Identity, identity(r#""Effect":"Allow","Action":"iam:GetRole","Resource":"*""#), vec![]),
        (
            Identity,
            identity(r#""Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3""#),
            vec![(Warning, "Statement[0].Resource[0]", "in full")],
        ),
        (
            Identity,
            identity(&format!(r#"{fixed},"Condition":{{"StringEquals":{{"aws:username":[]}}}}"#)),
            vec![(Warning, "Statement[0].Condition.StringEquals.aws:username", "add values")],
        ),
        (Identity, identity(&format!(r#"{fixed},"Condition":{{"StringEquals":{{"aws:username":"a${{*}}"}}}}"#)), vec![]),
        (Identity, identity(&format!(r#"{fixed},"Condition":{{"StringLike":{{"aws:username":"a*"}}}}"#)), vec![]),
        (Identity, identity(&format!(r#"{fixed},"Condition":{{"Null":{{"aws:TagKeys":"true"}}}}"#)), vec![]),
        (Identity, identity(&format!(r#"{fixed},"Condition":{{"ForAnyValue:StringLike":{{"aws:TagKeys":"a*"}}}}"#)), vec![]),
        (
            Identity,
            identity(&format!(r#"{fixed},"Condition":{{"ForAllValues:StringLike":{{"aws:TagKeys":"a*"}},"Null":{{"aws:TagKeys":"true"}}}}"#)),
            vec![(SecurityWarning, "Statement[0].Condition.ForAllValues:StringLike.aws:TagKeys", "Null")],
        ),
        (
            Identity,
            identity(&format!(r#"{fixed},"Condition":{{"ForAllValues:StringLike":{{"aws:TagKeys":"a*"}},"Null":{{"aws:username":"false"}}}}"#)),
            vec![(SecurityWarning, "Statement[0].Condition.ForAllValues:StringLike.aws:TagKeys", "Null")],
        ),
        (
            Identity,
            identity(r#""Effect":"Deny","Action":"s3:GetObject","Resource":"*","Condition":{"ForAllValues:StringLike":{"aws:TagKeys":"a*"}}"#),
            vec![],
        ),
        (
            Identity,
            identity(&format!(r#"{fixed},"Condition":{{"StringEquals":{{"s3:prefix":"${{aws:usrname}}"}},"ArnLike":{{"aws:SourceArn":"arn:aws:s3:::${{aws:usrname}}"}}}}"#)),
            vec![
                (Error, "Statement[0].Condition.StringEquals.s3:prefix", "${aws:username}"),
                (Error, "Statement[0].Condition.ArnLike.aws:SourceArn", "${aws:username}"),
            ],
        ),
        (
            Identity,
            identity(&format!(r#"{fixed},"Condition":{{"DateLessThan":{{"aws:CurrentTime":"soon"}},"Bool":{{"aws:SecureTransport":"yes"}},"IpAddress":{{"aws:SourceIp":"home"}},"BinaryEquals":{{"a:b":"!"}}}}"#)),
            vec![
                (Error, "Statement[0].Condition.DateLessThan.aws:CurrentTime", "correct this"),
                (Error, "Statement[0].Condition.DateLessThan.aws:CurrentTime", "a date"),
                (Error, "Statement[0].Condition.Bool.aws:SecureTransport", "true or false"),
                (Error, "Statement[0].Condition.IpAddress.aws:SourceIp", "203.0.113.0/24"),
                (Error, "Statement[0].Condition.BinaryEquals.a:b", "base-64"),
            ],
        ),
        (
            Trust,
            r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-1"}}}}"#.to_owned(),
            vec![],
        ),
        (Trust, r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Principal":"*","Action":"sts:AssumeRole"}}"#.to_owned(), vec![]),
        (Trust, r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"sts:AssumeRole"}}"#.to_owned(), vec![]),
        (
            Trust,
            r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Federated":"accounts.google.com"},"Action":"sts:AssumeRoleWithWebIdentity","Condition":{"StringEquals":{"accounts.google.com:SUB":"1"}}}}"#.to_owned(),
            vec![],
        ),
        (
            Trust,
            r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Federated":"arn:aws:iam::111122223333:saml-provider/p"},"Action":"sts:AssumeRoleWithSAML","Condition":{"StringEquals":{"SAML:iss":"x"}}}}"#.to_owned(),
            vec![],
        ),
        (
            Trust,
            r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Principal":{"Federated":"accounts.google.com"},"Action":"sts:AssumeRoleWithWebIdentity"}}"#.to_owned(),
            vec![],
        ),
        (
            Bucket,
            r#"{"Version":"2012-10-17","Statement":[{"Sid":"A","Effect":"Deny","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"},{"Sid":"B","Effect":"Deny","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"},{"Sid":"A","Effect":"Deny","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}]}"#.to_owned(),
            vec![(Warning, "Statement[2].Sid", "of its own")],
        ),
    ] {
        let found = validate(kind, None, &text);
        let shown: Vec<_> = found.iter().map(|finding| (finding.severity, finding.path.as_str())).collect();
        let wanted: Vec<_> = want.iter().map(|(severity, path, _)| (*severity, *path)).collect();
        assert_eq!(shown, wanted, "{text}: {found:#?}");
        for (finding, (_, _, advice)) in found.iter().zip(&want) {
            assert!(finding.advice.contains(advice), "{text}: {finding:#?}");
        }
    }
    assert_eq!(validate(Bucket, Some("c"), &identity(fixed))[0].severity, Error);
}

/// S3 User Guide, "The meaning of public".
#[test]
fn public_or_not() {
    for (principal, condition, want) in [
        ("\"*\"", "", true),
        (r#"{"AWS":"*"}"#, "", true),
        (r#"{"AWS":["111122223333","*"]}"#, "", true),
        (r#"{"AWS":"111122223333"}"#, "", false),
        (r#"{"Service":"logging.s3.amazonaws.com"}"#, "", false),
        // The page's first example.
        (r#"{"Federated":"graph.facebook.com"}"#, "", true),
        (r#"{"Federated":"graph.facebook.com"}"#, r#"{"StringEquals":{"aws:SourceVpc":"vpc-1"}}"#, false),
        (r#"{"CanonicalUser":"79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be"}"#, "", false),
        ("\"*\"", r#"{"StringEquals":{"aws:SourceVpc":"vpc-1"}}"#, false),
        ("\"*\"", r#"{"StringEquals":{"AWS:sourcevpc":["vpc-1","vpc-2"]}}"#, false),
        ("\"*\"", r#"{"StringLike":{"aws:SourceVpc":"vpc-*"}}"#, true),
        ("\"*\"", r#"{"StringLike":{"aws:SourceVpc":["vpc-1","vpc-?"]}}"#, true),
        ("\"*\"", r#"{"StringEqualsIfExists":{"aws:SourceVpc":"vpc-1"}}"#, true),
        ("\"*\"", r#"{"StringNotEquals":{"aws:SourceVpc":"vpc-1"}}"#, true),
        ("\"*\"", r#"{"ForAllValues:StringEquals":{"aws:PrincipalOrgPaths":"o-1/"}}"#, true),
        ("\"*\"", r#"{"ForAnyValue:StringEquals":{"aws:PrincipalOrgPaths":"o-1/"}}"#, false),
        ("\"*\"", r#"{"StringEquals":{"aws:SourceAccount":"${aws:PrincipalAccount}"}}"#, true),
        ("\"*\"", r#"{"StringEquals":{"aws:UserAgent":"x"}}"#, true),
        ("\"*\"", r#"{"StringEquals":{"aws:UserAgent":"x","aws:SourceVpce":"v"}}"#, false),
        ("\"*\"", r#"{"ArnEquals":{"aws:SourceArn":"arn:aws:sns:us-east-1:111122223333:t"}}"#, false),
        ("\"*\"", r#"{"ArnLike":{"aws:SourceArn":"arn:aws:sns:*:*:t"}}"#, true),
        ("\"*\"", r#"{"IpAddress":{"aws:SourceIp":"203.0.113.0/24"}}"#, false),
        ("\"*\"", r#"{"IpAddress":{"aws:SourceIp":["203.0.113.0/24","0.0.0.0/1"]}}"#, true),
        ("\"*\"", r#"{"IpAddress":{"aws:SourceIp":"::/0"}}"#, true),
        ("\"*\"", r#"{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}"#, false),
        ("\"*\"", r#"{"IpAddress":{"aws:SourceIp":"12.0.0.0/7"}}"#, true),
        ("\"*\"", r#"{"IpAddress":{"aws:SourceIp":"::ffff:10.0.0.0/104"}}"#, false),
        ("\"*\"", r#"{"IpAddress":{"aws:SourceIp":"2001::/31"}}"#, true),
        ("\"*\"", r#"{"IpAddress":{"aws:SourceIp":"2001:db8::/32"}}"#, false),
        (
            "\"*\"",
            r#"{"StringLike":{"s3:DataAccessPointArn":"arn:aws:s3:us-east-1:111122223333:accesspoint/*"}}"#,
            false,
        ),
        ("\"*\"", r#"{"StringLike":{"s3:DataAccessPointArn":"arn:aws:s3:us-east-1:*:accesspoint/*"}}"#, true),
    ] {
        let condition = if condition.is_empty() { String::new() } else { format!(r#","Condition":{condition}"#) };
        let text = format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{principal},"Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"{condition}}}]}}"#
        );
        assert_eq!(Policy::parse_stored(PolicyKind::Bucket, &text).unwrap().is_public(), want, "{text}");
    }
}

/// In new documents, S3 means the first byte literally.
#[test]
fn nothing_precedes_the_brace_of_a_bucket_policy() {
    let text = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}]}"#;
    for (before, after, accepted) in [("", "\n", true), ("\n", "", false), (" ", "", false), ("\u{feff}", "", false)] {
        let text = format!("{before}{text}{after}");
        match Policy::parse_bucket("b", &text) {
            Ok(_) => assert!(accepted, "{text:?}"),
            Err(error) => {
                assert!(!accepted, "{text:?}: {error}");
                assert_eq!((error.code(), error.path()), ("MalformedPolicy", "line 1 column 1"), "{text:?}");
                assert!(error.message().starts_with("Policies must be valid JSON and the first byte must be '{'"));
            }
        }
    }
    assert!(Policy::parse_stored(PolicyKind::Bucket, &format!("\n {text}")).is_ok());
}

#[test]
fn context_keys_are_listed_once() {
    let text = r#"{"Version":"2012-10-17","Statement":[
        {"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::b/${aws:username}/*","Condition":{"StringLike":{"s3:prefix":"${aws:PrincipalTag/team}"}}},
        {"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"Bool":{"S3:Prefix":"true","aws:SecureTransport":"true"}}}]}"#;
    let keys = Policy::parse(PolicyKind::Identity, text).unwrap().context_keys();
    assert_eq!(keys, ["s3:prefix", "aws:SecureTransport", "aws:principaltag/team", "aws:username"]);
}

#[test]
fn unknown_keys_are_listed() {
    let text = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{
        "StringEquals":{"s3:prefx":"a","s3:prefix":"a","aws:PrincipalTag/x":"1","saml:aud":"x"}}}]}"#;
    assert_eq!(Policy::parse_stored(PolicyKind::Identity, text).unwrap().unknown_keys(), ["s3:prefx"]);
}
