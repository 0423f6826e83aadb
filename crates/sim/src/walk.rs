//! Long random walks through the model, from a seed: many faults need more steps than a complete search can cover.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

use crate::model::{Action, Checked, Stuck, World, settle};

/// What a walk found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// A gateway decides by the state before an answered change.
    Stale {
        /// Which.
        gateway: usize,
    },
    /// Answered changes are gone.
    Lost {
        /// Which, one bit for each.
        changes: u16,
    },
    /// Something does not make progress.
    Stuck(Stuck),
}

/// A walk that found something.
#[derive(Debug, Clone)]
pub struct Walk {
    /// The steps that lead there, without those that can be left out.
    pub steps: Vec<Action>,
    /// What it found.
    pub found: Found,
}

/// Statistics of walks that found nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Steps that were taken.
    pub steps: u64,
    /// Changes that were answered.
    pub answered: u64,
    /// Worlds that were settled.
    pub settled: u64,
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.steps += other.steps;
        self.answered += other.answered;
        self.settled += other.settled;
    }
}

/// Takes `length` random steps. Settles one in `settle_every` worlds, to see whether it makes progress.
pub fn walk(model: &Checked, seed: u64, length: usize, settle_every: u32) -> Result<Tally, Box<Walk>> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut world = World::new(model);
    let mut tally = Tally::default();
    let mut steps = Vec::new();
    let mut actions = Vec::new();
    for _ in 0..length {
        actions.clear();
        world.actions(model, &mut actions);
        let Ok(action) = actions.choose_weighted(&mut random, weight) else { break };
        steps.push(*action);
        world.step(model, *action);
        tally.steps += 1;
        let settles = settle_every > 0 && random.random_ratio(1, settle_every);
        tally.settled += u64::from(settles);
        if let Some(found) = look(model, &world, settles) {
            return Err(Box::new(shorten(model, steps, found)));
        }
    }
    tally.answered = u64::from(world.answered.count_ones());
    Ok(tally)
}

/// Steps that make progress are more likely than those that end something.
fn weight(action: &Action) -> u32 {
    match action {
        Action::Deliver { .. } | Action::Land { .. } => 12,
        Action::ReadStore { .. } | Action::TakeRead { .. } => 16,
        Action::ListGateways { .. }
        | Action::ListStore { .. }
        | Action::Follow { .. }
        | Action::DeliverEarly { .. } => 8,
        Action::Subscribe { .. }
        | Action::Relist { .. }
        | Action::Beat { .. }
        | Action::Read { .. }
        | Action::Commit { .. }
        | Action::Tidy { .. }
        | Action::Drop { .. } => 6,
        Action::Tick { .. }
        | Action::LandLater { .. }
        | Action::Run { .. }
        | Action::Heal { .. }
        | Action::Start { .. } => 2,
        Action::Resume { .. } => 2,
        Action::Kill { .. }
        | Action::Break { .. }
        | Action::Crash { .. }
        | Action::Close { .. }
        | Action::Pause { .. }
        | Action::Freeze { .. }
        | Action::Cut { .. } => 1,
    }
}

fn look(model: &Checked, world: &World, settles: bool) -> Option<Found> {
    if let Some(gateway) = world.stale(model) {
        return Some(Found::Stale { gateway });
    }
    match world.lost() {
        0 if settles => settle(model, world).err().map(Found::Stuck),
        0 => None,
        changes => Some(Found::Lost { changes }),
    }
}

/// Leaves out steps that are not needed to find something of the same kind.
fn shorten(model: &Checked, mut steps: Vec<Action>, mut found: Found) -> Walk {
    let kind = std::mem::discriminant(&found);
    let mut pieces = steps.len() / 2;
    while pieces > 0 {
        let before = steps.len();
        let mut from = steps.len().saturating_sub(pieces);
        loop {
            let until = (from + pieces).min(steps.len());
            let fewer: Vec<Action> = steps.iter().take(from).chain(steps.iter().skip(until)).copied().collect();
            if let Some((taken, other)) =
                replay(model, &fewer).filter(|(_, other)| std::mem::discriminant(other) == kind)
            {
                steps = taken;
                found = other;
            }
            if from == 0 {
                break;
            }
            from = from.min(steps.len()).saturating_sub(pieces);
        }
        // Single steps are tried again for as long as that helps.
        pieces = if pieces == 1 && steps.len() < before { 1 } else { pieces / 2 };
    }
    Walk { steps, found }
}

/// Takes the steps that are possible, until it finds something.
fn replay(model: &Checked, steps: &[Action]) -> Option<(Vec<Action>, Found)> {
    let mut world = World::new(model);
    let mut taken = Vec::new();
    for (place, action) in steps.iter().enumerate() {
        let mut actions = Vec::new();
        world.actions(model, &mut actions);
        if !actions.contains(action) {
            continue;
        }
        world.step(model, *action);
        taken.push(*action);
        if let Some(found) = look(model, &world, place + 1 == steps.len()) {
            return Some((taken, found));
        }
    }
    None
}
