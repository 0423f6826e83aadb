//! Tag, Untag and ListTags, for users, roles and managed policies.

use super::managed_policy::{self, places_to_change};
use super::{Answer, Command, IamError, Outcome, Request, read, revoke, role, user};
use crate::params::{TAGS, too_many_tags};
use iam::{Change, DocumentKey, Snapshot, Tags};
use xml::XmlWriter;

pub(super) const COMMANDS: &[Command] = &[
    revoke("TagUser", |r, _| documents(r, Kind::User), |r, s| tag(r, s, Kind::User)),
    revoke("UntagUser", |r, _| documents(r, Kind::User), |r, s| untag(r, s, Kind::User)),
    read("ListUserTags", |r, s| list(r, s, Kind::User)),
    revoke("TagRole", |r, _| documents(r, Kind::Role), |r, s| tag(r, s, Kind::Role)),
    revoke("UntagRole", |r, _| documents(r, Kind::Role), |r, s| untag(r, s, Kind::Role)),
    read("ListRoleTags", |r, s| list(r, s, Kind::Role)),
    revoke("TagPolicy", managed_policy::documents, |r, s| tag(r, s, Kind::Policy)),
    revoke("UntagPolicy", managed_policy::documents, |r, s| untag(r, s, Kind::Policy)),
    read("ListPolicyTags", |r, s| list(r, s, Kind::Policy)),
];

/// A kind of entity with tags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    User,
    Role,
    Policy,
}

fn documents(request: &Request<'_>, kind: Kind) -> Result<Vec<DocumentKey>, IamError> {
    Ok(vec![match kind {
        Kind::User => DocumentKey::User(request.name("UserName", 64)?),
        _ => DocumentKey::Role(request.name("RoleName", 64)?),
    }])
}

fn tag(request: &Request<'_>, state: &Snapshot, kind: Kind) -> Answer {
    change(request, state, kind, |tags| request.tag(tags))
}

fn untag(request: &Request<'_>, state: &Snapshot, kind: Kind) -> Answer {
    change(request, state, kind, |tags| request.untag(tags))
}

impl Request<'_> {
    /// Adds the tags of `Tags.member.N`. A key that differs from an existing one only in case replaces it.
    ///
    /// Fails like [`super::Params::tags`], and with `LimitExceeded` if there would be more than fifty.
    pub(super) fn tag(&self, tags: &mut Tags) -> Result<(), IamError> {
        self.required_list("Tags.member.")?;
        let new = self.params.tags()?;
        tags.retain(|known, _| !new.keys().any(|key| key.to_lowercase() == known.to_lowercase()));
        tags.extend(new);
        if tags.len() > TAGS { Err(too_many_tags()) } else { Ok(()) }
    }

    /// Removes the tags of `TagKeys.member.N`, if they exist. Case is ignored.
    pub(super) fn untag(&self, tags: &mut Tags) -> Result<(), IamError> {
        self.required_list("TagKeys.member.")?;
        let keys = self.params.members("TagKeys")?;
        tags.retain(|known, _| !keys.iter().any(|key| key.to_lowercase() == known.to_lowercase()));
        Ok(())
    }

    /// One page of tags.
    pub(super) fn page_of_tags(&self, tags: &Tags) -> Result<String, IamError> {
        let tags = tags.iter().map(|tag| (tag.0.as_str(), tag));
        self.page("Tags", tags, |xml, (key, value)| member(xml, key, value))
    }

    fn required_list(&self, prefix: &str) -> Result<(), IamError> {
        if self.params.has_prefix(prefix) {
            return Ok(());
        }
        Err(IamError::validation(format!("The parameter `{prefix}1` is missing: send at least one member")))
    }
}

fn change(
    request: &Request<'_>,
    state: &Snapshot,
    kind: Kind,
    change: impl FnOnce(&mut Tags) -> Result<(), IamError>,
) -> Answer {
    Ok(Outcome::of(match kind {
        Kind::User => {
            let name = request.name("UserName", 64)?;
            let mut record = user::record(user::find_to_change(request, state, &name)?);
            change(&mut record.tags)?;
            vec![user::put(&name, record)]
        }
        Kind::Role => {
            let role = role::find(request, state, &request.name("RoleName", 64)?)?;
            let mut record = (*role.record).clone();
            change(&mut record.tags)?;
            vec![Change::Role(role.name.clone(), role.place, Some(Ok(record)))]
        }
        Kind::Policy => {
            let policy = managed_policy::find(request, state)?;
            let mut record = policy.record.clone();
            change(&mut record.tags)?;
            managed_policy::rewrite(policy, &record, &places_to_change(policy)?)?
        }
    }))
}

fn list(request: &Request<'_>, state: &Snapshot, kind: Kind) -> Answer {
    let tags = match kind {
        Kind::User => user::find(request, state, &request.name("UserName", 64)?)?.tags(),
        Kind::Role => role::find(request, state, &request.name("RoleName", 64)?)?.tags(),
        Kind::Policy => managed_policy::find(request, state)?.tags(),
    };
    request.page_of_tags(tags).map(Outcome::answer)
}

/// The element `Tags` of an entity that has any.
pub(super) fn describe(xml: &mut XmlWriter, tags: &Tags) {
    if !tags.is_empty() {
        xml.element("Tags", |xml| {
            for (key, value) in tags {
                xml.element("member", |xml| member(xml, key, value));
            }
        });
    }
}

fn member(xml: &mut XmlWriter, key: &str, value: &str) {
    xml.text("Key", key).text("Value", value);
}
