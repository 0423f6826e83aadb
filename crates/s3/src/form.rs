//! Reads the form of a POST upload, `multipart/form-data` (RFC 7578), from pieces of any size: fields, then the file.
//!
//! The crate `multer` reads such forms too, but it bounds neither the head of a part nor what it reads ahead: it takes
//! all that a connection has before it looks at it. Here the memory for a form is bounded, whatever a client sends.

use bytes::{Bytes, BytesMut};
use memchr::memmem;

use crate::{S3Error, S3ErrorCode};

/// The most bytes before the file, including boundaries and the heads of parts. Source: S3 API Reference, "POST
/// Object": "the form data and boundaries (excluding the contents of the file) cannot exceed 20 KB".
pub const FIELDS_BYTES_MAX: usize = 20 << 10;
/// The most bytes after the file. They are read and dropped.
pub const EPILOGUE_BYTES_MAX: usize = FIELDS_BYTES_MAX;
/// The largest head of one part, in bytes.
const PART_HEAD_BYTES_MAX: usize = 4 << 10;

/// What comes next in a form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FormPart {
    /// A field that precedes the file.
    Field {
        /// Its name, as sent.
        name: String,
        /// Its text.
        value: String,
    },
    /// The head of the file. Its bytes follow: see [`FormReader::into_file`].
    File {
        /// The name that the client gave it; may be empty.
        name: String,
    },
}

/// Reads the parts of a form up to the file.
///
/// How the form is cut into pieces makes no difference, except that parts that are already complete come out before
/// an error. Drop the reader at the first error.
#[derive(Debug)]
pub struct FormReader {
    /// `\r\n--boundary`.
    delimiter: Bytes,
    read: BytesMut,
    /// How many more bytes may come before the file. Every byte counts, whatever it belongs to.
    budget: usize,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Before the first delimiter, which nothing may precede.
    Preamble,
    /// After a delimiter: a line end and a part, or the end of the form.
    Delimiter,
    /// In the head of a part.
    Head,
    /// In the value of the field with this name.
    Value(String),
}

impl FormReader {
    /// A reader of the form with this boundary.
    pub fn new(boundary: &str) -> Self {
        // The first delimiter has no preceding line end. Adding one makes all delimiters the same.
        let (delimiter, read) = (format!("\r\n--{boundary}").into(), BytesMut::from(&b"\r\n"[..]));
        Self { delimiter, read, budget: FIELDS_BYTES_MAX, state: State::Preamble }
    }

    /// Adds the next piece of the form.
    pub fn feed(&mut self, piece: &[u8]) {
        self.read.extend_from_slice(piece);
    }

    /// The next part; `None` if that takes more bytes. A form that is malformed, too long or without a file is refused.
    pub fn part(&mut self) -> Result<Option<FormPart>, S3Error> {
        loop {
            let next = match &self.state {
                State::Preamble => self.preamble()?,
                State::Delimiter => self.line_end()?,
                State::Head => match self.head()? {
                    Some((name, file_name)) if name.eq_ignore_ascii_case("file") => {
                        return Ok(Some(FormPart::File { name: file_name.unwrap_or_default() }));
                    }
                    head => head.map(|(name, _)| State::Value(name)),
                },
                State::Value(name) => {
                    let name = name.clone();
                    let Some(value) = self.until_delimiter()? else { return Ok(None) };
                    self.state = State::Delimiter;
                    return Ok(Some(FormPart::Field { name, value: text(&value)?.to_owned() }));
                }
            };
            let Some(next) = next else { return Ok(None) };
            self.state = next;
        }
    }

    /// The error of a form that ends before its file.
    pub fn cut_off() -> S3Error {
        malformed()
    }

    /// The reader of the file, after [`FormPart::File`].
    pub fn into_file(self) -> FileReader {
        FileReader { delimiter: self.delimiter, read: self.read, epilogue_bytes: None }
    }

    fn preamble(&mut self) -> Result<Option<State>, S3Error> {
        match self.until_delimiter()? {
            Some(preamble) if !preamble.is_empty() => Err(malformed()),
            preamble => Ok(preamble.map(|_| State::Delimiter)),
        }
    }

    fn line_end(&mut self) -> Result<Option<State>, S3Error> {
        if self.read.len() < 2 {
            return Ok(None);
        }
        // `--`, the end of the form.
        if !self.read.starts_with(b"\r\n") {
            let message = "POST requires exactly one file upload per request.";
            return Err(S3Error::with_message(S3ErrorCode::InvalidArgument, message).field("ArgumentName", "file"));
        }
        self.take(2)?;
        Ok(Some(State::Head))
    }

    fn head(&mut self) -> Result<Option<(String, Option<String>)>, S3Error> {
        let Some(head) = self.until(Bytes::from_static(b"\r\n\r\n"), PART_HEAD_BYTES_MAX)? else { return Ok(None) };
        disposition(text(&head)?).map(Some).ok_or_else(malformed)
    }

    fn until_delimiter(&mut self) -> Result<Option<BytesMut>, S3Error> {
        self.until(self.delimiter.clone(), FIELDS_BYTES_MAX)
    }

    /// Takes what precedes `end`, at most `most` bytes, and `end` itself. `None` if `end` was not read yet.
    fn until(&mut self, end: Bytes, most: usize) -> Result<Option<BytesMut>, S3Error> {
        let found = memmem::find(&self.read, &end);
        // An end that is still to come begins in the last bytes at the earliest. So a form that is too long is refused
        // at the same byte, whatever the pieces.
        let least = found.unwrap_or_else(|| (self.read.len() + 1).saturating_sub(end.len()));
        if least > self.budget.min(most) {
            return Err(if most < self.budget { malformed() } else { too_much_in_front() });
        }
        let Some(at) = found else { return Ok(None) };
        let before = self.take(at)?;
        self.take(end.len())?;
        Ok(Some(before))
    }

    /// Takes bytes that precede the file out of the buffer, and counts them.
    fn take(&mut self, bytes: usize) -> Result<BytesMut, S3Error> {
        self.budget = self.budget.checked_sub(bytes).ok_or_else(too_much_in_front)?;
        Ok(self.read.split_to(bytes))
    }
}

/// Reads the file of a form: everything up to the next delimiter. Fields after it are ignored, as on S3.
#[derive(Debug)]
pub struct FileReader {
    delimiter: Bytes,
    read: BytesMut,
    /// How much followed the file; `None` while the file lasts.
    epilogue_bytes: Option<usize>,
}

impl FileReader {
    /// Adds the next piece of the form.
    pub fn feed(&mut self, piece: &[u8]) {
        match &mut self.epilogue_bytes {
            Some(bytes) => *bytes = bytes.saturating_add(piece.len()),
            None => self.read.extend_from_slice(piece),
        }
    }

    /// The next bytes of the file; `None` if that takes more bytes of the form. Feed it to its end: what follows the
    /// file is dropped, so that the connection can be reused.
    pub fn data(&mut self) -> Result<Option<Bytes>, S3Error> {
        if self.epilogue_bytes.is_none() {
            let safe = match memmem::find(&self.read, &self.delimiter) {
                Some(0) => {
                    self.epilogue_bytes = Some(self.read.len() - self.delimiter.len());
                    self.read.clear();
                    0
                }
                Some(at) => at,
                None => self.read.len().saturating_sub(self.delimiter.len()),
            };
            if safe > 0 {
                return Ok(Some(self.read.split_to(safe).freeze()));
            }
        }
        if self.epilogue_bytes > Some(EPILOGUE_BYTES_MAX) {
            let message = format!("More than {EPILOGUE_BYTES_MAX} bytes follow the file: send the fields before it");
            return Err(S3Error::with_message(S3ErrorCode::MalformedPOSTRequest, message));
        }
        Ok(None)
    }

    /// Fails if the form ended within its file.
    pub fn finish(&self) -> Result<(), S3Error> {
        self.epilogue_bytes.map(drop).ok_or_else(malformed)
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
    S3Error::new(S3ErrorCode::MaxPostPreDataLengthExceededError).field("MaxSizeAllowed", FIELDS_BYTES_MAX.to_string())
}

fn malformed() -> S3Error {
    S3Error::new(S3ErrorCode::MalformedPOSTRequest)
}

fn text(bytes: &[u8]) -> Result<&str, S3Error> {
    std::str::from_utf8(bytes).map_err(|_| malformed())
}
