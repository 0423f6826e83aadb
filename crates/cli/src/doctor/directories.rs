//! Whether the configured directories (LDAP) can be asked from this machine.

use federation::Directory;
use iam_formats::LdapSettings;

use super::report::Report;

/// Connects to each server of each directory, binds as `bindDN`, and searches the base. No user is looked for.
pub async fn check(directories: &[LdapSettings], report: &mut Report) {
    for settings in directories {
        match Directory::new(settings.clone()) {
            Ok(directory) => of_directory(&directory, report).await,
            Err(why) => report.error(why, "correct the filter; docs/ldap.md explains the settings"),
        }
    }
}

async fn of_directory(directory: &Directory, report: &mut Report) {
    let name = directory.name();
    for (url, asked) in directory.check().await {
        match asked {
            Ok(()) => {
                report.ok(format!("directory `{name}`: `{url}` accepts `bindDN`, and shows entries below `baseDN`"))
            }
            Err(why) => {
                let next =
                    "docs/ldap.md explains the settings; gateways ask the other servers of the directory meanwhile";
                report.error(format!("directory `{name}`, `{url}`: {why}"), next);
            }
        }
    }
}
