//! `kelpgate filer.ls` and `kelpgate filer.cat`: what is on the filer.

use filer::ListOptions;
use futures_util::StreamExt;

use crate::arguments::FilerPath;
use crate::output;

/// The number of entries requested at once.
const PAGE: usize = 1024;

/// Lists the names in a directory. Names of directories end with a slash.
pub async fn ls(arguments: FilerPath) -> Result<(), String> {
    let path = absolute(arguments.path.as_deref().unwrap_or("/"))?;
    let filer = arguments.place.open().await?;
    let problem = |error: filer::FilerError| format!("`{path}` cannot be listed: {error}");
    if path != "/" {
        let entry = filer.lookup(&path).await.map_err(problem)?;
        let entry = entry.ok_or_else(|| format!("there is no `{path}` on the filer"))?;
        if !entry.is_directory {
            say!("{}", entry.name);
            return Ok(());
        }
    }
    let mut options = ListOptions { limit: PAGE, ..ListOptions::default() };
    loop {
        let entries = filer.list(&path, options.clone()).await.map_err(problem)?;
        let lines =
            entries.iter().map(|entry| format!("{}{}\n", entry.name, if entry.is_directory { "/" } else { "" }));
        let is_read = output::print(lines.collect::<String>().as_bytes());
        match entries.last() {
            Some(last) if is_read && entries.len() == PAGE => options.start_from = last.name.clone(),
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
    let filer = arguments.place.open().await?;
    let problem = |error: filer::FilerError| format!("`{path}` cannot be read: {error}");
    let entry = filer.lookup(&path).await.map_err(problem)?;
    let entry = entry.ok_or_else(|| format!("there is no `{path}` on the filer"))?;
    if entry.is_directory {
        return Err(format!("`{path}` is a directory; use filer.ls"));
    }
    let mut bytes = filer.read(&entry, 0, entry.content_bytes()).await.map_err(problem)?;
    while let Some(piece) = bytes.next().await {
        if !output::print(&piece.map_err(problem)?) {
            break;
        }
    }
    Ok(())
}

fn absolute(path: &str) -> Result<String, String> {
    let trimmed = path.trim_end_matches('/');
    if !path.starts_with('/') {
        return Err(format!("`{path}` is not an absolute path; it must begin with `/`"));
    }
    Ok(if trimmed.is_empty() { "/".to_owned() } else { trimmed.to_owned() })
}
