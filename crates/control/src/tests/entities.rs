//! What is known of the entity that a call is about: its path in the ARN of the permission, its tags and its boundary as
//! condition keys.

use iam_formats::{ConfigInputs, identities};

use super::denials::{ask, ask_in, policy, refused_in, with};
use super::*;

const ENTITIES: [&str; 11] = [
    "CreateUser&UserName=bo&Path=/team/&Tags.member.1.Key=k&Tags.member.1.Value=user",
    "CreateUser&UserName=plain",
    "CreateGroup&GroupName=g&Path=/team/",
    "CreateRole&RoleName=R&Path=/team/&AssumeRolePolicyDocument=$TRUST&Tags.member.1.Key=k&Tags.member.1.Value=role",
    "CreatePolicy&PolicyName=P&Path=/team/&PolicyDocument=$GET&Tags.member.1.Key=k&Tags.member.1.Value=policy",
    "CreatePolicy&PolicyName=B&PolicyDocument=$GET",
    "CreateInstanceProfile&InstanceProfileName=web&Path=/team/&Tags.member.1.Key=k&Tags.member.1.Value=profile",
    "CreateOpenIDConnectProvider&Url=https://idp.example.com&Tags.member.1.Key=k&Tags.member.1.Value=provider",
    "PutUserPermissionsBoundary&UserName=bo&PermissionsBoundary=arn:aws:iam::000000000000:policy/B",
    "PutRolePermissionsBoundary&RoleName=R&PermissionsBoundary=arn:aws:iam::000000000000:policy/B",
    "CreateAccessKey&UserName=bo",
];
const TRUST: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole"}]}"#;

#[tokio::test]
async fn paths_tags_and_boundaries() {
    let world = World::new();
    let gateway = Gateway::start(&world, false).await;
    for call in ENTITIES {
        gateway.ok("root", &call.replace("$GET", GET).replace("$TRUST", TRUST)).await;
    }
    let state = gateway.state();
    let key = state.user("bo").unwrap().record.credentials[0].access_key.clone();
    let (al, carol) = (gateway.caller("al"), gateway.caller("carol"));
    const BOUNDARY: Option<&str> = Some("arn:aws:iam::000000000000:policy/B");
    const P: &str = "PolicyArn=arn:aws:iam::000000000000:policy/team/P";
    for (call, resource, tag, boundary) in [
        ("GetUser&UserName=bo", "user/team/bo", Some("user"), None),
        ("GetUser&UserName=plain", "user/plain", None, None),
        ("GetUser&UserName=nobody", "user/nobody", None, None),
        ("GetGroup&GroupName=g", "group/team/g", None, None),
        ("GetRole&RoleName=R", "role/team/R", Some("role"), None),
        (&format!("GetPolicy&{P}"), "policy/team/P", Some("policy"), None),
        ("GetInstanceProfile&InstanceProfileName=web", "instance-profile/team/web", Some("profile"), None),
        (
            "GetOpenIDConnectProvider&OpenIDConnectProviderArn=arn:aws:iam::000000000000:oidc-provider/idp.example.com",
            "oidc-provider/idp.example.com",
            Some("provider"),
            None,
        ),
        (&format!("GetAccessKeyLastUsed&AccessKeyId={key}"), "user/team/bo", Some("user"), None),
        ("GetAccessKeyLastUsed&AccessKeyId=AKNONE", "user/*", None, None),
        ("GetServiceAccount&ServiceAccountId=sa:bo:00", "user/team/bo", Some("user"), None),
        // This would be another one.
        ("CreateUser&UserName=bo&Path=/other/", "user/other/bo", None, None),
        ("PutUserPolicy&UserName=bo&PolicyName=I", "user/team/bo", Some("user"), BOUNDARY),
        ("PutUserPolicy&UserName=plain&PolicyName=I", "user/plain", None, None),
        ("DeleteUserPolicy&UserName=bo&PolicyName=I", "user/team/bo", Some("user"), BOUNDARY),
        (&format!("AttachUserPolicy&UserName=bo&{P}"), "user/team/bo", Some("user"), BOUNDARY),
        (&format!("DetachUserPolicy&UserName=bo&{P}"), "user/team/bo", Some("user"), BOUNDARY),
        ("DeleteUserPermissionsBoundary&UserName=bo", "user/team/bo", Some("user"), BOUNDARY),
        ("PutRolePolicy&RoleName=R&PolicyName=I", "role/team/R", Some("role"), BOUNDARY),
        ("DeleteRolePolicy&RoleName=R&PolicyName=I", "role/team/R", Some("role"), BOUNDARY),
        (&format!("AttachRolePolicy&RoleName=R&{P}"), "role/team/R", Some("role"), BOUNDARY),
        (&format!("DetachRolePolicy&RoleName=R&{P}"), "role/team/R", Some("role"), BOUNDARY),
        ("DeleteRolePermissionsBoundary&RoleName=R", "role/team/R", Some("role"), BOUNDARY),
        // The call brings another one.
        ("PutUserPermissionsBoundary&UserName=bo&PermissionsBoundary=new", "user/team/bo", Some("user"), Some("new")),
        ("UpdateUser&UserName=bo", "user/team/bo", Some("user"), None),
        ("DeleteUser&UserName=bo", "user/team/bo", Some("user"), None),
        ("PutGroupPolicy&GroupName=g&PolicyName=I", "group/team/g", None, None),
    ] {
        let (needs, context) = ask(&gateway, &al, call);
        assert_eq!(needs[0].resource, format!("arn:aws:iam::000000000000:{resource}"), "{call}");
        let key = |name: &str| context.get(name).map(|values| values.join(","));
        assert_eq!(
            (key("iam:ResourceTag/k"), key("aws:ResourceTag/k")),
            (tag.map(str::to_owned), tag.map(str::to_owned))
        );
        assert_eq!(key("iam:PermissionsBoundary").as_deref(), boundary, "{call}");
    }
    // Of another account nothing is known.
    for call in ["GetUser&UserName=bo", "PutUserPolicy&UserName=bo&PolicyName=I", "GetRole&RoleName=R"] {
        let (needs, context) = ask(&gateway, &carol, call);
        assert!(!needs[0].resource.contains("/team/"), "{call}: {needs:?}");
        assert!(needs[0].resource.starts_with("arn:aws:iam::111122223333:"), "{call}: {needs:?}");
        assert_eq!(context, Context::new(), "{call}");
    }
    // Another account's ARN has no facts of ours.
    let (needs, context) = ask(&gateway, &al, "GetPolicy&PolicyArn=arn:aws:iam::111122223333:policy/team/P");
    assert_eq!(needs[0].resource, "arn:aws:iam::111122223333:policy/team/P");
    assert_eq!(context.get("iam:ResourceTag/k"), None);
}

/// What is said if something is wrong before any permission is decided.
#[tokio::test]
async fn versions_and_missing_actions() {
    let world = World::new();
    let gateway = Gateway::start(&world, false).await;
    for (line, code, message) in [
        (
            "ListUsers&Version=2011-06-15",
            "InvalidParameterValue",
            "The version 2011-06-15 is not 2010-05-08, the version of this API",
        ),
        ("ListUsers&Version=2010-05-08", "", ""),
        ("ListUsers&Version=", "", ""),
        (
            "GetCallerIdentity&Version=2010-05-08",
            "InvalidParameterValue",
            "The version 2010-05-08 is not 2011-06-15, the version of this API",
        ),
        ("GetCallerIdentity&Version=2011-06-15", "", ""),
        ("AssumeRoot&TargetPrincipal=000000000000&Version=2010-05-08", "InvalidParameterValue", "The version"),
        ("Nothing", "InvalidAction", "Unknown IAM or STS action: Nothing"),
        ("PassRole", "InvalidAction", "Unknown IAM or STS action: PassRole"),
        ("", "MissingAction", "The parameter Action is missing: name the operation, for example Action=ListUsers"),
        (
            "GetWebIdentityToken",
            "NotImplemented",
            "the STS action `GetWebIdentityToken` is not implemented by this server",
        ),
        ("ChangePassword", "NotImplemented", "the IAM action `ChangePassword` is not implemented by this server"),
    ] {
        match gateway.call("root", line).await {
            Ok(_) => assert_eq!(code, "", "{line}"),
            Err(error) => {
                assert_eq!(error.code, code, "{line}: {error}");
                assert!(error.message.starts_with(message), "{line}: {error}");
            }
        }
    }
}

/// SeaweedFS's forms of a role's ARN have no account.
#[tokio::test]
async fn tags_of_a_role_count_in_every_form_of_its_arn() {
    let world = World::new();
    let gateway = Gateway::start(&world, false).await;
    let trust = r#"{"Version":"2012-10-17","Statement":[
        {"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::000000000000:user/al"},"Action":"sts:AssumeRole"},
        {"Effect":"Deny","Principal":"*","Action":"sts:AssumeRole","Condition":{"StringEquals":{"aws:ResourceTag/k":"secret"}}}]}"#;
    for (role, tag) in [("Open", "public"), ("Closed", "secret")] {
        let tag = format!("Tags.member.1.Key=k&Tags.member.1.Value={tag}");
        gateway.ok("root", &format!("CreateRole&RoleName={role}&{tag}&AssumeRolePolicyDocument={trust}")).await;
    }
    for form in ["arn:aws:iam::000000000000:role/", "arn:aws:iam::role/", "arn:aws:iam:::role/"] {
        let assume = |role: &str| format!("AssumeRole&RoleSessionName=s1&RoleArn={form}{role}");
        gateway.ok("al", &assume("Open")).await;
        assert_eq!(gateway.code("al", &assume("Closed")).await, "AccessDenied", "{form}");
    }
}

/// A policy that the configuration gives to users is theirs once it exists.
#[test]
fn a_policy_that_the_configuration_gives_to_users_is_attached_when_it_is_created() {
    let more = "arn:aws:iam::000000000000:policy/team/more";
    let text = format!(
        r#"{{"providers":[{{"name":"tickets","type":"plugin","config":{{
            "url":"https://plugin.example.com/check","rolePolicy":"own,{more}"}}}}]}}"#
    );
    let config = IamConfig::parse(&text, &ConfigInputs { filers: &[], generated_key: "" }).unwrap();
    let state = Snapshot::new(config.settings(), &identities::parse(FILE, &|_| None).unwrap());
    for (user, line, given) in [
        ("al", "CreatePolicy&PolicyName=own", Some("arn:aws:iam::000000000000:policy/own")),
        ("al", "CreatePolicy&PolicyName=own&Path=/team/", None),
        ("al", "CreatePolicy&PolicyName=more&Path=/team/", Some(more)),
        ("al", "CreatePolicy&PolicyName=more", None),
        ("al", "CreatePolicy&PolicyName=other", None),
        ("al", &format!("GetPolicy&PolicyArn={more}"), None),
        ("carol", "CreatePolicy&PolicyName=own", None),
    ] {
        let (needs, context) = ask_in(&state, &Caller::of(state.user(user).unwrap()), line);
        let attaches: Vec<_> = needs.iter().filter(|need| need.action == "iam:AttachRolePolicy").collect();
        let role = "arn:aws:iam::000000000000:role/sts-claim-based";
        assert_eq!(attaches.iter().map(|need| &*need.resource).next(), given.map(|_| role), "{user} {line}");
        let key = context.get("iam:PolicyARN").map(|values| values.join(","));
        assert!(given.is_none() || key.as_deref() == given, "{user} {line}: {key:?}");
    }
    let al = with(&Caller::of(state.user("al").unwrap()), vec![policy([("iam:CreatePolicy", "*")])]);
    let message = refused_in(&state, &al, "CreatePolicy&PolicyName=own");
    let named = "iam:AttachRolePolicy on resource: \"arn:aws:iam::000000000000:role/sts-claim-based\"";
    assert!(message.contains(named), "{message}");
}
