//! Names of condition keys.

use crate::action::Action;
use crate::grammar::nearest;

/// AWS's "global condition context keys". A name that ends in `/` is a family of keys.
const GLOBAL_KEYS: [&str; 57] = [
    "aws:AssumedRoot",
    "aws:CalledVia",
    "aws:CalledViaFirst",
    "aws:CalledViaLast",
    "aws:ChatbotSourceArn",
    "aws:CurrentTime",
    "aws:Ec2InstanceSourcePrivateIPv4",
    "aws:Ec2InstanceSourceVpc",
    "aws:EpochTime",
    "aws:FederatedProvider",
    "aws:IsMcpServiceAction",
    "aws:MultiFactorAuthAge",
    "aws:MultiFactorAuthPresent",
    "aws:PrincipalAccount",
    "aws:PrincipalArn",
    "aws:PrincipalIsAWSService",
    "aws:PrincipalOrgID",
    "aws:PrincipalOrgPaths",
    "aws:PrincipalServiceName",
    "aws:PrincipalServiceNamesList",
    "aws:PrincipalTag/",
    "aws:PrincipalType",
    "aws:Referer",
    "aws:RequestTag/",
    "aws:RequestedRegion",
    "aws:ResourceAccount",
    "aws:ResourceOrgID",
    "aws:ResourceOrgPaths",
    "aws:ResourceTag/",
    "aws:SecureTransport",
    "aws:SourceAccount",
    "aws:SourceArn",
    "aws:SourceIdentity",
    "aws:SourceIp",
    "aws:SourceOrgID",
    "aws:SourceOrgPaths",
    "aws:SourceOwner",
    "aws:SourceVpc",
    "aws:SourceVpcArn",
    "aws:SourceVpce",
    "aws:SignInSessionArn",
    "aws:TagKeys",
    "aws:TokenIssueTime",
    "aws:UserAgent",
    "aws:ViaAWSMCPService",
    "aws:ViaAWSService",
    "aws:VpceAccount",
    "aws:VpceOrgID",
    "aws:VpceOrgPaths",
    "aws:VpcSourceIp",
    "aws:userid",
    "aws:username",
    "aws:CalledViaAWSMCP",
    "aws:PrincipalIsAWSMCP",
    "aws:RequestTagKeys",
    "aws:SourceInstanceARN",
    "aws:rolename",
];

/// Whether a key of `aws:`, `s3:`, `iam:` or `sts:` exists. Keys of other services and of identity providers are not
/// known here, and are accepted as they are. A name without a service is not a key.
pub(crate) fn is_known_key(key: &str) -> bool {
    let Some((vendor, name)) = key.split_once(':') else { return false };
    if vendor.is_empty() || name.is_empty() {
        return false;
    }
    match vendor.to_ascii_lowercase().as_str() {
        "aws" => GLOBAL_KEYS.iter().any(|known| is_named(known, key)),
        "s3" | "iam" | "sts" => Action::all().any(|action| action.has_key(key)),
        _ => true,
    }
}

/// What follows `beginning` (ASCII), ignoring case. Each decision asks this of each key of the request, so the first character, which
/// usually differs, is compared first.
fn rest_of<'k>(key: &'k str, beginning: &str) -> Option<&'k str> {
    let first = |text: &str| text.bytes().next().map(|byte| byte.to_ascii_lowercase());
    let (begins, rest) = key.split_at_checked(beginning.len()).filter(|_| first(key) == first(beginning))?;
    begins.eq_ignore_ascii_case(beginning).then_some(rest)
}

/// Whether a key is the known one, or belongs to the known family.
#[inline]
fn is_named(known: &str, key: &str) -> bool {
    let fits = if known.ends_with('/') { key.len() > known.len() } else { key.len() == known.len() };
    // Most names already differ in their lengths.
    fits && key.as_bytes().get(..known.len()).is_some_and(|part| part.eq_ignore_ascii_case(known.as_bytes()))
}

/// The key nearest to a name that is not a key.
pub(crate) fn nearest_key(key: &str) -> Option<&'static str> {
    let of_services = Action::all().flat_map(|action| action.condition_keys().iter().copied());
    nearest(key, GLOBAL_KEYS.into_iter().chain(of_services))
}

impl Action {
    /// Whether requests for the action can carry this key of the service, ignoring case.
    pub(crate) fn has_key(self, key: &str) -> bool {
        self.condition_keys().iter().any(|known| is_named(known, key))
    }

    /// Whether a decision about the action can have this key. Tags and keys of AWS's services belong to the actions for
    /// which the reference lists them; all other keys belong to every action.
    pub fn may_know_key(self, key: &str) -> bool {
        const OF_SERVICES: [&str; 3] = ["s3:", "iam:", "sts:"];
        const OF_TAGS: [&str; 3] = ["RequestTag/", "ResourceTag/", "TagKeys"];
        let listed = match rest_of(key, "aws:") {
            Some(name) => OF_TAGS.into_iter().any(|tags| rest_of(name, tags).is_some()),
            None => OF_SERVICES.into_iter().any(|service| rest_of(key, service).is_some()),
        };
        !listed || self.has_key(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_only_some_actions_have() {
        let action = |name| Action::named(name).unwrap();
        for (name, key, want) in [
            ("s3:PutObject", "aws:RequestTag/team", false),
            ("iam:CreateUser", "aws:RequestTag/team", true),
            ("iam:CreateUser", "AWS:requesttag/Team", true),
            ("iam:CreateUser", "aws:RequestTag/", false),
            ("s3:PutObject", "aws:TagKeys", false),
            ("s3:PutObject", "AWS:tagkeysx", false),
            ("iam:CreateUser", "aws:TagKeys", true),
            ("sts:GetCallerIdentity", "aws:ResourceTag/x", false),
            ("s3:GetObject", "aws:RequestTa", true),
            ("s3:GetObject", "aws:SourceIp", true),
            ("s3:GetObject", "aws:", true),
            ("s3:GetObject", "s3:prefix", false),
            ("s3:ListBucket", "S3:Prefix", true),
            ("s3:GetObject", "s3:ExistingObjectTag/a", true),
            ("s3:GetObject", "iam:PolicyARN", false),
            ("s3:GetObject", "sts:ExternalId", false),
            ("s3:GetObject", "s3:\u{e9}", false),
            ("s3:GetObject", "jwt:sub", true),
            ("s3:GetObject", "aw", true),
            ("s3:GetObject", "", true),
        ] {
            assert_eq!(action(name).may_know_key(key), want, "{name} {key}");
        }
    }
}
