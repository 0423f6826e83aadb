//! Filters with places for a user's name and DN.

use ldap3::{ldap_escape, parse_filter};

/// The filter with name and DN in their places: `%s` and `%u` stand for the name, `%d` for the DN; with a DN, `%s` stands for that. Both are
/// escaped, and what they contain is never a place itself.
pub(super) fn filled(template: &str, name: &str, dn: &str) -> String {
    let mut filter = String::with_capacity(template.len() + name.len() + dn.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('%') {
        filter.push_str(before);
        let value = match after.chars().next() {
            Some('s') if dn.is_empty() => Some(name),
            Some('s' | 'd') => Some(dn),
            Some('u') => Some(name),
            _ => None,
        };
        match value {
            Some(value) => filter.push_str(&ldap_escape(value)),
            None => filter.push('%'),
        }
        rest = if value.is_some() { after.get(1..).unwrap_or_default() } else { after };
    }
    filter + rest
}

/// Whether a text is a filter.
pub(super) fn is_filter(text: &str) -> bool {
    text.starts_with('(') && parse_filter(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_dns_only_fill_their_place() {
        for (template, name, dn, wanted) in [
            ("(uid=%s)", "alice", "", "(uid=alice)"),
            ("(uid=%s)", "*", "", "(uid=\\2a)"),
            ("(uid=%s)", "a)(uid=*", "", "(uid=a\\29\\28uid=\\2a)"),
            ("(uid=%s)", "a\\2a\0", "", "(uid=a\\5c2a\\00)"),
            ("(|(uid=%s)(mail=%s))", "%s%d", "", "(|(uid=%s%d)(mail=%s%d))"),
            ("(uid=%s)", "m\u{fc}ller", "", "(uid=m\u{fc}ller)"),
            ("(member=%s)", "alice", "uid=alice,dc=x", "(member=uid=alice,dc=x)"),
            ("(&(member=%d)(x=%u))", "a*", "cn=a\\,(b),dc=x", "(&(member=cn=a\\5c,\\28b\\29,dc=x)(x=a\\2a))"),
            ("(uid=100%)", "alice", "", "(uid=100%)"),
            ("(uid=%x%s)", "alice", "", "(uid=%xalice)"),
        ] {
            let filter = filled(template, name, dn);
            assert_eq!(filter, wanted);
            assert!(is_filter(&filter), "{filter}");
        }
        for text in ["", "uid=%s", "(uid=a", "(uid=a))", "((uid=a))", "(&(uid=a)"] {
            assert!(!is_filter(text), "{text}");
        }
    }
}
