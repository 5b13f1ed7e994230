//! Search results.

use poem_openapi::{Enum, Object};
use serde::{Deserialize, Serialize};

use super::{Links, example_time};
use crate::values::{Id, Nullable, Timestamp};

/// Type of a search result, or of a record of an export or an import.
#[derive(Clone, Copy, Debug, Deserialize, Enum, PartialEq, Eq, Serialize)]
#[oai(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum ResourceType {
    /// A bucketlist.
    Bucketlist,
    /// An item.
    Item,
}

/// A bucketlist or an item that matches a search.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct SearchHit {
    /// Type of the result.
    #[oai(rename = "type")]
    #[serde(rename = "type")]
    pub kind: ResourceType,
    /// ID of the bucketlist or item.
    pub id: Id,
    /// ID of the bucketlist, or for an item, of the bucketlist that contains it.
    pub bucketlist_id: Id,
    /// Name of the bucketlist or item.
    #[oai(validator(max_length = 200))]
    pub name: String,
    /// Matching part of the name or the description as escaped HTML. Matches are enclosed in `<mark>`.
    #[oai(validator(max_length = 4000))]
    pub snippet: String,
    /// Whether the item is completed; null for a bucketlist.
    pub done: Nullable<bool>,
    /// Time of creation.
    pub created_at: Timestamp,
    /// Time of the last change.
    pub updated_at: Timestamp,
    /// Links to related resources and available operations.
    #[oai(rename = "_links")]
    #[serde(rename = "_links")]
    pub links: Links,
}

example! { SearchHit {
    kind: ResourceType::Item, id: Id(1), bucketlist_id: Id(1), name: "Watch the northern lights".into(),
    snippet: "Watch the <mark>northern</mark> lights".into(), done: Nullable(Some(false)), created_at: example_time(),
    updated_at: example_time(), links: Links::Item { bucketlist_id: 1, id: 1 },
} }
