//! `bucketlist usage`: who calls what, from the counters in the database.

mod report;

use std::io::Write;

use chrono::{DateTime, SecondsFormat};
use clap::{Args, Subcommand, ValueEnum};

use super::{CliError, OutputFormat, migrate::connect_for_reading};
use crate::{
    config::Config,
    db::{DbConnection, repositories::usage},
    domain::{Consumer, ConsumerFilter, NamedConsumer, Timestamp, UsageFilter, UsageGroup, UsageGrouping, UsageRow},
    endpoints::deprecated_operations,
    services::report_deprecations,
};

/// Maximum number of consumers that are searched by name.
const MAX_CONSUMERS: i64 = 1_000_000;

#[derive(Clone, Debug, Subcommand)]
pub(super) enum Action {
    /// List the operations or consumers with the most requests.
    Top {
        /// Property to rank.
        #[arg(long, value_enum, default_value_t = Ranking::Operation)]
        by: Ranking,
        #[command(flatten)]
        period: Period,
        /// Maximum number of rows.
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(i64).range(1..=1_000))]
        limit: i64,
        /// Output format.
        #[arg(long, value_enum, default_value_t = OutputFormat::Text)]
        format: OutputFormat,
    },
    /// List deprecated operations with the consumers that still call them.
    Deprecated {
        /// Output format.
        #[arg(long, value_enum, default_value_t = OutputFormat::Text)]
        format: OutputFormat,
    },
    /// List the operations that a consumer calls, or that each of several consumers with the same name calls.
    Consumer {
        /// Email address of an account, name of an API client, or user agent; or user:ID, api_client:ID or anonymous:USER-AGENT.
        name: String,
        #[command(flatten)]
        period: Period,
        /// Output format.
        #[arg(long, value_enum, default_value_t = OutputFormat::Text)]
        format: OutputFormat,
    },
}

/// A property that is ranked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Ranking {
    /// Operations, by version.
    Operation,
    /// Consumers.
    Consumer,
}

/// The last days of a report.
#[derive(Args, Clone, Copy, Debug)]
pub(super) struct Period {
    /// Number of days, including today.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=3_650))]
    days: u32,
}

pub(super) fn run(config: &Config, action: &Action, now: Timestamp, out: &mut dyn Write) -> Result<(), CliError> {
    let mut migrator = connect_for_reading(config)?;
    let c = migrator.connection();
    match action {
        Action::Top { by, period, limit, format } => {
            let groups: &[UsageGroup] = match by {
                Ranking::Operation => &[UsageGroup::Version, UsageGroup::Operation],
                Ranking::Consumer => &[UsageGroup::Consumer],
            };
            let filter = period.filter(now, groups);
            report::usage(&usage::list_most_used(c, &filter, &[], *limit)?, *format, out)
        }
        Action::Deprecated { format } => {
            let deprecated = deprecated_operations(&config.deprecations.brownouts);
            report::deprecations(&report_deprecations(c, &deprecated, now)?, *format, out)
        }
        Action::Consumer { name, period, format } => {
            let groups = [UsageGroup::Version, UsageGroup::Operation, UsageGroup::Consumer];
            let mut rows = Vec::new();
            for consumer in find_consumers(c, name, *period, now)? {
                let filter = UsageFilter { consumer: Some(consumer), ..period.filter(now, &groups) };
                rows.extend(usage::list_most_used(c, &filter, &[], 1_000)?);
            }
            rows.sort_by_key(|row| std::cmp::Reverse(row.requests));
            report::usage(&rows, *format, out)
        }
    }
}

impl Period {
    fn filter(self, now: Timestamp, groups: &[UsageGroup]) -> UsageFilter {
        period_filter(now, self.days, groups)
    }
}

/// Selects the last `days` days, including today.
pub(super) fn period_filter(now: Timestamp, days: u32, groups: &[UsageGroup]) -> UsageFilter {
    const DAY: std::time::Duration = std::time::Duration::from_secs(86_400);
    let until = now.floor(DAY) + DAY;
    UsageFilter::of_period(until.before(DAY * days), until, UsageGrouping::new(groups))
}

/// Finds the consumers of the period by their name, which several API clients can have. A kind and an ID need no search.
fn find_consumers(
    c: &mut DbConnection,
    name: &str,
    period: Period,
    now: Timestamp,
) -> Result<Vec<ConsumerFilter>, CliError> {
    if let Ok(ConsumerFilter::One(consumer)) = name.parse() {
        return Ok(vec![ConsumerFilter::One(consumer)]);
    }
    let filter = period.filter(now, &[UsageGroup::Consumer]);
    let rows: Vec<UsageRow> = usage::list_most_used(c, &filter, &[], MAX_CONSUMERS)?;
    let is_named = |named: &NamedConsumer| named.name.as_deref().is_some_and(|other| other.eq_ignore_ascii_case(name));
    let found = rows.into_iter().filter_map(|row| row.consumer).filter(is_named);
    let found: Vec<ConsumerFilter> = found.map(|named| ConsumerFilter::One(named.consumer)).collect();
    if found.is_empty() {
        return Err(CliError::with_help(
            format!("no consumer `{name}` has sent requests in the last {}", count(period.days, "day")),
            "`bucketlist usage top --by consumer` lists consumers; --days extends the period",
        ));
    }
    Ok(found)
}

/// Returns a number with a noun, which is in the plural unless the number is 1.
pub(super) fn count(number: impl Into<i64>, noun: &str) -> String {
    match number.into() {
        1 => format!("1 {noun}"),
        number => format!("{number} {noun}s"),
    }
}

/// Returns the name of a consumer, with its ID if names of its kind are not unique.
pub(super) fn label(named: &NamedConsumer) -> String {
    match (&named.consumer, &named.name) {
        (Consumer::ApiClient(_), Some(name)) => format!("{name} ({})", named.consumer),
        _ => named.to_string(),
    }
}

/// Formats a timestamp as RFC 3339 with seconds.
pub(super) fn rfc3339(time: Timestamp) -> String {
    let time = DateTime::from_timestamp_micros(time.micros()).unwrap_or_default();
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}
