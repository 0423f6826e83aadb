//! Inline policies in SeaweedFS's document, written by several gateways.

use std::time::Duration;

use filer::fault::{Call, Fault, FaultyFiler};
use filer::{Entry, FilerError};
use iam_formats::{identities, weed_policies};
use store::Layout;

use super::*;
use crate::feed::tests::{Severable, config};
use crate::mirror::Mirror;

const DENY: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":["s3:*"],"Resource":["*"]}]}"#;
const WEEDS: &str = r#"{"policies":{"P":{"Version":"2012-10-17","Statement":[]}},"inlinePolicies":{"wu":{"W":{"Version":"2012-10-17","Statement":[]}}}}"#;
const PATH: &str = "/etc/iam/policies.json";
const SOON: Duration = Duration::from_secs(10);

async fn entry(world: &World, path: &str) -> Option<Entry> {
    world.filer.lookup(path).await.unwrap()
}

/// The content of SeaweedFS's document: its own policies as `holder/name`, mirrored ones with a `+`, and the text of
/// the latter.
async fn stored(world: &World) -> Vec<String> {
    let Some(entry) = entry(world, PATH).await else { return Vec::new() };
    let text = std::str::from_utf8(&entry.content).unwrap();
    let record = entry.extended_text(weed_policies::RECORD).unwrap_or_default();
    let document = weed_policies::parse(text, Some(record)).unwrap();
    let names = |policies: &std::collections::BTreeMap<_, std::collections::BTreeMap<Arc<str>, Arc<str>>>, mark| {
        let all =
            policies.iter().flat_map(|(holder, texts): (&iam::Holder, _)| texts.keys().map(move |name| (holder, name)));
        all.map(|(holder, name)| format!("{mark}{}/{name}", holder.name())).collect::<Vec<_>>()
    };
    assert!(document.managed.len() <= 1);
    [names(&document.inline, ""), names(&document.mirrored, "+")].concat()
}

fn mirror(world: &World, gateway: &Gateway, adds: bool) -> Arc<Mirror> {
    Arc::new(Mirror::new(gateway.follower.clone(), world.store(), adds))
}

/// A mirror that writes through a filer that can fail.
fn faulty_mirror(world: &World, gateway: &Gateway) -> (Arc<FaultyFiler>, Mirror) {
    let filer = Arc::new(FaultyFiler::new(world.filer.clone()));
    let store = FilerStore::new(filer.clone(), Layout::new(&config(), "/buckets"));
    (filer, Mirror::new(gateway.follower.clone(), store, true))
}

#[tokio::test]
async fn many_changes_make_one_write_and_seaweedfs_entries_stay() {
    let world = World::new();
    world.put("/etc/iam/identities/wu.json", r#"{"name":"wu"}"#).await;
    world.put(PATH, WEEDS).await;
    let gateway = Gateway::start(&world, false).await;
    let (filer, mirror) = faulty_mirror(&world, &gateway);
    mirror.reconcile().await.unwrap();
    assert_eq!(filer.calls(Call::Transact), 0, "there is nothing to mirror");

    gateway.ok("root", "CreateUser&UserName=bo").await;
    gateway.ok("root", "CreateGroup&GroupName=g").await;
    for name in ["I", "J", "K"] {
        gateway.ok("root", &format!("PutUserPolicy&UserName=bo&PolicyName={name}&PolicyDocument={GET}")).await;
    }
    gateway.ok("root", &format!("PutGroupPolicy&GroupName=g&PolicyName=G&PolicyDocument={DENY}")).await;
    let touched = entry(&world, "/etc/iam/identities/bo.json").await.unwrap().attributes().md5.clone();
    mirror.reconcile().await.unwrap();
    assert_eq!(stored(&world).await, ["wu/W", "+bo/I", "+bo/J", "+bo/K", "+g/G"]);
    // One for the document, and one that makes SeaweedFS read it.
    assert_eq!(filer.calls(Call::Transact), 2);
    assert_ne!(entry(&world, "/etc/iam/identities/bo.json").await.unwrap().attributes().md5, touched);
    mirror.reconcile().await.unwrap();
    assert_eq!(filer.calls(Call::Transact), 2, "an unchanged document is not written again");

    // None of it counts as SeaweedFS's own policy: one delete is enough, and no policy is counted twice.
    let settled = |state: &Snapshot| state.unmirrored(true).is_empty();
    assert!(gateway.follower.wait_until(settled, SOON).await);
    assert_eq!(gateway.state().weed_policies().inline.len(), 1);
    gateway.ok("root", "DeleteUserPolicy&UserName=bo&PolicyName=I").await;
    gateway.ok("root", "DeleteGroupPolicy&GroupName=g&PolicyName=G").await;
    // A command that removes a policy of SeaweedFS leaves ours in its document.
    gateway.ok("root", "DeleteUserPolicy&UserName=wu&PolicyName=W").await;
    assert_eq!(stored(&world).await, ["+bo/I", "+bo/J", "+bo/K", "+g/G"]);
    mirror.reconcile().await.unwrap();
    assert_eq!(stored(&world).await, ["+bo/J", "+bo/K"]);
    for name in ["J", "K"] {
        gateway.ok("root", &format!("DeleteUserPolicy&UserName=bo&PolicyName={name}")).await;
    }
    gateway.ok("root", "DeleteUser&UserName=bo").await;
    mirror.reconcile().await.unwrap();
    assert_eq!(stored(&world).await, [""; 0]);
    assert!(!entry(&world, PATH).await.unwrap().extended.contains_key(weed_policies::RECORD));
}

#[tokio::test]
async fn two_gateways_at_once_lose_nothing() {
    let world = World::new();
    let (one, two) = (Gateway::start(&world, false).await, Gateway::start(&world, false).await);
    for user in 0..4 {
        one.ok("root", &format!("CreateUser&UserName=u{user}")).await;
    }
    assert!(two.follower.wait_until(|state| state.user("u3").is_some(), SOON).await);
    let mut tasks = Vec::new();
    for gateway in [&one, &two] {
        let mirror = mirror(&world, gateway, true);
        tasks.push(tokio::spawn(async move {
            loop {
                let _ = mirror.reconcile().await;
                tokio::time::sleep(Duration::from_millis(30)).await;
            }
        }));
    }
    let mut writers = Vec::new();
    for (number, gateway) in [one.clone(), two.clone()].into_iter().enumerate() {
        writers.push(tokio::spawn(async move {
            for round in 0..3 {
                for user in 0..4 {
                    let policy = format!("UserName=u{user}&PolicyName=I{number}");
                    gateway.ok("root", &format!("PutUserPolicy&{policy}&PolicyDocument={GET}")).await;
                    if round < 2 || user == 3 {
                        gateway.ok("root", &format!("DeleteUserPolicy&{policy}")).await;
                    }
                }
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }));
    }
    for writer in writers {
        writer.await.unwrap();
    }
    let want = ["+u0/I0", "+u0/I1", "+u1/I0", "+u1/I1", "+u2/I0", "+u2/I1"];
    let settled = async {
        while stored(&world).await != want {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(SOON, settled).await.expect("a policy is lost, or a deleted one stays");
    tasks.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn the_next_gateway_that_checks_corrects_what_a_crash_left() {
    let world = World::new();
    let (one, two) = (Gateway::start(&world, false).await, Gateway::start(&world, false).await);
    one.ok("root", "CreateUser&UserName=bo").await;
    one.ok("root", &format!("PutUserPolicy&UserName=bo&PolicyName=D&PolicyDocument={DENY}")).await;
    let (filer, failing) = faulty_mirror(&world, &one);
    let dead = || Fault::Fail(FilerError::Unavailable("the filer is unreachable".into()));
    filer.set(Call::Transact, dead());
    assert!(failing.reconcile().await.is_err());
    assert_eq!(stored(&world).await, [""; 0]);

    // It is written, but SeaweedFS was not made to read it: that happens the next time.
    filer.set(Call::Transact, Fault::After(1, Box::new(dead())));
    assert!(failing.reconcile().await.is_err());
    assert_eq!(stored(&world).await, ["+bo/D"]);
    filer.clear();
    let calls = filer.calls(Call::Transact);
    failing.reconcile().await.unwrap();
    assert_eq!(filer.calls(Call::Transact) - calls, 1);

    // A gateway dies between its call and the mirror. The other one knows what to do.
    one.ok("root", "DeleteUserPolicy&UserName=bo&PolicyName=D").await;
    let due = |state: &Snapshot| !state.unmirrored(false).is_empty();
    assert!(two.follower.wait_until(due, SOON).await);
    mirror(&world, &two, false).reconcile().await.unwrap();
    assert_eq!(stored(&world).await, [""; 0], "even without the setting");
}

#[tokio::test]
async fn a_gateway_that_lags_behind_brings_nothing_back() {
    let world = World::new();
    let gateway = Gateway::start(&world, false).await;
    gateway.ok("root", "CreateUser&UserName=bo").await;
    for (name, text) in [("A", GET), ("D", GET)] {
        gateway.ok("root", &format!("PutUserPolicy&UserName=bo&PolicyName={name}&PolicyDocument={text}")).await;
    }
    // Another gateway that should mirror both, and that receives nothing of what follows.
    let severed = Severable::new(world.filer.clone());
    let identities = identities::parse(FILE, &|_| None).unwrap();
    let late = Arc::new(Follower::new(severed.clone(), world.store(), &config(), &identities));
    let running = late.clone();
    tokio::spawn(async move { running.run().await });
    late.loaded().await;
    severed.sever(true);
    tokio::time::sleep(Duration::from_millis(50)).await;
    gateway.ok("root", "DeleteUserPolicy&UserName=bo&PolicyName=A").await;
    gateway.ok("root", &format!("PutUserPolicy&UserName=bo&PolicyName=D&PolicyDocument={DENY}")).await;
    gateway.ok("root", &format!("PutUserPolicy&UserName=bo&PolicyName=E&PolicyDocument={GET}")).await;
    mirror(&world, &gateway, true).reconcile().await.unwrap();
    let written = entry(&world, PATH).await.unwrap().content;
    assert_eq!(late.current().unwrap().unmirrored(true).len(), 2);
    Mirror::new(late, world.store(), true).reconcile().await.unwrap();
    assert_eq!(stored(&world).await, ["+bo/D", "+bo/E"]);
    assert_eq!(entry(&world, PATH).await.unwrap().content, written);
}
