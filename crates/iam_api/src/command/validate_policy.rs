//! ValidatePolicy, which on AWS belongs to IAM Access Analyzer: the findings for a document, without storing it.

use policy::{PolicyKind, Severity};

use super::policy_document::check_length;
use super::{Answer, Command, IamError, Outcome, Request, read};
use crate::answer::fragment;
use iam::Snapshot;

pub(super) const COMMANDS: &[Command] =
    &[read("ValidatePolicy", validate_policy).needing("access-analyzer:ValidatePolicy").costly()];

fn validate_policy(request: &Request<'_>, _: &Snapshot) -> Answer {
    let document = request.params.required("PolicyDocument")?;
    check_length("PolicyDocument", document).map_err(IamError::validation)?;
    let kind = kind(request)?;
    let mut xml = fragment();
    xml.element("Findings", |xml| {
        for finding in policy::validate(kind, None, document) {
            let severity = match finding.severity {
                Severity::Error => "ERROR",
                Severity::SecurityWarning => "SECURITY_WARNING",
                Severity::Warning => "WARNING",
                Severity::Suggestion => "SUGGESTION",
            };
            xml.element("member", |xml| {
                xml.text("FindingType", severity).text("FindingDetails", &finding.message);
                xml.text("Path", &finding.path).text("Advice", &finding.advice);
            });
        }
    });
    Ok(Outcome::answer(xml.finish()))
}

fn kind(request: &Request<'_>) -> Result<PolicyKind, IamError> {
    let resource = request.params.get("ValidatePolicyResourceType");
    match (request.params.required("PolicyType")?, resource) {
        ("IDENTITY_POLICY", None) => Ok(PolicyKind::Identity),
        ("RESOURCE_POLICY", None | Some("AWS::S3::Bucket")) => Ok(PolicyKind::Bucket),
        ("RESOURCE_POLICY", Some("AWS::IAM::AssumeRolePolicyDocument")) => Ok(PolicyKind::Trust),
        ("IDENTITY_POLICY", Some(_)) => {
            Err(IamError::validation("ValidatePolicyResourceType is only valid with the PolicyType RESOURCE_POLICY"))
        }
        ("RESOURCE_POLICY", Some(other)) => Err(IamError::validation(format!(
            "ValidatePolicyResourceType: `{other}` is neither AWS::S3::Bucket nor AWS::IAM::AssumeRolePolicyDocument"
        ))),
        (other, _) => Err(IamError::validation(format!(
            "PolicyType: `{other}` is neither IDENTITY_POLICY nor RESOURCE_POLICY; there are no other types of policies here"
        ))),
    }
}
