//! ListObjectVersions where nothing keeps versions: every object is its own version `null`, as S3 answers it.

use ids::BucketName;
use s3::{EncodingType, QueryString, S3Error, XmlWriter, iso8601};

use super::Call;
use super::answer::{self, Answer};
use super::list_objects::summary;
use crate::errors;
use crate::listing::{self, After, Item, Query};

/// Lists keys as versions. A bucket that keeps versions is refused until they are supported.
pub async fn list_object_versions(call: &Call<'_>, bucket: &BucketName) -> Answer {
    if call.existing_bucket()?.keeps_versions() {
        return Err(S3Error::not_implemented("Listing the versions of a bucket with versioning"));
    }
    let parameters = QueryString::parse(Some(call.query))?;
    let text = |name: &str| parameters.get(name).unwrap_or_default().to_owned();
    let (prefix, delimiter, key_marker) = (text("prefix"), text("delimiter"), text("key-marker"));
    let max_keys = parameters.get("max-keys").filter(|text| !text.is_empty()).map(|text| {
        text.parse::<u32>().map_err(|_| {
            S3Error::invalid_argument("max-keys", text, "Argument max-keys must be an integer between 0 and 2147483647")
        })
    });
    let max_keys = max_keys.transpose()?.unwrap_or(1000).min(1000);
    let encoding = parameters.get("encoding-type").filter(|name| *name == "url").map(|_| EncodingType::Url);
    let after = match key_marker.as_str() {
        "" => After::Beginning,
        marker if !delimiter.is_empty() && marker.ends_with(&delimiter) => After::Prefix(marker.to_owned()),
        marker => After::Key(marker.to_owned()),
    };
    let bucket_path = call.bucket_path(bucket);
    let query = Query {
        bucket_path,
        prefix: prefix.clone(),
        delimiter: delimiter.clone(),
        after,
        max_keys: max_keys as usize,
        versions: false,
    };
    let page = listing::list(call.filer(), &query).await.map_err(errors::from_filer)?;

    let encoded = |text: &str| EncodingType::encode(encoding, text);
    let mut xml = XmlWriter::document();
    xml.open_root("ListVersionsResult");
    xml.text("Name", bucket.as_str());
    xml.text("Prefix", &encoded(&prefix));
    xml.text("KeyMarker", &encoded(&key_marker));
    xml.text("VersionIdMarker", "");
    if let Some(last) = page.items.last().filter(|_| page.is_truncated) {
        let (Item::Object(next, _) | Item::CommonPrefix(next)) = last;
        xml.text("NextKeyMarker", &encoded(next));
        xml.text("NextVersionIdMarker", "null");
    }
    xml.value("MaxKeys", max_keys);
    if !delimiter.is_empty() {
        xml.text("Delimiter", &encoded(&delimiter));
    }
    xml.optional("EncodingType", encoding.map(EncodingType::as_str));
    xml.value("IsTruncated", page.is_truncated);
    for item in page.items {
        match item {
            Item::Object(key, entry) => write_version(&mut xml, &encoded(&key), &summary(key.clone(), &entry, true)),
            Item::CommonPrefix(prefix) => {
                xml.open("CommonPrefixes");
                xml.text("Prefix", &encoded(&prefix));
                xml.close("CommonPrefixes");
            }
        }
    }
    xml.close("ListVersionsResult");
    answer::document(xml.finish())
}

fn write_version(xml: &mut XmlWriter, key: &str, object: &s3::op::ObjectSummary) {
    xml.open("Version");
    xml.text("Key", key);
    xml.text("VersionId", "null");
    xml.value("IsLatest", true);
    xml.text("LastModified", &iso8601(object.last_modified));
    xml.etag(&object.etag);
    xml.value("Size", object.size);
    xml.text("StorageClass", &object.storage_class);
    if let Some(owner) = &object.owner {
        xml.open("Owner");
        xml.text("ID", &owner.id);
        xml.text("DisplayName", &owner.display_name);
        xml.close("Owner");
    }
    xml.close("Version");
}
