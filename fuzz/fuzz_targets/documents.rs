//! Stored documents of IAM, and texts that are imported: one byte for the kind, then the text.
#![no_main]

use std::collections::BTreeMap;

use iam_formats::{Facts, StoredDocument};
use iam::{GroupRecord, RoleRecord, UserRecord};
use libfuzzer_sys::fuzz_target;
use transfer::{MINIO_FILES, from_json, from_minio};

fuzz_target!(|data: &[u8]| {
    let Some((kind, text)) = data.split_first() else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    match kind % 5 {
        0 => stays(text, |text| Some(UserRecord::parse(text, Facts::default()).ok()?.to_text())),
        1 => stays(text, |text| Some(GroupRecord::parse(text, Facts::default()).ok()?.to_text())),
        2 => stays(text, |text| Some(RoleRecord::parse(text, Facts::default()).ok()?.to_text())),
        3 => drop(from_json(text, &|_| None)),
        _ => minio(text),
    }
});

/// What is read is written so that it reads as the same.
fn stays(text: &str, round: impl Fn(&str) -> Option<String>) {
    let Some(written) = round(text) else { return };
    assert_eq!(round(&written).as_ref(), Some(&written), "{text}");
}

/// Files, with a line of three dashes between them.
fn minio(text: &str) {
    let files: BTreeMap<String, String> = MINIO_FILES
        .iter()
        .zip(text.split("\n---\n"))
        .map(|(name, text)| ((*name).to_owned(), text.to_owned()))
        .collect();
    drop(from_minio(&files));
}
