//! Buckets and objects as they stand on a filer: the one place that knows which attribute of an entry says what.
//!
//! A [`BucketDirectory`](directory::BucketDirectory) is a bucket, [`Objects`](objects::Objects) finds its objects and uploads, and
//! a [`Writer`](writer::Writer) changes them. What may be done is decided by [`rules`], from what is stored alone.

pub mod directory;
pub mod objects;
pub mod writer;

mod delete;
mod lock_writes;
mod put;
mod version_writes;

pub mod version_id;
pub mod versions;

pub mod completion;
pub mod findings;
pub mod leftovers;
pub mod listing;
pub mod upload_end;
pub mod uploads;

pub mod locks;
pub mod rules;

pub mod acl;
pub mod attributes;
pub mod description;
pub mod metadata;
pub mod multipart;
pub mod names;
pub mod new_entry;
pub mod object;
pub mod part_boundaries;
pub mod settings;
