//! Locks of objects: what is stored is shown, and nothing is set yet.

use access::Permit;
use s3::op::{
    DefaultRetention, GetObjectLegalHold, GetObjectLockConfiguration, GetObjectRetention, PutObjectLegalHold,
    PutObjectRetention, legal_hold_to_xml, object_lock_to_xml, retention_to_xml,
};
use s3::{S3Error, S3ErrorCode};

use super::answer::{self, Answer};
use super::{Call, Run};
use crate::body::ObjectBody;
use crate::object::attribute;

impl Run for GetObjectRetention {
    async fn run(call: &Call<'_>, permit: Permit<Self>, _body: ObjectBody) -> Answer {
        let entry = call.current_object(&permit.operation().target).await?;
        let mode = entry.extended_text(attribute::LOCK_MODE);
        let until = entry.extended_text(attribute::RETAIN_UNTIL).and_then(|text| text.parse().ok());
        let (Some(mode), Some(until)) = (mode, until) else {
            return Err(S3Error::new(S3ErrorCode::NoSuchObjectLockConfiguration));
        };
        answer::document(retention_to_xml(mode, until))
    }
}

impl Run for GetObjectLegalHold {
    async fn run(call: &Call<'_>, permit: Permit<Self>, _body: ObjectBody) -> Answer {
        let entry = call.current_object(&permit.operation().target).await?;
        let status = entry.extended_text(attribute::LEGAL_HOLD);
        let status = status.ok_or_else(|| S3Error::new(S3ErrorCode::NoSuchObjectLockConfiguration))?;
        answer::document(legal_hold_to_xml(status))
    }
}

impl Run for GetObjectLockConfiguration {
    async fn run(call: &Call<'_>, _permit: Permit<Self>, _body: ObjectBody) -> Answer {
        let bucket = call.existing_bucket()?;
        if !bucket.object_lock {
            return Err(answer::not_configured(bucket, S3ErrorCode::ObjectLockConfigurationNotFoundError));
        }
        let default = bucket.default_retention.as_ref();
        let default =
            default.map(|default| DefaultRetention { mode: &default.mode, days: default.days, years: default.years });
        answer::document(object_lock_to_xml(default))
    }
}

impl Run for PutObjectRetention {
    async fn run(call: &Call<'_>, _permit: Permit<Self>, _body: ObjectBody) -> Answer {
        call.existing_bucket()?;
        Err(S3Error::unsupported_operation("PutObjectRetention"))
    }
}

impl Run for PutObjectLegalHold {
    async fn run(call: &Call<'_>, _permit: Permit<Self>, _body: ObjectBody) -> Answer {
        call.existing_bucket()?;
        Err(S3Error::unsupported_operation("PutObjectLegalHold"))
    }
}
