//! One file for each operation: a permit and the filer in, an answer out.

mod acl;
pub(crate) mod answer;
mod below_bucket;
mod bucket_cors;
mod bucket_encryption;
mod bucket_lifecycle;
mod bucket_policy;
mod bucket_tagging;
mod bucket_versioning;
mod buckets;
mod call;
mod copied;
mod copy_object;
pub(crate) mod cors;
mod delete_bucket;
mod delete_object;
mod delete_objects;
mod find;
mod get_object;
mod get_object_attributes;
mod list_object_versions;
mod list_objects;
mod multipart;
mod new_entry;
mod object_lock;
mod object_tagging;
mod ownership_controls;
mod part_boundaries;
mod post_object;
mod put_object;
mod run;
mod unsupported;
mod upload;

pub(crate) use answer::Answer;
pub use call::{Call, Denied};
pub(crate) use run::{Run, execute};
