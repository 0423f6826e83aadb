//! The chain of an audit file: a hash over all lines in their order, and signed digests of it beside the file.
//!
//! The digests of `audit.log` are lines of `audit.log.digest`. Each one states how many bytes and records the file had, the hash of all
//! of them, and the hash of the digest before it, that of the file before included. So nobody without the key can change, remove or
//! reorder records or files and leave digests that fit.
//!
//! All digests of a file have one form. A file that was begun in an older form keeps it until the next file begins.

use std::fmt::Write as _;

use aws_lc_rs::digest::{Context, SHA256, digest};
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use serde::{Deserialize, Serialize};

/// The version of the form of digests. The hash of version 1 was SHA-256, line by line.
pub const DIGEST_VERSION: u32 = 2;
/// The oldest version that is still read.
const OLDEST_VERSION: u32 = 1;

/// What precedes the first digest.
pub const NO_DIGEST: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// What a digest states.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digest {
    /// [`DIGEST_VERSION`], or an older one.
    pub version: u32,
    /// The id of the log, random, the same in all of its files.
    pub log: String,
    /// The number of the file, from 1.
    pub file: u64,
    /// The number of the oldest file that the log still keeps.
    pub oldest: u64,
    /// How many bytes of the file it covers.
    pub bytes: u64,
    /// How many records these are.
    pub records: u64,
    /// How many of them were found after a crash and not written under the eyes of this process.
    pub found: u64,
    /// The hash of these bytes: BLAKE3, with the BLAKE3 hash of the `previous` of the file's first digest as its key. In version 1, SHA-256
    /// of the hash before each line and the line, beginning with that `previous`.
    pub hash: String,
    /// The SHA-256 of the digest before, as its line without the end; [`NO_DIGEST`] for the first.
    pub previous: String,
    /// When it was made.
    pub time: String,
    /// Whether the file is complete.
    pub closed: bool,
    /// The fingerprint of the key: the first half of its SHA-256.
    pub key: String,
}

/// The key that signs digests.
pub struct DigestKey {
    pair: Ed25519KeyPair,
    /// The PKCS#8 document.
    document: Vec<u8>,
}

impl DigestKey {
    /// A new key.
    pub fn generate() -> Result<Self, String> {
        let pair = Ed25519KeyPair::generate().map_err(|_| "no key could be made".to_owned())?;
        let document = pair.to_pkcs8().map_err(|_| "no key could be made".to_owned())?;
        Ok(Self { pair, document: document.as_ref().to_vec() })
    }

    /// Reads the text of a key file.
    pub fn parse(text: &str) -> Result<Self, String> {
        let problem = || "it holds no signing key of an audit log; remove it to get a new one".to_owned();
        let document = hex::decode(text.trim()).map_err(|_| problem())?;
        let pair = Ed25519KeyPair::from_pkcs8(&document).map_err(|_| problem())?;
        Ok(Self { pair, document })
    }

    /// The text of the key file: a secret.
    pub fn to_text(&self) -> String {
        format!("{}\n", hex::encode(&self.document))
    }

    /// The public key, in hexadecimal digits.
    pub fn public(&self) -> String {
        hex::encode(self.pair.public_key())
    }

    /// The digest as a signed line, without its end.
    pub fn sign(&self, digest: &Digest) -> String {
        let mut line = serde_json::to_string(digest).unwrap_or_default();
        let signature = hex::encode(self.pair.sign(line.as_bytes()));
        line.pop();
        let _ = write!(line, ",\"signature\":\"{signature}\"}}");
        line
    }
}

/// Whether a text can be the public key of a log: 64 hexadecimal digits.
pub fn is_public_key(text: &str) -> bool {
    hex::decode(text).is_ok_and(|bytes| bytes.len() == 32)
}

/// The fingerprint of a public key.
pub fn fingerprint(public: &str) -> String {
    let bytes = hex::decode(public).unwrap_or_default();
    hex::encode(digest(&SHA256, &bytes).as_ref().get(..16).unwrap_or_default())
}

/// Reads a line of digests, and checks its signature with the public key. The error is the reason.
pub fn read(line: &str, public: &str) -> Result<Digest, String> {
    let (text, signature) = line.rsplit_once(",\"signature\":\"").ok_or("not a digest")?;
    let signature =
        signature.strip_suffix("\"}").and_then(|text| hex::decode(text).ok()).ok_or("it has no signature")?;
    let text = format!("{text}}}");
    let read: Digest = serde_json::from_str(&text).map_err(|error| format!("not a digest: {error}"))?;
    if !(OLDEST_VERSION..=DIGEST_VERSION).contains(&read.version) {
        return Err(format!("its version is {}, which this program does not know", read.version));
    }
    if read.key != fingerprint(public) {
        return Err(format!("it was signed with another key, {}", read.key));
    }
    let key = hex::decode(public).map_err(|_| "the public key is not in hexadecimal digits".to_owned())?;
    let verified = UnparsedPublicKey::new(&ED25519, &key).verify(text.as_bytes(), &signature);
    verified.map_err(|_| "its signature is wrong".to_owned())?;
    Ok(read)
}

/// The SHA-256 of a line of digests, to which the next one refers.
pub fn link(line: &str) -> String {
    hex::encode(digest(&SHA256, line.as_bytes()))
}

/// The hash of the lines of a file.
#[derive(Debug, Clone)]
pub struct Chain {
    state: State,
    /// The bytes of these lines.
    pub bytes: u64,
    /// How many lines there are.
    pub records: u64,
}

#[derive(Debug, Clone)]
enum State {
    /// Version 1: the SHA-256 so far.
    ByLine(Vec<u8>),
    /// Version 2: BLAKE3 of all bytes but the last ones, which follow.
    OfBytes(Box<blake3::Hasher>, Vec<u8>),
}

/// BLAKE3 hashes the parts of such a block at the same time. It does so only if nothing smaller came before.
const BLOCK_BYTES: usize = 16 << 10;

impl Chain {
    /// The chain of a file that follows the digest `previous`, in the newest form.
    pub fn after(previous: &str) -> Self {
        Self::of_version(DIGEST_VERSION, previous)
    }

    /// The chain of a file whose digests have this version.
    pub fn of_version(version: u32, previous: &str) -> Self {
        let state = match version {
            1 => State::ByLine(previous.as_bytes().to_vec()),
            _ => {
                let key = blake3::hash(previous.as_bytes());
                State::OfBytes(Box::new(blake3::Hasher::new_keyed(key.as_bytes())), Vec::new())
            }
        };
        Self { state, bytes: 0, records: 0 }
    }

    /// The version of digests that state this hash.
    pub fn version(&self) -> u32 {
        match self.state {
            State::ByLine(_) => 1,
            State::OfBytes(..) => DIGEST_VERSION,
        }
    }

    /// Adds complete lines, each with its end.
    pub fn add(&mut self, lines: &[u8]) {
        self.add_counted(lines, count(lines));
    }

    /// Adds complete lines whose number is known.
    pub(crate) fn add_counted(&mut self, lines: &[u8], number: u64) {
        debug_assert_eq!(number, count(lines));
        match &mut self.state {
            State::ByLine(hash) => lines.split_inclusive(|byte| *byte == b'\n').for_each(|line| link_line(hash, line)),
            State::OfBytes(hasher, waiting) => add_blocks(hasher, waiting, lines),
        }
        self.bytes += lines.len() as u64;
        self.records += number;
    }

    /// The hash so far.
    pub fn hash(&self) -> String {
        match &self.state {
            State::ByLine(hash) => hex::encode(hash),
            State::OfBytes(hasher, waiting) => hasher.clone().update(waiting).finalize().to_hex().to_string(),
        }
    }
}

/// The number of lines.
pub(crate) fn count(lines: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', lines).count() as u64
}

fn link_line(hash: &mut Vec<u8>, line: &[u8]) {
    let mut context = Context::new(&SHA256);
    context.update(hash);
    context.update(line);
    hash.clear();
    hash.extend_from_slice(context.finish().as_ref());
}

/// Hashes whole blocks, and keeps what is left for the next time.
fn add_blocks(hasher: &mut blake3::Hasher, waiting: &mut Vec<u8>, mut bytes: &[u8]) {
    while waiting.len() + bytes.len() >= BLOCK_BYTES {
        let (now, later) = bytes.split_at(BLOCK_BYTES - waiting.len());
        if waiting.is_empty() {
            hasher.update(now);
        } else {
            waiting.extend_from_slice(now);
            hasher.update(waiting);
            waiting.clear();
        }
        bytes = later;
    }
    waiting.extend_from_slice(bytes);
}
