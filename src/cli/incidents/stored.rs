//! `bucketlist incidents list` and `show`: the incidents in the database.

use std::io::Write;

use ::incidents::{CapturedBody, IncidentRecord, resend};
use clap::Args;

use super::message;
use crate::{
    capture::RecordCipher,
    cli::{CliError, OutputFormat, api_time, migrate::connect_for_reading},
    config::Config,
    db::{DbConnection, migrations::Migrator, repositories::incidents},
    domain::{
        Clock, Incident, IncidentFilter, IncidentId, Keyset, KeysetPosition, StoredRecord, SystemClock, Timestamp,
    },
};

/// Number of incidents in a batch of `replay --all`.
const BATCH_SIZE: i64 = 100;

/// Filters of `incidents list`.
#[derive(Args, Clone, Debug)]
pub(in crate::cli) struct ListOptions {
    /// Maximum number of incidents.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(i64).range(1..=1_000))]
    limit: i64,
    /// Only incidents of this operation, such as createItem.
    #[arg(long)]
    operation: Option<String>,
    /// Only incidents with this error code, such as INTERNAL_ERROR.
    #[arg(long)]
    code: Option<String>,
    /// Only unresolved incidents.
    #[arg(long = "unresolved")]
    is_unresolved: bool,
}

pub(super) fn list(
    config: &Config,
    options: &ListOptions,
    format: OutputFormat,
    out: &mut dyn Write,
) -> Result<(), CliError> {
    let mut migrator = connect_for_reading(config)?;
    let filter = IncidentFilter {
        operation: options.operation.clone(),
        code: options.code.clone(),
        resolved: options.is_unresolved.then_some(false),
        ..IncidentFilter::default()
    };
    let keyset = Keyset::newest_first(None, options.limit);
    let found = incidents::list_after(migrator.connection(), &filter, &keyset, SystemClock.now())?;
    match format {
        OutputFormat::Json => {
            let incident = |incident: &Incident| {
                serde_json::json!({
                    "id": incident.id,
                    "request_id": incident.request_id,
                    "received_at": api_time(incident.received_at),
                    "status": incident.group.status,
                    "code": incident.group.code,
                    "operation": incident.group.operation,
                    "fingerprint": incident.group.fingerprint,
                    "resolved": incident.group.is_resolved(),
                    "fixed_in": incident.group.fixed_in,
                })
            };
            writeln!(out, "{}", found.iter().map(incident).collect::<serde_json::Value>())?;
        }
        OutputFormat::Text if found.is_empty() => writeln!(out, "No incidents found.")?,
        OutputFormat::Text => {
            writeln!(
                out,
                "{:>6}  {:<27}  {:<6}  {:<22}  {:<24}  REQUEST ID",
                "ID", "RECEIVED", "STATUS", "OPERATION", "CODE"
            )?;
            for Incident { id, group, request_id, received_at, .. } in &found {
                let (operation, code) =
                    (group.operation.as_deref().unwrap_or("-"), group.code.as_deref().unwrap_or("-"));
                let (id, time, status) = (id.get(), api_time(*received_at), group.status);
                writeln!(out, "{id:>6}  {time:<27}  {status:<6}  {operation:<22}  {code:<24}  {request_id}")?;
            }
        }
    }
    Ok(())
}

/// Returns the record with this ID or request ID.
pub(super) fn record(config: &Config, id: &str) -> Result<IncidentRecord, CliError> {
    find_record(config, id).map(|(_, record)| record)
}

/// Reads the unresolved incidents in batches, the oldest first.
///
/// Incidents that are stored in the meantime are excluded: a replay that reproduces failures on the same server creates them.
pub(super) struct UnresolvedBatches {
    migrator: Migrator,
    cipher: RecordCipher,
    filter: IncidentFilter,
    total: u64,
    after: Option<KeysetPosition>,
    started_at: Timestamp,
}

impl UnresolvedBatches {
    pub(super) fn new(config: &Config) -> Result<Self, CliError> {
        let (mut migrator, started_at) = (connect_for_reading(config)?, SystemClock.now());
        let filter =
            IncidentFilter { resolved: Some(false), received_until: Some(started_at), ..IncidentFilter::default() };
        let total = incidents::count(migrator.connection(), &filter, started_at)?;
        let total = u64::try_from(total).unwrap_or_default();
        Ok(Self { migrator, cipher: cipher(config), filter, total, after: None, started_at })
    }

    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// Returns the next batch; `None` after the last one.
    pub(super) fn next(&mut self) -> Result<Option<Vec<IncidentRecord>>, CliError> {
        let keyset = Keyset::oldest_first(self.after.take(), BATCH_SIZE);
        let rows = incidents::list_records_after(self.migrator.connection(), &self.filter, &keyset, self.started_at)?;
        let Some((last, _)) = rows.last() else { return Ok(None) };
        self.after = Some(last.position());
        rows.iter()
            .map(|(incident, stored)| decrypt(&self.cipher, incident, stored))
            .collect::<Result<_, _>>()
            .map(Some)
    }
}

fn find_record(config: &Config, id: &str) -> Result<(Incident, IncidentRecord), CliError> {
    let mut migrator = connect_for_reading(config)?;
    let found = find(migrator.connection(), id, SystemClock.now())?;
    let (incident, stored) = found.ok_or_else(|| {
        CliError::with_help(
            format!("incident `{id}` does not exist or has expired"),
            "`bucketlist incidents list` shows the stored incidents",
        )
    })?;
    let record = decrypt(&cipher(config), &incident, &stored)?;
    Ok((incident, record))
}

fn cipher(config: &Config) -> RecordCipher {
    RecordCipher::new(config.incidents.key.as_ref(), &config.incidents.previous_keys)
}

fn decrypt(cipher: &RecordCipher, incident: &Incident, stored: &StoredRecord) -> Result<IncidentRecord, CliError> {
    cipher
        .decrypt_incident(incident, stored)
        .map_err(|error| message(format!("cannot read incident {}: {error}", incident.id)))
}

/// Finds an incident by its ID or its request ID.
fn find(c: &mut DbConnection, id: &str, now: Timestamp) -> Result<Option<(Incident, StoredRecord)>, CliError> {
    if let Ok(number) = id.parse()
        && let Some(found) = incidents::find(c, IncidentId::new(number), now)?
    {
        return Ok(Some(found));
    }
    let filter = IncidentFilter { request_id: Some(id.to_owned()), ..IncidentFilter::default() };
    Ok(incidents::list_records_after(c, &filter, &Keyset::newest_first(None, 1), now)?.pop())
}

pub(super) fn show(config: &Config, id: &str, format: OutputFormat, out: &mut dyn Write) -> Result<(), CliError> {
    let (incident, record) = find_record(config, id)?;
    match format {
        OutputFormat::Json => {
            let text = serde_json::to_string_pretty(&record).map_err(|error| message(error.to_string()))?;
            writeln!(out, "{text}")?;
        }
        OutputFormat::Text => out.write_all(text(&incident, &record).as_bytes())?,
    }
    Ok(())
}

fn text(incident: &Incident, record: &IncidentRecord) -> String {
    let group = &incident.group;
    let line = |label: &str, text: &str| format!("{label:<12}{text}\n");
    let caller = record.principal.as_ref().map_or("unauthenticated".to_owned(), resend::caller);
    let mut text = line("Incident", &incident.id.to_string());
    text += &line("Request ID", &record.request_id);
    text += &line("Received", &api_time(incident.received_at));
    text += &line("Operation", record.operation.as_deref().unwrap_or("-"));
    text += &line("Response", &format!("{} {}", group.status, group.code.as_deref().unwrap_or("-")));
    text += &line("Site", &group.site);
    text += &line("Occurred", &format!("{} times, last at {}", group.occurrences, api_time(group.last_seen_at)));
    text += &line("Caller", &caller);
    text += &line("Server", &record.server_version);
    if let Some(at) = group.resolved_at() {
        let version = group.fixed_in.as_deref().map(|version| format!(", fixed in {version}")).unwrap_or_default();
        text += &line("Resolved", &format!("{}{version}", api_time(at)));
    }
    let (request, response) = (&record.request, &record.response);
    text += &format!("\n{} {}\n", request.method, request.target);
    text += &headers_and_body(&request.headers, &request.body, request.truncated);
    text += &format!("\n{}\n", response.status);
    text += &headers_and_body(&response.headers, &response.body, response.truncated);
    text
}

fn headers_and_body(headers: &[(String, String)], CapturedBody(body): &CapturedBody, truncated: bool) -> String {
    let mut text: String = headers.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
    if !body.is_empty() {
        text += &format!("\n{}\n", String::from_utf8_lossy(body));
    }
    if truncated {
        text += "… (truncated)\n";
    }
    text
}
