//! Prints the documented responses that tests received, as a matrix.

use std::{
    collections::BTreeSet,
    fs,
    io::{self, Write},
    path::Path,
    process::ExitCode,
};

use contract::{v1, v2};
use openapi_model::{CompiledDocument, Coverage, Covered};

use super::OUTDATED;
use crate::cli::{CliError, error::io_reason};

/// Maximum number of unknown lines that an error lists.
const MAX_LISTED: usize = 3;

/// A status and media type, sorted by status with JSON first.
type Column = (u16, bool, String);

/// `bucketlist openapi coverage`.
pub(super) fn run(file: &Path, out: &mut dyn Write) -> Result<ExitCode, CliError> {
    let rerun = "run `make coverage-contract`";
    let invalid = |reason: String| CliError::with_help(format!("cannot use {}: {reason}", file.display()), rerun);
    let record = fs::read_to_string(file).map_err(|error| invalid(io_reason(&error)))?;
    let coverage = Coverage::read(&record);
    if coverage.is_empty() {
        return Err(invalid("the record is empty".to_owned()));
    }
    let contracts = [("v1", v1::contract()), ("v2", v2::contract())];
    let unknown = coverage.unknown(&contracts.map(|(_, contract)| contract));
    if let [first, ..] = unknown.as_slice() {
        let named = unknown.iter().take(MAX_LISTED).copied().collect::<Vec<_>>().join("; ");
        let count = unknown.len();
        return Err(invalid(if count == 1 {
            format!("no document contains the response `{first}`")
        } else {
            format!("no document contains {count} of its responses ({named})")
        }));
    }
    let mut is_complete = true;
    for (name, contract) in contracts {
        matrix(name, contract, &coverage, out)?;
        is_complete &= sum(name, contract, &coverage, out)?;
    }
    Ok(if is_complete { ExitCode::SUCCESS } else { ExitCode::from(OUTDATED) })
}

fn column(response: &Covered<'_>) -> Column {
    let subtype = response.media_type.map_or("", |media_type| media_type.rsplit('/').next().unwrap_or_default());
    // `application/problem+json` is JSON, `application/x-ndjson` is NDJSON.
    let short = subtype.rsplit('+').next().unwrap_or_default().trim_start_matches("x-").to_owned();
    (response.status, short != "json", short)
}

/// Prints a row for each operation and a column for each status and media type. A cell is the number of responses
/// received, `MISS` for none, or empty if nothing is documented.
fn matrix(name: &str, contract: &CompiledDocument, coverage: &Coverage, out: &mut dyn Write) -> io::Result<()> {
    let operations: Vec<_> = contract.operations().collect();
    let columns: BTreeSet<Column> =
        operations.iter().flat_map(|operation| coverage.of(operation)).map(|response| column(&response)).collect();
    let longest = operations.iter().map(|operation| operation.id.len()).max().unwrap_or_default();
    write!(out, "{name:<longest$}")?;
    for (status, ..) in &columns {
        write!(out, " {status:>6}")?;
    }
    write!(out, "\n{:<longest$}", "")?;
    for (.., media_type) in &columns {
        write!(out, " {:>6}", if media_type.is_empty() { "-" } else { media_type })?;
    }
    writeln!(out)?;
    for operation in operations {
        let responses: Vec<(Column, usize)> =
            coverage.of(operation).map(|response| (column(&response), response.times)).collect();
        let mut line = format!("{:<longest$}", operation.id);
        for wanted in &columns {
            let cell = match responses.iter().find(|(column, _)| column == wanted) {
                None => String::new(),
                Some((_, 0)) => "MISS".to_owned(),
                Some((_, times)) => times.to_string(),
            };
            line.push_str(&format!(" {cell:>6}"));
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

/// Prints the responses that were not received; returns whether there are none.
fn sum(name: &str, contract: &CompiledDocument, coverage: &Coverage, out: &mut dyn Write) -> io::Result<bool> {
    let (mut documented, mut missed) = (0, 0);
    for operation in contract.operations() {
        for response in coverage.of(operation) {
            documented += 1;
            if response.times == 0 {
                missed += 1;
                let media_type = response.media_type.map_or(String::new(), |media_type| format!(" as {media_type}"));
                writeln!(out, "not received: {} {}{media_type}", operation.id, response.status)?;
            }
        }
    }
    writeln!(out, "{name}: {} of {documented} documented responses were received\n", documented - missed)?;
    Ok(missed == 0)
}
