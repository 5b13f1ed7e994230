//! Sample usage counters, so that the reports of a new server are not empty.

use std::{collections::HashMap, time::Duration};

use diesel::QueryResult;

use crate::{
    db::{DbConnection, repositories::usage},
    domain::{ApiVersion, Consumer, Timestamp, UsageCounters, UsageKey, UserId},
};

const HOUR: Duration = Duration::from_secs(3_600);
/// Number of hours with sample usage: 7 days, for which hourly counters are retained.
const HOURS: u32 = 7 * 24;

/// Inserts usage of a user in the days before `now`.
pub(super) fn insert(c: &mut DbConnection, user_id: UserId, now: Timestamp) -> QueryResult<()> {
    let mut counters = HashMap::new();
    for age in 1..HOURS {
        let hour = now.before(HOUR * age).floor(HOUR);
        for (operation, most, bytes_in, bytes_out) in [("createItem", 3, 70, 510), ("listItems", 8, 0, 4_096)] {
            let key = UsageKey {
                hour,
                version: ApiVersion::V2,
                operation,
                consumer: Consumer::User(user_id),
                status_class: 2,
            };
            let mut counted = UsageCounters::default();
            for number in 0..=u64::from(age * 5) % most {
                let at = hour + Duration::from_secs(600 + number * 90);
                counted.record(at, Duration::from_micros(400 + number * 450), bytes_in, bytes_out);
            }
            counters.insert(key, counted);
        }
    }
    usage::add(c, &counters)
}
