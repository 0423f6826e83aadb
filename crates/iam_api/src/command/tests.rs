mod answers;
mod aws_managed;
mod federation;
mod key_expiry;
mod mfa;
mod parameters;
mod reports;
mod revocations;

use std::sync::Arc;

use ids::AccountId;
use policy::Principal;

use super::*;
use iam::{Holder, InlinePolicyRecord, PolicyPlace, PolicyRecord, Settings};
use iam_formats::{Facts, StoredDocument, identities, weed_policies};

const GET: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}"#;
const TRUST: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}]}"#;

fn caller(name: &str) -> Caller {
    let account = AccountId::DEFAULT;
    let principal = Principal::User { account, path: "/".into(), name: name.into() };
    Caller {
        name: name.into(),
        arn: principal.to_string().into(),
        principal,
        user_id: "AIDA".into(),
        account,
        is_root: false,
        access_key_id: None,
        session: None,
        policies: Arc::from([]),
        sources: Arc::from([]),
        boundary: None,
        connection: iam::ConnectionFacts::default(),
    }
}

fn start() -> Snapshot {
    let file =
        r#"{"identities":[{"name":"boss","credentials":[{"accessKey":"AKB","secretKey":"s"}],"actions":["Admin"]}]}"#;
    Snapshot::new(Settings::default(), &identities::parse(file, &|_| None).unwrap())
}

/// Runs `Action&Name=Value&...`, with values used as they are. Returns the next state and the result.
fn run(state: &Snapshot, line: &str) -> Result<(Snapshot, String), IamError> {
    run_as(&caller("boss"), state, line)
}

fn run_as(caller: &Caller, state: &Snapshot, line: &str) -> Result<(Snapshot, String), IamError> {
    let outcome = outcome_of(caller, state, line, &LastUsed::default())?;
    let next = state.apply(outcome.changes);
    Ok((next, outcome.result.unwrap_or_default()))
}

fn run_with(state: &Snapshot, line: &str, last_used: &LastUsed) -> Result<(Snapshot, String), IamError> {
    let outcome = outcome_of(&caller("boss"), state, line, last_used)?;
    let next = state.apply(outcome.changes);
    Ok((next, outcome.result.unwrap_or_default()))
}

fn outcome(state: &Snapshot, line: &str) -> Result<Outcome, IamError> {
    outcome_of(&caller("boss"), state, line, &LastUsed::default())
}

fn outcome_of(caller: &Caller, state: &Snapshot, line: &str, last_used: &LastUsed) -> Result<Outcome, IamError> {
    let (action, rest) = line.split_once('&').unwrap_or((line, ""));
    let pairs = rest.split('&').filter_map(|pair| pair.split_once('='));
    let params = Params::new(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())))?;
    let random: [u8; 96] = std::array::from_fn(|place| u8::try_from(place).unwrap() ^ line.len() as u8);
    let request = Request { params: &params, caller, now_s: 1_700_000_000, random: &random, last_used };
    let command = Command::find(action)?;
    command.documents(&request, state)?;
    let outcome = command.run(&request, state)?;
    assert!(command.writes() || outcome.changes.is_empty(), "{action} only reads");
    Ok(outcome)
}

/// A sequence: each line runs on the state that the previous one left. `=` before a text: the answer contains it; `!`:
/// the error's code.
fn story(lines: &[(&str, &str)]) -> Snapshot {
    story_on(start(), lines)
}

fn story_on(state: Snapshot, lines: &[(&str, &str)]) -> Snapshot {
    lines.iter().fold(state, |state, (line, want)| match (run(&state, line), want.split_at(1)) {
        (Ok((next, answer)), ("=", part)) => {
            assert!(answer.contains(part), "{line}: {answer}");
            next
        }
        (Err(error), ("!", code)) => {
            assert_eq!(error.code, code, "{line}: {error}");
            state
        }
        (found, _) => panic!("{line}: wanted {want}, found {:?}", found.map(|(_, answer)| answer)),
    })
}

/// In its own calls, the root of each account is `root`, and it is not one of the users.
#[test]
fn roots_of_several_accounts() {
    let identity = |account: &str, key: &str| {
        format!(
            r#"{{"name":"root","account":{{"id":"{account}"}},"credentials":[{{"accessKey":"{key}","secretKey":"s"}}],"actions":["Admin"]}}"#
        )
    };
    let file = format!(r#"{{"identities":[{},{}]}}"#, identity("111122223333", "AK1"), identity("444455556666", "AK2"));
    let state = Snapshot::new(Settings::default(), &identities::parse(&file, &|_| None).unwrap());
    for (key, account) in [("AK1", "111122223333"), ("AK2", "444455556666")] {
        let user = state.access_key(key).unwrap().user;
        let root =
            Caller { name: user.name.clone(), principal: user.principal.clone(), account: user.account, ..caller("") };
        for (line, want) in [
            (
                "GetUser",
                format!("<UserName>root</UserName><UserId>{account}</UserId><Arn>arn:aws:iam::{account}:root</Arn>"),
            ),
            ("ListAccessKeys", format!("<UserName>root</UserName><AccessKeyId>{key}</AccessKeyId>")),
            ("ListUsers", "<Users></Users>".to_owned()),
        ] {
            let (_, answer) = run_as(&root, &state, line).unwrap();
            assert!(answer.contains(&want), "{line} by {account}: {answer}");
        }
        assert_eq!(run_as(&root, &state, "CreateAccessKey").unwrap_err().code, "UnmodifiableEntity");
    }
}

/// SeaweedFS deletes users without checking anything else, so their names are left behind.
#[test]
fn a_group_of_deleted_users_can_be_deleted() {
    let state = story(&[
        ("CreateUser&UserName=al", "=AIDA"),
        ("CreateGroup&GroupName=g", "=AGPA"),
        ("AddUserToGroup&GroupName=g&UserName=al", "="),
        ("DeleteGroup&GroupName=g", "!DeleteConflict"),
    ]);
    let state = state.apply([Change::User("al".into(), None)]);
    let state = story_on(state, &[("GetGroup&GroupName=g", "=<Users></Users>"), ("DeleteGroup&GroupName=g", "=")]);
    assert!(state.group("g").is_none());
}

#[test]
fn users_and_their_keys() {
    let end = story(&[
        (
            "CreateUser&UserName=al&Path=/team/&Tags.member.1.Key=k&Tags.member.1.Value=v",
            "=<Arn>arn:aws:iam::000000000000:user/team/al</Arn><CreateDate>2023-11-14T22:13:20Z",
        ),
        ("CreateUser&UserName=al", "!EntityAlreadyExists"),
        ("CreateUser&UserName=../evil", "!ValidationError"),
        ("CreateUser&UserName=a/b", "!ValidationError"),
        ("CreateUser&UserName=*", "!ValidationError"),
        ("CreateUser&UserName=root", "!ValidationError"),
        ("CreateUser&UserName=anonymous", "!ValidationError"),
        ("CreateUser", "!ValidationError"),
        ("CreateUser&UserName=bo&Path=x", "!ValidationError"),
        ("CreateUser&UserName=bo&Tags.member.2.Key=k&Tags.member.2.Value=v", "!ValidationError"),
        ("CreateUser&UserName=bo&PermissionsBoundary=arn", "!InvalidInput"),
        ("CreateUser&UserName=bo&PermissionsBoundary=arn:aws:iam::000000000000:policy/None", "!NoSuchEntity"),
        ("CreateUser&UserName=AL", "!EntityAlreadyExists"),
        ("CreateUser&UserName=Root", "!ValidationError"),
        ("CreateUser&UserName=..", "!ValidationError"),
        ("GetUser&UserName=al", "=<Tags><member><Key>k</Key><Value>v</Value></member></Tags>"),
        ("GetUser&UserName=nobody", "!NoSuchEntity"),
        ("GetUser", "=<UserName>boss</UserName>"),
        ("ListUsers&PathPrefix=/team/", "=<Users><member><Path>/team/</Path><UserName>al</UserName>"),
        ("ListUsers&MaxItems=1", "=<IsTruncated>true</IsTruncated><Marker>VXNlcnMvYWw</Marker>"),
        ("ListUsers&MaxItems=1&Marker=VXNlcnMvYWw", "=<UserName>boss</UserName>"),
        ("ListUsers&Marker=al", "!ValidationError"),
        ("ListGroups&Marker=VXNlcnMvYWw", "!ValidationError"),
        ("ListUsers&PathPrefix=team", "!ValidationError"),
        ("ListUsers&MaxItems=0", "!ValidationError"),
        ("CreateAccessKey&UserName=al", "=<AccessKeyId>AKIA"),
        ("CreateAccessKey&UserName=al&x=different", "=<Status>Active</Status><SecretAccessKey>"),
        ("CreateAccessKey&UserName=al&x=another one", "!LimitExceeded"),
        ("CreateAccessKey&UserName=boss", "!UnmodifiableEntity"),
        ("CreateAccessKey&UserName=nobody", "!NoSuchEntity"),
        ("ListMFADevices&UserName=al", "=<IsTruncated>false</IsTruncated>"),
        ("ListSSHPublicKeys&UserName=zed", "!NoSuchEntity"),
        ("GetLoginProfile&UserName=al", "!NoSuchEntity"),
        ("ListAccessKeys&UserName=al", "=<UserName>al</UserName><AccessKeyMetadata><member>"),
        ("UpdateAccessKey&UserName=al&AccessKeyId=AKNONE&Status=Active", "!NoSuchEntity"),
        ("UpdateAccessKey&UserName=al&AccessKeyId=AKNONE&Status=Off", "!ValidationError"),
        ("DeleteUser&UserName=al", "!DeleteConflict"),
        ("UpdateUser&UserName=al&NewPath=/x/", "="),
        ("UpdateUser&UserName=al&NewUserName=boss", "!EntityAlreadyExists"),
        ("UpdateUser&UserName=boss&NewUserName=cy", "!UnmodifiableEntity"),
        ("UpdateUser&UserName=nobody&NewUserName=cy", "!NoSuchEntity"),
        ("SetUserStatus&UserName=al&Status=Off", "!ValidationError"),
        ("DeleteUser&UserName=boss", "!UnmodifiableEntity"),
    ]);
    let keys: Vec<String> =
        end.user("al").unwrap().record.credentials.iter().map(|key| key.access_key.clone()).collect();
    assert_eq!(keys.len(), 2);
    assert!(end.access_key(&keys[0]).unwrap().refusal(0).is_none());
    let (end, answer) =
        run(&end, &format!("UpdateAccessKey&UserName=al&AccessKeyId={}&Status=Inactive", keys[0])).unwrap();
    assert_eq!(answer, "");
    assert!(end.access_key(&keys[0]).unwrap().refusal(0).is_some());
    let end = keys
        .iter()
        .fold(end, |state, key| run(&state, &format!("DeleteAccessKey&UserName=al&AccessKeyId={key}")).unwrap().0);
    assert!(end.access_key(&keys[1]).is_none());
    let (end, _) = run(&end, "DeleteUser&UserName=al").unwrap();
    assert!(end.user("al").is_none());
}

/// As in IAM, on pages of any size.
#[test]
fn lists_are_sorted_without_regard_to_case() {
    let names = ["ad", "Ac", "ab", "Aa"];
    let state = names.iter().fold(story(&[]), |state, name| {
        let state = run(&state, &format!("CreateUser&UserName={name}&Path=/s/")).unwrap().0;
        let state = run(&state, &format!("CreateGroup&GroupName={name}&Path=/s/")).unwrap().0;
        run(&state, &format!("CreateRole&RoleName={name}&Path=/s/&AssumeRolePolicyDocument={TRUST}")).unwrap().0
    });
    for kind in ["User", "Group", "Role"] {
        for most in [1, 3, 100] {
            let (mut marker, mut listed) = (String::new(), Vec::new());
            loop {
                let line = format!("List{kind}s&PathPrefix=/s/&MaxItems={most}{marker}");
                let (_, answer) = run(&state, &line).unwrap();
                let element = format!("<{kind}Name>");
                listed.extend(answer.split(&element).skip(1).map(|rest| rest.split('<').next().unwrap().to_owned()));
                let Some((_, rest)) = answer.split_once("<Marker>") else { break };
                marker = format!("&Marker={}", rest.split('<').next().unwrap());
            }
            assert_eq!(listed, ["Aa", "ab", "Ac", "ad"], "{kind} {most}");
        }
    }
}

#[test]
fn policies_inline_and_attached() {
    let policy = format!("PolicyDocument={GET}");
    let arn = "PolicyArn=arn:aws:iam::000000000000:policy/P";
    let end = story(&[
        ("CreateUser&UserName=al", "="),
        (&format!("PutUserPolicy&UserName=al&PolicyName=I&{policy}"), "="),
        ("PutUserPolicy&UserName=al&PolicyName=I&PolicyDocument={bad", "!MalformedPolicyDocument"),
        (&format!("PutUserPolicy&UserName=al&PolicyName=a/b&{policy}"), "!ValidationError"),
        (&format!("PutUserPolicy&UserName=boss&PolicyName=I&{policy}"), "!UnmodifiableEntity"),
        ("GetUserPolicy&UserName=al&PolicyName=I", "=<PolicyDocument>%7B%22Version%22%3A%222012-10-17%22"),
        ("GetUserPolicy&UserName=al&PolicyName=J", "!NoSuchEntity"),
        ("ListUserPolicies&UserName=al", "=<PolicyNames><member>I</member></PolicyNames><IsTruncated>false"),
        ("DeleteUser&UserName=al", "!DeleteConflict"),
        ("DeleteUserPolicy&UserName=al&PolicyName=I", "="),
        ("DeleteUserPolicy&UserName=al&PolicyName=I", "!NoSuchEntity"),
        (
            &format!("CreatePolicy&PolicyName=P&Description=d&{policy}"),
            "=<Arn>arn:aws:iam::000000000000:policy/P</Arn>",
        ),
        (&format!("CreatePolicy&PolicyName=P&{policy}"), "!EntityAlreadyExists"),
        (&format!("AttachUserPolicy&UserName=al&{arn}"), "="),
        (&format!("AttachUserPolicy&UserName=al&{arn}"), "="),
        ("AttachUserPolicy&UserName=al&PolicyArn=arn:aws:iam::000000000000:policy/other/P", "!NoSuchEntity"),
        ("AttachUserPolicy&UserName=al&PolicyArn=arn:aws:iam::111122223333:policy/P", "!NoSuchEntity"),
        ("AttachUserPolicy&UserName=al&PolicyArn=P", "!InvalidInput"),
        (
            "ListAttachedUserPolicies&UserName=al",
            "=<PolicyName>P</PolicyName><PolicyArn>arn:aws:iam::000000000000:policy/P<",
        ),
        (&format!("GetPolicy&{arn}"), "=<AttachmentCount>1</AttachmentCount>"),
        (&format!("DeletePolicy&{arn}"), "!DeleteConflict"),
        (&format!("CreatePolicyVersion&{arn}&SetAsDefault=true&{policy}"), "=<VersionId>v2</VersionId>"),
        (&format!("DeletePolicyVersion&{arn}&VersionId=v1"), "="),
        ("ListPolicies&OnlyAttached=true", "=<PolicyName>P</PolicyName>"),
        (&format!("DetachUserPolicy&UserName=al&{arn}"), "="),
        (&format!("DetachUserPolicy&UserName=al&{arn}"), "!NoSuchEntity"),
        (&format!("DeletePolicy&{arn}"), "="),
        (&format!("GetPolicy&{arn}"), "!NoSuchEntity"),
        ("ListEntitiesForPolicy", "!ValidationError"),
        ("Nonsense", "!NotImplemented"),
    ]);
    assert_eq!(end.counts().policies, 0);
}

#[test]
fn roles_and_groups() {
    let end = story(&[
        (
            &format!("CreateRole&RoleName=R&AssumeRolePolicyDocument={TRUST}&MaxSessionDuration=7200"),
            "=<Arn>arn:aws:iam::000000000000:role/R</Arn>",
        ),
        (&format!("CreateRole&RoleName=R&AssumeRolePolicyDocument={TRUST}"), "!EntityAlreadyExists"),
        (&format!("CreateRole&RoleName=seeded&AssumeRolePolicyDocument={TRUST}"), "!ValidationError"),
        (&format!("CreateRole&RoleName=sts-claim-based&AssumeRolePolicyDocument={TRUST}"), "!ValidationError"),
        (&format!("CreateRole&RoleName=STS-Claim-Based&AssumeRolePolicyDocument={TRUST}"), "!ValidationError"),
        (&format!("CreateRole&RoleName=S&AssumeRolePolicyDocument={TRUST}&MaxSessionDuration=60"), "!ValidationError"),
        (&format!("CreateRole&RoleName=S&AssumeRolePolicyDocument={GET}"), "!MalformedPolicyDocument"),
        ("GetRole&RoleName=R", "=<MaxSessionDuration>7200</MaxSessionDuration>"),
        ("ListRoles", "=<RoleName>R</RoleName>"),
        ("UpdateRole&RoleName=R&Description=hello", "="),
        ("GetRole&RoleName=R", "=<Description>hello</Description><MaxSessionDuration>7200"),
        (&format!("UpdateAssumeRolePolicy&RoleName=R&PolicyDocument={TRUST}"), "="),
        (&format!("PutRolePolicy&RoleName=R&PolicyName=I&PolicyDocument={GET}"), "="),
        ("DeleteRole&RoleName=R", "!DeleteConflict"),
        ("DeleteRolePolicy&RoleName=R&PolicyName=I", "="),
        ("DeleteRole&RoleName=R", "="),
        ("DeleteRole&RoleName=R", "!NoSuchEntity"),
        ("CreateUser&UserName=al", "="),
        ("CreateGroup&GroupName=g", "=<Arn>arn:aws:iam::000000000000:group/g</Arn>"),
        ("CreateGroup&GroupName=g", "!EntityAlreadyExists"),
        ("AddUserToGroup&GroupName=g&UserName=nobody", "!NoSuchEntity"),
        ("AddUserToGroup&GroupName=g&UserName=al", "="),
        ("GetGroup&GroupName=g", "=<Users><member><Path>/</Path><UserName>al</UserName>"),
        ("ListGroupsForUser&UserName=al", "=<GroupName>g</GroupName>"),
        (&format!("PutGroupPolicy&GroupName=g&PolicyName=I&PolicyDocument={GET}"), "="),
        ("DeleteUser&UserName=al", "!DeleteConflict"),
        ("DeleteGroup&GroupName=g", "!DeleteConflict"),
        ("RemoveUserFromGroup&GroupName=g&UserName=al", "="),
        ("RemoveUserFromGroup&GroupName=g&UserName=al", "!NoSuchEntity"),
        ("DeleteGroupPolicy&GroupName=g&PolicyName=I", "="),
        ("DeleteGroup&GroupName=g", "="),
    ]);
    assert_eq!(end.counts().groups, 0);
}

#[test]
fn a_new_user_inherits_nothing_from_an_earlier_one_with_its_name() {
    let state = start();
    let text = InlinePolicyRecord::of_text(GET);
    let group = iam::GroupRecord { name: "g".into(), members: vec!["al".into()], ..Default::default() };
    let state = state.apply([
        Change::Inline(Holder::User("al".into()), "old".into(), Some(Ok(text))),
        Change::Group("g".into(), Some(Ok(group))),
    ]);
    let (next, _) = run(&state, "CreateUser&UserName=al").unwrap();
    let user = next.user("al").unwrap();
    assert!(user.policies.is_empty() && user.groups.is_empty(), "{user:?}");
}

#[test]
fn a_new_policy_is_not_attached_through_a_leftover_name() {
    let user = iam::UserRecord { name: "al".into(), attached_policies: vec!["P".into()], ..Default::default() };
    let state = start().apply([Change::User("al".into(), Some(Ok(user)))]);
    let error = run(&state, &format!("CreatePolicy&PolicyName=P&PolicyDocument={GET}")).unwrap_err();
    assert_eq!(error.code, "DeleteConflict");
}

#[test]
fn legacy_actions_projected_from_an_inline_policy_are_removed_first() {
    let weed = weed_policies::parse(&format!(r#"{{"inlinePolicies":{{"al":{{"I":{GET}}}}}}}"#), None).unwrap();
    let user = iam::UserRecord { name: "al".into(), actions: vec!["Admin".into()], ..Default::default() };
    let state = start().apply([Change::User("al".into(), Some(Ok(user))), Change::WeedPolicies(Some(Ok(weed)))]);
    for line in [
        "DeleteUserPolicy&UserName=al&PolicyName=I".to_owned(),
        format!("PutUserPolicy&UserName=al&PolicyName=I&PolicyDocument={TRUST_FREE}"),
    ] {
        let (next, _) = run(&state, &line).unwrap();
        assert!(next.user("al").unwrap().record.actions.is_empty(), "{line}: Admin is back");
        assert!(next.weed_policies().inline.is_empty(), "{line}");
        assert_eq!(next.counts().problems, 0, "{line}");
    }
}

const TRUST_FREE: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"s3:*","Resource":"*"}]}"#;

#[test]
fn the_api_does_not_change_what_files_define() {
    let text = PolicyRecord::of_text(GET);
    let state = start().apply([Change::Policy("P".into(), PolicyPlace::Identities, Some(Ok(text)))]);
    for action in ["DeletePolicy", "CreatePolicyVersion&SetAsDefault=true"] {
        let line = format!("{action}&PolicyArn=arn:aws:iam::000000000000:policy/P&PolicyDocument={GET}");
        assert_eq!(run(&state, &line).unwrap_err().code, "UnmodifiableEntity", "{action}");
    }
}

/// What a user, a group and a role have, for simulations.
fn world() -> Snapshot {
    let deny = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"s3:DeleteObject","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"false"}}}]}"#;
    let home = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:::b","Condition":{"StringLike":{"s3:prefix":"${aws:username}/*"}}}]}"#;
    story(&[
        ("CreateUser&UserName=al&Path=/team/", "="),
        ("CreateUser&UserName=bo", "="),
        (&format!("CreatePolicy&PolicyName=P&PolicyDocument={GET}"), "="),
        ("AttachUserPolicy&UserName=al&PolicyArn=arn:aws:iam::000000000000:policy/P", "="),
        (&format!("PutUserPolicy&UserName=al&PolicyName=Home&PolicyDocument={home}"), "="),
        ("CreateGroup&GroupName=g", "="),
        (&format!("PutGroupPolicy&GroupName=g&PolicyName=D&PolicyDocument={deny}"), "="),
        ("AddUserToGroup&GroupName=g&UserName=al", "="),
        (&format!("CreateRole&RoleName=R&AssumeRolePolicyDocument={TRUST}"), "="),
        ("AttachRolePolicy&RoleName=R&PolicyArn=arn:aws:iam::000000000000:policy/P", "="),
    ])
}

/// Each line runs on the same state; `=` before a text: the answer contains it; `!`: the error's code; `~`: it does not contain it.
fn ask(state: &Snapshot, lines: &[(&str, &str)]) {
    for (line, want) in lines {
        match (run(state, line), want.split_at(1)) {
            (Ok((_, answer)), ("=", part)) => assert!(answer.contains(part), "{line}: {answer}"),
            (Ok((_, answer)), ("~", part)) => assert!(!answer.contains(part), "{line}: {answer}"),
            (Err(error), ("!", code)) => assert_eq!(error.code, code, "{line}: {error}"),
            (found, _) => panic!("{line}: wanted {want}, found {:?}", found.map(|(_, answer)| answer)),
        }
    }
}

#[test]
fn policies_of_principals_are_simulated() {
    let of = |name: &str, rest: &str| {
        format!("SimulatePrincipalPolicy&PolicySourceArn=arn:aws:iam::000000000000:{name}&ActionNames.member.1={rest}")
    };
    let al = |rest: &str| of("user/team/al", rest);
    let object = "ResourceArns.member.1=arn:aws:s3:::b/k";
    let entry = |name: &str, kind: &str, value: &str| {
        format!(
            "ContextEntries.member.1.ContextKeyName={name}&ContextEntries.member.1.ContextKeyType={kind}&ContextEntries.member.1.ContextKeyValues.member.1={value}"
        )
    };
    let insecure = entry("aws:SecureTransport", "boolean", "false");
    let none = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:PutObject","Resource":"*"}]}"#;
    let boundary = format!("PermissionsBoundaryPolicyInputList.member.1={none}");
    let list = format!("{object}&ActionNames.member.2=s3:PutObject&ResourceArns.member.2=arn:aws:s3:::b/l");
    let prefix = entry("s3:prefix", "string", "al/x");
    ask(
        &world(),
        &[
            (
                &al(&format!("s3:GetObject&{object}")),
                "=<EvaluationResults><member><EvalActionName>s3:GetObject</EvalActionName><EvalResourceName>arn:aws:s3:::b/k</EvalResourceName><EvalDecision>allowed</EvalDecision><MatchedStatements><member><SourcePolicyId>P</SourcePolicyId><SourcePolicyType>IAM Policy</SourcePolicyType><StartPosition><Line>1</Line><Column>38</Column></StartPosition><EndPosition><Line>1</Line><Column>95</Column></EndPosition></member></MatchedStatements><MissingContextValues></MissingContextValues>",
            ),
            (&al("s3:GetObject"), "=<EvalResourceName>*</EvalResourceName><EvalDecision>allowed<"),
            (&al("s3:GetObject"), "~ResourceSpecificResults"),
            (&al("s3:GetObject"), "~PermissionsBoundaryDecisionDetail"),
            (&al("s3:PutObject"), "=<EvalDecision>implicitDeny</EvalDecision><MatchedStatements></MatchedStatements>"),
            (
                &al("s3:DeleteObject"),
                "=<MissingContextValues><member>aws:SecureTransport</member></MissingContextValues>",
            ),
            (
                &al(&format!("s3:DeleteObject&{object}&{insecure}")),
                "=<EvalDecision>explicitDeny</EvalDecision><MatchedStatements><member><SourcePolicyId>group_g_D</SourcePolicyId>",
            ),
            (
                &al(&format!("s3:ListBucket&ResourceArns.member.1=arn:aws:s3:::b&{prefix}")),
                "=<EvalDecision>allowed</EvalDecision><MatchedStatements><member><SourcePolicyId>user_al_Home<",
            ),
            (
                &al("s3:ListBucket&ResourceArns.member.1=arn:aws:s3:::b"),
                "=<MissingContextValues><member>s3:prefix</member></MissingContextValues></member></ResourceSpecificResults>",
            ),
            (
                &al(&format!("s3:GetObject&{object}&{boundary}")),
                "=<EvalDecision>implicitDeny</EvalDecision><MatchedStatements></MatchedStatements><MissingContextValues></MissingContextValues><PermissionsBoundaryDecisionDetail><AllowedByPermissionsBoundary>false<",
            ),
            (
                &al(&format!("s3:PutObject&{object}&{boundary}&PolicyInputList.member.1={none}")),
                "=<EvalDecision>allowed</EvalDecision><MatchedStatements><member><SourcePolicyId>PolicyInputList.1<",
            ),
            (&al(&format!("s3:GetObject&{list}&MaxItems=3")), "=<IsTruncated>true</IsTruncated><Marker>3</Marker>"),
            (
                &al(&format!("s3:GetObject&{list}&Marker=3")),
                "=<EvaluationResults><member><EvalActionName>s3:PutObject</EvalActionName><EvalResourceName>arn:aws:s3:::b/l<",
            ),
            (&al(&format!("s3:GetObject&{list}&Marker=4")), "!InvalidInput"),
            (&of("role/R", "s3:GetObject"), "=<EvalDecision>allowed<"),
            (&of("group/g", &format!("s3:DeleteObject&{insecure}")), "=<EvalDecision>explicitDeny<"),
            // Only an entity with exactly this ARN, for which the permission was checked.
            (&of("user/al", "s3:GetObject"), "!NoSuchEntity"),
            (&of("user/zed", "s3:GetObject"), "!NoSuchEntity"),
            (&of("root", "s3:GetObject"), "!InvalidInput"),
            (&al("s3:Get*"), "!InvalidInput"),
            (&al("GetObject"), "!InvalidInput"),
            (&al("s3:GetObject&ResourceArns.member.1=b"), "!InvalidInput"),
            (&al("s3:GetObject&PolicyInputList.member.1={bad"), "!InvalidInput"),
            (&al("s3:GetObject&PolicyInputList.member.3={bad"), "!ValidationError"),
            (&al("s3:GetObject&CallerArn=arn:aws:iam::000000000000:root"), "!InvalidInput"),
            (&al("s3:GetObject&ResourceHandlingOption=EC2-VPC-EBS"), "!NotImplemented"),
            (&al(&format!("s3:GetObject&{}", entry("a:b", "text", "x"))), "!InvalidInput"),
            (
                &al(&format!(
                    "s3:GetObject&{}&ContextEntries.member.1.ContextKeyValues.member.2=y",
                    entry("a:b", "string", "x")
                )),
                "!InvalidInput",
            ),
            ("SimulatePrincipalPolicy&ActionNames.member.1=s3:GetObject", "!ValidationError"),
        ],
    );
}

/// A call with `count` resources: how many pairs its first page has, or the code of its refusal.
fn simulated(documents: &[String], resources: usize, more: &str) -> Result<usize, &'static str> {
    let resource = |at| format!("&ResourceArns.member.{at}=arn:aws:s3:::b/{}", "x".repeat(50));
    let documents = (1..).zip(documents).map(|(at, text)| format!("&PolicyInputList.member.{at}={text}"));
    let line = format!(
        "SimulateCustomPolicy&ActionNames.member.1=s3:GetObject&MaxItems=1000{}{}{more}",
        documents.collect::<String>(),
        (1..=resources).map(resource).collect::<String>(),
    );
    let (_, answer) = run(&start(), &line).map_err(|error| error.code)?;
    let pairs = answer.matches("<EvalActionName>").count();
    assert_eq!(answer.contains("<IsTruncated>true"), pairs < resources, "{pairs} of {resources}");
    assert_eq!(answer.contains(&format!("<Marker>{pairs}</Marker>")), pairs < resources);
    assert!(answer.len() < 32 << 20, "{} bytes", answer.len());
    Ok(pairs)
}

#[test]
fn the_work_of_a_simulation_is_bounded() {
    let policy = |statement: &str, count: usize| {
        let statements = vec![format!(r#"{{"Effect":"Allow","Action":"s3:*",{statement}}}"#); count];
        format!(r#"{{"Version":"2012-10-17","Statement":[{}]}}"#, statements.join(","))
    };
    let on_all = |condition: String| policy(&format!(r#""Resource":"*","Condition":{{{condition}}}"#), 1);
    let list = |count, of: fn(usize) -> String| (0..count).map(of).collect::<Vec<_>>().join(",");
    let keys = on_all(format!(r#""StringEquals":{{{}}}"#, list(3000, |at| format!(r#""aws:RequestTag/k{at}":"v""#))));
    let like = on_all(format!(r#""StringLike":{{"s3:prefix":[{}]}}"#, list(9000, |at| format!(r#""*{at}*?x""#))));
    let equal = on_all(format!(
        r#""ForAllValues:NumericEquals":{{"s3:max-keys":[{}]}}"#,
        list(9000, |at| format!(r#""{at}""#))
    ));
    let star = policy(r#""Resource":"arn:aws:s3:::*x*y*z""#, 1000);
    let template = policy(r#""Resource":"arn:aws:s3:::*?${aws:PrincipalTag/a}?*?${aws:PrincipalTag/a}*""#, 500);
    let entry = |key: &str, kind: &str, values: &[String]| {
        let values = (1..)
            .zip(values)
            .map(|(at, value)| format!("&ContextEntries.member.1.ContextKeyValues.member.{at}={value}"));
        let values: String = values.collect();
        format!("&ContextEntries.member.1.ContextKeyName={key}&ContextEntries.member.1.ContextKeyType={kind}{values}")
    };
    let texts = entry("s3:prefix", "stringList", &vec!["a".repeat(100); 1000]);
    let numbers = entry("s3:max-keys", "numericList", &vec!["7".to_owned(); 1000]);
    let tag = entry("aws:PrincipalTag/a", "string", &["x".repeat(1000)]);
    // There is no need to measure time: work is counted before it is done.
    for (what, documents, more, fewest, most) in [
        ("many keys", vec![keys.clone()], "", 20, 200),
        ("many statements", vec![star.clone(); 3], "", 10, 200),
        ("variables", vec![template], &*tag, 1, 100),
        ("few statements", vec![policy(r#""Resource":"*""#, 20)], "", 1000, 1000),
        ("an ordinary condition", vec![on_all(r#""StringLike":{"s3:prefix":["a*","b*"]}"#.into())], &*texts, 50, 1000),
    ] {
        let pairs = simulated(&documents, 1000, more);
        assert!(pairs.is_ok_and(|pairs| (fewest..=most).contains(&pairs)), "{what}: {pairs:?}");
    }
    for (what, document, more) in [("patterns against texts", like, texts), ("numbers", equal, numbers)] {
        assert_eq!(simulated(&[document], 1, &more), Err("InvalidInput"), "{what}");
    }
    let long = format!("s3:{}", "G".repeat(126));
    let refused =
        run(&start(), &format!("SimulateCustomPolicy&ActionNames.member.1={long}&PolicyInputList.member.1={star}"));
    assert_eq!(refused.unwrap_err().code, "InvalidInput");
}

#[test]
fn policies_of_the_call_are_simulated() {
    let custom = |policy: &str, rest: &str| {
        format!("SimulateCustomPolicy&PolicyInputList.member.1={policy}&ActionNames.member.1={rest}")
    };
    let caller = "CallerArn=arn:aws:iam::111122223333:user/cy";
    let bucket = |principal: &str| {
        format!(
            r#"ResourceArns.member.1=arn:aws:s3:::b/k&ResourcePolicy={{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"AWS":"{principal}"}},"Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}}]}}"#
        )
    };
    let owner = "ResourceOwner=arn:aws:iam::000000000000:root";
    let trust = format!("{caller}&ResourcePolicy={TRUST}&ResourceArns.member.1=arn:aws:iam::111122223333:role/R");
    let keys = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::b/${aws:username}/*","Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"},"StringLike":{"AWS:sourceip":"x"}}}]}"#;
    ask(
        &world(),
        &[
            (&custom(GET, "s3:GetObject"), "=<EvalDecision>allowed<"),
            (&custom(GET, "s3:GetObject"), "=<SourcePolicyId>PolicyInputList.1<"),
            // The caller is root, the simulated one is not.
            (&custom(GET, "s3:PutObject"), "=<EvalDecision>implicitDeny<"),
            (
                &custom(GET, &format!("s3:GetObject&{caller}&{owner}&{}", bucket("111122223333"))),
                "=<EvalDecisionDetails><entry><key>IAM Policy</key><value>allowed</value></entry><entry><key>Resource Policy</key><value>allowed<",
            ),
            (
                &custom(GET, &format!("s3:GetObject&{caller}&{owner}&{}", bucket("999988887777"))),
                "=<EvalDecision>implicitDeny<",
            ),
            (
                &custom(TRUST_FREE, &format!("s3:GetObject&{caller}&{}", bucket("111122223333"))),
                "=<EvalDecision>explicitDeny<",
            ),
            (&custom(GET, &format!("s3:GetObject&{}", bucket("111122223333"))), "!InvalidInput"),
            (&custom(GET, &format!("s3:GetObject&{caller}&ResourcePolicy={GET}")), "!InvalidInput"),
            (&custom(GET, "s3:GetObject&ResourceOwner=bob"), "!InvalidInput"),
            (&custom(GET, &format!("sts:AssumeRole&{trust}")), "=<EvalDecision>allowed<"),
            (&custom(GET, &format!("sts:AssumeRole&{trust}")), "=<SourcePolicyType>Resource Policy<"),
            ("SimulateCustomPolicy&ActionNames.member.1=s3:GetObject", "!ValidationError"),
            (&format!("SimulateCustomPolicy&PolicyInputList.member.1={GET}"), "!ValidationError"),
            (
                &format!("GetContextKeysForCustomPolicy&PolicyInputList.member.1={keys}"),
                "=<ContextKeyNames><member>aws:SourceIp</member><member>aws:username</member></ContextKeyNames>",
            ),
            ("GetContextKeysForCustomPolicy", "!ValidationError"),
            (
                "GetContextKeysForPrincipalPolicy&PolicySourceArn=arn:aws:iam::000000000000:user/team/al",
                "=<member>s3:prefix</member>",
            ),
            (
                "GetContextKeysForPrincipalPolicy&PolicySourceArn=arn:aws:iam::000000000000:user/team/al",
                "=<member>aws:SecureTransport</member>",
            ),
            (
                &format!(
                    "GetContextKeysForPrincipalPolicy&PolicySourceArn=arn:aws:iam::000000000000:user/bo&PolicyInputList.member.1={keys}"
                ),
                "=<member>aws:SourceIp</member>",
            ),
        ],
    );
}

#[test]
fn a_simulation_names_a_missing_attached_policy() {
    let user = iam::UserRecord { name: "al".into(), attached_policies: vec!["Gone".into()], ..Default::default() };
    let state = start().apply([Change::User("al".into(), Some(Ok(user)))]);
    let line =
        "SimulatePrincipalPolicy&PolicySourceArn=arn:aws:iam::000000000000:user/al&ActionNames.member.1=s3:GetObject";
    ask(
        &state,
        &[(
            line,
            "=<EvalDecision>explicitDeny</EvalDecision><MatchedStatements><member><SourcePolicyId>Gone</SourcePolicyId>",
        )],
    );
}

#[test]
fn documents_are_validated_without_being_stored() {
    let public = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}]}"#;
    let typo = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObjcet","Resource":"*"}]}"#;
    let check = |document: &str, rest: &str| format!("ValidatePolicy&PolicyDocument={document}&PolicyType={rest}");
    ask(
        &start(),
        &[
            (&check(GET, "IDENTITY_POLICY"), "=<Findings>"),
            (&check(GET, "IDENTITY_POLICY"), "~ERROR"),
            (&check(typo, "IDENTITY_POLICY"), "=<Path>Statement[0].Action[0]</Path>"),
            (&check(public, "IDENTITY_POLICY"), "=<FindingType>ERROR</FindingType>"),
            (&check(public, "RESOURCE_POLICY"), "=<FindingType>SECURITY_WARNING</FindingType>"),
            (&check(public, "RESOURCE_POLICY&ValidatePolicyResourceType=AWS::S3::Bucket"), "~<FindingType>ERROR<"),
            (&check(TRUST, "RESOURCE_POLICY&ValidatePolicyResourceType=AWS::S3::Bucket"), "=<FindingType>ERROR<"),
            (
                &check(TRUST, "RESOURCE_POLICY&ValidatePolicyResourceType=AWS::IAM::AssumeRolePolicyDocument"),
                "~<FindingType>ERROR<",
            ),
            (&check("{bad", "IDENTITY_POLICY"), "=<FindingType>ERROR</FindingType>"),
            (&check(GET, "SERVICE_CONTROL_POLICY"), "!ValidationError"),
            (&check(GET, "RESOURCE_POLICY&ValidatePolicyResourceType=AWS::SNS::Topic"), "!ValidationError"),
            ("ValidatePolicy&PolicyType=IDENTITY_POLICY", "!ValidationError"),
        ],
    );
}

#[test]
fn documents_that_are_not_stored_are_measured_in_characters() {
    let with_id = |id: String| GET.replacen('{', &format!(r#"{{"Id":"{id}","#), 1);
    let most = 131_072 - with_id(String::new()).len();
    for (what, document, validated, simulated) in [
        ("two bytes each", with_id("ü".repeat(most)), Ok(()), Ok(())),
        ("one more", with_id("ü".repeat(most + 1)), Err("ValidationError"), Err("InvalidInput")),
        ("white space", " ".repeat(131_073) + GET, Err("ValidationError"), Err("InvalidInput")),
    ] {
        let code = |line: &str| run(&start(), line).map(drop).map_err(|error| error.code);
        let line = format!("ValidatePolicy&PolicyType=IDENTITY_POLICY&PolicyDocument={document}");
        assert_eq!(code(&line), validated, "{what}");
        let line =
            format!("SimulateCustomPolicy&ActionNames.member.1=s3:GetObject&PolicyInputList.member.1={document}");
        assert_eq!(code(&line), simulated, "{what}");
    }
}

#[test]
fn commands_that_can_take_a_permission_away_are_marked() {
    for (action, effect) in [
        ("GetUser", Effect::Reads),
        ("CreateUser", Effect::Grants),
        ("CreateAccessKey", Effect::Grants),
        ("CreatePolicy", Effect::Grants),
        ("CreatePolicyVersion", Effect::Revokes),
        ("PutUserPolicy", Effect::Revokes),
        ("AttachUserPolicy", Effect::Revokes),
        ("AddUserToGroup", Effect::Revokes),
        ("UpdateAccessKey", Effect::Revokes),
        ("DeleteUser", Effect::Revokes),
    ] {
        assert_eq!(Command::find(action).unwrap().effect, effect, "{action}");
    }
}

/// The state after these lines, which all succeed.
fn after(state: &Snapshot, lines: &[&str]) -> Snapshot {
    lines
        .iter()
        .fold(state.clone(), |state, line| run(&state, line).unwrap_or_else(|error| panic!("{line}: {error}")).0)
}

#[test]
fn versions_of_policies() {
    let arn = "PolicyArn=arn:aws:iam::000000000000:policy/P";
    let new = |text: &str, rest: &str| format!("CreatePolicyVersion&{arn}&PolicyDocument={text}{rest}");
    let get = |version: &str| format!("GetPolicyVersion&{arn}&VersionId={version}");
    let delete = |version: &str| format!("DeletePolicyVersion&{arn}&VersionId={version}");
    let set = |version: &str| format!("SetDefaultPolicyVersion&{arn}&VersionId={version}");
    let policy = format!("GetPolicy&{arn}");
    let end = story(&[
        (
            &format!("CreatePolicy&PolicyName=P&PolicyDocument={GET}&Tags.member.1.Key=k&Tags.member.1.Value=v"),
            "=<Tags>",
        ),
        (&new(TRUST_FREE, ""), "=<VersionId>v2</VersionId><IsDefaultVersion>false</IsDefaultVersion>"),
        (&policy, "=<DefaultVersionId>v1</DefaultVersionId>"),
        (&get("v1"), "=s3%3AGetObject"),
        (&get("v2"), "=Deny"),
        (&get("v3"), "!NoSuchEntity"),
        (&get("2"), "!ValidationError"),
        (&get("v02"), "!ValidationError"),
        (&delete("v1"), "!DeleteConflict"),
        (&format!("DeletePolicy&{arn}"), "!DeleteConflict"),
        (&set("v2"), "="),
        (&set("v2"), "="),
        (&set("v7"), "!NoSuchEntity"),
        (&policy, "=<DefaultVersionId>v2</DefaultVersionId>"),
        (&get("v1"), "=<IsDefaultVersion>false</IsDefaultVersion><CreateDate>2023-11-14T22:13:20Z"),
        (&new(GET, "&SetAsDefault=True"), "!ValidationError"),
        (&new(GET, "&SetAsDefault=true"), "=<VersionId>v3</VersionId><IsDefaultVersion>true</IsDefaultVersion>"),
        (&new(GET, ""), "=<VersionId>v4</VersionId>"),
        (&new(GET, ""), "=<VersionId>v5</VersionId>"),
        (&new(GET, ""), "!LimitExceeded"),
        (&delete("v5"), "="),
        // A number is never used again, not even the highest one.
        (&new("{bad", ""), "!MalformedPolicyDocument"),
        (&new(GET, ""), "=<VersionId>v6</VersionId>"),
        (
            &format!("ListPolicyVersions&{arn}&MaxItems=2"),
            "=<VersionId>v6</VersionId><IsDefaultVersion>false</IsDefaultVersion><CreateDate>2023-11-14T22:13:20Z</CreateDate></member><member><VersionId>v4</VersionId>",
        ),
        (&format!("TagPolicy&{arn}&Tags.member.1.Key=K&Tags.member.1.Value=w"), "="),
        (
            &format!("ListPolicyTags&{arn}"),
            "=<Tags><member><Key>K</Key><Value>w</Value></member></Tags><IsTruncated>false",
        ),
        (&format!("UntagPolicy&{arn}&TagKeys.member.1=k"), "="),
        (&format!("ListPolicyTags&{arn}"), "=<Tags></Tags>"),
    ]);
    let record = &end.policy("P").unwrap().record;
    let facts = Facts::parse(&record.facts().to_text().unwrap()).unwrap();
    assert_eq!(PolicyRecord::parse(&record.text, facts).as_ref(), Ok(record), "versions survive being stored");
    let end =
        after(&end, &[&delete("v1"), &delete("v2"), &delete("v4"), &delete("v6"), &format!("DeletePolicy&{arn}")]);
    assert_eq!(end.counts().policies, 0);
}

#[test]
fn boundaries() {
    let arn = "arn:aws:iam::000000000000:policy/B";
    let bounded = format!(
        "<PermissionsBoundary><PermissionsBoundaryType>Policy</PermissionsBoundaryType><PermissionsBoundaryArn>{arn}<"
    );
    let has = format!("={bounded}");
    let end = story(&[
        (&format!("CreatePolicy&PolicyName=B&PolicyDocument={GET}"), "=<PermissionsBoundaryUsageCount>0<"),
        (&format!("CreateUser&UserName=al&PermissionsBoundary={arn}"), &has),
        (&format!("CreateRole&RoleName=R&AssumeRolePolicyDocument={TRUST}&PermissionsBoundary={arn}"), &has),
        ("GetUser&UserName=al", &has),
        ("GetRole&RoleName=R", &has),
        (
            &format!("GetPolicy&PolicyArn={arn}"),
            "=<AttachmentCount>0</AttachmentCount><PermissionsBoundaryUsageCount>2<",
        ),
        ("ListPolicies&PolicyUsageFilter=PermissionsBoundary", "=<PolicyName>B<"),
        ("ListPolicies&PolicyUsageFilter=PermissionsPolicy", "=<Policies></Policies>"),
        ("ListPolicies&OnlyAttached=true", "=<Policies></Policies>"),
        ("ListPolicies&Scope=Mine", "!ValidationError"),
        (&format!("DeletePolicy&PolicyArn={arn}"), "!DeleteConflict"),
        ("DeleteUserPermissionsBoundary&UserName=al", "="),
        ("DeleteUserPermissionsBoundary&UserName=al", "!NoSuchEntity"),
        ("DeleteRolePermissionsBoundary&RoleName=R", "="),
        ("PutUserPermissionsBoundary&UserName=al", "!ValidationError"),
        (
            "PutUserPermissionsBoundary&UserName=al&PermissionsBoundary=arn:aws:iam::000000000000:policy/None",
            "!NoSuchEntity",
        ),
        (&format!("PutUserPermissionsBoundary&UserName=boss&PermissionsBoundary={arn}"), "!UnmodifiableEntity"),
        (&format!("PutUserPermissionsBoundary&UserName=al&PermissionsBoundary={arn}"), "="),
        (&format!("PutRolePermissionsBoundary&RoleName=R&PermissionsBoundary={arn}"), "="),
    ]);
    assert!(end.user("al").unwrap().boundary.is_some() && end.role("R").unwrap().boundary.is_some());
}

#[test]
fn tags() {
    let tag =
        |key: &str, value: &str| format!("TagUser&UserName=al&Tags.member.1.Key={key}&Tags.member.1.Value={value}");
    let many: String =
        (1..=51).map(|place| format!("&Tags.member.{place}.Key=k{place}&Tags.member.{place}.Value=")).collect();
    let (long, longer) = ("k".repeat(128), "k".repeat(129));
    let end = story(&[
        ("CreateUser&UserName=al", "="),
        (&tag("Team", "blue moon/é:+=.@-_"), "="),
        (&tag("team", "red"), "="),
        ("ListUserTags&UserName=al", "=<Tags><member><Key>team</Key><Value>red</Value></member></Tags>"),
        (&tag(&long, ""), "="),
        (&tag(&longer, ""), "!ValidationError"),
        (&tag("k", &"v".repeat(257)), "!ValidationError"),
        (&tag("", "v"), "!ValidationError"),
        (&tag("a*", "v"), "!ValidationError"),
        (&tag("aws:k", "v"), "!InvalidInput"),
        (&tag("AWS:k", "v"), "!InvalidInput"),
        ("TagUser&UserName=al", "!ValidationError"),
        (&format!("TagUser&UserName=al{many}"), "!LimitExceeded"),
        (&format!("{}&Tags.member.2.Key=K&Tags.member.2.Value=", tag("k", "v")), "!InvalidInput"),
        ("TagUser&UserName=boss&Tags.member.1.Key=k&Tags.member.1.Value=v", "!UnmodifiableEntity"),
        ("TagUser&UserName=nobody&Tags.member.1.Key=k&Tags.member.1.Value=v", "!NoSuchEntity"),
        ("ListUserTags&UserName=al&MaxItems=1", "=<IsTruncated>true</IsTruncated>"),
        ("UntagUser&UserName=al", "!ValidationError"),
        (&format!("UntagUser&UserName=al&TagKeys.member.1=none&TagKeys.member.2={long}"), "="),
        (
            &format!(
                "CreateRole&RoleName=R&AssumeRolePolicyDocument={TRUST}&Tags.member.1.Key=k&Tags.member.1.Value=v"
            ),
            "=<Tags><member><Key>k</Key>",
        ),
        ("TagRole&RoleName=R&Tags.member.1.Key=l&Tags.member.1.Value=w", "="),
        ("UntagRole&RoleName=R&TagKeys.member.1=k", "="),
        ("ListRoleTags&RoleName=R", "=<Tags><member><Key>l</Key><Value>w</Value></member></Tags>"),
        (
            "GetRole&RoleName=R",
            "=<Tags><member><Key>l</Key><Value>w</Value></member></Tags><RoleLastUsed></RoleLastUsed>",
        ),
        ("UpdateRoleDescription&RoleName=R&Description=d", "=<Description>d</Description>"),
        ("UpdateRoleDescription&RoleName=R&Description=", "=<MaxSessionDuration>3600"),
        ("UpdateRole&RoleName=R&MaxSessionDuration=43201", "!ValidationError"),
    ]);
    assert_eq!(end.user("al").unwrap().record.tags.len(), 1);
}

#[test]
fn quotas() {
    let sized = |action: &str| {
        let pad = "a".repeat(2048 - GET.len() + 1);
        format!("{action}&PolicyDocument={}", GET.replace("\"*\"", &format!("\"arn:aws:s3:::b/{pad}\"")))
    };
    let mut state = after(
        &start(),
        &[
            "CreateUser&UserName=al",
            "CreateGroup&GroupName=g",
            &format!("PutUserPolicy&UserName=al&PolicyName=I&PolicyDocument={GET}"),
        ],
    );
    ask(
        &state,
        &[
            (&sized("PutUserPolicy&UserName=al&PolicyName=J"), "!LimitExceeded"),
            (&sized("PutGroupPolicy&GroupName=g&PolicyName=J"), "="),
        ],
    );
    for group in 0..10 {
        let create = format!("CreateGroup&GroupName=g{group}");
        state = after(&state, &[&create, &create.replace("CreateGroup", "AddUserToGroup&UserName=al")]);
    }
    for policy in 0..10 {
        let create = format!("CreatePolicy&PolicyName=P{policy}&PolicyDocument={GET}");
        let attach = format!("AttachUserPolicy&UserName=al&PolicyArn=arn:aws:iam::000000000000:policy/P{policy}");
        state = after(&state, &[&create, &attach]);
    }
    let state = after(&state, &[&format!("CreatePolicy&PolicyName=Q&PolicyDocument={GET}")]);
    ask(
        &state,
        &[
            ("AddUserToGroup&GroupName=g&UserName=al", "!LimitExceeded"),
            ("AttachUserPolicy&UserName=al&PolicyArn=arn:aws:iam::000000000000:policy/Q", "!LimitExceeded"),
        ],
    );
}

/// A user with everything that belongs to a name.
fn with_all() -> Snapshot {
    after(
        &world(),
        &[
            "CreateAccessKey&UserName=al",
            "TagUser&UserName=al&Tags.member.1.Key=k&Tags.member.1.Value=v",
            "PutUserPermissionsBoundary&UserName=al&PermissionsBoundary=arn:aws:iam::000000000000:policy/P",
            "CreateGroup&GroupName=old",
            &format!("PutUserPolicy&UserName=bo&PolicyName=Left&PolicyDocument={GET}"),
        ],
    )
}

#[test]
fn a_renaming_survives_a_crash_between_any_two_documents() {
    let state = with_all();
    // The new `cy` must not get what an earlier one left behind.
    let text = InlinePolicyRecord::of_text(GET);
    let mut group = (*state.group("old").unwrap().record).clone();
    group.members.push("cy".into());
    let state = state.apply([
        Change::Inline(Holder::User("cy".into()), "Left".into(), Some(Ok(text))),
        Change::Group("old".into(), Some(Ok(group))),
    ]);
    let line = "UpdateUser&UserName=al&NewUserName=cy&NewPath=/new/";
    let outcome = outcome(&state, line).unwrap();
    let whole = state.apply(outcome.changes.iter().cloned());
    let before = state.user("al").unwrap().clone();
    let check = |end: &Snapshot, about: &str| {
        let user = end.user("cy").unwrap_or_else(|| panic!("{about}: no one has the new name"));
        assert!(end.user("al").is_none(), "{about}: the old name is still there");
        assert_eq!((&user.id, user.policies.len()), (&before.id, before.policies.len()), "{about}");
        assert_eq!((&*user.arn, &user.groups), ("arn:aws:iam::000000000000:user/new/cy", &before.groups), "{about}");
        assert!(user.boundary.is_some() && user.record.tags.len() == 1, "{about}");
        let key = end.access_key(&before.record.credentials[0].access_key).expect("the key works");
        assert_eq!(&*key.user.name, "cy", "{about}");
        assert!(end.inline_policies(&Holder::User("al".into())).is_empty(), "{about}");
        assert!(end.groups_naming("al").is_empty() && end.unfinished_renames().next().is_none(), "{about}");
        assert_eq!(end.counts().problems, 0, "{about}");
    };
    check(&whole, "without a crash");
    for done in 0..=outcome.changes.len() {
        let crashed = state.apply(outcome.changes[..done].iter().cloned());
        for user in ["al", "cy"].iter().filter_map(|name| crashed.user(name)) {
            let names = |user: &iam::User| {
                user.sources.iter().map(ToString::to_string).collect::<std::collections::BTreeSet<_>>()
            };
            assert!(
                names(user).is_subset(&names(&before)),
                "after {done} documents {} has more than before",
                user.name
            );
        }
        // The key never belongs to anyone else, and its holder's boundary never gets weaker.
        let holder = crashed.access_key(&before.record.credentials[0].access_key);
        assert!(holder.is_none_or(|holder| holder.user.boundary.is_some()), "after {done} documents");
        // Repeating the call finishes it, and so does any gateway that finds it once it has begun.
        match run(&crashed, line) {
            Ok((end, _)) => check(&end, &format!("repeated after {done} documents")),
            Err(error) => assert_eq!((error.code, done), ("NoSuchEntity", outcome.changes.len())),
        }
        assert_eq!(Rename::left_behind(&crashed, 1_700_000_005), None);
        if let Some(rename) = Rename::left_behind(&crashed, 1_700_000_011) {
            assert!(!rename.documents(&crashed).is_empty());
            check(
                &crashed.apply(rename.changes(&crashed, None, 1_700_000_011).unwrap()),
                &format!("found after {done} documents"),
            );
        }
    }
    // A new user with the old name keeps what belongs to it.
    let begun = outcome
        .changes
        .iter()
        .position(|change| matches!(change, Change::User(name, None) if **name == *"al"))
        .unwrap();
    let crashed = state.apply(outcome.changes[..=begun].iter().cloned());
    let again = after(
        &crashed,
        &[
            "CreateUser&UserName=al&x=another id",
            &format!("PutUserPolicy&UserName=al&PolicyName=Own&PolicyDocument={GET}"),
        ],
    );
    let rename = Rename::left_behind(&again, 1_700_000_011).unwrap();
    let end = again.apply(rename.changes(&again, None, 1_700_000_011).unwrap());
    assert_eq!(end.user("al").unwrap().policies.len(), 1);
    assert!(end.unfinished_renames().next().is_none());
}

#[test]
fn renaming() {
    let end = story(&[
        ("CreateUser&UserName=al", "="),
        ("CreateGroup&GroupName=g&Path=/x/", "="),
        ("CreateGroup&GroupName=H", "="),
        (&format!("PutGroupPolicy&GroupName=g&PolicyName=I&PolicyDocument={GET}"), "="),
        ("AddUserToGroup&GroupName=g&UserName=al", "="),
        ("UpdateGroup&GroupName=g&NewGroupName=h", "!EntityAlreadyExists"),
        ("UpdateGroup&GroupName=none&NewGroupName=h", "!NoSuchEntity"),
        ("UpdateGroup&GroupName=g&NewGroupName=i/j", "!ValidationError"),
        ("UpdateGroup&GroupName=g&NewGroupName=i", "="),
        ("GetGroup&GroupName=i", "=<Arn>arn:aws:iam::000000000000:group/x/i</Arn>"),
        ("GetGroup&GroupName=g", "!NoSuchEntity"),
        ("ListGroupsForUser&UserName=al", "=<GroupName>i</GroupName>"),
        ("UpdateGroup&GroupName=i&NewGroupName=I", "="),
        ("UpdateGroup&GroupName=I&NewPath=/y/", "="),
        ("ListGroups&PathPrefix=/y/", "=<GroupName>I</GroupName>"),
        ("UpdateUser&UserName=al&NewUserName=Al", "="),
        ("UpdateUser&UserName=Al&NewUserName=root", "!ValidationError"),
        ("UpdateUser&UserName=Al&NewUserName=Al", "="),
    ]);
    assert_eq!(end.user("Al").unwrap().policies.len(), 1);
    assert_eq!((end.counts().groups, end.counts().problems), (2, 0));
}

#[test]
fn accounts_do_not_see_each_other() {
    let other = Caller { account: "111122223333".parse().unwrap(), ..caller("carol") };
    let arn = "arn:aws:iam::000000000000:policy/P";
    let state = with_all();
    let ask = |line: &str| run_as(&other, &state, line).map(|(_, answer)| answer);
    for (line, code) in [
        ("GetUser&UserName=al", "NoSuchEntity"),
        ("UpdateUser&UserName=al&NewPath=/x/", "NoSuchEntity"),
        ("UpdateUser&UserName=al&NewUserName=cy", "NoSuchEntity"),
        ("TagUser&UserName=al&Tags.member.1.Key=k&Tags.member.1.Value=v", "NoSuchEntity"),
        ("ListAccessKeys&UserName=al", "NoSuchEntity"),
        ("CreateAccessKey&UserName=al", "NoSuchEntity"),
        ("ListUserPolicies&UserName=al", "NoSuchEntity"),
        ("ListAttachedUserPolicies&UserName=al", "NoSuchEntity"),
        ("ListGroupsForUser&UserName=al", "NoSuchEntity"),
        ("DeleteUserPermissionsBoundary&UserName=al", "NoSuchEntity"),
        ("GetGroup&GroupName=g", "NoSuchEntity"),
        ("UpdateGroup&GroupName=g&NewGroupName=h", "NoSuchEntity"),
        ("AddUserToGroup&GroupName=g&UserName=al", "NoSuchEntity"),
        ("GetRole&RoleName=R", "NoSuchEntity"),
        ("UpdateRoleDescription&RoleName=R&Description=d", "NoSuchEntity"),
        ("DeleteRole&RoleName=R", "NoSuchEntity"),
        (&format!("GetPolicy&PolicyArn={arn}"), "NoSuchEntity"),
        (&format!("DeletePolicy&PolicyArn={arn}"), "NoSuchEntity"),
        (&format!("CreateUser&UserName=cy&PermissionsBoundary={arn}"), "NoSuchEntity"),
        ("GetPolicy&PolicyArn=arn:aws:iam::111122223333:policy/P", "NoSuchEntity"),
        // There is a single namespace on the filer.
        ("CreateUser&UserName=al", "EntityAlreadyExists"),
        ("CreateGroup&GroupName=G", "EntityAlreadyExists"),
        (&format!("CreateRole&RoleName=R&AssumeRolePolicyDocument={TRUST}"), "EntityAlreadyExists"),
        (&format!("CreatePolicy&PolicyName=P&PolicyDocument={GET}"), "EntityAlreadyExists"),
    ] {
        assert_eq!(ask(line).map_err(|error| error.code), Err(code), "{line}");
    }
    for (action, list) in [
        ("ListUsers", "Users"),
        ("ListGroups", "Groups"),
        ("ListRoles", "Roles"),
        ("ListPolicies&Scope=Local", "Policies"),
    ] {
        assert_eq!(ask(action).unwrap(), format!("<{list}></{list}><IsTruncated>false</IsTruncated>"));
    }
    let lines = [
        ("CreateUser&UserName=cy", "arn:aws:iam::111122223333:user/cy"),
        ("CreateGroup&GroupName=h", "arn:aws:iam::111122223333:group/h"),
        (&format!("CreateRole&RoleName=S&AssumeRolePolicyDocument={TRUST}"), "arn:aws:iam::111122223333:role/S"),
        (&format!("CreatePolicy&PolicyName=Q&PolicyDocument={GET}"), "arn:aws:iam::111122223333:policy/Q"),
        ("AddUserToGroup&GroupName=h&UserName=cy", ""),
        ("AttachUserPolicy&UserName=cy&PolicyArn=arn:aws:iam::111122223333:policy/Q", ""),
        ("UpdateUser&UserName=cy&NewUserName=dy", ""),
        ("UpdateGroup&GroupName=h&NewGroupName=i", ""),
        ("GetUser&UserName=dy", "arn:aws:iam::111122223333:user/dy"),
        ("GetGroup&GroupName=i", "<UserName>dy</UserName>"),
    ];
    let end = lines.iter().fold(state.clone(), |state, (line, want)| {
        let (next, answer) = run_as(&other, &state, line).unwrap_or_else(|error| panic!("{line}: {error}"));
        assert!(answer.contains(want), "{line}: {answer}");
        next
    });
    assert_eq!(run(&end, "GetUser&UserName=dy").unwrap_err().code, "NoSuchEntity");
    assert_eq!(end.user("dy").unwrap().policies.len(), 1);
}

#[test]
fn what_the_rows_say_of_their_commands() {
    let with = |fact: fn(&Command) -> bool| {
        let mut names: Vec<_> =
            Command::all().filter(|command| fact(command)).map(|command| command.action.name).collect();
        names.sort_unstable();
        names.join(" ")
    };
    assert_eq!(
        with(|command| command.is_costly),
        "GetContextKeysForCustomPolicy GetContextKeysForPrincipalPolicy SimulateCustomPolicy SimulatePrincipalPolicy ValidatePolicy"
    );
    assert_eq!(
        with(|command| command.reads_last_used),
        "GetAccessKeyLastUsed GetAccountAuthorizationDetails GetCredentialReport GetRole ListSessions"
    );
    assert_eq!(with(|command| command.is_about_keys), "CreateAccessKey DeleteAccessKey UpdateAccessKey");
}
