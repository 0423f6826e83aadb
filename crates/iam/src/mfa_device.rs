//! Virtual MFA devices: a secret that an app has too, and the codes that follow from it (RFC 6238: SHA-1, 30 s, six digits).

use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;

use crate::entity::{Credential, OidcProvider, UnknownFields};

/// The length of a step in seconds. Each step has its code.
const STEP_S: i64 = 30;
/// By how many steps the clock of a device may be off, after what is known of it.
const DRIFT: i64 = 1;
/// By how many steps it may be off when two codes in a row say so.
const DRIFT_OF_PAIRS: i64 = 20;

/// No clock is farther off than this, whatever a document says: a year.
const DRIFT_MAX: i64 = 1_051_200;

/// A virtual MFA device.
#[derive(Debug, Clone, Default)]
pub struct MfaDevice {
    /// `arn:aws:iam::<account>:mfa/<path><name>`.
    pub serial: String,
    /// The account to which it belongs.
    pub account: String,
    /// The secret, in base32; encrypted at rest like the secrets of access keys. Its access key id is the serial number.
    pub seed: Option<Credential>,
    /// The id of the user who has it; empty for none.
    pub user_id: String,
    /// When it was enabled for that user, seconds since 1970.
    pub enabled_s: i64,
    /// The last step whose code was accepted. No code up to it is accepted again.
    pub last_step: i64,
    /// By how many steps its clock is ahead.
    pub drift: i64,
    /// Creation, seconds since 1970.
    pub created_s: i64,
    /// What else its document says.
    pub unknown: UnknownFields,
}

impl MfaDevice {
    /// The stem of the file name for a serial number: its SHA-1 in hexadecimal.
    pub fn file_stem(serial: &str) -> Arc<str> {
        OidcProvider::file_stem(serial)
    }

    /// Whether it is this user's.
    pub fn is_of(&self, user_id: &str) -> bool {
        !self.user_id.is_empty() && self.user_id == user_id
    }

    /// The step of a code, if the code is right and was not accepted before. `now_s` is in seconds since 1970.
    pub fn step_of(&self, code: &str, now_s: i64) -> Option<i64> {
        let key = self.key()?;
        let now = now_s.div_euclid(STEP_S).saturating_add(self.drift.clamp(-DRIFT_MAX, DRIFT_MAX));
        let mut steps = (now - DRIFT..=now + DRIFT).filter(|step| *step > self.last_step);
        steps.find(|step| is_code(&key, *step, code))
    }

    /// The step of the second of two codes in a row, and how many steps the device's clock is ahead, 0 if that is within the tolerance
    /// of every code. `None` if the codes do not match.
    pub fn step_of_pair(&self, first: &str, second: &str, now_s: i64) -> Option<(i64, i64)> {
        let key = self.key()?;
        let now = now_s.div_euclid(STEP_S);
        let steps = (now - DRIFT_OF_PAIRS..=now + DRIFT_OF_PAIRS).filter(|step| *step > self.last_step);
        // The second code may be the one that the device shows now, or one that it has not shown yet.
        let mut found = steps.filter(|step| is_code(&key, *step, first) && is_code(&key, *step + 1, second));
        let step = found.next()? + 1;
        let drift = step - now;
        Some((step, if drift.abs() <= DRIFT { 0 } else { drift }))
    }

    /// The code that the device shows at a time, for tests and for apps. `None` if its secret cannot be read.
    pub fn code_at(&self, now_s: i64) -> Option<String> {
        Some(code(&self.key()?, now_s.div_euclid(STEP_S)))
    }

    fn key(&self) -> Option<hmac::Key> {
        let seed = self.seed.as_ref().filter(|seed| seed.sealed_under().is_none())?;
        let bytes = base32_decoded(seed.secret_key.expose()).filter(|bytes| bytes.len() >= 16)?;
        Some(hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &bytes))
    }
}

fn is_code(key: &hmac::Key, step: i64, wanted: &str) -> bool {
    verify_slices_are_equal(code(key, step).as_bytes(), wanted.as_bytes()).is_ok()
}

/// RFC 4226, 5.3.
fn code(key: &hmac::Key, step: i64) -> String {
    let tag = hmac::sign(key, &step.to_be_bytes());
    let hash = tag.as_ref();
    let offset = hash.last().map_or(0, |last| usize::from(last & 0xf));
    let part = hash.get(offset..offset + 4).and_then(|part| part.try_into().ok()).unwrap_or_default();
    format!("{:06}", (u32::from_be_bytes(part) & 0x7fff_ffff) % 1_000_000)
}

/// The bytes of base32 text without padding.
fn base32_decoded(text: &str) -> Option<Vec<u8>> {
    let (mut bytes, mut buffer, mut bits) = (Vec::new(), 0u32, 0u32);
    for letter in text.bytes() {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'2'..=b'7' => letter - b'2' + 26,
            _ => return None,
        };
        buffer = ((buffer << 5) | u32::from(value)) & 0xfff;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from((buffer >> bits) & 0xff).unwrap_or_default());
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The secret of RFC 6238's test vectors, `12345678901234567890`.
    fn device() -> MfaDevice {
        let seed = Some(Credential::new("arn", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"));
        MfaDevice { seed, ..MfaDevice::default() }
    }

    #[test]
    fn codes_of_the_rfc() {
        for (time, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(device().code_at(time).as_deref(), Some(code), "{time}");
        }
    }

    #[test]
    fn a_code_is_good_once_and_for_a_moment() {
        let now = 1_111_111_111;
        let code = |late_s: i64| device().code_at(now + late_s).unwrap();
        let step = now / 30;
        for (what, device, code, want) in [
            ("now", device(), code(0), Some(step)),
            ("the last one", device(), code(-30), Some(step - 1)),
            ("the next one", device(), code(30), Some(step + 1)),
            ("too old", device(), code(-60), None),
            ("too new", device(), code(60), None),
            ("used", MfaDevice { last_step: step, ..device() }, code(0), None),
            ("older than the one used", MfaDevice { last_step: step, ..device() }, code(-30), None),
            ("the next after one used", MfaDevice { last_step: step, ..device() }, code(30), Some(step + 1)),
            ("of a clock that is ahead", MfaDevice { drift: 9, ..device() }, code(9 * 30), Some(step + 9)),
            ("empty", device(), String::new(), None),
            ("with a space", device(), code(0) + " ", None),
            ("no secret", MfaDevice::default(), code(0), None),
        ] {
            assert_eq!(device.step_of(&code, now), want, "{what}");
        }
        let sealed = Credential::new("arn", "kelpgate-sealed:1:k:AAAA");
        assert_eq!(MfaDevice { seed: Some(sealed), ..device() }.step_of(&code(0), now), None);
        let short = Credential::new("arn", "AAAA");
        assert_eq!(MfaDevice { seed: Some(short), ..device() }.code_at(now), None, "too short to be a secret");
    }

    #[test]
    fn two_codes_in_a_row_show_how_far_a_clock_is_off() {
        let now = 1_111_111_111;
        let code = |steps: i64| device().code_at(now + steps * 30).unwrap();
        let step = now / 30;
        for (first, second, want) in [
            (-1, 0, Some((step, 0))),
            (0, 1, Some((step + 1, 0))),
            (-2, -1, Some((step - 1, 0))),
            (9, 10, Some((step + 10, 10))),
            (-12, -11, Some((step - 11, -11))),
            (0, 0, None),
            (1, 0, None),
            (0, 2, None),
            (30, 31, None),
        ] {
            assert_eq!(device().step_of_pair(&code(first), &code(second), now), want, "{first} {second}");
        }
        // Codes that were accepted do not turn the clock back.
        let used = MfaDevice { last_step: step, ..device() };
        assert_eq!(used.step_of_pair(&code(-1), &code(0), now), None);
        assert_eq!(used.step_of_pair(&code(0), &code(1), now), None);
        assert_eq!(used.step_of_pair(&code(1), &code(2), now), Some((step + 2, 2)));
    }
}
