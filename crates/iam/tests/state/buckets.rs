//! What a bucket's settings make of its policy and its ACLs.

use std::sync::Arc;

use iam::*;
use ids::{AccessControlList, AccountId, AclGrant, AclGroup, AclPermission, Ownership, PublicAccessBlock, Stage};

const PUBLIC: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b1x/*"}}"#;
const PRIVATE: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::b1x/*"}}"#;

fn with_policy(text: &str) -> Bucket {
    let policy = BucketPolicy::read("b1x", text.as_bytes(), None, None);
    Bucket { policy: Some(policy), ..Bucket::new("b1x", "444455556666", 7) }
}

fn list(grants: &[AclGrant]) -> AccessControlList {
    AccessControlList { grants: grants.to_vec() }
}

#[test]
fn an_acl_counts_only_where_owners_differ_and_public_ones_unless_ignored() {
    let (owner, other) = (AccountId::from_owner("444455556666"), AccountId::from_owner("111122223333"));
    let to_group = |group| list(&[AclGrant::to_group(group, AclPermission::Read)]);
    let lists = [
        ("private", AccessControlList::private(owner), false),
        ("another account", list(&[AclGrant::to_account(other, AclPermission::FullControl)]), false),
        ("log delivery", to_group(AclGroup::LogDelivery), false),
        ("everyone", to_group(AclGroup::AllUsers), true),
        ("all accounts", to_group(AclGroup::AuthenticatedUsers), true),
        ("nothing", list(&[]), false),
    ];
    let ignores = PublicAccessBlock { ignore_public_acls: true, ..PublicAccessBlock::default() };
    let others = PublicAccessBlock { ignore_public_acls: false, ..PublicAccessBlock::ALL };
    for (ownership, has_acls) in [
        (None, false),
        (Some(Ownership::BucketOwnerEnforced), false),
        (Some(Ownership::BucketOwnerPreferred), true),
        (Some(Ownership::ObjectWriter), true),
    ] {
        for block in [None, Some(ignores), Some(others), Some(PublicAccessBlock::ALL)] {
            let is_ignored = block.is_some_and(|block| block.ignore_public_acls);
            for (what, acl, is_public) in &lists {
                let stored = BucketAcl { text: "".into(), list: Arc::new(acl.clone()) };
                let bucket = Bucket {
                    ownership_controls: ownership,
                    public_access_block: block,
                    acl: Some(stored),
                    ..Bucket::new("b1x", "444455556666", 7)
                };
                let counts = has_acls && !(*is_public && is_ignored);
                assert_eq!(bucket.acl_that_counts().is_some(), counts, "{what} {ownership:?} {block:?}");
                assert_eq!(bucket.counts(acl), counts.then_some(acl), "{what}, of an object");
            }
        }
    }
    let without = Bucket { ownership_controls: Some(Ownership::ObjectWriter), ..Bucket::new("b1x", "al", 7) };
    assert!(without.acl_that_counts().is_none(), "no ACL is stored");
}

#[test]
fn a_public_policy_restricts_a_bucket_only_if_its_block_says_so() {
    let restricts = PublicAccessBlock { restrict_public_buckets: true, ..PublicAccessBlock::default() };
    let others = PublicAccessBlock { restrict_public_buckets: false, ..PublicAccessBlock::ALL };
    for (policy, block, restricted) in [
        (Some(PUBLIC), Some(restricts), true),
        (Some(PUBLIC), Some(PublicAccessBlock::ALL), true),
        (Some(PUBLIC), Some(others), false),
        (Some(PUBLIC), None, false),
        (Some(PRIVATE), Some(PublicAccessBlock::ALL), false),
        (Some("{broken"), Some(PublicAccessBlock::ALL), false),
        (None, Some(PublicAccessBlock::ALL), false),
    ] {
        let bucket = policy.map_or_else(|| Bucket::new("b1x", "444455556666", 7), with_policy);
        let bucket = Bucket { public_access_block: block, ..bucket };
        let account = bucket.restricted_to();
        assert_eq!(
            account.map(|account| account.to_string()).as_deref(),
            restricted.then_some("444455556666"),
            "{policy:?} {block:?}"
        );
    }
}

#[test]
fn a_policy_is_compiled_again_only_if_its_text_or_its_ids_change() {
    let ids = |arn: &str, id: &str| stored_policy_ids(PRIVATE, &[(arn.to_owned(), id.to_owned())].into());
    let (none, one, two) = (None, ids("arn", "AIDAONE"), ids("arn", "AIDATWO"));
    let read = |text: &str, ids: &Option<Vec<u8>>, known: Option<&BucketPolicy>| {
        BucketPolicy::read("b1x", text.as_bytes(), ids.as_deref(), known)
    };
    let known = read(PRIVATE, &one, None);
    for (text, ids, same) in [
        (PRIVATE, &one, true),
        (PRIVATE, &two, false),
        (PRIVATE, &none, false),
        (PUBLIC, &one, false),
        (PRIVATE, &Some(b"broken".to_vec()), false),
        (PRIVATE, &Some(Vec::new()), false),
    ] {
        let again = read(text, ids, Some(&known));
        assert_eq!(Arc::ptr_eq(&again.compiled, &known.compiled), same, "{text} {ids:?}");
        let broken = ids.as_ref().is_some_and(|ids| !ids.starts_with(b"{"));
        assert_eq!(again.compiled.unreadable_reason().is_some(), broken, "{text} {ids:?}");
    }
}

#[test]
fn what_a_statement_says_of_everyone_makes_a_policy_public() {
    for (statement, public) in [
        (r#""Effect":"Allow","Principal":"*","Action":"s3:GetObject""#, true),
        (r#""Effect":"Allow","Principal":{"AWS":"*"},"Action":"s3:GetObject""#, true),
        (r#""Effect":"Allow","Principal":{"AWS":["111122223333","*"]},"Action":"s3:GetObject""#, true),
        (r#""Effect":"Deny","Principal":"*","Action":"s3:GetObject""#, false),
        (r#""Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"s3:GetObject""#, false),
        (
            r#""Effect":"Allow","Principal":"*","Action":"s3:GetObject","Condition":{"IpAddress":{"aws:SourceIp":"10.1.0.0/16"}}"#,
            false,
        ),
        (
            r#""Effect":"Allow","Principal":"*","Action":"s3:GetObject","Condition":{"IpAddress":{"aws:SourceIp":"0.0.0.0/1"}}"#,
            true,
        ),
        (
            r#""Effect":"Allow","Principal":"*","Action":"s3:GetObject","Condition":{"StringEquals":{"aws:SourceAccount":"111122223333"}}"#,
            false,
        ),
        (
            r#""Effect":"Allow","Principal":"*","Action":"s3:GetObject","Condition":{"StringLike":{"aws:Referer":"https://a.example/*"}}"#,
            true,
        ),
    ] {
        let text = format!(r#"{{"Version":"2012-10-17","Statement":{{{statement},"Resource":"arn:aws:s3:::b1x/*"}}}}"#);
        let policy = with_policy(&text).policy.unwrap();
        assert_eq!((policy.is_public, policy.compiled.unreadable_reason()), (public, None), "{statement}");
    }
}

#[test]
fn a_bucket_is_there_until_its_deletion_is_decided() {
    let made = Bucket { was_created: true, ..Bucket::new("b1x", "", 100) };
    let by_filer = Bucket::new("b1x", "", 100);
    let at = |bucket: &Bucket, stage| Bucket { life: bucket.life.at(stage), ..bucket.clone() };
    let deleted = || Stage::Deleted { since_s: 100, mark: "m".into() };
    for (what, bucket, now_s, there) in [
        ("a new one", made.clone(), 100, true),
        ("a clock that is behind", made.clone(), 0, true),
        ("a deletion that is announced", at(&made, Stage::Announced("m".into())), 100, true),
        ("a deletion that is decided", at(&made, deleted()), 100, false),
        ("a deletion long ago", at(&made, deleted()), i64::MAX, false),
        ("a directory just made by a filer", by_filer.clone(), 109, false),
        ("a directory made by a filer", by_filer.clone(), 110, true),
        ("a directory, by a clock that is behind", by_filer.clone(), i64::MIN, false),
        ("a directory that is deleted", at(&by_filer, deleted()), 500, false),
    ] {
        assert_eq!(bucket.is_there(now_s), there, "{what}");
    }
}

#[test]
fn the_account_of_an_owner_is_its_number_or_that_of_the_gateway() {
    let settings = Settings { account: AccountId::from_owner("999988887777"), ..Settings::default() };
    let alias = |account: &str| {
        let alias = AccountAlias { account: account.to_owned(), alias: "reef".to_owned(), ..AccountAlias::default() };
        Change::AccountAlias(account.into(), Some(Ok(alias)))
    };
    let state = Snapshot::new(settings, &Identities::default()).apply([alias("111122223333")]);
    for (owner, account, shown) in [
        ("111122223333", "111122223333", "reef"),
        ("444455556666", "444455556666", "444455556666"),
        ("al", "999988887777", "999988887777"),
        ("", "999988887777", "999988887777"),
        ("11112222333", "999988887777", "999988887777"),
        ("1111222233334", "999988887777", "999988887777"),
        (" 111122223333", "999988887777", "999988887777"),
        ("１11122223333", "999988887777", "999988887777"),
    ] {
        let account_id = state.account_of_owner(owner);
        assert_eq!((account_id.as_str(), state.account_name(&account_id)), (account, shown), "`{owner}`");
    }
}
