//! The data plane from outside, as its clients see it: a gateway on a filer, and requests over HTTP.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test that fails may panic")]

mod support;

mod acls;
mod answers;
mod audit;
mod bodies;
mod configuration;
mod copies;
mod delete_bucket;
mod forms;
mod held_bodies;
mod limits;
mod listings;
mod locks;
mod long_answers;
mod multipart;
mod on_seaweedfs;
mod order;
mod public_access;
mod query;
mod rate_limits;
mod reads;
mod resource_tags;
mod upload_end;
mod versions;
mod website;
mod writes;
