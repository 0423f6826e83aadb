//! Session tokens: verified once, remembered until they end; what the session may do is looked up at each request.

use std::sync::Arc;

use iam::{Caller, CallerSession, Snapshot};
use ids::{AccessKeyId, SecretAccessKey};
use jiff::Timestamp;
use policy::{CompiledPolicy, Policy, PolicyKind, Principal};
use quick_cache::sync::Cache;
use s3::{S3Error, S3ErrorCode};
use sts::{SessionKeys, TokenError, VerifiedSession};

use crate::authenticate::{Arrival, user_agent};

/// Sessions remembered at a time; the oldest make room.
const SESSIONS: usize = 10_000;

/// Verifies session tokens.
pub(crate) struct Sessions {
    keys: Option<Arc<SessionKeys>>,
    /// By the whole token: no shortened key could stand for another session.
    known: Cache<Arc<str>, Arc<Session>>,
}

/// A session whose token is right.
pub(crate) struct Session {
    verified: VerifiedSession,
    principal: Principal,
    policy: Option<Arc<CompiledPolicy>>,
    tags: Arc<[(String, String)]>,
}

impl Sessions {
    pub(crate) fn new(keys: Option<Arc<SessionKeys>>) -> Self {
        Self { keys, known: Cache::new(SESSIONS) }
    }

    /// The session of a token that came with this access key.
    pub(crate) fn session(
        &self,
        token: &str,
        access_key_id: &AccessKeyId,
        now: Timestamp,
    ) -> Result<Arc<Session>, S3Error> {
        let session = match self.known.get(token) {
            Some(known) => known,
            None => {
                let keys = self.keys.as_ref().ok_or_else(|| invalid("this gateway has no sts.signingKey"))?;
                let session = Arc::new(Session::verify(keys, token, now)?);
                self.known.insert(token.into(), Arc::clone(&session));
                session
            }
        };
        if now >= session.verified.expiration {
            self.known.remove(token);
            return Err(refused(&TokenError::Expired(session.verified.expiration)));
        }
        if session.verified.access_key_id != *access_key_id {
            return Err(invalid("the session token and the access key do not belong together"));
        }
        Ok(session)
    }
}

impl Session {
    fn verify(keys: &SessionKeys, token: &str, now: Timestamp) -> Result<Self, S3Error> {
        let verified = sts::verify(keys, token, now).map_err(|error| refused(&error))?;
        let claims = &verified.claims;
        let principal: Principal = claims.principal.parse().map_err(|_| invalid("its principal is no ARN"))?;
        let text = claims.spol.as_deref().filter(|text| !text.is_empty());
        // A session policy that cannot be read denies: the session would be wider without it.
        let policy = text.map(|text| match Policy::parse_stored(PolicyKind::Session, text) {
            Ok(policy) => Arc::new(policy.compile()),
            Err(error) => Arc::new(CompiledPolicy::unreadable(format!("the session policy cannot be read: {error}"))),
        });
        let tag = |(key, value): (&String, &serde_json::Value)| {
            Some((key.strip_prefix("aws:PrincipalTag/")?.to_owned(), value.as_str()?.to_owned()))
        };
        let tags = claims.req_ctx.iter().filter_map(tag).collect();
        Ok(Self { principal, policy, tags, verified })
    }

    /// The secret that the request must be signed with.
    pub(crate) fn secret(&self) -> &SecretAccessKey {
        &self.verified.secret
    }

    /// The IAM revision that its maker had seen.
    pub(crate) fn revision(&self) -> Option<&str> {
        self.verified.claims.krev.as_deref()
    }

    /// Who the session is now: the policies are those that its role has at this moment. Without the role it is nobody.
    pub(crate) fn caller(
        &self,
        snapshot: &Snapshot,
        access_key_id: &AccessKeyId,
        arrival: &Arrival<'_>,
    ) -> Result<Caller, S3Error> {
        let claims = &self.verified.claims;
        let gone = || invalid("the role of the session does not exist any more");
        let role = snapshot.role_by_arn(&claims.role).ok_or_else(gone)?;
        let Principal::AssumedRole { account, session, .. } = &self.principal else {
            return Err(invalid("it is no session of a role, and other sessions are not supported yet"));
        };
        Ok(Caller {
            name: session.as_str().into(),
            principal: Principal::AssumedRole {
                account: *account,
                role: role.name.to_string(),
                role_path: role.path.to_string(),
                session: session.clone(),
            },
            arn: claims.principal.as_str().into(),
            user_id: format!("{}:{session}", role.id).into(),
            account: *account,
            is_root: false,
            access_key_id: Some(access_key_id.clone()),
            session: Some(CallerSession {
                id: claims.sid.as_str().into(),
                role_arn: Arc::clone(&role.arn),
                name: session.as_str().into(),
                issued_s: claims.iat.or(claims.nbf).unwrap_or(0),
                expires_s: claims.exp,
                policy: self.policy.clone(),
                tags: Arc::clone(&self.tags),
                source_identity: claims.srcid.as_deref().map(Into::into),
            }),
            policies: Arc::clone(&role.policies),
            boundary: role.boundary.clone(),
            source_ip: Some(arrival.target.client.ip),
            user_agent: user_agent(arrival.head),
            secure_transport: arrival.target.client.secure_transport,
        })
    }
}

fn refused(error: &TokenError) -> S3Error {
    let code = match error {
        TokenError::Expired(_) => S3ErrorCode::ExpiredToken,
        TokenError::Invalid(_) | TokenError::WrongIssuer(_) => S3ErrorCode::InvalidToken,
    };
    S3Error::with_message(code, error.to_string())
}

fn invalid(reason: &'static str) -> S3Error {
    refused(&TokenError::Invalid(reason))
}
