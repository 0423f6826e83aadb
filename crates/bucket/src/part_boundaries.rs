//! The boundaries of an object's parts: the JSON that a completed multipart upload leaves on its entry.

use std::ops::Range;

use filer::{Entry, FileChunk};
use serde::{Deserialize, Serialize};

use crate::attributes;

/// One part of a multipart object, as SeaweedFS writes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartBoundary {
    /// The number with which the part was uploaded, 1 to 10000.
    #[serde(rename = "part")]
    pub number: u32,
    /// The index of its first chunk.
    #[serde(default, rename = "start")]
    pub first_chunk: u64,
    /// The index after its last chunk.
    #[serde(default, rename = "end")]
    pub end_chunk: u64,
    /// The part's ETag, in quotes.
    #[serde(default)]
    pub etag: String,
    /// The offset of its first byte.
    #[serde(default, rename = "startOffset", skip_serializing_if = "is_zero")]
    pub start_offset: u64,
    /// The offset after its last byte.
    #[serde(default, rename = "endOffset", skip_serializing_if = "is_zero")]
    pub end_offset: u64,
    /// Ours, which SeaweedFS ignores: the part's checksum in base64, by the algorithm of the object's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum: Option<String>,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// The parts of a multipart object, in order. Empty for an object that was not made of parts, or that does not record
/// them.
pub fn part_boundaries(entry: &Entry) -> Vec<PartBoundary> {
    let Some(json) = entry.extended.get(attributes::PART_BOUNDARIES) else { return Vec::new() };
    let mut parts: Vec<PartBoundary> = serde_json::from_slice(json).unwrap_or_else(|error| {
        tracing::warn!(%error, name = entry.name, "the part boundaries of an object cannot be read");
        Vec::new()
    });
    if parts.iter().all(|part| part.end_offset == 0) {
        set_offsets(&mut parts, &entry.chunks);
    }
    parts
}

/// The JSON that an entry holds.
pub(crate) fn to_json(parts: &[PartBoundary]) -> Vec<u8> {
    serde_json::to_vec(parts).expect("numbers and text are always JSON")
}

/// Older versions wrote only chunk indexes.
fn set_offsets(parts: &mut [PartBoundary], chunks: &[FileChunk]) {
    let mut chunks: Vec<&FileChunk> = chunks.iter().collect();
    chunks.sort_by_key(|chunk| chunk.offset);
    let chunk = |index: u64| usize::try_from(index).ok().and_then(|index| chunks.get(index));
    for part in parts {
        let (first, last) = (chunk(part.first_chunk), part.end_chunk.checked_sub(1).and_then(chunk));
        if let (Some(first), Some(last)) = (first, last) {
            part.start_offset = first.offset.max(0) as u64;
            part.end_offset = (last.offset.max(0) as u64).saturating_add(last.size);
        }
    }
}

/// Why a part cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PartError {
    /// No part has the number that is asked for.
    #[error("the object has {count} parts, and none of that number")]
    NoSuchPart {
        /// How many parts there are.
        count: usize,
    },
    /// What is stored of the parts cannot be true.
    #[error("the part boundaries of the object are outside it")]
    Damaged,
}

/// The bytes of one part of an object of `size` bytes. An object in one piece is its own part 1.
pub fn part_range(entry: &Entry, number: u32, size: u64) -> Result<Range<u64>, PartError> {
    let parts = part_boundaries(entry);
    let beyond = || PartError::NoSuchPart { count: parts.len().max(1) };
    if parts.is_empty() {
        let has_parts = entry.extended.contains_key(attributes::PARTS_COUNT);
        return if number == 1 && !has_parts { Ok(0..size) } else { Err(beyond()) };
    }
    let part = parts.iter().find(|part| part.number == number).ok_or_else(beyond)?;
    if part.start_offset > part.end_offset || part.end_offset > size {
        return Err(PartError::Damaged);
    }
    Ok(part.start_offset..part.end_offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OF_WEED: &str = r#"[{"part":1,"start":0,"end":2,"etag":"\"aa\"","endOffset":10},{"part":3,"start":2,"end":3,"etag":"\"bb\"","startOffset":10,"endOffset":13}]"#;
    const WITHOUT_OFFSETS: &str =
        r#"[{"part":1,"start":0,"end":2,"etag":"\"aa\""},{"part":3,"start":2,"end":3,"etag":"\"bb\""}]"#;

    fn object(json: Option<&str>) -> Entry {
        let chunk = |offset, size| FileChunk { offset, size, ..FileChunk::default() };
        let extended = json.map(|json| (attributes::PART_BOUNDARIES.to_owned(), json.as_bytes().to_vec()));
        let chunks = vec![chunk(10, 3), chunk(0, 4), chunk(4, 6)];
        Entry { chunks, extended: extended.into_iter().collect(), ..Entry::default() }
    }

    #[test]
    fn parts_are_found_by_their_numbers() {
        for (json, number, want) in [
            (Some(OF_WEED), 1, Some(0..10)),
            (Some(OF_WEED), 3, Some(10..13)),
            (Some(OF_WEED), 2, None),
            (Some(WITHOUT_OFFSETS), 1, Some(0..10)),
            (Some(WITHOUT_OFFSETS), 3, Some(10..13)),
            (Some("not json"), 1, Some(0..13)),
            (Some(r#"[{"part":1,"startOffset":9,"endOffset":14}]"#), 1, None),
            (Some(r#"[{"part":1,"startOffset":9,"endOffset":5}]"#), 1, None),
            (None, 1, Some(0..13)),
            (None, 2, None),
        ] {
            assert_eq!(part_range(&object(json), number, 13).ok(), want, "{json:?} part {number}");
        }
        assert_eq!(part_range(&object(None), 2, 13), Err(PartError::NoSuchPart { count: 1 }));
        let outside = object(Some(r#"[{"part":1,"startOffset":9,"endOffset":14}]"#));
        assert_eq!(part_range(&outside, 1, 13), Err(PartError::Damaged));
    }

    #[test]
    fn part_boundaries_are_written_as_seaweedfs_does() {
        assert_eq!(serde_json::to_string(&part_boundaries(&object(Some(OF_WEED)))).unwrap(), OF_WEED);
    }
}
