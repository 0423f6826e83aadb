//! Managed and inline policies: their texts and indexes.

use std::sync::Arc;

use ids::AccountId;
use policy::{CompiledPolicy, Policy, PolicyKind};

use super::aws_managed;
use super::compiled::Compiled;
use crate::change::{PolicyPlace, Read, Unreadable};
use crate::entity::{InlinePolicyRecord, PolicyRecord, Tags, path_or_root};
use crate::small_map::SmallMap;
use crate::unique_id::unique_id;

/// A managed policy. It may be stored in several places, which must agree.
#[derive(Debug, Clone)]
pub struct ManagedPolicy {
    /// The name by which holders and the filer know it. That of a policy of AWS is its ARN.
    pub name: Arc<str>,
    /// `ANPA...`.
    pub id: Arc<str>,
    /// The account to which it belongs; `None` for a policy of AWS.
    pub account: Option<AccountId>,
    /// `arn:aws:iam::<account>:policy/<path><name>`.
    pub arn: Arc<str>,
    /// Its text; empty if it cannot be read.
    pub text: Arc<str>,
    /// Its index, which denies everything if the policy cannot be read or its places contradict each other.
    pub compiled: Arc<CompiledPolicy>,
    /// The stored record, with `text` as its text.
    pub record: PolicyRecord,
    /// Where it is stored.
    pub places: SmallMap<PolicyPlace, Read<PolicyRecord>>,
}

/// An inline policy of a user, group or role.
#[derive(Debug, Clone)]
pub struct InlinePolicy {
    /// Its text; empty when it cannot be read.
    pub text: Arc<str>,
    /// Its index.
    pub compiled: Arc<CompiledPolicy>,
    /// Whether it is in one of our documents.
    pub ours: Option<Read<InlinePolicyRecord>>,
    /// Whether it is in SeaweedFS's shared document.
    pub weeds: Option<Arc<str>>,
}

pub(super) type InlineMap = SmallMap<Arc<str>, InlinePolicy>;

impl ManagedPolicy {
    /// Builds the policy from its places; `None` if there are none.
    pub(super) fn of(
        name: &Arc<str>,
        places: SmallMap<PolicyPlace, Read<PolicyRecord>>,
        account: AccountId,
        texts: &mut Compiled,
    ) -> Option<Self> {
        let known = places.values().flatten().find(|policy| !policy.is_only_text());
        let record = known.cloned().unwrap_or_default();
        let stated = places.iter().map(|(place, read)| (place.describe(), read.as_ref().map(|policy| &policy.text)));
        let what = format!("policy `{name}`");
        let (text, agreed) = agree(&what, stated)?;
        let compiled = match agreed {
            Ok(()) => texts.identity(&text, &what),
            Err(reason) => Arc::new(CompiledPolicy::unreadable(reason)),
        };
        // If places contradict each other, no text is shown as the policy's own.
        let text = if compiled.unreadable_reason().is_some() && places.len() > 1 { Arc::from("") } else { text };
        let record = PolicyRecord { text: text.clone(), ..record };
        let account = record.account.parse().unwrap_or(account);
        let arn = format!("arn:aws:iam::{account}:policy{}{name}", path_or_root(&record.path));
        let id = unique_id("ANPA", &record.id, name);
        Some(Self { name: name.clone(), id, account: Some(account), arn: arn.into(), text, compiled, record, places })
    }

    /// The name that people see, without path.
    pub fn shown_name(&self) -> &str {
        self.name.rsplit('/').next().unwrap_or(&self.name)
    }

    /// Whether it is a policy of AWS: part of this program, and attachable in every account.
    pub fn is_aws_managed(&self) -> bool {
        self.account.is_none()
    }

    /// `/` or `/a/b/`.
    pub fn path(&self) -> &str {
        path_or_root(&self.record.path)
    }

    /// Its tags.
    pub fn tags(&self) -> &Tags {
        &self.record.tags
    }
}

impl InlinePolicy {
    /// Whether it belongs to the entity with this id, and not to an earlier one with the same name.
    pub(super) fn is_of(&self, id: &str) -> bool {
        let put_on = self.ours.as_ref().and_then(|own| own.as_ref().ok()).map_or("", |own| own.holder_id.as_str());
        put_on.is_empty() || put_on == id || self.weeds.is_some()
    }

    /// Builds the policy from our document and SeaweedFS's; `None` if there is neither.
    pub(super) fn of(
        what: &str,
        ours: Option<Read<InlinePolicyRecord>>,
        weeds: Option<Arc<str>>,
        texts: &mut Compiled,
    ) -> Option<Self> {
        let own = ours.iter().map(|read| ("the document of ours", read.as_ref().map(|policy| &policy.text)));
        let weed = weeds.iter().map(|text| ("/etc/iam/policies.json", Ok(text)));
        let (text, agreed) = agree(what, own.chain(weed))?;
        let compiled = match agreed {
            Ok(()) => texts.identity(&text, what),
            Err(reason) => Arc::new(CompiledPolicy::unreadable(reason)),
        };
        Some(Self { text, compiled, ours, weeds })
    }
}

/// The text on which all places agree. If one cannot be read, or two differ, it is unknown which one applies: then the
/// policy denies, with the reason.
fn agree<'a>(
    what: &str,
    places: impl Iterator<Item = (&'static str, Result<&'a Arc<str>, &'a Unreadable>)>,
) -> Option<(Arc<str>, Result<(), String>)> {
    let mut first: Option<(&'static str, Arc<str>)> = None;
    for (place, text) in places {
        let text = match text {
            Ok(text) => text,
            Err(reason) => return Some((Arc::from(""), Err(format!("{what} in {place} cannot be read: {reason}")))),
        };
        match &first {
            None => first = Some((place, text.clone())),
            Some((other, known)) if !same_policy(known, text) => {
                let reason = format!("{what} differs between {other} and {place}; remove one of the two");
                return Some((Arc::from(""), Err(reason)));
            }
            Some(_) => {}
        }
    }
    first.map(|(_, text)| (text, Ok(())))
}

/// Whether two texts say the same, apart from white space and the order of members. One in which a member occurs twice
/// cannot be read as a policy, so it does not say the same as one with only the last of the two.
fn same_policy(a: &str, b: &str) -> bool {
    let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).ok();
    let is_readable = |text: &str| Policy::parse_stored(PolicyKind::Identity, text).is_ok();
    a == b || value(a).is_some_and(|same| value(b) == Some(same)) && is_readable(a) == is_readable(b)
}

/// The name at the end of a policy ARN, or the text itself if it is not an ARN, because SeaweedFS's files name policies
/// directly. The name of a policy of AWS is its ARN.
pub fn policy_name_of(arn_or_name: &str) -> &str {
    if aws_managed::is_arn(arn_or_name) {
        return arn_or_name;
    }
    match arn_or_name.strip_prefix("arn:").and_then(|rest| rest.split_once(":policy/")) {
        Some((_, resource)) => resource.rsplit('/').next().unwrap_or(resource),
        None => arn_or_name,
    }
}
