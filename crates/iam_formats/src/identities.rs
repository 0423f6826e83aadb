//! The `-config` file: SeaweedFS's `S3ApiConfiguration` as JSON.

use std::collections::BTreeMap;

use ids::SecretAccessKey;
use policy::CompiledPolicy;

use crate::documents::{StoredDocument, account, document_text};
use crate::facts::Facts;
use crate::unknown::fields_of;
use iam::{Account, Credential, Identities, ROOT, ServiceAccount, UnknownFields, UserRecord};
use json::{JsonError, Node, Object};

/// The keys at the top of an identities file; the same file may be an `-iam.config` as well.
pub(crate) const TOP_LEVEL: [&str; 7] =
    ["identities", "accounts", "serviceAccounts", "service_accounts", "policies", "groups", "kms"];

/// Reads a file. `variable` looks up the environment for `${NAME}` in access and secret keys.
///
/// Fails on bad JSON or a value of the wrong kind, with line and column; on two identities with the same access key
/// or the same name; on a credential whose status is neither `Active` nor `Inactive`; and on a published secret.
pub fn parse(text: &str, variable: &dyn Fn(&str) -> Option<String>) -> Result<Identities, JsonError> {
    let node = Node::parse(text)?;
    let (mut found, object) = read(&node, variable)?;
    for (_, node) in object.rest().iter().filter(|(key, _)| !is_comment(key)) {
        found.warnings.push(node.remark(UNKNOWN));
    }
    Ok(found)
}

/// What is said of a key that nobody reads.
const UNKNOWN: &str = "this key is unknown and ignored";

fn is_comment(key: &str) -> bool {
    key.starts_with('_')
}

/// Reads what is known of a file.
fn read<'a>(node: &Node<'a>, variable: &dyn Fn(&str) -> Option<String>) -> Result<(Identities, Object<'a>), JsonError> {
    let mut object = node.object()?;
    let mut found = Identities::default();
    let (mut accounts, mut owners) = (BTreeMap::new(), BTreeMap::new());
    for node in object.array(&["accounts"])? {
        let account = account(&node)?;
        accounts.insert(account.id.clone(), account);
    }
    for node in object.array(&["identities"])? {
        let user = identity(&mut found, &node, &accounts, variable)?;
        claim(&mut owners, &node, &user.name, &user.credentials)?;
        found.add(user).map_err(|name| node.error(format!("the identity `{name}` is defined twice; merge the two")))?;
    }
    for node in object.array(&["serviceAccounts", "service_accounts"])? {
        let mut account = ServiceAccount::read(&node, Facts::default())?;
        check_statuses(node.object()?.take("credential").as_slice())?;
        let credential = account.credential.take().into_iter().collect();
        account.credential = expand(&mut found, &node, credential, &account.id, variable)?.pop();
        claim(&mut owners, &node, &account.id, account.credential.as_slice())?;
        found.service_accounts.push(account);
    }
    for node in object.array(&["policies"])? {
        let policy = policy(&node)?;
        found.policies.push(policy);
    }
    if let Some(node) = object.take("groups") {
        found.warnings.push(
            node.remark("`groups` of an identities file are ignored, as in SeaweedFS; create groups with the IAM API"),
        );
    }
    if let Some(node) = object.take("kms") {
        found.warnings.push(node.remark("`kms` is ignored: server-side encryption with KMS is not supported"));
    }
    Ok((found, object))
}

/// Reads an `-iam.config` file as an identities file, which it is if there is no `-config`. Its policies are those
/// of the configuration ([`crate::IamConfig::policies`]), not defined a second time here.
pub fn of_iam_config(text: &str, variable: &dyn Fn(&str) -> Option<String>) -> Result<Identities, JsonError> {
    let node = Node::parse(text)?;
    // The configuration's own reader refuses unknown keys.
    let (mut found, _) = read(&node, variable)?;
    found.policies.clear();
    Ok(found)
}

fn identity(
    found: &mut Identities,
    node: &Node<'_>,
    accounts: &BTreeMap<String, Account>,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<UserRecord, JsonError> {
    let mut user = UserRecord::read(node, Facts::default())?;
    check_statuses(&node.object()?.array(&["credentials"])?)?;
    user.is_static = true;
    if let Some(known) = user.account.as_ref().and_then(|account| accounts.get(&account.id)) {
        user.account = Some(known.clone());
    }
    if user.name == ROOT && !user.has_bare_admin() {
        found
            .warnings
            .push(node.remark("the identity `root` has no action `Admin`: it is an ordinary user, not the root user"));
    }
    found.warnings.extend(
        CompiledPolicy::compile_legacy(&user.actions)
            .1
            .into_iter()
            .map(|why| node.remark(format!("identity `{}`: {why}", user.name))),
    );
    for (credential, node) in user.credentials.iter().zip(&node.object()?.array(&["credentials"])?) {
        warn_of_unknown(found, &credential.unknown, node)?;
    }
    warn_of_unknown(found, &user.unknown, node)?;
    let credentials = std::mem::take(&mut user.credentials);
    user.credentials = expand(found, node, credentials, &user.name, variable)?;
    Ok(user)
}

/// Refuses a status of which it is not clear whether the key may be used. SeaweedFS knows only the exact `Inactive`, and lets
/// keys with any other status in.
fn check_statuses(credentials: &[Node<'_>]) -> Result<(), JsonError> {
    for credential in credentials {
        let Some(node) = credential.object()?.take("status") else { continue };
        let status = node.string()?;
        if !matches!(status.as_str(), "" | "Inactive") && !status.eq_ignore_ascii_case("Active") {
            return Err(node.error(format!(
                "`{status}` is neither `Active` nor `Inactive`; write `Inactive` to switch the key off, which is all that `weed s3` \
                 understands, or `Active`"
            )));
        }
    }
    Ok(())
}

fn warn_of_unknown(found: &mut Identities, unknown: &UnknownFields, node: &Node<'_>) -> Result<(), JsonError> {
    let mut object = node.object()?;
    let unknown = fields_of(unknown);
    let places = unknown.keys().filter(|key| !is_comment(key)).filter_map(|key| object.take(key));
    found.warnings.extend(places.map(|place| place.remark(UNKNOWN)));
    Ok(())
}

/// Drops a credential whose variable is not set, as in SeaweedFS: an incomplete key must not be used.
///
/// Fails on a published secret.
fn expand(
    found: &mut Identities,
    node: &Node<'_>,
    credentials: Vec<Credential>,
    holder: &str,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<Vec<Credential>, JsonError> {
    let mut kept = Vec::new();
    for mut credential in credentials {
        let access_key = expand_variables(&credential.access_key, variable);
        let secret_key = expand_variables(credential.secret_key.expose(), variable);
        match (access_key, secret_key) {
            (Ok(access_key), Ok(secret_key)) => {
                credential.access_key = access_key;
                credential.secret_key = SecretAccessKey::new(secret_key);
                if let Some(why) = credential.public_secret() {
                    return Err(node.error(format!("`{holder}`: {why}")));
                }
                kept.push(credential);
            }
            (Err(why), _) | (_, Err(why)) => {
                found.warnings.push(node.remark(format!("a credential of `{holder}` is dropped: {why}")));
            }
        }
    }
    Ok(kept)
}

/// Refuses a key that has an owner. `owners` has that of each key.
fn claim(
    owners: &mut BTreeMap<String, String>,
    node: &Node<'_>,
    holder: &str,
    credentials: &[Credential],
) -> Result<(), JsonError> {
    for Credential { access_key, .. } in credentials {
        if let Some(other) = owners.insert(access_key.clone(), holder.to_owned()) {
            return Err(node.error(format!(
                "the access key `{access_key}` belongs to both `{other}` and `{holder}`; an access key has one owner: remove one"
            )));
        }
    }
    Ok(())
}

/// `{"name":..., "content":"<text>"}` or `{"name":..., "document":{...}}`.
fn policy(node: &Node<'_>) -> Result<(String, String), JsonError> {
    let mut object = node.object()?;
    let name = object.string(&["name"])?;
    if name.is_empty() {
        return Err(node.error("a policy has no `name`; give it one"));
    }
    let Some(document) = object.take_spelled(&["content", "document"])? else {
        return Err(node.error(format!("policy `{name}` has neither `document` nor `content`")));
    };
    Ok((name, document_text(&document)?))
}

fn expand_variables(text: &str, variable: &dyn Fn(&str) -> Option<String>) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let Some((name, tail)) = after.split_once('}') else {
            return Err("a `${` has no `}`".to_owned());
        };
        let value = variable(name).filter(|value| !value.is_empty());
        let value = value.ok_or_else(|| format!("the environment variable `{name}` is not set"))?;
        out.push_str(before);
        out.push_str(&value);
        rest = tail;
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn none(_: &str) -> Option<String> {
        None
    }

    #[test]
    fn the_file_of_seaweedfs_is_read_in_both_spellings() {
        let file = r#"{
          "accounts":[{"id":"111122223333","displayName":"Ops"}],
          "identities":[
            {"name":"root","credentials":[{"accessKey":"AKR","secretKey":"s"}],"actions":["Admin"],"account":{"id":"111122223333"}},
            {"name":"al","credentials":[{"access_key":"AKA","secret_key":"s","status":"Inactive"}],"policy_names":["P"],"colour":1}],
          "service_accounts":[{"id":"sa:al:1","parentUser":"al","credential":{"accessKey":"AKS","secretKey":"s"},"expiration":"99"}],
          "policies":[{"name":"P","document":{"Version":"2012-10-17"}},{"name":"Q","content":"{\"a\": 1}"}],
          "groups":[{"name":"g"}], "wings": 2 }"#;
        let found = parse(file, &none).unwrap();
        assert_eq!(found.users.len(), 2);
        assert_eq!(found.users[0].account.as_ref().unwrap().display_name, "Ops");
        assert!(!found.users[1].credentials[0].is_active());
        assert_eq!(found.service_accounts[0].expires_s, 99);
        assert_eq!(found.policies[1], ("Q".to_owned(), "{\"a\": 1}".to_owned()));
        let warnings = found.warnings.join("\n");
        for part in ["line 5, column 130, `identities[1].colour`: ", "groups", "`wings`"] {
            assert!(warnings.contains(part), "{part}: {warnings}");
        }
    }

    #[test]
    fn an_iam_configuration_is_also_an_identities_file() {
        let file = r#"{"sts":{},"policies":[{"name":"P","document":{}}],"identities":[{"name":"root","x":1}]}"#;
        let found = of_iam_config(file, &none).unwrap();
        assert_eq!((found.users.len(), found.policies.len()), (1, 0));
        let warnings = found.warnings.join("\n");
        assert!(
            warnings.contains("identities[0].x") && warnings.contains("ordinary user") && !warnings.contains("sts")
        );
    }

    #[test]
    fn published_secrets_are_refused_everywhere() {
        let credential = |secret: &str| format!(r#""credentials":[{{"accessKey":"AK","secretKey":"{secret}"}}]"#);
        for (text, good) in [
            (format!(r#"{{"identities":[{{"name":"al",{}}}]}}"#, credential("some_secret_key1")), false),
            (format!(r#"{{"identities":[{{"name":"al",{}}}]}}"#, credential("${SECRET}")), false),
            (format!(r#"{{"identities":[{{"name":"al",{}}}]}}"#, credential("some_secret_key9")), true),
            (
                r#"{"serviceAccounts":[{"id":"sa:al:1","parentUser":"al","credential":{"accessKey":"AK","secretKey":"minioadmin"}}]}"#
                    .to_owned(),
                false,
            ),
        ] {
            let found = parse(&text, &|_| Some("minioadmin".to_owned()));
            assert_eq!(found.is_ok(), good, "{text}");
            let why = found.err().map(|error| error.to_string()).unwrap_or_default();
            assert_eq!(why.contains("`AK` is public") && why.contains("line 1"), !good, "{why}");
        }
        let mut identities = Identities::default();
        assert!(identities.add_environment_admin("AK", SecretAccessKey::new("minioadmin")).is_err());
        assert!(identities.add_root("AK", SecretAccessKey::new("minioadmin")).is_err());
        assert!(identities.users.is_empty());
    }

    #[test]
    fn a_key_is_switched_off_by_one_word_only() {
        let user = r#"{"identities":[{"name":"a","credentials":[{"accessKey":"K","secretKey":"s","status":"WORD"}]}]}"#;
        let service = r#"{"serviceAccounts":[{"id":"sa:a:1","parentUser":"a","credential":{"accessKey":"K","secretKey":"s",
            "status":"WORD"}}]}"#;
        for (word, is_active) in [
            ("", Ok(true)),
            ("Active", Ok(true)),
            ("active", Ok(true)),
            ("Inactive", Ok(false)),
            ("inactive", Err(())),
            ("Disabled", Err(())),
        ] {
            let found = parse(&user.replace("WORD", word), &none);
            let why = "line 1, column 85, `identities[0].credentials[0].status`: ";
            assert!(found.as_ref().err().is_none_or(|error| error.to_string().starts_with(why)), "{found:?}");
            let found = found.map(|found| found.users[0].credentials[0].is_active());
            assert_eq!(found.map_err(|_| ()), is_active, "{word}");
            let found = parse(&service.replace("WORD", word), &none);
            let why = "line 2, column 22, `serviceAccounts[0].credential.status`: ";
            assert!(found.as_ref().err().is_none_or(|error| error.to_string().starts_with(why)), "{found:?}");
            let found = found.map(|found| found.service_accounts[0].credential.as_ref().unwrap().is_active());
            assert_eq!(found.map_err(|_| ()), is_active, "{word}");
        }
    }

    #[test]
    fn ambiguous_files_are_refused() {
        for (file, part) in [
            (
                r#"{"identities":[{"name":"a","credentials":[{"accessKey":"K"}]},{"name":"b","credentials":[{"accessKey":"K"}]}]}"#,
                "column 63, `identities[1]`: the access key `K` belongs to both `a` and `b`",
            ),
            (r#"{"identities":[{"name":"a"},{"name":"a"}]}"#, "twice"),
            (r#"{"identities":[{"name":"root","actions":["Admin"]},{"name":"root","actions":["Admin"]}]}"#, "twice"),
            (
                r#"{"identities":[{"name":"root","actions":["Admin"]},{"name":"root","account":{"id":"111122223333"}}]}"#,
                "twice",
            ),
            (
                r#"{"identities":[{"name":"root","actions":["Admin"],"account":{"id":"111122223333"}},
                    {"name":"root","actions":["Admin"],"account":{"id":"111122223333"}}]}"#,
                "twice",
            ),
            (r#"{"identities":[{"name":"a","disabled":"yes"}]}"#, "identities[0].disabled"),
            ("{\"identities\":[\n{\"name\":}]}", "line 2"),
        ] {
            let error = parse(file, &none).unwrap_err().to_string();
            assert!(error.contains(part), "{file}: {error}");
        }
    }

    #[test]
    fn variables_are_expanded_in_keys_and_a_missing_one_drops_the_credential() {
        let set = |name: &str| (name == "K").then(|| "value".to_owned());
        for (text, want) in [
            ("${K}", Some("value")),
            ("a${K}b", Some("avalueb")),
            ("plain$", Some("plain$")),
            ("${NO}", None),
            ("${K", None),
        ] {
            let file = format!(
                r#"{{"identities":[{{"name":"a","credentials":[{{"accessKey":"AK","secretKey":"{text}"}}]}}]}}"#
            );
            let found = parse(&file, &set).unwrap();
            let secret = found.users[0].credentials.first().map(|key| key.secret_key.expose());
            assert_eq!(secret, want, "{text}");
            assert_eq!(found.warnings.len(), usize::from(want.is_none()));
        }
    }
}
