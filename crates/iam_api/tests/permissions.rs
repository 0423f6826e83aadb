//! Calls of the query APIs of IAM and STS: the permissions that they need and the condition keys that they set.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test that fails may panic")]

use std::collections::BTreeSet;

use iam_api::{Params, QueryCaller, query_requirements};
use serde_json::Value;
use testkit::judged::{assert_judged, pairs};

const CORPUS: &str = include_str!("corpus/query-actions.jsonl");

fn answer_of(row: &str) -> Value {
    serde_json::from_str(&iam_api::cases::actions_line(row)).unwrap()
}

#[test]
fn every_row_of_the_corpus_agrees() {
    let mut rows = 0;
    for line in CORPUS.lines() {
        rows += 1;
        let (row, answer): (Value, _) = (serde_json::from_str(line).unwrap(), answer_of(line));
        assert_eq!((&answer["id"], &answer["operation"]), (&row["id"], &row["op"]), "{answer}");
        assert_eq!(pairs(&answer["requires"]), pairs(&row["requires"]), "{}", row["id"]);
    }
    assert_eq!(rows, 3);
}

/// A row is the text in `head`, a JSON object without braces; `requires` are `action resource`.
fn check(row: &str, requires: &[&str], context: &[(&str, Value)]) {
    let answer = answer_of(&format!("{{\"id\":1,{row}}}"));
    assert_judged(row, &answer, requires, context);
    check_keys(row, &answer);
}

/// A parameter of one action sets no key of another: each key is one that AWS lists for an action that is needed.
fn check_keys(row: &str, answer: &Value) {
    let listed: BTreeSet<&str> = pairs(&answer["requires"])
        .iter()
        .filter_map(|(action, _)| policy::Action::named(action))
        .flat_map(|action| action.condition_keys())
        .copied()
        .collect();
    for key in answer["context"].as_object().into_iter().flatten().map(|(key, _)| key.as_str()) {
        let family = key.split_once('/').map(|(family, _)| format!("{family}/"));
        let known = listed.contains(key) || family.is_some_and(|family| listed.contains(&*family));
        assert!(known, "{row}: {key}");
    }
}

#[test]
fn all_tags_of_a_call_are_condition_keys() {
    let tags: String = (1..=50).map(|i| format!("&Tags.member.{i}.Key=k{i}&Tags.member.{i}.Value=v{i}")).collect();
    let row = format!(
        r#"{{"id":1,"service":"iam","method":"POST","path":"/","body":"Action=CreateUser&UserName=bob{tags}"}}"#
    );
    let answer = answer_of(&row);
    assert_eq!(answer["context"]["aws:RequestTag/k50"], "v50");
    assert_eq!(answer["context"]["aws:TagKeys"].as_array().map(Vec::len), Some(50));
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
fn what_a_session_inherits_needs_the_permissions_to_set_it() {
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
            as_named: false,
            passes_on_tags: tags,
            passes_on_source_identity: source_identity,
        };
        let mut params = vec![("Action", "AssumeRole"), ("RoleArn", role), ("RoleSessionName", "s")];
        params.extend((!parameter.is_empty()).then_some((parameter, "value")));
        let params = params.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
        let params = Params::new(params).unwrap();
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

/// Permissions for SeaweedFS's service accounts are on their user, those for federation and instance profiles on AWS's
/// resources.
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
        ("DeleteServiceAccount&ServiceAccountId=sa:bob:0F", vec!["iam:DeleteServiceAccount *".to_owned()]),
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
        ("PutAccountPublicAccessBlock", vec!["s3:PutAccountPublicAccessBlock *".to_owned()]),
        ("DeleteAccountPublicAccessBlock", vec!["s3:PutAccountPublicAccessBlock *".to_owned()]),
    ] {
        let requires: Vec<&str> = requires.iter().map(String::as_str).collect();
        check(&format!(r#""method":"POST","path":"/","service":"iam","body":"Action={body}""#), &requires, &[]);
    }
}

/// Nothing runs these, but their permissions are decided.
#[test]
fn permissions_of_actions_that_are_not_supported() {
    let iam = "arn:aws:iam::111122223333";
    let user = format!("Arn={iam}:user/bob");
    for (body, requires) in [
        ("CreateSAMLProvider&Name=x", vec![format!("iam:CreateSAMLProvider {iam}:saml-provider/x")]),
        ("CreateSAMLProvider&Name=*", vec![]),
        ("CreateSAMLProvider", vec![]),
        (
            "CreateServiceLinkedRole&AWSServiceName=a.amazonaws.com",
            vec![format!("iam:CreateServiceLinkedRole {iam}:role/aws-service-role/a.amazonaws.com/*")],
        ),
        ("CreateServiceLinkedRole&AWSServiceName=*", vec![]),
        (
            "CreateVirtualMFADevice&VirtualMFADeviceName=m&Path=/a/",
            vec![format!("iam:CreateVirtualMFADevice {iam}:mfa/a/m")],
        ),
        ("CreateVirtualMFADevice&VirtualMFADeviceName=m&Path=a", vec![]),
        (
            &format!("GenerateServiceLastAccessedDetails&{user}"),
            vec![format!("iam:GenerateServiceLastAccessedDetails {iam}:user/bob")],
        ),
        (
            &format!("ListPoliciesGrantingServiceAccess&{user}"),
            vec![format!("iam:ListPoliciesGrantingServiceAccess {iam}:user/bob")],
        ),
        (
            "UpdateServerCertificate&ServerCertificateName=c&NewServerCertificateName=d&NewPath=/a/",
            vec![
                format!("iam:UpdateServerCertificate {iam}:server-certificate/c"),
                format!("iam:UpdateServerCertificate {iam}:server-certificate/a/d"),
            ],
        ),
        (
            "UploadServerCertificate&ServerCertificateName=c&Path=/a/",
            vec![format!("iam:UploadServerCertificate {iam}:server-certificate/a/c")],
        ),
        ("GetAccountPasswordPolicy", vec!["iam:GetAccountPasswordPolicy *".to_owned()]),
        ("GetWebIdentityToken", vec!["sts:GetWebIdentityToken *".to_owned()]),
        ("GetSessionToken", vec!["nothing".to_owned()]),
    ] {
        let row = format!(r#""method":"POST","path":"/","service":"iam","body":"Action={body}""#);
        match requires.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            [] => assert!(answer_of(&format!("{{\"id\":1,{row}}}"))["error"].is_string(), "{body}"),
            ["nothing"] => check(&row, &[], &[]),
            ref requires => check(&row, requires, &[]),
        }
    }
}

#[test]
fn rows_that_cannot_be_judged_give_an_error() {
    for row in [
        r#"{"id":"x","service":"iam","method":"POST","path":"/","body":"Action=PassRole"}"#,
        r#"{"id":"x","service":"sts","method":"POST","path":"/","body":"Action=AssumeRoot&TargetPrincipal=4444"}"#,
        r#"{"id":"x","service":"iam","method":"POST","path":"/","body":"Action=listusers"}"#,
        r#"{"id":"x","service":"sts","method":"POST","path":"/","body":"Action=TagSession"}"#,
        r#"{"id":"x","service":"iam","method":"POST","path":"/","body":"Action=CreateUser"}"#,
        r#"{"id":"x","service":"iam","method":"POST","path":"/","body":"Action=SetUserStatus&Status=Active"}"#,
        r#"{"id":"x","service":"iam","method":"POST","path":"/","body":"Action=GetPolicy&PolicyName=p"}"#,
        r#"{"id":"x","service":"iam","method":"POST","path":"/","body":"Action=CreatePolicy&PolicyArn=arn"}"#,
        r#"{"id":"x","service":"iam","method":"POST","path":"/","body":"Action=GetUser&UserName=a%2Fb"}"#,
        r#"{"id":"x","service":"iam","method":"POST","path":"/","body":"Action=GetUser&UserName=*"}"#,
        r#"{"id":"x","service":"iam","method":"POST","path":"/","body":"Action=GetUser&UserName=%C3%BC"}"#,
        r#"{"id":"x","service":"iam","method":"POST","path":"/","body":"Action=CreateUser&UserName=bob&Path=/a//b/"}"#,
        r#"{"id":"x","service":"iam","method":"POST","path":"/","body":"Action=CreateUser&UserName=bob&Path=/*/"}"#,
        r#"{"id":"x","service":"iam","method":"POST","path":"/","body":"Action=TagUser&UserName=bob&Tags.member.2.Key=k"}"#,
        r#"{"id":"x","service":"iam","method":"POST","path":"/","body":"Action=UntagUser&UserName=bob&TagKeys.member.2=k"}"#,
        r#"{"id":"x","service":"iam","method":"POST","path":"/","body":"Action=GetUser&Action=ListUsers"}"#,
    ] {
        let answer = answer_of(row);
        assert!(answer["error"].is_string(), "{row}: {answer}");
    }
}
