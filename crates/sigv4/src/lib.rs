//! AWS signatures V4 (header, presigned, POST policy, aws-chunked) and V2.
//!
//! There is no clock, socket or state: the time, the secret and the key cache are arguments. A request passes through
//! [`auth_form`] (who does it claim to be?), a look-up of the secret by the caller of this crate, [`verify`], and then
//! [`BodyCheck`] or [`ChunkedDecoder`] for its body.

mod auth_form;
mod body_check;
mod canonical;
pub mod checksum;
mod chunked;
mod claim;
mod error;
mod head_fields;
mod hex_digits;
pub mod post_policy;
mod request_date;
mod sign;
mod signing_key;
mod target;
pub mod v2;
mod verify;

pub use auth_form::{AuthForm, BearerToken, auth_form};
pub use body_check::BodyCheck;
pub use chunked::{ChunkMode, ChunkSeed, ChunkSigner, ChunkedDecoder, Trailers};
pub use claim::{Claim, PayloadHash, Scope};
pub use error::SigError;
pub use request_date::RequestDate;
pub use sign::{SignedHead, SigningIdentity, presign, sign_header};
pub use signing_key::{SigningKey, SigningKeyCache};
pub use target::SignedTarget;
pub use v2::ClaimV2;
pub use verify::{Expectations, Verified, verify};

/// The longest time for which a presigned URL can be valid, in seconds: seven days.
pub const EXPIRES_S_MAX: u32 = 604_800;

/// The SHA-256 of an empty body.
pub const EMPTY_SHA256: [u8; 32] = [
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27, 0xae, 0x41,
    0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
];
