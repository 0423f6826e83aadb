//! Every order of the steps of writes, deletions and gateways. Also checks that leaving out a rule is noticed.

use sim::buckets::{DELETED, GONE, KEPT, Races, Rules, WRITTEN};
use stateright::{Checker, HasDiscoveries, Model};

/// Races with two gateways.
fn races(writers: usize, deleters: usize, makers: u8, lapses: u8, rules: Rules) -> Races {
    Races { gateways: 2, writers, deleters, makers, lapses, rules }
}

#[test]
fn a_deletion_and_writes_in_every_order() {
    for (what, model) in [
        ("a write and a deletion, leases end", races(1, 1, 0, 2, Rules::ALL)),
        ("two writes and a deletion", races(2, 1, 0, 0, Rules::ALL)),
        ("a write and two deletions", races(1, 2, 0, 0, Rules::ALL)),
        ("the bucket is created again", races(2, 1, 1, 0, Rules::ALL)),
        ("two deletions, and it is created again", races(1, 2, 1, 0, Rules::ALL)),
    ] {
        let checked = model.checker().threads(2).spawn_bfs().join();
        println!("{what}: {} worlds, {} steps deep", checked.unique_state_count(), checked.max_depth());
        for promise in [KEPT, GONE] {
            let broken = checked.discovery(promise).map(|path| path.into_actions());
            assert_eq!(broken, None, "{what}: broken promise: {promise}");
        }
        for happens in [DELETED, WRITTEN] {
            assert!(checked.discovery(happens).is_some(), "{what}: never that {happens}");
        }
    }
}

#[test]
fn leaving_out_a_rule_of_deletions_is_noticed() {
    let without = |rule: fn(&mut Rules)| {
        let mut rules = Rules::ALL;
        rule(&mut rules);
        rules
    };
    for (what, model, promise) in [
        ("no wait", races(2, 1, 0, 0, without(|rules| rules.wait = false)), KEPT),
        ("no look after", races(1, 1, 0, 0, without(|rules| rules.look_after = false)), KEPT),
        ("no compare-and-swap", races(1, 1, 0, 0, without(|rules| rules.compare_and_swap = false)), KEPT),
        ("no ids", races(1, 1, 1, 0, without(|rules| rules.ids = false)), KEPT),
        ("volumes last", races(2, 1, 1, 0, without(|rules| rules.volumes_first = false)), KEPT),
        ("filers make buckets", races(2, 1, 0, 0, without(|rules| rules.bare_is_none = false)), GONE),
    ] {
        let checked = model.checker().threads(2).finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
        assert!(checked.discovery(promise).is_some(), "{what}: this promise still holds: {promise}");
    }
}
