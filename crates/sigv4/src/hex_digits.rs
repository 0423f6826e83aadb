/// Appends the hexadecimal digits of some bytes, in lower case. Every request has two digests written so, and `hex::encode` decodes each
/// digit as a character.
pub(crate) fn push_hex_digits(bytes: &[u8], out: &mut Vec<u8>) {
    let digit = |nibble: u8| if nibble < 10 { b'0' + nibble } else { b'a' - 10 + nibble };
    bytes.iter().for_each(|byte| out.extend_from_slice(&[digit(byte >> 4), digit(byte & 15)]));
}
