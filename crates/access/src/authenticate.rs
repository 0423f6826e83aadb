//! Finds out who makes a request: checks the signature against the secret of the key, and the session token against the
//! signing key.

use std::sync::Arc;

use iam::{Caller, CallerSession, KeyRefusal, SessionUse, Snapshot};
use ids::{AccessKeyId, SecretAccessKey};
use jiff::Timestamp;
use policy::Principal;
use s3::{S3Error, S3ErrorCode};
use sigv4::post_policy::{PostClaim, PostSignature};
use sigv4::{AuthForm, ChunkSeed, Claim, Expectations, PayloadHash, SigError, SigningKeyCache};

use crate::authentication_type::AuthenticationType;
use crate::refusal::from_signature;
use crate::session::Sessions;
use crate::signature_v2::SignatureV2;
use crate::unverified::{Services, UnverifiedRequest, user_caller};
use crate::uses::RecentUses;

/// How far a client's clock may be off, in seconds. Source: S3 API Reference, `RequestTimeTooSkewed`.
const SKEW_S: u32 = 900;
/// How many signing keys are cached: one for each access key, day, region and service in use.
const SIGNING_KEYS: usize = 10_000;

/// A gateway without identities is closed, and says how to open it.
pub(crate) const NO_IDENTITIES: &str = "This gateway has no identities yet, so it refuses everyone: start it with -config naming an \
    identities file, or with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY set";

/// An authenticated caller, or an anonymous one.
#[derive(Debug, Clone)]
pub struct Authenticated {
    /// Who.
    pub caller: Caller,
    /// How.
    pub authentication: AuthenticationType,
    /// What the body must still be compared with.
    pub payload: PayloadHash,
    /// The start of the chain of chunk signatures.
    pub seed: Option<ChunkSeed>,
    /// When the request, or the policy of its form, was signed. Only V4 signatures say so.
    pub signed_at: Option<Timestamp>,
    /// The service for which it was signed; empty for anonymous callers.
    pub service: String,
}

/// The settings and caches of authentication.
pub struct Authenticator {
    /// The region for which signatures must be made; empty for any.
    pub region: String,
    /// For which requests signature V2 is accepted.
    pub signature_v2: SignatureV2,
    sessions: Sessions,
    signing_keys: SigningKeyCache,
    uses: Arc<RecentUses>,
}

/// A secret and its owner.
struct Holder {
    secret: SecretAccessKey,
    caller: Caller,
}

impl Authenticator {
    /// An authenticator. Without session keys every session token is refused.
    pub fn new(region: String, signature_v2: SignatureV2, keys: Option<Arc<sts::SessionKeys>>) -> Self {
        let sessions = Sessions::new(keys);
        let signing_keys = SigningKeyCache::new(SIGNING_KEYS);
        Self { region, signature_v2, sessions, signing_keys, uses: Arc::default() }
    }

    /// When each key was last used, for the control plane.
    pub fn uses(&self) -> Arc<RecentUses> {
        Arc::clone(&self.uses)
    }

    /// Records that this caller's signature was valid.
    fn note_use(&self, unverified: &UnverifiedRequest<'_>, caller: &Caller, service: &str, region: &str) {
        let key = caller.access_key_id.as_ref().map_or("", AccessKeyId::as_str);
        let id = match &caller.session {
            // A session's key lives only for hours, so this records the use of its role, `<role id>:<session>`.
            Some(_) => caller.user_id.split(':').next().unwrap_or(key),
            None => key,
        };
        let region = if region.is_empty() { self.region.as_str() } else { region };
        let region = if region.is_empty() { "us-east-1" } else { region };
        self.uses.note(id, unverified.now.as_second(), service, region);
        if let Some(session) = &caller.session {
            let known = || session_use(caller, session);
            self.uses.note_session(&session.id, unverified.now.as_second(), service, region, known);
        }
    }

    /// Finds out who makes the request.
    pub fn authenticate(
        &self,
        unverified: &UnverifiedRequest<'_>,
        snapshot: &Snapshot,
    ) -> Result<Authenticated, S3Error> {
        match unverified.form.as_ref().map_err(|error| from_signature(error.clone()))? {
            AuthForm::HeaderV4(claim) => self.verify_v4(unverified, snapshot, claim, AuthenticationType::HeaderV4),
            AuthForm::PresignedV4(claim) => {
                self.verify_v4(unverified, snapshot, claim, AuthenticationType::PresignedV4)
            }
            AuthForm::HeaderV2(claim) => self.verify_v2(unverified, snapshot, claim, AuthenticationType::HeaderV2),
            AuthForm::PresignedV2(claim) => {
                self.verify_v2(unverified, snapshot, claim, AuthenticationType::PresignedV2)
            }
            AuthForm::PostForm | AuthForm::Anonymous => self.anonymous(unverified, snapshot),
            // Only the control plane can verify it, and only S3 operations ask for that.
            AuthForm::Bearer(_) => Err(S3Error::not_implemented("The authorization type Bearer")),
        }
    }

    /// Whether the head names a key, or a session, with which a call of the query APIs may be signed; `false` for calls without a
    /// signature. Fails as [`Self::authenticate`] does if the key or the session is refused.
    pub fn is_signed_by_known_key(
        &self,
        unverified: &UnverifiedRequest<'_>,
        snapshot: &Snapshot,
    ) -> Result<bool, S3Error> {
        match unverified.form.as_ref().map_err(|error| from_signature(error.clone()))? {
            AuthForm::HeaderV4(claim) | AuthForm::PresignedV4(claim) => {
                let holder = self.holder(unverified, snapshot, &claim.access_key_id, claim.session_token.as_deref());
                holder.map(|_| true)
            }
            _ => Ok(false),
        }
    }

    /// The anonymous caller.
    pub fn anonymous(&self, unverified: &UnverifiedRequest<'_>, snapshot: &Snapshot) -> Result<Authenticated, S3Error> {
        Ok(Authenticated {
            caller: anonymous(unverified, snapshot),
            authentication: AuthenticationType::Anonymous,
            payload: PayloadHash::of(&unverified.head.headers).map_err(from_signature)?,
            seed: None,
            signed_at: None,
            service: String::new(),
        })
    }

    /// The caller of a request that brought the token of an identity provider, from the session that was made of it.
    pub fn authenticate_bearer(
        &self,
        unverified: &UnverifiedRequest<'_>,
        snapshot: &Snapshot,
        session_token: &str,
    ) -> Result<Authenticated, S3Error> {
        let session = self.sessions.verified(session_token, unverified.now)?;
        let caller = session.caller(snapshot, session.access_key_id(), unverified)?;
        self.note_use(unverified, &caller, "s3", "");
        Ok(Authenticated {
            caller,
            authentication: AuthenticationType::Bearer,
            payload: PayloadHash::of(&unverified.head.headers).map_err(from_signature)?,
            seed: None,
            signed_at: None,
            service: "s3".to_owned(),
        })
    }

    /// The IAM revision at which another gateway, or this one, made the session of a request. `None` for requests
    /// without a session, for sessions that do not say (those of `weed s3`), and for sessions that authentication will
    /// refuse.
    pub fn session_revision(&self, form: &AuthForm, now: Timestamp) -> Option<String> {
        let (AuthForm::HeaderV4(claim) | AuthForm::PresignedV4(claim)) = form else { return None };
        let session = self.sessions.session(claim.session_token.as_deref()?, &claim.access_key_id, now).ok()?;
        session.revision().map(str::to_owned)
    }

    /// Finds out who made the policy of a POST form. The caller is anonymous if the form has none.
    pub fn authenticate_form(
        &self,
        unverified: &UnverifiedRequest<'_>,
        snapshot: &Snapshot,
        fields: &[(String, String)],
    ) -> Result<Authenticated, S3Error> {
        let form = |caller, authentication, signed_at| Authenticated {
            caller,
            authentication,
            payload: PayloadHash::Unsigned,
            seed: None,
            signed_at,
            service: String::new(),
        };
        let Some(claim) = PostClaim::of(fields).map_err(from_signature)? else {
            return Ok(form(anonymous(unverified, snapshot), AuthenticationType::Anonymous, None));
        };
        let (authentication, signed_at) = match &claim.signature {
            PostSignature::V2(_) => (AuthenticationType::PostV2, None),
            PostSignature::V4 { date, .. } => (AuthenticationType::PostV4, Some(date.timestamp())),
        };
        self.signature_v2.check(authentication).map_err(from_signature)?;
        let holder = self.holder(unverified, snapshot, &claim.access_key_id, claim.session_token.as_deref())?;
        claim.verify(&holder.secret, &self.expectations(unverified)).map_err(from_signature)?;
        self.note_use(unverified, &holder.caller, "s3", "");
        Ok(form(holder.caller, authentication, signed_at))
    }

    fn verify_v4(
        &self,
        unverified: &UnverifiedRequest<'_>,
        snapshot: &Snapshot,
        claim: &Claim,
        authentication: AuthenticationType,
    ) -> Result<Authenticated, S3Error> {
        let holder = self.holder(unverified, snapshot, &claim.access_key_id, claim.session_token.as_deref())?;
        let expect = self.expectations(unverified);
        let verified = sigv4::verify(unverified.head, claim, &holder.secret, &expect, &self.signing_keys);
        let verified = verified.map_err(|error| {
            let error = from_signature(error);
            // SDKs read the region from this header and try again with it.
            let other_region = !self.region.is_empty() && claim.scope.region != self.region;
            if other_region { error.field("Region", self.region.as_str()) } else { error }
        })?;
        self.note_use(unverified, &holder.caller, &verified.service, &claim.scope.region);
        Ok(Authenticated {
            caller: holder.caller,
            authentication,
            payload: verified.payload,
            seed: verified.seed,
            signed_at: Some(verified.date.timestamp()),
            service: verified.service,
        })
    }

    fn verify_v2(
        &self,
        unverified: &UnverifiedRequest<'_>,
        snapshot: &Snapshot,
        claim: &sigv4::ClaimV2,
        authentication: AuthenticationType,
    ) -> Result<Authenticated, S3Error> {
        // V2 does not cover the body, which contains the action of the query APIs.
        if unverified.services == Services::Query {
            return Err(from_signature(SigError::V2ForQuery));
        }
        self.signature_v2.check(authentication).map_err(from_signature)?;
        let holder = self.holder(unverified, snapshot, &claim.access_key_id, claim.session_token.as_deref())?;
        sigv4::v2::verify(unverified.head, claim, &holder.secret, unverified.now, SKEW_S, &unverified.target.signed)
            .map_err(from_signature)?;
        self.note_use(unverified, &holder.caller, "s3", "");
        Ok(Authenticated {
            caller: holder.caller,
            authentication,
            // V2 signs this header like any other `x-amz-` header, so what it says about the body is enforced.
            payload: PayloadHash::of(&unverified.head.headers).map_err(from_signature)?,
            seed: None,
            signed_at: None,
            service: "s3".to_owned(),
        })
    }

    fn expectations<'a>(&'a self, unverified: &UnverifiedRequest<'a>) -> Expectations<'a> {
        let services: &[&str] = match unverified.services {
            Services::S3 => &["s3"],
            Services::Query => &["iam", "sts"],
        };
        let body_sha256 = unverified.body_sha256;
        Expectations {
            region: &self.region,
            services,
            now: unverified.now,
            skew_s: SKEW_S,
            target: &unverified.target.signed,
            body_sha256,
        }
    }

    fn holder(
        &self,
        unverified: &UnverifiedRequest<'_>,
        snapshot: &Snapshot,
        access_key_id: &AccessKeyId,
        token: Option<&str>,
    ) -> Result<Holder, S3Error> {
        if let Some(token) = token {
            let session = self.sessions.session(token, access_key_id, unverified.now)?;
            let caller = session.caller(snapshot, access_key_id, unverified)?;
            self.sessions.update_cached_size(token, &session);
            return Ok(Holder { secret: session.secret().clone(), caller });
        }
        let unknown = || {
            let error = if snapshot.has_identities() {
                S3Error::new(S3ErrorCode::InvalidAccessKeyId)
            } else {
                S3Error::with_message(S3ErrorCode::InvalidAccessKeyId, NO_IDENTITIES)
            };
            error.field("AWSAccessKeyId", access_key_id.as_str())
        };
        let holder = snapshot.access_key(access_key_id.as_str()).ok_or_else(unknown)?;
        match holder.refusal(unverified.now.as_second()) {
            None => {}
            Some(refusal @ KeyRefusal::Expired) => {
                return Err(S3Error::with_message(S3ErrorCode::AccessDenied, format!("{refusal}")));
            }
            Some(refusal) => {
                let message = format!("{}: {refusal}", S3ErrorCode::InvalidAccessKeyId.message());
                return Err(S3Error::with_message(S3ErrorCode::InvalidAccessKeyId, message));
            }
        }
        let caller = user_caller(&holder.user, access_key_id.clone(), unverified);
        Ok(Holder { secret: holder.secret, caller })
    }
}

/// What ListSessions shows of a session.
fn session_use(caller: &Caller, session: &CallerSession) -> SessionUse {
    let federation = session.federation.as_ref();
    SessionUse {
        arn: caller.arn.to_string(),
        account: caller.account.to_string(),
        role_arn: session.role_arn.to_string(),
        provider_arn: federation.map(|federation| federation.provider.arn.clone()).unwrap_or_default(),
        subject: federation.map(|federation| federation.subject.to_string()).unwrap_or_default(),
        issued_s: session.issued_s,
        expires_s: session.expires_s,
        address: caller.connection.source_ip.map(|address| address.to_string()).unwrap_or_default(),
    }
}

fn anonymous(unverified: &UnverifiedRequest<'_>, snapshot: &Snapshot) -> Caller {
    let user = snapshot.anonymous();
    Caller {
        name: iam::ANONYMOUS.into(),
        principal: Principal::Anonymous,
        arn: "".into(),
        user_id: iam::ANONYMOUS.into(),
        account: snapshot.settings().account,
        is_root: false,
        access_key_id: None,
        session: None,
        policies: user.map(|user| Arc::clone(&user.policies)).unwrap_or_default(),
        sources: user.map(|user| Arc::clone(&user.sources)).unwrap_or_default(),
        boundary: None,
        connection: unverified.target.client.facts(),
    }
}
