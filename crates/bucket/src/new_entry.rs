//! The entries that Kelpgate makes: objects, directory markers, uploads and their parts, buckets.

use std::collections::BTreeMap;

use filer::{Attributes, Entry, Written};
use ids::{BucketLife, ChecksumAlgorithm, ChecksumType, ObjectKey, Ownership, PublicAccessBlock};
use md5::{Digest, Md5};

use crate::description::{Description, Extended};
use crate::metadata::BucketMetadata;
use crate::multipart::Initiator;
use crate::{attributes, multipart, object};

/// The content type of an object if none is sent.
pub(crate) const DEFAULT_MIME: &str = "application/octet-stream";
/// The content type of a directory marker if none is sent.
const MARKER_MIME: &str = "httpd/unix-directory";
/// The largest object whose key ends in `/`, in bytes. Its content is kept in the directory's entry.
pub const MARKER_BYTES_MAX: u64 = 1024;

/// What all new entries of a request have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    /// When they are written, in seconds since 1970.
    pub seconds: i64,
    /// The nanoseconds of that second.
    pub nanoseconds: i32,
    /// The mode of objects.
    pub object_mode: u32,
    /// Owner of the file.
    pub uid: u32,
    /// Group of the file.
    pub gid: u32,
    /// The owner id of the object or bucket.
    pub owner: String,
    /// The stored form of the ACL; `None` for one that grants nothing to anyone but the owner.
    pub acl: Option<String>,
}

/// A bucket that is to be created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewBucket<'n> {
    /// Its name.
    pub name: &'n str,
    /// The id of this creation.
    pub life: &'n BucketLife,
    /// The name of the identity that creates it.
    pub creator: &'n str,
    /// Who owns objects; nothing is stored for `None`.
    pub ownership: Option<Ownership>,
    /// What it does against public access.
    pub public_access_block: Option<PublicAccessBlock>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Whether its objects can be locked. It then keeps versions.
    pub has_object_lock: bool,
}

/// A checksum as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredChecksum {
    /// Its algorithm.
    pub algorithm: ChecksumAlgorithm,
    /// Base64, with `-N` if it is composite.
    pub value: String,
    /// What it covers. SeaweedFS stores no type for an object in one piece, whose checksum covers all bytes.
    pub kind: Option<ChecksumType>,
}

impl StoredChecksum {
    pub(crate) fn set_on(self, extended: &mut Extended) {
        set(extended, attributes::CHECKSUM_ALGORITHM, object::canonical_header_name(self.algorithm.header()));
        set(extended, attributes::CHECKSUM_VALUE, self.value);
        if let Some(kind) = self.kind {
            set(extended, attributes::CHECKSUM_TYPE, kind.as_str());
        }
    }
}

pub(crate) fn set(extended: &mut Extended, name: &str, value: impl Into<Vec<u8>>) {
    extended.insert(name.to_owned(), value.into());
}

impl Stamp {
    /// The entry of an object with data.
    pub fn object(
        &self,
        key: &ObjectKey,
        description: Description,
        data: &Written,
        checksum: Option<StoredChecksum>,
    ) -> Entry {
        let mime = description.mime.clone().unwrap_or_else(|| DEFAULT_MIME.to_owned());
        Entry {
            name: object::name_of(key),
            chunks: data.chunks.clone(),
            attributes: Some(self.file(&mime, data.bytes, &data.md5)),
            extended: self.extended(description.into_attributes(), data, checksum),
            ..Entry::default()
        }
    }

    /// The entry of `key/`: a directory with a content type. SeaweedFS keeps a small body in it and reports its size as
    /// 0.
    pub fn marker(&self, key: &ObjectKey, description: Description, content: &[u8]) -> Entry {
        let mime = description.mime.clone().filter(|mime| !mime.is_empty());
        let data = Written { md5: Md5::digest(content).into(), ..Written::default() };
        Entry {
            name: object::name_of(key),
            is_directory: true,
            attributes: Some(Attributes {
                md5: data.md5.to_vec(),
                ..self.directory(mime.as_deref().unwrap_or(MARKER_MIME))
            }),
            extended: self.extended(description.into_attributes(), &data, None),
            content: content.to_vec(),
            ..Entry::default()
        }
    }

    /// The same object with another description. Its data stays where it is.
    pub fn described_anew(&self, source: &Entry, description: Description) -> Entry {
        // Attributes that describe the bytes stay.
        const OF_THE_BYTES: [&str; 9] = [
            attributes::ETAG,
            attributes::CHECKSUM_ALGORITHM,
            attributes::CHECKSUM_VALUE,
            attributes::CHECKSUM_TYPE,
            attributes::UPLOAD_ID,
            attributes::INITIATOR_ID,
            attributes::PARTS_COUNT,
            attributes::PART_BOUNDARIES,
            attributes::PREFIX_OBJECT,
        ];
        let default = if source.is_directory { object::content_type(source) } else { DEFAULT_MIME };
        let mime = description.mime.clone().unwrap_or_else(|| default.to_owned());
        let mut entry = source.clone();
        entry.extended.retain(|name, _| OF_THE_BYTES.contains(&name.as_str()));
        entry.extended.extend(description.into_attributes());
        self.set_owner(&mut entry.extended);
        let attributes = entry.attributes.get_or_insert_default();
        (attributes.mime, attributes.mtime, attributes.mtime_ns) = (mime, self.seconds, self.nanoseconds);
        entry
    }

    /// The file of a part.
    pub fn part(&self, number: u32, data: &Written, checksum: Option<StoredChecksum>) -> Entry {
        Entry {
            name: multipart::part_name(number),
            chunks: data.chunks.clone(),
            attributes: Some(self.file("", data.bytes, &data.md5)),
            extended: self.extended(Extended::new(), data, checksum),
            ..Entry::default()
        }
    }

    /// The directory of an upload, which holds what the object will get.
    pub fn upload(
        &self,
        upload_id: &str,
        key: &ObjectKey,
        initiator: Initiator,
        description: Description,
        checksum: Option<(ChecksumAlgorithm, ChecksumType)>,
    ) -> Entry {
        let mime = description.mime.clone().unwrap_or_default();
        let mut extended = description.into_attributes();
        set(&mut extended, attributes::UPLOAD_KEY, key.as_str());
        set(&mut extended, attributes::INITIATOR_ID, initiator.id);
        set(&mut extended, attributes::INITIATOR_ARN, initiator.arn);
        self.set_owner(&mut extended);
        if let Some((algorithm, kind)) = checksum {
            set(&mut extended, attributes::CHECKSUM_ALGORITHM, object::canonical_header_name(algorithm.header()));
            set(&mut extended, attributes::CHECKSUM_TYPE, kind.as_str());
        }
        Entry {
            name: upload_id.to_owned(),
            is_directory: true,
            attributes: Some(self.directory(&mime)),
            extended,
            ..Entry::default()
        }
    }

    /// A delete marker, which has no content.
    pub(crate) fn delete_marker(&self) -> Entry {
        let mut extended = Extended::new();
        set(&mut extended, attributes::DELETE_MARKER, "true");
        set(&mut extended, attributes::OWNER, self.owner.as_str());
        Entry { attributes: Some(self.file("", 0, &[])), extended, ..Entry::default() }
    }

    /// When the entries are written, in ns since 1970.
    pub(crate) fn now_ns(&self) -> i64 {
        self.seconds.saturating_mul(1_000_000_000).saturating_add(self.nanoseconds.into())
    }

    /// A directory without its object.
    pub fn plain_directory(&self, seen: &Entry) -> Entry {
        let mut attributes = self.directory("");
        attributes.crtime = seen.attributes().crtime;
        attributes.inode = seen.attributes().inode;
        Entry { name: seen.name.clone(), is_directory: true, attributes: Some(attributes), ..Entry::default() }
    }

    /// The directory of the versions of a key that has only the version `null`.
    pub(crate) fn directory_of_null(&self, name: String, mark: Vec<u8>) -> Entry {
        let mut extended = Extended::new();
        set(&mut extended, attributes::NULL_IS_LATEST, "true");
        set(&mut extended, attributes::CURRENT_MARK, mark);
        Entry { name, is_directory: true, attributes: Some(self.directory("")), extended, ..Entry::default() }
    }

    /// The entry of a bucket. SeaweedFS gives it no nanoseconds.
    pub fn bucket(&self, made: NewBucket<'_>) -> Entry {
        let mut extended = Extended::new();
        set(&mut extended, attributes::LIFE, made.life.to_text());
        self.set_owner(&mut extended);
        set(&mut extended, attributes::CREATOR, made.creator);
        if let Some(ownership) = made.ownership {
            set(&mut extended, attributes::OWNERSHIP, ownership.as_str());
        }
        if let Some(block) = made.public_access_block {
            set(&mut extended, attributes::PUBLIC_ACCESS_BLOCK, block.to_text());
        }
        if made.has_object_lock {
            set(&mut extended, attributes::VERSIONING, "Enabled");
            set(&mut extended, attributes::LOCK_ENABLED, "Enabled");
        }
        Entry {
            name: made.name.to_owned(),
            is_directory: true,
            attributes: Some(Attributes { mtime_ns: 0, ..self.directory("") }),
            extended,
            content: BucketMetadata { tags: made.tags, ..BucketMetadata::default() }.to_content(),
            ..Entry::default()
        }
    }

    /// Attributes of a new file.
    pub(crate) fn file(&self, mime: &str, file_size: u64, md5: &[u8]) -> Attributes {
        Attributes {
            file_size,
            mtime: self.seconds,
            mtime_ns: self.nanoseconds,
            crtime: self.seconds,
            file_mode: self.object_mode,
            uid: self.uid,
            gid: self.gid,
            mime: mime.to_owned(),
            md5: md5.to_vec(),
            ..Attributes::default()
        }
    }

    fn directory(&self, mime: &str) -> Attributes {
        Attributes { file_mode: object::DIRECTORY_MODE, ..self.file(mime, 0, &[]) }
    }

    fn set_owner(&self, extended: &mut Extended) {
        set(extended, attributes::OWNER, self.owner.as_str());
        if let Some(acl) = &self.acl {
            set(extended, attributes::ACL, acl.as_str());
        }
    }

    /// Adds owner, ACL, ETag and checksum.
    fn extended(&self, mut extended: Extended, data: &Written, checksum: Option<StoredChecksum>) -> Extended {
        set(&mut extended, attributes::ETAG, hex::encode(data.md5));
        self.set_owner(&mut extended);
        if let Some(checksum) = checksum {
            checksum.set_on(&mut extended);
        }
        extended
    }
}
