use crate::op::{CreateBucketConfiguration, DeleteRequest, OtherOperation, PutObject};
use crate::operation::Operation;
use crate::tagging::{MAX_BUCKET_TAGS, MAX_OBJECT_TAGS, TagSet};
use crate::xml::parse;
use crate::{S3Error, time};

/// What the body of a request adds to the permissions that it needs and to its condition keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum BodyFacts {
    /// Nothing.
    #[default]
    None,
    /// DeleteObjects: each key is a requirement of its own.
    Delete(DeleteRequest),
    /// PutObjectTagging, PutBucketTagging.
    Tags(TagSet),
    /// CreateBucket.
    CreateBucket(CreateBucketConfiguration),
    /// PutObjectRetention.
    Retention {
        /// `GOVERNANCE` or `COMPLIANCE`; absent to remove the retention.
        mode: Option<String>,
        /// As it was sent, an ISO 8601 date.
        retain_until_date: Option<String>,
    },
    /// PutObjectLegalHold: `ON` or `OFF`.
    LegalHold(String),
    /// PostObject: the upload that the form stands for ([`PostForm::into_put`](crate::op::PostForm::into_put)).
    Form(Box<PutObject>),
}

impl BodyFacts {
    /// The most bytes of a body that must be read before the decision; `None` when the decision needs no body.
    ///
    /// A form is read up to its file by the one who executes, and becomes [`BodyFacts::Form`].
    pub fn limit(op: &Operation) -> Option<usize> {
        match op {
            Operation::DeleteObjects(_) => Some(2 << 20),
            Operation::PutObjectTagging(_) | Operation::PutBucketTagging(_) => Some(128 << 10),
            Operation::CreateBucket(_) => Some(64 << 10),
            Operation::Other(other) => match other.operation {
                OtherOperation::PutObjectRetention | OtherOperation::PutObjectLegalHold => Some(16 << 10),
                _ => None,
            },
            _ => None,
        }
    }

    /// Reads the body of an operation that has a [`BodyFacts::limit`]; every other body says nothing.
    pub fn read(op: &Operation, body: &[u8]) -> Result<Self, S3Error> {
        match op {
            Operation::DeleteObjects(_) => DeleteRequest::from_xml(body).map(Self::Delete),
            Operation::PutObjectTagging(_) => TagSet::from_xml(body, MAX_OBJECT_TAGS).map(Self::Tags),
            Operation::PutBucketTagging(_) => TagSet::from_xml(body, MAX_BUCKET_TAGS).map(Self::Tags),
            Operation::CreateBucket(_) => CreateBucketConfiguration::from_xml(body).map(Self::CreateBucket),
            Operation::Other(other) => match other.operation {
                OtherOperation::PutObjectRetention => retention(body),
                OtherOperation::PutObjectLegalHold => legal_hold(body),
                _ => Ok(Self::None),
            },
            _ => Ok(Self::None),
        }
    }
}

fn retention(body: &[u8]) -> Result<BodyFacts, S3Error> {
    let root = parse(body, "Retention")?;
    root.only(&["Mode", "RetainUntilDate"])?;
    let text =
        |name| Ok::<_, S3Error>(root.child_text(name)?.map(|text| text.trim().to_owned()).filter(|t| !t.is_empty()));
    let (mode, retain_until_date) = (text("Mode")?, text("RetainUntilDate")?);
    let known_mode = mode.as_deref().is_none_or(|mode| matches!(mode, "GOVERNANCE" | "COMPLIANCE"));
    let known_date = retain_until_date.as_deref().is_none_or(|date| time::parse_date(date).is_some());
    if !known_mode || !known_date || mode.is_some() != retain_until_date.is_some() {
        let reason =
            "`Mode` is GOVERNANCE or COMPLIANCE, `RetainUntilDate` an ISO 8601 date, and both are there or none";
        return Err(S3Error::malformed_xml(reason));
    }
    Ok(BodyFacts::Retention { mode, retain_until_date })
}

fn legal_hold(body: &[u8]) -> Result<BodyFacts, S3Error> {
    let root = parse(body, "LegalHold")?;
    root.only(&["Status"])?;
    match root.required("Status")?.trim() {
        status @ ("ON" | "OFF") => Ok(BodyFacts::LegalHold(status.to_owned())),
        _ => Err(S3Error::malformed_xml("`Status` is ON or OFF")),
    }
}
