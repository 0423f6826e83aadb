//! The seam to the database: what fails behind it reaches the callers as an error, never as a panic or a wrong answer.
//!
//! redb refuses everything after its first error. So the database is then opened again on the same file, and callers
//! that met only the refusal try again.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError, RwLock};

use redb::{Builder, Database, DatabaseError, StorageBackend};

use super::pages::{Backend, DamagedPage, Pages};
use super::space;
use crate::filer::FilerError;

/// Memory for cached pages, in bytes. The operating system caches the file as well, so a miss rarely means a disk read.
const CACHE_BYTES: usize = 64 << 20;
/// How often a reader tries again because the database was opened again.
const ATTEMPTS: usize = 3;

/// A database that opens again after an error.
pub(super) struct Store {
    pages: Arc<Pages>,
    place: RwLock<Place>,
}

struct Place {
    database: Result<Database, String>,
    /// How many times the database was opened again.
    generation: u64,
}

/// Why a call did not succeed.
#[derive(Debug, Clone)]
pub(super) enum Trouble {
    /// What is stored is not what was written.
    Damaged(String),
    /// An earlier error, already reported to somebody else, made the database refuse everything.
    Stale,
    /// The database cannot be opened at the moment.
    Closed(String),
    /// The database cannot say whether something was stored.
    Unknown,
    /// The disk takes no more bytes.
    Full(String),
    /// Reading or writing failed.
    Failed(String),
}

impl Trouble {
    pub(super) fn of(error: redb::Error) -> Trouble {
        if let Some(page) = DamagedPage::cause_of(&error) {
            return Trouble::Damaged(page.to_string());
        }
        match error {
            redb::Error::PreviousIo | redb::Error::DatabaseClosed => Trouble::Stale,
            redb::Error::Corrupted(why) => Trouble::Damaged(why),
            redb::Error::Io(error) if space::is_refusal(error.kind()) => Trouble::Full(error.to_string()),
            error => Trouble::Failed(error.to_string()),
        }
    }
}

impl From<Trouble> for FilerError {
    fn from(trouble: Trouble) -> FilerError {
        match trouble {
            Trouble::Damaged(why) => FilerError::Damaged("the metadata database".to_owned(), why),
            Trouble::Stale => FilerError::Unavailable("the metadata database is being opened again".to_owned()),
            Trouble::Closed(why) => {
                FilerError::Unavailable(format!("the metadata database cannot be opened at the moment: {why}"))
            }
            Trouble::Unknown => FilerError::Unavailable("it is not known whether the change was stored".to_owned()),
            Trouble::Full(why) => FilerError::Full(why),
            Trouble::Failed(why) => FilerError::Other(format!("the metadata database failed: {why}")),
        }
    }
}

/// Opens a database. A panic inside redb counts as corruption.
pub(super) fn open(backend: impl StorageBackend, verify: bool) -> Result<Database, DatabaseError> {
    let open = || {
        let mut builder = Builder::new();
        builder.set_cache_size(CACHE_BYTES).set_check_integrity_on_open(verify).create_with_backend(backend)
    };
    catch_unwind(AssertUnwindSafe(open))
        .unwrap_or_else(|panic| Err(DatabaseError::Storage(redb::StorageError::Corrupted(message(&*panic).to_owned()))))
}

impl Store {
    pub(super) fn open(pages: Pages) -> Result<Store, DatabaseError> {
        let pages = Arc::new(pages);
        let database = pages.while_opening(|| open(Backend::new(Arc::clone(&pages)), false))?;
        Ok(Store { pages, place: RwLock::new(Place { database: Ok(database), generation: 0 }) })
    }

    /// The file's pages.
    pub(super) fn pages(&self) -> &Pages {
        &self.pages
    }

    /// Reads from the database, and again if it had to be opened again in between.
    pub(super) fn read<T>(&self, run: impl Fn(&Database) -> Result<T, redb::Error>) -> Result<T, FilerError> {
        let mut trouble = Trouble::Stale;
        for _ in 0..ATTEMPTS {
            match self.attempt(&run) {
                Ok(value) => return Ok(value),
                Err(Trouble::Stale) => {}
                Err(other) => {
                    trouble = other;
                    break;
                }
            }
        }
        Err(trouble.into())
    }

    /// Uses the database once. After an error it is open again when this returns, if it can be opened.
    pub(super) fn attempt<T>(&self, run: impl FnOnce(&Database) -> Result<T, redb::Error>) -> Result<T, Trouble> {
        let place = self.place.read().unwrap_or_else(PoisonError::into_inner);
        let database = place.database.as_ref().map_err(|why| Trouble::Closed(why.clone()))?;
        let ran = catch_unwind(AssertUnwindSafe(|| run(database)));
        let generation = place.generation;
        drop(place);
        let trouble = match ran {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(error)) => Trouble::of(error),
            Err(panic) => Trouble::Damaged(format!("the database stopped at it: {}", message(&*panic))),
        };
        match &trouble {
            Trouble::Damaged(why) => {
                tracing::error!(%why, "the metadata database is corrupt; `kelpgate scrub` shows what is affected")
            }
            Trouble::Failed(why) | Trouble::Full(why) => tracing::error!(%why, "the metadata database cannot be used"),
            Trouble::Stale | Trouble::Closed(_) | Trouble::Unknown => {}
        }
        self.open_again(generation);
        Err(trouble)
    }

    /// Moves what is stored together, so that the file becomes as small as possible. Nobody can use the database
    /// meanwhile.
    pub(super) fn compact(&self) -> Result<(), Trouble> {
        let mut place = self.place.write().unwrap_or_else(PoisonError::into_inner);
        let generation = place.generation;
        let database = place.database.as_mut().map_err(|why| Trouble::Closed(why.clone()))?;
        // Each round moves some of the pages.
        let compact = || -> Result<(), redb::Error> {
            while database.compact()? {}
            Ok(())
        };
        let compacted = catch_unwind(AssertUnwindSafe(compact));
        drop(place);
        let trouble = match compacted {
            Ok(Ok(())) => return Ok(()),
            // A backup reads it. Nothing has happened, and nothing is wrong.
            Ok(Err(redb::Error::TransactionInProgress)) => return Ok(()),
            Ok(Err(error)) => Trouble::of(error),
            Err(panic) => Trouble::Damaged(format!("the database stopped at it: {}", message(&*panic))),
        };
        self.open_again(generation);
        Err(trouble)
    }

    /// Opens the database again unless somebody else did since this generation.
    fn open_again(&self, generation: u64) {
        let mut place = self.place.write().unwrap_or_else(PoisonError::into_inner);
        if place.generation != generation {
            return;
        }
        place.generation += 1;
        let old = std::mem::replace(&mut place.database, Err("it is being opened again".to_owned()));
        // The old one must be gone before the new one reads the file. It writes nothing any more.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(old)));
        let opened = self.pages.while_opening(|| open(Backend::new(Arc::clone(&self.pages)), false));
        place.database = opened.map_err(|error| error.to_string());
        if let Err(why) = &place.database {
            tracing::error!(%why, "the metadata database cannot be opened again; trying once a second");
        }
    }

    /// Opens the database again if that failed before.
    pub(super) fn recover(&self) {
        let place = self.place.read().unwrap_or_else(PoisonError::into_inner);
        let closed = place.database.is_err().then_some(place.generation);
        drop(place);
        if let Some(generation) = closed {
            self.open_again(generation);
        }
    }

    /// Why the database is closed at the moment; `None` if it is open.
    pub(super) fn closed(&self) -> Option<String> {
        self.place.read().unwrap_or_else(PoisonError::into_inner).database.as_ref().err().cloned()
    }
}

fn message(panic: &(dyn Any + Send)) -> &str {
    panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied()).unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::database_file::Opener;
    use super::super::tables;
    use super::*;
    use crate::embedded::space::Space;

    fn opened(directory: &Path) -> Store {
        tables::open(directory, Opener::Server, 1, &Arc::new(Space::of(directory))).unwrap().store
    }

    #[test]
    fn a_panic_is_an_error_and_the_database_goes_on() {
        let directory = tempfile::tempdir().unwrap();
        let store = opened(directory.path());
        let commit = |database: &Database| Ok(database.begin_write()?.commit()?);
        for round in 0..3 {
            let read = store.read(|_| -> Result<(), redb::Error> { panic!("as on a page that redb does not know") });
            assert!(matches!(read, Err(FilerError::Damaged(..))), "round {round}: {read:?}");
            let written = store.attempt(|database| -> Result<(), redb::Error> {
                let _write = database.begin_write()?;
                panic!("as on a page that redb does not know")
            });
            assert!(matches!(written, Err(Trouble::Damaged(_))), "round {round}: {written:?}");
            store.attempt(commit).unwrap();
            assert_eq!(store.closed(), None);
        }
        drop(store);
        opened(directory.path()).attempt(commit).unwrap();
    }
}
