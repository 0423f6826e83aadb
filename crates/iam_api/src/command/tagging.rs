//! Tag, Untag and ListTags, for users, roles and managed policies.

use super::managed_policy::{self, places_to_change};
use super::{Answer, Command, IamError, Outcome, Request, read, revoke, role, user};
use iam::{Change, DocumentKey, Snapshot, Tags};

pub(super) const COMMANDS: &[Command] = &[
    revoke("TagUser", |r, s| documents(r, s, Kind::User), |r, s| tag(r, s, Kind::User)),
    revoke("UntagUser", |r, s| documents(r, s, Kind::User), |r, s| untag(r, s, Kind::User)),
    read("ListUserTags", |r, s| list(r, s, Kind::User)),
    revoke("TagRole", |r, s| documents(r, s, Kind::Role), |r, s| tag(r, s, Kind::Role)),
    revoke("UntagRole", |r, s| documents(r, s, Kind::Role), |r, s| untag(r, s, Kind::Role)),
    read("ListRoleTags", |r, s| list(r, s, Kind::Role)),
    revoke("TagPolicy", |r, s| documents(r, s, Kind::Policy), |r, s| tag(r, s, Kind::Policy)),
    revoke("UntagPolicy", |r, s| documents(r, s, Kind::Policy), |r, s| untag(r, s, Kind::Policy)),
    read("ListPolicyTags", |r, s| list(r, s, Kind::Policy)),
];

/// A kind of entity with tags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    User,
    Role,
    Policy,
}

fn documents(request: &Request<'_>, state: &Snapshot, kind: Kind) -> Result<Vec<DocumentKey>, IamError> {
    match kind {
        Kind::User => Ok(vec![DocumentKey::User(request.name("UserName", 64)?)]),
        Kind::Role => Ok(vec![DocumentKey::Role(request.name("RoleName", 64)?)]),
        Kind::Policy => managed_policy::documents(request, state),
    }
}

fn tag(request: &Request<'_>, state: &Snapshot, kind: Kind) -> Answer {
    change(request, state, kind, |tags| request.tag(tags))
}

fn untag(request: &Request<'_>, state: &Snapshot, kind: Kind) -> Answer {
    change(request, state, kind, |tags| request.untag(tags))
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
            let mut record = (*user::find_to_change(request, state, &name)?.record).clone();
            change(&mut record.tags)?;
            vec![Change::User(name.clone(), Some(Ok(record)))]
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
