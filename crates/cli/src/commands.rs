//! `kelpgate server` and `kelpgate s3`: flags in, a running gateway out.

use std::io::IsTerminal;

use filer::seaweedfs::FilerAddress;
use server::embedded::SingleMachine;
use server::root_key::RootKey;
use server::seaweedfs::Cluster;

use crate::arguments::{S3, Server};

/// `kelpgate server`: everything on one machine, in one directory.
pub async fn server(flags: Server) -> Result<(), String> {
    let settings = flags.settings()?;
    let machine = SingleMachine {
        directory: &flags.dir,
        new_root_key: flags.new_root_key,
        scrub_bytes_per_s: flags.scrub_mb_per_second.saturating_mul(1 << 20),
    };
    Box::pin(server::embedded::run(settings, machine, |url, root| announce(url, &flags, root))).await
}

/// `kelpgate s3`: in front of a SeaweedFS filer, in place of `weed s3`.
pub async fn s3(flags: S3) -> Result<(), String> {
    let settings = flags.settings()?;
    for flag in flags.ignored.given() {
        tracing::warn!("-{flag} has no effect here");
    }
    let filers = FilerAddress::parse_list(&flags.filer).map_err(|error| format!("-filer: {error}"))?;
    if filers.is_empty() {
        return Err("-filer names no filer; write `host:port`".to_owned());
    }
    let encrypt_volume_data = flags.encrypt_volume_data;
    server::seaweedfs::run(settings, Cluster { filers, data_center: flags.data_center, encrypt_volume_data }).await
}

fn announce(url: &str, server: &Server, root: &RootKey) {
    say!(
        "Kelpgate {} serves S3, IAM and STS on {url}; everything is kept in {}.",
        env!("CARGO_PKG_VERSION"),
        server.dir.display()
    );
    match (&root.file, root.is_new) {
        (Some(file), true) if !std::io::stdout().is_terminal() => {
            // If this is not a terminal, it may be a log that many people read.
            say!("The root access key, made just now, is in {}.", file.display());
        }
        (_, true) => {
            say!("\n{}", root.introduction(url, if server.region == "any" { "us-east-1" } else { &server.region }))
        }
        (Some(file), false) => say!("The root access key is in {}.", file.display()),
        (None, false) => say!("The root access key is the one in AWS_ACCESS_KEY_ID."),
    }
}
