//! Access control lists as requests set them: canned, by headers, or in a document.

use ids::{AccessControlList, AccountId, AclGrant, AclGroup, AclPermission, Grantee};
use xml::{Element, parse};

use crate::object_headers::AclHeaders;
use crate::{S3Error, S3ErrorCode};

use AclGroup::{AllUsers, AuthenticatedUsers, LogDelivery};
use AclPermission::{FullControl, Read, ReadAcp, Write};

/// What a new ACL is about.
#[derive(Clone, Copy, Debug)]
pub struct AclOwners {
    /// The account that owns the bucket or object.
    pub owner: AccountId,
    /// For an object, the account that owns its bucket.
    pub bucket_owner: Option<AccountId>,
}

impl AclHeaders {
    /// The list that the headers ask for; `None` without any. Fails for grantees that are not accounts here.
    pub fn list(&self, owners: AclOwners) -> Result<Option<AccessControlList>, S3Error> {
        if let Some(canned) = &self.canned {
            return of_canned(canned, owners).map(Some);
        }
        if self.grants.is_empty() {
            return Ok(None);
        }
        let mut list = AccessControlList::default();
        for (header, value) in &self.grants {
            list.grants.extend(of_header(header, value)?);
        }
        limited(list).map(Some)
    }
}

/// Source: S3 User Guide, "Access control list (ACL) overview", "Canned ACL".
fn of_canned(name: &str, owners: AclOwners) -> Result<AccessControlList, S3Error> {
    let to_bucket_owner = |permission| match owners.bucket_owner.filter(|account| *account != owners.owner) {
        Some(account) => vec![AclGrant::to_account(account, permission)],
        None => Vec::new(),
    };
    let more = match name {
        "public-read" => vec![AclGrant::to_group(AllUsers, Read)],
        "public-read-write" => vec![AclGrant::to_group(AllUsers, Read), AclGrant::to_group(AllUsers, Write)],
        "authenticated-read" => vec![AclGrant::to_group(AuthenticatedUsers, Read)],
        "log-delivery-write" => vec![AclGrant::to_group(LogDelivery, Write), AclGrant::to_group(LogDelivery, ReadAcp)],
        "bucket-owner-read" => to_bucket_owner(Read),
        "bucket-owner-full-control" => to_bucket_owner(FullControl),
        "private" => Vec::new(),
        other => return Err(S3Error::not_implemented(format_args!("The canned ACL {other}"))),
    };
    let mut list = AccessControlList::private(owners.owner);
    list.grants.extend(more);
    Ok(list)
}

/// The grants of `x-amz-grant-read: id="...", uri="..."`.
fn of_header(header: &str, value: &str) -> Result<Vec<AclGrant>, S3Error> {
    let permission = match header {
        "x-amz-grant-full-control" => FullControl,
        "x-amz-grant-read" => Read,
        "x-amz-grant-read-acp" => ReadAcp,
        "x-amz-grant-write" => Write,
        "x-amz-grant-write-acp" => AclPermission::WriteAcp,
        other => return Err(S3Error::not_implemented(format_args!("The header {other}"))),
    };
    let malformed = || {
        let message = "A grant names grantees as id=\"...\" or uri=\"...\", separated by commas";
        S3Error::invalid_argument(header, value, message)
    };
    let grant = |text: &str| {
        let (kind, name) = text.trim().split_once('=').ok_or_else(malformed)?;
        let name = name.trim().trim_matches('"');
        let grantee = match kind.trim().to_ascii_lowercase().as_str() {
            "id" => account(name)?,
            "uri" => group(name)?,
            "emailaddress" => return Err(by_email(name)),
            _ => return Err(malformed()),
        };
        Ok(AclGrant { grantee, permission })
    };
    value.split(',').map(grant).collect()
}

/// Reads an `AccessControlPolicy` document. It names the owner, which must be this account: an ACL changes no owner.
pub fn acl_from_xml(body: &[u8], owner: AccountId) -> Result<AccessControlList, S3Error> {
    let read = || -> Result<AccessControlList, S3Error> {
        let root = parse(body, "AccessControlPolicy")?;
        root.only(&["Owner", "AccessControlList"])?;
        let named = root.one("Owner")?.ok_or_else(|| malformed("`AccessControlPolicy` needs an `Owner`"))?;
        named.only(&["ID", "DisplayName"])?;
        if AccountId::from_canonical_id(named.required("ID")?.trim()) != Some(owner) {
            let message = "The Owner of an ACL must be the owner of the bucket or object: it cannot be changed";
            return Err(S3Error::with_message(S3ErrorCode::AccessDenied, message));
        }
        let list = root.one("AccessControlList")?;
        let list = list.ok_or_else(|| malformed("`AccessControlPolicy` needs an `AccessControlList`"))?;
        list.only(&["Grant"])?;
        let grants = list.all("Grant").map(of_element).collect::<Result<_, _>>()?;
        limited(AccessControlList { grants })
    };
    // AWS has a code of its own for such documents.
    read().map_err(|error| match error.code {
        S3ErrorCode::MalformedXML => S3Error { code: S3ErrorCode::MalformedACLError, ..error },
        _ => error,
    })
}

fn of_element(grant: &Element) -> Result<AclGrant, S3Error> {
    grant.only(&["Grantee", "Permission"])?;
    let word = grant.required("Permission")?.trim();
    let permission = AclPermission::named(word).ok_or_else(|| malformed("`Permission` is none of S3's"))?;
    let to = grant.one("Grantee")?.ok_or_else(|| malformed("`Grant` needs a `Grantee`"))?;
    to.only(&["ID", "DisplayName", "URI", "EmailAddress", "Type"])?;
    let of_kind = |name: &str| to.required(name).map(str::trim);
    let kind = to.attributes.iter().find(|(name, _)| name == "type").map(|(_, value)| value.as_str());
    let only = |wanted: &str| {
        let other = ["ID", "URI", "EmailAddress"].into_iter().filter(|name| *name != wanted);
        other.filter_map(|name| to.all(name).next()).next().is_none()
    };
    let grantee = match kind {
        Some("CanonicalUser") if only("ID") => account(of_kind("ID")?)?,
        Some("Group") if only("URI") => group(of_kind("URI")?)?,
        Some("AmazonCustomerByEmail") if only("EmailAddress") => return Err(by_email(of_kind("EmailAddress")?)),
        _ => {
            return Err(malformed(
                "the `xsi:type` of a `Grantee` must be CanonicalUser with an `ID`, or Group with a `URI`",
            ));
        }
    };
    Ok(AclGrant { grantee, permission })
}

fn account(id: &str) -> Result<Grantee, S3Error> {
    let account = AccountId::from_canonical_id(id);
    let unknown = || {
        let message = "Invalid id: a grantee is named by the canonical user id of its account, 64 hex digits";
        S3Error::invalid_argument("CanonicalUser/ID", id, message)
    };
    account.map(Grantee::Account).ok_or_else(unknown)
}

fn group(uri: &str) -> Result<Grantee, S3Error> {
    let unknown = || S3Error::invalid_argument("Group/URI", uri, "Invalid group uri");
    AclGroup::named(uri).map(Grantee::Group).ok_or_else(unknown)
}

fn by_email(address: &str) -> S3Error {
    S3Error::new(S3ErrorCode::UnresolvableGrantByEmailAddress).field("EmailAddress", address)
}

fn limited(list: AccessControlList) -> Result<AccessControlList, S3Error> {
    if list.grants.len() > AccessControlList::GRANTS_MAX {
        return Err(malformed("an ACL has at most 100 grants"));
    }
    Ok(list)
}

fn malformed(reason: &str) -> S3Error {
    let text = S3ErrorCode::MalformedACLError.message();
    S3Error::with_message(S3ErrorCode::MalformedACLError, format!("{text} {reason}"))
}
