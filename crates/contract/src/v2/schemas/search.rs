//! What a search finds.

use poem_openapi::{Enum, Object, types::Example};
use serde::Serialize;

use super::{Links, example_time};
use crate::values::{Id, Nullable, Timestamp};

/// What kind of thing was found.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq, Serialize)]
#[oai(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum HitType {
    /// A bucketlist.
    Bucketlist,
    /// An item of a bucketlist.
    Item,
}

/// A bucketlist or an item that matches a search.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct SearchHit {
    /// What it is.
    #[oai(rename = "type")]
    #[serde(rename = "type")]
    pub kind: HitType,
    /// Identifies the bucketlist or the item.
    pub id: Id,
    /// The bucketlist it is, or is in.
    pub bucketlist_id: Id,
    /// Its name.
    #[oai(validator(max_length = 200))]
    pub name: String,
    /// The matching part of the name or the description, as HTML: escaped, with the matches inside `<mark>`.
    #[oai(validator(max_length = 4000))]
    pub snippet: String,
    /// Whether it is done; null for a bucketlist.
    pub done: Nullable<bool>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Where to go from here.
    #[oai(rename = "_links")]
    #[serde(rename = "_links")]
    pub links: Links,
}

impl Example for SearchHit {
    fn example() -> Self {
        Self {
            kind: HitType::Item,
            id: Id(1),
            bucketlist_id: Id(1),
            name: "Watch the northern lights".into(),
            snippet: "Watch the <mark>northern</mark> lights".into(),
            done: Nullable(Some(false)),
            created_at: example_time(),
            updated_at: example_time(),
            links: Links::Item { bucketlist_id: 1, id: 1 },
        }
    }
}
