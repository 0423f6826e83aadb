//! The root access key of `kelpgate server`: from the environment, from its file, or generated at the first start.

use std::path::{Path, PathBuf};

use filer::embedded::ROOT_CREDENTIALS_FILE;
use ids::SecretAccessKey;
use rand::Rng;

use crate::private_file;

/// The key of the root user.
#[derive(Clone)]
pub struct RootKey {
    /// Its id.
    pub access_key_id: String,
    /// Its secret.
    pub secret: SecretAccessKey,
    /// The file that holds it; `None` if it came from the environment.
    pub file: Option<PathBuf>,
    /// Whether it has just been generated, so it has to be shown.
    pub is_new: bool,
}

impl RootKey {
    /// Finds or generates the key. `replace` always generates a new one.
    pub fn find(directory: &Path, replace: bool) -> Result<Self, String> {
        if let Some(key) = from_environment()? {
            return Ok(key);
        }
        let file = directory.join(ROOT_CREDENTIALS_FILE);
        if !replace && let Some(text) = private_file::read(&file)? {
            return parse(&text, file);
        }
        let key = Self {
            access_key_id: format!("AKIA{}", random_text(16, b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")),
            secret: SecretAccessKey::new(random_text(
                40,
                b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
            )),
            file: Some(file.clone()),
            is_new: true,
        };
        let text = format!(
            "# The root access key of Kelpgate, as a credentials file: AWS_SHARED_CREDENTIALS_FILE may point here.\n\
             # `kelpgate server -newRootKey` replaces it.\n\
             [default]\naws_access_key_id = {}\naws_secret_access_key = {}\n",
            key.access_key_id,
            key.secret.expose()
        );
        private_file::write(&file, &text)?;
        Ok(key)
    }

    /// What a new user needs: the key, shown once, with lines to copy.
    pub fn introduction(&self, endpoint: &str, region: &str) -> String {
        let (id, secret) = (&self.access_key_id, self.secret.expose());
        let file = self.file.as_ref().map(|file| file.display().to_string()).unwrap_or_default();
        format!(
            "Root access key, made just now. It is kept in {file} and not shown again.\n\
             \n\
             \x20 Access key ID      {id}\n\
             \x20 Secret access key  {secret}\n\
             \n\
             aws cli:\n\
             \x20 export AWS_ACCESS_KEY_ID={id} AWS_SECRET_ACCESS_KEY={secret}\n\
             \x20 export AWS_DEFAULT_REGION={region} AWS_ENDPOINT_URL={endpoint}\n\
             \x20 aws s3 mb s3://photos\n\
             \n\
             boto3:\n\
             \x20 import boto3\n\
             \x20 s3 = boto3.client(\"s3\", endpoint_url=\"{endpoint}\", region_name=\"{region}\",\n\
             \x20     aws_access_key_id=\"{id}\", aws_secret_access_key=\"{secret}\")\n\
             \x20 s3.create_bucket(Bucket=\"photos\")\n"
        )
    }
}

fn from_environment() -> Result<Option<RootKey>, String> {
    let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    match (variable("AWS_ACCESS_KEY_ID"), variable("AWS_SECRET_ACCESS_KEY")) {
        (None, None) => Ok(None),
        (Some(id), Some(secret)) => {
            let access_key_id =
                id.parse::<ids::AccessKeyId>().map_err(|error| format!("AWS_ACCESS_KEY_ID: {error}"))?;
            let (access_key_id, secret) = (access_key_id.to_string(), SecretAccessKey::new(secret));
            Ok(Some(RootKey { access_key_id, secret, file: None, is_new: false }))
        }
        _ => {
            Err("set both AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY for a root key of your own, or neither"
                .to_owned())
        }
    }
}

fn parse(text: &str, file: PathBuf) -> Result<RootKey, String> {
    let value = |name: &str| {
        text.lines().find_map(|line| {
            let (key, value) = line.split_once('=')?;
            (key.trim() == name).then(|| value.trim().to_owned()).filter(|value| !value.is_empty())
        })
    };
    match (value("aws_access_key_id"), value("aws_secret_access_key")) {
        (Some(access_key_id), Some(secret)) => {
            Ok(RootKey { access_key_id, secret: SecretAccessKey::new(secret), file: Some(file), is_new: false })
        }
        _ => Err(format!("`{}` does not hold a key; `-newRootKey` makes a new one", file.display())),
    }
}

/// Random text from an alphabet of at most 256 letters.
fn random_text(length: usize, alphabet: &[u8]) -> String {
    let mut random = rand::rng();
    let mut letter = || alphabet.get(random.random_range(0..alphabet.len())).copied().map_or('A', char::from);
    (0..length).map(|_| letter()).collect()
}
