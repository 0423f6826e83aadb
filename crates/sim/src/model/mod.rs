//! Gateways, filers and one store, as small as they can be, around the real [`fence::Fence`].
//!
//! A [`World`] is a value: the store, what each filer has not delivered yet, what is being written, and the state of each gateway.
//! An [`Action`] is one step that any of them, the network, the clock or an operator can take. [`Checked`] visits all
//! worlds within its bounds; [`crate::walk`] goes far by chance.

mod action;
mod settle;
mod world;

pub use action::Action;
pub use settle::{Stuck, settle};
pub use world::{Change, Document, Gateway, Item, Phase, Work, World, Write};

use stateright::{Model, Property};

/// How much of everything there is.
#[derive(Debug, Clone)]
pub struct Bounds {
    /// The rate of each gateway's clock, in per cent of the true time.
    pub clock_rates: Vec<u64>,
    /// How many filers there are, over one store.
    pub filers: usize,
    /// How many documents there are to change.
    pub documents: usize,
    /// How many changes are begun.
    pub changes: u8,
    /// How many beats one gateway writes in one life.
    pub beats: u64,
    /// The steps in which time passes; a lease is [`LEASE`].
    pub ticks: Vec<u64>,
    /// The end of time.
    pub time: u64,
    /// How often a filer is killed.
    pub kills: u8,
    /// How often one stream breaks.
    pub breaks: u8,
    /// How often a gateway is killed.
    pub crashes: u8,
    /// How often a gateway is told to end.
    pub closings: u8,
    /// How often a gateway is stopped for a while.
    pub pauses: u8,
    /// How often a gateway cannot reach a filer for a while.
    pub cuts: u8,
    /// How often a request that was given up lands after a later one.
    pub zombies: u8,
    /// Filers that run from the beginning; the others are added later.
    pub running: usize,
    /// The gateways that run from the beginning; the others start later.
    pub started: usize,
    /// The gateways that change something.
    pub changers: usize,
    /// Streams are opened and everything listed in one step.
    pub coarse: bool,
    /// A change is written and stored in one step.
    pub coarse_changes: bool,
    /// All gateways that run from the beginning follow and are current then.
    pub settled: bool,
}

/// The rules of the protocol, each of which can be left out: a model that finds nothing then is worth nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// A change is answered when it is enforced, not when it is stored.
    pub fence: bool,
    /// A new stream is followed by a listing.
    pub relist: bool,
    /// A document is written only over the version that was read.
    pub compare_and_swap: bool,
    /// A lease is shortened for its holder and lengthened for the others.
    pub margins: bool,
    /// An own beat counts when everything before it is applied.
    pub queue: bool,
    /// A conditional write waits until all gateways agree which filers guard it.
    pub guards: bool,
}

impl Rules {
    /// The protocol as it is.
    pub const ALL: Self =
        Self { fence: true, relist: true, compare_and_swap: true, margins: true, queue: true, guards: true };
}

/// The length of a lease, in the units of [`World::now`].
pub const LEASE: u64 = 20;

/// Nanoseconds on a true clock for each unit of time.
pub const UNIT_NS: u64 = 1_000_000;

impl Bounds {
    /// Two gateways with true clocks and one filer, to which nothing happens.
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
            zombies: 0,
            running: 1,
            started: 2,
            changers: 1,
            coarse: true,
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
    /// What is left out.
    pub rules: Rules,
}

/// No request is decided by a revision older than one acknowledged to any caller before the request began.
pub const FRESH: &str = "no gateway decides by what was before an answered change";
/// An acknowledged change is never lost.
pub const KEPT: &str = "an answered change is never lost";
/// Something happens at all.
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
