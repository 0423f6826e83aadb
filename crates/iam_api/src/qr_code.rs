//! The QR code from which an authenticator app reads the secret of a virtual MFA device.

use fast_qr::{ECL, Module, QRBuilder};

/// The margin around the code, in modules, as ISO/IEC 18004 asks for.
const MARGIN: usize = 4;

/// A text as a QR code, in a PNG file. `None` if the text is too long: 2,331 bytes fit.
pub(crate) fn png_of(text: &str) -> Option<Vec<u8>> {
    let code = QRBuilder::new(text).ecl(ECL::M).build().ok()?;
    let width = code.size + 2 * MARGIN;
    let margin = vec![WHITE; MARGIN * width];
    let mut modules = margin.clone();
    for row in 0..code.size {
        modules.extend([WHITE; MARGIN]);
        modules.extend(code[row].iter().take(code.size).map(byte_of));
        modules.extend([WHITE; MARGIN]);
    }
    modules.extend(margin);
    encode(&modules, width)
}

/// Eight pixels of one bit each: a module is eight pixels wide, so that it is one byte of a row.
const WHITE: u8 = 0xff;
const BLACK: u8 = 0;

fn byte_of(module: &Module) -> u8 {
    if module.value() { BLACK } else { WHITE }
}

/// The picture of a square of modules.
fn encode(modules: &[u8], width: usize) -> Option<Vec<u8>> {
    let rows: Vec<u8> = modules.chunks(width).flat_map(|row| row.repeat(8)).collect();
    let pixels = u32::try_from(8 * width).ok()?;
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, pixels, pixels);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::One);
    encoder.write_header().ok()?.write_image_data(&rows).ok()?;
    Some(file)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// What a reader of QR codes reads from the picture.
    pub(crate) fn text_of(file: &[u8]) -> String {
        let mut reader = png::Decoder::new(std::io::Cursor::new(file)).read_info().unwrap();
        let mut rows = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut rows).unwrap();
        let width = info.width as usize;
        let is_white = |x: usize, y: usize| rows[y * info.line_size + x / 8] & (0x80 >> (x % 8)) != 0;
        let grey = |x, y| if is_white(x, y) { 255 } else { 0 };
        let mut image = rqrr::PreparedImage::prepare_from_greyscale(width, info.height as usize, grey);
        image.detect_grids()[0].decode().unwrap().1
    }

    #[test]
    fn a_reader_reads_the_text() {
        let long = "x".repeat(2331);
        for text in ["otpauth://totp/phone@000000000000?secret=ABCDEFGHIJKLMNOP", "a", &long] {
            assert_eq!(text_of(&png_of(text).unwrap()), text);
        }
        assert!(png_of(&"x".repeat(2332)).is_none());
    }
}
