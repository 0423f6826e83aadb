//! `kelpgate policy`: decide, check and explain without a gateway.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::process::ExitCode;

use policy::{PolicyKind, Severity};
use serde_json::Value;

use crate::arguments::{Explain, PolicyCommand, Validate};
use crate::output;

/// How many bytes of answers are printed at once.
const BLOCK_BYTES: usize = 1 << 13;

/// Runs a policy command.
pub fn run(command: PolicyCommand) -> ExitCode {
    let done = match command {
        PolicyCommand::Simulate(cases) => each_line(&cases.cases, policy::cases::simulate_line),
        PolicyCommand::Actions(cases) => each_line(&cases.cases, iam_api::cases::actions_line),
        PolicyCommand::Validate(validate) => check(&validate),
        PolicyCommand::Explain(explain) => tell(&explain),
    };
    done.unwrap_or_else(|error| {
        eprintln!("kelpgate: {error}");
        ExitCode::FAILURE
    })
}

/// One row in, one row out, in order. Empty lines are skipped. Fails, after all of them, if a row could not be answered.
fn each_line(path: &Path, answer: fn(&str) -> String) -> io::Result<ExitCode> {
    let input: Box<dyn BufRead> = match path.to_str() {
        Some("-") => Box::new(io::stdin().lock()),
        _ => Box::new(BufReader::new(open(path)?)),
    };
    let (mut output, mut not_answered) = (Vec::new(), 0_u64);
    for (place, line) in input.split(b'\n').enumerate() {
        let line = line?;
        if !line.trim_ascii().is_empty() {
            let answer = policy::cases::answer_line(&line, answer);
            let error = with_line(&answer, place + 1);
            not_answered += u64::from(error.is_some());
            output.extend_from_slice(error.as_ref().unwrap_or(&answer).as_bytes());
            output.push(b'\n');
        }
        if output.len() >= BLOCK_BYTES {
            if !output::print(&output) {
                break;
            }
            output.clear();
        }
    }
    output::print(&output);
    if not_answered == 0 {
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("kelpgate: rows that could not be answered: {not_answered}; `error` in their answers says why");
    Ok(ExitCode::FAILURE)
}

/// The answer to a row that could not be answered, with the row's line in its file; `None` for others. A document that
/// is refused has been answered.
fn with_line(answer: &str, line: usize) -> Option<String> {
    let mut answer: Value = serde_json::from_str(answer).ok()?;
    let fields = answer.as_object_mut()?;
    if !fields.get("error")?.is_string() || fields.contains_key("result") {
        return None;
    }
    fields.insert("line".to_owned(), line.into());
    Some(answer.to_string())
}

fn open(path: &Path) -> io::Result<File> {
    File::open(path)
        .map_err(|error| io::Error::new(error.kind(), format!("`{}` cannot be read: {error}", path.display())))
}

fn text_of(file: &Path) -> io::Result<String> {
    match file.to_str() {
        Some("-") => io::read_to_string(io::stdin()),
        _ => io::read_to_string(open(file)?).map_err(|error| {
            io::Error::new(error.kind(), format!("`{}` cannot be read as text: {error}", file.display()))
        }),
    }
}

/// Prints why one request, or each of many, is allowed or denied.
fn tell(arguments: &Explain) -> io::Result<ExitCode> {
    if let Some(cases) = &arguments.cases {
        return each_line(cases, policy::cases::explain_line);
    }
    let file = arguments.file.as_deref().unwrap_or(Path::new("-"));
    let text = policy::cases::explain_text(&text_of(file)?)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, format!("`{}`: {error}", file.display())))?;
    output::print(text.as_bytes());
    Ok(ExitCode::SUCCESS)
}

/// Prints the findings about a document. Fails if the document would be refused.
fn check(arguments: &Validate) -> io::Result<ExitCode> {
    if let Some(cases) = &arguments.cases {
        return each_line(cases, policy::cases::validate_line);
    }
    let kind = match arguments.kind.as_str() {
        "identity" => PolicyKind::Identity,
        "bucket" => PolicyKind::Bucket,
        "trust" => PolicyKind::Trust,
        "session" => PolicyKind::Session,
        "boundary" => PolicyKind::Boundary,
        other => {
            let message = format!("-kind `{other}` is unknown; use identity, bucket, trust, session or boundary");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
    };
    let file = arguments.file.as_deref().unwrap_or(Path::new("-"));
    let text = text_of(file)?;
    let findings = policy::validate(kind, None, &text);
    for finding in &findings {
        let severity = match finding.severity {
            Severity::Error => "error",
            Severity::SecurityWarning => "security warning",
            Severity::Warning => "warning",
            Severity::Suggestion => "suggestion",
        };
        let path = if finding.path.is_empty() { "document" } else { &finding.path };
        say!("{severity}: {path}: {}; {}", finding.message, finding.advice);
    }
    if findings.iter().any(|finding| finding.severity == Severity::Error) {
        return Ok(ExitCode::FAILURE);
    }
    say!("the document is accepted");
    Ok(ExitCode::SUCCESS)
}
