//! Directories (LDAP): whether a user's password is right, and which groups the user is in.
//!
//! A connection searches for the user as the configured `bindDN`, binds as the user with the password, and binds as `bindDN` again
//! before it searches for groups. Each name that a client sends is escaped before it becomes part of a filter, and no DN is built from one.

mod connection;
mod filter;
mod pool;

use std::time::Duration;

use iam_formats::{LdapSettings, NestedGroups};

use connection::{Connection, Entry};
use filter::{filled, is_filter};
use pool::Pool;

/// How long all of a sign-in may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// The most groups of one user, and so the most searches for groups of groups.
const GROUPS_MAX: usize = 1000;

/// How many groups one search asks for.
const GROUPS_AT_ONCE: usize = 20;

/// The groups that have somebody as a member, if the configuration has no filter but wants groups of groups.
const GROUPS_OF: &str = "(|(member=%d)(uniqueMember=%d))";

/// Active Directory finds groups of groups by itself.
const GROUPS_OF_CHAIN: &str = "(member:1.2.840.113556.1.4.1941:=%d)";

/// A directory, with its connections.
pub struct Directory {
    settings: LdapSettings,
    pool: Pool,
}

/// A user whose password was right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundUser {
    /// The DN.
    pub dn: String,
    /// The name, as the directory spells it.
    pub username: String,
    /// The DNs of the groups, in alphabetical order.
    pub groups: Vec<String>,
}

/// Why somebody is not let in. The text is for the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignInError {
    /// The name or the password is wrong. Who asks must not learn which of the two.
    #[error("{0}")]
    Refused(String),
    /// The directory cannot be asked, or answers nothing that could be used.
    #[error("{0}")]
    Unavailable(String),
}

impl Directory {
    /// A directory that is asked by these settings. Nothing is sent yet.
    ///
    /// Fails if a filter is not valid.
    pub fn new(settings: LdapSettings) -> Result<Self, String> {
        for (field, template) in [("userFilter", &settings.user_filter), ("groupFilter", &settings.group_filter)] {
            let example = filled(template, "name", "cn=name");
            if !template.is_empty() && !is_filter(&example) {
                let name = &settings.name;
                return Err(format!("the `{field}` of the directory `{name}` is not an LDAP filter: `{template}`"));
            }
        }
        let pool = Pool::new(&settings);
        Ok(Self { settings, pool })
    }

    /// The name of its provider.
    pub fn name(&self) -> &str {
        &self.settings.name
    }

    /// Asks each server for the base, with a connection of its own. The result of each is its URL, and why users cannot sign in by it.
    pub async fn check(&self) -> Vec<(String, Result<(), String>)> {
        let mut checked = Vec::new();
        for url in &self.settings.servers {
            let asked = tokio::time::timeout(PATIENCE, self.shows_base(url)).await;
            let asked = asked.unwrap_or_else(|_| Err(format!("`{url}`: it did not answer within 20 s")));
            checked.push((url.clone(), asked));
        }
        checked
    }

    /// Whether the searcher sees any entry below the base at this server.
    async fn shows_base(&self, url: &str) -> Result<(), String> {
        let mut connection = self.pool.open(url).await?;
        let base = &self.settings.base_dn;
        match connection.find(base, "(objectClass=*)", &["1.1"], 1).await?.as_slice() {
            [] => Err(format!("`bindDN` sees nothing below `baseDN` (`{base}`)")),
            _ => Ok(()),
        }
    }

    /// The user with this name, if the password is right.
    ///
    /// A name that does not exist costs the same questions as a wrong password, and so does an entry whose password may not be compared,
    /// as `may_compare` says of its DN.
    pub async fn sign_in(
        &self,
        username: &str,
        password: &str,
        may_compare: &(dyn Fn(&str) -> bool + Send + Sync),
    ) -> Result<FoundUser, SignInError> {
        if password.is_empty() || username.is_empty() {
            // A directory accepts a bind without a password as anonymous (RFC 4513, 5.1.2).
            return Err(SignInError::Refused("the name or the password is empty".to_owned()));
        }
        let asked = tokio::time::timeout(PATIENCE, self.ask(username, password, may_compare)).await;
        asked.unwrap_or_else(|_| Err(SignInError::Unavailable("it did not answer within 20 s".to_owned())))
    }

    async fn ask(
        &self,
        username: &str,
        password: &str,
        may_compare: &(dyn Fn(&str) -> bool + Send + Sync),
    ) -> Result<FoundUser, SignInError> {
        let _turn = self.pool.turn().await;
        let (mut connection, found) = self.entries(username).await?;
        let entry = match found.as_slice() {
            [entry] if may_compare(&entry.dn) => Ok(entry),
            [_] => Err("too many wrong passwords for this entry, under whatever names"),
            [] => Err("no entry has this name"),
            _ => Err("more than one entry has this name; narrow `userFilter` or `baseDN`"),
        };
        let dn =
            entry.map_or_else(|_| format!("cn=kelpgate-nobody,{}", self.settings.base_dn), |entry| entry.dn.clone());
        let bound = connection.bind(&dn, password).await.map_err(SignInError::Unavailable)?;
        // From here on nothing may be done in the user's name.
        self.pool.bind_as_searcher(&mut connection).await.map_err(SignInError::Unavailable)?;
        let refused = match (entry, bound) {
            (Ok(entry), Ok(())) => {
                let user = self.user(&mut connection, entry, username).await?;
                self.pool.put_back(connection);
                return Ok(user);
            }
            (Err(why), _) => why.to_owned(),
            (Ok(_), Err(why)) => why,
        };
        self.pool.put_back(connection);
        Err(SignInError::Refused(refused))
    }

    /// The entries with this name, and the connection that found them. One that was lost meanwhile is replaced once.
    async fn entries(&self, username: &str) -> Result<(Connection, Vec<Entry>), SignInError> {
        let LdapSettings { base_dn, user_filter, name_attribute, groups_attribute, .. } = &self.settings;
        let filter = filled(user_filter, username, "");
        let attributes: Vec<&str> = [name_attribute, groups_attribute]
            .into_iter()
            .map(String::as_str)
            .filter(|name| !name.is_empty())
            .collect();
        if let Some(mut connection) = self.pool.take() {
            match connection.find(base_dn, &filter, &attributes, 2).await {
                Ok(found) => return Ok((connection, found)),
                Err(why) => tracing::debug!(directory = self.name(), "a connection to a directory is replaced: {why}"),
            }
        }
        let mut connection = self.pool.connect().await.map_err(SignInError::Unavailable)?;
        let found = connection.find(base_dn, &filter, &attributes, 2).await.map_err(SignInError::Unavailable)?;
        Ok((connection, found))
    }

    async fn user(&self, connection: &mut Connection, entry: &Entry, given: &str) -> Result<FoundUser, SignInError> {
        let LdapSettings { name_attribute, .. } = &self.settings;
        // Policies have the name in paths, so its spelling must not be the caller's choice.
        let names = entry.values(name_attribute);
        let as_given = names.iter().find(|name| name.to_lowercase() == given.to_lowercase());
        let username = as_given.or(names.first()).ok_or_else(|| {
            SignInError::Unavailable(format!(
                "the entry `{}` has no attribute `{name_attribute}`; name the one with the user's name in `attributes.uid`",
                entry.dn
            ))
        })?;
        let groups = self.groups(connection, entry, username).await.map_err(SignInError::Unavailable)?;
        Ok(FoundUser { dn: entry.dn.clone(), username: username.clone(), groups })
    }

    /// The DNs of all groups of a user, below `groupBaseDN` if that is set.
    async fn groups(&self, connection: &mut Connection, entry: &Entry, username: &str) -> Result<Vec<String>, String> {
        let LdapSettings { groups_attribute, group_filter, nested_groups, .. } = &self.settings;
        let mut known = Groups::below(self.settings.group_base_dn.as_deref());
        known.add(entry.complete_values(groups_attribute)?)?;
        let base = self.settings.group_base_dn.as_ref().unwrap_or(&self.settings.base_dn);
        let mut searches = Vec::new();
        if !group_filter.is_empty() {
            searches.push(filled(group_filter, username, &entry.dn));
        }
        if *nested_groups == NestedGroups::MatchingRule {
            searches.push(filled(GROUPS_OF_CHAIN, username, &entry.dn));
        }
        for filter in &searches {
            known.add(connection.dns(base, filter, GROUPS_MAX).await?)?;
        }
        if *nested_groups == NestedGroups::Search {
            let template =
                if group_filter.contains("%u") || group_filter.is_empty() { GROUPS_OF } else { group_filter };
            if searches.is_empty() {
                known.add(connection.dns(base, &filled(template, username, &entry.dn), GROUPS_MAX).await?)?;
            }
            self.add_outer_groups(connection, base, template, &mut known).await?;
        }
        Ok(known.into_sorted())
    }

    /// Adds the groups of the groups until there are no new ones.
    async fn add_outer_groups(
        &self,
        connection: &mut Connection,
        base: &str,
        template: &str,
        known: &mut Groups,
    ) -> Result<(), String> {
        let mut asked = 0;
        while asked < known.all.len() {
            let some: Vec<String> = known.all.iter().skip(asked).take(GROUPS_AT_ONCE).cloned().collect();
            asked += some.len();
            let filters: String = some.iter().map(|group| filled(template, "", group)).collect();
            known.add(connection.dns(base, &format!("(|{filters})"), GROUPS_MAX).await?)?;
        }
        Ok(())
    }
}

/// Groups as they are found, each once.
struct Groups {
    all: Vec<String>,
    compared: std::collections::HashSet<String>,
    base: Option<String>,
}

impl Groups {
    fn below(base: Option<&str>) -> Self {
        let base = base.map(|base| format!(",{}", iam::comparable_dn(base)));
        Self { all: Vec::new(), compared: std::collections::HashSet::new(), base }
    }

    /// Fails if they become too many: a part of them could hide the one that a policy denies something to.
    fn add(&mut self, dns: Vec<String>) -> Result<(), String> {
        for dn in dns {
            let compared = iam::comparable_dn(&dn);
            let is_below = self.base.as_ref().is_none_or(|base| compared.ends_with(base.as_str()));
            if is_below && self.compared.insert(compared) {
                self.all.push(dn);
            }
        }
        match self.all.len() {
            0..=GROUPS_MAX => Ok(()),
            _ => Err(format!("the user is in more than {GROUPS_MAX} groups; narrow `groupFilter` or `groupBaseDN`")),
        }
    }

    fn into_sorted(mut self) -> Vec<String> {
        self.all.sort();
        self.all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_counted_once_and_below_their_base() {
        let mut groups = Groups::below(Some("OU=Groups, dc=x"));
        let dns = [
            "cn=b,ou=groups,dc=x",
            "CN=B, OU=groups,dc=x",
            "cn=a,ou=groups,dc=x",
            "cn=c,dc=x",
            "cn=d,ou=groups\\,dc=x",
        ];
        groups.add(dns.map(str::to_owned).to_vec()).unwrap();
        assert_eq!(groups.into_sorted(), ["cn=a,ou=groups,dc=x", "cn=b,ou=groups,dc=x"]);
        let many = (0..=GROUPS_MAX).map(|number| format!("cn={number},dc=x")).collect();
        assert!(Groups::below(None).add(many).unwrap_err().contains("groupBaseDN"));
    }
}
