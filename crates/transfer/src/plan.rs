//! Determines what an import does with one document, given what is stored.

use serde_json::{Map, Value};

use iam::{Change, Credential, PolicyPlace, Read};
use iam_formats::{Facts, StoredDocument};

/// What happens to one document.
#[derive(Debug)]
pub enum Step {
    /// None with this name exists: this is written.
    Create(Change, Vec<String>),
    /// It differs: this replaces it. Also has the names of the differing parts.
    Update(Change, Vec<String>, Vec<String>),
    /// It is the same.
    Unchanged,
    /// The stored document cannot be read, so it is unknown what would be lost.
    Unreadable(String),
}

/// Compares a change of a bundle with what is stored under its key. The lists of strings in the steps are notes.
///
/// An access key without a secret in the bundle keeps the stored secret. If none is stored, the key is left out.
pub fn step(wanted: &Change, stored: &[Change]) -> Step {
    if let Some(why) = stored.iter().find_map(unreadable) {
        return Step::Unreadable(why);
    }
    let stored = stored.iter().find(|change| exists(change));
    let mut wanted = wanted.clone();
    let notes = complete(&mut wanted, stored);
    let Some(stored) = stored else { return Step::Create(wanted, notes) };
    match (parts(stored), parts(&wanted)) {
        (Some(before), Some(after)) => {
            let names = before.keys().chain(after.keys()).filter(|name| before.get(*name) != after.get(*name));
            let differing: std::collections::BTreeSet<String> = names.cloned().collect();
            if differing.is_empty() {
                Step::Unchanged
            } else {
                Step::Update(wanted, differing.into_iter().collect(), notes)
            }
        }
        _ => Step::Unreadable("it is not JSON".to_owned()),
    }
}

fn exists(change: &Change) -> bool {
    parts(change).is_some()
}

fn unreadable(change: &Change) -> Option<String> {
    fn why<T>(read: &Option<Read<T>>) -> Option<String> {
        Some(read.as_ref()?.as_ref().err()?.to_string())
    }
    match change {
        Change::User(_, read) => why(read),
        Change::ServiceAccount(_, read) => why(read),
        Change::Group(_, read) => why(read),
        Change::Role(_, _, read) => why(read),
        Change::Policy(_, _, read) => why(read),
        Change::Inline(_, _, read) => why(read),
        Change::OidcProvider(_, read) => why(read),
        Change::InstanceProfile(_, read) => why(read),
        Change::AccountAlias(_, read) => why(read),
        Change::AccountPublicAccessBlock(_, read) => why(read),
        _ => None,
    }
}

/// Takes over from what is stored what the change lacks: secrets, facts if it has none, and the place of a policy.
fn complete(wanted: &mut Change, stored: Option<&Change>) -> Vec<String> {
    let mut notes = Vec::new();
    match (wanted, stored) {
        (Change::User(_, Some(Ok(user))), stored) => {
            let known = match stored {
                Some(Change::User(_, Some(Ok(known)))) => Some(known),
                _ => None,
            };
            let keys = known.map(|known| known.credentials.as_slice()).unwrap_or_default();
            user.credentials.retain_mut(|key| with_secret(key, keys, &mut notes));
            with_facts(user, known);
        }
        (Change::ServiceAccount(_, Some(Ok(account))), stored) => {
            let known = match stored {
                Some(Change::ServiceAccount(_, Some(Ok(known)))) => Some(known),
                _ => None,
            };
            let keys: Vec<Credential> = known.and_then(|known| known.credential.clone()).into_iter().collect();
            if account.credential.as_mut().is_some_and(|key| !with_secret(key, &keys, &mut notes)) {
                account.credential = None;
            }
            with_facts(account, known);
        }
        (Change::Group(_, Some(Ok(group))), Some(Change::Group(_, Some(Ok(known))))) => {
            with_facts(group, Some(known));
        }
        (Change::Role(_, _, Some(Ok(role))), Some(Change::Role(_, _, Some(Ok(known))))) => {
            with_facts(role, Some(known));
        }
        (Change::Policy(_, place, Some(Ok(policy))), Some(Change::Policy(_, stands, Some(Ok(known))))) => {
            *place = *stands;
            with_facts(policy, Some(known));
        }
        (Change::OidcProvider(_, Some(Ok(provider))), Some(Change::OidcProvider(_, Some(Ok(known))))) => {
            with_facts(provider, Some(known));
        }
        (Change::Inline(_, _, Some(Ok(policy))), Some(Change::Inline(_, _, Some(Ok(known))))) => {
            with_facts(policy, Some(known));
        }
        _ => {}
    }
    notes
}

fn with_secret(key: &mut Credential, stored: &[Credential], notes: &mut Vec<String>) -> bool {
    if key.secret_key.expose().is_empty() {
        match stored.iter().find(|known| known.access_key == key.access_key) {
            Some(known) => key.secret_key = known.secret_key.clone(),
            None => {
                notes.push(format!("access key `{}` is left out: its secret is not in the file", key.access_key));
                return false;
            }
        }
    }
    true
}

/// Gives a document without facts those of the stored one.
fn with_facts<T: StoredDocument>(wanted: &mut T, stored: Option<&T>) {
    if wanted.facts() == Facts::default()
        && let Some(stored) = stored
        && let Ok(complete) = T::parse(&wanted.to_text(), stored.facts())
    {
        *wanted = complete;
    }
}

/// The parts of the document; `None` if there is none.
fn parts(change: &Change) -> Option<Map<String, Value>> {
    fn of<T: StoredDocument>(read: &Option<Read<T>>) -> Option<Map<String, Value>> {
        with_facts_of(read, |stored| stored.to_text())
    }
    fn of_policy<T: StoredDocument>(read: &Option<Read<T>>) -> Option<Map<String, Value>> {
        with_facts_of(read, |policy| format!(r#"{{"document":{}}}"#, policy.to_text()))
    }
    fn with_facts_of<T: StoredDocument>(
        read: &Option<Read<T>>,
        text: impl Fn(&T) -> String,
    ) -> Option<Map<String, Value>> {
        let stored = read.as_ref()?.as_ref().ok()?;
        let mut map: Map<String, Value> = serde_json::from_str(&text(stored)).ok()?;
        let facts = stored.facts().to_text().and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
        map.insert("facts".to_owned(), facts);
        Some(map)
    }
    match change {
        Change::User(_, read) => of(read),
        Change::ServiceAccount(_, read) => of(read),
        Change::Group(_, read) => of(read),
        Change::Role(_, _, read) => of(read),
        Change::Policy(_, PolicyPlace::Identities | PolicyPlace::Memory | PolicyPlace::Weed, _) => None,
        Change::Policy(_, _, read) => of_policy(read),
        Change::Inline(_, _, read) => of_policy(read),
        Change::OidcProvider(_, read) => of(read),
        Change::InstanceProfile(_, read) => of(read),
        Change::AccountAlias(_, read) => of(read),
        Change::AccountPublicAccessBlock(_, read) => of(read),
        Change::WeedPolicies(_)
        | Change::OidcKeys(..)
        | Change::MfaDevice(..)
        | Change::Revocation(..)
        | Change::Bucket(..) => None,
    }
}
