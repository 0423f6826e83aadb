//! The condition keys that a call sets itself.

use policy::{Action, Context};

use crate::action::{Key, QueryAction};
use crate::error::IamError;
use crate::params::{Params, TAGS_MAX, too_many_tags};

/// Sets the condition keys that a call of IAM or STS itself carries: those in the row of its action, `aws:RequestTag/*` and
/// `aws:TagKeys`. Tags of entities and claims of tokens are set elsewhere, where they are known.
///
/// Fails if a value is too long.
///
/// A parameter that the action does not read sets no key: a parameter without effect must not satisfy a condition.
pub fn set_query_condition_keys(params: &Params, context: &mut Context) -> Result<(), IamError> {
    let Ok(action) = QueryAction::find(params.get("Action").unwrap_or_default()) else { return Ok(()) };
    for key in action.keys {
        set(*key, params, context)?;
    }
    let listed = action.of_reference().map_or(&[] as &[&str], Action::condition_keys);
    let sets_tags = listed.contains(&"aws:RequestTag/");
    // An action that names keys of tags but no tags takes them away.
    let removes_tags = listed.contains(&"aws:TagKeys") && !sets_tags;
    let tags = if sets_tags { params.tag_pairs()? } else { Vec::new() };
    // Before permissions are looked at, because each tag is compared with those before it.
    if tags.len() > TAGS_MAX {
        return Err(too_many_tags());
    }
    for (key, value) in &tags {
        context.add(format!("aws:RequestTag/{key}"), *value);
    }
    let removed = if removes_tags { params.members("TagKeys")? } else { Vec::new() };
    let keys: Vec<String> = tags.into_iter().map(|(key, _)| key.to_owned()).chain(removed).collect();
    if !keys.is_empty() {
        context.set_many("aws:TagKeys", keys);
    }
    context.require_bounded().map_err(|error| IamError::validation(error.to_string()))
}

fn set(key: Key, params: &Params, context: &mut Context) -> Result<(), IamError> {
    match key {
        Key::Is(key, value) => context.set(key, value),
        Key::Of(key, parameter) => {
            if let Some(value) = params.get(parameter) {
                context.set(key, value);
            }
        }
        Key::OfList(key, parameter) => {
            let members = params.members(parameter)?;
            if !members.is_empty() {
                context.set_many(key, members);
            }
        }
    }
    Ok(())
}
