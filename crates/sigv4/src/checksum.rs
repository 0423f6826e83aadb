//! The checksums that clients send with objects: five algorithms, their headers, and how parts combine.
//!
//! Source: S3 User Guide, "Checking object integrity".

use std::fmt;

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crc_fast::CrcAlgorithm;
pub use ids::{ChecksumAlgorithm, ChecksumType};

use crate::SigError;

/// The polynomial of a CRC; none for the SHAs.
fn crc(algorithm: ChecksumAlgorithm) -> Option<CrcAlgorithm> {
    match algorithm {
        ChecksumAlgorithm::Crc32 => Some(CrcAlgorithm::Crc32IsoHdlc),
        ChecksumAlgorithm::Crc32C => Some(CrcAlgorithm::Crc32Iscsi),
        ChecksumAlgorithm::Crc64Nvme => Some(CrcAlgorithm::Crc64Nvme),
        ChecksumAlgorithm::Sha1 | ChecksumAlgorithm::Sha256 => None,
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
    /// Not base64, or not of the algorithm's length: `InvalidRequest`.
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

    /// The form of headers and XML.
    pub fn to_base64(&self) -> String {
        STANDARD.encode(&self.digest)
    }

    /// `BadDigest` unless the body has this checksum.
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

/// Computes a checksum while the body streams by.
#[derive(Clone)]
pub struct Hasher(ChecksumAlgorithm, State);

#[derive(Clone)]
enum State {
    Crc(Box<crc_fast::Digest>),
    Sha(digest::Context),
}

impl Hasher {
    /// Nothing seen yet.
    pub fn new(algorithm: ChecksumAlgorithm) -> Self {
        let state = match crc(algorithm) {
            Some(crc) => State::Crc(Box::new(crc_fast::Digest::new(crc))),
            None if algorithm == ChecksumAlgorithm::Sha1 => {
                State::Sha(digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY))
            }
            None => State::Sha(digest::Context::new(&digest::SHA256)),
        };
        Self(algorithm, state)
    }

    /// Takes the next piece of the body.
    pub fn update(&mut self, piece: &[u8]) {
        match &mut self.1 {
            State::Crc(digest) => digest.update(piece),
            State::Sha(context) => context.update(piece),
        }
    }

    /// The checksum of everything seen.
    pub fn finish(self) -> Checksum {
        match self.1 {
            State::Crc(digest) => Checksum::from_crc(self.0, digest.finalize()),
            State::Sha(context) => Checksum { algorithm: self.0, digest: context.finish().as_ref().to_vec() },
        }
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
    /// Combines the checksums of the parts, in their order.
    ///
    /// A type that the algorithm does not support, or parts of another algorithm: `InvalidRequest`.
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
    /// Base64; of a composite one with `-<number of parts>`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            ChecksumType::FullObject => write!(f, "{}", self.checksum),
            ChecksumType::Composite => write!(f, "{}-{}", self.checksum, self.parts),
        }
    }
}
