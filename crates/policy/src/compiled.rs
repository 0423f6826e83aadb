use rustc_hash::FxHashMap;

use crate::action::{Action, RequestAction};
use crate::context::Context;
use crate::grammar::{Document, Effect};
use crate::index::Index;
use crate::pattern::Pattern;
use crate::policy_kind::PolicyKind;
use crate::principal_element::{Grant, PrincipalIds};
use crate::request::Request;
use crate::statement::Statement;

/// The index of one policy. It is immutable, and all requests share it in an `Arc`.
#[derive(Debug)]
pub struct CompiledPolicy {
    statements: Box<[Statement]>,
    index: Index,
    keys: Box<[Mention]>,
    /// Why the policy denies everything.
    unreadable: Option<String>,
    /// The buckets that SeaweedFS's legacy actions name.
    legacy_buckets: Option<Box<[Pattern]>>,
    /// It limits what resource policies grant to its caller as well.
    limits_grants: bool,
}

/// A condition key that conditions test or variables name.
#[derive(Debug)]
struct Mention {
    /// In lower case.
    key: Box<str>,
    /// The indices of the statements.
    statements: Box<[usize]>,
}

/// What the statements of one policy say about one request: the first one that denies it, and for each kind of grant
/// the first one that allows it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Verdict {
    pub deny: First,
    pub direct: First,
    pub role: First,
    pub account: First,
}

/// The first of several statements, if there is one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct First(u32);

impl Default for First {
    fn default() -> Self {
        Self(u32::MAX)
    }
}

impl First {
    pub fn get(self) -> Option<u32> {
        (self != Self::default()).then_some(self.0)
    }

    pub fn is_some(self) -> bool {
        self.get().is_some()
    }
}

impl Verdict {
    /// The first statement that allows with any kind of grant.
    pub fn any_allow(&self) -> Option<u32> {
        First(self.direct.0.min(self.role.0).min(self.account.0)).get()
    }

    fn slot(&mut self, effect: Effect, grant: Grant) -> &mut First {
        match (effect, grant) {
            (Effect::Deny, _) => &mut self.deny,
            (Effect::Allow, Grant::Direct) => &mut self.direct,
            (Effect::Allow, Grant::Role) => &mut self.role,
            (Effect::Allow, Grant::Account) => &mut self.account,
        }
    }
}

impl CompiledPolicy {
    pub(crate) fn new(document: &Document, kind: PolicyKind, ids: &PrincipalIds) -> Self {
        let variables = document.version.has_variables();
        let statements = document.statements.iter();
        Self::of(statements.map(|statement| Statement::with_ids(statement, kind, variables, ids)).collect())
    }

    pub(crate) fn of(statements: Box<[Statement]>) -> Self {
        let mut keys: FxHashMap<&str, Vec<usize>> = FxHashMap::default();
        for (place, statement) in statements.iter().enumerate() {
            statement.keys().for_each(|key| keys.entry(key).or_default().push(place));
        }
        let keys =
            keys.into_iter().map(|(key, places)| Mention { key: key.into(), statements: places.into() }).collect();
        let index = Index::new(&statements);
        Self { statements, index, keys, unreadable: None, legacy_buckets: None, limits_grants: false }
    }

    /// One policy that says what all of these say together. It is unreadable if one of them is.
    pub fn union<'p>(parts: impl IntoIterator<Item = &'p Self>) -> Self {
        let mut statements = Vec::new();
        for part in parts {
            if let Some(reason) = &part.unreadable {
                return Self::unreadable(reason.clone());
            }
            statements.extend(part.statements.iter().cloned());
        }
        Self::of(statements.into())
    }

    /// Stands for a stored policy that does not parse or is missing. It denies everything to which it applies.
    pub fn unreadable(reason: String) -> Self {
        Self { unreadable: Some(reason), ..Self::of(Box::default()) }
    }

    /// As the session policy of a session that a user, or the root user, made for themselves. The session has the ARN of its user, but
    /// a grant to the user does not name the session itself: this policy has to allow the request too.
    #[must_use]
    pub fn of_own_session(self) -> Self {
        Self { limits_grants: true, ..self }
    }

    /// Whether it was made by [`CompiledPolicy::of_own_session`].
    pub(crate) fn limits_grants(&self) -> bool {
        self.limits_grants
    }

    /// A policy made of legacy actions that name these buckets.
    pub(crate) fn of_legacy(statements: Box<[Statement]>, buckets: Box<[Pattern]>) -> Self {
        Self { legacy_buckets: Some(buckets), ..Self::of(statements) }
    }

    /// Whether the policy is made of legacy actions of SeaweedFS, and if so, whether one of them names this bucket.
    pub fn legacy_names(&self, bucket: &str) -> Option<bool> {
        let patterns = self.legacy_buckets.as_deref()?;
        Some(patterns.iter().any(|pattern| pattern.matches(bucket, &Context::new()).is_yes()))
    }

    /// Why the policy denies everything, if it was made by [`CompiledPolicy::unreadable`].
    pub fn unreadable_reason(&self) -> Option<&str> {
        self.unreadable.as_deref()
    }

    /// Whether a statement that applies to this action and resource could test a condition key, or use a variable,
    /// whose name begins with `key_prefix` (ignoring case), such as `s3:existingobjecttag/`.
    pub fn mentions(&self, action: Action, resource: &str, key_prefix: &str) -> bool {
        let begins = |key: &str| {
            key.as_bytes().get(..key_prefix.len()).is_some_and(|part| part.eq_ignore_ascii_case(key_prefix.as_bytes()))
        };
        let nothing = Context::new();
        let could_apply = |statement: &Statement| {
            let has_variables =
                statement.resource.patterns().iter().any(|pattern| pattern.variables().next().is_some());
            statement.action.matches(RequestAction::Known(action))
                && (has_variables || statement.resource.matches(statement.effect, resource, &nothing))
        };
        let mentioning =
            self.keys.iter().filter(|mention| begins(&mention.key)).flat_map(|mention| &mention.statements);
        mentioning.filter_map(|place| self.statements.get(*place)).any(could_apply)
    }

    /// Whether any statement could allow the request's action to its caller, on some resource and under some
    /// conditions. If false, nothing else in the request can make this policy allow it.
    pub fn could_allow(&self, request: &Request<'_>) -> bool {
        self.unreadable.is_none()
            && self.statements.iter().any(|statement| {
                statement.effect == Effect::Allow
                    && statement.action.matches(request.action)
                    && statement.grant(request, false).is_some()
            })
    }

    /// The Sid of the statement at this index in the document; `None` if it has none.
    pub fn sid(&self, statement: u32) -> Option<&str> {
        self.statements.get(usize::try_from(statement).ok()?)?.sid.as_deref()
    }

    /// How many statements there are.
    pub fn len(&self) -> usize {
        self.statements.len()
    }

    /// Whether the policy has no statements.
    pub fn is_empty(&self) -> bool {
        self.statements.is_empty()
    }

    pub(crate) fn statements(&self) -> &[Statement] {
        &self.statements
    }

    /// Evaluates every statement that could apply.
    pub(crate) fn evaluate(&self, request: &Request<'_>, has_boundary: bool) -> Verdict {
        let mut verdict = Verdict::default();
        if self.unreadable.is_some() {
            verdict.deny = First(0);
        }
        self.index.find(&self.statements, request, |place, statement| {
            let Some(grant) = statement.grant(request, has_boundary) else { return };
            let slot = verdict.slot(statement.effect, grant);
            if place < slot.0 && statement.conditions_hold(request) {
                *slot = First(place);
            }
        });
        verdict
    }
}
