//! What a simulation is about: policies, the simulated caller and the condition keys.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ids::AccountId;
use policy::{CompiledPolicy, Context, CrossAccount, PolicyKind, PolicySet, PolicyType, Principal, RequestAction};

use super::super::{IamError, Request};
use super::keys_of;
use super::source::{self, Source, SourceHolder};
use iam::Snapshot;

/// The session name of a simulated role, and the user name if no user is given.
const NOBODY: &str = "PolicySimulator";

/// Everything in a simulation except action and resource.
pub(super) struct Scenario {
    pub identity: Vec<Source>,
    compiled: Vec<Arc<CompiledPolicy>>,
    pub resource: Option<Source>,
    /// The resource policy is the trust policy of a role.
    pub is_trust: bool,
    pub boundary: Option<Source>,
    pub principal: Principal,
    pub context: Context,
    cross_account: CrossAccount,
    owner: Option<AccountId>,
    /// The condition keys of all policies as they are spelled, by their lower-case form.
    pub keys: BTreeMap<String, String>,
}

impl Scenario {
    pub fn new(
        request: &Request<'_>,
        state: &Snapshot,
        holder: Option<&SourceHolder<'_>>,
        actions: &[String],
    ) -> Result<Self, IamError> {
        request.refuse("ResourceHandlingOption")?;
        let mut identity = holder.map(|holder| source::of_holder(holder, state)).unwrap_or_default();
        identity.extend(if holder.is_some() { source::inputs(request)? } else { source::required_inputs(request)? });
        let boundary = match given_boundary(request)? {
            Some(given) => Some(given),
            None => holder.and_then(|holder| source::boundary_of(holder, state)),
        };
        let assumes = |action: &String| action.get(..14).is_some_and(|a| a.eq_ignore_ascii_case("sts:AssumeRole"));
        let is_trust = actions.iter().all(assumes);
        let kind = if is_trust { PolicyKind::Trust } else { PolicyKind::Bucket };
        let resource = request.params.get("ResourcePolicy");
        let resource = resource.map(|text| Source::given("ResourcePolicy".to_owned(), kind, text)).transpose()?;
        let (principal, is_named) = caller(request, holder, resource.is_some())?;
        let mut context = Context::new();
        if is_named {
            principal_keys(&mut context, &principal, holder);
        }
        let now = jiff::Timestamp::from_second(request.now_s).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        context.set("aws:CurrentTime", now.to_string());
        context.set("aws:EpochTime", request.now_s.to_string());
        given_keys(request, &mut context)?;
        let texts = identity.iter().chain(&resource).chain(&boundary).map(|source| source.text.clone());
        Ok(Self {
            keys: keys_of(texts).into_iter().map(|key| (key.to_ascii_lowercase(), key)).collect(),
            compiled: identity.iter().map(|source| source.compiled.clone()).collect(),
            identity,
            resource,
            is_trust,
            boundary,
            principal,
            context,
            cross_account: state.settings().cross_account,
            owner: owner(request)?,
        })
    }

    pub fn policies(&self) -> PolicySet<'_> {
        PolicySet {
            identity: &self.compiled,
            resource: self.resource.as_ref().map(|source| &*source.compiled),
            boundary: self.boundary.as_ref().map(|source| &*source.compiled),
            cross_account: self.cross_account,
            ..PolicySet::default()
        }
    }

    pub fn request<'a>(&'a self, action: &'a str, resource: &'a str) -> policy::Request<'a> {
        policy::Request {
            principal: &self.principal,
            principal_id: None,
            principal_canonical_id: None,
            action: RequestAction::named(action),
            resource,
            resource_account: self.owner_of(resource),
            context: &self.context,
        }
    }

    /// The work of one evaluation. Counting stops a little above `most`.
    pub fn work(&self, action: &str, resource: &str, most: usize) -> usize {
        policy::work(&self.policies(), &self.request(action, resource), most)
    }

    /// The owner of a resource: the account in its ARN, or else `ResourceOwner`, or else the simulated caller's
    /// account.
    fn owner_of(&self, resource: &str) -> AccountId {
        let in_arn = resource.split(':').nth(4).and_then(|account| account.parse().ok());
        in_arn.or(self.owner).or(self.principal.account()).unwrap_or(AccountId::DEFAULT)
    }

    pub fn source(&self, policy: PolicyType) -> Option<&Source> {
        match policy {
            PolicyType::Identity(place) => self.identity.get(place),
            PolicyType::Boundary => self.boundary.as_ref(),
            _ => self.resource.as_ref(),
        }
    }
}

/// `CallerArn`, or else the holder of the policies; and whether a caller was given at all.
fn caller(
    request: &Request<'_>,
    holder: Option<&SourceHolder<'_>>,
    has_resource_policy: bool,
) -> Result<(Principal, bool), IamError> {
    if let Some(arn) = request.params.get("CallerArn") {
        return match arn.parse() {
            Ok(principal @ Principal::User { .. }) => Ok((principal, true)),
            _ => Err(IamError::invalid(format!("CallerArn: `{arn}` is not valid; expected the ARN of a user"))),
        };
    }
    if let Some(SourceHolder::User(user)) = holder {
        return Ok((user.principal.clone(), true));
    }
    if has_resource_policy {
        return Err(IamError::invalid("CallerArn is missing: with a ResourcePolicy, name the user who calls"));
    }
    let account = request.caller.account;
    Ok(match holder {
        Some(SourceHolder::Role(role)) => {
            let (role, role_path) = (role.name.to_string(), role.path.to_string());
            (Principal::AssumedRole { account, role, role_path, session: NOBODY.into() }, true)
        }
        _ => (Principal::User { account, path: "/".into(), name: NOBODY.into() }, false),
    })
}

/// The keys that every request of this caller has. A user's stored facts count only if the user's own policies are
/// simulated.
fn principal_keys(context: &mut Context, principal: &Principal, holder: Option<&SourceHolder<'_>>) {
    if let Some(account) = principal.account() {
        context.set("aws:PrincipalAccount", account.as_str());
    }
    if let Principal::User { name, .. } = principal {
        context.set("aws:PrincipalType", "User");
        context.set("aws:PrincipalArn", principal.to_string());
        context.set("aws:username", name.as_str());
    }
    match holder {
        Some(SourceHolder::User(user)) if user.principal == *principal => {
            context.set("aws:userid", &*user.id);
            for (name, value) in user.tags() {
                context.set(format!("aws:PrincipalTag/{name}"), value.as_str());
            }
        }
        Some(SourceHolder::Role(role)) if matches!(principal, Principal::AssumedRole { .. }) => {
            context.set("aws:PrincipalType", "AssumedRole");
            context.set("aws:PrincipalArn", &*role.arn);
            context.set("aws:userid", format!("{}:{NOBODY}", role.id));
            for (name, value) in role.tags() {
                context.set(format!("aws:PrincipalTag/{name}"), value.as_str());
            }
        }
        _ => {}
    }
}

fn given_boundary(request: &Request<'_>) -> Result<Option<Source>, IamError> {
    let name = "PermissionsBoundaryPolicyInputList";
    match request.params.members(name)?.as_slice() {
        [] => Ok(None),
        [text] => Source::given(format!("{name}.1"), PolicyKind::Boundary, text).map(Some),
        _ => Err(IamError::invalid(format!("{name} takes one policy: a user or role has one boundary"))),
    }
}

/// `ContextEntries`, which replace the keys that the caller would have.
fn given_keys(request: &Request<'_>, context: &mut Context) -> Result<(), IamError> {
    const TYPES: [&str; 7] = ["string", "numeric", "boolean", "ip", "binary", "date", ""];
    let mut names = BTreeSet::new();
    for place in 1.. {
        let entry = format!("ContextEntries.member.{place}.");
        if !request.params.has_prefix(&entry) {
            break;
        }
        let name = request.params.required(&format!("{entry}ContextKeyName"))?;
        if !names.insert(name.to_ascii_lowercase()) {
            return Err(IamError::invalid(format!("ContextEntries: the key {name} occurs twice")));
        }
        let kind = request.params.get(&format!("{entry}ContextKeyType")).unwrap_or_default();
        let single = kind.strip_suffix("List").filter(|single| !single.is_empty());
        if !TYPES.contains(&single.unwrap_or(kind)) {
            return Err(IamError::invalid(format!(
                "ContextEntries: the type `{kind}` of {name} is not one of string, numeric, boolean, ip, binary, date and their lists (stringList ...)"
            )));
        }
        let values = request.params.members(&format!("{entry}ContextKeyValues"))?;
        match (single, <[String; 1]>::try_from(values)) {
            (None, Ok([value])) => context.set(name.to_owned(), value),
            (Some(_), Ok([value])) => context.set_many(name.to_owned(), [value]),
            (Some(_), Err(values)) => context.set_many(name.to_owned(), values),
            (None, Err(values)) if kind.is_empty() && !values.is_empty() => context.set_many(name.to_owned(), values),
            (None, Err(_)) => {
                let message =
                    format!("ContextEntries: {name} needs one value, or a list as ContextKeyType (stringList ...)");
                return Err(IamError::invalid(message));
            }
        }
    }
    Ok(())
}

/// The account of `ResourceOwner`: `arn:aws:iam::<account>:root`, or the account alone.
fn owner(request: &Request<'_>) -> Result<Option<AccountId>, IamError> {
    let Some(owner) = request.params.get("ResourceOwner") else { return Ok(None) };
    let account = owner.strip_prefix("arn:aws:iam::").and_then(|rest| rest.split_once(':')).map_or(owner, |(id, _)| id);
    account.parse().map(Some).map_err(|_| {
        IamError::invalid(format!(
            "ResourceOwner: `{owner}` is not valid; expected an ARN like arn:aws:iam::111122223333:root"
        ))
    })
}
