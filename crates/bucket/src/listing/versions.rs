//! What a listing shows of a key in a bucket that keeps versions: its current version, or all of them.
//!
//! The filer lists `a-b` before `a.versions`, and S3 lists the key `a` before `a-b`. So a key is shown once everything
//! up to its name is known: what was read up to there, and the directories of versions of those keys with which the
//! last name that was read begins. All other directories that are still to come belong to later keys.

use filer::{Entry, FilerError, ListOptions};

use super::{Counted, Item, Level, PAGE, Waiting, existing, read_page};
use crate::rules::{self, CurrentVersion};
use crate::version_id::{self, NULL};
use crate::{names, object};

/// A version in a listing.
#[derive(Debug, Clone, PartialEq)]
pub struct ListedVersion {
    /// Its key.
    pub key: String,
    /// Its id.
    pub id: String,
    /// Its entry, which may be a [delete marker](object::is_delete_marker).
    pub entry: Box<Entry>,
    /// Whether it is the current version.
    pub is_latest: bool,
}

/// The next entry of a directory in S3's order, with its sort key.
pub(super) async fn next_in_level(
    filer: &Counted<'_>,
    bucket_path: &str,
    wanted: usize,
    level: &mut Level,
) -> Result<Option<(String, Waiting)>, FilerError> {
    loop {
        let is_known = |sort_key: &String, level: &Level| level.exhausted || *sort_key <= level.known_to;
        if level.waiting.first_key_value().is_some_and(|(sort_key, _)| is_known(sort_key, level)) {
            return Ok(level.waiting.pop_first());
        }
        if level.exhausted {
            return Ok(None);
        }
        let directory = object::path_below(bucket_path, &level.base);
        read_page(filer, &directory, wanted, level).await?;
        let last = level.read.back().map(|last| last.name.clone());
        while let Some(entry) = level.read.pop_front() {
            level.wait_with_versions(entry);
        }
        if let Some(last) = last.filter(|_| !level.exhausted) {
            look_ahead(filer, &directory, &last, level).await?;
            level.known_to = last;
        }
    }
}

/// Finds the directories of versions that come after a name although their keys come before it, or are the same.
async fn look_ahead(filer: &Counted<'_>, directory: &str, last: &str, level: &mut Level) -> Result<(), FilerError> {
    let places = last.char_indices().map(|(at, _)| at).skip(1).chain([last.len()]);
    let comes_later =
        |(key, rest): &(&str, &str)| *rest < names::VERSIONS_SUFFIX && key.starts_with(&level.name_prefix);
    let later = places.filter_map(|at| last.split_at_checked(at)).filter(comes_later);
    let later: Vec<&str> = later.map(|(key, _)| key).collect();
    // The directory of the longest key comes first, because no part of the suffix sorts after its dot.
    let unknown = later.iter().rev().filter(|key| !level.looked_ahead.contains(**key));
    let names = unknown.map(|key| format!("{key}{}", names::VERSIONS_SUFFIX)).collect();
    let found = existing(filer, directory, names).await?;
    found.into_iter().for_each(|versions| level.wait_with_versions(versions));
    level.looked_ahead = later.into_iter().map(str::to_owned).collect();
    Ok(())
}

/// The current version of a key, unless it is deleted. `path` is that of its directory of versions.
pub(super) async fn current(
    filer: &Counted<'_>,
    path: &str,
    name: &str,
    waiting: Waiting,
) -> Result<Option<Box<Entry>>, FilerError> {
    let Waiting { entry, versions } = waiting;
    let file = match (rules::current(versions.as_deref()), entry) {
        (CurrentVersion::DeleteMarker(_), _) => return Ok(None),
        (CurrentVersion::File(file), _) => Some(file.to_owned()),
        (CurrentVersion::Plain, Some(entry)) => return Ok(Some(entry)),
        // A gateway or a filer that died left a directory that does not say which version is current.
        (CurrentVersion::Plain, None) => all_files(filer, path).await?.into_iter().next().map(|newest| newest.name),
    };
    let Some(file) = file else { return Ok(None) };
    let version = filer.lookup(&format!("{path}/{file}")).await?.filter(|entry| !object::is_delete_marker(entry));
    Ok(version.map(|version| Box::new(Entry { name: name.to_owned(), ..version })))
}

/// The versions of a key, the newest first: those after the one with this id, and at least `wanted` if there are so many.
pub(super) async fn all(
    filer: &Counted<'_>,
    path: &str,
    key: &str,
    waiting: Waiting,
    (after, wanted): (Option<&str>, usize),
) -> Result<Vec<Item>, FilerError> {
    let Waiting { entry: plain, versions } = waiting;
    let Some(directory) = versions else {
        let null = plain.filter(|_| after != Some(NULL));
        return Ok(null.map(|entry| item(key, NULL, entry, NULL)).into_iter().collect());
    };
    let null = match plain {
        Some(plain) => Some(plain),
        None => filer.lookup(&format!("{path}/{}", version_id::file_name(NULL))).await?.map(Box::new),
    };
    let null = null.map(|entry| Null { is_first: rules::null_is_current(Some(&directory)), entry });
    let files = Files::after(filer, path, after, null.as_ref(), wanted).await?;
    let latest = match rules::current(Some(&directory)) {
        CurrentVersion::File(file) => version_id::of_file(file).unwrap_or_default().to_owned(),
        CurrentVersion::DeleteMarker(id) => id.to_owned(),
        CurrentVersion::Plain if null.is_some() => NULL.to_owned(),
        CurrentVersion::Plain => files.newest.clone().unwrap_or_default(),
    };
    let mut null = null.filter(|null| after.is_none_or(|after| after != NULL && !null.is_before(after)));
    let mut items = Vec::with_capacity(files.entries.len() + 1);
    for (id, entry) in files.entries {
        if let Some(null) = null.take_if(|null| null.is_before(&id)) {
            items.push(item(key, NULL, null.entry, &latest));
        }
        items.push(item(key, &id, Box::new(entry), &latest));
    }
    if let Some(null) = null.filter(|_| files.is_last) {
        items.push(item(key, NULL, null.entry, &latest));
    }
    Ok(items)
}

fn item(key: &str, id: &str, entry: Box<Entry>, latest: &str) -> Item {
    let is_latest = id == latest;
    Item::Version(ListedVersion { key: key.to_owned(), id: id.to_owned(), entry, is_latest })
}

/// The version `null` of a key that has others.
struct Null {
    entry: Box<Entry>,
    /// It is the current version.
    is_first: bool,
}

impl Null {
    /// Whether it is listed before a version with an id.
    fn is_before(&self, id: &str) -> bool {
        self.is_first || rules::null_is_newer(&self.entry, id)
    }
}

/// Files of versions with their ids, the newest first, without `null`.
struct Files {
    entries: Vec<(String, Entry)>,
    /// Whether there are no more.
    is_last: bool,
    /// The id of the newest of all.
    newest: Option<String>,
}

impl Files {
    async fn after(
        filer: &Counted<'_>,
        path: &str,
        after: Option<&str>,
        null: Option<&Null>,
        wanted: usize,
    ) -> Result<Self, FilerError> {
        let limit = wanted.saturating_add(2).clamp(2, PAGE);
        let first = filer.list(path, options(String::new(), if after.is_none() { limit } else { 1 })).await?;
        let newest = first.first().and_then(|entry| version_id::of_file(&entry.name)).map(str::to_owned);
        if newest.as_deref().is_some_and(|id| !version_id::counts_backwards(id)) {
            return Self::of_old_format(filer, path, after, null).await;
        }
        let page = match (after, null) {
            (None, _) => first,
            (Some(NULL), Some(Null { is_first: false, entry })) => {
                let start = version_id::file_name(&version_id::end_of_time(rules::written_ns(entry)));
                filer.list(path, options(start, limit)).await?
            }
            (Some(NULL), _) => filer.list(path, options(String::new(), limit)).await?,
            (Some(after), _) => filer.list(path, options(version_id::file_name(after), limit)).await?,
        };
        let is_last = page.len() < limit;
        let mut entries = Vec::with_capacity(page.len());
        for entry in page {
            entries.push(with_etag(filer, path, entry).await?);
        }
        Ok(Self { entries: with_ids(entries), is_last, newest: newest.filter(|id| id != NULL) })
    }

    /// Old ids have to be read as a whole, because the newest is the last file.
    async fn of_old_format(
        filer: &Counted<'_>,
        path: &str,
        after: Option<&str>,
        null: Option<&Null>,
    ) -> Result<Self, FilerError> {
        let mut entries = with_ids(all_files(filer, path).await?);
        let newest = entries.first().map(|(id, _)| id.clone());
        entries.retain(|(id, _)| match (after, null) {
            (None, _) | (Some(NULL), None) => true,
            (Some(NULL), Some(null)) => null.is_before(id),
            (Some(after), _) => version_id::newest_first(after, id).is_lt(),
        });
        Ok(Self { entries, is_last: true, newest })
    }
}

fn options(start_from: String, limit: usize) -> ListOptions {
    ListOptions { start_from, limit, omit_chunks: true, ..ListOptions::default() }
}

fn with_ids(entries: Vec<Entry>) -> Vec<(String, Entry)> {
    let id = |entry: &Entry| version_id::of_file(&entry.name).filter(|id| *id != NULL).map(str::to_owned);
    entries.into_iter().filter(|entry| !entry.is_directory).filter_map(|entry| Some((id(&entry)?, entry))).collect()
}

/// The entry with its chunks, if its ETag depends on them.
async fn with_etag(filer: &Counted<'_>, path: &str, entry: Entry) -> Result<Entry, FilerError> {
    if object::etag_needs_no_chunks(&entry) {
        return Ok(entry);
    }
    Ok(filer.lookup(&format!("{path}/{}", entry.name)).await?.unwrap_or(entry))
}

/// All files of a directory of versions, the newest first.
async fn all_files(filer: &Counted<'_>, path: &str) -> Result<Vec<Entry>, FilerError> {
    let mut entries: Vec<Entry> = Vec::new();
    loop {
        let start_from = entries.last().map(|last| last.name.clone()).unwrap_or_default();
        let page = filer.list(path, options(start_from, PAGE)).await?;
        let is_last = page.len() < PAGE;
        for entry in page {
            entries.push(with_etag(filer, path, entry).await?);
        }
        if is_last {
            break;
        }
    }
    let id = |entry: &Entry| version_id::of_file(&entry.name).unwrap_or_default().to_owned();
    entries.sort_by(|one, other| version_id::newest_first(&id(one), &id(other)));
    Ok(entries)
}
