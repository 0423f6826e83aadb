//! The checksums that clients send with objects: ten algorithms, their headers, and how checksums of parts combine.
//!
//! Source: S3 User Guide, "Checking object integrity".

use std::fmt;
use std::hash::Hasher as _;

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crc_fast::CrcAlgorithm;
pub use ids::{ChecksumAlgorithm, ChecksumType};
use md5::{Digest, Md5};
use twox_hash::{XxHash3_64, XxHash3_128, XxHash64};

use crate::SigError;

/// The polynomial of a CRC; `None` for the other algorithms.
fn crc(algorithm: ChecksumAlgorithm) -> Option<CrcAlgorithm> {
    match algorithm {
        ChecksumAlgorithm::Crc32 => Some(CrcAlgorithm::Crc32IsoHdlc),
        ChecksumAlgorithm::Crc32C => Some(CrcAlgorithm::Crc32Iscsi),
        ChecksumAlgorithm::Crc64Nvme => Some(CrcAlgorithm::Crc64Nvme),
        _ => None,
    }
}

/// A checksum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checksum {
    algorithm: ChecksumAlgorithm,
    digest: Vec<u8>,
}

impl Checksum {
    /// Reads the base64 of a header, a trailer or an XML element.
    ///
    /// Fails with `InvalidRequest` if it is not base64, or does not have the algorithm's length.
    pub fn parse(algorithm: ChecksumAlgorithm, base64: &str) -> Result<Self, SigError> {
        let invalid =
            || SigError::ChecksumInvalid(format!("Value for {} header is invalid.", algorithm.header()).into());
        let digest = STANDARD.decode(base64).map_err(|_| invalid())?;
        if digest.len() != algorithm.digest_bytes() {
            return Err(invalid());
        }
        Ok(Self { algorithm, digest })
    }

    /// The algorithm.
    pub fn algorithm(&self) -> ChecksumAlgorithm {
        self.algorithm
    }

    /// The bytes, in network order.
    pub fn digest(&self) -> &[u8] {
        &self.digest
    }

    /// The form in headers and XML.
    pub fn to_base64(&self) -> String {
        STANDARD.encode(&self.digest)
    }

    /// Fails with `BadDigest` unless the body has this checksum.
    pub fn check(&self, of_body: &Self) -> Result<(), SigError> {
        if self == of_body { Ok(()) } else { Err(SigError::ChecksumMismatch(self.algorithm)) }
    }

    fn from_crc(algorithm: ChecksumAlgorithm, value: u64) -> Self {
        let bytes = value.to_be_bytes();
        let digest = bytes.get(8 - algorithm.digest_bytes()..).unwrap_or_default().to_vec();
        Self { algorithm, digest }
    }

    fn as_crc(&self) -> u64 {
        self.digest.iter().fold(0, |value, byte| value << 8 | u64::from(*byte))
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_base64())
    }
}

/// Computes a checksum as the body streams by.
#[derive(Clone)]
pub struct Hasher(ChecksumAlgorithm, State);

#[derive(Clone)]
enum State {
    Crc(Box<crc_fast::Digest>),
    Sha(digest::Context),
    Md5(Md5),
    XxHash64(XxHash64),
    XxHash3(Box<XxHash3_64>),
    XxHash128(Box<XxHash3_128>),
}

impl State {
    fn new(algorithm: ChecksumAlgorithm) -> Self {
        let crc = |polynomial| Self::Crc(Box::new(crc_fast::Digest::new(polynomial)));
        match algorithm {
            ChecksumAlgorithm::Crc32 => crc(CrcAlgorithm::Crc32IsoHdlc),
            ChecksumAlgorithm::Crc32C => crc(CrcAlgorithm::Crc32Iscsi),
            ChecksumAlgorithm::Crc64Nvme => crc(CrcAlgorithm::Crc64Nvme),
            ChecksumAlgorithm::Sha1 => Self::Sha(digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY)),
            ChecksumAlgorithm::Sha256 => Self::Sha(digest::Context::new(&digest::SHA256)),
            ChecksumAlgorithm::Sha512 => Self::Sha(digest::Context::new(&digest::SHA512)),
            ChecksumAlgorithm::Md5 => Self::Md5(Md5::new()),
            ChecksumAlgorithm::XxHash64 => Self::XxHash64(XxHash64::with_seed(0)),
            ChecksumAlgorithm::XxHash3 => Self::XxHash3(Box::default()),
            ChecksumAlgorithm::XxHash128 => Self::XxHash128(Box::default()),
        }
    }
}

impl Hasher {
    /// A hasher that has seen nothing yet.
    pub fn new(algorithm: ChecksumAlgorithm) -> Self {
        Self(algorithm, State::new(algorithm))
    }

    /// Takes the next piece of the body.
    pub fn update(&mut self, piece: &[u8]) {
        match &mut self.1 {
            State::Crc(digest) => digest.update(piece),
            State::Sha(context) => context.update(piece),
            State::Md5(md5) => md5.update(piece),
            State::XxHash64(hash) => hash.write(piece),
            State::XxHash3(hash) => hash.write(piece),
            State::XxHash128(hash) => hash.write(piece),
        }
    }

    /// The checksum of everything seen so far.
    pub fn finish(self) -> Checksum {
        let digest = match self.1 {
            State::Crc(digest) => return Checksum::from_crc(self.0, digest.finalize()),
            State::Sha(context) => context.finish().as_ref().to_vec(),
            State::Md5(md5) => md5.finalize().to_vec(),
            State::XxHash64(hash) => hash.finish().to_be_bytes().to_vec(),
            State::XxHash3(hash) => hash.finish().to_be_bytes().to_vec(),
            State::XxHash128(hash) => hash.finish_128().to_be_bytes().to_vec(),
        };
        Checksum { algorithm: self.0, digest }
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hasher({})", self.0)
    }
}

/// The checksum of a multipart object whose parts each have one, with their lengths in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MultipartChecksum {
    /// The combined checksum.
    pub checksum: Checksum,
    /// What it covers.
    pub kind: ChecksumType,
    /// The number of parts.
    pub parts: usize,
}

impl MultipartChecksum {
    /// Combines the checksums of the parts in order.
    ///
    /// Fails with `InvalidRequest` if the algorithm does not support the type, or if parts have another algorithm.
    pub fn combine(
        algorithm: ChecksumAlgorithm,
        kind: ChecksumType,
        parts: &[(Checksum, u64)],
    ) -> Result<Self, SigError> {
        if !algorithm.supports(kind) {
            let text =
                format!("The {} checksum type cannot be used with the {algorithm} checksum algorithm.", kind.as_str());
            return Err(SigError::ChecksumInvalid(text.into()));
        }
        if parts.iter().any(|(part, _)| part.algorithm != algorithm) {
            let text = format!("Each part must have a {algorithm} checksum; upload the others again.");
            return Err(SigError::ChecksumInvalid(text.into()));
        }
        let checksum = match (kind, crc(algorithm)) {
            (ChecksumType::FullObject, Some(crc)) => {
                let empty = Hasher::new(algorithm).finish().as_crc();
                let whole = parts
                    .iter()
                    .fold(empty, |sum, (part, bytes)| crc_fast::checksum_combine(crc, sum, part.as_crc(), *bytes));
                Checksum::from_crc(algorithm, whole)
            }
            _ => {
                let mut hasher = Hasher::new(algorithm);
                parts.iter().for_each(|(part, _)| hasher.update(&part.digest));
                hasher.finish()
            }
        };
        Ok(Self { checksum, kind, parts: parts.len() })
    }
}

impl fmt::Display for MultipartChecksum {
    /// Base64. A composite checksum ends in `-<number of parts>`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            ChecksumType::FullObject => write!(f, "{}", self.checksum),
            ChecksumType::Composite => write!(f, "{}-{}", self.checksum, self.parts),
        }
    }
}
