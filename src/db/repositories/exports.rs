//! Exports and the records in them, always of one owner.

use chrono::NaiveDate;
use diesel::{prelude::*, result::Error};
use serde::{Deserialize, Serialize};

use super::{bucketlists::BucketlistRow, items::ItemRow};
use crate::db::{
    DbConnection,
    schema::{export_parts, exports},
};

/// Nobody has begun to make it.
pub const QUEUED: &str = "queued";
/// It is being made.
pub const RUNNING: &str = "running";
/// It is complete, and nothing changes it any more.
pub const FINISHED: &str = "finished";
/// It was given up.
pub const FAILED: &str = "failed";

/// An export as it is read.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Serialize, Deserialize)]
pub struct ExportRow {
    pub id: i64,
    pub format: String,
    pub state: String,
    /// `None` until it is finished, as `records`.
    pub parts: Option<i32>,
    pub records: Option<i64>,
    pub created_at: i64,
    pub finished_at: Option<i64>,
    pub expires_at: i64,
}

type Columns = (
    exports::id,
    exports::format,
    exports::state,
    exports::parts,
    exports::records,
    exports::created_at,
    exports::finished_at,
    exports::expires_at,
);
const COLUMNS: Columns = (
    exports::id,
    exports::format,
    exports::state,
    exports::parts,
    exports::records,
    exports::created_at,
    exports::finished_at,
    exports::expires_at,
);

/// An export to be made.
#[derive(Clone, Debug)]
pub struct NewExport<'a> {
    pub user_id: i64,
    pub format: &'a str,
    pub created_at: i64,
    pub expires_at: i64,
}

/// A bucketlist or an item in an export: what is kept of it, whatever becomes of the tables.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    pub is_item: bool,
    pub id: i64,
    pub bucketlist_id: i64,
    pub name: String,
    pub description: Option<String>,
    pub done: Option<bool>,
    pub done_at: Option<i64>,
    pub due_on: Option<NaiveDate>,
    pub created_at: i64,
    pub updated_at: i64,
}

impl From<&BucketlistRow> for Record {
    fn from(row: &BucketlistRow) -> Self {
        Self {
            is_item: false,
            id: row.id,
            bucketlist_id: row.id,
            name: row.name.clone(),
            description: row.description.clone(),
            done: None,
            done_at: None,
            due_on: None,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

impl From<ItemRow> for Record {
    fn from(row: ItemRow) -> Self {
        Self {
            is_item: true,
            id: row.id,
            bucketlist_id: row.bucketlist_id,
            name: row.name,
            description: row.description,
            done: Some(row.done),
            done_at: row.done_at,
            due_on: row.due_on,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// The right to make an export, until somebody else begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Queryable)]
pub struct ExportAttempt {
    pub export_id: i64,
    pub owner: i64,
    pub number: i32,
}

pub fn insert(c: &mut DbConnection, export: &NewExport<'_>) -> QueryResult<ExportRow> {
    diesel::insert_into(exports::table)
        .values((
            exports::user_id.eq(export.user_id),
            exports::format.eq(export.format),
            exports::state.eq(QUEUED),
            exports::attempts.eq(0),
            exports::created_at.eq(export.created_at),
            exports::expires_at.eq(export.expires_at),
        ))
        .returning(COLUMNS)
        .get_result(c)
}

/// Ends an owner's exports but the newest `count`; the purge deletes them.
pub fn keep_newest(c: &mut DbConnection, owner: i64, count: i64, now: i64) -> QueryResult<()> {
    let newest: Vec<i64> = exports::table
        .filter(exports::user_id.eq(owner))
        .order(exports::id.desc())
        .limit(count)
        .select(exports::id)
        .load(c)?;
    diesel::update(exports::table.filter(exports::user_id.eq(owner)).filter(exports::id.ne_all(newest)))
        .filter(exports::expires_at.gt(now))
        .set(exports::expires_at.eq(now))
        .execute(c)
        .map(drop)
}

/// One of the owner's, unless it has expired.
pub fn find(c: &mut DbConnection, owner: i64, id: i64, now: i64) -> QueryResult<Option<ExportRow>> {
    exports::table
        .find(id)
        .filter(exports::user_id.eq(owner))
        .filter(exports::expires_at.gt(now))
        .select(COLUMNS)
        .first(c)
        .optional()
}

/// The records of a part of an owner's export.
pub fn part(c: &mut DbConnection, owner: i64, id: i64, number: i32) -> QueryResult<Option<Vec<Record>>> {
    let text: Option<String> = export_parts::table
        .inner_join(exports::table)
        .filter(exports::user_id.eq(owner))
        .filter(export_parts::export_id.eq(id))
        .filter(export_parts::number.eq(number))
        .select(export_parts::records)
        .first(c)
        .optional()?;
    text.map(|text| serde_json::from_str(&text))
        .transpose()
        .map_err(|error| Error::DeserializationError(Box::new(error)))
}

/// The text of a part.
pub fn serialize_records(records: &[Record]) -> QueryResult<String> {
    serde_json::to_string(records).map_err(|error| Error::SerializationError(Box::new(error)))
}

/// Starts an attempt to write an export, which supersedes earlier attempts. `number` is the fencing token of the job.
/// Returns `None` if the export is finished, expired or deleted.
pub fn begin(c: &mut DbConnection, id: i64, number: i32, now: i64) -> QueryResult<Option<ExportAttempt>> {
    let attempt: Option<ExportAttempt> = diesel::update(exports::table.find(id))
        .filter(exports::state.eq_any([QUEUED, RUNNING]))
        .filter(exports::expires_at.gt(now))
        .set((exports::state.eq(RUNNING), exports::attempts.eq(number)))
        .returning((exports::id, exports::user_id, exports::attempts))
        .get_result(c)
        .optional()?;
    if attempt.is_some() {
        diesel::delete(export_parts::table.filter(export_parts::export_id.eq(id))).execute(c)?;
    }
    Ok(attempt)
}

/// Adds a part: what [`written`] made of records. False, and nothing added, when somebody else has begun, or the export is gone.
pub fn append(c: &mut DbConnection, attempt: ExportAttempt, number: i32, records: &str) -> QueryResult<bool> {
    // Written so that it is locked: nobody begins between this and the commit.
    let export = exports::table.find(attempt.export_id).filter(exports::attempts.eq(attempt.number));
    if diesel::update(export.filter(exports::state.eq(RUNNING))).set(exports::state.eq(RUNNING)).execute(c)? == 0 {
        return Ok(false);
    }
    diesel::insert_into(export_parts::table)
        .values((
            export_parts::export_id.eq(attempt.export_id),
            export_parts::number.eq(number),
            export_parts::records.eq(records),
        ))
        .execute(c)?;
    Ok(true)
}

/// Says that all parts are there; nothing, when somebody else has begun.
pub fn finish(c: &mut DbConnection, attempt: ExportAttempt, parts: i32, records: i64, now: i64) -> QueryResult<()> {
    diesel::update(exports::table.find(attempt.export_id).filter(exports::attempts.eq(attempt.number)))
        .filter(exports::state.eq(RUNNING))
        .set((
            exports::state.eq(FINISHED),
            exports::parts.eq(parts),
            exports::records.eq(records),
            exports::finished_at.eq(now),
        ))
        .execute(c)
        .map(drop)
}

/// Gives an export up.
pub fn fail(c: &mut DbConnection, id: i64, now: i64) -> QueryResult<()> {
    diesel::update(exports::table.find(id).filter(exports::state.eq_any([QUEUED, RUNNING])))
        .set((exports::state.eq(FAILED), exports::finished_at.eq(now)))
        .execute(c)
        .map(drop)
}

/// Deletes some of what has expired, `limit` parts at most; returns how many rows that were. None: nothing is left.
pub fn purge(c: &mut DbConnection, now: i64, limit: i64) -> QueryResult<usize> {
    let parts: Vec<(i64, i32)> = export_parts::table
        .inner_join(exports::table)
        .filter(exports::expires_at.le(now))
        .order((export_parts::export_id, export_parts::number))
        .limit(limit)
        .select((export_parts::export_id, export_parts::number))
        .load(c)?;
    let Some(first) = parts.first().map(|(export, _)| *export) else {
        return diesel::delete(exports::table.filter(exports::expires_at.le(now))).execute(c);
    };
    // Those of one export at a time: what they have in common is in the index.
    let numbers = parts.iter().filter(|(export, _)| *export == first).map(|(_, number)| *number);
    diesel::delete(export_parts::table.filter(export_parts::export_id.eq(first)))
        .filter(export_parts::number.eq_any(numbers.collect::<Vec<_>>()))
        .execute(c)
}
