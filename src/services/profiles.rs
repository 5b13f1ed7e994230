//! Profiles of the server, for administrators.

use std::{sync::Arc, time::Duration};

use super::{Context, Error};
use crate::{
    db::{DbConnection, repositories::audit},
    domain::{AuditAction, AuditOrigin, NewAuditEvent},
    profiles::{Profile, Recording, record_heap_profile},
};

/// Profiles of the server.
#[derive(Clone)]
pub struct Profiles {
    pub(super) context: Arc<Context>,
    /// Whether administrators may record profiles.
    pub(super) is_enabled: bool,
}

impl Profiles {
    /// Records a CPU profile for `duration`.
    ///
    /// # Errors
    /// `ProfilingDisabled`; `Conflict(ProfileInProgress)`.
    pub async fn record(&self, duration: Duration, origin: AuditOrigin) -> Result<Profile, Error> {
        if !self.is_enabled {
            return Err(Error::ProfilingDisabled);
        }
        let recording = Recording::start()?;
        let event = NewAuditEvent::new(AuditAction::ProfileRecorded).with("seconds", duration.as_secs());
        self.append(event, origin).await?;
        Ok(recording.finish_after(duration).await?)
    }

    /// Records the memory in use; returns the profile in the format of `pprof`.
    ///
    /// # Errors
    /// `ProfilingDisabled`; `HeapProfilingUnavailable`.
    pub async fn record_heap(&self, origin: AuditOrigin) -> Result<Vec<u8>, Error> {
        if !self.is_enabled {
            return Err(Error::ProfilingDisabled);
        }
        let profile = record_heap_profile().await?;
        self.append(NewAuditEvent::new(AuditAction::ProfileRecorded).with("format", "heap"), origin).await?;
        Ok(profile)
    }

    async fn append(&self, event: NewAuditEvent, origin: AuditOrigin) -> Result<(), Error> {
        let now = self.context.clock.now();
        self.context.db.write(move |c: &mut DbConnection| Ok::<_, Error>(audit::append(c, &origin, &event, now)?)).await
    }
}
