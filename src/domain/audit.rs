//! What is kept of what somebody did: for whoever has to find out later. Never a secret, never an email address.

use std::{collections::BTreeMap, net::IpAddr};

/// The words of an enum, spelled once.
macro_rules! words {
    ($(#[doc = $about:literal])+ $name:ident { $($(#[doc = $doc:literal])+ $variant:ident $word:literal)+ }) => {
        $(#[doc = $about])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[doc = $doc])+ $variant),+ }

        impl $name {
            /// Every one there is.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word it is stored and shown as.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }
    };
}

words! {
    /// What was done: a noun and what happened to it.
    AuditAction {
        /// Somebody made themselves an account.
        UserRegistered "user.registered"
        /// An operator made an account.
        UserCreated "user.created"
        /// A user's email address changed.
        UserEmailChanged "user.email_changed"
        /// A user's password changed.
        UserPasswordChanged "user.password_changed"
        /// A user became an administrator, or ceased to be one.
        UserRoleChanged "user.role_changed"
        /// A user was locked out.
        UserDisabled "user.disabled"
        /// A user may come in again.
        UserEnabled "user.enabled"
        /// A user is gone, with everything of theirs.
        UserDeleted "user.deleted"
        /// Somebody logged in.
        LoginSucceeded "login.succeeded"
        /// Somebody tried to log in.
        LoginFailed "login.failed"
        /// Somebody tried to log in too often.
        LoginThrottled "login.throttled"
        /// Somebody who is logged in gave a wrong current password.
        PasswordRejected "password.refused"
        /// A session was ended by whoever had it.
        SessionLoggedOut "session.logged_out"
        /// A session was ended from another one, or all of them were.
        SessionEnded "session.ended"
        /// A refresh token came a second time, so its session was ended.
        SessionTokenReused "session.token_reused"
        /// Somebody asked for a mail with which to set a new password.
        PasswordResetRequested "password_reset.requested"
        /// Somebody set a new password with what was mailed.
        PasswordResetConfirmed "password_reset.confirmed"
        /// Somebody asked for everything of theirs as a file.
        ExportRequested "export.requested"
        /// Somebody took the file of an export.
        ExportRead "export.read"
        /// Somebody looked at a request that had failed, or took it out.
        IncidentRead "incident.read"
        /// Somebody said whether a failure is fixed.
        IncidentResolved "incident.resolved"
        /// Somebody deleted a request that had failed.
        IncidentDeleted "incident.deleted"
    }
}

words! {
    /// What something was done to.
    AuditTarget {
        /// An account.
        User "user"
        /// A file of everything that somebody has.
        Export "export"
        /// A request that had failed.
        Incident "incident"
    }
}

/// Something that was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEvent {
    /// What.
    pub action: AuditAction,
    /// To what, by its id.
    pub target: Option<(AuditTarget, i64)>,
    /// What else there is to say of it. No secrets.
    pub detail: BTreeMap<&'static str, String>,
}

impl AuditEvent {
    /// Something that was done to nothing that has an id.
    #[must_use]
    pub const fn new(action: AuditAction) -> Self {
        Self { action, target: None, detail: BTreeMap::new() }
    }

    /// Something that was done to an account.
    #[must_use]
    pub fn of_user(action: AuditAction, user_id: i64) -> Self {
        Self { target: Some((AuditTarget::User, user_id)), ..Self::new(action) }
    }

    /// Something that was done to a file of everything that somebody has.
    #[must_use]
    pub fn of_export(action: AuditAction, id: i64) -> Self {
        Self { target: Some((AuditTarget::Export, id)), ..Self::new(action) }
    }

    /// Something that was done to a request that had failed.
    #[must_use]
    pub fn of_incident(action: AuditAction, id: i64) -> Self {
        Self { target: Some((AuditTarget::Incident, id)), ..Self::new(action) }
    }

    /// The same, with more to say.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.detail.insert(name, value.to_string());
        self
    }
}

/// Who does something, and from where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditOrigin {
    /// The account; `None`: nobody who could be told.
    pub actor: Option<i64>,
    /// The request's `X-Request-ID`; `None`: no request.
    pub request_id: Option<String>,
    /// The client's address, if it is known.
    pub address: Option<IpAddr>,
}

impl AuditOrigin {
    /// The same, now that it is known who it is.
    #[must_use]
    pub const fn by(mut self, actor: i64) -> Self {
        self.actor = Some(actor);
        self
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn an_action_is_a_noun_and_what_happened_to_it() {
        let is_word = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c == '_');
        for action in AuditAction::ALL {
            let (noun, verb) = action.as_str().split_once('.').unwrap();
            assert!(is_word(noun) && is_word(verb), "{action:?}");
        }
        let words: BTreeSet<&str> = AuditAction::ALL.iter().map(|action| action.as_str()).collect();
        assert_eq!(words.len(), AuditAction::ALL.len(), "no two are the same");
    }
}
