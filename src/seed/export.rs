//! The sample export, which the examples of the contract show.

use std::time::Duration;

use diesel::QueryResult;

use crate::{
    db::{
        DbConnection,
        repositories::{bucketlists, exports, items},
    },
    domain::{BucketlistFilter, BucketlistId, ExportFormat, ExportRecord, Keyset, NewExport, Timestamp, UserId},
};

/// Time since the export.
const AGE: Duration = Duration::from_secs(86_400);
/// Time until the export expires. Longer than that of other exports, because the examples download it.
const REMAINING: Duration = Duration::from_secs(30 * 86_400);

/// More rows than the sample data has.
const ALL: i64 = 1_000;

/// Inserts a finished export of the data of the demo user. The console recognizes it: it was finished in the microsecond of its creation.
pub(super) fn insert(c: &mut DbConnection, demo: UserId, now: Timestamp) -> QueryResult<()> {
    let at = now.before(AGE);
    let keyset = Keyset::oldest_first(None, ALL);
    let lists = bucketlists::list_after(c, demo, &BucketlistFilter::default(), &keyset)?;
    let ids: Vec<BucketlistId> = lists.iter().map(|list| list.id).collect();
    let items = items::list_first_per_bucketlist(c, &ids, ALL)?;
    let mut records = Vec::new();
    for list in &lists {
        records.push(ExportRecord::from(list));
        records.extend(items.iter().filter(|item| item.bucketlist_id == list.id).cloned().map(ExportRecord::from));
    }
    let new = NewExport { owner: demo, format: ExportFormat::Json, created_at: at, expires_at: now + REMAINING };
    let id = exports::insert(c, &new)?.id;
    if let Some(attempt) = exports::begin(c, id, 1, at)? {
        exports::append(c, attempt, 0, &exports::serialize_records(&records)?)?;
        exports::finish(c, attempt, 1, i64::try_from(records.len()).unwrap_or_default(), at)?;
    }
    Ok(())
}
