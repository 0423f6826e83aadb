//! The binary `kelpgate`.

mod arguments;
mod configuration;
mod control_plane;
mod doctor;
mod filer_metrics;
mod filer_tools;
mod fingerprint;
mod go_flags;
mod http_client;
mod iam_tools;
mod logging;
mod place;
mod policy_tools;
mod private_file;
mod root_key;
mod s3;
mod server;
mod serving;
mod status;

use std::process::ExitCode;

use clap::Parser;

use arguments::{Arguments, Command};

/// Takes about a tenth off the CPU time of small requests (docs/benchmarks.md).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments = match go_flags::expand_options(go_flags::double_dashes(std::env::args_os())) {
        Ok(arguments) => arguments,
        Err(problem) => return fail(&problem),
    };
    let arguments = Arguments::parse_from(arguments);
    let run = match arguments.command {
        Command::Policy(command) => return policy_tools::run(command),
        Command::Server(server) => runtime(arguments.verbosity, server::run(*server)),
        Command::S3(s3) => runtime(arguments.verbosity, s3::run(*s3)),
        Command::FilerLs(path) => runtime(arguments.verbosity, filer_tools::ls(path)),
        Command::FilerCat(path) => runtime(arguments.verbosity, filer_tools::cat(path)),
        Command::Doctor(doctor) => return told(runtime(arguments.verbosity, doctor::run(doctor))),
        Command::Iam(iam) => return told(runtime(arguments.verbosity, iam_tools::run(iam))),
    };
    match run {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => fail(&problem),
    }
}

/// The end of a tool that has said itself what is wrong.
fn told(done: Result<bool, String>) -> ExitCode {
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(problem) => fail(&problem),
    }
}

fn runtime<T>(verbosity: u8, run: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    logging::start(verbosity);
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    if std::env::var_os("TOKIO_WORKER_THREADS").is_none() {
        runtime.worker_threads(workers());
    }
    let runtime = runtime.enable_all().build();
    let done = runtime.map_err(|error| format!("the runtime does not start: {error}"))?.block_on(run);
    logging::flush();
    done
}

/// Half of the cores: workers that wake each other for every small step of a request cost a fifth and more of its CPU time
/// (docs/benchmarks.md), and filer or volume server often share the machine. `TOKIO_WORKER_THREADS` sets another number.
fn workers() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| (cores.get() / 2).max(1))
}

fn fail(problem: &str) -> ExitCode {
    eprintln!("kelpgate: {problem}");
    ExitCode::FAILURE
}
