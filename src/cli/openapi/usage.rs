//! The consumers that breaking changes affect, for `bucketlist openapi diff --usage`.

use std::{
    collections::{HashMap, HashSet},
    io::Write,
    process::ExitCode,
};

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
    domain::{
        ApiVersion, Consumer, ConsumerKind, NamedConsumer, SentInput, Timestamp, UsageFilter, UsageGroup, UsageRow,
    },
};

/// Maximum number of rows that are read.
const MAX_ROWS: i64 = 1_000_000;
/// Maximum number of consumers that are printed for a change.
const MAX_CONSUMERS: usize = 10;

/// The calls of the operations of a document in a period, by consumer. Calls that were rejected for the credentials, the permissions
/// or a rate limit of the consumer do not count.
pub(super) struct DocumentUsage {
    /// Method and path of each operation, with its ID.
    operations: Vec<(String, String)>,
    rows: Vec<UsageRow>,
    /// The query parameters and body fields that consumers have sent.
    inputs: HashSet<SentInput>,
    /// The query parameters of each operation that are recorded: method and path, and name.
    query_parameters: HashSet<(String, String)>,
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
        let filter = UsageFilter { version: version(document), who_is_left: true, ..period_filter(now, days, &groups) };
        let mut migrator = connect_for_reading(config)?;
        let c = migrator.connection();
        let rows = usage::list_most_used(c, &filter, &[], MAX_ROWS)?;
        let inputs = usage::list_inputs(c, filter.from, filter.until, filter.version)?.into_iter().collect();
        let query_parameters = query_parameters(document);
        Ok(Self { operations: operations(document), rows, inputs, query_parameters, days })
    }

    /// Returns the consumers that these differences affect, API clients and accounts first, and those with the most requests first.
    /// A difference in an input that consumers may omit affects those that have sent it, another one all consumers of the operation.
    pub(super) fn affected(&self, differences: &[&Difference]) -> Vec<AffectedConsumer<'_>> {
        let mut affected: HashMap<&str, Vec<Option<String>>> = HashMap::new();
        for difference in differences {
            let input = self.input_of(difference);
            for (place, id) in &self.operations {
                let location = difference.operation.as_str();
                let is_path = || place.split_once(' ').is_some_and(|(_, path)| path == location);
                if location == "document" || location == place || is_path() {
                    affected.entry(id).or_default().push(input.clone());
                }
            }
        }
        let is_affected = |operation: &str, consumer: &Consumer| {
            affected.get(operation).is_some_and(|inputs| {
                inputs.iter().any(|input| match input {
                    None => true,
                    Some(input) => self.inputs.contains(&SentInput {
                        operation: operation.to_owned(),
                        consumer: consumer.clone(),
                        input: input.clone(),
                    }),
                })
            })
        };
        let mut consumers: Vec<AffectedConsumer<'_>> = Vec::new();
        for row in &self.rows {
            let (Some(operation), Some(consumer)) = (&row.operation, &row.consumer) else { continue };
            if !is_affected(operation, &consumer.consumer) {
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
        let is_anonymous = |named: &NamedConsumer| named.consumer.kind() == ConsumerKind::Anonymous;
        consumers.sort_by_key(|affected| (is_anonymous(affected.consumer), std::cmp::Reverse(affected.requests)));
        consumers
    }

    /// Returns the recorded input that a consumer must have sent to be affected by a difference; `None` if every consumer is affected,
    /// or if the input is not recorded.
    fn input_of(&self, difference: &Difference) -> Option<String> {
        if !RULES_OF_SENT_INPUTS.contains(&difference.rule) {
            return None;
        }
        let mut parts = difference.part.split(", ");
        let first = parts.next()?;
        if let Some(name) = first.strip_prefix("parameter ") {
            let key = (difference.operation.clone(), name.to_owned());
            return self.query_parameters.contains(&key).then(|| format!("query.{name}"));
        }
        if first != "request body" {
            return None;
        }
        // After the media type: `items[].name`.
        let field = parts.nth(1)?.split(['.', '[']).next().filter(|name| !name.is_empty() && *name != "*")?;
        Some(format!("body.{field}"))
    }
}

/// The rules about inputs that affect only requests with the input. A required input affects those without it.
const RULES_OF_SENT_INPUTS: [&str; 11] = [
    "parameter-removed",
    "parameter-moved",
    "parameter-encoding-changed",
    "parameter-empty-rejected",
    "request-field-removed",
    "request-null-rejected",
    "request-enum-narrowed",
    "request-bound-narrowed",
    "request-choice-removed",
    "type-changed",
    "format-changed",
];

/// Returns the method and path of each operation with the names of its query parameters.
fn query_parameters(document: &Document) -> HashSet<(String, String)> {
    let operations = openapi_model::traverse::operations(document.value());
    let parameters = operations.flat_map(|entry| {
        let place = format!("{} {}", entry.method.to_uppercase(), entry.path);
        entry.parameters(document.value()).into_iter().filter_map(move |parameter| {
            let text = |key: &str| parameter.value.get(key).and_then(Value::as_str);
            (text("in") == Some("query")).then(|| Some((place.clone(), text("name")?.to_owned()))).flatten()
        })
    });
    parameters.collect()
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
        let same = differences_of(&breaking, difference);
        let consumers = usage.affected(&same);
        if consumers.is_empty() {
            let is_input = same.iter().all(|difference| usage.input_of(difference).is_some());
            let verb = if is_input { "sent" } else { "called" };
            writeln!(out, "  no consumer has {verb} it in the last {}", count(usage.days, "day"))?;
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
            let consumers = usage.affected(&[difference]);
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

/// Returns the differences of a change, in all its locations.
fn differences_of<'d>(differences: &'d [Difference], change: &Difference) -> Vec<&'d Difference> {
    let is_same = |one: &&Difference| one.rule == change.rule && one.sentence == change.sentence;
    differences.iter().filter(is_same).collect()
}

fn consumer_json(affected: &AffectedConsumer<'_>) -> Value {
    let NamedConsumer { consumer, name, .. } = affected.consumer;
    json!({
        "kind": consumer.kind(),
        "id": consumer.id(),
        "name": name,
        "requests": affected.requests,
        "last_seen_at": rfc3339(affected.last_seen_at),
    })
}
