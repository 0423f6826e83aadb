//! Words of the domain, parsed once. Holding one of these types proves that the text was checked: nothing downstream
//! checks again.

mod access_key;
mod account_id;
mod acl;
mod bucket_life;
mod bucket_name;
mod bucket_settings;
mod checksum;
mod network;
mod object_key;
mod object_lock;
mod published;
mod query_pairs;

pub use access_key::{AccessKeyId, AccessKeyIdError, SecretAccessKey};
pub use account_id::{AccountId, AccountIdError};
pub use acl::{AccessControlList, AclGrant, AclGroup, AclPermission, Grantee};
pub use bucket_life::{BucketLife, Stage};
pub use bucket_name::{BucketName, BucketNameError};
pub use bucket_settings::{NewBuckets, Ownership, PublicAccessBlock, Versioning};
pub use checksum::{ChecksumAlgorithm, ChecksumType};
pub use network::{Network, NetworkError, parse_address};
pub use object_key::{ObjectKey, ObjectKeyError};
pub use object_lock::{DefaultRetention, LegalHold, Retention, RetentionMode, RetentionPeriod};
pub use published::published_in;
pub use query_pairs::query_pairs;
