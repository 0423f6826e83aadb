//! The public surface of `sigv4`: tables of requests that must pass and of requests that must not.
#![cfg(test)]

mod aws_examples;
mod checksums;
mod chunked;
mod post_policy;
mod refused;
mod signed_by_boto3;
mod tools;
mod v2;
