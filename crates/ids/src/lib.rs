//! Words of the domain, parsed once. Holding one of these types means that it was checked: nothing downstream checks again.

mod access_key;
mod account_id;
mod bucket_name;
mod checksum;
mod object_key;
mod published;

pub use access_key::{AccessKeyId, AccessKeyIdError, SecretAccessKey};
pub use account_id::{AccountId, AccountIdError};
pub use bucket_name::{BucketName, BucketNameError};
pub use checksum::{ChecksumAlgorithm, ChecksumType};
pub use object_key::{ObjectKey, ObjectKeyError};
pub use published::published_in;
