//! Exports: all bucketlists and items of a user as one file, written by a worker after the request.

use std::{sync::Arc, time::Duration};

use super::{Conflict, Context, Error, Idempotent, Resource, idempotency::KeyedRequest};
use crate::{
    db::{
        DbConnection, MinRevision,
        repositories::{
            audit, exports,
            jobs::{self, ExportRequest},
            users,
        },
    },
    domain::{
        AuditAction, AuditOrigin, CursorPage, CursorQuery, Export, ExportFilter, ExportFormat, ExportId, ExportRecord,
        ExportState, NewAuditEvent, NewExport, UserExport, UserId, Versioned,
    },
};

/// Maximum number of exports of an owner.
const MAX_EXPORTS: i64 = 10;

/// Creates and reads exports.
#[derive(Clone)]
pub struct Exports {
    pub(super) context: Arc<Context>,
    /// Retention of an export.
    pub(super) ttl: Duration,
}

/// The file of a finished export, read part by part.
#[derive(Clone)]
pub struct ExportFile {
    context: Arc<Context>,
    owner: UserId,
    /// A replica with this revision has all parts.
    min_revision: Option<MinRevision>,
    pub export: Export,
}

impl Exports {
    /// Lists the exports of all users by cursor.
    ///
    /// # Errors
    /// Fails if the database fails.
    pub async fn list_by_cursor(&self, query: CursorQuery<ExportFilter>) -> Result<CursorPage<UserExport>, Error> {
        let now = self.context.clock.now();
        let work = move |c: &mut DbConnection| {
            let rows = exports::list_after(c, query.filter, &query.keyset_with_lookahead(), now)?;
            let pending = rows.iter().filter(|(export, _)| export.state.is_pending()).map(|(export, _)| export.id);
            let jobs = jobs::find_pending_exports(c, pending.collect())?;
            let with_job = |(export, owner): (Export, UserId)| UserExport {
                job: jobs.iter().find(|(id, _)| *id == export.id).map(|(_, job)| *job),
                export,
                owner,
            };
            Ok(query.to_page(rows.into_iter().map(with_job).collect(), None))
        };
        self.context.db.snapshot(work).await
    }

    /// Requests an export. The owner's oldest exports expire if there are too many.
    ///
    /// # Errors
    /// With an idempotency key: `Conflict(IdempotencyKeyInFlight)` and `IdempotencyKeyReused`.
    pub async fn create(
        &self,
        owner: UserId,
        format: ExportFormat,
        idempotency_key: Option<String>,
        origin: AuditOrigin,
    ) -> Result<Idempotent<Export>, Error> {
        let now = self.context.clock.now();
        let request = KeyedRequest::new(owner, idempotency_key, "export", &format)?;
        let new = NewExport { owner, format, created_at: now, expires_at: now + self.ttl };
        let created = self
            .context
            .create_once(owner, request, move |c| {
                let export = exports::insert(c, &new)?;
                exports::expire_all_but_newest(c, owner, MAX_EXPORTS, now)?;
                jobs::enqueue(c, &ExportRequest { export_id: export.id }, now, now)?;
                audit::append(c, &origin, &NewAuditEvent::on_export(AuditAction::ExportRequested, export.id), now)?;
                Ok(export)
            })
            .await?;
        self.context.outbox.notify();
        Ok(created)
    }

    /// Retrieves an export.
    ///
    /// # Errors
    /// `NotFound(Export)`, also if it has expired.
    pub async fn get(&self, owner: UserId, id: ExportId) -> Result<Versioned<Export>, Error> {
        let now = self.context.clock.now();
        let export = self.context.db.read(move |c| exports::find(c, owner, id, now).map_err(Error::from)).await?;
        export.map(Versioned::new).ok_or(Error::NotFound(Resource::Export))
    }

    /// Opens the file of an export. The download is recorded in the audit trail.
    ///
    /// # Errors
    /// `NotFound(Export)`; `Conflict(ExportNotReady)` if there is no file.
    pub async fn open_file(&self, owner: UserId, id: ExportId, origin: AuditOrigin) -> Result<ExportFile, Error> {
        let now = self.context.clock.now();
        let work = move |c: &mut DbConnection| {
            let export = exports::find(c, owner, id, now)?.ok_or(Error::NotFound(Resource::Export))?;
            if export.state != ExportState::Finished {
                let is_final = !export.state.is_pending();
                return Err(Error::Conflict(Conflict::ExportNotReady { is_final }));
            }
            audit::append(c, &origin, &NewAuditEvent::on_export(AuditAction::ExportRead, id), now)?;
            Ok((export, users::find_revision(c, owner)?))
        };
        let (export, revision) = self.context.db.write(work).await?;
        let min_revision =
            revision.and_then(|revision| self.context.revisions.min_revision(owner, revision.unsigned_abs()));
        Ok(ExportFile { context: Arc::clone(&self.context), owner, min_revision, export })
    }
}

impl ExportFile {
    /// Number of parts.
    #[must_use]
    pub fn parts(&self) -> i32 {
        self.export.parts.unwrap_or_default()
    }

    /// Reads the records of a part; parts are numbered from 0.
    ///
    /// # Errors
    /// `NotFound(Export)` if the export was deleted in the meantime.
    pub async fn part(&self, number: i32) -> Result<Vec<ExportRecord>, Error> {
        let (owner, id) = (self.owner, self.export.id);
        let find = move |c: &mut DbConnection| exports::find_part(c, owner, id, number).map_err(Error::from);
        let part = self.context.db.read_since(self.min_revision, find).await?;
        part.ok_or(Error::NotFound(Resource::Export))
    }
}
