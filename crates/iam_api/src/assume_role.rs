use std::collections::{BTreeMap, BTreeSet};

use crate::params::Params;
use crate::reader::{NAME, Pattern, Reader, TAGS_MAX};

/// The parameters of AssumeRole, each within AWS's limits.
///
/// Source: STS API Reference, `AssumeRole`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssumeRoleInput {
    /// The role to assume.
    pub role_arn: String,
    /// 2 to 64 characters of `\w+=,.@-`.
    pub role_session_name: String,
    /// The requested length of the session in seconds: 900..=43200.
    pub duration_s: Option<u32>,
    /// The session policy: JSON text of at most 2048 characters, not parsed.
    pub policy: Option<String>,
    /// ARNs of managed policies that limit the session too, at most 10.
    pub policy_arns: Vec<String>,
    /// What the trust policy may ask for as `sts:ExternalId`.
    pub external_id: Option<String>,
    /// The source identity.
    pub source_identity: Option<String>,
    /// The session tags, at most 50. No two keys may differ only in case.
    pub tags: Vec<(String, String)>,
    /// The keys of the tags that sessions made from this one inherit.
    pub transitive_tag_keys: Vec<String>,
}

/// Why the parameters are refused. The text is the message of the answer; the status is 400.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InputError {
    /// One or more values break a constraint.
    #[error("{} validation error{} detected: {}", .0.len(), if .0.len() == 1 { "" } else { "s" }, .0.join("; "))]
    Validation(Vec<String>),
    /// More seconds than a limit allows, which is named.
    #[error("The requested DurationSeconds exceeds {0}.")]
    TooLong(String),
    /// Values that contradict each other.
    #[error("{0}")]
    InvalidParameterValue(String),
    /// Too many tags: those of the call together with those that the session inherits.
    #[error("the session would have {0} tags, including inherited ones; at most 50 are allowed")]
    PackedPolicyTooLarge(usize),
}

impl InputError {
    /// The error code of STS.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Validation(_) | Self::TooLong(_) => "ValidationError",
            Self::InvalidParameterValue(_) => "InvalidParameterValue",
            Self::PackedPolicyTooLarge(_) => "PackedPolicyTooLarge",
        }
    }
}

/// The longest session that a session can make, in seconds.
const CHAIN_S: u32 = 3600;

/// What limits the length of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DurationLimits {
    /// The length when none is requested: `sts.tokenDuration`, 3600 by default.
    pub default_s: u32,
    /// `sts.maxSessionLength`, 43200 by default.
    pub max_session_length_s: u32,
    /// The role's `maxSessionDuration`, 3600 by default.
    pub role_max_s: u32,
    /// Whether the caller is itself a role session. AWS limits such chains to one hour.
    pub chained: bool,
}

impl DurationLimits {
    /// The length of a session in seconds: as requested, or the default, which no limit refuses but each one shortens.
    ///
    /// Fails with `ValidationError` if more is requested than a limit allows.
    pub fn duration_s(&self, wish_s: Option<u32>) -> Result<u32, InputError> {
        let chain_s = if self.chained { CHAIN_S } else { u32::MAX };
        let Some(wish_s) = wish_s else {
            return Ok(self.default_s.min(self.max_session_length_s).min(self.role_max_s).min(chain_s));
        };
        let why = match wish_s {
            wish_s if wish_s > self.role_max_s => "the MaxSessionDuration set for this role".to_owned(),
            wish_s if wish_s > chain_s => "the 1 hour session limit for roles assumed by role chaining".to_owned(),
            wish_s if wish_s > self.max_session_length_s => {
                format!("the longest session of this gateway (sts.maxSessionLength), {} s", self.max_session_length_s)
            }
            wish_s => return Ok(wish_s),
        };
        Err(InputError::TooLong(why))
    }
}

impl AssumeRoleInput {
    /// Reads the parameters. The error lists everything that is wrong with them.
    pub fn parse(params: &Params) -> Result<Self, InputError> {
        let mut reader = Reader { params, errors: Vec::new() };
        reader.refuse(&["ProvidedContexts.member.1.ProviderArn"], "ProvidedContexts is not supported; leave it out");
        let role_arn = reader.text("RoleArn", "roleArn", 1, 2048, None);
        if let Some(role_arn) = role_arn.as_deref().filter(|role_arn| !role_arn.starts_with("arn:")) {
            reader.fail(role_arn, "roleArn", "Member must be the ARN of a role");
        }
        let role_session_name = reader.text("RoleSessionName", "roleSessionName", 2, 64, Some(NAME));
        let policy = reader.text("Policy", "policy", 1, 2048, None);
        let external_id = reader.text("ExternalId", "externalId", 2, 1224, Some(EXTERNAL_ID));
        let source_identity = reader.text("SourceIdentity", "sourceIdentity", 2, 64, Some(NAME));
        let duration_s = reader.duration(LONGEST_S);
        let tags = reader.tags();
        let transitive_tag_keys = reader.list("TransitiveTagKeys", "", TAGS_MAX);
        let policy_arns = reader.list("PolicyArns", ".arn", 10);
        for (value, name) in [(&role_arn, "roleArn"), (&role_session_name, "roleSessionName")] {
            if value.is_none() {
                reader
                    .errors
                    .push(format!("Value null at '{name}' failed to satisfy constraint: Member must not be null"));
            }
        }
        let (Some(role_arn), Some(role_session_name), true) = (role_arn, role_session_name, reader.errors.is_empty())
        else {
            return Err(InputError::Validation(reader.errors));
        };
        check_tags(&tags, &transitive_tag_keys)?;
        Ok(Self {
            role_arn,
            role_session_name,
            duration_s,
            policy,
            policy_arns,
            external_id,
            source_identity,
            tags,
            transitive_tag_keys,
        })
    }

    /// Adds the transitive tags of the calling session: the new session has them too, and passes them on. A call that
    /// sets one of them again fails, even with the same value, as on AWS.
    ///
    /// Source: IAM User Guide, "Pass session tags in AWS STS", chaining roles with session tags.
    pub fn inherit<'t>(&mut self, inherited: impl Iterator<Item = &'t (String, String)>) -> Result<(), InputError> {
        let passed: BTreeSet<String> = self.tags.iter().map(|(key, _)| key.to_lowercase()).collect();
        for (key, value) in inherited {
            if passed.contains(&key.to_lowercase()) {
                return Err(InputError::InvalidParameterValue(CONFLICT.to_owned()));
            }
            self.tags.push((key.clone(), value.clone()));
            self.transitive_tag_keys.push(key.clone());
        }
        // Without this limit the token would grow with each link of a chain, until it no longer fits into a header.
        match self.tags.len() {
            0..=TAGS_MAX => Ok(()),
            tags => Err(InputError::PackedPolicyTooLarge(tags)),
        }
    }
}

/// The parameters of AssumeRole without a role: a session of the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnSessionInput {
    /// The name of the session; 2 to 64 characters of `\w+=,.@-`.
    pub session_name: Option<String>,
    /// The requested length of the session in seconds: 900..=43200.
    pub duration_s: Option<u32>,
    /// The session policy: JSON text of at most 2048 characters, not parsed.
    pub policy: Option<String>,
}

/// What AssumeRole has for roles alone. Lists are refused whatever their members are called: a limit that the caller asks for
/// must not be ignored.
const OF_ROLES: [&str; 8] = [
    "ExternalId",
    "SourceIdentity",
    "SerialNumber",
    "TokenCode",
    "Tags",
    "TransitiveTagKeys",
    "PolicyArns",
    "ProvidedContexts",
];

impl OwnSessionInput {
    /// Reads the parameters. The error lists everything that is wrong with them.
    pub fn parse(params: &Params) -> Result<Self, InputError> {
        let mut reader = Reader { params, errors: Vec::new() };
        for name in OF_ROLES {
            if params.has_any(name) {
                reader.errors.push(format!("{name} needs a RoleArn; without one, leave it out"));
            }
        }
        let session_name = reader.text("RoleSessionName", "roleSessionName", 2, 64, Some(NAME));
        let policy = reader.text("Policy", "policy", 1, 2048, None);
        let duration_s = reader.duration(LONGEST_S);
        match reader.errors.is_empty() {
            true => Ok(Self { session_name, duration_s, policy }),
            false => Err(InputError::Validation(reader.errors)),
        }
    }
}

/// The longest session of a role, in seconds.
const LONGEST_S: u32 = 43_200;

const EXTERNAL_ID: Pattern = ("+=,.@:/-", "[\\w+=,.@:\\/-]*");

const CONFLICT: &str = "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key \
                        from the calling session.";

pub(crate) fn check_tags(tags: &[(String, String)], transitive: &[String]) -> Result<(), InputError> {
    let invalid = |text: &str| Err(InputError::InvalidParameterValue(text.to_owned()));
    let mut seen = BTreeMap::new();
    for (key, _) in tags {
        if key.to_lowercase().starts_with("aws:") {
            return invalid("Tag keys must not begin with aws:");
        }
        if seen.insert(key.to_lowercase(), ()).is_some() {
            return invalid("Duplicate tag keys found. Please note that Tag keys are case insensitive.");
        }
    }
    if transitive.iter().any(|key| !seen.contains_key(&key.to_lowercase())) {
        return invalid("The specified transitive tag key must be included in the requested tags.");
    }
    Ok(())
}
