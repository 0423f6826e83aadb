//! The passphrase of an export: from a file, or from the environment. Never from the command line, which everyone on
//! the machine can see.

use std::num::NonZeroU32;
use std::path::Path;

use store::SecretKeys;
use zeroize::Zeroizing;

use server::private_file;

/// The variable that holds the passphrase if no file does.
const VARIABLE: &str = "KELPGATE_EXPORT_PASSPHRASE";
/// The fewest characters of a passphrase. A shorter one could be guessed.
const SHORTEST: usize = 12;

/// The passphrase.
pub fn read(file: Option<&Path>) -> Result<Zeroizing<String>, String> {
    let text = match file {
        Some(file) => {
            let text = private_file::read(file)?;
            Zeroizing::new(text.ok_or_else(|| format!("-passphraseFile: there is no file `{}`", file.display()))?)
        }
        None => Zeroizing::new(std::env::var(VARIABLE).unwrap_or_default()),
    };
    let passphrase = Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned());
    if passphrase.is_empty() {
        return Err(format!("encrypted secrets need a passphrase: -passphraseFile=FILE (mode 0600), or {VARIABLE}"));
    }
    if passphrase.chars().count() < SHORTEST {
        return Err(format!(
            "the passphrase has fewer than {SHORTEST} characters; take a longer one: openssl rand -base64 24"
        ));
    }
    Ok(passphrase)
}

/// The key that is derived from the passphrase.
pub fn key(passphrase: &str, salt: &[u8], iterations: u32) -> Result<SecretKeys, String> {
    let iterations = NonZeroU32::new(iterations);
    let key = iterations.and_then(|iterations| SecretKeys::of_passphrase(passphrase, salt, iterations));
    key.ok_or_else(|| "no key can be made of the passphrase".to_owned())
}
