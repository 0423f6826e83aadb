//! Users of directories (LDAP): how they are named, and the policies that their names give.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What precedes the name of a directory in its issuer. No issuer of OpenID Connect begins like it.
const ISSUER: &str = "ldap:";

/// The issuer of a directory with this name.
pub fn directory_issuer(name: &str) -> String {
    format!("{ISSUER}{name}")
}

/// Whether an issuer is that of a directory.
pub(crate) fn is_directory(issuer: &str) -> bool {
    issuer.starts_with(ISSUER)
}

/// What a session says about the user of a directory for whom it was made.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DirectoryUser {
    /// The name of the user in the directory, `ldap:username`.
    pub username: Arc<str>,
    /// The DNs of the groups as the directory spells them, `ldap:groups`.
    pub groups: Arc<[String]>,
    /// The user's DN and those of the groups as they are compared.
    compared: (String, Vec<String>),
}

impl DirectoryUser {
    /// A user with this DN.
    pub fn new(dn: &str, username: &str, groups: Vec<String>) -> Self {
        let compared = (comparable_dn(dn), groups.iter().map(|group| comparable_dn(group)).collect());
        Self { username: username.into(), groups: groups.into(), compared }
    }
}

/// Which policies the users and groups of a directory have, by their DNs as they are compared.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PolicyMapping {
    /// Names of managed policies by the user's DN.
    pub users: BTreeMap<String, Vec<String>>,
    /// Names of managed policies by the group's DN.
    pub groups: BTreeMap<String, Vec<String>>,
}

impl PolicyMapping {
    /// The policies of a user: their own, and those of all their groups. Each name occurs once.
    pub fn policies_of(&self, user: &DirectoryUser) -> Vec<&str> {
        let (dn, groups) = &user.compared;
        let of_user = self.users.get(dn).into_iter();
        let all = of_user.chain(groups.iter().filter_map(|group| self.groups.get(group)));
        let names: BTreeSet<&str> = all.flatten().map(String::as_str).collect();
        names.into_iter().collect()
    }
}

/// A DN in the one form in which DNs are compared: without spaces around its parts, in lower case, each escape written in the same
/// way, the parts of a multivalued RDN in order. Directories compare names in this way too, except for attributes whose case
/// counts, which DNs do not have in practice. What is not a DN stays as it is.
pub fn comparable_dn(text: &str) -> String {
    read_dn(text).unwrap_or_else(|| text.to_owned())
}

/// The same, or `None` for a text that is not a DN.
pub fn read_dn(text: &str) -> Option<String> {
    let rdns = split(text, &[',', ';'])?;
    let rdns: Option<Vec<String>> = rdns.into_iter().map(|rdn| comparable_rdn(&rdn)).collect();
    Some(rdns?.join(","))
}

fn comparable_rdn(rdn: &str) -> Option<String> {
    let mut parts = split(rdn, &['+'])?.iter().map(|part| comparable_part(part)).collect::<Option<Vec<_>>>()?;
    parts.sort();
    Some(parts.join("+"))
}

fn comparable_part(part: &str) -> Option<String> {
    let (kind, value) = part.split_once('=')?;
    let kind = kind.trim().to_ascii_lowercase();
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    if kind.is_empty() || !kind.chars().all(plain) {
        return None;
    }
    let value = unescaped(value.trim_start())?.to_lowercase();
    // Directories ignore how many spaces there are.
    let value = value.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    Some(format!("{kind}={}", escaped(&value)))
}

/// Splits at characters that are not escaped.
fn split(text: &str, at: &[char]) -> Option<Vec<String>> {
    let (mut parts, mut part, mut chars) = (Vec::new(), String::new(), text.chars());
    while let Some(c) = chars.next() {
        if c == '\\' {
            part.push(c);
            part.push(chars.next()?);
        } else if at.contains(&c) {
            parts.push(std::mem::take(&mut part));
        } else {
            part.push(c);
        }
    }
    parts.push(part);
    Some(parts)
}

/// The text behind the escapes of RFC 4514: `\,` and `\2c`.
fn unescaped(value: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        let first = rest.next()?;
        match char::from(first).to_digit(16) {
            None => bytes.push(first),
            Some(high) => {
                let low = char::from(rest.next()?).to_digit(16)?;
                bytes.push(u8::try_from(high * 16 + low).ok()?);
            }
        }
    }
    String::from_utf8(bytes).ok()
}

fn escaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for c in value.chars() {
        if ",+\"\\<>;=#".contains(c) {
            text.push('\\');
        }
        text.push(c);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dns_are_compared_as_directories_do() {
        for (one, other, same) in [
            ("uid=alice,ou=people,dc=example", "UID=Alice, OU=People , DC=example", true),
            ("cn=a  b,dc=x", "cn=a b,dc=x", true),
            ("cn=a\\,b,dc=x", "cn=a\\2cb,dc=x", true),
            ("cn=a\\,b,dc=x", "cn=a,b=c,dc=x", false),
            ("cn=M\u{fc}ller,dc=x", "cn=m\\c3\\bcller,dc=x", true),
            ("cn=a+uid=b,dc=x", "UID=b+CN=a,dc=x", true),
            ("cn=a;dc=x", "cn=a,dc=x", true),
            ("cn=a,dc=x", "cn=a,dc=x,dc=y", false),
            ("cn=a,dc=x", "cn=b,dc=x", false),
            ("cn=a\\=b,dc=x", "cn=a=b,dc=x", true),
        ] {
            assert_eq!(comparable_dn(one) == comparable_dn(other), same, "{one} and {other}");
        }
        let odd = "cn=\\23a\\+b\\\\,dc=x";
        assert_eq!(comparable_dn(&comparable_dn(odd)), comparable_dn(odd), "once is enough");
        for text in ["", "alice", "cn=a,", "=a", "cn=a\\", "cn=a\\zz\\f", "c n=a", "cn=\\ff"] {
            assert_eq!((read_dn(text), comparable_dn(text)), (None, text.to_owned()));
        }
    }

    #[test]
    fn a_user_has_the_policies_of_all_names() {
        let of = |pairs: &[(&str, &str)]| {
            let pairs =
                pairs.iter().map(|(dn, names)| (comparable_dn(dn), names.split(' ').map(str::to_owned).collect()));
            pairs.collect::<BTreeMap<_, Vec<_>>>()
        };
        let mapping = PolicyMapping {
            users: of(&[("uid=alice,dc=x", "own shared"), ("cn=admins,dc=x", "wrong")]),
            groups: of(&[("CN=Admins,DC=X", "all"), ("cn=readers,dc=x", "read shared"), ("uid=bob,dc=x", "wrong")]),
        };
        let groups = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        for (dn, in_groups, wanted) in [
            ("UID=alice, dc=x", groups(&["cn=readers,dc=x"]), vec!["own", "read", "shared"]),
            ("uid=bob,dc=x", groups(&["cn=admins, dc=x"]), vec!["all"]),
            ("uid=bob,dc=x", groups(&["cn=admins,dc=x,dc=y"]), vec![]),
            ("uid=bob,dc=x", groups(&[]), vec![]),
        ] {
            assert_eq!(mapping.policies_of(&DirectoryUser::new(dn, "n", in_groups)), wanted, "{dn}");
        }
    }
}
