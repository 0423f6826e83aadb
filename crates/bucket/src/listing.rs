//! A bucket's keys in S3's own order, out of a tree whose directories are ordered by single names.
//!
//! The filer lists `a` (a directory), `a-b`, `a.b`; S3 wants `a-b`, `a.b`, `a/b`, because `-` and `.` sort before `/`. So a
//! directory waits, under the sort key `a/`, until every name that sorts before that has been passed. The names in
//! question all begin with the directory's own name, so few ever wait.

use std::collections::{BTreeMap, VecDeque};

use filer::{Entry, Filer, FilerError, ListOptions};

use crate::object::{self, attribute};

/// Where a listing goes on: keys up to here were told before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum After {
    /// From the beginning.
    Beginning,
    /// After this key.
    Key(String),
    /// After every key that begins with this: the common prefix was told.
    Prefix(String),
}

impl After {
    fn text(&self) -> &str {
        match self {
            Self::Beginning => "",
            Self::Key(text) | Self::Prefix(text) => text,
        }
    }

    /// True if the key has been told before.
    fn covers(&self, key: &str) -> bool {
        match self {
            Self::Beginning => false,
            Self::Key(told) => key <= told.as_str(),
            Self::Prefix(told) => key <= told.as_str() || key.starts_with(told.as_str()),
        }
    }

    /// True if every key that begins with `prefix` has been told before.
    fn covers_all(&self, prefix: &str) -> bool {
        match self {
            Self::Beginning => false,
            Self::Key(told) => prefix < told.as_str() && !told.starts_with(prefix),
            Self::Prefix(told) => {
                prefix.starts_with(told.as_str()) || (prefix < told.as_str() && !told.starts_with(prefix))
            }
        }
    }
}

/// What is asked of a listing.
#[derive(Debug, Clone)]
pub struct Query {
    /// Path of the bucket on the filer.
    pub bucket_path: String,
    /// Only keys that begin with this.
    pub prefix: String,
    /// Groups keys that contain it after the prefix; empty for none.
    pub delimiter: String,
    /// Where to go on.
    pub after: After,
    /// At most so many items; 0 gives an empty page.
    pub max_keys: usize,
    /// The bucket keeps versions: `key.versions` directories stand for their current version.
    pub versions: bool,
}

/// One line of a listing.
#[derive(Debug, Clone, PartialEq)]
pub enum Item {
    /// A key and its entry.
    Object(String, Box<Entry>),
    /// Keys grouped by the delimiter.
    CommonPrefix(String),
}

impl Item {
    /// The key or the prefix.
    pub fn text(&self) -> &str {
        match self {
            Self::Object(text, _) | Self::CommonPrefix(text) => text,
        }
    }

    /// Where the listing goes on after this item.
    pub fn after(&self) -> After {
        match self {
            Self::Object(key, _) => After::Key(key.clone()),
            Self::CommonPrefix(prefix) => After::Prefix(prefix.clone()),
        }
    }
}

/// A page of a listing.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Page {
    /// In S3's order.
    pub items: Vec<Item>,
    /// There is more after the last item.
    pub is_truncated: bool,
}

/// Lists one page.
pub async fn list(filer: &dyn Filer, query: &Query) -> Result<Page, FilerError> {
    let mut page = Page::default();
    if query.max_keys == 0 {
        return Ok(page);
    }
    let mut walk = Walk::new(filer, query);
    loop {
        walk.wanted = query.max_keys + 1 - page.items.len();
        let Some(item) = walk.next().await? else { return Ok(page) };
        if page.items.len() == query.max_keys {
            page.is_truncated = true;
            return Ok(page);
        }
        if let Item::CommonPrefix(prefix) = &item {
            walk.after = After::Prefix(prefix.clone());
        }
        page.items.push(item);
    }
}

/// True if the bucket can be deleted: it has no object and no version. Unfinished uploads do not count, as on AWS.
pub async fn is_empty(filer: &dyn Filer, bucket_path: &str) -> Result<bool, FilerError> {
    let skip = |directory: &str, name: &str| directory == bucket_path && name == object::UPLOADS;
    Ok(!contains_object(filer, bucket_path, skip).await?)
}

/// Entries asked for at once when no smaller number is known to do.
const PAGE: usize = 1024;

struct Walk<'a> {
    filer: &'a dyn Filer,
    bucket_path: &'a str,
    prefix: &'a str,
    delimiter: &'a str,
    after: After,
    versions: bool,
    /// How many more items the page can take.
    wanted: usize,
    /// The directory being read is the last; those above it wait.
    levels: Vec<Level>,
    /// Everything below the directory that was entered last, in S3's order, where the filer found it in one step.
    below: VecDeque<(String, Entry)>,
}

/// One directory on the way down.
struct Level {
    /// Key prefix of what is in it: empty, or ending in `/`.
    base: String,
    /// Only names that begin with this (the rest of the asked prefix, on the first level).
    name_prefix: String,
    /// Read from the filer, in its order.
    read: VecDeque<Entry>,
    /// Sort key to entry: what waits for its place in S3's order.
    waiting: BTreeMap<String, Entry>,
    start_from: String,
    inclusive: bool,
    exhausted: bool,
}

impl Level {
    fn new(base: String, name_prefix: String, start_from: String) -> Self {
        let inclusive = !start_from.is_empty();
        let (read, waiting) = (VecDeque::new(), BTreeMap::new());
        Self { base, name_prefix, read, waiting, start_from, inclusive, exhausted: false }
    }

    fn wait(&mut self, entry: Entry) {
        if object::is_prefix_object(&entry) {
            // One entry, two places in S3's order: the object `a`, and the directory `a/`.
            let object = Entry { is_directory: false, ..entry.clone() };
            self.waiting.insert(entry.name.clone(), object);
        }
        let sort_key = if entry.is_directory { format!("{}/", entry.name) } else { entry.name.clone() };
        self.waiting.insert(sort_key, entry);
    }
}

impl<'a> Walk<'a> {
    fn new(filer: &'a dyn Filer, query: &'a Query) -> Self {
        Self {
            filer,
            bucket_path: &query.bucket_path,
            prefix: &query.prefix,
            delimiter: &query.delimiter,
            after: query.after.clone(),
            versions: query.versions,
            wanted: 1,
            levels: Vec::new(),
            below: VecDeque::new(),
        }
    }

    async fn next(&mut self) -> Result<Option<Item>, FilerError> {
        if self.levels.is_empty() {
            let base = self.prefix.rfind('/').map_or("", |slash| self.prefix.get(..=slash).unwrap_or(""));
            if self.after.covers_all(self.prefix) {
                return Ok(None);
            }
            // A prefix such as `a//` or `a/../` names nothing that a filer can hold.
            if base.split('/').rev().skip(1).any(|segment| matches!(segment, "" | "." | "..")) {
                return Ok(None);
            }
            self.enter(base.to_owned()).await?;
            if let Some(marker) = self.marker_of_prefix(base).await? {
                return Ok(Some(marker));
            }
        }
        loop {
            while let Some((key, entry)) = self.below.pop_front() {
                if let Some(item) = self.visit_object(key, entry) {
                    return Ok(Some(item));
                }
            }
            let Some(level) = self.levels.last_mut() else { return Ok(None) };
            if self.versions && !level.exhausted {
                read_current_versions(self.filer, self.bucket_path, level).await?;
            }
            let Some((sort_key, entry)) = next_in_level(self.filer, self.bucket_path, self.wanted, level).await? else {
                self.levels.pop();
                continue;
            };
            let key = format!("{}{sort_key}", level.base);
            let is_first_level = level.base.is_empty();
            if let Some(item) = self.visit(key, entry, is_first_level).await? {
                return Ok(Some(item));
            }
        }
    }

    /// `photos/` asked as a prefix includes the marker object `photos/` itself.
    async fn marker_of_prefix(&self, base: &str) -> Result<Option<Item>, FilerError> {
        if base.is_empty() || base != self.prefix || self.after.covers(base) {
            return Ok(None);
        }
        let entry = self.filer.lookup(&format!("{}/{base}", self.bucket_path)).await?;
        Ok(entry.filter(object::is_directory_marker).map(|entry| Item::Object(base.to_owned(), Box::new(entry))))
    }

    async fn visit(&mut self, key: String, entry: Entry, is_first_level: bool) -> Result<Option<Item>, FilerError> {
        if entry.is_directory {
            let reserved =
                entry.name.ends_with(object::VERSIONS_SUFFIX) || (is_first_level && entry.name == object::UPLOADS);
            if reserved || self.after.covers_all(&key) {
                return Ok(None);
            }
        } else if self.after.covers(&key) {
            return Ok(None);
        }
        if let Some(group) = self.group_of(&key) {
            if self.after.covers_all(group) {
                return Ok(None);
            }
            let shown = self.shows_group(group, &key, &entry).await?;
            return Ok(shown.then(|| Item::CommonPrefix(group.to_owned())));
        }
        if !entry.is_directory {
            return Ok(Some(Item::Object(key, Box::new(entry))));
        }
        if !self.enter_below(&key).await? {
            self.enter(key.clone()).await?;
        }
        let told = self.after.covers(&key);
        Ok((object::is_directory_marker(&entry) && !told).then(|| Item::Object(key, Box::new(entry))))
    }

    /// Takes everything below a directory in one step, if it is no more than the page can take: a key that is deep costs as
    /// much as a flat one then.
    async fn enter_below(&mut self, base: &str) -> Result<bool, FilerError> {
        if self.versions {
            return Ok(false);
        }
        let directory = format!("{}/{}", self.bucket_path, base.strip_suffix('/').unwrap_or(base));
        let Some(below) = self.filer.below(&directory, self.wanted).await?.filter(|below| below.is_complete) else {
            return Ok(false);
        };
        let mut objects: Vec<(String, Entry)> = objects_of(below.entries).collect();
        objects.sort_by(|(one, _), (other, _)| one.cmp(other));
        self.below = objects.into_iter().map(|(path, entry)| (format!("{base}{path}"), entry)).collect();
        Ok(true)
    }

    /// An object that the walk comes to without its directory.
    fn visit_object(&self, key: String, entry: Entry) -> Option<Item> {
        if self.after.covers(&key) {
            return None;
        }
        match self.group_of(&key) {
            Some(group) if self.after.covers_all(group) => None,
            Some(group) => Some(Item::CommonPrefix(group.to_owned())),
            None => Some(Item::Object(key, Box::new(entry))),
        }
    }

    /// True if a key of the group is still to come: an entry alone says little, as SeaweedFS removes empty directories only
    /// after a while, and the listing may begin in the middle of the group.
    async fn shows_group(&self, group: &str, key: &str, entry: &Entry) -> Result<bool, FilerError> {
        if self.versions || self.after.text().starts_with(group) {
            let rest = Query {
                bucket_path: self.bucket_path.to_owned(),
                prefix: group.to_owned(),
                delimiter: String::new(),
                after: self.after.clone(),
                max_keys: 1,
                versions: self.versions,
            };
            let page = Box::pin(list(self.filer, &rest)).await?;
            return Ok(!page.items.is_empty());
        }
        if object::is_object(entry) && !object::is_prefix_object(entry) {
            return Ok(true);
        }
        let directory = format!("{}/{}", self.bucket_path, key.trim_end_matches('/'));
        let is_version = |_: &str, name: &str| name.ends_with(object::VERSIONS_SUFFIX);
        contains_object(self.filer, &directory, is_version).await
    }

    /// The common prefix that a key belongs to.
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
        let told = self.after.text();
        let name = match told.strip_prefix(base.as_str()) {
            Some(rest) => rest.split('/').next().unwrap_or(""),
            None => "",
        };
        let mut level = Level::new(base, name_prefix, name.to_owned());
        // Directories whose name is a beginning of `name` come before it on the filer, and may come after it in S3's order.
        for (at, next) in name.char_indices().skip(1) {
            let shorter = name.get(..at).unwrap_or("");
            if next < '/' && shorter.starts_with(&level.name_prefix) {
                let path = format!("{}/{}{shorter}/", self.bucket_path, level.base);
                if let Some(entry) = self.filer.lookup(&path).await?.filter(|entry| entry.is_directory) {
                    level.wait(entry);
                }
            }
        }
        self.levels.push(level);
        Ok(())
    }
}

/// The objects among what is below a directory, by their keys from there on. Versions of objects are not objects.
fn objects_of(entries: Vec<(String, Entry)>) -> impl Iterator<Item = (String, Entry)> {
    let is_version = |path: &str| {
        let directories = path.rsplit_once('/').map_or("", |(directories, _)| directories);
        directories.split('/').any(|name| name.ends_with(object::VERSIONS_SUFFIX))
    };
    entries.into_iter().filter(move |(path, entry)| object::is_object(entry) && !is_version(path)).map(
        |(path, mut entry)| {
            if object::etag_needs_no_chunks(&entry) {
                entry.chunks = Vec::new();
            }
            if !object::is_prefix_object(&entry) {
                return (path, entry);
            }
            entry.is_directory = false;
            (path.trim_end_matches('/').to_owned(), entry)
        },
    )
}

/// The next entry of a directory in S3's order, with its sort key.
async fn next_in_level(
    filer: &dyn Filer,
    bucket_path: &str,
    wanted: usize,
    level: &mut Level,
) -> Result<Option<(String, Entry)>, FilerError> {
    loop {
        if level.read.is_empty() && !level.exhausted {
            let directory = format!("{bucket_path}/{}", level.base);
            read_page(filer, directory.trim_end_matches('/'), wanted, level).await?;
        }
        let Some(front) = level.read.front() else {
            return Ok(level.waiting.pop_first());
        };
        if level.waiting.first_key_value().is_some_and(|(sort_key, _)| sort_key < &front.name) {
            return Ok(level.waiting.pop_first());
        }
        if let Some(entry) = level.read.pop_front() {
            level.wait(entry);
        }
    }
}

/// Reads a whole directory of a bucket that keeps versions. The current version of `x` is found at `x.versions`, which comes
/// after other names that S3 sorts after `x`, so nothing can be told before all of it is read.
async fn read_current_versions(filer: &dyn Filer, bucket_path: &str, level: &mut Level) -> Result<(), FilerError> {
    let directory = format!("{bucket_path}/{}", level.base);
    let directory = directory.trim_end_matches('/');
    (level.start_from, level.inclusive) = (String::new(), false);
    while !level.exhausted {
        read_page(filer, directory, PAGE, level).await?;
    }
    let (pointers, plain): (Vec<Entry>, Vec<Entry>) =
        level.read.drain(..).partition(|entry| entry.extended.contains_key(attribute::LATEST_VERSION_FILE));
    for entry in plain {
        level.wait(entry);
    }
    for pointer in pointers {
        let Some(key) = pointer.name.strip_suffix(object::VERSIONS_SUFFIX) else { continue };
        if pointer.extended_text(attribute::NULL_IS_LATEST) == Some("true") {
            continue;
        }
        level.waiting.remove(key);
        if pointer.extended_text(attribute::LATEST_IS_DELETE_MARKER) == Some("true") {
            continue;
        }
        let file = pointer.extended_text(attribute::LATEST_VERSION_FILE).unwrap_or_default();
        if let Some(version) = filer.lookup(&format!("{directory}/{}/{file}", pointer.name)).await? {
            level.wait(Entry { name: key.to_owned(), ..version });
        }
    }
    Ok(())
}

async fn read_page(filer: &dyn Filer, directory: &str, wanted: usize, level: &mut Level) -> Result<(), FilerError> {
    // One entry more than the page takes: the order of the last one shows only with its successor.
    let limit = (wanted + 1).clamp(2, PAGE);
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

/// Entries asked for to see whether there is an object among them.
const AT_A_GLANCE: usize = 4;

/// True if one of the directories on the way to a path below `directory` is skipped.
fn is_skipped(directory: &str, path: &str, skip: &impl Fn(&str, &str) -> bool) -> bool {
    let mut above = directory.to_owned();
    let (directories, _) = path.rsplit_once('/').unwrap_or_default();
    directories.split('/').filter(|name| !name.is_empty()).any(|name| {
        let skipped = skip(&above, name);
        above = format!("{above}/{name}");
        skipped
    })
}

/// True if an object is somewhere below a directory, not counting what `skip(directory, name)` names. SeaweedFS removes
/// empty directories only after a while, so their existence says nothing.
async fn contains_object(
    filer: &dyn Filer,
    directory: &str,
    skip: impl Fn(&str, &str) -> bool,
) -> Result<bool, FilerError> {
    let mut directories = vec![directory.to_owned()];
    while let Some(directory) = directories.pop() {
        if let Some(below) = filer.below(&directory, AT_A_GLANCE).await? {
            let skipped = |path: &str| is_skipped(&directory, path, &skip);
            if below.entries.iter().any(|(path, entry)| object::is_object(entry) && !skipped(path)) {
                return Ok(true);
            }
            if below.is_complete {
                continue;
            }
        }
        let mut start_from = String::new();
        let mut limit = 2;
        loop {
            let options = ListOptions { start_from, limit, omit_chunks: true, ..ListOptions::default() };
            let entries = filer.list(&directory, options).await?;
            for entry in &entries {
                if object::is_object(entry) {
                    return Ok(true);
                }
                if !skip(&directory, &entry.name) {
                    directories.push(format!("{directory}/{}", entry.name));
                }
            }
            match entries.last() {
                Some(last) if entries.len() >= limit => start_from = last.name.clone(),
                _ => break,
            }
            limit = PAGE;
        }
    }
    Ok(false)
}
