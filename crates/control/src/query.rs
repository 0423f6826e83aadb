//! What the IAM and STS query APIs share: a call, its authorization, its errors.

use std::ops::Deref;

use access::{Permit, Refusal};
use filer::FilerError;
use iam::{CLAIM_BASED, Caller, ClientCertificate, Holder, Snapshot, Tags};
use iam_api::answer::{self, Service};
use iam_api::{Command, IamError, Params, QueryAction, QueryCaller, query_requirements, set_query_condition_keys};
use ids::AccountId;
use policy::{Context, ResourceType};
use s3::{Needs, Requirement};
use store::StoreError;
use sts::SessionKeys;

/// An authenticated call of a query API.
#[derive(Clone, Copy)]
pub struct Call<'a> {
    /// The caller.
    pub caller: &'a Caller,
    /// The parameters of query and body together.
    pub params: &'a Params,
    /// The same as they were sent, before stored names and ARNs took the place of what the call names. Refusals repeat them.
    pub sent: &'a Params,
    /// The request's id, for the answer.
    pub request_id: &'a str,
    /// Seconds since 1970.
    pub now_s: i64,
    /// Fresh random bytes.
    pub random: &'a [u8; 96],
    /// Who observes the decisions.
    pub observer: &'a dyn access::DecisionObserver,
    /// The caller's verified client certificate, or the reason why the call has none.
    pub certificate: Result<&'a ClientCertificate, &'static str>,
    /// The keys with which the reasons of refusals are encrypted for `DecodeAuthorizationMessage`; `None` for no such messages.
    pub message_keys: Option<&'a SessionKeys>,
}

impl<'a> Call<'a> {
    /// The parameter `Action`.
    pub fn action(&self) -> Result<&'a str, QueryError> {
        self.params.get("Action").ok_or_else(|| QueryError {
            code: "MissingAction".to_owned(),
            status: 400,
            message: "The parameter Action is missing: name the operation, for example Action=ListUsers".to_owned(),
            service: Service::Iam,
        })
    }

    /// The message of a refusal with its reasons (JSON), which callers of this account with `sts:DecodeAuthorizationMessage` can
    /// read, as on AWS.
    pub(crate) fn with_reasons(&self, message: String, account: AccountId, reasons: impl FnOnce() -> String) -> String {
        let salt = self.random.last_chunk::<16>();
        let sealed = self.message_keys.zip(salt).and_then(|(keys, salt)| keys.seal_message(&reasons(), account, salt));
        match sealed {
            Some(sealed) => format!("{message}. Encoded authorization failure message: {sealed}"),
            None => message,
        }
    }

    /// Refuses a version of the API that is not the service's own.
    pub(crate) fn check_version(&self, service: Service) -> Result<(), QueryError> {
        match self.params.get("Version") {
            Some(version) if version != service.version() => {
                let message = format!("The version {version} is not {}, the version of this API", service.version());
                Err(QueryError::new(service, "InvalidParameterValue", 400, message))
            }
            _ => Ok(()),
        }
    }
}

/// The API that answers an action. Unknown ones are refused by IAM.
pub(crate) fn service_of(action: &str) -> Service {
    QueryAction::find(action).map_or(Service::Iam, |action| action.service)
}

/// Why a call is refused.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{code}: {message}")]
pub struct QueryError {
    /// AWS's code.
    pub code: String,
    /// The HTTP status.
    pub status: u16,
    /// The message.
    pub message: String,
    /// The service whose form the answer has.
    pub service: Service,
}

impl QueryError {
    /// The error's XML, as the service's SDK reads it.
    pub fn to_xml(&self, request_id: &str) -> String {
        answer::error(self.service, &self.code, &self.message, self.status, request_id)
    }

    /// The same error in STS's form.
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
            "This gateway is not receiving changes at the moment, so deletions are refused; try again shortly";
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
                "The entity was changed at the same time; try again",
            ),
            error if error.is_unavailable() => {
                Self::new(Service::Iam, "ServiceUnavailable", 503, "The store of IAM state does not answer; try again")
            }
            StoreError::Filer { error: FilerError::Full(_), .. } => {
                let message = "The disk is full or read-only; make room, then try again";
                Self::new(Service::Iam, "ServiceFailure", 507, message)
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

/// An IAM command that the caller may run. It comes only from a permit for the action with the same name.
pub(crate) struct PermittedCommand<'a> {
    call: &'a Call<'a>,
    command: &'static Command,
    /// The condition keys that every call has.
    context: Context,
    /// These, and those of what the call is about.
    decided_on: Context,
    permit: Permit<RequestedAction>,
}

impl<'a> PermittedCommand<'a> {
    /// Fails if a permission is missing, and with `NotImplemented` for an action without a command.
    pub(crate) fn authorize(call: &'a Call<'a>, context: Context, snapshot: &Snapshot) -> Result<Self, QueryError> {
        let mut decided_on = context.clone();
        let permit = authorize(call, &mut decided_on, snapshot)?;
        Ok(Self { call, command: Command::find(&permit.operation().name)?, context, decided_on, permit })
    }

    /// Decides again if what the decision was about is another thing in this state: an entity that was deleted and made again may
    /// have another path or other tags.
    pub(crate) fn authorize_again(&self, state: &Snapshot) -> Result<(), QueryError> {
        let mut context = self.context.clone();
        let needed = needs(self.call, &mut context, state)?;
        if needed == self.permit.operation().needs && context == self.decided_on {
            return Ok(());
        }
        authorize(self.call, &mut self.context.clone(), state).map(|_| ())
    }
}

impl Deref for PermittedCommand<'_> {
    type Target = Command;

    fn deref(&self) -> &Command {
        self.command
    }
}

/// The permit for the call, if every permission that it needs is given. Adds the condition keys of the call itself to
/// the context.
pub(crate) fn authorize(
    call: &Call<'_>,
    context: &mut Context,
    snapshot: &Snapshot,
) -> Result<Permit<RequestedAction>, QueryError> {
    let name = call.action()?.to_owned();
    let needed = needs(call, context, snapshot)?;
    let action = RequestedAction { name, needs: needed.clone() };
    let decision_input = access::DecisionInput { caller: call.caller, snapshot, context, observer: call.observer };
    access::authorize(action.into(), decision_input).map_err(|refusal| {
        let is_refused = |need: &Requirement| need.action == refusal.action && need.resource == refusal.resource;
        let refused = (0..).zip(&needed).find(|(_, need)| is_refused(need));
        let resource = refused.and_then(|(at, need)| named_resource(call, at, need));
        let resource = resource.unwrap_or_else(|| String::from("*"));
        let named = Refusal { resource, ..(*refusal).clone() };
        let message = named.to_error(call.request_id).message().to_owned();
        let Some(need) = refused.map(|(_, need)| need) else { return QueryError::access_denied(message) };
        let reasons = || access::refusal_details(need, refusal.decision, None, decision_input);
        QueryError::access_denied(call.with_reasons(message, call.caller.account, reasons))
    })
}

/// The resource of one of the permissions that a call needs, as the call names it. Who has no permission must not learn from the
/// refusal which entities exist, what their paths are, or whose a key is.
fn named_resource(call: &Call<'_>, at: usize, refused: &Requirement) -> Option<String> {
    let (path_of, user_of_key) = (|_: ResourceType, _: &str| None, |_: &str| None);
    let caller = QueryCaller { as_named: true, ..query_caller(call, &path_of, &user_of_key) };
    let needs = query_requirements(call.sent, &caller).ok()?;
    // What a call needs because of the configuration comes after these, and is about nothing that is stored.
    Some(needs.get(at).unwrap_or(refused).resource.clone())
}

fn query_caller<'a>(
    call: &Call<'a>,
    path_of: &'a dyn Fn(ResourceType, &str) -> Option<String>,
    user_of_key: &'a dyn Fn(&str) -> Option<String>,
) -> QueryCaller<'a> {
    let session = call.caller.session.as_ref();
    let is_own = |session: &iam::CallerSession| !session.is_of_role() && session.federated_by.is_none();
    QueryCaller {
        account: call.caller.account,
        user_arn: session.is_none_or(is_own).then_some(&*call.caller.arn),
        path_of,
        user_of_key,
        as_named: false,
        passes_on_tags: session.is_some_and(|session| session.transitive_tags().next().is_some()),
        passes_on_source_identity: session.is_some_and(|session| session.source_identity.is_some()),
    }
}

/// The path of an entity of this account; `None` if the account has no entity with this name.
pub(crate) fn path_of(kind: ResourceType, name: &str, account: AccountId, snapshot: &Snapshot) -> Option<String> {
    let path = match kind {
        ResourceType::IamUser => snapshot.user(name).filter(|user| user.account == account)?.path(),
        ResourceType::IamGroup => snapshot.group(name).filter(|group| group.account == account)?.path(),
        ResourceType::IamRole => &snapshot.role(name).filter(|role| role.account == account)?.path,
        ResourceType::IamPolicy => snapshot.policy(name).filter(|policy| policy.account == Some(account))?.path(),
        ResourceType::IamInstanceProfile => {
            &snapshot.instance_profile(name).filter(|profile| profile.account == account.as_str())?.path
        }
        _ => return None,
    };
    Some(path.to_owned())
}

/// The permissions that the call needs. Also sets its condition keys.
pub(crate) fn needs(
    call: &Call<'_>,
    context: &mut Context,
    snapshot: &Snapshot,
) -> Result<Vec<Requirement>, QueryError> {
    if call.caller.is_anonymous() {
        return Err(QueryError::new(Service::Iam, "MissingAuthenticationToken", 403, "The request must be signed"));
    }
    set_query_condition_keys(call.params, context)?;
    let account = call.caller.account;
    let path_of = |kind: ResourceType, name: &str| path_of(kind, name, account, snapshot);
    let user_of_key = |access_key_id: &str| {
        let holder = snapshot.access_key(access_key_id).filter(|holder| holder.user.account == account)?;
        Some(holder.user.arn.to_string())
    };
    let caller = query_caller(call, &path_of, &user_of_key);
    let mut needs = query_requirements(call.params, &caller)?;
    if let Some(need) = needs.first() {
        target_keys(call, &need.resource, context, snapshot);
    }
    needs.extend(giving_policy(&needs, account, context, snapshot));
    Ok(needs)
}

/// What creating a policy needs if the configuration gives it to users of an identity provider: it would be theirs at once, so
/// creating it is attaching it to what their sessions have in the place of a role.
fn giving_policy(
    needs: &[Requirement],
    account: AccountId,
    context: &mut Context,
    snapshot: &Snapshot,
) -> Option<Requirement> {
    let created = needs.first().filter(|need| need.action == "iam:CreatePolicy")?;
    if !snapshot.is_given_by_configuration(&created.resource, account) {
        return None;
    }
    context.set("iam:PolicyARN", created.resource.as_str());
    Some(Requirement::on_resource("iam:AttachRolePolicy", format!("arn:aws:iam::{account}:role/{CLAIM_BASED}")))
}

/// The condition keys for the stored facts of the entity that the call is about: its tags, and the current boundary of
/// a user or role whose policies or boundary are changed.
fn target_keys(call: &Call<'_>, resource: &str, context: &mut Context, snapshot: &Snapshot) {
    let of_account = resource.strip_prefix(&format!("arn:aws:iam::{}:", call.caller.account));
    let Some((tags, holder)) = of_account.and_then(|rest| stored_facts(resource, rest, snapshot)) else { return };
    for (key, value) in tags {
        context.set(format!("aws:ResourceTag/{key}"), value.as_str());
        context.set(format!("iam:ResourceTag/{key}"), value.as_str());
    }
    let action = call.params.get("Action").and_then(|name| QueryAction::find(name).ok());
    let holder = holder.filter(|_| action.is_some_and(|action| action.has_boundary_of_entity));
    let boundary = holder.as_ref().and_then(|holder| snapshot.boundary_name(holder));
    if let Some(policy) = boundary.and_then(|name| snapshot.policy(name)) {
        context.set("iam:PermissionsBoundary", &*policy.arn);
    }
}

/// The tags of the entity that has this ARN, which ends in `rest`; and the entity itself if it may have a boundary. An entity
/// of the same name in another account is another one.
fn stored_facts<'s>(arn: &str, rest: &str, snapshot: &'s Snapshot) -> Option<(&'s Tags, Option<Holder>)> {
    let name = rest.rsplit('/').next()?;
    Some(match rest.split('/').next()? {
        "user" => {
            let user = snapshot.user(name).filter(|user| *user.arn == *arn)?;
            (user.tags(), Some(Holder::User(user.name.clone())))
        }
        "role" => {
            let role = snapshot.role(name).filter(|role| *role.arn == *arn)?;
            (role.tags(), Some(Holder::Role(role.name.clone())))
        }
        "policy" => (snapshot.policy(name).filter(|policy| *policy.arn == *arn)?.tags(), None),
        "instance-profile" => (&snapshot.instance_profile(name).filter(|profile| profile.arn() == arn)?.tags, None),
        "oidc-provider" => (&snapshot.oidc_provider(arn)?.tags, None),
        _ => return None,
    })
}
