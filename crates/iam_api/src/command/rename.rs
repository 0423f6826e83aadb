//! Renaming a user or group: several documents, of which a crash may leave any number written.
//!
//! The new name gets everything before the old one is removed, and says which name it had until nothing of that is left. Between the
//! two, keys of a user are claimed twice and refused, and members of a group have the same rights twice: nobody has more than before.
//! Whoever finds a renaming that was left behind goes on with it.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{IamError, user};
use crate::change::{Change, DocumentKey, Holder, PolicyText};
use crate::documents::{Facts, GroupDocument, UserDocument};
use crate::snapshot::Snapshot;

/// One user or group that changes its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rename {
    old: Holder,
    new: Holder,
}

/// A renaming that began so long ago is one that nobody is working on.
const LEFT_BEHIND_S: i64 = 10;

impl Rename {
    pub(super) fn new(old: Holder, new: Arc<str>) -> Self {
        Self { new: named(&old, new), old }
    }

    /// A renaming that a crash left unfinished, to be gone on with.
    pub fn left_behind(state: &Snapshot, now_s: i64) -> Option<Self> {
        let old_enough = |new: &Holder| facts(state, new).is_some_and(|facts| facts.renamed_s + LEFT_BEHIND_S < now_s);
        let mut renames = state.unfinished_renames().filter(|(new, _)| old_enough(new));
        renames.next().map(|(new, old)| Self { old: named(new, old.clone()), new: new.clone() })
    }

    /// The documents to read afresh before [`Rename::changes`].
    pub fn documents(&self, state: &Snapshot) -> Vec<DocumentKey> {
        let mut documents = Vec::new();
        for holder in [&self.old, &self.new] {
            documents.push(holder.document());
            let inline = state.inline_policies(holder).into_keys();
            documents.extend(inline.map(|policy| DocumentKey::Inline(holder.clone(), policy)));
            if let Holder::User(name) = holder {
                documents.extend(state.groups_naming(name).into_iter().map(DocumentKey::Group));
            }
        }
        let copies = state.inline_policies(&self.old).into_keys();
        documents.extend(copies.map(|policy| DocumentKey::Inline(self.new.clone(), policy)));
        if state.weed_policies().inline.contains_key(&self.old) {
            documents.push(DocumentKey::WeedPolicies);
        }
        documents
    }

    /// Whether the new name is that of the same entity already: the renaming began, and was left unfinished.
    pub(super) fn has_begun(&self, state: &Snapshot) -> bool {
        facts(state, &self.new).is_some_and(|facts| facts.renamed_from.as_deref() == Some(&**self.old.name()))
    }

    /// What is left to write, in order; `path` is the new path, if it changes too.
    ///
    /// Error: `NoSuchEntity` when there is neither the old entity nor a renaming that began.
    pub fn changes(&self, state: &Snapshot, path: Option<String>, now_s: i64) -> Result<Vec<Change>, IamError> {
        let begun = entity(state, &self.new).filter(|_| self.has_begun(state));
        let old = entity(state, &self.old);
        let (mut changes, mut last) = match (old, begun) {
            // Somebody made a new entity of the old name: that one keeps what it has.
            (Some(old), Some(new)) if old.id(state) != new.id(state) => (Vec::new(), new),
            // Where it began, the path is that of the new name by now.
            (Some(old), new) => self.all(state, &old, path.or(new.map(|mut new| new.facts_mut().path.clone())), now_s),
            (None, Some(new)) => {
                let (_, left) = self.memberships(state, false);
                (left.into_iter().chain(self.without_old_policies(state)).collect(), new)
            }
            (None, None) => {
                let (kind, name) = (self.old.kind(), self.old.name());
                return Err(IamError::no_such_entity(format!("The {kind} with name {name} cannot be found.")));
            }
        };
        let facts = last.facts_mut();
        (facts.renamed_from, facts.renamed_s) = (None, 0);
        changes.push(last.put());
        Ok(changes)
    }

    /// All changes but the last, and the new entity.
    fn all(&self, state: &Snapshot, old: &Entity, path: Option<String>, now_s: i64) -> (Vec<Change>, Entity) {
        let from_weed = state.weed_policies().inline.contains_key(&self.old);
        let mut new = old.renamed(state, &self.new, from_weed);
        let facts = new.facts_mut();
        (facts.renamed_from, facts.renamed_s) = (Some(self.old.name().to_string()), now_s);
        facts.path = path.unwrap_or_else(|| facts.path.clone());
        let mut changes = self.copied_policies(state, now_s);
        let (joined, left) = self.memberships(state, true);
        changes.extend(joined);
        changes.extend([new.clone().put(), old.remove()]);
        changes.extend(left);
        changes.extend(self.without_old_policies(state));
        (changes, new)
    }

    /// The new name gets exactly the inline policies of the old one; what an earlier entity left behind goes first.
    fn copied_policies(&self, state: &Snapshot, now_s: i64) -> Vec<Change> {
        let (old, new) = (state.inline_policies(&self.old), state.inline_policies(&self.new));
        let left = new.into_iter().filter(|(name, policy)| policy.ours.is_some() && !old.contains_key(name));
        let mut changes: Vec<Change> = left.map(|(name, _)| Change::Inline(self.new.clone(), name, None)).collect();
        for (name, policy) in old {
            let holder = state.id_of(&self.old).map(|id| id.to_string()).unwrap_or_default();
            let facts = Facts { created_s: now_s, updated_s: now_s, holder, ..Facts::default() };
            // What cannot be read denies; its copy is no policy, and goes on denying.
            let unread = PolicyText { text: policy.text.clone(), facts };
            let copy = policy.ours.and_then(Result::ok).filter(|own| own.text == policy.text).unwrap_or(unread);
            changes.push(Change::Inline(self.new.clone(), name, Some(Ok(copy))));
        }
        changes
    }

    /// The groups of a user: with the new name beside the old one, if it `joins`, and then without the old one.
    fn memberships(&self, state: &Snapshot, joins: bool) -> (Vec<Change>, Vec<Change>) {
        let (mut joined, mut left) = (Vec::new(), Vec::new());
        let (Holder::User(old), Holder::User(new)) = (&self.old, &self.new) else { return (joined, left) };
        let begun = self.has_begun(state);
        let named: BTreeSet<_> = state.groups_naming(old).into_iter().chain(state.groups_naming(new)).collect();
        for group in named.iter().filter_map(|name| state.group(name)) {
            let is_member = |name: &str| group.document.members.iter().any(|member| member == name);
            let mut document = (*group.document).clone();
            let mut change = |members: Vec<String>, changes: &mut Vec<Change>| {
                if members != document.members {
                    document.members = members;
                    changes.push(Change::Group(group.name.clone(), Some(Ok(document.clone()))));
                }
            };
            let without = |name: &str, members: &[String]| -> Vec<String> {
                members.iter().filter(|member| *member != name).cloned().collect()
            };
            let mut members = group.document.members.clone();
            if joins {
                let belongs = is_member(old) || (begun && is_member(new));
                members = without(new, &members);
                members.extend(belongs.then(|| new.to_string()));
                change(members.clone(), &mut joined);
            }
            change(without(old, &members), &mut left);
        }
        (joined, left)
    }

    fn without_old_policies(&self, state: &Snapshot) -> Vec<Change> {
        let own = state.inline_policies(&self.old).into_iter().filter(|(_, policy)| policy.ours.is_some());
        let mut changes: Vec<Change> = own.map(|(name, _)| Change::Inline(self.old.clone(), name, None)).collect();
        if state.weed_policies().inline.contains_key(&self.old) {
            let mut document = state.weed_policies().clone();
            document.inline.remove(&self.old);
            changes.push(Change::WeedPolicies(Some(Ok(document))));
        }
        changes
    }
}

/// A document that carries a name.
#[derive(Debug, Clone)]
enum Entity {
    User(UserDocument),
    Group(GroupDocument),
}

fn entity(state: &Snapshot, holder: &Holder) -> Option<Entity> {
    match holder {
        Holder::User(name) => state.user(name).map(|user| Entity::User(user::document(user))),
        Holder::Group(name) => state.group(name).map(|group| Entity::Group((*group.document).clone())),
        Holder::Role(_) => None,
    }
}

fn facts<'a>(state: &'a Snapshot, holder: &Holder) -> Option<&'a Facts> {
    match holder {
        Holder::User(name) => state.user(name).map(|user| &user.document.facts),
        Holder::Group(name) => state.group(name).map(|group| &group.document.facts),
        Holder::Role(_) => None,
    }
}

fn named(like: &Holder, name: Arc<str>) -> Holder {
    match like {
        Holder::User(_) => Holder::User(name),
        Holder::Group(_) => Holder::Group(name),
        Holder::Role(_) => Holder::Role(name),
    }
}

impl Entity {
    /// The id that the entity keeps, be it one that is derived from its name.
    fn id(&self, state: &Snapshot) -> String {
        let id = match self {
            Self::User(user) => state.user(&user.name).map(|user| user.id.clone()),
            Self::Group(group) => state.group(&group.name).map(|group| group.id.clone()),
        };
        id.as_deref().unwrap_or_default().to_owned()
    }

    /// The same under another name; `from_weed`: without the legacy actions that weed projected from policies.
    fn renamed(&self, state: &Snapshot, name: &Holder, from_weed: bool) -> Self {
        let (mut new, id) = (self.clone(), self.id(state));
        match &mut new {
            Self::User(user) => {
                user.name = name.name().to_string();
                if from_weed {
                    user.actions.clear();
                }
            }
            Self::Group(group) => group.name = name.name().to_string(),
        }
        let facts = new.facts_mut();
        (facts.id, facts.deleting_s) = (id, 0);
        new
    }

    fn facts_mut(&mut self) -> &mut Facts {
        match self {
            Self::User(user) => &mut user.facts,
            Self::Group(group) => &mut group.facts,
        }
    }

    fn put(self) -> Change {
        match self {
            Self::User(user) => Change::User(user.name.as_str().into(), Some(Ok(user))),
            Self::Group(group) => Change::Group(group.name.as_str().into(), Some(Ok(group))),
        }
    }

    fn remove(&self) -> Change {
        match self {
            Self::User(user) => Change::User(user.name.as_str().into(), None),
            Self::Group(group) => Change::Group(group.name.as_str().into(), None),
        }
    }
}
