//! Two gateways make changes at the same time that depend on each other.

use std::time::Duration;

use filer::fault::{Call, Fault, FaultyFiler};
use iam::Holder;
use store::Layout;

use super::*;
use crate::feed::tests::config;

const TRUST: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole"}]}"#;
const POLICY: &str = "PolicyArn=arn:aws:iam::000000000000:policy/P";

async fn slow_gateway(world: &World) -> (Arc<FaultyFiler>, Arc<Gateway>) {
    let filer = Arc::new(FaultyFiler::new(world.filer.clone()));
    let store = FilerStore::new(filer.clone(), Layout::new(&config(), "/buckets"));
    (filer, Gateway::start_with(world, store, false).await)
}

/// Each row: the initial state, a deletion, a call that begins to rely on what is deleted, and the code for the loser.
fn rows() -> Vec<(Vec<String>, String, String)> {
    let row = |calls: &[&str], deletion: &str, reliance: &str| {
        let line = |line: &&str| line.replace("$GET", GET).replace("$POLICY", POLICY).replace("$TRUST", TRUST);
        (calls.iter().map(line).collect(), line(&deletion), line(&reliance))
    };
    let create = "CreatePolicy&PolicyName=P&PolicyDocument=$GET";
    vec![
        row(&["CreateUser&UserName=bo", create], "DeletePolicy&$POLICY", "AttachUserPolicy&UserName=bo&$POLICY"),
        row(&["CreateGroup&GroupName=g", create], "DeletePolicy&$POLICY", "AttachGroupPolicy&GroupName=g&$POLICY"),
        row(
            &["CreateUser&UserName=bo"],
            "DeleteUser&UserName=bo",
            "PutUserPolicy&UserName=bo&PolicyName=I&PolicyDocument=$GET",
        ),
        row(
            &["CreateUser&UserName=bo", "CreateGroup&GroupName=g"],
            "DeleteUser&UserName=bo",
            "AddUserToGroup&UserName=bo&GroupName=g",
        ),
        row(
            &["CreateGroup&GroupName=g"],
            "DeleteGroup&GroupName=g",
            "PutGroupPolicy&GroupName=g&PolicyName=I&PolicyDocument=$GET",
        ),
        row(&["CreateUser&UserName=bo"], "DeleteUser&UserName=bo", "CreateServiceAccount&ParentUser=bo"),
        row(
            &["CreateRole&RoleName=R&AssumeRolePolicyDocument=$TRUST", "CreateInstanceProfile&InstanceProfileName=web"],
            "DeleteRole&RoleName=R",
            "AddRoleToInstanceProfile&InstanceProfileName=web&RoleName=R",
        ),
    ]
}

async fn both(world: &World, calls: &[String]) -> (Arc<FaultyFiler>, Arc<Gateway>, Arc<Gateway>) {
    let (filer, slow) = slow_gateway(world).await;
    let quick = Gateway::start(world, false).await;
    for call in calls {
        quick.ok("root", call).await;
    }
    // The last call completed the state. Wait until the other gateway has it.
    let digest = quick.follower.digest();
    while slow.follower.digest() != digest {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    (filer, slow, quick)
}

/// Waits until the slow gateway has begun this many calls, the last of which hangs.
async fn hanging(filer: &FaultyFiler, call: Call, calls: u64) {
    while filer.calls(call) < calls {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test]
async fn an_entity_that_another_call_begins_to_rely_on_is_not_deleted() {
    for (calls, deletion, reliance) in rows() {
        // A policy may be stored in three places.
        let documents = if deletion.starts_with("DeletePolicy") { 3 } else { 1 };
        // The deletion is announced and waits for its last write, or for its second check of the document, with a
        // Snapshot that does not contain yet what relies on it.
        for (call, before) in [(Call::Transact, 1), (Call::Lookup, documents)] {
            let world = World::new();
            let (filer, slow, quick) = both(&world, &calls).await;
            let begun = filer.calls(call);
            filer.set(call, Fault::After(before, Box::new(Fault::Hang)));
            let deleting = tokio::spawn({
                let (slow, deletion) = (slow.clone(), deletion.clone());
                async move { slow.call("root", &deletion).await }
            });
            hanging(&filer, call, begun + before + 1).await;
            quick.ok("root", &reliance).await;
            filer.clear();
            let refused = deleting.await.unwrap().expect_err(&deletion);
            assert_eq!(refused.code, "DeleteConflict", "{deletion} against {reliance}, {call:?}");
        }
    }
}

/// An entity that takes the place of the one that was decided on, or changes, gets its own decision.
#[tokio::test]
async fn what_changes_before_the_command_runs_is_decided_again() {
    let key = "iam:CreateAccessKey";
    let by_path = statement(&format!(r#""Action":"{key}","Resource":"arn:aws:iam::000000000000:user/team/*""#));
    let tagged = r#""Condition":{"StringEquals":{"aws:ResourceTag/team":"blue"}}"#;
    let by_tag = statement(&format!(r#""Action":"{key}","Resource":"*",{tagged}"#));
    let blue = "CreateUser&UserName=bo&Path=/team/&Tags.member.1.Key=team&Tags.member.1.Value=blue".to_owned();
    for (policy, changes) in [
        (by_path, &["DeleteUser&UserName=bo", "CreateUser&UserName=bo&Path=/admins/"][..]),
        (by_tag, &["TagUser&UserName=bo&Tags.member.1.Key=team&Tags.member.1.Value=red"]),
    ] {
        let world = World::new();
        let allow = format!("PutUserPolicy&UserName=op&PolicyName=I&PolicyDocument={policy}");
        let (filer, slow, quick) = both(&world, &["CreateUser&UserName=op".into(), allow, blue.clone()]).await;
        slow.ok("op", "CreateAccessKey&UserName=bo").await;
        let begun = filer.calls(Call::Lookup);
        filer.set(Call::Lookup, Fault::Hang);
        let creating = tokio::spawn({
            let slow = slow.clone();
            async move { slow.call("op", "CreateAccessKey&UserName=bo").await }
        });
        hanging(&filer, Call::Lookup, begun + 1).await;
        for key in quick.state().user("bo").unwrap().record.credentials.iter().map(|key| &key.access_key) {
            quick.ok("root", &format!("DeleteAccessKey&UserName=bo&AccessKeyId={key}")).await;
        }
        for change in changes {
            quick.ok("root", change).await;
        }
        filer.clear();
        assert_eq!(creating.await.unwrap().expect_err(&policy).code, "AccessDenied", "{policy}");
    }
}

fn statement(elements: &str) -> String {
    format!(r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow",{elements}}}]}}"#)
}

#[tokio::test]
async fn nothing_begins_to_rely_on_a_deleted_entity() {
    for (calls, deletion, reliance) in rows() {
        let world = World::new();
        let (filer, slow, quick) = both(&world, &calls).await;
        filer.set(Call::Transact, Fault::Hang);
        let relying = tokio::spawn({
            let (slow, reliance) = (slow.clone(), reliance.clone());
            async move { slow.call("root", &reliance).await }
        });
        hanging(&filer, Call::Transact, 1).await;
        quick.ok("root", &deletion).await;
        filer.clear();
        let refused = relying.await.unwrap().expect_err(&reliance);
        assert_eq!(refused.code, "NoSuchEntity", "{reliance} against {deletion}");
        // Nothing remains of it.
        let state = Gateway::start(&world, false).await.state();
        assert!(!state.is_held("P"), "{reliance}");
        assert!(state.groups_naming("bo").is_empty(), "{reliance}");
        assert_eq!(state.counts().service_accounts, 0, "{reliance}");
        assert!(state.instance_profiles().all(|profile| profile.roles.is_empty()), "{reliance}");
        for holder in [Holder::User("bo".into()), Holder::Group("g".into())] {
            assert!(state.inline_policies(&holder).is_empty(), "{reliance}");
        }
    }
}

/// What two writers do to one user at the same time, and whether the state shows both changes.
async fn pairs_lost(world: &World, stores: [FilerStore; 2], rounds: usize) -> Vec<String> {
    let [first, second] = stores;
    let (one, two) = (Gateway::start_with(world, first, false).await, Gateway::start_with(world, second, false).await);
    for n in 0..3 {
        one.ok("root", &format!("CreatePolicy&PolicyName=P{n}&PolicyDocument={GET}")).await;
    }
    let mut lost = Vec::new();
    for round in 0..rounds {
        let (user, group) = (format!("UserName=u{round}"), format!("GroupName=g{round}"));
        let attach =
            |verb: &str, n: u8| format!("{verb}UserPolicy&{user}&PolicyArn=arn:aws:iam::000000000000:policy/P{n}");
        let inline = |n: u8| format!("PutUserPolicy&{user}&PolicyName=I{n}&PolicyDocument={GET}");
        for line in
            [format!("CreateUser&{user}"), format!("CreateUser&UserName=v{round}"), format!("CreateGroup&{group}")]
        {
            one.ok("root", &line).await;
        }
        let pairs = [
            (attach("Attach", 0), attach("Attach", 1)),
            (format!("CreateAccessKey&{user}"), format!("CreateAccessKey&{user}")),
            (inline(0), inline(1)),
            (format!("AddUserToGroup&{group}&{user}"), format!("AddUserToGroup&{group}&UserName=v{round}")),
            (attach("Detach", 0), attach("Attach", 2)),
            (
                format!("DeleteUserPolicy&{user}&PolicyName=I0"),
                format!("TagUser&{user}&Tags.member.1.Key=k&Tags.member.1.Value=v"),
            ),
            (
                format!("RemoveUserFromGroup&{group}&{user}"),
                format!("PutGroupPolicy&{group}&PolicyName=I&PolicyDocument={GET}"),
            ),
        ];
        for (left, right) in pairs {
            let (a, b) = tokio::join!(one.call("root", &left), two.call("root", &right));
            for (line, answer) in [(&left, a), (&right, b)] {
                match answer {
                    Ok(_) => {}
                    // An earlier loss shows as something missing.
                    Err(error) if error.code == "NoSuchEntity" => lost.push(format!("{line}: {error}")),
                    Err(error) if error.code == "NotImplemented" => {}
                    Err(error) => panic!("{line}: {error}"),
                }
            }
        }
        let state = Gateway::start(world, false).await.state();
        let (user, group) = (state.user(&format!("u{round}")).unwrap(), state.group(&format!("g{round}")).unwrap());
        let names: std::collections::BTreeSet<&str> =
            user.record.attached_policies.iter().map(String::as_str).collect();
        let inline: Vec<_> = state.inline_policies(&Holder::User(user.name.clone())).into_keys().collect();
        for (holds, what) in [
            (names == ["P1", "P2"].into(), format!("attached {names:?}")),
            (user.record.credentials.len() == 2, format!("{} keys", user.record.credentials.len())),
            (inline == ["I1".into()], format!("inline {inline:?}")),
            (group.record.members == [format!("v{round}")], format!("members {:?}", group.record.members)),
        ] {
            if !holds {
                lost.push(format!("round {round}: {what}"));
            }
        }
    }
    lost
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_write_of_a_concurrent_pair_is_lost() {
    let world = World::new();
    let lost = pairs_lost(&world, [world.store(), world.store()], 20).await;
    assert!(lost.is_empty(), "{lost:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_compare_and_swap_writes_are_lost() {
    let world = World::new();
    let store = || {
        let filer = FaultyFiler::new(world.filer.clone());
        filer.ignore_conditions();
        FilerStore::new(Arc::new(filer), Layout::new(&config(), "/buckets"))
    };
    let lost = pairs_lost(&world, [store(), store()], 20).await;
    assert!(!lost.is_empty(), "the test cannot detect a loss");
}

#[tokio::test]
async fn of_two_names_that_differ_only_in_case_one_is_taken() {
    let trusted = |line: &str| line.replace("$TRUST", TRUST).replace("$GET", GET);
    for (first, second, (asked, found)) in [
        (
            ("root", "CreateUser&UserName=bo"),
            ("root", "CreateUser&UserName=Bo"),
            ("GetUser&UserName=Bo", "<UserName>bo<"),
        ),
        (
            ("root", "CreateUser&UserName=BO"),
            ("root", "CreateUser&UserName=bo"),
            ("GetUser&UserName=bo", "<UserName>BO<"),
        ),
        (
            ("root", "CreateGroup&GroupName=g"),
            ("root", "CreateGroup&GroupName=G"),
            ("GetGroup&GroupName=G", "<GroupName>g<"),
        ),
        (
            ("root", "CreateRole&RoleName=r&AssumeRolePolicyDocument=$TRUST"),
            ("root", "CreateRole&RoleName=R&AssumeRolePolicyDocument=$TRUST"),
            ("GetRole&RoleName=R", "<RoleName>r<"),
        ),
        (
            ("root", "CreatePolicy&PolicyName=p&PolicyDocument=$GET"),
            ("root", "CreatePolicy&PolicyName=P&PolicyDocument=$GET"),
            ("GetPolicy&PolicyArn=arn:aws:iam::000000000000:policy/P", "NoSuchEntity"),
        ),
        (
            ("root", "CreateInstanceProfile&InstanceProfileName=web"),
            ("root", "CreateInstanceProfile&InstanceProfileName=Web"),
            ("GetInstanceProfile&InstanceProfileName=Web", "<InstanceProfileName>web<"),
        ),
        (
            ("root", "CreateAccountAlias&AccountAlias=ours"),
            ("carol", "CreateAccountAlias&AccountAlias=ours"),
            ("DeleteAccountAlias&AccountAlias=ours", "NoSuchEntity"),
        ),
    ] {
        let world = World::new();
        let (filer, slow, quick) = both(&world, &[]).await;
        filer.set(Call::Transact, Fault::Hang);
        let creating = tokio::spawn({
            let (slow, line) = (slow.clone(), trusted(second.1));
            async move { slow.call(second.0, &line).await }
        });
        hanging(&filer, Call::Transact, 1).await;
        quick.ok(first.0, &trusted(first.1)).await;
        filer.clear();
        let refused = creating.await.unwrap().expect_err(second.1);
        assert_eq!(refused.code, "EntityAlreadyExists", "{} after {}", second.1, first.1);
        let later = Gateway::start(&world, false).await;
        // Names are found without regard to case, so the first one answers to both.
        let answer = later.call(second.0, asked).await.unwrap_or_else(|error| error.code);
        assert!(answer.contains(found), "{asked}: {answer}");
    }
}
