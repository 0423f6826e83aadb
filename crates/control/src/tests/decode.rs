//! DecodeAuthorizationMessage: who learns why a call was refused.

use super::*;

/// The encoded message of a refusal.
async fn encoded(gateway: &Gateway, user: &str, line: &str) -> String {
    let error = gateway.call(user, line).await.unwrap_err();
    assert_eq!(error.code, "AccessDenied", "{line}");
    error
        .message
        .split("Encoded authorization failure message: ")
        .nth(1)
        .unwrap_or_else(|| panic!("{error}"))
        .to_owned()
}

#[tokio::test]
async fn who_may_reads_why_on_any_gateway() {
    let world = World::new();
    let (one, two) = (Gateway::start(&world, false).await, Gateway::start(&world, false).await);
    let trust = r#"{"Version":"2012-10-17","Statement":[{"Sid":"NotAl","Effect":"Deny","Principal":{"AWS":"arn:aws:iam::000000000000:user/al"},"Action":"sts:AssumeRole"}]}"#;
    one.ok("root", &format!("CreateRole&RoleName=R&AssumeRolePolicyDocument={trust}")).await;
    let listing = encoded(&one, "al", "ListUsers").await;
    let assume = "AssumeRole&RoleSessionName=s1&RoleArn=arn:aws:iam::000000000000:role/R";
    let assuming = encoded(&one, "al", assume).await;
    assert!(!assuming.contains("NotAl"), "{assuming}");
    for (text, parts) in [
        (&listing, [r#"&quot;explicitDeny&quot;:false"#, "iam:ListUsers"]),
        (&assuming, [r#"&quot;explicitDeny&quot;:true"#, r#"&quot;statementId&quot;:&quot;NotAl&quot;"#]),
    ] {
        let answer = two.ok("root", &format!("DecodeAuthorizationMessage&EncodedMessage={text}")).await;
        assert!(answer.contains("<DecodedMessage>") && parts.iter().all(|part| answer.contains(part)), "{answer}");
        assert!(answer.contains("arn:aws:iam::000000000000:user/al"), "{answer}");
    }
    let call = format!("DecodeAuthorizationMessage&EncodedMessage={listing}");
    assert_eq!(one.code("al", &call).await, "AccessDenied", "without the permission");
    assert_eq!(one.code("carol", &call).await, "InvalidAuthorizationMessageException", "of another account");
    // Only the role's own account learns why the role refused a caller of another account, and nobody learns a secret
    // of the call.
    let foreign = encoded(&one, "carol", &format!("{assume}&ExternalId=of-carol")).await;
    let call = format!("DecodeAuthorizationMessage&EncodedMessage={foreign}");
    assert_eq!(one.code("carol", &call).await, "InvalidAuthorizationMessageException");
    let answer = one.ok("root", &call).await;
    assert!(answer.contains("user/carol") && !answer.contains("of-carol"), "{answer}");
    let missing = encoded(&one, "carol", &assume.replace("role/R", "role/X")).await;
    assert_eq!(missing.len(), encoded(&one, "carol", assume).await.len(), "whether there is a role");
    for (text, code) in [("x", "InvalidAuthorizationMessageException"), ("", "ValidationError")] {
        let call = format!("DecodeAuthorizationMessage&EncodedMessage={text}");
        assert_eq!(one.code("root", &call).await, code, "{text}");
    }
}
