//! GetSessionToken and GetFederationToken: who may call them, how long their sessions last, and what those may call.

use iam::CallerSession;

use super::*;

fn with_key(gateway: &Gateway, user: &str, key: &str) -> Caller {
    Caller { access_key_id: Some(key.parse().unwrap()), ..gateway.caller(user) }
}

#[tokio::test]
async fn durations() {
    let world = World::new();
    let gateway = Gateway::start(&world, false).await;
    let federation = "GetFederationToken&Name=app";
    // The clock of the calls stands at 2023-11-14T22:13:20Z.
    for (user, key, call, seconds, until) in [
        ("al", "AKAL", "GetSessionToken", "", Ok("2023-11-15T10:13:20Z")),
        ("al", "AKAL", "GetSessionToken", "900", Ok("2023-11-14T22:28:20Z")),
        ("al", "AKAL", "GetSessionToken", "129600", Ok("2023-11-16T10:13:20Z")),
        ("al", "AKAL", "GetSessionToken", "129601", Err("ValidationError")),
        ("al", "AKAL", "GetSessionToken", "899", Err("ValidationError")),
        // For root, AWS shortens them all to an hour.
        ("root", "AKROOT", "GetSessionToken", "", Ok("2023-11-14T23:13:20Z")),
        ("root", "AKROOT", "GetSessionToken", "129600", Ok("2023-11-14T23:13:20Z")),
        ("root", "AKROOT", federation, "900", Ok("2023-11-14T22:28:20Z")),
        ("root", "AKROOT", federation, "129600", Ok("2023-11-14T23:13:20Z")),
    ] {
        let line = if seconds.is_empty() { call.to_owned() } else { format!("{call}&DurationSeconds={seconds}") };
        let answer = gateway.call_as(&with_key(&gateway, user, key), &line).await;
        match (answer, until) {
            (Ok(answer), Ok(until)) => {
                assert!(answer.contains(&format!("<Expiration>{until}<")), "{user} {line}: {answer}");
            }
            (answer, until) => assert_eq!(answer.err().map(|error| error.code).as_deref(), until.err(), "{line}"),
        }
    }
}

#[tokio::test]
async fn a_federated_user_needs_a_permission_for_its_name() {
    let world = World::new();
    let gateway = Gateway::start(&world, false).await;
    let allow = |action: &str, name: &str| {
        let policy = format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":{action},"Resource":"arn:aws:sts::000000000000:federated-user/{name}"}}]}}"#
        );
        format!("PutUserPolicy&UserName=bo&PolicyName=P&PolicyDocument={policy}")
    };
    gateway.ok("root", "CreateUser&UserName=bo").await;
    gateway.ok("root", "CreateAccessKey&UserName=bo").await;
    let key = gateway.state().user("bo").unwrap().record.credentials[0].access_key.clone();
    gateway.ok("root", &allow(r#""sts:GetFederationToken""#, "app-*")).await;
    let tag = "&Tags.member.1.Key=team&Tags.member.1.Value=blue";
    let bo = with_key(&gateway, "bo", &key);
    for (line, want) in [
        ("GetFederationToken&Name=app-1", "ok"),
        (&format!("GetFederationToken&Name=app-1&Policy={GET}"), "ok"),
        ("GetFederationToken&Name=root", "AccessDenied"),
        (&format!("GetFederationToken&Name=app-1{tag}"), "AccessDenied"),
        ("GetFederationToken", "ValidationError"),
        ("GetFederationToken&Name=app-1&Policy={bad", "MalformedPolicyDocument"),
        (
            "GetFederationToken&Name=app-1&PolicyArns.member.1.arn=arn:aws:iam::000000000000:policy/None",
            "ValidationError",
        ),
        ("GetFederationToken&Name=app-1*", "ValidationError"),
        (&format!("GetFederationToken&Name=app-{}", "x".repeat(29)), "ValidationError"),
    ] {
        let answer = gateway.call_as(&bo, line).await.map_or_else(|error| error.code, |_| "ok".to_owned());
        assert_eq!(answer, want, "{line}");
    }
    gateway.ok("root", &allow(r#"["sts:GetFederationToken","sts:TagSession"]"#, "app-*")).await;
    let bo = with_key(&gateway, "bo", &key);
    let answer = gateway.call_as(&bo, &format!("GetFederationToken&Name=app-1{tag}")).await.unwrap();
    for part in [
        "<FederatedUserId>000000000000:app-1</FederatedUserId>",
        "<Arn>arn:aws:sts::000000000000:federated-user/app-1</Arn>",
        "<PackedPolicySize>",
        "<AccessKeyId>ASIA",
    ] {
        assert!(answer.contains(part), "{answer}");
    }
}

#[tokio::test]
async fn what_sessions_may_not_call() {
    let world = World::new();
    let gateway = Gateway::start(&world, false).await;
    let root = with_key(&gateway, "root", "AKROOT");
    let own = Caller { session: Some(CallerSession::default()), ..root.clone() };
    let federated = CallerSession { federated_by: Some("AIDAX".into()), ..CallerSession::default() };
    let federated = Caller { session: Some(federated), ..root.clone() };
    let of_role = CallerSession { role_arn: "arn:aws:iam::000000000000:role/R".into(), ..CallerSession::default() };
    let of_role = Caller { session: Some(of_role), ..root };
    let assume = "AssumeRole&RoleSessionName=s1&RoleArn=arn:aws:iam::000000000000:role/R";
    let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"000000000000"},"Action":"sts:AssumeRole"}]}"#;
    gateway.ok("root", &format!("CreateRole&RoleName=R&AssumeRolePolicyDocument={trust}")).await;
    for (what, caller, line, want) in [
        ("own", &own, "GetCallerIdentity", "ok"),
        ("own", &own, assume, "ok"),
        ("own", &own, "AssumeRole", "AccessDenied"),
        ("own", &own, "GetSessionToken", "AccessDenied"),
        ("own", &own, "GetFederationToken&Name=app", "AccessDenied"),
        ("own", &own, "GetAccessKeyInfo&AccessKeyId=AKAL", "AccessDenied"),
        ("federated", &federated, "GetCallerIdentity", "ok"),
        ("federated", &federated, assume, "AccessDenied"),
        ("federated", &federated, "GetSessionToken", "AccessDenied"),
        ("federated", &federated, "GetFederationToken&Name=app", "AccessDenied"),
        ("of a role", &of_role, "GetSessionToken", "AccessDenied"),
        ("of a role", &of_role, "GetFederationToken&Name=app", "AccessDenied"),
        ("of a role", &of_role, "GetAccessKeyInfo&AccessKeyId=AKAL", "ok"),
    ] {
        let answer = gateway.call_as(caller, line).await.map_or_else(|error| error.code, |_| "ok".to_owned());
        assert_eq!(answer, want, "{what}: {line}");
    }
}
