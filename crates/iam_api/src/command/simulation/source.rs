//! The policies of a simulation: those in the call, and those of a user, a group or a role.

use std::ops::Range;
use std::sync::Arc;

use policy::{CompiledPolicy, Policy, PolicyKind, Position, statement_spans};

use super::super::policy_document::check_length;
use super::super::{IamError, Request};
use iam::{Group, Holder, PolicySource, Role, Snapshot, User};

/// The most bytes in all documents of one list, because each is read and compiled.
const DOCUMENTS_BYTES_MAX: usize = 256 << 10;

/// One policy of a simulation.
pub(super) struct Source {
    /// Its name in answers: `PolicyInputList.1`, a managed policy's name, `user_al_inline`.
    pub id: String,
    /// Its text; empty for legacy actions and for policies that cannot be read.
    pub text: Arc<str>,
    pub compiled: Arc<CompiledPolicy>,
    /// The positions of its statements in the text.
    pub spans: Vec<Range<Position>>,
}

impl Source {
    fn new(id: String, text: Arc<str>, compiled: Arc<CompiledPolicy>) -> Self {
        Self { id, spans: statement_spans(&text), text, compiled }
    }

    /// A document of the call.
    pub fn given(id: String, kind: PolicyKind, text: &str) -> Result<Self, IamError> {
        check_length(&id, text).map_err(IamError::invalid)?;
        let policy =
            Policy::parse_sized(kind, text, usize::MAX).map_err(|error| IamError::invalid(format!("{id}: {error}")))?;
        Ok(Self::new(id, text.into(), Arc::new(policy.compile())))
    }
}

/// The documents of `PolicyInputList`.
pub(super) fn inputs(request: &Request<'_>) -> Result<Vec<Source>, IamError> {
    let texts = request.params.members("PolicyInputList")?;
    if texts.iter().map(String::len).sum::<usize>() > DOCUMENTS_BYTES_MAX {
        let message =
            format!("PolicyInputList has more than {DOCUMENTS_BYTES_MAX} bytes: simulate fewer policies at once");
        return Err(IamError::invalid(message));
    }
    let numbered = texts.into_iter().enumerate();
    numbered.map(|(i, text)| Source::given(format!("PolicyInputList.{}", i + 1), PolicyKind::Identity, &text)).collect()
}

/// Like [`inputs`], but at least one is required.
pub(super) fn required_inputs(request: &Request<'_>) -> Result<Vec<Source>, IamError> {
    let inputs = inputs(request)?;
    if inputs.is_empty() {
        return Err(IamError::validation("PolicyInputList is missing: give at least one policy document"));
    }
    Ok(inputs)
}

/// The holder whose policies are simulated.
pub(super) enum SourceHolder<'a> {
    User(&'a User),
    Group(&'a Group),
    Role(&'a Role),
}

/// The holder that `PolicySourceArn` names. It must exist with exactly this ARN, for which the permission was checked.
pub(super) fn holder<'a>(request: &Request<'_>, state: &'a Snapshot) -> Result<SourceHolder<'a>, IamError> {
    let arn = request.params.required("PolicySourceArn")?;
    let resource =
        arn.strip_prefix("arn:aws:iam::").and_then(|rest| rest.split_once(':')).map(|(_, resource)| resource);
    let (kind, path) = resource.and_then(|resource| resource.split_once('/')).unwrap_or_default();
    let name = path.rsplit('/').next().unwrap_or_default();
    let account = request.caller.account;
    let found = match kind {
        "user" => state
            .user(name)
            .filter(|user| *user.arn == *arn && user.account == account)
            .map(|user| SourceHolder::User(user)),
        "group" => state
            .group(name)
            .filter(|group| *group.arn == *arn && group.account == account)
            .map(|group| SourceHolder::Group(group)),
        "role" => state
            .role(name)
            .filter(|role| *role.arn == *arn && role.account == account)
            .map(|role| SourceHolder::Role(role)),
        _ => {
            let message =
                format!("PolicySourceArn: `{arn}` is not valid; expected the ARN of a user, a group or a role");
            return Err(IamError::invalid(message));
        }
    };
    found.ok_or_else(|| IamError::no_such_entity(format!("The entity {arn} cannot be found.")))
}

/// The policies of the holder. Those of a user include those of its groups.
pub(super) fn of_holder(holder: &SourceHolder<'_>, state: &Snapshot) -> Vec<Source> {
    let of = |holder: Holder, pairs: &mut dyn Iterator<Item = (&Arc<CompiledPolicy>, &PolicySource)>| {
        pairs.map(|(compiled, source)| held(&holder, compiled, source, state)).collect()
    };
    match holder {
        SourceHolder::User(user) => of(Holder::User(user.name.clone()), &mut user.policies.iter().zip(&*user.sources)),
        SourceHolder::Role(role) => of(Holder::Role(role.name.clone()), &mut role.policies.iter().zip(&*role.sources)),
        SourceHolder::Group(group) => of(
            Holder::Group(group.name.clone()),
            &mut group.policies.iter().map(|(compiled, source)| (compiled, source)),
        ),
    }
}

/// The boundary of the holder.
pub(super) fn boundary_of(holder: &SourceHolder<'_>, state: &Snapshot) -> Option<Source> {
    let (compiled, name) = match holder {
        SourceHolder::User(user) => (user.boundary.as_ref()?, user.record.boundary.as_deref()),
        SourceHolder::Role(role) => (role.boundary.as_ref()?, role.record.boundary.as_deref()),
        SourceHolder::Group(_) => return None,
    };
    Some(managed(iam::policy_name_of(name.unwrap_or_default()), compiled, state))
}

fn held(holder: &Holder, compiled: &Arc<CompiledPolicy>, source: &PolicySource, state: &Snapshot) -> Source {
    let inline = |holder: &Holder, name: &str| {
        let text = state.inline_policies(holder).get(name).map(|policy| policy.text.clone());
        Source::new(format!("{}_{}_{name}", holder.kind(), holder.name()), text.unwrap_or_default(), compiled.clone())
    };
    match source {
        PolicySource::Legacy => {
            let id = format!("{}_{}_actions", holder.kind(), holder.name());
            Source::new(id, Arc::from(""), compiled.clone())
        }
        PolicySource::Inline(name) => inline(holder, name),
        PolicySource::GroupInline(group, name) => inline(&Holder::Group(group.clone()), name),
        PolicySource::Attached(name) | PolicySource::GroupAttached(_, name) => managed(name, compiled, state),
    }
}

fn managed(name: &str, compiled: &Arc<CompiledPolicy>, state: &Snapshot) -> Source {
    let policy = state.policy(name);
    let text = policy.map(|policy| policy.text.clone()).unwrap_or_default();
    let shown = policy.map_or(name, |policy| policy.shown_name());
    Source::new(shown.to_owned(), text, compiled.clone())
}
