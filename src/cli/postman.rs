//! `bucketlist postman`: the collection is made from the documents; the committed one must be the same.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Subcommand;

use super::{CliError, openapi::STALE};
use crate::postman;

#[derive(Clone, Debug, Subcommand)]
pub(super) enum Action {
    /// Compare the committed collection and environments with the code: exits 0 when they are the same, 4 when they are
    /// stale, 1 when the recipe does not fit the documents.
    Check {
        /// Where they are.
        #[arg(long, default_value = "postman")]
        folder: PathBuf,
    },
    /// Write the collection, the environments and the .http files.
    Write {
        /// Where they are.
        #[arg(long, default_value = "postman")]
        folder: PathBuf,
    },
}

pub(super) fn run(action: &Action, out: &mut dyn Write) -> Result<ExitCode, CliError> {
    let files = postman::files()
        .map_err(|error| CliError::Message(format!("the collection does not fit the documents: {error}")))?;
    match action {
        Action::Check { folder } => {
            let stale: Vec<&str> = files
                .iter()
                .filter(|file| !is_fresh(&folder.join(file.name), &file.text))
                .map(|file| file.name)
                .collect();
            if !stale.is_empty() {
                writeln!(
                    out,
                    "{} in {} differs from the code: run `make postman` and commit the result.",
                    stale.join(" and "),
                    folder.display()
                )?;
                return Ok(ExitCode::from(STALE));
            }
            writeln!(out, "The committed collection is what the code says.")?;
        }
        Action::Write { folder } => {
            for file in &files {
                let path = folder.join(file.name);
                if let Some(parent) = path.parent() {
                    fs::create_dir_all(parent)?;
                }
                fs::write(&path, &file.text)?;
                writeln!(out, "wrote {}", path.display())?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn is_fresh(path: &Path, text: &str) -> bool {
    fs::read_to_string(path).is_ok_and(|committed| committed == text)
}
