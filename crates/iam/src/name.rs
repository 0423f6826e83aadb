//! Names of users, groups, roles, policies and instance profiles.

/// The name of the identity for unsigned requests.
pub const ANONYMOUS: &str = "anonymous";

/// The name of the identity that is the root user of its account.
pub const ROOT: &str = "root";

/// What stands for the role's name in the ARNs of sessions that have policies in the place of a role.
pub const CLAIM_BASED: &str = "sts-claim-based";

/// Whether no role can have this name: its sessions would have the ARNs of sessions without a role.
pub fn is_claim_based(role: &str) -> bool {
    role.eq_ignore_ascii_case(CLAIM_BASED)
}

/// Whether a text is a valid entity name: 1 to `longest` characters of `A-Za-z0-9_+=,.@-`. A name can never become a
/// path.
///
/// Source: IAM API Reference, the pattern `[\w+=,.@-]+` of all names.
pub fn is_name(name: &str, longest: usize) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    !matches!(name, "" | "." | "..") && name.len() <= longest && name.chars().all(allowed)
}
