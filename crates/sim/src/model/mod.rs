//! A minimal model of gateways, filers and one store around the real [`fence::Fence`].
//!
//! A [`World`] is a value: the store, what each filer has yet to deliver, what is being written, and the state of each
//! gateway. An [`Action`] is one step that any of them, the network, the clock or an operator can take. [`Checked`]
//! visits all worlds within its bounds; [`crate::walk`] goes further, at random.

mod action;
mod settle;
mod world;

pub use action::Action;
pub use settle::{Stuck, settle};
pub use world::{Change, Document, Gateway, Item, Phase, Work, World, Write};

use stateright::{Model, Property};

/// How many there are of everything, and how often it happens.
#[derive(Debug, Clone)]
pub struct Bounds {
    /// The rate of each gateway's clock, in per cent of the true time.
    pub clock_rates: Vec<u64>,
    /// How many filers there are, over one store.
    pub filers: usize,
    /// How many documents can be changed.
    pub documents: usize,
    /// How many changes are begun.
    pub changes: u8,
    /// How many beats a gateway writes between its start and its end.
    pub beats: u64,
    /// The amounts by which time passes. A lease is [`LEASE`].
    pub ticks: Vec<u64>,
    /// The end of time.
    pub time: u64,
    /// How often a filer is killed.
    pub kills: u8,
    /// How often one stream breaks.
    pub breaks: u8,
    /// How often a gateway is killed.
    pub crashes: u8,
    /// How often a gateway is told to shut down.
    pub closings: u8,
    /// How often a gateway is stopped for a while.
    pub pauses: u8,
    /// How often a gateway cannot reach a filer for a while.
    pub cuts: u8,
    /// How often no gateway can reach a filer for a while.
    pub freezes: u8,
    /// How often an abandoned request arrives after a later one.
    pub zombies: u8,
    /// How often a gateway forgets those that are gone.
    pub tidies: u8,
    /// How many filers run from the beginning. The others are added later.
    pub running: usize,
    /// How many gateways run from the beginning. The others start later.
    pub started: usize,
    /// How many gateways change something.
    pub changers: usize,
    /// Whether each gateway can reach only a filer of its own from the beginning: to the end, if there are no cuts.
    pub apart: bool,
    /// Whether opening the streams and listing everything is a single step.
    pub coarse: bool,
    /// Whether storing a beat and reading the store is a single step.
    pub coarse_reads: bool,
    /// Whether writing and storing a change is a single step.
    pub coarse_changes: bool,
    /// Whether all gateways that run from the beginning follow, and are current, at that time.
    pub settled: bool,
}

/// The rules of the protocol. Each can be left out: a model that then finds nothing is worthless.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// A change is answered when it is enforced, not when it is stored.
    pub fence: bool,
    /// A new stream is followed by a listing.
    pub relist: bool,
    /// A document is written only if it still has the version that was read.
    pub compare_and_swap: bool,
    /// A lease is shorter for its holder and longer for the others.
    pub margins: bool,
    /// A gateway's own beat counts once everything before it is applied.
    pub queue: bool,
    /// A conditional write waits until all gateways agree which filers guard it.
    pub guards: bool,
    /// A gateway reads the beats of the others from the store, and not only from the streams of its filers.
    pub store: bool,
    /// Of a gateway that is forgotten, only the beats that were known are removed.
    pub known: bool,
}

impl Rules {
    /// The actual protocol.
    pub const ALL: Self = Self {
        fence: true,
        relist: true,
        compare_and_swap: true,
        margins: true,
        queue: true,
        guards: true,
        store: true,
        known: true,
    };
}

/// The length of a lease, in the units of [`World::now`].
pub const LEASE: u64 = 20;

/// Nanoseconds on a true clock for each unit of time.
pub const UNIT_NS: u64 = 1_000_000;

impl Bounds {
    /// Two gateways with accurate clocks, and one filer, to which nothing happens.
    pub fn small() -> Self {
        Self {
            clock_rates: vec![100, 100],
            filers: 1,
            documents: 1,
            changes: 1,
            beats: 3,
            ticks: vec![LEASE / 2],
            time: 2 * LEASE,
            kills: 0,
            breaks: 0,
            crashes: 0,
            closings: 0,
            pauses: 0,
            cuts: 0,
            freezes: 0,
            zombies: 0,
            tidies: 0,
            running: 1,
            started: 2,
            changers: 1,
            apart: false,
            coarse: true,
            coarse_reads: true,
            coarse_changes: true,
            settled: true,
        }
    }
}

/// All worlds within some bounds, under some rules.
#[derive(Debug, Clone)]
pub struct Checked {
    /// How much of everything there is.
    pub bounds: Bounds,
    /// The rules that apply.
    pub rules: Rules,
}

/// No request is decided by a revision older than one acknowledged to any caller before the request began.
pub const FRESH: &str = "no gateway decides by the state before an answered change";
/// An acknowledged change is never lost.
pub const KEPT: &str = "an answered change is never lost";
/// Some change is answered.
pub const ANSWERED: &str = "changes are answered";

impl Model for Checked {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![World::new(self)]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        world.actions(self, actions);
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        let mut next = world.clone();
        next.step(self, action);
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(FRESH, |model: &Self, world: &World| world.stale(model).is_none()),
            Property::always(KEPT, |_, world: &World| world.lost() == 0),
            Property::sometimes(ANSWERED, |_, world: &World| world.answered != 0),
        ]
    }
}
