//! What is kept of an upload, to decide it again when its body has arrived.

use s3::Operation;

use crate::request_scope::RequestScope;

/// How an upload was admitted.
pub(crate) struct AdmittedUpload<'a> {
    pub(crate) scope: &'a RequestScope<'a>,
    pub(crate) operation: Operation,
    /// The fields of a form, which say who sends it; `None` for other uploads.
    pub(crate) fields: Option<Vec<(String, String)>>,
}

impl<'a> AdmittedUpload<'a> {
    /// `None` for an operation that does not store its body.
    pub(crate) fn of(scope: &'a RequestScope<'_>, operation: &Operation) -> Option<Self> {
        operation.upload().map(|_| Self { scope, operation: operation.clone(), fields: None })
    }
}
