//! The control plane: IAM and STS query APIs, the change feed, status.

mod bearer;
mod certificate;
mod custom_token;
pub mod endpoint;
pub mod feed;
pub mod fence;
pub mod iam_api;
pub mod last_used;
mod ldap;
pub mod mirror;
pub mod query;
pub mod revocations;
mod sign_in;
mod sign_in_limits;
pub mod sts_api;
mod web_identity;

#[cfg(test)]
mod tests;
