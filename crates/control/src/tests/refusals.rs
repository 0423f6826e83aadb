//! What a refusal tells callers without any permission: what their call named, and nothing that is stored.

use super::*;

/// What the message of a refused call says about the resource.
async fn resource(gateway: &Gateway, user: &str, line: &str) -> String {
    let error = gateway.call(user, line).await.err().unwrap_or_else(|| panic!("{line} succeeded"));
    assert_eq!(error.code, "AccessDenied", "{line}: {error}");
    let (_, resource) = error.message.split_once(" on resource: ").unwrap_or_else(|| panic!("{line}: {error}"));
    let ends = [" because", ". Encoded"].map(|end| resource.find(end).unwrap_or(resource.len()));
    resource[..ends[0].min(ends[1])].trim_matches('"').to_owned()
}

#[tokio::test]
async fn a_refusal_names_what_the_call_named() {
    let world = World::new();
    let gateway = Gateway::start(&world, false).await;
    let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"sts:AssumeRole"}]}"#;
    for (user, prefix, path) in [("root", "own", "/hidden/"), ("carol", "other", "/o/p/")] {
        for line in [
            format!("CreateUser&UserName={prefix}user&Path={path}"),
            format!("CreateGroup&GroupName={prefix}group&Path={path}"),
            format!("CreateRole&RoleName={prefix}role&Path={path}&AssumeRolePolicyDocument={trust}"),
            format!("CreatePolicy&PolicyName={prefix}policy&Path={path}&PolicyDocument={GET}"),
            format!("CreateInstanceProfile&InstanceProfileName={prefix}web&Path={path}"),
        ] {
            gateway.ok(user, &line).await;
        }
    }
    let key = gateway.ok("root", "CreateAccessKey&UserName=ownuser").await;
    let key = key.split("<AccessKeyId>").nth(1).unwrap().split('<').next().unwrap().to_owned();
    let own_key = format!("access key {key}");
    for (line, named) in [
        (format!("GetAccessKeyLastUsed&AccessKeyId={key}"), own_key.as_str()),
        ("GetAccessKeyLastUsed&AccessKeyId=AKNONE".to_owned(), "access key AKNONE"),
        ("GetAccessKeyLastUsed&AccessKeyId=AKCAROL".to_owned(), "access key AKCAROL"),
        ("UpdateUser&UserName=ownuser&NewUserName=x".to_owned(), "user ownuser"),
        ("GetServiceAccount&ServiceAccountId=sa:ownuser:00".to_owned(), "user ownuser"),
        ("ListServiceAccounts&ParentUser=ownuser".to_owned(), "user ownuser"),
        ("RevokeSessions&RoleName=ownrole".to_owned(), "role ownrole"),
        ("AddRoleToInstanceProfile&InstanceProfileName=ownweb&RoleName=ownrole".to_owned(), "instance-profile ownweb"),
        // What does not exist yet has the path that the call gives it.
        ("CreateUser&UserName=OWNUSER&Path=/new/".to_owned(), "arn:aws:iam::000000000000:user/new/OWNUSER"),
        ("GetUser".to_owned(), "arn:aws:iam::000000000000:user/al"),
    ] {
        assert_eq!(resource(&gateway, "al", &line).await, named, "{line}");
    }
    for prefix in ["own", "other", "no", "OWN", "OTHER"] {
        for (call, named) in [
            ("GetUser&UserName={}user", "user {}user"),
            ("GetGroup&GroupName={}group", "group {}group"),
            ("GetRole&RoleName={}role", "role {}role"),
            ("GetInstanceProfile&InstanceProfileName={}web", "instance-profile {}web"),
            ("GetPolicy&PolicyArn=arn:aws:iam:::policy/{}policy", "arn:aws:iam:::policy/{}policy"),
            ("AssumeRole&RoleSessionName=s1&RoleArn=arn:aws:iam:::role/{}role", "arn:aws:iam:::role/{}role"),
            ("AssumeRole&RoleSessionName=s1&RoleArn=arn:aws:iam::role/{}role", "arn:aws:iam::role/{}role"),
        ] {
            let (line, named) = (call.replace("{}", prefix), named.replace("{}", prefix));
            assert_eq!(resource(&gateway, "al", &line).await, named, "{line}");
        }
    }
}

#[tokio::test]
async fn names_of_other_accounts_are_not_looked_up() {
    let world = World::new();
    let gateway = Gateway::start(&world, false).await;
    gateway.ok("carol", "CreateUser&UserName=Other").await;
    gateway.ok("carol", &format!("CreatePolicy&PolicyName=Theirs&PolicyDocument={GET}")).await;
    let allowed = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["iam:GetUser","iam:CreateUser","iam:GetPolicy"],
        "Resource":["arn:aws:iam::000000000000:user/other","arn:aws:iam:::policy/*"]}]}"#;
    gateway.ok("root", "CreateUser&UserName=bo").await;
    gateway.ok("root", &format!("PutUserPolicy&UserName=bo&PolicyName=P&PolicyDocument={allowed}")).await;
    for (line, code) in [
        ("GetUser&UserName=other", "NoSuchEntity"),
        ("GetPolicy&PolicyArn=arn:aws:iam:::policy/Theirs", "NoSuchEntity"),
        ("GetPolicy&PolicyArn=arn:aws:iam:::policy/Nobodys", "NoSuchEntity"),
        // Names are unique on all of the gateway.
        ("CreateUser&UserName=other", "EntityAlreadyExists"),
    ] {
        assert_eq!(gateway.code("bo", line).await, code, "{line}");
    }
}
