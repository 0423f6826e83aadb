//! SeaweedFS's command line is Go's: `-filer=host:8888`, `-port 8333`, `-iam=false`. Ours accepts both that and
//! `--filer`.

use std::ffi::OsString;
use std::path::Path;

use clap::error::ContextKind;

/// Rewrites Go-style flags to the double-dash form that the argument parser knows.
///
/// `-name` and `-name=value` become `--name`. An empty value (`-name=`) counts as absent, because all string flags of
/// `weed` are empty by default. Single letters (`-h`, `-v=3`), negative numbers, values and everything after `--` stay
/// as they are.
pub fn double_dashes(arguments: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut literal = false;
    let rewrite = |argument: OsString| {
        let Some(text) = argument.to_str() else { return Some(argument) };
        literal |= text == "--";
        let Some(name) = text.strip_prefix('-').filter(|_| !literal) else { return Some(argument) };
        let (bare, value) = name.split_once('=').map_or((name, None), |(bare, value)| (bare, Some(value)));
        let bare = bare.strip_prefix('-').unwrap_or(bare);
        let is_word = bare.len() > 1 && bare.starts_with(|first: char| first.is_ascii_alphabetic());
        match value {
            _ if !is_word => Some(argument),
            Some("") => None,
            Some(value) => Some(format!("--{bare}={value}").into()),
            None => Some(format!("--{bare}").into()),
        }
    };
    arguments.into_iter().filter_map(rewrite).collect()
}

/// Flags in the one-dash form in which the documentation writes them.
pub fn single_dashes(help: &str) -> String {
    let mut text = String::with_capacity(help.len());
    let mut rest = help;
    while let Some(at) = rest.find("--") {
        let (before, flag) = rest.split_at(at);
        text.push_str(before);
        let name = flag.trim_start_matches('-');
        let is_flag = flag.len() - name.len() == 2 && name.starts_with(|first: char| first.is_ascii_alphabetic());
        text.push_str(if is_flag { "-" } else { flag.get(..flag.len() - name.len()).unwrap_or_default() });
        rest = name;
    }
    text + rest
}

/// The command line, with the flags of `-options` files in it.
#[derive(Debug, Default)]
pub struct ExpandedArguments {
    /// What the argument parser gets.
    pub arguments: Vec<OsString>,
    /// The names of the flags that a file gave, with file and line.
    origins: Vec<(String, String)>,
}

impl ExpandedArguments {
    /// Where the flag of this error was read, as the end of its message; empty if it was on the command line.
    pub fn origin_of(&self, problem: &clap::Error) -> String {
        let told = problem.get(ContextKind::InvalidArg).map(ToString::to_string).unwrap_or_default();
        let name = told.split([' ', '=', '[']).next().unwrap_or_default();
        let origin = self.origins.iter().rev().find(|(flag, _)| flag == name);
        origin.map_or_else(String::new, |(flag, place)| format!("\n\n`{}` is in {place}.", single_dashes(flag)))
    }

    /// The file and line that gave a flag, named without dashes; `None` if none did.
    pub fn origin(&self, name: &str) -> Option<String> {
        let origin = self.origins.iter().rev().find(|(flag, _)| flag.strip_prefix("--") == Some(name));
        origin.map(|(_, place)| place.clone())
    }

    fn read(&mut self, file: &OsString) -> Result<(), String> {
        let name = Path::new(file).display();
        let text =
            std::fs::read_to_string(file).map_err(|error| format!("-options: `{name}` cannot be read: {error}"))?;
        for (place, line) in text.lines().enumerate().map(|(place, line)| (place + 1, line.trim())) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let flag = format!("--{}", line.trim_start_matches('-'));
            let bare = flag.split('=').next().unwrap_or_default().trim_end().to_owned();
            self.origins.push((bare, format!("`{name}`, line {place}")));
            self.arguments.push(flag.into());
        }
        Ok(())
    }
}

/// Replaces `--options FILE` with the flags in the file: one `name=value` on each line; `#` begins a comment.
///
/// Errors: the file cannot be read.
pub fn expand_options(arguments: Vec<OsString>) -> Result<ExpandedArguments, String> {
    let mut given = ExpandedArguments::default();
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        let file = match argument.to_str() {
            Some("--options") => arguments.next(),
            Some(text) => text.strip_prefix("--options=").map(OsString::from),
            None => None,
        };
        match file {
            Some(file) => given.read(&file)?,
            None => given.arguments.push(argument),
        }
    }
    Ok(given)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_flags_become_double_dashes() {
        for (given, want) in [
            ("-filer=localhost:8888", "--filer=localhost:8888"),
            ("-port", "--port"),
            ("-ip.bind=::1", "--ip.bind=::1"),
            ("--filer", "--filer"),
            ("-h", "-h"),
            ("-v=3", "-v=3"),
            ("-5", "-5"),
            ("-", "-"),
            ("value", "value"),
        ] {
            assert_eq!(double_dashes([given.into()]), [OsString::from(want)], "{given}");
        }
        assert_eq!(double_dashes(["--".into(), "-port".into()]), ["--", "-port"]);
        assert_eq!(double_dashes(["-config=".into(), "--cert.file=".into(), "-port=1".into()]), ["--port=1"]);
    }

    #[test]
    fn help_shows_flags_as_they_are_documented() {
        for (given, want) in [
            ("      --dir <DIR>", "      -dir <DIR>"),
            ("Usage: kelpgate server --dir <DIR> -- x", "Usage: kelpgate server -dir <DIR> -- x"),
            ("a ---- b, '--iam.config'", "a ---- b, '-iam.config'"),
            ("ends --", "ends --"),
        ] {
            assert_eq!(single_dashes(given), want);
        }
    }

    #[test]
    fn a_mistake_in_an_options_file_is_told_with_its_line() {
        let file = std::env::temp_dir().join(format!("kelpgate-options-{}", std::process::id()));
        std::fs::write(&file, "# ours\n\nport=8333\n-prot=1\n").unwrap();
        let given = expand_options(vec!["kelpgate".into(), "--options".into(), file.clone().into()]).unwrap();
        std::fs::remove_file(&file).unwrap();
        let parser = clap::Command::new("kelpgate").arg(clap::Arg::new("port").long("port"));
        let told = parser.clone().try_get_matches_from(&given.arguments).unwrap_err();
        assert_eq!(given.origin_of(&told), format!("\n\n`-prot` is in `{}`, line 4.", file.display()));
        let told = parser.try_get_matches_from(["kelpgate", "--other"]).unwrap_err();
        assert_eq!(given.origin_of(&told), "");
    }
}
