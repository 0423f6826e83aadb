//! The extended attributes in which SeaweedFS stores S3 facts. No other crate writes these names, except that the ETag's is in
//! `filer`, which compares it.

pub use filer::ETAG_ATTRIBUTE as ETAG;

/// Ours, on a bucket: the random id of this creation of it, and the stage of its deletion. The filer compares this attribute when a
/// condition names an ETag, and a directory has no other use for it.
pub const LIFE: &str = ETAG;
/// Account id of the owner.
pub const OWNER: &str = "Seaweed-X-Amz-Owner";
/// The name of the identity that created the bucket.
pub const CREATOR: &str = "s3-identity-id";
/// Storage class.
pub const STORAGE_CLASS: &str = "X-Amz-Storage-Class";
/// Ours: where the websites of a bucket redirect an object.
pub const REDIRECT_LOCATION: &str = "X-Amz-Website-Redirect-Location";
/// One attribute for each tag.
pub const TAG_PREFIX: &str = "X-Amz-Tagging-";
/// One attribute for each item of user metadata.
pub const META_PREFIX: &str = "X-Amz-Meta-";
/// The canonical header name of the checksum, such as `X-Amz-Checksum-Crc32`.
pub const CHECKSUM_ALGORITHM: &str = "x-seaweedfs-checksum-algorithm";
/// The base64 value of the checksum, with `-N` if it is composite.
pub const CHECKSUM_VALUE: &str = "x-seaweedfs-checksum-value";
/// `COMPOSITE` or `FULL_OBJECT`.
pub const CHECKSUM_TYPE: &str = "x-seaweedfs-checksum-type";
/// The multipart upload that made the object.
pub const UPLOAD_ID: &str = "X-Seaweedfs-Upload-Id";
/// How many parts it has.
pub const PARTS_COUNT: &str = "X-Seaweedfs-Multipart-Parts-Count";
/// JSON list of the parts' boundaries.
pub const PART_BOUNDARIES: &str = "X-Seaweedfs-Multipart-Part-Boundaries";
/// The key of a multipart upload, on its directory.
pub const UPLOAD_KEY: &str = "key";
/// Ours, on the directory of a multipart upload and on its object: identifies who began it, whatever session or key they use. `weed s3`
/// shows every attribute as a header unless its name begins like this.
pub const INITIATOR_ID: &str = "x-seaweedfs-kelpgate-initiator-id";
/// Ours, beside it: the ARN of who began the upload.
pub const INITIATOR_ARN: &str = "x-seaweedfs-kelpgate-initiator-arn";
/// Ours, beside it: `true` once the upload is being aborted. It cannot be completed any more.
pub const ABORTED: &str = "x-seaweedfs-kelpgate-aborted";
/// Ours, beside it: until when one conditional completion has the upload for itself, in seconds since 1970, decimal.
pub const RESERVED_UNTIL: &str = "x-seaweedfs-kelpgate-reserved-until";
/// Ours, beside it: each conditional completion that may still make the object has an attribute whose name begins like this.
pub const RESERVATION_PREFIX: &str = "x-seaweedfs-kelpgate-reservation-";
/// The names of all our attributes on the directory of a multipart upload begin like this. The object gets only [`INITIATOR_ID`].
pub const UPLOAD_PREFIX: &str = "x-seaweedfs-kelpgate-";
/// Object lock: `GOVERNANCE` or `COMPLIANCE`.
pub const LOCK_MODE: &str = "Seaweed-X-Amz-Object-Lock-Mode";
/// Object lock: seconds since 1970, decimal.
pub const RETAIN_UNTIL: &str = "Seaweed-X-Amz-Retention-Until-Date";
/// Object lock: `ON` or `OFF`.
pub const LEGAL_HOLD: &str = "Seaweed-X-Amz-Legal-Hold";
/// `true` on a directory that is both the object `a` and the parent of `a/b` (SeaweedFS 4.48).
pub const PREFIX_OBJECT: &str = "x-seaweedfs-prefix-object";
/// `Enabled` or `Suspended` on a bucket.
pub const VERSIONING: &str = "Seaweed-X-Amz-Versioning";
/// Version of an entry below a `.versions` directory.
pub const VERSION_ID: &str = "Seaweed-X-Amz-Version-Id";
/// `true` on a delete marker.
pub const DELETE_MARKER: &str = "Seaweed-X-Amz-Delete-Marker";
/// The id of the latest version, on a `.versions` directory.
pub const LATEST_VERSION_ID: &str = "Seaweed-X-Amz-Latest-Version-Id";
/// Names the file of the latest version, on a `.versions` directory.
pub const LATEST_VERSION_FILE: &str = "Seaweed-X-Amz-Latest-Version-File-Name";
/// The size of the latest version in bytes, on a `.versions` directory.
pub const LATEST_SIZE: &str = "Seaweed-X-Amz-Latest-Version-Size";
/// When the latest version was written, in seconds since 1970, on a `.versions` directory.
pub const LATEST_MTIME: &str = "Seaweed-X-Amz-Latest-Version-Mtime";
/// The ETag of the latest version, on a `.versions` directory.
pub const LATEST_ETAG: &str = "Seaweed-X-Amz-Latest-Version-ETag";
/// The owner of the latest version, on a `.versions` directory.
pub const LATEST_OWNER: &str = "Seaweed-X-Amz-Latest-Version-Owner";
/// The storage class of the latest version, on a `.versions` directory.
pub const LATEST_STORAGE_CLASS: &str = "Seaweed-X-Amz-Latest-Version-Storage-Class";
/// `true` if the latest version is a delete marker, on a `.versions` directory.
pub const LATEST_IS_DELETE_MARKER: &str = "Seaweed-X-Amz-Latest-Version-Is-Delete-Marker";
/// `true` if the plain entry is the current version, on a `.versions` directory.
pub const NULL_IS_LATEST: &str = "Seaweed-X-Amz-Null-Version-Is-Latest";
/// When a version stopped being the current one, in ns since 1970, decimal.
pub const NONCURRENT_SINCE: &str = "Seaweed-X-Amz-Noncurrent-Since-Ns";
/// Ours, on a `.versions` directory: changes whenever another version becomes the current one. The filer compares this
/// attribute when a condition names an ETag, and a directory has no other use for it.
pub const CURRENT_MARK: &str = ETAG;
/// Access control list, JSON.
pub const ACL: &str = "Seaweed-X-Amz-Acl";
/// Object ownership rule of a bucket.
pub const OWNERSHIP: &str = "Seaweed-X-Amz-Ownership";
/// Ours, on a bucket: the settings of its public access block that are on, separated by commas.
pub const PUBLIC_ACCESS_BLOCK: &str = "kelpgate-public-access-block";
/// `Enabled` on a bucket with object lock.
pub const LOCK_ENABLED: &str = "Seaweed-X-Amz-Object-Lock-Enabled";
/// Default retention of a bucket: `GOVERNANCE` or `COMPLIANCE`.
pub const DEFAULT_LOCK_MODE: &str = "Lock-Default-Mode";
/// Default retention of a bucket in days.
pub const DEFAULT_LOCK_DAYS: &str = "Lock-Default-Days";
/// Default retention of a bucket in years.
pub const DEFAULT_LOCK_YEARS: &str = "Lock-Default-Years";
/// The bucket policy, JSON.
pub const POLICY: &str = "s3-bucket-policy";
/// Ours: the unique ids of the principals that the policy named when it was put.
pub const POLICY_IDS: &str = "kelpgate-bucket-policy-ids";
/// The lifecycle configuration of a bucket, XML.
pub const LIFECYCLE: &str = "s3-bucket-lifecycle-configuration-xml";
/// Ours, on a bucket: the names of the attributes that hold its other configurations begin with this.
pub const CONFIGURATION_PREFIX: &str = "kelpgate-configuration-";
/// What server-side encryption keeps on an object begins with this.
pub const ENCRYPTION_PREFIX: &str = "x-seaweedfs-sse-";
/// So do the headers of server-side encryption, in any case, which are stored under their own names.
pub const ENCRYPTION_HEADER_PREFIX: &str = "x-amz-server-side-encryption";
