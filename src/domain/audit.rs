//! The audit trail: security-relevant actions, for administrators. Contains no secrets and no email addresses.

use std::{collections::BTreeMap, net::IpAddr};

use super::{
    ApiClientId, AuditEventId, ExportId, IncidentId, JobId, KeysetPosition, SortValue, Timestamp, UserId,
    text_enum::text_enum,
};

text_enum! {
    /// An action: its object and what happened to it.
    AuditAction {
        /// A user registered.
        UserRegistered "user.registered"
        /// An operator created an account.
        UserCreated "user.created"
        /// A user's email address changed.
        UserEmailChanged "user.email_changed"
        /// A user's password changed.
        UserPasswordChanged "user.password_changed"
        /// A user became an administrator, or stopped being one.
        UserRoleChanged "user.role_changed"
        /// An account was disabled.
        UserDisabled "user.disabled"
        /// A disabled account was enabled.
        UserEnabled "user.enabled"
        /// An administrator disabled the mail to a user about deprecated operations.
        UserDeprecationNoticesDisabled "user.deprecation_notices_disabled"
        /// An administrator enabled this mail again.
        UserDeprecationNoticesEnabled "user.deprecation_notices_enabled"
        /// An account was deleted with all its resources.
        UserDeleted "user.deleted"
        /// A login succeeded.
        LoginSucceeded "login.succeeded"
        /// A login failed.
        LoginFailed "login.failed"
        /// A login was rate-limited.
        LoginRateLimited "login.rate_limited"
        /// A logged-in user sent a wrong current password.
        PasswordRejected "password.rejected"
        /// A user logged out.
        SessionLoggedOut "session.logged_out"
        /// A user ended one of their sessions, or all of them.
        SessionEnded "session.ended"
        /// A refresh token was used twice, so its session was ended.
        SessionTokenReused "session.token_reused"
        /// A password reset was requested.
        PasswordResetRequested "password_reset.requested"
        /// A new password was set with a reset token.
        PasswordResetConfirmed "password_reset.confirmed"
        /// A user requested an export.
        ExportRequested "export.requested"
        /// A user downloaded an export.
        ExportRead "export.read"
        /// An administrator read or exported an incident.
        IncidentRead "incident.read"
        /// An administrator marked an incident as fixed, or as open.
        IncidentResolved "incident.resolved"
        /// An administrator sent the request of an incident to a configured server.
        IncidentReplayed "incident.replayed"
        /// An administrator deleted an incident.
        IncidentDeleted "incident.deleted"
        /// An administrator created an API client.
        ApiClientCreated "api_client.created"
        /// An administrator changed an API client.
        ApiClientUpdated "api_client.updated"
        /// An administrator replaced the key of an API client.
        ApiClientRotated "api_client.rotated"
        /// An administrator deleted an API client and revoked its keys.
        ApiClientDeleted "api_client.deleted"
        /// An administrator retried a job.
        JobRetried "job.retried"
        /// An administrator cancelled a job.
        JobCancelled "job.cancelled"
        /// An administrator deleted a job.
        JobDeleted "job.deleted"
        /// An administrator ran a recurring task.
        JobScheduleRun "job_schedule.run"
        /// An administrator recorded a profile of the server.
        ProfileRecorded "profile.recorded"
    }
}

text_enum! {
    /// The type of an action's target.
    AuditTarget {
        /// An account.
        User "user"
        /// An export.
        Export "export"
        /// An incident.
        Incident "incident"
        /// An API client.
        ApiClient "api_client"
        /// A background job.
        Job "job"
    }
}

/// An action to record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAuditEvent {
    pub action: AuditAction,
    /// The type and ID of the target.
    pub target: Option<(AuditTarget, i64)>,
    /// Additional details, without secrets.
    pub detail: BTreeMap<&'static str, String>,
}

impl NewAuditEvent {
    /// Creates an event without a target.
    #[must_use]
    pub const fn new(action: AuditAction) -> Self {
        Self { action, target: None, detail: BTreeMap::new() }
    }

    /// Creates an event on an account, if there is one.
    #[must_use]
    pub fn on_user(action: AuditAction, user_id: impl Into<Option<UserId>>) -> Self {
        let target = user_id.into().map(|id| (AuditTarget::User, id.get()));
        Self { target, ..Self::new(action) }
    }

    /// Creates an event on an export.
    #[must_use]
    pub fn on_export(action: AuditAction, id: ExportId) -> Self {
        Self { target: Some((AuditTarget::Export, id.get())), ..Self::new(action) }
    }

    /// Creates an event on an incident.
    #[must_use]
    pub fn on_incident(action: AuditAction, id: IncidentId) -> Self {
        Self { target: Some((AuditTarget::Incident, id.get())), ..Self::new(action) }
    }

    /// Creates an event on an API client.
    #[must_use]
    pub fn on_api_client(action: AuditAction, id: ApiClientId) -> Self {
        Self { target: Some((AuditTarget::ApiClient, id.get())), ..Self::new(action) }
    }

    /// Creates an event on a background job.
    #[must_use]
    pub fn on_job(action: AuditAction, id: JobId) -> Self {
        Self { target: Some((AuditTarget::Job, id.get())), ..Self::new(action) }
    }

    /// Adds a detail.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.detail.insert(name, value.to_string());
        self
    }
}

/// The account and the request that cause an action.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditOrigin {
    /// The authenticated account.
    pub actor: Option<UserId>,
    /// The `X-Request-ID` of the request; `None` outside of requests.
    pub request_id: Option<String>,
    /// The client's address, if it is known.
    pub address: Option<IpAddr>,
    /// The API client that acted for the account.
    pub api_client: Option<ApiClientId>,
    /// Whether a server of this deployment sent the request to replay an incident. Its accounts receive no mail.
    pub is_replay: bool,
}

impl AuditOrigin {
    /// Sets the account, once it is authenticated.
    #[must_use]
    pub const fn by(mut self, actor: UserId) -> Self {
        self.actor = Some(actor);
        self
    }
}

/// A recorded action.
///
/// `action` and `target_type` are text: the trail can contain values that a later release wrote, which an earlier one must still show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEvent {
    pub id: AuditEventId,
    pub created_at: Timestamp,
    pub action: String,
    pub actor_id: Option<UserId>,
    pub target_type: Option<String>,
    pub target_id: Option<i64>,
    pub request_id: Option<String>,
    pub address: Option<String>,
    /// Further facts, by name.
    pub detail: BTreeMap<String, String>,
}

impl AuditEvent {
    /// Returns the position of this event in the trail.
    #[must_use]
    pub const fn position(&self) -> KeysetPosition {
        KeysetPosition { value: SortValue::Timestamp(self.created_at), id: self.id.get() }
    }
}

/// Selects audit events; `None` selects all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AuditFilter {
    pub actor_id: Option<UserId>,
    pub action: Option<AuditAction>,
    pub target_type: Option<AuditTarget>,
    pub target_id: Option<i64>,
    pub created_after: Option<Timestamp>,
    pub created_before: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn actions_have_an_object_and_a_participle() {
        let is_word = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c == '_');
        for action in AuditAction::ALL {
            let (object, participle) = action.as_str().split_once('.').unwrap();
            assert!(is_word(object) && is_word(participle), "{action:?}");
        }
        let names: BTreeSet<&str> = AuditAction::ALL.iter().map(|action| action.as_str()).collect();
        assert_eq!(names.len(), AuditAction::ALL.len());
    }
}
