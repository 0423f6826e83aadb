//! Every world within small bounds, and long random walks within larger ones. Also checks that both find what breaks
//! when a rule of the protocol is left out.
//!
//! `KELPGATE_SIM_SEEDS` is the number of seeds to walk with each kind of trouble (default 200), `KELPGATE_SIM_SEED` the
//! seed to walk again. `KELPGATE_SIM_BEATS` is how many beats each gateway writes within the small bounds (default 1; 2
//! takes many times as long).

use sim::model::{ANSWERED, Action, Bounds, Checked, FRESH, KEPT, LEASE, Rules, World};
use sim::walk::{Found, Tally, walk};
use stateright::{Checker, HasDiscoveries, Model};

const WITHOUT_FENCE: Rules = Rules { fence: false, ..Rules::ALL };
const WITHOUT_RELIST: Rules = Rules { relist: false, ..Rules::ALL };
const WITHOUT_COMPARE_AND_SWAP: Rules = Rules { compare_and_swap: false, ..Rules::ALL };
const WITHOUT_MARGINS: Rules = Rules { margins: false, ..Rules::ALL };
const WITHOUT_QUEUE: Rules = Rules { queue: false, ..Rules::ALL };
const WITHOUT_STORE: Rules = Rules { store: false, ..Rules::ALL };
const WITHOUT_KNOWN: Rules = Rules { known: false, ..Rules::ALL };
const WITHOUT_GUARDS: Rules = Rules { guards: false, ..Rules::ALL };

/// A changer with a fast clock, another gateway with a slow one, and a lease that runs out.
fn clocks() -> Bounds {
    Bounds { clock_rates: vec![105, 95], beats: 1, ticks: vec![LEASE], time: LEASE, ..Bounds::small() }
}

fn two_writers() -> Bounds {
    Bounds { changes: 2, changers: 2, coarse: false, coarse_changes: false, beats: 1, time: 0, ..Bounds::small() }
}

/// Two writers of a document while a filer is added that then guards the document.
fn another_guard() -> Bounds {
    Bounds { filers: 2, coarse: true, beats: 0, ..two_writers() }
}

#[test]
fn every_world_within_small_bounds_keeps_the_promises() {
    let at_once = Bounds { beats: 1, time: 0, ..Bounds::small() };
    let table = [
        ("a lease runs out", clocks()),
        ("two write one document", two_writers()),
        ("a gateway stops for a while", Bounds { pauses: 1, ..clocks() }),
        ("a gateway is killed", Bounds { crashes: 1, ..clocks() }),
        ("a gateway ends", Bounds { closings: 1, ..at_once.clone() }),
        ("a stream ends", Bounds { breaks: 1, ..at_once.clone() }),
        ("a filer is killed", Bounds { kills: 1, ..at_once.clone() }),
        ("each reaches another filer", apart()),
        ("two filers", Bounds { filers: 2, running: 2, ..at_once.clone() }),
        ("a filer is added", Bounds { filers: 2, ..at_once.clone() }),
        ("a gateway is added", Bounds { started: 1, ..at_once }),
    ];
    for (what, bounds) in table {
        let beats = number("KELPGATE_SIM_BEATS").unwrap_or(bounds.beats);
        let model = Checked { bounds: Bounds { beats, ..bounds }, rules: Rules::ALL };
        let checked = model.checker().threads(2).spawn_bfs().join();
        println!("{what}: {} worlds, {} steps deep", checked.unique_state_count(), checked.max_depth());
        for promise in [FRESH, KEPT] {
            let broken = checked.discovery(promise).map(|path| path.into_actions());
            assert_eq!(broken, None, "{what}: broken promise: {promise}");
        }
        assert!(checked.discovery(ANSWERED).is_some(), "{what}: nothing was ever answered");
    }
}

#[test]
fn two_writers_never_have_two_guards() {
    // Changes are answered as soon as they are stored, so no beats are needed, and there are few worlds in which the
    // two writes meet.
    for guards in [true, false] {
        let rules = Rules { fence: false, guards, ..Rules::ALL };
        let model = Checked { bounds: another_guard(), rules };
        let checked = model.checker().threads(2).spawn_bfs().join();
        println!("two write while a filer is added: {} worlds, guards: {guards}", checked.unique_state_count());
        assert_eq!(
            checked.discovery(KEPT).is_none(),
            guards,
            "one of two writes is lost, or not, with guards: {guards}"
        );
    }
}

#[test]
fn small_bounds_find_what_a_missing_rule_breaks() {
    for (rules, bounds, promise) in [
        (WITHOUT_FENCE, clocks(), FRESH),
        (WITHOUT_MARGINS, clocks(), FRESH),
        (WITHOUT_QUEUE, clocks(), FRESH),
        (WITHOUT_STORE, apart(), FRESH),
        (WITHOUT_COMPARE_AND_SWAP, two_writers(), KEPT),
    ] {
        let model = Checked { bounds, rules };
        let checked = model.checker().threads(2).finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
        assert!(checked.discovery(promise).is_some(), "without a rule this promise still holds: {promise}: {rules:?}");
    }
}

#[test]
fn a_gateway_that_goes_on_is_not_forgotten() {
    // Two that reach different filers meet in the store alone. One stops for long. The other one begins to remove its
    // document, but not before it has gone on and read the store.
    let stopped = [Action::Pause { gateway: 1 }];
    let forgotten = [Action::Tick { units: 3 * LEASE }];
    let renewed = |gateway| {
        [
            Action::Beat { gateway },
            Action::Land { gateway, filer: gateway },
            Action::Deliver { gateway, filer: gateway },
            Action::ReadStore { gateway },
            Action::TakeRead { gateway },
        ]
    };
    let removed = Action::Land { gateway: 0, filer: 0 };
    let changed = [
        Action::Read { gateway: 0, document: 0 },
        Action::Commit { gateway: 0, filer: 0 },
        Action::Deliver { gateway: 0, filer: 0 },
    ];
    let tidied = [Action::Tidy { gateway: 0 }, Action::Resume { gateway: 1 }];
    let steps: Vec<Action> =
        [&stopped[..], &renewed(0), &forgotten, &renewed(0), &tidied, &renewed(1), &[removed], &changed, &renewed(0)]
            .concat();
    for rules in [Rules::ALL, WITHOUT_KNOWN] {
        let bounds = Bounds { tidies: 1, pauses: 1, beats: 9, ticks: vec![3 * LEASE], time: 3 * LEASE, ..apart() };
        let model = Checked { bounds, rules };
        let mut world = World::new(&model);
        for (place, step) in steps.iter().enumerate() {
            let mut possible = Vec::new();
            world.actions(&model, &mut possible);
            assert!(possible.contains(step), "step {place}, {step:?}, is not one of {possible:?}");
            world.step(&model, *step);
        }
        assert_eq!(world.answered == 0, rules.known, "the change waits for the other gateway: {rules:?}");
        assert_eq!(world.stale(&model).is_none(), rules.known, "{rules:?}");
    }
}

/// Everything that can go wrong, again and again.
fn troubles() -> Bounds {
    Bounds {
        clock_rates: vec![100, 95, 105],
        filers: 2,
        running: 2,
        documents: 2,
        changes: 6,
        beats: u64::MAX,
        ticks: vec![1, LEASE / 4, LEASE / 2, LEASE],
        time: 1_000_000,
        kills: 3,
        breaks: 3,
        crashes: 2,
        closings: 1,
        pauses: 3,
        cuts: 2,
        freezes: 1,
        zombies: 0,
        tidies: 4,
        started: 3,
        changers: 3,
        apart: false,
        coarse: false,
        coarse_reads: false,
        coarse_changes: false,
        settled: false,
    }
}

/// Three writers of one document.
fn rivals() -> Bounds {
    Bounds { documents: 1, changes: 12, running: 1, closings: 0, ..troubles() }
}

/// Each gateway can reach a filer of its own, and no other.
fn apart() -> Bounds {
    Bounds { filers: 2, running: 2, apart: true, coarse_reads: false, beats: 2, time: 0, ..Bounds::small() }
}

/// Two gateways that follow different filers for a while, and list everything several times because streams end.
fn listings() -> Bounds {
    let quiet = Bounds { kills: 0, crashes: 0, closings: 0, pauses: 0, freezes: 0, ..troubles() };
    Bounds { started: 2, clock_rates: vec![95, 105], documents: 1, changes: 12, breaks: 10, cuts: 4, ..quiet }
}

/// Gateways that reach different filers, stop for so long that they are forgotten, and go on.
fn forgotten() -> Bounds {
    let quiet = Bounds { kills: 0, crashes: 1, closings: 0, breaks: 0, freezes: 0, ..troubles() };
    Bounds { apart: true, tidies: 20, pauses: 12, documents: 1, changes: 12, ..quiet }
}

/// The kinds of trouble for walks.
fn kinds() -> [(&'static str, Bounds); 9] {
    [
        ("gateways are forgotten", forgotten()),
        ("gateways list several times", listings()),
        ("each reaches another filer", Bounds { apart: true, cuts: 6, freezes: 0, ..troubles() }),
        ("three gateways, two filers", troubles()),
        ("two gateways, two filers", Bounds { clock_rates: vec![95, 105], started: 2, ..troubles() }),
        ("a filer and a gateway are added", Bounds { running: 1, started: 2, ..troubles() }),
        ("three filers", Bounds { filers: 3, running: 3, ..troubles() }),
        ("one document, and filers come and go", rivals()),
        ("writes are overtaken", Bounds { zombies: 3, ..troubles() }),
    ]
}

const LENGTH: usize = 600;
/// One in this many worlds is settled, to see that changes are answered and that current gateways stay current.
const SETTLE_EVERY: u32 = 300;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number of seeds or beats"))
}

fn seeds() -> std::ops::Range<u64> {
    match (number("KELPGATE_SIM_SEED"), number("KELPGATE_SIM_SEEDS")) {
        (Some(seed), _) => seed..seed + 1,
        (None, seeds) => 0..seeds.unwrap_or(200),
    }
}

#[test]
fn long_walks_through_all_troubles_keep_the_promises() {
    for (what, bounds) in kinds() {
        let model = Checked { bounds, rules: Rules::ALL };
        let mut sum = Tally::default();
        for seed in seeds() {
            match walk(&model, seed, LENGTH, SETTLE_EVERY) {
                Ok(tally) => sum += tally,
                Err(way) => panic!("{what}, KELPGATE_SIM_SEED={seed}: {:?} after {:#?}", way.found, way.steps),
            }
        }
        println!("{what}: {sum:?}");
        assert!(sum.answered * 1500 > sum.steps, "{what}: hardly anything was answered: {sum:?}");
    }
}

type Expected = fn(&Found) -> bool;

#[test]
fn long_walks_find_what_breaks_without_a_rule() {
    let stale: Expected = |found| matches!(found, Found::Stale { .. });
    let lost: Expected = |found| matches!(found, Found::Lost { .. });
    let table = [
        (WITHOUT_FENCE, stale, troubles()),
        (WITHOUT_RELIST, stale, troubles()),
        (WITHOUT_COMPARE_AND_SWAP, lost, troubles()),
        (WITHOUT_QUEUE, stale, troubles()),
        (WITHOUT_GUARDS, lost, rivals()),
    ];
    for (rules, expected, bounds) in table {
        let model = Checked { bounds, rules };
        let found = (0..1000).find(|seed| walk(&model, *seed, LENGTH, 0).is_err_and(|way| expected(&way.found)));
        assert!(found.is_some(), "nothing was found without a rule: {rules:?}");
        println!("{rules:?}: seed {found:?}");
    }
}
