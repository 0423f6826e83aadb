//! One file for each operation: a permit and the filer in, an answer out.

pub(crate) mod answer;
mod below_bucket;
mod bodies;
mod bucket_policy;
mod bucket_tagging;
mod buckets;
mod call;
mod configuration;
mod copied;
mod copy_object;
pub(crate) mod cors;
mod delete_bucket;
mod delete_object;
mod delete_objects;
mod execute;
mod find;
mod get_object;
mod get_object_attributes;
mod list_objects;
mod multipart;
mod new_entry;
mod object_tagging;
mod part_boundaries;
mod post_object;
mod put_object;
mod upload;
mod version_listing;

pub(crate) use answer::Answer;
pub(crate) use bodies::{body_checksums, promised_bytes};
pub use call::Call;
pub(crate) use execute::{Payload, execute, first_needs, needs};
