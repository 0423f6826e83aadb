//! The query APIs of two gateways on one filer.

mod crash;
mod deaf;
mod decode;
mod denials;
mod endpoint;
mod entities;
mod matrix;
mod mfa;
mod mirror;
mod own_sessions;
mod race;
mod refusals;
mod spelling;
mod user_sessions;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use access::RecentUses;
use filer::Filer;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use iam::{Caller, Snapshot};
use iam_api::Params;
use iam_formats::{IamConfig, StsConfig};
use ids::AccountId;
use policy::Context;
use store::FilerStore;
use sts::{SessionKeys, SigningKey};

use crate::feed::Follower;
use crate::feed::tests::{World, one_of_several};
use crate::iam_api::{COSTLY_PLACES, IamApi};
use crate::last_used::Recorder;
use crate::query::{Call, QueryError};
use crate::sts_api::StsApi;

const FILE: &str = r#"{"identities":[
    {"name":"root","credentials":[{"accessKey":"AKROOT","secretKey":"s"}],"actions":["Admin"]},
    {"name":"al","credentials":[{"accessKey":"AKAL","secretKey":"s"}],"actions":["Read"]},
    {"name":"carol","account":{"id":"111122223333"},"credentials":[{"accessKey":"AKCAROL","secretKey":"s"}],"actions":["Admin"]}]}"#;
const GET: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}"#;

struct Gateway {
    follower: Arc<Follower>,
    iam: IamApi,
    sts: StsApi,
    uses: Arc<RecentUses>,
    recorder: Arc<Recorder>,
}

impl Gateway {
    async fn start(world: &World, read_only: bool) -> Arc<Self> {
        Self::start_with(world, world.store(), read_only).await
    }

    /// A gateway that writes to its own store.
    async fn start_with(world: &World, store: FilerStore, read_only: bool) -> Arc<Self> {
        Self::following(world, store, read_only, world.follow(FILE).await)
    }

    fn following(world: &World, store: FilerStore, read_only: bool, follower: Arc<Follower>) -> Arc<Self> {
        let keys = SessionKeys {
            current: SigningKey::from_bytes(b"0123456789abcdef").unwrap(),
            older: Vec::new(),
            issuer: "seaweedfs-sts".into(),
            account_id: AccountId::DEFAULT,
        };
        let config: StsConfig = IamConfig::default().sts;
        let uses = Arc::<RecentUses>::default();
        let recorder = Arc::new(Recorder::new(uses.clone(), world.store(), follower.clone()));
        let iam = IamApi::new(follower.clone(), store.clone(), read_only, recorder.clone(), BTreeSet::new());
        let sts = StsApi::new(follower.clone(), Some(Arc::new(keys)), Arc::default(), store, &config);
        Arc::new(Self { follower, iam, sts, uses, recorder })
    }

    fn state(&self) -> Arc<Snapshot> {
        self.follower.current().unwrap()
    }

    fn caller(&self, name: &str) -> Caller {
        Caller::of(self.state().user(name).unwrap())
    }

    async fn call(&self, user: &str, line: &str) -> Result<String, QueryError> {
        self.call_as(&self.caller(user), line).await
    }

    async fn call_as(&self, caller: &Caller, line: &str) -> Result<String, QueryError> {
        let (action, rest) = line.split_once('&').unwrap_or((line, ""));
        let pairs = rest.split('&').filter_map(|pair| pair.split_once('='));
        let action = [("Action", action)];
        let pairs = action.into_iter().chain(pairs).map(|(name, value)| (name.to_owned(), value.to_owned()));
        let params = Params::new(pairs)?;
        let random: [u8; 96] = std::array::from_fn(|_| rand::random());
        let call = Call {
            caller,
            params: &params,
            sent: &params,
            request_id: "req-1",
            now_s: 1_700_000_000,
            random: &random,
            observer: &access::NoObserver,
            certificate: Err("a test"),
            message_keys: self.sts.message_keys(),
        };
        match crate::query::service_of(action[0].1) {
            iam_api::answer::Service::Sts => self.sts.answer(&call, Context::new()).await,
            iam_api::answer::Service::Iam => self.iam.answer(&call, Context::new()).await.map(|answered| answered.xml),
        }
    }

    async fn ok(&self, user: &str, line: &str) -> String {
        self.call(user, line).await.unwrap_or_else(|error| panic!("{line}: {error}"))
    }

    async fn code(&self, user: &str, line: &str) -> String {
        self.call(user, line).await.err().unwrap_or_else(|| panic!("{line} succeeded")).code
    }
}

#[tokio::test]
async fn a_gateway_sees_its_own_change_at_once_and_the_other_one_soon() {
    let world = World::new();
    let (one, two) = (Gateway::start(&world, false).await, Gateway::start(&world, false).await);
    let answer = one.ok("root", "CreateUser&UserName=bo").await;
    assert!(answer.starts_with("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<CreateUserResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><CreateUserResult><User>"), "{answer}");
    assert!(
        answer.ends_with("<ResponseMetadata><RequestId>req-1</RequestId></ResponseMetadata></CreateUserResponse>"),
        "{answer}"
    );
    assert!(one.state().user("bo").is_some());
    one.ok("root", &format!("CreatePolicy&PolicyName=P&PolicyDocument={GET}")).await;
    // SeaweedFS's ARN for the policy is accepted for ours.
    one.ok("root", "AttachUserPolicy&UserName=bo&PolicyArn=arn:aws:iam:::policy/P").await;
    one.ok("root", &format!("PutUserPolicy&UserName=bo&PolicyName=I&PolicyDocument={GET}")).await;
    let key = one.ok("root", "CreateAccessKey&UserName=bo").await;
    let key = key.split("<AccessKeyId>").nth(1).unwrap().split('<').next().unwrap().to_owned();
    assert_eq!(one.state().user("bo").unwrap().policies.len(), 2);
    let soon = std::time::Duration::from_secs(10);
    assert!(two.follower.wait_until(|state| state.access_key(&key).is_some(), soon).await);
    two.ok("root", &format!("DeleteAccessKey&UserName=bo&AccessKeyId={key}")).await;
    assert!(two.state().access_key(&key).is_none());
    assert_eq!(one.code("root", &format!("DeleteAccessKey&UserName=bo&AccessKeyId={key}")).await, "NoSuchEntity");
}

#[tokio::test]
async fn concurrent_writers_on_two_gateways_lose_nothing() {
    let world = World::new();
    let (one, two) = (Gateway::start(&world, false).await, Gateway::start(&world, false).await);
    for user in 0..10 {
        one.ok("root", &format!("CreateUser&UserName=u{user}")).await;
    }
    one.ok("root", "CreateGroup&GroupName=g").await;
    let soon = std::time::Duration::from_secs(10);
    assert!(two.follower.wait_until(|state| state.counts().users == 13 && state.group("g").is_some(), soon).await);
    let mut writers = Vec::new();
    for user in 0..10 {
        for (number, gateway) in [one.clone(), two.clone()].into_iter().enumerate() {
            writers.push(tokio::spawn(async move {
                gateway.ok("root", &format!("CreateAccessKey&UserName=u{user}")).await;
                gateway
                    .ok("root", &format!("PutUserPolicy&UserName=u{user}&PolicyName=I{number}&PolicyDocument={GET}"))
                    .await;
                if number == user % 2 {
                    gateway.ok("root", &format!("AddUserToGroup&GroupName=g&UserName=u{user}")).await;
                }
            }));
        }
    }
    for writer in writers {
        writer.await.unwrap();
    }
    for gateway in [&one, &two] {
        let all = |state: &Snapshot| {
            (0..10).all(|user| {
                let user = state.user(&format!("u{user}")).unwrap();
                user.record.credentials.len() == 2 && user.policies.len() == 2 && user.groups.len() == 1
            })
        };
        assert!(gateway.follower.wait_until(all, soon).await, "a change is lost");
    }
    // If two change the same entity at once, one wins.
    let (a, b) =
        tokio::join!(one.call("root", "CreateUser&UserName=same"), two.call("root", "CreateUser&UserName=same"));
    let errors: Vec<String> = [a, b].into_iter().filter_map(|answer| answer.err().map(|error| error.code)).collect();
    assert_eq!(errors, ["EntityAlreadyExists"]);
}

#[tokio::test]
async fn concurrent_versions_and_tags_of_one_policy_are_all_kept() {
    let world = World::new();
    let (one, two) = (Gateway::start(&world, false).await, Gateway::start(&world, false).await);
    let arn = "PolicyArn=arn:aws:iam::000000000000:policy/P";
    one.ok("root", &format!("CreatePolicy&PolicyName=P&PolicyDocument={GET}")).await;
    let soon = std::time::Duration::from_secs(10);
    assert!(two.follower.wait_until(|state| state.policy("P").is_some(), soon).await);
    let mut writers = Vec::new();
    for number in 0..4 {
        let gateway = if number % 2 == 0 { one.clone() } else { two.clone() };
        writers.push(tokio::spawn(async move {
            gateway.ok("root", &format!("CreatePolicyVersion&{arn}&PolicyDocument={GET}")).await;
            let tag = format!("Tags.member.1.Key=k{number}&Tags.member.1.Value=v");
            gateway.ok("root", &format!("TagPolicy&{arn}&{tag}")).await;
        }));
    }
    for writer in writers {
        writer.await.unwrap();
    }
    let all = |state: &Snapshot| {
        let policy = &state.policy("P").unwrap().record;
        policy.versions.keys().eq(&[2, 3, 4, 5]) && policy.tags.len() == 4
    };
    assert!(one.follower.wait_until(all, soon).await && two.follower.wait_until(all, soon).await, "a change is lost");
    let versions = two.ok("root", &format!("ListPolicyVersions&{arn}")).await;
    assert!(versions.find("v5").unwrap() < versions.find("v1").unwrap(), "{versions}");
    for version in 2..=5 {
        one.ok("root", &format!("DeletePolicyVersion&{arn}&VersionId=v{version}")).await;
    }
    one.ok("root", &format!("DeletePolicy&{arn}")).await;
    assert!(one.state().policy("P").is_none());
}

#[tokio::test]
async fn users_and_groups_keep_everything_when_renamed() {
    let world = World::new();
    let gateway = Gateway::start(&world, false).await;
    gateway.ok("root", "CreateUser&UserName=bo").await;
    gateway.ok("root", "CreateGroup&GroupName=g").await;
    gateway.ok("root", &format!("PutGroupPolicy&GroupName=g&PolicyName=G&PolicyDocument={GET}")).await;
    gateway.ok("root", "AddUserToGroup&GroupName=g&UserName=bo").await;
    gateway.ok("root", &format!("PutUserPolicy&UserName=bo&PolicyName=I&PolicyDocument={GET}")).await;
    let key = gateway.ok("root", "CreateAccessKey&UserName=bo").await;
    let key = key.split("<AccessKeyId>").nth(1).unwrap().split('<').next().unwrap().to_owned();
    gateway.ok("root", "UpdateUser&UserName=bo&NewUserName=cy").await;
    gateway.ok("root", "UpdateGroup&GroupName=g&NewGroupName=h").await;
    let state = gateway.state();
    let user = state.user("cy").unwrap();
    assert_eq!((user.policies.len(), user.groups.len(), &*user.groups[0]), (2, 1, "h"));
    assert_eq!(&*state.access_key(&key).unwrap().user.name, "cy");
    assert!(state.user("bo").is_none() && state.group("g").is_none());
    assert_eq!((state.counts().problems, state.unfinished_renames().count()), (0, 0));
    // A renaming that a gateway left incomplete long ago: the next change on any gateway finishes it.
    let store = world.store();
    let key = [iam::DocumentKey::User("cy".into()), iam::DocumentKey::User("dy".into())];
    let fresh = store.read(&key).await.unwrap();
    let mut half = (*user.record).clone();
    half.name = "dy".into();
    half.renamed = Some(iam::Renamed { from: "cy".into(), at_s: 1_600_000_000 });
    let half = iam::Change::User("dy".into(), Some(Ok(half)));
    store.commit(&fresh, &[half]).await.unwrap();
    let soon = std::time::Duration::from_secs(10);
    assert!(gateway.follower.wait_until(|state| state.user("dy").is_some(), soon).await);
    gateway.ok("root", "CreateUser&UserName=zed").await;
    let state = gateway.state();
    assert!(state.user("cy").is_none() && state.unfinished_renames().next().is_none());
    assert_eq!((state.user("dy").unwrap().policies.len(), state.counts().problems), (2, 0));
}

#[tokio::test]
async fn each_account_has_its_own() {
    let world = World::new();
    let gateway = Gateway::start(&world, false).await;
    let made = gateway.ok("carol", "CreateUser&UserName=cy").await;
    assert!(made.contains("<Arn>arn:aws:iam::111122223333:user/cy</Arn>"), "{made}");
    gateway.ok("root", "CreateUser&UserName=bo").await;
    for (user, line, code) in [
        ("root", "GetUser&UserName=cy", "NoSuchEntity"),
        ("root", "DeleteUser&UserName=cy", "NoSuchEntity"),
        ("root", "CreateUser&UserName=cy", "EntityAlreadyExists"),
        ("carol", "GetUser&UserName=bo", "NoSuchEntity"),
        ("carol", "CreateAccessKey&UserName=bo", "NoSuchEntity"),
        ("carol", "UpdateUser&UserName=bo&NewUserName=by", "NoSuchEntity"),
    ] {
        assert_eq!(gateway.code(user, line).await, code, "{user}: {line}");
    }
    let (ours, theirs) = (gateway.ok("root", "ListUsers").await, gateway.ok("carol", "ListUsers").await);
    assert!(ours.contains("<UserName>bo<") && !ours.contains("<UserName>cy<"), "{ours}");
    assert!(theirs.contains("<UserName>cy<") && !theirs.contains("<UserName>bo<"), "{theirs}");
    // A gateway that starts now reads it from the filer.
    let later = Gateway::start(&world, false).await;
    assert!(later.ok("carol", "GetUser&UserName=cy").await.contains("arn:aws:iam::111122223333:user/cy"));
}

#[tokio::test]
async fn boundaries_and_tags_limit_who_manages_users() {
    let world = World::new();
    let gateway = Gateway::start(&world, false).await;
    let arn = "arn:aws:iam::000000000000:policy/B";
    let delegate = format!(
        r#"{{"Version":"2012-10-17","Statement":[
            {{"Effect":"Allow","Action":["iam:CreateUser","iam:PutUserPolicy","iam:AttachUserPolicy"],"Resource":"*","Condition":{{"StringEquals":{{"iam:PermissionsBoundary":"{arn}"}}}}}},
            {{"Effect":"Allow","Action":"iam:TagUser","Resource":"*","Condition":{{"StringEquals":{{"aws:RequestTag/own":"lead"}}}}}},
            {{"Effect":"Allow","Action":"iam:DeleteUser","Resource":"*","Condition":{{"StringEquals":{{"iam:ResourceTag/team":"${{aws:PrincipalTag/team}}"}}}}}}]}}"#
    );
    gateway.ok("root", &format!("CreatePolicy&PolicyName=B&PolicyDocument={GET}")).await;
    let tag = "Tags.member.1.Key=team&Tags.member.1.Value=";
    gateway.ok("root", &format!("CreateUser&UserName=lead&{tag}red")).await;
    gateway.ok("root", &format!("PutUserPolicy&UserName=lead&PolicyName=D&PolicyDocument={delegate}")).await;
    for (name, team) in [("free", "red"), ("other", "blue")] {
        gateway.ok("root", &format!("CreateUser&UserName={name}&{tag}{team}")).await;
    }
    let put = |user: &str| format!("PutUserPolicy&UserName={user}&PolicyName=I&PolicyDocument={GET}");
    for (line, code) in [
        ("CreateUser&UserName=bo", Some("AccessDenied")),
        (&format!("CreateUser&UserName=bo&PermissionsBoundary={arn}"), None),
        (&format!("CreateUser&UserName=cy&PermissionsBoundary={arn}&{tag}red"), Some("AccessDenied")),
        (&put("bo"), None),
        (&put("free"), Some("AccessDenied")),
        ("DeleteUserPermissionsBoundary&UserName=bo", Some("AccessDenied")),
        (&format!("AttachUserPolicy&UserName=bo&PolicyArn={arn}"), None),
        (&format!("AttachUserPolicy&UserName=free&PolicyArn={arn}"), Some("AccessDenied")),
        ("DeleteUser&UserName=other", Some("AccessDenied")),
        // A parameter that an action does not read, or reads only in part, sets no condition key.
        (&format!("{}&PermissionsBoundary={arn}", put("free")), Some("AccessDenied")),
        (&format!("AttachUserPolicy&UserName=free&PolicyArn={arn}&PermissionsBoundary={arn}"), Some("AccessDenied")),
        ("TagUser&UserName=free&Tags.member.2.Key=own&Tags.member.2.Value=lead", Some("ValidationError")),
    ] {
        assert_eq!(gateway.call("lead", line).await.err().map(|error| error.code).as_deref(), code, "{line}");
    }
}

#[tokio::test]
async fn what_is_not_allowed_is_refused() {
    let world = World::new();
    let gateway = Gateway::start(&world, false).await;
    for (user, line, code) in [
        ("al", "CreateUser&UserName=bo", "AccessDenied"),
        ("al", "ListUsers", "AccessDenied"),
        ("al", "GetUser", "AccessDenied"),
        ("root", "CreateUser&UserName=a/b", "ValidationError"),
        ("root", "CreateUser&UserName=bo&Version=1999-01-01", "InvalidParameterValue"),
        ("root", "CreateUser&UserName=bo&UserName=cy", "ValidationError"),
        ("root", "Fly", "InvalidAction"),
        ("root", "CreateLoginProfile&UserName=al", "NotImplemented"),
        ("root", "AssumeRoot&TargetPrincipal=000000000000", "NotImplemented"),
    ] {
        assert_eq!(gateway.code(user, line).await, code, "{line}");
    }
    let denied = gateway.call("al", "CreateUser&UserName=bo").await.unwrap_err();
    assert_eq!(denied.status, 403);
    assert!(
        denied.message.contains("arn:aws:iam::000000000000:user/al is not authorized to perform: iam:CreateUser"),
        "{denied}"
    );
    assert!(denied.to_xml("r").contains("<ErrorResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\">"));
    let read_only = Gateway::start(&world, true).await;
    assert_eq!(read_only.code("root", "CreateUser&UserName=bo").await, "AccessDenied");
    assert!(read_only.ok("root", "ListUsers").await.contains("<UserName>al</UserName>"));
}

#[tokio::test]
async fn a_policy_gets_the_name_that_was_allowed() {
    let world = World::new();
    let gateway = Gateway::start(&world, false).await;
    let allowed = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iam:CreatePolicy","Resource":"arn:aws:iam::000000000000:policy/mine-*"}]}"#;
    gateway.ok("root", "CreateUser&UserName=bo").await;
    gateway.ok("root", &format!("PutUserPolicy&UserName=bo&PolicyName=I&PolicyDocument={allowed}")).await;
    gateway.ok("bo", &format!("CreatePolicy&PolicyName=mine-1&PolicyDocument={GET}")).await;
    let other = "PolicyArn=arn:aws:iam::000000000000:policy/mine-2";
    let code = gateway.code("bo", &format!("CreatePolicy&PolicyName=theirs&{other}&PolicyDocument={GET}")).await;
    assert_eq!(code, "AccessDenied");
}

#[tokio::test]
async fn only_trusted_callers_assume_a_role() {
    let world = World::new();
    let gateway = Gateway::start(&world, false).await;
    let trust = |principal: &str, condition: &str| {
        format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"AWS":"{principal}"}},"Action":"sts:AssumeRole"{condition}}}]}}"#
        )
    };
    let al = "arn:aws:iam::000000000000:user/al";
    let external = r#","Condition":{"StringEquals":{"sts:ExternalId":"secret"}}"#;
    for (role, document) in [
        ("ForAl", trust(al, "")),
        ("ForNobody", trust("arn:aws:iam::000000000000:user/zed", "")),
        ("WithId", trust(al, external)),
    ] {
        gateway.ok("root", &format!("CreateRole&RoleName={role}&AssumeRolePolicyDocument={document}")).await;
    }
    let assume = |role: &str| format!("AssumeRole&RoleSessionName=s1&RoleArn=arn:aws:iam::000000000000:role/{role}");
    let answer = gateway.ok("al", &assume("ForAl")).await;
    assert!(answer.contains("<Arn>arn:aws:sts::000000000000:assumed-role/ForAl/s1</Arn>"), "{answer}");
    assert!(
        answer.contains("<AccessKeyId>ASIA") && answer.contains("<Expiration>2023-11-14T23:13:20Z</Expiration>"),
        "{answer}"
    );
    gateway.ok("al", &(assume("WithId") + "&ExternalId=secret")).await;
    let short = gateway.ok("al", &(assume("ForAl") + "&DurationSeconds=900")).await;
    assert!(short.contains("<Expiration>2023-11-14T22:28:20Z</Expiration>"), "{short}");
    for (line, code) in [
        (assume("ForNobody"), "AccessDenied"),
        (assume("Missing"), "AccessDenied"),
        (assume("WithId"), "AccessDenied"),
        (assume("WithId") + "&ExternalId=guess", "AccessDenied"),
        (assume("ForAl") + "&DurationSeconds=10", "ValidationError"),
        // The role's maximum is an hour.
        (assume("ForAl") + "&DurationSeconds=3601", "ValidationError"),
        (assume("ForAl") + "&Policy={bad", "MalformedPolicyDocument"),
        ("AssumeRole&RoleSessionName=s1&RoleArn=ForAl".to_owned(), "ValidationError"),
        (assume("ForAl") + "&PolicyArns.member.1.arn=arn:aws:iam::000000000000:policy/Missing", "ValidationError"),
        // Tags also need sts:TagSession, which the role does not allow.
        (assume("ForAl") + "&Tags.member.1.Key=k&Tags.member.1.Value=v", "AccessDenied"),
    ] {
        let error = gateway.call("al", &line).await.unwrap_err();
        assert_eq!(error.code, code, "{line}");
        assert!(error.to_xml("r").contains("https://sts.amazonaws.com/doc/2011-06-15/"));
    }
    let nobody = Caller { principal: policy::Principal::Anonymous, ..gateway.caller("al") };
    let web_identity = assume("ForAl").replace("AssumeRole&", "AssumeRoleWithWebIdentity&WebIdentityToken=token&");
    for (line, code) in [
        (&*web_identity, "InvalidIdentityToken"),
        ("AssumeRoleWithSAML", "NotImplemented"),
        (&assume("ForAl"), "MissingAuthenticationToken"),
        ("GetCallerIdentity", "MissingAuthenticationToken"),
    ] {
        assert_eq!(gateway.call_as(&nobody, line).await.unwrap_err().code, code, "{line}");
    }
    let identity = gateway.ok("al", "GetCallerIdentity").await;
    assert!(
        identity.contains("<Arn>arn:aws:iam::000000000000:user/al</Arn>")
            && identity.contains("<Account>000000000000<"),
        "{identity}"
    );
}

#[tokio::test]
async fn simulations_and_policy_checks_take_turns() {
    let world = World::new();
    let gateway = Gateway::start(&world, false).await;
    let check = format!("ValidatePolicy&PolicyType=IDENTITY_POLICY&PolicyDocument={GET}");
    let custom = format!("SimulateCustomPolicy&PolicyInputList.member.1={GET}&ActionNames.member.1=s3:GetObject");
    let mut turns = vec![gateway.iam.costly.turn().await.unwrap()];
    for line in [&check, &custom] {
        let waits = tokio::time::timeout(Duration::from_millis(50), gateway.call("root", line)).await;
        assert!(waits.is_err(), "{line} is answered out of turn");
    }
    gateway.call("root", "GetUser&UserName=al").await.unwrap();
    {
        let mut waiting = FuturesUnordered::new();
        while waiting.len() < COSTLY_PLACES - 1 {
            waiting.push(gateway.call("root", &custom));
        }
        let waits = tokio::time::timeout(Duration::from_millis(50), waiting.next()).await;
        assert!(waits.is_err(), "{waits:?}");
        assert_eq!(gateway.call("root", &check).await.unwrap_err().code, "Throttling");
    }
    turns.clear();
    gateway.call("root", &check).await.unwrap();
}

#[tokio::test]
async fn simulations_and_checks_need_their_permission() {
    let world = World::new();
    let gateway = Gateway::start(&world, true).await;
    let al = "PolicySourceArn=arn:aws:iam::000000000000:user/al";
    let simulate = format!("SimulatePrincipalPolicy&{al}&ActionNames.member.1=s3:GetObject");
    let custom = format!("SimulateCustomPolicy&PolicyInputList.member.1={GET}&ActionNames.member.1=s3:GetObject");
    let check = format!("ValidatePolicy&PolicyType=IDENTITY_POLICY&PolicyDocument={GET}");
    for (line, want) in [
        (&simulate, "<SimulatePrincipalPolicyResponse xmlns"),
        (&custom, "<EvalDecision>allowed</EvalDecision>"),
        (&check, "<ValidatePolicyResult><Findings>"),
        (&format!("GetContextKeysForPrincipalPolicy&{al}"), "<ContextKeyNames>"),
        (&format!("GetContextKeysForCustomPolicy&PolicyInputList.member.1={GET}"), "<ContextKeyNames>"),
    ] {
        let answer = gateway.ok("root", line).await;
        assert!(answer.contains(want), "{line}: {answer}");
        let denied = gateway.call("al", line).await.unwrap_err();
        assert_eq!(denied.code, "AccessDenied", "{line}");
    }
    for (line, action) in [
        (&simulate, "iam:SimulatePrincipalPolicy on resource: arn:aws:iam::000000000000:user/al"),
        (&custom, "iam:SimulateCustomPolicy"),
        (&check, "access-analyzer:ValidatePolicy"),
    ] {
        let denied = gateway.call("al", line).await.unwrap_err();
        assert!(denied.message.replace('"', "").contains(action), "{denied}");
    }
    let writer = Gateway::start(&world, false).await;
    writer.ok("root", "CreateUser&UserName=checker").await;
    let allow = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"access-analyzer:ValidatePolicy","Resource":"*"}]}"#;
    writer.ok("root", &format!("PutUserPolicy&UserName=checker&PolicyName=C&PolicyDocument={allow}")).await;
    writer.ok("checker", &check).await;
    assert_eq!(writer.code("checker", &custom).await, "AccessDenied");
}

#[tokio::test]
async fn each_gateway_stores_the_uses_it_saw_and_all_read_them() {
    let world = World::new();
    let (a, b) = (Gateway::start(&world, false).await, Gateway::start(&world, false).await);
    let ask = "GetAccessKeyLastUsed&AccessKeyId=AKAL";
    assert!(a.ok("root", ask).await.contains("<ServiceName>N/A</ServiceName>"));
    a.uses.note("AKAL", 60, "s3", "us-east-1");
    a.uses.note("AKGONE", 60, "s3", "us-east-1");
    assert!(a.ok("root", ask).await.contains("1970-01-01T00:01:00Z"), "the gateway itself knows at once");
    assert!(!b.ok("root", ask).await.contains("LastUsedDate"));
    a.recorder.flush().await.unwrap();
    assert!(b.ok("root", ask).await.contains("1970-01-01T00:01:00Z"));
    assert!(world.store().last_used().await.unwrap().of("AKGONE").is_none(), "a deleted key is forgotten");
    // The latest use counts, whichever gateway saw it. An older one changes nothing.
    b.uses.note("AKAL", 120, "iam", "us-east-1");
    b.recorder.flush().await.unwrap();
    a.uses.note("AKAL", 59, "sts", "us-east-1");
    a.recorder.flush().await.unwrap();
    for gateway in [&a, &b] {
        let answer = gateway.ok("root", ask).await;
        assert!(answer.contains("1970-01-01T00:02:00Z</LastUsedDate><ServiceName>iam<"), "{answer}");
    }
}

#[tokio::test]
async fn uses_seen_by_a_gateway_that_is_gone_are_taken_over() {
    let world = World::new();
    let a = Gateway::start(&world, false).await;
    let left = "/seaweedfs/iam/last-used/00000000000000aa-0.json";
    world.put(left, r#"{"AKAL":[600,"s3","us-east-1"]}"#).await; // written in 1970
    a.recorder.adopt().await.unwrap();
    assert!(world.filer.lookup(left).await.unwrap().is_none());
    assert!(world.store().last_used().await.unwrap().of("AKAL").is_some());
    assert!(a.ok("root", "GetAccessKeyLastUsed&AccessKeyId=AKAL").await.contains("1970-01-01T00:10:00Z"));
}

#[tokio::test]
async fn a_fast_clock_leaves_no_future_in_last_uses() {
    let world = World::new();
    world.filer.behind_s.store(86_400, Ordering::SeqCst);
    let follower = world.follow_as(FILE, |follower| follower.fenced(one_of_several("fast"))).await;
    let is_known = async {
        while follower.clock_off_by_s().is_none() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), is_known).await.unwrap();
    let fast = Gateway::following(&world, world.store(), false, follower);
    let now_s = jiff::Timestamp::now().as_second();
    fast.uses.note("AKAL", now_s, "s3", "us-east-1");
    let used_s = async || fast.recorder.read().await.unwrap().of("AKAL").unwrap().at_s;
    assert!(used_s().await < now_s - 86_000, "by the filer's clock, before it is stored");
    fast.recorder.flush().await.unwrap();
    assert!(world.store().last_used().await.unwrap().of("AKAL").unwrap().at_s < now_s - 86_000);

    // What gateways noted and stored before their clocks were set right.
    let right = Gateway::start(&world, false).await;
    right.uses.note("AKROOT", now_s + 86_400, "s3", "us-east-1");
    let stored = format!(r#"{{"AKCAROL":[{},"s3","us-east-1"]}}"#, now_s + 86_400);
    world.put("/seaweedfs/iam/last-used/00000000000000aa-0.json", &stored).await;
    let is_past = |known: iam::LastUsed| known.len() == 3 && known.iter().all(|(_, used)| used.at_s <= now_s + 60);
    assert!(is_past(right.recorder.read().await.unwrap()));
    right.recorder.flush().await.unwrap();
    right.recorder.adopt().await.unwrap();
    assert!(is_past(world.store().last_used().await.unwrap()));
}

/// How often each of two gateways lists everything after their streams have ended once, while both make changes.
#[tokio::test(flavor = "multi_thread")]
async fn gateways_do_not_make_each_other_list_again_and_again() {
    let world = World::new();
    world.filer.listing_ms.store(300, Ordering::SeqCst);
    let mut gateways = Vec::new();
    for name in ["one", "two"] {
        let follower = world.follow_as(FILE, |follower| follower.fenced(one_of_several(name))).await;
        gateways.push(Gateway::following(&world, world.store(), false, follower));
    }
    let answered = Arc::new(AtomicU64::new(0));
    let writers: Vec<_> = (0..8)
        .map(|writer| {
            let (gateway, answered) = (gateways[writer % 2].clone(), answered.clone());
            tokio::spawn(async move {
                for number in 0.. {
                    let line = format!("CreateUser&UserName=u{writer}-{number}");
                    answered.fetch_add(u64::from(gateway.call("root", &line).await.is_ok()), Ordering::SeqCst);
                }
            })
        })
        .collect();
    let reloads = || gateways.iter().map(|gateway| gateway.follower.metrics().reloads.get()).collect::<Vec<_>>();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let (before, answered_before) = (reloads(), answered.load(Ordering::SeqCst));
    world.filer.sever(false);
    tokio::time::sleep(Duration::from_secs(5)).await;
    writers.iter().for_each(tokio::task::JoinHandle::abort);
    // Each lists once itself, and once because the other one found changes by listing.
    for (before, after) in before.iter().zip(reloads()) {
        assert!((1..=3).contains(&(after - before)), "{before} and {after} listings");
    }
    assert!(answered.load(Ordering::SeqCst) > answered_before);
}
