//! CreateRole and UpdateAssumeRolePolicy.

use super::bucket::principal;
use super::identity::sids;
use crate::action::Action;
use crate::action_element::actions_of;
use crate::fault::{Fault, Rule};
use crate::grammar::Document;

const TRUST_ACTIONS: [&str; 6] = [
    "sts:AssumeRole",
    "sts:AssumeRoleWithSAML",
    "sts:AssumeRoleWithWebIdentity",
    "sts:TagSession",
    "sts:SetSourceIdentity",
    "sts:SetContext",
];

pub(super) fn check(document: &Document) -> Result<(), Fault> {
    sids(document)?;
    for (i, statement) in document.statements.iter().enumerate() {
        let path = document.path(i);
        if let Some(resource) = &statement.resource {
            let element = if resource.not { "NotResource" } else { "Resource" };
            let fault = Fault::new(
                Rule::ResourceProhibited,
                format!("{path}.{element}"),
                "a trust policy always applies to its own role",
            );
            return Err(fault.about(element));
        }
        let Some(element) = &statement.principal else {
            let hint = "say who may assume the role: {\"AWS\": \"arn:aws:iam::111122223333:root\"}";
            return Err(Fault::new(Rule::PrincipalMissing, format!("{path}.Principal"), hint));
        };
        if element.not {
            return Err(Fault::new(
                Rule::NotPrincipal,
                format!("{path}.NotPrincipal"),
                "name the principals that may assume the role",
            ));
        }
        element.names.iter().try_for_each(principal)?;
        if statement.action.not {
            return Err(Fault::new(Rule::TrustAction, format!("{path}.NotAction"), "name the actions"));
        }
        for (j, pattern) in statement.action.patterns.iter().enumerate() {
            let covered = actions_of(pattern);
            let mut known = TRUST_ACTIONS.iter().filter_map(|name| Action::named(name));
            let is_sts = pattern.get(..4).is_some_and(|vendor| vendor.eq_ignore_ascii_case("sts:"));
            if !is_sts || !known.any(|action| covered.contains(action)) {
                let hint = format!("`{pattern}` is not one of {}", TRUST_ACTIONS.join(", "));
                return Err(Fault::new(Rule::TrustAction, format!("{path}.Action[{j}]"), hint));
            }
        }
    }
    Ok(())
}
