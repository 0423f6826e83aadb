//! The side of the process that has the directory open: it listens on a socket in the directory, which only its user
//! can reach, and serves one backup at a time.

use std::fs;
use std::io::{self, BufWriter, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::frame::{Frame, Kind};
use super::freeze::Frozen;
use super::hold::Hold;
use crate::embedded::layout::DATABASE_FILE;
use crate::embedded::{Shared, tables};
use crate::filer::FilerError;

/// The directory of the socket. Its mode keeps other users out, whatever the mode of the directory around it is.
const SOCKET_DIRECTORY: &str = "run";
const SOCKET: &str = "backup";
/// What a client sends first.
const HELLO: &[u8] = b"kelpgate backup 1\n";
/// What it sends when it has everything.
const COPIED: &[u8] = b"copied\n";
/// How long a client may take to say the first word.
const GREETING: Duration = Duration::from_secs(5);
/// How long a client waits for the first frame: another backup may be running.
const PATIENCE: Duration = Duration::from_secs(20);
/// The largest of the files beside the database, in bytes.
const FILE_BYTES_MAX: u64 = 64 << 10;

/// The thread that listens.
pub(in crate::embedded) struct Listener {
    directory: PathBuf,
    thread: Option<JoinHandle<()>>,
    session: Arc<Mutex<Option<UnixStream>>>,
}

impl Listener {
    /// Begins to listen. Without a socket everything else works.
    pub(in crate::embedded) fn start(shared: &Arc<Shared>) -> Option<Listener> {
        let directory = shared.directory.clone();
        let listener = listen(&directory);
        let listener =
            listener.inspect_err(|error| tracing::warn!(%error, "`kelpgate backup` is not possible while this runs"));
        let (listener, session) = (listener.ok()?, Arc::new(Mutex::new(None)));
        let (shared, current) = (Arc::clone(shared), Arc::clone(&session));
        let run = move || accept(&shared, &listener, &current);
        let thread = std::thread::Builder::new().name("filer-backup".to_owned()).spawn(run).ok()?;
        Some(Listener { directory, thread: Some(thread), session })
    }
}

impl Drop for Listener {
    /// Aborts a running backup. By now the filer says that it is closing.
    fn drop(&mut self) {
        if let Some(stream) = &*self.session.lock().unwrap_or_else(PoisonError::into_inner) {
            let _ = stream.shutdown(std::net::Shutdown::Both);
        }
        // Wakes the thread. If the socket is gone, the thread is left behind.
        let woken = connect_socket(&self.directory).is_ok();
        if let Some(thread) = self.thread.take().filter(|_| woken) {
            // A thread that panicked has reported it.
            let _ = thread.join();
        }
        let _ = fs::remove_file(self.directory.join(SOCKET_DIRECTORY).join(SOCKET));
    }
}

fn listen(directory: &Path) -> io::Result<UnixListener> {
    let parent = directory.join(SOCKET_DIRECTORY);
    tables::private_directory(&parent).map_err(io::Error::other)?;
    fs::set_permissions(&parent, fs::Permissions::from_mode(0o700))?;
    // The directory is locked, so what is there was left by a process that is gone.
    match fs::remove_file(parent.join(SOCKET)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let parent = fs::File::open(parent)?;
    let path = short_path(&parent);
    let listener = UnixListener::bind(&path)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

fn connect_socket(directory: &Path) -> io::Result<UnixStream> {
    let parent = fs::File::open(directory.join(SOCKET_DIRECTORY))?;
    UnixStream::connect(short_path(&parent))
}

/// Addresses of sockets have at most 107 bytes; paths may be longer.
fn short_path(parent: &fs::File) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}/{SOCKET}", parent.as_raw_fd()))
}

fn accept(shared: &Shared, listener: &UnixListener, current: &Mutex<Option<UnixStream>>) {
    for stream in listener.incoming() {
        if shared.is_closing() {
            return;
        }
        let served = stream.and_then(|stream| {
            *current.lock().unwrap_or_else(PoisonError::into_inner) = Some(stream.try_clone()?);
            serve(shared, &stream)
        });
        *current.lock().unwrap_or_else(PoisonError::into_inner) = None;
        match served {
            Ok(()) => tracing::info!("a backup has everything that it asked for"),
            Err(error) => tracing::warn!(%error, "a backup was aborted"),
        }
    }
}

/// Serves one backup.
fn serve(shared: &Shared, stream: &UnixStream) -> io::Result<()> {
    if shared.is_closing() {
        return Err(io::Error::other("the filer is being closed"));
    }
    let mut input = stream;
    stream.set_read_timeout(Some(GREETING))?;
    let mut hello = [0; HELLO.len()];
    input.read_exact(&mut hello)?;
    if hello != HELLO {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the client does not speak this protocol"));
    }
    tracing::info!("a backup begins");
    // Taken before the database is frozen, and kept until the client has copied the data files.
    let hold = shared.holds.hold();
    let mut out = BufWriter::with_capacity(1 << 20, stream);
    let streamed = send_everything(shared, &hold, &mut out)?;
    if let Err(error) = streamed {
        return finish(out, &Frame::new(Kind::Failed, Vec::new(), error.to_string().into_bytes()));
    }
    Frame::signal(Kind::End).write(&mut out)?;
    out.flush()?;
    stream.set_read_timeout(None)?;
    let mut copied = [0; COPIED.len()];
    input.read_exact(&mut copied)?;
    let answer = match hold.is_whole() {
        true => Frame::signal(Kind::Kept),
        false => Frame::new(Kind::Failed, Vec::new(), b"the disk became full, and data had to be removed".to_vec()),
    };
    finish(out, &answer)?;
    drop(hold);
    // The next backup begins when this client is done with the place that both may write to. Not every place has a lock.
    io::copy(&mut input, &mut io::sink()).map(drop)
}

fn finish(mut out: impl Write, last: &Frame) -> io::Result<()> {
    last.write(&mut out)?;
    out.flush()
}

/// Sends facts, files and records. The outer error is the client's, the inner one the database's.
fn send_everything(shared: &Shared, hold: &Hold, out: &mut impl Write) -> io::Result<Result<(), FilerError>> {
    let frozen = match Frozen::of(shared, hold) {
        Ok(frozen) => frozen,
        Err(error) => return Ok(Err(error)),
    };
    Frame::new(Kind::Facts, Vec::new(), serde_json::to_vec(&frozen.facts)?).write(out)?;
    for file in files_beside(&shared.directory)? {
        file.write(out)?;
    }
    for kind in [Kind::Entry, Kind::Small] {
        let mut after: Option<Vec<u8>> = None;
        loop {
            let frames = match frozen.records(kind, after.as_deref()) {
                Ok(frames) => frames,
                Err(error) => return Ok(Err(error)),
            };
            let Some(last) = frames.last() else { break };
            after = Some(last.key.clone());
            frames.iter().try_for_each(|frame| frame.write(out))?;
        }
    }
    Ok(Ok(()))
}

/// Whether a file of the directory is backed up as it is: keys are, the database and what can be made again are not.
pub(super) fn is_beside(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with('.')
        && !name.contains('/')
        && !name.starts_with(DATABASE_FILE)
        && ![crate::embedded::space::RESERVE_FILE, super::MARKER].contains(&name)
}

fn files_beside(directory: &Path) -> io::Result<Vec<Frame>> {
    let mut files = Vec::new();
    for file in fs::read_dir(directory)? {
        let file = file?;
        let about = file.metadata()?;
        let Some(name) = file.file_name().to_str().filter(|name| is_beside(name)).map(str::to_owned) else { continue };
        if about.is_file() && about.len() <= FILE_BYTES_MAX {
            files.push(Frame::new(Kind::File, name.into_bytes(), fs::read(file.path())?));
        }
    }
    files.sort_by(|a, b| a.key.cmp(&b.key));
    Ok(files)
}

/// The client's side of the stream.
pub(super) struct Client {
    input: io::BufReader<UnixStream>,
}

impl Client {
    /// Asks the process that has the directory open for a backup.
    pub(super) fn connect(directory: &Path) -> io::Result<Client> {
        let mut stream = connect_socket(directory)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(HELLO)?;
        Ok(Client { input: io::BufReader::with_capacity(1 << 20, stream) })
    }

    /// The next frame. An end without [`Kind::End`] is an error.
    pub(super) fn next(&mut self) -> io::Result<Frame> {
        Frame::read(&mut self.input)?.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    /// Says that everything is copied. The answer is the next frame.
    pub(super) fn copied(&mut self) -> io::Result<Frame> {
        self.input.get_mut().write_all(COPIED)?;
        self.next()
    }
}
