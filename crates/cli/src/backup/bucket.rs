//! Backups in a bucket, `s3://BUCKET/PREFIX`: of Kelpgate, AWS or any other S3.
//!
//! A piece (a file in `segments/` or `data/`) has its seal behind its name, so one listing tells what is there.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use filer::embedded::backup::{BackupError, Place, Purpose, Seal};
use http::{HeaderValue, Method, Request, StatusCode, header};
use ids::BucketName;
use percent_encoding::percent_decode_str;
use tokio::runtime::Handle;

use crate::api::{Gateway, default_region, encoded, encoded_path, variable};
use crate::http_client::{Answer, HttpClient};

/// How a URL of a bucket begins.
pub const SCHEME: &str = "s3://";
/// The file that the first backup creates.
const IDENTITY: &str = "kelpgate-backup";
/// How long to wait before each further attempt.
const PAUSES_MS: [u64; 4] = [200, 1000, 3000, 0];

/// A prefix of a bucket.
pub struct Bucket {
    gateway: Gateway,
    client: HttpClient,
    bucket: BucketName,
    /// Empty, or with a slash at its end.
    prefix: String,
    /// The objects behind the prefix, and their sizes in bytes.
    objects: BTreeMap<String, u64>,
}

impl Bucket {
    /// The bucket and prefix of a URL. Without an endpoint, it is a bucket of AWS.
    pub fn at(url: &str, endpoint: Option<&str>) -> Result<Box<dyn Place>, String> {
        let rest = url.strip_prefix(SCHEME).unwrap_or_default();
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let bucket = bucket.parse().map_err(|error| format!("`{url}`: {error}; write `s3://BUCKET/PREFIX`"))?;
        let prefix = prefix.trim_matches('/');
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        let region = default_region();
        let endpoint = endpoint.map(str::to_owned).or_else(|| variable("AWS_ENDPOINT_URL_S3"));
        let endpoint = endpoint.or_else(|| variable("AWS_ENDPOINT_URL"));
        let endpoint = endpoint.unwrap_or_else(|| format!("https://s3.{region}.amazonaws.com"));
        let (gateway, client) = (Gateway { endpoint, region }, HttpClient::new()?);
        Ok(Box::new(Bucket { gateway, client, bucket, prefix, objects: BTreeMap::new() }))
    }

    /// Sends a request, and once more after each pause if the answer says that this may help.
    fn send(&self, method: &Method, path: &str, body: &Bytes, is_first: bool) -> Result<Answer, String> {
        let mut last = String::new();
        for pause_ms in PAUSES_MS {
            let mut request = self.gateway.signed("s3", method, path, "application/octet-stream", body.clone())?;
            if is_first {
                request.headers_mut().insert(header::IF_NONE_MATCH, HeaderValue::from_static("*"));
            }
            last = match self.wait_for(request) {
                Ok(answer) if answer.status.is_server_error() => in_words(&answer),
                Ok(answer) => return Ok(answer),
                Err(error) => format!("{} does not answer: {error}", self.gateway.endpoint),
            };
            std::thread::sleep(Duration::from_millis(pause_ms));
        }
        Err(last)
    }

    fn wait_for(&self, request: Request<Bytes>) -> Result<Answer, String> {
        Handle::current().block_on(self.client.send(request))
    }

    fn url_path(&self, object: &str) -> String {
        format!("/{}/{}{}", self.bucket, encoded_path(&self.prefix), encoded_path(object))
    }

    fn list(&self) -> Result<BTreeMap<String, u64>, String> {
        let mut objects = BTreeMap::new();
        let mut token = None;
        loop {
            let page = self.page(token.as_deref())?;
            for row in page.all("Contents") {
                let key = row.required("Key").map_err(|error| error.to_string())?.replace('+', " ");
                let key = percent_decode_str(&key).decode_utf8_lossy();
                let size = row.required("Size").map_err(|error| error.to_string())?;
                if let (Some(object), Ok(size)) = (key.strip_prefix(&self.prefix), size.parse()) {
                    objects.insert(object.to_owned(), size);
                }
            }
            token = page.child_text("NextContinuationToken").map_err(|error| error.to_string())?.map(str::to_owned);
            if token.is_none() {
                return Ok(objects);
            }
        }
    }

    fn page(&self, token: Option<&str>) -> Result<xml::Element, String> {
        let further = token.map(|token| format!("continuation-token={}&", encoded(token))).unwrap_or_default();
        let prefix = encoded(&self.prefix);
        let path = format!("/{}?{further}encoding-type=url&list-type=2&prefix={prefix}", self.bucket);
        let answer = self.send(&Method::GET, &path, &Bytes::new(), false)?;
        match answer.status {
            StatusCode::OK => xml::parse(&answer.body, "ListBucketResult").map_err(|error| error.to_string()),
            _ => Err(in_words(&answer)),
        }
    }

    /// The object that holds a file, or `None` if the bucket has no such file.
    fn object_of(&self, name: &str) -> io::Result<Option<(String, Option<Seal>)>> {
        if !is_piece(name) {
            return Ok(self.objects.contains_key(name).then(|| (name.to_owned(), None)));
        }
        let beginning = format!("{name}.");
        let sealed = |(object, bytes): (&String, &u64)| {
            let seal = Seal::from_text(object.strip_prefix(&beginning)?)?;
            (seal.bytes() == *bytes).then(|| (object.clone(), Some(seal)))
        };
        let behind = self.objects.range(beginning.clone()..).take_while(|(object, _)| object.starts_with(&beginning));
        let mut found = behind.filter_map(sealed);
        match (found.next(), found.next()) {
            (_, Some(_)) => Err(io::Error::other(
                "it exists with two different contents: several copies of one store were backed up here; use a separate prefix for each",
            )),
            (first, None) => Ok(first),
        }
    }
}

impl Place for Bucket {
    fn begin(&mut self, purpose: Purpose) -> Result<(), BackupError> {
        let listed = self.list().map_err(io::Error::other);
        self.objects = listed.map_err(|source| BackupError::Io { path: self.path(""), source })?;
        match purpose {
            Purpose::Writing if !self.objects.is_empty() && !self.objects.contains_key(IDENTITY) => {
                Err(BackupError::NotABackup(self.path("")))
            }
            _ => Ok(()),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("{SCHEME}{}/{}{name}", self.bucket, self.prefix))
    }

    fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        let Some((object, _)) = self.object_of(name)? else { return Ok(None) };
        let answer =
            self.send(&Method::GET, &self.url_path(&object), &Bytes::new(), false).map_err(io::Error::other)?;
        match answer.status {
            StatusCode::OK => Ok(Some(answer.body.into())),
            _ => Err(io::Error::other(in_words(&answer))),
        }
    }

    fn seal(&self, name: &str) -> io::Result<Option<Seal>> {
        Ok(self.object_of(name)?.and_then(|(_, seal)| seal))
    }

    fn store(&mut self, name: &str, content: &[u8]) -> io::Result<()> {
        let object = if is_piece(name) { format!("{name}.{}", Seal::of(content).to_text()) } else { name.to_owned() };
        let body = Bytes::copy_from_slice(content);
        let answer =
            self.send(&Method::PUT, &self.url_path(&object), &body, name == IDENTITY).map_err(io::Error::other)?;
        if answer.status != StatusCode::OK {
            return Err(io::Error::other(in_words(&answer)));
        }
        self.objects.insert(object, content.len() as u64);
        Ok(())
    }

    /// A PUT that was answered survives.
    fn settle(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn names(&self, directory: &str) -> io::Result<Vec<String>> {
        let beginning = format!("{directory}/");
        let within = self.objects.keys().filter(|object| object.starts_with(&beginning));
        let name = |object: &String| match object.rsplit_once('.') {
            Some((name, seal)) if is_piece(name) && Seal::from_text(seal).is_some() => name.to_owned(),
            _ => object.clone(),
        };
        Ok(within.map(name).collect())
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        let object = self.object_of(name)?.map_or_else(|| name.to_owned(), |(object, _)| object);
        let path = self.url_path(&object);
        let answer = self.send(&Method::DELETE, &path, &Bytes::new(), false).map_err(io::Error::other)?;
        if !answer.status.is_success() {
            return Err(io::Error::other(in_words(&answer)));
        }
        self.objects.remove(&object);
        Ok(())
    }
}

/// Whether a file has its seal behind its name.
fn is_piece(name: &str) -> bool {
    name.starts_with("segments/") || name.starts_with("data/")
}

/// The status, and code and message of an S3 error.
fn in_words(answer: &Answer) -> String {
    let error = xml::parse(&answer.body, "Error").unwrap_or_default();
    let text = |name: &str| error.child_text(name).ok().flatten().unwrap_or_default().to_owned();
    format!("{}: {} {}", answer.status, text("Code"), text("Message")).trim_end().to_owned()
}
