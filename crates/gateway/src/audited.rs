//! The audit record of a request: made once its answer is known, or when its client goes away before that.

use std::borrow::Cow;
use std::mem;

use access::{
    AuditRecord, AuditedError, AuditedRequest, AuditedSignature, HEADER_BYTES_MAX, STATUS_CLIENT_GONE, shortened,
    shown_s3_parameters,
};
use http::header::{self, HeaderName, HeaderValue};
use http::{Response, Version};
use http_body::Body;
use s3::{QueryString, S3Error};

use crate::arrived::{Arrived, known_method};
use crate::audit_log;
use crate::body::ResponseBody;
use crate::decisions::RecordedDecisions;
use crate::errors;
use crate::gateway::Gateway;
use crate::request_facts::{RequestFacts, SeenSignature};
use crate::respond;
use crate::traced;

/// A request that leaves a record, whatever becomes of it.
pub(crate) struct Audited<'a> {
    gateway: &'a Gateway,
    arrived: Arrived<'a>,
    pub(crate) facts: RequestFacts,
    is_done: bool,
}

impl<'a> Audited<'a> {
    pub(crate) fn new(gateway: &'a Gateway, arrived: Arrived<'a>, facts: RequestFacts) -> Self {
        Self { gateway, arrived, facts, is_done: false }
    }

    /// Error: `ServiceUnavailable` if the request must be audited and its record cannot be kept now.
    pub(crate) fn may_run(&mut self) -> Result<(), S3Error> {
        self.gateway.auditor.ready().map_err(|why| {
            self.is_done = true; // it is counted, and leaves no record
            errors::unavailable(format!("The request was not carried out, because {why}"))
        })
    }

    /// Leaves the record. If it must be stored before the answer and cannot, the answer says that instead.
    pub(crate) async fn answered(mut self, response: Response<ResponseBody>) -> Response<ResponseBody> {
        traced::end(self.gateway, &self.arrived, &self.facts, response.status().as_u16());
        if mem::replace(&mut self.is_done, true) {
            return response;
        }
        let (status, bytes) = (response.status().as_u16(), response.body().size_hint().exact());
        if let Some(error) = response.extensions().get::<AuditedError>() {
            self.facts.error = Some(error.clone());
        }
        let Some(record) = self.record(status, bytes) else { return response };
        audit_log::print(&record);
        let Some(written) = self.gateway.auditor.take(&record) else { return response };
        match written.await {
            Ok(()) => response,
            Err(why) => self.unrecorded(status, &why, record),
        }
    }

    /// The answer if the record had to be stored first and was not.
    fn unrecorded(&mut self, status: u16, why: &str, record: AuditRecord) -> Response<ResponseBody> {
        (self.facts.request_id, self.facts.caller) = (record.request_id, record.caller);
        let error = errors::unavailable(format!("The request was carried out with status {status}, but {why}"));
        self.facts.failed(&error);
        let answer = respond::respond(self.gateway, self.arrived.head, Err(error), &self.facts);
        traced::end(self.gateway, &self.arrived, &self.facts, answer.status().as_u16());
        answer
    }

    /// The record, if anyone takes it: that of a refusal always, that of another request if the log prints it or the auditor takes
    /// all. What the facts knows of the request moves into it.
    fn record(&mut self, status: u16, bytes_sent: Option<u64>) -> Option<AuditRecord<'a>> {
        let RecordedDecisions { decisions, objects, sign_in } = self.facts.decisions.take();
        if decisions.is_empty() && !self.facts.decisions.keeps_all() {
            return None;
        }
        let request = self.request();
        let (facts, Arrived { head, time, started, .. }) = (&mut self.facts, &self.arrived);
        let mut caller = mem::take(&mut facts.caller);
        caller.sign_in = sign_in;
        caller.claimed_key = facts.unauthenticated.as_ref().map(|refused| shortened(&refused.key, 128).into_owned());
        Some(AuditRecord {
            request_id: mem::take(&mut facts.request_id),
            time: *time,
            took: started.elapsed(),
            operation: facts.operation,
            caller,
            target: mem::take(&mut facts.target),
            parameters: facts.parameters.take().unwrap_or_else(|| parameters(facts.query.take(), head.uri.query())),
            decisions,
            objects,
            revision: facts.snapshot.as_ref().map_or(0, |snapshot| snapshot.revision()),
            request,
            status,
            error: facts.error.take(),
            bytes_sent,
        })
    }

    fn request(&self) -> AuditedRequest<'a> {
        let Arrived { head, client, connection, .. } = self.arrived;
        let header = |name: HeaderName| head.headers.get(name).map_or(&b""[..], HeaderValue::as_bytes);
        let referer = header(header::REFERER).split(|byte| matches!(byte, b'?' | b'#')).next();
        let host = head.uri.authority().map(|authority| shortened(authority.as_str(), 256));
        AuditedRequest {
            method: known_method(&head.method).map_or_else(|| head.method.to_string().into(), Cow::from),
            path: shortened(head.uri.path(), 4096),
            protocol: if head.version == Version::HTTP_2 { "HTTP/2.0" } else { "HTTP/1.1" },
            host: host.unwrap_or_else(|| text(header(header::HOST), 256)),
            client,
            peer: connection.peer.ip(),
            tls: connection.tls.map(iam::TlsVersion::as_str),
            signature: self.signature(),
            user_agent: text(header(header::USER_AGENT), HEADER_BYTES_MAX),
            // Its query string may hold the signature of the page that links here.
            referer: text(referer.unwrap_or_default(), HEADER_BYTES_MAX),
            bytes_received: text(header(header::CONTENT_LENGTH), HEADER_BYTES_MAX).parse().ok(),
        }
    }

    fn signature(&self) -> Option<AuditedSignature> {
        let seen = match self.facts.signature {
            SeenSignature::NotRead => SeenSignature::of(&sigv4::auth_form(self.arrived.head)),
            seen => seen,
        };
        match seen {
            SeenSignature::Signed(signature) => Some(signature),
            SeenSignature::NotRead | SeenSignature::Unsigned => None,
        }
    }
}

impl Drop for Audited<'_> {
    /// The connection ended before the answer was known. What the request did until then stays done.
    fn drop(&mut self) {
        if self.is_done {
            return;
        }
        let message = "The client went away before the answer was known".to_owned();
        self.facts.error.get_or_insert(AuditedError { code: "ClientClosedRequest".to_owned(), message });
        traced::end(self.gateway, &self.arrived, &self.facts, STATUS_CLIENT_GONE);
        if let Some(record) = self.record(STATUS_CLIENT_GONE, None) {
            audit_log::print(&record);
            drop(self.gateway.auditor.take(&record));
        }
    }
}

/// The beginning of a header.
fn text(bytes: &[u8], bytes_max: usize) -> Cow<'_, str> {
    match str::from_utf8(bytes) {
        Ok(text) => shortened(text, bytes_max),
        Err(_) => shortened(&String::from_utf8_lossy(bytes), bytes_max).into_owned().into(),
    }
}

/// The parameters of a query string that is not one of the IAM or STS APIs: as they were read, or else as they were sent. One that cannot
/// be read is left out.
fn parameters(read: Option<QueryString>, sent: Option<&str>) -> Vec<(String, String)> {
    let query = read.or_else(|| QueryString::parse(sent).ok());
    query.map_or_else(Vec::new, |query| shown_s3_parameters(query.iter()))
}
