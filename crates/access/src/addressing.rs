//! What a request addresses. It is determined once, and the same value is used to check the signature and to route the
//! request.
//!
//! Behind a proxy, the client may have addressed a different host, port or path from the one that arrives. Only proxies
//! named by the operator may say so: from others, these headers would move a signature to another bucket.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

use http::header::HOST;
use http::request::Parts;
use iam::TlsVersion;
use ids::Network;
use s3::{HostRules, S3Error, S3ErrorCode};
use sigv4::SignedTarget;

use crate::client_address::{ClientAddress, client_address, is_trusted};

/// How clients reach this gateway. Read once at start.
#[derive(Debug, Clone, Default)]
pub struct Addressing {
    domains: HostRules,
    /// The host of `-externalUrl`, with its port unless it is the default port of the scheme.
    external_host: Option<String>,
    /// Whether `-externalUrl` is an HTTPS URL.
    external_https: bool,
    trusted_proxies: Vec<Network>,
}

/// What a request addresses, and where it comes from.
#[derive(Debug, Clone)]
pub struct RequestTarget<'a> {
    /// Where the request comes from.
    pub client: ClientAddress,
    /// The host and path that the client addressed, for its signature.
    pub signed: SignedTarget<'a>,
    /// The host that the client addressed, with its port, whatever its signature names.
    host: &'a str,
    /// The path that a proxy removed, without slashes at its ends.
    prefix: &'a str,
    /// Whether the client addressed HTTPS, possibly at a proxy.
    https: bool,
}

impl RequestTarget<'_> {
    /// The bucket that the signed host names, if any. The request is routed by it.
    pub fn host_bucket(&self) -> Option<&str> {
        self.signed.bucket.as_deref()
    }

    /// The host that the client addressed, with its port; empty if the request names none.
    pub fn host(&self) -> &str {
        self.host
    }

    /// Whether the client addressed HTTPS, possibly at a proxy.
    pub fn is_https(&self) -> bool {
        self.https
    }

    /// The URL of a bucket as the client addresses it, without a slash at its end. Only the path if the request names
    /// no host.
    pub fn bucket_url(&self, bucket: &str) -> String {
        let host = self.signed.hosts.first().map_or("", |host| host);
        let mut url = match (host, self.https) {
            ("", _) => String::new(),
            (host, true) => format!("https://{host}"),
            (host, false) => format!("http://{host}"),
        };
        let in_path = self.host_bucket().is_none().then_some(bucket);
        for part in [self.prefix, in_path.unwrap_or("")].into_iter().filter(|part| !part.is_empty()) {
            url.push('/');
            url.push_str(part);
        }
        url
    }
}

impl Addressing {
    /// `domains` are those of `-domainName`. `external_url` is the URL that clients use if proxies hide it
    /// (`-externalUrl`); its path is ignored. `trusted_proxies` may forward requests on behalf of clients.
    pub fn new(domains: HostRules, external_url: Option<&str>, trusted_proxies: Vec<Network>) -> Self {
        let external_host = external_url.map(external_host).filter(|host| !host.is_empty());
        let external_https = external_url.is_some_and(|url| url.get(..8).is_some_and(is_https));
        Self { domains, external_host, external_https, trusted_proxies }
    }

    /// Whether a peer may speak for its clients.
    pub fn is_trusted_proxy(&self, peer: IpAddr) -> bool {
        is_trusted(peer.to_canonical(), &self.trusted_proxies)
    }

    /// Determines what a request addresses. `tls` is the TLS version of its connection.
    ///
    /// Errors are 400: the host occurs twice or cannot be read, or hosts contradict each other.
    pub fn target<'a>(
        &self,
        head: &'a Parts,
        peer: SocketAddr,
        tls: Option<TlsVersion>,
    ) -> Result<RequestTarget<'a>, S3Error> {
        let client = client_address(peer, tls, &head.headers, &self.trusted_proxies);
        let https = client.secure_transport;
        let forwarded = match self.is_trusted_proxy(peer.ip()) {
            true => Forwarded::of(head)?,
            false => Forwarded::default(),
        };
        let received = received_host(head, https)?;
        let hosts = self.addressed(received, &forwarded, https);
        let bucket = hosts.first().and_then(|host| self.domains.bucket_of(host));
        for host in [received, forwarded.host] {
            let named = self.domains.bucket_of(host);
            if named.is_some() && named != bucket {
                return Err(contradiction(host, hosts.first().map_or("", |host| host)));
            }
        }
        let path = head.uri.path();
        let prefix = forwarded.prefix.trim_matches('/');
        let path = match prefix {
            "" => Cow::Borrowed(path),
            prefix => Cow::Owned(format!("/{prefix}{path}")),
        };
        let https = https || self.external_https;
        let host = if forwarded.host.is_empty() { received } else { forwarded.host };
        Ok(RequestTarget { client, signed: SignedTarget { hosts, path, bucket }, host, prefix, https })
    }

    /// The spellings of the host that the client addressed, the most likely one first. All name the same bucket.
    fn addressed<'a>(&self, received: &'a str, forwarded: &Forwarded<'a>, https: bool) -> Vec<Cow<'a, str>> {
        let (host, port) = match forwarded.host {
            "" => (received, forwarded.port),
            host => (host, forwarded.port),
        };
        if let Some(external) = self.external(host) {
            return vec![Cow::Owned(external)];
        }
        let mut hosts = vec![Cow::Borrowed(host)];
        let mut add = |host: Cow<'a, str>| {
            if !hosts.contains(&host) {
                hosts.push(host);
            }
        };
        add(without_default_port(host, https));
        let (name, own_port) = split_port(host);
        let (received_name, received_port) = split_port(received);
        if own_port.is_empty() && !received_port.is_empty() && name.eq_ignore_ascii_case(received_name) {
            add(with_port(name, received_port, https));
        }
        // A proxy may have dropped the port that clients sign.
        if !port.is_empty() && (own_port.is_empty() || forwarded.host.is_empty()) {
            add(with_port(name, port, https));
        }
        hosts
    }

    /// What clients sign instead of `host` if `-externalUrl` is set: its host, preceded by the bucket that `host`
    /// names. `None` if `host` names a bucket that no host of the external URL could name.
    fn external(&self, host: &str) -> Option<String> {
        let external = self.external_host.as_deref()?;
        let Some(bucket) = self.domains.bucket_of(host) else { return Some(external.to_owned()) };
        let hosted = format!("{bucket}.{external}");
        (self.domains.bucket_of(&hosted) == Some(bucket)).then_some(hosted)
    }
}

/// What a proxy says about the request that it forwards. The client addressed the first proxy of a chain.
#[derive(Default)]
struct Forwarded<'a> {
    host: &'a str,
    port: &'a str,
    prefix: &'a str,
}

impl<'a> Forwarded<'a> {
    fn of(head: &'a Parts) -> Result<Self, S3Error> {
        Ok(Self {
            host: first_of_list(head, "x-forwarded-host")?,
            port: first_of_list(head, "x-forwarded-port")?,
            prefix: first_of_list(head, "x-forwarded-prefix")?,
        })
    }
}

fn first_of_list<'a>(head: &'a Parts, name: &'static str) -> Result<&'a str, S3Error> {
    let value = head.headers.get(name).map_or(&b""[..], |value| value.as_bytes());
    let value = std::str::from_utf8(value)
        .map_err(|_| invalid(format!("The header {name} is not valid UTF-8: the proxy must percent-encode it")))?;
    Ok(value.split(',').next().unwrap_or("").trim())
}

/// `Host`, or the authority of the request target (`:authority` in HTTP/2). If both are present, they must agree.
fn received_host(head: &Parts, https: bool) -> Result<&str, S3Error> {
    let mut values = head.headers.get_all(HOST).iter();
    let host = values.next().map(|host| host.to_str().map(str::trim)).transpose();
    let host = host.map_err(|_| invalid("The header Host is not ASCII".to_owned()))?;
    if values.next().is_some() {
        return Err(invalid("The header Host occurs more than once".to_owned()));
    }
    let authority = head.uri.authority().map(|authority| authority.as_str());
    match (authority, host) {
        (Some(authority), Some(host)) if !same_host(authority, host, https) => Err(contradiction(authority, host)),
        (authority, host) => Ok(host.or(authority).unwrap_or("")),
    }
}

fn same_host(left: &str, right: &str, https: bool) -> bool {
    without_default_port(left, https).eq_ignore_ascii_case(&without_default_port(right, https))
}

fn contradiction(left: &str, right: &str) -> S3Error {
    invalid(format!("The request names two hosts, \"{left}\" and \"{right}\": send one, in the URL and as Host"))
}

fn invalid(message: String) -> S3Error {
    S3Error::with_message(S3ErrorCode::InvalidRequest, message)
}

fn is_https(start: &str) -> bool {
    start.eq_ignore_ascii_case("https://")
}

fn external_host(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let authority = rest.split(['/', '?', '#']).next().unwrap_or("");
    without_default_port(authority, scheme.eq_ignore_ascii_case("https")).into_owned()
}

/// Splits `[::1]:80` into `[::1]` and `80`.
fn split_port(host: &str) -> (&str, &str) {
    match host.rsplit_once(':') {
        Some((name, port)) if !name.contains(':') || name.ends_with(']') => (name, port),
        _ => (host, ""),
    }
}

/// The host as clients sign it: without a default port, and then also without the brackets of an IPv6 address.
fn without_default_port(host: &str, https: bool) -> Cow<'_, str> {
    let (name, port) = split_port(host);
    let is_default = port.is_empty() || port == if https { "443" } else { "80" };
    Cow::Borrowed(if is_default { name.trim_matches(['[', ']']) } else { host })
}

fn with_port<'a>(name: &'a str, port: &str, https: bool) -> Cow<'a, str> {
    if port == if https { "443" } else { "80" } {
        return without_default_port(name, https);
    }
    let bare = name.trim_matches(['[', ']']);
    Cow::Owned(if bare.contains(':') { format!("[{bare}]:{port}") } else { format!("{bare}:{port}") })
}

#[cfg(test)]
mod tests;
