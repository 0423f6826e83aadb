//! The stored documents: what cannot be read, contradicts itself or points at nothing.

use std::sync::Arc;

use filer::Filer;
use iam::{Holder, Snapshot, policy_name_of};

use super::report::Report;
use crate::configuration::Configuration;
use crate::place;

/// The single file of old SeaweedFS versions.
const LEGACY: &str = "/etc/iam/identity.json";

/// Reads all of them.
pub async fn check(filer: Arc<dyn Filer>, configuration: &Configuration, report: &mut Report) {
    match filer.lookup(LEGACY).await {
        Ok(None) => {}
        Ok(Some(_)) => report.warning(
            format!("`{LEGACY}` is there, the single file of old SeaweedFS versions, and is not read"),
            "start weed s3 4.48 once, which splits it, or read it with `kelpgate iam import`",
        ),
        Err(error) => report.error(format!("`{LEGACY}` cannot be looked up: {error}"), "see the log of the filer"),
    }
    match place::read(filer, configuration).await {
        Ok((_, snapshot)) => tell(&snapshot, report),
        Err(error) => report.error(format!("IAM documents cannot be read: {error}"), "see the log of the filer"),
    }
}

fn tell(snapshot: &Snapshot, report: &mut Report) {
    let counts = snapshot.counts();
    report.ok(format!(
        "{} users with {} keys, {} groups, {} roles, {} policies, {} buckets are stored",
        counts.users, counts.keys, counts.groups, counts.roles, counts.policies, counts.buckets
    ));
    let mut problems = 0;
    for (about, why) in snapshot.problems() {
        problems += 1;
        report.error(format!("{about} {why}"), next_for(why));
    }
    if problems == 0 {
        report.ok("every stored document can be read");
    }
    let missing = missing_policies(snapshot);
    for (holder, policy, how) in &missing {
        report.error(
            format!(
                "{holder} has the policy `{policy}` {how}, and there is none of this name: everything is denied to it"
            ),
            format!("create the policy `{policy}`, or take it off the {}", holder.kind()),
        );
    }
    if missing.is_empty() {
        report.ok("every attached policy exists");
    }
    if !snapshot.has_identities() {
        report.warning(
            "nobody has an access key: a gateway without an identities file refuses every request",
            "give gateways a -config with a root identity, or name it here with -config",
        );
    }
}

/// What helps against a problem of the Snapshot.
fn next_for(why: &str) -> &'static str {
    if why.contains("differs between") {
        "keep the one that is meant (`kelpgate filer.cat` shows both); until then the policy denies"
    } else if why.contains("claimed by several") {
        "delete the key from all holders but one; until then it is refused"
    } else if why.contains("is public") {
        "delete the key with DeleteAccessKey and make another one with CreateAccessKey; until then it is refused"
    } else if why.contains("wins") {
        "remove the stored document, or the one in the identities file"
    } else {
        "look at it with `kelpgate filer.cat`, correct it or write it anew with the IAM API; until then it denies"
    }
}

/// Holders whose attached policy or boundary does not exist.
fn missing_policies(snapshot: &Snapshot) -> Vec<(Holder, String, &'static str)> {
    let users = snapshot.users().map(|user| {
        (Holder::User(user.name.clone()), &user.document.policy_names, user.document.facts.boundary.as_ref())
    });
    let groups = snapshot.groups().map(|group| {
        (Holder::Group(group.name.clone()), &group.document.policy_names, group.document.facts.boundary.as_ref())
    });
    let roles = snapshot.roles().map(|role| {
        (Holder::Role(role.name.clone()), &role.document.attached_policies, role.document.facts.boundary.as_ref())
    });
    let mut missing = Vec::new();
    for (holder, attached, boundary) in users.chain(groups).chain(roles) {
        let attached = attached.iter().map(|name| (name, "attached"));
        for (name, how) in attached.chain(boundary.map(|name| (name, "as its permissions boundary"))) {
            let name = policy_name_of(name);
            if snapshot.policy(name).is_none() {
                missing.push((holder.clone(), name.to_owned(), how));
            }
        }
    }
    missing
}

#[cfg(test)]
mod tests {
    use iam::{Change, Facts, GroupDocument, Identities, PolicyPlace, PolicyText, Settings, UserDocument};

    use super::*;

    #[test]
    fn policies_that_do_not_exist() {
        let user = |text: &str, boundary: &str| {
            let facts = Facts { boundary: (!boundary.is_empty()).then(|| boundary.to_owned()), ..Facts::default() };
            let user = UserDocument::parse(text, facts).unwrap();
            Change::User(user.name.as_str().into(), Some(Ok(user)))
        };
        let text = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}"#;
        let policy = PolicyText { text: text.into(), facts: Facts::default() };
        let group = GroupDocument { name: "g".into(), policy_names: vec!["Gone".into()], ..GroupDocument::default() };
        let snapshot = Snapshot::new(Settings::default(), &Identities::default()).apply([
            user(r#"{"name":"al","policy_names":["P","arn:aws:iam:::policy/Gone"]}"#, ""),
            user(r#"{"name":"bo","policy_names":["P"]}"#, "Fence"),
            Change::Group("g".into(), Some(Ok(group))),
            Change::Policy("P".into(), PolicyPlace::Api, Some(Ok(policy))),
        ]);
        let found: Vec<String> = missing_policies(&snapshot)
            .iter()
            .map(|(holder, policy, how)| format!("{holder} {policy} {how}"))
            .collect();
        let want =
            ["user `al` Gone attached", "user `bo` Fence as its permissions boundary", "group `g` Gone attached"];
        assert_eq!(found, want);
    }
}
