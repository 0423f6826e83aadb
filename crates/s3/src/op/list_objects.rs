use ids::BucketName;
use xml::XmlWriter;

use super::Owner;
use crate::EncodingType;
use crate::checksum::{ChecksumAlgorithm, ChecksumType};
use crate::condition_keys::ConditionKeys;
use crate::document;
use crate::request::Request;
use crate::requirement::Requirement;
use crate::routed::{Route, Routed};
use crate::s3_operation::S3Operation;
use crate::target::Addressed;
use crate::{S3Error, time};

/// The most entries on one page, and the default number.
pub(crate) const KEYS_MAX: u32 = 1000;

/// The prefix of a listing, as it was sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyPrefix(String);

impl KeyPrefix {
    /// Takes the prefix as it was sent.
    pub fn new(prefix: impl Into<String>) -> Self {
        Self(prefix.into())
    }

    /// The prefix as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// False if no key can begin with it, because it has a NUL or more than 1024 bytes. Then the page is empty, and the filer must not
    /// be asked.
    pub fn can_match(&self) -> bool {
        self.0.len() <= 1024 && !self.0.contains('\0')
    }
}

/// What all listings of keys share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListQuery {
    /// `prefix`, empty when absent.
    pub prefix: KeyPrefix,
    /// `delimiter`; absent when empty, as on S3.
    pub delimiter: Option<String>,
    /// `max-keys` as requested: 0..=2147483647, 1000 when absent. A page has at most 1000 entries.
    pub max_keys: u32,
    /// `encoding-type=url`.
    pub encoding_type: Option<EncodingType>,
    /// Whether `x-amz-optional-object-attributes` was sent. It asks only for restore states, which do not exist here.
    pub optional_attributes: bool,
}

impl ListQuery {
    pub(crate) fn parse(request: &Request<'_>, max_name: &'static str) -> Result<Self, S3Error> {
        Ok(Self {
            prefix: KeyPrefix::new(request.param("prefix").unwrap_or_default()),
            delimiter: request.owned_param("delimiter").filter(|delimiter| !delimiter.is_empty()),
            max_keys: request.number(max_name)?.unwrap_or(KEYS_MAX),
            encoding_type: encoding_type(request)?,
            optional_attributes: request.has_header("x-amz-optional-object-attributes"),
        })
    }

    /// The number of entries that this page may have: 0..=1000.
    pub fn page_entries(&self) -> u32 {
        self.max_keys.min(KEYS_MAX)
    }
}

pub(crate) fn encoding_type(request: &Request<'_>) -> Result<Option<EncodingType>, S3Error> {
    match request.param("encoding-type") {
        None | Some("") => Ok(None),
        Some("url") => Ok(Some(EncodingType::Url)),
        Some(other) => {
            Err(S3Error::invalid_argument("encoding-type", other, "Invalid Encoding Method specified in Request"))
        }
    }
}

/// `GET /bucket`: version 1 of listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListObjects {
    /// The bucket.
    pub bucket: BucketName,
    /// Prefix, delimiter and so on.
    pub list: ListQuery,
    /// `marker`: list only keys after it.
    pub marker: String,
}

/// `GET /bucket?list-type=2`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListObjectsV2 {
    /// The bucket.
    pub bucket: BucketName,
    /// Prefix, delimiter and so on.
    pub list: ListQuery,
    /// `start-after`: list only keys after it. It has no effect together with a token.
    pub start_after: Option<String>,
    /// `continuation-token`. It is opaque; the code that lists makes it. An empty one is given back, and lists from the
    /// beginning.
    pub continuation_token: Option<String>,
    /// `fetch-owner=true`.
    pub fetch_owner: bool,
}

/// One key of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectSummary {
    /// The key.
    pub key: String,
    /// Seconds since 1970.
    pub last_modified: i64,
    /// Without quotes.
    pub etag: String,
    /// The checksum that it has, if any.
    pub checksum: Option<(ChecksumAlgorithm, ChecksumType)>,
    /// Bytes.
    pub size: u64,
    /// For example `STANDARD`.
    pub storage_class: String,
    /// Always shown by version 1, by version 2 only if requested.
    pub owner: Option<Owner>,
}

impl ObjectSummary {
    fn write(&self, encoding: Option<EncodingType>, xml: &mut XmlWriter) {
        xml.open("Contents");
        xml.text("Key", &EncodingType::encode(encoding, &self.key));
        xml.text("LastModified", &time::iso8601(self.last_modified));
        xml.text("ETag", &document::quoted(&self.etag));
        if let Some((algorithm, kind)) = self.checksum {
            xml.text("ChecksumAlgorithm", algorithm.as_str());
            xml.text("ChecksumType", kind.as_str());
        }
        xml.value("Size", self.size);
        if let Some(owner) = &self.owner {
            owner.write("Owner", xml);
        }
        xml.text("StorageClass", &self.storage_class);
        xml.close("Contents");
    }
}

/// The answer to ListObjects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListObjectsOutput {
    /// The request.
    pub request: ListObjects,
    /// In order of keys.
    pub contents: Vec<ObjectSummary>,
    /// In order, each with its delimiter.
    pub common_prefixes: Vec<String>,
    /// After which key or prefix the next page begins; absent on the last.
    pub next_marker: Option<String>,
}

impl ListObjectsOutput {
    /// The document of the answer.
    pub fn to_xml(&self) -> String {
        let list = &self.request.list;
        let encoding = list.encoding_type;
        let mut xml = start(&self.request.bucket, list);
        xml.text("Marker", &EncodingType::encode(encoding, &self.request.marker));
        if let Some(marker) = self.shown_marker() {
            xml.text("NextMarker", &EncodingType::encode(encoding, marker));
        }
        write_tail(list, self.next_marker.is_some(), &mut xml);
        write_entries(encoding, &self.contents, &self.common_prefixes, &mut xml);
        xml.close("ListBucketResult");
        xml.finish()
    }

    /// S3 shows the marker only with a delimiter, and clients use the last key otherwise. They cannot where the page ends behind it.
    fn shown_marker(&self) -> Option<&str> {
        let last = self.contents.last().map(|last| last.key.as_str());
        self.next_marker.as_deref().filter(|next| self.request.list.delimiter.is_some() || last != Some(next))
    }
}

/// The answer to ListObjectsV2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListObjectsV2Output {
    /// The request.
    pub request: ListObjectsV2,
    /// In order of keys.
    pub contents: Vec<ObjectSummary>,
    /// In order, each with its delimiter.
    pub common_prefixes: Vec<String>,
    /// Where the next page begins; absent on the last.
    pub next_continuation_token: Option<String>,
}

impl ListObjectsV2Output {
    /// The document of the answer.
    pub fn to_xml(&self) -> String {
        let list = &self.request.list;
        let encoding = list.encoding_type;
        let mut xml = start(&self.request.bucket, list);
        xml.optional("ContinuationToken", self.request.continuation_token.as_deref());
        xml.optional("NextContinuationToken", self.next_continuation_token.as_deref());
        if let Some(start_after) = &self.request.start_after {
            xml.text("StartAfter", &EncodingType::encode(encoding, start_after));
        }
        xml.value("KeyCount", self.contents.len() + self.common_prefixes.len());
        write_tail(list, self.next_continuation_token.is_some(), &mut xml);
        write_entries(encoding, &self.contents, &self.common_prefixes, &mut xml);
        xml.close("ListBucketResult");
        xml.finish()
    }
}

fn start(bucket: &BucketName, list: &ListQuery) -> XmlWriter {
    let mut xml = document::begin("ListBucketResult");
    xml.text("Name", bucket.as_str());
    xml.text("Prefix", &EncodingType::encode(list.encoding_type, list.prefix.as_str()));
    xml
}

fn write_tail(list: &ListQuery, is_truncated: bool, xml: &mut XmlWriter) {
    xml.value("MaxKeys", list.page_entries());
    if let Some(delimiter) = &list.delimiter {
        xml.text("Delimiter", &EncodingType::encode(list.encoding_type, delimiter));
    }
    xml.optional("EncodingType", list.encoding_type.map(EncodingType::as_str));
    xml.value("IsTruncated", is_truncated);
}

fn write_entries(encoding: Option<EncodingType>, contents: &[ObjectSummary], prefixes: &[String], xml: &mut XmlWriter) {
    for object in contents {
        object.write(encoding, xml);
    }
    write_common_prefixes(encoding, prefixes, xml);
}

pub(crate) fn write_common_prefixes(encoding: Option<EncodingType>, prefixes: &[String], xml: &mut XmlWriter) {
    for prefix in prefixes {
        xml.open("CommonPrefixes");
        xml.text("Prefix", &EncodingType::encode(encoding, prefix));
        xml.close("CommonPrefixes");
    }
}

impl Routed for ListObjects {
    type On = BucketName;
    const ROUTE: Route = Route::new("GET");

    fn parse(request: &Request<'_>, bucket: BucketName) -> Result<Self, S3Error> {
        Ok(Self {
            bucket,
            list: ListQuery::parse(request, "max-keys")?,
            marker: request.owned_param("marker").unwrap_or_default(),
        })
    }
}

impl S3Operation for ListObjects {
    fn addressed(&self) -> Addressed<'_> {
        (&self.bucket).into()
    }

    fn needs(&self) -> Vec<Requirement> {
        vec![Requirement::on_bucket("s3:ListBucket", &self.bucket)]
    }

    fn set_condition_keys(&self, keys: &mut ConditionKeys<'_>) -> Result<(), S3Error> {
        keys.listing()
    }
}

impl Routed for ListObjectsV2 {
    type On = BucketName;
    const ROUTE: Route = Route::sub("GET", "list-type");

    fn parse(request: &Request<'_>, bucket: BucketName) -> Result<Self, S3Error> {
        if let Some(other) = request.param("list-type").filter(|kind| *kind != "2") {
            return Err(S3Error::invalid_argument("list-type", other, "Invalid List Type specified in Request"));
        }
        Ok(Self {
            bucket,
            list: ListQuery::parse(request, "max-keys")?,
            start_after: request.owned_param("start-after"),
            continuation_token: request.owned_param("continuation-token"),
            fetch_owner: request.param("fetch-owner").is_some_and(|value| value.eq_ignore_ascii_case("true")),
        })
    }
}

impl S3Operation for ListObjectsV2 {
    fn addressed(&self) -> Addressed<'_> {
        (&self.bucket).into()
    }

    fn needs(&self) -> Vec<Requirement> {
        vec![Requirement::on_bucket("s3:ListBucket", &self.bucket)]
    }

    fn set_condition_keys(&self, keys: &mut ConditionKeys<'_>) -> Result<(), S3Error> {
        keys.listing()
    }
}
