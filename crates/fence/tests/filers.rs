//! Filers come and go, and gateways notice at different times.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};

use fence::{Beat, BootId, Fence, FilerName, Moment, Progress, Settings, Span};

const LEASE: Span = Span(1_000_000_000);

fn gateway(name: &str, filers: &[&str], listed: &[Beat]) -> Fence {
    let settings = Settings { cluster: "c".to_owned(), gateway: name.to_owned(), lease: LEASE, about: BTreeMap::new() };
    let mut fence = Fence::new(BootId::from(name), settings);
    follow(&mut fence, names(filers), listed, Moment(0));
    fence
}

/// Opens new streams, and lists everything in one step.
fn follow(fence: &mut Fence, filers: BTreeSet<FilerName>, listed: &[Beat], now: Moment) {
    let listing = fence.list();
    fence.follow(&listing, filers, listed, now);
}

fn names(filers: &[&str]) -> BTreeSet<FilerName> {
    filers.iter().map(|name| FilerName::from(*name)).collect()
}

/// The first gateway beats through all of its filers. Every gateway that follows them observes it, and every gateway
/// reads it from the store.
fn beat(of: &mut [Fence], now: Moment) -> Beat {
    let beat = of.first_mut().unwrap().beat(now, "");
    for filer in &beat.filers {
        of.iter_mut().for_each(|fence| {
            fence.observe(filer, &beat.through(filer), now);
        });
    }
    of.iter_mut().for_each(|fence| _ = fence.read(std::slice::from_ref(&beat), now));
    beat
}

/// Whether the second gateway may decide after a new beat, and whether it has to list first.
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

        follow(&mut gateways[1], names(second), &[], Moment(10));
        assert_eq!(second_is_current(&mut gateways), (true, false), "it has listed: {first:?} {second:?}");
        gateways[0].ask();
        beat(&mut gateways, Moment(20));
        assert_eq!(gateways[1].must_list(), !current, "a later change: {first:?} {second:?}");
    }
}

#[test]
fn a_change_that_streams_may_not_deliver_is_acknowledged_after_a_listing() {
    let both = ["f", "g"];
    type Change = fn(&mut Fence) -> u64;
    let table: [(&str, Change, bool); 4] = [
        ("delivered by a stream", |fence| fence.ask(), true),
        ("found by listing", |fence| fence.ask_listed(), false),
        (
            "a filer is given up while the change waits",
            |fence| {
                let number = fence.ask();
                follow(fence, names(&["f"]), &[], Moment(1));
                number
            },
            false,
        ),
        (
            "a filer is given up while no change waits",
            |fence| {
                follow(fence, names(&["f"]), &[], Moment(1));
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

        follow(&mut gateways[0], names(&both), &[], Moment(40));
        gateways.swap(0, 1);
        beat(&mut gateways, Moment(50));
        gateways.swap(0, 1);
        assert!(says(&beat(&mut gateways, Moment(60))), "{what}");
        assert_eq!(gateways[0].lease_until(), Moment(60) + LEASE.shortened(), "{what}");
        // By then the hold after giving up a filer is over.
        let later = Moment(1) + LEASE.lengthened();
        assert_eq!(gateways[1].progress(number, later), Progress::Enforced, "{what}");
    }
}

#[test]
fn an_older_beat_in_a_listing_shows_that_beats_were_missed() {
    let mut other = gateway("b", &["f"], &[]);
    let beats = [(); 3].map(|()| other.beat(Moment(0), "").through(&FilerName::from("f")));
    for (listed, until) in [(0, 100), (1, 1), (2, 100)] {
        let mut fence = gateway("a", &["f"], &[]);
        fence.observe(&FilerName::from("f"), &beats[1], Moment(1));
        follow(&mut fence, names(&["f"]), &beats[listed..=listed], Moment(100));
        let number = fence.ask();
        let own = fence.beat(Moment(100), "");
        fence.observe(&FilerName::from("f"), &own.through(&FilerName::from("f")), Moment(100));
        fence.read(&[own], Moment(100));
        let want = Progress::Waiting { until: Moment(until) + LEASE.lengthened(), behind: vec![BootId::from("b")] };
        assert_eq!(fence.progress(number, Moment(100)), want, "beat {listed} was listed");
    }
}

#[test]
fn gateways_that_share_no_filer_meet_in_the_store() {
    let mut gateways = [gateway("a", &["f"], &[]), gateway("b", &["g"], &[])];
    beat(&mut gateways, Moment(5));
    assert_eq!(second_is_current(&mut gateways), (true, false), "nothing has changed");
    let number = gateways[0].ask();
    let asks = beat(&mut gateways, Moment(20));
    let holder = vec![BootId::from("b")];
    let want = Progress::Waiting { until: Moment(10) + LEASE.lengthened(), behind: holder };
    assert_eq!(gateways[0].progress(number, Moment(20)), want, "the other one may still decide by the state before");
    assert_eq!(second_is_current(&mut gateways), (true, true), "its lease runs, but is not renewed");
    assert_eq!(gateways[1].lease_until(), Moment(10) + LEASE.shortened());

    follow(&mut gateways[1], names(&["g"]), &[asks], Moment(30));
    gateways.swap(0, 1);
    beat(&mut gateways, Moment(40));
    gateways.swap(0, 1);
    assert_eq!(gateways[0].progress(number, Moment(40)), Progress::Enforced, "it has listed");
    assert_eq!(gateways[1].lease_until(), Moment(40) + LEASE.shortened());
}

#[test]
fn what_is_read_from_the_store_during_a_listing_is_not_in_it() {
    let mut gateways = [gateway("a", &["f"], &[]), gateway("b", &["g"], &[])];
    beat(&mut gateways, Moment(5));
    assert_eq!(second_is_current(&mut gateways), (true, false));
    let listing = gateways[1].list();
    // The first one changes something that the listing may have missed, and the second one reads that it asks.
    let number = gateways[0].ask();
    beat(&mut gateways, Moment(20));
    gateways[1].follow(&listing, names(&["g"]), &[], Moment(30));
    gateways.swap(0, 1);
    beat(&mut gateways, Moment(40));
    gateways.swap(0, 1);
    assert_ne!(gateways[0].progress(number, Moment(40)), Progress::Enforced, "the second one may not have the change");
    beat(&mut gateways, Moment(50));
    assert!(gateways[1].must_list(), "and it lists again");
}

#[test]
fn a_filer_is_silent_when_another_one_gave_half_a_lease_more() {
    for (filers, beats_at, silent) in [(&["f", "g"][..], 400, &[][..]), (&["f", "g"], 500, &["g"]), (&["f"], 900, &[])]
    {
        let mut fence = gateway("a", filers, &[]);
        let beat = fence.beat(Moment(beats_at * 1_000_000), "");
        fence.observe(&FilerName::from("f"), &beat.through(&FilerName::from("f")), Moment(beats_at * 1_000_000));
        let want: Vec<FilerName> = silent.iter().map(|name| FilerName::from(*name)).collect();
        assert_eq!(fence.silent(), want, "{filers:?}, a beat at {beats_at} ms");
    }
}

#[test]
fn a_gateway_that_is_gone_is_waited_for_once() {
    let (f, g) = (FilerName::from("f"), FilerName::from("g"));
    let mut gone = gateway("b", &["f", "g"], &[]);
    let beats = [(); 2].map(|()| gone.beat(Moment(0), ""));
    let mut fence = gateway("a", &["f"], &[]);
    fence.observe(&f, &beats[0].through(&f), Moment(1));
    fence.read(&beats, Moment(3));
    let known = |fence: &Fence| fence.gateways(Moment(100), "")[1].seen_ago;
    assert_eq!(known(&fence), Some(Span(97)));
    // Neither a filer that joins, nor a listing, nor another reading is a sign of life.
    follow(&mut fence, [f.clone(), g].into(), &beats[1..], Moment(50));
    fence.read(&beats, Moment(60));
    assert_eq!(known(&fence), Some(Span(97)));
    // A later beat is, wherever it is found.
    fence.read(&[gone.beat(Moment(0), "").through(&f)], Moment(70));
    assert_eq!(known(&fence), Some(Span(30)));
}

#[test]
fn of_a_gateway_that_is_forgotten_only_what_is_known_may_be_removed() {
    let mut gone = gateway("b", &["f"], &[]);
    let beats = [(); 3].map(|()| gone.beat(Moment(0), ""));
    let mut fence = gateway("a", &["f"], &[]);
    fence.read(&beats[..2], Moment(1));
    let over = Moment(1) + LEASE.lengthened();
    assert!(fence.forget(Span(10), over + Span(9)).is_empty(), "its lease is not over for long");
    assert_eq!(fence.forget(Span(10), over + Span(10)), [(BootId::from("b"), beats[1].number)].into());
}
