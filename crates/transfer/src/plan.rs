//! What an import does with one document, given what is stored.

use serde_json::{Map, Value};

use crate::change::{Change, PolicyPlace, PolicyText, Read};
use crate::documents::{CredentialDocument, Facts};

/// What happens to one document.
#[derive(Debug)]
pub enum Step {
    /// There is none of this name: this is written.
    Create(Change, Vec<String>),
    /// It differs: this is written in its place. The names of what differs come with it.
    Update(Change, Vec<String>, Vec<String>),
    /// It says the same.
    Unchanged,
    /// What is stored cannot be read, so nobody can tell what would be lost.
    Unreadable(String),
}

/// Compares a change of a bundle with what is stored under its key. The lists of words in the steps are notes.
///
/// An access key whose secret the bundle left out keeps the stored one; where none is stored it is left out.
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
        _ => Step::Unreadable("it is no JSON".to_owned()),
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
        Change::Policy(_, _, read) | Change::Inline(_, _, read) => why(read),
        Change::OidcProvider(_, read) => why(read),
        Change::InstanceProfile(_, read) => why(read),
        Change::AccountAlias(_, read) => why(read),
        _ => None,
    }
}

/// Gives the change what it leaves to what is stored: secrets, facts where it has none, and the place of a policy.
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
            with_facts(&mut user.facts, known.map(|known| &known.facts));
        }
        (Change::ServiceAccount(_, Some(Ok(account))), stored) => {
            let known = match stored {
                Some(Change::ServiceAccount(_, Some(Ok(known)))) => Some(known),
                _ => None,
            };
            let keys: Vec<CredentialDocument> = known.and_then(|known| known.credential.clone()).into_iter().collect();
            if account.credential.as_mut().is_some_and(|key| !with_secret(key, &keys, &mut notes)) {
                account.credential = None;
            }
            with_facts(&mut account.facts, known.map(|known| &known.facts));
        }
        (Change::Group(_, Some(Ok(group))), Some(Change::Group(_, Some(Ok(known))))) => {
            with_facts(&mut group.facts, Some(&known.facts));
        }
        (Change::Role(_, _, Some(Ok(role))), Some(Change::Role(_, _, Some(Ok(known))))) => {
            with_facts(&mut role.facts, Some(&known.facts));
        }
        (Change::Policy(_, place, Some(Ok(policy))), Some(Change::Policy(_, stands, Some(Ok(known))))) => {
            *place = *stands;
            with_facts(&mut policy.facts, Some(&known.facts));
        }
        (Change::OidcProvider(_, Some(Ok(provider))), Some(Change::OidcProvider(_, Some(Ok(known))))) => {
            with_facts(&mut provider.facts, Some(&known.facts));
        }
        (Change::Inline(_, _, Some(Ok(policy))), Some(Change::Inline(_, _, Some(Ok(known))))) => {
            with_facts(&mut policy.facts, Some(&known.facts));
        }
        _ => {}
    }
    notes
}

fn with_secret(key: &mut CredentialDocument, stored: &[CredentialDocument], notes: &mut Vec<String>) -> bool {
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

fn with_facts(facts: &mut Facts, stored: Option<&Facts>) {
    if *facts == Facts::default()
        && let Some(stored) = stored
    {
        *facts = stored.clone();
    }
}

/// The document by its parts; `None` if there is none.
fn parts(change: &Change) -> Option<Map<String, Value>> {
    fn of<T>(read: &Option<Read<T>>, texts: impl Fn(&T) -> (String, Option<String>)) -> Option<Map<String, Value>> {
        let (text, facts) = texts(read.as_ref()?.as_ref().ok()?);
        let mut map: Map<String, Value> = serde_json::from_str(&text).ok()?;
        let facts = facts.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
        map.insert("facts".to_owned(), facts);
        Some(map)
    }
    fn of_policy(policy: &PolicyText) -> (String, Option<String>) {
        (format!(r#"{{"document":{}}}"#, policy.text), policy.facts.to_text())
    }
    match change {
        Change::User(_, read) => of(read, |user| (user.to_text(), user.facts.to_text())),
        Change::ServiceAccount(_, read) => of(read, |account| (account.to_text(), account.facts.to_text())),
        Change::Group(_, read) => of(read, |group| (group.to_text(), group.facts.to_text())),
        Change::Role(_, _, read) => of(read, |role| (role.to_text(), role.facts.to_text())),
        Change::Policy(_, PolicyPlace::Identities | PolicyPlace::Memory | PolicyPlace::Weed, _) => None,
        Change::Policy(_, _, read) | Change::Inline(_, _, read) => of(read, of_policy),
        Change::OidcProvider(_, read) => of(read, |provider| (provider.to_text(), provider.facts.to_text())),
        Change::InstanceProfile(_, read) => of(read, |profile| (profile.to_text(), None)),
        Change::AccountAlias(_, read) => of(read, |alias| (alias.to_text(), None)),
        Change::WeedPolicies(_) | Change::Bucket(..) => None,
    }
}
