//! Access control lists as SeaweedFS stores them: a JSON array of grants.

use ids::{AccessControlList, AccountId, AclGrant, AclGroup, AclPermission, Grantee};
use serde::{Deserialize, Serialize};

/// One grant, with the names and the order of the Go SDK.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct StoredGrant {
    grantee: StoredGrantee,
    permission: String,
}

/// Whom it is for: an `ID` or a `URI`.
#[derive(Serialize, Deserialize, Default)]
#[serde(rename_all = "PascalCase")]
struct StoredGrantee {
    #[serde(default)]
    display_name: Option<String>,
    #[serde(default)]
    email_address: Option<String>,
    #[serde(rename = "ID", default)]
    id: Option<String>,
    #[serde(default)]
    r#type: String,
    #[serde(rename = "URI", default)]
    uri: Option<String>,
}

/// Reads a stored list. `account_of` knows the accounts that SeaweedFS names differently from their numbers. A list that
/// cannot be read completely grants nothing.
pub fn read(stored: &str, account_of: impl Fn(&str) -> Option<AccountId>) -> AccessControlList {
    let grants: Vec<StoredGrant> = serde_json::from_str(stored).unwrap_or_default();
    let grants: Option<Vec<AclGrant>> = grants.into_iter().map(|grant| read_grant(grant, &account_of)).collect();
    AccessControlList { grants: grants.unwrap_or_default() }
}

fn read_grant(stored: StoredGrant, account_of: impl Fn(&str) -> Option<AccountId>) -> Option<AclGrant> {
    let permission = AclPermission::named(&stored.permission)?;
    let StoredGrantee { id, uri, r#type, .. } = stored.grantee;
    let grantee = match (r#type.as_str(), id, uri) {
        ("CanonicalUser", Some(id), None) => {
            let account = id.parse().ok().or_else(|| AccountId::from_canonical_id(&id)).or_else(|| account_of(&id));
            account.map_or_else(|| Grantee::Unknown(id.into()), Grantee::Account)
        }
        ("Group", None, Some(uri)) => {
            AclGroup::named(&uri).map_or_else(|| Grantee::Unknown(uri.into()), Grantee::Group)
        }
        _ => return None,
    };
    Some(AclGrant { grantee, permission })
}

/// The stored form. `id_of` gives the owner id under which SeaweedFS knows an account.
pub fn write(list: &AccessControlList, id_of: impl Fn(AccountId) -> String) -> String {
    let stored: Vec<StoredGrant> = list.grants.iter().map(|grant| stored(grant, &id_of)).collect();
    serde_json::to_string(&stored).unwrap_or_else(|_| "[]".to_owned())
}

fn stored(grant: &AclGrant, id_of: impl Fn(AccountId) -> String) -> StoredGrant {
    let user = |id: String| StoredGrantee { id: Some(id), r#type: "CanonicalUser".to_owned(), ..Default::default() };
    let grantee = match &grant.grantee {
        Grantee::Account(account) => user(id_of(*account)),
        Grantee::Unknown(id) => user(id.to_string()),
        Grantee::Group(group) => {
            StoredGrantee { uri: Some(group.uri().to_owned()), r#type: "Group".to_owned(), ..StoredGrantee::default() }
        }
    };
    StoredGrant { grantee, permission: grant.permission.as_str().to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: &str = "000000000000";
    const OTHER: &str = "111122223333";
    const PUBLIC: &str = r#"[{"Grantee":{"DisplayName":null,"EmailAddress":null,"ID":"admin","Type":"CanonicalUser","URI":null},"Permission":"FULL_CONTROL"},{"Grantee":{"DisplayName":null,"EmailAddress":null,"ID":null,"Type":"Group","URI":"http://acs.amazonaws.com/groups/global/AllUsers"},"Permission":"READ"}]"#;

    fn grants(stored: &str) -> Vec<AclGrant> {
        read(stored, |id| (id == "admin").then(|| OWNER.parse().unwrap())).grants
    }

    /// The first text is SeaweedFS's own.
    #[test]
    fn lists_are_stored_in_seaweedfs_form() {
        let list = read(PUBLIC, |id| (id == "admin").then(|| OWNER.parse().unwrap()));
        let full = AclGrant::to_account(OWNER.parse().unwrap(), AclPermission::FullControl);
        assert_eq!(list.grants, [full, AclGrant::to_group(AclGroup::AllUsers, AclPermission::Read)]);
        assert_eq!(write(&list, |_| "admin".to_owned()), PUBLIC);
    }

    #[test]
    fn who_is_named_gets_it() {
        let to = |id: &str| format!(r#"[{{"Grantee":{{"ID":"{id}","Type":"CanonicalUser"}},"Permission":"WRITE"}}]"#);
        let other: AccountId = OTHER.parse().unwrap();
        for id in [OTHER, &other.canonical_id()] {
            assert_eq!(grants(&to(id)), [AclGrant::to_account(other, AclPermission::Write)]);
        }
        for id in ["alice", "11112222333", &"0".repeat(64), ""] {
            let unknown = AclGrant { grantee: Grantee::Unknown(id.into()), permission: AclPermission::Write };
            assert_eq!(grants(&to(id)), [unknown], "{id}");
        }
    }

    /// If one grant cannot be read, the whole list grants nothing.
    #[test]
    fn what_cannot_be_read_grants_nothing() {
        let grant = |grantee: &str, permission: &str| {
            let all = r#"{"Grantee":{"Type":"Group","URI":"http://acs.amazonaws.com/groups/global/AllUsers"},"Permission":"READ"}"#;
            format!(r#"[{all},{{"Grantee":{{{grantee}}},"Permission":{permission}}}]"#)
        };
        let user = r#""ID":"111122223333","Type":"CanonicalUser""#;
        assert_eq!(grants(&grant(user, "\"READ\"")).len(), 2);
        for stored in [
            "",
            "not JSON",
            "{}",
            "null",
            "[{}]",
            &grant(user, "\"read\""),
            &grant(user, "null"),
            &grant(user, "1"),
            &grant("", "\"READ\""),
            &grant(r#""ID":"111122223333""#, "\"READ\""),
            &grant(r#""ID":"111122223333","Type":"Group""#, "\"READ\""),
            &grant(r#""ID":"1","URI":"2","Type":"Group""#, "\"READ\""),
            &grant(r#""EmailAddress":"a@b","Type":"AmazonCustomerByEmail""#, "\"READ\""),
        ] {
            assert_eq!(grants(stored), [], "{stored}");
        }
    }
}
