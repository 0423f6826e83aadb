//! The binary `kelpgate`.

#[macro_use]
mod output;

mod api;
mod arguments;
mod audit_tools;
mod backup;
mod commands;
mod compact;
mod config_tools;
mod credentials;
mod doctor;
mod filer_tools;
mod go_flags;
mod http_client;
mod iam_tools;
mod logging;
mod manual;
mod place;
mod policy_tools;
mod scrub;
mod serving_flags;
mod sessions;

use std::process::ExitCode;

use arguments::{Arguments, Command};

/// Takes about a tenth off the CPU time of small requests (docs/benchmarks.md).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    output::status(command())
}

fn command() -> ExitCode {
    let given = match go_flags::expand_options(go_flags::double_dashes(std::env::args_os())) {
        Ok(given) => given,
        Err(problem) => return fail(&problem),
    };
    let arguments = match Arguments::parse_from(&given.arguments) {
        Ok(arguments) => arguments,
        Err(problem) => return help_or_mistake(&problem, &given),
    };
    let run = match arguments.command {
        Command::Policy(command) => return policy_tools::run(command),
        Command::Version => {
            say!("kelpgate {}", *arguments::VERSION);
            Ok(())
        }
        Command::Manual(manual) => manual::write(&manual.directory),
        Command::Server(server) => runtime(arguments.verbosity, commands::server(*server)),
        Command::S3(s3) => runtime(arguments.verbosity, commands::s3(*s3)),
        Command::FilerLs(path) => runtime(arguments.verbosity, filer_tools::ls(path)),
        Command::FilerCat(path) => runtime(arguments.verbosity, filer_tools::cat(path)),
        Command::Doctor(doctor) => return told(runtime(arguments.verbosity, doctor::run(doctor))),
        Command::Backup(backup) => runtime(arguments.verbosity, backup::create(backup)),
        Command::Restore(restore) => runtime(arguments.verbosity, backup::restore(restore)),
        Command::Compact(compact) => runtime(arguments.verbosity, compact::run(compact)),
        Command::Scrub(scrub) => return told(runtime(arguments.verbosity, scrub::run(scrub))),
        Command::Sessions(sessions) => runtime(arguments.verbosity, sessions::run(sessions)),
        Command::Audit(audit) => return told(runtime(arguments.verbosity, audit_tools::run(audit))),
        Command::Why(why) => return told(runtime(arguments.verbosity, audit_tools::why(why))),
        Command::Config(config) => {
            return told(runtime(arguments.verbosity, async { config_tools::run(config, &given) }));
        }
        Command::Iam(iam) => {
            return match runtime(arguments.verbosity, iam_tools::run(iam)) {
                Ok(iam_tools::Outcome::Differs) => ExitCode::from(2),
                done => told(done.map(|outcome| outcome == iam_tools::Outcome::Done)),
            };
        }
    };
    match run {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => fail(&format!("{problem}{}", given.origin_of_text(&problem))),
    }
}

/// Prints the help that was asked for, or what is wrong with the command line.
fn help_or_mistake(problem: &clap::Error, given: &go_flags::ExpandedArguments) -> ExitCode {
    let text = go_flags::single_dashes(&problem.render().to_string());
    if !problem.use_stderr() {
        say!("{}", text.trim_end());
        return ExitCode::SUCCESS;
    }
    eprintln!("{}{}", text.trim_end(), given.origin_of(problem));
    ExitCode::from(2)
}

/// The end of a tool that has already said what is wrong.
fn told(done: Result<bool, String>) -> ExitCode {
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(problem) => fail(&problem),
    }
}

fn runtime<T>(verbosity: u8, run: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    logging::start(verbosity)?;
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    if std::env::var_os("TOKIO_WORKER_THREADS").is_none() {
        runtime.worker_threads(workers());
    }
    let runtime = runtime.enable_all().build();
    let done = runtime.map_err(|error| format!("the runtime does not start: {error}"))?.block_on(run);
    logging::flush();
    done
}

/// Half of the cores: workers that wake each other for every small step of a request cost a fifth or more of its CPU
/// time (docs/benchmarks.md), and a filer or volume server often shares the machine. `TOKIO_WORKER_THREADS` sets
/// another number.
fn workers() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| (cores.get() / 2).max(1))
}

fn fail(problem: &str) -> ExitCode {
    eprintln!("kelpgate: {problem}");
    ExitCode::FAILURE
}
