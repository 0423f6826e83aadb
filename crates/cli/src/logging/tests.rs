use std::cell::RefCell;

use super::*;

thread_local! {
    static WRITTEN: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// The output for the lines that `log` logs.
fn written(json: bool, log: impl FnOnce()) -> String {
    let keep = |line: &[&[u8]], _| WRITTEN.with_borrow_mut(|written| written.extend_from_slice(&line.concat()));
    let (subscriber, _) = subscriber(EnvFilter::new("trace"), json, Lines { colors: false, keep });
    tracing::subscriber::with_default(subscriber, log);
    String::from_utf8(WRITTEN.take()).unwrap()
}

/// Every way in which a value can get into a line.
fn log_everywhere(value: &str) {
    tracing::info!(target: "audit", text = value, display = %value, debug = ?[value], "refused");
    tracing::warn!("in the message: {value}");
    let error = std::io::Error::other(value.to_owned());
    tracing::error!(error = &error as &dyn std::error::Error, %value, "an error");
    let span = tracing::info_span!("span", %value);
    span.in_scope(|| tracing::info!("in a span"));
}

#[test]
fn no_value_ends_a_line_or_commands_a_terminal() {
    let all = (0..=0x10_ffff_u32).filter_map(char::from_u32).filter(|character| is_control(*character));
    for character in all {
        let value = format!("x{character}2026-01-01T00:00:00Z  INFO audit: forged{character}[2J");
        for json in [false, true] {
            let text = written(json, || log_everywhere(&value));
            assert_eq!(text.split_terminator('\n').count(), 4, "{character:?}: {text}");
            let left = text.chars().filter(|c| *c != '\n').find(|c| is_control(*c));
            assert_eq!(left, None, "{character:?}, json {json}: {text}");
        }
    }
}

#[test]
fn what_is_a_control() {
    for (character, want) in [
        ('\0', true),
        ('\t', true),
        ('\n', true),
        ('\r', true),
        ('\u{1b}', true),
        ('\u{7f}', true),
        ('\u{80}', true),
        ('\u{85}', true),
        ('\u{9b}', true),
        ('\u{2028}', true),
        ('\u{2029}', true),
        ('\u{202e}', true),
        ('\u{2066}', true),
        ('\u{2069}', true),
        ('\u{200f}', true),
        ('\u{61c}', true),
        (' ', false),
        ('a', false),
        ('\u{e4}', false),
        ('\u{6d77}', false),
        ('\u{1f41a}', false),
    ] {
        assert_eq!(is_control(character), want, "{character:?}");
    }
}

#[test]
fn json_gives_the_value_back() {
    for value in
        ["a\nb", "\u{1b}[2J", "\u{85}", "\u{2028}", "\u{202e}gpj.exe", "\\u000a", "\"quoted\"", "plain \u{e4}\u{1f41a}"]
    {
        let text = written(true, || tracing::info!(%value, "refused"));
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["fields"]["value"], value, "{text}");
    }
}

#[test]
fn a_value_is_one_field() {
    for (value, want) in [
        ("arn:aws:s3:::reef/k", "resource=arn:aws:s3:::reef/k"),
        ("", "resource="),
        ("x principal=root", r#"resource="x principal=root""#),
        ("\" principal=root \"", r#"resource="\" principal=root \"""#),
        ("x\u{a0}principal=root", r#"resource="x\u{a0}principal=root""#),
        ("x\nprincipal=root", r#"resource="x\nprincipal=root""#),
    ] {
        for text in [
            written(false, || tracing::info!(resource = %value, status = 403, "refused")),
            written(false, || tracing::info!(resource = value, status = 403, "refused")),
        ] {
            assert!(text.trim_end().ends_with(&format!("refused {want} status=403")), "{value:?}: {text}");
        }
    }
}

#[test]
fn warnings_have_a_color_on_a_terminal() {
    let keep = |line: &[&[u8]], _| WRITTEN.with_borrow_mut(|written| written.extend_from_slice(&line.concat()));
    let (subscriber, _) = subscriber(EnvFilter::new("trace"), false, Lines { colors: true, keep });
    tracing::subscriber::with_default(subscriber, || tracing::warn!(value = "\u{1b}[2J", "careful"));
    let text = String::from_utf8(WRITTEN.take()).unwrap();
    assert!(text.starts_with("\u{1b}[33m") && text.ends_with("\u{1b}[0m\n"), "{text:?}");
    assert_eq!(text.matches('\u{1b}').count(), 2, "{text:?}");
}

#[test]
fn a_filter_that_means_nothing_is_refused() {
    for (wanted, refused) in [
        ("info", None),
        ("WARN", None),
        ("info,audit=debug", None),
        ("info, audit=debug", Some("use for example")),
        ("nonsense", Some("`nonsense` is not a level")),
        ("audit", Some("`audit` is not a level")),
        ("info,audit=loud", Some("`loud` is not a level")),
        ("info,", Some("`` is not a level")),
        ("a[=info", Some("use for example")),
    ] {
        let told = filter_of(wanted).err();
        match refused {
            None => assert_eq!(told, None, "{wanted}"),
            Some(why) => assert!(told.as_ref().is_some_and(|told| told.contains(why)), "{wanted}: {told:?}"),
        }
    }
}
