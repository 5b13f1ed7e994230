//! `bucketlist openapi`: generates, checks, compares and lints OpenAPI documents.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Subcommand, ValueEnum};
use contract::{DocumentError, v1, v2};
use openapi_model::Document;

use super::CliError;
use crate::{config::Config, domain::Clock, samples};
use usage::LastDays;

mod compare;
mod coverage;
mod lint;
mod usage;

#[derive(Clone, Debug, Subcommand)]
pub(super) enum Action {
    /// Print a document.
    Print {
        /// Version of the API.
        #[arg(long, value_enum, default_value_t = Version::V1)]
        contract: Version,
        /// Output format.
        #[arg(long, value_enum, default_value_t = DocumentFormat::Json)]
        format: DocumentFormat,
        /// Version of OpenAPI.
        #[arg(long, value_enum, default_value_t = Edition::V3_0)]
        openapi: Edition,
        /// Replace every JSON media type with application/json and omit other media types.
        #[arg(long)]
        json_only: bool,
    },
    /// Check that the committed documents are current and compatible with the last release.
    ///
    /// Exit codes: 0 = current and compatible, 4 = outdated or breaking, 1 = the contract violates a lint rule.
    Check {
        /// Directory of the documents.
        #[arg(long = "dir", default_value = "openapi", value_name = "DIR")]
        directory: PathBuf,
    },
    /// Generate the documents.
    Write {
        /// Directory of the documents.
        #[arg(long = "dir", default_value = "openapi", value_name = "DIR")]
        directory: PathBuf,
    },
    /// List the changes between two documents, classified by docs/compatibility.md.
    ///
    /// Exit codes: 0 = compatible, 4 = breaking changes, 1 = a file or the database cannot be read. With --usage, 4 only if a
    /// consumer has called an operation with a breaking change.
    Diff {
        /// Old document.
        old: PathBuf,
        /// New document.
        new: PathBuf,
        /// Output format.
        #[arg(long, value_enum, default_value_t = compare::Report::Text)]
        format: compare::Report,
        /// Name the consumers that breaking changes affect, from their calls in this period (such as 30d) in the database.
        #[arg(long, value_name = "DAYS", value_parser = parse_days)]
        usage: Option<u32>,
    },
    /// Compare the documents with the last release and with the merge base in git.
    ///
    /// The merge base also covers a version of the API that has no release yet. Exit codes: 0 = compatible,
    /// 4 = breaking changes, 1 = a file or the merge base cannot be read.
    Breaking {
        /// Directory of the documents.
        #[arg(long = "dir", default_value = "openapi", value_name = "DIR")]
        directory: PathBuf,
        /// Branch or commit whose merge base with HEAD is compared.
        #[arg(long, default_value = "main")]
        base: String,
    },
    /// Lint a document.
    ///
    /// Exit codes: 0 = no errors, 4 = errors, 1 = a file cannot be read or the configuration is invalid.
    Lint(lint::LintArguments),
    /// List the lint rules with their severities.
    Rules,
    /// List documented responses that no test received.
    ///
    /// Exit codes: 0 = all were received, 4 = some were not, 1 = the record cannot be read.
    Coverage {
        /// Record written by `make coverage-contract`, one line for each response.
        file: PathBuf,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum DocumentFormat {
    /// JSON, as in `openapi/v1.json` and `openapi/v2.json`.
    Json,
    /// YAML, as in `openapi/v1.yaml` and `openapi/v2.yaml`.
    Yaml,
}

/// A version of OpenAPI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Edition {
    /// Supported by all tools; requests are validated against it.
    #[value(name = "3.0")]
    V3_0,
    /// Derived, for tools that need JSON Schema 2020-12.
    #[value(name = "3.1")]
    V3_1,
}

/// A version of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Version {
    /// Version 1.
    V1,
    /// Version 2.
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
        let built: Result<Document, DocumentError> = match self {
            Self::V1 => v1::document::build(),
            Self::V2 => v2::document::build(),
        };
        built.map_err(|error| CliError::Message(format!("the document of {} is invalid:\n{error}", self.name())))
    }
}

/// Exit code for an outdated or breaking document.
pub(super) const OUTDATED: u8 = 4;

pub(super) fn run(
    action: &Action,
    load: &dyn Fn() -> Result<Config, CliError>,
    clock: &dyn Clock,
    out: &mut dyn Write,
) -> Result<ExitCode, CliError> {
    match action {
        Action::Print { contract, format, openapi, json_only } => {
            let document = contract.document()?;
            let document = if *json_only { document.json_only() } else { document };
            let text = match (openapi, format) {
                (Edition::V3_0, DocumentFormat::Json) => document.to_json(),
                (Edition::V3_0, DocumentFormat::Yaml) => document.to_yaml(),
                (Edition::V3_1, DocumentFormat::Json) => document.to_openapi_3_1().to_json(),
                (Edition::V3_1, DocumentFormat::Yaml) => document.to_openapi_3_1().to_yaml(),
            };
            out.write_all(text.as_bytes())?;
        }
        Action::Check { directory } => {
            let files = files()?;
            let outdated: Vec<&str> = files
                .iter()
                .filter(|(name, text)| !is_current(&directory.join(name), text))
                .map(|(name, _)| name.as_str())
                .collect();
            if !outdated.is_empty() {
                writeln!(
                    out,
                    "{} in {} is outdated; run `make openapi` and commit the result",
                    join_names(&outdated),
                    directory.display()
                )?;
                return Ok(ExitCode::from(OUTDATED));
            }
            if !compare::is_compatible_with_releases(directory, out)? {
                return Ok(ExitCode::from(OUTDATED));
            }
            writeln!(out, "documents are current")?;
        }
        Action::Write { directory } => {
            fs::create_dir_all(directory)?;
            for (name, text) in files()? {
                let path = directory.join(name);
                fs::write(&path, text)?;
                writeln!(out, "wrote {}", path.display())?;
            }
        }
        Action::Diff { old, new, format, usage: None } => return compare::diff(old, new, *format, out),
        Action::Diff { old, new, format, usage: Some(days) } => {
            let period = LastDays { now: clock.now(), days: *days };
            return compare::diff_with_usage(old, new, *format, &load()?, period, out);
        }
        Action::Breaking { directory, base } => return compare::breaking(directory, base, out),
        Action::Lint(arguments) => return lint::run(arguments, out),
        Action::Rules => lint::rules(out)?,
        Action::Coverage { file } => return coverage::run(file, out),
    }
    Ok(ExitCode::SUCCESS)
}

/// Parses a number of days, such as `30d`.
fn parse_days(text: &str) -> Result<u32, String> {
    let days = text.strip_suffix('d').and_then(|days| days.parse().ok());
    days.filter(|days| (1..=3_650).contains(days)).ok_or_else(|| "use a number of days from 1d to 3650d".to_owned())
}

/// Returns the name and text of every generated document.
fn files() -> Result<Vec<(String, String)>, CliError> {
    let mut files = Vec::new();
    for version in Version::ALL {
        let document = version.document()?;
        files.push((format!("{}.json", version.name()), document.to_json()));
        files.push((format!("{}.yaml", version.name()), document.to_yaml()));
        let derived = document.to_openapi_3_1();
        files.push((format!("{}-3.1.json", version.name()), derived.to_json()));
        files.push((format!("{}-3.1.yaml", version.name()), derived.to_yaml()));
        files.push((format!("{}-samples.overlay.yaml", version.name()), samples::overlay(&document, version.name())));
    }
    Ok(files)
}

/// Joins names: `a`, `a and b`, `a, b and c`.
fn join_names(names: &[&str]) -> String {
    match names {
        [first @ .., last] if !first.is_empty() => format!("{} and {last}", first.join(", ")),
        names => names.concat(),
    }
}

fn is_current(path: &Path, text: &str) -> bool {
    fs::read_to_string(path).is_ok_and(|committed| committed == text)
}
