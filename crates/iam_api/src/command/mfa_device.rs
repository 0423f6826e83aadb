//! Virtual MFA devices: CreateVirtualMFADevice, EnableMFADevice, ResyncMFADevice, DeactivateMFADevice, DeleteVirtualMFADevice,
//! ListMFADevices, ListVirtualMFADevices. What they are for is in STS: codes in GetSessionToken and AssumeRole.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use xml::XmlWriter;

use super::{Answer, Command, IamError, Outcome, Request, grant, read, revoke, user};
use crate::answer::{date, fragment};
use crate::params::{Params, checked_name};
use crate::qr_code;
use crate::query_caller::QueryCaller;
use iam::unique_id::base32;
use iam::{Change, Credential, DocumentKey, MfaDevice, Snapshot, User};

pub(super) const COMMANDS: &[Command] = &[
    grant("CreateVirtualMFADevice", new_document, create).about(new_device),
    revoke("EnableMFADevice", documents, enable),
    revoke("ResyncMFADevice", documents, resync),
    revoke("DeactivateMFADevice", documents, deactivate),
    revoke("DeleteVirtualMFADevice", documents, delete),
    read("ListMFADevices", list_of_user),
    read("ListVirtualMFADevices", list),
];

/// AWS's quota of devices per user.
const DEVICES_PER_USER: usize = 8;
/// The length of a secret in characters of base32, each of which has five random bits.
const SEED_CHARACTERS: usize = 64;

fn create(request: &Request<'_>, state: &Snapshot) -> Answer {
    request.refuse("Tags.")?;
    let serial = new_serial(request.params, request.caller.account.as_str())?;
    if state.mfa_device(&serial).is_some() {
        return Err(IamError::exists("MFADevice entity at the same path and name already exists."));
    }
    // The first bytes are those of ids, which are not secret.
    let (_, secret) = request.random.split_at(32);
    let seed = base32(secret, SEED_CHARACTERS);
    let device = MfaDevice {
        seed: Some(Credential::new(serial.as_str(), seed.as_str())),
        account: request.caller.account.to_string(),
        serial,
        created_s: request.now_s,
        ..MfaDevice::default()
    };
    let mut xml = fragment();
    xml.element("VirtualMFADevice", |xml| {
        xml.text("SerialNumber", &device.serial).text("Base32StringSeed", &STANDARD.encode(&seed));
        if let Some(picture) = qr_code::png_of(&enrolment(&device, &seed)) {
            xml.text("QRCodePNG", &STANDARD.encode(picture));
        }
    });
    Ok(Outcome { result: Some(xml.finish()), ..Outcome::of(vec![put(device)]) })
}

/// What an authenticator app reads: the name of the device at its account, and the secret, as AWS writes them.
fn enrolment(device: &MfaDevice, seed: &str) -> String {
    let name = device.serial.rsplit('/').next().unwrap_or_default();
    format!("otpauth://totp/{name}@{}?secret={seed}", device.account)
}

fn enable(request: &Request<'_>, state: &Snapshot) -> Answer {
    let user = user::find(request, state, &request.name("UserName", 64)?)?;
    let device = own_device(request, state)?;
    if !device.user_id.is_empty() {
        return Err(IamError::exists("MFA Device is already in use."));
    }
    if state.mfa_devices_of(&user.id).count() >= DEVICES_PER_USER {
        return Err(IamError::limit(format!("Cannot exceed quota for MFADevicesPerUser: {DEVICES_PER_USER}")));
    }
    let (last_step, drift) = pair(request, device)?;
    let (user_id, enabled_s) = (user.id.to_string(), request.now_s);
    Ok(Outcome::of(vec![put(MfaDevice { user_id, enabled_s, last_step, drift, ..(**device).clone() })]))
}

fn resync(request: &Request<'_>, state: &Snapshot) -> Answer {
    let device = device_of_user(request, state)?;
    let (last_step, drift) = pair(request, device)?;
    Ok(Outcome::of(vec![put(MfaDevice { last_step, drift, ..(**device).clone() })]))
}

/// The device stays, and with it the steps whose codes were accepted.
fn deactivate(request: &Request<'_>, state: &Snapshot) -> Answer {
    let device = device_of_user(request, state)?;
    Ok(Outcome::of(vec![put(MfaDevice { user_id: String::new(), enabled_s: 0, ..(**device).clone() })]))
}

fn delete(request: &Request<'_>, state: &Snapshot) -> Answer {
    let device = own_device(request, state)?;
    let is_in_use = state.users().any(|user| device.is_of(&user.id));
    if is_in_use {
        return Err(IamError::delete_conflict("Cannot delete entity, must deactivate the MFA device first."));
    }
    Ok(Outcome::of(vec![Change::MfaDevice(MfaDevice::file_stem(&device.serial), None)]))
}

fn list_of_user(request: &Request<'_>, state: &Snapshot) -> Answer {
    let user = user::find(request, state, &request.user_name()?)?;
    let mut devices: Vec<_> = state.mfa_devices_of(&user.id).collect();
    devices.sort_by(|a, b| a.serial.cmp(&b.serial));
    let devices = devices.into_iter().map(|device| (device.serial.as_str(), device));
    let page = request.page("MFADevices", devices, |xml, device| {
        xml.text("UserName", user::shown_name(user)).text("SerialNumber", &device.serial);
        xml.text("EnableDate", &date(device.enabled_s));
    })?;
    Ok(Outcome::answer(page))
}

fn list(request: &Request<'_>, state: &Snapshot) -> Answer {
    let assigned = match request.params.get("AssignmentStatus").unwrap_or("Any") {
        "Any" => None,
        "Assigned" => Some(true),
        "Unassigned" => Some(false),
        _ => {
            let message = "The specified value for AssignmentStatus is invalid. It must be Any, Assigned or Unassigned";
            return Err(IamError::validation(message));
        }
    };
    let users: BTreeMap<&str, &Arc<User>> = state.users().map(|user| (&*user.id, user)).collect();
    let holder = |device: &MfaDevice| users.get(device.user_id.as_str()).copied();
    let account = request.caller.account;
    let mut devices: Vec<_> = state.mfa_devices().filter(|device| device.account == account.as_str()).collect();
    devices.retain(|device| assigned.is_none_or(|assigned| assigned == holder(device).is_some()));
    devices.sort_by(|a, b| a.serial.cmp(&b.serial));
    let devices = devices.into_iter().map(|device| (device.serial.as_str(), device));
    let page = request.page("VirtualMFADevices", devices, |xml, device| {
        xml.text("SerialNumber", &device.serial);
        if let Some(user) = holder(device) {
            describe_use(xml, user, device);
        }
    })?;
    Ok(Outcome::answer(page))
}

fn describe_use(xml: &mut XmlWriter, user: &User, device: &MfaDevice) {
    xml.element("User", |xml| user::describe(xml, user));
    xml.text("EnableDate", &date(device.enabled_s));
}

/// `AuthenticationCode1` and `AuthenticationCode2`: the step of the second, and the drift of the device's clock.
fn pair(request: &Request<'_>, device: &MfaDevice) -> Result<(i64, i64), IamError> {
    let code = |name| {
        let code = request.params.required(name)?;
        let is_code = code.len() == 6 && code.bytes().all(|byte| byte.is_ascii_digit());
        let message = format!("The specified value for {name} is invalid. It must be six digits");
        is_code.then_some(code).ok_or_else(|| IamError::validation(message))
    };
    let (first, second) = (code("AuthenticationCode1")?, code("AuthenticationCode2")?);
    device.step_of_pair(first, second, request.now_s).ok_or_else(|| {
        let message = "Authentication code for device is not valid: send two codes in a row that were not used before";
        IamError::new("InvalidAuthenticationCode", 403, message)
    })
}

/// The device with `SerialNumber`, of the caller's account.
fn own_device<'s>(request: &Request<'_>, state: &'s Snapshot) -> Result<&'s Arc<MfaDevice>, IamError> {
    let serial = request.params.required("SerialNumber")?;
    let device = state.mfa_device(serial).filter(|device| device.account == request.caller.account.as_str());
    device
        .ok_or_else(|| IamError::no_such_entity(format!("VirtualMFADevice with serial number {serial} doesn't exist.")))
}

/// The same, if it is the device of `UserName`, for whom the permission was given.
fn device_of_user<'s>(request: &Request<'_>, state: &'s Snapshot) -> Result<&'s Arc<MfaDevice>, IamError> {
    let name = request.name("UserName", 64)?;
    let user = user::find(request, state, &name)?;
    let device = own_device(request, state)?;
    let message = || format!("MFA Device invalid for user {name}: it has no device {}.", device.serial);
    if device.is_of(&user.id) { Ok(device) } else { Err(IamError::no_such_entity(message())) }
}

fn put(device: MfaDevice) -> Change {
    Change::MfaDevice(MfaDevice::file_stem(&device.serial), Some(Ok(device)))
}

fn documents(request: &Request<'_>, _: &Snapshot) -> Result<Vec<DocumentKey>, IamError> {
    Ok(vec![DocumentKey::MfaDevice(MfaDevice::file_stem(request.params.required("SerialNumber")?))])
}

fn new_document(request: &Request<'_>, _: &Snapshot) -> Result<Vec<DocumentKey>, IamError> {
    let serial = new_serial(request.params, request.caller.account.as_str())?;
    Ok(vec![DocumentKey::MfaDevice(MfaDevice::file_stem(&serial))])
}

fn new_device(params: &Params, caller: &QueryCaller<'_>) -> Result<String, IamError> {
    new_serial(params, caller.account.as_str())
}

fn new_serial(params: &Params, account: &str) -> Result<String, IamError> {
    let (path, parameter) = (params.path("Path")?, "VirtualMFADeviceName");
    let name = checked_name(parameter, params.required(parameter)?, 226)?;
    Ok(format!("arn:aws:iam::{account}:mfa{path}{name}"))
}
