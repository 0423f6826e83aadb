//! Room on the disk. Objects are refused before the disk is full, so that what frees space, and what takes rights away,
//! still works: a file of reserve is given up when the database finds no room in spite of that.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::fs::{FallocateFlags, StatVfsMountFlags, fallocate, statvfs};

use super::BUCKETS_ROOT;
use crate::filer::{Condition, FilerError, Mutation, Transaction};

const MIB: u64 = 1 << 20;
/// The name of the file that is given up on a full disk.
pub(super) const RESERVE_FILE: &str = "reserve";
/// How long the answer that there is plenty of room is reused. Any other answer is asked for again each time.
const FRESH: Duration = Duration::from_millis(100);

/// What the disk has room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiskSpace {
    /// Everything.
    Enough,
    /// Deletions, and changes that are small: almost nothing is free.
    Low,
    /// Nothing: the file system is read-only.
    ReadOnly,
}

/// The disk of a directory.
#[derive(Debug)]
pub(super) struct Space {
    directory: PathBuf,
    reserve: PathBuf,
    seen: Mutex<Option<(Instant, Disk)>>,
    #[cfg(any(test, feature = "conformance"))]
    faults: Mutex<Option<Fault>>,
}

/// Calls that fail on demand, for tests.
#[cfg(any(test, feature = "conformance"))]
#[derive(Debug)]
struct Fault {
    calls_before: u64,
    kind: io::ErrorKind,
}

/// What the system says about a disk.
#[derive(Debug, Clone, Copy)]
struct Disk {
    total_bytes: u64,
    free_bytes: u64,
    is_read_only: bool,
}

impl Disk {
    /// Objects are refused when less than this is free: 2 % of the disk, 8 MiB to 1 GiB.
    fn watermark(&self) -> u64 {
        (self.total_bytes / 50).clamp(8 * MIB, 1024 * MIB)
    }

    /// 1 % of the disk, 1 to 4 MiB.
    fn reserve_bytes(&self) -> u64 {
        (self.total_bytes / 100).clamp(MIB, 4 * MIB)
    }
}

/// Whether an error says that the disk takes no more bytes.
pub(super) fn is_refusal(kind: io::ErrorKind) -> bool {
    use io::ErrorKind::{QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    matches!(kind, StorageFull | QuotaExceeded | ReadOnlyFilesystem)
}

impl Space {
    pub(super) fn of(directory: &Path) -> Space {
        Space {
            directory: directory.to_owned(),
            reserve: directory.join(RESERVE_FILE),
            seen: Mutex::new(None),
            #[cfg(any(test, feature = "conformance"))]
            faults: Mutex::new(None),
        }
    }

    /// The disk as it is, or as it was at most [`FRESH`] ago with much room; `None` if the system does not say.
    fn disk(&self) -> Option<Disk> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, disk)) = seen.filter(|(at, _)| at.elapsed() < FRESH) {
            return Some(disk);
        }
        let found = statvfs(&self.directory).ok()?;
        let disk = Disk {
            total_bytes: found.f_blocks.saturating_mul(found.f_frsize),
            free_bytes: found.f_bavail.saturating_mul(found.f_frsize),
            is_read_only: found.f_flag.contains(StatVfsMountFlags::RDONLY),
        };
        let has_much_room = !disk.is_read_only && disk.free_bytes / 2 > disk.watermark();
        *seen = has_much_room.then(|| (Instant::now(), disk));
        Some(disk)
    }

    /// What there is room for, and how many bytes are free.
    pub(super) fn room(&self) -> (DiskSpace, u64) {
        match self.disk() {
            None => (DiskSpace::Enough, 0),
            Some(disk) if disk.is_read_only => (DiskSpace::ReadOnly, disk.free_bytes),
            Some(disk) if disk.free_bytes < disk.watermark() => (DiskSpace::Low, disk.free_bytes),
            Some(disk) => (DiskSpace::Enough, disk.free_bytes),
        }
    }

    /// Refuses data if the disk would not have enough room afterwards.
    pub(super) fn admit(&self, bytes: u64) -> Result<(), FilerError> {
        match self.disk() {
            Some(disk) if disk.is_read_only => Err(self.read_only()),
            Some(disk) if disk.free_bytes < disk.watermark().saturating_add(bytes) => Err(FilerError::Full(format!(
                "{} MiB are free on the disk of `{}`",
                disk.free_bytes / MIB,
                self.directory.display()
            ))),
            _ => Ok(()),
        }
    }

    fn read_only(&self) -> FilerError {
        FilerError::Full(format!("the disk of `{}` is read-only", self.directory.display()))
    }

    /// Refuses a transaction that there is no room for. Below the watermark objects and buckets are no longer put.
    /// Everything else, IAM documents above all, goes on as long as the reserve is there, and after that unless it
    /// creates something.
    pub(super) fn admit_transaction(&self, transaction: &Transaction) -> Result<(), FilerError> {
        let (room, free_bytes) = self.room();
        let full = || {
            FilerError::Full(format!("{} MiB are free on the disk of `{}`", free_bytes / MIB, self.directory.display()))
        };
        match room {
            DiskSpace::Enough => Ok(()),
            DiskSpace::ReadOnly => Err(self.read_only()),
            DiskSpace::Low if transaction.mutations.iter().any(puts_below_buckets) => Err(full()),
            DiskSpace::Low if transaction.conditions.contains(&Condition::NotExists) && !self.reserve.exists() => {
                Err(full())
            }
            DiskSpace::Low => Ok(()),
        }
    }

    /// Gives the reserve up. False if it is not there.
    pub(super) fn release(&self) -> bool {
        let released = fs::remove_file(&self.reserve).is_ok();
        if released {
            tracing::error!(directory = %self.directory.display(), "the disk is full; the reserve is given up for deletions and IAM changes");
        }
        released
    }

    /// Creates the reserve if it is missing and there is room for it.
    pub(super) fn restore(&self) {
        let Some(disk) = self.disk() else { return };
        let bytes = disk.reserve_bytes();
        if disk.is_read_only || self.reserve.exists() || disk.free_bytes < disk.watermark() + bytes {
            return;
        }
        if let Err(error) = self.fill(bytes) {
            tracing::warn!(%error, "the reserve for a full disk could not be created");
            let _ = fs::remove_file(&self.reserve);
        }
    }

    fn fill(&self, bytes: u64) -> io::Result<()> {
        let file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&self.reserve)?;
        fallocate(&file, FallocateFlags::empty(), 0, bytes).map_err(io::Error::from)
    }

    /// Runs something that needs room. If the disk is full, gives up the reserve and runs it once more.
    pub(super) fn with_reserve(&self, write: impl Fn() -> io::Result<()>) -> io::Result<()> {
        match self.fault().and_then(|()| write()) {
            Err(error) if error.kind() == io::ErrorKind::StorageFull && self.release() => write(),
            result => result,
        }
    }

    /// The error that a test wants here.
    #[cfg(any(test, feature = "conformance"))]
    pub(super) fn fault(&self) -> io::Result<()> {
        let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *faults {
            None => Ok(()),
            Some(Fault { calls_before: 0, kind }) => Err((*kind).into()),
            Some(fault) => {
                fault.calls_before -= 1;
                Ok(())
            }
        }
    }

    /// Nothing fails on demand outside of tests.
    #[cfg(not(any(test, feature = "conformance")))]
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "the seam of the faults that tests inject")]
    pub(super) fn fault(&self) -> io::Result<()> {
        Ok(())
    }

    /// Makes writes and syncs fail after so many more of them, or no longer.
    #[cfg(any(test, feature = "conformance"))]
    pub(super) fn set_fault(&self, fault: Option<(u64, io::ErrorKind)>) {
        let fault = fault.map(|(calls_before, kind)| Fault { calls_before, kind });
        *self.faults.lock().unwrap_or_else(PoisonError::into_inner) = fault;
    }
}

/// Whether a step puts a bucket or an object. Deleting a directory marker puts a plain directory in its place.
fn puts_below_buckets(mutation: &Mutation) -> bool {
    let Mutation::Put { directory, entry } = mutation else { return false };
    match directory.strip_prefix(BUCKETS_ROOT) {
        Some("") => true,
        Some(below) => below.starts_with('/') && !entry.is_directory,
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (total_mib, watermark_mib, reserve_mib) in
            [(32, 8, 1), (200, 8, 2), (1000, 20, 4), (100_000, 1024, 4), (10_000_000, 1024, 4)]
        {
            let disk = Disk { total_bytes: total_mib * MIB, free_bytes: 0, is_read_only: false };
            assert_eq!(
                (disk.watermark() / MIB, disk.reserve_bytes() / MIB),
                (watermark_mib, reserve_mib),
                "{total_mib}"
            );
        }
    }
}
