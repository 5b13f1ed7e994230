//! Sessions as their owners see and end them.

use std::sync::Arc;

use super::{Context, CursorPage, Error, Resource};
use crate::{
    db::repositories::{
        audit,
        sessions::{self, SessionRow},
    },
    domain::{AuditAction, AuditEvent, AuditOrigin},
};

/// Sessions as their owners see and end them.
#[derive(Clone)]
pub struct Sessions(pub(super) Arc<Context>);

/// After which session a page begins: when that one was opened, and its id.
pub type SessionPlace = (i64, i64);

impl Sessions {
    /// A page of the owner's open sessions, the newest first.
    ///
    /// # Errors
    /// Only when the database fails.
    pub async fn walk(
        &self,
        owner: i64,
        after: Option<SessionPlace>,
        limit: i64,
    ) -> Result<CursorPage<SessionRow>, Error> {
        let now = self.0.clock.now();
        let mut rows =
            self.0.db.read(move |c| sessions::list_after(c, owner, now, after, limit + 1).map_err(Error::from)).await?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let has_more = rows.len() > limit;
        rows.truncate(limit);
        Ok(CursorPage { rows, has_more, total: None })
    }

    /// Ends one of the owner's sessions.
    ///
    /// # Errors
    /// `NotFound(Session)`.
    pub async fn end(&self, owner: i64, session_id: i64, origin: AuditOrigin) -> Result<(), Error> {
        let now = self.0.clock.now();
        let end = move |c: &mut _| {
            if !sessions::revoke_own(c, owner, session_id, now)? {
                return Err(Error::NotFound(Resource::Session));
            }
            let event = AuditEvent::of_user(AuditAction::SessionEnded, owner).with("session", session_id);
            Ok(audit::append(c, &origin, &event, now)?)
        };
        self.0.change_standing(end).await
    }

    /// Ends all of the owner's sessions.
    ///
    /// # Errors
    /// Only when the database fails.
    pub async fn end_all(&self, owner: i64, origin: AuditOrigin) -> Result<(), Error> {
        let now = self.0.clock.now();
        let end = move |c: &mut _| {
            sessions::revoke_all(c, owner, None, now)?;
            let event = AuditEvent::of_user(AuditAction::SessionEnded, owner).with("session", "all");
            Ok(audit::append(c, &origin, &event, now)?)
        };
        self.0.change_standing(end).await
    }
}
