//! One file per operation: what the request says (input), what the answer says (output), and their XML.

mod bucket;
mod bucket_policy;
mod bucket_tagging;
mod complete_multipart_upload;
mod copy_object;
mod create_bucket;
mod create_multipart_upload;
mod delete_object;
mod delete_objects;
mod get_object;
mod get_object_attributes;
mod list_buckets;
mod list_multipart_uploads;
mod list_objects;
mod list_parts;
mod multipart;
mod object_tagging;
pub(crate) mod other;
mod post_object;
mod preflight;
mod put_object;
mod query;
mod upload_part;

pub use bucket::{DeleteBucket, GetBucketLocation, HeadBucket, location_to_xml};
pub use bucket_policy::{
    DeleteBucketPolicy, GetBucketPolicy, GetBucketPolicyStatus, PutBucketPolicy, policy_status_to_xml,
};
pub use bucket_tagging::{DeleteBucketTagging, GetBucketTagging, PutBucketTagging};
pub use complete_multipart_upload::{CompleteMultipartUpload, CompleteMultipartUploadOutput, CompletedPart};
pub use copy_object::{CopyObject, CopyResult, MetadataDirective};
pub use create_bucket::{CreateBucket, CreateBucketConfiguration};
pub use create_multipart_upload::{CreateMultipartUpload, CreateMultipartUploadOutput};
pub use delete_object::DeleteObject;
pub use delete_objects::{DeleteObjects, DeleteObjectsOutput, DeleteRequest, DeletedObject, ObjectIdentifier};
pub use get_object::{GetObject, HeadObject, ObjectRead, ResponseOverrides};
pub use get_object_attributes::{
    GetObjectAttributes, GetObjectAttributesOutput, ObjectAttribute, ObjectAttributesPart, ObjectAttributesParts,
};
pub use list_buckets::{BucketSummary, ListBuckets, ListBucketsOutput};
pub use list_multipart_uploads::{ListMultipartUploads, ListMultipartUploadsOutput, UploadSummary};
pub use list_objects::{
    KeyPrefix, ListObjects, ListObjectsOutput, ListObjectsV2, ListObjectsV2Output, ListQuery, ObjectSummary,
};
pub use list_parts::{ListParts, ListPartsOutput, PartSummary};
pub use multipart::AbortMultipartUpload;
pub use object_tagging::{DeleteObjectTagging, GetObjectTagging, PutObjectTagging};
pub use other::{Other, OtherOperation};
pub use post_object::{PostForm, PostObject, PostObjectOutput, PostSuccess};
pub use preflight::CorsPreflight;
pub use put_object::PutObject;
pub use query::Query;
pub use upload_part::{UploadPart, UploadPartCopy};

/// The owner or initiator in listings: a canonical id and a name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owner {
    /// The canonical user id.
    pub id: String,
    /// The name shown with it.
    pub display_name: String,
}

impl Owner {
    pub(crate) fn write(&self, element: &str, xml: &mut crate::xml::XmlWriter) {
        xml.open(element);
        xml.text("ID", &self.id);
        if !self.display_name.is_empty() {
            xml.text("DisplayName", &self.display_name);
        }
        xml.close(element);
    }
}
