//! The one form in which records travel and are stored: kind, lengths, key, value.

use std::io::{self, Read, Write};

/// The longest key and the longest value that are accepted, in bytes.
const LONGEST: u32 = 1 << 30;
/// Kind and two lengths.
pub(super) const HEAD_BYTES: usize = 9;

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Kind {
    /// Facts about the store, as JSON. The first frame of a stream.
    Facts = b'H' as isize,
    /// A file of the directory: name and content.
    File = b'F' as isize,
    /// A record of the table of entries.
    Entry = b'E' as isize,
    /// A small chunk: id (8 bytes, big-endian) and content.
    Small = b'S' as isize,
    /// The end of the database.
    End = b'.' as isize,
    /// The answer to "everything is copied": all data files were kept until now.
    Kept = b'K' as isize,
    /// The stream failed; the value says why.
    Failed = b'!' as isize,
}

const KINDS: [Kind; 7] = [Kind::Facts, Kind::File, Kind::Entry, Kind::Small, Kind::End, Kind::Kept, Kind::Failed];

/// A record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) kind: Kind,
    pub(super) key: Vec<u8>,
    pub(super) value: Vec<u8>,
}

fn invalid(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

impl Frame {
    pub(super) fn new(kind: Kind, key: Vec<u8>, value: Vec<u8>) -> Frame {
        Frame { kind, key, value }
    }

    /// A frame without a record.
    pub(super) fn signal(kind: Kind) -> Frame {
        Frame::new(kind, Vec::new(), Vec::new())
    }

    /// Its size in bytes.
    pub(super) fn bytes(&self) -> usize {
        HEAD_BYTES + self.key.len() + self.value.len()
    }

    pub(super) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let length = |bytes: &[u8]| {
            u32::try_from(bytes.len())
                .ok()
                .filter(|length| *length <= LONGEST)
                .ok_or_else(|| invalid("too long a record"))
        };
        out.write_all(&[self.kind as u8])?;
        out.write_all(&length(&self.key)?.to_le_bytes())?;
        out.write_all(&length(&self.value)?.to_le_bytes())?;
        out.write_all(&self.key)?;
        out.write_all(&self.value)
    }

    /// The next frame; `None` at the end.
    pub(super) fn read(input: &mut impl Read) -> io::Result<Option<Frame>> {
        let mut kind = [0; 1];
        if input.read(&mut kind)? == 0 {
            return Ok(None);
        }
        let [byte] = kind;
        let kind =
            KINDS.into_iter().find(|kind| *kind as u8 == byte).ok_or_else(|| invalid("an unknown kind of record"))?;
        let mut lengths = [[0; 4]; 2];
        input.read_exact(lengths.as_flattened_mut())?;
        let [key, value] = lengths.map(u32::from_le_bytes);
        Ok(Some(Frame { kind, key: bytes(input, key)?, value: bytes(input, value)? }))
    }
}

/// Grows with what arrives, so that a wrong length costs no memory.
fn bytes(input: &mut impl Read, length: u32) -> io::Result<Vec<u8>> {
    if length > LONGEST {
        return Err(invalid("too long a record"));
    }
    let mut bytes = Vec::new();
    input.take(length.into()).read_to_end(&mut bytes)?;
    if bytes.len() < length as usize {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_back_and_bad_ones_are_errors() {
        let frames = [
            Frame::new(Kind::Entry, b"key".to_vec(), vec![7; 1000]),
            Frame::new(Kind::Small, Vec::new(), Vec::new()),
            Frame::signal(Kind::End),
        ];
        let mut stored = Vec::new();
        frames.iter().for_each(|frame| frame.write(&mut stored).unwrap());
        assert_eq!(stored.len(), frames.iter().map(Frame::bytes).sum::<usize>());
        let mut input = stored.as_slice();
        for frame in frames {
            assert_eq!(Frame::read(&mut input).unwrap(), Some(frame));
        }
        assert_eq!(Frame::read(&mut input).unwrap(), None);
        for bad in [&b"?"[..], b"E", b"E\x01\0\0\0\0\0\0\0", b"E\xff\xff\xff\xff\0\0\0\0", b"x\0\0\0\0\0\0\0\0"] {
            assert!(Frame::read(&mut &*bad).is_err(), "{bad:?}");
        }
    }
}
