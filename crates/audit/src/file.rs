//! A log in files: the current one, which is rotated by size, the older ones with a number at their ends, and the digests beside each.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use iam_formats::FileSettings;
use jiff::Timestamp;

use crate::chain::{self, Chain, Digest, DigestKey, NO_DIGEST};

/// The shortest time between two digests while records arrive.
const DIGEST_EVERY: Duration = Duration::from_secs(1);

/// The last digest of a log, as its line.
pub(crate) type SharedHead = Arc<Mutex<Option<String>>>;

/// A log in files.
pub(crate) struct FileLog {
    settings: FileSettings,
    key: DigestKey,
    log: String,
    file: File,
    digests: File,
    number: u64,
    chain: Chain,
    found: u64,
    /// The last digest, as the next one refers to it.
    previous: String,
    /// How many bytes of the file the last digest covers.
    covered_bytes: u64,
    digested: Option<Instant>,
    head: SharedHead,
}

/// The files of a log, from the oldest to the current one. Files without a number do not belong to it.
pub(crate) fn files(path: &Path) -> io::Result<Vec<(Option<u64>, PathBuf)>> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let directory = match path.parent() {
        Some(directory) if directory != Path::new("") => directory,
        _ => Path::new("."),
    };
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let file_name = entry.file_name().to_string_lossy().into_owned();
        let number = file_name.strip_prefix(&format!("{name}.")).filter(|number| number.len() == 8);
        if let Some(number) = number.and_then(|number| number.parse().ok()) {
            found.push((Some(number), entry.path()));
        }
    }
    found.sort();
    if path.exists() {
        found.push((None, path.to_owned()));
    }
    Ok(found)
}

/// The files of a log that is there, from the oldest to the current one.
///
/// Error: no such log exists, or its directory cannot be read.
pub fn existing(path: &Path) -> Result<Vec<(Option<u64>, PathBuf)>, String> {
    let all = files(path).map_err(|error| format!("`{}` cannot be read: {error}", path.display()))?;
    match all.is_empty() {
        true => Err(format!("there is no audit log `{}`: name the path of its sink", path.display())),
        false => Ok(all),
    }
}

/// The digests of a file.
pub(crate) fn digests_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".digest");
    name.into()
}

fn numbered(path: &Path, number: u64) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number:08}"));
    name.into()
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).read(true).mode(0o640).open(path)
}

/// Opens the digests of the current file, which only one process may do at a time.
fn open_digests(path: &Path) -> Result<File, String> {
    let shown = path.display();
    let opened =
        open(&digests_of(path)).map_err(|error| format!("the audit log `{shown}` cannot be opened: {error}"))?;
    match opened.try_lock() {
        Ok(()) => Ok(opened),
        Err(_) => Err(format!("another process writes the audit log `{shown}`; give each gateway a path of its own")),
    }
}

/// Gives the last rotated file its digests, if a crash left them under the name of the current file's. True if it did.
fn finish_rotation(path: &Path, public: &str) -> io::Result<bool> {
    let Some((Some(number), aside)) = files(path)?.pop() else { return Ok(false) };
    let last = last_line(&digests_of(path)).and_then(|line| chain::read(&line, public).ok());
    let is_due = last.is_some_and(|last| last.file == number) && !digests_of(&aside).exists();
    if is_due {
        fs::rename(digests_of(path), digests_of(&aside))?;
    }
    Ok(is_due)
}

/// The last complete line of a file; `None` if there is none.
fn last_line(path: &Path) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let complete = text.get(..text.rfind('\n')?)?;
    complete.lines().next_back().map(str::to_owned)
}

/// Removes what follows the last end of a line: a crash cut it off.
fn cut_torn_line(file: &File, path: &Path) -> io::Result<()> {
    let text = fs::read(path)?;
    let end = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    if end == text.len() { Ok(()) } else { file.set_len(end as u64) }
}

impl FileLog {
    /// Opens the log, and continues its chain where it ended. What does not fit the last digest is reported, put aside under its number,
    /// and followed by a new file.
    pub(crate) fn open(settings: FileSettings, key: DigestKey, head: SharedHead) -> Result<Self, String> {
        let path = Path::new(&settings.path).to_owned();
        let shown = settings.path.clone();
        let problem = |error: io::Error| format!("the audit log `{shown}` cannot be opened: {error}");
        let public = key.public();
        let mut digests = open_digests(&path)?;
        if finish_rotation(&path, &public).map_err(problem)? {
            digests = open_digests(&path)?;
        }
        cut_torn_line(&digests, &digests_of(&path)).map_err(problem)?;
        let rotated: Vec<_> =
            files(&path).map_err(problem)?.into_iter().filter_map(|(number, path)| Some((number?, path))).collect();
        let before = rotated.last().and_then(|(_, path)| last_line(&digests_of(path)));
        let read = |line: &String| chain::read(line, &public).ok();
        let log = last_line(&digests_of(&path)).as_ref().or(before.as_ref()).and_then(read).map(|digest| digest.log);
        let number = rotated.last().map_or(0, |(number, _)| *number) + 1;
        let previous = before.as_deref().map_or(NO_DIGEST.to_owned(), chain::link);
        let mut opened = Self {
            file: open(&path).map_err(problem)?,
            log: log.unwrap_or_else(|| hex::encode(rand::random::<[u8; 8]>())),
            chain: Chain::after(&previous),
            settings,
            key,
            digests,
            number,
            found: 0,
            previous,
            covered_bytes: 0,
            digested: None,
            head,
        };
        if let Err(why) = opened.resume(&path) {
            tracing::error!(
                path = opened.settings.path,
                "the audit log does not match its last digest: {why}; the gateway begins a new file"
            );
            opened.put_aside().map_err(problem)?;
        }
        opened.digest(false).map_err(problem)?;
        Ok(opened)
    }

    /// Follows other settings of the same files.
    pub(crate) fn change(&mut self, settings: FileSettings) {
        self.settings = settings;
    }

    /// Reads what the file holds already.
    fn resume(&mut self, path: &Path) -> Result<(), String> {
        let text = |error: io::Error| error.to_string();
        let mut lines = BufReader::new(File::open(path).map_err(text)?);
        let last = last_line(&digests_of(path));
        let Some(line) = &last else {
            return if self.file.metadata().map_err(text)?.len() == 0 {
                Ok(())
            } else {
                Err("it has no digest".to_owned())
            };
        };
        let digest = chain::read(line, &self.key.public())?;
        if digest.file != self.number {
            return Err(format!("it is file {}, but file {} was expected", digest.file, self.number));
        }
        self.chain = Chain::of_version(digest.version, &self.previous);
        let (mut buffer, mut fits) = (Vec::new(), digest.bytes == 0);
        loop {
            buffer.clear();
            lines.read_until(b'\n', &mut buffer).map_err(text)?;
            if buffer.last() != Some(&b'\n') {
                break; // the end, or a line that a crash cut off and nobody was told of
            }
            self.chain.add(&buffer);
            fits |= self.chain.bytes == digest.bytes && self.chain.hash() == digest.hash;
        }
        if !fits {
            return Err("its records differ, or some are missing".to_owned());
        }
        self.file.set_len(self.chain.bytes).map_err(text)?;
        self.found = digest.found + (self.chain.records - digest.records);
        self.covered_bytes = digest.bytes;
        self.previous = chain::link(line);
        *self.head.lock().unwrap_or_else(PoisonError::into_inner) = Some(line.clone());
        Ok(())
    }

    /// Puts the current file aside as it is, and begins the next.
    fn put_aside(&mut self) -> io::Result<()> {
        let line = last_line(&digests_of(Path::new(&self.settings.path)));
        self.previous = line.as_deref().map_or_else(|| self.previous.clone(), chain::link);
        self.begin_next()
    }

    /// Appends lines, `number` of them, to several files if they do not fit in one. `written` grows by the bytes of each line that is in a file.
    pub(crate) fn write(&mut self, lines: &[u8], number: u64, written: &mut usize) -> io::Result<()> {
        let mut rest = lines;
        while !rest.is_empty() {
            let room = usize::try_from(self.settings.max_bytes.saturating_sub(self.chain.bytes)).unwrap_or(usize::MAX);
            let fits = rest.get(..room.min(rest.len())).unwrap_or_default();
            let end = match fits.iter().rposition(|byte| *byte == b'\n') {
                Some(at) => at + 1,
                None if self.chain.bytes > 0 => {
                    self.rotate()?;
                    continue;
                }
                None => rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |at| at + 1),
            };
            let (now, later) = rest.split_at(end);
            self.append(now, if now.len() == lines.len() { number } else { chain::count(now) })?;
            *written += now.len();
            rest = later;
        }
        Ok(())
    }

    /// Appends lines, `number` of them, to the current file. On an error the file is as before.
    fn append(&mut self, lines: &[u8], number: u64) -> io::Result<()> {
        let appended = self.file.write_all(lines);
        let appended = appended.and_then(|()| if self.settings.sync { self.file.sync_data() } else { Ok(()) });
        if let Err(error) = appended {
            self.file.set_len(self.chain.bytes)?;
            return Err(error);
        }
        self.chain.add_counted(lines, number);
        if self.digested.is_none_or(|at| at.elapsed() >= DIGEST_EVERY)
            && let Err(error) = self.digest(false)
        {
            // The records are written. The next digest covers them.
            tracing::debug!(path = self.settings.path, %error, "a digest of the audit log is not written yet");
        }
        Ok(())
    }

    /// Writes a digest if one is due. Called when no records arrive.
    pub(crate) fn rest(&mut self) -> io::Result<()> {
        if self.chain.bytes > self.covered_bytes { self.digest(false) } else { Ok(()) }
    }

    fn digest(&mut self, closed: bool) -> io::Result<()> {
        let digest = Digest {
            version: self.chain.version(),
            log: self.log.clone(),
            file: self.number,
            oldest: self.oldest()?,
            bytes: self.chain.bytes,
            records: self.chain.records,
            found: self.found,
            hash: self.chain.hash(),
            previous: self.previous.clone(),
            time: Timestamp::now().to_string(),
            closed,
            key: chain::fingerprint(&self.key.public()),
        };
        let line = self.key.sign(&digest);
        let length = self.digests.metadata()?.len();
        if let Err(error) = self.digests.write_all(format!("{line}\n").as_bytes()) {
            self.digests.set_len(length)?;
            return Err(error);
        }
        self.covered_bytes = self.chain.bytes;
        self.digested = Some(Instant::now());
        self.previous = chain::link(&line);
        *self.head.lock().unwrap_or_else(PoisonError::into_inner) = Some(line);
        Ok(())
    }

    fn oldest(&self) -> io::Result<u64> {
        let first = files(Path::new(&self.settings.path))?.into_iter().next();
        Ok(first.and_then(|(number, _)| number).unwrap_or(self.number))
    }

    fn rotate(&mut self) -> io::Result<()> {
        self.digest(true)?;
        self.begin_next()?;
        self.remove_old()?;
        self.digest(false)
    }

    fn begin_next(&mut self) -> io::Result<()> {
        let path = Path::new(&self.settings.path);
        let aside = numbered(path, self.number);
        // After a failure halfway, the rest is done.
        for (from, to) in [(path.to_owned(), aside.clone()), (digests_of(path), digests_of(&aside))] {
            if from.exists() || !to.exists() {
                fs::rename(from, to)?;
            }
        }
        self.file = open(path)?;
        self.digests = open(&digests_of(path))?;
        let _ = self.digests.try_lock();
        self.number += 1;
        self.chain = Chain::after(&self.previous);
        self.found = 0;
        self.covered_bytes = 0;
        // The first record of the new file gets a digest at once, also if the rotation fails from here on.
        self.digested = None;
        Ok(())
    }

    /// Removes rotated files that are too many or too old. The next digest says from which file on the log is there.
    fn remove_old(&self) -> io::Result<()> {
        let FileSettings { path, max_files, max_age_days, .. } = &self.settings;
        let rotated: Vec<_> = files(Path::new(path))?.into_iter().filter(|(number, _)| number.is_some()).collect();
        let too_many = if *max_files == 0 {
            0
        } else {
            rotated.len().saturating_sub(usize::try_from(*max_files).unwrap_or(usize::MAX))
        };
        let oldest = SystemTime::now().checked_sub(Duration::from_secs(max_age_days.saturating_mul(24 * 3600)));
        for (at, (_, path)) in rotated.iter().enumerate() {
            let too_old = *max_age_days > 0
                && oldest.is_some_and(|oldest| {
                    fs::metadata(path).and_then(|file| file.modified()).is_ok_and(|time| time < oldest)
                });
            if at >= too_many && !too_old {
                break;
            }
            fs::remove_file(path)?;
            fs::remove_file(digests_of(path))?;
        }
        Ok(())
    }
}
