//! What was done, by whom and from where. Rows are added and, when they are old, deleted; never changed.

use diesel::{dsl::count_star, prelude::*};

use super::keyset::{Keyset, KeysetPosition, SortValue};
use crate::{
    db::{DbConnection, MultiBackend, schema::audit_events},
    domain::{AuditAction, AuditEvent, AuditOrigin},
};

/// Something that was done, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct AuditRow {
    pub id: i64,
    pub created_at: i64,
    pub action: String,
    pub actor_id: Option<i64>,
    pub target_type: Option<String>,
    pub target_id: Option<i64>,
    pub request_id: Option<String>,
    pub address: Option<String>,
    pub detail: String,
}

/// The columns of [`AuditRow`], in its order.
const COLUMNS: Columns = (
    audit_events::id,
    audit_events::created_at,
    audit_events::action,
    audit_events::actor_id,
    audit_events::target_type,
    audit_events::target_id,
    audit_events::request_id,
    audit_events::address,
    audit_events::detail,
);
type Columns = (
    audit_events::id,
    audit_events::created_at,
    audit_events::action,
    audit_events::actor_id,
    audit_events::target_type,
    audit_events::target_id,
    audit_events::request_id,
    audit_events::address,
    audit_events::detail,
);

impl AuditRow {
    /// Where this event is among the others.
    #[must_use]
    pub const fn position(&self) -> KeysetPosition {
        KeysetPosition { key: SortValue::Instant(self.created_at), id: self.id }
    }
}

/// Appends an event. Goes into the transaction of what was done: there is never one without the other.
pub fn append(c: &mut DbConnection, origin: &AuditOrigin, event: &AuditEvent, now: i64) -> QueryResult<()> {
    let (target_type, target_id) = event.target.map(|(kind, id)| (kind.as_str(), id)).unzip();
    // A map of texts always serialises.
    let detail = serde_json::to_string(&event.detail).unwrap_or_default();
    diesel::insert_into(audit_events::table)
        .values((
            audit_events::created_at.eq(now),
            audit_events::action.eq(event.action.as_str()),
            audit_events::actor_id.eq(origin.actor),
            audit_events::target_type.eq(target_type),
            audit_events::target_id.eq(target_id),
            audit_events::request_id.eq(&origin.request_id),
            audit_events::address.eq(origin.address.map(|address| address.to_string())),
            audit_events::detail.eq(detail),
        ))
        .execute(c)
        .map(drop)
}

/// How far back [`addresses_of`] looks.
const LOOKED_AT: i64 = 200;

/// The addresses that somebody has proven from, lately, to be this account's owner. Found by the actor: those who fail to are
/// none, so their number makes no difference.
pub fn addresses_of(c: &mut DbConnection, user_id: i64) -> QueryResult<Vec<String>> {
    const PROOFS: [AuditAction; 3] =
        [AuditAction::LoginSucceeded, AuditAction::UserRegistered, AuditAction::PasswordResetConfirmed];
    let addresses: Vec<Option<String>> = audit_events::table
        .filter(audit_events::actor_id.eq(user_id))
        .filter(audit_events::action.eq_any(PROOFS.map(AuditAction::as_str)))
        .order((audit_events::created_at.desc(), audit_events::id.desc()))
        .limit(LOOKED_AT)
        .select(audit_events::address)
        .load(c)?;
    Ok(addresses.into_iter().flatten().collect())
}

/// Which events; `None` is all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filter {
    pub actor_id: Option<i64>,
    pub action: Option<String>,
    pub target_type: Option<String>,
    pub target_id: Option<i64>,
    /// Later than this.
    pub created_after: Option<i64>,
    /// Earlier than this.
    pub created_before: Option<i64>,
}

/// What a filter lets through, the bounds in time being in place of its own.
fn matching(filter: &Filter, after: Option<i64>, before: Option<i64>) -> audit_events::BoxedQuery<'_, MultiBackend> {
    let mut found = audit_events::table.into_boxed();
    if let Some(actor) = filter.actor_id {
        found = found.filter(audit_events::actor_id.eq(actor));
    }
    if let Some(action) = &filter.action {
        found = found.filter(audit_events::action.eq(action));
    }
    if let Some(kind) = &filter.target_type {
        found = found.filter(audit_events::target_type.eq(kind));
    }
    if let Some(id) = filter.target_id {
        found = found.filter(audit_events::target_id.eq(id));
    }
    if let Some(instant) = after {
        found = found.filter(audit_events::created_at.gt(instant));
    }
    if let Some(instant) = before {
        found = found.filter(audit_events::created_at.lt(instant));
    }
    found
}

/// The events that come after a row.
pub fn list_after(c: &mut DbConnection, filter: &Filter, keyset: &Keyset) -> QueryResult<Vec<AuditRow>> {
    let after = keyset.unless_implied(filter.created_after);
    let before = keyset.unless_implied_before(filter.created_before);
    let mut page = matching(filter, after, before).order(keyset.order()).limit(keyset.limit);
    if let Some(rest) = keyset.rest(c) {
        page = page.filter(rest);
    }
    page.select(COLUMNS).load(c)
}

/// How many events there are in all.
pub fn count(c: &mut DbConnection, filter: &Filter) -> QueryResult<i64> {
    matching(filter, filter.created_after, filter.created_before).select(count_star()).first(c)
}

/// How many events one purge deletes at most: nobody waits for the writer for long, and there is a next time.
const PURGED_AT_ONCE: i64 = 10_000;

/// Deletes the oldest of the events from before `until`; returns how many.
pub fn purge(c: &mut DbConnection, until: i64) -> QueryResult<usize> {
    let old: Vec<i64> = audit_events::table
        .filter(audit_events::created_at.lt(until))
        .order((audit_events::created_at, audit_events::id))
        .limit(PURGED_AT_ONCE)
        .select(audit_events::id)
        .load(c)?;
    // Ids rise with time, but for events of one moment: a range deletes them without naming each.
    let (Some(first), Some(last)) = (old.iter().min(), old.iter().max()) else { return Ok(0) };
    let range =
        audit_events::table.filter(audit_events::id.between(*first, *last)).filter(audit_events::created_at.lt(until));
    diesel::delete(range).execute(c)
}
