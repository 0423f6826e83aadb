//! `volume,keycookie`: the address of a needle as text.

use crate::entry::{FileChunk, FileId};

/// Parses `12,0279445024`. In assignments of several places, a suffix `_2` means "two keys further".
pub(super) fn parse(text: &str) -> Option<FileId> {
    let (volume, rest) = text.split_once(',')?;
    let (hex, delta) = match rest.split_once('_') {
        Some((hex, delta)) => (hex, delta.parse::<u64>().ok()?),
        None => (rest, 0),
    };
    if hex.len() <= 8 || hex.len() > 24 || !hex.is_ascii() {
        return None;
    }
    let (key, cookie) = hex.split_at(hex.len() - 8);
    Some(FileId {
        volume_id: volume.parse().ok()?,
        file_key: u64::from_str_radix(key, 16).ok()?.checked_add(delta)?,
        cookie: u32::from_str_radix(cookie, 16).ok()?,
    })
}

/// The canonical text, which omits leading zero bytes of the key.
pub(super) fn format(id: FileId) -> String {
    let key = id.file_key.to_be_bytes();
    let zeros = key.iter().take_while(|byte| **byte == 0).count();
    let significant = key.get(zeros..).unwrap_or_default();
    format!("{},{}{}", id.volume_id, hex::encode(significant), hex::encode(id.cookie.to_be_bytes()))
}

/// The address of a chunk, whichever of its two forms is filled in.
pub(super) fn of(chunk: &FileChunk) -> Option<String> {
    match (&chunk.fid, chunk.file_id.as_str()) {
        (_, text) if !text.is_empty() => Some(text.to_owned()),
        (Some(id), _) => Some(format(*id)),
        (None, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form() {
        for (text, canonical) in [
            ("12,0279445024", Some("12,0279445024")),
            ("20,06dcf1381b_1", Some("20,07dcf1381b")),
            ("20,ffdcf1381b_1", Some("20,0100dcf1381b")),
            ("3,01637037d6", Some("3,01637037d6")),
            ("3,1637037d6", Some("3,01637037d6")),
            ("3,637037d6", None),
            ("3", None),
            ("x,01637037d6", None),
            ("3,0163703zd6", None),
            ("3,é1637037d6", None),
            ("3,ffffffffffffffff637037d6_1", None),
        ] {
            assert_eq!(parse(text).map(format).as_deref(), canonical, "{text}");
        }
    }
}
