//! Man pages, and completions for shells.

use std::fs;
use std::path::Path;

use clap::CommandFactory;
use clap_complete::Shell;

use crate::arguments::Arguments;

/// Writes `man1/` and `completions/` below a directory.
pub fn write(directory: &Path) -> Result<(), String> {
    let problem = |error: std::io::Error| format!("`{}` cannot be written: {error}", directory.display());
    let (pages, completions) = (directory.join("man1"), directory.join("completions"));
    for made in [&pages, &completions] {
        fs::create_dir_all(made).map_err(problem)?;
    }
    clap_mangen::generate_to(Arguments::command(), &pages).map_err(problem)?;
    for page in fs::read_dir(&pages).map_err(problem)? {
        let page = page.map_err(problem)?.path();
        // With one dash, as in the documentation. Roff writes a dash as `\\-`.
        let text = fs::read_to_string(&page).map_err(problem)?.replace("\\-\\-", "\\-");
        fs::write(&page, text).map_err(problem)?;
    }
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        clap_complete::generate_to(shell, &mut Arguments::command(), "kelpgate", &completions).map_err(problem)?;
    }
    Ok(())
}
