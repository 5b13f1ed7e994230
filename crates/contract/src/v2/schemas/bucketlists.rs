//! Bucketlists.

use poem_openapi::{Object, types::MaybeUndefined};
use serde::{Deserialize, Serialize};

use super::{Item, Links, example_time, some};
use crate::{
    table::Row,
    values::{Id, Nullable, Timestamp},
};

/// Maximum number of items that `include=items` embeds.
pub const MAX_NESTED_ITEMS: i64 = 100;

/// A named list of things that its owner wants to do.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct Bucketlist {
    /// ID of the bucketlist.
    pub id: Id,
    /// Name, unique among the bucketlists of its owner.
    #[oai(validator(max_length = 100))]
    pub name: String,
    /// Description of the bucketlist; null if it has none.
    #[oai(validator(max_length = 1000))]
    pub description: Nullable<String>,
    /// Number of items.
    #[oai(validator(minimum(value = "0")))]
    pub items_total: i64,
    /// Number of completed items.
    #[oai(validator(minimum(value = "0")))]
    pub items_done: i64,
    /// Time of creation.
    pub created_at: Timestamp,
    /// Time of the last change to the name or the description.
    pub updated_at: Timestamp,
    /// The first 100 items, oldest first, with `include=items`; otherwise null. `_links.items` refers to all items.
    #[oai(validator(max_items = 100))]
    pub items: Nullable<Vec<Item>>,
    /// Links to related resources and available operations.
    #[oai(rename = "_links")]
    #[serde(rename = "_links")]
    pub links: Links,
}

impl Row for Bucketlist {
    const COLUMNS: &'static [&'static str] =
        &["id", "name", "description", "items_total", "items_done", "created_at", "updated_at"];
}

example! { Bucketlist {
    id: Id(1), name: "See the world".into(), description: some("Places to visit once."), items_total: 5,
    items_done: 1, created_at: example_time(), updated_at: example_time(), items: Nullable(None),
    links: Links::Bucketlist(1),
} }

/// Changes to a bucketlist: a JSON merge patch (RFC 7396). Omitted fields keep their value; null clears a field.
#[derive(Clone, Debug, Deserialize, Object)]
#[oai(example)]
pub struct BucketlistPatch {
    /// Name, unique among your bucketlists. 1 to 100 characters, at least one of them visible.
    #[oai(validator(min_length = 1, max_length = 100))]
    pub name: Option<String>,
    /// Description, up to 1,000 characters. Can contain line breaks.
    #[oai(nullable, validator(max_length = 1000))]
    #[serde(default)]
    pub description: MaybeUndefined<String>,
}

example! { BucketlistPatch {
    name: Some("See the world".into()), description: MaybeUndefined::Value("Places to visit once.".into()),
} }
