//! The permissions that a call needs.

use s3::Requirement;

use crate::action::{Permission, QueryAction};
use crate::error::IamError;
use crate::params::Params;
use crate::query_caller::QueryCaller;
use crate::resource::resource_of;

/// Every permission that a call needs. `params` are those of query and body together.
///
/// GetCallerIdentity and GetSessionToken need none and cannot be denied. For the AssumeRole family, the trust policy of
/// the role has to allow these permissions too. Source: Service Authorization Reference of IAM and STS.
pub fn query_requirements(params: &Params, caller: &QueryCaller<'_>) -> Result<Vec<Requirement>, IamError> {
    let action = QueryAction::find(params.get("Action").unwrap_or_default())?;
    if action.permission == Permission::None {
        return Ok(Vec::new());
    }
    let resource = resource_of(&action, params, caller)?;
    let further = action.further.map(|further| further(params, caller, &resource)).transpose()?;
    let tagging = action.tagging.filter(|_| params.has_prefix("Tags.member."));
    let tagging = tagging.map(|tagging| Requirement::on_resource(tagging, resource.clone()));
    let own = Requirement::on_resource(action.label(), resource);
    Ok([own].into_iter().chain(further.into_iter().flatten()).chain(tagging).collect())
}
