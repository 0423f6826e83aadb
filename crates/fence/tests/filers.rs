//! Filers come and go, and gateways notice at different times.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};

use fence::{Beat, BootId, Fence, FilerName, Moment, Progress, Settings, Span};

const LEASE: Span = Span(1_000_000_000);

fn gateway(name: &str, filers: &[&str], listed: &[Beat]) -> Fence {
    let settings = Settings { cluster: "c".to_owned(), gateway: name.to_owned(), lease: LEASE, about: BTreeMap::new() };
    let mut fence = Fence::new(BootId::from(name), settings);
    fence.follow(names(filers), listed, Moment(0));
    fence
}

fn names(filers: &[&str]) -> BTreeSet<FilerName> {
    filers.iter().map(|name| FilerName::from(*name)).collect()
}

/// A beat of the first gateway, through all of its filers, as everybody who follows them hears it.
fn beat(of: &mut [Fence], now: Moment) -> Beat {
    let beat = of.first_mut().unwrap().beat(now, "");
    for filer in &beat.filers {
        of.iter_mut().for_each(|fence| {
            fence.observe(filer, &beat.through(filer), now);
        });
    }
    beat
}

/// Whether the second gateway may decide by a beat of now, and whether it has to list first.
fn second_is_current(gateways: &mut [Fence]) -> (bool, bool) {
    gateways.swap(0, 1);
    beat(gateways, Moment(10));
    gateways.swap(0, 1);
    let [_, second] = gateways else { unreachable!() };
    (second.lease_until() > Moment(10), second.must_list())
}

#[test]
fn a_gateway_without_a_filer_of_the_changer_lists_before_it_decides() {
    for (first, second, current) in [
        (&["f", "g"][..], &["f", "g"][..], true),
        (&["f"], &["f", "g"], true),
        // The change may have gone through `g`.
        (&["f", "g"], &["f"], false),
    ] {
        let mut gateways = [gateway("a", first, &[]), gateway("b", second, &[])];
        assert!(second_is_current(&mut gateways).0, "nobody has changed anything: {first:?} {second:?}");
        let mut gateways = [gateway("a", first, &[]), gateway("b", second, &[])];
        let number = gateways[0].ask();
        beat(&mut gateways, Moment(5));
        assert_eq!(gateways[0].progress(number, Moment(5)), Progress::Enforced, "b has no lease");
        assert_eq!(second_is_current(&mut gateways), (current, !current), "{first:?} {second:?}");

        gateways[1].follow(names(second), &[], Moment(10));
        assert_eq!(second_is_current(&mut gateways), (true, false), "it has listed: {first:?} {second:?}");
        gateways[0].ask();
        beat(&mut gateways, Moment(20));
        assert_eq!(gateways[1].must_list(), !current, "a later change: {first:?} {second:?}");
    }
}

#[test]
fn what_no_stream_tells_is_acknowledged_after_a_listing() {
    let both = ["f", "g"];
    type Change = fn(&mut Fence) -> u64;
    let table: [(&str, Change, bool); 4] = [
        ("heard on a stream", |fence| fence.ask(), true),
        ("found by listing", |fence| fence.ask_listed(), false),
        (
            "a filer is given up while the change waits",
            |fence| {
                let number = fence.ask();
                fence.follow(names(&["f"]), &[], Moment(1));
                number
            },
            false,
        ),
        (
            "a filer is given up, nothing waits",
            |fence| {
                fence.follow(names(&["f"]), &[], Moment(1));
                fence.ask()
            },
            true,
        ),
    ];
    for (what, change, acknowledged) in table {
        let mut gateways = [gateway("a", &both, &[]), gateway("b", &both, &[])];
        // Both are current.
        beat(&mut gateways, Moment(0));
        assert_eq!(second_is_current(&mut gateways), (true, false));
        let number = change(&mut gateways[0]);
        beat(&mut gateways, Moment(20));
        assert_eq!(gateways[1].must_list(), !acknowledged, "{what}");
        gateways.swap(0, 1);
        let says = |beat: &Beat| beat.applied.values().any(|by_filer| by_filer.values().any(|number| *number > 1));
        assert_eq!(says(&beat(&mut gateways, Moment(30))), acknowledged, "{what}");
        assert_eq!(gateways[0].lease_until() == Moment(30) + LEASE.shortened(), acknowledged, "{what}");

        gateways[0].follow(names(&both), &[], Moment(40));
        gateways.swap(0, 1);
        beat(&mut gateways, Moment(50));
        gateways.swap(0, 1);
        assert!(says(&beat(&mut gateways, Moment(60))), "{what}");
        assert_eq!(gateways[0].lease_until(), Moment(60) + LEASE.shortened(), "{what}");
        // The hold after a filer was given up is over then.
        let later = Moment(1) + LEASE.lengthened();
        assert_eq!(gateways[1].progress(number, later), Progress::Enforced, "{what}");
    }
}

#[test]
fn an_older_beat_in_a_listing_tells_that_beats_were_missed() {
    let mut other = gateway("b", &["f"], &[]);
    let beats = [(); 3].map(|()| other.beat(Moment(0), "").through(&FilerName::from("f")));
    for (listed, until) in [(0, 100), (1, 1), (2, 100)] {
        let mut fence = gateway("a", &["f"], &[]);
        fence.observe(&FilerName::from("f"), &beats[1], Moment(1));
        fence.follow(names(&["f"]), &beats[listed..=listed], Moment(100));
        let number = fence.ask();
        let own = fence.beat(Moment(100), "");
        fence.observe(&FilerName::from("f"), &own.through(&FilerName::from("f")), Moment(100));
        let want = Progress::Waiting { until: Moment(until) + LEASE.lengthened(), behind: vec![BootId::from("b")] };
        assert_eq!(fence.progress(number, Moment(100)), want, "beat {listed} was listed");
    }
}
