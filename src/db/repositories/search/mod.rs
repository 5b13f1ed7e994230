//! The full-text index over bucketlists and items: one document per row, written together with the row and deleted by the
//! database.
//!
//! The domain tokenizes texts and queries; both engines receive terms, so that no input reaches their query syntax. Each term
//! starts with the ID of its owner, so that a search reads only the owner's part of the index.

mod terms;

use diesel::{
    connection::SimpleConnection,
    sql_query,
    sql_types::{Array, BigInt, Bool, Nullable, Text},
};

pub(super) use terms::vector;
use terms::{postgres_queries, sqlite_queries, tokens};

use super::prelude::*;
use super::statement::Statement;
use crate::{
    db::DbConnection,
    domain::{BucketlistId, OffsetRange, SearchHit, SearchQuery, SearchTarget, Timestamp, UserId},
};

/// Maximum number of ranked matches per rank, which bounds the depth of pages and the cost of ranking. Bucketlists and then the
/// newest items are preferred.
pub const MAX_HITS: i64 = 1_000;

/// Offset of the document IDs of bucketlists, as in the migrations.
const BUCKETLIST_DOCUMENTS: i64 = 1 << 62;
/// Number of documents in a statement: SQLite accepts 32,766 values.
const SQLITE_ROWS: usize = 500;

/// A bucketlist or an item to index.
#[derive(Clone, Copy, Debug)]
pub struct Document<'a> {
    pub target: SearchTarget,
    /// ID of the bucketlist or the item.
    pub id: i64,
    pub owner: UserId,
    pub name: &'a str,
    pub description: Option<&'a str>,
}

diesel::table! {
    // The table in SQLite; in PostgreSQL, it has other columns.
    search_index (rowid) {
        rowid -> BigInt,
        name -> Text,
        description -> Text,
    }
}

const fn document_id(target: SearchTarget, id: i64) -> i64 {
    match target {
        SearchTarget::Bucketlist => BUCKETLIST_DOCUMENTS + id,
        SearchTarget::Item => id,
    }
}

/// Inserts or replaces documents, in the transaction that writes their rows. The documents must be distinct.
pub fn upsert(c: &mut DbConnection, documents: &[Document<'_>]) -> QueryResult<()> {
    match documents {
        [] => return Ok(()),
        [document] => return upsert_one(c, document),
        _ => {}
    }
    match c {
        DbConnection::Sqlite(c) => {
            for documents in documents.chunks(SQLITE_ROWS) {
                let rows: Vec<_> = documents
                    .iter()
                    .map(|document| {
                        (
                            search_index::rowid.eq(document_id(document.target, document.id)),
                            search_index::name.eq(tokens(document.owner, document.name)),
                            search_index::description
                                .eq(document.description.map_or_else(String::new, |text| tokens(document.owner, text))),
                        )
                    })
                    .collect();
                diesel::replace_into(search_index::table).values(rows).execute(c)?;
            }
        }
        DbConnection::Postgres(c) => {
            let ids: Vec<i64> = documents.iter().map(|document| document_id(document.target, document.id)).collect();
            let vectors: Vec<String> = documents.iter().map(vector).collect();
            sql_query(
                "INSERT INTO search_index (document_id, terms)
                 SELECT document_id, terms::tsvector FROM unnest($1, $2) AS documents (document_id, terms)
                 ON CONFLICT (document_id) DO UPDATE SET terms = excluded.terms",
            )
            .bind::<Array<BigInt>, _>(ids)
            .bind::<Array<Text>, _>(vectors)
            .execute(c)?;
        }
    }
    Ok(())
}

fn upsert_one(c: &mut DbConnection, document: &Document<'_>) -> QueryResult<()> {
    let Document { target, id, owner, name, description } = *document;
    let mut statement = Statement::cached();
    match c {
        DbConnection::Sqlite(_) => statement
            .sql("REPLACE INTO search_index (rowid, name, description) VALUES (")
            .integer(document_id(target, id))
            .sql(", ")
            .text(tokens(owner, name))
            .sql(", ")
            .text(description.map_or_else(String::new, |text| tokens(owner, text)))
            .sql(")"),
        DbConnection::Postgres(_) => statement
            .sql("INSERT INTO search_index (document_id, terms) VALUES (")
            .integer(document_id(target, id))
            .sql(", ")
            .text(vector(document))
            .sql("::tsvector) ON CONFLICT (document_id) DO UPDATE SET terms = excluded.terms"),
    };
    statement.execute(c).map(drop)
}

/// Appends the insertion of the document of the row that the statement inserts in `created`, on PostgreSQL. The ID in `document` is
/// ignored.
pub(super) fn push_insert(statement: &mut Statement, document: &Document<'_>, created: &str) {
    let first = document_id(document.target, 0);
    statement
        .sql(&format!("INSERT INTO search_index (document_id, terms) SELECT id + {first}, "))
        .text(vector(document))
        .sql(&format!("::tsvector FROM {created} ON CONFLICT (document_id) DO UPDATE SET terms = excluded.terms"));
}

/// Returns the insertion of the documents of the rows that a statement inserts in `created`, whose terms are in `input`, on PostgreSQL. Fails
/// if one of them exists, for example because rows were deleted without it.
pub(super) fn insert_created(target: SearchTarget) -> String {
    let first = document_id(target, 0);
    format!(
        "INSERT INTO search_index (document_id, terms) SELECT id + {first}, terms::tsvector FROM created JOIN input USING (id)"
    )
}

/// Begins a bulk load: PostgreSQL collects more documents in its pending list than usual (in kB), and adds them to the index in large steps,
/// the last one when [`finish_bulk_load`] is called, in the same transaction.
pub fn begin_bulk_load(c: &mut DbConnection) -> QueryResult<()> {
    match c {
        // FTS5 collects new documents by default.
        DbConnection::Sqlite(_) => Ok(()),
        DbConnection::Postgres(c) => {
            c.batch_execute("ALTER INDEX search_index_terms SET (fastupdate = on, gin_pending_list_limit = 4096)")
        }
    }
}

/// Adds the documents inserted since [`begin_bulk_load`] to the index.
pub fn finish_bulk_load(c: &mut DbConnection) -> QueryResult<()> {
    match c {
        DbConnection::Sqlite(_) => Ok(()),
        DbConnection::Postgres(c) => c.batch_execute(
            "SELECT gin_clean_pending_list('search_index_terms');
             ALTER INDEX search_index_terms SET (gin_pending_list_limit = 128)",
        ),
    }
}

#[derive(QueryableByName)]
struct HitRow {
    #[diesel(sql_type = Bool)]
    is_item: bool,
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = BigInt)]
    bucketlist_id: i64,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Nullable<Text>)]
    description: Option<String>,
    #[diesel(sql_type = Nullable<Bool>)]
    done: Option<bool>,
    #[diesel(sql_type = BigInt)]
    created_at: i64,
    #[diesel(sql_type = BigInt)]
    updated_at: i64,
}

impl From<HitRow> for SearchHit {
    fn from(row: HitRow) -> Self {
        Self {
            target: if row.is_item { SearchTarget::Item } else { SearchTarget::Bucketlist },
            id: row.id,
            bucketlist_id: BucketlistId::new(row.bucketlist_id),
            name: row.name,
            description: row.description,
            done: row.done,
            created_at: Timestamp::from_micros(row.created_at),
            updated_at: Timestamp::from_micros(row.updated_at),
        }
    }
}

/// Selects the rows of the documents in `ranked`, on both engines, of the owner that follows. Checks their owner again.
const ROWS_OF_RANKED: &str = "SELECT items.id IS NOT NULL AS is_item,
            coalesce(items.id, bucketlists.id) AS id,
            bucketlists.id AS bucketlist_id,
            CASE WHEN items.id IS NULL THEN bucketlists.name ELSE items.name END AS name,
            CASE WHEN items.id IS NULL THEN bucketlists.description ELSE items.description END AS description,
            items.done AS done,
            CASE WHEN items.id IS NULL THEN bucketlists.created_at ELSE items.created_at END AS created_at,
            CASE WHEN items.id IS NULL THEN bucketlists.updated_at ELSE items.updated_at END AS updated_at
     FROM ranked
     LEFT JOIN items ON items.id = ranked.document_id
     JOIN bucketlists ON bucketlists.id = coalesce(items.bucketlist_id, ranked.document_id - 4611686018427387904)
     WHERE bucketlists.user_id = ";

/// Finds the documents that match, with their rank. Rank 0: the name has the whole words; 1: the name has words that start so; 2: name
/// or description have. Each part is read from the newest document and no further than necessary.
fn sqlite_matches([whole, prefix, in_name]: [String; 3]) -> Statement {
    let mut statement = Statement::cached();
    statement
        .sql("WITH whole AS (SELECT rowid AS document_id FROM search_index WHERE search_index MATCH ")
        .text(whole)
        .sql(" ORDER BY rowid DESC LIMIT ")
        .integer(MAX_HITS)
        .sql("), prefixed AS MATERIALIZED (SELECT rowid AS document_id FROM search_index WHERE search_index MATCH ")
        .text(prefix)
        .sql(" ORDER BY rowid DESC LIMIT ")
        .integer(MAX_HITS)
        .sql("), in_name AS (SELECT rowid AS document_id FROM search_index WHERE search_index MATCH ")
        .text(in_name)
        .sql(" AND rowid >= (SELECT min(document_id) FROM prefixed) ORDER BY rowid DESC LIMIT ")
        .integer(MAX_HITS)
        .sql(
            "), found AS (
                 SELECT document_id, 0 AS rank FROM whole
                 UNION ALL SELECT document_id, 1 FROM in_name
                 UNION ALL SELECT document_id, 2 FROM prefixed
             )",
        );
    statement
}

/// As [`sqlite_matches`]. The `+ 0` stops the planner from scanning all documents of all users by ID until enough match: it assumes
/// that matches are distributed evenly among them. Not cached: the plan depends on the words.
fn postgres_matches([whole, prefix, in_name]: [String; 3]) -> Statement {
    let mut statement = Statement::default();
    statement
        .sql("WITH whole AS (SELECT document_id FROM search_index WHERE terms @@ ")
        .text(whole)
        .sql("::tsquery ORDER BY document_id + 0 DESC LIMIT ")
        .integer(MAX_HITS)
        .sql("), prefixed AS MATERIALIZED (SELECT document_id, terms FROM search_index WHERE terms @@ ")
        .text(prefix)
        .sql("::tsquery ORDER BY document_id + 0 DESC LIMIT ")
        .integer(MAX_HITS)
        .sql(
            "), found AS (
                 SELECT document_id, 0 AS rank FROM whole
                 UNION ALL SELECT document_id, CASE WHEN terms @@ ",
        )
        .text(in_name)
        .sql("::tsquery THEN 1 ELSE 2 END FROM prefixed)");
    statement
}

/// Lists a range of the owner's bucketlists and items that match, the best first: names with the whole words, then names with words
/// that start so, then the others; within a rank, bucketlists and newer items first. There are no hits beyond [`MAX_HITS`].
pub fn find(
    c: &mut DbConnection,
    owner: UserId,
    query: &SearchQuery,
    range: OffsetRange,
) -> QueryResult<Vec<SearchHit>> {
    let offset = range.offset.max(0);
    let limit = range.limit.min(MAX_HITS - offset).max(0);
    let mut statement = match c {
        DbConnection::Sqlite(_) => sqlite_matches(sqlite_queries(owner, query)),
        DbConnection::Postgres(_) => postgres_matches(postgres_queries(owner, query)),
    };
    statement
        .sql(
            ", ranked AS (
                 SELECT document_id, min(rank) AS rank FROM found GROUP BY document_id
                 ORDER BY rank, document_id DESC LIMIT ",
        )
        .integer(limit)
        .sql(" OFFSET ")
        .integer(offset)
        .sql(") ")
        .sql(ROWS_OF_RANKED)
        .integer(owner.get())
        .sql(" ORDER BY ranked.rank, ranked.document_id DESC");
    let rows: Vec<HitRow> = statement.load(c)?;
    Ok(rows.into_iter().map(SearchHit::from).collect())
}

/// Counts the rows without a document, from the sizes of the tables. Older releases write such rows.
pub fn count_missing(c: &mut DbConnection) -> QueryResult<i64> {
    #[derive(QueryableByName)]
    struct Missing {
        #[diesel(sql_type = BigInt)]
        missing: i64,
    }
    let missing: Missing = match c {
        // FTS5 stores one row per document in this table.
        DbConnection::Sqlite(c) => sql_query(
            "SELECT (SELECT count(*) FROM bucketlists) + (SELECT count(*) FROM items)
                    - (SELECT count(*) FROM search_index_docsize) AS missing",
        )
        .get_result(c)?,
        DbConnection::Postgres(c) => sql_query(
            "SELECT (SELECT count(*) FROM bucketlists) + (SELECT count(*) FROM items)
                    - (SELECT count(*) FROM search_index) AS missing",
        )
        .get_result(c)?,
    };
    Ok(missing.missing)
}

#[derive(QueryableByName)]
struct Indexable {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = BigInt)]
    owner: i64,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Nullable<Text>)]
    description: Option<String>,
}

/// Indexes at most `limit` rows without a document, those with the smallest IDs after `after`; returns the last of these IDs and
/// their number, or `None` when none is left. Locks the rows until the transaction ends.
pub fn index_missing_rows(
    c: &mut DbConnection,
    target: SearchTarget,
    after: i64,
    limit: i64,
) -> QueryResult<Option<(i64, u64)>> {
    let texts: Vec<Indexable> = match c {
        DbConnection::Sqlite(c) => sql_query(missing_texts(target, "search_index_docsize", "id", ""))
            .bind::<BigInt, _>(after)
            .bind::<BigInt, _>(limit)
            .load(c)?,
        DbConnection::Postgres(c) => {
            sql_query(missing_texts(target, "search_index", "document_id", " FOR UPDATE OF found"))
                .bind::<BigInt, _>(after)
                .bind::<BigInt, _>(limit)
                .load(c)?
        }
    };
    let documents: Vec<Document<'_>> = texts
        .iter()
        .map(|text| Document {
            target,
            id: text.id,
            owner: UserId::new(text.owner),
            name: &text.name,
            description: text.description.as_deref(),
        })
        .collect();
    upsert(c, &documents)?;
    Ok(texts.last().map(|last| (last.id, texts.len() as u64)))
}

/// Returns the statement for [`index_missing_rows`]. SQLite takes `$1` for a name; its values are bound in order of appearance.
fn missing_texts(target: SearchTarget, documents: &str, key: &str, locked: &str) -> String {
    let (table, owner, owners) = match target {
        SearchTarget::Bucketlist => ("bucketlists", "found.user_id", ""),
        SearchTarget::Item => {
            ("items", "bucketlists.user_id", "JOIN bucketlists ON bucketlists.id = found.bucketlist_id")
        }
    };
    let first = document_id(target, 0);
    format!(
        "SELECT found.id AS id, {owner} AS owner, found.name AS name, found.description AS description
         FROM {table} found {owners}
         WHERE found.id > $1
         AND NOT EXISTS (SELECT 1 FROM {documents} documents WHERE documents.{key} = found.id + {first})
         ORDER BY found.id LIMIT $2{locked}"
    )
}
