//! Whether the files of a log are what was written: no record edited, removed or moved, no file missing.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use crate::chain::{self, Chain, Digest, NO_DIGEST};
use crate::file::{digests_of, existing};

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verified {
    /// The files that were read.
    pub files: usize,
    /// Their complete records.
    pub records: u64,
    /// Records at the end of the current file that no digest covers yet. The last one may be torn: a process that is killed while it
    /// writes leaves that.
    pub uncovered: u64,
    /// Records that a gateway found after a crash: it did not see who wrote them.
    pub found: u64,
    /// The last digest, as its line.
    pub head: Option<String>,
    /// What is wrong; empty if nothing is.
    pub problems: Vec<String>,
}

/// Reads all files of the log at this path. `public` is the key of its digests, `anchor` a digest that was kept elsewhere.
///
/// Error: the files cannot be read.
pub fn verify(path: &Path, public: &str, anchor: Option<&str>) -> Result<Verified, String> {
    let mut log =
        Log { public, previous: None, next: None, last: None, lines: Vec::new(), verified: Verified::default() };
    let all = existing(path)?;
    if !path.exists() {
        log.wrong(format!("`{}` is missing", path.display()));
    }
    for (number, file) in &all {
        log.file(*number, file).map_err(|error| format!("`{}` cannot be read: {error}", file.display()))?;
    }
    log.check_end(all.iter().find_map(|(number, _)| *number));
    if let Some(anchor) = anchor {
        log.check_anchor(anchor);
    }
    Ok(log.verified)
}

struct Log<'a> {
    public: &'a str,
    /// The link to the digest before; `None` before the first file, whose predecessor may be gone by right.
    previous: Option<String>,
    /// The number of the next file.
    next: Option<u64>,
    last: Option<Digest>,
    /// Links to all digests.
    lines: Vec<String>,
    verified: Verified,
}

impl Log<'_> {
    fn wrong(&mut self, what: String) {
        self.verified.problems.push(what);
    }

    /// Checks the digests of a file one after the other, each against the records that it covers.
    fn file(&mut self, number: Option<u64>, path: &Path) -> std::io::Result<()> {
        self.verified.files += 1;
        let shown = path.display().to_string();
        let text = digest_lines(path)?;
        let mut records = BufReader::new(File::open(path)?);
        let mut chain: Option<Chain> = None;
        let mut last: Option<Digest> = None;
        for line in text.lines() {
            let digest = match chain::read(line, self.public) {
                Ok(digest) => digest,
                Err(why) => {
                    self.wrong(format!("a digest of `{shown}` is not valid: {why}"));
                    break;
                }
            };
            self.check_order(&digest, number, &shown);
            let chain = chain.get_or_insert_with(|| Chain::of_version(digest.version, &digest.previous));
            advance(&mut records, chain, digest.bytes)?;
            if !fits(chain, &digest) {
                self.wrong(format!(
                    "`{shown}`: some of its first {} records were edited, removed or moved",
                    digest.records
                ));
                self.previous = None;
                last = Some(digest);
                break;
            }
            self.previous = Some(chain::link(line));
            self.lines.push(chain::link(line));
            self.verified.head = Some(line.to_owned());
            last = Some(digest);
        }
        let mut rest = chain.unwrap_or_else(|| Chain::after(NO_DIGEST));
        let covered = rest.records;
        let is_torn = advance(&mut records, &mut rest, u64::MAX)?;
        self.verified.records += rest.records;
        self.verified.found += last.as_ref().map_or(0, |last| last.found);
        // A rotation has only just begun this file.
        let is_new = number.is_none() && rest.records == 0 && self.last.is_some();
        if text.is_empty() && !is_new {
            self.wrong(format!("`{shown}` has no digests"));
        }
        self.check_tail(last.as_ref(), number, rest.records - covered + u64::from(is_torn), &shown);
        self.next = last.as_ref().map(|last| last.file).or(number).map(|number| number + 1);
        self.last = last.or(self.last.take());
        Ok(())
    }

    /// Records may lack a digest at the end of the current file only.
    fn check_tail(&mut self, last: Option<&Digest>, number: Option<u64>, uncovered: u64, shown: &str) {
        match (last, number) {
            (_, None) => self.verified.uncovered += uncovered,
            (Some(last), Some(_)) if !last.closed => self.wrong(format!("the end of `{shown}` has no digest")),
            (Some(_), Some(_)) if uncovered > 0 => {
                self.wrong(format!("`{shown}`: {uncovered} records were added after its end"));
            }
            _ => {}
        }
    }

    fn check_order(&mut self, digest: &Digest, number: Option<u64>, shown: &str) {
        if self.previous.as_ref().is_some_and(|previous| *previous != digest.previous) {
            self.wrong(format!("`{shown}`: a digest is missing before that of {}", digest.time));
        }
        if number.is_some_and(|number| number != digest.file) {
            self.wrong(format!("`{shown}` is file {} of the log under another name", digest.file));
        }
        if self.next.is_some_and(|next| next != digest.file) {
            self.wrong(format!("the files before `{shown}` are missing, or in another order"));
        }
        self.next = Some(digest.file);
        if self.last.as_ref().is_some_and(|last| last.log != digest.log) {
            self.wrong(format!("`{shown}` belongs to another log"));
        }
    }

    /// The oldest file must be there that the last digest names.
    fn check_end(&mut self, oldest: Option<u64>) {
        let Some(last) = self.last.clone() else { return };
        let oldest = oldest.unwrap_or(last.file);
        if oldest > last.oldest {
            self.wrong(format!("the files {} to {} are missing", last.oldest, oldest - 1));
        }
    }

    /// The log must contain the digest that was kept elsewhere.
    fn check_anchor(&mut self, anchor: &str) {
        match chain::read(anchor, self.public) {
            Err(why) => self.wrong(format!("the digest that was kept on the filer is not valid: {why}")),
            Ok(kept) => {
                let removed_by_right = self.last.as_ref().is_some_and(|last| kept.file < last.oldest);
                if !removed_by_right && !self.lines.contains(&chain::link(anchor)) {
                    self.wrong(format!(
                        "the log does not contain its digest of {}, which was kept on the filer: its end was cut off",
                        kept.time
                    ));
                }
            }
        }
    }
}

/// The complete digest lines of a file. A line that a crash cut off is left out; a file without digests gives an empty text.
fn digest_lines(path: &Path) -> std::io::Result<String> {
    let mut text = match std::fs::read_to_string(digests_of(path)) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        read => read?,
    };
    text.truncate(text.rfind('\n').map_or(0, |end| end + 1));
    Ok(text)
}

/// Whether these are the records that a digest covers.
fn fits(chain: &Chain, digest: &Digest) -> bool {
    let stated = (digest.version, digest.bytes, digest.records);
    (chain.version(), chain.bytes, chain.records) == stated && chain.hash() == digest.hash
}

/// Reads lines until the chain has this many bytes. True if a line without its end stops it.
fn advance(records: &mut impl BufRead, chain: &mut Chain, bytes: u64) -> std::io::Result<bool> {
    let mut line = Vec::new();
    while chain.bytes < bytes {
        line.clear();
        records.read_until(b'\n', &mut line)?;
        if line.last() != Some(&b'\n') {
            return Ok(!line.is_empty());
        }
        chain.add(&line);
    }
    Ok(false)
}
