//! Mail about an account and its logins, enqueued in the transaction of their cause.

use super::{Context, Error};
use crate::{
    db::{
        DbConnection,
        repositories::{
            devices,
            jobs::{self, JobPayload, NewLoginMail},
        },
    },
    domain::{AuditOrigin, Timestamp, UserId, device_digest, program},
};

/// Settings of the mail about accounts.
#[derive(Clone, Copy)]
pub(super) struct AccountNotices {
    is_enabled: bool,
}

impl Context {
    /// Returns the settings for a request. A replay sends no mail, and its logins are not those of a device.
    pub(super) const fn notices(&self, origin: &AuditOrigin) -> AccountNotices {
        AccountNotices { is_enabled: self.account_notices && !origin.is_replay }
    }
}

impl AccountNotices {
    /// Enqueues a mail, unless users get none.
    pub(super) fn enqueue(self, c: &mut DbConnection, mail: &impl JobPayload, now: Timestamp) -> Result<(), Error> {
        if self.is_enabled {
            jobs::enqueue(c, mail, now, now)?;
        }
        Ok(())
    }

    /// Records the device of a login, and enqueues a mail if it is unknown. The first device of an account, that of its
    /// registration, is not reported. Returns whether the login is reported.
    pub(super) fn record_login(
        self,
        c: &mut DbConnection,
        user_id: UserId,
        user_agent: Option<&str>,
        origin: &AuditOrigin,
        now: Timestamp,
    ) -> Result<bool, Error> {
        if !self.is_enabled {
            return Ok(false);
        }
        let program = program(user_agent);
        let is_unknown = devices::record_login(c, user_id, &device_digest(user_id, program, origin.address), now)?;
        if is_unknown {
            let (program, address) = (program.to_owned(), origin.address);
            jobs::enqueue(c, &NewLoginMail { user_id, logged_in_at: now, program, address }, now, now)?;
        }
        Ok(is_unknown)
    }
}
