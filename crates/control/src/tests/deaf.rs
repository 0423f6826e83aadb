//! Another gateway renews its lease but does not receive changes: revocations are answered once it does.

use std::time::{Duration, Instant};

use ::fence::{Beat, BootId, FilerName, Moment};
use filer::{Entry, ListOptions};

use super::*;
use crate::fence::{FenceConfig, GATEWAYS};

const POLICY: &str = "PolicyArn=arn:aws:iam::000000000000:policy/P";

async fn fenced(world: &World) -> Arc<Gateway> {
    let began = Instant::now();
    let config = FenceConfig {
        cluster: "c".into(),
        gateway: "one:8333".into(),
        boot_id: "one".into(),
        lease: Duration::from_millis(400),
        renewal: Duration::from_millis(50),
        serves_expired: false,
        about: Default::default(),
        clock: Arc::new(move || Moment(u64::try_from(began.elapsed().as_nanos()).unwrap())),
    };
    let follower = world.follow_as(FILE, |follower| follower.fenced(config)).await;
    Gateway::following(world, world.store(), false, follower)
}

/// Writes beats of a gateway that follows another filer and acknowledges nothing, until the task ends.
async fn deaf(world: &World) -> tokio::task::JoinHandle<()> {
    let filer = world.filer.clone();
    let own = loop {
        match filer.list(GATEWAYS, ListOptions { limit: 1, ..ListOptions::default() }).await.unwrap().first() {
            Some(entry) => break Beat::parse(&entry.content).unwrap(),
            None => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    };
    let via = own.filers.first().unwrap().clone();
    tokio::spawn(async move {
        for number in 1.. {
            let (boot_id, gateway) = (BootId("deaf".into()), "deaf:8333".to_owned());
            let filers = BTreeSet::from([FilerName::from("elsewhere:8888")]);
            let (asks, applied) = (0, Default::default());
            let beat = Beat { boot_id, gateway, number, filers, asks, applied, ..own.clone() }.through(&via);
            let entry = Entry { name: "deaf".into(), content: beat.to_json(), ..Entry::default() };
            filer.put_through(&via.0, GATEWAYS, entry).await.unwrap();
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
}

#[tokio::test]
async fn a_repeated_revocation_waits_again() {
    let world = World::new();
    let gateway = fenced(&world).await;
    for line in ["CreateUser&UserName=bo", &format!("CreatePolicy&PolicyName=P&PolicyDocument={GET}")] {
        gateway.ok("root", line).await;
    }
    let attach = format!("AttachUserPolicy&UserName=bo&{POLICY}");
    let detach = format!("DetachUserPolicy&UserName=bo&{POLICY}");
    let hearing = deaf(&world).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    // The second call of each finds nothing to do, and does not know either whether the change is in force.
    for line in [&attach, &attach, &detach, &detach] {
        let error = gateway.call("root", line).await.expect_err(line);
        assert_eq!((&*error.code, error.status), ("ChangeNotYetEnforced", 409), "{line}");
        assert!(error.message.contains("deaf:8333"), "{error}");
    }
    hearing.abort();
    tokio::time::sleep(Duration::from_millis(500)).await;
    gateway.ok("root", &detach).await;
    // Once it is answered, later calls start afresh.
    assert_eq!(gateway.code("root", &detach).await, "NoSuchEntity");
    gateway.ok("root", &attach).await;
    gateway.ok("root", &detach).await;
    assert_eq!(gateway.code("root", &detach).await, "NoSuchEntity");
}
