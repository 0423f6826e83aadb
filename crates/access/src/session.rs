//! Session tokens. They are verified once and cached until they expire; what the session may do is looked up for each
//! request.

mod known;
mod own;

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use iam::{
    CLAIM_BASED, Caller, CallerSession, DirectoryUser, Federation, PluginKeys, PolicySource, ProviderRights,
    RevocationTarget, Role, Snapshot,
};
use ids::{AccessKeyId, AccountId, SecretAccessKey};
use jiff::Timestamp;
use policy::{CompiledPolicy, Policy, PolicyKind, Principal};
use s3::{S3Error, S3ErrorCode};
use serde_json::Value;
use sts::{SessionClaims, SessionKeys, TokenError, VerifiedSession};

use self::known::{KnownSessions, bytes_of_policy};
use crate::unverified::UnverifiedRequest;

/// Verifies session tokens.
pub(crate) struct Sessions {
    keys: Option<Arc<SessionKeys>>,
    known: KnownSessions,
}

/// A session whose token is valid.
pub(crate) struct Session {
    verified: VerifiedSession,
    principal: Principal,
    policy: Option<Arc<CompiledPolicy>>,
    tags: Arc<[(String, String)]>,
    transitive_tag_keys: Arc<[String]>,
    /// When it was issued, in milliseconds since 1970.
    issued_ms: i64,
    /// What it can be revoked by, except its role.
    origins: Arc<[String]>,
    /// What it says of its user, if that is one of a directory.
    directory_user: Option<Arc<DirectoryUser>>,
    /// What it says of its user, if a plugin vouched for them.
    plugin_keys: PluginKeys,
    /// The session policy together with the managed ones, as they were at the last request.
    limits: ArcSwapOption<Limits>,
}

/// Session policies as one, and what they were made of.
struct Limits {
    parts: Vec<Arc<CompiledPolicy>>,
    whole: Arc<CompiledPolicy>,
    /// What the whole takes in memory.
    bytes: u64,
}

impl Sessions {
    pub(crate) fn new(keys: Option<Arc<SessionKeys>>) -> Self {
        Self { keys, known: KnownSessions::new() }
    }

    /// The session of a token that was sent with this access key.
    pub(crate) fn session(
        &self,
        token: &str,
        access_key_id: &AccessKeyId,
        now: Timestamp,
    ) -> Result<Arc<Session>, S3Error> {
        let session = match self.known.get(token) {
            Some(known) => known,
            None => {
                let session = Arc::new(self.verified(token, now)?);
                self.known.insert(token, &session);
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

    /// The session of a token that was made for this request only, which no client gets. Error: if this gateway has no
    /// `sts.signingKey`, or the token is invalid.
    pub(crate) fn verified(&self, token: &str, now: Timestamp) -> Result<Session, S3Error> {
        let keys = self.keys.as_ref().ok_or_else(|| invalid("this gateway has no sts.signingKey"))?;
        Session::verify(keys, token, now)
    }

    /// Call this after a request: updates the session's size in the cache if it has changed.
    pub(crate) fn update_cached_size(&self, token: &str, session: &Arc<Session>) {
        if !session.verified.claims.kspol.is_empty() && !self.known.has_size_of(token, session) {
            self.known.insert(token, session);
        }
    }
}

impl Session {
    /// The access key that belongs to it.
    pub(crate) fn access_key_id(&self) -> &AccessKeyId {
        &self.verified.access_key_id
    }

    fn verify(keys: &SessionKeys, token: &str, now: Timestamp) -> Result<Self, S3Error> {
        let verified = sts::verify(keys, token, now).map_err(|error| refused(&error))?;
        let claims = &verified.claims;
        let principal: Principal = claims.principal.parse().map_err(|_| invalid("its principal is not an ARN"))?;
        let text = claims.spol.as_deref().filter(|text| !text.is_empty());
        // A session policy that cannot be read denies everything: without it the session could do more.
        let policy = text.map(|text| match Policy::parse_stored(PolicyKind::Session, text) {
            Ok(policy) if claims.kkey.is_some() => Arc::new(policy.compile().of_own_session()),
            Ok(policy) => Arc::new(policy.compile()),
            Err(error) => Arc::new(CompiledPolicy::unreadable(format!("the session policy cannot be read: {error}"))),
        });
        let tag = |(key, value): (&String, &Value)| {
            Some((key.strip_prefix("aws:PrincipalTag/")?.to_owned(), value.as_str()?.to_owned()))
        };
        let tags = claims.req_ctx.iter().filter_map(tag).collect();
        let transitive_tag_keys = claims.ttags.as_slice().into();
        let origins = origins(claims, &principal);
        let directory_user = directory_user(claims).map(Arc::new);
        let (plugin_keys, issued_ms) = (plugin_keys(claims), issued_ms(claims));
        let limits = ArcSwapOption::empty();
        Ok(Self {
            principal,
            policy,
            tags,
            transitive_tag_keys,
            issued_ms,
            origins,
            directory_user,
            plugin_keys,
            limits,
            verified,
        })
    }

    /// The secret that the request must be signed with.
    pub(crate) fn secret(&self) -> &SecretAccessKey {
        &self.verified.secret
    }

    /// What limits the session: its own policy together with the managed ones as they are now. One that is gone denies.
    fn limits(&self, account: AccountId, snapshot: &Snapshot) -> Option<Arc<CompiledPolicy>> {
        let arns = &self.verified.claims.kspol;
        if arns.is_empty() {
            return self.policy.clone();
        }
        let managed = arns.iter().map(|arn| {
            let policy = snapshot.policy_by_arn(arn);
            let policy = policy.filter(|policy| policy.account.is_none_or(|own| own == account));
            let gone = || Arc::new(CompiledPolicy::unreadable(format!("the session policy `{arn}` no longer exists")));
            policy.map_or_else(gone, |policy| Arc::clone(&policy.compiled))
        });
        let parts: Vec<_> = self.policy.iter().cloned().chain(managed).collect();
        // The token says how many there are, so the number of parts never changes.
        let is_same = |known: &Arc<Limits>| known.parts.iter().zip(&parts).all(|(one, other)| Arc::ptr_eq(one, other));
        let known = self.limits.load_full().filter(is_same);
        let limits = known.unwrap_or_else(|| {
            let whole = Arc::new(CompiledPolicy::union(parts.iter().map(|part| &**part)));
            let texts = arns.iter().filter_map(|arn| Some(&*snapshot.policy_by_arn(arn)?.text));
            let bytes = texts.chain(self.policy_text()).map(bytes_of_policy).sum();
            let made = Arc::new(Limits { parts, whole, bytes });
            self.limits.store(Some(Arc::clone(&made)));
            made
        });
        Some(Arc::clone(&limits.whole))
    }

    fn policy_text(&self) -> Option<&str> {
        self.verified.claims.spol.as_deref()
    }

    /// What its policies take in memory.
    fn policy_bytes(&self) -> u64 {
        let limits = self.limits.load();
        self.policy_text().map_or(0, bytes_of_policy) + limits.as_ref().map_or(0, |limits| limits.bytes)
    }

    /// Fails if the session was revoked, by itself, by what it was made from, or by its role; `None` for no role.
    fn check_revocations(&self, role_arn: Option<&str>, snapshot: &Snapshot) -> Result<(), S3Error> {
        if !snapshot.has_revocations() {
            return Ok(());
        }
        let role = role_arn.map(|arn| RevocationTarget::Role(arn.to_owned()).to_text());
        let revoked = |target: &String| {
            snapshot.revocation(target).is_some_and(|revocation| self.issued_ms <= revocation.issued_until_ms)
        };
        if self.origins.iter().chain(&role).any(revoked) {
            let message = "The provided token has expired: the session was revoked; get new credentials";
            return Err(S3Error::with_message(S3ErrorCode::ExpiredToken, message));
        }
        Ok(())
    }

    /// Fails if the session was made from one of an identity provider that is gone, or that was made anew since.
    fn check_providers(&self, snapshot: &Snapshot) -> Result<(), S3Error> {
        let claims = &self.verified.claims;
        let issued_s = claims.issued_s();
        let is_gone = |(account, issuer): (AccountId, &str)| {
            let provider = snapshot.identity_provider(account, issuer);
            provider.is_none_or(|provider| provider.created_s > issued_s)
        };
        match claims.korg.iter().filter_map(|origin| RevocationTarget::provider_of(origin)).any(is_gone) {
            true => Err(invalid("the identity provider of the session from which it was made no longer exists")),
            false => Ok(()),
        }
    }

    /// The user of an identity provider for whom the session was made. Removing the provider ends the session, and a provider that
    /// was made later is another one.
    fn federation(&self, account: AccountId, snapshot: &Snapshot) -> Result<Option<Federation>, S3Error> {
        let claims = &self.verified.claims;
        if claims.prov_iss.is_empty() {
            return Ok(None);
        }
        let issued_s = claims.issued_s();
        let provider = snapshot.identity_provider(account, &claims.prov_iss);
        let provider = provider.filter(|provider| provider.created_s <= issued_s);
        let provider = provider.ok_or_else(|| invalid("the identity provider of the session no longer exists"))?;
        Ok(Some(Federation {
            provider: Arc::clone(provider),
            subject: claims.ext_uid.as_str().into(),
            audience: claims.kaud.as_deref().filter(|_| provider.has_tokens()).map(Into::into),
            directory_user: self.directory_user.clone().filter(|_| provider.is_directory()),
            plugin_keys: if provider.is_plugin() { Arc::clone(&self.plugin_keys) } else { Arc::default() },
        }))
    }

    /// The IAM revision that its issuer had seen.
    pub(crate) fn revision(&self) -> Option<&str> {
        self.verified.claims.krev.as_deref()
    }

    /// The caller as of now, with the policies that its role has now. Fails if the role or the identity provider of the session
    /// no longer exists.
    pub(crate) fn caller(
        &self,
        snapshot: &Snapshot,
        access_key_id: &AccessKeyId,
        unverified: &UnverifiedRequest<'_>,
    ) -> Result<Caller, S3Error> {
        let claims = &self.verified.claims;
        if let Some(key) = &claims.kkey {
            return self.own_caller(key, snapshot, access_key_id, unverified);
        }
        if let Some(key) = &claims.kfed {
            return self.federated_caller(key, snapshot, access_key_id, unverified);
        }
        let Principal::AssumedRole { account, session, .. } = &self.principal else {
            return Err(invalid("it is not a role session"));
        };
        let federation = self.federation(*account, snapshot)?;
        let role = SessionRole::of(claims, federation.as_ref(), snapshot)?;
        self.check_revocations(Some(&role.arn), snapshot)?;
        self.check_providers(snapshot)?;
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
                role_arn: role.arn,
                name: session.as_str().into(),
                issued_s: claims.issued_s(),
                expires_s: claims.exp,
                policy: self.limits(*account, snapshot),
                tags: Arc::clone(&self.tags),
                transitive_tag_keys: Arc::clone(&self.transitive_tag_keys),
                source_identity: claims.srcid.as_deref().map(Into::into),
                federation: federation.map(Arc::new),
                origins: Arc::clone(&self.origins),
                federated_by: None,
                mfa_at_s: claims.kmfa,
            }),
            policies: role.policies,
            sources: role.sources,
            boundary: role.boundary,
            connection: unverified.target.client.facts(),
        })
    }
}

/// What a session can be revoked by, except its role, which is known only from the state of now.
fn origins(claims: &SessionClaims, principal: &Principal) -> Arc<[String]> {
    let Some(account) = principal.account() else { return Arc::default() };
    let account = account.to_string();
    let mut targets = vec![RevocationTarget::Session(account.clone(), claims.sid.clone())];
    if !claims.prov_iss.is_empty() {
        let (issuer, subject) = (claims.prov_iss.clone(), claims.ext_uid.clone());
        targets.push(RevocationTarget::Provider(account.clone(), issuer.clone()));
        targets.push(RevocationTarget::Subject(account, issuer, subject));
    }
    targets.iter().map(RevocationTarget::to_text).chain(claims.korg.iter().cloned()).collect()
}

/// When a session was issued. The date that counts everywhere is in seconds. `assumed_at` is the same, but exact: of the sessions of
/// one second, a revocation ends those that were made before it.
fn issued_ms(claims: &SessionClaims) -> i64 {
    let issued_s = claims.issued_s();
    let exact = claims.assumed_at.parse().ok().filter(|exact: &Timestamp| exact.as_second() == issued_s);
    exact.map_or(issued_s.saturating_mul(1000), Timestamp::as_millisecond)
}

/// What the token says of a user of a directory; `None` without a name, which other sessions do not have.
fn directory_user(claims: &SessionClaims) -> Option<DirectoryUser> {
    let username = claims.req_ctx.get("ldap:username")?.as_str()?;
    let groups = claims.req_ctx.get("ldap:groups").and_then(Value::as_array);
    let groups = groups.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
    Some(DirectoryUser::new(&claims.ext_uid, username, groups))
}

/// What the token says of a user for whom a plugin vouched.
fn plugin_keys(claims: &SessionClaims) -> PluginKeys {
    let texts = |value: &Value| match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(values) => values.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    };
    let of_plugin = claims.req_ctx.iter().filter(|(key, _)| key.starts_with("plugin:"));
    of_plugin.map(|(key, value)| (key.clone(), texts(value))).collect()
}

/// The role in the tokens of sessions that have policies instead: those named by a claim of the identity provider's token, or by its
/// configuration.
pub const CLAIM_BASED_ROLE: &str = "arn:aws:iam:::role/sts-claim-based";

/// The role of a session as it is now, or the policies of its claim in the place of a role.
struct SessionRole {
    name: Arc<str>,
    path: Arc<str>,
    id: Arc<str>,
    arn: Arc<str>,
    policies: Arc<[Arc<CompiledPolicy>]>,
    sources: Arc<[PolicySource]>,
    boundary: Option<Arc<CompiledPolicy>>,
}

impl SessionRole {
    fn of(claims: &SessionClaims, federation: Option<&Federation>, snapshot: &Snapshot) -> Result<Self, S3Error> {
        if claims.role == CLAIM_BASED_ROLE {
            return Self::of_claim(claims, federation, snapshot);
        }
        let gone = || invalid("the role of the session no longer exists");
        let role = snapshot.role_by_arn(&claims.role).filter(|role| is_of(claims, role)).ok_or_else(gone)?;
        Ok(Self {
            name: Arc::clone(&role.name),
            path: Arc::clone(&role.path),
            id: Arc::clone(&role.id),
            arn: Arc::clone(&role.arn),
            policies: Arc::clone(&role.policies),
            sources: Arc::clone(&role.sources),
            boundary: role.boundary.clone(),
        })
    }

    /// The managed policies that the session names, or that its user has in the configuration, as they are now. Names without a
    /// policy give nothing.
    fn of_claim(claims: &SessionClaims, federation: Option<&Federation>, snapshot: &Snapshot) -> Result<Self, S3Error> {
        let gone = || invalid("its identity provider no longer names policies");
        let federation = federation.ok_or_else(gone)?;
        let provider = &federation.provider;
        let names: Vec<&str> = match (&provider.rights, &federation.directory_user) {
            (ProviderRights::PolicyClaim(_), _) => claims.pol.iter().map(String::as_str).collect(),
            (ProviderRights::Policies(mapping), Some(user)) => mapping.policies_of(user),
            (ProviderRights::RolePolicy(names), _) => names.iter().map(String::as_str).collect(),
            _ => return Err(gone()),
        };
        let policies = names.into_iter().filter_map(|name| snapshot.policy_named(name, provider.account));
        let (policies, sources): (Vec<_>, Vec<_>) =
            policies.map(|policy| (Arc::clone(&policy.compiled), PolicySource::Attached(policy.name.clone()))).unzip();
        Ok(Self {
            name: CLAIM_BASED.into(),
            path: "/".into(),
            id: "AROASTSCLAIMBASED".into(),
            arn: CLAIM_BASED_ROLE.into(),
            policies: policies.into(),
            sources: sources.into(),
            boundary: None,
        })
    }
}

/// Whether the session belongs to this role, and not to an earlier one with the same name. A session of `weed s3` does
/// not contain the role's id, so this can only check that the session is not older than the role.
fn is_of(claims: &SessionClaims, role: &Role) -> bool {
    match &claims.krid {
        Some(id) => **id == *role.id,
        None => claims.issued_s() >= role.created_s(),
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
mod tests;
