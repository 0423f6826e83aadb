//! What the scrubbing of a filer found, in words that users of S3 know: keys, versions and uploads, not stored names.

use filer::embedded::Finding;

use crate::names::{UPLOADS, VERSIONS_SUFFIX, segment_of};
use crate::version_id;

/// The file, what is wrong with it, and what is affected.
pub fn in_words(finding: &Finding) -> String {
    let Finding { file, why, paths, hides_what_follows } = finding;
    let affected = match paths.as_slice() {
        [] => "unknown, or nothing".to_owned(),
        paths => paths.iter().map(|path| of_path(path)).collect::<Vec<_>>().join(", "),
    };
    let behind = if *hides_what_follows { "everything behind " } else { "" };
    format!("`{}`: {why}; affected: {behind}{affected}", file.display())
}

/// What the entry at a path of the embedded filer is.
fn of_path(path: &str) -> String {
    let Some((bucket, below)) = path.strip_prefix("/buckets/").and_then(|path| path.split_once('/')) else {
        return format!("`{path}`");
    };
    if let Some(upload) = below.strip_prefix(UPLOADS).and_then(|rest| rest.strip_prefix('/')) {
        let (id, _) = upload.split_once('/').unwrap_or((upload, ""));
        return format!("upload `{id}` in bucket `{bucket}`");
    }
    let version = below.rsplit_once('/').and_then(|(directory, name)| {
        let object = directory.strip_suffix(VERSIONS_SUFFIX)?;
        Some((object, version_id::of_file(name)?))
    });
    match version {
        Some((object, id)) => format!("version `{id}` of key `{}` in bucket `{bucket}`", key(object)),
        None => format!("key `{}` in bucket `{bucket}`", key(below)),
    }
}

/// The key that is stored at a path below its bucket.
fn key(path: &str) -> String {
    path.split('/').map(segment_of).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::path_of;

    #[test]
    fn findings_name_what_users_know() {
        let odd = format!("/buckets/b/{}", path_of("//a/./x.versions/y"));
        let version = format!("/buckets/b/{}.versions/v_7", path_of("a//k"));
        for (paths, hides_what_follows, want) in [
            (&["/buckets/b/a/k"][..], false, "key `a/k` in bucket `b`"),
            (&[odd.as_str()], false, "key `//a/./x.versions/y` in bucket `b`"),
            (&["/buckets/b/.\0"], false, "key `.` in bucket `b`"),
            (&["/buckets/b/.uploads\0/x"], false, "key `.uploads/x` in bucket `b`"),
            (&["/buckets/b/k.versions/v_null"], false, "version `null` of key `k` in bucket `b`"),
            (&[version.as_str()], false, "version `7` of key `a//k` in bucket `b`"),
            (&["/buckets/b/.uploads/5_a/0001.part"], false, "upload `5_a` in bucket `b`"),
            (&["/etc/iam/x", "/buckets/b"], false, "`/etc/iam/x`, `/buckets/b`"),
            (&["/buckets/b/\0/a"], true, "everything behind key `/a` in bucket `b`"),
            (&[], false, "unknown, or nothing"),
        ] {
            let paths = paths.iter().map(|path| (*path).to_owned()).collect();
            let finding =
                Finding { file: "data/00/1".into(), why: "it is missing".to_owned(), paths, hides_what_follows };
            assert_eq!(in_words(&finding), format!("`data/00/1`: it is missing; affected: {want}"));
        }
    }
}
