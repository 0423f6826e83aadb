//! Signed calls to a gateway: IAM, STS and S3.

use bytes::Bytes;
use clap::Args;
use http::{Method, Request, header};
use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sigv4::{PayloadHash, SigningIdentity};

use crate::credentials::Credentials;
use crate::http_client::{self, Answer};

/// Encodes all but the unreserved characters of RFC 3986: for a query or a form.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// The same without `/`: for a path.
const PATH: &AsciiSet = &UNRESERVED.remove(b'/');

/// The gateway that is asked. The key comes from `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`, or from
/// `AWS_SHARED_CREDENTIALS_FILE`.
#[derive(Args)]
pub struct Gateway {
    /// The URL of a gateway; default is `AWS_ENDPOINT_URL`, or `http://127.0.0.1:8333`.
    #[arg(long, default_value_t = default_endpoint(), hide_default_value = true, value_name = "URL")]
    pub endpoint: String,
    /// The region for which the call is signed; default is `AWS_REGION`, `AWS_DEFAULT_REGION`, or `us-east-1`.
    #[arg(long, default_value_t = default_region(), hide_default_value = true, value_name = "REGION")]
    pub region: String,
}

/// A variable of the environment; one that is empty counts as not set.
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn default_endpoint() -> String {
    variable("AWS_ENDPOINT_URL").unwrap_or_else(|| "http://127.0.0.1:8333".to_owned())
}

/// The region that the environment names, as the AWS CLI reads it.
pub fn default_region() -> String {
    let region = variable("AWS_REGION").or_else(|| variable("AWS_DEFAULT_REGION"));
    region.unwrap_or_else(|| "us-east-1".to_owned())
}

/// A text, encoded for a query.
pub fn encoded(text: &str) -> String {
    utf8_percent_encode(text, UNRESERVED).to_string()
}

/// A key, encoded for a path.
pub fn encoded_path(key: &str) -> String {
    utf8_percent_encode(key, PATH).to_string()
}

impl Gateway {
    /// Calls an action of IAM or STS with its parameters.
    pub async fn query<'a>(
        &self,
        service: &'static str,
        action: &'a str,
        parameters: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Answer, String> {
        let version = if service == "sts" { "2011-06-15" } else { "2010-05-08" };
        let pairs = [("Action", action), ("Version", version)].into_iter().chain(parameters);
        let pairs: Vec<String> = pairs.map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
        let form = "application/x-www-form-urlencoded";
        self.send(self.signed(service, &Method::POST, "/", form, pairs.join("&").into())?).await
    }

    /// Sends a request to S3. The path and the query are encoded already.
    pub async fn s3(&self, method: &Method, path: &str, body: Bytes) -> Result<Answer, String> {
        self.send(self.signed("s3", method, path, "application/json", body)?).await
    }

    async fn send(&self, request: Request<Bytes>) -> Result<Answer, String> {
        http_client::send(request).await.map_err(|error| {
            format!("{} does not answer: {error}; start the gateway, or name another one with -endpoint", self.endpoint)
        })
    }

    fn no_url(&self) -> String {
        format!("-endpoint: `{}` is not a URL; write one such as `http://127.0.0.1:8333`", self.endpoint)
    }

    /// A request, signed now. The path and the query are encoded already.
    pub fn signed(
        &self,
        service: &'static str,
        method: &Method,
        path: &str,
        content_type: &str,
        body: Bytes,
    ) -> Result<Request<Bytes>, String> {
        let Credentials { access_key_id, secret, token } = Credentials::find()?;
        let url = format!("{}{path}", self.endpoint.trim_end_matches('/'));
        let uri: http::Uri = url.parse().map_err(|_| self.no_url())?;
        let has_scheme = matches!(uri.scheme_str(), Some("http" | "https"));
        let host = uri.authority().filter(|_| has_scheme).ok_or_else(|| self.no_url())?.to_string();
        let request = Request::builder()
            .method(method)
            .uri(uri)
            .header(header::HOST, host)
            .header(header::CONTENT_TYPE, content_type)
            .body(body);
        let (mut head, body) = request.map_err(|error| format!("-endpoint: {error}"))?.into_parts();
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &body);
        let digest: [u8; 32] = digest.as_ref().try_into().map_err(|_| "SHA-256 has 32 bytes".to_owned())?;
        let who = SigningIdentity {
            access_key_id: &access_key_id,
            secret: &secret,
            session_token: token.as_deref(),
            time: Timestamp::now(),
            region: &self.region,
            service,
        };
        sigv4::sign_header(&mut head, PayloadHash::Sha256(digest), &who)
            .map_err(|error| format!("the call cannot be signed: {error}"))?;
        Ok(Request::from_parts(head, body))
    }
}
