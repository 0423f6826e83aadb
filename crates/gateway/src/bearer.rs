//! Requests that bring the token of an identity provider in place of a signature.

use std::sync::Arc;

use access::{Authenticated, DecisionObserver, Services};
use s3::{QueryString, S3Error};

use crate::client_certificate::NOT_ASKED_FOR;
use crate::gateway::Gateway;
use crate::query::QueryCall;
use crate::trail::Trail;
use crate::visit::Visit;

impl Gateway {
    /// The caller for whom the provider's token is a session. The trust policy of the role decides, as it does for
    /// AssumeRoleWithWebIdentity.
    pub(crate) async fn authenticate_bearer(
        &self,
        visit: &Visit<'_>,
        token: &str,
        trail: &Trail,
    ) -> Result<Authenticated, S3Error> {
        let (unverified, snapshot) = (visit.unverified(Services::S3, None), &*visit.snapshot);
        let nobody = self.authenticator.nobody(&unverified, snapshot)?;
        let call = QueryCall {
            parameters: QueryString::parse(None)?,
            context: self.context(visit, &nobody)?,
            caller: nobody.caller,
            request_id: trail.request_id.clone(),
            now: visit.now,
            observer: Arc::clone(&trail.decisions) as Arc<dyn DecisionObserver>,
            certificate: Err(NOT_ASKED_FOR),
        };
        let session = self.query_api.bearer_session(token, call).await?;
        self.authenticator.authenticate_bearer(&unverified, snapshot, &session)
    }
}
