use ids::{LegalHold, Retention, RetentionMode};

use crate::request::Request;
use crate::tagging::TagSet;
use crate::{S3Error, S3ErrorCode, time};

/// The largest total size of the names and values of user metadata, in bytes.
const METADATA_BYTES_MAX: usize = 2048;

/// The storage classes of S3. They are stored and shown, but all objects are in the same place.
const STORAGE_CLASSES: &[&str] = &[
    "STANDARD",
    "REDUCED_REDUNDANCY",
    "STANDARD_IA",
    "ONEZONE_IA",
    "INTELLIGENT_TIERING",
    "GLACIER",
    "DEEP_ARCHIVE",
    "OUTPOSTS",
    "GLACIER_IR",
    "SNOW",
    "EXPRESS_ONEZONE",
    "FSX_OPENZFS",
];

/// What a request that creates an object says about it: PutObject, CopyObject, CreateMultipartUpload and the POST form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObjectHeaders {
    /// `Content-Type`, `Cache-Control` and so on.
    pub content: ContentHeaders,
    /// `x-amz-meta-*`: names in lower case without the prefix, sorted. Nothing else ever becomes metadata.
    pub metadata: Vec<(String, String)>,
    /// `x-amz-acl` and `x-amz-grant-*`.
    pub acl: AclHeaders,
    /// `x-amz-tagging`.
    pub tagging: Option<TagSet>,
    /// `x-amz-storage-class`, one of S3's.
    pub storage_class: Option<String>,
    /// `x-amz-website-redirect-location`.
    pub website_redirect_location: Option<String>,
    /// `x-amz-object-lock-*`.
    pub lock: ObjectLockHeaders,
    /// `x-amz-server-side-encryption*`.
    pub encryption: EncryptionHeaders,
}

impl ObjectHeaders {
    pub(crate) fn parse(request: &Request<'_>) -> Result<Self, S3Error> {
        Ok(Self {
            content: ContentHeaders::parse(request)?,
            metadata: user_metadata(request)?,
            acl: AclHeaders::parse(request)?,
            tagging: TagSet::parse_header(request)?,
            storage_class: storage_class(request)?,
            website_redirect_location: request.owned_header("x-amz-website-redirect-location")?,
            lock: ObjectLockHeaders::parse(request)?,
            encryption: EncryptionHeaders::parse(request)?,
        })
    }
}

/// The headers that an object keeps and returns unchanged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContentHeaders {
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// `Cache-Control`.
    pub cache_control: Option<String>,
    /// `Content-Disposition`.
    pub content_disposition: Option<String>,
    /// `Content-Encoding` without `aws-chunked`, which belongs to the transfer.
    pub content_encoding: Option<String>,
    /// `Content-Language`.
    pub content_language: Option<String>,
    /// `Expires`, as it was sent.
    pub expires: Option<String>,
}

impl ContentHeaders {
    fn parse(request: &Request<'_>) -> Result<Self, S3Error> {
        Ok(Self {
            content_type: request.owned_header("content-type")?,
            cache_control: request.joined_header("cache-control")?,
            content_disposition: request.owned_header("content-disposition")?,
            content_encoding: content_encoding(request)?,
            content_language: request.joined_header("content-language")?,
            expires: request.owned_header("expires")?,
        })
    }
}

fn content_encoding(request: &Request<'_>) -> Result<Option<String>, S3Error> {
    let Some(value) = request.joined_header("content-encoding")? else { return Ok(None) };
    let kept: Vec<&str> =
        value.split(',').filter(|coding| !coding.trim().eq_ignore_ascii_case("aws-chunked")).collect();
    Ok(Some(kept.join(",").trim().to_owned()).filter(|kept| !kept.is_empty()))
}

fn user_metadata(request: &Request<'_>) -> Result<Vec<(String, String)>, S3Error> {
    let mut metadata = Vec::new();
    for name in request.header_names("x-amz-meta-") {
        let key = name.strip_prefix("x-amz-meta-").unwrap_or_default();
        let value = request.joined_header(&name)?.unwrap_or_default();
        metadata.push((key.to_owned(), value));
    }
    check_metadata(&metadata)?;
    Ok(metadata)
}

pub(crate) fn check_metadata(metadata: &[(String, String)]) -> Result<(), S3Error> {
    let bytes: usize = metadata.iter().map(|(name, value)| name.len() + value.len()).sum();
    if bytes > METADATA_BYTES_MAX {
        return Err(S3Error::new(S3ErrorCode::MetadataTooLarge)
            .field("Size", bytes.to_string())
            .field("MaxSizeAllowed", METADATA_BYTES_MAX.to_string()));
    }
    Ok(())
}

fn storage_class(request: &Request<'_>) -> Result<Option<String>, S3Error> {
    request.owned_header("x-amz-storage-class")?.map(check_storage_class).transpose()
}

pub(crate) fn check_storage_class(class: String) -> Result<String, S3Error> {
    if STORAGE_CLASSES.contains(&class.as_str()) {
        return Ok(class);
    }
    Err(S3Error::new(S3ErrorCode::InvalidStorageClass).field("StorageClassRequested", class))
}

/// `x-amz-acl` and `x-amz-grant-*`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AclHeaders {
    /// The canned ACL, one of S3's.
    pub canned: Option<String>,
    /// The grants: header name in lower case and value.
    pub grants: Vec<(String, String)>,
}

impl AclHeaders {
    const CANNED: &[&str] = &[
        "private",
        "public-read",
        "public-read-write",
        "authenticated-read",
        "aws-exec-read",
        "bucket-owner-read",
        "bucket-owner-full-control",
        "log-delivery-write",
    ];
    const GRANTS: &[&str] = &[
        "x-amz-grant-full-control",
        "x-amz-grant-read",
        "x-amz-grant-read-acp",
        "x-amz-grant-write",
        "x-amz-grant-write-acp",
    ];

    pub(crate) fn parse(request: &Request<'_>) -> Result<Self, S3Error> {
        let mut acl =
            Self { canned: request.owned_header("x-amz-acl")?.map(Self::check).transpose()?, grants: Vec::new() };
        for name in request.header_names("x-amz-grant-") {
            if !Self::GRANTS.contains(&name.as_str()) {
                return Err(S3Error::not_implemented(format_args!("The header {name}")));
            }
            let value = request.owned_header(&name)?.unwrap_or_default();
            acl.grants.push((name, value));
        }
        if acl.canned.is_some() && !acl.grants.is_empty() {
            let message = "Specifying both Canned ACLs and Header Grants is not allowed";
            return Err(S3Error::with_message(S3ErrorCode::InvalidRequest, message));
        }
        Ok(acl)
    }

    pub(crate) fn check(canned: String) -> Result<String, S3Error> {
        if Self::CANNED.contains(&canned.as_str()) {
            return Ok(canned);
        }
        Err(S3Error::invalid_argument("x-amz-acl", canned, "The canned ACL is not one of S3's"))
    }

    /// True if the request sets an ACL. It then needs `PutObjectAcl` (or `PutBucketAcl`) as well.
    pub fn is_requested(&self) -> bool {
        self.canned.is_some() || !self.grants.is_empty()
    }
}

/// `x-amz-object-lock-mode`, `-retain-until-date` and `-legal-hold`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObjectLockHeaders {
    /// Mode and date.
    pub retention: Option<RequestedRetention>,
    /// The legal hold.
    pub legal_hold: Option<LegalHold>,
}

impl ObjectLockHeaders {
    pub(crate) fn parse(request: &Request<'_>) -> Result<Self, S3Error> {
        let mode = request.owned_header("x-amz-object-lock-mode")?;
        let date = request.owned_header("x-amz-object-lock-retain-until-date")?;
        let legal_hold = request.owned_header("x-amz-object-lock-legal-hold")?;
        let mode = mode.as_deref().map(read_mode).transpose()?;
        let retention = match (mode, date.as_deref()) {
            (Some(mode), Some(date)) => Some(RequestedRetention::parse(mode, date).ok_or_else(|| not_a_date(date))?),
            (None, None) => None,
            _ => {
                let message = "x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied";
                return Err(S3Error::with_message(S3ErrorCode::InvalidArgument, message));
            }
        };
        Ok(Self { retention, legal_hold: legal_hold.as_deref().map(read_legal_hold).transpose()? })
    }

    /// True if the request sets a retention or a legal hold.
    pub fn is_requested(&self) -> bool {
        self.retention.is_some() || self.legal_hold.is_some()
    }
}
fn read_mode(word: &str) -> Result<RetentionMode, S3Error> {
    let unknown = || S3Error::invalid_argument("x-amz-object-lock-mode", word, "Unknown wormMode directive.");
    RetentionMode::named(word).ok_or_else(unknown)
}

fn not_a_date(text: &str) -> S3Error {
    let message = "The retain until date must be provided in ISO 8601 format";
    S3Error::invalid_argument("x-amz-object-lock-retain-until-date", text, message)
}

fn read_legal_hold(word: &str) -> Result<LegalHold, S3Error> {
    let message = "Legal Hold must be either of 'ON' or 'OFF'";
    let unknown = || S3Error::invalid_argument("x-amz-object-lock-legal-hold", word, message);
    LegalHold::named(word).ok_or_else(unknown)
}

/// A retention that a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestedRetention {
    /// What it asks for.
    pub retention: Retention,
    /// Its date as it was sent: policies see this text.
    pub retain_until_date: String,
}

impl RequestedRetention {
    /// `None` if the text is no date in ISO 8601.
    pub(crate) fn parse(mode: RetentionMode, date: &str) -> Option<Self> {
        let until_s = time::parse_iso8601(date)?;
        Some(Self { retention: Retention { mode, until_s }, retain_until_date: date.to_owned() })
    }
}

/// The encryption that a request asks for. Customers' keys are not kept: their presence is enough to refuse the request
/// by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EncryptionHeaders {
    /// The names of all encryption headers that were sent, in lower case.
    pub names: Vec<String>,
    /// `x-amz-server-side-encryption`, for example `AES256` or `aws:kms`.
    pub algorithm: Option<String>,
    /// `x-amz-server-side-encryption-aws-kms-key-id`.
    pub kms_key_id: Option<String>,
    /// `x-amz-server-side-encryption-customer-algorithm`.
    pub customer_algorithm: Option<String>,
}

impl EncryptionHeaders {
    pub(crate) fn parse(request: &Request<'_>) -> Result<Self, S3Error> {
        let mut names = request.header_names("x-amz-server-side-encryption");
        names.extend(request.header_names("x-amz-copy-source-server-side-encryption"));
        Ok(Self {
            names,
            algorithm: request.owned_header("x-amz-server-side-encryption")?,
            kms_key_id: request.owned_header("x-amz-server-side-encryption-aws-kms-key-id")?,
            customer_algorithm: request.owned_header("x-amz-server-side-encryption-customer-algorithm")?,
        })
    }

    /// True if any encryption header was sent.
    pub fn is_requested(&self) -> bool {
        !self.names.is_empty()
    }

    /// Fails with `NotImplemented`, naming the header, if any was sent.
    pub fn require_none(&self) -> Result<(), S3Error> {
        match self.names.first() {
            Some(name) => Err(S3Error::not_implemented(format_args!("The header {name}"))),
            None => Ok(()),
        }
    }
}
