//! Operations on a bucket: creation and configuration.

use ids::{AccessControlList, AccountId, AclGrant, AclGroup, AclPermission, Grantee, Ownership, PublicAccessBlock};
use s3::S3ErrorCode;
use s3::op::*;

use crate::support::{body, check, code, first_needs, input, keys, needs, operation, refusal, root};

#[test]
fn permissions() {
    check(
        &[
            ("PUT /bkt", "s3:CreateBucket bkt"),
            ("PUT /bkt\nx-amz-acl: private", "s3:CreateBucket bkt; s3:PutBucketAcl bkt"),
            ("PUT /bkt\nx-amz-grant-write: id=a", "s3:CreateBucket bkt; s3:PutBucketAcl bkt"),
            ("PUT /bkt\nx-amz-bucket-object-lock-enabled: false", "s3:CreateBucket bkt"),
            (
                "PUT /bkt\nx-amz-bucket-object-lock-enabled: TRUE",
                "s3:CreateBucket bkt; s3:PutBucketObjectLockConfiguration bkt; s3:PutBucketVersioning bkt",
            ),
            (
                "PUT /bkt\nx-amz-object-ownership: ObjectWriter",
                "s3:CreateBucket bkt; s3:PutBucketOwnershipControls bkt",
            ),
            (
                "PUT /bkt\n\n<CreateBucketConfiguration><Tags><Tag><Key>a</Key><Value/></Tag></Tags></CreateBucketConfiguration>",
                "s3:CreateBucket bkt; s3:TagResource bkt",
            ),
            ("PUT /bkt\n\n<CreateBucketConfiguration><Tags/></CreateBucketConfiguration>", "s3:CreateBucket bkt"),
            ("DELETE /bkt", "s3:DeleteBucket bkt"),
            ("HEAD /bkt", "s3:ListBucket bkt"),
            ("GET /bkt?location", "s3:GetBucketLocation bkt"),
            ("GET /bkt?acl", "s3:GetBucketAcl bkt"),
            ("PUT /bkt?acl", "s3:PutBucketAcl bkt"),
            ("GET /bkt?cors", "s3:GetBucketCORS bkt"),
            ("GET /bkt?encryption", "s3:GetEncryptionConfiguration bkt"),
            ("GET /bkt?lifecycle", "s3:GetLifecycleConfiguration bkt"),
            ("GET /bkt?policy", "s3:GetBucketPolicy bkt"),
            ("PUT /bkt?policy", "s3:PutBucketPolicy bkt"),
            ("DELETE /bkt?policy", "s3:DeleteBucketPolicy bkt"),
            ("GET /bkt?policyStatus", "s3:GetBucketPolicyStatus bkt"),
            ("GET /bkt?requestPayment", "s3:GetBucketRequestPayment bkt"),
            ("GET /bkt?tagging", "s3:GetBucketTagging bkt"),
            ("PUT /bkt?tagging", "s3:PutBucketTagging bkt"),
            // There is no permission of its own for this.
            ("DELETE /bkt?tagging", "s3:PutBucketTagging bkt"),
            ("GET /bkt?versioning", "s3:GetBucketVersioning bkt"),
            ("PUT /bkt?versioning", "s3:PutBucketVersioning bkt"),
            ("GET /bkt?ownershipControls", "s3:GetBucketOwnershipControls bkt"),
            ("GET /bkt?object-lock", "s3:GetBucketObjectLockConfiguration bkt"),
            ("PUT /bkt?object-lock", "s3:PutBucketObjectLockConfiguration bkt"),
        ],
        needs,
    );
    // Of several permissions, the first decides whether the body is read.
    check(&[("PUT /bkt\nx-amz-acl: private", "s3:CreateBucket bkt")], first_needs);
}

#[test]
fn condition_keys() {
    let put = |headers: &str, inside: &str| {
        format!("PUT /bkt\n{headers}\n\n<CreateBucketConfiguration>{inside}</CreateBucketConfiguration>")
    };
    check(
        &[
            (put("x-amz-acl: private", ""), "s3:x-amz-acl=private"),
            (put("x-amz-grant-read: id=a", ""), "s3:x-amz-grant-read=id=a"),
            (put("x-amz-object-ownership: ObjectWriter", ""), "s3:x-amz-object-ownership=ObjectWriter"),
            (put("x-a: b", "<LocationConstraint> eu-west-1 </LocationConstraint>"), "s3:LocationConstraint=eu-west-1"),
            (put("x-a: b", "<LocationConstraint/>"), ""),
            (
                put("x-a: b", "<Tags><Tag><Key>a</Key><Value>1</Value></Tag><Tag><Key>b</Key><Value/></Tag></Tags>"),
                "aws:RequestTag/a=1; aws:RequestTag/b=; aws:TagKeys=a|b",
            ),
            (
                "PUT /bkt?tagging\n\n<Tagging><TagSet><Tag><Key>a</Key><Value>1</Value></Tag></TagSet></Tagging>"
                    .to_owned(),
                "aws:RequestTag/a=1; aws:TagKeys=a",
            ),
            ("PUT /bkt?tagging\n\n<Tagging><TagSet/></Tagging>".to_owned(), ""),
            ("PUT /bkt?acl\nx-amz-acl: public-read".to_owned(), "s3:x-amz-acl=public-read"),
            (
                "PUT /bkt/k?acl&versionId=v\nx-amz-grant-read: id=a".to_owned(),
                "s3:VersionId=v; s3:x-amz-grant-read=id=a",
            ),
            ("GET /bkt?policy".to_owned(), ""),
        ],
        keys,
    );
}

/// Others may have the permission, but not the account.
#[test]
fn what_is_for_the_owners_account() {
    for (request, owners) in [
        ("GET /bkt?policy", true),
        ("PUT /bkt?policy", true),
        ("DELETE /bkt?policy", true),
        ("GET /bkt?ownershipControls", true),
        ("PUT /bkt?ownershipControls", true),
        ("DELETE /bkt?ownershipControls", true),
        ("GET /bkt?publicAccessBlock", true),
        ("PUT /bkt?publicAccessBlock", true),
        ("DELETE /bkt?publicAccessBlock", true),
        ("GET /bkt?policyStatus", false),
        ("PUT /bkt?acl", false),
        ("PUT /bkt?tagging", false),
        ("PUT /bkt?replication", false),
        ("DELETE /bkt", false),
        ("GET /bkt/k", false),
        ("POST /bkt?delete", false),
    ] {
        assert_eq!(operation(request).unwrap().is_for_owners_account(), owners, "{request}");
    }
}

#[test]
fn bodies_of_new_buckets() {
    let put = |inside: &str| format!("PUT /bkt\n\n<CreateBucketConfiguration>{inside}</CreateBucketConfiguration>");
    let tag = |n: usize| format!("<Tag><Key>{n}</Key><Value/></Tag>");
    let tags = |count: usize| put(&format!("<Tags>{}</Tags>", (0..count).map(tag).collect::<String>()));
    let region = |text: &str| put(&format!("<LocationConstraint>{text}</LocationConstraint>"));
    check(
        &[
            ("PUT /bkt\n\n".to_owned(), ""),
            ("PUT /bkt\n\n \r\n".to_owned(), ""),
            (put(""), ""),
            (region(&"r".repeat(64)), ""),
            (region(&"r".repeat(65)), "InvalidLocationConstraint"),
            (region("eu west"), "InvalidLocationConstraint"),
            (region("\u{e9}u"), "InvalidLocationConstraint"),
            (
                put("<LocationConstraint>a</LocationConstraint><LocationConstraint>a</LocationConstraint>"),
                "MalformedXML",
            ),
            (put("<Location><Type>AvailabilityZone</Type></Location>"), "NotImplemented"),
            (put("<Bucket/>"), "NotImplemented"),
            (put("<Region/>"), "MalformedXML"),
            (tags(50), ""),
            (tags(51), "InvalidTag"),
            (put("<Tags/><Tags/>"), "MalformedXML"),
            (put("<Tags><Other/></Tags>"), "MalformedXML"),
            ("PUT /bkt\n\n<Configuration/>".to_owned(), "MalformedXML"),
        ],
        code,
    );
    check(
        &[
            (
                "PUT /bkt\nx-amz-object-ownership: Me",
                "InvalidArgument: The ownership must be BucketOwnerEnforced, BucketOwnerPreferred or ObjectWriter \
                 [ArgumentName=x-amz-object-ownership] [ArgumentValue=Me]",
            ),
            (
                "PUT /bkt\nx-amz-bucket-object-lock-enabled: yes",
                "InvalidArgument: The value must be `true` or `false` \
                 [ArgumentName=x-amz-bucket-object-lock-enabled] [ArgumentValue=yes]",
            ),
        ],
        refusal,
    );
    for ownership in ["BucketOwnerEnforced", "BucketOwnerPreferred", "ObjectWriter"] {
        let input = input!(CreateBucket, &format!("PUT /bkt\nx-amz-object-ownership: {ownership}"));
        assert_eq!(input.object_ownership.map(Ownership::as_str), Some(ownership));
    }
    // What -autoCreateBucket makes is what a request without options makes.
    assert_eq!(CreateBucket::plain("bkt".parse().unwrap()), input!(CreateBucket, "PUT /bkt"));
}

/// The largest document in bytes; without one, the decision needs no body.
#[test]
fn limits_of_bodies() {
    for (request, limit) in [
        ("PUT /bkt", Some(64 << 10)),
        ("PUT /bkt?tagging", Some(128 << 10)),
        ("PUT /bkt/k?tagging", Some(128 << 10)),
        ("PUT /bkt/k?retention", Some(16 << 10)),
        ("PUT /bkt/k?legal-hold", Some(16 << 10)),
        ("POST /bkt?delete", Some(2 << 20)),
        ("PUT /bkt/k", None),
        ("PUT /bkt?policy", None),
        ("POST /bkt/k?uploadId=u", None),
        ("GET /bkt", None),
    ] {
        assert_eq!(operation(request).unwrap().body_limit(), limit, "{request}");
    }
}

/// Bodies of these operations are checked against the head.
#[test]
fn promises_about_bodies() {
    for request in [
        "PUT /bkt?acl",
        "PUT /bkt?cors",
        "PUT /bkt?policy",
        "PUT /bkt?tagging",
        "PUT /bkt/k",
        "PUT /bkt/k?acl",
        "PUT /bkt/k?tagging",
        "PUT /bkt/k?retention",
        "PUT /bkt/k?legal-hold",
        "PUT /bkt/k?uploadId=u&partNumber=1",
        "POST /bkt?delete",
    ] {
        let text = format!("{request}\ncontent-md5: 1B2M2Y8AsgTpgAmY7PhCfg==");
        let op = operation(&text).unwrap();
        assert!(op.checksums().is_some_and(|sums| sums.content_md5.is_some()), "{request}");
        check(&[(format!("{request}\ncontent-md5: x"), "InvalidDigest")], code);
    }
    for request in ["GET /bkt", "PUT /bkt", "DELETE /bkt/k", "GET /bkt/k"] {
        assert!(operation(request).unwrap().checksums().is_none(), "{request}");
    }
    let confirmed =
        |headers: &str| input!(PutBucketPolicy, &format!("PUT /bkt?policy{headers}")).confirm_remove_self_bucket_access;
    assert!(!confirmed("") && confirmed("\nx-amz-confirm-remove-self-bucket-access: true"));
}

#[test]
fn answers() {
    let encryption = |inside: &str| {
        root("ServerSideEncryptionConfiguration", &format!("<Rule><ApplyServerSideEncryptionByDefault>{inside}</Rule>"))
    };
    for (document, want) in [
        (location_to_xml(""), root("LocationConstraint", "")),
        (location_to_xml("us-east-1"), root("LocationConstraint", "")),
        (location_to_xml("eu-central-1"), root("LocationConstraint", "eu-central-1")),
        (policy_status_to_xml(false), root("PolicyStatus", "<IsPublic>false</IsPublic>")),
        (request_payment_to_xml(false), root("RequestPaymentConfiguration", "<Payer>BucketOwner</Payer>")),
        (request_payment_to_xml(true), root("RequestPaymentConfiguration", "<Payer>Requester</Payer>")),
        (versioning_to_xml(None), root("VersioningConfiguration", "")),
        (versioning_to_xml(Some("Suspended")), root("VersioningConfiguration", "<Status>Suspended</Status>")),
        (
            ownership_to_xml(Ownership::BucketOwnerEnforced),
            root("OwnershipControls", "<Rule><ObjectOwnership>BucketOwnerEnforced</ObjectOwnership></Rule>"),
        ),
        (
            public_access_block_to_xml(PublicAccessBlock { block_public_policy: true, ..Default::default() }),
            root(
                "PublicAccessBlockConfiguration",
                "<BlockPublicAcls>false</BlockPublicAcls><IgnorePublicAcls>false</IgnorePublicAcls>\
                 <BlockPublicPolicy>true</BlockPublicPolicy><RestrictPublicBuckets>false</RestrictPublicBuckets>",
            ),
        ),
        (
            encryption_to_xml("AES256", "", false),
            encryption(
                "<SSEAlgorithm>AES256</SSEAlgorithm></ApplyServerSideEncryptionByDefault><BucketKeyEnabled>false</BucketKeyEnabled>",
            ),
        ),
        (
            encryption_to_xml("aws:kms", "k", true),
            encryption(
                "<SSEAlgorithm>aws:kms</SSEAlgorithm><KMSMasterKeyID>k</KMSMasterKeyID></ApplyServerSideEncryptionByDefault>\
                 <BucketKeyEnabled>true</BucketKeyEnabled>",
            ),
        ),
    ] {
        assert_eq!(body(&document), want);
    }
}

#[test]
fn answers_about_access() {
    let grantee = |kind: &str, inside: &str, permission: &str| {
        format!(
            "<Grant><Grantee xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=\"{kind}\">{inside}</Grantee>\
             <Permission>{permission}</Permission></Grant>"
        )
    };
    let (me, other) = (AccountId::DEFAULT, "111122223333".parse::<AccountId>().unwrap());
    let shown = |account: AccountId| Owner { id: format!("id-{account}&"), display_name: format!("name-{account}") };
    let list = |grants: &str| {
        let owner = "<Owner><ID>id-000000000000&amp;</ID><DisplayName>name-000000000000</DisplayName></Owner>";
        root("AccessControlPolicy", &format!("{owner}<AccessControlList>{grants}</AccessControlList>"))
    };
    let user = |number: &str, permission: &str| {
        let user = format!("<ID>id-{number}&amp;</ID><DisplayName>name-{number}</DisplayName>");
        grantee("CanonicalUser", &user, permission)
    };
    let mut acl = AccessControlList::private(me);
    assert_eq!(body(&acl_to_xml(&shown(me), &acl, shown)), list(&user("000000000000", "FULL_CONTROL")));
    acl.grants = vec![
        AclGrant::to_group(AclGroup::AllUsers, AclPermission::Read),
        AclGrant::to_account(other, AclPermission::WriteAcp),
        AclGrant { grantee: Grantee::Unknown("al<".into()), permission: AclPermission::Write },
    ];
    let want = grantee("Group", "<URI>http://acs.amazonaws.com/groups/global/AllUsers</URI>", "READ")
        + &grantee("CanonicalUser", "<ID>al&lt;</ID>", "WRITE")
        + &user("111122223333", "WRITE_ACP");
    assert_eq!(body(&acl_to_xml(&shown(me), &acl, shown)), list(&want));
    acl.grants.clear();
    assert_eq!(body(&acl_to_xml(&shown(me), &acl, shown)), list(""));
}

/// What says who may come in is read whole: an unknown word is an error, never a default.
#[test]
fn documents_about_access() {
    let ownership =
        |inside: &str| ownership_from_xml(format!("<OwnershipControls>{inside}</OwnershipControls>").as_bytes());
    let rule = |word: &str| format!("<Rule><ObjectOwnership>{word}</ObjectOwnership></Rule>");
    assert_eq!(ownership(&rule("ObjectWriter")), Ok(Ownership::ObjectWriter));
    for inside in ["", "<Rule/>", &rule("Nobody"), &rule("ObjectWriter").repeat(2), "<Other/>", "<Rule><Other/></Rule>"]
    {
        assert_eq!(ownership(inside).unwrap_err().code, S3ErrorCode::MalformedXML, "{inside}");
    }
    let root = "PublicAccessBlockConfiguration";
    let block = |inside: &str| public_access_block_from_xml(format!("<{root}>{inside}</{root}>").as_bytes());
    let one = "<BlockPublicAcls>true</BlockPublicAcls>";
    let acls = PublicAccessBlock { block_public_acls: true, ..Default::default() };
    for (inside, want) in [
        ("", Ok(PublicAccessBlock::default())),
        (one, Ok(acls)),
        ("<BlockPublicAcls> TRUE </BlockPublicAcls><IgnorePublicAcls>false</IgnorePublicAcls>", Ok(acls)),
        ("<BlockPublicAcls>yes</BlockPublicAcls>", Err(S3ErrorCode::MalformedXML)),
        ("<BlockPublicAcl>true</BlockPublicAcl>", Err(S3ErrorCode::MalformedXML)),
        (&one.repeat(2), Err(S3ErrorCode::MalformedXML)),
    ] {
        assert_eq!(block(inside).map_err(|error| error.code), want, "{inside}");
    }
}
