//! Conditional writes wait until all gateways write by the same filers.

#![expect(clippy::indexing_slicing, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};

use fence::{Beat, BootId, Fence, FilerName, Moment, Settings, Span};

const LEASE: Span = Span(1_000_000_000);
/// The lease as others count it, in milliseconds.
const OUTLIVED: u64 = 1_050;

/// So many milliseconds after the beginning.
fn at(ms: u64) -> Moment {
    Moment(ms * 1_000_000)
}

fn gateway(name: &str, filers: &[&str], listed: &[Beat]) -> Fence {
    let settings = Settings { cluster: "c".to_owned(), gateway: name.to_owned(), lease: LEASE, about: BTreeMap::new() };
    let mut fence = Fence::new(BootId::from(name), settings);
    fence.follow(names(filers), listed, at(1));
    fence
}

fn names(filers: &[&str]) -> BTreeSet<FilerName> {
    filers.iter().map(|name| FilerName::from(*name)).collect()
}

/// One gateway beats, and those of the places hear it on each filer that they follow.
fn beat(gateways: &mut [Fence], of: usize, heard_by: &[usize], now: u64) {
    let beat = gateways[of].beat(at(now), "");
    for filer in &beat.filers {
        for place in heard_by {
            gateways[*place].observe(filer, &beat.through(filer), at(now));
        }
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

/// Two gateways on one filer that have heard each other.
fn two() -> [Fence; 2] {
    let mut gateways = [gateway("a", &["f"], &[]), gateway("b", &["f"], &[])];
    all_beat(&mut gateways, 10);
    assert_eq!(agreed(&gateways, 10), [true, true]);
    gateways
}

#[test]
fn gateways_that_name_one_list_write_at_once() {
    let mut alone = gateway("a", &["f"], &[]);
    assert!(!alone.is_agreed(at(5)), "its own beat has not come back");
    beat(std::slice::from_mut(&mut alone), 0, &[0], 5);
    assert!(alone.is_agreed(at(5)));
    assert!(!alone.is_agreed(at(960)), "its lease has run out");
    // A gateway that was killed used the same filer: nothing is waited for.
    let left = alone.beat(at(6), "");
    let mut next = gateway("b", &["f"], &[left]);
    beat(std::slice::from_mut(&mut next), 0, &[0], 10);
    assert!(next.is_agreed(at(10)));
}

#[test]
fn a_filer_joins_and_leaves() {
    for (before, after) in [(&["f"][..], &["f", "g"][..]), (&["f", "g"], &["f"])] {
        let mut gateways = [gateway("a", before, &[]), gateway("b", before, &[])];
        all_beat(&mut gateways, 10);
        for fence in &mut gateways {
            fence.enter(at(10)).unwrap();
            fence.leave();
        }
        // One notices: it waits, and the other goes on by the old list.
        gateways[0].follow(names(after), &[], at(20));
        assert_eq!(agreed(&gateways, 20), [false, true]);
        beat(&mut gateways, 0, &[0, 1], 21);
        assert_eq!(agreed(&gateways, 21), [false, true]);
        // The other one notices as well: both wait for its beat.
        gateways[1].follow(names(after), &[], at(30));
        assert_eq!(agreed(&gateways, 30), [false, false]);
        beat(&mut gateways, 1, &[0, 1], 31);
        assert_eq!(agreed(&gateways, 31), [true, true], "{before:?} {after:?}");
        let (filers, time) = gateways[0].enter(at(31)).unwrap();
        assert_eq!(filers, names(after).into_iter().collect::<Vec<_>>());
        assert_eq!(time, gateways[0].lease_until().since(at(31)));
    }
}

#[test]
fn the_list_changes_when_nothing_is_under_way() {
    let mut gateways = two();
    gateways[0].enter(at(10)).unwrap();
    gateways[1].follow(names(&["f", "g"]), &[], at(20));
    gateways[0].follow(names(&["f", "g"]), &[], at(20));
    all_beat(&mut gateways, 21);
    assert_eq!(agreed(&gateways, 21), [false, false], "a still writes by the old list");
    assert!(gateways[0].leave(), "a beat is wanted at once");
    beat(&mut gateways, 0, &[0, 1], 22);
    assert_eq!(agreed(&gateways, 22), [true, true]);
    // And one that ends says so only then.
    gateways[0].enter(at(22)).unwrap();
    gateways[0].close();
    assert!(!gateways[0].is_agreed(at(22)) && !gateways[0].beat(at(23), "").closed);
    gateways[0].leave();
    assert!(gateways[0].beat(at(24), "").closed);
}

#[test]
fn a_frozen_gateway_is_outlived_and_begins_again() {
    let mut gateways = two();
    gateways[1].enter(at(10)).unwrap();
    gateways[1].leave();
    gateways[0].follow(names(&["f", "g"]), &[], at(20));
    for (now, want) in [(21, false), (10 + OUTLIVED - 1, false), (10 + OUTLIVED, true)] {
        beat(&mut gateways, 0, &[0], now);
        assert_eq!(gateways[0].is_agreed(at(now)), want, "{now}");
    }
    // It goes on: its lease is over, and when it is renewed, by the old list still, that does not count.
    let now = 30 + OUTLIVED;
    assert!(!gateways[1].is_agreed(at(now)));
    beat(&mut gateways, 0, &[0, 1], now);
    beat(&mut gateways, 1, &[0, 1], now);
    beat(&mut gateways, 1, &[0, 1], now + 1);
    assert!(gateways[1].lease_until() > at(now));
    assert!(!agreed(&gateways, now + 1)[1]);
    gateways[1].follow(names(&["f", "g"]), &[], at(now + 2));
    beat(&mut gateways, 1, &[0, 1], now + 3);
    assert_eq!(agreed(&gateways, now + 3), [true, true]);
}

#[test]
fn of_two_that_start_with_different_lists_one_waits() {
    for b_hears_a in [true, false] {
        let mut gateways = [gateway("a", &["f"], &[]), gateway("b", &["f", "g"], &[])];
        // Their first beats come one after the other on the filer that both follow.
        beat(&mut gateways, 0, if b_hears_a { &[0, 1] } else { &[0] }, 10);
        let listed = gateways[0].beat(at(11), "");
        if !b_hears_a {
            gateways[1] = gateway("b", &["f", "g"], &[listed]);
        }
        beat(&mut gateways, 1, &[0, 1], 12);
        assert!(!gateways[1].is_agreed(at(12)), "b knows of a");
        for now in 13..40 {
            all_beat(&mut gateways, now);
            assert!(!gateways[1].is_agreed(at(now)), "a goes on by its list");
        }
    }
}

#[test]
fn a_gateway_that_cannot_see_the_new_filer_goes_on_alone() {
    let mut gateways = two();
    gateways[1].enter(at(10)).unwrap();
    gateways[1].leave();
    gateways[0].follow(names(&["f", "g"]), &[], at(20));
    for now in (100..5_000).step_by(100) {
        all_beat(&mut gateways, now);
        assert_eq!(agreed(&gateways, now), [false, true], "{now}");
    }
    // Once it ends, the other one waits for nobody.
    gateways[1].close();
    beat(&mut gateways, 1, &[0], 5_000);
    all_beat(&mut gateways, 5_001);
    assert!(gateways[0].is_agreed(at(5_001)));
}

#[test]
fn beats_of_versions_that_name_no_guards_count_by_what_they_follow() {
    let old = |filers: &[&str]| Beat { guards: BTreeSet::new(), ..gateway("b", filers, &[]).beat(at(0), "") };
    for (filers, want) in [(&["f"][..], true), (&["f", "g"], false)] {
        let mut fence = gateway("a", &["f"], &[old(filers)]);
        beat(std::slice::from_mut(&mut fence), 0, &[0], 10);
        assert_eq!(fence.is_agreed(at(10)), want, "{filers:?}");
    }
}
