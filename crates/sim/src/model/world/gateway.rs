//! One gateway, its streams and what it writes.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use fence::{Beat, BootId, Fence, FilerName, Listing, Moment, Settings, Span};

use crate::model::{Bounds, LEASE, UNIT_NS};

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

impl Gateway {
    pub(super) fn new(gateway: usize, lives: u8, bounds: &Bounds) -> Self {
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

    pub(super) fn end(&mut self) {
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
    pub(super) fn left(&mut self, now: Moment) {
        self.beat_now |= self.fence.leave(now);
    }

    pub(super) fn own_change_came(&mut self, listed: bool) {
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
