//! Usage of the API.

use poem_openapi::{Enum, Object};
use serde::Serialize;

use super::{example_time, some};
use crate::{
    table::Row,
    values::{Date, EmailAddress, Id, Nullable, Timestamp},
};

/// Kind of a consumer:
///
/// - `api_client`: A registered API client.
/// - `user`: A user account.
/// - `anonymous`: Clients without valid credentials, by their `User-Agent`.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq, Serialize)]
#[oai(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum ConsumerKind {
    /// A registered API client.
    ApiClient,
    /// A user account.
    User,
    /// Clients without valid credentials, by their `User-Agent`.
    Anonymous,
}

/// An API client, an account or a user agent that requests are counted for.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct Consumer {
    /// Kind of the consumer.
    pub kind: ConsumerKind,
    /// ID of the API client or account; null for anonymous clients.
    pub id: Nullable<Id>,
    /// Name of the API client, email address of the account, or user agent; null if the API client or account was deleted.
    #[oai(validator(max_length = 254))]
    pub name: Nullable<String>,
    /// Email address for notices: the contact of the API client, or the address of the account. Null if there is none.
    pub contact_email: Nullable<EmailAddress>,
}

example! { Consumer {
    kind: ConsumerKind::User, id: Nullable(Some(Id(2))), name: some("demo@example.com"),
    contact_email: Nullable(Some(EmailAddress("demo@example.com".into()))),
} }

/// Percentiles of the processing time, interpolated from histogram buckets and capped at 10,000 ms.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct LatencyPercentiles {
    /// Median, in milliseconds.
    #[oai(validator(minimum(value = "0")))]
    pub p50: f64,
    /// 95th percentile, in milliseconds.
    #[oai(validator(minimum(value = "0")))]
    pub p95: f64,
    /// 99th percentile, in milliseconds.
    #[oai(validator(minimum(value = "0")))]
    pub p99: f64,
}

example! { LatencyPercentiles { p50: 1.5, p95: 4.25, p99: 8.5 } }

/// Requests of a period. Fields that the rows are not grouped by are null.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct UsageRow {
    /// Day, in UTC.
    pub day: Nullable<Date>,
    /// Start of the hour; null unless grouped by hour.
    pub hour: Nullable<Timestamp>,
    /// Operation ID.
    #[oai(validator(max_length = 100))]
    pub operation: Nullable<String>,
    /// Version of the API: `v1` or `v2`.
    #[oai(validator(max_length = 10))]
    pub version: Nullable<String>,
    /// The consumer. Null unless grouped by consumer.
    pub consumer: Nullable<Consumer>,
    /// Class of the status: `2xx`, `3xx`, `4xx` or `5xx`. Null unless grouped by status.
    #[oai(validator(max_length = 3))]
    pub status: Nullable<String>,
    /// Number of requests.
    #[oai(validator(minimum(value = "1")))]
    pub requests: i64,
    /// Number of requests with a status of 400 or more.
    #[oai(validator(minimum(value = "0")))]
    pub errors: i64,
    /// Size of all request bodies, in bytes.
    #[oai(validator(minimum(value = "0")))]
    pub bytes_in: i64,
    /// Size of all response bodies as sent, in bytes.
    #[oai(validator(minimum(value = "0")))]
    pub bytes_out: i64,
    /// Estimated processing time.
    pub latency_ms: LatencyPercentiles,
    /// Time of the last request.
    pub last_seen_at: Timestamp,
}

impl Row for UsageRow {
    const COLUMNS: &'static [&'static str] = &[
        "day",
        "hour",
        "operation",
        "version",
        "consumer.kind",
        "consumer.id",
        "consumer.name",
        "consumer.contact_email",
        "status",
        "requests",
        "errors",
        "bytes_in",
        "bytes_out",
        "latency_ms.p50",
        "latency_ms.p95",
        "latency_ms.p99",
        "last_seen_at",
    ];
}

example! { UsageRow {
    day: Nullable(chrono::NaiveDate::from_ymd_opt(2026, 1, 1).map(Date)), hour: Nullable(None),
    operation: some("createItem"), version: some("v2"), consumer: Nullable(Some(Consumer::example())), status: Nullable(None), requests: 18,
    errors: 1, bytes_in: 1_260, bytes_out: 9_180, latency_ms: LatencyPercentiles::example(),
    last_seen_at: example_time(),
} }
