/// The hexadecimal digits of some bytes, in lower case.
pub(crate) fn hex_digits(bytes: &[u8]) -> impl Iterator<Item = u8> {
    let digit = |nibble: u8| if nibble < 10 { b'0' + nibble } else { b'a' - 10 + nibble };
    bytes.iter().flat_map(move |byte| [digit(byte >> 4), digit(byte & 15)])
}
