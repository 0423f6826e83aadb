//! Batches that could not be sent, kept in a directory until they can: up to a number of bytes, over restarts too.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

/// How many bytes of refused lines are kept.
const REFUSED_BYTES_MAX: u64 = 16 << 20;

/// A queue in a directory, the oldest first.
pub(crate) struct Spool {
    directory: PathBuf,
    bytes_max: u64,
    /// Number and size of each batch.
    batches: std::collections::VecDeque<(u64, u64)>,
    bytes: u64,
    next: u64,
    /// Keeps other processes away.
    _lock: File,
}

impl Spool {
    /// Opens the directory, which is made if it is missing, with the batches of an earlier process.
    pub(crate) fn open(directory: &str, bytes_max: u64) -> Result<Self, String> {
        let problem = |error: io::Error| format!("the queue `{directory}` cannot be opened: {error}");
        let directory_path = PathBuf::from(directory);
        fs::create_dir_all(&directory_path).map_err(problem)?;
        let lock = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(directory_path.join("lock"))
            .map_err(problem)?;
        if lock.try_lock().is_err() {
            return Err(format!("another process uses the queue `{directory}`; give each sink a directory of its own"));
        }
        let mut found = Vec::new();
        for entry in fs::read_dir(&directory_path).map_err(problem)? {
            let entry = entry.map_err(problem)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if let Some(number) = name.strip_suffix(".batch").and_then(|number| number.parse::<u64>().ok()) {
                found.push((number, entry.metadata().map_err(problem)?.len()));
            }
        }
        found.sort_unstable();
        let next = found.last().map_or(1, |(number, _)| number + 1);
        let bytes = found.iter().map(|(_, bytes)| bytes).sum();
        Ok(Self { directory: directory_path, bytes_max, batches: found.into(), bytes, next, _lock: lock })
    }

    fn path(&self, number: u64) -> PathBuf {
        self.directory.join(format!("{number:016}.batch"))
    }

    /// Keeps a batch. Fails if there is no room.
    pub(crate) fn push(&mut self, lines: &[u8]) -> io::Result<()> {
        let bytes = lines.len() as u64;
        if self.bytes + bytes > self.bytes_max {
            return Err(io::Error::new(io::ErrorKind::StorageFull, "the queue on the disk is full"));
        }
        let (path, temporary) = (self.path(self.next), self.directory.join("new"));
        let mut file = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&temporary)?;
        file.write_all(lines)?;
        file.sync_data()?;
        fs::rename(&temporary, path)?;
        self.batches.push_back((self.next, bytes));
        self.bytes += bytes;
        self.next += 1;
        Ok(())
    }

    /// Keeps a line that the receiver refuses, for people: it is not sent again. What is beyond the bound is lost.
    pub(crate) fn put_aside(&self, line: &[u8]) -> io::Result<()> {
        let path = self.directory.join("refused");
        let mut file = OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
        if file.metadata()?.len() + line.len() as u64 > REFUSED_BYTES_MAX {
            return Ok(());
        }
        file.write_all(line)
    }

    /// The oldest batch.
    pub(crate) fn oldest(&self) -> Option<io::Result<Vec<u8>>> {
        self.batches.front().map(|(number, _)| fs::read(self.path(*number)))
    }

    /// Removes the oldest batch, which was sent.
    pub(crate) fn pop(&mut self) -> io::Result<()> {
        if let Some((number, bytes)) = self.batches.pop_front() {
            self.bytes -= bytes;
            match fs::remove_file(self.path(number)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                removed => return removed,
            }
        }
        Ok(())
    }
}
