//! Gathers the policies of a request and calls the one evaluator. The result is a permit, or the reason for the
//! refusal.

use std::borrow::Cow;

use iam::{Bucket, Snapshot};
use ids::AccountId;
use policy::{
    Acl, AclSubject, Action, Context, Decision, Origin, PolicySet, PolicyType, Principal, Request, RequestAction,
};
use s3::{ExistingObject, Needs, Requirement, Target};

use crate::audit::{AuditedDecision, PolicyOwner, policy_of};
use crate::authenticate::NO_IDENTITIES;
use crate::condition_keys::resource_account_keys;
use crate::decision_input::{DecisionInput, bucket_of};
use crate::observer::observed;
use crate::permit::Permit;
use crate::refusal::Refusal;

/// The prefix of the condition keys for the tags of an existing object.
const EXISTING_TAG: &str = "s3:ExistingObjectTag/";

/// An operation with the permissions that it needs, before the decision.
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
    /// The objects whose tags are tested by a policy that could apply, each once. Their tags are read before the
    /// decision.
    pub fn asks_for_tags_of(&self, input: DecisionInput<'_>) -> Vec<Target> {
        each_once(self.needs.iter().filter_map(|need| asks_for_tags_of(need, input)))
    }

    /// The objects whose owner and ACL count.
    pub fn asks_for_acl_of(&self, input: DecisionInput<'_>) -> Vec<Target> {
        each_once(self.needs.iter().filter_map(|need| asks_for_acl_of(need, input)))
    }

    /// Records the owner and the ACL of an object.
    pub fn set_object(&mut self, target: &Target, object: &ExistingObject) {
        let is_of = |need: &&mut Requirement| {
            object_of(need).as_ref() == Some(target)
                && !need.is_of_new_object
                && Action::named(need.action).is_some_and(policy::is_of_object_acl)
        };
        self.needs.iter_mut().filter(is_of).for_each(|need| need.existing_object = Some(object.clone()));
    }

    /// Records the tags of an object.
    pub fn set_tags(&mut self, object: &Target, tags: &[(String, String)]) {
        let is_of = |need: &&mut Requirement| object_of(need).as_ref() == Some(object);
        self.needs.iter_mut().filter(is_of).for_each(|need| need.existing_tags = tags.to_vec());
    }
}

/// Lets an operation run if every permission it needs is allowed.
pub fn authorize<Op>(resolved: Resolved<Op>, input: DecisionInput<'_>) -> Result<Permit<Op>, Box<Refusal>> {
    // This operation needs nothing itself: each key of DeleteObjects has its own permit.
    let mut decided = Decision::Allow { by: Origin { policy: PolicyType::NotNeeded, statement: 0 } };
    for need in &resolved.needs {
        decided = required(need, input)?;
    }
    Ok(Permit::new(resolved.operation, decided))
}

/// Decides a permission without which an operation does not run, and leaves the decision to auditors.
fn required(need: &Requirement, input: DecisionInput<'_>) -> Result<Decision, Box<Refusal>> {
    let decision = decide(need, input);
    audit_decision(need, decision, input);
    allowed(decision, need, input)
}

/// Passes a decision to the observer, for the audit log.
pub fn audit_decision(need: &Requirement, decision: Decision, input: DecisionInput<'_>) {
    input.observer.audit(decision.is_allow(), &|| {
        AuditedDecision::of(need, decision, PolicyOwner::BucketOf(&need.resource), input)
    });
}

/// Decides a permission that only changes an operation's answer. To run an operation, use [`authorize`].
pub fn check(need: &Requirement, input: DecisionInput<'_>) -> Result<Decision, Box<Refusal>> {
    allowed(decide(need, input), need, input)
}

fn allowed(decision: Decision, need: &Requirement, input: DecisionInput<'_>) -> Result<Decision, Box<Refusal>> {
    match decision {
        Decision::Allow { .. } => Ok(decision),
        denied => Err(Box::new(refusal(denied, need, input))),
    }
}

/// Decides one permission.
pub fn decide(need: &Requirement, input: DecisionInput<'_>) -> Decision {
    let bucket = deciding_bucket(need, input.snapshot);
    let context = context_of(need, input);
    let input = DecisionInput { context: &context, ..input };
    observed(input.observer, need.action, || {
        let decision = if input.caller.is_anonymous() {
            decide_anonymous(need, bucket, input)
        } else {
            decide_as(&input.caller.principal, need, bucket, input)
        };
        open_by_default(decision, need, input)
    })
}

/// Refuses a caller to whom no policy gives any of these permissions, on any resource and under any conditions. This
/// happens before a body is read for the decision. [`authorize`] still decides about those who pass.
pub fn could_be_allowed(any_of: &[Requirement], input: DecisionInput<'_>) -> Result<(), Box<Refusal>> {
    let Some(first) = any_of.first() else { return Ok(()) };
    let open = input.snapshot.settings().default_effect_allow && !input.caller.is_anonymous();
    if open || any_of.iter().any(|need| could_allow(need, input)) {
        return Ok(());
    }
    required(first, input).map(|_| ())
}

fn could_allow(need: &Requirement, input: DecisionInput<'_>) -> bool {
    let bucket = deciding_bucket(need, input.snapshot);
    let ask =
        |principal: &Principal, bucket: Option<&Bucket>| asking(principal, need, bucket, input, policy::could_allow);
    if !input.caller.is_anonymous() {
        return ask(&input.caller.principal, bucket);
    }
    ask(&Principal::Anonymous, bucket) || !input.caller.policies.is_empty() && ask(&anonymous_user(input), None)
}

fn each_once(all: impl Iterator<Item = Target>) -> Vec<Target> {
    let mut objects = Vec::new();
    for object in all {
        if !objects.contains(&object) {
            objects.push(object);
        }
    }
    objects
}

/// The object, or the version of it, that a permission is about.
fn object_of(need: &Requirement) -> Option<Target> {
    let (bucket, key) = need.bucket.clone().zip(need.key.clone())?;
    Some(Target { bucket, key, version_id: need.version_id.clone() })
}

/// The object of a permission, if a policy that could apply tests its tags. They are then read from the filer, before
/// the one decision. Only some actions have such a key.
pub fn asks_for_tags_of(need: &Requirement, input: DecisionInput<'_>) -> Option<Target> {
    let action = Action::named(need.action).filter(|action| action.may_know_key("s3:ExistingObjectTag/any"))?;
    let bucket = input.bucket_of(&need.resource).and_then(|bucket| bucket.compiled_policy());
    let session = input.caller.session.as_ref().and_then(|session| session.policy.as_deref());
    let single = [bucket, session, input.caller.boundary.as_deref()].into_iter().flatten();
    let mut all = input.caller.policies.iter().map(|policy| &**policy).chain(single);
    let asked = all.any(|policy| policy.mentions(action, &need.resource, EXISTING_TAG));
    if asked { object_of(need) } else { None }
}

fn refusal(decision: Decision, need: &Requirement, input: DecisionInput<'_>) -> Refusal {
    let mut refusal = Refusal::new(decision, need.action, &need.resource, &input.caller.principal);
    if !input.snapshot.has_identities() {
        refusal.hint = Some(NO_IDENTITIES);
    }
    if let Decision::ExplicitDeny { by } = decision {
        let policy = policy_of(by.policy, PolicyOwner::BucketOf(&need.resource), input);
        refusal.unreadable = policy.and_then(|policy| policy.unreadable_reason()).map(str::to_owned);
    }
    refusal
}

fn decide_as(principal: &Principal, need: &Requirement, bucket: Option<&Bucket>, input: DecisionInput<'_>) -> Decision {
    asking(principal, need, bucket, input, policy::decide)
}

/// Decides one need by the policies that apply.
fn asking<T>(
    principal: &Principal,
    need: &Requirement,
    bucket: Option<&Bucket>,
    input: DecisionInput<'_>,
    question: impl Fn(&PolicySet<'_>, &Request<'_>) -> T,
) -> T {
    let caller = input.caller;
    let owner = foreign_owner(need, bucket);
    let policies = PolicySet {
        identity: &caller.policies,
        resource: bucket.and_then(Bucket::compiled_policy),
        session: caller.session.as_ref().and_then(|session| session.policy.as_deref()),
        boundary: caller.boundary.as_deref(),
        cross_account: input.snapshot.settings().cross_account,
        acl: acl_of(need, bucket),
        is_foreign: owner.is_some(),
        restricted_to: bucket.and_then(Bucket::restricted_to),
    };
    let request = Request {
        principal,
        principal_id: caller.unique_id(),
        principal_canonical_id: None,
        action: RequestAction::named(need.action),
        resource: &need.resource,
        resource_account: owner.or(bucket.map(|bucket| bucket.account)).unwrap_or(caller.account),
        context: input.context,
    };
    question(&policies, &request)
}

/// The ACL that counts for a permission.
fn acl_of<'a>(need: &'a Requirement, bucket: Option<&'a Bucket>) -> Option<Acl<'a>> {
    let bucket = bucket?;
    let (list, of) = match &need.existing_object {
        Some(object) => (bucket.counts(&object.acl)?, AclSubject::Object),
        None if need.is_of_new_object => (bucket.acl_that_counts()?, AclSubject::BucketOfNewObject),
        None => (bucket.acl_that_counts()?, AclSubject::Bucket),
    };
    Some(Acl { grants: &list.grants, of })
}

/// The account of an object that does not belong to its bucket's owner.
fn foreign_owner(need: &Requirement, bucket: Option<&Bucket>) -> Option<AccountId> {
    let object = need.existing_object.as_ref()?;
    Some(object.owner).filter(|owner| bucket.is_some_and(|bucket| bucket.account != *owner))
}

/// The object of a permission whose owner and ACL count. They are then read from the filer, before the one decision.
/// Where the bucket's owner owns all objects, nothing is read.
pub fn asks_for_acl_of(need: &Requirement, input: DecisionInput<'_>) -> Option<Target> {
    let bucket = input.bucket_of(&need.resource).filter(|bucket| bucket.ownership().has_acls())?;
    Action::named(need.action).filter(|action| policy::is_of_object_acl(*action) && !need.is_of_new_object)?;
    object_of(need).filter(|object| object.bucket.as_str() == &*bucket.name)
}

/// Anonymous callers may do what bucket policies allow everyone, and what the identity `anonymous` of the identities
/// file allows. A Deny in either ends the decision.
fn decide_anonymous(need: &Requirement, bucket: Option<&Bucket>, input: DecisionInput<'_>) -> Decision {
    let public = decide_as(&Principal::Anonymous, need, bucket, input);
    if input.caller.policies.is_empty() || matches!(public, Decision::ExplicitDeny { .. }) {
        return public;
    }
    let identity = decide_as(&anonymous_user(input), need, None, input);
    match identity {
        Decision::ImplicitDeny { .. } => public,
        decided => decided,
    }
}

/// The identity `anonymous` of the identities file. As in `weed s3`, its policies apply to the buckets of every account: it is asked
/// about without a bucket, so the resource counts as one of its own account.
fn anonymous_user(input: DecisionInput<'_>) -> Principal {
    let (account, path) = (input.caller.account, "/".to_owned());
    Principal::User { account, path, name: iam::ANONYMOUS.to_owned() }
}

/// `policy.defaultEffect: "Allow"`: what no policy mentions is allowed, but only to authenticated S3 requests. A
/// session policy or a boundary that does not allow the request still refuses it.
fn open_by_default(decision: Decision, need: &Requirement, input: DecisionInput<'_>) -> Decision {
    let silent = matches!(decision, Decision::ImplicitDeny { missing: PolicyType::Identity(_) | PolicyType::Resource });
    let open = input.snapshot.settings().default_effect_allow;
    if open && silent && !input.caller.is_anonymous() && need.action.starts_with("s3:") {
        return Decision::Allow { by: Origin { policy: PolicyType::NotNeeded, statement: 0 } };
    }
    decision
}

/// The condition keys of one permission: those of the request that its action has, and those of its own resource. A
/// copy reads from one bucket, with its own version and tags, and writes to another.
pub fn context_of<'a>(need: &Requirement, input: DecisionInput<'a>) -> Cow<'a, Context> {
    let bucket = deciding_bucket(need, input.snapshot);
    let action = Action::named(need.action);
    let may_know = |key: &str| action.is_none_or(|action| action.may_know_key(key));
    let mut context = match input.context.iter().all(|(key, _)| may_know(key)) {
        true => Cow::Borrowed(input.context),
        false => Cow::Owned(input.context.filtered(may_know)),
    };
    for (tag, value) in need.existing_tags.iter().filter(|_| may_know("s3:ExistingObjectTag/any")) {
        context.to_mut().add(format!("{EXISTING_TAG}{tag}"), value.as_str());
    }
    let mut set = |key: &'static str, value: &str| {
        if context.get(key).is_none_or(|known| known != [value]) {
            context.to_mut().set(key, value);
        }
    };
    // A bucket that does not exist would be created in the caller's account.
    let account = bucket.map_or(input.caller.account, |bucket| bucket.account);
    for (key, account) in resource_account_keys(&account).into_iter().filter(|(key, _)| may_know(key)) {
        set(key, account);
    }
    if let Some(version) = need.version_id.as_ref().filter(|_| may_know("s3:VersionId")) {
        set("s3:VersionId", version.as_str());
    }
    if let Some(prefix) = need.prefix.as_deref().filter(|_| may_know("s3:prefix")) {
        set("s3:prefix", prefix);
    }
    context
}

/// The bucket whose policy and account count for a permission, if it exists. CreateBucket is about a bucket of the
/// caller's account, even if another account already has one of the name.
fn deciding_bucket<'a>(need: &Requirement, snapshot: &'a Snapshot) -> Option<&'a Bucket> {
    bucket_of(&need.resource, snapshot).filter(|_| need.action != "s3:CreateBucket")
}
