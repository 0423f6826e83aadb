//! The managed policies of AWS that are about S3 and IAM. Everyone can attach them; no one can change them.
//!
//! Their names here are their ARNs: no other policy can have such a name, because names have no colon.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::compiled::Compiled;
use super::managed_policy::ManagedPolicy;
use crate::entity::PolicyRecord;
use crate::unique_id::unique_id;

/// By name.
pub(super) type AwsManaged = BTreeMap<Arc<str>, Arc<ManagedPolicy>>;

/// How the ARNs of these policies begin.
const PREFIX: &str = "arn:aws:iam::aws:policy/";

/// The name, when AWS created it (seconds since 1970), and the text.
///
/// Source: AWS Managed Policy Reference Guide.
const POLICIES: [(&str, i64, &str); 5] = [
    (
        "AdministratorAccess",
        1_423_247_986,
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#,
    ),
    (
        "AmazonS3FullAccess",
        1_423_248_058,
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:*","s3-object-lambda:*"],"Resource":"*"}]}"#,
    ),
    (
        "AmazonS3ReadOnlyAccess",
        1_423_248_059,
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:Get*","s3:List*","s3:Describe*","s3-object-lambda:Get*","s3-object-lambda:List*"],"Resource":"*"}]}"#,
    ),
    (
        "IAMFullAccess",
        1_423_248_038,
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["iam:*","organizations:DescribeAccount","organizations:DescribeOrganization","organizations:DescribeOrganizationalUnit","organizations:DescribePolicy","organizations:ListChildren","organizations:ListParents","organizations:ListPoliciesForTarget","organizations:ListRoots","organizations:ListPolicies","organizations:ListTargetsForPolicy"],"Resource":"*"}]}"#,
    ),
    (
        "IAMReadOnlyAccess",
        1_423_248_039,
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["iam:GenerateCredentialReport","iam:GenerateServiceLastAccessedDetails","iam:Get*","iam:List*","iam:SimulateCustomPolicy","iam:SimulatePrincipalPolicy"],"Resource":"*"}]}"#,
    ),
];

/// Whether this is the ARN of one of these policies.
pub(super) fn is_arn(arn: &str) -> bool {
    arn.strip_prefix(PREFIX).is_some_and(|name| POLICIES.iter().any(|(known, ..)| *known == name))
}

/// All of them.
pub(super) fn all(texts: &mut Compiled) -> AwsManaged {
    POLICIES.iter().map(|policy| of(policy, texts)).map(|policy| (policy.name.clone(), Arc::new(policy))).collect()
}

fn of((name, created_s, text): &(&str, i64, &str), texts: &mut Compiled) -> ManagedPolicy {
    let arn: Arc<str> = format!("{PREFIX}{name}").into();
    let text: Arc<str> = Arc::from(*text);
    let compiled = texts.identity(&text, name);
    let id = unique_id("ANPA", "", &arn);
    let record = PolicyRecord { text: text.clone(), created_s: *created_s, version: 1, ..PolicyRecord::default() };
    ManagedPolicy { name: arn.clone(), id, account: None, arn, text, compiled, record, places: Default::default() }
}
