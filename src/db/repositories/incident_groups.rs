//! Groups of incidents with the same fingerprint, for lists and changes of several groups.

use std::collections::HashMap;

use diesel::sql_types::BigInt;

use super::prelude::*;
use super::{
    incidents::{FIRST_FAILURE, GroupRow},
    keyset::KeysetSql,
    statement::Statement,
};
use crate::{
    db::{DbConnection, schema::incident_groups},
    domain::{
        IncidentChanges, IncidentGroup, IncidentGroupActivity, IncidentGroupFilter, IncidentGroupId, Keyset, Timestamp,
    },
};

/// Microseconds in a day.
const DAY: i64 = 86_400_000_000;

/// Lists groups after a position.
pub fn list_after(
    c: &mut DbConnection,
    filter: &IncidentGroupFilter,
    keyset: &Keyset,
) -> QueryResult<Vec<IncidentGroup>> {
    let mut query = incident_groups::table.into_boxed().order(keyset.order()).limit(keyset.limit);
    if let Some(operation) = &filter.operation {
        query = query.filter(incident_groups::operation.eq(operation));
    }
    if let Some(status) = filter.status {
        query = query.filter(incident_groups::status.eq(status));
    }
    if let Some(code) = &filter.code {
        query = query.filter(incident_groups::code.eq(code));
    }
    query = match filter.resolved {
        Some(true) => query.filter(incident_groups::resolved_at.is_not_null()),
        Some(false) => {
            query.filter(incident_groups::resolved_at.is_null()).filter(incident_groups::status.ge(FIRST_FAILURE))
        }
        None => query,
    };
    if let Some(after) = keyset.after_position(c) {
        query = query.filter(after);
    }
    let rows: Vec<GroupRow> = query.select(GroupRow::as_select()).load(c)?;
    Ok(rows.into_iter().map(IncidentGroup::from).collect())
}

#[derive(QueryableByName)]
struct Totals {
    #[diesel(sql_type = BigInt)]
    group_id: i64,
    #[diesel(sql_type = BigInt)]
    incidents: i64,
    #[diesel(sql_type = BigInt)]
    users: i64,
}

#[derive(QueryableByName)]
struct DayCount {
    #[diesel(sql_type = BigInt)]
    group_id: i64,
    /// Number of days since 1970.
    #[diesel(sql_type = BigInt)]
    day: i64,
    #[diesel(sql_type = BigInt)]
    incidents: i64,
}

/// Counts the stored incidents of groups and their users. Indexes serve both queries, so that no record is read.
pub fn activity(
    c: &mut DbConnection,
    groups: &[IncidentGroupId],
    now: Timestamp,
) -> QueryResult<HashMap<IncidentGroupId, IncidentGroupActivity>> {
    let mut found: HashMap<IncidentGroupId, IncidentGroupActivity> = HashMap::new();
    if groups.is_empty() {
        return Ok(found);
    }
    let mut totals = Statement::default();
    totals
        .sql("SELECT group_id, count(*) AS incidents, count(DISTINCT user_id) AS users FROM incidents WHERE group_id");
    add_ids(&mut totals, groups);
    totals.sql(" GROUP BY group_id");
    for row in totals.load::<Totals>(c)? {
        let activity = found.entry(IncidentGroupId::new(row.group_id)).or_default();
        (activity.incidents, activity.users) = (row.incidents, row.users);
    }
    let today = now.micros().div_euclid(DAY);
    let days = i64::try_from(IncidentGroupActivity::DAYS).unwrap_or_default();
    let first = today - days + 1;
    let mut daily = Statement::default();
    daily.sql(&format!(
        "SELECT group_id, created_at / {DAY} AS day, count(*) AS incidents FROM incidents WHERE group_id"
    ));
    add_ids(&mut daily, groups);
    daily.sql(" AND created_at >= ").integer(first * DAY);
    daily.sql(&format!(" GROUP BY group_id, created_at / {DAY}"));
    for row in daily.load::<DayCount>(c)? {
        let activity = found.entry(IncidentGroupId::new(row.group_id)).or_default();
        if let Some(count) = usize::try_from(row.day - first).ok().and_then(|index| activity.daily.get_mut(index)) {
            *count = row.incidents;
        }
    }
    Ok(found)
}

fn add_ids(statement: &mut Statement, groups: &[IncidentGroupId]) {
    statement.sql(" IN (");
    for (index, group) in groups.iter().enumerate() {
        statement.sql(if index > 0 { ", " } else { "" }).integer(group.get());
    }
    statement.sql(")");
}

/// Marks groups as resolved or as open in one statement, as [`IncidentGroup::apply`] does. Returns those that exist, by ID.
pub fn set_resolved(
    c: &mut DbConnection,
    groups: &[IncidentGroupId],
    changes: &IncidentChanges,
    now: Timestamp,
) -> QueryResult<Vec<IncidentGroup>> {
    let mut update = Statement::default();
    if changes.resolved == Some(false) {
        update.sql("UPDATE incident_groups SET resolved_at = NULL, regressed_at = NULL, fixed_in = NULL WHERE id");
    } else {
        let version = changes.fixed_in.as_deref();
        update.sql("UPDATE incident_groups SET resolved_at = coalesce(resolved_at, ").integer(now.micros());
        // A regression occurred in the version that was to fix the failure, so the new resolution does not inherit it.
        let replaces = if version.is_some() { "1 = 1" } else { "regressed_at IS NOT NULL" };
        update.sql(&format!("), regressed_at = NULL, fixed_in = CASE WHEN {replaces} THEN CAST("));
        update.optional_text(version).sql(" AS TEXT) ELSE fixed_in END WHERE id");
    }
    add_ids(&mut update, groups);
    update.execute(c)?;
    let ids: Vec<i64> = groups.iter().map(|group| group.get()).collect();
    let rows: Vec<GroupRow> = incident_groups::table
        .filter(incident_groups::id.eq_any(ids))
        .order(incident_groups::id)
        .select(GroupRow::as_select())
        .load(c)?;
    Ok(rows.into_iter().map(IncidentGroup::from).collect())
}
