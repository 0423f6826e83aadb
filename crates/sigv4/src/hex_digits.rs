/// The hexadecimal digits of some bytes, in lower case. Every request has two digests written so, and `hex::encode` decodes each digit as a
/// character.
pub(crate) fn hex_digits(bytes: &[u8]) -> impl Iterator<Item = u8> {
    let digit = |nibble: u8| if nibble < 10 { b'0' + nibble } else { b'a' - 10 + nibble };
    bytes.iter().flat_map(move |byte| [digit(byte >> 4), digit(byte & 15)])
}
