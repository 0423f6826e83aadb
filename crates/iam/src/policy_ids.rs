//! Whom a bucket policy or a trust policy names. As on AWS a policy is about the user or role that had the name when it was put: the
//! unique ids stand in an attribute beside the policy, in which weed reads the names.

use std::borrow::Cow;
use std::collections::BTreeMap;

use aws_lc_rs::digest::{SHA256, digest};
use policy::{Policy, PolicyKind, Principal, PrincipalIds};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::bucket::{BucketPolicy, POLICY, POLICY_IDS};
use crate::documents::RoleDocument;
use crate::snapshot::Snapshot;
use crate::unique_id::unique_id;

/// The content of a bucket's attribute, and a part of a role's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyIds {
    /// SHA-256 of the policy's text: weed, or a hand, replaces the policy and leaves the attribute.
    policy: String,
    /// Unique ids by ARN.
    ids: PrincipalIds,
}

/// Whom a policy names at this moment. A name that nobody has stays a name.
pub fn policy_ids(policy: &Policy, snapshot: &Snapshot) -> PrincipalIds {
    let known = |(arn, named): (&str, Principal)| Some((arn.to_owned(), id_of(&named, snapshot)?));
    policy.named_principals().filter_map(known).collect()
}

/// The ids of a trust policy that is put now; `None` if it names nobody.
pub(crate) fn trust_ids(text: &str, snapshot: &Snapshot) -> Option<Box<PolicyIds>> {
    let policy = Policy::parse_stored(PolicyKind::Trust, text).ok()?;
    let ids = policy_ids(&policy, snapshot);
    (!ids.is_empty()).then(|| Box::new(PolicyIds { policy: trust_fingerprint(text), ids }))
}

/// The ids of a role's trust policy: none when a hand has replaced it since.
pub(crate) fn ids_of_trust(role: &RoleDocument) -> Option<&PrincipalIds> {
    let stored = role.facts.trust_ids.as_ref()?;
    (stored.policy == trust_fingerprint(&role.trust_policy)).then_some(&stored.ids)
}

/// A role's document is laid out anew when it is written.
fn trust_fingerprint(text: &str) -> String {
    let value = serde_json::from_str::<Value>(text).map(|value| value.to_string());
    fingerprint(value.as_deref().unwrap_or(text).as_bytes())
}

/// A policy and its ids as attributes of the bucket's entry: what to set, and what to remove.
pub fn policy_attributes(policy: Option<(&str, &PrincipalIds)>) -> (BTreeMap<String, Vec<u8>>, Vec<String>) {
    let stored = |(text, ids): (&str, &PrincipalIds)| {
        let stored = PolicyIds { policy: fingerprint(text.as_bytes()), ids: ids.clone() };
        // Texts are always JSON; an empty attribute would deny.
        serde_json::to_vec(&stored).unwrap_or_default()
    };
    let ids = policy.filter(|(_, ids)| !ids.is_empty()).map(stored);
    let (mut set, mut remove) = (BTreeMap::new(), Vec::new());
    for (name, value) in [(POLICY, policy.map(|(text, _)| text.as_bytes().to_vec())), (POLICY_IDS, ids)] {
        match value {
            Some(value) => drop(set.insert(name.to_owned(), value)),
            None => remove.push(name.to_owned()),
        }
    }
    (set, remove)
}

/// The ids beside a stored policy: none if there is no attribute, or one of another policy.
pub(crate) fn read(attribute: Option<&Vec<u8>>, policy: &[u8]) -> Result<PrincipalIds, String> {
    let Some(bytes) = attribute else { return Ok(PrincipalIds::new()) };
    let stored: PolicyIds = serde_json::from_slice(bytes).map_err(|error| {
        format!("the ids of its principals are no JSON of Kelpgate ({error}); put the policy again")
    })?;
    Ok(if stored.policy == fingerprint(policy) { stored.ids } else { BTreeMap::new() })
}

/// The policy as GetBucketPolicy shows it: with the names of now, and with the unique id of who is gone.
pub fn shown_policy<'a>(policy: &'a BucketPolicy, snapshot: &Snapshot) -> Cow<'a, str> {
    shown(&policy.text, &policy.ids, snapshot)
}

/// A trust policy as GetRole shows it.
pub(crate) fn shown_trust<'a>(role: &'a RoleDocument, snapshot: &Snapshot) -> Cow<'a, str> {
    match ids_of_trust(role) {
        Some(ids) => shown(&role.trust_policy, ids, snapshot),
        None => Cow::Borrowed(&role.trust_policy),
    }
}

fn shown<'a>(text: &'a str, ids: &PrincipalIds, snapshot: &Snapshot) -> Cow<'a, str> {
    let changed: BTreeMap<&str, String> =
        ids.iter().filter_map(|(arn, id)| Some((arn.as_str(), name_of(arn, id, snapshot)?))).collect();
    let as_put = Cow::Borrowed(text);
    if changed.is_empty() {
        return as_put;
    }
    let Ok(mut document) = serde_json::from_str::<Value>(text) else { return as_put };
    match document.get_mut("Statement") {
        Some(Value::Array(statements)) => statements.iter_mut().for_each(|statement| rename(statement, &changed)),
        Some(statement) => rename(statement, &changed),
        None => {}
    }
    Cow::Owned(document.to_string())
}

fn rename(statement: &mut Value, changed: &BTreeMap<&str, String>) {
    let renamed = |name: &mut Value| {
        if let Some(shown) = name.as_str().and_then(|name| changed.get(name)) {
            *name = Value::String(shown.clone());
        }
    };
    for element in ["Principal", "NotPrincipal"] {
        match statement.get_mut(element).and_then(|element| element.get_mut("AWS")) {
            Some(Value::Array(names)) => names.iter_mut().for_each(renamed),
            Some(name) => renamed(name),
            None => {}
        }
    }
}

/// What stands for an ARN now; `None` if its name still belongs to the id.
fn name_of(arn: &str, id: &str, snapshot: &Snapshot) -> Option<String> {
    let named = Policy::principal_of(arn)?;
    let holder = id_of(&named, snapshot);
    if holder.as_deref() == Some(id) {
        return None;
    }
    if let Principal::User { .. } = named
        && let Some(renamed) = snapshot.users().find(|user| *user.id == *id)
    {
        return Some(renamed.arn.to_string());
    }
    // An id that is made of the name says no more than the name, which may stand in a file that was not read here.
    let made_of_name = match &named {
        Principal::User { name, .. } => *unique_id("AIDA", "", name) == *id,
        Principal::AssumedRole { role, .. } => *unique_id("AROA", "", role) == *id,
        _ => false,
    };
    match named {
        _ if made_of_name && holder.is_none() => None,
        Principal::AssumedRole { session, .. } if !session.is_empty() => Some(format!("{id}:{session}")),
        _ => Some(id.to_owned()),
    }
}

/// The unique id of a user, or of a role.
fn id_of(named: &Principal, snapshot: &Snapshot) -> Option<String> {
    match named {
        Principal::User { name, .. } => {
            let user = snapshot.user(name).filter(|user| user.principal.to_string() == named.to_string())?;
            Some(user.id.to_string())
        }
        Principal::AssumedRole { account, role, role_path, .. } => {
            let role = snapshot.role(role).filter(|found| found.account == *account)?;
            (role_path.is_empty() || **role_path == *role.path).then(|| role.id.to_string())
        }
        _ => None,
    }
}

fn fingerprint(text: &[u8]) -> String {
    digest(&SHA256, text).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ids::AccountId;
    use policy::{Action, CompiledPolicy, Context, CrossAccount, Decision, PolicySet, Request, decide};

    use super::*;
    use crate::bucket::Bucket;
    use crate::change::{Change, RolePlace};
    use crate::documents::{Facts, UserDocument};
    use crate::identities::Identities;
    use crate::snapshot::Settings;

    const ARNS: [&str; 3] = [
        "arn:aws:iam::000000000000:user/al",
        "arn:aws:iam::000000000000:role/app",
        "arn:aws:sts::000000000000:assumed-role/app/s1",
    ];

    fn user(name: &str, id: &str) -> Change {
        let facts = Facts { id: id.to_owned(), ..Facts::default() };
        let document = UserDocument { name: name.to_owned(), facts, ..UserDocument::default() };
        Change::User(name.into(), Some(Ok(document)))
    }

    fn role(name: &str, id: &str) -> Change {
        let facts = Facts { id: id.to_owned(), ..Facts::default() };
        let document = RoleDocument { name: name.to_owned(), facts, ..RoleDocument::default() };
        Change::Role(name.into(), RolePlace::Base, Some(Ok(document)))
    }

    fn gone(name: &str) -> [Change; 2] {
        [Change::User(name.into(), None), Change::Role(name.into(), RolePlace::Base, None)]
    }

    fn world() -> Snapshot {
        let empty = Snapshot::new(Settings::default(), &Identities::default());
        empty.apply([user("al", "AIDAONE"), role("app", "AROAONE")])
    }

    fn text(effect: &str, element: &str, arn: &str) -> String {
        let statement = r#"{"Version":"2012-10-17","Statement":{"Effect":"EFFECT","ELEMENT":{"AWS":["ARN"]},"Action":"s3:GetObject","Resource":"arn:aws:s3:::b1x/*"}}"#;
        statement.replace("EFFECT", effect).replace("ELEMENT", element).replace("ARN", arn)
    }

    /// The bucket after PutBucketPolicy in this world; `None` for the ids as weed writes it.
    fn bucket(text: &str, put_in: Option<&Snapshot>) -> Bucket {
        let policy = Policy::parse_bucket("b1x", text).unwrap();
        let ids = put_in.map(|snapshot| policy_ids(&policy, snapshot)).unwrap_or_default();
        let (set, _) = policy_attributes(Some((text, &ids)));
        Bucket::read("b1x", &set, &[], 7, 0, None)
    }

    fn caller(snapshot: &Snapshot, name: &str) -> (Principal, Arc<str>) {
        let account = AccountId::DEFAULT;
        match (snapshot.user(name), snapshot.role(name)) {
            (Some(user), _) => (user.principal.clone(), user.id.clone()),
            (None, Some(found)) => {
                let (role, role_path, session) = (found.name.to_string(), found.path.to_string(), "s1".to_owned());
                (Principal::AssumedRole { account, role, role_path, session }, found.id.clone())
            }
            _ => panic!("{name}"),
        }
    }

    /// Asks a question about one action of a caller who has no policies of its own.
    fn ask(
        snapshot: &Snapshot,
        name: &str,
        (action, on): (&str, &str),
        resource: Option<&CompiledPolicy>,
        question: impl Fn(&PolicySet<'_>, &Request<'_>) -> Decision,
    ) -> bool {
        let (principal, id) = caller(snapshot, name);
        let policies = PolicySet {
            identity: &[],
            resource,
            session: None,
            boundary: None,
            cross_account: CrossAccount::default(),
        };
        let request = Request {
            principal: &principal,
            principal_id: Some(&id),
            principal_canonical_id: None,
            action: Action::named(action).unwrap().into(),
            resource: on,
            resource_account: AccountId::DEFAULT,
            context: &Context::new(),
        };
        question(&policies, &request).is_allow()
    }

    fn may(bucket: &Bucket, snapshot: &Snapshot, name: &str) -> bool {
        ask(snapshot, name, ("s3:GetObject", "arn:aws:s3:::b1x/k"), bucket.compiled_policy(), decide)
    }

    #[test]
    fn a_grant_stays_with_who_had_the_name() {
        let first = world();
        let renamed = first.apply(gone("al").into_iter().chain([user("bo", "AIDAONE"), user("al", "AIDATWO")]));
        let next = first.apply([user("al", "AIDATWO"), role("app", "AROATWO")]);
        let none = first.apply(gone("al").into_iter().chain(gone("app")));
        for arn in ARNS {
            let name = if arn.contains("user") { "al" } else { "app" };
            let of_first = bucket(&text("Allow", "Principal", arn), Some(&first));
            assert!(may(&of_first, &first, name), "{arn}");
            assert!(!may(&of_first, &next, name), "the next one of the name: {arn}");
            let of_weed = bucket(&text("Allow", "Principal", arn), None);
            assert!(may(&of_weed, &first, name) && may(&of_weed, &next, name), "weed's has names alone: {arn}");
            let of_nobody = bucket(&text("Allow", "Principal", arn), Some(&none));
            assert!(may(&of_nobody, &next, name), "a name that nobody had stays a name: {arn}");
        }
        let of_user = bucket(&text("Allow", "Principal", ARNS[0]), Some(&first));
        assert!(may(&of_user, &renamed, "bo") && !may(&of_user, &renamed, "al"), "a renamed user keeps the grant");
    }

    #[test]
    fn a_deny_spares_whom_it_named() {
        let first = world();
        let next = first.apply([user("al", "AIDATWO"), user("bo", "AIDAONE")]);
        let deny = text("Deny", "NotPrincipal", ARNS[0]);
        let allow = r#","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b1x/*"},"#;
        let both = deny.replace(r#","Statement":"#, allow).replace("}}", "}]}");
        let of_first = bucket(&both, Some(&first));
        assert!(may(&of_first, &first, "al"));
        assert!(may(&of_first, &next, "bo") && !may(&of_first, &next, "al"));
    }

    #[test]
    fn who_is_gone_is_shown_by_id() {
        let first = world();
        let next = first.apply([user("al", "AIDATWO"), role("app", "AROATWO")]);
        let none = first.apply(gone("al").into_iter().chain(gone("app")));
        let renamed = first.apply(gone("al").into_iter().chain([user("bo", "AIDAONE")]));
        for (arn, id) in ARNS.iter().zip(["AIDAONE", "AROAONE", "AROAONE:s1"]) {
            for element in ["Principal", "NotPrincipal"] {
                let put = text("Deny", element, arn);
                let of_first = bucket(&put, Some(&first));
                let policy = of_first.policy.as_ref().unwrap();
                assert_eq!(shown_policy(policy, &first), put.as_str(), "as it was put");
                for world in [&next, &none] {
                    let shown: Value = serde_json::from_str(&shown_policy(policy, world)).unwrap();
                    assert_eq!(shown["Statement"][element]["AWS"][0], *id);
                }
            }
        }
        let of_first = bucket(&text("Allow", "Principal", ARNS[0]), Some(&first));
        let shown = shown_policy(of_first.policy.as_ref().unwrap(), &renamed).into_owned();
        let of_file = bucket_of_file(&none);
        assert_eq!(shown_policy(of_file.policy.as_ref().unwrap(), &none), text("Allow", "Principal", ARNS[0]).as_str());
        assert!(shown.contains("user/bo") && !shown.contains("AIDA"), "{shown}");
    }

    /// A user without an id of its own.
    fn bucket_of_file(empty: &Snapshot) -> Bucket {
        bucket(&text("Allow", "Principal", ARNS[0]), Some(&empty.apply([user("al", "")])))
    }

    #[test]
    fn ids_of_another_policy_do_not_count_and_unreadable_ones_deny() {
        let first = world();
        let put = text("Allow", "Principal", ARNS[0]);
        let ids = policy_ids(&Policy::parse_stored(PolicyKind::Bucket, &put).unwrap(), &first);
        let (mut set, remove) = policy_attributes(Some((&put, &ids)));
        assert!(remove.is_empty() && !ids.is_empty());
        let next = first.apply([user("al", "AIDATWO")]);
        let read = |set: &BTreeMap<String, Vec<u8>>, previous| Bucket::read("b1x", set, &[], 7, 0, previous);
        let known = read(&set, None);
        let again = read(&set, Some(&known));
        assert!(Arc::ptr_eq(&known.policy.as_ref().unwrap().compiled, &again.policy.as_ref().unwrap().compiled));
        // weed replaces the policy, and leaves the attribute.
        set.insert(POLICY.to_owned(), format!("{put} ").into_bytes());
        assert!(may(&read(&set, Some(&known)), &next, "al"));
        for broken in ["", "{", "[]", r#"{"policy":"x"}"#] {
            set.insert(POLICY_IDS.to_owned(), broken.into());
            assert!(read(&set, None).policy.unwrap().compiled.unreadable_reason().is_some(), "{broken}");
        }
        assert_eq!(policy_attributes(None), (BTreeMap::new(), vec![POLICY.to_owned(), POLICY_IDS.to_owned()]));
        let (set, remove) = policy_attributes(Some((&put, &PrincipalIds::new())));
        assert_eq!((set.len(), remove), (1, vec![POLICY_IDS.to_owned()]));
    }

    fn trust_of(principal: &str) -> String {
        format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"AWS":"{principal}"}},"Action":"sts:AssumeRole"}}]}}"#
        )
    }

    /// The world with a role whose trust policy was put in `put_in`, written and read again; `None` for the ids as a hand writes it.
    fn trusting(world: &Snapshot, text: &str, put_in: Option<&Snapshot>) -> Snapshot {
        let ids = put_in.and_then(|snapshot| trust_ids(text, snapshot));
        let written = RoleDocument {
            name: "goal".to_owned(),
            trust_policy: text.to_owned(),
            facts: Facts { id: "AROAGOAL".to_owned(), trust_ids: ids, ..Facts::default() },
            ..RoleDocument::default()
        };
        let facts = Facts::parse(&written.facts.to_text().unwrap()).unwrap();
        assert_eq!(facts, written.facts);
        let read = RoleDocument::parse(&written.to_text(), facts).unwrap();
        assert!(!written.to_text().contains("AIDA"), "weed reads names");
        world.apply([Change::Role("goal".into(), RolePlace::Base, Some(Ok(read)))])
    }

    fn may_assume(world: &Snapshot, name: &str) -> bool {
        let trust = &world.role("goal").unwrap().trust;
        let question = |policies: &PolicySet<'_>, request: &Request<'_>| policy::decide_trust(trust, policies, request);
        ask(world, name, ("sts:AssumeRole", "arn:aws:iam::000000000000:role/goal"), None, question)
    }

    #[test]
    fn trust_stays_with_who_had_the_name() {
        let first = world();
        let renamed = first.apply(gone("al").into_iter().chain([user("bo", "AIDAONE"), user("al", "AIDATWO")]));
        let next = first.apply([user("al", "AIDATWO"), role("app", "AROATWO")]);
        for (arn, id) in ARNS.iter().zip(["AIDAONE", "AROAONE", "AROAONE:s1"]) {
            let name = if arn.contains("user") { "al" } else { "app" };
            let text = trust_of(arn);
            assert!(may_assume(&trusting(&first, &text, Some(&first)), name), "{arn}");
            let later = trusting(&next, &text, Some(&first));
            assert!(!may_assume(&later, name), "the next one of the name: {arn}");
            let shown: Value =
                serde_json::from_str(&shown_trust(&later.role("goal").unwrap().document, &later)).unwrap();
            assert_eq!(shown["Statement"][0]["Principal"]["AWS"], *id);
            assert!(may_assume(&trusting(&next, &text, None), name), "a hand writes names alone: {arn}");
            assert!(may_assume(&trusting(&next, &text, Some(&next)), name), "put again: {arn}");
        }
        let followed = trusting(&renamed, &trust_of(ARNS[0]), Some(&first));
        assert!(may_assume(&followed, "bo") && !may_assume(&followed, "al"), "a renamed user keeps it");
        assert!(shown_trust(&followed.role("goal").unwrap().document, &followed).contains("user/bo"));
    }

    #[test]
    fn a_trust_policy_that_a_hand_replaced_has_names_alone() {
        let first = world();
        let next = first.apply([user("al", "AIDATWO")]);
        let put = trusting(&first, &trust_of(ARNS[0]), Some(&first));
        let mut replaced = (*put.role("goal").unwrap().document).clone();
        assert!(ids_of_trust(&replaced).is_some());
        replaced.trust_policy = replaced.trust_policy.replace("sts:AssumeRole", "sts:*");
        assert!(ids_of_trust(&replaced).is_none());
        let next = next.apply([Change::Role("goal".into(), RolePlace::Base, Some(Ok(replaced)))]);
        assert!(may_assume(&next, "al"));
        assert!(Facts::parse(r#"{"trustIds":{"policy":5}}"#).is_err(), "what cannot be read denies");
    }
}
