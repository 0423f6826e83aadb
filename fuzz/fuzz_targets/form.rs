//! The form of a browser's upload, as `multipart/form-data`.
//!
//! The input is a byte for the size of the pieces, then the form, with the boundary `XX`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use s3::form::{FormPart, FormReader, EPILOGUE_BYTES_MAX, FIELDS_BYTES_MAX};
use s3::S3Error;

/// A line end, dashes and the boundary.
const DELIMITER_BYTES: usize = "\r\n--XX".len();
/// How often a form is repeated, so that short inputs reach the limits.
const REPEATED: usize = 200;

fuzz_target!(|data: &[u8]| {
    let Some((size, form)) = data.split_first() else { return };
    let size = usize::from(*size).max(1);
    assert_eq!(read(form.chunks(form.len().max(1))), read(form.chunks(size)), "pieces make no difference");
    let many = form.repeat(REPEATED);
    // Larger pieces, because each piece is searched together with what is kept.
    assert_eq!(read(many.chunks(many.len().max(1))), read(many.chunks(size * 64)), "pieces make no difference");
});

/// The fields, the name and the bytes of the file.
type Form = (Vec<(String, String)>, String, Vec<u8>);

fn read<'a>(mut pieces: impl Iterator<Item = &'a [u8]>) -> Result<Form, S3Error> {
    let (mut reader, mut fields, mut read, mut largest) = (FormReader::new("XX"), Vec::new(), 0, 0);
    let file_name = loop {
        match reader.part()? {
            Some(FormPart::Field { name, value }) => fields.push((name, value)),
            Some(FormPart::File { name }) => break name,
            None => {
                assert!(read <= FIELDS_BYTES_MAX + DELIMITER_BYTES, "{read} bytes are kept");
                let piece = pieces.next().ok_or_else(FormReader::cut_off)?;
                (read, largest) = (read + piece.len(), largest.max(piece.len()));
                reader.feed(piece);
            }
        }
    };
    let bytes: usize = fields.iter().map(|(name, value): &(String, String)| name.len() + value.len()).sum();
    assert!(bytes <= FIELDS_BYTES_MAX, "{bytes} bytes of fields");
    let (mut reader, mut file) = (reader.into_file(), Vec::new());
    loop {
        while let Some(piece) = reader.data()? {
            file.extend_from_slice(&piece);
        }
        let kept = read - file.len().min(read);
        assert!(kept <= FIELDS_BYTES_MAX + DELIMITER_BYTES + EPILOGUE_BYTES_MAX + largest, "{kept} bytes are kept");
        let Some(piece) = pieces.next() else { return reader.finish().map(|()| (fields, file_name, file)) };
        read += piece.len();
        reader.feed(piece);
    }
}
