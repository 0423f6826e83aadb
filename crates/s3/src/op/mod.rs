//! One file per operation: its input, its output, and their XML.

/// An operation whose requests name a bucket or an object and nothing else.
///
/// `needs` is its permission. A second one replaces it if the request names a version. With `checksums`, the body is
/// checked against what the head says about it.
macro_rules! plain_operation {
    (
        $(#[$doc:meta])+
        $Name:ident { $field:ident: $On:ty $(, $checksums:ident)? }
        route $route:expr;
        needs $action:literal $(, $of_version:literal)?;
        $(is_for_owners_account $owners:literal;)?
    ) => {
        $(#[$doc])+
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $Name {
            /// The bucket or object.
            pub $field: $On,
            $(
                /// What the body is checked against.
                pub $checksums: $crate::checksum::BodyChecksums,
            )?
        }

        impl $crate::routed::Routed for $Name {
            type On = $On;
            const ROUTE: $crate::routed::Route = $route;

            fn parse(_request: &$crate::request::Request<'_>, $field: $On) -> Result<Self, $crate::S3Error> {
                $(let $checksums = $crate::checksum::BodyChecksums::parse(_request)?;)?
                Ok(Self { $field $(, $checksums)? })
            }
        }

        impl $crate::s3_operation::S3Operation for $Name {
            fn addressed(&self) -> $crate::target::Addressed<'_> {
                (&self.$field).into()
            }

            fn needs(&self) -> Vec<$crate::requirement::Requirement> {
                vec![plain_operation!(@need self.addressed(), $action $(, $of_version)?)]
            }

            $(fn checksums(&self) -> Option<&$crate::checksum::BodyChecksums> {
                Some(&self.$checksums)
            })?

            $(fn is_for_owners_account(&self) -> bool {
                $owners
            })?
        }
    };
    (@need $on:expr, $action:literal) => {
        $on.need($action)
    };
    (@need $on:expr, $action:literal, $of_version:literal) => {
        $on.need_of_version($action, $of_version)
    };
}

mod abort_multipart_upload;
mod account_public_access_block;
mod acl;
mod bucket;
mod bucket_cors;
mod bucket_encryption;
mod bucket_lifecycle;
mod bucket_policy;
mod bucket_request_payment;
mod bucket_tagging;
mod bucket_versioning;
mod bucket_website;
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
mod public_access_block;
mod put_object;
mod query;
mod resource_tags;
pub(crate) mod unsupported;
mod upload_part;

pub use preflight::CorsPreflight;
pub use query::Query;
pub use unsupported::Outcome;

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
    pub(crate) fn write(&self, element: &str, xml: &mut xml::XmlWriter) {
        xml.open(element);
        self.write_parts(xml);
        xml.close(element);
    }

    fn write_parts(&self, xml: &mut xml::XmlWriter) {
        xml.text("ID", &self.id);
        if !self.display_name.is_empty() {
            xml.text("DisplayName", &self.display_name);
        }
    }
}
