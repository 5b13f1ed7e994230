//! Which of the documented answers somebody has really got: a record made by the tests, as a matrix.

use std::{
    collections::BTreeSet,
    fs,
    io::{self, Write},
    path::Path,
    process::ExitCode,
};

use contract::{v1, v2};
use openapi_model::{CompiledDocument, Coverage, Covered};

use super::STALE;
use crate::cli::CliError;

/// How many lines that nobody knows are named.
const NAMED: usize = 3;

/// What a column is about. Sorted by status; JSON, which is everywhere, comes before what is beside it.
type Column = (u16, bool, String);

/// `bucketlist openapi coverage`.
pub(super) fn run(file: &Path, out: &mut dyn Write) -> Result<ExitCode, CliError> {
    let said = |reason: String| CliError::Message(format!("{}: {reason}", file.display()));
    let record = fs::read_to_string(file).map_err(|error| said(format!("the file cannot be read: {error}")))?;
    let coverage = Coverage::read(&record);
    if coverage.is_empty() {
        return Err(said("nothing was recorded; `make coverage-contract` makes a record and reads it".to_owned()));
    }
    let contracts = [("v1", v1::contract()), ("v2", v2::contract())];
    let unknown = coverage.unknown(&contracts.map(|(_, contract)| contract));
    if let [first, ..] = unknown.as_slice() {
        let named = unknown.iter().take(NAMED).copied().collect::<Vec<_>>().join("; ");
        let count = unknown.len();
        return Err(said(if count == 1 {
            format!("no document has the answer `{first}`; make the record anew")
        } else {
            format!("no document has {count} answers of this record ({named}); make the record anew")
        }));
    }
    let mut is_complete = true;
    for (name, contract) in contracts {
        matrix(name, contract, &coverage, out)?;
        is_complete &= sum(name, contract, &coverage, out)?;
    }
    Ok(if is_complete { ExitCode::SUCCESS } else { ExitCode::from(STALE) })
}

fn column(answer: &Covered<'_>) -> Column {
    let subtype = answer.media_type.map_or("", |media_type| media_type.rsplit('/').next().unwrap_or_default());
    // `application/problem+json` is JSON, `application/x-ndjson` is NDJSON.
    let short = subtype.rsplit('+').next().unwrap_or_default().trim_start_matches("x-").to_owned();
    (answer.status, short != "json", short)
}

/// A row for each operation, a column for each status and media type: how often it was seen, `MISS` for never, nothing
/// where nothing is documented.
fn matrix(name: &str, contract: &CompiledDocument, coverage: &Coverage, out: &mut dyn Write) -> io::Result<()> {
    let operations: Vec<_> = contract.operations().collect();
    let columns: BTreeSet<Column> =
        operations.iter().flat_map(|operation| coverage.of(operation)).map(|answer| column(&answer)).collect();
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
        let answers: Vec<(Column, usize)> =
            coverage.of(operation).map(|answer| (column(&answer), answer.times)).collect();
        let mut line = format!("{:<longest$}", operation.id);
        for wanted in &columns {
            let cell = match answers.iter().find(|(column, _)| column == wanted) {
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

/// Names what was never seen; whether there is nothing to name.
fn sum(name: &str, contract: &CompiledDocument, coverage: &Coverage, out: &mut dyn Write) -> io::Result<bool> {
    let (mut documented, mut missed) = (0, 0);
    for operation in contract.operations() {
        for answer in coverage.of(operation) {
            documented += 1;
            if answer.times == 0 {
                missed += 1;
                let media_type = answer.media_type.map_or(String::new(), |media_type| format!(" as {media_type}"));
                writeln!(out, "never seen: {} {}{media_type}", operation.id, answer.status)?;
            }
        }
    }
    writeln!(out, "{name}: {} of {documented} documented answers were seen.\n", documented - missed)?;
    Ok(missed == 0)
}
