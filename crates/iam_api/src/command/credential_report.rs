//! GenerateCredentialReport, GetCredentialReport: the users of the account and their keys as CSV.
//!
//! Nothing is kept between the two calls: the report is generated when it is fetched, from the current state.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;

use super::access_key::KEYS_PER_USER;
use super::{Answer, Command, Outcome, Request, read};
use crate::answer;
use iam::{ANONYMOUS, Credential, Snapshot, Use, User};

pub(super) const COMMANDS: &[Command] =
    &[read("GenerateCredentialReport", generate), read("GetCredentialReport", get).reading_last_used()];

/// AWS's columns, and when each key expires.
const COLUMNS: &str = "user,arn,user_creation_time,password_enabled,password_last_used,password_last_changed,\
    password_next_rotation,mfa_active,access_key_1_active,access_key_1_last_rotated,access_key_1_last_used_date,\
    access_key_1_last_used_region,access_key_1_last_used_service,access_key_2_active,access_key_2_last_rotated,\
    access_key_2_last_used_date,access_key_2_last_used_region,access_key_2_last_used_service,cert_1_active,\
    cert_1_last_rotated,cert_2_active,cert_2_last_rotated,access_key_1_expiration_date,access_key_2_expiration_date";

fn generate(_: &Request<'_>, _: &Snapshot) -> Answer {
    let mut xml = answer::fragment();
    xml.text("State", "COMPLETE").text("Description", "The report is generated when it is fetched");
    Ok(Outcome { changes: Vec::new(), result: Some(xml.finish()) })
}

fn get(request: &Request<'_>, state: &Snapshot) -> Answer {
    let account = request.caller.account;
    let root = state.users().find(|user| user.is_root && user.account == account);
    let mut report = format!("{COLUMNS}\n");
    report +=
        &row((request, state), "<root_account>", &format!("arn:aws:iam::{account}:root"), root.map(|user| &**user));
    let users = state.users().filter(|user| user.account == account && !user.is_root && &*user.name != ANONYMOUS);
    for user in users {
        report += &row((request, state), &user.name, &user.arn, Some(user));
    }
    let mut xml = answer::fragment();
    xml.text("Content", &STANDARD.encode(report)).text("ReportFormat", "text/csv");
    xml.text("GeneratedTime", &answer::date(request.now_s));
    Ok(Outcome { changes: Vec::new(), result: Some(xml.finish()) })
}

fn row((request, state): (&Request<'_>, &Snapshot), name: &str, arn: &str, user: Option<&User>) -> String {
    let created_s = user.map(|user| user.record.created_s).unwrap_or_default();
    let password = if name == "<root_account>" { "not_supported" } else { "FALSE" };
    let mut fields = vec![name.to_owned(), arn.to_owned(), date(created_s)];
    let has_mfa = user.is_some_and(|user| state.mfa_devices_of(&user.id).next().is_some());
    let mfa = if has_mfa { "TRUE" } else { "FALSE" };
    fields.extend([password, "N/A", "N/A", "N/A", mfa].map(str::to_owned));
    let created = |key: &Credential| if key.created_s == 0 { created_s } else { key.created_s };
    let mut keys: Vec<&Credential> = user.iter().flat_map(|user| &user.record.credentials).collect();
    keys.sort_by(|a, b| (created(a), &a.access_key).cmp(&(created(b), &b.access_key)));
    for place in 0..KEYS_PER_USER {
        let key = keys.get(place);
        let used = key.and_then(|key| request.last_used.of(&key.access_key));
        let of_use = |field: fn(&Use) -> String| used.map_or_else(|| "N/A".to_owned(), field);
        fields.push(
            if key.is_some_and(|key| key.is_active() && !key.is_expired(request.now_s)) { "TRUE" } else { "FALSE" }
                .to_owned(),
        );
        fields.push(key.map_or_else(|| "N/A".to_owned(), |key| date(created(key))));
        fields.push(of_use(|used| date(used.at_s)));
        fields.push(of_use(|used| used.region.to_string()));
        fields.push(of_use(|used| used.service.to_string()));
    }
    fields.extend(["FALSE", "N/A", "FALSE", "N/A"].map(str::to_owned));
    fields.extend((0..KEYS_PER_USER).map(|place| date(keys.get(place).map_or(0, |key| key.expires_s))));
    let fields: Vec<String> = fields.iter().map(|field| quoted(field)).collect();
    fields.join(",") + "\n"
}

/// `2026-01-31T12:00:00+00:00`; `N/A` if the time is unknown.
fn date(seconds: i64) -> String {
    match Timestamp::from_second(seconds) {
        Ok(time) if seconds != 0 => time.to_string().replace('Z', "+00:00"),
        _ => "N/A".to_owned(),
    }
}

/// Quoted as in RFC 4180, because a name may contain a comma.
fn quoted(field: &str) -> String {
    if field.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}
