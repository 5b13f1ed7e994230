//! The audit trail. Events are appended, and deleted when their retention ends; they are never changed.

use diesel::{dsl::count_star, result::Error};

use super::keyset::KeysetSql;
use super::prelude::*;
use crate::{
    db::{DbConnection, MultiBackend, schema::audit_events},
    domain::{
        AuditAction, AuditEvent, AuditEventId, AuditFilter, AuditOrigin, AuditTarget, Keyset, NewAuditEvent, Timestamp,
        UserId,
    },
};

#[derive(Queryable, Selectable)]
#[diesel(table_name = audit_events)]
struct AuditEventRow {
    id: i64,
    created_at: i64,
    action: String,
    actor_id: Option<i64>,
    target_type: Option<String>,
    target_id: Option<i64>,
    request_id: Option<String>,
    address: Option<String>,
    detail: String,
}

impl From<AuditEventRow> for AuditEvent {
    fn from(row: AuditEventRow) -> Self {
        Self {
            id: AuditEventId::new(row.id),
            created_at: Timestamp::from_micros(row.created_at),
            action: row.action,
            actor_id: row.actor_id.map(UserId::new),
            target_type: row.target_type,
            target_id: row.target_id,
            request_id: row.request_id,
            address: row.address,
            // An invalid detail, which only another program could have written, must not make the event unreadable.
            detail: serde_json::from_str(&row.detail).unwrap_or_default(),
        }
    }
}

/// Appends an event, in the transaction of the action itself.
pub fn append(c: &mut DbConnection, origin: &AuditOrigin, event: &NewAuditEvent, now: Timestamp) -> QueryResult<()> {
    let (target_type, target_id) = event.target.map(|(target, id)| (target.as_str(), id)).unzip();
    let mut detail = event.detail.clone();
    if let Some(id) = origin.api_client {
        detail.insert("api_client_id", id.to_string());
    }
    let detail = serde_json::to_string(&detail).map_err(|error| Error::SerializationError(Box::new(error)))?;
    diesel::insert_into(audit_events::table)
        .values((
            audit_events::created_at.eq(now.micros()),
            audit_events::action.eq(event.action.as_str()),
            audit_events::actor_id.eq(origin.actor.map(UserId::get)),
            audit_events::target_type.eq(target_type),
            audit_events::target_id.eq(target_id),
            audit_events::request_id.eq(&origin.request_id),
            audit_events::address.eq(origin.address.map(|address| address.to_string())),
            audit_events::detail.eq(detail),
        ))
        .execute(c)
        .map(drop)
}

/// Maximum number of events that [`verified_addresses`] reads.
const VERIFIED_ADDRESS_EVENTS: i64 = 200;

/// Lists the addresses from which this account's owner has recently authenticated. The query selects events by their
/// actor. Failed attempts have no actor, so their number does not affect the query.
pub fn verified_addresses(c: &mut DbConnection, user_id: UserId) -> QueryResult<Vec<String>> {
    const AUTHENTICATIONS: [AuditAction; 3] =
        [AuditAction::LoginSucceeded, AuditAction::UserRegistered, AuditAction::PasswordResetConfirmed];
    let addresses: Vec<Option<String>> = audit_events::table
        .filter(audit_events::actor_id.eq(user_id.get()))
        .filter(audit_events::action.eq_any(AUTHENTICATIONS.map(AuditAction::as_str)))
        .order((audit_events::created_at.desc(), audit_events::id.desc()))
        .limit(VERIFIED_ADDRESS_EVENTS)
        .select(audit_events::address)
        .load(c)?;
    Ok(addresses.into_iter().flatten().collect())
}

/// Selects the events that match a filter, using `after` and `before` instead of the bounds in the filter.
fn matching(
    filter: &AuditFilter,
    after: Option<Timestamp>,
    before: Option<Timestamp>,
) -> audit_events::BoxedQuery<'static, MultiBackend> {
    let mut query = audit_events::table.into_boxed();
    if let Some(actor) = filter.actor_id {
        query = query.filter(audit_events::actor_id.eq(actor.get()));
    }
    if let Some(action) = filter.action {
        query = query.filter(audit_events::action.eq(action.as_str()));
    }
    if let Some(target) = filter.target_type.map(AuditTarget::as_str) {
        query = query.filter(audit_events::target_type.eq(target));
    }
    if let Some(id) = filter.target_id {
        query = query.filter(audit_events::target_id.eq(id));
    }
    if let Some(time) = after {
        query = query.filter(audit_events::created_at.gt(time.micros()));
    }
    if let Some(time) = before {
        query = query.filter(audit_events::created_at.lt(time.micros()));
    }
    query
}

/// Lists the events after a position.
pub fn list_after(c: &mut DbConnection, filter: &AuditFilter, keyset: &Keyset) -> QueryResult<Vec<AuditEvent>> {
    let after = keyset.needed_lower_bound(filter.created_after);
    let before = keyset.needed_upper_bound(filter.created_before);
    let mut page = matching(filter, after, before).order(keyset.order()).limit(keyset.limit);
    if let Some(condition) = keyset.after_position(c) {
        page = page.filter(condition);
    }
    let rows: Vec<AuditEventRow> = page.select(AuditEventRow::as_select()).load(c)?;
    Ok(rows.into_iter().map(AuditEvent::from).collect())
}

/// Counts the events that match a filter.
pub fn count(c: &mut DbConnection, filter: &AuditFilter) -> QueryResult<i64> {
    matching(filter, filter.created_after, filter.created_before).select(count_star()).first(c)
}

/// Maximum number of events that one purge deletes, so that it does not hold the writer for long.
const PURGE_LIMIT: i64 = 10_000;

/// Deletes the oldest events from before `until`; returns their number.
pub fn purge(c: &mut DbConnection, until: Timestamp) -> QueryResult<usize> {
    let old: Vec<i64> = audit_events::table
        .filter(audit_events::created_at.lt(until.micros()))
        .order((audit_events::created_at, audit_events::id))
        .limit(PURGE_LIMIT)
        .select(audit_events::id)
        .load(c)?;
    // IDs increase with time, except for simultaneous events, so that a range of IDs can be deleted.
    let (Some(first), Some(last)) = (old.iter().min(), old.iter().max()) else { return Ok(0) };
    let range = audit_events::table
        .filter(audit_events::id.between(*first, *last))
        .filter(audit_events::created_at.lt(until.micros()));
    diesel::delete(range).execute(c)
}
