//! Sessions without a clock: mint and verify tokens, and verify the tokens of identity providers.
//!
//! A session is a JWT that carries everything; nothing is stored. Claims, access key and secret are those of SeaweedFS 4.48,
//! so that gateways of both kinds accept each other's sessions. The time and the random session id are arguments.

mod claims;
mod jwt;
mod sealed_message;
mod session;
mod signing_key;
mod token;
mod web_identity;

pub use claims::SessionClaims;
pub use session::{
    FederatedUser, NewSession, SessionCredentials, SessionHolder, TokenError, VerifiedSession, mint,
    session_id_of_token, text_hash, verify,
};
pub use signing_key::{KeyError, SessionKeys, SigningKey};
pub use web_identity::{
    Claim, Claims, ExpectedToken, KEYS_BYTES_MAX, KeysError, LEEWAY_S, ProviderKeys, WebIdentity, WebIdentityError,
    claimed_issuer, verify_web_identity,
};
