//! The audit log, for administrators.

use super::*;
use crate::v2::schemas::AuditEventPage;

/// The audit log, for administrators.
#[endpoints(AuditRoutes, prefix_path = "/admin/audit", tag = "Tag::Admin", operation = "Operation")]
pub trait AuditEndpoints: Send + Sync + 'static {
    /// List audit events
    ///
    /// Returns security events (accounts, logins, sessions, passwords) and actions of administrators, newest first. As CSV
    /// (without `detail`) or NDJSON, streams all of them unless `per_page` is set. For administrators only.
    ///
    /// Events are retained for one year by default, even if the account that they refer to is deleted.
    #[oai(path = "/", method = "get", operation_id = "listAuditEvents")]
    #[operation(returns("A page of audit events; as CSV or NDJSON, one row per event."))]
    async fn list(
        &self,
        caller: Admin,
        format: Format,
        cursor: Query<Option<Cursor>>,
        per_page: Query<Option<PerPage>>,
        /// Sort order: `-created_at` (newest first) or `created_at`. Default: `-created_at`.
        sort: Query<Option<TimeSort>>,
        /// Returns only events caused by the account with this ID.
        actor_id: Query<Option<Id>>,
        /// Returns only events with this action.
        action: Query<Option<AuditAction>>,
        /// Returns only events that affect this type of resource.
        target_type: Query<Option<AuditTarget>>,
        /// Returns only events that affect the resource with this ID.
        target_id: Query<Option<Id>>,
        /// Returns only events after this timestamp.
        created_after: Query<Option<Timestamp>>,
        /// Returns only events before this timestamp.
        created_before: Query<Option<Timestamp>>,
        #[oai(explode = false, default, validator(max_items = 10))] include: Query<Vec<Include>>,
        if_none_match: IfNoneMatch,
    ) -> Result<ListResponse<AuditEventPage>>;
}
