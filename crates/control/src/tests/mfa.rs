//! Codes of MFA devices in GetSessionToken and AssumeRole, on two gateways.

use iam::CallerSession;

use super::*;

const SERIAL: &str = "arn:aws:iam::000000000000:mfa/phone";
/// When the calls are made.
const NOW: i64 = 1_700_000_000;

/// What the phone shows so many steps from now.
fn code(gateway: &Gateway, steps: i64) -> String {
    gateway.state().mfa_device(SERIAL).unwrap().code_at(NOW + 30 * steps).unwrap()
}

/// `al` with her key and a phone whose codes up to the last one are used.
async fn with_phone(gateway: &Gateway) -> Caller {
    gateway.ok("root", "CreateVirtualMFADevice&VirtualMFADeviceName=phone").await;
    let codes = format!("AuthenticationCode1={}&AuthenticationCode2={}", code(gateway, -2), code(gateway, -1));
    gateway.ok("root", &format!("EnableMFADevice&UserName=al&SerialNumber={SERIAL}&{codes}")).await;
    Caller { access_key_id: Some("AKAL".parse().unwrap()), ..gateway.caller("al") }
}

fn said(answer: Result<String, QueryError>) -> String {
    answer.map_or_else(|error| format!("{} {}", error.code, error.message), |_| "ok".to_owned())
}

#[tokio::test]
async fn a_code_is_good_once_on_any_gateway() {
    let world = World::new();
    let (one, two) = (Gateway::start(&world, false).await, Gateway::start(&world, false).await);
    let al = with_phone(&one).await;
    let soon = Duration::from_secs(10);
    assert!(two.follower.wait_until(|state| state.mfa_device(SERIAL).is_some_and(|it| it.last_step > 0), soon).await);
    let call = |code: &str| format!("GetSessionToken&SerialNumber={SERIAL}&TokenCode={code}");
    let used = call(&code(&one, -1));
    assert!(said(one.call_as(&al, &used).await).contains("invalid MFA one time pass code"), "shown to enable it");
    let now = call(&code(&one, 0));
    let (a, b) = tokio::join!(one.call_as(&al, &now), two.call_as(&al, &now));
    assert_eq!([&a, &b].iter().filter(|answer| answer.is_ok()).count(), 1, "{a:?} {b:?}");
    for gateway in [&one, &two] {
        assert!(said(gateway.call_as(&al, &now).await).contains("invalid MFA one time pass code"));
    }
    let claims = a.or(b).unwrap();
    let token = claims.split("<SessionToken>").nth(1).and_then(|rest| rest.split('<').next()).unwrap();
    let keys = SessionKeys {
        current: SigningKey::from_bytes(b"0123456789abcdef").unwrap(),
        older: Vec::new(),
        issuer: "seaweedfs-sts".into(),
        account_id: AccountId::DEFAULT,
    };
    let session = sts::verify(&keys, token, jiff::Timestamp::from_second(NOW).unwrap()).unwrap();
    assert_eq!(session.claims.kmfa, Some(NOW));
    assert_eq!(said(two.call_as(&al, &call(&code(&one, 1))).await), "ok");
}

#[tokio::test]
async fn whose_code_it_has_to_be() {
    let world = World::new();
    let gateway = Gateway::start(&world, false).await;
    let al = with_phone(&gateway).await;
    let root = Caller { access_key_id: Some("AKROOT".parse().unwrap()), ..gateway.caller("root") };
    let carol = Caller { access_key_id: Some("AKCAROL".parse().unwrap()), ..gateway.caller("carol") };
    let of_role = CallerSession { role_arn: "arn:aws:iam::000000000000:role/R".into(), ..CallerSession::default() };
    let role = policy::Principal::AssumedRole {
        account: al.account,
        role: "R".into(),
        role_path: "/".into(),
        session: "al".into(),
    };
    let of_role = Caller { session: Some(of_role), principal: role, ..al.clone() };
    let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"000000000000"},"Action":"sts:AssumeRole"},{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::000000000000:user/al"},"Action":"sts:AssumeRole","Condition":{"Bool":{"aws:MultiFactorAuthPresent":"true"},"NumericLessThan":{"aws:MultiFactorAuthAge":"60"}}}]}"#;
    gateway.ok("root", &format!("CreateRole&RoleName=R&AssumeRolePolicyDocument={trust}")).await;
    let good = code(&gateway, 0);
    let assume = "AssumeRole&RoleSessionName=s1&RoleArn=arn:aws:iam::000000000000:role/R";
    for (what, caller, line, want) in [
        ("without a code", &al, assume.to_owned(), "AccessDenied User: arn"),
        ("half of it", &al, format!("{assume}&SerialNumber={SERIAL}"), "must provide both"),
        ("the other half", &al, format!("{assume}&TokenCode={good}"), "must provide both"),
        ("another's device", &root, format!("{assume}&SerialNumber={SERIAL}&TokenCode={good}"), "unable to validate"),
        ("another account's", &carol, format!("{assume}&SerialNumber={SERIAL}&TokenCode={good}"), "unable to validate"),
        ("of a role", &of_role, format!("{assume}&SerialNumber={SERIAL}&TokenCode={good}"), "unable to validate"),
        ("no such device", &al, format!("{assume}&SerialNumber={SERIAL}x&TokenCode={good}"), "unable to validate"),
        ("five digits", &al, format!("{assume}&SerialNumber={SERIAL}&TokenCode=12345"), "ValidationError"),
        ("a wrong code", &al, format!("{assume}&SerialNumber={SERIAL}&TokenCode=abcdef"), "invalid MFA one time"),
        ("the code", &al, format!("{assume}&SerialNumber={SERIAL}&TokenCode={good}"), "ok"),
    ] {
        let answer = said(gateway.call_as(caller, &line).await);
        assert!(answer.contains(want), "{what}: {answer}");
    }
    gateway.ok("root", &format!("DeactivateMFADevice&UserName=al&SerialNumber={SERIAL}")).await;
    let late = format!("GetSessionToken&SerialNumber={SERIAL}&TokenCode={}", code(&gateway, 1));
    assert!(said(gateway.call_as(&al, &late).await).contains("unable to validate"), "nobody's device");
}

/// Somebody who has the key but not the phone could otherwise try all codes.
#[tokio::test]
async fn wrong_codes_close_a_device_for_a_while() {
    let world = World::new();
    let gateway = Gateway::start(&world, false).await;
    let al = with_phone(&gateway).await;
    let call = |code: &str| format!("GetSessionToken&SerialNumber={SERIAL}&TokenCode={code}");
    for _ in 0..5 {
        assert!(said(gateway.call_as(&al, &call("abcdef")).await).contains("invalid MFA one time pass code"));
    }
    let right = call(&code(&gateway, 0));
    assert!(said(gateway.call_as(&al, &right).await).contains("too many wrong codes"));
    assert_eq!(said(gateway.call_as(&al, "GetSessionToken").await), "ok", "without a code");
}
