//! The representation of deprecated operations.

use contract::{
    v2::schemas::{BrownoutPeriod, Deprecation, DeprecationConsumer, DeprecationNotice, DeprecationNoticeState},
    values::Date,
};

use super::{
    representations::timestamp,
    usage::{consumer, day},
};
use crate::domain;

/// Returns the representation of a deprecated operation, also for the command line.
#[must_use]
pub fn deprecation(report: domain::DeprecationReport) -> Deprecation {
    let domain::DeprecationReport { operation, consumers, consumers_total } = report;
    Deprecation {
        operation: operation.operation.to_owned(),
        version: operation.version.as_str().to_owned(),
        method: operation.method.to_owned(),
        path: operation.path,
        since: Date(day(operation.since)),
        sunset: Date(day(operation.sunset)),
        successor: operation.successor.to_owned(),
        brownouts: operation
            .brownouts
            .iter()
            .map(|brownout| BrownoutPeriod {
                starts_at: timestamp(brownout.starts_at),
                ends_at: timestamp(brownout.ends_at()),
            })
            .collect(),
        consumers_total,
        consumers: consumers.into_iter().map(deprecation_consumer).collect(),
    }
}

fn deprecation_consumer(found: domain::DeprecationConsumer) -> DeprecationConsumer {
    DeprecationConsumer {
        consumer: consumer(found.consumer),
        requests: found.requests,
        last_seen_at: timestamp(found.last_seen_at),
        notices: found
            .notices
            .into_iter()
            .map(|recorded| DeprecationNotice {
                notice: recorded.notice.as_str().to_owned(),
                sent_at: timestamp(recorded.created_at),
                state: match recorded.state {
                    domain::NoticeState::Queued => DeprecationNoticeState::Queued,
                    domain::NoticeState::Sent => DeprecationNoticeState::Sent,
                    domain::NoticeState::Failed => DeprecationNoticeState::Failed,
                    domain::NoticeState::Suppressed => DeprecationNoticeState::Suppressed,
                },
            })
            .collect(),
    }
}
