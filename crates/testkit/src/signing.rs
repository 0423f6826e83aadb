//! Signs requests as clients do. V2 is written here once more, from its specification: gateways only check it.
#![expect(clippy::unwrap_used, reason = "what cannot be signed fails the test that wants it signed")]

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::request::Parts;
use ids::{AccessKeyId, SecretAccessKey};
use jiff::{SignedDuration, Timestamp};
use sigv4::{ChunkMode, ChunkSigner, PayloadHash, RequestDate, SigningIdentity};

/// A client with a key: what it signs with, when, and for which region and service.
#[derive(Debug, Clone)]
pub struct Client {
    /// The key's id.
    pub access_key_id: AccessKeyId,
    /// The key's secret.
    pub secret: SecretAccessKey,
    /// The token of a session.
    pub session_token: Option<String>,
    /// The time by its clock.
    pub time: Timestamp,
    /// The region that it believes to talk to.
    pub region: String,
    /// `s3`, `iam` or `sts`.
    pub service: String,
}

impl Client {
    /// A client of S3 in us-east-1 without a session.
    pub fn new(access_key_id: &str, secret: &str, time: Timestamp) -> Self {
        Self {
            access_key_id: access_key_id.parse().unwrap(),
            secret: SecretAccessKey::new(secret),
            session_token: None,
            time,
            region: "us-east-1".to_owned(),
            service: "s3".to_owned(),
        }
    }

    /// Signs a head with V4, in `Authorization`.
    pub fn sign(&self, mut head: Parts, payload: PayloadHash) -> Parts {
        sigv4::sign_header(&mut head, payload, &self.identity()).unwrap();
        head
    }

    /// Signs a head whose body is aws-chunked, and makes the signer of its chunks.
    pub fn sign_chunked(&self, mut head: Parts, payload: PayloadHash) -> (Parts, ChunkSigner) {
        let signed = sigv4::sign_header(&mut head, payload, &self.identity()).unwrap();
        let mode = match payload {
            PayloadHash::StreamingSigned => ChunkMode::Signed(signed.seed),
            PayloadHash::StreamingSignedTrailer => ChunkMode::SignedTrailer(signed.seed),
            _ => ChunkMode::UnsignedTrailer,
        };
        (head, ChunkSigner::new(mode))
    }

    /// Makes a presigned URL of a head, with V4: any body, for `expires_s` seconds.
    pub fn presign(&self, mut head: Parts, expires_s: u32) -> Parts {
        sigv4::presign(&mut head, PayloadHash::Absent, expires_s, &self.identity()).unwrap();
        head
    }

    /// Signs a head with V2, in `Authorization`. A query may hold sub-resources alone, in their order.
    pub fn sign_v2(&self, mut head: Parts) -> Parts {
        let date = self.time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        head.headers.insert("date", date.parse().unwrap());
        if let Some(token) = &self.session_token {
            head.headers.insert("x-amz-security-token", token.parse().unwrap());
        }
        let headers: Vec<(&str, &str)> =
            head.headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        let signature = self.hmac_sha1(&string_to_sign_v2(&head, &date, headers));
        head.headers.insert("authorization", format!("AWS {}:{signature}", self.access_key_id).parse().unwrap());
        head
    }

    /// Makes a presigned URL of a head without a query, with V2, for `expires_s` seconds.
    pub fn presign_v2(&self, mut head: Parts, expires_s: i64) -> Parts {
        let expires = (self.time + SignedDuration::from_secs(expires_s)).as_second().to_string();
        let token: Vec<(&str, &str)> =
            self.session_token.iter().map(|token| ("x-amz-security-token", token.as_str())).collect();
        let signature = self.hmac_sha1(&string_to_sign_v2(&head, &expires, token.clone()));
        let signature = signature.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
        let token: String = token.iter().map(|(name, value)| format!("&{name}={value}")).collect();
        let (path, akid) = (head.uri.path(), &self.access_key_id);
        head.uri =
            format!("{path}?AWSAccessKeyId={akid}&Expires={expires}&Signature={signature}{token}").parse().unwrap();
        head
    }

    /// The fields of a POST form with this policy, signed with V4.
    pub fn form(&self, policy: &str) -> Vec<(String, String)> {
        let date = RequestDate::new(self.time);
        let scope = [date.day(), &self.region, &self.service, "aws4_request"];
        let policy = STANDARD.encode(policy);
        let key = format!("AWS4{}", self.secret.expose()).into_bytes();
        let key = scope.iter().fold(key, |key, part| hmac_sha256(&key, part));
        let signature = hex::encode(hmac_sha256(&key, &policy));
        self.with_token([
            ("policy", policy),
            ("x-amz-algorithm", "AWS4-HMAC-SHA256".to_owned()),
            ("x-amz-credential", format!("{}/{}", self.access_key_id, scope.join("/"))),
            ("x-amz-date", date.to_string()),
            ("x-amz-signature", signature),
        ])
    }

    /// The fields of a POST form with this policy, signed with V2.
    pub fn form_v2(&self, policy: &str) -> Vec<(String, String)> {
        let policy = STANDARD.encode(policy);
        let signature = self.hmac_sha1(&policy);
        self.with_token([
            ("policy", policy),
            ("AWSAccessKeyId", self.access_key_id.to_string()),
            ("signature", signature),
        ])
    }

    fn with_token<const N: usize>(&self, fields: [(&str, String); N]) -> Vec<(String, String)> {
        let token = self.session_token.iter().map(|token| ("x-amz-security-token", token.clone()));
        fields.into_iter().chain(token).map(|(name, value)| (name.to_owned(), value)).collect()
    }

    fn identity(&self) -> SigningIdentity<'_> {
        SigningIdentity {
            access_key_id: &self.access_key_id,
            secret: &self.secret,
            session_token: self.session_token.as_deref(),
            time: self.time,
            region: &self.region,
            service: &self.service,
        }
    }

    fn hmac_sha1(&self, text: &str) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, self.secret.expose().as_bytes());
        STANDARD.encode(hmac::sign(&key, text.as_bytes()))
    }
}

fn hmac_sha256(key: &[u8], text: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
}

/// Source: S3 API Reference, "Signing and authenticating REST requests (AWS signature version 2)".
fn string_to_sign_v2(head: &Parts, date: &str, mut headers: Vec<(&str, &str)>) -> String {
    let value = |name| head.headers.get(name).map_or("", |value| value.to_str().unwrap());
    headers.retain(|(name, _)| name.starts_with("x-amz-"));
    headers.sort_unstable();
    let amz: String = headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
    let resource = head.uri.path_and_query().map_or("/", |path| path.as_str());
    format!("{}\n{}\n{}\n{date}\n{amz}{resource}", head.method, value("content-md5"), value("content-type"))
}
