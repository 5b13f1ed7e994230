//! Deprecated operations and their consumers.

use poem_openapi::{Enum, Object};
use serde::Serialize;

use super::Consumer;
use crate::values::{Date, Timestamp};

/// A period in which a deprecated operation returns 410 `BROWNOUT`.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct BrownoutPeriod {
    /// Start of the brownout.
    pub starts_at: Timestamp,
    /// End of the brownout.
    pub ends_at: Timestamp,
}

example! { BrownoutPeriod {
    starts_at: Timestamp::from_micros(EXAMPLE_START), ends_at: Timestamp::from_micros(EXAMPLE_END),
} }

/// An hour on 2027-10-20, between the deprecation and the sunset, in microseconds since 1970.
const EXAMPLE_START: i64 = 1_824_033_600_000_000;
const EXAMPLE_END: i64 = 1_824_037_200_000_000;
/// A request after the deprecation: 2026-12-01.
const EXAMPLE_REQUEST: i64 = 1_796_083_200_000_000;

/// State of the email with a notice:
///
/// - `queued`: The email waits to be sent, or for its next attempt.
/// - `sent`: The mail server has accepted the email.
/// - `failed`: The mail server has rejected the email in the last attempt, or the consumer no longer has an email address.
/// - `suppressed`: No email was sent, because an administrator has disabled the notices to the consumer.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq, Serialize)]
#[oai(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum DeprecationNoticeState {
    /// The email waits to be sent, or for its next attempt.
    Queued,
    /// The mail server has accepted the email.
    Sent,
    /// The mail server has rejected the email in the last attempt, or the consumer no longer has an email address.
    Failed,
    /// No email was sent, because an administrator has disabled the notices to the consumer.
    Suppressed,
}

/// A notice to a consumer, sent by email.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct DeprecationNotice {
    /// Reason for the notice:
    ///
    /// - `first_use`: The consumer called the deprecated operation for the first time.
    /// - `90_days`, `30_days`, `7_days` or `1_day`: This time remains until the sunset.
    /// - `brownout`: A brownout was scheduled after the previous notice.
    #[oai(validator(max_length = 20))]
    pub notice: String,
    /// Time at which the notice was created: its email was enqueued or suppressed.
    pub sent_at: Timestamp,
    /// State of the email.
    pub state: DeprecationNoticeState,
}

example! { DeprecationNotice {
    notice: "first_use".into(), sent_at: Timestamp::from_micros(EXAMPLE_REQUEST), state: DeprecationNoticeState::Sent,
} }

/// A consumer of a deprecated operation.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct DeprecationConsumer {
    /// The consumer.
    pub consumer: Consumer,
    /// Number of requests since the deprecation, within the retention period of the usage counters. Requests rejected with 401, 403 or
    /// 429 are not counted.
    #[oai(validator(minimum(value = "1")))]
    pub requests: i64,
    /// Time of the last of these requests.
    pub last_seen_at: Timestamp,
    /// Notices, oldest first. An anonymous client has no contact and receives none.
    #[oai(validator(max_items = 10))]
    pub notices: Vec<DeprecationNotice>,
}

example! { DeprecationConsumer {
    consumer: Consumer::example(), requests: 3, last_seen_at: Timestamp::from_micros(EXAMPLE_REQUEST),
    notices: vec![DeprecationNotice::example()],
} }

/// A deprecated operation, its schedule and its consumers.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct Deprecation {
    /// Operation ID.
    #[oai(validator(max_length = 100))]
    pub operation: String,
    /// Version of the API: `v1` or `v2`.
    #[oai(validator(max_length = 10))]
    pub version: String,
    /// HTTP method.
    #[oai(validator(max_length = 10))]
    pub method: String,
    /// Path template.
    #[oai(validator(max_length = 200))]
    pub path: String,
    /// First day on which the operation is deprecated.
    pub since: Date,
    /// First day on which the operation returns 410 `GONE`.
    pub sunset: Date,
    /// Path template of the successor.
    #[oai(validator(max_length = 200))]
    pub successor: String,
    /// Scheduled brownouts, earliest first.
    #[oai(validator(max_items = 1000))]
    pub brownouts: Vec<BrownoutPeriod>,
    /// Number of consumers that have called the operation since its deprecation, within the retention period of the usage counters.
    /// Requests rejected with 401, 403 or 429 are not counted.
    #[oai(validator(minimum(value = "0")))]
    pub consumers_total: i64,
    /// Up to 100 consumers: API clients and accounts first, then anonymous consumers, each sorted by number of requests, descending.
    #[oai(validator(max_items = 100))]
    pub consumers: Vec<DeprecationConsumer>,
}

example! { Deprecation {
    operation: "listItems".into(), version: "v1".into(), method: "GET".into(),
    path: "/v1/bucketlists/{bucketlist_id}/items".into(), since: example_day(2026), sunset: example_day(2027),
    successor: "/v2/bucketlists/{bucketlist_id}/items".into(), brownouts: vec![BrownoutPeriod::example()],
    consumers_total: 1, consumers: vec![DeprecationConsumer::example()],
} }

fn example_day(year: i32) -> Date {
    Date(chrono::NaiveDate::from_ymd_opt(year, 11, 20).unwrap_or_default())
}
