//! Completing an upload: which of its parts count, and the one object that they become. No data is read or written.

use std::collections::BTreeMap;

use filer::{Attributes, Entry, FileChunk, FilerError, ListOptions};
use ids::{ChecksumAlgorithm, ObjectKey};

use crate::multipart::{multipart_etag, part_number_of};
use crate::new_entry::{DEFAULT_MIME, Stamp, StoredChecksum, set};
use crate::objects::Objects;
use crate::part_boundaries::{PartBoundary, to_json};
use crate::rules::{self, Refusal};
use crate::uploads::{MultipartUpload, Parts, keep_newest};
use crate::{attributes, object};

/// The smallest size of every part except the last, in bytes: 5 MiB.
pub const PART_BYTES_MIN: u64 = 5 << 20;

/// How many files are requested at once, with their chunks.
const PAGE: usize = 250;

/// A part as the request to complete an upload lists it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListedPart<'r> {
    /// Its number.
    pub number: u32,
    /// Without quotes.
    pub etag: &'r str,
    /// The checksum that it must have, in base64.
    pub checksum: Option<(ChecksumAlgorithm, &'r str)>,
}

/// Why parts do not become an object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PartsError {
    /// No file of this number has this ETag, and the checksum if one is listed.
    #[error("part {number} with the ETag {etag} was not uploaded")]
    Missing {
        /// The number.
        number: u32,
        /// The ETag.
        etag: String,
    },
    /// Every part except the last has at least [`PART_BYTES_MIN`].
    #[error("part {number} has only {bytes} bytes")]
    TooSmall {
        /// The number.
        number: u32,
        /// The ETag.
        etag: String,
        /// How many bytes it has.
        bytes: u64,
    },
    /// A part is stored as gateways never store one: inside its entry.
    #[error("the part with the ETag {etag} is stored inline")]
    Inline {
        /// The ETag.
        etag: String,
    },
    /// The ETag of a part is not an MD5, so the object cannot have one.
    #[error("the ETag of a part is not an MD5")]
    NotAnMd5,
    /// A part cannot be read.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

/// The files of an upload that can be the parts of a list: of each listed number, the newest file with the listed ETag. It keeps no
/// others, because an upload may have any number of them.
#[derive(Debug, PartialEq)]
pub struct Candidates<'r> {
    listed: &'r [ListedPart<'r>],
    etags: BTreeMap<u32, &'r str>,
    files: Parts,
    has_small_part: bool,
}

impl<'r> Candidates<'r> {
    /// None yet. The list is in the order of the numbers.
    pub fn of(listed: &'r [ListedPart<'r>]) -> Self {
        let etags = listed.iter().map(|part| (part.number, part.etag)).collect();
        Self { listed, etags, files: Parts::new(), has_small_part: false }
    }

    /// Adds a file of the upload, with its chunks.
    pub fn add(&mut self, file: Entry) {
        let number = part_number_of(&file.name).filter(|_| !file.is_directory);
        let Some((number, etag)) = number.and_then(|number| self.etags.get_key_value(&number)) else { return };
        if file.etag() == *etag {
            let is_last = self.listed.last().is_some_and(|last| last.number == *number);
            self.has_small_part |= !is_last && file.content_bytes() < PART_BYTES_MIN;
            keep_newest(&mut self.files, *number, file);
        }
    }

    /// The listed parts, in the order of the list.
    pub fn choose(mut self) -> Result<Vec<Entry>, PartsError> {
        let mut chosen = Vec::with_capacity(self.listed.len());
        for (index, wanted) in self.listed.iter().enumerate() {
            let (number, etag) = (wanted.number, wanted.etag.to_owned());
            let Some(part) = self.take(wanted) else { return Err(PartsError::Missing { number, etag }) };
            rules::may_read(&part)?;
            let bytes = part.content_bytes();
            if bytes < PART_BYTES_MIN && index + 1 < self.listed.len() {
                return Err(PartsError::TooSmall { number, etag, bytes });
            }
            chosen.push(part);
        }
        Ok(chosen)
    }

    fn take(&mut self, wanted: &ListedPart<'_>) -> Option<Entry> {
        let part = self.files.remove(&wanted.number)?;
        let has_checksum = wanted.checksum.is_none_or(|checksum| object::checksum(&part) == Some(checksum));
        has_checksum.then_some(part)
    }
}

/// The parts as one object.
#[derive(Debug, Clone, PartialEq)]
pub struct Assembled {
    /// The size of the object.
    pub bytes: u64,
    /// What the object says of its parts. Their checksums may be added.
    pub boundaries: Vec<PartBoundary>,
    chunks: Vec<FileChunk>,
    etag: String,
    files: Vec<String>,
}

/// The object that an upload becomes.
#[derive(Debug, Clone, PartialEq)]
pub struct ObjectOfParts {
    /// Its entry.
    pub entry: Entry,
    /// The names of the parts' files whose data it gets.
    pub(crate) files: Vec<String>,
}

impl Objects<'_> {
    /// Reads the files of an upload, as far as its listed parts depend on them. The filer sorts them by number, so a part that is too
    /// small ends the reading: what the list says of the parts before it is known by then.
    pub async fn candidates<'r>(
        &self,
        upload: &MultipartUpload,
        listed: &'r [ListedPart<'r>],
    ) -> Result<Candidates<'r>, FilerError> {
        let (mut candidates, mut start_from) = (Candidates::of(listed), String::new());
        loop {
            let options = ListOptions { start_from, limit: PAGE, ..ListOptions::default() };
            let files = self.filer().list(upload.path(), options).await?;
            let last = files.last().filter(|_| files.len() >= PAGE).map(|last| last.name.clone());
            files.into_iter().for_each(|file| candidates.add(file));
            match last.filter(|_| !candidates.has_small_part) {
                Some(last) => start_from = last,
                None => return Ok(candidates),
            }
        }
    }

    /// Reads the lists of chunks that are stored apart from their parts, so that each part lists its own.
    pub async fn resolve_chunks(&self, parts: &mut [Entry]) -> Result<(), FilerError> {
        for part in parts.iter_mut().filter(|part| part.chunks.iter().any(|chunk| chunk.is_chunk_manifest)) {
            part.chunks = self.filer().resolve_chunks(&part.chunks).await?;
        }
        Ok(())
    }
}

/// The parts, with their [chunks](Objects::resolve_chunks), as one object.
pub fn assemble(parts: &[Entry]) -> Result<Assembled, PartsError> {
    let etags: Vec<String> = parts.iter().map(Entry::etag).collect();
    let etag = multipart_etag(etags.iter().map(String::as_str)).ok_or(PartsError::NotAnMd5)?;
    let files = parts.iter().map(|part| part.name.clone()).collect();
    let boundaries = Vec::with_capacity(parts.len());
    let mut whole = Assembled { bytes: 0, chunks: Vec::new(), boundaries, etag, files };
    for (part, etag) in parts.iter().zip(etags) {
        if !part.content.is_empty() {
            return Err(PartsError::Inline { etag });
        }
        whole.push(part, &etag);
    }
    Ok(whole)
}

impl Assembled {
    fn push(&mut self, part: &Entry, etag: &str) {
        let (first_chunk, start_offset) = (self.chunks.len() as u64, self.bytes);
        let mut chunks = part.chunks.clone();
        chunks.sort_by_key(|chunk| chunk.offset);
        for chunk in &mut chunks {
            chunk.offset = chunk.offset.saturating_add_unsigned(start_offset);
        }
        self.chunks.append(&mut chunks);
        self.bytes += part.content_bytes();
        self.boundaries.push(PartBoundary {
            number: part_number_of(&part.name).unwrap_or_default(),
            first_chunk,
            end_chunk: self.chunks.len() as u64,
            etag: format!("\"{etag}\""),
            start_offset,
            end_offset: self.bytes,
            checksum: None,
        });
    }
}

impl Stamp {
    /// The object that an upload's parts become. It gets what the upload's directory holds for it.
    pub fn assembled(
        &self,
        key: &ObjectKey,
        upload: &MultipartUpload,
        whole: Assembled,
        checksum: Option<StoredChecksum>,
    ) -> ObjectOfParts {
        let mut extended = upload.entry.extended.clone();
        let of_upload = |name: &str| name == attributes::UPLOAD_KEY || name.starts_with(attributes::UPLOAD_PREFIX);
        extended.retain(|name, _| name == attributes::INITIATOR_ID || !of_upload(name));
        set(&mut extended, attributes::ETAG, whole.etag);
        set(&mut extended, attributes::UPLOAD_ID, upload.id());
        set(&mut extended, attributes::PARTS_COUNT, whole.boundaries.len().to_string());
        set(&mut extended, attributes::PART_BOUNDARIES, to_json(&whole.boundaries));
        if let Some(checksum) = checksum {
            checksum.set_on(&mut extended);
        }
        let mime = match upload.entry.attributes().mime.as_str() {
            "" => DEFAULT_MIME,
            mime => mime,
        };
        let attributes = self.file(mime, whole.bytes, &[]);
        let is_directory = key.is_directory_marker();
        let file_mode = if is_directory { object::DIRECTORY_MODE } else { object::MULTIPART_MODE };
        let entry = Entry {
            name: object::name_of(key),
            is_directory,
            chunks: whole.chunks,
            attributes: Some(Attributes { file_mode, ..attributes }),
            extended,
            ..Entry::default()
        };
        ObjectOfParts { entry, files: whole.files }
    }
}
