//! Lists a bucket's keys in S3's order, from a tree whose directories are sorted by single names.
//!
//! The filer lists `a` (a directory), `a-b`, `a.b`; S3 requires `a-b`, `a.b`, `a/b`, because `-` and `.` sort before
//! `/`. So a directory waits, under the sort key `a/`, until every name that sorts before it has been passed. These
//! names all begin with the directory's own name, so only few ever wait.

mod emptiness;
mod versions;

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};

use filer::{Below, Entry, Filer, FilerError, ListOptions};

use crate::{names, object};
use emptiness::contains_object;

pub use emptiness::is_empty;
pub use versions::ListedVersion;

/// Where a listing continues: keys up to here have already been listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum After {
    /// From the beginning.
    Beginning,
    /// After this key.
    Key(String),
    /// After every key that begins with this: the common prefix has been listed.
    Prefix(String),
    /// After this version, by key and id. Older ones of the same key are still to come.
    Version(String, String),
}

impl After {
    /// The key or the prefix, empty for the beginning.
    pub fn text(&self) -> &str {
        match self {
            Self::Beginning => "",
            Self::Key(text) | Self::Prefix(text) | Self::Version(text, _) => text,
        }
    }

    /// The version of a key after which its listing continues.
    fn version_of(&self, key: &str) -> Option<&str> {
        match self {
            Self::Version(told, id) if told == key => Some(id),
            _ => None,
        }
    }

    /// True if the key has already been listed.
    fn covers(&self, key: &str) -> bool {
        match self {
            Self::Beginning => false,
            Self::Key(told) => key <= told.as_str(),
            Self::Version(told, _) => key < told.as_str(),
            Self::Prefix(told) => key <= told.as_str() || key.starts_with(told.as_str()),
        }
    }

    /// True if every key that begins with `prefix` has already been listed.
    fn covers_all(&self, prefix: &str) -> bool {
        match self {
            Self::Beginning => false,
            Self::Key(told) | Self::Version(told, _) => prefix < told.as_str() && !told.starts_with(prefix),
            Self::Prefix(told) => {
                prefix.starts_with(told.as_str()) || (prefix < told.as_str() && !told.starts_with(prefix))
            }
        }
    }
}

/// The parameters of a listing.
#[derive(Debug, Clone)]
pub struct Query {
    /// The path of the bucket on the filer.
    pub bucket_path: String,
    /// Only keys that begin with this.
    pub prefix: String,
    /// Keys that contain it after the prefix are grouped; empty for none.
    pub delimiter: String,
    /// Where to continue.
    pub after: After,
    /// The most items on the page; 0 gives an empty page.
    pub max_keys: usize,
    /// What the listing shows of a key.
    pub shows: Shows,
}

/// What a listing shows of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shows {
    /// Its object: the bucket keeps no versions.
    Object,
    /// Its current version: the bucket keeps versions, in directories `key.versions`.
    CurrentVersion,
    /// All its versions.
    AllVersions,
}

/// One line of a listing.
#[derive(Debug, Clone, PartialEq)]
pub enum Item {
    /// A key and its entry.
    Object(String, Box<Entry>),
    /// Keys grouped by the delimiter.
    CommonPrefix(String),
    /// A version of a key.
    Version(ListedVersion),
}

impl Item {
    /// The key or the prefix.
    pub fn text(&self) -> &str {
        match self {
            Self::Object(text, _) | Self::CommonPrefix(text) => text,
            Self::Version(version) => &version.key,
        }
    }

    /// Where the listing continues after this item.
    pub fn after(&self) -> After {
        match self {
            Self::Object(key, _) => After::Key(key.clone()),
            Self::CommonPrefix(prefix) => After::Prefix(prefix.clone()),
            Self::Version(version) => After::Version(version.key.clone(), version.id.clone()),
        }
    }
}

/// A page of a listing.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Page {
    /// In S3's order.
    pub items: Vec<Item>,
    /// Where the next page begins, if there may be more. This can be after keys behind the last item, of which nothing is shown.
    pub next: Option<After>,
}

/// Calls of the filer for one page, beyond one for each item. A filer that lists single directories is called for each directory on the
/// way to a key, so that without a bound a page of deep keys would cost a hundred times what a page of flat ones does. Keys of
/// which nothing is shown are read without filling the page.
const EXTRA_CALLS: usize = 500;

/// So many listed entries count as another call.
const ENTRIES_LIKE_A_CALL: usize = 100;

/// Lists one page. It ends before it is full, even without an item, where it takes too many calls of the filer; S3 allows that.
pub async fn list(filer: &dyn Filer, query: &Query) -> Result<Page, FilerError> {
    let mut page = Page::default();
    if query.max_keys == 0 {
        return Ok(page);
    }
    let filer = Counted::new(filer);
    let mut walk = Walk::new(&filer, query);
    loop {
        walk.wanted = query.max_keys + 1 - page.items.len();
        walk.most_calls = EXTRA_CALLS + page.items.len();
        let items = match walk.next_items().await? {
            Found::Items(items) => items,
            Found::Stopped(after) => return Ok(Page { next: Some(after), ..page }),
            Found::End => return Ok(page),
        };
        for item in items {
            if page.items.len() == query.max_keys {
                let next = page.items.last().map(Item::after);
                return Ok(Page { next, ..page });
            }
            walk.at = Some(item.after());
            page.items.push(item);
        }
    }
}

/// A filer whose calls are counted.
struct Counted<'a> {
    filer: &'a dyn Filer,
    calls: AtomicUsize,
}

impl<'a> Counted<'a> {
    fn new(filer: &'a dyn Filer) -> Self {
        Self { filer, calls: AtomicUsize::new(0) }
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }

    fn called(&self) -> &'a dyn Filer {
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.filer
    }

    async fn lookup(&self, path: &str) -> Result<Option<Entry>, FilerError> {
        self.called().lookup(path).await
    }

    async fn list(&self, directory: &str, options: ListOptions) -> Result<Vec<Entry>, FilerError> {
        let entries = self.called().list(directory, options).await?;
        self.calls.fetch_add(entries.len() / ENTRIES_LIKE_A_CALL, Ordering::Relaxed);
        Ok(entries)
    }

    /// Counts only where the filer can answer.
    async fn below(&self, directory: &str, limit: usize) -> Result<Option<Below>, FilerError> {
        let below = self.filer.below(directory, limit).await?;
        self.calls.fetch_add(usize::from(below.is_some()), Ordering::Relaxed);
        Ok(below)
    }
}

/// The longest key that S3 allows, in bytes.
const KEY_BYTES_MAX: usize = 1024;

/// How many entries are requested at once if a smaller number is not known to be enough.
const PAGE: usize = 1024;

/// What a walk comes to: a key or a common prefix.
enum Node {
    Key(String, Waiting),
    CommonPrefix(String),
}

/// Where one step of a walk leads.
enum Step {
    Node(Node),
    /// To something of which nothing is shown.
    Nothing,
    /// The walk takes too many calls. It can go on from here.
    Stopped(After),
    End,
}

/// What a walk finds for the page.
enum Found {
    /// At least one.
    Items(Vec<Item>),
    /// The walk takes too many calls. It can go on from here.
    Stopped(After),
    End,
}

/// Whether a common prefix is shown.
enum Group {
    Shown,
    Hidden,
    /// It takes too many calls to see. Up to here it has no key that is shown.
    Unknown(After),
}

struct Walk<'a> {
    filer: &'a Counted<'a>,
    bucket_path: &'a str,
    prefix: &'a str,
    delimiter: &'a str,
    after: After,
    shows: Shows,
    /// How many more items the page can take.
    wanted: usize,
    /// The walk stops after so many calls of the filer, if it got further than the page before.
    most_calls: usize,
    /// How far it got.
    at: Option<After>,
    /// The last one is the directory that is being read. Those above it wait.
    levels: Vec<Level>,
    /// Everything below the last entered directory, in S3's order, if the filer found it in one step.
    below: VecDeque<(String, Entry)>,
}

/// One directory on the way down.
struct Level {
    /// The key prefix of its content: empty, or ending in `/`.
    base: String,
    /// Only names that begin with this: on the first level, the rest of the requested prefix.
    name_prefix: String,
    /// Read from the filer, in its order.
    read: VecDeque<Entry>,
    /// What waits for its place in S3's order, by sort key.
    waiting: BTreeMap<String, Waiting>,
    start_from: String,
    inclusive: bool,
    exhausted: bool,
    /// How often it has been read.
    reads: u32,
    /// Where versions are kept: every key up to this name is known, with its directory of versions.
    known_to: String,
    /// The keys whose directories of versions were looked for before the listing reached them, and that it has not yet passed.
    looked_ahead: HashSet<String>,
}

/// What there is of a key, or a directory.
#[derive(Default)]
struct Waiting {
    /// The object at the key's own path, or the directory.
    entry: Option<Box<Entry>>,
    /// The directory of the key's versions.
    versions: Option<Box<Entry>>,
}

impl Level {
    fn new(base: String, name_prefix: String, start_from: String) -> Self {
        let inclusive = !start_from.is_empty();
        Self {
            base,
            name_prefix,
            read: VecDeque::new(),
            waiting: BTreeMap::new(),
            start_from,
            inclusive,
            exhausted: false,
            reads: 0,
            known_to: String::new(),
            looked_ahead: HashSet::new(),
        }
    }

    /// Reads on after the names that begin as the group does: nothing else of them is listed.
    fn skip(&mut self, group: &str) {
        if let Some(rest) = group.strip_prefix(&self.base).filter(|rest| self.start_from.starts_with(rest)) {
            self.start_from = after_all(rest);
        }
    }

    fn wait(&mut self, entry: Entry) {
        if object::is_prefix_object(&entry) {
            // One entry has two places in S3's order: the object `a`, and the directory `a/`.
            let object = Entry { is_directory: false, ..entry.clone() };
            self.waiting.entry(names::segment_of(&entry.name).to_owned()).or_default().entry = Some(Box::new(object));
        }
        let segment = names::segment_of(&entry.name);
        let sort_key = if entry.is_directory { format!("{segment}/") } else { segment.to_owned() };
        self.waiting.entry(sort_key).or_default().entry = Some(Box::new(entry));
    }

    /// The same where directories hold the versions of keys.
    fn wait_with_versions(&mut self, entry: Entry) {
        let Some(name) = object::key_of_versions(&entry).map(str::to_owned) else { return self.wait(entry) };
        if !self.looked_ahead.contains(&name) {
            self.waiting.entry(names::segment_of(&name).to_owned()).or_default().versions = Some(Box::new(entry));
        }
    }
}

/// A name after all those that begin with `start`.
fn after_all(start: &str) -> String {
    format!("{start}{}", char::MAX)
}

impl<'a> Walk<'a> {
    fn new(filer: &'a Counted<'a>, query: &'a Query) -> Self {
        Self {
            filer,
            bucket_path: &query.bucket_path,
            prefix: &query.prefix,
            delimiter: &query.delimiter,
            after: query.after.clone(),
            shows: query.shows,
            wanted: 1,
            most_calls: EXTRA_CALLS,
            at: None,
            levels: Vec::new(),
            below: VecDeque::new(),
        }
    }

    /// The next keys or common prefixes of which the page shows something.
    async fn next_items(&mut self) -> Result<Found, FilerError> {
        loop {
            if let Some(at) = self.at.take_if(|_| self.filer.calls() > self.most_calls) {
                return Ok(Found::Stopped(at));
            }
            let node = match self.step().await? {
                Step::Node(node) => node,
                Step::Nothing => continue,
                Step::Stopped(at) => return Ok(Found::Stopped(at)),
                Step::End => return Ok(Found::End),
            };
            let items = self.items_of(node).await?;
            if !items.is_empty() {
                return Ok(Found::Items(items));
            }
        }
    }

    /// What the page shows of a key or a common prefix.
    async fn items_of(&mut self, node: Node) -> Result<Vec<Item>, FilerError> {
        let (key, waiting) = match node {
            Node::CommonPrefix(prefix) => {
                self.leave_behind(&prefix);
                return Ok(vec![Item::CommonPrefix(prefix)]);
            }
            Node::Key(key, waiting) => (key, waiting),
        };
        let path = format!("{}{}", object::path_below(self.bucket_path, &key), names::VERSIONS_SUFFIX);
        let current = match self.shows {
            Shows::Object => waiting.entry,
            Shows::CurrentVersion => {
                let name = object::split_path(&key).1;
                versions::current(self.filer, &path, name, waiting).await?
            }
            Shows::AllVersions => {
                let part = (self.after.version_of(&key), self.wanted);
                return versions::all(self.filer, &path, &key, waiting, part).await;
            }
        };
        Ok(current.map(|entry| Item::Object(key, entry)).into_iter().collect())
    }

    async fn step(&mut self) -> Result<Step, FilerError> {
        if self.levels.is_empty() {
            let base = self.prefix.rfind('/').map_or("", |slash| self.prefix.get(..=slash).unwrap_or(""));
            if self.after.covers_all(self.prefix) {
                return Ok(Step::End);
            }
            self.enter(base.to_owned()).await?;
            if let Some(marker) = self.marker_of_prefix(base).await? {
                return Ok(Step::Node(marker));
            }
        }
        loop {
            while let Some((key, entry)) = self.below.pop_front() {
                if let Some(node) = self.visit_object(key, entry) {
                    return Ok(Step::Node(node));
                }
            }
            let Some(level) = self.levels.last_mut() else { return Ok(Step::End) };
            let next = match self.shows {
                Shows::Object => next_in_level(self.filer, self.bucket_path, self.wanted, level).await?,
                _ => versions::next_in_level(self.filer, self.bucket_path, self.wanted, level).await?,
            };
            let Some((sort_key, waiting)) = next else {
                self.levels.pop();
                continue;
            };
            let key = format!("{}{sort_key}", level.base);
            let is_first_level = level.base.is_empty();
            return self.visit(key, waiting, is_first_level).await;
        }
    }

    /// The prefix `photos/` includes the marker object `photos/` itself.
    async fn marker_of_prefix(&self, base: &str) -> Result<Option<Node>, FilerError> {
        if base.is_empty() || base != self.prefix || self.after.covers(base) {
            return Ok(None);
        }
        let entry = self.filer.lookup(&format!("{}/", object::path_below(self.bucket_path, base))).await?;
        Ok(entry.filter(object::is_directory_marker).map(|entry| node(base.to_owned(), entry)))
    }

    async fn visit(&mut self, key: String, waiting: Waiting, is_first_level: bool) -> Result<Step, FilerError> {
        if !self.after.covers(&key) && key.starts_with(self.prefix) {
            self.at = Some(After::Key(key.clone()));
        }
        let directory = waiting.entry.as_deref().filter(|entry| entry.is_directory);
        if let Some(directory) = directory {
            let name = &directory.name;
            let reserved = name.ends_with(names::VERSIONS_SUFFIX) || (is_first_level && name == names::UPLOADS);
            if reserved || self.after.covers_all(&key) {
                return Ok(Step::Nothing);
            }
        } else if self.after.covers(&key) || !key.starts_with(self.prefix) {
            return Ok(Step::Nothing);
        }
        if let Some(group) = self.group_of(&key) {
            return self.visit_group(group, &key, waiting.entry.as_deref()).await;
        }
        if directory.is_none() {
            return Ok(Step::Node(Node::Key(key, waiting)));
        }
        let is_told = self.after.covers(&key) || self.after.version_of(&key).is_some();
        let is_shown = directory.is_some_and(object::is_directory_marker) && !is_told;
        if !self.enter_below(&key).await? {
            self.enter(key.clone()).await?;
        }
        Ok(if is_shown { Step::Node(Node::Key(key, waiting)) } else { Step::Nothing })
    }

    async fn visit_group(&mut self, group: &str, key: &str, entry: Option<&Entry>) -> Result<Step, FilerError> {
        if self.after.covers_all(group) {
            return Ok(Step::Nothing);
        }
        Ok(match self.group(group, key, entry).await? {
            Group::Shown => Step::Node(Node::CommonPrefix(group.to_owned())),
            Group::Unknown(at) => Step::Stopped(at),
            Group::Hidden => {
                self.leave_behind(group);
                Step::Nothing
            }
        })
    }

    /// The walk visits no other key of the group, whether it is shown or not.
    fn leave_behind(&mut self, group: &str) {
        self.after = After::Prefix(group.to_owned());
        self.at = Some(self.after.clone());
        if let Some(level) = self.levels.last_mut() {
            level.skip(group);
        }
    }

    /// Reads everything below a directory in one step, if it fits on the page. A deep key then costs as much as a flat
    /// one.
    async fn enter_below(&mut self, base: &str) -> Result<bool, FilerError> {
        if self.shows != Shows::Object {
            return Ok(false);
        }
        let directory = object::path_below(self.bucket_path, base);
        let Some(below) = self.filer.below(&directory, self.wanted).await?.filter(|below| below.is_complete) else {
            return Ok(false);
        };
        let mut objects: Vec<(String, Entry)> = objects_of(below.entries).collect();
        objects.sort_by(|(one, _), (other, _)| one.cmp(other));
        self.below = objects.into_iter().map(|(path, entry)| (format!("{base}{path}"), entry)).collect();
        Ok(true)
    }

    /// An object that the walk reaches without its directory.
    fn visit_object(&self, key: String, entry: Entry) -> Option<Node> {
        if self.after.covers(&key) {
            return None;
        }
        match self.group_of(&key) {
            Some(group) if self.after.covers_all(group) => None,
            Some(group) => Some(Node::CommonPrefix(group.to_owned())),
            None => Some(node(key, entry)),
        }
    }

    /// Whether a key of the group is still to come. An entry alone does not prove it: SeaweedFS removes empty
    /// directories only after a while, and the listing may begin in the middle of the group.
    async fn group(&self, group: &str, key: &str, entry: Option<&Entry>) -> Result<Group, FilerError> {
        if self.shows != Shows::Object || self.after.text().starts_with(group) {
            return self.rest_of_group(group).await;
        }
        if entry.is_some_and(|entry| object::is_object(entry) && !object::is_prefix_object(entry)) {
            return Ok(Group::Shown);
        }
        let directory = object::path_below(self.bucket_path, key);
        let is_version = |_: &str, name: &str| name.ends_with(names::VERSIONS_SUFFIX);
        match contains_object(self.filer, &directory, is_version, self.most_calls).await? {
            Some(true) => Ok(Group::Shown),
            Some(false) => Ok(Group::Hidden),
            None => self.rest_of_group(group).await,
        }
    }

    /// The same from a walk through the group, which another page can continue.
    async fn rest_of_group(&self, group: &str) -> Result<Group, FilerError> {
        let rest = Query {
            bucket_path: self.bucket_path.to_owned(),
            prefix: group.to_owned(),
            delimiter: String::new(),
            after: self.after.clone(),
            max_keys: 1,
            shows: self.shows,
        };
        let mut walk = Walk { most_calls: self.most_calls, ..Walk::new(self.filer, &rest) };
        Ok(match Box::pin(walk.next_items()).await? {
            Found::Items(_) => Group::Shown,
            Found::Stopped(at) => Group::Unknown(at),
            Found::End => Group::Hidden,
        })
    }

    /// The common prefix of a key.
    fn group_of<'k>(&self, key: &'k str) -> Option<&'k str> {
        if self.delimiter.is_empty() {
            return None;
        }
        let rest = key.get(self.prefix.len()..)?;
        let at = rest.find(self.delimiter)?;
        key.get(..self.prefix.len() + at + self.delimiter.len())
    }

    async fn enter(&mut self, base: String) -> Result<(), FilerError> {
        let name_prefix = self.prefix.get(base.len()..).unwrap_or("").to_owned();
        let rest = self.after.text().strip_prefix(base.as_str()).unwrap_or("");
        let name = match self.after {
            After::Prefix(_) if !rest.is_empty() && !rest.contains('/') => after_all(rest),
            _ => rest.split('/').next().unwrap_or("").to_owned(),
        };
        let waiting = self.shorter_directories(&base, &name_prefix, &name).await?;
        let mut level = Level::new(base, name_prefix, name);
        waiting.into_iter().for_each(|entry| level.wait(entry));
        self.levels.push(level);
        Ok(())
    }

    /// Directories whose names are prefixes of `name` come before it on the filer, and may come after it in S3's order.
    async fn shorter_directories(&self, base: &str, name_prefix: &str, name: &str) -> Result<Vec<Entry>, FilerError> {
        let shorter = name.char_indices().filter(|(_, next)| *next < '/').filter_map(|(at, _)| name.get(..at));
        let paths = shorter
            .take_while(|shorter| shorter.len() <= KEY_BYTES_MAX)
            .filter(|shorter| shorter.starts_with(name_prefix))
            .map(|shorter| object::path_below(self.bucket_path, &format!("{base}{shorter}/")));
        let names: Vec<String> = paths.map(|path| object::split_path(&path).1.to_owned()).collect();
        existing(self.filer, &object::path_below(self.bucket_path, base), names).await
    }
}

/// Those of some directories that exist; their names come in ascending order. What is there is read, so that a thousand names
/// take few calls.
async fn existing(filer: &Counted<'_>, directory: &str, names: Vec<String>) -> Result<Vec<Entry>, FilerError> {
    let (mut names, mut found, mut limit) = (names.into_iter().peekable(), Vec::new(), 1);
    while let Some(name) = names.peek() {
        let start_from = name.clone();
        let options = ListOptions { start_from, inclusive: true, limit, omit_chunks: true, ..ListOptions::default() };
        let entries = filer.list(directory, options).await?;
        let is_last = entries.len() < limit;
        let passed = entries.last().map(|last| last.name.clone()).unwrap_or_default();
        for entry in entries {
            while names.next_if(|name| *name < entry.name).is_some() {}
            if entry.is_directory && names.peek() == Some(&entry.name) {
                found.push(entry);
            }
        }
        if is_last {
            break;
        }
        names.next_if_eq(&passed);
        limit = (limit * 2).min(PAGE);
    }
    Ok(found)
}

fn node(key: String, entry: Entry) -> Node {
    Node::Key(key, Waiting { entry: Some(Box::new(entry)), versions: None })
}

/// The objects below a directory, by their keys relative to it. Versions of objects are not included.
fn objects_of(entries: Vec<(String, Entry)>) -> impl Iterator<Item = (String, Entry)> {
    let is_version = |path: &str| {
        let directories = path.rsplit_once('/').map_or("", |(directories, _)| directories);
        directories.split('/').any(|name| name.ends_with(names::VERSIONS_SUFFIX))
    };
    let key_of = |path: &str| path.split('/').map(names::segment_of).collect::<Vec<_>>().join("/");
    entries.into_iter().filter(move |(path, entry)| object::is_object(entry) && !is_version(path)).map(
        move |(path, mut entry)| {
            let key = key_of(&path);
            if object::etag_needs_no_chunks(&entry) {
                entry.chunks = Vec::new();
            }
            if !object::is_prefix_object(&entry) {
                return (key, entry);
            }
            entry.is_directory = false;
            (key.trim_end_matches('/').to_owned(), entry)
        },
    )
}

/// The next entry of a directory in S3's order, with its sort key.
async fn next_in_level(
    filer: &Counted<'_>,
    bucket_path: &str,
    wanted: usize,
    level: &mut Level,
) -> Result<Option<(String, Waiting)>, FilerError> {
    loop {
        if level.read.is_empty() && !level.exhausted {
            read_page(filer, &object::path_below(bucket_path, &level.base), wanted, level).await?;
        }
        let Some(front) = level.read.front() else {
            return Ok(level.waiting.pop_first());
        };
        if level
            .waiting
            .first_key_value()
            .is_some_and(|(sort_key, _)| sort_key.as_str() < names::segment_of(&front.name))
        {
            return Ok(level.waiting.pop_first());
        }
        if let Some(entry) = level.read.pop_front() {
            level.wait(entry);
        }
    }
}

async fn read_page(filer: &Counted<'_>, directory: &str, wanted: usize, level: &mut Level) -> Result<(), FilerError> {
    // One entry more than the page needs: the place of the last one depends on its successor. After two reads, much of what is
    // there is not shown: a page of one key must not read a thousand times.
    let limit = (wanted + 1).saturating_mul(1 << level.reads.saturating_sub(1).min(10)).clamp(2, PAGE);
    level.reads += 1;
    let options = ListOptions {
        prefix: level.name_prefix.clone(),
        start_from: std::mem::take(&mut level.start_from),
        inclusive: level.inclusive,
        limit,
        omit_chunks: true,
    };
    let entries = filer.list(directory, options).await?;
    level.exhausted = entries.len() < limit;
    level.inclusive = false;
    if let Some(last) = entries.last() {
        level.start_from = last.name.clone();
    }
    for mut entry in entries {
        if !entry.is_directory && !object::etag_needs_no_chunks(&entry) {
            let path = format!("{directory}/{}", entry.name);
            entry = filer.lookup(&path).await?.unwrap_or(entry);
        }
        level.read.push_back(entry);
    }
    Ok(())
}
