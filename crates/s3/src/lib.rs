//! The S3 protocol without a socket: what a request asks for, which permissions it needs, and how answers are written.
//!
//! [`route`] turns the head of a request into an [`Operation`]; bodies in XML are read by the types of [`op`], answers are
//! written by them. No clock, file, socket or randomness: everything arrives as an argument.

mod host;
mod query;
mod request;
mod route;

pub mod op;
mod operation;
mod target;

pub mod cases;
mod condition_keys;
mod query_actions;
mod requirement;

mod checksum;
mod conditional;
mod copy_source;
pub mod cors;
mod expected_owner;
mod object_headers;
mod range;
mod tagging;
mod version_id;

mod error;
mod time;
mod xml;

pub use checksum::{BodyChecksums, Checksum, ChecksumAlgorithm, ChecksumType};
pub use condition_keys::{ConditionKeys, set_condition_keys};
pub use conditional::{EntityTags, IfRange, ReadConditions, WriteCondition};
pub use copy_source::CopySource;
pub use error::{S3Error, S3ErrorCode};
pub use expected_owner::ExpectedOwners;
pub use host::HostRules;
pub use object_headers::{AclHeaders, ContentHeaders, EncryptionHeaders, ObjectHeaders, ObjectLockHeaders};
pub use operation::{Needs, Operation, S3Operation, UploadLength};
pub use query::QueryString;
pub use query_actions::{QueryCaller, QueryError, QueryRequirement, query_requirements, set_query_condition_keys};
pub use range::ByteRange;
pub use requirement::{ConditionalRequirement, Effect, Requirement};
pub use route::{KnownOperation, Routing, route};
pub use tagging::{MAX_BUCKET_TAGS, MAX_OBJECT_TAGS, TagSet};
pub use target::{Addressed, Target};
pub use time::{http_date, iso8601, parse_date};
pub use version_id::{UploadId, VersionId};
pub use xml::{Element, EncodingType, MAX_DEPTH, S3_NAMESPACE, XmlWriter, parse as parse_xml};
