//! Credentials that Kelpgate does not support: passwords, SSH keys, signing certificates, service-specific
//! credentials. List calls return an empty list, because Terraform and other tools make them before they delete a user.

use super::{Answer, Command, IamError, Outcome, Request, read, revoke, user};
use iam::Snapshot;
use xml::XmlWriter;

pub(super) const COMMANDS: &[Command] = &[
    read("ListSSHPublicKeys", |request, state| none_of_a_user(request, state, "SSHPublicKeys")),
    read("ListServiceSpecificCredentials", |request, state| {
        none_of_a_user(request, state, "ServiceSpecificCredentials")
    }),
    read("ListSigningCertificates", |request, state| none_of_a_user(request, state, "Certificates")),
    read("GetLoginProfile", no_login_profile),
    revoke("DeleteLoginProfile", user::documents, no_login_profile),
];

fn none_of_a_user(request: &Request<'_>, state: &Snapshot, list: &str) -> Answer {
    user::find(request, state, &request.user_name()?)?;
    none(request, list)
}

fn none(request: &Request<'_>, list: &str) -> Answer {
    Ok(Outcome::answer(request.page(list, std::iter::empty(), |_: &mut XmlWriter, (): ()| {})?))
}

fn no_login_profile(request: &Request<'_>, state: &Snapshot) -> Answer {
    let name = request.user_name()?;
    user::find(request, state, &name)?;
    Err(IamError::no_such_entity(format!("Login Profile for User {name} cannot be found.")))
}
