use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The claims of a session token, with SeaweedFS's names and in its order. Claims that are not listed here are ignored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionClaims {
    /// Issuer.
    pub iss: String,
    /// The session id.
    #[serde(default)]
    pub sub: String,
    /// The end of the session, in seconds since 1970.
    pub exp: i64,
    /// The start of the session, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nbf: Option<i64>,
    /// Time of issue, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iat: Option<i64>,
    /// The session id.
    #[serde(default)]
    pub jti: String,
    /// The session id, 32 hexadecimal digits; access key and secret derive from it.
    pub sid: String,
    /// The role session name.
    #[serde(default)]
    pub snam: String,
    /// `session`.
    pub typ: String,
    /// The role's ARN.
    pub role: String,
    /// `<role name>:<session name>`.
    #[serde(default)]
    pub assumed: String,
    /// The assumed-role ARN.
    pub principal: String,
    /// Names of the role's policies at the time of issue. `weed s3` reads them; Kelpgate uses the role's current ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "null_is_default")]
    pub pol: Vec<String>,
    /// The session policy, as JSON text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spol: Option<String>,
    /// The identity provider's name; empty for AssumeRole.
    #[serde(default)]
    pub idp: String,
    /// The user's id at the identity provider.
    #[serde(default)]
    pub ext_uid: String,
    /// The identity provider's issuer.
    #[serde(default)]
    pub prov_iss: String,
    /// Condition keys fixed at the time of issue.
    #[serde(default, skip_serializing_if = "Map::is_empty", deserialize_with = "null_is_default")]
    pub req_ctx: Map<String, Value>,
    /// Time of issue, RFC 3339 with nanoseconds.
    #[serde(default)]
    pub assumed_at: String,
    /// The longest the session may last in seconds, if the identity provider sets a limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_dur: Option<i64>,
    /// A hash that identifies the provider's user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub puid: Option<String>,
    /// Ours: the client id for which the provider's token was accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kaud: Option<String>,
    /// Ours: the IAM revision that the issuer had seen. A gateway that has not seen it yet waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub krev: Option<String>,
    /// Ours: the role's unique id. Another role may later get the same name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub krid: Option<String>,
    /// Ours: the access key of a user who made a session for themselves. `krid` is then the user's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kkey: Option<String>,
    /// Ours: the access key of a user who made the session with GetFederationToken. `krid` is then the user's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kfed: Option<String>,
    /// Ours: when the caller showed a code of an MFA device, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kmfa: Option<i64>,
    /// Ours: the ARNs of managed policies that limit the session, as they are at each request.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kspol: Vec<String>,
    /// Ours: what else the session can be revoked by, besides itself: its maker, and all sessions before it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub korg: Vec<String>,
    /// Ours: the session tags that sessions made from this one inherit.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ttags: Vec<String>,
    /// Ours: the source identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub srcid: Option<String>,
}

impl SessionClaims {
    /// When the session was issued, in seconds since 1970; 0 if the token does not say. Revocations, roles and providers are compared
    /// with it.
    pub fn issued_s(&self) -> i64 {
        self.iat.or(self.nbf).unwrap_or(0)
    }
}

/// Go either leaves out an empty list or map, or writes it as `null`.
fn null_is_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}
