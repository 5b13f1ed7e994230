//! The kinds of jobs and their arguments.
//!
//! A new kind is a payload here, its name in [`KINDS`], and an implementation of `Job` in `src/jobs/`.

use std::net::IpAddr;

use diesel::QueryResult;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    db::{
        DbConnection,
        repositories::{deprecation_notices, exports},
    },
    domain::{ApiVersion, Consumer, ConsumerKind, ExportId, JobPriority, NoticeState, Timestamp, UserId},
};

/// The arguments of a kind of job, stored as JSON. They contain no secrets, which administrators could otherwise see in a backup. A worker of another
/// release that cannot parse them makes a dead letter of the job: a new required field needs a new kind.
pub trait JobPayload: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The kind of job as it is stored.
    const KIND: &'static str;
    /// The priority of these jobs.
    const PRIORITY: JobPriority = JobPriority::Normal;
    /// Number of failures after which a job becomes a dead letter.
    const MAX_ATTEMPTS: i32 = 10;
    /// The fields that administrators see. The others are masked.
    const PUBLIC_FIELDS: &'static [&'static str] = &[];

    /// Records that the job will not run again, in the same transaction: it has exhausted its attempts, or an administrator has
    /// cancelled or deleted it.
    fn on_discarded(&self, _c: &mut DbConnection, _now: Timestamp) -> QueryResult<()> {
        Ok(())
    }

    /// Records that a dead or cancelled job will run again, in the same transaction.
    fn on_retried(&self, _c: &mut DbConnection, _now: Timestamp) -> QueryResult<()> {
        Ok(())
    }
}

/// A function that runs with the stored payload of a job.
type Hook = fn(&mut DbConnection, &str, Timestamp) -> QueryResult<()>;

/// The properties of a kind of job.
#[derive(Clone, Copy, Debug)]
pub struct JobKind {
    pub name: &'static str,
    pub public_fields: &'static [&'static str],
    pub(super) on_discarded: Hook,
    pub(super) on_retried: Hook,
}

impl JobKind {
    const fn of<P: JobPayload>() -> Self {
        Self {
            name: P::KIND,
            public_fields: P::PUBLIC_FIELDS,
            on_discarded: |c, payload, now| with_payload::<P>(payload, |payload| payload.on_discarded(c, now)),
            on_retried: |c, payload, now| with_payload::<P>(payload, |payload| payload.on_retried(c, now)),
        }
    }

    /// Finds a kind by its name. `None` for a kind of another release.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        KINDS.iter().find(|kind| kind.name == name)
    }
}

/// Calls `hook` if the payload is valid: there is nothing to record for one that no job could run with.
fn with_payload<P: JobPayload>(payload: &str, hook: impl FnOnce(P) -> QueryResult<()>) -> QueryResult<()> {
    serde_json::from_str(payload).map_or(Ok(()), hook)
}

macro_rules! kinds {
    ($($payload:ident),+ $(,)?) => {
        /// Every kind of job.
        pub const KINDS: &[JobKind] = &[$(JobKind::of::<$payload>()),+];
    };
}

kinds![
    PasswordResetMail,
    WelcomeMail,
    PasswordChangedMail,
    EmailChangedMail,
    NewLoginMail,
    DeprecationMail,
    DeadLetterDigestMail,
    ExportRequest,
];

/// Mails a password reset token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasswordResetMail {
    /// The email address in lower case.
    pub email_key: String,
}

impl JobPayload for PasswordResetMail {
    const KIND: &'static str = "password_reset_mail";
    const PRIORITY: JobPriority = JobPriority::High;
}

/// Mails a new user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WelcomeMail {
    pub user_id: UserId,
}

impl JobPayload for WelcomeMail {
    const KIND: &'static str = "welcome_mail";
    const PRIORITY: JobPriority = JobPriority::High;
    const PUBLIC_FIELDS: &'static [&'static str] = &["user_id"];
}

/// Mails that the password of an account was changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasswordChangedMail {
    pub user_id: UserId,
    pub changed_at: Timestamp,
    /// Whether it was changed with a token from an email.
    pub is_reset: bool,
}

impl JobPayload for PasswordChangedMail {
    const KIND: &'static str = "password_changed_mail";
    const PRIORITY: JobPriority = JobPriority::High;
    const PUBLIC_FIELDS: &'static [&'static str] = &["user_id", "changed_at", "is_reset"];
}

/// Mails the previous address of an account that it was replaced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EmailChangedMail {
    pub user_id: UserId,
    /// The recipient. The account has another address, or was deleted, when the mail is sent.
    pub previous_email: String,
    pub changed_at: Timestamp,
}

impl JobPayload for EmailChangedMail {
    const KIND: &'static str = "email_changed_mail";
    const PRIORITY: JobPriority = JobPriority::High;
    const PUBLIC_FIELDS: &'static [&'static str] = &["user_id", "changed_at"];
}

/// Mails that an unknown device has logged in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewLoginMail {
    pub user_id: UserId,
    pub logged_in_at: Timestamp,
    /// The program, from a fixed list.
    pub program: String,
    pub address: Option<IpAddr>,
}

impl JobPayload for NewLoginMail {
    const KIND: &'static str = "new_login_mail";
    const PRIORITY: JobPriority = JobPriority::High;
    const PUBLIC_FIELDS: &'static [&'static str] = &["user_id", "logged_in_at"];
}

/// Mails an administrator which jobs have exhausted their attempts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetterDigestMail {
    pub user_id: UserId,
    pub since: Timestamp,
    /// Each kind of job, with the number of jobs.
    pub kinds: Vec<(String, i64)>,
}

impl JobPayload for DeadLetterDigestMail {
    const KIND: &'static str = "dead_letter_digest_mail";
    const PRIORITY: JobPriority = JobPriority::High;
    const PUBLIC_FIELDS: &'static [&'static str] = &["user_id", "since", "kinds"];
}

/// Mails a digest of the deprecated operations that a consumer calls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeprecationMail {
    pub consumer_kind: ConsumerKind,
    pub consumer_id: i64,
    pub uses: Vec<DeprecatedUse>,
    /// When the notices were recorded; zero for a job of an older release.
    #[serde(default)]
    pub recorded_at: Timestamp,
}

impl DeprecationMail {
    /// Records the state of this mail in its notices.
    pub fn record_state(&self, c: &mut DbConnection, state: NoticeState) -> QueryResult<()> {
        let consumer = Consumer::from_parts(self.consumer_kind, self.consumer_id, "");
        let operations: Vec<(ApiVersion, &str)> =
            self.uses.iter().map(|used| (used.version, used.operation.as_str())).collect();
        deprecation_notices::set_state(c, &consumer, &operations, self.recorded_at, state)
    }
}

/// A consumer's use of a deprecated operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeprecatedUse {
    pub version: ApiVersion,
    pub operation: String,
    /// Number of recent requests.
    pub requests: i64,
    pub last_seen_at: Timestamp,
}

impl JobPayload for DeprecationMail {
    const KIND: &'static str = "deprecation_mail";
    const PRIORITY: JobPriority = JobPriority::High;
    const PUBLIC_FIELDS: &'static [&'static str] = &["consumer_kind", "consumer_id", "uses"];

    fn on_discarded(&self, c: &mut DbConnection, _now: Timestamp) -> QueryResult<()> {
        self.record_state(c, NoticeState::Failed)
    }

    fn on_retried(&self, c: &mut DbConnection, _now: Timestamp) -> QueryResult<()> {
        self.record_state(c, NoticeState::Queued)
    }
}

/// Writes the file of an export.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportRequest {
    pub export_id: ExportId,
}

impl JobPayload for ExportRequest {
    const KIND: &'static str = "export";
    const PRIORITY: JobPriority = JobPriority::Low;
    const PUBLIC_FIELDS: &'static [&'static str] = &["export_id"];

    fn on_discarded(&self, c: &mut DbConnection, now: Timestamp) -> QueryResult<()> {
        exports::fail(c, self.export_id, now)
    }

    fn on_retried(&self, c: &mut DbConnection, now: Timestamp) -> QueryResult<()> {
        exports::requeue(c, self.export_id, now)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn kinds_have_different_names() {
        let names: BTreeSet<&str> = KINDS.iter().map(|kind| kind.name).collect();
        assert_eq!(names.len(), KINDS.len());
    }
}
