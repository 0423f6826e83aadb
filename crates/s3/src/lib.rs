//! The S3 protocol without a socket: what a request asks for, which permissions it needs, and how answers are written.
//!
//! [`route`] turns the head of a request into an [`Operation`]; bodies in XML are read by the types of [`op`], answers are
//! written by them. No clock, file, socket or randomness: everything arrives as an argument.

mod control;
mod host;
mod query;
mod request;
mod route;
mod routed;

pub mod op;
mod operation;
mod s3_operation;
mod target;

pub mod cases;
mod condition_keys;
mod requirement;

mod acl;
mod checksum;
mod conditional;
mod copy_source;
pub mod cors;
mod expected_owner;
pub mod form;
mod kept;
mod object_headers;
mod range;
mod request_payer;
mod tagging;
mod version_id;
pub mod website;

mod document;
mod encoding_type;
mod error;
mod time;

pub use acl::{AclOwners, acl_from_xml};
pub use checksum::{BodyChecksums, Checksum, ChecksumAlgorithm, ChecksumType};
pub use condition_keys::{ConditionKeys, set_condition_keys};
pub use conditional::{EntityTags, IfRange, ReadConditions, WriteCondition};
pub use control::is_control;
pub use copy_source::CopySource;
pub use encoding_type::EncodingType;
pub use error::{NOT_ENFORCED, S3Error, S3ErrorCode};
pub use expected_owner::ExpectedOwners;
pub use host::HostRules;
pub use kept::Configurations;
pub use object_headers::{
    AclHeaders, ContentHeaders, EncryptionHeaders, ObjectHeaders, ObjectLockHeaders, RequestedRetention,
};
pub use operation::Operation;
pub use query::QueryString;
pub use range::ByteRange;
pub use request_payer::{check_form_payer, check_request_payer};
pub use requirement::{ConditionalRequirement, Effect, ExistingObject, Requirement};
pub use route::{KnownOperation, Routing, route, route_with};
pub use s3_operation::{Needs, S3Operation, UploadLength};
pub use tagging::{BUCKET_TAGS_MAX, OBJECT_TAGS_MAX, TagSet};
pub use target::{Addressed, TaggedBucket, Target};
pub use time::{http_date, iso8601, parse_date, parse_iso8601};
pub use version_id::{UploadId, VersionId};
