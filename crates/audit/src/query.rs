//! Questions to the files of a log: which events match, and why a request was refused.

#![expect(
    clippy::indexing_slicing,
    reason = "a JSON value gives null for a member that is missing; reading it does not panic"
)]

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::IpAddr;
use std::ops::ControlFlow;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::file::existing;
use crate::line::is_control;

/// The conditions that an event must meet. An absent condition matches every event.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// Only what was refused.
    pub denied: bool,
    /// The caller: its ARN, the end of it such as `user/alice` or `alice`, or an access key id.
    pub principal: Option<String>,
    /// The bucket.
    pub bucket: Option<String>,
    /// The beginning of the key.
    pub prefix: Option<String>,
    /// The operation: `GetObject`, `s3:Get*`, `iam:CreateUser`, `Delete*`. Without a service, that of any. Case does not matter.
    pub operation: Option<String>,
    /// The client's address.
    pub client: Option<IpAddr>,
    /// The request's id, or the `DecisionId` of a refusal.
    pub request_id: Option<String>,
    /// Not before this time.
    pub since: Option<Timestamp>,
    /// Before this time.
    pub until: Option<Timestamp>,
}

impl Query {
    /// Whether an event matches.
    pub fn matches(&self, event: &Value) -> bool {
        let is = |wanted: &Option<String>, found: &Value| {
            wanted.as_deref().is_none_or(|wanted| found.as_str().is_some_and(|found| found == wanted))
        };
        let parameters = &event["requestParameters"];
        let starts = |prefix: &String| parameters["key"].as_str().is_some_and(|key| key.starts_with(prefix.as_str()));
        let time = || event["eventTime"].as_str().and_then(|time| time.parse::<Timestamp>().ok());
        (!self.denied || is_denied(event))
            && self.principal.as_deref().is_none_or(|principal| is_by(event, principal))
            && is(&self.bucket, &parameters["bucketName"])
            && self.prefix.as_ref().is_none_or(starts)
            && self.operation.as_deref().is_none_or(|operation| is_operation(event, operation))
            && self.client.is_none_or(|client| is_from(event, client))
            && is(&self.request_id, &event["requestID"])
            && self.since.is_none_or(|since| time().is_some_and(|time| time >= since))
            && self.until.is_none_or(|until| time().is_some_and(|time| time < until))
    }
}

fn is_operation(event: &Value, wanted: &str) -> bool {
    let (service, wanted) = wanted.split_once(':').map_or((None, wanted), |(service, name)| (Some(service), name));
    let begins = |text: &str, beginning: &str| {
        text.get(..beginning.len()).is_some_and(|text| text.eq_ignore_ascii_case(beginning))
    };
    let source = event["eventSource"].as_str().unwrap_or_default();
    let name = event["eventName"].as_str().unwrap_or_default();
    let is_named = match wanted.strip_suffix('*') {
        Some(beginning) => begins(name, beginning),
        None => name.eq_ignore_ascii_case(wanted),
    };
    is_named && service.is_none_or(|service| begins(source, &format!("{service}.")))
}

fn is_from(event: &Value, client: IpAddr) -> bool {
    event["sourceIPAddress"].as_str().and_then(|address| address.parse().ok()) == Some(client)
}

/// Whether a permission or a signature was refused.
pub fn is_denied(event: &Value) -> bool {
    let decided = decisions(event).iter().any(|decided| decided["decision"] != "allow");
    let claimed = &event["additionalEventData"]["kelpgate"]["claimedAccessKeyId"];
    decided || claimed.is_string() || event["userIdentity"]["type"] == "Unknown"
}

/// Who was allowed what: the ARN of the user or role, and the actions. `None` for callers without one.
pub fn allowed(event: &Value) -> Option<(&str, impl Iterator<Item = &str>)> {
    let identity = &event["userIdentity"];
    let issuer = identity["sessionContext"]["sessionIssuer"]["arn"].as_str();
    let arn = issuer.or_else(|| identity["arn"].as_str())?;
    let allowed = decisions(event).iter().filter(|decided| decided["decision"] == "allow");
    Some((arn, allowed.filter_map(|decided| decided["action"].as_str())))
}

fn decisions(event: &Value) -> &[Value] {
    event["additionalEventData"]["kelpgate"]["decisions"].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn is_by(event: &Value, principal: &str) -> bool {
    let who = &event["userIdentity"];
    let arn = who["arn"].as_str().unwrap_or_default();
    let ends = arn.strip_suffix(principal).is_some_and(|rest| rest.is_empty() || rest.ends_with([':', '/']));
    let key = [&who["accessKeyId"], &event["additionalEventData"]["kelpgate"]["claimedAccessKeyId"]];
    let anonymous = principal == "anonymous" && who["accountId"] == "ANONYMOUS_PRINCIPAL";
    ends && !arn.is_empty() || key.iter().any(|key| *key == principal) || anonymous
}

/// A time: `2026-01-31T12:00:00Z`, a day that begins then in UTC, `2026-01-31`, or how long ago, such as `90d`, `12h` or `30m`.
pub fn time(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    let wrong = || {
        format!(
            "`{text}` is neither a time such as 2026-01-31T12:00:00Z or 2026-01-31 nor a span such as 90d, 12h or 30m"
        )
    };
    let seconds = match text.char_indices().next_back() {
        Some((_, 'd')) => 24 * 3600,
        Some((_, 'h')) => 3600,
        Some((_, 'm')) => 60,
        _ => {
            let day = text.len() == "2026-01-31".len();
            let text = if day { format!("{text}T00:00:00Z") } else { text.to_owned() };
            return text.parse().map_err(|_| wrong());
        }
    };
    let number: i64 = text.get(..text.len() - 1).and_then(|number| number.parse().ok()).ok_or_else(wrong)?;
    let span = number.checked_mul(seconds).filter(|span| *span >= 0).ok_or_else(wrong)?;
    now.checked_sub(SignedDuration::from_secs(span)).map_err(|_| wrong())
}

/// Calls `found` for each event of a log that matches, the oldest first, with the line as it stands in the file. Skips lines that
/// are not events, and returns how many it skipped. A line without a newline at its end counts as skipped: its write has not finished.
/// `found` can end the search. A file without any event is refused: it is no log in this form.
pub fn search(
    path: &Path,
    query: &Query,
    mut found: impl FnMut(&str, &Value) -> ControlFlow<()>,
) -> Result<u64, String> {
    let problem = |path: &Path, error: std::io::Error| format!("`{}` cannot be read: {error}", path.display());
    let all = existing(path)?;
    let (mut unreadable, mut has_events, mut has_others, mut line) = (0, false, false, Vec::new());
    for (_, file) in all {
        let mut lines = BufReader::new(File::open(&file).map_err(|error| problem(&file, error))?);
        loop {
            line.clear();
            if lines.read_until(b'\n', &mut line).map_err(|error| problem(&file, error))? == 0 {
                break;
            }
            let event = line.strip_suffix(b"\n").and_then(|line| serde_json::from_slice::<Value>(line).ok());
            let event = event.filter(|event| event["eventName"].is_string());
            has_events |= event.is_some();
            match event {
                Some(event) if query.matches(&event) => {
                    if found(String::from_utf8_lossy(&line).trim_end(), &event).is_break() {
                        return Ok(unreadable);
                    }
                }
                Some(_) => {}
                None => {
                    unreadable += 1;
                    has_others |= line.ends_with(b"\n");
                }
            }
        }
    }
    if !has_events && has_others {
        return Err(format!(
            "`{}` is not an audit log in the format `cloudtrail`: no line of it is an event; name the path of a sink with that format",
            path.display()
        ));
    }
    Ok(unreadable)
}

/// One line about an event: when, what became of it, what, who, from where, why.
pub fn summary(event: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let parameters = &event["requestParameters"];
    let resource = match (parameters["bucketName"].as_str(), parameters["key"].as_str()) {
        (Some(bucket), Some(key)) => format!("{bucket}/{key}"),
        (Some(bucket), None) => bucket.to_owned(),
        (None, _) => event["resources"][0]["ARN"].as_str().unwrap_or("-").to_owned(),
    };
    let mut line = format!(
        "{} {} {} {} {resource} by {} from {}",
        text(&event["eventTime"]),
        text(&event["requestID"]),
        if is_denied(event) { "denied" } else { event["errorCode"].as_str().unwrap_or("ok") },
        text(&event["eventName"]),
        who(event),
        text(&event["sourceIPAddress"]),
    );
    if let Some(refused) = decisions(event).iter().find(|decided| decided["decision"] != "allow") {
        let _ = write!(line, ": {}", reason(refused));
    }
    plain(&line)
}

/// Why the request of these events was answered as it was, in a few lines.
pub fn explain(events: &[Value]) -> String {
    let mut text = String::new();
    for event in events {
        let kelpgate = &event["additionalEventData"]["kelpgate"];
        let _ = writeln!(text, "{}", summary(event));
        let _ =
            writeln!(text, "  status {}, {}", kelpgate["status"], event["errorCode"].as_str().unwrap_or("no error"));
        if let Some(message) = event["errorMessage"].as_str() {
            let _ = writeln!(text, "  {}", plain(message));
        }
        for decided in decisions(event) {
            let action = decided["action"].as_str().unwrap_or_default();
            let resource = decided["resource"].as_str().unwrap_or_default();
            let _ = writeln!(text, "  {}", plain(&format!("{action} on {resource}: {}", reason(decided))));
        }
        let _ = writeln!(text, "  decided by revision {} of the IAM state", kelpgate["revision"]);
    }
    text
}

fn who(event: &Value) -> String {
    let identity = &event["userIdentity"];
    let claimed = event["additionalEventData"]["kelpgate"]["claimedAccessKeyId"].as_str();
    match (identity["arn"].as_str(), claimed) {
        (Some(arn), _) => arn.to_owned(),
        (None, Some(key)) => format!("an unknown caller who named the key {key}"),
        (None, None) if identity["type"] == "Unknown" => "an unknown caller".to_owned(),
        (None, None) => "an anonymous caller".to_owned(),
    }
}

fn reason(decided: &Value) -> String {
    let of = decided["policyType"].as_str().unwrap_or("policy");
    let is_of_role = decided["resource"].as_str().is_some_and(|resource| resource.contains(":role/"));
    let policy = decided["policy"].as_str().map(|policy| format!(" by {policy}")).unwrap_or_default();
    let sid = decided["sid"].as_str().map(|sid| format!(" ({sid})")).unwrap_or_default();
    let statement = decided["statement"].as_u64().map(|at| format!(", statement {at}{sid}")).unwrap_or_default();
    match decided["decision"].as_str() {
        Some("allow") => format!("allowed{policy}{statement}"),
        Some("explicit_deny") => format!("denied{policy}{statement}"),
        _ => match of {
            "resource" if is_of_role => "not allowed by the trust policy".to_owned(),
            "acl" => "not allowed by the ACL".to_owned(),
            "public_access_block" => "refused by the public access block".to_owned(),
            "none" => "refused by a rule of the operation, not by a policy".to_owned(),
            policy => format!("not allowed by any {policy} policy"),
        },
    }
}

/// Without what could control a terminal.
fn plain(text: &str) -> String {
    text.chars().map(|character| if is_control(character) { '\u{fffd}' } else { character }).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn events_match_by_each_filter() {
        let event = json!({
            "eventTime": "2026-11-30T03:00:00.000Z", "eventName": "GetObject", "eventSource": "s3.amazonaws.com", "sourceIPAddress": "10.0.0.1",
            "requestID": "AB",
            "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::000000000000:user/alice", "accessKeyId": "AKA"},
            "requestParameters": {"bucketName": "reef", "key": "a/b"},
            "additionalEventData": {"kelpgate": {"decisions": [{"decision": "explicit_deny"}]}}});
        let at = |text: &str| Some(text.parse::<Timestamp>().unwrap());
        let some = |text: &str| Some(text.to_owned());
        let none = Query::default;
        for (query, want) in [
            (none(), true),
            (Query { denied: true, ..none() }, true),
            (Query { principal: some("alice"), ..none() }, true),
            (Query { principal: some("user/alice"), ..none() }, true),
            (Query { principal: some("lice"), ..none() }, false),
            (Query { principal: some("AKA"), ..none() }, true),
            (Query { principal: some("anonymous"), ..none() }, false),
            (Query { bucket: some("reef"), prefix: some("a/"), ..none() }, true),
            (Query { bucket: some("ree"), ..none() }, false),
            (Query { operation: some("PutObject"), ..none() }, false),
            (Query { operation: some("getobject"), ..none() }, true),
            (Query { operation: some("s3:Get*"), ..none() }, true),
            (Query { operation: some("s3:*"), ..none() }, true),
            (Query { operation: some("iam:GetObject"), ..none() }, false),
            (Query { operation: some("Get"), ..none() }, false),
            (Query { client: "10.0.0.2".parse().ok(), ..none() }, false),
            (Query { client: "10.0.0.1".parse().ok(), request_id: some("AB"), ..none() }, true),
            (Query { since: at("2026-11-30T03:00:00Z"), ..none() }, true),
            (Query { until: at("2026-11-30T03:00:00Z"), ..none() }, false),
        ] {
            assert_eq!(query.matches(&event), want, "{query:?}");
        }
        let allowed = json!({"additionalEventData": {"kelpgate": {"decisions": [{"decision": "allow"}]}}});
        assert!(!Query { denied: true, ..none() }.matches(&allowed));
    }

    #[test]
    fn a_refused_signature_is_a_refusal() {
        let arn = "arn:aws:iam::000000000000:user/alice";
        for (identity, kelpgate, want) in [
            (json!({"type": "IAMUser", "arn": arn}), json!({}), false),
            (json!({"type": "IAMUser", "arn": arn}), json!({"claimedAccessKeyId": "AKA"}), true),
            (json!({"type": "Unknown"}), json!({}), true),
        ] {
            let event = json!({"userIdentity": identity, "additionalEventData": {"kelpgate": kelpgate}});
            assert_eq!(is_denied(&event), want, "{event}");
        }
    }

    #[test]
    fn what_was_allowed_belongs_to_the_user_or_role() {
        let decisions = json!([
            {"decision": "allow", "action": "s3:GetObject"}, {"decision": "explicit_deny", "action": "s3:PutObject"},
            {"decision": "implicit_deny", "action": "s3:ListBucket"}]);
        let arn = "arn:aws:iam::000000000000:user/alice";
        let of_session = json!({"arn": "arn:aws:sts::000000000000:assumed-role/R/s", "sessionContext": {"sessionIssuer": {"arn": "arn:aws:iam::000000000000:role/R"}}});
        for (identity, want) in [
            (json!({"arn": arn}), Some(arn)),
            (of_session, Some("arn:aws:iam::000000000000:role/R")),
            (json!({"type": "Unknown"}), None),
        ] {
            let event =
                json!({"userIdentity": identity, "additionalEventData": {"kelpgate": {"decisions": decisions}}});
            let found = allowed(&event).map(|(arn, actions)| (arn, actions.collect::<Vec<_>>()));
            assert_eq!(found, want.map(|arn| (arn, vec!["s3:GetObject"])));
        }
    }

    #[test]
    fn reasons_name_the_kind_of_policy() {
        let implicit = |policy_type: &str, resource: &str| json!({"decision": "implicit_deny", "policyType": policy_type, "resource": resource});
        for (decided, want) in [
            (implicit("resource", "arn:aws:s3:::reef/k"), "not allowed by any resource policy"),
            (implicit("resource", "arn:aws:iam::000000000000:role/R"), "not allowed by the trust policy"),
            (implicit("identity", "arn:aws:iam::000000000000:role/R"), "not allowed by any identity policy"),
            (implicit("acl", "arn:aws:s3:::reef/k"), "not allowed by the ACL"),
            (implicit("public_access_block", "arn:aws:s3:::reef"), "refused by the public access block"),
            (implicit("none", "arn:aws:s3:::reef/k"), "refused by a rule of the operation, not by a policy"),
            (
                json!({"decision": "allow", "policy": "attached policy `P`", "statement": 1}),
                "allowed by attached policy `P`, statement 1",
            ),
        ] {
            assert_eq!(reason(&decided), want, "{decided}");
        }
    }

    #[test]
    fn times_are_read() {
        let now: Timestamp = "2026-11-30T03:00:00Z".parse().unwrap();
        for (text, want) in [
            ("90d", Some("2026-09-01T03:00:00Z")),
            ("12h", Some("2026-11-29T15:00:00Z")),
            ("30m", Some("2026-11-30T02:30:00Z")),
            ("2026-01-31T12:00:00Z", Some("2026-01-31T12:00:00Z")),
            ("2026-01-31", Some("2026-01-31T00:00:00Z")),
            ("2026-02-31", None),
            ("", None),
            ("d", None),
            ("-1d", None),
            ("yesterday", None),
            ("99999999999999999d", None),
        ] {
            assert_eq!(time(text, now).ok().map(|time| time.to_string()).as_deref(), want, "{text}");
        }
    }
}
