//! One connection to a server of a directory.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use ldap3::adapters::{Adapter, EntriesOnly, PagedResults};
use ldap3::{Ldap, LdapConnAsync, LdapConnSettings, Scope, SearchEntry, SearchOptions};

use crate::get::tls;

/// How many entries a page has.
const PAGE: i32 = 500;

/// `invalidCredentials`: the one refusal that is about the password alone.
const INVALID_CREDENTIALS: u32 = 49;
/// `busy` and `unavailable`.
const NOT_NOW: [u32; 2] = [51, 52];
/// `sizeLimitExceeded`.
const MORE: u32 = 4;

/// A connection. It closes when it is dropped.
pub(super) struct Connection {
    ldap: Ldap,
    timeout: Duration,
}

/// What a search found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) dn: String,
    attributes: HashMap<String, Vec<String>>,
}

impl Entry {
    /// The values of an attribute.
    pub(super) fn values(&self, name: &str) -> &[String] {
        let found = self.attributes.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, values)| values.as_slice()).unwrap_or_default()
    }

    /// The values of an attribute that the server may deliver in parts. Fails if it delivers a part of them.
    pub(super) fn complete_values(&self, name: &str) -> Result<Vec<String>, String> {
        let is_part = |known: &String| {
            known.split_once(';').is_some_and(|(before, option)| {
                before.eq_ignore_ascii_case(name) && option.to_ascii_lowercase().starts_with("range=")
            })
        };
        match self.attributes.keys().any(is_part) {
            true => Err(format!("the server shows only some values of `{name}`; use `groupFilter` instead")),
            false => Ok(self.values(name).to_vec()),
        }
    }
}

impl Connection {
    /// Connects, and switches to TLS as the URL or `starts_tls` says.
    pub(super) async fn open(
        url: &str,
        starts_tls: bool,
        ca_file: Option<&str>,
        timeout: Duration,
    ) -> Result<Self, String> {
        let failed = |why: String| format!("`{url}`: {why}");
        let mut settings = LdapConnSettings::new().set_conn_timeout(timeout).set_starttls(starts_tls);
        if starts_tls || url.starts_with("ldaps://") {
            settings = settings.set_config(Arc::new(tls(ca_file).map_err(|error| failed(error.to_string()))?));
        }
        let (connection, ldap) =
            LdapConnAsync::with_settings(settings, url).await.map_err(|error| failed(error.to_string()))?;
        tokio::spawn(async move {
            if let Err(error) = connection.drive().await {
                tracing::debug!("a connection to a directory ended: {error}");
            }
        });
        Ok(Self { ldap, timeout })
    }

    /// Binds. The inner error is the directory's refusal.
    pub(super) async fn bind(&mut self, dn: &str, password: &str) -> Result<Result<(), String>, String> {
        let answer = self.ldap.with_timeout(self.timeout).simple_bind(dn, password).await;
        let answer = answer.map_err(|error| error.to_string())?;
        match answer.rc {
            0 => Ok(Ok(())),
            // Active Directory says here that an account is disabled, has expired, or needs a new password.
            INVALID_CREDENTIALS if !answer.text.is_empty() => {
                Ok(Err(format!("the password is wrong ({})", answer.text)))
            }
            INVALID_CREDENTIALS => Ok(Err("the password is wrong".to_owned())),
            code if NOT_NOW.contains(&code) => Err(format!("the server answers {code} ({})", answer.text)),
            code => Ok(Err(format!("the server answers {code} ({})", answer.text))),
        }
    }

    /// At most `most` entries that fit a filter. Referrals are not followed.
    pub(super) async fn find(
        &mut self,
        base: &str,
        filter: &str,
        attributes: &[&str],
        most: i32,
    ) -> Result<Vec<Entry>, String> {
        let options = SearchOptions::new().sizelimit(most);
        let search = self.ldap.with_timeout(self.timeout).with_search_options(options);
        let answer = search.search(base, Scope::Subtree, filter, attributes.to_vec()).await;
        let answer = answer.map_err(|error| error.to_string())?;
        if ![0, MORE].contains(&answer.1.rc) {
            return Err(format!("a search below `{base}` is answered with {} ({})", answer.1.rc, answer.1.text));
        }
        let entries = answer.0.into_iter().filter(|entry| !entry.is_ref() && !entry.is_intermediate());
        let entries = entries.map(SearchEntry::construct);
        Ok(entries.map(|entry| Entry { dn: entry.dn, attributes: entry.attrs }).collect())
    }

    /// The DNs of all entries that fit a filter, page by page. Fails on more than `most`. Referrals are not followed.
    pub(super) async fn dns(&mut self, base: &str, filter: &str, most: usize) -> Result<Vec<String>, String> {
        let adapters: Vec<Box<dyn Adapter<'_, &str, Vec<&str>>>> =
            vec![Box::new(EntriesOnly::new()), Box::new(PagedResults::new(PAGE))];
        // The attribute that no entry has: DNs are all that is asked for (RFC 4511, 4.5.1.8).
        let search = self.ldap.with_timeout(self.timeout);
        let search = search.streaming_search_with(adapters, base, Scope::Subtree, filter, vec!["1.1"]).await;
        let mut search = search.map_err(|error| error.to_string())?;
        let mut dns = Vec::new();
        while let Some(entry) = search.next().await.map_err(|error| error.to_string())? {
            dns.push(SearchEntry::construct(entry).dn);
            if dns.len() > most {
                return Err(format!("more than {most} entries below `{base}` fit `{filter}`"));
            }
        }
        let answer = search.finish().await;
        match answer.rc {
            0 => Ok(dns),
            code => Err(format!("a search below `{base}` is answered with {code} ({})", answer.text)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_the_groups_is_no_answer() {
        let entry = |name: &str| Entry {
            dn: "cn=a".to_owned(),
            attributes: HashMap::from([(name.to_owned(), vec!["cn=g".to_owned()])]),
        };
        assert_eq!(entry("memberof").complete_values("memberOf"), Ok(vec!["cn=g".to_owned()]));
        assert_eq!(entry("other").complete_values("memberOf"), Ok(Vec::new()));
        assert!(entry("memberOf;range=0-1499").complete_values("memberOf").unwrap_err().contains("groupFilter"));
    }
}
