//! OIDC providers, service accounts, instance profiles, account aliases, last uses.

use iam::{AccountAlias, InstanceProfile, LastUsed, OidcProvider, ServiceAccount, Use};
use iam_formats::last_used;

use super::*;
use crate::LastUsedFiles;

const ARN: &str = "arn:aws:iam::000000000000:oidc-provider/idp.example.com";
const PROVIDER_FILE: &str = "/etc/iam/oidc-providers/e30b30c1f3b4f8bb0ac5d7c3df1ba6cbea1e5a0d.json";

fn provider() -> OidcProvider {
    OidcProvider {
        account: "000000000000".into(),
        arn: ARN.into(),
        url: "https://idp.example.com".into(),
        ..OidcProvider::default()
    }
}

#[tokio::test]
async fn each_document_has_its_place_and_is_read_back() {
    let place = place();
    let stem = OidcProvider::file_stem(ARN);
    let service_account = r#"{"id":"sa:al:1","parent_user":"al","credential":{"access_key":"AKS","secret_key":"s"}}"#;
    let service_account = ServiceAccount::parse(service_account, Facts::default()).unwrap();
    let profile = InstanceProfile {
        name: "web".into(),
        account: "000000000000".into(),
        path: "/".into(),
        ..InstanceProfile::default()
    };
    let account: Arc<str> = "000000000000".into();
    let alias = AccountAlias { account: account.to_string(), alias: "reef".into(), ..Default::default() };
    let keys = [
        DocumentKey::OidcProvider(stem.clone()),
        DocumentKey::ServiceAccount("sa:al:1".into()),
        DocumentKey::InstanceProfile("web".into()),
        DocumentKey::AccountAlias(account.clone()),
    ];
    let put = [
        Change::OidcProvider(stem.clone(), Some(Ok(provider()))),
        Change::ServiceAccount("sa:al:1".into(), Some(Ok(service_account))),
        Change::InstanceProfile("web".into(), Some(Ok(profile))),
        Change::AccountAlias(account.clone(), Some(Ok(alias))),
    ];
    let fresh = place.store.read(&keys).await.unwrap();
    let written = place.store.commit(&fresh, &put).await.unwrap();
    let paths: Vec<&str> = written.iter().map(|written| written.path.as_str()).collect();
    let provider_file = format!("/etc/iam/oidc-providers/{stem}.json");
    assert_eq!(
        paths,
        [
            provider_file.as_str(),
            "/etc/iam/service_accounts/sa:al:1.json",
            "/seaweedfs/iam/instance-profiles/web.json",
            "/seaweedfs/iam/account-aliases/000000000000.json",
        ]
    );
    // A command that read before the write does not overwrite it.
    assert!(matches!(place.store.commit(&fresh, &put[..1]).await, Err(StoreError::Conflict(_))));

    let mut index = Index::default();
    let changes = place.list(&mut index).await;
    let snapshot = Snapshot::new(Settings::default(), &Identities::default()).apply(changes);
    assert_eq!(snapshot.problems().count(), 0);
    assert_eq!(snapshot.oidc_provider(ARN).unwrap().url, "https://idp.example.com");
    assert!(snapshot.service_account("sa:al:1").is_some() && snapshot.instance_profile("web").is_some());
    assert_eq!(snapshot.account_alias("000000000000").unwrap().alias, "reef");

    let fresh = place.store.read(&keys).await.unwrap();
    let remove = [
        Change::OidcProvider(stem, None),
        Change::ServiceAccount("sa:al:1".into(), None),
        Change::InstanceProfile("web".into(), None),
        Change::AccountAlias(account, None),
    ];
    assert_eq!(place.store.commit(&fresh, &remove).await.unwrap().len(), 4);
    let gone = place.list(&mut index).await;
    let snapshot = snapshot.apply(gone);
    let counts = snapshot.counts();
    assert_eq!((counts.oidc_providers, counts.service_accounts, counts.instance_profiles), (0, 0, 0));
    assert!(snapshot.account_alias("000000000000").is_none());
}

#[tokio::test]
async fn a_document_under_another_name_is_unreadable() {
    let place = place();
    for (path, text) in [
        (PROVIDER_FILE, provider().to_text()),
        ("/seaweedfs/iam/instance-profiles/db.json", r#"{"name":"web","account":"1","path":"/"}"#.into()),
        ("/seaweedfs/iam/account-aliases/1.json", r#"{"account":"2","alias":"reef"}"#.into()),
    ] {
        place.put(path, &text).await;
    }
    let snapshot = place.snapshot().await;
    assert_eq!(snapshot.problems().filter(|(_, why)| why.contains("says")).count(), 3);
    assert!(snapshot.oidc_provider(ARN).is_none() && snapshot.oidc_providers().is_empty());
    assert!(snapshot.instance_profiles().next().is_none() && snapshot.account_aliases().next().is_none());
}

#[tokio::test]
async fn the_feed_reports_our_documents_but_not_last_uses() {
    let filter = place().store.filter();
    let followed = |path: &str| filter.prefixes.iter().any(|prefix| path.starts_with(prefix));
    for (path, want) in [
        (PROVIDER_FILE, true),
        ("/seaweedfs/iam/instance-profiles/web.json", true),
        ("/seaweedfs/iam/account-aliases/000000000000.json", true),
        ("/seaweedfs/iam/last-used/0123-0.json", false),
    ] {
        assert_eq!(followed(path), want, "{path}");
    }
}

fn used(at_s: i64) -> Use {
    Use { at_s, service: "s3".into(), region: "us-east-1".into(), session: None }
}

#[tokio::test]
async fn last_uses_of_all_gateways_are_merged_and_stale_files_are_taken_over() {
    let place = place();
    let (mut a, mut b) = (LastUsedFiles::default(), LastUsedFiles::default());
    let of_a: LastUsed = [("AK1".into(), used(60)), ("AK2".into(), used(60))].into_iter().collect();
    let of_b: LastUsed = [("AK1".into(), used(120))].into_iter().collect();
    place.store.put_last_used("a", &of_a, &mut a).await.unwrap();
    place.store.put_last_used("b", &of_b, &mut b).await.unwrap();
    let all = place.store.last_used().await.unwrap();
    assert_eq!((all.of("AK1"), all.of("AK2")), (Some(&used(120)), Some(&used(60))));
    assert!(place.snapshot().await.problems().next().is_none(), "they are not documents");

    // Many ids fill several files, and only changed files are written again.
    let mut many: LastUsed = (0..12_000).map(|n| (format!("AK{n}").into(), used(60))).collect();
    place.store.put_last_used("a", &many, &mut a).await.unwrap();
    let names = || async {
        let entries = place
            .filer
            .list("/seaweedfs/iam/last-used", filer::ListOptions { limit: 100, ..Default::default() })
            .await
            .unwrap();
        entries.into_iter().map(|entry| (entry.name.clone(), entry.attributes().md5.clone())).collect::<Vec<_>>()
    };
    let before = names().await;
    assert_eq!(before.len(), 5);
    many.note(&"AK7".into(), used(600));
    place.store.put_last_used("a", &many, &mut a).await.unwrap();
    let after = names().await;
    assert_eq!(before.iter().zip(&after).filter(|(before, after)| before != after).count(), 1);
    assert_eq!(place.store.last_used().await.unwrap().of("AK7"), Some(&used(600)));

    // A file that has not been written for a long time is taken over. A file that its gateway has written since stays.
    assert!(place.store.stale_last_used("c").await.unwrap().is_empty());
    place.put("/seaweedfs/iam/last-used/old-0.json", &last_used::to_text(&of_a)).await; // written in 1970
    let stale = place.store.stale_last_used("c").await.unwrap();
    assert_eq!(
        stale.iter().map(|(entry, record)| (entry.name.as_str(), record)).collect::<Vec<_>>(),
        [("old-0.json", &of_a)]
    );
    assert!(place.store.stale_last_used("old").await.unwrap().is_empty(), "a gateway does not take over from itself");
    place.put("/seaweedfs/iam/last-used/old-0.json", &last_used::to_text(&of_b)).await;
    place.store.remove_last_used(&stale[0].0).await.unwrap();
    assert!(place.text("/seaweedfs/iam/last-used/old-0.json").await.is_some());
    let stale = place.store.stale_last_used("c").await.unwrap();
    place.store.remove_last_used(&stale[0].0).await.unwrap();
    assert!(place.text("/seaweedfs/iam/last-used/old-0.json").await.is_none());
}
