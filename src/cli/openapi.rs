//! `bucketlist openapi`: the document is built from the traits; the committed one must be the same.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Subcommand, ValueEnum};
use contract::v1;

use super::CliError;

#[derive(Clone, Debug, Subcommand)]
pub(super) enum Action {
    /// Print the document.
    Print {
        /// JSON or YAML.
        #[arg(long, value_enum, default_value_t = Format::Json)]
        format: Format,
    },
    /// Compare the committed documents with the code: exits 0 when they are the same, 4 when they are stale, 1 when the
    /// contract breaks a rule.
    Check {
        /// Where the documents are.
        #[arg(long, default_value = "openapi")]
        folder: PathBuf,
    },
    /// Write the documents.
    Write {
        /// Where the documents are.
        #[arg(long, default_value = "openapi")]
        folder: PathBuf,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// As `/openapi/v1.json` serves it.
    Json,
    /// As `/openapi/v1.yaml` serves it.
    Yaml,
}

/// The exit code of a committed document that the code no longer says.
const STALE: u8 = 4;

pub(super) fn run(action: &Action, out: &mut dyn Write) -> Result<ExitCode, CliError> {
    let document = v1::document::build()
        .map_err(|findings| CliError::Message(format!("the contract breaks rules:\n{findings}")))?;
    let files = [("v1.json", document.to_json()), ("v1.yaml", document.to_yaml())];
    match action {
        Action::Print { format: Format::Json } => out.write_all(files[0].1.as_bytes())?,
        Action::Print { format: Format::Yaml } => out.write_all(files[1].1.as_bytes())?,
        Action::Check { folder } => {
            let stale: Vec<&str> = files
                .iter()
                .filter(|(name, text)| !is_fresh(&folder.join(name), text))
                .map(|(name, _)| *name)
                .collect();
            if !stale.is_empty() {
                writeln!(
                    out,
                    "{} in {} differs from the code: run `make openapi` and commit the result.",
                    stale.join(" and "),
                    folder.display()
                )?;
                return Ok(ExitCode::from(STALE));
            }
            writeln!(out, "The committed documents are what the code says.")?;
        }
        Action::Write { folder } => {
            fs::create_dir_all(folder)?;
            for (name, text) in &files {
                let path = folder.join(name);
                fs::write(&path, text)?;
                writeln!(out, "wrote {}", path.display())?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn is_fresh(path: &Path, text: &str) -> bool {
    fs::read_to_string(path).is_ok_and(|committed| committed == text)
}
