//! Sample usage counters, so that the reports of a new server are not empty.

use std::{collections::HashMap, time::Duration};

use diesel::QueryResult;

use crate::{
    db::{DbConnection, repositories::usage},
    domain::{ApiVersion, Consumer, Timestamp, UsageCounters, UsageKey, UserId},
};

/// Inserts usage of a user in the hour of `now`, because older counters would soon be purged.
pub(super) fn insert(c: &mut DbConnection, user_id: UserId, now: Timestamp) -> QueryResult<()> {
    let hour = now.floor(Duration::from_secs(3_600));
    let mut counters = HashMap::new();
    for (operation, requests, bytes_in, bytes_out) in [("createItem", 18, 70, 510), ("listItems", 42, 0, 4_096)] {
        let consumer = Consumer::User(user_id);
        let key = UsageKey { hour, version: ApiVersion::V2, operation, consumer, status_class: 2 };
        let mut counted = UsageCounters::default();
        for number in 0..requests {
            counted.record(now, Duration::from_micros(400 + number * 150), bytes_in, bytes_out);
        }
        counters.insert(key, counted);
    }
    usage::add(c, &counters)
}
