//! What was done, by whom and from where: appended in the transaction of what was done, read by administrators.
//!
//! To record something, call [`append`](crate::db::repositories::audit::append) inside the unit of work that does it. Reads
//! are not recorded.

use std::sync::Arc;

use super::{Context, CursorPage, CursorQuery, Error};
use crate::{
    db::{
        DbConnection,
        repositories::audit::{self, AuditRow, Filter},
    },
    domain::{AuditOrigin, RateLimitDecision, RateLimitSubject},
};

/// What was done, for administrators.
#[derive(Clone)]
pub struct Audit(pub(super) Arc<Context>);

impl Audit {
    /// A page of what was done, by cursor.
    ///
    /// # Errors
    /// Only when the database fails.
    pub async fn walk(&self, walk: CursorQuery<Filter>) -> Result<CursorPage<AuditRow>, Error> {
        let is_one_statement = !walk.with_total;
        let work = move |c: &mut DbConnection| {
            let rows = audit::list_after(c, &walk.filter, &walk.keyset_with_lookahead())?;
            let total = if walk.with_total { Some(audit::count(c, &walk.filter)?) } else { None };
            Ok(walk.into_page(rows, total))
        };
        if is_one_statement { self.0.db.read(work).await } else { self.0.db.snapshot(work).await }
    }

    /// Writes down that a limit refused somebody who wanted to log in: once a minute for each.
    pub async fn note_refusal(&self, verdict: RateLimitDecision, subject: &RateLimitSubject, origin: &AuditOrigin) {
        self.0.note_refusal(verdict, subject, None, origin).await;
    }
}
