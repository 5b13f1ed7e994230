//! Records as what other programs read: a Postman collection, a command for a shell, a HAR archive.
//!
//! Owns the formats. Each sends exactly the bytes that were captured, or says that it cannot. Pure: nothing here reads or
//! sends anything.

mod curl;
mod har;
mod postman;
#[cfg(test)]
mod tests;

pub use curl::curl;
pub use har::har;
pub use postman::{Collection, collection};

use super::Record;

/// A file beside an export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    pub name: String,
    pub bytes: Vec<u8>,
}

/// What an incident is called: `incident 7`, or by its request as long as it has no number.
fn title(record: &Record) -> String {
    match record.id {
        0 => format!("request {}", record.request_id),
        id => format!("incident {id}"),
    }
}

/// An instant in microseconds since 1970 as RFC 3339.
fn instant(micros: i64) -> String {
    chrono::DateTime::from_timestamp_micros(micros)
        .map(|at| at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true))
        .unwrap_or_default()
}
