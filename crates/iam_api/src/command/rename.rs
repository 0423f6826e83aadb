//! Renames a user or group. This changes several documents, and a crash may leave any number of them written.
//!
//! The new name gets everything before the old one is removed, and it records the old name until nothing of that
//! remains. In between, keys of a user are claimed twice and refused, and members of a group have the same permissions
//! twice, so no one has more than before. Any gateway that finds an incomplete renaming finishes it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::IamError;
use iam::{Change, DocumentKey, GroupRecord, Holder, InlinePolicyRecord, Renamed, Snapshot, UserRecord};

/// The renaming of one user or group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rename {
    old: Holder,
    new: Holder,
}

/// If a renaming began this long ago, no gateway is working on it any more.
const LEFT_BEHIND_S: i64 = 10;

impl Rename {
    pub(super) fn new(old: Holder, new: Arc<str>) -> Self {
        Self { new: named(&old, new), old }
    }

    /// A renaming that a crash left unfinished, and that should be finished.
    pub fn left_behind(state: &Snapshot, now_s: i64) -> Option<Self> {
        let old_enough = |new: &Holder| renamed(state, new).is_some_and(|renamed| renamed.at_s + LEFT_BEHIND_S < now_s);
        let mut renames = state.unfinished_renames().filter(|(new, _)| old_enough(new));
        renames.next().map(|(new, old)| Self { old: named(new, old.clone()), new: new.clone() })
    }

    /// The documents to read again before [`Rename::changes`].
    pub fn documents(&self, state: &Snapshot) -> Vec<DocumentKey> {
        let mut documents = Vec::new();
        for holder in [&self.old, &self.new] {
            documents.push(holder.document_key());
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

    /// Whether the new name already belongs to the same entity, because the renaming began and was left unfinished.
    pub(super) fn has_begun(&self, state: &Snapshot) -> bool {
        renamed(state, &self.new).is_some_and(|renamed| renamed.from == **self.old.name())
    }

    /// What remains to be written, in order. `path` is the new path, if it changes too.
    ///
    /// Fails with `NoSuchEntity` if there is neither the old entity nor an unfinished renaming.
    pub fn changes(&self, state: &Snapshot, path: Option<String>, now_s: i64) -> Result<Vec<Change>, IamError> {
        let begun = entity(state, &self.new).filter(|_| self.has_begun(state));
        let old = entity(state, &self.old);
        let (mut changes, mut last) = match (old, begun) {
            // Someone has created a new entity with the old name. It keeps what it has.
            (Some(old), Some(new)) if old.id(state) != new.id(state) => (Vec::new(), new),
            // If the renaming has begun, the path is already that of the new name.
            (Some(old), new) => self.all(state, &old, path.or(new.map(|mut new| new.path_mut().clone())), now_s),
            (None, Some(new)) => {
                let groups = self.groups(state);
                let left = changed(&groups, &self.left(&groups));
                (left.into_iter().chain(self.without_old_policies(state)).collect(), new)
            }
            (None, None) => {
                let (kind, name) = (self.old.kind(), self.old.name());
                return Err(IamError::no_such_entity(format!("The {kind} with name {name} cannot be found.")));
            }
        };
        *last.renamed_mut() = None;
        changes.push(last.put());
        Ok(changes)
    }

    /// All changes except the last, and the new entity.
    fn all(&self, state: &Snapshot, old: &Entity, path: Option<String>, now_s: i64) -> (Vec<Change>, Entity) {
        let from_weed = state.weed_policies().inline.contains_key(&self.old);
        let mut new = old.renamed(state, &self.new, from_weed);
        *new.renamed_mut() = Some(Renamed { from: self.old.name().to_string(), at_s: now_s });
        if let Some(path) = path {
            *new.path_mut() = path;
        }
        let mut changes = self.copied_policies(state, now_s);
        let groups = self.groups(state);
        let joined = self.joined(state, &groups);
        changes.extend(changed(&groups, &joined));
        changes.extend([new.clone().put(), old.remove()]);
        changes.extend(changed(&joined, &self.left(&joined)));
        changes.extend(self.without_old_policies(state));
        (changes, new)
    }

    /// The new name gets exactly the inline policies of the old one. What an earlier entity left behind is removed
    /// first.
    fn copied_policies(&self, state: &Snapshot, now_s: i64) -> Vec<Change> {
        let (old, new) = (state.inline_policies(&self.old), state.inline_policies(&self.new));
        let left = new.into_iter().filter(|(name, policy)| policy.ours.is_some() && !old.contains_key(name));
        let mut changes: Vec<Change> = left.map(|(name, _)| Change::Inline(self.new.clone(), name, None)).collect();
        for (name, policy) in old {
            let holder_id = state.id_of(&self.old).map(|id| id.to_string()).unwrap_or_default();
            let unread = InlinePolicyRecord::of_text(policy.text.clone());
            // A policy that cannot be read denies. Its copy cannot be read either, so it denies as well.
            let unread = InlinePolicyRecord { created_s: now_s, updated_s: now_s, holder_id, ..unread };
            let copy = policy.ours.and_then(Result::ok).filter(|own| own.text == policy.text).unwrap_or(unread);
            changes.push(Change::Inline(self.new.clone(), name, Some(Ok(copy))));
        }
        changes
    }

    /// The groups that name the user, by either name.
    fn groups(&self, state: &Snapshot) -> Groups {
        let (Holder::User(old), Holder::User(new)) = (&self.old, &self.new) else { return Groups::new() };
        let named = state.groups_naming(old).into_iter().chain(state.groups_naming(new));
        named.filter_map(|name| Some((name.clone(), (*state.group(&name)?.record).clone()))).collect()
    }

    /// These groups once the new name has what the old one has.
    fn joined(&self, state: &Snapshot, groups: &Groups) -> Groups {
        let (old, new) = (self.old.name(), self.new.name());
        let begun = self.has_begun(state);
        let join = |group: &mut GroupRecord| {
            let is_member = |name: &str| group.members.iter().any(|member| member == name);
            let belongs = is_member(old) || (begun && is_member(new));
            group.members.retain(|member| **member != **new);
            group.members.extend(belongs.then(|| new.to_string()));
        };
        each(groups, join)
    }

    /// These groups without the old name.
    fn left(&self, groups: &Groups) -> Groups {
        each(groups, |group| group.members.retain(|member| **member != **self.old.name()))
    }

    fn without_old_policies(&self, state: &Snapshot) -> Vec<Change> {
        let own = state.inline_policies(&self.old).into_iter().filter(|(_, policy)| policy.ours.is_some());
        let mut changes: Vec<Change> = own.map(|(name, _)| Change::Inline(self.old.clone(), name, None)).collect();
        if state.weed_policies().inline.contains_key(&self.old) {
            let mut record = state.weed_policies().clone();
            record.inline.remove(&self.old);
            changes.push(Change::WeedPolicies(Some(Ok(record))));
        }
        changes
    }
}

/// Groups by name.
type Groups = BTreeMap<Arc<str>, GroupRecord>;

fn each(groups: &Groups, change: impl Fn(&mut GroupRecord)) -> Groups {
    let mut groups = groups.clone();
    groups.values_mut().for_each(change);
    groups
}

/// Those groups whose members are different now.
fn changed(before: &Groups, now: &Groups) -> Vec<Change> {
    let is_changed = |name: &str, group: &GroupRecord| before.get(name).is_none_or(|old| old.members != group.members);
    let changed = now.iter().filter(|(name, group)| is_changed(name, group));
    changed.map(|(name, group)| Change::Group(name.clone(), Some(Ok(group.clone())))).collect()
}

/// A document that contains a name.
#[derive(Debug, Clone)]
enum Entity {
    User(UserRecord),
    Group(GroupRecord),
}

fn entity(state: &Snapshot, holder: &Holder) -> Option<Entity> {
    match holder {
        Holder::User(name) => state.user(name).map(|user| Entity::User((*user.record).clone())),
        Holder::Group(name) => state.group(name).map(|group| Entity::Group((*group.record).clone())),
        Holder::Role(_) => None,
    }
}

/// The rename of a user or group that is not finished.
fn renamed<'a>(state: &'a Snapshot, holder: &Holder) -> Option<&'a Renamed> {
    match holder {
        Holder::User(name) => state.user(name)?.record.renamed.as_ref(),
        Holder::Group(name) => state.group(name)?.record.renamed.as_ref(),
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
    /// The id that the entity keeps, even if it is derived from its old name.
    fn id(&self, state: &Snapshot) -> String {
        let id = match self {
            Self::User(user) => state.user(&user.name).map(|user| user.id.clone()),
            Self::Group(group) => state.group(&group.name).map(|group| group.id.clone()),
        };
        id.as_deref().unwrap_or_default().to_owned()
    }

    /// The same with another name. If `from_weed`, without the legacy actions that SeaweedFS projected from policies.
    fn renamed(&self, state: &Snapshot, name: &Holder, from_weed: bool) -> Self {
        let (mut new, id) = (self.clone(), self.id(state));
        match &mut new {
            Self::User(user) => {
                (user.name, user.id, user.deleting_s) = (name.name().to_string(), id, 0);
                if from_weed {
                    user.actions.clear();
                }
            }
            Self::Group(group) => (group.name, group.id, group.deleting_s) = (name.name().to_string(), id, 0),
        }
        new
    }

    fn renamed_mut(&mut self) -> &mut Option<Renamed> {
        match self {
            Self::User(user) => &mut user.renamed,
            Self::Group(group) => &mut group.renamed,
        }
    }

    fn path_mut(&mut self) -> &mut String {
        match self {
            Self::User(user) => &mut user.path,
            Self::Group(group) => &mut group.path,
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
