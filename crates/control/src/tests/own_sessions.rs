//! AssumeRole without a role: a session of the caller alone.

use super::*;

const DENY: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"sts:AssumeRole","Resource":"*"}]}"#;

/// A user as the caller who signed with this key.
fn with_key(gateway: &Gateway, user: &str, key: &str) -> Caller {
    Caller { access_key_id: Some(key.parse().unwrap()), ..gateway.caller(user) }
}

#[tokio::test]
async fn a_user_or_root_makes_a_session_of_himself() {
    let world = World::new();
    let gateway = Gateway::start(&world, false).await;
    for (user, key, arn) in [
        ("al", "AKAL", "arn:aws:iam::000000000000:user/al"),
        ("root", "AKROOT", "arn:aws:iam::000000000000:root"),
        ("carol", "AKCAROL", "arn:aws:iam::111122223333:user/carol"),
    ] {
        let caller = with_key(&gateway, user, key);
        for line in ["AssumeRole", "AssumeRole&RoleSessionName=abc&DurationSeconds=900&Version=2011-06-15"] {
            let answer = gateway.call_as(&caller, line).await.unwrap();
            assert!(answer.contains("<AccessKeyId>ASIA") && answer.contains(&format!("<Arn>{arn}</Arn>")), "{answer}");
            assert!(!answer.contains("assumed-role"), "{answer}");
        }
        let policy = gateway.call_as(&caller, &format!("AssumeRole&Policy={GET}")).await.unwrap();
        assert!(policy.contains("<PackedPolicySize>"), "{policy}");
    }
}

#[tokio::test]
async fn who_and_what_is_refused() {
    let world = World::new();
    let gateway = Gateway::start(&world, false).await;
    gateway.ok("root", "CreateUser&UserName=bo").await;
    gateway.ok("root", &format!("PutUserPolicy&UserName=bo&PolicyName=P&PolicyDocument={DENY}")).await;
    gateway.ok("root", "CreateAccessKey&UserName=bo").await;
    let key = gateway.state().user("bo").unwrap().record.credentials[0].access_key.clone();
    let al = with_key(&gateway, "al", "AKAL");
    let session = |role_arn: &str| iam::CallerSession {
        id: "sid".into(),
        role_arn: role_arn.into(),
        name: "s1".into(),
        issued_s: 1_700_000_000,
        expires_s: 1_700_003_600,
        ..iam::CallerSession::default()
    };
    let of_role = Caller { session: Some(session("arn:aws:iam::000000000000:role/R")), ..al.clone() };
    let own = Caller { session: Some(session("")), ..al.clone() };
    let nobody = Caller { principal: policy::Principal::Anonymous, ..gateway.caller("al") };
    for (what, caller, line, code) in [
        ("a role session", &of_role, "AssumeRole", "AccessDenied"),
        ("a session of a session", &own, "AssumeRole", "AccessDenied"),
        ("a denied user", &with_key(&gateway, "bo", &key), "AssumeRole", "AccessDenied"),
        ("a key that is gone", &with_key(&gateway, "al", "AKGONE"), "AssumeRole", "AccessDenied"),
        ("no key", &gateway.caller("al"), "AssumeRole", "AccessDenied"),
        ("unsigned", &nobody, "AssumeRole", "MissingAuthenticationToken"),
        ("an empty role", &al, "AssumeRole&RoleArn=&RoleSessionName=abc", "ValidationError"),
        ("too long", &al, "AssumeRole&DurationSeconds=43201", "ValidationError"),
        ("tags", &al, "AssumeRole&Tags.member.1.Key=k&Tags.member.1.Value=v", "ValidationError"),
        ("an external id", &al, "AssumeRole&ExternalId=secret", "ValidationError"),
        ("a malformed policy", &al, "AssumeRole&Policy={bad", "MalformedPolicyDocument"),
    ] {
        let error = gateway.call_as(caller, line).await.unwrap_err();
        assert_eq!(error.code, code, "{what}: {}", error.message);
        assert!(error.to_xml("r").contains("https://sts.amazonaws.com/doc/2011-06-15/"), "{what}");
    }
}

/// Clients of MinIO send these without a signature.
#[tokio::test]
async fn unsigned_actions_that_are_not_there_are_named() {
    let world = World::new();
    let gateway = Gateway::start(&world, false).await;
    let nobody = Caller { principal: policy::Principal::Anonymous, ..gateway.caller("al") };
    for action in
        ["AssumeRoleWithCertificate", "AssumeRoleWithCustomToken", "AssumeRoleWithLDAPIdentity", "AssumeRoleWithSAML"]
    {
        let error = gateway.call_as(&nobody, &format!("{action}&Version=2011-06-15&Token=x")).await.unwrap_err();
        assert_eq!((&*error.code, error.status), ("NotImplemented", 501), "{action}");
        assert!(error.message.contains(action), "{action}: {}", error.message);
    }
}
