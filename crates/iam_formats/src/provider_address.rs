//! Which URLs of providers may be asked.

use json::{JsonError, Node};

/// A URL that can be requested: what follows `@` would be another host than it seems.
pub(crate) fn check_address(node: &Node<'_>, url: &str, allows_private_addresses: bool) -> Result<(), JsonError> {
    let rest = match url.strip_prefix("https://") {
        Some(rest) => rest,
        None => match url.strip_prefix("http://") {
            Some(rest) if allows_private_addresses => rest,
            Some(_) => {
                let hint = "an `http://` address needs `allowPrivateAddresses`, and must be private or loopback";
                return Err(node.error(format!("`{url}`: {hint}")));
            }
            None => return Err(node.error(format!("`{url}` does not begin with https://"))),
        },
    };
    let host = rest.split(['/', ':']).next().unwrap_or_default();
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"@?#\\\"'<>*".contains(&byte);
    if host.is_empty() || !rest.bytes().all(plain) {
        return Err(node.error(format!("`{url}` is not the address of a provider: a host and a path, nothing else")));
    }
    Ok(())
}
