//! What happens in a world after all trouble ends: the promise that it makes progress.

use super::{Action, Checked, LEASE, Phase, Work, World};

/// Something that does not make progress.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stuck {
    /// A gateway that can reach a filer does not decide.
    Closed {
        /// Which.
        gateway: usize,
    },
    /// A gateway that decided, and whose streams did not end, has stopped deciding.
    SelfClosed {
        /// Which.
        gateway: usize,
        /// The true time.
        at: u64,
    },
    /// A change is not written, because the gateways do not agree which filers guard it.
    Held {
        /// Where.
        gateway: usize,
    },
    /// A change is not answered.
    Unanswered {
        /// Where.
        gateway: usize,
    },
}

/// The longest wait for another gateway: a lengthened lease, on the slowest clock.
pub const LONGEST_WAIT: u64 = (LEASE * 105).div_ceil(95) + 1;

/// How often a beat is written even if no gateway waits for one.
const BEAT_EVERY: u64 = LEASE / 5;

/// Lets everything that runs continue, with no delays and no further trouble, for as long as a lease may keep a change
/// waiting.
///
/// Gateways that are stopped or cut off stay so. The error is the first broken promise.
pub fn settle(model: &Checked, world: &World) -> Result<World, Stuck> {
    let mut world = world.clone();
    let well = |world: &World, gateway: usize| {
        let of = &world.gateways[gateway];
        of.acts() && of.cut.iter().zip(&world.running).any(|(cut, runs)| !*cut && *runs)
    };
    if !world.running.contains(&true) {
        return Ok(world);
    }
    begin(model, &mut world);
    let mut current: Vec<bool> =
        (0..world.gateways.len()).map(|gateway| well(&world, gateway) && world.is_current(model, gateway)).collect();
    // A change that is held until the gateways agree is stored later, and waits from then on.
    let stored: Vec<Option<Work>> = world.gateways.iter().map(|of| stored(of.work.as_ref())).collect();
    for passed in 1..=LONGEST_WAIT {
        world.step(model, Action::Tick { units: 1 });
        catch_up(model, &mut world);
        if passed % BEAT_EVERY == 0 {
            beat(model, &mut world, |_| true);
            catch_up(model, &mut world);
        }
        for (gateway, was) in current.iter_mut().enumerate() {
            let is = well(&world, gateway) && world.is_current(model, gateway);
            if *was && !is {
                return Err(Stuck::SelfClosed { gateway, at: world.now });
            }
            *was |= is;
        }
    }
    for (gateway, is) in current.into_iter().enumerate() {
        if well(&world, gateway) && !is {
            return Err(Stuck::Closed { gateway });
        }
        let waits = stored[gateway].is_some() && stored[gateway] == self::stored(world.gateways[gateway].work.as_ref());
        if well(&world, gateway) && waits {
            return Err(Stuck::Unanswered { gateway });
        }
    }
    held(model, &mut world, well)?;
    Ok(world)
}

/// The change that waits to be answered, for whatever reason.
fn stored(work: Option<&Work>) -> Option<Work> {
    match work {
        Some(Work::Stored(change) | Work::Asked(change, _)) => Some(Work::Stored(*change)),
        _ => None,
    }
}

/// Checks that conditional writes continue one beat after the lease of a gateway that does not agree has run out. They
/// wait if there is no filer that all gateways can reach.
fn held(model: &Checked, world: &mut World, well: impl Fn(&World, usize) -> bool) -> Result<(), Stuck> {
    for _ in 0..2 {
        world.step(model, Action::Tick { units: BEAT_EVERY });
        beat(model, world, |_| true);
        catch_up(model, world);
    }
    let gateways = 0..world.gateways.len();
    let deciding = || world.gateways.iter().filter(|of| of.acts());
    let by_all = |filer: usize| world.running[filer] && deciding().all(|of| !of.cut[filer]);
    if !(0..world.running.len()).any(by_all) {
        return Ok(());
    }
    let mut waiting = gateways.filter(|gateway| well(world, *gateway));
    match waiting.find(|gateway| matches!(world.gateways[*gateway].work, Some(Work::Read(..)))) {
        Some(gateway) => Err(Stuck::Held { gateway }),
        None => Ok(()),
    }
}

/// Makes every gateway follow, and every gateway that can be current so.
pub(super) fn begin(model: &Checked, world: &mut World) {
    catch_up(model, world);
    beat(model, world, |_| true);
    catch_up(model, world);
}

/// Does everything that takes no time.
fn catch_up(model: &Checked, world: &mut World) {
    loop {
        let mut actions = Vec::new();
        world.actions(model, &mut actions);
        let next = actions.into_iter().find(|action| match action {
            Action::Subscribe { gateway }
            | Action::Relist { gateway }
            | Action::ListGateways { gateway }
            | Action::ListStore { gateway }
            | Action::Follow { gateway } => world.gateways[*gateway].acts(),
            Action::Deliver { .. }
            | Action::Land { .. }
            | Action::Drop { .. }
            | Action::Commit { .. }
            | Action::ReadStore { .. }
            | Action::TakeRead { .. } => true,
            _ => false,
        });
        match next {
            Some(action) => world.step(model, action),
            None if !beat(model, world, |of| of) => return,
            None => {}
        }
    }
}

/// Writes the beats that are due. False if none is due.
fn beat(model: &Checked, world: &mut World, due: impl Fn(bool) -> bool) -> bool {
    let mut any = false;
    for gateway in 0..world.gateways.len() {
        let of = &world.gateways[gateway];
        if of.acts() && of.phase == Phase::Following && due(of.beat_now) {
            world.step(model, Action::Beat { gateway });
            any = true;
        }
    }
    any
}
