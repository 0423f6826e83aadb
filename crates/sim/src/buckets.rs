//! Deleting a bucket while others write below it: a minimal model whose steps are tried in every order.
//!
//! The fence is assumed to work as [`crate::model`] shows: a gateway whose lease runs has applied every change that was
//! waited for.

use stateright::{Model, Property};

/// How far the deletion of a bucket has got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stage {
    /// It has not begun.
    Active,
    /// It is announced, with a mark.
    Announced(u8),
    /// It is decided.
    Deleted,
}

/// The entry of a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Entry {
    /// The number of its creation; 0 for a directory that the filer made.
    pub id: u8,
    /// How far its deletion has got.
    pub stage: Stage,
}

/// What a gateway knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Gateway {
    /// How much of the store's history it has applied.
    applied: usize,
    lease: bool,
}

/// The next step of a writer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Writing {
    Decide,
    Upload,
    LookBefore,
    AskBefore,
    TakeAwayBefore(u8),
    Write,
    LookAfter,
    AskAfter,
    TakeAwayAfter(u8),
    TakeBack,
    Done(bool),
}

/// One request to write an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Writer {
    at: Writing,
    id: u8,
    has_entry: bool,
    has_data: bool,
}

/// The next step of a deletion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Deleting {
    Decide,
    Look,
    Announce,
    Wait,
    LookAgain,
    Commit,
    Volumes,
    Remove,
    Done(bool),
}

/// One request to delete the bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Deleter {
    at: Deleting,
    id: u8,
    mark: u8,
    since: usize,
    tries: u8,
}

/// The state at one moment. Writers and deleters use the gateway with their index, modulo the number of gateways.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct World {
    /// All states of the bucket's entry; the last one is the current one.
    history: Vec<Option<Entry>>,
    gateways: Vec<Gateway>,
    writers: Vec<Writer>,
    deleters: Vec<Deleter>,
    makers: u8,
    lapses: u8,
    names: u8,
}

/// One step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// A gateway applies the next change.
    Apply(usize),
    /// Its lease ends.
    Lapse(usize),
    /// It has a lease again.
    Renew(usize),
    /// A writer takes its next step.
    Write(usize),
    /// A deletion takes its next step.
    Delete(usize),
    /// Someone creates the bucket.
    Make,
}

/// The rules. Each can be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each rule applies or not")]
pub struct Rules {
    /// A deletion looks for objects after every gateway knows of it.
    pub wait: bool,
    /// A writer looks for a deletion after the write.
    pub look_after: bool,
    /// A deletion is decided only while its announcement is still there.
    pub compare_and_swap: bool,
    /// Two buckets with the same name are distinguished.
    pub ids: bool,
    /// The volumes are removed before the entry.
    pub volumes_first: bool,
    /// A directory that the filer made is not a bucket.
    pub bare_is_none: bool,
}

impl Rules {
    /// The actual protocol.
    pub const ALL: Self = Self {
        wait: true,
        look_after: true,
        compare_and_swap: true,
        ids: true,
        volumes_first: true,
        bare_is_none: true,
    };
}

/// All worlds with these numbers of each, under some rules.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the names are clear")]
pub struct Races {
    pub gateways: usize,
    pub writers: usize,
    pub deleters: usize,
    pub makers: u8,
    pub lapses: u8,
    pub rules: Rules,
}

/// What a successfully answered write stored is there.
pub const KEPT: &str = "an answered write is never lost";
/// In the end, a refused write is not there, nor is a bucket that was deleted and not created again.
pub const GONE: &str = "nothing comes back";
/// A bucket is deleted in some world.
pub const DELETED: &str = "a bucket is deleted";
/// In some world, a write succeeds although a deletion was announced.
pub const WRITTEN: &str = "a write keeps a bucket that was to be deleted";

impl World {
    fn stored(&self) -> Option<Entry> {
        self.history.last().copied().flatten()
    }

    fn is(&self, id: u8, stage: Stage) -> bool {
        self.stored() == Some(Entry { id, stage })
    }

    fn store(&mut self, entry: Option<Entry>) {
        self.history.push(entry);
    }

    fn gateway(&self, place: usize) -> &Gateway {
        &self.gateways[place % self.gateways.len()]
    }

    /// The bucket as this gateway knows it.
    fn known(&self, place: usize) -> Option<Entry> {
        self.history[self.gateway(place).applied]
    }

    /// The id of the bucket for which a request is decided.
    fn decided_for(&self, place: usize, rules: Rules) -> Option<u8> {
        let known = self.known(place).filter(|known| known.stage != Stage::Deleted)?;
        (known.id != 0 || !rules.bare_is_none).then_some(known.id)
    }

    fn has_objects(&self) -> bool {
        self.writers.iter().any(|writer| writer.has_entry)
    }

    fn write(&mut self, place: usize, rules: Rules) {
        let mut writer = self.writers[place];
        let same = |known: &Entry| known.id == writer.id || !rules.ids;
        writer.at = match writer.at {
            Writing::Decide => match self.decided_for(place, rules) {
                Some(id) => {
                    writer.id = id;
                    Writing::Upload
                }
                None => Writing::Done(false),
            },
            Writing::Upload => {
                writer.has_data = true;
                Writing::LookBefore
            }
            Writing::LookBefore | Writing::LookAfter => {
                let stands = |known: Entry| same(&known) && known.stage == Stage::Active;
                let knows = self.gateway(place).lease && self.known(place).is_some_and(stands);
                match (writer.at, knows) {
                    (Writing::LookBefore, true) => Writing::Write,
                    (Writing::LookBefore, false) => Writing::AskBefore,
                    (_, true) => Writing::Done(true),
                    (_, false) => Writing::AskAfter,
                }
            }
            Writing::AskBefore => match self.stored().filter(same).map(|stored| stored.stage) {
                Some(Stage::Active) => Writing::Write,
                Some(Stage::Announced(mark)) => Writing::TakeAwayBefore(mark),
                Some(Stage::Deleted) | None => Writing::Done(false),
            },
            Writing::AskAfter => match self.stored().filter(same).map(|stored| stored.stage) {
                Some(Stage::Active) => Writing::Done(true),
                Some(Stage::Announced(mark)) => Writing::TakeAwayAfter(mark),
                Some(Stage::Deleted) | None => Writing::TakeBack,
            },
            Writing::TakeAwayBefore(mark) => {
                if self.take_away(writer.id, mark) {
                    Writing::Write
                } else {
                    Writing::AskBefore
                }
            }
            Writing::TakeAwayAfter(mark) => {
                if self.take_away(writer.id, mark) {
                    Writing::Done(true)
                } else {
                    Writing::AskAfter
                }
            }
            Writing::Write => {
                writer.has_entry = true;
                if self.stored().is_none() {
                    self.store(Some(Entry { id: 0, stage: Stage::Active }));
                }
                if rules.look_after { Writing::LookAfter } else { Writing::Done(true) }
            }
            Writing::TakeBack => {
                writer.has_entry = false;
                let others = self.writers.iter().enumerate().any(|(other, writer)| other != place && writer.has_entry);
                if self.is(0, Stage::Active) && !others {
                    self.store(None);
                }
                Writing::Done(false)
            }
            done @ Writing::Done(_) => done,
        };
        self.writers[place] = writer;
    }

    fn take_away(&mut self, id: u8, mark: u8) -> bool {
        let stands = self.is(id, Stage::Announced(mark));
        if stands {
            self.store(Some(Entry { id, stage: Stage::Active }));
        }
        stands
    }

    fn delete(&mut self, place: usize, rules: Rules) {
        let mut deleter = self.deleters[place];
        deleter.at = match deleter.at {
            Deleting::Decide => match self.decided_for(place, rules) {
                Some(id) => {
                    deleter.id = id;
                    Deleting::Look
                }
                None => Deleting::Done(false),
            },
            Deleting::Look if self.has_objects() => Deleting::Done(false),
            Deleting::Look => Deleting::Announce,
            Deleting::Announce => match self.stored().filter(|stored| stored.id == deleter.id) {
                Some(Entry { stage: Stage::Announced(mark), .. }) => self.announced(&mut deleter, mark, rules),
                Some(Entry { stage: Stage::Active, id }) => {
                    self.names += 1;
                    let mark = self.names;
                    self.store(Some(Entry { id, stage: Stage::Announced(mark) }));
                    self.announced(&mut deleter, mark, rules)
                }
                _ => Deleting::Done(false),
            },
            Deleting::Wait => Deleting::LookAgain,
            Deleting::LookAgain if self.has_objects() => {
                self.take_away(deleter.id, deleter.mark);
                Deleting::Done(false)
            }
            Deleting::LookAgain => Deleting::Commit,
            Deleting::Commit => {
                let is_same = self.is(deleter.id, Stage::Announced(deleter.mark));
                if is_same || (!rules.compare_and_swap && self.stored().is_some()) {
                    self.store(Some(Entry { id: deleter.id, stage: Stage::Deleted }));
                    if rules.volumes_first { Deleting::Volumes } else { Deleting::Remove }
                } else if deleter.tries == 0 {
                    deleter.tries += 1;
                    Deleting::Look
                } else {
                    Deleting::Done(false)
                }
            }
            Deleting::Volumes => {
                self.writers.iter_mut().for_each(|writer| writer.has_data = false);
                if rules.volumes_first { Deleting::Remove } else { Deleting::Done(true) }
            }
            Deleting::Remove => {
                if self.is(deleter.id, Stage::Deleted) {
                    self.writers.iter_mut().for_each(|writer| writer.has_entry = false);
                    self.store(None);
                }
                if rules.volumes_first { Deleting::Done(true) } else { Deleting::Volumes }
            }
            done @ Deleting::Done(_) => done,
        };
        self.deleters[place] = deleter;
    }

    fn announced(&self, deleter: &mut Deleter, mark: u8, rules: Rules) -> Deleting {
        (deleter.mark, deleter.since) = (mark, self.history.len() - 1);
        if rules.wait { Deleting::Wait } else { Deleting::LookAgain }
    }

    fn is_known_everywhere(&self, since: usize) -> bool {
        self.gateways.iter().all(|gateway| !gateway.lease || gateway.applied >= since)
    }

    fn is_lost(&self) -> bool {
        self.writers.iter().any(|writer| writer.at == Writing::Done(true) && !(writer.has_entry && writer.has_data))
    }

    fn is_over(&self) -> bool {
        self.writers.iter().all(|writer| matches!(writer.at, Writing::Done(_)))
            && self.deleters.iter().all(|deleter| matches!(deleter.at, Deleting::Done(_)))
    }

    fn is_back(&self) -> bool {
        let refused = |writer: &Writer| writer.at == Writing::Done(false) && writer.has_entry;
        self.is_over() && (self.stored().is_some_and(|stored| stored.id == 0) || self.writers.iter().any(refused))
    }
}

impl Model for Races {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        let writer = Writer { at: Writing::Decide, id: 0, has_entry: false, has_data: false };
        let deleter = Deleter { at: Deleting::Decide, id: 0, mark: 0, since: 0, tries: 0 };
        vec![World {
            history: vec![Some(Entry { id: 1, stage: Stage::Active })],
            gateways: vec![Gateway { applied: 0, lease: true }; self.gateways],
            writers: vec![writer; self.writers],
            deleters: vec![deleter; self.deleters],
            makers: self.makers,
            lapses: self.lapses,
            names: 1,
        }]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        for (place, gateway) in world.gateways.iter().enumerate() {
            let is_current = gateway.applied + 1 == world.history.len();
            if !is_current {
                actions.push(Action::Apply(place));
            }
            if gateway.lease && world.lapses > 0 {
                actions.push(Action::Lapse(place));
            }
            if !gateway.lease && is_current {
                actions.push(Action::Renew(place));
            }
        }
        for (place, writer) in world.writers.iter().enumerate() {
            let may = world.gateway(place).lease || writer.at != Writing::Decide;
            if may && !matches!(writer.at, Writing::Done(_)) {
                actions.push(Action::Write(place));
            }
        }
        for (place, deleter) in world.deleters.iter().enumerate() {
            let may = match deleter.at {
                Deleting::Decide => world.gateway(place).lease,
                Deleting::Wait => world.is_known_everywhere(deleter.since),
                Deleting::Done(_) => false,
                _ => true,
            };
            if may {
                actions.push(Action::Delete(place));
            }
        }
        if world.makers > 0 && world.stored().is_none() {
            actions.push(Action::Make);
        }
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        let mut next = world.clone();
        match action {
            Action::Apply(place) => next.gateways[place].applied += 1,
            Action::Lapse(place) => {
                next.gateways[place].lease = false;
                next.lapses -= 1;
            }
            Action::Renew(place) => next.gateways[place].lease = true,
            Action::Write(place) => next.write(place, self.rules),
            Action::Delete(place) => next.delete(place, self.rules),
            Action::Make => {
                next.makers -= 1;
                next.names += 1;
                let id = next.names;
                next.store(Some(Entry { id, stage: Stage::Active }));
            }
        }
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(KEPT, |_, world: &World| !world.is_lost()),
            Property::always(GONE, |_, world: &World| !world.is_back()),
            Property::sometimes(DELETED, |_, world: &World| {
                world.deleters.iter().any(|deleter| deleter.at == Deleting::Done(true))
            }),
            Property::sometimes(WRITTEN, |_, world: &World| {
                world.names > 1 && world.writers.iter().any(|writer| writer.at == Writing::Done(true))
            }),
        ]
    }
}
