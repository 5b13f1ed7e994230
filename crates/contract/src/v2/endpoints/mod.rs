//! The endpoint traits of v2: one per noun, each operation a method.

mod admin;
mod audit;
mod auth;
mod bucketlists;
mod exports;
mod incidents;
mod items;
mod search;
mod users;

pub use admin::*;
pub use audit::*;
pub use auth::*;
pub use bucketlists::*;
pub use exports::*;
pub use incidents::*;
pub use items::*;
pub use search::*;
pub use users::*;

use poem_openapi::Tags;

/// How the operations are grouped.
#[derive(Tags)]
pub enum Tag {
    /// Accounts, sessions and passwords: who you are.
    Auth,
    /// Your own account.
    Users,
    /// The lists of what you want to do in life.
    Bucketlists,
    /// What is in a bucketlist.
    Items,
    /// Everything of yours that has these words.
    Search,
    /// Everything of yours as one file.
    Exports,
    /// Everybody's accounts, and what was done, for administrators.
    Admin,
    /// Requests that failed, kept without their secrets so that they can be sent again; for administrators.
    Incidents,
}
