//! The permissions that a call needs.

use ids::AccountId;
use policy::ResourceType;
use s3::Requirement;

use crate::action::{Permission, QueryAction};
use crate::error::IamError;
use crate::params::Params;
use crate::resource::resource_of;

/// The facts about the caller that determine what a call is about.
pub struct QueryCaller<'a> {
    /// The account of resources that the call does not name by ARN.
    pub account: AccountId,
    /// The ARN of the calling user, for calls without `UserName`. Sessions have none.
    pub user_arn: Option<&'a str>,
    /// The path of an existing entity, for example `/team/`, by its type and name; `/` if it is unknown.
    pub path_of: &'a dyn Fn(ResourceType, &str) -> Option<String>,
    /// The ARN of the user of an access key of this account; `None` if it is unknown.
    pub user_of_key: &'a dyn Fn(&str) -> Option<String>,
    /// Whether the caller is a session with transitive tags. A session made from it inherits them.
    pub passes_on_tags: bool,
    /// Whether the caller is a session with a source identity. A session made from it inherits it.
    pub passes_on_source_identity: bool,
}

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
