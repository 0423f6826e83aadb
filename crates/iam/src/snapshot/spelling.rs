//! Names are unique without regard to case, as in IAM.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Snapshot;
use crate::change::DocumentKey;

impl Snapshot {
    /// Whether a user, group, role, policy or instance profile with this name exists, ignoring case, or an unreadable
    /// document of one.
    pub fn is_taken(&self, key: &DocumentKey) -> bool {
        let has_chosen_name = in_lower_case(key).is_some();
        has_chosen_name && (self.count_ignoring_case(key) > 0 || self.document_problem(key).is_some())
    }

    /// How many of a kind have this name, ignoring case. There is more than one if two were made at the same time, or
    /// by SeaweedFS.
    pub fn count_ignoring_case(&self, key: &DocumentKey) -> usize {
        let Some((small, _)) = in_lower_case(key) else { return 0 };
        let in_small = match &small {
            DocumentKey::User(name) => self.users.get(name).is_some(),
            DocumentKey::Group(name) => self.groups.get(name).is_some(),
            DocumentKey::Role(name) => self.roles.get(name).is_some(),
            DocumentKey::Policy(name) => self.policies.get(name).is_some(),
            DocumentKey::InstanceProfile(name) => self.instance_profiles.get(name).is_some(),
            _ => false,
        };
        usize::from(in_small) + self.capitals.get(&small).map_or(0, |names| names.len())
    }

    /// The one stored name that differs from this one only in case. `None` if the name itself is stored, and if there are none or
    /// several.
    pub fn other_spelling(&self, key: &DocumentKey) -> Option<Arc<str>> {
        let (small, name) = in_lower_case(key)?;
        let (_, in_small) = in_lower_case(&small)?;
        let mut stored: BTreeSet<Arc<str>> =
            self.capitals.get(&small).map(|names| (**names).clone()).unwrap_or_default();
        if self.count_ignoring_case(key) > stored.len() {
            stored.insert(in_small);
        }
        let only = stored.first().filter(|_| stored.len() == 1)?;
        (*only != name).then(|| only.clone())
    }

    /// Updates the index of names with capital letters.
    pub(super) fn index_lower_case(&mut self, key: &DocumentKey, exists: bool) {
        let Some((small, name)) = in_lower_case(key).filter(|(small, _)| small != key) else { return };
        let mut names = self.capitals.get(&small).map(|names| (**names).clone()).unwrap_or_default();
        if exists {
            names.insert(name)
        } else {
            names.remove(&name)
        };
        if names.is_empty() {
            self.capitals.remove_mut(&small);
        } else {
            self.capitals.insert_mut(small, Arc::new(names));
        }
    }
}

/// The key with its name in lower case, and the name as it is spelled; `None` for documents whose names are not chosen
/// by their creator.
fn in_lower_case(key: &DocumentKey) -> Option<(DocumentKey, Arc<str>)> {
    let (name, kind): (_, fn(Arc<str>) -> DocumentKey) = match key {
        DocumentKey::User(name) => (name, DocumentKey::User),
        DocumentKey::Group(name) => (name, DocumentKey::Group),
        DocumentKey::Role(name) => (name, DocumentKey::Role),
        DocumentKey::Policy(name) => (name, DocumentKey::Policy),
        DocumentKey::InstanceProfile(name) => (name, DocumentKey::InstanceProfile),
        _ => return None,
    };
    Some((kind(name.to_lowercase().into()), name.clone()))
}
