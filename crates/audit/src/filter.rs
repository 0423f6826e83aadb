//! Which records a sink takes.

use access::AuditRecord;
use iam_formats::{AuditFilter, AuditedOutcome};

use crate::notes::FURTHER_REFUSED_REQUESTS;

/// Whether the filter admits the record.
pub(crate) fn admits(filter: &AuditFilter, record: &AuditRecord) -> bool {
    if record.operation == FURTHER_REFUSED_REQUESTS {
        return true; // it stands for requests that any filter may admit
    }
    let AuditFilter { operations, buckets, decisions } = filter;
    let bucket = record.target.bucket.as_deref();
    (operations.is_empty() || operations.iter().any(|pattern| is_operation(pattern, record.operation)))
        && (buckets.is_empty() || bucket.is_some_and(|bucket| buckets.iter().any(|pattern| matches(pattern, bucket))))
        && (decisions.is_empty() || decisions.contains(&outcome(record)))
}

/// Whether anything about the request was refused.
pub(crate) fn outcome(record: &AuditRecord) -> AuditedOutcome {
    let refused = record.caller.claimed_key.is_some() || record.refusals().next().is_some();
    if refused { AuditedOutcome::Deny } else { AuditedOutcome::Allow }
}

/// Operations of S3 are recorded without the service, which a pattern may name all the same.
fn is_operation(pattern: &str, operation: &str) -> bool {
    let of_s3 = pattern.strip_prefix("s3:").filter(|_| !operation.contains(':'));
    matches(of_s3.unwrap_or(pattern), operation)
}

fn matches(pattern: &str, text: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == text, |beginning| text.starts_with(beginning))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_beginnings_match() {
        for (pattern, text, want) in [
            ("GetObject", "GetObject", true),
            ("GetObject", "GetObjectAcl", false),
            ("iam:*", "iam:CreateUser", true),
            ("iam:*", "sts:AssumeRole", false),
            ("s3:Get*", "GetObject", true),
            ("s3:*", "iam:CreateUser", false),
            ("s3:PutObject", "GetObject", false),
            ("*", "", true),
        ] {
            assert_eq!(is_operation(pattern, text), want, "{pattern} {text}");
        }
    }
}
