//! One file for the operations on one kind of thing.

mod acls;
mod buckets;
mod copy_object;
mod delete_object;
mod forms;
mod get_object;
mod listings;
mod multipart;
mod preflight;
mod put_object;
mod resource_tags;
mod tags_and_locks;
mod unsupported;
