//! Exports and their records. Every query of a client is scoped to one owner.

use diesel::result::Error;

use super::prelude::*;
use super::{columns, keyset::KeysetSql};
use crate::{
    db::{
        DbConnection,
        schema::{export_parts, exports},
    },
    domain::{
        Export, ExportAttempt, ExportFilter, ExportFormat, ExportId, ExportRecord, ExportState, Keyset, NewExport,
        Timestamp, UserId,
    },
};

const QUEUED: &str = ExportState::Queued.as_str();
const RUNNING: &str = ExportState::Running.as_str();
const FINISHED: &str = ExportState::Finished.as_str();
const FAILED: &str = ExportState::Failed.as_str();

#[derive(Queryable, Selectable)]
#[diesel(table_name = exports)]
struct ExportRow {
    id: i64,
    #[diesel(deserialize_as = String)]
    format: ExportFormat,
    #[diesel(deserialize_as = String)]
    state: ExportState,
    parts: Option<i32>,
    records: Option<i64>,
    created_at: i64,
    finished_at: Option<i64>,
    expires_at: i64,
}

impl From<ExportRow> for Export {
    fn from(row: ExportRow) -> Self {
        Self {
            id: ExportId::new(row.id),
            format: row.format,
            state: row.state,
            parts: row.parts,
            records: row.records,
            created_at: Timestamp::from_micros(row.created_at),
            finished_at: row.finished_at.map(Timestamp::from_micros),
            expires_at: Timestamp::from_micros(row.expires_at),
        }
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = exports)]
struct AttemptRow {
    id: i64,
    user_id: i64,
    attempts: i32,
}

/// Inserts a queued export.
pub fn insert(c: &mut DbConnection, export: &NewExport) -> QueryResult<Export> {
    let row: ExportRow = diesel::insert_into(exports::table)
        .values((
            exports::user_id.eq(export.owner.get()),
            exports::format.eq(export.format.as_str()),
            exports::state.eq(QUEUED),
            exports::attempts.eq(0),
            exports::created_at.eq(export.created_at.micros()),
            exports::expires_at.eq(export.expires_at.micros()),
        ))
        .returning(columns::<ExportRow>())
        .get_result(c)?;
    Ok(row.into())
}

/// Expires the exports of an owner except the newest `count`. The purge deletes expired exports.
pub fn expire_all_but_newest(c: &mut DbConnection, owner: UserId, count: i64, now: Timestamp) -> QueryResult<()> {
    let newest: Vec<i64> = exports::table
        .filter(exports::user_id.eq(owner.get()))
        .order(exports::id.desc())
        .limit(count)
        .select(exports::id)
        .load(c)?;
    diesel::update(exports::table.filter(exports::user_id.eq(owner.get())).filter(exports::id.ne_all(newest)))
        .filter(exports::expires_at.gt(now.micros()))
        .set(exports::expires_at.eq(now.micros()))
        .execute(c)
        .map(drop)
}

/// Finds an export of an owner that has not expired.
pub fn find(c: &mut DbConnection, owner: UserId, id: ExportId, now: Timestamp) -> QueryResult<Option<Export>> {
    let row: Option<ExportRow> = exports::table
        .find(id.get())
        .filter(exports::user_id.eq(owner.get()))
        .filter(exports::expires_at.gt(now.micros()))
        .select(ExportRow::as_select())
        .first(c)
        .optional()?;
    Ok(row.map(Export::from))
}

/// Lists the exports of all owners after a position with their owners, without expired ones.
pub fn list_after(
    c: &mut DbConnection,
    filter: ExportFilter,
    keyset: &Keyset,
    now: Timestamp,
) -> QueryResult<Vec<(Export, UserId)>> {
    let mut query = exports::table.into_boxed().filter(exports::expires_at.gt(now.micros()));
    if let Some(state) = filter.state {
        query = query.filter(exports::state.eq(state.as_str()));
    }
    if let Some(owner) = filter.owner {
        query = query.filter(exports::user_id.eq(owner.get()));
    }
    if let Some(after) = keyset.after_position(c) {
        query = query.filter(after);
    }
    let rows: Vec<(ExportRow, i64)> =
        query.order(keyset.order()).limit(keyset.limit).select((ExportRow::as_select(), exports::user_id)).load(c)?;
    Ok(rows.into_iter().map(|(row, owner)| (row.into(), UserId::new(owner))).collect())
}

/// Reads the records of a part of an owner's export.
pub fn find_part(
    c: &mut DbConnection,
    owner: UserId,
    id: ExportId,
    number: i32,
) -> QueryResult<Option<Vec<ExportRecord>>> {
    let text: Option<String> = export_parts::table
        .inner_join(exports::table)
        .filter(exports::user_id.eq(owner.get()))
        .filter(export_parts::export_id.eq(id.get()))
        .filter(export_parts::number.eq(number))
        .select(export_parts::records)
        .first(c)
        .optional()?;
    text.map(|text| serde_json::from_str(&text))
        .transpose()
        .map_err(|error| Error::DeserializationError(Box::new(error)))
}

/// Serializes the records of a part for [`append`].
pub fn serialize_records(records: &[ExportRecord]) -> QueryResult<String> {
    serde_json::to_string(records).map_err(|error| Error::SerializationError(Box::new(error)))
}

/// Starts an attempt to write an export, which supersedes earlier attempts. `number` is the fencing token of the job. Returns `None`
/// if the export is finished, expired or deleted.
pub fn begin(c: &mut DbConnection, id: ExportId, number: i32, now: Timestamp) -> QueryResult<Option<ExportAttempt>> {
    let row: Option<AttemptRow> = diesel::update(exports::table.find(id.get()))
        .filter(exports::state.eq_any([QUEUED, RUNNING]))
        .filter(exports::expires_at.gt(now.micros()))
        .set((exports::state.eq(RUNNING), exports::attempts.eq(number)))
        .returning(columns::<AttemptRow>())
        .get_result(c)
        .optional()?;
    let Some(row) = row else { return Ok(None) };
    diesel::delete(export_parts::table.filter(export_parts::export_id.eq(id.get()))).execute(c)?;
    Ok(Some(ExportAttempt { export_id: ExportId::new(row.id), owner: UserId::new(row.user_id), number: row.attempts }))
}

/// Appends a part from [`serialize_records`]. Returns `false`, and appends nothing, if the attempt is superseded or the export was
/// deleted.
pub fn append(c: &mut DbConnection, attempt: ExportAttempt, number: i32, records: &str) -> QueryResult<bool> {
    // The update locks the row: no other attempt begins before the commit.
    let export = exports::table.find(attempt.export_id.get()).filter(exports::attempts.eq(attempt.number));
    if diesel::update(export.filter(exports::state.eq(RUNNING))).set(exports::state.eq(RUNNING)).execute(c)? == 0 {
        return Ok(false);
    }
    diesel::insert_into(export_parts::table)
        .values((
            export_parts::export_id.eq(attempt.export_id.get()),
            export_parts::number.eq(number),
            export_parts::records.eq(records),
        ))
        .execute(c)?;
    Ok(true)
}

/// Marks an export as finished. Has no effect if the attempt is superseded.
pub fn finish(
    c: &mut DbConnection,
    attempt: ExportAttempt,
    parts: i32,
    records: i64,
    now: Timestamp,
) -> QueryResult<()> {
    diesel::update(exports::table.find(attempt.export_id.get()).filter(exports::attempts.eq(attempt.number)))
        .filter(exports::state.eq(RUNNING))
        .set((
            exports::state.eq(FINISHED),
            exports::parts.eq(parts),
            exports::records.eq(records),
            exports::finished_at.eq(now.micros()),
        ))
        .execute(c)
        .map(drop)
}

/// Marks an export as failed, unless it is finished.
pub fn fail(c: &mut DbConnection, id: ExportId, now: Timestamp) -> QueryResult<()> {
    diesel::update(exports::table.find(id.get()).filter(exports::state.eq_any([QUEUED, RUNNING])))
        .set((exports::state.eq(FAILED), exports::finished_at.eq(now.micros())))
        .execute(c)
        .map(drop)
}

/// Lists the exports that are not finished.
pub fn list_pending(c: &mut DbConnection) -> QueryResult<Vec<ExportId>> {
    let ids: Vec<i64> = exports::table.filter(exports::state.eq_any([QUEUED, RUNNING])).select(exports::id).load(c)?;
    Ok(ids.into_iter().map(ExportId::new).collect())
}

/// Makes a failed export run again, unless it has expired.
pub fn requeue(c: &mut DbConnection, id: ExportId, now: Timestamp) -> QueryResult<()> {
    diesel::update(exports::table.find(id.get()).filter(exports::state.eq(FAILED)))
        .filter(exports::expires_at.gt(now.micros()))
        .set((exports::state.eq(QUEUED), exports::finished_at.eq(None::<i64>)))
        .execute(c)
        .map(drop)
}

/// Deletes expired rows, at most `limit` parts. Returns the number of deleted rows: 0 when no expired row is left.
pub fn purge(c: &mut DbConnection, now: Timestamp, limit: i64) -> QueryResult<usize> {
    let parts: Vec<(i64, i32)> = export_parts::table
        .inner_join(exports::table)
        .filter(exports::expires_at.le(now.micros()))
        .order((export_parts::export_id, export_parts::number))
        .limit(limit)
        .select((export_parts::export_id, export_parts::number))
        .load(c)?;
    let Some(first) = parts.first().map(|(export, _)| *export) else {
        return diesel::delete(exports::table.filter(exports::expires_at.le(now.micros()))).execute(c);
    };
    // One export at a time, so that the deletion uses the index.
    let numbers = parts.iter().filter(|(export, _)| *export == first).map(|(_, number)| *number);
    diesel::delete(export_parts::table.filter(export_parts::export_id.eq(first)))
        .filter(export_parts::number.eq_any(numbers.collect::<Vec<_>>()))
        .execute(c)
}
