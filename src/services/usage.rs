//! Usage reports, for administrators.

use std::{sync::Arc, time::Duration};

use super::{Context, Error};
use crate::{
    db::{DbConnection, repositories::usage},
    domain::{CursorPage, CursorQuery, DeprecatedOperation, HOURLY_RETENTION, Timestamp, UsageFilter, UsageRow},
};

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

/// Reads usage counters.
#[derive(Clone)]
pub struct Usage {
    pub(super) context: Arc<Context>,
    /// Retention of daily counters.
    pub(super) retention: Duration,
    pub(super) deprecated: Arc<[DeprecatedOperation]>,
}

impl Usage {
    /// Returns the current time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.context.clock.now()
    }

    /// Returns the start of the first day whose counters are retained, or of the first hour.
    #[must_use]
    pub fn retained_since(&self, by_hour: bool) -> Timestamp {
        retained_since(self.now(), by_hour, self.retention)
    }

    /// Lists the rows of a report by cursor.
    ///
    /// # Errors
    /// Fails if the database fails.
    pub async fn list_by_cursor(&self, query: CursorQuery<UsageFilter>) -> Result<CursorPage<UsageRow>, Error> {
        let deprecated = Arc::clone(&self.deprecated);
        let is_one_statement = !query.with_total;
        let work = move |c: &mut DbConnection| {
            let rows = usage::list_after(c, &query.filter, &deprecated, &query.keyset_with_lookahead())?;
            let total = if query.with_total { Some(usage::count(c, &query.filter, &deprecated)?) } else { None };
            Ok(query.to_page(rows, total))
        };
        let db = &self.context.db;
        if is_one_statement { db.read(work).await } else { db.snapshot(work).await }
    }
}

/// Returns the start of the first retained day, or of the first retained hour.
#[must_use]
pub fn retained_since(now: Timestamp, by_hour: bool, retention: Duration) -> Timestamp {
    let (length, retention) = if by_hour { (HOUR, HOURLY_RETENTION) } else { (DAY, retention) };
    now.before(retention).floor(length)
}
