use std::collections::HashMap;

use ids::AccountId;
use policy::{Action, Context, ResourceType};

/// One permission that a call of the IAM or STS query API needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryRequirement {
    /// For example `iam:CreateUser`.
    pub action: &'static str,
    /// The ARN, or `*` for actions without a resource.
    pub resource: String,
}

/// Who calls, as far as it decides what a call is about.
pub struct QueryCaller<'a> {
    /// The account in which unnamed things are.
    pub account: AccountId,
    /// The ARN of the user who calls: what a call without `UserName` is about. Sessions have none.
    pub user_arn: Option<&'a str>,
    /// The path of an entity that exists, for example `/team/`, by its type and name; `/` when the closure knows none.
    pub path_of: &'a dyn Fn(ResourceType, &str) -> Option<String>,
    /// The ARN of the user of an access key of this account; `None` when the closure knows none.
    pub user_of_key: &'a dyn Fn(&str) -> Option<String>,
    /// The caller is a session with transitive tags: a session made from it has them too.
    pub passes_on_tags: bool,
    /// The caller is a session with a source identity: a session made from it has it too.
    pub passes_on_source_identity: bool,
}

/// Why a call of a query API cannot be judged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// No such action: `InvalidAction`, 400.
    #[error("Could not find operation {0}: it is no action of IAM or STS that this gateway knows")]
    InvalidAction(String),
    /// A parameter that is missing or cannot be a name: `ValidationError`, 400.
    #[error("the parameter {name} is missing or is not valid: {expected}")]
    ValidationError {
        /// The parameter.
        name: &'static str,
        /// What it should be.
        expected: &'static str,
    },
    /// A parameter that comes twice: `ValidationError`, 400. Two readers could believe different ones.
    #[error("the parameter {0} is there more than once: send it once")]
    Duplicate(String),
}

/// Actions that AWS's IAM does not have, with the parameter that names their user: SeaweedFS's, and Access Analyzer's check of
/// policies.
const EXTENSIONS: &[(&str, &str, &str)] = &[
    ("SetUserStatus", "iam:SetUserStatus", "UserName"),
    ("CreateServiceAccount", "iam:CreateServiceAccount", "ParentUser"),
    ("DeleteServiceAccount", "iam:DeleteServiceAccount", "ServiceAccountId"),
    ("GetServiceAccount", "iam:GetServiceAccount", "ServiceAccountId"),
    ("ListServiceAccounts", "iam:ListServiceAccounts", "ParentUser"),
    ("UpdateServiceAccount", "iam:UpdateServiceAccount", "ServiceAccountId"),
    ("ValidatePolicy", "access-analyzer:ValidatePolicy", ""),
];

/// Every permission that a call needs; `params` are those of query and body together.
///
/// GetCallerIdentity and GetSessionToken need none (they cannot be denied). For the AssumeRole family the requirements are
/// also what the trust policy of the role is asked. Source: Service Authorization Reference of IAM and STS.
pub fn query_requirements(
    params: &[(String, String)],
    caller: &QueryCaller<'_>,
) -> Result<Vec<QueryRequirement>, QueryError> {
    let params = Params::new(params)?;
    let name = params.get("Action").unwrap_or_default();
    if matches!(name, "GetCallerIdentity" | "GetSessionToken") {
        return Ok(Vec::new());
    }
    if let Some((_, action, parameter)) = EXTENSIONS.iter().find(|(extension, _, _)| *extension == name) {
        let resource = match params.get(parameter).and_then(|value| user_of(parameter, value)) {
            Some(user) => arn_of(ResourceType::IamUser, user, &params, false, caller)?,
            None => String::from("*"),
        };
        // A service account is a key of its user.
        let a_key = (name == "CreateServiceAccount").then_some("iam:CreateAccessKey");
        let actions = std::iter::once(*action).chain(a_key);
        return Ok(actions.map(|action| QueryRequirement { action, resource: resource.clone() }).collect());
    }
    let action = query_action(name).ok_or_else(|| QueryError::InvalidAction(name.to_owned()))?;
    let resource = resource_of(action, &params, caller)?;
    let mut all = vec![QueryRequirement { action: action.as_str(), resource: resource.clone() }];
    all.extend(also_needed(action, &resource, &params, caller)?);
    Ok(all)
}

/// The user that a parameter of an extension names: itself, or in the id of a service account, `sa:<user>:<hex>`. No id of a
/// service account names nobody.
fn user_of<'v>(parameter: &str, value: &'v str) -> Option<&'v str> {
    if parameter == "ServiceAccountId" {
        value.strip_prefix("sa:")?.rsplit_once(':').map(|(user, _)| user)
    } else {
        Some(value)
    }
}

/// The action of IAM or STS of exactly this name. Actions that are only permissions (`PassRole`) are no calls.
fn query_action(name: &str) -> Option<Action> {
    const ONLY_PERMISSIONS: &[&str] =
        &["PassRole", "SetContext", "SetSourceIdentity", "TagSession", "GetServiceBearerToken"];
    if ONLY_PERMISSIONS.contains(&name) {
        return None;
    }
    let spelled = |action: &Action| action.as_str().split_once(':').is_some_and(|(_, plain)| plain == name);
    ["iam", "sts"].iter().find_map(|service| Action::named(&format!("{service}:{name}")).filter(spelled))
}

/// What the action is on, by the types of resource that AWS lists for it.
fn resource_of(action: Action, params: &Params<'_>, caller: &QueryCaller<'_>) -> Result<String, QueryError> {
    use ResourceType::*;
    if let Some(resource) = special_resource(action, params, caller) {
        return Ok(resource);
    }
    let Some(kind) = action.resource_types().first().copied() else { return Ok(String::from("*")) };
    let is_new = action.as_str().starts_with("iam:Create") || action.as_str().starts_with("iam:Upload");
    let arn =
        |name| params.get(name).map(str::to_owned).ok_or(QueryError::ValidationError { name, expected: "an ARN" });
    match kind {
        IamUser => match params.get("UserName") {
            Some(user) => arn_of(kind, user, params, action.as_str() == "iam:CreateUser", caller),
            // AWS takes the caller when a call names nobody.
            None => Ok(caller.user_arn.unwrap_or("*").to_owned()),
        },
        // CreatePolicy names a policy, and reads no ARN: one that stands beside the name is nothing that it is about.
        IamPolicy => match params.get("PolicyArn").filter(|_| action.as_str() != "iam:CreatePolicy") {
            Some(policy) => Ok(policy.to_owned()),
            None => arn_of(kind, params.name("PolicyName")?, params, is_new, caller),
        },
        IamGroup => arn_of(kind, params.name("GroupName")?, params, is_new, caller),
        IamRole => arn_of(kind, params.name("RoleName")?, params, is_new, caller),
        IamInstanceProfile => arn_of(kind, params.name("InstanceProfileName")?, params, is_new, caller),
        IamServerCertificate => arn_of(kind, params.name("ServerCertificateName")?, params, is_new, caller),
        IamOidcProvider => arn("OpenIDConnectProviderArn"),
        IamSamlProvider => arn("SAMLProviderArn"),
        IamMfa => arn("SerialNumber"),
        StsRole => arn("RoleArn"),
        StsRootUser => root_of(arn("TargetPrincipal")?),
        StsFederatedUser => {
            Ok(format!("arn:aws:sts::{}:federated-user/{}", caller.account, checked("Name", params.name("Name")?)?))
        }
        _ => Ok(String::from("*")),
    }
}

/// AssumeRoot takes the number of the account as well as the ARN of its root user.
fn root_of(target: String) -> Result<String, QueryError> {
    match target.parse::<AccountId>() {
        Ok(account) => Ok(format!("arn:aws:iam::{account}:root")),
        Err(_) if target.starts_with("arn:") => Ok(target),
        Err(_) => Err(QueryError::ValidationError {
            name: "TargetPrincipal",
            expected: "an account number, or the ARN of its root",
        }),
    }
}

/// Actions whose resource is named by another parameter than that of its type.
fn special_resource(action: Action, params: &Params<'_>, caller: &QueryCaller<'_>) -> Option<String> {
    let account = caller.account;
    match action.as_str() {
        "iam:SimulatePrincipalPolicy" | "iam:GetContextKeysForPrincipalPolicy" => {
            params.get("PolicySourceArn").map(str::to_owned)
        }
        "iam:GenerateServiceLastAccessedDetails" | "iam:ListPoliciesGrantingServiceAccess" => {
            params.get("Arn").map(str::to_owned)
        }
        // The key names its user, whom only the store knows.
        "iam:GetAccessKeyLastUsed" => {
            let of_key = params.get("AccessKeyId").and_then(caller.user_of_key);
            Some(of_key.unwrap_or_else(|| format!("arn:aws:iam::{account}:user/*")))
        }
        "iam:CreateOpenIDConnectProvider" => {
            let url = params.get("Url")?;
            let url = url.strip_prefix("https://").unwrap_or(url);
            let url = url.strip_suffix('/').unwrap_or(url);
            Some(format!("arn:aws:iam::{account}:oidc-provider/{url}"))
        }
        "iam:CreateSAMLProvider" => Some(format!("arn:aws:iam::{account}:saml-provider/{}", params.get("Name")?)),
        "iam:CreateVirtualMFADevice" => {
            let path = params.get("Path").unwrap_or("/");
            Some(format!("arn:aws:iam::{account}:mfa{path}{}", params.get("VirtualMFADeviceName")?))
        }
        "iam:CreateServiceLinkedRole" => {
            let service = params.get("AWSServiceName")?;
            Some(format!("arn:aws:iam::{account}:role/aws-service-role/{service}/*"))
        }
        _ => None,
    }
}

/// Permissions beside that of the action itself.
fn also_needed(
    action: Action,
    resource: &str,
    params: &Params<'_>,
    caller: &QueryCaller<'_>,
) -> Result<Vec<QueryRequirement>, QueryError> {
    let on = |action: &'static str, resource: String| QueryRequirement { action, resource };
    let mut all = Vec::new();
    match action.as_str() {
        "sts:AssumeRole" | "sts:GetFederationToken" => {
            // What a session inherits is set on it as what the call passes is: AWS asks the same permissions.
            let tags = params.has_prefix("Tags.member.") || params.has_prefix("TransitiveTagKeys.member.");
            if tags || caller.passes_on_tags {
                all.push(on("sts:TagSession", resource.to_owned()));
            }
            if params.get("SourceIdentity").is_some() || caller.passes_on_source_identity {
                all.push(on("sts:SetSourceIdentity", resource.to_owned()));
            }
            if params.has_prefix("ProvidedContexts.member.") {
                all.push(on("sts:SetContext", resource.to_owned()));
            }
        }
        "iam:AddRoleToInstanceProfile" => {
            let role = arn_of(ResourceType::IamRole, params.name("RoleName")?, params, false, caller)?;
            all.push(on("iam:PassRole", role));
        }
        // Renaming needs the permission on the old and on the new name.
        "iam:UpdateUser" | "iam:UpdateGroup" | "iam:UpdateServerCertificate" => {
            if let Some(renamed) = renamed(action, params, caller)? {
                all.push(on(action.as_str(), renamed));
            }
        }
        _ => {}
    }
    if params.has_prefix("Tags.member.") {
        all.extend(tagging(action).map(|tagging| on(tagging, resource.to_owned())));
    }
    Ok(all)
}

/// What is made with tags is tagged.
fn tagging(action: Action) -> Option<&'static str> {
    match action.as_str() {
        "iam:CreateUser" => Some("iam:TagUser"),
        "iam:CreateRole" => Some("iam:TagRole"),
        "iam:CreatePolicy" => Some("iam:TagPolicy"),
        "iam:CreateInstanceProfile" => Some("iam:TagInstanceProfile"),
        "iam:CreateOpenIDConnectProvider" => Some("iam:TagOpenIDConnectProvider"),
        _ => None,
    }
}

fn renamed(action: Action, params: &Params<'_>, caller: &QueryCaller<'_>) -> Result<Option<String>, QueryError> {
    let (kind, segment, old, new) = match action.as_str() {
        "iam:UpdateUser" => (ResourceType::IamUser, "user", "UserName", "NewUserName"),
        "iam:UpdateGroup" => (ResourceType::IamGroup, "group", "GroupName", "NewGroupName"),
        _ => (
            ResourceType::IamServerCertificate,
            "server-certificate",
            "ServerCertificateName",
            "NewServerCertificateName",
        ),
    };
    let (new_name, new_path) = (params.get(new), params.get("NewPath"));
    if new_name.is_none() && new_path.is_none() {
        return Ok(None);
    }
    let old_name = params.name(old)?;
    let name = checked(new, new_name.unwrap_or(old_name))?;
    let path = match new_path {
        Some(path) => checked_path(path)?.to_owned(),
        None => (caller.path_of)(kind, old_name).unwrap_or_else(|| String::from("/")),
    };
    Ok(Some(format!("arn:aws:iam::{}:{segment}{path}{name}", caller.account)))
}

/// The ARN of an entity of IAM: with the path of the call when it is new, with that of the store otherwise.
fn arn_of(
    kind: ResourceType,
    name: &str,
    params: &Params<'_>,
    is_new: bool,
    caller: &QueryCaller<'_>,
) -> Result<String, QueryError> {
    let (segment, parameter) = match kind {
        ResourceType::IamUser => ("user", "UserName"),
        ResourceType::IamGroup => ("group", "GroupName"),
        ResourceType::IamRole => ("role", "RoleName"),
        ResourceType::IamPolicy => ("policy", "PolicyName"),
        ResourceType::IamInstanceProfile => ("instance-profile", "InstanceProfileName"),
        _ => ("server-certificate", "ServerCertificateName"),
    };
    let name = checked(parameter, name)?;
    let path = match (is_new, params.get("Path")) {
        (true, Some(path)) => checked_path(path)?.to_owned(),
        (true, None) => String::from("/"),
        (false, _) => (caller.path_of)(kind, name).unwrap_or_else(|| String::from("/")),
    };
    Ok(format!("arn:aws:iam::{}:{segment}{path}{name}", caller.account))
}

/// A name with a `/` or `:` would become another part of the ARN, one with `*` would look like a pattern.
fn checked<'v>(name: &'static str, value: &'v str) -> Result<&'v str, QueryError> {
    let allowed = |character: char| character.is_alphanumeric() || "_+=,.@-".contains(character);
    if (1..=128).contains(&value.chars().count()) && value.chars().all(allowed) {
        return Ok(value);
    }
    Err(QueryError::ValidationError { name, expected: "1 to 128 letters, digits and _+=,.@-" })
}

fn checked_path(path: &str) -> Result<&str, QueryError> {
    let printable = path.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'*' | b'?' | b':'));
    if path.starts_with('/') && path.ends_with('/') && path.len() <= 512 && printable {
        return Ok(path);
    }
    Err(QueryError::ValidationError { name: "Path", expected: "`/`, or printable ASCII that begins and ends with `/`" })
}

/// Sets the condition keys that a call of IAM or STS itself carries: `iam:PolicyARN`, `iam:PermissionsBoundary`,
/// `iam:PassedToService`, `iam:AWSServiceName`, `iam:ServiceSpecificCredential*`, `aws:RequestTag/*`, `aws:TagKeys`, `sts:RoleSessionName`,
/// `sts:ExternalId`, `sts:SourceIdentity`, `sts:TransitiveTagKeys`, `sts:DurationSeconds`, `sts:TaskPolicyArn`. Tags of entities and claims of tokens are set by whoever knows them.
///
/// A parameter that the action does not read sets nothing: nobody may answer a condition with what has no effect.
pub fn set_query_condition_keys(params: &[(String, String)], context: &mut Context) -> Result<(), QueryError> {
    let params = Params::new(params)?;
    let action = params.get("Action").unwrap_or_default();
    let is_session = action.starts_with("AssumeRole") || action == "GetFederationToken";
    if is_session {
        for (parameter, key) in [
            ("RoleSessionName", "sts:RoleSessionName"),
            ("ExternalId", "sts:ExternalId"),
            ("SourceIdentity", "sts:SourceIdentity"),
            ("DurationSeconds", "sts:DurationSeconds"),
        ] {
            if let Some(value) = params.get(parameter) {
                context.set(key, value);
            }
        }
        let transitive = params.members("TransitiveTagKeys.member.");
        if !transitive.is_empty() {
            context.set_many("sts:TransitiveTagKeys", transitive);
        }
    }
    let changes_attachment = action.starts_with("Attach") || action.starts_with("Detach");
    if let Some(policy) = params.get("PolicyArn").filter(|_| changes_attachment) {
        context.set("iam:PolicyARN", policy);
    }
    for (of, parameter, key) in [
        ("CreateUser", "PermissionsBoundary", "iam:PermissionsBoundary"),
        ("CreateRole", "PermissionsBoundary", "iam:PermissionsBoundary"),
        ("PutUserPermissionsBoundary", "PermissionsBoundary", "iam:PermissionsBoundary"),
        ("PutRolePermissionsBoundary", "PermissionsBoundary", "iam:PermissionsBoundary"),
        ("CreateServiceLinkedRole", "AWSServiceName", "iam:AWSServiceName"),
        ("CreateServiceSpecificCredential", "ServiceName", "iam:ServiceSpecificCredentialServiceName"),
        ("CreateServiceSpecificCredential", "CredentialAgeDays", "iam:ServiceSpecificCredentialAgeDays"),
        ("AssumeRoot", "TaskPolicyArn.arn", "sts:TaskPolicyArn"),
    ] {
        if let Some(value) = params.get(parameter).filter(|_| of == action) {
            context.set(key, value);
        }
    }
    // The role of an instance profile is passed to the machines that have the profile.
    if action == "AddRoleToInstanceProfile" {
        context.set("iam:PassedToService", "ec2.amazonaws.com");
    }
    let listed = query_action(action).map_or(&[] as &[&str], Action::condition_keys);
    let tags = if listed.contains(&"aws:RequestTag/") { params.tags() } else { Vec::new() };
    for (key, value) in &tags {
        context.add(&format!("aws:RequestTag/{key}"), value.as_str());
    }
    let untagged = if action.starts_with("Untag") { params.members("TagKeys.member.") } else { Vec::new() };
    let keys: Vec<String> = tags.into_iter().map(|(key, _)| key).chain(untagged).collect();
    if !keys.is_empty() {
        context.set_many("aws:TagKeys", keys);
    }
    Ok(())
}

struct Params<'a>(&'a [(String, String)]);

impl<'a> Params<'a> {
    fn new(params: &'a [(String, String)]) -> Result<Self, QueryError> {
        let mut names: Vec<&str> = params.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        match names.iter().zip(names.iter().skip(1)).find(|(one, next)| one == next) {
            Some((name, _)) => Err(QueryError::Duplicate((*name).to_owned())),
            None => Ok(Self(params)),
        }
    }

    fn get(&self, name: &str) -> Option<&'a str> {
        self.0
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    fn name(&self, name: &'static str) -> Result<&'a str, QueryError> {
        self.get(name).ok_or(QueryError::ValidationError { name, expected: "this call needs it" })
    }

    fn has_prefix(&self, prefix: &str) -> bool {
        self.0.iter().any(|(name, _)| name.starts_with(prefix))
    }

    fn members(&self, prefix: &str) -> Vec<String> {
        let members = self.0.iter().filter(|(name, _)| {
            name.strip_prefix(prefix).is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
        });
        members.map(|(_, value)| value.clone()).collect()
    }

    /// `Tags.member.N.Key` with `Tags.member.N.Value`.
    fn tags(&self) -> Vec<(String, String)> {
        let keys = self.0.iter().filter_map(|(name, key)| {
            let number = name.strip_prefix("Tags.member.")?.strip_suffix(".Key")?;
            Some((number, key))
        });
        // Looked up in a map: a call can bring more tags than any entity may have.
        let values: HashMap<&str, &String> = self.0.iter().map(|(name, value)| (name.as_str(), value)).collect();
        keys.map(|(number, key)| {
            let value = values.get(format!("Tags.member.{number}.Value").as_str());
            (key.clone(), value.map(|value| (*value).clone()).unwrap_or_default())
        })
        .collect()
    }
}
