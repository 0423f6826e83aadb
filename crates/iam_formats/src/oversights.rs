//! Likely mistakes in a file: a gateway starts with them, and then refuses what should be allowed.
//!
//! The files have been read before, so what cannot be read here was reported there.

use std::collections::{BTreeMap, BTreeSet};

use iam::policy_name_of;
use ids::AccountId;
use json::{JsonError, Node, Object};
use policy::{Finding, Policy, PolicyKind, Severity, validate};

use crate::documents::document_text;

/// Names, as the other file defines them.
pub type Names = BTreeSet<String>;

/// Looks for them in an identities file. `policies` are those of the IAM file.
pub fn in_identities(text: &str, policies: &Names) -> Vec<String> {
    let mut found = Vec::new();
    let _ = Node::parse(text).and_then(|node| {
        policies_of(&node, &mut found)?;
        identities(&node, &policies.union(&policy_names(text)).cloned().collect(), &mut found)
    });
    found
}

/// The same for the identities in an IAM file.
pub fn of_identities_in_iam_config(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let _ = Node::parse(text).and_then(|node| identities(&node, &policy_names(text), &mut found));
    found
}

/// Looks for them in the IAM file. `is_file` tells whether a file exists.
pub fn in_iam_config(text: &str, is_file: &dyn Fn(&str) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    let _ = Node::parse(text).and_then(|node| iam_config(&node, is_file, &mut found));
    found
}

/// The names of the policies that a file defines.
pub fn policy_names(text: &str) -> Names {
    let names = |text| names(&Node::parse(text)?.object()?.array(&["policies"])?, &["name"]);
    names(text).unwrap_or_default().into_keys().collect()
}

fn identities(node: &Node<'_>, policies: &Names, found: &mut Vec<String>) -> Result<(), JsonError> {
    let mut file = node.object()?;
    accounts(&file.array(&["accounts"])?, found)?;
    let users = file.array(&["identities"])?;
    for node in &users {
        identity(node, policies, found)?;
    }
    let users = names(&users, &["name"])?;
    for node in file.array(&["serviceAccounts", "service_accounts"])? {
        service_account(&node, &users, found)?;
    }
    Ok(())
}

/// Looks at the policies of a file, and gives their names.
fn policies_of(node: &Node<'_>, found: &mut Vec<String>) -> Result<Names, JsonError> {
    let policies = node.object()?.array(&["policies"])?;
    differ_in_case(&policies, &["name"], found)?;
    for node in &policies {
        documents(node, &["document", "content"], PolicyKind::Identity, found)?;
    }
    Ok(names(&policies, &["name"])?.into_keys().collect())
}

fn accounts(all: &[Node<'_>], found: &mut Vec<String>) -> Result<(), JsonError> {
    let mut seen = BTreeSet::new();
    for node in all {
        account(node, found)?;
        let id = node.object()?.string(&["id"])?;
        if !seen.insert(id.clone()) {
            found.push(
                node.remark(format!("the account `{id}` is here twice, and only this one counts; merge the two")),
            );
        }
    }
    Ok(())
}

fn account(node: &Node<'_>, found: &mut Vec<String>) -> Result<(), JsonError> {
    let Some(id) = node.object()?.take("id") else { return Ok(()) };
    let text = id.string()?;
    if !text.is_empty() && text.parse::<AccountId>().is_err() {
        found.push(
            id.remark(format!("`{text}` is not an account id of twelve digits: decisions take it for 000000000000")),
        );
    }
    Ok(())
}

fn identity(node: &Node<'_>, policies: &Names, found: &mut Vec<String>) -> Result<(), JsonError> {
    let mut user = node.object()?;
    attached(&mut user, &["policy_names", "policyNames"], policies, found)?;
    user.take("account").map_or(Ok(()), |node| account(&node, found))?;
    user.array(&["credentials"])?.iter().try_for_each(|node| credential(node, found))
}

fn credential(node: &Node<'_>, found: &mut Vec<String>) -> Result<(), JsonError> {
    let mut object = node.object()?;
    for (key, keys) in [("accessKey", ["access_key", "accessKey"]), ("secretKey", ["secret_key", "secretKey"])] {
        if object.string(&keys)?.is_empty() {
            found.push(node.remark(format!("the `{key}` is empty, so nobody can sign with this credential")));
        }
    }
    Ok(())
}

fn service_account(
    node: &Node<'_>,
    users: &BTreeMap<String, Node<'_>>,
    found: &mut Vec<String>,
) -> Result<(), JsonError> {
    let mut object = node.object()?;
    if let Some(parent) = object.take_spelled(&["parent_user", "parentUser"])? {
        let name = parent.string()?;
        if !users.contains_key(&name) {
            found.push(parent.remark(format!(
                "there is no identity `{name}` in this file: unless a stored user has this name, the key is refused"
            )));
        }
    }
    object.take("credential").map_or(Ok(()), |node| credential(&node, found))
}

fn iam_config(node: &Node<'_>, is_file: &dyn Fn(&str) -> bool, found: &mut Vec<String>) -> Result<(), JsonError> {
    let mut file = node.object()?;
    let (policies, roles) = (policies_of(node, found)?, file.array(&["roles"])?);
    differ_in_case(&roles, &["roleName", "role_name"], found)?;
    for node in &roles {
        documents(node, &["trustPolicy", "trust_policy"], PolicyKind::Trust, found)?;
        attached(&mut node.object()?, &["attachedPolicies", "attached_policies"], &policies, found)?;
        role_arn(node, found)?;
    }
    let mut providers = file.array(&["providers"])?;
    if let Some(sts) = file.take("sts") {
        providers.extend(sts.object()?.array(&["providers"])?);
    }
    providers.iter().try_for_each(|node| files_of_provider(node, is_file, found))
}

/// `arn:aws:iam::<account>:role/<path><name>`, or `arn:aws:iam::role/<name>` as in SeaweedFS's samples.
fn role_arn(node: &Node<'_>, found: &mut Vec<String>) -> Result<(), JsonError> {
    let mut role = node.object()?;
    let name = role.string(&["roleName", "role_name"])?;
    let Some(arn) = role.take_spelled(&["roleArn", "role_arn"])? else { return Ok(()) };
    let text = arn.string()?;
    let of_role = text.strip_prefix("arn:aws:iam::").and_then(|rest| rest.split_once("role/"));
    let why = match of_role {
        None if text.is_empty() => return Ok(()),
        None => "is not the ARN of a role",
        Some((_, resource)) if resource.rsplit('/').next() != Some(&name) => "is the ARN of another role",
        Some(_) => return Ok(()),
    };
    found.push(arn.remark(format!("`{text}` {why}; write `arn:aws:iam::<account>:role/{name}`, or leave it out")));
    Ok(())
}

/// Files that are read when they are needed.
fn files_of_provider(
    node: &Node<'_>,
    is_file: &dyn Fn(&str) -> bool,
    found: &mut Vec<String>,
) -> Result<(), JsonError> {
    let Some(config) = node.object()?.take("config") else { return Ok(()) };
    let mut config = config.object()?;
    for key in ["jwksFile", "tlsCaCert", "bearerTokenFile", "bindPasswordFile", "authTokenFile"] {
        let Some(node) = config.take(key) else { continue };
        let path = node.string()?;
        if !path.is_empty() && !is_file(&path) {
            found.push(
                node.remark(format!("there is no file `{path}`: until it is there, nobody signs in by this provider")),
            );
        }
    }
    Ok(())
}

fn names<'a>(nodes: &[Node<'a>], keys: &[&str]) -> Result<BTreeMap<String, Node<'a>>, JsonError> {
    nodes.iter().map(|node| Ok((node.object()?.string(keys)?, node.clone()))).collect()
}

fn differ_in_case(nodes: &[Node<'_>], keys: &[&str], found: &mut Vec<String>) -> Result<(), JsonError> {
    let mut seen: BTreeMap<String, String> = BTreeMap::new();
    for (name, node) in names(nodes, keys)? {
        if let Some(other) = seen.insert(name.to_ascii_lowercase(), name.clone()) {
            found.push(node.remark(format!(
                "the names `{other}` and `{name}` differ only in case, which AWS does not allow; rename one of the two"
            )));
        }
    }
    Ok(())
}

/// A policy that is attached and missing denies everything to its holder.
fn attached(
    holder: &mut Object<'_>,
    keys: &[&str],
    policies: &Names,
    found: &mut Vec<String>,
) -> Result<(), JsonError> {
    let Some(list) = holder.take_spelled(keys)? else { return Ok(()) };
    for node in list.array()? {
        let text = node.string()?;
        let name = policy_name_of(&text);
        if !name.starts_with("arn:aws:iam::aws:") && !policies.contains(name) {
            found.push(node.remark(format!(
                "these files define no policy `{name}`: unless it is on the filer, the holder is denied everything"
            )));
        }
    }
    Ok(())
}

/// Looks at the policy under one of these keys.
fn documents(node: &Node<'_>, keys: &[&str], kind: PolicyKind, found: &mut Vec<String>) -> Result<(), JsonError> {
    let Some(document) = node.object()?.take_spelled(keys)? else { return Ok(()) };
    let text = document_text(&document)?;
    if let Err(error) = Policy::parse_stored(kind, &text) {
        let path = error.path();
        let place = if path.is_empty() { String::new() } else { format!(" at {path}") };
        found.push(part(&document, path).remark(format!(
            "the policy cannot be read{place}, so whoever has it is denied everything: {}",
            error.message()
        )));
        return Ok(());
    }
    let mut places = BTreeSet::new();
    // A document without a version is enforced as one of 2008-10-17, although the IAM API would refuse it.
    let wrong = |finding: &Finding| finding.severity == Severity::Error && finding.path != "Version";
    for finding in validate(kind, None, &text).into_iter().rev().filter(wrong) {
        // The first one is why the API would refuse the document. If another one is about the same place, it says more.
        if places.insert(finding.path.clone()) {
            let place = if document.is_string() { format!(" (at {})", finding.path) } else { String::new() };
            found
                .push(part(&document, &finding.path).remark(format!("{}{place}; {}", finding.message, finding.advice)));
        }
    }
    Ok(())
}

/// The part of a document at a path such as `Statement[0].Action[1]`; what contains it, if it is not there.
pub(crate) fn part<'a>(document: &Node<'a>, path: &str) -> Node<'a> {
    let mut at = document.clone();
    for step in path.split(['.', '[']).map(|step| step.trim_end_matches(']')).filter(|step| !step.is_empty()) {
        let next = match step.parse::<usize>() {
            Ok(index) => at.array().ok().and_then(|items| items.get(index).cloned()),
            Err(_) => at.object().ok().and_then(|mut object| object.take(step)),
        };
        match next {
            Some(next) => at = next,
            None => break,
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identities_file() {
        let policy = |text: &str| format!(r#"{{"policies":[{{"name":"P",{text}}}]}}"#);
        for (text, want) in [
            (
                policy(r#""document":{"Statement":"x"}"#),
                "line 1, column 50, `policies[0].document.Statement`: the policy cannot",
            ),
            (policy(r#""content":"{""#), "line 1, column 36, `policies[0].content`: the policy cannot be read"),
            (
                policy(r#""document":{"Statement":[{"Effect":"Allow","Action":["s3:GetObjcet"],"Resource":"*"}]}"#),
                "line 1, column 79, `policies[0].document.Statement[0].Action[0]`: ",
            ),
            (
                r#"{"identities":[{"name":"a","policyNames":["nope"]}]}"#.into(),
                "`identities[0].policyNames[0]`: these files define no policy `nope`",
            ),
            (r#"{"identities":[{"name":"a","policyNames":["There","arn:aws:iam::1:policy/There"]}]}"#.into(), ""),
            (
                r#"{"identities":[{"name":"a","account":{"id":"12"}}]}"#.into(),
                "`identities[0].account.id`: `12` is not an account id",
            ),
            (
                r#"{"identities":[{"name":"a","credentials":[{"secretKey":"s"}]}]}"#.into(),
                "`identities[0].credentials[0]`: the `accessKey` is empty",
            ),
            (
                r#"{"serviceAccounts":[{"id":"x","parentUser":"gone"}]}"#.into(),
                "`serviceAccounts[0].parentUser`: there is no identity `gone`",
            ),
            (r#"{"identities":[{"name":"a"}],"serviceAccounts":[{"id":"x","parentUser":"a"}]}"#.into(), ""),
            (
                r#"{"accounts":[{"id":"111122223333"},{"id":"111122223333"}]}"#.into(),
                "`accounts[1]`: the account `111122223333` is here twice",
            ),
            (include_str!("../../../examples/identities.json").into(), ""),
        ] {
            check(&text, in_identities(&text, &["There".to_owned()].into()), want);
        }
    }

    #[test]
    fn an_iam_file() {
        let role = |more: &str, trusted: &str| {
            format!(
                r#"{{"roles":[{{"roleName":"R",{more}"trustPolicy":{{"Version":"2012-10-17","Statement":[
                {{"Effect":"Allow","Principal":"*","Action":"{trusted}"}}]}}}}]}}"#
            )
        };
        let policies = |second: &str| {
            format!(
                r#"{{"policies":[{{"name":"P","document":{{"Statement":[{{"Effect":"Allow","Action":"s3:*","Resource":"*"}}]}}}},
                {{"name":"{second}","document":{{"Statement":[{{"Effect":"Allow","Action":"s3:*","Resource":"*"}}]}}}}]}}"#
            )
        };
        let provider =
            |file: &str| format!(r#"{{"providers":[{{"name":"o","type":"oidc","config":{{"jwksFile":"{file}"}}}}]}}"#);
        for (text, want) in [
            (
                role(r#""attachedPolicies":["None"],"#, "sts:AssumeRole"),
                "`roles[0].attachedPolicies[0]`: these files define no policy `None`",
            ),
            (role(r#""roleArn":"R","#, "sts:AssumeRole"), "`roles[0].roleArn`: `R` is not the ARN of a role"),
            (
                role(r#""roleArn":"arn:aws:iam::1:role/Q","#, "sts:AssumeRole"),
                "`roles[0].roleArn`: `arn:aws:iam::1:role/Q` is the ARN of another role",
            ),
            (role(r#""roleArn":"arn:aws:iam::role/R","#, "sts:AssumeRole"), ""),
            (role("", "s3:*"), "line 2, column 60, `roles[0].trustPolicy.Statement[0].Action`: "),
            (policies("p"), "the names `P` and `p` differ only in case"),
            (policies("Q"), ""),
            (provider("/none"), "`providers[0].config.jwksFile`: there is no file `/none`"),
            (provider("/there"), ""),
            (include_str!("../../../examples/distributed_config.json").into(), ""),
        ] {
            check(&text, in_iam_config(&text, &|path| path == "/there"), want);
        }
    }

    fn check(text: &str, found: Vec<String>, want: &str) {
        assert_eq!(found.len(), usize::from(!want.is_empty()), "{text}: {found:?}");
        assert!(found.iter().all(|found| found.starts_with("line ") && found.contains(want)), "{text}: {found:?}");
    }
}
