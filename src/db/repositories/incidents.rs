//! Incidents, and groups of incidents with the same fingerprint.

use diesel::{
    dsl::{case_when, count_star},
    result::Error,
    sql_types::{BigInt, Nullable, Text},
};

use super::keyset::KeysetSql;
use super::prelude::*;
use crate::{
    db::{
        DbConnection,
        schema::{incident_groups, incidents, users},
    },
    domain::{
        ApiVersion, FailureOccurrence, Incident, IncidentFilter, IncidentGroup, IncidentGroupId, IncidentId,
        IncidentState, Keyset, NewIncident, StoredRecord, Timestamp, UserId,
    },
};

/// Lowest status of a failure. A captured request with a lower one is neither resolved nor unresolved.
pub(super) const FIRST_FAILURE: i32 = 400;

#[derive(Clone, Queryable, Selectable)]
#[diesel(table_name = incident_groups)]
pub(super) struct GroupRow {
    id: i64,
    fingerprint: String,
    operation: Option<String>,
    status: i32,
    code: Option<String>,
    site: String,
    occurrences: i64,
    resolved_at: Option<i64>,
    regressed_at: Option<i64>,
    fixed_in: Option<String>,
    created_at: i64,
    updated_at: i64,
}

impl From<GroupRow> for IncidentGroup {
    fn from(row: GroupRow) -> Self {
        let state = match (row.resolved_at, row.regressed_at) {
            (Some(at), _) => IncidentState::Resolved { at: Timestamp::from_micros(at) },
            (None, Some(at)) => IncidentState::Regressed { at: Timestamp::from_micros(at) },
            (None, None) => IncidentState::Open,
        };
        Self {
            id: IncidentGroupId::new(row.id),
            fingerprint: row.fingerprint,
            operation: row.operation,
            status: row.status,
            code: row.code,
            site: row.site,
            occurrences: row.occurrences,
            state,
            fixed_in: row.fixed_in,
            first_seen_at: Timestamp::from_micros(row.created_at),
            last_seen_at: Timestamp::from_micros(row.updated_at),
        }
    }
}

/// The columns of an incident without its record.
#[derive(Queryable, Selectable)]
#[diesel(table_name = incidents)]
struct IncidentRow {
    id: i64,
    group_id: i64,
    user_id: Option<i64>,
    request_id: String,
    method: String,
    contract: Option<String>,
    duration: i64,
    server_version: String,
    created_at: i64,
}

impl IncidentRow {
    fn into_incident(self, group: IncidentGroup) -> QueryResult<Incident> {
        let contract: Option<ApiVersion> = self
            .contract
            .map(ApiVersion::try_from)
            .transpose()
            .map_err(|error| Error::DeserializationError(Box::new(error)))?;
        Ok(Incident {
            id: IncidentId::new(self.id),
            group,
            user_id: self.user_id.map(UserId::new),
            request_id: self.request_id,
            method: self.method,
            contract,
            duration: self.duration,
            server_version: self.server_version,
            received_at: Timestamp::from_micros(self.created_at),
        })
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = incidents)]
struct RecordRow {
    key_id: Option<String>,
    record: Vec<u8>,
}

impl From<RecordRow> for StoredRecord {
    fn from(row: RecordRow) -> Self {
        Self { key_id: row.key_id, bytes: row.record }
    }
}

#[derive(Insertable)]
#[diesel(table_name = incidents)]
struct NewIncidentRow<'a> {
    group_id: i64,
    user_id: Option<i64>,
    request_id: &'a str,
    method: &'a str,
    contract: Option<&'static str>,
    duration: i64,
    server_version: &'a str,
    key_id: Option<&'a str>,
    record: &'a [u8],
    created_at: i64,
    expires_at: i64,
}

/// Adds failures to their group, and creates the group if it does not exist. A resolved group becomes regressed.
pub fn record_occurrence(c: &mut DbConnection, occurrence: &FailureOccurrence) -> QueryResult<IncidentGroupId> {
    use incident_groups::dsl;
    let last_seen_at = occurrence.last_seen_at.micros();
    let new = (
        dsl::fingerprint.eq(&occurrence.fingerprint),
        dsl::operation.eq(&occurrence.operation),
        dsl::status.eq(occurrence.status),
        dsl::code.eq(&occurrence.code),
        dsl::site.eq(&occurrence.site),
        dsl::occurrences.eq(0),
        dsl::created_at.eq(last_seen_at),
        dsl::updated_at.eq(last_seen_at),
    );
    match c {
        DbConnection::Sqlite(c) => {
            diesel::insert_into(incident_groups::table).values(new).on_conflict_do_nothing().execute(c)?
        }
        DbConnection::Postgres(c) => {
            diesel::insert_into(incident_groups::table).values(new).on_conflict_do_nothing().execute(c)?
        }
    };
    let group = incident_groups::table.filter(dsl::fingerprint.eq(&occurrence.fingerprint));
    let changes = (
        dsl::occurrences.eq(dsl::occurrences + occurrence.count),
        dsl::updated_at.eq(last_seen_at),
        // A group that was created by a counter has no site until a failure is captured.
        dsl::site.eq(case_when(dsl::site.eq(""), occurrence.site.as_str().into_sql::<Text>()).otherwise(dsl::site)),
        dsl::regressed_at.eq(case_when(
            dsl::resolved_at.is_not_null(),
            Some(last_seen_at).into_sql::<Nullable<BigInt>>(),
        )
        .otherwise(dsl::regressed_at)),
        dsl::resolved_at.eq(None::<i64>),
    );
    diesel::update(group).set(changes).returning(dsl::id).get_result(c).map(IncidentGroupId::new)
}

/// Inserts an incident of a group. If its account was deleted in the meantime, it has no user.
pub fn insert(c: &mut DbConnection, group_id: IncidentGroupId, incident: &NewIncident) -> QueryResult<IncidentId> {
    let user_id: Option<i64> = match incident.user_id {
        Some(user_id) => users::table.find(user_id.get()).select(users::id).first(c).optional()?,
        None => None,
    };
    let row = NewIncidentRow {
        group_id: group_id.get(),
        user_id,
        request_id: &incident.request_id,
        method: &incident.method,
        contract: incident.contract.map(ApiVersion::as_str),
        duration: incident.duration,
        server_version: &incident.server_version,
        key_id: incident.record.key_id.as_deref(),
        record: &incident.record.bytes,
        created_at: incident.received_at.micros(),
        expires_at: incident.expires_at.micros(),
    };
    diesel::insert_into(incidents::table).values(row).returning(incidents::id).get_result(c).map(IncidentId::new)
}

/// Counts all stored incidents.
pub fn count_stored(c: &mut DbConnection) -> QueryResult<i64> {
    incidents::table.select(count_star()).first(c)
}

/// Deletes `rows` incidents: the oldest of the largest group, so that a frequent failure does not displace a rare one.
pub fn evict(c: &mut DbConnection, mut rows: i64) -> QueryResult<()> {
    while rows > 0 {
        let largest: Option<(i64, i64)> = incidents::table
            .group_by(incidents::group_id)
            .select((incidents::group_id, count_star()))
            .order((count_star().desc(), incidents::group_id.asc()))
            .first(c)
            .optional()?;
        let Some((group, size)) = largest else { return Ok(()) };
        let oldest: Vec<i64> = incidents::table
            .filter(incidents::group_id.eq(group))
            .order((incidents::created_at.asc(), incidents::id.asc()))
            .limit(rows.min((size / 2).max(1)))
            .select(incidents::id)
            .load(c)?;
        rows -= i64::try_from(oldest.len()).unwrap_or(rows);
        diesel::delete(incidents::table.filter(incidents::id.eq_any(oldest))).execute(c)?;
    }
    Ok(())
}

type IncidentQuery = incidents::BoxedQuery<'static, crate::db::MultiBackend>;

/// Selects the incidents that match a filter and have not expired at `now`.
fn matching(c: &mut DbConnection, filter: &IncidentFilter, now: Timestamp) -> QueryResult<IncidentQuery> {
    let mut query = incidents::table.into_boxed().filter(incidents::expires_at.gt(now.micros()));
    if let Some(time) = filter.received_after {
        query = query.filter(incidents::created_at.gt(time.micros()));
    }
    if let Some(time) = filter.received_until {
        query = query.filter(incidents::created_at.le(time.micros()));
    }
    if let Some(request_id) = &filter.request_id {
        query = query.filter(incidents::request_id.eq(request_id.clone()));
    }
    let filters_groups = filter.operation.is_some()
        || filter.status.is_some()
        || filter.code.is_some()
        || filter.fingerprint.is_some()
        || filter.resolved.is_some();
    if filters_groups {
        let groups = matching_groups(c, filter)?;
        query = match (&*c, groups.as_slice()) {
            // SQLite would sort all incidents of the groups by their time. The sum prevents that it uses the index of this column, so that
            // it reads the incidents in order.
            (DbConnection::Sqlite(_), [_, _, ..]) => query.filter((incidents::group_id + 0).eq_any(groups)),
            _ => query.filter(incidents::group_id.eq_any(groups)),
        };
    }
    Ok(query)
}

fn matching_groups(c: &mut DbConnection, filter: &IncidentFilter) -> QueryResult<Vec<i64>> {
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
        Some(false) => {
            groups.filter(incident_groups::resolved_at.is_null()).filter(incident_groups::status.ge(FIRST_FAILURE))
        }
        None => groups,
    };
    groups.load(c)
}

/// Loads the groups of incidents in one query.
fn with_groups<T>(c: &mut DbConnection, rows: Vec<(IncidentRow, T)>) -> QueryResult<Vec<(Incident, T)>> {
    let mut ids: Vec<i64> = rows.iter().map(|(row, _)| row.group_id).collect();
    ids.sort_unstable();
    ids.dedup();
    let groups: Vec<GroupRow> =
        incident_groups::table.filter(incident_groups::id.eq_any(ids)).select(GroupRow::as_select()).load(c)?;
    let mut found = Vec::with_capacity(rows.len());
    for (row, rest) in rows {
        // A group is deleted only with its last incident.
        if let Some(group) = groups.iter().find(|group| group.id == row.group_id) {
            found.push((row.into_incident(group.clone().into())?, rest));
        }
    }
    Ok(found)
}

/// Lists incidents after a position.
pub fn list_after(
    c: &mut DbConnection,
    filter: &IncidentFilter,
    keyset: &Keyset,
    now: Timestamp,
) -> QueryResult<Vec<Incident>> {
    let mut query = matching(c, filter, now)?.order(keyset.order()).limit(keyset.limit);
    if let Some(after) = keyset.after_position(c) {
        query = query.filter(after);
    }
    let rows: Vec<IncidentRow> = query.select(IncidentRow::as_select()).load(c)?;
    let found = with_groups(c, rows.into_iter().map(|row| (row, ())).collect())?;
    Ok(found.into_iter().map(|(incident, ())| incident).collect())
}

/// Lists incidents with their records after a position. The number of queries does not depend on the number of incidents.
pub fn list_records_after(
    c: &mut DbConnection,
    filter: &IncidentFilter,
    keyset: &Keyset,
    now: Timestamp,
) -> QueryResult<Vec<(Incident, StoredRecord)>> {
    let mut query = matching(c, filter, now)?.order(keyset.order()).limit(keyset.limit);
    if let Some(after) = keyset.after_position(c) {
        query = query.filter(after);
    }
    let rows: Vec<(IncidentRow, RecordRow)> =
        query.select((IncidentRow::as_select(), RecordRow::as_select())).load(c)?;
    with_groups(c, rows.into_iter().map(|(row, record)| (row, record.into())).collect())
}

/// Counts the incidents that match a filter.
pub fn count(c: &mut DbConnection, filter: &IncidentFilter, now: Timestamp) -> QueryResult<i64> {
    matching(c, filter, now)?.select(count_star()).first(c)
}

/// Finds an incident with its record, unless it has expired.
pub fn find(c: &mut DbConnection, id: IncidentId, now: Timestamp) -> QueryResult<Option<(Incident, StoredRecord)>> {
    let row: Option<(IncidentRow, RecordRow)> = incidents::table
        .find(id.get())
        .filter(incidents::expires_at.gt(now.micros()))
        .select((IncidentRow::as_select(), RecordRow::as_select()))
        .first(c)
        .optional()?;
    let Some((row, record)) = row else { return Ok(None) };
    Ok(with_groups(c, vec![(row, record.into())])?.pop())
}

/// Locks the group of an incident until the transaction ends.
pub fn lock_group_of(c: &mut DbConnection, id: IncidentId) -> QueryResult<()> {
    // SQLite has one writer: its transaction is the lock.
    if let DbConnection::Postgres(c) = c {
        let group = incidents::table.find(id.get()).select(incidents::group_id).into_boxed();
        let group = incident_groups::table.filter(incident_groups::id.eq_any(group)).select(incident_groups::id);
        group.for_update().first::<i64>(c).optional()?;
    }
    Ok(())
}

/// Stores the state and the version of a group.
pub fn update_group(c: &mut DbConnection, group: &IncidentGroup) -> QueryResult<()> {
    let (resolved_at, regressed_at) = match group.state {
        IncidentState::Open => (None, None),
        IncidentState::Resolved { at } => (Some(at.micros()), None),
        IncidentState::Regressed { at } => (None, Some(at.micros())),
    };
    diesel::update(incident_groups::table.find(group.id.get()))
        .set((
            incident_groups::resolved_at.eq(resolved_at),
            incident_groups::regressed_at.eq(regressed_at),
            incident_groups::fixed_in.eq(group.fixed_in.as_deref()),
        ))
        .execute(c)
        .map(drop)
}

/// Deletes an incident, but not its group. Returns `false` if the incident does not exist.
pub fn delete(c: &mut DbConnection, id: IncidentId, now: Timestamp) -> QueryResult<bool> {
    let incident = incidents::table.find(id.get()).filter(incidents::expires_at.gt(now.micros()));
    diesel::delete(incident).execute(c).map(|rows| rows > 0)
}

/// Deletes incidents that have expired at `now`, and groups without incidents that were last seen before `groups_before`. Returns
/// the number of rows.
pub fn purge(c: &mut DbConnection, now: Timestamp, groups_before: Timestamp) -> QueryResult<usize> {
    let incidents = diesel::delete(incidents::table.filter(incidents::expires_at.le(now.micros()))).execute(c)?;
    let groups = incident_groups::table
        .filter(incident_groups::updated_at.lt(groups_before.micros()))
        .filter(incident_groups::id.ne_all(incidents::table.select(incidents::group_id)));
    Ok(incidents + diesel::delete(groups).execute(c)?)
}
