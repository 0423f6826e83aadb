//! Where backups are kept: a directory ([`Directory`](super::Directory)), or whatever else can hold named files.

use std::io;
use std::path::PathBuf;

use super::error::BackupError;
use crate::embedded::blocks::{FOOTER_BYTES, checksum};

/// What a place is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Restoring or verifying.
    Reading,
    /// Another backup.
    Writing,
}

/// Keeps named files, such as `snapshots/TIME-HASH.json`. Names have no characters beside ASCII letters, digits, `-`, `.`
/// and `/`. A file is there completely or not at all.
pub trait Place {
    /// Begins. What was stored by others before this call is seen by the other calls.
    fn begin(&mut self, purpose: Purpose) -> Result<(), BackupError>;

    /// Where a file is, for messages. The empty name is the place itself.
    fn path(&self, name: &str) -> PathBuf;

    /// The content of a file; `None` if there is no such file.
    fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>>;

    /// The seal of a file in `segments/` or `data/`; `None` if there is no such file.
    fn seal(&self, name: &str) -> io::Result<Option<Seal>>;

    /// Stores a file, and replaces one of this name.
    fn store(&mut self, name: &str, content: &[u8]) -> io::Result<()>;

    /// Returns once everything that was stored, removed or [sealed](Place::seal) until now survives a crash.
    fn settle(&mut self) -> io::Result<()>;

    /// The names of all files whose name begins with a directory's name and `/`.
    fn names(&self, directory: &str) -> io::Result<Vec<String>>;

    /// Removes a file.
    fn remove(&mut self, name: &str) -> io::Result<()>;
}

/// Tells files of one name apart without reading them: the length, and a checksum of the last bytes. A data file ends with
/// the checksum of its checksums.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seal {
    bytes: u64,
    sum: u32,
}

impl Seal {
    /// How many of the last bytes count.
    pub(super) const END_BYTES: u64 = FOOTER_BYTES;

    /// The seal of this content.
    pub fn of(content: &[u8]) -> Seal {
        let end = content.len().saturating_sub(Seal::END_BYTES as usize);
        Seal { bytes: content.len() as u64, sum: checksum(content.get(end..).unwrap_or_default()) }
    }

    /// The seal of a file with this length and these last bytes.
    pub(super) fn of_end(bytes: u64, end: &[u8]) -> Seal {
        Seal { bytes, sum: checksum(end) }
    }

    /// The length of the file in bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The seal as a part of a name.
    pub fn to_text(&self) -> String {
        format!("{:x}-{:08x}", self.bytes, self.sum)
    }

    /// Reads what [`to_text`](Seal::to_text) wrote.
    pub fn from_text(text: &str) -> Option<Seal> {
        let (bytes, sum) = text.split_once('-')?;
        let seal = Seal { bytes: u64::from_str_radix(bytes, 16).ok()?, sum: u32::from_str_radix(sum, 16).ok()? };
        (seal.to_text() == text).then_some(seal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seals_are_read_as_written() {
        let contents = [vec![], vec![1; 5], vec![2; 28], vec![3; 100_000]];
        for content in contents {
            let seal = Seal::of(&content);
            let end = content.len().saturating_sub(28);
            assert_eq!(seal, Seal::of_end(content.len() as u64, &content[end..]));
            assert_eq!(Seal::from_text(&seal.to_text()), Some(seal));
        }
        for text in ["", "-", "5", "5-", "5-0000000", "+5-00000000", "5-0000000g", "05-00000000", "5-00000000-"] {
            assert_eq!(Seal::from_text(text), None, "{text}");
        }
    }
}
