//! The condition keys that each action sets, and none sets another: every action of AWS's reference with every parameter.
#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

use std::collections::BTreeMap;

use iam_api::{Params, QueryAction, set_query_condition_keys};
use policy::{Action, Context};

/// Every parameter that any action makes a key of.
const PARAMETERS: [(&str, &str); 15] = [
    ("PolicyArn", "policy"),
    ("PermissionsBoundary", "boundary"),
    ("AWSServiceName", "service"),
    ("ServiceName", "of-credential"),
    ("CredentialAgeDays", "30"),
    ("TaskPolicyArn.arn", "task"),
    ("RoleSessionName", "name"),
    ("ExternalId", "external"),
    ("SourceIdentity", "me"),
    ("DurationSeconds", "900"),
    ("TransitiveTagKeys.member.1", "k"),
    ("Tags.member.1.Key", "k"),
    ("Tags.member.1.Value", "v"),
    ("TagKeys.member.1", "gone"),
    ("RoleName", "R"),
];

const SESSION: &str = "sts:DurationSeconds=900 sts:ExternalId=external sts:RoleSessionName=name sts:SourceIdentity=me \
    sts:TransitiveTagKeys=[k]";
const TAGS: &str = "aws:RequestTag/k=v aws:TagKeys=[k]";
const UNTAGS: &str = "aws:TagKeys=[gone]";

/// What actions set, of all these parameters. All others set nothing.
fn expected() -> BTreeMap<&'static str, String> {
    let mut all = BTreeMap::new();
    let mut set = |actions: &'static str, keys: &str| {
        for action in actions.split(' ') {
            all.insert(action, keys.to_owned());
        }
    };
    let session = format!("{TAGS} {SESSION}");
    set("AssumeRole AssumeRoleWithSAML AssumeRoleWithWebIdentity", &session);
    set("GetFederationToken GetWebIdentityToken TagGetWebIdentityToken", TAGS);
    set("AssumeRoot", "sts:TaskPolicyArn=task");
    set(
        "AttachUserPolicy AttachGroupPolicy AttachRolePolicy DetachUserPolicy DetachGroupPolicy DetachRolePolicy",
        "iam:PolicyARN=policy",
    );
    set("CreateUser CreateRole", &format!("{TAGS} iam:PermissionsBoundary=boundary"));
    set("PutUserPermissionsBoundary PutRolePermissionsBoundary", "iam:PermissionsBoundary=boundary");
    set("CreateServiceLinkedRole", "iam:AWSServiceName=service");
    set(
        "CreateServiceSpecificCredential",
        "iam:ServiceSpecificCredentialAgeDays=30 iam:ServiceSpecificCredentialServiceName=of-credential",
    );
    set("AddRoleToInstanceProfile", "iam:PassedToService=ec2.amazonaws.com");
    set(
        "CreateInstanceProfile CreateOpenIDConnectProvider CreatePolicy CreateSAMLProvider CreateVirtualMFADevice \
         TagInstanceProfile TagMFADevice TagOpenIDConnectProvider TagPolicy TagRole TagSAMLProvider \
         TagServerCertificate TagUser UploadServerCertificate",
        TAGS,
    );
    set(
        "UntagInstanceProfile UntagMFADevice UntagOpenIDConnectProvider UntagPolicy UntagRole UntagSAMLProvider \
         UntagServerCertificate UntagUser",
        UNTAGS,
    );
    all
}

fn set_by(action: &str, parameters: &[(&str, &str)]) -> String {
    let pairs = parameters.iter().copied().chain([("Action", action)]);
    let params = Params::new(pairs.map(|(name, value)| (name.to_owned(), value.to_owned()))).unwrap();
    let mut context = Context::new();
    set_query_condition_keys(&params, &mut context).unwrap();
    let one = |(key, values): (&str, &[String])| match context.is_multivalued(key) {
        true => format!("{key}=[{}]", values.join(",")),
        false => format!("{key}={}", values.join(",")),
    };
    let mut keys: Vec<String> = context.iter().map(one).collect();
    keys.sort();
    keys.join(" ")
}

#[test]
fn each_action_sets_its_keys_and_no_others() {
    let mut expected = expected();
    let mut calls = 0;
    for action in Action::all().filter(|action| ["iam", "sts"].contains(&action.service())) {
        let (_, name) = action.as_str().split_once(':').unwrap();
        if QueryAction::find(name).is_err() {
            continue; // a permission only
        }
        assert_eq!(set_by(name, &PARAMETERS), expected.remove(name).unwrap_or_default(), "{name}");
        calls += 1;
    }
    assert!(calls > 190, "{calls}");
    assert!(expected.is_empty(), "no such actions: {expected:?}");
}

#[test]
fn actions_of_seaweedfs_and_unknown_ones_set_none() {
    for name in ["SetUserStatus", "CreateServiceAccount", "ValidatePolicy", "PassRole", "Nothing", "createuser", ""] {
        assert_eq!(set_by(name, &PARAMETERS), "", "{name}");
    }
}

#[test]
fn a_parameter_that_is_absent_or_empty_sets_no_key() {
    for action in ["AssumeRole", "CreateUser", "AttachRolePolicy", "UntagUser", "CreateServiceLinkedRole"] {
        assert_eq!(set_by(action, &[]), "", "{action}");
        let empty = PARAMETERS.map(|(name, _)| (name, ""));
        let lists = empty.into_iter().filter(|(name, _)| !name.contains(".member."));
        assert_eq!(set_by(action, &lists.collect::<Vec<_>>()), "", "{action}");
    }
}

#[test]
fn lists_that_skip_a_number_are_refused() {
    for (action, parameter) in [
        ("AssumeRole", "TransitiveTagKeys.member.2"),
        ("AssumeRole", "Tags.member.2.Key"),
        ("TagUser", "Tags.member.2.Key"),
        ("UntagUser", "TagKeys.member.2"),
        ("AssumeRole", "Tags.member.Key"),
        ("TagUser", "Tags.member.Key"),
        ("UntagUser", "TagKeys.member."),
    ] {
        let pairs = [("Action", action), (parameter, "k")];
        let params = Params::new(pairs.map(|(name, value)| (name.to_owned(), value.to_owned()))).unwrap();
        let error = set_query_condition_keys(&params, &mut Context::new()).unwrap_err();
        assert_eq!((error.code, error.status), ("ValidationError", 400), "{action} {parameter}");
    }
}

#[test]
fn more_tags_than_an_entity_can_have_are_refused() {
    for (count, want) in [(50, None), (51, Some(("LimitExceeded", 409))), (40_000, Some(("LimitExceeded", 409)))] {
        let tags = (1..=count).map(|place| (format!("Tags.member.{place}.Key"), format!("k{place}")));
        let params = Params::new(tags.chain([("Action".to_owned(), "TagUser".to_owned())])).unwrap();
        let refused = set_query_condition_keys(&params, &mut Context::new()).err();
        assert_eq!(refused.map(|error| (error.code, error.status)), want, "{count}");
    }
}

#[test]
fn values_that_are_too_long_are_refused() {
    let long = "v".repeat(4097);
    let many_keys: String =
        (1..=70).map(|place| format!("&TagKeys.member.{place}={}{place}", "k".repeat(120))).collect();
    for (call, key) in [
        (format!("Action=AssumeRole&ExternalId={long}"), "sts:ExternalId"),
        (format!("Action=AttachUserPolicy&UserName=u&PolicyArn={long}"), "iam:PolicyARN"),
        (format!("Action=TagUser&Tags.member.1.Key=k&Tags.member.1.Value={long}"), "aws:RequestTag/k"),
        (format!("Action=UntagUser{many_keys}"), "aws:TagKeys"),
        // No key comes of it.
        (format!("Action=GetUser&UserName={long}"), ""),
    ] {
        let pairs = call.split('&').filter_map(|pair| pair.split_once('='));
        let params = Params::new(pairs.map(|(name, value)| (name.to_owned(), value.to_owned()))).unwrap();
        let refused = set_query_condition_keys(&params, &mut Context::new()).err();
        let error = refused.as_ref().map(|error| (error.code, error.status));
        assert_eq!(error, (!key.is_empty()).then_some(("ValidationError", 400)), "{key}");
        assert!(refused.is_none_or(|error| error.message.contains(key)), "{key}");
    }
}

/// Which API answers an action, whether it is signed, and what logs call it.
#[test]
fn what_is_known_of_actions() {
    for (name, label, is_sts, is_signed, is_decided) in [
        ("CreateUser", "iam:CreateUser", false, true, true),
        ("ValidatePolicy", "access-analyzer:ValidatePolicy", false, true, true),
        ("SetUserStatus", "iam:SetUserStatus", false, true, true),
        ("ChangePassword", "iam:ChangePassword", false, true, true),
        ("AssumeRole", "sts:AssumeRole", true, true, true),
        ("AssumeRoleWithSAML", "sts:AssumeRoleWithSAML", true, false, false),
        ("AssumeRoleWithWebIdentity", "sts:AssumeRoleWithWebIdentity", true, false, false),
        ("AssumeRoot", "sts:AssumeRoot", true, true, true),
        ("DecodeAuthorizationMessage", "sts:DecodeAuthorizationMessage", true, true, true),
        ("GetAccessKeyInfo", "sts:GetAccessKeyInfo", true, true, true),
        ("GetCallerIdentity", "sts:GetCallerIdentity", true, true, false),
        ("GetDelegatedAccessToken", "sts:GetDelegatedAccessToken", true, true, true),
        ("GetFederationToken", "sts:GetFederationToken", true, true, true),
        ("GetSessionToken", "sts:GetSessionToken", true, true, false),
        ("GetWebIdentityToken", "sts:GetWebIdentityToken", true, true, true),
    ] {
        let action = QueryAction::find(name).unwrap();
        let is_of_sts = action.service == iam_api::Service::Sts;
        let known = (action.label(), is_of_sts, action.is_signed, action.is_decided);
        assert_eq!(known, (label, is_sts, is_signed, is_decided), "{name}");
    }
    let only_permissions = ["PassRole", "TagSession", "SetSourceIdentity", "SetContext", "GetServiceBearerToken"];
    for name in only_permissions.into_iter().chain(["getuser", "iam:GetUser", "GetObject", "", "Nothing"]) {
        let error = QueryAction::find(name).unwrap_err();
        let message = format!("Unknown IAM or STS action: {name}");
        assert_eq!((error.code, error.status, error.message), ("InvalidAction", 400, message));
    }
}

/// The boundary of an entity is the key of those actions for which AWS lists it and that do not bring another one.
#[test]
fn actions_with_the_boundary_of_their_entity() {
    let with: Vec<&str> = Action::all()
        .filter_map(|action| action.as_str().strip_prefix("iam:"))
        .filter(|name| QueryAction::find(name).is_ok_and(|action| action.has_boundary_of_entity))
        .collect();
    assert_eq!(
        with.join(" "),
        "AttachRolePolicy AttachUserPolicy DeleteRolePermissionsBoundary DeleteRolePolicy \
         DeleteUserPermissionsBoundary DeleteUserPolicy DetachRolePolicy DetachUserPolicy PutRolePolicy PutUserPolicy"
    );
}
