//! The database as it is at one moment.

use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind};

use redb::{ReadTransaction, ReadableDatabase};
use serde::{Deserialize, Serialize};

use super::frame::{Frame, Kind};
use super::hold::Hold;
use crate::embedded::Shared;
use crate::embedded::database::Trouble;
use crate::embedded::layout;
use crate::embedded::tables::{ENTRIES, SMALL};
use crate::filer::FilerError;

/// Bytes of records that are read at once.
const BATCH_BYTES: usize = 1 << 20;

/// What a store says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Facts {
    /// Distinguishes this store from others.
    pub(super) signature: i32,
    /// How many times it has been opened.
    pub(super) start: u64,
    /// Data files of starts from this one on have checksums.
    pub(super) sums_from: u64,
    /// The format of records and data files.
    pub(super) store_format: u64,
}

/// The database of one moment. Everything that was acknowledged by then is in it.
pub(super) struct Frozen {
    read: ReadTransaction,
    pub(super) facts: Facts,
}

impl Frozen {
    /// Freezes the present moment. The hold was taken before, so that the data files which the database names stay.
    pub(super) fn of(shared: &Shared, _hold: &Hold) -> Result<Frozen, FilerError> {
        let read = shared.store.read(|database| Ok(database.begin_read()?))?;
        let facts = Facts {
            signature: shared.signature,
            start: shared.start,
            sums_from: shared.sums_from,
            store_format: layout::FORMAT,
        };
        Ok(Frozen { read, facts })
    }

    /// The records of a kind after a key (from the first one, if `None`), about [`BATCH_BYTES`]. Empty at the end.
    pub(super) fn records(&self, kind: Kind, after: Option<&[u8]>) -> Result<Vec<Frame>, FilerError> {
        let read = || match kind {
            Kind::Small => self.small(after),
            _ => self.entries(after),
        };
        // As for all reads, a panic inside redb counts as corruption.
        match catch_unwind(AssertUnwindSafe(read)) {
            Ok(Ok(frames)) => Ok(frames),
            Ok(Err(error)) => Err(Trouble::of(error).into()),
            Err(_) => Err(Trouble::Damaged("reading it made the database panic".to_owned()).into()),
        }
    }

    fn entries(&self, after: Option<&[u8]>) -> Result<Vec<Frame>, redb::Error> {
        let entries = self.read.open_table(ENTRIES)?;
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut batch = Batch::default();
        for row in entries.range::<&[u8]>((from, Bound::Unbounded))? {
            let (key, stored) = row?;
            if batch.is_full_after(Frame::new(Kind::Entry, key.value().to_vec(), stored.value().to_vec())) {
                break;
            }
        }
        Ok(batch.frames)
    }

    fn small(&self, after: Option<&[u8]>) -> Result<Vec<Frame>, redb::Error> {
        let small = self.read.open_table(SMALL)?;
        let after = after.and_then(|key| key.try_into().ok()).map(u64::from_be_bytes);
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut batch = Batch::default();
        for row in small.range::<u64>((from, Bound::Unbounded))? {
            let (id, content) = row?;
            if batch.is_full_after(Frame::new(Kind::Small, id.value().to_be_bytes().to_vec(), content.value().to_vec()))
            {
                break;
            }
        }
        Ok(batch.frames)
    }
}

#[derive(Default)]
struct Batch {
    frames: Vec<Frame>,
    bytes: usize,
}

impl Batch {
    fn is_full_after(&mut self, frame: Frame) -> bool {
        self.bytes += frame.bytes();
        self.frames.push(frame);
        self.bytes >= BATCH_BYTES
    }
}
