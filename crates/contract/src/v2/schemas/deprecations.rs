//! Deprecated operations and their consumers.

use poem_openapi::Object;
use serde::Serialize;

use super::{Consumer, example_time};
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

example! { BrownoutPeriod { starts_at: example_time(), ends_at: Timestamp::from_micros(EXAMPLE_END) } }

/// An hour after [`example_time`], in microseconds since 1970.
const EXAMPLE_END: i64 = 1_767_229_200_000_000;

/// A notice that was mailed to a consumer.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct DeprecationNotice {
    /// Occasion: `first_use`, or the time before the sunset: `90_days`, `30_days`, `7_days` or `1_day`.
    #[oai(validator(max_length = 20))]
    pub notice: String,
    /// Time at which the notice was sent.
    pub sent_at: Timestamp,
}

example! { DeprecationNotice { notice: "first_use".into(), sent_at: example_time() } }

/// A consumer of a deprecated operation.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct DeprecationConsumer {
    /// The caller.
    pub consumer: Consumer,
    /// Number of requests since the deprecation, within the retention period of counters.
    #[oai(validator(minimum(value = "1")))]
    pub requests: i64,
    /// Time of the last request.
    pub last_seen_at: Timestamp,
    /// Notices that were sent. An anonymous client has no contact and receives none.
    #[oai(validator(max_items = 10))]
    pub notices: Vec<DeprecationNotice>,
}

example! { DeprecationConsumer {
    consumer: Consumer::example(), requests: 3, last_seen_at: example_time(), notices: vec![DeprecationNotice::example()],
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
    /// Number of consumers since the deprecation, within the retention period of counters.
    #[oai(validator(minimum(value = "0")))]
    pub consumers_total: i64,
    /// The 100 consumers with the most requests.
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
