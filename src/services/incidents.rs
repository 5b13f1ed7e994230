//! Incidents: captured failures and their groups.

use std::{sync::Arc, time::Duration};

use ::incidents::{ContractVersion, IncidentRecord, RedactedIncident};

use super::{Conflict, Context, Error, Precondition, Resource};
use crate::{
    capture::{DecryptError, FailureCounter, RecordCipher},
    db::{
        DbConnection,
        repositories::{audit, incident_groups, incidents},
    },
    domain::{
        ApiVersion, AuditAction, AuditOrigin, CursorPage, CursorQuery, ETag, FailureOccurrence, Incident,
        IncidentChanges, IncidentFilter, IncidentGroup, IncidentGroupActivity, IncidentGroupFilter, IncidentGroupId,
        IncidentId, NewAuditEvent, NewIncident, StoredRecord, Timestamp, UserId, Versioned,
    },
};

/// Settings of stored incidents.
#[derive(Clone)]
pub struct RetentionPolicy {
    pub cipher: RecordCipher,
    /// Maximum number of incidents.
    pub max: i64,
    pub ttl: Duration,
}

/// Reads, stores and changes incidents.
#[derive(Clone)]
pub struct Incidents {
    pub(super) context: Arc<Context>,
    pub(super) retention: Arc<RetentionPolicy>,
}

impl Incidents {
    /// Stores incidents and counts uncaptured failures in one transaction.
    ///
    /// # Errors
    /// Fails if the database or the encryption fails.
    pub async fn store(
        &self,
        captured: &[RedactedIncident],
        counters: &[(String, FailureCounter)],
    ) -> Result<(), Error> {
        let captured: Vec<NewIncident> =
            captured.iter().map(|redacted| self.new_incident(redacted)).collect::<Result<_, _>>()?;
        let uncaptured: Vec<FailureOccurrence> =
            counters.iter().map(|(fingerprint, counter)| uncaptured(fingerprint, counter)).collect();
        let max = self.retention.max;
        self.context
            .db
            .write(move |c| {
                for incident in &captured {
                    let group_id = incidents::record_occurrence(c, &incident.occurrence)?;
                    incidents::insert(c, group_id, incident)?;
                }
                for occurrence in &uncaptured {
                    incidents::record_occurrence(c, occurrence)?;
                }
                let stored = incidents::count_stored(c)?;
                incidents::evict(c, stored - max).map_err(Error::from)
            })
            .await
    }

    fn new_incident(&self, RedactedIncident { record, site }: &RedactedIncident) -> Result<NewIncident, Error> {
        let received_at = Timestamp::from_micros(record.received_at);
        Ok(NewIncident {
            occurrence: FailureOccurrence {
                fingerprint: record.fingerprint.clone(),
                operation: record.operation.clone(),
                status: i32::from(record.response.status),
                code: record.code.clone(),
                site: site.clone(),
                count: 1,
                last_seen_at: received_at,
            },
            user_id: record.principal.as_ref().map(|principal| UserId::new(principal.user_id)),
            request_id: record.request_id.clone(),
            method: record.request.method.clone(),
            contract: record.contract.map(api_version),
            duration: record.duration,
            server_version: record.server_version.clone(),
            record: self.retention.cipher.encrypt(record, &*self.context.random).map_err(cipher_error)?,
            received_at,
            expires_at: received_at + self.retention.ttl,
        })
    }

    /// Retrieves an incident with its record, and writes an audit event. `export_format` names the format of an export.
    ///
    /// # Errors
    /// `NotFound(Incident)`, also if it has expired; `Conflict(IncidentKeyMissing)`.
    pub async fn get(
        &self,
        id: IncidentId,
        export_format: Option<&'static str>,
        origin: AuditOrigin,
    ) -> Result<(Versioned<Incident>, IncidentRecord), Error> {
        let mut event = NewAuditEvent::on_incident(AuditAction::IncidentRead, id);
        if let Some(format) = export_format {
            event = event.with("as", format);
        }
        self.read(id, event, origin).await
    }

    /// Retrieves an incident with its record, and writes this audit event.
    pub(super) async fn read(
        &self,
        id: IncidentId,
        event: NewAuditEvent,
        origin: AuditOrigin,
    ) -> Result<(Versioned<Incident>, IncidentRecord), Error> {
        let now = self.context.clock.now();
        let work = move |c: &mut DbConnection| {
            let found = incidents::find(c, id, now)?.ok_or(Error::NotFound(Resource::Incident))?;
            audit::append(c, &origin, &event, now)?;
            Ok::<_, Error>(found)
        };
        let (incident, stored) = self.context.db.write(work).await?;
        let record = self.decrypt(&incident, &stored)?;
        Ok((versioned(incident), record))
    }

    fn decrypt(&self, incident: &Incident, stored: &StoredRecord) -> Result<IncidentRecord, Error> {
        self.retention.cipher.decrypt_incident(incident, stored).map_err(cipher_error)
    }

    /// Lists incidents by cursor.
    ///
    /// # Errors
    /// Fails if the database fails.
    pub async fn list_by_cursor(&self, query: CursorQuery<IncidentFilter>) -> Result<CursorPage<Incident>, Error> {
        let now = self.context.clock.now();
        let work = move |c: &mut DbConnection| {
            let rows = incidents::list_after(c, &query.filter, &query.keyset_with_lookahead(), now)?;
            Ok(query.to_page(rows, None))
        };
        self.context.db.snapshot(work).await
    }

    /// Lists groups of incidents by cursor.
    ///
    /// # Errors
    /// Fails if the database fails.
    pub async fn list_groups_by_cursor(
        &self,
        query: CursorQuery<IncidentGroupFilter>,
    ) -> Result<CursorPage<(IncidentGroup, IncidentGroupActivity)>, Error> {
        let now = self.context.clock.now();
        let work = move |c: &mut DbConnection| {
            let rows = incident_groups::list_after(c, &query.filter, &query.keyset_with_lookahead())?;
            Ok(query.to_page(with_activity(c, rows, now)?, None))
        };
        self.context.db.snapshot(work).await
    }

    /// Marks groups as resolved or as open, and returns those that exist.
    ///
    /// # Errors
    /// Fails if the database fails.
    pub async fn update_groups(
        &self,
        groups: Vec<IncidentGroupId>,
        changes: IncidentChanges,
        origin: AuditOrigin,
    ) -> Result<Vec<(IncidentGroup, IncidentGroupActivity)>, Error> {
        let now = self.context.clock.now();
        let work = move |c: &mut DbConnection| {
            let updated = incident_groups::set_resolved(c, &groups, &changes, now)?;
            if !updated.is_empty() {
                let ids: Vec<String> = updated.iter().map(|group| group.id.to_string()).collect();
                let event = NewAuditEvent::new(AuditAction::IncidentResolved)
                    .with("resolved", changes.resolved != Some(false))
                    .with("groups", ids.join(" "));
                audit::append(c, &origin, &event, now)?;
            }
            with_activity(c, updated, now)
        };
        self.context.db.write(work).await
    }

    /// Changes the group of an incident, and returns the incident. An incident that cannot be decrypted is not changed.
    ///
    /// # Errors
    /// `NotFound(Incident)`; `Conflict(IncidentKeyMissing)`; `Conflict(PreconditionFailed)`.
    pub async fn update(
        &self,
        id: IncidentId,
        changes: IncidentChanges,
        precondition: Precondition,
        origin: AuditOrigin,
    ) -> Result<(Versioned<Incident>, IncidentRecord), Error> {
        let (this, now) = (self.clone(), self.context.clock.now());
        let work = move |c: &mut DbConnection| {
            incidents::lock_group_of(c, id)?;
            let (mut incident, stored) = incidents::find(c, id, now)?.ok_or(Error::NotFound(Resource::Incident))?;
            precondition.check(&without_counters(&incident))?;
            let record = this.decrypt(&incident, &stored)?;
            incident.group.apply(changes.clone(), now);
            incidents::update_group(c, &incident.group)?;
            let resolved = NewAuditEvent::on_incident(AuditAction::IncidentResolved, id);
            for event in [
                resolved.with("resolved", incident.group.is_resolved()),
                NewAuditEvent::on_incident(AuditAction::IncidentRead, id),
            ] {
                audit::append(c, &origin, &event, now)?;
            }
            Ok::<_, Error>((versioned(incident), record))
        };
        self.context.db.write(work).await
    }

    /// Deletes an incident, but not its group or the other incidents of the group.
    ///
    /// # Errors
    /// `NotFound(Incident)`; `Conflict(PreconditionFailed)`.
    pub async fn delete(&self, id: IncidentId, precondition: Precondition, origin: AuditOrigin) -> Result<(), Error> {
        let now = self.context.clock.now();
        let work = move |c: &mut DbConnection| {
            incidents::lock_group_of(c, id)?;
            let (incident, _) = incidents::find(c, id, now)?.ok_or(Error::NotFound(Resource::Incident))?;
            precondition.check(&without_counters(&incident))?;
            // A purge does not take the lock, so it may have deleted the row.
            if !incidents::delete(c, id, now)? {
                return Err(Error::NotFound(Resource::Incident));
            }
            let event = NewAuditEvent::on_incident(AuditAction::IncidentDeleted, id);
            Ok(audit::append(c, &origin, &event, now)?)
        };
        self.context.db.write(work).await
    }

    /// Deletes expired incidents and empty groups. Returns the number of rows.
    ///
    /// # Errors
    /// Fails if the database fails.
    pub async fn purge(&self) -> Result<usize, Error> {
        let now = self.context.clock.now();
        let groups_before = now.before(self.retention.ttl);
        self.context.db.write(move |c| incidents::purge(c, now, groups_before).map_err(Error::from)).await
    }
}

fn versioned(incident: Incident) -> Versioned<Incident> {
    Versioned::with(incident, |incident| {
        let counters = (incident.group.occurrences, incident.group.last_seen_at);
        Ok(ETag::of(&without_counters(incident))?.with_nested(&ETag::of(&counters)?))
    })
}

/// Returns the incident without the fields that change with each failure of its group. A change does not depend on them.
fn without_counters(incident: &Incident) -> Incident {
    let group = IncidentGroup { occurrences: 0, last_seen_at: incident.group.first_seen_at, ..incident.group.clone() };
    Incident { group, ..incident.clone() }
}

/// Adds the activity of groups.
fn with_activity(
    c: &mut DbConnection,
    groups: Vec<IncidentGroup>,
    now: Timestamp,
) -> Result<Vec<(IncidentGroup, IncidentGroupActivity)>, Error> {
    let ids: Vec<IncidentGroupId> = groups.iter().map(|group| group.id).collect();
    let mut activity = incident_groups::activity(c, &ids, now)?;
    let pairs = groups.into_iter().map(|group| {
        let found = activity.remove(&group.id).unwrap_or_default();
        (group, found)
    });
    Ok(pairs.collect())
}

/// Converts a counter to an occurrence. The site of uncaptured failures was not redacted, so it is not stored.
fn uncaptured(fingerprint: &str, counter: &FailureCounter) -> FailureOccurrence {
    FailureOccurrence {
        fingerprint: fingerprint.to_owned(),
        operation: counter.operation.clone(),
        status: i32::from(counter.status),
        code: counter.code.map(str::to_owned),
        site: String::new(),
        count: counter.count,
        last_seen_at: Timestamp::from_micros(counter.last_seen_at),
    }
}

fn api_version(contract: ContractVersion) -> ApiVersion {
    match contract {
        ContractVersion::V1 => ApiVersion::V1,
        ContractVersion::V2 => ApiVersion::V2,
    }
}

fn cipher_error(error: DecryptError) -> Error {
    match error {
        DecryptError::UnknownKey(_) => Error::Conflict(Conflict::IncidentKeyMissing),
        error => Error::Internal(Box::new(error)),
    }
}
