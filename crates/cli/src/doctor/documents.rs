//! The stored documents: which of them cannot be read, contradict each other or refer to something that does not exist.

use std::sync::Arc;

use filer::Filer;
use iam::{Holder, Snapshot, policy_name_of};

use super::report::Report;
use crate::place;
use server::configuration::Configuration;

/// The single file of old SeaweedFS versions.
const LEGACY: &str = "/etc/iam/identity.json";

/// Reads all of them. `of_server`: whether they are those of a `kelpgate server`, which has a root key of its own.
pub async fn check(filer: Arc<dyn Filer>, configuration: &Configuration, of_server: bool, report: &mut Report) {
    match filer.lookup(LEGACY).await {
        Ok(None) => {}
        Ok(Some(_)) => report.warning(
            format!("`{LEGACY}` is there, the single file of old SeaweedFS versions, and is not read"),
            "start weed s3 4.48 once, which splits it, or read it with `kelpgate iam import`",
        ),
        Err(error) => report.error(format!("`{LEGACY}` cannot be looked up: {error}"), "see the log of the filer"),
    }
    match place::read(filer, configuration).await {
        Ok((_, snapshot)) => tell(&snapshot, of_server, report),
        Err(error) => report.error(format!("IAM documents cannot be read: {error}"), "see the log of the filer"),
    }
}

fn tell(snapshot: &Snapshot, of_server: bool, report: &mut Report) {
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
                "{holder} has the policy `{policy}` {how}, but no policy has this name: every request of the holder is denied"
            ),
            format!("create the policy `{policy}`, or take it off the {}", holder.kind()),
        );
    }
    if missing.is_empty() {
        report.ok("every attached policy exists");
    }
    if !of_server && !snapshot.has_identities() {
        report.warning(
            "no user has an access key: a gateway without an identities file refuses every request",
            "give gateways a -config with a root identity, or name it here with -config",
        );
    }
}

/// What to do about a problem in the snapshot.
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
    let users = snapshot
        .users()
        .map(|user| (Holder::User(user.name.clone()), &user.record.attached_policies, user.record.boundary.as_ref()));
    let groups =
        snapshot.groups().map(|group| (Holder::Group(group.name.clone()), &group.record.attached_policies, None));
    let roles = snapshot
        .roles()
        .map(|role| (Holder::Role(role.name.clone()), &role.record.attached_policies, role.record.boundary.as_ref()));
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
    use iam::{Change, GroupRecord, Identities, PolicyPlace, PolicyRecord, Settings, UserRecord};
    use iam_formats::{Facts, StoredDocument};

    use super::*;

    #[test]
    fn without_users_only_a_server_lets_anyone_in() {
        let snapshot = Snapshot::new(Settings::default(), &Identities::default());
        for (of_server, warned) in [(true, false), (false, true)] {
            let mut report = Report::default();
            tell(&snapshot, of_server, &mut report);
            assert_eq!(report.text().contains("no user has an access key"), warned, "{}", report.text());
        }
    }

    #[test]
    fn policies_that_do_not_exist() {
        let user = |text: &str, boundary: &str| {
            let boundary = (!boundary.is_empty()).then(|| boundary.to_owned());
            let user = UserRecord { boundary, ..UserRecord::parse(text, Facts::default()).unwrap() };
            Change::User(user.name.as_str().into(), Some(Ok(user)))
        };
        let text = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}"#;
        let policy = PolicyRecord::of_text(text);
        let group = GroupRecord { name: "g".into(), attached_policies: vec!["Gone".into()], ..GroupRecord::default() };
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
