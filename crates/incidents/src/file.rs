//! Incident files: exported records, and regression tests made of them.

use std::{fs, path::Path};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{IncidentRecord, record::FORMAT};

/// Value of `format` in the file of a regression test.
pub const REGRESSION_TEST_FORMAT: &str = "bucketlist-regression-test/1";

/// The earlier name of [`REGRESSION_TEST_FORMAT`], which is still read.
const OLD_REGRESSION_TEST_FORMAT: &str = "bucketlist-kept-incident/1";

/// A fixed failure: the requests of one session, and the responses that show that it is still fixed.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct RegressionTest {
    /// [`REGRESSION_TEST_FORMAT`].
    pub format: String,
    /// Description of the failure.
    pub title: String,
    /// First version that contains the fix.
    pub fixed_in: String,
    /// Expected response of each request, in the same order.
    pub expect: Vec<ExpectedResponse>,
    pub records: Vec<IncidentRecord>,
}

/// Status and error code of a response.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct ExpectedResponse {
    pub status: u16,
    /// Error code; `None` for a successful response.
    pub code: Option<String>,
}

/// The content of an incident file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IncidentFile {
    /// Captured failures.
    Captured(Vec<IncidentRecord>),
    /// A fixed failure.
    RegressionTest(RegressionTest),
}

impl IncidentFile {
    /// Returns the records in the order of the file.
    #[must_use]
    pub fn records(&self) -> &[IncidentRecord] {
        match self {
            Self::Captured(records) => records,
            Self::RegressionTest(test) => &test.records,
        }
    }
}

/// An incident file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error("cannot read `{path}`: {error}")]
    Io { path: String, error: std::io::Error },
    #[error("`{path}` is not an incident file: {reason}")]
    Invalid { path: String, reason: String },
}

/// Reads an incident file: one record, a list of records, or a regression test.
///
/// # Errors
/// [`FileError`] if the file cannot be read or has another format.
pub fn read(path: &Path) -> Result<IncidentFile, FileError> {
    let name = path.display().to_string();
    let bytes = fs::read(path).map_err(|error| FileError::Io { path: name.clone(), error })?;
    parse(&bytes).map_err(|reason| FileError::Invalid { path: name, reason })
}

/// Parses the content of an incident file.
///
/// # Errors
/// The reason why the content is not an incident file.
pub fn parse(bytes: &[u8]) -> Result<IncidentFile, String> {
    let value: Value = serde_json::from_slice(bytes).map_err(|error| format!("invalid JSON ({error})"))?;
    let invalid = |error: serde_json::Error| format!("invalid record ({error}); export the incident again");
    let format = value.get("format").and_then(Value::as_str);
    if format.is_some_and(|format| [REGRESSION_TEST_FORMAT, OLD_REGRESSION_TEST_FORMAT].contains(&format)) {
        let test: RegressionTest = serde_json::from_value(value).map_err(invalid)?;
        if test.expect.len() != test.records.len() || test.records.is_empty() {
            return Err("`expect` must have one entry for each record".to_owned());
        }
        for record in &test.records {
            check_format(Some(&record.format))?;
        }
        return Ok(IncidentFile::RegressionTest(test));
    }
    let records = match value {
        Value::Array(list) if list.is_empty() => return Err("the list is empty".to_owned()),
        Value::Array(list) => list,
        record => vec![record],
    };
    let records: Vec<IncidentRecord> = records
        .into_iter()
        .map(|record| {
            check_is_record(&record)?;
            serde_json::from_value(record).map_err(invalid)
        })
        .collect::<Result<_, String>>()?;
    Ok(IncidentFile::Captured(records))
}

fn check_format(format: Option<&str>) -> Result<(), String> {
    match format {
        Some(FORMAT) => Ok(()),
        Some(format) => Err(format!("format `{format}` is not supported; this version reads `{FORMAT}`")),
        None => Err(format!("`format` is missing (expected `{FORMAT}`)")),
    }
}

fn check_is_record(value: &Value) -> Result<(), String> {
    if value.pointer("/info/schema").is_some() {
        Err("it is a Postman collection; import it into Postman or run it with Newman".to_owned())
    } else if value.pointer("/log/version").is_some() {
        Err("it is an HTTP archive (HAR); use the output of `incidents show --format json`".to_owned())
    } else {
        check_format(value.get("format").and_then(Value::as_str))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn earlier_format_of_regression_tests_is_read() {
        let text = include_str!("../../../postman/incidents/a-compressed-body-was-taken-for-json.json");
        assert!(text.contains(REGRESSION_TEST_FORMAT));
        let current = parse(text.as_bytes()).unwrap();
        assert!(matches!(current, IncidentFile::RegressionTest(_)));
        let earlier = text.replace(REGRESSION_TEST_FORMAT, OLD_REGRESSION_TEST_FORMAT);
        assert_eq!(parse(earlier.as_bytes()).unwrap().records(), current.records());
    }

    #[test]
    fn other_content_is_rejected_with_a_reason() {
        for (text, expected) in [
            ("", "invalid JSON (EOF"),
            ("[]", "the list is empty"),
            ("3", "`format` is missing"),
            (r#"{"info": {"schema": "https://schema.getpostman.com/"}}"#, "it is a Postman collection"),
            (r#"{"log": {"version": "1.2"}}"#, "it is an HTTP archive"),
            (r#"{"format": "bucketlist-incident/9"}"#, "format `bucketlist-incident/9` is not supported"),
            (
                r#"[{"format": "bucketlist-incident/1"}]"#,
                "invalid record (missing field `id`); export the incident again",
            ),
            (r#"{"format": "bucketlist-regression-test/1"}"#, "invalid record (missing field `title`)"),
            (r#"{"format": "bucketlist-kept-incident/1"}"#, "invalid record (missing field `title`)"),
            (
                r#"{"format": "bucketlist-regression-test/1", "title": "", "fixed_in": "", "expect": [], "records": []}"#,
                "`expect` must have one entry for each record",
            ),
        ] {
            let reason = parse(text.as_bytes()).unwrap_err();
            assert!(reason.starts_with(expected), "{text}: {reason}");
        }
    }
}
