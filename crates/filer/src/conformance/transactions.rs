//! Transactions: conditions, patches, notes and deletions.

use super::*;

pub(super) async fn compare_and_swap(world: &World<'_>) {
    let etag = |content| Condition::EtagMatches(etag_of(content));
    let differs = |content| Condition::EtagDiffers(etag_of(content));
    for (conditions, content, happens) in [
        (vec![Condition::Exists], "0", false),
        (vec![etag("0")], "0", false),
        (vec![Condition::NotExists], "1", true),
        (vec![Condition::NotExists], "2", false),
        (vec![etag("2")], "2", false),
        (vec![etag("1")], "2", true),
        (vec![etag("1")], "3", false),
        (vec![Condition::Exists, etag("2")], "3", true),
        (vec![Condition::Exists, etag("2")], "4", false),
        (vec![differs("3")], "4", false),
        (vec![differs("2")], "4", true),
        (vec![Condition::UnmodifiedSince(1_699_999_999)], "5", false),
        (vec![Condition::UnmodifiedSince(1_700_000_000)], "5", true),
        (vec![Condition::ModifiedSince(1_700_000_000)], "6", false),
        (vec![Condition::ModifiedSince(1_699_999_999)], "6", true),
    ] {
        let before = world.find("a").await;
        let result = world.transact("a", conditions.clone(), vec![world.put("a", document(content))]).await;
        let now = world.find("a").await;
        if happens {
            result.unwrap_or_else(|error| panic!("`{content}` on {conditions:?}: {error}"));
            assert_eq!(now.map(|entry| entry.content), Some(content.as_bytes().to_vec()));
        } else {
            assert!(matches!(result, Err(FilerError::PreconditionFailed)), "{conditions:?}: {result:?}");
            assert_eq!(now, before, "nothing was changed");
        }
    }
    let elsewhere = |name: &str| Transaction {
        condition_key: Some(world.path(name)),
        conditions: vec![Condition::Exists],
        ..transaction(&world.path("b"), vec![world.put("b", document("b"))])
    };
    let missing = world.filer.transact(elsewhere("nothing")).await;
    assert!(matches!(missing, Err(FilerError::PreconditionFailed)), "{missing:?}");
    world.filer.transact(elsewhere("a")).await.expect("the condition is about `a`, which exists");
}

pub(super) async fn one_winner(world: &World<'_>) {
    let contents: Vec<String> = (0..16).map(|number| format!("writer {number}")).collect();
    let attempts = contents
        .iter()
        .map(|content| world.transact("a", vec![Condition::NotExists], vec![world.put("a", document(content))]));
    let results = join_all(attempts).await;
    let mut winners = Vec::new();
    for (content, result) in contents.iter().zip(results) {
        match result {
            Ok(()) => winners.push(content.as_bytes().to_vec()),
            Err(FilerError::PreconditionFailed) => {}
            Err(error) => panic!("`{content}`: {error}"),
        }
    }
    assert_eq!(winners.len(), 1, "one of 16 creates wins");
    assert_eq!(world.find("a").await.map(|entry| entry.content), winners.pop(), "and it is what is stored");
}

pub(super) async fn what_a_transaction_requires(world: &World<'_>) {
    if !world.filer.configuration().await.expect("the filer says what it is").checks_required {
        return;
    }
    let put = |name: &str| Transaction {
        requires: Some(world.path("b")),
        ..transaction(&world.path(name), vec![world.put(name, document(name))])
    };
    let is_missing =
        |result: Result<(), FilerError>| matches!(result, Err(FilerError::Missing(path)) if path == world.path("b"));
    assert!(is_missing(world.filer.transact(put("b/1")).await), "there is no `b`");
    assert_eq!(world.find("b").await, None, "and none was made");
    world.create("b/2", document("2")).await;
    assert!(
        is_missing(world.filer.transact(put("b/3")).await),
        "a directory that exists only because of what is below it is not enough"
    );
    world.create("b", directory()).await;
    world.filer.transact(put("b/4")).await.expect("`b` is there");
    assert_eq!(world.names("b", page(10)).await, ["2", "4"]);
    let remove = world.transact("b", vec![], vec![world.delete("b", true)]);
    let puts = (5..20).map(|number| {
        let name = format!("b/{number}");
        async move { world.filer.transact(put(&name)).await }
    });
    let (removed, _) = tokio::join!(remove, join_all(puts));
    removed.expect("the directory is removed with everything below");
    assert_eq!(world.find("b").await, None, "nothing that was put at the same time is left");
}

/// The attribute that conditions compare as an ETag distinguishes the stages of a directory.
pub(super) async fn the_state_of_a_directory(world: &World<'_>) {
    let stage = |text: &str| Mutation::Patch {
        directory: world.directory.clone(),
        name: "b".to_owned(),
        set: BTreeMap::from([(crate::ETAG_ATTRIBUTE.to_owned(), text.as_bytes().to_vec())]),
        remove: Vec::new(),
        content: None,
    };
    let at = |text: &str| vec![Condition::EtagMatches(vec![text.to_owned()])];
    let absent = world.transact("b", vec![Condition::Exists], vec![stage("1")]).await;
    assert!(matches!(absent, Err(FilerError::PreconditionFailed)), "{absent:?}");
    world.create("b", directory()).await;
    world.create("b/below", document("1")).await;
    world.transact("b", vec![Condition::Exists], vec![stage("1")]).await.expect("a directory has none at first");
    for (before, next, happens) in [("2", "3", false), ("1", "1.x.2", true), ("1", "2", false), ("1.x.2", "3", true)] {
        let result = world.transact("b", at(before), vec![stage(next)]).await;
        let refused = matches!(result, Err(FilerError::PreconditionFailed));
        assert_eq!((result.is_ok(), refused), (happens, !happens), "{before} {next}: {result:?}");
    }
    let late = world.transact("b", at("1"), vec![world.delete("b", true)]).await;
    assert!(matches!(late, Err(FilerError::PreconditionFailed)), "{late:?}");
    assert_eq!(world.names("b", page(10)).await, ["below"]);
    world.transact("b", at("3"), vec![world.delete("b", true)]).await.expect("it is at this stage");
    assert_eq!(world.find("b").await, None);
}

pub(super) async fn no_update_is_lost(world: &World<'_>) {
    world.create("n", document("0")).await;
    join_all((0..8).map(|_| async {
        loop {
            let stored = world.find("n").await.expect("the counter is there").content;
            let stored = String::from_utf8(stored).expect("the counter is text");
            let next = (stored.parse::<u32>().expect("the counter is a number") + 1).to_string();
            let seen = vec![Condition::EtagMatches(etag_of(&stored))];
            match world.transact("n", seen, vec![world.put("n", document(&next))]).await {
                Ok(()) => return,
                Err(FilerError::PreconditionFailed) => {}
                Err(error) => panic!("the counter is raised: {error}"),
            }
        }
    }))
    .await;
    assert_eq!(world.find("n").await.map(|entry| entry.content), Some(b"8".to_vec()));
}

pub(super) async fn a_refused_transaction_changes_nothing(world: &World<'_>) {
    world.create("a", document("1")).await;
    let steps = vec![world.put("a", document("2")), world.put("b", document("2")), world.delete("a", false)];
    let refused = world.transact("a", vec![Condition::NotExists], steps.clone()).await;
    assert!(matches!(refused, Err(FilerError::PreconditionFailed)), "{refused:?}");
    assert_eq!(world.find("a").await.map(|entry| entry.content), Some(b"1".to_vec()));
    assert_eq!(world.find("b").await, None);
    world.transact("a", vec![Condition::Exists], steps).await.expect("all steps are taken, in order");
    assert_eq!(world.names("", page(10)).await, ["b"]);
}

pub(super) async fn conditions_on_attributes(world: &World<'_>) {
    let is_not = |value: &str| Condition::AttributeIsNot { name: "x-hold".to_owned(), value: value.to_owned() };
    let has_come = |only_if: Option<(&str, &str)>| Condition::TimeHasCome {
        name: "x-until".to_owned(),
        only_if: only_if.map(|(name, value)| (name.to_owned(), value.to_owned())),
    };
    let absent = world.transact("none", vec![is_not("ON"), has_come(None)], vec![]).await;
    absent.expect("both hold for an absent entry");
    let (past, future) = ("1000", "99999999999");
    for (hold, until, condition, want) in [
        (None, None, is_not("ON"), true),
        (Some("OFF"), None, is_not("ON"), true),
        (Some("ON"), None, is_not("ON"), false),
        (None, None, has_come(None), true),
        (None, Some(past), has_come(None), true),
        (None, Some(future), has_come(None), false),
        (None, Some("soon"), has_come(None), false),
        (None, Some(future), has_come(Some(("x-hold", "ON"))), true),
        (Some("OFF"), Some(future), has_come(Some(("x-hold", "ON"))), true),
        (Some("ON"), Some(future), has_come(Some(("x-hold", "ON"))), false),
        (Some("ON"), Some(past), has_come(Some(("x-hold", "ON"))), true),
    ] {
        let pairs = [("x-hold", hold), ("x-until", until)];
        let set = pairs.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.as_bytes().to_vec())));
        let entry = Entry { extended: set.collect(), ..document("1") };
        world.create("a", entry).await;
        let done = world.transact("a", vec![condition.clone()], vec![]).await;
        assert_eq!(done.is_ok(), want, "{condition:?} with {hold:?} {until:?}: {done:?}");
    }
}

fn note_about(world: &World<'_>) -> Note {
    Note {
        directory: world.directory.clone(),
        name: "d".to_owned(),
        name_to: "x-name".to_owned(),
        size_to: "x-size".to_owned(),
        mtime_to: "x-mtime".to_owned(),
        copied: vec![("x-color", "x-own-color")],
        ..Note::default()
    }
}

pub(super) async fn a_note_about_a_file(world: &World<'_>) {
    let note = |last, except: Option<&str>| {
        let except = except.map(str::to_owned);
        vec![Mutation::Note(Box::new(Note { last, except, ..note_about(world) }))]
    };
    world.transact("d", vec![], note(false, None)).await.expect("nothing to note on");
    assert_eq!(world.find("d").await, None, "an absent directory stays absent");
    for (name, color) in [("b", Some("red")), ("a", None), ("c", Some("blue"))] {
        let extended = color.map(|color: &str| ("x-own-color".to_owned(), color.as_bytes().to_vec()));
        world.create(&format!("d/{name}"), Entry { extended: extended.into_iter().collect(), ..document("12") }).await;
    }
    for (last, except, want) in [
        (false, None, "a 2 1700000000 -"),
        (true, None, "c 2 1700000000 blue"),
        (false, Some("a"), "b 2 1700000000 red"),
        (true, Some("c"), "b 2 1700000000 red"),
        (false, Some("zz"), "a 2 1700000000 -"),
    ] {
        world.transact("d", vec![], note(last, except)).await.expect("the note is taken");
        let found = world.find("d").await.expect("the directory is there");
        let texts = ["x-name", "x-size", "x-mtime", "x-color"].map(|name| found.extended_text(name).unwrap_or("-"));
        assert_eq!(texts.join(" "), want, "last: {last}, except {except:?}");
    }
    let steps = ["a", "b", "c"].map(|name| Mutation::Delete {
        directory: world.path("d"),
        name: name.to_owned(),
        delete_data: true,
        recursive: false,
    });
    world.create("d/sub/below", document("1")).await;
    world.transact("d", vec![], steps.into_iter().collect()).await.expect("the files are removed");
    let below =
        Mutation::Delete { directory: world.path("d"), name: "sub".to_owned(), delete_data: true, recursive: true };
    world.transact("d", vec![], [vec![below], note(false, None)].concat()).await.expect("there is nothing to note");
    if let Some(found) = world.find("d").await {
        assert_eq!(found.extended_text("x-name"), None, "what no longer exists is not noted");
    }
}

/// Files are added, each with a note, at the same time. The file with the first name is noted in the end, and every
/// other one that was noted before says so.
pub(super) async fn the_file_noted_before(world: &World<'_>) {
    world.create("d/z", document("1")).await;
    let add = |name: &'static str| async move {
        let displaced = Some(("x-displaced".to_owned(), b"1".to_vec()));
        let note = Mutation::Note(Box::new(Note { displaced, ..note_about(world) }));
        let mut entry = document("1");
        entry.name = name.to_owned();
        let put = Mutation::Put { directory: world.path("d"), entry: Box::new(entry) };
        world.transact("d", vec![], vec![put, note]).await.expect("the file is added");
    };
    add("m").await;
    join_all(["f", "c", "a", "e"].into_iter().map(add)).await;
    let found = world.find("d").await.expect("the directory is there");
    assert_eq!(found.extended_text("x-name"), Some("a"));
    let is_displaced = |entry: Option<Entry>| entry.expect("it is there").extended.contains_key("x-displaced");
    for (name, want) in [("m", true), ("z", false), ("a", false)] {
        assert_eq!(is_displaced(world.find(&format!("d/{name}")).await), want, "{name}");
    }
}

pub(super) async fn patch(world: &World<'_>) {
    let attribute = |name: &str, value: &str| (name.to_owned(), value.as_bytes().to_vec());
    let step = |name: &str, set: &[(String, Vec<u8>)], remove: &[&str], content: Option<&str>| Mutation::Patch {
        directory: world.directory.clone(),
        name: name.to_owned(),
        set: set.iter().cloned().collect(),
        remove: remove.iter().map(|name| (*name).to_owned()).collect(),
        content: content.map(|content| content.as_bytes().to_vec()),
    };
    let mut entry = document("1");
    entry.extended = BTreeMap::from([attribute("x-keep", "1"), attribute("x-change", "1"), attribute("x-drop", "1")]);
    world.create("a", entry.clone()).await;
    let steps = vec![step("a", &[attribute("x-change", "2"), attribute("x-new", "2")], &["x-drop", "x-none"], None)];
    world.transact("a", vec![Condition::EtagMatches(etag_of("1"))], steps).await.expect("attributes are merged");
    let found = world.find("a").await.expect("it is still there");
    let want = BTreeMap::from([attribute("x-keep", "1"), attribute("x-change", "2"), attribute("x-new", "2")]);
    assert_eq!((&found.extended, &found.content), (&want, &entry.content));
    assert_eq!(found.attributes().file_mode, entry.attributes().file_mode);
    let some = async |name: &str| {
        world.filer.lookup_for(&world.path(name), &["x-keep", "x-drop"]).await.expect("it is looked up")
    };
    let found = some("a").await.expect("it is still there");
    assert_eq!((found.extended_text("x-keep"), found.extended_text("x-drop")), (Some("1"), None));
    assert_eq!((found.name.as_str(), found.is_directory), ("a", false));
    assert_eq!((some("a/").await, some("none").await), (None, None), "a file is no directory");

    world.transact("a", vec![], vec![step("a", &[], &[], Some("22"))]).await.expect("the content is changed");
    let found = world.find("a").await.expect("it is still there");
    assert_eq!((&found.extended, found.content.as_slice()), (&want, &b"22"[..]));

    world.transact("b", vec![], vec![step("b", &[attribute("x", "1")], &[], None)]).await.expect("nothing to patch");
    assert_eq!(world.find("b").await, None, "an absent entry stays absent");

    world.create("d", directory()).await;
    world.create("d/below", document("1")).await;
    world.transact("d", vec![], vec![step("d", &[attribute("x", "1")], &[], None)]).await.expect("directories as well");
    let found = world.find("d").await.expect("the directory is there");
    assert_eq!(found.extended_text("x"), Some("1"));
}

pub(super) async fn delete(world: &World<'_>) {
    world.transact("a", vec![], vec![world.delete("a", false)]).await.expect("an absent entry counts as removed");
    world.create("a", document("1")).await;
    world.transact("a", vec![], vec![world.delete("a", false)]).await.expect("a file is removed");
    assert_eq!(world.find("a").await, None);

    world.create("d", directory()).await;
    for below in ["d/a", "d/b", "d/c/d/e", "d-not", "d0"] {
        world.create(below, document("1")).await;
    }
    let refused = world.transact("d", vec![], vec![world.delete("d", false)]).await;
    assert!(matches!(refused, Err(FilerError::NotEmpty(_))), "there is something in it: {refused:?}");
    assert_eq!(world.names("d", page(10)).await, ["a", "b", "c"]);
    world.transact("d", vec![], vec![world.delete("d", true)]).await.expect("with everything below");
    for gone in ["d", "d/a", "d/b", "d/c", "d/c/d/e"] {
        assert_eq!(world.find(gone).await, None, "`{gone}`");
    }
    assert_eq!(world.names("", page(10)).await, ["d-not", "d0"], "neighbours stay");

    world.create("e", directory()).await;
    assert_eq!(world.list("e", page(10)).await, vec![]);
    assert!(world.find("e").await.is_some_and(|entry| entry.is_directory), "an empty directory that was put stays");
    world.transact("e", vec![], vec![world.delete("e", false)]).await.expect("an empty directory is removed");
    assert_eq!(world.find("e").await, None);
}
