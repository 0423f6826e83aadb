//! The names of roles and policies of `-iam.config` that are stored on a filer. A name in memory may be any, as in SeaweedFS.

use iam::is_claim_based;
use json::{JsonError, Node};

/// The key of a role's name, in both spellings.
const ROLE_NAME: &[&str] = &["roleName", "role_name"];

/// The beginning of the file names of stored policies.
const POLICY_PREFIX: &str = "policy_";

/// Refuses the name of a role that cannot be that of a document.
pub(crate) fn check_role(node: &Node<'_>, name: &str) -> Result<(), JsonError> {
    check(node, ROLE_NAME, name, name == "seeded")
}

/// Refuses a name that no role can have, stored or not.
pub(crate) fn check_reserved_role(node: &Node<'_>, name: &str) -> Result<(), JsonError> {
    match is_claim_based(name) {
        true => Err(place(node, ROLE_NAME)?
            .error(format!("`{name}` is reserved for sessions without a role; choose another name"))),
        false => Ok(()),
    }
}

/// The same for the name of a policy.
pub(crate) fn check_policy(node: &Node<'_>, name: &str) -> Result<(), JsonError> {
    check(node, &["name"], name, name == "seeded" || name.starts_with(POLICY_PREFIX))
}

fn check(node: &Node<'_>, keys: &[&str], name: &str, is_reserved: bool) -> Result<(), JsonError> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    let why = if !name.chars().all(is_plain) || name.len() > 128 {
        "a name has at most 128 characters: letters, digits and _+=,.@-"
    } else if is_reserved {
        "the store reserves `seeded`, and for policies every name that begins with `policy_`"
    } else {
        return Ok(());
    };
    Err(place(node, keys)?.error(format!("`{name}` cannot be stored as a name: {why}; choose another one")))
}

/// Where the name is.
fn place<'a>(node: &Node<'a>, keys: &[&str]) -> Result<Node<'a>, JsonError> {
    Ok(node.object()?.take_spelled(keys)?.unwrap_or_else(|| node.clone()))
}

#[cfg(test)]
mod tests {
    use crate::{ConfigInputs, IamConfig};

    const ROLE: &str = r#"{"roles":[{"roleName":"NAME","trustPolicy":{"Statement":[
        {"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole"}]}}]"#;
    const POLICY: &str = r#"{"policies":[{"name":"Good","document":{"Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}},
        {"name":"NAME","document":{"Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}}]"#;

    #[test]
    fn names_that_cannot_be_stored_are_refused_at_their_place() {
        let on_filer = r#","policy":{"storeType":"filer"},"roleStore":{"storeType":"filer"}}"#;
        let of_cluster = ["localhost:8888".to_owned()];
        let long = "a".repeat(129);
        for (name, bad) in
            [("a b", "PR"), ("a/b", "PR"), ("seeded", "PR"), ("policy_x", "P"), (&long, "PR"), ("a.b@c", "")]
        {
            for (kind, text, place) in [
                ('P', format!("{POLICY}{on_filer}"), "line 2, column 17, `policies[1].name`"),
                ('p', format!("{POLICY}}}"), "line 2, column 17, `policies[1].name`"),
                ('R', format!("{ROLE}{on_filer}"), "line 1, column 23, `roles[0].roleName`"),
                ('r', format!("{ROLE}}}"), "line 1, column 23, `roles[0].roleName`"),
            ] {
                let read = |filers| {
                    let inputs = ConfigInputs { filers, generated_key: "" };
                    IamConfig::parse(&text.replace("NAME", name), &inputs).map(|_| ()).map_err(|e| e.to_string())
                };
                let refused = read(&of_cluster);
                assert_eq!(refused.is_err(), bad.contains(kind), "{kind} {name}: {refused:?}");
                let why = refused.err().unwrap_or_else(|| place.to_owned());
                assert!(why.starts_with(place), "{kind} {name}: {why}");
                // A gateway with its own filer keeps in it what the file leaves in memory.
                let kind = kind.to_ascii_uppercase();
                assert_eq!(read(&[]).is_err(), bad.contains(kind), "own filer, {kind} {name}");
            }
        }
    }
}
