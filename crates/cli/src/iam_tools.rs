//! `kelpgate iam`: IAM state out of a cluster and into another one, and secrets at rest.

mod export;
mod import;
mod passphrase;
mod secrets;

use crate::arguments::{IamCommand, IamPlace};
use crate::configuration::Configuration;
use crate::place;

/// How often a document that somebody else writes at the same moment is tried again.
const ATTEMPTS: usize = 20;

/// Runs a command; false if something of what was asked for could not be done, which it has said then.
pub async fn run(command: IamCommand) -> Result<bool, String> {
    match command {
        IamCommand::Export(arguments) => export::run(arguments).await,
        IamCommand::Import(arguments) => import::run(arguments).await,
        IamCommand::EncryptSecrets(place) => secrets::run(place, secrets::Direction::Encrypt).await,
        IamCommand::DecryptSecrets(place) => secrets::run(place, secrets::Direction::Decrypt).await,
    }
}

/// Where things lie, without what the gateways' files define themselves: that is not stored, and nothing of it is written.
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
