/// The domains under which buckets are host names (`-domainName`).
///
/// `bucket.domain` addresses a bucket. If the parent of a domain, the part after its first dot, is listed as well, the
/// domain itself is for path-style requests only: with `s3.example.com,example.com` the host `s3.example.com` is not a
/// bucket called `s3`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostRules {
    path_style: Vec<String>,
    virtual_hosted: Vec<String>,
}

impl HostRules {
    /// Takes the listed domains. Ignores empty ones, and case.
    pub fn new<'a>(domains: impl IntoIterator<Item = &'a str>) -> Self {
        let domains: Vec<String> = domains
            .into_iter()
            .map(|domain| domain.trim().trim_end_matches('.').to_ascii_lowercase())
            .filter(|domain| !domain.is_empty())
            .collect();
        let has_listed_parent = |domain: &String| {
            domain.split_once('.').is_some_and(|(_, parent)| domains.iter().any(|other| other == parent))
        };
        let (path_style, mut virtual_hosted): (Vec<_>, Vec<_>) = domains.iter().cloned().partition(has_listed_parent);
        // The longest domain wins: with `s3.example.com` and `example.com`, `a.s3.example.com` is the bucket `a`.
        virtual_hosted.sort_by_key(|domain| std::cmp::Reverse(domain.len()));
        Self { path_style, virtual_hosted }
    }

    /// The bucket that a `Host` header names, if any. It is not yet checked to be a valid bucket name.
    pub fn bucket_of(&self, host: &str) -> Option<String> {
        // Most gateways have no domains, and then nothing is copied.
        if self.virtual_hosted.is_empty() {
            return None;
        }
        let host = without_port(host).trim_end_matches('.').to_ascii_lowercase();
        if self.path_style.contains(&host) || self.virtual_hosted.contains(&host) {
            return None;
        }
        self.virtual_hosted
            .iter()
            .find_map(|domain| host.strip_suffix(domain.as_str())?.strip_suffix('.').map(str::to_owned))
    }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}
