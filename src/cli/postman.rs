//! `bucketlist postman`: generates and checks the Postman collection.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Subcommand;

use super::{CliError, openapi::OUTDATED};
use crate::postman;

#[derive(Clone, Debug, Subcommand)]
pub(super) enum Action {
    /// Check that the committed collection and environments are current.
    ///
    /// Exit codes: 0 = current, 4 = outdated, 1 = the collection does not match the documents.
    Check {
        /// Directory of the files.
        #[arg(long = "dir", default_value = "postman", value_name = "DIR")]
        directory: PathBuf,
    },
    /// Generate the collection, the environments and the .http files.
    Write {
        /// Directory of the files.
        #[arg(long = "dir", default_value = "postman", value_name = "DIR")]
        directory: PathBuf,
    },
}

pub(super) fn run(action: &Action, out: &mut dyn Write) -> Result<ExitCode, CliError> {
    let files =
        postman::files().map_err(|error| CliError::Message(format!("cannot generate the collection: {error}")))?;
    match action {
        Action::Check { directory } => {
            let outdated: Vec<&str> = files
                .iter()
                .filter(|file| !is_current(&directory.join(file.name), &file.text))
                .map(|file| file.name)
                .collect();
            if !outdated.is_empty() {
                writeln!(
                    out,
                    "{} in {} is outdated; run `make postman` and commit the result",
                    outdated.join(" and "),
                    directory.display()
                )?;
                return Ok(ExitCode::from(OUTDATED));
            }
            writeln!(out, "collection is current")?;
        }
        Action::Write { directory } => {
            for file in &files {
                let path = directory.join(file.name);
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

fn is_current(path: &Path, text: &str) -> bool {
    fs::read_to_string(path).is_ok_and(|committed| committed == text)
}
