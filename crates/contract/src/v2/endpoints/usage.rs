//! Usage of the API, for administrators.

use super::*;
use crate::v2::schemas::{DeprecationPage, UsagePage};

/// Usage of the API, for administrators.
#[endpoints(UsageRoutes, prefix_path = "/admin", tag = "Tag::Admin", operation = "Operation")]
pub trait UsageEndpoints: Send + Sync + 'static {
    /// List usage
    ///
    /// Returns the number of requests by day, operation, version and consumer, by default the latest day first. As CSV or
    /// NDJSON, streams all rows unless `per_page` is set. For administrators only.
    ///
    /// Requests with an API key are counted for the API client, other authenticated requests for the account, and anonymous
    /// requests for the user agent. A server counts at most 200 user agents a day; additional user agents are counted as `other`.
    ///
    /// Counters are updated within 10 seconds of the response. Daily counters are retained for 400 days by default, hourly
    /// counters for 7 days.
    #[oai(path = "/usage", method = "get", operation_id = "listUsage")]
    #[operation(returns("A page of usage rows; as CSV or NDJSON, one row per group."))]
    async fn list(
        &self,
        caller: Admin,
        format: Format,
        cursor: Query<Option<Cursor>>,
        per_page: Query<Option<PerPage>>,
        /// Sort order: `-requests` (most requests first). Default: the latest day first, then by version, operation and
        /// consumer. Rows can move between pages while requests are counted, so a row can be missing or appear twice.
        sort: Query<Option<UsageSort>>,
        /// First day, in UTC. Default: 29 days before `to`. Must not be later than `to`. Days before the retention period are
        /// omitted.
        from: Query<Option<Date>>,
        /// Last day, in UTC. Default: today. Must not be earlier than `from` or the start of the retention period.
        to: Query<Option<Date>>,
        /// Returns only requests of this operation. An unknown ID returns no rows.
        operation: Query<Option<Token>>,
        /// Returns only requests of this consumer: `api_client:ID`, `user:ID` or `anonymous:USER-AGENT`, or of all consumers of
        /// a kind: `api_client`, `user` or `anonymous`.
        consumer: Query<Option<ConsumerName>>,
        /// Returns only requests to this version of the API.
        version: Query<Option<ApiVersion>>,
        /// Returns only requests to deprecated (`true`) or non-deprecated (`false`) operations.
        deprecated: Query<Option<bool>>,
        /// Returns only requests whose response had a status of this class.
        status: Query<Option<StatusClass>>,
        /// Fields to group by. Requests with equal values of these fields form one row. Default: all except `hour` and `status`.
        /// With `hour`, reads the hourly counters.
        #[oai(explode = false, default, validator(max_items = 6))]
        group_by: Query<Vec<UsageGroup>>,
        #[oai(explode = false, default, validator(max_items = 10))] include: Query<Vec<Include>>,
        if_none_match: IfNoneMatch,
    ) -> Result<ListResponse<UsagePage>>;

    /// List deprecated operations
    ///
    /// Returns every deprecated operation with its schedule and the consumers that called it. For administrators only.
    ///
    /// Requests rejected with 401, 403 or 429 are not counted. Deleted API clients and accounts are omitted.
    ///
    /// A consumer is notified by email when it first calls a deprecated operation. If it called the operation in the last 30 days, it
    /// is notified again 90, 30, 7 and 1 days before the sunset, and when brownouts are scheduled. In a brownout and after the sunset,
    /// the operation returns 410.
    #[oai(path = "/deprecations", method = "get", operation_id = "listDeprecations")]
    #[operation(returns("A page of deprecated operations."))]
    async fn deprecations(
        &self,
        caller: Admin,
        cursor: Query<Option<Cursor>>,
        per_page: Query<Option<PerPage>>,
        if_none_match: IfNoneMatch,
    ) -> Result<PageResponse<DeprecationPage>>;
}
