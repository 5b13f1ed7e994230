//! A request and its answer as they were: with every secret in them.
//!
//! Lives in memory only, for as long as it takes to make a [`super::Record`] of it. Has no `Debug`, and is written nowhere.

use bytes::Bytes;
use openapi_model::Operation;

use super::Principal;

/// A request that has been answered.
pub struct Exchange {
    pub request_id: String,
    pub trace_id: Option<String>,
    /// When the request came, in microseconds since 1970.
    pub received_at: i64,
    /// How long the answer took, in microseconds.
    pub duration: i64,
    /// `v1`, `v2`; `None` outside the versions.
    pub contract: Option<&'static str>,
    /// The operation of the document.
    pub operation: Option<&'static Operation>,
    /// The error's code.
    pub code: Option<&'static str>,
    /// Where it went wrong, without values.
    pub site: String,
    pub principal: Option<Principal>,
    pub method: String,
    /// Path and query, as they came.
    pub target: String,
    pub headers: Vec<(String, Vec<u8>)>,
    /// What was read of the body, piece by piece.
    pub body: Vec<Bytes>,
    /// Whether that is not all of it.
    pub is_body_truncated: bool,
    pub status: u16,
    pub response_headers: Vec<(String, Vec<u8>)>,
    pub response_body: Bytes,
    pub is_response_truncated: bool,
}
