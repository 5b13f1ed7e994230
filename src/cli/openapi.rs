//! `bucketlist openapi`: the document is built from the traits; the committed one must be the same.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Subcommand, ValueEnum};
use contract::{v1, v2};
use openapi_model::Document;
use openapi_repair::RepairError;

use super::CliError;

mod compare;
mod coverage;

#[derive(Clone, Debug, Subcommand)]
pub(super) enum Action {
    /// Print a document.
    Print {
        /// Which version.
        #[arg(long, value_enum, default_value_t = Version::V1)]
        contract: Version,
        /// JSON or YAML.
        #[arg(long, value_enum, default_value_t = Format::Json)]
        format: Format,
        /// Which version of OpenAPI it is written in.
        #[arg(long, value_enum, default_value_t = Edition::V3_0)]
        openapi: Edition,
        /// Name every JSON media type application/json and leave the others out: for generators that know no other.
        #[arg(long)]
        json_only: bool,
    },
    /// Compare the committed documents with the code and with what was released: exits 0 when they are the code's and
    /// break no client, 4 when they are stale or break one, 1 when the contract breaks a rule.
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
    /// Say what has changed between two documents, by the policy in docs/compatibility.md: exits 0 when nothing breaks a
    /// client of the old one, 4 when something does, 1 when a file cannot be used.
    Diff {
        /// The document that clients know.
        old: PathBuf,
        /// The document that they would meet.
        new: PathBuf,
        /// For people, for machines, or for the changelog.
        #[arg(long, value_enum, default_value_t = compare::Report::Text)]
        format: compare::Report,
    },
    /// Hold a document to the house rules: exits 0 when it keeps them, 4 when it does not, 1 when it cannot be used.
    Lint {
        /// An OpenAPI 3.0 document, as JSON.
        file: PathBuf,
    },
    /// Say which documented answers the tests have seen: exits 0 when they have seen all, 4 when one was never seen, 1
    /// when the record cannot be used.
    Coverage {
        /// What `make coverage-contract` has recorded: a line for each answer.
        file: PathBuf,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// As `/openapi/v1.json` and `/openapi/v2.json` serve it.
    Json,
    /// As `/openapi/v1.yaml` and `/openapi/v2.yaml` serve it.
    Yaml,
}

/// A version of OpenAPI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Edition {
    /// The one that every tool takes, and that is enforced.
    #[value(name = "3.0")]
    V3_0,
    /// The same for tools that like JSON Schema 2020-12 better.
    #[value(name = "3.1")]
    V3_1,
}

/// A version of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Version {
    /// The classic contract.
    V1,
    /// The modern one.
    V2,
}

impl Version {
    const ALL: [Self; 2] = [Self::V1, Self::V2];

    const fn name(self) -> &'static str {
        match self {
            Self::V1 => "v1",
            Self::V2 => "v2",
        }
    }

    fn document(self) -> Result<Document, CliError> {
        let built: Result<Document, RepairError> = match self {
            Self::V1 => v1::document::build(),
            Self::V2 => v2::document::build(),
        };
        built.map_err(|findings| CliError::Message(format!("the contract {} breaks rules:\n{findings}", self.name())))
    }
}

/// The exit code of a committed document that the code no longer says, or that breaks clients.
pub(super) const STALE: u8 = 4;

pub(super) fn run(action: &Action, out: &mut dyn Write) -> Result<ExitCode, CliError> {
    match action {
        Action::Print { contract, format, openapi, json_only } => {
            let document = contract.document()?;
            let document = if *json_only { document.json_only() } else { document };
            let text = match (openapi, format) {
                (Edition::V3_0, Format::Json) => document.to_json(),
                (Edition::V3_0, Format::Yaml) => document.to_yaml(),
                (Edition::V3_1, Format::Json) => document.to_openapi_3_1().to_json(),
                (Edition::V3_1, Format::Yaml) => document.to_openapi_3_1().to_yaml(),
            };
            out.write_all(text.as_bytes())?;
        }
        Action::Check { folder } => {
            let files = files()?;
            let stale: Vec<&str> = files
                .iter()
                .filter(|(name, text)| !is_fresh(&folder.join(name), text))
                .map(|(name, _)| name.as_str())
                .collect();
            if !stale.is_empty() {
                writeln!(
                    out,
                    "{} in {} differs from the code: run `make openapi` and commit the result.",
                    enumerated(&stale),
                    folder.display()
                )?;
                return Ok(ExitCode::from(STALE));
            }
            if !compare::keeps_releases(folder, out)? {
                return Ok(ExitCode::from(STALE));
            }
            writeln!(out, "The committed documents are what the code says.")?;
        }
        Action::Write { folder } => {
            fs::create_dir_all(folder)?;
            for (name, text) in files()? {
                let path = folder.join(name);
                fs::write(&path, text)?;
                writeln!(out, "wrote {}", path.display())?;
            }
        }
        Action::Diff { old, new, format } => return compare::diff(old, new, *format, out),
        Action::Lint { file } => return compare::lint(file, out),
        Action::Coverage { file } => return coverage::run(file, out),
    }
    Ok(ExitCode::SUCCESS)
}

/// Name and text of every file there has to be.
fn files() -> Result<Vec<(String, String)>, CliError> {
    let mut files = Vec::new();
    for version in Version::ALL {
        let document = version.document()?;
        files.push((format!("{}.json", version.name()), document.to_json()));
        files.push((format!("{}.yaml", version.name()), document.to_yaml()));
        let modern = document.to_openapi_3_1();
        files.push((format!("{}-3.1.json", version.name()), modern.to_json()));
        files.push((format!("{}-3.1.yaml", version.name()), modern.to_yaml()));
    }
    Ok(files)
}

/// `a`, `a and b`, `a, b and c`.
fn enumerated(names: &[&str]) -> String {
    match names {
        [first @ .., last] if !first.is_empty() => format!("{} and {last}", first.join(", ")),
        names => names.concat(),
    }
}

fn is_fresh(path: &Path, text: &str) -> bool {
    fs::read_to_string(path).is_ok_and(|committed| committed == text)
}
