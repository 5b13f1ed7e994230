//! Exports: everything of an owner's as one file, made after the request that asked for it.

use std::{sync::Arc, time::Duration};

use super::{Conflict, Context, Error, Made, Resource, creation::Named};
use crate::{
    db::{
        DbConnection,
        repositories::{
            audit,
            exports::{self, ExportRow, FINISHED, NewExport, Record},
            jobs::{self, ExportRequest},
        },
    },
    domain::{AuditAction, AuditEvent, AuditOrigin},
};

/// How many exports an owner has at most.
const KEPT: i64 = 10;

/// Exports of their owners.
#[derive(Clone)]
pub struct Exports {
    pub(super) context: Arc<Context>,
    /// How long one is kept.
    pub(super) ttl: Duration,
}

/// A finished export, to be read part by part.
#[derive(Clone)]
pub struct ExportFile {
    context: Arc<Context>,
    owner: i64,
    pub export: ExportRow,
}

impl Exports {
    /// Asks for an export; once, if the caller names the creation. The oldest one makes room for it.
    ///
    /// # Errors
    /// `Conflict(IdempotencyKeyInFlight)`, `Invalid`.
    pub async fn create(
        &self,
        owner: i64,
        format: &'static str,
        name: Option<String>,
        origin: AuditOrigin,
    ) -> Result<Made<ExportRow>, Error> {
        let now = self.context.clock.now();
        let named = name.map(|name| Named::new(owner, name, "export", &format));
        let ttl = i64::try_from(self.ttl.as_micros()).unwrap_or(i64::MAX / 4);
        let export = NewExport { user_id: owner, format, created_at: now, expires_at: now.saturating_add(ttl) };
        let made = self
            .context
            .make_of(owner, named, move |c| {
                let row = exports::insert(c, &export)?;
                exports::keep_newest(c, owner, KEPT, now)?;
                jobs::enqueue(c, &ExportRequest { export_id: row.id }, now, now)?;
                audit::append(c, &origin, &AuditEvent::of_export(AuditAction::ExportRequested, row.id), now)?;
                Ok(row)
            })
            .await?;
        self.context.outbox.exports.notify_one();
        Ok(made)
    }

    /// One export.
    ///
    /// # Errors
    /// `NotFound(Export)`, also when it has expired.
    pub async fn get(&self, owner: i64, id: i64) -> Result<ExportRow, Error> {
        let now = self.context.clock.now();
        let export = self.context.db.read(move |c| exports::find(c, owner, id, now).map_err(Error::from)).await?;
        export.ok_or(Error::NotFound(Resource::Export))
    }

    /// The file of an export. That it was taken is recorded.
    ///
    /// # Errors
    /// `NotFound(Export)`; `Conflict(ExportNotReady)` when there is no file.
    pub async fn file(&self, owner: i64, id: i64, origin: AuditOrigin) -> Result<ExportFile, Error> {
        let now = self.context.clock.now();
        let take = move |c: &mut DbConnection| {
            let export = exports::find(c, owner, id, now)?.ok_or(Error::NotFound(Resource::Export))?;
            if export.state != FINISHED {
                return Err(Error::Conflict(Conflict::ExportNotReady { is_final: export.state == exports::FAILED }));
            }
            audit::append(c, &origin, &AuditEvent::of_export(AuditAction::ExportRead, id), now)?;
            Ok(export)
        };
        let export = self.context.db.write(take).await?;
        Ok(ExportFile { context: Arc::clone(&self.context), owner, export })
    }
}

impl ExportFile {
    /// How many parts it has.
    #[must_use]
    pub fn parts(&self) -> i32 {
        self.export.parts.unwrap_or_default()
    }

    /// The records of a part, counted from 0.
    ///
    /// # Errors
    /// `NotFound(Export)` when it was deleted meanwhile.
    pub async fn part(&self, number: i32) -> Result<Vec<Record>, Error> {
        let (owner, id) = (self.owner, self.export.id);
        let part = self.context.db.read(move |c| exports::part(c, owner, id, number).map_err(Error::from)).await?;
        part.ok_or(Error::NotFound(Resource::Export))
    }
}
