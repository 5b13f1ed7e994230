//! Failures that were kept: stored, found again, resolved, deleted.

use std::{sync::Arc, time::Duration};

use ::incidents::{Record, Redacted};

use super::{Conflict, Context, Error, Precondition, Resource};
use crate::{
    capture::{RecordCipher, Sealed, Tally, Unreadable},
    db::{
        DbConnection,
        repositories::{
            audit,
            incidents::{self, Filter, Found, GroupRow, IncidentRow, NewIncident, Occurrence},
        },
    },
    domain::{AuditAction, AuditOrigin, CursorPage, CursorQuery, NewAuditEvent},
};

/// How records are kept.
#[derive(Clone)]
pub struct RetentionPolicy {
    pub cipher: RecordCipher,
    /// How many at most.
    pub max: i64,
    pub ttl: Duration,
}

/// Failures that were kept.
#[derive(Clone)]
pub struct Incidents {
    pub(super) context: Arc<Context>,
    pub(super) retention: Arc<RetentionPolicy>,
}

/// What an administrator says of a group of failures; `None` stays.
#[derive(Clone, Debug, Default)]
pub struct IncidentChanges {
    pub resolved: Option<bool>,
    /// The version it is fixed in.
    pub fixed_in: Option<String>,
}

impl Incidents {
    /// Stores failures, and counts those that were not kept.
    ///
    /// # Errors
    /// When the database does not take them: then nothing is stored.
    pub async fn keep(&self, kept: &[Redacted], tallies: &[(String, Tally)]) -> Result<(), Error> {
        let kept: Vec<(Occurrence, NewIncident)> =
            kept.iter().map(|redacted| self.row(redacted)).collect::<Result<_, _>>()?;
        let tallies: Vec<Occurrence> = tallies.iter().map(|(fingerprint, tally)| counted(fingerprint, tally)).collect();
        let max = self.retention.max;
        self.context
            .db
            .write(move |c| {
                for (occurrence, incident) in kept {
                    let group_id = incidents::count(c, &occurrence)?;
                    incidents::insert(c, NewIncident { group_id, ..incident })?;
                }
                for occurrence in tallies {
                    incidents::count(c, &occurrence)?;
                }
                let total = incidents::total(c)?;
                incidents::make_room(c, total - max).map_err(Error::from)
            })
            .await
    }

    fn row(&self, Redacted { record, site }: &Redacted) -> Result<(Occurrence, NewIncident), Error> {
        let sealed = self.retention.cipher.seal(record, &*self.context.random).map_err(unreadable)?;
        let occurrence = Occurrence {
            fingerprint: record.fingerprint.clone(),
            operation: record.operation.clone(),
            status: i32::from(record.response.status),
            code: record.code.clone(),
            site: site.clone(),
            count: 1,
            at: record.received_at,
        };
        let incident = NewIncident {
            group_id: 0,
            user_id: record.principal.as_ref().map(|principal| principal.user_id),
            request_id: record.request_id.clone(),
            method: record.request.method.clone(),
            contract: record.contract.clone(),
            duration: record.duration,
            server_version: record.server_version.clone(),
            key_id: sealed.key_id,
            record: sealed.bytes,
            created_at: record.received_at,
            expires_at: record.received_at.saturating_add(self.ttl()),
        };
        Ok((occurrence, incident))
    }

    fn ttl(&self) -> i64 {
        i64::try_from(self.retention.ttl.as_micros()).unwrap_or(i64::MAX)
    }

    /// One failure, whole. That it was read is recorded; `purpose` says what for, if it was taken out.
    ///
    /// # Errors
    /// `NotFound(Incident)`, also when it has expired; `Conflict(IncidentSealed)`.
    pub async fn get(
        &self,
        id: i64,
        purpose: Option<&'static str>,
        origin: AuditOrigin,
    ) -> Result<(Found, Record), Error> {
        let now = self.context.clock.now();
        let work = move |c: &mut DbConnection| {
            let found = incidents::find(c, id, now.micros())?.ok_or(Error::NotFound(Resource::Incident))?;
            let mut event = NewAuditEvent::on_incident(AuditAction::IncidentRead, id);
            if let Some(purpose) = purpose {
                event = event.with("as", purpose);
            }
            audit::append(c, &origin, &event, now)?;
            Ok::<_, Error>(found)
        };
        let (found, bytes) = self.context.db.write(work).await?;
        let record = self.open(&found.0, bytes)?;
        Ok((found, record))
    }

    fn open(&self, row: &IncidentRow, bytes: Vec<u8>) -> Result<Record, Error> {
        let sealed = Sealed { key_id: row.key_id.clone(), bytes };
        let record = self.retention.cipher.open(&sealed, &row.request_id, row.created_at).map_err(unreadable)?;
        Ok(Record { id: row.id, ..record })
    }

    /// A page of failures.
    ///
    /// # Errors
    /// Only when the database fails.
    pub async fn walk(&self, mut walk: CursorQuery<Filter>) -> Result<CursorPage<Found>, Error> {
        walk.filter.now = self.context.clock.now().micros();
        let work = move |c: &mut DbConnection| {
            let rows = incidents::list_after(c, &walk.filter, &walk.keyset_with_lookahead())?;
            Ok(walk.into_page(rows, None))
        };
        self.context.db.snapshot(work).await
    }

    /// A page of groups of equal failures.
    ///
    /// # Errors
    /// Only when the database fails.
    pub async fn walk_groups(&self, walk: CursorQuery<Option<bool>>) -> Result<CursorPage<GroupRow>, Error> {
        let work = move |c: &mut DbConnection| {
            let rows = incidents::groups_after(c, walk.filter, &walk.keyset_with_lookahead())?;
            Ok(walk.into_page(rows, None))
        };
        self.context.db.read(work).await
    }

    /// Says of a failure, and all that are equal to it, whether it is fixed, and in which version; gives it as it is then. What
    /// cannot be opened is not changed.
    ///
    /// # Errors
    /// `NotFound(Incident)`; `Conflict(IncidentSealed)`; `Conflict(PreconditionFailed)`.
    pub async fn resolve(
        &self,
        id: i64,
        resolution: IncidentChanges,
        precondition: Precondition,
        origin: AuditOrigin,
    ) -> Result<(Found, Record), Error> {
        let (this, now) = (self.clone(), self.context.clock.now());
        let work = move |c: &mut DbConnection| {
            incidents::lock_group_of(c, id)?;
            let (found, bytes) = incidents::find(c, id, now.micros())?.ok_or(Error::NotFound(Resource::Incident))?;
            precondition.check(&found)?;
            let (row, group) = found;
            let record = this.open(&row, bytes)?;
            let (resolved_at, fixed_in) = match resolution.resolved {
                Some(true) => (group.resolved_at.or(Some(now.micros())), resolution.fixed_in.or(group.fixed_in)),
                Some(false) => (None, None),
                None => (group.resolved_at, resolution.fixed_in.or(group.fixed_in)),
            };
            incidents::resolve(c, group.id, resolved_at, fixed_in.as_deref())?;
            let resolved = NewAuditEvent::on_incident(AuditAction::IncidentResolved, id);
            for event in [
                resolved.with("resolved", resolved_at.is_some()),
                NewAuditEvent::on_incident(AuditAction::IncidentRead, id),
            ] {
                audit::append(c, &origin, &event, now)?;
            }
            Ok::<_, Error>(((row, GroupRow { resolved_at, fixed_in, ..group }), record))
        };
        self.context.db.write(work).await
    }

    /// Deletes a failure; what is equal to it stays.
    ///
    /// # Errors
    /// `NotFound(Incident)`; `Conflict(PreconditionFailed)`.
    pub async fn delete(&self, id: i64, precondition: Precondition, origin: AuditOrigin) -> Result<(), Error> {
        let now = self.context.clock.now();
        let work = move |c: &mut DbConnection| {
            incidents::lock_group_of(c, id)?;
            let (found, _) = incidents::find(c, id, now.micros())?.ok_or(Error::NotFound(Resource::Incident))?;
            precondition.check(&found)?;
            // Whoever was faster waited for the same lock, unless it was the purge.
            if !incidents::delete(c, id, now.micros())? {
                return Err(Error::NotFound(Resource::Incident));
            }
            let event = NewAuditEvent::on_incident(AuditAction::IncidentDeleted, id);
            Ok(audit::append(c, &origin, &event, now)?)
        };
        self.context.db.write(work).await
    }

    /// Deletes what has expired; returns how many rows.
    ///
    /// # Errors
    /// Only when the database fails.
    pub async fn purge(&self) -> Result<usize, Error> {
        let now = self.context.clock.now().micros();
        let groups_before = now.saturating_sub(self.ttl());
        self.context.db.write(move |c| incidents::purge(c, now, groups_before).map_err(Error::from)).await
    }
}

/// The site of what was not kept was not redacted: it is left to a failure of the group that was.
fn counted(fingerprint: &str, tally: &Tally) -> Occurrence {
    Occurrence {
        fingerprint: fingerprint.to_owned(),
        operation: tally.operation.clone(),
        status: i32::from(tally.status),
        code: tally.code.map(str::to_owned),
        site: String::new(),
        count: tally.count,
        at: tally.at,
    }
}

fn unreadable(error: Unreadable) -> Error {
    match error {
        Unreadable::UnknownKey(_) => Error::Conflict(Conflict::IncidentSealed),
        error => Error::Internal(Box::new(error)),
    }
}
