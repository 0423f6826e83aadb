//! What AWS's Service Authorization Reference says of an action.

/// The access level of an action.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "AWS's own words for access levels")]
pub enum Level {
    List,
    Read,
    Write,
    Tagging,
    Permissions,
}

/// A type of resource of the Service Authorization Reference, prefixed with its service.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "AWS's own words for resource types")]
pub enum ResourceType {
    IamAccessReport,
    IamDelegationRequest,
    IamGroup,
    IamInstanceProfile,
    IamMfa,
    IamOidcProvider,
    IamPolicy,
    IamRole,
    IamRoleTemplate,
    IamSamlProvider,
    IamServerCertificate,
    IamSmsMfa,
    IamUser,
    S3Accessgrant,
    S3Accessgrantsinstance,
    S3Accessgrantslocation,
    S3Accesspoint,
    S3Accesspointobject,
    S3Bucket,
    S3Job,
    S3Multiregionaccesspoint,
    S3Multiregionaccesspointrequestarn,
    S3Object,
    S3Objectlambdaaccesspoint,
    S3Storagelensconfiguration,
    S3Storagelensgroup,
    StsFederatedUser,
    StsRole,
    StsRootUser,
    StsSelfSession,
}

pub(crate) struct ActionFacts {
    pub name: &'static str,
    pub level: Level,
    pub resources: &'static [ResourceType],
    pub keys: &'static [&'static str],
}
