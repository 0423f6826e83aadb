//! Every action of the IAM API by every kind of caller: those with only its permission may call it, those with every
//! other one may not.

use std::collections::BTreeSet;

use iam::CallerSession;
use iam_api::Command;
use policy::{CompiledPolicy, Policy, PolicyKind, Principal};

use super::*;

/// One call of each action, in an order in which all of them succeed. `$KEY` and `$SA` are the ones that `bo` has at
/// that time.
const CALLS: &str = "
    CreateUser&UserName=bo
    GetUser&UserName=bo
    ListUsers
    UpdateUser&UserName=bo&NewPath=/team/
    SetUserStatus&UserName=bo&Status=Active
    TagUser&UserName=bo&$TAG
    ListUserTags&UserName=bo
    UntagUser&UserName=bo&TagKeys.member.1=k
    CreateAccessKey&UserName=bo
    ListAccessKeys&UserName=bo
    GetAccessKeyLastUsed&AccessKeyId=$KEY
    UpdateAccessKey&UserName=bo&AccessKeyId=$KEY&Status=Inactive
    DeleteAccessKey&UserName=bo&AccessKeyId=$KEY
    CreateVirtualMFADevice&VirtualMFADeviceName=m
    EnableMFADevice&UserName=bo&$MFA&$CODES-1
    ResyncMFADevice&UserName=bo&$MFA&$CODES+1
    ListMFADevices&UserName=bo
    ListSSHPublicKeys&UserName=bo
    ListServiceSpecificCredentials&UserName=bo
    ListSigningCertificates&UserName=bo
    ListVirtualMFADevices
    DeactivateMFADevice&UserName=bo&$MFA
    DeleteVirtualMFADevice&$MFA
    GetLoginProfile&UserName=bo
    DeleteLoginProfile&UserName=bo
    CreateServiceAccount&ParentUser=bo
    GetServiceAccount&ServiceAccountId=$SA
    ListServiceAccounts&ParentUser=bo
    UpdateServiceAccount&ServiceAccountId=$SA&Status=Inactive
    DeleteServiceAccount&ServiceAccountId=$SA
    CreateGroup&GroupName=g
    GetGroup&GroupName=g
    ListGroups
    UpdateGroup&GroupName=g&NewPath=/team/
    AddUserToGroup&GroupName=g&UserName=bo
    ListGroupsForUser&UserName=bo
    RemoveUserFromGroup&GroupName=g&UserName=bo
    CreateRole&RoleName=R&AssumeRolePolicyDocument=$TRUST
    GetRole&RoleName=R
    ListRoles
    UpdateRole&RoleName=R&MaxSessionDuration=7200
    UpdateRoleDescription&RoleName=R&Description=d
    UpdateAssumeRolePolicy&RoleName=R&PolicyDocument=$TRUST
    TagRole&RoleName=R&$TAG
    ListRoleTags&RoleName=R
    UntagRole&RoleName=R&TagKeys.member.1=k
    PutUserPolicy&UserName=bo&PolicyName=I&PolicyDocument=$GET
    GetUserPolicy&UserName=bo&PolicyName=I
    ListUserPolicies&UserName=bo
    DeleteUserPolicy&UserName=bo&PolicyName=I
    PutGroupPolicy&GroupName=g&PolicyName=I&PolicyDocument=$GET
    GetGroupPolicy&GroupName=g&PolicyName=I
    ListGroupPolicies&GroupName=g
    DeleteGroupPolicy&GroupName=g&PolicyName=I
    PutRolePolicy&RoleName=R&PolicyName=I&PolicyDocument=$GET
    GetRolePolicy&RoleName=R&PolicyName=I
    ListRolePolicies&RoleName=R
    DeleteRolePolicy&RoleName=R&PolicyName=I
    CreatePolicy&PolicyName=P&PolicyDocument=$GET
    GetPolicy&$P
    ListPolicies
    CreatePolicyVersion&$P&PolicyDocument=$GET
    ListPolicyVersions&$P
    GetPolicyVersion&$P&VersionId=v2
    SetDefaultPolicyVersion&$P&VersionId=v2
    DeletePolicyVersion&$P&VersionId=v1
    TagPolicy&$P&$TAG
    ListPolicyTags&$P
    UntagPolicy&$P&TagKeys.member.1=k
    AttachUserPolicy&UserName=bo&$P
    ListAttachedUserPolicies&UserName=bo
    ListEntitiesForPolicy&$P
    DetachUserPolicy&UserName=bo&$P
    AttachGroupPolicy&GroupName=g&$P
    ListAttachedGroupPolicies&GroupName=g
    DetachGroupPolicy&GroupName=g&$P
    AttachRolePolicy&RoleName=R&$P
    ListAttachedRolePolicies&RoleName=R
    DetachRolePolicy&RoleName=R&$P
    PutUserPermissionsBoundary&UserName=bo&$BOUNDARY
    DeleteUserPermissionsBoundary&UserName=bo
    PutRolePermissionsBoundary&RoleName=R&$BOUNDARY
    DeleteRolePermissionsBoundary&RoleName=R
    CreateInstanceProfile&InstanceProfileName=web
    GetInstanceProfile&InstanceProfileName=web
    ListInstanceProfiles
    AddRoleToInstanceProfile&InstanceProfileName=web&RoleName=R
    ListInstanceProfilesForRole&RoleName=R
    RemoveRoleFromInstanceProfile&InstanceProfileName=web&RoleName=R
    TagInstanceProfile&InstanceProfileName=web&$TAG
    ListInstanceProfileTags&InstanceProfileName=web
    UntagInstanceProfile&InstanceProfileName=web&TagKeys.member.1=k
    CreateOpenIDConnectProvider&Url=https://idp.example.com
    GetOpenIDConnectProvider&$IDP
    ListOpenIDConnectProviders
    AddClientIDToOpenIDConnectProvider&$IDP&ClientID=c
    RemoveClientIDFromOpenIDConnectProvider&$IDP&ClientID=c
    UpdateOpenIDConnectProviderThumbprint&$IDP&ThumbprintList.member.1=0123456789012345678901234567890123456789
    TagOpenIDConnectProvider&$IDP&$TAG
    ListOpenIDConnectProviderTags&$IDP
    UntagOpenIDConnectProvider&$IDP&TagKeys.member.1=k
    CreateAccountAlias&AccountAlias=ours
    ListAccountAliases
    PutAccountPublicAccessBlock&PublicAccessBlock=BlockPublicAcls
    DeleteAccountPublicAccessBlock
    GetAccountSummary
    GetAccountAuthorizationDetails
    GenerateCredentialReport
    GetCredentialReport
    SimulatePrincipalPolicy&$AL&ActionNames.member.1=s3:GetObject
    SimulateCustomPolicy&PolicyInputList.member.1=$GET&ActionNames.member.1=s3:GetObject
    GetContextKeysForPrincipalPolicy&$AL
    GetContextKeysForCustomPolicy&PolicyInputList.member.1=$GET
    ValidatePolicy&PolicyType=IDENTITY_POLICY&PolicyDocument=$GET
    RevokeSessions&UserName=bo
    ListSessionRevocations
    ListSessions
    DeleteAccountAlias&AccountAlias=ours
    DeleteOpenIDConnectProvider&$IDP
    DeleteInstanceProfile&InstanceProfileName=web
    DeletePolicy&$P
    DeleteRole&RoleName=R
    DeleteGroup&GroupName=g
    DeleteUser&UserName=bo";

const WORDS: [(&str, &str); 8] = [
    ("$MFA", "SerialNumber=arn:aws:iam::000000000000:mfa/m"),
    ("$TAG", "Tags.member.1.Key=k&Tags.member.1.Value=v"),
    ("$BOUNDARY", "PermissionsBoundary=arn:aws:iam::000000000000:policy/P"),
    ("$IDP", "OpenIDConnectProviderArn=arn:aws:iam::000000000000:oidc-provider/idp.example.com"),
    ("$AL", "PolicySourceArn=arn:aws:iam::000000000000:user/al"),
    ("$P", "PolicyArn=arn:aws:iam::000000000000:policy/P"),
    ("$GET", GET),
    (
        "$TRUST",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole"}]}"#,
    ),
];

fn line(call: &str, state: &Snapshot) -> String {
    let bo = state.user("bo");
    let key = bo.and_then(|bo| bo.record.credentials.first()).map(|key| key.access_key.clone());
    let account = state.service_accounts_of("bo").next().map(|account| account.id.clone());
    let line = WORDS.iter().fold(call.to_owned(), |line, (word, text)| line.replace(word, text));
    let line = line.replace("$CODES-1", &codes(state, -1)).replace("$CODES+1", &codes(state, 1));
    line.replace("$KEY", &key.unwrap_or_default()).replace("$SA", &account.unwrap_or_default())
}

/// Two codes in a row of the device, the first of them so many steps from the time of the calls.
fn codes(state: &Snapshot, steps: i64) -> String {
    let device = state.mfa_device("arn:aws:iam::000000000000:mfa/m");
    let code = |step| device.and_then(|device| device.code_at(1_700_000_000 + 30 * step)).unwrap_or_default();
    format!("AuthenticationCode1={}&AuthenticationCode2={}", code(steps), code(steps + 1))
}

fn policy(kind: PolicyKind, effect: &str, element: &str, actions: &[String]) -> Arc<CompiledPolicy> {
    let actions: Vec<String> = actions.iter().map(|action| format!("\"{action}\"")).collect();
    let actions = actions.join(",");
    let text = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"{effect}","{element}":[{actions}],"Resource":"*"}}]}}"#
    );
    Arc::new(Policy::parse(kind, &text).unwrap().compile())
}

/// What an administrator of another account changes in that account.
const OF_THE_CALLERS_ACCOUNT: [&str; 2] = ["PutAccountPublicAccessBlock", "DeleteAccountPublicAccessBlock"];

/// Callers whose call that needs `needed` is refused, each with the code.
fn refused(al: &Caller, needed: &[String]) -> Vec<(&'static str, Caller, &'static str)> {
    let (own, all) = (vec![needed[0].clone()], vec!["*".to_owned()]);
    let others = |kind| policy(kind, "Allow", "NotAction", &own);
    let everything = || policy(PolicyKind::Identity, "Allow", "Action", &all);
    let with = |policies: Vec<Arc<CompiledPolicy>>| Caller { policies: policies.into(), ..al.clone() };
    let nobody = Caller {
        name: "anonymous".into(),
        principal: Principal::Anonymous,
        arn: "anonymous".into(),
        policies: Arc::from([everything()]),
        ..al.clone()
    };
    let mut refused = vec![
        ("nobody", nobody, "MissingAuthenticationToken"),
        ("a user without permissions", with(Vec::new()), "AccessDenied"),
        (
            "a user who may use all objects of S3",
            with(vec![policy(PolicyKind::Identity, "Allow", "Action", &["s3:*Object*".to_owned()])]),
            "AccessDenied",
        ),
        ("a user who may do everything else", with(vec![others(PolicyKind::Identity)]), "AccessDenied"),
        (
            "a user who is denied it",
            with(vec![everything(), policy(PolicyKind::Identity, "Deny", "Action", &own)]),
            "AccessDenied",
        ),
        (
            "a user whose boundary allows everything else",
            Caller { boundary: Some(others(PolicyKind::Identity)), ..with(vec![everything()]) },
            "AccessDenied",
        ),
        (
            "a session whose policy allows everything else",
            session(with(vec![everything()]), Some(others(PolicyKind::Session))),
            "AccessDenied",
        ),
        (
            "a session of a role that may do everything else",
            session(with(vec![others(PolicyKind::Identity)]), None),
            "AccessDenied",
        ),
    ];
    // If several permissions are needed, each one is.
    for one in needed.iter().skip(1) {
        let rest = policy(PolicyKind::Identity, "Allow", "NotAction", std::slice::from_ref(one));
        refused.push(("a user without another permission that the call needs", with(vec![rest]), "AccessDenied"));
    }
    refused
}

fn session(caller: Caller, policy: Option<Arc<CompiledPolicy>>) -> Caller {
    let role = Principal::AssumedRole {
        account: caller.account,
        role: "Role".into(),
        role_path: "/".into(),
        session: "s1".into(),
    };
    Caller {
        arn: role.to_string().into(),
        principal: role,
        session: Some(CallerSession {
            id: "sid".into(),
            role_arn: "arn:aws:iam::000000000000:role/Role".into(),
            name: "s1".into(),
            issued_s: 1_700_000_000,
            expires_s: 1_700_003_600,
            policy,
            ..CallerSession::default()
        }),
        ..caller
    }
}

#[tokio::test]
async fn every_action_needs_exactly_its_permission() {
    let calls: Vec<&str> = CALLS.split_whitespace().collect();
    let known: BTreeSet<&str> = Command::all().map(|command| command.action.name).collect();
    let called: BTreeSet<&str> = calls.iter().filter_map(|call| call.split('&').next()).collect();
    assert_eq!(called, known, "each action has its row");

    let world = World::new();
    let gateway = Gateway::start(&world, false).await;
    let (al, carol) = (gateway.caller("al"), gateway.caller("carol"));
    for call in calls {
        let action = call.split('&').next().unwrap();
        let line = line(call, &gateway.state());
        let needed: Vec<String> = match action {
            "ValidatePolicy" => vec!["access-analyzer:ValidatePolicy".to_owned()],
            "CreateServiceAccount" => vec![format!("iam:{action}"), "iam:CreateAccessKey".to_owned()],
            "AddRoleToInstanceProfile" => vec![format!("iam:{action}"), "iam:PassRole".to_owned()],
            "PutAccountPublicAccessBlock" | "DeleteAccountPublicAccessBlock" => {
                vec!["s3:PutAccountPublicAccessBlock".to_owned()]
            }
            _ => vec![format!("iam:{action}")],
        };
        for (who, caller, code) in refused(&al, &needed) {
            let error = gateway.call_as(&caller, &line).await.expect_err(&format!("{action} by {who}"));
            assert_eq!((&*error.code, error.status), (code, 403), "{action} by {who}");
        }
        // Another account's administrator acts only in that account, where our entities do not exist.
        let made = !action.starts_with("Create") && !OF_THE_CALLERS_ACCOUNT.contains(&action);
        if made {
            let before = gateway.follower.digest();
            foreign(action, gateway.call_as(&carol, &line).await);
            assert_eq!(
                gateway.follower.digest(),
                before,
                "{action} by another account's administrator changes something"
            );
        }
        let only = policy(PolicyKind::Identity, "Allow", "Action", &needed);
        let owner = Caller { policies: Arc::from([only]), ..al.clone() };
        if !Command::find(action).unwrap().writes() {
            let own = policy(PolicyKind::Session, "Allow", "Action", &needed);
            succeeds(action, "a session that may", gateway.call_as(&session(owner.clone(), Some(own)), &line).await);
        }
        succeeds(action, "a user who may do only that", gateway.call_as(&owner, &line).await);
        if !made {
            foreign(action, gateway.call_as(&carol, &line).await);
        }
    }
}

fn succeeds(action: &str, who: &str, answer: Result<String, QueryError>) {
    match answer {
        // No user has a password.
        Err(error) if action.ends_with("LoginProfile") => assert_eq!(error.code, "NoSuchEntity", "{action} by {who}"),
        answer => assert!(answer.is_ok(), "{action} by {who}: {}", answer.unwrap_err()),
    }
}

/// What the administrator of another account may be told.
fn foreign(action: &str, answer: Result<String, QueryError>) {
    match answer {
        Ok(answer) => {
            assert!(!answer.contains("000000000000"), "{action} reveals our account to another one: {answer}");
            // Deleting a provider that does not exist succeeds, as on AWS.
            let of_none_of_ours =
                ["List", "Get", "Generate", "Simulate", "Validate", "Create", "DeleteOpenIDConnectProvider"];
            let is_own = OF_THE_CALLERS_ACCOUNT.contains(&action);
            assert!(is_own || of_none_of_ours.iter().any(|verb| action.starts_with(verb)), "{action}: {answer}");
        }
        Err(error) => {
            let told = ["NoSuchEntity", "EntityAlreadyExists", "InvalidInput"];
            assert!(told.contains(&&*error.code), "{action}: {error}");
        }
    }
}
