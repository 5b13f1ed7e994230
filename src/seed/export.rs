//! Inserts the export that the examples of the contract show.

use contract::v2::schemas::EXAMPLE_EXPIRY;
use diesel::QueryResult;

use crate::{
    db::{
        DbConnection,
        repositories::{bucketlists, exports, items},
    },
    domain::{BucketlistFilter, BucketlistId, ExportFormat, ExportRecord, Keyset, NewExport, Timestamp, UserId},
};

/// More rows than the sample data has.
const ALL: i64 = 1_000;

/// Inserts a finished export of the data of the demo user.
pub(super) fn insert(c: &mut DbConnection, demo: UserId, at: Timestamp) -> QueryResult<()> {
    let keyset = Keyset::oldest_first(None, ALL);
    let lists = bucketlists::list_after(c, demo, &BucketlistFilter::default(), &keyset)?;
    let ids: Vec<BucketlistId> = lists.iter().map(|list| list.id).collect();
    let items = items::list_first_per_bucketlist(c, &ids, ALL)?;
    let mut records = Vec::new();
    for list in &lists {
        records.push(ExportRecord::from(list));
        records.extend(items.iter().filter(|item| item.bucketlist_id == list.id).cloned().map(ExportRecord::from));
    }
    let new = NewExport {
        owner: demo,
        format: ExportFormat::Json,
        created_at: at,
        expires_at: Timestamp::from_micros(EXAMPLE_EXPIRY),
    };
    let id = exports::insert(c, &new)?.id;
    if let Some(attempt) = exports::begin(c, id, 1, at)? {
        exports::append(c, attempt, 0, &exports::serialize_records(&records)?)?;
        exports::finish(c, attempt, 1, i64::try_from(records.len()).unwrap_or_default(), at)?;
    }
    Ok(())
}
