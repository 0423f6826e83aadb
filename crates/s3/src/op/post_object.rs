use ids::{BucketName, ObjectKey};

use super::PutObject;
use crate::checksum::BodyChecksums;
use crate::conditional::WriteCondition;
use crate::object_headers::{
    AclHeaders, ContentHeaders, EncryptionHeaders, ObjectHeaders, ObjectLockHeaders, check_metadata,
    check_storage_class,
};
use crate::request::Request;
use crate::tagging::{MAX_OBJECT_TAGS, TagSet};
use crate::xml::XmlWriter;
use crate::{S3Error, S3ErrorCode};

/// `POST /bucket` with a form: an upload by a browser. The form is in the body and becomes a [`PutObject`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostObject {
    /// The bucket.
    pub bucket: BucketName,
    /// The separator of the form's parts.
    pub boundary: String,
    /// `Content-Length`: the bytes of the whole form.
    pub content_length: Option<u64>,
}

impl PostObject {
    pub(crate) fn parse(request: &Request<'_>, bucket: BucketName) -> Result<Self, S3Error> {
        let content_type = request.owned_header("content-type")?.unwrap_or_default();
        let boundary = boundary(&content_type).ok_or_else(|| {
            S3Error::new(S3ErrorCode::PreconditionFailed)
                .field("Condition", "Bucket POST must be of the enclosure-type multipart/form-data")
        })?;
        Ok(Self { bucket, boundary, content_length: request.length("content-length")? })
    }
}

/// The boundary of a `multipart/form-data` content type: 1 to 70 characters.
fn boundary(content_type: &str) -> Option<String> {
    let (kind, parameters) = content_type.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let value = value.trim().trim_matches('"');
        let is_boundary = name.trim().eq_ignore_ascii_case("boundary");
        let printable = value.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
        (is_boundary && printable && (1..=70).contains(&value.len())).then(|| value.to_owned())
    })
}

/// The fields of a form in front of its file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PostForm {
    /// Name in lower case and value, in order.
    fields: Vec<(String, String)>,
    /// The name of the file as the browser sent it.
    file_name: String,
}

impl PostForm {
    /// Takes the fields in order; a name that comes twice is `InvalidArgument`: the policy and the object could each
    /// believe another one.
    pub fn new(fields: Vec<(String, String)>, file_name: impl Into<String>) -> Result<Self, S3Error> {
        let fields: Vec<(String, String)> =
            fields.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect();
        for (position, (name, value)) in fields.iter().enumerate() {
            if fields.iter().take(position).any(|(other, _)| other == name) {
                let message = "The field is in the form more than once: send it once";
                return Err(S3Error::invalid_argument(name.as_str(), value.as_str(), message));
            }
        }
        Ok(Self { fields, file_name: file_name.into() })
    }

    /// The value of a field; `name` in lower case.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// All fields, names in lower case, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The key that the object gets: `${filename}` stands for the name of the file, without directories.
    pub fn key(&self) -> Result<ObjectKey, S3Error> {
        let key = self.get("key").filter(|key| !key.is_empty()).ok_or_else(|| {
            S3Error::with_message(
                S3ErrorCode::InvalidArgument,
                "Bucket POST must contain a field named 'key'. If it is specified, please check the order of the fields.",
            )
            .field("ArgumentName", "key")
        })?;
        let file_name = self.file_name.rsplit(['/', '\\']).next().unwrap_or_default();
        crate::route::object_key(&key.replace("${filename}", file_name))
    }

    /// The upload that the form stands for. A field `bucket` must name the bucket of the URL.
    pub fn into_put(self, bucket: BucketName) -> Result<PutObject, S3Error> {
        if self.get("bucket").is_some_and(|named| named != bucket.as_str()) {
            let message = "The field `bucket` names another bucket than the URL";
            return Err(S3Error::with_message(S3ErrorCode::InvalidPolicyDocument, message));
        }
        Ok(PutObject {
            key: self.key()?,
            bucket,
            object: Box::new(self.object_headers()?),
            condition: WriteCondition::Always,
            checksums: BodyChecksums::default(),
            content_length: None,
            decoded_content_length: None,
        })
    }

    /// How a success is answered.
    pub fn success(&self) -> PostSuccess {
        let redirect = self.get("success_action_redirect").or_else(|| self.get("redirect"));
        let redirect = redirect.filter(|url| {
            (url.starts_with("http://") || url.starts_with("https://")) && !url.chars().any(char::is_control)
        });
        match (redirect, self.get("success_action_status")) {
            (Some(url), _) => PostSuccess::Redirect(url.to_owned()),
            (None, Some("200")) => PostSuccess::Ok,
            (None, Some("201")) => PostSuccess::Created,
            (None, _) => PostSuccess::NoContent,
        }
    }

    fn object_headers(&self) -> Result<ObjectHeaders, S3Error> {
        let owned = |name: &str| self.get(name).map(str::to_owned);
        let metadata = |(name, value): (&str, &str)| {
            name.strip_prefix("x-amz-meta-").map(|key| (key.to_owned(), value.to_owned()))
        };
        let mut metadata: Vec<(String, String)> = self.iter().filter_map(metadata).collect();
        metadata.sort();
        check_metadata(&metadata)?;
        let encryption =
            self.iter().map(|(name, _)| name).filter(|name| name.starts_with("x-amz-server-side-encryption"));
        Ok(ObjectHeaders {
            content: ContentHeaders {
                content_type: owned("content-type"),
                cache_control: owned("cache-control"),
                content_disposition: owned("content-disposition"),
                content_encoding: owned("content-encoding"),
                content_language: owned("content-language"),
                expires: owned("expires"),
            },
            metadata,
            acl: AclHeaders { canned: owned("acl").map(AclHeaders::check).transpose()?, grants: Vec::new() },
            tagging: self.get("tagging").map(|xml| TagSet::from_xml(xml.as_bytes(), MAX_OBJECT_TAGS)).transpose()?,
            storage_class: owned("x-amz-storage-class").map(check_storage_class).transpose()?,
            website_redirect_location: owned("x-amz-website-redirect-location"),
            lock: ObjectLockHeaders::new(
                owned("x-amz-object-lock-mode"),
                owned("x-amz-object-lock-retain-until-date"),
                owned("x-amz-object-lock-legal-hold"),
            )?,
            encryption: EncryptionHeaders {
                names: encryption.map(str::to_owned).collect(),
                algorithm: owned("x-amz-server-side-encryption"),
                kms_key_id: owned("x-amz-server-side-encryption-aws-kms-key-id"),
                customer_algorithm: owned("x-amz-server-side-encryption-customer-algorithm"),
            },
        })
    }
}

/// How the success of a form is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PostSuccess {
    /// 303 to this URL, with `bucket`, `key` and `etag` added to its query.
    Redirect(String),
    /// 200 without a body.
    Ok,
    /// 201 with [`PostObjectOutput::to_xml`].
    Created,
    /// 204.
    NoContent,
}

/// The answer to a form with `success_action_status` 201.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostObjectOutput {
    /// Where the object is, an absolute URL.
    pub location: String,
    /// The bucket.
    pub bucket: BucketName,
    /// The key.
    pub key: ObjectKey,
    /// Without quotes.
    pub etag: String,
}

impl PostObjectOutput {
    /// The document of the answer.
    pub fn to_xml(&self) -> String {
        let mut xml = XmlWriter::document();
        xml.open("PostResponse");
        xml.text("Location", &self.location);
        xml.text("Bucket", self.bucket.as_str());
        xml.text("Key", self.key.as_str());
        xml.etag(&self.etag);
        xml.close("PostResponse");
        xml.finish()
    }

    /// Where a redirect leads: `url` with `bucket`, `key` and `etag` in its query.
    pub fn redirect_to(&self, url: &str) -> String {
        use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode as encode};
        let separator = if url.contains('?') { '&' } else { '?' };
        let etag = format!("\"{}\"", self.etag.trim_matches('"'));
        format!(
            "{url}{separator}bucket={}&key={}&etag={}",
            encode(self.bucket.as_str(), NON_ALPHANUMERIC),
            encode(self.key.as_str(), NON_ALPHANUMERIC),
            encode(&etag, NON_ALPHANUMERIC)
        )
    }
}
