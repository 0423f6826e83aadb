use ids::{AccountId, PublicAccessBlock};
use xml::XmlWriter;

use super::public_access_block::write_settings;
use super::resource_tags::CONTROL_NAMESPACE;
use crate::routed::Route;

plain_operation! {
    /// S3 Control's `GET /v20180820/configuration/publicAccessBlock`.
    GetAccountPublicAccessBlock { account: AccountId }
    route Route::new("GET");
    needs "s3:GetAccountPublicAccessBlock";
}

plain_operation! {
    /// S3 Control's `PUT /v20180820/configuration/publicAccessBlock`; the body is that of
    /// [`PutPublicAccessBlock`](super::PutPublicAccessBlock).
    PutAccountPublicAccessBlock { account: AccountId, checksums }
    route Route::new("PUT");
    needs "s3:PutAccountPublicAccessBlock";
}

plain_operation! {
    /// S3 Control's `DELETE /v20180820/configuration/publicAccessBlock`.
    DeleteAccountPublicAccessBlock { account: AccountId }
    route Route::new("DELETE");
    // There is no s3:DeleteAccountPublicAccessBlock.
    needs "s3:PutAccountPublicAccessBlock";
}

/// The answer to GetAccountPublicAccessBlock.
pub fn account_public_access_block_to_xml(block: PublicAccessBlock) -> String {
    let mut xml = XmlWriter::document();
    xml.open_with("PublicAccessBlockConfiguration", &[("xmlns", CONTROL_NAMESPACE)]);
    write_settings(&mut xml, block);
    xml.close("PublicAccessBlockConfiguration");
    xml.finish()
}
