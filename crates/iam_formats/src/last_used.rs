//! When keys, roles and sessions were last used: `{"<id>":[<seconds>,"<service>","<region>"]}`, and for a session what is known of it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use iam::{LastUsed, SessionUse, Use};

/// Reads a document. Anything in it that is not a use is skipped, because no decision depends on it.
pub fn parse(text: &str) -> LastUsed {
    let read: BTreeMap<String, Value> = serde_json::from_str(text).unwrap_or_default();
    read.into_iter().filter_map(|(id, value)| Some((id.into(), entry(&value)?))).collect()
}

/// The document's text.
pub fn to_text(uses: &LastUsed) -> String {
    let map: BTreeMap<&str, Value> = uses.iter().map(|(id, used)| (&**id, value(used))).collect();
    serde_json::to_string(&map).unwrap_or_else(|_| "{}".to_owned())
}

fn entry(value: &Value) -> Option<Use> {
    let fields = value.as_array()?;
    let text = |at: usize| fields.get(at).and_then(Value::as_str);
    Some(Use {
        at_s: fields.first()?.as_i64()?,
        service: text(1)?.into(),
        region: text(2)?.into(),
        session: fields.get(3).and_then(session).map(Into::into),
    })
}

fn session(value: &Value) -> Option<SessionUse> {
    let text = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let time = |name: &str| value.get(name).and_then(Value::as_i64);
    Some(SessionUse {
        arn: text("arn"),
        account: text("account"),
        role_arn: text("role"),
        provider_arn: text("provider"),
        subject: text("subject"),
        issued_s: time("issued")?,
        expires_s: time("expires")?,
        address: text("address"),
    })
}

fn value(used: &Use) -> Value {
    let Use { at_s, service, region, session } = used;
    let Some(session) = session else { return json!([at_s, **service, **region]) };
    let SessionUse { arn, account, role_arn, provider_arn, subject, issued_s, expires_s, address } = &**session;
    let session = json!({"arn": arn, "account": account, "role": role_arn, "provider": provider_arn, "subject": subject,
        "issued": issued_s, "expires": expires_s, "address": address});
    json!([at_s, **service, **region, session])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn used(at_s: i64) -> Use {
        Use { at_s, service: "s3".into(), region: "us-east-1".into(), session: None }
    }

    fn used_session(at_s: i64) -> Use {
        let session =
            SessionUse { arn: "arn:aws:sts::1:assumed-role/R/s".to_owned(), expires_s: 9, ..SessionUse::default() };
        Use { session: Some(session.into()), ..used(at_s) }
    }

    #[test]
    fn the_latest_use_counts_whichever_gateway_saw_it() {
        let mut one = LastUsed::default();
        assert!(one.note(&"AK1".into(), used(60)));
        assert!(!one.note(&"AK1".into(), used(60)) && !one.note(&"AK1".into(), used(0)));
        let other = parse(r#"{"AK1":[120,"iam","eu-west-1"],"AK2":[60,"s3","r"],"AK3":"never","AK4":[1]}"#);
        assert_eq!(other.len(), 2);
        let mut merged = other.clone();
        assert!(one.merge(other) && !merged.merge(one.clone()));
        assert_eq!(one, merged);
        assert_eq!(
            one.of("AK1").map(|used| (used.at_s, &*used.service, &*used.region)),
            Some((120, "iam", "eu-west-1"))
        );
        one.note(&"0f".into(), used_session(60));
        assert_eq!(parse(&to_text(&one)), one);
        one.retain(|id, _| id == "AK2");
        assert_eq!((one.len(), one.of("AK1")), (1, None));
        assert!(parse("no json").is_empty());
    }

    #[test]
    fn only_the_last_sessions_are_kept() {
        let mut uses: LastUsed = (0..10).map(|number| (format!("{number}").into(), used_session(number))).collect();
        uses.note(&"AK1".into(), used(0));
        uses.keep_sessions(10);
        assert_eq!(uses.len(), 11);
        uses.keep_sessions(3);
        let kept: Vec<&str> = uses.iter().map(|(id, _)| &**id).collect();
        assert_eq!(kept, ["7", "8", "9", "AK1"]);
    }
}
