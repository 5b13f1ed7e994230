//! Endpoint traits of v2: one trait per resource, one method per operation.

mod admin;
mod api_clients;
mod audit;
mod auth;
mod bucketlists;
mod exports;
mod imports;
mod incidents;
mod items;
mod jobs;
mod profiles;
mod search;
mod usage;
mod users;

pub use admin::*;
pub use api_clients::*;
pub use audit::*;
pub use auth::*;
pub use bucketlists::*;
pub use exports::*;
pub use imports::*;
pub use incidents::*;
pub use items::*;
pub use jobs::*;
pub use profiles::*;
pub use search::*;
pub use usage::*;
pub use users::*;

// Imports of all endpoint traits, which import them with `use super::*`.
use endpoints::endpoints;
use poem_openapi::{
    Tags,
    param::{Path, Query},
};

use crate::{
    Admin, AdminSession, ErrorCode, Json, Operation, User, UserSession,
    caller::ClientInfo,
    listing::{Format, ListResponse},
    negotiation::Accept,
    operation::OperationLimit,
    payload::MergePatch,
    v2::{
        IdempotencyKey, IfMatch, IfNoneMatch, Result,
        parameters::{
            ApiVersion, AuditAction, AuditTarget, BucketlistInclude, BucketlistListInclude, ConsumerName, Cursor,
            Fingerprint, ImportConflict, IncidentGroupSort, Include, JobState, PerPage, ProfileFormat, Sort,
            StatusClass, TimeSort, Token, UsageGroup, UsageSort,
        },
        responses::{
            Accepted, AcceptedWithBody, Created, ExportDownload, JsonDownload, NoContent, PageResponse,
            ProfileDownload, Retrieved, SessionCreated, ShellCommandResponse, StatusResponse, Updated,
        },
    },
    values::{Date, Id, SearchText, Timestamp},
};

/// Groups of operations.
#[derive(Tags)]
pub enum Tag {
    /// Registration, login, sessions and passwords.
    Auth,
    /// Your account.
    Users,
    /// Named lists of things you want to do.
    Bucketlists,
    /// Entries of a bucketlist.
    Items,
    /// Full-text search in your bucketlists and items.
    Search,
    /// Export of your data to a file, and import of such a file.
    Exports,
    /// User accounts, the audit log and usage, for administrators.
    Admin,
    /// API clients: programs that act for an account with a key. For administrators.
    ApiClients,
    /// Captured requests, usually failed ones, with their responses. Sensitive data is masked. For administrators.
    Incidents,
    /// Background jobs and recurring tasks, for administrators. Private data is masked.
    Jobs,
}
