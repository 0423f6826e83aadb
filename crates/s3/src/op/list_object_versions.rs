use ids::BucketName;

use super::ObjectSummary;
use super::list_objects::{ListQuery, write_common_prefixes};
use crate::condition_keys::ConditionKeys;
use crate::operation::{Routed, S3Operation};
use crate::request::Request;
use crate::requirement::Requirement;
use crate::route::Route;
use crate::target::Addressed;
use crate::xml::{EncodingType, XmlWriter};
use crate::{S3Error, time};

/// `GET /bucket?versions`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListObjectVersions {
    /// The bucket.
    pub bucket: BucketName,
    /// Prefix, delimiter and so on.
    pub list: ListQuery,
    /// `key-marker`, empty when absent: only keys behind it.
    pub key_marker: String,
}

impl Routed for ListObjectVersions {
    type On = BucketName;
    const ROUTE: Route = Route::sub("GET", "versions");

    fn parse(request: &Request<'_>, bucket: BucketName) -> Result<Self, S3Error> {
        let list = ListQuery::parse(request, "max-keys")?;
        Ok(Self { bucket, list, key_marker: request.owned_param("key-marker").unwrap_or_default() })
    }
}

impl S3Operation for ListObjectVersions {
    fn addressed(&self) -> Addressed<'_> {
        (&self.bucket).into()
    }

    fn needs(&self) -> Vec<Requirement> {
        vec![Requirement::on_bucket("s3:ListBucketVersions", &self.bucket)]
    }

    fn set_condition_keys(&self, keys: &mut ConditionKeys<'_>) -> Result<(), S3Error> {
        keys.listing()
    }
}

/// The answer to ListObjectVersions of a bucket without versions: every object is its own version `null`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListObjectVersionsOutput {
    /// The request.
    pub request: ListObjectVersions,
    /// In order of keys.
    pub versions: Vec<ObjectSummary>,
    /// In order, each with its delimiter.
    pub common_prefixes: Vec<String>,
    /// True when there is another page.
    pub is_truncated: bool,
    /// The last key or prefix of this page.
    pub next_key_marker: Option<String>,
}

impl ListObjectVersionsOutput {
    /// The document of the answer.
    pub fn to_xml(&self) -> String {
        let list = &self.request.list;
        let encoding = list.encoding_type;
        let encoded = |text: &str| EncodingType::encode(encoding, text);
        let mut xml = XmlWriter::document();
        xml.open_root("ListVersionsResult");
        xml.text("Name", self.request.bucket.as_str());
        xml.text("Prefix", &encoded(list.prefix.as_str()));
        xml.text("KeyMarker", &encoded(&self.request.key_marker));
        xml.text("VersionIdMarker", "");
        if let Some(marker) = &self.next_key_marker {
            xml.text("NextKeyMarker", &encoded(marker));
            xml.text("NextVersionIdMarker", "null");
        }
        xml.value("MaxKeys", list.page_entries());
        if let Some(delimiter) = &list.delimiter {
            xml.text("Delimiter", &encoded(delimiter));
        }
        xml.optional("EncodingType", encoding.map(EncodingType::as_str));
        xml.value("IsTruncated", self.is_truncated);
        self.versions.iter().for_each(|version| write_version(&encoded(&version.key), version, &mut xml));
        write_common_prefixes(encoding, &self.common_prefixes, &mut xml);
        xml.close("ListVersionsResult");
        xml.finish()
    }
}

fn write_version(key: &str, version: &ObjectSummary, xml: &mut XmlWriter) {
    xml.open("Version");
    xml.text("Key", key);
    xml.text("VersionId", "null");
    xml.value("IsLatest", true);
    xml.text("LastModified", &time::iso8601(version.last_modified));
    xml.etag(&version.etag);
    xml.value("Size", version.size);
    xml.text("StorageClass", &version.storage_class);
    if let Some(owner) = &version.owner {
        owner.write("Owner", xml);
    }
    xml.close("Version");
}
