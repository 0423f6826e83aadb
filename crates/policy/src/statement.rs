//! One statement, ready to be evaluated.

use crate::action_element::ActionTest;
use crate::condition::Condition;
use crate::grammar::{self, Effect};
use crate::policy_kind::PolicyKind;
use crate::principal_element::{Grant, PrincipalIds, PrincipalTest};
use crate::request::Request;
use crate::resource_element::ResourceTest;
use crate::template::Variable;

#[derive(Clone, Debug)]
pub(crate) struct Statement {
    pub sid: Option<Box<str>>,
    pub effect: Effect,
    pub action: ActionTest,
    pub resource: ResourceTest,
    /// `None` if the statement names no principal.
    pub principal: Option<PrincipalTest>,
    /// Whether a statement without a principal applies to the identity that holds the policy.
    pub about_holder: bool,
    pub conditions: Box<[Condition]>,
}

impl Statement {
    pub fn new(statement: &grammar::Statement, kind: PolicyKind, variables: bool) -> Self {
        Self::with_ids(statement, kind, variables, &PrincipalIds::new())
    }

    pub fn with_ids(statement: &grammar::Statement, kind: PolicyKind, variables: bool, ids: &PrincipalIds) -> Self {
        let about_holder = matches!(kind, PolicyKind::Identity | PolicyKind::Session | PolicyKind::Boundary);
        Self {
            sid: statement.sid.as_deref().map(Into::into),
            effect: statement.effect,
            action: ActionTest::new(&statement.action),
            resource: ResourceTest::new(statement.resource.as_ref(), variables, kind == PolicyKind::Trust),
            principal: statement.principal.as_ref().map(|element| PrincipalTest::new(element, ids)),
            about_holder,
            conditions: statement.conditions.iter().map(|condition| Condition::new(condition, variables)).collect(),
        }
    }

    /// How the statement names the caller; `None` if it does not.
    pub fn grant(&self, request: &Request<'_>, has_boundary: bool) -> Option<Grant> {
        match &self.principal {
            Some(test) => test.grant(self.effect, request, has_boundary),
            None => self.about_holder.then_some(Grant::Direct),
        }
    }

    pub fn resource_matches(&self, request: &Request<'_>) -> bool {
        self.resource.matches(self.effect, request.resource, request.context)
    }

    pub fn conditions_hold(&self, request: &Request<'_>) -> bool {
        self.conditions.iter().all(|condition| condition.holds(request.context, self.effect))
    }

    /// Whether all its elements match.
    pub fn applies(&self, request: &Request<'_>, has_boundary: bool) -> bool {
        self.action.matches(request.action)
            && self.grant(request, has_boundary).is_some()
            && self.resource_matches(request)
            && self.conditions_hold(request)
    }

    /// The condition keys that it tests or that its variables name, in lower case.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        let tested = self.conditions.iter().map(|condition| condition.key.as_str());
        let in_values = self.conditions.iter().flat_map(Condition::variables);
        let in_resources = self.resource.patterns().iter().flat_map(|pattern| pattern.variables());
        tested.chain(in_values.chain(in_resources).map(|variable: &Variable| variable.key.as_str()))
    }
}
