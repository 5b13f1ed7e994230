//! `bucketlist incidents list` and `show`: what the server has kept in its database.

use std::io::Write;

use ::incidents::{Bytes, Record, file::Incidents};
use clap::Args;

use crate::{
    capture::{RecordCipher, Sealed},
    cli::{CliError, OutputFormat, migrate::connect},
    config::Config,
    db::{
        DbConnection,
        repositories::incidents::{self, Filter, Found},
    },
    domain::{Clock, Keyset, SystemClock},
};

/// Which ones to list.
#[derive(Args, Clone, Debug)]
pub(in crate::cli) struct Listed {
    /// How many at most, the newest first.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(i64).range(1..=1_000))]
    limit: i64,
    /// Only those of this operation, such as createItem.
    #[arg(long)]
    operation: Option<String>,
    /// Only those with this error code, such as INTERNAL_ERROR.
    #[arg(long)]
    code: Option<String>,
    /// Only those that are not resolved.
    #[arg(long)]
    open: bool,
}

pub(super) fn list(config: &Config, which: &Listed, format: OutputFormat, out: &mut dyn Write) -> Result<(), CliError> {
    let mut migrator = connect(config)?;
    let filter = Filter {
        operation: which.operation.clone(),
        code: which.code.clone(),
        resolved: which.open.then_some(false),
        now: SystemClock.now().micros(),
        ..Filter::default()
    };
    let found = incidents::list_after(migrator.connection(), &filter, &Keyset::newest_first(None, which.limit))?;
    match format {
        OutputFormat::Json => {
            for (row, group) in &found {
                let line = serde_json::json!({
                    "id": row.id,
                    "request_id": row.request_id,
                    "received_at": time(row.created_at),
                    "status": group.status,
                    "code": group.code,
                    "operation": group.operation,
                    "fingerprint": group.fingerprint,
                    "resolved": group.resolved_at.is_some(),
                    "fixed_in": group.fixed_in,
                });
                writeln!(out, "{line}")?;
            }
        }
        OutputFormat::Text if found.is_empty() => writeln!(out, "There are no such incidents.")?,
        OutputFormat::Text => {
            writeln!(
                out,
                "{:>6}  {:<27}  {:<6}  {:<22}  {:<24}  REQUEST",
                "ID", "RECEIVED", "STATUS", "OPERATION", "CODE"
            )?;
            for (row, group) in &found {
                let (operation, code) =
                    (group.operation.as_deref().unwrap_or("-"), group.code.as_deref().unwrap_or("-"));
                let (time, status) = (time(row.created_at), group.status);
                writeln!(
                    out,
                    "{:>6}  {time:<27}  {status:<6}  {operation:<22}  {code:<24}  {}",
                    row.id, row.request_id
                )?;
            }
        }
    }
    Ok(())
}

/// One incident, whole.
pub(super) fn record(config: &Config, which: &str) -> Result<Record, CliError> {
    whole(config, which).map(|(_, record)| record)
}

/// Every incident that nobody has resolved, the oldest first.
pub(super) fn open(config: &Config) -> Result<Vec<Incidents>, CliError> {
    let mut migrator = connect(config)?;
    let filter = Filter { resolved: Some(false), now: SystemClock.now().micros(), ..Filter::default() };
    let found = incidents::list_after(migrator.connection(), &filter, &Keyset::newest_first(None, i64::MAX))?;
    let mut records = Vec::new();
    for (row, _) in found.iter().rev() {
        let whole = incidents::find(migrator.connection(), row.id, filter.now)?;
        // One that has expired meanwhile is gone.
        if let Some((found, bytes)) = whole {
            records.push(Incidents::Captured(vec![unsealed(config, &found, bytes)?]));
        }
    }
    if records.is_empty() {
        return Err(CliError::Message("there are no incidents that nobody has resolved".to_owned()));
    }
    Ok(records)
}

fn whole(config: &Config, which: &str) -> Result<(Found, Record), CliError> {
    let mut migrator = connect(config)?;
    let found = find(migrator.connection(), which, SystemClock.now().micros())?;
    let (found, bytes) = found.ok_or_else(|| {
        CliError::Message(format!("there is no incident `{which}`: it has expired, or `incidents list` shows others"))
    })?;
    let record = unsealed(config, &found, bytes)?;
    Ok((found, record))
}

fn unsealed(config: &Config, (row, _): &Found, bytes: Vec<u8>) -> Result<Record, CliError> {
    let vault = RecordCipher::new(config.incidents.key.as_ref(), &config.incidents.previous_keys);
    let sealed = Sealed { key_id: row.key_id.clone(), bytes };
    let record = vault
        .open(&sealed, &row.request_id, row.created_at)
        .map_err(|error| CliError::Message(format!("incident {}: {error}", row.id)))?;
    Ok(Record { id: row.id, ..record })
}

pub(super) fn show(config: &Config, which: &str, format: OutputFormat, out: &mut dyn Write) -> Result<(), CliError> {
    let ((row, group), record) = whole(config, which)?;
    match format {
        OutputFormat::Json => {
            let text = serde_json::to_string_pretty(&record).map_err(|error| CliError::Message(error.to_string()))?;
            writeln!(out, "{text}")?;
        }
        OutputFormat::Text => {
            let say = |what: &str, text: &str| format!("{what:<12}{text}\n");
            let mut text = say("Incident", &row.id.to_string());
            text += &say("Request", &record.request_id);
            text += &say("Received", &time(record.received_at));
            text += &say("Operation", record.operation.as_deref().unwrap_or("-"));
            text += &say("Failed with", &format!("{} {}", group.status, group.code.as_deref().unwrap_or("-")));
            text += &say("At", &group.site);
            text += &say("Met", &format!("{} times, last {}", group.occurrences, time(group.updated_at)));
            let asked = record.principal.as_ref();
            let asked = asked.map_or("nobody known".to_owned(), |one| format!("{} {}", one.role, one.user_id));
            text += &say("Asked by", &asked);
            text += &say("Server", &record.server_version);
            if let Some(at) = group.resolved_at {
                let version = group.fixed_in.as_deref().unwrap_or("an unnamed version");
                text += &say("Resolved", &format!("{} in {version}", time(at)));
            }
            text += &format!("\n{} {}\n", record.request.method, record.request.target);
            text += &content(&record.request.headers, &record.request.body, record.request.truncated);
            text += &format!("\n{}\n", record.response.status);
            text += &content(&record.response.headers, &record.response.body, record.response.truncated);
            out.write_all(text.as_bytes())?;
        }
    }
    Ok(())
}

fn content(headers: &[(String, String)], Bytes(body): &Bytes, truncated: bool) -> String {
    let mut text: String = headers.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
    if !body.is_empty() {
        // A terminal must not be told to do anything.
        let body = String::from_utf8_lossy(body);
        let shown = |c: char| if c.is_control() && !"\n\t".contains(c) { '\u{fffd}' } else { c };
        text += &format!("\n{}\n", body.chars().map(shown).collect::<String>());
    }
    if truncated {
        text += "… and more, which was not kept\n";
    }
    text
}

/// By its number, or by the id of its request.
fn find(c: &mut DbConnection, which: &str, now: i64) -> Result<Option<(Found, Vec<u8>)>, CliError> {
    if let Ok(id) = which.parse()
        && let Some(found) = incidents::find(c, id, now)?
    {
        return Ok(Some(found));
    }
    let filter = Filter { request_id: Some(which.to_owned()), now, ..Filter::default() };
    let found = incidents::list_after(c, &filter, &Keyset::newest_first(None, 1))?;
    Ok(match found.first() {
        Some((row, _)) => incidents::find(c, row.id, now)?,
        None => None,
    })
}

fn time(micros: i64) -> String {
    let time = chrono::DateTime::from_timestamp_micros(micros).unwrap_or_default();
    time.to_rfc3339_opts(chrono::SecondsFormat::Micros, true)
}
