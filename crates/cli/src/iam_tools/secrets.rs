//! `kelpgate iam encrypt-secrets` and `decrypt-secrets`. Each document is written by a compare-and-swap of its own, so
//! an interrupted run leaves complete documents, and running the command again does the rest.

use iam::{Change, DocumentKey};
use store::{FilerStore, SecretKeys, StoreError, credentials};

use super::ATTEMPTS;
use crate::arguments::IamPlace;
use crate::place;
use server::configuration::SECRETS_KEY;

/// The direction.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Everything is encrypted with the first key.
    Encrypt,
    /// Everything is stored in plain text.
    Decrypt,
}

/// The result for one document.
enum Done {
    Written,
    Unchanged,
    /// Access keys whose secret none of the keys here decrypts; the rest of the document was done.
    Shut(Vec<String>),
}

/// Goes through all users and service accounts; false if a secret could not be decrypted.
pub async fn run(arguments: IamPlace, direction: Direction) -> Result<bool, String> {
    let configuration = super::configuration(&arguments)?;
    let keys = configuration.secret_keys()?.ok_or_else(|| {
        format!(
            "there is no key: name an -iam.config with kelpgate.secretsKeyFile, or set {SECRETS_KEY}, as on the gateways. A key is made with \
             `openssl rand -base64 32`"
        )
    })?;
    let (store, snapshot) = place::read(arguments.place.open().await?, &configuration).await?;
    // What is stored counts here, not what it decrypts to.
    let store = store.with_secrets(None);
    let users = snapshot.users().map(|user| DocumentKey::User(user.name.clone()));
    let accounts =
        snapshot.all_service_accounts().map(|account| DocumentKey::ServiceAccount(account.id.as_str().into()));
    let (mut written, mut unchanged, mut shut) = (0, 0, Vec::new());
    for key in users.chain(accounts) {
        match one(&store, &key, &keys, direction).await.map_err(|error| error.to_string())? {
            Done::Written => written += 1,
            Done::Unchanged => unchanged += 1,
            Done::Shut(access_keys) => shut.extend(access_keys),
        }
    }
    let (what, next) = match direction {
        Direction::Encrypt => (
            format!("encrypted under the key `{}`", keys.ids().next().unwrap_or_default()),
            "every gateway needs the key, and `weed s3` cannot use these access keys",
        ),
        Direction::Decrypt => {
            ("decrypted".to_owned(), "remove the keys from the gateways: a gateway with a key encrypts what it writes")
        }
    };
    say!("{written} documents {what}, {unchanged} already were; {next}");
    for access_key in &shut {
        say!(
            "access key `{access_key}`: none of the keys decrypts its secret; provide the key that encrypted it, or create a new access key"
        );
    }
    Ok(shut.is_empty())
}

async fn one(
    store: &FilerStore,
    key: &DocumentKey,
    keys: &SecretKeys,
    direction: Direction,
) -> Result<Done, StoreError> {
    let mut conflict = None;
    for _ in 0..ATTEMPTS {
        let fresh = store.read(std::slice::from_ref(key)).await?;
        let Some(stored) = fresh.changes.first() else { return Ok(Done::Unchanged) };
        let opened = keys.open(stored.clone());
        let shut: Vec<String> = credentials(&opened)
            .filter(|credential| credential.sealed_under().is_some())
            .map(|credential| credential.access_key.clone())
            .collect();
        let is_done = match direction {
            Direction::Encrypt => keys.is_current(stored),
            Direction::Decrypt => sealed(stored) == shut.len(),
        };
        // A secret encrypted with a key that is not here counts as not current, whatever is written.
        let is_done = is_done || (direction == Direction::Encrypt && only_shut_is_left(stored, keys, &shut));
        if is_done {
            return Ok(if shut.is_empty() { Done::Unchanged } else { Done::Shut(shut) });
        }
        let change = match direction {
            Direction::Encrypt => keys.seal(opened)?,
            Direction::Decrypt => opened,
        };
        match store.commit(&fresh, &[change]).await {
            Ok(_) if shut.is_empty() => return Ok(Done::Written),
            Ok(_) => return Ok(Done::Shut(shut)),
            Err(error @ StoreError::Conflict(_)) => conflict = Some(error),
            Err(error) => return Err(error),
        }
    }
    conflict.map_or(Ok(Done::Unchanged), Err)
}

fn sealed(change: &Change) -> usize {
    credentials(change).filter(|credential| credential.sealed_under().is_some()).count()
}

fn only_shut_is_left(change: &Change, keys: &SecretKeys, shut: &[String]) -> bool {
    let first = keys.ids().next();
    !shut.is_empty()
        && credentials(change).all(|key| {
            shut.contains(&key.access_key) || key.sealed_under() == first || key.secret_key.expose().is_empty()
        })
}
