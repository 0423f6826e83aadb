//! The key with which a command signs: from the environment, or from a credentials file as AWS's tools read it.

use std::path::{Path, PathBuf};

use ids::{AccessKeyId, SecretAccessKey};

/// An access key with its secret, and the token of a session.
pub struct Credentials {
    pub access_key_id: AccessKeyId,
    pub secret: SecretAccessKey,
    pub token: Option<String>,
}

const NONE: &str = "there is no key to sign with: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a credentials file in \
                    AWS_SHARED_CREDENTIALS_FILE (`kelpgate server` writes DIR/root-credentials)";

impl Credentials {
    /// The variables count first, then the section `AWS_PROFILE` of `AWS_SHARED_CREDENTIALS_FILE`.
    ///
    /// Source: AWS SDKs and Tools Reference, "Shared config and credentials files".
    pub fn find() -> Result<Self, String> {
        if let Some(id) = variable("AWS_ACCESS_KEY_ID") {
            let secret = variable("AWS_SECRET_ACCESS_KEY")
                .ok_or("AWS_SECRET_ACCESS_KEY is missing: set it beside AWS_ACCESS_KEY_ID")?;
            return Self::new("AWS_ACCESS_KEY_ID", &id, secret, variable("AWS_SESSION_TOKEN"));
        }
        let named = variable("AWS_SHARED_CREDENTIALS_FILE").map(PathBuf::from);
        let usual =
            || variable("HOME").map(|home| Path::new(&home).join(".aws/credentials")).filter(|file| file.is_file());
        let file = named.or_else(usual).ok_or(NONE)?;
        let text = std::fs::read_to_string(&file)
            .map_err(|error| format!("`{}` cannot be read: {error}; {NONE}", file.display()))?;
        let profile = variable("AWS_PROFILE").unwrap_or_else(|| "default".to_owned());
        let place = format!("`{}`, [{profile}]", file.display());
        let value = |name: &str| value_of(&text, &profile, name).map(str::to_owned);
        let needed = |name: &str| value(name).ok_or_else(|| format!("{place}: `{name}` is missing; {NONE}"));
        Self::new(&place, &needed("aws_access_key_id")?, needed("aws_secret_access_key")?, value("aws_session_token"))
    }

    fn new(place: &str, id: &str, secret: String, token: Option<String>) -> Result<Self, String> {
        let access_key_id = id.parse().map_err(|error| format!("{place}: {error}"))?;
        Ok(Self { access_key_id, secret: SecretAccessKey::new(secret), token })
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The value of a name in a section. Names ignore case, and later ones count.
fn value_of<'t>(text: &'t str, section: &str, name: &str) -> Option<&'t str> {
    let (mut is_here, mut found) = (false, None);
    for line in text.lines().map(str::trim).filter(|line| !line.starts_with(['#', ';'])) {
        if let Some(title) = line.strip_prefix('[') {
            is_here = title.split(']').next().is_some_and(|title| title.trim() == section);
        } else if let Some((left, value)) = line.split_once('=')
            && is_here
            && left.trim().eq_ignore_ascii_case(name)
        {
            found = Some(value.trim()).filter(|value| !value.is_empty());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stand_in_sections() {
        let text = "# root\n[default]\naws_access_key_id = A\nAWS_Secret_Access_Key=s=1\n;aws_session_token = no\n\n[ team ]\naws_access_key_id=B\n";
        for (section, name, want) in [
            ("default", "aws_access_key_id", Some("A")),
            ("default", "aws_secret_access_key", Some("s=1")),
            ("default", "aws_session_token", None),
            ("team", "aws_access_key_id", Some("B")),
            ("team", "aws_secret_access_key", None),
            ("none", "aws_access_key_id", None),
        ] {
            assert_eq!(value_of(text, section, name), want, "[{section}] {name}");
        }
    }
}
