//! The output of `bucketlist usage`.

use std::io::Write;

use serde::Serialize;

use super::{count, label, rfc3339};
use crate::{
    cli::{CliError, OutputFormat},
    domain::{DeprecationReport, NoticeState, RecordedNotice, UsageRow},
    endpoints::v2::{deprecation, usage_row},
};

/// Prints rows of usage, one per line.
pub(super) fn usage(rows: &[UsageRow], format: OutputFormat, out: &mut dyn Write) -> Result<(), CliError> {
    if format == OutputFormat::Json {
        return write_json(&rows.iter().cloned().map(usage_row).collect::<Vec<_>>(), out);
    }
    if rows.is_empty() {
        writeln!(out, "No requests found.")?;
        return Ok(());
    }
    writeln!(out, "{:>10}  {:>8}  {:>8}  {:>8}  {:<20}  NAME", "REQUESTS", "ERRORS", "P50 ms", "P99 ms", "LAST")?;
    let has_several_consumers = rows.iter().any(|row| row.consumer != rows[0].consumer);
    for row in rows {
        let name = match (&row.version, &row.operation, &row.consumer) {
            (Some(version), Some(operation), Some(consumer)) if has_several_consumers => {
                format!("{version} {operation}, {}", label(consumer))
            }
            (Some(version), Some(operation), _) => format!("{version} {operation}"),
            (_, _, Some(consumer)) => label(consumer),
            _ => row.status_class.map(|class| format!("{class}xx")).unwrap_or_default(),
        };
        let percentile = |percent| row.latency.percentile(percent).as_secs_f64() * 1e3;
        writeln!(
            out,
            "{:>10}  {:>8}  {:>8.1}  {:>8.1}  {:<20}  {name}",
            row.requests,
            row.errors,
            percentile(50),
            percentile(99),
            rfc3339(row.last_seen_at),
        )?;
    }
    Ok(())
}

/// Prints deprecated operations and their consumers.
pub(super) fn deprecations(
    reports: &[DeprecationReport],
    format: OutputFormat,
    out: &mut dyn Write,
) -> Result<(), CliError> {
    if format == OutputFormat::Json {
        return write_json(&reports.iter().cloned().map(deprecation).collect::<Vec<_>>(), out);
    }
    for report in reports {
        let DeprecationReport { operation, consumers, consumers_total } = report;
        let (method, path, sunset) = (operation.method, &operation.path, rfc3339(operation.sunset));
        writeln!(out, "{} {}: {method} {path}", operation.version, operation.operation)?;
        writeln!(out, "  sunset {sunset}, successor {}", operation.successor)?;
        for brownout in &operation.brownouts {
            writeln!(out, "  brownout {} to {}", rfc3339(brownout.starts_at), rfc3339(brownout.ends_at()))?;
        }
        if consumers.is_empty() {
            writeln!(out, "  no consumers")?;
        }
        for found in consumers {
            let notices: Vec<String> = found.notices.iter().map(notice_text).collect();
            let notices = if notices.is_empty() { "none".to_owned() } else { notices.join(", ") };
            writeln!(
                out,
                "  {}: {}, last {}, notices: {notices}",
                label(&found.consumer),
                count(found.requests, "request"),
                rfc3339(found.last_seen_at),
            )?;
        }
        let more = consumers_total - i64::try_from(consumers.len()).unwrap_or(i64::MAX);
        if more > 0 {
            writeln!(out, "  and {more} more")?;
        }
    }
    Ok(())
}

/// Returns the occasion of a notice, with the state of its mail unless it was sent.
fn notice_text(recorded: &RecordedNotice) -> String {
    match recorded.state {
        NoticeState::Sent => recorded.notice.to_string(),
        state => format!("{} ({state})", recorded.notice),
    }
}

/// Prints representations of the API as a JSON array.
fn write_json(value: &impl Serialize, out: &mut dyn Write) -> Result<(), CliError> {
    let line = serde_json::to_string(value).map_err(std::io::Error::from)?;
    Ok(writeln!(out, "{line}")?)
}
