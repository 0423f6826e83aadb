//! The message in the content of a bucket's entry: tags, CORS and default encryption.

use std::collections::BTreeMap;

use prost::{DecodeError, Message};

/// Tags, CORS and default encryption of a bucket (`s3_pb.BucketMetadata`).
#[derive(Clone, PartialEq, Message)]
pub struct BucketMetadata {
    /// The bucket's tags.
    #[prost(btree_map = "string, string", tag = "1")]
    pub tags: BTreeMap<String, String>,
    /// CORS.
    #[prost(message, optional, tag = "2")]
    pub cors: Option<CorsConfiguration>,
    /// Default encryption.
    #[prost(message, optional, tag = "3")]
    pub encryption: Option<EncryptionConfiguration>,
}

/// CORS rules, in order.
#[derive(Clone, PartialEq, Message)]
pub struct CorsConfiguration {
    /// The rules. The first one that matches counts.
    #[prost(message, repeated, tag = "1")]
    pub rules: Vec<CorsRule>,
}

/// One CORS rule.
#[derive(Clone, PartialEq, Message)]
pub struct CorsRule {
    /// Request headers, with `*`.
    #[prost(string, repeated, tag = "1")]
    pub allowed_headers: Vec<String>,
    /// Methods.
    #[prost(string, repeated, tag = "2")]
    pub allowed_methods: Vec<String>,
    /// Origins, with `*`.
    #[prost(string, repeated, tag = "3")]
    pub allowed_origins: Vec<String>,
    /// Response headers that scripts may read.
    #[prost(string, repeated, tag = "4")]
    pub expose_headers: Vec<String>,
    /// How long a preflight may be cached, in seconds.
    #[prost(int32, tag = "5")]
    pub max_age_seconds: i32,
    /// The rule's name.
    #[prost(string, tag = "6")]
    pub id: String,
}

/// Default encryption.
#[derive(Clone, PartialEq, Message)]
pub struct EncryptionConfiguration {
    /// `AES256` or `aws:kms`.
    #[prost(string, tag = "1")]
    pub sse_algorithm: String,
    /// The key, for `aws:kms`.
    #[prost(string, tag = "2")]
    pub kms_key_id: String,
    /// Bucket keys.
    #[prost(bool, tag = "3")]
    pub bucket_key_enabled: bool,
}

impl BucketMetadata {
    /// From the content of a bucket's entry. Fails if the content is not such a message.
    pub fn read(content: &[u8]) -> Result<Self, DecodeError> {
        Self::decode(content)
    }

    /// The same for showing: nothing is configured where nothing can be read.
    pub fn read_or_none(content: &[u8]) -> Self {
        Self::read(content).unwrap_or_default()
    }

    /// The content of a bucket's entry.
    pub fn to_content(&self) -> Vec<u8> {
        self.encode_to_vec()
    }

    /// The CORS rules.
    pub fn cors_rules(&self) -> &[CorsRule] {
        self.cors.as_ref().map_or(&[], |cors| &cors.rules)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_content_written_by_seaweedfs_is_read() {
        let content = [0x1a, 0x08, 0x0a, 0x06, 0x41, 0x45, 0x53, 0x32, 0x35, 0x36];
        let found = BucketMetadata::read(&content).unwrap();
        assert_eq!(found.to_content(), content);
        assert_eq!(found.encryption.unwrap().sse_algorithm, "AES256");
        assert!(BucketMetadata::read(&[0xff]).is_err());
    }
}
