//! The audit trail, for administrators.
//!
//! To record an action, call [`append`](crate::db::repositories::audit::append) in its unit of work. Reads are not recorded.

use std::sync::Arc;

use super::{Context, Error};
use crate::{
    db::{DbConnection, repositories::audit},
    domain::{AuditEvent, AuditFilter, AuditOrigin, CursorPage, CursorQuery, RateLimitDecision, RateLimitSubject},
};

/// The audit trail.
#[derive(Clone)]
pub struct Audit(pub(super) Arc<Context>);

impl Audit {
    /// Lists events by cursor.
    ///
    /// # Errors
    /// Fails if the database fails.
    pub async fn list_by_cursor(&self, query: CursorQuery<AuditFilter>) -> Result<CursorPage<AuditEvent>, Error> {
        let is_one_statement = !query.with_total;
        let work = move |c: &mut DbConnection| {
            let rows = audit::list_after(c, &query.filter, &query.keyset_with_lookahead())?;
            let total = if query.with_total { Some(audit::count(c, &query.filter)?) } else { None };
            Ok(query.to_page(rows, total))
        };
        if is_one_statement { self.0.db.read(work).await } else { self.0.db.snapshot(work).await }
    }

    /// Records that a login was rate-limited, at most once a minute for each subject.
    pub async fn record_throttled_login(
        &self,
        decision: RateLimitDecision,
        subject: &RateLimitSubject,
        origin: &AuditOrigin,
    ) {
        self.0.record_throttled_login(decision, subject, None, origin).await;
    }
}
