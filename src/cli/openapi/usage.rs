//! The consumers that breaking changes affect, for `bucketlist openapi diff --usage`.

use std::{collections::BTreeSet, io::Write, process::ExitCode};

use openapi_model::{Difference, Document};
use serde_json::{Value, json};

use super::compare::{FAILED, changes, is_breaking};
use crate::{
    cli::{
        CliError,
        migrate::connect_for_reading,
        usage::{count, label, period_filter, rfc3339},
    },
    config::Config,
    db::repositories::usage,
    domain::{ApiVersion, NamedConsumer, Timestamp, UsageFilter, UsageGroup, UsageRow},
};

/// Maximum number of rows that are read.
const MAX_ROWS: i64 = 1_000_000;
/// Maximum number of consumers that are printed for a change.
const MAX_CONSUMERS: usize = 10;

/// The calls of the operations of a document in a period, by consumer.
pub(super) struct DocumentUsage {
    /// Method and path of each operation, with its ID.
    operations: Vec<(String, String)>,
    rows: Vec<UsageRow>,
    days: u32,
}

/// A period that ends today.
#[derive(Clone, Copy, Debug)]
pub(super) struct LastDays {
    pub(super) now: Timestamp,
    pub(super) days: u32,
}

/// A consumer that a change affects.
pub(super) struct AffectedConsumer<'u> {
    consumer: &'u NamedConsumer,
    requests: i64,
    last_seen_at: Timestamp,
}

impl DocumentUsage {
    /// Reads the calls of a period to the operations of the version that the document describes.
    pub(super) fn read(config: &Config, document: &Document, period: LastDays) -> Result<Self, CliError> {
        let LastDays { now, days } = period;
        let groups = [UsageGroup::Operation, UsageGroup::Consumer];
        let filter = UsageFilter { version: version(document), ..period_filter(now, days, &groups) };
        let rows = usage::list_most_used(connect_for_reading(config)?.connection(), &filter, &[], MAX_ROWS)?;
        Ok(Self { operations: operations(document), rows, days })
    }

    /// Returns the consumers that have called one of these locations, those with the most requests first. A location is a method
    /// and a path, a path, or `document` for every operation.
    pub(super) fn affected(&self, locations: &BTreeSet<&str>) -> Vec<AffectedConsumer<'_>> {
        let is_located = |place: &str| {
            locations.iter().any(|location| {
                *location == "document"
                    || *location == place
                    || place.split_once(' ').is_some_and(|(_, path)| path == *location)
            })
        };
        let affected: BTreeSet<&str> =
            self.operations.iter().filter(|(place, _)| is_located(place)).map(|(_, id)| id.as_str()).collect();
        let mut consumers: Vec<AffectedConsumer<'_>> = Vec::new();
        for row in &self.rows {
            let (Some(operation), Some(consumer)) = (&row.operation, &row.consumer) else { continue };
            if !affected.contains(operation.as_str()) {
                continue;
            }
            match consumers.iter_mut().find(|known| known.consumer.consumer == consumer.consumer) {
                Some(known) => {
                    known.requests += row.requests;
                    known.last_seen_at = known.last_seen_at.max(row.last_seen_at);
                }
                None => consumers.push(AffectedConsumer {
                    consumer,
                    requests: row.requests,
                    last_seen_at: row.last_seen_at,
                }),
            }
        }
        consumers.sort_by_key(|affected| std::cmp::Reverse(affected.requests));
        consumers
    }
}

/// Returns the version whose base path the document has as its server; `None` to count calls of all versions.
fn version(document: &Document) -> Option<ApiVersion> {
    let url = document.value().pointer("/servers/0/url")?.as_str()?;
    url.trim_end_matches('/').rsplit('/').next()?.parse().ok()
}

fn operations(document: &Document) -> Vec<(String, String)> {
    let paths = document.value()["paths"].as_object().into_iter().flatten();
    let operations = paths.flat_map(|(path, item)| {
        let methods = item.as_object().into_iter().flatten();
        methods.filter_map(move |(method, operation)| {
            let id = operation.get("operationId")?.as_str()?;
            Some((format!("{} {path}", method.to_uppercase()), id.to_owned()))
        })
    });
    operations.collect()
}

/// Prints the breaking changes with the consumers that they affect. Exits with 4 if there is such a consumer.
pub(super) fn report(
    differences: &[Difference],
    usage: &DocumentUsage,
    out: &mut dyn Write,
) -> Result<ExitCode, CliError> {
    let breaking: Vec<Difference> = differences.iter().filter(|one| is_breaking(one)).cloned().collect();
    let mut affects_any = false;
    for (difference, _) in changes(&breaking) {
        writeln!(out, "breaking: {} [{}]", difference.sentence, difference.rule)?;
        let consumers = usage.affected(&locations(&breaking, difference));
        if consumers.is_empty() {
            writeln!(out, "  no consumer has called it in the last {}", count(usage.days, "day"))?;
        }
        for affected in consumers.iter().take(MAX_CONSUMERS) {
            let (requests, last) = (count(affected.requests, "request"), rfc3339(affected.last_seen_at));
            writeln!(out, "  breaks {}: {requests}, last {last}", label(affected.consumer))?;
        }
        if consumers.len() > MAX_CONSUMERS {
            writeln!(out, "  and {} more", consumers.len() - MAX_CONSUMERS)?;
        }
        affects_any |= !consumers.is_empty();
    }
    if breaking.is_empty() {
        writeln!(out, "no breaking changes")?;
    }
    Ok(if affects_any { ExitCode::from(FAILED) } else { ExitCode::SUCCESS })
}

/// Like [`report`], as a JSON array of all differences, with the consumers of breaking ones.
pub(super) fn report_json(
    differences: &[Difference],
    usage: &DocumentUsage,
    out: &mut dyn Write,
) -> Result<ExitCode, CliError> {
    let mut affects_any = false;
    let mut all = Vec::with_capacity(differences.len());
    for difference in differences {
        let mut value = serde_json::to_value(difference).map_err(std::io::Error::from)?;
        if is_breaking(difference) {
            let consumers = usage.affected(&BTreeSet::from([difference.operation.as_str()]));
            affects_any |= !consumers.is_empty();
            let consumers: Vec<Value> = consumers.iter().map(consumer_json).collect();
            value["consumers"] = consumers.into();
        }
        all.push(value);
    }
    let text = serde_json::to_string_pretty(&all).map_err(std::io::Error::from)?;
    writeln!(out, "{text}")?;
    Ok(if affects_any { ExitCode::from(FAILED) } else { ExitCode::SUCCESS })
}

/// Returns every location of a change.
fn locations<'d>(differences: &'d [Difference], change: &Difference) -> BTreeSet<&'d str> {
    let is_same = |one: &&Difference| one.rule == change.rule && one.sentence == change.sentence;
    differences.iter().filter(is_same).map(|one| one.operation.as_str()).collect()
}

fn consumer_json(affected: &AffectedConsumer<'_>) -> Value {
    let NamedConsumer { consumer, name } = affected.consumer;
    json!({
        "kind": consumer.kind(),
        "id": consumer.id(),
        "name": name,
        "requests": affected.requests,
        "last_seen_at": rfc3339(affected.last_seen_at),
    })
}
