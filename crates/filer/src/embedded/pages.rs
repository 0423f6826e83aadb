//! The file of the database: the pages that redb sees, each with a checksum that is verified when the page is read.
//!
//! redb has checksums of its own but verifies them only after some crashes, and it may panic on a page that has
//! changed. Below it, every page is either what was written or an error. This covers all records, inline content, and
//! the tree that leads to them, so that nothing goes missing unnoticed either.
//!
//! The file consists of groups: one page of checksums, then [`GROUP_PAGES`] pages of the database. Checksums reach the
//! file before, or in the same sync as, the pages that they belong to, and redb points to a page only after a sync. So
//! after a crash or a write that failed, only pages that nothing points to can differ from their checksums. They may stay
//! that way for a long time, so the file records that such pages may exist. The exception is the first page, redb's header: it
//! is overwritten in place, and has checksums of its own against torn writes. Its checksum here counts only if the file
//! was closed in order.

use std::collections::{BTreeSet, HashSet};
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, RwLock, RwLockReadGuard, RwLockWriteGuard};

use redb::StorageBackend;

use super::blocks::checksum;
use super::space::Space;

/// Bytes of a page.
pub(super) const PAGE_BYTES: u64 = 4096;
/// Pages of the database in one group.
const GROUP_PAGES: u64 = 1020;
/// The beginning of each page of checksums: magic, number of the group, and how the file was left.
const HEADER_BYTES: usize = 16;
const MAGIC: [u8; 8] = *b"kgpages1";
/// Bytes of a checksum.
const SUM_BYTES: usize = 4;
/// How a file was left that was closed in order, and in which every page matches its checksum.
const CLOSED: u32 = 1;
/// How a file was left that was closed in order, and in which pages that nothing points to may differ.
const CLOSED_WITH_LEFTOVERS: u32 = 2;
/// Stands for a page that was never written, which consists of zeros.
const NEVER_WRITTEN: u32 = 0;

/// A page of the database file that is not what was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("page {page} of the database, at offset {offset} of its file, does not match its checksum")]
pub(super) struct DamagedPage {
    /// Its number, from 0.
    pub(super) page: u64,
    /// Where it is in the file, in bytes.
    pub(super) offset: u64,
}

impl DamagedPage {
    fn at(page: u64) -> DamagedPage {
        DamagedPage { page, offset: place_of(page) }
    }

    /// The damaged page that caused an error of the database.
    pub(super) fn cause_of(error: &redb::Error) -> Option<DamagedPage> {
        let redb::Error::Io(error) = error else { return None };
        error.get_ref()?.downcast_ref::<DamagedPage>().copied()
    }
}

/// The file and its checksums. It outlives a database that has to be opened again.
#[derive(Debug)]
pub(super) struct Pages {
    file: File,
    space: Arc<Space>,
    state: RwLock<State>,
    /// Whether the file says that it was closed in order, or should say so.
    closed_in_order: AtomicBool,
    /// Whether the file could not be made to say it yet. The next write tries again.
    is_unsaid: AtomicBool,
    /// Whether a crash or a failed write may have left pages that differ from their checksums and that nothing points to.
    has_leftovers: AtomicBool,
    /// Whether the last sync failed.
    sync_failed: AtomicBool,
    /// Whether the database is being opened.
    is_opening: AtomicBool,
    /// How many pages were found damaged when they were read.
    damaged: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    /// One for each page of the database.
    sums: Vec<u32>,
    /// Groups whose checksums have changed since they were written.
    changed_groups: BTreeSet<u64>,
    /// Pages that were written since the last sync that succeeded.
    unsynced: BTreeSet<u64>,
    /// Pages written since then, which are no leftovers; kept only while there may be leftovers.
    written: HashSet<u64>,
}

/// Where a page is in the file.
fn place_of(page: u64) -> u64 {
    (page / GROUP_PAGES * (GROUP_PAGES + 1) + 1 + page % GROUP_PAGES) * PAGE_BYTES
}

/// Where the checksums of a group are in the file.
fn sums_place_of(group: u64) -> u64 {
    group * (GROUP_PAGES + 1) * PAGE_BYTES
}

/// The checksum of a page. It includes the page's number, so that a page in the place of another one is found.
fn sum_of(page: u64, bytes: &[u8]) -> u32 {
    checksum(bytes).wrapping_add((page as u32).wrapping_mul(0x9e37_79b9)).max(NEVER_WRITTEN + 1)
}

fn invalid(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

impl Pages {
    /// Whether a file that begins like this is of this kind.
    pub(super) fn is_begun_by(bytes: &[u8]) -> bool {
        bytes.starts_with(&MAGIC)
    }

    /// Reads the checksums of a file. An empty file becomes a database without pages.
    pub(super) fn open(file: File, space: Arc<Space>) -> io::Result<Pages> {
        let mut all_bytes = file.metadata()?.len();
        if all_bytes == 0 {
            // A crash leaves an empty file, or one that says what it is.
            let mut bytes = MAGIC.to_vec();
            bytes.resize(PAGE_BYTES as usize, 0);
            file.write_all_at(&bytes, 0)?;
            file.sync_all()?;
            all_bytes = PAGE_BYTES;
        }
        let all_pages = all_bytes / PAGE_BYTES;
        let groups = all_pages.div_ceil(GROUP_PAGES + 1);
        let pages = all_pages - groups;
        let mut sums = Vec::with_capacity(pages as usize);
        let mut closing_mark = 0;
        for group in 0..groups {
            let mut bytes = [0; PAGE_BYTES as usize];
            file.read_exact_at(&mut bytes, sums_place_of(group))?;
            let (header, table) = bytes.split_at(HEADER_BYTES);
            // A crash may have come between the growth of the file and the first checksums of a group.
            let is_new = group > 0 && bytes.iter().all(|byte| *byte == 0);
            if !is_new && !header.starts_with(&[MAGIC.as_slice(), &(group as u32).to_le_bytes()].concat()) {
                let offset = sums_place_of(group);
                return Err(invalid(format!("the checksums at offset {offset} are not what was written there")));
            }
            if group == 0 {
                closing_mark = header.last_chunk().map_or(0, |mark| u32::from_le_bytes(*mark));
            }
            let (table, _) = table.as_chunks::<SUM_BYTES>();
            let here = (pages - group * GROUP_PAGES).min(GROUP_PAGES) as usize;
            sums.extend(table.iter().take(here).map(|sum| u32::from_le_bytes(*sum)));
        }
        let state = RwLock::new(State { sums, ..State::default() });
        Ok(Pages {
            file,
            space,
            state,
            closed_in_order: AtomicBool::new(matches!(closing_mark, CLOSED | CLOSED_WITH_LEFTOVERS)),
            is_unsaid: AtomicBool::new(false),
            has_leftovers: AtomicBool::new(pages > 0 && closing_mark != CLOSED),
            sync_failed: AtomicBool::new(false),
            is_opening: AtomicBool::new(false),
            damaged: AtomicU64::new(0),
        })
    }

    /// How many pages were found damaged so far when they were read.
    pub(super) fn damaged(&self) -> u64 {
        self.damaged.load(Ordering::Relaxed)
    }

    /// How many pages the database has.
    pub(super) fn count(&self) -> u64 {
        self.state().sums.len() as u64
    }

    /// Reads a page and compares it with its checksum; `None` if it is whole. The header is not compared: it is
    /// checked whenever the file is opened.
    pub(super) fn verify(&self, page: u64) -> Option<DamagedPage> {
        // A page that is just being written is followed by its checksum in a moment.
        for wait in [0, 1, 20] {
            std::thread::sleep(std::time::Duration::from_millis(wait));
            if page >= self.count() || page == 0 || self.is_whole(page) {
                return None;
            }
        }
        Some(DamagedPage::at(page))
    }

    /// Whether a page that does not match its checksum may be one that was being written when a crash came or a write
    /// failed, and that nothing points to.
    pub(super) fn may_be_unused(&self, page: u64) -> bool {
        self.has_leftovers.load(Ordering::Relaxed) && !self.state().written.contains(&page)
    }

    fn is_whole(&self, page: u64) -> bool {
        let mut bytes = [0; PAGE_BYTES as usize];
        let expected = self.state().sums.get(page as usize).copied();
        self.read_unchecked(page, &mut bytes).is_ok() && expected.is_some_and(|sum| matches(page, &bytes, sum))
    }

    /// A page as it is in the file, whatever it contains; empty if it cannot be read.
    pub(super) fn raw(&self, page: u64) -> Vec<u8> {
        let mut bytes = vec![0; PAGE_BYTES as usize];
        self.read_unchecked(page, &mut bytes).map_or_else(|_| Vec::new(), |()| bytes)
    }

    fn state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn state_mut(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn len(&self) -> u64 {
        self.state().sums.len() as u64 * PAGE_BYTES
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.space.with_reserve(|| self.file.write_all_at(bytes, offset))
    }

    fn sync_file(&self) -> io::Result<()> {
        self.space.with_reserve(|| self.file.sync_data())
    }

    /// Reads whole pages from the file, and checks them.
    fn read_pages(&self, first: u64, out: &mut [u8]) -> io::Result<()> {
        self.read_unchecked(first, out)?;
        let state = self.state();
        for (page, bytes) in (first..).zip(out.chunks(PAGE_BYTES as usize)) {
            let expected = state.sums.get(page as usize).copied().unwrap_or(NEVER_WRITTEN);
            let counts = page > 0 || self.closed_in_order.load(Ordering::Relaxed);
            if counts && !matches(page, bytes, expected) {
                self.damaged.fetch_add(1, Ordering::Relaxed);
                return Err(invalid(DamagedPage::at(page)));
            }
        }
        Ok(())
    }

    fn read_unchecked(&self, first: u64, out: &mut [u8]) -> io::Result<()> {
        let (mut page, mut out) = (first, out);
        while !out.is_empty() {
            let run_bytes = ((GROUP_PAGES - page % GROUP_PAGES) * PAGE_BYTES) as usize;
            let (run, rest) = out.split_at_mut(run_bytes.min(out.len()));
            self.file.read_exact_at(run, place_of(page))?;
            page += run.len() as u64 / PAGE_BYTES;
            out = rest;
        }
        Ok(())
    }

    /// Writes whole pages.
    fn write_pages(&self, first: u64, bytes: &[u8]) -> io::Result<()> {
        let pages = first..first + bytes.len() as u64 / PAGE_BYTES;
        self.write_runs(first, bytes).inspect_err(|_| self.note_leftovers(pages.clone()))?;
        let mut state = self.state_mut();
        let has_leftovers = self.has_leftovers.load(Ordering::Relaxed);
        for (page, bytes) in pages.zip(bytes.chunks(PAGE_BYTES as usize)) {
            if let Some(sum) = state.sums.get_mut(page as usize) {
                *sum = sum_of(page, bytes);
            }
            state.changed_groups.insert(page / GROUP_PAGES);
            state.unsynced.insert(page);
            if has_leftovers {
                state.written.insert(page);
            }
        }
        Ok(())
    }

    /// Notes that some of these pages may have been written and do not match their checksums.
    fn note_leftovers(&self, pages: Range<u64>) {
        let mut state = self.state_mut();
        self.has_leftovers.store(true, Ordering::Relaxed);
        state.written.retain(|page| !pages.contains(page));
    }

    fn write_runs(&self, first: u64, bytes: &[u8]) -> io::Result<()> {
        let (mut page, mut rest) = (first, bytes);
        while !rest.is_empty() {
            let run_bytes = ((GROUP_PAGES - page % GROUP_PAGES) * PAGE_BYTES) as usize;
            let (run, left) = rest.split_at(run_bytes.min(rest.len()));
            self.write_at(run, place_of(page))?;
            page += run.len() as u64 / PAGE_BYTES;
            rest = left;
        }
        Ok(())
    }

    /// Writes the checksums that have changed.
    fn write_sums(&self) -> io::Result<()> {
        let mut changed = std::mem::take(&mut self.state_mut().changed_groups);
        while let Some(group) = changed.first().copied() {
            if let Err(error) = self.write_at(&self.sums_page(group), sums_place_of(group)) {
                self.state_mut().changed_groups.extend(changed);
                return Err(error);
            }
            changed.remove(&group);
        }
        Ok(())
    }

    fn sums_page(&self, group: u64) -> Vec<u8> {
        let closing_mark = match (group, self.closed_in_order.load(Ordering::Relaxed)) {
            (0, true) if self.has_leftovers.load(Ordering::Relaxed) => CLOSED_WITH_LEFTOVERS,
            (0, true) => CLOSED,
            _ => 0,
        };
        let mut bytes = [MAGIC.as_slice(), &(group as u32).to_le_bytes(), &closing_mark.to_le_bytes()].concat();
        let state = self.state();
        let sums = state.sums.iter().skip((group * GROUP_PAGES) as usize).take(GROUP_PAGES as usize);
        bytes.extend(sums.flat_map(|sum| sum.to_le_bytes()));
        bytes.resize(PAGE_BYTES as usize, 0);
        bytes
    }

    /// Says in the file whether it is closed in order. Durable when it returns.
    fn set_closed_in_order(&self, in_order: bool) -> io::Result<()> {
        let is_said = self.closed_in_order.swap(in_order, Ordering::Relaxed) == in_order;
        if is_said && !self.is_unsaid.load(Ordering::Relaxed) || self.len() == 0 {
            return Ok(());
        }
        self.is_unsaid.store(true, Ordering::Relaxed);
        self.write_at(&self.sums_page(0), sums_place_of(0))?;
        self.sync_file()?;
        self.is_unsaid.store(false, Ordering::Relaxed);
        Ok(())
    }

    fn set_len(&self, bytes: u64) -> io::Result<()> {
        let pages = bytes.div_ceil(PAGE_BYTES);
        self.file.set_len((pages + pages.div_ceil(GROUP_PAGES).max(1)) * PAGE_BYTES)?;
        let mut state = self.state_mut();
        let before = state.sums.len() as u64;
        state.sums.resize(pages as usize, NEVER_WRITTEN);
        state.unsynced.retain(|page| *page < pages);
        state.changed_groups.retain(|group| group * GROUP_PAGES < pages);
        let groups = before.min(pages) / GROUP_PAGES..pages.div_ceil(GROUP_PAGES);
        state.changed_groups.extend(groups);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        if self.sync_failed.load(Ordering::Relaxed) {
            self.write_unsynced()?;
        }
        self.write_sums()?;
        let syncing = std::mem::take(&mut self.state_mut().unsynced);
        let synced = self.sync_file().inspect_err(|_| self.state_mut().unsynced.extend(syncing));
        self.sync_failed.store(synced.is_err(), Ordering::Relaxed);
        synced
    }

    /// Writes once more what a failed sync may have lost: the system forgets that it did not reach the disk.
    fn write_unsynced(&self) -> io::Result<()> {
        let unsynced = self.state().unsynced.clone();
        for page in unsynced {
            let mut bytes = [0; PAGE_BYTES as usize];
            self.read_unchecked(page, &mut bytes)?;
            self.write_at(&bytes, place_of(page))?;
            self.state_mut().changed_groups.insert(page / GROUP_PAGES);
        }
        Ok(())
    }

    /// Runs what opens the database. All that it writes is a note in the header that the file is in use. On a disk that
    /// takes no more bytes it goes without, so that reads go on.
    pub(super) fn while_opening<T>(&self, open: impl FnOnce() -> T) -> T {
        self.is_opening.store(true, Ordering::Relaxed);
        let opened = open();
        self.is_opening.store(false, Ordering::Relaxed);
        opened
    }

    fn forgiven(&self, result: io::Result<()>) -> io::Result<()> {
        match result {
            Err(error) if self.is_opening.load(Ordering::Relaxed) && self.crashed_or_failed() => {
                tracing::warn!(%error, "the metadata database is opened on a disk that cannot be written");
                Ok(())
            }
            result => result,
        }
    }

    /// Whether the file already says that it is in use.
    fn crashed_or_failed(&self) -> bool {
        !self.closed_in_order.load(Ordering::Relaxed) && self.len() > 0
    }
}

fn matches(page: u64, bytes: &[u8], expected: u32) -> bool {
    match expected {
        NEVER_WRITTEN => bytes.iter().all(|byte| *byte == 0),
        sum => sum == sum_of(page, bytes),
    }
}

/// The pages as redb uses them.
#[derive(Debug)]
pub(super) struct Backend {
    pages: Arc<Pages>,
    /// Whether a call has failed. The file then does not count as closed in order.
    failed: AtomicBool,
}

impl Backend {
    pub(super) fn new(pages: Arc<Pages>) -> Backend {
        Backend { pages, failed: AtomicBool::new(false) }
    }

    fn noted<T>(&self, result: io::Result<T>) -> io::Result<T> {
        if result.is_err() {
            self.failed.store(true, Ordering::Relaxed);
        }
        result
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let pages = &self.pages;
        pages.set_closed_in_order(false)?;
        if offset == 0 {
            // The header may point to what was written before it.
            pages.write_sums()?;
        }
        let (first, before) = (offset / PAGE_BYTES, (offset % PAGE_BYTES) as usize);
        if before == 0 && (data.len() as u64).is_multiple_of(PAGE_BYTES) {
            return pages.write_pages(first, data);
        }
        let count = (before + data.len()).div_ceil(PAGE_BYTES as usize);
        let mut whole = vec![0; count * PAGE_BYTES as usize];
        pages.read_pages(first, &mut whole)?;
        if let Some(changed) = whole.get_mut(before..before + data.len()) {
            changed.copy_from_slice(data);
        }
        pages.write_pages(first, &whole)
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let (first, before) = (offset / PAGE_BYTES, (offset % PAGE_BYTES) as usize);
        if before == 0 && (out.len() as u64).is_multiple_of(PAGE_BYTES) {
            return self.pages.read_pages(first, out);
        }
        let count = (before + out.len()).div_ceil(PAGE_BYTES as usize);
        let mut whole = vec![0; count * PAGE_BYTES as usize];
        self.pages.read_pages(first, &mut whole)?;
        if let Some(wanted) = whole.get(before..before + out.len()) {
            out.copy_from_slice(wanted);
        }
        Ok(())
    }
}

impl StorageBackend for Backend {
    fn len(&self) -> io::Result<u64> {
        Ok(self.pages.len())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.noted(self.read_at(offset, out))
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.noted(self.pages.set_closed_in_order(false).and_then(|()| self.pages.set_len(len)))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.noted(self.pages.forgiven(self.pages.sync()))
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let written = self.write_at(offset, data);
        self.noted(if offset == 0 { self.pages.forgiven(written) } else { written })
    }

    fn close(&self) -> io::Result<()> {
        if self.failed.load(Ordering::Relaxed) {
            return Ok(());
        }
        self.pages.sync()?;
        self.pages.set_closed_in_order(true)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const PAGE: [u8; PAGE_BYTES as usize] = [7; PAGE_BYTES as usize];

    fn opened(directory: &Path) -> Backend {
        let path = directory.join("pages");
        let file = File::options().read(true).write(true).create(true).truncate(false).open(path).unwrap();
        Backend::new(Arc::new(Pages::open(file, Arc::new(Space::of(directory))).unwrap()))
    }

    /// A file of whole pages, closed in order.
    fn filled(directory: &Path) {
        let backend = opened(directory);
        backend.set_len(8 * PAGE_BYTES).unwrap();
        (0..8).for_each(|page| backend.write(page * PAGE_BYTES, &PAGE).unwrap());
        backend.close().unwrap();
    }

    /// Page 3 differs, page 5 is whole.
    fn assert_left_over(backend: &Backend, unused: bool) {
        assert!(backend.pages.verify(3).is_some() && backend.pages.verify(5).is_none());
        assert_eq!(backend.pages.may_be_unused(3), unused);
    }

    fn change_page_3(backend: &Backend) {
        backend.pages.write_at(&[8], place_of(3)).unwrap();
    }

    #[test]
    fn what_a_crash_left_is_known_after_later_closes() {
        let directory = tempfile::tempdir().unwrap();
        filled(directory.path());
        let crashed = opened(directory.path());
        crashed.write(PAGE_BYTES, &PAGE).unwrap();
        change_page_3(&crashed);
        drop(crashed);
        for _ in 0..3 {
            let backend = opened(directory.path());
            assert_left_over(&backend, true);
            backend.write(PAGE_BYTES, &PAGE).unwrap();
            backend.close().unwrap();
        }
        let backend = opened(directory.path());
        backend.write(3 * PAGE_BYTES, &PAGE).unwrap();
        change_page_3(&backend);
        assert_left_over(&backend, false);
    }

    #[test]
    fn what_a_failed_write_left_is_known_after_later_closes() {
        let directory = tempfile::tempdir().unwrap();
        filled(directory.path());
        let backend = opened(directory.path());
        // No file can be that long, so the write fails.
        assert!(backend.write(1 << 63, &PAGE).is_err());
        change_page_3(&backend);
        // The database is opened again on the same pages.
        let backend = Backend::new(Arc::clone(&backend.pages));
        assert_left_over(&backend, true);
        backend.close().unwrap();
        assert_left_over(&opened(directory.path()), true);
    }

    #[test]
    fn a_file_in_use_says_so_before_it_is_written_even_if_that_failed_at_first() {
        let directory = tempfile::tempdir().unwrap();
        filled(directory.path());
        let path = directory.path().join("pages");
        let mut pages = Pages::open(File::open(&path).unwrap(), Arc::new(Space::of(directory.path()))).unwrap();
        assert!(pages.set_closed_in_order(false).is_err(), "the disk is read-only");
        pages.file = File::options().read(true).write(true).open(&path).unwrap();
        Backend::new(Arc::new(pages)).write(PAGE_BYTES, &PAGE).unwrap();
        assert!(!opened(directory.path()).pages.closed_in_order.load(Ordering::Relaxed));
    }

    #[test]
    fn a_page_that_changes_in_a_file_without_leftovers_is_damaged() {
        let directory = tempfile::tempdir().unwrap();
        filled(directory.path());
        let backend = opened(directory.path());
        change_page_3(&backend);
        assert_left_over(&backend, false);
        backend.close().unwrap();
        assert_left_over(&opened(directory.path()), false);
    }
}
