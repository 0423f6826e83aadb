//! Writes the roles and policies of `-iam.config` to the filer before the gateway serves anything.

use std::time::Duration;

use iam_formats::IamConfig;
use store::{FilerStore, Seeded, StoreError};

/// How often it is tried, once a second, while filers do not answer or other gateways write the same documents.
const ATTEMPTS: u32 = 60;
const PAUSE: Duration = Duration::from_secs(1);

/// Without its policies a role could do more than its file says, so a gateway does not start without them.
///
/// Error: which document could not be written, and why.
pub(crate) async fn seed(store: &FilerStore, config: &IamConfig) -> Result<(), String> {
    for _ in 1..ATTEMPTS {
        match store.seed(config).await {
            Err(error) if error.is_unavailable() || matches!(error, StoreError::Conflict(_)) => {
                tracing::warn!(%error, "-iam.config: its roles and policies are not all on the filer yet; trying again");
            }
            seeded => return finished(seeded),
        }
        tokio::time::sleep(PAUSE).await;
    }
    finished(store.seed(config).await)
}

fn finished(seeded: Result<Seeded, StoreError>) -> Result<(), String> {
    let seeded = seeded.map_err(|error| {
        format!("-iam.config: its roles and policies could not all be written to the filer: {error}")
    })?;
    for (what, names) in [("created", &seeded.created), ("updated", &seeded.updated)] {
        if !names.is_empty() {
            tracing::info!("-iam.config: {what} on the filer: {}", names.join(", "));
        }
    }
    for kept in &seeded.kept {
        tracing::warn!("-iam.config: {kept}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use filer::embedded::EmbeddedFiler;
    use filer::fault::{Call, Fault, FaultyFiler};
    use filer::{Filer, FilerError};
    use store::Layout;

    use super::*;
    use crate::configuration::Configuration;

    const CONFIG: &str = r#"{
        "policy": {"storeType": "filer"},
        "roles": [{"roleName": "R", "roleArn": "arn:aws:iam::000000000000:role/R", "attachedPolicies": ["P"], "trustPolicy":
            {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}]}}],
        "policies": [{"name": "P", "document":
            {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "s3:*", "Resource": "*"}]}}]}"#;

    /// Seeds a filer with this fault in its writes, which ends after a while if `ends` says so. Returns what seeding says, and
    /// whether the policy is stored.
    async fn seeded(fault: Fault, ends: bool) -> (Result<(), String>, bool) {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("iam.json");
        std::fs::write(&file, CONFIG).unwrap();
        let iam = Configuration::read_silently(None, Some(&file), &[]).unwrap().iam;
        let filer = Arc::new(FaultyFiler::new(Arc::new(EmbeddedFiler::open(directory.path().join("data")).unwrap())));
        filer.set(Call::Transact, fault);
        let store = FilerStore::new(Arc::clone(&filer) as Arc<dyn Filer>, Layout::new(&iam, "/buckets"));
        let mends = async {
            tokio::time::sleep(Duration::from_secs(5)).await;
            if ends {
                filer.clear();
            }
        };
        let (result, ()) = tokio::join!(seed(&store, &iam), mends);
        filer.clear();
        let stored = filer.lookup("/seaweedfs/iam/policies/policy_P.json").await.unwrap();
        (result, stored.is_some())
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_served_before_the_policies_are_stored() {
        let unavailable = || FilerError::Unavailable("it restarts".to_owned());
        let full = Fault::Fail(FilerError::Full("the disk".to_owned()));
        let cases = [
            ("the filer comes back", Fault::Fail(unavailable()), true, ""),
            ("it goes away between two documents", Fault::After(1, Box::new(Fault::Fail(unavailable()))), true, ""),
            ("it stays away", Fault::Fail(unavailable()), false, "it restarts"),
            ("its disk is full", full, true, "no space left"),
        ];
        for (case, fault, ends, says) in cases {
            let (result, is_stored) = seeded(fault, ends).await;
            assert_eq!((result.is_ok(), is_stored), (says.is_empty(), says.is_empty()), "{case}: {result:?}");
            assert!(result.err().unwrap_or_default().contains(says), "{case}");
        }
    }
}
