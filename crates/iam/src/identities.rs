//! The `-config` file: SeaweedFS's `S3ApiConfiguration` as JSON. Whatever it defines is static: the IAM API cannot change it.

use std::collections::BTreeMap;

use ids::{AccountId, SecretAccessKey};
use policy::CompiledPolicy;

use crate::documents::{AccountDocument, CredentialDocument, ServiceAccountDocument, UserDocument, document_text};
use crate::json::{JsonError, Node};
use crate::snapshot::ROOT;

/// What an identities file defines.
#[derive(Debug, Clone, Default)]
pub struct Identities {
    /// Its users.
    pub users: Vec<UserDocument>,
    /// Its service accounts.
    pub service_accounts: Vec<ServiceAccountDocument>,
    /// Its managed policies: name and text.
    pub policies: Vec<(String, String)>,
    /// What was dropped or not understood, for the log.
    pub warnings: Vec<String>,
}

/// The keys at the top of an identities file; the same file may be an `-iam.config` as well.
pub(crate) const TOP_LEVEL: [&str; 7] =
    ["identities", "accounts", "serviceAccounts", "service_accounts", "policies", "groups", "kms"];

impl Identities {
    /// Reads a file. `variable` looks up the environment for `${NAME}` in access and secret keys.
    ///
    /// Errors: bad JSON or a value of the wrong kind, with line and column; two identities with one access key; two
    /// identities with one name; a secret that is public.
    pub fn parse(text: &str, variable: &dyn Fn(&str) -> Option<String>) -> Result<Self, JsonError> {
        let node = Node::parse(text)?;
        let mut object = node.object()?;
        let mut found = Self::default();
        let mut accounts = BTreeMap::new();
        for node in object.array(&["accounts"])? {
            let account = AccountDocument::read(&node)?;
            accounts.insert(account.id.clone(), account);
        }
        for node in object.array(&["identities"])? {
            let mut user = found.identity(&node, &accounts, variable)?;
            if !found.finds_a_name_for(&mut user) {
                return Err(node.error(format!("the identity `{}` is defined twice; merge the two", user.name)));
            }
            found.users.push(user);
        }
        for node in object.array(&["serviceAccounts", "service_accounts"])? {
            let mut account = ServiceAccountDocument::read(&node)?;
            let credential = account.credential.take().into_iter().collect();
            account.credential = found.expand(credential, &account.id, variable).map_err(|why| node.error(why))?.pop();
            found.service_accounts.push(account);
        }
        for node in object.array(&["policies"])? {
            let policy = policy(&node)?;
            found.policies.push(policy);
        }
        found.refuse_duplicate_keys(&node)?;
        if object.take(&["groups"]).is_some() {
            found.warnings.push(
                "`groups` of an identities file are ignored, as in SeaweedFS; create groups with the IAM API".into(),
            );
        }
        if object.take(&["kms"]).is_some() {
            found.warnings.push("`kms` is ignored: server-side encryption with KMS is not supported".into());
        }
        for (_, node) in object.rest() {
            found.warnings.push(format!("unknown key `{}` is ignored", node.path()));
        }
        Ok(found)
    }

    /// Reads an `-iam.config` file as an identities file, which it is when there is no `-config`. Its policies are those of the
    /// configuration ([`crate::IamConfig::policies`]), not defined a second time here.
    pub fn of_iam_config(text: &str, variable: &dyn Fn(&str) -> Option<String>) -> Result<Self, JsonError> {
        let mut found = Self::parse(text, variable)?;
        found.policies.clear();
        // The configuration's own reader refuses what nobody knows.
        found.warnings.retain(|warning| !warning.starts_with("unknown key `") || warning.contains("identities["));
        Ok(found)
    }

    /// The identity that AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY stand for: `admin-<first 8 characters>` with `Admin`.
    ///
    /// Errors: the secret is public.
    pub fn add_environment_admin(&mut self, access_key: &str, secret_key: SecretAccessKey) -> Result<(), String> {
        let taken = self.users.iter().flat_map(|user| &user.credentials).any(|known| known.access_key == access_key);
        if taken {
            self.warnings.push(format!("AWS_ACCESS_KEY_ID `{access_key}` is already a key of the identities file"));
            return Ok(());
        }
        let name: String = access_key.chars().take(8).collect();
        self.users.push(administrator(format!("admin-{name}"), access_key, secret_key)?);
        Ok(())
    }

    /// The root user of whoever has no account of its own, with this key.
    ///
    /// Errors: the file has such a `root` itself, or gives the key to somebody; the secret is public.
    pub fn add_root(&mut self, access_key: &str, secret_key: SecretAccessKey) -> Result<(), String> {
        if self.users.iter().flat_map(|user| &user.credentials).any(|known| known.access_key == access_key) {
            return Err(format!("the access key {access_key} is the root access key of this server"));
        }
        let mut root = administrator(ROOT.to_owned(), access_key, secret_key)?;
        if !self.finds_a_name_for(&mut root) {
            return Err(
                "the identity `root` is the one that `kelpgate server` makes itself; give yours another name, \
                        or an account of twelve digits and `Admin`"
                    .to_owned(),
            );
        }
        self.users.push(root);
        Ok(())
    }

    /// Names are unique, but every account has its `root`: only one of a file keeps the bare name, the one without an account if there
    /// is one. False if the name is taken.
    fn finds_a_name_for(&mut self, user: &mut UserDocument) -> bool {
        let Some(index) = self.users.iter().position(|known| known.name == user.name) else { return true };
        let Some(known) = self.users.get_mut(index) else { return true };
        match (root_name_in_its_account(known), root_name_in_its_account(user)) {
            (theirs, ours) if theirs == ours => false,
            (_, Some(name)) => {
                user.name = name;
                !self.users.iter().any(|known| known.name == user.name)
            }
            (Some(name), None) if user.has_bare_admin() => {
                known.name = name;
                true
            }
            _ => false,
        }
    }

    fn identity(
        &mut self,
        node: &Node<'_>,
        accounts: &BTreeMap<String, AccountDocument>,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<UserDocument, JsonError> {
        let mut user = UserDocument::read(node)?;
        user.is_static = true;
        if let Some(known) = user.account.as_ref().and_then(|account| accounts.get(&account.id)) {
            user.account = Some(known.clone());
        }
        if user.name == ROOT && !user.has_bare_admin() {
            self.warnings
                .push("the identity `root` has no action `Admin`: it is an ordinary user, not the root user".into());
        }
        self.warnings.extend(
            CompiledPolicy::compile_legacy(&user.actions)
                .1
                .into_iter()
                .map(|why| format!("identity `{}`: {why}", user.name)),
        );
        for key in user.other.keys() {
            self.warnings.push(format!("unknown key `{}.{key}` is ignored", node.path()));
        }
        let credentials = std::mem::take(&mut user.credentials);
        user.credentials = self.expand(credentials, &user.name, variable).map_err(|why| node.error(why))?;
        Ok(user)
    }

    /// A credential whose variable is not set is dropped, as in SeaweedFS: half a key must not become a key.
    ///
    /// Errors: a public secret.
    fn expand(
        &mut self,
        credentials: Vec<CredentialDocument>,
        holder: &str,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Vec<CredentialDocument>, String> {
        let mut kept = Vec::new();
        for mut credential in credentials {
            let access_key = expand_variables(&credential.access_key, variable);
            let secret_key = expand_variables(credential.secret_key.expose(), variable);
            match (access_key, secret_key) {
                (Ok(access_key), Ok(secret_key)) => {
                    credential.access_key = access_key;
                    credential.secret_key = SecretAccessKey::new(secret_key);
                    if let Some(why) = credential.public_secret() {
                        return Err(format!("`{holder}`: {why}"));
                    }
                    kept.push(credential);
                }
                (Err(why), _) | (_, Err(why)) => {
                    self.warnings.push(format!("a credential of `{holder}` is dropped: {why}"));
                }
            }
        }
        Ok(kept)
    }

    fn refuse_duplicate_keys(&self, node: &Node<'_>) -> Result<(), JsonError> {
        let mut owners: BTreeMap<&str, &str> = BTreeMap::new();
        let users = self.users.iter().flat_map(|user| user.credentials.iter().map(move |key| (&*user.name, key)));
        let services =
            self.service_accounts.iter().filter_map(|account| Some((&*account.id, account.credential.as_ref()?)));
        for (holder, credential) in users.chain(services) {
            if let Some(other) = owners.insert(&credential.access_key, holder) {
                let key = &credential.access_key;
                return Err(node.error(format!(
                    "the access key `{key}` belongs to both `{other}` and `{holder}`; an access key has one owner: remove one"
                )));
            }
        }
        Ok(())
    }
}

/// `<account>:root`, which tells a `root` with an account from one without and from those of other accounts.
fn root_name_in_its_account(user: &UserDocument) -> Option<String> {
    let account: AccountId = user.account.as_ref()?.id.parse().ok()?;
    (user.name == ROOT && user.has_bare_admin()).then(|| format!("{account}:{ROOT}"))
}

/// Whether an identity of the file is the root user of this account.
pub(crate) fn is_root_of(user: &UserDocument, account: AccountId) -> bool {
    let name = user.name.strip_prefix(account.as_str()).and_then(|rest| rest.strip_prefix(':')).unwrap_or(&user.name);
    name == ROOT && user.has_bare_admin()
}

fn administrator(name: String, access_key: &str, secret_key: SecretAccessKey) -> Result<UserDocument, String> {
    let credential = CredentialDocument { access_key: access_key.to_owned(), secret_key, status: String::new() };
    if let Some(why) = credential.public_secret() {
        return Err(why);
    }
    Ok(UserDocument {
        name,
        credentials: vec![credential],
        actions: vec!["Admin".to_owned()],
        is_static: true,
        ..UserDocument::default()
    })
}

/// `{"name":..., "content":"<text>"}` or `{"name":..., "document":{...}}`.
pub(crate) fn policy(node: &Node<'_>) -> Result<(String, String), JsonError> {
    let mut object = node.object()?;
    let name = object.string(&["name"])?;
    if name.is_empty() {
        return Err(node.error("a policy has no `name`; give it one"));
    }
    let Some(document) = object.take(&["content", "document"]) else {
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
    fn the_file_of_weed_is_understood_in_both_spellings() {
        let file = r#"{
          "accounts":[{"id":"111122223333","displayName":"Ops"}],
          "identities":[
            {"name":"root","credentials":[{"accessKey":"AKR","secretKey":"s"}],"actions":["Admin"],"account":{"id":"111122223333"}},
            {"name":"al","credentials":[{"access_key":"AKA","secret_key":"s","status":"Inactive"}],"policy_names":["P"],"colour":1}],
          "service_accounts":[{"id":"sa:al:1","parentUser":"al","credential":{"accessKey":"AKS","secretKey":"s"},"expiration":"99"}],
          "policies":[{"name":"P","document":{"Version":"2012-10-17"}},{"name":"Q","content":"{\"a\": 1}"}],
          "groups":[{"name":"g"}], "wings": 2 }"#;
        let found = Identities::parse(file, &none).unwrap();
        assert_eq!(found.users.len(), 2);
        assert_eq!(found.users[0].account.as_ref().unwrap().display_name, "Ops");
        assert!(!found.users[1].credentials[0].is_active());
        assert_eq!(found.service_accounts[0].expiration, 99);
        assert_eq!(found.policies[1], ("Q".to_owned(), "{\"a\": 1}".to_owned()));
        let warnings = found.warnings.join("\n");
        for part in ["identities[1].colour", "groups", "`wings`"] {
            assert!(warnings.contains(part), "{part}: {warnings}");
        }
    }

    #[test]
    fn the_configuration_of_iam_is_an_identities_file_too() {
        let file = r#"{"sts":{},"policies":[{"name":"P","document":{}}],"identities":[{"name":"root","x":1}]}"#;
        let found = Identities::of_iam_config(file, &none).unwrap();
        assert_eq!((found.users.len(), found.policies.len()), (1, 0));
        let warnings = found.warnings.join("\n");
        assert!(
            warnings.contains("identities[0].x") && warnings.contains("ordinary user") && !warnings.contains("sts")
        );
    }

    #[test]
    fn public_secrets_are_refused_wherever_they_stand() {
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
            let found = Identities::parse(&text, &|_| Some("minioadmin".to_owned()));
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
    fn what_is_ambiguous_is_refused() {
        for (file, part) in [
            (
                r#"{"identities":[{"name":"a","credentials":[{"accessKey":"K"}]},{"name":"b","credentials":[{"accessKey":"K"}]}]}"#,
                "both",
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
            let error = Identities::parse(file, &none).unwrap_err().to_string();
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
            let found = Identities::parse(&file, &set).unwrap();
            let secret = found.users[0].credentials.first().map(|key| key.secret_key.expose());
            assert_eq!(secret, want, "{text}");
            assert_eq!(found.warnings.len(), usize::from(want.is_none()));
        }
    }
}
