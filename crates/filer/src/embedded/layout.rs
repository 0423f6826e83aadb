//! The names of files in a directory, and the number of its format.

/// The name of the database file.
pub(super) const DATABASE_FILE: &str = "meta.redb";
/// A database that is not complete yet.
pub(super) const NEW_DATABASE_FILE: &str = "meta.redb.new";
/// Where `kelpgate server` keeps the root access key.
pub const ROOT_CREDENTIALS_FILE: &str = "root-credentials";
/// Where `kelpgate server` keeps the key that signs sessions.
pub const SESSION_KEY_FILE: &str = "sts-signing-key";

/// The format that this version writes. Increase it with every change that an older version would misread.
///
/// Format 1 had no checksums; this version gives them to its database when it opens it. Format 2 has them in the
/// database file (`pages.rs`) and in data files (`blocks.rs`) from `Opened::sums_from` (`tables.rs`) on.
pub(super) const FORMAT: u64 = 2;
