//! Managed and inline policies: text and index together.

use std::sync::Arc;

use ids::AccountId;
use policy::CompiledPolicy;

use super::compiled::Compiled;
use crate::change::{PolicyPlace, PolicyText, Read};
use crate::documents::Facts;
use crate::small_map::SmallMap;
use crate::unique_id::unique_id;

/// A managed policy. It may stand in several places; they must agree.
#[derive(Debug, Clone)]
pub struct ManagedPolicy {
    /// Its name.
    pub name: Arc<str>,
    /// `ANPA...`.
    pub id: Arc<str>,
    /// The account it belongs to.
    pub account: AccountId,
    /// `arn:aws:iam::<account>:policy/<path><name>`.
    pub arn: Arc<str>,
    /// Its text; empty when it cannot be read.
    pub text: Arc<str>,
    /// Its index; it denies everything if the policy cannot be read or its places contradict each other.
    pub compiled: Arc<CompiledPolicy>,
    /// Id, dates, path, description.
    pub facts: Facts,
    /// Where it stands.
    pub places: SmallMap<PolicyPlace, Read<PolicyText>>,
}

/// An inline policy of a user, group or role.
#[derive(Debug, Clone)]
pub struct InlinePolicy {
    /// Its text; empty when it cannot be read.
    pub text: Arc<str>,
    /// Its index.
    pub compiled: Arc<CompiledPolicy>,
    /// It stands in a document of ours.
    pub ours: Option<Read<PolicyText>>,
    /// It stands in weed's shared document.
    pub weeds: Option<Arc<str>>,
}

pub(super) type InlineMap = SmallMap<Arc<str>, InlinePolicy>;

impl ManagedPolicy {
    /// Builds the policy from its places; `None` if there are none.
    pub(super) fn of(
        name: &Arc<str>,
        places: SmallMap<PolicyPlace, Read<PolicyText>>,
        account: AccountId,
        texts: &mut Compiled,
    ) -> Option<Self> {
        let facts = places.values().flatten().map(|policy| &policy.facts).find(|facts| **facts != Facts::default());
        let facts = facts.cloned().unwrap_or_default();
        let stated = places.iter().map(|(place, read)| (place.describe(), read.as_ref().map(|policy| &policy.text)));
        let what = format!("policy `{name}`");
        let (text, agreed) = agree(&what, stated)?;
        let compiled = match agreed {
            Ok(()) => texts.identity(&text, &what),
            Err(reason) => Arc::new(CompiledPolicy::unreadable(reason)),
        };
        // A text that stands for a contradiction is not shown as the policy's own.
        let text = if compiled.unreadable_reason().is_some() && places.len() > 1 { Arc::from("") } else { text };
        let account = facts.account.parse().unwrap_or(account);
        let arn = format!("arn:aws:iam::{account}:policy{}{name}", facts.path_or_root());
        let id = unique_id("ANPA", &facts.id, name);
        Some(Self { name: name.clone(), id, account, arn: arn.into(), text, compiled, facts, places })
    }
}

impl InlinePolicy {
    /// Whether it is about the entity of this id: not if it was put on an earlier one of the same name.
    pub(super) fn is_of(&self, id: &str) -> bool {
        let put_on = self.ours.as_ref().and_then(|own| own.as_ref().ok()).map_or("", |own| own.facts.holder.as_str());
        put_on.is_empty() || put_on == id || self.weeds.is_some()
    }

    /// Builds the policy from our document and weed's; `None` if there is neither.
    pub(super) fn of(
        what: &str,
        ours: Option<Read<PolicyText>>,
        weeds: Option<Arc<str>>,
        texts: &mut Compiled,
    ) -> Option<Self> {
        let own = ours.iter().map(|read| ("the document of ours", read.as_ref().map(|policy| &policy.text)));
        let weed = weeds.iter().map(|text| ("/etc/iam/policies.json", Ok(text)));
        let (text, agreed) = agree(what, own.chain(weed))?;
        let compiled = match agreed {
            Ok(()) => texts.identity(&text, what),
            Err(reason) => Arc::new(CompiledPolicy::unreadable(reason)),
        };
        Some(Self { text, compiled, ours, weeds })
    }
}

/// The one text that all places agree on. Where one cannot be read, or two differ, nobody can say which holds: then the policy
/// denies, with the reason.
fn agree<'a>(
    what: &str,
    places: impl Iterator<Item = (&'static str, Result<&'a Arc<str>, &'a crate::change::Unreadable>)>,
) -> Option<(Arc<str>, Result<(), String>)> {
    let mut first: Option<(&'static str, Arc<str>)> = None;
    for (place, text) in places {
        let text = match text {
            Ok(text) => text,
            Err(reason) => return Some((Arc::from(""), Err(format!("{what} in {place} cannot be read: {reason}")))),
        };
        match &first {
            None => first = Some((place, text.clone())),
            Some((other, known)) if !same_json(known, text) => {
                let reason = format!("{what} differs between {other} and {place}; remove one of the two");
                return Some((Arc::from(""), Err(reason)));
            }
            Some(_) => {}
        }
    }
    first.map(|(_, text)| (text, Ok(())))
}

fn same_json(a: &str, b: &str) -> bool {
    let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).ok();
    a == b || value(a).is_some_and(|a| value(b) == Some(a))
}

/// The name at the end of a policy ARN, or the text itself when it is no ARN (weed's files name policies).
pub fn policy_name_of(arn_or_name: &str) -> &str {
    match arn_or_name.strip_prefix("arn:").and_then(|rest| rest.split_once(":policy/")) {
        Some((_, resource)) => resource.rsplit('/').next().unwrap_or(resource),
        None => arn_or_name,
    }
}
