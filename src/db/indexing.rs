//! Makes a database searchable whose rows are older than its search index.

use super::{
    DbConnection,
    repositories::search::{self, DocumentKind},
};
use diesel::result::QueryResult;

/// How many rows share a transaction: requests wait no longer than for these.
const CHUNK: i64 = 2_000;

/// Progress of [`index_missing`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexingProgress {
    /// Number of rows indexed so far.
    pub rows: u64,
    pub total: u64,
}

/// Indexes the bucketlists and items that are missing in the search index and returns their number. Commits in chunks: an
/// interrupted run continues with the next one. Without missing rows, it costs one count.
///
/// # Errors
/// When the database fails; chunks that were committed remain.
pub fn index_missing(c: &mut DbConnection, progress: &mut dyn FnMut(IndexingProgress)) -> QueryResult<u64> {
    let mut indexed = 0;
    let total = search::count_missing(c)?;
    if total == 0 {
        return Ok(indexed);
    }
    let total = u64::try_from(total).unwrap_or_default();
    progress(IndexingProgress { rows: 0, total });
    for kind in [DocumentKind::Bucketlist, DocumentKind::Item] {
        let mut after = i64::MIN;
        while let Some((last, rows)) = one_chunk(c, kind, after)? {
            indexed += rows;
            after = last;
            progress(IndexingProgress { rows: indexed, total });
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
