//! The identity plugin: a webhook that says whose token it is, asked as MinIO asks it.

use std::time::Duration;

use http::{Method, StatusCode};
use iam_formats::PluginSettings;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use sts::Claims;
use tokio::sync::Semaphore;

use crate::get::{Asked, Authorization, GetError, Outbound};

/// How many tokens are asked about at the same time. Others wait.
const AT_ONCE: usize = 32;

/// How long a token waits for its turn.
const TURN_WITHIN: Duration = Duration::from_secs(5);

/// The longest answer, in bytes.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// The longest name of a user, in bytes.
const USER_BYTES_MAX: usize = 256;

/// The most of a reason that is shown, in characters.
const REASON_CHARS_MAX: usize = 255;

/// How long a plugin may let a session last, in seconds.
const VALIDITY_S: std::ops::RangeInclusive<u32> = 900..=365 * 24 * 3600;

/// Claims that mean something else in sessions. MinIO ignores them.
const RESERVED: [&str; 3] = ["exp", "parent", "sub"];

/// A plugin that can be asked.
pub struct Plugin {
    settings: PluginSettings,
    turns: Semaphore,
}

/// A user for whom the plugin vouches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginUser {
    /// Who it is.
    pub user: String,
    /// How long a session of theirs may last, in seconds.
    pub valid_s: u32,
    /// What else it says, with the user as `sub`.
    pub claims: Claims,
}

/// Why there is no user.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PluginError {
    /// The plugin refuses the token, for this reason, which its bearer may know.
    #[error("{0}")]
    Refused(String),
    /// It cannot be asked, or answers nothing that could be used. The text is for the log.
    #[error("{0}")]
    Unavailable(String),
}

/// An answer with the status 200.
#[derive(Deserialize)]
struct Accepted<'a> {
    user: String,
    #[serde(rename = "maxValiditySeconds")]
    valid_s: u32,
    #[serde(borrow, default)]
    claims: Option<&'a RawValue>,
}

/// An answer with the status 403.
#[derive(Deserialize)]
struct Rejected {
    reason: String,
}

impl Plugin {
    /// A plugin that is asked by these settings. Nothing is sent yet.
    pub fn new(settings: PluginSettings) -> Self {
        Self { settings, turns: Semaphore::new(AT_ONCE) }
    }

    /// How it is asked.
    pub fn settings(&self) -> &PluginSettings {
        &self.settings
    }

    /// Whose token it is.
    pub async fn user_of(&self, token: &str) -> Result<PluginUser, PluginError> {
        let turn = tokio::time::timeout(TURN_WITHIN, self.turns.acquire()).await;
        let busy = || {
            PluginError::Unavailable(format!(
                "{AT_ONCE} requests to it were open, and none ended within {} s",
                TURN_WITHIN.as_secs()
            ))
        };
        let _turn = turn.ok().and_then(Result::ok).ok_or_else(busy)?;
        // MinIO sends it in this way, and plugins read no other.
        let query = format!("token={}", utf8_percent_encode(token, NON_ALPHANUMERIC));
        let statuses = &[StatusCode::OK, StatusCode::FORBIDDEN];
        let url = &self.settings.url;
        let asked = Asked { method: Method::POST, url, query: &query, statuses, longest: ANSWER_BYTES_MAX };
        let answered = self.outbound().ask(&asked).await;
        match answered.map_err(|error| PluginError::Unavailable(error.to_string()))? {
            (StatusCode::OK, text) => accepted(&text).map_err(|why| unusable(url, &why)),
            (_, text) => Err(rejected(&text).map_or_else(|why| unusable(url, &why), PluginError::Refused)),
        }
    }

    /// Whether it can be reached. The result is the status of its answer to a request without a token.
    pub async fn check(&self) -> Result<StatusCode, String> {
        let url = &self.settings.url;
        let asked = Asked { method: Method::HEAD, url, query: "", statuses: &[], longest: ANSWER_BYTES_MAX };
        match self.outbound().ask(&asked).await {
            Ok((status, _)) => Ok(status),
            Err(GetError::Status(_, status)) if !status.is_redirection() => Ok(status),
            Err(error) => Err(error.to_string()),
        }
    }

    fn outbound(&self) -> Outbound {
        let PluginSettings { auth_token, auth_token_file, ca_file, allows_private_addresses, .. } = &self.settings;
        let authorization = match (auth_token, auth_token_file) {
            (Some(text), _) => Authorization::Text(text.clone()),
            (None, Some(file)) => Authorization::TextOf(file.clone()),
            (None, None) => Authorization::None,
        };
        let (allows_private_addresses, ca_file) = (*allows_private_addresses, ca_file.clone());
        Outbound { allows_private_addresses, ca_file, authorization }
    }
}

/// What the answer says must not be logged: it may repeat the token.
fn unusable(url: &str, why: &str) -> PluginError {
    PluginError::Unavailable(format!("the answer of `{url}` cannot be used: {why}"))
}

fn accepted(text: &str) -> Result<PluginUser, String> {
    let answer: Accepted<'_> = serde_json::from_str(text).map_err(|error| place_of(&error))?;
    let Accepted { user, valid_s, claims } = answer;
    if user.is_empty() || user.len() > USER_BYTES_MAX || user.chars().any(char::is_control) {
        return Err(format!("`user` must have 1 to {USER_BYTES_MAX} bytes, without control characters"));
    }
    if !VALIDITY_S.contains(&valid_s) {
        return Err(format!("`maxValiditySeconds` is {valid_s}, not 900 to 31536000"));
    }
    let claims = claims.map_or("null", RawValue::get);
    let claims = if claims == "null" { "{}" } else { claims };
    let named = |why: &str| format!("`claims`: {why}");
    // Refuses names that occur twice, which the next reader does not see.
    Claims::parse(claims.as_bytes()).map_err(named)?;
    let mut claims: Map<String, Value> = serde_json::from_str(claims).map_err(|error| named(&place_of(&error)))?;
    claims.retain(|name, _| !RESERVED.iter().any(|reserved| name.eq_ignore_ascii_case(reserved)));
    claims.insert("sub".to_owned(), Value::from(user.as_str()));
    let claims = Claims::parse(Value::Object(claims).to_string().as_bytes()).map_err(named)?;
    Ok(PluginUser { user, valid_s, claims })
}

/// The reason of a refusal, as far as it can be shown.
fn rejected(text: &str) -> Result<String, String> {
    let Rejected { reason } = serde_json::from_str(text).map_err(|error| place_of(&error))?;
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    Ok(reason.chars().take(REASON_CHARS_MAX).map(plain).collect())
}

fn place_of(error: &serde_json::Error) -> String {
    match error.classify() {
        serde_json::error::Category::Data => {
            "it is not {\"user\": TEXT, \"maxValiditySeconds\": NUMBER, \"claims\": OBJECT}, or {\"reason\": TEXT} for 403".to_owned()
        }
        _ => format!("it is not JSON, from line {}, column {} on", error.line(), error.column()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_strictly() {
        let alice = accepted(
            r#"{"user":"alice","maxValiditySeconds":3600,"claims":{"team":"a","Sub":"root","exp":1,"parent":"x","n":{"m":[1,"b"]}}}"#,
        );
        let PluginUser { user, valid_s, claims } = alice.unwrap();
        assert_eq!(
            (&*user, valid_s, claims.text("sub"), claims.text("team")),
            ("alice", 3600, Some("alice"), Some("a"))
        );
        assert_eq!(claims.get("n.m").unwrap().values(), ["1", "b"]);
        assert_eq!(claims.iter().map(|(name, _)| name).collect::<Vec<_>>(), ["n", "n.m", "sub", "team"]);
        for text in
            [r#"{"user":"a","maxValiditySeconds":900}"#, r#"{"user":"a","maxValiditySeconds":900,"claims":null}"#]
        {
            assert_eq!(accepted(text).unwrap().claims.iter().count(), 1, "{text}");
        }
        for (text, part) in [
            ("", "not JSON"),
            ("<html>", "not JSON"),
            ("{}", "maxValiditySeconds"),
            (r#"{"user":7,"maxValiditySeconds":900}"#, "maxValiditySeconds"),
            (r#"{"user":"a","maxValiditySeconds":"900"}"#, "maxValiditySeconds"),
            (r#"{"user":"a","maxValiditySeconds":-1}"#, "maxValiditySeconds"),
            (r#"{"user":"a","maxValiditySeconds":899}"#, "is 899"),
            (r#"{"user":"a","maxValiditySeconds":31536001}"#, "is 31536001"),
            (r#"{"user":"","maxValiditySeconds":900}"#, "`user`"),
            (r#"{"user":"a\u0000","maxValiditySeconds":900}"#, "`user`"),
            (r#"{"user":"a","user":"b","maxValiditySeconds":900}"#, "maxValiditySeconds"),
            (r#"{"user":"a","maxValiditySeconds":900,"claims":[]}"#, "claims"),
            (r#"{"user":"a","maxValiditySeconds":900,"claims":{"t":"a","t":"b"}}"#, "claims"),
            (r#"{"user":"a","maxValiditySeconds":900,"claims":{"t":"a","T":"b"}}"#, "same name"),
        ] {
            let refused = accepted(text).unwrap_err();
            assert!(refused.contains(part), "{text}: {refused}");
        }
    }

    #[test]
    fn reasons_are_short_and_plain() {
        assert_eq!(rejected(r#"{"reason":"unknown\ntoken"}"#).unwrap(), "unknown token");
        let long = format!(r#"{{"reason":"{}"}}"#, "x".repeat(10_000));
        assert_eq!(rejected(&long).unwrap().len(), REASON_CHARS_MAX);
        for text in ["", "denied", "{}", r#"{"reason":1}"#] {
            assert!(rejected(text).is_err(), "{text}");
        }
    }
}
