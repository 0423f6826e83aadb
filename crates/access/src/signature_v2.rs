use std::fmt;
use std::str::FromStr;

use sigv4::SigError;

use crate::authentication_type::AuthenticationType;

/// For which requests signature V2 is accepted (`-sigV2`). IAM and STS never accept it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SignatureV2 {
    /// For none.
    Off,
    /// For presigned URLs and forms: what boto3, AWS CLI 1 and s3cmd make at a custom endpoint.
    #[default]
    Presigned,
    /// For every request of S3.
    On,
}

impl SignatureV2 {
    /// Fails if requests that are authenticated in this way are not accepted. The error says what to do.
    pub(crate) fn check(self, authentication: AuthenticationType) -> Result<(), SigError> {
        let is_v2_header = authentication == AuthenticationType::HeaderV2;
        let is_v2_url = matches!(authentication, AuthenticationType::PresignedV2 | AuthenticationType::PostV2);
        match self {
            Self::On => Ok(()),
            Self::Presigned if !is_v2_header => Ok(()),
            Self::Off if !is_v2_header && !is_v2_url => Ok(()),
            Self::Off if is_v2_url => Err(SigError::V2Disabled("presigned")),
            Self::Off | Self::Presigned => Err(SigError::V2Disabled("on")),
        }
    }
}

impl fmt::Display for SignatureV2 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Off => "off",
            Self::Presigned => "presigned",
            Self::On => "on",
        })
    }
}

impl FromStr for SignatureV2 {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "off" | "false" => Ok(Self::Off),
            "presigned" => Ok(Self::Presigned),
            "on" | "true" => Ok(Self::On),
            _ => Err("use `off`, `presigned` or `on`".to_owned()),
        }
    }
}
