//! What a command has read and written, after others have written too.

use super::*;

const AL: &str = "/etc/iam/identities/al.json";
const BO: &str = "/etc/iam/identities/bo.json";

/// What another writer does to a document.
#[derive(Debug, Clone, Copy)]
enum Other {
    Nothing,
    Deletes,
    /// Writes this text with these facts.
    Writes(&'static str, &'static str),
}

impl Place {
    async fn other(&self, path: &str, other: Other) {
        match other {
            Other::Nothing => {}
            Other::Deletes => self.delete(path).await,
            Other::Writes(text, facts) => self.put_with(path, text.as_bytes(), facts.as_bytes()).await,
        }
    }

    /// Writes a document with its attribute, whatever that contains.
    async fn put_with(&self, path: &str, text: &[u8], facts: &[u8]) {
        let (directory, name) = path.rsplit_once('/').unwrap();
        let mut entry = to_entry(name, "", &Facts::default(), None, 1, 0);
        entry.content = text.to_vec();
        entry.attributes.as_mut().unwrap().file_size = text.len() as u64;
        entry.attributes.as_mut().unwrap().md5 = [text, facts].concat();
        if !facts.is_empty() {
            entry.extended.insert(Facts::ATTRIBUTE.to_owned(), facts.to_vec());
        }
        self.mutate(path, Mutation::Put { directory: directory.into(), entry: Box::new(entry) }).await;
    }

    async fn facts(&self, path: &str) -> Option<String> {
        let entry = self.filer.lookup(path).await.unwrap()?;
        entry.extended_text(Facts::ATTRIBUTE).map(str::to_owned)
    }
}

#[tokio::test]
async fn a_command_relies_on_the_entities_that_it_has_read() {
    let al = r#"{"name":"al"}"#;
    for (about, then, exists, facts) in [
        ("it is as it was", Other::Nothing, true, Some(r#"{"id":"X1"}"#)),
        ("it is gone", Other::Deletes, false, None),
        (
            "it has changed",
            Other::Writes(r#"{"name":"al","disabled":true}"#, r#"{"id":"X1"}"#),
            true,
            Some(r#"{"id":"X1"}"#),
        ),
        ("it is another one with its name", Other::Writes(al, r#"{"id":"X2"}"#), false, Some(r#"{"id":"X2"}"#)),
        ("it has no id any more", Other::Writes(al, ""), false, None),
        (
            "its deletion is announced",
            Other::Writes(al, r#"{"deleting":7,"future":1,"id":"X1"}"#),
            true,
            Some(r#"{"created":1,"future":1,"id":"X1"}"#),
        ),
        (
            "the deletion of another one is announced",
            Other::Writes(al, r#"{"deleting":7,"id":"X2"}"#),
            false,
            Some(r#"{"deleting":7,"id":"X2"}"#),
        ),
        ("its facts cannot be read", Other::Writes(al, "{"), true, Some("{")),
    ] {
        let place = place();
        place.put_with(AL, al.as_bytes(), br#"{"id":"X1"}"#).await;
        let fresh = place.store.read(&[DocumentKey::User("al".into())]).await.unwrap();
        place.other(AL, then).await;
        assert_eq!(place.store.confirm_references(&fresh, &[]).await.unwrap(), exists, "{about}");
        assert_eq!(place.facts(AL).await.as_deref(), facts, "{about}");
    }
}

#[tokio::test]
async fn only_entities_that_were_there_and_not_written_are_relied_on() {
    let place = place();
    let inline = DocumentKey::Inline(Holder::User("al".into()), "I".into());
    let keys = [DocumentKey::User("al".into()), DocumentKey::User("bo".into()), inline, DocumentKey::WeedPolicies];
    place.put(AL, r#"{"name":"al"}"#).await;
    place.put("/seaweedfs/iam/inline/users/al/I.json", GET).await;
    place.put("/etc/iam/policies.json", "{}").await;
    let fresh = place.store.read(&keys).await.unwrap();
    let written = place.store.commit(&fresh, &[put_user(user("al"))]).await.unwrap();
    for path in [AL, "/seaweedfs/iam/inline/users/al/I.json", "/etc/iam/policies.json"] {
        place.delete(path).await;
    }
    assert!(
        place.store.confirm_references(&fresh, &written).await.unwrap(),
        "the user was written, the rest is no entity"
    );
    assert!(!place.store.confirm_references(&fresh, &[]).await.unwrap(), "the user was only read");
}

#[tokio::test]
async fn undoing_brings_back_what_was_there_unless_someone_has_written_since() {
    let (before, after, other) =
        (r#"{"name":"al","actions":["Read"]}"#, r#"{"name":"al"}"#, r#"{"name":"al","disabled":true}"#);
    for (about, stored, removes, then, want) in [
        ("a change", Some(before), false, Other::Nothing, Some(before)),
        ("a new document", None, false, Other::Nothing, None),
        ("a removal", Some(before), true, Other::Nothing, Some(before)),
        (
            "a change that was overwritten",
            Some(before),
            false,
            Other::Writes(r#"{"name":"al","disabled":true}"#, ""),
            Some(other),
        ),
        ("a change that was removed", Some(before), false, Other::Deletes, None),
        (
            "a removal after which it was made again",
            Some(before),
            true,
            Other::Writes(r#"{"name":"al"}"#, ""),
            Some(after),
        ),
    ] {
        let place = place();
        if let Some(text) = stored {
            place.put(AL, text).await;
        }
        let fresh = place.store.read(&[DocumentKey::User("al".into())]).await.unwrap();
        let change = if removes { Change::User("al".into(), None) } else { put_user(user("al")) };
        let written = place.store.commit(&fresh, &[change]).await.unwrap();
        place.other(AL, then).await;
        place.store.undo(&fresh, &written).await.unwrap();
        assert_eq!(place.text(AL).await.as_deref(), want, "{about}");
    }
}

#[tokio::test]
async fn a_write_is_unchanged_until_someone_else_writes() {
    let place = place();
    let keys = [DocumentKey::User("al".into()), DocumentKey::User("bo".into())];
    let fresh = place.store.read(&keys).await.unwrap();
    let written = place.store.commit(&fresh, &[put_user(user("al")), put_user(user("bo"))]).await.unwrap();
    for (about, path, then, unchanged) in [
        ("no one has written", AL, Other::Nothing, true),
        ("one has changed", AL, Other::Writes(r#"{"name":"al"}"#, ""), false),
        ("one is gone", BO, Other::Deletes, false),
    ] {
        place.other(path, then).await;
        let now = place.store.read(&keys).await.unwrap();
        assert_eq!(place.store.is_unchanged(&now, &written), unchanged, "{about}");
    }
    let only_one = place.store.read(&keys[..1]).await.unwrap();
    assert!(!place.store.is_unchanged(&only_one, &written), "what was not read again is not known");
    assert!(place.store.is_unchanged(&only_one, &[]));
}

#[tokio::test]
async fn what_cannot_be_read_says_why() {
    for (text, facts, why) in [
        (&b"{"[..], &b""[..], "line 1, column"),
        (b"", b"", "line 1, column"),
        (b"[]", b"", "expected an object here"),
        (b"\xff", b"", "it is not valid UTF-8"),
        (br#"{"name":"bo"}"#, b"", "the file is named `al.json` but says `bo` inside"),
        (br#"{"name":"al"}"#, b"\xff", "`kelpgate-iam` is not valid UTF-8"),
        (br#"{"name":"al"}"#, b"{", "the attribute `kelpgate-iam`: line 1"),
        (br#"{"name":"al"}"#, br#"{"id":7}"#, "`id`: expected a string here"),
    ] {
        let place = place();
        place.put_with(AL, text, facts).await;
        let about = String::from_utf8_lossy(text).chars().take(40).collect::<String>();
        let fresh = place.store.read(&[DocumentKey::User("al".into())]).await.unwrap();
        let Some(Change::User(_, Some(Err(found)))) = fresh.changes.first() else { panic!("{about}") };
        assert!(found.to_string().contains(why), "{about}: {found}");
        let snapshot = place.snapshot().await;
        assert!(snapshot.user("al").is_none(), "{about}");
        assert!(
            snapshot.document_problem(&DocumentKey::User("al".into())).is_some_and(|found| found.contains(why)),
            "{about}"
        );
    }
}

#[tokio::test]
async fn a_rewrite_keeps_what_it_does_not_know() {
    let trust = r#"{"Version":"2012-10-17"}"#;
    for (path, key, text, facts) in [
        (
            AL,
            DocumentKey::User("al".into()),
            "{\n  \"name\": \"al\",\n  \"zz\": 1\n}".to_owned(),
            r#"{"created":1,"description":"of no user","future":[1]}"#,
        ),
        (
            "/etc/iam/groups/g.json",
            DocumentKey::Group("g".into()),
            "{\n  \"name\": \"g\",\n  \"zz\": null\n}".to_owned(),
            r#"{"boundary":"B","created":1}"#,
        ),
        (
            "/seaweedfs/iam/roles/R.json",
            DocumentKey::Role("R".into()),
            format!(
                "{{\n  \"roleName\": \"R\",\n  \"trustPolicy\": {trust},\n  \"attachedPolicies\": [],\n  \"zz\": 1\n}}"
            ),
            r#"{"created":1,"versionsGiven":4}"#,
        ),
        (
            "/etc/iam/policies/P.json",
            DocumentKey::Policy("P".into()),
            "{ \"a\" : 1 }".to_owned(),
            r#"{"created":1,"holder":"AIDA","keysCreated":{"AK":1}}"#,
        ),
    ] {
        let place = place();
        place.put_with(path, text.as_bytes(), facts.as_bytes()).await;
        let fresh = place.store.read(&[key]).await.unwrap();
        let changes: Vec<Change> =
            fresh.changes.iter().filter(|change| !matches!(change, Change::Policy(_, _, None))).cloned().collect();
        let written = place.store.commit(&fresh, &changes).await.unwrap();
        assert_eq!(written.iter().map(|write| write.path.as_str()).collect::<Vec<_>>(), [path]);
        assert_eq!(place.text(path).await.as_deref(), Some(text.as_str()), "{path}");
        assert_eq!(place.facts(path).await.as_deref(), Some(facts), "{path}");
    }
}
