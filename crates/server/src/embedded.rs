//! `kelpgate server`: everything on one machine, in one directory.

use std::io::IsTerminal;
use std::path::Path;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use filer::Filer;
use filer::embedded::EmbeddedFiler;
use iam::Identities;

use crate::arguments::Server;
use crate::configuration::{Configuration, trusted_proxies_of_security};
use crate::private_file;
use crate::root_key::RootKey;
use crate::s3::security;
use crate::serving::{self, Plan};

/// Runs until a signal.
pub async fn run(server: Server) -> Result<(), String> {
    serving::check(&server.serving)?;
    let directory = server.dir.as_path();
    let filer = EmbeddedFiler::open(directory).map_err(|error| error.to_string())?;
    let serving = &server.serving;
    let mut configuration = Configuration::read(serving.config.as_deref(), serving.iam_config.as_deref(), &[])?;
    configuration.keep_in_filer();
    let root = RootKey::find(directory, server.new_root_key)?;
    let session_keys = configuration.session_keys(Some(("DIR/sts-signing-key", &session_key(directory)?)))?;
    let filer_configuration = filer.configuration().await.map_err(|error| error.to_string())?;
    let listed = trusted_proxies_of_security(security(serving.config_dir.as_deref())?.source.as_deref())?;
    let trusted_proxies = configuration.trusted_proxies(&listed)?;
    let plan = Plan {
        filer: Arc::new(filer),
        filer_configuration,
        configuration,
        trusted_proxies,
        session_keys,
        filer_names: vec![format!("embedded:{}", directory.display())],
        bind: server.ip_bind.clone(),
        region: server.region.clone(),
        auto_create_bucket: false,
        weed_gateways: Arc::default(),
        several: false,
        address: String::new(),
        iam: true,
        iam_read_only: server.iam_read_only,
        complete: add_root,
        root: Some(root.clone()),
        register_metrics: Box::new(|_| ()),
    };
    serving::run(plan, serving, |url| announce(url, &server, &root)).await
}

fn announce(url: &str, server: &Server, root: &RootKey) {
    println!(
        "Kelpgate {} serves S3, IAM and STS on {url}; everything is kept in {}.",
        env!("CARGO_PKG_VERSION"),
        server.dir.display()
    );
    match (&root.file, root.is_new) {
        (Some(file), true) if !std::io::stdout().is_terminal() => {
            // What is no terminal may be a log that many read.
            println!("The root access key, made just now, is in {}.", file.display());
        }
        (_, true) => {
            println!("\n{}", root.introduction(url, if server.region == "any" { "us-east-1" } else { &server.region }))
        }
        (Some(file), false) => println!("The root access key is in {}.", file.display()),
        (None, false) => println!("The root access key is the one in AWS_ACCESS_KEY_ID."),
    }
}

/// The root user of the account: the one identity that `kelpgate server` brings along.
fn add_root(identities: &mut Identities, root: Option<&RootKey>) -> Result<(), String> {
    let Some(root) = root else { return Ok(()) };
    identities.add_root(&root.access_key_id, root.secret.clone()).map_err(|why| format!("root access key: {why}"))
}

/// The key that signs sessions, made at the first start.
fn session_key(directory: &Path) -> Result<Vec<u8>, String> {
    let file = directory.join("sts-signing-key");
    let text = match private_file::read(&file)? {
        Some(text) => text,
        None => {
            let text = BASE64.encode(rand::random::<[u8; 32]>());
            private_file::write(&file, &text)?;
            text
        }
    };
    BASE64
        .decode(text.trim())
        .map_err(|_| format!("`{}` is no base64; restore it, or remove it for a new key", file.display()))
}
