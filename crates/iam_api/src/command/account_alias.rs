//! CreateAccountAlias, DeleteAccountAlias, ListAccountAliases. An account has at most one alias.

use std::sync::Arc;

use super::{Answer, Command, IamError, Outcome, Request, grant, read, revoke};
use iam::{AccountAlias, Change, DocumentKey, Snapshot};

pub(super) const COMMANDS: &[Command] = &[
    grant("CreateAccountAlias", documents, create),
    revoke("DeleteAccountAlias", documents, delete),
    read("ListAccountAliases", list),
];

fn documents(request: &Request<'_>, _: &Snapshot) -> Result<Vec<DocumentKey>, IamError> {
    Ok(vec![DocumentKey::AccountAlias(account(request))])
}

fn account(request: &Request<'_>) -> Arc<str> {
    request.caller.account.as_str().into()
}

/// An alias has 3 to 63 lower-case letters, digits and single hyphens inside, and is not an account number.
fn alias<'a>(request: &Request<'a>) -> Result<&'a str, IamError> {
    let alias = request.params.required("AccountAlias")?;
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let hyphens = alias.starts_with('-') || alias.ends_with('-') || alias.contains("--");
    let is_number = alias.len() == 12 && alias.bytes().all(|byte| byte.is_ascii_digit());
    if (3..=63).contains(&alias.len()) && alias.bytes().all(allowed) && !hyphens && !is_number {
        return Ok(alias);
    }
    Err(IamError::validation(
        "The specified value for AccountAlias is invalid. It must have 3 to 63 lower-case letters, digits and single \
         hyphens, not begin or end with one, and be no account number",
    ))
}

/// A new alias replaces the account's old one.
fn create(request: &Request<'_>, state: &Snapshot) -> Answer {
    let alias = alias(request)?;
    if state.account_aliases().any(|known| known.alias == alias) {
        return Err(IamError::exists(format!("The account alias {alias} already exists.")));
    }
    let account = account(request);
    let record = AccountAlias { account: account.to_string(), alias: alias.to_owned(), ..AccountAlias::default() };
    Ok(Outcome { changes: vec![Change::AccountAlias(account, Some(Ok(record)))], result: None })
}

fn delete(request: &Request<'_>, state: &Snapshot) -> Answer {
    let alias = alias(request)?;
    let account = account(request);
    if state.account_alias(&account).is_none_or(|known| known.alias != alias) {
        return Err(IamError::no_such_entity(format!("The account alias {alias} cannot be found.")));
    }
    Ok(Outcome { changes: vec![Change::AccountAlias(account, None)], result: None })
}

fn list(request: &Request<'_>, state: &Snapshot) -> Answer {
    let alias = state.account_alias(request.caller.account.as_str());
    let result = request.page_of_names("AccountAliases", alias.iter().map(|alias| alias.alias.as_str()))?;
    Ok(Outcome { changes: Vec::new(), result: Some(result) })
}
