use crate::S3Error;
use crate::condition_keys::ConditionKeys;
use crate::conditional::WriteCondition;
use crate::request::Request;
use crate::requirement::{ConditionalRequirement, Requirement, delete_object};
use crate::routed::{Route, Routed};
use crate::s3_operation::S3Operation;
use crate::target::{Addressed, Target};

/// `DELETE /bucket/key`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeleteObject {
    /// The object.
    pub target: Target,
    /// `If-Match`.
    pub condition: WriteCondition,
    /// `x-amz-bypass-governance-retention: true`.
    pub bypass_governance_retention: bool,
    /// `x-amz-mfa`.
    pub mfa: Option<String>,
}

impl Routed for DeleteObject {
    type On = Target;
    const ROUTE: Route = Route::new("DELETE").of_version();

    fn parse(request: &Request<'_>, target: Target) -> Result<Self, S3Error> {
        for header in ["x-amz-if-match-last-modified-time", "x-amz-if-match-size"] {
            if request.has_header(header) {
                return Err(S3Error::not_implemented(format_args!("The header {header}")));
            }
        }
        let condition = WriteCondition::parse(request)?;
        if condition == WriteCondition::IfAbsent {
            return Err(S3Error::not_implemented("If-None-Match on a delete"));
        }
        Ok(Self {
            target,
            condition,
            bypass_governance_retention: request.flag("x-amz-bypass-governance-retention")?,
            mfa: request.owned_header("x-amz-mfa")?,
        })
    }
}

impl S3Operation for DeleteObject {
    fn addressed(&self) -> Addressed<'_> {
        (&self.target).into()
    }

    fn needs(&self) -> Vec<Requirement> {
        let Target { bucket, key, version_id } = &self.target;
        delete_object(bucket, key, version_id.as_ref(), self.bypass_governance_retention)
    }

    fn conditional(&self) -> Vec<ConditionalRequirement> {
        ConditionalRequirement::compare_tag(&self.condition, &self.target.bucket, &self.target.key)
    }

    fn set_condition_keys(&self, keys: &mut ConditionKeys<'_>) -> Result<(), S3Error> {
        keys.write_condition(&self.condition)
    }
}
