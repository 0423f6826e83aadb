//! The entry of the filer tree, in SeaweedFS's wire format (`filer_pb.Entry` and its parts, SEAWEEDFS 4.48).
//!
//! Both filers use it: the embedded filer stores the same messages, so everything above the seam (ETags, multipart
//! assembly, attributes) is written once. Every field that 4.48 knows is declared, because an undeclared field would be
//! lost when a message is read and written back.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use md5::{Digest, Md5};

/// The extended attribute that holds an ETag without quotes. A filer that is asked to compare ETags compares it.
pub const ETAG_ATTRIBUTE: &str = "Seaweed-X-Amz-ETag";

/// A file or directory. `extended` carries the S3 attributes.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Entry {
    /// The last component of the path.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Whether it is a directory. A directory that is also an S3 directory marker has a `mime`.
    #[prost(bool, tag = "2")]
    pub is_directory: bool,
    /// Where the bytes are. The order is not defined.
    #[prost(message, repeated, tag = "3")]
    pub chunks: Vec<FileChunk>,
    /// Size, times, mode, owner, type.
    #[prost(message, optional, tag = "4")]
    pub attributes: Option<Attributes>,
    /// Named attributes; S3 metadata lives here.
    #[prost(btree_map = "string, bytes", tag = "5")]
    pub extended: BTreeMap<String, Vec<u8>>,
    /// Hard link identity (mounts).
    #[prost(bytes = "vec", tag = "7")]
    pub hard_link_id: Vec<u8>,
    /// Number of hard links (mounts).
    #[prost(int32, tag = "8")]
    pub hard_link_counter: i32,
    /// Inline content: small files written through the filer's HTTP API, IAM documents, a bucket's metadata message.
    #[prost(bytes = "vec", tag = "9")]
    pub content: Vec<u8>,
    /// Set if the entry mirrors an object of a remote store.
    #[prost(message, optional, tag = "10")]
    pub remote_entry: Option<RemoteEntry>,
    /// Bucket quota in bytes; negative while disabled.
    #[prost(int64, tag = "11")]
    pub quota: i64,
    /// Write-once enforcement time in ns since 1970.
    #[prost(int64, tag = "12")]
    pub worm_enforced_at_ts_ns: i64,
}

/// POSIX-like attributes (`filer_pb.FuseAttributes`).
#[derive(Clone, PartialEq, prost::Message)]
pub struct Attributes {
    /// Bytes of content.
    #[prost(uint64, tag = "1")]
    pub file_size: u64,
    /// Last change, seconds since 1970.
    #[prost(int64, tag = "2")]
    pub mtime: i64,
    /// Go's `os.FileMode` bits.
    #[prost(uint32, tag = "3")]
    pub file_mode: u32,
    /// Owner of the gateway process.
    #[prost(uint32, tag = "4")]
    pub uid: u32,
    /// Group of the gateway process.
    #[prost(uint32, tag = "5")]
    pub gid: u32,
    /// Creation, seconds since 1970.
    #[prost(int64, tag = "6")]
    pub crtime: i64,
    /// Content type.
    #[prost(string, tag = "7")]
    pub mime: String,
    /// Time to live in seconds; 0 means forever.
    #[prost(int32, tag = "10")]
    pub ttl_sec: i32,
    /// Owner name (mounts).
    #[prost(string, tag = "11")]
    pub user_name: String,
    /// Group names (mounts).
    #[prost(string, repeated, tag = "12")]
    pub group_name: Vec<String>,
    /// Link target (mounts).
    #[prost(string, tag = "13")]
    pub symlink_target: String,
    /// The raw MD5 of the plain content; empty if unknown.
    #[prost(bytes = "vec", tag = "14")]
    pub md5: Vec<u8>,
    /// Device (mounts).
    #[prost(uint32, tag = "16")]
    pub rdev: u32,
    /// Assigned by the filer.
    #[prost(uint64, tag = "17")]
    pub inode: u64,
    /// Last metadata change, seconds since 1970.
    #[prost(int64, tag = "18")]
    pub ctime: i64,
    /// Nanoseconds of `mtime`.
    #[prost(int32, tag = "19")]
    pub mtime_ns: i32,
    /// Nanoseconds of `ctime`.
    #[prost(int32, tag = "20")]
    pub ctime_ns: i32,
    /// Nanoseconds of `crtime`.
    #[prost(int32, tag = "21")]
    pub crtime_ns: i32,
    /// Last access, seconds since 1970.
    #[prost(int64, tag = "22")]
    pub atime: i64,
    /// Nanoseconds of `atime`.
    #[prost(int32, tag = "23")]
    pub atime_ns: i32,
}

/// A run of bytes on a volume server, or in a data file of the embedded filer.
#[derive(Clone, PartialEq, prost::Message)]
pub struct FileChunk {
    /// `volume,keycookie` as text. Answers carry both it and `fid`.
    #[prost(string, tag = "1")]
    pub file_id: String,
    /// The offset of the run in the object, in bytes.
    #[prost(int64, tag = "2")]
    pub offset: i64,
    /// Plain length in bytes.
    #[prost(uint64, tag = "3")]
    pub size: u64,
    /// The time of modification. Where chunks overlap, the later one wins.
    #[prost(int64, tag = "4")]
    pub modified_ts_ns: i64,
    /// Base64 MD5 of the plain bytes.
    #[prost(string, tag = "5")]
    pub e_tag: String,
    /// The chunk this one was copied from.
    #[prost(string, tag = "6")]
    pub source_file_id: String,
    /// `file_id` in parts.
    #[prost(message, optional, tag = "7")]
    pub fid: Option<FileId>,
    /// `source_file_id` in parts.
    #[prost(message, optional, tag = "8")]
    pub source_fid: Option<FileId>,
    /// The AES-256-GCM key; empty if the bytes are not encrypted.
    #[prost(bytes = "vec", tag = "9")]
    pub cipher_key: Vec<u8>,
    /// Whether the stored bytes are compressed with gzip.
    #[prost(bool, tag = "10")]
    pub is_compressed: bool,
    /// Whether the stored bytes are a list of chunks.
    #[prost(bool, tag = "11")]
    pub is_chunk_manifest: bool,
    /// Server-side encryption: 0 none, 1 SSE-C, 2 SSE-KMS, 3 SSE-S3.
    #[prost(int32, tag = "12")]
    pub sse_type: i32,
    /// The parameters of the server-side encryption.
    #[prost(bytes = "vec", tag = "13")]
    pub sse_metadata: Vec<u8>,
}

/// A needle's address.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct FileId {
    /// The volume.
    #[prost(uint32, tag = "1")]
    pub volume_id: u32,
    /// The needle within it.
    #[prost(uint64, tag = "2")]
    pub file_key: u64,
    /// A random number that keeps ids from being guessed.
    #[prost(fixed32, tag = "3")]
    pub cookie: u32,
}

/// The content of a chunk manifest.
#[derive(Clone, PartialEq, prost::Message)]
pub struct FileChunkManifest {
    /// The chunks that the manifest lists.
    #[prost(message, repeated, tag = "1")]
    pub chunks: Vec<FileChunk>,
}

/// An object of a remote store that the entry mirrors.
#[derive(Clone, PartialEq, prost::Message)]
pub struct RemoteEntry {
    /// Which remote.
    #[prost(string, tag = "1")]
    pub storage_name: String,
    /// When the local copy was made, ns since 1970.
    #[prost(int64, tag = "2")]
    pub last_local_sync_ts_ns: i64,
    /// The remote's own ETag.
    #[prost(string, tag = "3")]
    pub remote_e_tag: String,
    /// The remote's modification time, seconds since 1970.
    #[prost(int64, tag = "4")]
    pub remote_mtime: i64,
    /// Bytes on the remote.
    #[prost(int64, tag = "5")]
    pub remote_size: i64,
    /// The remote's content encoding.
    #[prost(string, tag = "6")]
    pub remote_content_encoding: String,
}

impl Entry {
    /// The attributes, or all zeros if the entry has none.
    pub fn attributes(&self) -> &Attributes {
        static NONE: std::sync::OnceLock<Attributes> = std::sync::OnceLock::new();
        self.attributes.as_ref().unwrap_or_else(|| NONE.get_or_init(Attributes::default))
    }

    /// An extended attribute as text. An attribute that is not UTF-8 counts as absent.
    pub fn extended_text(&self, name: &str) -> Option<&str> {
        self.extended.get(name).and_then(|bytes| std::str::from_utf8(bytes).ok())
    }

    /// The ETag without quotes: the stored one, or else the content's MD5, or else the value that SeaweedFS computes
    /// from the chunks (SEAWEEDFS 7).
    pub fn etag(&self) -> String {
        if let Some(etag) = self.extended_text(ETAG_ATTRIBUTE).filter(|etag| !etag.is_empty()) {
            return etag.trim_matches('"').to_owned();
        }
        let md5 = &self.attributes().md5;
        if !md5.is_empty() {
            return hex::encode(md5);
        }
        let raw = |chunk: &FileChunk| BASE64.decode(&chunk.e_tag).unwrap_or_default();
        match self.chunks.as_slice() {
            [] => hex::encode(Md5::digest(&self.content)),
            [only] => hex::encode(raw(only)),
            many => {
                let all: Vec<u8> = many.iter().flat_map(raw).collect();
                format!("{}-{}", hex::encode(Md5::digest(&all)), many.len())
            }
        }
    }

    /// The size of the content in bytes: as given by the attributes, or as covered by inline content and chunks if that
    /// is more.
    pub fn content_bytes(&self) -> u64 {
        let covered = self.chunks.iter().map(|chunk| chunk.offset.max(0) as u64 + chunk.size).max().unwrap_or(0);
        self.attributes().file_size.max(covered).max(self.content.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn etags() {
        let chunk = |byte: u8| FileChunk { e_tag: BASE64.encode([byte; 16]), ..FileChunk::default() };
        let empty = "d41d8cd98f00b204e9800998ecf8427e";
        let both = hex::encode(Md5::digest([[1; 16], [2; 16]].concat()));
        for (stored, md5, chunks, content, want) in [
            (Some("\"abc-2\""), vec![9; 16], vec![chunk(1)], vec![], "abc-2".to_owned()),
            (Some(""), vec![9; 16], vec![], vec![], "09".repeat(16)),
            (None, vec![9; 16], vec![chunk(1)], vec![], "09".repeat(16)),
            (None, vec![], vec![chunk(1)], vec![], "01".repeat(16)),
            (None, vec![], vec![chunk(1), chunk(2)], vec![], format!("{both}-2")),
            (None, vec![], vec![], vec![], empty.to_owned()),
            (None, vec![], vec![], b"x".to_vec(), hex::encode(Md5::digest(b"x"))),
        ] {
            let extended =
                stored.map(|etag: &str| (ETAG_ATTRIBUTE.to_owned(), etag.as_bytes().to_vec())).into_iter().collect();
            let attributes = Some(Attributes { md5, ..Attributes::default() });
            let entry = Entry { extended, attributes, chunks, content, ..Entry::default() };
            assert_eq!(entry.etag(), want, "{entry:?}");
        }
    }
}
