//! Every row of the corpus: the permissions that a request needs and the condition keys that it sets.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test that fails may panic")]

use std::collections::BTreeSet;

use s3::{QueryCaller, query_requirements};
use serde_json::Value;

const CORPUS: &str = include_str!("corpus/request-actions.jsonl");

fn pairs(value: &Value) -> BTreeSet<(String, String)> {
    let text = |one: &Value, name: &str| one[name].as_str().unwrap_or_default().to_owned();
    value.as_array().into_iter().flatten().map(|one| (text(one, "action"), text(one, "resource"))).collect()
}

#[test]
fn every_row_of_the_corpus_agrees() {
    let mut rows = 0;
    for line in CORPUS.lines().filter(|line| !line.trim().is_empty()) {
        rows += 1;
        let row: Value = serde_json::from_str(line).unwrap();
        let answer: Value = serde_json::from_str(&s3::cases::actions_line(line)).unwrap();
        assert_eq!(answer["id"], row["id"]);
        assert!(answer.get("error").is_none(), "{answer}");
        assert_eq!(answer["operation"], row["op"], "{}", row["id"]);
        assert_eq!(pairs(&answer["requires"]), pairs(&row["requires"]), "{}", row["id"]);
        if row.get("conditional").is_some() {
            assert_eq!(pairs(&answer["conditional"]), pairs(&row["conditional"]), "{}", row["id"]);
        }
        for (key, value) in row["context"].as_object().into_iter().flatten() {
            assert_eq!(&answer["context"][key], value, "{} {key}", row["id"]);
        }
    }
    assert_eq!(rows, 71);
}

/// A row is the text in `head`, a JSON object without braces; `requires` are `action resource`.
fn check(row: &str, requires: &[&str], context: &[(&str, Value)]) {
    let answer: Value = serde_json::from_str(&s3::cases::actions_line(&format!("{{\"id\":1,{row}}}"))).unwrap();
    assert!(answer.get("error").is_none(), "{row}: {answer}");
    let got: BTreeSet<String> =
        pairs(&answer["requires"]).into_iter().map(|(action, resource)| format!("{action} {resource}")).collect();
    assert_eq!(got, requires.iter().map(|one| (*one).to_owned()).collect(), "{row}");
    for (key, value) in context {
        assert_eq!(&answer["context"][key], value, "{row}: {key}");
    }
}

#[test]
fn permissions_beyond_the_corpus() {
    use serde_json::json;
    let b = r#""path":"/bkt""#;
    let o = r#""path":"/bkt/k""#;
    check(
        &format!(
            r#""method":"PUT",{b},"body":"<CreateBucketConfiguration><LocationConstraint>eu-west-1</LocationConstraint><Tags><Tag><Key>a</Key><Value>1</Value></Tag></Tags></CreateBucketConfiguration>""#
        ),
        &["s3:CreateBucket arn:aws:s3:::bkt", "s3:TagResource arn:aws:s3:::bkt"],
        &[
            ("s3:LocationConstraint", json!("eu-west-1")),
            ("aws:RequestTag/a", json!("1")),
            ("aws:TagKeys", json!(["a"])),
        ],
    );
    check(
        &format!(r#""method":"PUT",{b},"headers":{{"x-amz-acl":"private","x-amz-object-ownership":"ObjectWriter"}}"#),
        &[
            "s3:CreateBucket arn:aws:s3:::bkt",
            "s3:PutBucketAcl arn:aws:s3:::bkt",
            "s3:PutBucketOwnershipControls arn:aws:s3:::bkt",
        ],
        &[("s3:x-amz-acl", json!("private")), ("s3:x-amz-object-ownership", json!("ObjectWriter"))],
    );
    check(
        &format!(
            r#""method":"PUT",{o},"query":{{"partNumber":"1","uploadId":"u"}},"headers":{{"x-amz-copy-source":"src/a%20b?versionId=v9"}}"#
        ),
        &["s3:GetObjectVersion arn:aws:s3:::src/a b", "s3:PutObject arn:aws:s3:::bkt/k"],
        &[("s3:ObjectCreationOperation", json!("false")), ("s3:VersionId", json!("v9"))],
    );
    check(
        &format!(
            r#""method":"DELETE",{o},"query":{{"versionId":"v1"}},"headers":{{"x-amz-bypass-governance-retention":"true"}}"#
        ),
        &["s3:DeleteObjectVersion arn:aws:s3:::bkt/k", "s3:BypassGovernanceRetention arn:aws:s3:::bkt/k"],
        &[("s3:VersionId", json!("v1"))],
    );
    check(
        &format!(
            r#""method":"PUT",{o},"query":{{"retention":""}},"headers":{{"x-amz-bypass-governance-retention":"true"}},"body":"<Retention><Mode>GOVERNANCE</Mode><RetainUntilDate>2030-01-01T00:00:00Z</RetainUntilDate></Retention>""#
        ),
        &["s3:PutObjectRetention arn:aws:s3:::bkt/k", "s3:BypassGovernanceRetention arn:aws:s3:::bkt/k"],
        &[
            ("s3:object-lock-mode", json!("GOVERNANCE")),
            ("s3:object-lock-retain-until-date", json!("2030-01-01T00:00:00Z")),
        ],
    );
    check(
        &format!(
            r#""method":"PUT",{o},"query":{{"tagging":"","versionId":"v1"}},"body":"<Tagging><TagSet><Tag><Key>a</Key><Value>1</Value></Tag></TagSet></Tagging>""#
        ),
        &["s3:PutObjectVersionTagging arn:aws:s3:::bkt/k"],
        &[("s3:RequestObjectTag/a", json!("1")), ("s3:RequestObjectTagKeys", json!(["a"]))],
    );
    // A parameter that belongs to listings sets no key elsewhere.
    check(
        &format!(r#""method":"GET",{o},"query":{{"prefix":"p","max-keys":"1"}}"#),
        &["s3:GetObject arn:aws:s3:::bkt/k"],
        &[("s3:prefix", Value::Null), ("s3:max-keys", Value::Null)],
    );
    // Decoded once: no second spelling passes a condition.
    check(
        &format!(r#""method":"PUT",{o},"headers":{{"x-amz-copy-source":"%73rc/a"}}"#),
        &["s3:GetObject arn:aws:s3:::src/a", "s3:PutObject arn:aws:s3:::bkt/k"],
        &[("s3:x-amz-copy-source", json!("/src/a"))],
    );
    // However the header spells the source, policies see one spelling.
    for source in ["/src/a", "src%2Fa", "%2Fsrc/%61", "src/a"] {
        check(
            &format!(r#""method":"PUT",{o},"headers":{{"x-amz-copy-source":"{source}"}}"#),
            &["s3:GetObject arn:aws:s3:::src/a", "s3:PutObject arn:aws:s3:::bkt/k"],
            &[("s3:x-amz-copy-source", json!("/src/a"))],
        );
    }
    // A copy that keeps the tags of its source ignores the header.
    for (directive, tag) in [("COPY", Value::Null), ("REPLACE", json!("1"))] {
        check(
            &format!(
                r#""method":"PUT",{o},"headers":{{"x-amz-copy-source":"src/a","x-amz-tagging":"t=1","x-amz-tagging-directive":"{directive}"}}"#
            ),
            &[
                "s3:GetObject arn:aws:s3:::src/a",
                "s3:PutObject arn:aws:s3:::bkt/k",
                "s3:PutObjectTagging arn:aws:s3:::bkt/k",
            ],
            &[("s3:RequestObjectTag/t", tag)],
        );
    }
    // Keys that S3 has and a filer cannot hold are judged as AWS does: decoded once, never normalised.
    for (path, key) in [("a/../b", "a/../b"), ("a//b", "a//b"), ("/a", "/a"), ("a%2F.%2Fb", "a/./b"), ("%252e", "%2e")]
    {
        let requires = format!("s3:GetObject arn:aws:s3:::bkt/{key}");
        check(&format!(r#""method":"GET","path":"/bkt/{path}""#), &[&requires], &[]);
    }
    check(
        &format!(r#""method":"PUT",{o},"headers":{{"X-Amz-Copy-Source":"/src/a/..%2Fb?versionId=v9"}}"#),
        &["s3:GetObjectVersion arn:aws:s3:::src/a/../b", "s3:PutObject arn:aws:s3:::bkt/k"],
        &[("s3:x-amz-copy-source", json!("/src/a/../b?versionId=v9")), ("s3:VersionId", json!("v9"))],
    );
    check(
        &format!(
            r#""method":"POST",{b},"query":{{"delete":""}},"headers":{{"x-amz-bypass-governance-retention":"true"}},"body":"<Delete><Object><Key>../x</Key><VersionId>v1</VersionId></Object><Object><Key>y</Key></Object></Delete>""#
        ),
        &[
            "s3:BypassGovernanceRetention arn:aws:s3:::bkt/../x",
            "s3:BypassGovernanceRetention arn:aws:s3:::bkt/y",
            "s3:DeleteObject arn:aws:s3:::bkt/y",
            "s3:DeleteObjectVersion arn:aws:s3:::bkt/../x",
        ],
        &[],
    );
    // A DeleteObjects whose body was not read needs the permission on every key.
    check(&format!(r#""method":"POST",{b},"query":{{"delete":""}}"#), &["s3:DeleteObject arn:aws:s3:::bkt/*"], &[]);
}

/// Whether a tag matches says what the object holds, so comparing it takes the permission to read. `*` compares nothing.
#[test]
fn comparing_an_entity_tag_takes_the_permission_to_read() {
    let conditional = |row: &str| {
        let answer: Value = serde_json::from_str(&s3::cases::actions_line(&format!("{{\"id\":1,{row}}}"))).unwrap();
        assert!(answer.get("error").is_none(), "{row}: {answer}");
        pairs(&answer["conditional"]).contains(&("s3:GetObject".to_owned(), "arn:aws:s3:::bkt/k".to_owned()))
    };
    for (request, query, source) in [
        ("PUT", "{}", ""),
        ("DELETE", "{}", ""),
        ("POST", r#"{"uploadId":"u"}"#, ""),
        ("PUT", "{}", r#""x-amz-copy-source":"other/x","#),
    ] {
        for (etag, reads) in [(r#"\"e\""#, true), ("e", true), (r#"*, \"e\""#, true), ("*", false), (" * ", false)] {
            let row = format!(
                r#""method":"{request}","path":"/bkt/k","query":{query},"headers":{{{source}"If-Match":"{etag}"}}"#
            );
            assert_eq!(conditional(&row), reads, "{row}");
        }
    }
    let delete = |objects: &str| {
        format!(r#""method":"POST","path":"/bkt","query":{{"delete":""}},"body":"<Delete>{objects}</Delete>""#)
    };
    let of = |action: &str, key: &str| format!("s3:{action} arn:aws:s3:::bkt/{key}");
    let all = "<Object><Key>a</Key><ETag>e</ETag></Object><Object><Key>b</Key></Object>\
        <Object><Key>c</Key><ETag>*</ETag></Object><Object><Key>d</Key><VersionId>v</VersionId><ETag>e</ETag></Object>";
    let needs = [
        of("DeleteObject", "a"),
        of("GetObject", "a"),
        of("DeleteObject", "b"),
        of("DeleteObject", "c"),
        of("DeleteObjectVersion", "d"),
        of("GetObject", "d"),
    ];
    check(&delete(all), &needs.each_ref().map(String::as_str), &[]);
}

#[test]
fn the_kind_of_signature_is_a_condition_key() {
    use serde_json::json;
    let v4 = "AWS4-HMAC-SHA256";
    for (rest, auth_type, version) in [
        (r#""method":"GET","path":"/bkt/k""#, "REST-HEADER", v4),
        (
            r#""method":"GET","path":"/bkt/k","headers":{"Authorization":"AWS4-HMAC-SHA256 Credential=AK"}"#,
            "REST-HEADER",
            v4,
        ),
        (r#""method":"GET","path":"/bkt/k","headers":{"authorization":"AWS AK:c2ln"}"#, "REST-HEADER", "AWS"),
        (r#""method":"GET","path":"/bkt/k","query":{"X-Amz-Algorithm":"AWS4-HMAC-SHA256"}"#, "REST-QUERY-STRING", v4),
        (
            r#""method":"GET","path":"/bkt/k","query":{"AWSAccessKeyId":"AK","Expires":"1","Signature":"s"}"#,
            "REST-QUERY-STRING",
            "AWS",
        ),
    ] {
        let context = [("s3:authType", json!(auth_type)), ("s3:signatureversion", json!(version))];
        check(rest, &["s3:GetObject arn:aws:s3:::bkt/k"], &context);
    }
    let form = r#""method":"POST","path":"/bkt","headers":{"Content-Type":"multipart/form-data; boundary=x"}"#;
    check(form, &["s3:PutObject arn:aws:s3:::bkt/*"], &[("s3:authType", json!("POST"))]);
}

/// Comparing each parameter with each, or looking each tag up among all of them, takes minutes.
#[test]
fn a_call_with_many_tags_is_judged_soon() {
    let tags: String = (0..10_000).map(|i| format!("&Tags.member.{i}.Key=k{i}&Tags.member.{i}.Value=v{i}")).collect();
    let row = format!(
        r#"{{"id":1,"service":"iam","method":"POST","path":"/","body":"Action=CreateUser&UserName=bob{tags}"}}"#
    );
    let started = std::time::Instant::now();
    let answer: Value = serde_json::from_str(&s3::cases::actions_line(&row)).unwrap();
    assert!(started.elapsed() < std::time::Duration::from_secs(120), "{:?}", started.elapsed());
    assert_eq!(answer["context"]["aws:RequestTag/k9999"], "v9999");
    assert_eq!(answer["context"]["aws:TagKeys"].as_array().map(Vec::len), Some(10_000));
}

#[test]
fn permissions_of_the_query_apis() {
    use serde_json::json;
    let q = |body: &str| format!(r#""method":"POST","path":"/","service":"iam","body":"{body}""#);
    let user = |name: &str| format!("arn:aws:iam::111122223333:user/{name}");
    check(&q("Action=GetCallerIdentity"), &[], &[]);
    check(&q("Action=CreateUser&UserName=bob&Path=/team/"), &[&format!("iam:CreateUser {}", user("team/bob"))], &[]);
    check(
        &q("Action=CreateUser&UserName=bob&Tags.member.1.Key=a&Tags.member.1.Value=1&PermissionsBoundary=arn"),
        &[&format!("iam:CreateUser {}", user("bob")), &format!("iam:TagUser {}", user("bob"))],
        &[("iam:PermissionsBoundary", json!("arn"))],
    );
    check(&q("Action=ListAccessKeys"), &[&format!("iam:ListAccessKeys {}", user("alice"))], &[]);
    check(
        &q("Action=UpdateUser&UserName=bob&NewUserName=eve"),
        &[&format!("iam:UpdateUser {}", user("bob")), &format!("iam:UpdateUser {}", user("eve"))],
        &[],
    );
    check(
        &q("Action=CreateServiceLinkedRole&AWSServiceName=replication.s3.amazonaws.com"),
        &["iam:CreateServiceLinkedRole arn:aws:iam::111122223333:role/aws-service-role/replication.s3.amazonaws.com/*"],
        &[("iam:AWSServiceName", json!("replication.s3.amazonaws.com"))],
    );
    check(
        &q(
            "Action=CreateServiceSpecificCredential&UserName=bob&ServiceName=codecommit.amazonaws.com&CredentialAgeDays=30",
        ),
        &[&format!("iam:CreateServiceSpecificCredential {}", user("bob"))],
        &[
            ("iam:ServiceSpecificCredentialServiceName", json!("codecommit.amazonaws.com")),
            ("iam:ServiceSpecificCredentialAgeDays", json!("30")),
        ],
    );
    check(
        &q("Action=AddRoleToInstanceProfile&InstanceProfileName=web&RoleName=R"),
        &[
            "iam:AddRoleToInstanceProfile arn:aws:iam::111122223333:instance-profile/web",
            "iam:PassRole arn:aws:iam::111122223333:role/R",
        ],
        &[("iam:PassedToService", json!("ec2.amazonaws.com"))],
    );
    for target in ["444455556666", "arn:aws:iam::444455556666:root"] {
        check(
            &q(&format!(
                "Action=AssumeRoot&TargetPrincipal={target}&TaskPolicyArn.arn=arn:aws:iam::aws:policy/root-task/S3UnlockBucketPolicy"
            )),
            &["sts:AssumeRoot arn:aws:iam::444455556666:root"],
            &[("sts:TaskPolicyArn", json!("arn:aws:iam::aws:policy/root-task/S3UnlockBucketPolicy"))],
        );
    }
    check(
        &q("Action=AttachRolePolicy&RoleName=r&PolicyArn=arn:aws:iam::111122223333:policy/p"),
        &["iam:AttachRolePolicy arn:aws:iam::111122223333:role/r"],
        &[("iam:PolicyARN", json!("arn:aws:iam::111122223333:policy/p"))],
    );
    check(
        &q("Action=CreatePolicy&PolicyName=p&PolicyDocument=x&Tags.member.1.Key=a&Tags.member.1.Value=1"),
        &["iam:CreatePolicy arn:aws:iam::111122223333:policy/p", "iam:TagPolicy arn:aws:iam::111122223333:policy/p"],
        &[("aws:RequestTag/a", json!("1")), ("aws:TagKeys", json!(["a"]))],
    );
    // What an action does not read names no resource and sets no key.
    check(
        &q("Action=CreatePolicy&PolicyName=p&PolicyArn=arn:aws:iam::111122223333:policy/mine&PolicyDocument=x"),
        &["iam:CreatePolicy arn:aws:iam::111122223333:policy/p"],
        &[],
    );
    check(
        &q(
            "Action=PutUserPolicy&UserName=bob&PermissionsBoundary=arn&Tags.member.1.Key=a&Tags.member.1.Value=1&TagKeys.member.1=a",
        ),
        &[&format!("iam:PutUserPolicy {}", user("bob"))],
        &[("iam:PermissionsBoundary", json!(null)), ("aws:RequestTag/a", json!(null)), ("aws:TagKeys", json!(null))],
    );
    check(
        &q("Action=CreateInstanceProfile&InstanceProfileName=i&Tags.member.1.Key=a&Tags.member.1.Value=1"),
        &[
            "iam:CreateInstanceProfile arn:aws:iam::111122223333:instance-profile/i",
            "iam:TagInstanceProfile arn:aws:iam::111122223333:instance-profile/i",
        ],
        &[("aws:RequestTag/a", json!("1"))],
    );
    check(
        &q(
            "Action=CreateOpenIDConnectProvider&Url=https://idp.example.com/a//&Tags.member.1.Key=a&Tags.member.1.Value=1",
        ),
        &[
            "iam:CreateOpenIDConnectProvider arn:aws:iam::111122223333:oidc-provider/idp.example.com/a/",
            "iam:TagOpenIDConnectProvider arn:aws:iam::111122223333:oidc-provider/idp.example.com/a/",
        ],
        &[("aws:TagKeys", json!(["a"]))],
    );
    check(
        &q(
            "Action=AssumeRole&RoleArn=arn:aws:iam::111122223333:role/r&RoleSessionName=s&ExternalId=e&SourceIdentity=me&Tags.member.1.Key=t&Tags.member.1.Value=v",
        ),
        &[
            "sts:AssumeRole arn:aws:iam::111122223333:role/r",
            "sts:SetSourceIdentity arn:aws:iam::111122223333:role/r",
            "sts:TagSession arn:aws:iam::111122223333:role/r",
        ],
        &[("sts:ExternalId", json!("e")), ("sts:RoleSessionName", json!("s")), ("sts:SourceIdentity", json!("me"))],
    );
    check(
        &q("Action=GetFederationToken&Name=fed"),
        &["sts:GetFederationToken arn:aws:sts::111122223333:federated-user/fed"],
        &[],
    );
    check(
        &q("Action=SetUserStatus&UserName=bob&Status=Inactive"),
        &[&format!("iam:SetUserStatus {}", user("bob"))],
        &[],
    );
}

#[test]
fn what_a_session_inherits_takes_the_permissions_to_set_it() {
    let role = "arn:aws:iam::111122223333:role/r";
    for (tags, source_identity, parameter, wanted) in [
        (false, false, "", &[][..]),
        (true, false, "", &["sts:TagSession"][..]),
        (true, false, "TransitiveTagKeys.member.1", &["sts:TagSession"]),
        (false, true, "", &["sts:SetSourceIdentity"]),
        (false, true, "SourceIdentity", &["sts:SetSourceIdentity"]),
        (true, true, "", &["sts:TagSession", "sts:SetSourceIdentity"]),
    ] {
        let caller = QueryCaller {
            account: "111122223333".parse().unwrap(),
            user_arn: None,
            path_of: &|_, _| None,
            user_of_key: &|_| None,
            passes_on_tags: tags,
            passes_on_source_identity: source_identity,
        };
        let mut params = vec![("Action", "AssumeRole"), ("RoleArn", role), ("RoleSessionName", "s")];
        params.extend((!parameter.is_empty()).then_some((parameter, "value")));
        let params: Vec<_> = params.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let needs = query_requirements(&params, &caller).unwrap();
        let wanted: Vec<&str> = [&["sts:AssumeRole"], wanted].concat();
        assert_eq!(
            needs.iter().map(|need| need.action).collect::<Vec<_>>(),
            wanted,
            "{tags} {source_identity} {parameter}"
        );
        assert!(needs.iter().all(|need| need.resource == role));
    }
}

/// SeaweedFS's service accounts are asked for on their user, federation and instance profiles on AWS's resources.
#[test]
fn permissions_of_federation_and_service_accounts() {
    let iam = "arn:aws:iam::111122223333";
    for (body, requires) in [
        (
            "CreateServiceAccount&ParentUser=bob",
            vec![format!("iam:CreateServiceAccount {iam}:user/bob"), format!("iam:CreateAccessKey {iam}:user/bob")],
        ),
        ("GetServiceAccount&ServiceAccountId=sa:bob:0f", vec![format!("iam:GetServiceAccount {iam}:user/bob")]),
        ("UpdateServiceAccount&ServiceAccountId=sa:bob:0f", vec![format!("iam:UpdateServiceAccount {iam}:user/bob")]),
        ("DeleteServiceAccount&ServiceAccountId=sa:bob:0f", vec![format!("iam:DeleteServiceAccount {iam}:user/bob")]),
        ("DeleteServiceAccount&ServiceAccountId=bob", vec!["iam:DeleteServiceAccount *".to_owned()]),
        ("ListServiceAccounts&ParentUser=bob", vec![format!("iam:ListServiceAccounts {iam}:user/bob")]),
        ("ListServiceAccounts", vec!["iam:ListServiceAccounts *".to_owned()]),
        ("GetAccessKeyLastUsed&AccessKeyId=AK", vec![format!("iam:GetAccessKeyLastUsed {iam}:user/*")]),
        (
            "CreateOpenIDConnectProvider&Url=https://idp.example.com/realm/",
            vec![format!("iam:CreateOpenIDConnectProvider {iam}:oidc-provider/idp.example.com/realm")],
        ),
        (
            "DeleteOpenIDConnectProvider&OpenIDConnectProviderArn=arn:aws:iam::111122223333:oidc-provider/a",
            vec![format!("iam:DeleteOpenIDConnectProvider {iam}:oidc-provider/a")],
        ),
        ("ListOpenIDConnectProviders", vec!["iam:ListOpenIDConnectProviders *".to_owned()]),
        (
            "CreateInstanceProfile&InstanceProfileName=web&Path=/team/",
            vec![format!("iam:CreateInstanceProfile {iam}:instance-profile/team/web")],
        ),
        (
            "AddRoleToInstanceProfile&InstanceProfileName=web&RoleName=R",
            vec![
                format!("iam:AddRoleToInstanceProfile {iam}:instance-profile/web"),
                format!("iam:PassRole {iam}:role/R"),
            ],
        ),
        ("ListInstanceProfilesForRole&RoleName=R", vec![format!("iam:ListInstanceProfilesForRole {iam}:role/R")]),
        (
            "ListEntitiesForPolicy&PolicyArn=arn:aws:iam::111122223333:policy/P",
            vec![format!("iam:ListEntitiesForPolicy {iam}:policy/P")],
        ),
        ("GetAccountSummary", vec!["iam:GetAccountSummary *".to_owned()]),
        ("GetCredentialReport", vec!["iam:GetCredentialReport *".to_owned()]),
        ("CreateAccountAlias&AccountAlias=reef", vec!["iam:CreateAccountAlias *".to_owned()]),
    ] {
        let requires: Vec<&str> = requires.iter().map(String::as_str).collect();
        check(&format!(r#""method":"POST","path":"/","service":"iam","body":"Action={body}""#), &requires, &[]);
    }
}

#[test]
fn rows_that_cannot_be_judged_give_an_error() {
    for row in [
        "not json",
        r#"{"id":"x"}"#,
        r#"{"id":"x","method":"GET","path":"/bkt/%zz"}"#,
        r#"{"id":"x","method":"GET","path":"/../k"}"#,
        r#"{"id":"x","method":"G ET","path":"/bkt"}"#,
        r#"{"id":"x","service":"iam","method":"POST","path":"/","body":"Action=PassRole"}"#,
        r#"{"id":"x","service":"sts","method":"POST","path":"/","body":"Action=AssumeRoot&TargetPrincipal=4444"}"#,
        r#"{"id":"x","service":"iam","method":"POST","path":"/","body":"Action=listusers"}"#,
        r#"{"id":"x","service":"iam","method":"POST","path":"/","body":"Action=GetUser&UserName=a%2Fb"}"#,
        r#"{"id":"x","service":"iam","method":"POST","path":"/","body":"Action=GetUser&UserName=*"}"#,
        r#"{"id":"x","service":"iam","method":"POST","path":"/","body":"Action=GetUser&Action=ListUsers"}"#,
    ] {
        let answer: Value = serde_json::from_str(&s3::cases::actions_line(row)).unwrap();
        assert!(answer["error"].is_string(), "{row}: {answer}");
    }
}

#[test]
fn every_permission_is_one_that_aws_knows() {
    // Directory buckets have a service of their own.
    let foreign = ["s3express:CreateSession"];
    for known in s3::KnownOperation::all() {
        for of_version in [false, true] {
            let Some(operation) = example(&known, of_version) else { continue };
            for need in operation.needs().iter().chain(&operation.first_needs()) {
                let action = need.action;
                let is_known = policy::Action::named(action).is_some_and(|known| known.as_str() == action);
                assert!(foreign.contains(&action) || is_known, "{}: {action}", known.name);
            }
            assert_eq!(operation.name(), known.name);
            assert!(!operation.first_needs().is_empty(), "{} needs no permission", known.name);
        }
    }
}

/// A request of the operation, routed; `None` for a version where it takes none.
fn example(known: &s3::KnownOperation, of_version: bool) -> Option<s3::Operation> {
    if of_version && !known.takes_version {
        return None;
    }
    let path = ["/", "/bkt", "/bkt/k"][known.path_names];
    let id = if known.has_id { "&id=one" } else { "" };
    let version = if of_version { "&versionId=v1" } else { "" };
    let query = match known.sub_resource {
        Some("list-type") => "list-type=2".to_owned(),
        Some("uploadId") => "uploadId=u".to_owned() + if known.method == "PUT" { "&partNumber=1" } else { "" },
        Some(name) => name.to_owned(),
        None => String::new(),
    };
    let mut request = http::Request::builder().method(known.method).uri(format!("{path}?{query}{id}{version}"));
    if known.copies {
        request = request.header("x-amz-copy-source", "/src/k");
    }
    request =
        request.header("content-type", "multipart/form-data; boundary=b").header("x-amz-object-attributes", "ETag");
    let head = request.body(()).unwrap().into_parts().0;
    match s3::route(&head, None).unwrap_or_else(|error| panic!("{known:?}: {error}")) {
        s3::Routing::S3(operation) => Some(operation),
        other => panic!("{known:?}: {other:?}"),
    }
}

/// A parameter of one operation sets no key of another: each key is one that AWS lists for an action that is needed.
#[test]
fn every_condition_key_is_one_of_the_actions() {
    for line in CORPUS.lines().filter(|line| !line.trim().is_empty()) {
        let answer: Value = serde_json::from_str(&s3::cases::actions_line(line)).unwrap();
        let listed: BTreeSet<String> = pairs(&answer["requires"])
            .iter()
            .filter_map(|(action, _)| policy::Action::named(action))
            .flat_map(|action| action.condition_keys().iter().map(|key| key.to_ascii_lowercase()))
            .collect();
        for key in answer["context"].as_object().into_iter().flatten().map(|(key, _)| key.to_ascii_lowercase()) {
            let family = key.split_once('/').map(|(family, _)| format!("{family}/"));
            // Versions of locks are no key of AWS's; a policy that names one would otherwise miss what is meant.
            let of_lock = key == "s3:versionid" && line.contains("/examplebucket/");
            let known = listed.contains(&key) || family.is_some_and(|family| listed.contains(&family));
            // ListAllMyBuckets lists no owner of a resource.
            assert!(known || of_lock || key == "s3:resourceaccount", "{}: {key}", answer["id"]);
        }
    }
}
