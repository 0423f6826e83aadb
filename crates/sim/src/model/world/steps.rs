//! How each action changes a world.

use std::collections::VecDeque;
use std::sync::Arc;

use fence::{Beat, Progress, Span};

use super::{Change, Document, FORGOTTEN_AFTER, Gateway, Item, Phase, Work, World, Write, name, place};
use crate::model::{Action, Checked, LEASE, UNIT_NS};

impl World {
    /// Takes one step, then answers the changes that are enforced.
    pub fn step(&mut self, model: &Checked, action: Action) {
        self.take(model, action);
        match action {
            Action::Subscribe { gateway } | Action::Relist { gateway } if model.bounds.coarse => {
                self.take(model, Action::ListGateways { gateway });
                self.take(model, Action::ListStore { gateway });
                self.take(model, Action::Follow { gateway });
            }
            Action::Land { gateway, .. } if model.bounds.coarse_reads => self.read_at_once(model, gateway),
            Action::Commit { gateway, filer } if model.bounds.coarse_changes => {
                while self.gateways[gateway].writing[filer].iter().any(|write| !write.is_beat()) {
                    self.take(model, Action::Land { gateway, filer });
                }
            }
            _ => {}
        }
        for gateway in 0..self.gateways.len() {
            self.answer(model, gateway);
        }
    }

    fn take(&mut self, model: &Checked, action: Action) {
        match action {
            Action::Subscribe { gateway } => self.subscribe(gateway),
            Action::Relist { gateway } => self.relist(gateway),
            Action::ListGateways { gateway } => self.list_gateways(gateway),
            Action::ListStore { gateway } => self.list_store(gateway),
            Action::Follow { gateway } => self.follow(model, gateway),
            Action::Deliver { gateway, filer } => self.deliver(model, gateway, filer, 0),
            Action::DeliverEarly { gateway, filer, place } => self.deliver(model, gateway, filer, place),
            Action::Beat { gateway } => {
                self.beat(model, gateway);
                let of = Arc::make_mut(&mut self.gateways[gateway]);
                of.beats += 1;
                of.beat_now = false;
            }
            Action::Land { gateway, filer } => self.land(model, gateway, filer, 0),
            Action::LandLater { gateway, filer } => {
                self.left.zombies -= 1;
                self.land(model, gateway, filer, 1);
            }
            Action::Drop { gateway, filer } => self.drop_write(model, gateway, filer),
            Action::Read { gateway, document } => self.begin_change(model, gateway, document),
            Action::Commit { gateway, filer } => self.commit(model, gateway, filer),
            Action::Kill { filer } => self.kill(filer),
            Action::Run { filer } => self.running[filer] = true,
            Action::Break { gateway, filer } => {
                self.left.breaks -= 1;
                Arc::make_mut(&mut self.gateways[gateway]).streams[filer] = None;
            }
            Action::Crash { gateway } => {
                self.left.crashes -= 1;
                Arc::make_mut(&mut self.gateways[gateway]).end();
            }
            Action::Start { gateway } => self.start(model, gateway),
            Action::Close { gateway } => self.close(model, gateway),
            Action::Tidy { gateway } => self.tidy(model, gateway),
            Action::Pause { gateway } => {
                self.left.pauses -= 1;
                Arc::make_mut(&mut self.gateways[gateway]).paused = true;
            }
            Action::Resume { gateway } => Arc::make_mut(&mut self.gateways[gateway]).paused = false,
            Action::Cut { gateway, filer } => {
                self.left.cuts -= 1;
                Arc::make_mut(&mut self.gateways[gateway]).cut[filer] = true;
            }
            Action::Freeze { filer } => {
                self.left.freezes -= 1;
                self.gateways.iter_mut().for_each(|of| Arc::make_mut(of).cut[filer] = true);
            }
            Action::ReadStore { gateway } => {
                let stored = self.beats.values().cloned().collect();
                Arc::make_mut(&mut self.gateways[gateway]).reading = Some(stored);
            }
            Action::TakeRead { gateway } => self.take_read(model, gateway),
            Action::Heal { gateway, filer } => Arc::make_mut(&mut self.gateways[gateway]).cut[filer] = false,
            Action::Tick { units } => {
                self.now += units;
                (0..self.gateways.len()).for_each(|gateway| self.give_up(model, gateway));
            }
        }
    }

    /// A gateway begins to list everything while its streams stay open.
    fn relist(&mut self, gateway: usize) {
        let of = Arc::make_mut(&mut self.gateways[gateway]);
        of.keeps_streams = true;
        of.phase = Phase::Subscribed(of.fence.filers().cloned().collect());
    }

    fn list_gateways(&mut self, gateway: usize) {
        let listed = self.beats.values().cloned().collect();
        let of = Arc::make_mut(&mut self.gateways[gateway]);
        if let Phase::Subscribed(filers) = std::mem::replace(&mut of.phase, Phase::Apart) {
            of.phase = Phase::Listed(filers, listed, of.fence.list());
        }
    }

    fn list_store(&mut self, gateway: usize) {
        let of = Arc::make_mut(&mut self.gateways[gateway]);
        if let Phase::Listed(filers, listed, listing) = std::mem::replace(&mut of.phase, Phase::Apart) {
            of.phase = Phase::Read(filers, listed, listing, self.store.clone());
        }
    }

    fn begin_change(&mut self, model: &Checked, gateway: usize, document: usize) {
        self.left.changes -= 1;
        let change = 1 << (model.bounds.changes - self.left.changes - 1);
        Arc::make_mut(&mut self.gateways[gateway]).work = Some(Work::Read(document, self.store[document], change));
    }

    fn kill(&mut self, filer: usize) {
        self.left.kills -= 1;
        self.running[filer] = false;
        for of in self.gateways.iter_mut().map(Arc::make_mut) {
            of.streams[filer] = None;
        }
    }

    fn start(&mut self, model: &Checked, gateway: usize) {
        let lives = self.gateways[gateway].lives + 1;
        let of = Arc::make_mut(&mut self.gateways[gateway]);
        let (writing, cut) = (std::mem::take(&mut of.writing), std::mem::take(&mut of.cut));
        *of = Gateway { writing, cut, ..Gateway::new(gateway, lives, &model.bounds) };
    }

    fn drop_write(&mut self, model: &Checked, gateway: usize, filer: usize) {
        let now = self.clock(model, gateway);
        let of = Arc::make_mut(&mut self.gateways[gateway]);
        if let Some(Write::Change(lost)) = of.writing[filer].pop_front()
            && of.work == Some(Work::Writing(lost.change))
        {
            of.work = None;
            of.left(now);
        }
    }

    fn commit(&mut self, model: &Checked, gateway: usize, filer: usize) {
        let now = self.clock(model, gateway);
        let of = Arc::make_mut(&mut self.gateways[gateway]);
        if let Some(Work::Read(document, read, change)) = of.work {
            let time = of.fence.enter(now).map_or(Span(LEASE * UNIT_NS), |(_, time)| time);
            of.work = Some(Work::Writing(change));
            let until = now + time;
            of.writing[filer].push_back(Write::Change(Change { document, read, change, held: false, until }));
        }
    }

    fn close(&mut self, model: &Checked, gateway: usize) {
        self.left.closings -= 1;
        Arc::make_mut(&mut self.gateways[gateway]).fence.close();
        let beat = self.beat(model, gateway);
        let of = Arc::make_mut(&mut self.gateways[gateway]);
        if let Some(first) = beat.filers.first() {
            of.writing[place(first)].push_back(Write::Delete(beat.boot_id.clone(), beat.number));
        }
        of.end();
    }

    fn tidy(&mut self, model: &Checked, gateway: usize) {
        self.left.tidies -= 1;
        let now = self.clock(model, gateway);
        let of = Arc::make_mut(&mut self.gateways[gateway]);
        let gone = of.fence.forget(FORGOTTEN_AFTER, now);
        let first = of.fence.filers().next().map(place).unwrap_or_default();
        of.writing[first].extend(gone.into_iter().map(|(boot_id, latest)| {
            let latest = if model.rules.known { latest } else { u64::MAX };
            Write::Delete(boot_id, latest)
        }));
    }

    /// Whether a filer is about to write, for another gateway, the document of this gateway's write.
    pub(super) fn is_locked(&self, gateway: usize, filer: usize, place: usize) -> bool {
        let Some(Write::Change(next)) = self.gateways[gateway].writing[filer].get(place) else { return false };
        let others = self.gateways.iter().enumerate().filter(|(other, _)| *other != gateway);
        let mut held = others.flat_map(|(_, of)| &of.writing[filer]);
        held.any(|write| matches!(write, Write::Change(other) if other.held && other.document == next.document))
    }

    /// Filers abandon conditional writes whose time is over.
    fn give_up(&mut self, model: &Checked, gateway: usize) {
        let now = self.clock(model, gateway);
        let is_over = |write: &Write| matches!(write, Write::Change(change) if change.until <= now);
        if !self.gateways[gateway].writing.iter().flatten().any(is_over) {
            return;
        }
        let of = Arc::make_mut(&mut self.gateways[gateway]);
        of.writing.iter_mut().for_each(|writes| writes.retain(|write| !is_over(write)));
        let is_mine = |write: &Write, mine| matches!(write, Write::Change(change) if change.change == mine);
        if let Some(Work::Writing(mine)) = of.work
            && !of.writing.iter().flatten().any(|write| is_mine(write, mine))
        {
            of.work = None;
            of.left(now);
        }
    }

    fn subscribe(&mut self, gateway: usize) {
        let running = self.running.clone();
        let of = Arc::make_mut(&mut self.gateways[gateway]);
        of.keeps_streams = false;
        let reached: Vec<bool> = running.iter().zip(&of.cut).map(|(runs, cut)| *runs && !*cut).collect();
        of.streams = reached.iter().map(|reached| reached.then(VecDeque::new)).collect();
        let filers = (0..reached.len()).filter(|filer| reached[*filer]).map(name).collect();
        of.phase = Phase::Subscribed(filers);
    }

    /// A gateway begins to write its next beat through every filer that it follows.
    fn beat(&mut self, model: &Checked, gateway: usize) -> Beat {
        let now = self.clock(model, gateway);
        let of = Arc::make_mut(&mut self.gateways[gateway]);
        let beat = of.fence.beat(now, "");
        for filer in &beat.filers {
            of.writing[place(filer)].push_back(Write::Beat(Arc::new(beat.through(filer))));
        }
        beat
    }

    fn follow(&mut self, model: &Checked, gateway: usize) {
        let now = self.clock(model, gateway);
        let of = Arc::make_mut(&mut self.gateways[gateway]);
        let phase = std::mem::replace(&mut of.phase, Phase::Following);
        let Phase::Read(filers, listed, listing, store) = phase else { return };
        if model.rules.relist || of.applied.iter().all(|document| document.version == 0) {
            of.applied = store;
        }
        let listed: Vec<Beat> = listed.iter().map(|beat| (**beat).clone()).collect();
        of.fence.follow(&listing, filers, &listed, now);
        // Streams that are kept will deliver it.
        if !of.keeps_streams {
            of.own_change_came(true);
        }
    }

    /// A gateway whose beat was stored reads the store in the same step.
    fn read_at_once(&mut self, model: &Checked, gateway: usize) {
        let of = &self.gateways[gateway];
        if of.acts() && of.phase != Phase::Apart && self.stored_number(of) > of.read {
            self.take(model, Action::ReadStore { gateway });
            self.take(model, Action::TakeRead { gateway });
        }
    }

    /// A gateway takes in what it has read: without the rule, only that its own beat is stored.
    fn take_read(&mut self, model: &Checked, gateway: usize) {
        let now = self.clock(model, gateway);
        let of = Arc::make_mut(&mut self.gateways[gateway]);
        let me = of.fence.me().clone();
        let read = of.reading.take().unwrap_or_default();
        let known = read.iter().filter(|beat| model.rules.store || beat.boot_id == me);
        let known: Vec<Beat> = known.map(|beat| (**beat).clone()).collect();
        of.read = known.iter().filter(|beat| beat.boot_id == me).map(|beat| beat.number).fold(of.read, u64::max);
        of.beat_now |= of.fence.read(&known, now);
    }

    fn deliver(&mut self, model: &Checked, gateway: usize, filer: usize, place: usize) {
        let now = self.clock(model, gateway);
        let of = Arc::make_mut(&mut self.gateways[gateway]);
        match of.streams[filer].as_mut().and_then(|queue| queue.remove(place)) {
            Some(Item::Changed(document, written)) => {
                if written.version > of.applied[document].version {
                    of.applied[document] = written;
                }
                if matches!(of.work, Some(Work::Stored(change)) if written.changes & change != 0) {
                    of.own_change_came(false);
                }
            }
            Some(Item::Beat(beat)) => of.beat_now |= of.fence.observe(&name(filer), &beat, now),
            _ => {}
        }
    }

    fn land(&mut self, model: &Checked, gateway: usize, filer: usize, place: usize) {
        let item = match Arc::make_mut(&mut self.gateways[gateway]).writing[filer].remove(place) {
            Some(Write::Beat(beat)) => {
                // Each beat has a name of its own.
                let stored = self.beats.entry(beat.boot_id.clone()).or_insert_with(|| beat.clone());
                if stored.number < beat.number {
                    *stored = beat.clone();
                }
                Item::Beat(beat)
            }
            Some(Write::Delete(boot_id, latest)) => {
                if self.beats.get(&boot_id).is_some_and(|stored| stored.number <= latest) {
                    self.beats.remove(&boot_id);
                }
                return;
            }
            Some(Write::Change(write)) => match self.change(model, gateway, filer, write) {
                Some(item) => item,
                None => return,
            },
            None => return,
        };
        for of in self.gateways.iter_mut().filter(|of| of.streams[filer].is_some()) {
            if let Some(queue) = &mut Arc::make_mut(of).streams[filer] {
                queue.push_back(item.clone());
            }
        }
    }

    /// In two steps under its lock, a filer checks whether a document is unchanged, then writes it.
    fn change(&mut self, model: &Checked, gateway: usize, filer: usize, write: Change) -> Option<Item> {
        let Change { document, read, change, held, .. } = write;
        let now = self.clock(model, gateway);
        let stored = &mut self.store[document];
        let of = Arc::make_mut(&mut self.gateways[gateway]);
        let alive = of.work == Some(Work::Writing(change));
        if model.rules.compare_and_swap && !held && read.version != stored.version {
            // The command runs again on what is stored now.
            if alive {
                of.work = Some(Work::Read(document, *stored, change));
                of.left(now);
            }
            return None;
        }
        if !held {
            of.writing[filer].push_front(Write::Change(Change { held: true, ..write }));
            return None;
        }
        *stored = Document { version: stored.version + 1, changes: read.changes | change };
        if alive {
            of.work = Some(Work::Stored(change));
            of.left(now);
        }
        Some(Item::Changed(document, *stored))
    }

    fn answer(&mut self, model: &Checked, gateway: usize) {
        let mut now = self.clock(model, gateway);
        if !model.rules.margins {
            let lease = Span(LEASE * UNIT_NS);
            now = now + Span(lease.lengthened().0 - lease.0);
        }
        let of = &self.gateways[gateway];
        if !of.acts() {
            return;
        }
        let (change, number) = match of.work {
            Some(Work::Stored(change)) if !model.rules.fence => (change, None),
            Some(Work::Asked(change, number)) if of.fence.progress(number, now) == Progress::Enforced => {
                (change, Some(number))
            }
            _ => return,
        };
        let of = Arc::make_mut(&mut self.gateways[gateway]);
        of.work = None;
        self.answered |= change;
        number.into_iter().for_each(|number| of.fence.done(number));
    }
}
