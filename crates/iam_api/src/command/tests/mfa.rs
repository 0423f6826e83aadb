//! MFA devices: whose they are, and which codes count.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::parameters::{CODES, PHONE, SPARE, peopled};
use super::*;

fn step(state: &Snapshot, serial: &str) -> i64 {
    state.mfa_device(serial).unwrap().last_step
}

#[test]
fn a_device_is_one_users_and_shows_it() {
    let [first, second] = CODES;
    let codes = format!("AuthenticationCode1={first}&AuthenticationCode2={second}");
    let state = story_on(
        peopled(),
        &[
            (&format!("EnableMFADevice&UserName=free&SerialNumber={PHONE}&{codes}"), "!EntityAlreadyExists"),
            (
                &format!(
                    "EnableMFADevice&UserName=free&SerialNumber={SPARE}&AuthenticationCode1={second}&AuthenticationCode2={first}"
                ),
                "!InvalidAuthenticationCode",
            ),
            (
                &format!(
                    "EnableMFADevice&UserName=free&SerialNumber={SPARE}&AuthenticationCode1={first}&AuthenticationCode2={first}"
                ),
                "!InvalidAuthenticationCode",
            ),
            (
                &format!(
                    "EnableMFADevice&UserName=free&SerialNumber={SPARE}&AuthenticationCode1=1&AuthenticationCode2=2"
                ),
                "!ValidationError",
            ),
            (&format!("EnableMFADevice&UserName=free&SerialNumber={SPARE}&{codes}"), "="),
            ("ListMFADevices&UserName=free", "=mfa/spare"),
            ("ListVirtualMFADevices&AssignmentStatus=Unassigned", "=<VirtualMFADevices></VirtualMFADevices>"),
            // Another user's device does not count as one's own, and codes that were accepted are used up.
            (&format!("ResyncMFADevice&UserName=al&SerialNumber={SPARE}&{codes}"), "!NoSuchEntity"),
            (&format!("ResyncMFADevice&UserName=free&SerialNumber={SPARE}&{codes}"), "!InvalidAuthenticationCode"),
            (&format!("DeactivateMFADevice&UserName=al&SerialNumber={SPARE}"), "!NoSuchEntity"),
            (&format!("DeleteVirtualMFADevice&SerialNumber={SPARE}"), "!DeleteConflict"),
            ("DeleteUser&UserName=free", "!DeleteConflict"),
            (&format!("DeactivateMFADevice&UserName=free&SerialNumber={SPARE}"), "="),
            // Deactivating does not make them good again.
            (&format!("EnableMFADevice&UserName=free&SerialNumber={SPARE}&{codes}"), "!InvalidAuthenticationCode"),
            ("CreateVirtualMFADevice&VirtualMFADeviceName=spare", "!EntityAlreadyExists"),
        ],
    );
    assert_eq!(step(&state, SPARE), 1_700_000_000 / 30 + 1);
    let (state, _) = run(&state, &format!("DeleteVirtualMFADevice&SerialNumber={SPARE}")).unwrap();
    assert!(state.mfa_device(SPARE).is_none());
    let other = Caller { account: "111122223333".parse().unwrap(), ..caller("boss") };
    let error = run_as(&other, &state, &format!("DeleteVirtualMFADevice&SerialNumber={PHONE}")).unwrap_err();
    assert_eq!(error.code, "NoSuchEntity", "a device of another account");
}

/// An authenticator app that reads the picture gets the secret that is in the answer too.
#[test]
fn the_picture_shows_the_secret() {
    let (_, answer) = run(&peopled(), "CreateVirtualMFADevice&VirtualMFADeviceName=phone&Path=/a/").unwrap();
    let decoded = |element: &str| {
        let text = answer.split(element).nth(1).unwrap().trim_start_matches('>').trim_end_matches("</");
        STANDARD.decode(text).unwrap()
    };
    let seed = String::from_utf8(decoded("Base32StringSeed")).unwrap();
    let shown = crate::qr_code::tests::text_of(&decoded("QRCodePNG"));
    assert_eq!(shown, format!("otpauth://totp/phone@000000000000?secret={seed}"));
}
