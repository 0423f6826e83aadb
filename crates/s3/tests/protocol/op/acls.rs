//! Access control lists as requests set them.

use ids::{AccessControlList, AccountId, AclGrant, AclGroup, Grantee};
use s3::{AclOwners, S3Error, S3ErrorCode, acl_from_xml};

use crate::support::input;

const BUCKET: &str = "000000000000";
const OTHER: &str = "111122223333";

fn account(number: &str) -> AccountId {
    number.parse().unwrap()
}

/// The list that the headers of an upload by the other account ask for.
fn asked(headers: &str) -> Result<Option<AccessControlList>, S3Error> {
    let owners = AclOwners { owner: account(OTHER), bucket_owner: Some(account(BUCKET)) };
    input!(PutObject, &format!("PUT /bkt/k\n{headers}")).object.acl.list(owners)
}

/// `111122223333:FULL_CONTROL AllUsers:READ`.
fn told(list: &AccessControlList) -> String {
    let grant = |grant: &AclGrant| {
        let grantee = match &grant.grantee {
            Grantee::Account(account) => account.to_string(),
            Grantee::Group(group) => format!("{group:?}"),
            Grantee::Unknown(id) => format!("?{id}"),
        };
        format!("{grantee}:{}", grant.permission.as_str())
    };
    list.grants.iter().map(grant).collect::<Vec<_>>().join(" ")
}

#[test]
fn canned_lists() {
    for (canned, want) in [
        ("private", ""),
        ("public-read", " AllUsers:READ"),
        ("public-read-write", " AllUsers:READ AllUsers:WRITE"),
        ("authenticated-read", " AuthenticatedUsers:READ"),
        ("bucket-owner-read", " 000000000000:READ"),
        ("bucket-owner-full-control", " 000000000000:FULL_CONTROL"),
        ("log-delivery-write", " LogDelivery:WRITE LogDelivery:READ_ACP"),
    ] {
        let list = asked(&format!("x-amz-acl: {canned}")).unwrap().unwrap();
        assert_eq!(told(&list), format!("{OTHER}:FULL_CONTROL{want}"), "{canned}");
    }
    assert_eq!(asked("x-a: b").unwrap(), None);
    assert_eq!(asked("x-amz-acl: aws-exec-read").unwrap_err().code, S3ErrorCode::NotImplemented);
}

#[test]
fn grants_in_headers() {
    let (bucket, other) = (account(BUCKET).canonical_id(), account(OTHER).canonical_id());
    let everyone = AclGroup::AllUsers.uri();
    let two = format!("x-amz-grant-read: id=\"{bucket}\", uri={everyone}\nx-amz-grant-write-acp: ID = {other}");
    assert_eq!(
        told(&asked(&two).unwrap().unwrap()),
        format!("{BUCKET}:READ AllUsers:READ {OTHER}:WRITE_ACP"),
        "the owner is not added"
    );
    let many = vec![format!("id={bucket}"); 101].join(",");
    for (value, want) in [
        ("id=alice", S3ErrorCode::InvalidArgument),
        ("id=111122223333", S3ErrorCode::InvalidArgument),
        ("id=\"\"", S3ErrorCode::InvalidArgument),
        (bucket.as_str(), S3ErrorCode::InvalidArgument),
        ("", S3ErrorCode::InvalidArgument),
        ("id=", S3ErrorCode::InvalidArgument),
        ("uri=http://acs.amazonaws.com/groups/global/Nobody", S3ErrorCode::InvalidArgument),
        ("emailAddress=a@b.test", S3ErrorCode::UnresolvableGrantByEmailAddress),
        (&*many, S3ErrorCode::MalformedACLError),
    ] {
        let error = asked(&format!("x-amz-grant-read: {value}")).unwrap_err();
        assert_eq!(error.code, want, "{value}");
    }
}

fn document(owner: &str, grants: &str) -> String {
    format!(
        "<AccessControlPolicy xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"><Owner><ID>{owner}</ID></Owner>\
         <AccessControlList>{grants}</AccessControlList></AccessControlPolicy>"
    )
}

fn grant(kind: &str, inside: &str, permission: &str) -> String {
    format!("<Grant><Grantee xsi:type=\"{kind}\">{inside}</Grantee><Permission>{permission}</Permission></Grant>")
}

#[test]
fn lists_in_documents() {
    let (me, other) = (account(BUCKET), account(OTHER).canonical_id());
    let mine = me.canonical_id();
    let everyone = format!("<URI>{}</URI>", AclGroup::AllUsers.uri());
    let user = format!("<ID>{other}</ID><DisplayName>any</DisplayName>");
    let both = grant("Group", &everyone, "READ") + &grant("CanonicalUser", &user, "FULL_CONTROL");
    let read = |text: &str| acl_from_xml(text.as_bytes(), me).map(|list| told(&list)).map_err(|error| error.code);
    assert_eq!(read(&document(&mine, &both)), Ok(format!("AllUsers:READ {OTHER}:FULL_CONTROL")));
    assert_eq!(read(&document(&mine, "")), Ok(String::new()), "the owner needs no grant");
    let malformed = S3ErrorCode::MalformedACLError;
    for (text, want) in [
        (document(&other, &both), S3ErrorCode::AccessDenied),
        (document("me", ""), S3ErrorCode::AccessDenied),
        (String::from("<AccessControlPolicy/>"), malformed),
        (String::from("<AccessControlPolicy><AccessControlList/></AccessControlPolicy>"), malformed),
        (format!("<AccessControlPolicy><Owner><ID>{mine}</ID></Owner></AccessControlPolicy>"), malformed),
        (String::from("{}"), malformed),
        (document(&mine, "<Other/>"), malformed),
        (document(&mine, &grant("Group", &everyone, "READ_WRITE")), malformed),
        (document(&mine, &grant("Group", &user, "READ")), malformed),
        (document(&mine, &grant("CanonicalUser", &everyone, "READ")), malformed),
        (document(&mine, &grant("CanonicalUser", &format!("{user}{everyone}"), "READ")), malformed),
        (document(&mine, &grant("CanonicalUser", &user, "READ").replace(" xsi:type=\"CanonicalUser\"", "")), malformed),
        (document(&mine, &grant("Group", &everyone, "READ").repeat(101)), malformed),
        (document(&mine, &grant("CanonicalUser", "<ID>alice</ID>", "READ")), S3ErrorCode::InvalidArgument),
        (
            document(&mine, &grant("AmazonCustomerByEmail", "<EmailAddress>a@b</EmailAddress>", "READ")),
            S3ErrorCode::UnresolvableGrantByEmailAddress,
        ),
    ] {
        assert_eq!(read(&text), Err(want), "{text}");
    }
}
