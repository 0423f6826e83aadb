//! The state of the model.

mod enabled;
mod gateway;
mod steps;

pub use gateway::{Change, Document, Gateway, Item, Phase, Work, Write};

use std::collections::BTreeMap;
use std::sync::Arc;

use fence::{Beat, BootId, FilerName, Moment, Span};

use super::settle::begin;
use super::{Checked, LEASE, UNIT_NS};

/// What may still happen.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Left {
    changes: u8,
    kills: u8,
    breaks: u8,
    crashes: u8,
    closings: u8,
    pauses: u8,
    cuts: u8,
    freezes: u8,
    zombies: u8,
    tidies: u8,
}

/// The state at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct World {
    /// The true time.
    pub now: u64,
    /// The documents.
    pub store: Vec<Document>,
    /// The documents of the gateways.
    pub beats: BTreeMap<BootId, Arc<Beat>>,
    /// The filers that run.
    pub running: Vec<bool>,
    /// The gateways.
    pub gateways: Vec<Arc<Gateway>>,
    /// The answered changes.
    pub answered: u16,
    /// What may still happen.
    pub left: Left,
}

/// How long a gateway's lease must be over before it is forgotten.
const FORGOTTEN_AFTER: Span = Span(LEASE * UNIT_NS);

/// The name of a filer.
pub(super) fn name(filer: usize) -> FilerName {
    FilerName::from(["f0", "f1", "f2", "f3"].get(filer).copied().unwrap_or("f"))
}

/// The one of these filers that guards a document.
fn guard(document: usize, filers: &[FilerName]) -> Option<usize> {
    filers.get((document + 1) % filers.len().max(1)).map(place)
}

fn place(filer: &FilerName) -> usize {
    filer.0.get(1..).and_then(|digits| digits.parse().ok()).unwrap_or_default()
}

impl World {
    /// The initial state: filers and gateways run, nothing is written.
    pub fn new(model: &Checked) -> Self {
        let bounds = &model.bounds;
        let gateways = (0..bounds.clock_rates.len()).map(|gateway| {
            let lives = u8::from(gateway < bounds.started);
            Arc::new(Gateway::new(gateway, lives, bounds))
        });
        let mut world = Self {
            now: 0,
            store: vec![Document::default(); bounds.documents],
            beats: BTreeMap::new(),
            running: (0..bounds.filers).map(|filer| filer < bounds.running).collect(),
            gateways: gateways.collect(),
            answered: 0,
            left: Left {
                changes: bounds.changes,
                kills: bounds.kills,
                breaks: bounds.breaks,
                crashes: bounds.crashes,
                closings: bounds.closings,
                pauses: bounds.pauses,
                cuts: bounds.cuts,
                freezes: bounds.freezes,
                zombies: bounds.zombies,
                tidies: bounds.tidies,
            },
        };
        if bounds.apart {
            for (gateway, of) in world.gateways.iter_mut().map(Arc::make_mut).enumerate() {
                of.cut.iter_mut().enumerate().for_each(|(filer, cut)| *cut = filer != gateway % bounds.filers);
            }
        }
        if bounds.settled {
            begin(model, &mut world);
            // Beats written until now do not count.
            world.gateways.iter_mut().for_each(|of| Arc::make_mut(of).beats = 0);
        }
        world
    }

    /// A gateway's own clock.
    pub fn clock(&self, model: &Checked, gateway: usize) -> Moment {
        let rate = model.bounds.clock_rates[gateway];
        Moment(self.now * rate * (UNIT_NS / 100))
    }

    /// A gateway that would decide a request now without having applied all answered changes.
    pub fn stale(&self, model: &Checked) -> Option<usize> {
        (0..self.gateways.len()).find(|gateway| {
            let of = &self.gateways[*gateway];
            let applied = of.applied.iter().fold(0, |all, document| all | document.changes);
            self.is_current(model, *gateway) && self.answered & !applied != 0
        })
    }

    /// Whether a gateway decides requests now.
    pub fn is_current(&self, model: &Checked, gateway: usize) -> bool {
        let of = &self.gateways[gateway];
        let mut until = of.fence.lease_until();
        if !model.rules.margins && until > Moment::default() {
            let lease = Span(LEASE * UNIT_NS);
            until = until + Span(lease.0 - lease.shortened().0);
        }
        of.acts() && self.clock(model, gateway) < until
    }

    /// The answered changes that the store does not have.
    pub fn lost(&self) -> u16 {
        self.answered & !self.store.iter().fold(0, |all, document| all | document.changes)
    }
}
