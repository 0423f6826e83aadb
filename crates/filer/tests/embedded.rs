//! The embedded filer: what every filer does, and what only this one promises.

use filer::{EmbeddedFiler, conformance};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conforms() {
    let directory = tempfile::tempdir().unwrap();
    let filer = EmbeddedFiler::open(directory.path()).unwrap();
    conformance::run(&filer).await;
}
