//! What has to be called so that a gateway's state becomes that of a tree.
//!
//! Each call is complete in itself, so an interrupted run leaves nothing half done. Their order follows from what they do
//! to rights: what restricts comes before what allows, and what lifts a restriction comes last.

use std::collections::{BTreeMap, BTreeSet};

use aws_lc_rs::digest::{SHA256, digest};
use iam::is_claim_based;

use super::answers::{Found, Keys};
use super::{Document, Entity, Kind, Tree, is_of_aws};
use crate::Refused;

/// The most versions that a policy can have, including the default one.
const VERSIONS: usize = 5;

/// A call of an API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    /// An action of IAM with its parameters.
    Iam(&'static str, Vec<(String, String)>),
    /// PutBucketPolicy: the bucket, and the text.
    PutBucketPolicy(String, String),
    /// DeleteBucketPolicy.
    DeleteBucketPolicy(String),
}

/// One step of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeStep {
    /// `create`, `update`, `remove` or `delete`.
    pub word: &'static str,
    /// What becomes of what, without policy texts.
    pub what: String,
    /// How.
    pub call: Call,
    order: (Rank, u8),
}

/// When a step comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// An entity without rights is created.
    Create,
    /// A boundary is set, a user disabled.
    Restrict,
    /// A policy that denies something comes into force.
    Deny,
    /// A policy without a Deny goes.
    Withdraw,
    /// A policy without a Deny comes into force; everything that is no policy.
    Allow,
    /// A Deny or a boundary goes, a user is enabled.
    Lift,
    /// An entity is deleted.
    Delete,
}

/// The differences between a tree and what is found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// The calls, in order.
    pub steps: Vec<TreeStep>,
    /// What the tree lacks and only pruning deletes.
    pub extra: Vec<String>,
    /// What cannot be done.
    pub refused: Vec<Refused>,
}

impl Plan {
    /// Twelve hexadecimal digits that name what this plan does.
    pub fn id(&self) -> String {
        let told: Vec<String> = self.steps.iter().map(|step| format!("{:?}", step.call)).collect();
        let hash = hex::encode(digest(&SHA256, told.join("\n").as_bytes()));
        hash.chars().take(12).collect()
    }

    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty() && self.extra.is_empty() && self.refused.is_empty()
    }
}

impl Tree {
    /// The users that pruning would delete: their keys have to be found before a plan is made.
    pub fn users_to_prune<'a>(&'a self, found: &'a Found) -> impl Iterator<Item = &'a String> {
        let users = self.kinds.get(&Kind::User);
        let extra = found.tree.of_kind(Kind::User).map(|(name, _)| name);
        extra.filter(move |name| users.is_some_and(|users| !users.contains_key(*name)))
    }

    /// Compares the tree with what is found. With `prune`, what the tree lacks is deleted.
    pub fn plan(&self, found: &Found, prune: bool) -> Plan {
        let mut planner =
            Planner { tree: self, found, prune, plan: Plan::default(), now: (Kind::Policy, String::new()) };
        for kind in Kind::ALL {
            if self.kinds.contains_key(&kind) {
                planner.compare(kind);
            }
        }
        planner.alias();
        let mut plan = planner.plan;
        plan.steps.sort_by_key(|step| step.order);
        plan
    }
}

struct Planner<'a> {
    tree: &'a Tree,
    found: &'a Found,
    prune: bool,
    plan: Plan,
    now: (Kind, String),
}

/// The parameters of a call.
type Pairs = Vec<(String, String)>;

impl Planner<'_> {
    fn compare(&mut self, kind: Kind) {
        let found = self.found;
        for (name, wanted) in self.tree.of_kind(kind) {
            self.now = (kind, name.clone());
            if let Some(why) = self.fault(wanted) {
                self.refuse(why);
                continue;
            }
            match found.tree.get(kind, name) {
                Some(have) => self.update(have, wanted),
                None => self.create(wanted),
            }
        }
        let wanted = self.tree.kinds.get(&kind);
        for (name, have) in found.tree.of_kind(kind) {
            if wanted.is_some_and(|wanted| wanted.keys().any(|known| known.eq_ignore_ascii_case(name))) {
                continue;
            }
            self.now = (kind, name.clone());
            if !self.prune {
                self.plan.extra.push(kind.named(name));
            } else if kind == Kind::User && found.user.as_ref() == Some(name) {
                self.refuse("it signs these calls, so it is not deleted; add it to the tree, or sign as someone else");
            } else {
                self.delete(have);
            }
        }
    }

    /// Why the entity cannot be made as the tree has it.
    fn fault(&self, wanted: &Entity) -> Option<String> {
        let (kind, name) = &self.now;
        let of_kind = || self.found.tree.of_kind(*kind).map(|(name, _)| name);
        if self.found.of_files.iter().any(|(of, known)| of == kind && known.eq_ignore_ascii_case(name)) {
            return Some(
                "a file of the gateways defines it (-config, -iam.config); change it there, and remove it here"
                    .to_owned(),
            );
        }
        if let Some(other) = of_kind().find(|other| other.eq_ignore_ascii_case(name) && *other != name) {
            return Some(format!("the gateway has it as `{other}`, and IAM ignores case; use that spelling"));
        }
        if *kind == Kind::Role && is_claim_based(name) {
            return Some("the name is reserved for sessions without a role; choose another one".to_owned());
        }
        if *kind == Kind::BucketPolicy && !self.found.buckets.contains(name) {
            return Some("there is no such bucket; create it first".to_owned());
        }
        if *kind == Kind::User && wanted.disabled && self.found.user.as_ref() == Some(name) {
            return Some("it signs these calls, so it is not disabled; sign as someone else".to_owned());
        }
        let named = wanted.policies.iter().chain(&wanted.boundary);
        let mut unknown = named.filter(|policy| !is_of_aws(policy) && !self.will_exist(Kind::Policy, policy));
        if let Some(policy) = unknown.next() {
            return Some(format!("there is no policy `{policy}`; add `policies/{policy}.json`, or correct the name"));
        }
        let members = match kind {
            Kind::Group => Kind::User,
            _ => Kind::Role,
        };
        let lost = wanted.members.iter().find(|member| !self.will_exist(members, member))?;
        Some(format!("there is no {}; add its file, or remove it here", members.named(lost)))
    }

    /// Whether an entity exists once the plan is done.
    fn will_exist(&self, kind: Kind, name: &str) -> bool {
        let stays = self.found.tree.get(kind, name).is_some() && !(self.prune && self.tree.kinds.contains_key(&kind));
        self.tree.get(kind, name).is_some() || stays || self.found.of_files.contains(&(kind, name.to_owned()))
    }

    fn create(&mut self, wanted: &Entity) {
        let (kind, name) = self.now.clone();
        let document = |document: &Option<Document>| document.as_ref().map(Document::text).unwrap_or_default();
        let mut pairs = match kind {
            Kind::BucketPolicy => return self.put_bucket_policy("create", wanted),
            Kind::Policy => vec![pair("PolicyName", &name), pair("PolicyDocument", &document(&wanted.document))],
            Kind::OidcProvider => {
                let mut pairs = vec![pair("Url", &format!("https://{name}"))];
                pairs.extend(list("ClientIDList", &wanted.client_ids));
                pairs.extend(list("ThumbprintList", &wanted.thumbprints));
                pairs
            }
            Kind::Role => {
                let seconds = wanted.max_session_s.unwrap_or(3600).to_string();
                vec![
                    pair("RoleName", &name),
                    pair("AssumeRolePolicyDocument", &document(&wanted.trust)),
                    pair("MaxSessionDuration", &seconds),
                ]
            }
            Kind::Group | Kind::User | Kind::InstanceProfile => vec![self.subject()],
        };
        if !wanted.path.is_empty() {
            pairs.push(pair("Path", &wanted.path));
        }
        if !wanted.description.is_empty() {
            pairs.push(pair("Description", &wanted.description));
        }
        if let Some(boundary) = &wanted.boundary {
            pairs.push(pair("PermissionsBoundary", &self.arn(boundary)));
        }
        pairs.extend(tags(wanted.tags.iter()));
        self.step(Rank::Create, "create", kind.named(&name), Call::Iam(creation(kind), pairs));
        // It has everything but what gives rights, which comes in its turn.
        let made = Entity {
            policies: BTreeSet::new(),
            inline: BTreeMap::new(),
            members: BTreeSet::new(),
            disabled: false,
            ..wanted.clone()
        };
        self.update(&made, wanted);
    }

    fn update(&mut self, have: &Entity, wanted: &Entity) {
        self.update_fields(have, wanted);
        self.update_boundary(have, wanted);
        self.update_policies(have, wanted);
        self.update_tags(have, wanted);
        self.update_members(have, wanted);
        if self.now.0 == Kind::OidcProvider {
            self.update_provider(have, wanted);
        }
    }

    fn update_fields(&mut self, have: &Entity, wanted: &Entity) {
        let kind = self.now.0;
        if have.path != wanted.path {
            match kind {
                Kind::User => self.iam(Rank::Allow, "update", "path", "UpdateUser", vec![pair("NewPath", &wanted.path)]),
                Kind::Group => self.iam(Rank::Allow, "update", "path", "UpdateGroup", vec![pair("NewPath", &wanted.path)]),
                _ => self.refuse(format!(
                    "its path is `{}`, and IAM cannot change it to `{}`; delete it and apply again, or correct the path",
                    have.path, wanted.path
                )),
            }
        }
        if have.description != wanted.description {
            match kind {
                Kind::Role => {
                    let pairs = vec![pair("Description", &wanted.description)];
                    self.iam(Rank::Allow, "update", "description", "UpdateRoleDescription", pairs);
                }
                _ => self.refuse(
                    "IAM cannot change its description; write the one that it has, or delete it and apply again",
                ),
            }
        }
        if have.max_session_s != wanted.max_session_s {
            let seconds = wanted.max_session_s.unwrap_or(3600).to_string();
            self.iam(
                Rank::Allow,
                "update",
                "longest session",
                "UpdateRole",
                vec![pair("MaxSessionDuration", &seconds)],
            );
        }
        if let (true, Some(trust)) = (have.trust != wanted.trust, &wanted.trust) {
            let pairs = vec![pair("PolicyDocument", &trust.text())];
            self.iam(changing(have.trust.as_ref(), trust), "update", "trust policy", "UpdateAssumeRolePolicy", pairs);
        }
        if have.document != wanted.document {
            match kind {
                Kind::BucketPolicy => self.put_bucket_policy("update", wanted),
                _ => self.new_version(have, wanted),
            }
        }
        match (have.disabled, wanted.disabled) {
            (false, true) => {
                self.iam(Rank::Restrict, "update", "disabled", "SetUserStatus", vec![pair("Status", "Inactive")])
            }
            (true, false) => self.iam(Rank::Lift, "update", "enabled", "SetUserStatus", vec![pair("Status", "Active")]),
            _ => {}
        }
    }

    /// A managed policy gets a new default version. If it has as many as it may, the oldest one makes room.
    fn new_version(&mut self, have: &Entity, wanted: &Entity) {
        let Some(document) = &wanted.document else { return };
        let rank = changing(have.document.as_ref(), document);
        let old = self.found.old_versions.get(&self.now.1).map(Vec::as_slice).unwrap_or_default();
        if let (true, Some(oldest)) = (old.len() + 1 >= VERSIONS, old.first()) {
            let (what, pairs) = (format!("version {oldest}, to make room"), vec![pair("VersionId", oldest)]);
            self.iam(rank, "remove", &what, "DeletePolicyVersion", pairs);
        }
        let pairs = vec![pair("PolicyDocument", &document.text()), pair("SetAsDefault", "true")];
        self.iam(rank, "update", "document", "CreatePolicyVersion", pairs);
    }

    fn update_boundary(&mut self, have: &Entity, wanted: &Entity) {
        let is_user = self.now.0 == Kind::User;
        match &wanted.boundary {
            same if *same == have.boundary => {}
            Some(policy) => {
                let action = if is_user { "PutUserPermissionsBoundary" } else { "PutRolePermissionsBoundary" };
                let rank = if have.boundary.is_none() { Rank::Restrict } else { Rank::Allow };
                let pairs = vec![pair("PermissionsBoundary", &self.arn(policy))];
                self.iam(rank, "update", &format!("boundary `{policy}`"), action, pairs);
            }
            None => {
                let action = if is_user { "DeleteUserPermissionsBoundary" } else { "DeleteRolePermissionsBoundary" };
                self.iam(Rank::Lift, "remove", "boundary", action, Vec::new());
            }
        }
    }

    fn update_policies(&mut self, have: &Entity, wanted: &Entity) {
        let kind = self.now.0;
        let by_kind = |user, group, role| match kind {
            Kind::User => user,
            Kind::Group => group,
            _ => role,
        };
        for policy in wanted.policies.difference(&have.policies) {
            let action = by_kind("AttachUserPolicy", "AttachGroupPolicy", "AttachRolePolicy");
            let (rank, pairs) = (coming(self.denies(policy)), vec![pair("PolicyArn", &self.arn(policy))]);
            self.iam(rank, "create", &format!("attachment of policy `{policy}`"), action, pairs);
        }
        for policy in have.policies.difference(&wanted.policies) {
            let action = by_kind("DetachUserPolicy", "DetachGroupPolicy", "DetachRolePolicy");
            let (rank, pairs) = (going(self.denies(policy)), vec![pair("PolicyArn", &self.arn(policy))]);
            self.iam(rank, "remove", &format!("attachment of policy `{policy}`"), action, pairs);
        }
        for (name, document) in &wanted.inline {
            let action = by_kind("PutUserPolicy", "PutGroupPolicy", "PutRolePolicy");
            let pairs = vec![pair("PolicyName", name), pair("PolicyDocument", &document.text())];
            let what = format!("inline policy `{name}`");
            match have.inline.get(name) {
                None => self.iam(coming(document.denies()), "create", &what, action, pairs),
                Some(known) if known == document => {}
                known => self.iam(changing(known, document), "update", &what, action, pairs),
            }
        }
        for (name, document) in have.inline.iter().filter(|(name, _)| !wanted.inline.contains_key(*name)) {
            let action = by_kind("DeleteUserPolicy", "DeleteGroupPolicy", "DeleteRolePolicy");
            let pairs = vec![pair("PolicyName", name)];
            self.iam(going(document.denies()), "remove", &format!("inline policy `{name}`"), action, pairs);
        }
    }

    fn update_tags(&mut self, have: &Entity, wanted: &Entity) {
        let (tag, untag) = match self.now.0 {
            Kind::User => ("TagUser", "UntagUser"),
            Kind::Role => ("TagRole", "UntagRole"),
            Kind::Policy => ("TagPolicy", "UntagPolicy"),
            Kind::OidcProvider => ("TagOpenIDConnectProvider", "UntagOpenIDConnectProvider"),
            _ => ("TagInstanceProfile", "UntagInstanceProfile"),
        };
        // A key that only differs in case is the same to IAM, which keeps the new spelling.
        let kept = |key: &String| wanted.tags.keys().any(|known| known.to_lowercase() == key.to_lowercase());
        let gone: BTreeSet<String> = have.tags.keys().filter(|key| !kept(key)).cloned().collect();
        if !gone.is_empty() {
            self.iam(Rank::Allow, "remove", "tags", untag, list("TagKeys", &gone));
        }
        let new = wanted.tags.iter().filter(|(key, value)| have.tags.get(*key) != Some(value));
        let new = tags(new);
        if !new.is_empty() {
            self.iam(Rank::Allow, "update", "tags", tag, new);
        }
    }

    fn update_members(&mut self, have: &Entity, wanted: &Entity) {
        let of_group = self.now.0 == Kind::Group;
        let (word, parameter) = if of_group { ("member", "UserName") } else { ("role", "RoleName") };
        let denies = of_group && self.group_denies(have, wanted);
        for name in have.members.difference(&wanted.members) {
            let action = if of_group { "RemoveUserFromGroup" } else { "RemoveRoleFromInstanceProfile" };
            self.iam(going(denies), "remove", &format!("{word} `{name}`"), action, vec![pair(parameter, name)]);
        }
        for name in wanted.members.difference(&have.members) {
            let action = if of_group { "AddUserToGroup" } else { "AddRoleToInstanceProfile" };
            // A profile has one role, so the old one has to go first.
            let rank = if of_group { coming(denies) } else { Rank::Allow };
            self.iam(rank, "create", &format!("{word} `{name}`"), action, vec![pair(parameter, name)]);
        }
    }

    fn group_denies(&self, have: &Entity, wanted: &Entity) -> bool {
        let all = [have, wanted];
        all.iter().any(|group| {
            group.inline.values().any(Document::denies) || group.policies.iter().any(|policy| self.denies(policy))
        })
    }

    fn update_provider(&mut self, have: &Entity, wanted: &Entity) {
        for id in have.client_ids.difference(&wanted.client_ids) {
            let action = "RemoveClientIDFromOpenIDConnectProvider";
            self.iam(Rank::Withdraw, "remove", &format!("client id `{id}`"), action, vec![pair("ClientID", id)]);
        }
        for id in wanted.client_ids.difference(&have.client_ids) {
            let action = "AddClientIDToOpenIDConnectProvider";
            self.iam(Rank::Allow, "create", &format!("client id `{id}`"), action, vec![pair("ClientID", id)]);
        }
        if have.thumbprints != wanted.thumbprints {
            let mut pairs = list("ThumbprintList", &wanted.thumbprints);
            if pairs.is_empty() {
                pairs.push(pair("ThumbprintList", "")); // none at all
            }
            self.iam(Rank::Allow, "update", "thumbprints", "UpdateOpenIDConnectProviderThumbprint", pairs);
        }
    }

    fn put_bucket_policy(&mut self, word: &'static str, wanted: &Entity) {
        let (kind, bucket) = self.now.clone();
        let Some(document) = &wanted.document else { return };
        let have = self.found.tree.get(kind, &bucket).and_then(|have| have.document.as_ref());
        let call = Call::PutBucketPolicy(bucket.clone(), document.text());
        self.step(changing(have, document), word, kind.named(&bucket), call);
    }

    /// Deletes an entity after everything that it has.
    fn delete(&mut self, have: &Entity) {
        let (kind, name) = self.now.clone();
        if kind == Kind::BucketPolicy {
            let call = Call::DeleteBucketPolicy(name.clone());
            return self.step(Rank::Delete, "delete", kind.named(&name), call);
        }
        let first = self.plan.steps.len();
        let action = match kind {
            Kind::Policy => self.delete_versions(),
            Kind::User => self.delete_keys(),
            Kind::Group => "DeleteGroup",
            Kind::Role => "DeleteRole",
            Kind::InstanceProfile => "DeleteInstanceProfile",
            _ => "DeleteOpenIDConnectProvider",
        };
        if matches!(kind, Kind::User | Kind::Group | Kind::Role | Kind::InstanceProfile) {
            let bare =
                Entity { policies: BTreeSet::new(), inline: BTreeMap::new(), members: BTreeSet::new(), ..have.clone() };
            self.update_policies(have, &bare);
            self.update_members(have, &bare);
        }
        if kind == Kind::User {
            self.leave_groups();
        }
        self.step(Rank::Delete, "delete", kind.named(&name), Call::Iam(action, vec![self.subject()]));
        let order = (Rank::Delete, deletion_order(kind));
        for step in self.plan.steps.iter_mut().skip(first) {
            // Nothing else may be lifted while its keys still sign.
            let is_key = matches!(step.call, Call::Iam("DeleteAccessKey" | "DeleteServiceAccount", _));
            step.order = if is_key { (Rank::Restrict, 0) } else { order };
        }
    }

    fn delete_keys(&mut self) -> &'static str {
        let Keys { access_keys, service_accounts } = self.found.keys.get(&self.now.1).cloned().unwrap_or_default();
        for key in access_keys {
            let pairs = vec![pair("AccessKeyId", &key)];
            self.iam(Rank::Delete, "remove", &format!("access key `{key}`"), "DeleteAccessKey", pairs);
        }
        for id in service_accounts {
            let call = Call::Iam("DeleteServiceAccount", vec![pair("ServiceAccountId", &id)]);
            self.step(Rank::Delete, "delete", format!("service account `{id}`"), call);
        }
        "DeleteUser"
    }

    fn delete_versions(&mut self) -> &'static str {
        let old = self.found.old_versions.get(&self.now.1).cloned().unwrap_or_default();
        for version in old {
            let pairs = vec![pair("VersionId", &version)];
            self.iam(Rank::Delete, "remove", &format!("version {version}"), "DeletePolicyVersion", pairs);
        }
        "DeletePolicy"
    }

    /// Groups that are deleted too, or that the tree has without the user, are done with already.
    fn leave_groups(&mut self) {
        let (name, found) = (self.now.1.clone(), self.found);
        if self.tree.kinds.contains_key(&Kind::Group) {
            return;
        }
        for (group, _) in found.tree.of_kind(Kind::Group).filter(|(_, group)| group.members.contains(&name)) {
            let pairs = vec![pair("GroupName", group)];
            self.iam(Rank::Delete, "remove", &format!("membership in group `{group}`"), "RemoveUserFromGroup", pairs);
        }
    }

    fn alias(&mut self) {
        let Some(alias) = &self.tree.account_alias else { return };
        if self.found.tree.account_alias.as_ref() != Some(alias) {
            let call = Call::Iam("CreateAccountAlias", vec![pair("AccountAlias", alias)]);
            self.step(Rank::Allow, "update", format!("account alias `{alias}`"), call);
        }
    }

    fn denies(&self, policy: &str) -> bool {
        let known = [self.tree, &self.found.tree];
        let mut documents = known.iter().filter_map(|tree| tree.get(Kind::Policy, policy)?.document.as_ref());
        documents.any(Document::denies)
    }

    /// The ARN of a policy.
    fn arn(&self, policy: &str) -> String {
        if is_of_aws(policy) {
            return policy.to_owned();
        }
        let known = self.found.tree.get(Kind::Policy, policy).or_else(|| self.tree.get(Kind::Policy, policy));
        let path = known.map_or("/", |policy| policy.path.as_str());
        format!("arn:aws:iam::{}:policy{path}{policy}", self.found.account)
    }

    /// The parameter that names the entity at hand.
    fn subject(&self) -> (String, String) {
        let (kind, name) = &self.now;
        match kind {
            Kind::User => pair("UserName", name),
            Kind::Group => pair("GroupName", name),
            Kind::Role => pair("RoleName", name),
            Kind::InstanceProfile => pair("InstanceProfileName", name),
            Kind::Policy => pair("PolicyArn", &self.arn(name)),
            Kind::OidcProvider | Kind::BucketPolicy => {
                pair("OpenIDConnectProviderArn", &format!("arn:aws:iam::{}:oidc-provider/{name}", self.found.account))
            }
        }
    }

    /// A step about a part of the entity at hand.
    fn iam(&mut self, rank: Rank, word: &'static str, part: &str, action: &'static str, mut pairs: Pairs) {
        let what = format!("{}: {part}", self.now.0.named(&self.now.1));
        pairs.insert(0, self.subject());
        self.step(rank, word, what, Call::Iam(action, pairs));
    }

    fn step(&mut self, rank: Rank, word: &'static str, what: String, call: Call) {
        let within = Kind::ALL.iter().position(|kind| *kind == self.now.0).unwrap_or_default();
        let order = (rank, u8::try_from(within).unwrap_or_default());
        self.plan.steps.push(TreeStep { word, what, call, order });
    }

    fn refuse(&mut self, why: impl Into<String>) {
        let what = self.now.0.named(&self.now.1);
        self.plan.refused.push(Refused { what, why: why.into() });
    }
}

/// Holders go before the policies that they hold, groups before their members and profiles before their roles.
fn deletion_order(kind: Kind) -> u8 {
    match kind {
        Kind::BucketPolicy => 0,
        Kind::InstanceProfile => 1,
        Kind::Group => 2,
        Kind::User => 3,
        Kind::Role => 4,
        Kind::Policy => 5,
        Kind::OidcProvider => 6,
    }
}

fn creation(kind: Kind) -> &'static str {
    match kind {
        Kind::Policy | Kind::BucketPolicy => "CreatePolicy",
        Kind::OidcProvider => "CreateOpenIDConnectProvider",
        Kind::Group => "CreateGroup",
        Kind::User => "CreateUser",
        Kind::Role => "CreateRole",
        Kind::InstanceProfile => "CreateInstanceProfile",
    }
}

fn coming(denies: bool) -> Rank {
    if denies { Rank::Deny } else { Rank::Allow }
}

fn going(denies: bool) -> Rank {
    if denies { Rank::Lift } else { Rank::Withdraw }
}

fn changing(have: Option<&Document>, wanted: &Document) -> Rank {
    match (have.is_some_and(Document::denies), wanted.denies()) {
        (_, true) => Rank::Deny,
        (true, false) => Rank::Lift,
        (false, false) => Rank::Allow,
    }
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

fn list(name: &str, values: &BTreeSet<String>) -> Pairs {
    values.iter().zip(1..).map(|(value, n)| (format!("{name}.member.{n}"), value.clone())).collect()
}

fn tags<'a>(tags: impl Iterator<Item = (&'a String, &'a String)>) -> Pairs {
    let numbered = tags.zip(1..);
    let pairs = numbered.flat_map(|((key, value), n)| {
        [(format!("Tags.member.{n}.Key"), key.clone()), (format!("Tags.member.{n}.Value"), value.clone())]
    });
    pairs.collect()
}
