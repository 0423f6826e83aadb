//! One file per operation: what the request says (input), what the answer says (output), and their XML.

mod abort_multipart_upload;
mod acl;
mod bucket;
mod bucket_cors;
mod bucket_encryption;
mod bucket_lifecycle;
mod bucket_policy;
mod bucket_request_payment;
mod bucket_tagging;
mod bucket_versioning;
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
mod list_object_versions;
mod list_objects;
mod list_parts;
mod multipart;
mod object_lock;
mod object_tagging;
mod ownership_controls;
mod post_object;
mod preflight;
mod put_object;
mod query;
pub(crate) mod unsupported;
mod upload_part;

pub use preflight::CorsPreflight;
pub use query::Query;

macro_rules! exports {
    ($($module:ident: $($Name:ident),+;)+ = $listed:ident: $Listed:ident) => {
        $(pub use $module::*;)+
        pub use $listed::$Listed;
    };
}

crate::for_each_operation!(exports);

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
