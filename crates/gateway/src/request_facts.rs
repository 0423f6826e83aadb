//! What becomes known of a request, for its answer and its audit record.

use std::net::IpAddr;
use std::sync::Arc;

use access::{AuditedCaller, AuditedError, AuditedSignature, AuditedTarget, UnverifiedRequest, shortened};
use iam::Snapshot;
use ids::BucketName;
use s3::{Operation, QueryString, Routing, S3Error};
use sigv4::{AuthForm, SigError};

use crate::decisions::Decisions;
use crate::gateway::Gateway;
use crate::keep_alive::EarlyResponse;
use crate::rate_limits::RequestCharges;
use crate::unauthenticated::{SignatureLimit, Unauthenticated};

/// How a request is signed, as far as that is known.
#[derive(Clone, Copy)]
pub(crate) enum SeenSignature {
    /// It was refused before that was read.
    NotRead,
    /// It has no signature, or one that cannot be read.
    Unsigned,
    /// It has this one, right or wrong.
    Signed(AuditedSignature),
}

impl SeenSignature {
    /// From how a request identifies its caller.
    pub(crate) fn of(form: &Result<AuthForm, SigError>) -> Self {
        let (version, place) = match form {
            Ok(AuthForm::HeaderV4(_)) => ("SigV4", "AuthHeader"),
            Ok(AuthForm::PresignedV4(_)) => ("SigV4", "QueryString"),
            Ok(AuthForm::HeaderV2(_)) => ("SigV2", "AuthHeader"),
            Ok(AuthForm::PresignedV2(_)) => ("SigV2", "QueryString"),
            Ok(AuthForm::PostForm) => ("", "Form"),
            Ok(AuthForm::Bearer(_) | AuthForm::Anonymous) | Err(_) => return Self::Unsigned,
        };
        Self::Signed(AuditedSignature { version, place })
    }
}

/// What is known about a request so far.
pub(crate) struct RequestFacts {
    pub(crate) request_id: String,
    /// The operation's name; `Unknown` until it is parsed.
    pub(crate) operation: &'static str,
    /// The bucket that the request addresses, whose CORS rules apply to the answer.
    pub(crate) bucket: Option<BucketName>,
    pub(crate) caller: AuditedCaller,
    /// What the request is about, for its audit record.
    pub(crate) target: AuditedTarget,
    /// The parameters of the query string; `None` until they are read.
    pub(crate) query: Option<QueryString>,
    /// The parameters of an IAM or STS call, without secrets; `None` for other requests.
    pub(crate) parameters: Option<Vec<(String, String)>>,
    /// How the request is signed.
    pub(crate) signature: SeenSignature,
    /// The error that is answered.
    pub(crate) error: Option<AuditedError>,
    /// The decisions about what the request needs, as they are made.
    pub(crate) decisions: Arc<Decisions>,
    /// The state that they are made by; `None` until it was loaded.
    pub(crate) snapshot: Option<Arc<Snapshot>>,
    /// Whether the signature was refused.
    pub(crate) unauthenticated: Option<Unauthenticated>,
    /// Lets the answer begin before it is known; `None` for requests that take no time.
    pub(crate) early: Option<Arc<EarlyResponse>>,
    /// The limits that it counts against.
    pub(crate) limits: RequestCharges,
}

impl RequestFacts {
    pub(crate) fn new(gateway: &Gateway, early: Option<Arc<EarlyResponse>>, limits: RequestCharges) -> Self {
        let decisions = Decisions::new(Arc::clone(&gateway.metrics), gateway.auditor.takes_all());
        Self {
            request_id: request_id(),
            operation: "Unknown",
            bucket: None,
            caller: AuditedCaller::default(),
            target: AuditedTarget::default(),
            query: None,
            parameters: None,
            signature: SeenSignature::NotRead,
            error: None,
            decisions: Arc::new(decisions),
            snapshot: None,
            unauthenticated: None,
            early,
            limits,
        }
    }

    /// Records what the request is for.
    pub(crate) fn routed(&mut self, routing: &Routing) {
        (self.operation, self.bucket) = match routing {
            Routing::S3(operation) => (operation.name(), operation.bucket().cloned()),
            Routing::Preflight(preflight) => ("CorsPreflight", preflight.bucket.clone()),
            Routing::Query(_) => ("Query", None),
        };
        if self.decisions.keeps_all()
            && let Routing::S3(operation) = routing
        {
            self.target = target_of(operation);
        }
    }

    /// Records the error that is answered.
    pub(crate) fn failed(&mut self, error: &S3Error) {
        let (code, message) = (error.code.as_str().to_owned(), shortened(error.message(), 512).into_owned());
        self.error = Some(AuditedError { code, message });
    }

    /// Records that a signature is refused, and the key that it names.
    pub(crate) fn unauthenticated(&mut self, key: String, error: S3Error) -> S3Error {
        self.unauthenticated = Some(Unauthenticated::new(key, &error));
        error
    }

    /// Records that the signature of a request is refused.
    pub(crate) fn refused(&mut self, unverified: &UnverifiedRequest<'_>, error: S3Error) -> S3Error {
        let key = match unverified.form {
            Ok(AuthForm::HeaderV4(claim) | AuthForm::PresignedV4(claim)) => claim.access_key_id.to_string(),
            Ok(AuthForm::HeaderV2(claim) | AuthForm::PresignedV2(claim)) => claim.access_key_id.to_string(),
            _ => String::new(),
        };
        self.unauthenticated(key, error)
    }

    /// Logs a refused signature, unless there are too many.
    pub(crate) fn audit_signature(&self, limit: &SignatureLimit, client: IpAddr) {
        let Some(Unauthenticated { key, code, reason }) = &self.unauthenticated else { return };
        if limit.admits(client) {
            tracing::info!(
                target: "audit", request = %self.request_id, operation = self.operation, %client, %key, code, %reason,
                "refused a signature"
            );
        }
    }
}

/// A random request id: 16 upper-case hexadecimal digits, as on AWS.
fn request_id() -> String {
    format!("{:016X}", rand::random::<u64>())
}

/// What an operation is about.
pub(crate) fn target_of(operation: &Operation) -> AuditedTarget {
    AuditedTarget {
        bucket: operation.bucket().map(|bucket| bucket.as_str().to_owned()),
        key: operation.key().map(|key| key.as_str().to_owned()),
        version_id: operation.version_id().map(ToString::to_string),
        copy_source: operation.copy_source().map(|source| format!("{}/{}", source.bucket, source.key.as_str())),
    }
}
