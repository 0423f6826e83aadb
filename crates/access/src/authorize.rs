//! Gathers the policies of a request and asks the one evaluator. A permit comes out, or the reason why not.

use std::borrow::Cow;

use iam::{Bucket, Caller, Snapshot};
use ids::{BucketName, ObjectKey};
use policy::{Action, Context, Decision, Origin, PolicySet, PolicyType, Principal, Request, RequestAction};
use s3::{Needs, Requirement};

use crate::authenticate::NO_IDENTITIES;
use crate::permit::Permit;
use crate::refusal::Refusal;
use crate::witness::{Witness, witnessed};

/// Begins the keys of the tags that an object has.
const EXISTING_TAG: &str = "s3:ExistingObjectTag/";

/// What a request is decided by: one caller, one snapshot, one set of condition keys.
#[derive(Clone, Copy)]
pub struct World<'a> {
    /// Who asks.
    pub caller: &'a Caller,
    /// The IAM state.
    pub snapshot: &'a Snapshot,
    /// The condition keys of the request.
    pub context: &'a Context,
    /// Who is told of the decisions.
    pub witness: &'a dyn Witness,
}

/// An operation with the permissions that it needs, on its way to the decision.
#[derive(Debug)]
pub struct Resolved<Op> {
    operation: Op,
    needs: Vec<Requirement>,
}

impl<Op: Needs> From<Op> for Resolved<Op> {
    fn from(operation: Op) -> Self {
        Self { needs: operation.permissions(), operation }
    }
}

impl<Op> Resolved<Op> {
    /// The objects whose tags a policy that could apply asks for, each once: they are read before the decision.
    pub fn asks_for_tags_of(&self, world: World<'_>) -> Vec<(BucketName, ObjectKey)> {
        let mut objects = Vec::new();
        for object in self.needs.iter().filter_map(|need| asks_for_tags_of(need, world)) {
            if !objects.contains(&object) {
                objects.push(object);
            }
        }
        objects
    }

    /// Notes the tags that an object has.
    pub fn set_tags(&mut self, bucket: &BucketName, key: &ObjectKey, tags: &[(String, String)]) {
        let is_of = |need: &&mut Requirement| need.bucket.as_ref() == Some(bucket) && need.key.as_ref() == Some(key);
        self.needs.iter_mut().filter(is_of).for_each(|need| need.existing_tags = tags.to_vec());
    }
}

/// Lets an operation run if every permission it needs is allowed.
pub fn authorize<Op>(resolved: Resolved<Op>, world: World<'_>) -> Result<Permit<Op>, Box<Refusal>> {
    // An operation that needs nothing itself: each key of DeleteObjects has a permit of its own.
    let mut decided = Decision::Allow { by: Origin { policy: PolicyType::NotNeeded, statement: 0 } };
    for need in &resolved.needs {
        decided = check(need, world)?;
    }
    Ok(Permit::new(resolved.operation, decided))
}

/// Decides a permission that changes what an operation answers; what runs needs [`authorize`].
pub fn check(need: &Requirement, world: World<'_>) -> Result<Decision, Box<Refusal>> {
    match decide(need, world) {
        allowed @ Decision::Allow { .. } => Ok(allowed),
        denied => Err(Box::new(refusal(denied, need, world))),
    }
}

/// Decides one permission.
pub fn decide(need: &Requirement, world: World<'_>) -> Decision {
    let bucket = bucket_of(&need.resource, world.snapshot);
    let context = context_of(need, world);
    let world = World { context: &context, ..world };
    witnessed(world.witness, need.action, || {
        let decision = if world.caller.is_anonymous() {
            decide_anonymous(need, bucket, world)
        } else {
            decide_as(&world.caller.principal, need, bucket, world)
        };
        open_by_default(decision, need, world)
    })
}

/// Refuses a caller whom no policy gives any of these permissions, on whatever resource and under whatever conditions. It is
/// asked before a body is read for the decision; who passes is decided by [`authorize`] all the same.
pub fn could_act(any_of: &[Requirement], world: World<'_>) -> Result<(), Box<Refusal>> {
    let Some(first) = any_of.first() else { return Ok(()) };
    let open = world.snapshot.settings().default_effect_allow && !world.caller.is_anonymous();
    if open || any_of.iter().any(|need| could_allow(need, world)) {
        return Ok(());
    }
    match decide(first, world) {
        Decision::Allow { .. } => Ok(()),
        denied => Err(Box::new(refusal(denied, first, world))),
    }
}

fn could_allow(need: &Requirement, world: World<'_>) -> bool {
    let bucket = bucket_of(&need.resource, world.snapshot);
    let ask =
        |principal: &Principal, bucket: Option<&Bucket>| asking(principal, need, bucket, world, policy::could_allow);
    if !world.caller.is_anonymous() {
        return ask(&world.caller.principal, bucket);
    }
    ask(&Principal::Anonymous, bucket) || !world.caller.policies.is_empty() && ask(&anonymous_user(bucket, world), None)
}

/// The object of a permission, if a policy that could apply asks for its tags: they are read from the filer then, before the one
/// decision. Only some actions have such a key at all.
pub fn asks_for_tags_of(need: &Requirement, world: World<'_>) -> Option<(BucketName, ObjectKey)> {
    let object = need.bucket.as_ref().zip(need.key.as_ref())?;
    let action = Action::named(need.action).filter(|action| action.may_know_key("s3:ExistingObjectTag/any"))?;
    let bucket = bucket_of(&need.resource, world.snapshot).and_then(|bucket| bucket.compiled_policy());
    let session = world.caller.session.as_ref().and_then(|session| session.policy.as_deref());
    let single = [bucket, session, world.caller.boundary.as_deref()].into_iter().flatten();
    let mut all = world.caller.policies.iter().map(|policy| &**policy).chain(single);
    let asked = all.any(|policy| policy.mentions(action, &need.resource, EXISTING_TAG));
    asked.then(|| (object.0.clone(), object.1.clone()))
}

fn refusal(decision: Decision, need: &Requirement, world: World<'_>) -> Refusal {
    let mut refusal = Refusal::new(decision, need.action, &need.resource, &world.caller.principal);
    if !world.snapshot.has_identities() {
        refusal.hint = Some(NO_IDENTITIES);
    }
    if let Decision::ExplicitDeny { by } = decision {
        let policy = match by.policy {
            PolicyType::Identity(at) => world.caller.policies.get(at).map(|policy| &**policy),
            PolicyType::Resource => {
                bucket_of(&need.resource, world.snapshot).and_then(|bucket| bucket.compiled_policy())
            }
            PolicyType::Session => world.caller.session.as_ref().and_then(|session| session.policy.as_deref()),
            PolicyType::Boundary => world.caller.boundary.as_deref(),
            PolicyType::Root | PolicyType::NotNeeded => None,
        };
        refusal.unreadable = policy.and_then(|policy| policy.unreadable_reason()).map(str::to_owned);
    }
    refusal
}

fn decide_as(principal: &Principal, need: &Requirement, bucket: Option<&Bucket>, world: World<'_>) -> Decision {
    asking(principal, need, bucket, world, policy::decide)
}

/// Puts a question about one need to the policies that apply.
fn asking<T>(
    principal: &Principal,
    need: &Requirement,
    bucket: Option<&Bucket>,
    world: World<'_>,
    question: impl Fn(&PolicySet<'_>, &Request<'_>) -> T,
) -> T {
    let caller = world.caller;
    let policies = PolicySet {
        identity: &caller.policies,
        resource: bucket.and_then(Bucket::compiled_policy),
        session: caller.session.as_ref().and_then(|session| session.policy.as_deref()),
        boundary: caller.boundary.as_deref(),
        cross_account: world.snapshot.settings().cross_account,
    };
    let request = Request {
        principal,
        principal_id: caller.unique_id(),
        principal_canonical_id: None,
        action: RequestAction::named(need.action),
        resource: &need.resource,
        resource_account: bucket.map_or(caller.account, |bucket| bucket.account),
        context: world.context,
    };
    question(&policies, &request)
}

/// Anonymous callers have what bucket policies give to everybody, and what the identity `anonymous` of the identities file
/// gives; a Deny in either ends it.
fn decide_anonymous(need: &Requirement, bucket: Option<&Bucket>, world: World<'_>) -> Decision {
    let public = decide_as(&Principal::Anonymous, need, bucket, world);
    if world.caller.policies.is_empty() || matches!(public, Decision::ExplicitDeny { .. }) {
        return public;
    }
    let identity = decide_as(&anonymous_user(bucket, world), need, None, world);
    match identity {
        Decision::ImplicitDeny { .. } => public,
        decided => decided,
    }
}

/// The identity `anonymous` of the identities file, as a user of the account that owns the bucket.
fn anonymous_user(bucket: Option<&Bucket>, world: World<'_>) -> Principal {
    let account = bucket.map_or(world.caller.account, |bucket| bucket.account);
    Principal::User { account, path: "/".to_owned(), name: iam::ANONYMOUS.to_owned() }
}

/// `policy.defaultEffect: "Allow"`: what no policy speaks of is allowed, to authenticated S3 requests alone. A session
/// policy or a boundary that does not allow still refuses.
fn open_by_default(decision: Decision, need: &Requirement, world: World<'_>) -> Decision {
    let silent = matches!(decision, Decision::ImplicitDeny { missing: PolicyType::Identity(_) | PolicyType::Resource });
    let open = world.snapshot.settings().default_effect_allow;
    if open && silent && !world.caller.is_anonymous() && need.action.starts_with("s3:") {
        return Decision::Allow { by: Origin { policy: PolicyType::NotNeeded, statement: 0 } };
    }
    decision
}

/// The condition keys of one permission: those of the request that its action has, and those of its own resource. A copy reads
/// from one bucket, with one version and tags, and writes to another.
pub fn context_of<'a>(need: &Requirement, world: World<'a>) -> Cow<'a, Context> {
    let bucket = bucket_of(&need.resource, world.snapshot);
    let action = Action::named(need.action);
    let may_know = |key: &str| action.is_none_or(|action| action.may_know_key(key));
    let mut context = match world.context.iter().all(|(key, _)| may_know(key)) {
        true => Cow::Borrowed(world.context),
        false => Cow::Owned(world.context.filtered(may_know)),
    };
    for (tag, value) in need.existing_tags.iter().filter(|_| may_know("s3:ExistingObjectTag/any")) {
        context.to_mut().add(&format!("{EXISTING_TAG}{tag}"), value.as_str());
    }
    let mut set = |key: &str, value: &str| {
        if context.get(key).is_none_or(|known| known != [value]) {
            context.to_mut().set(key, value);
        }
    };
    // What does not exist would be made in the caller's account.
    let account = bucket.map_or(world.caller.account, |bucket| bucket.account);
    set("aws:ResourceAccount", account.as_str());
    if may_know("s3:ResourceAccount") {
        set("s3:ResourceAccount", account.as_str());
    }
    if let Some(version) = need.version_id.as_ref().filter(|_| may_know("s3:VersionId")) {
        set("s3:VersionId", version.as_str());
    }
    context
}

/// The bucket that an S3 resource names, if it exists.
fn bucket_of<'a>(resource: &str, snapshot: &'a Snapshot) -> Option<&'a Bucket> {
    let rest = resource.strip_prefix("arn:aws:s3:::")?;
    let name = rest.split('/').next()?;
    snapshot.bucket(name).map(|bucket| &**bucket)
}
