//! An upload is decided again when its body has arrived, if the state has changed since it began: its permission may have been taken
//! away, and that change was acknowledged.

use std::sync::Arc;

use access::{Authenticated, Services};
use futures_util::FutureExt;
use s3::S3Error;
use sigv4::AuthForm;

use super::Call;
use crate::admitted_upload::AdmittedUpload;
use crate::request_scope::RequestScope;

impl Call<'_> {
    /// Fails if the upload would not be admitted now.
    pub(crate) async fn require_still_allowed(&self) -> Result<(), S3Error> {
        let Some(upload) = &self.upload else { return Ok(()) };
        let begun = upload.scope;
        let snapshot = self.gateway.state_for(begun.head, &begun.form, begun.now).await?;
        if Arc::ptr_eq(&snapshot, &begun.snapshot) {
            return Ok(());
        }
        self.decide_again(upload, begun.in_state(snapshot)).boxed().await
    }

    async fn decide_again(&self, upload: &AdmittedUpload<'_>, scope: RequestScope<'_>) -> Result<(), S3Error> {
        let authenticated = self.authenticated_in(&scope, upload).await?;
        let (decisions, request_id) = (Arc::clone(&self.decisions), self.request_id.clone());
        let call = self.gateway.call(&scope, authenticated, &upload.operation, decisions, request_id)?;
        let permit = call.authorize(upload.operation.clone()).await;
        permit.map(drop).map_err(|denied| denied.to_error(&self.request_id))
    }

    async fn authenticated_in(
        &self,
        scope: &RequestScope<'_>,
        upload: &AdmittedUpload<'_>,
    ) -> Result<Authenticated, S3Error> {
        let (authenticator, unverified) = (&self.gateway.authenticator, scope.unverified(Services::S3, None));
        match (&upload.fields, &scope.form) {
            (Some(fields), _) => authenticator.authenticate_form(&unverified, &scope.snapshot, fields),
            (None, Ok(AuthForm::Bearer(token))) => {
                self.gateway.authenticate_bearer(scope, token.expose(), &self.request_id, &self.decisions).await
            }
            (None, _) => authenticator.authenticate(&unverified, &scope.snapshot),
        }
    }
}
