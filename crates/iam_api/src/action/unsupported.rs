//! IAM's actions that Kelpgate does not run, where AWS's reference does not say all. Their permissions are decided all the
//! same: only those who may call one learn that it is not implemented.

use policy::ResourceType::IamServerCertificate;

use super::{Key, Permission, QueryAction, Resource};
use crate::error::IamError;
use crate::params::{Params, checked_name};
use crate::query_caller::QueryCaller;
use crate::resource::renaming;

pub(super) const ACTIONS: &[QueryAction] = &[
    QueryAction { resource: Resource::By(saml_provider), ..QueryAction::iam("CreateSAMLProvider") },
    QueryAction {
        resource: Resource::By(service_linked_role),
        keys: &[Key::Of("iam:AWSServiceName", "AWSServiceName")],
        ..QueryAction::iam("CreateServiceLinkedRole")
    },
    QueryAction {
        keys: &[
            Key::Of("iam:ServiceSpecificCredentialServiceName", "ServiceName"),
            Key::Of("iam:ServiceSpecificCredentialAgeDays", "CredentialAgeDays"),
        ],
        ..QueryAction::iam("CreateServiceSpecificCredential")
    },
    QueryAction { resource: Resource::Arn("Arn"), ..QueryAction::iam("GenerateServiceLastAccessedDetails") },
    QueryAction { resource: Resource::Arn("Arn"), ..QueryAction::iam("ListPoliciesGrantingServiceAccess") },
    QueryAction { permission: Permission::Only, ..QueryAction::iam("PassRole") },
    QueryAction {
        further: Some(|params, caller, _| {
            renaming("iam:UpdateServerCertificate", IamServerCertificate, params, caller)
        }),
        ..QueryAction::iam("UpdateServerCertificate")
    },
    QueryAction { resource: Resource::New, ..QueryAction::iam("UploadServerCertificate") },
];

fn saml_provider(params: &Params, caller: &QueryCaller<'_>) -> Result<String, IamError> {
    let name = checked_name("Name", params.required("Name")?, 128)?;
    Ok(format!("arn:aws:iam::{}:saml-provider/{name}", caller.account))
}

fn service_linked_role(params: &Params, caller: &QueryCaller<'_>) -> Result<String, IamError> {
    let service = checked_name("AWSServiceName", params.required("AWSServiceName")?, 128)?;
    Ok(format!("arn:aws:iam::{}:role/aws-service-role/{service}/*", caller.account))
}
