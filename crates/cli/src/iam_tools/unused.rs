//! `kelpgate iam unused`: access keys and roles that nobody has used for a while, as a running gateway knows it.

use audit::query;
use bytes::Bytes;
use jiff::Timestamp;
use xml::{Element, Malformed};

use super::{remote, unused_rights};
use crate::arguments::IamUnused;

/// Prints a line for each key and role that has not been used since, or never although it is older. Keys that cannot be used, and roles
/// and keys that are younger, are left out.
pub async fn run(arguments: IamUnused) -> Result<bool, String> {
    let since = query::time(&arguments.since, Timestamp::now()).map_err(|error| format!("-since: {error}"))?;
    let gateway = &arguments.gateway;
    let mut found = Vec::new();
    let details = pages(gateway, "GetAccountAuthorizationDetails", &[]).await?;
    for page in &details {
        for role in members(page, "RoleDetailList") {
            let used = role.one("RoleLastUsed").map_err(bad)?.map(|used| time(used, "LastUsedDate")).transpose()?;
            found.push((format!("role {}", text(role, "RoleName")?), time(role, "CreateDate")?, used.flatten()));
        }
    }
    for users in pages(gateway, "ListUsers", &[]).await? {
        for user in members(&users, "Users") {
            let name = text(user, "UserName")?;
            for keys in pages(gateway, "ListAccessKeys", &[("UserName", &name)]).await? {
                for key in members(&keys, "AccessKeyMetadata") {
                    found.extend(used(gateway, key, &name).await?);
                }
            }
        }
    }
    for accounts in pages(gateway, "ListServiceAccounts", &[]).await? {
        for account in members(&accounts, "ServiceAccounts") {
            let parent = text(account, "ParentUser")?;
            found.extend(used(gateway, account, &parent).await?);
        }
    }
    let idle = found.into_iter().filter(|(_, made, used)| used.or(*made).is_none_or(|last| last < since));
    for (what, made, used) in idle {
        let made = made.map_or_else(|| "at an unknown time".to_owned(), |made| made.to_string());
        let used = used.map_or_else(|| "never used".to_owned(), |used| format!("last used {used}"));
        say!("{what}: {used}, made {made}");
    }
    if !arguments.logs.is_empty() {
        unused_rights::print(&details, &arguments.logs, since)?;
    }
    Ok(true)
}

type Idle = (String, Option<Timestamp>, Option<Timestamp>);

/// A key that may be used, with its times.
async fn used(gateway: &crate::api::Gateway, key: &Element, user: &str) -> Result<Option<Idle>, String> {
    let expires = time(key, "Expiration")?;
    if text(key, "Status")? != "Active" || expires.is_some_and(|expires| expires <= Timestamp::now()) {
        return Ok(None);
    }
    let id = text(key, "AccessKeyId")?;
    let answer = remote::call_query_api(gateway, "iam", "GetAccessKeyLastUsed", &[("AccessKeyId", &id)]).await?;
    let answer = result(&answer, "GetAccessKeyLastUsed")?;
    let used = answer.one("AccessKeyLastUsed").map_err(bad)?.map(|used| time(used, "LastUsedDate")).transpose()?;
    Ok(Some((format!("access key {id} of user {user}"), time(key, "CreateDate")?, used.flatten())))
}

async fn pages(gateway: &crate::api::Gateway, action: &str, pairs: &[(&str, &str)]) -> Result<Vec<Element>, String> {
    let (mut all, mut marker) = (Vec::new(), None);
    loop {
        let page = result(&remote::page(gateway, action, pairs, marker).await?, action)?;
        marker = page.child_text("Marker").map_err(bad)?.map(str::to_owned);
        all.push(page);
        if marker.is_none() {
            return Ok(all);
        }
    }
}

fn result(answer: &Bytes, action: &str) -> Result<Element, String> {
    let response = xml::parse(answer, &format!("{action}Response")).map_err(bad)?;
    let result = response.one(&format!("{action}Result")).map_err(bad)?;
    result.cloned().ok_or_else(|| format!("{action}: the answer has no result"))
}

pub(super) fn members<'a>(page: &'a Element, list: &'a str) -> impl Iterator<Item = &'a Element> {
    page.all(list).flat_map(|list| list.all("member"))
}

pub(super) fn text(element: &Element, name: &str) -> Result<String, String> {
    element.required(name).map(str::to_owned).map_err(bad)
}

fn time(element: &Element, name: &str) -> Result<Option<Timestamp>, String> {
    let text = element.child_text(name).map_err(bad)?;
    text.map(|text| text.parse().map_err(|_| format!("`{text}` is not a time"))).transpose()
}

pub(super) fn bad(error: Malformed) -> String {
    format!("the gateway's answer cannot be read: {error}")
}
