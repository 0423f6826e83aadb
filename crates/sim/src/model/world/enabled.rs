//! What can happen next in a world.

use fence::FilerName;

use super::{FORGOTTEN_AFTER, Gateway, Item, Phase, Work, World, Write, guard, place};
use crate::model::{Action, Checked};

impl World {
    /// Everything that can happen next.
    pub fn actions(&self, model: &Checked, actions: &mut Vec<Action>) {
        for gateway in 0..self.gateways.len() {
            self.actions_of(model, gateway, actions);
        }
        for (filer, running) in self.running.iter().enumerate() {
            if !*running {
                actions.push(Action::Run { filer });
            } else if self.left.kills > 0 {
                actions.push(Action::Kill { filer });
            }
            if *running && self.left.freezes > 0 {
                actions.push(Action::Freeze { filer });
            }
        }
        let ticks = model.bounds.ticks.iter().filter(|units| self.now + **units <= model.bounds.time);
        actions.extend(ticks.map(|units| Action::Tick { units: *units }));
    }

    fn actions_of(&self, model: &Checked, gateway: usize, actions: &mut Vec<Action>) {
        let of = &self.gateways[gateway];
        self.writes_of(gateway, actions);
        self.cuts_of(model, gateway, actions);
        if of.paused {
            actions.push(Action::Resume { gateway });
            return;
        }
        if !of.runs() {
            actions.push(Action::Start { gateway });
            return;
        }
        if self.left.pauses > 0 {
            actions.push(Action::Pause { gateway });
        }
        if self.left.crashes > 0 {
            actions.push(Action::Crash { gateway });
        }
        if self.left.tidies > 0 && !of.fence.clone().forget(FORGOTTEN_AFTER, self.clock(model, gateway)).is_empty() {
            actions.push(Action::Tidy { gateway });
        }
        // A gateway ends once its conditional writes have ended.
        if self.left.closings > 0 && !of.fence.is_inside() {
            actions.push(Action::Close { gateway });
        }
        // Beats go on while everything is listed.
        if of.fence.filers().next().is_some() {
            self.beats_of(model, gateway, actions);
        }
        match &of.phase {
            Phase::Subscribed(_) => return actions.push(Action::ListGateways { gateway }),
            Phase::Listed(..) => return actions.push(Action::ListStore { gateway }),
            Phase::Read(..) => return actions.push(Action::Follow { gateway }),
            Phase::Apart => {}
            Phase::Following => self.deliveries_to(model, gateway, actions),
        }
        if self.must_subscribe(gateway) {
            if self.reaches_any(gateway) {
                actions.push(Action::Subscribe { gateway });
            }
        } else if of.phase == Phase::Following && of.fence.must_list() && self.reaches_any(gateway) {
            actions.push(Action::Relist { gateway });
        }
        self.changes_of(model, gateway, actions);
    }

    fn reaches(&self, gateway: usize, filer: usize) -> bool {
        self.running[filer] && !self.gateways[gateway].cut[filer]
    }

    fn reaches_any(&self, gateway: usize) -> bool {
        (0..self.running.len()).any(|filer| self.reaches(gateway, filer))
    }

    /// What may become of the writes that are under way.
    fn writes_of(&self, gateway: usize, actions: &mut Vec<Action>) {
        let of = &self.gateways[gateway];
        for filer in 0..self.running.len() {
            let reached = self.reaches(gateway, filer);
            match of.writing[filer].len() {
                0 => continue,
                1 => {}
                _ if self.left.zombies > 0 && reached && !self.is_locked(gateway, filer, 1) => {
                    actions.push(Action::LandLater { gateway, filer })
                }
                _ => {}
            }
            if reached && !self.is_locked(gateway, filer, 0) {
                actions.push(Action::Land { gateway, filer });
            } else if !reached {
                actions.push(Action::Drop { gateway, filer });
            }
        }
    }

    /// How its connections may break and heal.
    fn cuts_of(&self, model: &Checked, gateway: usize, actions: &mut Vec<Action>) {
        let of = &self.gateways[gateway];
        for filer in 0..self.running.len() {
            if of.cut[filer] {
                if !model.bounds.apart || model.bounds.cuts > 0 {
                    actions.push(Action::Heal { gateway, filer });
                }
            } else if self.left.cuts > 0 && self.running[filer] && of.acts() {
                actions.push(Action::Cut { gateway, filer });
            }
            if self.left.breaks > 0 && of.acts() && of.streams[filer].is_some() {
                actions.push(Action::Break { gateway, filer });
            }
        }
    }

    /// How its changes may begin and go on.
    fn changes_of(&self, model: &Checked, gateway: usize, actions: &mut Vec<Action>) {
        let of = &self.gateways[gateway];
        match &of.work {
            None if gateway < model.bounds.changers && self.left.changes > 0 && self.reaches_any(gateway) => {
                actions.extend((0..self.store.len()).map(|document| Action::Read { gateway, document }));
            }
            Some(Work::Read(document, ..)) => {
                let may = !model.rules.guards || of.fence.is_agreed(self.clock(model, gateway));
                let guards: Vec<FilerName> = if model.rules.guards {
                    of.fence.guards().cloned().collect()
                } else {
                    of.fence.filers().cloned().collect()
                };
                let guard = guard(*document, &guards).filter(|filer| may && self.reaches(gateway, *filer));
                actions.extend(guard.map(|filer| Action::Commit { gateway, filer }));
            }
            _ => {}
        }
    }

    fn beats_of(&self, model: &Checked, gateway: usize, actions: &mut Vec<Action>) {
        let of = &self.gateways[gateway];
        let idle = of.writing.iter().all(|writes| !writes.iter().any(Write::is_beat));
        let several = self.left.zombies > 0 && of.writing.iter().all(|writes| writes.len() < 3);
        if of.beats < model.bounds.beats && (idle || several) {
            actions.push(Action::Beat { gateway });
        }
        if of.reading.is_some() {
            actions.push(Action::TakeRead { gateway });
        } else if self.reaches_any(gateway) && self.stored_number(of) > of.read {
            actions.push(Action::ReadStore { gateway });
        }
    }

    fn deliveries_to(&self, model: &Checked, gateway: usize, actions: &mut Vec<Action>) {
        let of = &self.gateways[gateway];
        for filer in 0..self.running.len() {
            let queue = of.streams[filer].iter().flatten();
            if of.cut[filer] || queue.clone().next().is_none() {
                continue;
            }
            actions.push(Action::Deliver { gateway, filer });
            if !model.rules.queue {
                let early = queue
                    .enumerate()
                    .skip(1)
                    .filter(|(_, item)| matches!(item, Item::Beat(beat) if beat.boot_id == *of.fence.me()));
                actions.extend(early.map(|(place, _)| Action::DeliverEarly { gateway, filer, place }));
            }
        }
    }

    /// The number of the stored beat of a gateway.
    pub(super) fn stored_number(&self, of: &Gateway) -> u64 {
        self.beats.get(of.fence.me()).map_or(0, |beat| beat.number)
    }

    /// Whether a gateway has to open new streams: one has ended or is silent, a filer can be reached again, or another
    /// gateway follows a filer that this one does not follow.
    pub(super) fn must_subscribe(&self, gateway: usize) -> bool {
        let of = &self.gateways[gateway];
        let lost = of.fence.filers().any(|filer| of.streams[place(filer)].is_none() || of.cut[place(filer)]);
        let came =
            (0..self.running.len()).any(|filer| self.running[filer] && !of.cut[filer] && of.streams[filer].is_none());
        of.phase == Phase::Apart || (of.phase == Phase::Following && (lost || came || of.fence.must_follow()))
    }
}
