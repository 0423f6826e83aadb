//! STS's actions. `control` runs them.

use ids::AccountId;
use s3::Requirement;

use super::{Key, Permission, QueryAction, Resource};
use crate::error::IamError;
use crate::params::{Params, checked_name};
use crate::query_caller::QueryCaller;

pub(super) const ACTIONS: &[QueryAction] = &[
    QueryAction { further: Some(for_session), keys: OF_SESSION, ..QueryAction::sts("AssumeRole") },
    // MinIO's, which asks for the permission of AssumeRoleWithWebIdentity.
    QueryAction {
        permission: Permission::Named("sts:AssumeRoleWithWebIdentity"),
        ..unsigned("AssumeRoleWithClientGrants")
    },
    unsigned("AssumeRoleWithSAML"),
    QueryAction { further: Some(for_session), ..unsigned("AssumeRoleWithWebIdentity") },
    // MinIO's.
    unsigned("AssumeRoleWithCertificate"),
    unsigned("AssumeRoleWithCustomToken"),
    unsigned("AssumeRoleWithLDAPIdentity"),
    QueryAction {
        resource: Resource::By(root_user),
        keys: &[Key::Of("sts:TaskPolicyArn", "TaskPolicyArn.arn")],
        ..QueryAction::sts("AssumeRoot")
    },
    QueryAction::sts("DecodeAuthorizationMessage"),
    QueryAction::sts("GetAccessKeyInfo"),
    // AWS lets everyone call these two, even against a Deny.
    QueryAction { permission: Permission::None, ..undecided("GetCallerIdentity") },
    QueryAction { permission: Permission::None, ..undecided("GetSessionToken") },
    QueryAction {
        resource: Resource::By(federated_user),
        further: Some(for_session),
        ..QueryAction::sts("GetFederationToken")
    },
    permission_only("GetServiceBearerToken"),
    permission_only("SetContext"),
    permission_only("SetSourceIdentity"),
    permission_only("TagSession"),
];

/// What a call sets that makes a session.
const OF_SESSION: &[Key] = &[
    Key::Of("sts:RoleSessionName", "RoleSessionName"),
    Key::Of("sts:ExternalId", "ExternalId"),
    Key::Of("sts:SourceIdentity", "SourceIdentity"),
    Key::Of("sts:DurationSeconds", "DurationSeconds"),
    Key::OfList("sts:TransitiveTagKeys", "TransitiveTagKeys"),
];

const fn unsigned(name: &'static str) -> QueryAction {
    QueryAction { is_signed: false, keys: OF_SESSION, ..undecided(name) }
}

/// Nothing of it runs here that a permission could protect.
const fn undecided(name: &'static str) -> QueryAction {
    QueryAction { is_decided: false, ..QueryAction::sts(name) }
}

const fn permission_only(name: &'static str) -> QueryAction {
    QueryAction { permission: Permission::Only, ..QueryAction::sts(name) }
}

/// What a session inherits is set on it just like what the call passes, so AWS requires the same permissions.
fn for_session(params: &Params, caller: &QueryCaller<'_>, resource: &str) -> Result<Vec<Requirement>, IamError> {
    let tags = params.has_prefix("Tags.member.") || params.has_prefix("TransitiveTagKeys.member.");
    let source_identity = params.get("SourceIdentity").is_some();
    let needed = [
        ("sts:TagSession", tags || caller.passes_on_tags),
        ("sts:SetSourceIdentity", source_identity || caller.passes_on_source_identity),
        ("sts:SetContext", params.has_prefix("ProvidedContexts.member.")),
    ];
    let needed = needed.into_iter().filter(|(_, is_needed)| *is_needed);
    Ok(needed.map(|(action, _)| Requirement::on_resource(action, resource.to_owned())).collect())
}

/// AssumeRoot accepts the account number as well as the ARN of its root user.
fn root_user(params: &Params, _: &QueryCaller<'_>) -> Result<String, IamError> {
    let target = params.required("TargetPrincipal")?;
    match target.parse::<AccountId>() {
        Ok(account) => Ok(format!("arn:aws:iam::{account}:root")),
        Err(_) if target.starts_with("arn:") => Ok(target.to_owned()),
        Err(_) => Err(IamError::validation(
            "The specified value for TargetPrincipal is invalid. It must be an account number, or the ARN of its root",
        )),
    }
}

fn federated_user(params: &Params, caller: &QueryCaller<'_>) -> Result<String, IamError> {
    let name = checked_name("Name", params.required("Name")?, 128)?;
    Ok(format!("arn:aws:sts::{}:federated-user/{name}", caller.account))
}
