use ids::BucketName;
use xml::XmlWriter;

use super::Owner;
use super::list_objects::{ListQuery, write_common_prefixes};
use crate::EncodingType;
use crate::checksum::{ChecksumAlgorithm, ChecksumType};
use crate::document;
use crate::request::Request;
use crate::requirement::Requirement;
use crate::routed::{Route, Routed};
use crate::s3_operation::S3Operation;
use crate::target::Addressed;
use crate::{S3Error, time};

/// `GET /bucket?uploads`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListMultipartUploads {
    /// The bucket.
    pub bucket: BucketName,
    /// Prefix, delimiter, `max-uploads` (as `max_keys`) and so on.
    pub list: ListQuery,
    /// `key-marker`, empty when absent.
    pub key_marker: String,
    /// `upload-id-marker`. It has no effect without a key marker. It is only compared, never used as a path.
    pub upload_id_marker: String,
}

/// One upload of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadSummary {
    /// The key.
    pub key: String,
    /// The upload.
    pub upload_id: String,
    /// Who began it.
    pub initiator: Owner,
    /// The owner of the future object.
    pub owner: Owner,
    /// For example `STANDARD`.
    pub storage_class: String,
    /// When it was begun, seconds since 1970.
    pub initiated: i64,
    /// The checksum with which it was begun.
    pub checksum: Option<(ChecksumAlgorithm, ChecksumType)>,
}

/// The answer to ListMultipartUploads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListMultipartUploadsOutput {
    /// The request.
    pub request: ListMultipartUploads,
    /// In order of keys, then of time.
    pub uploads: Vec<UploadSummary>,
    /// In order, each with its delimiter.
    pub common_prefixes: Vec<String>,
    /// True when there is another page.
    pub is_truncated: bool,
    /// The last key or prefix of this page.
    pub next_key_marker: Option<String>,
    /// The last upload of this page.
    pub next_upload_id_marker: Option<String>,
}

impl ListMultipartUploadsOutput {
    /// The document of the answer.
    pub fn to_xml(&self) -> String {
        let list = &self.request.list;
        let encoding = list.encoding_type;
        let mut xml = document::begin("ListMultipartUploadsResult");
        xml.text("Bucket", self.request.bucket.as_str());
        xml.text("KeyMarker", &EncodingType::encode(encoding, &self.request.key_marker));
        xml.text("UploadIdMarker", &self.request.upload_id_marker);
        if let Some(marker) = &self.next_key_marker {
            xml.text("NextKeyMarker", &EncodingType::encode(encoding, marker));
        }
        xml.optional("NextUploadIdMarker", self.next_upload_id_marker.as_deref());
        if let Some(delimiter) = &list.delimiter {
            xml.text("Delimiter", &EncodingType::encode(encoding, delimiter));
        }
        xml.text("Prefix", &EncodingType::encode(encoding, list.prefix.as_str()));
        xml.optional("EncodingType", encoding.map(EncodingType::as_str));
        xml.value("MaxUploads", list.page_entries());
        xml.value("IsTruncated", self.is_truncated);
        for upload in &self.uploads {
            write_upload(encoding, upload, &mut xml);
        }
        write_common_prefixes(encoding, &self.common_prefixes, &mut xml);
        xml.close("ListMultipartUploadsResult");
        xml.finish()
    }
}

fn write_upload(encoding: Option<EncodingType>, upload: &UploadSummary, xml: &mut XmlWriter) {
    xml.open("Upload");
    xml.text("Key", &EncodingType::encode(encoding, &upload.key));
    xml.text("UploadId", &upload.upload_id);
    upload.initiator.write("Initiator", xml);
    upload.owner.write("Owner", xml);
    xml.text("StorageClass", &upload.storage_class);
    xml.text("Initiated", &time::iso8601(upload.initiated));
    if let Some((algorithm, kind)) = upload.checksum {
        xml.text("ChecksumAlgorithm", algorithm.as_str());
        xml.text("ChecksumType", kind.as_str());
    }
    xml.close("Upload");
}

impl Routed for ListMultipartUploads {
    type On = BucketName;
    const ROUTE: Route = Route::sub("GET", "uploads");

    fn parse(request: &Request<'_>, bucket: BucketName) -> Result<Self, S3Error> {
        Ok(Self {
            bucket,
            list: ListQuery::parse(request, "max-uploads")?,
            key_marker: request.owned_param("key-marker").unwrap_or_default(),
            upload_id_marker: request.owned_param("upload-id-marker").unwrap_or_default(),
        })
    }
}

impl S3Operation for ListMultipartUploads {
    fn addressed(&self) -> Addressed<'_> {
        (&self.bucket).into()
    }

    fn needs(&self) -> Vec<Requirement> {
        vec![Requirement::on_bucket("s3:ListBucketMultipartUploads", &self.bucket)]
    }
}
