//! The form of a POST upload: fields in front of a file, in `multipart/form-data` (RFC 7578). The fields are read at the
//! door, the file streams.

use access::{Authenticated, Services};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use s3::op::{PostForm, PostObject};
use s3::{S3Error, S3ErrorCode};
use sigv4::post_policy::PostPolicy;

use crate::body::{ObjectBody, Promises, Source};
use crate::gateway::Gateway;
use crate::pipeline::Visit;
use crate::respond::Trail;

/// The most bytes in front of the file, boundaries and heads of parts included. Source: S3 API Reference, "POST Object":
/// "the form data and boundaries (excluding the contents of the file) cannot exceed 20 KB".
const MAX_FIELDS_BYTES: usize = 20 << 10;
/// The most bytes behind the file, which are read and dropped.
const MAX_EPILOGUE_BYTES: usize = MAX_FIELDS_BYTES;
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
    trail: &mut Trail,
) -> Result<Form, S3Error> {
    let patience = gateway.settings.body_patience;
    let mut parts = Parts::new(incoming, &post.boundary);
    // Twenty KiB: a client that needs longer for them than for a whole silent body waits on purpose.
    let read = tokio::time::timeout(patience, parts.fields()).await;
    let (fields, file_name) = read.map_err(|_| S3Error::new(S3ErrorCode::RequestTimeout))??;
    // The policy is about the fields that make the object.
    let form = PostForm::new(fields, &file_name)?;
    let arrival = visit.arrival(Services::S3, None);
    let authenticated = gateway.door.authenticate_form(&arrival, visit.snapshot, form.fields()).map_err(|error| {
        let key = form.get("x-amz-credential").or_else(|| form.get("awsaccesskeyid"));
        let key = key.and_then(|value| value.split('/').next()).unwrap_or_default();
        trail.unauthenticated(key.chars().take(128).collect(), error)
    })?;
    let mut limit = gateway.settings.max_body_bytes;
    let mut least = 0;
    if let Some(policy) = form.get("policy") {
        let policy = PostPolicy::parse(policy).map_err(access::from_signature)?;
        policy.check(form.fields(), post.bucket.as_str(), visit.now).map_err(access::from_signature)?;
        if let Some(range) = policy.content_length_range() {
            limit = limit.min(*range.end());
            least = *range.start();
        }
    }
    let mut body = ObjectBody::new(parts.file(), Promises::of(&form.checksums()?)?, limit, patience);
    body.require_at_least(least);
    body.hold(gateway.upload_limits.enter(post.content_length)?);
    Ok(Form { fields: form, authenticated, body })
}

/// A form being read.
struct Parts {
    source: Source,
    /// `\r\n--boundary`.
    delimiter: Vec<u8>,
    read: BytesMut,
    /// How many more bytes may come in front of the file: every byte counts, whatever it is a part of.
    budget: usize,
}

impl Parts {
    fn new(source: Source, boundary: &str) -> Self {
        // The first delimiter has no line end before it; giving it one makes all delimiters alike.
        let delimiter = format!("\r\n--{boundary}").into_bytes();
        Self { source, delimiter, read: BytesMut::from(&b"\r\n"[..]), budget: MAX_FIELDS_BYTES }
    }

    /// The fields in front of the file, and the name of the file. What follows is the file.
    async fn fields(&mut self) -> Result<(Vec<(String, String)>, String), S3Error> {
        let preamble = self.until_delimiter().await?;
        if !preamble.is_empty() {
            return Err(malformed());
        }
        let mut fields = Vec::new();
        loop {
            let head = self.part_head().await?;
            let (name, file_name) = disposition(&head).ok_or_else(malformed)?;
            if name.eq_ignore_ascii_case("file") {
                return Ok((fields, file_name.unwrap_or_default()));
            }
            let value = self.until_delimiter().await?;
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
                self.drop_epilogue().await?;
                return Ok(None);
            }
            let safe = self.read.len().saturating_sub(self.delimiter.len());
            if safe > 0 {
                return Ok(Some(self.read.split_to(safe).freeze()));
            }
            self.more().await?;
        }
    }

    /// Reads what is behind the file, so that the connection can go on.
    async fn drop_epilogue(&mut self) -> Result<(), S3Error> {
        let mut bytes = self.read.len().saturating_sub(self.delimiter.len());
        while bytes <= MAX_EPILOGUE_BYTES {
            let Some(piece) = self.source.next().await else { return Ok(()) };
            bytes += piece?.len();
        }
        let message =
            format!("More than {MAX_EPILOGUE_BYTES} bytes are behind the file: send the fields in front of it");
        Err(S3Error::with_message(S3ErrorCode::MalformedPOSTRequest, message))
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
        self.pass(2)?;
        loop {
            if let Some(at) = memchr::memmem::find(&self.read, b"\r\n\r\n") {
                let head = self.take(at)?;
                self.pass(4)?;
                return String::from_utf8(head.to_vec()).map_err(|_| malformed());
            }
            if self.read.len() > MAX_PART_HEAD_BYTES {
                return Err(malformed());
            }
            self.more_in_front().await?;
        }
    }

    async fn until_delimiter(&mut self) -> Result<Bytes, S3Error> {
        loop {
            if let Some(at) = memchr::memmem::find(&self.read, &self.delimiter) {
                let before = self.take(at)?;
                self.pass(self.delimiter.len())?;
                return Ok(before.freeze());
            }
            self.more_in_front().await?;
        }
    }

    /// Takes bytes in front of the file out of what was read, and counts them.
    fn take(&mut self, bytes: usize) -> Result<BytesMut, S3Error> {
        self.budget = self.budget.checked_sub(bytes).ok_or_else(too_much_in_front)?;
        Ok(self.read.split_to(bytes))
    }

    fn pass(&mut self, bytes: usize) -> Result<(), S3Error> {
        self.take(bytes).map(drop)
    }

    /// Reads on, unless what waits to be understood is more than may come in front of the file.
    async fn more_in_front(&mut self) -> Result<(), S3Error> {
        if self.read.len() > self.budget {
            return Err(too_much_in_front());
        }
        self.more().await
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
    Some((name.filter(|name| !name.is_empty())?, file_name))
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

fn too_much_in_front() -> S3Error {
    S3Error::new(S3ErrorCode::MaxPostPreDataLengthExceededError).field("MaxSizeAllowed", MAX_FIELDS_BYTES.to_string())
}

fn malformed() -> S3Error {
    S3Error::new(S3ErrorCode::MalformedPOSTRequest)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

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
            ("--XX\r\nContent-Disposition: form-data; name=\"\"\r\n\r\nx\r\n--XX--", S3ErrorCode::MalformedPOSTRequest),
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

    /// A form that repeats `piece` until it has said far more than any limit, and how many bytes of it were read.
    fn endless(start: &str, piece: &str) -> (Parts, Arc<AtomicUsize>) {
        let read = Arc::new(AtomicUsize::new(0));
        let (counted, start) = (Arc::clone(&read), Bytes::from(start.to_owned()));
        let pieces = std::iter::once(start).chain(std::iter::repeat_n(Bytes::from(piece.to_owned()), 1 << 16));
        let pieces = pieces.map(move |piece| {
            counted.fetch_add(piece.len(), Ordering::Relaxed);
            Ok(piece)
        });
        (Parts::new(Box::pin(futures_util::stream::iter(pieces)), "XX"), read)
    }

    /// Whatever repeats, the form is refused before more than the limit and one piece of it was read.
    #[tokio::test]
    async fn nothing_in_a_form_is_read_without_end() {
        const FIELD: &str = "--XX\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n";
        let long_name = format!("--XX\r\nContent-Disposition: form-data; name=\"{}\"\r\n\r\n\r\n", "n".repeat(900));
        let long_head = format!("--XX\r\nX: {}\r\nContent-Disposition: form-data; name=a\r\n\r\n\r\n", "h".repeat(900));
        for (what, start, piece) in [
            ("empty fields", "", "--XX\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n\r\n"),
            ("fields without a name", "", "--XX\r\nContent-Disposition: form-data; name=\"\"\r\n\r\n\r\n"),
            ("names", "", long_name.as_str()),
            ("heads", "", long_head.as_str()),
            ("one value", FIELD, "0123456789abcdef"),
            ("one head", "--XX\r\n", "X-Header: value\r\n"),
            ("one name", "--XX\r\nContent-Disposition: form-data; name=\"", "0123456789abcdef"),
            ("a preamble", "", "0123456789abcdef"),
            ("line ends in a value", FIELD, "\r\n-"),
        ] {
            let (mut parts, read) = endless(start, piece);
            let error = parts.fields().await.unwrap_err();
            let known = [S3ErrorCode::MaxPostPreDataLengthExceededError, S3ErrorCode::MalformedPOSTRequest];
            assert!(known.contains(&error.code), "{what}: {error:?}");
            let read = read.load(Ordering::Relaxed);
            assert!(read <= MAX_FIELDS_BYTES + start.len() + 2 * piece.len() + 16, "{what}: {read} bytes were read");
        }
    }

    #[tokio::test]
    async fn what_is_behind_the_file_is_bounded() {
        let file = "--XX\r\nContent-Disposition: form-data; name=file\r\n\r\nhello\r\n--XX";
        let (mut parts, read) = endless(file, "\r\nContent-Disposition: form-data; name=later\r\n\r\n\r\n--XX");
        parts.fields().await.unwrap();
        let file: Vec<_> = parts.file().collect().await;
        assert!(file.last().unwrap().is_err());
        assert!(read.load(Ordering::Relaxed) < MAX_FIELDS_BYTES + MAX_EPILOGUE_BYTES, "{read:?}");
    }

    #[tokio::test]
    async fn a_form_of_exactly_the_limit_is_read() {
        let (field, file) = (
            "--XX\r\nContent-Disposition: form-data; name=a\r\n\r\n",
            "\r\n--XX\r\nContent-Disposition: form-data; name=file\r\n\r\nx\r\n--XX--",
        );
        let head_of_file = file.find("x\r\n--XX--").unwrap();
        // The line end that `Parts` puts in front of the first boundary counts as well.
        let full = MAX_FIELDS_BYTES - 2 - field.len() - head_of_file;
        for (bytes, fits) in [(full, true), (full + 1, false)] {
            let text: &'static str = format!("{field}{}{file}", "v".repeat(bytes)).leak();
            assert_eq!(form(&[text]).fields().await.is_ok(), fits, "{bytes}");
        }
    }
}
