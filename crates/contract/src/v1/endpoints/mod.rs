//! Endpoint traits of v1: one trait per resource, one method per operation.

mod auth;
mod bucketlists;
mod items;
mod users;

pub use auth::*;
pub use bucketlists::*;
pub use items::*;
pub use users::*;

use poem_openapi::{ApiResponse, Tags, types::Type};
use serde::Serialize;

use crate::Json;

/// Groups of operations.
#[derive(Tags)]
pub enum Tag {
    /// Registration, login, sessions and passwords.
    Auth,
    /// Your account, and all user accounts for administrators.
    Users,
    /// Named lists of things you want to do.
    Bucketlists,
    /// Entries of a bucketlist.
    Items,
}

/// 201 with a created resource.
#[derive(ApiResponse, Debug)]
pub enum Created<T: Type + Serialize + Send> {
    /// The created resource.
    #[oai(status = 201)]
    Created(Json<T>, #[oai(header = "Location")] String),
}

fn first_page() -> i32 {
    1
}

fn default_per_page() -> i32 {
    20
}
