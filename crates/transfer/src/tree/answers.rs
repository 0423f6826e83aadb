//! The state of a running gateway, from the answers of its APIs.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use percent_encoding::percent_decode_str;
use xml::Element;

use super::{Document, Entity, Kind, Tree, is_of_aws};

/// An answer that is not what the API documents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadAnswer(String);

impl fmt::Display for BadAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the gateway's answer is not understood: {}; is it a Kelpgate of another version?", self.0)
    }
}

impl From<xml::Malformed> for BadAnswer {
    fn from(error: xml::Malformed) -> Self {
        Self(error.to_string())
    }
}

/// What is found at a gateway.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// The state.
    pub tree: Tree,
    /// The account of the caller.
    pub account: String,
    /// The user of the caller, if it is one.
    pub user: Option<String>,
    /// What the gateway's files define: it cannot be changed through the API.
    pub of_files: BTreeSet<(Kind, String)>,
    /// The buckets.
    pub buckets: BTreeSet<String>,
    /// The versions of managed policies that are not the default one, the oldest first.
    pub old_versions: BTreeMap<String, Vec<String>>,
    /// Access keys and service accounts by user, of the users that were asked for.
    pub keys: BTreeMap<String, Keys>,
}

/// What signs for a user. It is deleted with the user.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keys {
    /// Ids of access keys.
    pub access_keys: Vec<String>,
    /// Ids of service accounts.
    pub service_accounts: Vec<String>,
}

impl Found {
    /// Nothing yet, of the caller that GetCallerIdentity tells.
    pub fn of_caller(answer: &[u8]) -> Result<Self, BadAnswer> {
        let result = result(answer, "GetCallerIdentity")?;
        let arn = result.required("Arn")?;
        let user = arn.split_once(":user/").map(|(_, user)| user.rsplit('/').next().unwrap_or(user).to_owned());
        let mut tree = Tree::default();
        for kind in Kind::ALL {
            tree.kinds.insert(kind, BTreeMap::new());
        }
        Ok(Self { tree, account: result.required("Account")?.to_owned(), user, ..Self::default() })
    }

    /// Adds a page of GetAccountAuthorizationDetails; the marker of the next page, if there is one.
    pub fn add_details(&mut self, answer: &[u8]) -> Result<Option<String>, BadAnswer> {
        let page = result(answer, "GetAccountAuthorizationDetails")?;
        for group in members(&page, "GroupDetailList") {
            let mut entity = holder(group, "GroupPolicyList")?;
            let name = group.required("GroupName")?;
            // Its members are found with the users, on a page of their own.
            let known = self.tree.get(Kind::Group, name).map(|known| known.members.clone());
            entity.members.extend(known.into_iter().flatten());
            self.found(Kind::Group, name, group, entity)?;
        }
        for user in members(&page, "UserDetailList") {
            let name = user.required("UserName")?;
            let mut entity = holder(user, "UserPolicyList")?;
            entity.disabled = user.child_text("Status")? == Some("Inactive");
            for group in members(user, "GroupList") {
                let groups = self.tree.kinds.entry(Kind::Group).or_default();
                groups.entry(group.text.clone()).or_default().members.insert(name.to_owned());
            }
            self.found(Kind::User, name, user, entity)?;
        }
        for role in members(&page, "RoleDetailList") {
            let entity = Entity {
                description: role.child_text("Description")?.unwrap_or_default().to_owned(),
                trust: Some(document(role, "AssumeRolePolicyDocument")?),
                max_session_s: seconds(role.child_text("MaxSessionDuration")?),
                ..holder(role, "RolePolicyList")?
            };
            self.found(Kind::Role, role.required("RoleName")?, role, entity)?;
        }
        for policy in members(&page, "Policies") {
            self.add_policy(policy)?;
        }
        next(&page)
    }

    fn add_policy(&mut self, policy: &Element) -> Result<(), BadAnswer> {
        if is_of_aws(policy.required("Arn")?) {
            return Ok(());
        }
        let name = policy.required("PolicyName")?.to_owned();
        let default = policy.required("DefaultVersionId")?;
        let mut entity = Entity {
            path: policy.required("Path")?.to_owned(),
            description: policy.child_text("Description")?.unwrap_or_default().to_owned(),
            tags: tags(policy)?,
            ..Entity::default()
        };
        let mut old = Vec::new();
        for version in members(policy, "PolicyVersionList") {
            match version.required("VersionId")? {
                id if id == default => entity.document = Some(document(version, "Document")?),
                id => old.push(id.to_owned()),
            }
        }
        old.reverse();
        self.old_versions.insert(name.clone(), old);
        self.found(Kind::Policy, &name, policy, entity)
    }

    /// Keeps an entity, or notes that a file of the gateway defines it.
    fn found(&mut self, kind: Kind, name: &str, element: &Element, entity: Entity) -> Result<(), BadAnswer> {
        if element.child_text("DefinedBy")?.is_some() {
            self.of_files.insert((kind, name.to_owned()));
        } else {
            self.tree.put(kind, name, entity);
        }
        Ok(())
    }

    /// The ARNs of ListOpenIDConnectProviders.
    pub fn providers(answer: &[u8]) -> Result<Vec<String>, BadAnswer> {
        let list = result(answer, "ListOpenIDConnectProviders")?;
        let arns = members(&list, "OpenIDConnectProviderList").map(|member| Ok(member.required("Arn")?.to_owned()));
        arns.collect()
    }

    /// Adds the answer to GetOpenIDConnectProvider.
    pub fn add_provider(&mut self, answer: &[u8]) -> Result<(), BadAnswer> {
        let provider = result(answer, "GetOpenIDConnectProvider")?;
        let texts = |list: &str| members(&provider, list).map(|member| member.text.clone()).collect();
        let entity = Entity {
            tags: tags(&provider)?,
            client_ids: texts("ClientIDList"),
            thumbprints: texts("ThumbprintList"),
            ..Entity::default()
        };
        self.tree.put(Kind::OidcProvider, provider.required("Url")?, entity);
        Ok(())
    }

    /// Adds a page of ListInstanceProfiles; the marker of the next page, if there is one.
    pub fn add_profiles(&mut self, answer: &[u8]) -> Result<Option<String>, BadAnswer> {
        let page = result(answer, "ListInstanceProfiles")?;
        for profile in members(&page, "InstanceProfiles") {
            let roles = members(profile, "Roles").map(|role| Ok::<_, BadAnswer>(role.required("RoleName")?.to_owned()));
            let entity = Entity {
                path: profile.required("Path")?.to_owned(),
                tags: tags(profile)?,
                members: roles.collect::<Result<_, _>>()?,
                ..Entity::default()
            };
            self.tree.put(Kind::InstanceProfile, profile.required("InstanceProfileName")?, entity);
        }
        next(&page)
    }

    /// Adds the answer to ListAccountAliases.
    pub fn add_alias(&mut self, answer: &[u8]) -> Result<(), BadAnswer> {
        let list = result(answer, "ListAccountAliases")?;
        self.tree.account_alias = members(&list, "AccountAliases").next().map(|alias| alias.text.clone());
        Ok(())
    }

    /// Adds a page of ListBuckets; the token of the next page, if there is one.
    pub fn add_buckets(&mut self, answer: &[u8]) -> Result<Option<String>, BadAnswer> {
        let page = xml::parse(answer, "ListAllMyBucketsResult")?;
        for bucket in page.all("Buckets").flat_map(|list| list.all("Bucket")) {
            self.buckets.insert(bucket.required("Name")?.to_owned());
        }
        Ok(page.child_text("ContinuationToken")?.map(str::to_owned))
    }

    /// Adds the answer to GetBucketPolicy.
    pub fn add_bucket_policy(&mut self, bucket: &str, text: &[u8]) -> Result<(), BadAnswer> {
        let text = std::str::from_utf8(text).ok().and_then(Document::of);
        let document = text.ok_or_else(|| BadAnswer(format!("the policy of bucket `{bucket}` is not JSON")))?;
        self.tree.put(Kind::BucketPolicy, bucket, Entity { document: Some(document), ..Entity::default() });
        Ok(())
    }

    /// Adds a page of ListAccessKeys; the marker of the next page, if there is one.
    pub fn add_access_keys(&mut self, user: &str, answer: &[u8]) -> Result<Option<String>, BadAnswer> {
        let page = result(answer, "ListAccessKeys")?;
        for key in members(&page, "AccessKeyMetadata") {
            let keys = self.keys.entry(user.to_owned()).or_default();
            keys.access_keys.push(key.required("AccessKeyId")?.to_owned());
        }
        next(&page)
    }

    /// Adds a page of ListServiceAccounts; the marker of the next page, if there is one.
    pub fn add_service_accounts(&mut self, user: &str, answer: &[u8]) -> Result<Option<String>, BadAnswer> {
        let page = result(answer, "ListServiceAccounts")?;
        for account in members(&page, "ServiceAccounts") {
            let keys = self.keys.entry(user.to_owned()).or_default();
            keys.service_accounts.push(account.required("ServiceAccountId")?.to_owned());
        }
        next(&page)
    }
}

/// The code and message of an error; `None` if the answer is none.
pub fn error_of(answer: &[u8]) -> Option<(String, String)> {
    let of =
        |error: &Element| Some((error.required("Code").ok()?.to_owned(), error.required("Message").ok()?.to_owned()));
    if let Ok(response) = xml::parse(answer, "ErrorResponse") {
        return of(response.one("Error").ok()??);
    }
    of(&xml::parse(answer, "Error").ok()?)
}

fn result(answer: &[u8], action: &str) -> Result<Element, BadAnswer> {
    let response = xml::parse(answer, &format!("{action}Response"))?;
    let name = format!("{action}Result");
    let result = response.children.into_iter().find(|child| child.name == name);
    result.ok_or_else(|| BadAnswer(format!("`{name}` is missing")))
}

fn members<'a>(element: &'a Element, list: &'a str) -> impl Iterator<Item = &'a Element> {
    element.all(list).flat_map(|list| list.all("member"))
}

fn next(page: &Element) -> Result<Option<String>, BadAnswer> {
    Ok(match page.child_text("IsTruncated")? {
        Some("true") => Some(page.required("Marker")?.to_owned()),
        _ => None,
    })
}

fn document(element: &Element, name: &str) -> Result<Document, BadAnswer> {
    let text = percent_decode_str(element.required(name)?).decode_utf8_lossy();
    Document::of(&text).ok_or_else(|| BadAnswer(format!("`{name}` is not JSON")))
}

fn tags(element: &Element) -> Result<BTreeMap<String, String>, BadAnswer> {
    let pair = |tag: &Element| Ok((tag.required("Key")?.to_owned(), tag.required("Value")?.to_owned()));
    members(element, "Tags").map(pair).collect()
}

/// What users, groups and roles have in common.
fn holder(element: &Element, inline: &str) -> Result<Entity, BadAnswer> {
    let mut entity = Entity { path: element.required("Path")?.to_owned(), tags: tags(element)?, ..Entity::default() };
    for policy in members(element, inline) {
        entity.inline.insert(policy.required("PolicyName")?.to_owned(), document(policy, "PolicyDocument")?);
    }
    for policy in members(element, "AttachedManagedPolicies") {
        entity.policies.insert(policy_name(policy.required("PolicyArn")?));
    }
    if let Some(boundary) = element.one("PermissionsBoundary")? {
        entity.boundary = Some(policy_name(boundary.required("PermissionsBoundaryArn")?));
    }
    Ok(entity)
}

/// How trees name a policy.
pub(super) fn policy_name(arn: &str) -> String {
    if is_of_aws(arn) { arn.to_owned() } else { iam::policy_name_of(arn).to_owned() }
}

/// The default is not told apart from an hour.
fn seconds(text: Option<&str>) -> Option<i64> {
    text?.parse().ok().filter(|seconds| *seconds != 3600)
}
