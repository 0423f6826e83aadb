use std::fmt;

use aws_lc_rs::{digest, hmac};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ids::{AccessKeyId, SecretAccessKey};
use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::signing_key::role_name;
use crate::{SessionClaims, SessionKeys, SigningKey, token};

/// How far the clock of the issuing gateway may be ahead of ours, in seconds. The end of a session knows no such grace.
const NOT_BEFORE_GRACE_S: i64 = 300;

/// A session to be made.
#[derive(Debug, Clone)]
pub struct NewSession<'a> {
    /// The role's ARN.
    pub role_arn: &'a str,
    /// The role's unique id, `AROA...`.
    pub role_id: Option<&'a str>,
    /// The role session name.
    pub session_name: &'a str,
    /// The assumed-role ARN: [`SessionKeys::assumed_role_arn`].
    pub principal_arn: &'a str,
    /// The session policy, as JSON text.
    pub session_policy: Option<&'a str>,
    /// Names of the role's policies, for weed.
    pub policy_names: &'a [String],
    /// The life of the session, in seconds.
    pub duration_s: u32,
    /// The time.
    pub issued_at: Timestamp,
    /// Sixteen random bytes: who can guess them has half of the session.
    pub session_id: [u8; 16],
    /// Condition keys fixed now, `aws:PrincipalTag/...` of the session tags apart.
    pub request_context: Map<String, Value>,
    /// The session tags.
    pub tags: &'a [(String, String)],
    /// Those of them that pass on to sessions made from this one.
    pub transitive_tag_keys: &'a [String],
    /// The source identity.
    pub source_identity: Option<&'a str>,
    /// The IAM revision that this gateway has seen.
    pub revision: Option<&'a str>,
}

/// What AssumeRole hands out.
#[derive(Clone)]
pub struct SessionCredentials {
    /// `ASIA...`.
    pub access_key_id: AccessKeyId,
    /// The secret.
    pub secret: SecretAccessKey,
    /// The session token.
    pub token: String,
    /// The end of the session.
    pub expiration: Timestamp,
}

impl fmt::Debug for SessionCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionCredentials({}, until {})", self.access_key_id, self.expiration)
    }
}

/// A session whose token is right. It says who the caller is once the request is signed with its `secret`.
#[derive(Debug, Clone)]
pub struct VerifiedSession {
    /// What the token says.
    pub claims: SessionClaims,
    /// The access key that the request must have named.
    pub access_key_id: AccessKeyId,
    /// The secret that the request must have been signed with.
    pub secret: SecretAccessKey,
    /// The end of the session.
    pub expiration: Timestamp,
}

/// Why a session token is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// The session is over: `ExpiredToken`.
    #[error("The provided token has expired: it ended at {0}; assume the role again")]
    Expired(Timestamp),
    /// Not a token of ours: `InvalidToken`.
    #[error("The provided token is malformed or otherwise invalid: {0}")]
    Invalid(&'static str),
    /// Right signature, but made for another service: `InvalidToken`.
    #[error(
        "The provided token is malformed or otherwise invalid: its issuer is not `{0}`; all gateways need the same sts.issuer"
    )]
    WrongIssuer(String),
}

impl TokenError {
    /// The error code of S3 and STS.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Expired(_) => "ExpiredToken",
            Self::Invalid(_) | Self::WrongIssuer(_) => "InvalidToken",
        }
    }
}

/// Makes a session: the same arguments give the same credentials.
pub fn mint(keys: &SessionKeys, new: &NewSession<'_>) -> SessionCredentials {
    let sid = hex::encode(new.session_id);
    let issued_s = new.issued_at.as_second();
    let expires_s = issued_s.saturating_add(new.duration_s.into());
    let mut request_context = new.request_context.clone();
    for (key, value) in new.tags {
        request_context.insert(format!("aws:PrincipalTag/{key}"), value.as_str().into());
    }
    let claims = SessionClaims {
        iss: keys.issuer.clone(),
        sub: sid.clone(),
        exp: expires_s,
        nbf: Some(issued_s),
        iat: Some(issued_s),
        jti: sid.clone(),
        sid: sid.clone(),
        snam: new.session_name.to_owned(),
        typ: "session".to_owned(),
        role: new.role_arn.to_owned(),
        assumed: format!("{}:{}", role_name(new.role_arn), new.session_name),
        principal: new.principal_arn.to_owned(),
        pol: new.policy_names.to_vec(),
        spol: new.session_policy.map(str::to_owned),
        idp: String::new(),
        ext_uid: String::new(),
        prov_iss: String::new(),
        req_ctx: request_context,
        assumed_at: new.issued_at.to_string(),
        max_dur: None,
        puid: None,
        krev: new.revision.map(str::to_owned),
        krid: new.role_id.map(str::to_owned),
        ttags: new.transitive_tag_keys.to_vec(),
        srcid: new.source_identity.map(str::to_owned),
    };
    SessionCredentials {
        access_key_id: access_key_id(&sid),
        secret: secret(&keys.current, &sid),
        token: token::write(&claims, &keys.current),
        expiration: Timestamp::from_second(expires_s).unwrap_or(Timestamp::MAX),
    }
}

/// Checks a session token and derives its access key and secret.
///
/// HS256 by one of our keys, the exact issuer, a session, not over, and with id, role and principal: anything else is an error.
pub fn verify(keys: &SessionKeys, token: &str, now: Timestamp) -> Result<VerifiedSession, TokenError> {
    let parsed = token::parse(token).map_err(TokenError::Invalid)?;
    let key = keys.candidates(parsed.kid.as_deref()).find(|key| parsed.is_signed_by(key));
    let key = key.ok_or(TokenError::Invalid(
        "no signing key of this gateway made it; all gateways need the same sts.signingKey",
    ))?;
    let claims = parsed.claims().map_err(TokenError::Invalid)?;
    if claims.iss != keys.issuer {
        return Err(TokenError::WrongIssuer(keys.issuer.clone()));
    }
    if claims.typ != "session" {
        return Err(TokenError::Invalid("it is no session"));
    }
    if claims.sid.is_empty() || claims.role.is_empty() || claims.principal.is_empty() {
        return Err(TokenError::Invalid("session id, role or principal is missing"));
    }
    let expiration = Timestamp::from_second(claims.exp).map_err(|_| TokenError::Invalid("its end is out of range"))?;
    if now >= expiration {
        return Err(TokenError::Expired(expiration));
    }
    if claims.nbf.is_some_and(|begin| begin > now.as_second().saturating_add(NOT_BEFORE_GRACE_S)) {
        return Err(TokenError::Invalid("it begins in the future; check the clocks of the gateways"));
    }
    let (access_key_id, secret) = (access_key_id(&claims.sid), secret(key, &claims.sid));
    Ok(VerifiedSession { claims, access_key_id, secret, expiration })
}

fn access_key_id(sid: &str) -> AccessKeyId {
    let hash = digest::digest(&digest::SHA256, format!("access-key:{sid}").as_bytes());
    let text = format!("ASIA{}", hex::encode(hash.as_ref().get(..8).unwrap_or_default()));
    #[expect(clippy::expect_used, reason = "ASIA and hexadecimal digits are an access key id")]
    text.parse().expect("an access key id")
}

fn secret(key: &SigningKey, sid: &str) -> SecretAccessKey {
    SecretAccessKey::new(STANDARD.encode(hmac::sign(key.hmac(), format!("secret-key:{sid}").as_bytes())))
}
