//! GetAccessKeyLastUsed, and `RoleLastUsed` of roles.

use super::{Answer, Command, IamError, Outcome, Request, read, user};
use crate::answer::{date, fragment};
use crate::params::Params;
use crate::query_caller::QueryCaller;
use iam::{Role, Snapshot};
use xml::XmlWriter;

pub(super) const COMMANDS: &[Command] = &[read("GetAccessKeyLastUsed", get).about(user_of_key).reading_last_used()];

/// The key identifies its user, whom only the store knows.
fn user_of_key(params: &Params, caller: &QueryCaller<'_>) -> Result<String, IamError> {
    let key = params.get("AccessKeyId");
    if let Some(id) = key.filter(|_| caller.as_named) {
        return Ok(format!("access key {id}"));
    }
    let of_key = key.and_then(caller.user_of_key);
    Ok(of_key.unwrap_or_else(|| format!("arn:aws:iam::{}:user/*", caller.account)))
}

fn get(request: &Request<'_>, state: &Snapshot) -> Answer {
    let id = request.params.required("AccessKeyId")?;
    let holder = state.access_key(id).filter(|holder| holder.user.account == request.caller.account);
    let holder =
        holder.ok_or_else(|| IamError::no_such_entity(format!("The Access Key with id {id} cannot be found.")))?;
    let used = request.last_used.of(id);
    let mut xml = fragment();
    xml.text("UserName", user::shown_name(&holder.user));
    xml.element("AccessKeyLastUsed", |xml| {
        if let Some(used) = used {
            xml.text("LastUsedDate", &date(used.at_s));
        }
        xml.text("ServiceName", used.map_or("N/A", |used| &used.service));
        xml.text("Region", used.map_or("N/A", |used| &used.region));
    });
    Ok(Outcome { changes: Vec::new(), result: Some(xml.finish()) })
}

/// `RoleLastUsed`, which is empty for a role that was never used, as on AWS.
pub(super) fn describe_role(xml: &mut XmlWriter, request: &Request<'_>, role: &Role) {
    xml.element("RoleLastUsed", |xml| {
        if let Some(used) = request.last_used.of(&role.id) {
            xml.text("LastUsedDate", &date(used.at_s)).text("Region", &used.region);
        }
    });
}
