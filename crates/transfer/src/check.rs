//! Checks what an import has to refuse, before it writes anything.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ids::AccountId;
use policy::{Policy, PolicyKind};

use super::{Bundle, DocumentName};
use iam::{Change, Credential, Holder, is_claim_based, is_name, policy_name_of};

impl Bundle {
    /// Moves what cannot be written to `refused`, together with everything that would have different permissions
    /// without it: the holder of an inline policy, holders and group members of a managed policy, and the service
    /// accounts of a user.
    pub(super) fn check(&mut self) {
        let all = std::mem::take(&mut self.changes);
        let members: BTreeMap<Arc<str>, Vec<String>> = all.iter().filter_map(members_of).collect();
        let mut kept = Vec::with_capacity(all.len());
        let (mut holders, mut policies) = (BTreeSet::new(), BTreeSet::new());
        for change in all {
            let Some(why) = fault(&change) else {
                kept.push(change);
                continue;
            };
            match &change {
                Change::Policy(name, ..) => {
                    policies.insert(name.clone());
                }
                Change::Inline(holder, ..) => {
                    holders.insert(holder.clone());
                }
                other => holders.extend(holder_of(other)),
            }
            self.refuse(DocumentName(&change).to_string(), why);
        }
        let attached = |change: &&Change| attached_to(change).any(|name| policies.contains(name));
        holders.extend(kept.iter().filter(attached).filter_map(holder_of));
        let lost_groups: Vec<Arc<str>> =
            holders.iter().filter(|holder| holder.kind() == "group").map(|holder| holder.name().clone()).collect();
        for member in lost_groups.iter().filter_map(|group| members.get(group)).flatten() {
            holders.insert(Holder::User(member.as_str().into()));
        }
        for change in kept {
            let whose = match &change {
                Change::Inline(holder, ..) => Some(holder.clone()),
                other => holder_of(other),
            };
            if whose.is_some_and(|holder| holders.contains(&holder)) {
                let why =
                    "a policy or group that it depends on was refused, and without it its permissions would differ";
                self.refuse(DocumentName(&change).to_string(), why);
            } else {
                self.changes.push(change);
            }
        }
        self.orphans();
    }

    /// A service account acts for its parent, so it needs one.
    fn orphans(&mut self) {
        let users: BTreeSet<String> =
            self.changes.iter().filter_map(holder_of).map(|holder| holder.to_string()).collect();
        for change in std::mem::take(&mut self.changes) {
            match &change {
                Change::ServiceAccount(_, Some(Ok(account)))
                    if !users.contains(&Holder::User(account.parent_user.as_str().into()).to_string()) =>
                {
                    let why = format!("its parent user `{}` cannot be imported", account.parent_user);
                    self.refuse(DocumentName(&change).to_string(), why);
                }
                _ => self.changes.push(change),
            }
        }
    }
}

/// The holder whose document this is.
fn holder_of(change: &Change) -> Option<Holder> {
    match change {
        Change::User(name, _) => Some(Holder::User(name.clone())),
        Change::Group(name, _) => Some(Holder::Group(name.clone())),
        Change::Role(name, ..) => Some(Holder::Role(name.clone())),
        _ => None,
    }
}

fn members_of(change: &Change) -> Option<(Arc<str>, Vec<String>)> {
    match change {
        Change::Group(name, Some(Ok(group))) => Some((name.clone(), group.members.clone())),
        _ => None,
    }
}

/// The managed policies that a document names, including its boundary.
fn attached_to(change: &Change) -> impl Iterator<Item = &str> {
    let (names, boundary) = match change {
        Change::User(_, Some(Ok(user))) => (user.attached_policies.as_slice(), user.boundary.as_ref()),
        Change::Group(_, Some(Ok(group))) => (group.attached_policies.as_slice(), None),
        Change::Role(_, _, Some(Ok(role))) => (role.attached_policies.as_slice(), role.boundary.as_ref()),
        _ => (&[][..], None),
    };
    names.iter().chain(boundary).map(|name| policy_name_of(name))
}

fn fault(change: &Change) -> Option<String> {
    let policy = |kind, text: &str| {
        Policy::parse(kind, text).err().map(|error| {
            let place = if error.path().is_empty() { String::new() } else { format!(" at {}", error.path()) };
            format!("its policy is not accepted{place}: {}", error.message())
        })
    };
    match change {
        Change::User(name, _) if &**name == "root" => {
            Some("`root` is the root user of the identities file (-config); put it there, or rename it".to_owned())
        }
        Change::User(name, read) => {
            let user = read.as_ref().and_then(|read| read.as_ref().ok());
            let mut credentials = user.iter().flat_map(|user| &user.credentials);
            bad_name(name, 64).or_else(|| credentials.find_map(Credential::public_secret))
        }
        Change::Group(name, _) => bad_name(name, 128),
        Change::Role(name, ..) if is_claim_based(name) => {
            Some(format!("the name `{name}` is reserved for sessions without a role; rename it"))
        }
        Change::Role(name, _, read) => {
            let trust = read.as_ref().and_then(|read| read.as_ref().ok()).map(|role| role.trust_policy.as_str());
            bad_name(name, 64).or_else(|| policy(PolicyKind::Trust, trust.unwrap_or_default()))
        }
        Change::Policy(name, _, Some(Ok(text))) => {
            bad_name(name, 128).or_else(|| policy(PolicyKind::Identity, &text.text))
        }
        Change::Inline(holder, name, Some(Ok(text))) => {
            let longest = if matches!(holder, Holder::Group(_)) { 128 } else { 64 };
            let names = bad_name(name, 128).or_else(|| bad_name(holder.name(), longest));
            names.or_else(|| policy(PolicyKind::Identity, &text.text))
        }
        Change::ServiceAccount(id, read) => {
            let account = read.as_ref().and_then(|read| read.as_ref().ok());
            let public = account.and_then(|account| account.credential.as_ref()?.public_secret());
            let parts: Vec<&str> = id.split(':').collect();
            let suffix = |text: &str| {
                !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            };
            let good = matches!(parts.as_slice(), ["sa", user, end] if is_name(user, 64) && suffix(end));
            (!good).then(|| "its id is not `sa:<user>:<lower-case letters and digits>`".to_owned()).or(public)
        }
        Change::OidcProvider(_, Some(Ok(provider))) => {
            let good = provider.arn.starts_with("arn:aws:iam:") && provider.url.starts_with("https://");
            (!good).then(|| "its ARN does not begin with `arn:aws:iam:`, or its URL not with `https://`".to_owned())
        }
        Change::InstanceProfile(name, _) => bad_name(name, 128),
        Change::AccountAlias(account, _) | Change::AccountPublicAccessBlock(account, _) => {
            account.parse::<AccountId>().err().map(|error| error.to_string())
        }
        _ => Some("it cannot be imported".to_owned()),
    }
}

fn bad_name(name: &str, longest: usize) -> Option<String> {
    (!is_name(name, longest)).then(|| {
        format!("its name has characters other than letters, digits and _+=,.@-, or more than {longest}; rename it")
    })
}
