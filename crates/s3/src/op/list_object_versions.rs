use ids::BucketName;
use xml::XmlWriter;

use super::ObjectSummary;
use super::list_objects::{ListQuery, write_common_prefixes};
use crate::EncodingType;
use crate::condition_keys::ConditionKeys;
use crate::document;
use crate::request::Request;
use crate::requirement::Requirement;
use crate::routed::{Route, Routed};
use crate::s3_operation::S3Operation;
use crate::target::Addressed;
use crate::version_id::VersionId;
use crate::{S3Error, time};

/// `GET /bucket?versions`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListObjectVersions {
    /// The bucket.
    pub bucket: BucketName,
    /// Prefix, delimiter and so on.
    pub list: ListQuery,
    /// `key-marker`, empty when absent: list only keys after it.
    pub key_marker: String,
    /// `version-id-marker`: list the versions of that key too, after this one.
    pub version_id_marker: Option<VersionId>,
}

impl Routed for ListObjectVersions {
    type On = BucketName;
    const ROUTE: Route = Route::sub("GET", "versions");

    fn parse(request: &Request<'_>, bucket: BucketName) -> Result<Self, S3Error> {
        let list = ListQuery::parse(request, "max-keys")?;
        let key_marker = request.owned_param("key-marker").unwrap_or_default();
        let version_id_marker = version_id_marker(request, &key_marker)?;
        Ok(Self { bucket, list, key_marker, version_id_marker })
    }
}

fn version_id_marker(request: &Request<'_>, key_marker: &str) -> Result<Option<VersionId>, S3Error> {
    const NAME: &str = "version-id-marker";
    let Some(marker) = request.owned_param(NAME) else { return Ok(None) };
    if marker.is_empty() {
        return Err(S3Error::invalid_argument(NAME, marker, "A version-id marker cannot be empty."));
    }
    if key_marker.is_empty() {
        let message = "A version-id marker cannot be specified without a key marker.";
        return Err(S3Error::invalid_argument(NAME, marker, message));
    }
    marker.parse().map(Some).map_err(|_| S3Error::invalid_argument(NAME, marker, "Invalid version id specified"))
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

/// A version in a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedVersion {
    /// Its key, owner, and what else a listing of objects shows. A delete marker has no content.
    pub summary: ObjectSummary,
    /// Its id.
    pub version_id: String,
    /// Whether it is the current version.
    pub is_latest: bool,
    /// Whether it is a delete marker.
    pub is_delete_marker: bool,
}

/// The answer to ListObjectVersions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListObjectVersionsOutput {
    /// The request.
    pub request: ListObjectVersions,
    /// In order of keys, the newest version of each first.
    pub versions: Vec<ListedVersion>,
    /// In order, each with its delimiter.
    pub common_prefixes: Vec<String>,
    /// True when there is another page.
    pub is_truncated: bool,
    /// The last key or prefix of this page.
    pub next_key_marker: Option<String>,
    /// The last version of this page, unless it ends with a prefix.
    pub next_version_id_marker: Option<String>,
}

impl ListObjectVersionsOutput {
    /// The document of the answer.
    pub fn to_xml(&self) -> String {
        let list = &self.request.list;
        let encoding = list.encoding_type;
        let encoded = |text: &str| EncodingType::encode(encoding, text);
        let mut xml = document::begin("ListVersionsResult");
        xml.text("Name", self.request.bucket.as_str());
        xml.text("Prefix", &encoded(list.prefix.as_str()));
        xml.text("KeyMarker", &encoded(&self.request.key_marker));
        xml.text("VersionIdMarker", self.request.version_id_marker.as_ref().map_or("", VersionId::as_str));
        if let Some(marker) = &self.next_key_marker {
            xml.text("NextKeyMarker", &encoded(marker));
            xml.optional("NextVersionIdMarker", self.next_version_id_marker.as_deref());
        }
        xml.value("MaxKeys", list.page_entries());
        if let Some(delimiter) = &list.delimiter {
            xml.text("Delimiter", &encoded(delimiter));
        }
        xml.optional("EncodingType", encoding.map(EncodingType::as_str));
        xml.value("IsTruncated", self.is_truncated);
        self.versions.iter().for_each(|version| version.write(&encoded(&version.summary.key), &mut xml));
        write_common_prefixes(encoding, &self.common_prefixes, &mut xml);
        xml.close("ListVersionsResult");
        xml.finish()
    }
}

impl ListedVersion {
    fn write(&self, key: &str, xml: &mut XmlWriter) {
        let (element, summary) = (if self.is_delete_marker { "DeleteMarker" } else { "Version" }, &self.summary);
        xml.open(element);
        xml.text("Key", key);
        xml.text("VersionId", &self.version_id);
        xml.value("IsLatest", self.is_latest);
        xml.text("LastModified", &time::iso8601(summary.last_modified));
        if !self.is_delete_marker {
            xml.text("ETag", &document::quoted(&summary.etag));
            xml.value("Size", summary.size);
            xml.text("StorageClass", &summary.storage_class);
        }
        if let Some(owner) = &summary.owner {
            owner.write("Owner", xml);
        }
        xml.close(element);
    }
}
