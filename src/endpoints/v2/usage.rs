//! `/v2/admin/usage` and `/v2/admin/deprecations`.

use chrono::{DateTime, Days, NaiveDate};
use contract::{
    Admin, ApiError, Detail, ErrorCode,
    listing::{Format, ListResponse, RowStream},
    v2::{
        IfNoneMatch, ProblemResponse,
        endpoints::UsageEndpoints,
        parameters::{ApiVersion, ConsumerName, Cursor, Include, PerPage, StatusClass, Token, UsageGroup, UsageSort},
        responses::PageResponse,
        schemas::{Consumer, ConsumerKind, DeprecationPage, LatencyPercentiles, UsagePage, UsageRow},
    },
    values::{Date, EmailAddress, Id, Nullable},
};
use openapi_model::{Location, ViolationCode};
use poem_openapi::param::Query;

use super::{
    Cursors,
    deprecations::deprecation,
    pages::{self, ListRequest, PageEnvelope},
    representations::timestamp,
    tables::BATCH_SIZE,
};
use crate::{
    domain::{self, LatencyHistogram, Timestamp, UsageFilter, UsageGrouping},
    services::{Deprecations, Usage},
};

/// Implements the endpoints of usage reports and deprecated operations.
pub struct UsageApi {
    pub(super) usage: Usage,
    pub(super) deprecations: Deprecations,
    pub(super) cursors: Cursors,
}

const PATH: &str = "/v2/admin/usage";
const DEPRECATIONS_PATH: &str = "/v2/admin/deprecations";
/// Number of days before `to` at which a report starts by default.
const DEFAULT_DAYS_BEFORE: u64 = 29;

impl UsageEndpoints for UsageApi {
    async fn list(
        &self,
        _: Admin,
        format: Format,
        Query(cursor): Query<Option<Cursor>>,
        Query(per_page): Query<Option<PerPage>>,
        Query(sort): Query<Option<UsageSort>>,
        Query(from): Query<Option<Date>>,
        Query(to): Query<Option<Date>>,
        Query(operation): Query<Option<Token>>,
        Query(consumer): Query<Option<ConsumerName>>,
        Query(version): Query<Option<ApiVersion>>,
        Query(deprecated): Query<Option<bool>>,
        Query(status): Query<Option<StatusClass>>,
        Query(group_by): Query<Vec<UsageGroup>>,
        Query(include): Query<Vec<Include>>,
        _: IfNoneMatch,
    ) -> Result<ListResponse<UsagePage>, ProblemResponse> {
        let grouping = UsageGrouping::new(&group_by.iter().copied().map(usage_group).collect::<Vec<_>>());
        let period = self.period(from, to, grouping)?;
        let invalid_consumer = |_| invalid("consumer", ViolationCode::InvalidFormat, "is not a consumer");
        let request = ListRequest {
            list: "usage".to_owned(),
            filter: UsageFilter {
                version: version.map(api_version),
                operation: operation.as_ref().map(|Token(operation)| operation.clone()),
                consumer: consumer
                    .as_ref()
                    .map(|ConsumerName(consumer)| consumer.parse())
                    .transpose()
                    .map_err(invalid_consumer)?,
                deprecated,
                status_class: status.map(StatusClass::digit),
                by_requests: sort.is_some(),
                ..period.filter(grouping)
            },
            sort: None,
            cursor: cursor.as_ref(),
            limit: pages::per_page(per_page),
            with_total: include.contains(&Include::Total),
        };
        let (query, binding) = request.query(&self.cursors)?;
        if let (Format::Rows(format), None) = (format, per_page) {
            let usage = self.usage.clone();
            let fetch = move |query| {
                let usage = usage.clone();
                async move { usage.list_by_cursor(query).await }
            };
            let position = |row: &domain::UsageRow, _| row.position();
            let body = pages::stream_all(format, BATCH_SIZE, query, fetch, position, convert_for(grouping)).await?;
            return Ok(ListResponse::Rows(RowStream { format, file_name: "usage", body, link: None }));
        }
        let page = self.usage.list_by_cursor(query).await?;
        let next = pages::next_position(&page, domain::UsageRow::position)
            .map(|position| self.cursors.encode(&binding, &position));
        let groups: Vec<&str> = group_by.iter().map(|group| group.as_str()).collect();
        let link_query = pages::Query::default()
            .with("sort", sort.map(|UsageSort(sort)| sort))
            .with("from", Some(period.from))
            .with("to", Some(period.to))
            .with("operation", operation.map(|Token(operation)| operation))
            .with("consumer", consumer.map(|ConsumerName(consumer)| consumer))
            .with("version", version.map(ApiVersion::as_str))
            .with("deprecated", deprecated)
            .with("status", status.map(StatusClass::as_str))
            .with("group_by", (!groups.is_empty()).then(|| groups.join(",")))
            .with("include", request.with_total.then_some("total"));
        let envelope =
            PageEnvelope::new(PATH, &link_query, request.limit, cursor.as_ref(), next.as_deref(), page.total);
        let data = page.data.into_iter().map(convert_for(grouping)).collect();
        let page = UsagePage { data, meta: envelope.meta, links: envelope.links };
        pages::list_response(format, "usage", page, |page| page.data, envelope.header)
    }

    async fn deprecations(
        &self,
        _: Admin,
        Query(cursor): Query<Option<Cursor>>,
        Query(per_page): Query<Option<PerPage>>,
        _: IfNoneMatch,
    ) -> Result<PageResponse<DeprecationPage>, ProblemResponse> {
        let limit = pages::per_page(per_page);
        let all = self.deprecations.list().await?;
        let (page, next) = pages::page_of_all(all, "deprecations", &self.cursors, cursor.as_ref(), limit)?;
        let link_query = pages::Query::default();
        let envelope = PageEnvelope::new(DEPRECATIONS_PATH, &link_query, limit, cursor.as_ref(), next.as_deref(), None);
        let data = page.data.into_iter().map(deprecation).collect();
        let page = DeprecationPage { data, meta: envelope.meta, links: envelope.links };
        pages::page_response(page, envelope.header)
    }
}

/// The days of a report, as the links of its pages state them.
#[derive(Clone, Copy, Debug)]
struct Period {
    from: NaiveDate,
    to: NaiveDate,
    retained_since: Timestamp,
}

impl Period {
    fn filter(self, grouping: UsageGrouping) -> UsageFilter {
        let from = midnight(self.from).max(self.retained_since);
        UsageFilter::of_period(from, midnight(self.to.checked_add_days(Days::new(1)).unwrap_or(self.to)), grouping)
    }
}

impl UsageApi {
    /// Returns the days of a request without those before the retention period.
    fn period(&self, from: Option<Date>, to: Option<Date>, grouping: UsageGrouping) -> Result<Period, ApiError> {
        let (today, has_to) = (day(self.usage.now()), to.is_some());
        let to = to.map_or(today, |Date(to)| to);
        let default = || to.checked_sub_days(Days::new(DEFAULT_DAYS_BEFORE)).unwrap_or(to);
        let from = from.map_or_else(default, |Date(from)| from);
        if to < from && !has_to {
            return Err(invalid(
                "from",
                ViolationCode::TooLarge,
                &format!("must not be after {today}, the current day"),
            ));
        }
        if to < from {
            return Err(invalid("to", ViolationCode::TooSmall, "must not be before `from`"));
        }
        let retained_since = self.usage.retained_since(grouping.by_hour);
        let first = day(retained_since);
        if to < first {
            let counters = if grouping.by_hour { "hourly counters" } else { "counters" };
            let message = format!("must not be before {first}, the first day with {counters}");
            return Err(invalid("to", ViolationCode::TooSmall, &message));
        }
        Ok(Period { from: from.max(first), to, retained_since })
    }
}

fn invalid(parameter: &str, code: ViolationCode, message: &str) -> ApiError {
    let detail =
        Detail { location: Location::Query(parameter.to_owned()), code: code.as_str(), message: message.to_owned() };
    ApiError { details: vec![detail], ..ApiError::new(ErrorCode::ValidationFailed) }
}

/// Returns the day of a timestamp.
pub(super) fn day(time: Timestamp) -> NaiveDate {
    DateTime::from_timestamp_micros(time.micros()).unwrap_or_default().date_naive()
}

fn midnight(day: NaiveDate) -> Timestamp {
    Timestamp::from_seconds(day.and_time(chrono::NaiveTime::MIN).and_utc().timestamp())
}

fn usage_group(group: UsageGroup) -> domain::UsageGroup {
    match group {
        UsageGroup::Operation => domain::UsageGroup::Operation,
        UsageGroup::Consumer => domain::UsageGroup::Consumer,
        UsageGroup::Version => domain::UsageGroup::Version,
        UsageGroup::Day => domain::UsageGroup::Day,
        UsageGroup::Hour => domain::UsageGroup::Hour,
        UsageGroup::Status => domain::UsageGroup::Status,
    }
}

const fn api_version(version: ApiVersion) -> domain::ApiVersion {
    match version {
        ApiVersion::V1 => domain::ApiVersion::V1,
        ApiVersion::V2 => domain::ApiVersion::V2,
    }
}

pub(super) fn consumer(named: domain::NamedConsumer) -> Consumer {
    Consumer {
        kind: match named.consumer.kind() {
            domain::ConsumerKind::ApiClient => ConsumerKind::ApiClient,
            domain::ConsumerKind::User => ConsumerKind::User,
            domain::ConsumerKind::Anonymous => ConsumerKind::Anonymous,
        },
        id: Nullable(named.consumer.id().map(Id)),
        name: Nullable(named.name),
        contact_email: Nullable(named.contact_email.map(EmailAddress)),
    }
}

/// Returns the conversion of rows with this grouping.
fn convert_for(grouping: UsageGrouping) -> fn(domain::UsageRow) -> UsageRow {
    if grouping.by_hour {
        |row| UsageRow { hour: Nullable(row.starts_at.map(timestamp)), ..usage_row(row) }
    } else {
        usage_row
    }
}

/// Returns the representation of a row that is not grouped by hour, also for the command line.
#[must_use]
pub fn usage_row(row: domain::UsageRow) -> UsageRow {
    UsageRow {
        day: Nullable(row.starts_at.map(|time| Date(day(time)))),
        hour: Nullable(None),
        operation: Nullable(row.operation),
        version: Nullable(row.version.map(|version| version.as_str().to_owned())),
        consumer: Nullable(row.consumer.map(consumer)),
        status: Nullable(row.status_class.map(|class| format!("{class}xx"))),
        requests: row.requests,
        errors: row.errors,
        bytes_in: row.bytes_in,
        bytes_out: row.bytes_out,
        latency_ms: percentiles(&row.latency),
        last_seen_at: timestamp(row.last_seen_at),
    }
}

fn percentiles(latency: &LatencyHistogram) -> LatencyPercentiles {
    // Rounded to microseconds.
    let milliseconds = |percent| (latency.percentile(percent).as_secs_f64() * 1e6).round() / 1e3;
    LatencyPercentiles { p50: milliseconds(50), p95: milliseconds(95), p99: milliseconds(99) }
}
