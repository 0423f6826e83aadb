//! Tag, Untag and ListTags: of users, roles and managed policies alike.

use super::managed_policy::{self, places_to_change};
use super::params::{TAGS, too_many_tags};
use super::xml::Xml;
use super::{Answer, Command, IamError, Outcome, Request, read, revoke, role, user};
use crate::change::{Change, DocumentKey};
use crate::documents::Tags;
use crate::snapshot::Snapshot;

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

/// What has tags.
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
    /// Puts in the tags of `Tags.member.N`. A key that differs from a known one by its case alone takes its place.
    ///
    /// Errors: as [`super::Params::tags`], and `LimitExceeded` for more than fifty in the end.
    pub(super) fn tag(&self, tags: &mut Tags) -> Result<(), IamError> {
        self.required_list("Tags.member.")?;
        let new = self.params.tags()?;
        tags.retain(|known, _| !new.keys().any(|key| key.to_lowercase() == known.to_lowercase()));
        tags.extend(new);
        if tags.len() > TAGS { Err(too_many_tags()) } else { Ok(()) }
    }

    /// Takes out the tags of `TagKeys.member.N`, whether or not they are there; the case of keys does not count.
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
            let mut document = user::document(user::find_to_change(request, state, &name)?);
            change(&mut document.tags)?;
            vec![user::put(&name, document)]
        }
        Kind::Role => {
            let role = role::find(request, state, &request.name("RoleName", 64)?)?;
            let mut document = (*role.document).clone();
            change(&mut document.facts.tags)?;
            vec![Change::Role(role.name.clone(), role.place, Some(Ok(document)))]
        }
        Kind::Policy => {
            let policy = managed_policy::find(request, state)?;
            let mut facts = policy.facts.clone();
            change(&mut facts.tags)?;
            managed_policy::rewrite(policy, &policy.text, &facts, &places_to_change(policy)?)?
        }
    }))
}

fn list(request: &Request<'_>, state: &Snapshot, kind: Kind) -> Answer {
    let tags = match kind {
        Kind::User => &user::find(request, state, &request.name("UserName", 64)?)?.document.tags,
        Kind::Role => &role::find(request, state, &request.name("RoleName", 64)?)?.document.facts.tags,
        Kind::Policy => &managed_policy::find(request, state)?.facts.tags,
    };
    request.page_of_tags(tags).map(Outcome::answer)
}

/// The element `Tags` of an entity that has any.
pub(super) fn describe(xml: &mut Xml, tags: &Tags) {
    if !tags.is_empty() {
        xml.element("Tags", |xml| {
            for (key, value) in tags {
                xml.element("member", |xml| member(xml, key, value));
            }
        });
    }
}

fn member(xml: &mut Xml, key: &str, value: &str) {
    xml.text("Key", key).text("Value", value);
}
