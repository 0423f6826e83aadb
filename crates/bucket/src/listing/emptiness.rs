//! Whether there is an object in a bucket, or below a directory.

use filer::{Filer, FilerError, ListOptions};

use super::{Counted, PAGE};
use crate::{names, object};

/// How many entries are requested to see whether there is an object among them: a page of a thousand groups asks for each.
const AT_A_GLANCE: usize = 1;

/// True if the bucket can be deleted, because it has no objects and no versions. Unfinished uploads do not count, as on
/// AWS.
pub async fn is_empty(filer: &dyn Filer, bucket_path: &str) -> Result<bool, FilerError> {
    let skip = |directory: &str, name: &str| directory == bucket_path && name == names::UPLOADS;
    Ok(contains_object(&Counted::new(filer), bucket_path, skip, usize::MAX).await? == Some(false))
}

/// True if there is an object somewhere below a directory, ignoring what `skip(directory, name)` names. SeaweedFS
/// removes empty directories only after a while, so their existence proves nothing. `None` if it takes too many calls.
pub(super) async fn contains_object(
    filer: &Counted<'_>,
    directory: &str,
    skip: impl Fn(&str, &str) -> bool,
    most_calls: usize,
) -> Result<Option<bool>, FilerError> {
    let mut directories = vec![directory.to_owned()];
    while let Some(directory) = directories.pop() {
        if filer.calls() > most_calls {
            return Ok(None);
        }
        if let Some(below) = filer.below(&directory, AT_A_GLANCE).await? {
            let skipped = |path: &str| is_skipped(&directory, path, &skip);
            if below.entries.iter().any(|(path, entry)| object::is_object(entry) && !skipped(path)) {
                return Ok(Some(true));
            }
            if below.is_complete {
                continue;
            }
        }
        let mut start_from = String::new();
        let mut limit = 2;
        loop {
            if filer.calls() > most_calls {
                return Ok(None);
            }
            let options = ListOptions { start_from, limit, omit_chunks: true, ..ListOptions::default() };
            let entries = filer.list(&directory, options).await?;
            for entry in &entries {
                if object::is_object(entry) {
                    return Ok(Some(true));
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
    Ok(Some(false))
}

/// True if one of the directories between `directory` and a path below it is skipped.
fn is_skipped(directory: &str, path: &str, skip: &impl Fn(&str, &str) -> bool) -> bool {
    let mut above = directory.to_owned();
    let (directories, _) = path.rsplit_once('/').unwrap_or_default();
    directories.split('/').filter(|name| !name.is_empty()).any(|name| {
        let skipped = skip(&above, name);
        above = format!("{above}/{name}");
        skipped
    })
}
