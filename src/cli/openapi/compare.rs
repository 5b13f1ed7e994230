//! Documents in files, whoever wrote them: what has changed between two, and what the house rules say of one.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::ValueEnum;
use openapi_lint::LintOptions;
use openapi_model::{Difference, Document, Kind};

use crate::cli::CliError;

/// The exit code of a difference that breaks clients, and of a document that breaks rules.
const BROKEN: u8 = 4;

/// How many places of one change are named.
const PLACES: usize = 3;

/// How differences are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Report {
    /// For people.
    Text,
    /// For machines: every difference, in every place.
    Json,
    /// For the changelog: what clients notice, a line for each change.
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

/// `bucketlist openapi lint`.
pub(super) fn lint(file: &Path, out: &mut dyn Write) -> Result<ExitCode, CliError> {
    let findings = openapi_lint::lint(&read(file)?, &LintOptions::default());
    for finding in &findings {
        writeln!(out, "{finding}")?;
    }
    match findings.len() {
        0 => writeln!(out, "{} keeps the house rules.", file.display())?,
        1 => writeln!(out, "1 finding.")?,
        count => writeln!(out, "{count} findings.")?,
    }
    Ok(exit_code(findings.is_empty()))
}

/// Holds the documents of a folder to those that were released; says what breaks, and nothing when nothing does.
pub(super) fn keeps_releases(folder: &Path, out: &mut dyn Write) -> Result<bool, CliError> {
    let mut keeps = true;
    for released in released(&folder.join("released"))? {
        let name = released.file_name().unwrap_or_default();
        let current = folder.join(name);
        let name = name.to_string_lossy();
        if !current.exists() {
            writeln!(out, "{name} was released and is no longer there.")?;
            keeps = false;
            continue;
        }
        let mut breaking = openapi_model::diff(&read(&released)?, &read(&current)?);
        breaking.retain(is_breaking);
        if !breaking.is_empty() {
            writeln!(out, "{name} breaks clients of the release in {}:", released.display())?;
            explain(&breaking, out)?;
            keeps = false;
        }
    }
    if !keeps {
        writeln!(out, "Take it back, or make a new version: docs/compatibility.md is the policy.")?;
    }
    Ok(keeps)
}

/// The released documents; without the folder nothing has been released.
fn released(folder: &Path) -> Result<Vec<PathBuf>, CliError> {
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// A document that can be judged: what a reference that leads nowhere stands for cannot be known.
fn read(file: &Path) -> Result<Document, CliError> {
    let said = |reason: String| CliError::Message(format!("{}: {reason}", file.display()));
    let text = fs::read_to_string(file).map_err(|error| said(format!("the file cannot be read: {error}")))?;
    let document = Document::from_json(&text).map_err(|error| said(error.to_string()))?;
    match document.unresolved_references().as_slice() {
        [] => Ok(document),
        [first, ..] => Err(said(format!("the reference {first} leads nowhere in this file"))),
    }
}

fn is_breaking(difference: &Difference) -> bool {
    difference.kind == Kind::Breaking
}

fn exit_code(is_well: bool) -> ExitCode {
    if is_well { ExitCode::SUCCESS } else { ExitCode::from(BROKEN) }
}

/// The places of each change; a schema is used in many.
fn changes(differences: &[Difference]) -> Vec<(&Difference, Vec<String>)> {
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
        for place in places.iter().take(PLACES) {
            writeln!(out, "  {place}")?;
        }
        if places.len() > PLACES {
            writeln!(out, "  and {} more", places.len() - PLACES)?;
        }
    }
    Ok(())
}

/// The sections of a changelog, as Keep a Changelog calls them.
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
            let more = operations.len().saturating_sub(PLACES);
            operations.truncate(PLACES);
            let more = if more == 0 { String::new() } else { format!(" and {more} more") };
            writeln!(out, "- {} ({}{more})", difference.sentence, operations.join(", "))?;
        }
        writeln!(out)?;
    }
    if changes.is_empty() {
        writeln!(out, "Nothing differs.")?;
    }
    Ok(())
}

fn sum(differences: &[Difference]) -> String {
    let mut counts: BTreeMap<Kind, usize> = BTreeMap::new();
    for (difference, _) in changes(differences) {
        *counts.entry(difference.kind).or_default() += 1;
    }
    if counts.is_empty() {
        return "Nothing differs.".to_owned();
    }
    let count = |kind: Kind| format!("{} {}", counts.get(&kind).copied().unwrap_or_default(), kind.name());
    [Kind::Breaking, Kind::Additive, Kind::Neutral].map(count).join(", ") + "."
}
