//! Records in the form that a sink asks for.

use access::AuditRecord;
use iam_formats::AuditFormat;

use crate::{access_log, cloudtrail, minio, ocsf, weed};

/// Encodes records for one sink.
#[derive(Debug, Clone)]
pub(crate) struct Encoder {
    format: AuditFormat,
    region: String,
    host: String,
}

impl Encoder {
    pub(crate) fn new(format: AuditFormat, region: &str) -> Self {
        Self { format, region: region.to_owned(), host: crate::host_name() }
    }

    /// For the same sink in another form.
    pub(crate) fn with(&self, format: AuditFormat) -> Self {
        Self { format, ..self.clone() }
    }

    /// Appends the lines of a record. Returns their number.
    pub(crate) fn encode(&self, record: &AuditRecord, lines: &mut Vec<u8>) -> usize {
        match self.format {
            AuditFormat::CloudTrail => cloudtrail::encode(record, &self.region, lines),
            AuditFormat::MinIo => minio::encode(record, lines),
            AuditFormat::Ocsf => ocsf::encode(record, &self.region, lines),
            AuditFormat::AccessLog => access_log::encode(record, lines),
            AuditFormat::SeaweedFs => weed::encode(record, &self.host, lines),
        }
    }
}
