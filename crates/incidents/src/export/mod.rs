//! Exports of records for other programs: Postman collections, curl commands and HTTP archives (HAR).
//!
//! An export sends exactly the captured bytes, or names what it cannot send. Nothing here reads files or sends requests.

mod curl;
mod har;
mod postman;
mod template;
#[cfg(test)]
mod tests;

pub use curl::curl;
pub use har::har;
pub use postman::{PostmanExport, collection};

use super::IncidentRecord;

/// A file that an export refers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    pub name: String,
    pub bytes: Vec<u8>,
}

/// Returns `incident 7`, or `request` and the request ID of a record that is not stored.
fn title(record: &IncidentRecord) -> String {
    match record.id {
        0 => format!("request {}", record.request_id),
        id => format!("incident {id}"),
    }
}

/// Formats microseconds since 1970 as RFC 3339.
fn rfc3339(micros: i64) -> String {
    chrono::DateTime::from_timestamp_micros(micros)
        .map(|time| time.to_rfc3339_opts(chrono::SecondsFormat::Micros, true))
        .unwrap_or_default()
}
