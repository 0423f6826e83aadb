//! SeaweedFS's legacy actions, `Read:bucket/prefix*`, translated into statements.
//!
//! An entry is `Action` or `Action:resource`. Without a resource it applies everywhere. A resource without wildcards is
//! a bucket and everything in it (so `Read:bucket/key` matches nothing). A resource with wildcards is matched against
//! `bucket/key`, against `bucket` for requests about a bucket, and against `bucket/prefix` for listings with a prefix.
//! Measured on SeaweedFS 4.48.

use crate::action::Action;
use crate::compiled::CompiledPolicy;
use crate::grammar::{self, ActionElement, Comparison, Effect, Operator, ResourceElement, nearest};
use crate::pattern::Pattern;
use crate::policy_kind::PolicyKind;
use crate::statement::Statement;
use crate::template::Special;

/// The condition key that names the operation. For some operations SeaweedFS needs one action where AWS needs several,
/// and it distinguishes HeadBucket from ListObjects where AWS does not. The gateway sets it: `PutObject`, `HeadBucket`
/// and so on.
const OPERATION: &str = "kelpgate:Operation";

const LIST: [&str; 2] = ["s3:ListBucket", "s3:ListBucketVersions"];

/// Each legacy action except `Admin`, and the actions that it stands for. Actions that are in no row need `Admin`.
const ACTIONS: [(&str, &[&str]); 16] = [
    (
        "Read",
        &[
            "s3:GetObject",
            "s3:GetObjectVersion",
            "s3:GetObjectAttributes",
            "s3:GetObjectVersionAttributes",
            "s3:GetObjectTagging",
            "s3:GetObjectVersionTagging",
            "s3:GetObjectRetention",
            "s3:GetObjectLegalHold",
            "s3:GetObjectTorrent",
            "s3:ListMultipartUploadParts",
            "s3:ListBucketMultipartUploads",
            "s3:GetBucketPolicy",
            "s3:GetBucketPolicyStatus",
            "s3:GetBucketCORS",
            "s3:GetLifecycleConfiguration",
            "s3:GetBucketLocation",
            "s3:GetBucketRequestPayment",
            "s3:GetAccelerateConfiguration",
            "s3:GetBucketLogging",
            "s3:GetBucketNotification",
            "s3:GetReplicationConfiguration",
            "s3:GetBucketWebsite",
            "s3:GetBucketVersioning",
            "s3:GetBucketObjectLockConfiguration",
            "s3:GetBucketOwnershipControls",
            "s3:GetAnalyticsConfiguration",
            "s3:GetInventoryConfiguration",
            "s3:GetMetricsConfiguration",
            "s3:GetIntelligentTieringConfiguration",
        ],
    ),
    ("List", &LIST),
    (
        "Write",
        &[
            "s3:PutObject",
            "s3:DeleteObject",
            "s3:DeleteObjectVersion",
            "s3:AbortMultipartUpload",
            "s3:PutObjectRetention",
            "s3:PutObjectLegalHold",
            "s3:PutBucketCORS",
            "s3:PutLifecycleConfiguration",
            "s3:PutBucketVersioning",
            "s3:PutBucketObjectLockConfiguration",
        ],
    ),
    (
        "Tagging",
        &[
            "s3:PutObjectTagging",
            "s3:PutObjectVersionTagging",
            "s3:DeleteObjectTagging",
            "s3:DeleteObjectVersionTagging",
            "s3:GetBucketTagging",
            "s3:PutBucketTagging",
        ],
    ),
    ("ReadAcp", &["s3:GetObjectAcl", "s3:GetObjectVersionAcl", "s3:GetBucketAcl"]),
    ("WriteAcp", &["s3:PutObjectAcl", "s3:PutObjectVersionAcl", "s3:PutBucketAcl"]),
    ("DeleteBucket", &["s3:DeleteBucket"]),
    ("PutBucketPolicy", &["s3:PutBucketPolicy"]),
    ("DeleteBucketPolicy", &["s3:DeleteBucketPolicy"]),
    ("BypassGovernanceRetention", &["s3:BypassGovernanceRetention"]),
    ("GetObjectRetention", &["s3:GetObjectRetention"]),
    ("PutObjectRetention", &["s3:PutObjectRetention"]),
    ("GetObjectLegalHold", &["s3:GetObjectLegalHold"]),
    ("PutObjectLegalHold", &["s3:PutObjectLegalHold"]),
    ("GetBucketObjectLockConfiguration", &["s3:GetBucketObjectLockConfiguration"]),
    ("PutBucketObjectLockConfiguration", &["s3:PutBucketObjectLockConfiguration"]),
];

/// What AWS needs in addition for operations whose headers carry tags or an ACL. In SeaweedFS they need only `Write`.
const WITH_HEADERS: [&str; 2] = ["s3:PutObjectTagging", "s3:PutObjectAcl"];
const HEADER_OPERATIONS: [&str; 5] =
    ["PutObject", "PostObject", "CopyObject", "CreateMultipartUpload", "CompleteMultipartUpload"];

impl CompiledPolicy {
    /// Translates SeaweedFS's legacy actions (`Read:bucket/prefix*`, `Admin`) of one identity. The second part of the
    /// result has one warning for each entry that is unknown or cannot match anything. The Sid of a statement is its
    /// entry.
    pub fn compile_legacy(actions: &[String]) -> (Self, Vec<String>) {
        let mut statements = Vec::new();
        let (mut warnings, mut buckets) = (Vec::new(), Vec::new());
        for entry in actions {
            match translate(entry) {
                Ok(translated) => {
                    statements.extend(translated);
                    buckets.push(bucket_of(entry));
                }
                Err(warning) => warnings.push(format!("legacy action `{entry}`: {warning}")),
            }
        }
        if !statements.is_empty() {
            // Any identity with actions may list buckets; the list shows the buckets that the actions name.
            statements.push(statement("ListAllMyBuckets", &["s3:ListAllMyBuckets"], &["*"], Vec::new()));
        }
        let statements = statements.iter().map(|statement| Statement::new(statement, PolicyKind::Identity, false));
        (Self::of_legacy(statements.collect(), buckets.into()), warnings)
    }
}

/// The bucket that an entry names; every bucket if it names none.
fn bucket_of(entry: &str) -> Pattern {
    let resource = entry.split_once(':').map_or("*", |(_, resource)| resource);
    let bucket = resource.split('/').next().unwrap_or(resource);
    Pattern::parse(bucket, Special { wildcards: true, variables: false })
}

/// The statements of one entry, or why it matches nothing.
fn translate(entry: &str) -> Result<Vec<grammar::Statement>, String> {
    let (name, resource) = match entry.split_once(':') {
        Some((name, resource)) => (name, Some(resource)),
        None => (entry, None),
    };
    let everything = ["*"];
    let all_of_s3 = ["s3:*"];
    let actions: &[&str] = match (name, resource) {
        ("Admin", None) => return Ok(vec![statement(entry, &everything, &everything, Vec::new())]),
        ("Admin" | "*", _) => &all_of_s3,
        _ => {
            let known = ACTIONS.iter().find(|(legacy, _)| *legacy == name);
            known.map(|(_, actions)| *actions).ok_or_else(|| unknown(name))?
        }
    };
    let Some(resource) = resource.filter(|resource| *resource != "*") else {
        return Ok(with_exceptions(entry, name, actions, &everything));
    };
    if resource.is_empty() {
        return Err("it names no bucket, so it matches nothing; leave out the colon for all buckets".to_owned());
    }
    if resource.contains(['*', '?']) {
        return Ok(wildcard(entry, name, actions, resource));
    }
    if resource.contains('/') {
        return Err(format!(
            "without a wildcard a resource is a whole bucket, so this matches nothing; write `{entry}*`"
        ));
    }
    let (bucket, objects) = (format!("arn:aws:s3:::{resource}"), format!("arn:aws:s3:::{resource}/*"));
    Ok(with_exceptions(entry, name, actions, &[&bucket, &objects]))
}

fn unknown(name: &str) -> String {
    let names = ACTIONS.iter().map(|(legacy, _)| *legacy).chain(["Admin"]);
    let meant = nearest(name, names).map(|word| format!("; did you mean `{word}`?")).unwrap_or_default();
    format!("`{name}` is not an action, so it matches nothing{meant}")
}

/// The actions on these resources, with the exceptions that depend on the operation.
fn with_exceptions(entry: &str, name: &str, actions: &[&str], resources: &[&str]) -> Vec<grammar::Statement> {
    let operation = |comparison, names: &[&str]| condition(comparison, false, OPERATION, names);
    match name {
        "Read" => vec![
            statement(entry, actions, resources, Vec::new()),
            statement(entry, &["s3:ListBucket"], resources, vec![operation(Comparison::StringEquals, &["HeadBucket"])]),
        ],
        "List" => {
            vec![statement(entry, actions, resources, vec![operation(Comparison::StringNotEquals, &["HeadBucket"])])]
        }
        "Write" => vec![
            statement(entry, actions, resources, Vec::new()),
            statement(entry, &WITH_HEADERS, resources, vec![operation(Comparison::StringEquals, &HEADER_OPERATIONS)]),
        ],
        _ => vec![statement(entry, actions, resources, Vec::new())],
    }
}

/// The statements of an entry with wildcards.
fn wildcard(entry: &str, name: &str, actions: &[&str], pattern: &str) -> Vec<grammar::Statement> {
    let resource = format!("arn:aws:s3:::{pattern}");
    let lists = matches!(name, "List" | "Admin" | "*");
    let others: Vec<&str> = match actions {
        ["s3:*"] => Action::all().filter(|action| action.service() == "s3").map(Action::as_str).collect(),
        actions => actions.to_vec(),
    };
    let others: Vec<&str> = others.into_iter().filter(|action| !LIST.contains(action)).collect();
    let mut all = if others.is_empty() { Vec::new() } else { with_exceptions(entry, name, &others, &[&resource]) };
    if lists {
        let is_listing = || condition(Comparison::StringNotEquals, false, OPERATION, &["HeadBucket"]);
        // HeadBucket is not a listing: an entry that allows everything allows it by the bucket's name.
        if name != "List" {
            let head = condition(Comparison::StringEquals, false, OPERATION, &["HeadBucket"]);
            all.push(statement(entry, &["s3:ListBucket"], &[&resource], vec![head]));
        }
        let no_prefix = condition(Comparison::StringEquals, true, "s3:prefix", &[""]);
        all.push(statement(entry, &LIST, &[&resource], vec![is_listing(), no_prefix]));
        for (bucket, prefix) in splits(pattern) {
            let some_prefix = condition(Comparison::StringNotEquals, false, "s3:prefix", &[""]);
            let prefix = condition(Comparison::StringLike, false, "s3:prefix", &[&prefix]);
            let bucket = format!("arn:aws:s3:::{bucket}");
            all.push(statement(entry, &LIST, &[&bucket], vec![is_listing(), some_prefix, prefix]));
        }
    }
    all
}

/// The ways to split a pattern for `bucket/prefix` into one for the bucket and one for the prefix: at the slash, or at
/// a wildcard that can match the slash.
fn splits(pattern: &str) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for (at, character) in pattern.char_indices() {
        let (before, rest) = pattern.split_at(at);
        let after = rest.get(character.len_utf8()..).unwrap_or_default();
        match character {
            '/' => {
                all.push((before.to_owned(), after.to_owned()));
                // A bucket's name has no slash, so the split cannot come later.
                break;
            }
            '*' => all.push((format!("{before}*"), format!("*{after}"))),
            '?' => all.push((before.to_owned(), after.to_owned())),
            _ => {}
        }
    }
    all
}

fn statement(
    sid: &str,
    actions: &[&str],
    resources: &[&str],
    conditions: Vec<grammar::Condition>,
) -> grammar::Statement {
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    grammar::Statement {
        sid: Some(sid.to_owned()),
        effect: Effect::Allow,
        principal: None,
        action: ActionElement { not: false, patterns: owned(actions) },
        resource: Some(ResourceElement { not: false, patterns: owned(resources) }),
        conditions,
    }
}

fn condition(comparison: Comparison, if_exists: bool, key: &str, values: &[&str]) -> grammar::Condition {
    let operator = Operator { set: None, comparison, if_exists };
    grammar::Condition {
        operator,
        key: key.to_owned(),
        values: values.iter().map(|value| (*value).to_owned()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::context::Context;
    use crate::decide::{CrossAccount, PolicySet, decide};
    use crate::principal::Principal;
    use crate::request::Request;

    /// `action bucket[/key]`, with `operation` and `prefix` if they are given.
    fn allows(entries: &[&str], action: &str, resource: &str, operation: Option<&str>, prefix: Option<&str>) -> bool {
        let entries: Vec<String> = entries.iter().map(|entry| (*entry).to_owned()).collect();
        let identity = [Arc::new(CompiledPolicy::compile_legacy(&entries).0)];
        let mut context = Context::new();
        operation.into_iter().for_each(|operation| context.set(OPERATION, operation));
        prefix.into_iter().for_each(|prefix| context.set("s3:prefix", prefix));
        let principal: Principal = "arn:aws:iam::000000000000:user/u".parse().unwrap();
        let request = Request {
            principal: &principal,
            principal_id: None,
            principal_canonical_id: None,
            action: crate::RequestAction::named(action),
            resource: &if resource == "*" { "*".to_owned() } else { format!("arn:aws:s3:::{resource}") },
            resource_account: ids::AccountId::DEFAULT,
            context: &context,
        };
        let policies = PolicySet { identity: &identity, cross_account: CrossAccount::Both, ..PolicySet::default() };
        decide(&policies, &request).is_allow()
    }

    /// What each entry allows on `bk1`, which holds `pre/x` and `q`, as a real SeaweedFS 4.48 answered.
    #[test]
    fn entries_allow_what_seaweedfs_allows() {
        let requests = [
            ("get pre/x", "s3:GetObject", "bk1/pre/x", "GetObject", None),
            ("get q", "s3:GetObject", "bk1/q", "GetObject", None),
            ("loc", "s3:GetBucketLocation", "bk1", "GetBucketLocation", None),
            ("getcors", "s3:GetBucketCORS", "bk1", "GetBucketCors", None),
            ("list", "s3:ListBucket", "bk1", "ListObjectsV2", None),
            ("list pre", "s3:ListBucket", "bk1", "ListObjectsV2", Some("pre")),
            ("list pr", "s3:ListBucket", "bk1", "ListObjectsV2", Some("pr")),
            ("putcors", "s3:PutBucketCORS", "bk1", "PutBucketCors", None),
            ("headb", "s3:ListBucket", "bk1", "HeadBucket", None),
            ("put", "s3:PutObject", "bk1/n", "PutObject", None),
            ("puttag", "s3:PutObjectTagging", "bk1/n", "PutObject", None),
            ("putacl", "s3:PutObjectAcl", "bk1/n", "PutObject", None),
            ("gettag", "s3:GetObjectTagging", "bk1/q", "GetObjectTagging", None),
            ("btag", "s3:GetBucketTagging", "bk1", "GetBucketTagging", None),
            ("acl", "s3:GetBucketAcl", "bk1", "GetBucketAcl", None),
            ("enc", "s3:GetEncryptionConfiguration", "bk1", "GetBucketEncryption", None),
            ("mkb", "s3:CreateBucket", "bk9", "CreateBucket", None),
            ("uploads", "s3:ListBucketMultipartUploads", "bk1", "ListMultipartUploads", None),
        ];
        for (entry, want) in [
            ("Read:bk1", "get pre/x, get q, loc, getcors, headb, gettag, uploads"),
            ("Read:bk1/*", "get pre/x, get q, gettag"),
            ("List:bk1/*", "list pre, list pr"),
            ("List:bk1/pre*", "list pre"),
            ("Read:bk*", "get pre/x, get q, loc, getcors, headb, gettag, uploads"),
            ("Write:bk1/*", "put, puttag, putacl"),
            ("Admin:bk1/*", "get pre/x, get q, list pre, list pr, put, puttag, putacl, gettag"),
            ("List:bk1", "list, list pre, list pr"),
            ("Read:bk1/pre", ""),
            ("Read", "get pre/x, get q, loc, getcors, headb, gettag, uploads"),
            ("Write", "putcors, put, puttag, putacl"),
            (
                "Admin:bk1",
                "get pre/x, get q, loc, getcors, list, list pre, list pr, putcors, headb, put, puttag, putacl, gettag, btag, acl, enc, uploads",
            ),
            ("List:bk*", "list, list pre, list pr"),
            ("Write:bk1", "putcors, put, puttag, putacl"),
            (
                "Admin:bk*",
                "get pre/x, get q, loc, getcors, list, list pre, list pr, putcors, headb, put, puttag, putacl, gettag, btag, acl, enc, mkb, uploads",
            ),
            ("List:*1/pre*", "list pre"),
            ("Read:bk?/pre*", "get pre/x"),
            // The tags alone do not store the object: that takes s3:PutObject as well.
            ("Tagging", "puttag, btag"),
            ("List", "list, list pre, list pr"),
            ("Read:other", ""),
            ("Nope", ""),
        ] {
            let allowed = requests.iter().filter(|(_, action, resource, operation, prefix)| {
                allows(&[entry], action, resource, Some(operation), *prefix)
            });
            let allowed: Vec<&str> = allowed.map(|(name, ..)| *name).collect();
            assert_eq!(allowed.join(", "), want, "{entry}");
        }
    }

    #[test]
    fn entries_name_buckets() {
        for (entries, bucket, want) in [
            (vec!["Read:b1"], "b1", true),
            (vec!["Read:b1"], "b10", false),
            (vec!["Read:b1", "Write:b2/in*"], "b2", true),
            (vec!["Admin:cdn-*"], "cdn-1", true),
            (vec!["Admin:cdn-*"], "other", false),
            (vec!["List"], "b1", true),
            (vec!["Admin"], "b1", true),
            (vec!["List:*"], "b1", true),
            (vec!["Nope:b1"], "b1", false),
            (vec!["Read:b1/key"], "b1", false),
            (vec![], "b1", false),
        ] {
            let entries: Vec<String> = entries.into_iter().map(str::to_owned).collect();
            let (policy, _) = CompiledPolicy::compile_legacy(&entries);
            assert_eq!(policy.legacy_names(bucket), Some(want), "{entries:?} {bucket}");
        }
    }

    #[test]
    fn only_admin_without_a_resource_reaches_beyond_s3() {
        for (entry, action, want) in [
            ("Admin", "iam:CreateUser", true),
            ("Admin", "x:Y", true),
            ("*", "iam:CreateUser", false),
            ("Admin:*", "iam:CreateUser", false),
            ("Admin:*", "s3:CreateBucket", true),
            ("Read", "iam:GetUser", false),
            ("Tagging", "s3:PutObjectTagging", true),
            ("Write", "s3:PutObjectTagging", false),
            ("Read", "s3:ListAllMyBuckets", true),
            ("Nope", "s3:ListAllMyBuckets", false),
        ] {
            assert_eq!(allows(&[entry], action, "*", None, None), want, "{entry} {action}");
        }
    }

    #[test]
    fn entries_that_match_nothing_give_a_warning() {
        let entries = ["Read", "Raed:b", "Read:b/key", "Read:", "", "Admin"].map(str::to_owned);
        let (_, warnings) = CompiledPolicy::compile_legacy(&entries);
        assert_eq!(warnings.len(), 4, "{warnings:?}");
        assert!(warnings[0].contains("did you mean `Read`?"), "{}", warnings[0]);
        assert!(warnings[1].contains("write `Read:b/key*`"), "{}", warnings[1]);
    }

    #[test]
    fn every_name_of_the_table_is_an_action() {
        for (legacy, names) in ACTIONS {
            for name in names {
                assert!(Action::named(name).is_some_and(|action| action.as_str() == *name), "{legacy}: {name}");
            }
        }
    }
}
