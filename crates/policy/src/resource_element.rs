//! `Resource` and `NotResource`.

use crate::arn_pattern::ArnPattern;
use crate::context::Context;
use crate::grammar::{Effect, ResourceElement};
use crate::pattern::Matched;

#[derive(Clone, Debug)]
pub(crate) enum ResourceTest {
    /// The statement has neither. A trust policy then applies to its role, any other policy to nothing.
    Unstated {
        applies: bool,
    },
    Resource(Box<[ArnPattern]>),
    NotResource(Box<[ArnPattern]>),
}

impl ResourceTest {
    pub fn new(element: Option<&ResourceElement>, variables: bool, unstated_applies: bool) -> Self {
        let Some(element) = element else { return Self::Unstated { applies: unstated_applies } };
        let patterns = element.patterns.iter().map(|pattern| ArnPattern::new(pattern, variables)).collect();
        if element.not { Self::NotResource(patterns) } else { Self::Resource(patterns) }
    }

    pub fn patterns(&self) -> &[ArnPattern] {
        match self {
            Self::Unstated { .. } => &[],
            Self::Resource(patterns) | Self::NotResource(patterns) => patterns,
        }
    }

    pub fn matches(&self, effect: Effect, resource: &str, context: &Context) -> bool {
        match self {
            Self::Unstated { applies } => *applies,
            Self::Resource(patterns) => patterns.iter().any(|pattern| pattern.matches(resource, context).is_yes()),
            Self::NotResource(patterns) => {
                let mut no_value = false;
                for pattern in patterns {
                    match pattern.matches(resource, context) {
                        Matched::Yes => return false,
                        Matched::No => {}
                        Matched::NoValue => no_value = true,
                    }
                }
                // If a variable has no value, it is unknown what NotResource excludes: an Allow then allows nothing,
                // and a Deny denies all.
                !no_value || effect == Effect::Deny
            }
        }
    }
}
