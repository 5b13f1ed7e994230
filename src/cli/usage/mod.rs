//! `bucketlist usage`: who calls what, from the counters in the database.

mod report;

use std::io::Write;

use chrono::{DateTime, SecondsFormat};
use clap::{Args, Subcommand, ValueEnum};

use super::{CliError, OutputFormat, migrate::connect_for_reading};
use crate::{
    config::Config,
    db::{
        DbConnection,
        repositories::{api_clients, usage, users},
    },
    domain::{
        Consumer, ConsumerFilter, Email, Keyset, NamedConsumer, Timestamp, UsageFilter, UsageGroup, UsageGrouping,
        UsageRow,
    },
    endpoints::deprecated_operations,
    services::{DeprecationReportOptions, report_deprecations},
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
        /// Only requests whose response had a status of this class.
        #[arg(long, value_enum)]
        status: Option<StatusArgument>,
        /// Maximum number of rows.
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(i64).range(1..=1_000))]
        limit: i64,
        /// Output format.
        #[arg(long, value_enum, default_value_t = OutputFormat::Text)]
        format: OutputFormat,
    },
    /// List deprecated operations with the consumers that still call them, API clients and accounts first.
    ///
    /// Omits deleted consumers, and requests that were rejected for their credentials, their permissions or a rate limit.
    Deprecated {
        /// Only requests of the last days, including today. Default: since the deprecation.
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..=3_650))]
        days: Option<u32>,
        /// Maximum number of consumers of each operation.
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(i64).range(1..=10_000))]
        limit: i64,
        /// Output format.
        #[arg(long, value_enum, default_value_t = OutputFormat::Text)]
        format: OutputFormat,
    },
    /// List the operations that a consumer calls, or that each of several consumers with the same name calls.
    ///
    /// Exits with 1 if there is no such consumer.
    Consumer {
        /// Email address of an account, name of an API client, or user agent; or user:ID, api_client:ID or anonymous:USER-AGENT. A kind
        /// (user, api_client or anonymous) selects all of its consumers.
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
    /// Classes of statuses.
    Status,
}

/// A class of statuses on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum StatusArgument {
    /// Success.
    #[value(name = "2xx")]
    Success,
    /// Redirects, and 304.
    #[value(name = "3xx")]
    Redirect,
    /// Errors of the client.
    #[value(name = "4xx")]
    ClientError,
    /// Errors of the server.
    #[value(name = "5xx")]
    ServerError,
}

impl StatusArgument {
    /// Returns the first digit of the statuses.
    const fn digit(self) -> u8 {
        match self {
            Self::Success => 2,
            Self::Redirect => 3,
            Self::ClientError => 4,
            Self::ServerError => 5,
        }
    }
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
        Action::Top { by, period, status, limit, format } => {
            let groups: &[UsageGroup] = match by {
                Ranking::Operation => &[UsageGroup::Version, UsageGroup::Operation],
                Ranking::Consumer => &[UsageGroup::Consumer],
                Ranking::Status => &[UsageGroup::Status],
            };
            let status_class = status.map(StatusArgument::digit);
            let filter = UsageFilter { status_class, ..period.filter(now, groups) };
            report::usage(&usage::list_most_used(c, &filter, &[], *limit)?, *format, out)
        }
        Action::Deprecated { days, limit, format } => {
            let deprecated = deprecated_operations(&config.deprecations.brownouts);
            let since = days.map(|days| period_filter(now, days, &[]).from);
            let options = DeprecationReportOptions { since, max_consumers: *limit };
            report::deprecations(&report_deprecations(c, &deprecated, options, now)?, *format, out)
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

/// Finds consumers by their name, which several API clients can have: API clients and accounts that exist, and consumers of the
/// period. A kind selects all of its consumers.
fn find_consumers(
    c: &mut DbConnection,
    name: &str,
    period: Period,
    now: Timestamp,
) -> Result<Vec<ConsumerFilter>, CliError> {
    match name.parse() {
        Ok(ConsumerFilter::One(consumer)) => {
            let is_known = match &consumer {
                Consumer::ApiClient(id) => api_clients::find(c, *id)?.is_some(),
                Consumer::User(id) => users::find(c, *id)?.is_some(),
                Consumer::Anonymous(_) => false,
            };
            let one = ConsumerFilter::One(consumer);
            let counted = UsageFilter { consumer: Some(one.clone()), ..period.filter(now, &[UsageGroup::Consumer]) };
            if !is_known && usage::count(c, &counted, &[])? == 0 {
                return Err(unknown(name, period));
            }
            return Ok(vec![one]);
        }
        Ok(kind) => return Ok(vec![kind]),
        Err(_) => {}
    }
    let filter = period.filter(now, &[UsageGroup::Consumer]);
    let rows: Vec<UsageRow> = usage::list_most_used(c, &filter, &[], MAX_CONSUMERS)?;
    let is_named = |named: &NamedConsumer| named.name.as_deref().is_some_and(|other| other.eq_ignore_ascii_case(name));
    let found = rows.into_iter().filter_map(|row| row.consumer).filter(is_named);
    let found: Vec<ConsumerFilter> = found.map(|named| ConsumerFilter::One(named.consumer)).collect();
    if found.is_empty() && !is_registered(c, name)? {
        return Err(unknown(name, period));
    }
    Ok(found)
}

/// Returns whether an account or an API client has a name.
fn is_registered(c: &mut DbConnection, name: &str) -> Result<bool, CliError> {
    if let Ok(email) = Email::parse(name)
        && users::find_by_email(c, email.key())?.is_some()
    {
        return Ok(true);
    }
    let clients = api_clients::list_after(c, None, &Keyset::oldest_first(None, MAX_CONSUMERS))?;
    Ok(clients.iter().any(|client| client.name.eq_ignore_ascii_case(name)))
}

fn unknown(name: &str, period: Period) -> CliError {
    CliError::with_help(
        format!("no consumer `{name}` exists or has sent requests in the last {}", count(period.days, "day")),
        "`bucketlist usage top --by consumer` lists consumers; --days extends the period",
    )
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
