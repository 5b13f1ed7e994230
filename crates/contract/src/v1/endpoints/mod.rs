//! The endpoint traits of v1: one per noun, each operation a method.

mod auth;
mod bucketlists;
mod items;
mod users;

pub use auth::*;
pub use bucketlists::*;
pub use items::*;
pub use users::*;

use poem_openapi::Tags;

/// How the operations are grouped.
#[derive(Tags)]
pub enum Tag {
    /// Accounts, sessions and passwords: who you are.
    Auth,
    /// Your own account; and, for administrators, everybody's.
    Users,
    /// The lists of what you want to do in life.
    Bucketlists,
    /// What is in a bucketlist.
    Items,
}
