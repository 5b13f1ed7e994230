//! Incidents in files: what was exported as JSON, and what is kept fixed.

use std::{fs, path::Path};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Record, record::FORMAT};

/// What the file of a kept incident says it is.
pub const KEPT_FORMAT: &str = "bucketlist-kept-incident/1";

/// A failure that has been mended, and must stay so: one request, or several of one session.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Kept {
    /// [`KEPT_FORMAT`].
    pub format: String,
    /// What was wrong, for people.
    pub title: String,
    /// The version in which it was first seen to be mended.
    pub fixed_in: String,
    /// What each request must be answered, in their order.
    pub expect: Vec<Expected>,
    pub records: Vec<Record>,
}

/// The answer that mends a failure.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Expected {
    pub status: u16,
    /// The error's code, if it is one.
    pub code: Option<String>,
}

/// What was in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incidents {
    /// Failures as they were captured.
    Captured(Vec<Record>),
    /// Failures that must not come back.
    Kept(Kept),
}

impl Incidents {
    /// The records, in the order they were written.
    #[must_use]
    pub fn records(&self) -> &[Record] {
        match self {
            Incidents::Captured(records) => records,
            Incidents::Kept(kept) => &kept.records,
        }
    }
}

/// Why a file holds no incident: a sentence that names it.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error("`{path}` cannot be read: {error}")]
    Unreadable { path: String, error: std::io::Error },
    #[error("`{path}` holds no incident: {why}")]
    Foreign { path: String, why: String },
}

/// Reads what an incident's file holds: one record, a list of them, or a kept incident.
///
/// # Errors
/// [`FileError`]: what the file is instead, or what in it is damaged.
pub fn read(path: &Path) -> Result<Incidents, FileError> {
    let name = path.display().to_string();
    let bytes = fs::read(path).map_err(|error| FileError::Unreadable { path: name.clone(), error })?;
    parse(&bytes).map_err(|why| FileError::Foreign { path: name, why })
}

/// Reads incidents from the text of a file.
///
/// # Errors
/// What it is instead, or what in it is damaged.
pub fn parse(bytes: &[u8]) -> Result<Incidents, String> {
    let value: Value = serde_json::from_slice(bytes).map_err(|error| format!("it is not JSON ({error})"))?;
    let damaged = |error: serde_json::Error| format!("it is damaged ({error}); export it again");
    if value.get("format").is_some_and(|format| format == KEPT_FORMAT) {
        let kept: Kept = serde_json::from_value(value).map_err(damaged)?;
        if kept.expect.len() != kept.records.len() || kept.records.is_empty() {
            return Err("it does not say of each request what must be answered".to_owned());
        }
        kept.records.iter().try_for_each(known)?;
        return Ok(Incidents::Kept(kept));
    }
    let records = match value {
        Value::Array(list) if list.is_empty() => return Err("its list is empty".to_owned()),
        Value::Array(list) => list,
        one => vec![one],
    };
    let records: Vec<Record> = records
        .into_iter()
        .map(|record| {
            named(&record)?;
            serde_json::from_value(record).map_err(damaged)
        })
        .collect::<Result<_, String>>()?;
    Ok(Incidents::Captured(records))
}

fn known(record: &Record) -> Result<(), String> {
    if record.format == FORMAT { Ok(()) } else { Err(unknown(&record.format)) }
}

fn unknown(format: &str) -> String {
    format!("its format is `{format}`, and this version of bucketlist reads `{FORMAT}`")
}

/// What a piece of JSON is that is no record.
fn named(value: &Value) -> Result<(), String> {
    match value.get("format").and_then(Value::as_str) {
        Some(FORMAT) => return Ok(()),
        Some(format) => return Err(unknown(format)),
        None => {}
    }
    Err(if value.pointer("/info/schema").is_some() {
        "it is a Postman collection; import it into Postman or give it to Newman".to_owned()
    } else if value.pointer("/log/version").is_some() {
        "it is an HTTP archive (HAR); give the incident's JSON, `incidents show --format json` prints it".to_owned()
    } else {
        format!("it does not say that it is one (`\"format\": \"{FORMAT}\"`)")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_incident_is_named() {
        for (text, expected) in [
            ("", "it is not JSON (EOF"),
            ("[]", "its list is empty"),
            ("3", "it does not say that it is one"),
            (r#"{"info": {"schema": "https://schema.getpostman.com/"}}"#, "it is a Postman collection"),
            (r#"{"log": {"version": "1.2"}}"#, "it is an HTTP archive"),
            (r#"{"format": "bucketlist-incident/9"}"#, "its format is `bucketlist-incident/9`, and this version"),
            (r#"[{"format": "bucketlist-incident/1"}]"#, "it is damaged (missing field `id`); export it again"),
            (r#"{"format": "bucketlist-kept-incident/1"}"#, "it is damaged (missing field `title`)"),
            (
                r#"{"format": "bucketlist-kept-incident/1", "title": "", "fixed_in": "", "expect": [], "records": []}"#,
                "it does not say of each request what must be answered",
            ),
        ] {
            let why = parse(text.as_bytes()).unwrap_err();
            assert!(why.starts_with(expected), "{text}: {why}");
        }
    }
}
