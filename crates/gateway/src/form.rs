//! The form of a POST upload: fields in front of a file, in `multipart/form-data` (RFC 7578). The fields are read at the
//! door, the file streams.

use access::{Authenticated, Services};
use bytes::{Buf, Bytes, BytesMut};
use futures_util::StreamExt;
use s3::op::{PostForm, PostObject};
use s3::{S3Error, S3ErrorCode};
use sigv4::post_policy::PostPolicy;

use crate::body::{ObjectBody, Promises, Source};
use crate::gateway::Gateway;
use crate::pipeline::Visit;

/// The most bytes in front of the file. Source: S3 API Reference, `MaxPostPreDataLengthExceededError`.
const MAX_FIELDS_BYTES: usize = 20 << 10;
/// The most bytes of the head of one part.
const MAX_PART_HEAD_BYTES: usize = 4 << 10;

/// A form whose policy was verified.
pub(crate) struct Form {
    pub(crate) fields: PostForm,
    pub(crate) authenticated: Authenticated,
    pub(crate) body: ObjectBody,
}

/// Reads the fields, finds out who made the policy, and holds the form against it.
pub(crate) async fn read(
    gateway: &Gateway,
    visit: &Visit<'_>,
    post: &PostObject,
    incoming: Source,
) -> Result<Form, S3Error> {
    let mut parts = Parts::new(incoming, &post.boundary);
    let (mut fields, file_name) = parts.fields().await?;
    // The policy is about the key that the object gets.
    for (_, key) in fields.iter_mut().filter(|(name, _)| name.eq_ignore_ascii_case("key")) {
        *key = key.replace("${filename}", file_name.rsplit(['/', '\\']).next().unwrap_or_default());
    }
    let arrival = visit.arrival(Services::S3, None);
    let authenticated = gateway.door.authenticate_form(&arrival, visit.snapshot, &fields)?;
    let mut limit = gateway.settings.max_body_bytes;
    let mut least = 0;
    if let Some((_, policy)) = fields.iter().find(|(name, _)| name.eq_ignore_ascii_case("policy")) {
        let policy = PostPolicy::parse(policy).map_err(access::from_signature)?;
        policy.check(&fields, post.bucket.as_str(), visit.now).map_err(access::from_signature)?;
        if let Some(range) = policy.content_length_range() {
            limit = limit.min(*range.end());
            least = *range.start();
        }
    }
    let fields = PostForm::new(fields, file_name)?;
    let patience = gateway.settings.body_patience;
    let mut body = ObjectBody::new(parts.file(), Promises::default(), limit, patience);
    body.require_at_least(least);
    body.hold(gateway.upload_limits.enter(post.content_length)?);
    Ok(Form { fields, authenticated, body })
}

/// A form being read.
struct Parts {
    source: Source,
    /// `\r\n--boundary`.
    delimiter: Vec<u8>,
    read: BytesMut,
}

impl Parts {
    fn new(source: Source, boundary: &str) -> Self {
        // The first delimiter has no line end before it; giving it one makes all delimiters alike.
        Self { source, delimiter: format!("\r\n--{boundary}").into_bytes(), read: BytesMut::from(&b"\r\n"[..]) }
    }

    /// The fields in front of the file, and the name of the file. What follows is the file.
    async fn fields(&mut self) -> Result<(Vec<(String, String)>, String), S3Error> {
        let preamble = self.until_delimiter().await?;
        if !preamble.is_empty() {
            return Err(malformed());
        }
        let (mut fields, mut bytes) = (Vec::new(), 0);
        loop {
            let head = self.part_head().await?;
            let (name, file_name) = disposition(&head).ok_or_else(malformed)?;
            if name.eq_ignore_ascii_case("file") {
                return Ok((fields, file_name.unwrap_or_default()));
            }
            let value = self.until_delimiter().await?;
            bytes += name.len() + value.len();
            if bytes > MAX_FIELDS_BYTES {
                return Err(S3Error::new(S3ErrorCode::MaxPostPreDataLengthExceededError));
            }
            let value = String::from_utf8(value.to_vec()).map_err(|_| malformed())?;
            fields.push((name, value));
        }
    }

    /// The file: everything up to the next delimiter. Fields behind it are ignored, as S3 does.
    fn file(self) -> Source {
        let state = (self, false);
        Box::pin(futures_util::stream::unfold(state, |(mut parts, ended)| async move {
            if ended {
                return None;
            }
            match parts.next_of_file().await {
                Ok(Some(piece)) => Some((Ok(piece), (parts, false))),
                Ok(None) => None,
                Err(error) => Some((Err(error), (parts, true))),
            }
        }))
    }

    async fn next_of_file(&mut self) -> Result<Option<Bytes>, S3Error> {
        loop {
            if let Some(at) = memchr::memmem::find(&self.read, &self.delimiter) {
                if at > 0 {
                    return Ok(Some(self.read.split_to(at).freeze()));
                }
                // The file ends here. The rest is read, so that the connection can go on.
                while self.source.next().await.is_some() {}
                return Ok(None);
            }
            let safe = self.read.len().saturating_sub(self.delimiter.len());
            if safe > 0 {
                return Ok(Some(self.read.split_to(safe).freeze()));
            }
            self.more().await?;
        }
    }

    async fn part_head(&mut self) -> Result<String, S3Error> {
        // Behind a delimiter: `\r\n` and a part, or `--` and the end. A form without a file ends here.
        while self.read.len() < 2 {
            self.more().await?;
        }
        if !self.read.starts_with(b"\r\n") {
            let message = "POST requires exactly one file upload per request.";
            return Err(S3Error::with_message(S3ErrorCode::InvalidArgument, message).field("ArgumentName", "file"));
        }
        self.read.advance(2);
        loop {
            if let Some(at) = memchr::memmem::find(&self.read, b"\r\n\r\n") {
                let head = self.read.split_to(at);
                self.read.advance(4);
                return String::from_utf8(head.to_vec()).map_err(|_| malformed());
            }
            if self.read.len() > MAX_PART_HEAD_BYTES {
                return Err(malformed());
            }
            self.more().await?;
        }
    }

    async fn until_delimiter(&mut self) -> Result<Bytes, S3Error> {
        loop {
            if let Some(at) = memchr::memmem::find(&self.read, &self.delimiter) {
                let before = self.read.split_to(at).freeze();
                self.read.advance(self.delimiter.len());
                return Ok(before);
            }
            if self.read.len() > MAX_FIELDS_BYTES + self.delimiter.len() {
                return Err(S3Error::new(S3ErrorCode::MaxPostPreDataLengthExceededError));
            }
            self.more().await?;
        }
    }

    async fn more(&mut self) -> Result<(), S3Error> {
        match self.source.next().await {
            Some(piece) => {
                self.read.extend_from_slice(&piece?);
                Ok(())
            }
            None => Err(malformed()),
        }
    }
}

/// `name` and `filename` of a part's `Content-Disposition`.
fn disposition(head: &str) -> Option<(String, Option<String>)> {
    let value = head.split("\r\n").find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim().eq_ignore_ascii_case("content-disposition").then_some(value)
    })?;
    let (kind, parameters) = value.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("form-data") {
        return None;
    }
    let (mut name, mut file_name) = (None, None);
    let mut rest = parameters;
    while let Some((key, after)) = rest.split_once('=') {
        let (value, left) = quoted_or_token(after.trim_start())?;
        match key.trim().to_ascii_lowercase().as_str() {
            "name" => name = Some(value),
            "filename" => file_name = Some(value),
            _ => {}
        }
        rest = left.trim_start().strip_prefix(';').unwrap_or("");
    }
    Some((name?, file_name))
}

fn quoted_or_token(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(';').unwrap_or(text.len());
        let (value, rest) = text.split_at(end);
        return Some((value.trim().to_owned(), rest));
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, quoted.get(at + 1..)?)),
            '\\' => value.push(characters.next()?.1),
            other => value.push(other),
        }
    }
    None
}

fn malformed() -> S3Error {
    S3Error::new(S3ErrorCode::MalformedPOSTRequest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(pieces: &[&'static str]) -> Parts {
        let pieces: Vec<Result<Bytes, S3Error>> =
            pieces.iter().map(|piece| Ok(Bytes::from_static(piece.as_bytes()))).collect();
        Parts::new(Box::pin(futures_util::stream::iter(pieces)), "XX")
    }

    const TEXT: &str = "--XX\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\na/b\r\n--XX\r\nContent-Disposition: form-data; \
        name=\"file\"; filename=\"f \\\"1\\\".txt\"\r\nContent-Type: text/plain\r\n\r\nhello\r\n-- XX\r\nbody\r\n--XX--\r\n";

    #[tokio::test]
    async fn fields_and_file_come_apart_at_any_split() {
        for at in 1..TEXT.len() {
            let (left, right) = TEXT.split_at(at);
            let mut parts = form(&[left, right]);
            let (fields, file_name) = parts.fields().await.unwrap();
            assert_eq!(fields, [("key".to_owned(), "a/b".to_owned())]);
            assert_eq!(file_name, "f \"1\".txt");
            let file: Vec<Bytes> = parts.file().map(Result::unwrap).collect().await;
            assert_eq!(file.concat(), b"hello\r\n-- XX\r\nbody", "split at {at}");
        }
    }

    #[tokio::test]
    async fn broken_forms_are_refused() {
        for (text, code) in [
            ("", S3ErrorCode::MalformedPOSTRequest),
            ("junk\r\n--XX\r\n", S3ErrorCode::MalformedPOSTRequest),
            ("--XX\r\nContent-Disposition: form-data\r\n\r\nx\r\n--XX--", S3ErrorCode::MalformedPOSTRequest),
            ("--XX\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\nx\r\n--XX--", S3ErrorCode::InvalidArgument),
            ("--XX\r\nContent-Disposition: form-data; name=\"key", S3ErrorCode::MalformedPOSTRequest),
        ] {
            assert_eq!(form(&[text]).fields().await.unwrap_err().code, code, "{text:?}");
        }
        let mut cut = form(&["--XX\r\nContent-Disposition: form-data; name=file\r\n\r\nhel"]);
        cut.fields().await.unwrap();
        let file: Vec<_> = cut.file().collect().await;
        assert!(file.last().unwrap().is_err(), "a file without its end is no file");
    }
}
