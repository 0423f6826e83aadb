//! PutBucketPolicy.

use super::fitting::Place;
use super::keys::{is_known_key, nearest_key};
use crate::action::{Action, ActionSet};
use crate::action_element::actions_of;
use crate::fault::{Fault, Rule};
use crate::grammar::{
    Comparison, Condition, Document, Effect, PrincipalKind, PrincipalName, ResourceElement, Statement, nearest,
};
use crate::principal::PROVIDER_TYPES;
use crate::principal_element::Named;
use crate::validate::wrong_type;

pub(super) fn check(bucket: Option<&str>, document: &Document) -> Result<(), Fault> {
    for (i, statement) in document.statements.iter().enumerate() {
        let path = document.path(i);
        let Some(element) = &statement.principal else {
            return Err(Fault::new(
                Rule::PrincipalMissing,
                format!("{path}.Principal"),
                "write \"Principal\": \"*\" for everyone",
            ));
        };
        if element.not && statement.effect == Effect::Allow {
            let hint = "it would allow everyone else, including anonymous callers; name the principals that you allow";
            return Err(Fault::new(Rule::NotPrincipalWithAllow, format!("{path}.NotPrincipal"), hint));
        }
        element.names.iter().try_for_each(principal)?;
        let Some(resource) = &statement.resource else {
            return Err(Fault::new(
                Rule::ResourceMissing,
                format!("{path}.Resource"),
                "name the bucket or its objects",
            ));
        };
        actions(statement, &path)?;
        let places = resources(bucket, resource, &path)?;
        let covered = fitting(statement, resource, places, &path)?;
        for condition in &statement.conditions {
            let path = format!("{path}.Condition.{}.{}", condition.operator, condition.key);
            key(condition, &covered, &path)?;
            values(condition, &path)?;
        }
    }
    Ok(())
}

/// Checks a principal: a policy attached to a resource may not name every kind.
pub(super) fn principal(name: &PrincipalName) -> Result<(), Fault> {
    let text = name.name.as_str();
    let label = match name.kind {
        PrincipalKind::Everyone => return Ok(()),
        PrincipalKind::Aws => "AWS",
        PrincipalKind::Service => "Service",
        PrincipalKind::Federated => "Federated",
        PrincipalKind::CanonicalUser => "CanonicalUser",
    };
    let plain = !text.contains(['*', '?']) && !text.contains(char::is_whitespace);
    let fits = match name.kind {
        PrincipalKind::Everyone => true,
        PrincipalKind::Aws => {
            (Named::new(name) != Named::Nobody && !has_empty_account(text)) || is_origin_access_identity(text)
        }
        PrincipalKind::Service | PrincipalKind::Federated => plain && text.contains('.'),
        PrincipalKind::CanonicalUser => text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()),
    };
    // The host of a provider may have no dot.
    let is_provider = name.kind == PrincipalKind::Federated
        && plain
        && text.starts_with("arn:aws")
        && PROVIDER_TYPES.iter().any(|kind| text.contains(&format!(":{kind}")));
    if fits || is_provider {
        return Ok(());
    }
    let hint = match name.kind {
        PrincipalKind::Aws => {
            "expected an account number, the ARN of a user, a role, a session or an account's root, or `*`; no other wildcard"
        }
        PrincipalKind::Service => "expected a name like logging.s3.amazonaws.com",
        PrincipalKind::Federated => "expected the ARN of an OIDC or SAML provider",
        _ => "expected 64 hexadecimal digits",
    };
    Err(Fault::new(Rule::Principal, &name.path, hint).about(&format!("\"{label}\":\"{text}\"")))
}

/// How CloudFront's older origin access identities are written. They are accepted, as by S3, but match no one here.
fn is_origin_access_identity(arn: &str) -> bool {
    let id = arn.strip_prefix("arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity ");
    id.is_some_and(|id| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

fn has_empty_account(arn: &str) -> bool {
    arn.split(':').nth(4) == Some("")
}

fn actions(statement: &Statement, path: &str) -> Result<(), Fault> {
    let element = if statement.action.not { "NotAction" } else { "Action" };
    for (j, pattern) in statement.action.patterns.iter().enumerate() {
        let path = format!("{path}.{element}[{j}]");
        let covered = actions_of(pattern);
        let is_s3 = Action::all().any(|action| action.service() == "s3" && covered.contains(action));
        let vendor_is_plain =
            pattern == "*" || pattern.get(..3).is_some_and(|vendor| vendor.eq_ignore_ascii_case("s3:"));
        if !is_s3 || !vendor_is_plain {
            let names = Action::all().filter(|action| action.service() == "s3").map(Action::as_str);
            let meant = nearest(pattern, names).map(|name| format!("; did you mean `{name}`?")).unwrap_or_default();
            return Err(Fault::new(Rule::Action, path, format!("`{pattern}` does not cover any action of S3{meant}"))
                .about(pattern));
        }
    }
    Ok(())
}

fn resources(bucket: Option<&str>, resource: &ResourceElement, path: &str) -> Result<Place, Fault> {
    let element = if resource.not { "NotResource" } else { "Resource" };
    let mut all = Place::default();
    // If the bucket's name is not given, all resources have to name the same bucket.
    let mut bucket = bucket.map(str::to_owned);
    for (j, pattern) in resource.patterns.iter().enumerate() {
        let name = s3_name(pattern);
        let named = name.map(|name| name.split(['/', '*', '?']).next().unwrap_or_default());
        let of_bucket = match (named, &bucket) {
            (Some(named), Some(bucket)) => named == bucket,
            (Some(named), None) => {
                bucket = Some(named.to_owned());
                !named.is_empty()
            }
            (None, _) => false,
        };
        let Some(name) = name.filter(|_| of_bucket) else {
            let own = bucket.as_deref().unwrap_or("bucket");
            let hint = format!(
                "`{pattern}` is neither this bucket nor an object in it; write arn:aws:s3:::{own} or arn:aws:s3:::{own}/*"
            );
            return Err(Fault::new(Rule::BucketResource, format!("{path}.{element}[{j}]"), hint));
        };
        all = all.and(Place::of(name));
    }
    Ok(all)
}

/// `bucket/key` of `arn:aws:s3:::bucket/key`.
fn s3_name(arn: &str) -> Option<&str> {
    let (partition, name) = arn.strip_prefix("arn:")?.split_once(":s3:::")?;
    (partition.starts_with("aws") && !partition.contains(':')).then_some(name)
}

/// For each action of the statement, the known actions that it covers and that fit one of the resources.
fn fitting(
    statement: &Statement,
    resource: &ResourceElement,
    places: Place,
    path: &str,
) -> Result<Vec<ActionSet>, Fault> {
    let fits = |action: Action| resource.not || places.admit(action);
    let s3 = || Action::all().filter(|action| action.service() == "s3");
    let mut all = Vec::new();
    for (j, pattern) in statement.action.patterns.iter().enumerate() {
        let covered = if statement.action.not { actions_of(pattern).complement() } else { actions_of(pattern) };
        let mut set = ActionSet::default();
        s3().filter(|action| covered.contains(*action) && fits(*action)).for_each(|action| set.insert(action));
        if !statement.action.not && set == ActionSet::default() {
            let needs =
                if places.bucket { "objects (arn:aws:s3:::bucket/*)" } else { "the bucket (arn:aws:s3:::bucket)" };
            let hint = format!("`{pattern}` does not apply to these resources; it may need {needs}");
            return Err(Fault::new(Rule::ActionWithoutResource, format!("{path}.Action[{j}]"), hint));
        }
        all.push(set);
    }
    Ok(all)
}

fn key(condition: &Condition, covered: &[ActionSet], path: &str) -> Result<(), Fault> {
    if !is_known_key(&condition.key) {
        let meant = nearest_key(&condition.key).map(|key| format!("; did you mean `{key}`?")).unwrap_or_default();
        return Err(Fault::new(Rule::ConditionKey, path, format!("`{}` is not a condition key{meant}", condition.key)));
    }
    let is_of_s3 = condition.key.get(..3).is_some_and(|vendor| vendor.eq_ignore_ascii_case("s3:"));
    let supported =
        |set: &ActionSet| Action::all().any(|action| set.contains(action) && action.has_key(&condition.key));
    if is_of_s3 && !covered.iter().all(supported) {
        let hint = format!(
            "requests for some of the actions never carry `{}`; give those actions a statement of their own",
            condition.key
        );
        return Err(Fault::new(Rule::ConditionFit, path, hint));
    }
    Ok(())
}

fn values(condition: &Condition, path: &str) -> Result<(), Fault> {
    let comparison = condition.operator.comparison;
    let is_address = matches!(comparison, Comparison::IpAddress | Comparison::NotIpAddress);
    let rule = if is_address { Rule::ConditionAddress } else { Rule::ConditionValue };
    let wrong = condition.values.iter().find_map(|value| Some((value, wrong_type(comparison, value)?)));
    match wrong {
        Some((value, expected)) => Err(Fault::new(rule, path, format!("`{value}` is not {expected}"))),
        None => Ok(()),
    }
}
