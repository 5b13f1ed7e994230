//! Lists and ends sessions.

use std::sync::Arc;

use super::{Context, Error, Resource};
use crate::{
    db::repositories::{audit, sessions},
    domain::{AuditAction, AuditOrigin, CursorPage, Keyset, KeysetPosition, NewAuditEvent, Session, SessionId, UserId},
};

/// Lists and ends sessions.
#[derive(Clone)]
pub struct Sessions(pub(super) Arc<Context>);

impl Sessions {
    /// Lists the user's active sessions by cursor, the newest first.
    ///
    /// # Errors
    /// Fails if the database fails.
    pub async fn list_by_cursor(
        &self,
        user_id: UserId,
        after: Option<KeysetPosition>,
        limit: i64,
    ) -> Result<CursorPage<Session>, Error> {
        let now = self.0.clock.now();
        let keyset = Keyset::newest_first(after, limit.saturating_add(1));
        let rows = self.0.db.read(move |c| sessions::list_after(c, user_id, now, &keyset).map_err(Error::from)).await?;
        Ok(CursorPage::from_lookahead(rows, limit))
    }

    /// Ends one of the user's sessions.
    ///
    /// # Errors
    /// `NotFound(Session)`.
    pub async fn end(&self, user_id: UserId, session_id: SessionId, origin: AuditOrigin) -> Result<(), Error> {
        let now = self.0.clock.now();
        let work = move |c: &mut _| {
            if !sessions::revoke_own(c, user_id, session_id, now)? {
                return Err(Error::NotFound(Resource::Session));
            }
            let event = NewAuditEvent::on_user(AuditAction::SessionEnded, user_id).with("session", session_id);
            Ok(audit::append(c, &origin, &event, now)?)
        };
        self.0.write_token_status(user_id, work).await
    }

    /// Ends all of the user's sessions.
    ///
    /// # Errors
    /// Fails if the database fails.
    pub async fn end_all(&self, user_id: UserId, origin: AuditOrigin) -> Result<(), Error> {
        let now = self.0.clock.now();
        let work = move |c: &mut _| {
            sessions::revoke_all(c, user_id, None, now)?;
            let event = NewAuditEvent::on_user(AuditAction::SessionEnded, user_id).with("session", "all");
            Ok(audit::append(c, &origin, &event, now)?)
        };
        self.0.write_token_status(user_id, work).await
    }
}
