//! Types of query parameters.

use poem_openapi::Enum;

pub use crate::parameters::*;
use crate::{
    operation::Argument,
    v2::schemas::{ExportState, Role},
};

/// Additional data of a bucketlist.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[oai(rename_all = "snake_case")]
pub enum BucketlistInclude {
    /// The first items.
    Items,
}

/// Additional data of a list of bucketlists.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[oai(rename_all = "snake_case")]
pub enum BucketlistListInclude {
    /// The first items of each bucketlist.
    Items,
    /// The total number of results.
    Total,
}

impl Argument for Role {}
impl Argument for ExportState {}

/// Declares an enum whose values in requests and responses are not Rust identifiers.
macro_rules! text_enum {
    ($(#[doc = $about:literal])+ $name:ident { $($(#[doc = $doc:literal])+ $variant:ident $text:literal)+ }) => {
        $(#[doc = $about])+
        #[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
        pub enum $name { $($(#[doc = $doc])+ #[oai(rename = $text)] $variant),+ }

        impl Argument for $name {}

        impl $name {
            /// All values.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Returns the value in requests and responses.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }
    };
}

text_enum! {
    /// A version of the API.
    ApiVersion {
        /// `/v1`.
        V1 "v1"
        /// `/v2`.
        V2 "v2"
    }
}

/// How to handle a bucketlist whose name is already in use:
///
/// - `reject`: Reject the import. Nothing is created.
/// - `rename`: Append a number to the name: `See the world (2)`.
/// - `skip`: Do not import the bucketlist and its items.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[oai(rename_all = "snake_case")]
pub enum ImportConflict {
    /// Reject the import. Nothing is created.
    Reject,
    /// Append a number to the name: `See the world (2)`.
    Rename,
    /// Do not import the bucketlist and its items.
    Skip,
}

impl Argument for ImportConflict {}

/// Field to group usage by:
///
/// - `operation`: The operation ID.
/// - `consumer`: The consumer.
/// - `version`: The version of the API.
/// - `day`: The day, in UTC.
/// - `hour`: The hour, in UTC. Hourly counters are retained for 7 days.
/// - `status`: The class of the HTTP status, for example `2xx`.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[oai(rename_all = "snake_case")]
pub enum UsageGroup {
    /// The operation ID.
    Operation,
    /// The consumer.
    Consumer,
    /// The version of the API.
    Version,
    /// The day, in UTC.
    Day,
    /// The hour, in UTC. Hourly counters are retained for 7 days.
    Hour,
    /// The class of the status.
    Status,
}

impl Argument for UsageGroup {}

impl UsageGroup {
    /// Returns the value in requests.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Operation => "operation",
            Self::Consumer => "consumer",
            Self::Version => "version",
            Self::Day => "day",
            Self::Hour => "hour",
            Self::Status => "status",
        }
    }
}

text_enum! {
    /// A class of HTTP statuses:
    ///
    /// - `2xx`: Success.
    /// - `3xx`: Redirects, and 304.
    /// - `4xx`: Errors of the client.
    /// - `5xx`: Errors of the server.
    StatusClass {
        /// Success.
        Success "2xx"
        /// Redirects, and 304.
        Redirect "3xx"
        /// Errors of the client.
        ClientError "4xx"
        /// Errors of the server.
        ServerError "5xx"
    }
}

impl StatusClass {
    /// Returns the first digit of the statuses.
    #[must_use]
    pub const fn digit(self) -> u8 {
        match self {
            Self::Success => 2,
            Self::Redirect => 3,
            Self::ClientError => 4,
            Self::ServerError => 5,
        }
    }
}

/// Kind and format of a profile:
///
/// - `flamegraph`: A CPU profile as an SVG image.
/// - `pprof`: A CPU profile as a compressed protocol buffer for the program `pprof`.
/// - `heap`: A heap profile: the memory in use, grouped by allocating function, for the program `pprof`.
#[derive(Clone, Copy, Debug, Default, Enum, PartialEq, Eq)]
#[oai(rename_all = "snake_case")]
pub enum ProfileFormat {
    /// A CPU profile as an SVG image.
    #[default]
    Flamegraph,
    /// A CPU profile as a compressed protocol buffer for the program `pprof`.
    Pprof,
    /// A heap profile: the memory in use, grouped by allocating function, for the program `pprof`.
    Heap,
}

impl Argument for ProfileFormat {}

text_enum! {
    /// State of a job:
    ///
    /// - `queued`: The job waits for its first attempt.
    /// - `running`: A worker runs the job.
    /// - `retrying`: The job failed, and waits for its next attempt.
    /// - `done`: The job succeeded.
    /// - `dead`: The job exhausted its attempts. It is a dead letter.
    /// - `cancelled`: An administrator cancelled the job.
    JobState {
        /// The job waits for its first attempt.
        Queued "queued"
        /// A worker runs the job.
        Running "running"
        /// The job failed, and waits for its next attempt.
        Retrying "retrying"
        /// The job succeeded.
        Done "done"
        /// The job exhausted its attempts. It is a dead letter.
        Dead "dead"
        /// An administrator cancelled the job.
        Cancelled "cancelled"
    }
}

impl serde::Serialize for JobState {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

text_enum! {
    /// Action of an audit event, as resource and verb:
    ///
    /// - `user.registered`: A user created an account with `register`.
    /// - `user.created`: An operator created an account on the command line.
    /// - `user.email_changed`: The email address of a user was changed.
    /// - `user.password_changed`: The password of a user was changed.
    /// - `user.role_changed`: The role of a user was changed.
    /// - `user.disabled`: An account was disabled.
    /// - `user.enabled`: An account was enabled.
    /// - `user.deprecation_notices_disabled`: The email notices to a user about deprecated operations were disabled.
    /// - `user.deprecation_notices_enabled`: The email notices to a user about deprecated operations were enabled.
    /// - `user.deleted`: An account was deleted with all its data.
    /// - `login.succeeded`: A login succeeded.
    /// - `login.failed`: A login failed.
    /// - `login.rate_limited`: A login was rate-limited.
    /// - `password.rejected`: A logged-in user sent a wrong current password.
    /// - `session.logged_out`: A user logged out.
    /// - `session.ended`: A user ended one session or all sessions of the account.
    /// - `session.token_reused`: A refresh token was reused, and its session was ended.
    /// - `password_reset.requested`: A password reset was requested.
    /// - `password_reset.confirmed`: A password was reset.
    /// - `export.requested`: An export was created.
    /// - `export.read`: An export was downloaded.
    /// - `incident.read`: An incident was retrieved or exported.
    /// - `incident.resolved`: An incident, or several incident groups, were marked as resolved or unresolved.
    /// - `incident.replayed`: The request of an incident was replayed on a configured server.
    /// - `incident.deleted`: An incident was deleted.
    /// - `api_client.created`: An API client was created.
    /// - `api_client.updated`: An API client was changed.
    /// - `api_client.rotated`: The key of an API client was rotated.
    /// - `api_client.deleted`: An API client was deleted, and its keys were revoked.
    /// - `job.retried`: A job was retried.
    /// - `job.cancelled`: A job was cancelled.
    /// - `job.deleted`: A job was deleted.
    /// - `job_schedule.run`: A recurring task was run.
    /// - `profile.recorded`: A profile of the server was recorded.
    ///
    /// The target of `user`, `login`, `password`, `password_reset` and `session` actions is the account, of type `user`. It is null
    /// if no account has the email address. The target of other actions is the named resource. It is null for
    /// `job_schedule.run` and `profile.recorded`, and for an `incident.resolved` that affects several groups.
    AuditAction {
        /// A user created an account with `register`.
        UserRegistered "user.registered"
        /// An operator created an account on the command line.
        UserCreated "user.created"
        /// The email address of a user was changed.
        UserEmailChanged "user.email_changed"
        /// The password of a user was changed.
        UserPasswordChanged "user.password_changed"
        /// The role of a user was changed.
        UserRoleChanged "user.role_changed"
        /// An account was disabled.
        UserDisabled "user.disabled"
        /// An account was enabled.
        UserEnabled "user.enabled"
        /// The email notices to a user about deprecated operations were disabled.
        UserDeprecationNoticesDisabled "user.deprecation_notices_disabled"
        /// The email notices to a user about deprecated operations were enabled.
        UserDeprecationNoticesEnabled "user.deprecation_notices_enabled"
        /// An account was deleted with all its data.
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
        /// A user ended one session or all sessions of the account.
        SessionEnded "session.ended"
        /// A refresh token was reused, and its session was ended.
        SessionTokenReused "session.token_reused"
        /// A password reset was requested.
        PasswordResetRequested "password_reset.requested"
        /// A password was reset.
        PasswordResetConfirmed "password_reset.confirmed"
        /// An export was created.
        ExportRequested "export.requested"
        /// An export was downloaded.
        ExportRead "export.read"
        /// An incident was retrieved or exported.
        IncidentRead "incident.read"
        /// An incident, or several incident groups, were marked as resolved or unresolved.
        IncidentResolved "incident.resolved"
        /// The request of an incident was replayed on a configured server.
        IncidentReplayed "incident.replayed"
        /// An incident was deleted.
        IncidentDeleted "incident.deleted"
        /// An API client was created.
        ApiClientCreated "api_client.created"
        /// An API client was changed.
        ApiClientUpdated "api_client.updated"
        /// The key of an API client was rotated.
        ApiClientRotated "api_client.rotated"
        /// An API client was deleted, and its keys were revoked.
        ApiClientDeleted "api_client.deleted"
        /// A job was retried.
        JobRetried "job.retried"
        /// A job was cancelled.
        JobCancelled "job.cancelled"
        /// A job was deleted.
        JobDeleted "job.deleted"
        /// A recurring task was run.
        JobScheduleRun "job_schedule.run"
        /// A profile of the server was recorded.
        ProfileRecorded "profile.recorded"
    }
}

text_enum! {
    /// Type of the resource that an audit event affects:
    ///
    /// - `user`: A user account.
    /// - `export`: An export.
    /// - `incident`: An incident.
    /// - `api_client`: An API client.
    /// - `job`: A background job.
    AuditTarget {
        /// A user account.
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
