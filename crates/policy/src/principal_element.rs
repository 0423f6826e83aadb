//! `Principal` and `NotPrincipal`: to whom a statement applies.

use std::collections::BTreeMap;
use std::fmt;

use ids::AccountId;

use crate::grammar::{Effect, PrincipalElement, PrincipalKind, PrincipalName};
use crate::principal::{PARTITION, Principal};
use crate::request::Request;

/// How a statement names the caller, from the weakest to the strongest grant.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Grant {
    /// By its account: the caller's own policies decide.
    Account,
    /// By the role of its session, or by the user who federated it: boundary and session policy limit the grant.
    Role,
    /// Directly, or by `*`.
    Direct,
}

/// Unique ids of principals, by their ARNs as written in a policy.
pub type PrincipalIds = BTreeMap<String, String>;

/// One principal that a policy names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Named {
    /// `"Principal": "*"`.
    Everyone,
    /// `{"AWS": "*"}`.
    EveryAws,
    Account(AccountId),
    /// The path and the name, `/a/b/name`.
    User(AccountId, Box<str>),
    Role(AccountId, Box<str>),
    Session {
        account: AccountId,
        role: Box<str>,
        session: Box<str>,
    },
    FederatedUser(AccountId, Box<str>),
    Service(Box<str>),
    Federated(Box<str>),
    CanonicalUser(Box<str>),
    /// A user, a role or a role session, bound to the unique id that the user or role had when the policy was put.
    WithId {
        id: Box<str>,
        name: Box<Named>,
    },
    /// Matches no one, such as the id of a deleted principal.
    Nobody,
}

#[derive(Clone, Debug)]
pub(crate) struct PrincipalTest {
    pub not: bool,
    pub names: Box<[Named]>,
}

impl PrincipalTest {
    pub fn new(element: &PrincipalElement, ids: &PrincipalIds) -> Self {
        let bound = |name: &PrincipalName| match ids.get(&name.name) {
            Some(id) if name.kind == PrincipalKind::Aws => Named::new(name).with_id(id),
            _ => Named::new(name),
        };
        Self { not: element.not, names: element.names.iter().map(bound).collect() }
    }

    /// How the statement names the caller of the request; `None` if it does not.
    pub fn grant(&self, effect: Effect, request: &Request<'_>, has_boundary: bool) -> Option<Grant> {
        match (self.not, effect) {
            (false, _) => self.names.iter().filter_map(|name| name.grant(effect, request)).max(),
            // NotPrincipal with Allow grants nothing: AWS refuses to store it, and a stored one must not open the
            // bucket to everyone else.
            (true, Effect::Allow) => None,
            // Such a Deny always applies to a principal with a boundary (IAM User Guide, "NotPrincipal").
            (true, Effect::Deny) => (has_boundary || !self.spares(request)).then_some(Grant::Direct),
        }
    }

    /// Whether a Deny with these names as `NotPrincipal` spares the caller. It spares only callers that it lists
    /// themselves: an account spares its root but none of its users or roles, and a session needs both the ARN of its
    /// role and its own.
    fn spares(&self, request: &Request<'_>) -> bool {
        let is_root = matches!(request.principal, Principal::Root(_));
        // Evaluated as for an Allow: `{"AWS": "*"}` then lists no service.
        let names =
            || self.names.iter().filter_map(|name| name.grant(Effect::Allow, request).map(|grant| (name, grant)));
        let lists_everyone = || names().any(|(name, _)| matches!(name, Named::Everyone | Named::EveryAws));
        let lists = |wanted| names().any(|(_, grant)| grant == wanted);
        match request.principal {
            Principal::AssumedRole { .. } => lists_everyone() || (lists(Grant::Direct) && lists(Grant::Role)),
            _ => lists(Grant::Direct) || (is_root && lists(Grant::Account)),
        }
    }
}

impl Named {
    pub fn new(name: &PrincipalName) -> Self {
        let text = name.name.as_str();
        match name.kind {
            PrincipalKind::Everyone => Self::Everyone,
            PrincipalKind::Aws => Self::aws(text).unwrap_or(Self::Nobody),
            PrincipalKind::Service => Self::Service(text.into()),
            PrincipalKind::Federated => Self::Federated(text.into()),
            // It is the account under another name.
            PrincipalKind::CanonicalUser => {
                AccountId::from_canonical_id(text).map_or_else(|| Self::CanonicalUser(text.into()), Self::Account)
            }
        }
    }

    fn with_id(self, id: &str) -> Self {
        Self::WithId { id: id.into(), name: Box::new(self) }
    }

    /// The user, role or role session that is named.
    pub fn principal(&self) -> Option<Principal> {
        let parts = |full: &str| {
            let (path, name) = full.rsplit_once('/')?;
            Some((format!("{path}/"), name.to_owned()))
        };
        match self {
            Self::User(account, full) => {
                let (path, name) = parts(full)?;
                Some(Principal::User { account: *account, path, name })
            }
            Self::Role(account, full) => {
                let (role_path, role) = parts(full)?;
                Some(Principal::AssumedRole { account: *account, role, role_path, session: String::new() })
            }
            Self::Session { account, role, session } => {
                let (role, session) = (role.to_string(), session.to_string());
                Some(Principal::AssumedRole { account: *account, role, role_path: String::new(), session })
            }
            _ => None,
        }
    }

    /// A name of type `AWS`: `*`, an account number or an ARN. `None` for anything else.
    pub fn aws(text: &str) -> Option<Self> {
        if text == "*" {
            return Some(Self::EveryAws);
        }
        if let Ok(account) = text.parse() {
            return Some(Self::Account(account));
        }
        let mut fields = text.splitn(6, ':');
        let (arn, partition, service) = (fields.next()?, fields.next()?, fields.next()?);
        let (region, account, name) = (fields.next()?, fields.next()?, fields.next()?);
        // The same name in another partition is a different principal.
        if arn != "arn" || partition != PARTITION || !region.is_empty() || name.contains(['*', '?']) {
            return None;
        }
        // SeaweedFS writes ARNs without an account. They stand for the default account.
        let account = if account.is_empty() { AccountId::DEFAULT } else { account.parse().ok()? };
        let (kind, rest) = name.split_once('/').unwrap_or((name, ""));
        let names_something = !rest.is_empty() && !rest.ends_with('/');
        match (service, kind) {
            ("iam", "root") if rest.is_empty() && name == "root" => Some(Self::Account(account)),
            ("iam", "user") if names_something => Some(Self::User(account, format!("/{rest}").into())),
            ("iam", "role") if names_something => Some(Self::Role(account, format!("/{rest}").into())),
            ("sts", "assumed-role") => {
                let (role, session) = rest.split_once('/')?;
                let complete = !role.is_empty() && !session.is_empty() && !session.contains('/');
                complete.then(|| Self::Session { account, role: role.into(), session: session.into() })
            }
            ("sts", "federated-user") if names_something => Some(Self::FederatedUser(account, rest.into())),
            _ => None,
        }
    }

    fn grant(&self, effect: Effect, request: &Request<'_>) -> Option<Grant> {
        let caller = request.principal;
        let is = |condition: bool, grant| condition.then_some(grant);
        match (self, caller) {
            (Self::Everyone, _) => Some(Grant::Direct),
            (Self::EveryAws, Principal::Service(_) | Principal::Federated { .. }) => {
                is(effect == Effect::Deny, Grant::Direct)
            }
            (Self::EveryAws, _) => Some(Grant::Direct),
            (Self::WithId { id, name }, _) => match (&**name, caller, request.principal_id) {
                (Self::User(..), Principal::User { .. }, Some(theirs)) => is(**id == *theirs, Grant::Direct),
                (Self::User(..), Principal::FederatedUser { .. }, Some(theirs)) => is(**id == *theirs, Grant::Role),
                (Self::Role(..), Principal::AssumedRole { .. }, Some(theirs)) => is(**id == *theirs, Grant::Role),
                (Self::Session { session: mine, .. }, Principal::AssumedRole { session, .. }, Some(theirs)) => {
                    is(**id == *theirs && **mine == **session, Grant::Direct)
                }
                _ => name.grant(effect, request),
            },
            (Self::Account(account), _) => is(caller.account() == Some(*account), Grant::Account),
            (Self::User(mine, name), Principal::User { account, path, name: theirs }) => {
                is(mine == account && is_path_and_name(name, path, theirs), Grant::Direct)
            }
            // The session's name is its maker's choice: another user's name gives nothing.
            (Self::User(mine, name), Principal::FederatedUser { account, user, .. }) => {
                is(mine == account && is_user(name, user), Grant::Role)
            }
            (Self::Role(mine, name), Principal::AssumedRole { account, role, role_path, .. }) => {
                is(mine == account && is_role(name, role_path, role), Grant::Role)
            }
            (
                Self::Session { account: mine, role: my_role, session: mine_too },
                Principal::AssumedRole { account, role, session, .. },
            ) => is(mine == account && **my_role == **role && **mine_too == **session, Grant::Direct),
            (Self::FederatedUser(mine, name), Principal::FederatedUser { account, name: theirs, .. }) => {
                is(mine == account && **name == **theirs, Grant::Direct)
            }
            (Self::Service(mine), Principal::Service(theirs)) => is(**mine == **theirs, Grant::Direct),
            (Self::Federated(mine), Principal::Federated { provider, aliases }) => {
                let named = **mine == **provider || aliases.iter().any(|alias| **mine == **alias);
                is(named, Grant::Direct)
            }
            (Self::CanonicalUser(mine), _) => {
                let canonical = request.principal_canonical_id.filter(|_| caller.account().is_some());
                is(canonical.is_some_and(|theirs| theirs.eq_ignore_ascii_case(mine)), Grant::Account)
            }
            _ => None,
        }
    }
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everyone | Self::EveryAws => f.write_str("*"),
            Self::Account(account) => write!(f, "arn:aws:iam::{account}:root"),
            Self::User(account, name) => write!(f, "arn:aws:iam::{account}:user{name}"),
            Self::Role(account, name) => write!(f, "arn:aws:iam::{account}:role{name}"),
            Self::Session { account, role, session } => {
                write!(f, "arn:aws:sts::{account}:assumed-role/{role}/{session}")
            }
            Self::FederatedUser(account, name) => write!(f, "arn:aws:sts::{account}:federated-user/{name}"),
            Self::Service(name) | Self::Federated(name) | Self::CanonicalUser(name) => f.write_str(name),
            Self::WithId { name, .. } => name.fmt(f),
            Self::Nobody => f.write_str("(nobody)"),
        }
    }
}

/// Whether `/a/b/name` is the path `/a/b/` and the name.
fn is_path_and_name(full: &str, path: &str, name: &str) -> bool {
    let path = if path.is_empty() { "/" } else { path };
    full.strip_prefix(path) == Some(name)
}

/// Role names are unique within an account and assumed-role ARNs omit the path, so an unknown path fits every path.
fn is_role(full: &str, path: &str, name: &str) -> bool {
    if path.is_empty() { last_part(full) == name } else { is_path_and_name(full, path, name) }
}

/// Whether `/a/b/name` is this user, whose path may not be known.
fn is_user(full: &str, user: &str) -> bool {
    if user.starts_with('/') { full == user } else { last_part(full) == user }
}

fn last_part(full: &str) -> &str {
    full.rsplit('/').next().unwrap_or_default()
}
