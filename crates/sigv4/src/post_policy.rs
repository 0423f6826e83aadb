//! POST uploads from HTML forms: checks the signature of the policy, then the form against the policy.
//!
//! The caller reads the form up to the file, hands its fields (names as received, `${filename}` already replaced) to
//! [`PostClaim::of`], looks up the secret, and calls [`PostClaim::verify`], then [`PostPolicy::check`]. While it
//! streams the file it enforces [`PostPolicy::content_length_range`]. Source: S3 API Reference, "Creating a POST
//! policy".

use std::ops::RangeInclusive;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ids::{AccessKeyId, SecretAccessKey};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::auth_form::{ALGORITHM, parse_credential, parse_signature};
use crate::{EXPIRES_S_MAX, Expectations, RequestDate, Scope, SigError, SigningKey, v2};

/// The longest policy text, in bytes of base64.
const POLICY_BYTES_MAX: usize = 64 << 10;

/// What a POST form says about who made its policy. None of it is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PostClaim {
    /// The key whose secret signed the policy.
    pub access_key_id: AccessKeyId,
    /// `x-amz-security-token`.
    pub session_token: Option<String>,
    /// The policy as received.
    pub policy: String,
    /// The signature.
    pub signature: PostSignature,
}

/// The signature of a POST policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PostSignature {
    /// `x-amz-signature`.
    V4 {
        /// From `x-amz-credential`.
        scope: Scope,
        /// `x-amz-date`.
        date: RequestDate,
        /// The signature.
        signature: [u8; 32],
    },
    /// `signature`; only if the operator has enabled V2.
    V2([u8; 20]),
}

impl PostClaim {
    /// Reads who made the policy; `None` if the form has neither policy nor signature: an anonymous upload.
    ///
    /// If only some of the fields are present, or one occurs twice, it is an error, not an anonymous upload.
    pub fn of(fields: &[(String, String)]) -> Result<Option<Self>, SigError> {
        let policy = field(fields, "policy")?;
        let v4 = field(fields, "x-amz-signature")?;
        let v2 = field(fields, "signature")?;
        let others = ["x-amz-algorithm", "x-amz-credential", "awsaccesskeyid", "x-amz-security-token"];
        let any_other = fields.iter().any(|(name, _)| others.iter().any(|other| name.eq_ignore_ascii_case(other)));
        if policy.is_none() && v4.is_none() && v2.is_none() && !any_other {
            return Ok(None);
        }
        let policy = policy.ok_or(SigError::PostField("policy".into()))?.to_owned();
        let session_token = field(fields, "x-amz-security-token")?.map(str::to_owned);
        let (access_key_id, signature) = match (v4, v2) {
            (Some(_), Some(_)) => return Err(SigError::SeveralMechanisms),
            (None, None) => return Err(SigError::PostField("x-amz-signature".into())),
            (Some(signature), None) => v4_fields(fields, signature)?,
            (None, Some(signature)) => {
                let akid = required(fields, "awsaccesskeyid")?;
                let akid = akid.parse().map_err(|_| SigError::PostField("AWSAccessKeyId".into()))?;
                let signature = v2::parse_signature(signature).ok_or(SigError::SignatureDoesNotMatch)?;
                (akid, PostSignature::V2(signature))
            }
        };
        Ok(Some(Self { access_key_id, session_token, policy, signature }))
    }

    /// Checks the signature of the policy text, its scope, and that the policy was made at most seven days ago.
    pub fn verify(&self, secret: &SecretAccessKey, expect: &Expectations<'_>) -> Result<(), SigError> {
        let (scope, date, signature) = match &self.signature {
            PostSignature::V2(signature) => return v2::check_signature(self.policy.as_bytes(), signature, secret),
            PostSignature::V4 { scope, date, signature } => (scope, date, signature),
        };
        crate::verify::check_scope(scope, date, expect).map_err(|text| SigError::QueryMalformed(text.into()))?;
        let age = expect.now.duration_since(date.timestamp());
        if age < -SignedDuration::from_secs(expect.skew_s.into()) {
            return Err(SigError::NotYetValid(date.timestamp()));
        }
        if age > SignedDuration::from_secs(EXPIRES_S_MAX.into()) {
            return Err(SigError::PolicyRefused(
                "Policy expired: its x-amz-date is more than seven days ago.".to_owned(),
            ));
        }
        let key = SigningKey::derive(secret, scope);
        if key.verify(self.policy.as_bytes(), signature) { Ok(()) } else { Err(SigError::SignatureDoesNotMatch) }
    }
}

fn v4_fields(fields: &[(String, String)], signature: &str) -> Result<(AccessKeyId, PostSignature), SigError> {
    if required(fields, "x-amz-algorithm")? != ALGORITHM {
        return Err(SigError::QueryMalformed("X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256\"".into()));
    }
    let (akid, scope) = parse_credential(required(fields, "x-amz-credential")?)
        .map_err(|text| SigError::QueryMalformed(text.into()))?;
    let date = RequestDate::parse(required(fields, "x-amz-date")?)
        .ok_or(SigError::Date("x-amz-date must be of the form 20130524T000000Z"))?;
    let signature = parse_signature(signature).map_err(|_| SigError::SignatureDoesNotMatch)?;
    Ok((akid, PostSignature::V4 { scope, date, signature }))
}

/// The field with this name, ignoring case. It is an error if it occurs twice.
fn field<'a>(fields: &'a [(String, String)], name: &'static str) -> Result<Option<&'a str>, SigError> {
    let mut found = fields.iter().filter(|(field, _)| field.eq_ignore_ascii_case(name));
    match (found.next(), found.next()) {
        (value, None) => Ok(value.map(|(_, value)| value.as_str())),
        _ => Err(SigError::PostField(name.into())),
    }
}

fn required<'a>(fields: &'a [(String, String)], name: &'static str) -> Result<&'a str, SigError> {
    field(fields, name)?.ok_or(SigError::PostField(name.into()))
}

/// The policy of a POST form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostPolicy {
    expiration: Timestamp,
    conditions: Vec<Condition>,
    lengths: Option<RangeInclusive<u64>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Condition {
    Equal { field: String, value: String },
    StartsWith { field: String, prefix: String },
}

impl PostPolicy {
    /// Reads the base64 of the form field `policy`. Fails with `InvalidPolicyDocument` on anything it does not
    /// understand.
    pub fn parse(base64: &str) -> Result<Self, SigError> {
        let invalid = |text: &'static str| SigError::PolicyDocument(text.into());
        if base64.len() > POLICY_BYTES_MAX {
            return Err(invalid("it is longer than 64 KiB"));
        }
        let mut text = base64.as_bytes().to_vec();
        text.retain(|byte| !byte.is_ascii_whitespace());
        let json = STANDARD.decode(text).map_err(|_| invalid("it is not base64"))?;
        let document: Value = serde_json::from_slice(&json)
            .map_err(|error| SigError::PolicyDocument(format!("Invalid JSON: {error}").into()))?;
        let Value::Object(mut document) = document else { return Err(invalid("it is not a JSON object")) };
        let expiration = document.remove("expiration").ok_or(invalid("Policy missing expiration."))?;
        // ISO 8601 as S3 has it (`2007-12-01T12:00:00.000Z`), not whatever reads as a date.
        let is_iso = |text: &&str| text.as_bytes().get(10) == Some(&b'T') && text.ends_with('Z');
        let expiration = expiration.as_str().filter(is_iso).and_then(|text| text.parse().ok());
        let expiration = expiration.ok_or(invalid("Invalid 'expiration' value"))?;
        let conditions = document.remove("conditions").ok_or(invalid("Policy missing conditions."))?;
        let Value::Array(conditions) = conditions else {
            return Err(invalid("Invalid 'conditions' value: must be a list"));
        };
        if let Some((name, _)) = document.into_iter().next() {
            return Err(SigError::PolicyDocument(format!("Unexpected: '{name}'").into()));
        }
        let mut policy = Self { expiration, conditions: Vec::new(), lengths: None };
        for condition in &conditions {
            policy.add(condition)?;
        }
        Ok(policy)
    }

    fn add(&mut self, condition: &Value) -> Result<(), SigError> {
        let invalid = || SigError::PolicyDocument(format!("Invalid condition: {condition}").into());
        match condition {
            Value::Object(pairs) if !pairs.is_empty() => {
                for (name, value) in pairs {
                    let value = value.as_str().ok_or_else(invalid)?.to_owned();
                    self.conditions.push(Condition::Equal { field: name.to_lowercase(), value });
                }
                Ok(())
            }
            Value::Array(parts) => {
                let [operator, second, third] = parts.as_slice() else { return Err(invalid()) };
                let operator = operator.as_str().ok_or_else(invalid)?.to_ascii_lowercase();
                if operator == "content-length-range" {
                    let (least, most) = (number(second).ok_or_else(invalid)?, number(third).ok_or_else(invalid)?);
                    return self.limit(least, most);
                }
                let field = second.as_str().and_then(|name| name.strip_prefix('$')).ok_or_else(invalid)?.to_lowercase();
                let value = third.as_str().ok_or_else(invalid)?.to_owned();
                self.conditions.push(match operator.as_str() {
                    "eq" => Condition::Equal { field, value },
                    "starts-with" => Condition::StartsWith { field, prefix: value },
                    _ => return Err(invalid()),
                });
                Ok(())
            }
            _ => Err(invalid()),
        }
    }

    /// If there are several ranges, all of them apply.
    fn limit(&mut self, least: u64, most: u64) -> Result<(), SigError> {
        let (old_least, old_most) = self.lengths.clone().unwrap_or(0..=u64::MAX).into_inner();
        self.lengths = Some(least.max(old_least)..=most.min(old_most));
        Ok(())
    }

    /// The allowed sizes of the file in bytes, if the policy limits them.
    pub fn content_length_range(&self) -> Option<&RangeInclusive<u64>> {
        self.lengths.as_ref()
    }

    /// Checks the form against the policy: it has not expired, every condition holds, and a condition covers each
    /// field.
    ///
    /// `bucket` is the bucket that is written to. It counts as a field: a policy without a condition for it allows
    /// nothing, and a form field `bucket` with another value is refused. The policy, the signature, the file and
    /// `x-ignore-*` need no condition.
    pub fn check(&self, fields: &[(String, String)], bucket: &str, now: Timestamp) -> Result<(), SigError> {
        let refuse = |text: String| Err(SigError::PolicyRefused(text));
        if now >= self.expiration {
            return refuse("Policy expired.".to_owned());
        }
        let mut form: Vec<(String, &str)> = vec![("bucket".to_owned(), bucket)];
        for (name, value) in fields {
            let name = name.to_lowercase();
            match form.iter().find(|(seen, _)| *seen == name) {
                Some((_, seen)) if name == "bucket" && *seen == value => {}
                Some(_) => return refuse(format!("the form field '{name}' is given twice, or differs from the URL")),
                None => form.push((name, value)),
            }
        }
        for condition in &self.conditions {
            let value = form.iter().find(|(name, _)| name == condition.field()).map_or("", |(_, value)| value);
            if !condition.holds(value) {
                return refuse(format!("Policy Condition failed: {condition}"));
            }
        }
        let covered = |name: &str| is_exempt(name) || self.conditions.iter().any(|condition| condition.field() == name);
        match form.iter().find(|(name, _)| !covered(name)) {
            Some((name, _)) => refuse(format!("Extra input fields: {name}; add a condition for it to the policy")),
            None => Ok(()),
        }
    }
}

fn is_exempt(name: &str) -> bool {
    matches!(name, "policy" | "x-amz-signature" | "signature" | "awsaccesskeyid" | "file")
        || name.starts_with("x-ignore-")
}

fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

impl Condition {
    fn field(&self) -> &str {
        match self {
            Self::Equal { field, .. } | Self::StartsWith { field, .. } => field,
        }
    }

    fn holds(&self, value: &str) -> bool {
        match self {
            Self::Equal { value: wanted, .. } => value == wanted,
            // A Content-Type with commas is a list, and each of its items must begin with the prefix.
            Self::StartsWith { field, prefix } if field == "content-type" => {
                value.split(',').all(|part| part.trim_start().starts_with(prefix.as_str()))
            }
            Self::StartsWith { prefix, .. } => value.starts_with(prefix.as_str()),
        }
    }
}

impl std::fmt::Display for Condition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Equal { field, value } => write!(f, "[\"eq\", \"${field}\", \"{value}\"]"),
            Self::StartsWith { field, prefix } => write!(f, "[\"starts-with\", \"${field}\", \"{prefix}\"]"),
        }
    }
}
