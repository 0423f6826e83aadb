//! Estimates the work of a decision before it is made, because the simulator accepts requests of any size.

use crate::arn_pattern::ArnPattern;
use crate::condition::Condition;
use crate::context::Context;
use crate::decide::PolicySet;
use crate::explain::all;
use crate::pattern::Pattern;
use crate::request::Request;
use crate::statement::Statement;

/// The least that a statement, a name, a key or a match costs.
const LEAST: usize = 64;

/// An upper bound of the work of [`decide`](crate::decide), [`applying`](crate::applying) and
/// [`missing_keys`](crate::missing_keys) for this request, in steps of about a nanosecond. Counting stops beyond `most`.
pub fn work(policies: &PolicySet<'_>, request: &Request<'_>, most: usize) -> usize {
    let mut sum = 0_usize;
    for statement in all(policies).flat_map(|(_, compiled)| compiled.statements()) {
        sum = sum.saturating_add(of_elements(statement, request));
        for condition in &statement.conditions {
            if sum > most {
                return sum;
            }
            sum = sum.saturating_add(of_condition(condition, request.context));
        }
        if sum > most {
            return sum;
        }
    }
    sum
}

/// The work of everything except the conditions.
fn of_elements(statement: &Statement, request: &Request<'_>) -> usize {
    let names = statement.principal.as_ref().map_or(0, |test| test.names.len());
    let actions: usize = statement.action.patterns().map(|pattern| of_texts(pattern, request.action.as_str())).sum();
    let resources = statement.resource.patterns().iter().map(|pattern| of_arn(pattern, request.resource.len()));
    // The answer contains the names of missing keys.
    let keys = statement.keys().map(|key| LEAST + 8 * key.len());
    resources.chain(keys).fold(LEAST * (4 + names) + actions, usize::saturating_add)
}

fn of_texts(pattern: &str, text: &str) -> usize {
    if pattern.contains('*') { LEAST + pattern.len() * text.len() } else { LEAST }
}

fn of_arn(pattern: &ArnPattern, text_bytes: usize) -> usize {
    match pattern {
        ArnPattern::Any => LEAST,
        ArnPattern::Whole(pattern) => of_pattern(pattern, text_bytes),
        ArnPattern::Segments(segments) => {
            segments.iter().map(|segment| of_pattern(segment, text_bytes)).fold(0, usize::saturating_add)
        }
    }
}

fn of_pattern(pattern: &Pattern, text_bytes: usize) -> usize {
    LEAST.saturating_add(pattern.work(text_bytes))
}

/// Each value of the request may be compared with each value of the policy.
fn of_condition(condition: &Condition, context: &Context) -> usize {
    let values = context.get(condition.key.as_str()).unwrap_or_default();
    let bytes: usize = values.iter().map(String::len).sum();
    // A number, a date or an address is parsed again for each value that it is compared with.
    let read = if condition.patterns().is_empty() { 8 * bytes } else { 0 };
    let plain = condition.values_count().saturating_mul(LEAST * values.len() + read);
    let patterns = condition.patterns().iter().map(|pattern| pattern.work(bytes));
    let arns = condition.arn_patterns().iter().map(|pattern| of_arn(pattern, bytes));
    patterns.chain(arns).fold(LEAST.saturating_add(plain), usize::saturating_add)
}
