//! Names of entities are found without regard to case, and decided as they are stored.

use super::*;

#[tokio::test]
async fn names_are_found_without_regard_to_case() {
    let world = World::new();
    let gateway = Gateway::start(&world, false).await;
    for line in [
        "CreateUser&UserName=Bo",
        "CreateGroup&GroupName=team",
        "CreateInstanceProfile&InstanceProfileName=Web",
        &format!("PutUserPolicy&UserName=BO&PolicyName=P&PolicyDocument={GET}"),
        "AddUserToGroup&UserName=bo&GroupName=TEAM",
    ] {
        gateway.ok("root", line).await;
    }
    for (line, part) in [
        ("GetUser&UserName=bo", "<UserName>Bo</UserName>"),
        ("GetUser&UserName=BO", "<UserName>Bo</UserName>"),
        ("GetUserPolicy&UserName=bO&PolicyName=P", "<UserName>Bo</UserName>"),
        ("GetGroup&GroupName=Team", "<UserName>Bo</UserName>"),
        ("GetInstanceProfile&InstanceProfileName=WEB", "<InstanceProfileName>Web</InstanceProfileName>"),
    ] {
        let answer = gateway.ok("root", line).await;
        assert!(answer.contains(part), "{line}: {answer}");
    }
    for (line, code) in [
        ("CreateUser&UserName=BO", "EntityAlreadyExists"),
        ("GetUser&UserName=boo", "NoSuchEntity"),
        // Names of inline policies are not unique without regard to case.
        ("GetUserPolicy&UserName=Bo&PolicyName=p", "NoSuchEntity"),
    ] {
        assert_eq!(gateway.code("root", line).await, code, "{line}");
    }
    gateway.ok("root", "DeleteUserPolicy&UserName=BO&PolicyName=P").await;
    gateway.ok("root", "RemoveUserFromGroup&UserName=BO&GroupName=TEAM").await;
    gateway.ok("root", "DeleteUser&UserName=BO").await;
    assert!(gateway.state().user("Bo").is_none());
}

#[tokio::test]
async fn a_permission_is_decided_on_the_stored_name() {
    let world = World::new();
    let gateway = Gateway::start(&world, false).await;
    let document = r#"{"Version":"2012-10-17","Statement":[
        {"Effect":"Allow","Action":"iam:*","Resource":"*"},
        {"Effect":"Deny","Action":"iam:CreateAccessKey","Resource":"arn:aws:iam::000000000000:user/boss"}]}"#;
    for line in [
        "CreateUser&UserName=boss",
        "CreateUser&UserName=helper",
        &format!("PutUserPolicy&UserName=helper&PolicyName=P&PolicyDocument={document}"),
    ] {
        gateway.ok("root", line).await;
    }
    for name in ["boss", "BOSS", "Boss"] {
        assert_eq!(gateway.code("helper", &format!("CreateAccessKey&UserName={name}")).await, "AccessDenied", "{name}");
    }
    gateway.ok("helper", "CreateAccessKey&UserName=HELPER").await;
    assert_eq!(gateway.state().user("helper").unwrap().record.credentials.len(), 1);
}
