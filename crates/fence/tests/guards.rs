//! Conditional writes wait until all gateways use the same guards.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};

use fence::{Beat, BootId, Fence, FilerName, Moment, Settings, Span};

const LEASE: Span = Span(1_000_000_000);
/// How long others wait for a lease to end, in milliseconds.
const OUTLIVED: u64 = 1_050;

/// The moment this many milliseconds after the beginning.
fn at(ms: u64) -> Moment {
    Moment(ms * 1_000_000)
}

fn gateway(name: &str, filers: &[&str], listed: &[Beat]) -> Fence {
    let settings = Settings { cluster: "c".to_owned(), gateway: name.to_owned(), lease: LEASE, about: BTreeMap::new() };
    let mut fence = Fence::new(BootId::from(name), settings);
    follow(&mut fence, names(filers), listed, at(1));
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

/// One gateway beats. The gateways at `heard_by` observe it on each filer that they follow, and read it from the store.
fn beat(gateways: &mut [Fence], of: usize, heard_by: &[usize], now: u64) {
    let beat = gateways[of].beat(at(now), "");
    for filer in &beat.filers {
        for place in heard_by {
            gateways[*place].observe(filer, &beat.through(filer), at(now));
        }
    }
    for place in heard_by {
        gateways[*place].read(std::slice::from_ref(&beat), at(now));
    }
}

fn all_beat(gateways: &mut [Fence], now: u64) {
    for of in 0..gateways.len() {
        beat(gateways, of, &[0, 1], now);
    }
}

fn agreed(gateways: &[Fence], now: u64) -> Vec<bool> {
    gateways.iter().map(|fence| fence.is_agreed(at(now))).collect()
}

/// Two gateways that have seen each other's beats.
fn two(filers: &[&str]) -> [Fence; 2] {
    let mut gateways = [gateway("a", filers, &[]), gateway("b", filers, &[])];
    all_beat(&mut gateways, 10);
    assert_eq!(agreed(&gateways, 10), [true, true]);
    gateways
}

#[test]
fn gateways_that_name_the_same_list_write_at_once() {
    let mut alone = gateway("a", &["f"], &[]);
    assert!(!alone.is_agreed(at(5)), "its own beat has not come back");
    beat(std::slice::from_mut(&mut alone), 0, &[0], 5);
    assert!(alone.is_agreed(at(5)));
    assert!(!alone.is_agreed(at(960)), "its lease has run out");
    // A killed gateway used the same filer, so there is nothing to wait for.
    let left = alone.beat(at(6), "");
    let mut next = gateway("b", &["f"], &[left]);
    beat(std::slice::from_mut(&mut next), 0, &[0], 10);
    assert!(next.is_agreed(at(10)));
}

/// Both gateways have written once with their list.
fn two_that_wrote(filers: &[&str]) -> [Fence; 2] {
    let mut gateways = two(filers);
    for fence in &mut gateways {
        fence.enter(at(10)).unwrap();
        fence.leave(at(10));
    }
    gateways
}

#[test]
fn a_filer_that_joins_guards_once_all_follow_it() {
    let mut gateways = two_that_wrote(&["f"]);
    follow(&mut gateways[0], names(&["f", "g"]), &[], at(20));
    all_beat(&mut gateways, 21);
    assert_eq!(agreed(&gateways, 21), [true, true], "both continue with what both follow");
    follow(&mut gateways[1], names(&["f", "g"]), &[], at(30));
    assert_eq!(agreed(&gateways, 30), [true, false]);
    beat(&mut gateways, 1, &[0, 1], 31);
    assert_eq!(agreed(&gateways, 31), [false, false], "the first has yet to announce the new list");
    beat(&mut gateways, 0, &[0, 1], 32);
    assert_eq!(agreed(&gateways, 32), [true, true]);
    let (filers, time) = gateways[0].enter(at(32)).unwrap();
    assert_eq!(filers, names(&["f", "g"]).into_iter().collect::<Vec<_>>());
    assert_eq!(time, gateways[0].lease_until().since(at(32)));
}

#[test]
fn a_filer_that_one_gateway_gives_up_guards_no_more() {
    let mut gateways = two_that_wrote(&["f", "g"]);
    follow(&mut gateways[0], names(&["f"]), &[], at(20));
    assert_eq!(agreed(&gateways, 20), [false, true]);
    beat(&mut gateways, 0, &[0, 1], 21);
    assert_eq!(agreed(&gateways, 21), [false, false], "the second has yet to announce the new list");
    beat(&mut gateways, 1, &[0, 1], 22);
    assert_eq!(agreed(&gateways, 22), [true, true], "although the second still follows both");
    assert_eq!(gateways[1].filers().count(), 2);
    assert_eq!(gateways[1].enter(at(22)).unwrap().0, names(&["f"]).into_iter().collect::<Vec<_>>());
}

#[test]
fn the_list_changes_when_nothing_is_under_way() {
    let mut gateways = two(&["f"]);
    gateways[0].enter(at(10)).unwrap();
    follow(&mut gateways[1], names(&["f", "g"]), &[], at(20));
    follow(&mut gateways[0], names(&["f", "g"]), &[], at(20));
    all_beat(&mut gateways, 21);
    assert_eq!(agreed(&gateways, 21), [false, false], "a still writes with the old list");
    assert!(gateways[0].leave(at(22)), "a beat should be written at once");
    beat(&mut gateways, 0, &[0, 1], 22);
    assert_eq!(agreed(&gateways, 22), [true, true]);
    // A gateway that closes says so only once its writes have ended.
    gateways[0].enter(at(22)).unwrap();
    gateways[0].close();
    assert!(!gateways[0].is_agreed(at(22)) && !gateways[0].beat(at(23), "").closed);
    gateways[0].leave(at(24));
    assert!(gateways[0].beat(at(24), "").closed);
}

#[test]
fn a_frozen_gateway_is_outlived_and_begins_again() {
    let mut gateways = two_that_wrote(&["f", "g"]);
    follow(&mut gateways[0], names(&["g"]), &[], at(20));
    for (now, want) in [(21, false), (10 + OUTLIVED - 1, false), (10 + OUTLIVED, true)] {
        beat(&mut gateways, 0, &[0], now);
        assert_eq!(gateways[0].is_agreed(at(now)), want, "{now}");
    }
    // It resumes. Its lease is over, and it has to announce the list that both follow.
    let now = 30 + OUTLIVED;
    assert!(!gateways[1].is_agreed(at(now)));
    beat(&mut gateways, 0, &[0, 1], now);
    assert!(!gateways[1].is_agreed(at(now)));
    beat(&mut gateways, 1, &[0, 1], now + 1);
    assert_eq!(agreed(&gateways, now + 1), [true, true]);
}

#[test]
fn two_that_start_with_different_lists_use_what_both_follow() {
    for b_hears_a in [true, false] {
        let mut gateways = [gateway("a", &["f"], &[]), gateway("b", &["f", "g"], &[])];
        // Their first beats arrive one after the other on the filer that both follow.
        beat(&mut gateways, 0, if b_hears_a { &[0, 1] } else { &[0] }, 10);
        let listed = gateways[0].beat(at(11), "");
        if !b_hears_a {
            gateways[1] = gateway("b", &["f", "g"], &[listed]);
        }
        beat(&mut gateways, 1, &[0, 1], 12);
        all_beat(&mut gateways, 13);
        assert_eq!(agreed(&gateways, 13), [true, true]);
        assert_eq!(gateways[1].guards().count(), 1);
    }
}

#[test]
fn of_two_that_share_no_filer_one_waits() {
    let mut gateways = [gateway("a", &["f"], &[]), gateway("b", &["g"], &[])];
    beat(&mut gateways, 0, &[0, 1], 10);
    for now in 11..40 {
        all_beat(&mut gateways, now);
        assert!(!gateways[1].is_agreed(at(now)), "it reads the other's list in the store");
    }
}

#[test]
fn once_a_gateway_closes_the_filers_that_it_missed_guard() {
    let mut gateways = two_that_wrote(&["f"]);
    follow(&mut gateways[0], names(&["f", "g"]), &[], at(20));
    for now in (100..5_000).step_by(100) {
        all_beat(&mut gateways, now);
        assert_eq!(agreed(&gateways, now), [true, true], "{now}");
    }
    gateways[1].close();
    beat(&mut gateways, 1, &[0], 5_000);
    beat(&mut gateways, 0, &[0], 5_001);
    assert!(gateways[0].is_agreed(at(5_001)));
    assert_eq!(gateways[0].guards().count(), 2);
}

#[test]
fn a_beat_without_guards_counts_as_naming_the_filers_it_follows() {
    let old = |filers: &[&str]| Beat { guards: BTreeSet::new(), ..gateway("b", filers, &[]).beat(at(0), "") };
    for (filers, want) in [(&["f"][..], true), (&["f", "g"], false)] {
        let mut fence = gateway("a", &["f"], &[old(filers)]);
        beat(std::slice::from_mut(&mut fence), 0, &[0], 10);
        assert_eq!(fence.is_agreed(at(10)), want, "{filers:?}");
    }
}
