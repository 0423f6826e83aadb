//! CreatePolicy, and the APIs that take inline and session policies.

use crate::fault::{Fault, Rule};
use crate::grammar::{Comparison, Condition, Document};
use crate::policy_kind::PolicyKind;

const PARTITIONS: [&str; 8] =
    ["aws", "aws-cn", "aws-us-gov", "aws-iso", "aws-iso-b", "aws-iso-e", "aws-iso-f", "aws-eusc"];

const IAM_RESOURCES: [&str; 15] = [
    "user/",
    "federated-user/",
    "role/",
    "group/",
    "instance-profile/",
    "mfa/",
    "server-certificate/",
    "policy/",
    "sms-mfa/",
    "saml-provider/",
    "oidc-provider/",
    "report/",
    "access-report/",
    "delegation-request/",
    "root",
];

pub(super) fn check(kind: PolicyKind, document: &Document) -> Result<(), Fault> {
    if kind != PolicyKind::Session && !document.version.has_variables() {
        return Err(Fault::new(Rule::OldVersion, "Version", "write \"Version\": \"2012-10-17\""));
    }
    sids(document)?;
    for (i, statement) in document.statements.iter().enumerate() {
        let path = document.path(i);
        if statement.principal.is_some() {
            let hint = "the policy applies to whatever it is attached to";
            return Err(Fault::new(Rule::PrincipalProhibited, format!("{path}.Principal"), hint));
        }
        let element = if statement.action.not { "NotAction" } else { "Action" };
        for (j, pattern) in statement.action.patterns.iter().enumerate() {
            action(pattern, &format!("{path}.{element}[{j}]"))?;
        }
        let Some(resource) = &statement.resource else {
            return Err(Fault::new(
                Rule::ResourceMissing,
                format!("{path}.Resource"),
                "write \"Resource\": \"*\" for all",
            ));
        };
        let element = if resource.not { "NotResource" } else { "Resource" };
        for (j, pattern) in resource.patterns.iter().enumerate() {
            self::resource(pattern, &format!("{path}.{element}[{j}]"))?;
        }
        for condition in &statement.conditions {
            dates(condition, &format!("{path}.Condition.{}.{}", condition.operator, condition.key))?;
        }
    }
    Ok(())
}

/// IAM's rule for the Sids of a document: letters and digits, each Sid once. S3 also accepts other characters, and
/// duplicates.
pub(super) fn sids(document: &Document) -> Result<(), Fault> {
    let mut seen: Vec<&str> = Vec::new();
    for (i, statement) in document.statements.iter().enumerate() {
        let Some(sid) = statement.sid.as_deref().filter(|sid| !sid.is_empty()) else { continue };
        let path = format!("{}.Sid", document.path(i));
        // The message does not mention the underscore, but CreatePolicy accepts it.
        if let Some(other) = sid.chars().find(|character| !character.is_ascii_alphanumeric() && *character != '_') {
            return Err(Fault::new(Rule::SidCharacters, path, format!("`{sid}` has a `{other}`")));
        }
        if seen.contains(&sid) {
            return Err(Fault::new(Rule::SidDouble, path, format!("`{sid}` occurs twice")));
        }
        seen.push(sid);
    }
    Ok(())
}

fn action(pattern: &str, path: &str) -> Result<(), Fault> {
    if pattern == "*" {
        return Ok(());
    }
    let Some((vendor, name)) = pattern.split_once(':') else {
        return Err(Fault::new(Rule::ActionVendor, path, format!("write `s3:{pattern}` instead of `{pattern}`")));
    };
    if name.contains(':') {
        return Err(Fault::new(Rule::ActionColons, path, format!("`{pattern}` has more")));
    }
    let is_vendor =
        !vendor.is_empty() && vendor.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'));
    if !is_vendor {
        return Err(Fault::new(Rule::AwsMessage, path, format!("Vendor {vendor} is not valid")));
    }
    Ok(())
}

fn resource(text: &str, path: &str) -> Result<(), Fault> {
    if text == "*" {
        return Ok(());
    }
    let no_arn = || Fault::new(Rule::ResourceArn, path, "for example arn:aws:s3:::bucket/*").about(text);
    let (first, rest) = text.split_once(':').ok_or_else(no_arn)?;
    let fields: Vec<&str> = rest.splitn(5, ':').collect();
    let field = |place: usize| fields.get(place).copied();
    let partition = field(0).unwrap_or_default();
    if !PARTITIONS.contains(&partition) {
        let or_star = |place: usize| field(place).unwrap_or("*");
        let shown = format!("arn:{partition}:{}:{}:{}:{}", or_star(1), or_star(2), or_star(3), or_star(4));
        return Err(Fault::new(
            Rule::AwsMessage,
            path,
            format!("Partition \"{partition}\" is not valid for resource \"{shown}\"."),
        ));
    }
    if first != "arn" {
        return Err(no_arn());
    }
    let service = field(1).unwrap_or_default();
    // An ARN with too few segments is accepted only if none of them is empty.
    if service.is_empty() || (fields.len() < 5 && text.contains("::")) {
        return Err(Fault::new(
            Rule::LegacyParsing,
            path,
            format!("`{text}` is not an ARN; did you mean arn:aws:s3:::bucket/*?"),
        ));
    }
    if service.contains(['*', '?']) {
        let words = "Resource vendor must be fully qualified and cannot contain regexes.";
        return Err(Fault::new(Rule::AwsMessage, path, words));
    }
    let (Some(region), Some(account), Some(name)) = (field(2), field(3), field(4)) else { return Ok(()) };
    match service {
        "s3" if !region.is_empty() && account.is_empty() => {
            Err(Fault::new(Rule::AwsMessage, path, format!("Resource {text} can not contain region information.")))
        }
        "iam" if !region.is_empty() => {
            Err(Fault::new(Rule::AwsMessage, path, format!("IAM resource {text} cannot contain region information.")))
        }
        "iam" if name != "*" && !IAM_RESOURCES.iter().any(|start| name.starts_with(start)) => {
            let shown: Vec<&str> = IAM_RESOURCES.iter().take(13).copied().collect();
            let words = format!("IAM resource path must either be \"*\" or start with {}.", shown.join(", "));
            Err(Fault::new(Rule::AwsMessage, path, words))
        }
        _ => Ok(()),
    }
}

/// CreatePolicy reads dates loosely (any number of digits, missing parts), but refuses dates that do not exist.
fn dates(condition: &Condition, path: &str) -> Result<(), Fault> {
    use Comparison::*;
    let is_date = matches!(
        condition.operator.comparison,
        DateEquals | DateNotEquals | DateLessThan | DateLessThanEquals | DateGreaterThan | DateGreaterThanEquals
    );
    for value in condition.values.iter().filter(|_| is_date) {
        if loose_date(&value.to_ascii_lowercase()).is_none() {
            let hint = format!("`{value}` is not a date; write it as 2026-11-21T10:00:00Z or in seconds since 1970");
            return Err(Fault::new(Rule::LegacyParsing, path, hint));
        }
    }
    Ok(())
}

fn loose_date(text: &str) -> Option<()> {
    if !text.contains(['t', '-']) {
        return text.parse::<i64>().ok().filter(|seconds| *seconds >= 0).map(|_| ());
    }
    let (date, time) = text.split_once('t').unwrap_or((text, ""));
    let unsigned = date.strip_prefix('-').unwrap_or(date);
    let mut parts = unsigned.split('-');
    let year: i64 = parts.next()?.parse().ok()?;
    let years = if unsigned.len() < date.len() { 292_275_054 } else { 292_278_993 };
    let month_and_day = part(parts.next(), 1..=12).and_then(|()| part(parts.next(), 1..=31));
    if year > years || month_and_day.is_none() || parts.next().is_some() {
        return None;
    }
    loose_time(time)
}

fn loose_time(time: &str) -> Option<()> {
    if time.is_empty() {
        return Some(());
    }
    let (clock, offset) = match time.find(['z', '+', '-']) {
        Some(at) => (time.get(..at)?, time.get(at..)?),
        None => (time, ""),
    };
    let mut parts = clock.splitn(3, ':');
    part(parts.next(), 0..=23)?;
    part(parts.next(), 0..=59)?;
    if let Some(seconds) = parts.next() {
        let (seconds, fraction) = seconds.split_once('.').unwrap_or((seconds, "0"));
        part(Some(seconds), 0..=59)?;
        part(Some(fraction), 0..=999_999_999)?;
    }
    match offset.strip_prefix(['+', '-']) {
        None => (offset.is_empty() || offset == "z").then_some(()),
        Some(offset) => {
            let (hours, minutes) = offset.split_once(':').unwrap_or((offset, "00"));
            part(Some(hours).filter(|hours| hours.len() == 2).or(Some("")), 0..=23)?;
            part(Some(minutes).filter(|minutes| minutes.len() == 2).or(Some("")), 0..=59)
        }
    }
}

/// Checks a part of a date. It may be missing; otherwise it must be a number in this range.
fn part(text: Option<&str>, range: std::ops::RangeInclusive<i64>) -> Option<()> {
    match text {
        None => Some(()),
        Some(text) => text.parse().ok().filter(|number| range.contains(number)).map(|_| ()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loose_dates() {
        for (text, want) in [
            ("01t", true),
            ("-292275054", true),
            ("-292275055", false),
            ("292278993-12-31", true),
            ("292278994-01-01", false),
            ("9223372036854775807", true),
            ("9223372036854775808", false),
            ("2016-12-13t2:00:00.593194+10:59", true),
            ("2016-12-13t2:00:00.1999999999+10:59", false),
            ("2016-12-13t2:00:00+1", false),
            ("2016-12-13t2:00:00+24:00", false),
            ("2016-12-13t24:00:00z", false),
            ("2016-12-13t2:60:00z", false),
            ("2016-12-13t2:00:60z", false),
            ("2016-12-13t2:00:00zz", false),
            ("2016-13", false),
            ("2016-12-32", false),
            ("2016-12-13-14", false),
            ("2016-12-13", true),
            ("2017-07-01t00:00:00z", true),
            ("sdfdsf", false),
            ("", false),
        ] {
            assert_eq!(loose_date(text).is_some(), want, "{text}");
        }
    }
}
