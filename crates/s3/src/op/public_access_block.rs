use ids::{BucketName, PublicAccessBlock};
use xml::{Element, XmlWriter, parse};

use crate::S3Error;
use crate::document;
use crate::routed::Route;

plain_operation! {
    /// `GET /bucket?publicAccessBlock`.
    GetPublicAccessBlock { bucket: BucketName }
    route Route::sub("GET", "publicAccessBlock");
    needs "s3:GetBucketPublicAccessBlock";
    is_for_owners_account true;
}

plain_operation! {
    /// `PUT /bucket?publicAccessBlock`; the body is read by [`public_access_block_from_xml`].
    PutPublicAccessBlock { bucket: BucketName, checksums }
    route Route::sub("PUT", "publicAccessBlock");
    needs "s3:PutBucketPublicAccessBlock";
    is_for_owners_account true;
}

plain_operation! {
    /// `DELETE /bucket?publicAccessBlock`.
    DeletePublicAccessBlock { bucket: BucketName }
    route Route::sub("DELETE", "publicAccessBlock");
    // There is no s3:DeleteBucketPublicAccessBlock.
    needs "s3:PutBucketPublicAccessBlock";
    is_for_owners_account true;
}

/// Reads a `PublicAccessBlockConfiguration` document. A setting that it leaves out is off.
pub fn public_access_block_from_xml(body: &[u8]) -> Result<PublicAccessBlock, S3Error> {
    let root = parse(body, "PublicAccessBlockConfiguration")?;
    root.only(&PublicAccessBlock::ALL.settings().map(|(name, _)| name))?;
    Ok(PublicAccessBlock {
        block_public_acls: setting(&root, "BlockPublicAcls")?,
        ignore_public_acls: setting(&root, "IgnorePublicAcls")?,
        block_public_policy: setting(&root, "BlockPublicPolicy")?,
        restrict_public_buckets: setting(&root, "RestrictPublicBuckets")?,
    })
}

fn setting(root: &Element, name: &str) -> Result<bool, S3Error> {
    match root.child_text(name)?.map(|text| text.trim().to_ascii_lowercase()).as_deref() {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(_) => Err(S3Error::malformed_xml(format_args!("`{name}` must be `true` or `false`"))),
    }
}

/// The answer to GetPublicAccessBlock.
pub fn public_access_block_to_xml(block: PublicAccessBlock) -> String {
    let mut xml = document::begin("PublicAccessBlockConfiguration");
    write_settings(&mut xml, block);
    xml.close("PublicAccessBlockConfiguration");
    xml.finish()
}

pub(super) fn write_settings(xml: &mut XmlWriter, block: PublicAccessBlock) {
    for (name, on) in block.settings() {
        xml.value(name, on);
    }
}
