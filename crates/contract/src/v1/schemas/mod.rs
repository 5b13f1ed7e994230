//! Schemas of v1. Requests and responses have separate types. Examples refer to the seed data.

mod accounts;
mod bucketlists;
mod errors;
mod items;
mod pages;
mod users;

pub use accounts::*;
pub use bucketlists::*;
pub use errors::*;
pub use items::*;
pub use pages::*;
pub use users::*;

use crate::values::{Nullable, Timestamp};

/// Creation time of the seed data: 2026-01-01.
pub(crate) fn example_time() -> Timestamp {
    Timestamp::from_micros(1_767_225_600_000_000)
}

pub(crate) fn some(text: &str) -> Nullable<String> {
    Nullable(Some(text.to_owned()))
}
