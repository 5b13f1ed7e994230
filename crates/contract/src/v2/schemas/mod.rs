//! Schemas of v2. Most request schemas are those of v1; responses contain links.

mod accounts;
mod api_clients;
mod audit;
mod bucketlists;
mod deprecations;
mod exports;
mod imports;
mod incident_files;
mod incidents;
mod items;
mod jobs;
mod links;
mod pages;
mod replays;
mod search;
mod usage;

pub use accounts::*;
pub use api_clients::*;
pub use audit::AuditEvent;
pub use bucketlists::*;
pub use deprecations::*;
pub use exports::*;
pub use imports::*;
pub use incident_files::*;
pub use incidents::*;
pub use items::*;
pub use jobs::*;
pub use links::{Link, Links};
pub use pages::*;
pub use replays::*;
pub use search::*;
pub use usage::*;

pub use crate::v1::schemas::{
    AccountDeletion, BucketlistCreate, BucketlistReplace, Credentials, ItemCreate, ItemReplace, MePatch,
    PasswordChange, PasswordReset, PasswordResetRequest, Registration, Role, Secret, SessionRefresh, TokenType,
};
pub(crate) use crate::v1::schemas::{example_time, some};
