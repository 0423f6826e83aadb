use http::HeaderMap;
use http::header::HOST;
use http::request::Parts;

/// The values of `Host` that the client may have signed, the received one first.
///
/// A proxy may have changed `Host`. With an external URL its host is the only candidate. Otherwise `X-Forwarded-Host` is
/// tried with its own port, else with Host's port if the name is the same, with `X-Forwarded-Port`, and without a port;
/// default ports are dropped. Without it `X-Forwarded-Port` goes with Host, whose port a proxy may have dropped. These headers may come from anyone: the candidates decide only which text the client must
/// have signed, so they serve for the signature and for nothing else.
pub fn host_candidates(head: &Parts, external_url: Option<&str>, tls: bool) -> Vec<String> {
    if let Some(url) = external_url.filter(|url| !url.is_empty()) {
        return vec![external_host(url)];
    }
    let received = received_host(head);
    let forwarded_host = first_of_list(&head.headers, "x-forwarded-host");
    let forwarded_port = first_of_list(&head.headers, "x-forwarded-port");
    let https = match first_of_list(&head.headers, "x-forwarded-proto") {
        "" => tls,
        proto => proto.eq_ignore_ascii_case("https"),
    };
    let mut candidates = vec![received.to_owned()];
    let mut add = |name: &str, port: &str| {
        let host = join(name, port, https);
        if !host.is_empty() && !candidates.contains(&host) {
            candidates.push(host);
        }
    };
    let (received_name, received_port) = split_port(received);
    if forwarded_host.is_empty() {
        add(received_name, received_port);
        if !forwarded_port.is_empty() {
            add(received_name, forwarded_port);
        }
        return candidates;
    }
    let (name, port) = split_port(forwarded_host);
    if port.is_empty() {
        if name.eq_ignore_ascii_case(received_name) {
            add(name, received_port);
        }
        add(name, forwarded_port);
        add(name, "");
    } else {
        add(name, port);
    }
    add(received_name, received_port);
    candidates
}

/// The prefixes that a proxy says it has taken off the path (`X-Forwarded-Prefix`); to be tried before the path as received.
pub fn path_prefixes(head: &Parts) -> Vec<String> {
    let prefix = first_of_list(&head.headers, "x-forwarded-prefix").trim_matches('/');
    if prefix.is_empty() { Vec::new() } else { vec![format!("/{prefix}")] }
}

/// `Host`, or the authority of HTTP/2.
fn received_host(head: &Parts) -> &str {
    match head.headers.get(HOST) {
        Some(value) => value.to_str().unwrap_or("").trim(),
        None => head.uri.authority().map_or("", |authority| authority.as_str()),
    }
}

fn first_of_list<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    let value = headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("");
    value.split(',').next().unwrap_or("").trim()
}

fn external_host(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let authority = rest.split(['/', '?', '#']).next().unwrap_or("");
    let (name, port) = split_port(authority);
    join(name, port, scheme.eq_ignore_ascii_case("https"))
}

/// `[::1]:80` into `[::1]` and `80`.
fn split_port(host: &str) -> (&str, &str) {
    match host.rsplit_once(':') {
        Some((name, port)) if !name.contains(':') || name.ends_with(']') => (name, port),
        _ => (host, ""),
    }
}

fn join(name: &str, port: &str, https: bool) -> String {
    let bare = name.trim_matches(['[', ']']);
    match port {
        "" => bare.to_owned(),
        "80" if !https => bare.to_owned(),
        "443" if https => bare.to_owned(),
        _ if bare.contains(':') => format!("[{bare}]:{port}"),
        _ => format!("{bare}:{port}"),
    }
}
