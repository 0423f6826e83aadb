//! `kelpgate iam`: exports and imports IAM state, and encrypts or decrypts secrets at rest.

mod export;
mod import;
mod passphrase;
mod secrets;

use crate::arguments::{IamCommand, IamPlace};
use crate::place;
use server::configuration::Configuration;

/// How often the write of a document is retried if someone else writes it at the same time.
const ATTEMPTS: usize = 20;

/// Runs a command; false if part of it could not be done, in which case the command has already said so.
pub async fn run(command: IamCommand) -> Result<bool, String> {
    match command {
        IamCommand::Export(arguments) => export::run(arguments).await,
        IamCommand::Import(arguments) => import::run(arguments).await,
        IamCommand::EncryptSecrets(place) => secrets::run(place, secrets::Direction::Encrypt).await,
        IamCommand::DecryptSecrets(place) => secrets::run(place, secrets::Direction::Decrypt).await,
    }
}

/// Where things are stored. What the gateways' files define themselves is left out: it is not stored, and none of it is
/// written.
fn configuration(place: &IamPlace) -> Result<Configuration, String> {
    if place.endpoint.is_some() {
        return Err("-endpoint is not supported here: IAM state is read and written on the filer (-filer=host:port), or in the directory of \
                    a server that is not running (-dir=DIR)"
            .to_owned());
    }
    let mut configuration = place::configuration(&place.place, None, place.iam_config.as_ref())?;
    configuration.identities = iam::Identities::default();
    configuration.iam.roles.clear();
    configuration.iam.policies.clear();
    Ok(configuration)
}
