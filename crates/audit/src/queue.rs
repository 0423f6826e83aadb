//! What waits for the thread of a sink: encoded records, in batches that are written at once.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use iam_formats::SinkSettings;
use tokio::sync::oneshot;

/// How many bytes are written at once, about: a record is never split.
const BATCH_BYTES: usize = 1 << 20;

/// Records that are written together.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) lines: Vec<u8>,
    /// How many lines there are.
    pub(crate) number: u64,
    /// Where the lines of each record end.
    pub(crate) ends: Vec<usize>,
    /// Told once all of them are written.
    pub(crate) done: Vec<oneshot::Sender<()>>,
}

/// How far a batch is written.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// The bytes that need not be written again.
    pub(crate) bytes: usize,
    /// The lines among them that the receiver refused for good.
    pub(crate) refused: u64,
}

/// What the thread does next.
pub(crate) enum Next {
    Write(Batch),
    Change(Box<SinkSettings>),
    /// Nothing came in time.
    Rest,
    Stop,
}

/// The queue of a sink. Requests add to it, and its thread takes from it.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    state: Mutex<State>,
    arrived: Condvar,
}

#[derive(Debug, Default)]
struct State {
    batches: VecDeque<Batch>,
    /// A batch that was written, whose memory the next one uses.
    spare: Option<Batch>,
    change: Option<Box<SinkSettings>>,
    stops: bool,
    /// The thread has ended: nobody takes anything any more.
    closed: bool,
    /// The thread waits to be woken.
    waits: bool,
}

impl Queue {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds the lines of a record, `number` of them. False if the thread has ended.
    pub(crate) fn push(&self, lines: &[u8], number: usize, done: Option<oneshot::Sender<()>>) -> bool {
        let mut state = self.state();
        if state.closed {
            return false;
        }
        state.add(lines, number, done);
        self.wake(state);
        true
    }

    /// Whether the thread has ended.
    pub(crate) fn is_closed(&self) -> bool {
        self.state().closed
    }

    /// Tells the thread other settings.
    pub(crate) fn change(&self, settings: Box<SinkSettings>) {
        let mut state = self.state();
        state.change = Some(settings);
        self.wake(state);
    }

    /// Lets the thread end once it has written what waits.
    pub(crate) fn stop(&self) {
        let mut state = self.state();
        state.stops = true;
        self.wake(state);
    }

    fn wake(&self, mut state: MutexGuard<'_, State>) {
        if std::mem::take(&mut state.waits) {
            drop(state);
            self.arrived.notify_one();
        }
    }

    /// Waits until there is something to do, but not longer than this. Whether a batch is full.
    pub(crate) fn wait(&self, longest: Duration) -> bool {
        let mut state = self.state();
        if state.is_idle() {
            state.waits = true;
            let waiting = self.arrived.wait_timeout_while(state, longest, |state| state.is_idle());
            state = waiting.unwrap_or_else(PoisonError::into_inner).0;
            state.waits = false;
        }
        state.batches.len() > 1
    }

    /// What is to be done now. After [`Next::Stop`] nothing can be added.
    pub(crate) fn next(&self) -> Next {
        let mut state = self.state();
        if let Some(settings) = state.change.take() {
            return Next::Change(settings);
        }
        match state.batches.pop_front() {
            Some(batch) => Next::Write(batch),
            None if state.stops => {
                state.closed = true;
                Next::Stop
            }
            None => Next::Rest,
        }
    }

    /// Gives back a batch that was written, for its memory.
    pub(crate) fn reuse(&self, mut batch: Batch) {
        batch.lines.clear();
        batch.number = 0;
        batch.ends.clear();
        batch.done.clear();
        if batch.lines.capacity() <= 2 * BATCH_BYTES {
            self.state().spare = Some(batch);
        }
    }

    /// Takes nothing any more. Returns how many records still waited.
    pub(crate) fn close(&self) -> usize {
        let mut state = self.state();
        state.closed = true;
        state.batches.drain(..).map(|batch| batch.ends.len()).sum()
    }
}

impl State {
    fn is_idle(&self) -> bool {
        self.batches.is_empty() && self.change.is_none() && !self.stops
    }

    /// Adds to the last batch, or to a new one if there is no room.
    fn add(&mut self, lines: &[u8], number: usize, done: Option<oneshot::Sender<()>>) {
        let has_room = |last: &Batch| last.lines.len() + lines.len() <= BATCH_BYTES;
        if !self.batches.back().is_some_and(has_room) {
            self.batches.push_back(self.spare.take().unwrap_or_default());
        }
        if let Some(batch) = self.batches.back_mut() {
            batch.lines.extend_from_slice(lines);
            batch.number += number as u64;
            batch.ends.push(batch.lines.len());
            batch.done.extend(done);
        }
    }
}
