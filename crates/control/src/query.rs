//! What the query APIs of IAM and STS share: a call, its authorization, its errors.

use std::ops::Deref;
use std::sync::Arc;

use access::Permit;
use iam::{Caller, Command, Holder, IamError, Snapshot};
use policy::{Context, ResourceType};
use s3::{Needs, QueryCaller, QueryRequirement, Requirement, query_requirements, set_query_condition_keys};
use store::StoreError;
use sts::xml::Service;

/// One call of a query API, authenticated.
#[derive(Clone, Copy)]
pub struct Call<'a> {
    /// Who calls.
    pub caller: &'a Caller,
    /// The parameters of query and body together, decoded, no name twice.
    pub params: &'a [(String, String)],
    /// The request's id, for the answer.
    pub request_id: &'a str,
    /// Seconds since 1970.
    pub now_s: i64,
    /// Fresh random bytes.
    pub random: &'a [u8; 96],
    /// Who is told of the decisions.
    pub witness: &'a dyn access::Witness,
}

impl<'a> Call<'a> {
    /// The parameter `Action`.
    pub fn action(&self) -> Result<&'a str, QueryError> {
        self.get("Action").ok_or_else(|| QueryError {
            code: "MissingAction".to_owned(),
            status: 400,
            message: "The parameter Action is missing: name the operation, for example Action=ListUsers".to_owned(),
            service: Service::Iam,
        })
    }

    /// Refuses a version of the API that is not the service's own.
    pub(crate) fn check_version(&self, service: Service) -> Result<(), QueryError> {
        match self.get("Version") {
            Some(version) if version != service.version() => {
                let message = format!("The version {version} is not {}, the version of this API", service.version());
                Err(QueryError::new(service, "InvalidParameterValue", 400, message))
            }
            _ => Ok(()),
        }
    }

    /// A parameter; an empty one counts as absent.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.params.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str()).filter(|v| !v.is_empty())
    }
}

/// Which service an action belongs to.
pub fn service_of(action: &str) -> Service {
    let sts = action.starts_with("AssumeRole")
        || matches!(
            action,
            "GetCallerIdentity"
                | "GetFederationToken"
                | "GetSessionToken"
                | "DecodeAuthorizationMessage"
                | "GetAccessKeyInfo"
        );
    if sts { Service::Sts } else { Service::Iam }
}

/// Why a call is refused.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{code}: {message}")]
pub struct QueryError {
    /// AWS's code.
    pub code: String,
    /// The HTTP status.
    pub status: u16,
    /// For people.
    pub message: String,
    /// The service whose shape the answer has.
    pub service: Service,
}

impl QueryError {
    /// The error's XML, as the service's SDK reads it.
    pub fn to_xml(&self, request_id: &str) -> String {
        sts::xml::error(self.service, &self.code, &self.message, self.status, request_id)
    }

    /// The same error in STS's shape.
    #[must_use]
    pub fn of_sts(self) -> Self {
        Self { service: Service::Sts, ..self }
    }

    pub(crate) fn new(service: Service, code: &str, status: u16, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), status, message: message.into(), service }
    }

    pub(crate) fn access_denied(message: impl Into<String>) -> Self {
        Self::new(Service::Iam, "AccessDenied", 403, message)
    }

    pub(crate) fn not_loaded() -> Self {
        Self::new(Service::Iam, "ServiceUnavailable", 503, "The IAM state is not loaded yet; try again shortly")
    }

    pub(crate) fn not_followed() -> Self {
        let message =
            "This gateway does not hear of changes at the moment, so nothing can be deleted; try again shortly";
        Self::new(Service::Iam, "ServiceUnavailable", 503, message)
    }
}

impl From<IamError> for QueryError {
    fn from(error: IamError) -> Self {
        Self::new(Service::Iam, error.code, error.status, error.message)
    }
}

impl From<StoreError> for QueryError {
    fn from(error: StoreError) -> Self {
        tracing::warn!(%error, "IAM state could not be read or written");
        match error {
            StoreError::Conflict(_) => Self::new(
                Service::Iam,
                "ConcurrentModification",
                409,
                "The entity was changed at the same moment; try again",
            ),
            error if error.is_unavailable() => {
                Self::new(Service::Iam, "ServiceUnavailable", 503, "The store of IAM state does not answer; try again")
            }
            _ => Self::new(
                Service::Iam,
                "ServiceFailure",
                500,
                "The store of IAM state refused the request; see the log",
            ),
        }
    }
}

impl From<s3::QueryError> for QueryError {
    fn from(error: s3::QueryError) -> Self {
        use s3::QueryError as Cause;
        let code = match &error {
            Cause::InvalidAction(_) => "InvalidAction",
            Cause::ValidationError { .. } | Cause::Duplicate(_) => "ValidationError",
        };
        Self::new(Service::Iam, code, 400, error.to_string())
    }
}

/// An action of IAM that a call asks for, with the permissions that this takes.
pub(crate) struct RequestedAction {
    name: String,
    needs: Vec<Requirement>,
}

impl Needs for RequestedAction {
    fn permissions(&self) -> Vec<Requirement> {
        self.needs.clone()
    }
}

/// A command of IAM that the caller may run. It comes from a permit for the action of its own name alone.
pub(crate) struct PermittedCommand {
    command: &'static Command,
    _permit: Permit<RequestedAction>,
}

impl PermittedCommand {
    /// Error: `NotImplemented` for an action without a command.
    pub(crate) fn new(permit: Permit<RequestedAction>) -> Result<Self, IamError> {
        Ok(Self { command: Command::find(&permit.operation().name)?, _permit: permit })
    }
}

impl Deref for PermittedCommand {
    type Target = Command;

    fn deref(&self) -> &Command {
        self.command
    }
}

/// The permit for what the call asks for: every permission that it needs must be given. Condition keys of the call itself are added
/// to the context.
pub(crate) fn authorize(
    call: &Call<'_>,
    context: &mut Context,
    snapshot: &Snapshot,
) -> Result<Permit<RequestedAction>, QueryError> {
    let action = RequestedAction { name: call.action()?.to_owned(), needs: needs(call, context, snapshot)? };
    let world = access::World { caller: call.caller, snapshot, context, witness: call.witness };
    access::authorize(action.into(), world)
        .map_err(|refusal| QueryError::access_denied(refusal.to_error(call.request_id).message().to_owned()))
}

/// The permissions that the call needs, its condition keys set.
pub(crate) fn needs(
    call: &Call<'_>,
    context: &mut Context,
    snapshot: &Snapshot,
) -> Result<Vec<s3::Requirement>, QueryError> {
    set_query_condition_keys(call.params, context)?;
    let account = call.caller.account;
    let path_of = |kind: ResourceType, name: &str| {
        let path = match kind {
            ResourceType::IamUser => {
                snapshot.user(name).filter(|user| user.account == account)?.document.facts.path_or_root()
            }
            ResourceType::IamGroup => {
                snapshot.group(name).filter(|group| group.account == account)?.document.facts.path_or_root()
            }
            ResourceType::IamRole => &snapshot.role(name).filter(|role| role.account == account)?.path,
            ResourceType::IamPolicy => {
                snapshot.policy(name).filter(|policy| policy.account == account)?.facts.path_or_root()
            }
            ResourceType::IamInstanceProfile => {
                &snapshot.instance_profile(name).filter(|profile| profile.account == account.as_str())?.path
            }
            _ => return None,
        };
        Some(path.to_owned())
    };
    let user_of_key = |access_key_id: &str| {
        let holder = snapshot.access_key(access_key_id).filter(|holder| holder.user.account == account)?;
        Some(holder.user.arn.to_string())
    };
    let is_user = call.caller.session.is_none() && !call.caller.is_anonymous();
    let user_arn = is_user.then_some(&*call.caller.arn);
    let session = call.caller.session.as_ref();
    let caller = QueryCaller {
        account,
        user_arn,
        path_of: &path_of,
        user_of_key: &user_of_key,
        passes_on_tags: session.is_some_and(|session| session.transitive_tags().next().is_some()),
        passes_on_source_identity: session.is_some_and(|session| session.source_identity.is_some()),
    };
    let needs = query_requirements(call.params, &caller)?;
    if let Some(need) = needs.first() {
        target_keys(call, &need.resource, context, snapshot);
    }
    if call.caller.is_anonymous() {
        return Err(QueryError::new(Service::Iam, "MissingAuthenticationToken", 403, "The request must be signed"));
    }
    Ok(needs.into_iter().map(requirement).collect())
}

/// The condition keys that stand for what is stored of what the call is about: its tags, and the boundary of a user or role
/// that it has while its policies or its boundary are changed.
fn target_keys(call: &Call<'_>, resource: &str, context: &mut Context, snapshot: &Snapshot) {
    let Some(rest) = resource.strip_prefix(&format!("arn:aws:iam::{}:", call.caller.account)) else { return };
    let name: Arc<str> = rest.rsplit('/').next().unwrap_or_default().into();
    let (tags, holder) = match rest.split('/').next() {
        Some("user") => (snapshot.user(&name).map(|user| &user.document.tags), Some(Holder::User(name.clone()))),
        Some("role") => (snapshot.role(&name).map(|role| &role.document.facts.tags), Some(Holder::Role(name.clone()))),
        Some("policy") => (snapshot.policy(&name).map(|policy| &policy.facts.tags), None),
        Some("instance-profile") => (snapshot.instance_profile(&name).map(|profile| &profile.tags), None),
        Some("oidc-provider") => (snapshot.oidc_provider(resource).map(|provider| &provider.tags), None),
        _ => return,
    };
    for (key, value) in tags.into_iter().flatten() {
        context.set(&format!("aws:ResourceTag/{key}"), value.as_str());
        context.set(&format!("iam:ResourceTag/{key}"), value.as_str());
    }
    let action = call.get("Action").unwrap_or_default();
    let boundary = holder.as_ref().and_then(|holder| snapshot.boundary_name(holder));
    let boundary = boundary.and_then(|name| snapshot.policy(name)).filter(|_| is_about_policies_of_one(action));
    if let Some(policy) = boundary {
        context.set("iam:PermissionsBoundary", &*policy.arn);
    }
}

/// The actions for which AWS sets `iam:PermissionsBoundary` to what the user or role has. Source: Service Authorization Reference of IAM.
fn is_about_policies_of_one(action: &str) -> bool {
    let of_user = action.replacen("User", "Role", 1);
    let actions = ["AttachRolePolicy", "DetachRolePolicy", "PutRolePolicy", "DeleteRolePolicy"];
    actions.contains(&&*of_user) || of_user == "DeleteRolePermissionsBoundary"
}

fn requirement(need: QueryRequirement) -> s3::Requirement {
    s3::Requirement::on_resource(need.action, need.resource)
}
