//! Version ids as SeaweedFS makes them: a time in 16 hexadecimal digits, then 16 random ones.
//!
//! In new ids the time is counted backwards, so that the newest version is the first file of its directory. In old ids
//! it is counted forwards. A directory keeps the format that it began with. The version `null` is the object at the
//! key's own path; its delete marker is a file.

use std::cmp::Ordering;

/// The id of the version that is written while a bucket keeps none.
pub const NULL: &str = "null";
/// Times that are counted backwards are above this, times that are counted forwards below.
const BACKWARDS_ABOVE: u64 = 0x4000_0000_0000_0000;
/// The latest time that has an id in either format, in ns since 1970: in the year 2116.
const TIME_MAX_NS: i64 = 0x3fff_ffff_ffff_fffe;

/// The name of a version's file.
pub fn file_name(id: &str) -> String {
    format!("v_{id}")
}

/// The id of the version that a file holds.
pub fn of_file(name: &str) -> Option<&str> {
    name.strip_prefix("v_").filter(|id| !id.is_empty())
}

/// Whether newer versions have smaller ids. Anything but an old id counts as new.
pub fn counts_backwards(id: &str) -> bool {
    time_digits(id).is_none_or(|digits| digits > BACKWARDS_ABOVE)
}

/// When a version was made, in ns since 1970; `None` for `null` and for malformed ids.
pub fn time_ns(id: &str) -> Option<i64> {
    let digits = time_digits(id)?;
    let backwards = (i64::MAX as u64).checked_sub(digits);
    i64::try_from(if digits > BACKWARDS_ABOVE { backwards? } else { digits }).ok()
}

fn time_digits(id: &str) -> Option<u64> {
    let digits = id.get(..16).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
    u64::from_str_radix(digits, 16).ok()
}

/// The id of a version that is made now and is newer than all known ones, even if a clock was set back. `newest` is the
/// id of the newest known version; it also determines the format.
pub fn next(newest: Option<&str>, now_ns: i64, random: u64) -> String {
    let after = newest.and_then(time_ns).map_or(0, |known| known.saturating_add(1));
    let time_ns = now_ns.max(after).clamp(1, TIME_MAX_NS);
    let digits = if newest.is_none_or(counts_backwards) { i64::MAX - time_ns } else { time_ns };
    format!("{digits:016x}{random:016x}")
}

/// An id that is listed after all new ids of this time, in ns since 1970, and before all older ones.
pub fn end_of_time(time_ns: i64) -> String {
    format!("{:016x}~", i64::MAX - time_ns.clamp(1, TIME_MAX_NS))
}

/// The order of versions: the newest first. Ids without a time come last.
pub fn newest_first(one: &str, other: &str) -> Ordering {
    let by_time = time_ns(other).cmp(&time_ns(one));
    by_time.then_with(|| if counts_backwards(one) { one.cmp(other) } else { other.cmp(one) })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEW: &str = "682e4d90a2f0b1c300000000000000aa";
    const OLD: &str = "17d1b26f5d0f4e3c00000000000000aa";

    #[test]
    fn formats() {
        for (id, backwards, has_time) in [
            (NEW, true, true),
            (OLD, false, true),
            (NULL, true, false),
            ("17d1", true, false),
            ("zz_not_a_time_at_all", true, false),
            ("ffffffffffffffff", true, false),
            ("+7d1b26f5d0f4e3c", true, false),
            ("682e4d90a2f0b1c\u{e9}", true, false),
        ] {
            assert_eq!((counts_backwards(id), time_ns(id).is_some()), (backwards, has_time), "{id}");
        }
    }

    #[test]
    fn a_new_id_is_newer_than_all_known_ones() {
        let now = 1_790_000_000_000_000_000;
        for (newest, now_ns) in [
            (None, now),
            (Some(NEW), now),
            (Some(OLD), now),
            (Some(NULL), now),
            (Some(NEW), 5),
            (Some(OLD), 5),
            (Some(NEW), -5),
            (None, i64::MAX),
        ] {
            let id = next(newest, now_ns, 7);
            assert_eq!(id.len(), 32, "{newest:?} {now_ns}");
            assert_eq!(counts_backwards(&id), newest != Some(OLD), "{newest:?} {now_ns}");
            if let Some(newest) = newest.filter(|id| *id != NULL) {
                assert_eq!(newest_first(&id, newest), Ordering::Less, "{newest} {now_ns}");
            }
        }
        assert_eq!(time_ns(&next(None, now, 7)), Some(now));
    }

    #[test]
    fn order() {
        let at = |newest: Option<&str>, time| next(newest, time, 0);
        let (new_5, new_6, old_4, old_7) =
            (at(None, 5), at(None, 6), at(Some("0000000000000001"), 4), at(Some("0000000000000001"), 7));
        let mut ids = [NULL, &old_4, &new_5, &old_7, &new_6];
        ids.sort_by(|one, other| newest_first(one, other));
        assert_eq!(ids, [&*old_7, &new_6, &new_5, &old_4, NULL]);
        assert_eq!(newest_first(NEW, NEW), Ordering::Equal);
    }

    #[test]
    fn the_end_of_a_time() {
        for time in [1, 5, 1_790_000_000_000_000_000] {
            let (same, older) = (next(None, time, u64::MAX), next(None, time - 1, 0));
            assert!(same < end_of_time(time), "{time}");
            assert!(time == 1 || end_of_time(time) < older, "{time}");
        }
    }

    #[test]
    fn names_of_files() {
        for (name, id) in [("v_1", Some("1")), ("v_null", Some(NULL)), ("v_", None), ("x", None)] {
            assert_eq!(of_file(name), id, "{name}");
        }
        assert_eq!(file_name(NULL), "v_null");
    }
}
