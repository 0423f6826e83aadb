//! The answers of STS, and the errors of STS and IAM, as the SDKs of these services read them.

use jiff::Timestamp;

use crate::SessionCredentials;

/// Which of the query services answers: they differ in their XML name space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// `https://sts.amazonaws.com/doc/2011-06-15/`.
    Sts,
    /// `https://iam.amazonaws.com/doc/2010-05-08/`.
    Iam,
}

impl Service {
    /// The XML name space.
    pub fn namespace(self) -> &'static str {
        match self {
            Self::Sts => "https://sts.amazonaws.com/doc/2011-06-15/",
            Self::Iam => "https://iam.amazonaws.com/doc/2010-05-08/",
        }
    }

    /// The API version that requests must name.
    pub fn version(self) -> &'static str {
        match self {
            Self::Sts => "2011-06-15",
            Self::Iam => "2010-05-08",
        }
    }
}

/// What AssumeRole answers.
#[derive(Debug, Clone)]
pub struct AssumeRoleOutput<'a> {
    /// The session's keys.
    pub credentials: &'a SessionCredentials,
    /// `<role id>:<session name>`.
    pub assumed_role_id: &'a str,
    /// The assumed-role ARN.
    pub arn: &'a str,
    /// How full the space for session policy and tags is, in per cent; only if there are any.
    pub packed_policy_size: Option<u32>,
    /// The source identity.
    pub source_identity: Option<&'a str>,
}

/// The body of AssumeRole's answer.
pub fn assume_role(output: &AssumeRoleOutput<'_>, request_id: &str) -> String {
    let credentials = output.credentials;
    let expiration = Timestamp::from_second(credentials.expiration.as_second()).unwrap_or(credentials.expiration);
    let mut result = String::from("<Credentials>");
    element(&mut result, "AccessKeyId", credentials.access_key_id.as_str());
    element(&mut result, "SecretAccessKey", credentials.secret.expose());
    element(&mut result, "SessionToken", &credentials.token);
    element(&mut result, "Expiration", &expiration.to_string());
    result.push_str("</Credentials><AssumedRoleUser>");
    element(&mut result, "AssumedRoleId", output.assumed_role_id);
    element(&mut result, "Arn", output.arn);
    result.push_str("</AssumedRoleUser>");
    if let Some(per_cent) = output.packed_policy_size {
        element(&mut result, "PackedPolicySize", &per_cent.to_string());
    }
    if let Some(source_identity) = output.source_identity {
        element(&mut result, "SourceIdentity", source_identity);
    }
    response("AssumeRole", &result, request_id)
}

/// The body of GetCallerIdentity's answer.
pub fn get_caller_identity(arn: &str, user_id: &str, account: &str, request_id: &str) -> String {
    let mut result = String::new();
    element(&mut result, "Arn", arn);
    element(&mut result, "UserId", user_id);
    element(&mut result, "Account", account);
    response("GetCallerIdentity", &result, request_id)
}

/// The body of an error. Whose fault it is follows from the status: below 500 it is the sender's.
pub fn error(service: Service, code: &str, message: &str, status: u16, request_id: &str) -> String {
    let mut out =
        format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ErrorResponse xmlns=\"{}\"><Error>", service.namespace());
    element(&mut out, "Type", if status < 500 { "Sender" } else { "Receiver" });
    element(&mut out, "Code", code);
    element(&mut out, "Message", message);
    out.push_str("</Error>");
    element(&mut out, "RequestId", request_id);
    out.push_str("</ErrorResponse>");
    out
}

fn response(action: &str, result: &str, request_id: &str) -> String {
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{action}Response xmlns=\"{}\"><{action}Result>{result}</{action}Result>",
        Service::Sts.namespace()
    );
    out.push_str("<ResponseMetadata>");
    element(&mut out, "RequestId", request_id);
    out.push_str("</ResponseMetadata></");
    out.push_str(action);
    out.push_str("Response>");
    out
}

fn element(out: &mut String, name: &str, text: &str) {
    out.push('<');
    out.push_str(name);
    out.push('>');
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            // XML 1.0 has no way to write other control characters.
            '\t' | '\n' => out.push(character),
            '\r' => out.push_str("&#13;"),
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            _ => out.push(character),
        }
    }
    out.push_str("</");
    out.push_str(name);
    out.push('>');
}
