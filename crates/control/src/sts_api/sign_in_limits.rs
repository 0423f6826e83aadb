//! How many passwords and tokens may be tried from one address, and how many passwords for one name and for one entry of a directory.
//! An entry has names beyond number: some directories ignore accents, or treat full-width letters as the same.
//!
//! Each gateway counts by itself. A try counts before the directory or the plugin is asked, so that many at once are not more than
//! many in a row, and no longer once it turns out not to be a wrong guess.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, OnceLock, PoisonError};

/// After this many wrong passwords, a name or an entry is refused.
const PER_NAME: u32 = 10;
/// After this many wrong passwords, or wrong tokens, from an address, more of them are refused. Many people may share
/// one.
const PER_ADDRESS: u32 = 50;
/// How long wrong passwords are remembered, in seconds.
const WINDOW_S: i64 = 300;
/// For how many names, and for how many addresses, wrong passwords are remembered.
const REMEMBERED: usize = 10_000;

/// The tries of the last minutes.
#[derive(Default)]
pub(crate) struct SignInLimits {
    names: Mutex<Tries<String>>,
    entries: Mutex<Tries<String>>,
    addresses: Mutex<Tries<(Secret, IpAddr)>>,
}

/// What is guessed at. Somebody who sends meaningless tokens does not keep others from signing in with a password.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Secret {
    Password,
    Token,
}

/// A try that counts as a wrong password unless it is [forgiven](Self::forgive).
pub(crate) struct Try<'a> {
    limits: &'a SignInLimits,
    name: Option<String>,
    address: Option<(Secret, IpAddr)>,
    entry: OnceLock<String>,
}

impl SignInLimits {
    /// Counts a try; `None` if there were too many already. It does not matter whether there is such a name.
    pub(crate) fn begin(&self, name: &str, address: Option<IpAddr>, now_s: i64) -> Option<Try<'_>> {
        // Directories ignore case, and how many spaces there are.
        let name = name.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
        let this_try = self.begin_at(Secret::Password, address, now_s)?;
        let is_within = locked(&self.names).count(name.clone(), PER_NAME, now_s);
        is_within.then_some(Try { name: Some(name), ..this_try })
    }

    /// The same for tokens, which have no name that could be guessed at.
    pub(crate) fn begin_token(&self, address: Option<IpAddr>, now_s: i64) -> Option<Try<'_>> {
        self.begin_at(Secret::Token, address, now_s)
    }

    fn begin_at(&self, secret: Secret, address: Option<IpAddr>, now_s: i64) -> Option<Try<'_>> {
        let address = address.map(|address| (secret, network(address)));
        let is_within = address.is_none_or(|address| locked(&self.addresses).count(address, PER_ADDRESS, now_s));
        is_within.then_some(Try { limits: self, name: None, address, entry: OnceLock::new() })
    }
}

impl Try<'_> {
    /// Counts it for the entry that has the name, once; false if there were too many already.
    pub(crate) fn is_within_entry(&self, dn: &str, now_s: i64) -> bool {
        let entry = iam::comparable_dn(dn);
        let is_within = locked(&self.limits.entries).count(entry.clone(), PER_NAME, now_s);
        is_within && self.entry.set(entry).is_ok()
    }

    /// It was the right password, or no password was compared.
    pub(crate) fn forgive(self) {
        if let Some(name) = &self.name {
            locked(&self.limits.names).forgive(name);
        }
        if let Some(entry) = self.entry.get() {
            locked(&self.limits.entries).forgive(entry);
        }
        if let Some(address) = &self.address {
            locked(&self.limits.addresses).forgive(address);
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The address, or the /64 network of an IPv6 address: a client can use any address in its own network.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
        address => address,
    }
}

/// How many tries there were, and when the first of them was.
struct Tries<K>(HashMap<K, (u32, i64)>);

impl<K> Default for Tries<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Eq + Hash + Clone> Tries<K> {
    fn count(&mut self, key: K, most: u32, now_s: i64) -> bool {
        if self.0.len() >= REMEMBERED && !self.0.contains_key(&key) {
            self.make_room(now_s);
        }
        let (count, since_s) = self.0.entry(key).or_insert((0, now_s));
        if now_s.saturating_sub(*since_s) >= WINDOW_S {
            (*count, *since_s) = (0, now_s);
        }
        let is_within = *count < most;
        *count = count.saturating_add(u32::from(is_within));
        is_within
    }

    fn forgive(&mut self, key: &K) {
        if let Some((count, _)) = self.0.get_mut(key) {
            *count = count.saturating_sub(1);
        }
    }

    /// Forgets those that are over, and if that is not enough, the fewest tries: who is guessing at one name must not be forgotten
    /// because of many other names.
    fn make_room(&mut self, now_s: i64) {
        self.0.retain(|_, (count, since_s)| *count > 0 && now_s.saturating_sub(*since_s) < WINDOW_S);
        let mut least = 1;
        while self.0.len() >= REMEMBERED {
            self.0.retain(|_, (count, _)| *count > least);
            least += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(limits: &SignInLimits, name: &str, address: &str, now_s: i64, tries: usize) -> usize {
        let begun = |_: &usize| limits.begin(name, Some(address.parse().unwrap()), now_s).is_some();
        (0..tries).filter(begun).count()
    }

    #[test]
    fn wrong_tokens_leave_passwords_their_own_tries() {
        let limits = SignInLimits::default();
        let address = Some("192.0.2.1".parse().unwrap());
        let tokens = (0..60).filter(|_| limits.begin_token(address, 0).is_some()).count();
        let passwords = (0..60).filter(|number| limits.begin(&format!("u{number}"), address, 0).is_some()).count();
        assert_eq!((tokens, passwords), (50, 50));
    }

    #[test]
    fn guesses_end() {
        let limits = SignInLimits::default();
        assert_eq!(allowed(&limits, "alice", "10.0.0.1", 0, 20), 10);
        assert_eq!(allowed(&limits, " ALICE", "10.0.0.2", 100, 20), 0, "the same name from elsewhere");
        assert_eq!(allowed(&limits, "a  b", "10.0.0.4", 100, 6) + allowed(&limits, "A b ", "10.0.0.4", 100, 6), 10);
        assert_eq!(allowed(&limits, "bob", "10.0.0.3", 100, 20), 10, "somebody else");
        assert_eq!(allowed(&limits, "alice", "10.0.0.2", 300, 20), 10, "later");
    }

    #[test]
    fn an_address_has_few_guesses_at_many_names() {
        for (one, other, together) in [
            ("10.0.0.1", "10.0.0.1", true),
            ("10.0.0.1", "10.0.0.2", false),
            ("fd00::1", "fd00::2", true),
            ("fd00::1", "fd00:0:0:1::1", false),
            ("10.0.0.1", "::ffff:10.0.0.1", true),
        ] {
            let limits = SignInLimits::default();
            let guesses = (0..100).filter(|name| allowed(&limits, &name.to_string(), one, 0, 1) == 1).count();
            assert_eq!(guesses, 50);
            assert_eq!(allowed(&limits, "x", other, 1, 1) == 0, together, "{one} and {other}");
        }
    }

    #[test]
    fn tokens_from_an_address_count_together() {
        let (limits, address) = (SignInLimits::default(), Some("10.0.0.1".parse().unwrap()));
        assert_eq!((0..100).filter(|_| limits.begin_token(address, 0).is_some()).count(), 50);
        assert!(limits.begin_token(address, 0).is_none());
        assert!(limits.begin_token(Some("10.0.0.2".parse().unwrap()), 0).is_some());
        assert_eq!(allowed(&limits, "alice", "10.0.0.3", 0, 20), 10, "no name was guessed at");
        for _ in 0..1000 {
            limits.begin_token(address, 300).unwrap().forgive();
        }
    }

    #[test]
    fn right_passwords_do_not_count() {
        let limits = SignInLimits::default();
        for _ in 0..1000 {
            limits.begin("alice", Some("10.0.0.1".parse().unwrap()), 0).unwrap().forgive();
        }
        assert_eq!(allowed(&limits, "alice", "10.0.0.1", 0, 20), 10);
        // His own right password does not give back the guesses at another's.
        limits.begin("bob", Some("10.0.0.1".parse().unwrap()), 0).unwrap().forgive();
        assert_eq!(allowed(&limits, "alice", "10.0.0.1", 0, 1), 0);
    }

    #[test]
    fn many_names_do_not_hide_one() {
        let limits = SignInLimits::default();
        assert_eq!(allowed(&limits, "alice", "10.0.0.1", 0, 20), 10);
        for number in 0..30_000_u32 {
            limits.begin(&format!("n{number}"), Some(IpAddr::V4(number.into())), 0);
        }
        assert_eq!(allowed(&limits, "alice", "10.9.9.9", 0, 1), 0);
        assert!(locked(&limits.names).0.len() <= REMEMBERED);
    }

    #[test]
    fn other_spellings_of_a_name_are_no_further_tries() {
        let (limits, dn) = (SignInLimits::default(), "uid=alice,dc=x");
        let guess = |number: usize, dn: &str| {
            let this_try = limits.begin(&format!("alice{number}"), None, 0).unwrap();
            (this_try.is_within_entry(dn, 0), this_try)
        };
        for number in 0..5 {
            let (is_within, this_try) = guess(number, dn);
            assert!(is_within);
            this_try.forgive();
        }
        let compared = (0..30).filter(|number| guess(*number, if number % 2 == 0 { dn } else { "UID=Alice, dc=x" }).0);
        assert_eq!(compared.count(), PER_NAME as usize);
        assert!(guess(0, "uid=bob,dc=x").0);
    }
}
