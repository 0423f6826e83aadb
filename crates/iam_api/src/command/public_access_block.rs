//! PutAccountPublicAccessBlock and DeleteAccountPublicAccessBlock: what S3 Control's calls about the caller's account store.

use std::sync::Arc;

use iam::{AccountPublicAccessBlock, Change, DocumentKey, Snapshot};
use ids::PublicAccessBlock;

use super::{Answer, Command, IamError, Outcome, Request, revoke};

pub(super) const COMMANDS: &[Command] = &[
    revoke("PutAccountPublicAccessBlock", documents, put).needing(PERMISSION).about(|_, _| Ok("*".to_owned())),
    revoke("DeleteAccountPublicAccessBlock", documents, delete).needing(PERMISSION).about(|_, _| Ok("*".to_owned())),
];

/// There is no `s3:DeleteAccountPublicAccessBlock`.
const PERMISSION: &str = "s3:PutAccountPublicAccessBlock";

fn documents(request: &Request<'_>, _: &Snapshot) -> Result<Vec<DocumentKey>, IamError> {
    Ok(vec![DocumentKey::AccountPublicAccessBlock(account(request))])
}

fn account(request: &Request<'_>) -> Arc<str> {
    request.caller.account.as_str().into()
}

fn put(request: &Request<'_>, state: &Snapshot) -> Answer {
    let words = request.params.get("PublicAccessBlock").unwrap_or_default();
    let names = PublicAccessBlock::ALL.settings().map(|(name, _)| name);
    if let Some(wrong) = words.split(',').find(|word| !word.is_empty() && !names.contains(word)) {
        return Err(IamError::validation(format!("`{wrong}` is not one of {}", names.join(", "))));
    }
    let account = account(request);
    let known = state.account_block(&account).map(|known| (**known).clone()).unwrap_or_default();
    let record =
        AccountPublicAccessBlock { account: account.to_string(), block: PublicAccessBlock::read(words), ..known };
    Ok(Outcome::of(vec![Change::AccountPublicAccessBlock(account, Some(Ok(record)))]))
}

/// It is not an error if the account has none.
fn delete(request: &Request<'_>, state: &Snapshot) -> Answer {
    let account = account(request);
    let is_there = state.account_block(&account).is_some();
    Ok(Outcome::of(is_there.then_some(Change::AccountPublicAccessBlock(account, None)).into_iter().collect()))
}
