//! What an account does against public access to all of its buckets. It is IAM state, so the control plane stores it.

use std::sync::Arc;

use access::{DecisionObserver, Permit};
use http::StatusCode;
use ids::AccountId;
use s3::op::{
    DeleteAccountPublicAccessBlock, GetAccountPublicAccessBlock, PutAccountPublicAccessBlock,
    account_public_access_block_to_xml, public_access_block_from_xml,
};
use s3::{QueryString, S3Error, S3ErrorCode};

use super::answer::{self, Answer};
use super::{Call, Run};
use crate::body::ObjectBody;
use crate::client_certificate::NOT_ASKED_FOR;
use crate::query::QueryCall;

impl Run for GetAccountPublicAccessBlock {
    async fn run(call: &Call<'_>, permit: Permit<Self>, _body: ObjectBody) -> Answer {
        own_account(call, permit.operation().account)?;
        let stored = call.snapshot.account_block(call.caller.account.as_str());
        let missing = || S3Error::new(S3ErrorCode::NoSuchPublicAccessBlockConfiguration);
        answer::document(account_public_access_block_to_xml(stored.ok_or_else(missing)?.block))
    }
}

impl Run for PutAccountPublicAccessBlock {
    const DOCUMENT_BYTES_MAX: u64 = 16 << 10;

    async fn run(call: &Call<'_>, permit: Permit<Self>, mut body: ObjectBody) -> Answer {
        let document = body.read_all(Self::DOCUMENT_BYTES_MAX).await?;
        own_account(call, permit.operation().account)?;
        let block = public_access_block_from_xml(&document)?;
        change(call, &format!("Action=PutAccountPublicAccessBlock&PublicAccessBlock={}", block.to_text())).await?;
        answer::empty(StatusCode::CREATED)
    }
}

/// It is not an error if the account has none.
impl Run for DeleteAccountPublicAccessBlock {
    async fn run(call: &Call<'_>, permit: Permit<Self>, _body: ObjectBody) -> Answer {
        own_account(call, permit.operation().account)?;
        change(call, "Action=DeleteAccountPublicAccessBlock").await?;
        answer::empty(StatusCode::NO_CONTENT)
    }
}

/// As on AWS, callers can neither read nor change the block of another account, whatever their policies say.
fn own_account(call: &Call<'_>, account: AccountId) -> Result<(), S3Error> {
    if call.caller.account == account { Ok(()) } else { Err(S3ErrorCode::AccessDenied.into()) }
}

/// The control plane decides the same permission again, stores the change and waits until every gateway enforces it.
async fn change(call: &Call<'_>, parameters: &str) -> Result<(), S3Error> {
    let query = QueryCall {
        caller: call.caller.clone(),
        parameters: QueryString::parse(Some(parameters))?,
        context: call.context.clone(),
        request_id: call.request_id.clone(),
        now: call.now,
        observer: Arc::clone(&call.decisions) as Arc<dyn DecisionObserver>,
        certificate: Err(NOT_ASKED_FOR),
    };
    call.gateway.query_api.change(query).await
}
