//! `kelpgate doctor`: what is wrong, and what to do next.

mod directories;
mod documents;
mod filers;
mod gateways;
mod plugin;
mod report;
mod token;

use std::sync::Arc;

use bucket::leftovers::completed_uploads;
use filer::embedded::Scrubber;
use filer::seaweedfs::left_uploads;
use filer::{EmbeddedFiler, Filer};
use iam::IdentityProvider;
use server::configuration::Configuration;

use crate::arguments::Doctor;
use crate::place;

use gateways::Gateway;
use report::Report;

/// Looks for what a filer left behind that died in the middle of a completion.
async fn check_uploads(filer: &dyn Filer, report: &mut Report) {
    match completed_uploads(filer).await {
        Ok(found) if found.is_empty() => {}
        Ok(found) => {
            let named =
                found.iter().take(3).map(|one| format!("{}/{}", one.bucket, one.key)).collect::<Vec<_>>().join(", ");
            report.warning(
                format!(
                    "uploads that have made their objects are still listed as unfinished: {} ({named})",
                    found.len()
                ),
                "nothing: gateways remove them within an hour, without the data, which belongs to the objects",
            );
        }
        Err(error) => report.warning(format!("uploads cannot be listed: {error}"), "see the filer's log"),
    }
}

/// Counts what gateways that are gone have left of uploads.
async fn check_abandoned(filer: &dyn Filer, report: &mut Report) {
    match left_uploads(filer).await {
        Ok(left) => {
            if left.waiting > 0 {
                report.warning(
                    format!("gateways that are gone have left the chunks of unfinished uploads: {}", left.waiting),
                    "start a gateway on this filer: it frees them after a quarter of an hour; if they stay, see its log",
                );
            }
            if left.unsettled > 0 {
                report.warning(
                    format!("uploads that may have been completed when their gateway ended: {}", left.unsettled),
                    "if this stays, `volume.fsck` in `weed shell` finds their chunks; then remove their .intent below /seaweedfs/kelpgate/uploads",
                );
            }
        }
        Err(error) => report.warning(format!("unfinished uploads cannot be counted: {error}"), "see the filer's log"),
    }
}

/// Compares the database of a directory with its checksums. Data files are left to `kelpgate scrub`.
fn check_database(filer: &EmbeddedFiler, report: &mut Report) {
    let findings = Scrubber::new(filer).database();
    if findings.is_empty() {
        report.ok("the metadata database matches its checksums; `kelpgate scrub` also checks the data files");
    }
    for finding in findings {
        report
            .error(format!("corrupt: {}", bucket::findings::in_words(&finding)), "restore the directory from a backup");
    }
}

/// The identity providers of the configuration, and those of the IAM API if a filer or directory is named.
async fn providers(doctor: &Doctor, configuration: &Configuration) -> Result<Vec<Arc<IdentityProvider>>, String> {
    if doctor.place.dir.is_none() && doctor.place.filer.is_none() {
        return Ok(configuration.iam.identity_providers.clone());
    }
    let filer = doctor.place.open().await?;
    let (_, snapshot) = place::read(filer, configuration).await?;
    Ok(snapshot.identity_providers().to_vec())
}

/// Checks everything that was named and prints the findings; false if one of them is an error.
pub async fn run(doctor: Doctor) -> Result<bool, String> {
    let mut report = Report::default();
    let configuration = place::configuration(&doctor.place, doctor.config.as_deref(), doctor.iam_config.as_ref())?;
    if let Some(token) = &doctor.token {
        let providers = providers(&doctor, &configuration).await?;
        token::check(token, &providers, &configuration.iam.kelpgate.oidc, &mut report).await;
        return report.finish();
    }
    directories::check(&configuration.iam.directories, &mut report).await;
    plugin::check(configuration.iam.plugin.as_ref(), &mut report).await;
    let mut gateways: Vec<Gateway> = doctor.endpoint.iter().map(|url| Gateway::named(url)).collect();
    if let Some(directory) = &doctor.place.dir {
        let filer = Arc::new(place::open_directory(directory)?);
        report.ok(format!("directory `{}`: it can be opened", directory.display()));
        check_database(&filer, &mut report);
        documents::check(filer, &configuration, &mut report).await;
    } else if (doctor.place.filer.is_some() || gateways.is_empty())
        && let Some(filer) = filers::check(&doctor.place, &mut report).await?
    {
        gateways.extend(gateways::of_heartbeats(&*filer, &gateways, &mut report).await);
        check_uploads(&*filer, &mut report).await;
        check_abandoned(&*filer, &mut report).await;
        documents::check(filer, &configuration, &mut report).await;
    }
    gateways::check(&gateways, &mut report).await;
    report.finish()
}
