//! The report of a replay, as text or JSON.

use std::io::Write;

use incidents::{file::ExpectedResponse, replay::ReplayOutcome};
use serde_json::json;

use super::Expect;
use crate::cli::{CliError, OutputFormat};

const HEADER: [&str; 5] = ["INCIDENT", "OPERATION", "CAPTURED", "REPLAYED", "RESULT"];

pub(super) fn write(
    outcomes: &[ReplayOutcome],
    against: &str,
    expect: Expect,
    format: OutputFormat,
    out: &mut dyn Write,
) -> Result<(), CliError> {
    let as_expected = outcomes.iter().filter(|outcome| outcome.as_expected).count();
    let expected = match expect {
        Expect::Reproduced => "reproduced",
        Expect::Fixed => "fixed",
    };
    if format == OutputFormat::Json {
        let report = json!({
            "against": against, "expected": expected, "total": outcomes.len(), "as_expected": as_expected, "outcomes": outcomes,
        });
        writeln!(out, "{report:#}")?;
        return Ok(());
    }
    let mut rows = vec![HEADER.map(str::to_owned)];
    rows.extend(outcomes.iter().map(row));
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..HEADER.len()).map(width).collect();
    for (index, row) in rows.iter().enumerate() {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}", width = *width)).collect();
        writeln!(out, "{}", cells.join("  ").trim_end())?;
        let Some(outcome) = index.checked_sub(1).and_then(|index| outcomes.get(index)) else { continue };
        if let Some(reason) = &outcome.not_sent {
            writeln!(out, "    {reason}")?;
        }
        for difference in &outcome.differences {
            let (captured, replayed) = (truncate(&difference.captured), truncate(&difference.replayed));
            writeln!(out, "    {}: captured {captured}, replayed {replayed}", difference.location)?;
        }
        for violation in &outcome.contract_violations {
            writeln!(out, "    contract violation: {}", truncate(violation))?;
        }
    }
    writeln!(out, "{as_expected} of {} {expected}.", outcomes.len())?;
    Ok(())
}

fn row(outcome: &ReplayOutcome) -> [String; 5] {
    let incident = if outcome.id == 0 { outcome.request_id.clone() } else { outcome.id.to_string() };
    let result = match outcome {
        ReplayOutcome { replayed: None, .. } => "not sent",
        ReplayOutcome { reproduced: true, .. } => "reproduced",
        ReplayOutcome { fixed: true, captured: ExpectedResponse { status: 400.., .. }, .. } => "fixed",
        ReplayOutcome { as_expected: true, .. } => "as expected",
        _ => "different",
    };
    let operation = outcome.operation.clone().unwrap_or_else(|| "-".to_owned());
    let replayed = outcome.replayed.as_ref().map_or_else(|| "-".to_owned(), status_and_code);
    [incident, operation, status_and_code(&outcome.captured), replayed, result.to_owned()]
}

fn status_and_code(response: &ExpectedResponse) -> String {
    let code = response.code.as_deref().map(|code| format!(" {code}")).unwrap_or_default();
    format!("{}{code}", response.status)
}

/// Returns the text as one line of limited length.
fn truncate(text: &str) -> String {
    const MAX_LENGTH: usize = 120;
    let line = text.replace(['\n', '\r'], " ");
    match line.char_indices().nth(MAX_LENGTH) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line,
    }
}
