//! OpenID Connect providers: Create, Get, List, Delete; client ids, thumbprints and tags.
//!
//! AssumeRoleWithWebIdentity accepts their tokens.

use std::sync::Arc;

use ids::AccountId;
use xml::XmlWriter;

use super::{Answer, Command, IamError, Outcome, Request, grant, read, revoke, tags};
use crate::answer::{date, fragment};
use crate::params::Params;
use crate::query_caller::QueryCaller;
use iam::{Change, DocumentKey, OidcProvider, Snapshot, is_reserved_issuer};

pub(super) const COMMANDS: &[Command] = &[
    grant("CreateOpenIDConnectProvider", create_documents, create)
        .about(new_provider)
        .tagging("iam:TagOpenIDConnectProvider"),
    read("GetOpenIDConnectProvider", get),
    read("ListOpenIDConnectProviders", list),
    revoke("DeleteOpenIDConnectProvider", documents, delete),
    grant("AddClientIDToOpenIDConnectProvider", documents, add_client_id),
    revoke("RemoveClientIDFromOpenIDConnectProvider", documents, remove_client_id),
    revoke("UpdateOpenIDConnectProviderThumbprint", documents, update_thumbprint),
    revoke("TagOpenIDConnectProvider", documents, |r, s| change(r, s, |p| r.tag(&mut p.tags))),
    revoke("UntagOpenIDConnectProvider", documents, |r, s| change(r, s, |p| r.untag(&mut p.tags))),
    read("ListOpenIDConnectProviderTags", list_tags),
];

/// AWS's quotas.
const PROVIDERS_PER_ACCOUNT: usize = 100;
const CLIENT_IDS: usize = 100;
const THUMBPRINTS: usize = 5;

fn documents(request: &Request<'_>, _: &Snapshot) -> Result<Vec<DocumentKey>, IamError> {
    let arn = request.params.required("OpenIDConnectProviderArn")?;
    Ok(vec![DocumentKey::OidcProvider(OidcProvider::file_stem(arn))])
}

fn create_documents(request: &Request<'_>, _: &Snapshot) -> Result<Vec<DocumentKey>, IamError> {
    let arn = arn_of(request.caller.account, &issuer(request.params)?);
    Ok(vec![DocumentKey::OidcProvider(OidcProvider::file_stem(&arn))])
}

/// The resource of a call that makes a provider.
fn new_provider(params: &Params, caller: &QueryCaller<'_>) -> Result<String, IamError> {
    Ok(arn_of(caller.account, &issuer(params)?))
}

/// The provider that `OpenIDConnectProviderArn` names, in the caller's account.
fn find<'a>(request: &Request<'_>, state: &'a Snapshot) -> Result<&'a Arc<OidcProvider>, IamError> {
    let arn = request.params.required("OpenIDConnectProviderArn")?;
    state
        .oidc_provider(arn)
        .filter(|provider| provider.account_or(state.settings().account) == request.caller.account)
        .ok_or_else(|| IamError::no_such_entity(format!("OpenIDConnect Provider not found for arn {arn}")))
}

/// `Url`: `https://`, a host in lower case, a path without query; at most 255 characters. A slash at the end is
/// removed.
fn issuer(params: &Params) -> Result<String, IamError> {
    let url = params.required("Url")?;
    let rest = url.strip_prefix("https://").map(|rest| rest.strip_suffix('/').unwrap_or(rest));
    let is_issuer = |rest: &str| {
        let host = rest.split('/').next().unwrap_or_default();
        let of_host = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-:[]".contains(&byte);
        let of_path = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~%!$&'()+,;=:@".contains(&byte);
        !host.is_empty() && host.bytes().all(of_host) && rest.bytes().all(|byte| of_host(byte) || of_path(byte))
    };
    match rest.filter(|rest| url.len() <= 255 && is_issuer(rest)) {
        Some(rest) if is_reserved_issuer(rest) => Err(IamError::invalid(
            "The host of the Url is reserved: the claims of its tokens would look like other condition keys",
        )),
        Some(rest) => Ok(format!("https://{rest}")),
        None => Err(IamError::invalid(
            "The Url must begin with https://, name a host in lower case, have no query and at most 255 characters",
        )),
    }
}

fn arn_of(account: AccountId, issuer: &str) -> String {
    let resource = issuer.strip_prefix("https://").unwrap_or(issuer);
    format!("arn:aws:iam::{account}:oidc-provider/{resource}")
}

fn checked_client_id(id: &str) -> Result<String, IamError> {
    if (1..=255).contains(&id.chars().count()) {
        return Ok(id.to_owned());
    }
    Err(IamError::validation("A client id has 1 to 255 characters"))
}

fn client_ids(request: &Request<'_>) -> Result<Vec<String>, IamError> {
    let mut ids = Vec::new();
    for id in given(request, "ClientIDList")? {
        let id = checked_client_id(&id)?;
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    within(CLIENT_IDS, ids, "ClientIdsPerOpenIdConnectProvider")
}

fn thumbprints(request: &Request<'_>) -> Result<Vec<String>, IamError> {
    let thumbprints = given(request, "ThumbprintList")?;
    if let Some(wrong) =
        thumbprints.iter().find(|one| one.len() != 40 || !one.bytes().all(|byte| byte.is_ascii_hexdigit()))
    {
        return Err(IamError::invalid(format!(
            "The thumbprint {wrong} is not valid: 40 hexadecimal digits, the SHA-1 of a certificate"
        )));
    }
    within(THUMBPRINTS, thumbprints, "ThumbprintsPerOpenIdConnectProvider")
}

/// The members of a list, which may be absent or empty.
fn given(request: &Request<'_>, list: &str) -> Result<Vec<String>, IamError> {
    if request.params.has_prefix(&format!("{list}.member.")) { request.params.members(list) } else { Ok(Vec::new()) }
}

fn within(most: usize, list: Vec<String>, quota: &str) -> Result<Vec<String>, IamError> {
    if list.len() > most {
        return Err(IamError::limit(format!("Cannot exceed quota for {quota}: {most}")));
    }
    Ok(list)
}

fn create(request: &Request<'_>, state: &Snapshot) -> Answer {
    let url = issuer(request.params)?;
    let arn = arn_of(request.caller.account, &url);
    let stem = OidcProvider::file_stem(&arn);
    let key = DocumentKey::OidcProvider(stem.clone());
    if state.oidc_provider(&arn).is_some() || state.document_problem(&key).is_some() {
        return Err(IamError::exists(format!("Provider with url {url} already exists.")));
    }
    let account = request.caller.account;
    if state.identity_provider(account, &url).is_some() {
        let message = format!("Provider with url {url} already exists in the configuration of the gateways.");
        return Err(IamError::exists(message));
    }
    let default = state.settings().account;
    let of_account = state.oidc_providers().iter().filter(|provider| provider.account_or(default) == account).count();
    if of_account >= PROVIDERS_PER_ACCOUNT {
        return Err(IamError::limit(format!(
            "Cannot exceed quota for OpenIdConnectProvidersPerAccount: {PROVIDERS_PER_ACCOUNT}"
        )));
    }
    let record = OidcProvider {
        account: account.to_string(),
        arn: arn.clone(),
        url,
        client_ids: client_ids(request)?,
        thumbprints: thumbprints(request)?,
        tags: request.params.tags()?,
        created_s: request.now_s,
        updated_s: request.now_s,
        ..OidcProvider::default()
    };
    let mut xml = fragment();
    xml.text("OpenIDConnectProviderArn", &arn);
    tags::describe(&mut xml, &record.tags);
    Ok(Outcome { changes: vec![Change::OidcProvider(stem, Some(Ok(record)))], result: Some(xml.finish()) })
}

fn get(request: &Request<'_>, state: &Snapshot) -> Answer {
    let provider = find(request, state)?;
    let list = |xml: &mut XmlWriter, name: &str, members: &[String]| {
        xml.element(name, |xml| {
            for member in members {
                xml.text("member", member);
            }
        });
    };
    let mut xml = fragment();
    // Without the scheme, as on AWS.
    xml.text("Url", provider.url.strip_prefix("https://").unwrap_or(&provider.url));
    list(&mut xml, "ClientIDList", &provider.client_ids);
    list(&mut xml, "ThumbprintList", &provider.thumbprints);
    xml.text("CreateDate", &date(provider.created_s));
    tags::describe(&mut xml, &provider.tags);
    Ok(Outcome { changes: Vec::new(), result: Some(xml.finish()) })
}

fn list(request: &Request<'_>, state: &Snapshot) -> Answer {
    let default = state.settings().account;
    let providers = state.oidc_providers();
    let mut xml = fragment();
    xml.element("OpenIDConnectProviderList", |xml| {
        for provider in providers.iter().filter(|provider| provider.account_or(default) == request.caller.account) {
            xml.element("member", |xml| {
                xml.text("Arn", &provider.arn);
            });
        }
    });
    Ok(Outcome { changes: Vec::new(), result: Some(xml.finish()) })
}

/// Deleting a provider that does not exist succeeds, as on AWS.
fn delete(request: &Request<'_>, state: &Snapshot) -> Answer {
    let Ok(provider) = find(request, state) else { return Ok(Outcome::default()) };
    let stem = OidcProvider::file_stem(&provider.arn);
    Ok(Outcome { changes: vec![Change::OidcProvider(stem, None)], result: None })
}

/// Writes the provider after `change`.
fn change(
    request: &Request<'_>,
    state: &Snapshot,
    change: impl FnOnce(&mut OidcProvider) -> Result<(), IamError>,
) -> Answer {
    let mut record = (**find(request, state)?).clone();
    change(&mut record)?;
    record.updated_s = request.now_s;
    let stem = OidcProvider::file_stem(&record.arn);
    Ok(Outcome { changes: vec![Change::OidcProvider(stem, Some(Ok(record)))], result: None })
}

fn add_client_id(request: &Request<'_>, state: &Snapshot) -> Answer {
    let id = checked_client_id(request.params.required("ClientID")?)?;
    change(request, state, |provider| {
        if !provider.client_ids.contains(&id) {
            provider.client_ids.push(id);
        }
        let ids = std::mem::take(&mut provider.client_ids);
        provider.client_ids = within(CLIENT_IDS, ids, "ClientIdsPerOpenIdConnectProvider")?;
        Ok(())
    })
}

fn remove_client_id(request: &Request<'_>, state: &Snapshot) -> Answer {
    let id = request.params.required("ClientID")?;
    change(request, state, |provider| {
        provider.client_ids.retain(|known| known != id);
        Ok(())
    })
}

fn update_thumbprint(request: &Request<'_>, state: &Snapshot) -> Answer {
    if !request.params.has_prefix("ThumbprintList") {
        return Err(IamError::validation("The parameter `ThumbprintList` is missing: send it with the request"));
    }
    let thumbprints = thumbprints(request)?;
    change(request, state, |provider| {
        provider.thumbprints = thumbprints;
        Ok(())
    })
}

fn list_tags(request: &Request<'_>, state: &Snapshot) -> Answer {
    let result = request.page_of_tags(&find(request, state)?.tags)?;
    Ok(Outcome { changes: Vec::new(), result: Some(result) })
}
