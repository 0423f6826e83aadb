//! Whether the configured identity plugin can be asked from this machine.

use federation::Plugin;
use http::StatusCode;
use iam_formats::PluginSettings;

use super::report::Report;

/// Sends one request without a token. Any answer will do, unless it says that `authToken` is wrong.
pub async fn check(settings: Option<&PluginSettings>, report: &mut Report) {
    let Some(settings) = settings else { return };
    let (name, url) = (&settings.name, &settings.url);
    match Plugin::new(settings.clone()).check().await {
        Ok(status @ (StatusCode::UNAUTHORIZED | StatusCode::PROXY_AUTHENTICATION_REQUIRED)) => report.warning(
            format!("plugin `{name}`: `{url}` answers {status} to a request without a token"),
            "compare `authToken` or `authTokenFile` with what the plugin expects, with its scheme, such as `Bearer`",
        ),
        Ok(status) => {
            report.ok(format!("plugin `{name}`: `{url}` can be reached, and answers {status} without a token"))
        }
        Err(why) => report.error(
            format!("plugin `{name}`: {why}"),
            "docs/identity-plugin.md explains the settings; nobody can sign in by it meanwhile",
        ),
    }
}
