use std::sync::Arc;

use access::{RequestTarget, Services, UnverifiedRequest};
use http::request::Parts;
use iam::Snapshot;
use jiff::Timestamp;
use sigv4::{AuthForm, SigError};

/// A head on its way through the steps, with what is known when it arrives.
pub(crate) struct RequestScope<'a> {
    pub(crate) head: &'a Parts,
    pub(crate) form: Result<AuthForm, SigError>,
    pub(crate) target: &'a RequestTarget<'a>,
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) now: Timestamp,
}

impl<'a> RequestScope<'a> {
    /// The same request in another state.
    pub(crate) fn in_state(&self, snapshot: Arc<Snapshot>) -> RequestScope<'a> {
        RequestScope { snapshot, form: self.form.clone(), ..*self }
    }

    /// The request before authentication.
    pub(crate) fn unverified(&self, services: Services, body_sha256: Option<[u8; 32]>) -> UnverifiedRequest<'_> {
        UnverifiedRequest {
            head: self.head,
            form: &self.form,
            target: self.target,
            now: self.now,
            services,
            body_sha256,
        }
    }
}
