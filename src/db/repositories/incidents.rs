//! Failed requests, and the groups of equal ones.

use diesel::{dsl::count_star, prelude::*};
use serde::Serialize;

use super::keyset::KeysetSql;
use crate::{
    db::{
        DbConnection,
        schema::{incident_groups, incidents, users},
    },
    domain::{Keyset, KeysetPosition, SortValue, Timestamp},
};

/// A group of equal failures as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Serialize)]
pub struct GroupRow {
    pub id: i64,
    pub fingerprint: String,
    pub operation: Option<String>,
    pub status: i32,
    pub code: Option<String>,
    pub site: String,
    pub occurrences: i64,
    pub resolved_at: Option<i64>,
    pub fixed_in: Option<String>,
    pub created_at: i64,
    pub updated_at: i64,
}

/// A failed request as it is stored, without its record.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Serialize)]
pub struct IncidentRow {
    pub id: i64,
    pub group_id: i64,
    pub user_id: Option<i64>,
    pub request_id: String,
    pub method: String,
    pub contract: Option<String>,
    pub duration: i64,
    pub server_version: String,
    pub key_id: Option<String>,
    pub created_at: i64,
}

type Columns = (
    incidents::id,
    incidents::group_id,
    incidents::user_id,
    incidents::request_id,
    incidents::method,
    incidents::contract,
    incidents::duration,
    incidents::server_version,
    incidents::key_id,
    incidents::created_at,
);
const COLUMNS: Columns = (
    incidents::id,
    incidents::group_id,
    incidents::user_id,
    incidents::request_id,
    incidents::method,
    incidents::contract,
    incidents::duration,
    incidents::server_version,
    incidents::key_id,
    incidents::created_at,
);

/// A failed request and the failures it is equal to.
pub type Found = (IncidentRow, GroupRow);

impl IncidentRow {
    /// Where this one is among the others.
    #[must_use]
    pub fn position(&self) -> KeysetPosition {
        KeysetPosition { value: SortValue::Timestamp(Timestamp::from_micros(self.created_at)), id: self.id }
    }
}

impl GroupRow {
    /// Where this one is among the others.
    #[must_use]
    pub fn position(&self) -> KeysetPosition {
        KeysetPosition { value: SortValue::Timestamp(Timestamp::from_micros(self.created_at)), id: self.id }
    }
}

/// What makes failures equal, and how often they were met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Occurrence {
    pub fingerprint: String,
    pub operation: Option<String>,
    pub status: i32,
    pub code: Option<String>,
    pub site: String,
    pub count: i64,
    /// When the last of them was met.
    pub at: i64,
}

/// A failed request to be stored.
#[derive(Clone, Debug, Insertable)]
#[diesel(table_name = incidents)]
pub struct NewIncident {
    pub group_id: i64,
    pub user_id: Option<i64>,
    pub request_id: String,
    pub method: String,
    pub contract: Option<String>,
    pub duration: i64,
    pub server_version: String,
    pub key_id: Option<String>,
    pub record: Vec<u8>,
    pub created_at: i64,
    pub expires_at: i64,
}

/// Counts failures; a group that was resolved is open again. Returns the group's id.
pub fn count(c: &mut DbConnection, seen: &Occurrence) -> QueryResult<i64> {
    use incident_groups::dsl;
    let new = (
        dsl::fingerprint.eq(&seen.fingerprint),
        dsl::operation.eq(&seen.operation),
        dsl::status.eq(seen.status),
        dsl::code.eq(&seen.code),
        dsl::site.eq(&seen.site),
        dsl::occurrences.eq(0),
        dsl::created_at.eq(seen.at),
        dsl::updated_at.eq(seen.at),
    );
    match c {
        DbConnection::Sqlite(c) => {
            diesel::insert_into(incident_groups::table).values(new).on_conflict_do_nothing().execute(c)?
        }
        DbConnection::Postgres(c) => {
            diesel::insert_into(incident_groups::table).values(new).on_conflict_do_nothing().execute(c)?
        }
    };
    let group = incident_groups::table.filter(dsl::fingerprint.eq(&seen.fingerprint));
    let changes = (
        dsl::occurrences.eq(dsl::occurrences + seen.count),
        dsl::updated_at.eq(seen.at),
        dsl::resolved_at.eq(None::<i64>),
    );
    diesel::update(group).set(changes).returning(dsl::id).get_result(c)
}

/// Stores a failed request; one of an account that is gone by now is nobody's. Returns its id.
pub fn insert(c: &mut DbConnection, mut incident: NewIncident) -> QueryResult<i64> {
    if let Some(user) = incident.user_id {
        let is_there: Option<i64> = users::table.find(user).select(users::id).first(c).optional()?;
        incident.user_id = is_there;
    }
    diesel::insert_into(incidents::table).values(&incident).returning(incidents::id).get_result(c)
}

/// How many there are.
pub fn total(c: &mut DbConnection) -> QueryResult<i64> {
    incidents::table.select(count_star()).first(c)
}

/// Deletes so many of the oldest ones of the group that has most: what fails all the time must not push out what fails once.
pub fn make_room(c: &mut DbConnection, mut rows: i64) -> QueryResult<()> {
    while rows > 0 {
        let largest: Option<(i64, i64)> = incidents::table
            .group_by(incidents::group_id)
            .select((incidents::group_id, count_star()))
            .order((count_star().desc(), incidents::group_id.asc()))
            .first(c)
            .optional()?;
        let Some((group, has)) = largest else { return Ok(()) };
        let oldest: Vec<i64> = incidents::table
            .filter(incidents::group_id.eq(group))
            .order((incidents::created_at.asc(), incidents::id.asc()))
            .limit(rows.min((has / 2).max(1)))
            .select(incidents::id)
            .load(c)?;
        rows -= i64::try_from(oldest.len()).unwrap_or(rows);
        diesel::delete(incidents::table.filter(incidents::id.eq_any(oldest))).execute(c)?;
    }
    Ok(())
}

/// Which ones; `None` is all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filter {
    pub operation: Option<String>,
    pub status: Option<i32>,
    pub code: Option<String>,
    pub fingerprint: Option<String>,
    pub request_id: Option<String>,
    pub resolved: Option<bool>,
    /// Received later than this.
    pub received_after: Option<i64>,
    /// What has expired by then is not there.
    pub now: i64,
}

/// Those that come after one.
pub fn list_after(c: &mut DbConnection, filter: &Filter, keyset: &Keyset) -> QueryResult<Vec<Found>> {
    // The order's columns are the incidents' own: the groups are looked up for the page that was found.
    let mut page = incidents::table.into_boxed().order(keyset.order()).limit(keyset.limit);
    page = page.filter(incidents::expires_at.gt(filter.now));
    if let Some(instant) = filter.received_after {
        page = page.filter(incidents::created_at.gt(instant));
    }
    if let Some(request_id) = &filter.request_id {
        page = page.filter(incidents::request_id.eq(request_id));
    }
    if filter.operation.is_some()
        || filter.status.is_some()
        || filter.code.is_some()
        || filter.fingerprint.is_some()
        || filter.resolved.is_some()
    {
        page = page.filter(incidents::group_id.eq_any(matching_groups(c, filter)?));
    }
    if let Some(rest) = keyset.after_position(c) {
        page = page.filter(rest);
    }
    let rows: Vec<IncidentRow> = page.select(COLUMNS).load(c)?;
    with_groups(c, rows)
}

fn matching_groups(c: &mut DbConnection, filter: &Filter) -> QueryResult<Vec<i64>> {
    let mut groups = incident_groups::table.select(incident_groups::id).into_boxed();
    if let Some(operation) = &filter.operation {
        groups = groups.filter(incident_groups::operation.eq(operation));
    }
    if let Some(status) = filter.status {
        groups = groups.filter(incident_groups::status.eq(status));
    }
    if let Some(code) = &filter.code {
        groups = groups.filter(incident_groups::code.eq(code));
    }
    if let Some(fingerprint) = &filter.fingerprint {
        groups = groups.filter(incident_groups::fingerprint.eq(fingerprint));
    }
    groups = match filter.resolved {
        Some(true) => groups.filter(incident_groups::resolved_at.is_not_null()),
        Some(false) => groups.filter(incident_groups::resolved_at.is_null()),
        None => groups,
    };
    groups.load(c)
}

fn with_groups(c: &mut DbConnection, rows: Vec<IncidentRow>) -> QueryResult<Vec<Found>> {
    let mut ids: Vec<i64> = rows.iter().map(|row| row.group_id).collect();
    ids.sort_unstable();
    ids.dedup();
    let groups: Vec<GroupRow> = incident_groups::table.filter(incident_groups::id.eq_any(ids)).load(c)?;
    let group = |row: IncidentRow| {
        let group = groups.iter().find(|group| group.id == row.group_id)?.clone();
        Some((row, group))
    };
    Ok(rows.into_iter().filter_map(group).collect())
}

/// One, with its record; not if it has expired.
pub fn find(c: &mut DbConnection, id: i64, now: i64) -> QueryResult<Option<(Found, Vec<u8>)>> {
    let found: Option<(IncidentRow, Vec<u8>)> = incidents::table
        .find(id)
        .filter(incidents::expires_at.gt(now))
        .select((COLUMNS, incidents::record))
        .first(c)
        .optional()?;
    let Some((row, record)) = found else { return Ok(None) };
    Ok(with_groups(c, vec![row])?.pop().map(|found| (found, record)))
}

/// Keeps the group of a failure as it is until the transaction ends: what is decided by what it was is written over nothing else.
pub fn lock_group_of(c: &mut DbConnection, id: i64) -> QueryResult<()> {
    // SQLite has one writer: its transaction is the lock.
    if let DbConnection::Postgres(c) = c {
        let group = incidents::table.find(id).select(incidents::group_id).into_boxed();
        let group = incident_groups::table.filter(incident_groups::id.eq_any(group)).select(incident_groups::id);
        group.for_update().first::<i64>(c).optional()?;
    }
    Ok(())
}

/// Says that a group of failures is fixed, or is not.
pub fn resolve(c: &mut DbConnection, group: i64, at: Option<i64>, fixed_in: Option<&str>) -> QueryResult<()> {
    diesel::update(incident_groups::table.find(group))
        .set((incident_groups::resolved_at.eq(at), incident_groups::fixed_in.eq(fixed_in)))
        .execute(c)
        .map(drop)
}

/// Deletes one; its group stays, which counts it. False if there is none.
pub fn delete(c: &mut DbConnection, id: i64, now: i64) -> QueryResult<bool> {
    let incident = incidents::table.find(id).filter(incidents::expires_at.gt(now));
    diesel::delete(incident).execute(c).map(|rows| rows > 0)
}

/// The groups that come after one.
pub fn groups_after(c: &mut DbConnection, resolved: Option<bool>, keyset: &Keyset) -> QueryResult<Vec<GroupRow>> {
    let mut page = incident_groups::table.into_boxed().order(keyset.order()).limit(keyset.limit);
    page = match resolved {
        Some(true) => page.filter(incident_groups::resolved_at.is_not_null()),
        Some(false) => page.filter(incident_groups::resolved_at.is_null()),
        None => page,
    };
    if let Some(rest) = keyset.after_position(c) {
        page = page.filter(rest);
    }
    page.load(c)
}

/// Deletes what has expired, and groups that have nothing left and were last met before an instant; returns how many rows.
pub fn purge(c: &mut DbConnection, now: i64, groups_before: i64) -> QueryResult<usize> {
    let old = diesel::delete(incidents::table.filter(incidents::expires_at.le(now))).execute(c)?;
    let groups = incident_groups::table
        .filter(incident_groups::updated_at.lt(groups_before))
        .filter(incident_groups::id.ne_all(incidents::table.select(incidents::group_id)));
    Ok(old + diesel::delete(groups).execute(c)?)
}
