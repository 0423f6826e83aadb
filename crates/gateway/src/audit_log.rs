//! Audit records as lines of the log.

use access::AuditRecord;
use ids::AccessKeyId;

/// A line with what every record has, and the fields given.
macro_rules! line {
    ($level:ident, $record:ident, $message:literal, $($fields:tt)+) => {{
        let caller = &$record.caller;
        let session = caller.session.as_ref();
        tracing::$level!(
            target: "audit",
            request = &*$record.request_id,
            operation = $record.operation,
            client = %$record.request.client,
            principal = &*caller.arn,
            provider = caller.sign_in.as_ref().map(|sign_in| &*sign_in.provider_arn),
            subject = caller.sign_in.as_ref().and_then(|sign_in| sign_in.subject.as_deref()),
            key = caller.access_key_id.as_ref().map(AccessKeyId::as_str),
            role = session.map(|session| &*session.role_arn),
            session = session.map(|session| &*session.id),
            issued = session.map(|session| session.issued_s),
            source_identity = session.and_then(|session| session.source_identity.as_deref()),
            $($fields)+,
            status = $record.status,
            micros = u64::try_from($record.took.as_micros()).unwrap_or(u64::MAX),
            $message
        )
    }};
}

/// Prints one line for a record: refusals at level info, all others at debug. A request that was refused several permissions, as
/// DeleteObjects may be for each key, shows the first and their number.
pub(crate) fn print(record: &AuditRecord) {
    let refusals = record.refusals().count();
    match record.refusals().next() {
        Some(refused) => line!(
            info,
            record,
            "refused",
            action = refused.action,
            resource = refused.resource,
            outcome = refused.outcome(),
            policy_type = refused.policy_type(),
            policy = refused.policy,
            statement = refused.statement(),
            sid = refused.sid,
            refusals = (refusals > 1).then_some(refusals),
            revision = record.revision
        ),
        None => line!(
            debug,
            record,
            "answered",
            method = &*record.request.method,
            path = &*record.request.path,
            user_agent = &*record.request.user_agent,
            decisions = record.decisions.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
            revision = record.revision,
            bytes_received = record.request.bytes_received,
            bytes_sent = record.bytes_sent
        ),
    }
}
