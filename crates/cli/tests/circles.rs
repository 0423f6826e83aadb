//! Which files of a crate use each other. Two files that do are read as one, so there should be few.
//!
//! A file and one inside it (`command.rs` and `command/user.rs`) are one: the first lists the second, which uses what is common to all.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};

/// Crate and two files. Pairs may leave this list, and none may come.
const KNOWN: &[(&str, &str, &str)] = &[
    ("bucket", "objects", "versions"),
    ("cli", "arguments", "audit_tools"),
    ("cli", "arguments", "config_tools"),
    ("cli", "iam_tools/unused", "iam_tools/unused_rights"),
    ("filer", "embedded/backup/create", "embedded/backup/prune"),
    ("filer", "embedded/backup/restore", "embedded/backup/serve"),
    ("filer", "filer", "guards"),
    ("gateway", "body/response", "keep_alive"),
    ("iam", "bucket", "policy_ids"),
    ("iam", "change", "weed_policies"),
    ("iam", "entity", "policy_ids"),
    ("iam", "snapshot/aws_managed", "snapshot/managed_policy"),
    ("iam_api", "command/instance_profile", "command/role"),
    ("policy", "advice", "explain"),
    ("sigv4", "checksum", "error"),
    ("sim", "model/settle", "model/world"),
];

/// The words of a path: `crate::a::B` without `crate`, or a file's place in its crate.
type Words = Vec<String>;

#[test]
fn files_that_use_each_other_are_known() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(root).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let files = read(&root.join(&name).join("src"), &Words::new());
        found.extend(circles(&files).into_iter().map(|(one, other)| (name.clone(), one, other)));
    }
    let owned = |(name, one, other): &(&str, &str, &str)| (name.to_string(), one.to_string(), other.to_string());
    let known: BTreeSet<_> = KNOWN.iter().map(owned).collect();
    let new: Vec<_> = found.difference(&known).collect();
    assert!(new.is_empty(), "files that use each other: move what they share to where it belongs: {new:#?}");
    let opened: Vec<_> = known.difference(&found).collect();
    assert!(opened.is_empty(), "no longer a circle, so it leaves the list: {opened:#?}");
}

#[test]
fn circles_are_found() {
    for (what, a, b, want) in [
        ("one uses the other", "use crate::b::B;", "", false),
        ("each by `use`", "use crate::b::B;", "use super::{a::A, a::Other};", true),
        ("each by a path", "fn f() -> crate::b::B { g(super::b::new()) }", "type T = Vec<super::a::A>;", true),
        ("in a macro", "macro_rules! m { () => { $crate::b::B }; }", "use crate::a::*;", true),
        ("through another file", "use crate::c::Again;", "use crate::a::A;", true),
        ("in tests alone", "use crate::b::B;", "#[cfg(test)] mod tests { use crate::a::A; }", false),
        ("in a comment", "use crate::b::B;", "/// Like [`crate::a::A`].\nconst S: &str = \"crate::a::A\";", false),
    ] {
        let file = |name: &str, text: &str| (vec![name.to_owned()], File::read(text));
        let c = "pub use crate::b::B as Again; mod d; use d::D;";
        let d = (vec!["c".to_owned(), "d".to_owned()], File::read("use super::C;"));
        let files = BTreeMap::from([file("a", a), file("b", b), file("c", c), d]);
        let want: Vec<_> = want.then(|| ("a".to_owned(), "b".to_owned())).into_iter().collect();
        assert_eq!(circles(&files), want, "{what}");
    }
}

/// Files by their place in the crate; `lib.rs` and `main.rs` have none.
fn read(directory: &Path, place: &Words) -> BTreeMap<Words, File> {
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let below = || place.iter().cloned().chain([stem.clone()]).collect::<Words>();
        if path.is_dir() {
            files.append(&mut read(&path, &below()));
        } else if path.extension().is_some_and(|extension| extension == "rs") && stem != "tests" {
            let own = if matches!(stem.as_str(), "lib" | "main" | "mod") { place.clone() } else { below() };
            files.insert(own, File::read(&std::fs::read_to_string(&path).unwrap()));
        }
    }
    files
}

/// What the text of a file refers to, tests left out.
#[derive(Default)]
struct File {
    /// Each `use`: the path, and the name that it gets here.
    imports: Vec<(Words, String)>,
    /// Each other path of at least two words.
    paths: Vec<Words>,
}

impl File {
    fn read(text: &str) -> Self {
        let mut file = Self::default();
        file.add(text.parse().unwrap());
        file
    }

    fn add(&mut self, stream: TokenStream) {
        let tokens: Vec<TokenTree> = stream.into_iter().collect();
        let mut at = 0;
        while let Some(token) = tokens.get(at) {
            at += 1;
            match token {
                TokenTree::Punct(hash) if hash.as_char() == '#' && is_test(tokens.get(at)) => {
                    at += item(&tokens[at..]);
                }
                TokenTree::Ident(word) if word == "use" && !is_punct(tokens.get(at), '<') => {
                    let end = at + item(&tokens[at - 1..]) - 1;
                    self.import(&tokens[at..end], &Words::new());
                    at = end;
                }
                TokenTree::Ident(word) => {
                    let mut path = vec![word.to_string()];
                    while let Some(next) = after_colons(&tokens[at..]) {
                        path.push(next);
                        at += 3;
                    }
                    self.paths.extend(Some(path).filter(|path| path.len() > 1));
                }
                TokenTree::Group(group) => self.add(group.stream()),
                _ => {}
            }
        }
    }

    /// Reads what follows `use`: one path, or several in braces.
    fn import(&mut self, tokens: &[TokenTree], before: &Words) {
        for part in tokens.split(|token| is_punct(Some(token), ',') || is_punct(Some(token), ';')) {
            let mut path = before.clone();
            let mut name = None;
            for (at, token) in part.iter().enumerate() {
                match token {
                    TokenTree::Ident(word) if word == "as" => name = part.get(at + 1).map(ToString::to_string),
                    TokenTree::Ident(word) if word == "self" && !path.is_empty() => {}
                    TokenTree::Ident(word) if name.is_none() => path.push(word.to_string()),
                    TokenTree::Group(group) => {
                        let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                        self.import(&inner, &path);
                        path.clear();
                    }
                    _ => {}
                }
            }
            let name = name.or_else(|| path.last().cloned());
            self.imports.extend(name.map(|name| (path, name)));
        }
    }
}

/// `[cfg(test)]`, after its `#`.
fn is_test(token: Option<&TokenTree>) -> bool {
    matches!(token, Some(TokenTree::Group(group)) if group.stream().to_string().replace(' ', "") == "cfg(test)")
}

fn is_punct(token: Option<&TokenTree>, mark: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == mark)
}

/// How many tokens an item has: up to its braces, or its `;`.
fn item(tokens: &[TokenTree]) -> usize {
    let is_use = tokens.iter().take(3).any(|token| matches!(token, TokenTree::Ident(word) if word == "use"));
    let is_end = |token: &TokenTree| is_punct(Some(token), ';') || !is_use && is_braced(token);
    tokens.iter().position(is_end).map_or(tokens.len(), |end| end + 1)
}

fn is_braced(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace)
}

/// The word after `::`, if that is what these tokens begin with.
fn after_colons(tokens: &[TokenTree]) -> Option<String> {
    let [TokenTree::Punct(first), second, TokenTree::Ident(word), ..] = tokens else { return None };
    let is_path = first.as_char() == ':' && first.spacing() == Spacing::Joint && is_punct(Some(second), ':');
    is_path.then(|| word.to_string())
}

/// The pairs of files that use each other, neither of them inside the other.
fn circles(files: &BTreeMap<Words, File>) -> Vec<(String, String)> {
    let uses: BTreeMap<&Words, BTreeSet<&Words>> = files.keys().map(|file| (file, uses_of(file, files))).collect();
    let pairs = uses.iter().flat_map(|(one, used)| used.iter().map(move |other| (*one, *other)));
    let circles = pairs.filter(|(one, other)| {
        one < other && uses[other].contains(one) && !one.starts_with(other) && !other.starts_with(one)
    });
    circles.map(|(one, other)| (one.join("/"), other.join("/"))).collect()
}

fn uses_of<'a>(file: &Words, files: &'a BTreeMap<Words, File>) -> BTreeSet<&'a Words> {
    let File { imports, paths } = &files[file];
    let all = imports.iter().map(|(path, _)| path).chain(paths);
    all.filter_map(|path| absolute(path, file, files)).filter_map(|path| home(&path, files, 0)).collect()
}

/// A path from the root of the crate; `None` if it leads elsewhere.
fn absolute(path: &Words, file: &Words, files: &BTreeMap<Words, File>) -> Option<Words> {
    let up = path.iter().take_while(|word| *word == "super").count();
    let inside = || file.iter().chain(path.first()).cloned().collect::<Words>();
    let (start, rest) = match path.first()?.as_str() {
        "crate" => (&file[..0], &path[1..]),
        "self" => (&file[..], &path[1..]),
        "super" => (&file[..file.len().checked_sub(up)?], &path[up..]),
        _ if files.contains_key(&inside()) => (&file[..], &path[..]),
        _ => return None,
    };
    Some(start.iter().chain(rest).cloned().collect())
}

/// The file where a path leads, through the files that export it again.
fn home<'a>(path: &Words, files: &'a BTreeMap<Words, File>, depth: usize) -> Option<&'a Words> {
    let length = (0..=path.len()).rev().find(|length| files.contains_key(&path[..*length]))?;
    let (file, _) = files.get_key_value(&path[..length])?;
    let import = |word: &String| files[file].imports.iter().find(|(_, name)| name == word);
    let again = path.get(length).and_then(import).filter(|_| depth < 8);
    let again = again.and_then(|(import, _)| absolute(import, file, files));
    let again = again.and_then(|start| home(&[&start, &path[length + 1..]].concat(), files, depth + 1));
    again.or(Some(file))
}
