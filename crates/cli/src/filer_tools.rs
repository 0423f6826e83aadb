//! `kelpgate filer.ls` and `kelpgate filer.cat`: what is on the filer.

use std::io::Write;

use filer::embedded::EmbeddedFiler;
use filer::seaweedfs::{FilerAddress, Options, SeaweedFiler};
use filer::{Filer, ListOptions};
use futures_util::StreamExt;

use crate::arguments::FilerPath;
use crate::s3::security;

/// Entries asked for at once.
const PAGE: usize = 1024;

/// Lists a directory: names, directories with a slash at the end.
pub async fn ls(arguments: FilerPath) -> Result<(), String> {
    let path = absolute(arguments.path.as_deref().unwrap_or("/"))?;
    let filer = open(&arguments)?;
    let problem = |error: filer::FilerError| format!("`{path}` cannot be listed: {error}");
    if path != "/" {
        let entry = filer.lookup(&path).await.map_err(problem)?;
        let entry = entry.ok_or_else(|| format!("there is no `{path}` on the filer"))?;
        if !entry.is_directory {
            return print(format!("{}\n", entry.name).as_bytes());
        }
    }
    let mut options = ListOptions { limit: PAGE, ..ListOptions::default() };
    loop {
        let entries = filer.list(&path, options.clone()).await.map_err(problem)?;
        let lines =
            entries.iter().map(|entry| format!("{}{}\n", entry.name, if entry.is_directory { "/" } else { "" }));
        print(lines.collect::<String>().as_bytes())?;
        match entries.last() {
            Some(last) if entries.len() == PAGE => options.start_from = last.name.clone(),
            _ => return Ok(()),
        }
    }
}

/// Prints a file.
pub async fn cat(arguments: FilerPath) -> Result<(), String> {
    let path = arguments
        .path
        .as_deref()
        .ok_or("filer.cat needs the PATH of a file: kelpgate filer.cat -filer=host:port PATH")?;
    let path = absolute(path)?;
    let filer = open(&arguments)?;
    let problem = |error: filer::FilerError| format!("`{path}` cannot be read: {error}");
    let entry = filer.lookup(&path).await.map_err(problem)?;
    let entry = entry.ok_or_else(|| format!("there is no `{path}` on the filer"))?;
    if entry.is_directory {
        return Err(format!("`{path}` is a directory; use filer.ls"));
    }
    let mut bytes = filer.read(&entry, 0, entry.content_bytes()).await.map_err(problem)?;
    while let Some(piece) = bytes.next().await {
        print(&piece.map_err(problem)?)?;
    }
    Ok(())
}

fn open(arguments: &FilerPath) -> Result<Box<dyn Filer>, String> {
    if let Some(directory) = &arguments.dir {
        if !directory.is_dir() {
            return Err(format!("there is no directory `{}`", directory.display()));
        }
        return Ok(Box::new(EmbeddedFiler::open(directory).map_err(|error| error.to_string())?));
    }
    let filers = FilerAddress::parse_list(&arguments.filer).map_err(|error| format!("-filer: {error}"))?;
    let security = security(arguments.config_dir.as_deref())?;
    Ok(Box::new(SeaweedFiler::connect(Options::new(filers, security))))
}

fn absolute(path: &str) -> Result<String, String> {
    let trimmed = path.trim_end_matches('/');
    if !path.starts_with('/') {
        return Err(format!("`{path}` is no absolute path; it begins with `/`"));
    }
    Ok(if trimmed.is_empty() { "/".to_owned() } else { trimmed.to_owned() })
}

fn print(bytes: &[u8]) -> Result<(), String> {
    std::io::stdout().write_all(bytes).map_err(|error| format!("the output cannot be written: {error}"))
}
