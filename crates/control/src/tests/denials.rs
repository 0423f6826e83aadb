//! Every action of IAM and STS that AWS knows, called by callers without the permission and by one who has it. The list
//! is made from the table of actions, so a new action is covered. `matrix.rs` goes further with those that there is a
//! command for.

use std::collections::BTreeSet;

use iam_api::Command;
use policy::{Action, CompiledPolicy, Policy, PolicyKind, Principal};
use s3::Requirement;
use serde_json::{Value, json};

use super::*;

/// Permissions alone: no call has their name.
const NO_CALLS: [&str; 5] = ["PassRole", "SetContext", "SetSourceIdentity", "TagSession", "GetServiceBearerToken"];

/// The actions that no permission decides, with the answer to an unsigned and to a signed call.
const UNDECIDED: [(&str, &str, &str); 4] = [
    // These two cannot be denied (STS API Reference). The second needs a key that exists.
    ("GetCallerIdentity", "MissingAuthenticationToken", "ok"),
    ("GetSessionToken", "MissingAuthenticationToken", "AccessDenied"),
    // Clients do not sign these: a token of an identity provider says who they are.
    ("AssumeRoleWithWebIdentity", "ValidationError", "ValidationError"),
    ("AssumeRoleWithSAML", "NotImplemented", "NotImplemented"),
];

/// Whatever a call may need to say what it is about, and what takes further permissions. Only the role exists.
const ABOUT: &str = "UserName=bo&GroupName=g&RoleName=R&PolicyName=P&InstanceProfileName=web&ServerCertificateName=cert\
    &PolicyArn=arn:aws:iam::000000000000:policy/P&OpenIDConnectProviderArn=arn:aws:iam::000000000000:oidc-provider/idp.example.com\
    &SAMLProviderArn=arn:aws:iam::000000000000:saml-provider/x\
    &RoleArn=arn:aws:iam::000000000000:role/R&RoleSessionName=work&TargetPrincipal=000000000000&ParentUser=bo\
    &ServiceAccountId=sa:bo:00&Url=https://idp.example.com&VirtualMFADeviceName=m&AWSServiceName=s3.amazonaws.com\
    &Arn=arn:aws:iam::000000000000:user/bo&PolicySourceArn=arn:aws:iam::000000000000:user/bo&Name=x&AccessKeyId=AKNONE\
    &NewUserName=eve&NewGroupName=h&Tags.member.1.Key=k&Tags.member.1.Value=v&SourceIdentity=eve";
/// Who assumes a role must not send it.
const OF_MFA: &str = "&SerialNumber=arn:aws:iam::000000000000:mfa/x";

fn calls() -> impl Iterator<Item = &'static str> {
    let of_aws = Action::all().filter(|action| ["iam", "sts"].contains(&action.service()));
    let names = of_aws.filter_map(|action| action.as_str().split_once(':')).map(|(_, name)| name);
    let all: BTreeSet<&str> = names.chain(Command::all().map(|command| command.action.name)).collect();
    all.into_iter().filter(|name| !NO_CALLS.contains(name))
}

pub(super) fn policy<'a>(permissions: impl IntoIterator<Item = (&'a str, &'a str)>) -> Arc<CompiledPolicy> {
    let statement = |(action, resource)| json!({"Effect": "Allow", "Action": action, "Resource": resource});
    let statements: Vec<Value> = permissions.into_iter().map(statement).collect();
    let text = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
    Arc::new(Policy::parse_stored(PolicyKind::Identity, &text).unwrap().compile())
}

pub(super) fn with(caller: &Caller, policies: Vec<Arc<CompiledPolicy>>) -> Caller {
    Caller { policies: policies.into(), ..caller.clone() }
}

/// What a call needs, and the condition keys that it has, if its caller is this one.
pub(super) fn ask(gateway: &Gateway, caller: &Caller, line: &str) -> (Vec<Requirement>, Context) {
    ask_in(&gateway.state(), caller, line)
}

/// The same in this state.
pub(super) fn ask_in(state: &Snapshot, caller: &Caller, line: &str) -> (Vec<Requirement>, Context) {
    with_call(caller, line, |call| {
        let mut context = Context::new();
        let needs = crate::query::needs(call, &mut context, state).unwrap_or_else(|e| panic!("{line}: {e}"));
        (needs, context)
    })
}

/// Why a call is refused in this state.
pub(super) fn refused_in(state: &Snapshot, caller: &Caller, line: &str) -> String {
    let refused = with_call(caller, line, |call| crate::query::authorize(call, &mut Context::new(), state).err());
    refused.unwrap_or_else(|| panic!("{line} is allowed")).message
}

fn with_call<T>(caller: &Caller, line: &str, ask: impl FnOnce(&Call<'_>) -> T) -> T {
    let line = format!("Action={line}");
    let pairs = line.split('&').filter_map(|pair| pair.split_once('='));
    let params = Params::new(pairs.map(|(name, value)| (name.to_owned(), value.to_owned()))).unwrap();
    ask(&Call {
        caller,
        params: &params,
        sent: &params,
        request_id: "req-1",
        now_s: 1_700_000_000,
        random: &[0; 96],
        observer: &access::NoObserver,
        certificate: Err("a test"),
        message_keys: None,
    })
}

fn needs(gateway: &Gateway, caller: &Caller, line: &str) -> BTreeSet<(String, String)> {
    ask(gateway, caller, line).0.into_iter().map(|need| (need.action.to_owned(), need.resource)).collect()
}

/// `ok`, the code of an error, or the permission that is missing.
fn said(answer: Result<String, QueryError>) -> String {
    match answer {
        Ok(_) => "ok".to_owned(),
        Err(error) => match error.message.split_once("is not authorized to perform: ") {
            Some((_, rest)) => format!("{} {}", error.code, rest.split(' ').next().unwrap()),
            None => error.code,
        },
    }
}

#[tokio::test]
async fn every_action_is_for_whom_its_permissions_are() {
    let world = World::new();
    let first = Gateway::start(&world, false).await;
    let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"000000000000"},"Action":["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"]}]}"#;
    first.ok("root", &format!("CreateRole&RoleName=R&AssumeRolePolicyDocument={trust}")).await;
    // Nothing is written, so that each call finds the same.
    let gateway = Gateway::start(&world, true).await;
    let (al, carol) = (gateway.caller("al"), gateway.caller("carol"));
    let everything = policy([("*", "*")]);
    let nobody = Caller { principal: Principal::Anonymous, ..with(&al, vec![everything]) };
    let stranger = with(&al, vec![policy([("s3:*Object*", "*"), ("iam:None", "*")])]);
    let foreign = with(&carol, vec![policy([("*", "arn:aws:iam::000000000000:*")])]);
    let mut decided = 0;
    for name in calls() {
        let line = format!("{name}&{ABOUT}{}", if name.contains("MFADevice") { OF_MFA } else { "" });
        if let Some((_, unsigned, signed)) = UNDECIDED.iter().find(|(undecided, _, _)| *undecided == name) {
            for (who, want) in [(&nobody, unsigned), (&stranger, signed), (&foreign, signed)] {
                assert_eq!(said(gateway.call_as(who, &line).await), *want, "{name} by {}", who.arn);
            }
            continue;
        }
        let needed = needs(&gateway, &al, &line);
        let refused: Vec<String> = needed.iter().map(|(action, _)| format!("AccessDenied {action}")).collect();
        assert!(!needed.is_empty(), "{name} needs no permission");
        assert_eq!(said(gateway.call_as(&nobody, &line).await), "MissingAuthenticationToken", "{name}");
        let answer = said(gateway.call_as(&stranger, &line).await);
        assert!(refused.contains(&answer), "{name} by a stranger: {answer}");
        // An ARN of ours names nothing of another account: `matrix.rs` asks what the commands find there.
        let names_ours =
            needs(&gateway, &foreign, &line).iter().all(|(_, resource)| resource.contains(":000000000000:"));
        let answer = said(gateway.call_as(&foreign, &line).await);
        assert!(refused.contains(&answer) || (names_ours && answer != "ok"), "{name} by another account: {answer}");
        let all = || needed.iter().map(|(action, resource)| (action.as_str(), resource.as_str()));
        let answer = said(gateway.call_as(&with(&al, vec![policy(all())]), &line).await);
        assert!(!answer.starts_with("AccessDenied "), "{name} by who may: {answer}");
        for missing in all() {
            let rest = policy(all().filter(|one| *one != missing).chain([("iam:None", "*")]));
            let answer = said(gateway.call_as(&with(&al, vec![rest]), &line).await);
            assert_eq!(answer, format!("AccessDenied {}", missing.0), "{name} without {missing:?}");
        }
        decided += 1;
    }
    assert!(decided > 150, "{decided} actions");
    assert!(UNDECIDED.iter().all(|(name, _, _)| calls().any(|known| known == *name)), "each of them is a call");
}
