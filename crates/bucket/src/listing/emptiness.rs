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
    Ok(!contains_object(&Counted::new(filer), bucket_path, skip).await?)
}

/// True if there is an object somewhere below a directory, ignoring what `skip(directory, name)` names. SeaweedFS
/// removes empty directories only after a while, so their existence proves nothing.
pub(super) async fn contains_object(
    filer: &Counted<'_>,
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
