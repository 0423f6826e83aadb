//! The resource that a call is about.

use policy::{Action, ResourceType};
use s3::Requirement;

use crate::action::{QueryAction, Resource};
use crate::error::IamError;
use crate::params::{Params, checked_name};
use crate::query_caller::QueryCaller;

/// The longest name of any entity. The actions themselves have shorter limits.
const NAME: usize = 128;

/// The ARN of the resource of an action, or `*`.
pub(crate) fn resource_of(action: &QueryAction, params: &Params, caller: &QueryCaller<'_>) -> Result<String, IamError> {
    let listed = action.of_reference().map_or(&[] as &[ResourceType], Action::resource_types).first();
    match (action.resource, listed) {
        (Resource::By(resource_of), _) => resource_of(params, caller),
        (Resource::Arn(parameter), _) => params.required(parameter).map(str::to_owned),
        (_, None) => Ok(String::from("*")),
        (Resource::New, Some(kind)) => new_entity(*kind, params, caller),
        (Resource::Listed, Some(kind)) => named_as_usual(*kind, params, caller),
    }
}

/// The resource in the usual parameter of its type.
fn named_as_usual(kind: ResourceType, params: &Params, caller: &QueryCaller<'_>) -> Result<String, IamError> {
    use ResourceType::*;
    let arn = |name| params.required(name).map(str::to_owned);
    match kind {
        IamUser => match params.get("UserName") {
            Some(user) => arn_of(kind, user, caller),
            // AWS uses the caller if a call names no user.
            None => Ok(caller.user_arn.unwrap_or("*").to_owned()),
        },
        IamPolicy => arn("PolicyArn"),
        IamOidcProvider => arn("OpenIDConnectProviderArn"),
        IamSamlProvider => arn("SAMLProviderArn"),
        IamMfa => arn("SerialNumber"),
        StsRole => arn("RoleArn"),
        kind => match entity(kind) {
            Some((_, parameter)) => arn_of(kind, params.required(parameter)?, caller),
            None => Ok(String::from("*")),
        },
    }
}

/// What an ARN calls an entity that has a path, and the parameter with its name.
fn entity(kind: ResourceType) -> Option<(&'static str, &'static str)> {
    match kind {
        ResourceType::IamUser => Some(("user", "UserName")),
        ResourceType::IamGroup => Some(("group", "GroupName")),
        ResourceType::IamRole => Some(("role", "RoleName")),
        ResourceType::IamPolicy => Some(("policy", "PolicyName")),
        ResourceType::IamInstanceProfile => Some(("instance-profile", "InstanceProfileName")),
        ResourceType::IamServerCertificate => Some(("server-certificate", "ServerCertificateName")),
        _ => None,
    }
}

/// The ARN of an entity of this name, with the path that it has.
pub(crate) fn arn_of(kind: ResourceType, name: &str, caller: &QueryCaller<'_>) -> Result<String, IamError> {
    let (segment, parameter) = entity(kind).unwrap_or_default();
    let name = checked_name(parameter, name, NAME)?;
    if caller.as_named {
        return Ok(format!("{segment} {name}"));
    }
    Ok(arn(kind, &path_of(kind, name, caller), name, caller))
}

/// The ARN of an entity that does not exist yet.
fn new_entity(kind: ResourceType, params: &Params, caller: &QueryCaller<'_>) -> Result<String, IamError> {
    let (_, parameter) = entity(kind).unwrap_or_default();
    let name = checked_name(parameter, params.required(parameter)?, NAME)?;
    Ok(arn(kind, &params.path("Path")?, name, caller))
}

/// Renaming needs the permission on both the old and the new name: the requirement for the new one.
pub(crate) fn renaming(
    action: &'static str,
    kind: ResourceType,
    params: &Params,
    caller: &QueryCaller<'_>,
) -> Result<Vec<Requirement>, IamError> {
    let (segment, old) = entity(kind).unwrap_or_default();
    let new = format!("New{old}");
    let (new_name, new_path) = (params.get(&new), params.get("NewPath"));
    if new_name.is_none() && new_path.is_none() {
        return Ok(Vec::new());
    }
    let old_name = params.required(old)?;
    let name = checked_name(&new, new_name.unwrap_or(old_name), NAME)?;
    let path = match new_path {
        Some(_) => params.path("NewPath")?,
        None if caller.as_named => return Ok(vec![Requirement::on_resource(action, format!("{segment} {name}"))]),
        None => path_of(kind, old_name, caller),
    };
    Ok(vec![Requirement::on_resource(action, arn(kind, &path, name, caller))])
}

fn path_of(kind: ResourceType, name: &str, caller: &QueryCaller<'_>) -> String {
    (caller.path_of)(kind, name).unwrap_or_else(|| String::from("/"))
}

fn arn(kind: ResourceType, path: &str, name: &str, caller: &QueryCaller<'_>) -> String {
    let (segment, _) = entity(kind).unwrap_or_default();
    format!("arn:aws:iam::{}:{segment}{path}{name}", caller.account)
}
