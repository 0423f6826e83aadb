//! Who asks: the signature against the secret of the key, the session token against the signing key.

use std::sync::Arc;

use http::request::Parts;
use iam::{Caller, KeyRefusal, Snapshot, User};
use ids::{AccessKeyId, SecretAccessKey};
use jiff::Timestamp;
use policy::Principal;
use s3::{S3Error, S3ErrorCode};
use sigv4::post_policy::{PostClaim, PostSignature};
use sigv4::{AuthForm, ChunkSeed, Claim, Expectations, PayloadHash, SigError, SigningKeyCache};

use crate::addressing::RequestTarget;
use crate::refusal::from_signature;
use crate::session::Sessions;
use crate::uses::Uses;

/// How far a client's clock may be off, in seconds. Source: S3 API Reference, `RequestTimeTooSkewed`.
const SKEW_S: u32 = 900;
/// Signing keys kept: one for each key, day, region and service in use.
const SIGNING_KEYS: usize = 10_000;

/// A gateway without identities is closed, and says how to open it.
pub(crate) const NO_IDENTITIES: &str = "This gateway knows no identity yet, so nobody is admitted: start it with -config naming an \
    identities file, or with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY set";

/// What a signature may be for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Services {
    /// Objects and buckets.
    S3,
    /// The IAM and STS query APIs, which bind the body.
    Query,
}

/// A request that stands before the door.
#[derive(Clone, Copy)]
pub struct Arrival<'a> {
    /// Its head.
    pub head: &'a Parts,
    /// Where it comes from and what it addresses.
    pub target: &'a RequestTarget<'a>,
    /// The time.
    pub now: Timestamp,
    /// What it may be signed for.
    pub services: Services,
    /// The SHA-256 of the body, if it was read already, as for the query APIs.
    pub body_sha256: Option<[u8; 32]>,
}

/// How the caller showed who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum AuthenticationType {
    Anonymous,
    HeaderV4,
    PresignedV4,
    PostV4,
    HeaderV2,
    PresignedV2,
    PostV2,
}

/// A caller whose signature is right, or who has none.
#[derive(Debug, Clone)]
pub struct Authenticated {
    /// Who.
    pub caller: Caller,
    /// How.
    pub authentication: AuthenticationType,
    /// What the body must still be checked against.
    pub payload: PayloadHash,
    /// Where the chain of chunk signatures begins.
    pub seed: Option<ChunkSeed>,
    /// When the request, or the policy of its form, was signed; only signatures V4 say so.
    pub signed_at: Option<Timestamp>,
    /// The service it was signed for; empty for anonymous callers.
    pub service: String,
}

/// The settings and caches of authentication.
pub struct Door {
    /// The region that signatures must be made for; empty for any.
    pub region: String,
    /// Signature V2 is accepted.
    pub sig_v2: bool,
    sessions: Sessions,
    signing_keys: SigningKeyCache,
    uses: Arc<Uses>,
}

/// A secret with whom it belongs to.
struct Holder {
    secret: SecretAccessKey,
    caller: Caller,
}

impl Door {
    /// A door. Without session keys every session token is refused.
    pub fn new(region: String, sig_v2: bool, keys: Option<Arc<sts::SessionKeys>>) -> Self {
        let sessions = Sessions::new(keys);
        let signing_keys = SigningKeyCache::new(SIGNING_KEYS);
        Self { region, sig_v2, sessions, signing_keys, uses: Arc::default() }
    }

    /// When which key was used last, for the control plane.
    pub fn uses(&self) -> Arc<Uses> {
        Arc::clone(&self.uses)
    }

    /// Notes that a signature of this caller was right.
    fn note_use(&self, arrival: &Arrival<'_>, caller: &Caller, service: &str, region: &str) {
        let key = caller.access_key_id.as_ref().map_or("", AccessKeyId::as_str);
        let id = match &caller.session {
            // A key of a session lives for hours: what was used is the role, `<role id>:<session>`.
            Some(_) => caller.user_id.split(':').next().unwrap_or(key),
            None => key,
        };
        let region = if region.is_empty() { self.region.as_str() } else { region };
        self.uses.note(id, arrival.now.as_second(), service, if region.is_empty() { "us-east-1" } else { region });
    }

    /// Finds out who asks.
    pub fn authenticate(&self, arrival: &Arrival<'_>, snapshot: &Snapshot) -> Result<Authenticated, S3Error> {
        match sigv4::auth_form(arrival.head).map_err(from_signature)? {
            AuthForm::HeaderV4(claim) => self.verify_v4(arrival, snapshot, &claim, AuthenticationType::HeaderV4),
            AuthForm::PresignedV4(claim) => self.verify_v4(arrival, snapshot, &claim, AuthenticationType::PresignedV4),
            AuthForm::HeaderV2(claim) => self.verify_v2(arrival, snapshot, &claim, AuthenticationType::HeaderV2),
            AuthForm::PresignedV2(claim) => self.verify_v2(arrival, snapshot, &claim, AuthenticationType::PresignedV2),
            AuthForm::PostForm | AuthForm::Anonymous => Ok(Authenticated {
                caller: anonymous(arrival, snapshot),
                authentication: AuthenticationType::Anonymous,
                payload: PayloadHash::of(&arrival.head.headers).map_err(from_signature)?,
                seed: None,
                signed_at: None,
                service: String::new(),
            }),
            AuthForm::Bearer => Err(S3Error::not_implemented("The authorization type Bearer")),
        }
    }

    /// The IAM revision at which another gateway, or this one, made the session of a request; `None` for requests without a session,
    /// for sessions that say none (weed's), and for those that authentication will refuse.
    pub fn session_revision(&self, head: &Parts, now: Timestamp) -> Option<String> {
        let in_query = |query: &str| query.contains("X-Amz-Security-Token=");
        if !head.headers.contains_key("x-amz-security-token") && !head.uri.query().is_some_and(in_query) {
            return None;
        }
        let (AuthForm::HeaderV4(claim) | AuthForm::PresignedV4(claim)) = sigv4::auth_form(head).ok()? else {
            return None;
        };
        let session = self.sessions.session(claim.session_token.as_deref()?, &claim.access_key_id, now).ok()?;
        session.revision().map(str::to_owned)
    }

    /// Finds out who made the policy of a POST form; anonymous if the form has none.
    pub fn authenticate_form(
        &self,
        arrival: &Arrival<'_>,
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
            return Ok(form(anonymous(arrival, snapshot), AuthenticationType::Anonymous, None));
        };
        let (authentication, signed_at) = match &claim.signature {
            PostSignature::V2(_) if !self.sig_v2 => return Err(from_signature(SigError::V2Disabled)),
            PostSignature::V2(_) => (AuthenticationType::PostV2, None),
            PostSignature::V4 { date, .. } => (AuthenticationType::PostV4, Some(date.timestamp())),
        };
        let holder = self.holder(arrival, snapshot, &claim.access_key_id, claim.session_token.as_deref())?;
        claim.verify(&holder.secret, &self.expectations(arrival)).map_err(from_signature)?;
        self.note_use(arrival, &holder.caller, "s3", "");
        Ok(form(holder.caller, authentication, signed_at))
    }

    fn verify_v4(
        &self,
        arrival: &Arrival<'_>,
        snapshot: &Snapshot,
        claim: &Claim,
        authentication: AuthenticationType,
    ) -> Result<Authenticated, S3Error> {
        let holder = self.holder(arrival, snapshot, &claim.access_key_id, claim.session_token.as_deref())?;
        let expect = self.expectations(arrival);
        let verified = sigv4::verify(arrival.head, claim, &holder.secret, &expect, &self.signing_keys);
        let verified = verified.map_err(|error| {
            let error = from_signature(error);
            // SDKs read the region here and try again with it.
            let other_region = !self.region.is_empty() && claim.scope.region != self.region;
            if other_region { error.field("Region", self.region.as_str()) } else { error }
        })?;
        self.note_use(arrival, &holder.caller, &verified.service, &claim.scope.region);
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
        arrival: &Arrival<'_>,
        snapshot: &Snapshot,
        claim: &sigv4::ClaimV2,
        authentication: AuthenticationType,
    ) -> Result<Authenticated, S3Error> {
        // V2 does not bind the body, so the query APIs, whose action stands there, do not take it.
        if !self.sig_v2 || arrival.services == Services::Query {
            return Err(from_signature(SigError::V2Disabled));
        }
        let holder = self.holder(arrival, snapshot, &claim.access_key_id, claim.session_token.as_deref())?;
        sigv4::v2::verify(arrival.head, claim, &holder.secret, arrival.now, SKEW_S, &arrival.target.signed)
            .map_err(from_signature)?;
        self.note_use(arrival, &holder.caller, "s3", "");
        Ok(Authenticated {
            caller: holder.caller,
            authentication,
            // V2 signs the header like any other `x-amz-` header, so what it says of the body is held to.
            payload: PayloadHash::of(&arrival.head.headers).map_err(from_signature)?,
            seed: None,
            signed_at: None,
            service: "s3".to_owned(),
        })
    }

    fn expectations<'a>(&'a self, arrival: &Arrival<'a>) -> Expectations<'a> {
        let services: &[&str] = match arrival.services {
            Services::S3 => &["s3"],
            Services::Query => &["iam", "sts"],
        };
        let body_sha256 = arrival.body_sha256;
        Expectations {
            region: &self.region,
            services,
            now: arrival.now,
            skew_s: SKEW_S,
            target: &arrival.target.signed,
            body_sha256,
        }
    }

    fn holder(
        &self,
        arrival: &Arrival<'_>,
        snapshot: &Snapshot,
        access_key_id: &AccessKeyId,
        token: Option<&str>,
    ) -> Result<Holder, S3Error> {
        if let Some(token) = token {
            let session = self.sessions.session(token, access_key_id, arrival.now)?;
            let caller = session.caller(snapshot, access_key_id, arrival)?;
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
        match holder.refusal(arrival.now.as_second()) {
            None => {}
            Some(refusal @ KeyRefusal::Expired) => {
                return Err(S3Error::with_message(S3ErrorCode::AccessDenied, format!("{refusal}")));
            }
            Some(refusal) => {
                let message = format!("{}: {refusal}", S3ErrorCode::InvalidAccessKeyId.message());
                return Err(S3Error::with_message(S3ErrorCode::InvalidAccessKeyId, message));
            }
        }
        let caller = user_caller(&holder.user, access_key_id.clone(), arrival);
        Ok(Holder { secret: holder.secret, caller })
    }
}

fn user_caller(user: &User, access_key_id: AccessKeyId, arrival: &Arrival<'_>) -> Caller {
    Caller {
        access_key_id: Some(access_key_id),
        source_ip: Some(arrival.target.client.ip),
        user_agent: user_agent(arrival.head),
        secure_transport: arrival.target.client.secure_transport,
        tls_version: arrival.target.client.tls_version,
        ..Caller::of(user)
    }
}

fn anonymous(arrival: &Arrival<'_>, snapshot: &Snapshot) -> Caller {
    let policies = snapshot.anonymous().map(|user| Arc::clone(&user.policies)).unwrap_or_default();
    Caller {
        name: iam::ANONYMOUS.into(),
        principal: Principal::Anonymous,
        arn: "".into(),
        user_id: iam::ANONYMOUS.into(),
        account: snapshot.settings().account,
        is_root: false,
        access_key_id: None,
        session: None,
        policies,
        boundary: None,
        source_ip: Some(arrival.target.client.ip),
        user_agent: user_agent(arrival.head),
        secure_transport: arrival.target.client.secure_transport,
        tls_version: arrival.target.client.tls_version,
    }
}

pub(crate) fn user_agent(head: &Parts) -> Arc<str> {
    head.headers.get(http::header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or("").into()
}
