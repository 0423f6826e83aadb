mod layout;
mod our_documents;
mod references;

use std::sync::Arc;

use filer::fault::{Call, Fault, FaultyFiler};
use filer::{EmbeddedFiler, Filer, FilerError, Mutation, Transaction};
use iam::{
    Change, DocumentKey, Holder, Identities, PolicyPlace, PolicyRecord, Settings, Snapshot, UserRecord, WeedPolicies,
};
use iam_formats::{ConfigInputs, DocumentStore, Facts, IamConfig, StoredDocument};

use crate::document::to_entry;
use crate::{EventEffect, FilerStore, Index, Layout, SecretKeys, StoreError};

const GET: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}"#;

struct Place {
    filer: Arc<dyn Filer>,
    store: FilerStore,
    _directory: tempfile::TempDir,
}

fn on_filer(config: &mut IamConfig) {
    config.policy_store = DocumentStore::Filer { base_path: "/seaweedfs/iam/policies".into() };
    config.role_store = DocumentStore::Filer { base_path: "/seaweedfs/iam/roles".into() };
}

fn place() -> Place {
    let directory = tempfile::tempdir().unwrap();
    let filer: Arc<dyn Filer> = Arc::new(EmbeddedFiler::open(directory.path()).unwrap());
    let mut config = IamConfig::default();
    on_filer(&mut config);
    let store = FilerStore::new(filer.clone(), Layout::new(&config, "/buckets"));
    Place { filer, store, _directory: directory }
}

impl Place {
    /// Writes a document as another writer would, without a condition.
    async fn put(&self, path: &str, text: &str) {
        let (directory, name) = path.rsplit_once('/').unwrap();
        let entry = to_entry(name, text, &Facts::default(), None, 1, 0);
        self.mutate(path, Mutation::Put { directory: directory.into(), entry: Box::new(entry) }).await;
    }

    async fn delete(&self, path: &str) {
        let (directory, name) = path.rsplit_once('/').unwrap();
        let (directory, name) = (directory.into(), name.into());
        self.mutate(path, Mutation::Delete { directory, name, delete_data: true, recursive: true }).await;
    }

    async fn mutate(&self, path: &str, mutation: Mutation) {
        let transaction = Transaction { lock_key: path.into(), mutations: vec![mutation], ..Transaction::default() };
        self.filer.transact(transaction).await.unwrap();
    }

    async fn text(&self, path: &str) -> Option<String> {
        self.filer.lookup(path).await.unwrap().map(|entry| String::from_utf8(entry.content).unwrap())
    }

    /// The snapshot of a gateway that lists now.
    async fn snapshot(&self) -> Snapshot {
        let mut next = Snapshot::new(Settings::default(), &Identities::default()).next();
        self.store.list(&mut Index::default(), None, &mut next).await.unwrap();
        next.finish()
    }

    /// What differs from an index.
    async fn list(&self, index: &mut Index) -> Vec<Change> {
        let mut changes = Vec::new();
        self.store.list(index, None, &mut changes).await.unwrap();
        changes
    }
}

fn put_user(document: UserRecord) -> Change {
    Change::User(document.name.as_str().into(), Some(Ok(document)))
}

fn user(name: &str) -> UserRecord {
    UserRecord { name: name.into(), ..UserRecord::default() }
}

#[tokio::test]
async fn documents_of_seaweedfs_are_found_and_foreign_files_are_not() {
    let place = place();
    for (path, text) in [
        (
            "/etc/iam/identities/al.json",
            r#"{"name":"al","credentials":[{"access_key":"AK1","secret_key":"s"}],"policy_names":["P"]}"#,
        ),
        ("/etc/iam/identities/wrong.json", r#"{"name":"other"}"#),
        ("/etc/iam/identities/bad.json", "{"),
        ("/etc/iam/identities/deep/er.json", r#"{"name":"er"}"#),
        ("/etc/iam/identities/notes.txt", "hello"),
        ("/etc/iam/groups/g.json", r#"{"name":"g","members":["al"]}"#),
        (
            "/etc/iam/service_accounts/sa:al:1.json",
            r#"{"id":"sa:al:1","parent_user":"al","credential":{"access_key":"AKS","secret_key":"s"}}"#,
        ),
        ("/etc/iam/policies/P.json", GET),
        ("/etc/iam/policies/bucket-policy:b1x.json", GET),
        ("/etc/iam/policies.json", r#"{"inlinePolicies":{"al":{"I":{"Version":"2012-10-17","Statement":[]}}}}"#),
        ("/seaweedfs/iam/policies/policy_Q.json", GET),
        ("/seaweedfs/iam/policies/W.json", GET),
        ("/seaweedfs/iam/policies/seeded.json", "{}"),
        ("/seaweedfs/iam/policies/bucket-policy:b1x.json", GET),
        ("/seaweedfs/iam/roles/R.json", r#"{"roleName":"R","trustPolicy":{"Version":"2012-10-17","Statement":[]}}"#),
        ("/seaweedfs/iam/roles/seeded.json", "{}"),
        ("/seaweedfs/iam/inline/users/al/J.json", GET),
        ("/seaweedfs/iam/inline/robots/al/J.json", GET),
    ] {
        place.put(path, text).await;
    }
    let snapshot = place.snapshot().await;
    let counts = snapshot.counts();
    assert_eq!((counts.users, counts.keys, counts.groups, counts.roles, counts.service_accounts), (1, 2, 1, 1, 1));
    assert_eq!(snapshot.policies().map(|policy| &*policy.name).collect::<Vec<_>>(), ["P", "Q", "W"]);
    let inline = snapshot.inline_policies(&Holder::User("al".into()));
    assert_eq!(inline.keys().map(|name| &**name).collect::<Vec<_>>(), ["I", "J"]);
    let problems: Vec<String> = snapshot.problems().map(|(about, why)| format!("{about} {why}")).collect();
    assert!(problems.iter().any(|line| line.contains("`wrong`") && line.contains("`other`")), "{problems:?}");
    assert!(problems.iter().any(|line| line.contains("`bad`") && line.contains("line 1")), "{problems:?}");
}

#[tokio::test]
async fn a_document_is_written_as_seaweedfs_does_and_read_back_with_its_facts() {
    let place = place();
    let key = [DocumentKey::User("al".into())];
    let fresh = place.store.read(&key).await.unwrap();
    let (id, path) = ("AIDA1".to_owned(), "/x/".to_owned());
    let document = UserRecord { actions: vec!["Read:b".into()], id, created_s: 5, path, ..user("al") };
    let written = place.store.commit(&fresh, &[put_user(document)]).await.unwrap();
    assert_eq!(written[0].path, "/etc/iam/identities/al.json");
    let entry = place.filer.lookup("/etc/iam/identities/al.json").await.unwrap().unwrap();
    assert_eq!(entry.attributes().file_mode, 0o644);
    assert_eq!(entry.attributes().file_size, entry.content.len() as u64);
    assert_eq!(Some(&entry.attributes().md5), written[0].md5.as_ref());
    assert!(!entry.extended.contains_key("Seaweed-X-Amz-ETag"));
    let text = String::from_utf8(entry.content).unwrap();
    assert_eq!(text, "{\n  \"name\": \"al\",\n  \"actions\": [\n    \"Read:b\"\n  ]\n}");
    let snapshot = place.snapshot().await;
    let record = &snapshot.user("al").unwrap().record;
    assert_eq!((record.id.as_str(), record.created_s, record.path.as_str()), ("AIDA1", 5, "/x/"));
    assert_eq!(&*snapshot.user("al").unwrap().arn, "arn:aws:iam::000000000000:user/x/al");
}

#[tokio::test]
async fn a_change_by_another_writer_is_not_overwritten() {
    let place = place();
    let key = [DocumentKey::User("al".into())];
    let path = "/etc/iam/identities/al.json";
    // Another writer creates it first.
    let fresh = place.store.read(&key).await.unwrap();
    place.put(path, r#"{"name":"al","disabled":true}"#).await;
    let conflict = place.store.commit(&fresh, &[put_user(user("al"))]).await.unwrap_err();
    assert!(matches!(conflict, StoreError::Conflict(ref at) if at == path), "{conflict}");
    // Another writer changes it. Another changes it and back again; for our own writes, the nonce makes a difference.
    let fresh = place.store.read(&key).await.unwrap();
    place.put(path, r#"{"name":"al"}"#).await;
    assert!(place.store.commit(&fresh, &[put_user(user("al"))]).await.is_err());
    assert!(place.store.commit(&fresh, &[Change::User("al".into(), None)]).await.is_err());
    assert_eq!(place.text(path).await.unwrap(), r#"{"name":"al"}"#);
    let fresh = place.store.read(&key).await.unwrap();
    place.store.commit(&fresh, &[put_user(user("al"))]).await.unwrap();
    let first = place.store.read(&key).await.unwrap();
    place.store.commit(&first, &[put_user(user("al"))]).await.unwrap();
    assert!(place.store.commit(&first, &[put_user(user("al"))]).await.is_err(), "equal documents, different writes");
    // Another writer changes the facts of a policy, but not its text.
    let policy = |description: &str| {
        let policy = PolicyRecord { description: description.into(), ..PolicyRecord::of_text(GET) };
        Change::Policy("P".into(), PolicyPlace::Api, Some(Ok(policy)))
    };
    let of_policy = [DocumentKey::Policy("P".into())];
    let fresh = place.store.read(&of_policy).await.unwrap();
    place.store.commit(&fresh, &[policy("a")]).await.unwrap();
    let first = place.store.read(&of_policy).await.unwrap();
    place.store.commit(&first, &[policy("b")]).await.unwrap();
    assert!(place.store.commit(&first, &[policy("c")]).await.is_err(), "a description was lost");
    // Another writer deletes it.
    let fresh = place.store.read(&key).await.unwrap();
    place.delete(path).await;
    assert!(place.store.commit(&fresh, &[put_user(user("al"))]).await.is_err());
    assert_eq!(place.text(path).await, None, "a deleted document came back");
    let unseen = place.store.commit(&fresh, &[put_user(user("bo"))]).await.unwrap_err();
    assert!(matches!(unseen, StoreError::Unseen(_)), "{unseen}");
}

#[tokio::test]
async fn facts_of_a_policy_are_replaced_even_if_its_text_stays() {
    let place = place();
    let key = [DocumentKey::Policy("P".into())];
    let put = |policy: PolicyRecord| {
        let policy = PolicyRecord { text: GET.into(), ..policy };
        Change::Policy("P".into(), PolicyPlace::Api, Some(Ok(policy)))
    };
    let fresh = place.store.read(&key).await.unwrap();
    place.store.commit(&fresh, &[put(PolicyRecord { version: 1, ..PolicyRecord::default() })]).await.unwrap();
    let fresh = place.store.read(&key).await.unwrap();
    let tagged = PolicyRecord { tags: [("k".to_owned(), "v".to_owned())].into(), ..PolicyRecord::default() };
    place.store.commit(&fresh, &[put(tagged.clone())]).await.unwrap();
    let lost = place.store.commit(&fresh, &[put(PolicyRecord { version: 2, ..PolicyRecord::default() })]).await;
    assert!(matches!(lost, Err(StoreError::Conflict(_))), "{lost:?}");
    let stored = place.text("/etc/iam/policies/P.json").await.unwrap();
    assert!(stored.starts_with(GET) && stored.trim_end() == GET, "{stored:?}");
    let snapshot = place.snapshot().await;
    let policy = snapshot.policy("P").unwrap();
    assert_eq!((&*policy.text, policy.tags()), (GET, &tagged.tags));
}

#[tokio::test]
async fn one_commit_may_write_a_document_twice() {
    let place = place();
    let key = [DocumentKey::User("al".into()), DocumentKey::User("bo".into())];
    let fresh = place.store.read(&key).await.unwrap();
    let disabled = UserRecord { disabled: true, ..user("al") };
    let gone = Change::User("bo".into(), None);
    let changes = [put_user(user("al")), put_user(user("bo")), put_user(disabled), gone];
    let written = place.store.commit(&fresh, &changes).await.unwrap();
    let entry = place.filer.lookup("/etc/iam/identities/al.json").await.unwrap().unwrap();
    let md5 = |name: &str| written.iter().find(|written| written.path.ends_with(name)).unwrap().md5.clone();
    assert_eq!((md5("al.json"), md5("bo.json")), (Some(entry.attributes().md5.clone()), None));
    assert_eq!(written.len(), 2, "a caller waits for the last write of each document");
    assert!(place.snapshot().await.user("al").unwrap().disabled);
}

#[tokio::test]
async fn a_stale_etag_of_seaweedfs_counts_once_and_is_then_removed() {
    let place = place();
    let path = "/etc/iam/identities/al.json";
    let mut entry = to_entry("al.json", r#"{"name":"al"}"#, &Facts::default(), None, 1, 0);
    entry.extended.insert("Seaweed-X-Amz-ETag".into(), b"stale".to_vec());
    entry.extended.insert("Other".into(), b"kept".to_vec());
    place.mutate(path, Mutation::Put { directory: "/etc/iam/identities".into(), entry: Box::new(entry) }).await;
    let fresh = place.store.read(&[DocumentKey::User("al".into())]).await.unwrap();
    place.store.commit(&fresh, &[put_user(user("al"))]).await.unwrap();
    let entry = place.filer.lookup(path).await.unwrap().unwrap();
    assert!(!entry.extended.contains_key("Seaweed-X-Amz-ETag"));
    assert_eq!(entry.extended_text("Other"), Some("kept"));
}

#[tokio::test]
async fn two_stores_on_one_filer_lose_no_update() {
    let place = place();
    let other = place.store.clone();
    place.put("/etc/iam/identities/al.json", r#"{"name":"al"}"#).await;
    let write = |store: FilerStore, mark: &'static str| async move {
        for round in 0..25 {
            loop {
                let fresh = store.read(&[DocumentKey::User("al".into())]).await.unwrap();
                let Some(Change::User(_, Some(Ok(mut document)))) = fresh.changes.first().cloned() else { panic!() };
                document.actions.push(format!("{mark}{round}"));
                match store.commit(&fresh, &[put_user(document)]).await {
                    Ok(_) => break,
                    Err(StoreError::Conflict(_)) => tokio::task::yield_now().await,
                    Err(error) => panic!("{error}"),
                }
            }
        }
    };
    let (a, b) = tokio::join!(tokio::spawn(write(place.store.clone(), "a")), tokio::spawn(write(other, "b")));
    a.and(b).unwrap();
    let snapshot = place.snapshot().await;
    let mut actions = snapshot.user("al").unwrap().record.actions.clone();
    actions.sort();
    actions.dedup();
    assert_eq!(actions.len(), 50, "{actions:?}");
}

#[tokio::test]
async fn a_second_listing_reads_only_what_differs() {
    let place = place();
    for name in ["al", "bo", "cy"] {
        place.put(&format!("/etc/iam/identities/{name}.json"), &format!(r#"{{"name":"{name}"}}"#)).await;
    }
    let mut index = Index::default();
    assert_eq!(place.list(&mut index).await.len(), 3);
    assert_eq!(place.list(&mut index).await.len(), 0);
    place.put("/etc/iam/identities/bo.json", r#"{"name":"bo","disabled":true}"#).await;
    place.delete("/etc/iam/identities/cy.json").await;
    let changes = place.list(&mut index).await;
    let changes = format!("{changes:?}");
    assert!(
        changes.contains("User(\"cy\", None)") && changes.contains("disabled: true") && !changes.contains("\"al\""),
        "{changes}"
    );
}

#[tokio::test]
async fn a_listing_that_fails_leaves_the_index() {
    let place = place();
    for name in ["al", "bo", "cy"] {
        place.put(&format!("/etc/iam/identities/{name}.json"), &format!(r#"{{"name":"{name}"}}"#)).await;
    }
    let faulty = Arc::new(FaultyFiler::new(place.filer.clone()));
    let store = FilerStore { filer: faulty.clone(), ..place.store.clone() };
    // Users are listed first; what follows fails.
    faulty.set(Call::List, Fault::After(1, Box::new(Fault::Fail(FilerError::Unavailable("gone".into())))));
    let (mut index, mut partly, mut all) = (Index::default(), Vec::new(), Vec::new());
    store.list(&mut index, None, &mut partly).await.unwrap_err();
    faulty.clear();
    store.list(&mut index, None, &mut all).await.unwrap();
    assert_eq!((partly.len(), all.len()), (3, 3), "{partly:?}, then {all:?}");
}

#[tokio::test]
async fn events_become_facts() {
    let place = place();
    let mut index = Index::default();
    let entry = |name: &str, text: &str| Some(Box::new(to_entry(name, text, &Facts::default(), None, 1, 0)));
    let directory =
        |name: &str| Some(Box::new(filer::Entry { name: name.into(), is_directory: true, ..Default::default() }));
    let event = |directory: &str, old, new, new_directory: &str| filer::Change {
        directory: directory.into(),
        old,
        new,
        new_directory: new_directory.into(),
        ts_ns: 1,
    };
    let identities = "/etc/iam/identities";
    for (event, want) in [
        (event(identities, None, entry("al.json", r#"{"name":"al"}"#), ""), "User(\"al\", Some(Ok"),
        // The same event again is not new.
        (event(identities, None, entry("al.json", r#"{"name":"al"}"#), ""), "[]"),
        (event(identities, None, entry("al.txt", "x"), ""), "[]"),
        (event(identities, entry("al.json", ""), None, ""), "User(\"al\", None)"),
        (event(identities, entry("al.json", ""), None, ""), "[]"),
        (event(identities, None, entry("bo.json", "{"), ""), "User(\"bo\", Some(Err"),
        (
            event("/tmp", entry("cy.json", r#"{"name":"cy"}"#), entry("cy.json", r#"{"name":"cy"}"#), identities),
            "User(\"cy\", Some(Ok",
        ),
        (
            event(identities, entry("cy.json", r#"{"name":"cy"}"#), entry("cy.json", r#"{"name":"cy"}"#), "/tmp"),
            "User(\"cy\", None)",
        ),
        (event("/buckets", None, directory("b1x"), ""), "Bucket(\"b1x\", Some"),
        (event("/buckets", None, directory(".system"), ""), "[]"),
        (event("/buckets", None, entry("file", ""), ""), "[]"),
        (event("/buckets", directory("b1x"), None, ""), "Bucket(\"b1x\", None)"),
        (event("/etc/iam", directory("identities"), None, ""), "Relist"),
        (event("/seaweedfs/iam/inline/users", directory("al"), None, ""), "Relist"),
        (event("/tmp", directory("x"), directory("roles"), "/seaweedfs/iam"), "Relist"),
        (event("/tmp", directory("x"), None, ""), "[]"),
    ] {
        let described = format!("{event:?}");
        let found = match place.store.read_event(&event, &mut index, None).await.unwrap() {
            EventEffect::Changes(changes) => format!("{changes:?}"),
            EventEffect::Relist => "Relist".into(),
        };
        assert!(found.contains(want), "wanted {want}, found {found} for {described}");
    }
}

fn config(trust_action: &str, policy: &str) -> IamConfig {
    let text = format!(
        r#"{{"roles":[{{"roleName":"R","trustPolicy":{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":"*","Action":"{trust_action}"}}]}},"attachedPolicies":["P"]}}],
            "policies":[{{"name":"P","document":{policy}}}]}}"#
    );
    let mut config = IamConfig::parse(&text, &ConfigInputs { filers: &[], generated_key: "" }).unwrap();
    on_filer(&mut config);
    config
}

#[tokio::test]
async fn seeding_creates_once_updates_unchanged_documents_and_keeps_the_rest() {
    let place = place();
    let (role, policy) = ("/seaweedfs/iam/roles/R.json", "/seaweedfs/iam/policies/policy_P.json");
    let first = config("sts:AssumeRole", GET);
    let done = place.store.seed(&first).await.unwrap();
    assert_eq!(done.created, ["role `R`", "policy `P`"]);
    let (role_text, policy_text) = (place.text(role).await.unwrap(), place.text(policy).await.unwrap());
    assert_eq!(policy_text, GET);
    assert!(role_text.contains("\"roleName\": \"R\""), "{role_text}");
    // Seeding again does nothing, not even on another gateway.
    assert_eq!(place.store.seed(&first).await.unwrap(), crate::Seeded::default());
    assert_eq!(place.text(role).await.unwrap(), role_text);
    // The file changes and the stored document does not: it is updated.
    let put = GET.replace("GetObject", "PutObject");
    let second = config("sts:AssumeRoleWithWebIdentity", &put);
    let done = place.store.seed(&second).await.unwrap();
    assert_eq!(done.updated, ["role `R`", "policy `P`"]);
    assert_eq!(place.text(policy).await.unwrap(), put);
    // The stored document changes, whether or not the file changes too: it is kept.
    let ours = GET.replace("GetObject", "DeleteObject");
    place.put(policy, &ours).await;
    for config in [&second, &first] {
        let done = place.store.seed(config).await.unwrap();
        assert!(
            done.kept.iter().any(|line| line.contains("policy `P`") && line.contains("changed on the filer")),
            "{done:?}"
        );
        assert_eq!(place.text(policy).await.unwrap(), ours);
    }
    // A deleted document stays deleted.
    place.delete(policy).await;
    let done = place.store.seed(&second).await.unwrap();
    assert!(done.kept.iter().any(|line| line.contains("stays deleted")), "{done:?}");
    assert_eq!(place.text(policy).await, None);
    // Created again with the file's own text: it is recognised again.
    place.put(policy, &put).await;
    assert_eq!(place.store.seed(&second).await.unwrap().kept, Vec::<String>::new());
}

#[tokio::test]
async fn seeding_uses_the_name_that_seaweedfs_gave() {
    let place = place();
    place.put("/seaweedfs/iam/policies/P.json", &GET.replace(',', " , ")).await;
    let done = place.store.seed(&config("sts:AssumeRole", GET)).await.unwrap();
    assert_eq!(done.created, ["role `R`"], "the policy exists under SeaweedFS's name, with the same content");
    assert_eq!(place.text("/seaweedfs/iam/policies/policy_P.json").await, None);
    let done = place.store.seed(&config("sts:AssumeRole", &GET.replace("Get", "Put"))).await.unwrap();
    assert_eq!(done.updated, ["policy `P`"]);
    assert!(place.text("/seaweedfs/iam/policies/P.json").await.unwrap().contains("s3:PutObject"));
}

#[tokio::test]
async fn gateways_that_start_together_seed_once() {
    let place = place();
    let seed = |store: FilerStore| async move { store.seed(&config("sts:AssumeRole", GET)).await.unwrap() };
    let starts = (0..8).map(|_| tokio::spawn(seed(place.store.clone())));
    let mut created = 0;
    for start in starts.collect::<Vec<_>>() {
        created += start.await.unwrap().created.len();
    }
    assert_eq!(created, 2);
    let record = place.text("/seaweedfs/iam/roles/seeded.json").await.unwrap();
    assert!(record.contains("\"R\""), "{record}");
}

#[tokio::test]
async fn a_policy_in_two_places_is_read_and_written_in_both() {
    let place = place();
    place.put("/etc/iam/policies/P.json", GET).await;
    place.put("/seaweedfs/iam/policies/P.json", GET).await;
    let fresh = place.store.read(&[DocumentKey::Policy("P".into())]).await.unwrap();
    let text = |read: &Change| matches!(read, Change::Policy(_, _, Some(Ok(_))));
    assert_eq!(fresh.changes.iter().filter(|change| text(change)).count(), 2);
    let new = PolicyRecord::of_text(GET.replace("Get", "Put"));
    let changes = [PolicyPlace::Api, PolicyPlace::Base].map(|at| Change::Policy("P".into(), at, Some(Ok(new.clone()))));
    place.store.commit(&fresh, &changes).await.unwrap();
    let snapshot = place.snapshot().await;
    assert!(snapshot.policy("P").unwrap().text.contains("PutObject"));
    assert_eq!(snapshot.counts().problems, 0);
}

#[tokio::test]
async fn secrets_are_stored_sealed_and_opened_for_use() {
    let keys = || SecretKeys::parse("MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=").unwrap();
    let Place { filer, store, _directory } = place();
    let place = Place { filer, store: store.clone().with_secrets(Some(keys())), _directory };
    let text = r#"{"name":"al","credentials":[{"access_key":"AKA","secret_key":"s3cret"}]}"#;
    let key = [DocumentKey::User("al".into())];
    let change = put_user(UserRecord::parse(text, Facts::default()).unwrap());
    let fresh = place.store.read(&key).await.unwrap();
    place.store.commit(&fresh, &[change]).await.unwrap();
    let stored = place.text("/etc/iam/identities/al.json").await.unwrap();
    assert!(stored.contains("kelpgate-sealed:1:") && !stored.contains("s3cret"), "{stored}");

    let snapshot = place.snapshot().await;
    assert_eq!(snapshot.access_key("AKA").unwrap().secret.expose(), "s3cret");
    assert_eq!(snapshot.problems().count(), 0);

    // Without the key, or in another user's document, it is not anyone's key.
    let blind = Place { store, ..place };
    blind.put("/etc/iam/identities/bo.json", &stored.replace("\"al\"", "\"bo\"").replace("AKA", "AKB")).await;
    let snapshot = blind.snapshot().await;
    assert!(snapshot.access_key("AKA").is_none() && snapshot.access_key("AKB").is_none());
    let problems: Vec<String> = snapshot.problems().map(|(about, why)| format!("{about} {why}")).collect();
    assert!(
        problems.len() == 2 && problems.iter().all(|problem| problem.contains("kelpgate.secretsKeyFile")),
        "{problems:?}"
    );
    let place = Place { store: blind.store.clone().with_secrets(Some(keys())), ..blind };
    let snapshot = place.snapshot().await;
    assert!(snapshot.access_key("AKA").is_some() && snapshot.access_key("AKB").is_none());

    // A gateway without the key keeps the sealed secret when it writes the document.
    let fresh = store_without_keys(&place).read(&key).await.unwrap();
    let found = fresh.changes.clone();
    store_without_keys(&place).commit(&fresh, &found).await.unwrap();
    assert_eq!(place.snapshot().await.access_key("AKA").unwrap().secret.expose(), "s3cret");
}

#[tokio::test]
async fn the_shared_document_keeps_the_record_of_mirrored_policies() {
    let place = place();
    let key = [DocumentKey::WeedPolicies];
    let mirrored = |text: &str| {
        let of_al = [("I".into(), text.into())].into();
        let document =
            WeedPolicies { mirrored: [(Holder::User("al".into()), of_al)].into(), ..WeedPolicies::default() };
        Change::WeedPolicies(Some(Ok(document)))
    };
    let path = "/etc/iam/policies.json";
    let fresh = place.store.read(&key).await.unwrap();
    place.store.commit(&fresh, &[mirrored(GET)]).await.unwrap();
    let snapshot = place.snapshot().await;
    assert!(snapshot.weed_policies().inline.is_empty() && snapshot.weed_policies().mirrored.len() == 1);
    // Someone writes the file again without the attribute: now it belongs to SeaweedFS.
    let text = place.text(path).await.unwrap();
    place.put(path, &text).await;
    let snapshot = place.snapshot().await;
    assert!(snapshot.weed_policies().inline.len() == 1 && snapshot.weed_policies().mirrored.is_empty());

    // A document that is too large to be read again is not written.
    let fresh = place.store.read(&key).await.unwrap();
    let large = format!(r#"{{"Id":"{}"}}"#, "x".repeat(4 << 20));
    let refused = place.store.commit(&fresh, &[mirrored(&large)]).await;
    assert!(matches!(refused, Err(StoreError::TooLarge(at, _)) if at == path));
    assert_eq!(place.text(path).await.unwrap(), text);
}

fn store_without_keys(place: &Place) -> FilerStore {
    place.store.clone().with_secrets(None)
}
