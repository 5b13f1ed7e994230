//! RFC 9457 problem details: the error body of everything outside `/v1`.

use document::Location;
use serde::Serialize;

use crate::{ApiError, Detail, ErrorCode};

/// The media type of a problem.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// One problem.
#[derive(Debug, Serialize)]
pub struct Problem<'a> {
    /// A page of this server that explains the problem.
    #[serde(rename = "type")]
    pub kind: String,
    /// What kind of problem, the same for each occurrence.
    pub title: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// What happened this time.
    pub detail: &'a str,
    /// The path that was asked for.
    pub instance: &'a str,
    /// The code, shared with v1.
    pub code: ErrorCode,
    /// Names the request in the log.
    pub request_id: &'a str,
    /// After how many seconds to try again.
    pub retry_after: Option<u32>,
    /// What is wrong and where.
    pub errors: Vec<ProblemError<'a>>,
}

/// One thing that is wrong: `pointer` into the body, or the name of a `parameter` or `header`.
#[derive(Debug, Serialize)]
pub struct ProblemError<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pointer: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameter: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    header: Option<&'a str>,
    code: &'static str,
    detail: &'a str,
}

impl<'a> Problem<'a> {
    /// The problem that `error` is, at `instance`.
    #[must_use]
    pub fn new(error: &'a ApiError, instance: &'a str, request_id: &'a str) -> Self {
        Self {
            kind: format!("/problems/{}", slug(error.code)),
            title: error.code.message(),
            status: error.code.status(),
            detail: error.message(),
            instance,
            code: error.code,
            request_id,
            retry_after: error.retry_after,
            errors: error.details.iter().map(ProblemError::new).collect(),
        }
    }
}

impl<'a> ProblemError<'a> {
    fn new(detail: &'a Detail) -> Self {
        let mut error =
            Self { pointer: None, parameter: None, header: None, code: detail.code, detail: &detail.message };
        match &detail.location {
            Location::Body(pointer) => error.pointer = Some(pointer),
            Location::Query(name) | Location::Path(name) => error.parameter = Some(name),
            Location::Header(name) => error.header = Some(name),
        }
        error
    }
}

/// The last segment of the page that explains a code: `BUCKETLIST_NOT_FOUND` is at `/problems/bucketlist-not-found`.
#[must_use]
pub fn slug(code: ErrorCode) -> String {
    code.as_str().to_ascii_lowercase().replace('_', "-")
}
