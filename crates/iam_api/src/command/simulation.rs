//! SimulatePrincipalPolicy and SimulateCustomPolicy: the one evaluator, applied to hypothetical requests.
//!
//! It decides as for real requests on this gateway, including the rule for requests across accounts. As on AWS, the
//! policies of buckets are not looked up: `ResourcePolicy` gives the one to use.

mod answer;
mod scenario;
mod source;

use std::collections::BTreeSet;

use policy::Policy;

use self::scenario::Scenario;
use self::source::Source;
use super::{Answer, Command, IamError, Outcome, Request, read};
use crate::answer::fragment;
use iam::Snapshot;

pub(super) const COMMANDS: &[Command] = &[
    read("SimulatePrincipalPolicy", |r, s| simulate(r, s, Some(source::holder(r, s)?)))
        .about_arn("PolicySourceArn")
        .costly(),
    read("SimulateCustomPolicy", |r, s| simulate(r, s, None)).costly(),
    read("GetContextKeysForPrincipalPolicy", |r, s| {
        let holder = source::holder(r, s)?;
        context_keys(source::of_holder(&holder, s).into_iter().chain(source::inputs(r)?))
    })
    .about_arn("PolicySourceArn")
    .costly(),
    read("GetContextKeysForCustomPolicy", |r, _| context_keys(source::required_inputs(r)?.into_iter())).costly(),
];

/// The most work for one call, in steps of [`policy::work`]. A page ends early before it exceeds this, and a call is
/// refused if a single pair of an action and a resource does.
const WORK_MAX: usize = 1 << 25;

fn simulate(request: &Request<'_>, state: &Snapshot, holder: Option<source::SourceHolder<'_>>) -> Answer {
    let actions = actions(request)?;
    let scenario = Scenario::new(request, state, holder.as_ref(), &actions)?;
    let resources = resources(request)?;
    let all_resources = [String::from("*")];
    let resources = if resources.is_empty() { &all_resources } else { resources.as_slice() };
    let pairs = actions.iter().flat_map(|action| resources.iter().map(move |resource| (action, resource)));
    let total = actions.len() * resources.len();
    let from = match request.params.get("Marker") {
        None => 0,
        Some(marker) => marker
            .parse::<usize>()
            .ok()
            .filter(|from| *from < total)
            .ok_or_else(|| IamError::invalid("The Marker is not from an answer to this call with these inputs"))?,
    };
    let most = request.items_max()?;
    let mut work = 0;
    let mut next = from;
    let mut xml = fragment();
    xml.element("EvaluationResults", |xml| {
        for (action, resource) in pairs.skip(from).take(most) {
            work += scenario.work(action, resource, WORK_MAX);
            if work > WORK_MAX {
                break;
            }
            xml.element("member", |xml| answer::write(xml, &scenario, action, resource));
            next += 1;
        }
    });
    if next == from {
        return Err(IamError::invalid(
            "There are too many policies and values in ContextEntries for one simulation: send fewer of either",
        ));
    }
    xml.text("IsTruncated", if next < total { "true" } else { "false" });
    if next < total {
        xml.text("Marker", &next.to_string());
    }
    Ok(Outcome::answer(xml.finish()))
}

fn actions(request: &Request<'_>) -> Result<Vec<String>, IamError> {
    let actions = request.params.members("ActionNames")?;
    if actions.is_empty() {
        return Err(IamError::validation("ActionNames is missing: name the operations, for example s3:GetObject"));
    }
    let is_action = |action: &String| {
        let word = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        action.len() <= 128 && action.split_once(':').is_some_and(|(service, name)| word(service) && word(name))
    };
    match actions.iter().find(|action| !is_action(action)) {
        Some(action) => Err(IamError::invalid(format!(
            "The action `{action}` is not valid: use a service and an operation without wildcards, in at most 128 characters, \
             like s3:GetObject"
        ))),
        None => Ok(actions),
    }
}

fn resources(request: &Request<'_>) -> Result<Vec<String>, IamError> {
    let resources = request.params.members("ResourceArns")?;
    let is_arn = |arn: &String| arn == "*" || (arn.starts_with("arn:") && arn.splitn(6, ':').count() == 6);
    match resources.iter().find(|arn| !is_arn(arn) || arn.len() > 2048) {
        Some(arn) => Err(IamError::invalid(format!(
            "The resource `{arn}` is not valid: use an ARN of at most 2048 characters, like arn:aws:s3:::bucket/key, or *"
        ))),
        None => Ok(resources),
    }
}

fn context_keys(sources: impl Iterator<Item = Source>) -> Answer {
    let mut xml = fragment();
    xml.element("ContextKeyNames", |xml| {
        for key in keys_of(sources.map(|source| source.text)) {
            xml.text("member", &key);
        }
    });
    Ok(Outcome::answer(xml.finish()))
}

/// The condition keys of documents, each once, in its first spelling.
fn keys_of(texts: impl Iterator<Item = std::sync::Arc<str>>) -> Vec<String> {
    // A policy that cannot be read tests nothing: it denies.
    let policies = texts.filter_map(|text| Policy::parse_stored(policy::PolicyKind::Identity, &text).ok());
    let keys = policies.flat_map(|policy| policy.context_keys());
    let mut seen = BTreeSet::new();
    keys.filter(|key| seen.insert(key.to_ascii_lowercase())).collect()
}
