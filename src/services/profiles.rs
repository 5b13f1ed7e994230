//! Profiles of the server, for administrators.

use std::{sync::Arc, time::Duration};

use super::{Context, Error};
use crate::{
    db::{DbConnection, repositories::audit},
    domain::{AuditAction, AuditOrigin, NewAuditEvent},
    profiles::{Profile, Recording},
};

/// Profiles of the server.
#[derive(Clone)]
pub struct Profiles {
    pub(super) context: Arc<Context>,
    /// Whether administrators may record profiles.
    pub(super) is_enabled: bool,
}

impl Profiles {
    /// Records a profile for `duration`.
    ///
    /// # Errors
    /// `ProfilingDisabled`; `Conflict(ProfileInProgress)`.
    pub async fn record(&self, duration: Duration, origin: AuditOrigin) -> Result<Profile, Error> {
        if !self.is_enabled {
            return Err(Error::ProfilingDisabled);
        }
        let recording = Recording::start()?;
        let now = self.context.clock.now();
        let append = move |c: &mut DbConnection| -> Result<(), Error> {
            let event = NewAuditEvent::new(AuditAction::ProfileRecorded).with("seconds", duration.as_secs());
            Ok(audit::append(c, &origin, &event, now)?)
        };
        self.context.db.write(append).await?;
        Ok(recording.finish_after(duration).await?)
    }
}
