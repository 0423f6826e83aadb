//! Requests that bring the token of an identity provider in place of a signature.

use std::sync::Arc;

use access::{Authenticated, DecisionObserver, Services};
use s3::{QueryString, S3Error};

use crate::client_certificate::NOT_ASKED_FOR;
use crate::decisions::Decisions;
use crate::gateway::Gateway;
use crate::query::QueryCall;
use crate::request_scope::RequestScope;

impl Gateway {
    /// The caller for whom the provider's token is a session. The trust policy of the role decides, as it does for
    /// AssumeRoleWithWebIdentity.
    pub(crate) async fn authenticate_bearer(
        &self,
        scope: &RequestScope<'_>,
        token: &str,
        request_id: &str,
        decisions: &Arc<Decisions>,
    ) -> Result<Authenticated, S3Error> {
        let (unverified, snapshot) = (scope.unverified(Services::S3, None), &*scope.snapshot);
        let anonymous = self.authenticator.anonymous(&unverified, snapshot)?;
        let call = QueryCall {
            parameters: QueryString::parse(None)?,
            context: self.context(scope, &anonymous)?,
            caller: anonymous.caller,
            request_id: request_id.to_owned(),
            now: scope.now,
            observer: Arc::clone(decisions) as Arc<dyn DecisionObserver>,
            certificate: Err(NOT_ASKED_FOR),
        };
        let session = self.query_api.bearer_session(token, call).await?;
        self.authenticator.authenticate_bearer(&unverified, snapshot, &session)
    }
}
