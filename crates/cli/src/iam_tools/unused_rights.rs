//! `kelpgate iam unused -log=FILE`: what policies allow and, as the audit log says, nobody did.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::PathBuf;

use audit::query::{self, Query};
use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use policy::{Policy, PolicyKind, UnusedGrant};
use xml::Element;

use super::unused::{bad, members, text};

/// Prints a line for each action pattern in policies of users and roles that was not used since, or not for all of its actions.
pub(super) fn print(details: &[Element], logs: &[PathBuf], since: Timestamp) -> Result<(), String> {
    let used = used(logs, since)?;
    let none = BTreeSet::new();
    for (who, arn, policies) in holders(details)? {
        for (label, document) in policies {
            match Policy::parse_stored(PolicyKind::Identity, &document) {
                Err(error) => say!("{who}: {label} cannot be read: {error}"),
                Ok(policy) => {
                    for grant in policy.unused_grants(used.get(&arn).unwrap_or(&none)) {
                        say!("{who}: {}", line(&label, &grant));
                    }
                }
            }
        }
    }
    Ok(())
}

fn line(label: &str, UnusedGrant { statement, sid, pattern, used }: &UnusedGrant) -> String {
    let sid = sid.as_ref().map(|sid| format!(" ({sid})")).unwrap_or_default();
    let used = if used.is_empty() { "not used".to_owned() } else { format!("used for {} only", used.join(", ")) };
    format!("{pattern} of {label}, statement {statement}{sid}: {used}")
}

/// The actions that each user or role was allowed, by its ARN.
fn used(logs: &[PathBuf], since: Timestamp) -> Result<BTreeMap<String, BTreeSet<String>>, String> {
    let mut used: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let asked = Query { since: Some(since), ..Query::default() };
    for log in logs {
        let unreadable = query::search(log, &asked, |_, event| {
            if let Some((arn, actions)) = query::allowed(event) {
                let known = used.entry(arn.to_owned()).or_default();
                for action in actions {
                    if !known.contains(action) {
                        known.insert(action.to_owned());
                    }
                }
            }
            ControlFlow::Continue(())
        })?;
        if unreadable > 0 {
            return Err(format!(
                "`{}` has {unreadable} lines that are not CloudTrail events; what they say is unknown",
                log.display()
            ));
        }
    }
    Ok(used)
}

/// Users and roles: how they are called, their ARN, the policies that allow them something, each with a label.
type Holder = (String, String, Vec<(String, String)>);

fn holders(details: &[Element]) -> Result<Vec<Holder>, String> {
    let list = |name: &'static str| details.iter().flat_map(move |page| members(page, name));
    let mut managed = BTreeMap::new();
    for policy in list("Policies") {
        for version in members(policy, "PolicyVersionList") {
            if text(version, "IsDefaultVersion")? == "true" {
                managed.insert(text(policy, "Arn")?, document(version, "Document")?);
            }
        }
    }
    let of = |holder: &Element, inline: &str| policies(holder, inline, &managed);
    let mut groups = BTreeMap::new();
    for group in list("GroupDetailList") {
        let name = text(group, "GroupName")?;
        let of_group = of(group, "GroupPolicyList")?.into_iter();
        let labelled = of_group.map(|(label, text)| (format!("{label} of group {name}"), text)).collect::<Vec<_>>();
        groups.insert(name, labelled);
    }
    let mut holders = Vec::new();
    for user in list("UserDetailList") {
        let mut own = of(user, "UserPolicyList")?;
        let in_groups = members(user, "GroupList").filter_map(|group| groups.get(&group.text));
        own.extend(in_groups.flatten().cloned());
        holders.push((format!("user {}", text(user, "UserName")?), text(user, "Arn")?, own));
    }
    for role in list("RoleDetailList") {
        let own = of(role, "RolePolicyList")?;
        holders.push((format!("role {}", text(role, "RoleName")?), text(role, "Arn")?, own));
    }
    Ok(holders)
}

fn policies(
    holder: &Element,
    inline: &str,
    managed: &BTreeMap<String, String>,
) -> Result<Vec<(String, String)>, String> {
    let mut found = Vec::new();
    for policy in members(holder, inline) {
        let label = format!("inline policy `{}`", text(policy, "PolicyName")?);
        found.push((label, document(policy, "PolicyDocument")?));
    }
    for policy in members(holder, "AttachedManagedPolicies") {
        if let Some(document) = managed.get(&text(policy, "PolicyArn")?) {
            found.push((format!("policy `{}`", text(policy, "PolicyName")?), document.clone()));
        }
    }
    Ok(found)
}

fn document(element: &Element, name: &str) -> Result<String, String> {
    let encoded = element.required(name).map_err(bad)?;
    Ok(percent_decode_str(encoded).decode_utf8_lossy().into_owned())
}
