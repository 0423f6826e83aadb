//! The parameters of GetSessionToken and GetFederationToken, each within AWS's limits.

use crate::assume_role::{InputError, check_tags};
use crate::params::Params;
use crate::reader::{NAME, Pattern, Reader, TAGS_MAX};

/// The longest session that a user can make, in seconds.
const LONGEST_S: u32 = 129_600;
/// The length when none is requested.
const DEFAULT_S: u32 = 43_200;
/// Sessions of a root user are shortened to this.
const ROOT_S: u32 = 3600;

/// The parameters of GetFederationToken.
///
/// Source: STS API Reference, `GetFederationToken`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FederationTokenInput {
    /// Who the session is for: 2 to 32 characters of `\w+=,.@-`.
    pub name: String,
    /// The requested length of the session in seconds: 900..=129600.
    pub duration_s: Option<u32>,
    /// The session policy: JSON text of at most 2048 characters, not parsed.
    pub policy: Option<String>,
    /// ARNs of managed policies that limit the session too, at most 10.
    pub policy_arns: Vec<String>,
    /// The session tags, at most 50. No two keys may differ only in case.
    pub tags: Vec<(String, String)>,
}

impl FederationTokenInput {
    /// Reads the parameters. The error lists everything that is wrong with them.
    pub fn parse(params: &Params) -> Result<Self, InputError> {
        let mut reader = Reader { params, errors: Vec::new() };
        let name = reader.text("Name", "name", 2, 32, Some(NAME));
        let policy = reader.text("Policy", "policy", 1, 2048, None);
        let duration_s = reader.duration(LONGEST_S);
        let tags = reader.tags();
        let policy_arns = reader.list("PolicyArns", ".arn", 10);
        if params.has_prefix("TransitiveTagKeys.member.") {
            reader.errors.push(format!("TransitiveTagKeys needs AssumeRole; the {TAGS_MAX} tags are not inherited"));
        }
        let Some(name) = name else {
            reader.errors.push("Value null at 'name' failed to satisfy constraint: Member must not be null".to_owned());
            return Err(InputError::Validation(reader.errors));
        };
        if !reader.errors.is_empty() {
            return Err(InputError::Validation(reader.errors));
        }
        check_tags(&tags, &[])?;
        Ok(Self { name, duration_s, policy, policy_arns, tags })
    }
}

/// The parameters of GetSessionToken.
///
/// Source: STS API Reference, `GetSessionToken`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionTokenInput {
    /// The requested length of the session in seconds: 900..=129600.
    pub duration_s: Option<u32>,
}

impl SessionTokenInput {
    /// Reads the parameters. The error lists everything that is wrong with them.
    pub fn parse(params: &Params) -> Result<Self, InputError> {
        let mut reader = Reader { params, errors: Vec::new() };
        let duration_s = reader.duration(LONGEST_S);
        if reader.errors.is_empty() { Ok(Self { duration_s }) } else { Err(InputError::Validation(reader.errors)) }
    }
}

/// `SerialNumber` and `TokenCode`: a device, and the code that it shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MfaInput {
    /// The serial number of a virtual device: its ARN.
    pub serial_number: String,
    /// Six digits.
    pub token_code: String,
}

impl MfaInput {
    /// Reads the parameters; `None` if neither is sent. One without the other counts as a wrong code.
    pub fn parse(params: &Params) -> Result<Option<Self>, InputError> {
        if params.given("SerialNumber").is_none() && params.given("TokenCode").is_none() {
            return Ok(None);
        }
        let mut reader = Reader { params, errors: Vec::new() };
        let serial_number = reader.text("SerialNumber", "serialNumber", 9, 256, Some(SERIAL)).unwrap_or_default();
        let token_code = reader.text("TokenCode", "tokenCode", 6, 6, Some(NAME)).unwrap_or_default();
        match reader.errors.is_empty() {
            true => Ok(Some(Self { serial_number, token_code })),
            false => Err(InputError::Validation(reader.errors)),
        }
    }
}

const SERIAL: Pattern = ("+=/:,.@-", "[\\w+=/:,.@-]*");

/// The length of a session that a user makes, in seconds.
///
/// `max_session_length_s` is `sts.maxSessionLength`. At its own maximum, 12 hours, it is the limit for roles and none for these.
/// Fails with `ValidationError` if more is requested. For a root user, each length is shortened to an hour, as on AWS.
pub fn user_session_s(wish_s: Option<u32>, is_root: bool, max_session_length_s: u32) -> Result<u32, InputError> {
    let longest_s = if max_session_length_s >= DEFAULT_S { LONGEST_S } else { max_session_length_s };
    let length_s = match wish_s {
        Some(wish_s) if wish_s > longest_s => {
            let limit = format!("the longest session of this gateway (sts.maxSessionLength), {longest_s} s");
            return Err(InputError::TooLong(limit));
        }
        Some(wish_s) => wish_s,
        None => longest_s.min(DEFAULT_S),
    };
    Ok(if is_root { length_s.min(ROOT_S) } else { length_s })
}
