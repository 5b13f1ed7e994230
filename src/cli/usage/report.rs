//! The output of `bucketlist usage`.

use std::io::Write;

use serde_json::{Value, json};

use super::rfc3339;
use crate::{
    cli::{CliError, OutputFormat},
    domain::{DeprecationNotice, DeprecationReport, NamedConsumer, Timestamp, UsageRow},
};

/// Prints rows of usage, one per line.
pub(super) fn usage(rows: &[UsageRow], format: OutputFormat, out: &mut dyn Write) -> Result<(), CliError> {
    if format == OutputFormat::Json {
        for row in rows {
            let percentile = |percent| row.latency.percentile(percent).as_secs_f64() * 1e3;
            let line = json!({
                "version": row.version,
                "operation": row.operation,
                "consumer": row.consumer.as_ref().map(consumer_json),
                "requests": row.requests,
                "errors": row.errors,
                "bytes_in": row.bytes_in,
                "bytes_out": row.bytes_out,
                "latency_ms": {"p50": percentile(50), "p95": percentile(95), "p99": percentile(99)},
                "last_seen_at": rfc3339(row.last_seen_at),
            });
            writeln!(out, "{line}")?;
        }
        return Ok(());
    }
    if rows.is_empty() {
        writeln!(out, "No requests found.")?;
        return Ok(());
    }
    writeln!(out, "{:>10}  {:>8}  {:>8}  {:>8}  {:<20}  NAME", "REQUESTS", "ERRORS", "P50 ms", "P99 ms", "LAST")?;
    for row in rows {
        let name = match (&row.version, &row.operation, &row.consumer) {
            (Some(version), Some(operation), _) => format!("{version} {operation}"),
            (_, _, Some(consumer)) => consumer.to_string(),
            _ => String::new(),
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
    for DeprecationReport { operation, consumers, consumers_total } in reports {
        if format == OutputFormat::Json {
            let brownouts: Vec<Value> = operation
                .brownouts
                .iter()
                .map(|brownout| json!({"starts_at": rfc3339(brownout.starts_at), "ends_at": rfc3339(brownout.ends_at())}))
                .collect();
            let consumers: Vec<Value> = consumers
                .iter()
                .map(|found| {
                    json!({
                        "consumer": consumer_json(&found.consumer),
                        "requests": found.requests,
                        "last_seen_at": rfc3339(found.last_seen_at),
                        "notices": found.notices.iter().map(notice_json).collect::<Vec<_>>(),
                    })
                })
                .collect();
            let line = json!({
                "version": operation.version,
                "operation": operation.operation,
                "since": rfc3339(operation.since),
                "sunset": rfc3339(operation.sunset),
                "successor": operation.successor,
                "brownouts": brownouts,
                "consumers_total": consumers_total,
                "consumers": consumers,
            });
            writeln!(out, "{line}")?;
            continue;
        }
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
            let notices: Vec<&str> = found.notices.iter().map(|(notice, _)| notice.as_str()).collect();
            let notices = if notices.is_empty() { "none".to_owned() } else { notices.join(", ") };
            writeln!(
                out,
                "  {}: {} requests, last {}, notices: {notices}",
                found.consumer,
                found.requests,
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

fn consumer_json(named: &NamedConsumer) -> Value {
    json!({"kind": named.consumer.kind(), "id": named.consumer.id(), "name": named.name})
}

fn notice_json((notice, sent_at): &(DeprecationNotice, Timestamp)) -> Value {
    json!({"notice": notice, "sent_at": rfc3339(*sent_at)})
}
