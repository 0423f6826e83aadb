//! SeaweedFS's command line is Go's: `-filer=host:8888`, `-port 8333`, `-iam=false`. Ours accepts both that and
//! `--filer`.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::Path;

use clap::error::ContextKind;

/// Rewrites Go-style flags to the double-dash form that the argument parser knows.
///
/// `-name` and `-name=value` become `--name`. Single letters (`-h`, `-v=3`), negative numbers, values and everything
/// after `--` stay as they are.
pub fn double_dashes(arguments: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut literal = false;
    let rewrite = |argument: OsString| {
        let Some(text) = argument.to_str() else { return argument };
        literal |= text == "--";
        let Some(name) = text.strip_prefix('-').filter(|_| !literal) else { return argument };
        let name = name.strip_prefix('-').unwrap_or(name);
        let bare = name.split('=').next().unwrap_or_default();
        let is_word = bare.len() > 1 && bare.starts_with(|first: char| first.is_ascii_alphabetic());
        if is_word { format!("--{name}").into() } else { argument }
    };
    arguments.into_iter().map(rewrite).collect()
}

/// Leaves out flags with an empty value (`-name=`, or `-name` and an empty argument) where `weed` has the same flags: start scripts
/// give its flags whether they are set or not. Elsewhere an empty value is a mistake, such as a variable of the shell that is not set.
fn without_empty_flags_of_weed(arguments: Vec<OsString>) -> Vec<OsString> {
    let words = arguments.iter().skip(1).filter_map(|argument| argument.to_str()).filter(|word| !word.starts_with('-'));
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).take(2).collect();
    if !matches!(words.as_slice(), ["s3" | "server", ..] | ["config", "show"]) {
        return arguments;
    }
    let mut kept = Vec::new();
    let mut rest = arguments.into_iter().peekable();
    while let Some(argument) = rest.next_if(|argument| argument != "--") {
        let flag = argument.to_str().and_then(|text| text.strip_prefix("--"));
        match flag.map(|flag| flag.split_once('=')) {
            Some(Some((_, ""))) => {}
            Some(None) if rest.next_if(|next| next.is_empty()).is_some() => {}
            _ => kept.push(argument),
        }
    }
    kept.extend(rest);
    kept
}

/// Flags in the one-dash form in which the documentation writes them.
///
/// What a line says about its flag stays in its column.
pub fn single_dashes(help: &str) -> String {
    help.split_inclusive('\n').map(single_dashes_of_line).collect()
}

fn single_dashes_of_line(line: &str) -> String {
    let flag = line.len() - line.trim_start().len();
    let about = line.get(flag..).filter(|rest| rest.starts_with('-')).and_then(|rest| rest.find("  "));
    let (flag, about) = line.split_at(about.map_or(0, |about| flag + about));
    let shorter = shortened(flag);
    format!("{shorter:width$}{}", shortened(about), width = flag.chars().count())
}

fn shortened(help: &str) -> String {
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
    /// The places in `arguments` of the flags that files gave.
    of_files: Vec<usize>,
}

/// A flag without its value.
fn bare(flag: &str) -> &str {
    flag.split(['=', ' ', '\t']).next().unwrap_or_default()
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

    /// The end of a message that begins with a flag, if a file gave the flag; else empty.
    pub fn origin_of_text(&self, problem: &str) -> String {
        let name = problem.strip_prefix('-').and_then(|rest| rest.split([':', ' ', '=', '`']).next());
        let place = name.and_then(|name| self.origin(name.trim_start_matches('-')));
        place.map_or_else(String::new, |place| format!("; the flag is in {place}"))
    }

    /// Drops flags of files that the command line has too.
    fn prefer_the_command_line(&mut self) {
        let of_files: BTreeSet<usize> = std::mem::take(&mut self.of_files).into_iter().collect();
        let flag =
            |argument: &OsString| argument.to_str().filter(|text| text.starts_with("--")).map(bare).map(str::to_owned);
        let own = self.arguments.iter().enumerate().filter(|(place, _)| !of_files.contains(place));
        let own: BTreeSet<String> = own.filter_map(|(_, argument)| flag(argument)).collect();
        let is_own = |argument: &OsString| flag(argument).is_some_and(|name| own.contains(&name));
        let all = std::mem::take(&mut self.arguments).into_iter().enumerate();
        let kept = all.filter(|(place, argument)| !of_files.contains(place) || !is_own(argument));
        self.arguments = kept.map(|(_, argument)| argument).collect();
        self.origins.retain(|(name, _)| !own.contains(name));
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
            self.origins.push((bare(&flag).to_owned(), format!("`{name}`, line {place}")));
            self.of_files.push(self.arguments.len());
            self.arguments.push(flag.into());
        }
        Ok(())
    }
}

/// Replaces `--options FILE` with the flags in the file: one `name=value` on each line; `#` begins a comment.
///
/// The command line wins over a file. Errors: the file cannot be read.
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
    given.prefer_the_command_line();
    given.arguments = without_empty_flags_of_weed(given.arguments);
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
    }

    #[test]
    fn an_empty_value_is_no_flag_for_the_commands_of_weed() {
        for (given, want) in [
            ("kelpgate s3 -config= --cert.file= -port=1", "kelpgate s3 --port=1"),
            ("kelpgate s3 -domainName  -port=1 -ip ", "kelpgate s3 --port=1"),
            ("kelpgate s3 -externalUrl=https://h/?a=", "kelpgate s3 --externalUrl=https://h/?a="),
            ("kelpgate -v=1 server -config= -- --a=", "kelpgate -v=1 server -- --a="),
            ("kelpgate config show s3 -config=", "kelpgate config show s3"),
            ("kelpgate restore -snapshot=", "kelpgate restore --snapshot="),
            ("kelpgate doctor -dir= s3", "kelpgate doctor --dir= s3"),
        ] {
            let expanded = expand_options(double_dashes(given.split(' ').map(OsString::from))).unwrap();
            assert_eq!(expanded.arguments.join(" ".as_ref()), want, "{given}");
        }
    }

    #[test]
    fn help_shows_flags_as_they_are_documented() {
        for (given, want) in [
            ("      --dir <DIR>", "      -dir <DIR>"),
            ("Usage: kelpgate server --dir <DIR> -- x", "Usage: kelpgate server -dir <DIR> -- x"),
            ("a ---- b, '--iam.config'", "a ---- b, '-iam.config'"),
            ("ends --", "ends --"),
            (
                "  -v[=<V>]     Log --more\n      --dir <D>  Where\n  -h, --help     Help",
                "  -v[=<V>]     Log -more\n      -dir <D>   Where\n  -h, -help      Help",
            ),
        ] {
            assert_eq!(single_dashes(given), want);
        }
    }

    #[test]
    fn a_mistake_in_an_options_file_is_told_with_its_line() {
        let file = std::env::temp_dir().join(format!("kelpgate-options-{}", std::process::id()));
        std::fs::write(&file, "# ours\n\nport=8333\n-prot 1\n").unwrap();
        let given = expand_options(vec!["kelpgate".into(), "--options".into(), file.clone().into()]).unwrap();
        let both = ["kelpgate", "--options", file.to_str().unwrap(), "--port", "1"].map(OsString::from);
        let both = expand_options(both.to_vec()).unwrap();
        assert_eq!(both.arguments, ["kelpgate", "--prot 1", "--port", "1"], "the command line wins");
        assert_eq!(both.origin("port"), None);
        std::fs::remove_file(&file).unwrap();
        let parser = clap::Command::new("kelpgate").arg(clap::Arg::new("port").long("port"));
        let told = parser.clone().try_get_matches_from(&given.arguments).unwrap_err();
        assert_eq!(given.origin_of(&told), format!("\n\n`-prot` is in `{}`, line 4.", file.display()));
        assert_eq!(given.origin_of_text("-port: no"), format!("; the flag is in `{}`, line 3", file.display()));
        assert_eq!(given.origin_of_text("no port"), "");
        let told = parser.try_get_matches_from(["kelpgate", "--other"]).unwrap_err();
        assert_eq!(given.origin_of(&told), "");
    }
}
