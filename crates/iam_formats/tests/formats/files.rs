//! The files of the command line: what they define, and what is ignored with a warning.

use iam::{Change, PolicyPlace, RolePlace};
use iam_formats::{ConfigInputs, DocumentStore, IamConfig, identities};
use policy::CrossAccount;

const TRUST: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole"}]}"#;

fn config(text: &str) -> IamConfig {
    IamConfig::parse(text, &ConfigInputs { filers: &["one:8888.18888".to_owned()], generated_key: "" }).unwrap()
}

#[test]
fn what_the_identities_file_ignores_is_in_its_warnings() {
    for (file, warning) in [
        (r#"{"identities":[{"name":"al"}]}"#, None),
        (
            r#"{"identities":[{"name":"al","colour":1}]}"#,
            Some("`identities[0].colour`: this key is unknown and ignored"),
        ),
        (r#"{"_a":1,"identities":[{"name":"al","_b":1,"credentials":[{"_c":1}]}]}"#, None),
        (r#"{"groups":[]}"#, Some("`groups` of an identities file are ignored")),
        (r#"{"kms":{}}"#, Some("`kms` is ignored")),
        (r#"{"wings":2}"#, Some("line 1, column 10, `wings`: this key is unknown and ignored")),
        (r#"{"identities":[{"name":"root","actions":["Read"]}]}"#, Some("ordinary user, not the root user")),
        (r#"{"identities":[{"name":"al","actions":["Fly"]}]}"#, Some("identity `al`: ")),
        (r#"{"identities":[{"name":"al","credentials":[{"accessKey":"${NO}"}]}]}"#, Some("a credential of `al`")),
        (
            r#"{"serviceAccounts":[{"id":"sa:al:1","parentUser":"al","credential":{"secretKey":"${NO}"}}]}"#,
            Some("`NO`"),
        ),
    ] {
        let found = identities::parse(file, &|_| None).unwrap();
        assert_eq!(found.warnings.len(), usize::from(warning.is_some()), "{file}: {:?}", found.warnings);
        assert!(found.warnings.iter().all(|text| text.contains(warning.unwrap())), "{file}: {:?}", found.warnings);
    }
}

#[test]
fn accounts_of_the_file_complete_those_of_its_identities() {
    for (account, shown) in [(r#"{"id":"1"}"#, "One"), (r#"{"id":"2","displayName":"Two"}"#, "Two"), ("{}", "")] {
        let file = format!(
            r#"{{"accounts":[{{"id":"1","displayName":"One"}}],"identities":[{{"name":"al","account":{account}}}]}}"#
        );
        let found = identities::parse(&file, &|_| None).unwrap();
        let account = found.users.first().and_then(|user| user.account.as_ref()).unwrap();
        assert_eq!(account.display_name, shown, "{file}");
    }
}

#[test]
fn stores_are_where_the_configuration_says() {
    let filer = |base_path: &str| DocumentStore::Filer { base_path: base_path.to_owned() };
    for (store, want) in [
        ("{}", DocumentStore::Memory),
        (r#"{"storeType":""}"#, DocumentStore::Memory),
        (r#"{"storeType":"memory"}"#, DocumentStore::Memory),
        (r#"{"storeType":"filer"}"#, filer("/seaweedfs/iam/roles")),
        (r#"{"storeType":"cached-filer"}"#, filer("/seaweedfs/iam/roles")),
        (r#"{"storeType":"generic-cached"}"#, filer("/seaweedfs/iam/roles")),
        (r#"{"storeType":"filer","storeConfig":{"basePath":"/a/b/"}}"#, filer("/a/b")),
        (r#"{"storeType":"filer","storeConfig":{"filerAddress":"one:8888"}}"#, filer("/seaweedfs/iam/roles")),
        (r#"{"storeType":"filer","storeConfig":{"filerAddress":"one:8888.18888"}}"#, filer("/seaweedfs/iam/roles")),
        (r#"{"storeType":"filer","storeConfig":{"ttl":"1h"}}"#, filer("/seaweedfs/iam/roles")),
    ] {
        let config = config(&format!(r#"{{"roleStore":{store}}}"#));
        assert_eq!(config.role_store, want, "{store}");
        assert_eq!(config.warnings.len(), usize::from(store.contains("ttl")), "{store}");
        let place = if want == DocumentStore::Memory { RolePlace::Memory } else { RolePlace::Base };
        assert_eq!(config.settings().role_place, place, "{store}");
    }
}

#[test]
fn settings_of_decisions_come_from_the_configuration() {
    for (text, allow, cross_account, account) in [
        ("{}", false, CrossAccount::ResourcePolicy, "000000000000"),
        (r#"{"policy":{"defaultEffect":"Allow"}}"#, true, CrossAccount::ResourcePolicy, "000000000000"),
        (r#"{"policy":{"defaultEffect":"Deny"}}"#, false, CrossAccount::ResourcePolicy, "000000000000"),
        (r#"{"kelpgate":{"crossAccount":"both"}}"#, false, CrossAccount::Both, "000000000000"),
        (r#"{"kelpgate":{"crossAccount":"resource-policy"}}"#, false, CrossAccount::ResourcePolicy, "000000000000"),
        (r#"{"sts":{"accountId":"111122223333"}}"#, false, CrossAccount::ResourcePolicy, "111122223333"),
        (r#"{"sts":{"accountId":""}}"#, false, CrossAccount::ResourcePolicy, "000000000000"),
    ] {
        let settings = config(text).settings();
        assert_eq!((settings.default_effect_allow, settings.cross_account), (allow, cross_account), "{text}");
        assert_eq!(settings.account.as_str(), account, "{text}");
    }
}

#[test]
fn comments_are_ignored() {
    for (text, warnings) in [
        ("{}", 0),
        (r#"{"_note":1,"$schema":2,"comment":3}"#, 0),
        (r#"{"sts":{"_note":1}}"#, 0),
        (r#"{"oidcProviderStore":{}}"#, 1),
        (r#"{"identities":[],"accounts":[],"serviceAccounts":[],"groups":[],"kms":{}}"#, 0),
    ] {
        let config = config(text);
        assert_eq!(config.warnings.len(), warnings, "{text}: {:?}", config.warnings);
    }
}

#[test]
fn definitions_stay_in_memory_unless_their_store_is_on_the_filer() {
    let definitions = format!(
        r#""roles":[{{"roleName":"R","trustPolicy":{TRUST}}}],"policies":[{{"name":"P","document":{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":"s3:*","Resource":"*"}}]}}}}]"#
    );
    for (stores, want) in [
        ("", vec!["role R", "policy P"]),
        (r#","roleStore":{"storeType":"filer"}"#, vec!["policy P"]),
        (r#","policy":{"storeType":"filer"}"#, vec!["role R"]),
        (r#","policy":{"storeType":"filer"},"roleStore":{"storeType":"filer"}"#, vec![]),
    ] {
        let config = config(&format!("{{{definitions}{stores}}}"));
        let names: Vec<String> = config
            .in_memory()
            .iter()
            .map(|change| match change {
                Change::Role(name, RolePlace::Memory, Some(Ok(_))) => format!("role {name}"),
                Change::Policy(name, PolicyPlace::Memory, Some(Ok(_))) => format!("policy {name}"),
                other => format!("{other:?}"),
            })
            .collect();
        assert_eq!(names, want, "{stores}");
    }
}
