use std::sync::Arc;

use ids::AccountId;
use policy::Principal;

use super::*;
use crate::change::{Holder, PolicyPlace, WeedPolicies};
use crate::identities::Identities;
use crate::snapshot::Settings;

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
        boundary: None,
        source_ip: None,
        user_agent: "".into(),
        secure_transport: false,
    }
}

fn start() -> Snapshot {
    let file =
        r#"{"identities":[{"name":"boss","credentials":[{"accessKey":"AKB","secretKey":"s"}],"actions":["Admin"]}]}"#;
    Snapshot::new(Settings::default(), &Identities::parse(file, &|_| None).unwrap())
}

/// Runs `Action&Name=Value&...`, a value read as it stands, and answers the next state and the result.
fn run(state: &Snapshot, line: &str) -> Result<(Snapshot, String), IamError> {
    let (action, rest) = line.split_once('&').unwrap_or((line, ""));
    let pairs = rest.split('&').filter_map(|pair| pair.split_once('='));
    let params: Params = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let random: [u8; 96] = std::array::from_fn(|place| u8::try_from(place).unwrap() ^ line.len() as u8);
    let caller = caller("boss");
    let request = Request { params: &params, caller: &caller, now_s: 1_700_000_000, random: &random };
    let command = Command::find(action)?;
    command.documents(&request, state)?;
    let outcome = command.run(&request, state)?;
    assert!(command.writes || outcome.changes.is_empty(), "{action} only reads");
    let next = state.apply(outcome.changes);
    Ok((next, outcome.result.unwrap_or_default()))
}

/// A story: each line runs on the state that the one before left. `=` before a text: the answer contains it; `!`: the error's code.
fn story(lines: &[(&str, &str)]) -> Snapshot {
    lines.iter().fold(start(), |state, (line, want)| match (run(&state, line), want.split_at(1)) {
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
        ("CreateUser&UserName=bo&PermissionsBoundary=arn", "!NotImplemented"),
        ("GetUser&UserName=al", "=<Tags><member><Key>k</Key><Value>v</Value></member></Tags>"),
        ("GetUser&UserName=nobody", "!NoSuchEntity"),
        ("GetUser", "=<UserName>boss</UserName>"),
        ("ListUsers&PathPrefix=/team/", "=<Users><member><Path>/team/</Path><UserName>al</UserName>"),
        ("ListUsers&MaxItems=1", "=<IsTruncated>true</IsTruncated><Marker>al</Marker>"),
        ("ListUsers&MaxItems=1&Marker=al", "=<UserName>boss</UserName>"),
        ("ListUsers&MaxItems=0", "!ValidationError"),
        ("CreateAccessKey&UserName=al", "=<AccessKeyId>AKIA"),
        ("CreateAccessKey&UserName=al&x=different", "=<Status>Active</Status><SecretAccessKey>"),
        ("CreateAccessKey&UserName=al&x=another one", "!LimitExceeded"),
        ("CreateAccessKey&UserName=boss", "!UnmodifiableEntity"),
        ("CreateAccessKey&UserName=nobody", "!NoSuchEntity"),
        ("ListAccessKeys&UserName=al", "=<UserName>al</UserName><AccessKeyMetadata><member>"),
        ("UpdateAccessKey&UserName=al&AccessKeyId=AKNONE&Status=Active", "!NoSuchEntity"),
        ("UpdateAccessKey&UserName=al&AccessKeyId=AKNONE&Status=Off", "!ValidationError"),
        ("DeleteUser&UserName=al", "!DeleteConflict"),
        ("UpdateUser&UserName=al&NewPath=/x/", "="),
        ("UpdateUser&UserName=al&NewUserName=cy", "!NotImplemented"),
        ("DeleteUser&UserName=boss", "!UnmodifiableEntity"),
    ]);
    let keys: Vec<String> =
        end.user("al").unwrap().document.credentials.iter().map(|key| key.access_key.clone()).collect();
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
        (&format!("CreatePolicyVersion&{arn}&{policy}"), "!NotImplemented"),
        (&format!("GetPolicyVersion&{arn}&VersionId=v2"), "=<Document>%7B"),
        (&format!("GetPolicyVersion&{arn}&VersionId=v1"), "!NoSuchEntity"),
        (&format!("ListPolicyVersions&{arn}"), "=<VersionId>v2</VersionId>"),
        ("ListPolicies&OnlyAttached=true", "=<PolicyName>P</PolicyName>"),
        (&format!("DetachUserPolicy&UserName=al&{arn}"), "="),
        (&format!("DetachUserPolicy&UserName=al&{arn}"), "!NoSuchEntity"),
        (&format!("DeletePolicy&{arn}"), "="),
        (&format!("GetPolicy&{arn}"), "!NoSuchEntity"),
        ("ListEntitiesForPolicy", "!NotImplemented"),
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
fn a_new_user_inherits_nothing_from_an_earlier_one_of_its_name() {
    let state = start();
    let text = crate::change::PolicyText { text: GET.into(), facts: crate::documents::Facts::default() };
    let group = crate::documents::GroupDocument { name: "g".into(), members: vec!["al".into()], ..Default::default() };
    let state = state.apply([
        Change::Inline(Holder::User("al".into()), "old".into(), Some(Ok(text))),
        Change::Group("g".into(), Some(Ok(group))),
    ]);
    let (next, _) = run(&state, "CreateUser&UserName=al").unwrap();
    let user = next.user("al").unwrap();
    assert!(user.policies.is_empty() && user.groups.is_empty(), "{user:?}");
}

#[test]
fn a_new_policy_is_not_attached_by_a_name_that_lingers() {
    let user =
        crate::documents::UserDocument { name: "al".into(), policy_names: vec!["P".into()], ..Default::default() };
    let state = start().apply([Change::User("al".into(), Some(Ok(user)))]);
    let error = run(&state, &format!("CreatePolicy&PolicyName=P&PolicyDocument={GET}")).unwrap_err();
    assert_eq!(error.code, "DeleteConflict");
}

#[test]
fn where_weed_wrote_an_inline_policy_its_projection_goes_first() {
    let weed = WeedPolicies::parse(&format!(r#"{{"inlinePolicies":{{"al":{{"I":{GET}}}}}}}"#)).unwrap();
    let user =
        crate::documents::UserDocument { name: "al".into(), actions: vec!["Admin".into()], ..Default::default() };
    let state = start().apply([Change::User("al".into(), Some(Ok(user))), Change::WeedPolicies(Some(Ok(weed)))]);
    for line in [
        "DeleteUserPolicy&UserName=al&PolicyName=I".to_owned(),
        format!("PutUserPolicy&UserName=al&PolicyName=I&PolicyDocument={TRUST_FREE}"),
    ] {
        let (next, _) = run(&state, &line).unwrap();
        assert!(next.user("al").unwrap().document.actions.is_empty(), "{line}: Admin is back");
        assert!(next.weed_policies().inline.is_empty(), "{line}");
        assert_eq!(next.counts().problems, 0, "{line}");
    }
}

const TRUST_FREE: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"s3:*","Resource":"*"}]}"#;

#[test]
fn what_files_define_is_not_changed_by_the_api() {
    let text = crate::change::PolicyText { text: GET.into(), facts: crate::documents::Facts::default() };
    let state = start().apply([Change::Policy("P".into(), PolicyPlace::Identities, Some(Ok(text)))]);
    for action in ["DeletePolicy", "CreatePolicyVersion&SetAsDefault=true"] {
        let line = format!("{action}&PolicyArn=arn:aws:iam::000000000000:policy/P&PolicyDocument={GET}");
        assert_eq!(run(&state, &line).unwrap_err().code, "UnmodifiableEntity", "{action}");
    }
}
