use ids::{BucketName, DefaultRetention, LegalHold, Retention, RetentionMode, RetentionPeriod};

use crate::checksum::BodyChecksums;
use crate::condition_keys::ConditionKeys;
use crate::document;
use crate::object_headers::RequestedRetention;
use crate::request::Request;
use crate::requirement::Requirement;
use crate::routed::{Route, Routed};
use crate::s3_operation::S3Operation;
use crate::target::{Addressed, Target};
use crate::{S3Error, S3ErrorCode, time};

/// The largest document of a retention or a legal hold, in bytes.
const BODY_BYTES_MAX: usize = 16 << 10;

plain_operation! {
    /// `GET /bucket/key?retention`.
    GetObjectRetention { target: Target }
    route Route::sub("GET", "retention").of_version();
    needs "s3:GetObjectRetention";
}

/// `PUT /bucket/key?retention`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PutObjectRetention {
    /// The object.
    pub target: Target,
    /// `x-amz-bypass-governance-retention: true`.
    pub bypass_governance_retention: bool,
    /// What the body is checked against.
    pub checksums: BodyChecksums,
    /// What the body says; `None` to remove the retention, and until the body is read.
    pub retention: Option<RequestedRetention>,
}

impl Routed for PutObjectRetention {
    type On = Target;
    const ROUTE: Route = Route::sub("PUT", "retention").of_version();

    fn parse(request: &Request<'_>, target: Target) -> Result<Self, S3Error> {
        Ok(Self {
            target,
            bypass_governance_retention: request.flag("x-amz-bypass-governance-retention")?,
            checksums: BodyChecksums::parse(request)?,
            retention: None,
        })
    }
}

impl S3Operation for PutObjectRetention {
    fn addressed(&self) -> Addressed<'_> {
        (&self.target).into()
    }

    fn needs(&self) -> Vec<Requirement> {
        let mut needs = vec![self.target.need("s3:PutObjectRetention")];
        if self.bypass_governance_retention {
            needs.push(self.target.need("s3:BypassGovernanceRetention"));
        }
        needs
    }

    fn set_condition_keys(&self, keys: &mut ConditionKeys<'_>) -> Result<(), S3Error> {
        keys.retention(self.retention.as_ref());
        Ok(())
    }

    fn body_limit(&self) -> Option<usize> {
        Some(BODY_BYTES_MAX)
    }

    fn read_body(&mut self, body: &[u8]) -> Result<(), S3Error> {
        self.retention = retention_from_xml(body)?;
        Ok(())
    }

    fn checksums(&self) -> Option<&BodyChecksums> {
        Some(&self.checksums)
    }
}

/// The body of PutObjectRetention.
fn retention_from_xml(body: &[u8]) -> Result<Option<RequestedRetention>, S3Error> {
    let root = xml::parse(body, "Retention")?;
    root.only(&["Mode", "RetainUntilDate"])?;
    let text = |name| Ok::<_, S3Error>(root.child_text(name)?.map(str::trim).filter(|text| !text.is_empty()));
    let read = match (text("Mode")?, text("RetainUntilDate")?) {
        (None, None) => return Ok(None),
        (Some(mode), Some(date)) => RetentionMode::named(mode).and_then(|mode| RequestedRetention::parse(mode, date)),
        _ => None,
    };
    let reason = "`Mode` must be GOVERNANCE or COMPLIANCE, `RetainUntilDate` an ISO 8601 date; give both or neither";
    read.map(Some).ok_or_else(|| S3Error::malformed_xml(reason))
}

/// The answer to GetObjectRetention.
pub fn retention_to_xml(retention: Retention) -> String {
    let mut xml = document::begin("Retention");
    xml.text("Mode", retention.mode.as_str());
    xml.text("RetainUntilDate", &time::iso8601(retention.until_s));
    xml.close("Retention");
    xml.finish()
}

plain_operation! {
    /// `GET /bucket/key?legal-hold`.
    GetObjectLegalHold { target: Target }
    route Route::sub("GET", "legal-hold").of_version();
    needs "s3:GetObjectLegalHold";
}

/// `PUT /bucket/key?legal-hold`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PutObjectLegalHold {
    /// The object.
    pub target: Target,
    /// What the body is checked against.
    pub checksums: BodyChecksums,
    /// What the body says; absent until it is read.
    pub status: Option<LegalHold>,
}

impl Routed for PutObjectLegalHold {
    type On = Target;
    const ROUTE: Route = Route::sub("PUT", "legal-hold").of_version();

    fn parse(request: &Request<'_>, target: Target) -> Result<Self, S3Error> {
        Ok(Self { target, checksums: BodyChecksums::parse(request)?, status: None })
    }
}

impl S3Operation for PutObjectLegalHold {
    fn addressed(&self) -> Addressed<'_> {
        (&self.target).into()
    }

    fn needs(&self) -> Vec<Requirement> {
        vec![self.target.need("s3:PutObjectLegalHold")]
    }

    fn set_condition_keys(&self, keys: &mut ConditionKeys<'_>) -> Result<(), S3Error> {
        keys.optional("s3:object-lock-legal-hold", self.status.map(LegalHold::as_str));
        Ok(())
    }

    fn body_limit(&self) -> Option<usize> {
        Some(BODY_BYTES_MAX)
    }

    fn read_body(&mut self, body: &[u8]) -> Result<(), S3Error> {
        let root = xml::parse(body, "LegalHold")?;
        root.only(&["Status"])?;
        let status = LegalHold::named(root.required("Status")?.trim());
        self.status = Some(status.ok_or_else(|| S3Error::malformed_xml("`Status` is ON or OFF"))?);
        Ok(())
    }

    fn checksums(&self) -> Option<&BodyChecksums> {
        Some(&self.checksums)
    }
}

/// The answer to GetObjectLegalHold.
pub fn legal_hold_to_xml(status: LegalHold) -> String {
    let mut xml = document::begin("LegalHold");
    xml.text("Status", status.as_str());
    xml.close("LegalHold");
    xml.finish()
}

plain_operation! {
    /// `GET /bucket?object-lock`.
    GetObjectLockConfiguration { bucket: BucketName }
    route Route::sub("GET", "object-lock");
    needs "s3:GetBucketObjectLockConfiguration";
}

/// `PUT /bucket?object-lock`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PutObjectLockConfiguration {
    /// The bucket.
    pub bucket: BucketName,
    /// What the body is checked against.
    pub checksums: BodyChecksums,
    /// The default retention that the body sets; none until it is read.
    pub default: Option<DefaultRetention>,
}

/// The longest default retention, in days.
const DAYS_MAX: u32 = 36_500;
/// The longest default retention, in years.
const YEARS_MAX: u32 = 100;

/// The body of PutObjectLockConfiguration.
fn default_from_xml(body: &[u8]) -> Result<Option<DefaultRetention>, S3Error> {
    let root = xml::parse(body, "ObjectLockConfiguration")?;
    root.only(&["ObjectLockEnabled", "Rule"])?;
    if root.required("ObjectLockEnabled")?.trim() != "Enabled" {
        return Err(S3Error::malformed_xml("`ObjectLockEnabled` is Enabled"));
    }
    let Some(rule) = root.one("Rule")? else { return Ok(None) };
    rule.only(&["DefaultRetention"])?;
    let missing = || S3Error::malformed_xml("a `Rule` has a `DefaultRetention`");
    let default = rule.one("DefaultRetention")?.ok_or_else(missing)?;
    default.only(&["Mode", "Days", "Years"])?;
    let mode = RetentionMode::named(default.required("Mode")?.trim());
    let mode = mode.ok_or_else(|| S3Error::malformed_xml("`Mode` is GOVERNANCE or COMPLIANCE"))?;
    let period = match (default.child_text("Days")?, default.child_text("Years")?) {
        (Some(days), None) => RetentionPeriod::Days(period(days, DAYS_MAX)?),
        (None, Some(years)) => RetentionPeriod::Years(period(years, YEARS_MAX)?),
        _ => return Err(S3Error::malformed_xml("a `DefaultRetention` has either `Days` or `Years`")),
    };
    Ok(Some(DefaultRetention { mode, period }))
}

fn period(text: &str, most: u32) -> Result<u32, S3Error> {
    let number: i64 = text.trim().parse().map_err(|_| S3Error::malformed_xml("a period is a number"))?;
    match u32::try_from(number) {
        Ok(number) if (1..=most).contains(&number) => Ok(number),
        Ok(0) | Err(_) if number <= 0 => {
            let message = "Default retention period must be a positive integer value.";
            Err(S3Error::with_message(S3ErrorCode::InvalidRetentionPeriod, message))
        }
        _ => {
            let message = format!("Default retention period too large: at most {most}.");
            Err(S3Error::with_message(S3ErrorCode::InvalidRetentionPeriod, message))
        }
    }
}

impl Routed for PutObjectLockConfiguration {
    type On = BucketName;
    const ROUTE: Route = Route::sub("PUT", "object-lock");

    fn parse(request: &Request<'_>, bucket: BucketName) -> Result<Self, S3Error> {
        Ok(Self { bucket, checksums: BodyChecksums::parse(request)?, default: None })
    }
}

impl S3Operation for PutObjectLockConfiguration {
    fn addressed(&self) -> Addressed<'_> {
        (&self.bucket).into()
    }

    fn needs(&self) -> Vec<Requirement> {
        vec![Requirement::on_bucket("s3:PutBucketObjectLockConfiguration", &self.bucket)]
    }

    fn body_limit(&self) -> Option<usize> {
        Some(BODY_BYTES_MAX)
    }

    fn read_body(&mut self, body: &[u8]) -> Result<(), S3Error> {
        self.default = default_from_xml(body)?;
        Ok(())
    }

    fn checksums(&self) -> Option<&BodyChecksums> {
        Some(&self.checksums)
    }
}

/// The answer to GetObjectLockConfiguration of a bucket that has locks.
pub fn object_lock_to_xml(default: Option<DefaultRetention>) -> String {
    let mut xml = document::begin("ObjectLockConfiguration");
    xml.text("ObjectLockEnabled", "Enabled");
    if let Some(default) = default {
        xml.open("Rule");
        xml.open("DefaultRetention");
        xml.text("Mode", default.mode.as_str());
        match default.period {
            RetentionPeriod::Days(days) => xml.value("Days", days),
            RetentionPeriod::Years(years) => xml.value("Years", years),
        };
        xml.close("DefaultRetention");
        xml.close("Rule");
    }
    xml.close("ObjectLockConfiguration");
    xml.finish()
}
