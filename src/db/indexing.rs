//! Makes a database searchable whose rows are older than its search index.

use super::{
    DbConnection,
    repositories::search::{self, DocumentKind},
};
use diesel::result::QueryResult;

/// How many rows share a transaction: requests wait no longer than for these.
const CHUNK: i64 = 2_000;

/// Gives a document to each bucketlist and item that has none; returns how many. It begins with a count, so that it costs
/// little when there is nothing to do, and commits chunk by chunk: interrupted, it goes on the next time.
///
/// # Errors
/// The database's; what was committed before stays.
pub fn index_missing(c: &mut DbConnection) -> QueryResult<u64> {
    let mut indexed = 0;
    if search::count_missing(c)? == 0 {
        return Ok(indexed);
    }
    for kind in [DocumentKind::Bucketlist, DocumentKind::Item] {
        let mut after = i64::MIN;
        while let Some((last, rows)) = one_chunk(c, kind, after)? {
            indexed += rows;
            after = last;
        }
    }
    Ok(indexed)
}

fn one_chunk(c: &mut DbConnection, kind: DocumentKind, after: i64) -> QueryResult<Option<(i64, u64)>> {
    // A transaction of SQLite that begins by reading fails when somebody else writes before it does.
    c.begin_group()?;
    match search::put_missing(c, kind, after, CHUNK) {
        Ok(done) => c.commit_group().map(|()| done),
        Err(error) => {
            // The first failure says more than that of the rollback.
            let _ = c.rollback_group();
            Err(error)
        }
    }
}
