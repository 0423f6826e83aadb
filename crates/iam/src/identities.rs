//! What the identities file defines: users, service accounts and policies that the IAM API cannot change.

use ids::{AccountId, SecretAccessKey};

use crate::entity::{Credential, ServiceAccount, UserRecord};
use crate::name::ROOT;

/// What an identities file defines.
#[derive(Debug, Clone, Default)]
pub struct Identities {
    /// Its users.
    pub users: Vec<UserRecord>,
    /// Its service accounts.
    pub service_accounts: Vec<ServiceAccount>,
    /// Its managed policies: name and text.
    pub policies: Vec<(String, String)>,
    /// What was dropped or ignored, for the log.
    pub warnings: Vec<String>,
}

impl Identities {
    /// Adds an identity. Two of them cannot have one name, except `root`, which every account may have: one of them is
    /// then called `<account>:root`.
    ///
    /// Fails with the name if it is taken.
    pub fn add(&mut self, mut user: UserRecord) -> Result<(), String> {
        if !self.finds_a_name_for(&mut user) {
            return Err(user.name);
        }
        self.users.push(user);
        Ok(())
    }

    /// Adds the identity of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY: `admin-<first 8 characters>` with `Admin`.
    ///
    /// Fails if the secret is published.
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

    /// Adds the root user of the default account, with this key.
    ///
    /// Fails if the file has such a `root` itself, if it gives the key to another identity, or if the secret is
    /// published.
    pub fn add_root(&mut self, access_key: &str, secret_key: SecretAccessKey) -> Result<(), String> {
        if self.users.iter().flat_map(|user| &user.credentials).any(|known| known.access_key == access_key) {
            return Err(format!("the access key {access_key} is the root access key of this server"));
        }
        self.add(administrator(ROOT.to_owned(), access_key, secret_key)?).map_err(|_| {
            "`kelpgate server` makes the identity `root` itself; give yours another name, \
             or an account of twelve digits and `Admin`"
                .to_owned()
        })
    }

    /// Names are unique, but every account has its `root`. Only one in a file keeps the bare name: the one without an
    /// account, if there is one. False if the name is taken.
    fn finds_a_name_for(&mut self, user: &mut UserRecord) -> bool {
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
}

/// `<account>:root`, which distinguishes a `root` with an account from one without, and from those of other accounts.
fn root_name_in_its_account(user: &UserRecord) -> Option<String> {
    let account: AccountId = user.account.as_ref()?.id.parse().ok()?;
    (user.name == ROOT && user.has_bare_admin()).then(|| format!("{account}:{ROOT}"))
}

/// Whether an identity of the file is the root user of this account.
pub(crate) fn is_root_of(user: &UserRecord, account: AccountId) -> bool {
    let name = user.name.strip_prefix(account.as_str()).and_then(|rest| rest.strip_prefix(':')).unwrap_or(&user.name);
    name == ROOT && user.has_bare_admin()
}

fn administrator(name: String, access_key: &str, secret_key: SecretAccessKey) -> Result<UserRecord, String> {
    let credential = Credential { secret_key, ..Credential::new(access_key, "") };
    if let Some(why) = credential.public_secret() {
        return Err(why);
    }
    Ok(UserRecord {
        name,
        credentials: vec![credential],
        actions: vec!["Admin".to_owned()],
        is_static: true,
        ..UserRecord::default()
    })
}
