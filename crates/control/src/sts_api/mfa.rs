//! `SerialNumber` and `TokenCode` of GetSessionToken and AssumeRole: a code of the caller's MFA device, which is good once, on
//! whichever gateway.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use iam::{Caller, Change, DocumentKey, MfaDevice, Snapshot};
use iam_api::MfaInput;
use policy::Principal;
use store::StoreError;

use super::{StsApi, refuse};
use crate::query::{Call, QueryError};

/// How often writing the last code is tried again because others write at the same time.
const ATTEMPTS: usize = 10;
/// After this many wrong codes in a row, this gateway refuses the device.
const WRONG_MAX: u32 = 5;
/// How long it refuses the device after the last wrong code, in seconds.
const CLOSED_S: i64 = 900;
/// For how many devices wrong codes are remembered.
const DEVICES: usize = 10_000;

const UNKNOWN: &str = "MultiFactorAuthentication failed, unable to validate MFA code. Please verify your MFA serial number is valid \
                       and associated with this user.";
const WRONG: &str = "MultiFactorAuthentication failed with invalid MFA one time pass code. ";
const INCOMPLETE: &str =
    "MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code. ";

/// How many wrong codes in a row were sent for each device, and when the last one was.
#[derive(Default)]
pub(super) struct WrongCodes(Mutex<HashMap<Arc<str>, (u32, i64)>>);

impl StsApi {
    /// When the code of the call was checked: now. `None` if the call has none.
    ///
    /// Fails if the code is wrong, was used before, or is not of a device of the calling user.
    pub(super) async fn checked_code(&self, call: &Call<'_>, snapshot: &Snapshot) -> Result<Option<i64>, QueryError> {
        let input = MfaInput::parse(call.params).map_err(|error| refuse(error.code(), 400, error.to_string()))?;
        let Some(MfaInput { serial_number, token_code }) = input else { return Ok(None) };
        if serial_number.is_empty() || token_code.is_empty() {
            return Err(denied(INCOMPLETE));
        }
        let user_id = user_id(call.caller, snapshot).ok_or_else(|| denied(UNKNOWN))?;
        let device = snapshot.mfa_device(&serial_number).filter(|device| device.is_of(&user_id));
        let device = device.ok_or_else(|| denied(UNKNOWN))?;
        let stem = MfaDevice::file_stem(&serial_number);
        self.wrong_codes.check(&stem, call.now_s)?;
        if device.step_of(&token_code, call.now_s).is_none() {
            self.wrong_codes.note(&stem, call.now_s);
            return Err(denied(WRONG));
        }
        Box::pin(self.use_up(&serial_number, &user_id, &token_code, call.now_s, snapshot)).await?;
        self.wrong_codes.forget(&stem);
        Ok(Some(call.now_s))
    }

    /// Writes that the code was accepted. Of two calls with the same code, wherever they are made, one fails.
    async fn use_up(
        &self,
        serial: &str,
        user_id: &str,
        code: &str,
        now_s: i64,
        snapshot: &Snapshot,
    ) -> Result<(), QueryError> {
        let stem = MfaDevice::file_stem(serial);
        for _ in 0..ATTEMPTS {
            let fresh = self.store.read(&[DocumentKey::MfaDevice(Arc::clone(&stem))]).await?;
            let state = snapshot.apply(fresh.changes.iter().cloned());
            let device = state.mfa_device(serial).filter(|device| device.is_of(user_id));
            let device = device.ok_or_else(|| denied(UNKNOWN))?;
            let last_step = device.step_of(code, now_s).ok_or_else(|| denied(WRONG))?;
            let used = MfaDevice { last_step, ..(**device).clone() };
            match self.store.commit(&fresh, &[Change::MfaDevice(Arc::clone(&stem), Some(Ok(used)))]).await {
                Ok(_) => return Ok(()),
                Err(StoreError::Conflict(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(refuse("ServiceUnavailable", 503, "The MFA device is being changed by many calls; try again"))
    }
}

impl WrongCodes {
    fn check(&self, device: &Arc<str>, now_s: i64) -> Result<(), QueryError> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match known.get(device) {
            Some((wrong, last_s)) if *wrong >= WRONG_MAX && now_s - last_s < CLOSED_S => {
                Err(denied("MultiFactorAuthentication failed: too many wrong codes; wait for a quarter of an hour"))
            }
            _ => Ok(()),
        }
    }

    fn note(&self, device: &Arc<str>, now_s: i64) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, (_, last_s)| now_s - *last_s < CLOSED_S);
        if known.len() < DEVICES || known.contains_key(device) {
            let (wrong, last_s) = known.entry(Arc::clone(device)).or_default();
            (*wrong, *last_s) = (wrong.saturating_add(1), now_s);
        }
    }

    fn forget(&self, device: &Arc<str>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(device);
    }
}

/// The id of the calling user, who may use their key or a session of their own.
fn user_id(caller: &Caller, snapshot: &Snapshot) -> Option<Arc<str>> {
    let is_user = matches!(caller.principal, Principal::User { .. } | Principal::Root(_));
    snapshot.user(&caller.name).filter(|_| is_user).map(|user| Arc::clone(&user.id))
}

fn denied(message: &str) -> QueryError {
    refuse("AccessDenied", 403, message)
}
