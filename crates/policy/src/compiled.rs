use crate::action::{Action, RequestAction};
use crate::context::Context;
use crate::decide::Request;
use crate::grammar::{Document, Effect};
use crate::policy::PolicyKind;
use crate::principal_element::Grant;
use crate::statement::Statement;

/// The index of one policy: immutable, shared in an `Arc` by all requests.
#[derive(Debug)]
pub struct CompiledPolicy {
    statements: Box<[Statement]>,
    /// All keys that conditions test or variables name, in lower case, sorted.
    keys: Box<[Box<str>]>,
    /// Why the policy denies everything.
    unreadable: Option<String>,
}

/// What the statements of one policy say about one request: the first that denies, and the first that allows with each kind of grant.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Verdict {
    pub deny: Option<u32>,
    pub direct: Option<u32>,
    pub role: Option<u32>,
    pub account: Option<u32>,
}

impl Verdict {
    /// The first statement that allows, whatever the grant.
    pub fn any_allow(&self) -> Option<u32> {
        [self.direct, self.role, self.account].into_iter().flatten().min()
    }

    fn slot(&mut self, effect: Effect, grant: Grant) -> &mut Option<u32> {
        match (effect, grant) {
            (Effect::Deny, _) => &mut self.deny,
            (Effect::Allow, Grant::Direct) => &mut self.direct,
            (Effect::Allow, Grant::Role) => &mut self.role,
            (Effect::Allow, Grant::Account) => &mut self.account,
        }
    }
}

impl CompiledPolicy {
    pub(crate) fn new(document: &Document, kind: PolicyKind) -> Self {
        let variables = document.version.has_variables();
        Self::of(document.statements.iter().map(|statement| Statement::new(statement, kind, variables)).collect())
    }

    pub(crate) fn of(statements: Box<[Statement]>) -> Self {
        let mut keys: Vec<Box<str>> = statements.iter().flat_map(Statement::keys).map(Into::into).collect();
        keys.sort_unstable();
        keys.dedup();
        Self { statements, keys: keys.into(), unreadable: None }
    }

    /// A stored policy that does not parse, or is missing: it denies everything that it applies to.
    pub fn unreadable(reason: String) -> Self {
        Self { unreadable: Some(reason), ..Self::of(Box::default()) }
    }

    /// Why the policy denies everything, when it was made by [`CompiledPolicy::unreadable`].
    pub fn unreadable_reason(&self) -> Option<&str> {
        self.unreadable.as_deref()
    }

    /// Could a statement that applies to this action and resource test a condition key, or use a variable, whose name begins
    /// with `key_prefix` (ignoring case), like `s3:existingobjecttag/`?
    pub fn mentions(&self, action: Action, resource: &str, key_prefix: &str) -> bool {
        let begins = |key: &str| {
            key.as_bytes().get(..key_prefix.len()).is_some_and(|part| part.eq_ignore_ascii_case(key_prefix.as_bytes()))
        };
        if !self.keys.iter().any(|key| begins(key)) {
            return false;
        }
        let nothing = Context::new();
        self.statements.iter().any(|statement| {
            let has_variables =
                statement.resource.patterns().iter().any(|pattern| pattern.variables().next().is_some());
            statement.action.matches(RequestAction::Known(action))
                && statement.keys().any(begins)
                && (has_variables || statement.resource.matches(statement.effect, resource, &nothing))
        })
    }

    /// The Sid of a statement, by its place in the document; `None` when it has none.
    pub fn sid(&self, statement: u32) -> Option<&str> {
        self.statements.get(usize::try_from(statement).ok()?)?.sid.as_deref()
    }

    /// How many statements there are.
    pub fn len(&self) -> usize {
        self.statements.len()
    }

    /// Whether there is no statement.
    pub fn is_empty(&self) -> bool {
        self.statements.is_empty()
    }

    pub(crate) fn statements(&self) -> &[Statement] {
        &self.statements
    }

    /// Asks every statement that could apply.
    pub(crate) fn evaluate(&self, request: &Request<'_>, has_boundary: bool) -> Verdict {
        let mut verdict = Verdict::default();
        if self.unreadable.is_some() {
            verdict.deny = Some(0);
        }
        for (place, statement) in self.statements.iter().enumerate() {
            if !statement.action.matches(request.action) || !statement.resource_matches(request) {
                continue;
            }
            let Some(grant) = statement.grant(request, has_boundary) else { continue };
            let slot = verdict.slot(statement.effect, grant);
            let place = u32::try_from(place).unwrap_or(u32::MAX);
            if slot.is_none_or(|earlier| place < earlier) && statement.conditions_hold(request) {
                *slot = Some(place);
            }
        }
        verdict
    }
}
