//! Unfinished multipart uploads: a directory for each below `<bucket>/.uploads`, a file in it for each part.

use aws_lc_rs::digest;
use filer::Entry;
use md5::{Digest, Md5};

/// The suffix of a part's file name.
const PART_SUFFIX: &str = ".part";

/// The identity that started a multipart upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Initiator {
    /// The same for every session and key of the identity.
    pub id: String,
    /// Their ARN, as listings show it.
    pub arn: String,
}

/// SHA-1 of the key and a random UUID, in hex.
pub fn upload_id(key: &str) -> String {
    let of_key = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, key.as_bytes());
    format!("{}_{}", hex::encode(of_key), hex::encode(random_uuid()))
}

/// The number in a part's file name, `0001_<uuid>.part`: 1 to 10000.
pub fn part_number_of(name: &str) -> Option<u32> {
    let (digits, _) = name.strip_suffix(PART_SUFFIX)?.split_once('_')?;
    let is_number = digits.len() >= 4 && digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|number| is_number && (1..=10_000).contains(number))
}

/// The newer of two uploads of one part counts.
pub fn age(part: &Entry) -> (i64, i64) {
    let attributes = part.attributes();
    let written_ns = part.chunks.iter().map(|chunk| chunk.modified_ts_ns).max();
    (attributes.mtime, written_ns.unwrap_or(attributes.mtime_ns.into()))
}

/// A random UUID (RFC 9562 version 4): 128 bits, six of them fixed.
fn random_uuid() -> [u8; 16] {
    let random: u128 = rand::random();
    let fixed = 0xffff_ffff_ffff_0fff_3fff_ffff_ffff_ffff;
    (random & fixed | 0x4000_8000_0000_0000_0000).to_be_bytes()
}

/// A part's file name. Every upload of a part gets a name of its own.
pub fn part_name(number: u32) -> String {
    let hex = hex::encode(random_uuid());
    let group = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    let uuid = [group(0, 8), group(8, 12), group(12, 16), group(16, 20), group(20, 32)].join("-");
    format!("{number:04}_{uuid}{PART_SUFFIX}")
}

/// The MD5 of the parts' MD5s, and their number. `None` if one of the ETags is not the ETag of a part.
pub fn multipart_etag<'e>(etags: impl Iterator<Item = &'e str>) -> Option<String> {
    let (mut all, mut count) = (Md5::new(), 0);
    for etag in etags {
        // A part that was copied chunk by chunk has an ETag with a number of its own behind it.
        let md5: [u8; 16] = hex::decode(etag.split('-').next()?).ok()?.try_into().ok()?;
        all.update(md5);
        count += 1;
    }
    Some(format!("{}-{count}", hex::encode(all.finalize())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn part_numbers_are_read_from_names() {
        for (name, want) in [
            ("0001_998c6f73-0f8b-43b8-b1f6-e516b3f8fad7.part", Some(1)),
            ("0004_copy.part", Some(4)),
            ("10000_x.part", Some(10_000)),
            ("10001_x.part", None),
            ("0000_x.part", None),
            ("1_x.part", None),
            ("+001_x.part", None),
            ("0001.part", None),
            ("0001_x", None),
        ] {
            assert_eq!(part_number_of(name), want, "{name}");
        }
        for number in [1, 9999, 10_000] {
            let name = part_name(number);
            assert_eq!(part_number_of(&name), Some(number), "{name}");
            assert_ne!(name, part_name(number));
            let uuid = name.split_once('_').unwrap().1;
            assert_eq!((&uuid[14..15], uuid.len()), ("4", 36 + PART_SUFFIX.len()), "{name}");
        }
    }

    #[test]
    fn the_etag_of_parts() {
        let of = |etags: &[&str]| multipart_etag(etags.iter().copied());
        let (one, two) = ("2328ce96efb11935e3623f9e00f2ddc4", "62ea891772ea1734a1f153c6e4452436");
        let three = "7f021a1415b86f2d013b2618fb31ae53";
        assert_eq!(of(&[one, two, three]).unwrap(), "29b62d91a1ca8090f0996c1bedc1b63b-3");
        assert_eq!(of(&[&format!("{one}-2"), two, three]), of(&[one, two, three]));
        for bad in ["", "x", "ab", "7f021a1415b86f2d013b2618fb31ae5"] {
            assert_eq!(of(&[one, bad]), None, "{bad}");
        }
    }

    #[test]
    fn upload_ids_are_those_of_weed() {
        let id = upload_id("mp/x");
        assert!(id.starts_with("841e8888303e61784d423ac5b76957b122bfee40_"), "{id}");
        assert_eq!(id.len(), 73);
        assert_ne!(id, upload_id("mp/x"));
    }
}
