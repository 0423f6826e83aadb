use std::borrow::Cow;
use std::fmt;

use policy::ValueTooLong;
use xml::XmlWriter;

/// The header that names the gateways that may not enforce a change yet, on an answer that was given all the same.
pub const NOT_ENFORCED: &str = "x-kelpgate-not-enforced";

macro_rules! error_codes {
    ($($name:ident $status:literal $message:literal,)+) => {
        /// The error codes of S3, each with the HTTP status and message that AWS sends.
        ///
        /// Source: S3 API Reference, "Error responses", and SeaweedFS's answers where AWS has no code.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum S3ErrorCode {
            $(#[doc = $message] $name,)+
        }

        impl S3ErrorCode {
            /// All codes, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The text in `<Code>`.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)+ }
            }

            /// The HTTP status, 304 to 507.
            pub fn status(self) -> http::StatusCode {
                let number: u16 = match self { $(Self::$name => $status,)+ };
                http::StatusCode::from_u16(number).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR)
            }

            /// The message for errors without one of their own.
            pub fn message(self) -> &'static str {
                match self { $(Self::$name => $message,)+ }
            }
        }
    };
}

error_codes! {
    AccessControlListNotSupported 400 "The bucket does not allow ACLs",
    AccessDenied 403 "Access Denied",
    AccessForbidden 403 "CORSResponse: This CORS request is not allowed.",
    AccountProblem 403 "There is a problem with your account that prevents the operation from completing successfully.",
    AuthorizationHeaderMalformed 400 "The authorization header that you provided is not valid.",
    AuthorizationQueryParametersError 400 "The authorization query parameters that you provided are not valid.",
    BadDigest 400 "The Content-MD5 or checksum value that you specified did not match what the server received.",
    BucketAlreadyExists 409 "The requested bucket name is not available. The bucket namespace is shared by all users of the system. Select a different name and try again.",
    BucketAlreadyOwnedByYou 409 "The bucket that you tried to create already exists, and you own it.",
    BucketNotEmpty 409 "The bucket that you tried to delete is not empty.",
    ChangeNotYetEnforced 409 "The change is stored, but not every gateway enforces it yet. Repeat the request to wait for them.",
    ConditionalRequestConflict 409 "A conflicting operation occurred during the conditional request. Retry the request.",
    CredentialsNotSupported 400 "This request does not support credentials.",
    EntityTooLarge 400 "Your proposed upload exceeds the maximum allowed object size.",
    EntityTooSmall 400 "Your proposed upload is smaller than the minimum allowed object size.",
    ExistingObjectIsDirectory 409 "An existing object is a directory: its key is a prefix of other keys, which this filer cannot hold.",
    ExistingObjectIsFile 409 "A prefix of this key is itself an object, which this filer cannot hold.",
    ExpiredToken 400 "The provided token has expired.",
    IllegalLocationConstraintException 400 "The unspecified location constraint is incompatible for the region specific endpoint this request was sent to.",
    IllegalVersioningConfigurationException 400 "Indicates that the versioning configuration specified in the request is invalid.",
    IncompleteBody 400 "You did not provide the number of bytes specified by the Content-Length HTTP header.",
    InsufficientStorage 507 "There is not enough room to store the object.",
    InternalError 500 "We encountered an internal error. Please try again.",
    InvalidAccessKeyId 403 "The AWS Access Key Id you provided does not exist in our records.",
    InvalidArgument 400 "Invalid Argument",
    InvalidBucketAclWithObjectOwnership 400 "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting",
    InvalidBucketName 400 "The specified bucket is not valid.",
    InvalidBucketOwnerAWSAccountID 400 "The value of the expected bucket owner parameter must be an AWS account ID: 12 digits.",
    InvalidBucketState 409 "The request is not valid for the current state of the bucket.",
    InvalidDigest 400 "The Content-MD5 or checksum value that you specified is not valid.",
    InvalidEncryptionAlgorithmError 400 "The encryption request that you specified is not valid. The valid value is AES256.",
    InvalidLocationConstraint 400 "The specified location constraint is not valid.",
    InvalidObjectState 403 "The operation is not valid for the current state of the object.",
    InvalidPart 400 "One or more of the specified parts could not be found. The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.",
    InvalidPartNumber 416 "The requested partnumber is not satisfiable",
    InvalidPartOrder 400 "The list of parts was not in ascending order. The parts list must be specified in order by part number.",
    InvalidPolicyDocument 400 "The content of the form does not meet the conditions specified in the policy document.",
    InvalidRange 416 "The requested range is not satisfiable",
    InvalidRedirectLocation 400 "The website redirect location is not valid.",
    InvalidRequest 400 "Invalid Request",
    InvalidRetentionPeriod 400 "The retention period must be a positive integer value.",
    InvalidSecurity 403 "The provided security credentials are not valid.",
    InvalidStorageClass 400 "The storage class you specified is not valid",
    InvalidTag 400 "The tag provided was not a valid tag. This error can occur if the tag did not pass input validation.",
    InvalidToken 400 "The provided token is malformed or otherwise not valid.",
    InvalidURI 400 "Couldn't parse the specified URI.",
    KeyTooLongError 400 "Your key is too long.",
    MalformedACLError 400 "The ACL that you provided was not well formed or did not validate against our published schema.",
    MalformedPOSTRequest 400 "The body of your POST request is not well-formed multipart/form-data.",
    MalformedPolicy 400 "This policy contains invalid Json",
    MalformedTrailerError 400 "The request contained trailing data that was not well-formed or did not conform to our published schema.",
    MalformedXML 400 "The XML you provided was not well-formed or did not validate against our published schema",
    MaxMessageLengthExceeded 400 "Your request was too large.",
    MaxPostPreDataLengthExceededError 400 "Your POST request fields preceding the upload file was too large.",
    MetadataTooLarge 400 "Your metadata headers exceed the maximum allowed metadata size.",
    MethodNotAllowed 405 "The specified method is not allowed against this resource.",
    MissingContentLength 411 "You must provide the Content-Length HTTP header.",
    MissingRequestBodyError 400 "Request Body is empty",
    MissingSecurityHeader 400 "Your request was missing a required header",
    NoSuchBucket 404 "The specified bucket does not exist",
    NoSuchBucketPolicy 404 "The bucket policy does not exist",
    NoSuchCORSConfiguration 404 "The CORS configuration does not exist",
    NoSuchConfiguration 404 "The specified configuration does not exist.",
    NoSuchKey 404 "The specified key does not exist.",
    NoSuchLifecycleConfiguration 404 "The lifecycle configuration does not exist",
    NoSuchObjectLockConfiguration 404 "The specified object does not have a ObjectLock configuration",
    NoSuchPublicAccessBlockConfiguration 404 "The public access block configuration was not found",
    NoSuchTagSet 404 "The TagSet does not exist",
    NoSuchUpload 404 "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.",
    NoSuchVersion 404 "The specified version does not exist.",
    NoSuchWebsiteConfiguration 404 "The specified bucket does not have a website configuration",
    NotDeviceOwnerError 400 "The device that generated the token is not owned by the authenticated user.",
    NotImplemented 501 "A header or operation you provided implies functionality that is not implemented",
    NotModified 304 "Not Modified",
    ObjectLockConfigurationNotFoundError 404 "Object Lock configuration does not exist for this bucket",
    OperationAborted 409 "A conflicting conditional operation is currently in progress against this resource. Try again.",
    OwnershipControlsNotFoundError 404 "The bucket ownership controls were not found",
    PostPolicyInvalidKeyName 403 "Invalid according to Policy: Policy Condition failed",
    PreconditionFailed 412 "At least one of the pre-conditions you specified did not hold",
    ReplicationConfigurationNotFoundError 404 "The replication configuration was not found",
    RequestHeaderSectionTooLarge 400 "Your request header section exceeds the maximum allowed request header section size.",
    RequestTimeTooSkewed 403 "The difference between the request time and the server's time is too large.",
    RequestTimeout 400 "Your socket connection to the server was not read from or written to within the timeout period.",
    ServerSideEncryptionConfigurationNotFoundError 404 "The server side encryption configuration was not found",
    ServiceUnavailable 503 "Service is unable to handle request.",
    SignatureDoesNotMatch 403 "The request signature we calculated does not match the signature you provided. Check your key and signing method.",
    SlowDown 503 "Please reduce your request rate.",
    TooManyBuckets 400 "You have attempted to create more buckets than are allowed for your account.",
    TooManyConfigurations 400 "You are attempting to create a new configuration but have already reached the limit.",
    UnauthorizedAccess 403 "You are not authorized to perform this operation",
    UnexpectedContent 400 "This request contains unsupported content.",
    UnresolvableGrantByEmailAddress 400 "The email address that you provided does not match any account on record.",
    UserKeyMustBeSpecified 400 "The bucket POST request must contain the specified field name. If it is specified, check the order of the fields.",
    XAmzContentSHA256Mismatch 400 "The provided 'x-amz-content-sha256' header does not match what was computed.",
}

impl fmt::Display for S3ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An error as S3 answers it: a code, a message, and additional fields and headers for some codes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct S3Error {
    /// Decides the HTTP status.
    pub code: S3ErrorCode,
    /// Replaces the code's own message.
    pub message: Option<Cow<'static, str>>,
    /// `<Resource>`: the path that the error is about, if it is known.
    pub resource: Option<String>,
    /// Additional elements of the document, for example `ArgumentName` or `DecisionId`, in order.
    pub fields: Vec<(&'static str, String)>,
    /// Additional headers of the answer, for example `Retry-After`. Names are in lower case.
    pub headers: Vec<(&'static str, String)>,
}

impl S3Error {
    /// An error with the code's own message.
    pub fn new(code: S3ErrorCode) -> Self {
        Self { code, message: None, resource: None, fields: Vec::new(), headers: Vec::new() }
    }

    /// An error with a more specific message.
    pub fn with_message(code: S3ErrorCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self { message: Some(message.into()), ..Self::new(code) }
    }

    /// `InvalidArgument` for a parameter or header, with its name and the value that was sent.
    pub fn invalid_argument(
        name: impl Into<String>,
        value: impl Into<String>,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self::with_message(S3ErrorCode::InvalidArgument, message)
            .field("ArgumentName", name)
            .field("ArgumentValue", value)
    }

    /// `NotImplemented` that names the operation, header or sub-resource.
    pub fn not_implemented(what: impl fmt::Display) -> Self {
        Self::with_message(
            S3ErrorCode::NotImplemented,
            format!("{what} is not supported by this gateway: send the request without it"),
        )
    }

    /// `NotImplemented` that names the operation.
    pub fn unsupported_operation(name: &str) -> Self {
        let message = format!("The operation {name} is not supported by this gateway yet; nothing was changed");
        Self::with_message(S3ErrorCode::NotImplemented, message)
    }

    /// `MalformedXML` with the reason after AWS's text.
    pub fn malformed_xml(reason: impl fmt::Display) -> Self {
        let text = S3ErrorCode::MalformedXML.message();
        Self::with_message(S3ErrorCode::MalformedXML, format!("{text}: {reason}"))
    }

    /// The same error with one more element in its document.
    pub fn field(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.fields.push((name, value.into()));
        self
    }

    /// The same error with one more header in its answer. The name is in lower case.
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The same error about this path (for example `/bucket/key`).
    pub fn about(mut self, resource: impl Into<String>) -> Self {
        self.resource = Some(resource.into());
        self
    }

    /// The HTTP status of the answer.
    pub fn status(&self) -> http::StatusCode {
        self.code.status()
    }

    /// The message that the answer shows.
    pub fn message(&self) -> &str {
        self.message.as_deref().unwrap_or_else(|| self.code.message())
    }

    /// The document of the answer. A 304 and an answer to HEAD have no body, so do not send it there.
    pub fn to_xml(&self, request_id: &str, host_id: &str) -> String {
        let mut xml = XmlWriter::document();
        xml.open("Error");
        self.write(&mut xml);
        if let Some(resource) = &self.resource {
            xml.text("Resource", resource);
        }
        xml.text("RequestId", request_id);
        xml.text("HostId", host_id);
        xml.close("Error");
        xml.finish()
    }

    /// The document of S3 Control, in which clients look for the error one element deeper.
    pub fn to_control_xml(&self, request_id: &str) -> String {
        let mut xml = XmlWriter::document();
        xml.open("ErrorResponse");
        xml.open("Error");
        self.write(&mut xml);
        xml.close("Error");
        xml.text("RequestId", request_id);
        xml.close("ErrorResponse");
        xml.finish()
    }

    fn write(&self, xml: &mut XmlWriter) {
        xml.text("Code", self.code.as_str());
        xml.text("Message", self.message());
        for (name, value) in &self.fields {
            xml.text(name, value);
        }
    }
}

impl fmt::Display for S3Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message())
    }
}

impl std::error::Error for S3Error {}

impl From<ValueTooLong> for S3Error {
    fn from(ValueTooLong { key, most }: ValueTooLong) -> Self {
        let error = Self::new(S3ErrorCode::RequestHeaderSectionTooLarge);
        error.field("ConditionKey", key).field("MaxSizeAllowed", most.to_string())
    }
}

impl From<S3ErrorCode> for S3Error {
    fn from(code: S3ErrorCode) -> Self {
        Self::new(code)
    }
}
