//! Session tokens: verified once, remembered until they end; what the session may do is looked up at each request.

use std::sync::Arc;

use iam::{Caller, CallerSession, Role, Snapshot};
use ids::{AccessKeyId, SecretAccessKey};
use jiff::Timestamp;
use policy::{CompiledPolicy, Policy, PolicyKind, Principal};
use quick_cache::sync::Cache;
use s3::{S3Error, S3ErrorCode};
use sts::{SessionClaims, SessionKeys, TokenError, VerifiedSession};

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
    transitive_tag_keys: Arc<[String]>,
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
        let transitive_tag_keys = claims.ttags.as_slice().into();
        Ok(Self { principal, policy, tags, transitive_tag_keys, verified })
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
        let role = snapshot.role_by_arn(&claims.role).filter(|role| is_of(claims, role)).ok_or_else(gone)?;
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
                transitive_tag_keys: Arc::clone(&self.transitive_tag_keys),
                source_identity: claims.srcid.as_deref().map(Into::into),
            }),
            policies: Arc::clone(&role.policies),
            boundary: role.boundary.clone(),
            source_ip: Some(arrival.target.client.ip),
            user_agent: user_agent(arrival.head),
            secure_transport: arrival.target.client.secure_transport,
            tls_version: arrival.target.client.tls_version,
        })
    }
}

/// Whether this role made the session, and not an earlier one of the same name. A session of weed does not name the role's id: all that
/// can be known of it is whether it is older than the role.
fn is_of(claims: &SessionClaims, role: &Role) -> bool {
    match &claims.krid {
        Some(id) => **id == *role.id,
        None => claims.iat.or(claims.nbf).unwrap_or(0) >= role.document.facts.created_s,
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

#[cfg(test)]
mod tests {
    use iam::{Change, Facts, Identities, RoleDocument, RolePlace, Settings};
    use jiff::Timestamp;
    use serde_json::Map;
    use sts::{NewSession, SigningKey};

    use super::*;

    const MADE: i64 = 1_795_314_837;

    fn role(id: &str, created_s: i64) -> Arc<Role> {
        let facts = Facts { id: id.to_owned(), created_s, ..Facts::default() };
        let document = RoleDocument { name: "app".to_owned(), facts, ..RoleDocument::default() };
        let change = Change::Role("app".into(), RolePlace::Base, Some(Ok(document)));
        let empty = Snapshot::new(Settings::default(), &Identities::default());
        Arc::clone(empty.apply([change]).role("app").unwrap())
    }

    fn claims(role_id: Option<&str>, issued_s: i64) -> SessionClaims {
        let keys = SessionKeys {
            current: SigningKey::from_bytes(b"0123456789abcdef").unwrap(),
            older: Vec::new(),
            issuer: "seaweedfs-sts".into(),
            account_id: ids::AccountId::DEFAULT,
        };
        let issued_at = Timestamp::from_second(issued_s).unwrap();
        let made = sts::mint(
            &keys,
            &NewSession {
                role_arn: "arn:aws:iam::000000000000:role/app",
                role_id,
                session_name: "s",
                principal_arn: "arn:aws:sts::000000000000:assumed-role/app/s",
                session_policy: None,
                policy_names: &[],
                duration_s: 900,
                issued_at,
                session_id: [7; 16],
                request_context: Map::new(),
                tags: &[],
                transitive_tag_keys: &[],
                source_identity: None,
                revision: None,
            },
        );
        sts::verify(&keys, &made.token, issued_at).unwrap().claims
    }

    #[test]
    fn a_session_belongs_to_the_id_of_its_role() {
        let named_alike = role("", 0);
        let derived = &*named_alike.id;
        for (what, role, role_id, issued_s, wanted) in [
            ("the role itself", role("AROAONE", MADE), Some("AROAONE"), MADE, true),
            ("long after", role("AROAONE", MADE), Some("AROAONE"), MADE + 40_000, true),
            ("the next role of the name", role("AROATWO", MADE + 1), Some("AROAONE"), MADE, false),
            ("the next role, made in the same second", role("AROATWO", MADE), Some("AROAONE"), MADE, false),
            ("the next role, by a clock that is behind", role("AROATWO", MADE - 60), Some("AROAONE"), MADE, false),
            ("a role of a file, which has no id", role("", 0), Some(derived), MADE, true),
            ("a role made in place of one of a file", role("AROATWO", MADE - 60), Some(derived), MADE, false),
            ("an empty id", role("AROAONE", MADE), Some(""), MADE, false),
            ("weed's, of this role", role("AROAONE", MADE), None, MADE + 1, true),
            ("weed's, in the second of the creation", role("AROAONE", MADE), None, MADE, true),
            ("weed's, older than the role", role("AROATWO", MADE), None, MADE - 1, false),
            ("weed's, of a role of a file", role("", 0), None, MADE, true),
        ] {
            assert_eq!(is_of(&claims(role_id, issued_s), &role), wanted, "{what}");
        }
        let undated = SessionClaims { iat: None, nbf: None, ..claims(None, MADE) };
        assert!(!is_of(&undated, &role("AROAONE", MADE)), "weed's without a date");
    }
}
