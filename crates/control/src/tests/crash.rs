//! A gateway dies between any two writes of a command.

use std::collections::BTreeSet;

use filer::FilerError;
use filer::fault::{Call, Fault, FaultyFiler};
use iam::{Holder, PolicySource, Snapshot};
use store::Layout;

use super::*;
use crate::feed::tests::config;

const PUT: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:PutObject","Resource":"*"}]}"#;
const TRUST: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole"}]}"#;

/// A command on a world prepared by calls and files.
struct Case {
    files: &'static [(&'static str, &'static str)],
    calls: &'static [&'static str],
    command: &'static str,
    /// What repeating the command may answer if it was complete at the time of the crash.
    done: &'static str,
}

const CASES: &[Case] = &[
    Case { files: &[], calls: &["CreateUser&UserName=bo"], command: "DeleteUser&UserName=bo", done: "NoSuchEntity" },
    Case {
        files: &[],
        calls: &["CreateRole&RoleName=R&AssumeRolePolicyDocument=$TRUST"],
        command: "DeleteRole&RoleName=R",
        done: "NoSuchEntity",
    },
    Case { files: &[], calls: &["CreateGroup&GroupName=g"], command: "DeleteGroup&GroupName=g", done: "NoSuchEntity" },
    // A policy that is stored in two places.
    Case {
        files: &[("/etc/iam/policies/P.json", GET), ("/seaweedfs/iam/policies/policy_P.json", GET)],
        calls: &[],
        command: "DeletePolicy&PolicyArn=arn:aws:iam::000000000000:policy/P",
        done: "NoSuchEntity",
    },
    Case {
        files: &[("/etc/iam/policies/P.json", GET), ("/seaweedfs/iam/policies/policy_P.json", GET)],
        calls: &["CreateUser&UserName=bo", "AttachUserPolicy&UserName=bo&PolicyArn=arn:aws:iam::000000000000:policy/P"],
        command: "CreatePolicyVersion&PolicyArn=arn:aws:iam::000000000000:policy/P&SetAsDefault=true&PolicyDocument=$PUT",
        done: "",
    },
    // What earlier users, groups and roles with the name left behind.
    Case {
        files: &[
            ("/seaweedfs/iam/inline/users/bo/I.json", GET),
            ("/seaweedfs/iam/inline/users/bo/J.json", PUT),
            ("/etc/iam/groups/old.json", r#"{"name":"old","members":["bo"],"policy_names":["P"]}"#),
            ("/etc/iam/policies/P.json", GET),
        ],
        calls: &[],
        command: "CreateUser&UserName=bo",
        done: "EntityAlreadyExists",
    },
    Case {
        files: &[("/seaweedfs/iam/inline/roles/R/I.json", GET), ("/seaweedfs/iam/inline/roles/R/J.json", PUT)],
        calls: &[],
        command: "CreateRole&RoleName=R&AssumeRolePolicyDocument=$TRUST",
        done: "EntityAlreadyExists",
    },
    Case {
        files: &[("/seaweedfs/iam/inline/groups/g/I.json", GET)],
        calls: &[],
        command: "CreateGroup&GroupName=g",
        done: "EntityAlreadyExists",
    },
    // An inline policy of SeaweedFS, which it projected to legacy actions.
    Case {
        files: &[
            ("/etc/iam/identities/wu.json", r#"{"name":"wu","actions":["Admin"]}"#),
            ("/etc/iam/policies.json", WEEDS),
        ],
        calls: &[],
        command: "PutUserPolicy&UserName=wu&PolicyName=I&PolicyDocument=$PUT",
        done: "",
    },
    Case {
        files: &[
            ("/etc/iam/identities/wu.json", r#"{"name":"wu","actions":["Admin"]}"#),
            ("/etc/iam/policies.json", WEEDS),
        ],
        calls: &[],
        command: "DeleteUserPolicy&UserName=wu&PolicyName=I",
        done: "NoSuchEntity",
    },
    // One document, and another on which it relies.
    Case {
        files: &[],
        calls: &["CreateUser&UserName=bo"],
        command: "PutUserPolicy&UserName=bo&PolicyName=I&PolicyDocument=$GET",
        done: "",
    },
    Case {
        files: &[("/etc/iam/policies/P.json", GET)],
        calls: &["CreateUser&UserName=bo"],
        command: "AttachUserPolicy&UserName=bo&PolicyArn=arn:aws:iam::000000000000:policy/P",
        done: "",
    },
    Case {
        files: &[],
        calls: &["CreateUser&UserName=bo", "CreateGroup&GroupName=g"],
        command: "AddUserToGroup&UserName=bo&GroupName=g",
        done: "",
    },
    // New names.
    Case {
        files: &[("/seaweedfs/iam/inline/users/cy/Left.json", PUT)],
        calls: &[
            "CreateUser&UserName=bo",
            "CreateAccessKey&UserName=bo",
            "PutUserPolicy&UserName=bo&PolicyName=I&PolicyDocument=$GET",
            "CreateGroup&GroupName=g",
            "PutGroupPolicy&GroupName=g&PolicyName=G&PolicyDocument=$GET",
            "AddUserToGroup&UserName=bo&GroupName=g",
        ],
        command: "UpdateUser&UserName=bo&NewUserName=cy",
        done: "NoSuchEntity",
    },
    Case {
        files: &[],
        calls: &[
            "CreateUser&UserName=bo",
            "CreateGroup&GroupName=g",
            "PutGroupPolicy&GroupName=g&PolicyName=G&PolicyDocument=$GET",
            "AddUserToGroup&UserName=bo&GroupName=g",
        ],
        command: "UpdateGroup&GroupName=g&NewGroupName=h",
        done: "NoSuchEntity",
    },
];

const WEEDS: &str = r#"{"policies":{},"inlinePolicies":{"wu":{"I":{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}}}}"#;

impl Case {
    fn line(line: &str) -> String {
        line.replace("$GET", GET).replace("$PUT", PUT).replace("$TRUST", TRUST)
    }

    /// The world, with a gateway that writes through a filer that can fail.
    async fn prepare(&self) -> (World, Arc<FaultyFiler>, Arc<Gateway>) {
        let world = World::new();
        for (path, text) in self.files {
            world.put(path, text).await;
        }
        let faulty = Arc::new(FaultyFiler::new(world.filer.clone()));
        let store = FilerStore::new(faulty.clone(), Layout::new(&config(), "/buckets"));
        let gateway = Gateway::start_with(&world, store, false).await;
        for call in self.calls {
            gateway.ok("root", &Self::line(call)).await;
        }
        (world, faulty, gateway)
    }
}

/// All permissions: the holder, the source of the permission, and the text. Holders of a policy that cannot be read
/// have none.
fn rights(state: &Snapshot) -> BTreeSet<String> {
    let mut rights = BTreeSet::new();
    let users = state.users().map(|user| (Holder::User(user.name.clone()), &user.policies, &user.sources));
    let roles = state.roles().map(|role| (Holder::Role(role.name.clone()), &role.policies, &role.sources));
    for (holder, policies, sources) in users.chain(roles) {
        if policies.iter().any(|policy| policy.unreadable_reason().is_some()) {
            continue;
        }
        for source in sources.iter() {
            let inline =
                |holder: &Holder, name: &str| state.inline_policies(holder).get(name).map(|policy| policy.text.clone());
            let managed = |name: &str| state.policy(name).map(|policy| policy.text.clone());
            let text = match source {
                PolicySource::Legacy => None,
                PolicySource::Inline(name) => inline(&holder, name),
                PolicySource::GroupInline(group, name) => inline(&Holder::Group(group.clone()), name),
                PolicySource::Attached(name) | PolicySource::GroupAttached(_, name) => managed(name),
            };
            rights.insert(format!("{holder} {source} {}", text.unwrap_or_default()));
        }
    }
    rights
}

#[tokio::test]
async fn a_crash_between_two_writes_grants_nothing_and_the_command_can_be_repeated() {
    for case in CASES {
        let command = Case::line(case.command);
        let (_world, faulty, gateway) = case.prepare().await;
        let before = rights(&gateway.state());
        let calls = faulty.calls(Call::Transact);
        gateway.ok("root", &command).await;
        let writes = faulty.calls(Call::Transact) - calls;
        let after = rights(&gateway.state());
        assert!(writes > 0, "{command}");

        for done in 0..writes {
            let (world, faulty, gateway) = case.prepare().await;
            let crash = Fault::Fail(FilerError::Unavailable("the gateway is dead".into()));
            faulty.set(Call::Transact, Fault::After(done, Box::new(crash)));
            let what = format!("{command}, after {done} of {writes} writes");
            assert!(gateway.call("root", &command).await.is_err(), "{what}");

            let other = Gateway::start(&world, false).await;
            for right in rights(&other.state()) {
                assert!(before.contains(&right) || after.contains(&right), "{what}: {right} is new");
            }
            match other.call("root", &command).await {
                Ok(_) => {}
                Err(error) => assert_eq!(error.code, case.done, "{what}: {error}"),
            }
            assert_eq!(rights(&other.state()), after, "{what}");
            let third = Gateway::start(&world, false).await;
            assert_eq!(rights(&third.state()), after, "{what}, as read by a new gateway");
        }
    }
}
