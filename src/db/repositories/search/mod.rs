//! The full-text index over bucketlists and items: one document for each, written with it, removed by the database.
//!
//! What a term is, is decided in the domain; both engines are given finished terms and none of their query syntax is ever
//! reached from outside. Each term begins with its owner, so that a search reads the owner's part of the index only,
//! however large the rest is.

mod terms;

use diesel::{
    connection::SimpleConnection,
    prelude::*,
    sql_query,
    sql_types::{Array, BigInt, Bool, Nullable, Text},
};

use terms::{postgres_queries, sqlite_queries, tokens, vector};

use super::OffsetRange;
use crate::{db::DbConnection, domain::SearchQuery};

/// Of so many matches, lists and then the newest items first, the best are found, besides names that have the very words. It
/// bounds how deep pages go, and what ranking costs; a word that all descriptions of an owner have is read once over all of
/// them, to see that few names have it.
pub const REACH: i64 = 1_000;

/// Where the documents of lists begin: as the migrations say it.
const LISTS: i64 = 1 << 62;
/// How many documents go into one statement of SQLite, which takes 32,766 values; of PostgreSQL it takes any number.
const SQLITE_ROWS: usize = 500;

/// What is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DocumentKind {
    Bucketlist,
    Item,
}

/// A list or an item as it is to be found from now on.
#[derive(Clone, Copy, Debug)]
pub struct Document<'a> {
    pub kind: DocumentKind,
    pub id: i64,
    /// The list's owner.
    pub owner: i64,
    pub name: &'a str,
    pub description: Option<&'a str>,
}

/// A list or an item that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    pub kind: DocumentKind,
    pub id: i64,
    /// The list itself, or the item's.
    pub bucketlist_id: i64,
    pub name: String,
    pub description: Option<String>,
    /// Of an item: whether it is done.
    pub done: Option<bool>,
    pub created_at: i64,
    pub updated_at: i64,
}

diesel::table! {
    // Of SQLite; PostgreSQL's table has other columns.
    search_index (rowid) {
        rowid -> BigInt,
        name -> Text,
        description -> Text,
    }
}

const fn document_id(kind: DocumentKind, id: i64) -> i64 {
    match kind {
        DocumentKind::Bucketlist => LISTS + id,
        DocumentKind::Item => id,
    }
}

/// Makes the documents findable as they are now, in the transaction that writes their rows. No two of one row at once.
pub fn put(c: &mut DbConnection, documents: &[Document<'_>]) -> QueryResult<()> {
    if documents.is_empty() {
        return Ok(());
    }
    match c {
        DbConnection::Sqlite(c) => {
            for documents in documents.chunks(SQLITE_ROWS) {
                let rows: Vec<_> = documents
                    .iter()
                    .map(|document| {
                        (
                            search_index::rowid.eq(document_id(document.kind, document.id)),
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
            let ids: Vec<i64> = documents.iter().map(|document| document_id(document.kind, document.id)).collect();
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

/// Until the transaction ends, [`put`] may leave documents where no search looks for long: PostgreSQL enters many at once much
/// faster than each by itself. Searches of others wait until then. Whoever calls this calls [`finish_bulk_load`] at the end.
pub fn begin_bulk_load(c: &mut DbConnection) -> QueryResult<()> {
    match c {
        // FTS5 gathers by itself.
        DbConnection::Sqlite(_) => Ok(()),
        DbConnection::Postgres(c) => c.batch_execute("ALTER INDEX search_index_terms SET (fastupdate = on)"),
    }
}

/// Enters what was put since [`gather`], in the same transaction.
pub fn finish_bulk_load(c: &mut DbConnection) -> QueryResult<()> {
    match c {
        DbConnection::Sqlite(_) => Ok(()),
        DbConnection::Postgres(c) => c.batch_execute(
            "SELECT gin_clean_pending_list('search_index_terms');
             ALTER INDEX search_index_terms SET (fastupdate = off)",
        ),
    }
}

#[derive(QueryableByName)]
struct Row {
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

impl From<Row> for Hit {
    fn from(row: Row) -> Self {
        Self {
            kind: if row.is_item { DocumentKind::Item } else { DocumentKind::Bucketlist },
            id: row.id,
            bucketlist_id: row.bucketlist_id,
            name: row.name,
            description: row.description,
            done: row.done,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// What both engines do with the documents of a page; `ranked` has their ids and ranks, the best with 0. The rows say whose
/// they are once more.
macro_rules! rows_of_ranked {
    ($owner:literal) => {
        concat!(
            "SELECT items.id IS NOT NULL AS is_item,
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
             WHERE bucketlists.user_id = ",
            $owner,
            " ORDER BY ranked.rank, ranked.document_id DESC"
        )
    };
}

/// Each part is read from the newest on and no further than it must. What is named has its place among what has begun: before
/// the oldest of that, all that matches is in it.
const SQLITE: &str = concat!(
    "WITH whole AS (
         SELECT rowid AS document_id FROM search_index WHERE search_index MATCH ?1 ORDER BY rowid DESC LIMIT ?5
     ), begun AS MATERIALIZED (
         SELECT rowid AS document_id FROM search_index WHERE search_index MATCH ?2 ORDER BY rowid DESC LIMIT ?5
     ), named AS (
         SELECT rowid AS document_id FROM search_index
         WHERE search_index MATCH ?3 AND rowid >= (SELECT min(document_id) FROM begun)
         ORDER BY rowid DESC LIMIT ?5
     ), ranked AS (
         SELECT document_id, min(rank) AS rank FROM (
             SELECT document_id, 0 AS rank FROM whole
             UNION ALL SELECT document_id, 1 FROM named
             UNION ALL SELECT document_id, 2 FROM begun
         ) GROUP BY document_id ORDER BY rank, document_id DESC LIMIT ?6 OFFSET ?7
     ) ",
    rows_of_ranked!("?4")
);

/// The sum keeps the planner from walking through all documents of everybody, the newest first, until it has met enough that
/// match: it takes everybody's documents to be alike, and there may be a million.
const POSTGRES: &str = concat!(
    "WITH whole AS (
         SELECT document_id FROM search_index WHERE terms @@ $1::tsquery ORDER BY document_id + 0 DESC LIMIT $5
     ), begun AS MATERIALIZED (
         SELECT document_id, terms FROM search_index WHERE terms @@ $2::tsquery
         ORDER BY document_id + 0 DESC LIMIT $5
     ), ranked AS (
         SELECT document_id, min(rank) AS rank FROM (
             SELECT document_id, 0 AS rank FROM whole
             UNION ALL SELECT document_id, CASE WHEN terms @@ $3::tsquery THEN 1 ELSE 2 END FROM begun
         ) AS found GROUP BY document_id ORDER BY rank, document_id DESC LIMIT $6 OFFSET $7
     ) ",
    rows_of_ranked!("$4")
);

/// A slice of what the owner has that matches, the best first: names that have the very words, then names that have words which
/// begin so, then what has some of them in its description; of equally good ones lists and newer items. Nothing is found beyond
/// [`REACH`].
pub fn find(c: &mut DbConnection, owner: i64, query: &SearchQuery, slice: OffsetRange) -> QueryResult<Vec<Hit>> {
    let offset = slice.offset.max(0);
    let limit = slice.limit.min(REACH - offset).max(0);
    let (sql, [whole, begun, named]) = match c {
        DbConnection::Sqlite(_) => (SQLITE, sqlite_queries(owner, query)),
        DbConnection::Postgres(_) => (POSTGRES, postgres_queries(owner, query)),
    };
    let found = sql_query(sql)
        .bind::<Text, _>(whole)
        .bind::<Text, _>(begun)
        .bind::<Text, _>(named)
        .bind::<BigInt, _>(owner)
        .bind::<BigInt, _>(REACH)
        .bind::<BigInt, _>(limit)
        .bind::<BigInt, _>(offset);
    let rows: Vec<Row> = match c {
        DbConnection::Sqlite(c) => found.load(c)?,
        DbConnection::Postgres(c) => found.load(c)?,
    };
    Ok(rows.into_iter().map(Hit::from).collect())
}

/// How many rows have no document, to be told quickly; rows that an older binary wrote are among them.
pub fn count_missing(c: &mut DbConnection) -> QueryResult<i64> {
    #[derive(QueryableByName)]
    struct Missing {
        #[diesel(sql_type = BigInt)]
        missing: i64,
    }
    let missing: Missing = match c {
        // A document has one row in the index's own table of lengths.
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

/// Gives documents to at most `limit` rows that have none, those with the smallest ids after `after`; returns the last of these
/// ids and how many they were. `None` when there is none left. The rows are locked until the transaction ends.
pub fn put_missing(
    c: &mut DbConnection,
    kind: DocumentKind,
    after: i64,
    limit: i64,
) -> QueryResult<Option<(i64, u64)>> {
    let texts: Vec<Indexable> = match c {
        DbConnection::Sqlite(c) => sql_query(missing_texts(kind, "search_index_docsize", "id", ""))
            .bind::<BigInt, _>(after)
            .bind::<BigInt, _>(limit)
            .load(c)?,
        DbConnection::Postgres(c) => {
            sql_query(missing_texts(kind, "search_index", "document_id", " FOR UPDATE OF found"))
                .bind::<BigInt, _>(after)
                .bind::<BigInt, _>(limit)
                .load(c)?
        }
    };
    let documents: Vec<Document<'_>> = texts
        .iter()
        .map(|text| Document {
            kind,
            id: text.id,
            owner: text.owner,
            name: &text.name,
            description: text.description.as_deref(),
        })
        .collect();
    put(c, &documents)?;
    Ok(texts.last().map(|last| (last.id, texts.len() as u64)))
}

/// To SQLite, `$1` is a name, and the order counts.
fn missing_texts(kind: DocumentKind, documents: &str, key: &str, locked: &str) -> String {
    let (table, owner, owners) = match kind {
        DocumentKind::Bucketlist => ("bucketlists", "found.user_id", ""),
        DocumentKind::Item => {
            ("items", "bucketlists.user_id", "JOIN bucketlists ON bucketlists.id = found.bucketlist_id")
        }
    };
    let first = document_id(kind, 0);
    format!(
        "SELECT found.id AS id, {owner} AS owner, found.name AS name, found.description AS description
         FROM {table} found {owners}
         WHERE found.id > $1
         AND NOT EXISTS (SELECT 1 FROM {documents} documents WHERE documents.{key} = found.id + {first})
         ORDER BY found.id LIMIT $2{locked}"
    )
}
