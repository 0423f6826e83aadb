//! The reader of forms: the same for any pieces, and bounded whatever repeats.

use s3::form::{EPILOGUE_BYTES_MAX, FIELDS_BYTES_MAX, FormPart, FormReader};
use s3::{S3Error, S3ErrorCode};

const FIELD: &str = "--XX\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n";
const FILE: &str = "--XX\r\nContent-Disposition: form-data; name=file\r\n\r\n";

#[derive(Debug, Default, PartialEq)]
struct Form {
    fields: Vec<(String, String)>,
    file_name: String,
    file: Vec<u8>,
}

/// The form in these pieces, and how many bytes were read until it ended or was refused.
fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Result<Form, S3Error>, usize) {
    let mut bytes = 0;
    let mut pieces = pieces.into_iter().inspect(|piece| bytes += piece.len());
    let form = read_all(&mut pieces);
    drop(pieces);
    (form, bytes)
}

fn read_all(pieces: &mut dyn Iterator<Item = &[u8]>) -> Result<Form, S3Error> {
    let (mut form, mut reader) = (Form::default(), FormReader::new("XX"));
    loop {
        match reader.part()? {
            Some(FormPart::Field { name, value }) => form.fields.push((name, value)),
            Some(FormPart::File { name }) => break form.file_name = name,
            None => reader.feed(pieces.next().ok_or_else(FormReader::cut_off)?),
        }
    }
    let mut reader = reader.into_file();
    loop {
        while let Some(piece) = reader.data()? {
            form.file.extend_from_slice(&piece);
        }
        match pieces.next() {
            Some(piece) => reader.feed(piece),
            None => return reader.finish().map(|()| form),
        }
    }
}

#[test]
fn fields_and_file_are_separated_in_any_pieces() {
    let text = b"--XX\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\na/b\r\n--XX\r\nContent-Disposition: form-data; \
        name=\"file\"; filename=\"f \\\"1\\\".txt\"\r\nContent-Type: text/plain\r\n\r\nhello\r\n-- XX\r\nbody\r\n--XX--\r\n";
    let want = Form {
        fields: vec![("key".into(), "a/b".into())],
        file_name: "f \"1\".txt".into(),
        file: b"hello\r\n-- XX\r\nbody".into(),
    };
    for at in 0..=text.len() {
        let (left, right) = text.split_at(at);
        assert_eq!(read([left, right]).0.as_ref(), Ok(&want), "split at {at}");
    }
    assert_eq!(read(text.chunks(1)).0.as_ref(), Ok(&want));
}

#[test]
fn broken_forms_are_refused() {
    let long_head = format!("--XX\r\nX: {}\r\nContent-Disposition: form-data; name=a\r\n\r\n\r\n", "h".repeat(4 << 10));
    for (text, code) in [
        ("", S3ErrorCode::MalformedPOSTRequest),
        ("junk\r\n--XX\r\n", S3ErrorCode::MalformedPOSTRequest),
        ("--XX\r\nContent-Disposition: form-data\r\n\r\nx\r\n--XX--", S3ErrorCode::MalformedPOSTRequest),
        ("--XX\r\nContent-Disposition: form-data; name=\"\"\r\n\r\nx\r\n--XX--", S3ErrorCode::MalformedPOSTRequest),
        ("--XX\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\nx\r\n--XX--", S3ErrorCode::InvalidArgument),
        ("--XX\r\nContent-Disposition: form-data; name=\"key", S3ErrorCode::MalformedPOSTRequest),
        ("--XX\r\nContent-Disposition: form-data; name=file\r\n\r\nhel", S3ErrorCode::MalformedPOSTRequest),
        (long_head.as_str(), S3ErrorCode::MalformedPOSTRequest),
    ] {
        for piece in [1, text.len().max(1)] {
            let error = read(text.as_bytes().chunks(piece)).0.unwrap_err();
            assert_eq!(error.code, code, "{text:?} in pieces of {piece}");
        }
    }
}

/// Whatever repeats, the form is refused before more than the limit and one piece are read.
#[test]
fn nothing_in_a_form_is_read_without_limit() {
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
        let endless = std::iter::once(start).chain(std::iter::repeat_n(piece, 1 << 16));
        let (form, read) = read(endless.map(str::as_bytes));
        let error = form.unwrap_err();
        let known = [S3ErrorCode::MaxPostPreDataLengthExceededError, S3ErrorCode::MalformedPOSTRequest];
        assert!(known.contains(&error.code), "{what}: {error:?}");
        assert!(read <= FIELDS_BYTES_MAX + start.len() + 2 * piece.len() + 16, "{what}: {read} bytes were read");
    }
}

#[test]
fn what_follows_the_file_is_bounded() {
    let start = format!("{FILE}hello\r\n--XX");
    let later = b"\r\nContent-Disposition: form-data; name=later\r\n\r\n\r\n--XX";
    for (pieces, fits) in [(EPILOGUE_BYTES_MAX / later.len(), true), (1 << 16, false)] {
        let pieces = std::iter::once(start.as_bytes()).chain(std::iter::repeat_n(&later[..], pieces));
        let (form, read) = read(pieces);
        assert_eq!(form.is_ok(), fits);
        assert!(read < FIELDS_BYTES_MAX + EPILOGUE_BYTES_MAX, "{read}");
    }
}

#[test]
fn a_form_of_exactly_the_limit_is_read() {
    let field = FIELD;
    let file = format!("\r\n{FILE}x\r\n--XX--");
    let head_of_file = file.find("x\r\n--XX--").unwrap();
    // The line end that the reader adds before the first boundary counts as well.
    let full = FIELDS_BYTES_MAX - 2 - field.len() - head_of_file;
    for (bytes, fits) in [(full, true), (full + 1, false)] {
        let text = format!("{field}{}{file}", "v".repeat(bytes));
        for piece in [7, text.len()] {
            assert_eq!(read(text.as_bytes().chunks(piece)).0.is_ok(), fits, "{bytes} in pieces of {piece}");
        }
    }
}
