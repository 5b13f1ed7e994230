//! What a replay has shown, for people and for machines.

use std::io::Write;

use incidents::{file::Expected, replay::Outcome};
use serde_json::json;

use super::Expect;
use crate::cli::{CliError, OutputFormat};

pub(super) fn write(
    outcomes: &[Outcome],
    against: &str,
    expect: Expect,
    format: OutputFormat,
    out: &mut dyn Write,
) -> Result<(), CliError> {
    let as_asked = outcomes.iter().filter(|outcome| outcome.as_asked).count();
    let asked = match expect {
        Expect::Reproduced => "reproduced",
        Expect::Fixed => "fixed",
    };
    if format == OutputFormat::Json {
        let report = json!({
            "against": against, "asked": asked, "total": outcomes.len(), "as_asked": as_asked, "outcomes": outcomes,
        });
        writeln!(out, "{report:#}")?;
        return Ok(());
    }
    let mut rows = vec![["incident", "operation", "captured", "now", "is"].map(str::to_owned)];
    rows.extend(outcomes.iter().map(row));
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..5).map(width).collect();
    for (index, row) in rows.iter().enumerate() {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}", width = *width)).collect();
        writeln!(out, "{}", cells.join("  ").trim_end())?;
        let Some(outcome) = index.checked_sub(1).and_then(|index| outcomes.get(index)) else { continue };
        if let Some(obstacle) = &outcome.obstacle {
            writeln!(out, "    {obstacle}")?;
        }
        for one in &outcome.differences {
            writeln!(out, "    {}: was {}, is {}", one.place, short(&one.captured), short(&one.now))?;
        }
        for what in &outcome.undocumented {
            writeln!(out, "    not as documented: {}", short(what))?;
        }
    }
    writeln!(out, "{as_asked} of {} {asked}.", outcomes.len())?;
    Ok(())
}

fn row(outcome: &Outcome) -> [String; 5] {
    let incident = if outcome.id == 0 { outcome.request_id.clone() } else { outcome.id.to_string() };
    let is = match outcome {
        Outcome { now: None, .. } => "not sent",
        Outcome { reproduced: true, .. } => "as captured",
        Outcome { fixed: true, captured: Expected { status: 400.., .. }, .. } => "fixed",
        Outcome { as_asked: true, .. } => "as kept",
        _ => "different",
    };
    let operation = outcome.operation.clone().unwrap_or_else(|| "-".to_owned());
    let now = outcome.now.as_ref().map_or_else(|| "-".to_owned(), answer);
    [incident, operation, answer(&outcome.captured), now, is.to_owned()]
}

fn answer(expected: &Expected) -> String {
    let code = expected.code.as_deref().map(|code| format!(" {code}")).unwrap_or_default();
    format!("{}{code}", expected.status)
}

/// A value that fits on a line.
fn short(text: &str) -> String {
    const LONGEST: usize = 120;
    let line = text.replace(['\n', '\r'], " ");
    match line.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line,
    }
}
