//! Incidents: failed requests, redacted, and the groups of equal ones.

use poem_openapi::{Object, types::Example};
use serde::{Deserialize, Serialize};

use super::{Links, example_time, some};
use crate::{
    rules::EXAMPLE_REQUEST_ID,
    values::{Id, Nullable, Timestamp},
};

/// A header of a kept request or answer.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct IncidentHeader {
    /// Its name, in lower case.
    #[oai(validator(max_length = 200))]
    pub name: String,
    /// Its value; of credentials only the scheme, and a stand-in.
    #[oai(validator(max_length = 16384))]
    pub value: String,
}

impl IncidentHeader {
    /// A header.
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

/// A kept body: text where it is UTF-8, else base64.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct IncidentBody {
    /// The body, if it is UTF-8.
    #[oai(validator(max_length = 16777216))]
    pub text: Nullable<String>,
    /// The body in base64, if it is not.
    #[oai(validator(max_length = 22369624))]
    pub base64: Nullable<String>,
    /// The SHA-256 of the bytes, in hexadecimal.
    #[oai(validator(min_length = 64, max_length = 64))]
    pub sha256: String,
    /// Whether there was more than is kept.
    pub truncated: bool,
}

/// What the body of the seeded incident's request was.
pub const EXAMPLE_REQUEST: &str = "{\"name\": \"Ride to Zürich\", \"due_on\": null}";
/// What its answer was.
pub const EXAMPLE_RESPONSE: &str = "{\"type\":\"/problems/INTERNAL_ERROR\",\"title\":\"Something went wrong on our \
     side.\",\"status\":500,\"detail\":\"Something went wrong on our side.\",\"instance\":\"/v2/bucketlists/1/items\",\
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

const EXAMPLE_REQUEST_SHA256: &str = "0dfad12aa5b73019f099d2b3655ab92762d1f60d4dafdd4013c30e4706781a68";
const EXAMPLE_RESPONSE_SHA256: &str = "8b8953ae6b5c05f3d4305dd1829707f7b93e9e0894762c5a53172dc3e8ba1818";

/// A kept request: byte for byte as it was sent, but for stand-ins in the places of secrets. A stand-in has the length and
/// the kinds of characters of its secret, so that the request still fails as it did.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct IncidentRequest {
    /// The HTTP method.
    #[oai(validator(max_length = 100))]
    pub method: String,
    /// Path and query, as they were sent.
    #[oai(validator(max_length = 65536))]
    pub target: String,
    /// The headers that are kept, in their order. Those of others, such as cookies, are not.
    #[oai(validator(max_items = 200))]
    pub headers: Vec<IncidentHeader>,
    /// The body.
    pub body: IncidentBody,
}

impl Example for IncidentRequest {
    fn example() -> Self {
        Self {
            method: "POST".into(),
            target: "/v2/bucketlists/1/items".into(),
            headers: EXAMPLE_HEADERS.iter().map(|(name, value)| IncidentHeader::new(name, value)).collect(),
            body: IncidentBody::example(),
        }
    }
}

/// The headers of the seeded incident's request.
pub const EXAMPLE_HEADERS: [(&str, &str); 4] = [
    ("host", "localhost:8000"),
    ("authorization", "Bearer qrTkVxpMwEo"),
    ("content-type", "application/json"),
    ("content-length", "43"),
];

/// A kept answer.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct IncidentResponse {
    /// The HTTP status.
    #[oai(validator(minimum(value = "100"), maximum(value = "599")))]
    pub status: i32,
    /// The headers that are kept, in their order.
    #[oai(validator(max_items = 200))]
    pub headers: Vec<IncidentHeader>,
    /// The body.
    pub body: IncidentBody,
}

impl Example for IncidentResponse {
    fn example() -> Self {
        Self {
            status: 500,
            headers: vec![IncidentHeader::new("content-type", "application/problem+json")],
            body: IncidentBody::example_of(EXAMPLE_RESPONSE, EXAMPLE_RESPONSE_SHA256),
        }
    }
}

/// A failed request, without its content.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct IncidentSummary {
    /// Identifies the incident.
    pub id: Id,
    /// The `X-Request-ID` that the client was told.
    #[oai(validator(max_length = 128))]
    pub request_id: String,
    /// When the request came.
    pub received_at: Timestamp,
    /// How long the answer took, in microseconds.
    #[oai(validator(minimum(value = "0")))]
    pub duration_us: i64,
    /// The HTTP method.
    #[oai(validator(max_length = 100))]
    pub method: String,
    /// The operationId, if the request had one.
    #[oai(validator(max_length = 100))]
    pub operation: Nullable<String>,
    /// The version of the contract, `v1` or `v2`; null outside of both.
    #[oai(validator(max_length = 10))]
    pub contract: Nullable<String>,
    /// The HTTP status of the answer.
    #[oai(validator(minimum(value = "100"), maximum(value = "599")))]
    pub status: i32,
    /// The error's code, if the answer names one.
    #[oai(validator(max_length = 100))]
    pub code: Nullable<String>,
    /// Equal for equal failures: operation, status, code and where it went wrong.
    #[oai(validator(max_length = 64))]
    pub fingerprint: String,
    /// Who asked, if that was known.
    pub user_id: Nullable<Id>,
    /// The build that answered.
    #[oai(validator(max_length = 100))]
    pub server_version: String,
    /// Whether these failures are said to be fixed, and none has been met since.
    pub resolved: bool,
    /// The version in which they are said to be fixed.
    #[oai(validator(max_length = 100))]
    pub fixed_in: Nullable<String>,
    /// Where to go from here.
    #[oai(rename = "_links")]
    #[serde(rename = "_links")]
    pub links: Links,
}

impl Example for IncidentSummary {
    fn example() -> Self {
        Self {
            id: Id(1),
            request_id: EXAMPLE_REQUEST_ID.into(),
            received_at: example_time(),
            duration_us: 1_234,
            method: "POST".into(),
            operation: some("createItem"),
            contract: some("v2"),
            status: 500,
            code: some("INTERNAL_ERROR"),
            fingerprint: EXAMPLE_FINGERPRINT.into(),
            user_id: Nullable(Some(Id(2))),
            server_version: "0.1.0".into(),
            resolved: false,
            fixed_in: Nullable(None),
            links: Links::Incident(1),
        }
    }
}

/// The fingerprint of the seeded incident.
pub const EXAMPLE_FINGERPRINT: &str = "a572e864db779d218c2a1067";
/// Where the seeded incident went wrong.
pub const EXAMPLE_SITE: &str = "panic: index out of bounds";

/// A failed request with its content, redacted.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct Incident {
    /// Identifies the incident.
    pub id: Id,
    /// The `X-Request-ID` that the client was told.
    #[oai(validator(max_length = 128))]
    pub request_id: String,
    /// The trace of `traceparent`, if the request had one.
    #[oai(validator(max_length = 32))]
    pub trace_id: Nullable<String>,
    /// When the request came.
    pub received_at: Timestamp,
    /// How long the answer took, in microseconds.
    #[oai(validator(minimum(value = "0")))]
    pub duration_us: i64,
    /// The operationId, if the request had one.
    #[oai(validator(max_length = 100))]
    pub operation: Nullable<String>,
    /// The version of the contract, `v1` or `v2`; null outside of both.
    #[oai(validator(max_length = 10))]
    pub contract: Nullable<String>,
    /// The error's code, if the answer names one.
    #[oai(validator(max_length = 100))]
    pub code: Nullable<String>,
    /// Equal for equal failures: operation, status, code and where it went wrong.
    #[oai(validator(max_length = 64))]
    pub fingerprint: String,
    /// Where it went wrong, in words without values; may be empty.
    #[oai(validator(max_length = 200))]
    pub site: String,
    /// How often failures equal to this one were met, also without being kept.
    #[oai(validator(minimum(value = "1")))]
    pub occurrences: i64,
    /// Who asked, if that was known.
    pub user_id: Nullable<Id>,
    /// In which session.
    pub session_id: Nullable<Id>,
    /// As `user` or as `admin`.
    #[oai(validator(max_length = 10))]
    pub role: Nullable<String>,
    /// The build that answered.
    #[oai(validator(max_length = 100))]
    pub server_version: String,
    /// Whether these failures are said to be fixed, and none has been met since.
    pub resolved: bool,
    /// The version in which they are said to be fixed.
    #[oai(validator(max_length = 100))]
    pub fixed_in: Nullable<String>,
    /// What was asked.
    pub request: IncidentRequest,
    /// What was answered.
    pub response: IncidentResponse,
    /// Where to go from here.
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
            server_version: summary.server_version,
            resolved: false,
            fixed_in: Nullable(None),
            request: IncidentRequest::example(),
            response: IncidentResponse::example(),
            links: summary.links,
        }
    }
}

/// Failures that are equal: the same operation, status, code, and place where it went wrong.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct IncidentGroup {
    /// Identifies the group.
    pub id: Id,
    /// What its incidents have in common.
    #[oai(validator(max_length = 64))]
    pub fingerprint: String,
    /// The operationId, if the requests had one.
    #[oai(validator(max_length = 100))]
    pub operation: Nullable<String>,
    /// The HTTP status.
    #[oai(validator(minimum(value = "100"), maximum(value = "599")))]
    pub status: i32,
    /// The error's code, if there is one.
    #[oai(validator(max_length = 100))]
    pub code: Nullable<String>,
    /// Where it went wrong, in words without values; may be empty.
    #[oai(validator(max_length = 200))]
    pub site: String,
    /// How often, also without being kept.
    #[oai(validator(minimum(value = "1")))]
    pub occurrences: i64,
    /// When one was met first.
    pub first_seen_at: Timestamp,
    /// When one was met last.
    pub last_seen_at: Timestamp,
    /// Whether they are said to be fixed, and none has been met since.
    pub resolved: bool,
    /// Since when they are said to be fixed.
    pub resolved_at: Nullable<Timestamp>,
    /// The version in which they are said to be fixed.
    #[oai(validator(max_length = 100))]
    pub fixed_in: Nullable<String>,
    /// Where to go from here.
    #[oai(rename = "_links")]
    #[serde(rename = "_links")]
    pub links: Links,
}

impl Example for IncidentGroup {
    fn example() -> Self {
        Self {
            id: Id(1),
            fingerprint: EXAMPLE_FINGERPRINT.into(),
            operation: some("createItem"),
            status: 500,
            code: some("INTERNAL_ERROR"),
            site: EXAMPLE_SITE.into(),
            occurrences: 1,
            first_seen_at: example_time(),
            last_seen_at: example_time(),
            resolved: false,
            resolved_at: Nullable(None),
            fixed_in: Nullable(None),
            links: Links::IncidentGroups,
        }
    }
}

/// What an administrator says of an incident, and of all that are equal to it. What is left out stays.
#[derive(Clone, Debug, Deserialize, Object)]
#[oai(example)]
pub struct IncidentPatch {
    /// Whether it is fixed. When an equal failure is met again, it is no longer.
    pub resolved: Option<bool>,
    /// The version in which it is fixed; gone when it is said not to be.
    #[oai(validator(min_length = 1, max_length = 100))]
    pub fixed_in: Option<String>,
}

impl Example for IncidentPatch {
    fn example() -> Self {
        Self { resolved: Some(true), fixed_in: Some("0.2.0".into()) }
    }
}
