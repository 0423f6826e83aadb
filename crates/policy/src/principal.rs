use std::fmt;
use std::str::FromStr;

use ids::AccountId;

/// The partition of every principal. Accounts in `aws-cn` or `aws-us-gov` are different accounts, even with the same
/// number.
pub(crate) const PARTITION: &str = "aws";

/// What follows the account in the ARN of an identity provider, up to its name.
pub(crate) const PROVIDER_TYPES: [&str; 5] =
    ["oidc-provider/", "saml-provider/", "ldap-provider/", "certificate-provider/", "plugin-provider/"];

/// Who makes a request.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Principal {
    /// The caller of an unsigned request.
    Anonymous,
    /// The root user of an account.
    Root(AccountId),
    /// An IAM user.
    User {
        /// The account it lives in.
        account: AccountId,
        /// `/` or `/a/b/`.
        path: String,
        /// Its name without the path.
        name: String,
    },
    /// A session of a role.
    AssumedRole {
        /// The account of the role.
        account: AccountId,
        /// The role's name without its path.
        role: String,
        /// The role's path, `/` or `/a/b/`; empty if it is not known, because an assumed-role ARN does not contain it.
        role_path: String,
        /// The session's name.
        session: String,
    },
    /// A session of GetFederationToken.
    FederatedUser {
        /// The account of the user who asked for it.
        account: AccountId,
        /// Its name, which that user chose.
        name: String,
        /// That user: `/a/b/name`. Of an ARN alone it is only known that users name such sessions after themselves: without a path.
        user: String,
    },
    /// A service, `logging.s3.amazonaws.com`.
    Service(String),
    /// An identity provider, as trust policies name it.
    Federated {
        /// An ARN of an OIDC or SAML provider, or `accounts.google.com`.
        provider: String,
        /// Other names of the same provider. A statement that names one of them names the provider.
        aliases: Vec<String>,
    },
}

/// The text does not name a principal.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "`{0}` is not a principal: expected an ARN like arn:aws:iam::111122223333:user/NAME or arn:aws:sts::111122223333:assumed-role/ROLE/SESSION, a service or provider name, or `anonymous`"
)]
pub struct PrincipalError(pub String);

impl Principal {
    /// The account to which the principal belongs; `None` for anonymous callers, services and identity providers.
    pub fn account(&self) -> Option<AccountId> {
        self.account_ref().copied()
    }

    pub(crate) fn has_account(&self) -> bool {
        self.account_ref().is_some()
    }

    pub(crate) fn is_of(&self, account: &AccountId) -> bool {
        self.account_ref() == Some(account)
    }

    fn account_ref(&self) -> Option<&AccountId> {
        match self {
            Self::Root(account)
            | Self::User { account, .. }
            | Self::AssumedRole { account, .. }
            | Self::FederatedUser { account, .. } => Some(account),
            Self::Anonymous | Self::Service(_) | Self::Federated { .. } => None,
        }
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anonymous => f.write_str("anonymous"),
            Self::Root(account) => write!(f, "arn:aws:iam::{account}:root"),
            Self::User { account, path, name } => {
                write!(f, "arn:aws:iam::{account}:user{}{name}", if path.is_empty() { "/" } else { path })
            }
            Self::AssumedRole { account, role, session, .. } => {
                write!(f, "arn:aws:sts::{account}:assumed-role/{role}/{session}")
            }
            Self::FederatedUser { account, name, .. } => write!(f, "arn:aws:sts::{account}:federated-user/{name}"),
            Self::Service(name) | Self::Federated { provider: name, .. } => f.write_str(name),
        }
    }
}

impl FromStr for Principal {
    type Err = PrincipalError;

    /// Reads an ARN, a service name (`….amazonaws.com`), a provider (its ARN or host name) or `anonymous`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = || PrincipalError(text.to_owned());
        if text == "anonymous" || text == "*" {
            return Ok(Self::Anonymous);
        }
        if !text.starts_with("arn:") {
            return provider_or_service(text).ok_or_else(bad);
        }
        let mut fields = text.splitn(6, ':').skip(1);
        let [partition, service, region] = [fields.next(), fields.next(), fields.next()];
        let (Some(account), Some(name)) = (fields.next(), fields.next()) else { return Err(bad()) };
        if partition.is_none_or(str::is_empty) || region != Some("") {
            return Err(bad());
        }
        if PROVIDER_TYPES.iter().any(|kind| name.starts_with(kind)) {
            return Ok(federated(text));
        }
        if partition != Some(PARTITION) {
            return Err(bad());
        }
        let account = account.parse().map_err(|_| bad())?;
        named(service.unwrap_or_default(), account, name).ok_or_else(bad)
    }
}

fn named(service: &str, account: AccountId, name: &str) -> Option<Principal> {
    match (service, name.split_once('/')) {
        ("iam", None) if name == "root" => Some(Principal::Root(account)),
        ("iam", Some(("user", rest))) => {
            let (path, name) = rest.rsplit_once('/').map_or((String::from("/"), rest), |(p, n)| (format!("/{p}/"), n));
            (!name.is_empty()).then(|| Principal::User { account, path, name: name.to_owned() })
        }
        ("sts", Some(("assumed-role", rest))) => {
            let (role, session) = rest.split_once('/')?;
            let (role, session, role_path) = (role.to_owned(), session.to_owned(), String::new());
            let named = !role.is_empty() && !session.is_empty();
            named.then_some(Principal::AssumedRole { account, role, role_path, session })
        }
        ("sts", Some(("federated-user", name))) if !name.is_empty() => {
            Some(Principal::FederatedUser { account, name: name.to_owned(), user: name.to_owned() })
        }
        _ => None,
    }
}

fn federated(provider: &str) -> Principal {
    Principal::Federated { provider: provider.to_owned(), aliases: Vec::new() }
}

fn provider_or_service(text: &str) -> Option<Principal> {
    const WEB_IDENTITY: &str = "cognito-identity.amazonaws.com";
    if text.is_empty() || text.contains(char::is_whitespace) || !text.contains('.') {
        return None;
    }
    let service = text.ends_with(".amazonaws.com") || text.ends_with(".amazonaws.com.cn");
    Some(match service && text != WEB_IDENTITY {
        true => Principal::Service(text.to_owned()),
        false => federated(text),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arns_read_and_print_the_same() {
        for text in [
            "anonymous",
            "arn:aws:iam::111122223333:root",
            "arn:aws:iam::111122223333:user/alice",
            "arn:aws:iam::111122223333:user/a/b/alice",
            "arn:aws:sts::111122223333:assumed-role/app/s1",
            "arn:aws:sts::111122223333:federated-user/bob",
            "logging.s3.amazonaws.com",
            "accounts.google.com",
            "arn:aws:iam::111122223333:oidc-provider/idp.example.com",
            "arn:aws:iam::111122223333:ldap-provider/corp",
            "arn:aws:iam::111122223333:certificate-provider/machines",
            "arn:aws:iam::111122223333:plugin-provider/tickets",
        ] {
            assert_eq!(text.parse::<Principal>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_text_that_is_not_a_principal_is_refused() {
        for text in [
            "",
            "alice",
            "arn:aws:iam::1111:user/alice",
            "arn:aws:iam::111122223333:user/",
            "arn:aws:iam::111122223333:group/g",
            "arn:aws:iam::111122223333:role/app",
            "arn:aws:sts::111122223333:assumed-role/app",
            "arn:aws:sts::111122223333:assumed-role//s",
            "arn:aws:sts::111122223333:assumed-role/app/",
            "arn:aws:sts::111122223333:federated-user/",
            "arn:aws:sts::111122223333:user/alice",
            "arn:aws:iam::111122223333:assumed-role/app/s1",
            "arn:aws:iam::111122223333:rooted",
            "arn::iam::111122223333:root",
            "logging.s3 .amazonaws.com",
            "arn:aws:iam:us-east-1:111122223333:root",
            "arn:aws-cn:iam::111122223333:user/alice",
            "arn:aws-us-gov:sts::111122223333:assumed-role/app/s1",
            "arn:aws:iam",
        ] {
            assert_eq!(text.parse::<Principal>(), Err(PrincipalError(text.to_owned())));
        }
    }
}
