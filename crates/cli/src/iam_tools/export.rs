//! `kelpgate iam export`.

use std::path::Path;

use transfer::tree::Tree;
use transfer::{Bundle, Secrets};

use super::passphrase;
use crate::api::Gateway;
use crate::arguments::{IamExport, SecretsMode};
use crate::output;
use crate::place;
use server::private_file;

/// The number of iterations that turn a passphrase into a key. Source: OWASP, "Password Storage Cheat Sheet",
/// PBKDF2-HMAC-SHA256.
const ITERATIONS: u32 = 600_000;

/// Writes everything that is stored; false if some of it cannot be read and is left out.
pub async fn run(arguments: IamExport) -> Result<bool, String> {
    if let Some(directory) = &arguments.tree {
        return tree(&arguments, directory).await;
    }
    // Check the arguments first.
    let passphrase = match (arguments.secrets, &arguments.passphrase_file) {
        (SecretsMode::Encrypted, file) => Some(passphrase::read(file.as_deref())?),
        (SecretsMode::None | SecretsMode::Plain, None) => None,
        (SecretsMode::None | SecretsMode::Plain, Some(_)) => {
            return Err(
                "-passphraseFile is only for -secrets=encrypted: add -secrets=encrypted, or leave -passphraseFile out"
                    .to_owned(),
            );
        }
    };
    let configuration = super::configuration(&arguments.place)?;
    let (_, snapshot) = place::read(arguments.place.place.open().await?, &configuration).await?;
    let mut bundle = Bundle::of(&snapshot);
    if !arguments.bucket_policies {
        bundle.bucket_policies.clear();
    }
    match (arguments.secrets, passphrase) {
        (SecretsMode::Plain, _) => eprintln!(
            "kelpgate: WARNING: this export has the secret keys of all users in plain text; anyone who can read it can sign as any of them"
        ),
        (_, None) => bundle.leave_secrets_out(),
        (_, Some(passphrase)) => {
            let salt = rand::random::<[u8; 16]>();
            let key = passphrase::key(&passphrase, &salt, ITERATIONS)?;
            let sealed = bundle.changes.into_iter().map(|change| key.seal(change)).collect::<Result<_, _>>();
            bundle.changes = sealed.map_err(|error| error.to_string())?;
            bundle.secrets = Secrets::Sealed { salt: salt.to_vec(), iterations: ITERATIONS };
        }
    }
    let text = bundle.to_json();
    match &arguments.out {
        Some(file) => private_file::write(file, &text)?,
        None => _ = output::print(text.as_bytes()),
    }
    for refused in &bundle.refused {
        eprintln!("kelpgate: left out: {} {}", refused.what, refused.why);
    }
    Ok(bundle.refused.is_empty())
}

/// Writes a tree of files: from a running gateway, or from where the state is stored.
async fn tree(arguments: &IamExport, directory: &Path) -> Result<bool, String> {
    if let Some(endpoint) = &arguments.place.endpoint {
        let gateway = Gateway { endpoint: endpoint.clone(), region: arguments.region.clone() };
        return super::apply::export(&gateway, directory).await.map(|()| true);
    }
    let configuration = super::configuration(&arguments.place)?;
    let (_, snapshot) = place::read(arguments.place.place.open().await?, &configuration).await?;
    let (tree, notes) = Tree::of(&snapshot);
    super::tree_files::write(directory, &tree)?;
    for note in &notes {
        eprintln!("kelpgate: note: {note}");
    }
    Ok(snapshot.problems().next().is_none())
}
