//! The front door: who makes the request, which policies apply, and is it allowed?
//!
//! A request passes through [`Addressing::target`], [`Authenticator::authenticate`], [`request_context`] and [`authorize`]. Only
//! the last one makes a [`Permit`].

mod addressing;
mod audience;
mod audit;
mod audited_parameters;
mod authenticate;
mod authentication_type;
mod authorize;
mod client_address;
mod condition_keys;
mod decision_input;
mod observer;
mod permit;
mod refusal;
mod refusal_details;
mod session;
mod signature_v2;
mod trust;
mod unverified;
mod uses;

pub use addressing::{Addressing, RequestTarget};
pub use audit::{
    AUDIT_VERSION, AuditRecord, AuditedCaller, AuditedDecision, AuditedError, AuditedFederation, AuditedMaker,
    AuditedObject, AuditedRequest, AuditedSession, AuditedSignIn, AuditedSignature, AuditedTarget, HEADER_BYTES_MAX,
    STATUS_CLIENT_GONE,
};
pub use audited_parameters::{REDACTED, shortened, shown_query_parameters, shown_s3_parameters};
pub use authenticate::{Authenticated, Authenticator};
pub use authentication_type::AuthenticationType;
pub use authorize::{
    Resolved, asks_for_acl_of, asks_for_tags_of, audit_decision, authorize, check, context_of, could_be_allowed, decide,
};
pub use client_address::ClientAddress;
pub use condition_keys::{request_context, resource_account_keys};
pub use decision_input::DecisionInput;
pub use observer::{DecisionObserver, NoObserver, observed};
pub use permit::{Permit, Permitted};
pub use refusal::{ADVICE, Refusal, from_signature, outcome_label, policy_label};
pub use refusal_details::refusal_details;
pub use session::CLAIM_BASED_ROLE;
pub use signature_v2::SignatureV2;
pub use trust::decide_to_assume;
pub use unverified::{Services, UnverifiedRequest};
pub use uses::RecentUses;
