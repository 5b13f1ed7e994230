//! Incidents (captured requests with their responses) and incident groups.

use poem_openapi::{Enum, Object, types::Example};
use serde::{Deserialize, Serialize};

use super::{ApiScope, Links, example_time, some};
use crate::{
    documented_errors::EXAMPLE_REQUEST_ID,
    values::{Id, Nullable, Timestamp},
};

/// A header of a captured request or response.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct IncidentHeader {
    /// Name in lower case.
    #[oai(validator(max_length = 200))]
    pub name: String,
    /// Value. Credentials are masked except for their scheme.
    #[oai(validator(max_length = 16384))]
    pub value: String,
}

impl IncidentHeader {
    /// Creates a header.
    #[must_use]
    pub fn new(name: &str, value: &str) -> Self {
        Self { name: name.to_owned(), value: value.to_owned() }
    }
}

impl Example for IncidentHeader {
    fn example() -> Self {
        Self::new("content-type", "application/json")
    }
}

/// A captured body: text if it is UTF-8, otherwise base64.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct IncidentBody {
    /// Body as text; null if it is not UTF-8.
    #[oai(validator(max_length = 16777216))]
    pub text: Nullable<String>,
    /// Body in base64; null if it is UTF-8.
    #[oai(validator(max_length = 22369624))]
    pub base64: Nullable<String>,
    /// SHA-256 hash of the captured bytes, in hexadecimal.
    #[oai(validator(min_length = 64, max_length = 64))]
    pub sha256: String,
    /// Whether the body is longer than the captured part.
    pub truncated: bool,
}

/// Request body of the incident in the seed data.
pub const EXAMPLE_REQUEST: &str = "{\"name\": \"Ride to Zürich\", \"due_on\": null}";
/// Response body of the incident in the seed data.
pub const EXAMPLE_RESPONSE: &str = "{\"type\":\"/problems/internal-error\",\"title\":\"Internal error\",\
     \"status\":500,\"detail\":\"An internal error occurred.\",\"instance\":\"/v2/bucketlists/1/items\",\
     \"code\":\"INTERNAL_ERROR\",\"request_id\":\"019b76da-a800-7000-8000-000000000001\",\"retry_after\":null,\"errors\":[]}";

impl IncidentBody {
    fn example_of(text: &str, sha256: &str) -> Self {
        Self { text: some(text), base64: Nullable(None), sha256: sha256.to_owned(), truncated: false }
    }
}

impl Example for IncidentBody {
    fn example() -> Self {
        Self::example_of(EXAMPLE_REQUEST, EXAMPLE_REQUEST_SHA256)
    }
}

/// Placeholder of the access token in [`EXAMPLE_HEADERS`].
pub const EXAMPLE_PLACEHOLDER: &str = "qrTkVxpMwEo";

const EXAMPLE_REQUEST_SHA256: &str = "0dfad12aa5b73019f099d2b3655ab92762d1f60d4dafdd4013c30e4706781a68";
const EXAMPLE_RESPONSE_SHA256: &str = "1d051db7585948a7eaba600e2f7713f30f7adafabecac5572c458b2aab24a3f0";

/// A captured request. It is unchanged except for placeholders that replace sensitive values. A placeholder has the length
/// and the kinds of characters of the original.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct IncidentRequest {
    /// HTTP method.
    #[oai(validator(max_length = 100))]
    pub method: String,
    /// Path and query string.
    #[oai(validator(max_length = 65536))]
    pub target: String,
    /// Captured headers in their original order. Cookies and headers of proxies are not captured.
    #[oai(validator(max_items = 200))]
    pub headers: Vec<IncidentHeader>,
    /// Body of the request.
    pub body: IncidentBody,
}

example! { IncidentRequest {
    method: "POST".into(), target: "/v2/bucketlists/1/items".into(),
    headers: EXAMPLE_HEADERS.iter().map(|(name, value)| IncidentHeader::new(name, value)).collect(),
    body: IncidentBody::example(),
} }

/// Request headers of the incident in the seed data.
pub const EXAMPLE_HEADERS: [(&str, &str); 4] = [
    ("host", "localhost:8000"),
    ("authorization", "Bearer qrTkVxpMwEo"),
    ("content-type", "application/json"),
    ("content-length", "43"),
];

/// A captured response.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct IncidentResponse {
    /// HTTP status.
    #[oai(validator(minimum(value = "100"), maximum(value = "599")))]
    pub status: i32,
    /// Captured headers in their original order.
    #[oai(validator(max_items = 200))]
    pub headers: Vec<IncidentHeader>,
    /// Body of the response.
    pub body: IncidentBody,
}

example! { IncidentResponse {
    status: 500, headers: vec![IncidentHeader::new("content-type", "application/problem+json")],
    body: IncidentBody::example_of(EXAMPLE_RESPONSE, EXAMPLE_RESPONSE_SHA256),
} }

/// Summary of an incident, without the captured request and response.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct IncidentSummary {
    /// ID of the incident.
    pub id: Id,
    /// `X-Request-ID` of the response.
    #[oai(validator(max_length = 128))]
    pub request_id: String,
    /// Time at which the request was received.
    pub received_at: Timestamp,
    /// Processing time in microseconds.
    #[oai(validator(minimum(value = "0")))]
    pub duration_us: i64,
    /// HTTP method.
    #[oai(validator(max_length = 100))]
    pub method: String,
    /// Operation ID; null if no operation matched the request.
    #[oai(validator(max_length = 100))]
    pub operation: Nullable<String>,
    /// Version of the API: `v1` or `v2`; null for unversioned paths.
    #[oai(validator(max_length = 10))]
    pub contract: Nullable<String>,
    /// HTTP status of the response.
    #[oai(validator(minimum(value = "100"), maximum(value = "599")))]
    pub status: i32,
    /// Error code; null if the response has none.
    #[oai(validator(max_length = 100))]
    pub code: Nullable<String>,
    /// Fingerprint, a hash of operation, status, error code and internal error message.
    #[oai(validator(max_length = 64))]
    pub fingerprint: String,
    /// ID of the user; null if the request was not authenticated.
    pub user_id: Nullable<Id>,
    /// Version of the server.
    #[oai(validator(max_length = 100))]
    pub server_version: String,
    /// Whether the failure is marked as resolved and has not occurred since.
    pub resolved: bool,
    /// Version that contains the fix; null if unknown.
    #[oai(validator(max_length = 100))]
    pub fixed_in: Nullable<String>,
    /// Links to related resources and available operations.
    #[oai(rename = "_links")]
    #[serde(rename = "_links")]
    pub links: Links,
}

example! { IncidentSummary {
    id: Id(1), request_id: EXAMPLE_REQUEST_ID.into(), received_at: example_time(), duration_us: 1_234,
    method: "POST".into(), operation: some("createItem"), contract: some("v2"), status: 500,
    code: some("INTERNAL_ERROR"), fingerprint: EXAMPLE_FINGERPRINT.into(), user_id: Nullable(Some(Id(2))),
    server_version: "0.1.0".into(), resolved: false, fixed_in: Nullable(None), links: Links::Incident(1),
} }

/// Fingerprint of the incident in the seed data.
pub const EXAMPLE_FINGERPRINT: &str = "a572e864db779d218c2a1067";
/// Internal error message of the incident in the seed data, as in `site`.
pub const EXAMPLE_SITE: &str = "panic: index out of bounds";

/// A captured request and its response; usually a failed one. Sensitive data is masked.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct Incident {
    /// ID of the incident.
    pub id: Id,
    /// `X-Request-ID` of the response.
    #[oai(validator(max_length = 128))]
    pub request_id: String,
    /// Trace ID from the `traceparent` header; null if the request has none.
    #[oai(validator(max_length = 32))]
    pub trace_id: Nullable<String>,
    /// Time at which the request was received.
    pub received_at: Timestamp,
    /// Processing time in microseconds.
    #[oai(validator(minimum(value = "0")))]
    pub duration_us: i64,
    /// Operation ID; null if no operation matched the request.
    #[oai(validator(max_length = 100))]
    pub operation: Nullable<String>,
    /// Version of the API: `v1` or `v2`; null for unversioned paths.
    #[oai(validator(max_length = 10))]
    pub contract: Nullable<String>,
    /// Error code; null if the response has none.
    #[oai(validator(max_length = 100))]
    pub code: Nullable<String>,
    /// Fingerprint, a hash of operation, status, error code and internal error message.
    #[oai(validator(max_length = 64))]
    pub fingerprint: String,
    /// Internal error message without the values in it, used for grouping. Empty if there is none.
    #[oai(validator(max_length = 200))]
    pub site: String,
    /// Number of failures with this fingerprint, including those that were not captured.
    #[oai(validator(minimum(value = "1")))]
    pub occurrences: i64,
    /// ID of the user; null if the request was not authenticated.
    pub user_id: Nullable<Id>,
    /// ID of the session; null if the request was not authenticated, or was sent by an API client.
    pub session_id: Nullable<Id>,
    /// Role of the user, `user` or `admin`.
    #[oai(validator(max_length = 10))]
    pub role: Nullable<String>,
    /// ID of the API client that sent the request; null if the request was not sent with an API key.
    pub api_client_id: Nullable<Id>,
    /// Scopes of the API client when it sent the request; empty if the request was not sent with an API key.
    #[oai(validator(max_items = 10))]
    pub scopes: Vec<ApiScope>,
    /// Version of the server.
    #[oai(validator(max_length = 100))]
    pub server_version: String,
    /// Whether the failure is marked as resolved and has not occurred since.
    pub resolved: bool,
    /// Version that contains the fix; null if unknown.
    #[oai(validator(max_length = 100))]
    pub fixed_in: Nullable<String>,
    /// Placeholders of masked values in the request and the response, at most 200. Placeholders that are numbers or have fewer than
    /// four characters replace only complete values. Longer ones can also replace part of a value.
    #[oai(validator(max_items = 200, max_length = 4096))]
    pub placeholders: Vec<String>,
    /// The captured request.
    pub request: IncidentRequest,
    /// The captured response.
    pub response: IncidentResponse,
    /// Links to related resources and available operations.
    #[oai(rename = "_links")]
    #[serde(rename = "_links")]
    pub links: Links,
}

impl Example for Incident {
    fn example() -> Self {
        let summary = IncidentSummary::example();
        Self {
            id: summary.id,
            request_id: summary.request_id,
            trace_id: Nullable(None),
            received_at: summary.received_at,
            duration_us: summary.duration_us,
            operation: summary.operation,
            contract: summary.contract,
            code: summary.code,
            fingerprint: summary.fingerprint,
            site: EXAMPLE_SITE.into(),
            occurrences: 1,
            user_id: summary.user_id,
            session_id: Nullable(Some(Id(1))),
            role: some("user"),
            api_client_id: Nullable(None),
            scopes: Vec::new(),
            server_version: summary.server_version,
            resolved: false,
            fixed_in: Nullable(None),
            placeholders: vec![EXAMPLE_PLACEHOLDER.to_owned()],
            request: IncidentRequest::example(),
            response: IncidentResponse::example(),
            links: summary.links,
        }
    }
}

/// State of an incident group:
///
/// - `unresolved`: Not marked as resolved.
/// - `resolved`: Marked as resolved.
/// - `regressed`: Occurred again after it was marked as resolved.
/// - `captured`: Not a failure: a successful request that an administrator captured with `X-Debug-Capture`.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq, Serialize)]
#[oai(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum IncidentGroupState {
    /// Not marked as resolved.
    Unresolved,
    /// Marked as resolved.
    Resolved,
    /// Occurred again after it was marked as resolved.
    Regressed,
    /// Not a failure: a successful request that an administrator captured with `X-Debug-Capture`.
    Captured,
}

/// Incidents with the same fingerprint: the same operation, status, error code and internal error message.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct IncidentGroup {
    /// ID of the group.
    pub id: Id,
    /// Fingerprint of the incidents.
    #[oai(validator(max_length = 64))]
    pub fingerprint: String,
    /// Operation ID; null if no operation matched the requests.
    #[oai(validator(max_length = 100))]
    pub operation: Nullable<String>,
    /// HTTP status.
    #[oai(validator(minimum(value = "100"), maximum(value = "599")))]
    pub status: i32,
    /// Error code; null if the responses have none.
    #[oai(validator(max_length = 100))]
    pub code: Nullable<String>,
    /// Internal error message without the values in it, used for grouping. Empty if there is none.
    #[oai(validator(max_length = 200))]
    pub site: String,
    /// Number of failures, including those that were not captured.
    #[oai(validator(minimum(value = "1")))]
    pub occurrences: i64,
    /// Number of stored incidents.
    #[oai(validator(minimum(value = "0")))]
    pub incidents: i64,
    /// Number of users with a stored incident.
    #[oai(validator(minimum(value = "0")))]
    pub users: i64,
    /// Number of stored incidents on each of the last 14 days in UTC. The current day is the last.
    #[oai(validator(min_items = 14, max_items = 14, minimum(value = "0")))]
    pub activity: Vec<i64>,
    /// State of the group.
    pub state: IncidentGroupState,
    /// Time of the first failure.
    pub first_seen_at: Timestamp,
    /// Time of the last failure.
    pub last_seen_at: Timestamp,
    /// Whether the failure is marked as resolved and has not occurred since.
    pub resolved: bool,
    /// Time at which the group was marked as resolved; null if it is unresolved.
    pub resolved_at: Nullable<Timestamp>,
    /// Version that contains the fix; null if unknown.
    #[oai(validator(max_length = 100))]
    pub fixed_in: Nullable<String>,
    /// Links to related resources and available operations.
    #[oai(rename = "_links")]
    #[serde(rename = "_links")]
    pub links: Links,
}

example! { IncidentGroup {
    id: Id(1), fingerprint: EXAMPLE_FINGERPRINT.into(), operation: some("createItem"), status: 500,
    code: some("INTERNAL_ERROR"), site: EXAMPLE_SITE.into(), occurrences: 1, incidents: 1, users: 1,
    activity: [vec![0; 13], vec![1]].concat(), state: IncidentGroupState::Unresolved, first_seen_at: example_time(),
    last_seen_at: example_time(), resolved: false, resolved_at: Nullable(None), fixed_in: Nullable(None),
    links: Links::IncidentGroups,
} }

/// Changes to an incident and to all incidents with the same fingerprint. Omitted fields keep their value.
#[derive(Clone, Debug, Deserialize, Object)]
#[oai(example)]
pub struct IncidentPatch {
    /// Whether the failure is resolved. It becomes false if the failure occurs again.
    pub resolved: Option<bool>,
    /// Version that contains the fix, 1 to 100 characters. Cleared when `resolved` becomes false.
    #[oai(validator(min_length = 1, max_length = 100))]
    pub fixed_in: Option<String>,
}

example! { IncidentPatch { resolved: Some(true), fixed_in: Some("0.2.0".into()) } }

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ApiError, ErrorCode, problem::Problem};

    #[test]
    fn example_response_is_that_of_the_server() {
        let error = ApiError::new(ErrorCode::InternalError);
        let problem = Problem::new(&error, "/v2/bucketlists/1/items", EXAMPLE_REQUEST_ID);
        assert_eq!(serde_json::to_string(&problem).ok().as_deref(), Some(EXAMPLE_RESPONSE));
    }
}
