//! The crate `cedar-policy`. It has another language, so the statements are translated.

use std::collections::{HashMap, HashSet};

use cedar_policy::{
    Authorizer, Context, Decision, Entities, Entity, EntityUid, PolicySet, Request, RestrictedExpression,
};

use crate::workload::CONTEXT;

/// An authorizer with its policies, its entities and a request.
pub struct Cedar {
    authorizer: Authorizer,
    policies: PolicySet,
    entities: Entities,
    request: Request,
}

pub fn parse(policies: &str) -> PolicySet {
    policies.parse().expect("the workloads are policies")
}

fn entity(text: &str) -> EntityUid {
    text.parse().expect("an entity")
}

impl Cedar {
    pub fn new(policies: &str, object: &str) -> Self {
        let path = HashMap::from([("path".to_owned(), RestrictedExpression::new_string(object.to_owned()))]);
        let resource = entity(r#"Object::"key""#);
        let stored = Entity::new(resource.clone(), path, HashSet::new()).expect("an entity");
        let named = CONTEXT.iter().map(|(key, value)| {
            let value = match *value {
                "true" => RestrictedExpression::new_bool(true),
                "10.1.2.3" => RestrictedExpression::new_ip("10.1.2.3"),
                text => RestrictedExpression::new_string(text.to_owned()),
            };
            let name = match *key {
                "aws:SourceIp" => "sourceIp",
                "aws:SecureTransport" => "secureTransport",
                "aws:username" => "username",
                other => other,
            };
            (name.to_owned(), value)
        });
        let context = Context::from_pairs(named).expect("a context");
        Self {
            authorizer: Authorizer::new(),
            policies: parse(policies),
            entities: Entities::from_entities([stored], None).expect("one entity"),
            request: Request::new(
                entity(r#"User::"alice""#),
                entity(r#"Action::"GetObject""#),
                resource,
                context,
                None,
            )
            .expect("a request"),
        }
    }

    pub fn allows(&self) -> bool {
        self.authorizer.is_authorized(&self.request, &self.policies, &self.entities).decision() == Decision::Allow
    }
}
