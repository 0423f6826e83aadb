//! The checksums that clients send with objects: five algorithms, their headers, and how parts combine.
//!
//! Source: S3 User Guide, "Checking object integrity".

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crc_fast::CrcAlgorithm;

use crate::SigError;

/// An algorithm of `x-amz-checksum-algorithm`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChecksumAlgorithm {
    /// CRC-32 as in zip.
    Crc32,
    /// CRC-32C (Castagnoli).
    Crc32C,
    /// CRC-64/NVME, the default of current SDKs.
    Crc64Nvme,
    /// SHA-1.
    Sha1,
    /// SHA-256.
    Sha256,
}

impl ChecksumAlgorithm {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Crc32, Self::Crc32C, Self::Crc64Nvme, Self::Sha1, Self::Sha256];

    /// `CRC32`, as headers and XML name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Crc32 => "CRC32",
            Self::Crc32C => "CRC32C",
            Self::Crc64Nvme => "CRC64NVME",
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
        }
    }

    /// `ChecksumCRC32`, the XML element.
    pub fn element(self) -> &'static str {
        match self {
            Self::Crc32 => "ChecksumCRC32",
            Self::Crc32C => "ChecksumCRC32C",
            Self::Crc64Nvme => "ChecksumCRC64NVME",
            Self::Sha1 => "ChecksumSHA1",
            Self::Sha256 => "ChecksumSHA256",
        }
    }

    /// `x-amz-checksum-crc32`, the header or trailer.
    pub fn header(self) -> &'static str {
        match self {
            Self::Crc32 => "x-amz-checksum-crc32",
            Self::Crc32C => "x-amz-checksum-crc32c",
            Self::Crc64Nvme => "x-amz-checksum-crc64nvme",
            Self::Sha1 => "x-amz-checksum-sha1",
            Self::Sha256 => "x-amz-checksum-sha256",
        }
    }

    /// The algorithm whose header this is, in lower case.
    pub fn of_header(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.header() == name)
    }

    /// The length of a checksum in bytes.
    pub fn digest_bytes(self) -> usize {
        match self {
            Self::Crc32 | Self::Crc32C => 4,
            Self::Crc64Nvme => 8,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }

    /// What a multipart upload does when it does not say: CRC64NVME covers the full object, the others are composite.
    pub fn default_type(self) -> ChecksumType {
        if self == Self::Crc64Nvme { ChecksumType::FullObject } else { ChecksumType::Composite }
    }

    /// Whether a multipart upload may ask for this type: CRC64NVME only full object, SHA only composite.
    pub fn supports(self, kind: ChecksumType) -> bool {
        match self {
            Self::Crc32 | Self::Crc32C => true,
            Self::Crc64Nvme => kind == ChecksumType::FullObject,
            Self::Sha1 | Self::Sha256 => kind == ChecksumType::Composite,
        }
    }

    fn crc(self) -> Option<CrcAlgorithm> {
        match self {
            Self::Crc32 => Some(CrcAlgorithm::Crc32IsoHdlc),
            Self::Crc32C => Some(CrcAlgorithm::Crc32Iscsi),
            Self::Crc64Nvme => Some(CrcAlgorithm::Crc64Nvme),
            Self::Sha1 | Self::Sha256 => None,
        }
    }
}

impl FromStr for ChecksumAlgorithm {
    type Err = SigError;

    /// Reads `CRC32C`, in any case as S3 does.
    fn from_str(text: &str) -> Result<Self, SigError> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name().eq_ignore_ascii_case(text)).ok_or(SigError::ChecksumInvalid(
            "Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C, CRC64NVME, SHA1, \
             SHA256]"
                .into(),
        ))
    }
}

impl fmt::Display for ChecksumAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What the checksum of a multipart object covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChecksumType {
    /// The bytes of the object.
    FullObject,
    /// The checksums of its parts; written with `-<number of parts>`.
    Composite,
}

impl ChecksumType {
    /// `FULL_OBJECT` or `COMPOSITE`.
    pub fn name(self) -> &'static str {
        match self {
            Self::FullObject => "FULL_OBJECT",
            Self::Composite => "COMPOSITE",
        }
    }
}

impl FromStr for ChecksumType {
    type Err = SigError;

    fn from_str(text: &str) -> Result<Self, SigError> {
        [Self::FullObject, Self::Composite]
            .into_iter()
            .find(|kind| kind.name() == text)
            .ok_or(SigError::ChecksumInvalid("Value for x-amz-checksum-type header is invalid.".into()))
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
        let state = match algorithm.crc() {
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
                format!("The {} checksum type cannot be used with the {algorithm} checksum algorithm.", kind.name());
            return Err(SigError::ChecksumInvalid(text.into()));
        }
        if parts.iter().any(|(part, _)| part.algorithm != algorithm) {
            let text = format!("Each part must have a {algorithm} checksum; upload the others again.");
            return Err(SigError::ChecksumInvalid(text.into()));
        }
        let checksum = match (kind, algorithm.crc()) {
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
