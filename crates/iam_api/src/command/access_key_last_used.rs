//! GetAccessKeyLastUsed, and `RoleLastUsed` of roles.

use super::xml::Xml;
use super::{Answer, Command, IamError, Outcome, Request, read, user};
use crate::snapshot::{Role, Snapshot};

pub(super) const COMMANDS: &[Command] = &[read("GetAccessKeyLastUsed", get)];

fn get(request: &Request<'_>, state: &Snapshot) -> Answer {
    let id = request.params.required("AccessKeyId")?;
    let holder = state.access_key(id).filter(|holder| holder.user.account == request.caller.account);
    let holder =
        holder.ok_or_else(|| IamError::no_such_entity(format!("The Access Key with id {id} cannot be found.")))?;
    let used = request.last_used.of(id);
    let mut xml = Xml::new();
    xml.text("UserName", user::shown_name(&holder.user));
    xml.element("AccessKeyLastUsed", |xml| {
        if let Some(used) = used {
            xml.date("LastUsedDate", used.at_s);
        }
        xml.text("ServiceName", used.map_or("N/A", |used| &used.service));
        xml.text("Region", used.map_or("N/A", |used| &used.region));
    });
    Ok(Outcome { changes: Vec::new(), result: Some(xml.finish()) })
}

/// `RoleLastUsed`, empty for a role that was never used, as AWS answers it.
pub(super) fn describe_role(xml: &mut Xml, request: &Request<'_>, role: &Role) {
    xml.element("RoleLastUsed", |xml| {
        if let Some(used) = request.last_used.of(&role.id) {
            xml.date("LastUsedDate", used.at_s).text("Region", &used.region);
        }
    });
}
