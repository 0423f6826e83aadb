//! The connections to a directory: at most a fixed number, to the first server that answers.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use iam_formats::LdapSettings;
use ids::SecretAccessKey;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::connection::Connection;

/// An unused connection is closed after this time: servers and firewalls drop them silently.
const UNUSED: Duration = Duration::from_secs(60);

/// For how long a server that failed is asked after the others.
const AVOIDED: Duration = Duration::from_secs(30);

pub(super) struct Pool {
    settings: LdapSettings,
    turns: Semaphore,
    /// Connections that are bound as `bindDN`, the one used last at the end.
    unused: Mutex<Vec<(Connection, Instant)>>,
    /// When each server failed last.
    failed: Mutex<Vec<Option<Instant>>>,
}

impl Pool {
    pub(super) fn new(settings: &LdapSettings) -> Self {
        Self {
            turns: Semaphore::new(settings.connections_max),
            unused: Mutex::new(Vec::new()),
            failed: Mutex::new(vec![None; settings.servers.len()]),
            settings: settings.clone(),
        }
    }

    /// Waits until there may be one more connection, for as long as the result lives.
    pub(super) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        self.turns.acquire().await.ok()
    }

    /// A connection that was used before.
    pub(super) fn take(&self) -> Option<Connection> {
        let mut unused = self.unused.lock().unwrap_or_else(PoisonError::into_inner);
        unused.retain(|(_, since)| since.elapsed() < UNUSED);
        unused.pop().map(|(connection, _)| connection)
    }

    /// Keeps a connection that is bound as `bindDN`.
    pub(super) fn put_back(&self, connection: Connection) {
        self.unused.lock().unwrap_or_else(PoisonError::into_inner).push((connection, Instant::now()));
    }

    /// A new connection, bound as `bindDN`, to the first server that can be reached. Those that failed lately are last.
    pub(super) async fn connect(&self) -> Result<Connection, String> {
        let mut failures = Vec::new();
        for (number, url) in self.in_order() {
            let opened = self.open(&url).await;
            let failed_at = opened.is_err().then(Instant::now);
            if let Some(known) = self.failed.lock().unwrap_or_else(PoisonError::into_inner).get_mut(number) {
                *known = failed_at;
            }
            match opened {
                Ok(connection) => return Ok(connection),
                Err(why) => failures.push(why),
            }
        }
        Err(failures.join("; "))
    }

    fn in_order(&self) -> Vec<(usize, String)> {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        let is_avoided = |number: usize| {
            let at = failed.get(number).copied().flatten();
            at.is_some_and(|at| at.elapsed() < AVOIDED)
        };
        let mut servers: Vec<(usize, String)> = self.settings.servers.iter().cloned().enumerate().collect();
        servers.sort_by_key(|(number, _)| is_avoided(*number));
        servers
    }

    /// A new connection to this server, bound as `bindDN`.
    pub(super) async fn open(&self, url: &str) -> Result<Connection, String> {
        let LdapSettings { starts_tls, ca_file, timeout_s, .. } = &self.settings;
        let timeout = Duration::from_secs(*timeout_s);
        let mut connection = Connection::open(url, *starts_tls, ca_file.as_deref(), timeout).await?;
        self.bind_as_searcher(&mut connection).await.map_err(|why| format!("`{url}`: {why}"))?;
        Ok(connection)
    }

    /// Binds as `bindDN`, or anonymously without one.
    pub(super) async fn bind_as_searcher(&self, connection: &mut Connection) -> Result<(), String> {
        let bind_dn = &self.settings.bind_dn;
        let bound = if bind_dn.is_empty() {
            connection.bind("", "").await?
        } else {
            connection.bind(bind_dn, self.password()?.expose()).await?
        };
        bound.map_err(|why| format!("it does not accept `bindDN` (`{bind_dn}`): {why}"))
    }

    fn password(&self) -> Result<SecretAccessKey, String> {
        if let Some(password) = &self.settings.bind_password {
            return Ok(password.clone());
        }
        let file = self.settings.bind_password_file.as_deref().unwrap_or_default();
        let text = std::fs::read_to_string(file);
        let text = text.map_err(|error| format!("`bindPasswordFile`: `{file}` cannot be read: {error}"))?;
        match text.trim_end_matches(['\r', '\n']) {
            "" => Err(format!("`bindPasswordFile`: `{file}` is empty")),
            password => Ok(SecretAccessKey::new(password)),
        }
    }
}
