//! The control plane: IAM and STS query APIs, the change feed, status.

pub mod endpoint;
pub mod feed;
pub mod fence;
pub mod iam_api;
pub mod last_used;
pub mod mirror;
pub mod query;
pub mod revocations;
pub mod sts_api;

#[cfg(test)]
mod tests;
