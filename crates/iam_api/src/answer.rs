//! The answers and errors of the query APIs, as the SDKs of IAM and STS read them.

use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sts::SessionCredentials;
use xml::{Forbidden, XmlWriter};

/// What IAM leaves unchanged in a policy document: letters, digits and `-._~` (RFC 3986).
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

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

/// What the answers to calls with a provider's token have in addition.
#[derive(Debug, Clone, Copy)]
pub struct FederatedOutput<'a> {
    /// The action: AWS's, or one of MinIO's, whose answers differ in their names alone.
    pub action: &'static str,
    /// What the answer calls the subject.
    pub subject_name: &'static str,
    /// The token's subject.
    pub subject: &'a str,
    /// The client id for which the token was accepted.
    pub audience: &'a str,
    /// The token's issuer.
    pub issuer: &'a str,
}

/// The body of AssumeRole's answer.
pub fn assume_role(output: &AssumeRoleOutput<'_>, request_id: &str) -> String {
    response(Service::Sts, "AssumeRole", Some(&session(output).finish()), request_id)
}

/// The body of AssumeRoleWithWebIdentity's answer.
pub fn assume_role_with_web_identity(
    output: &AssumeRoleOutput<'_>,
    federated: &FederatedOutput<'_>,
    request_id: &str,
) -> String {
    let mut xml = session(output);
    xml.text(federated.subject_name, federated.subject);
    xml.text("Audience", federated.audience).text("Provider", federated.issuer);
    response(Service::Sts, federated.action, Some(&xml.finish()), request_id)
}

/// The body of the answer of AssumeRoleWithLDAPIdentity or AssumeRoleWithCertificate, which has nothing but the session, or of
/// AssumeRoleWithCustomToken, which has the user too.
pub fn assume_role_in_minios_dialect(
    action: &'static str,
    output: &AssumeRoleOutput<'_>,
    assumed_user: Option<&str>,
    request_id: &str,
) -> String {
    let mut xml = session(output);
    xml.optional("AssumedUser", assumed_user);
    response(Service::Sts, action, Some(&xml.finish()), request_id)
}

/// The body of GetSessionToken's answer.
pub fn get_session_token(keys: &SessionCredentials, request_id: &str) -> String {
    response(Service::Sts, "GetSessionToken", Some(&credentials(keys).finish()), request_id)
}

/// The body of GetFederationToken's answer. `id` is `<account>:<name>`.
pub fn get_federation_token(
    keys: &SessionCredentials,
    (id, arn): (&str, &str),
    packed_policy_size: Option<u32>,
    request_id: &str,
) -> String {
    let mut xml = credentials(keys);
    xml.element("FederatedUser", |xml| {
        xml.text("FederatedUserId", id).text("Arn", arn);
    });
    if let Some(per_cent) = packed_policy_size {
        xml.value("PackedPolicySize", per_cent);
    }
    response(Service::Sts, "GetFederationToken", Some(&xml.finish()), request_id)
}

fn credentials(keys: &SessionCredentials) -> XmlWriter {
    let mut xml = fragment();
    xml.element("Credentials", |xml| {
        xml.text("AccessKeyId", keys.access_key_id.as_str());
        xml.text("SecretAccessKey", keys.secret.expose());
        xml.text("SessionToken", &keys.token);
        xml.text("Expiration", &date(keys.expiration.as_second()));
    });
    xml
}

fn session(output: &AssumeRoleOutput<'_>) -> XmlWriter {
    let mut xml = credentials(output.credentials);
    xml.element("AssumedRoleUser", |xml| {
        xml.text("AssumedRoleId", output.assumed_role_id).text("Arn", output.arn);
    });
    if let Some(per_cent) = output.packed_policy_size {
        xml.value("PackedPolicySize", per_cent);
    }
    xml.optional("SourceIdentity", output.source_identity);
    xml
}

/// The body of GetCallerIdentity's answer.
pub fn get_caller_identity(arn: &str, user_id: &str, account: &str, request_id: &str) -> String {
    let mut xml = fragment();
    xml.text("Arn", arn).text("UserId", user_id).text("Account", account);
    response(Service::Sts, "GetCallerIdentity", Some(&xml.finish()), request_id)
}

/// The body of DecodeAuthorizationMessage's answer.
pub fn decode_authorization_message(message: &str, request_id: &str) -> String {
    let mut xml = fragment();
    xml.text("DecodedMessage", message);
    response(Service::Sts, "DecodeAuthorizationMessage", Some(&xml.finish()), request_id)
}

/// The body of GetAccessKeyInfo's answer.
pub fn get_access_key_info(account: &str, request_id: &str) -> String {
    let mut xml = fragment();
    xml.text("Account", account);
    response(Service::Sts, "GetAccessKeyInfo", Some(&xml.finish()), request_id)
}

/// The body of an error. Whose fault it is follows from the status: below 500 it is the sender's.
pub fn error(service: Service, code: &str, message: &str, status: u16, request_id: &str) -> String {
    document(service, "ErrorResponse", |xml| {
        xml.element("Error", |xml| {
            xml.text("Type", if status < 500 { "Sender" } else { "Receiver" });
            xml.text("Code", code).text("Message", message);
        });
        xml.text("RequestId", request_id);
    })
}

/// The body of an answer. Without `result`, the action returns nothing but its success.
pub(crate) fn response(service: Service, action: &str, result: Option<&str>, request_id: &str) -> String {
    document(service, &format!("{action}Response"), |xml| {
        if let Some(result) = result {
            xml.element(&format!("{action}Result"), |xml| xml.written(result));
        }
        xml.element("ResponseMetadata", |xml| {
            xml.text("RequestId", request_id);
        });
    })
}

/// Elements of a result. Every parser can read them: a stored description may have any character.
pub(crate) fn fragment() -> XmlWriter {
    XmlWriter::fragment().forbidden(Forbidden::Replacement)
}

/// Seconds since 1970 as `2026-01-31T12:00:00Z`.
pub(crate) fn date(seconds: i64) -> String {
    Timestamp::from_second(seconds).unwrap_or(Timestamp::UNIX_EPOCH).to_string()
}

/// A policy document, percent-encoded as in IAM's answers.
pub(crate) fn encoded(document: &str) -> String {
    utf8_percent_encode(document, UNRESERVED).to_string()
}

fn document(service: Service, root: &str, inside: impl FnOnce(&mut XmlWriter)) -> String {
    let mut xml = XmlWriter::document().forbidden(Forbidden::Replacement);
    xml.open_with(root, &[("xmlns", service.namespace())]);
    inside(&mut xml);
    xml.close(root);
    xml.finish()
}
