use ids::BucketName;

use crate::checksum::BodyChecksums;
use crate::condition_keys::ConditionKeys;
use crate::document;
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
    /// What the body says; nothing until it is read.
    pub retention: Retention,
}

impl Routed for PutObjectRetention {
    type On = Target;
    const ROUTE: Route = Route::sub("PUT", "retention").of_version();

    fn parse(request: &Request<'_>, target: Target) -> Result<Self, S3Error> {
        Ok(Self {
            target,
            bypass_governance_retention: request.flag("x-amz-bypass-governance-retention")?,
            checksums: BodyChecksums::parse(request)?,
            retention: Retention::default(),
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
        keys.retention(self.retention.mode.as_deref(), self.retention.retain_until_date.as_deref());
        Ok(())
    }

    fn body_limit(&self) -> Option<usize> {
        Some(BODY_BYTES_MAX)
    }

    fn read_body(&mut self, body: &[u8]) -> Result<(), S3Error> {
        self.retention = Retention::from_xml(body)?;
        Ok(())
    }

    fn checksums(&self) -> Option<&BodyChecksums> {
        Some(&self.checksums)
    }
}

/// The body of PutObjectRetention.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// `GOVERNANCE` or `COMPLIANCE`; absent to remove the retention.
    pub mode: Option<String>,
    /// As it was sent, an ISO 8601 date.
    pub retain_until_date: Option<String>,
}

impl Retention {
    fn from_xml(body: &[u8]) -> Result<Self, S3Error> {
        let root = xml::parse(body, "Retention")?;
        root.only(&["Mode", "RetainUntilDate"])?;
        let text = |name| {
            Ok::<_, S3Error>(root.child_text(name)?.map(|text| text.trim().to_owned()).filter(|t| !t.is_empty()))
        };
        let (mode, retain_until_date) = (text("Mode")?, text("RetainUntilDate")?);
        let known_mode = mode.as_deref().is_none_or(|mode| matches!(mode, "GOVERNANCE" | "COMPLIANCE"));
        let known_date = retain_until_date.as_deref().is_none_or(|date| time::parse_iso8601(date).is_some());
        if !known_mode || !known_date || mode.is_some() != retain_until_date.is_some() {
            let reason =
                "`Mode` must be GOVERNANCE or COMPLIANCE, `RetainUntilDate` an ISO 8601 date; give both or neither";
            return Err(S3Error::malformed_xml(reason));
        }
        Ok(Self { mode, retain_until_date })
    }
}

/// The answer to GetObjectRetention: `mode` is `GOVERNANCE` or `COMPLIANCE`, `retain_until` seconds since 1970.
pub fn retention_to_xml(mode: &str, retain_until: i64) -> String {
    let mut xml = document::begin("Retention");
    xml.text("Mode", mode);
    xml.text("RetainUntilDate", &time::iso8601(retain_until));
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
    /// `ON` or `OFF`; absent until the body is read.
    pub status: Option<String>,
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
        keys.optional("s3:object-lock-legal-hold", self.status.as_deref());
        Ok(())
    }

    fn body_limit(&self) -> Option<usize> {
        Some(BODY_BYTES_MAX)
    }

    fn read_body(&mut self, body: &[u8]) -> Result<(), S3Error> {
        let root = xml::parse(body, "LegalHold")?;
        root.only(&["Status"])?;
        match root.required("Status")?.trim() {
            status @ ("ON" | "OFF") => self.status = Some(status.to_owned()),
            _ => return Err(S3Error::malformed_xml("`Status` is ON or OFF")),
        }
        Ok(())
    }

    fn checksums(&self) -> Option<&BodyChecksums> {
        Some(&self.checksums)
    }
}

/// The answer to GetObjectLegalHold: `ON` or `OFF`.
pub fn legal_hold_to_xml(status: &str) -> String {
    let mut xml = document::begin("LegalHold");
    xml.text("Status", status);
    xml.close("LegalHold");
    xml.finish()
}

plain_operation! {
    /// `GET /bucket?object-lock`.
    GetObjectLockConfiguration { bucket: BucketName }
    route Route::sub("GET", "object-lock");
    needs "s3:GetBucketObjectLockConfiguration";
}

/// How long new objects of a bucket are kept. Either days or years is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DefaultRetention<'a> {
    /// `GOVERNANCE` or `COMPLIANCE`.
    pub mode: &'a str,
    /// Days.
    pub days: u32,
    /// Years.
    pub years: u32,
}

/// `PUT /bucket?object-lock`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PutObjectLockConfiguration {
    /// The bucket.
    pub bucket: BucketName,
    /// What the body is checked against.
    pub checksums: BodyChecksums,
    /// The default retention that the body sets; none until it is read.
    pub default: Option<NewDefaultRetention>,
}

/// How long new objects are to be kept. Either days or years is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewDefaultRetention {
    /// `GOVERNANCE` or `COMPLIANCE`.
    pub mode: &'static str,
    /// Days, at most 36500.
    pub days: u32,
    /// Years, at most 100.
    pub years: u32,
}

impl NewDefaultRetention {
    const DAYS_MAX: u32 = 36_500;
    const YEARS_MAX: u32 = 100;

    fn from_xml(body: &[u8]) -> Result<Option<Self>, S3Error> {
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
        let mode = match default.required("Mode")?.trim() {
            "GOVERNANCE" => "GOVERNANCE",
            "COMPLIANCE" => "COMPLIANCE",
            _ => return Err(S3Error::malformed_xml("`Mode` is GOVERNANCE or COMPLIANCE")),
        };
        match (default.child_text("Days")?, default.child_text("Years")?) {
            (Some(days), None) => Ok(Some(Self { mode, days: period(days, Self::DAYS_MAX)?, years: 0 })),
            (None, Some(years)) => Ok(Some(Self { mode, days: 0, years: period(years, Self::YEARS_MAX)? })),
            _ => Err(S3Error::malformed_xml("a `DefaultRetention` has either `Days` or `Years`")),
        }
    }
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
        self.default = NewDefaultRetention::from_xml(body)?;
        Ok(())
    }

    fn checksums(&self) -> Option<&BodyChecksums> {
        Some(&self.checksums)
    }
}

/// The answer to GetObjectLockConfiguration of a bucket that has locks.
pub fn object_lock_to_xml(default: Option<DefaultRetention<'_>>) -> String {
    let mut xml = document::begin("ObjectLockConfiguration");
    xml.text("ObjectLockEnabled", "Enabled");
    if let Some(default) = default {
        xml.open("Rule");
        xml.open("DefaultRetention");
        xml.text("Mode", default.mode);
        match (default.days, default.years) {
            (0, years) => xml.value("Years", years),
            (days, _) => xml.value("Days", days),
        };
        xml.close("DefaultRetention");
        xml.close("Rule");
    }
    xml.close("ObjectLockConfiguration");
    xml.finish()
}
