//! Determines which inline policies SeaweedFS's shared document has to contain for SeaweedFS, in addition to its own.

use std::collections::BTreeSet;
use std::sync::Arc;

use policy::{Policy, PolicyForSeaweedFs, PolicyKind};

use super::Snapshot;
use crate::change::{DocumentKey, Holder};
use crate::weed_policies::WeedPolicies;

/// An inline policy: its holder and its name.
pub type InlineName = (Holder, Arc<str>);

/// The next state of SeaweedFS's document.
#[derive(Debug)]
pub struct Mirrored {
    /// The whole document.
    pub document: WeedPolicies,
    /// The entries that have changed or been removed.
    pub changed: BTreeSet<InlineName>,
    /// Those of them that deny more or allow less than the policy, because SeaweedFS does not understand all of it.
    pub inexact: BTreeSet<InlineName>,
}

impl Snapshot {
    /// The inline policies of users and groups that are missing or outdated in SeaweedFS's document, and those that it
    /// should no longer contain. Without `adds`, only policies that are already mirrored count: they are updated or
    /// removed. Empty while the document cannot be read, because it is then left alone.
    pub fn unmirrored(&self, adds: bool) -> BTreeSet<InlineName> {
        let known = self.weed.mirrored.iter().flat_map(|(holder, texts)| names(holder, texts.keys()));
        let ours = adds.then(|| self.inline.iter()).into_iter().flatten();
        let ours = ours.flat_map(|(holder, policies)| names(holder, policies.keys()));
        let all: BTreeSet<InlineName> = known.chain(ours).collect();
        self.mirror(&all, adds).map(|next| next.changed).unwrap_or_default()
    }

    /// SeaweedFS's document with these entries as they should be; `None` if they already are.
    pub fn mirror(&self, entries: &BTreeSet<InlineName>, adds: bool) -> Option<Mirrored> {
        if self.document_problem(&DocumentKey::WeedPolicies).is_some() {
            return None;
        }
        let document = (*self.weed).clone();
        let mut next = Mirrored { document, changed: BTreeSet::new(), inexact: BTreeSet::new() };
        for entry in entries {
            let (holder, name) = entry;
            let is_there = self.weed.mirrored.get(holder).is_some_and(|texts| texts.contains_key(name));
            if !adds && !is_there {
                continue;
            }
            let restated = self.restated(holder, name);
            let is_inexact = restated.as_ref().is_some_and(|restated| !restated.is_exact);
            if next.document.mirror(holder, name, restated.map(|restated| restated.text.into())) {
                next.changed.insert(entry.clone());
                next.inexact.extend(is_inexact.then(|| entry.clone()));
            }
        }
        (!next.changed.is_empty()).then_some(next)
    }

    /// An inline policy for SeaweedFS. `None` if it is not in force, if SeaweedFS has no place for it (a role's), or if
    /// SeaweedFS has its own policy with this name, which we must not replace.
    fn restated(&self, holder: &Holder, name: &str) -> Option<PolicyForSeaweedFs> {
        let id = self.id_of(holder).filter(|_| !matches!(holder, Holder::Role(_)))?;
        let policy = self.inline.get(holder)?.get(name)?;
        if policy.weeds.is_some() || !policy.is_of(id) {
            return None;
        }
        let readable = policy.ours.as_ref()?.as_ref().ok();
        let parsed = readable.and_then(|ours| Policy::parse_stored(PolicyKind::Identity, &ours.text).ok());
        // A policy that cannot be read denies, in SeaweedFS as here.
        Some(parsed.map_or_else(PolicyForSeaweedFs::unreadable, |policy| policy.for_seaweedfs()))
    }
}

fn names<'a>(
    holder: &'a Holder,
    policies: impl Iterator<Item = &'a Arc<str>> + 'a,
) -> impl Iterator<Item = InlineName> + 'a {
    policies.map(move |name| (holder.clone(), name.clone()))
}
