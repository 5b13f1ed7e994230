//! Inserts the export that the examples of the contract show.

use contract::v2::schemas::EXAMPLE_EXPIRY;
use diesel::QueryResult;

use crate::db::{
    DbConnection,
    repositories::{
        bucketlists,
        exports::{self, NewExport, Record},
        items,
        keyset::{Keyset, SortKey},
    },
};

/// More rows than the sample data has.
const ALL: i64 = 1_000;

/// Inserts a finished export of the data of the demo user.
pub(super) fn insert(c: &mut DbConnection, demo: i64, at: i64) -> QueryResult<()> {
    let keyset = Keyset { sort: SortKey::CreatedAt, descending: false, after: None, limit: ALL };
    let lists = bucketlists::list_after(c, demo, &bucketlists::Filter::default(), &keyset)?;
    let ids: Vec<i64> = lists.iter().map(|list| list.id).collect();
    let items = items::list_first_per_bucketlist(c, &ids, ALL)?;
    let mut records = Vec::new();
    for list in &lists {
        records.push(Record::from(list));
        records.extend(items.iter().filter(|item| item.bucketlist_id == list.id).cloned().map(Record::from));
    }
    let new = NewExport { user_id: demo, format: "json", created_at: at, expires_at: EXAMPLE_EXPIRY };
    let id = exports::insert(c, &new)?.id;
    if let Some(attempt) = exports::begin(c, id, 1, at)? {
        exports::append(c, attempt, 0, &exports::serialize_records(&records)?)?;
        exports::finish(c, attempt, 1, i64::try_from(records.len()).unwrap_or_default(), at)?;
    }
    Ok(())
}
