//! A request with its response before redaction.

use bytes::Bytes;
use openapi_model::Operation;

use super::{ContractVersion, Principal};

/// A request with its response, sensitive data included.
///
/// Exists in memory only, until [`Redactor`](super::Redactor) turns it into a record. It has no `Debug`, so that it cannot be
/// logged, and is never stored.
pub struct Exchange {
    pub request_id: String,
    pub trace_id: Option<String>,
    /// Time at which the server received the request, in microseconds since 1970.
    pub received_at: i64,
    /// Time until the response was ready, in microseconds.
    pub duration: i64,
    /// Contract of the request; `None` for unversioned paths.
    pub contract: Option<ContractVersion>,
    /// Operation that the request matched.
    pub operation: Option<&'static Operation>,
    /// Error code of the response.
    pub code: Option<&'static str>,
    /// Origin of the error: its causes without values.
    pub site: String,
    pub principal: Option<Principal>,
    pub method: String,
    /// Path and query as received.
    pub target: String,
    pub headers: Vec<(String, Vec<u8>)>,
    /// Chunks of the body that were read, up to the capture limit.
    pub body: Vec<Bytes>,
    pub is_body_truncated: bool,
    pub status: u16,
    pub response_headers: Vec<(String, Vec<u8>)>,
    pub response_body: Bytes,
    pub is_response_truncated: bool,
}
