//! When keys of users and of service accounts expire.

use super::{IamError, Request};

/// `Expiration`, in seconds since 1970 and in the future; `None` if absent, 0 for never.
pub(super) fn expiration(request: &Request<'_>) -> Result<Option<i64>, IamError> {
    let Some(text) = request.params.get("Expiration") else { return Ok(None) };
    let seconds: i64 = text.parse().map_err(|_| {
        IamError::invalid(format!("invalid expiration format: {text} is not a number of seconds since 1970"))
    })?;
    if seconds != 0 && seconds <= request.now_s {
        return Err(IamError::invalid("expiration must be in the future"));
    }
    Ok(Some(seconds))
}

/// A caller that may update a key, perhaps signing with it, must not prolong the lifetime that its creator chose. 0 is never.
pub(super) fn shortened_expiry(known_s: i64, wanted_s: i64) -> Result<i64, IamError> {
    let moment = |seconds: i64| if seconds == 0 { i64::MAX } else { seconds };
    if moment(wanted_s) > moment(known_s) {
        return Err(IamError::invalid("A key can only expire sooner: create another key, and delete this one"));
    }
    Ok(wanted_s)
}
