//! Compares documents in files.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use clap::ValueEnum;
use openapi_model::{Difference, Document, Kind};

use super::usage::{self, DocumentUsage, LastDays};
use crate::{
    cli::{CliError, error::io_reason, printable::Printable},
    config::Config,
};

/// Exit code for breaking changes and for lint findings.
pub(super) const FAILED: u8 = 4;

/// Maximum number of locations printed for one change.
const MAX_LOCATIONS: usize = 3;

/// Output format of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Report {
    /// Text.
    Text,
    /// JSON, with every difference in every location.
    Json,
    /// Markdown for the changelog, one line for each change.
    Markdown,
}

/// `bucketlist openapi diff`.
pub(super) fn diff(old: &Path, new: &Path, format: Report, out: &mut dyn Write) -> Result<ExitCode, CliError> {
    let differences = openapi_model::diff(&read(old)?, &read(new)?);
    match format {
        Report::Json => {
            let json = serde_json::to_string_pretty(&differences).map_err(io::Error::from)?;
            writeln!(out, "{json}")?;
        }
        Report::Text => {
            explain(&differences, out)?;
            writeln!(out, "{}", sum(&differences))?;
        }
        Report::Markdown => sections(&differences, out)?,
    }
    Ok(exit_code(!differences.iter().any(is_breaking)))
}

/// `bucketlist openapi diff --usage`.
pub(super) fn diff_with_usage(
    old: &Path,
    new: &Path,
    format: Report,
    config: &Config,
    period: LastDays,
    out: &mut dyn Write,
) -> Result<ExitCode, CliError> {
    let old = read(old)?;
    let differences = openapi_model::diff(&old, &read(new)?);
    let usage = DocumentUsage::read(config, &old, period)?;
    let out = &mut Printable(out);
    match format {
        Report::Text => usage::report(&differences, &usage, out),
        Report::Json => usage::report_json(&differences, &usage, out),
        Report::Markdown => Err(CliError::with_help("--usage has no Markdown output", "use --format text or json")),
    }
}

/// Compares the documents of a directory with their last releases and prints breaking changes.
pub(super) fn is_compatible_with_releases(directory: &Path, out: &mut dyn Write) -> Result<bool, CliError> {
    let mut is_compatible = true;
    for released in released(&directory.join("released"))? {
        let name = released.file_name().unwrap_or_default();
        let current = directory.join(name);
        let name = name.to_string_lossy();
        if !current.exists() {
            writeln!(out, "{name} was released and is missing")?;
            is_compatible = false;
            continue;
        }
        is_compatible &= is_compatible_with(&read(&released)?, &released.display().to_string(), &current, out)?;
    }
    if !is_compatible {
        writeln!(out, "help: revert the change or add it to a new version of the API (docs/compatibility.md)")?;
    }
    Ok(is_compatible)
}

/// `bucketlist openapi breaking`.
pub(super) fn breaking(directory: &Path, base: &str, out: &mut dyn Write) -> Result<ExitCode, CliError> {
    let mut is_compatible = is_compatible_with_releases(directory, out)?;
    let commit = git(directory, &["merge-base", base, "HEAD"])?;
    let commit = commit.trim();
    // Documents of OpenAPI 3.1 are derived from the others.
    let listed = git(directory, &["ls-tree", "--name-only", commit, "./"])?;
    for name in listed.lines().filter(|name| is_document(name)) {
        let label = format!("{name} at {}", commit.get(..10).unwrap_or(commit));
        let old = check_references(&label, parse(&label, &git(directory, &["show", &format!("{commit}:./{name}")])?)?)?;
        is_compatible &= is_compatible_with(&old, &label, &directory.join(name), out)?;
    }
    if is_compatible {
        writeln!(out, "no breaking changes")?;
    }
    Ok(exit_code(is_compatible))
}

/// Returns whether a file of the directory is the OpenAPI 3.0 document of a version, such as `v2.json`.
fn is_document(name: &str) -> bool {
    let version = name.strip_prefix('v').and_then(|name| name.strip_suffix(".json"));
    version.is_some_and(|version| !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Compares a document with an old one and prints breaking changes.
fn is_compatible_with(old: &Document, label: &str, current: &Path, out: &mut dyn Write) -> Result<bool, CliError> {
    if !current.exists() {
        writeln!(out, "{} is missing; compared with {label}", current.display())?;
        return Ok(false);
    }
    let mut breaking = openapi_model::diff(old, &read(current)?);
    breaking.retain(is_breaking);
    if breaking.is_empty() {
        return Ok(true);
    }
    writeln!(out, "{} has breaking changes compared with {label}:", current.display())?;
    explain(&breaking, out)?;
    Ok(false)
}

/// Runs git in a directory and returns its output.
fn git(directory: &Path, arguments: &[&str]) -> Result<String, CliError> {
    let failed = |reason: String| {
        let message = format!("cannot run `git {}`: {reason}", arguments.join(" "));
        CliError::with_help(message, "run the command in a clone of the repository; `--base` names a branch or commit")
    };
    let output = Command::new("git").args(arguments).current_dir(directory).output();
    let output = output.map_err(|error| failed(io_reason(&error)))?;
    if !output.status.success() {
        return Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Returns the paths of the released documents; empty if the directory does not exist.
fn released(directory: &Path) -> Result<Vec<PathBuf>, CliError> {
    if !directory.exists() {
        return Ok(Vec::new());
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Reads a document whose references all resolve.
fn read(file: &Path) -> Result<Document, CliError> {
    check_references(&file.display().to_string(), read_document(file)?)
}

/// Reads a document.
pub(super) fn read_document(file: &Path) -> Result<Document, CliError> {
    let name = file.display();
    let text = fs::read_to_string(file)
        .map_err(|error| CliError::Message(format!("cannot read {name}: {}", io_reason(&error))))?;
    parse(&name.to_string(), &text)
}

fn parse(name: &str, text: &str) -> Result<Document, CliError> {
    Document::from_json(text).map_err(|error| CliError::Message(format!("cannot read {name}: {error}")))
}

fn check_references(name: &str, document: Document) -> Result<Document, CliError> {
    match document.unresolved_references().first() {
        None => Ok(document),
        Some(first) => Err(CliError::Message(format!(
            "cannot read {name}: the reference {first} does not resolve within the file"
        ))),
    }
}

pub(super) fn is_breaking(difference: &Difference) -> bool {
    difference.kind == Kind::Breaking
}

fn exit_code(is_success: bool) -> ExitCode {
    if is_success { ExitCode::SUCCESS } else { ExitCode::from(FAILED) }
}

/// Groups differences by change; a schema can be used in many locations.
pub(super) fn changes(differences: &[Difference]) -> Vec<(&Difference, Vec<String>)> {
    let mut changes: Vec<(&Difference, Vec<String>)> = Vec::new();
    for difference in differences {
        let comma = if difference.part.is_empty() { "" } else { ", " };
        let place = format!("{}{comma}{}", difference.operation, difference.part);
        let same = |one: &&mut (&Difference, Vec<String>)| {
            one.0.rule == difference.rule && one.0.sentence == difference.sentence
        };
        match changes.iter_mut().find(same) {
            Some((_, places)) => places.push(place),
            None => changes.push((difference, vec![place])),
        }
    }
    changes
}

fn explain(differences: &[Difference], out: &mut dyn Write) -> io::Result<()> {
    for (difference, places) in changes(differences) {
        writeln!(out, "{}: {} [{}]", difference.kind.name(), difference.sentence, difference.rule)?;
        for place in places.iter().take(MAX_LOCATIONS) {
            writeln!(out, "  {place}")?;
        }
        if places.len() > MAX_LOCATIONS {
            writeln!(out, "  and {} more", places.len() - MAX_LOCATIONS)?;
        }
    }
    Ok(())
}

/// Prints the sections of a changelog.
fn sections(differences: &[Difference], out: &mut dyn Write) -> io::Result<()> {
    let changes = changes(differences);
    let titles = [(Kind::Breaking, "Breaking"), (Kind::Additive, "Added"), (Kind::Neutral, "Changed")];
    for (kind, title) in titles {
        let mut of_the_kind = changes.iter().filter(|(difference, _)| difference.kind == kind).peekable();
        if of_the_kind.peek().is_none() {
            continue;
        }
        writeln!(out, "### {title}\n")?;
        for (difference, _) in of_the_kind {
            let same = |one: &&Difference| one.rule == difference.rule && one.sentence == difference.sentence;
            let mut operations: Vec<String> =
                differences.iter().filter(same).map(|one| format!("`{}`", one.operation)).collect();
            operations.dedup();
            let more = operations.len().saturating_sub(MAX_LOCATIONS);
            operations.truncate(MAX_LOCATIONS);
            let more = if more == 0 { String::new() } else { format!(" and {more} more") };
            writeln!(out, "- {} ({}{more})", difference.sentence, operations.join(", "))?;
        }
        writeln!(out)?;
    }
    if changes.is_empty() {
        writeln!(out, "no differences")?;
    }
    Ok(())
}

fn sum(differences: &[Difference]) -> String {
    let mut counts: BTreeMap<Kind, usize> = BTreeMap::new();
    for (difference, _) in changes(differences) {
        *counts.entry(difference.kind).or_default() += 1;
    }
    if counts.is_empty() {
        return "no differences".to_owned();
    }
    let count = |kind: Kind| format!("{} {}", counts.get(&kind).copied().unwrap_or_default(), kind.name());
    [Kind::Breaking, Kind::Additive, Kind::Neutral].map(count).join(", ")
}
