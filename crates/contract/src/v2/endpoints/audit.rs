//! What was done, by whom and from where, for administrators.

use endpoints::endpoints;
use poem_openapi::param::Query;

use super::Tag;
use crate::{
    Admin, ErrorCode, Operation,
    listing::{Format, ListResponse},
    v2::{
        IfNoneMatch, ProblemResponse,
        parameters::{AuditAction, AuditTarget, Cursor, Include, TimeSort},
        schemas::AuditEventPage,
    },
    values::{Id, Timestamp},
};

/// What was done, by whom and from where, for administrators.
#[endpoints(AuditRoutes, prefix_path = "/admin/audit", tag = "Tag::Admin", operation = "Operation")]
pub trait AuditEndpoints: Send + Sync + 'static {
    /// List what was done.
    ///
    /// For administrators. Every event that concerns security (accounts, logins, sessions, passwords) and everything that
    /// administrators have changed, the newest first. An event outlives the account it speaks of; it is kept for a year
    /// unless the server is configured otherwise. Reading is not recorded. As JSON a page; as CSV (without
    /// `detail`) or NDJSON all of them, unless `per_page` is given.
    #[oai(path = "/", method = "get", operation_id = "listAuditEvents")]
    #[operation(errors(&[ErrorCode::InvalidCursor, ErrorCode::InvalidHeader]))]
    async fn list(
        &self,
        caller: Admin,
        format: Format,
        /// Where to go on: from `links.next` of the page before. Empty begins.
        cursor: Query<Option<Cursor>>,
        /// How many rows a page has at most: 20 unless given; more than 100 counts as 100.
        #[oai(validator(minimum(value = "1"), maximum(value = "2147483647")))]
        per_page: Query<Option<i32>>,
        /// In which order: `-created_at`, the newest first (unless given), or `created_at`.
        sort: Query<Option<TimeSort>>,
        /// Only what this account did.
        actor_id: Query<Option<Id>>,
        /// Only this action.
        action: Query<Option<AuditAction>>,
        /// Only what was done to this kind of thing.
        target_type: Query<Option<AuditTarget>>,
        /// Only what was done to the thing of this id.
        target_id: Query<Option<Id>>,
        /// Only what was done after this instant.
        created_after: Query<Option<Timestamp>>,
        /// Only what was done before this instant.
        created_before: Query<Option<Timestamp>>,
        /// `total`: how many rows there are in all.
        #[oai(explode = false, default, validator(max_items = 10))]
        include: Query<Vec<Include>>,
        /// The tags of what you have already: 304 if it is still the same.
        #[oai(name = "If-None-Match")]
        if_none_match: IfNoneMatch,
    ) -> Result<ListResponse<AuditEventPage>, ProblemResponse>;
}
