//! The one reader of a call's parameters.
#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

use iam_api::Params;

fn params(pairs: &[(&str, &str)]) -> Params {
    Params::new(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))).unwrap()
}

#[test]
fn an_empty_value_is_absent_but_was_given() {
    let params = params(&[("a", "1"), ("b", "")]);
    for (name, get, given, required) in [
        ("a", Some("1"), Some("1"), "1"),
        ("b", None, Some(""), "The parameter `b` is missing: send it with the request"),
        ("c", None, None, "The parameter `c` is missing: send it with the request"),
        // Names are compared as they are.
        ("A", None, None, "The parameter `A` is missing: send it with the request"),
    ] {
        assert_eq!((params.get(name), params.given(name)), (get, given), "{name}");
        let said = params.required(name).map_or_else(|error| error.message, str::to_owned);
        assert_eq!(said, required, "{name}");
    }
}

#[test]
fn a_name_comes_once() {
    for (pairs, want) in [
        (&[("a", "1"), ("b", "1")][..], None),
        (&[("a", "1"), ("a", "1")], Some("the parameter a occurs more than once: send it once")),
        (&[("a", "1"), ("b", "2"), ("a", "")], Some("the parameter a occurs more than once: send it once")),
        (&[("a", "1"), ("A", "1")], None),
    ] {
        let pairs = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let error = Params::new(pairs).err();
        assert_eq!(error.as_ref().map(|error| &*error.message), want);
        assert!(error.is_none_or(|error| error.code == "ValidationError" && error.status == 400));
    }
}

#[test]
fn a_prefix_is_that_of_any_name() {
    let params = params(&[("Tags.member.1.Key", ""), ("b", "1"), ("Tagset", "1")]);
    for (prefix, want) in [
        ("Tags.member.", true),
        ("Tags.member.1.Key", true),
        ("Tags.member.1.Keys", false),
        ("Tags.member.2", false),
        ("Tag", true),
        ("", true),
        ("a", false),
        ("c", false),
        ("tags", false),
    ] {
        assert_eq!(params.has_prefix(prefix), want, "{prefix}");
    }
}

#[test]
fn members_are_in_order_and_without_gaps() {
    const GAP: &str = "The list L is not valid: use L.member.1 to at most L.member.1000 without gaps";
    let many = |count: usize| (1..=count).map(|place| (format!("L.member.{place}"), place.to_string()));
    for (names, want) in [
        (&[][..], Ok("")),
        (&["L"], Ok("")),
        (&["L.member.1"], Ok("L.member.1")),
        // Numbers count, not letters.
        (
            &[
                "L.member.10",
                "L.member.2",
                "L.member.1",
                "L.member.3",
                "L.member.4",
                "L.member.5",
                "L.member.6",
                "L.member.7",
                "L.member.8",
                "L.member.9",
            ],
            Ok(
                "L.member.1 L.member.2 L.member.3 L.member.4 L.member.5 L.member.6 L.member.7 L.member.8 L.member.9 L.member.10",
            ),
        ),
        (&["L.member.1", "Long.member.2"], Ok("L.member.1")),
        (&["L.member.2"], Err(GAP)),
        (&["L.member.1", "L.member.3"], Err(GAP)),
        (&["L.member.0"], Err(GAP)),
        (&["L.member.01"], Err(GAP)),
        (&["L.member.1", "L.member.x"], Err(GAP)),
        (&["L.member."], Err(GAP)),
        (&["L.member.1.Key"], Err(GAP)),
    ] {
        let pairs: Vec<(&str, &str)> = names.iter().map(|name| (*name, *name)).collect();
        let said = params(&pairs).members("L").map(|members| members.join(" ")).map_err(|error| error.message);
        assert_eq!(said.as_ref().map(String::as_str).map_err(String::as_str), want, "{names:?}");
    }
    for (count, is_list) in [(1000, true), (1001, false)] {
        assert_eq!(Params::new(many(count)).unwrap().members("L").is_ok(), is_list, "{count}");
    }
    // An empty member is a member.
    assert_eq!(params(&[("L.member.1", "")]).members("L").unwrap(), [""]);
}

#[test]
fn with_replaces_one_value() {
    let before = params(&[("a", "1"), ("b", "2")]);
    assert_eq!(before.clone().with("a", "3"), params(&[("a", "3"), ("b", "2")]));
    assert_eq!(before.with("c", "3"), params(&[("a", "1"), ("b", "2"), ("c", "3")]));
}

/// Query string and form are one text when they get here.
#[test]
fn a_query_string_is_read_as_it_was_parsed() {
    for (text, want) in [
        ("Action=ListUsers&Path=%2Fa%2F", &[("Action", "ListUsers"), ("Path", "/a/")][..]),
        ("a=1+2&b", &[("a", "1 2"), ("b", "")]),
        ("", &[]),
    ] {
        assert_eq!(Params::from(s3::QueryString::parse(Some(text)).unwrap()), params(want), "{text}");
    }
}
