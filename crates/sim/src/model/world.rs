//! The state of the model, and how each step changes it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use fence::{Beat, BootId, Fence, FilerName, Listing, Moment, Progress, Settings, Span};

use super::settle::begin;
use super::{Action, Bounds, Checked, LEASE, UNIT_NS};

/// One document: a set of changes, read and written as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Document {
    /// Increases with each write.
    pub version: u8,
    /// One bit for each change.
    pub changes: u16,
}

/// An item of a filer's stream.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Item {
    /// A document as it was written.
    Changed(usize, Document),
    /// A gateway's document.
    Beat(Arc<Beat>),
}

/// What a gateway writes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Write {
    /// Its own document.
    Beat(Arc<Beat>),
    /// The removal of a document, unless it has a higher number by then.
    Delete(BootId, u64),
    /// One change of a document, based on what was read.
    Change(Change),
}

/// A conditional write of one document, at the filer that guards it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Change {
    /// Which document.
    pub document: usize,
    /// What was read.
    pub read: Document,
    /// The change.
    pub change: u16,
    /// Whether the filer has checked that this is still stored, and is about to write.
    pub held: bool,
    /// When it is given up, by the clock of its gateway.
    pub until: Moment,
}

/// How far a gateway has got with its streams.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Phase {
    /// It has no streams.
    Apart,
    /// It has opened them.
    Subscribed(BTreeSet<FilerName>),
    /// It has read the gateways' documents since then.
    Listed(BTreeSet<FilerName>, Vec<Arc<Beat>>, Listing),
    /// It has read everything else since then, and not yet taken it in.
    Read(BTreeSet<FilerName>, Vec<Arc<Beat>>, Listing, Vec<Document>),
    /// It has taken everything in.
    Following,
}

/// How far a gateway has got with its change.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Work {
    /// It has read the document to make this change.
    Read(usize, Document, u16),
    /// It is writing this change.
    Writing(u16),
    /// The change is stored. The gateway waits until its own snapshot contains it.
    Stored(u16),
    /// The gateway waits until it is enforced.
    Asked(u16, u64),
}

/// One gateway.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Gateway {
    /// How often it was started or ended; it runs if this is odd.
    pub lives: u8,
    /// Whether it is stopped for a while.
    pub paused: bool,
    /// The protocol.
    pub fence: Fence,
    /// Its snapshot.
    pub applied: Vec<Document>,
    /// How far it has got with its streams.
    pub phase: Phase,
    /// What is on its way to it, by filer; `None` where no stream is open.
    pub streams: Vec<Option<VecDeque<Item>>>,
    /// Whether it lists again while its streams stay open.
    pub keeps_streams: bool,
    /// What is on its way from it, by filer.
    pub writing: Vec<VecDeque<Write>>,
    /// The filers that it cannot reach.
    pub cut: Vec<bool>,
    /// Its change.
    pub work: Option<Work>,
    /// How many beats it has written.
    pub beats: u64,
    /// Whether another gateway waits for its next beat.
    pub beat_now: bool,
    /// What it has read from the store and not yet taken in.
    pub reading: Option<Vec<Arc<Beat>>>,
    /// The number of its own beat that it last read.
    pub read: u64,
}

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
    fn stored_number(&self, of: &Gateway) -> u64 {
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
    fn is_locked(&self, gateway: usize, filer: usize, place: usize) -> bool {
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

impl Gateway {
    fn new(gateway: usize, lives: u8, bounds: &Bounds) -> Self {
        let settings = Settings {
            cluster: String::new(),
            gateway: String::new(),
            lease: Span(LEASE * UNIT_NS),
            about: BTreeMap::new(),
        };
        let me = BootId::from(format!("g{gateway}.{lives}").as_str());
        Self {
            lives,
            paused: false,
            fence: Fence::new(me, settings),
            applied: vec![Document::default(); bounds.documents],
            phase: Phase::Apart,
            streams: vec![None; bounds.filers],
            keeps_streams: false,
            writing: vec![VecDeque::new(); bounds.filers],
            cut: vec![false; bounds.filers],
            work: None,
            beats: 0,
            beat_now: false,
            reading: None,
            read: 0,
        }
    }

    /// Whether its process exists.
    pub fn runs(&self) -> bool {
        self.lives % 2 == 1
    }

    /// Whether it can take a step.
    pub fn acts(&self) -> bool {
        self.runs() && !self.paused
    }

    fn end(&mut self) {
        self.lives += 1;
        self.phase = Phase::Apart;
        self.streams.iter_mut().for_each(|stream| *stream = None);
        self.work = None;
        self.keeps_streams = false;
        self.beats = 0;
        self.beat_now = false;
        self.reading = None;
        self.read = 0;
        // Nothing of the process is left. Clear it, so that equal worlds compare equal.
        self.applied.iter_mut().for_each(|document| *document = Document::default());
        self.fence = Fence::new(
            BootId::from(""),
            Settings { cluster: String::new(), gateway: String::new(), lease: Span(0), about: BTreeMap::new() },
        );
    }

    /// Ends a conditional write.
    fn left(&mut self, now: Moment) {
        self.beat_now |= self.fence.leave(now);
    }

    fn own_change_came(&mut self, listed: bool) {
        if let Some(Work::Stored(change)) = self.work
            && self.applied.iter().any(|document| document.changes & change != 0)
        {
            let number = if listed { self.fence.ask_listed() } else { self.fence.ask() };
            self.work = Some(Work::Asked(change, number));
            self.beat_now = true;
        }
    }
}

impl Write {
    /// Whether this is a gateway's own document.
    pub fn is_beat(&self) -> bool {
        matches!(self, Self::Beat(_))
    }
}
