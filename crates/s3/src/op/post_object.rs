use http::request::Parts;
use http::{HeaderName, HeaderValue};
use ids::{BucketName, ObjectKey};
use xml::XmlWriter;

use super::PutObject;
use crate::checksum::BodyChecksums;
use crate::condition_keys::ConditionKeys;
use crate::conditional::WriteCondition;
use crate::document;
use crate::object_headers::ObjectHeaders;
use crate::request::Request;
use crate::requirement::{Requirement, all_keys};
use crate::routed::{Route, Routed};
use crate::s3_operation::{S3Operation, UploadLength};
use crate::tagging::{OBJECT_TAGS_MAX, TagSet};
use crate::target::{Addressed, Target};
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
    /// The fields of the form; none until it is read.
    pub form: PostForm,
    /// The upload that the form describes; `None` until the form is read.
    pub put: Option<Box<PutObject>>,
}

impl PostObject {
    /// Sets the fields of the form. `put` is then the upload that they describe.
    pub fn read_form(&mut self, form: PostForm) -> Result<(), S3Error> {
        self.put = Some(Box::new(form.to_put(self.bucket.clone())?));
        self.form = form;
        Ok(())
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

/// The longest key before its length is checked, in bytes: the fields of a form cannot be longer in total.
const FIELDS_BYTES_MAX: usize = 20 << 10;

/// The fields of a form that precede its file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PostForm {
    /// Names in lower case, with their values, in order.
    fields: Vec<(String, String)>,
}

impl PostForm {
    /// Takes the fields in order. A name that occurs twice is `InvalidArgument`: otherwise the policy and the object
    /// could use different values. In the key, `${filename}` is replaced by the name of the file without directories.
    /// This happens only here, so that the policy and the object are about the same key.
    pub fn new(fields: Vec<(String, String)>, file_name: &str) -> Result<Self, S3Error> {
        let mut fields: Vec<(String, String)> =
            fields.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect();
        for (position, (name, value)) in fields.iter().enumerate() {
            if fields.iter().take(position).any(|(other, _)| other == name) {
                let message = "The field occurs more than once in the form: send it once";
                return Err(S3Error::invalid_argument(name.as_str(), value.as_str(), message));
            }
        }
        for (_, key) in fields.iter_mut().filter(|(name, _)| name == "key") {
            *key = expanded(key, file_name)?;
        }
        Ok(Self { fields })
    }

    /// The value of a field. `name` is in lower case.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// All fields, names in lower case, in order.
    pub fn fields(&self) -> &[(String, String)] {
        &self.fields
    }

    /// The same as pairs of texts.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The key that the object gets.
    pub fn key(&self) -> Result<ObjectKey, S3Error> {
        let key = self.get("key").filter(|key| !key.is_empty()).ok_or_else(|| {
            S3Error::with_message(
                S3ErrorCode::InvalidArgument,
                "Bucket POST must contain a field named 'key'. If it is specified, please check the order of the fields.",
            )
            .field("ArgumentName", "key")
        })?;
        crate::target::object_key(key)
    }

    /// The upload that the form describes. A field `bucket` must name the bucket of the URL.
    pub fn to_put(&self, bucket: BucketName) -> Result<PutObject, S3Error> {
        if self.get("bucket").is_some_and(|named| named != bucket.as_str()) {
            let message = "The field `bucket` and the URL name different buckets";
            return Err(S3Error::with_message(S3ErrorCode::InvalidPolicyDocument, message));
        }
        Ok(PutObject {
            target: Target { key: self.key()?, bucket, version_id: None },
            object: Box::new(self.object_headers()?),
            condition: WriteCondition::Always,
            checksums: self.checksums()?,
            length: UploadLength::default(),
        })
    }

    /// What the fields promise about the file. A form has no trailers.
    pub fn checksums(&self) -> Result<BodyChecksums, S3Error> {
        let head = self.as_headers()?;
        Ok(BodyChecksums { trailer: None, ..BodyChecksums::parse(&Request::new(&head)?)? })
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

    /// What the fields say about the object. They are turned into headers, so that the same checks apply and they are
    /// stored the same way.
    fn object_headers(&self) -> Result<ObjectHeaders, S3Error> {
        let head = self.as_headers()?;
        let mut object = ObjectHeaders::parse(&Request::new(&head)?)?;
        if let Some(xml) = self.get("tagging") {
            if object.tagging.is_some() {
                return Err(given_twice("tagging", "x-amz-tagging"));
            }
            object.tagging = Some(TagSet::from_xml(xml.as_bytes(), OBJECT_TAGS_MAX)?);
        }
        Ok(object)
    }

    /// The head of the PutObject that the form describes.
    fn as_headers(&self) -> Result<Parts, S3Error> {
        let (mut head, ()) = http::Request::new(()).into_parts();
        for (field, value) in self.iter() {
            let name = if field == "acl" { "x-amz-acl" } else { field };
            if !is_header(name) {
                continue;
            }
            let refused = || {
                let message = "The field becomes a header: its value must not contain control characters, and its name must not contain spaces";
                S3Error::with_message(S3ErrorCode::InvalidArgument, message)
                    .field("ArgumentName", field.escape_debug().to_string())
            };
            let name_of_header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| refused())?;
            let value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| refused())?;
            if head.headers.insert(name_of_header, value).is_some() {
                return Err(given_twice("acl", "x-amz-acl"));
            }
        }
        Ok(head)
    }
}

/// The fields of a form that correspond to headers of PutObject.
fn is_header(name: &str) -> bool {
    const CONTENT: &[&str] = &[
        "content-type",
        "cache-control",
        "content-disposition",
        "content-encoding",
        "content-language",
        "content-md5",
        "expires",
    ];
    CONTENT.contains(&name) || name.starts_with("x-amz-")
}

fn given_twice(field: &str, other: &str) -> S3Error {
    S3Error::invalid_argument(field, "", format!("The fields `{field}` and `{other}` mean the same: send one of them"))
}

/// The key with the name of the file inserted, unless it would be too long.
fn expanded(key: &str, file_name: &str) -> Result<String, S3Error> {
    const VARIABLE: &str = "${filename}";
    let file_name = file_name.rsplit(['/', '\\']).next().unwrap_or_default();
    let bytes = key.len() + key.matches(VARIABLE).count() * file_name.len();
    if bytes > FIELDS_BYTES_MAX {
        return Err(S3Error::new(S3ErrorCode::KeyTooLongError)
            .field("Size", bytes.to_string())
            .field("MaxSizeAllowed", "1024"));
    }
    Ok(key.replace(VARIABLE, file_name))
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
        xml.text("ETag", &document::quoted(&self.etag));
        xml.close("PostResponse");
        xml.finish()
    }

    /// The target of a redirect: `url` with `bucket`, `key` and `etag` in its query.
    pub fn redirect_to(&self, url: &str) -> String {
        use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode as encode};
        let separator = if url.contains('?') { '&' } else { '?' };
        let etag = document::quoted(&self.etag);
        format!(
            "{url}{separator}bucket={}&key={}&etag={}",
            encode(self.bucket.as_str(), NON_ALPHANUMERIC),
            encode(self.key.as_str(), NON_ALPHANUMERIC),
            encode(&etag, NON_ALPHANUMERIC)
        )
    }
}

impl Routed for PostObject {
    type On = BucketName;
    const ROUTE: Route = Route::new("POST");

    fn parse(request: &Request<'_>, bucket: BucketName) -> Result<Self, S3Error> {
        let content_type = request.owned_header("content-type")?.unwrap_or_default();
        let boundary = boundary(&content_type).ok_or_else(|| {
            S3Error::new(S3ErrorCode::PreconditionFailed)
                .field("Condition", "Bucket POST must be of the enclosure-type multipart/form-data")
        })?;
        Ok(Self {
            bucket,
            boundary,
            content_length: request.length("content-length")?,
            form: PostForm::default(),
            put: None,
        })
    }
}

impl S3Operation for PostObject {
    fn addressed(&self) -> Addressed<'_> {
        (&self.bucket).into()
    }

    fn needs(&self) -> Vec<Requirement> {
        match &self.put {
            Some(put) => put.needs(),
            None => all_keys("s3:PutObject", &self.bucket),
        }
    }

    fn set_condition_keys(&self, keys: &mut ConditionKeys<'_>) -> Result<(), S3Error> {
        if let Some(put) = &self.put {
            keys.object(&put.object);
            keys.creates_object(true);
        }
        Ok(())
    }

    fn makes_missing_bucket(&self) -> bool {
        true
    }
}
