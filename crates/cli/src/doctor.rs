//! `kelpgate doctor`: what is wrong, and what to do next.

mod documents;
mod filers;
mod gateways;
mod report;

use crate::arguments::Doctor;
use crate::place;

use gateways::Gateway;
use report::Report;

/// Looks at everything that was named and prints what it finds; false if there is an error among it.
pub async fn run(doctor: Doctor) -> Result<bool, String> {
    let mut report = Report::default();
    let configuration = place::configuration(&doctor.place, doctor.config.as_deref(), doctor.iam_config.as_ref())?;
    let mut gateways: Vec<Gateway> = doctor.endpoint.iter().map(|url| Gateway::named(url)).collect();
    if let Some(directory) = &doctor.place.dir {
        let filer = doctor.place.open()?;
        report.ok(format!("directory `{}`: it can be opened", directory.display()));
        documents::check(filer, &configuration, &mut report).await;
    } else if (doctor.place.filer.is_some() || gateways.is_empty())
        && let Some(filer) = filers::check(&doctor.place, &mut report).await?
    {
        gateways.extend(gateways::of_heartbeats(&*filer, &gateways, &mut report).await);
        documents::check(filer, &configuration, &mut report).await;
    }
    gateways::check(&gateways, &mut report).await;
    report.finish()
}
