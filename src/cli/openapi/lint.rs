//! `bucketlist openapi lint` and `bucketlist openapi rules`.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Args;
use openapi_lint::{ConfigError, Finding, LintConfig, Preset, Rule, Severity};
use openapi_model::Document;

use super::compare::{FAILED, read_document};
use crate::cli::{CliError, OutputFormat, error::io_reason};

#[derive(Args, Clone, Debug)]
pub(in crate::cli) struct LintArguments {
    /// An OpenAPI 3.0 document, as JSON.
    file: PathBuf,
    /// Configuration with the fields `extends`, `rules`, `options` and `suppressions`, as JSON. Without it, the preset
    /// `recommended` applies.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Output format.
    #[arg(long, value_enum, default_value_t = OutputFormat::Text)]
    format: OutputFormat,
    /// Exit with 4 for warnings, too.
    #[arg(long)]
    deny_warnings: bool,
}

pub(super) fn run(arguments: &LintArguments, out: &mut dyn Write) -> Result<ExitCode, CliError> {
    let config = arguments.config.as_deref().map_or_else(|| Ok(LintConfig::default()), read_config)?;
    let document: Document = read_document(&arguments.file)?;
    let findings = openapi_lint::lint(&document, &config);
    match arguments.format {
        OutputFormat::Json => {
            let json = serde_json::to_string_pretty(&findings).map_err(io::Error::from)?;
            writeln!(out, "{json}")?;
        }
        OutputFormat::Text => print(&findings, &arguments.file, out)?,
    }
    let fails = |finding: &Finding| finding.severity == Severity::Error || arguments.deny_warnings;
    Ok(if findings.iter().any(fails) { ExitCode::from(FAILED) } else { ExitCode::SUCCESS })
}

fn read_config(file: &Path) -> Result<LintConfig, CliError> {
    let name = file.display();
    let text = fs::read_to_string(file)
        .map_err(|error| CliError::Message(format!("cannot read {name}: {}", io_reason(&error))))?;
    LintConfig::from_json(&text).map_err(|error| {
        let message = format!("invalid configuration {name}: {error}");
        match error {
            ConfigError::UnknownRule { .. } => {
                CliError::with_help(message, "`bucketlist openapi rules` lists the rules")
            }
            _ => CliError::with_help(message, "docs/lint-rules.md describes the configuration"),
        }
    })
}

fn print(findings: &[Finding], file: &Path, out: &mut dyn Write) -> io::Result<()> {
    for finding in findings {
        writeln!(out, "{finding}\n  {}", if finding.pointer.is_empty() { "/" } else { &finding.pointer })?;
    }
    let count = |severity: Severity| findings.iter().filter(|finding| finding.severity == severity).count();
    let name = file.display();
    match (count(Severity::Error), count(Severity::Warning)) {
        (0, 0) => writeln!(out, "{name}: no findings"),
        (errors, 0) => writeln!(out, "{name}: {}", counted(errors, "error")),
        (0, warnings) => writeln!(out, "{name}: {}", counted(warnings, "warning")),
        (errors, warnings) => writeln!(out, "{name}: {}, {}", counted(errors, "error"), counted(warnings, "warning")),
    }
}

fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// Prints every rule with its severities and what it requires.
pub(super) fn rules(out: &mut dyn Write) -> io::Result<()> {
    let longest = Rule::ALL.iter().map(|rule| rule.id().len()).max().unwrap_or_default();
    writeln!(out, "{:<longest$}  {:<11}  {:<6}  requirement", "rule", "recommended", "strict")?;
    for rule in Rule::ALL {
        let severities = [Preset::Recommended, Preset::Strict].map(|preset| rule.severity(preset).to_string());
        let [recommended, strict] = severities;
        writeln!(out, "{:<longest$}  {recommended:<11}  {strict:<6}  {}", rule.id(), rule.summary())?;
    }
    Ok(())
}
