//! Query parameters that v2's lists share.

use std::borrow::Cow;

use poem_openapi::{
    Enum,
    registry::{MetaSchema, MetaSchemaRef},
    types::{ParseError, ParseFromJSON, ParseFromParameter, ParseResult, ToJSON, Type},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::values::scalar;

/// Where a list goes on; opaque.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(transparent)]
pub struct Cursor(pub String);

scalar!(Cursor, MetaSchema { max_length: Some(2000), ..MetaSchema::new("string") });

impl ParseFromParameter for Cursor {
    fn parse_from_parameter(value: &str) -> ParseResult<Self> {
        Ok(Self(value.to_owned()))
    }
}

/// What somebody was told: the name of an operation, a code, the id of a request.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Token(pub String);

scalar!(
    Token,
    MetaSchema {
        min_length: Some(1),
        max_length: Some(128),
        pattern: Some("^[A-Za-z0-9._-]+$".to_owned()),
        ..MetaSchema::new("string")
    }
);

impl ParseFromParameter for Token {
    fn parse_from_parameter(value: &str) -> ParseResult<Self> {
        Ok(Self(value.trim().to_owned()))
    }
}

/// What equal failures have in common.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Fingerprint(pub String);

scalar!(
    Fingerprint,
    MetaSchema {
        min_length: Some(24),
        max_length: Some(24),
        pattern: Some("^[0-9a-f]{24}$".to_owned()),
        ..MetaSchema::new("string")
    }
);

impl ParseFromParameter for Fingerprint {
    fn parse_from_parameter(value: &str) -> ParseResult<Self> {
        Ok(Self(value.trim().to_owned()))
    }
}

/// The order of a list: a field, with `-` before it backwards. A pattern and not an enum: generators make the same name of
/// `name` and `-name`.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Sort(pub String);

scalar!(
    Sort,
    MetaSchema {
        max_length: Some(20),
        pattern: Some("^-?(created_at|updated_at|name)$".to_owned()),
        ..MetaSchema::new("string")
    }
);

impl ParseFromParameter for Sort {
    fn parse_from_parameter(value: &str) -> ParseResult<Self> {
        Ok(Self(value.trim().to_owned()))
    }
}

/// What a list tells besides its rows.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[oai(rename_all = "snake_case")]
pub enum Include {
    /// How many rows there are in all.
    Total,
}

/// What a bucketlist tells besides itself.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[oai(rename_all = "snake_case")]
pub enum BucketlistInclude {
    /// Its first items.
    Items,
}

/// What a list of bucketlists tells besides them.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[oai(rename_all = "snake_case")]
pub enum BucketlistListInclude {
    /// The first items of each.
    Items,
    /// How many rows there are in all.
    Total,
}

/// The order of a list in time: a pattern for the same reason as [`Sort`].
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct TimeSort(pub String);

scalar!(
    TimeSort,
    MetaSchema { max_length: Some(20), pattern: Some("^-?created_at$".to_owned()), ..MetaSchema::new("string") }
);

impl ParseFromParameter for TimeSort {
    fn parse_from_parameter(value: &str) -> ParseResult<Self> {
        Ok(Self(value.trim().to_owned()))
    }
}

/// An enum of words that are no Rust names.
macro_rules! words {
    ($(#[doc = $about:literal])+ $name:ident { $($(#[doc = $doc:literal])+ $variant:ident $word:literal)+ }) => {
        $(#[doc = $about])+
        #[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
        pub enum $name { $($(#[doc = $doc])+ #[oai(rename = $word)] $variant),+ }

        impl $name {
            /// Every one there is.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word as it travels.
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
