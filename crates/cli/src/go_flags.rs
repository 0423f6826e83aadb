//! SeaweedFS's command line is Go's: `-filer=host:8888`, `-port 8333`, `-iam=false`. Ours takes that and `--filer` alike.

use std::ffi::OsString;

/// Rewrites Go-style flags to the double-dash form that the argument parser knows.
///
/// `-name` and `-name=value` become `--name`; an empty value (`-name=`) is as good as none, as all of weed's texts are empty
/// unless set; single letters (`-h`, `-v=3`), negative numbers, values and everything after
/// `--` stay.
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

/// Replaces `--options FILE` by the flags in the file: one `name=value` on each line, `#` begins a comment.
///
/// Errors: the file cannot be read.
pub fn expand_options(arguments: Vec<OsString>) -> Result<Vec<OsString>, String> {
    let mut expanded = Vec::with_capacity(arguments.len());
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        let file = match argument.to_str() {
            Some("--options") => arguments.next(),
            Some(text) => text.strip_prefix("--options=").map(OsString::from),
            None => None,
        };
        let Some(file) = file else {
            expanded.push(argument);
            continue;
        };
        let text = std::fs::read_to_string(&file)
            .map_err(|error| format!("-options: `{}` cannot be read: {error}", file.display()))?;
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        expanded.extend(lines.map(|line| format!("--{}", line.trim_start_matches('-')).into()));
    }
    Ok(expanded)
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
}
