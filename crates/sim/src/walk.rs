//! Long ways through the model by chance, from a seed: many faults need more steps than all worlds can be visited in.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

use crate::model::{Action, Checked, Stuck, World, settle};

/// What a walk came upon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// A gateway decides by what was before an answered change.
    Stale {
        /// Which.
        gateway: usize,
    },
    /// Answered changes are gone.
    Lost {
        /// Which, one bit for each.
        changes: u16,
    },
    /// Something does not go on.
    Stuck(Stuck),
}

/// A walk that came upon something.
#[derive(Debug, Clone)]
pub struct Walk {
    /// What leads there, as short as leaving out steps makes it.
    pub steps: Vec<Action>,
    /// What is there.
    pub found: Found,
}

/// What walks came to that came upon nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Steps that were taken.
    pub steps: u64,
    /// Changes that were answered.
    pub answered: u64,
    /// Worlds that were let go on.
    pub settled: u64,
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.steps += other.steps;
        self.answered += other.answered;
        self.settled += other.settled;
    }
}

/// Takes so many steps by chance. One in `settle_every` worlds is let go on, to see whether it does.
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

/// Steps that keep things going are likelier than those that end something.
fn weight(action: &Action) -> u32 {
    match action {
        Action::Deliver { .. } | Action::Land { .. } => 12,
        Action::ListGateways { .. } | Action::ListStore { .. } | Action::DeliverEarly { .. } => 8,
        Action::Subscribe { .. }
        | Action::Beat { .. }
        | Action::Read { .. }
        | Action::Commit { .. }
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

/// Leaves out what is not needed to come upon something of the same kind.
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
        // Single steps are tried again as long as it helps.
        pieces = if pieces == 1 && steps.len() < before { 1 } else { pieces / 2 };
    }
    Walk { steps, found }
}

/// Takes those of the steps that can be taken, until something is found.
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
