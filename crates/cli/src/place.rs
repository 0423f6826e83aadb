//! What a tool works on: the filers of a cluster, or the directory of a server that is not running.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use filer::Filer;
use filer::embedded::{EmbeddedFiler, OpenError};
use filer::seaweedfs::{FilerAddress, Options, SeaweedFiler};
use iam::Snapshot;
use store::{FilerStore, Index, Layout};

use crate::arguments::Place;
use server::configuration::{Configuration, security};

/// The default filer.
const DEFAULT_FILER: &str = "localhost:8888";

impl Place {
    /// The filers of `-filer`.
    pub fn filers(&self) -> Result<Vec<FilerAddress>, String> {
        let list = self.filer.as_deref().unwrap_or(DEFAULT_FILER);
        let filers = FilerAddress::parse_list(list).map_err(|error| format!("-filer: {error}"))?;
        if filers.is_empty() { Err("-filer names no filer; write `host:port`".to_owned()) } else { Ok(filers) }
    }

    /// Opens it, and asks whether it answers.
    pub async fn open(&self) -> Result<Arc<dyn Filer>, String> {
        if let Some(directory) = &self.dir {
            return Ok(Arc::new(open_directory(directory)?));
        }
        let filer = SeaweedFiler::connect(Options::new(self.filers()?, security(self.config_dir.as_deref())?));
        let there = filer.configuration().await;
        there.map_err(|error| {
            format!("{error}; start it, correct -filer, or name the directory of a stopped server with -dir")
        })?;
        Ok(Arc::new(filer))
    }

    /// The same, for what may come before the first start of a server: it makes the store of a directory that has none.
    pub async fn open_or_create(&self) -> Result<Arc<dyn Filer>, String> {
        let Some(directory) = &self.dir else { return self.open().await };
        let filer = match existing(directory)? {
            Err(OpenError::NoStore { .. }) => EmbeddedFiler::open(directory),
            opened => opened,
        };
        Ok(Arc::new(filer.map_err(|error| error.to_string())?))
    }
}

/// Opens the directory of a server that is not running.
pub fn open_directory(directory: &Path) -> Result<EmbeddedFiler, String> {
    existing(directory)?.map_err(|error| error.to_string())
}

fn existing(directory: &Path) -> Result<Result<EmbeddedFiler, OpenError>, String> {
    if !directory.is_dir() {
        return Err(format!("there is no directory `{}`", directory.display()));
    }
    Ok(EmbeddedFiler::open_existing(directory))
}

/// Reads all IAM state of a place. The configuration says where roles, policies and inline policies are stored. Without
/// a file, they are looked for in the places that SeaweedFS's documentation gives.
pub async fn read(filer: Arc<dyn Filer>, configuration: &Configuration) -> Result<(FilerStore, Snapshot), String> {
    let filer_configuration = filer.configuration().await.map_err(|error| error.to_string())?;
    let layout = Layout::new(&configuration.iam, &filer_configuration.buckets_root);
    let store = FilerStore::new(filer, layout).with_secrets(configuration.secret_keys()?);
    let files = Snapshot::new(configuration.iam.settings(), &configuration.identities);
    let mut all = files.apply(configuration.iam.in_memory()).next();
    store.list(&mut Index::default(), None, &mut all).await.map_err(|error| error.to_string())?;
    Ok((store, all.finish()))
}

/// The configuration for [`read`]. `config` is the identities file, for tools that read that as well.
pub fn configuration(
    place: &Place,
    config: Option<&Path>,
    iam_config: Option<&PathBuf>,
) -> Result<Configuration, String> {
    let names: Vec<String> = match &place.dir {
        Some(_) => Vec::new(),
        None => place.filers()?.iter().map(ToString::to_string).collect(),
    };
    let mut configuration = Configuration::read(config, iam_config.map(PathBuf::as_path), &names)?;
    if place.dir.is_some() || iam_config.is_none() {
        configuration.keep_in_filer();
    }
    Ok(configuration)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(directory: &Path) -> Place {
        Place { filer: None, dir: Some(directory.to_owned()), config_dir: None }
    }

    #[tokio::test]
    async fn only_an_import_makes_a_store() {
        let directory = tempfile::tempdir().unwrap();
        let at = directory.path();
        let error = place(at).open().await.err().unwrap();
        assert!(error.contains("is not the directory of a kelpgate server"), "{error}");
        assert_eq!(std::fs::read_dir(at).unwrap().count(), 0, "nothing is written");
        place(at).open_or_create().await.unwrap();
        std::fs::remove_file(at.join("meta.redb")).unwrap();
        let error = place(at).open_or_create().await.err().unwrap();
        assert!(error.contains("`meta.redb` is missing"), "{error}");
    }
}
