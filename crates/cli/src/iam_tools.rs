//! `kelpgate iam`: exports, imports and applies IAM state, and encrypts or decrypts secrets at rest.

mod apply;
mod export;
mod import;
mod passphrase;
pub mod remote;
mod secrets;
mod tree_files;
mod unused;
mod unused_rights;

use crate::arguments::{IamCommand, IamPlace};
use crate::place;
use server::configuration::Configuration;

/// How often the write of a document is retried if someone else writes it at the same time.
const ATTEMPTS: usize = 20;

/// What a command has to say to the shell.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Exit code 0.
    Done,
    /// Something could not be done, which the command has said: 1.
    Failed,
    /// The state differs from the tree: 2.
    Differs,
}

impl From<bool> for Outcome {
    fn from(done: bool) -> Self {
        if done { Self::Done } else { Self::Failed }
    }
}

/// Runs a command.
pub async fn run(command: IamCommand) -> Result<Outcome, String> {
    match command {
        IamCommand::Apply(arguments) => return apply::apply(arguments).await,
        IamCommand::Diff(arguments) => return apply::diff(arguments).await,
        IamCommand::Export(arguments) => export::run(arguments).await,
        IamCommand::Import(arguments) => import::run(arguments).await,
        IamCommand::Unused(arguments) => unused::run(arguments).await,
        IamCommand::EncryptSecrets(place) => secrets::run(place, secrets::Direction::Encrypt).await,
        IamCommand::DecryptSecrets(place) => secrets::run(place, secrets::Direction::Decrypt).await,
    }
    .map(Outcome::from)
}

/// Where things are stored. What the gateways' files define themselves is left out: it is not stored, and none of it is
/// written.
fn configuration(place: &IamPlace) -> Result<Configuration, String> {
    if place.endpoint.is_some() {
        return Err("-endpoint is not supported here: IAM state is read and written on the filer (-filer=host:port), or in the directory of \
                    a server that is not running (-dir=DIR); `kelpgate iam apply` and `iam export -tree` ask a running gateway"
            .to_owned());
    }
    let mut configuration = place::configuration(&place.place, None, place.iam_config.as_ref())?;
    configuration.identities = iam::Identities::default();
    configuration.iam.roles.clear();
    configuration.iam.policies.clear();
    Ok(configuration)
}
