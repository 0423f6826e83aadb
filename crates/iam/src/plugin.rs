//! Identity plugins: webhooks of the operator that say whose token it is.

use std::sync::Arc;

/// What precedes the name of a provider in its issuer. No issuer of OpenID Connect begins like it.
const ISSUER: &str = "plugin:";

/// The issuer of a provider of type `plugin` with this name.
pub fn plugin_issuer(name: &str) -> String {
    format!("{ISSUER}{name}")
}

/// Whether an issuer is that of a provider of type `plugin`.
pub(crate) fn is_plugin(issuer: &str) -> bool {
    issuer.starts_with(ISSUER)
}

/// What a session says of the user for whom a plugin vouched: condition keys, all of which begin with `plugin:`, and their values.
pub type PluginKeys = Arc<[(String, Vec<String>)]>;
