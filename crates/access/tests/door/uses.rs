//! When keys were last used: what is recorded, and what is handed over.

use access::RecentUses;
use iam::{LastUsed, SessionUse};

/// The beginning of a minute.
const NOW: i64 = 1_795_896_000;

fn said(record: &LastUsed, id: &str) -> String {
    record.of(id).map_or("never".to_owned(), |used| format!("{} {} {}", used.at_s - NOW, used.service, used.region))
}

#[test]
fn the_latest_minute_counts_and_its_first_use() {
    for (notes, want) in [
        (&[][..], "never"),
        (&[(0, "s3", "r")], "0 s3 r"),
        (&[(59, "s3", "r")], "0 s3 r"),
        (&[(60, "s3", "r")], "60 s3 r"),
        (&[(-1, "s3", "r")], "-60 s3 r"),
        // The first of a minute stays.
        (&[(0, "s3", "r"), (59, "iam", "q")], "0 s3 r"),
        (&[(0, "s3", "r"), (60, "iam", "q")], "60 iam q"),
        (&[(0, "s3", "r"), (3600, "iam", "q")], "3600 iam q"),
        // A clock that was set back changes nothing.
        (&[(60, "s3", "r"), (59, "iam", "q")], "60 s3 r"),
        (&[(0, "s3", "r"), (60, "iam", "q"), (0, "sts", "p"), (61, "sts", "p")], "60 iam q"),
    ] {
        let uses = RecentUses::default();
        for (at_s, service, region) in notes {
            uses.note("AK", NOW + at_s, service, region);
        }
        assert_eq!(said(&uses.peek(), "AK"), want, "{notes:?}");
        assert_eq!(said(&uses.take(NOW), "AK"), want, "{notes:?}");
        assert_eq!(said(&uses.peek(), "other"), "never");
    }
}

#[test]
fn a_region_has_at_most_64_bytes() {
    for (region, want) in [
        (String::new(), String::new()),
        ("r".repeat(63), "r".repeat(63)),
        ("r".repeat(64), "r".repeat(64)),
        ("r".repeat(65), String::new()),
    ] {
        let uses = RecentUses::default();
        uses.note("AK", NOW, "s3", &region);
        assert_eq!(uses.peek().of("AK").map(|used| used.region.to_string()), Some(want), "{region}");
    }
}

#[test]
fn entries_of_earlier_minutes_are_removed_once_they_are_handed_over() {
    for (taken_s, first, second) in [
        (0, "0 s3 r", "0 s3 r"),
        (59, "0 s3 r", "0 s3 r"),
        (60, "0 s3 r", "never"),
        (3600, "0 s3 r", "never"),
        // A clock that was ahead leaves nothing in the future.
        (-60, "0 s3 r", "never"),
    ] {
        let uses = RecentUses::default();
        uses.note("AK", NOW, "s3", "r");
        assert_eq!(said(&uses.take(NOW + taken_s), "AK"), first, "{taken_s}");
        assert_eq!(said(&uses.take(NOW + taken_s), "AK"), second, "{taken_s}");
        // A key that was removed is recorded like a new one.
        uses.note("AK", NOW + taken_s, "iam", "q");
        let again = if second == "never" { format!("{taken_s} iam q") } else { "0 s3 r".to_owned() };
        assert_eq!(said(&uses.peek(), "AK"), again, "{taken_s}");
    }
}

#[test]
fn each_id_has_its_own_record() {
    let uses = RecentUses::default();
    uses.note("AK1", NOW, "s3", "r");
    uses.note("AK2", NOW + 60, "iam", "q");
    let record = uses.take(NOW + 60);
    assert_eq!((record.len(), said(&record, "AK1"), said(&record, "AK2")), (2, "0 s3 r".into(), "60 iam q".into()));
    let record = uses.take(NOW + 60);
    assert_eq!((record.len(), said(&record, "AK2")), (1, "60 iam q".into()));
}

/// What is known of a session is asked for once in a minute, and stays with its record.
#[test]
fn a_session_is_recorded_with_what_it_is() {
    let uses = RecentUses::default();
    for (at_s, name, asked, want) in [
        (0, "first", true, ("first", 0)),
        (59, "again", false, ("first", 0)),
        (60, "later", false, ("first", 60)),
        (30, "set back", false, ("first", 60)),
    ] {
        let mut was_asked = false;
        uses.note_session("07", NOW + at_s, "s3", "r", || {
            was_asked = true;
            SessionUse { arn: name.to_owned(), ..SessionUse::default() }
        });
        assert_eq!(was_asked, asked, "{name}");
        let record = uses.peek();
        let used = record.of("07").unwrap();
        let arn = used.session.as_ref().map(|session| session.arn.as_str());
        assert_eq!((arn, used.at_s - NOW), (Some(want.0), want.1), "{name}");
    }
}

/// A client that makes many sessions fills no memory, and takes no room from keys.
#[test]
fn there_is_room_for_so_many_sessions() {
    let uses = RecentUses::default();
    for number in 0..19_999 {
        uses.note(&format!("AK{number}"), NOW, "s3", "r");
    }
    uses.note_session("last", NOW, "s3", "r", SessionUse::default);
    uses.note_session("excess", NOW, "s3", "r", SessionUse::default);
    uses.note("AKLATE", NOW, "s3", "r");
    let record = uses.peek();
    let has = |id| record.of(id).is_some();
    assert_eq!((has("last"), has("excess"), has("AKLATE")), (true, false, true));
}
