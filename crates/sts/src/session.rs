use std::fmt;

use aws_lc_rs::{digest, hmac};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ids::{AccessKeyId, SecretAccessKey};
use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::signing_key::role_name;
use crate::{SessionClaims, SessionKeys, SigningKey, token};

/// How far the clock of the issuing gateway may be ahead of ours, in seconds. The end of a session has no such
/// tolerance.
const NOT_BEFORE_GRACE_S: i64 = 300;

/// What a new session is made from.
#[derive(Debug, Clone)]
pub struct NewSession<'a> {
    /// The role's ARN.
    pub role_arn: &'a str,
    /// The role's unique id, `AROA...`, or that of the user who makes the session.
    pub role_id: Option<&'a str>,
    /// What the session is of.
    pub held_by: SessionHolder<'a>,
    /// The role session name.
    pub session_name: &'a str,
    /// The assumed-role ARN: [`SessionKeys::assumed_role_arn`].
    pub principal_arn: &'a str,
    /// The session policy, as JSON text.
    pub session_policy: Option<&'a str>,
    /// The ARNs of managed policies that limit the session too.
    pub session_policy_arns: &'a [String],
    /// Names of the role's policies, for `weed s3`.
    pub policy_names: &'a [String],
    /// The length of the session, in seconds.
    pub duration_s: u32,
    /// The current time.
    pub issued_at: Timestamp,
    /// Sixteen random bytes. They must be unpredictable: the session's secret is derived from them and the signing key.
    pub session_id: [u8; 16],
    /// Condition keys fixed now, except the `aws:PrincipalTag/...` keys of the session tags.
    pub request_context: Map<String, Value>,
    /// The session tags.
    pub tags: &'a [(String, String)],
    /// The session tags that sessions made from this one inherit.
    pub transitive_tag_keys: &'a [String],
    /// The source identity.
    pub source_identity: Option<&'a str>,
    /// The IAM revision that this gateway has seen.
    pub revision: Option<&'a str>,
    /// The user of an identity provider for whom the session is.
    pub federated: Option<FederatedUser<'a>>,
    /// What the session can be revoked by beside what it is itself.
    pub origins: &'a [String],
    /// When the caller showed a code of an MFA device, in seconds since 1970.
    pub mfa_at_s: Option<i64>,
}

/// What a session is of. It ends with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionHolder<'a> {
    /// A role.
    Role,
    /// The user who made it with this access key, for themselves.
    User(&'a str),
    /// The user who made it with this access key, for somebody whom only the user knows (GetFederationToken).
    Federated(&'a str),
}

/// The user of an identity provider for whom a session is made.
#[derive(Debug, Clone, Copy)]
pub struct FederatedUser<'a> {
    /// The provider, as `weed s3` names it.
    pub provider: &'a str,
    /// The issuer of the token.
    pub issuer: &'a str,
    /// The subject of the token.
    pub subject: &'a str,
    /// The client id for which the token was accepted.
    pub audience: &'a str,
}

impl FederatedUser<'_> {
    /// What identifies the user at the provider, as `weed s3` computes it.
    fn unique_id(&self) -> String {
        let text = format!("openid:{}:{}", self.subject, self.issuer);
        URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, text.as_bytes()))
    }
}

/// The credentials that AssumeRole returns.
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

/// A session whose token is valid. It identifies the caller only if the request is also signed with its `secret`.
#[derive(Debug, Clone)]
pub struct VerifiedSession {
    /// The claims of the token.
    pub claims: SessionClaims,
    /// The access key that the request must have named.
    pub access_key_id: AccessKeyId,
    /// The secret that the request must have been signed with.
    pub secret: SecretAccessKey,
    /// The end of the session.
    pub expiration: Timestamp,
}

/// A session token is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// The session is over: `ExpiredToken`.
    #[error("The provided token has expired: it ended at {0}; assume the role again")]
    Expired(Timestamp),
    /// Not a token of ours: `InvalidToken`.
    #[error("The provided token is malformed or otherwise invalid: {0}")]
    Invalid(&'static str),
    /// The signature is valid, but the token was made for another service: `InvalidToken`.
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

/// Makes a session. The same arguments give the same credentials.
pub fn mint(keys: &SessionKeys, new: &NewSession<'_>) -> SessionCredentials {
    let sid = hex::encode(new.session_id);
    let issued_s = new.issued_at.as_second();
    let expires_s = issued_s.saturating_add(new.duration_s.into());
    let mut request_context = new.request_context.clone();
    for (key, value) in new.tags {
        request_context.insert(format!("aws:PrincipalTag/{key}"), value.as_str().into());
    }
    let federated = new.federated;
    let (kkey, kfed) = match new.held_by {
        SessionHolder::Role => (None, None),
        SessionHolder::User(key) => (Some(key.to_owned()), None),
        SessionHolder::Federated(key) => (None, Some(key.to_owned())),
    };
    let (provider, subject, issuer) = federated.map_or(("", "", ""), |user| (user.provider, user.subject, user.issuer));
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
        idp: provider.to_owned(),
        ext_uid: subject.to_owned(),
        prov_iss: issuer.to_owned(),
        req_ctx: request_context,
        assumed_at: new.issued_at.to_string(),
        max_dur: None,
        puid: federated.map(|user| user.unique_id()),
        kaud: federated.map(|user| user.audience.to_owned()),
        krev: new.revision.map(str::to_owned),
        krid: new.role_id.map(str::to_owned),
        kkey,
        kfed,
        kmfa: new.mfa_at_s,
        kspol: new.session_policy_arns.to_vec(),
        korg: new.origins.to_vec(),
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

/// The id of the session that stands for the token of an identity provider: always the same for the same token.
pub fn session_id_of_token(token: &str) -> [u8; 16] {
    let hash = digest::digest(&digest::SHA256, format!("bearer:{token}").as_bytes());
    std::array::from_fn(|at| hash.as_ref().get(at).copied().unwrap_or_default())
}

/// 16 hexadecimal digits that differ for two texts.
pub fn text_hash(text: &str) -> String {
    let hash = digest::digest(&digest::SHA256, text.as_bytes());
    hash.as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// Checks a session token and derives its access key and secret.
///
/// The token must be signed by one of our keys with HS256, name our issuer exactly, be a session that has not ended,
/// and have an id, a role and a principal. Anything else is an error.
pub fn verify(keys: &SessionKeys, token: &str, now: Timestamp) -> Result<VerifiedSession, TokenError> {
    let parsed = token::parse(token).map_err(TokenError::Invalid)?;
    let key = keys.candidates(parsed.kid.as_deref()).find(|key| token::is_signed_by(&parsed, key));
    let key = key.ok_or(TokenError::Invalid(
        "it is not signed with a key of this gateway; all gateways need the same sts.signingKey",
    ))?;
    let claims = token::claims(&parsed).map_err(TokenError::Invalid)?;
    if claims.iss != keys.issuer {
        return Err(TokenError::WrongIssuer(keys.issuer.clone()));
    }
    if claims.typ != "session" {
        return Err(TokenError::Invalid("it is not a session"));
    }
    // It is the session of a role, or of a user who has a key, and of one of them alone.
    let holders = [!claims.role.is_empty(), claims.kkey.is_some(), claims.kfed.is_some()];
    let has_holder = holders.into_iter().filter(|is_given| *is_given).count() == 1;
    if claims.sid.is_empty() || !has_holder || claims.principal.is_empty() {
        return Err(TokenError::Invalid("its session id, role or principal is missing"));
    }
    let expiration = Timestamp::from_second(claims.exp).map_err(|_| TokenError::Invalid("its end is out of range"))?;
    if now >= expiration {
        return Err(TokenError::Expired(expiration));
    }
    if claims.nbf.is_some_and(|begin| begin > now.as_second().saturating_add(NOT_BEFORE_GRACE_S)) {
        return Err(TokenError::Invalid("it starts in the future; check the clocks of the gateways"));
    }
    let (access_key_id, secret) = (access_key_id(&claims.sid), secret(key, &claims.sid));
    Ok(VerifiedSession { claims, access_key_id, secret, expiration })
}

fn access_key_id(sid: &str) -> AccessKeyId {
    let hash = digest::digest(&digest::SHA256, format!("access-key:{sid}").as_bytes());
    let text = format!("ASIA{}", hex::encode(hash.as_ref().get(..8).unwrap_or_default()));
    #[expect(clippy::expect_used, reason = "ASIA and hexadecimal digits form a valid access key id")]
    text.parse().expect("an access key id")
}

fn secret(key: &SigningKey, sid: &str) -> SecretAccessKey {
    SecretAccessKey::new(STANDARD.encode(hmac::sign(key.hmac(), format!("secret-key:{sid}").as_bytes())))
}
