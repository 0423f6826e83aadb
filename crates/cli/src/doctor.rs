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

/// Looks for completed uploads that are still listed because a filer died while completing them.
async fn check_uploads(filer: &dyn Filer, report: &mut Report) {
    match completed_uploads(filer).await {
        Ok(found) if found.is_empty() => {}
        Ok(found) => {
            let named =
                found.iter().take(3).map(|one| format!("{}/{}", one.bucket, one.key)).collect::<Vec<_>>().join(", ");
            report.warning(
                format!("completed uploads are still listed as unfinished: {} ({named})", found.len()),
                "nothing to do: gateways remove them within an hour, without the data, which belongs to the objects",
            );
        }
        Err(error) => report.warning(format!("uploads cannot be listed: {error}"), "see the filer's log"),
    }
}

/// Counts the unfinished uploads that dead gateways left.
async fn check_abandoned(filer: &dyn Filer, report: &mut Report) {
    let left = match left_uploads(filer).await {
        Ok(left) => left,
        Err(error) => {
            return report.warning(format!("unfinished uploads cannot be counted: {error}"), "see the filer's log");
        }
    };
    if left.waiting > 0 {
        report.warning(
            format!("unfinished uploads are left by gateways that are gone; uploads: {}", left.waiting),
            "start a gateway on this filer: it frees them after kelpgate.abandonedUploadsSeconds (not if that is 0, the default); \
             if they remain, see its log",
        );
    }
    if left.maybe_committed > 0 {
        let uploads = left.maybe_committed;
        report.warning(
            format!("uploads that may or may not have been completed when their gateway ended: {uploads}"),
            "if this remains: `volume.fsck` in `weed shell` finds chunks that no object names; then remove the `.intent` files in \
             /seaweedfs/kelpgate/uploads",
        );
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
        documents::check(filer, &configuration, true, &mut report).await;
    } else if (doctor.place.filer.is_some() || gateways.is_empty())
        && let Some(filer) = filers::check(&doctor.place, &mut report).await?
    {
        gateways.extend(gateways::of_heartbeats(&*filer, &gateways, &mut report).await);
        check_uploads(&*filer, &mut report).await;
        check_abandoned(&*filer, &mut report).await;
        documents::check(filer, &configuration, false, &mut report).await;
    }
    gateways::check(&gateways, &mut report).await;
    report.finish()
}

#[cfg(test)]
mod tests {
    use filer::{Entry, Mutation, Transaction};

    use super::*;

    /// Files of gateways that have shown no heartbeat since 1970.
    async fn leave(filer: &EmbeddedFiler, gateway: &str, names: &[&str]) {
        let directory = format!("/seaweedfs/kelpgate/uploads/{gateway}");
        let puts = names.iter().map(|name| {
            let entry = Entry { name: (*name).to_owned(), content: "/buckets/b".into(), ..Entry::default() };
            Mutation::Put { directory: directory.clone(), entry: Box::new(entry) }
        });
        let mutations = puts.collect();
        filer.transact(Transaction { lock_key: directory, mutations, ..Transaction::default() }).await.unwrap();
    }

    async fn told(filer: &EmbeddedFiler) -> String {
        let mut report = Report::default();
        check_abandoned(filer, &mut report).await;
        report.text()
    }

    #[tokio::test]
    async fn uploads_that_gateways_left_are_counted() {
        let directory = tempfile::tempdir().unwrap();
        let filer = EmbeddedFiler::open(directory.path()).unwrap();
        leave(&filer, "idle", &["heartbeat"]).await;
        assert_eq!(told(&filer).await, "\n0 errors, 0 warnings\n");
        // More gateways than one page of a listing has.
        for number in 0..1001 {
            leave(&filer, &format!("dead-{number}"), &["1.intent", "1.chunks-0"]).await;
        }
        leave(&filer, "undecided", &["2.intent", "2.commit", "3.commit"]).await;
        let told = told(&filer).await;
        assert!(told.contains("unfinished uploads are left by gateways that are gone; uploads: 1001\n"), "{told}");
        assert!(told.contains("may or may not have been completed when their gateway ended: 1\n"), "{told}");
    }
}
